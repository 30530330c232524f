"""How a signal correlates with what prices do over the next days, weeks and months, honestly tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from covey import engine as engines
from covey.engine import Engine
from covey.measure._null import correlation_pvalue, permutation_pvalue
from covey.measure._store import ColumnStore
from covey.table import Column, read

Array = NDArray[np.float64]
METHODS = ("pearson", "spearman")
INFERENCES = ("block_bootstrap", "newey_west")
FEWEST_ROWS = 8


@dataclass(frozen=True, eq=False)
class HorizonCorrelation:
    """Correlation of a signal with the forward return of each asset, one row an asset, method and horizon.

    Parameters
    ----------
    asset, method : tuple of str
    horizon : ndarray of shape (n_rows,), int
        Number of periods ahead.
    correlation, low, high : ndarray of shape (n_rows,)
        The correlation and its interval.
    pvalue : ndarray of shape (n_rows,)
        Two-sided, with regard to the overlap of the returns.
    naive_pvalue : ndarray of shape (n_rows,)
        Of Student's t, as if overlapping returns were independent: what not to use.
    n : ndarray of shape (n_rows,), int
        Pairs of signal and return.
    """

    asset: tuple[str, ...]
    method: tuple[str, ...]
    horizon: NDArray[np.int64]
    correlation: Array
    low: Array
    high: Array
    pvalue: Array
    naive_pvalue: Array
    n: NDArray[np.int64]

    def curve(self, asset: str | None = None, method: str = "pearson") -> tuple[NDArray[np.int64], Array]:
        """Horizons and correlations of one asset (the first by default) by one method.

        Raises
        ------
        ValueError
            If there are no such rows.
        """
        asset = self.asset[0] if asset is None else asset
        rows = (np.array(self.asset) == asset) & (np.array(self.method) == method)
        if not rows.any():
            raise ValueError(f"no rows of asset {asset!r} and method {method!r}")
        return self.horizon[rows], self.correlation[rows]


def horizon_correlation(
    signal: ArrayLike,
    price: Any,
    horizons: Sequence[int],
    methods: Sequence[str] = METHODS,
    inference: str = "block_bootstrap",
    n_resamples: int = 499,
    block_length: int | None = None,
    level: float = 0.95,
    random_state: int = 0,
    engine: Engine | str | None = None,
) -> HorizonCorrelation:
    """Correlation of a signal at each time with the log return of a price from then to `h` periods later.

    Returns over h periods that start one period apart share all but one of their periods, so that their number says
    little about how much is known. The block bootstrap puts blocks of one-period returns together anew, builds the
    overlapping returns from those, and correlates them with the signal as it is: what the correlation would be if
    prices moved as they do but without regard to the signal.

    Parameters
    ----------
    signal : array-like of shape (n_times,)
        NaN where there is none; those times are left out.
    price : array-like of shape (n_times,) or (n_times, n_assets), or anything that `covey.read` takes
        Positive, without gaps, a column an asset.
    horizons : sequence of int
        Positive numbers of periods.
    methods : sequence of {"pearson", "spearman"}
    inference : {"block_bootstrap", "newey_west"}
        The second estimates the variance of the correlation with the autocovariances up to one and a half times the
        horizon; it is quick, and rejects too often where the horizon is more than a few hundredths of the length.
    n_resamples : int
        Of the bootstrap.
    block_length : int, optional
        Periods a block; ``2 n_times ** (1 / 3)`` by default, for returns whose size clusters in time.
    level : float
        Of the intervals. They are the test turned round: 0 lies inside where the p-value exceeds ``1 - level``.
    random_state : int
    engine : Engine or str, optional
        Where the resamples run; the result does not depend on it.

    Returns
    -------
    HorizonCorrelation
        NaN where the signal or the returns are constant, or fewer than 8 pairs are left.

    Raises
    ------
    ValueError
        If lengths differ, a price is not positive, or an argument is out of range.

    References
    ----------
    Lefort, Benhamou, Ohana, Saltiel, Guez and Challet (2024), Can ChatGPT Compute Trustworthy Sentiment Scores from
    Bloomberg Market Wraps? arXiv:2401.05447. Kuensch (1989), The jackknife and the bootstrap for general stationary
    observations, Ann. Stat. 17. Newey and West (1987), Econometrica 55.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=500)
    >>> price = np.exp(np.cumsum(0.01 * (rng.normal(size=500) + np.append(0.0, signal[:-1]))))
    >>> result = horizon_correlation(signal, price, [1, 5], methods=["pearson"], n_resamples=99)
    >>> result.correlation.round(1), result.pvalue
    (array([0.8, 0.3]), array([0.01, 0.01]))
    """
    x = np.asarray(signal, dtype=np.float64)
    names, prices = _prices(price)
    _check(x, names, prices, horizons, methods, inference, n_resamples, level)
    if block_length is not None and not 1 <= block_length < len(x):
        raise ValueError(f"block_length must lie between 1 and {len(x) - 1}, got {block_length}")
    runner = engines.resolve(engine)
    seeds = np.random.SeedSequence(random_state).spawn(len(names))
    signals = [_Signal(x, int(horizon), method) for method in methods for horizon in horizons]
    rows: list[tuple[Any, ...]] = []
    for name, column, seed in zip(names, prices.T, seeds):
        steps = np.diff(np.log(column))
        observed = np.array([one.correlation(steps) for one in signals])
        if inference == "block_bootstrap":
            blocks = _resamples(len(steps), block_length, n_resamples, seed)
            null = np.concatenate(runner.map(partial(_null_correlations, signals, steps), blocks))
            tested = _bootstrap_test(observed, null, level)
        else:
            tested = _newey_west_test(signals, steps, observed, level)
        for k, one in enumerate(signals):
            rows.append((name, one.method, one.horizon, observed[k], *(t[k] for t in tested), len(one.values)))
    asset, method_column, *numbers = zip(*rows)
    horizon, correlation, low, high, pvalue, n = map(np.array, numbers)
    naive = correlation_pvalue(correlation, n)
    return HorizonCorrelation(asset, method_column, horizon, correlation, low, high, pvalue, naive, n)


def sign_change(horizons: ArrayLike, correlation: ArrayLike) -> float:
    """Horizon at which a correlation first changes its sign, linear between the given ones; NaN where it never does.

    Parameters
    ----------
    horizons, correlation : array-like of shape (n_horizons,)
        Horizons rising. Those where the correlation is 0 or NaN are passed over.

    Raises
    ------
    ValueError
        If lengths differ.

    References
    ----------
    Lefort et al. (2024), arXiv:2401.05447.

    Examples
    --------
    >>> sign_change([5, 10, 20], [0.2, 0.1, -0.1])
    15.0
    """
    h, r = np.asarray(horizons, dtype=float), np.asarray(correlation, dtype=float)
    if h.ndim != 1 or h.shape != r.shape:
        raise ValueError(f"every horizon needs a correlation, got shapes {h.shape} and {r.shape}")
    h, r = h[np.abs(r) > 0], r[np.abs(r) > 0]
    crossing = np.flatnonzero(r[:-1] * r[1:] < 0)
    if not len(crossing):
        return float("nan")
    k = crossing[0]
    return float(h[k] + (h[k + 1] - h[k]) * r[k] / (r[k] - r[k + 1]))


def optimal_horizon(horizons: ArrayLike, correlation: ArrayLike, share: float = 0.9) -> int:
    """The shortest horizon whose correlation is nearly the largest: strong, and still quick to react.

    Parameters
    ----------
    horizons, correlation : array-like of shape (n_horizons,)
        Horizons rising; at least one correlation positive.
    share : float
        Of the largest correlation, in 0..1; 1 takes the largest itself.

    Raises
    ------
    ValueError
        If no correlation is positive, lengths differ, or `share` is out of range.

    References
    ----------
    Lefort et al. (2024), arXiv:2401.05447.

    Examples
    --------
    >>> optimal_horizon([1, 5, 10, 20], [0.1, 0.28, 0.3, 0.2])
    5
    """
    h, r = np.asarray(horizons), np.asarray(correlation, dtype=float)
    if h.ndim != 1 or h.shape != r.shape:
        raise ValueError(f"every horizon needs a correlation, got shapes {h.shape} and {r.shape}")
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    largest = np.nanmax(r, initial=0.0)
    if largest <= 0:
        raise ValueError("no horizon has a positive correlation; change the sign of the signal if that is meant")
    return int(h[np.flatnonzero(r >= share * largest)[0]])


def _prices(price: Any) -> tuple[tuple[str, ...], Array]:
    if isinstance(price, np.ndarray | list | tuple):
        values = np.asarray(price, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        return tuple(f"x{j}" for j in range(values.shape[1])), values
    table = read(price)
    for column in table.columns():
        if column.is_coded or column.kind == "datetime":
            raise ValueError(f"price column {column.name!r} is {column.kind}; prices must be numbers")
    return table.names, np.column_stack([column.values for column in table.columns()])


def _check(
    x: Array,
    names: tuple[str, ...],
    prices: Array,
    horizons: Sequence[int],
    methods: Sequence[str],
    inference: str,
    n_resamples: int,
    level: float,
) -> None:
    if x.ndim != 1 or len(x) != len(prices):
        raise ValueError(f"signal must have one value a time: {len(prices)}, got shape {x.shape}")
    if np.isinf(x).any():
        raise ValueError("signal holds infinite values; set them to NaN to leave those times out")
    for name, column in zip(names, prices.T):
        if not (np.isfinite(column) & (column > 0)).all():
            raise ValueError(f"price {name!r} must be positive and without gaps; fill or drop those times")
    if not len(horizons) or not all(1 <= h <= len(x) - 2 and h == int(h) for h in horizons):
        raise ValueError(f"horizons must be whole numbers between 1 and {len(x) - 2}, got {list(horizons)}")
    if not len(methods) or not set(methods) <= set(METHODS):
        raise ValueError(f"methods must be of {METHODS}, got {list(methods)}")
    if inference not in INFERENCES:
        raise ValueError(f"inference must be one of {INFERENCES}, not {inference!r}")
    if n_resamples < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"n_resamples must be positive and level in 0..1, got {n_resamples} and {level}")


class _Signal:
    """A signal made ready to be correlated with returns over one horizon by one method."""

    def __init__(self, x: Array, horizon: int, method: str) -> None:
        self.horizon, self.method = horizon, method
        self.present = np.flatnonzero(~np.isnan(x[: len(x) - horizon]))
        self.values = _standardised(self._scores(x[self.present]))

    def _scores(self, values: Array) -> Array:
        if self.method == "pearson" or not len(values):
            return values
        return ColumnStore([Column("x", "numeric", values)]).ranks(0)

    def returns(self, steps: Array) -> Array:
        """Standardised returns over the horizon (or their ranks), at the times of the signal's values."""
        level = np.concatenate([[0.0], np.cumsum(steps)])
        forward = level[self.horizon :] - level[: -self.horizon]
        return _standardised(self._scores(forward[self.present]))

    def correlation(self, steps: Array) -> float:
        """NaN where a side is constant or there are too few values."""
        if len(self.values) < FEWEST_ROWS:
            return float("nan")
        return float(np.clip(self.values @ self.returns(steps) / len(self.values), -1.0, 1.0))


def _standardised(values: Array) -> Array:
    if not len(values) or values.min() == values.max():
        return np.full(len(values), np.nan)
    centred = values - values.mean()
    return centred / np.sqrt(centred @ centred / len(centred))


def _resamples(n: int, length: int | None, n_resamples: int, seed: np.random.SeedSequence) -> list[NDArray[np.intp]]:
    """Positions of every resample's steps, a few resamples a task: blocks from random starts, round the end."""
    length = length or max(1, round(2 * n ** (1 / 3)))
    starts = np.random.default_rng(seed).integers(n, size=(n_resamples, -(-n // length)))
    return [starts[k : k + 25, :, None] + np.arange(length) for k in range(0, n_resamples, 25)]


def _null_correlations(signals: Sequence[_Signal], steps: Array, blocks: NDArray[np.intp]) -> Array:
    """Correlations with steps put together from blocks, shape (n_resamples, n_signals)."""
    n = len(steps)
    resampled = steps[blocks.reshape(len(blocks), -1)[:, :n] % n]
    return np.array([[one.correlation(row) for one in signals] for row in resampled])


def _bootstrap_test(observed: Array, null: Array, level: float) -> tuple[Array, Array, Array]:
    """Interval and p-value from the null distribution, on Fisher's scale; undefined draws speak against the finding."""
    null = np.where(np.isnan(null) & ~np.isnan(observed), 1.0, null)
    z = np.arctanh(np.clip(observed, -1 + 1e-15, 1 - 1e-15))
    spread = np.abs(np.arctanh(np.clip(null, -1 + 1e-15, 1 - 1e-15)))
    width = np.quantile(spread, level, axis=0)
    pvalue = np.where(np.isnan(z), np.nan, permutation_pvalue(np.abs(z), spread))
    return np.tanh(z - width), np.tanh(z + width), pvalue


def _newey_west_test(
    signals: Sequence[_Signal], steps: Array, observed: Array, level: float
) -> tuple[Array, Array, Array]:
    error = np.empty(len(signals))
    for k, one in enumerate(signals):
        a, b = one.values, one.returns(steps)
        influence = a * b - observed[k] * (a * a + b * b) / 2.0
        error[k] = _long_run_error(influence, int(1.5 * one.horizon))
    width = special.ndtri((1.0 + level) / 2.0) * error
    pvalue = 2.0 * special.ndtr(-np.abs(observed) / error)
    return np.maximum(observed - width, -1.0), np.minimum(observed + width, 1.0), pvalue


def _long_run_error(influence: Array, lags: int) -> float:
    """Standard error of a mean of autocorrelated terms (Bartlett's weights)."""
    n = len(influence)
    if n < FEWEST_ROWS:
        return float("nan")
    lags = min(lags, n - 1)
    covariances = [influence[k:] @ influence[: n - k] / n for k in range(lags + 1)]
    weights = 1.0 - np.arange(lags + 1) / (lags + 1.0)
    return float(np.sqrt((2.0 * weights @ covariances - covariances[0]) / n))
