"""Associations whose sign turns inside the levels of a third column (Simpson's paradox)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.measure._moments import MomentState
from covey.measure._null import correlation_pvalue, normal_pvalue
from covey.report._material import Material, equal_parts
from covey.report._model import Reversal

MOST_ORDERED, MOST_GROUPINGS = 40, 40
MOST_LEVELS, N_BINS = 12, 5
LEAST_LEVEL_ROWS = 30
LEAST_COVERED, LEAST_OPPOSED = 0.8, 0.8
LEAST_VALUE = 0.1
ALPHA = 0.01
SAME_CATEGORIES, SAME_NUMBERS = 0.9, 0.75


@dataclass(frozen=True, eq=False)
class Grouping:
    """The levels of a column that hold enough rows: rows sorted by level, bounds of each, and their labels.

    A column whose association with it is at least `nearly_the_same` hardly varies within its levels.
    """

    name: str
    rows: NDArray[np.intp]
    bounds: NDArray[np.intp]
    labels: tuple[str, ...]
    nearly_the_same: float


@dataclass(frozen=True, eq=False)
class Within:
    """Rank correlations of every pair of columns in each level; arrays of shape (n_levels, n_columns, n_columns)."""

    values: NDArray[np.float64]
    n: NDArray[np.int64]

    def pooled(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of the levels' correlations on Fisher's scale, and its p-value; both of shape (n_columns, n_columns).

        References
        ----------
        Fieller, Hartley and Pearson (1957), Tests for rank correlation coefficients, Biometrika 44.
        """
        weight = np.where(np.isnan(self.values), 0.0, np.maximum(self.n - 3, 0) / 1.06)
        total = weight.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.arctanh(np.clip(np.nan_to_num(self.values), -0.999999, 0.999999))
            mean = (weight * z).sum(axis=0) / total
            return np.tanh(mean), normal_pvalue(mean * np.sqrt(total))

    def opposed(self, sign: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of rows that lie in levels whose correlation has not the given sign, shape (n_columns, n_columns)."""
        against = np.sign(np.nan_to_num(self.values)) * sign < 0
        return (self.n * against).sum(axis=0) / np.maximum(self.n.sum(axis=0), 1)


def reversals(material: Material, matrix: AssociationMatrix) -> tuple[tuple[Reversal, ...], dict[str, int]]:
    """Pairs of ordered columns whose rank correlation turns inside the levels of a third column.

    A pair counts when its correlation over all rows and the pooled one within levels have opposite signs, each at least
    0.1 and each significant at 0.01 after Bonferroni's correction over all triples, and when levels with at least 80 %
    of the rows agree on the turn. Searched are the 40 ordered columns and 40 groupings with the strongest associations
    (the target always among them); numbers group by fifths. A third column that is nearly one of the two is left out,
    and of several third columns for one pair the one with the strongest turn is kept.

    Returns
    -------
    reversals : tuple of Reversal
        Pairs with the target first, then by strength.
    searched : dict
        Numbers of columns, groupings and triples.
    """
    connected = connectedness(material, matrix)
    ordered = [name for name in connected if material.is_ordered(name)][:MOST_ORDERED]
    groupings = [g for name in connected if (g := grouping(material, name)) is not None][:MOST_GROUPINGS]
    n_triples = len(groupings) * len(ordered) * (len(ordered) - 1) // 2
    searched = {"ordered columns": len(ordered), "groupings": len(groupings), "triples": n_triples}
    if len(ordered) < 2 or not groupings:
        return (), searched
    ranks = np.stack([scaled_ranks(material, name) for name in ordered], axis=1)
    overall = correlations(ranks)
    found: dict[tuple[str, str], Reversal] = {}
    turns = material.engine.map(lambda g: _turns(ranks, overall, g, ordered, matrix, n_triples), groupings)
    for reversal in (r for part in turns for r in part):
        pair = (reversal.left, reversal.right)
        if pair not in found or _size(reversal) > _size(found[pair]):
            found[pair] = reversal
    target = material.target
    return tuple(sorted(found.values(), key=lambda r: (target not in (r.left, r.right), -_size(r)))), searched


def connectedness(material: Material, matrix: AssociationMatrix) -> list[str]:
    """Features, the target first, then by the sum of their squared associations."""
    total = (matrix.strength**2).sum(axis=1)
    ranked = [material.features[k] for k in np.argsort(-total, kind="stable")]
    return sorted(ranked, key=lambda name: name != material.target)


def grouping(material: Material, name: str) -> Grouping | None:
    """The levels of a column that are large enough to look into; None when they do not hold 80 % of its rows.

    Numbers with up to twelve distinct values group by value, others by fifths.
    """
    column, place = material.column(name), material.place[name]
    if column.categories is not None:
        codes, labels = column.values, list(column.categories)
    else:
        codes, labels = _number_levels(material, place)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    least = max(LEAST_LEVEL_ROWS, len(codes) // 100)
    kept = [int(k) for k in np.argsort(-counts, kind="stable")[:MOST_LEVELS] if counts[k] >= least]
    if len(kept) < 2 or counts[kept].sum() < LEAST_COVERED * counts.sum():
        return None
    kept.sort()
    level = np.full(len(labels) + 1, len(kept))
    level[kept] = np.arange(len(kept))
    new = level[codes]
    rows = np.argsort(new, kind="stable")[: np.count_nonzero(new < len(kept))]
    return Grouping(
        name=name,
        rows=rows,
        bounds=np.concatenate([[0], np.cumsum(counts[kept])]),
        labels=tuple(labels[k] for k in kept),
        nearly_the_same=SAME_CATEGORIES if column.is_coded else SAME_NUMBERS,
    )


def scaled_ranks(material: Material, name: str) -> NDArray[np.float64]:
    """Mid-ranks over all rows as shares in -1..1, NaN for missing."""
    ranks = material.store.ranks(material.place[name])
    return 2.0 * ranks / material.n_rows - 1.0


def correlations(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pairwise-complete correlation and number of rows of every pair of columns."""
    n_columns = values.shape[1]
    return MomentState(np.zeros(n_columns), np.ones(n_columns)).update(values).result()


def _turns(
    ranks: NDArray[np.float64],
    overall: tuple[NDArray[np.float64], NDArray[np.int64]],
    by: Grouping,
    names: Sequence[str],
    matrix: AssociationMatrix,
    n_triples: int,
) -> list[Reversal]:
    ordered = ranks[by.rows]
    parts = [correlations(ordered[a:b]) for a, b in pairwise(by.bounds)]
    within = Within(np.stack([r for r, _ in parts]), np.stack([n for _, n in parts]))
    value, n = overall
    pooled, p_pooled = within.pooled()
    with np.errstate(invalid="ignore"):
        turned = (value * pooled < 0) & (np.minimum(np.abs(value), np.abs(pooled)) >= LEAST_VALUE)
        turned &= np.maximum(correlation_pvalue(value, n), p_pooled) * n_triples <= ALPHA
        turned &= within.opposed(np.sign(value)) >= LEAST_OPPOSED
    out = []
    for i, j in np.argwhere(np.triu(turned, 1)):
        left, right = names[i], names[j]
        if by.name in (left, right) or max(matrix[by.name, left], matrix[by.name, right]) >= by.nearly_the_same:
            continue
        levels = tuple(
            (label, float(within.values[k, i, j]), int(within.n[k, i, j]))
            for k, label in enumerate(by.labels)
            if not np.isnan(within.values[k, i, j])
        )
        out.append(Reversal(left, right, by.name, float(value[i, j]), levels, float(pooled[i, j])))
    return out


def _number_levels(material: Material, place: int) -> tuple[NDArray[np.integer], list[str]]:
    dense = material.store.dense_ranks(place)
    column = material.store.columns[place]
    n_distinct = int(dense.max(initial=-1)) + 1
    if n_distinct <= MOST_LEVELS:
        return dense, [f"{v:g}" for v in np.unique(column.values[dense >= 0])]
    codes = equal_parts(material.store.ranks(place), N_BINS)
    parts = [column.values[codes == k] for k in range(codes.max() + 1)]
    return codes, [f"{part.min():.4g} to {part.max():.4g}" for part in parts]


def _size(reversal: Reversal) -> float:
    return min(abs(reversal.overall), abs(reversal.pooled))
