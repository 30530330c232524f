"""Clustering of strengths: linkage, leaf order and cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure._cluster import cut, leaf_order, linkage


def random_strength(n_features: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(30, n_features))
    x[:, 1:] += 0.8 * x[:, :-1]
    return np.abs(np.corrcoef(x, rowvar=False))


def blocks(sizes: list[int], inside: float, across: float) -> np.ndarray:
    owner = np.repeat(np.arange(len(sizes)), sizes)
    strength = np.where(owner[:, None] == owner, inside, across)
    np.fill_diagonal(strength, 1.0)
    return strength


def mean_inside(strength: np.ndarray, group: list[int]) -> float:
    i, j = np.triu_indices(len(group), 1)
    return float(strength[np.ix_(group, group)][i, j].mean())


def adjacent_sum(strength: np.ndarray, order: np.ndarray) -> float:
    return float(strength[order[:-1], order[1:]].sum())


def test_average_linkage_by_hand():
    strength = np.array([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.3, 0.4], [0.1, 0.3, 1, 0.7], [0.2, 0.4, 0.7, 1]])
    assert linkage(strength)[:, 2] == pytest.approx([0.1, 0.3, 0.75])
    assert linkage(strength, "complete")[-1, 2] == pytest.approx(0.9)
    assert linkage(strength, "single")[-1, 2] == pytest.approx(0.6)


def test_cut_finds_planted_blocks_whatever_the_order():
    strength = blocks([4, 1, 3], inside=0.8, across=0.1)
    shuffle = np.random.default_rng(0).permutation(8)
    groups = cut(strength[np.ix_(shuffle, shuffle)], 0.5)
    planted = [{0, 1, 2, 3}, {4}, {5, 6, 7}]
    assert sorted([sorted(shuffle[g].tolist()) for g in groups]) == sorted(sorted(p) for p in planted)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 25), st.integers(0, 1000), st.floats(0.0, 1.0))
def test_cut_is_an_ordered_partition_of_strong_groups(n_features, seed, threshold):
    strength = random_strength(n_features, seed)
    groups = cut(strength, threshold)
    assert sorted(k for group in groups for k in group) == list(range(n_features))
    assert [g[0] for g in groups] == sorted(min(g) for g in groups)
    assert all(mean_inside(strength, g) >= threshold - 1e-9 for g in groups if len(g) > 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 25), st.integers(0, 1000))
def test_groups_only_split_as_the_threshold_rises(n_features, seed):
    strength = random_strength(n_features, seed)
    coarse, fine = cut(strength, 0.2), cut(strength, 0.5)
    assert all(any(set(f) <= set(c) for c in coarse) for f in fine)


def test_a_pair_at_the_threshold_is_a_group():
    for strength in (0.1, 0.3, 0.6, 0.7):
        assert cut(np.array([[1.0, strength], [strength, 1.0]]), strength) == [[0, 1]]
        assert cut(np.array([[1.0, strength], [strength, 1.0]]), strength + 1e-6) == [[0], [1]]


def allowed_orders(tree: np.ndarray, node: int) -> list[list[int]]:
    n_features = len(tree) + 1
    if node < n_features:
        return [[node]]
    left, right = (allowed_orders(tree, int(child)) for child in tree[node - n_features, :2])
    return [a + b for x, y in ((left, right), (right, left)) for a in x for b in y]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 9), st.integers(0, 10_000), st.sampled_from(["average", "complete", "single"]))
def test_leaf_order_is_the_best_that_the_tree_allows(n_features, seed, method):
    strength = random_strength(n_features, seed)
    tree = linkage(strength, method)
    orders = allowed_orders(tree, 2 * n_features - 2)
    order = leaf_order(strength, tree)
    assert order.tolist() in orders
    assert adjacent_sum(strength, order) == pytest.approx(max(adjacent_sum(strength, np.array(o)) for o in orders))


def test_leaf_order_recovers_a_chain():
    position = np.random.default_rng(1).permutation(12)
    strength = np.exp(-np.abs(position[:, None] - position) / 3.0)
    ordered = position[leaf_order(strength)]
    assert adjacent_sum(strength, leaf_order(strength)) == pytest.approx(11 * np.exp(-1 / 3))
    assert ordered.tolist() in (list(range(12)), list(range(11, -1, -1)))


def test_many_features_keep_their_groups_together():
    strength = blocks([600, 601], inside=0.9, across=0.1)
    side = leaf_order(strength) < 600
    assert np.count_nonzero(np.diff(side)) == 1


def test_missing_counts_as_no_association():
    strength = np.array([[1, np.nan, 0.9], [np.nan, 1, np.nan], [0.9, np.nan, 1]])
    assert cut(strength, 0.5) == [[0, 2], [1]]
    assert linkage(strength)[-1, 2] == 1.0


def test_tiny_and_empty_matrices():
    assert linkage(np.ones((0, 0))).shape == (0, 4)
    assert linkage(np.ones((1, 1))).shape == (0, 4)
    assert [len(cut(np.zeros((m, m)), 0.5)) for m in (0, 1, 2, 5)] == [0, 1, 2, 5]
    assert cut(np.zeros((3, 3)), 0.0) == [[0, 1, 2]]
    assert [leaf_order(np.zeros((m, m))).tolist() for m in (0, 1, 2)] == [[], [0], [0, 1]]
    assert sorted(leaf_order(np.zeros((5, 5)))) == list(range(5))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="square"):
        linkage(np.ones((2, 3)))
    with pytest.raises(ValueError, match="threshold must lie"):
        cut(np.eye(3), 1.5)
    with pytest.raises(ValueError, match="no linkage 'ward'"):
        linkage(np.eye(3), "ward")  # type: ignore[arg-type]
