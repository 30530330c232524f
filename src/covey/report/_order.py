"""Whether columns drift along the rows, and whether neighbouring rows resemble each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._null import correlation_pvalue, false_discovery
from covey.report._material import Material
from covey.report._model import OrderEffect
from covey.table import Column

LEAST_STRENGTH = 0.1
LEAST_RESEMBLANCE = 0.2
ALPHA = 0.01
N_WINDOWS = 20
MOST_LEVELS = 5


def order_effects(material: Material) -> tuple[OrderEffect, ...]:
    """Features associated with the position of their row, strongest first.

    Strength is ``auto`` of feature and row number, at least 0.1; q-values (Benjamini-Hochberg over the features) are at
    most 0.01. Under the null hypothesis rows are in random order.
    """
    names = material.features
    stats = material.pairs("auto", [material.place[name] for name in names], [material.order] * len(names))
    assert stats.pvalues is not None
    q = false_discovery(stats.pvalues)
    hits = [k for k in range(len(names)) if q[k] <= ALPHA and stats.values[k] >= LEAST_STRENGTH]
    effects = [_effect(material.column(names[k]), float(stats.values[k]), float(stats.pvalues[k])) for k in hits]
    return tuple(sorted(effects, key=lambda effect: -effect.strength))


def window_means(column: Column, n_windows: int = N_WINDOWS) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    """Mean of a column of numbers, or share of its most frequent levels, in equal windows of rows.

    Returns
    -------
    positions : tuple of float
        The middle row of each window.
    means : dict of str to tuple of float
        One entry, ``"mean"``, for numbers; one entry a level for categories; NaN where a window has no present row.

    Examples
    --------
    >>> window_means(Column("x", "numeric", np.arange(6.0)), 3)
    ((0.5, 2.5, 4.5), {'mean': (0.5, 2.5, 4.5)})
    """
    n_rows = len(column.values)
    edges = np.linspace(0, n_rows, min(n_windows, n_rows) + 1).astype(int)
    window = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    present = ~column.missing
    size = np.bincount(window[present], minlength=len(edges) - 1)
    if column.categories is None:
        lines = {"mean": np.where(present, column.values, 0.0)}
    else:
        counts = np.bincount(column.values[present], minlength=len(column.categories))
        frequent = np.argsort(-counts, kind="stable")[: min(MOST_LEVELS, np.count_nonzero(counts))]
        lines = {column.categories[level]: (column.values == level).astype(float) for level in frequent}
    with np.errstate(divide="ignore", invalid="ignore"):
        means = {
            label: tuple((np.bincount(window, weights=line, minlength=len(size)) / size).tolist())
            for label, line in lines.items()
        }
    return tuple(((edges[1:] + edges[:-1] - 1) / 2.0).tolist()), means


def sorted_by(material: Material) -> list[str]:
    """Features by which the rows are sorted: in rising or falling order, or with each category in one block.

    Not counted are features whose most frequent value holds more than 95 % of rows, and tables of fewer than 20 rows.
    """
    return [name for name in material.features if is_sorted(material.store.dense_ranks(material.place[name]))]


def is_sorted(codes: NDArray[np.integer], least_rows: int = 20) -> bool:
    """Whether equal codes (0, 1, ...; negative is missing) stand together, in order if there are many.

    Examples
    --------
    >>> is_sorted(np.repeat([2, 0, 1], 10)), is_sorted(np.tile([0, 1], 10))
    (True, False)
    """
    present = codes[codes >= 0]
    if len(present) < least_rows or np.bincount(present).max() > 0.95 * len(present):
        return False
    steps = np.diff(present)
    if (steps >= 0).all() or (steps <= 0).all():
        return True
    n_levels = int(present.max()) + 1
    return n_levels <= len(present) / 5 and int(np.count_nonzero(steps)) == n_levels - 1


def resemblances(material: Material) -> dict[str, float]:
    """How much each row resembles the one before: rank autocorrelation, or kappa of agreement for categories.

    Only features with a significant resemblance (Bonferroni over the features, 0.01) of at least 0.2 are named.
    """
    found = {}
    for name in material.features:
        value, n = _resemblance(material, name)
        p = float(correlation_pvalue(value, n))
        if value >= LEAST_RESEMBLANCE and p * len(material.features) <= ALPHA:
            found[name] = value
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def kappa(first: NDArray[np.integer], second: NDArray[np.integer]) -> float:
    """Agreement of two columns of codes beyond chance (Cohen's kappa); NaN when chance agreement is certain.

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales, Educ. Psychol. Meas. 20.

    Examples
    --------
    >>> kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    1.0
    """
    size = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(codes, minlength=size) / len(codes) for codes in (first, second)]
    chance = float(shares[0] @ shares[1])
    return (float(np.mean(first == second)) - chance) / (1 - chance) if chance < 1 else float("nan")


def _effect(column: Column, strength: float, pvalue: float) -> OrderEffect:
    return OrderEffect(column.name, strength, pvalue, *window_means(column))


def _resemblance(material: Material, name: str) -> tuple[float, int]:
    column, place = material.column(name), material.place[name]
    present = ~column.missing
    both = present[1:] & present[:-1]
    n = int(np.count_nonzero(both))
    if n < 20:
        return float("nan"), n
    if column.is_coded:
        return kappa(column.values[:-1][both], column.values[1:][both]), n
    ranks = material.store.ranks(place)
    before, after = ranks[:-1][both], ranks[1:][both]
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return float("nan"), n
    return float(np.corrcoef(before, after)[0, 1]), n
