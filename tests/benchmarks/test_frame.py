"""The frame of the benchmarks: best of repeats in turn, targets, fresh processes, the page."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from benchmarks.__main__ import main
from benchmarks._data import correlated, many_shapes
from benchmarks._frame import Row, Target, best, compare, largest_difference, off_diagonal, watched

from benchmarks import NAMES, _child, _page


def test_sides_are_run_in_turn_after_a_warm_up():
    runs = []
    found = compare(lambda: runs.append("a") or 1, lambda: runs.append("b") or 2, repeats=3)
    assert runs == ["a", "b", "a", "b", "a", "b", "a", "b"]
    assert (found.result, found.peer_result) == (1, 2)


def test_a_slow_peer_runs_once():
    runs = []
    compare(lambda: runs.append("a"), lambda: runs.append("b"), repeats=2, peer_repeats=1)
    assert runs == ["a", "a", "b", "a"]


def test_the_best_time_counts(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr("benchmarks._frame.time.perf_counter", lambda: next(clock))
    assert best(lambda: "last", 3) == (2.0, "last")


def test_what_others_did_is_what_this_process_did_not(monkeypatch):
    for name, ticks in (("time.perf_counter", [0, 10]), ("_busy_seconds", [100, 118]), ("_own_seconds", [5, 17])):
        monkeypatch.setattr(f"benchmarks._frame.{name}", iter(ticks).__next__)
    [row] = watched(lambda: [Row("work", 1.0)])
    assert row.others == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("target", "seconds", "peer", "value", "reached"),
    [
        (Target(speedup=6), 1.0, 6.0, None, True),
        (Target(speedup=6), 1.0, 5.9, None, False),
        (Target(speedup=1 / 2.5), 2.0, 1.0, None, True),
        (Target(speedup=1 / 2.5), 2.6, 1.0, None, False),
        (Target(speedup=6), 1.0, None, None, None),
        (Target(most=15), 15.1, None, None, False),
        (Target(most=1.5), 99.0, None, 1.4, True),
        (Target(), 1.0, 6.0, None, None),
    ],
)
def test_targets(target, seconds, peer, value, reached):
    assert Row("work", seconds, "peer", peer, target, value).reached is reached


def test_target_in_words():
    assert [str(t) for t in (Target(speedup=6), Target(speedup=0.4), Target(most=1.5, unit="GB"), Target())] == [
        "6x faster",
        "within 2.5x",
        "at most 1.5 GB",
        "",
    ]


def test_difference_needs_the_same_undefined_pairs():
    assert largest_difference([1.0, np.nan], [1.5, np.nan]) == 0.5
    with pytest.raises(ValueError, match="undefined"):
        largest_difference([1.0, np.nan], [1.0, 2.0])
    assert off_diagonal(np.arange(9).reshape(3, 3)).tolist() == [1, 2, 5]


def test_a_child_has_its_own_peak_memory():
    held = np.ones(40_000_000)  # 320 MB here must not count there
    small = _child.run("said = 1 + 1")
    large = _child.run("block = bytearray(200_000_000); said = best(lambda: None, 2)")
    assert held.nbytes > 300_000_000
    assert small.said == 2
    assert small.peak_bytes < 100_000_000 < 200_000_000 < large.peak_bytes < 300_000_000
    with pytest.raises(RuntimeError, match="no such thing"):
        _child.run("raise ValueError('no such thing')")


def test_the_interpreter_that_has_a_module(monkeypatch):
    monkeypatch.delenv("COVEY_BENCH_TEST", raising=False)
    assert _child.python_with("json", "COVEY_BENCH_TEST") == sys.executable
    assert _child.python_with("no_module_of_this_name", "COVEY_BENCH_TEST") is None


def test_data_are_what_they_say():
    x = correlated(5000, 20, missing=0.05)
    assert abs(np.isnan(x).mean() - 0.05) < 0.005
    np.testing.assert_array_equal(x, correlated(5000, 20, missing=0.05))
    y = many_shapes(5000, 10)
    assert np.isfinite(y).all()
    assert np.abs(y[:, 1]).max() > 100 * np.median(np.abs(y[:, 1]))  # heavy tail
    assert len(np.unique(y[:, 7])) < 50  # ties
    assert abs(np.corrcoef(y[:, 4], y[:, 5])[0, 1]) < 0.9


def test_the_page_is_renewed_between_its_markers(tmp_path):
    machine = {
        "cores": 2,
        "processor": "some processor",
        "memory_gib": 8,
        "gflops_float64": 40.0,
        "gflops_float32": 80.0,
        "python": "3.11",
        "versions": {"numpy": "2.4"},
    }
    row = Row("work", 0.5, "peer", 4.0, Target(speedup=6), difference=1e-12, gflops=10.0, note="scaled", others=0.3)
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{_page.BEGIN.format(part='select')}\nold\n{_page.END.format(part='select')}\nafter\n")
    for _ in range(2):
        _page.write(page, "select", [{"machine": machine, "rows": [row.to_json()]}])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| work | 0.5 | peer | 4 | 8x | 6x faster | yes | 1e-12 |  | 10.0 (25%) |" in text
    assert "other processes used meanwhile: 0.3 to 0.3." in text
    assert text.count("- work / peer: scaled.") == 1
    page.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        _page.write(page, "select", [{"machine": machine, "rows": [row.to_json()]}])


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["no-such-benchmark"])
    assert stop.value.code == 2
    assert NAMES[0] in capsys.readouterr().err
