"""Swivel: its derivative, its fit of counts, shards side by side, new rows, and bad input."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.learn._shards import shard_counts
from covey.learn.embedding import Swivel, SwivelLoss, _rounds, _row_vector


@parametrize_with_checks([Swivel(n_components=3, max_iter=5)])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


def blocks(n=60, n_groups=3, seed=0):
    """Counts of a symmetric table in which members of a group occur together ten times as often."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % n_groups
    activity = rng.uniform(0.5, 2.0, n)
    mean = np.outer(activity, activity) * np.where(group[:, None] == group, 5.0, 0.5)
    upper = np.triu(rng.poisson(mean), 1)
    return (upper + upper.T).astype(float), group


@pytest.mark.parametrize(("exponent", "unseen"), [(0.5, True), (0.75, True), (0.5, False)])
def test_the_derivative_is_that_of_the_loss(exponent, unseen):
    rng = np.random.default_rng(0)
    counts, _ = blocks(20)
    loss = SwivelLoss(exponent=exponent, unseen=unseen)
    rows, columns = rng.normal(size=(2, 20, 4))
    shards = shard_counts(counts)
    order_rows, order_columns = shards.rows[0], shards.columns[0]
    offset = np.log(np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum())
    z = (rows @ columns.T + offset)[np.ix_(order_rows, order_columns)].astype(np.float32)
    for first in (0, 7):
        strip = z[first : first + 7].copy()
        loss.differentiate(strip, shards.shard(0, 0), first)
        for i, j in [(0, 0), (3, 11), (6, 19)]:
            r, c = order_rows[first + i], order_columns[j]
            # the product of row r and column c moves alone along the gradient of the row in the dual of its columns
            step = 1e-5 * np.linalg.pinv(columns)[:, c]
            up, down = rows.copy(), rows.copy()
            up[r] += step
            down[r] -= step
            along = np.linalg.pinv(columns).T[c] @ columns.T
            full = (loss.value(up, columns, counts) - loss.value(down, columns, counts)) / 2e-5
            row = z[first + i : first + i + 1].copy()
            loss.differentiate(row, shards.shard(0, 0), first + i)
            assert full == pytest.approx(row[0] @ along[order_columns], rel=2e-3, abs=2e-3)
            assert strip[i, j] == pytest.approx(row[0, j], rel=1e-5)


def test_groups_are_found_and_the_loss_falls():
    counts, group = blocks()
    loss = SwivelLoss()
    short, model = (Swivel(8, n, shard_size=16, random_state=0).fit(counts) for n in (1, 60))
    values = [loss.value(m.row_embedding_, m.column_embedding_, counts) for m in (short, model)]
    assert values[1] < 0.6 * values[0]
    unit = model.embedding_ / np.linalg.norm(model.embedding_, axis=1, keepdims=True)
    similarity = unit @ unit.T - 2.0 * np.eye(len(unit))
    assert (group[similarity.argmax(axis=1)] == group).mean() >= 0.95
    assert model.embedding_ == pytest.approx(model.row_embedding_ + model.column_embedding_)


def test_enough_components_reach_the_loss_of_a_general_minimiser():
    counts = np.random.default_rng(1).poisson(1.5, size=(6, 5)).astype(float)
    loss = SwivelLoss()
    d = 2

    def value(flat):
        return loss.value(flat[: 6 * d].reshape(6, d), flat[6 * d :].reshape(5, d), counts)

    model = Swivel(d, max_iter=4000, random_state=0).fit(counts)
    ours = loss.value(model.row_embedding_, model.column_embedding_, counts)
    starts = np.random.default_rng(0).normal(size=(3, 11 * d))
    assert ours <= 1.02 * min(minimize(value, start).fun for start in starts)


def test_seen_cells_alone_are_fitted_exactly_by_many_components():
    counts, _ = blocks(20)
    model = Swivel(20, max_iter=2000, unseen=False, random_state=0).fit(counts)
    assert SwivelLoss(unseen=False).value(model.row_embedding_, model.column_embedding_, counts) < 1e-2


def test_every_shard_is_taken_once_and_no_two_of_a_round_meet():
    for n_rows, n_columns in [(1, 1), (3, 5), (5, 2)]:
        rounds = list(_rounds(n_rows, n_columns, np.random.RandomState(0)))
        taken = [pair for pairs in rounds for pair in pairs]
        assert sorted(taken) == [(i, j) for i in range(n_rows) for j in range(n_columns)]
        for pairs in rounds:
            assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


def test_the_same_bits_on_any_number_of_workers_from_memory_disk_and_sparse_arrays(tmp_path):
    counts, _ = blocks()
    settings = {"n_components": 5, "max_iter": 3, "shard_size": 16, "random_state": 3}
    one = Swivel(engine="local:1", **settings).fit(counts).row_embedding_
    assert (Swivel(engine="local:3", **settings).fit(csr_array(counts)).row_embedding_ == one).all()
    assert (Swivel(**settings).fit(shard_counts(counts, 16, tmp_path)).row_embedding_ == one).all()
    assert (Swivel(**{**settings, "random_state": 4}).fit(counts).row_embedding_ != one).any()


@pytest.mark.parametrize("unseen", [True, False])
def test_a_new_row_gets_the_vector_of_least_loss(unseen):
    rng = np.random.default_rng(0)
    columns, counts = rng.normal(size=(12, 3)), rng.poisson(1.0, 12).astype(float)
    shares = np.log(rng.dirichlet(np.full(12, 5.0)))
    loss = SwivelLoss(unseen=unseen)
    offset, seen = np.log(counts.sum()) + shares, counts > 0

    def value(vector):
        z = columns @ vector + offset
        squares = loss.weight(counts[seen]) * (z[seen] - np.log(counts[seen])) ** 2 / 2.0
        return squares.sum() + unseen * np.logaddexp(0.0, z[~seen]).sum() + 0.5e-4 * vector @ vector

    found = _row_vector(counts, columns, shares, loss)
    assert found == pytest.approx(minimize(value, np.zeros(3), tol=1e-12).x, abs=1e-4)


def test_rows_of_the_training_counts_are_near_their_own_vectors():
    counts, _ = blocks()
    model = Swivel(6, max_iter=300, random_state=0).fit(counts)
    again = model.transform(counts)
    cosine = np.sum(again * model.row_embedding_, axis=1)
    cosine /= np.linalg.norm(again, axis=1) * np.linalg.norm(model.row_embedding_, axis=1)
    assert np.median(cosine) > 0.99


def test_rows_and_columns_without_counts_are_undefined():
    counts, _ = blocks(10)
    counts[4] = counts[:, 7] = 0.0
    with pytest.warns(UserWarning, match="column 7 has"), pytest.warns(UserWarning, match=r"row 4 .* \(1 in all\)"):
        model = Swivel(3, random_state=0).fit(counts)
    assert np.flatnonzero(np.isnan(model.row_embedding_).any(axis=1)).tolist() == [4]
    assert np.flatnonzero(np.isnan(model.column_embedding_).any(axis=1)).tolist() == [7]
    assert np.isnan(model.transform(counts)).any(axis=1).tolist() == [k == 4 for k in range(10)]


def test_a_row_of_zeros_alone_is_undefined_too():
    counts, _ = blocks(10)
    assert np.isnan(Swivel(3, max_iter=1, random_state=0).fit(counts).transform(np.zeros((1, 10)))).all()


@pytest.mark.parametrize(("scale", "learning_rate"), [(1e39, 1.0), (1e-50, 1.0), (1.0, 1e30)])
def test_vectors_that_do_not_stay_finite_are_an_error(scale, learning_rate):
    counts, _ = blocks(10)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="did not stay finite"):
        warnings.simplefilter("ignore", RuntimeWarning)
        Swivel(2, learning_rate=learning_rate, random_state=0).fit(scale * counts)


def test_bad_counts_and_parameters_are_refused():
    with pytest.raises(ValueError, match="no count above 0"):
        Swivel().fit(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="must not be negative"):
        Swivel().fit([[1.0, -2.0], [1.0, 1.0]])
    for name in ("n_components", "max_iter", "learning_rate"):
        with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
            Swivel(**{name: 0}).fit(np.ones((3, 3)))
    for name in ("base", "scale"):
        with pytest.raises(ValueError, match=f"{name} must be at least 0"):
            Swivel(**{name: -1.0}).fit(np.ones((3, 3)))
