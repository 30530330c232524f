"""The grid of splits: what a cell holds, and that none is computed twice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from covey.partition import bench
from covey.partition.bench import Bench, Cell, bench_cells, grid, make_algorithm, make_split, summarise
from covey.partition.datasets import load


def cells(**options):
    return grid(["wine"], ["linear", "solo-linear", "pooled-linear"], [0.5], [0.0], [0, 1], n_parties=3, **options)


def test_a_cell_tells_what_was_asked_and_what_came_out(tmp_path):
    row = Bench(tmp_path).run([Cell("wine", "linear", beta=0.0, n_parties=3, leakage=True)])[0]
    assert row["error"] == ""
    assert row["score"] > 0.9
    assert row["metric"] == "accuracy"
    assert min(row["bytes"], row["messages"], row["rounds"], row["prediction_bytes"]) > 0
    assert sum(row["sizes"]) == 13
    assert row["label_leakage"] == pytest.approx(1.0)


def test_nothing_is_computed_twice(tmp_path, monkeypatch):
    done = Bench(tmp_path).run(cells()[:7])
    calls = []
    run = bench.run_cell
    monkeypatch.setattr(bench, "run_cell", lambda *a: calls.append(a) or run(*a))
    rows = Bench(tmp_path).run(cells())
    assert len(calls) == len(cells()) - 7
    assert rows[:7] == done
    assert Bench(tmp_path).run(cells()) == rows
    assert len(calls) == len(cells()) - 7


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    run, calls = bench.run_cell, []

    def killed(*arguments):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(arguments)
        return run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(bench, "run_cell", killed)
        with pytest.raises(KeyboardInterrupt):
            Bench(tmp_path).run(cells())
    assert len(Bench(tmp_path).results(cells())) == 3
    assert len(Bench(tmp_path).run(cells())) == len(cells())


def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    one = Bench(tmp_path / "1", "local:1").run(cells())
    two = Bench(tmp_path / "2", "local:2").run(cells())
    for a, b in zip(one, two):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_a_cell_that_fails_says_why_and_is_tried_again(tmp_path, monkeypatch):
    wanted = [Cell("wine", "linear", n_parties=3)]

    def broken(*_):
        raise ValueError("no luck")

    with monkeypatch.context() as patch:
        patch.setattr(bench, "run_cell", broken)
        assert Bench(tmp_path).run(wanted)[0]["error"] == "ValueError: no luck"
    assert Bench(tmp_path).run(wanted)[0]["error"] == ""


def test_a_broken_file_is_no_result(tmp_path):
    cell = Cell("wine", "linear", n_parties=3)
    Bench(tmp_path).run([cell])
    (tmp_path / "cells" / f"{cell.key}.json").write_text("{")
    assert Bench(tmp_path).results([cell]) == []


def test_a_table_on_disk_counts_by_its_content(tmp_path):
    path = tmp_path / "t.csv"
    x = np.random.default_rng(0).normal(size=(60, 3))
    cell = Cell(str(path), "linear", n_parties=2, target="y")
    scores = []
    for y in (x[:, 0] + x[:, 1], x[:, 0] - x[:, 2] ** 2):
        np.savetxt(path, np.column_stack([x, y]), delimiter=",", header="a,b,c,y", comments="")
        assert Bench(tmp_path).results([cell]) == []
        (row,) = Bench(tmp_path).run([cell])
        assert Bench(tmp_path).results([cell]) == [row]
        scores.append(row["score"])
    assert scores[0] > scores[1] + 0.1


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path):
    wrong = Cell("nowhere.csv", "linear", target="y")
    told = []
    rows = Bench(tmp_path).run([wrong, Cell("wine", "linear", n_parties=14), Cell("wine", "linear")], told.append)
    assert rows == told
    assert ["no file 'nowhere.csv'" in rows[0]["error"], "14 parties" in rows[1]["error"]] == [True, True]
    assert rows[2]["error"] == "" and len(list((tmp_path / "cells").iterdir())) == 1


def test_a_file_that_was_being_written_is_no_result(tmp_path, monkeypatch):
    cell = Cell("wine", "linear", n_parties=3)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            Bench(tmp_path).run([cell])
    assert list((tmp_path / "cells").iterdir()) == []
    assert Bench(tmp_path).results([cell]) == []


def test_seeds_share_the_bounds_that_give_beta_its_meaning(tmp_path, monkeypatch):
    searched = []
    fit = bench.CorrelationSplitter.fit

    def counted(self, X, y=None):
        searched.append(self.bounds)
        return fit(self, X, y)

    monkeypatch.setattr(bench.CorrelationSplitter, "fit", counted)
    work = Bench(tmp_path)
    for seed in (0, 1):
        work.split(Cell("wine", "linear", beta=0.5, seed=seed, n_parties=3))
    assert [bounds is None for bounds in searched] == [True, False, False]


def test_baselines_pay_what_they_must(tmp_path):
    solo, pooled = Bench(tmp_path).run(
        [Cell("wine", name, n_parties=2, leakage=True) for name in ("solo-linear", "pooled-linear")]
    )
    n_train = 178 - round(178 * 0.25)
    assert (solo["bytes"], solo["leakage"], solo["label_leakage"]) == (0, 0.0, 0.5)
    assert pooled["bytes"] == 8 * n_train * pooled["sizes"][1]
    assert pooled["leakage"] == pytest.approx(1.0)


def test_cells_that_differ_have_other_files():
    keys = {Cell("wine", "linear", seed=s, alpha=a).key for s in (0, 1) for a in (None, 1.0)}
    assert len(keys) == 4
    assert Cell("wine", "linear").key == Cell("wine", "linear").key


def test_means_and_deviations_over_seeds():
    row = {"data": "d", "algorithm": "a", "alpha": 1.0, "beta": None, "error": "", "metric": "accuracy"}
    rows = [
        row | {"score": s, "bytes": 10, "rounds": 2, "seconds": 1.0, "leakage": leak}
        for s, leak in ((0.8, 0.1), (0.9, np.nan))
    ]
    rows.append(row | {"error": "failed"})
    (found,) = summarise(rows)
    assert found["n"] == 2
    assert found["score"] == pytest.approx(0.85)
    assert found["score_sd"] == pytest.approx(0.0707, abs=1e-4)
    assert found["leakage"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [("svm", {}, "no algorithm"), ("half-gbdt", {}, "no algorithm"), ("gbdt", {"depth": 3}, "no setting 'depth'")],
)
def test_unknown_algorithms_and_settings(name, settings, message):
    with pytest.raises(ValueError, match=message):
        make_algorithm(name, **settings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_estimators": 2.5}, "n_estimators must be a whole number, got 2.5"),
        ({"n_estimators": True}, "n_estimators must be a whole number, got True"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
    ],
)
def test_settings_that_are_numbers_must_be_numbers(setting, message):
    with pytest.raises(TypeError, match=message):
        make_algorithm("solo-gbdt", **setting)


def test_numbers_of_other_kinds_will_do():
    assert make_algorithm("gbdt", n_estimators=np.int64(3), l2=2).n_estimators == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"algorithms": ["gbdt", "svm"]}, "no algorithm 'svm'"),
        ({"alphas": [1.0, 0.0]}, "alpha must be above 0 and finite, got 0"),
        ({"alphas": [np.inf]}, "alpha must be above 0 and finite, got inf"),
        ({"betas": [0.5, 1.1]}, "beta must be from 0 .* got 1.1"),
        ({"betas": [np.nan]}, "beta must be from 0 .* got nan"),
        ({"alphas": [], "betas": []}, "nothing to run"),
    ],
)
def test_what_is_wrong_in_a_grid_is_told_before_any_work(wrong, message):
    with pytest.raises(ValueError, match=message):
        bench_cells(False, **wrong)


def test_the_full_grid_is_the_papers():
    cells = bench_cells(True, data=["digits", "wine"])
    assert len(cells) == len(set(cells)) == 2 * 9 * 8 * 3
    assert {cell.alpha for cell in cells} == {None, 0.1, 1.0, 10.0, 100.0}
    assert {cell.beta for cell in cells} == {None, 0.0, 0.3, 0.6, 1.0}


def test_paths_bring_their_target():
    (cell,) = bench_cells(False, data=["a/b.csv:y"], algorithms=["gbdt"], alphas=[], betas=[0.5])
    assert (cell.data, cell.target) == ("a/b.csv", "y")


def test_splits_reach_what_is_asked():
    X = load("digits").X.select([f"pixel_{i}_{j}" for i in range(1, 7) for j in range(2, 6)])
    partition, facts = make_split(X, 4, alpha=1.0, beta=0.5)
    assert facts["alpha_reached"] == pytest.approx(1.0, rel=0.2)
    assert facts["beta_reached"] == pytest.approx(0.5, abs=0.02)
    json.dumps(facts)
    dealt, _ = make_split(X, 5)
    assert sorted(dealt.sizes) == [4, 5, 5, 5, 5]
    with pytest.raises(ValueError, match="sizes go with beta alone"):
        make_split(X, 4, alpha=1.0, party_sizes=[6, 6, 6, 6])
    with pytest.raises(ValueError, match="correlation goes with beta"):
        make_split(X, 4, alpha=1.0, correlation="pearson")
    assert partition.n_features == 24
