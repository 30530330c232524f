"""Who determines whom: copies, columns that follow from another, and features that give the target away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.measure.distance import max_bins
from covey.report._material import Material

MOST_CANDIDATES = 500
SAME, FOLLOWS = 0.995, 0.999
CERTAIN, SUSPICIOUS, FAR_ABOVE = 0.99, 0.75, 2.5
LEAST_ROWS = 30


@dataclass(frozen=True)
class Determined:
    """`column` follows from `by` on the share `agreement` of rows; `both_ways` when `by` follows from it, too."""

    by: str
    column: str
    agreement: float
    both_ways: bool


def followed(x: NDArray[np.integer], y: NDArray[np.integer]) -> float:
    """Share of rows on which `y` is the most frequent `y` of their `x`; negative codes are missing.

    Examples
    --------
    >>> followed(np.array([0, 0, 1, 1]), np.array([5, 5, 7, 5]))
    0.75
    """
    both = (x >= 0) & (y >= 0)
    if not both.any():
        return 0.0
    width = int(y.max()) + 1
    cells, counts = np.unique(x[both].astype(np.int64) * width + y[both], return_counts=True)
    starts = np.flatnonzero(np.diff(cells // width, prepend=-1))
    return float(np.maximum.reduceat(counts, starts).sum() / counts.sum())


def determined(material: Material, matrix: AssociationMatrix) -> list[Determined]:
    """Pairs of features, the target left out, of which one follows from the other; copies first.

    Looked at are the 500 strongest pairs of strength 0.5 or more. What follows must vary (its most frequent value holds
    at most 95 % of rows), and what it follows from must repeat (at most one distinct value for ten rows), unless both
    are numbers of the same order (rank correlation 0.999 or more).
    """
    names = material.features
    strength = np.triu(matrix.strength, 1)
    if material.target is not None:
        target = material.place[material.target]
        strength[target] = strength[:, target] = 0.0
    left, right = np.nonzero(strength >= 0.5)
    ranked = np.argsort(-strength[left, right], kind="stable")[:MOST_CANDIDATES]
    pairs = [(int(left[k]), int(right[k])) for k in ranked]
    found = [pair for pair in material.engine.map(lambda pair: _compare(material, *pair), pairs) if pair is not None]
    return sorted(found, key=lambda d: not d.both_ways) if names else []


def _compare(material: Material, i: int, j: int) -> Determined | None:
    names, store = material.features, material.store
    x, y = store.dense_ranks(i), store.dense_ranks(j)
    if all(not store.columns[k].is_coded for k in (i, j)):
        both = (x >= 0) & (y >= 0)
        rho = abs(float(np.corrcoef(store.ranks(i)[both], store.ranks(j)[both])[0, 1])) if both.sum() > 2 else 0.0
        if rho >= 0.999:
            return Determined(names[i], names[j], rho, True)
    forward, backward = (_share(a, b) for a, b in ((x, y), (y, x)))
    if min(forward, backward) >= SAME:
        return Determined(names[i], names[j], min(forward, backward), True)
    if max(forward, backward) < FOLLOWS:
        return None
    by, column = (i, j) if forward >= backward else (j, i)
    return Determined(names[by], names[column], max(forward, backward), False)


def _share(x: NDArray[np.int32], y: NDArray[np.int32]) -> float:
    """`followed`, or 0 where `x` hardly repeats or `y` hardly varies."""
    present = y[y >= 0]
    repeats = x.max(initial=0) + 1 <= np.count_nonzero(x >= 0) / 10
    varies = len(present) and np.bincount(present).max() <= 0.95 * len(present)
    return followed(x, y) if repeats and varies else 0.0


def goodman_kruskal_tau(table: NDArray[np.float64]) -> float:
    """How much better the right side is predicted from the left one than without, 0..1, each row by the other rows.

    Proportional prediction: a row of level `i` is predicted by drawing one of the *other* rows of that level, so that
    levels of one row, which seem to determine everything, gain nothing.

    Parameters
    ----------
    table : ndarray of shape (n_left, n_right)
        Counts.

    References
    ----------
    Goodman and Kruskal (1954), Measures of association for cross classifications, J. Am. Stat. Assoc. 49.

    Examples
    --------
    >>> goodman_kruskal_tau(np.array([[10.0, 0.0], [0.0, 10.0]])), goodman_kruskal_tau(np.eye(20))
    (1.0, 0.0)
    """
    n = table.sum()
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if n < 2:
        return 0.0
    chance = float(np.sum(columns * (columns - 1)) / (n * (n - 1)))
    others = np.maximum(rows - 1, 1.0)[:, None]
    hit = float(np.sum(table * (table - 1) / others) + np.sum(rows == 1) * chance) / n
    return max(0.0, float(hit - chance) / (1 - chance)) if chance < 1 else 0.0


def epsilon_squared(table: NDArray[np.float64], positions: NDArray[np.float64]) -> float:
    """Share of the variance of the right side that lies between levels of the left one, corrected for their number.

    Parameters
    ----------
    table : ndarray of shape (n_left, n_right)
        Counts.
    positions : ndarray of shape (n_right,)
        Where the right levels stand.

    References
    ----------
    Kelley (1935), An unbiased correlation ratio measure, Proc. Natl. Acad. Sci. 21.

    Examples
    --------
    >>> round(epsilon_squared(np.array([[10.0, 0.0], [0.0, 10.0]]), np.array([0.0, 1.0])), 3)
    1.0
    """
    n, rows = table.sum(), table.sum(axis=1)
    k = np.count_nonzero(rows)
    if n <= k:
        return 0.0
    marginal = table.sum(axis=0)
    centre = marginal @ positions / n
    total = marginal @ (positions - centre) ** 2
    means = (table @ positions)[rows > 0] / rows[rows > 0]
    between = rows[rows > 0] @ (means - centre) ** 2
    if total <= 0:
        return 0.0
    return float(max(0.0, 1.0 - (1.0 - between / total) * (n - 1) / (n - k)))


def determinations(material: Material) -> dict[str, float]:
    """How nearly each feature determines the target, 0..1, corrected for the feature's number of levels.

    Dates are left out: whatever changes slowly is determined by the date, which gives nothing away.
    """
    if material.target is None:
        return {}
    target = material.place[material.target]
    positions = material.coding(target, max_bins(material.n_rows)).levels.positions

    def one(name: str) -> float:
        table = material.joint(material.place[name], target, max_bins(material.n_rows))
        return goodman_kruskal_tau(table) if positions is None else epsilon_squared(table, positions)

    candidates = [name for name in material.predictors if material.source.kind(name) != "datetime"]
    return dict(zip(candidates, material.engine.map(one, candidates)))


def leaks(determination: Mapping[str, float], n_rows: int) -> list[str]:
    """The features that give the target away.

    Those at 0.99 or more, and those at 0.75 or more that stand above a gap: the next feature is at most 1 / 2.5 of
    them. There can be a few such features (three, or a twentieth of all); more are no leak but an easy target.

    Examples
    --------
    >>> leaks({"refund": 0.9, "age": 0.1}, 1000), leaks({"petal length": 0.93, "sepal length": 0.5}, 1000)
    (['refund'], [])
    """
    if n_rows < LEAST_ROWS:
        return []
    ranked = sorted(determination, key=lambda name: -determination[name])
    values = [*(determination[name] for name in ranked), 0.0]
    most = max(3, len(ranked) // 20)
    count = sum(value >= CERTAIN for value in values)
    for k in range(1, min(most, len(ranked)) + 1):
        if values[k - 1] >= SUSPICIOUS and values[k - 1] >= FAR_ABOVE * values[k]:
            count = max(count, k)
    return ranked[:count] if count <= most else []
