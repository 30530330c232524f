"""Spearman correlation with the ranks taken anew on the common rows of every pair, as pandas does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._null import correlation_pvalue
from covey.measure._pairs import PairKernel, from_module
from covey.measure.rank import spearman


def _finish(sums: NDArray[np.float64], pvalues: bool) -> PairStatistics:
    n, square_x, square_y, product = sums.T
    defined = (square_x > 0) & (square_y > 0)
    value = np.where(defined, np.clip(product / np.sqrt(square_x * square_y), -1.0, 1.0), np.nan)
    return PairStatistics(value, n.astype(np.int64), correlation_pvalue(value, n) if pvalues else None)


register(
    Measure(
        "spearman_pairwise",
        "spearman, ranked anew on the common rows of every pair (differs only with missing values)",
        spearman,
        PairKernel(from_module("covey.measure._pair_kernels", "spearman_sums"), _finish),
        numeric_pair,
        signed=True,
    )
)
