"""Findings about what lies behind associations: wholes, factors, go-betweens, lags and directions."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from covey.report._composition import PARTIAL
from covey.report._findings.evidence import Evidence
from covey.report._model import Composition, Direction, Factor, Finding, Indirect, Lagged, View
from covey.report._words import listed, name, number, percent, plural, signed

MOST_INDIRECT, MOST_LAGGED, MOST_DIRECTIONS = 3, 3, 2


def structure_findings(e: Evidence) -> list[Finding]:
    """All findings about structure."""
    return [
        *(_composition_finding(e, whole) for whole in e.compositions),
        *_factor_findings(e),
        *_indirect_findings(e),
        *(_lagged_finding(e, pair) for pair in e.lagged[:MOST_LAGGED]),
        *(_direction_finding(pair) for pair in e.directions[:MOST_DIRECTIONS]),
    ]


def _composition_finding(e: Evidence, whole: Composition) -> Finding:
    parts = whole.parts
    adds = "" if whole.total is None else f" (they add up to {number(round(whole.total, 6))})"
    told = " as you said" if whole.is_declared else ""
    matrix = e.matrices[PARTIAL]
    left, right = max(combinations(parts, 2), key=lambda pair: np.nan_to_num(abs(matrix[pair])))
    zeros = f" {plural(whole.n_zeros, 'zero')} were replaced by small shares." if whole.n_zeros else ""
    return Finding(
        "composition",
        f"{listed(parts)} are parts of a whole{told}{adds}",
        "When one part rises, others must fall: raw correlations between them mislead. This report compares them by "
        f"their log-ratios instead; with the other parts held fixed, {name(left)} and {name(right)} are most strongly "
        f"related ({signed(matrix[left, right])}).{zeros}",
        "Use log-ratios of these columns in models (covey.measure.clr or alr), not the raw parts.",
        0.72,
        View("heatmap", parts),
        {"parts": len(parts), **({} if whole.total is None else {"total": whole.total}), "zeros": whole.n_zeros},
    )


def _factor_findings(e: Evidence) -> list[Finding]:
    if not e.factors:
        return []
    columns = {column for factor in e.factors for column in factor.members}
    explained = sum(factor.explained * len(factor.members) for factor in e.factors) / len(columns)
    return [
        Finding(
            "factor",
            f"{plural(len(e.factors), 'latent factor')} may stand behind {plural(len(columns), 'column')}",
            " ".join(_factor_words(k, factor) for k, factor in enumerate(e.factors[:3], 1)),
            "Name the factors if they make sense to you; their scores (covey.structure.CorrelationThresholdFactor) can "
            "stand for the columns in a model.",
            0.42 + 0.2 * min(1.0, explained),
            View("factors"),
            {"factors": len(e.factors), "columns": len(columns)},
        )
    ]


def _factor_words(k: int, factor: Factor) -> str:
    return f"Factor {k}: {listed(factor.members)} ({percent(factor.explained)} of their variance)."


def _indirect_findings(e: Evidence) -> list[Finding]:
    found = [_indirect_finding(pair) for pair in e.indirect[:MOST_INDIRECT]]
    if len(e.indirect) <= MOST_INDIRECT:
        return found
    return [
        Finding(
            "indirect",
            f"{len(e.indirect)} correlations go through other columns",
            f"The strongest is that of {name(e.indirect[0].left)} and {name(e.indirect[0].right)} "
            f"({signed(e.indirect[0].marginal)}, but {signed(e.indirect[0].partial)} with all other numbers fixed).",
            "Read the network with other columns held fixed before you call a link direct.",
            0.46,
            View("network"),
            {"pairs": len(e.indirect)},
        )
    ]


def _indirect_finding(pair: Indirect) -> Finding:
    via = f" through {name(pair.through[0])}" if pair.through else " through other columns"
    return Finding(
        "indirect",
        f"{name(pair.left)} and {name(pair.right)} are correlated{via}",
        f"Their Pearson correlation is {signed(pair.marginal)}, and {signed(pair.partial)} with all other columns of "
        "numbers held fixed (linearly).",
        f"Do not read the pair as a link of its own: look at {name(pair.through[0])} first."
        if pair.through
        else "Do not read the pair as a link of its own: several columns together explain it.",
        0.3 + 0.2 * abs(pair.marginal),
        View("network", (pair.left, pair.right)),
        {"marginal": pair.marginal, "partial": pair.partial},
    )


def _lagged_finding(e: Evidence, pair: Lagged) -> Finding:
    return Finding(
        "lagged",
        f"{name(pair.leader)} goes {plural(pair.lag, 'row')} before {name(pair.follower)}",
        f"Along the rows, straight trends taken away, {name(pair.follower)} correlates {signed(pair.value)} with "
        f"{name(pair.leader)} {plural(pair.lag, 'row')} earlier, and {signed(pair.at_zero)} with it in the same row.",
        f"Try {name(pair.leader)} of {plural(pair.lag, 'row')} before as a feature"
        + (f" for {name(pair.follower)}." if e.target in (None, pair.follower) else "."),
        0.5 + 0.2 * abs(pair.value) + (0.15 if pair.follower == e.target else 0.0),
        View("lagged", (pair.leader, pair.follower)),
        {"lag": pair.lag, "correlation": pair.value, "in the same row": pair.at_zero, "p-value": pair.pvalue},
    )


def _direction_finding(pair: Direction) -> Finding:
    return Finding(
        "direction",
        f"{name(pair.effect)} is easier to explain by {name(pair.cause)} than the other way round",
        f"A curve with noise of varying width fits {name(pair.effect)} given {name(pair.cause)}: the noise does not "
        f"depend on it (p = {number(pair.fits)}). In the other direction it does. If one of the two causes the other, "
        f"and nothing else causes both, this speaks for {name(pair.cause)} as the cause.",
        "Take it as a hint to check, not as proof: an experiment or knowledge of how the data arose decides.",
        0.33,
        View("pair", (pair.cause, pair.effect)),
        {"p of fit": pair.fits, "p of the other direction": pair.fails},
    )
