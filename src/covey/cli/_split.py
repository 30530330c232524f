"""``covey split``: spread the columns of a table over parties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import Json, Sample, Seed, is_file, print_json, print_table, progress

if TYPE_CHECKING:
    from covey.partition import Partition
    from covey.table import FeatureTable

_PARTIES = 4
_TARGETS = ("target", "label", "class", "y", "outcome")


def split(
    table: Annotated[
        str, typer.Argument(help="A file (CSV, Parquet, Arrow, .npy, .npz), or digits, letter, adult, synthetic, ...")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the parties' files; made if it is not there.")],
    parties: Annotated[
        int | None, typer.Option("--parties", "-k", min=1, help="Number of parties (4, or as many as --sizes).")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option("--alpha", help="Imbalance of the parties' importance, above 0: small is uneven.")
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option("--beta", help="Correlation between parties: 0 is the least, 1 the most."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="Column to predict (one that is so named, or the last)."),
    ] = None,
    no_target: Annotated[bool, typer.Option("--no-target", help="No column is a label: spread all.")] = False,
    label_party: Annotated[int, typer.Option("--label-party", min=0, help="Party that holds the label.")] = 0,
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="Number of columns of each party with --beta, as in 10,20,34.")
    ] = None,
    correlation: Annotated[
        str | None,
        typer.Option("--correlation", help="Measure for --beta (spearman; auto for mixed columns)."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="One party for each column prefix before this separator, as in _.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="File that says who holds what: JSON, or CSV of feature,party.")
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Draw the split in OUT/split.html.")] = True,
    sample: Sample = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Spread the columns of TABLE over parties: at random, with a wanted --alpha or --beta, or as they really are."""
    from covey.partition._folder import read_mapping, write_split

    made = {
        "--parties": parties,
        "--alpha": alpha,
        "--beta": beta,
        "--sizes": sizes,
        "--correlation": correlation,
    }
    real = _is_real({"--prefix": prefix, "--mapping": mapping}, made)
    party_sizes = _sizes(sizes)
    data, target = _load(table, target, no_target, sample, seed)
    features = data if target is None else data.drop(target)
    with progress("spreading columns over parties"):
        if real:
            partition = _real(features, prefix, read_mapping(mapping) if mapping else None, target)
            facts: dict[str, Any] = {"split": f"prefix {prefix}" if prefix else str(mapping)}
        else:
            partition, facts = _made(features, parties, alpha, beta, party_sizes, correlation, seed)
        facts = {"source": table, "rows": features.n_rows, "seed": seed} | facts
        manifest = write_split(out, data, partition, target, label_party=label_party, facts=facts)
        if page:
            from covey.cli._partition_pages import write_split_page

            write_split_page(manifest, features, partition, out / "split.html")
    nobodys = [name for name, party in zip(partition.names, partition.labels) if party < 0]
    if nobodys:
        typer.echo(f"held by no party: {', '.join(nobodys)}", err=True)
    if json:
        print_json({"folder": str(out), "target": target, "facts": facts, "parties": _holdings(partition)})
        return
    rows = [(p["name"], len(p["columns"]), ", ".join(p["columns"])) for p in _holdings(partition)]
    print_table(
        f"{partition.n_features - len(nobodys)} columns over {partition.n_parties} parties",
        ("party", "n", "columns"),
        rows,
    )
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' ')}: {_said(value)}")
    held = (
        "nobody holds a label" if target is None else f"{manifest.party_names[label_party]} holds the label {target!r}"
    )
    typer.echo(f"{held}; files in {out.resolve()}" + (", drawn in split.html" if page else ""))


def _said(value: Any) -> str:
    """A fact as a person reads it."""
    if isinstance(value, list):
        return " to ".join(map(_said, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_real(real: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether parties are as they really are; what shapes made ones contradicts it."""
    given = [name for name, value in real.items() if value is not None]
    shaped = [name for name, value in made.items() if value is not None]
    if len(given) > 1 or (given and shaped):
        raise ValueError(f"{' and '.join([*given, *shaped])} contradict each other; give one of them")
    return bool(given)


def _load(
    source: str, target: str | None, no_target: bool, sample: int | None, seed: int
) -> tuple[FeatureTable, str | None]:
    """The table with its target, and the target's name."""
    import covey
    from covey.partition.datasets import NAMES, load

    if no_target and target is not None:
        raise ValueError("--target and --no-target contradict each other; give one of them")
    if source in NAMES or _has_labels_apart(source):
        data = load(source, target, seed, sample)
        return (data.X, None) if no_target else (data.table(), data.target)
    table = covey.read(source)
    table = table if sample is None else table.sample(sample, seed)
    if no_target:
        return table, None
    if target is None:
        target = next((name for name in table.names if name.lower() in _TARGETS), table.names[-1])
        typer.echo(f"target: {target!r} (--target names another, --no-target none)", err=True)
    if table.names == (target,):
        raise ValueError(f"{source} has no column beside the target {target!r}")
    return _with_labels(table, target), target


def _has_labels_apart(source: str) -> bool:
    """Whether it is a NumPy archive of ``X`` and ``y``."""
    if not is_file(source, ".npz"):
        return False
    import numpy as np

    with np.load(source, allow_pickle=False) as file:
        return {"X", "y"} <= set(file.files)


def _with_labels(table: FeatureTable, target: str) -> FeatureTable:
    """The rows that have a label."""
    missing = table.column(target).missing
    if missing.all():
        raise ValueError(f"no row has a label in {target!r}; name another column with --target")
    if not missing.any():
        return table
    typer.echo(f"{missing.sum():,} rows without a label left out", err=True)
    return table.take(~missing)


def _real(
    features: FeatureTable, prefix: str | None, mapping: dict[str, list[str]] | None, target: str | None
) -> Partition:
    from covey.partition import Partition

    if mapping is not None:
        for party, columns in mapping.items():
            if target in columns:
                raise ValueError(f"party {party!r} holds the target {target!r} among its features; leave it out")
        return Partition.from_mapping(mapping, features.names)
    assert prefix is not None
    return Partition.from_prefix(features.names, prefix)


def _made(
    features: FeatureTable,
    parties: int | None,
    alpha: float | None,
    beta: float | None,
    sizes: list[int] | None,
    correlation: str | None,
    seed: int,
) -> tuple[Partition, dict[str, Any]]:
    from covey.partition.bench import make_split

    n_parties = parties or len(sizes or ()) or _PARTIES
    return make_split(features, n_parties, alpha, beta, seed, party_sizes=sizes, correlation=correlation)


def _sizes(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--sizes {text}: give numbers with commas, as in 10,20,34") from None


def _holdings(partition: Partition) -> list[dict[str, Any]]:
    return [{"name": name, "columns": list(partition.columns(k))} for k, name in enumerate(partition.party_names)]
