"""What the commands about parties print and draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covey.cli._common import print_table

if TYPE_CHECKING:
    from covey.partition import Partition, PartitionReport
    from covey.partition._folder import Manifest
    from covey.table import FeatureTable


_OF_A_MEASURE = ("bounds", "error", "beta", "beta_reached")  # facts that hold for one measure of correlation


def table_of(manifest: Manifest) -> FeatureTable:
    """All parties' columns side by side, in the order of the manifest's partition."""
    from covey.table import Column, FeatureTable

    columns: dict[str, Column] = {}
    for X in manifest.read_features():
        if isinstance(X, FeatureTable):
            columns |= {column.name: column for column in X.columns()}
    return FeatureTable.from_columns([columns[name] for name in manifest.partition.names])


def evaluate_folder(
    manifest: Manifest, correlation: str | None, importance: bool, bounds: bool, seed: int
) -> PartitionReport:
    """Measure a split; the importance of its parties only where one of them holds a label."""
    from covey.partition import evaluate
    from covey.partition.bench import default_correlation

    y = manifest.read_all()[1] if manifest.label else None
    table = table_of(manifest)
    measure = correlation or manifest.facts.get("correlation") or default_correlation(table)
    return evaluate(
        table,
        manifest.partition,
        y if importance else None,
        correlation=measure,
        bounds=_bounds(manifest, measure, bounds),
        random_state=seed,
    )


def _bounds(manifest: Manifest, measure: str, search: bool) -> Any:
    """Bounds that the split was made with, if by the same measure, or the wish to search them; None where none are."""
    sizes = manifest.partition.sizes
    if min(sizes) < 1 or max(sizes) < 2 or len(sizes) < 2 or sum(sizes) > manifest.partition.n_features:
        return None
    known = manifest.facts.get("icor_bounds")
    if known is not None and measure == manifest.facts.get("correlation"):
        return tuple(known)
    return "search" if search else None


def print_evaluation(manifest: Manifest, report: PartitionReport) -> None:
    """Print the report, and Pcor of every two parties."""
    import typer

    typer.echo(str(report))
    names = manifest.party_names
    rows = [(name, *map(float, values)) for name, values in zip(names, report.pcor)]
    print_table("Pcor", ("", *names), rows)


def write_split_page(
    manifest: Manifest, table: FeatureTable, partition: Partition, path: Path, report: PartitionReport | None = None
) -> None:
    """Draw who holds what, and how the parts correlate: in the measure of the report, if there is one."""
    from covey.partition._correlation import feature_correlation
    from covey.partition._pcor import icor, pcor_matrix
    from covey.partition.bench import default_correlation
    from covey.report._files import write_text
    from covey.report._partition_page import split_page

    measure = manifest.facts.get("correlation") or default_correlation(table) if report is None else report.correlation
    correlation = feature_correlation(table.select(partition.names), measure).values
    pcor = pcor_matrix(correlation, partition.parties) if report is None else report.pcor
    facts = _facts(manifest.facts) | {"Icor": icor(pcor), "correlation": measure}
    shares = None
    if report is not None:
        if measure != manifest.facts.get("correlation"):
            facts = {name: value for name, value in facts.items() if name not in _OF_A_MEASURE}
        if report.bounds is not None:
            facts |= {"beta": report.beta, "bounds": report.bounds}
        if report.importance is not None and report.alpha is not None:
            shares = report.importance.shares
            facts |= {"alpha of the importances": report.alpha.alpha}
    title = f"{Path(str(manifest.facts.get('source', manifest.folder))).name} over {partition.n_parties} parties"
    page = split_page(title, partition.names, partition.party_names, partition.labels, correlation, pcor, shares, facts)
    write_text(path, page)


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a manifest in the words of the page."""
    words = {"icor": "Icor", "icor_bounds": "bounds", "icor_error": "error"}
    return {words.get(name, name): tuple(v) if isinstance(v, list) else v for name, v in facts.items()}


def write_bench_page(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw a benchmark, if a cell of it is done."""
    from covey.report._files import write_text
    from covey.report._partition_page import bench_page

    if rows:
        write_text(path, bench_page("Algorithms over parties", rows))
