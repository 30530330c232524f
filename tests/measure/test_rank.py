from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from covey.measure import associate
from covey.measure._measure import NUMBERS
from covey.measure.pearson import pearson
from covey.measure.rank import _ranks, spearman
from tests.measure._mixed import mixed_columns, number, table, with_gaps

VALUES = arrays(np.float64, (25, 2), elements=st.floats(-20, 20, width=16))


def of_pair(x, y):
    return associate(table(number("x", x), number("y", y)), measure="spearman").values[0, 1]


def test_kernel_equals_definition_and_scipy():
    columns = [c for c in mixed_columns() if c.kind in NUMBERS]
    matrix = associate(table(*columns), measure="spearman")
    for i, left in enumerate(columns):
        for j, right in enumerate(columns):
            x, y = left.values.astype(float), right.values.astype(float)
            assert matrix.values[i, j] == pytest.approx(spearman(x, y), abs=1e-12)
            if i != j:
                expected = stats.spearmanr(x, y)
                assert matrix.values[i, j] == pytest.approx(expected.statistic, abs=1e-12)
                assert matrix.pvalues[i, j] == pytest.approx(expected.pvalue, rel=1e-7, abs=1e-300)


def test_with_gaps_each_column_is_ranked_once():
    columns = [c for c in with_gaps(mixed_columns(), 0.2) if c.kind == "numeric"]
    matrix = associate(table(*columns), measure="spearman")
    ranks = []
    for column in columns:
        rank = np.full(len(column.values), np.nan)
        rank[~column.missing] = stats.rankdata(column.values[~column.missing])
        ranks.append(rank)
    for i, x in enumerate(ranks):
        for j, y in enumerate(ranks):
            rows = ~np.isnan(x) & ~np.isnan(y)
            assert matrix.values[i, j] == pytest.approx(pearson(x[rows], y[rows]), abs=1e-12)
            assert matrix.n[i, j] == rows.sum()


def test_ranks_of_ties():
    np.testing.assert_array_equal(_ranks(np.array([3.0, 1.0, 3.0, 2.0])), [3.5, 1.0, 3.5, 2.0])


def test_known_value():
    """IQ and hours of television, a textbook table: rho = -29/165."""
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert of_pair(iq, hours) == pytest.approx(-29 / 165, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_monotone_transformations_change_nothing(values):
    x, y = values.T
    before = of_pair(x, y)
    if np.isnan(before):
        assert min(np.ptp(x), np.ptp(y)) == 0
        return
    assert of_pair(x**3 + x, np.exp(y / 4)) == pytest.approx(before, abs=1e-12)
    assert of_pair(-x, y) == pytest.approx(-before, abs=1e-12)
    assert of_pair(y, x) == pytest.approx(before, abs=1e-12)
