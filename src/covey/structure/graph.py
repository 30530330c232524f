"""Graphs of features: the maximum spanning tree and the thresholded graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix

if TYPE_CHECKING:
    import networkx


def spanning_edges(strength: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Edges of the spanning tree with the greatest total strength, by Prim's algorithm on the whole matrix.

    Parameters
    ----------
    strength : ndarray of shape (n_features, n_features)
        Symmetric and non-negative; 0 means no edge.

    Returns
    -------
    left, right : ndarray of shape (n_edges,), intp
        Feature `right` joined the tree through `left`, in the order of joining. Where the features with edges
        fall apart, each part has its own tree and ``n_edges < n_features - 1``.

    References
    ----------
    Prim (1957), Shortest connection networks and some generalizations. Bell Syst. Tech. J. 36.

    Examples
    --------
    >>> spanning_edges(np.array([[0, 0.2, 0.9], [0.2, 0, 0.5], [0.9, 0.5, 0]]))
    (array([0, 2]), array([2, 1]))
    """
    n_features = len(strength)
    best = np.zeros(n_features)  # strongest edge from the tree to each feature outside; -1 inside
    parent = np.full(n_features, -1, dtype=np.intp)
    edges: list[tuple[int, int]] = []
    for _ in range(n_features):
        joined = int(np.argmax(best))
        if best[joined] > 0:
            edges.append((int(parent[joined]), joined))
        best[joined] = -1.0
        closer = (best >= 0) & (strength[joined] > best)
        best[closer], parent[closer] = strength[joined, closer], joined
    left, right = np.array(edges, dtype=np.intp).reshape(-1, 2).T
    return left, right


def maximum_spanning_tree(matrix: AssociationMatrix) -> list[tuple[str, str, float]]:
    """The strongest edges that hold all associated features together without a cycle.

    Parameters
    ----------
    matrix : AssociationMatrix
        Square.

    Returns
    -------
    list of (str, str, float)
        Names and strength of each edge, strongest first; at most ``n_features - 1``. Features without any
        association have no edge.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> from covey.measure import associate
    >>> x = np.cumsum(np.random.default_rng(0).normal(size=(500, 4)), axis=1)
    >>> sorted((left, right) for left, right, _ in maximum_spanning_tree(associate(x, measure="pearson")))
    [('x0', 'x1'), ('x1', 'x2'), ('x2', 'x3')]
    """
    strength = _square_strength(matrix)
    left, right = spanning_edges(strength)
    names = matrix.rows
    edges = [(names[min(i, j)], names[max(i, j)], float(strength[i, j])) for i, j in zip(left.tolist(), right.tolist())]
    return sorted(edges, key=lambda edge: -edge[2])


def threshold_graph(matrix: AssociationMatrix, threshold: float = 0.3, *, spanning: bool = False) -> networkx.Graph:
    """Graph of the features with an edge for each pair of strength at least `threshold`.

    Parameters
    ----------
    matrix : AssociationMatrix
        Square.
    threshold : float
    spanning : bool
        Whether the edges of the maximum spanning tree stay however weak they are, so that no associated feature
        falls out of the picture.

    Returns
    -------
    networkx.Graph
        As `AssociationMatrix.graph` makes it; with `spanning`, the edges of the tree carry ``tree=True``, and
        those that only the tree keeps carry no more than ``weight`` and ``value``.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> from covey.measure import associate
    >>> x = np.cumsum(np.random.default_rng(0).normal(size=(500, 4)), axis=1)
    >>> matrix = associate(x, measure="pearson")
    >>> threshold_graph(matrix, 0.99).number_of_edges()
    0
    >>> threshold_graph(matrix, 0.99, spanning=True).number_of_edges()
    3
    """
    graph = matrix.graph(threshold)
    if not spanning:
        return graph
    for left, right, strength in maximum_spanning_tree(matrix):
        if not graph.has_edge(left, right):
            graph.add_edge(left, right, weight=strength, value=matrix[left, right])
        graph.edges[left, right]["tree"] = True
    return graph


def _square_strength(matrix: AssociationMatrix) -> NDArray[np.float64]:
    if not matrix.is_square:
        raise ValueError("a graph needs every feature against every feature; call associate on one table")
    return matrix.strength
