"""Exact canonical analysis: definition, known values, states that merge, ranks that are told."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from covey.measure.cca import (
    CovarianceState,
    RankWarning,
    analysis_of_moments,
    canonical_analysis,
    generalised_eigenvectors,
)


def shared(n_rows=400, sizes=(5, 4), seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_rows, 2))
    return [common @ rng.normal(size=(2, d)) + rng.normal(size=(n_rows, d)) for d in sizes]


def correlations_by_definition(X, Y):
    """Cosines of the principal angles between the centred columns' spans."""
    angles = linalg.subspace_angles(X - X.mean(axis=0), Y - Y.mean(axis=0))
    return np.cos(angles)[::-1]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_correlations_are_cosines_of_principal_angles(p, q, seed):
    X, Y = shared(60, (p, q), seed)
    found = canonical_analysis([X, Y])
    assert found.correlations == pytest.approx(correlations_by_definition(X, Y), abs=1e-9)
    assert found.values == pytest.approx(found.correlations, abs=1e-9)


def test_scores_have_unit_variance_and_correlate_with_their_partner_only():
    X, Y = shared()
    found = canonical_analysis([X, Y])
    scores = np.hstack([X @ found.weights[0], Y @ found.weights[1]])
    expected = np.eye(8)
    expected[:4, 4:] = expected[4:, :4] = np.diag(found.correlations)
    assert np.cov(scores, rowvar=False) == pytest.approx(expected, abs=1e-9)


def test_partial_least_squares_is_the_svd_of_the_cross_covariance():
    X, Y = shared()
    found = canonical_analysis([X, Y], shrinkage=1.0, scale=False)
    cross = np.cov(X, Y, rowvar=False)[:5, 5:]
    assert found.values == pytest.approx(np.linalg.svd(cross, compute_uv=False))
    assert found.weights[0].T @ found.weights[0] == pytest.approx(np.eye(4), abs=1e-9)
    assert np.diag(found.weights[0].T @ cross @ found.weights[1]) == pytest.approx(found.values)


def test_shrinkage_solves_the_generalised_eigenproblem_of_its_definition():
    views = shared(sizes=(4, 3, 5))
    found = canonical_analysis(views, 2, shrinkage=0.3, scale=False)
    covariance = np.cov(np.hstack(views), rowvar=False)
    within = linalg.block_diag(covariance[:4, :4], covariance[4:7, 4:7], covariance[7:, 7:])
    values, vectors = linalg.eigh(covariance - within, 0.7 * within + 0.3 * np.eye(12))
    assert found.values == pytest.approx(values[::-1][:2])
    ours, theirs = np.vstack(found.weights), vectors[:, ::-1][:, :2]
    cosines = np.abs((ours * theirs).sum(axis=0)) / np.linalg.norm(ours, axis=0) / np.linalg.norm(theirs, axis=0)
    assert cosines == pytest.approx(1.0)


def test_three_equal_views_of_noise_correlate_fully_and_say_so():
    X = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.warns(RankWarning, match="3 canonical correlations are 1"):
        found = canonical_analysis([X, X, X])
    assert found.correlations == pytest.approx(1.0)
    assert found.values == pytest.approx(2.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_units_shifts_and_mixtures_of_columns_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    X, Y = shared(seed=seed)
    base = canonical_analysis([X, Y]).correlations
    mixed = X @ rng.normal(size=(5, 5)) * 10.0 ** rng.uniform(-3, 3, 5) + 1e9 * 10.0 ** rng.uniform(-3, 0, 5)
    assert canonical_analysis([X * 1e4 + 1e9, Y]).correlations == pytest.approx(base, abs=1e-7)
    assert canonical_analysis([mixed - 1e6, Y]).correlations == pytest.approx(base, abs=1e-2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(0, 1000))
def test_merged_states_are_the_state_of_all_rows(cuts, seed):
    x = np.random.default_rng(seed).normal(size=(32, 3)) + 1e9
    edges = np.unique([0, *cuts, len(x)])
    merged = CovarianceState(3)
    for a, b in pairwise(edges):
        merged.merge(CovarianceState(3).update(x[a:b]))
    merged.merge(CovarianceState(3))
    assert merged.n == 32
    assert merged.result() == pytest.approx(np.cov(x, rowvar=False), rel=1e-6, abs=1e-6)


def test_moments_give_what_the_views_give():
    views = shared()
    state = CovarianceState(9)
    for start in range(0, 400, 100):
        state.update(np.hstack([view[start : start + 100] for view in views]))
    assert analysis_of_moments(state, [5, 4]).correlations == pytest.approx(canonical_analysis(views).correlations)


def test_dependent_and_constant_columns_are_told_with_the_kept_rank():
    X, Y = shared()
    wide = np.column_stack([X, X[:, 0] - X[:, 1], np.full(len(X), 7.0)])
    with pytest.warns(RankWarning, match="view 0: 7 columns of 400 rows have rank 5; 5 directions are kept"):
        found = canonical_analysis([wide, Y])
    assert found.ranks == (5, 4)
    assert found.correlations == pytest.approx(canonical_analysis([X, Y]).correlations)
    assert not found.weights[0][6].any()


def test_too_few_rows_never_report_a_correlation_of_1_in_silence():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(10, 8)), rng.normal(size=(10, 6))
    with pytest.warns(RankWarning, match="5 canonical correlations are 1 whatever the data; set shrinkage"):
        found = canonical_analysis([X, Y])
    assert int((found.correlations > 1 - 1e-9).sum()) == 5
    with pytest.warns(RankWarning, match="30 columns of 10 rows have rank 9"):
        canonical_analysis([rng.normal(size=(10, 30)), Y])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert canonical_analysis([X, Y], shrinkage=0.5).correlations.max() < 1 - 1e-6


def test_a_column_in_both_views_is_told():
    X, Y = shared()
    with pytest.warns(RankWarning, match="1 canonical correlations are 1: the views share"):
        canonical_analysis([X, np.column_stack([Y, X[:, 2]])])


def test_bad_input_is_named():
    X, Y = shared()
    with pytest.raises(ValueError, match="at least two views"):
        canonical_analysis([X])
    with pytest.raises(ValueError, match="same rows; they have 400, 399"):
        canonical_analysis([X, Y[1:]])
    with pytest.raises(ValueError, match="view 1 must be a matrix"):
        canonical_analysis([X, Y[:, 0]])
    holed = Y.copy()
    holed[3, 2] = np.nan
    with pytest.raises(ValueError, match="view 1 contains NaN in column 2; impute"):
        canonical_analysis([X, holed])
    with pytest.raises(ValueError, match=r"n_components=5 must lie in 1\.\.4: view 1"):
        canonical_analysis([X, Y], 5)
    with pytest.raises(ValueError, match="shrinkage must lie in 0"):
        canonical_analysis([X, Y], shrinkage=1.5)
    with pytest.raises(ValueError, match="view 1 is constant"):
        canonical_analysis([X, np.ones((400, 2))])
    with pytest.raises(ValueError, match="at least 2 rows"):
        canonical_analysis([X[:1], Y[:1]])


def test_directions_without_length_are_left_out():
    covariance = np.eye(4)
    covariance[0, 2] = covariance[2, 0] = 0.5
    found = generalised_eigenvectors(covariance, [np.diag([1.0, 0.0]), np.eye(2)])
    assert found.ranks == (1, 2)
    assert found.values == pytest.approx([0.5])
