"""``covey report``: one table in, one page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from covey.cli._common import Engine, Sample, Seed, progress


def report(
    table: Annotated[str, typer.Argument(help="A file (CSV, Parquet, Arrow, .npy, .npz) or covey:adult.")],
    target: Annotated[str | None, typer.Option("--target", "-t", help="The column to be explained.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("report.html"),
    json: Annotated[Path | None, typer.Option("--json", help="Also write everything as JSON to this file.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Title of the page.")] = None,
    compositional: Annotated[
        str | None,
        typer.Option("--compositional", help="Columns that are parts of one whole, as a,b,c: compared by log-ratios."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="A column of numbers or dates to put the rows in order by.")
    ] = None,
    engine: Engine = None,
    sample: Sample = None,
    seed: Seed = 0,
) -> None:
    """Write a page that tells how the columns of TABLE move together and what to do about it."""
    from covey.report import report as make_report

    with progress("reading and measuring"):
        made = make_report(
            table,
            target=target,
            out=out,
            json=json,
            engine=engine,
            sample=sample,
            random_state=seed,
            title=title,
            compositional=[name.strip() for name in compositional.split(",")] if compositional else (),
            time=time,
        )
    typer.echo(str(made))
    typer.echo(f"\nThe page: {out.resolve()}")
    if json is not None:
        typer.echo(f"The data: {json.resolve()}")
