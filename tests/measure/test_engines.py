"""`associate` gives the same matrix in memory, over row blocks, and on a Dask cluster that reads for itself."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import covey
from covey.cli import main


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rng = np.random.default_rng(0)
    n = 30_000
    x = rng.normal(size=n)
    gaps = np.where(rng.random(n) < 0.1, np.nan, x**2 + rng.normal(size=n))
    table = pa.table(
        {
            "x": x,
            "curve": pa.array(gaps, from_pandas=True),
            "heavy": rng.standard_cauchy(n),
            "big": 1e9 + x + rng.normal(size=n),
            "sign": pa.array(np.where(x > 0, "up", "down")),
            "late": pa.array(np.where(np.arange(n) < 25_000, "a", "b")),
        }
    )
    path = tmp_path_factory.mktemp("engines") / "t.parquet"
    pq.write_table(table, path, row_group_size=4000)
    return path


MEASURES = {
    "pearson": 1e-12,
    "spearman": 1e-4,
    "auto": 2e-3,
    "distance_correlation": 2e-3,
    "mutual_information": 2e-3,
    "theils_u": 2e-3,
    "cramers_v": 5e-3,
    "correlation_ratio": 1e-10,
    "hsic": 5e-3,
}


@pytest.mark.parametrize("name", MEASURES)
def test_streamed_equals_in_memory(file, name):
    whole = covey.associate(file, measure=name)
    streamed = covey.associate(covey.iter_blocks(file, rows=3000), measure=name)
    assert streamed.rows == whole.rows and streamed.info["rows"] == 30_000
    np.testing.assert_allclose(streamed.values, whole.values, atol=MEASURES[name])
    np.testing.assert_array_equal(streamed.reasons, whole.reasons)
    defined = ~np.isnan(whole.values)
    np.testing.assert_array_equal(streamed.n[defined], whole.n[defined])
    if whole.sign is not None:
        np.testing.assert_array_equal(streamed.sign, whole.sign)


def test_streamed_with_a_target(file):
    whole = covey.associate(file, measure="auto", target="sign")
    streamed = covey.associate(covey.iter_blocks(file, rows=3000), measure="auto", target="sign")
    assert streamed.columns == ("sign",) and streamed.rows == whole.rows
    np.testing.assert_allclose(streamed.values, whole.values, atol=2e-3)


@pytest.mark.parametrize("name", ["kendall", "chatterjee_xi", "distance_correlation_exact", "partial_correlation"])
def test_what_cannot_stream_says_so(file, name):
    with pytest.raises(ValueError, match=f"{name} is no sum over rows"):
        covey.associate(covey.iter_blocks(file), measure=name)


def test_a_stream_takes_no_second_table(file):
    with pytest.raises(ValueError, match="cannot be streamed"):
        covey.associate(covey.iter_blocks(file), np.zeros((30_000, 1)))


@pytest.mark.slow
def test_dask_gives_the_same_matrix_and_serves_the_shell(file, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        engine = covey.DaskEngine(cluster.scheduler_address)
        for name in ("pearson", "spearman", "auto"):
            source = covey.iter_blocks(file, rows=3000)
            local = covey.associate(source, measure=name, engine="local")
            spread = covey.associate(source, measure=name, engine=engine)
            np.testing.assert_array_equal(spread.values, local.values)
        for name in ("kendall", "correlation_ratio", "auto"):  # whole tables, too
            here = covey.associate(file, measure=name, target="x", engine="local")
            there = covey.associate(file, measure=name, target="x", engine=engine)
            np.testing.assert_array_equal(there.values, here.values)
            assert not np.isnan(here.values).all()
        address = cluster.scheduler_address.removeprefix("tcp://")
        assert main(["associate", str(file), "--measure", "pearson", "--engine", f"dask://{address}", "--json"]) == 0
        pairs = json.loads(capsys.readouterr().out)["pairs"]
        value = next(p["value"] for p in pairs if {p["left"], p["right"]} == {"x", "big"})
        assert value == pytest.approx(covey.associate(file, measure="pearson")["x", "big"], abs=1e-12)
