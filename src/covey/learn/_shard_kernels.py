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
    ends: NDArray[np.int64],
    places: tuple[int, int],
    weights: NDArray[np.float64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    weight: NDArray[np.float64],
) -> int:
    """Pairs of a token at one of the `places` (first, last) and a later one at most ``len(weights)`` places apart.

    ``ends[t]`` is where the sequence of token `t` ends; unknown tokens are below 0. Returns how many pairs there are.
    """
    n = 0
    for t in range(places[0], places[1]):
        if tokens[t] < 0:
            continue
        for u in range(t + 1, min(t + 1 + len(weights), ends[t])):
            if tokens[u] >= 0:
                left[n], right[n], weight[n] = tokens[t], tokens[u], weights[u - t - 1]
                n += 1
    return n
