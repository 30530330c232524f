"""Kendall's tau-b in O(n log n) a pair: inversions counted by a merge sort."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._null import normal_pvalue
from covey.measure._pairs import PairKernel, from_module


def kendall(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Kendall's tau-b of two complete columns, by the definition.

    Returns
    -------
    float
        In -1..1; NaN when a column is constant.

    References
    ----------
    Kendall (1945), The treatment of ties in ranking problems, Biometrika 33; Knight (1966), A computer method for
    calculating Kendall's tau with ungrouped data, J. Am. Stat. Assoc. 61.

    Examples
    --------
    >>> round(kendall(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])), 4)
    0.6667
    """
    a, b = np.sign(x[:, None] - x[None, :]), np.sign(y[:, None] - y[None, :])
    norm = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.sum(a * b) / norm) if norm > 0 else float("nan")


def _finish(sums: NDArray[np.float64], pvalues: bool) -> PairStatistics:
    n, surplus, tie_x, x0, x1, tie_y, y0, y1 = sums.T
    total = n * (n - 1) / 2
    untied_x, untied_y = total - tie_x, total - tie_y
    defined = (untied_x > 0) & (untied_y > 0)
    value = np.where(defined, np.clip(surplus / np.sqrt(untied_x * untied_y), -1.0, 1.0), np.nan)
    if not pvalues:
        return PairStatistics(value, n.astype(np.int64))
    m = n * (n - 1)
    variance = (m * (2 * n + 5) - x1 - y1) / 18 + 2 * tie_x * tie_y / m + x0 * y0 / (9 * m * (n - 2))
    p = np.where(defined & (n > 2), normal_pvalue(surplus / np.sqrt(variance)), np.nan)
    return PairStatistics(value, n.astype(np.int64), p)


register(
    Measure(
        "kendall",
        "monotone dependence as the surplus of concordant pairs (tau-b)",
        kendall,
        PairKernel(from_module("covey.measure._pair_kernels", "kendall_sums"), _finish),
        numeric_pair,
        signed=True,
    )
)
