"""Similarity by many tests: against its definition, on planted noise, for rows that were not in the fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics.cluster import pair_confusion_matrix
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure import associate
from covey.structure import MultiTestSimilarity, bcubed, multi_test_similarity, pairwise_f
from covey.structure.similarity import BLOCK


@parametrize_with_checks([MultiTestSimilarity(n_neighbors=5)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_definition(similarity: np.ndarray, k: int, order: int) -> np.ndarray:
    rank = np.argsort(np.argsort(-similarity, axis=1), axis=1)
    kept = np.where(rank <= k, similarity, 0.0)
    result = kept
    for _ in range(order - 1):
        agreement = unit(result) @ unit(result).T
        result = kept * agreement * np.where((kept < 0) & (agreement < 0), -1.0, 1.0)
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 25), st.integers(1, 30), st.integers(1, 4), st.integers(0, 1000))
def test_agrees_with_its_definition(n, k, order, seed):
    x = unit(np.random.default_rng(seed).normal(size=(n, 6)))
    expected = by_definition(x @ x.T, k, order)
    assert multi_test_similarity(x @ x.T, k, order).toarray() == pytest.approx(expected, abs=1e-12)
    found = MultiTestSimilarity(k, order).fit_transform(x)
    assert found.toarray() == pytest.approx(expected, abs=1e-12)
    assert found.nnz == n * min(k + 1, n)


def test_blocks_of_rows_do_not_change_the_result():
    x = np.random.default_rng(0).normal(size=(BLOCK + 60, 5))
    found = MultiTestSimilarity(10, 3).fit_transform(x).toarray()
    assert found == pytest.approx(by_definition(unit(x) @ unit(x).T, 10, 3), abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_rows_of_the_fit_transform_to_their_own_graph(order):
    x = np.random.default_rng(1).normal(size=(40, 4))
    model = MultiTestSimilarity(7, order).fit(x)
    assert model.transform(x[10:13]).toarray() == pytest.approx(model.graphs_[-1][10:13].toarray(), abs=1e-12)
    given = MultiTestSimilarity(7, order, metric="precomputed").fit(unit(x) @ unit(x).T)
    new = np.random.default_rng(2).normal(size=(3, 4))
    expected = model.transform(new).toarray()
    assert given.transform(unit(new) @ unit(x).T).toarray() == pytest.approx(expected, abs=1e-12)


def test_edges_within_classes_stand_out_more_than_by_similarity():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(5), 60)
    x = rng.normal(size=(5, 30))[y] + 2.0 * rng.normal(size=(300, 30))
    auc = []
    for order in (1, 2):
        graph = MultiTestSimilarity(40, order).fit_transform(x).tocoo()
        off = graph.row != graph.col
        auc.append(roc_auc_score((y[graph.row] == y[graph.col])[off], graph.data[off]))
    assert auc[1] > auc[0] + 0.1


def test_association_of_features():
    x = np.random.default_rng(0).normal(size=(50, 6))
    matrix = associate(x, measure="pearson")
    found = multi_test_similarity(matrix, 3).toarray()
    assert found == pytest.approx(by_definition(np.abs(np.corrcoef(x.T)), 3, 2))


def test_opposite_rows_do_not_become_alike():
    x = np.outer([1, 1, 1, -1, -1, -1], [1.0, 0.2, 0.3]) + 0.01 * np.random.default_rng(0).normal(size=(6, 3))
    graph = MultiTestSimilarity().fit_transform(x).toarray()
    assert graph[:3, :3].min() > 0.99
    assert graph[:3, 3:].max() < -0.99


def test_a_row_of_zeros_is_similar_to_nothing():
    graph = MultiTestSimilarity(2).fit_transform([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1]]).toarray()
    assert (graph[0] == 0.0).all()
    assert graph[1, 2] > 0.9


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(0, 1000))
def test_bcubed_agrees_with_its_definition(n, seed):
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(3, size=n), rng.integers(4, size=n)
    same_class, same_cluster = truth[:, None] == truth, found[:, None] == found
    both = (same_class & same_cluster).sum(axis=1)
    precision, recall, f = bcubed(truth, found)
    assert precision == pytest.approx(np.mean(both / same_cluster.sum(axis=1)))
    assert recall == pytest.approx(np.mean(both / same_class.sum(axis=1)))
    assert f == pytest.approx(2 / (1 / precision + 1 / recall))


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 30), st.integers(0, 1000))
def test_pairwise_f_agrees_with_counts_of_pairs(n, seed):
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(3, size=n), rng.integers(4, size=n)
    (_, wrong), (missed, right) = pair_confusion_matrix(truth, found)
    expected = right / (right + wrong), right / (right + missed), 2 * right / (2 * right + wrong + missed)
    assert pairwise_f(truth, found) == pytest.approx(expected)
    names = np.array(["d", "a", "c", "b"])[found]
    assert pairwise_f(truth, names) == pairwise_f(truth, found)
    assert pairwise_f(found, truth) == pytest.approx((expected[1], expected[0], expected[2]))


def test_pairwise_f_weighs_large_clusters_more_than_bcubed_does():
    truth = np.repeat([0, 1, 2, 3], [50, 50, 5, 5])
    large_wrong, small_wrong = (np.where(np.isin(truth, pair), 9, truth) for pair in ((0, 1), (2, 3)))
    assert pairwise_f(truth, large_wrong)[2] < bcubed(truth, large_wrong)[2]
    assert pairwise_f(truth, small_wrong)[2] > bcubed(truth, small_wrong)[2]


def test_pairwise_f_is_undefined_without_pairs():
    nan = pytest.approx(np.nan, nan_ok=True)
    assert pairwise_f([0, 0, 1], [0, 1, 2]) == (nan, 0.0, 0.0)
    assert pairwise_f([0, 1, 2], [0, 0, 1]) == (0.0, nan, 0.0)
    assert pairwise_f([0, 1, 2], [2, 1, 0]) == (nan, nan, nan)
    assert pairwise_f([0, 0, 1], [5, 5, 3]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: multi_test_similarity(np.ones((2, 3))), "square"),
        (lambda: multi_test_similarity([[1.0, 0.2], [0.3, 1.0]]), "symmetric"),
        (lambda: multi_test_similarity([[1.0, np.nan], [np.nan, 1.0]]), "finite"),
        (lambda: multi_test_similarity(np.eye(3), n_neighbors=0), "n_neighbors"),
        (lambda: multi_test_similarity(associate(np.eye(4), target="x0")), "every feature"),
        (lambda: MultiTestSimilarity(order=0).fit(np.eye(3)), "order"),
        (lambda: MultiTestSimilarity(metric="euclid").fit(np.eye(3)), "metric"),
        (lambda: bcubed([0, 1], [0]), "one length"),
        (lambda: bcubed([], []), "one length"),
        (lambda: pairwise_f([0, 1], [0]), "one length"),
        (lambda: pairwise_f([], []), "one length"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
