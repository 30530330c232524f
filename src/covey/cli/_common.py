"""What commands share: options, progress, tables, sampled and streamed sources."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from covey.table import Column, FeatureTable

Engine = Annotated[
    str | None, typer.Option("--engine", help="Where work runs: local, local:4 or dask://host:port.", metavar="ENGINE")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
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


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows; columns of numbers are aligned right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold")
    for k, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[k], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row), end_section=False)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(title, style="italic", markup=False, highlight=False)  # a table's own title is as narrow as the table
    console.print(table)


def cell(value: Any) -> str:
    """One value as text that a person reads."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    from rich.markup import escape

    return escape(str(value))


def print_json(value: Any) -> None:
    """Print a value as JSON; NaN becomes null."""
    from covey.table import plain

    typer.echo(json.dumps(plain(value), indent=1, ensure_ascii=False))


def is_file(source: str, *endings: str) -> bool:
    """Whether the source is a file with one of the endings."""
    return Path(source).suffix.lower() in endings and Path(source).is_file()


def is_large(source: str) -> bool:
    """Whether the file would take more than a quarter of the memory that is free once it is in float64."""
    if is_file(source, ".parquet", ".pq"):
        import pyarrow.parquet as pq

        try:
            meta = pq.read_metadata(source)
        except (OSError, ValueError):  # reading it will say what is wrong
            return False
        size = 8 * meta.num_rows * meta.num_columns
    elif is_file(source, ".csv", ".tsv", ".feather", ".arrow"):
        size = 3 * Path(source).stat().st_size
    else:
        return False
    return size > _free_memory() / 4


def _free_memory() -> float:
    """Bytes that are free, or half of all where the system does not tell; infinite where it tells neither."""
    for pages, share in (("SC_AVPHYS_PAGES", 1.0), ("SC_PHYS_PAGES", 0.5)):
        try:
            return share * os.sysconf("SC_PAGE_SIZE") * os.sysconf(pages)
        except (AttributeError, ValueError, OSError):  # macOS knows no free pages, Windows no pages at all
            continue
    return math.inf


def require_column(names: Any, target: str | None) -> None:
    """Raise ValueError if there is no column of that name."""
    from covey.table import unknown_column

    if target is not None and target not in names:
        raise ValueError(unknown_column(target, names))


def read_with_target(
    source: str, target: str | None, sample: int | None, seed: int
) -> tuple[FeatureTable, Column | None]:
    """The features, and the target's column without the rows where it is missing."""
    import covey

    table = covey.read(source)
    require_column(table.names, target)
    if target is None:
        return (table if sample is None else table.sample(sample, seed)), None
    present = ~table[target].missing
    if not present.any():
        raise ValueError(f"every value of the target {target!r} is missing; choose another column")
    if not present.all():
        typer.echo(f"covey: note: {(~present).sum()} rows without a value of {target!r} are left out", err=True)
        table = table.take(present.nonzero()[0])
    if sample is not None:
        table = table.sample(sample, seed)
    if table.n_columns < 2:
        raise ValueError(f"{source} has no column beside the target {target!r}")
    return table.drop(target), table[target]
