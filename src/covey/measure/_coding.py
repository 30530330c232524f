"""Columns as levels: categories as they are, numbers as bins that keep the geometry of the measure.

A number's bins are chosen so that the distance between two bins (the difference of their means) and the mean
distance within one bin stand in for the distances between values. The error of any statistic of the distance
kernel then comes only from what varies within bins, and its expectation is least when bins per unit length go
as density^(2/3): a compromise between equal widths and equal counts that resolves the bulk and gives each
extreme of a heavy tail a bin of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from covey.measure._store import ColumnStore

Scale = Literal["value", "rank"]
MAX_LEVELS = 2048


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of one coded column.

    Parameters
    ----------
    positions : ndarray of shape (n_levels,) or None
        Mean of the values (or mid-ranks, as shares of n) of each level, ascending; None for categories.
    within : ndarray of shape (n_levels,)
        Mean distance between two values of the same level; 0 for categories and exact levels.
    resolution : float
        Largest product of `within` and the rows of a level; 0 when all levels are exact.
    edges : ndarray of shape (n_levels - 1,) or None
        Smallest value of each level but the first: `numpy.searchsorted(edges, x, "right")` is the level of x.
    n_pooled : int
        Number of rare categories that share the last level.
    lookup : ndarray of shape (n_categories,) or None
        Level of each category when categories were pooled.
    """

    n_levels: int
    positions: NDArray[np.float64] | None = None
    within: NDArray[np.float64] | None = None
    resolution: float = 0.0
    edges: NDArray[np.float64] | None = None
    n_pooled: int = 0
    lookup: NDArray[np.int32] | None = None

    def encode(self, values: NDArray) -> NDArray[np.int32]:
        """Level + 1 of each value (float, NaN missing; or category codes, -1 missing); 0 for missing."""
        if self.edges is not None:
            codes = np.searchsorted(self.edges, values, "right").astype(np.int32) + 1
            codes[np.isnan(values)] = 0
            return codes
        if self.lookup is not None:
            return np.append(self.lookup + 1, 0).astype(np.int32)[values]
        return values.astype(np.int32) + 1


@dataclass(frozen=True, eq=False)
class Coding:
    """One column as small integers: `codes` holds level + 1, and 0 for missing; shape (n_rows,)."""

    codes: NDArray[np.int32]
    levels: Levels


def assign_bins(
    positions: NDArray[np.float64], counts: NDArray[np.float64], max_bins: int, cut_ends: bool = False
) -> NDArray[np.int64]:
    """Bin of each distinct value: at most `max_bins`, more of them where the root of the density is large.

    Parameters
    ----------
    positions : ndarray of shape (n_distinct,)
        Distinct values in ascending order.
    counts : ndarray of shape (n_distinct,)
        Weight of each.
    max_bins : int
    cut_ends : bool, default=False
        Give the extremes half the share of the other bins, so that no wide gap before them goes uncut.

    Returns
    -------
    ndarray of shape (n_distinct,), int64
        Non-decreasing, without gaps, from 0.

    Examples
    --------
    >>> assign_bins(np.array([0.0, 1.0, 2.0, 1000.0]), np.ones(4), 3, cut_ends=True)
    array([0, 0, 1, 2])
    >>> assign_bins(np.arange(8.0), np.ones(8), 4)
    array([0, 0, 1, 1, 2, 2, 3, 3])
    """
    if len(positions) <= max_bins:
        return np.arange(len(positions))
    mass = (counts[1:] + counts[:-1]) / (2.0 * counts.sum())
    gap = np.diff(positions)
    share = np.sqrt(mass * (gap / gap.sum()))
    n_shares = max_bins - 1 if cut_ends else max_bins
    for _ in range(8):  # a gap wider than one bin needs one cut, not several
        limit = share.sum() / n_shares
        if share.max() <= limit * (1 + 1e-9):
            break
        share = np.minimum(share, limit)
    cumulative = np.concatenate([[0.0], np.cumsum(share)])
    place = cumulative / cumulative[-1] * n_shares
    if cut_ends:
        raw = np.floor(place + 0.5)
    else:  # half of the outermost values' mass lies outside of the gaps
        raw = np.minimum(np.floor(place + 1e-9), max_bins - 1)
    return np.concatenate([[0], np.cumsum(raw[1:] != raw[:-1])])


def numeric_levels(
    values: NDArray[np.float64], counts: NDArray[np.float64], max_bins: int, scale: Scale
) -> tuple[Levels, NDArray[np.int64]]:
    """Levels for a column of numbers, given its distinct values and their counts.

    Parameters
    ----------
    values, counts : ndarray of shape (n_distinct,)
        Ascending distinct values and their weights.
    max_bins : int
    scale : {"value", "rank"}
        Whether distances are between values or between mid-ranks (as shares of n).

    Returns
    -------
    levels : Levels
    bins : ndarray of shape (n_distinct,), int64
        Level of each distinct value.
    """
    total = counts.sum()
    if scale == "rank":
        points = (np.cumsum(counts) - counts / 2) / total
    else:
        # centre and scale: distance correlation does not mind, and sums of large values lose digits
        centre = np.average(values, weights=counts)
        spread = values[-1] - values[0]
        points = (values - centre) / spread if spread > 0 else np.zeros_like(values)
    bins = assign_bins(points, counts, max_bins, cut_ends=scale == "value")
    starts = np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]]))
    mass = np.add.reduceat(counts, starts)
    first = np.add.reduceat(counts * points, starts)
    # mean |a - b| over all ordered pairs of rows in a bin, from running sums over its sorted values
    running = np.cumsum(counts) - counts
    running_sum = np.cumsum(counts * points) - counts * points
    lag = np.repeat(running[starts], np.diff(np.append(starts, len(values))))
    lag_sum = np.repeat(running_sum[starts], np.diff(np.append(starts, len(values))))
    contribution = counts * (points * (running - lag) - (running_sum - lag_sum))
    within = 2.0 * np.add.reduceat(contribution, starts) / mass**2
    # a bin of a single value is exact: no rounding residue
    within[np.diff(np.append(starts, len(values))) == 1] = 0.0
    within = np.maximum(within, 0.0)
    levels = Levels(
        n_levels=len(starts),
        positions=first / mass,
        within=within,
        resolution=float(np.max(mass * within)),
        edges=values[starts[1:]],
    )
    return levels, bins


def category_levels(counts: NDArray, max_levels: int = MAX_LEVELS) -> Levels:
    """Levels for a column of categories with these counts; the rarest share one level beyond `max_levels`."""
    n = len(counts)
    if n <= max_levels:
        return Levels(n_levels=max(n, 1))
    kept = np.sort(np.argsort(-counts, kind="stable")[: max_levels - 1])
    lookup = np.full(n, max_levels - 1, dtype=np.int32)
    lookup[kept] = np.arange(max_levels - 1, dtype=np.int32)
    return Levels(n_levels=max_levels, n_pooled=n - len(kept), lookup=lookup)


def code_column(store: ColumnStore, j: int, max_bins: int, scale: Scale) -> Coding:
    """Column `j` of `store` as levels; cached in the store."""

    def make() -> Coding:
        column = store.columns[j]
        if column.categories is not None:
            counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
            levels = category_levels(counts)
            return Coding(levels.encode(column.values), levels)
        dense = store.dense_ranks(j)
        order = store.order(j)
        if not len(order):
            return Coding(np.zeros(store.n_rows, dtype=np.int32), Levels(n_levels=1, positions=np.zeros(1)))
        counts = np.bincount(dense[order])
        last = np.cumsum(counts) - 1
        values = store.numbers(j)[order[last]]
        levels, bins = numeric_levels(values, counts.astype(np.float64), max_bins, scale)
        return Coding(np.append(bins + 1, 0).astype(np.int32)[dense], levels)

    return store.cached(("coding", j, max_bins, scale), make)
