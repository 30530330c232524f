"""The numba kernels of signatures: Chen's identity one segment at a time, and the logarithm of a tensor series.

A series truncated at level `depth` is one vector: the level 1 block (`d` numbers), then level 2 (`d * d`), and so on;
the level 0 term is 1 and not stored.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(nogil=True, cache=True)
def advance(state: Array, step: Array, depth: int, work: Array) -> None:
    """Multiply the signature `state` by that of a straight segment `step`, in place.

    Level k of the product is Horner's form of the sum over j of level j times ``step ** (k - j) / (k - j)!``; levels
    are renewed from the highest down, so that the lower ones are still the old ones.
    """
    d = step.size
    size = d**depth
    end = state.size
    for k in range(depth, 0, -1):
        for c in range(d):
            work[c] = state[c] + step[c] / k
        width = d
        start = d
        for j in range(2, k + 1):
            weight = 1.0 / (k - j + 1)
            for i in range(width - 1, -1, -1):  # backwards: the entries still to be read are left of those written
                left = work[i] * weight
                for c in range(d):
                    work[i * d + c] = state[start + i * d + c] + left * step[c]
            start += width * d
            width *= d
        end -= size
        for i in range(size):
            state[end + i] = work[i]
        size //= d


@njit(nogil=True, cache=True)
def _move(
    state: Array, old: Array, new: Array, depth: int, n_once: int, lead_lag: bool, step: Array, work: Array
) -> None:
    """Extend a path from vertex `old` to `new`; doubled channels move first in the lead copy, then in the lag copy."""
    n = old.size
    for c in range(n):
        step[c] = new[c] - old[c]
    for c in range(n, step.size):
        step[c] = 0.0
    advance(state, step, depth, work)
    if lead_lag:
        for c in range(n):
            step[c] = 0.0
        for c in range(n_once, n):
            step[n + c - n_once] = new[c] - old[c]
        advance(state, step, depth, work)


@njit(nogil=True, cache=True)
def trace(
    vertices: Array, last: NDArray[np.int64], ends: Array, depth: int, n_once: int, lead_lag: bool, out: Array
) -> None:
    """Signatures of one path up to several points.

    Row q of `out` is the signature of the polygon through ``vertices[: last[q] + 1]`` and then ``ends[q]``; `last` must
    not fall. With `lead_lag` all channels but the first `n_once` are doubled.
    """
    n = vertices.shape[1]
    d = 2 * n - n_once if lead_lag else n
    state = np.zeros(out.shape[1])
    reached = np.empty_like(state)
    work = np.empty(d**depth)
    step = np.empty(d)
    at = 0
    for q in range(last.size):
        while at < last[q]:
            _move(state, vertices[at], vertices[at + 1], depth, n_once, lead_lag, step, work)
            at += 1
        reached[:] = state
        moved = False
        for c in range(n):
            moved |= ends[q, c] != vertices[at, c]
        if moved:
            _move(reached, vertices[at], ends[q], depth, n_once, lead_lag, step, work)
        out[q] = reached


@njit(nogil=True, cache=True)
def multiply(left: Array, constant: float, right: Array, d: int, depth: int, out: Array) -> None:
    """Product of a series without constant term and ``constant + right``, truncated at `depth`."""
    for i in range(out.size):
        out[i] = constant * left[i]
    start_left = 0
    width_left = d
    for p in range(1, depth):
        start_right = 0
        width_right = d
        start_out = start_left + width_left  # start of level p + 1
        width_out = width_left * d
        for _ in range(depth - p):
            for i in range(width_left):
                x = left[start_left + i]
                row = start_out + i * width_right
                for j in range(width_right):
                    out[row + j] += x * right[start_right + j]
            start_right += width_right
            start_out += width_out
            width_right *= d
            width_out *= d
        start_left += width_left
        width_left *= d


@njit(nogil=True, cache=True)
def logarithms(series: Array, d: int, depth: int) -> Array:
    """``log(1 + x)`` of each row x, by Horner: ``x (1 - x (1/2 - x (1/3 - ...)))``."""
    out = np.empty_like(series)
    inner = np.empty(series.shape[1])
    product = np.empty(series.shape[1])
    for r in range(series.shape[0]):
        inner[:] = 0.0
        for n in range(depth - 1, 0, -1):  # inner + 1 / (n + 1) becomes 1 / n - x (inner + 1 / (n + 1))
            multiply(series[r], 1.0 / (n + 1), inner, d, depth, product)
            for i in range(inner.size):
                inner[i] = -product[i]
        multiply(series[r], 1.0, inner, d, depth, out[r])
    return out
