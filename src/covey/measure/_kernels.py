"""The numba kernel behind `joint_tables`; in a module of its own so that numba loads only when it is used."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def count_tables(codes: NDArray, left: NDArray, right: NDArray, out: NDArray[np.uint32]) -> None:
    """Add to ``out[p, a, b]`` the rows where column ``left[p]`` has code `a` and ``right[p]`` code `b`."""
    n_rows = codes.shape[1]
    for p in range(left.size):
        x = codes[left[p]]
        y = codes[right[p]]
        table = out[p]
        for r in range(n_rows):
            table[x[r], y[r]] += np.uint32(1)


@njit(nogil=True, cache=True, fastmath={"contract"})
def distance_covariance(
    centred: NDArray[np.float64],
    gaps_x: NDArray[np.float64],
    within_x: NDArray[np.float64],
    gaps_y: NDArray[np.float64],
    within_y: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Squared distance covariance of centred joint tables of two numbers; see `covey.measure.distance._covariance`.

    One pass over each table, with the sums over lower levels of either side and of both carried along.
    """
    n_pairs, n_x, n_y = centred.shape
    out = np.empty(n_pairs)
    for p in range(n_pairs):
        lower_x = np.zeros(n_y)
        full = 0.0
        half = 0.0
        hidden = 0.0
        for k in range(n_x):
            gap_x = gaps_x[p, k] if k < n_x - 1 else 0.0
            lower_y = 0.0
            lower_both = 0.0
            row_full = 0.0
            row_x = 0.0
            row_y = 0.0
            row_hidden = 0.0
            for l in range(n_y):
                cell = centred[p, k, l]
                lower_x[l] += cell
                lower_y += cell
                lower_both += lower_x[l]
                gap_y = gaps_y[p, l] if l < n_y - 1 else 0.0
                row_full += gap_y * lower_both * lower_both
                row_x += within_y[p, l] * lower_x[l] * lower_x[l]
                row_y += gap_y * lower_y * lower_y
                row_hidden += within_y[p, l] * cell * cell
            full += gap_x * row_full
            half += gap_x * row_x + within_x[p, k] * row_y
            hidden += within_x[p, k] * row_hidden
        out[p] = 4.0 * full - 2.0 * half + hidden
    return out


@njit(nogil=True, cache=True)
def add_where(
    mask: NDArray[np.bool_],
    values: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """Add to ``sums[j]`` and ``squares[j]`` the rows (and their squares) where column `j` of the mask holds.

    ``counts[j, k]`` grows by the rows where columns `j` and `k` of the mask both hold. Shapes: `mask` and `values`
    (n_rows, n_columns), the others (n_columns, n_columns).
    """
    n_rows, m = mask.shape
    held = np.empty(m, dtype=np.int64)
    for row in range(n_rows):
        n_held = 0
        for j in range(m):
            if mask[row, j]:
                held[n_held] = j
                n_held += 1
        for a in range(n_held):
            j = held[a]
            for k in range(m):
                value = values[row, k]
                sums[j, k] += value
                squares[j, k] += value * value
            for b in range(n_held):
                counts[j, held[b]] += 1.0


@njit(nogil=True, cache=True)
def correlate_pairs(
    values: NDArray[np.float64], left: NDArray[np.intp], right: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Correlation of columns ``left[p]`` and ``right[p]`` over the rows where both are present, and their number.

    `values` has one column a row, shape (n_columns, n_rows), NaN for missing. Means first, then deviations, both from
    the first common row, so that rows that are far away and not common take no digits.
    """
    out = np.full(left.size, np.nan)
    rows = np.zeros(left.size, dtype=np.int64)
    for p in range(left.size):
        x = values[left[p]]
        y = values[right[p]]
        n = 0
        sum_x = sum_y = first_x = first_y = 0.0
        low_x = low_y = np.inf
        high_x = high_y = -np.inf
        for r in range(x.size):
            a, b = x[r], y[r]
            if a == a and b == b:
                if n == 0:
                    first_x, first_y = a, b
                n += 1
                sum_x += a - first_x
                sum_y += b - first_y
                low_x, high_x = min(low_x, a), max(high_x, a)
                low_y, high_y = min(low_y, b), max(high_y, b)
        rows[p] = n
        if n == 0 or low_x == high_x or low_y == high_y:
            continue
        mean_x, mean_y = sum_x / n, sum_y / n
        lift_x = 1.0 if high_x - low_x > 1e-100 else 1e150  # squares of what is left beside an outlier do not vanish
        lift_y = 1.0 if high_y - low_y > 1e-100 else 1e150
        xx = yy = xy = 0.0
        for r in range(x.size):
            a, b = (x[r] - first_x - mean_x) * lift_x, (y[r] - first_y - mean_y) * lift_y
            if a == a and b == b:
                xx += a * a
                yy += b * b
                xy += a * b
        if xx > 0.0 and yy > 0.0:
            out[p] = min(1.0, max(-1.0, xy / (np.sqrt(xx) * np.sqrt(yy))))
    return out, rows
