"""What was found, in plain words: each finding with its evidence, an action, a picture and a score.

Associations are reported as associations: nothing here says that one column causes another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from covey.measure import AssociationMatrix
from covey.measure._null import false_discovery
from covey.report._contrast import contrast, levels_by_fifths
from covey.report._determination import Determined
from covey.report._interaction import Interaction
from covey.report._material import Material, is_almost_unique
from covey.report._missing import MissingEffect
from covey.report._model import ColumnSummary, Finding, Group, OrderEffect, Relevance, Reversal, View
from covey.report._words import listed, name, number, percent, plural, signed

ALPHA = 0.01
ALMOST_CONSTANT = 0.999
NONLINEAR_STRENGTH, STRAIGHT = 0.1, 0.1
RELEVANT, IRRELEVANT = 0.05, 0.03
IMBALANCED = 0.8
SORTED = 0.95
FEW_ROWS = 100
DECAY = 0.93
MOST_OF_A_KIND = 12


@dataclass(frozen=True, eq=False)
class Evidence:
    """All results that findings are drawn from."""

    material: Material
    columns: tuple[ColumnSummary, ...]
    matrices: Mapping[str, AssociationMatrix]
    groups: tuple[Group, ...]
    determined: Sequence[Determined]
    determination: Mapping[str, float]
    leaks: Sequence[str]
    relevance: tuple[Relevance, ...]
    interactions: Sequence[Interaction]
    missing: Sequence[MissingEffect]
    reversals: tuple[Reversal, ...]
    order: tuple[OrderEffect, ...]
    resemblance: Mapping[str, float]

    @property
    def target(self) -> str | None:
        """The target's name."""
        return self.material.target


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, most important first."""
    parts = (
        leak_findings,
        identifier_findings,
        constant_findings,
        duplicate_findings,
        derived_findings,
        group_findings,
        nonlinear_findings,
        interaction_findings,
        missing_findings,
        reversal_findings,
        order_findings,
        relevance_findings,
        table_findings,
    )
    return ranked(finding for part in parts for finding in part(evidence))


def ranked(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by falling score, at most twelve of a kind; each further one of a kind counts 7 % less than the last.

    Examples
    --------
    >>> one, two = (Finding("order", t, "", "", 0.5, View("heatmap")) for t in "ab")
    >>> [(f.title, round(f.score, 3)) for f in ranked([one, two])]
    [('a', 0.5), ('b', 0.465)]
    """
    seen: dict[str, int] = {}
    out = []
    for finding in sorted(found, key=lambda f: -f.score):
        count = seen.get(finding.kind, 0)
        seen[finding.kind] = count + 1
        if count < MOST_OF_A_KIND:
            out.append(replace(finding, score=finding.score * DECAY**count))
    return tuple(sorted(out, key=lambda f: -f.score))


def leak_findings(e: Evidence) -> list[Finding]:
    """Features that nearly determine the target and stand far above the others."""
    rest = {n: v for n, v in e.determination.items() if n not in e.leaks}
    runner_up = max(rest, key=lambda n: rest[n], default=None)
    out = []
    for feature in e.leaks:
        value = e.determination[feature]
        others = "" if runner_up is None else f"; the next feature, {name(runner_up)}, accounts for {percent(rest[runner_up])}"
        out.append(
            Finding(
                "leak",
                f"{name(feature)} nearly determines {name(str(e.target))}",
                f"{name(feature)} alone accounts for {percent(value)} of what there is to predict in "
                f"{name(str(e.target))} (corrected for its number of levels){others}.",
                f"Find out when {name(feature)} becomes known. If that is together with {name(str(e.target))} or after "
                "it, leave it out of any model.",
                0.9 + 0.1 * value,
                View("pair", (feature, str(e.target))),
                {"determination": value, "next": 0.0 if runner_up is None else rest[runner_up]},
            )
        )
    return out


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
            f"It has {card.n_unique:,} distinct values in {plural(e.material.source.n_rows - card.n_missing, 'row')}, so it "
            "names rows rather than describes them.",
            f"Leave {name(card.name)} out of models; use it only to join tables or to keep rows of one entity together.",
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
                f"{listed(names)} {_verb(names, 'holds', 'hold')} free text",
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
    empty, single, almost = [], [], []
    for card in e.columns:
        n_present = e.material.source.n_rows - card.n_missing
        if n_present == 0:
            empty.append(card.name)
        elif card.n_unique == 1:
            single.append(card.name)
        elif card.name != e.target and card.n_unique < n_present / 10 and _modal_share(card, n_present) >= ALMOST_CONSTANT:
            almost.append(card.name)
    wordings = [
        (empty, f"{_verb(empty, 'is', 'are')} missing in every row", "There is no value to relate to anything.", 0.74),
        (single, f"{_verb(single, 'has', 'have')} one value only", "A constant cannot be associated with anything.", 0.72),
        (
            almost,
            f"{_verb(almost, 'is', 'are')} almost constant",
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


def duplicate_findings(e: Evidence) -> list[Finding]:
    """Columns that say the same: each follows from the other."""
    out = []
    for members in copies(e.determined):
        keep = max(members, key=lambda n: (not e.material.column(n).is_coded, -members.index(n)))
        others = [n for n in members if n != keep]
        agreement = min(d.agreement for d in e.determined if d.both_ways and {d.by, d.column} <= set(members))
        out.append(
            Finding(
                "duplicate",
                f"{listed(members)} say the same",
                f"Each follows from the other in {percent(agreement)} of rows.",
                f"Keep {name(keep)}; drop {listed(others)}.",
                0.84,
                View("pair" if len(members) == 2 else "group", tuple(members)),
                {"agreement": agreement, "columns": len(members)},
            )
        )
    return out


def copies(determined: Iterable[Determined]) -> list[list[str]]:
    """Columns that follow from each other, as groups in the order of finding."""
    groups: list[list[str]] = []
    for pair in determined:
        if not pair.both_ways:
            continue
        touched = [g for g in groups if pair.by in g or pair.column in g]
        merged = [n for g in touched for n in g]
        merged += [n for n in (pair.by, pair.column) if n not in merged]
        groups = [g for g in groups if g not in touched] + [merged]
    return groups


def derived_findings(e: Evidence) -> list[Finding]:
    """Columns that follow from a finer one."""
    return [
        Finding(
            "redundant",
            f"{name(d.column)} follows from {name(d.by)}",
            f"Rows with the same {name(d.by)} have the same {name(d.column)} in {percent(d.agreement)} of cases, but not "
            "the other way round.",
            f"Keep {name(d.by)}; drop {name(d.column)} unless the coarser form is wanted.",
            0.74,
            View("pair", (d.by, d.column)),
            {"agreement": d.agreement},
        )
        for d in e.determined
        if not d.both_ways
    ]


def group_findings(e: Evidence) -> list[Finding]:
    """Groups of features of which one could stand for all."""
    known = {frozenset((d.by, d.column)) for d in e.determined} | {frozenset(g) for g in copies(e.determined)}
    out = []
    for group in e.groups:
        if frozenset(group.members) in known:
            continue
        others = [n for n in group.members if n != group.representative]
        kept = f"{percent(group.association_kept)} of what the others share with the rest of the table"
        if group.relevance_kept is not None:
            kept += f" and {percent(group.relevance_kept)} of their association with {name(str(e.target))}"
        out.append(
            Finding(
                "redundant",
                f"{listed(group.members)} move together",
                f"The weakest association among the {len(group.members)} is {number(round(group.weakest, 2))} (0 to 1). "
                f"{name(group.representative)} alone keeps {kept}.",
                f"Try a model with {name(group.representative)} in place of {listed(others)}.",
                0.5 + 0.2 * group.weakest + 0.1 * min(len(group.members), 10) / 10,
                View("pair" if len(group.members) == 2 else "group", group.members),
                {
                    "members": len(group.members),
                    "weakest": group.weakest,
                    "association kept": group.association_kept,
                    "relevance kept": float("nan") if group.relevance_kept is None else group.relevance_kept,
                },
            )
        )
    return out


def nonlinear_findings(e: Evidence) -> list[Finding]:
    """Clear associations of ordered columns that have no direction: with the target, or without one among features."""
    matrix = e.matrices["auto"]
    q = matrix.qvalues()
    straight = np.nanmax(
        np.abs([e.matrices[m].values for m in ("pearson", "spearman")]), axis=0, initial=0.0
    ) if matrix.rows else np.zeros((0, 0))
    defined = ~np.isnan(e.matrices["pearson"].values)
    with np.errstate(invalid="ignore"):
        clear = defined & (q <= ALPHA) & (matrix.values >= NONLINEAR_STRENGTH)
    clear &= (straight < STRAIGHT) & (straight < matrix.strength / 2)
    place = e.material.place
    if e.target is None:
        pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(clear, 1))]
    else:
        pairs = [(int(i), place[e.target]) for i in np.flatnonzero(clear[:, place[e.target]])]
    return [_nonlinear(e, i, j, float(straight[i, j])) for i, j in pairs]


def _nonlinear(e: Evidence, i: int, j: int, straight: float) -> Finding:
    feature, other = e.material.features[i], e.material.features[j]
    strength = float(e.matrices["auto"].values[i, j])
    columns = e.material.store.columns
    return Finding(
        "nonlinear",
        f"{name(feature)} relates to {name(other)}, but not along a line",
        f"The association is clear ({number(round(strength, 2))} on a scale from 0 to 1), while linear and rank "
        f"correlation are at most {straight:.2f}: {levels_by_fifths(columns[i], columns[j])}.",
        f"Use a model that can bend (trees, splines, bins) for {name(feature)}; a linear filter would drop it.",
        (0.6 if e.target else 0.5) + 0.3 * strength,
        View("pair", (feature, other)),
        {"strength": strength, "largest correlation": straight},
    )


def interaction_findings(e: Evidence) -> list[Finding]:
    """Pairs of features that tell about the target only together."""
    return [
        Finding(
            "nonlinear",
            f"{name(i.left)} and {name(i.right)} tell about {name(str(e.target))} only together",
            f"Together they remove {percent(i.together)} of the uncertainty about {name(str(e.target))}; alone "
            f"{percent(i.left_alone)} and {percent(i.right_alone)}.",
            f"Keep both, and add their combination or use a model that finds interactions; a filter that looks at one "
            "feature at a time would drop them.",
            0.65 + 0.3 * min(1.0, i.together),
            View("pair", (i.left, i.right)),
            {"together": i.together, "left alone": i.left_alone, "right alone": i.right_alone, "p-value": i.pvalue},
        )
        for i in e.interactions
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
                f"Where {listed(effect.columns)} {_verb(effect.columns, 'is', 'are')} missing, {name(effect.other)} differs",
                f"In the {plural(effect.n_missing, 'row')} without {name(first.name)} "
                f"({percent(effect.n_missing / e.material.n_rows)}), "
                f"{contrast(e.material.column(effect.other), first.missing)} (association "
                f"{number(round(effect.strength, 2))}).",
                f"Keep an indicator of missing {name(first.name)}; do not drop these rows or fill them in as if they were "
                "missing at random.",
                (0.55 if with_target else 0.45) + 0.35 * effect.strength,
                View("column", (first.name,)),
                {"strength": effect.strength, "q-value": effect.qvalue, "missing": effect.n_missing},
            )
        )
    return out


def reversal_findings(e: Evidence) -> list[Finding]:
    """Associations that turn within the levels of a third column."""
    words = {True: "rises", False: "falls"}
    out = []
    for r in e.reversals:
        values = [value for _, value, _ in r.within]
        turned = [v for v in values if v * r.overall < 0]
        size = min(abs(r.overall), abs(r.pooled))
        out.append(
            Finding(
                "reversal",
                f"{name(r.right)} {words[r.overall > 0]} with {name(r.left)} overall, but {words[r.pooled > 0]} "
                f"with it within {name(r.by)}",
                f"The rank correlation of {name(r.left)} and {name(r.right)} is {signed(r.overall)} over all rows and "
                f"{signed(r.pooled)} on average within levels of {name(r.by)}, with the opposite sign in {len(turned)} of "
                f"{len(values)} levels.",
                f"Read {name(r.left)} and {name(r.right)} separately by {name(r.by)}, and include {name(r.by)} in any model "
                "or comparison that uses them.",
                0.62 + 0.3 * size + (0.08 if e.target in (r.left, r.right) else 0.0),
                View("reversal", (r.left, r.right, r.by)),
                {"overall": r.overall, "within": r.pooled, "levels": len(values)},
            )
        )
    return out


def order_findings(e: Evidence) -> list[Finding]:
    """Sorted rows, rows that resemble their neighbours, and columns that drift."""
    out = _order_summary(e)
    shown = e.order if len(e.order) <= 3 else [o for k, o in enumerate(e.order) if k < 2 or o.name == e.target]
    for effect in shown:
        start, end = _ends(effect)
        sorted_by = effect.strength >= SORTED
        out.append(
            Finding(
                "order",
                f"The rows are sorted by {name(effect.name)}" if sorted_by else f"{name(effect.name)} drifts along the rows",
                f"Its association with the row number is {number(round(effect.strength, 2))} (0 to 1)"
                + (f": {start} at the start, {end} at the end." if start != end else "; it is not a steady trend."),
                "Shuffle the rows before splitting them, unless their order is time."
                if sorted_by
                else f"If the order is time, train on early rows and test on late ones, and watch {name(effect.name)} for "
                "drift; if it is not, shuffle the rows before splitting.",
                0.5 + 0.3 * effect.strength + (0.1 if effect.name == e.target else 0.0),
                View("order", (effect.name,)),
                {"strength": effect.strength, "p-value": effect.pvalue},
            )
        )
    return out


def _order_summary(e: Evidence) -> list[Finding]:
    concerned = list(dict.fromkeys([*e.resemblance, *(o.name for o in e.order)]))
    if len(concerned) < 2:
        return []
    share = len(concerned) / len(e.material.features)
    alike = ""
    if e.resemblance:
        first, value = next(iter(e.resemblance.items()))
        alike = (
            f" In {plural(len(e.resemblance), 'column')} each row resembles the one before (most in {name(first)}: "
            f"{number(round(value, 2))} of 1)."
        )
    drifting = f" {plural(len(e.order), 'column')} {'drifts' if len(e.order) == 1 else 'drift'} along the rows." if e.order else ""
    named = max(e.order, key=lambda o: o.strength).name if e.order else concerned[0]
    return [
        Finding(
            "order",
            "The rows are in an order that matters",
            f"{len(concerned)} of {plural(len(e.material.features), 'column')} depend on it.{alike}{drifting}",
            "Split by the order (early rows to train, late rows to test), not at random: random splits would put near-copies "
            "of test rows into the training set.",
            0.7 + 0.2 * share,
            View("order", (named,)) if e.order else View("column", (named,)),
            {"columns": len(concerned), "resembling": len(e.resemblance), "drifting": len(e.order)},
        )
    ]


def relevance_findings(e: Evidence) -> list[Finding]:
    """The features that tell most about the target, and those that show no association with it."""
    if e.target is None:
        return _strongest_pairs(e)
    strengths = np.array([r.estimates["auto"].value for r in e.relevance])
    q = false_discovery(np.array([r.estimates["auto"].pvalue for r in e.relevance]))
    names = [r.name for r in e.relevance]
    clear = [k for k in range(len(names)) if q[k] <= ALPHA and strengths[k] >= RELEVANT and names[k] not in e.leaks]
    out = []
    if clear:
        top = clear[:5]
        spelled = ", ".join(f"{name(names[k])} {strengths[k]:.2f}" for k in top)
        out.append(
            Finding(
                "relevant",
                f"{listed([names[k] for k in top[:3]])} {_verb(top, 'is', 'are')} most associated with {name(e.target)}",
                f"Strength from 0 to 1: {spelled}. {len(clear)} of {plural(len(names), 'feature')} "
                f"{_verb(clear, 'is', 'are')} clearly associated with it.",
                "Start a model with these; compare their measures and intervals side by side.",
                0.8,
                View("relevance", tuple(names[k] for k in top)),
                {names[k]: float(strengths[k]) for k in top},
            )
        )
    useless = [names[k] for k in range(len(names)) if not (q[k] <= ALPHA or strengths[k] >= IRRELEVANT)]
    useless += [names[k] for k in range(len(names)) if q[k] <= ALPHA and strengths[k] < IRRELEVANT]
    together = {n for i in e.interactions for n in (i.left, i.right)}
    useless = [n for n in useless if n not in together]
    if useless:
        strongest = max(float(np.nan_to_num(s)) for n, s in zip(names, strengths) if n in useless)
        out.append(
            Finding(
                "irrelevant",
                f"{listed(useless)} {_verb(useless, 'shows', 'show')} no association with {name(e.target)}"
                if strongest < 0.01
                else f"{listed(useless)} {_verb(useless, 'shows', 'show')} next to no association with {name(e.target)}",
                f"Their strength is at most {strongest:.2f} on a scale from 0 to 1. They could still matter in combination "
                "with other features.",
                f"Leave {listed(useless)} out at first, and check that the model does not get worse.",
                0.45,
                View("relevance", tuple(useless)),
                {"features": len(useless), "strongest": strongest},
            )
        )
    return out


def _strongest_pairs(e: Evidence) -> list[Finding]:
    same = {frozenset((d.by, d.column)) for d in e.determined}
    matrix = e.matrices["auto"]
    if len(matrix.rows) < 2:
        return []
    pairs = [(a, b, v) for a, b, v in matrix.top(50) if v >= 0.1 and frozenset((a, b)) not in same][:3]
    if not pairs:
        return []
    spelled = "; ".join(f"{name(a)} and {name(b)} {v:.2f}" for a, b, v in pairs)
    return [
        Finding(
            "relevant",
            f"{name(pairs[0][0])} and {name(pairs[0][1])} are most associated",
            f"The strongest pairs, on a scale from 0 to 1: {spelled}.",
            "Look at these pairs first; choose a target to see what matters for it.",
            0.6,
            View("pair", pairs[0][:2]),
            {f"{a} and {b}": v for a, b, v in pairs},
        )
    ]


def table_findings(e: Evidence) -> list[Finding]:
    """What should be known of the table as a whole: balance of the target, few rows, repeated rows, a sample."""
    return [*_imbalance(e), *_size(e), *_repeated_rows(e), *_sample(e)]


def _imbalance(e: Evidence) -> list[Finding]:
    if e.target is None or not e.material.column(e.target).is_coded:
        return []
    column = e.material.column(e.target)
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories or ()))
    share = counts.max() / counts.sum()
    if share < IMBALANCED:
        return []
    label = (column.categories or ())[int(np.argmax(counts))]
    return [
        Finding(
            "table",
            f"{name(e.target)} is unbalanced: {percent(share)} of rows are {name(label)}",
            f"Always answering {name(label)} would be right in {percent(share)} of rows.",
            "Judge models by average precision, log loss or balanced accuracy, and split so that each part has the same shares.",
            0.4 + 0.3 * (share - IMBALANCED) / (1 - IMBALANCED),
            View("column", (e.target,)),
            {"largest share": float(share)},
        )
    ]


def _size(e: Evidence) -> list[Finding]:
    n_rows, n_features = e.material.n_rows, len(e.material.features)
    if n_rows >= FEW_ROWS and n_rows >= n_features:
        return []
    few = f"only {plural(n_rows, 'row')}" if n_rows < FEW_ROWS else f"fewer rows ({n_rows:,}) than columns ({n_features:,})"
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


def _repeated_rows(e: Evidence) -> list[Finding]:
    repeated = count_repeated_rows(e.material)
    if repeated < 0.01 * e.material.n_rows or e.material.n_rows < 3:
        return []
    return [
        Finding(
            "table",
            f"{percent(repeated / e.material.n_rows)} of rows repeat an earlier row",
            f"{plural(repeated, 'row')} {'equals' if repeated == 1 else 'equal'} another in all {e.material.table.n_columns} columns.",
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


def _sample(e: Evidence) -> list[Finding]:
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


def _ends(effect: OrderEffect) -> tuple[str, str]:
    if len(effect.means) == 1 and "mean" in effect.means:
        means = effect.means["mean"]
        return f"mean {number(means[0])}", number(means[-1])
    label = max(effect.means, key=lambda level: np.nan_to_num(abs(effect.means[level][-1] - effect.means[level][0])))
    return f"{percent(effect.means[label][0])} are {name(label)}", percent(effect.means[label][-1])


def _modal_share(card: ColumnSummary, n_present: int) -> float:
    counts = card.histogram.get("counts") or [0]
    return max(counts) / n_present


def _verb(subjects: Sequence[object], one: str, many: str) -> str:
    return one if len(subjects) == 1 else many
