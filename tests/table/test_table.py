"""`FeatureTable` and `Column`: blocks, selection, errors."""

from __future__ import annotations

import numpy as np
import pytest

from covey.table import Column, FeatureTable, Note


@pytest.fixture
def table():
    return FeatureTable.from_columns(
        [
            Column("a", "numeric", np.array([1.0, np.nan, 3.0])),
            Column("g", "categorical", np.array([1, -1, 0], dtype=np.int32), ("x", "y")),
            Column("b", "datetime", np.array([0.0, 1.0, 2.0])),
        ],
        [Note("g", "mixed", "g: something"), Note("", "table", "about all")],
    )


def test_each_column_lives_in_one_contiguous_block(table):
    assert table.numeric.shape == (3, 2) and table.codes.shape == (3, 1)
    assert table.numeric.flags.f_contiguous and table.codes.dtype == np.int32
    assert np.shares_memory(table["b"].values, table.numeric)
    assert table["b"].values.flags.c_contiguous


def test_missing_is_nan_or_minus_one(table):
    assert table["a"].missing.tolist() == [False, True, False] == table["g"].missing.tolist()
    assert table["g"].labels().tolist() == ["y", None, "x"]


def test_select_keeps_order_and_the_notes_that_still_apply(table):
    chosen = table.select(["b", "a"])
    assert chosen.names == ("b", "a") and chosen.kinds == ("datetime", "numeric")
    assert [note.code for note in chosen.notes] == ["table"]
    assert table.drop("a").names == ("g", "b")


def test_take_rows_by_mask_and_slice(table):
    assert table.take(np.array([True, False, True])).shape == (2, 3)
    assert table.take(slice(1, None))["g"].values.tolist() == [-1, 0]


def test_of_kind_and_membership(table):
    assert table.of_kind("numeric", "datetime") == ["a", "b"]
    assert "a" in table and "z" not in table and len(table) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.column("aa"), "did you mean 'a'"),
        (lambda t: t.drop("nothing"), "no column 'nothing'"),
        (lambda t: FeatureTable.from_columns([]), "at least one column"),
        (lambda t: FeatureTable.from_columns([t["a"], t["a"]]), "two columns are named 'a'"),
        (lambda t: FeatureTable.from_columns([t["a"], Column("c", "numeric", np.zeros(2))]), "'c' has 2 rows, not 3"),
    ],
)
def test_errors_name_the_column(table, make, message):
    with pytest.raises(ValueError, match=message):
        make(table)
