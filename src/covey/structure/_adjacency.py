"""One form for every graph: a sparse 0/1 adjacency matrix without self-loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse


def adjacency_matrix(graph: Any, n_nodes: int | None = None, *, symmetric: bool = False) -> csr_array:
    """The graph as a sparse matrix of 0 and 1; self-loops, weights and repeated edges are dropped.

    Parameters
    ----------
    graph : array-like or sparse matrix of shape (n_nodes, n_nodes), networkx.Graph, or int array of shape (2, n_edges)
        Adjacency (not 0 is an edge), a graph, or an edge list: an edge runs from ``graph[0, e]`` to ``graph[1, e]``.
        An array of shape (2, n_edges) is an edge list unless ``n_nodes`` is 2 or not given.
    n_nodes : int, optional
        Number of nodes, needed with an edge list.
    symmetric : bool
        Whether an edge from `i` to `j` must be one from `j` to `i` too.

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float64
        Entry ``(i, j)`` is 1 for an edge from `i` to `j`; column indices sorted.

    Raises
    ------
    ValueError
        If there is no node, the shape fits neither form, an edge names a node that does not exist, an entry is NaN,
        or a graph that must be symmetric is not.

    Examples
    --------
    >>> adjacency_matrix(np.array([[0, 1, 2, 2], [1, 2, 2, 1]]), 4).toarray().astype(int)
    array([[0, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 1, 0, 0],
           [0, 0, 0, 0]])
    """
    rows, columns, size = _edges(graph, n_nodes)
    if size == 0:
        raise ValueError("the graph has no node; give at least one")
    off = rows != columns
    matrix = csr_array((np.ones(int(off.sum())), (rows[off], columns[off])), shape=(size, size))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    if symmetric and (matrix != matrix.T).nnz:
        raise ValueError("the graph is directed, but must have each edge in both directions; pass graph + graph.T")
    return matrix


def _edges(graph: Any, n_nodes: int | None) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    if hasattr(graph, "adjacency"):  # networkx, which is slow to import
        index = {node: i for i, node in enumerate(graph)}
        edges = [(index[node], index[other]) for node, others in graph.adjacency() for other in others]
        pairs = np.array(edges, dtype=np.intp).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1], _checked_size(len(index), n_nodes)
    array = graph if issparse(graph) else np.asarray(graph)
    if array.ndim == 2 and array.shape[0] == 2 and n_nodes not in (None, 2) and not issparse(graph):
        return *_edge_list(array, int(n_nodes or 0)), int(n_nodes or 0)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"graph has shape {array.shape}; give an adjacency matrix (n_nodes, n_nodes), or an edge list (2, n_edges) "
            "with the number of nodes"
        )
    if array.dtype.kind == "f" and np.isnan(array.data if issparse(array) else array).any():
        raise ValueError("graph holds NaN; set missing edges to 0")
    rows, columns = array.nonzero()
    return rows, columns, _checked_size(array.shape[0], n_nodes)


def _edge_list(edges: NDArray[Any], n_nodes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if edges.size and edges.dtype.kind not in "iu":
        raise ValueError(f"an edge list must hold integers, not {edges.dtype}")
    if edges.size and not (edges.min() >= 0 and edges.max() < n_nodes):
        raise ValueError(f"graph names node {edges.min() if edges.min() < 0 else edges.max()} of {n_nodes} nodes")
    return edges[0].astype(np.intp), edges[1].astype(np.intp)


def _checked_size(found: int, n_nodes: int | None) -> int:
    if n_nodes is not None and found != n_nodes:
        raise ValueError(f"graph has {found} nodes, the data have {n_nodes}")
    return found
