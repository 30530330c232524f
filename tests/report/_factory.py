"""Reports made from small synthetic tables, for the tests of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.report._model import (
    ColumnSummary,
    Estimate,
    Finding,
    Group,
    OrderEffect,
    Relevance,
    ReportData,
    Reversal,
    View,
)
from covey.table import Column, FeatureTable

HOSTILE = "</script><img src=x onerror=alert(1)>"
LONG = "a rather long name that somebody gave to a column because it once was a question in a survey of people"


def make_table(n_columns: int = 12, n_rows: int = 600, seed: int = 0, hostile: bool = False) -> FeatureTable:
    """Numbers, categories, booleans and dates that share a few latent factors; every tenth cell missing in two."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, max(2, n_columns // 6)))
    columns = []
    for k in range(n_columns):
        value = factors[:, k % factors.shape[1]] + rng.normal(scale=0.3 + (k % 5) / 4, size=n_rows)
        name = LONG if k == 5 else f"feature {k}"
        columns.append(_column(name, value, k, rng))
    if hostile:
        codes = rng.integers(0, 3, n_rows).astype(np.int32)
        columns[1] = Column(HOSTILE, "categorical", codes, (HOSTILE, "\"'&<b>", "{{ 7 * 7 }}"))
    return FeatureTable.from_columns(columns)


def _column(name: str, value: NDArray[np.float64], k: int, rng: np.random.Generator) -> Column:
    if k % 6 == 1:
        codes = np.digitize(value, [-1.0, 0.0, 1.0]).astype(np.int32)
        return Column(name, "categorical", codes, ("low", "middle", "high", "a very high and quite unusual level"))
    if k % 6 == 2:
        return Column(name, "boolean", (value > 0).astype(np.int32), ("no", "yes"))
    if k % 6 == 3:
        return Column(name, "numeric", np.where(rng.random(len(value)) < 0.1, np.nan, np.round(value * 4)))
    if k % 12 == 4:
        return Column(name, "datetime", 1.6e9 + 1e7 * value)
    return Column(name, "numeric", np.where(rng.random(len(value)) < 0.1 * (k % 2), np.nan, value))


def make_report(
    n_columns: int = 12,
    n_rows: int = 600,
    seed: int = 0,
    hostile: bool = False,
    n_measures: int = 4,
) -> ReportData:
    """A report on `make_table`, with something of everything that the page shows."""
    table = make_table(n_columns, n_rows, seed, hostile)
    names = table.names
    matrices = _matrices(table, n_measures)
    strength = matrices["auto"].values
    groups = (Group((names[0], names[6]), names[0], 0.93, 0.88, float(strength[0, 6])),) if n_columns > 6 else ()
    summaries = tuple(_summary(c, k, names, strength) for k, c in enumerate(table.columns()))
    extra = (
        ColumnSummary("row id", "id", 0, n_rows, {"example": "A-1"}, {}, (), ("Each row has its own value.",)),
        ColumnSummary("always 1", "constant", 0, 1, {"value": 1}, {"labels": ["1"], "counts": [n_rows]}, ()),
    )
    return ReportData(
        title="synthetic.csv",
        target=names[-1],
        n_rows=32_561,
        n_columns=n_columns + len(extra),
        columns=summaries + extra,
        features=names,
        matrices=matrices,
        groups=groups,
        tree=_chain(names, strength),
        relevance=_relevance(names, strength),
        reversals=_reversals(names),
        order_effects=_order_effects(names),
        findings=_findings(names),
        sample=table,
        how={
            "rows used": n_rows,
            "sampled": True,
            "versions": {"covey": "0.1.0", "numpy": np.__version__},
            "seconds": {"read": 0.123, "associate": 0.4567},
            "nothing": None,
        },
    )


def make_small_report(names: tuple[str, ...] = ("only",)) -> ReportData:
    """A report on a table with at most one feature and no findings."""
    table = FeatureTable.from_columns([Column(n, "numeric", np.arange(5.0)) for n in names])
    empty = np.full((len(names),) * 2, np.nan)
    return ReportData(
        title="small",
        target=None,
        n_rows=5,
        n_columns=len(names),
        columns=tuple(_summary(c, k, names, empty) for k, c in enumerate(table.columns())),
        features=names,
        matrices={"auto": _as_matrix("auto", table, empty)},
        groups=(),
        tree=(),
        relevance=(),
        reversals=(),
        order_effects=(),
        findings=(),
        sample=table,
        how={},
    )


def _matrices(table: FeatureTable, n_measures: int) -> dict[str, AssociationMatrix]:
    numbers = np.stack([c.values.astype(float) for c in table.columns()])
    filled = np.where(np.isnan(numbers), np.nanmean(numbers, axis=1, keepdims=True), numbers)
    r = np.corrcoef(filled)
    undefined = r.copy()
    undefined[0, 1] = undefined[1, 0] = np.nan
    strength = np.abs(r)
    sign = np.sign(r).astype(np.int8)
    made = {
        "auto": _as_matrix("auto", table, strength, sign=sign),
        "pearson": _as_matrix("pearson", table, undefined),
        "theils_u": _as_matrix("theils_u", table, strength**2 * np.linspace(0.5, 1, len(r))[:, None], symmetric=False),
        "mutual_information": _as_matrix("mutual_information", table, 2.5 * strength),
    }
    for k in range(n_measures - len(made)):
        made[f"measure_{k}"] = _as_matrix(f"measure_{k}", table, strength ** (k + 2))
    return dict(list(made.items())[:n_measures])


def _as_matrix(name: str, table: FeatureTable, values: NDArray[np.float64], **more: Any) -> AssociationMatrix:
    n = np.full(values.shape, table.n_rows, dtype=np.int64)
    n[3:4, :] = n[:, 3:4] = table.n_rows - 60
    pvalues = np.clip(10.0 ** (-20 * np.nan_to_num(np.abs(values) / 2.5)), 0, 1)
    np.fill_diagonal(pvalues, np.nan)
    return AssociationMatrix(
        measure=name,
        rows=table.names,
        columns=table.names,
        row_kinds=table.kinds,
        column_kinds=table.kinds,
        values=values,
        n=n,
        reasons=np.isnan(values).astype(np.uint8) * 3,
        pvalues=pvalues,
        **more,
    )


def _summary(column: Column, k: int, names: tuple[str, ...], strength: NDArray[np.float64]) -> ColumnSummary:
    present = column.values[~column.missing]
    order = [int(j) for j in np.argsort(-np.nan_to_num(strength[k])) if j != k][:5]
    histogram: dict[str, list[Any]]
    if column.categories is not None:
        counts = np.bincount(present, minlength=len(column.categories))
        histogram = {"labels": list(column.categories), "counts": counts.tolist()}
        statistics: dict[str, Any] = {"most frequent": column.categories[int(counts.argmax())]}
    else:
        counts, edges = np.histogram(present, bins=20)
        histogram = {"counts": counts.tolist(), "edges": edges.tolist()}
        statistics = {"mean": float(present.mean()), "sd": float(present.std()), "minimum": float(present.min())}
    return ColumnSummary(
        name=column.name,
        kind=column.kind,
        n_missing=column.n_missing,
        n_unique=len(np.unique(present)),
        statistics=statistics,
        histogram=histogram,
        nearest=tuple((names[j], float(strength[k, j]), 1) for j in order if strength[k, j] > 0),
    )


def _chain(names: tuple[str, ...], strength: NDArray[np.float64]) -> tuple[tuple[str, str, float], ...]:
    from scipy.sparse.csgraph import minimum_spanning_tree

    tree = minimum_spanning_tree(1.001 - strength).tocoo()
    return tuple((names[i], names[j], float(strength[i, j])) for i, j in zip(tree.row, tree.col))


def _relevance(names: tuple[str, ...], strength: NDArray[np.float64]) -> tuple[Relevance, ...]:
    rows = []
    for k, name in enumerate(names[:-1]):
        value = float(strength[k, -1])
        estimates = {"auto": Estimate(value, value * 0.8, min(value * 1.2, 1), 10.0 ** (-20 * value))}
        if k % 3:
            estimates["pearson"] = Estimate(-value, -value * 1.3, -value * 0.7)
        estimates["mutual_information"] = Estimate(value**2, value**2, float("nan"))
        rows.append(Relevance(name, estimates))
    return tuple(rows)


def _reversals(names: tuple[str, ...]) -> tuple[Reversal, ...]:
    if len(names) < 8:
        return ()
    within = (("low", -0.31, 120), ("middle", -0.22, 300), ("high", float("nan"), 2), ("top", -0.4, 178))
    return (Reversal(names[0], names[6], names[1], 0.42, within, -0.27),)


def _order_effects(names: tuple[str, ...]) -> tuple[OrderEffect, ...]:
    positions = tuple(float(x) for x in np.linspace(800, 31_761, 20))
    number = OrderEffect(names[0], 0.33, 1e-9, positions, {"mean": tuple(np.linspace(0, 1, 20) ** 2)})
    shares = {"low": tuple(np.linspace(0.2, 0.5, 20)), "high": tuple(np.linspace(0.8, 0.5, 20))}
    return (number, OrderEffect(names[1], 0.21, 0.004, positions, shares)) if len(names) > 1 else (number,)


def _findings(names: tuple[str, ...]) -> tuple[Finding, ...]:
    a, b, c = names[0], names[1], names[6] if len(names) > 6 else names[0]
    made = [
        Finding(
            "leak",
            f"{a} nearly determines {names[-1]}",
            f"{a} alone tells {names[-1]} in 98 % of the rows.",
            f"Find out whether {a} is known before {names[-1]}; if not, drop it.",
            0.99,
            View("pair", (a, names[-1])),
            {"strength": 0.9812, "p_value": 2.5e-12, "rows": 32_561},
        ),
        Finding(
            "redundant", f"{a} and {c} say the same", "They move together.", f"Keep {a}.", 0.9, View("group", (a, c))
        ),
        Finding(
            "reversal",
            f"{a} and {c} reverse within {b}",
            "Simpson.",
            f"Split by {b}.",
            0.8,
            View("reversal", (a, c, b)),
        ),
        Finding("order", f"{b} drifts along the rows", "It drifts.", "Split by time.", 0.7, View("order", (b,))),
        Finding("missingness", f"{b} is missing for a reason", "Missing.", "Add a flag.", 0.6, View("column", (b,))),
        Finding("nonlinear", f"{c} relates in a bend", "Bent.", "Add a square.", 0.5, View("relevance", (c,))),
        Finding("identifier", "row id names the rows", "Unique.", "Drop row id.", 0.4, View("column", ("row id",))),
        Finding("constant", "always 1 never changes", "One value.", "Drop it.", 0.3, View("column", ("always 1",))),
        Finding(
            "table", "Everything hangs together", "A dense table.", "Look at the map.", 0.2, View("heatmap", (a, b))
        ),
    ]
    made += [
        Finding(
            "relevant",
            f"{name} relates to {names[-1]}",
            "It does.",
            f"Keep {name}.",
            0.1,
            View("pair", (name, names[-1])),
        )
        for name in names[2:10]
    ]
    return tuple(made)
