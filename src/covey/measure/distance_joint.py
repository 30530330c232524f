"""Distance correlation of sets of columns: of two blocks, and of each candidate joined to a set with a target."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform

from covey.engine import Engine, LocalEngine, resolve
from covey.measure.distance import _double_centred, _u_centred, distance_matrix

Array = NDArray[np.float64]
BLOCK = 16  # columns that share one pass over the pairs of rows


def squared_distances(x: Array) -> Array:
    """Squared Euclidean distances of the rows of `x`, shape (n_rows, n_rows); 0 for no column.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    return squareform(pdist(x, "sqeuclidean")) if x.shape[1] else np.zeros((len(x), len(x)))


def multivariate_distance_correlation(x: ArrayLike, y: ArrayLike, corrected: bool = False) -> float:
    """Distance correlation of two sets of columns.

    Parameters
    ----------
    x : array-like of shape (n_rows,) or (n_rows, n_columns)
    y : array-like of shape (n_rows,) or (n_rows, n_other_columns)
        Complete; whole numbers in one dimension are codes of categories, at distance 1 when they differ.
    corrected : bool
        The bias-corrected squared distance correlation instead, which does not grow with the number of columns.

    Returns
    -------
    float
        In 0..1, or at most 1 when corrected; NaN when all rows of a set are equal, and for fewer than 4 rows when
        corrected.

    Raises
    ------
    ValueError
        If the sets have different or no rows, or hold words, missing or infinite values.

    References
    ----------
    Szekely, Rizzo and Bakirov (2007), Measuring and testing dependence by correlation of distances. Ann. Stat. 35.
    Szekely and Rizzo (2013), The distance correlation t-test of independence in high dimension. J. Multivar. Anal. 117.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = x[:, 0] * x[:, 1]
    >>> [round(multivariate_distance_correlation(part, y, corrected=True), 2) for part in (x[:, :1], x)]
    [0.05, 0.15]
    """
    distances = [_distances(values, name) for values, name in ((x, "x"), (y, "y"))]
    if len(distances[0]) != len(distances[1]):
        raise ValueError(f"x and y must hold the same rows, not {[len(d) for d in distances]}")
    none = np.zeros((1, len(distances[0])))
    return float(joint_distance_correlations(none, distances[0] ** 2, distances[1], corrected, LocalEngine(1))[0])


def joint_distance_correlations(
    columns: Array, base: Array, target: Array, corrected: bool = False, engine: Engine | str | None = None
) -> Array:
    """Distance correlation with a target of each column joined to the same set of columns.

    Parameters
    ----------
    columns : ndarray of shape (n_columns, n_rows)
    base : ndarray of shape (n_rows, n_rows)
        Squared distances of the rows in the set (`squared_distances`); zeros for the columns alone.
    target : ndarray of shape (n_rows, n_rows)
        Distances of the rows in the target.
    corrected : bool
        Bias-corrected and squared.
    engine : Engine or str, optional
        Where blocks of columns run; the result does not depend on it.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where undefined.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    >>> target = np.abs(np.subtract.outer(x[0], x[0]))
    >>> joint_distance_correlations(x, np.zeros((4, 4)), target, engine="local:1").tolist()
    [1.0, 0.0]
    """
    n = len(target)
    if corrected and n < 4:
        return np.full(len(columns), np.nan)
    centred = _u_centred(target) if corrected else _double_centred(target)
    own = float(np.sum(centred * centred))
    columns = np.ascontiguousarray(columns)
    blocks = [columns[start : start + BLOCK] for start in range(0, len(columns), BLOCK)]
    parts = resolve(engine).map(partial(_sums, base, centred), blocks)
    product, square, row_squares, total = np.concatenate(parts).T if parts else np.empty((4, 0))
    if corrected:
        variance = square - 2 / (n - 2) * row_squares + total**2 / ((n - 1) * (n - 2))
    else:
        variance = square - 2 / n * row_squares + (total / n) ** 2
    defined = (variance > 1e-14 * square) & (own > 1e-14 * np.sum(target**2))
    ratio = product / np.sqrt(np.where(defined, variance * own, 1.0))
    return np.where(defined, np.clip(ratio, -1.0, 1.0) if corrected else np.sqrt(np.clip(ratio, 0.0, 1.0)), np.nan)


def _sums(base: Array, centred: Array, columns: Array) -> Array:
    from covey.measure._distance_kernels import joint_distance_sums

    out = np.empty((len(columns), 4))
    joint_distance_sums(columns, base, centred, out)
    return out


def _distances(values: ArrayLike, name: str) -> Array:
    array = np.asarray(values)
    if array.ndim not in (1, 2) or not len(array) or array.shape[-1] == 0:
        raise ValueError(f"{name} must have rows and columns, got shape {array.shape}")
    if array.ndim == 1 and array.dtype.kind in "iub":
        return distance_matrix(array.astype(np.int64))
    try:
        array = array.astype(np.float64).reshape(len(array), -1)
    except (TypeError, ValueError):
        raise ValueError(f"{name} holds words; give whole numbers for categories") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds missing or infinite values; leave out those rows")
    array = array - array[0]
    spread = np.abs(array).max()  # their ratio knows no unit, but squares of very large or small numbers are lost
    return squareform(pdist(array / spread if spread > 0 else array))
