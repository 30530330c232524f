"""Partial correlation: linear dependence of two columns with all others held fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine
from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._null import correlation_pvalue
from covey.measure._store import ColumnStore
from covey.measure.pearson import PEARSON


@dataclass(frozen=True, eq=False)
class PartialCorrelation:
    """Result of `partial_correlation`.

    Parameters
    ----------
    values : ndarray of shape (n_features, n_features)
        In -1..1, 1 on the diagonal; NaN for constant columns.
    shrinkage : float
        Weight of the identity in the correlation matrix that was inverted, 0..1.
    """

    values: NDArray[np.float64]
    shrinkage: float


def partial_correlation(X: ArrayLike, shrinkage: float | str = "auto") -> PartialCorrelation:
    """Partial correlation of every pair of columns given all others.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN is missing; correlations are pairwise-complete.
    shrinkage : "auto" or float in 0..1
        Weight of the identity. ``"auto"`` takes none when there are at least ten rows a column and the correlation
        matrix is well conditioned, else the estimate of Schaefer and Strimmer.

    Returns
    -------
    PartialCorrelation

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or `shrinkage` is out of range.

    References
    ----------
    Schaefer and Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation, Stat. Appl. Genet.
    Mol. Biol. 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> a, b = x + rng.normal(size=2000), x + rng.normal(size=2000)
    >>> partial = partial_correlation(np.c_[a, b, x]).values
    >>> bool(abs(partial[0, 1]) < 0.05), bool(abs(np.corrcoef(a, b)[0, 1]) > 0.4)
    (True, True)
    """
    from covey.measure._moments import MomentState, centre_and_scale

    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, (n_samples, n_features), not {X.ndim}")
    if shrinkage != "auto" and not (isinstance(shrinkage, int | float) and 0.0 <= shrinkage <= 1.0):
        raise ValueError(f"shrinkage must be 'auto' or in 0..1, got {shrinkage!r}")
    r, n = MomentState(*centre_and_scale(X)).update(X).result()
    return from_correlation(r, n, shrinkage)


def from_correlation(
    r: NDArray[np.float64], n: NDArray[np.int64], shrinkage: float | str = "auto"
) -> PartialCorrelation:
    """Partial correlations from a matrix of correlations and the number of rows of each; NaN rows are left out."""
    used = np.flatnonzero(~np.isnan(np.diag(r)))
    inner = np.nan_to_num(r[np.ix_(used, used)])
    np.fill_diagonal(inner, 1.0)
    rows = float(np.min(n[np.ix_(used, used)], initial=np.iinfo(np.int64).max)) if len(used) else 0.0
    weight = _weight(inner, rows) if shrinkage == "auto" else float(shrinkage)
    values = np.full(r.shape, np.nan)
    if len(used):
        mixed = (1.0 - weight) * inner + weight * np.eye(len(used))
        precision = np.linalg.pinv(mixed, hermitian=True)
        scale = np.sqrt(np.diag(precision))
        partial = np.clip(-precision / np.outer(scale, scale), -1.0, 1.0)
        np.fill_diagonal(partial, 1.0)
        values[np.ix_(used, used)] = partial
    return PartialCorrelation(values, weight)


def _weight(r: NDArray[np.float64], n: float) -> float:
    """Shrinkage intensity: 0 for many rows and a well-conditioned matrix, else Schaefer and Strimmer's estimate."""
    m = len(r)
    lowest = float(np.linalg.eigvalsh(r)[0]) if m else 1.0
    if n >= 10 * m and lowest > 1e-8:
        return 0.0
    off = ~np.eye(m, dtype=bool)
    square = float(np.sum(r[off] ** 2))
    spread = float(np.sum((1.0 - r[off] ** 2) ** 2)) / max(n - 1.0, 1.0)
    estimate = 1.0 if square == 0.0 else min(1.0, spread / square)
    return max(estimate, 1e-6 if lowest <= 1e-8 else 0.0)


class PartialKernel:
    """Partial correlations of the asked columns, each pair given all other columns that the measure accepts."""

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        used, position = np.unique(np.concatenate([left, right]), return_inverse=True)
        m = len(used)
        i, j = np.triu_indices(m)
        marginal = PEARSON(store, used[i], used[j], engine, False)
        r, n = np.full((m, m), np.nan), np.zeros((m, m), dtype=np.int64)
        r[i, j] = r[j, i] = marginal.values
        n[i, j] = n[j, i] = marginal.n
        partial = from_correlation(r, n).values
        a, b = position[: len(left)], position[len(left) :]
        value, rows = partial[a, b], n[a, b]
        p = correlation_pvalue(value, rows, given=max(m - 2, 0)) if pvalues else None
        return PairStatistics(value, rows, p)


def definition(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64] | None = None) -> float:
    """Correlation of the residuals of `x` and `y` after regression on the columns of `z`, shape (n, n_given)."""
    design = np.ones((len(x), 1)) if z is None else np.column_stack([np.ones(len(x)), z])
    a, b = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y))
    norm = np.sqrt(a @ a) * np.sqrt(b @ b)
    return float(a @ b / norm) if norm > 0 else float("nan")


register(
    Measure(
        "partial_correlation",
        "linear dependence of two numbers with all other numbers held fixed",
        definition,
        PartialKernel(),
        numeric_pair,
        signed=True,
    )
)
