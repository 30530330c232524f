"""``covey generate`` as a person runs it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import covey
from covey.cli import main
from covey.generate import OpenFE, parse


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    debt, pay = rng.uniform(1, 9, 500), rng.uniform(1, 5, 500)
    y = debt / pay + 0.1 * rng.normal(size=500)
    path = tmp_path_factory.mktemp("generate") / "t.csv"
    path.write_text("debt,pay,y\n" + "\n".join(f"{a:.4f},{b:.4f},{c:.4f}" for a, b, c in zip(debt, pay, y)) + "\n")
    return path


def run(capsys, *arguments):
    code = main(["generate", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_makes_saves_and_applies(capsys, table, tmp_path):
    new, saved, query = tmp_path / "new.parquet", tmp_path / "f.json", tmp_path / "f.sql"
    code, out, _ = run(capsys, table, "-t", "y", "--top", 1, "--out", new, "--save", saved, "--sql", query)
    assert code == 0 and "(debt / pay)" in out
    written = pq.read_table(new)
    assert written.column_names == ["debt", "pay", "(debt / pay)", "y"]
    np.testing.assert_allclose(
        written["(debt / pay)"].to_numpy(), written["debt"].to_numpy() / written["pay"].to_numpy()
    )
    assert query.read_text().startswith("SELECT") and '"(debt / pay)"' in query.read_text()
    again = tmp_path / "again.csv"
    assert run(capsys, table, "--apply", saved, "--out", again, "-t", "y")[0] == 0
    assert pyarrow.csv.read_csv(again).column_names == ["debt", "pay", "(debt / pay)", "y"]
    np.testing.assert_allclose(
        pyarrow.csv.read_csv(again)["(debt / pay)"].to_numpy(), written["(debt / pay)"].to_numpy()
    )


def test_json_agrees_with_python_and_the_check_tells_the_gain(capsys, table):
    code, out, _ = run(capsys, table, "-t", "y", "--top", 2, "--json", "--check", "--operators", "/,*")
    found = json.loads(out)
    source = covey.read(table)
    made = OpenFE(2, operators=["/", "*"], random_state=0).fit(source.drop("y"), source["y"])
    assert code == 0 and [row["feature"] for row in found["features"]] == [str(e) for e in made.expressions_]
    assert all(str(parse(row["feature"])) == row["feature"] for row in found["features"])
    assert found["check"]["gain"] > 0 and found["check"]["with"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{t}"], "--target is missing"),
        (["{t}", "-t", "z"], "no column 'z'"),
        (["{t}", "-t", "y", "--out", "x.txt"], "the ending must be .csv or .parquet"),
        (["{t}", "-t", "y", "--operators", "magic"], "magic"),
        (["{t}", "--apply", "{t}"], "--apply needs --out, --sql or --json"),
        (["{t}", "--apply", "{t}", "--json"], "is not a whole file of OpenFE features"),
        (["{t}", "--apply", "none.json", "--json"], "none.json"),
    ],
)
def test_errors_are_one_line(capsys, table, arguments, message):
    code, _, err = run(capsys, *(str(a).format(t=table) for a in arguments))
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_a_table_without_the_columns_is_told(capsys, table, tmp_path):
    saved, other = tmp_path / "f.json", tmp_path / "other.csv"
    source = covey.read(table)
    OpenFE(1, operators=["/"], random_state=0).fit(source.drop("y"), source["y"]).save(saved)
    other.write_text("debt\n1.0\n2.0\n")
    code, _, err = run(capsys, other, "--apply", saved, "--json")
    assert code == 2 and "lacks 'pay'" in err


def test_a_target_that_is_applied_to_must_be_there(capsys, table, tmp_path):
    saved, out = tmp_path / "f.json", tmp_path / "n.csv"
    source = covey.read(table)
    OpenFE(1, operators=["/"], random_state=0).fit(source.drop("y"), source["y"]).save(saved)
    for name, says in (
        ("nope", "no column 'nope'; columns are 'debt', 'pay', 'y'"),
        ("pay", "the features are made of"),
    ):
        for where in (["--out", out], ["--json"]):
            code, _, err = run(capsys, table, "--apply", saved, "-t", name, *where)
            assert code == 2 and says in err and len(err.strip().splitlines()) == 1
    assert not out.exists()


def test_blanks_around_names_are_dropped(capsys, table, tmp_path):
    blank, saved, out, query = (tmp_path / name for name in ("b.csv", "f.json", "n.csv", "f.sql"))
    blank.write_text(table.read_text().replace("debt,pay,y", "debt, pay, y"))
    assert run(capsys, blank, "-t", "y", "--top", 1, "--save", saved, "--sql", query)[0] == 0
    assert run(capsys, blank, "--apply", saved, "--out", out)[0] == 0
    assert pyarrow.csv.read_csv(out).column_names == ["debt", "pay", "(debt / pay)"]
    assert '"pay"' in query.read_text() and '" pay"' not in query.read_text()


def test_few_days_as_a_target_are_numbers_in_each_fold(capsys, monkeypatch, table, tmp_path):
    rows = table.read_text().splitlines()[1:]
    dated, fit, classes = tmp_path / "d.csv", OpenFE.fit, []
    days = (f"2024-05-{min(15, int(float(row.split(',')[2]) * 3) + 1):02d}" for row in rows)
    dated.write_text("debt,pay,day\n" + "\n".join(f"{row.rsplit(',', 1)[0]},{day}" for row, day in zip(rows, days)))

    def noted(made, X, y):
        fit(made, X, y)
        classes.append(made.classes_)
        return made

    monkeypatch.setattr(OpenFE, "fit", noted)
    code, out, _ = run(capsys, dated, "-t", "day", "--top", 1, "--operators", "/", "--json", "--check")
    assert code == 0 and json.loads(out)["check"]["score"] == "r2" and json.loads(out)["check"]["gain"] > 0
    assert classes == [None] * 6
