"""Exact distance correlation: the merge-sort kernel against the quadratic definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import associate
from covey.measure.distance import distance_correlation, distance_correlation_corrected
from covey.measure.distance_exact import (
    distance_correlation_exact,
    distance_correlation_pvalue,
    u_distance_correlation_sqr,
)
from tests.measure._columns import check_definition, check_small_sample, many_shapes, with_gaps


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.8])
def test_kernel_equals_definition_on_the_common_rows(gaps):
    check_definition("distance_correlation_exact", with_gaps(many_shapes(), gaps), 1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40))
def test_small_tied_samples(rows):
    check_small_sample("distance_correlation_exact", rows)


@pytest.mark.parametrize(("power", "corrected"), [(1, 1e-10), (3, 1e-6)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_heavy_tails(seed, power, corrected):
    """The correction takes a single far row away altogether, and with it digits of the sums."""
    x, y = np.random.default_rng(seed).standard_cauchy((2, 1500)) ** power
    for a, b in ((x, y), (x, x + y), (x, np.sign(y))):
        assert distance_correlation_exact(a, b) == pytest.approx(distance_correlation(a, b), abs=1e-10)
        assert u_distance_correlation_sqr(a, b) == pytest.approx(distance_correlation_corrected(a, b), abs=corrected)


def test_a_huge_mean_costs_no_digits():
    steps = np.random.default_rng(0).integers(-1000, 1000, (2, 400)) / 1024.0  # exact when 1e9 is added
    steps[1] += steps[0]
    expected = distance_correlation(*steps)
    assert distance_correlation_exact(*(steps + 1e9)) == pytest.approx(expected, abs=1e-12)
    far = steps + 1e9
    far[:, 0] = 0.0  # one far row: the rest keeps the digits that the definition keeps
    assert distance_correlation_exact(*far) == pytest.approx(distance_correlation(*far), abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-150, 1e-6, 7.0, 1e150]))
def test_symmetry_shift_and_scale(seed, scale):
    x, y = np.random.default_rng(seed).normal(size=(2, 60))
    value = distance_correlation_exact(x, y)
    assert distance_correlation_exact(y, x) == pytest.approx(value, abs=1e-12)
    assert distance_correlation_exact(-scale * x, y + 5) == pytest.approx(value, abs=1e-12)
    assert distance_correlation_exact(x, scale * (3 - x)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_corrected_form_and_its_test(gaps):
    x = with_gaps(many_shapes(200), gaps)
    matrix = associate(x, measure="distance_correlation_exact")
    for i in range(x.shape[1]):
        for j in range(i):
            rows = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            ratio = distance_correlation_corrected(x[rows, i], x[rows, j])
            assert u_distance_correlation_sqr(x[:, i], x[:, j]) == pytest.approx(ratio, abs=1e-10)
            expected = stats.chi2.sf(rows.sum() * ratio + 1, 1)
            assert matrix.pvalues[i, j] == pytest.approx(expected, rel=1e-8)
            assert distance_correlation_pvalue(x[:, i], x[:, j]) == pytest.approx(expected, rel=1e-8)


def test_the_test_keeps_its_level():
    rng = np.random.default_rng(0)
    found = [distance_correlation_pvalue(*rng.normal(size=(2, 60))) for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    "function", [distance_correlation_exact, u_distance_correlation_sqr, distance_correlation_pvalue]
)
def test_undefined_and_bad_input(function):
    x = np.arange(6.0)
    assert np.isnan(function(x, np.ones(6)))
    assert np.isnan(function(x, np.full(6, np.nan)))
    assert np.isnan(function([1.0], [2.0]))
    with pytest.raises(ValueError, match="same rows"):
        function(x, x[:5])
    with pytest.raises(ValueError, match="y holds infinity"):
        function(x, np.where(x > 3, np.inf, x))
    with pytest.raises(ValueError, match="one column"):
        function(x.reshape(2, 3), x)
    with pytest.raises(ValueError, match="at least one row"):
        function([], [])


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_rows_for_the_correction(n):
    x = np.arange(float(n))
    assert distance_correlation_exact(x, x) == pytest.approx(1.0)
    assert np.isnan(u_distance_correlation_sqr(x, x)) and np.isnan(distance_correlation_pvalue(x, x))


@pytest.mark.parametrize("name", ["distance_correlation", "distance_correlation_corrected"])
def test_embedded_forms_are_near_the_exact_ones(name):
    x = many_shapes(1500, seed=4)
    values = associate(x, measure=name, pvalues=False).values
    exact = {"distance_correlation": distance_correlation_exact}.get(name, u_distance_correlation_sqr)
    for i, j in zip(*np.triu_indices(x.shape[1], 1)):
        assert values[i, j] == pytest.approx(exact(x[:, i], x[:, j]), abs=0.01)
