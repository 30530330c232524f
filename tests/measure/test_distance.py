from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure import associate
from covey.measure._coding import code_column
from covey.measure._null import chi2_pvalue
from covey.measure._store import ColumnStore
from covey.measure.distance import (
    distance_correlation,
    distance_correlation_corrected,
    distance_matrix,
    independence_pvalue,
)
from tests.measure._mixed import category, common, mixed_columns, number, table, with_gaps

SMALL = st.integers(4, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-9, 9).map(float), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3).map(float), min_size=n, max_size=n),
    )
)


def pair(x, y, measure="distance_correlation"):
    return associate(table(number("x", x), number("y", y)), measure=measure, pvalues=False)


def heavy_tailed(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    x, cauchy, t2 = rng.normal(size=n), rng.standard_cauchy(n), rng.standard_t(2, n)
    return {
        "normal": (x, x + rng.normal(size=n)),
        "cauchy": (cauchy, cauchy + rng.standard_cauchy(n)),
        "cauchy, independent": (cauchy, rng.standard_cauchy(n)),
        "cauchy, inverse": (cauchy, 1 / cauchy),
        "t2, square": (t2, t2**2 + x),
        "lognormal": (np.exp(2 * x), np.exp(2 * x + t2)),
        "huge mean": (1e9 + x, 1e9 + x**2),
        "atom": (np.where(x > 0, cauchy, 0.0), np.abs(cauchy) + t2),
    }


@pytest.mark.parametrize("name", heavy_tailed(4))
def test_binned_within_a_hundredth(name):
    x, y = heavy_tailed()[name]
    matrix = pair(x, y)
    error = abs(matrix.values[0, 1] - distance_correlation(x, y))
    assert error <= min(0.01, matrix.error_bound[0, 1])
    corrected = pair(x, y, "distance_correlation_corrected").values[0, 1]
    assert corrected == pytest.approx(distance_correlation_corrected(x, y), abs=0.01)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize(
    ("measure", "definition"),
    [
        ("distance_correlation", distance_correlation),
        ("distance_correlation_corrected", distance_correlation_corrected),
    ],
)
def test_exact_on_columns_of_few_values_of_any_kind(measure, definition, gaps):
    columns = with_gaps(mixed_columns(250, decimals=0), gaps)
    matrix = associate(table(*columns), measure=measure)
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            x, y = common(left, right)
            assert matrix.values[i, j] == pytest.approx(definition(x, y), abs=1e-10), (left.name, right.name)
            assert matrix.n[i, j] == len(x)
    if matrix.error_bound is not None:
        assert not matrix.error_bound.any()


def test_binned_columns_with_gaps_within_their_bounds():
    columns = with_gaps(mixed_columns(600), 0.3)
    matrix = associate(table(*columns), measure="distance_correlation")
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            error = abs(matrix.values[i, j] - distance_correlation(*common(left, right)))
            assert error <= min(0.01, matrix.error_bound[i, j] + 1e-12), (left.name, right.name)


def test_dcov_of_four_points_by_hand():
    """Of (0, 0, 1, 1) and (0, 1, 0, 1), whose double-centred distances are orthogonal."""
    x = np.array([0.0, 0.0, 1.0, 1.0])
    y = np.array([0.0, 1.0, 0.0, 1.0])
    assert distance_correlation(x, x) == 1.0
    assert distance_correlation(x, y) == 0.0
    # U-centred, each has four entries of -1/3 and eight of 1/6; where one has -1/3, the other has 1/6
    assert distance_correlation_corrected(x, y) == pytest.approx(-0.5)
    for measure, value in (("distance_correlation", 0.0), ("distance_correlation_corrected", -0.5)):
        assert pair(x, y, measure).values[0, 1] == pytest.approx(value, abs=1e-12)


def test_two_normals_have_the_published_value():
    """Szekely, Rizzo and Bakirov (2007), theorem 7: the distance correlation of a bivariate normal."""
    rho, n = 0.5, 40000
    x, e = np.random.default_rng(0).normal(size=(2, n))
    y = rho * x + np.sqrt(1 - rho**2) * e
    top = rho * np.arcsin(rho) + np.sqrt(1 - rho**2) - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2) + 1
    expected = np.sqrt(top / (1 + np.pi / 3 - np.sqrt(3)))
    assert pair(x, y).values[0, 1] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("seed", range(30))
def test_the_bound_holds_for_relations_finer_than_the_bins(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(65, 900))
    x = np.sort([rng.normal(size=n), rng.standard_cauchy(n), rng.random(n), rng.lognormal(0, 3, n)][seed % 4])
    period = int(rng.integers(2, 2 + n // 20))
    y = (np.arange(n) % period).astype(float)  # a sawtooth in the ranks of x
    if seed % 2:
        y = np.where(np.arange(n) < n // 32, y, 0.0)  # all of it within a few bins
    matrix = pair(x, y)
    assert abs(matrix.values[0, 1] - distance_correlation(x, y)) <= matrix.error_bound[0, 1] + 1e-12


@pytest.mark.parametrize("seed", [253, 287, *range(12)])
def test_the_bound_holds_on_common_rows_that_lie_within_one_bin(seed):
    """The bins of a column suit all of its rows; the rows it shares with another may all be in one of them."""
    rng = np.random.default_rng(seed)
    n_bulk, n_wide = int(rng.integers(2000, 100000)), int(rng.integers(200, 4000))
    bulk = rng.random() + rng.normal(size=n_bulk) * 10.0 ** -rng.integers(4, 10)
    x = np.concatenate([bulk, rng.random(n_wide)])
    codes = code_column(ColumnStore([number("x", x)]), 0, 64, "value").codes
    bin_ = np.bincount(codes[n_bulk:]).argmax() if rng.random() < 0.5 else codes[0]
    within = n_bulk + np.flatnonzero(codes[n_bulk:] == bin_)
    rows = np.union1d(within, rng.choice(len(x), int(rng.integers(1, 4)), replace=False))
    y = np.full(len(x), np.nan)
    y[rows] = 10 * x[rows]
    matrix = pair(x, y)
    assert abs(matrix.values[0, 1] - distance_correlation(x[rows], y[rows])) <= matrix.error_bound[0, 1] + 1e-12


def test_the_bound_says_something():
    x, y = heavy_tailed()["normal"]
    assert 0 < pair(x, y).error_bound[0, 1] < 0.1


@settings(deadline=None, max_examples=80)
@given(SMALL)
def test_equals_definition_and_has_its_symmetries(values):
    x, y = map(np.array, values)
    matrix = pair(x, y)
    expected = distance_correlation(x, y)
    assert matrix.values[0, 1] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert np.isnan(expected) == (min(np.ptp(x), np.ptp(y)) == 0)
    corrected = pair(x, y, "distance_correlation_corrected").values[0, 1]
    assert corrected == pytest.approx(distance_correlation_corrected(x, y), abs=1e-8, nan_ok=True)
    assert pair(y, x).values[0, 1] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    order = np.random.default_rng(0).permutation(len(x))
    assert pair(-3 * x[order] + 7, y[order] / 2).values[0, 1] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_names_of_categories_do_not_matter():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 6, 300), rng.normal(size=300)
    y += codes % 3
    before, after = (
        associate(table(category("c", labels, 6), number("y", y)), measure="distance_correlation").values[0, 1]
        for labels in (codes, np.array([3, 5, 0, 1, 4, 2])[codes])
    )
    assert before == pytest.approx(after, abs=1e-12) and before > 0.3


def test_distance_matrix_of_both_kinds():
    np.testing.assert_array_equal(distance_matrix(np.array([0.0, 3.0])), [[0, 3], [3, 0]])
    np.testing.assert_array_equal(distance_matrix(np.array([0, 3, 0])), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])


def test_too_few_rows():
    for n in range(1, 4):
        x = np.arange(float(n))
        assert np.isnan(distance_correlation_corrected(x, x))
        matrix = pair(x, x**2, "distance_correlation_corrected")
        assert np.isnan(matrix.values).all() and "too few rows" in matrix.reason("x", "y")
    assert np.isnan(pair([1.0], [2.0]).values).all()
    assert pair([1.0, 2.0], [5.0, 3.0]).values[0, 1] == 1.0


@pytest.mark.parametrize("n", [5, 14, 1000, 20_000])
def test_one_row_that_differs_determines_nothing(n):
    """The corrected distances of a column with one other row are all 0; two other rows are enough."""
    rng = np.random.default_rng(n)
    y = np.round(rng.normal(size=n), 1)
    for k, undefined in ((1, True), (2, False)):
        x = np.zeros(n)
        x[:k] = 1.0
        for column in (number("x", x), category("x", x, 2)):
            for measure in ("distance_correlation_corrected", "auto"):
                matrix = associate(table(column, number("y", y)), measure=measure)
                assert np.isnan(matrix["x", "y"]) == np.isnan(matrix.pvalues[0, 1]) == undefined
    assert np.isnan(distance_correlation_corrected(np.eye(14)[0], np.arange(14.0)))


@pytest.mark.parametrize("far", [10.0, 1e3, 1e5, 1e7, 1e9])
def test_one_row_far_beyond_the_others(far):
    x, e = np.random.default_rng(0).normal(size=(2, 200))
    x[0] = far
    value = pair(x, x + e, "distance_correlation_corrected").values[0, 1]
    assert value == pytest.approx(distance_correlation_corrected(x, x + e), abs=0.01) or (far > 1e4 and np.isnan(value))


def test_pvalue_is_the_chi_square_test():
    ratio = np.array([0.0, 0.02, -0.01, np.nan])
    n = np.full(4, 100.0)
    np.testing.assert_allclose(independence_pvalue(ratio, n), chi2_pvalue([1.0, 3.0, 0.0, np.nan], 1.0))
