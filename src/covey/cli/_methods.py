"""``covey methods``: the catalogue of systems, and the measures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from covey.cli._common import Json, print_json, print_table


def methods(
    id: Annotated[str | None, typer.Argument(help="Show the card of one system, for example s311.")] = None,
    room: Annotated[str | None, typer.Option("--room", help="Only systems of this room.")] = None,
    measures: Annotated[bool, typer.Option("--measures", help="List the measures of covey associate.")] = False,
    json: Json = False,
) -> None:
    """List the published systems that covey implements, or show one."""
    if measures:
        _list_measures(json)
        return
    from covey.catalogue import get
    from covey.catalogue import methods as catalogue

    if id is not None:
        card = asdict(get(id)) | {"url": get(id).url}
        if json:
            print_json(card)
        else:
            for key, value in card.items():
                if value:
                    typer.echo(f"{key:8} {', '.join(value) if isinstance(value, tuple) else value}")
        return
    rows = [m for m in catalogue() if room in (None, m.room)]
    if room is not None and not rows:
        rooms = sorted({m.room for m in catalogue()})
        raise ValueError(f"no system in a room {room!r}; rooms are {', '.join(rooms)}")
    if json:
        print_json([asdict(m) for m in rows])
        return
    columns = ("id", "year", "room", "title", "object")
    print_table(f"{len(rows)} systems", columns, [(m.id, m.year, m.room, m.title, m.objects[0]) for m in rows])


def _list_measures(json: bool) -> None:
    from covey.measure import get
    from covey.measure import measures as names

    found = [get(name) for name in names()]
    rows = [(m.name, "yes" if m.symmetric else "no", "yes" if m.signed else "no", m.summary) for m in found]
    if json:
        print_json([dict(zip(("name", "symmetric", "signed", "summary"), row)) for row in rows])
    else:
        print_table(f"{len(rows)} measures", ("name", "symmetric", "signed", "what it sees"), rows)
