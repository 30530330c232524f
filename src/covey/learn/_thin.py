"""Products of rows with a few columns of weights, in the rows' own precision: bound by memory, not by arithmetic.

Matrix products of BLAS pack their operands first, which costs more than a product with a few columns itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import issparse

Array = NDArray[np.float64]
MOST_COLUMNS = 16
CACHED_ROWS = 64
# Sums may be reordered; infinities and NaN keep their meaning.
REORDERED = {"reassoc", "contract", "nsz"}


def times(rows: Any, weights: Array) -> Array:
    """``rows @ weights``.

    Parameters
    ----------
    rows : matrix of shape (n_rows, n_columns)
        Dense of float32 or float64, or SciPy sparse.
    weights : ndarray of shape (n_columns, n_components)

    Returns
    -------
    ndarray of shape (n_rows, n_components), float64
        Sums are taken in the precision of the rows.

    Examples
    --------
    >>> times(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    if not _is_thin(rows, weights):
        return np.asarray(rows @ weights)
    out = np.empty((rows.shape[0], weights.shape[1]), dtype=rows.dtype)
    _times(rows, np.ascontiguousarray(weights.T, dtype=rows.dtype), out)
    return out.astype(np.float64, copy=False)


def transposed_times(rows: Any, scores: Array) -> Array:
    """``rows.T @ scores``.

    Parameters
    ----------
    rows : matrix of shape (n_rows, n_columns)
        As for `times`.
    scores : ndarray of shape (n_rows, n_components)

    Returns
    -------
    ndarray of shape (n_columns, n_components), float64

    Examples
    --------
    >>> transposed_times(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[3.],
           [6.]])
    """
    if not _is_thin(rows, scores):
        return np.asarray(rows.T @ scores)
    out = np.zeros((scores.shape[1], rows.shape[1]), dtype=rows.dtype)
    _transposed_times(rows, scores.astype(rows.dtype, copy=False), out)
    return np.ascontiguousarray(out.T, dtype=np.float64)


def mean_and_scatter(rows: Array) -> tuple[Array, Array]:
    """Mean of each column and sum of squares about it, in float64, in one pass over memory.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns), float32 or float64

    Returns
    -------
    mean, scatter : ndarray of shape (n_columns,)

    References
    ----------
    Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, Am. Stat. 37.

    Examples
    --------
    >>> mean_and_scatter(np.array([[1.0], [3.0]]))
    (array([2.]), array([2.]))
    """
    mean, scatter = np.zeros((2, rows.shape[1]))
    _mean_and_scatter(rows, mean, scatter)
    return mean, scatter


def _is_thin(rows: Any, other: Array) -> bool:
    return not issparse(rows) and rows.flags.c_contiguous and other.shape[1] <= MOST_COLUMNS


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _times(rows: NDArray, weights: NDArray, out: NDArray) -> None:
    n_rows, n_columns = rows.shape
    k = weights.shape[0]
    zero = rows.dtype.type(0)
    for first in range(0, k - k % 4, 4):
        for i in range(n_rows):
            a = b = c = d = zero
            for j in range(n_columns):
                value = rows[i, j]
                a += value * weights[first, j]
                b += value * weights[first + 1, j]
                c += value * weights[first + 2, j]
                d += value * weights[first + 3, j]
            out[i, first], out[i, first + 1], out[i, first + 2], out[i, first + 3] = a, b, c, d
    for last in range(k - k % 4, k):
        for i in range(n_rows):
            a = zero
            for j in range(n_columns):
                a += rows[i, j] * weights[last, j]
            out[i, last] = a


@njit(nogil=True, cache=True, fastmath=REORDERED)
def _transposed_times(rows: NDArray, scores: NDArray, out: NDArray) -> None:
    n_rows, n_columns = rows.shape
    k = scores.shape[1]
    for first in range(0, k - k % 4, 4):
        for i in range(n_rows):
            a, b, c, d = scores[i, first], scores[i, first + 1], scores[i, first + 2], scores[i, first + 3]
            for j in range(n_columns):
                value = rows[i, j]
                out[first, j] += value * a
                out[first + 1, j] += value * b
                out[first + 2, j] += value * c
                out[first + 3, j] += value * d
    for last in range(k - k % 4, k):
        for i in range(n_rows):
            a = scores[i, last]
            for j in range(n_columns):
                out[last, j] += rows[i, j] * a


@njit(nogil=True, cache=True)
def _mean_and_scatter(rows: NDArray, mean: Array, scatter: Array) -> None:
    """Rows in parts that stay in cache, each about its own mean, then merged."""
    n_rows, n_columns = rows.shape
    part_mean = np.empty(n_columns)
    for start in range(0, n_rows, CACHED_ROWS):
        stop = min(start + CACHED_ROWS, n_rows)
        size = stop - start
        part_mean[:] = 0.0
        for i in range(start, stop):
            for j in range(n_columns):
                part_mean[j] += rows[i, j]
        for j in range(n_columns):
            part_mean[j] /= size
        for i in range(start, stop):
            for j in range(n_columns):
                scatter[j] += (rows[i, j] - part_mean[j]) ** 2
        for j in range(n_columns):
            shift = part_mean[j] - mean[j]
            scatter[j] += shift * shift * (start * size / stop)
            mean[j] += shift * (size / stop)
