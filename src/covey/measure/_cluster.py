"""Hierarchical clustering of features on their strength of association."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

LinkageMethod = Literal["average", "complete", "single"]

# The time of optimal leaf ordering grows with the cube of the number of features (0.2 s at 1000); beyond this many the
# tree's own order is shown.
MOST_OPTIMAL_LEAVES = 1000

# A group whose average strength equals the threshold belongs together whatever the last bit says.
ROUNDING = 1e-12


def linkage(strength: NDArray[np.float64], method: LinkageMethod = "average") -> NDArray[np.float64]:
    """Merge features pair by pair, the strongest first, at the distance ``1 - strength``.

    Parameters
    ----------
    strength : ndarray of shape (n_features, n_features)
        Symmetric, 0..1; NaN counts as 0, more than 1 as 1, and the diagonal is ignored.
    method : {"average", "complete", "single"}
        Strength of two groups: the mean, the least or the greatest over their pairs.

    Returns
    -------
    ndarray of shape (n_features - 1, 4)
        SciPy's linkage matrix; column 2 is the distance of each merge, 0..1 and never falling.

    Raises
    ------
    ValueError
        If `strength` is not square and not empty, or `method` is unknown.

    References
    ----------
    Sokal and Michener (1958), A statistical method for evaluating systematic relationships. Univ. Kansas Sci.
    Bull. 38; Müllner (2011), arXiv:1109.2378.

    Examples
    --------
    >>> linkage(np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.3], [0.1, 0.3, 1.0]]))[:, 2].round(3)
    array([0.1, 0.8])
    """
    from scipy.cluster import hierarchy

    if method not in ("average", "complete", "single"):
        raise ValueError(f"no linkage {method!r}; choose 'average', 'complete' or 'single'")
    distance = _distance(strength)
    if len(distance) == 0:
        return np.empty((0, 4))
    return hierarchy.linkage(distance, method)


def leaf_order(strength: NDArray[np.float64], tree: NDArray[np.float64] | None = None) -> NDArray[np.intp]:
    """Order of the features in which strong pairs stand side by side.

    Among the orders that the tree allows, the one with the greatest sum of strengths of neighbours; for more than 1000
    features the tree's own order, which is much quicker to find.

    Parameters
    ----------
    strength : ndarray of shape (n_features, n_features)
        As for `linkage`.
    tree : ndarray of shape (n_features - 1, 4), optional
        A linkage matrix that is already there; by default that of average linkage.

    Returns
    -------
    ndarray of shape (n_features,), intp
        A permutation of the features.

    Notes
    -----
    SciPy's ``optimal_leaf_ordering`` misses the optimum of about one random matrix in five
    (https://github.com/scipy/scipy/issues/11227), hence this one.

    References
    ----------
    Bar-Joseph, Gifford and Jaakkola (2001), Fast optimal leaf ordering for hierarchical clustering. Bioinformatics 17;
    in cubic time as in Bar-Joseph et al. (2003), K-ary clustering with optimal leaf ordering for gene expression data.
    Bioinformatics 19.

    Examples
    --------
    >>> leaf_order(np.array([[1.0, 0.0, 0.9], [0.0, 1.0, 0.3], [0.9, 0.3, 1.0]])).tolist()
    [0, 2, 1]
    """
    from scipy.cluster import hierarchy

    tree = linkage(strength) if tree is None else tree
    n_features = len(strength)
    if n_features <= 2:
        return np.arange(n_features)
    leaves = hierarchy.leaves_list(tree).astype(np.intp)
    if n_features <= MOST_OPTIMAL_LEAVES:
        known = np.ascontiguousarray(np.nan_to_num(strength)[np.ix_(leaves, leaves)])
        leaves = leaves[_optimal_order(known, *_spans(tree, leaves))]
    return leaves if leaves[0] < leaves[-1] else leaves[::-1]


def _spans(
    tree: NDArray[np.float64], leaves: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Where the leaves of each merge's two children begin and stop in `leaves`, and the children.

    Begins (n_merges, 2), stop (n_merges,), children (n_merges, 2): the number of a merge, or -1 for a leaf; the first
    child's leaves come first.
    """
    n_features = len(leaves)
    start = np.empty(n_features + len(tree), dtype=np.intp)
    stop = np.empty_like(start)
    start[leaves] = np.arange(n_features)
    stop[:n_features] = start[:n_features] + 1
    children = np.empty((len(tree), 2), dtype=np.intp)
    begins = np.empty((len(tree), 2), dtype=np.intp)
    for merge, pair in enumerate(tree[:, :2].astype(np.intp)):
        first, second = sorted(pair, key=lambda node: start[node])
        node = n_features + merge
        start[node], stop[node] = start[first], stop[second]
        begins[merge] = start[first], start[second]
        children[merge] = np.maximum(np.array([first, second]) - n_features, -1)
    return begins, stop[n_features:], children


def _optimal_order(
    strength: NDArray[np.float64], begins: NDArray[np.intp], stop: NDArray[np.intp], children: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The best order of the leaves, from the best sums by the two ends of each merge."""
    best = _best_sums(strength, begins, stop, children)
    root = len(stop) - 1
    middle = begins[root, 1]
    ends = np.unravel_index(np.argmax(best[:middle, middle:]), (middle, len(best) - middle))
    order = np.empty(len(best), dtype=np.intp)
    todo = [(root, int(ends[0]), int(ends[1] + middle), 0)]
    while todo:
        merge, first, last, place = todo.pop()
        if merge < 0:
            order[place] = first
            continue
        side = 0 if first < begins[merge, 1] else 1
        one, other = children[merge, side], children[merge, 1 - side]
        a, b = _far_side(begins, stop, one, first)
        c, d = _far_side(begins, stop, other, last)
        total = best[first, a:b, None] + strength[a:b, c:d] + best[last, c:d]
        inner = np.unravel_index(np.argmax(total), total.shape)
        size = begins[merge, 1] - begins[merge, 0] if side == 0 else stop[merge] - begins[merge, 1]
        todo.append((int(one), first, int(a + inner[0]), place))
        todo.append((int(other), int(c + inner[1]), last, place + int(size)))
    return order


@njit(nogil=True, cache=True)
def _far_side(begins: NDArray[np.intp], stop: NDArray[np.intp], merge: int, leaf: int) -> tuple[int, int]:
    """The leaves that can stand at the other end of a subtree that has `leaf` at one end."""
    if merge < 0:
        return leaf, leaf + 1
    if leaf < begins[merge, 1]:
        return begins[merge, 1], stop[merge]
    return begins[merge, 0], begins[merge, 1]


@njit(nogil=True, cache=True)
def _best_sums(
    strength: NDArray[np.float64], begins: NDArray[np.intp], stop: NDArray[np.intp], children: NDArray[np.intp]
) -> NDArray[np.float64]:
    """For each two leaves, the greatest sum of the subtree of their first common merge when they are its ends."""
    n_leaves = len(strength)
    best = np.zeros((n_leaves, n_leaves))
    joined = np.empty((n_leaves, n_leaves))  # best sum that starts at a left leaf and has stepped to a right leaf
    for merge in range(len(stop)):
        low, middle, high = begins[merge, 0], begins[merge, 1], stop[merge]
        for i in range(low, middle):
            a, b = _far_side(begins, stop, children[merge, 0], i)
            for r in range(middle, high):
                joined[i, r] = (best[i, a:b] + strength[r, a:b]).max()
        for j in range(middle, high):
            a, b = _far_side(begins, stop, children[merge, 1], j)
            for i in range(low, middle):
                best[i, j] = best[j, i] = (joined[i, a:b] + best[j, a:b]).max()
    return best


def cut(
    strength: NDArray[np.float64],
    threshold: float,
    method: LinkageMethod = "average",
    tree: NDArray[np.float64] | None = None,
) -> list[list[int]]:
    """Groups of features whose strength is at least `threshold` on average.

    With average linkage every merge joins two groups whose pairs have a mean strength of `threshold` or more,
    so the mean over all pairs inside a group is at least `threshold` too.

    Parameters
    ----------
    strength : ndarray of shape (n_features, n_features)
        As for `linkage`.
    threshold : float
        In 0..1.
    method : {"average", "complete", "single"}
    tree : ndarray of shape (n_features - 1, 4), optional
        A linkage matrix that is already there.

    Returns
    -------
    list of list of int
        A partition of the features (lonely ones included); members rise, groups are ordered by first member.

    Raises
    ------
    ValueError
        If `threshold` is outside 0..1.

    Examples
    --------
    >>> cut(np.array([[1.0, 0.0, 0.9], [0.0, 1.0, 0.3], [0.9, 0.3, 1.0]]), threshold=0.6)
    [[0, 2], [1]]
    """
    from scipy.cluster import hierarchy

    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold must lie in 0..1, got {threshold}")
    tree = linkage(strength, method) if tree is None else tree
    if len(tree) == 0:
        return [[0]] if len(strength) else []
    labels = hierarchy.fcluster(tree, 1.0 - threshold + ROUNDING, criterion="distance")
    groups: dict[int, list[int]] = {}
    for feature, label in enumerate(labels):
        groups.setdefault(int(label), []).append(feature)
    return list(groups.values())


def _distance(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances ``1 - strength`` of the pairs above the diagonal, in SciPy's condensed order."""
    strength = np.asarray(strength, dtype=np.float64)
    if strength.ndim != 2 or strength.shape[0] != strength.shape[1]:
        raise ValueError(f"strength must be a square matrix, got shape {strength.shape}")
    upper = strength[np.triu_indices(len(strength), 1)]
    return 1.0 - np.clip(np.nan_to_num(upper, nan=0.0), 0.0, 1.0)
