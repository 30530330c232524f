"""Exact distance correlation of two columns of numbers in O(n log n) a pair.

With x in ascending order, ``|dx| |dy|`` is ``dx dy`` for pairs of rows in rising order of y and its negative for the
inverted ones; a merge sort by y meets every inverted pair once and carries the sums that it needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import LocalEngine
from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._pairs import PairKernel, from_module
from covey.measure._store import ColumnStore
from covey.measure.distance import Moments, corrected_ratio, distance_correlation, independence_pvalue
from covey.table import Column


def distance_correlation_exact(x: ArrayLike, y: ArrayLike) -> float:
    """Distance correlation of two columns of numbers, equal to the definition, in O(n log n).

    Parameters
    ----------
    x, y : array-like of shape (n,)
        Rows where one is NaN are left out.

    Returns
    -------
    float
        In 0..1; NaN when a column is constant.

    Raises
    ------
    ValueError
        If the columns are not one-dimensional, differ in length, have no row or hold infinity.

    References
    ----------
    Huo and Szekely (2016), Fast computing for distance covariance, Technometrics 58; Chaudhuri and Hu (2019), A fast
    algorithm for computing distance correlation, Comput. Stat. Data Anal. 135.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(distance_correlation_exact(x, x**2), 3)
    0.492
    """
    return float(_finish(_sums(x, y), False).values[0])


def u_distance_correlation_sqr(x: ArrayLike, y: ArrayLike) -> float:
    """Bias-corrected squared distance correlation of two columns of numbers, in O(n log n).

    Parameters
    ----------
    x, y : array-like of shape (n,)
        Rows where one is NaN are left out.

    Returns
    -------
    float
        At most 1, about 0 (and possibly negative) under independence; NaN when a column is constant or n < 4.

    Raises
    ------
    ValueError
        As for `distance_correlation_exact`.

    References
    ----------
    Szekely and Rizzo (2014), Partial distance correlation with methods for dissimilarities, Ann. Stat. 42.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(u_distance_correlation_sqr(x, x), 6)
    1.0
    """
    return float(_corrected(_sums(x, y))[0])


def distance_correlation_pvalue(x: ArrayLike, y: ArrayLike) -> float:
    """P-value of the chi-square test of independence of two columns of numbers, in O(n log n).

    The upper tail of a chi-square of one degree of freedom at ``n R + 1``, where R is `u_distance_correlation_sqr`; a
    valid, conservative test at levels up to 0.086.

    Parameters
    ----------
    x, y : array-like of shape (n,)
        Rows where one is NaN are left out.

    Returns
    -------
    float
        In 0..1; NaN when a column is constant or n < 4.

    Raises
    ------
    ValueError
        As for `distance_correlation_exact`.

    References
    ----------
    Shen, Panda and Vogelstein (2022), The chi-square test of distance correlation, J. Comput. Graph. Stat. 31.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> distance_correlation_pvalue(x, x**2) < 1e-5
    True
    """
    sums = _sums(x, y)
    return float(independence_pvalue(_corrected(sums), sums[:, 0])[0])


def _sums(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    columns = [Column(name, "numeric", _checked(values, name)) for name, values in (("x", x), ("y", y))]
    if len(columns[0].values) != len(columns[1].values):
        raise ValueError(f"x and y must hold the same rows, not {[len(c.values) for c in columns]}")
    return KERNEL.sums(ColumnStore(columns), np.array([0]), np.array([1]), LocalEngine(1))


def _checked(values: ArrayLike, name: str) -> NDArray[np.float64]:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or not len(column):
        raise ValueError(f"{name} must be one column with at least one row, got shape {column.shape}")
    if np.isinf(column).any():
        raise ValueError(f"{name} holds infinity; replace it by NaN or clip the column")
    return column


@np.errstate(divide="ignore", invalid="ignore")
def _corrected(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return corrected_ratio(_moments(sums))


def _moments(sums: NDArray[np.float64]) -> Moments:
    """Means of products of distances as `Moments`; resolution is exact."""
    n, product, square_x, square_y, row_product, row_x, row_y, total_x, total_y = sums.T
    mean_x, mean_y = total_x / n**2, total_y / n**2
    cross, own_x, own_y = row_product / n**3, row_x / n**3, row_y / n**3
    zero = np.zeros_like(n)
    return Moments(
        n=n,
        covariance=product / n**2 - 2.0 * cross + mean_x * mean_y,
        left_variance=square_x / n**2 - 2.0 * own_x + mean_x**2,
        right_variance=square_y / n**2 - 2.0 * own_y + mean_y**2,
        left_mean=mean_x,
        right_mean=mean_y,
        product=cross,
        left_square=own_x,
        right_square=own_y,
        left_resolution=zero,
        right_resolution=zero,
    )


@np.errstate(divide="ignore", invalid="ignore")
def _finish(sums: NDArray[np.float64], pvalues: bool) -> PairStatistics:
    m = _moments(sums)
    defined = (m.left_mean > 0) & (m.right_mean > 0)
    scale = np.sqrt(np.where(defined, m.left_variance * m.right_variance, 1.0))
    value = np.where(defined, np.sqrt(np.clip(m.covariance / scale, 0.0, 1.0)), np.nan)
    p = independence_pvalue(corrected_ratio(m), m.n) if pvalues else None
    return PairStatistics(value, m.n.astype(np.int64), p)


KERNEL = PairKernel(from_module("covey.measure._pair_kernels", "distance_sums"), _finish, uses_values=True)
register(
    Measure(
        "distance_correlation_exact",
        "distance correlation of two numbers without binning (slower)",
        distance_correlation,
        KERNEL,
        numeric_pair,
    )
)
