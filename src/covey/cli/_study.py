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
        Path | None, typer.Option("--out", help="Page to write or renew (default with --all: docs/studies.md).")
    ] = None,
    json: Json = False,
) -> None:
    """Run studies; the exit code is 1 when a claim does not hold."""
    from covey.studies import renew, run_all, to_markdown
    from covey.table import atomic_write

    if bool(ids) == all:
        raise ValueError("name the systems to run, or give --all")
    with progress("running studies") as update:
        results = run_all(quick, ids or None, progress=lambda r: update(f"{r.id}: {r.verdict}"))
    if out is None and all and Path("docs").is_dir():
        out = Path("docs/studies.md")
    if out is not None:
        written = out.read_text(encoding="utf-8") if out.is_file() else ""
        with atomic_write(out) as temporary:
            temporary.write_text(renew(written, results) if written else to_markdown(results), encoding="utf-8")
    if json:
        print_json([asdict(r) | {"verdict": r.verdict} for r in results])
    else:
        _print(results, verbose=not all)
        if out is not None:
            typer.echo(f"written to {out.resolve()}")
    if not all_hold(results):
        raise typer.Exit(1)


@app.command("showdown")
def showdown(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep what is done here, and go on from it the next time.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Only these tables, as a,b,c.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Page that gets the section (docs/studies.md where there are docs).")
    ] = None,
    json: Json = False,
) -> None:
    """Run every selector on every bundled table with three learners, and rank them."""
    from covey.studies.select import showdown as study

    chosen = study.DATA if data is None else tuple(name.strip() for name in data.split(","))
    unknown = [name for name in chosen if name not in study.DATA]
    if unknown:
        raise ValueError(f"no table {unknown[0]!r}; choose some of {', '.join(study.DATA)}")
    with progress("running the showdown") as update:
        cells = study.run(folder, chosen, progress=lambda c, k, n: update(f"{k} of {n}: {c.selector} on {c.data}"))
    found = study.ranked(cells)
    if out is None and Path("docs").is_dir():
        out = Path("docs/studies.md")
    if out is not None:
        from covey.table import atomic_write

        picture = (
            out.parent / "_static" / "showdown.svg" if (out.parent / "_static").is_dir() else out.with_suffix(".svg")
        )
        with atomic_write(picture) as temporary:
            temporary.write_text(study.to_svg(found), encoding="utf-8")
        address = picture.relative_to(out.parent).as_posix()
        write_section(out, "showdown", study.to_markdown(cells, address))
    if json:
        print_json([vars(cell) for cell in cells])
        return
    print_table(
        f"mean ranks over {found.n_settings} settings; closer than {found.difference:.2f} do not differ",
        ("selector", "mean rank"),
        list(zip(found.names, found.ranks.tolist())),
    )
    for cell in cells:
        if cell.error:
            typer.echo(f"{cell.selector} on {cell.data}: {cell.error}")
    if out is not None:
        typer.echo(f"written to {out.resolve()}")


def write_section(page: Path, name: str, text: str) -> None:
    """Put a section at the end of a page, in place of one of that name."""
    from covey.table import atomic_write

    old = page.read_text(encoding="utf-8") if page.is_file() else "# Studies\n"
    with atomic_write(page) as temporary:
        temporary.write_text(f"{without_section(old, name).rstrip()}\n\n{text}", encoding="utf-8")


def without_section(page: str, name: str) -> str:
    """A page without its last section, if that has the name."""
    head, found, _ = page.partition(f"\n## {name}\n")
    return head + "\n" if found else page


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
