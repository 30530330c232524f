"""s165: alarm similarities of thresholded normal variables in closed form, inverted, lagged, and fast."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy import special

from covey.measure.binary import (
    METRICS,
    alarm_similarity,
    binary_similarity_from_gaussian,
    bivariate_normal_exceedance,
    correlation_delay,
    latent_correlation,
)
from covey.studies._frame import Claim, scrambled, study_of

SCRAMBLED = ("alarm_similarity", "binary_similarity_from_gaussian", "correlation_delay", "latent_correlation")
METHODS = dict.fromkeys(SCRAMBLED, scrambled)


@study_of("s165")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Closed form against simulation, recovery of the correlation and of delays, and speed."""
    rng = np.random.default_rng(random_state)
    yield _simulation(rng, n=200_000 if quick else 1_000_000)
    yield from _recovery(rng, repeats=20 if quick else 100)
    yield from _delays(rng)
    yield _speed(rng)
    yield (
        "Each alarm is one normal variable above its threshold. Standard errors are by the delta method from "
        "the multinomial table of the two alarms. From 20000 samples at thresholds (1, 2) one estimate of the "
        "correlation has a standard error of about 0.02, so that single ones may miss by more than 0.03; the "
        "bound is on the root mean square."
    )


def _simulation(rng: np.random.Generator, n: int) -> Claim:
    """The farthest of all indices, correlations and thresholds from its closed form."""
    farthest = 0.0
    for rho in (0.0, 0.3, 0.6, 0.9):
        x, y = _normal_pair(rng, rho, n)
        for t_x, t_y in ((1.0, 1.0), (1.0, 2.0)):
            A = np.column_stack([x > t_x, y > t_y])
            for metric in METRICS:
                simulated = alarm_similarity(A, metric)[0, 1]
                exact = float(binary_similarity_from_gaussian(rho, t_x, t_y, metric))
                error = abs(simulated - exact) / _standard_error(metric, rho, t_x, t_y, n)
                farthest = max(farthest, error)
    text = "largest distance from simulation in standard errors, 6 indices x 4 correlations x 2 thresholds"
    return Claim(text, farthest, 4.0, "<=", note=f"{n} samples")


def _normal_pair(rng: np.random.Generator, rho: float, n: int) -> NDArray[np.float64]:
    x, noise = rng.normal(size=(2, n))
    return np.stack([x, rho * x + np.sqrt(1.0 - rho * rho) * noise])


def _standard_error(metric: str, rho: float, t_x: float, t_y: float, n: int) -> float:
    """Of the index of `n` samples: the gradient on the rates, through the covariance of the rates."""
    a, b = special.ndtr([-t_x, -t_y])
    both = float(bivariate_normal_exceedance(t_x, t_y, rho))
    rates = np.array([both, a, b])
    joint = np.array([[both, both, both], [both, a, both], [both, both, b]])
    steps = 1e-6 * np.eye(3)
    similarity = METRICS[metric].similarity
    gradient = [(similarity(*(rates + step)) - similarity(*(rates - step))) / 2e-6 for step in steps]
    return float(np.sqrt(gradient @ (joint - np.outer(rates, rates)) @ gradient / n))


def _recovery(rng: np.random.Generator, repeats: int) -> Iterator[Claim]:
    rho, rates = 0.6, special.ndtr([-1.0, -2.0])
    phi = []
    for _ in range(repeats):
        x, y = _normal_pair(rng, rho, 20_000)
        phi.append(alarm_similarity(np.column_stack([x > 1.0, y > 2.0]), "phi")[0, 1])
    error = float(np.sqrt(np.mean((latent_correlation(phi, rates[0], rates[1]) - rho) ** 2)))
    raw = float(np.abs(np.array(phi) - rho).min())
    text = f"root mean square error of the latent correlation from phi, {repeats} x 20000 samples"
    yield Claim(text, error, 0.03, "<=", baseline=raw, baseline_name="smallest error of phi itself")
    yield Claim("smallest error of phi itself as the correlation", raw, 0.15)
    error = max(_error_of_closed_form_and_back(metric) for metric in METRICS)
    yield Claim("largest error of closed form and back, 6 indices", error, 1e-8, "<=")


def _error_of_closed_form_and_back(metric: str) -> float:
    rho = np.linspace(-0.8, 0.8, 17)
    similarity = binary_similarity_from_gaussian(rho, 0.5, 1.0, metric)
    back = latent_correlation(similarity, special.ndtr(-0.5), special.ndtr(-1.0), metric)
    return float(np.abs(back - rho).max())


def _delays(rng: np.random.Generator) -> Iterator[Claim]:
    """Alarms that repeat one source after a delay of up to 20 samples, a tenth of the samples lost."""
    delays = np.append(0, rng.integers(-20, 21, size=39))
    source = rng.random(5000) < 0.05
    A = np.column_stack([np.roll(source, delay) for delay in delays]) & (rng.random((5000, 40)) < 0.9)
    found = correlation_delay(A, lags=40)
    right = float(np.mean(found == delays[None, :] - delays[:, None]))
    yield Claim("share of planted delays found exactly, 40 x 40 alarms", right, 1.0)
    upper = np.triu_indices(40, 1)
    at_once, lagged = (float(alarm_similarity(A, lags=lags)[upper].mean()) for lags in (0, 40))
    yield Claim("mean Jaccard index with lags", lagged, 0.75, baseline=at_once, baseline_name="without lags")


def _speed(rng: np.random.Generator) -> Claim:
    draws = rng.integers(0, 256, size=(2, 12_500, 1000), dtype=np.uint8)
    A = np.unpackbits(draws[0] & draws[1], axis=0).view(bool)
    start = perf_counter()
    similarity = alarm_similarity(A)
    seconds = perf_counter() - start
    exact = float(np.abs(similarity[0, :50] - _jaccard_row(A[:, :50])).max())
    note = f"first row within {exact:.1g} of counting"
    measured = seconds if exact <= 1e-12 else float("nan")
    return Claim("seconds for 1000 alarms x 100000 samples", measured, 10.0, "<=", note=note)


def _jaccard_row(A: NDArray[np.bool_]) -> NDArray[np.float64]:
    first = A[:, :1]
    return (first & A).sum(axis=0) / (first | A).sum(axis=0)
