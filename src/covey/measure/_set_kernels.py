"""The numba kernels behind `covey.measure.sets`; in their own module so that numba loads only when used."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROWS_IN_CACHE = 1024
# Enough for the compiler to vectorise sums; NaN and infinity keep their meaning.
REORDERED_SUMS = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, fastmath=REORDERED_SUMS)
def add_overlaps(
    columns: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    signed: NDArray[np.float64],
    unsigned: NDArray[np.float64],
) -> None:
    """Add to each pair the sums of ``min(|x|, |y|)``, with and without the sign of ``x y``."""
    n_rows = columns.shape[1]
    for start in range(0, n_rows, ROWS_IN_CACHE):
        stop = min(start + ROWS_IN_CACHE, n_rows)
        for p in range(left.size):
            x = columns[left[p], start:stop]
            y = columns[right[p], start:stop]
            with_sign = 0.0
            without = 0.0
            for r in range(x.size):
                a = abs(x[r])
                b = abs(y[r])
                smaller = a if a < b else b
                without += smaller
                with_sign += math.copysign(smaller, x[r] * y[r])
            signed[p] += with_sign
            unsigned[p] += without


@njit(nogil=True, cache=True)
def common_overlaps(
    columns: NDArray[np.float64],
    weights: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    standardise: bool,
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """For each pair, over its common rows: signed and unsigned overlap and both sizes (rows of `sums`)."""
    for p in range(left.size):
        x = columns[left[p]]
        y = columns[right[p]]
        common = ~(np.isnan(x) | np.isnan(y))
        u = x[common]
        v = y[common]
        w = weights[common]
        counts[p] = u.size
        if u.size == 0 or (standardise and (u.min() == u.max() or v.min() == v.max())):
            sums[p] = np.nan
            continue
        if standardise:
            u = (u - u.mean()) / u.std()
            v = (v - v.mean()) / v.std()
        for r in range(u.size):
            smaller = w[r] * min(abs(u[r]), abs(v[r]))
            sums[p, 0] += math.copysign(smaller, u[r] * v[r])
            sums[p, 1] += smaller
            sums[p, 2] += w[r] * abs(u[r])
            sums[p, 3] += w[r] * abs(v[r])
