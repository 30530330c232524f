"""Dense multicut: greedy contraction against the full matrix, the objective against pairs, local search."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure import associate
from covey.structure import (
    DenseMulticut,
    correlation_clustering,
    dense_gaec,
    dense_laec,
    move_nodes,
    multicut_objective,
)


@parametrize_with_checks(
    [DenseMulticut(), DenseMulticut(metric="dot", max_sweeps=0), DenseMulticut(contraction="lazy")]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def greedy_by_definition(costs: np.ndarray) -> np.ndarray:
    """Join the two clusters with the greatest summed cost while it is positive."""
    clusters = [[i] for i in range(len(costs))]
    while len(clusters) > 1:
        pairs = list(combinations(range(len(clusters)), 2))
        sums = [costs[np.ix_(clusters[a], clusters[b])].sum() for a, b in pairs]
        if max(sums) <= 0:
            break
        a, b = pairs[int(np.argmax(sums))]
        clusters[a] += clusters.pop(b)
    labels = np.empty(len(costs), dtype=int)
    for k, members in enumerate(sorted(clusters, key=min)):
        labels[members] = k
    return labels


def objective_by_definition(costs: np.ndarray, labels: np.ndarray) -> float:
    return sum(costs[i, j] for i, j in combinations(range(len(costs)), 2) if labels[i] != labels[j])


def groups(n_samples: int, n_clusters: int, noise: float, seed: int, n_features: int = 16):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_clusters, size=n_samples)
    x = rng.normal(size=(n_clusters, n_features))[y] + noise * rng.normal(size=(n_samples, n_features))
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 9), st.floats(-0.5, 0.9), st.integers(1, 4), st.integers(0, 1000))
def test_contraction_is_greedy_on_the_full_matrix(n_samples, n_features, threshold, n_neighbors, seed):
    x = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    costs = x @ x.T - threshold
    expected = greedy_by_definition(costs).tolist()
    assert dense_gaec(x, threshold, n_neighbors=n_neighbors).tolist() == expected
    assert correlation_clustering(costs).tolist() == expected


def test_blocks_and_lists_do_not_change_the_result():
    x, _ = groups(1200, 20, 0.8, 0)
    labels = [dense_gaec(x, 0.4, n_neighbors=k) for k in (1, 8, 2000)]
    assert (labels[0] == labels[1]).all() and (labels[0] == labels[2]).all()
    assert labels[0].tolist() == correlation_clustering(x @ x.T, 0.4).tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.floats(-0.5, 0.9), st.integers(1, 8), st.integers(0, 1000))
def test_lazy_contraction_ends_where_no_two_clusters_attract(n_samples, n_features, threshold, n_neighbors, seed):
    x = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    labels = dense_laec(x, threshold, n_neighbors=n_neighbors)
    sums = np.array([x[labels == k].sum(axis=0) for k in range(labels.max() + 1)])
    between = sums @ sums.T - threshold * np.outer(np.bincount(labels), np.bincount(labels))
    assert between[~np.eye(len(sums), dtype=bool)].max(initial=-np.inf) <= 1e-9
    assert multicut_objective(x, labels, threshold) <= multicut_objective(x, range(n_samples), threshold) + 1e-9


@pytest.mark.parametrize("threshold", [0.15, 0.25, 0.4])
def test_lazy_contraction_comes_close_to_the_greedy_objective_in_noise(threshold):
    losses = []
    for seed in range(5):
        x, _ = groups(400, 12, 1.5, seed, n_features=32)
        alone, greedy, lazy = (
            multicut_objective(x, labels, threshold)
            for labels in (range(400), dense_gaec(x, threshold), dense_laec(x, threshold))
        )
        losses.append((lazy - greedy) / (alone - greedy))
    assert max(losses) <= 0.1 and np.mean(losses) <= 0.05


def test_lazy_contraction_equals_greedy_where_clusters_are_well_apart():
    x, y = groups(1500, 40, 0.6, 2, n_features=64)
    labels = dense_laec(x)
    assert labels.tolist() == dense_gaec(x).tolist()
    assert adjusted_rand_score(y, labels) == 1.0


def test_lazy_contraction_corrects_costs_that_a_join_has_made_stale():
    x = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.6, 0.0, 0.8]])
    assert (x @ x.T)[0, 2] > 0.55 > (x @ x.T)[1, 2]
    assert dense_laec(x, 0.55).tolist() == [0, 0, 1]
    assert dense_laec(x, 0.5).tolist() == dense_gaec(x, 0.5).tolist()


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_the_estimator_contracts_as_it_is_told(metric):
    x, _ = groups(300, 10, 1.5, 0)
    labels = {
        name: DenseMulticut(0.2, metric, max_sweeps=0, contraction=name).fit_predict(x) for name in ("greedy", "lazy")
    }
    assert labels["greedy"].tolist() == dense_gaec(x, 0.2).tolist()
    assert labels["lazy"].tolist() == dense_laec(x, 0.2).tolist()
    assert labels["greedy"].tolist() != labels["lazy"].tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 5), st.floats(-1, 1), st.integers(0, 1000))
def test_objective_is_the_sum_over_cut_pairs(n_samples, n_clusters, threshold, seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(n_samples, 4)), rng.integers(n_clusters, size=n_samples)
    expected = objective_by_definition(x @ x.T - threshold, labels)
    assert multicut_objective(x, labels, threshold) == pytest.approx(expected, abs=1e-9)


def test_the_result_does_not_depend_on_the_order_of_rows():
    x, _ = groups(200, 10, 0.7, 1)
    shuffle = np.random.default_rng(0).permutation(len(x))
    shuffled = DenseMulticut(max_sweeps=0).fit_predict(x[shuffle])
    assert adjusted_rand_score(DenseMulticut(max_sweeps=0).fit_predict(x)[shuffle], shuffled) == 1.0


def test_greedy_with_local_search_finds_the_optimum_of_small_graphs():
    x = np.random.default_rng(3).normal(size=(6, 3))
    best = min(multicut_objective(x, labels, 0.3) for labels in product(range(5), repeat=6))
    found = min(multicut_objective(x, move_nodes(x, start, 0.3), 0.3) for start in (dense_gaec(x, 0.3), range(6)))
    assert found == pytest.approx(best)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 25), st.floats(-0.5, 0.9), st.integers(0, 1000))
def test_local_search_ends_where_no_single_move_helps(n_samples, threshold, seed):
    rng = np.random.default_rng(seed)
    x, start = rng.normal(size=(n_samples, 3)), rng.integers(4, size=n_samples)
    labels = move_nodes(x, start, threshold, max_sweeps=1000)
    reached = multicut_objective(x, labels, threshold)
    assert reached <= multicut_objective(x, start, threshold) + 1e-9
    for i, k in product(range(n_samples), range(labels.max() + 2)):
        moved = labels.copy()
        moved[i] = k
        assert multicut_objective(x, moved, threshold) >= reached - 1e-9


def test_planted_clusters_are_found_without_their_number():
    x, y = groups(1500, 40, 0.6, 2, n_features=64)
    model = DenseMulticut().fit(3.0 * x)
    assert adjusted_rand_score(y, model.labels_) == 1.0
    assert model.n_clusters_ == 40
    assert model.objective_ == pytest.approx(objective_by_definition(x[:1500] @ x.T - 0.5, y), rel=1e-9)


def test_features_that_move_together_from_an_association_matrix():
    rng = np.random.default_rng(0)
    columns = np.repeat(rng.normal(size=(300, 3)), 4, axis=1) * np.tile([1, -1], 6) + rng.normal(size=(300, 12))
    matrix = associate(columns, measure="pearson")
    expected = np.repeat(np.arange(3), 4).tolist()
    assert correlation_clustering(matrix, 0.4).tolist() == expected
    model = DenseMulticut(threshold=0.4, metric="precomputed").fit(matrix.strength)
    assert model.labels_.tolist() == expected
    assert model.objective_ == pytest.approx(objective_by_definition(matrix.strength - 0.4, model.labels_))


def test_rows_of_zeros_stand_alone_and_one_row_is_one_cluster():
    assert DenseMulticut().fit_predict([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).tolist() == [0, 1, 2, 1]
    assert dense_gaec([[1.0]]).tolist() == [0]
    assert correlation_clustering([[5.0]]).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dense_gaec(np.ones(3)), "shape is"),
        (lambda: dense_gaec([[np.nan]]), "finite"),
        (lambda: dense_gaec([[1.0]], threshold=np.nan), "threshold"),
        (lambda: correlation_clustering(np.eye(2), threshold=np.nan), "threshold"),
        (lambda: move_nodes(np.eye(2), [0, 1], threshold=np.nan), "threshold"),
        (lambda: multicut_objective(np.eye(2), [0, 1], threshold=np.inf), "threshold"),
        (lambda: dense_gaec([[1.0]], n_neighbors=0), "n_neighbors"),
        (lambda: dense_laec([[1.0]], n_neighbors=0), "n_neighbors"),
        (lambda: dense_laec([[np.inf]]), "finite"),
        (lambda: dense_laec([[1.0]], threshold=np.nan), "threshold"),
        (lambda: DenseMulticut(contraction="quick").fit(np.eye(3)), "contraction must be"),
        (lambda: DenseMulticut(metric="precomputed", contraction="lazy").fit(np.eye(3)), "needs features"),
        (lambda: multicut_objective(np.ones((3, 2)), [0, 1]), "labels"),
        (lambda: move_nodes(np.ones((3, 2)), [0, 1]), "labels"),
        (lambda: correlation_clustering(np.ones((2, 3))), "square"),
        (lambda: correlation_clustering([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (lambda: correlation_clustering(associate(np.eye(4), target="x0")), "every feature"),
        (lambda: DenseMulticut(metric="euclid").fit(np.ones((3, 2))), "metric"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
