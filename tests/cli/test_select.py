"""``covey select`` as a person runs it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import covey
from covey.cli import main
from covey.select import AssociationRanker


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    city = np.array(["Oslo", "Rome"])[(x[:, 0] > 0).astype(int)]
    path = tmp_path_factory.mktemp("select") / "t.csv"
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{w},{int(a + b > 0)}" for (a, b, c, _), w in zip(x, city)]
    path.write_text("a,b,c,city,y\n" + "\n".join(rows) + "\n")
    return path


def run(capsys, *arguments):
    code = main(["select", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_agrees_with_python(capsys, table):
    code, out, _ = run(capsys, table, "--target", "y", "--json", "--top", 2)
    found = json.loads(out)
    source = covey.read(table)
    ranker = AssociationRanker(k=2).fit(source.drop("y"), source["y"])
    assert code == 0
    assert found["kept"] == ranker.get_feature_names_out().tolist()
    scores = {row["column"]: row["score"] for row in found["columns"]}
    np.testing.assert_allclose([scores[name] for name in ("a", "b", "c", "city")], ranker.scores_)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_writes_the_kept_columns_and_the_target(capsys, table, tmp_path, ending):
    out = tmp_path / f"kept{ending}"
    code, printed, _ = run(capsys, table, "-t", "y", "--top", 2, "--out", out)
    assert code == 0 and "2 of 4 columns kept for y" in printed
    written = pq.read_table(out) if ending == ".parquet" else pyarrow.csv.read_csv(out)
    assert written.column_names == ["a", "b", "y"] and written.num_rows == 150


def test_a_method_of_numbers_takes_categories_encoded(capsys, table):
    code, out, err = run(capsys, table, "-t", "y", "-m", "omp", "--top", 2, "--json")
    assert code == 0 and "categories become indicators" in err
    assert set(json.loads(out)["kept"]) <= {"a", "b", "city"}


@pytest.mark.parametrize("method", ["mrmr", "omp", "residual", "distance_correlation"])
def test_a_path_of_ten_columns_ends_where_there_are_fewer(capsys, tmp_path, method):
    rng = np.random.default_rng(0)
    path = tmp_path / "few.csv"
    rows = [f"{a:.4f},{b:.4f},1,{int(a + 0.3 * b > 0)}" for a, b in rng.normal(size=(90, 2))]
    path.write_text("a,b,same,y\n" + "\n".join(rows) + "\n")
    code, out, err = run(capsys, path, "-t", "y", "-m", method, "--json")
    assert code == 0, err
    assert json.loads(out)["kept"] == ["a", "b"]


def test_without_a_target(capsys, table):
    code, out, _ = run(capsys, table, "-m", "quick_selection", "--top", 3, "--json")
    assert code == 0 and len(json.loads(out)["kept"]) == 3


def test_compare_prints_and_draws(capsys, table, tmp_path):
    page = tmp_path / "compared.html"
    arguments = [table, "-t", "y", "--compare", "--methods", "association,mrmr", "--learner", "linear", "--folds", 3]
    code, out, _ = run(capsys, *arguments, "--out", page)
    assert code == 0 and "recommended: 2 columns" in out and "on rows that took no part" in out
    text = page.read_text(encoding="utf-8")
    assert "What to keep" in text and "mrmr" in text
    code, out, _ = run(capsys, *arguments, "--json")
    found = json.loads(out)
    assert set(found["recommended"]["columns"]) == {"a", "b"} and found["selectors"] == ["association", "mrmr"]


@pytest.mark.parametrize(("known", "large"), [({"SC_PHYS_PAGES"}, True), (set(), False)])
def test_memory_where_the_system_tells_little(monkeypatch, table, known, large):
    from covey.cli import _common

    def sysconf(name):
        if name not in known | {"SC_PAGE_SIZE"}:
            raise ValueError("unrecognized configuration name")
        return 1

    monkeypatch.setattr(_common.os, "sysconf", sysconf)
    assert _common.is_large(str(table)) == large


def test_lists_the_methods(capsys):
    code, out, _ = run(capsys, "--list", "--json")
    names = [entry["name"] for entry in json.loads(out)]
    assert code == 0 and {"association", "mrmr", "inf_fs", "sequential_attention"} <= set(names)


def test_rows_without_a_target_are_left_out(capsys, tmp_path):
    path = tmp_path / "gaps.csv"
    rng = np.random.default_rng(0)
    path.write_text(
        "a,b,y\n"
        + "\n".join(
            f"{a:.3f},{b:.3f},{'' if a > 1 else a + b:.3}" if a <= 1 else f"{a:.3f},{b:.3f},"
            for a, b in rng.normal(size=(80, 2))
        )
        + "\n"
    )
    code, _, err = run(capsys, path, "-t", "y", "--top", 1)
    assert code == 0 and "rows without a value of 'y' are left out" in err


@pytest.mark.parametrize("more", [[], ["--compare"]])
def test_targets_that_say_nothing(capsys, tmp_path, more):
    path = tmp_path / "none.csv"
    path.write_text("a,b,same,empty\n" + "".join(f"{k},{k * k % 7},x,\n" for k in range(40)))
    code, _, err = run(capsys, path, "-t", "empty", *more)
    assert code == 2 and "every value of the target 'empty' is missing; choose another column" in err
    code, _, err = run(capsys, path, "-t", "same", *more)
    assert code == 2 and "y has a single" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{t}", "-t", "z"], "no column 'z'"),
        (["{t}", "-t", "y", "-m", "magic"], "no way to rank is called 'magic'"),
        (["{t}", "-t", "y", "--top", "9"], "k=9 is larger than the number of columns, 4"),
        (["{t}", "-t", "y", "--out", "x.txt"], "the ending must be .csv or .parquet"),
        (["{t}", "-t", "y", "--compare", "--out", "x.csv"], "ending must be .html"),
        (["{t}", "--compare"], "--compare needs a --target"),
        (["{t}"], "requires y"),
        ([], "name a table"),
        (["{t}", "-t", "y", "--compare", "--learner", "magic"], "learner must be one of"),
        (["{t}", "-t", "y", "--compare", "--scoring", "magic"], "magic"),
    ],
)
def test_errors_are_one_line(capsys, table, arguments, message):
    code, _, err = run(capsys, *(str(a).format(t=table) for a in arguments))
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
