"""Latent factors by clique search: cliques against networkx, the model against its definition."""

from itertools import combinations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.structure import CorrelationThresholdFactor, independent_maximal_cliques
from covey.structure.factors import confirmatory_factor_analysis, structure_path


@parametrize_with_checks([CorrelationThresholdFactor()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def random_graph(n_vertices: int, density: float, seed: int) -> np.ndarray:
    edges = np.triu(np.random.default_rng(seed).random((n_vertices, n_vertices)) < density, 1)
    return edges | edges.T


def cliques_by_definition(adjacency: np.ndarray) -> set[frozenset[int]]:
    cliques = [frozenset(c) for c in networkx.find_cliques(networkx.from_numpy_array(adjacency))]
    return {c for c in cliques if any(sum(v in other for other in cliques) == 1 for v in c)}


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(column).tolist()) for column in labels.T}


def factor_data(n_samples=1000, correlation=0.0, seed=0):
    """Three factors with five variables of their own each, and one variable that two of them share."""
    rng = np.random.default_rng(seed)
    loadings = np.zeros((16, 3))
    for k in range(3):
        loadings[5 * k : 5 * k + 5, k] = rng.uniform(0.6, 0.9, 5)
    loadings[15, :2] = 0.7
    factors = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    unique = np.where(np.arange(16) < 15, 1 - (loadings**2).sum(axis=1), 0.3)
    scores = rng.multivariate_normal(np.zeros(3), factors, n_samples)
    return scores @ loadings.T + rng.normal(size=(n_samples, 16)) * np.sqrt(unique), loadings, scores


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 14), st.floats(0, 1), st.integers(0, 10_000))
def test_cliques_agree_with_enumeration(n_vertices, density, seed):
    adjacency = random_graph(n_vertices, density, seed)
    labels = independent_maximal_cliques(adjacency)
    assert as_sets(labels) == cliques_by_definition(adjacency)
    assert labels.shape[1] == len(as_sets(labels))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 80), st.integers(0, 1000))
def test_cliques_do_not_depend_on_the_order_of_vertices(n_vertices, seed):
    adjacency = random_graph(n_vertices, 0.3, seed)
    shuffle = np.random.default_rng(seed).permutation(n_vertices)
    shuffled = independent_maximal_cliques(adjacency[np.ix_(shuffle, shuffle)])
    back = {frozenset(shuffle[list(c)].tolist()) for c in as_sets(shuffled)}
    assert back == as_sets(independent_maximal_cliques(adjacency))


def test_cliques_of_more_vertices_than_a_word_has_bits():
    members = [range(70), range(60, 130), range(130, 200)]
    adjacency = np.zeros((201, 201), dtype=bool)
    for group in members:
        for i, j in combinations(group, 2):
            adjacency[i, j] = adjacency[j, i] = True
    assert as_sets(independent_maximal_cliques(adjacency)) == {frozenset(m) for m in members} | {frozenset([200])}


def test_a_cycle_has_no_independent_clique_of_more_than_an_edge():
    ring = networkx.to_numpy_array(networkx.cycle_graph(5)).astype(bool)
    assert independent_maximal_cliques(ring).shape == (5, 0)


def test_exact_correlation_gives_back_the_model():
    rng = np.random.default_rng(0)
    pattern = np.repeat(np.eye(2, dtype=bool), 4, axis=0)
    pattern[7, 0] = True
    loadings = np.where(pattern, rng.uniform(0.4, 0.6, pattern.shape), 0)
    factors = np.array([[1.0, 0.3], [0.3, 1.0]])
    correlation = loadings @ factors @ loadings.T
    np.fill_diagonal(correlation, 1.0)
    model = confirmatory_factor_analysis(correlation, pattern, 100, max_iter=20_000, tol=1e-14)
    assert model.loadings == pytest.approx(loadings, abs=1e-4)
    assert model.factor_correlation == pytest.approx(factors, abs=1e-4)
    assert model.n_parameters == 9 + 1 + 8


def test_likelihood_is_that_of_the_normal_distribution_and_rises():
    x, loadings, _ = factor_data(n_samples=300, correlation=0.2)
    correlation = np.corrcoef(x, rowvar=False)
    fits = [confirmatory_factor_analysis(correlation, loadings > 0, 300, max_iter=m, tol=0) for m in range(1, 15)]
    values = [model.log_likelihood for model in fits]
    assert np.all(np.diff(values) > 0)
    # a fit of m steps reports the likelihood before its last update
    previous, model = fits[-2], fits[-1]
    implied = previous.loadings @ previous.factor_correlation @ previous.loadings.T + np.diag(previous.uniquenesses)
    expected = -150 * (np.linalg.slogdet(implied)[1] + np.trace(np.linalg.solve(implied, correlation)))
    assert model.log_likelihood == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.25])
def test_planted_factors_are_found(correlation):
    x, loadings, _ = factor_data(correlation=correlation)
    model = CorrelationThresholdFactor().fit(x)
    assert as_sets(model.labels_) == as_sets(loadings > 0)
    scale = x.std(axis=0)[:, None]
    assert np.abs(model.loadings_).sum(axis=1) == pytest.approx((loadings / scale).sum(axis=1), abs=0.12)
    assert model.factor_correlation_[0, 1] == pytest.approx(correlation, abs=0.12)
    assert np.nanmin(model.threshold_path_["bic"]) == pytest.approx(
        model.threshold_path_["bic"][model.threshold_path_["threshold"] == model.threshold_][0]
    )


def test_scores_follow_the_factors_and_are_regression_scores():
    x, _, scores = factor_data(correlation=0.2)
    model = CorrelationThresholdFactor().fit(x)
    found = model.transform(x)
    assert all(np.corrcoef(found[:, k], scores[:, k])[0, 1] > 0.9 for k in range(3))
    implied = model.loadings_ @ model.factor_correlation_ @ model.loadings_.T + np.diag(model.noise_variance_)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = z @ np.linalg.solve(implied, model.loadings_ @ model.factor_correlation_)
    assert found == pytest.approx(expected)
    assert list(model.get_feature_names_out()) == [f"correlationthresholdfactor{k}" for k in range(3)]


def test_units_and_signs_of_columns_do_not_matter():
    x, loadings, _ = factor_data()
    scale = np.random.default_rng(1).uniform(0.01, 100, 16) * np.where(np.arange(16) % 3, 1, -1)
    model = CorrelationThresholdFactor().fit(x * scale + 1e6)
    assert as_sets(model.labels_) == as_sets(loadings > 0)


def test_a_constant_column_loads_on_nothing():
    x, loadings, _ = factor_data()
    model = CorrelationThresholdFactor().fit(np.column_stack([x, np.full(len(x), 7.0)]))
    assert as_sets(model.labels_) == as_sets(loadings > 0)
    assert not model.loadings_[16].any()


def test_one_threshold_and_small_cliques():
    strength = np.zeros((5, 5))
    strength[0, 1] = strength[1, 0] = 0.8
    strength[2:, 2:] = 0.4 * (1 - np.eye(3))
    structures, which = structure_path(strength, np.array([0.0, 0.2, 0.6]), min_features=2)
    assert [s.shape[1] for s in structures] == [1, 2, 1]
    assert which.tolist() == [0, 1, 2]
    assert structure_path(strength, np.array([0.2, 0.6]), min_features=3)[1].tolist() == [0, -1]


def test_bad_input_is_named():
    x, *_ = factor_data(n_samples=50)
    with pytest.raises(ValueError, match="threshold must lie in 0"):
        CorrelationThresholdFactor(threshold=1.5).fit(x)
    with pytest.raises(ValueError, match="lower it"):
        CorrelationThresholdFactor(threshold=0.99).fit(x)
    with pytest.raises(ValueError, match="symmetric"):
        independent_maximal_cliques(np.triu(np.ones((3, 3))))
