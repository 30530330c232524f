"""Kernels of small boosted trees on coded columns: one call grows all trees, so that threads can score side by side."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SQUARED, LOGISTIC, SOFTMAX = 0, 1, 2
N_CODES = 256
NEARLY = 1.0 - 1e-9  # of the best worth: what is less is not worked out exactly
LANES = 8  # columns whose sums lie side by side
MAX_TOGETHER = 32  # categories on one side of a split


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
def _hessians_at(sums: NDArray[np.float64]) -> int:
    """First plane of hessians in sums by code, after rows and gradients; that of the rows where all hessians are 1."""
    return 0 if len(sums) == 2 else (len(sums) + 1) // 2


@njit(nogil=True, cache=True, inline="always")
def _add_row(
    code: int,
    lane: int,
    g: float,
    h: float,
    counts: NDArray[np.float64],
    gradients: NDArray[np.float64],
    hessians: NDArray[np.float64],
    with_hessians: bool,
) -> None:
    at = np.int64(code) * LANES + lane
    counts[at] += 1.0
    gradients[at] += g
    if with_hessians:
        hessians[at] += h


@njit(nogil=True, cache=True)
def _sum_by_code(
    codes: NDArray[np.uint8],
    n_lanes: int,
    rows: NDArray[np.int64],
    first: int,
    last: int,
    gradient: NDArray[np.float64],
    hessian: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Rows, gradients and hessians by code of the first `n_lanes` columns of a block in ``rows[first:last]``.

    `codes` (n, LANES); `out` (n_planes, size) has the sums of code c in lane l at ``c * LANES + l``. Where all hessians
    are 1, they are not summed: `out` has 2 planes, and the rows stand for them.
    """
    n_outputs, hessians_at = gradient.shape[1], _hessians_at(out)
    out[:] = 0.0
    counts, gradients, hessians = out[0], out[1], out[hessians_at]
    if n_outputs == 1:
        for i in range(first, last):
            r = rows[i]
            g, h = gradient[r, 0], hessian[r, 0]
            if n_lanes == LANES:  # told the number beforehand, the compiler unrolls the loop
                for lane in range(LANES):
                    _add_row(codes[r, lane], lane, g, h, counts, gradients, hessians, hessians_at > 0)
            else:
                for lane in range(n_lanes):
                    _add_row(codes[r, lane], lane, g, h, counts, gradients, hessians, hessians_at > 0)
        return
    for i in range(first, last):
        r = rows[i]
        for lane in range(n_lanes):
            at = np.int64(codes[r, lane]) * LANES + lane
            counts[at] += 1.0
            for k in range(n_outputs):
                out[1 + k, at] += gradient[r, k]
                out[hessians_at + k, at] += hessian[r, k]


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


# Loops of the next three run over codes and lanes alike, with no branch and a constant distance between neighbouring
# codes, so that they are compiled to vectors; each was measured.


@njit(nogil=True, cache=True)
def _sum_to_the_left(sums: NDArray[np.float64], size: int, missing_left: bool, left: NDArray[np.float64]) -> None:
    """Sums on the left of each cut after a code, `left` (n_planes, size), of the sums by code of a block."""
    for c in range(len(sums)):
        more, own = sums[c], left[c]
        for lane in range(LANES):
            own[lane] = more[lane] if missing_left else 0.0
        for i in range(size - LANES):
            own[i + LANES] = own[i] + more[i + LANES]


@njit(nogil=True, cache=True)
def _any_worth(
    left: NDArray[np.float64], size: int, total: NDArray[np.float64], l2: float, min_rows: float, reach: float
) -> bool:
    """Whether a cut with one output is worth more than `reach`, told without a division: most are not."""
    n, g, h = left[0], left[1], left[_hessians_at(left)]
    most, all_g, all_h = total[0] - min_rows, total[1], total[2] + l2
    hits = 0
    for i in range(size):
        rest = all_g - g[i]
        own_h, rest_h = h[i] + l2, all_h - h[i]
        over = g[i] * g[i] * rest_h + rest * rest * own_h > reach * (own_h * rest_h)
        hits += over & (n[i] >= min_rows) & (n[i] <= most)
    return hits > 0


@njit(nogil=True, cache=True, error_model="numpy")
def _worth_of_cuts(
    left: NDArray[np.float64], size: int, total: NDArray[np.float64], l2: float, worth: NDArray[np.float64]
) -> None:
    """Worth of both sides of each cut together, `worth` (size,)."""
    n_outputs, hessians_at = (len(total) - 1) // 2, _hessians_at(left)
    for i in range(size):
        worth[i] = 0.0
    for k in range(n_outputs):
        g, h = left[1 + k], left[hessians_at + k]
        all_g, all_h = total[1 + k], total[1 + n_outputs + k] + l2
        for i in range(size):
            rest = all_g - g[i]
            own_h, rest_h = h[i] + l2, all_h - h[i]
            worth[i] += (g[i] * g[i] * rest_h + rest * rest * own_h) / (own_h * rest_h)


@njit(nogil=True, cache=True)
def _cut_of_numbers(
    sums: NDArray[np.float64],
    n_codes: int,
    total: NDArray[np.float64],
    parent: float,
    l2: float,
    min_rows: float,
    best: float,
    goes_left: NDArray[np.bool_],
    left: NDArray[np.float64],
    worth: NDArray[np.float64],
) -> tuple[float, int]:
    """Gain of the best cut of a block of numbers and its lane; `best` and -1 if none gains more.

    Missing values, code 0, are tried on either side; where there are any, the cut after the last code parts them from
    all others.
    """
    size = n_codes * LANES
    n_missing = 0.0
    for lane in range(LANES):
        n_missing += sums[0, lane]
    found, n, most = -1, left[0], total[0] - min_rows
    for way in range(2 if n_missing > 0.0 else 1):
        _sum_to_the_left(sums, size, way == 1, left)
        if len(total) == 3 and not _any_worth(left, size, total, l2, min_rows, NEARLY * (best + parent)):
            continue
        _worth_of_cuts(left, size, total, l2, worth)
        cut = -1
        for i in range(size):
            if worth[i] - parent > best and min_rows <= n[i] <= most:
                best, found, cut = worth[i] - parent, i % LANES, i // LANES
        if cut >= 0:
            goes_left[:] = False
            goes_left[1 : cut + 1] = True
            goes_left[0] = way == 1
    return best, found


@njit(nogil=True, cache=True)
def _split_of_categories(
    sums: NDArray[np.float64],
    lane: int,
    n_codes: int,
    total: NDArray[np.float64],
    parent: float,
    l2: float,
    min_rows: float,
    smooth: float,
    best: float,
    goes_left: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> float:
    """Gain of the best split of a node by a column of categories, or `best` if none gains more.

    Categories are put in the order of their mean gradient in the node, and some at either end are cut off: at most
    `MAX_TOGETHER`, `min_group` rows for each cut, of categories of at least `min_level` rows.
    """
    width = len(total)
    n_outputs, hessians_at = (width - 1) // 2, _hessians_at(sums)
    left, right = np.zeros(width), np.zeros(width)
    min_group = 5.0 * min_rows
    min_level = 0.5 * min_rows
    n_present = 0
    for b in range(n_codes):
        if sums[0, b * LANES + lane] >= min_level:
            order[n_present] = b
            n_present += 1
    if n_present < 1:
        return best
    main, spread = 0, -1.0
    for k in range(n_outputs):
        found = 0.0
        for i in range(n_present):
            at = order[i] * LANES + lane
            found += sums[1 + k, at] ** 2 / (sums[hessians_at + k, at] + smooth)
        if found > spread:
            main, spread = k, found
    means = np.empty(n_present)
    for i in range(n_present):
        at = order[i] * LANES + lane
        means[i] = sums[1 + main, at] / (sums[hessians_at + main, at] + smooth)
    sorted_codes = order[:n_present][np.argsort(means, kind="mergesort")]
    for way in range(2):  # some categories of the lowest, or of the highest means against all others
        left[:] = 0.0
        since = 0.0
        for i in range(min(n_present, MAX_TOGETHER)):
            at = sorted_codes[i if way == 0 else n_present - 1 - i] * LANES + lane
            for c in range(1 + n_outputs):
                left[c] += sums[c, at]
            for k in range(n_outputs):
                left[1 + n_outputs + k] += sums[hessians_at + k, at]
            since += sums[0, at]
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


@njit(nogil=True, cache=True)
def _split_of_block(
    sums: NDArray[np.float64],
    categorical: bool,
    n_lanes: int,
    n_codes: int,
    total: NDArray[np.float64],
    parent: float,
    l2: float,
    min_rows: float,
    smooth: float,
    best: float,
    goes_left: NDArray[np.bool_],
    left: NDArray[np.float64],
    worth: NDArray[np.float64],
    order: NDArray[np.int64],
) -> tuple[float, int]:
    """Gain of the best split of a node by the columns of a block and the lane of its column.

    `best` and -1 if none gains more; else `goes_left` (256,) says where each code goes. `left`, `worth` and `order` are
    written over.
    """
    if not categorical:
        return _cut_of_numbers(sums, n_codes, total, parent, l2, min_rows, best, goes_left, left, worth)
    found = -1
    for lane in range(n_lanes):
        gain = _split_of_categories(sums, lane, n_codes, total, parent, l2, min_rows, smooth, best, goes_left, order)
        if gain > best:
            best, found = gain, lane
    return best, found


@njit(nogil=True, cache=True)
def boost(
    blocks: NDArray[np.uint8],
    n_lanes: NDArray[np.int64],
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
    blocks : ndarray of shape (n_blocks, n, LANES), uint8
        Codes of `LANES` columns side by side, all of numbers or all of categories; 0 is missing. Rows from `n_train` on
        are held out. Trees call a column ``block * LANES + lane``.
    n_lanes, n_codes : ndarray of shape (n_blocks,), int64
        Number of columns, and of codes of the column with most.
    categorical : ndarray of shape (n_blocks,), bool
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
    importance : ndarray of shape (n_blocks * LANES,)
        Out: gains by column, summed over the trees that count.

    Returns
    -------
    start, best : float
        Held-out loss before, and the least one.
    n_best : int
        Number of trees to the least loss.
    """
    n_blocks, n = blocks.shape[:2]
    n_outputs = scores.shape[1]
    width = 1 + 2 * n_outputs
    n_planes = 2 if loss == SQUARED else width
    gradient, hessian = np.empty((n_train, n_outputs)), np.empty((n_train, n_outputs))
    offsets, sizes = np.zeros(n_blocks + 1, dtype=np.int64), (n_codes + 1) * LANES  # apart by no power of 2
    for j in range(n_blocks):
        offsets[j + 1] = offsets[j] + sizes[j] * n_planes
    cells = np.empty((max_leaves, offsets[n_blocks]))
    rows, buffer = np.empty(n_train, dtype=np.int64), np.empty(n_train, dtype=np.int64)
    first, last = np.empty(max_leaves, dtype=np.int64), np.empty(max_leaves, dtype=np.int64)
    node_of, place = np.empty(max_leaves, dtype=np.int64), np.empty(max_leaves, dtype=np.int64)
    penalty = np.empty(max_leaves)
    totals = np.empty((max_leaves, width))
    gains, columns = np.empty(max_leaves), np.empty(max_leaves, dtype=np.int64)
    most = (n_codes.max() + 1) * LANES
    spare, worth, order = np.empty((n_planes, most)), np.empty(most), np.empty(N_CODES, dtype=np.int64)
    ways = np.empty((max_leaves, N_CODES), dtype=np.bool_)
    gained = np.zeros((max(patience, 1) + 1, n_blocks * LANES))  # of the trees since the best one
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
        for j in range(n_blocks):
            own = cells[0][offsets[j] : offsets[j + 1]].reshape(n_planes, sizes[j])
            _sum_by_code(blocks[j], n_lanes[j], rows, 0, n_train, gradient, hessian, own)
            gains[0], lane = _split_of_block(
                own,
                categorical[j],
                n_lanes[j],
                n_codes[j],
                totals[0],
                root_worth,
                l2,
                min_rows,
                smooth,
                gains[0],
                ways[0],
                spare,
                worth,
                order,
            )
            if lane >= 0:
                columns[0] = j * LANES + lane
        while n_leaves < max_leaves:
            leaf = 0
            for i in range(1, n_leaves):
                if gains[i] > gains[leaf]:
                    leaf = i
            if gains[leaf] <= least:
                break
            split = columns[leaf]
            block, lane = split // LANES, split % LANES
            pending[split] += gains[leaf]
            parent = node_of[leaf]
            column[t, parent] = split
            left[t, parent] = n_nodes
            goes_left[t, parent] = ways[leaf]
            column[t, n_nodes] = -1
            column[t, n_nodes + 1] = -1
            a, z = first[leaf], last[leaf]
            low, n_right = a, 0
            for i in range(a, z):
                r = rows[i]
                goes = int(ways[leaf, blocks[block, r, lane]])
                rows[low] = r  # to both sides, and the next over the one that is wrong: cheaper than a branch
                buffer[n_right] = r
                low += goes
                n_right += 1 - goes
            rows[low:z] = buffer[:n_right]
            new = n_leaves
            n_leaves += 1
            first[new], last[new], node_of[new] = low, z, n_nodes + 1
            last[leaf], node_of[leaf] = low, n_nodes
            n_nodes += 2
            penalty[leaf] = penalty[new] = l2 + smooth if categorical[block] else l2
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
            for j in range(n_blocks):  # a block at a time, while its sums are near
                own_flat = cells[place[small]][offsets[j] : offsets[j + 1]]
                rest_flat = cells[place[large]][offsets[j] : offsets[j + 1]]
                own, rest = own_flat.reshape(n_planes, sizes[j]), rest_flat.reshape(n_planes, sizes[j])
                _sum_by_code(blocks[j], n_lanes[j], rows, first[small], last[small], gradient, hessian, own)
                for b in range(len(own_flat)):
                    rest_flat[b] -= own_flat[b]
                gains[large], lane = _split_of_block(
                    rest,
                    categorical[j],
                    n_lanes[j],
                    n_codes[j],
                    totals[large],
                    large_worth,
                    l2,
                    min_rows,
                    smooth,
                    gains[large],
                    ways[large],
                    spare,
                    worth,
                    order,
                )
                if lane >= 0:
                    columns[large] = j * LANES + lane
                if splits_small:
                    gains[small], lane = _split_of_block(
                        own,
                        categorical[j],
                        n_lanes[j],
                        n_codes[j],
                        totals[small],
                        small_worth,
                        l2,
                        min_rows,
                        smooth,
                        gains[small],
                        ways[small],
                        spare,
                        worth,
                        order,
                    )
                    if lane >= 0:
                        columns[small] = j * LANES + lane
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
                split = column[t, node]
                code = blocks[split // LANES, r, split % LANES]
                node = left[t, node] + (0 if goes_left[t, node, code] else 1)
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
def gains(
    starts: NDArray[np.int64],
    blocks: NDArray[np.uint8],
    n_lanes: NDArray[np.int64],
    n_codes: NDArray[np.int64],
    categorical: NDArray[np.bool_],
    y: NDArray[np.float64],
    init: NDArray[np.float64],
    n_train: int,
    loss: int,
    n_trees: int,
    max_leaves: int,
    learning_rate: float,
    patience: int,
    min_rows: float,
    l2: float,
    smooth: float,
) -> NDArray[np.float64]:
    """How far trees on each set of blocks, ``blocks[starts[s] : starts[s + 1]]``, lower the held-out loss; see `boost`.

    One call for many sets: threads that have little to do in between hinder each other by Python's lock.
    """
    n_sets, n_nodes = len(starts) - 1, 2 * max_leaves - 1
    column, left = np.full((n_trees, n_nodes), -1, dtype=np.int32), np.empty((n_trees, n_nodes), dtype=np.int32)
    goes_left = np.empty((n_trees, n_nodes, N_CODES), dtype=np.bool_)
    value, out = np.empty((n_trees, n_nodes, init.shape[1])), np.empty(n_sets)
    for s in range(n_sets):
        first, last = starts[s], starts[s + 1]
        start, best, _ = boost(
            blocks[first:last],
            n_lanes[first:last],
            n_codes[first:last],
            categorical[first:last],
            y,
            init.copy(),
            n_train,
            loss,
            n_trees,
            max_leaves,
            learning_rate,
            patience,
            min_rows,
            l2,
            smooth,
            column,
            left,
            goes_left,
            value,
            np.zeros((last - first) * LANES),
        )
        out[s] = start - best
    return out


@njit(nogil=True, cache=True)
def add_trees(
    codes: NDArray[np.uint8],
    column: NDArray[np.int32],
    left: NDArray[np.int32],
    goes_left: NDArray[np.bool_],
    value: NDArray[np.float64],
    which: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> None:
    """Add what some trees say of each row; `codes` (m, n), `scores` (n, n_outputs), trees as `boost` leaves them."""
    for t in which:
        for r in range(codes.shape[1]):
            node = 0
            while column[t, node] >= 0:
                node = left[t, node] + (0 if goes_left[t, node, codes[column[t, node], r]] else 1)
            for k in range(scores.shape[1]):
                scores[r, k] += value[t, node, k]
