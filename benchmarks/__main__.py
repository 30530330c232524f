"""``python -m benchmarks [name ...] [--quick] [--write]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import NAMES, PARTS, _machine, _page
from benchmarks._frame import Row, watched

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DOCUMENT = HERE.parent / "docs" / "performance.md"


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks (all, if none is named) and print their rows; 1 if a target was missed."""
    options = _parser().parse_args(arguments)
    machine = _machine.describe()
    print(
        f"{machine['cores']} cores of {machine['processor']}, {machine['gflops_float64']:.1f} GFLOP/s in float64, "
        f"{machine['gflops_float32']:.1f} in float32, load {machine['load']:.1f}"
    )
    RESULTS.mkdir(exist_ok=True)
    missed = 0
    for name in options.names or NAMES:
        rows = [row.to_json() for row in watched(partial(_rows_of(name), options.quick))]
        for row in rows:
            print(_page.terminal(row, machine["gflops_float64"]), flush=True)
        missed += sum(row["reached"] is False for row in rows)
        if not options.quick:
            (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    if options.write:
        for part, names in PARTS.items():
            missing = [name for name in names if not (RESULTS / f"{name}.json").exists()]
            if missing:
                print(f"{part}: its table stays as it is, {', '.join(missing)} have not been run in full here")
            else:
                _page.write(DOCUMENT, part, _stored(names))
        print(f"wrote {DOCUMENT}")
    return int(missed > 0)


def _rows_of(name: str) -> Callable[[bool], list[Row]]:
    return import_module(f"benchmarks.{name}").rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="covey beside its peers")
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small data, few repeats: does it run at all?")
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md from the latest full runs")
    return parser


def _stored(names: Sequence[str]) -> list[dict[str, Any]]:
    paths = [RESULTS / f"{name}.json" for name in names]
    return [json.loads(path.read_text()) for path in paths]


if __name__ == "__main__":
    sys.exit(main())
