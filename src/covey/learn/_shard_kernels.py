"""Loops over the cells of a shard and over the tokens of sequences."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def take_cells(
    z: NDArray[np.float32], indptr: NDArray[np.int64], indices: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    """Entries of the rows of `z` at the cells of a CSR pattern, into `out`, shape (n_cells,)."""
    for i in range(len(z)):
        for cell in range(indptr[i], indptr[i + 1]):
            out[cell - indptr[0]] = z[i, indices[cell]]


@njit(nogil=True, cache=True)
def put_cells(
    z: NDArray[np.float32], indptr: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32]
) -> None:
    """The reverse of `take_cells`."""
    for i in range(len(z)):
        for cell in range(indptr[i], indptr[i + 1]):
            z[i, indices[cell]] = values[cell - indptr[0]]


@njit(nogil=True, cache=True)
def window_pairs(
    tokens: NDArray[np.int32],
    bounds: NDArray[np.int64],
    weights: NDArray[np.float64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    weight: NDArray[np.float64],
) -> int:
    """Pairs of known tokens (codes from 0) at most ``len(weights)`` places apart in a sequence; returns how many."""
    n = 0
    for s in range(len(bounds) - 1):
        for t in range(bounds[s], bounds[s + 1]):
            for u in range(t + 1, min(t + 1 + len(weights), bounds[s + 1])):
                if tokens[t] >= 0 and tokens[u] >= 0:
                    left[n], right[n], weight[n] = tokens[t], tokens[u], weights[u - t - 1]
                    n += 1
    return n
