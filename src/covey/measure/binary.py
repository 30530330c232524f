"""Similarity of binary series (alarms), what it is for thresholded normal variables, and the way back.

An alarm is ``a = 1[x > t]``. Every similarity of two alarms is a function of three rates: how often both are
raised, and how often each is. For a bivariate normal pair of variables these follow from the correlation and
the thresholds, so the similarity has a closed form, and the correlation can be recovered from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from covey.engine import Engine, LocalEngine

ROWS_A_TASK = 64
PAIRS_A_TASK = 16384
RATE_TOLERANCE = 1e-12
ROOT_STEPS = 60


@dataclass(frozen=True)
class BinaryMetric:
    """A similarity as a function of the rates of both, of the first and of the second; and its inverse.

    Parameters
    ----------
    similarity : callable (both, first, second) -> similarity
    both : callable (similarity, first, second) -> both
    """

    similarity: Callable[[Any, Any, Any], Any]
    both: Callable[[Any, Any, Any], Any]


def _spread(first: Any, second: Any) -> Any:
    return np.sqrt(first * (1.0 - first) * second * (1.0 - second))


METRICS: dict[str, BinaryMetric] = {
    "jaccard": BinaryMetric(lambda c, a, b: c / (a + b - c), lambda s, a, b: s * (a + b) / (1.0 + s)),
    "sorgenfrei": BinaryMetric(lambda c, a, b: c * c / (a * b), lambda s, a, b: np.sqrt(s * a * b)),
    "phi": BinaryMetric(lambda c, a, b: (c - a * b) / _spread(a, b), lambda s, a, b: a * b + s * _spread(a, b)),
    "simple_matching": BinaryMetric(lambda c, a, b: 1.0 - a - b + 2.0 * c, lambda s, a, b: (s - 1.0 + a + b) / 2.0),
    "dice": BinaryMetric(lambda c, a, b: 2.0 * c / (a + b), lambda s, a, b: s * (a + b) / 2.0),
    "ochiai": BinaryMetric(lambda c, a, b: c / np.sqrt(a * b), lambda s, a, b: s * np.sqrt(a * b)),
}


def alarm_similarity(
    A: ArrayLike, metric: str = "jaccard", lags: int = 0, pad: int = 0, engine: Engine | None = None
) -> NDArray[np.float64]:
    """Similarity of every pair of binary series, the best over a window of lags.

    Parameters
    ----------
    A : array_like of shape (n_samples, n_alarms)
        Booleans or 0/1, in time order.
    metric : {"jaccard", "sorgenfrei", "phi", "simple_matching", "dice", "ochiai"}
        With rates `c` of both, `a` and `b` of each: ``c/(a+b-c)``; ``c^2/(ab)``; Pearson's correlation;
        ``1-a-b+2c``; ``2c/(a+b)``; ``c/sqrt(ab)``.
    lags : int
        The largest lag in samples: ``a(t)`` is compared with ``b(t + lag)`` for lags -lags..lags, over the
        samples that both have, and the largest similarity is taken.
    pad : int
        Each raised sample is first extended by this many samples to both sides.
    engine : Engine, optional

    Returns
    -------
    ndarray of shape (n_alarms, n_alarms)
        Symmetric; NaN where undefined (an alarm that is never raised or, for phi, always).

    Raises
    ------
    ValueError
        If `A` is not a matrix of 0 and 1, for an unknown metric, or lags or pad out of range.

    References
    ----------
    Kargaran, Neshastegaran, Izadi and Yazdian (2021), Analytical derivation and comparison of alarm
    similarity measures, arXiv:2003.10600. Yang, Wang and Chen (2013), IEEE Trans. Autom. Sci. Eng. 10.

    Examples
    --------
    >>> A = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    >>> alarm_similarity(A)[0, 1], alarm_similarity(A, lags=1)[0, 1]
    (np.float64(0.333...), np.float64(1.0))
    """
    return _best_over_lags(A, metric, lags, pad, engine or LocalEngine())[0]


def correlation_delay(
    A: ArrayLike, metric: str = "sorgenfrei", lags: int = 10, pad: int = 0, engine: Engine | None = None
) -> NDArray[np.float64]:
    """Lag at which every pair of binary series is most similar.

    Parameters
    ----------
    A, metric, lags, pad, engine
        As for `alarm_similarity`.

    Returns
    -------
    ndarray of shape (n_alarms, n_alarms)
        Whole numbers of samples; ``delay[i, j] > 0`` when `j` follows `i`. Antisymmetric; of equally good
        lags the one nearest to 0. NaN where the similarity is undefined at every lag.

    Raises
    ------
    ValueError
        As `alarm_similarity`.

    References
    ----------
    Yang, Wang and Chen (2013), Detection of correlated alarms based on similarity coefficients of binary
    data, IEEE Trans. Autom. Sci. Eng. 10.

    Examples
    --------
    >>> first = np.random.default_rng(0).random(200) < 0.1
    >>> correlation_delay(np.column_stack([first, np.roll(first, 3)]))
    array([[ 0.,  3.],
           [-3.,  0.]])
    """
    return _best_over_lags(A, metric, lags, pad, engine or LocalEngine())[1]


def activations(A: ArrayLike) -> NDArray[np.bool_]:
    """Samples at which a series goes from 0 to 1 (the first sample counts if it is 1).

    Parameters
    ----------
    A : array_like of shape (n_samples, n_alarms)

    Returns
    -------
    ndarray of bool, same shape

    Examples
    --------
    >>> activations([[1], [1], [0], [1]]).ravel()
    array([ True, False, False,  True])
    """
    A = _checked(A)
    return A & ~np.concatenate([np.zeros_like(A[:1]), A[:-1]])


def bivariate_normal_exceedance(t_x: ArrayLike, t_y: ArrayLike, rho: ArrayLike) -> NDArray[np.float64]:
    """Probability that two standard normal variables both exceed their thresholds.

    Parameters
    ----------
    t_x, t_y : array_like
        Thresholds.
    rho : array_like
        Correlation, in -1..1. All three broadcast.

    Returns
    -------
    ndarray
        In 0..1; NaN where `rho` is NaN or out of range.

    References
    ----------
    Owen (1956), Tables for computing bivariate normal probabilities, Ann. Math. Stat. 27.

    Examples
    --------
    >>> float(bivariate_normal_exceedance(0.0, 0.0, 0.5).round(12))
    0.333333333333
    """
    t_x, t_y, rho = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (t_x, t_y, rho)))
    h, k = _negated(t_x), _negated(t_y)  # the upper orthant of (x, y) is the lower one of (-x, -y)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt((1.0 - rho) * (1.0 + rho))
        tails = special.owens_t(h, (k - rho * h) / (h * root)) + special.owens_t(k, (h - rho * k) / (k * root))
        p = (special.ndtr(h) + special.ndtr(k)) / 2.0 - tails - np.where((h < 0) != (k < 0), 0.5, 0.0)
        p = np.where((h == 0) & (k == 0), 0.25 + np.arcsin(rho) / (2.0 * np.pi), p)
    together = np.minimum(special.ndtr(h), special.ndtr(k))
    apart = np.maximum(special.ndtr(h) + special.ndtr(k) - 1.0, 0.0)
    p = np.where(rho == 1.0, together, np.where(rho == -1.0, apart, p))
    return np.clip(p, apart, together)


def _negated(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """``-threshold``, with 0.0 for -0.0 and for numbers so small that products with them vanish."""
    return np.where(np.abs(threshold) < 1e-150, 0.0, -threshold)


def binary_similarity_from_gaussian(
    rho: ArrayLike, t_x: ArrayLike, t_y: ArrayLike, metric: str = "jaccard"
) -> NDArray[np.float64]:
    """Similarity of the alarms ``x > t_x`` and ``y > t_y`` of a bivariate normal pair, in closed form.

    Parameters
    ----------
    rho : array_like
        Correlation of `x` and `y`, in -1..1.
    t_x, t_y : array_like
        Thresholds, in standard deviations above the mean. All three broadcast.
    metric : str
        As for `alarm_similarity`.

    Returns
    -------
    ndarray
        NaN where a threshold is so far out that the rate is 0 and the similarity undefined.

    Raises
    ------
    ValueError
        For an unknown metric.

    References
    ----------
    Kargaran, Neshastegaran, Izadi and Yazdian (2021), Analytical derivation and comparison of alarm
    similarity measures, arXiv:2003.10600.

    Examples
    --------
    >>> binary_similarity_from_gaussian([0.0, 0.6], 1.0, 2.0, "phi").round(3)
    array([0.   , 0.224])
    """
    chosen, both = _metric(metric), bivariate_normal_exceedance(t_x, t_y, rho)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(chosen.similarity(both, special.ndtr(-np.asarray(t_x)), special.ndtr(-np.asarray(t_y))))


def latent_correlation(
    similarity: ArrayLike, rate_x: ArrayLike, rate_y: ArrayLike, metric: str = "phi"
) -> NDArray[np.float64]:
    """Correlation of the normal variables behind two alarms, from a similarity of the alarms.

    The inverse of `binary_similarity_from_gaussian`.

    Parameters
    ----------
    similarity : array_like
        Similarity of the alarms.
    rate_x, rate_y : array_like
        Share of samples at which each is raised, between 0 and 1. All three broadcast.
    metric : str
        As for `alarm_similarity`.

    Returns
    -------
    ndarray
        In -1..1; NaN where the similarity cannot occur at these rates, or a rate is 0 or 1.

    Raises
    ------
    ValueError
        For an unknown metric.

    References
    ----------
    Pearson (1900), Mathematical contributions to the theory of evolution VII, Phil. Trans. R. Soc. A 195.

    Examples
    --------
    >>> rates = special.ndtr([-1.0, -2.0])
    >>> value = binary_similarity_from_gaussian(0.6, 1.0, 2.0, "sorgenfrei")
    >>> float(latent_correlation(value, *rates, metric="sorgenfrei").round(10))
    0.6
    """
    similarity, rate_x, rate_y = np.broadcast_arrays(
        *(np.asarray(v, dtype=float) for v in (similarity, rate_x, rate_y))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        both = _metric(metric).both(similarity, rate_x, rate_y)
    return _solve_correlation(both, rate_x, rate_y)


def tetrachoric_correlation(A: ArrayLike, engine: Engine | None = None) -> NDArray[np.float64]:
    """Correlation of the normal variables that would give every pair of binary series its table of counts.

    Parameters
    ----------
    A : array_like of shape (n_samples, n_alarms)
        Booleans or 0/1.
    engine : Engine, optional

    Returns
    -------
    ndarray of shape (n_alarms, n_alarms)
        In -1..1; NaN where a series is constant. Need not be positive semi-definite.

    Raises
    ------
    ValueError
        If `A` is not a matrix of 0 and 1.

    References
    ----------
    Pearson (1900), Mathematical contributions to the theory of evolution VII, Phil. Trans. R. Soc. A 195.

    Examples
    --------
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 50000))
    >>> A = np.column_stack([x > 1, 0.6 * x + 0.8 * noise > 2])
    >>> tetrachoric_correlation(A).round(1)
    array([[1. , 0.6],
           [0.6, 1. ]])
    """
    A, engine = _checked(A), engine or LocalEngine()
    both = _common_counts(_packed(A, 0), 0, engine) / len(A)
    rates = np.diagonal(both)
    i, j = np.triu_indices(len(rates))

    def solve(start: int) -> NDArray[np.float64]:
        left, right = i[start : start + PAIRS_A_TASK], j[start : start + PAIRS_A_TASK]
        return _solve_correlation(both[left, right], rates[left], rates[right])

    out = np.empty(both.shape)
    out[i, j] = out[j, i] = np.concatenate(engine.map(solve, range(0, i.size, PAIRS_A_TASK)))
    return out


def _metric(name: str) -> BinaryMetric:
    if name not in METRICS:
        raise ValueError(f"no metric {name!r}; choose one of {', '.join(METRICS)}")
    return METRICS[name]


def _checked(A: ArrayLike) -> NDArray[np.bool_]:
    A = np.asarray(A)
    if A.ndim != 2 or A.size == 0:
        raise ValueError(f"alarms must be a matrix of at least one sample and one alarm, got shape {A.shape}")
    if A.dtype == bool:
        return A
    wrong = (A != 0) & (A != 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"alarm {column} is {A[row, column]} at sample {row}; alarms are 0 or 1")
    return A.astype(bool)


def _best_over_lags(
    A: ArrayLike, metric: str, lags: int, pad: int, engine: Engine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest similarity over the lags, and the lag where it is reached."""
    chosen = _metric(metric)
    A = _checked(A)
    if not 0 <= lags < len(A):
        raise ValueError(f"lags must lie in 0..{len(A) - 1} (below the number of samples), got {lags}")
    if pad < 0:
        raise ValueError(f"pad must not be negative, got {pad}")
    words = _packed(A, pad)
    best = _similarity_at(words, len(A), 0, chosen, engine)
    delay = np.where(np.isnan(best), np.nan, 0.0)
    for lag in range(1, lags + 1):
        forward = _similarity_at(words, len(A), lag, chosen, engine)
        for candidate, signed in ((forward, lag), (forward.T, -lag)):
            better = (candidate > best) | (np.isnan(best) & ~np.isnan(candidate))
            best = np.where(better, candidate, best)
            delay = np.where(better, signed, delay)
    upper = np.triu(delay, 1)  # both lags of a tie are as good; the upper triangle decides
    return best, upper - upper.T + np.diag(np.diagonal(delay))


def _similarity_at(
    words: NDArray[np.uint64], n: int, lag: int, metric: BinaryMetric, engine: Engine
) -> NDArray[np.float64]:
    """Similarity of ``a(t)`` and ``b(t + lag)`` over the ``n - lag`` samples that both have."""
    shared = n - lag
    window = _earlier(_packed(np.ones((n, 1), dtype=bool), 0), lag)
    first = np.bitwise_count(words & window).sum(axis=1, dtype=np.int64) / shared
    second = np.bitwise_count(_earlier(words, lag)).sum(axis=1, dtype=np.int64) / shared
    both = _common_counts(words, lag, engine) / shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(metric.similarity(both, first[:, None], second[None, :]))


def _common_counts(words: NDArray[np.uint64], lag: int, engine: Engine) -> NDArray[np.int64]:
    """Number of samples `t` with ``a(t)`` and ``b(t + lag)``, shape (n_alarms, n_alarms)."""
    from covey.measure._bit_kernels import count_common_bits

    later = _earlier(words, lag)

    def counts(start: int) -> NDArray[np.uint64]:
        block = words[start : start + ROWS_A_TASK]
        out = np.empty((len(block), len(words)), dtype=np.uint64)
        count_common_bits(block, later, out)
        return out

    return np.concatenate(engine.map(counts, range(0, len(words), ROWS_A_TASK))).astype(np.int64)


def _packed(A: NDArray[np.bool_], pad: int) -> NDArray[np.uint64]:
    """Sample `t` of alarm `j` as bit ``t % 64`` of word ``[j, t // 64]``, each 1 widened by `pad` samples."""
    n_bytes = -(-len(A) // 64) * 8
    out = np.zeros((A.shape[1], n_bytes), dtype=np.uint8)
    for j, alarm in enumerate(A.T):
        bits = np.packbits(_widened(alarm, pad), bitorder="little")
        out[j, : len(bits)] = bits
    return out.view("<u8").astype(np.uint64, copy=False)


def _widened(alarm: NDArray[np.bool_], pad: int) -> NDArray[np.bool_]:
    if pad == 0:
        return alarm
    raised = np.flatnonzero(alarm)
    change = np.zeros(len(alarm) + 1, dtype=np.int64)
    np.add.at(change, np.maximum(raised - pad, 0), 1)
    np.add.at(change, np.minimum(raised + pad + 1, len(alarm)), -1)
    return np.cumsum(change[:-1]) > 0


def _earlier(words: NDArray[np.uint64], lag: int) -> NDArray[np.uint64]:
    """Bits moved `lag` samples towards the start; zeros come in at the end."""
    if lag == 0:
        return words
    whole, rest = divmod(lag, 64)
    padding = np.zeros((len(words), whole + 1), dtype=np.uint64)
    moved = np.concatenate([words, padding], axis=1)[:, whole:]
    low = moved[:, :-1] >> np.uint64(rest)
    return low if rest == 0 else low | (moved[:, 1:] << np.uint64(64 - rest))


def _solve_correlation(
    both: NDArray[np.float64], rate_x: NDArray[np.float64], rate_y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation at which two normal variables exceed their thresholds together at rate `both`.

    Newton steps (the derivative is the bivariate normal density), kept inside a shrinking bracket.
    """
    lowest, highest = np.maximum(rate_x + rate_y - 1.0, 0.0), np.minimum(rate_x, rate_y)
    possible = (both >= lowest - RATE_TOLERANCE) & (both <= highest + RATE_TOLERANCE)
    possible &= (rate_x > 0) & (rate_x < 1) & (rate_y > 0) & (rate_y < 1)
    t_x, t_y = (-special.ndtri(np.where(possible, rate, 0.5)) for rate in (rate_x, rate_y))
    target = np.where(possible, both, 0.25)
    low, high, rho = np.full(both.shape, -1.0), np.full(both.shape, 1.0), np.zeros(both.shape)
    for _ in range(ROOT_STEPS):
        excess = bivariate_normal_exceedance(t_x, t_y, rho) - target
        low, high = np.where(excess <= 0, rho, low), np.where(excess >= 0, rho, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = rho - excess / _bivariate_normal_density(t_x, t_y, rho)
        previous, rho = rho, np.where((step > low) & (step < high), step, (low + high) / 2.0)
        if np.abs(rho - previous).max(initial=0.0) < 1e-14:
            break
    rho = np.where(target <= lowest + RATE_TOLERANCE, -1.0, rho)
    rho = np.where(target >= highest - RATE_TOLERANCE, 1.0, rho)
    return np.where(possible, rho, np.nan)


def _bivariate_normal_density(
    x: NDArray[np.float64], y: NDArray[np.float64], rho: NDArray[np.float64]
) -> NDArray[np.float64]:
    rest = (1.0 - rho) * (1.0 + rho)
    return np.exp(-(x * x - 2.0 * rho * x * y + y * y) / (2.0 * rest)) / (2.0 * np.pi * np.sqrt(rest))
