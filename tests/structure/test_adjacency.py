"""Graphs in every form become one matrix; bad ones are named."""

import networkx
import numpy as np
import pytest
from scipy.sparse import csr_array

from covey.structure._adjacency import adjacency_matrix

DENSE = np.array([[0, 1, 0, 0], [1, 1, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
CLEAN = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


def networkx_graph():
    graph = networkx.Graph([("a", "b"), ("b", "b"), ("b", "c")])
    graph.add_node("d")
    return graph


@pytest.mark.parametrize(
    "graph",
    [
        DENSE,
        DENSE.tolist(),
        DENSE.astype(bool),
        DENSE * -0.5,
        csr_array(DENSE),
        networkx_graph(),
        np.array([[0, 1, 1, 2, 1, 0], [1, 0, 2, 1, 1, 1]]),
    ],
    ids=["integers", "lists", "booleans", "weights", "sparse", "networkx", "edge list with a repeated edge"],
)
def test_every_form_gives_the_same_matrix(graph):
    found = adjacency_matrix(graph, 4, symmetric=True)
    assert np.array_equal(found.toarray(), CLEAN)
    assert found.dtype == np.float64


def test_direction_of_edges_is_kept():
    found = adjacency_matrix(networkx.DiGraph([(0, 1), (1, 2)]))
    assert found.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_a_graph_without_edges_and_one_of_two_nodes():
    assert adjacency_matrix(np.zeros((2, 0)), 3).shape == (3, 3)
    assert adjacency_matrix(np.array([[0, 1], [1, 0]]), 2).toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("graph", "n_nodes", "message"),
    [
        (np.zeros((0, 0)), None, "no node"),
        (networkx.Graph(), None, "no node"),
        (np.zeros((3, 4)), None, r"shape \(3, 4\)"),
        (np.zeros((2, 5), dtype=int), None, "number of nodes"),
        (np.zeros((3, 3)), 4, "3 nodes, the data have 4"),
        (np.array([[0, 5], [1, 2], [0, 0]]).T[:2], None, "shape"),
        (np.array([[0, 1, 2], [1, 2, 7]]), 4, "node 7 of 4"),
        (np.array([[0, -1, 2], [1, 2, 3]]), 4, "node -1 of 4"),
        (np.array([[0.5, 1, 2], [1, 2, 3]]), 4, "integers"),
        (np.array([[0, np.nan], [1, 0]]), None, "NaN"),
    ],
)
def test_bad_graphs_are_named(graph, n_nodes, message):
    with pytest.raises(ValueError, match=message):
        adjacency_matrix(graph, n_nodes)


def test_direction_where_there_must_be_none_is_named():
    with pytest.raises(ValueError, match="directed"):
        adjacency_matrix(np.triu(np.ones((3, 3))), symmetric=True)
