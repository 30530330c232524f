from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure._measure import NUMBERS, PairStatistics
from covey.measure.auto import auto, direction
from covey.measure.distance import distance_correlation_corrected
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps

SMALL = st.integers(4, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-9, 9).map(float), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3).map(float), min_size=n, max_size=n),
    )
)


def pair(x, y):
    return associate(table(number("x", x), number("y", y)), measure="auto")


def ranked(column):
    """The column as `auto` sees it: mid-ranks among its own present rows, or codes."""
    if column.is_coded:
        return column.values
    out = np.full(len(column.values), np.nan)
    out[~column.missing] = stats.rankdata(column.values[~column.missing])
    return out


@pytest.mark.parametrize(("decimals", "tolerance"), [(0, 1e-7), (None, 0.01)])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_kernel_equals_definition(decimals, tolerance, gaps):
    columns = with_gaps(mixed_columns(400, decimals=decimals), gaps)
    matrix = associate(table(*columns), measure="auto")
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            rows = ~(left.missing | right.missing)
            x, y = ranked(left)[rows], ranked(right)[rows]
            square = max(distance_correlation_corrected(x, y), 0.0)
            assert matrix.values[i, j] ** 2 == pytest.approx(square, abs=tolerance), (left.name, right.name)
            assert matrix.n[i, j] == rows.sum()
            if gaps == 0.0:
                assert auto(left.values, right.values) ** 2 == pytest.approx(square, abs=1e-12)


def test_two_booleans_give_phi():
    rng = np.random.default_rng(0)
    x = rng.random(3000) < 0.3
    y = x ^ (rng.random(3000) < 0.2)
    matrix = associate(table(category("x", x, kind="boolean"), category("y", y, kind="boolean")))
    assert matrix["x", "y"] == pytest.approx(abs(np.corrcoef(x, y)[0, 1]), abs=2e-3)
    assert matrix.sign[0, 1] == 1


@settings(deadline=None, max_examples=50)
@given(SMALL)
def test_monotone_transformations_change_nothing(values):
    x, y = map(np.array, values)
    before, after = pair(x, y), pair(np.exp(x / 3), -(y**3))
    np.testing.assert_allclose(after.values, before.values, atol=1e-7)
    np.testing.assert_array_equal(after.sign[0, 1], -before.sign[0, 1])
    np.testing.assert_allclose(pair(y, x).values[0, 1], before.values[0, 1], atol=1e-7)


def test_strength_is_comparable_to_spearman_for_monotone_relations():
    x, e = np.random.default_rng(0).normal(size=(2, 5000))
    for slope in (-4.0, -1.0, 0.5, 2.0):
        matrix = pair(x, slope * x + e)
        assert matrix.values[0, 1] == pytest.approx(abs(stats.spearmanr(x, slope * x + e).statistic), abs=0.06)
        assert matrix.sign[0, 1] == np.sign(slope)


def test_a_relation_without_direction_has_no_sign():
    x, e = np.random.default_rng(0).normal(size=(2, 3000))
    matrix = pair(x, x**2 + 0.1 * e)
    assert matrix.values[0, 1] > 0.4 and matrix.sign[0, 1] == 0


def test_signs_only_where_both_columns_have_an_order():
    columns = mixed_columns(1000)
    matrix = associate(table(*columns))
    for i, left in enumerate(columns):
        for j, right in enumerate(columns):
            if left.kind not in NUMBERS or right.kind not in NUMBERS:
                assert matrix.sign[i, j] == 0
    assert matrix.sign[0, matrix.rows.index("flag")] == 1


def test_direction_needs_significance_and_a_fair_part():
    rho = PairStatistics(np.array([0.5, -0.5, 0.1, np.nan]), np.full(4, 9), np.array([0.01, 0.2, 0.01, np.nan]))
    np.testing.assert_array_equal(direction(rho, np.array([0.5, 0.5, 0.5, 0.5])), [1, 0, 0, 0])


def test_independent_columns_of_many_levels_stay_near_zero():
    rng = np.random.default_rng(0)
    columns = [category(f"c{k}", rng.integers(0, levels, 500)) for k, levels in enumerate((2, 20, 100, 250))]
    matrix = associate(table(*columns, number("x", rng.normal(size=500))))
    assert np.max(matrix.values[np.triu_indices(5, 1)]) < 0.2


def test_size_and_power_on_mixed_tables():
    """400 independent tables: the test is sound at 0.05 for every pair of kinds, and finds what is there."""
    rng = np.random.default_rng(0)
    n, n_tables = 100, 400
    rejected, found = np.zeros((5, 5)), 0
    engine = LocalEngine(1)
    for _ in range(n_tables):
        x = rng.standard_cauchy(n)
        columns = [
            number("cauchy", x),
            number("ties", np.round(rng.normal(size=n))),
            category("flag", rng.random(n) < 0.3, 2, "boolean"),
            category("team", rng.integers(0, 8, n), 8),
            number("other", rng.normal(size=n)),
            number("curve", np.abs(np.tanh(x)) + 0.1 * rng.normal(size=n)),
        ]
        small = associate(table(*columns), engine=engine).pvalues < 0.05
        rejected += small[:5, :5]
        found += small[0, 5]
    share = rejected[np.triu_indices(5, 1)] / n_tables
    assert share.max() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_tables)
    assert share.mean() > 0.01  # conservative, not blind
    assert found == n_tables


def test_few_rows_are_undefined_with_a_reason():
    for n in (1, 2, 3):
        matrix = pair(np.arange(float(n)), np.arange(float(n)) ** 2)
        assert np.isnan(matrix.values).all()
        assert "too few rows" in matrix.reason("x", "y")
    unique = category("unique", np.arange(6))
    matrix = associate(table(unique, number("x", np.arange(6.0))))
    assert np.isnan(matrix["unique", "x"]) and "too few rows" in matrix.reason("unique", "x")
