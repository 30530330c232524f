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


@njit(nogil=True, cache=True, fastmath=REORDERED_SUMS)
def common_moments(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """Number of common rows and, over them, mean and standard deviation of each; 0 for a constant column.

    A value equals itself unless it is NaN; written so, the loops are vectorised.
    """
    count = 0.0
    sum_x = 0.0
    sum_y = 0.0
    for r in range(x.size):
        common = x[r] == x[r] and y[r] == y[r]
        count += 1.0 if common else 0.0
        sum_x += x[r] if common else 0.0
        sum_y += y[r] if common else 0.0
    if count == 0:
        return count, np.nan, np.nan, np.nan, np.nan
    first = 0
    while not (x[first] == x[first] and y[first] == y[first]):
        first += 1
    mean_x = sum_x / count
    mean_y = sum_y / count
    square_x = 0.0
    square_y = 0.0
    moves_x = 0.0
    moves_y = 0.0
    for r in range(x.size):
        common = x[r] == x[r] and y[r] == y[r]
        u = x[r] - mean_x if common else 0.0
        v = y[r] - mean_y if common else 0.0
        square_x += u * u
        square_y += v * v
        moves_x += 1.0 if common and x[r] != x[first] else 0.0
        moves_y += 1.0 if common and y[r] != y[first] else 0.0
    scale_x = math.sqrt(square_x / count) if moves_x > 0 else 0.0
    scale_y = math.sqrt(square_y / count) if moves_y > 0 else 0.0
    return count, mean_x, mean_y, scale_x, scale_y


@njit(nogil=True, cache=True, fastmath=REORDERED_SUMS)
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
        count, mean_x, mean_y, scale_x, scale_y = common_moments(x, y)
        counts[p] = int(count)
        if count == 0 or (standardise and (scale_x == 0 or scale_y == 0)):
            sums[p] = np.nan
            continue
        if not standardise:
            mean_x = mean_y = 0.0
            scale_x = scale_y = 1.0
        factor_x = 1.0 / scale_x
        factor_y = 1.0 / scale_y
        with_sign = 0.0
        without = 0.0
        size_x = 0.0
        size_y = 0.0
        for r in range(x.size):
            common = x[r] == x[r] and y[r] == y[r]
            u = (x[r] - mean_x) * factor_x if common else 0.0
            v = (y[r] - mean_y) * factor_y if common else 0.0
            a = weights[r] * abs(u)
            b = weights[r] * abs(v)
            smaller = a if a < b else b
            with_sign += math.copysign(smaller, u * v)
            without += smaller
            size_x += a
            size_y += b
        sums[p, 0] = with_sign
        sums[p, 1] = without
        sums[p, 2] = size_x
        sums[p, 3] = size_y
