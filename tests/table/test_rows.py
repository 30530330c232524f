"""Streams of rows: what a file's blocks hold is what `read` reads."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from covey.table import iter_blocks, read


def rows(tables):
    return [row for t in tables for row in zip(*(c.labels().tolist() for c in t.columns()))]


TEXTS = {
    "plain": b"a,b\n1,x\n2,y\n3,x\n",
    "blank lines before the header": b"\n\na,b\n1,x\n2,y\n",
    "a header of two lines": b'"a\nq",b\n1,x\n2,y\n',
    "line breaks inside quotes": b'a,b\n1,"x\nz"\n2,y\n',
    "old Mac line ends": b"a,b\r1,x\r2,y\r",
    "no line end at the end": b"a,b\r\n1,x\r\n2,y",
    "UTF-16": "é,b\n1,ü\n2,y\n".encode("utf-16"),
    "Latin-1": "é,b\n1,ü\n2,y\n".encode("latin-1"),
    "byte-order mark": "é,b\n1,ü\n2,y\n".encode("utf-8-sig"),
    "decimal commas": b"a;b\n1,5;x\n2,25;y\n",
    "names that repeat or lack": b"a,a,\n1,2,3\n2,3,4\n",
    "truth": b"a,b\ntrue,yes\nfalse,no\ntrue,no\n",
    "dates": b"d,t\n2020-01-01,2020-01-01 10:00:00\n2020-01-02,2020-01-01T10:00:01Z\n",
    "gaps": b"a,b\n?, x\n1.5, NA\n2,y\n",
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_is_streamed_as_it_is_read(tmp_path, case):
    path = tmp_path / "t.csv"
    path.write_bytes(TEXTS[case])
    whole, blocks = read(path), list(iter_blocks(path, rows=2))
    assert {(b.names, b.kinds) for b in blocks} == {(whole.names, whole.kinds)}
    assert max(b.n_rows for b in blocks) <= 2
    np.testing.assert_equal(rows(blocks), rows([whole]))


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_packed_text_is_streamed(tmp_path, ending, pack):
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(pack(b"a,b\n" + b"1,x\n" * 1000))
    assert [b.n_rows for b in iter_blocks(path, rows=600)] == [600, 400]
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match="not a whole"):
        iter_blocks(path)


def test_a_number_that_turns_to_words_can_be_declared(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000 + "x,2\n")
    with pytest.raises(ValueError, match=r"kinds=\{'a': 'categorical'\}"):
        list(iter_blocks(path))
    blocks = list(iter_blocks(path, kinds={"a": "categorical"}))
    assert blocks[-1]["a"].categories == ("1", "x") and blocks[-1]["a"].values[-1] == 1


def test_an_encoding_that_shows_late_can_be_given(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 400_000 + "2,é\n".encode("latin-1"))
    with pytest.raises(ValueError, match="give another encoding="):
        list(iter_blocks(path))
    assert list(iter_blocks(path, encoding="latin-1"))[-1]["b"].categories == ("x", "é")


def test_ragged_rows_tell_their_line(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(ValueError, match="line 3 has 1 cells where the header has 2"):
        iter_blocks(tmp_path / "t.csv")


def test_parquet_columns_that_share_a_name(tmp_path):
    pq.write_table(pa.table([pa.array([1, 2]), pa.array([3.0, 5.0])], names=["a", "a"]), tmp_path / "t.parquet")
    (block,) = iter_blocks(tmp_path / "t.parquet", columns=["a.1"])
    assert block["a.1"].values.tolist() == [3.0, 5.0]


def test_dask_partitions_are_computed_one_at_a_time():
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"x": np.arange(10) / 7, "g": list("aabbccddee"), "y": np.arange(10.0)})
    source = iter_blocks(dd.from_pandas(frame, npartitions=3), rows=3, columns=["g", "x"])
    assert source.n_rows is None and max(b.n_rows for b in source) <= 3
    assert rows(source) == list(zip(frame["g"], frame["x"]))
    assert [p.categories["g"] for p in source.partitions(4)] == [tuple("abcde")]


def test_a_boolean_that_is_none_later_is_told():
    values = pa.chunked_array([["yes", "no"], ["maybe", "no"]])
    source = pa.table({"b": values})
    assert iter_blocks(source, rows=2).kinds == ("categorical",)


def test_a_file_that_is_boolean_at_first_only(tmp_path):
    pq.write_table(pa.table({"b": ["yes", "no", "maybe", "no"]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"'b' is not boolean: no, yes, maybe; give kinds=\{'b': 'categorical'\}"):
        list(iter_blocks(tmp_path / "t.parquet", rows=2))
    source = iter_blocks(tmp_path / "t.parquet", rows=2, kinds={"b": "categorical"})
    assert rows(source) == [("yes",), ("no",), ("maybe",), ("no",)]


def test_missing_words_can_be_given(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n-,y\n3,-\n")
    (block,) = iter_blocks(tmp_path / "t.csv", missing_values=["-"])
    assert block.kinds == ("numeric", "categorical") and [c.n_missing for c in block.columns()] == [1, 1]


def test_infinities_are_noted_block_by_block():
    blocks = list(iter_blocks(np.array([[1.0], [2.0], [np.inf], [3.0]]), rows=2))
    assert [[n.code for n in b.notes] for b in blocks] == [[], ["infinite"]]
