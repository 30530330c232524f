"""Binary series: kernel against counting, lags and padding, the closed form and its inverse, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.spatial import distance
from scipy.stats import multivariate_normal

from covey.engine import LocalEngine
from covey.measure.binary import (
    METRICS,
    activations,
    alarm_similarity,
    binary_similarity_from_gaussian,
    bivariate_normal_exceedance,
    correlation_delay,
    latent_correlation,
    tetrachoric_correlation,
)


def definition(a, b, metric):
    """The index of two boolean vectors, counted."""
    both, either, n = (a & b).sum(), (a | b).sum(), len(a)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "jaccard": lambda: both / either,
            "sorgenfrei": lambda: both**2 / (a.sum() * b.sum()),
            "phi": lambda: np.corrcoef(a, b)[0, 1],
            "simple_matching": lambda: (a == b).sum() / n,
            "dice": lambda: 2 * both / (a.sum() + b.sum()),
            "ochiai": lambda: both / np.sqrt(a.sum() * b.sum()),
        }[metric]()


def lagged(a, b, lag):
    """The samples ``a(t)`` and ``b(t + lag)`` that both have."""
    n = len(a)
    return (a[: n - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[: n + lag])


def best_over_lags(a, b, metric, lags):
    """The largest similarity, by trying every lag."""
    values = [definition(*lagged(a, b, lag), metric) for lag in range(-lags, lags + 1)]
    return np.nan if np.isnan(values).all() else np.nanmax(values)


def alarms(n, m=5, seed=0, rate=0.3):
    return np.random.default_rng(seed).random((n, m)) < rate


@pytest.mark.parametrize("n", [2, 63, 64, 65, 200])
@pytest.mark.parametrize("metric", METRICS)
def test_kernel_equals_counting(n, metric):
    A = alarms(n)
    found = alarm_similarity(A, metric)
    expected = np.array([[definition(a, b, metric) for a in A.T] for b in A.T])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_jaccard_equals_scipy():
    A = alarms(1000, m=70)
    expected = 1.0 - distance.squareform(distance.pdist(A.T, "jaccard"))
    np.testing.assert_allclose(alarm_similarity(A), expected, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 140), st.integers(0, 10**6), st.sampled_from(sorted(METRICS)), st.integers(0, 70))
def test_lags_equal_trying_every_lag(n, seed, metric, lags):
    lags = min(lags, n - 2)
    A = alarms(n, m=2, seed=seed)
    value = best_over_lags(A[:, 0], A[:, 1], metric, lags)
    assert alarm_similarity(A, metric, lags)[0, 1] == pytest.approx(value, abs=1e-12, nan_ok=True)
    delay = correlation_delay(A, metric, lags)
    if np.isnan(value):
        assert np.isnan(delay[0, 1])
    else:
        assert abs(delay[0, 1]) <= lags and delay[1, 0] == -delay[0, 1]
        at_delay = definition(*lagged(*A.T, int(delay[0, 1])), metric)
        assert at_delay == pytest.approx(value, abs=1e-12)


def test_delay_is_positive_when_the_second_follows():
    source = alarms(3000, m=1, rate=0.05)[:, 0]
    A = np.column_stack([source, np.roll(source, 65), np.roll(source, -3)])
    expected = [[0, 65, -3], [-65, 0, -68], [3, 68, 0]]
    np.testing.assert_array_equal(correlation_delay(A, lags=80), expected)


def test_padding_widens_each_raised_sample():
    A = np.zeros((20, 2), dtype=bool)
    A[[5, 19], 0], A[[8, 16], 1] = True, True
    wide = np.zeros_like(A)
    wide[3:8, 0] = wide[17:, 0] = wide[6:11, 1] = wide[14:19, 1] = True
    assert alarm_similarity(A)[0, 1] == 0.0
    assert alarm_similarity(A, pad=2)[0, 1] == pytest.approx(4 / 14)
    assert np.array_equal(alarm_similarity(A, pad=2), alarm_similarity(wide))


def test_activations():
    A = np.array([[1, 1, 0, 1, 1, 0, 0, 1], [0, 1, 1, 1, 0, 0, 1, 0]]).T
    expected = np.array([[1, 0, 0, 1, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0, 1, 0]]).T
    np.testing.assert_array_equal(activations(A), expected.astype(bool))


def test_undefined_similarities_are_nan():
    A = np.column_stack([alarms(50)[:, 0], np.zeros(50, bool), np.ones(50, bool)])
    never, always = alarm_similarity(A, "sorgenfrei")[1], alarm_similarity(A, "phi")[2]
    assert np.isnan(never).all() and np.isnan(always).all()
    jaccard = alarm_similarity(A, "jaccard", lags=3)
    assert np.isnan(jaccard[1, 1]) and jaccard[0, 1] == 0.0 and jaccard[2, 2] == 1.0
    assert np.isnan(correlation_delay(A, "phi")[2]).all()
    assert np.isnan(tetrachoric_correlation(A)[1:]).all()


def test_results_do_not_depend_on_the_number_of_workers():
    A = alarms(500, m=150)
    one, two = (alarm_similarity(A, "phi", lags=2, engine=LocalEngine(workers)) for workers in (1, 2))
    assert np.array_equal(one, two)
    one, two = (tetrachoric_correlation(A, engine=LocalEngine(workers)) for workers in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("rho", [-1.0, -0.95, -0.3, 0.0, 0.3, 0.6, 0.99, 1.0])
def test_exceedance_equals_scipy(rho):
    for t_x in (-2.0, 0.0, 0.5, 3.0):
        for t_y in (-1.0, 0.0, 0.5, 2.0):
            covariance = [[1.0, rho], [rho, 1.0]]
            expected = multivariate_normal.cdf([-t_x, -t_y], cov=covariance, allow_singular=True)
            assert bivariate_normal_exceedance(t_x, t_y, rho) == pytest.approx(expected, abs=1e-9)


def test_exceedance_known_values():
    assert bivariate_normal_exceedance(0.0, -0.0, 0.5) == pytest.approx(1 / 3, abs=1e-15)
    assert bivariate_normal_exceedance(1.0, 2.0, 0.0) == pytest.approx(special.ndtr(-1) * special.ndtr(-2), abs=1e-16)
    assert np.isnan(bivariate_normal_exceedance(0.0, 1.0, 1.5))
    grid = bivariate_normal_exceedance(1.0, 2.0, np.linspace(-1, 1, 201))
    assert (np.diff(grid) >= 0).all() and grid[-1] == special.ndtr(-2.0)


def test_unequal_thresholds_cap_the_similarity():
    rates = special.ndtr([-1.0, -2.0])
    assert binary_similarity_from_gaussian(1.0, 1.0, 2.0, "jaccard") == pytest.approx(rates[1] / rates[0])
    assert binary_similarity_from_gaussian(0.0, 1.0, 2.0, "phi") == pytest.approx(0.0, abs=1e-15)
    assert np.isnan(binary_similarity_from_gaussian(0.5, 50.0, 50.0, "sorgenfrei"))


@settings(deadline=None)
@given(st.floats(-0.85, 0.85), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.sampled_from(sorted(METRICS)))
def test_latent_correlation_inverts_the_closed_form(rho, t_x, t_y, metric):
    similarity = binary_similarity_from_gaussian(rho, t_x, t_y, metric)
    found = latent_correlation(similarity, special.ndtr(-t_x), special.ndtr(-t_y), metric)
    assert found == pytest.approx(rho, abs=1e-5)


def test_latent_correlation_at_and_beyond_the_limits():
    found = latent_correlation([0.0, 1.0, 0.5, 1.2, np.nan], 0.5, 0.5, "jaccard")
    np.testing.assert_allclose(found, [-1.0, 1.0, 0.5, np.nan, np.nan], atol=1e-9)
    assert np.isnan(latent_correlation(0.1, 0.0, 0.3))


def test_tetrachoric_correlation_equals_the_inverse_of_every_index():
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 30_000))
    A = np.column_stack([x > 1.0, -0.5 * x + np.sqrt(0.75) * noise > 0.3])
    found = tetrachoric_correlation(A)
    assert found[0, 1] == pytest.approx(-0.5, abs=0.03)
    for metric in METRICS:
        from_index = latent_correlation(alarm_similarity(A, metric)[0, 1], *A.mean(axis=0), metric=metric)
        assert from_index == pytest.approx(found[0, 1], abs=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alarm_similarity(alarms(9)[:, 0]), "must be a matrix"),
        (lambda: alarm_similarity(np.empty((0, 2))), "must be a matrix"),
        (lambda: alarm_similarity([[0, 1], [2, 0]]), "alarm 0 is 2 at sample 1"),
        (lambda: alarm_similarity([[0.0, np.nan]]), "alarm 1 is nan at sample 0"),
        (lambda: alarm_similarity(alarms(9), "cosine"), "no metric 'cosine'; choose one of jaccard"),
        (lambda: alarm_similarity(alarms(9), lags=9), r"lags must lie in 0\.\.8"),
        (lambda: alarm_similarity(alarms(9), lags=-1), "lags must lie in"),
        (lambda: alarm_similarity(alarms(9), pad=-1), "pad must not be negative"),
        (lambda: binary_similarity_from_gaussian(0.1, 0.0, 0.0, "cosine"), "no metric"),
        (lambda: latent_correlation(0.1, 0.5, 0.5, "cosine"), "no metric"),
        (lambda: tetrachoric_correlation([[3]]), "alarms are 0 or 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
