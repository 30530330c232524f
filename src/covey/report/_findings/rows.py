"""Findings about the rows: their order, their number, repeats, and what was sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from covey.report._findings.evidence import Evidence
from covey.report._material import Material
from covey.report._model import Finding, OrderEffect, View
from covey.report._words import listed, name, number, percent, plural, verb

LEAST_SHARE_IN_ORDER = 0.3
FEW_ROWS = 100


def row_findings(e: Evidence) -> list[Finding]:
    """All findings about the rows."""
    return [*order_findings(e), *size_findings(e), *repeated_row_findings(e), *sample_findings(e)]


def order_findings(e: Evidence) -> list[Finding]:
    """Sorted rows, rows that resemble their neighbours, and columns that drift."""
    drifting = [effect for effect in e.order if effect.name not in e.sorted_by]
    shown = [effect for k, effect in enumerate(drifting) if len(drifting) <= 3 or k < 2 or effect.name == e.target]
    if e.sorted_by:
        return [_sorted_finding(e, drifting)]
    return [*_order_summary(e), *(_drift_finding(e, effect) for effect in shown)]


def _sorted_finding(e: Evidence, drifting: Sequence[OrderEffect]) -> Finding:
    first = e.target if e.target in e.sorted_by else e.sorted_by[0]
    assert first is not None
    is_date = e.material.column(first).kind == "datetime"
    along = ""
    if drifting:
        along = f" {plural(len(drifting), 'other column')} {verb(drifting, 'changes', 'change')} along the rows with it"
        along += f" ({listed([effect.name for effect in drifting], 3)})."
    return Finding(
        "order",
        f"The rows are sorted by {name(first)}",
        f"Equal values of {name(first)} stand together, in rising or falling order or in blocks.{along}",
        "Split by date (early rows to train, late rows to test), not at random."
        if is_date
        else "Shuffle the rows before splitting them, unless their order is time.",
        0.68 if first == e.target or is_date else 0.6,
        View("order", (first,)) if any(effect.name == first for effect in e.order) else View("column", (first,)),
        {"drifting": len(drifting)},
    )


def _drift_finding(e: Evidence, effect: OrderEffect) -> Finding:
    return Finding(
        "order",
        f"{name(effect.name)} drifts along the rows",
        f"Its association with the row number is {number(round(effect.strength, 2))} on a scale from 0 to 1: "
        f"{_swing(effect)}.",
        f"If the order is time, train on early rows and test on late ones, and watch {name(effect.name)} for drift; "
        "if it "
        "is not, shuffle the rows before splitting.",
        0.5 + 0.3 * effect.strength + (0.1 if effect.name == e.target else 0.0),
        View("order", (effect.name,)),
        {"strength": effect.strength, "p-value": effect.pvalue},
    )


def _swing(effect: OrderEffect) -> str:
    """The least and the greatest mean (or share, of the level that changes most) among the windows."""
    lines = {label: np.array(values)[~np.isnan(values)] for label, values in effect.means.items()}
    label = max(lines, key=lambda k: float(np.ptp(lines[k])))
    low, high = float(lines[label].min()), float(lines[label].max())
    windows = plural(len(effect.positions), "equal window")
    if list(lines) == ["mean"]:
        return f"over {windows} of rows its mean ranges from {number(low)} to {number(high)}"
    return f"over {windows} of rows the share of {name(label)} ranges from {percent(low)} to {percent(high)}"


def _order_summary(e: Evidence) -> list[Finding]:
    concerned = list(dict.fromkeys([*e.resemblance, *(effect.name for effect in e.order)]))
    share = len(concerned) / max(1, len(e.material.features))
    if len(concerned) < 2 or share < LEAST_SHARE_IN_ORDER:
        return []
    facts = [f"{len(concerned)} of {plural(len(e.material.features), 'column')} depend on the order of the rows."]
    if e.resemblance:
        first, value = next(iter(e.resemblance.items()))
        facts.append(
            f"In {plural(len(e.resemblance), 'column')} each row resembles the one before (most in {name(first)}: "
            f"{value:.2f} of 1)."
        )
    if e.order:
        facts.append(f"{plural(len(e.order), 'column')} {verb(e.order, 'drifts', 'drift')} along the rows.")
    return [
        Finding(
            "order",
            "The rows are in an order that matters",
            " ".join(facts),
            "Split by the order (early rows to train, late rows to test), not at random: random splits would put "
            "near-copies "
            "of test rows into the training set."
            if e.resemblance
            else "If the order is time, split by it (early rows to train, late rows to test); if it is not, shuffle.",
            (0.7 if e.resemblance else 0.55) + 0.2 * share,
            View("order", (e.order[0].name,)) if e.order else View("column", (concerned[0],)),
            {"columns": len(concerned), "resembling": len(e.resemblance), "drifting": len(e.order)},
        )
    ]


def size_findings(e: Evidence) -> list[Finding]:
    """Few rows, or fewer than columns."""
    n_rows, n_features = e.material.n_rows, len(e.material.features)
    if n_rows >= FEW_ROWS and n_rows >= n_features:
        return []
    few = (
        f"only {plural(n_rows, 'row')}"
        if n_rows < FEW_ROWS
        else f"fewer rows ({n_rows:,}) than columns ({n_features:,})"
    )
    return [
        Finding(
            "table",
            f"The table has {few}",
            "Strengths and intervals are rough, and weak associations cannot be told from chance.",
            "Treat the findings as hints; gather more rows before dropping features.",
            0.55,
            View("heatmap"),
            {"rows": n_rows, "features": n_features},
        )
    ]


def repeated_row_findings(e: Evidence) -> list[Finding]:
    """Rows that equal an earlier row."""
    repeated = count_repeated_rows(e.material) if e.material.features else 0
    if repeated < 0.01 * e.material.n_rows or e.material.n_rows < 3:
        return []
    return [
        Finding(
            "table",
            f"{percent(repeated / e.material.n_rows)} of rows repeat an earlier row",
            f"{plural(repeated, 'row')} {'equals' if repeated == 1 else 'equal'} another in all "
            f"{e.material.table.n_columns} columns.",
            "If they are copies, drop them; at least keep equal rows in the same part when splitting.",
            0.45,
            View("heatmap"),
            {"repeated rows": repeated},
        )
    ]


def count_repeated_rows(material: Material) -> int:
    """Number of rows that equal an earlier row in every column (missing equals missing)."""
    table = material.table
    key = np.zeros(table.n_rows, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in table.columns():
            values = column.values.astype(np.int64) if column.is_coded else (column.values + 0.0).view(np.int64)
            mixed = (key ^ values.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            key = mixed ^ (mixed >> np.uint64(29))
    return table.n_rows - len(np.unique(key))


def sample_findings(e: Evidence) -> list[Finding]:
    """That associations come from a sample."""
    used, all_rows = e.material.n_rows, e.material.source.n_rows
    if used == all_rows:
        return []
    return [
        Finding(
            "table",
            f"Associations come from a sample of {used:,} of {all_rows:,} rows",
            "The rows were drawn at random without replacement; column cards count all rows.",
            "Set a larger sample to sharpen weak associations.",
            0.2,
            View("heatmap"),
            {"rows used": used, "rows": all_rows},
        )
    ]
