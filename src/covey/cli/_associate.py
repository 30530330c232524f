"""``covey associate``: one measure over all pairs of columns, in memory or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import (
    Engine,
    Json,
    Sample,
    Seed,
    is_large,
    print_json,
    print_table,
    progress,
)

if TYPE_CHECKING:
    from covey.measure import AssociationMatrix

_WRITERS = (".parquet", ".csv", ".json")


def associate(
    table: Annotated[str, typer.Argument(help="A file (CSV, Parquet, Arrow, .npy, .npz) or covey:adult.")],
    measure: Annotated[
        str, typer.Option("--measure", "-m", help="Name of the measure; see covey methods --measures.")
    ] = "auto",
    target: Annotated[str | None, typer.Option("--target", "-t", help="Only pairs with this column.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write all pairs to this .parquet, .csv or .json file.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many pairs to print.")] = 20,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Read in row blocks (by default when the file is large)."),
    ] = None,
    pvalues: Annotated[bool, typer.Option("--pvalues/--no-pvalues", help="Test each pair for independence.")] = True,
    engine: Engine = None,
    sample: Sample = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure how strongly every pair of columns of TABLE moves together."""
    import covey
    from covey.table import plain

    if out is not None and out.suffix not in _WRITERS:
        raise ValueError(f"--out {out}: the ending must be one of {', '.join(_WRITERS)}")
    source: Any
    if sample is None and (is_large(table) or bool(engine and engine.startswith("dask")) if stream is None else stream):
        source = covey.iter_blocks(table)
    else:
        source = covey.read(table)
        source = source if sample is None else source.sample(sample, seed)
    with progress(f"{measure} of all pairs"):
        matrix = covey.associate(source, measure=measure, target=target, pvalues=pvalues, engine=engine)
    pairs = matrix.pairs_table()
    if out is not None:
        write_pairs(pairs, out)
    if json:
        print_json(_json(matrix, pairs))
        return
    shown = [name for name in ("left", "right", "value", "sign", "pvalue", "error_bound", "n") if name in pairs]
    rows = list(zip(*(plain(list(pairs[name][:top])) for name in shown)))
    print_table(f"{measure}: {min(top, len(pairs['left']))} of {len(pairs['left'])} pairs", shown, rows)
    for note in matrix.info.get("notes", ()):
        typer.echo(f"note: {note}")
    if out is not None:
        typer.echo(f"all pairs: {out.resolve()}")


def write_pairs(pairs: Mapping[str, Any], path: Path) -> None:
    """Write the pairs to a Parquet, CSV or JSON file, complete or not at all."""
    import json

    import pyarrow as pa

    from covey.table import atomic_write, plain, write

    if path.suffix != ".json":
        write(pa.table(dict(pairs)), path)
        return
    records = [dict(zip(pairs, row)) for row in zip(*(plain(list(column)) for column in pairs.values()))]
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(records), encoding="utf-8")


def _json(matrix: AssociationMatrix, pairs: Mapping[str, Any]) -> dict[str, Any]:
    records = [dict(zip(pairs, row)) for row in zip(*pairs.values())]
    return {"measure": matrix.measure, "symmetric": matrix.symmetric, "info": dict(matrix.info), "pairs": records}
