"""The table on a terminal, and docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN = "<!-- {part}, written by `python -m benchmarks --write`: begin -->"
END = "<!-- {part}, written by `python -m benchmarks --write`: end -->"
HEADER = (
    "work",
    "covey, s",
    "peer",
    "peer, s",
    "ratio",
    "to reach",
    "reached",
    "max difference",
    "peak MB",
    "GFLOP/s (of GEMM)",
)


def cells(row: Mapping[str, Any], gemm: float) -> tuple[str, ...]:
    """One row of the table as text."""
    rate = row["gflops"]
    return (
        row["work"],
        _number(row["seconds"]),
        row["peer"],
        _number(row["peer_seconds"]),
        "" if row["speedup"] is None else f"{row['speedup']:.3g}x",
        row["target"],
        {True: "yes", False: "**no**", None: ""}[row["reached"]],
        "" if row["difference"] is None else f"{row['difference']:.2g}",
        "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}",
        "" if rate is None else f"{rate:.1f} ({rate / gemm:.0%})",
    )


def _number(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3g}"


def terminal(row: Mapping[str, Any], gemm: float) -> str:
    """One row as lines for a terminal."""
    filled = [f"{name} {text}" for name, text in zip(HEADER, cells(row, gemm)) if text][1:]
    note = f"\n    {row['note']}" if row["note"] else ""
    noise = f"load {row['load']:.1f}, others used {row['others']:.1f} cores"
    return f"{row['work']}\n    {', '.join(filled)}, {noise}{note}"


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """The page's generated part: the machine, one table, the notes."""
    machine = results[-1]["machine"]
    gemm = machine["gflops_float64"]
    rows = [row for result in results for row in result["rows"]]
    notes = [row for row in rows if row["note"]]
    others = [row["others"] for row in rows]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return "\n".join(
        [
            f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB; its own matrix product "
            f"(2048 x 2048): {gemm:.0f} GFLOP/s in float64, {machine['gflops_float32']:.0f} in float32. "
            f"Python {machine['python']}, {versions}. Cores that other processes used meanwhile: "
            f"{min(others):.1f} to {max(others):.1f}.",
            "",
            *_table(HEADER, [cells(row, r["machine"]["gflops_float64"]) for r in results for row in r["rows"]]),
            "",
            *[f"- {row['work']}{' / ' + row['peer'] if row['peer'] else ''}: {row['note']}." for row in notes],
        ]
    )


def _table(header: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def write(path: Path, part: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Replace what stands between the markers of a part of `path`.

    Raises
    ------
    ValueError
        If the file lacks the markers.
    """
    from covey.table import atomic_write

    text = path.read_text(encoding="utf-8")
    begin, end = BEGIN.format(part=part), END.format(part=part)
    if begin not in text or end not in text:
        raise ValueError(f"{path} lacks the two markers between which the figures go")
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    with atomic_write(path) as temporary:
        Path(temporary).write_text(f"{head}{begin}\n\n{markdown(results)}\n\n{end}{tail}", encoding="utf-8")
