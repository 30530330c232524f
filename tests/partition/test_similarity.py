"""Similarities of parties: definitions, invariances, and what they say where Pcor says nothing."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.cross_decomposition import CCA

from covey.partition._partition import Partition
from covey.partition.evaluators import party_correlation
from covey.partition.similarity import (
    SIMILARITIES,
    canonical_correlations,
    linear_cka,
    mean_absolute_correlation,
    mean_squared_canonical_correlation,
    party_similarity,
    rv_coefficient,
)
from covey.table import Column, FeatureTable

SCORES = (
    rv_coefficient,
    linear_cka,
    lambda X, Y: linear_cka(X, Y, debiased=True),
    mean_squared_canonical_correlation,
    lambda X, Y: mean_squared_canonical_correlation(X, Y, adjusted=True),
)


def blocks(n: int, left: int, right: int, seed: int = 0, shared: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    return (
        shared * z @ rng.normal(size=(2, left)) + rng.normal(size=(n, left)),
        shared * z @ rng.normal(size=(2, right)) + rng.normal(size=(n, right)),
    )


def gram(X: np.ndarray) -> np.ndarray:
    return X @ X.T


def unbiased_hsic(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. (2012), equation 4."""
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    terms = (
        np.trace(K @ L) + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2)) - 2 * (one @ K @ L @ one) / (n - 2)
    )
    return float(terms / (n * (n - 3)))


@settings(max_examples=15, deadline=None)
@given(st.integers(6, 30), st.integers(1, 5), st.integers(1, 5), st.integers(0, 100))
def test_rv_agrees_with_its_definition(n, left, right, seed):
    X, Y = blocks(n, left, right, seed)
    S = np.cov(np.hstack([X, Y]).T)
    xy, xx, yy = S[:left, left:], S[:left, :left], S[left:, left:]
    expected = np.trace(xy @ xy.T) / np.sqrt(np.trace(xx @ xx) * np.trace(yy @ yy))
    assert rv_coefficient(X, Y) == pytest.approx(expected, rel=1e-10)
    assert linear_cka(X, Y) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(8, 30), st.integers(1, 5), st.integers(1, 5), st.integers(0, 100))
def test_debiased_cka_agrees_with_the_unbiased_criterion_of_the_gram_matrices(n, left, right, seed):
    X, Y = blocks(n, left, right, seed)
    own, other = unbiased_hsic(gram(X), gram(X)), unbiased_hsic(gram(Y), gram(Y))
    expected = unbiased_hsic(gram(X), gram(Y)) / np.sqrt(own * other)
    assert linear_cka(X + 7, Y - 3, debiased=True) == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_canonical_correlations_agree_with_the_eigenvalues_that_define_them():
    X, Y = blocks(60, 4, 3)
    S = np.cov(np.hstack([X, Y]).T)
    product = np.linalg.solve(S[4:, 4:], S[4:, :4]) @ np.linalg.solve(S[:4, :4], S[:4, 4:])
    expected = np.sqrt(np.sort(np.linalg.eigvals(product).real)[::-1])
    assert canonical_correlations(X, Y) == pytest.approx(expected)
    assert mean_squared_canonical_correlation(X, Y) == pytest.approx(np.mean(expected**2))


def test_first_canonical_correlation_agrees_with_scikit_learn():
    X, Y = blocks(200, 4, 3)
    left, right = CCA(1, max_iter=5000, tol=1e-12).fit_transform(X, Y)
    assert canonical_correlations(X, Y)[0] == pytest.approx(np.corrcoef(left[:, 0], right[:, 0])[0, 1], abs=1e-6)


def test_one_column_on_each_side_gives_the_squared_correlation():
    x, y = blocks(40, 1, 1, seed=3)
    r2 = np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2
    assert rv_coefficient(x, y) == pytest.approx(r2)
    assert mean_squared_canonical_correlation(x, y) == pytest.approx(r2)
    assert mean_squared_canonical_correlation(x, y, adjusted=True) == pytest.approx(1 - (1 - r2) * 39 / 38)
    assert mean_absolute_correlation(x, y) == pytest.approx(np.sqrt(r2))


@pytest.mark.parametrize("score", SCORES)
def test_scores_do_not_depend_on_rotation_shift_scale_or_order_of_rows(score):
    X, Y = blocks(50, 4, 3)
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)))
    order = np.random.default_rng(6).permutation(50)
    expected = score(X, Y)
    assert 0.02 < expected < 0.98
    assert score(1e5 * (X @ rotation)[order] - 40.0, 1e-6 * Y[order]) == pytest.approx(expected, rel=1e-9)
    assert score(Y, X) == pytest.approx(expected, rel=1e-12)


def test_only_canonical_correlations_ignore_any_invertible_map():
    X, Y = blocks(50, 4, 3)
    mixed = X @ (np.diag([1.0, 10.0, 0.1, 3.0]) + 0.2)
    expected = mean_squared_canonical_correlation(X, Y)
    assert mean_squared_canonical_correlation(mixed, Y) == pytest.approx(expected, rel=1e-9)
    assert abs(rv_coefficient(mixed, Y) - rv_coefficient(X, Y)) > 0.01


def test_units_do_not_matter_to_standardised_columns():
    X, Y = blocks(50, 4, 3)
    units = np.array([1.0, 1e4, 1e-4, 50.0])
    for debiased in (False, True):
        expected = linear_cka(X, Y, debiased=debiased, standardize=True)
        assert linear_cka(X * units, Y, debiased=debiased, standardize=True) == pytest.approx(expected, rel=1e-9)
        assert abs(linear_cka(X * units, Y, debiased=debiased) - expected) > 0.01


@pytest.mark.parametrize("score", SCORES)
def test_a_large_mean_costs_no_precision(score):
    X, Y = (np.round(block * 1024) / 1024 for block in blocks(80, 3, 3))  # exact after the shift
    assert score(X + 2.0**30, Y) == pytest.approx(score(X, Y), rel=1e-9)


def test_identical_parties_of_independent_features_are_wholly_shared_where_pcor_sees_nothing():
    X = np.random.default_rng(0).normal(size=(5000, 10))
    copies = [X, X.copy()]
    assert party_correlation(copies)[0, 1] < 0.02
    for score in SCORES:
        assert score(*copies) == pytest.approx(1.0, abs=1e-12)
    for measure in SIMILARITIES:
        assert party_similarity(copies, measure=measure).values == pytest.approx(np.ones((2, 2)), abs=1e-12)


def test_parties_of_one_feature_are_seen_where_pcor_is_zero_by_definition():
    x = np.random.default_rng(0).normal(size=(300, 1))
    parties = [x, x + 0.5 * np.random.default_rng(1).normal(size=(300, 1))]
    assert party_correlation(parties).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    for measure in SIMILARITIES:
        assert 0.6 < party_similarity(parties, measure=measure).values[0, 1] < 0.9


def test_debiased_scores_of_independent_blocks_are_zero_on_average_with_few_rows():
    plain, debiased = [], []
    for seed in range(200):
        X, Y = blocks(40, 15, 10, seed, shared=0.0)
        plain.append([rv_coefficient(X, Y), mean_squared_canonical_correlation(X, Y)])
        debiased.append([linear_cka(X, Y, debiased=True), mean_squared_canonical_correlation(X, Y, adjusted=True)])
    assert np.mean(plain, axis=0).min() > 0.2
    error = np.std(debiased, axis=0) / np.sqrt(200)
    assert (np.abs(np.mean(debiased, axis=0)) < 3 * error).all()
    assert np.mean([p[1] for p in plain]) == pytest.approx(15 / 39, abs=0.01)


def test_canonical_correlations_leave_out_what_is_constant_copied_or_linearly_dependent():
    X, Y = blocks(60, 3, 4)
    redundant = np.hstack([X, X[:, :1] + X[:, 1:2], 5 * X[:, 2:], np.full((60, 1), 0.1)])
    assert canonical_correlations(redundant, Y) == pytest.approx(canonical_correlations(X, Y))
    assert len(canonical_correlations(np.ones((60, 2)), Y)) == 0


def test_canonical_correlations_that_rows_cannot_determine_are_undefined():
    X, Y = blocks(10, 9, 2)
    assert canonical_correlations(X, Y) == pytest.approx([1.0, 1.0])
    assert np.isnan(mean_squared_canonical_correlation(X, Y))
    assert np.isfinite(mean_squared_canonical_correlation(X[:, :8], Y))
    found = party_similarity([X, Y], measure="canonical_correlation")
    assert np.isnan(found.values[0, 1]) and "too few rows" in found.reasons[0, 1]
    assert found.reasons[1, 1] == "" and found.values[1, 1] == pytest.approx(1.0)


def test_undefined_similarities_say_why():
    X, Y = blocks(30, 2, 2)
    parties = [X, np.ones((30, 2)), np.empty((30, 0)), Y]
    for measure in SIMILARITIES:
        found = party_similarity(parties, measure=measure)
        assert np.isnan(found.values[:, 1:3]).all() and not np.isnan(found.values[np.ix_([0, 3], [0, 3])]).any()
        assert "constant" in found.reasons[0, 1] and "no feature" in found.reasons[3, 2]
    few = party_similarity([X[:3], Y[:3]], measure="cka")
    assert np.isnan(few.values).all() and "too few rows" in few.reasons[0, 1]


@pytest.mark.parametrize("score", [*SCORES, mean_absolute_correlation])
def test_constant_blocks_are_undefined_without_a_warning(score):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(score(np.full((20, 2), 0.1), blocks(20, 2, 3)[1]))
        assert np.isnan(score(np.full((1, 2), 0.1), np.ones((1, 3))))


def test_mean_absolute_correlation_takes_any_measure_and_skips_missing_pairs():
    X, Y = blocks(50, 2, 3)
    X[4, 0] = np.nan
    there = ~np.isnan(X[:, 0])
    expected = [
        abs(stats.spearmanr(X[rows, i], Y[rows, j])[0])
        for i, rows in ((0, there), (1, np.ones(50, dtype=bool)))
        for j in range(3)
    ]
    assert mean_absolute_correlation(X, Y, correlation="spearman_pairwise") == pytest.approx(np.mean(expected))


def test_party_matrix_is_that_of_the_standardised_blocks():
    X, Y = blocks(50, 4, 3)
    table, partition = np.hstack([X * [1, 9, 0.1, 4], Y]), Partition.from_labels([0] * 4 + [1] * 3)
    assert party_similarity(table, partition, "rv").values[0, 1] == pytest.approx(
        rv_coefficient(X, Y, standardize=True)
    )
    assert party_similarity(table, partition, "cka").values[0, 1] == pytest.approx(
        linear_cka(X, Y, debiased=True, standardize=True)
    )
    found = party_similarity(table, partition, "canonical_correlation")
    assert found.values[0, 1] == pytest.approx(mean_squared_canonical_correlation(X, Y, adjusted=True))
    assert found.between == found.values[0, 1]


def test_party_matrix_sees_categories():
    codes = np.random.default_rng(0).integers(3, size=300).astype(np.int32)
    table = FeatureTable.from_columns(
        [
            Column("colour", "categorical", codes, ("red", "green", "blue")),
            Column("hue", "numeric", np.array([5.0, 1.0, 9.0])[codes]),
            Column("noise", "numeric", np.random.default_rng(1).normal(size=300)),
        ]
    )
    partition = Partition.from_mapping({"a": ["colour"], "b": ["hue"], "c": ["noise"]}, table.names)
    values = party_similarity(table, partition, "canonical_correlation").values
    assert values[0, 1] == pytest.approx(1.0) and abs(values[0, 2]) < 0.05


def test_bad_blocks_are_refused():
    X, Y = blocks(20, 2, 2)
    with pytest.raises(ValueError, match="20 rows and Y has 19"):
        rv_coefficient(X, Y[1:])
    Y[3, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 of Y has missing values"):
        linear_cka(X, Y)
    with pytest.raises(ValueError, match="column 0 holds an infinity"):
        canonical_correlations(np.full((20, 1), np.inf), X)
    with pytest.raises(ValueError, match="table of at least one row"):
        rv_coefficient(X[:, 0], X)
    with pytest.raises(ValueError, match="no similarity 'cosine'"):
        party_similarity([X, X], measure="cosine")
    with pytest.raises(TypeError, match="give a partition"):
        party_similarity(X)
