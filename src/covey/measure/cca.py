"""Canonical correlation analysis of two or more views, from their joint covariance: mergeable over row blocks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A canonical correlation this near to 1 is never a property of noisy data.
PERFECT = 1.0 - 1e-9


class RankWarning(UserWarning):
    """A view has fewer independent columns than columns, or there are too few rows for a canonical correlation."""


class CovarianceState:
    """Covariance of all columns over the rows seen so far, mergeable, precise for columns with a large mean.

    Parameters
    ----------
    n_columns : int

    Examples
    --------
    >>> state = CovarianceState(2).update(np.array([[1.0, 2.0], [3.0, 2.0]])).update(np.array([[5.0, 5.0]]))
    >>> state.covariance()
    array([[4., 3.],
           [3., 3.]])
    """

    def __init__(self, n_columns: int) -> None:
        self.n = 0
        self.mean = np.zeros(n_columns)
        self.scatter = np.zeros((n_columns, n_columns))

    def update(self, block: Array) -> Self:
        """Add the rows of `block`, shape (n_rows, n_columns)."""
        if len(block):
            mean = block.mean(axis=0)
            centred = block - mean
            self._combine(len(block), mean, centred.T @ centred)
        return self

    def merge(self, other: Self) -> Self:
        """Add another state over the same columns."""
        if other.n:
            self._combine(other.n, other.mean, other.scatter)
        return self

    def _combine(self, n: int, mean: Array, scatter: Array) -> None:
        total = self.n + n
        shift = mean - self.mean
        self.scatter += scatter
        if self.n:
            self.scatter += np.outer(shift, shift * (self.n * n / total))
        self.mean = self.mean + shift * (n / total)
        self.n = total

    def covariance(self) -> Array:
        """Unbiased covariance, shape (n_columns, n_columns); needs two rows."""
        return self.scatter / (self.n - 1)

    def result(self) -> Array:
        """As `covariance`."""
        return self.covariance()


@dataclass(frozen=True, eq=False)
class CanonicalAnalysis:
    """Canonical directions of two or more views.

    Parameters
    ----------
    weights : tuple of ndarray of shape (n_features_i, n_components)
        Scores of view i are ``(X_i - mean_i) @ weights[i]``.
    correlations : ndarray of shape (n_components,)
        Of the scores, -1..1; the mean over pairs of views when there are more than two. NaN for a component whose
        scores are constant in a view.
    values : ndarray of shape (n_components,)
        Eigenvalues that the directions maximise: the canonical correlations of two views, covariances when
        `shrinkage` is 1.
    ranks : tuple of int
        Independent directions kept in each view.
    """

    weights: tuple[Array, ...]
    correlations: Array
    values: Array
    ranks: tuple[int, ...]


def canonical_analysis(
    views: Sequence[ArrayLike], n_components: int | None = None, shrinkage: float = 0.0, scale: bool = True
) -> CanonicalAnalysis:
    """Directions of two or more views whose scores are most correlated with each other.

    The solution of ``C w = value V w``, with `C` the covariances between views and `V` the block-diagonal matrix of
    ``(1 - shrinkage) Cov_i + shrinkage I``: canonical correlation analysis at 0, partial least squares at 1. For more
    than two views it maximises the sum of all pairwise covariances (MCCA, the eigenvector form of SUMCOR).

    Parameters
    ----------
    views : sequence of array_like of shape (n_samples, n_features_i)
        At least two, with the same rows; no missing values.
    n_components : int, optional
        By default the smallest rank of a view.
    shrinkage : float
        0..1.
    scale : bool
        Divide each column by its standard deviation first; it matters only where `shrinkage` is not 0.

    Returns
    -------
    CanonicalAnalysis

    Raises
    ------
    ValueError
        If there are fewer than two views, they have different rows or missing values, `n_components` exceeds a
        view's rank, or `shrinkage` lies outside 0..1.

    Warns
    -----
    RankWarning
        If a view's columns are linearly dependent or constant (the kept rank is given), or the rows are so few that
        some canonical correlations are 1 whatever the data.

    References
    ----------
    Hotelling (1936), Relations between two sets of variates. Biometrika 28. Kettenring (1971), Canonical analysis of
    several sets of variables. Biometrika 58.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(500, 1))
    >>> X, Y = common + rng.normal(size=(500, 3)), common + rng.normal(size=(500, 2))
    >>> canonical_analysis([X, Y]).correlations.round(2)
    array([0.74, 0.06])
    """
    arrays = [np.asarray(view, dtype=np.float64) for view in views]
    check_views(arrays)
    state = CovarianceState(sum(a.shape[1] for a in arrays)).update(np.hstack(arrays))
    return analysis_of_moments(state, [a.shape[1] for a in arrays], n_components, shrinkage, scale)


def check_views(views: Sequence[Array]) -> None:
    """Raise ValueError unless there are two or more finite matrices with the same number of rows."""
    if len(views) < 2:
        raise ValueError(f"canonical analysis needs at least two views, got {len(views)}")
    for k, view in enumerate(views):
        if view.ndim != 2:
            raise ValueError(f"view {k} must be a matrix of rows and columns; its shape is {view.shape}")
        check_finite(view, k, range(view.shape[1]))
    rows = [len(view) for view in views]
    if len(set(rows)) > 1:
        raise ValueError(f"views must have the same rows; they have {', '.join(map(str, rows))}")
    if rows[0] < 2:
        raise ValueError(f"at least 2 rows are needed, got n_samples={rows[0]}")


def check_finite(view: Array, position: int, names: Sequence[object]) -> None:
    """Raise ValueError that names the first column with a missing or infinite value."""
    if np.isfinite(view.sum()):
        return
    bad = ~np.isfinite(view)
    if bad.any():
        column = int(bad.any(axis=0).argmax())
        kind = "NaN" if np.isnan(view[:, column]).any() else "infinity"
        raise ValueError(
            f"view {position} contains {kind} in column {names[column]!r}; impute the column or drop these rows"
        )


def analysis_of_moments(
    state: CovarianceState,
    n_features: Sequence[int],
    n_components: int | None = None,
    shrinkage: float = 0.0,
    scale: bool = True,
) -> CanonicalAnalysis:
    """`canonical_analysis` of views whose columns, side by side, were folded into `state`."""
    if not 0.0 <= shrinkage <= 1.0:
        raise ValueError(f"shrinkage must lie in 0..1, got {shrinkage}")
    deviation = deviations(np.diag(state.scatter), state.mean, state.n)
    constant = deviation == 0.0
    unit = np.where(constant, 1.0, deviation) if scale else np.ones(len(constant))
    covariance = state.covariance() / np.outer(unit, unit)
    covariance[constant] = covariance[:, constant] = 0.0
    slices = view_slices(n_features)
    metrics = []
    for part in slices:
        metrics.append((1.0 - shrinkage) * covariance[part, part])
        np.fill_diagonal(metrics[-1], np.diag(metrics[-1]) + shrinkage * ~constant[part])
    found = generalised_eigenvectors(covariance, metrics, n_components)
    if shrinkage > 0.0 or not warn_of_ranks(found.ranks, n_features, state.n):
        warn_of_perfection(found.correlations)
    weights = tuple(w / unit[part, None] for w, part in zip(found.weights, slices))
    return CanonicalAnalysis(weights, found.correlations, found.values, found.ranks)


def deviations(scatter: Array, mean: Array, n: int) -> Array:
    """Standard deviation of each column, exactly 0 where rounding alone keeps it from 0."""
    deviation = np.sqrt(scatter / max(n - 1, 1))
    noise = 4.0 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(deviation <= noise, 0.0, deviation)


def view_slices(n_features: Sequence[int]) -> list[slice]:
    """Where each view's columns lie when the views stand side by side.

    Examples
    --------
    >>> view_slices([2, 3])
    [slice(0, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum([0, *n_features]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


def generalised_eigenvectors(
    covariance: Array, metrics: Sequence[Array], n_components: int | None = None
) -> CanonicalAnalysis:
    """Leading solutions of ``C w = value V w``, `C` the blocks of `covariance` between views.

    Parameters
    ----------
    covariance : ndarray of shape (n_columns, n_columns)
        Of all views side by side.
    metrics : sequence of ndarray of shape (n_features_i, n_features_i)
        Diagonal blocks of `V`, positive semi-definite; directions without length are left out.
    n_components : int, optional
        By default the smallest rank.

    Returns
    -------
    CanonicalAnalysis
        Scaled so that ``w_i' V_i w_i`` is 1, for more than two views on average over views.

    Raises
    ------
    ValueError
        If `n_components` is below 1 or above the smallest rank.
    """
    slices = view_slices([len(metric) for metric in metrics])
    bases = [_whitening(metric) for metric in metrics]
    ranks = tuple(basis.shape[1] for basis in bases)
    k = _n_components(n_components, ranks, [len(metric) for metric in metrics])
    if len(bases) == 2:
        left, values, right = np.linalg.svd(
            bases[0].T @ covariance[slices[0], slices[1]] @ bases[1], full_matrices=False
        )
        directions, values = [left[:, :k], right[:k].T], values[:k]
    else:
        directions, values = _several(covariance, bases, slices, k)
    weights = _signed([basis @ direction for basis, direction in zip(bases, directions)])
    return CanonicalAnalysis(tuple(weights), score_correlations(covariance, weights), values, ranks)


def _whitening(metric: Array) -> Array:
    """Columns that span `metric` and in which it is the identity, shape (n_features, rank)."""
    lengths, axes = np.linalg.eigh(metric)
    kept = lengths > 10.0 * len(metric) * np.finfo(np.float64).eps * max(lengths[-1], 0.0)
    return axes[:, kept] / np.sqrt(lengths[kept])


def _n_components(asked: int | None, ranks: Sequence[int], n_features: Sequence[int]) -> int:
    smallest = int(np.argmin(ranks))
    if ranks[smallest] == 0:
        raise ValueError(f"view {smallest} is constant and correlates with nothing; leave it out")
    if asked is None:
        return ranks[smallest]
    if not 1 <= asked <= ranks[smallest]:
        raise ValueError(
            f"n_components={asked} must lie in 1..{ranks[smallest]}: view {smallest} has {n_features[smallest]} "
            f"columns of rank {ranks[smallest]}"
        )
    return asked


def _several(covariance: Array, bases: Sequence[Array], slices: Sequence[slice], k: int) -> tuple[list[Array], Array]:
    """Whitened directions and eigenvalues for any number of views."""
    inner = view_slices([basis.shape[1] for basis in bases])
    between = np.zeros((inner[-1].stop, inner[-1].stop))
    for i, (basis, rows, here) in enumerate(zip(bases, slices, inner)):
        for j in range(i):
            between[here, inner[j]] = basis.T @ covariance[rows, slices[j]] @ bases[j]
    values, vectors = np.linalg.eigh(between)  # reads the lower triangle
    leading = vectors[:, ::-1][:, :k] * np.sqrt(len(bases))
    return [leading[part] for part in inner], values[::-1][:k]


def _signed(weights: Sequence[Array]) -> list[Array]:
    """Signs under which the largest weight of each component in the first view is positive."""
    first = weights[0]
    largest = np.take_along_axis(first, np.abs(first).argmax(axis=0)[None], axis=0)[0]
    sign = np.where(largest < 0, -1.0, 1.0)
    return [w * sign for w in weights]


def score_correlations(covariance: Array, weights: Sequence[Array]) -> Array:
    """Correlation of the scores of each component, the mean over pairs of views; shape (n_components,).

    Parameters
    ----------
    covariance : ndarray of shape (n_columns, n_columns)
        Of all views side by side.
    weights : sequence of ndarray of shape (n_features_i, n_components)
    """
    slices = view_slices([len(w) for w in weights])
    spread = [np.sqrt(np.maximum(_quadratic(covariance[s, s], w, w), 0.0)) for s, w in zip(slices, weights)]
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(len(weights)):
            for j in range(i):
                product = _quadratic(covariance[slices[i], slices[j]], weights[i], weights[j])
                found.append(product / (spread[i] * spread[j]))
    return np.clip(np.mean(found, axis=0), -1.0, 1.0)


def _quadratic(matrix: Array, left: Array, right: Array) -> Array:
    """``left_k' matrix right_k`` of each column k."""
    return np.einsum("ik,ik->k", left, matrix @ right)


def warn_of_ranks(ranks: Sequence[int], n_features: Sequence[int], n_samples: int) -> bool:
    """Warn of views with dependent columns, and of rows too few for the ranks; True for the latter."""
    for k, (rank, columns) in enumerate(zip(ranks, n_features)):
        if rank < columns:
            warnings.warn(
                f"view {k}: {columns} columns of {n_samples} rows have rank {rank}; {rank} directions are kept",
                RankWarning,
                stacklevel=3,
            )
    first, second = sorted(ranks)[-2:]
    forced = first + second - (n_samples - 1)
    if forced > 0:
        warnings.warn(
            f"{n_samples} rows are too few for views of rank {first} and {second}: {min(first, second, forced)} "
            "canonical correlations are 1 whatever the data; set shrinkage above 0 and measure on other rows",
            RankWarning,
            stacklevel=3,
        )
    return forced > 0


def warn_of_perfection(correlations: Array) -> None:
    """Warn where a correlation is 1: views share a direction exactly, or the rows are too few."""
    n_perfect = int(np.count_nonzero(np.abs(correlations) >= PERFECT))
    if n_perfect:
        warnings.warn(
            f"{n_perfect} canonical correlations are 1: the views share columns or combinations of them, or there are "
            "too few rows",
            RankWarning,
            stacklevel=3,
        )
