"""Numba kernels of sums of c log c over joint tables; in a module of their own so that numba loads only when used."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NEGLIGIBLE = 1e-20


@njit(nogil=True, cache=True)
def cell_sum(x: NDArray[np.int32], y: NDArray[np.int32], n_x: int, n_y: int) -> float:
    """Sum of c log c over the joint counts c of two complete columns of codes; never more memory than some rows."""
    if np.int64(n_x) * n_y <= max(4096, 4 * x.size):
        return _dense_sum(x, y, n_x, n_y)
    return _sorted_sum(x, y, n_x, n_y)


@njit(nogil=True, cache=True)
def _dense_sum(x: NDArray[np.int32], y: NDArray[np.int32], n_x: int, n_y: int) -> float:
    counts = np.zeros(n_x * n_y, dtype=np.int32)
    for i in range(x.size):
        counts[np.int64(x[i]) * n_y + y[i]] += 1
    total = 0.0
    for count in counts:
        if count > 1:
            total += count * np.log(count)
    return total


@njit(nogil=True, cache=True)
def _sorted_sum(x: NDArray[np.int32], y: NDArray[np.int32], n_x: int, n_y: int) -> float:
    starts = np.zeros(n_x + 1, dtype=np.int64)
    for code in x:
        starts[code + 1] += 1
    for v in range(n_x):
        starts[v + 1] += starts[v]
    place = starts[:-1].copy()
    grouped = np.empty(x.size, dtype=np.int32)
    for i in range(x.size):
        grouped[place[x[i]]] = y[i]
        place[x[i]] += 1
    counts = np.zeros(n_y, dtype=np.int64)
    total = 0.0
    for v in range(n_x):
        for i in range(starts[v], starts[v + 1]):
            counts[grouped[i]] += 1
        for i in range(starts[v], starts[v + 1]):
            count = counts[grouped[i]]
            if count > 1:
                total += count * np.log(count)
            counts[grouped[i]] = 0
    return total


@njit(nogil=True, cache=True)
def shifted(x: NDArray[np.int32], y: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """`y` read, at each row, as many rows later as the row's value of `x` occurs (cyclically)."""
    n = x.size
    out = np.empty(n, dtype=np.int32)
    for i in range(n):
        j = i + counts[x[i]]
        out[i] = y[j - n if j >= n else j]
    return out


@njit(nogil=True, cache=True)
def first_rows(x: NDArray[np.int32], n_x: int, most: int) -> NDArray[np.bool_]:
    """Mask of the first `most` rows of each value."""
    seen = np.zeros(n_x, dtype=np.int64)
    out = np.empty(x.size, dtype=np.bool_)
    for i in range(x.size):
        out[i] = seen[x[i]] < most
        seen[x[i]] += 1
    return out


@njit(nogil=True, cache=True)
def expected_cell_sum(
    a: NDArray[np.int64], times_a: NDArray[np.int64], b: NDArray[np.int64], times_b: NDArray[np.int64], n: int
) -> float:
    """Expected sum of c log c over the cells of a random table of `n` rows with given margins.

    The margins are `times_a` rows of count `a` and `times_b` columns of count `b`, so that each pair of distinct counts
    is worked out once. A cell is hypergeometric; its probabilities follow from that of its mode by ratios, outwards
    until they are negligible, and are divided by their sum.
    """
    largest = min(a.max(), b.max())
    weight = np.empty(largest + 1)
    weight[0] = 0.0
    for k in range(1, largest + 1):
        weight[k] = k * np.log(k)
    total = 0.0
    for i in range(a.size):
        for j in range(b.size):
            low, high = max(1, a[i] + b[j] - n), min(a[i], b[j])
            if high < 2:
                continue
            total += times_a[i] * times_b[j] * _expected_weight(a[i], b[j], n, low, high, weight)
    return total


@njit(nogil=True, cache=True)
def _expected_weight(a: int, b: int, n: int, low: int, high: int, weight: NDArray[np.float64]) -> float:
    mode = min(max((a + 1) * (b + 1) // (n + 2), max(0, a + b - n)), high)
    mass, found = 1.0, weight[mode]
    p = 1.0
    for k in range(mode, high):
        p *= (np.float64(a - k) * (b - k)) / (np.float64(k + 1) * (n - a - b + k + 1))
        mass += p
        found += p * weight[k + 1]
        if p < _NEGLIGIBLE:
            break
    p = 1.0
    for k in range(mode, max(0, a + b - n), -1):
        p *= (np.float64(k) * (n - a - b + k)) / (np.float64(a - k + 1) * (b - k + 1))
        mass += p
        found += p * weight[k - 1]
        if p < _NEGLIGIBLE:
            break
    return found / mass


@njit(nogil=True, cache=True)
def insert_sorted(rows: NDArray[np.float64], n: int, values: NDArray[np.float64]) -> None:
    """Put a value into each row, whose first `n` entries ascend, so that its first ``n + 1`` do, in place."""
    for j in range(rows.shape[0]):
        place = n
        while place > 0 and rows[j, place - 1] > values[j]:
            rows[j, place] = rows[j, place - 1]
            place -= 1
        rows[j, place] = values[j]


@njit(nogil=True, cache=True)
def compact(keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
    """Codes 0, 1, ... of keys in the order of their first rows, and how many there are; by a hash table, exactly."""
    size, bits = 4, 2
    while size < 2 * keys.size:
        size, bits = 2 * size, bits + 1
    held = np.empty(size, dtype=np.int64)
    codes = np.full(size, -1, dtype=np.int32)
    out = np.empty(keys.size, dtype=np.int32)
    n_codes = 0
    for i in range(keys.size):
        slot = np.int64((np.uint64(keys[i]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits))
        while codes[slot] >= 0 and held[slot] != keys[i]:
            slot = (slot + 1) & (size - 1)
        if codes[slot] < 0:
            held[slot] = keys[i]
            codes[slot] = n_codes
            n_codes += 1
        out[i] = codes[slot]
    return out, n_codes
