from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure._coding import Levels, code_column
from covey.measure._measure import PairStatistics
from covey.measure._store import ColumnStore
from covey.measure._tables import batches, collect, joint_tables, padded_size, stack_codes
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps

TABLES = ["auto", "cramers_v", "distance_correlation", "hsic", "mutual_information", "theils_u"]


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(0, 300), st.integers(1, 6))
def test_joint_tables_count_rows(seed, n_rows, n_levels):
    codes = np.random.default_rng(seed).integers(0, n_levels + 1, (3, n_rows)).astype(np.int16)
    left, right = np.array([0, 1, 2, 2]), np.array([1, 2, 0, 2])
    tables = joint_tables(codes, left, right, (n_levels, n_levels + 2))
    for p, (i, j) in enumerate(zip(left, right)):
        for a in range(n_levels):
            for b in range(n_levels + 2):
                assert tables[p, a, b] == np.sum((codes[i] == a + 1) & (codes[j] == b + 1))


def test_tables_of_parts_add_up():
    store = ColumnStore(with_gaps(mixed_columns(), 0.2))
    codes = stack_codes([code_column(store, j, 16, "rank") for j in range(len(store))])
    left, right = np.triu_indices(len(store), 1)
    whole = joint_tables(codes, left, right, (16, 16))
    for cuts in ([0, 400], [0, 7, 300, 400]):
        parts = [np.ascontiguousarray(codes[:, a:b]) for a, b in pairwise(cuts)]
        np.testing.assert_array_equal(sum(joint_tables(p, left, right, (16, 16)) for p in parts[::-1]), whole)


def test_padded_sizes_are_few_and_close():
    sizes = [padded_size(k) for k in range(1, 2049)]
    assert len(set(sizes)) <= 21
    assert all(k <= size <= max(2, 1.5 * k) for k, size in enumerate(sizes, 1))


def test_batches_hold_every_pair_once_and_one_shape():
    levels = [Levels(n_levels=k, positions=None if k % 2 else np.zeros(k)) for k in (2, 3, 5, 64, 100, 2000)]
    left, right = map(np.ravel, np.indices((6, 6)))
    plan = batches(levels, left, right)
    np.testing.assert_array_equal(np.sort(np.concatenate([b.members for b in plan])), np.arange(36))
    for batch in plan:
        for i, j in zip(left[batch.members], right[batch.members]):
            assert batch.shape == (padded_size(levels[i].n_levels), padded_size(levels[j].n_levels))
            assert batch.nominal == (levels[i].positions is None, levels[j].positions is None)


def test_collect_restores_the_order():
    parts = [PairStatistics(np.array([2.0, 0.0]), np.array([20, 0])), PairStatistics(np.array([1.0]), np.array([10]))]
    out = collect([np.array([2, 0]), np.array([1])], parts, 3)
    np.testing.assert_array_equal(out.values, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(out.n, [0, 10, 20])
    assert out.pvalues is None
    assert collect([], [], 2).n.tolist() == [0, 0]


@pytest.mark.parametrize("measure", TABLES)
def test_workers_do_not_change_a_bit(measure):
    data = table(*with_gaps(mixed_columns(2000), 0.1))
    one, two = (associate(data, measure=measure, engine=LocalEngine(k)) for k in (1, 2))
    for block in ("values", "pvalues", "n"):
        np.testing.assert_array_equal(getattr(one, block), getattr(two, block))


@pytest.mark.parametrize("measure", TABLES)
def test_rows_can_be_shuffled(measure):
    data = table(*with_gaps(mixed_columns(500), 0.1))
    shuffled = data.take(np.random.default_rng(0).permutation(500))
    before, after = (associate(t, measure=measure, pvalues=False) for t in (data, shuffled))
    np.testing.assert_allclose(before.values, after.values, atol=1e-7)
    np.testing.assert_array_equal(before.n, after.n)


@pytest.mark.parametrize("measure", TABLES)
def test_no_common_rows(measure):
    x = np.arange(40.0)
    data = table(
        number("early", np.where(x < 20, x, np.nan)),
        number("late", np.where(x < 20, np.nan, x)),
        number("never", np.full(40, np.nan)),
        category("late team", np.where(x < 20, -1, x % 3), 3),
    )
    matrix = associate(data, measure=measure)
    for other in ("late", "never", "late team"):
        assert np.isnan(matrix["early", other]) and "too few rows" in matrix.reason("early", other)
    assert matrix.n[0].tolist() == [20, 0, 0, 0]
    assert np.isfinite(matrix["late", "late team"])
