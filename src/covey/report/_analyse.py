"""From a table to everything that a report shows."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from covey.engine import Engine
from covey.measure import AssociationMatrix
from covey.report import _columns
from covey.report._composition import compositions, ties, with_log_ratios
from covey.report._determination import determinations, determined, leaks
from covey.report._direction import direction_hints
from covey.report._factors import latent_factors
from covey.report._findings import Evidence, findings
from covey.report._indirect import indirect_links
from covey.report._interaction import interactions
from covey.report._lagged import are_in_order, effective_rows, lagged_links, with_effective_rows
from covey.report._material import Material, prepare, reordered
from covey.report._missing import missing_effects
from covey.report._model import Group, ReportData
from covey.report._order import order_effects, resemblances, sorted_by
from covey.report._relevance import any_relevant, relevance
from covey.report._resampling import N_DRAWS, N_GROUPS
from covey.report._reversal import reversals
from covey.report._subset import recommended_subset
from covey.structure import feature_groups, maximum_spanning_tree, redundancy
from covey.table import FeatureTable

MEASURES = (
    "auto",
    "pearson",
    "spearman",
    "partial_correlation",
    "distance_correlation",
    "mutual_information",
    "cramers_v",
    "theils_u",
    "correlation_ratio",
)
WIDE_MEASURES = ("auto", "pearson", "spearman", "partial_correlation")
WIDE = 150
SAMPLE_ROWS = 2000


def analyse(
    source: FeatureTable,
    target: str | None,
    engine: Engine,
    sample: int | None = None,
    random_state: int = 0,
    title: str = "Table",
    compositional: Sequence[str] = (),
    time: str | None = None,
) -> ReportData:
    """Measure, group, test and describe a table.

    Parameters
    ----------
    source : FeatureTable
    target : str or None
    engine : Engine
    sample : int, optional
        Most rows to use for associations; by default as many as are affordable.
    random_state : int
    title : str
    compositional : sequence of str
        Columns that are parts of one whole; sets that add up to a constant are found without being named.
    time : str, optional
        Column of numbers or dates to put the rows in order by; by default the rows are as they come.

    Returns
    -------
    ReportData

    Raises
    ------
    ValueError
        If the target is unknown, constant, an identifier or free text, the named columns are no parts of a whole, or
        `time` holds no numbers or dates.

    Examples
    --------
    >>> from covey.engine import LocalEngine
    >>> from covey.table import Column
    >>> x = np.random.default_rng(0).normal(size=200)
    >>> table = FeatureTable.from_columns([Column("x", "numeric", x), Column("twice", "numeric", 2 * x)])
    >>> analyse(table, None, LocalEngine(1)).findings[0].title
    'x and twice say the same'
    """
    clock = Clock()
    with clock("rows and kinds"):
        source = source if time is None else in_order_of(source, time)
        material = prepare(source, target, sample, engine, random_state)
    with clock("column cards"):
        notes = _columns.notes_by_column(source)
        cards = engine.map(lambda c: _columns.summarise(c, notes.get(c.name, ())), source.columns())
    with clock("associations"):
        names = MEASURES if len(material.features) <= WIDE else WIDE_MEASURES
        raw = {name: material.square(name) for name in names}
        wholes = compositions(material, compositional)
        matrices = with_log_ratios(raw, material, wholes)
    with clock("groups"):
        order, groups, tree = _structure(matrices["auto"], target)
    with clock("relevance"):
        relevant = relevance(material)
        determination = determinations(material)
    with clock("copies and interactions"):
        follows = determined(material, matrices["auto"])
        together = interactions(material, matrices["auto"])
    with clock("reversals"):
        turned, searched = reversals(material, matrices["auto"])
        tied = ties(wholes)
        turned = tuple(r for r in turned if {r.left, r.right} not in tied)
    with clock("missing values and row order"):
        missing = missing_effects(material)
        drifting, resemblance = order_effects(material), resemblances(material)
    with clock("lags"):
        by = sorted_by(material)
        ordered = time is not None or are_in_order(material, by, resemblance)
        parts = {name for whole in wholes for name in whole.parts}
        lagged = lagged_links(material, {*by, *parts}) if ordered else ()
    with clock("latent factors"):
        spearman, pearson = raw["spearman"], raw["pearson"]
        if ordered:
            effective = effective_rows(material)
            spearman, pearson = (with_effective_rows(matrix, effective) for matrix in (spearman, pearson))
        factors = latent_factors(material, spearman, wholes)
        indirect = indirect_links(pearson, raw["partial_correlation"], parts)
    with clock("direction hints"):
        aside = {*parts, *resemblance, *by, *(effect.name for effect in drifting)}
        directions = direction_hints(material, matrices["auto"], aside)
    with clock("features to keep"):
        given_away = leaks(determination, material.n_rows)
        subset = recommended_subset(material, given_away, ordered) if any_relevant(relevant, together) else None
    with clock("findings"):
        close = _columns.nearest(matrices["auto"])
        columns = tuple(replace(card, nearest=close.get(card.name, ())) for card in cards)
        evidence = Evidence(
            material=material,
            columns=columns,
            matrices=matrices,
            groups=groups,
            determined=follows,
            determination=determination,
            leaks=given_away,
            relevance=relevant,
            interactions=together,
            missing=missing,
            reversals=turned,
            order=drifting,
            resemblance=resemblance,
            sorted_by=by,
            compositions=wholes,
            factors=factors,
            indirect=indirect,
            lagged=lagged,
            directions=directions,
            subset=subset,
        )
        found = findings(evidence)
    features = tuple(material.features[k] for k in order)
    return ReportData(
        title=title,
        target=target,
        n_rows=source.n_rows,
        n_columns=source.n_columns,
        columns=columns,
        features=features,
        matrices={name: reordered(matrix, order) for name, matrix in matrices.items()},
        groups=groups,
        tree=tree,
        relevance=relevant,
        reversals=turned,
        order_effects=drifting,
        findings=found,
        sample=_picture_rows(material, features),
        how=_how(material, tuple(matrices), searched, clock),
        compositions=wholes,
        factors=factors,
        indirect=indirect,
        lagged=lagged,
        directions=directions,
        subset=subset,
    )


def in_order_of(source: FeatureTable, time: str) -> FeatureTable:
    """The rows by rising values of a column, equal ones as they come, rows without a value last.

    Raises
    ------
    ValueError
        If there is no such column, or it holds no numbers or dates.

    Examples
    --------
    >>> from covey.table import Column
    >>> table = FeatureTable.from_columns([Column("t", "numeric", np.array([3.0, 1.0, 2.0]))])
    >>> in_order_of(table, "t").column("t").values
    array([1., 2., 3.])
    """
    column = source.column(time)
    if column.is_coded:
        raise ValueError(f"column {time!r} is {column.kind}; rows can be put in order by numbers or dates")
    return source.take(np.argsort(column.values, kind="stable"))


class Clock:
    """Seconds of each step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 3)


def _structure(
    matrix: AssociationMatrix, target: str | None
) -> tuple[np.ndarray, tuple[Group, ...], tuple[tuple[str, str, float], ...]]:
    """(display order, redundant groups, maximum spanning tree)."""
    if len(matrix.rows) < 2:
        return np.arange(len(matrix.rows)), (), ()
    order = feature_groups(matrix).order
    groups = tuple(
        Group(g.members, g.representative, g.association_kept, g.relevance_kept, g.weakest)
        for g in redundancy(matrix, target=target)
    )
    return order, groups, tuple(maximum_spanning_tree(matrix))


def _picture_rows(material: Material, features: tuple[str, ...]) -> FeatureTable:
    """A few rows of the features, in display order, for the pictures of pairs."""
    if not features:
        return FeatureTable((), (), np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int32), ())
    return material.table.select(features).sample(SAMPLE_ROWS, material.random_state)


def _how(material: Material, measures: tuple[str, ...], searched: dict[str, int], clock: Clock) -> dict[str, Any]:
    used, rows = material.n_rows, material.source.n_rows
    return {
        "rows": rows,
        "rows_used": used,
        "sampling": "all rows" if used == rows else f"{used:,} of {rows:,} rows drawn at random without replacement",
        "measures": list(measures),
        "pvalues": "asymptotic; found when the Benjamini-Hochberg q-value is at most 0.01 and the effect large enough",
        "intervals": f"95 % bootstrap, {N_DRAWS} draws of up to {N_GROUPS} random groups of rows",
        "reversals_searched": searched,
        "engine": repr(material.engine),
        "random_state": material.random_state,
        "notes": [note.message for note in material.source.notes],
        "versions": {
            "covey": version("covey"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "seconds": dict(clock.seconds),
    }
