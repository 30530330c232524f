"""``covey vfl``: measure a split, run algorithms on it, and compare them over a grid of splits."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import Json, Seed, print_json, print_table, progress

if TYPE_CHECKING:
    from covey.partition._folder import Manifest

app = typer.Typer(help="Learn from columns that are spread over parties.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(help="A folder that covey split has made.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the algorithm: --set n_epochs=20.", metavar="KEY=VALUE"),
]
TestFraction = Annotated[float, typer.Option("--test-fraction", help="Share of the rows to test on, 0..1.")]


@app.command("evaluate")
def evaluate(
    folder: Folder,
    correlation: Annotated[
        str | None, typer.Option("--correlation", help="Any measure (spearman, or auto where columns are mixed).")
    ] = None,
    importance: Annotated[
        bool, typer.Option("--importance/--no-importance", help="Shapley importance of the parties, by boosted trees.")
    ] = True,
    bounds: Annotated[bool, typer.Option("--bounds/--no-bounds", help="Search the bounds that beta needs.")] = True,
    page: Annotated[Path | None, typer.Option("--page", help="Draw the split in this HTML file.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure the split in FOLDER: Pcor, Icor, beta, importance, alpha, and what Pcor misses."""
    from covey.cli._partition_pages import evaluate_folder, print_evaluation, table_of, write_split_page
    from covey.partition._folder import read_manifest

    manifest = read_manifest(folder)
    with progress("measuring the split"):
        evaluation = evaluate_folder(manifest, correlation, importance, bounds, seed)
        if page is not None:
            write_split_page(manifest, table_of(manifest), manifest.partition, page, evaluation)
    if json:
        print_json(evaluation.to_dict())
        return
    print_evaluation(manifest, evaluation)
    if page is not None:
        typer.echo(f"page: {page.resolve()}")


@app.command("run")
def run(
    folder: Folder,
    algorithm: Annotated[
        str, typer.Option("--algorithm", "-a", help="splitnn, cvfl, gal, gbdt or linear; also solo-..., pooled-...")
    ],
    settings: Settings = None,
    test_fraction: TestFraction = 0.25,
    leakage: Annotated[bool, typer.Option("--leakage", help="Attack what the channel carried.")] = False,
    align: Annotated[bool, typer.Option("--align", help="Join the parties' rows on their ids first.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Folder to keep states in; training goes on from there.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train and test an algorithm on the parties of FOLDER, all in this process (covey vfl party runs one alone)."""
    from covey.partition._channel import LocalNetwork
    from covey.partition._folder import read_manifest
    from covey.partition._inputs import split_rows, take_rows
    from covey.partition.bench import make_algorithm

    manifest = read_manifest(folder)
    parties, y = read_aligned(manifest) if align else manifest.read_all()
    chosen = {"random_state": seed, "task": manifest.task} | parse_settings(settings)
    model = make_algorithm(algorithm, **chosen)
    train, test = split_rows(len(y), test_fraction, seed)
    if checkpoint is not None:
        _check_same_run(
            checkpoint,
            {
                "algorithm": algorithm,
                "seed": seed,
                "test fraction": test_fraction,
                "align": align,
                "rows": len(y),
                "label": manifest.label,
                "label holder": manifest.label_party,
                "columns": [list(columns) for columns in manifest.columns],
            },
        )
    known = [take_rows(X, train) for X in parties]
    start = perf_counter()
    with progress(f"training {algorithm} with {manifest.n_parties} parties"):
        model.fit(known, y[train], label_party=manifest.label_party, checkpoint=checkpoint)
        seconds = perf_counter() - start
        network = LocalNetwork(manifest.n_parties, manifest.label_party)
        scores = model.scores([take_rows(X, test) for X in parties], network=network)
        report = _leakage(model, known, y[train], seed) if leakage else None
    objective = model.objective_
    result: dict[str, Any] = {
        "algorithm": algorithm,
        "rows": {"train": len(train), "test": len(test)},
        "metric": "R2" if objective.classes is None else "accuracy",
        "score": objective.metric(scores, y[test]),
        "seconds": seconds,
        "training": model.traffic_.to_dict(),
        "prediction": network.traffic.to_dict(),
        "loss": model.history_,
    }
    if report is not None:
        result["leakage"] = report.to_dict()
    if json:
        print_json(result)
        return
    _print_run(manifest, result)
    if report is not None:
        typer.echo(repr(report))


@app.command("bench")
def bench(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of results; what is done there is not done again.")
    ] = Path("vfl-bench"),
    grid: Annotated[
        bool, typer.Option("--grid", help="All data sets at hand and the paper's alphas and betas, three seeds.")
    ] = False,
    data: Annotated[
        str | None, typer.Option("--data", help="Names or paths with commas; a path's target after a colon: a.csv:y.")
    ] = None,
    algorithms: Annotated[str | None, typer.Option("--algorithms", help="Names with commas.")] = None,
    alphas: Annotated[str | None, typer.Option("--alphas", help="Numbers with commas, or none.")] = None,
    betas: Annotated[str | None, typer.Option("--betas", help="Numbers with commas, or none.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Number of seeds.")] = None,
    parties: Annotated[int, typer.Option("--parties", "-k", min=2, help="Number of parties.")] = 4,
    max_rows: Annotated[int | None, typer.Option("--max-rows", min=20, help="At most so many rows a data set.")] = None,
    leakage: Annotated[bool, typer.Option("--leakage/--no-leakage", help="Attack what the channel carried.")] = True,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Cells side by side (1, so that seconds compare).")] = 1,
    json: Json = False,
) -> None:
    """Compare algorithms over alpha, beta and data sets: a table and OUT/bench.html. A killed run goes on."""
    from covey.cli._partition_pages import write_bench_page
    from covey.partition.bench import Bench, bench_cells, summarise

    cells = bench_cells(
        grid,
        data=_words(data),
        algorithms=_words(algorithms),
        alphas=_numbers("--alphas", alphas),
        betas=_numbers("--betas", betas),
        n_seeds=seeds,
        n_parties=parties,
        max_rows=max_rows,
        leakage=leakage,
    )
    work = Bench(out, f"local:{jobs}")
    done = len(work.results(cells))
    n_new = 0
    with progress(f"{done} of {len(cells)} cells were done") as update:

        def tell(row: dict[str, Any]) -> None:
            nonlocal n_new
            n_new += 1
            update(f"{done + n_new} of {len(cells)} cells; last: {row['algorithm']} on {row['data']}")

        try:
            rows = work.run(cells, tell)
        except BaseException:
            write_bench_page(work.results(cells), out / "bench.html")
            raise
    write_bench_page(rows, out / "bench.html")
    summary = summarise(rows)
    if json:
        print_json({"cells": rows, "summary": summary})
    else:
        columns: tuple[str, ...] = (
            "data",
            "algorithm",
            "alpha",
            "beta",
            "n",
            "score",
            "score_sd",
            "bytes",
            "rounds",
            "seconds",
        )
        columns += ("leakage", "label_leakage") if leakage else ()
        shown = [tuple("" if row[key] is None else row[key] for key in columns) for row in summary]
        print_table(f"{len(cells)} cells, {done} of them from before", columns, shown)
        for row in rows:
            if row["error"]:
                typer.echo(f"not done: {row['algorithm']} on {row['data']}: {row['error']}", err=True)
        typer.echo(f"page: {(out / 'bench.html').resolve()}")
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """Settings of the form key=value; values are JSON, or else text."""
    parsed: dict[str, Any] = {}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {setting}: write key=value, as in --set n_epochs=20")
        try:
            parsed[key] = json_module.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def read_aligned(manifest: Manifest) -> tuple[list[Any], Any]:
    """Columns of all parties and the labels on the rows that all have, joined on their ids."""
    import numpy as np

    from covey.partition._inputs import take_rows
    from covey.partition.alignment import align

    label_ids, y = manifest.read_labels()
    ids, parties = zip(*(manifest.read_party(rank) for rank in range(manifest.n_parties)))
    if not np.array_equal(ids[manifest.label_party], label_ids):
        order = align([ids[manifest.label_party], label_ids])
        raise ValueError(
            f"the label holder's own columns and labels share {order.n_common} of {len(label_ids)} ids; "
            "a party must bring its columns and labels in the same rows"
        )
    joined = align(list(ids), label_party=manifest.label_party)
    typer.echo(repr(joined), err=True)
    return [take_rows(X, rows) for X, rows in zip(parties, joined.rows)], y[joined.rows[manifest.label_party]]


def _check_same_run(checkpoint: Path, facts: dict[str, Any]) -> None:
    """Let states go on only where they were made: on other training rows they would know the rows to test on."""
    from covey.table import atomic_write

    path = checkpoint / "run.json"
    if not path.exists():
        checkpoint.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(json_module.dumps(facts, indent=1), encoding="utf-8")
        return
    earlier = json_module.loads(path.read_text(encoding="utf-8"))
    for name, value in facts.items():
        if earlier.get(name) != value:
            raise ValueError(
                f"{checkpoint} is of a run with {name} {earlier.get(name)}, this one has {value}; "
                "use another folder or remove it"
            )


def _leakage(model: Any, parties: list[Any], y: Any, seed: int) -> Any:
    from covey.partition.attacks import leakage

    return leakage(model, parties, y, random_state=seed)


def _print_run(manifest: Manifest, result: dict[str, Any]) -> None:
    training, prediction = result["training"], result["prediction"]
    rows = [
        (f"{result['metric']} on {result['rows']['test']:,} test rows", result["score"]),
        ("seconds of training", result["seconds"]),
        ("bytes of training", training["bytes"]),
        ("messages", training["messages"]),
        ("rounds", training["rounds"]),
        ("bytes of prediction", prediction["bytes"]),
    ]
    print_table(f"{result['algorithm']}: {manifest.n_parties} parties", ("what", "value"), rows)
    names = manifest.party_names
    links = [(names[link["from"]], names[link["to"]], link["bytes"], link["messages"]) for link in training["links"]]
    if links:
        print_table("links in training", ("from", "to", "bytes", "messages"), links)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    if text.strip() in ("", "none"):
        return []
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {text}: give numbers with commas, as in 0.1,1,10, or none") from None
