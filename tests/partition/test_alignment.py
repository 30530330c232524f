"""Parties joined on an id: the common rows, what is said of them, and what goes over the wires."""

from __future__ import annotations

import hmac
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.partition._channel import LocalNetwork
from covey.partition.alignment import align, align_party, check_row_ids, private_set_intersection
from covey.table import read

columns_of_ids = st.lists(
    st.lists(st.integers(-3, 12) | st.sampled_from(["ann", "bob", "é", "5 "]), min_size=1, unique_by=str),
    min_size=1,
    max_size=4,
)


@given(columns_of_ids, st.data())
@settings(max_examples=60, deadline=None)
def test_rows_are_those_of_the_ids_that_all_have(columns: list[list[int | str]], data: st.DataObject) -> None:
    holder = data.draw(st.integers(0, len(columns) - 1))
    texts = [list(map(str, ids)) for ids in columns]
    common = [text for text in texts[holder] if all(text in other for other in texts)]
    if not common:
        with pytest.raises(ValueError, match="no id is common"):
            align(columns, holder)
        return
    found = align(columns, holder)
    assert [[texts[k][row] for row in rows] for k, rows in enumerate(found.rows)] == [common] * len(columns)
    assert found.n_common == len(common)
    assert found.overlap.tolist() == [[len(set(a) & set(b)) for b in texts] for a in texts]
    assert found.share.tolist() == [len(common) / len(ids) for ids in texts]


def test_take_joins_arrays_frames_and_tables() -> None:
    ids = [["a", "b", "c", "d"], ["d", "x", "b"], ["b", "c", "d"]]
    values = [np.array([[ord(i)] for i in column], dtype=float) for column in ids]
    parts = align(ids).take([values[0], pd.DataFrame(values[1]), read(values[2])])
    assert parts[0].ravel().tolist() == [ord("b"), ord("d")]
    assert parts[1].to_numpy().ravel().tolist() == [ord("b"), ord("d")]
    assert parts[2].numeric.ravel().tolist() == [ord("b"), ord("d")]
    with pytest.raises(ValueError):
        align(ids).take(values[:2])


def test_a_number_and_its_text_are_one_id_whatever_holds_them() -> None:
    table = read({"id": [3, 1, 2]})
    holders = [table["id"], np.array([1.0, 2.0, 3.0]), pd.Series(["2", "3", "1"]), (np.int16(1), np.float32(2), "3")]
    rows = [found.tolist() for found in align(holders).rows]
    assert rows == [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 0, 1]]
    assert align([[10**30, 1], [f"{10**30}"]]).rows[0].tolist() == [0]


def test_close_ids_are_not_one_id() -> None:
    assert align([["7", "07", " 7", "7.0"], [7]]).rows[0].tolist() == [0]
    assert align([["e\u0301", "x"], ["\u00e9", "x"]]).rows[0].tolist() == [1]


def test_wires_carry_hashes_under_a_fresh_salt_and_no_id() -> None:
    salts = []
    for _ in range(2):
        network = LocalNetwork(3, active=1, record=("*",))
        columns = [["ann", "bob"], ["bob", "eve"], ["bob"]]
        found = network.run([partial(private_set_intersection, ids=ids) for ids in columns])
        assert [rows.tolist() for rows, _ in found] == [[1], [0], [0]]
        assert [overlap is not None for _, overlap in found] == [False, True, False]
        heard = {message.tag: message.arrays[0] for message in network.channels[0].transcript}
        assert set(heard) == {"salt", "hashed ids", "common rows"}
        salts.append(heard["salt"].tobytes())
        wanted = [hmac.new(salts[-1], name, "sha256").digest() for name in (b"ann", b"bob")]
        assert heard["hashed ids"].tobytes() == b"".join(wanted)
        assert network.traffic.by_link() == {(0, 1): (64, 1), (1, 0): (40, 2), (1, 2): (40, 2), (2, 1): (32, 1)}
    assert salts[0] != salts[1]


def test_passive_parties_talk_to_the_label_holder_alone() -> None:
    links = align([range(5), range(3, 9), range(2, 6)], label_party=2).traffic.by_link()
    assert set(links) == {(0, 2), (2, 0), (1, 2), (2, 1)}


def test_half_of_a_party_gives_what_the_whole_gives() -> None:
    columns = [[5, 3, 1], [1, 2, 3, 4], ["3", "1", "0"]]
    halves = LocalNetwork(3, active=2).run([partial(align_party, ids=ids) for ids in columns])
    assert [rows.tolist() for rows in halves] == [rows.tolist() for rows in align(columns, 2).rows]


def test_one_party_is_aligned_with_itself() -> None:
    assert align([["b", "a"]]).rows[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    "columns, error, words",
    [
        ([], ValueError, "at least one party"),
        ([["a"], []], ValueError, "party 1 has no rows"),
        ([["a"], ["secret", "b", "secret"]], ValueError, "party 1 has one id twice, in rows 0 and 2; keep one"),
        ([["a"], [7, "7"]], ValueError, "party 1 has one id twice"),
        ([[None, "a"], ["a"]], ValueError, "party 0 has no id in row 0; drop"),
        ([["a"], [float("nan")]], ValueError, "party 1 has no id in row 0"),
        ([["a"], [pd.NA]], ValueError, "party 1 has no id in row 0"),
        ([["a"], [0.5]], TypeError, "party 1: the id in row 0 is a float"),
        ([["a"], [2.0**60]], TypeError, "party 1: the id in row 0 is a float"),
        ([["a"], [True]], TypeError, "party 1: the id in row 0 is a bool"),
        ([["a"], [b"a"]], TypeError, "party 1: the id in row 0 is a bytes"),
        (["abc", ["a"]], TypeError, "party 0: give the column of ids, not one str"),
        ([3, ["a"]], TypeError, "party 0: give the column of ids, not one int"),
        ([["a", "b"], ["b", "c"], ["c", "a"]], ValueError, "no id is common to all parties; parties 0 and 1 share 1"),
    ],
)
def test_bad_ids_are_named_by_party_and_row(columns: list, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        align(columns)
    assert "secret" not in str(caught.value)


def test_a_label_holder_that_is_no_party() -> None:
    with pytest.raises(ValueError, match="label holder must be one of the parties 0 to 1, got 2"):
        align([["a"], ["a"]], label_party=2)


def test_row_ids_that_agree_pass() -> None:
    check_row_ids([["7", "8"], [7, 8], np.array([7.0, 8.0])])
    check_row_ids([["a"]])


@pytest.mark.parametrize(
    "columns, words",
    [
        ([["a", "b", "c"], ["a", "c", "b"]], r"party 1 has the ids of party 0 in another order \(2 of 3 rows differ\)"),
        ([[1, 2], [1, 2], [2, 3, 4]], "party 2 lacks 1 of the 2 ids of party 0 and has 2 others"),
        ([[1, 2], [1]], "party 1 lacks 1 of the 2 ids of party 0 and has 0 others"),
        ([[1], [1, 1]], "party 1 has one id twice"),
    ],
)
def test_row_ids_that_differ_are_counted(columns: list, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check_row_ids(columns)
    assert "align" in str(caught.value) or "twice" in str(caught.value)
