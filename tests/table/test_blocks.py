"""`iter_blocks`: the same rows in blocks, passes and partitions, in constant memory."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from covey.table import FeatureTable, iter_blocks, read


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 1000
    late = np.where(np.arange(n) < 700, "a", rng.choice(["b", "c"], n))
    x = rng.normal(size=n)
    x[::7] = np.nan
    return read({"x": x, "late": late.tolist(), "flag": (rng.random(n) < 0.5).tolist(), "k": rng.integers(0, 9, n)})


@pytest.fixture(scope="module", params=["parquet", "feather", "csv", "memory", "frame"])
def source(request, table, tmp_path_factory):
    import pandas as pd

    frame = pd.DataFrame({c.name: c.labels() for c in table.columns()})
    folder = tmp_path_factory.mktemp("blocks")
    if request.param == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), folder / "t.parquet", row_group_size=130)
        return folder / "t.parquet"
    if request.param == "feather":
        feather.write_feather(pa.Table.from_pandas(frame), folder / "t.feather", chunksize=130)
        return folder / "t.feather"
    if request.param == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        return folder / "t.csv"
    return table if request.param == "memory" else frame


def labels(blocks):
    blocks = list(blocks)
    return {name: np.concatenate([b[name].labels() for b in blocks]).tolist() for name in blocks[0].names}


def assert_rows(found, table):
    for name in found:
        expected = table[name].labels().tolist()
        for a, b in zip(found[name], expected, strict=True):
            assert a == b or (a != a and b != b), name


def test_blocks_hold_all_rows_again_and_again(source, table):
    blocks = iter_blocks(source, rows=64)
    for _ in range(2):
        assert_rows(labels(blocks), table)
    assert max(b.n_rows for b in blocks) <= 64
    assert blocks.n_rows in (None, 1000) and blocks.head().n_rows == 64


def test_codes_agree_between_blocks_even_when_categories_come_late(source):
    blocks = list(iter_blocks(source, rows=64))
    categories = [b["late"].categories for b in blocks]
    for earlier, later in itertools.pairwise(categories):
        assert later[: len(earlier)] == earlier
    assert (set(categories[-1]) == {"a", "b", "c"} and categories[0] == ("a",)) or len(categories[0]) == 3


def test_partitions_cover_the_rows_in_order_with_one_set_of_codes(source, table):
    parts = iter_blocks(source, rows=64).partitions(3)
    assert 1 <= len(parts) <= 3
    parts = [pickle.loads(pickle.dumps(p)) for p in parts]
    blocks = [b for p in parts for b in p]
    assert_rows(labels(blocks), table)
    assert {b["late"].categories for b in blocks} == {("a", "b", "c")}


def test_only_chosen_columns_are_read(source, table):
    blocks = iter_blocks(source, rows=300, columns=["k", "x"])
    assert blocks.names == ("k", "x") and blocks.kinds == ("numeric", "numeric")
    assert_rows(labels(blocks), table)


def test_a_block_is_a_feature_table(source):
    block = iter_blocks(source, rows=10).head()
    assert isinstance(block, FeatureTable) and block.kinds == ("numeric", "categorical", "boolean", "numeric")


def test_arrays_are_sliced_and_mapped(tmp_path):
    x = np.arange(20.0).reshape(10, 2)
    np.save(tmp_path / "x.npy", x)
    for source in (x, tmp_path / "x.npy"):
        blocks = iter_blocks(source, rows=3)
        assert blocks.n_rows == 10 and [b.n_rows for b in blocks] == [3, 3, 3, 1]
        np.testing.assert_array_equal(np.concatenate([b.numeric for p in blocks.partitions(4) for b in p]), x)


def test_words_that_identify_are_not_kept():
    blocks = iter_blocks({"u": [f"u{k}" for k in range(100)], "x": np.arange(100.0) ** 2}, rows=40)
    assert blocks.kinds[0] == "id" and {len(b["u"].categories) for b in blocks} == {1}


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="rows must be at least 1"):
        iter_blocks(np.zeros((3, 2)), rows=0)
    with pytest.raises(ValueError, match="columns: no column 'z'"):
        iter_blocks(np.zeros((3, 2)), columns=["z"])
    with pytest.raises(ValueError, match="k must be at least 1"):
        iter_blocks(np.zeros((3, 2))).partitions(0)
    pq.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="no rows"):
        iter_blocks(tmp_path / "none.parquet")
    (tmp_path / "late.csv").write_text("a\n" + "1\n" * 900_000 + "x\n")
    with pytest.raises(ValueError, match="cannot be streamed"):
        list(iter_blocks(tmp_path / "late.csv"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "big.parquet"
    schema = pa.schema([(f"x{k}", pa.float64()) for k in range(20)])
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(3):
            group = pa.table([rng.normal(size=1_000_000) for _ in range(20)], schema=schema)
            writer.write_table(group, row_group_size=1_000_000)
    code = (
        "import sys, covey.table\n"
        "def peak():\n"  # ru_maxrss would count what the parent had before
        "    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "before = peak()\n"
        "n = sum(b.n_rows for b in covey.iter_blocks(sys.argv[1], rows=20000))\n"
        "print(n, (peak() - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    rows, grown = map(int, done.stdout.split())
    assert rows == 3_000_000 and grown < 0.4 * path.stat().st_size
