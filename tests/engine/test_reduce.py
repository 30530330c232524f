"""Order, shape and memory of the merge tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.engine import _reduce
from covey.engine._reduce import fold, merge_in_order, partitions, runs
from tests.engine._states import Generated, Product


@given(st.integers(1, 200))
def test_merges_neighbours_in_order(n):
    assert merge_in_order([(k,) for k in range(n)], lambda a, b: a + b) == tuple(range(n))


def test_tree_is_balanced():
    depth = merge_in_order([0] * 64, lambda a, b: max(a, b) + 1)
    assert depth == 6
    assert merge_in_order([0] * 65, lambda a, b: max(a, b) + 1) == 7


def test_few_parts_wait():
    alive, peak = 0, 0

    def parts():
        nonlocal alive, peak
        for k in range(1000):
            alive, peak = alive + 1, max(peak, alive + 1)
            yield k

    def merge(a, b):
        nonlocal alive
        alive -= 1
        return a

    assert merge_in_order(parts(), merge) == 0
    assert peak <= 11
    assert alive == 1


def test_no_part_is_none():
    assert merge_in_order([], lambda a, b: a) is None


def test_runs_are_read_as_asked():
    taken = []

    def blocks():
        for k in range(10):
            taken.append(k)
            yield k

    stream = runs(blocks())
    assert next(stream) == [0, 1, 2, 3]
    assert taken == [0, 1, 2, 3]
    assert list(stream) == [[4, 5, 6, 7], [8, 9]]


def test_partitions_depend_on_rows_alone(monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 4000)
    parts = partitions(Generated(0, 10))
    assert [(p.first, p.last) for p in parts] == [(0, 3), (3, 6), (6, 10)]


def test_what_cannot_be_split_has_no_partitions():
    assert partitions([1]) is None
    assert partitions(Endless(0, 3)) is None


class Endless(Generated):
    n_rows = None


def test_fold_adds_every_block():
    total, firsts = fold(lambda: Product(5), Generated(0, 7)).result()
    everything = np.concatenate(list(Generated(0, 7)))
    assert firsts == list(range(7))
    np.testing.assert_allclose(total, everything.T @ everything, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 31])
def test_merge_of_parts_equals_fold(n):
    parts = (fold(lambda: Product(5), piece) for piece in Generated(0, 31).partitions(n))
    merged = merge_in_order(parts, lambda a, b: a.merge(b)).result()
    whole = fold(lambda: Product(5), Generated(0, 31)).result()
    assert merged[1] == whole[1]
    np.testing.assert_allclose(merged[0], whole[0], rtol=1e-12)
