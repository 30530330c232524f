"""``covey study``: run the studies that prove the catalogue."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from covey.cli._common import Json, print_json, print_table, progress
from covey.studies import StudyResult

app = typer.Typer(help="Run the studies that prove each system.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_studies(json: Json = False) -> None:
    """List the systems that have a study."""
    from covey.catalogue import methods

    rows = [(m.id, m.title, m.study) for m in methods()]
    if json:
        print_json([dict(zip(("id", "title", "study"), row)) for row in rows])
    else:
        print_table(f"{len(rows)} studies", ("id", "title", "study"), rows)


@app.command("run")
def run(
    ids: Annotated[list[str] | None, typer.Argument(help="Systems, for example s311 s215.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Run every study.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The short form, about ten seconds a study.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Page to write (default with --all: docs/studies.md).")
    ] = None,
    json: Json = False,
) -> None:
    """Run studies; the exit code is 1 when a claim does not hold."""
    from covey.studies import run_all, to_markdown
    from covey.table import atomic_write

    if bool(ids) == all:
        raise ValueError("name the systems to run, or give --all")
    with progress("running studies") as update:
        results = run_all(quick, ids or None, progress=lambda r: update(f"{r.id}: {r.verdict}"))
    if out is None and all and Path("docs").is_dir():
        out = Path("docs/studies.md")
    if out is not None:
        with atomic_write(out) as temporary:
            temporary.write_text(to_markdown(results), encoding="utf-8")
    if json:
        print_json([asdict(r) | {"verdict": r.verdict} for r in results])
    else:
        _print(results, verbose=not all)
        if out is not None:
            typer.echo(f"written to {out.resolve()}")
    if not all_hold(results):
        raise typer.Exit(1)


def all_hold(results: list[StudyResult]) -> bool:
    """Whether every study holds, or its catalogue row says in the open why it does not."""
    from covey.catalogue import get

    return all(r.holds or (get(r.id).not_held and not r.error) for r in results)


def _print(results: list[StudyResult], verbose: bool) -> None:
    if verbose:
        for result in results:
            rows = [
                (c.text, c.measured, c.bound_text, "" if c.baseline is None else c.baseline, "yes" if c.holds else "NO")
                for c in result.claims
            ]
            print_table(f"{result.id} {result.title}", ("claim", "measured", "bound", "baseline", "holds"), rows)
            for note in result.notes:
                typer.echo(f"note: {note}")
            if result.error:
                typer.echo(result.error)
    print_table(
        f"{sum(r.holds for r in results)} of {len(results)} studies hold",
        ("id", "title", "verdict", "seconds"),
        [(r.id, r.title, r.verdict, round(r.seconds, 1)) for r in results],
    )
