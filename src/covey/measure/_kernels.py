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
