"""`read`: the same table from every source, and clear errors."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from covey.table import FeatureTable, read


def assert_same(a: FeatureTable, b: FeatureTable) -> None:
    assert a.names == b.names and a.kinds == b.kinds and a.categories == b.categories
    np.testing.assert_array_equal(a.numeric, b.numeric)
    np.testing.assert_array_equal(a.codes, b.codes)


numbers = st.floats(-1e6, 1e6, allow_nan=False, width=32) | st.none()
words = st.sampled_from(["red", "green", "blue, dark", 'he said "no"', "é"]) | st.none()


moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)) | st.none()
integers = st.integers(-1000, 1000) | st.none()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(numbers, words, st.booleans() | st.none(), moments, integers), min_size=2, max_size=60))
def test_every_source_gives_the_same_table(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("sources")
    x, w, b, t, k = (list(column) for column in zip(*rows))
    types = (pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us"), pa.int64())
    arrow = pa.table([pa.array(v, type_) for v, type_ in zip((x, w, b, t, k), types)], names=list("xwbtk"))
    expected = read(arrow)
    pq.write_table(arrow, folder / "t.parquet")
    feather.write_feather(arrow, folder / "t.feather")
    for source in (
        pl.from_arrow(arrow),
        arrow.to_pandas(),
        arrow.to_pandas().convert_dtypes(),
        {"x": x, "w": w, "b": b, "t": t, "k": k},
        [dict(zip("xwbtk", row)) for row in rows],
        folder / "t.parquet",
        folder / "t.feather",
        str(folder / "t.parquet"),
    ):
        assert_same(expected, read(source))


def test_adult_has_the_documented_missing_values():
    adult = read("covey:adult")
    missing = {c.name: c.n_missing for c in adult.columns() if c.n_missing}
    assert adult.shape == (32561, 15)
    assert missing == {"workclass": 1836, "occupation": 1843, "native-country": 583}
    assert np.bincount(adult["income-per-year"].values).tolist() == [24720, 7841]


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path, sep):
    path = tmp_path / "t.csv"
    path.write_text(sep.join("ab") + "\n" + "\n".join(sep.join([str(k), f"w{k % 3}"]) for k in range(9)) + "\n")
    assert read(path).names == ("a", "b") and read(path).kinds == ("numeric", "categorical")


def test_quotes_hold_separators_and_newlines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,"b\nb"\n1,"x, y"\n2,"x\nz"\n3,"x, y"\n')
    table = read(path)
    assert table.names == ("a", "b\nb") and table["b\nb"].categories == ("x\nz", "x, y")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_found(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("naïve,b\né,1\nü,2\n".encode(encoding))
    table = read(path)
    assert table.names == ("naïve", "b") and table["naïve"].categories == ("é", "ü")


def test_windows_and_old_mac_line_ends(tmp_path):
    for ending in ("\r\n", "\r"):
        (tmp_path / "t.csv").write_bytes(ending.join(["a,b", "1,x", "2,y", ""]).encode())
        assert read(tmp_path / "t.csv").shape == (2, 2)


@pytest.mark.parametrize("pack", ["gz", "bz2", "xz", "zip"])
def test_compressed_text(tmp_path, pack):
    data, path = b"a,b\n1,x\n2,y\n", tmp_path / f"t.csv.{pack}"
    if pack == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", data)
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[pack].compress(data))
    assert read(path).shape == (2, 2)
    path.write_bytes(path.read_bytes()[:15])
    with pytest.raises(ValueError, match="not a whole"):
        read(path)


def test_a_column_that_turns_to_words_late_is_read_all_the_same(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000 + "x,2\n")
    table = read(path)
    assert table["a"].n_missing == 1 and any(n.code == "mixed" for n in table.notes)


def test_numpy_files(tmp_path):
    x = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", X=x, y=np.array([7.0, 8.5, 9.0]))
    assert_same(read(tmp_path / "x.npy"), read(x))
    assert read(tmp_path / "x.npz").names == ("X0", "X1", "y")


def test_arrays_of_all_sorts():
    assert read(np.array([1.5, 2.5])).names == ("x0",)
    assert_same(read(sparse.csr_matrix(np.diag([2.0, 3.0]))), read(np.diag([2.0, 3.0])))
    structured = np.array([(1.5, "a"), (2.5, "b")], dtype=[("u", float), ("v", "U1")])
    assert read(structured).names == ("u", "v") and read(structured).kinds == ("numeric", "categorical")
    assert read([[1, 2], [3, 5]]).shape == (2, 2)
    assert read(np.ma.filled(np.ma.array([1.0, 2.0]))).shape == (2, 1)


def test_pandas_in_its_odder_forms():
    frame = pd.DataFrame([[1.0, "a", 2], [2.0, "b", 3]], columns=["x", "x", 0], index=[7, 7])
    assert read(frame).names == ("x", "x.1", "0")
    ordered = pd.Categorical(["low", "high", "low"], categories=["low", "mid", "high"], ordered=True)
    assert read(pd.DataFrame({"c": ordered}))["c"].categories == ("low", "high")
    nullable = pd.DataFrame(
        {"i": pd.array([1, None, 3], dtype="Int64"), "s": pd.array(["a", None, "b"], dtype="string")}
    )
    assert [c.n_missing for c in read(nullable).columns()] == [1, 1]
    zoned = pd.DataFrame({"t": pd.to_datetime(["1970-01-01T01:00:00+01:00", "1970-01-01T02:00:00+01:00"])})
    assert read(zoned)["t"].values.tolist() == [0.0, 3600.0]
    assert read(pd.Series([1.0, 2.0], name="s")).names == ("s",)


def test_polars_in_its_odder_forms():
    frame = pl.DataFrame(
        {
            "day": pl.Series([0, 1, None], dtype=pl.Int32).cast(pl.Date),
            "wait": pl.Series([1, 2, 4], dtype=pl.Int64).cast(pl.Duration("ms")),
            "e": pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])),
            "c": pl.Series(["b", "a", "b"], dtype=pl.Categorical),
        }
    )
    table = read(frame)
    assert table.kinds == ("datetime", "numeric", "categorical", "categorical")
    assert table["day"].values[1] == 86400.0 and table["wait"].values[2] == 0.004
    assert_same(read(frame.lazy()), table)


def test_dask_frame():
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "g": ["a", "b", "a"]})
    assert_same(read(dd.from_pandas(frame, npartitions=2)), read(frame))


def test_columns_are_chosen_and_ordered():
    assert read("covey:adult", columns=["sex", "age"]).names == ("sex", "age")
    table = read("covey:german_credit")
    assert read(table) is table and read(table, columns=["age"]).names == ("age",)


def test_one_row_and_one_column():
    table = read({"x": [1.0], "g": ["a"]})
    assert table.shape == (1, 2) and table.kinds == ("numeric", "categorical")


def _files(folder):
    (folder / "empty.csv").write_bytes(b"")
    (folder / "blank.csv").write_bytes(b"\n\n")
    (folder / "header.csv").write_text("a,b\n")
    (folder / "ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    (folder / "junk.csv").write_bytes(np.random.default_rng(0).bytes(4096))
    (folder / "t.xlsx").write_bytes(b"PK")
    pq.write_table(pa.table({"a": list(range(999))}), folder / "cut.parquet")
    whole = (folder / "cut.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    np.save(folder / "cut.npy", np.arange(99.0))
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:200])
    np.save(folder / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    (folder / "cut.feather").write_bytes(b"ARROW1\0\0" + b"x" * 50)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("empty.csv", ValueError, "is empty"),
        ("blank.csv", ValueError, "is empty"),
        ("header.csv", ValueError, "header but no rows"),
        ("ragged.csv", ValueError, "line 3 has 3 cells where the header has 2"),
        ("junk.csv", ValueError, "binary data"),
        ("t.xlsx", ValueError, "no reader for '.xlsx'"),
        ("cut.parquet", ValueError, "not a whole .parquet"),
        ("cut.npy", ValueError, "not a whole NumPy"),
        ("objects.npy", ValueError, "holds objects"),
        ("cut.feather", ValueError, "not a whole .feather"),
        ("none.csv", FileNotFoundError, "no file"),
        ("", IsADirectoryError, "is a directory"),
    ],
)
def test_bad_files(tmp_path, name, error, message):
    _files(tmp_path)
    with pytest.raises(error, match=message):
        read(tmp_path / name)


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    def refuse(*_: object) -> None:  # root may read whatever its mode says
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(PermissionError, match=r"t\.csv may not be read"):
        read(path)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (np.zeros((2, 2, 2)), ValueError, "3 dimensions"),
        (np.zeros((0, 3)), ValueError, "no rows"),
        (np.zeros((3, 0)), ValueError, "no columns"),
        (np.array([1 + 2j]), TypeError, "complex"),
        ({"a": [1, 2], "b": [1]}, ValueError, "a 2, b 1"),
        ({}, ValueError, "no columns"),
        ({"a": 3}, TypeError, "'a' is one int"),
        ({"a": "abc"}, TypeError, "'a' is one str"),
        ([[1, 2], [3]], ValueError, "rows differ in length"),
        (object(), TypeError, "no reader for object"),
        ("covey:adlt", ValueError, "no bundled data set"),
        (pd.DataFrame(), ValueError, "no columns"),
        (pd.DataFrame({"a": []}), ValueError, "no rows"),
    ],
)
def test_bad_objects(source, error, message):
    with pytest.raises(error, match=message):
        read(source)


def test_unknown_columns_and_encodings(tmp_path):
    with pytest.raises(ValueError, match="columns: no column 'agee'; did you mean 'age'"):
        read("covey:adult", columns=["agee"])
    with pytest.raises(ValueError, match="kinds: no column 'agee'"):
        read("covey:adult", kinds={"agee": "numeric"})
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="no encoding 'utf-99'"):
        read(tmp_path / "t.csv", encoding="utf-99")


def test_declared_categories_stay_categories():
    frame = pd.DataFrame(
        {
            "digits": pd.Categorical(["3", "1", "3"]),
            "numbers": pd.Categorical([10, 9, 10]),
            "bins": pd.cut([1.0, 5.0, 9.0], [0, 3, 6, 10]),
            "truth": pd.Categorical([True, False, True]),
        }
    )
    table = read(frame)
    assert table.kinds == ("categorical", "categorical", "categorical", "boolean")
    assert [table[name].categories for name in ("digits", "numbers")] == [("1", "3"), ("9", "10")]
    assert table["bins"].labels().tolist() == ["(0, 3]", "(3, 6]", "(6, 10]"]
    arrow = frame.drop(columns="bins")
    assert_same(read(pa.Table.from_pandas(arrow)), read(arrow))


def test_periods_are_dates_and_masked_values_are_missing():
    table = read(pd.DataFrame({"month": pd.period_range("1970-01", periods=3, freq="M")}))
    assert table.kinds == ("datetime",) and table["month"].values.tolist() == [0.0, 31 * 86400.0, 59 * 86400.0]
    masked = read(np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [False, False]]))
    assert np.isnan(masked["x1"].values[0]) and masked["x0"].values.tolist() == [1.0, 3.0]


def test_decimal_commas_of_semicolon_files(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,5;2,345\n-2,25;3,456\n")
    assert read(path)["a"].values.tolist() == [1.5, -2.25]
    path.write_text("b\t c\n2,345\tx\n3,456\ty\n")  # may be thousands
    assert read(path).kinds == ("categorical", "categorical")


def test_a_parquet_file_is_read_only_where_wanted(tmp_path):
    table = pa.table({"a": [1.5, 2.5], "lists": [[1], [2]]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", columns=["a"]).names == ("a",)
    with pytest.raises(TypeError, match="'lists' holds list"):
        read(tmp_path / "t.parquet")


def test_a_table_can_be_given_other_kinds():
    table = read({"zip": [2139, 94110, 2139], "x": [0.5, 1.5, 2.5]})
    other = read(table, kinds={"zip": "categorical"})
    assert other.kinds == ("categorical", "numeric") and other["zip"].categories == ("2139", "94110")
    with pytest.raises(ValueError, match="kinds: no column 'zap'"):
        read(table, kinds={"zap": "numeric"})


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [(["a", "a"], ValueError, "'a' is named twice"), ([], ValueError, "at least one"), ("a", TypeError, "a list")],
)
def test_columns_must_be_a_list_of_different_names(columns, error, message):
    with pytest.raises(error, match=message):
        read({"a": [1.0, 2.0]}, columns=columns)


@pytest.mark.parametrize("value", [object(), 1j, b"bytes", {"a": 1}, [1]])
def test_values_that_are_no_scalars_are_refused_by_name(value):
    with pytest.raises(TypeError, match="column 'odd'"):
        read({"odd": [value, value]})


def test_a_separator_is_one_character(tmp_path):
    (tmp_path / "t.csv").write_text("a||b\n1||2\n")
    with pytest.raises(ValueError, match="sep must be one character"):
        read(tmp_path / "t.csv", sep="||")


@pytest.mark.parametrize("unit", ["W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_durations_of_any_unit_are_numbers(unit):
    steps = np.array([5, 3, 8, 3, 1, 9, 5, 2])
    column = read({"wait": steps.astype(f"timedelta64[{unit}]")})["wait"]
    assert column.kind == "numeric"
    np.testing.assert_allclose(column.values / column.values[4], steps)


def test_missing_durations():
    wait = np.array([5, "NaT", 8, 5], dtype="timedelta64[h]")
    assert read({"wait": wait})["wait"].n_missing == 1
