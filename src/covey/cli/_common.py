"""What commands share: options, progress, tables, sampled and streamed sources."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from covey.table import FeatureTable, read

Engine = Annotated[
    str | None, typer.Option("--engine", help="Where work runs: local, local:4 or dask://host:port.", metavar="ENGINE")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Sample = Annotated[int | None, typer.Option("--sample", min=2, help="Use this many rows, drawn at random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr while work runs, silent when stderr is no terminal; call the value to change its text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update


def sampled(table: FeatureTable, rows: int | None, seed: int) -> FeatureTable:
    """At most `rows` rows drawn at random without replacement, in their order."""
    if rows is None or rows >= table.n_rows:
        return table
    return table.take(np.sort(np.random.default_rng(seed).choice(table.n_rows, rows, replace=False)))


def read_sampled(source: str, rows: int | None, seed: int) -> FeatureTable:
    """Read a source and draw rows from it."""
    return sampled(read(source), rows, seed)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows; columns of numbers are aligned right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for k, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[k], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row), end_section=False)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def cell(value: Any) -> str:
    """One value as text that a person reads."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    from rich.markup import escape

    return escape(str(value))


def print_json(value: Any) -> None:
    """Print a value as JSON; NaN becomes null."""
    typer.echo(json.dumps(jsonable(value), indent=1, ensure_ascii=False))


def jsonable(value: Any) -> Any:
    """The value with NumPy scalars and arrays as Python ones, and NaN or infinity as None."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def is_file(source: str, *endings: str) -> bool:
    """Whether the source is a file with one of the endings."""
    return Path(source).suffix.lower() in endings and Path(source).is_file()
