"""Bounded lasso: scikit-learn, SciPy and the optimality conditions agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from sklearn.linear_model import Lasso

from covey.measure._lasso import bounded_lasso, kkt_residual


def regression(n=40, d=15, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + rng.normal(size=(n, 1))
    return X, X[:, 0] - 2 * X[:, 1] + rng.normal(size=n)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 0.8), st.booleans(), st.integers(5, 60))
def test_agrees_with_scikit_learn(seed, share, positive, d):
    X, y = regression(d=d, seed=seed)
    penalty = share * np.abs(X.T @ y).max()
    found, residual = bounded_lasso(X, y, penalty, lower=0.0 if positive else -np.inf, tol=1e-9)
    expected = Lasso(penalty / 40, fit_intercept=False, positive=positive, tol=1e-12, max_iter=100_000).fit(X, y).coef_
    assert residual < 1e-8
    assert X @ found == pytest.approx(X @ expected, abs=1e-4)


def test_bounds_without_penalty_are_bounded_least_squares():
    X, y = regression()
    found, _ = bounded_lasso(X, y, 0.0, 0.0, 0.5, tol=1e-10, max_iter=10_000)
    assert found == pytest.approx(lsq_linear(X, y, (0.0, 0.5), tol=1e-12).x, abs=1e-5)


def test_each_coefficient_has_its_own_penalty_and_bounds():
    found, _ = bounded_lasso(np.eye(4), np.full(4, 3.0), [0.0, 1.0, 9.0, 0.0], [-9, -9, -9, -9], [9, 9, 9, 1.0])
    assert found.tolist() == [3.0, 2.0, 0.0, 1.0]


def test_the_residual_grows_with_the_distance_from_the_optimum():
    X, y = regression()
    best, _ = bounded_lasso(X, y, 2.0, tol=1e-10)
    assert kkt_residual(X, y, best, 2.0) < 1e-6
    moved = best.copy()
    moved[0] += 0.1
    assert kkt_residual(X, y, moved, 2.0) == pytest.approx(0.1 * (X[:, 0] ** 2).sum(), rel=1e-4)


def test_columns_of_zeros_and_a_warm_start():
    X, y = regression()
    X[:, 3] = 0.0
    cold, _ = bounded_lasso(X, y, 1.0, tol=1e-10)
    assert cold[3] == 0.0
    assert bounded_lasso(X, y, 1.0, start=cold, tol=1e-10, max_iter=1)[0] == pytest.approx(cold, abs=1e-8)
