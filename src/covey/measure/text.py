"""How many different features a corpus holds for its size: feature density, raw and at a common size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import gammaln

from covey.measure._null import permutation_pvalue
from covey.measure._store import ColumnStore
from covey.table import Column


def feature_density(counts: Any, size: int | None = None) -> float:
    """Different features over occurrences of features: the type-token ratio of any preprocessing of texts.

    The ratio falls as a corpus grows. With `size` it is what a random sample of so many occurrences has on average
    (rarefaction), so that corpora of unlike sizes can be compared.

    Parameters
    ----------
    counts : array-like or sparse matrix of shape (n_documents, n_features), or (n_features,)
        How often each feature occurs; not negative.
    size : int, optional
        Occurrences to compare at, at most those of the corpus; all of them by default.

    Returns
    -------
    float
        In 0..1; NaN for a corpus without a feature.

    Raises
    ------
    ValueError
        If a count is negative or not whole, or `size` is out of range.

    References
    ----------
    Eronen, Ptaszynski, Masui, Leliwa and Wroczynski (2022), Initial Study into Application of Feature Density and
    Linguistically-backed Embedding to Improve Machine Learning-based Cyberbullying Detection. arXiv:2206.01889.
    Hurlbert (1971), The nonconcept of species diversity, Ecology 52.

    Examples
    --------
    >>> counts = [[2, 1, 0], [2, 0, 1]]
    >>> feature_density(counts), round(feature_density(counts, size=2), 3)
    (0.5, 0.8)
    """
    totals = _totals(counts)
    n = float(totals.sum())
    if size is None:
        return len(totals) / n if n else float("nan")
    if not 1 <= size <= n:
        raise ValueError(f"size must lie between 1 and the {n:.0f} occurrences of the corpus, got {size}")
    return float(_seen(totals, n, size).sum()) / size


def density_performance_correlation(
    density: ArrayLike, performance: ArrayLike, n_permutations: int = 999, random_state: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rank correlation of the density of preprocessing variants with the score that each model reaches on them.

    Parameters
    ----------
    density : array-like of shape (n_variants,)
    performance : array-like of shape (n_variants, n_models)
        Say, F1 on texts kept apart.
    n_permutations : int
    random_state : int

    Returns
    -------
    correlation : ndarray of shape (n_models,)
        Spearman's, -1..1; NaN where all scores or all densities are equal.
    pvalues : ndarray of shape (n_models,)
        Two-sided, by permuting variants, for each model alone.

    Raises
    ------
    ValueError
        If shapes do not fit, values are missing, or there are fewer than four variants.

    References
    ----------
    Eronen, Ptaszynski, Masui, Leliwa and Wroczynski (2022), arXiv:2206.01889.

    Examples
    --------
    >>> r, p = density_performance_correlation([0.1, 0.2, 0.3, 0.4, 0.5], [[5.0], [4.0], [3.0], [2.0], [1.0]])
    >>> float(r[0].round(6)), bool(p[0] < 0.05)
    (-1.0, True)
    """
    x, y = np.asarray(density, dtype=np.float64), np.asarray(performance, dtype=np.float64)
    if x.ndim != 1 or y.ndim != 2 or len(x) != len(y) or len(x) < 4:
        raise ValueError(f"performance must have a row for each of at least 4 variants, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("density and performance must not be missing; leave such variants out")
    ranks = _standard_ranks(np.column_stack([x, y]))
    correlation = ranks[:, 0] @ ranks[:, 1:] / len(x)
    rng = np.random.default_rng(random_state)
    null = np.stack([rng.permutation(ranks[:, 0]) @ ranks[:, 1:] for _ in range(n_permutations)]) / len(x)
    pvalues = permutation_pvalue(np.abs(correlation) - 1e-12, np.abs(null))
    return correlation, np.where(np.isnan(correlation), np.nan, pvalues)


def _standard_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    store = ColumnStore([Column(str(j), "numeric", column) for j, column in enumerate(values.T)])
    ranks = np.column_stack([store.ranks(j) for j in range(len(store))])
    spread = ranks.std(axis=0)
    return (ranks - ranks.mean(axis=0)) / np.where(spread > 0, spread, np.nan)


def _totals(counts: Any) -> NDArray[np.float64]:
    """Occurrences of each feature that occurs at all."""
    if sparse.issparse(counts):
        values: ArrayLike = counts.data
        totals = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    else:
        values = np.asarray(counts, dtype=np.float64)
        totals = values if values.ndim == 1 else values.sum(axis=0)
    entries = np.asarray(values)
    if not (np.isfinite(entries).all() and (entries >= 0).all() and (entries == np.floor(entries)).all()):
        raise ValueError("counts must be whole numbers that are not negative")
    return totals[totals > 0]


def _seen(totals: NDArray[np.float64], n: float, size: int) -> NDArray[np.float64]:
    """Chance that each feature is among `size` occurrences drawn without replacement."""
    rest = n - totals
    possible = rest >= size
    log_missed = gammaln(rest + 1) - gammaln(np.where(possible, rest - size, 0.0) + 1)
    log_missed -= gammaln(n + 1) - gammaln(n - size + 1)
    return -np.expm1(np.where(possible, log_missed, -np.inf))
