"""covey vfl evaluate, run and bench: what they say, what they keep, and one line for every mistake."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from covey.cli import main
from covey.partition import bench as bench_module
from covey.partition import read_manifest
from covey.partition._vertical import Checkpoint
from tests.cli.toy import N_ROWS, NAMES, classes, features, run, write_csv


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("data") / "t.csv")


@pytest.fixture(scope="module")
def made(table, tmp_path_factory):
    """A split by prefix into bank, shop and tel; shop holds the label. Not to be written to."""
    folder = tmp_path_factory.mktemp("split") / "parties"
    assert main(["split", str(table), "--out", str(folder), "--prefix", "_", "--label-party", "1", "--no-page"]) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "parties")


@pytest.fixture
def vfl(capsys):
    return lambda *arguments: run(capsys, "vfl", *arguments)


def edit(folder, **changes):
    path = folder / "split.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(path, change):
    pq.write_table(change(pq.read_table(path)), path)


# --- evaluate


def test_evaluate_tells_a_person(vfl, made):
    ran = vfl("evaluate", made)
    assert ran.code == 0
    for word in ("bank 2, shop 2, tel 2", "Icor (spearman)", "beta", "importance", "alpha", "rv between", "Pcor"):
        assert word in ran.out


def test_evaluate_tells_a_program_the_same(vfl, made):
    said = vfl("evaluate", made, "--json").json
    assert said["parties"]["shop"] == ["shop_c", "shop_d"]
    assert said["beta"] == pytest.approx(0.0, abs=1e-9)  # columns that go together lie together
    assert said["icor"] == pytest.approx(said["bounds"][0])
    shares = said["importance"]["shares"]
    assert shares[2] == min(shares) and sum(shares) == pytest.approx(1.0)
    assert said["alpha"]["alpha"] > 0


def test_evaluate_leaves_out_what_is_not_asked_for(vfl, made):
    said = vfl("evaluate", made, "--json", "--no-importance", "--no-bounds").json
    assert said["importance"] is said["alpha"] is said["bounds"] is said["beta"] is None
    assert np.shape(said["pcor"]) == (3, 3)


def test_bounds_hold_for_the_measure_that_they_were_found_with(vfl, capsys, table, tmp_path):
    """A split knows its bounds; another measure has others."""
    split = tmp_path / "s"
    made = run(capsys, "split", table, "--out", split, "-k", "2", "--beta", "0.5", "--no-page", "--json").json["facts"]
    same, other = (
        vfl("evaluate", split, "--no-importance", "--json", *more).json for more in ((), ("--correlation", "pearson"))
    )
    assert same["bounds"] == made["icor_bounds"] and same["beta"] == pytest.approx(made["beta_reached"])
    assert other["correlation"] == "pearson"
    assert other["bounds"] != made["icor_bounds"]
    assert other["bounds"][0] <= other["icor"] <= other["bounds"][1]


def test_evaluate_draws_a_page(vfl, made, tmp_path):
    ran = vfl("evaluate", made, "--page", tmp_path / "e.html")
    page = (tmp_path / "e.html").read_text()
    assert all(word in page for word in (*NAMES, "bank", "alpha of the importances"))
    assert str((tmp_path / "e.html").resolve()) in ran.out


def test_evaluate_without_a_label(vfl, capsys, table, tmp_path):
    split = tmp_path / "s"
    assert run(capsys, "split", table, "--out", split, "-k", "2", "--no-target", "--no-page").code == 0
    said = vfl("evaluate", split, "--json").json
    assert said["importance"] is None
    assert said["correlation"] == "auto"


@pytest.mark.parametrize(
    "held",
    [
        {"one": NAMES},
        {name: [name] for name in NAMES},
        {"us": ["bank_a", "shop_c"], "them": ["bank_a", "tel_e"]},
        {"us": ["bank_a", "shop_c"], "nobody": []},
    ],
)
def test_beta_is_null_where_no_split_of_these_sizes_differs(vfl, capsys, table, tmp_path, held):
    """One party, parties of one column, columns held twice, a party without a column."""
    (tmp_path / "m.json").write_text(json.dumps(held))
    assert run(capsys, "split", table, "--out", tmp_path / "s", "--mapping", tmp_path / "m.json").code == 0
    said = vfl("evaluate", tmp_path / "s", "--page", tmp_path / "e.html", "--json").json
    assert said["beta"] is said["bounds"] is None
    assert sum(said["importance"]["shares"]) == pytest.approx(1.0)
    assert (tmp_path / "e.html").exists()


def test_parties_of_one_column_keep_null_bounds_out_of_beta(vfl, capsys, table, tmp_path):
    split = tmp_path / "s"
    assert run(capsys, "split", table, "--out", split, "-k", "6", "--beta", "0.5", "--no-page").code == 0
    assert vfl("evaluate", split, "--no-importance", "--json").json["beta"] is None


def test_evaluate_names_columns_without_a_correlation(vfl, capsys, tmp_path):
    odd = write_csv(tmp_path / "o.csv", flat=[1] * N_ROWS, void=[""] * N_ROWS, label=classes())
    assert run(capsys, "split", odd, "--out", tmp_path / "s", "-k", "2", "--no-page").code == 0
    ran = vfl("evaluate", tmp_path / "s", "--no-importance", "--no-bounds", "--json")
    assert sorted(ran.json["undefined"]) == ["flat", "void"]
    assert "note: correlations of" in ran.err
    assert vfl("run", tmp_path / "s", "-a", "linear", "--json").json["score"] > 0.8


# --- run


@pytest.mark.parametrize("algorithm", ["linear", "gbdt", "gal", "solo-gbdt", "pooled-linear"])
def test_run(vfl, made, algorithm):
    said = vfl("run", made, "--algorithm", algorithm, "--json").json
    assert said["algorithm"] == algorithm
    assert said["rows"] == {"train": 120, "test": 40}
    assert said["metric"] == "accuracy"
    assert said["score"] > (0.5 if "solo" in algorithm else 0.75)
    for part in ("training", "prediction"):
        assert (said[part]["bytes"] > 0) == ("solo" not in algorithm)
        assert said[part]["bytes"] == sum(link["bytes"] for link in said[part]["links"])
    assert said["loss"][-1] < said["loss"][0]


def test_help_beats_the_label_holder_alone(vfl, made):
    alone, helped = (vfl("run", made, "-a", name, "--json").json["score"] for name in ("solo-linear", "linear"))
    assert helped > alone + 0.1


def test_a_network(vfl, made):
    pytest.importorskip("torch")
    small = [part for key in ("hidden=[4]", "cut=4", "fusion=[4]", "n_epochs=2") for part in ("--set", key)]
    said = vfl("run", made, "-a", "splitnn", *small, "--json").json
    assert len(said["loss"]) == 2
    assert {(link["from"], link["to"]) for link in said["training"]["links"]} == {(0, 1), (1, 0), (2, 1), (1, 2)}


def test_run_tells_a_person_with_the_parties_names(vfl, made):
    ran = vfl("run", made, "-a", "gbdt", "--set", "n_estimators=3", "--leakage")
    for word in ("gbdt: 3 parties", "accuracy on 40 test rows", "links in training", "bank", "tel", "<Leakage"):
        assert word in ran.out


def test_settings_reach_the_algorithm(vfl, made):
    three, five = (
        vfl("run", made, "-a", "gbdt", "--set", f"n_estimators={n}", "--set", "max_depth=2", "--json").json
        for n in (3, 5)
    )
    assert (len(three["loss"]), len(five["loss"])) == (3, 5)
    assert three["training"]["bytes"] < five["training"]["bytes"]


def test_a_setting_may_replace_seed_and_task(vfl, made):
    ran = vfl("run", made, "-a", "linear", "--set", "task=regression", "--set", "random_state=3")
    assert ran.code == 2
    assert "regression needs labels that are numbers" in ran.told


def test_regression(vfl, capsys, tmp_path):
    price = features() @ np.arange(1, 7)
    table = write_csv(tmp_path / "r.csv", price=[f"{value:.5f}" for value in price])
    assert run(capsys, "split", table, "--out", tmp_path / "s", "-k", "2", "--no-page").code == 0
    said = vfl("run", tmp_path / "s", "-a", "linear", "--json").json
    assert said["metric"] == "R2"
    assert said["score"] > 0.95


def test_the_seed_draws_the_test_rows(vfl, made):
    first, second, other = (vfl("run", made, "-a", "linear", "--json", "--seed", s).json["loss"] for s in (0, 0, 1))
    assert first == second != other


def test_leakage(vfl, made):
    linear, solo = (
        vfl("run", made, "-a", name, "--leakage", "--json").json["leakage"] for name in ("linear", "solo-linear")
    )
    assert linear["feature_leakage"] > 0.5
    assert (solo["feature_leakage"], solo["label_leakage"]) == (0.0, 0.5)


# --- rows that the parties do not share


def shift(folder, file, n_dropped):
    """Drop a party's first rows and put the others in another order."""
    order = np.random.default_rng(0).permutation(N_ROWS - n_dropped)
    rewrite(folder / file, lambda rows: rows.slice(n_dropped).take(order))


def test_rows_in_common_are_joined(vfl, folder):
    shift(folder, "party-0.parquet", 10)
    shift(folder, "party-2.parquet", 5)
    ran = vfl("run", folder, "-a", "linear", "--align", "--json")
    assert sum(ran.json["rows"].values()) == N_ROWS - 10
    assert ran.json["score"] > 0.75
    assert "<Alignment of 3 parties: 150 common rows (100 %, 94 %, 97 %)>" in ran.err


def test_joining_rows_that_agree_changes_nothing(vfl, made):
    plain, joined = (vfl("run", made, "-a", "linear", "--json", *more).json["loss"] for more in ((), ("--align",)))
    assert plain == joined


@pytest.mark.parametrize("command", [("evaluate",), ("run", "-a", "linear")])
@pytest.mark.parametrize(
    ("n_dropped", "words"), [(10, "differ in 10 row ids"), (0, "differ in the order of the row ids")]
)
def test_other_rows_are_told(vfl, folder, command, n_dropped, words):
    shift(folder, "party-2.parquet", n_dropped)
    ran = vfl(command[0], folder, *command[1:])
    assert ran.code == 2
    assert f"party-2.parquet and labels.parquet {words}" in ran.told and "--align" in ran.told


def test_other_rows_are_told_without_a_label_too(vfl, folder):
    edit(folder, label={"column": "", "party": 0, "task": "auto"})
    shift(folder, "party-1.parquet", 0)
    ran = vfl("evaluate", folder)
    assert ran.code == 2
    assert "party-1.parquet and party-0.parquet differ in the order" in ran.told


def with_ids(rows, ids):
    return rows.set_column(0, "row_id", pa.array(ids))


@pytest.mark.parametrize(
    ("file", "ids", "words"),
    [
        ("party-0.parquet", np.arange(N_ROWS) + 1000, ["common"]),
        ("party-0.parquet", np.arange(N_ROWS) // 2, ["twice"]),
        ("labels.parquet", np.arange(N_ROWS)[::-1], ["must bring its columns and labels in the same rows"]),
    ],
)
def test_rows_that_cannot_be_joined(vfl, folder, file, ids, words):
    rewrite(folder / file, lambda rows: with_ids(rows, ids))
    ran = vfl("run", folder, "-a", "linear", "--align")
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told


# --- checkpoints

GBDT = ("-a", "gbdt", "--set", "n_estimators=4", "--json")


def result(ran):
    return {key: value for key, value in ran.json.items() if key != "seconds"}


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(vfl, made, tmp_path, monkeypatch):
    undisturbed = vfl("run", made, *GBDT, "--checkpoint", tmp_path / "undisturbed")
    assert undisturbed.json["score"] == vfl("run", made, *GBDT).json["score"]
    write = Checkpoint.write

    def killed(self, step, *rest):
        if step == 3:
            raise OSError("the power went")
        write(self, step, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", killed)
        assert "the power went" in vfl("run", made, *GBDT, "--checkpoint", tmp_path / "c").err
    assert {path.name for path in (tmp_path / "c").glob("*.npz")} == {
        f"party-{k}-step-{step}.npz" for k in range(3) for step in (1, 2)
    }
    assert result(vfl("run", made, *GBDT, "--checkpoint", tmp_path / "c")) == result(undisturbed)


@pytest.mark.parametrize("algorithm", ["linear", "gbdt", "solo-gbdt"])
def test_a_finished_run_is_only_tested_again(vfl, made, tmp_path, algorithm):
    again = ("run", made, "-a", algorithm, "--checkpoint", tmp_path / "c", "--json")
    first = vfl(*again)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()}
    assert result(vfl(*again)) == result(first)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()} == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--test-fraction", "0.5"), "test fraction 0.25, this one has 0.5"),
        (("--seed", "1"), "seed 0, this one has 1"),
        (("--align",), "align False, this one has True"),
        (("-a", "solo-gbdt"), "algorithm gbdt, this one has solo-gbdt"),
        (("--set", "max_depth=2"), "settings"),
    ],
)
def test_another_run_does_not_go_on_from_there(vfl, made, tmp_path, options, words):
    """With other test rows a state would have seen them in training."""
    first = ("run", made, "-a", "gbdt", "--set", "n_estimators=2", "--checkpoint", tmp_path / "c")
    assert vfl(*first).code == 0
    ran = vfl(*first, *options)
    assert ran.code == 2
    assert words in ran.err and "use another folder or remove it" in ran.err


def test_another_split_does_not_go_on_from_there(vfl, made, capsys, table, tmp_path):
    assert run(capsys, "split", table, "--out", tmp_path / "s", "-k", "3", "--no-page").code == 0
    linear = ("-a", "linear", "--checkpoint", tmp_path / "c")
    assert vfl("run", made, *linear).code == 0
    assert "is of a run with label holder 1" in vfl("run", tmp_path / "s", *linear).told


def test_a_state_of_another_version(vfl, made, tmp_path):
    again = ("run", made, "-a", "linear", "--checkpoint", tmp_path / "c")
    assert vfl(*again).code == 0
    for path in (tmp_path / "c").glob("*.npz"):
        with np.load(path) as file:
            state = {key: file[key] for key in file.files}
        state["header"] = np.array(json.dumps(json.loads(str(state["header"])) | {"version": 9}))
        np.savez(path, **state)
    ran = vfl(*again)
    assert ran.code == 2
    assert "has version 9; this covey reads version 1: train again" in ran.told


def test_a_broken_state(vfl, made, tmp_path):
    again = ("run", made, "-a", "linear", "--checkpoint", tmp_path / "c")
    assert vfl(*again).code == 0
    for path in (tmp_path / "c").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    ran = vfl(*again)
    assert ran.code == 2
    assert "is no file of a covey party" in ran.told


# --- mistakes of evaluate and run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-a", "svm"], ["no algorithm 'svm'", "splitnn"]),
        (["-a", "solo-svm"], ["no algorithm 'svm'"]),
        (["-a", "half-gbdt"], ["no algorithm 'half-gbdt'", "solo- or pooled-"]),
        ([], ["--algorithm"]),
        (["-a", "gbdt", "--set", "depth=3"], ["gbdt has no setting 'depth'", "max_depth"]),
        (["-a", "gbdt", "--set", "max_depth"], ["--set max_depth", "key=value"]),
        (["-a", "gbdt", "--set", "=3"], ["key=value"]),
        (["-a", "gbdt", "--set", "n_estimators=few"], ["n_estimators must be a whole number, got 'few'"]),
        (["-a", "gbdt", "--set", "n_estimators=2.5"], ["n_estimators must be a whole number, got 2.5"]),
        (["-a", "gbdt", "--set", "n_estimators=true"], ["n_estimators must be a whole number, got True"]),
        (["-a", "gbdt", "--set", "n_estimators=0"], ["n_estimators must be at least 1"]),
        (["-a", "linear", "--set", "l2=much"], ["l2 must be a number, got 'much'"]),
        (["-a", "linear", "--set", "task=art"], ["'classification'", "'art'"]),
        (["-a", "linear", "--test-fraction", "0"], ["test fraction of 0"]),
        (["-a", "linear", "--test-fraction", "1"], ["test fraction of 1"]),
    ],
)
def test_a_mistake_in_a_run_is_one_line(vfl, made, options, words):
    ran = vfl("run", made, *options)
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told


@pytest.mark.parametrize("command", [("evaluate",), ("run", "-a", "linear")])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no split (split.json is not there); make one with covey split"),
        ("{", "is not readable"),
        ("[]", "is no manifest of a covey split"),
        ('{"format": "covey-split", "version": 7}', "has version 7; covey reads 1: split again"),
        ('{"format": "covey-split", "version": 1}', "lacks 'parties'"),
    ],
)
def test_what_is_no_split_of_this_version(vfl, tmp_path, command, content, words):
    if content is not None:
        (tmp_path / "split.json").write_text(content)
    ran = vfl(command[0], tmp_path, *command[1:])
    assert ran.code == 2
    assert words in ran.told


def test_a_file_is_no_split(vfl, table):
    assert "t.csv holds no split" in vfl("evaluate", table).told


def test_a_party_that_is_not_there_cannot_hold_the_label(vfl, folder):
    edit(folder, label={"column": "class", "party": 3, "task": "auto"})
    assert "gives the label to party 3 of 3" in vfl("run", folder, "-a", "linear").told


def test_nobody_holds_a_label(vfl, folder):
    edit(folder, label={"column": "", "party": 0, "task": "auto"})
    ran = vfl("run", folder, "-a", "linear")
    assert ran.code == 2
    assert "no party of" in ran.told and "holds a label; split again and name the target" in ran.told
    assert "holds a label" in vfl("run", folder, "-a", "linear", "--align").told


def test_a_party_without_its_file_or_column(vfl, folder):
    rewrite(folder / "party-2.parquet", lambda rows: rows.drop_columns(["tel_f"]))
    assert "party-2.parquet: no column 'tel_f'" in vfl("evaluate", folder).told
    (folder / "party-2.parquet").unlink()
    assert "party-2.parquet is not there, though the manifest names it" in vfl("run", folder, "-a", "linear").told


def test_one_class_is_nothing_to_learn(vfl, folder):
    rewrite(folder / "labels.parquet", lambda rows: rows.set_column(1, "class", pa.array(["yes"] * N_ROWS)))
    ran = vfl("run", folder, "-a", "linear")
    assert ran.code == 2
    assert "at least two classes" in ran.told


def test_evaluate_knows_its_measures_and_where_to_write(vfl, made, tmp_path):
    assert "no measure 'telepathy'" in vfl("evaluate", made, "--correlation", "telepathy").told
    ran = vfl("evaluate", made, "--no-importance", "--page", tmp_path / "nowhere" / "e.html")
    assert ran.code == 2
    assert "nowhere does not exist" in ran.told


def test_the_manifest_survives_all_of_that(made):
    assert read_manifest(made).party_names == ("bank", "shop", "tel")


# --- bench


@pytest.fixture
def bench(vfl, table, tmp_path):
    """Two algorithms at one alpha and one beta; options replace these."""

    def call(*options, data=f"{table}:class"):
        grid = ("--data", data, "--algorithms", "linear,solo-linear", "--alphas", "1", "--betas", "0", "-k", "2")
        return vfl("bench", *grid, "--out", tmp_path / "bench", *options)

    return call


@pytest.fixture
def computed(monkeypatch):
    """The cells that were computed."""
    cells, run_cell = [], bench_module.run_cell

    def counted(cell, *rest):
        cells.append(cell)
        return run_cell(cell, *rest)

    monkeypatch.setattr(bench_module, "run_cell", counted)
    return cells


def test_bench_tells_a_program(bench, tmp_path):
    ran = bench("--json", "--seeds", "2")
    assert ran.code == 0
    assert len(ran.json["cells"]) == 8
    assert all(cell["error"] == "" and cell["leakage"] is not None for cell in ran.json["cells"])
    (one,) = (row for row in ran.json["summary"] if row["algorithm"] == "linear" and row["beta"] == 0.0)
    scores = [cell["score"] for cell in ran.json["cells"] if cell["algorithm"] == "linear" and cell["beta"] == 0.0]
    assert (one["n"], one["score"]) == (2, pytest.approx(np.mean(scores)))
    assert one["score_sd"] == pytest.approx(np.std(scores, ddof=1))


def test_bench_tells_a_person_and_draws_a_page(bench, tmp_path):
    ran = bench("--no-leakage")
    assert ran.code == 0
    for word in ("4 cells, 0 of them from before", "solo-linear", "seconds", "page: "):
        assert word in ran.out
    assert "leakage" not in ran.out
    page = (tmp_path / "bench" / "bench.html").read_text()
    assert "solo-linear" in page and "Algorithms over parties" in page


def test_undefined_deviations_are_null(bench):
    assert {row["score_sd"] for row in bench("--json").json["summary"]} == {None}


def test_a_finished_cell_is_never_computed_twice(bench, computed):
    first = bench("--json").json
    assert len(computed) == 4
    assert bench("--json").json == first
    assert "4 cells, 4 of them from before" in bench().out
    assert len(computed) == 4
    bench("--betas", "0,1")
    assert [cell.beta for cell in computed[4:]] == [1.0, 1.0]


def test_a_changed_table_is_another_one(bench, computed, table, tmp_path):
    copy = shutil.copy(table, tmp_path / "copy.csv")
    bench(data=f"{copy}:class")
    bench(data=f"{copy}:class")
    assert len(computed) == 4
    write_csv(tmp_path / "copy.csv", **{"class": classes()[::-1]})
    bench(data=f"{copy}:class")
    assert len(computed) == 8


def test_a_killed_bench_goes_on(bench, computed, monkeypatch, tmp_path):
    counted = bench_module.run_cell

    def killed(*arguments):
        if len(computed) == 2:
            raise KeyboardInterrupt
        return counted(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(bench_module, "run_cell", killed)
        ran = bench()
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert len(computed) == len(list((tmp_path / "bench" / "cells").iterdir())) == 2
    assert "linear" in (tmp_path / "bench" / "bench.html").read_text()
    assert len(bench("--json").json["cells"]) == 4
    assert len(set(computed)) == len(computed) == 4


def test_what_failed_is_told_and_tried_again(bench, computed, monkeypatch):
    counted = bench_module.run_cell

    def broken(cell, *rest):
        if cell.algorithm == "solo-linear":
            raise ValueError("the moon is full")
        return counted(cell, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(bench_module, "run_cell", broken)
        ran = bench()
        assert ran.code == 1
        assert ran.err.count("not done: solo-linear on") == 2
        assert "ValueError: the moon is full" in ran.err
        errors = [cell["error"] for cell in bench("--json").json["cells"]]
        assert errors.count("") == 2
    assert len(computed) == 2
    assert bench().code == 0
    assert [cell.algorithm for cell in computed] == ["linear"] * 2 + ["solo-linear"] * 2


def test_one_data_set_that_fails_does_not_stop_the_others(bench, table):
    ran = bench("--json", data=f"nowhere,{table}:colour,{table}:class")
    assert ran.code == 1
    by_error = [cell["error"] for cell in ran.json["cells"]]
    assert sum("no data set and no file 'nowhere'" in error for error in by_error) == 4
    assert sum("no column 'colour'" in error for error in by_error) == 4
    assert by_error.count("") == 4


def test_more_parties_than_features_is_what_failed(bench):
    ran = bench("-k", "7")
    assert ran.code == 1
    assert "7 parties cannot share 6" in ran.err


def test_cells_side_by_side_are_the_same(bench, tmp_path):
    one = bench("--json").json["cells"]
    two = bench("--json", "--jobs", "2", "--out", tmp_path / "two").json["cells"]
    assert [row | {"seconds": 0} for row in one] == [row | {"seconds": 0} for row in two]


def test_fewer_rows(bench, table, computed):
    assert bench("--max-rows", "40", "--json").json["cells"][0]["max_rows"] == 40
    assert computed[0].max_rows == 40


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--algorithms", "linear,svm"], ["no algorithm 'svm'"]),
        (["--alphas", "1,0"], ["alpha must be above 0", "got 0"]),
        (["--alphas", "nan"], ["alpha must be above 0", "nan"]),
        (["--betas", "0.5,1.5"], ["beta must be from 0", "1.5"]),
        (["--betas", "-0.5"], ["beta must be from 0", "-0.5"]),
        (["--alphas", "one"], ["--alphas one", "0.1,1,10"]),
        (["--alphas", "none", "--betas", "none"], ["nothing to run"]),
        (["-k", "1"], ["--parties"]),
        (["--seeds", "0"], ["--seeds"]),
        (["--jobs", "0"], ["--jobs"]),
    ],
)
def test_a_mistake_in_a_grid_is_told_before_any_work(bench, computed, tmp_path, options, words):
    ran = bench(*options)
    assert ran.code == 2
    assert all(word in ran.told for word in words), ran.told
    assert not computed
    assert not (tmp_path / "bench").exists()


def test_the_page_is_drawn_in_the_measure_of_the_evaluation(vfl, capsys, tmp_path):
    made_by_spearman = ("split", "wine", "-k", "3", "--beta", "0.5", "--out", tmp_path / "w", "--no-page")
    assert run(capsys, *made_by_spearman).code == 0
    page = tmp_path / "e.html"
    ran = vfl("evaluate", tmp_path / "w", "--correlation", "pearson", "--no-importance", "--json", "--page", page)
    seen = page.read_text().split("<script")[0]
    assert "pearson" in seen and "spearman" not in seen
    assert "beta reached" not in seen
    for bound in ran.json["bounds"]:
        assert f"{abs(bound):.3g}" in seen
