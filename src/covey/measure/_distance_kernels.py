"""The numba kernel behind `covey.measure.distance_joint`; in a module of its own so that numba loads only when used."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def joint_distance_sums(
    columns: NDArray[np.float64], base: NDArray[np.float64], centred: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Sums over pairs of rows of ``sqrt(base + (x - x')^2)`` for each column, in ``out[c]``.

    Its product with `centred`, its square, the squared sums of its rows, and itself; pairs are counted in both orders.
    A row of `base` and `centred` serves all columns while it is in the cache.

    Shapes: `columns` (n_columns, n_rows), `base` and `centred` (n_rows, n_rows), `out` (n_columns, 4).
    """
    n_columns, n_rows = columns.shape
    rows = np.zeros((n_columns, n_rows))
    product = np.zeros(n_columns)
    square = np.zeros(n_columns)
    for i in range(n_rows):
        for c in range(n_columns):
            x = columns[c]
            row = rows[c]
            here = x[i]
            product_here = 0.0
            square_here = 0.0
            total_here = 0.0
            for j in range(i):
                difference = here - x[j]
                squared = base[i, j] + difference * difference
                distance = np.sqrt(squared)
                product_here += distance * centred[i, j]
                square_here += squared
                total_here += distance
                row[j] += distance
            row[i] += total_here
            product[c] += product_here
            square[c] += square_here
    for c in range(n_columns):
        squares = 0.0
        total = 0.0
        for i in range(n_rows):
            squares += rows[c, i] * rows[c, i]
            total += rows[c, i]
        out[c, 0] = 2.0 * product[c]
        out[c, 1] = 2.0 * square[c]
        out[c, 2] = squares
        out[c, 3] = total
