"""Lagged correlation: the definition pair by pair, known leads, missing values, calibration, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from covey.engine import LocalEngine
from covey.measure.lagged import lagged_correlation
from covey.table import Column, FeatureTable

SINES = np.sin(np.arange(20.0)[:, None] * [1.0, 2.0])


def by_definition(x, y, lag):
    """Correlation of x(t) and y(t + lag) over the rows where both are present."""
    a, b = x[: len(x) - lag], y[lag:]
    both = ~(np.isnan(a) | np.isnan(b))
    return np.corrcoef(a[both], b[both])[0, 1]


def autoregressive(rng, n, m, phi):
    return lfilter([1.0], [1.0, -phi], rng.normal(size=(n + 200, m)), axis=0)[200:]


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_equals_the_definition(missing):
    rng = np.random.default_rng(0)
    X = autoregressive(rng, 80, 4, 0.6) + 1e6
    X[rng.random(X.shape) < missing] = np.nan
    result = lagged_correlation(X, max_lag=7)
    for lag, i, j in np.ndindex(result.values.shape):
        assert result.values[lag, i, j] == pytest.approx(by_definition(X[:, i], X[:, j], lag), abs=1e-8)


def test_best_lag_row_count_and_profile_agree():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 5))
    X[rng.random(X.shape) < 0.1] = np.nan
    result = lagged_correlation(X, max_lag=6)
    for i, j in np.ndindex(5, 5):
        if i == j:
            continue
        lags, r = result.profile(f"x{i}", f"x{j}")
        best = np.argmax(np.abs(r))
        assert lags[best] == result.best_lag[i, j]
        assert r[best] == result.correlation[i, j]
        lag = lags[best]
        first, second = (X[: 60 - lag, i], X[lag:, j]) if lag >= 0 else (X[-lag:, i], X[:lag, j])
        assert result.n[i, j] == np.sum(~np.isnan(first) & ~np.isnan(second))
    np.testing.assert_array_equal(result.best_lag, -result.best_lag.T)
    np.testing.assert_array_equal(result.correlation, result.correlation.T)


def test_a_planted_lead_is_found_with_its_sign():
    rng = np.random.default_rng(2)
    drive = autoregressive(rng, 405, 1, 0.5)[:, 0]
    X = np.column_stack([drive[5:], -drive[:-5] + 0.5 * rng.normal(size=400), rng.normal(size=400)])
    result = lagged_correlation(X, max_lag=12)
    assert (result.best_lag[0, 1], result.best_lag[1, 0]) == (5, -5)
    assert result.correlation[0, 1] < -0.8
    assert result.pvalues[0, 1] < 1e-10 < 1e-3 < result.pvalues[0, 2]


@pytest.mark.parametrize(("phi", "max_lag"), [(0.0, 10), (0.95, 0), (0.95, 20)])
def test_independent_series_are_rejected_as_often_as_the_level_says(phi, max_lag):
    rng = np.random.default_rng(3)
    upper = np.triu_indices(12, 1)
    p = [lagged_correlation(autoregressive(rng, 300, 12, phi), max_lag).pvalues[upper] for _ in range(15)]
    assert 0.02 < np.mean(np.concatenate(p) < 0.05) < 0.08


def test_effective_rows_of_white_and_slow_series():
    rng = np.random.default_rng(4)
    X = np.column_stack([autoregressive(rng, 4000, 2, 0.9), rng.normal(size=4000)])
    result = lagged_correlation(X, max_lag=0)
    assert result.n_effective[0, 1] == pytest.approx(4000 * (1 - 0.81) / (1 + 0.81), rel=0.25)
    assert result.n_effective[0, 2] == pytest.approx(4000, rel=0.1)


def test_trends_make_correlations_and_taking_them_away_unmakes_them():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 2)) + 0.05 * np.arange(300)[:, None]
    X[::7, 0] = np.nan
    assert lagged_correlation(X, max_lag=0).correlation[0, 1] > 0.9
    for trend in ("linear", "difference"):
        assert abs(lagged_correlation(X, max_lag=0, trend=trend).correlation[0, 1]) < 0.2
    steps = np.diff(X, axis=0)
    result = lagged_correlation(X, max_lag=3, trend="difference")
    assert result.values[2, 0, 1] == pytest.approx(by_definition(steps[:, 0], steps[:, 1], 2), abs=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.1, 100.0), st.floats(-1e6, 1e6))
def test_scale_and_place_do_not_matter(seed, scale, shift):
    X = np.random.default_rng(seed).normal(size=(40, 3))
    moved = X * np.array([scale, -1.0, 1.0]) + shift
    sign = np.outer([1.0, -1.0, 1.0], [1.0, -1.0, 1.0])
    np.testing.assert_allclose(lagged_correlation(moved, 5).values, sign * lagged_correlation(X, 5).values, atol=1e-7)


def test_spearman_sees_only_the_order():
    X = np.random.default_rng(6).normal(size=(100, 3))
    a, b = (lagged_correlation(v, 4, method="spearman").values for v in (X, np.exp(3 * X)))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - lagged_correlation(X, 4).values).max() > 0.01


def test_the_engine_does_not_change_the_result():
    X = np.random.default_rng(7).normal(size=(100, 6))
    one, two = (lagged_correlation(X, 9, engine=LocalEngine(k)) for k in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)


def test_a_constant_series_has_no_correlation_and_labels_are_left_out():
    rng = np.random.default_rng(8)
    table = FeatureTable.from_columns(
        [
            Column("a", "numeric", rng.normal(size=30)),
            Column("level", "constant", np.full(30, 2.0)),
            Column("label", "categorical", np.zeros(30, dtype=np.int32), ("x",)),
            Column("b", "numeric", rng.normal(size=30)),
        ]
    )
    result = lagged_correlation(table, 3)
    assert result.names == ("a", "level", "b")
    assert np.isnan(result.correlation[0, 1]) and np.isnan(result.pvalues[1, 2])
    assert result.best_lag[0, 1] == 0
    assert np.isfinite(result.pvalues[0, 2])


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (np.zeros((30, 1)), {}, "two numeric columns"),
        (SINES[:5], {}, "8 rows"),
        (SINES, {"max_lag": 17}, "max_lag"),
        (SINES, {"max_lag": -1}, "max_lag"),
        (SINES, {"method": "kendall"}, "method"),
        (SINES, {"trend": "cubic"}, "trend"),
    ],
)
def test_bad_input(X, options, message):
    with pytest.raises(ValueError, match=message):
        lagged_correlation(X, **options)


def test_profile_of_an_unknown_series():
    with pytest.raises(ValueError, match="'y'"):
        lagged_correlation(SINES, 2).profile("x0", "y")
