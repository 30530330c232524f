"""Findings about the target: leaks, what matters and how, what does not, and its balance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from covey.measure._null import false_discovery
from covey.report._contrast import describe, levels_by_fifths
from covey.report._findings.evidence import ALPHA, Evidence
from covey.report._model import Finding, View
from covey.report._words import listed, name, number, percent, plural, verb

NONLINEAR_STRENGTH, STRAIGHT = 0.1, 0.1
RELEVANT, IRRELEVANT = 0.05, 0.03
IMBALANCED = 0.8
ENOUGH_ROWS = 100
SCORES = {"roc_auc": "the area under the ROC curve", "accuracy": "accuracy", "r2": "R²"}


def target_findings(e: Evidence) -> list[Finding]:
    """All findings about the target (without one, relations of features that have no direction)."""
    parts = (
        leak_findings,
        subset_findings,
        relevance_findings,
        nonlinear_findings,
        interaction_findings,
        imbalance_findings,
    )
    return [finding for part in parts for finding in part(e)]


def leak_findings(e: Evidence) -> list[Finding]:
    """Features that nearly determine the target and stand far above the others."""
    rest = {n: v for n, v in e.determination.items() if n not in e.leaks}
    runner_up = max(rest, key=lambda n: rest[n], default=None)
    out = []
    for feature in e.leaks:
        value = e.determination[feature]
        others = (
            ""
            if runner_up is None
            else f"; the next feature, {name(runner_up)}, accounts for {percent(rest[runner_up])}"
        )
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


def relevance_findings(e: Evidence) -> list[Finding]:
    """The features that tell most about the target, and those that show no association with it."""
    if not e.relevance:
        return []
    strength = {r.name: float(np.nan_to_num(r.estimates["auto"].value)) for r in e.relevance}
    q = dict(zip(strength, false_discovery(np.array([r.estimates["auto"].pvalue for r in e.relevance]))))
    clear = [n for n in strength if q[n] <= ALPHA and strength[n] >= RELEVANT]
    known = {*e.leaks, *(n for i in e.interactions for n in (i.left, i.right))}
    idle = [n for n in strength if n not in known and strength[n] < (IRRELEVANT if q[n] <= ALPHA else RELEVANT)]
    return [
        *_relevant(e, {n: strength[n] for n in clear if n not in e.leaks}, len(strength)),
        *_irrelevant(e, {n: strength[n] for n in idle}),
    ]


def subset_findings(e: Evidence) -> list[Finding]:
    """How few features predict the target about as well as all."""
    best = e.subset
    if best is None:
        return []
    target, n = name(str(e.target)), len(best.columns) + len(best.others)
    score = SCORES[best.scoring]
    how = (
        f"A small forest was tried in cross-validation on {number(best.n_rows)} rows, with the features selected anew "
        "from the training rows of each fold"
    )
    aside = f" ({listed(e.leaks)} left aside)" if e.leaks else ""
    evidence: dict[str, float | int | str] = {
        "features": len(best.columns),
        "score": best.score,
        "standard error": best.error,
        "score with all": best.all_score,
        "standard error with all": best.all_error,
        "stability": best.stability,
    }
    view = View("relevance", best.columns[:5])
    if not best.others:
        return [
            Finding(
                "subset",
                f"No part of the {n} features predicts {target} as well as all",
                f"{how}{aside}: {score} is {best.all_score:.3f} ± {best.all_error:.3f} with all, and more than one "
                "standard error lower with fewer.",
                "Keep them all, for a start.",
                0.4,
                view,
                evidence,
            )
        ]
    steady = (
        ""
        if best.is_steady
        else " Other rows would select others, so take the number as a guide rather than the names."
    )
    return [
        Finding(
            "subset",
            f"{plural(len(best.columns), 'feature')} of {n} {verb(best.columns, 'predicts', 'predict')} {target} about "
            "as well as all",
            f"{how}{aside}: {score} is {best.score:.3f} ± {best.error:.3f} with {listed(best.columns, 12)}, and "
            f"{best.all_score:.3f} ± {best.all_error:.3f} with all {n}.{steady}",
            f"Keep {listed(best.columns, 12)}; leave out the others, and check on your own model.",
            0.9 - 0.4 * len(best.columns) / n,
            view,
            evidence,
        )
    ]


def _relevant(e: Evidence, clear: Mapping[str, float], n_features: int) -> list[Finding]:
    if not clear:
        return []
    top = list(clear)[:5]
    spelled = ", ".join(f"{name(n)} {clear[n]:.2f}" for n in top)
    return [
        Finding(
            "relevant",
            f"{listed(top[:3])} {verb(top, 'is', 'are')} most associated with {name(str(e.target))}",
            f"Strength on a scale from 0 to 1: {spelled}. {len(clear)} of {plural(n_features, 'feature')} "
            f"{verb(list(clear), 'is', 'are')} clearly associated with it; "
            f"{describe(e.material.column(top[0]), e.material.column(str(e.target)))}.",
            "Start a model with these; compare their measures and intervals side by side."
            if len(top) > 1
            else f"Start a model with {name(top[0])}.",
            0.8,
            View("relevance", tuple(top)),
            {n: clear[n] for n in top},
        )
    ]


def _irrelevant(e: Evidence, idle: Mapping[str, float]) -> list[Finding]:
    if not idle or e.material.n_rows < ENOUGH_ROWS:
        return []
    names, strongest = list(idle), max(idle.values())
    none = "no" if strongest < 0.01 else "next to no"
    whose, they = ("Its strength is", "It") if len(names) == 1 else ("Their strengths are", "They")
    return [
        Finding(
            "irrelevant",
            f"{listed(names)} {verb(names, 'shows', 'show')} {none} association with {name(str(e.target))}",
            f"{whose} at most {number(round(strongest, 2))} on a scale from 0 to 1. {they} could still matter in "
            "combination "
            "with other features.",
            f"Leave {listed(names)} out at first, and check that the model does not get worse.",
            0.45,
            View("relevance", tuple(names)),
            {"features": len(names), "strongest": strongest},
        )
    ]


def nonlinear_findings(e: Evidence) -> list[Finding]:
    """Clear associations of ordered columns that have no direction: with the target, or without one among features."""
    matrix = e.matrices["auto"]
    q = matrix.qvalues()
    pearson, spearman = (np.abs(e.matrices[measure].values) for measure in ("pearson", "spearman"))
    defined, straight = ~np.isnan(pearson), np.nan_to_num(np.fmax(pearson, spearman))
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
            "Keep both, and add their combination or use a model that finds interactions; a filter that looks at one "
            "feature at a time would drop them.",
            0.65 + 0.3 * min(1.0, i.together),
            View("pair", (i.left, i.right)),
            {"together": i.together, "left alone": i.left_alone, "right alone": i.right_alone, "p-value": i.pvalue},
        )
        for i in e.interactions
    ]


def imbalance_findings(e: Evidence) -> list[Finding]:
    """A target of which one level holds at least 80 % of rows."""
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
            "Judge models by average precision, log loss or balanced accuracy, and split so that each part has the "
            "same shares.",
            0.4 + 0.3 * (share - IMBALANCED) / (1 - IMBALANCED),
            View("column", (e.target,)),
            {"largest share": float(share)},
        )
    ]
