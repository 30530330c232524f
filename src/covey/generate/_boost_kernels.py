"""Kernels of small boosted trees on coded columns: one call grows all trees, so that threads can score side by side."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SQUARED, LOGISTIC, SOFTMAX = 0, 1, 2
N_CODES = 256
MAX_TOGETHER = 32  # categories on one side of a split
NEARLY = 1.0 - 1e-9  # of the best gain: what is less is not worked out exactly


@njit(nogil=True, cache=True)
def encode(values: NDArray[np.float64], edges: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
    """Code of each value: 0 for missing, else 1 + the number of edges that are not above it."""
    n_edges = len(edges)
    for r in range(len(values)):
        x = values[r]
        if np.isnan(x):
            out[r] = 0
            continue
        low, high = 0, n_edges
        while low < high:
            middle = (low + high) >> 1
            if edges[middle] <= x:
                low = middle + 1
            else:
                high = middle
        out[r] = low + 1


@njit(nogil=True, cache=True)
def mean_loss(loss: int, y: NDArray[np.float64], scores: NDArray[np.float64], first: int, last: int) -> float:
    """Mean loss of rows `first` to `last`: squared error, or minus log likelihood."""
    total = 0.0
    n_outputs = scores.shape[1]
    for r in range(first, last):
        if loss == SQUARED:
            total += (y[r] - scores[r, 0]) ** 2
        elif loss == LOGISTIC:
            margin = scores[r, 0] if y[r] > 0.5 else -scores[r, 0]
            total += np.log1p(np.exp(-margin)) if margin > -30.0 else -margin
        else:
            top = scores[r, 0]
            for k in range(1, n_outputs):
                top = max(top, scores[r, k])
            whole = 0.0
            for k in range(n_outputs):
                whole += np.exp(scores[r, k] - top)
            total += np.log(whole) + top - scores[r, int(y[r])]
    return total / max(last - first, 1)


@njit(nogil=True, cache=True)
def _derivatives(
    loss: int,
    y: NDArray[np.float64],
    scores: NDArray[np.float64],
    n: int,
    gradient: NDArray[np.float64],
    hessian: NDArray[np.float64],
) -> None:
    n_outputs = scores.shape[1]
    for r in range(n):
        if loss == SQUARED:
            gradient[r, 0] = scores[r, 0] - y[r]
            hessian[r, 0] = 1.0
        elif loss == LOGISTIC:
            p = 1.0 / (1.0 + np.exp(-max(min(scores[r, 0], 700.0), -700.0)))
            gradient[r, 0] = p - y[r]
            hessian[r, 0] = max(p * (1.0 - p), 1e-16)
        else:
            top = scores[r, 0]
            for k in range(1, n_outputs):
                top = max(top, scores[r, k])
            whole = 0.0
            for k in range(n_outputs):
                whole += np.exp(scores[r, k] - top)
            for k in range(n_outputs):
                p = np.exp(scores[r, k] - top) / whole
                gradient[r, k] = p - (1.0 if int(y[r]) == k else 0.0)
                hessian[r, k] = max(p * (1.0 - p), 1e-16)


@njit(nogil=True, cache=True)
def _sum_by_code(
    codes: NDArray[np.uint8],
    rows: NDArray[np.int64],
    first: int,
    last: int,
    gradient: NDArray[np.float64],
    hessian: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Rows, gradients and hessians by code of a column in ``rows[first:last]``; `out` (n_codes, 1 + 2 outputs)."""
    n_outputs = gradient.shape[1]
    out[:] = 0.0
    if n_outputs == 1:
        for i in range(first, last):
            r = rows[i]
            cell = out[codes[r]]
            cell[0] += 1.0
            cell[1] += gradient[r, 0]
            cell[2] += hessian[r, 0]
        return
    for i in range(first, last):
        r = rows[i]
        cell = out[codes[r]]
        cell[0] += 1.0
        for k in range(n_outputs):
            cell[1 + k] += gradient[r, k]
            cell[1 + n_outputs + k] += hessian[r, k]


@njit(nogil=True, cache=True)
def _sum_of_rows(
    rows: NDArray[np.int64],
    first: int,
    last: int,
    gradient: NDArray[np.float64],
    hessian: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Number, gradients and hessians of ``rows[first:last]``; `out` (1 + 2 outputs,)."""
    n_outputs = gradient.shape[1]
    out[:] = 0.0
    for i in range(first, last):
        r = rows[i]
        out[0] += 1.0
        for k in range(n_outputs):
            out[1 + k] += gradient[r, k]
            out[1 + n_outputs + k] += hessian[r, k]


@njit(nogil=True, cache=True)
def _worth(cell: NDArray[np.float64], n_outputs: int, l2: float) -> float:
    total = 0.0
    for k in range(n_outputs):
        total += cell[1 + k] ** 2 / (cell[1 + n_outputs + k] + l2)
    return total


@njit(nogil=True, cache=True)
def _may_gain(g: float, h: float, all_g: float, all_h: float, l2: float, reach: float) -> bool:
    """Whether the worth of both sides together comes near `reach`: told without a division, as most do not."""
    left, right = h + l2, all_h - h + l2
    rest = all_g - g
    return bool(g * g * right + rest * rest * left >= reach * (left * right))


@njit(nogil=True, cache=True)
def _best_cut(
    column: NDArray[np.float64],
    total: NDArray[np.float64],
    parent: float,
    l2: float,
    min_rows: float,
    best: float,
) -> tuple[float, int, int]:
    """Gain of the best cut of a column of numbers with one output, its last code on the left, and where missing goes.

    No cut (code -1) unless it gains more than `best`; code 0 parts missing values from all others.
    """
    n, g, h = 0.0, 0.0, 0.0
    missing, missing_g, missing_h = column[0, 0], column[0, 1], column[0, 2]
    all_n, all_g, all_h = total[0], total[1], total[2]
    cut, side = -1, 0
    reach = NEARLY * (best + parent)
    for b in range(1, len(column) - 1):  # codes without rows gain no more than those before: not worth a branch
        n += column[b, 0]
        g += column[b, 1]
        h += column[b, 2]
        if all_n - n < min_rows:
            break
        if n >= min_rows and _may_gain(g, h, all_g, all_h, l2, reach) and column[b, 0] > 0.0:
            gain = g * g / (h + l2) + (all_g - g) ** 2 / (all_h - h + l2) - parent
            if gain > best:
                best, cut, side = gain, b, 0
                reach = NEARLY * (best + parent)
        if missing > 0.0 and n + missing >= min_rows and all_n - (n + missing) >= min_rows:
            with_g, with_h = g + missing_g, h + missing_h
            if not _may_gain(with_g, with_h, all_g, all_h, l2, reach) or column[b, 0] == 0.0:
                continue
            gain = with_g * with_g / (with_h + l2) + (all_g - with_g) ** 2 / (all_h - with_h + l2) - parent
            if gain > best:
                best, cut, side = gain, b, 1
                reach = NEARLY * (best + parent)
    if missing >= min_rows and all_n - missing >= min_rows:
        gain = missing_g * missing_g / (missing_h + l2) + (all_g - missing_g) ** 2 / (all_h - missing_h + l2) - parent
        if gain > best:
            best, cut, side = gain, 0, 1
    return best, cut, side


@njit(nogil=True, cache=True)
def _split_of_column(
    column: NDArray[np.float64],
    categorical: bool,
    total: NDArray[np.float64],
    parent: float,
    l2: float,
    min_rows: float,
    smooth: float,
    best: float,
    goes_left: NDArray[np.bool_],
    spare: NDArray[np.float64],
    order: NDArray[np.int64],
) -> float:
    """Gain of the best split of a node by a column, or `best` if none gains more.

    Where one does, `goes_left` (256,) says where each code goes. `spare` (4, 1 + 2 outputs) and `order` (256,) are
    written over. Categories are put in the order of their mean gradient in the node, and some at either end are cut
    off: at most `MAX_TOGETHER`, `min_group` rows for each cut, of categories of at least `min_level` rows.
    """
    width = column.shape[1]
    n_outputs = (width - 1) // 2
    left, right, with_missing, without = spare[0], spare[1], spare[2], spare[3]
    if categorical:
        min_group = 5.0 * min_rows
        min_level = 0.5 * min_rows
        n_present = 0
        for b in range(len(column)):
            if column[b, 0] >= min_level:
                order[n_present] = b
                n_present += 1
        if n_present < 1:
            return best
        main, spread = 0, -1.0
        for k in range(n_outputs):
            found = 0.0
            for i in range(n_present):
                cell = column[order[i]]
                found += cell[1 + k] ** 2 / (cell[1 + n_outputs + k] + smooth)
            if found > spread:
                main, spread = k, found
        means = np.empty(n_present)
        for i in range(n_present):
            cell = column[order[i]]
            means[i] = cell[1 + main] / (cell[1 + n_outputs + main] + smooth)
        sorted_codes = order[:n_present][np.argsort(means, kind="mergesort")]
        for way in range(2):  # some categories of the lowest, or of the highest means against all others
            left[:] = 0.0
            since = 0.0
            for i in range(min(n_present, MAX_TOGETHER)):
                cell = column[sorted_codes[i if way == 0 else n_present - 1 - i]]
                left += cell
                since += cell[0]
                if left[0] < min_rows or since < min_group:
                    continue
                if total[0] - left[0] < max(min_rows, min_group):
                    break
                since = 0.0
                for c in range(width):
                    right[c] = total[c] - left[c]
                gain = _worth(left, n_outputs, l2 + smooth) + _worth(right, n_outputs, l2 + smooth) - parent
                if gain > best:
                    best = gain
                    goes_left[:] = False
                    for a in range(i + 1):
                        goes_left[sorted_codes[a if way == 0 else n_present - 1 - a]] = True
        return best
    if n_outputs == 1:
        gain, cut, side = _best_cut(column, total, parent, l2, min_rows, best)
        if cut >= 0:
            best = gain
            goes_left[:] = False
            goes_left[1 : cut + 1] = True
            goes_left[0] = side == 1
        return best
    missing = column[0]
    left[:] = 0.0
    for b in range(1, len(column) - 1):
        if column[b, 0] == 0.0:
            continue
        left += column[b]
        for way in range(2 if missing[0] > 0.0 else 1):
            for c in range(width):
                with_missing[c] = left[c] + way * missing[c]
                without[c] = total[c] - with_missing[c]
            if with_missing[0] < min_rows or without[0] < min_rows:
                continue
            gain = _worth(with_missing, n_outputs, l2) + _worth(without, n_outputs, l2) - parent
            if gain > best:
                best = gain
                goes_left[:] = False
                goes_left[1 : b + 1] = True
                goes_left[0] = way == 1
    if missing[0] >= min_rows and total[0] - missing[0] >= min_rows:
        for c in range(width):
            without[c] = total[c] - missing[c]
        gain = _worth(missing, n_outputs, l2) + _worth(without, n_outputs, l2) - parent
        if gain > best:
            best = gain
            goes_left[:] = False
            goes_left[0] = True
    return best


@njit(nogil=True, cache=True)
def boost(
    codes: NDArray[np.uint8],
    n_codes: NDArray[np.int64],
    categorical: NDArray[np.bool_],
    y: NDArray[np.float64],
    scores: NDArray[np.float64],
    n_train: int,
    loss: int,
    n_trees: int,
    max_leaves: int,
    learning_rate: float,
    patience: int,
    min_rows: float,
    l2: float,
    smooth: float,
    column: NDArray[np.int32],
    left: NDArray[np.int32],
    goes_left: NDArray[np.bool_],
    value: NDArray[np.float64],
    importance: NDArray[np.float64],
) -> tuple[float, float, int]:
    """Grow trees, each split where it gains most, until the loss of the rows after `n_train` has stopped falling.

    Parameters
    ----------
    codes : ndarray of shape (m, n), uint8
        Code 0 is missing; rows from `n_train` on are held out.
    n_codes : ndarray of shape (m,), int64
    categorical : ndarray of shape (m,), bool
    y : ndarray of shape (n,)
        Numbers, 0 and 1, or classes 0, 1, ...
    scores : ndarray of shape (n, n_outputs)
        Where boosting starts; changed in place.
    n_train : int
    loss : int
        `SQUARED`, `LOGISTIC` or `SOFTMAX`.
    n_trees, max_leaves : int
    learning_rate : float
    patience : int
        Stop after this many trees without a lower held-out loss.
    min_rows, l2, smooth : float
        Least rows of a leaf; penalty of leaves; the further penalty of those that a split by categories makes.
    column, left : ndarray of shape (n_trees, 2 max_leaves - 1), int32
        Out: column of each node's split (-1 for a leaf), and its left child; the right one is the next.
    goes_left : ndarray of shape (n_trees, 2 max_leaves - 1, 256), bool
        Out: the codes that go left.
    value : ndarray of shape (n_trees, 2 max_leaves - 1, n_outputs)
        Out: what a leaf adds.
    importance : ndarray of shape (m,)
        Out: gains by column, summed over the trees that count.

    Returns
    -------
    start, best : float
        Held-out loss before, and the least one.
    n_best : int
        Number of trees to the least loss.
    """
    m, n = codes.shape
    n_outputs = scores.shape[1]
    width = 1 + 2 * n_outputs
    gradient, hessian = np.empty((n_train, n_outputs)), np.empty((n_train, n_outputs))
    offsets = np.zeros(m + 1, dtype=np.int64)
    for j in range(m):
        offsets[j + 1] = offsets[j] + n_codes[j]
    cells = np.empty((max_leaves, offsets[m] * width))
    rows, buffer = np.empty(n_train, dtype=np.int64), np.empty(n_train, dtype=np.int64)
    first, last = np.empty(max_leaves, dtype=np.int64), np.empty(max_leaves, dtype=np.int64)
    node_of, place = np.empty(max_leaves, dtype=np.int64), np.empty(max_leaves, dtype=np.int64)
    penalty = np.empty(max_leaves)
    totals = np.empty((max_leaves, width))
    gains, columns = np.empty(max_leaves), np.empty(max_leaves, dtype=np.int64)
    spare, order = np.empty((4, width)), np.empty(N_CODES, dtype=np.int64)
    ways = np.empty((max_leaves, N_CODES), dtype=np.bool_)
    gained = np.zeros((max(patience, 1) + 1, m))  # of the trees since the best one
    start = mean_loss(loss, y, scores, n_train, n)
    best, n_best = start, 0
    least = 1e-12 * start  # of a gain: of targets in small units, too
    for t in range(n_trees):
        _derivatives(loss, y, scores, n_train, gradient, hessian)
        for r in range(n_train):
            rows[r] = r
        pending = gained[t - n_best]
        pending[:] = 0.0
        n_leaves, n_nodes = 1, 1
        first[0], last[0], node_of[0], place[0], penalty[0] = 0, n_train, 0, 0, l2
        column[t, 0] = -1
        _sum_of_rows(rows, 0, n_train, gradient, hessian, totals[0])
        gains[0], root_worth = 0.0, _worth(totals[0], n_outputs, l2)
        for j in range(m):
            own = cells[0][offsets[j] * width : offsets[j + 1] * width].reshape(n_codes[j], width)
            _sum_by_code(codes[j], rows, 0, n_train, gradient, hessian, own)
            gain = _split_of_column(
                own, categorical[j], totals[0], root_worth, l2, min_rows, smooth, gains[0], ways[0], spare, order
            )
            if gain > gains[0]:
                gains[0], columns[0] = gain, j
        while n_leaves < max_leaves:
            leaf = 0
            for i in range(1, n_leaves):
                if gains[i] > gains[leaf]:
                    leaf = i
            if gains[leaf] <= least:
                break
            j = columns[leaf]
            pending[j] += gains[leaf]
            parent = node_of[leaf]
            column[t, parent] = j
            left[t, parent] = n_nodes
            goes_left[t, parent] = ways[leaf]
            column[t, n_nodes] = -1
            column[t, n_nodes + 1] = -1
            a, z = first[leaf], last[leaf]
            low, n_right = a, 0
            for i in range(a, z):
                r = rows[i]
                if ways[leaf, codes[j, r]]:
                    rows[low] = r
                    low += 1
                else:
                    buffer[n_right] = r
                    n_right += 1
            rows[low:z] = buffer[:n_right]
            new = n_leaves
            n_leaves += 1
            first[new], last[new], node_of[new] = low, z, n_nodes + 1
            last[leaf], node_of[leaf] = low, n_nodes
            n_nodes += 2
            penalty[leaf] = penalty[new] = l2 + smooth if categorical[j] else l2
            small, large = (leaf, new) if low - a <= z - low else (new, leaf)
            # of the smaller child sums are taken; the larger keeps its parent's place, less those
            place[large], place[small] = place[leaf], new
            for c in range(width):
                totals[new, c] = totals[leaf, c]
            _sum_of_rows(rows, first[small], last[small], gradient, hessian, totals[small])
            for c in range(width):
                totals[large, c] -= totals[small, c]
            gains[leaf], gains[new] = 0.0, 0.0
            if n_leaves == max_leaves or totals[large, 0] < 2.0 * min_rows:
                continue
            small_worth, large_worth = _worth(totals[small], n_outputs, l2), _worth(totals[large], n_outputs, l2)
            splits_small = totals[small, 0] >= 2.0 * min_rows
            for j in range(m):  # a column at a time, while its sums are near
                own_flat = cells[place[small]][offsets[j] * width : offsets[j + 1] * width]
                rest_flat = cells[place[large]][offsets[j] * width : offsets[j + 1] * width]
                own, rest = own_flat.reshape(n_codes[j], width), rest_flat.reshape(n_codes[j], width)
                _sum_by_code(codes[j], rows, first[small], last[small], gradient, hessian, own)
                for b in range(len(own_flat)):
                    rest_flat[b] -= own_flat[b]
                gain = _split_of_column(
                    rest,
                    categorical[j],
                    totals[large],
                    large_worth,
                    l2,
                    min_rows,
                    smooth,
                    gains[large],
                    ways[large],
                    spare,
                    order,
                )
                if gain > gains[large]:
                    gains[large], columns[large] = gain, j
                if splits_small:
                    gain = _split_of_column(
                        own,
                        categorical[j],
                        totals[small],
                        small_worth,
                        l2,
                        min_rows,
                        smooth,
                        gains[small],
                        ways[small],
                        spare,
                        order,
                    )
                    if gain > gains[small]:
                        gains[small], columns[small] = gain, j
        for i in range(n_leaves):
            node = node_of[i]
            for k in range(n_outputs):
                value[t, node, k] = -learning_rate * totals[i, 1 + k] / (totals[i, 1 + n_outputs + k] + penalty[i])
            for a in range(first[i], last[i]):
                for k in range(n_outputs):
                    scores[rows[a], k] += value[t, node, k]
        for r in range(n_train, n):
            node = 0
            while column[t, node] >= 0:
                node = left[t, node] + (0 if goes_left[t, node, codes[column[t, node], r]] else 1)
            for k in range(n_outputs):
                scores[r, k] += value[t, node, k]
        now = mean_loss(loss, y, scores, n_train, n)
        if now < best:
            for i in range(t - n_best + 1):
                importance += gained[i]
            best, n_best = now, t + 1
        elif t + 1 - n_best >= patience or n_leaves == 1:
            break
    return start, best, n_best


@njit(nogil=True, cache=True)
def add_trees(
    codes: NDArray[np.uint8],
    column: NDArray[np.int32],
    left: NDArray[np.int32],
    goes_left: NDArray[np.bool_],
    value: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Add what all trees say of each row; `codes` (m, n), `scores` (n, n_outputs), trees as `boost` leaves them."""
    for t in range(column.shape[0]):
        for r in range(codes.shape[1]):
            node = 0
            while column[t, node] >= 0:
                node = left[t, node] + (0 if goes_left[t, node, codes[column[t, node], r]] else 1)
            for k in range(scores.shape[1]):
                scores[r, k] += value[t, node, k]
