"""Exact distance correlation of two columns of numbers in O(n log n) a pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._pairs import PairKernel, from_module
from covey.measure.distance import Moments, corrected_ratio, distance_correlation, independence_pvalue


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


def _finish(sums: NDArray[np.float64], pvalues: bool) -> PairStatistics:
    m = _moments(sums)
    defined = (m.left_mean > 0) & (m.right_mean > 0)
    scale = np.sqrt(np.where(defined, m.left_variance * m.right_variance, 1.0))
    value = np.where(defined, np.sqrt(np.clip(m.covariance / scale, 0.0, 1.0)), np.nan)
    p = independence_pvalue(corrected_ratio(m), m.n) if pvalues else None
    return PairStatistics(value, m.n.astype(np.int64), p)


register(
    Measure(
        "distance_correlation_exact",
        "distance correlation of two numbers without binning (slower)",
        distance_correlation,
        PairKernel(from_module("covey.measure._pair_kernels", "distance_sums"), _finish, uses_values=True),
        numeric_pair,
    )
)
