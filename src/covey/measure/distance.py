"""Distance correlation of any two columns: numbers, dates, booleans, categories, in any mixture.

Numbers are at their distance apart, categories at distance 1 when they differ. With the distance kernel written as
``|x - x'| = integral of (1[x > t] - 1[x' > t])^2 dt``, the squared distance covariance of a joint table is four times
the squared norm of its centred, cumulated and gap-weighted form: a few vectorised lines over a batch of tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, PairStatistics, any_pair, register
from covey.measure._null import chi2_pvalue
from covey.measure._tables import Side, TableKernel


def max_bins(n_rows: int) -> int:
    """Bins of a column of numbers: the error of the embedding falls as the square of their number."""
    return 96


def distance_matrix(column: NDArray) -> NDArray[np.float64]:
    """Pairwise distances of one column: |x - x'| for floats, 1[x != x'] for integer codes; shape (n, n)."""
    if np.issubdtype(column.dtype, np.floating):
        return np.abs(column[:, None] - column[None, :])
    return (column[:, None] != column[None, :]).astype(np.float64)


def distance_correlation(x: NDArray, y: NDArray) -> float:
    """Distance correlation of two complete columns, by the definition.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Floats are numbers; integers are codes of categories.

    Returns
    -------
    float
        In 0..1; NaN when a column is constant.

    References
    ----------
    Szekely, Rizzo and Bakirov (2007), Measuring and testing dependence by correlation of distances, Ann. Stat. 35;
    Lyons (2013), Distance covariance in metric spaces, Ann. Probab. 41.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(distance_correlation(x, x**2), 3)
    0.492
    """
    a, b = (_double_centred(distance_matrix(c)) for c in (x, y))
    variance = np.sqrt(np.mean(a * a) * np.mean(b * b))
    return float(np.sqrt(max(np.mean(a * b), 0.0) / variance)) if variance > 0 else float("nan")


def distance_correlation_corrected(x: NDArray, y: NDArray) -> float:
    """Bias-corrected squared distance correlation of two complete columns, by the definition.

    Returns
    -------
    float
        At most 1, about 0 (and possibly negative) under independence; NaN when n < 4, or when a column is constant, but
        for one row at most, or a category on each row.

    References
    ----------
    Szekely and Rizzo (2013), The distance correlation t-test of independence in high dimension, J. Multivar. Anal. 117.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(distance_correlation_corrected(x, x), 6)
    1.0
    """
    n = len(x)
    if n < 4:
        return float("nan")
    a, b = (_u_centred(distance_matrix(c)) for c in (x, y))
    variance = np.sum(a * a) * np.sum(b * b)
    return float(np.sum(a * b) / np.sqrt(variance)) if variance > 0 else float("nan")


def _double_centred(d: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = d.mean(axis=0)
    return d - rows[:, None] - rows[None, :] + rows.mean()


def _u_centred(d: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(d)
    rows = d.sum(axis=0)
    u = d - (rows[:, None] + rows[None, :]) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(u, 0.0)
    return np.where(np.abs(u) > 1e-12 * d.max(), u, 0.0)  # all but one row equal: 0, but for rounding


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums of a batch of joint tables from which every distance statistic follows; arrays of shape (n_pairs,).

    `covariance` is the squared distance covariance (V-statistic); `left_variance` and `right_variance` the squared
    distance variances; `*_mean` mean distances; `product` the mean of the product of row mean distances, `*_square`
    the mean squares of the row mean distances; `*_resolution` the largest share of the mean distance that one bin may
    hide.
    """

    n: NDArray[np.float64]
    covariance: NDArray[np.float64]
    left_variance: NDArray[np.float64]
    right_variance: NDArray[np.float64]
    left_mean: NDArray[np.float64]
    right_mean: NDArray[np.float64]
    product: NDArray[np.float64]
    left_square: NDArray[np.float64]
    right_square: NDArray[np.float64]
    left_resolution: NDArray[np.float64]
    right_resolution: NDArray[np.float64]


def distance_moments(tables: NDArray[np.float64], x: Side, y: Side) -> Moments:
    """Distance moments of a batch of joint tables, shape (n_pairs, n_levels_left, n_levels_right)."""
    n = tables.sum(axis=(1, 2))
    joint = tables / n[:, None, None]
    p, q = joint.sum(axis=2), joint.sum(axis=1)
    mean_x, mean_y = _row_means(p, x), _row_means(q, y)
    product = _bilinear(mean_x, joint, mean_y)
    joint -= p[:, :, None] * q[:, None, :]
    return Moments(
        n=n,
        covariance=_covariance(joint, x, y),
        left_variance=_variance(p, x),
        right_variance=_variance(q, y),
        left_mean=np.sum(p * mean_x, axis=1),
        right_mean=np.sum(q * mean_y, axis=1),
        product=product,
        left_square=np.sum(p * mean_x**2, axis=1),
        right_square=np.sum(q * mean_y**2, axis=1),
        left_resolution=x.resolution / n,
        right_resolution=y.resolution / n,
    )


def _covariance(centred: NDArray[np.float64], x: Side, y: Side) -> NDArray[np.float64]:
    """Squared distance covariance of centred joint tables, shape (n_pairs,)."""
    if x.nominal and y.nominal:
        return np.einsum("pkl,pkl->p", centred, centred)
    if x.nominal:
        return _covariance(np.ascontiguousarray(centred.transpose(0, 2, 1)), y, x)
    if not y.nominal:
        from covey.measure._kernels import distance_covariance

        return distance_covariance(centred, x.gaps, x.within, y.gaps, y.within)
    # a distance hidden within a bin lowers the kernel on its diagonal (`within`)
    ones = np.ones(y.positions.shape)
    lower = np.cumsum(centred, axis=1)[:, :-1]
    return 2.0 * _bilinear(x.gaps, lower * lower, ones) - _bilinear(x.within, centred * centred, ones)


def _bilinear(a: NDArray[np.float64], tables: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``a' T b`` of each table of a batch, shape (n_pairs,)."""
    return np.einsum("pk,pk->p", a, (tables @ b[:, :, None])[:, :, 0])


def _variance(p: NDArray[np.float64], side: Side) -> NDArray[np.float64]:
    """Squared distance variance of marginals, shape (n_pairs,): the covariance of a column with itself in O(levels)."""
    if side.nominal:
        square = np.sum(p**2, axis=1)
        return square - 2.0 * np.sum(p**3, axis=1) + square**2
    below = np.cumsum(p, axis=1)[:, :-1]
    gaps = side.gaps
    low, high = gaps * below**2, gaps * (1.0 - below) ** 2
    diagonal = np.sum((gaps * below * (1.0 - below)) ** 2, axis=1)
    off = np.sum(low * (np.cumsum(high[:, ::-1], axis=1)[:, ::-1] - high), axis=1)
    zero = np.zeros((len(p), 1))
    spread = np.concatenate([zero, np.cumsum(low, axis=1)], axis=1)
    spread += np.concatenate([np.cumsum(high[:, ::-1], axis=1)[:, ::-1], zero], axis=1)
    m = side.within
    hidden = np.sum(m**2 * (p**2 - 2.0 * p**3), axis=1) + np.sum(m * p**2, axis=1) ** 2
    return 4.0 * diagonal + 8.0 * off - 4.0 * np.sum(m * p**2 * spread, axis=1) + hidden


def _row_means(p: NDArray[np.float64], side: Side) -> NDArray[np.float64]:
    """Mean distance of each level to a random row, shape (n_pairs, n_levels)."""
    if side.nominal:
        return 1.0 - p
    below = np.cumsum(p, axis=1)[:, :-1]
    zero = np.zeros((len(p), 1))
    up = np.cumsum(side.gaps * below, axis=1)
    down = np.cumsum((side.gaps * (1.0 - below))[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([zero, up], axis=1) + np.concatenate([down, zero], axis=1) + p * side.within


def corrected_ratio(m: Moments) -> NDArray[np.float64]:
    """Bias-corrected squared distance correlation from moments; NaN for n < 4 and where one row decides."""
    n = m.n
    shrink, stretch = 4.0 / (n - 2), (3 * n - 2) / ((n - 1) * (n - 2))
    covariance = m.covariance - shrink * m.product + stretch * m.left_mean * m.right_mean
    left = m.left_variance - shrink * m.left_square + stretch * m.left_mean**2
    right = m.right_variance - shrink * m.right_square + stretch * m.right_mean**2
    defined = (n >= 4) & _determined(left, m.left_mean, m.left_resolution, n)
    defined &= _determined(right, m.right_mean, m.right_resolution, n)
    ratio = covariance / np.sqrt(np.where(defined, left * right, 1.0))
    return np.where(defined, np.clip(ratio, -1.0, 1.0), np.nan)


def _determined(
    variance: NDArray[np.float64],
    mean: NDArray[np.float64],
    resolution: NDArray[np.float64],
    n: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether a corrected variance stands out from rounding, and from bins, where the correction removes nearly all.

    It removes all when at most one row differs, and nearly all when one row is far beyond the others.
    """
    rounding = 1e-14 * n * mean**2 + 1e-15
    return variance > np.where(resolution > 0, 1e-4 * mean**2, rounding)


def independence_pvalue(ratio: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-value of the chi-square test of independence from the bias-corrected ratio.

    Valid (conservative) at levels up to 0.086 for any two columns.

    References
    ----------
    Shen, Panda and Vogelstein (2022), The chi-square test of distance correlation, J. Comput. Graph. Stat. 31.
    """
    return np.where(np.isnan(ratio), np.nan, chi2_pvalue(n * ratio + 1.0, np.ones_like(n)))


def plain_correlation(m: Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance correlation and a bound of what binning can hide, both of shape (n_pairs,).

    Binning replaces a kernel feature by its mean in the bin. What is left over lives on disjoint stretches of the line,
    so its covariance has no eigenvalue above the largest p_b E|x - x'| / 2 of a bin b; the norm of the covariance of
    two columns then changes by at most the root of that eigenvalue times the trace of the other side. Sides add up.
    On the common rows of a pair, a sum over rows is at most the sum over all rows of the column, hence the resolution.
    """
    scale = np.sqrt(m.left_variance * m.right_variance)
    tiny = 1e-15 * (m.left_mean * m.right_mean)
    square = np.where(scale > tiny, np.clip(m.covariance, 0.0, None) / np.where(scale > 0, scale, 1.0), np.nan)
    value = np.sqrt(np.minimum(square, 1.0))
    hidden = np.sqrt(m.left_resolution * m.right_mean) + np.sqrt(m.right_resolution * m.left_mean)
    return value, np.where(np.isnan(value), np.nan, np.minimum(hidden / np.sqrt(scale), 1.0))


def _reduce(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    moments = distance_moments(tables, x, y)
    value, bound = plain_correlation(moments)
    p = independence_pvalue(corrected_ratio(moments), moments.n) if pvalues else None
    return PairStatistics(value, moments.n.astype(np.int64), p, error_bound=bound)


def _reduce_corrected(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    moments = distance_moments(tables, x, y)
    ratio = corrected_ratio(moments)
    p = independence_pvalue(ratio, moments.n) if pvalues else None
    return PairStatistics(ratio, moments.n.astype(np.int64), p)


register(
    Measure(
        "distance_correlation",
        "any dependence between columns of any kinds, 0 only when independent",
        distance_correlation,
        TableKernel(_reduce, max_bins, "value"),
        any_pair,
    )
)
register(
    Measure(
        "distance_correlation_corrected",
        "squared distance correlation without its bias: about 0 when independent, may be negative",
        distance_correlation_corrected,
        TableKernel(_reduce_corrected, max_bins, "value"),
        any_pair,
    )
)
