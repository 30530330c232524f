"""The program as a person runs it: output, exit codes, one line for every error."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import covey
from covey.cli import main


@pytest.fixture
def csv(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    rows = [f"{a:.4f},{a * 2 + b:.4f},{'hi' if a > 0 else 'lo'}" for a, b in zip(x, rng.normal(size=200))]
    path = tmp_path / "t.csv"
    path.write_text("x,y,sign\n" + "\n".join(rows) + "\n")
    return path


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_associate_prints_the_strongest_pair_first(capsys, csv):
    code, out, err = run(capsys, "associate", csv, "--measure", "spearman")
    assert code == 0 and not err
    assert out.index("x ") < out.index("sign") or "y" in out
    first = out.splitlines()[4]
    assert "x" in first and "y" in first


def test_associate_json_agrees_with_python(capsys, csv):
    code, out, _ = run(capsys, "associate", csv, "--json")
    pairs = json.loads(out)["pairs"]
    matrix = covey.associate(csv)
    assert code == 0 and len(pairs) == 3
    for pair in pairs:
        assert pair["value"] == pytest.approx(matrix[pair["left"], pair["right"]])


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".json"])
def test_associate_writes_every_pair(capsys, csv, tmp_path, ending):
    out = tmp_path / f"pairs{ending}"
    assert run(capsys, "associate", csv, "--out", out)[0] == 0
    if ending == ".json":
        names = {(p["left"], p["right"]) for p in json.loads(out.read_text())}
    else:
        table = pq.read_table(out) if ending == ".parquet" else pa.csv.read_csv(out)
        names = set(zip(table["left"].to_pylist(), table["right"].to_pylist()))
    assert names == {("x", "y"), ("x", "sign"), ("y", "sign")}


def test_streamed_and_in_memory_pearson_agree(capsys, csv):
    values = []
    for flag in ("--stream", "--no-stream"):
        code, out, _ = run(capsys, "associate", csv, "--measure", "pearson", flag, "--json")
        assert code == 0
        values.append([p["value"] for p in json.loads(out)["pairs"] if p["value"] is not None])
    assert values[0] == pytest.approx(values[1], abs=1e-12) and values[0]


def test_sample_is_deterministic_and_smaller(capsys, csv):
    runs = [run(capsys, "associate", csv, "--sample", 50, "--seed", 3, "--json")[1] for _ in range(2)]
    first, second = (json.loads(r)["pairs"] for r in runs)
    assert first == second and {p["n"] for p in first} == {50}


def test_report_writes_the_page_and_the_data(capsys, csv, tmp_path):
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    code, out, err = run(capsys, "report", csv, "--target", "y", "--out", page, "--json", data)
    assert code == 0 and not err and str(page) in out
    assert "</html>" in page.read_text() and json.loads(data.read_text())["target"] == "y"


def test_report_compares_declared_parts_by_log_ratios(capsys, tmp_path):
    amounts = np.random.default_rng(0).gamma(2.0, size=(80, 3))
    table, data = tmp_path / "soil.csv", tmp_path / "r.json"
    np.savetxt(table, amounts, delimiter=",", header="sand,silt,clay", comments="")
    options = ("report", table, "--compositional", "sand, silt,clay", "--out", tmp_path / "r.html", "--json", data)
    code, out, err = run(capsys, *options)
    assert code == 0 and not err and "parts of a whole as you said" in out
    assert json.loads(data.read_text())["compositions"][0]["parts"] == ["sand", "silt", "clay"]


def test_methods_lists_and_shows_cards(capsys):
    code, out, _ = run(capsys, "methods", "--json")
    listed = {m["id"] for m in json.loads(out)}
    assert code == 0 and {"s311", "s215", "s165", "s209", "s289"} <= listed
    assert "Jaccard" in run(capsys, "methods", "s311")[1]


def test_measures_are_listed(capsys):
    code, out, _ = run(capsys, "methods", "--measures", "--json")
    assert code == 0 and [m["name"] for m in json.loads(out)] == list(covey.measures())


def test_study_run_tells_its_claims(capsys):
    code, out, _ = run(capsys, "study", "run", "s311", "--quick", "--json")
    (result,) = json.loads(out)
    assert code == 0 and result["verdict"] == "held" and result["claims"]


def test_doctor_measures_this_machine(capsys):
    code, out, _ = run(capsys, "doctor", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["gflops"] > 0.1 and facts["counts"] > 0.001 and not facts["missing"]


BAD = {
    "no such file": ["associate", "{tmp}/none.csv"],
    "unknown measure": ["associate", "{csv}", "--measure", "pearsn"],
    "unknown target": ["report", "{csv}", "--target", "z", "--out", "{tmp}/o.html"],
    "too few parts": ["report", "{csv}", "--compositional", "x,y", "--out", "{tmp}/o.html"],
    "unknown part": ["report", "{csv}", "--compositional", "x,y,z", "--out", "{tmp}/o.html"],
    "unknown option": ["associate", "{csv}", "--mesure", "pearson"],
    "unknown system": ["methods", "s999"],
    "unknown room": ["methods", "--room", "cellar"],
    "unknown study": ["study", "run", "s999"],
    "no study named": ["study", "run"],
    "bad engine": ["associate", "{csv}", "--engine", "spark"],
    "bad ending": ["associate", "{csv}", "--out", "{tmp}/p.xlsx"],
    "no such folder": ["report", "{csv}", "--out", "{tmp}/none/o.html"],
    "folder as output": ["report", "{csv}", "--out", "{tmp}"],
    "unstreamable measure": ["associate", "{csv}", "--measure", "kendall", "--stream"],
    "empty file": ["associate", "{tmp}/empty.csv"],
    "header only": ["associate", "{tmp}/header.csv"],
    "binary junk": ["report", "{tmp}/junk.csv", "--out", "{tmp}/o.html"],
    "truncated parquet": ["report", "{tmp}/cut.parquet", "--out", "{tmp}/o.html"],
    "constant target": ["report", "{tmp}/constant.csv", "--target", "c", "--out", "{tmp}/o.html"],
}


@pytest.mark.parametrize("case", BAD)
def test_errors_are_one_line_and_code_2_and_leave_nothing(capsys, csv, tmp_path, case):
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "header.csv").write_text("a,b\n")
    (tmp_path / "junk.csv").write_bytes(np.random.default_rng(0).bytes(4000))
    (tmp_path / "constant.csv").write_text("a,c\n" + "\n".join(f"{k},1" for k in range(30)) + "\n")
    pq.write_table(pa.table({"a": list(range(1000))}), tmp_path / "cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    before = sorted(p.name for p in tmp_path.iterdir())
    code, out, err = run(capsys, *(a.format(csv=csv, tmp=tmp_path) for a in BAD[case]))
    assert code == 2, (out, err)
    assert err.startswith("covey: ") and err.count("\n") == 1 and "internal error" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [[], ["study"]])
def test_without_a_command_it_shows_its_help(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and "Usage" in out and "Commands" in out and not err


def test_debug_shows_the_traceback(csv):
    with pytest.raises(ValueError, match="pearsn"):
        main(["associate", str(csv), "--measure", "pearsn", "--debug"])


def test_the_installed_program_runs():
    done = subprocess.run([sys.executable, "-m", "covey.cli", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == f"covey {covey.__version__}"


def test_an_interrupt_is_one_line(capsys, csv, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(covey, "read", interrupted, raising=False)
    code, _, err = run(capsys, "associate", csv, "--no-stream")
    assert code == 130
    assert err.strip().splitlines()[-1] == "covey: interrupted; nothing was half-written"
