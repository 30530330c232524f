"""Selectors fitted from blocks of rows: as in memory, on any engine, in little memory; what cannot says so."""

import logging
import os
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import covey
from covey.engine import LocalEngine, _reduce
from covey.select import (
    AssociationRanker,
    CardinalityAwareRanker,
    FunctionSelector,
    RankingSelector,
    RedundancyAware,
    StabilitySelection,
)
from covey.select._base import target_column
from covey.select._blocks import streaming_rankers
from covey.select.filters import relevance
from covey.table import BlockSource, iter_blocks, read

N = 20_000
TARGETS = ["amount", "label", "grade", "flag"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, N))
    amount = a + 0.5 * b**2 + 0.3 * rng.normal(size=N)
    return pd.DataFrame(
        {
            "a": np.where(rng.random(N) < 0.1, np.nan, a),
            "b": b,
            "noise": noise,
            "team": np.array(["red", "green", "blue"])[np.digitize(a + rng.normal(size=N), [-0.5, 0.5])],
            "late": np.where(np.arange(N) < 15_000, 1.0, noise),
            "flat": 2.0,
            "empty": np.nan,
            "comment": [f"comment {k} of a reader" for k in range(N)],
            "amount": amount,
            "label": np.where(amount > 1, "high", "low"),
            "grade": np.clip(np.floor(amount), -1, 3),
            "flag": (amount > 0).astype(float),
        }
    )


@pytest.fixture(scope="module")
def file(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "table.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=3000)
    return path


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 3000)


def in_memory(frame, target, **parameters):
    X = frame.drop(columns=TARGETS)
    return AssociationRanker(k="all", **parameters).fit(X, frame[target].to_numpy())


def streamed(source, target, engine=None, rows=2500, **parameters):
    names = [name for name in pq.read_schema(source).names if name not in TARGETS or name == target]
    blocks = iter_blocks(source, rows=rows, columns=names)
    return AssociationRanker(k="all", engine=engine, **parameters).fit(blocks, target)


TOLERANCE = {
    "auto": 2e-3,
    "mutual_information": 2e-3,
    "theils_u": 2e-3,
    "cramers_v": 5e-3,
    "distance_correlation": 2e-3,
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("measure", TOLERANCE)
def test_blocks_give_the_ranking_of_memory(frame, file, target, measure):
    memory, blocks = in_memory(frame, target, measure=measure), streamed(file, target, measure=measure)
    np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=TOLERANCE[measure])
    assert blocks.feature_names_in_.tolist() == memory.feature_names_in_.tolist()
    assert blocks.reasons_ == memory.reasons_ and blocks.n_features_in_ == 8
    assert memory.ranking_[:2].tolist() == blocks.ranking_[:2].tolist()


def test_sums_and_columns_of_few_values_are_exact(frame, file):
    memory, blocks = in_memory(frame, "amount", measure="pearson"), streamed(file, "amount", measure="pearson")
    np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=1e-9)
    rng = np.random.default_rng(0)
    few = pd.DataFrame({f"x{k}": rng.integers(0, 9, 5000).astype(float) for k in range(4)})
    few["y"] = (few["x0"] + rng.integers(0, 4, 5000)) % 5
    memory = AssociationRanker(k="all").fit(few.drop(columns="y"), few["y"])
    blocks = AssociationRanker(k="all").fit(iter_blocks(few, rows=700), "y")
    np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=1e-12)


def test_workers_do_not_change_a_bit(file, small_partitions):
    one, three = (streamed(file, "label", engine=LocalEngine(k)).scores_ for k in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_the_kind_of_the_target_is_that_of_memory(frame, file):
    for kind in ("numeric", "categorical"):
        memory = in_memory(frame, "grade", target_kind=kind, measure="theils_u")
        blocks = streamed(file, "grade", target_kind=kind, measure="theils_u")
        np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=2e-3)
    assert not np.allclose(
        memory.scores_[0], in_memory(frame, "grade", target_kind="numeric", measure="auto").scores_[0]
    )
    whole = read(frame)
    blocks = AssociationRanker(k="all").fit(iter_blocks(whole, rows=3000), "grade")  # typed columns, in memory
    assert blocks.scores_[:3] == pytest.approx(in_memory(frame, "grade").scores_[:3], abs=2e-3)


def test_redundancy_aware_selection_of_blocks(frame, file):
    names = ["a", "b", "noise", "team", "amount"]
    X = frame[names[:4]].assign(copy=frame["a"])
    path = file.with_name("copies.parquet")
    pq.write_table(pa.Table.from_pandas(X.assign(amount=frame["amount"])), path, row_group_size=3000)
    for redundancy in ("auto", "theils_u"):
        memory = RedundancyAware(redundancy=redundancy, k=4).fit(X, frame["amount"])
        blocks = RedundancyAware(redundancy=redundancy, k=4).fit(iter_blocks(path, rows=2500), "amount")
        np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=5e-3)
        assert blocks.ranking_.tolist() == memory.ranking_.tolist()
    with pytest.raises(ValueError, match="'pearson' does not apply to a categorical and a categorical"):
        RedundancyAware(redundancy="pearson", k=2).fit(iter_blocks(path), "amount")


def test_memory_stays_that_of_a_few_blocks(tmp_path):
    rng = np.random.default_rng(0)
    n, path = 300_000, tmp_path / "long.parquet"
    x = {f"f{j}": rng.normal(size=n) for j in range(6)}
    pq.write_table(pa.table(x | {"y": x["f0"] + rng.normal(size=n)}), path, row_group_size=20_000)
    ranker = AssociationRanker("spearman", k=1, engine=LocalEngine(1))
    ranker.fit(iter_blocks(path, rows=10_000), "y")  # compiles
    tracemalloc.start()
    ranker.fit(iter_blocks(path, rows=10_000), "y")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ranker.get_feature_names_out().tolist() == ["f0"]
    assert peak < 8 * n * 7 / 2  # half of the table


def test_text_files_and_dask_frames(frame, tmp_path):
    path = tmp_path / "table.csv"
    few = frame[["a", "noise", "team", "label"]]
    few.to_csv(path, index=False)
    memory = AssociationRanker(k="all").fit(few.drop(columns="label"), few["label"])
    blocks = AssociationRanker(k=1).fit(iter_blocks(path, rows=3000), "label")
    np.testing.assert_allclose(blocks.scores_, memory.scores_, atol=2e-3)
    dd = pytest.importorskip("dask.dataframe")
    lazy = dd.from_pandas(few, npartitions=4)
    lazily = AssociationRanker(k=1).fit(lazy, "label")
    np.testing.assert_allclose(lazily.scores_, blocks.scores_, atol=2e-3)
    assert list(lazily.transform(lazy).columns) == ["a"] and lazily.transform(lazy).npartitions == 4


def test_targets_that_show_their_kind_late_or_are_dates(tmp_path):
    rng = np.random.default_rng(0)
    n = 4000
    x = rng.normal(size=n)
    late = np.where(np.arange(n) < 2000, 0.0, np.digitize(x, [-0.5, 0.5]))  # one class in the first blocks
    fine = np.where(np.arange(n) < 2000, np.round(x), x)  # whole numbers in the first blocks
    day = np.datetime64("2020-01-01", "s") + (1e5 * (x + rng.normal(size=n))).astype("timedelta64[s]")
    frame = pd.DataFrame({"x": x, "late": late, "fine": fine, "day": day})
    path = tmp_path / "late.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=500)
    for target in ("late", "fine", "day"):
        memory = AssociationRanker(k=1).fit(frame[["x"]], frame[target])
        blocks = AssociationRanker(k=1).fit(iter_blocks(path, rows=500, columns=["x", target]), target)
        assert blocks.scores_ == pytest.approx(memory.scores_, abs=2e-3) and memory.scores_[0] > 0.4
    with pytest.raises(ValueError, match="target must be the name"):
        relevance(iter_blocks(path), target_column(late))
    named = relevance(read(frame[["x", "fine"]]), "fine").values
    assert named == pytest.approx(AssociationRanker(k=1).fit(frame[["x"]], fine).scores_)


def test_transform_keeps_blocks(file):
    ranker = AssociationRanker(k=2).fit(iter_blocks(file, columns=["noise", "b", "a", "amount"]), "amount")
    out = ranker.transform(iter_blocks(file, rows=5000))
    assert isinstance(out, BlockSource) and out.names == ("b", "a")
    assert sum(block.n_rows for block in out) == N
    whole = ranker.transform(pd.DataFrame({"noise": [0.0], "b": [1.0], "a": [2.0]}))
    assert whole.columns.tolist() == ["b", "a"]
    with pytest.raises(ValueError, match="lacks the columns 'a'"):
        ranker.transform(iter_blocks(file, columns=["noise", "b"]))


def test_errors_name_the_argument_and_the_mend(frame, file):
    blocks = iter_blocks(file, columns=["a", "b", "noise", "comment", "flat", "label"])
    with pytest.raises(ValueError, match=r"StabilitySelection needs all rows at once.*use one of .*AssociationRanker"):
        StabilitySelection(AssociationRanker()).fit(blocks, "label")
    with pytest.raises(ValueError, match="FunctionSelector needs all rows at once"):
        FunctionSelector(lambda X, y, association=None: np.zeros(3)).fit(blocks, "label")
    with pytest.raises(ValueError, match="kendall is no sum over rows"):
        AssociationRanker("kendall").fit(blocks, "label")
    with pytest.raises(ValueError, match="did you mean 'label'"):
        AssociationRanker().fit(blocks, "lable")
    with pytest.raises(ValueError, match="y must be the name of one of its columns"):
        AssociationRanker().fit(blocks, frame["label"])
    with pytest.raises(ValueError, match="requires y"):
        AssociationRanker().fit(blocks)
    with pytest.raises(ValueError, match="y: 'flat' has a single value"):
        AssociationRanker().fit(blocks, "flat")
    with pytest.raises(ValueError, match=r"y: 'a' has \d+ missing values"):
        AssociationRanker().fit(blocks, "a")
    with pytest.raises(ValueError, match="y: 'comment' is"):
        AssociationRanker().fit(blocks, "comment")
    with pytest.raises(ValueError, match="y: 'label' holds words"):
        AssociationRanker(target_kind="numeric").fit(blocks, "label")
    with pytest.raises(ValueError, match="y: 'b' has more than 2048 distinct"):
        AssociationRanker(target_kind="categorical").fit(blocks, "b")
    with pytest.raises(ValueError, match="target_kind must be"):
        AssociationRanker(target_kind="words").fit(blocks, "b")
    with pytest.raises(ValueError, match="'pearson' does not apply to a categorical y"):
        AssociationRanker("pearson").fit(iter_blocks(file, columns=["a", "b", "grade"]), "grade")
    with pytest.raises(ValueError, match="k=9 is larger"):
        AssociationRanker(k=9).fit(blocks, "label")
    with pytest.warns(UserWarning, match="class.* of one row"):
        AssociationRanker(k="all").fit(iter_blocks({"a": [1.0, 2.0, 3.0], "y": ["p", "p", "q"]}), "y")


def test_a_ranker_joins_by_one_method(file):
    class Means(RankingSelector):
        _supervised, _mixed = False, False

        def __init__(self, k="all", threshold=None):
            self.k, self.threshold = k, threshold

        def _score(self, table, target, association):
            return np.nanmean(table.numeric, axis=0)

        def _score_blocks(self, source, target, association):
            total = sum(np.nansum(block.numeric, axis=0) for block in source)
            return total / sum((~np.isnan(block.numeric)).sum(axis=0) for block in source)

    blocks = iter_blocks(file, columns=["a", "flat", "b", "amount"], rows=3000)
    streamed = Means().fit(blocks)
    assert Means.streams() and "AssociationRanker" in streaming_rankers()
    np.testing.assert_allclose(streamed.scores_, Means().fit(covey.read(file).select(list(blocks.names))).scores_)
    with pytest.raises(ValueError, match="needs numbers, but 'team' hold categories"):
        Means().fit(iter_blocks(file, columns=["a", "team"]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_dask_cluster_gives_the_same_scores(file, small_partitions):
    distributed = pytest.importorskip("distributed")
    options = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(
        2, threads_per_worker=1, processes=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}, **options
    ) as cluster:
        engine = f"dask://{cluster.scheduler_address.removeprefix('tcp://')}"
        for target in ("amount", "grade"):
            there = streamed(file, target, engine=engine)
            np.testing.assert_array_equal(there.scores_, streamed(file, target).scores_)
            assert there.reasons_ == streamed(file, target).reasons_
        blocks = iter_blocks(file, rows=2500, columns=["a", "team", "late", "label"])
        there = CardinalityAwareRanker(k="all", engine=engine).fit(blocks, "label")
        here = CardinalityAwareRanker(k="all").fit(blocks, "label")
        np.testing.assert_array_equal(there.scores_, here.scores_)
        whole = read(file).select(["a", "team", "noise"]), read(file)["label"]
        for ranker in (AssociationRanker, CardinalityAwareRanker):
            np.testing.assert_array_equal(
                ranker(k="all", engine=engine).fit(*whole).scores_, ranker(k="all").fit(*whole).scores_
            )
