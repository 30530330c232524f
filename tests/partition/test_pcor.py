"""Pcor and Icor against their definition, known values, and the bounds that no split passes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from covey.measure import associate
from covey.partition._pcor import icor, icor_envelope, inner_pcor, is_semidefinite, pcor, pcor_after, pcor_matrix


def correlations(m: int, seed: int = 0, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.corrcoef(rng.normal(size=(n, m)) @ rng.normal(size=(m, m)), rowvar=False)


def indefinite(m: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(-1, 1, size=(m, m))
    x = (x + x.T) / 2
    np.fill_diagonal(x, 1.0)
    return x


def by_definition(block: np.ndarray) -> float:
    s = np.linalg.svd(block)[1]
    return 0.0 if len(s) < 2 else np.std(s, ddof=1) / np.sqrt(len(s))


def cut(m: int, *places: int) -> list[np.ndarray]:
    return np.split(np.arange(m), places)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 1000))
def test_pcor_is_the_spread_of_singular_values(rows, columns, seed):
    block = np.random.default_rng(seed).uniform(-1, 1, size=(rows, columns))
    assert pcor(block) == pytest.approx(by_definition(block), abs=1e-12)
    assert pcor(block.T) == pytest.approx(pcor(block), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_closed_form_within_a_party_equals_the_definition(d, seed):
    block = correlations(max(d, 2), seed)[:d, :d]
    assert inner_pcor(block) == pytest.approx(by_definition(block), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_indefinite_block_takes_its_eigenvalues(seed):
    block = indefinite(9, seed)
    assert not is_semidefinite(block)
    assert inner_pcor(block) == pytest.approx(by_definition(block), abs=1e-12)
    off_diagonal_root_mean_square = np.sqrt((block**2 - np.eye(9)).sum() / 72)
    assert abs(inner_pcor(block) - off_diagonal_root_mean_square) > 1e-3


def test_singular_block_counts_as_semidefinite():
    copies = correlations(5).repeat(3, axis=0).repeat(3, axis=1)
    assert is_semidefinite(copies)
    assert inner_pcor(copies) == pytest.approx(by_definition(copies), abs=1e-12)


def test_constant_feature_has_zero_diagonal():
    block = correlations(5)
    block[2] = block[:, 2] = 0.0
    assert inner_pcor(block) == pytest.approx(by_definition(block), abs=1e-12)


def test_known_values():
    assert pcor(np.full((3, 3), 0.4)) == pytest.approx(0.4)
    assert pcor(np.eye(4)) == pytest.approx(0.0, abs=1e-15)
    assert inner_pcor(np.eye(4)) == 0.0
    assert inner_pcor(np.ones((4, 4))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "parties, expected",
    [
        (cut(30, 10, 20), -0.11040234606927578),
        (cut(30, 3, 4), 0.028830337582323368),
        (cut(30, 1, 17), -0.159106741550571),
    ],
)
def test_breast_cancer_in_blocks_has_the_published_icor(parties, expected):
    """Values of the authors' package, exact singular values; unequal parties and parties of one feature included."""
    spearman = associate(load_breast_cancer().data, measure="spearman", pvalues=False).values
    assert icor(pcor_matrix(spearman, parties)) == pytest.approx(expected, abs=1e-10)


def test_matrix_holds_every_pair():
    correlation, parties = correlations(9), cut(9, 1, 5)
    matrix = pcor_matrix(correlation, parties)
    expected = [[by_definition(correlation[np.ix_(a, b)]) for b in parties] for a in parties]
    assert matrix == pytest.approx(np.array(expected), abs=1e-12)
    assert (matrix == matrix.T).all()
    off = matrix.sum(axis=0) - np.diag(matrix)
    assert icor(matrix) == pytest.approx(np.mean(off / 2 - np.diag(matrix)))


def test_order_of_features_and_of_parties_does_not_matter():
    correlation, parties = correlations(12), cut(12, 3, 7)
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(part) for part in reversed(parties)]
    assert icor(pcor_matrix(correlation, shuffled)) == pytest.approx(icor(pcor_matrix(correlation, parties)))


def test_parties_may_share_features_or_have_none():
    correlation = correlations(6)
    matrix = pcor_matrix(correlation, [np.arange(4), np.arange(4), np.array([], dtype=int), np.array([5])])
    assert matrix[0, 1] == pytest.approx(matrix[0, 0])
    assert (matrix[2:] == 0.0).all()


def test_one_party_has_no_icor():
    assert np.isnan(icor(pcor_matrix(correlations(3), [np.arange(3)])))


def test_update_computes_what_changed_and_only_that():
    correlation, before, after = correlations(12), cut(12, 4, 8), cut(12, 4, 8)
    after[0], after[1] = np.array([0, 1, 2, 7]), np.array([4, 5, 6, 3])
    known = pcor_matrix(correlation, before)
    known[2, 2] = 7.0
    updated = pcor_after(correlation, after, known, [0, 1])
    expected = pcor_matrix(correlation, after)
    expected[2, 2] = 7.0
    assert updated == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 9), st.integers(0, 1000), st.sampled_from(["definite", "few rows", "constant", "indefinite"]))
def test_no_split_leaves_the_envelope(m, seed, kind):
    rng = np.random.default_rng(seed)
    correlation = (
        indefinite(m, seed) if kind == "indefinite" else correlations(m, seed, n=5 if kind == "few rows" else 40)
    )
    if kind == "constant":
        correlation[0] = correlation[:, 0] = 0.0
    places = np.sort(rng.choice(np.arange(1, m), size=int(rng.integers(1, 3)), replace=False))
    sizes = np.diff([0, *places, m]).tolist()
    lowest, highest = icor_envelope(correlation, sizes)
    for _ in range(20):
        value = icor(pcor_matrix(correlation, np.split(rng.permutation(m), places)))
        assert lowest - 1e-12 <= value <= highest + 1e-12


def test_envelope_is_reached_where_features_are_copies_of_one():
    """Two blocks of copies: apart, Icor is -1 and no split can have less."""
    correlation = np.kron(np.eye(2), np.ones((4, 4)))
    lowest, _ = icor_envelope(correlation, [4, 4])
    assert lowest == pytest.approx(-1.0)
    assert icor(pcor_matrix(correlation, cut(8, 4))) == pytest.approx(lowest)


def test_parties_of_one_feature_have_an_envelope_of_nothing():
    assert icor_envelope(correlations(3), [1, 1, 1]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "correlation, words",
    [
        (np.zeros((2, 3)), "square"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "NaN"),
        (np.array([[1.0, 0.2], [0.4, 1.0]]), "symmetric"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused(correlation, words):
    with pytest.raises(ValueError, match=words):
        pcor_matrix(correlation, [np.array([0]), np.array([1])])
