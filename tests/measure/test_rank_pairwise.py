"""Spearman ranked anew on the common rows of every pair, against the definition, pandas, and large samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure import associate
from tests.measure._columns import check_definition, check_small_sample, many_shapes, with_gaps


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.8])
def test_kernel_equals_definition_on_the_common_rows(gaps):
    check_definition("spearman_pairwise", with_gaps(many_shapes(), gaps), 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40))
def test_small_tied_samples(rows):
    check_small_sample("spearman_pairwise", rows)


@pytest.mark.parametrize("gaps", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("n", [2_000, 120_000])
def test_equals_pandas_to_twelve_digits(n, gaps):
    x = with_gaps(many_shapes(n), gaps)[:, [0, 2, 3, 5]]
    expected = pd.DataFrame(x).corr(method="spearman").to_numpy()
    values = associate(x, measure="spearman_pairwise", pvalues=False).values
    np.testing.assert_allclose(values, expected, atol=1e-12, rtol=0)


def test_equals_the_ranks_taken_once_when_nothing_is_missing():
    x = many_shapes()
    once, again = (associate(x, measure=m) for m in ("spearman", "spearman_pairwise"))
    np.testing.assert_allclose(once.values, again.values, atol=1e-12)
    np.testing.assert_allclose(once.pvalues, again.pvalues, rtol=1e-9)


def test_pvalue_equals_scipy_on_the_common_rows():
    x = with_gaps(many_shapes(), 0.3)
    matrix = associate(x, measure="spearman_pairwise")
    expected = stats.spearmanr(x[:, 0], x[:, 4], nan_policy="omit")
    assert matrix.values[0, 4] == pytest.approx(expected.statistic, abs=1e-12)
    assert matrix.pvalues[0, 2] == pytest.approx(stats.spearmanr(x[:, 0], x[:, 2], nan_policy="omit").pvalue, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_monotone_transformations(seed):
    x, y = with_gaps(np.random.default_rng(seed).normal(size=(60, 2)), 0.2, seed).T
    values = associate(np.column_stack([x, y, np.exp(x), -(y**3)]), measure="spearman_pairwise", pvalues=False).values
    assert values[2, 1] == values[0, 1] == values[1, 0]
    assert values[0, 3] == -values[0, 1]
