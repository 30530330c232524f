"""Correlation clustering of a complete graph: groups without their number, by dense multicut."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Literal, Self

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import validate_data

from covey.measure import AssociationMatrix
from covey.structure._square import symmetric_matrix

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

BLOCK = 512  # rows of a block of inner products


def multicut_objective(features: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> float:
    """Sum of the costs of all cut pairs, ``<f_i, f_j> - threshold`` over pairs with different labels.

    Inner products add, so the sum needs no pair: it is the sum over all pairs less that within each cluster.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
    labels : array-like of shape (n_samples,)
    threshold : float
        Inner product at which two samples neither attract nor repel each other; ``alpha ** 2`` in the paper.

    Returns
    -------
    float
        Smaller is better; 0 when nothing is cut.

    Raises
    ------
    ValueError
        If there is not one label for each sample, or `threshold` is not finite.

    References
    ----------
    Abbas and Swoboda (2023), ClusterFuG: Clustering Fully connected Graphs by Multicut. ICML. arXiv:2301.12159.

    Examples
    --------
    >>> features = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> multicut_objective(features, [0, 0, 1]), multicut_objective(features, [0, 1, 1])
    (-1.0, 0.0)
    """
    x = _features(features)
    _check_threshold(threshold)
    code = np.unique(np.asarray(labels), return_inverse=True)[1]
    if code.shape != (len(x),):
        raise ValueError(f"labels must have shape ({len(x)},), one for each row of features; got {code.shape}")
    sums, sizes = _cluster_sums(x, code)
    total = x.sum(axis=0)
    between = total @ total - (sums * sums).sum() - threshold * (len(x) ** 2 - sizes @ sizes)
    return float(between / 2.0)


def dense_gaec(features: ArrayLike, threshold: float = 0.5, *, n_neighbors: int = 8) -> Labels:
    """Greedy additive edge contraction of the complete graph with costs ``<f_i, f_j> - threshold``.

    The pair with the greatest cost is joined, again and again while one is positive. The cost of two clusters is the
    sum over their pairs, which is the inner product of their summed features less `threshold` times the product of
    their sizes: no matrix of pairs is kept, and the number of clusters is not given.

    Each pair of clusters is looked after by the one that came about later. The candidates of a cluster are then
    clusters that existed before it; as they can only vanish, its list of nearest ones stays right while it lasts, and
    is renewed when it runs out. The result is that of the greedy rule on the full matrix.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Finite; rows of unit length make the cost a cosine similarity less `threshold`.
    threshold : float
        Inner product above which two samples attract each other; ``alpha ** 2`` in the paper.
    n_neighbors : int
        Length of the lists. It changes time and memory, not the result.

    Returns
    -------
    ndarray of shape (n_samples,), intp
        Labels, numbered by first member.

    Raises
    ------
    ValueError
        If `features` is not a finite matrix, `threshold` is not finite or `n_neighbors` is less than 1.

    Notes
    -----
    Time is ``O(n_samples ** 2 * n_features)`` while few lists run out, memory ``O(n_samples * (n_features +
    n_neighbors))``. Equal costs are met in an order of the implementation's own, the same in every run.

    References
    ----------
    Abbas and Swoboda (2023), ClusterFuG: Clustering Fully connected Graphs by Multicut. ICML. arXiv:2301.12159.
    Keuper et al. (2015), Efficient decomposition of image and mesh graphs by lifted multicuts. ICCV.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = np.eye(5)[[0, 0, 1, 1, 1, 2, 3, 4, 4]]
    >>> dense_gaec(centres + 0.05 * rng.normal(size=centres.shape))
    array([0, 0, 1, 1, 1, 2, 3, 4, 4])
    """
    x = _features(features)
    _check_threshold(threshold)
    _check_length(n_neighbors)
    neighbours, costs = _nearest(x, np.ones(len(x)), threshold, n_neighbors)
    return _numbered(_contract(x.copy(), False, threshold, neighbours, costs))


def dense_laec(features: ArrayLike, threshold: float = 0.5, *, n_neighbors: int = 8) -> Labels:
    """Lazy additive edge contraction: the rule of `dense_gaec` among candidates that are searched for only at times.

    Every cluster has a list of its nearest ones. A cluster that came about by a join takes over both lists, in place of
    a new search; the cost of a candidate that has grown since it was listed is corrected when its turn comes. Only
    when no candidate attracts any more are all clusters searched anew, until that finds no pair with a positive cost.
    A join is then the best of the candidates, not of all pairs: in noise the objective differs from that of
    `dense_gaec`, in either direction, by a few hundredths of what is gained over leaving every sample alone; where
    clusters are well apart it is the same.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Finite; rows of unit length make the cost a cosine similarity less `threshold`.
    threshold : float
        Inner product above which two samples attract each other; ``alpha ** 2`` in the paper.
    n_neighbors : int
        Length of the lists; longer ones need not bring the result closer to that of `dense_gaec`.

    Returns
    -------
    ndarray of shape (n_samples,), intp
        Labels, numbered by first member; no two clusters attract each other.

    Raises
    ------
    ValueError
        If `features` is not a finite matrix, `threshold` is not finite or `n_neighbors` is less than 1.

    Notes
    -----
    Time is that of one blocked matrix product a search, of which a handful are usual and the later ones small; memory
    ``O(n_samples * (n_features + n_neighbors))``.

    References
    ----------
    Abbas and Swoboda (2023), ClusterFuG: Clustering Fully connected Graphs by Multicut. ICML. arXiv:2301.12159.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = np.eye(5)[[0, 0, 1, 1, 1, 2, 3, 4, 4]]
    >>> dense_laec(centres + 0.05 * rng.normal(size=centres.shape))
    array([0, 0, 1, 1, 1, 2, 3, 4, 4])
    """
    sums = _features(features).copy()
    _check_threshold(threshold)
    _check_length(n_neighbors)
    labels, sizes = np.arange(len(sums)), np.ones(len(sums))
    while True:
        neighbours, costs = _nearest(sums, sizes, threshold, n_neighbors)
        if costs.max() <= 0.0:
            return _numbered(labels)
        kept, code = np.unique(_contract_lazily(sums, sizes, threshold, neighbours, costs), return_inverse=True)
        sums, sizes, labels = sums[kept], sizes[kept], code[labels]


def correlation_clustering(costs: AssociationMatrix | ArrayLike, threshold: float = 0.0) -> Labels:
    """Greedy additive edge contraction of a graph whose costs are given, positive ones attracting.

    Parameters
    ----------
    costs : AssociationMatrix or array-like of shape (n, n)
        Symmetric; the diagonal is ignored. Of an association matrix the strength is taken.
    threshold : float
        Subtracted from every cost: with strengths of association, the one above which two features attract.

    Returns
    -------
    ndarray of shape (n,), intp
        Labels, numbered by first member.

    Raises
    ------
    ValueError
        If `costs` is not a finite symmetric square matrix, or `threshold` is not finite.

    References
    ----------
    Bansal, Blum and Chawla (2004), Correlation clustering. Machine Learning 56. Keuper et al. (2015), Efficient
    decomposition of image and mesh graphs by lifted multicuts. ICCV.

    Examples
    --------
    Of two clubs that share a member who is closer to the first:

    >>> costs = np.array([[0, 2, 2, -1], [2, 0, 2, -1], [2, 2, 0, 1], [-1, -1, 1, 0]])
    >>> correlation_clustering(costs)
    array([0, 0, 0, 1])
    """
    matrix = _cost_matrix(costs)
    _check_threshold(threshold)
    neighbours, best = _empty_lists(len(matrix), min(8, len(matrix)))
    _fill_lists(matrix, 0, threshold, neighbours, best)
    return _numbered(_contract(matrix, True, threshold, neighbours, best))


def move_nodes(features: ArrayLike, labels: ArrayLike, threshold: float = 0.5, *, max_sweeps: int = 20) -> Labels:
    """Local search: move single samples to the cluster that they gain most from, until no move gains.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
    labels : array-like of shape (n_samples,)
        Where to start.
    threshold : float
        As for `dense_gaec`.
    max_sweeps : int
        Most passes over the samples.

    Returns
    -------
    ndarray of shape (n_samples,), intp
        Labels whose `multicut_objective` is at most that of the start.

    Raises
    ------
    ValueError
        If `features` is not a finite matrix, there is not one label for each sample, or `threshold` is not finite.

    References
    ----------
    Bansal, Blum and Chawla (2004), Correlation clustering. Machine Learning 56 (the objective).

    Examples
    --------
    >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
    >>> move_nodes(features, [0, 0, 0, 1])
    array([0, 0, 1, 1])
    """
    x = _features(features)
    _check_threshold(threshold)
    code = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.intp)
    if code.shape != (len(x),):
        raise ValueError(f"labels must have shape ({len(x)},), one for each row of features; got {code.shape}")
    for _ in range(max_sweeps):
        sums, sizes = _cluster_sums(x, code)
        spare = np.zeros((1, x.shape[1]))  # an empty cluster, for a sample that is better off alone
        if not _sweep(x, threshold, code, np.vstack([sums, spare]), np.append(sizes, 0.0)):
            break
        code = _numbered(code)
    return _numbered(code)


def _check_threshold(threshold: float) -> None:
    if not np.isfinite(threshold):
        raise ValueError(f"threshold must be finite, got {threshold}")


def _check_length(n_neighbors: int) -> None:
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1, got {n_neighbors}")


def _features(features: ArrayLike) -> Array:
    x = np.ascontiguousarray(features, dtype=np.float64)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"features must be a matrix with at least one row; its shape is {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("features must be finite; fill or drop the missing values first")
    return x


def _cost_matrix(costs: AssociationMatrix | ArrayLike) -> Array:
    matrix = symmetric_matrix(costs, "costs")
    return (matrix + matrix.T) / 2.0


def _cluster_sums(x: Array, code: Labels) -> tuple[Array, Array]:
    """Summed features (n_clusters, n_features) and sizes (n_clusters,)."""
    sums = np.zeros((int(code.max()) + 1, x.shape[1]))
    np.add.at(sums, code, x)
    return sums, np.bincount(code).astype(float)


def _empty_lists(n: int, length: int) -> tuple[Labels, Array]:
    """Neighbours and their costs, each of shape (n, length)."""
    return np.full((n, length), -1, dtype=np.intp), np.full((n, length), -np.inf)


def _nearest(sums: Array, sizes: Array, threshold: float, length: int) -> tuple[Labels, Array]:
    """For each cluster the earlier ones that attract it most, and the costs, each of shape (n, at most length)."""
    neighbours, costs = _empty_lists(len(sums), min(length, len(sums)))
    for start in range(0, len(sums), BLOCK):
        stop = min(start + BLOCK, len(sums))
        pairs = sums[start:stop] @ sums[:stop].T - threshold * np.outer(sizes[start:stop], sizes[:stop])
        _fill_lists(pairs, start, 0.0, neighbours, costs)
    return neighbours, costs


def _numbered(owner: Labels) -> Labels:
    """Labels numbered by first member."""
    _, first, code = np.unique(owner, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code]


@njit(nogil=True, cache=True)
def _insert(node: int, cost: float, neighbours: Labels, costs: Array) -> None:
    """Put `node` into a list sorted by falling cost; a list holds positive costs only."""
    position = len(costs) - 1
    if cost <= 0.0 or cost <= costs[position]:
        return
    while position > 0 and costs[position - 1] < cost:
        costs[position], neighbours[position] = costs[position - 1], neighbours[position - 1]
        position -= 1
    costs[position], neighbours[position] = cost, node


@njit(nogil=True, cache=True)
def _fill_lists(products: Array, start: int, threshold: float, neighbours: Labels, costs: Array) -> None:
    for row in range(len(products)):
        for other in range(start + row):
            _insert(other, products[row, other] - threshold, neighbours[start + row], costs[start + row])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _inner(left: Array, right: Array) -> float:
    total = 0.0
    for k in range(len(left)):
        total += left[k] * right[k]
    return total


@njit(nogil=True, cache=True)
def _contract(content: Array, precomputed: bool, threshold: float, neighbours: Labels, costs: Array) -> Labels:
    """For each node the node that its cluster is named after.

    `content` holds features, or similarities when `precomputed`; it is overwritten by those of the clusters. Clusters
    live in the slots of nodes; `birth` tells when, and a slot's list holds slots of an earlier birth.
    """
    n, length = costs.shape
    owner, birth, live = np.arange(n), np.arange(n), np.arange(n)
    size, position = np.ones(n), np.zeros(n, dtype=np.intp)
    best = costs[:, 0].copy()  # of each list's candidates, or above it where the list ran out
    n_live, clock = n, n
    while True:
        later = live[0]
        for k in range(1, n_live):
            if best[live[k]] > best[later]:
                later = live[k]
        if best[later] <= 0.0:
            break
        if position[later] == length:
            _renew(later, content, precomputed, threshold, live[:n_live], birth, size, neighbours, costs)
            position[later], best[later] = 0, costs[later, 0]
            continue
        earlier = neighbours[later, position[later]]
        if owner[earlier] != earlier or birth[earlier] >= birth[later]:
            position[later] += 1
            if position[later] < length:
                best[later] = costs[later, position[later]]
            continue
        kept, gone = min(later, earlier), max(later, earlier)
        _join(kept, gone, content, precomputed)
        owner[gone], best[gone] = kept, -np.inf
        size[kept] += size[gone]
        birth[kept], clock = clock, clock + 1
        n_live = _remove(gone, live[:n_live])
        _renew(kept, content, precomputed, threshold, live[:n_live], birth, size, neighbours, costs)
        position[kept], best[kept] = 0, costs[kept, 0]
    for node in range(n):  # the slot that stays is the lower one
        owner[node] = owner[owner[node]]
    return owner


@njit(nogil=True, cache=True)
def _renew(
    slot: int,
    content: Array,
    precomputed: bool,
    threshold: float,
    live: Labels,
    birth: Labels,
    size: Array,
    neighbours: Labels,
    costs: Array,
) -> None:
    """List of the nearest among the living clusters of an earlier birth."""
    costs[slot] = -np.inf
    for other in live:
        if birth[other] < birth[slot]:
            product = content[slot, other] if precomputed else _inner(content[slot], content[other])
            _insert(other, product - threshold * size[slot] * size[other], neighbours[slot], costs[slot])


@njit(nogil=True, cache=True)
def _contract_lazily(sums: Array, sizes: Array, threshold: float, neighbours: Labels, costs: Array) -> Labels:
    """Cluster that each one ends in, once no listed pair attracts; `sums` and `sizes` grow with the joins."""
    n = len(costs)
    owner = np.arange(n)
    known = np.zeros(costs.shape)  # size of a neighbour when its cost was computed
    for slot in range(n):
        known[slot] = sizes[neighbours[slot]]
    queue = [(-costs[slot, 0], slot) for slot in range(n)]
    heapify(queue)
    while len(queue) > 0 and queue[0][0] < 0.0:
        negative, slot = heappop(queue)
        if owner[slot] != slot or costs[slot, 0] != -negative:
            continue
        candidates = neighbours[slot].copy()
        other = candidates[0]
        if owner[other] == other and sizes[other] == known[slot, 0]:
            kept, gone = min(slot, other), max(slot, other)
            candidates = np.concatenate((neighbours[kept], neighbours[gone]))
            sums[kept] += sums[gone]
            sizes[kept] += sizes[gone]
            owner[gone], slot = kept, kept
        _list_anew(slot, candidates, sums, sizes, threshold, owner, neighbours[slot], costs[slot])
        known[slot] = sizes[neighbours[slot]]
        heappush(queue, (-costs[slot, 0], slot))
    for slot in range(n):  # the slot that stays is the lower one
        owner[slot] = owner[owner[slot]]
    return owner


@njit(nogil=True, cache=True)
def _list_anew(
    slot: int,
    candidates: Labels,
    sums: Array,
    sizes: Array,
    threshold: float,
    owner: Labels,
    neighbours: Labels,
    costs: Array,
) -> None:
    """Nearest of the clusters that the candidates are now part of."""
    neighbours[:], costs[:] = -1, -np.inf
    for candidate in candidates:
        if candidate < 0:
            continue
        while owner[candidate] != candidate:
            candidate = owner[candidate]
        if candidate != slot and not (neighbours == candidate).any():
            cost = _inner(sums[slot], sums[candidate]) - threshold * sizes[slot] * sizes[candidate]
            _insert(candidate, cost, neighbours, costs)


@njit(nogil=True, cache=True)
def _join(kept: int, gone: int, content: Array, precomputed: bool) -> None:
    content[kept] += content[gone]
    if precomputed:
        content[:, kept] += content[:, gone]


@njit(nogil=True, cache=True)
def _remove(slot: int, live: Labels) -> int:
    """Take `slot` out of the living; returns how many are left."""
    last = len(live) - 1
    for k in range(last):
        if live[k] == slot:
            live[k] = live[last]
            break
    return last


@njit(nogil=True, cache=True)
def _sweep(x: Array, threshold: float, code: Labels, sums: Array, size: Array) -> int:
    """Offer every sample each cluster once; returns how many moved."""
    moved = 0
    for i in range(len(x)):
        own = code[i]
        sums[own] -= x[i]
        size[own] -= 1.0
        target, most = own, _inner(x[i], sums[own]) - threshold * size[own]
        most += 1e-12 * (1.0 + abs(most))  # rounding alone moves nobody
        for k in range(len(sums)):
            if k != own:
                gain = _inner(x[i], sums[k]) - threshold * size[k]
                if gain > most:
                    target, most = k, gain
        sums[target] += x[i]
        size[target] += 1.0
        code[i] = target
        moved += target != own
    return moved


class DenseMulticut(ClusterMixin, BaseEstimator):
    """Clusters without their number: weighted correlation clustering of the complete graph.

    Two samples attract each other when their similarity is above `threshold` and repel each other when it is below;
    the labels make the sum of the costs of the cut pairs small. Greedy contraction (`dense_gaec`, or the lazy
    `dense_laec`) is followed by a local search (`move_nodes`).

    Parameters
    ----------
    threshold : float
        Similarity at which two samples neither attract nor repel each other. Half the typical similarity within a
        cluster is a good value where clusters are unrelated.
    metric : {"cosine", "dot", "precomputed"}
        ``"precomputed"`` takes a symmetric matrix of similarities, for instance strengths of association between
        features; there is no local search then.
    n_neighbors : int
        Length of the lists of candidates; changes time and memory, and the result of lazy contraction alone.
    max_sweeps : int
        Most passes of the local search; 0 for none.
    contraction : {"greedy", "lazy"}
        ``"lazy"`` searches for candidates now and then in place of after each join: quicker, and close to greedy. Not
        for a matrix of similarities, where there is nothing to search.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), intp
        Numbered by first member.
    n_clusters_ : int
    objective_ : float
        Sum of the costs ``similarity - threshold`` of the cut pairs.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If values are missing, `metric` or `contraction` is unknown, lazy contraction is asked of a similarity matrix,
        or that is not symmetric.

    References
    ----------
    Abbas and Swoboda (2023), ClusterFuG: Clustering Fully connected Graphs by Multicut. ICML. arXiv:2301.12159.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = rng.normal(size=(30, 64))
    >>> X = np.repeat(centres, 20, axis=0) + 0.5 * rng.normal(size=(600, 64))
    >>> DenseMulticut().fit(X).n_clusters_
    30

    Columns that move together, from a matrix of association:

    >>> from covey.measure import associate
    >>> matrix = associate(X[:, :2] @ np.repeat(np.eye(2), 3, axis=1) + rng.normal(size=(600, 6)), measure="pearson")
    >>> DenseMulticut(threshold=0.3, metric="precomputed").fit_predict(matrix.strength)
    array([0, 0, 0, 1, 1, 1])
    """

    def __init__(
        self,
        threshold: float = 0.5,
        metric: Literal["cosine", "dot", "precomputed"] = "cosine",
        n_neighbors: int = 8,
        max_sweeps: int = 20,
        contraction: Literal["greedy", "lazy"] = "greedy",
    ) -> None:
        self.threshold = threshold
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.max_sweeps = max_sweeps
        self.contraction = contraction

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the rows of `X`, shape (n_samples, n_features), or (n_samples, n_samples) when precomputed."""
        x = validate_data(self, X, dtype=np.float64)
        if self.metric not in ("cosine", "dot", "precomputed"):
            raise ValueError(f"metric must be 'cosine', 'dot' or 'precomputed', got {self.metric!r}")
        if self.contraction not in ("greedy", "lazy"):
            raise ValueError(f"contraction must be 'greedy' or 'lazy', got {self.contraction!r}")
        if self.metric == "precomputed" and self.contraction == "lazy":
            raise ValueError("contraction='lazy' needs features; use 'greedy' with metric='precomputed'")
        if self.metric == "precomputed":
            self.labels_ = correlation_clustering(x, self.threshold)
            cut = self.labels_[:, None] != self.labels_
            self.objective_ = float(np.sum((x - self.threshold) * cut) / 2.0)
        else:
            x = normalize(x) if self.metric == "cosine" else x
            contract = dense_gaec if self.contraction == "greedy" else dense_laec
            start = contract(x, self.threshold, n_neighbors=self.n_neighbors)
            self.labels_ = move_nodes(x, start, self.threshold, max_sweeps=self.max_sweeps)
            self.objective_ = multicut_objective(x, self.labels_, self.threshold)
        self.n_clusters_ = int(self.labels_.max()) + 1
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags
