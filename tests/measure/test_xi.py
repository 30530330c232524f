"""Chatterjee's xi: the kernel against the definition, SciPy, and random orders of tied rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import associate
from covey.measure.xi import chatterjee_xi
from tests.measure._columns import check_definition, many_shapes, with_gaps


def xi(x, y, **options):
    return associate({"x": x, "y": y}, measure="chatterjee_xi", **options)


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.8])
def test_kernel_equals_definition_on_the_common_rows(gaps):
    check_definition("chatterjee_xi", with_gaps(many_shapes(), gaps), 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40))
def test_small_tied_samples(rows):
    x, y = np.array(rows, dtype=float).T
    if np.ptp(x) > 0 and np.ptp(y) > 0:
        assert xi(x, y, pvalues=False)["x", "y"] == pytest.approx(chatterjee_xi(x, y), abs=1e-12)


@pytest.mark.parametrize("continuous", [True, False])
def test_value_and_pvalue_equal_scipy_without_ties_in_x(continuous):
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = 0.6 * x + rng.normal(size=400)
    y = y if continuous else np.round(2 * y)
    expected = stats.chatterjeexi(x, y, y_continuous=continuous)
    matrix = xi(x, y)
    assert matrix["x", "y"] == pytest.approx(expected.statistic, abs=1e-12)
    assert matrix.pvalues[0, 1] == pytest.approx(expected.pvalue, rel=1e-9)
    assert 1e-6 < expected.pvalue < 0.5


def test_tied_x_gives_the_mean_over_random_orders():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 60).astype(float), rng.normal(size=60)
    orders = [np.lexsort((rng.random(60), x)) for _ in range(2000)]
    draws = [chatterjee_xi(np.arange(60.0), y[order]) for order in orders]
    assert abs(xi(x, y)["x", "y"] - np.mean(draws)) < 4 * np.std(draws) / np.sqrt(len(draws))


def test_points_from_row_to_column():
    x = np.linspace(-1, 1, 301)
    matrix = xi(x, x**2)
    assert matrix["x", "y"] > 0.95 and matrix["y", "x"] < 0.0 and not matrix.symmetric


def test_a_function_without_noise_reaches_its_largest_value():
    n = 50
    x = np.arange(n) / 7
    assert xi(x, x)["x", "y"] == pytest.approx(1 - 3 * (n - 1) / (n**2 - 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_monotone_transformations(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 50))
    value = xi(x, y)["x", "y"]
    assert xi(np.exp(x), y**3)["x", "y"] == value
    assert xi(-x, y)["x", "y"] == value  # the order may be read from either end


def test_pvalues_are_uniform_under_independence_and_safe_under_ties_of_x():
    rng = np.random.default_rng(0)
    x = {"continuous": rng.normal(size=200), "tied": rng.integers(0, 5, 200) / 3}
    continuous, tied = associate(x, rng.normal(size=(200, 500)), measure="chatterjee_xi").pvalues
    assert stats.kstest(continuous, "uniform").pvalue > 1e-3
    assert np.mean(tied < 0.1) < 0.1 < np.mean(tied < 0.6)
