"""Do neighbours in a graph have similar features? Homophily of classes, of features, and of features within classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, vstack
from scipy.spatial.distance import cdist

from covey import engine as engines
from covey.engine import Engine
from covey.structure._adjacency import adjacency_matrix

RandomState = int | np.random.Generator | None

BLOCK = 256
LARGEST = 1e140  # squared distances stay below the largest float


@dataclass(frozen=True, eq=False)
class Homophily:
    """How much nearer a node's neighbours are to it than all other nodes.

    Parameters
    ----------
    value : float
        Of the graph, -1..1: above 0 neighbours are alike, below 0 unlike, 0 when features do not depend on the
        edges; NaN when undefined.
    nodes : ndarray of shape (n_nodes,)
        The same for each node; NaN for a node without neighbours.
    reason : str
        Why `value` is NaN; ``""`` otherwise.
    baseline : ndarray of shape (n_nodes,)
        Mean distance of each node to all other nodes.
    neighbour_distance : ndarray of shape (n_nodes,)
        Mean distance of each node to its neighbours; NaN for a node without neighbours.
    """

    value: float
    nodes: NDArray[np.float64]
    reason: str
    baseline: NDArray[np.float64]
    neighbour_distance: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GraphSample:
    """Features, labels and edges of one random graph.

    Parameters
    ----------
    X : ndarray of shape (n_nodes, n_features)
    y : ndarray of shape (n_nodes,), intp
    adjacency : csr_array of shape (n_nodes, n_nodes)
        Directed; row `i` holds the neighbours of node `i`.
    """

    X: NDArray[np.float64]
    y: NDArray[np.intp]
    adjacency: csr_array


def class_controlled_feature_homophily(
    X: ArrayLike,
    graph: Any,
    y: ArrayLike,
    *,
    n_reference: int | None = None,
    random_state: RandomState = 0,
    engine: Engine | None = None,
) -> Homophily:
    """Homophily of what the features hold beyond the class: each feature less its mean in the node's class.

    Positive values mean that graph convolution averages nodes whose noise is alike, so that it removes less of it.

    Parameters
    ----------
    X : array-like of shape (n_nodes, n_features)
        Finite.
    graph : array-like or sparse matrix of shape (n_nodes, n_nodes), networkx.Graph, or int array of shape (2, n_edges)
        Self-loops are ignored; a directed edge makes its head a neighbour of its tail. Rows of `X` are the nodes in the
        graph's order.
    y : array-like of shape (n_nodes,)
        Classes.
    n_reference : int, optional
        Number of random nodes that the mean distance to other nodes is estimated from; all nodes by default, which
        takes ``n_nodes ** 2 * n_features`` operations.
    random_state : int, Generator or None
    engine : Engine, optional
        Where blocks of distances are computed; local threads by default.

    Returns
    -------
    Homophily

    Raises
    ------
    ValueError
        If there are fewer than two nodes, the numbers of nodes differ, `X` is not finite or too large for distances, a
        class is missing, or the graph is malformed.

    Notes
    -----
    With d the Euclidean distance, b(i) its mean from `i` to all other nodes, and h(i) the mean of ``b(i) - d(i, j)``
    over the neighbours `j`: a positive h(i) is divided by b(i), a negative one by the mean distance to the neighbours.
    The graph's value is the mean of h, divided by the mean of b or of the neighbour distances. Nodes without
    neighbours count as 0 in both means over nodes.

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), Feature Distribution on Graph Topology Mediates the Effect of Graph
    Convolution: Homophily Perspective. ICML. arXiv:2402.04621.

    Examples
    --------
    Two classes; within each, nodes are joined to the node of the most similar feature:

    >>> x = np.array([[0.0], [0.1], [1.0], [1.1], [5.0], [5.1], [6.0], [6.1]])
    >>> graph = np.kron(np.eye(4), 1 - np.eye(2))
    >>> round(class_controlled_feature_homophily(x, graph, [0, 0, 0, 0, 1, 1, 1, 1]).value, 2)
    0.83
    """
    x, edges = _nodes(X, graph)
    return _homophily(_class_controlled(x, _labels(y, len(x))), edges, n_reference, random_state, engine)


def feature_homophily(
    X: ArrayLike,
    graph: Any,
    *,
    n_reference: int | None = None,
    random_state: RandomState = 0,
    engine: Engine | None = None,
) -> Homophily:
    """Homophily of the features as they are, classes not controlled for.

    Parameters
    ----------
    X, graph, n_reference, random_state, engine
        As for `class_controlled_feature_homophily`.

    Returns
    -------
    Homophily

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), arXiv:2402.04621.

    Examples
    --------
    >>> feature_homophily([[0.0], [0.0], [1.0], [1.0]], np.array([[0, 1, 2, 3], [1, 0, 3, 2]])).value
    1.0
    """
    x, edges = _nodes(X, graph)
    return _homophily(x, edges, n_reference, random_state, engine)


def class_homophily(y: ArrayLike, graph: Any) -> Homophily:
    """Homophily of the classes: the distance of two nodes is 0 in one class and otherwise the square root of 2.

    Parameters
    ----------
    y : array-like of shape (n_nodes,)
    graph
        As for `class_controlled_feature_homophily`.

    Returns
    -------
    Homophily

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), arXiv:2402.04621.

    Examples
    --------
    Everyone's neighbour is of the other class:

    >>> class_homophily(["a", "b", "a", "b"], np.array([[0, 1, 2, 3], [1, 0, 3, 2]])).value
    -0.333...
    """
    codes = _labels(y, len(np.asarray(y)))
    x, edges = _nodes(np.eye(codes.max(initial=0) + 1)[codes], graph)
    return _homophily(x, edges, None, 0, None)


def _nodes(X: ArrayLike, graph: Any) -> tuple[NDArray[np.float64], csr_array]:
    x = np.asarray(X, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"X must have shape (n_nodes, n_features) with at least two nodes, not {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("X holds NaN or infinity; fill in or drop these nodes first")
    if np.abs(x).max(initial=0.0) > LARGEST:
        raise ValueError(f"X has a value of {np.abs(x).max():.3g}, whose square is no float; scale the features")
    return x, adjacency_matrix(graph, len(x))


def _labels(y: ArrayLike, n_nodes: int) -> NDArray[np.intp]:
    labels = np.asarray(y)
    if labels.shape != (n_nodes,):
        raise ValueError(f"y must have shape ({n_nodes},), one class for each row of X, not {labels.shape}")
    missing = [i for i, label in enumerate(labels.tolist()) if label is None or label != label]
    if missing:
        raise ValueError(f"node {missing[0]} has no class ({len(missing)} in all); drop these nodes or give them one")
    return np.unique(labels, return_inverse=True)[1]


def _class_controlled(x: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Features less their mean in the class; exactly 0 where only rounding is left of a feature."""
    rounding = 64 * np.finfo(float).eps * np.abs(x).max(axis=0)
    x = x - x.mean(axis=0)  # a large mean must cost no digits
    indicator = codes == np.arange(codes.max() + 1)[:, None]
    x = x - (indicator @ x / indicator.sum(axis=1, keepdims=True))[codes]
    return np.where(np.abs(x).max(axis=0) > rounding, x, 0.0)


def _homophily(
    x: NDArray[np.float64],
    edges: csr_array,
    n_reference: int | None,
    random_state: RandomState,
    engine: Engine | None,
) -> Homophily:
    degree = np.diff(edges.indptr)
    rows = np.repeat(np.arange(len(x)), degree)
    total = np.bincount(rows, np.linalg.norm(x[rows] - x[edges.indices], axis=1), minlength=len(x))
    baseline = _mean_distance(x, n_reference, random_state, engine)
    score = np.where(degree > 0, baseline - total / np.maximum(degree, 1), 0.0)
    neighbour = np.where(degree > 0, total / np.maximum(degree, 1), np.nan)
    reason = _reason(degree, baseline)
    value = float("nan") if reason else _normalised(score.mean(), baseline.mean(), np.nan_to_num(neighbour).mean())
    nodes = np.where(degree > 0, _normalised(score, baseline, neighbour), np.nan)
    return Homophily(float(value), nodes, reason, baseline, neighbour)


def _normalised(score: Any, baseline: Any, neighbour: Any) -> Any:
    scale = np.where(score >= 0, baseline, neighbour)
    return np.divide(score, scale, out=np.full(np.shape(score), np.nan), where=scale > 0)


def _reason(degree: NDArray[np.integer], baseline: NDArray[np.float64]) -> str:
    if not degree.any():
        return "the graph has no edge"
    return "" if baseline.any() else "the features do not vary"


def _mean_distance(
    x: NDArray[np.float64], n_reference: int | None, random_state: RandomState, engine: Engine | None
) -> NDArray[np.float64]:
    """Mean distance of each row to the other rows, or to those of a random sample."""
    if n_reference is not None and n_reference < 2:
        raise ValueError(f"n_reference must be at least 2, got {n_reference}")
    chosen = np.arange(len(x))
    if n_reference is not None and n_reference < len(x):
        chosen = np.random.default_rng(random_state).choice(len(x), n_reference, replace=False)
    reference = x[chosen]

    def block(start: int) -> NDArray[np.float64]:
        return cdist(x[start : start + BLOCK], reference).sum(axis=1)

    others = len(chosen) - np.isin(np.arange(len(x)), chosen)
    return np.concatenate(engines.resolve(engine).map(block, range(0, len(x), BLOCK))) / others


def shuffle_features(
    X: ArrayLike,
    y: ArrayLike,
    ratio: float = 1.0,
    *,
    groups: ArrayLike | None = None,
    random_state: RandomState = 0,
) -> NDArray[np.float64]:
    """Permute feature vectors among nodes of one class: classes keep their features, edges lose what they knew.

    Parameters
    ----------
    X : array-like of shape (n_nodes, n_features)
    y : array-like of shape (n_nodes,)
        Classes.
    ratio : float
        Share of each class that is permuted, 0..1.
    groups : array-like of shape (n_nodes,), optional
        Features stay in their group too: training, validation and test nodes, say.
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (n_nodes, n_features)

    Raises
    ------
    ValueError
        If `ratio` lies outside 0..1, lengths differ, or a class or group is missing.

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), arXiv:2402.04621.

    Examples
    --------
    >>> shuffle_features([[1.0], [2.0], [3.0], [9.0]], [0, 0, 0, 1], random_state=1).ravel()
    array([3., 1., 2., 9.])
    """
    x = np.array(X, dtype=np.float64)
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"ratio must lie in 0..1, got {ratio}")
    cells = _labels(y, len(x))
    if groups is not None:
        cells = cells * len(x) + _labels(groups, len(x))
    rng = np.random.default_rng(random_state)
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        chosen = rng.permutation(members)[: int(len(members) * ratio)]
        x[chosen] = x[rng.permutation(chosen)]
    return x


def graph_convolution(X: ArrayLike, graph: Any, n_layers: int = 1) -> NDArray[np.float64]:
    """Mean of the neighbours' features, `n_layers` times; 0 for a node without neighbours.

    Parameters
    ----------
    X : array-like of shape (n_nodes, n_features)
    graph
        As for `class_controlled_feature_homophily`.
    n_layers : int
        At least 0.

    Returns
    -------
    ndarray of shape (n_nodes, n_features)

    Raises
    ------
    ValueError
        If `n_layers` is negative, or as for `class_controlled_feature_homophily`.

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), arXiv:2402.04621.

    Examples
    --------
    >>> graph_convolution([[1.0], [2.0], [4.0]], np.array([[0, 1, 1], [1, 0, 2]])).ravel()
    array([2. , 2.5, 0. ])
    """
    x, edges = _nodes(X, graph)
    if n_layers < 0:
        raise ValueError(f"n_layers must be at least 0, got {n_layers}")
    degree = np.maximum(np.diff(edges.indptr), 1)[:, None]
    for _ in range(n_layers):
        x = (edges @ x) / degree
    return x


def csbm_x(
    n_nodes: int = 1000,
    *,
    d_pos: int = 10,
    d_neg: int = 10,
    tau: float = 0.0,
    mu: float = 0.0,
    sigma: float = 1.0,
    n_features: int = 1,
    random_state: RandomState = 0,
) -> GraphSample:
    """Contextual stochastic block model whose edges depend on features within classes: CSBM-X.

    Two classes of half the nodes each; features are normal around ``-mu`` with standard deviation 1 and around ``mu``
    with standard deviation `sigma`. Node `i` chooses `d_pos` neighbours in its class and `d_neg` in the other, without
    replacement, with probability proportional to ``exp(-tau * d(i, j))``, where d is the distance of the features
    less ``+-mu``.

    Parameters
    ----------
    n_nodes : int
    d_pos, d_neg : int
    tau : float
        Dependence of edges on features: above 0 alike nodes are joined, below 0 unlike ones.
    mu : float
        Half the distance of the classes in every feature.
    sigma : float
        Positive.
    n_features : int
    random_state : int, Generator or None

    Returns
    -------
    GraphSample

    Raises
    ------
    ValueError
        If a class has too few nodes to choose from, `sigma` is not positive, or `tau` is not finite.

    Notes
    -----
    The paper weighs by ``exp(tau * (b(i) - d(i, j)))``; b(i) is the same for every candidate and cancels.

    References
    ----------
    Lee, Kim, Bu, Yoo, Tang and Shin (2024), arXiv:2402.04621.

    Examples
    --------
    >>> sample = csbm_x(100, d_pos=4, d_neg=2, tau=1.0)
    >>> sample.X.shape, sample.adjacency.nnz
    ((100, 1), 600)
    """
    half = n_nodes // 2
    if d_pos > half - 1 or d_neg > half or min(d_pos, d_neg) < 0:
        raise ValueError(f"d_pos must lie in 0..{half - 1} and d_neg in 0..{half} for {n_nodes} nodes in two classes")
    if not 0.0 < sigma < np.inf:
        raise ValueError(f"sigma must be positive and finite, got {sigma}")
    if not np.isfinite(tau):
        raise ValueError(f"tau must be finite, got {tau}")
    rng = np.random.default_rng(random_state)
    y = (np.arange(n_nodes) >= half).astype(np.intp)
    noise = rng.normal(size=(n_nodes, n_features)) * np.where(y == 1, sigma, 1.0)[:, None]
    blocks = [_choose(noise, y, start, d_pos, d_neg, tau, rng) for start in range(0, n_nodes, BLOCK)]
    return GraphSample(noise + np.where(y == 1, mu, -mu)[:, None], y, csr_array(vstack(blocks, format="csr")))


def _choose(
    noise: NDArray[np.float64],
    y: NDArray[np.intp],
    start: int,
    d_pos: int,
    d_neg: int,
    tau: float,
    rng: np.random.Generator,
) -> csr_array:
    """Neighbours of a block of nodes: the largest keys log(weight) + Gumbel are a draw without replacement."""
    rows = np.arange(start, min(start + BLOCK, len(y)))
    keys = -tau * cdist(noise[rows], noise) + rng.gumbel(size=(len(rows), len(y)))
    keys[np.arange(len(rows)), rows] = -np.inf
    same = y[rows, None] == y
    chosen = [
        np.argpartition(-np.where(allowed, keys, -np.inf), degree, axis=1)[:, :degree]
        for allowed, degree in ((same, d_pos), (~same, d_neg))
    ]
    columns = np.sort(np.hstack(chosen), axis=1)
    indptr = np.arange(len(rows) + 1) * (d_pos + d_neg)
    return csr_array((np.ones(columns.size), columns.ravel(), indptr), shape=(len(rows), len(y)))
