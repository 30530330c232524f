"""Which node of one graph is which node of another: matching by partition trees, degree profiles, spectra and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.linalg import eigsh
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans

from covey import engine as engines
from covey.engine import Engine
from covey.structure._adjacency import adjacency_matrix

RandomState = int | np.random.Generator | None

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

ROUNDING = 1e-9  # what is nearer to 0 is 0, whatever the order of the sums
TRIAL_ROUNDS = 5  # refinements after which pairings of communities are compared
MOST_COMMUNITIES = 8  # whose pairings, 8! at most, can all be compared
DENSE_SPECTRUM = 200  # nodes up to which all eigenvectors are as quick as the leading ones


@dataclass(frozen=True, eq=False)
class CorrelatedGraphs:
    """Two graphs of the same nodes, those of the second in another order.

    Parameters
    ----------
    first, second : ndarray of shape (n_nodes, n_nodes), bool
    labels : ndarray of shape (n_nodes,), intp
        Communities of the nodes of the first graph.
    permutation : ndarray of shape (n_nodes,), intp
        Node `i` of the first graph is node ``permutation[i]`` of the second.
    """

    first: NDArray[np.bool_]
    second: NDArray[np.bool_]
    labels: Labels
    permutation: Labels


@dataclass(frozen=True, eq=False)
class GraphMatching:
    """A matching of the nodes of two graphs.

    Parameters
    ----------
    permutation : ndarray of shape (n_nodes,), intp
        Node `i` of the first graph is matched with node ``permutation[i]`` of the second.
    common_edges : tuple of int
        Edges that both graphs have under the matching: at the start and after each refinement.
    """

    permutation: Labels
    common_edges: tuple[int, ...]


def correlated_sbm(
    n_nodes: int,
    n_communities: int = 1,
    p_in: float = 0.5,
    p_out: float = 0.2,
    *,
    correlation: float = 0.9,
    random_state: RandomState = 0,
) -> CorrelatedGraphs:
    """Two stochastic block models whose edges are correlated, the nodes of the second shuffled.

    Parameters
    ----------
    n_nodes : int
    n_communities : int
        Of sizes that differ by at most one.
    p_in, p_out : float
        Probability of an edge inside a community and between two, 0..1.
    correlation : float
        Of the two graphs' indicators of an edge between the same nodes, 0..1.
    random_state : int, Generator or None

    Returns
    -------
    CorrelatedGraphs

    Raises
    ------
    ValueError
        If a probability or the correlation lies outside 0..1, or there are more communities than nodes.

    Notes
    -----
    The same law as keeping each edge of a parent graph with probability ``s`` in each graph on its own, which has
    correlation ``(s - p) / (1 - p)`` where `p` is the probability of an edge that is kept.

    References
    ----------
    Chai and Racz (2023), arXiv:2305.19666.

    Examples
    --------
    >>> graphs = correlated_sbm(200, 2, correlation=1.0)
    >>> inverse = np.argsort(graphs.permutation)
    >>> bool((graphs.first[np.ix_(inverse, inverse)] == graphs.second).all())
    True
    """
    for name, value in (("p_in", p_in), ("p_out", p_out), ("correlation", correlation)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must lie in 0..1, got {value}")
    if not 1 <= n_communities <= n_nodes:
        raise ValueError(f"n_communities must lie in 1..{n_nodes}, got {n_communities}")
    rng = np.random.default_rng(random_state)
    labels = np.sort(np.arange(n_nodes) % n_communities)
    left, right = np.triu_indices(n_nodes, 1)
    p = np.where(labels[left] == labels[right], p_in, p_out)
    first = rng.random(len(p)) < p
    second = rng.random(len(p)) < np.where(first, p + correlation * (1.0 - p), p * (1.0 - correlation))
    permutation = rng.permutation(n_nodes)
    return CorrelatedGraphs(
        _symmetric(first, left, right, n_nodes),
        _symmetric(second, permutation[left], permutation[right], n_nodes),
        labels,
        permutation,
    )


def _symmetric(edge: NDArray[np.bool_], left: Labels, right: Labels, n_nodes: int) -> NDArray[np.bool_]:
    graph = np.zeros((n_nodes, n_nodes), dtype=bool)
    graph[left, right] = graph[right, left] = edge
    return graph


def partition_tree_signatures(graph: Any, labels: ArrayLike, depth: int = 2) -> Matrix:
    """What each node sees of its graph through a tree of sets that does not depend on the order of the nodes.

    The root's children are a node's neighbours in each community. A set S inside community C has, for each community,
    two children: the nodes there with more of their edges into C going to S than the share of S in C, and the others.
    Entries of the signature are, for each set, its size and, for each community, the sum of the set's centred degrees
    into it over the square root of the size.

    Parameters
    ----------
    graph : array-like or sparse matrix of shape (n_nodes, n_nodes), or networkx.Graph
        Undirected; weights and self-loops are ignored.
    labels : array-like of shape (n_nodes,)
        Communities, at least one node in each.
    depth : int
        Levels below the root, at least 1.

    Returns
    -------
    ndarray of shape (n_nodes, n_sets * (n_communities + 1))
        Level `l` has ``n_communities * (2 * n_communities) ** (l - 1)`` sets.

    Raises
    ------
    ValueError
        If `depth` is below 1, `labels` are not those of the nodes, or the graph is directed or has no node.

    References
    ----------
    Chai and Racz (2023), Efficient Algorithms for Exact Graph Matching on Correlated Stochastic Block Models with
    Constant Correlation. arXiv:2305.19666.

    Mao, Rudelson and Tikhomirov (2023), Exact matching of random graphs with constant correlation. Probab. Theory
    Relat. Fields 186.

    Examples
    --------
    >>> graphs = correlated_sbm(60, 2)
    >>> partition_tree_signatures(graphs.first, graphs.labels).shape
    (60, 30)
    """
    edges = adjacency_matrix(graph, symmetric=True).toarray()
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    if codes.shape != (len(edges),):
        raise ValueError(f"labels must have shape ({len(edges)},), not {codes.shape}")
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return _signatures(edges, codes, depth)


def _signatures(edges: Matrix, codes: Labels, depth: int) -> Matrix:
    members = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    expected = _block_density(edges, members)[codes][:, codes]
    residual = edges - expected
    np.fill_diagonal(residual, 0.0)
    spread = np.sqrt((expected * (1.0 - expected)) @ members)
    degrees = residual @ members / np.where(spread > 0, spread, 1.0)
    share = (edges @ members / members.sum(axis=0))[:, codes].T  # of the community of one node in the edges of another
    levels = (_level(edges, edges - share, members, depth) for depth in range(1, depth + 1))
    return np.hstack([_entries(sets, degrees) for level in levels for sets in level])


def _entries(sets: Matrix, degrees: Matrix) -> Matrix:
    size = sets.sum(axis=1, keepdims=True)
    return np.hstack([sets @ degrees / np.sqrt(np.maximum(size, 1.0)), size])


def _block_density(edges: Matrix, members: Matrix) -> Matrix:
    """Share of the possible edges between communities, shape (n_communities, n_communities)."""
    size = members.sum(axis=0)
    return members.T @ edges @ members / np.maximum(np.outer(size, size) - np.diag(size), 1.0)


def _level(edges: Matrix, excess: Matrix, members: Matrix, depth: int) -> Iterator[Matrix]:
    """Sets of one level of all nodes' trees, one after another: row `i` marks the nodes in this set of node `i`."""
    if depth == 1:
        yield from (edges * community for community in members.T)
        return
    for parent in _level(edges, excess, members, depth - 1):
        more = parent @ excess > ROUNDING
        for community in members.T:
            yield more * community
            yield ~more * community


def degree_profile_matching(first: Any, second: Any, n_quantiles: int = 50) -> GraphMatching:
    """Match nodes whose neighbours' degrees are distributed alike, by Wasserstein distance and linear assignment.

    Parameters
    ----------
    first, second : array-like or sparse matrix of shape (n_nodes, n_nodes), or networkx.Graph
        Undirected, each with an edge.
    n_quantiles : int
        Points at which the distributions are compared.

    Returns
    -------
    GraphMatching

    Raises
    ------
    ValueError
        If the graphs differ in size, are directed, or one has no edge.

    References
    ----------
    Ding, Ma, Wu and Xu (2021), Efficient random graph matching via degree profiles. Probab. Theory Relat. Fields 179.

    Examples
    --------
    >>> graphs = correlated_sbm(100, correlation=1.0)
    >>> matching = degree_profile_matching(graphs.first, graphs.second)
    >>> float(np.mean(matching.permutation == graphs.permutation))
    1.0
    """
    left, right = _both(first, second)
    profiles = [_degree_profile(edges, n_quantiles) for edges in (left, right)]
    cost = sum(np.abs(a[:, None] - b) for a, b in zip(profiles[0].T, profiles[1].T))
    return _matching(left, right, linear_sum_assignment(cost)[1])


def _degree_profile(edges: Matrix, n_quantiles: int) -> Matrix:
    degree = edges.sum(axis=1)
    standard = (degree - degree.mean()) / max(float(degree.std()), np.finfo(float).tiny)
    levels = (np.arange(n_quantiles) + 0.5) / n_quantiles
    isolated = np.full(n_quantiles, standard.min())
    return np.array([np.quantile(standard[row > 0], levels) if row.any() else isolated for row in edges])


def spectral_matching(first: Any, second: Any, eta: float = 0.2) -> GraphMatching:
    """Match nodes by all pairs of eigenvectors, weighed by how near their eigenvalues are: GRAMPA.

    Parameters
    ----------
    first, second
        As for `degree_profile_matching`.
    eta : float
        Width of the kernel on eigenvalues, in units of the noise's spectral scale; positive.

    Returns
    -------
    GraphMatching

    Raises
    ------
    ValueError
        As for `degree_profile_matching`, or if `eta` is not positive.

    References
    ----------
    Fan, Mao, Wu and Xu (2023), Spectral graph matching and regularized quadratic relaxations. Found. Comput. Math. 23.

    Examples
    --------
    >>> graphs = correlated_sbm(100, correlation=1.0)
    >>> matching = spectral_matching(graphs.first, graphs.second)
    >>> float(np.mean(matching.permutation == graphs.permutation))
    1.0
    """
    if eta <= 0:
        raise ValueError(f"eta must be positive, got {eta}")
    left, right = _both(first, second)
    (values, vectors), (others, other_vectors) = (np.linalg.eigh(_standardised(edges)) for edges in (left, right))
    weight = np.outer(vectors.sum(axis=0), other_vectors.sum(axis=0))
    weight /= (values[:, None] - others) ** 2 + eta**2
    return _matching(left, right, linear_sum_assignment(-(vectors @ weight @ other_vectors.T))[1])


def _standardised(edges: Matrix) -> Matrix:
    """Centred adjacency whose noise has eigenvalues between about -2 and 2."""
    n_nodes = len(edges)
    density = edges.sum() / max(n_nodes * (n_nodes - 1), 1)
    return (edges - density) / np.sqrt(n_nodes * max(density * (1.0 - density), 1.0 / n_nodes**2))


def seeded_graph_matching(first: Any, second: Any, seeds: ArrayLike, *, max_iter: int = 50) -> GraphMatching:
    """Match all nodes from some whose match is known, by common matched neighbours, until nothing changes.

    Parameters
    ----------
    first, second
        As for `degree_profile_matching`.
    seeds : array-like of shape (n_seeds, 2), int
        Pairs of a node of the first graph and its match in the second; they stay matched.
    max_iter : int

    Returns
    -------
    GraphMatching

    Raises
    ------
    ValueError
        As for `degree_profile_matching`, or if a seed is no node, or in two pairs, or there is none.

    References
    ----------
    Chai and Racz (2023), arXiv:2305.19666.

    Examples
    --------
    >>> graphs = correlated_sbm(200, correlation=0.8)
    >>> seeds = np.column_stack([np.arange(20), graphs.permutation[:20]])
    >>> matching = seeded_graph_matching(graphs.first, graphs.second, seeds)
    >>> float(np.mean(matching.permutation == graphs.permutation))
    1.0
    """
    left, right = _both(first, second)
    pairs = _checked_seeds(seeds, len(left))
    a, b = _centred(left), _centred(right)
    known, match = pairs.T
    start = _assign(a[:, known] @ b[match], pairs)
    return _refined(left, right, start, max_iter, pairs)


def _checked_seeds(seeds: ArrayLike, n_nodes: int) -> Labels:
    pairs = np.asarray(seeds)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) == 0 or pairs.dtype.kind not in "iu":
        raise ValueError(f"seeds must be integers of shape (n_seeds, 2) with at least one pair, not {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= n_nodes:
        raise ValueError(f"seeds name node {pairs.min() if pairs.min() < 0 else pairs.max()} of {n_nodes} nodes")
    if any(len(np.unique(column)) < len(column) for column in pairs.T):
        raise ValueError("a node is in two pairs of seeds")
    return pairs.astype(np.intp)


def refine_matching(first: Any, second: Any, permutation: ArrayLike, *, max_iter: int = 50) -> GraphMatching:
    """Improve a matching that is partly right by common matched neighbours, until nothing changes.

    Parameters
    ----------
    first, second
        As for `degree_profile_matching`.
    permutation : array-like of shape (n_nodes,), int
        Node `i` of the first graph is matched with node ``permutation[i]`` of the second.
    max_iter : int

    Returns
    -------
    GraphMatching

    Raises
    ------
    ValueError
        As for `degree_profile_matching`, or if `permutation` is none of the nodes.

    References
    ----------
    Chai and Racz (2023), arXiv:2305.19666.

    Examples
    --------
    >>> graphs = correlated_sbm(200, correlation=0.8)
    >>> start = graphs.permutation.copy()
    >>> start[:150] = np.roll(start[:150], 1)
    >>> matching = refine_matching(graphs.first, graphs.second, start)
    >>> float(np.mean(matching.permutation == graphs.permutation))
    1.0
    """
    left, right = _both(first, second)
    start = np.asarray(permutation)
    if start.shape != (len(left),) or not np.array_equal(np.sort(start), np.arange(len(left))):
        raise ValueError(f"permutation must hold each of the numbers 0 to {len(left) - 1} once")
    return _refined(left, right, start, max_iter)


def _refined(left: Matrix, right: Matrix, start: Labels, max_iter: int, seeds: Labels | None = None) -> GraphMatching:
    """Assign again by the common neighbours that the matching has, until it is stable."""
    a, b = _centred(left), _centred(right)
    permutation, trace = start, [_common_edges(left, right, start)]
    for _ in range(max_iter):
        found = _assign(a @ b[permutation], seeds)
        if np.array_equal(found, permutation):
            break
        permutation = found
        trace.append(_common_edges(left, right, permutation))
    return GraphMatching(permutation, tuple(trace))


def _centred(edges: Matrix) -> Matrix:
    centred = edges - edges.mean()
    np.fill_diagonal(centred, 0.0)
    return centred


def _assign(similarity: Matrix, seeds: Labels | None) -> Labels:
    """One node for each so that the sum of similarities is greatest; seeds stay with their match."""
    if seeds is not None:
        known, match = seeds.T
        similarity[known, match] = np.abs(similarity).sum() + 1.0
    return linear_sum_assignment(-similarity)[1]


def _common_edges(left: Matrix, right: Matrix, permutation: Labels) -> int:
    return int((left * right[np.ix_(permutation, permutation)]).sum()) // 2


def _matching(left: Matrix, right: Matrix, permutation: Labels) -> GraphMatching:
    return GraphMatching(permutation, (_common_edges(left, right, permutation),))


def _both(first: Any, second: Any) -> tuple[Matrix, Matrix]:
    left, right = (adjacency_matrix(graph, symmetric=True).toarray() for graph in (first, second))
    if left.shape != right.shape:
        raise ValueError(f"first has {len(left)} nodes, second {len(right)}; pad the smaller with isolated nodes")
    for name, edges in (("first", left), ("second", right)):
        if not edges.any():
            raise ValueError(f"{name} has no edge, so nothing tells its nodes apart")
    return left, right


class PartitionTreeMatcher(BaseEstimator):
    """Matches the nodes of two correlated graphs with communities, without a seed.

    Communities are found in each graph by its leading eigenvectors; each way to pair them is tried, those of the most
    similar edge densities first. Under a pairing, nodes are described by partition trees (see
    `partition_tree_signatures`) and assigned so that the descriptions differ least, and the assignment is refined by
    common matched neighbours. The pairing with the most common edges after a few refinements is kept.

    Parameters
    ----------
    n_communities : int
        1 for a graph without communities.
    depth : int
        Of the partition trees; the fewer the communities, the deeper a tree must be to tell nodes apart.
    max_pairings : int
        How many pairings of the communities are tried at most; all, when there are no more.
    max_iter : int
        Refinements at most.
    random_state : int, Generator or None
        For the search of the communities.
    engine : Engine, optional
        Where pairings are tried; local threads by default.

    Attributes
    ----------
    permutation_ : ndarray of shape (n_nodes,), intp
        Node `i` of the first graph is matched with node ``permutation_[i]`` of the second.
    common_edges_ : tuple of int
        Edges that both graphs have under the matching: at the start and after each refinement.
    initial_ : ndarray of shape (n_nodes,), intp
        The matching before refinement.
    labels_ : tuple of two ndarrays of shape (n_nodes,), intp
        Communities of the two graphs; the same number means the same community.

    Raises
    ------
    ValueError
        If the graphs differ in size, are directed, have no edge, or have fewer nodes than communities.

    Notes
    -----
    Isolated nodes look alike and are matched with each other in any order. The paper compares random subsets of leaves
    with a threshold, which its proof needs, and expects as many edges to a set from every node. Here all sets count,
    what a node's own degree leads to expect is taken off, and the assignment is optimal.

    References
    ----------
    Chai and Racz (2023), Efficient Algorithms for Exact Graph Matching on Correlated Stochastic Block Models with
    Constant Correlation. arXiv:2305.19666.

    Examples
    --------
    >>> graphs = correlated_sbm(200, 2, correlation=0.95)
    >>> matcher = PartitionTreeMatcher(n_communities=2).fit(graphs.first, graphs.second)
    >>> float(np.mean(matcher.permutation_ == graphs.permutation))
    1.0
    """

    def __init__(
        self,
        n_communities: int = 1,
        depth: int = 2,
        max_pairings: int = 24,
        max_iter: int = 50,
        random_state: RandomState = 0,
        engine: Engine | None = None,
    ) -> None:
        self.n_communities = n_communities
        self.depth = depth
        self.max_pairings = max_pairings
        self.max_iter = max_iter
        self.random_state = random_state
        self.engine = engine

    def fit(self, first: Any, second: Any, labels: tuple[ArrayLike, ArrayLike] | None = None) -> PartitionTreeMatcher:
        """Match two graphs, each an adjacency matrix (n_nodes, n_nodes) or a networkx.Graph.

        Parameters
        ----------
        first, second : array-like or sparse matrix of shape (n_nodes, n_nodes), or networkx.Graph
        labels : pair of array-like of shape (n_nodes,), optional
            Communities, if they are known; the same name means the same community in both graphs.
        """
        left, right = _both(first, second)
        if self.depth < 1:
            raise ValueError(f"depth must be at least 1, got {self.depth}")
        if labels is None:
            own, other = self._found(left, right)
            pairings = _pairings(left, own, right, other)[: max(1, self.max_pairings)]
        else:
            own, other = _known_labels(labels, len(left))
            pairings = [np.arange(own.max() + 1)]
        ours, theirs = _signatures(left, own, self.depth), _signatures(right, other, self.depth)

        def trial(pairing: Labels) -> tuple[Labels, GraphMatching]:
            start = _assign_signatures(ours, _paired(theirs, pairing, self.depth), own, np.argsort(pairing)[other])
            return start, _refined(left, right, start, min(self.max_iter, TRIAL_ROUNDS))

        trials = engines.resolve(self.engine).map(trial, pairings)
        best = int(np.argmax([tried.common_edges[-1] for _, tried in trials]))
        self.initial_, tried = trials[best]
        self.labels_ = (own, np.argsort(pairings[best])[other])
        rest = _refined(left, right, tried.permutation, max(0, self.max_iter - TRIAL_ROUNDS))
        self.permutation_ = rest.permutation
        self.common_edges_ = tried.common_edges + rest.common_edges[1:]
        return self

    def _found(self, left: Matrix, right: Matrix) -> tuple[Labels, Labels]:
        most = min(MOST_COMMUNITIES, len(left))
        if not 1 <= self.n_communities <= most:
            raise ValueError(f"n_communities must lie in 1..{most}, got {self.n_communities}; for more, pass labels")
        rng = np.random.default_rng(self.random_state)
        own, other = (_communities(edges, self.n_communities, rng) for edges in (left, right))
        if own.max() != other.max():
            raise ValueError(
                f"{own.max() + 1} communities are found in first, {other.max() + 1} in second; lower n_communities"
            )
        return own, other


def _known_labels(labels: tuple[ArrayLike, ArrayLike], n_nodes: int) -> tuple[Labels, Labels]:
    own, other = (np.asarray(side) for side in labels)
    if own.shape != (n_nodes,) or other.shape != (n_nodes,):
        raise ValueError(f"labels must be two arrays of shape ({n_nodes},), not {own.shape} and {other.shape}")
    if set(own.tolist()) != set(other.tolist()):
        raise ValueError("labels name different communities in the two graphs; use the same names")
    return np.unique(own, return_inverse=True)[1], np.unique(other, return_inverse=True)[1]


def _communities(edges: Matrix, n_communities: int, rng: np.random.Generator) -> Labels:
    """Clusters of the rows of the leading eigenvectors, numbered 0, 1, ... without gaps."""
    if n_communities == 1:
        return np.zeros(len(edges), dtype=np.intp)
    if len(edges) <= max(DENSE_SPECTRUM, n_communities + 1):
        values, vectors = np.linalg.eigh(edges)
        leading = np.argsort(-np.abs(values))[:n_communities]
        values, vectors = values[leading], vectors[:, leading]
    else:
        values, vectors = eigsh(edges, n_communities, which="LM", v0=rng.normal(size=len(edges)))
    clusters = KMeans(n_communities, n_init=10, random_state=int(rng.integers(2**31))).fit_predict(vectors * values)
    return np.unique(clusters, return_inverse=True)[1]


def _pairings(left: Matrix, own: Labels, right: Matrix, other: Labels) -> list[Labels]:
    """Community ``pairing[c]`` of the second graph for each `c` of the first, the most similar densities first."""
    communities = np.arange(own.max() + 1)
    sides = [(codes[:, None] == communities).astype(np.float64) for codes in (own, other)]
    densities = [_block_density(edges, members) for edges, members in zip((left, right), sides)]
    sizes = [members.mean(axis=0) for members in sides]

    def difference(pairing: Labels) -> float:
        density = np.abs(densities[0] - densities[1][np.ix_(pairing, pairing)]).sum()
        return float(density + np.abs(sizes[0] - sizes[1][pairing]).sum())

    return sorted((np.array(pairing) for pairing in permutations(communities)), key=difference)


def _paired(signatures: Matrix, pairing: Labels, depth: int) -> Matrix:
    """Signatures as they are when community ``pairing[c]`` is number `c`: in each level communities change places."""
    k = len(pairing)
    widths = [k * (2 * k) ** level * (k + 1) for level in range(depth)]
    levels = np.split(signatures, np.cumsum(widths)[:-1], axis=1)
    return np.hstack([_paired_level(entries, pairing, level) for level, entries in enumerate(levels)])


def _paired_level(entries: Matrix, pairing: Labels, level: int) -> Matrix:
    k = len(pairing)
    axes = entries.reshape(-1, k, *(k, 2) * level, k + 1)
    for axis in (1, *range(2, 2 * level + 2, 2)):
        axes = np.take(axes, pairing, axis=axis)
    return np.take(axes, [*pairing, k], axis=-1).reshape(entries.shape)


def _assign_signatures(ours: Matrix, theirs: Matrix, own: Labels, other: Labels) -> Labels:
    """The assignment of least difference between signatures; nodes of different communities only if need be."""
    scale = np.sqrt(ours.var(axis=0) + theirs.var(axis=0))
    ours, theirs = (side / np.where(scale > ROUNDING, scale, np.inf) for side in (ours, theirs))
    cost = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2.0 * ours @ theirs.T
    cost += (own[:, None] != other) * (cost.max() + 1.0)
    return linear_sum_assignment(cost)[1]
