"""covey split and covey vfl, as a person runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_wine

from covey.cli._app import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Wine as a CSV file: 13 columns with two prefixes, and the class."""
    X, y = load_wine(return_X_y=True)
    names = [f"{'lab' if j < 7 else 'eye'}_{j}" for j in range(13)]
    path = tmp_path_factory.mktemp("data") / "wine.csv"
    lines = [",".join([*names, "class"])] + [",".join([*map(repr, map(float, row)), f"c{c}"]) for row, c in zip(X, y)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(table, tmp_path, capsys):
    assert main(["split", str(table), "--parties", "3", "--beta", "0.5", "--out", str(tmp_path / "s")]) == 0
    capsys.readouterr()
    return tmp_path / "s"


def split(table, out, *options):
    return main(["split", str(table), "--out", str(out), "--json", "--no-page", *options])


def failed(capsys, *words):
    error = capsys.readouterr().err.strip().splitlines()[-1]
    return all(word in error for word in words), error


def test_split_writes_files_a_manifest_and_a_page(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {"split.json", "split.html", "labels.parquet", *(f"party-{k}.parquet" for k in range(3))}
    facts = json.loads((folder / "split.json").read_text())["facts"]
    assert facts["beta_reached"] == pytest.approx(0.5, abs=0.05)


def test_the_target_is_guessed_aloud(table, tmp_path, capsys):
    assert split(table, tmp_path / "s", "--alpha", "1") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["target"] == "class"
    assert "target: 'class'" in output.err


def test_no_target(table, tmp_path, capsys):
    assert split(table, tmp_path / "s", "--no-target") == 0
    assert sum(len(p["columns"]) for p in json.loads(capsys.readouterr().out)["parties"]) == 14
    assert main(["vfl", "run", str(tmp_path / "s"), "-a", "linear"]) == 2
    assert failed(capsys, "holds a label")[0]


def test_real_splits(table, tmp_path, capsys):
    assert split(table, tmp_path / "p", "--prefix", "_") == 0
    assert [p["name"] for p in json.loads(capsys.readouterr().out)["parties"]] == ["lab", "eye"]
    (tmp_path / "m.json").write_text(json.dumps({"a": ["lab_0", "eye_9"], "b": ["lab_1"]}))
    assert split(table, tmp_path / "m", "--mapping", str(tmp_path / "m.json")) == 0
    assert [len(p["columns"]) for p in json.loads(capsys.readouterr().out)["parties"]] == [2, 1]


def test_sizes(table, tmp_path, capsys):
    assert split(table, tmp_path / "s", "-k", "3", "--beta", "0", "--sizes", "2,4,7") == 0
    assert [len(p["columns"]) for p in json.loads(capsys.readouterr().out)["parties"]] == [2, 4, 7]


def test_a_named_set_and_an_archive(tmp_path, capsys):
    X, y = load_wine(return_X_y=True)
    np.savez(tmp_path / "w.npz", X=X, y=y)
    assert split("wine", tmp_path / "a") == 0
    assert split(tmp_path / "w.npz", tmp_path / "b") == 0
    capsys.readouterr()
    assert main(["vfl", "run", str(tmp_path / "b"), "-a", "linear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] > 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "20"], ["n_parties", "13"]),
        (["--beta", "1.5"], ["beta", "1.5"]),
        (["--alpha", "0"], ["alpha"]),
        (["--alpha", "-1"], ["alpha"]),
        (["--target", "colour"], ["colour"]),
        (["--prefix", "_", "--beta", "0.5"], ["--prefix", "--beta"]),
        (["--prefix", "!"], ["prefix"]),
        (["--beta", "0.5", "--sizes", "1,2"], ["13"]),
        (["--beta", "0.5", "--sizes", "a"], ["--sizes a"]),
        (["--label-party", "9"], ["label holder"]),
    ],
)
def test_bad_splits_are_one_line_and_leave_nothing(table, tmp_path, capsys, options, words):
    assert split(table, tmp_path / "s", *options) == 2
    told, error = failed(capsys, *words)
    assert told, error
    assert not (tmp_path / "s" / "split.json").exists()


def test_evaluate(folder, tmp_path, capsys):
    assert main(["vfl", "evaluate", str(folder), "--page", str(tmp_path / "e.html")]) == 0
    assert "Icor" in capsys.readouterr().out
    assert "party-2" in (tmp_path / "e.html").read_text()
    assert main(["vfl", "evaluate", str(folder), "--no-importance", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["beta"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("algorithm", ["linear", "gbdt", "gal", "solo-gbdt", "pooled-linear"])
def test_run(folder, capsys, algorithm):
    assert main(["vfl", "run", str(folder), "--algorithm", algorithm, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["score"] > 0.6
    assert (result["training"]["bytes"] > 0) == (not algorithm.startswith("solo"))


def test_run_with_settings_and_leakage(folder, capsys):
    assert main(["vfl", "run", str(folder), "-a", "gbdt", "--set", "n_estimators=3", "--leakage"]) == 0
    output = capsys.readouterr().out
    assert "links in training" in output
    assert "<Leakage" in output


def test_a_checkpoint_is_taken_up(folder, tmp_path, capsys):
    run = [
        "vfl",
        "run",
        str(folder),
        "-a",
        "gbdt",
        "--set",
        "n_estimators=4",
        "--json",
        "--checkpoint",
        str(tmp_path / "c"),
    ]
    assert main(run) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(run) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["score"] == first["score"]
    assert second["training"] == first["training"]  # what was sent before counts
    assert (tmp_path / "c" / "party-0-step-4.npz").exists()


def test_rows_that_differ_are_told_and_can_be_joined(folder, capsys):
    import pyarrow.parquet as pq

    path = folder / "party-1.parquet"
    pq.write_table(pq.read_table(path).slice(10).take(np.random.default_rng(0).permutation(168)), path)
    assert main(["vfl", "run", str(folder), "-a", "linear"]) == 2
    assert failed(capsys, "party-1.parquet", "--align")[0]
    assert main(["vfl", "run", str(folder), "-a", "linear", "--align", "--json"]) == 0
    output = capsys.readouterr()
    assert sum(json.loads(output.out)["rows"].values()) == 168
    assert "168" in output.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-a", "svm"], ["no algorithm 'svm'"]),
        (["-a", "gbdt", "--set", "depth=3"], ["no setting 'depth'"]),
        (["-a", "gbdt", "--set", "depth"], ["key=value"]),
        (["-a", "gbdt", "--test-fraction", "1.0"], ["test fraction"]),
    ],
)
def test_bad_runs(folder, capsys, arguments, words):
    assert main(["vfl", "run", str(folder), *arguments]) == 2
    assert failed(capsys, *words)[0]


def test_another_version_and_no_split(folder, tmp_path, capsys):
    manifest = json.loads((folder / "split.json").read_text())
    (folder / "split.json").write_text(json.dumps(manifest | {"version": 7}))
    assert main(["vfl", "evaluate", str(folder)]) == 2
    assert failed(capsys, "version 7")[0]
    assert main(["vfl", "evaluate", str(tmp_path)]) == 2
    assert failed(capsys, "holds no split")[0]


def test_bench_resumes(tmp_path, capsys):
    run = ["vfl", "bench", "--data", "wine", "--algorithms", "linear,pooled-linear", "--alphas", "1", "--betas", "none"]
    run += ["-k", "3", "--out", str(tmp_path / "b"), "--json"]
    assert main(run) == 0
    first = json.loads(capsys.readouterr().out)
    assert len(first["cells"]) == 2
    assert "linear" in (tmp_path / "b" / "bench.html").read_text()
    assert main(run) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_bench_tells_what_failed(tmp_path, capsys):
    run = ["vfl", "bench", "--data", "wine", "--algorithms", "linear", "--alphas", "1", "--betas", "none"]
    assert main([*run, "-k", "14", "--out", str(tmp_path / "b")]) == 1
    assert "not done: linear on wine" in capsys.readouterr().err
