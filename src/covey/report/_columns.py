"""The card of each column: what it holds, in numbers that a person wants to read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.report._model import ColumnSummary
from covey.report._words import percent
from covey.table import Column, FeatureTable

MOST_LABELS = 20
N_BINS = 24
NEAREST = 5


def summarise(column: Column, notes: tuple[str, ...] = ()) -> ColumnSummary:
    """Count, describe and draw one column (`nearest` is empty; see `with_nearest`).

    Examples
    --------
    >>> card = summarise(Column("x", "numeric", np.array([1.0, 2.0, 3.0, np.nan])))
    >>> card.n_missing, card.n_unique, card.statistics["median"]
    (1, 3, 2.0)
    """
    missing = column.missing
    present = column.values[~missing]
    statistics, histogram, n_unique = (
        _describe_codes(column, present) if column.is_coded else _describe(column, present)
    )
    return ColumnSummary(
        name=column.name,
        kind=column.kind,
        n_missing=int(np.count_nonzero(missing)),
        n_unique=n_unique,
        statistics=statistics,
        histogram=histogram,
        nearest=(),
        notes=notes,
    )


def notes_by_column(table: FeatureTable) -> dict[str, tuple[str, ...]]:
    """Messages of the table's notes by column."""
    out: dict[str, tuple[str, ...]] = {}
    for note in table.notes:
        out[note.column] = (*out.get(note.column, ()), note.message)
    return out


def nearest(matrix: AssociationMatrix, most: int = NEAREST) -> dict[str, tuple[tuple[str, float, int], ...]]:
    """The strongest associations of every feature as (other, strength, sign)."""
    strength = matrix.strength.copy()
    np.fill_diagonal(strength, 0.0)
    sign = np.zeros(strength.shape, dtype=np.int8) if matrix.sign is None else matrix.sign
    out = {}
    for i, name in enumerate(matrix.rows):
        ranked = np.argsort(-strength[i], kind="stable")[:most]
        out[name] = tuple(
            (matrix.rows[j], float(strength[i, j]), int(sign[i, j])) for j in ranked if strength[i, j] > 0
        )
    return out


def histogram_edges(ordered: NDArray[np.float64], most: int = N_BINS) -> NDArray[np.float64]:
    """Edges of equal bins over sorted values: one bin for each integer when these are few, else at most `most`.

    Where a few values lie far out (the range is more than five times that of the middle 99 %), the bins cover the
    middle and the first and last one take what lies beyond.

    Examples
    --------
    >>> histogram_edges(np.array([1.0, 2.0, 2.0, 4.0]))
    array([0.5, 1.5, 2.5, 3.5, 4.5])
    """
    low, high = ordered[0], ordered[-1]
    if high - low < most and (ordered == np.rint(ordered)).all():
        return np.arange(low - 0.5, high + 1.0)
    inner_low, inner_high = np.quantile(ordered, [0.005, 0.995])
    if 0 < inner_high - inner_low < (high - low) / 5:
        low, high = inner_low, inner_high
    return np.linspace(low, high, most + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _describe(column: Column, present: NDArray[np.float64]) -> tuple[dict[str, Any], dict[str, list[Any]], int]:
    ordered = np.sort(present)
    if not len(ordered):
        return {}, {"edges": [], "counts": []}, 0
    n_unique = 1 + int(np.count_nonzero(np.diff(ordered)))
    edges = histogram_edges(ordered)
    counts, _ = np.histogram(np.clip(ordered, edges[0], edges[-1]), edges)
    histogram = {"edges": edges.tolist(), "counts": counts.tolist()}
    quartiles = np.quantile(ordered, [0.0, 0.25, 0.5, 0.75, 1.0])
    if column.kind == "datetime":
        first, _, middle, _, last = (_date(q) for q in quartiles)
        return {"first": first, "median": middle, "last": last}, histogram, n_unique
    names = ("minimum", "lower quartile", "median", "upper quartile", "maximum")
    mean = float(ordered.mean())
    statistics: dict[str, Any] = {"mean": mean, "standard deviation": _deviation(ordered, mean)}
    statistics |= {name: float(q) for name, q in zip(names, quartiles)}
    zeros = float(np.mean(ordered == 0))
    if zeros > 0.05 and n_unique > 2:
        statistics["zeros"] = percent(zeros)
    return statistics, histogram, n_unique


def _deviation(values: NDArray[np.float64], mean: float) -> float:
    return float(np.sqrt(np.sum((values - mean) ** 2) / (len(values) - 1))) if len(values) > 1 else 0.0


def _describe_codes(column: Column, present: NDArray[np.int32]) -> tuple[dict[str, Any], dict[str, list[Any]], int]:
    categories = column.categories or ()
    counts = np.bincount(present, minlength=len(categories))
    ranked = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    if not len(ranked):
        return {}, {"labels": [], "counts": []}, 0
    shown = ranked[:MOST_LABELS]
    labels, heights = [categories[k] for k in shown], counts[shown].tolist()
    if len(ranked) > MOST_LABELS:
        labels.append("other")
        heights.append(int(counts[ranked[MOST_LABELS:]].sum()))
    statistics: dict[str, Any] = {
        "most frequent": categories[ranked[0]],
        "its share": percent(counts[ranked[0]] / len(present)),
    }
    if len(ranked) > 1:
        statistics |= {"least frequent": categories[ranked[-1]], "its rows": int(counts[ranked[-1]])}
    return statistics, {"labels": labels, "counts": heights}, len(ranked)


def _date(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"
    return moment.strftime("%Y-%m-%d" if seconds % 86400 == 0 else "%Y-%m-%d %H:%M")
