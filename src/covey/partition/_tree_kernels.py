"""Kernels of histogram trees. Sums run over rows in one order for each column, wherever the column lies."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def add_histograms(
    codes: NDArray[np.uint8],
    slots: NDArray[np.int32],
    target: NDArray[np.int32],
    gradient: NDArray[np.float32],
    hessian: NDArray[np.float32],
    n_targets: int,
    n_bins: int,
) -> NDArray[np.float64]:
    """Sums of gradient, hessian and rows by node, column and bin.

    Parameters
    ----------
    codes : ndarray of shape (n, m), uint8
    slots : ndarray of shape (n_outputs, n), int32
        Open node of each row in each output's tree; -1 where it has come to a leaf.
    target : ndarray of shape (n_slots,), int32
        Where a node's sums go; -1 for a node to leave out.
    gradient, hessian : ndarray of shape (n, n_outputs), float32
    n_targets, n_bins : int

    Returns
    -------
    ndarray of shape (n_targets, m, n_bins, 3), float64
    """
    n, m = codes.shape
    out = np.zeros((n_targets, m, n_bins, 3))
    for c in range(slots.shape[0]):
        for r in range(n):
            slot = slots[c, r]
            if slot < 0 or target[slot] < 0:
                continue
            into = out[target[slot]]
            g, h = np.float64(gradient[r, c]), np.float64(hessian[r, c])
            for j in range(m):
                cell = into[j, codes[r, j]]
                cell[0] += g
                cell[1] += h
                cell[2] += 1.0
    return out


@njit(nogil=True, cache=True)
def node_totals(
    slots: NDArray[np.int32], gradient: NDArray[np.float32], hessian: NDArray[np.float32], n_slots: int
) -> NDArray[np.float64]:
    """Sums of gradient, hessian and rows of each node, shape (n_slots, 3)."""
    out = np.zeros((n_slots, 3))
    for c in range(slots.shape[0]):
        for r in range(slots.shape[1]):
            slot = slots[c, r]
            if slot >= 0:
                out[slot, 0] += np.float64(gradient[r, c])
                out[slot, 1] += np.float64(hessian[r, c])
                out[slot, 2] += 1.0
    return out


@njit(nogil=True, cache=True)
def best_splits(
    histograms: NDArray[np.float64],
    totals: NDArray[np.float64],
    l2: float,
    min_samples: float,
    min_hessian: float,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """The split of each node that gains most; of equal ones the first by column, bin and missing to the right.

    Parameters
    ----------
    histograms : ndarray of shape (n_slots, m, n_bins, 3)
        The last bin holds the missing values.
    totals : ndarray of shape (n_slots, 3)
    l2, min_samples, min_hessian : float

    Returns
    -------
    gain : ndarray of shape (n_slots,)
        0 where nothing gains.
    column, bin : ndarray of shape (n_slots,), int32
        Rows of `column` with a code of at most `bin` go left.
    missing_left : ndarray of shape (n_slots,), bool
    """
    n_slots, m, n_bins, _ = histograms.shape
    gain = np.zeros(n_slots)
    column = np.full(n_slots, -1, dtype=np.int32)
    threshold = np.zeros(n_slots, dtype=np.int32)
    missing_left = np.zeros(n_slots, dtype=np.bool_)
    for s in range(n_slots):
        G, H, N = totals[s, 0], totals[s, 1], totals[s, 2]
        parent = G * G / (H + l2)
        for j in range(m):
            cells = histograms[s, j]
            missing = cells[n_bins - 1]
            g = h = n = 0.0
            for b in range(n_bins - 1):
                if cells[b, 2] == 0.0:
                    continue
                g += cells[b, 0]
                h += cells[b, 1]
                n += cells[b, 2]
                for way in range(2 if missing[2] > 0.0 else 1):
                    gl, hl, nl = g + way * missing[0], h + way * missing[1], n + way * missing[2]
                    gr, hr, nr = G - gl, H - hl, N - nl
                    if nl < min_samples or nr < min_samples or hl < min_hessian or hr < min_hessian:
                        continue
                    found = gl * gl / (hl + l2) + gr * gr / (hr + l2) - parent
                    if found > gain[s]:
                        gain[s], column[s], threshold[s], missing_left[s] = found, j, b, way == 1
    return gain, column, threshold, missing_left


@njit(nogil=True, cache=True)
def add_leaves(
    scores: NDArray[np.float64],
    directions: NDArray[np.uint8],
    owner: NDArray[np.int32],
    row_of_node: NDArray[np.int64],
    left: NDArray[np.int32],
    value: NDArray[np.float64],
    roots: NDArray[np.int64],
) -> None:
    """Add the leaf value of every tree to the scores (n, n_outputs), in place; trees go round the outputs.

    Parameters
    ----------
    scores : ndarray of shape (n, n_outputs)
    directions : ndarray of shape (n_splits, n), uint8
        1 where a row goes left.
    owner : ndarray of shape (n_nodes,), int32
        -1 for a leaf.
    row_of_node : ndarray of shape (n_nodes,), int64
        Row of `directions`.
    left : ndarray of shape (n_nodes,), int32
        Left child; the right one is the next.
    value : ndarray of shape (n_nodes,)
    roots : ndarray of shape (n_trees,)
    """
    n, n_outputs = scores.shape
    for tree in range(len(roots)):
        for r in range(n):
            node = roots[tree]
            while owner[node] >= 0:
                node = left[node] + (0 if directions[row_of_node[node], r] else 1)
            scores[r, tree % n_outputs] += value[node]
