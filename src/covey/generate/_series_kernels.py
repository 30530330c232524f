"""The numba kernels of causal features of series, whole columns at once and one row at a time.

Both add up a window in the same order: rows come in blocks of the window's length, and a window is the end of one block
and the start of the next. So nothing is ever subtracted: a missing or huge value leaves with its window, no digits are
lost to a running sum, and a stream gives the same bits as a column.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from covey.generate._causal import DIFFERENCE, MEAN, MINUS, SHIFT, SUM

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@njit(nogil=True, cache=True)
def difference(x: Array, k: int, out: Array) -> None:
    """``x[t] - x[t - k]``, NaN in the first `k` rows."""
    for t in range(min(k, x.size)):
        out[t] = np.nan
    for t in range(k, x.size):
        out[t] = x[t] - x[t - k]


@njit(nogil=True, cache=True)
def shift(x: Array, k: int, out: Array) -> None:
    """``x[t - k]``, NaN in the first `k` rows."""
    for t in range(min(k, x.size)):
        out[t] = np.nan
    for t in range(k, x.size):
        out[t] = x[t - k]


@njit(nogil=True, cache=True)
def window(x: Array, k: int, mean: bool, out: Array) -> None:
    """Sum or mean of the last `k` rows, NaN in the first ``k - 1``."""
    if k > x.size:
        out[:] = np.nan
        return
    suffix = np.full(k + 1, np.nan)  # suffix[i]: sum of the block before from its place i on
    divisor = float(k) if mean else 1.0
    n = x.size
    for start in range(0, n, k):
        run = 0.0
        stop = min(k, n - start)
        for p in range(stop):
            run = run + x[start + p] if p else x[start]
            out[start + p] = (suffix[p + 1] + run if p < k - 1 else run) / divisor
        if stop == k:
            run = x[start + k - 1]
            suffix[k - 1] = run
            for p in range(k - 2, -1, -1):
                run += x[start + p]
                suffix[p] = run


@njit(nogil=True, cache=True)
def step(
    values: Array,
    operator: Integers,
    size: Integers,
    left: Integers,
    right: Integers,
    offset: Array,
    start: Integers,
    place: Integers,
    run: Array,
    memory: Array,
    first: int,
    stop: int,
) -> None:
    """The next row of nodes `first` to `stop`, from the values of their arguments; state is renewed in place."""
    for i in range(first, stop):
        op = operator[i]
        x = values[left[i]]
        k = size[i]
        p = place[i]
        a = start[i]
        if op in (DIFFERENCE, SHIFT):
            before = memory[a + p]
            memory[a + p] = x
            place[i] = 0 if p + 1 == k else p + 1
            values[i] = x - before if op == DIFFERENCE else before
        elif op in (MEAN, SUM):  # k values of this block, then the k + 1 sums of the one before
            b = a + k
            memory[a + p] = x
            total = run[i] + x if p else x
            run[i] = total
            divisor = float(k) if op == MEAN else 1.0
            values[i] = (memory[b + p + 1] + total if p < k - 1 else total) / divisor
            if p + 1 == k:
                total = x
                memory[b + k - 1] = total
                for q in range(k - 2, -1, -1):
                    total += memory[a + q]
                    memory[b + q] = total
                place[i] = 0
            else:
                place[i] = p + 1
        elif op == MINUS:
            values[i] = x - values[right[i]]
        else:  # SQUARE: (offset + x) ** 2 without offset ** 2
            values[i] = x * (2.0 * offset[left[i]] + x)
