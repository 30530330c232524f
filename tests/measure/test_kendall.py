"""Kendall's tau-b: the merge-sort kernel against the definition and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import associate
from covey.measure.kendall import kendall
from tests.measure._columns import check_definition, check_small_sample, many_shapes, with_gaps

rows = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40)


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.8])
def test_kernel_equals_definition_on_the_common_rows(gaps):
    check_definition("kendall", with_gaps(many_shapes(), gaps), 1e-12)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_small_tied_samples(rows):
    check_small_sample("kendall", rows)


def test_value_and_pvalue_equal_scipy():
    x = with_gaps(many_shapes(500), 0.1)
    matrix = associate(x, measure="kendall")
    for i in range(x.shape[1]):
        for j in range(i):
            expected = stats.kendalltau(x[:, i], x[:, j], method="asymptotic", nan_policy="omit")
            assert matrix.values[i, j] == pytest.approx(expected.statistic, abs=1e-12)
            assert matrix.pvalues[i, j] == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


@pytest.mark.slow
def test_many_rows_equal_scipy():
    x = many_shapes(200_000)[:, [0, 4]]
    expected = stats.kendalltau(x[:, 0], x[:, 1]).statistic
    assert associate(x, measure="kendall", pvalues=False).values[0, 1] == pytest.approx(expected, abs=1e-12)


def test_known_values():
    x = np.arange(10.0)
    assert kendall(x, x**3) == 1.0 and kendall(x, -x) == -1.0
    values = associate(np.column_stack([x, x**3, -x]), measure="kendall").values
    np.testing.assert_array_equal(values, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_monotone_transformations(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 50))
    table = np.column_stack([x, y, np.exp(x), -(y**3)])
    values = associate(table, measure="kendall", pvalues=False).values
    assert values[2, 1] == values[0, 1] == values[1, 0]
    assert values[0, 3] == -values[0, 1]
