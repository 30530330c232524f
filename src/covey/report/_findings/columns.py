"""Findings about single columns: identifiers, constants, missing values, values that pile up, rare levels."""

from __future__ import annotations

import numpy as np

from covey.report._contrast import contrast
from covey.report._findings.evidence import Evidence
from covey.report._material import is_almost_unique
from covey.report._model import ColumnSummary, Finding, View
from covey.report._words import listed, name, number, percent, plural, verb

ALMOST_CONSTANT = 0.999
MANY_LEVELS, RARE = 10, 0.005
PILE_DISTINCT, PILE_ROWS, PILE_TIMES = 50, 20, 10


def column_findings(e: Evidence) -> list[Finding]:
    """All findings about single columns."""
    parts = (identifier_findings, constant_findings, missing_findings, pile_findings, rare_level_findings)
    return [finding for part in parts for finding in part(e)]


def identifier_findings(e: Evidence) -> list[Finding]:
    """Columns that name rows, and free text."""
    keys, texts = [], []
    for card in e.columns:
        if card.name == e.target:
            continue
        if card.kind == "text":
            texts.append(card)
        elif card.kind == "id" or is_almost_unique(e.material.source.column(card.name)):
            keys.append(card)
    out = [
        Finding(
            "identifier",
            f"{name(card.name)} is an identifier",
            f"It has {card.n_unique:,} distinct values in {plural(e.material.source.n_rows - card.n_missing, 'row')}, "
            "so it "
            "names rows rather than describes them.",
            f"Leave {name(card.name)} out of models; use it only to join tables or to keep rows of one entity "
            "together.",
            0.78,
            View("column", (card.name,)),
            {"distinct": card.n_unique},
        )
        for card in keys
    ]
    if texts:
        names = [card.name for card in texts]
        out.append(
            Finding(
                "identifier",
                f"{listed(names)} {verb(names, 'holds', 'hold')} free text",
                "Nearly every row has a text of its own, so no association can be measured.",
                "Make features of the text first (length, words, embeddings), or leave it out.",
                0.5,
                View("column", (names[0],)),
                {"columns": len(names)},
            )
        )
    return out


def constant_findings(e: Evidence) -> list[Finding]:
    """Columns with one value, with none, or with hardly any variation."""
    if e.material.source.n_rows < 2:
        return []
    empty, single, almost = [], [], []
    for card in e.columns:
        n_present = e.material.source.n_rows - card.n_missing
        if n_present == 0:
            empty.append(card.name)
        elif card.n_unique == 1:
            single.append(card.name)
        elif (
            card.name != e.target
            and card.n_unique < n_present / 10
            and _modal_share(card, n_present) >= ALMOST_CONSTANT
        ):
            almost.append(card.name)
    wordings = [
        (empty, f"{verb(empty, 'is', 'are')} missing in every row", "There is no value to relate to anything.", 0.74),
        (
            single,
            f"{verb(single, 'has', 'have')} one value only",
            "A constant cannot be associated with anything.",
            0.72,
        ),
        (
            almost,
            f"{verb(almost, 'is', 'are')} almost constant",
            "At least 99.9 % of the rows hold the same value; what is left is too little to learn from.",
            0.45,
        ),
    ]
    return [
        Finding(
            "constant",
            f"{listed(names)} {what}",
            detail,
            f"Drop {listed(names)}.",
            score,
            View("column", (names[0],)),
            {"columns": len(names)},
        )
        for names, what, detail, score in wordings
        if names
    ]


def missing_findings(e: Evidence) -> list[Finding]:
    """Columns whose missing rows differ from the others."""
    out = []
    for effect in e.missing:
        first = e.material.column(effect.columns[0])
        with_target = effect.other == e.target
        out.append(
            Finding(
                "missingness",
                f"Where {listed(effect.columns)} {verb(effect.columns, 'is', 'are')} missing, {name(effect.other)} "
                "differs",
                f"In the {plural(effect.n_missing, 'row')} without {name(first.name)} "
                f"({percent(effect.n_missing / e.material.n_rows)}), "
                f"{contrast(e.material.column(effect.other), first.missing)} (association "
                f"{number(round(effect.strength, 2))}).",
                f"Keep an indicator of missing {name(first.name)}; do not drop these rows or fill them in as if they "
                "were "
                "missing at random.",
                (0.55 if with_target else 0.45) + 0.35 * effect.strength,
                View("column", (first.name,)),
                {"strength": effect.strength, "q-value": effect.qvalue, "missing": effect.n_missing},
            )
        )
    return out


def _modal_share(card: ColumnSummary, n_present: int) -> float:
    counts = card.histogram.get("counts") or [0]
    return max(counts) / n_present


def pile_findings(e: Evidence) -> list[Finding]:
    """Numbers whose largest value holds many more rows than its neighbours: a cap, or a code for something else."""
    piles = {c.name: pile for c in e.material.source.columns() if c.kind == "numeric" and (pile := _pile(c.values))}
    if not piles:
        return []
    spelled = "; ".join(f"{name(n)}: {number(value)} in {plural(count, 'row')}" for n, (value, count) in piles.items())
    names = list(piles)
    return [
        Finding(
            "table",
            f"{listed(names)} {verb(names, 'piles', 'pile')} up at the largest value",
            f"{spelled}. Such a value is often a cap or a code for something else.",
            "Find out what the value means; if it is a code, treat it as missing, if it is a cap, add an indicator.",
            0.38,
            View("column", (names[0],)),
            {"columns": len(names)},
        )
    ]


def _pile(values: np.ndarray) -> tuple[float, int] | None:
    """(largest value, its rows) when these are many and far more than for the values just below."""
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(distinct) < PILE_DISTINCT or counts[-1] < PILE_ROWS:
        return None
    below = max(1.0, float(np.median(counts[-11:-1])))
    return (float(distinct[-1]), int(counts[-1])) if counts[-1] >= PILE_TIMES * below else None


def rare_level_findings(e: Evidence) -> list[Finding]:
    """Categories most of whose many levels hold hardly any row."""
    names: list[str] = []
    n_rare = n_levels = 0
    for feature in e.material.predictors:
        column = e.material.column(feature)
        if column.categories is None:
            continue
        counts = np.bincount(column.values[column.values >= 0], minlength=1)
        counts = counts[counts > 0]
        rare = int(np.count_nonzero(counts < RARE * counts.sum()))
        if len(counts) >= MANY_LEVELS and rare >= len(counts) / 2:
            names.append(feature)
            n_rare += rare
            n_levels += len(counts)
    if not names:
        return []
    return [
        Finding(
            "table",
            f"{listed(names)} {verb(names, 'has', 'have')} many rare levels",
            f"{n_rare:,} of {plural(n_levels, 'level')} hold less than {percent(RARE)} of the rows each.",
            "Pool rare levels, or encode them by a smoothed mean, before a model sees them.",
            0.33,
            View("column", (names[0],)),
            {"levels": n_levels, "rare": n_rare},
        )
    ]
