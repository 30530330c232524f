"""Correlated databases: statistics and tails against their definitions, invariances, what the tests find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from covey.structure import (
    correlated_databases,
    database_correlation_test,
    databases_phase_diagram,
    detection_threshold,
    sum_test_power,
)
from covey.structure.databases import _cosine_tail, _default_threshold, _sum_tail


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 1000))
def test_statistics_agree_with_their_definitions(n, d, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, d))
    products = [[float(a @ b) for b in y] for a in x]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a in x for b in y]
    assert database_correlation_test(x, y).statistic == pytest.approx(np.sum(products) / (n * d**0.5))
    counted = database_correlation_test(x, y, "count", threshold=0.3)
    assert counted.statistic == sum(c > 0.3 for c in cosines)


@pytest.mark.parametrize("method", ["sum", "count", "assignment"])
def test_the_order_of_rows_does_not_matter(method):
    x, y, _ = correlated_databases(30, 5, 0.5, random_state=0)
    shuffle = np.random.default_rng(1).permutation(30)
    options = {"method": method, "n_permutations": 9 if method == "assignment" else 0}
    before = database_correlation_test(x, y, **options)
    after = database_correlation_test(x, y[shuffle], **options)
    assert after.statistic == pytest.approx(before.statistic)
    if method != "assignment":
        assert after.pvalue == pytest.approx(before.pvalue)


@pytest.mark.parametrize("t", [-2.0, 0.0, 1.0, 5.0, 10.0])
def test_null_tail_of_one_feature_is_that_of_a_product_of_normals(t):
    density = lambda u: special.k0(abs(u)) / np.pi  # noqa: E731
    expected = integrate.quad(density, abs(t), np.inf)[0]
    assert _sum_tail(t, 1, 0.0) == pytest.approx(expected if t >= 0 else 1 - expected, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("d", "rho", "t"), [(1, 0.5, 0.7), (4, -0.4, 1.0), (20, 0.2, 3.0), (3, 1.0, 2.0), (3, -1.0, -2.0)]
)
def test_tail_agrees_with_simulation(d, rho, t):
    rng = np.random.default_rng(0)
    a, noise = rng.normal(size=(2, 200_000, d))
    sums = (a * (rho * a + np.sqrt(1 - rho**2) * noise)).sum(axis=1)
    assert _sum_tail(t, d, rho) == pytest.approx(np.mean(sums > t), abs=0.005)


def test_tail_in_many_features_is_normal():
    z = np.array([0.5, 1.6, 3.0])
    found = [_sum_tail(value * 100.0, 10_000, 0.0) for value in z]
    assert found == pytest.approx(stats.norm.sf(z), rel=0.05)


@pytest.mark.parametrize("d", [1, 10, 1000, 10_000])
@pytest.mark.parametrize("z", [2.0, 6.0, 10.0])
def test_small_tails_are_those_of_the_law(d, z):
    """Given the rows of one database the sum is normal."""
    t, spread = z * np.sqrt(d), np.sqrt(2.0 * d)
    peak = max(d, d / 2 + t / 2)
    density = lambda c: stats.norm.sf(t / np.sqrt(c)) * stats.chi2.pdf(c, d)  # noqa: E731
    bounds = max(0.0, d - 12 * spread), d + 60 * spread + 10 * t / np.sqrt(d)
    expected = integrate.quad(density, *bounds, points=[d, peak], limit=500, epsabs=0.0, epsrel=1e-7)[0]
    assert _sum_tail(t, d, 0.0) == pytest.approx(expected, rel=1e-4)
    assert _sum_tail(-t, d, 0.0) == pytest.approx(1.0 - expected)


def test_cosine_tail_and_default_threshold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 4))
    cosine = x[:, 0] / np.linalg.norm(x, axis=1)
    for cut in (-0.3, 0.2, 0.8):
        assert _cosine_tail(cut, 4) == pytest.approx(np.mean(cosine > cut), abs=0.006)
    assert 50**2 * _cosine_tail(_default_threshold(50, 4), 4) == pytest.approx(1.0)


def test_power_rises_with_correlation_and_features_and_starts_at_the_level():
    assert sum_test_power(0.0, 7, level=0.01) == pytest.approx(0.01)
    by_correlation = [sum_test_power(rho, 20) for rho in (-0.5, 0.0, 0.3, 0.6, 1.0)]
    assert (np.diff(by_correlation) > 0.01).all()
    assert (np.diff([sum_test_power(0.3, d) for d in (1, 10, 100, 1000)]) > 0.01).all()


def test_threshold_has_the_power_asked_for_and_falls_with_the_root_of_features():
    assert sum_test_power(detection_threshold(50, 0.8, 0.01), 50, 0.01) == pytest.approx(0.8)
    assert detection_threshold(400) / detection_threshold(1600) == pytest.approx(2.0, abs=0.1)
    assert np.isnan(detection_threshold(1))


@pytest.mark.parametrize("method", ["sum", "count"])
def test_permutations_and_theory_agree(method):
    x, y, _ = correlated_databases(60, 8, 0.3, random_state=3)
    theory = database_correlation_test(x, y, method).pvalue
    drawn = database_correlation_test(x, y, method, n_permutations=999, random_state=0).pvalue
    assert 0.001 < theory < 0.999
    assert drawn == pytest.approx(theory, abs=0.07)


def test_assignment_detects_and_recovers():
    x, y, permutation = correlated_databases(40, 60, 0.9, random_state=0)
    result = database_correlation_test(x, y, "assignment", n_permutations=19, random_state=0)
    assert result.pvalue == pytest.approx(1 / 20)
    assert (result.matching == permutation).all()


def test_count_finds_near_copies_where_the_sum_cannot():
    power = {
        method: databases_phase_diagram([0.99], [5], 100, method=method, n_trials=60, random_state=0)[0, 0]
        for method in ("sum", "count")
    }
    assert power["count"] == 1.0
    assert power["sum"] < 0.9


def test_phase_diagram_is_the_same_for_the_same_seed():
    draws = [databases_phase_diagram([0.0, 0.5], [3, 30], 20, n_trials=30, random_state=s) for s in (4, 4, 5)]
    assert draws[0].shape == (2, 2)
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: database_correlation_test(np.ones((3, 2)), np.ones((2, 2))), "one shape"),
        (lambda: database_correlation_test(np.ones((0, 2)), np.ones((0, 2))), "one shape"),
        (lambda: database_correlation_test([[np.nan]], [[1.0]]), "finite"),
        (lambda: database_correlation_test([[1.0]], [[1.0]], "mean"), "method"),
        (lambda: database_correlation_test([[1.0]], [[1.0]], "count"), "one feature"),
        (lambda: database_correlation_test([[1.0]], [[1.0]], "assignment"), "n_permutations"),
        (lambda: database_correlation_test([[1.0]], [[1.0]], n_permutations=-1), "n_permutations"),
        (lambda: database_correlation_test(np.eye(2), np.eye(2), "count", threshold=np.nan), "threshold"),
        (lambda: databases_phase_diagram([0.1], [3], n_trials=0), "n_trials"),
        (lambda: correlated_databases(0, 2, 0.5), "n_rows"),
        (lambda: correlated_databases(3, 2, 1.5), "correlation"),
        (lambda: sum_test_power(-2.0, 3), "correlation"),
        (lambda: sum_test_power(0.5, 0), "n_features"),
        (lambda: sum_test_power(0.5, 3, level=0.0), "level"),
        (lambda: detection_threshold(5, power=0.01), "level < power"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
