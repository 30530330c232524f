"""Graph matching: signatures against their definition, recovery, invariance to the order of nodes, bad graphs."""

import pickle

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone

from covey.engine import LocalEngine
from covey.structure.matching import (
    PartitionTreeMatcher,
    _paired,
    correlated_sbm,
    degree_profile_matching,
    partition_tree_signatures,
    refine_matching,
    seeded_graph_matching,
    spectral_matching,
)

MATCHERS = [
    degree_profile_matching,
    spectral_matching,
    lambda first, second: seeded_graph_matching(first, second, [[0, 0]]),
    lambda first, second: refine_matching(first, second, np.arange(len(first))),
    lambda first, second: PartitionTreeMatcher().fit(first, second),
]


def share_right(found, graphs):
    return float(np.mean(found == graphs.permutation))


def signatures_by_definition(edges, labels, depth):
    n, k = len(edges), labels.max() + 1
    block = [labels == c for c in range(k)]
    density = np.empty((k, k))
    for c, d in np.ndindex(k, k):
        possible = block[c].sum() * (block[d].sum() - (c == d))
        density[c, d] = edges[np.ix_(block[c], block[d])].sum() / possible

    def degree(u, d):
        p = density[labels[u], d]
        centred = sum(edges[u, v] - p for v in np.flatnonzero(block[d]) if v != u)
        return centred / np.sqrt(p * (1 - p) * block[d].sum())

    def more(u, parent):
        return (
            len(parent) > 0
            and edges[u, parent].sum()
            > edges[u, block[labels[parent[0]]]].sum() * (len(parent) / block[labels[parent[0]]].sum()) + 1e-9
        )

    def levels(root):
        sets = [np.flatnonzero((edges[root] > 0) & block[c]) for c in range(k)]
        yield from sets
        for _ in range(depth - 1):
            sets = [
                [u for u in np.flatnonzero(block[c]) if more(u, parent) == wanted]
                for parent in sets
                for c in range(k)
                for wanted in (True, False)
            ]
            yield from sets

    def entries(members):
        return [sum(degree(u, d) for u in members) / np.sqrt(max(len(members), 1)) for d in range(k)] + [len(members)]

    return np.array([np.concatenate([entries(members) for members in levels(root)]) for root in range(n)])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_signatures_agree_with_their_definition(depth):
    graphs = correlated_sbm(15, 2, 0.6, 0.3)
    expected = signatures_by_definition(graphs.first.astype(int), graphs.labels, depth)
    assert partition_tree_signatures(graphs.first, graphs.labels, depth) == pytest.approx(expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_signatures_move_with_the_nodes_and_with_the_numbers_of_communities(seed):
    rng = np.random.default_rng(seed)
    graphs = correlated_sbm(31, 3, random_state=rng)
    expected = partition_tree_signatures(graphs.first, graphs.labels, 2)
    order = rng.permutation(31)
    moved = partition_tree_signatures(graphs.first[np.ix_(order, order)], graphs.labels[order], 2)
    assert moved == pytest.approx(expected[order])
    pairing = rng.permutation(3)
    renamed = partition_tree_signatures(graphs.first, pairing[graphs.labels], 2)
    assert _paired(renamed, pairing, 2) == pytest.approx(expected)


def test_generator_has_the_densities_and_the_correlation_that_were_asked():
    graphs = correlated_sbm(400, 2, 0.5, 0.2, correlation=0.7, random_state=1)
    second = graphs.second[np.ix_(graphs.permutation, graphs.permutation)]
    same = (graphs.labels[:, None] == graphs.labels) & np.triu(np.ones((400, 400), dtype=bool), 1)
    other = ~(graphs.labels[:, None] == graphs.labels)
    for graph in (graphs.first, second):
        assert graph[same].mean() == pytest.approx(0.5, abs=0.02)
        assert graph[other].mean() == pytest.approx(0.2, abs=0.02)
        assert np.array_equal(graph, graph.T)
        assert not graph.diagonal().any()
    assert np.corrcoef(graphs.first[same], second[same])[0, 1] == pytest.approx(0.7, abs=0.02)
    assert np.corrcoef(graphs.first[other], second[other])[0, 1] == pytest.approx(0.7, abs=0.02)


def test_correlated_graphs_with_communities_are_matched():
    graphs = correlated_sbm(240, 3, correlation=0.95, random_state=2)
    matcher = PartitionTreeMatcher(3).fit(graphs.first, graphs.second)
    assert share_right(matcher.permutation_, graphs) == 1.0
    assert share_right(matcher.initial_, graphs) > 0.2
    assert np.array_equal(matcher.labels_[1][graphs.permutation], matcher.labels_[0])
    assert list(matcher.common_edges_) == sorted(matcher.common_edges_)
    common = graphs.first & graphs.second[np.ix_(matcher.permutation_, matcher.permutation_)]
    assert matcher.common_edges_[-1] == common.sum() // 2


def test_communities_may_be_given_and_unequal():
    graphs = correlated_sbm(200, 10, correlation=0.97, random_state=3)
    names = np.array(list("abcdefghij"))[graphs.labels]
    shuffled = np.empty_like(names)
    shuffled[graphs.permutation] = names
    matcher = PartitionTreeMatcher(depth=1).fit(graphs.first, graphs.second, (names, shuffled))
    assert share_right(matcher.permutation_, graphs) > 0.9


def test_matching_is_the_same_whatever_the_form_and_the_workers():
    graphs = correlated_sbm(120, 2, correlation=0.95)
    model = PartitionTreeMatcher(2, engine=LocalEngine(1))
    expected = model.fit(graphs.first, graphs.second).permutation_
    again = clone(model).set_params(engine=LocalEngine(2))
    assert np.array_equal(again.fit(csr_array(graphs.first), graphs.second.astype(float)).permutation_, expected)
    assert np.array_equal(
        pickle.loads(pickle.dumps(PartitionTreeMatcher(2).fit(graphs.first, graphs.second))).initial_, again.initial_
    )


def test_one_graph_twice_is_matched_by_every_method():
    graphs = correlated_sbm(120, correlation=1.0)
    for match in (degree_profile_matching, spectral_matching):
        found = match(graphs.first, graphs.second)
        assert share_right(found.permutation, graphs) == 1.0
        assert found.common_edges == (graphs.first.sum() // 2,)
    assert share_right(PartitionTreeMatcher().fit(graphs.first, graphs.second).permutation_, graphs) == 1.0


def test_seeds_stay_and_wrong_ones_cost_only_themselves():
    graphs = correlated_sbm(200, correlation=0.8, random_state=4)
    seeds = np.column_stack([np.arange(30), graphs.permutation[:30]])
    seeds[:2, 1] = seeds[1::-1, 1]
    found = seeded_graph_matching(graphs.first, graphs.second, seeds).permutation
    assert np.array_equal(found[:30], seeds[:, 1])
    assert np.array_equal(found[30:], graphs.permutation[30:])
    start = seeded_graph_matching(graphs.first, graphs.second, seeds, max_iter=0)
    assert len(start.common_edges) == 1


def test_disconnected_graphs_isolated_nodes_and_self_loops():
    graphs = correlated_sbm(300, 2, 0.5, 0.0, correlation=0.99, random_state=5)
    first, second = (np.pad(graph, (0, 5)) for graph in (graphs.first, graphs.second))
    second[0, 0] = first[3, 3] = True
    found = PartitionTreeMatcher(2).fit(first, second).permutation_
    assert np.array_equal(found[:300], graphs.permutation)
    assert sorted(found[300:]) == list(range(300, 305))
    for match in (degree_profile_matching, spectral_matching):
        assert sorted(match(first, second).permutation[300:]) == list(range(300, 305))


def test_a_complete_graph_has_no_wrong_matching():
    graph = np.ones((6, 6))
    for match in MATCHERS:
        found = match(graph, graph)
        permutation = getattr(found, "permutation", None)
        assert sorted(found.permutation_ if permutation is None else permutation) == list(range(6))


@pytest.mark.parametrize("match", MATCHERS)
def test_bad_graphs_are_named_by_every_method(match):
    with pytest.raises(ValueError, match="second has no edge"):
        match(np.ones((4, 4)), np.eye(4))
    with pytest.raises(ValueError, match="first has no edge"):
        match(np.zeros((4, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match="pad the smaller"):
        match(np.ones((4, 4)), np.ones((5, 5)))
    with pytest.raises(ValueError, match="no node"):
        match(np.zeros((0, 0)), np.zeros((0, 0)))
    with pytest.raises(ValueError, match="directed"):
        match(np.triu(np.ones((4, 4))), np.ones((4, 4)))
    with pytest.raises(ValueError, match="no edge"):
        match(networkx.empty_graph(3), networkx.complete_graph(3))


def test_bad_parameters_are_named():
    graph = np.ones((5, 5))
    with pytest.raises(ValueError, match="correlation must lie"):
        correlated_sbm(10, correlation=1.5)
    with pytest.raises(ValueError, match=r"n_communities must lie in 1\.\.10"):
        correlated_sbm(10, 11)
    with pytest.raises(ValueError, match="eta"):
        spectral_matching(graph, graph, eta=0.0)
    for seeds, message in [
        (np.zeros((0, 2), dtype=int), "at least one"),
        ([[0, 7]], "node 7 of 5"),
        ([[-1, 0]], "node -1 of 5"),
        ([[0, 1], [0, 2]], "two pairs"),
        ([[0.5, 1.0]], "integers"),
    ]:
        with pytest.raises(ValueError, match=message):
            seeded_graph_matching(graph, graph, seeds)
    for start in ([0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 4, 5]):
        with pytest.raises(ValueError, match="0 to 4 once"):
            refine_matching(graph, graph, start)
    with pytest.raises(ValueError, match="depth"):
        PartitionTreeMatcher(depth=0).fit(graph, graph)
    with pytest.raises(ValueError, match="depth"):
        partition_tree_signatures(graph, np.zeros(5), depth=0)
    with pytest.raises(ValueError, match=r"labels must have shape \(5,\)"):
        partition_tree_signatures(graph, np.zeros(4))
    with pytest.raises(ValueError, match=r"n_communities must lie in 1\.\.5, got 6"):
        PartitionTreeMatcher(6).fit(graph, graph)
    with pytest.raises(ValueError, match="two arrays"):
        PartitionTreeMatcher().fit(graph, graph, (np.zeros(5), np.zeros(4)))
    with pytest.raises(ValueError, match="different communities"):
        PartitionTreeMatcher().fit(graph, graph, (np.zeros(5), np.ones(5)))
