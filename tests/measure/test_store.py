from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.measure._store import ColumnStore
from tests.measure._mixed import category, mixed_columns, number, with_gaps

VALUES = st.lists(st.one_of(st.just(np.nan), st.integers(-4, 4).map(float)), min_size=1, max_size=40)


@settings(deadline=None)
@given(VALUES)
def test_ranks_and_order(values):
    x = np.array(values)
    store = ColumnStore([number("x", x)])
    present = ~np.isnan(x)
    expected = np.full(len(x), np.nan)
    expected[present] = stats.rankdata(x[present])
    np.testing.assert_array_equal(store.ranks(0), expected)
    dense = np.full(len(x), -1)
    dense[present] = stats.rankdata(x[present], "dense") - 1
    np.testing.assert_array_equal(store.dense_ranks(0), dense)
    order = store.order(0)
    np.testing.assert_array_equal(np.sort(order), np.flatnonzero(present))
    assert (np.diff(x[order]) >= 0).all()
    np.testing.assert_array_equal(store.present(0), present)
    assert store.complete(0) == present.all()


def test_codes_are_numbers_with_gaps():
    store = ColumnStore([category("c", [2, -1, 0])])
    np.testing.assert_array_equal(store.numbers(0), [2.0, np.nan, 0.0])
    np.testing.assert_array_equal(store.ranks(0), [2.0, np.nan, 1.0])


def test_views_are_made_once_and_leave_the_columns_alone():
    columns = with_gaps(mixed_columns(50), 0.2)
    before = [c.values.copy() for c in columns]
    store = ColumnStore(columns)
    for j in range(len(store)):
        assert store.ranks(j) is store.ranks(j)
        assert store.numbers(j) is store.numbers(j)
    for column, values in zip(columns, before):
        np.testing.assert_array_equal(column.values, values)


def test_cached_keeps_the_first():
    store = ColumnStore([number("x", [1.0])])
    assert [store.cached("key", make) for make in (lambda: 1, lambda: 2)] == [1, 1]


@pytest.mark.parametrize("extreme", [0.0, -0.0, 5e-324, 1e308])
def test_negative_zero_and_extremes_rank_with_their_equals(extreme):
    store = ColumnStore([number("x", [extreme, -extreme, extreme])])
    ranks = store.ranks(0)
    assert ranks[0] == ranks[2]
    assert (ranks[0] == ranks[1]) == (extreme == 0.0)
