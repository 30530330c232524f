from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure._null import (
    chi2_pvalue,
    correlation_pvalue,
    f_pvalue,
    false_discovery,
    normal_pvalue,
    permutation_pvalue,
    student_t_pvalue,
)

STATISTIC = np.array([0.0, 0.3, 2.0, 15.0, 80.0])


@pytest.mark.parametrize("degrees", [1, 3.5, 40, 1e6])
def test_tails_equal_scipy(degrees):
    np.testing.assert_allclose(chi2_pvalue(STATISTIC, degrees), stats.chi2.sf(STATISTIC, degrees), rtol=1e-12)
    np.testing.assert_allclose(f_pvalue(STATISTIC, 3, degrees), stats.f.sf(STATISTIC, 3, degrees), rtol=1e-9)
    expected = 2 * stats.t.sf(STATISTIC, degrees)
    np.testing.assert_allclose(student_t_pvalue(-STATISTIC, degrees), expected, rtol=1e-12)


def test_normal_tails():
    z = np.array([-2.0, 0.0, 1.0, 8.0])
    np.testing.assert_allclose(normal_pvalue(z), 2 * stats.norm.sf(np.abs(z)), rtol=1e-12)
    np.testing.assert_allclose(normal_pvalue(z, "greater"), stats.norm.sf(z), rtol=1e-12)


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_correlation_test_equals_scipy(n):
    x, y = np.random.default_rng(n).normal(size=(2, n))
    expected = stats.pearsonr(x, y)
    assert correlation_pvalue(expected.statistic, n) == pytest.approx(expected.pvalue, rel=1e-9)


def test_undefined_stays_undefined():
    assert np.isnan(correlation_pvalue([0.5, np.nan, 0.5], [2, 10, 0])).all()
    assert correlation_pvalue(1.0, 10) == 0.0 and correlation_pvalue(-1.0, 10) == 0.0
    assert np.isnan(correlation_pvalue(0.1, 5, given=3))
    assert np.isnan(chi2_pvalue([1.0, np.nan], [0.0, 1.0])).all()
    assert np.isnan(f_pvalue([1.0, 1.0, np.nan], [0, 1, 1], [1, 0, 1])).all()
    assert f_pvalue(np.inf, 2, 10) == 0.0


def test_permutation_pvalue_is_never_zero():
    null = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    np.testing.assert_allclose(permutation_pvalue([9.0, 3.0], null), [1 / 4, 3 / 4])


def by_hand(p, method):
    m = len(p)
    factor = sum(1 / k for k in range(1, m + 1)) if method == "by" else 1.0
    order = sorted(range(m), key=lambda i: p[i])
    q = [0.0] * m
    running = 1.0
    for rank in range(m, 0, -1):
        i = order[rank - 1]
        running = min(running, p[i] * m * factor / rank)
        q[i] = running
    return q


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from(["bh", "by"]), st.integers(0, 3))
def test_false_discovery(p, method, n_undefined):
    q = false_discovery(np.array([*p, *[np.nan] * n_undefined]), method)
    np.testing.assert_allclose(q[: len(p)], by_hand(p, method), atol=1e-12)
    np.testing.assert_allclose(q[: len(p)], stats.false_discovery_control(p, method=method), atol=1e-12)
    assert np.isnan(q[len(p) :]).all()


def test_false_discovery_of_nothing_and_of_unknown_method():
    assert len(false_discovery(np.zeros(0))) == 0
    with pytest.raises(ValueError, match="'bh' or 'by'"):
        false_discovery(np.array([0.5]), "bonferroni")
