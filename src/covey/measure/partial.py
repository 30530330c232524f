"""Partial correlation: linear dependence of two columns with all others held fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine
from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._moments import MomentState, centre_and_scale
from covey.measure._null import correlation_pvalue
from covey.measure._store import ColumnStore
from covey.measure.pearson import PEARSON

_WELL_CONDITIONED = 1e-8  # smallest eigenvalue of a correlation matrix that is inverted as it is
_RAISED = 1e-6  # smallest eigenvalue after shrinkage
_ROWS_A_COLUMN = 10


@dataclass(frozen=True, eq=False)
class PartialCorrelation:
    """Result of `partial_correlation`.

    Parameters
    ----------
    values : ndarray of shape (n_features, n_features)
        In -1..1, 1 on the diagonal; NaN for constant columns, for pairs that share too few rows, and, when the
        shrinkage that was asked for leaves the matrix singular, for the columns that depend linearly on others.
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
        Weight of the identity. ``"auto"`` takes none when every pair shares at least ten rows a column and the
        correlation matrix is well conditioned, else the estimate of Schaefer and Strimmer with the large-sample
        variance of a correlation, and at least what makes the matrix positive definite (copied columns, gaps).

    Returns
    -------
    PartialCorrelation

    Raises
    ------
    ValueError
        If `X` is not two-dimensional, empty or infinite somewhere, or `shrinkage` is out of range.

    References
    ----------
    Schaefer and Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation, Stat. Appl. Genet.
    Mol. Biol. 4; Ledoit and Wolf (2003), Improved estimation of the covariance matrix of stock returns, J. Empir.
    Finance 10.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> a, b = x + rng.normal(size=2000), x + rng.normal(size=2000)
    >>> partial = partial_correlation(np.c_[a, b, x]).values
    >>> bool(abs(partial[0, 1]) < 0.05), bool(abs(np.corrcoef(a, b)[0, 1]) > 0.4)
    (True, True)
    """
    X = _checked(X, shrinkage)
    r, n = MomentState(*centre_and_scale(X)).update(X).result()
    return from_correlation(r, n, shrinkage)


def _checked(X: ArrayLike, shrinkage: float | str) -> NDArray[np.float64]:
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, (n_samples, n_features), not {X.ndim}")
    if X.size == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")
    infinite = np.flatnonzero(np.isinf(X).any(axis=0))
    if len(infinite):
        raise ValueError(f"column {infinite[0]} of X holds infinity; replace it by NaN or clip the column")
    if shrinkage != "auto" and not (isinstance(shrinkage, int | float) and 0.0 <= shrinkage <= 1.0):
        raise ValueError(f"shrinkage must be 'auto' or in 0..1, got {shrinkage!r}")
    return X


def from_correlation(
    r: NDArray[np.float64], n: NDArray[np.int64], shrinkage: float | str = "auto"
) -> PartialCorrelation:
    """Partial correlations from pairwise correlations and their numbers of rows.

    Columns whose diagonal is NaN are left out. A pair without a correlation counts as uncorrelated for the others and
    is NaN itself.

    Parameters
    ----------
    r, n : ndarray of shape (n_features, n_features)
    shrinkage : "auto" or float in 0..1
        As for `partial_correlation`.
    """
    used = np.flatnonzero(~np.isnan(np.diag(r)))
    block = np.ix_(used, used)
    inner, rows = np.nan_to_num(r[block]), n[block].astype(np.float64)
    weight = _intensity(inner, rows) if shrinkage == "auto" else float(shrinkage)
    partial = _invert((1.0 - weight) * inner + weight * np.eye(len(used)))
    partial[np.isnan(r[block])] = np.nan
    values = np.full(r.shape, np.nan)
    values[block] = partial
    return PartialCorrelation(values, weight)


def _intensity(r: NDArray[np.float64], n: NDArray[np.float64]) -> float:
    """Shrinkage intensity by the rule of `partial_correlation`."""
    m = len(r)
    lowest = float(np.linalg.eigvalsh(r)[0]) if m else 1.0
    if n.min(initial=np.inf) >= _ROWS_A_COLUMN * m and lowest > _WELL_CONDITIONED:
        return 0.0
    off = ~np.eye(m, dtype=bool)
    square = r[off] ** 2
    variance = (1.0 - square) ** 2 / np.maximum(n[off] - 1.0, 1.0)
    estimate = min(1.0, variance.sum() / square.sum()) if square.any() else float(m > 1)
    needed = (_RAISED - lowest) / (1.0 - lowest) if lowest < _RAISED else 0.0
    return float(max(estimate, needed))


def _invert(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Partial correlations from a correlation matrix; NaN for columns that take part in a linear dependence."""
    eigenvalues, vectors = np.linalg.eigh(r)
    kept = eigenvalues > 1e-10 * len(r)
    precision = (vectors[:, kept] / eigenvalues[kept]) @ vectors[:, kept].T
    dependent = np.sum(vectors[:, ~kept] ** 2, axis=1) > 1e-8
    scale = np.sqrt(np.where(dependent, np.nan, np.diag(precision)))
    partial = np.clip(-precision / np.outer(scale, scale), -1.0, 1.0)
    partial[np.diag_indices_from(partial)] = np.where(dependent, np.nan, 1.0)
    return partial


class PartialKernel:
    """Partial correlations of the asked columns, each pair given all other columns that the measure accepts.

    P-values are those of a t test with the degrees of freedom that are left when the other columns are held fixed; NaN
    when none is left, and approximate (in general too large) when the matrix was shrunk.
    """

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
    """Correlation of the residuals of `x` and `y` after regression on the columns of `z`, shape (n, n_given).

    Returns
    -------
    float
        In -1..1; NaN when a residual vanishes (a column is a linear function of the others).

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> round(definition(x, x**2), 4)
    0.9844
    """
    design = np.ones((len(x), 1)) if z is None else np.column_stack([np.ones(len(x)), z])
    a, b = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y))
    if any(np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(v) for rest, v in ((a, x), (b, y))):
        return float("nan")
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


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
