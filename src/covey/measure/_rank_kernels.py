"""The numba kernel that ranks streamed values against a summary of their column."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_CHUNK = 512


@njit(nogil=True, cache=True)
def interpolate(values: NDArray[np.float64], points: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray:
    """``np.interp(values, points, heights)``, NaN kept, several times faster.

    The steps of the binary search are taken for a chunk of values together, without branches, so that they run in
    vector registers.

    Parameters
    ----------
    values : ndarray of shape (n,)
    points : ndarray of shape (n_points,)
        Strictly ascending, at least one.
    heights : ndarray of shape (n_points,)

    Returns
    -------
    ndarray of shape (n,)
    """
    n, n_points = len(values), len(points)
    out = np.empty(n)
    if n_points == 1:
        for i in range(n):
            out[i] = heights[0] if values[i] == values[i] else np.nan
        return out
    widest = 1
    while 2 * widest <= n_points:
        widest *= 2
    low = np.empty(_CHUNK, dtype=np.int64)
    for start in range(0, n, _CHUNK):
        chunk = values[start : start + _CHUNK]
        size = len(chunk)
        for i in range(size):
            low[i] = n_points - widest if points[n_points - widest] <= chunk[i] else 0
        step = widest >> 1
        while step:
            for i in range(size):
                low[i] = low[i] + step if points[low[i] + step] <= chunk[i] else low[i]
            step >>= 1
        for i in range(size):
            k = min(low[i], n_points - 2)
            a, b = points[k], points[k + 1]
            share = (min(max(chunk[i], a), b) - a) / (b - a)
            out[start + i] = heights[k] + share * (heights[k + 1] - heights[k]) if chunk[i] == chunk[i] else np.nan
    return out
