"""Spanning tree and thresholded graph, against networkx."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure import associate
from covey.structure import maximum_spanning_tree, threshold_graph
from covey.structure.graph import spanning_edges


def random_walk(n_samples: int = 300, n_features: int = 6) -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).normal(size=(n_samples, n_features)), axis=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 1000), st.floats(0, 0.8))
def test_total_strength_is_that_of_networkx(n_features, seed, sparsity):
    rng = np.random.default_rng(seed)
    strength = rng.random((n_features, n_features)) * (rng.random((n_features, n_features)) > sparsity)
    strength = np.triu(strength, 1) + np.triu(strength, 1).T
    left, right = spanning_edges(strength)
    tree = networkx.maximum_spanning_tree(networkx.from_numpy_array(strength))
    assert len(left) == tree.number_of_edges()
    assert strength[left, right].sum() == pytest.approx(tree.size(weight="weight"))
    assert networkx.is_forest(networkx.Graph([*zip(left.tolist(), right.tolist()), (-1, -2)]))


def test_a_random_walk_is_a_chain():
    edges = maximum_spanning_tree(associate(random_walk(), measure="pearson"))
    assert {(a, b) for a, b, _ in edges} == {(f"x{k}", f"x{k + 1}") for k in range(5)}
    assert [w for *_, w in edges] == sorted((w for *_, w in edges), reverse=True)


def test_features_without_association_have_no_edge():
    x = random_walk()
    x[:, 2] = 1.0
    edges = maximum_spanning_tree(associate(x, measure="pearson"))
    assert len(edges) == 4
    assert all("x2" not in edge for edge in edges)


def test_threshold_graph_keeps_the_tree_when_asked():
    matrix = associate(random_walk(), measure="pearson")
    plain, spanning = threshold_graph(matrix, 0.9), threshold_graph(matrix, 0.9, spanning=True)
    assert plain.number_of_nodes() == spanning.number_of_nodes() == 6
    assert all(data["weight"] >= 0.9 for *_, data in plain.edges(data=True))
    assert networkx.is_connected(spanning) and not networkx.is_connected(plain)
    assert set(plain.edges) <= set(spanning.edges)
    tree = {frozenset(edge) for *edge, data in spanning.edges(data=True) if data.get("tree")}
    assert tree == {frozenset(edge[:2]) for edge in maximum_spanning_tree(matrix)}


def test_rectangles_are_refused():
    matrix = associate(random_walk(), measure="pearson", target="x0")
    with pytest.raises(ValueError, match="every feature against every feature"):
        maximum_spanning_tree(matrix)
    with pytest.raises(ValueError, match="every feature against every feature"):
        threshold_graph(matrix)
