"""The Eckart-Young loss: its minimum, its gradient, and that two halves make it unbiased."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, sparse

from covey.learn._eckart_young import eckart_young_loss, multiview_loss


def problem(seed=0, d=6):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(d, d)), rng.normal(size=(2 * d, d))
    return A + A.T + 4 * np.eye(d), B.T @ B / d


def linear_views(n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    views = [rng.normal(size=(n_rows, d)) + rng.normal(size=d) for d in (3, 4, 2)]
    return views, [rng.normal(size=(view.shape[1], 2)) for view in views]


def loss_by_definition(views, weights, shrinkage):
    scores = np.stack([view @ w for view, w in zip(views, weights)])
    covariance = [[np.cov(a, b, rowvar=False)[:2, 2:] for b in scores] for a in scores]
    C = sum(covariance[i][j] for i in range(3) for j in range(3) if i != j)
    V = sum((1 - shrinkage) * covariance[i][i] + shrinkage * weights[i].T @ weights[i] for i in range(3))
    return -2 * np.trace(C) + np.trace(V @ V)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_its_least_value_is_minus_the_squares_of_the_leading_eigenvalues(seed, k):
    A, B = problem(seed)
    values, vectors = linalg.eigh(A, B)
    leading = np.maximum(values[::-1][:k], 0.0)
    assert eckart_young_loss(vectors[:, ::-1][:, :k] * np.sqrt(leading), A, B) == pytest.approx(-np.sum(leading**2))
    start = np.random.default_rng(seed).normal(size=6 * k)
    found = optimize.minimize(lambda u: eckart_young_loss(u.reshape(6, k), A, B), start, tol=1e-10)
    assert found.fun == pytest.approx(-np.sum(leading**2), rel=1e-5)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_the_loss_of_views_is_its_definition(shrinkage):
    views, weights = linear_views()
    loss, _ = multiview_loss(views, weights, shrinkage, halves=False)
    assert loss == pytest.approx(loss_by_definition(views, weights, shrinkage))


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_the_gradient_is_that_of_the_loss(shrinkage, halves):
    views, weights = linear_views()
    scales = [np.linspace(1, 2, view.shape[1]) for view in views]
    sizes = np.cumsum([w.size for w in weights])[:-1]

    def parts(flat):
        return [part.reshape(w.shape) for part, w in zip(np.split(flat, sizes), weights)]

    def value(flat):
        return multiview_loss(views, parts(flat), shrinkage, halves, scales)[0]

    flat = np.concatenate([w.ravel() for w in weights])
    _, slopes = multiview_loss(views, weights, shrinkage, halves, scales)
    expected = optimize.approx_fprime(flat, value, 1e-6)
    assert np.concatenate([s.ravel() for s in slopes]) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_scales_divide_the_columns():
    views, weights = linear_views()
    scales = [np.linspace(0.5, 3, view.shape[1]) for view in views]
    loss, slopes = multiview_loss(views, weights, 0.2, scales=scales)
    expected, expected_slopes = multiview_loss([v / s for v, s in zip(views, scales)], weights, 0.2)
    assert loss == pytest.approx(expected)
    assert np.vstack(slopes) == pytest.approx(np.vstack(expected_slopes))


def test_sparse_views_need_no_centring():
    views, weights = linear_views()
    views = [np.where(np.abs(view) > 0.7, view, 0.0) for view in views]
    loss, slopes = multiview_loss(views, weights)
    sparse_loss, sparse_slopes = multiview_loss([sparse.csr_array(view) for view in views], weights)
    assert sparse_loss == pytest.approx(loss)
    assert np.vstack(sparse_slopes) == pytest.approx(np.vstack(slopes))


def test_halves_are_unbiased_and_one_batch_is_not():
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(400, 3)) for _ in range(2)]
    weights = [rng.normal(size=(3, 2)) for _ in range(2)]
    full = multiview_loss(views, weights, halves=False)[0]
    batches = [rng.choice(400, 16) for _ in range(4000)]  # with replacement: the rows are the population
    factor = 399 / 400
    exact = full * factor - (factor - factor**2) * _penalty(views, weights)
    two = np.array([multiview_loss([v[b] for v in views], weights)[0] for b in batches])
    one = np.array([multiview_loss([v[b] for v in views], weights, halves=False)[0] for b in batches])
    assert abs(two.mean() - exact) < 3 * two.std() / np.sqrt(len(two))
    assert one.mean() - exact > 10 * one.std() / np.sqrt(len(one))


def _penalty(views, weights):
    V = sum(np.cov(view @ w, rowvar=False) for view, w in zip(views, weights))
    return np.trace(V @ V)
