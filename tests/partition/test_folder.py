"""A split on disk: what is written comes back, and what is wrong is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

import covey
from covey.partition._folder import LABELS, MANIFEST, read_manifest, read_mapping, write_split
from covey.partition._partition import Partition
from covey.table import Column, FeatureTable

TARGET = "income-per-year"


@pytest.fixture(scope="module")
def adult():
    return covey.read("covey:adult").sample(300)


@pytest.fixture
def folder(adult, tmp_path):
    names = [name for name in adult.names if name != TARGET]
    partition = Partition.from_labels([j % 3 for j in range(len(names))], names)
    write_split(tmp_path / "split", adult, partition, TARGET, label_party=1, facts={"beta": 0.5})
    return tmp_path / "split"


def test_columns_and_labels_come_back(folder, adult):
    manifest = read_manifest(folder)
    parties, y = manifest.read_all()
    assert (manifest.label, manifest.label_party, manifest.facts) == (TARGET, 1, {"beta": 0.5})
    assert y.tolist() == adult[TARGET].labels().tolist()
    for k, X in enumerate(parties):
        assert X.names == manifest.partition.columns(k)
        for name in X.names:
            before, after = adult[name].labels(), X[name].labels()
            same = [a == b or (a != a and b != b) for a, b in zip(before, after)]
            assert all(same), name


def test_each_file_holds_only_its_own_columns(folder):
    import pyarrow.parquet as pq

    manifest = read_manifest(folder)
    for k, file in enumerate(manifest.files):
        assert pq.read_schema(folder / file).names == ["row_id", *manifest.columns[k]]
    assert pq.read_schema(folder / LABELS).names == ["row_id", TARGET]


def test_missing_values_stay_missing(tmp_path):
    table = FeatureTable.from_columns(
        [
            Column("a", "numeric", np.array([1.0, np.nan, 3.0])),
            Column("b", "categorical", np.array([0, -1, 1], dtype=np.int32), ("u", "v")),
            Column("t", "numeric", np.array([0.0, 1.0, 0.0])),
        ]
    )
    write_split(tmp_path, table, Partition.from_labels([0, 1], ["a", "b"]), "t")
    (a, b), _ = read_manifest(tmp_path).read_all()
    assert np.isnan(a["a"].values).tolist() == [False, True, False]
    assert b["b"].labels().tolist() == ["u", None, "v"]


def test_a_party_may_have_no_column(tmp_path, adult):
    write_split(tmp_path, adult.select(["age", TARGET]), Partition.from_labels([1], ["age"], n_parties=2), TARGET)
    parties, y = read_manifest(tmp_path).read_all()
    assert [X.shape for X in parties] == [(300, 0), (300, 1)]
    assert len(y) == 300


def test_a_split_without_labels_says_so_when_they_are_asked_for(tmp_path, adult):
    write_split(tmp_path, adult, Partition.from_labels([0] * 15, adult.names), None)
    with pytest.raises(ValueError, match="holds a label"):
        read_manifest(tmp_path).read_labels()


def test_other_rows_are_told(folder, adult):
    partition = Partition.from_mapping({"x": ["age"]}, ["age"])
    other = write_split(folder.parent / "other", adult, partition, TARGET, ids=np.arange(300) + 7)
    (other.folder / "party-0.parquet").replace(folder / "party-0.parquet")
    manifest = read_manifest(folder)
    object.__setattr__(manifest, "columns", (("age",), *manifest.columns[1:]))
    with pytest.raises(ValueError, match=r"party-0\.parquet and labels\.parquet differ in 14 row ids"):
        manifest.read_all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable"),
        ('{"format": "x"}', "no manifest"),
        ('{"format": "covey-split", "version": 9}', "version 9"),
        ('{"format": "covey-split", "version": 1}', "lacks"),
    ],
)
def test_a_broken_manifest_is_told(folder, content, message):
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(folder)


def test_no_split_here(tmp_path):
    with pytest.raises(ValueError, match="holds no split"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("target", "label_party", "message"),
    [("nothing", 0, "no column 'nothing'"), ("age", 0, "holds the target 'age'"), (TARGET, 2, "parties 0 to 1")],
)
def test_bad_arguments_write_nothing(tmp_path, adult, target, label_party, message):
    partition = Partition.from_labels([0, 1], ["age", "fnlwgt"])
    with pytest.raises(ValueError, match=message):
        write_split(tmp_path / "new", adult, partition, target, label_party=label_party)
    assert not (tmp_path / "new").exists()


def test_an_unfinished_folder_is_no_split(folder, adult):
    """The manifest goes first and comes last, so that half a split is never read."""
    partition = Partition.from_labels([0, 1], ["age", "fnlwgt"])
    broken = adult.take(slice(None))
    with pytest.raises(Exception, match="length"):
        write_split(folder, broken, partition, TARGET, ids=np.arange(3))
    assert not (folder / MANIFEST).exists()


def test_a_file_that_lacks_a_column_is_named(folder):
    content = json.loads((folder / MANIFEST).read_text())
    content["parties"][0]["columns"].append("salary")
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"party-0\.parquet: no column 'salary'"):
        read_manifest(folder).read_party(0)


def test_mapping_files(tmp_path):
    (tmp_path / "m.json").write_text('{"bank": ["age", "debt"], "shop": ["visits"]}')
    (tmp_path / "m.csv").write_text("feature,party\nage,bank\ndebt,bank\nvisits,shop\n")
    (tmp_path / "bad.json").write_text('["age"]')
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    wanted = {"bank": ["age", "debt"], "shop": ["visits"]}
    assert read_mapping(tmp_path / "m.json") == wanted
    assert read_mapping(tmp_path / "m.csv") == wanted
    for bad in ("bad.json", "bad.csv"):
        with pytest.raises(ValueError, match="must"):
            read_mapping(tmp_path / bad)
