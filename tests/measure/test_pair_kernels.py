"""Building blocks of the pair kernels against their quadratic definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure._pair_kernels import (
    _expected_steps,
    _inverted_products,
    _mean_distance,
    _row_distances,
    _sort_counting,
    _tie_sums,
)

integers = st.lists(st.integers(-6, 6), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(integers)
def test_sorting_counts_the_inversions(values):
    values = np.array(values, dtype=np.int32)
    expected = sum((values[:k] > values[k]).sum() for k in range(len(values)))
    ordered = values.copy()
    assert _sort_counting(ordered, np.empty_like(ordered), len(ordered)) == expected
    np.testing.assert_array_equal(ordered, np.sort(values))


def test_inversions_of_a_reversed_column_do_not_overflow():
    n = 100_000
    falling = np.arange(n, 0, -1, dtype=np.int32)
    assert _sort_counting(falling, np.empty_like(falling), n) == n * (n - 1) // 2


def test_tie_sums():
    out = np.zeros(4)
    _tie_sums(np.array([1, 1, 1, 4, 5, 5], dtype=np.int32), 6, out, 1)
    np.testing.assert_array_equal(out, [0, 3 + 1, 6, 6 * 11 + 2 * 9])


@settings(max_examples=60, deadline=None)
@given(integers, integers)
def test_mean_distance(a, b):
    a, b = np.sort(a), np.sort(b)
    assert _mean_distance(a, b) == pytest.approx(np.abs(a[:, None] - b).mean(), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(integers)
def test_row_distances(values):
    x = np.sort(np.array(values, dtype=float))
    out = np.empty_like(x)
    total = _row_distances(x, len(x), out)
    expected = np.abs(x[:, None] - x).sum(axis=1)
    np.testing.assert_allclose(out, expected, atol=1e-9)
    assert total == pytest.approx(expected.sum(), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=1, max_size=70))
def test_inverted_products(rows):
    x, y = np.array(sorted(rows), dtype=float).T.copy()
    dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
    expected = np.sum(np.triu(dx * dy * (dy < 0)))
    assert _inverted_products(x, y, np.empty_like(x), np.empty_like(y), len(x)) == pytest.approx(expected, abs=1e-9)


def test_expected_steps_of_two_orders():
    """Runs {1}, {3, 8}, {4}: the orders 1 3 8 4 and 1 8 3 4."""
    ranks, runs = np.array([1, 8, 3, 4]), np.array([0, 1, 1, 2], dtype=np.int32)
    assert _expected_steps(ranks, runs, 4) == pytest.approx(((2 + 5 + 4) + (7 + 5 + 1)) / 2)
