"""What a report knows: plain data between the analysis that makes it and the page that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from covey.measure import AssociationMatrix
from covey.table import FeatureTable

FindingKind = Literal[
    "leak",
    "identifier",
    "constant",
    "duplicate",
    "redundant",
    "nonlinear",
    "missingness",
    "reversal",
    "order",
    "composition",
    "factor",
    "indirect",
    "lagged",
    "direction",
    "subset",
    "relevant",
    "irrelevant",
    "table",
]


@dataclass(frozen=True)
class View:
    """The picture that backs a finding.

    Parameters
    ----------
    kind : {"pair", "column", "group", "heatmap", "network", "relevance", "reversal", "order", "factors", "lagged"}
    columns : tuple of str
        The pair, the column, the group's members, ...; for a reversal (left, right, by).
    """

    kind: Literal[
        "pair", "column", "group", "heatmap", "network", "relevance", "reversal", "order", "factors", "lagged"
    ]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing to know or to do, in plain words.

    Parameters
    ----------
    kind : FindingKind
    title : str
        One line, complete on its own: "education and education-num say the same".
    detail : str
        One to three sentences: what was seen, with its numbers, and with what certainty.
    action : str
        What to do next, imperative: "Keep education-num; drop education."
    score : float
        0..1, how much this matters; findings are shown by falling score.
    view : View
    evidence : mapping of str to number or str
        The numbers behind `detail`, by name.
    """

    kind: FindingKind
    title: str
    detail: str
    action: str
    score: float
    view: View
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnSummary:
    """The card of one column.

    `histogram` holds ``{"edges": [...], "counts": [...]}`` for numbers (datetimes in seconds since 1970) and
    ``{"labels": [...], "counts": [...]}`` for categories (the most frequent twenty, the rest as "other").
    `statistics` is an ordered mapping of what a person wants to read: mean, sd, quartiles, most frequent, ...
    `nearest` lists the strongest associations ``(other column, strength, sign)``.
    """

    name: str
    kind: str
    n_missing: int
    n_unique: int
    statistics: Mapping[str, float | int | str]
    histogram: Mapping[str, list[Any]]
    nearest: tuple[tuple[str, float, int], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A statistic with its bootstrap interval (95 %)."""

    value: float
    low: float
    high: float
    pvalue: float = float("nan")


@dataclass(frozen=True)
class Relevance:
    """How one feature relates to the target, by several measures side by side (name -> estimate)."""

    name: str
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True)
class Group:
    """Features that say nearly the same.

    `association_kept` and `relevance_kept` are shares in 0..1: how much of the other members' association with
    the rest of the table, and of their relevance for the target, the representative alone keeps.
    """

    members: tuple[str, ...]
    representative: str
    association_kept: float
    relevance_kept: float | None
    weakest: float


@dataclass(frozen=True)
class Reversal:
    """An association whose sign turns inside the levels of a third column (Simpson's paradox)."""

    left: str
    right: str
    by: str
    overall: float
    within: tuple[tuple[str, float, int], ...]
    """(level, value, rows) for each level."""
    pooled: float
    """Weighted mean of the values within levels."""


@dataclass(frozen=True)
class OrderEffect:
    """A column that drifts along the rows; `means` are its mean (or each level's share) in equal row windows."""

    name: str
    strength: float
    pvalue: float
    positions: tuple[float, ...]
    means: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Composition:
    """Columns that are parts of a whole.

    `total` is the mean of their sum where that is the same in every row (up to rounding), else None; `n_zeros` counts
    zero parts in the rows used; `is_declared` tells that the user named them.
    """

    parts: tuple[str, ...]
    total: float | None
    n_zeros: int
    is_declared: bool


@dataclass(frozen=True)
class Factor:
    """A latent factor: the columns that load on it, strongest first, with their loadings.

    `explained` is the mean share of its columns' variance that it explains (average variance extracted, 0..1);
    `correlations` are its correlations with all factors of the report, in their order.
    """

    members: tuple[str, ...]
    loadings: tuple[float, ...]
    explained: float
    correlations: tuple[float, ...]


@dataclass(frozen=True)
class Indirect:
    """Two columns whose correlation goes through other columns: `marginal` without, `partial` with these held fixed.

    `through` names the one column that, held fixed alone, explains the correlation; empty where it takes several.
    """

    left: str
    right: str
    marginal: float
    partial: float
    through: tuple[str, ...]


@dataclass(frozen=True)
class Lagged:
    """A column that goes before another along the rows: `follower` resembles `leader` as it was `lag` rows earlier.

    `values` are the correlations at lags ``-(len - 1) / 2 ..`` to the other end, positive where `leader` is earlier.
    """

    leader: str
    follower: str
    lag: int
    value: float
    at_zero: float
    pvalue: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Direction:
    """A pair whose joint distribution a location-scale noise model fits in one direction only.

    `fits` is the p-value of independence of the noise and `cause` in that direction, `fails` that of the noise and
    `effect` in the other; each the less favourable of two halves of the rows.
    """

    cause: str
    effect: str
    fits: float
    fails: float


@dataclass(frozen=True)
class Subset:
    """The smallest steady set of features that predicts the target about as well as the best set.

    Parameters
    ----------
    columns : tuple of str
        Best first.
    frequencies : tuple of float
        Share of the folds in which each is selected too.
    others : tuple of str
        The features that are left.
    score, error, all_score, all_error : float
        Mean over folds of the score of a small forest with the selected features and with all, and standard errors.
        Features were selected anew in each fold, from rows that are not scored.
    scoring : str
        ``"roc_auc"``, ``"accuracy"`` or ``"r2"``.
    stability : float
        1 when all folds select the same features, 0 as by chance.
    is_steady : bool
    n_rows : int
    """

    columns: tuple[str, ...]
    frequencies: tuple[float, ...]
    others: tuple[str, ...]
    score: float
    error: float
    all_score: float
    all_error: float
    scoring: str
    stability: float
    is_steady: bool
    n_rows: int


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that the page and the JSON show.

    Parameters
    ----------
    title : str
    target : str or None
    n_rows, n_columns : int
        Of the source.
    columns : tuple of ColumnSummary
        All columns of the source, in its order.
    features : tuple of str
        Columns that take part in associations (no identifiers, text or constants), in display (leaf) order.
    matrices : mapping of str to AssociationMatrix
        Square, over `features` in display order, by measure; ``"auto"`` is always there.
    groups, findings, relevance, reversals, order_effects
    tree : tuple of (str, str, float)
        Maximum spanning tree of the features, with strengths.
    sample : FeatureTable
        At most a few thousand rows of `features`, for the pictures of pairs.
    compositions, factors, indirect, lagged, directions
        Empty where there are none.
    subset : Subset or None
        Features to keep for predicting the target.
    how : mapping
        Rows used, sampling, measures, p-value methods, versions, seconds by step, seed.
    """

    title: str
    target: str | None
    n_rows: int
    n_columns: int
    columns: tuple[ColumnSummary, ...]
    features: tuple[str, ...]
    matrices: Mapping[str, AssociationMatrix]
    groups: tuple[Group, ...]
    tree: tuple[tuple[str, str, float], ...]
    relevance: tuple[Relevance, ...]
    reversals: tuple[Reversal, ...]
    order_effects: tuple[OrderEffect, ...]
    findings: tuple[Finding, ...]
    sample: FeatureTable
    how: Mapping[str, Any]
    compositions: tuple[Composition, ...] = ()
    factors: tuple[Factor, ...] = ()
    indirect: tuple[Indirect, ...] = ()
    lagged: tuple[Lagged, ...] = ()
    directions: tuple[Direction, ...] = ()
    subset: Subset | None = None
