"""How many different features a corpus holds for its size: feature density, raw and at a common size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import gammaln


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
