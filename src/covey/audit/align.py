"""Match the whole distribution of a feature to that of a reference, by sorting."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[np.float64]


def sort_match(x: ArrayLike, reference: ArrayLike) -> Array:
    """Give `x` the distribution of `reference`: its r-th smallest value becomes the reference's r-th smallest.

    Parameters
    ----------
    x : array-like of shape (n,) or (n, n_features)
    reference : array-like of shape (m,) or (m, n_features)
        If `m` is not `n`, its quantiles at the `n` levels ``(r + 0.5) / n``, linear between its values.

    Returns
    -------
    ndarray of the shape of `x`
        Each column has exactly the reference's values where ``m == n``. Equal values of `x` are told apart by their
        position.

    Raises
    ------
    ValueError
        If the columns differ, there are no rows, or a value is missing or infinite.

    References
    ----------
    Zhang, Li, Li, Jia and Zhang (2022), Exact Feature Distribution Matching for Arbitrary Style Transfer and Domain
    Generalization. CVPR. arXiv:2203.07740. Rolland et al. (2000), Fast algorithms for histogram matching.

    Examples
    --------
    >>> sort_match([3.0, 1.0, 2.0], [10.0, 30.0, 20.0])
    array([30., 10., 20.])
    >>> sort_match([3.0, 1.0, 2.0, 4.0], [0.0, 1.0])
    array([0.75, 0.  , 0.25, 1.  ])
    """
    values, wanted = np.asarray(x, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if values.ndim not in (1, 2) or values.shape[1:] != wanted.shape[1:] or wanted.ndim != values.ndim:
        raise ValueError(f"x and reference must have the same columns; their shapes are {values.shape}, {wanted.shape}")
    if not len(values) or not len(wanted):
        raise ValueError("x and reference need at least one row each")
    for name, array in (("x", values), ("reference", wanted)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds missing or infinite values; fill them or drop the rows")
    out = np.empty_like(values)
    order = np.argsort(values, axis=0, kind="stable")
    np.put_along_axis(out, order, resample_sorted(np.sort(wanted, axis=0), len(values)), axis=0)
    return out


def resample_sorted(ordered: Array, n: int) -> Array:
    """Quantiles of sorted columns at the `n` levels ``(r + 0.5) / n``; the columns themselves if they have `n` rows.

    Examples
    --------
    >>> resample_sorted(np.array([0.0, 10.0]), 5)
    array([ 0.,  1.,  5.,  9., 10.])
    """
    m = len(ordered)
    if m == n:
        return ordered
    place = np.clip((np.arange(n) + 0.5) * m / n - 0.5, 0.0, m - 1.0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, m - 1)
    weight = (place - low).reshape(-1, *[1] * (ordered.ndim - 1))
    return (1.0 - weight) * ordered[low] + weight * ordered[high]


class DistributionMatcher(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map each feature of a shifted domain to its distribution in a reference, by a monotone function.

    `fit` learns the distribution of the shifted domain, `transform` sends its quantiles to those of the reference. Rows
    that `fit` saw have the reference's distribution afterwards, as by `sort_match`; equal values stay equal, at the
    mean of what they are matched to.

    Parameters
    ----------
    reference : array-like of shape (n_reference, n_features), optional
        Missing values are left out. By default the standard normal distribution.

    Attributes
    ----------
    source_ : list of ndarray
        For each feature the different values that were seen, increasing.
    matched_ : list of ndarray
        What they become; values in between are interpolated, those beyond become the first or the last.

    References
    ----------
    Zhang, Li, Li, Jia and Zhang (2022), Exact Feature Distribution Matching for Arbitrary Style Transfer and Domain
    Generalization. CVPR. arXiv:2203.07740.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> reference, shifted = rng.exponential(size=(500, 1)), 3 + 2 * rng.exponential(size=(500, 1))
    >>> matched = DistributionMatcher(reference).fit_transform(shifted)
    >>> bool((np.sort(matched, axis=0) == np.sort(reference, axis=0)).all())
    True
    """

    def __init__(self, reference: Any = None) -> None:
        self.reference = reference

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the distribution of each column of `X`; missing values are left out."""
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        reference = self._reference(X.shape[1])
        self.source_, self.matched_ = [], []
        for j, column in enumerate(X.T):
            present = np.sort(column[~np.isnan(column)])
            wanted = normal_quantiles(len(present)) if reference is None else _present(reference[:, j], j)
            source, matched = _monotone(present, wanted)
            self.source_.append(source)
            self.matched_.append(matched)
        return self

    def _reference(self, n_features: int) -> Array | None:
        if self.reference is None:
            return None
        reference = np.asarray(self.reference, dtype=np.float64)
        if reference.ndim != 2 or reference.shape[1] != n_features:
            raise ValueError(f"reference must have the {n_features} columns of X; its shape is {reference.shape}")
        return reference

    def transform(self, X: Any) -> Array:
        """Matched values, shape (n_samples, n_features); missing ones stay missing."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan")
        out = np.full(X.shape, np.nan)
        for j, (source, matched) in enumerate(zip(self.source_, self.matched_)):
            present = ~np.isnan(X[:, j])
            if len(source):
                out[present, j] = np.interp(X[present, j], source, matched)
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def normal_quantiles(n: int) -> Array:
    """Quantiles of the standard normal distribution at the levels ``(r + 0.5) / n``, increasing."""
    return ndtri((np.arange(n) + 0.5) / max(n, 1))


def _present(column: Array, position: int) -> Array:
    values = np.sort(column[~np.isnan(column)])
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"column {position} of reference is all missing or has infinite values; mend or drop it")
    return values


def _monotone(present: Array, wanted: Array) -> tuple[Array, Array]:
    """The different values of a sorted column, and for each the mean of the sorted `wanted` at its ranks."""
    source, start, count = np.unique(present, return_index=True, return_counts=True)
    if not len(source):
        return source, source
    return source, np.add.reduceat(resample_sorted(wanted, len(present)), start) / count
