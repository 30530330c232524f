from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from covey.measure import AssociationMatrix, associate
from covey.measure import _export as export
from tests.measure._mixed import mixed_columns, number, table, with_gaps

BLOCKS = ("values", "n", "reasons", "pvalues", "sign", "error_bound")
FIELDS = ("measure", "rows", "columns", "row_kinds", "column_kinds", "symmetric", "two_sets")


def matrices():
    data = table(*with_gaps(mixed_columns(100), 0.1), number("one", np.ones(100), "constant"))
    return {
        "square": associate(data),
        "asymmetric": associate(data, measure="theils_u"),
        "bound": associate(data, measure="distance_correlation", pvalues=False),
        "target": associate(data, target="team"),
        "two sets": associate(data.select(["normal", "team"]), data),
    }


@pytest.mark.parametrize("name", matrices())
def test_round_trip(name, tmp_path):
    matrix = matrices()[name]
    matrix.save(tmp_path / "m.parquet")
    again = AssociationMatrix.load(str(tmp_path / "m.parquet"))
    for block in BLOCKS:
        old, new = getattr(matrix, block), getattr(again, block)
        if old is None:
            assert new is None
        else:
            assert new.dtype == old.dtype
            np.testing.assert_array_equal(new, old)
    for field in FIELDS:
        assert getattr(again, field) == getattr(matrix, field)
    assert again.info == dict(matrix.info)
    assert again.top(5) == matrix.top(5) and again.is_square == matrix.is_square
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_a_matrix_of_no_pair(tmp_path):
    matrix = associate(np.random.default_rng(0).normal(size=(9, 1)), target="x0")
    assert matrix.shape == (0, 1)
    matrix.save(tmp_path / "m.parquet")
    assert AssociationMatrix.load(tmp_path / "m.parquet").shape == (0, 1)


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.parquet"
    matrices()["square"].save(path)
    before = path.read_bytes()

    def half(table, where):
        where.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="No space"):
        matrices()["target"].save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_files_that_are_no_matrix(tmp_path):
    junk, other = tmp_path / "junk.parquet", tmp_path / "other.parquet"
    junk.write_bytes(b"no parquet at all")
    pq.write_table(pa.table({"x": [1, 2]}), other)
    with pytest.raises(ValueError, match="no Parquet file"):
        AssociationMatrix.load(junk)
    with pytest.raises(ValueError, match="no association matrix"):
        AssociationMatrix.load(other)
    with pytest.raises(FileNotFoundError):
        AssociationMatrix.load(tmp_path / "absent.parquet")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        matrices()["square"].save(tmp_path / "absent" / "m.parquet")


def test_frames_in_polars(monkeypatch):
    polars = pytest.importorskip("polars")
    matrix = matrices()["two sets"]
    monkeypatch.setattr(export, "find_spec", lambda name: name == "polars" or None)
    pairs, square = matrix.to_pairs(), matrix.to_frame()
    assert isinstance(pairs, polars.DataFrame) and pairs.columns[:3] == ["left", "right", "value"]
    assert square.columns == ["feature", *matrix.columns]


def test_frames_without_pandas(monkeypatch):
    matrix = matrices()["two sets"]
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    pairs, square = matrix.to_pairs(), matrix.to_frame()
    assert pairs.column_names[:3] == ["left", "right", "value"] and pairs.num_rows == 2 * len(matrix.columns)
    assert square.column_names == ["feature", *matrix.columns]
    assert square["feature"].to_pylist() == ["normal", "team"]
    np.testing.assert_array_equal(square["team"].to_numpy(), matrix.values[:, matrix.columns.index("team")])
