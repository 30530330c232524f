"""Matching distributions of columns: by definition, ties, missing values, the transformer, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.audit import DistributionMatcher, sort_match
from covey.audit.align import normal_quantiles, resample_sorted


@parametrize_with_checks([DistributionMatcher()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 3), st.integers(0, 99))
def test_the_rth_smallest_becomes_the_rth_smallest(n, d, seed):
    rng = np.random.default_rng(seed)
    x, reference = rng.integers(5, size=(n, d)).astype(float), rng.normal(size=(n, d))
    out = sort_match(x, reference)
    for j in range(d):
        rank = {row: r for r, row in enumerate(sorted(range(n), key=lambda i: (x[i, j], i)))}
        assert out[:, j].tolist() == [sorted(reference[:, j])[rank[i]] for i in range(n)]


def test_other_numbers_of_rows_take_quantiles():
    ordered = np.sort(np.random.default_rng(0).normal(size=(50, 2)), axis=0)
    for n in (7, 200):
        expected = np.quantile(ordered, (np.arange(n) + 0.5) / n, axis=0, method="hazen")
        assert resample_sorted(ordered, n) == pytest.approx(expected)
    assert resample_sorted(ordered, 50) is ordered


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(0, 99))
def test_fitted_rows_get_the_reference_and_a_monotone_bend_is_undone(n, seed):
    rng = np.random.default_rng(seed)
    reference, x = rng.exponential(size=(n, 2)), rng.normal(size=(n, 2))
    matched = DistributionMatcher(reference).fit_transform(x)
    assert matched == pytest.approx(sort_match(x, reference))
    assert DistributionMatcher(x).fit_transform(np.exp(3 * x)) == pytest.approx(x)


def test_ties_share_the_mean_of_what_they_match():
    matched = DistributionMatcher([[1.0], [2.0], [6.0], [10.0]]).fit_transform([[5.0], [5.0], [5.0], [7.0]])
    assert matched.ravel() == pytest.approx([3.0, 3.0, 3.0, 10.0])


def test_new_rows_are_interpolated_and_held_at_the_ends():
    model = DistributionMatcher([[0.0], [10.0]]).fit([[1.0], [2.0]])
    assert model.transform([[1.5], [0.0], [9.0], [np.nan]]).ravel() == pytest.approx([5, 0, 10, np.nan], nan_ok=True)


def test_missing_values_are_left_out():
    reference, x = [[3.0], [np.nan], [1.0]], [[np.nan], [5.0], [4.0]]
    assert DistributionMatcher(reference).fit_transform(x).ravel() == pytest.approx([np.nan, 3.0, 1.0], nan_ok=True)
    assert np.isnan(DistributionMatcher().fit_transform(np.full((3, 1), np.nan))).all()


def test_without_a_reference_the_result_is_normal():
    x = np.random.default_rng(0).exponential(size=(101, 1))
    out = np.sort(DistributionMatcher().fit_transform(x).ravel())
    assert out == pytest.approx(normal_quantiles(101))
    assert out[50] == pytest.approx(0.0) and out.std() == pytest.approx(1.0, abs=0.02)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"same columns; their shapes are \(3,\), \(3, 1\)"):
        sort_match(np.ones(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="at least one row each"):
        sort_match(np.ones(3), np.ones(0))
    with pytest.raises(ValueError, match="reference holds missing or infinite"):
        sort_match(np.ones(3), [1.0, np.nan])
    with pytest.raises(ValueError, match=r"the 2 columns of X; its shape is \(3, 1\)"):
        DistributionMatcher(np.ones((3, 1))).fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="column 1 of reference is all missing"):
        DistributionMatcher([[1.0, np.nan]]).fit(np.ones((3, 2)))
