"""Findings about pairs and groups of features: copies, redundancy, reversals, strong associations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from covey.report._composition import ties
from covey.report._contrast import describe
from covey.report._determination import Determined
from covey.report._findings.evidence import ALPHA, Evidence
from covey.report._model import Finding, Group, Reversal, View
from covey.report._words import listed, name, number, percent, plural, signed

WELL_KEPT = 0.8
MOST_GROUPS = 5
MOST_REVERSALS = 5
LEAST_PAIR, MOST_PAIRS = 0.2, 3


def pair_findings(e: Evidence) -> list[Finding]:
    """All findings about pairs and groups."""
    parts = (duplicate_findings, derived_findings, group_findings, reversal_findings, association_findings)
    return [finding for part in parts for finding in part(e)]


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
                f"{_sameness(e, members, agreement)}.",
                f"Keep {name(keep)}; drop {listed(others)}.",
                0.84,
                View("pair" if len(members) == 2 else "group", tuple(members)),
                {"agreement": agreement, "columns": len(members)},
            )
        )
    return out


def _sameness(e: Evidence, members: Sequence[str], agreement: float) -> str:
    who = "They are" if len(members) == 2 else "All of them are"
    if any(e.material.column(n).is_coded for n in members):
        return f"Each follows from the other{'' if len(members) == 2 else 's'} in {percent(agreement)} of rows"
    return f"{who} numbers in the same order or its reverse (rank correlation {agreement:.4f} without its sign)"


def derived_findings(e: Evidence) -> list[Finding]:
    """Columns that follow from a finer one."""
    return [
        Finding(
            "redundant",
            f"{name(d.column)} follows from {name(d.by)}",
            f"Rows with the same {name(d.by)} have the same {name(d.column)} in {percent(d.agreement)} of cases, but "
            "not "
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
    """Groups of features of which one could stand for all; of many groups a summary and the largest three."""
    known = {frozenset((d.by, d.column)) for d in e.determined} | {frozenset(g) for g in copies(e.determined)}
    groups = [group for group in e.groups if frozenset(group.members) not in known]
    if len(groups) <= MOST_GROUPS:
        return [_group_finding(e, group) for group in groups]
    return [_groups_finding(e, groups), *(_group_finding(e, group) for group in groups[:3])]


def _groups_finding(e: Evidence, groups: Sequence[Group]) -> Finding:
    n_members = sum(len(group.members) for group in groups)
    return Finding(
        "redundant",
        f"{n_members:,} of {plural(len(e.material.features), 'column')} fall into {len(groups):,} groups that move "
        "together",
        f"The largest has {len(groups[0].members)} members ({listed(groups[0].members, 3)}). Keeping one column a "
        "group would "
        f"leave {len(e.material.features) - n_members + len(groups):,} columns.",
        "Start with the representative of each group, and add members only where the model gets better.",
        0.76,
        View("heatmap"),
        {"groups": len(groups), "members": n_members},
    )


def _group_finding(e: Evidence, group: Group) -> Finding:
    keep = name(group.representative)
    others = [n for n in group.members if n != group.representative]
    pair = len(others) == 1
    weakest = number(round(group.weakest, 2))
    tie = (
        f"Their association is {weakest}"
        if pair
        else f"The weakest association among the {len(group.members)} is {weakest}"
    )
    what = f"{name(others[0])} shares" if pair else "the others share"
    kept = [group.association_kept] if group.relevance_kept is None else [group.association_kept, group.relevance_kept]
    relevance = (
        ""
        if len(kept) == 1
        else f", and {percent(kept[1])} of {'its' if pair else 'their'} association with {name(str(e.target))}"
    )
    enough = min(kept) >= WELL_KEPT
    return Finding(
        "redundant",
        f"{listed(group.members)} move together",
        f"{tie} on a scale from 0 to 1. {keep} alone keeps {percent(kept[0])} of what {what} with the rest of the "
        f"table{relevance}.",
        f"Try a model with {keep} in place of {listed(others)}."
        if enough
        else f"They overlap, but {keep} does not replace {listed(others)}: keep both, or check a model without one of "
        "them."
        if pair
        else f"They overlap, but {keep} does not replace all others: combine them (mean, principal component) or drop "
        "some "
        "and check the model.",
        0.5 + 0.2 * group.weakest + 0.01 * min(len(group.members), 10) - (0.0 if enough else 0.15),
        View("pair" if pair else "group", group.members),
        {
            "members": len(group.members),
            "weakest": group.weakest,
            "association kept": group.association_kept,
            **({} if group.relevance_kept is None else {"relevance kept": group.relevance_kept}),
        },
    )


def reversal_findings(e: Evidence) -> list[Finding]:
    """The five strongest associations that turn within the levels of a third column."""
    return sorted((_reversal_finding(e, r) for r in e.reversals), key=lambda f: -f.score)[:MOST_REVERSALS]


def _reversal_finding(e: Evidence, r: Reversal) -> Finding:
    words = {True: "rises", False: "falls"}
    left, right = (r.right, r.left) if r.left == e.target else (r.left, r.right)
    values = [value for _, value, _ in r.within]
    turned = sum(value * r.overall < 0 for value in values)
    by = e.material.column(r.by)
    levels = "levels" if by.is_coded else "ranges"
    size = min(abs(r.overall), abs(r.pooled))
    return Finding(
        "reversal",
        f"{_subject(e, right)} {words[r.overall > 0]} with {_subject(e, left)} overall, but {words[r.pooled > 0]} "
        "with it "
        f"within {levels} of {name(r.by)}",
        f"The rank correlation of {name(left)} and {name(right)} is {signed(r.overall)} over all rows and "
        f"{signed(r.pooled)} on average within {levels} of {name(r.by)}, with the opposite sign in {turned} of "
        f"{len(values)} {levels}.",
        f"Look at {name(left)} and {name(right)} for each {levels[:-1]} of {name(r.by)}: over all rows their "
        "association "
        f"mostly shows how these differ."
        if r.by == e.target
        else f"Read {name(left)} and {name(right)} separately by {name(r.by)}, and include {name(r.by)} in any model "
        "or "
        "comparison that uses them.",
        (0.62 if by.is_coded else 0.47) + 0.3 * size + (0.08 if e.target in (left, right) else 0.0),
        View("reversal", (r.left, r.right, r.by)),
        {"overall": r.overall, "within": r.pooled, "levels": len(values)},
    )


def _subject(e: Evidence, feature: str) -> str:
    """The name of what rises or falls: for two levels, which of them."""
    categories = e.material.column(feature).categories
    return name(feature) if categories is None else f"{name(feature)} = {name(categories[1])}"


def copies(determined: Iterable[Determined]) -> list[list[str]]:
    """Columns that follow from each other, as groups in the order of finding.

    Examples
    --------
    >>> copies([Determined("a", "b", 1.0, True), Determined("b", "c", 1.0, True), Determined("x", "y", 1.0, False)])
    [['a', 'b', 'c']]
    """
    groups: list[list[str]] = []
    for pair in determined:
        if not pair.both_ways:
            continue
        touched = [g for g in groups if pair.by in g or pair.column in g]
        merged = [n for g in touched for n in g]
        merged += [n for n in (pair.by, pair.column) if n not in merged]
        groups = [g for g in groups if g not in touched] + [merged]
    return groups


def association_findings(e: Evidence) -> list[Finding]:
    """The three strongest pairs of features that no other finding names."""
    return [_association_finding(e, left, right, value) for left, right, value in untold_pairs(e)]


def untold_pairs(e: Evidence) -> list[tuple[str, str, float]]:
    """The strongest pairs of features outside of copies and redundant groups, each feature in one pair at most."""
    matrix = e.matrices["auto"]
    if len(matrix.rows) < 2:
        return []
    told = {frozenset((d.by, d.column)) for d in e.determined}
    told |= ties(e.compositions)
    told |= {frozenset((a, b)) for group in e.groups for a in group.members for b in group.members}
    q, place = matrix.qvalues(), e.material.place
    used: set[str] = set()
    out: list[tuple[str, str, float]] = []
    for left, right, value in matrix.top(200):
        if value < LEAST_PAIR or len(out) == MOST_PAIRS:
            break
        pair = {left, right}
        if e.target in pair or frozenset(pair) in told or pair & used or q[place[left], place[right]] > ALPHA:
            continue
        used |= pair
        out.append((left, right, value))
    return out


def _association_finding(e: Evidence, left: str, right: str, value: float) -> Finding:
    said = describe(e.material.column(left), e.material.column(right))
    return Finding(
        "table" if e.target else "relevant",
        f"{name(left)} and {name(right)} are associated",
        f"Their association is {value:.2f} on a scale from 0 to 1: {said}.",
        "Expect a model to share credit between the two: read their importances together."
        if e.target
        else "Look at the pair; choose a target to see what matters for it.",
        0.34 if e.target else 0.6,
        View("pair", (left, right)),
        {"strength": value},
    )
