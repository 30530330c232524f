from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure._coding import MAX_LEVELS, assign_bins, category_levels, code_column, numeric_levels
from covey.measure._store import ColumnStore
from tests.measure._mixed import category, mixed_columns, number, with_gaps

DISTINCT = st.lists(st.integers(-1000, 1000), min_size=1, max_size=200, unique=True)


@settings(deadline=None)
@given(DISTINCT, st.integers(2, 70), st.integers(0, 99))
def test_bins_are_runs_of_the_sorted_values(values, max_bins, seed):
    positions = np.sort(np.array(values, dtype=float)) ** 3
    counts = np.random.default_rng(seed).integers(1, 50, len(values)).astype(float)
    bins = assign_bins(positions, counts, max_bins)
    assert bins[0] == 0 and set(np.diff(bins)) <= {0, 1} and bins[-1] < max_bins
    if len(values) <= max_bins:
        np.testing.assert_array_equal(bins, np.arange(len(values)))


def test_extremes_of_a_heavy_tail_have_bins_of_their_own():
    values = np.sort(np.random.default_rng(0).standard_cauchy(5000))
    bins = assign_bins(values, np.ones(5000), 64, cut_ends=True)
    assert bins[1] == 1 and bins[-2] == bins[-1] - 1
    assert np.count_nonzero(np.bincount(bins[1000:4000], minlength=64)) >= 4  # and the bulk has not one bin alone


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-50, 50, width=16), min_size=1, max_size=150), st.sampled_from(["value", "rank"]))
def test_levels_hold_the_means_of_their_rows(values, scale):
    x = np.array(values) + 0.0
    store = ColumnStore([number("x", x)])
    coding = code_column(store, 0, 8, scale)
    levels = coding.levels
    points = store.ranks(0) - 0.5 if scale == "rank" else x
    spread = len(x) if scale == "rank" else max(np.ptp(x), 1e-300)
    assert levels.n_levels == coding.codes.max() <= 8
    worst = 0.0
    for level in range(levels.n_levels):
        inside = points[coding.codes == level + 1] / spread
        within = np.abs(inside[:, None] - inside[None, :]).mean()
        assert levels.within[level] == pytest.approx(within, abs=1e-7)
        worst = max(worst, len(inside) * within)
        gap = inside.mean() - points[coding.codes == 1].mean() / spread
        assert levels.positions[level] - levels.positions[0] == pytest.approx(gap, abs=1e-7)
    assert levels.resolution == pytest.approx(worst, abs=1e-5)
    np.testing.assert_array_equal(levels.encode(x), coding.codes)


@pytest.mark.parametrize("scale", ["value", "rank"])
def test_encode_gives_back_the_codes(scale):
    columns = with_gaps(mixed_columns(500), 0.2)
    store = ColumnStore(columns)
    for j, column in enumerate(columns):
        coding = code_column(store, j, 32, scale)
        np.testing.assert_array_equal(coding.levels.encode(column.values), coding.codes)
        np.testing.assert_array_equal(coding.codes == 0, column.missing)


def test_a_huge_mean_costs_no_digits():
    x = np.arange(100.0)
    low, high = (numeric_levels(shift + x, np.ones(100), 20, "value")[0] for shift in (0.0, 1e9))
    np.testing.assert_allclose(low.positions, high.positions, atol=1e-12)
    np.testing.assert_allclose(low.within, high.within, atol=1e-12)


def test_rare_categories_share_the_last_level():
    n = 10_000
    counts = np.ones(n, dtype=int)
    counts[[7, 9_000]] = 50
    levels = category_levels(counts)
    assert levels.n_levels == MAX_LEVELS and levels.n_pooled == n - MAX_LEVELS + 1
    codes = levels.encode(np.array([7, 9_000, 9_999, -1]))
    assert codes[2] == MAX_LEVELS and codes[3] == 0
    assert len({*codes[:2], MAX_LEVELS}) == 3
    assert np.count_nonzero(levels.encode(np.arange(n)) == MAX_LEVELS) == levels.n_pooled


def test_few_categories_are_kept_as_they_are():
    levels = category_levels(np.array([3, 0, 5]))
    np.testing.assert_array_equal(levels.encode(np.array([2, 0, -1, 1], dtype=np.int32)), [3, 1, 0, 2])
    assert category_levels(np.zeros(0)).n_levels == 1


def test_all_missing():
    store = ColumnStore([number("x", [np.nan, np.nan]), category("c", [-1, -1], 2)])
    for j in range(2):
        assert not code_column(store, j, 16, "value").codes.any()
