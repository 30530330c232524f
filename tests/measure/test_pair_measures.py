"""Kendall, Chatterjee's xi, exact distance correlation, re-ranked Spearman: kernels against definitions and peers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import associate, get
from covey.measure.distance import distance_correlation_corrected

NAMES = ["kendall", "chatterjee_xi", "distance_correlation_exact", "spearman_pairwise"]


def columns(n=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return np.column_stack(
        [
            x,
            x**2 + 0.1 * rng.normal(size=n),
            rng.standard_cauchy(n),
            np.round(2 * rng.normal(size=n)),
            np.round(x * 3),
            1e9 + x + rng.normal(size=n),
            (x > 0).astype(float) * 2.5,
        ]
    )


def with_gaps(x, share, seed=1):
    x = x.copy()
    x[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    return x


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("name", NAMES)
def test_kernel_equals_definition_on_the_common_rows(name, gaps):
    x = with_gaps(columns(), gaps)
    matrix, definition = associate(x, measure=name), get(name).definition
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            rows = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            expected = definition(x[rows, i], x[rows, j])
            assert matrix.values[i, j] == pytest.approx(expected, abs=1e-9), (name, i, j)
            assert matrix.n[i, j] == rows.sum()


def test_kendall_and_its_pvalue_equal_scipy():
    x = columns(500)
    matrix = associate(x, measure="kendall")
    for i in range(x.shape[1]):
        for j in range(i):
            expected = stats.kendalltau(x[:, i], x[:, j], method="asymptotic")
            assert matrix.values[i, j] == pytest.approx(expected.statistic, abs=1e-12)
            assert matrix.pvalues[i, j] == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


def test_xi_equals_scipy_without_ties_in_x():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    for y, continuous in ((np.sin(3 * x) + 0.1 * rng.normal(size=400), True), (np.round(x), False)):
        expected = stats.chatterjeexi(x, y, y_continuous=continuous)
        matrix = associate(np.column_stack([x, y]), measure="chatterjee_xi")
        assert matrix.values[0, 1] == pytest.approx(expected.statistic, abs=1e-12)
        assert matrix.pvalues[0, 1] == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_xi_is_the_mean_over_random_orders_of_tied_x():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 60).astype(float), rng.normal(size=60)
    draws = []
    for _ in range(4000):
        order = np.lexsort((rng.random(60), x))
        draws.append(get("chatterjee_xi").definition(np.arange(60.0), y[order]))
    value = associate(np.column_stack([x, y]), measure="chatterjee_xi").values[0, 1]
    assert abs(value - np.mean(draws)) < 4 * np.std(draws) / np.sqrt(len(draws))


def test_xi_points_from_row_to_column():
    x = np.linspace(-1, 1, 301)
    matrix = associate(np.column_stack([x, x**2]), measure="chatterjee_xi")
    assert matrix.values[0, 1] > 0.95 and matrix.values[1, 0] < 0.5 and not matrix.symmetric


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_spearman_equals_pandas_to_twelve_digits(gaps):
    x = with_gaps(columns(2000), gaps)
    expected = pd.DataFrame(x).corr(method="spearman").to_numpy()
    np.testing.assert_allclose(associate(x, measure="spearman_pairwise").values, expected, atol=1e-12, rtol=0)


def test_exact_distance_correlation_tests_as_the_corrected_form_does():
    x = columns(200)
    matrix = associate(x, measure="distance_correlation_exact")
    for i, j in ((0, 1), (0, 2), (3, 4)):
        ratio = distance_correlation_corrected(x[:, i], x[:, j])
        assert matrix.pvalues[i, j] == pytest.approx(stats.chi2.sf(len(x) * ratio + 1, 1), rel=1e-8)


@pytest.mark.parametrize("name", ["distance_correlation", "distance_correlation_corrected"])
def test_embedded_distance_correlation_is_near_the_exact_one(name):
    x = columns(1500, seed=4)
    matrix = associate(x, measure=name)
    for i in range(x.shape[1]):
        for j in range(i):
            assert matrix.values[i, j] == pytest.approx(get(name).definition(x[:, i], x[:, j]), abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_workers_do_not_matter(name):
    x = with_gaps(columns(), 0.1)
    one, two = (associate(x, measure=name, engine=f"local:{k}").values for k in (1, 2))
    np.testing.assert_array_equal(one, two)


pairs = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=4, max_size=40)


@settings(max_examples=30, deadline=None)
@given(pairs)
@pytest.mark.parametrize("name", NAMES)
def test_small_tied_samples(name, rows):
    x = np.array(rows, dtype=float)
    value = associate(x, measure=name, pvalues=False).values[0, 1]
    expected = get(name).definition(x[:, 0], x[:, 1])
    if np.ptp(x, axis=0).min() == 0:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
@pytest.mark.parametrize("name", ["kendall", "spearman_pairwise", "chatterjee_xi"])
def test_monotone_transformations_do_not_matter(name, seed):
    x = np.random.default_rng(seed).normal(size=(50, 2))
    moved = np.column_stack([np.exp(x[:, 0]), 3 * x[:, 1] - 7])
    a, b = (associate(t, measure=name, pvalues=False).values for t in (x, moved))
    np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_degenerate_columns_are_nan_with_a_reason(name):
    rng = np.random.default_rng(0)
    half = np.where(np.arange(20) < 10, rng.normal(size=20), np.nan)
    other = np.where(np.arange(20) < 10, np.nan, rng.normal(size=20))
    table = {"x": rng.normal(size=20), "none": [None] * 20, "one": [3.0] * 20, "half": half, "other": other}
    matrix = associate(table, measure=name)
    assert np.isnan(matrix["x", "none"]) and np.isnan(matrix["x", "one"]) and np.isnan(matrix["half", "other"])
    assert "constant" in matrix.reason("x", "one") and "rows" in matrix.reason("half", "other")


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_very_few_rows_do_not_crash(name, n):
    values = associate(np.random.default_rng(0).normal(size=(n, 2)), measure=name).values
    assert values.shape == (2, 2) and not np.isinf(values).any()
