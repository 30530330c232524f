"""The operator against its matrix, its centralities against dense algebra, wide data, missing values, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from covey.measure import associate
from covey.structure import operator as module
from covey.structure.operator import AssociationOperator, infinite_paths_score


def mixed(d, seed=0, alpha=0.7):
    """A low rank and a max-structured part, and their matrix."""
    f, m, s = np.random.default_rng(seed).random((3, d))
    operator = alpha * AssociationOperator.low_rank(f, m) + (1 - alpha) * AssociationOperator.maximum(s)
    return operator, alpha * np.outer(f, m) + (1 - alpha) * np.maximum.outer(s, s)


def leading(matrix):
    values, vectors = np.linalg.eig(matrix)
    best = np.argmax(values.real)
    return values[best].real, np.abs(vectors[:, best].real)


def paths(matrix, r):
    return (np.linalg.inv(np.eye(len(matrix)) - r * matrix) - np.eye(len(matrix))).sum(axis=1)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(0, 9999))
def test_products_of_every_part_are_those_of_its_matrix(d, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, d, 3))
    values = rng.integers(-2, 3, d) / 2.0  # ties
    sparse = random_array((d, d), density=0.3, rng=rng)
    dense = rng.normal(size=(d, d))
    operator = (
        2.0 * AssociationOperator.low_rank(left, right)
        - AssociationOperator.maximum(values)
        + AssociationOperator.of(sparse) / 4.0
        + AssociationOperator.of(dense)
    )
    matrix = 2 * left @ right.T - np.maximum.outer(values, values) + sparse.toarray() / 4 + dense
    v = rng.normal(size=d)
    np.testing.assert_allclose(operator @ v, matrix @ v, atol=1e-11)
    np.testing.assert_allclose(operator.T @ v, matrix.T @ v, atol=1e-11)
    np.testing.assert_allclose(operator.toarray(), matrix, atol=1e-12)
    np.testing.assert_allclose(operator.degrees(), matrix.sum(axis=1), atol=1e-11)
    assert operator.shape == (d, d)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("d", [1, 2, 10, 300])
def test_centralities_are_those_of_dense_algebra(d, alpha):
    operator, matrix = mixed(d, alpha=alpha)
    value, vector = operator.leading_eigenvector()
    expected, direction = leading(matrix)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(vector, direction, atol=1e-10)
    np.testing.assert_allclose(operator.infinite_paths(), paths(matrix, 0.9 / expected), rtol=1e-9)
    np.testing.assert_allclose(operator.infinite_paths(factor=0.99), paths(matrix, 0.99 / expected), rtol=1e-8)
    r = 0.5 / expected
    np.testing.assert_allclose(infinite_paths_score(operator, r), infinite_paths_score(matrix, r), rtol=1e-9)
    visits = np.linalg.inv(np.eye(d) - 0.8 * matrix / matrix.sum(axis=1).max()).sum(axis=0)
    np.testing.assert_allclose(operator.expected_visits(0.8), visits, rtol=1e-9)


def test_low_rank_is_solved_in_closed_form(monkeypatch):
    left, right = np.random.default_rng(0).random((2, 400, 3))
    operator = AssociationOperator.low_rank(left, right)
    for name in ("cg", "gmres", "eigs", "eigsh"):
        monkeypatch.setattr(module, name, None)  # whoever calls one fails
    value, vector = operator.leading_eigenvector()
    expected, direction = leading(left @ right.T)
    assert value == pytest.approx(expected)
    np.testing.assert_allclose(vector, direction, atol=1e-12)
    np.testing.assert_allclose(operator.infinite_paths(), paths(left @ right.T, 0.9 / expected), rtol=1e-9)


def test_a_small_gap_between_eigenvalues_is_left_to_arnoldi():
    block = np.ones((30, 30))
    two = np.block([[block, 1e-3 * block], [1e-3 * block, 0.999 * block]])
    for matrix in (two, two * np.linspace(0.9, 1.1, 60)):
        value, vector = AssociationOperator.of(matrix).leading_eigenvector()
        expected, direction = leading(matrix)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(vector, direction, atol=1e-9)
    path = np.diag(np.ones(39), 1) + np.diag(np.ones(39), -1)  # bipartite: the smallest is as large
    value, vector = AssociationOperator.of(path).leading_eigenvector()
    assert value == pytest.approx(2 * np.cos(np.pi / 41)) and (vector > 0).all()


def test_graphs_without_edges_or_without_loops_have_row_sums_for_an_eigenvector():
    empty = AssociationOperator.of(np.zeros((40, 40)))
    assert empty.leading_eigenvector()[0] == 0.0
    assert np.ptp(empty.leading_eigenvector()[1]) == 0.0
    assert not empty.infinite_paths().any() and (empty.expected_visits() == 1).all()
    chain = AssociationOperator.of(np.diag([1.0, 2.0, 3.0], 1))
    value, vector = chain.leading_eigenvector()
    assert value == 0.0 and vector == pytest.approx(np.array([1, 2, 3, 0]) / np.sqrt(14))
    long = AssociationOperator.of(np.eye(60, k=1))  # neither powers nor Arnoldi's method settle
    value, vector = long.leading_eigenvector()
    assert value == 0.0 and vector == pytest.approx((np.arange(60) < 59) / np.sqrt(59))
    assert long.infinite_paths(r=0.5)[0] == pytest.approx(1.0)
    apart = AssociationOperator.low_rank([1.0, 0.0], [0.0, 1.0])
    assert apart.leading_eigenvector()[1].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("room", [0, 1 << 16, 1 << 29])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_correlations_by_blocks_are_those_of_the_measure(monkeypatch, missing, room):
    monkeypatch.setattr(module, "_BLOCK", 16)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 50)) + 1e6
    x[:, 1] = 2 * x[:, 0]
    x[rng.random(x.shape) < missing] = np.nan
    operator = AssociationOperator.correlation(x, cache_bytes=room)
    np.testing.assert_allclose(operator.toarray(), associate(x, measure="pearson", pvalues=False).strength, atol=1e-8)
    assert sum(block.nbytes for block in operator.parts[0].kept.values()) <= room


def test_an_outlier_that_is_missing_in_the_other_column_takes_no_digits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) + rng.normal(size=(200, 1))
    rest = np.abs(np.corrcoef(x[5:].T))
    np.testing.assert_allclose(AssociationOperator.correlation(1e307 * x[5:]).toarray(), rest, atol=1e-12)
    x[:5] = np.nan
    for far in ([1e17], [1e17, -1e17], [1e200, -1e200]):
        x[: len(far), 0] = far
        np.testing.assert_allclose(AssociationOperator.correlation(x).toarray(), rest, atol=1e-9)


def test_undefined_correlations_count_as_none():
    x = np.array([[1.0, np.nan, 5.0], [2.0, np.nan, 5.0], [3.0, 1.0, 5.0], [np.nan, 2.0, 5.0]])
    assert AssociationOperator.correlation(x).toarray().round(12).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("d", [1, 2, 7, 60])
def test_what_cancels_to_rounding_is_no_edge(d):
    x = np.random.default_rng(0).normal(size=(30, 1)) * np.linspace(1, 2, d)  # all correlations are 1
    graph = AssociationOperator.low_rank(np.ones(d)) - AssociationOperator.correlation(x)
    assert not graph.degrees().any() and not graph.infinite_paths().any()
    assert graph.leading_eigenvector()[0] == 0.0 and (graph.expected_visits() == 1.0).all()


def test_an_association_matrix_is_read_by_its_strengths():
    x = np.random.default_rng(0).normal(size=(50, 4))
    matrix = associate(x, measure="spearman", pvalues=False)
    np.testing.assert_array_equal(AssociationOperator.of(matrix).toarray(), matrix.strength)
    with pytest.raises(ValueError, match="every feature is needed against every feature"):
        AssociationOperator.of(associate(x, x[:, :2], pvalues=False))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.floats(0.1, 10))
def test_centralities_follow_the_features_and_ignore_the_scale(order, scale):
    order = list(order)
    f, m, s = np.random.default_rng(3).random((3, 12))
    first = AssociationOperator.low_rank(f, m) + AssociationOperator.maximum(s)
    other = scale * (AssociationOperator.low_rank(f[order], m[order]) + AssociationOperator.maximum(s[order]))
    np.testing.assert_allclose(other.infinite_paths(), first.infinite_paths()[order], rtol=1e-9)
    np.testing.assert_allclose(
        other.leading_eigenvector()[1], first.leading_eigenvector()[1][order], rtol=1e-9, atol=1e-12
    )


def test_a_hundred_thousand_features_take_no_matrix():
    f, m, s = np.random.default_rng(0).random((3, 100_000))
    operator = 0.7 * AssociationOperator.low_rank(f, m) + 0.3 * AssociationOperator.maximum(s)
    value, vector = operator.leading_eigenvector()
    residual = np.linalg.norm(operator @ vector - value * vector)
    assert residual < 1e-9 * value
    scores = operator.infinite_paths()
    r = 0.9 / value
    assert np.linalg.norm(scores - r * (operator @ (scores + 1))) < 1e-9 * np.linalg.norm(scores)


def test_bad_input_is_named():
    operator = AssociationOperator.of(np.ones((3, 3)))
    for factor in (0.0, 1.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="factor must be greater than 0 and less than 1"):
            operator.infinite_paths(factor=factor)
        with pytest.raises(ValueError, match="stay must be greater than 0 and less than 1"):
            operator.expected_visits(factor)
    with pytest.raises(ValueError, match=r"r=0.34 is not less than 1 / \(largest eigenvalue\) = 0.333333.*lower r"):
        operator.infinite_paths(r=0.34)
    with pytest.raises(ValueError, match="r must be greater than 0"):
        operator.infinite_paths(r=-1)
    with pytest.raises(ValueError, match="must be square"):
        AssociationOperator.of(np.ones((2, 3)))
    with pytest.raises(ValueError, match="values that are not finite"):
        AssociationOperator.of([[np.nan]])
    with pytest.raises(ValueError, match="values that are not finite"):
        AssociationOperator.maximum([np.inf])
    with pytest.raises(ValueError, match="must have one shape"):
        AssociationOperator.low_rank([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="infinite values"):
        AssociationOperator.correlation([[np.inf], [1.0]])
    with pytest.raises(ValueError, match="cannot be added"):
        operator + AssociationOperator.of(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"the vector has shape \(2,\)"):
        operator @ np.ones(2)
