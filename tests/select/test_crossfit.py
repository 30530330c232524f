"""Leave one covariate out: a plain loop of refits, closed forms, groups, the t-test, engines, bad input."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor

from covey.select.crossfit import CrossFitter, paired_t_test


def data(n=40, d=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=n)


def plain_loop(learner, x, y, folds, groups):
    """Fit each fold with all columns, then without each group."""
    out = []
    for dropped in [[], *groups]:
        rest = [j for j in range(x.shape[1]) if j not in list(dropped)]
        predicted = np.empty(y.shape)
        for train, test in folds.split(x):
            predicted[test] = clone(learner).fit(x[train][:, rest], y[train]).predict(x[test][:, rest])
        out.append(predicted)
    return np.array(out[0]), np.array(out[1:])


CLOSED = [
    Ridge(0.5),
    Ridge(2.0, fit_intercept=False),
    KernelRidge(0.3, kernel="linear"),
    KernelRidge(0.3, kernel="rbf", gamma=0.1),
    KernelRidge(0.3, kernel="rbf"),
    KernelRidge(0.3, kernel="laplacian", gamma=0.2),
    KernelRidge(0.3, kernel="poly", degree=2, coef0=1.5),
    KernelRidge(5.0, kernel="sigmoid", gamma=0.1),
]
REFITTED = [
    KNeighborsRegressor(3),
    Ridge(0.5, solver="lsqr", tol=1e-14),
    KernelRidge(0.3, kernel=lambda a, b: float(np.dot(a, b) ** 2)),
    RandomForestRegressor(3, random_state=0),
]


@pytest.mark.parametrize("learner", CLOSED + REFITTED, ids=lambda learner: re.sub(" at 0x[0-9a-f]+", "", repr(learner)))
@pytest.mark.parametrize(("n", "d"), [(40, 5), (15, 20)])
def test_predictions_are_those_of_refits(learner, n, d):
    x, y = data(n, d)
    folds = KFold(5, shuffle=True, random_state=0)
    found = CrossFitter(learner, folds).without(x, y)
    full, without = plain_loop(learner, x, y, folds, [[j] for j in range(d)])
    np.testing.assert_allclose(found.full, full, atol=1e-8)
    np.testing.assert_allclose(found.without, without, atol=1e-8)
    assert found.closed_form == (learner in CLOSED)


@pytest.mark.parametrize("learner", [CLOSED[0], CLOSED[2], CLOSED[3], REFITTED[0]], ids=repr)
def test_groups_and_several_targets(learner):
    x, y = data()
    both, groups, folds = np.column_stack([y, x[:, 3]]), [[0, 2], [1], [1, 3, 4]], KFold(4)
    found = CrossFitter(learner, folds).without(x, both, groups)
    full, without = plain_loop(learner, x, both, folds, groups)
    np.testing.assert_allclose(found.full, full, atol=1e-8)
    np.testing.assert_allclose(found.without, without, atol=1e-8)


@pytest.mark.parametrize("learner", [CLOSED[0], CLOSED[2], CLOSED[3], REFITTED[0]], ids=repr)
def test_without_any_column_the_mean_is_predicted(learner):
    x, y = data()
    folds = KFold(4)
    found = CrossFitter(learner, folds).without(x, y, [range(5)]).without[0]
    for train, test in folds.split(x):
        np.testing.assert_allclose(found[test], y[train].mean())


def test_folds_that_leave_rows_out_of_training_are_refitted():
    x, y = data()
    gaps = [(np.setdiff1d(np.arange(40), np.append(test, (test + 1) % 40)), test) for _, test in KFold(4).split(x)]
    learner = KernelRidge(0.3, kernel="rbf")
    found = CrossFitter(learner, gaps).without(x, y)
    expected = np.empty(40)
    for train, test in gaps:
        expected[test] = learner.fit(x[train], y[train]).predict(x[test])
    assert not found.closed_form
    np.testing.assert_allclose(found.full, expected, atol=1e-10)


def test_leave_one_out_is_one_factorisation():
    x, y = data()
    folds = KFold(len(y))
    learner = KernelRidge(0.3, kernel="rbf", gamma=0.1)
    found = CrossFitter(learner, folds).without(x, y, [[0]])
    np.testing.assert_allclose(found.without, plain_loop(learner, x, y, folds, [[0]])[1], atol=1e-8)


def test_a_large_mean_does_not_round_the_kernel():
    x, y = data()
    learner = KernelRidge(0.3, kernel="rbf", gamma=0.1)
    near, far = (CrossFitter(learner, KFold(4)).without(x + shift, y).without for shift in (0.0, 2.0**30))
    np.testing.assert_allclose(near, far, atol=1e-5)


def test_a_classifier_gives_probabilities():
    x, y = data(60)
    labels = np.where(y > 0, "yes", "no")
    found = CrossFitter(LogisticRegression(), random_state=0).without(x, labels, [[0], range(5)])
    assert found.full.shape == (60, 2) and found.without.shape == (2, 60, 2)
    np.testing.assert_allclose(found.without.sum(axis=2), 1.0)
    assert found.without[1, :, 1] == pytest.approx(np.full(60, (y > 0).mean()), abs=0.05)


def test_the_result_depends_on_the_seed_and_not_on_the_engine():
    x, y = data()
    for learner in (RandomForestRegressor(3), Ridge(), KernelRidge(kernel="rbf")):
        once, again = (CrossFitter(learner, 3, 1, engine).without(x, y).without for engine in ("local:1", "local:2"))
        np.testing.assert_array_equal(once, again)
        assert (once != CrossFitter(learner, 3, 2).without(x, y).without).any()


def test_predict_is_the_full_part():
    x, y = data()
    fitter = CrossFitter(RandomForestRegressor(3), 4, random_state=5)
    np.testing.assert_array_equal(fitter.predict(x, y), fitter.without(x, y, [[0]]).full)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(0, 99), st.booleans())
def test_the_t_test_is_that_of_scipy(n, seed, two_sided):
    d = np.random.default_rng(seed).normal(0.3, size=(3, n))
    t, p = paired_t_test(d, two_sided)
    expected = stats.ttest_1samp(d, 0.0, axis=1, alternative="two-sided" if two_sided else "greater")
    np.testing.assert_allclose(t, expected.statistic)
    np.testing.assert_allclose(p, expected.pvalue, rtol=1e-9)


def test_the_t_test_of_constants():
    t, p = paired_t_test([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [-2.0, -2.0, -2.0]])
    assert t.tolist() == [0.0, np.inf, -np.inf] and p.tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(paired_t_test([[1.0]])[1]).all()


@pytest.mark.parametrize(
    ("x", "groups", "words"),
    [
        (np.full((10, 2), np.nan), None, "NaN"),
        (np.full((10, 2), np.inf), None, "infinity"),
        (np.zeros((9, 2)), None, "inconsistent"),
        (np.zeros((10, 2)), [[0], [2]], "group 1 must hold positions of columns in 0..1"),
        (np.zeros((10, 2)), [[True, False]], "group 0 must hold positions of columns in 0..1"),
        (np.zeros((10, 2)), [[0.5]], "group 0 must hold positions of columns in 0..1"),
        (np.zeros((10, 2)), [[]], "group 0"),
    ],
)
def test_bad_input_is_refused(x, groups, words):
    with pytest.raises(ValueError, match=words):
        CrossFitter(Ridge()).without(x, np.arange(10.0), groups)
