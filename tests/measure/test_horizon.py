"""Correlations with forward returns: the definition, both tests, sign change and best horizon, bad input."""

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from covey.engine import LocalEngine
from covey.measure.horizon import horizon_correlation, optimal_horizon, sign_change
from covey.table import Column, FeatureTable


def market(seed, n=400, follow=0.0):
    rng = np.random.default_rng(seed)
    signal = lfilter([1.0], [1.0, -0.9], rng.normal(size=n))
    steps = 0.01 * (follow * np.append(0.0, signal[:-1]) + rng.normal(size=n))
    return signal, np.exp(np.cumsum(steps))


def test_equals_scipy_on_forward_log_returns():
    signal, price = market(0, follow=0.3)
    signal[10:15] = np.nan
    result = horizon_correlation(signal, price, [1, 7, 30], n_resamples=9)
    for row, (method, h) in enumerate(zip(result.method, result.horizon)):
        returns = np.log(price[h:] / price[:-h])
        there = ~np.isnan(signal[:-h])
        reference = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method](signal[:-h][there], returns[there])
        assert result.correlation[row] == pytest.approx(reference.statistic, abs=1e-10)
        assert result.n[row] == there.sum()
        assert result.naive_pvalue[row] == pytest.approx(reference.pvalue, rel=1e-6)


@pytest.mark.parametrize("inference", ["block_bootstrap", "newey_west"])
def test_interval_is_the_test_turned_round(inference):
    signal, price = market(1, follow=0.08)
    result = horizon_correlation(signal, price, range(1, 60, 6), inference=inference, n_resamples=199)
    assert (result.low < result.correlation).all() and (result.correlation < result.high).all()
    clear = np.abs(result.pvalue - 0.05) > 0.006
    contains_zero = (result.low < 0) & (result.high > 0)
    np.testing.assert_array_equal(contains_zero[clear], result.pvalue[clear] > 0.05)
    assert {True, False} == set(contains_zero[clear].tolist())


def test_overlap_fools_the_naive_test_only():
    naive, honest = [], []
    for seed in range(60):
        signal, price = market(seed, n=800)
        result = horizon_correlation(signal, price, [40], ["pearson"], n_resamples=99)
        naive.append(result.naive_pvalue[0] < 0.05)
        honest.append(result.pvalue[0] <= 0.05)
    assert np.mean(naive) > 0.4
    assert np.mean(honest) < 0.15


def test_newey_west_equals_its_definition():
    signal, price = market(2, n=120)
    h, lags = 5, 7
    a, b = (stats.zscore(v) for v in (signal[:-h], np.log(price[h:] / price[:-h])))
    r = np.mean(a * b)
    u = a * b - r * (a**2 + b**2) / 2
    n = len(u)
    near = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    variance = np.sum(np.maximum(1 - near / (lags + 1), 0) * np.outer(u, u)) / n**2
    result = horizon_correlation(signal, price, [h], ["pearson"], inference="newey_west")
    assert result.pvalue[0] == pytest.approx(2 * stats.norm.sf(abs(r) / np.sqrt(variance)), rel=1e-9)


def test_several_assets_and_the_engine_does_not_matter():
    signal, price = market(3, follow=0.5)
    table = {"up": price, "down": 1.0 / price}
    one, two = (horizon_correlation(signal, table, [1, 5], n_resamples=19, engine=LocalEngine(k)) for k in (1, 2))
    np.testing.assert_array_equal(one.low, two.low)
    assert set(one.asset) == {"up", "down"}
    horizons, up = one.curve("up", "spearman")
    assert horizons.tolist() == [1, 5]
    np.testing.assert_allclose(up, -one.curve("down", "spearman")[1], atol=1e-12)


def test_a_constant_signal_has_no_correlation():
    result = horizon_correlation(np.ones(50), market(4, 50)[1], [3], ["pearson"], n_resamples=5)
    assert np.isnan([result.correlation[0], result.pvalue[0], result.low[0]]).all()


def test_a_price_that_moved_once_is_no_evidence():
    signal = np.random.default_rng(0).normal(size=100)
    signal[98] = 9.0
    price = np.append(np.ones(99), 2.0)
    result = horizon_correlation(signal, price, [1], ["pearson"], n_resamples=199, block_length=1)
    resampled = result.pvalue[0] * 200 - 1  # draws without the one step that moves: (1 - 1 / 99) ** 99 = 0.37 of them
    assert result.correlation[0] > 0.6 and 0.27 * 199 < resampled < 0.48 * 199
    assert (result.low[0], result.high[0]) == pytest.approx((-1.0, 1.0))


def test_sign_change_and_optimal_horizon():
    assert sign_change([1, 2, 3], [0.1, 0.0, -0.1]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="every horizon needs"):
        sign_change([1, 2], [0.1, 0.2, -0.1])
    assert sign_change([1, 2, 3, 4], [0.1, 0.3, -0.1, 0.2]) == pytest.approx(2.75)
    assert np.isnan(sign_change([1, 2], [0.1, 0.2]))
    assert optimal_horizon([1, 2, 3, 4], [0.1, 0.3, 0.31, 0.2]) == 2
    assert optimal_horizon([1, 2, 3, 4], [0.1, 0.3, 0.31, 0.2], share=1.0) == 3


PRICE = np.linspace(1.0, 2.0, 30)


@pytest.mark.parametrize(
    ("signal", "price", "options", "message"),
    [
        (np.zeros(29), PRICE, {}, "one value a time"),
        (np.zeros(30), -PRICE, {}, "positive"),
        (np.zeros(30), {"oil": np.where(PRICE > 1.5, np.nan, PRICE)}, {}, "'oil'"),
        (np.zeros(30), PRICE, {"horizons": [0]}, "horizons"),
        (np.zeros(30), PRICE, {"horizons": [29]}, "horizons"),
        (np.zeros(30), PRICE, {"methods": ["kendall"]}, "methods"),
        (np.zeros(30), PRICE, {"inference": "hope"}, "inference"),
        (np.zeros(30), PRICE, {"level": 1.0}, "level"),
        (np.where(PRICE > 1.9, np.inf, PRICE), PRICE, {}, "infinite"),
        (np.zeros(30), PRICE, {"horizons": [2.5]}, "whole numbers"),
        (np.zeros(30), PRICE, {"block_length": 0}, "block_length"),
        (np.zeros(30), FeatureTable.from_columns([Column("day", "datetime", PRICE)]), {}, "'day' is datetime"),
    ],
)
def test_bad_input(signal, price, options, message):
    with pytest.raises(ValueError, match=message):
        horizon_correlation(signal, price, **{"horizons": [1], **options})


def test_bad_input_of_the_small_ones():
    with pytest.raises(ValueError, match="positive correlation"):
        optimal_horizon([1, 2], [-0.1, -0.2])
    with pytest.raises(ValueError, match="every horizon needs"):
        optimal_horizon([1, 2], [0.1, 0.2, 0.9])
    with pytest.raises(ValueError, match="share"):
        optimal_horizon([1, 2], [0.1, 0.2], share=0.0)
    with pytest.raises(ValueError, match="'gold'"):
        horizon_correlation(np.arange(30.0), PRICE, [1], n_resamples=1).curve("gold")
