"""Which columns of a time-ordered table lead or follow which: correlations of all pairs at all lags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from covey import engine as engines
from covey.engine import Engine
from covey.measure._moments import centre_and_scale
from covey.measure._null import correlation_pvalue
from covey.measure._store import ColumnStore
from covey.table import Column, read

Array = NDArray[np.float64]
Moments = tuple[Any, Any, Any, Any, Any, Any]
METHODS = ("pearson", "spearman")
TRENDS = ("none", "linear", "difference")
FEWEST_ROWS = 4


@dataclass(frozen=True, eq=False)
class LaggedCorrelation:
    """Correlations of every two series at every lag, and the lag at which each pair moves together most.

    Parameters
    ----------
    names : tuple of str
        The series.
    values : ndarray of shape (max_lag + 1, n_series, n_series)
        ``values[l, i, j]`` is the correlation of series `i` at time t with series `j` at time ``t + l``; NaN where a
        series is constant or fewer than four rows are shared.
    best_lag : ndarray of shape (n_series, n_series), int
        In ``-max_lag..max_lag``, where the correlation is farthest from 0 (of equals, the shortest). Positive: series
        `j` follows series `i`. Antisymmetric; 0 where the pair has no correlation.
    correlation : ndarray of shape (n_series, n_series)
        The correlation at that lag.
    pvalues : ndarray of shape (n_series, n_series)
        Two-sided, of the best lag, corrected for the autocorrelation of both series and for the number of lags tested,
        not for the number of pairs; NaN on the diagonal.
    n : ndarray of shape (n_series, n_series), int
        Rows shared at the best lag.
    n_effective : ndarray of shape (n_series, n_series)
        How many independent rows those are worth.
    """

    names: tuple[str, ...]
    values: Array
    best_lag: NDArray[np.int64]
    correlation: Array
    pvalues: Array
    n: NDArray[np.int64]
    n_effective: Array

    def profile(self, first: str, second: str) -> tuple[NDArray[np.int64], Array]:
        """Lags ``-max_lag..max_lag`` and the pair's correlation at each; positive lags: `second` follows `first`.

        Raises
        ------
        ValueError
            If there is no such series.
        """
        for name in (first, second):
            if name not in self.names:
                raise ValueError(f"there is no series {name!r} among {', '.join(self.names)}")
        i, j = self.names.index(first), self.names.index(second)
        max_lag = len(self.values) - 1
        return np.arange(-max_lag, max_lag + 1), np.concatenate([self.values[:0:-1, j, i], self.values[:, i, j]])


def lagged_correlation(
    X: Any,
    max_lag: int | None = None,
    method: str = "pearson",
    trend: str = "none",
    engine: Engine | str | None = None,
) -> LaggedCorrelation:
    """Correlation of all pairs of numeric columns of a time-ordered table, one of them shifted by 0, 1, ... rows.

    Series that move slowly correlate by chance far more than their number of rows suggests. Under independence the
    variance of a correlation is ``s / n`` with ``s = 1 + 2 sum_k rho_i(k) rho_j(k)`` (Bartlett), so n rows are worth
    ``n / s``; with that number Student's t is used. The best lag is one of ``1 + 2 max_lag``; of slowly moving series
    neighbouring lags say the same, so p-values are corrected for ``1 + 2 max_lag / s`` tests (Sidak).

    Parameters
    ----------
    X : array-like of shape (n_rows, n_series), FeatureTable, or anything that `covey.read` takes
        Rows in the order of time and evenly spaced. Columns that are not numbers are left out; missing values are
        left out pair by pair and lag by lag.
    max_lag : int, optional
        Largest shift; ``10 log10(n_rows)``, at most a quarter of the rows, by default.
    method : {"pearson", "spearman"}
        Of the values, or of their ranks in the whole column.
    trend : {"none", "linear", "difference"}
        What is taken away first: nothing; each column's straight line along the rows; or each value's predecessor.
        Random walks and other series without a steady level need ``"difference"``: no number of effective rows
        makes their correlations testable.
    engine : Engine or str, optional
        Where the lags are computed; the result does not depend on it.

    Returns
    -------
    LaggedCorrelation

    Raises
    ------
    ValueError
        If there are fewer than two numeric columns or 8 rows, or an argument is out of range.

    References
    ----------
    Bartlett (1935), Some aspects of the time-correlation problem, J. R. Stat. Soc. 98. Pyper and Peterman (1998),
    Comparison of methods to account for autocorrelation in correlation analyses of fish data, Can. J. Fish. Aquat.
    Sci. 55.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(303, 2))
    >>> leader, noise = x[3:, 0], x[3:, 1]
    >>> follower = x[:-3, 0] + noise
    >>> result = lagged_correlation(np.c_[leader, follower], max_lag=10)
    >>> int(result.best_lag[0, 1]), float(result.correlation[0, 1].round(1)), bool(result.pvalues[0, 1] < 1e-6)
    (3, 0.7, True)
    """
    names, series = _series(X)
    values = _without_trend(series, trend)
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, not {method!r}")
    if method == "spearman":
        values = _ranked(values)
    n_rows = len(values)
    max_lag = min(int(10 * np.log10(n_rows)), n_rows // 4) if max_lag is None else max_lag
    if not 0 <= max_lag <= n_rows - FEWEST_ROWS:
        raise ValueError(f"max_lag must lie between 0 and {n_rows - FEWEST_ROWS} for {n_rows} rows, got {max_lag}")
    centre, scale = centre_and_scale(values)
    z = (values - centre) / scale
    present = ~np.isnan(z)
    z[~present] = 0.0
    weights = None if present.all() else present.astype(np.float64)
    found = engines.resolve(engine).map(lambda lag: _at_lag(z, weights, lag), range(max_lag + 1))
    return _summary(names, np.stack([r for r, _ in found]), np.stack([n for _, n in found]), _worth(z, weights))


def _series(X: Any) -> tuple[tuple[str, ...], Array]:
    """Names and values of the numeric columns; arrays of numbers are taken as they are."""
    columns = [column for column in read(X).columns() if column.kind in ("numeric", "constant") and not column.is_coded]
    if len(columns) < 2:
        raise ValueError(f"lagged correlations need at least two numeric columns, got {len(columns)}")
    values = np.column_stack([column.values for column in columns]).astype(np.float64)
    if len(values) < 2 * FEWEST_ROWS:
        raise ValueError(f"lagged correlations need at least {2 * FEWEST_ROWS} rows, got {len(values)}")
    return tuple(column.name for column in columns), np.where(np.isfinite(values), values, np.nan)


def _without_trend(values: Array, trend: str) -> Array:
    if trend not in TRENDS:
        raise ValueError(f"trend must be one of {TRENDS}, not {trend!r}")
    if trend == "none":
        return values
    if trend == "difference":
        return np.diff(values, axis=0)
    present = ~np.isnan(values)
    n = np.maximum(present.sum(axis=0), 1)
    time = np.where(present, np.arange(float(len(values)))[:, None], 0.0)
    time = np.where(present, time - time.sum(axis=0) / n, 0.0)
    y = np.where(present, values - centre_and_scale(values)[0], 0.0)
    slope = (time * y).sum(axis=0) / np.maximum((time * time).sum(axis=0), 1.0)
    return np.where(present, y - slope * time, np.nan)


def _ranked(values: Array) -> Array:
    store = ColumnStore([Column(str(j), "numeric", column) for j, column in enumerate(values.T)])
    return np.column_stack([store.ranks(j) for j in range(len(store))])


def _at_lag(z: Array, weights: Array | None, lag: int) -> tuple[Array, Array]:
    """Correlations ``(i, j)`` of series `i` with series `j` `lag` rows later, and the rows they share."""
    n_rows = len(z)
    head, tail = slice(0, n_rows - lag), slice(lag, n_rows)
    a, b = z[head], z[tail]
    products = a.T @ b
    if weights is None:
        n = np.full(products.shape, float(n_rows - lag))
        sum_a, sum_b = a.sum(axis=0)[:, None], b.sum(axis=0)
        square_a, square_b = (a * a).sum(axis=0)[:, None], (b * b).sum(axis=0)
    else:
        u, v = weights[head], weights[tail]
        n, sum_a, sum_b = u.T @ v, a.T @ v, u.T @ b
        square_a, square_b = (a * a).T @ v, u.T @ (b * b)
    return _correlation(n, sum_a, sum_b, square_a, square_b, products), n


def _correlation(n: Any, sum_a: Any, sum_b: Any, square_a: Any, square_b: Any, products: Array) -> Array:
    rows = np.maximum(n, 1.0)
    variance_a, variance_b = square_a / rows - (sum_a / rows) ** 2, square_b / rows - (sum_b / rows) ** 2
    covariance = products / rows - sum_a * sum_b / rows**2
    defined = (n >= FEWEST_ROWS) & (variance_a > 1e-12) & (variance_b > 1e-12)
    scale = np.sqrt(np.where(defined, variance_a * variance_b, np.nan))
    return np.clip(covariance / scale, -1.0, 1.0)


def _worth(z: Array, weights: Array | None) -> Array:
    """Share of independent rows of each pair: ``1 / (1 + 2 sum_k (1 - k / n) rho_i(k) rho_j(k))``."""
    n_rows = len(z)
    far = n_rows // 4
    rho = _autocorrelation(z, weights, far)
    taper = 1.0 - np.arange(1, far + 1) / n_rows
    return 1.0 / np.maximum(1.0 + 2.0 * (rho[1:] * taper[:, None]).T @ rho[1:], 1.0)


def _autocorrelation(z: Array, weights: Array | None, far: int) -> Array:
    """Autocorrelation of each series at lags 0..far, shape (far + 1, n_series); 0 where no rows are so far apart."""
    products = _lag_products(z, far)
    pairs = np.arange(len(z), len(z) - far - 1, -1.0)[:, None] if weights is None else _lag_products(weights, far)
    covariance = products / np.maximum(np.rint(pairs), 1.0)
    return covariance / np.where(covariance[0] > 0, covariance[0], 1.0)


def _lag_products(x: Array, far: int) -> Array:
    """``sum_t x[t] x[t + k]`` of each column for k = 0..far."""
    length = fft.next_fast_len(len(x) + far, real=True)
    return fft.irfft(np.abs(fft.rfft(x, length, axis=0)) ** 2, length, axis=0)[: far + 1]


def _summary(names: tuple[str, ...], values: Array, shared: Array, worth: Array) -> LaggedCorrelation:
    later = np.where(np.isnan(values), -1.0, np.abs(values))
    both = np.concatenate([later, later[1:].transpose(0, 2, 1)])  # lags 0..max_lag, then -1..-max_lag
    max_lag = len(values) - 1
    lags = np.concatenate([np.arange(max_lag + 1), -np.arange(1, max_lag + 1)])
    shortest_first = np.argsort(np.abs(lags), kind="stable")
    best = lags[shortest_first[np.argmax(both[shortest_first], axis=0)]]
    best = np.triu(best, 1) - np.triu(best, 1).T
    i, j = np.indices(best.shape)
    place = np.abs(best), np.where(best < 0, j, i), np.where(best < 0, i, j)
    correlation, n = values[place], shared[place]
    n_effective = n * worth
    single = correlation_pvalue(correlation, n_effective)
    n_tests = 1.0 + 2.0 * max_lag * worth
    pvalues = -np.expm1(n_tests * np.log1p(-np.minimum(single, 1.0 - 1e-16)))
    np.fill_diagonal(pvalues, np.nan)
    return LaggedCorrelation(names, values, best, correlation, pvalues, np.rint(n).astype(np.int64), n_effective)
