"""The whole report of a table, from a dataframe to a page on disk."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _child
from benchmarks._frame import Row, Target

YDATA = "COVEY_BENCH_YDATA_PYTHON"
SKRUB = "COVEY_BENCH_SKRUB_PYTHON"

_LOAD = "import pandas, tempfile, os, sys, io, warnings; warnings.simplefilter('ignore')\n"
_FRAME = "frame = pandas.read_csv({path!r}, na_values='?', skipinitialspace=True)\n"
_PAGE = "page = os.path.join(tempfile.mkdtemp(), 'page.html')\n"
_COVEY = "import covey\nwork = lambda: covey.report(frame, target='income-per-year', out=page)\n"
_SKRUB = "import skrub\nwork = lambda: skrub.TableReport(frame, verbose=0).write_html(page)\n"
_YDATA = (
    "from ydata_profiling import ProfileReport\n"
    "work = lambda: ProfileReport(frame, progress_bar=False).to_file(page, silent=True)\n"
)
_SAY = "seconds = best(work, {repeats})\nsaid = [seconds, os.path.getsize(page)]\n"


def rows(quick: bool) -> list[Row]:
    """Adult in full, warm, beside ydata-profiling's default and skrub's `TableReport`; each in a process of its own."""
    repeats = 1 if quick else 3
    rounds = 1 if quick else 2
    peers = {
        "ydata-profiling default": (_YDATA, _child.python_with("ydata_profiling", YDATA), Target(speedup=2)),
        "skrub `TableReport`": (_SKRUB, _child.python_with("skrub", SKRUB), Target(speedup=1 / 2.5)),
    }
    ours, mine = float("inf"), None
    theirs = {name: float("inf") for name in peers}
    sizes = dict.fromkeys(peers, 0)
    for _ in range(rounds):
        child = _run(_COVEY, None, repeats)
        mine = child if child.said[0] < ours else mine
        ours = min(ours, child.said[0])
        for name, (code, python, _) in peers.items():
            if python:
                seconds, sizes[name] = _run(code, python, repeats).said
                theirs[name] = min(theirs[name], seconds)
    assert mine is not None
    return list(_lines(ours, mine, peers, theirs, sizes))


def _run(code: str, python: str | None, repeats: int) -> _child.Child:
    from covey import data

    script = _LOAD + _FRAME.format(path=str(data.path("adult"))) + _PAGE + code + _SAY.format(repeats=repeats)
    return _child.run(script, python) if python else _child.run(script)


def _lines(
    ours: float, mine: _child.Child, peers: dict, theirs: dict[str, float], sizes: dict[str, int]
) -> Iterator[Row]:
    for name, (_, python, target) in peers.items():
        yield Row(
            "whole report of Adult, from a dataframe to a page on disk",
            ours,
            name,
            theirs[name] if python else None,
            target,
            peak_bytes=mine.peak_bytes,
            note=(
                f"page of {mine.said[1] / 1e6:.1f} MB, the peer's {sizes[name] / 1e6:.1f} MB"
                if python
                else "peer is not installed"
            ),
        )
