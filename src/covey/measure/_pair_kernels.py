"""Numba kernels over pairs of presorted columns; see `covey.measure._pairs.SortedColumns` for their arguments.

Each kernel takes the rows on which both columns are present, and returns one row of sums a pair.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ABSENT = np.iinfo(np.int32).min


@njit(nogil=True, cache=True)
def _common(
    order: NDArray[np.int32],
    runs: NDArray[np.int32],
    present: NDArray[np.uint8],
    n_present: NDArray[np.int64],
    i: int,
    j: int,
    rows: NDArray[np.int32],
    ties: NDArray[np.int32],
) -> int:
    """Rows present in both columns in the order of column `i`, with the run of each; returns their number."""
    n = 0
    for k in range(n_present[i]):
        row = order[i, k]
        if present[j, row]:
            rows[n] = row
            ties[n] = runs[i, k]
            n += 1
    return n


@njit(nogil=True, cache=True)
def _tie_sums(ties: NDArray[np.int32], n: int, out: NDArray[np.float64], at: int) -> None:
    """Sums of t(t-1)/2, t(t-1)(t-2) and t(t-1)(2t+5) over runs of equal, sorted `ties`, into ``out[at:at+3]``."""
    start = 0
    for k in range(1, n + 1):
        if k == n or ties[k] != ties[start]:
            t = float(k - start)
            out[at] += t * (t - 1) / 2
            out[at + 1] += t * (t - 1) * (t - 2)
            out[at + 2] += t * (t - 1) * (2 * t + 5)
            start = k


@njit(nogil=True, cache=True)
def _sort_counting(values: NDArray[np.int32], spare: NDArray[np.int32], n: int) -> int:
    """Sort ``values[:n]`` in place and return the number of inversions (pairs that stood in falling order)."""
    inversions = 0
    width = 16
    for start in range(0, n, width):
        for k in range(start + 1, min(start + width, n)):
            value = values[k]
            at = k
            while at > start and values[at - 1] > value:
                values[at] = values[at - 1]
                at -= 1
            values[at] = value
            inversions += k - at
    source, target = values, spare
    while width < n:
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            a, b = start, middle
            for k in range(start, end):
                if b >= end or (a < middle and source[a] <= source[b]):
                    target[k] = source[a]
                    a += 1
                else:
                    target[k] = source[b]
                    inversions += middle - a
                    b += 1
        source, target = target, source
        width *= 2
    if source is not values:
        values[:n] = source[:n]
    return inversions


@njit(nogil=True, cache=True)
def kendall_sums(
    values: NDArray[np.float64],
    order: NDArray[np.int32],
    runs: NDArray[np.int32],
    present: NDArray[np.uint8],
    n_present: NDArray[np.int64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[np.float64]:
    """n, concordant less discordant pairs, and the tie sums of both sides; shape (n_pairs, 8)."""
    n_rows = order.shape[1]
    rows = np.empty(n_rows, dtype=np.int32)
    ties = np.empty(n_rows, dtype=np.int32)
    y = np.empty(n_rows, dtype=np.int32)
    spare = np.empty(n_rows, dtype=np.int32)
    rank = np.empty(n_rows, dtype=np.int32)
    out = np.zeros((left.size, 8))
    loaded = -1
    for p in range(left.size):
        i, j = left[p], right[p]
        if j != loaded:
            for k in range(n_present[j]):
                rank[order[j, k]] = runs[j, k]
            loaded = j
        n = _common(order, runs, present, n_present, i, j, rows, ties)
        for k in range(n):
            y[k] = rank[rows[k]]
        both = 0.0
        start = 0
        for k in range(1, n + 1):  # within a run of x the order of y must not count
            if k == n or ties[k] != ties[start]:
                if k - start > 1:
                    y[start:k].sort()
                    same = start
                    for l in range(start + 1, k + 1):
                        if l == k or y[l] != y[same]:
                            both += float(l - same) * (l - same - 1) / 2
                            same = l
                start = k
        discordant = _sort_counting(y, spare, n)
        _tie_sums(ties, n, out[p], 2)
        _tie_sums(y, n, out[p], 5)
        total = float(n) * (n - 1) / 2
        out[p, 0] = n
        out[p, 1] = total - out[p, 2] - out[p, 5] + both - 2.0 * discordant
    return out


@njit(nogil=True, cache=True)
def spearman_sums(
    values: NDArray[np.float64],
    order: NDArray[np.int32],
    runs: NDArray[np.int32],
    present: NDArray[np.uint8],
    n_present: NDArray[np.int64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[np.float64]:
    """n, and the sums of squares and products of twice the centred mid-ranks; shape (n_pairs, 4)."""
    n_rows = order.shape[1]
    rows = np.empty(n_rows, dtype=np.int32)
    ties = np.empty(n_rows, dtype=np.int32)
    rank = np.empty(n_rows, dtype=np.int32)
    out = np.zeros((left.size, 4))
    loaded = -1
    for p in range(left.size):
        i, j = left[p], right[p]
        if i != loaded:  # later pairs of the same left column leave its missing rows as they are
            rank[:] = _ABSENT
            loaded = i
        n = _common(order, runs, present, n_present, i, j, rows, ties)
        out[p, 0] = n
        start = 0
        for k in range(1, n + 1):
            if k == n or ties[k] != ties[start]:
                centred = start + k - n  # twice the mid-rank, less n + 1
                for l in range(start, k):
                    rank[rows[l]] = centred
                out[p, 1] += float(centred) * centred * (k - start)
                start = k
        _add_ranks(order[j, : n_present[j]], runs[j], rank, n, out[p])
    return out


@njit(nogil=True, cache=True)
def _add_ranks(
    order: NDArray[np.int32], runs: NDArray[np.int32], rank: NDArray[np.int32], n: int, out: NDArray[np.float64]
) -> None:
    """Rank the rows of `order` that have a `rank`; add the sums of squares and of products to ``out[2:4]``."""
    start = place = run = 0
    rank_sum = 0.0
    for k in range(order.size):
        other = rank[order[k]]
        if other == _ABSENT:
            continue
        if runs[k] != run:
            centred = float(start + place - n)
            out[2] += centred * centred * (place - start)
            out[3] += centred * rank_sum
            start, run, rank_sum = place, runs[k], 0.0
        rank_sum += other
        place += 1
    centred = float(start + place - n)
    out[2] += centred * centred * (place - start)
    out[3] += centred * rank_sum


@njit(nogil=True, cache=True)
def xi_sums(
    values: NDArray[np.float64],
    order: NDArray[np.int32],
    runs: NDArray[np.int32],
    present: NDArray[np.uint8],
    n_present: NDArray[np.int64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[np.float64]:
    """n, the expected sum of rank steps, sum of l(n - l), whether y has ties, and the variance under independence.

    Shape (n_pairs, 5). The steps are those of the ranks of the right column in the order of the left one; runs of equal
    left values stand in every order with the same chance.
    """
    n_rows = order.shape[1]
    rows = np.empty(n_rows, dtype=np.int32)
    ties = np.empty(n_rows, dtype=np.int32)
    rank = np.empty(n_rows, dtype=np.int64)
    r = np.empty(n_rows, dtype=np.int64)
    out = np.zeros((left.size, 5))
    for p in range(left.size):
        i, j = left[p], right[p]
        n = _common(order, runs, present, n_present, j, i, rows, ties)
        out[p, 0] = n
        tied = 0.0
        square = product = first = cumulated = 0.0
        start = 0
        for k in range(1, n + 1):
            if k == n or ties[k] != ties[start]:
                if k - start > 1:
                    tied = 1.0
                above = float(n - start)  # rows with a value at least as large
                out[p, 2] += (k - start) * above * (n - above)
                for l in range(start, k):
                    rank[rows[l]] = k
                    u = float(k)
                    place = float(l + 1)
                    cumulated += u
                    square += (2.0 * n - 2.0 * place + 1.0) * u * u
                    first += (2.0 * n - 2.0 * place + 1.0) * u
                    product += (cumulated + (n - place) * u) ** 2
                start = k
        out[p, 3] = tied
        if n > 0 and out[p, 2] > 0:
            size = float(n)
            a, b, c = square / size**4, product / size**5, first / size**3
            d = out[p, 2] / size**3
            out[p, 4] = (a - 2.0 * b + c * c) / (d * d)
        _common(order, runs, present, n_present, i, j, rows, ties)
        for k in range(n):
            r[k] = rank[rows[k]]
        out[p, 1] = _expected_steps(r, ties, n)
    return out


@njit(nogil=True, cache=True)
def _expected_steps(r: NDArray[np.int64], ties: NDArray[np.int32], n: int) -> float:
    """Expected sum of ``|r[k+1] - r[k]|`` when the entries of each run of `ties` are shuffled (runs get sorted)."""
    total = 0.0
    before = 0
    start = 0
    for k in range(1, n + 1):
        if k == n or ties[k] != ties[start]:
            t = k - start
            if t > 1:
                r[start:k].sort()
                spread = 0.0
                for l in range(t):
                    spread += (2.0 * l - t + 1.0) * r[start + l]
                total += 2.0 * spread / t
            if start > 0:
                total += _mean_distance(r[before:start], r[start:k])
            before = start
            start = k
    return total


@njit(nogil=True, cache=True)
def _mean_distance(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Mean of ``|x - y|`` over x in sorted `a` and y in sorted `b`."""
    if a.size == 1 and b.size == 1:
        return float(abs(a[0] - b[0]))
    sum_b = 0.0
    for value in b:
        sum_b += value
    below = 0
    sum_below = 0.0
    total = 0.0
    for x in a:
        while below < b.size and b[below] <= x:
            sum_below += b[below]
            below += 1
        total += x * below - sum_below + (sum_b - sum_below) - x * (b.size - below)
    return total / (a.size * b.size)


@njit(nogil=True, cache=True)
def _row_distances(x: NDArray[np.float64], n: int, out: NDArray[np.float64]) -> float:
    """Sum of ``|x[k] - x[l]|`` over l for each k of sorted ``x[:n]``; returns the grand sum."""
    total = 0.0
    for k in range(n):
        total += x[k]
    below = 0.0
    grand = 0.0
    for k in range(n):
        out[k] = x[k] * (2 * k - n) - 2.0 * below + total
        below += x[k]
        grand += out[k]
    return grand


@njit(nogil=True, cache=True)
def _inverted_products(
    x: NDArray[np.float64], y: NDArray[np.float64], spare_x: NDArray[np.float64], spare_y: NDArray[np.float64], n: int
) -> float:
    """Sum of ``(x_b - x_a)(y_b - y_a)`` over pairs a before b with ``y_a > y_b``, for ascending x; sorts by y."""
    total = 0.0
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            left = float(middle - start)
            sum_x = sum_y = sum_xy = 0.0
            for k in range(start, middle):
                sum_x += x[k]
                sum_y += y[k]
                sum_xy += x[k] * y[k]
            a, b = start, middle
            for k in range(start, end):
                if b >= end or (a < middle and y[a] <= y[b]):
                    left -= 1.0
                    sum_x -= x[a]
                    sum_y -= y[a]
                    sum_xy -= x[a] * y[a]
                    spare_x[k] = x[a]
                    spare_y[k] = y[a]
                    a += 1
                else:
                    if a < middle:
                        total += left * x[b] * y[b] - x[b] * sum_y - y[b] * sum_x + sum_xy
                    spare_x[k] = x[b]
                    spare_y[k] = y[b]
                    b += 1
        x, spare_x = spare_x, x
        y, spare_y = spare_y, y
        width *= 2
    return total


@njit(nogil=True, cache=True)
def distance_sums(
    values: NDArray[np.float64],
    order: NDArray[np.int32],
    runs: NDArray[np.int32],
    present: NDArray[np.uint8],
    n_present: NDArray[np.int64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Sums of distances and of their products, from which every distance statistic follows; shape (n_pairs, 9).

    n; sums over ordered pairs of |dx||dy|, dx^2, dy^2; sums over rows of a b, a^2, b^2 with a, b the row sums of |dx|
    and |dy|; grand sums of |dx| and |dy|.
    """
    n_rows = order.shape[1]
    rows = np.empty(n_rows, dtype=np.int32)
    ties = np.empty(n_rows, dtype=np.int32)
    x = np.empty(n_rows)
    y = np.empty(n_rows)
    spare_x = np.empty(n_rows)
    spare_y = np.empty(n_rows)
    sums = np.empty(n_rows)
    by_row = np.empty(n_rows)
    out = np.zeros((left.size, 9))
    for p in range(left.size):
        i, j = left[p], right[p]
        n = _common(order, runs, present, n_present, j, i, rows, ties)
        out[p, 0] = n
        if n == 0:
            continue
        mean_y = 0.0
        for k in range(n):
            mean_y += values[j, rows[k]]
        mean_y /= n
        for k in range(n):
            y[k] = values[j, rows[k]] - mean_y
            out[p, 3] += y[k] * y[k]
        out[p, 8] = _row_distances(y, n, sums)
        for k in range(n):
            by_row[rows[k]] = sums[k]
            out[p, 6] += sums[k] * sums[k]
        _common(order, runs, present, n_present, i, j, rows, ties)
        mean_x = 0.0
        for k in range(n):
            mean_x += values[i, rows[k]]
        mean_x /= n
        straight = 0.0
        for k in range(n):
            x[k] = values[i, rows[k]] - mean_x
            y[k] = values[j, rows[k]] - mean_y
            out[p, 2] += x[k] * x[k]
            straight += x[k] * y[k]
        out[p, 7] = _row_distances(x, n, sums)
        for k in range(n):
            out[p, 4] += sums[k] * by_row[rows[k]]
            out[p, 5] += sums[k] * sums[k]
        out[p, 2] *= 2.0 * n
        out[p, 3] *= 2.0 * n
        out[p, 1] = 2.0 * (n * straight - 2.0 * _inverted_products(x, y, spare_x, spare_y, n))
    return out
