"""Features of correlation networks: networkx as the definition, invariances, the scikit-learn contract, bad input."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.engine import LocalEngine
from covey.structure.networks import (
    CorrelationNetworkFeatures,
    NodeMask,
    PCALDAClassifier,
    correlation_network,
    cycle_map,
    distance_degree,
)


@parametrize_with_checks([NodeMask(keep=1.0), PCALDAClassifier(0.99)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def random_graph(n_nodes, density, seed):
    edges = np.triu(np.random.default_rng(seed).random((n_nodes, n_nodes)) < density, 1)
    return edges | edges.T


def series(n_samples=6, n_nodes=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, 80, n_nodes)) + rng.normal(size=(n_samples, 80, 1))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 10_000))
def test_triangles_are_those_of_networkx(n_nodes, density, seed):
    adjacency = random_graph(n_nodes, density, seed)
    expected = networkx.triangles(networkx.from_numpy_array(adjacency))
    assert cycle_map(adjacency, 3).tolist() == [expected[i] for i in range(n_nodes)]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.floats(0, 1), st.integers(0, 10_000))
def test_cycles_of_four_are_those_that_enumeration_finds(n_nodes, density, seed):
    adjacency = random_graph(n_nodes, density, seed)
    cycles = [c for c in networkx.simple_cycles(networkx.from_numpy_array(adjacency), length_bound=4) if len(c) == 4]
    assert cycle_map(adjacency, 4).tolist() == [sum(i in cycle for cycle in cycles) for i in range(n_nodes)]


def test_self_loops_isolated_nodes_and_parts_of_a_graph():
    graph = networkx.disjoint_union(networkx.complete_graph(4), networkx.cycle_graph(4))
    graph.add_node(8)
    graph.add_edges_from((i, i) for i in range(9))
    assert cycle_map(graph, 3).tolist() == [3, 3, 3, 3, 0, 0, 0, 0, 0]
    assert cycle_map(graph, 4).tolist() == [3, 3, 3, 3, 1, 1, 1, 1, 0]
    assert cycle_map(np.zeros((3, 3)), 4).tolist() == [0, 0, 0]


def test_network_by_threshold_and_by_density():
    r = np.corrcoef(series(1)[0], rowvar=False)
    r[2, 5] = r[5, 2] = -0.95
    np.fill_diagonal(r, np.nan)
    assert np.array_equal(correlation_network(r, threshold=0.4).toarray(), np.where(r > 0.4, 1, 0))
    strong = correlation_network(r, threshold=0.4, absolute=True).toarray()
    assert np.array_equal(strong, np.where(np.abs(r) > 0.4, 1, 0))
    dense = correlation_network(r, density=0.25).toarray()
    assert dense.sum() == 2 * 7
    assert np.nanmin(r[dense == 1]) >= np.nanmax(r[dense == 0])
    assert correlation_network(np.full((4, 4), np.nan), density=1.0).nnz == 0


def test_maps_are_those_of_each_sample():
    x = series()
    positions = np.arange(8.0)[:, None]
    names = ("degree", "cycle3", "cycle4", "weight", "distance_degree")
    model = CorrelationNetworkFeatures(names, threshold=0.5, positions=positions, distance_bins=[2.5])
    found = model.fit(x).transform(list(x))
    assert list(model.get_feature_names_out()[[0, 39, 40]]) == ["degree_0", "distance_degree0_7", "distance_degree1_0"]
    for row, sample in zip(found, x):
        r = np.corrcoef(sample, rowvar=False) - np.eye(8)
        edges = r > 0.5
        near = np.abs(positions - positions.T) < 2.5
        expected = [
            edges.sum(axis=1),
            cycle_map(edges, 3),
            cycle_map(edges, 4),
            (edges * r).sum(axis=1),
            (edges & near).sum(axis=1),
            (edges & ~near).sum(axis=1),
        ]
        assert row == pytest.approx(np.concatenate(expected))


def test_units_signs_and_workers_do_not_matter():
    x = series()
    model = CorrelationNetworkFeatures(density=0.3, absolute=True, engine=LocalEngine(1)).fit(x)
    expected = model.transform(x)
    scale = np.where(np.arange(8) % 2, -3.0, 0.01)
    moved = clone(model).set_params(engine=LocalEngine(3)).fit(x).transform(x * scale + 1e6)
    assert np.array_equal(moved, expected)


def test_a_series_that_does_not_vary_is_an_isolated_node():
    x = series()
    x[:, :, 3] = 0.1
    found = CorrelationNetworkFeatures(("degree", "weight"), threshold=-1.0).fit_transform(x)
    assert found[:, [3, 11]].tolist() == [[0.0, 0.0]] * len(x)
    assert found[:, 0].tolist() == [6.0] * len(x)


def test_huge_and_tiny_units_do_not_matter():
    x = series()
    model = CorrelationNetworkFeatures(("weight",), threshold=0.3)
    for scale in (1e200, 1e-200):
        assert model.fit_transform(x * scale) == pytest.approx(model.fit_transform(x))


def test_samples_may_differ_in_length():
    x = list(series())
    x[1] = x[1][:50]
    found = CorrelationNetworkFeatures().fit_transform(x)
    assert np.array_equal(found[1], CorrelationNetworkFeatures().fit_transform([x[1]])[0])


def test_mask_scores_are_those_of_a_discriminant_of_each_node():
    rng = np.random.default_rng(0)
    y = (np.arange(150) % 5 > 1).astype(int) + (np.arange(150) % 7 == 0)
    x = rng.normal(size=(150, 8)) * [1, 50, 1, 1, 1, 3, 1, 1]
    x[:, 2] += y
    x[:, 6] -= x[:, 2]
    mask = NodeMask(n_nodes=4, keep=0.5).fit(x, np.array(["a", "b", "c"])[y])
    for j in range(4):
        alone = LinearDiscriminantAnalysis(solver="svd").fit(x[:, j::4], y)
        assert mask.scores_[j] == pytest.approx(alone.score(x[:, j::4], y), abs=0.01)
    assert mask.nodes_[1] == 2
    assert mask.transform(x) == pytest.approx(x[:, np.isin(np.arange(8) % 4, mask.nodes_)])
    extreme = NodeMask().fit(np.column_stack([np.full(150, 0.1), y]), y)
    assert extreme.scores_ == pytest.approx([np.bincount(y).max() / 150, 1.0])


def test_classifier_finds_what_lies_in_the_leading_components():
    rng = np.random.default_rng(0)
    y = np.array(["well", "ill"])[np.arange(300) % 2]
    x = rng.normal(size=(300, 30)) + rng.normal(size=(300, 1)) + np.where(y == "ill", 1.0, 0.0)[:, None] * np.eye(30)[0]
    x[:, 1] -= x[:, 0]
    model = PCALDAClassifier(10).fit(x[:200], y[:200])
    assert model.n_components_ == 10
    assert model.classes_.tolist() == ["ill", "well"]
    likely = model.predict_proba(x[200:])
    assert np.array_equal(model.classes_[likely.argmax(axis=1)], model.predict(x[200:]))
    assert np.array_equal(model.decision_function(x[200:]) > 0, likely[:, 1] > 0.5)
    whole = make_pipeline(NodeMask(keep=0.1), PCALDAClassifier(0.99)).fit(x[:200], y[:200])
    assert 0.6 < whole.score(x[200:], y[200:]) < 1.0


def test_bad_input_is_named():
    x = series()
    with pytest.raises(ValueError, match="exactly one"):
        correlation_network(np.eye(3), threshold=0.1, density=0.1)
    with pytest.raises(ValueError, match="density must lie"):
        correlation_network(np.eye(3), density=1.5)
    with pytest.raises(ValueError, match="symmetric"):
        correlation_network(np.triu(np.ones((3, 3))), threshold=0.1)
    with pytest.raises(ValueError, match="length must be 3 or 4"):
        cycle_map(np.eye(3), 5)
    with pytest.raises(ValueError, match="directed"):
        cycle_map(np.triu(np.ones((3, 3))))
    with pytest.raises(ValueError, match=r"positions must have shape \(3"):
        distance_degree(np.eye(3), np.zeros((2, 3)), [1.0])
    with pytest.raises(ValueError, match="positions must be finite"):
        distance_degree(np.eye(3), [[0.0], [np.nan], [1.0]], [1.0])
    with pytest.raises(ValueError, match="rising"):
        distance_degree(np.eye(3), np.zeros((3, 3)), [np.nan])
    with pytest.raises(ValueError, match="threshold must be a number"):
        correlation_network(np.eye(3), threshold=np.nan)
    with pytest.raises(ValueError, match=r"positions must have shape \(8"):
        CorrelationNetworkFeatures(("distance_degree",), positions=np.zeros((3, 2))).fit(x)
    with pytest.raises(ValueError, match="rising"):
        distance_degree(np.eye(3), np.zeros((3, 3)), [2.0, 1.0])
    with pytest.raises(ValueError, match="features must be"):
        CorrelationNetworkFeatures(("degree", "cycle5")).fit(x)
    with pytest.raises(ValueError, match="needs positions"):
        CorrelationNetworkFeatures(("distance_degree",)).fit(x)
    with pytest.raises(ValueError, match="no sample"):
        CorrelationNetworkFeatures().fit([])
    with pytest.raises(ValueError, match=r"sample 2 of X has shape \(80, 3\)"):
        CorrelationNetworkFeatures().fit([x[0], x[1], x[2][:, :3]])
    with pytest.raises(ValueError, match="sample 1 of X holds NaN"):
        CorrelationNetworkFeatures().fit([x[0], np.where(x[1] > 2, np.nan, x[1])])
    with pytest.raises(ValueError, match="3 series a sample, but fit saw 8"):
        CorrelationNetworkFeatures().fit(x).transform(x[:, :, :3])
    with pytest.raises(ValueError, match="no multiple of n_nodes=3"):
        NodeMask(n_nodes=3).fit(x[:, 0], np.arange(6) % 2)
    with pytest.raises(ValueError, match="keep must lie"):
        NodeMask(keep=0.0).fit(x[:, 0], np.arange(6) % 2)
    with pytest.raises(ValueError, match="one class"):
        NodeMask().fit(x[:, 0], np.zeros(6, dtype=int))
    with pytest.raises(ValueError, match="no feature of X varies"):
        PCALDAClassifier().fit(np.ones((6, 2)), np.arange(6) % 2)
