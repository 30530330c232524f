"""s181: the horizon at which a sentiment's correlation with returns turns, and tests that overlap does not fool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from covey.measure.horizon import horizon_correlation, sign_change
from covey.measure.lagged import lagged_correlation
from covey.measure.sentiment import cumulative_sentiment, headline_polarity, net_sentiment
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {
    "horizon_correlation": scrambled,
    "sign_change": scrambled,
    "lagged_correlation": scrambled,
    "headline_polarity": scrambled,
    "cumulative_sentiment": scrambled,
}
N_DAYS, PERSISTENCE = 3500, 0.95
HORIZONS = range(2, 122, 4)
POSITIVE, NEGATIVE = ("rally", "gains", "optimism", "beat", "surge"), ("slump", "losses", "fear", "miss", "plunge")
NEUTRAL = ("stocks", "fed", "oil", "bonds", "asia", "banks", "week", "report")
Array = NDArray[np.float64]


@study_of("s181")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Turning horizon of simulated markets, agreement of methods, false alarms, and a signal read from headlines."""
    truth = true_sign_change()
    markets = [market(seed) for seed in np.random.SeedSequence(random_state).spawn(5 if quick else 20)]
    found, agreement = zip(*(_turn(signal, price) for signal, price in markets))
    error = np.abs(np.array(found) / truth - 1.0)
    yield Claim(
        f"share of {len(found)} markets whose sign change is found within 20 percent of its true horizon",
        float(np.mean(error <= 0.20)),
        0.90,
        baseline=truth,
        baseline_name="days is the true horizon",
    )
    yield Claim("share of horizons where Pearson and Spearman agree in sign", float(np.mean(agreement)), 0.90)
    seeds = np.random.SeedSequence(random_state + 1).spawn(200)
    rates = np.mean([_rejections(seed, 99 if quick else 399) for seed in seeds], axis=0)
    names = ("block bootstrap", "number of effective rows (Bartlett)")
    for name, rate in zip(names, rates[1:]):
        yield Claim(
            f"false alarms of the {name} at 60 days, 200 runs at level 0.05",
            float(rate),
            (0.03, 0.08),
            "between",
            baseline=float(rates[0]),
            baseline_name="Student's t",
        )
    yield Claim("false alarms of Student's t there", float(rates[0]), 0.40)
    yield Claim("correlation of the headlines' cumulated sentiment with the planted one", _headlines(random_state), 0.8)
    yield (
        "Market: a first-order autoregressive sentiment (0.95), returns that follow it for ten days and give all back "
        "over the next forty, four times as much noise as signal, 3500 days. Headlines: twelve a day, each drawn with "
        "a word from a list of positive or negative words with the sentiment's odds."
    )
    yield (
        f"The largest relative error of the horizon is {error.max():.2f}. The Newey-West test, which is not claimed, "
        f"rejects in {rates[3]:.3f} of the runs."
    )


def kernel() -> Array:
    """Response of returns to the sentiment of 1..50 days before."""
    return np.concatenate([np.full(10, 1.0), np.full(40, -0.25)])


def true_sign_change() -> float:
    """Where the covariance of the sentiment with the return over the next h days changes its sign."""
    horizons, delays = np.arange(1, 151), np.arange(1, 51)
    daily = PERSISTENCE ** np.abs(horizons[:, None] - delays) @ kernel()
    covariance = daily.cumsum()
    after = int(np.flatnonzero(covariance < 0)[0])
    return float(horizons[after] - covariance[after] / daily[after])


def market(seed: np.random.SeedSequence, follow: float = 1.0) -> tuple[Array, Array]:
    """Sentiment and price of `N_DAYS` days."""
    rng = np.random.default_rng(seed)
    signal = autoregressive(rng, N_DAYS + 50)
    response = lfilter(np.append(0.0, kernel()), [1.0], signal)[50:]
    steps = follow * response / response.std() + 4.0 * rng.normal(size=N_DAYS)
    return signal[50:], np.exp(0.005 * np.cumsum(steps))


def autoregressive(rng: np.random.Generator, n: int) -> Array:
    return lfilter([1.0], [1.0, -PERSISTENCE], rng.normal(size=n + 200))[200:]


def _turn(signal: Array, price: Array) -> tuple[float, float]:
    """Horizon of the sign change, and how often the methods agree in sign."""
    result = horizon_correlation(signal, price, HORIZONS, inference="newey_west")
    (horizons, pearson), (_, spearman) = result.curve(), result.curve(method="spearman")
    return sign_change(horizons, pearson), float(np.mean(np.sign(pearson) == np.sign(spearman)))


def _rejections(seed: np.random.SeedSequence, n_resamples: int) -> list[bool]:
    """Rejections by Student's t, the block bootstrap, effective rows and Newey-West where prices ignore the signal."""
    signal, price = market(seed, follow=0.0)
    bootstrap, newey_west = (
        horizon_correlation(signal, price, [60], ["pearson"], inference, n_resamples=n_resamples)
        for inference in ("block_bootstrap", "newey_west")
    )
    forward = np.log(price[60:] / price[:-60])
    bartlett = lagged_correlation(np.column_stack([signal[:-60], forward]), max_lag=0)
    pvalues = (bootstrap.naive_pvalue[0], bootstrap.pvalue[0], bartlett.pvalues[0, 1], newey_west.pvalue[0])
    return [bool(p <= 0.05) for p in pvalues]


def _headlines(random_state: int, n_days: int = 500, a_day: int = 12) -> float:
    rng = np.random.default_rng(random_state)
    mood = autoregressive(rng, n_days)
    days = np.repeat(np.arange(n_days), a_day)
    is_positive = rng.random(len(days)) < 1.0 / (1.0 + np.exp(-mood[days] / 2.0))
    headlines = [
        " ".join([*rng.choice(NEUTRAL, 3), *rng.choice(POSITIVE if up else NEGATIVE, 1)]) for up in is_positive
    ]
    daily = net_sentiment(headline_polarity(headlines, POSITIVE, NEGATIVE), days, n_days)
    read = cumulative_sentiment(daily, 5, 100)
    planted = cumulative_sentiment(np.tanh(mood / 4.0), 5, 100)
    there = ~np.isnan(read)
    return float(np.corrcoef(read[there], planted[there])[0, 1])
