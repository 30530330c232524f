"""Homophily of features on graphs: definition, the authors' numbers, invariances, and the graphs that break it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.engine import LocalEngine
from covey.structure.homophily import (
    class_controlled_feature_homophily,
    class_homophily,
    csbm_x,
    feature_homophily,
    graph_convolution,
    shuffle_features,
)

# syleeheal/AX-Dependence-Mediate-Graph-Conv, src/measure.py, on `example()`, which has a self-loop and an isolated node
PUBLIC = {
    "CFH": 0.0534,
    "feature": 0.0479,
    "class": 0.2045,
    "nodes": [-0.1292, 0.4819, 0.0, 0.2951, -0.1505],
}


def example(seed=0, n_nodes=40, density=0.05):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n_nodes, 3)), np.arange(n_nodes) % 3
    return x, y, np.argwhere(rng.random((n_nodes, n_nodes)) < density).T


def by_definition(x, y, edges):
    x = np.array([row - x[y == label].mean(axis=0) for row, label in zip(x, y)])
    n, neighbours = len(x), [{j for i, j in edges.T if i == node != j} for node in range(len(x))]
    distance = [[np.linalg.norm(a - b) for b in x] for a in x]
    baseline = [sum(distance[i]) / (n - 1) for i in range(n)]
    score = [np.mean([baseline[i] - distance[i][j] for j in neighbours[i]]) if neighbours[i] else 0 for i in range(n)]
    near = [np.mean([distance[i][j] for j in neighbours[i]]) if neighbours[i] else 0 for i in range(n)]
    return np.mean(score) / (np.mean(baseline) if np.mean(score) >= 0 else np.mean(near))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.9))
def test_value_agrees_with_its_definition(seed, density):
    x, y, edges = example(seed, 15, density)
    assert class_controlled_feature_homophily(x, edges, y).value == pytest.approx(by_definition(x, y, edges))


def test_values_agree_with_the_authors_code():
    x, y, edges = example()
    assert class_controlled_feature_homophily(x, edges, y).value == pytest.approx(PUBLIC["CFH"], abs=6e-5)
    assert feature_homophily(x, edges).value == pytest.approx(PUBLIC["feature"], abs=6e-5)
    assert class_homophily(y, edges).value == pytest.approx(PUBLIC["class"], abs=6e-5)
    nodes = class_controlled_feature_homophily(x, edges, y).nodes[:5]
    assert np.nan_to_num(nodes) == pytest.approx(PUBLIC["nodes"], abs=6e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_units_rotations_class_means_and_names_of_nodes_do_not_matter(seed):
    x, y, edges = example(seed)
    rng = np.random.default_rng(seed)
    expected = class_controlled_feature_homophily(x, edges, y)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    moved = 7.0 * x @ rotation + rng.normal(size=(3, 3))[y] * 100
    assert class_controlled_feature_homophily(moved, edges, y).nodes == pytest.approx(expected.nodes, nan_ok=True)
    order = rng.permutation(len(x))
    place = np.argsort(order)
    renamed = class_controlled_feature_homophily(x[order], place[edges], y[order])
    assert renamed.value == pytest.approx(expected.value)
    assert renamed.nodes == pytest.approx(expected.nodes[order], nan_ok=True)


def test_a_large_mean_costs_no_digits():
    x, y, edges = example()
    expected = class_controlled_feature_homophily(x, edges, y).value
    assert class_controlled_feature_homophily(x + 1e9, edges, y).value == pytest.approx(expected, abs=1e-6)


def test_workers_do_not_matter_and_a_sample_comes_near():
    sample = csbm_x(900, tau=0.5, n_features=2)
    whole = class_controlled_feature_homophily(sample.X, sample.adjacency, sample.y, engine=LocalEngine(1))
    threads = class_controlled_feature_homophily(sample.X, sample.adjacency, sample.y, engine=LocalEngine(3))
    assert np.array_equal(whole.nodes, threads.nodes)
    part = class_controlled_feature_homophily(sample.X, sample.adjacency, sample.y, n_reference=300)
    assert part.value == pytest.approx(whole.value, abs=0.02)
    assert part.value != whole.value


def test_isolated_nodes_self_loops_and_parts_of_a_graph():
    x = np.array([[0.0], [0.0], [3.0], [3.0], [9.0]])
    edges = np.array([[0, 1, 2, 3], [1, 0, 3, 2]])
    found = feature_homophily(x, edges)
    assert found.nodes[:4] == pytest.approx(np.ones(4))
    assert np.isnan(found.nodes[4])
    assert np.isnan(found.neighbour_distance[4])
    assert found.value == pytest.approx(found.baseline[:4].sum() / found.baseline.sum())
    looped = np.column_stack([edges, [[4, 0], [4, 0]]])
    assert np.array_equal(feature_homophily(x, looped).nodes, found.nodes, equal_nan=True)


def test_undefined_values_have_a_reason():
    x, y, edges = example()
    none = class_controlled_feature_homophily(x, np.zeros((2, 0)), y)
    assert np.isnan(none.value)
    assert none.reason == "the graph has no edge"
    assert np.isnan(none.nodes).all()
    constant = class_controlled_feature_homophily(y[:, None] * 0.3 + 1e6, edges, y)
    assert np.isnan(constant.value)
    assert constant.reason == "the features do not vary"


def test_dependence_steers_the_sign_and_degrees_are_as_asked():
    values = []
    for tau in (-1.0, 0.0, 1.0):
        sample = csbm_x(600, d_pos=12, d_neg=4, tau=tau, mu=0.5, sigma=2.0)
        edges = sample.adjacency.toarray()
        same = sample.y[:, None] == sample.y
        assert (edges * same).sum(axis=1).tolist() == [12] * 600
        assert (edges * ~same).sum(axis=1).tolist() == [4] * 600
        assert not np.diag(edges).any()
        values.append(class_controlled_feature_homophily(sample.X, sample.adjacency, sample.y).value)
    assert values[0] < -0.2 < abs(values[1]) + 0.15 < 0.2 < values[2]
    assert sample.X[sample.y == 1].std() == pytest.approx(2.0, abs=0.2)
    assert sample.X[sample.y == 0].mean() == pytest.approx(-0.5, abs=0.15)


def test_shuffling_keeps_each_class_in_each_group_and_ends_dependence():
    sample = csbm_x(600, tau=1.0)
    groups = np.arange(600) % 3
    mixed = shuffle_features(sample.X, sample.y, groups=groups)
    for cell in np.unique(np.column_stack([sample.y, groups]), axis=0):
        where = (sample.y == cell[0]) & (groups == cell[1])
        assert np.array_equal(np.sort(mixed[where], axis=0), np.sort(sample.X[where], axis=0))
    assert abs(class_controlled_feature_homophily(mixed, sample.adjacency, sample.y).value) < 0.05
    half = shuffle_features(sample.X, sample.y, 0.5)
    assert 0.45 < (half == sample.X).mean() < 0.55
    assert np.array_equal(shuffle_features(sample.X, sample.y, 0.0), sample.X)


def test_convolution_is_the_mean_of_neighbours():
    x, _, edges = example(n_nodes=12, density=0.3)
    dense = np.zeros((12, 12))
    dense[edges[0], edges[1]] = 1
    np.fill_diagonal(dense, 0)
    step = dense / np.maximum(dense.sum(axis=1, keepdims=True), 1)
    assert graph_convolution(x, edges, 2) == pytest.approx(step @ step @ x)


def test_bad_input_is_named():
    x, y, edges = example()
    with pytest.raises(ValueError, match="at least two nodes"):
        feature_homophily(x[:1], np.zeros((1, 1)))
    with pytest.raises(ValueError, match="NaN"):
        feature_homophily(np.where(x > 2, np.nan, x), edges)
    with pytest.raises(ValueError, match="one class for each row"):
        class_controlled_feature_homophily(x, edges, y[:-1])
    with pytest.raises(ValueError, match="n_reference"):
        feature_homophily(x, edges, n_reference=1)
    with pytest.raises(ValueError, match="ratio"):
        shuffle_features(x, y, 1.5)
    with pytest.raises(ValueError, match=r"d_pos must lie in 0\.\.4"):
        csbm_x(10, d_pos=5)
    with pytest.raises(ValueError, match="sigma"):
        csbm_x(100, sigma=0.0)
    with pytest.raises(ValueError, match="sigma"):
        csbm_x(100, sigma=np.nan)
    with pytest.raises(ValueError, match="tau"):
        csbm_x(100, tau=np.inf)
    with pytest.raises(ValueError, match="n_layers"):
        graph_convolution(x, edges, -1)
    with pytest.raises(ValueError, match="whose square is no float"):
        feature_homophily(1e200 * x, edges)
    missing = np.where(np.arange(40) > 37, np.nan, y)
    for labels in (missing, [None if np.isnan(label) else str(label) for label in missing]):
        with pytest.raises(ValueError, match=r"node 38 has no class \(2 in all\)"):
            class_homophily(labels, edges)
        with pytest.raises(ValueError, match="node 38 has no class"):
            shuffle_features(x, labels)
    with pytest.raises(ValueError, match="y must have shape"):
        class_homophily(y[:, None], edges)
