"""The numba kernel that ranks many columns; in a module of its own so that numba loads only when it is used."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def rank_shares(
    columns: NDArray[np.float64], orders: NDArray[np.intp], out: NDArray[np.float64]
) -> None:  # NumPy sorts with vector instructions, numba does not
    """Write mid-ranks as shares of the present rows, in (0, 1); what is missing stays as it is.

    Parameters
    ----------
    columns : ndarray of shape (n_columns, n_rows), float64
        A row a column.
    orders : ndarray of shape (n_columns, n_rows), int64
        Rows that sort each column, NaN last.
    out : ndarray of shape (n_columns, n_rows), float64
        Takes the share of the present rows that is smaller, plus half of the share that is equal.
    """
    n_columns, n_rows = columns.shape
    for j in range(n_columns):
        values = columns[j]
        order = orders[j]
        n = n_rows
        while n > 0 and values[order[n - 1]] != values[order[n - 1]]:
            n -= 1
        start = 0
        while start < n:
            stop = start + 1
            while stop < n and values[order[stop]] == values[order[start]]:
                stop += 1
            share = 0.5 * (start + stop) / n
            for k in range(start, stop):
                out[j, order[k]] = share
            start = stop
