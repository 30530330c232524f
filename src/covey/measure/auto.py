"""`auto`: one comparable strength for every pair of kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._measure import NUMBERS, Measure, PairStatistics, any_pair, register
from covey.measure._store import ColumnStore
from covey.measure._tables import Side, TableKernel
from covey.measure.distance import (
    corrected_ratio,
    distance_correlation_corrected,
    distance_moments,
    independence_pvalue,
    max_bins,
)
from covey.table import Column


def auto(x: NDArray, y: NDArray) -> float:
    """Strength of association of any two columns, by the definition.

    The square root of the bias-corrected squared distance correlation (0 where that is negative), with numbers
    replaced by their mid-ranks.

    Why this one: it is a single statistic for numbers, dates, booleans and categories alike, so strengths of
    different kinds of pair can be ranked together, where mixing Pearson, Cramer's V and the correlation ratio
    cannot; it is 0 only under independence, so it sees relations that are not monotone; it equals the absolute phi
    coefficient for two booleans and is close to the absolute Spearman correlation for monotone relations of numbers;
    ranks make it blind to units, outliers and monotone transformations; the correction removes what many levels or
    few rows would fake; and it comes with a sound test at the cost of one joint table.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Floats are numbers; integers are codes of categories.

    Returns
    -------
    float
        In 0..1; NaN when n < 4, or when a column is constant, but for one row at most, or a category on each row.

    References
    ----------
    Szekely and Rizzo (2013), The distance correlation t-test of independence in high dimension, J. Multivar. Anal. 117.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(auto(x, np.exp(x)), 3), round(auto(x, x**2), 2)
    (1.0, 0.48)
    """
    ranked = [_mid_ranks(c) if np.issubdtype(c.dtype, np.floating) else c for c in (x, y)]
    return float(np.sqrt(np.maximum(distance_correlation_corrected(*ranked), 0.0)))


def _mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[which]


def _reduce(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    moments = distance_moments(tables, x, y)
    ratio = corrected_ratio(moments)
    value = np.sqrt(np.maximum(ratio, 0.0))  # NaN stays NaN
    p = independence_pvalue(ratio, moments.n) if pvalues else None
    return PairStatistics(value, moments.n.astype(np.int64), p)


def direction(rho: PairStatistics, strength: NDArray[np.float64]) -> NDArray[np.int8]:
    """Sign of a rank correlation where it is significant and a fair part of the strength, else 0."""
    assert rho.pvalues is not None
    with np.errstate(invalid="ignore"):
        clear = (rho.pvalues < 0.05) & (np.abs(rho.values) > 0.3 * strength)
    return np.where(clear, np.sign(rho.values), 0).astype(np.int8)


def with_sign(
    stats: PairStatistics,
    columns: Sequence[Column],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    rank_correlation: Callable[[NDArray[np.intp], NDArray[np.intp]], PairStatistics],
) -> PairStatistics:
    """Add the `direction` of each pair of `columns` that both have an order."""
    ordered = np.array([column.kind in NUMBERS for column in columns])
    both = np.flatnonzero(ordered[left] & ordered[right])
    sign = np.zeros(len(left), dtype=np.int8)
    if len(both):
        sign[both] = direction(rank_correlation(left[both], right[both]), stats.values[both])
    return replace(stats, sign=sign)


class AutoKernel(TableKernel):
    """The table kernel of `auto`, with the sign of the rank correlation where both columns have an order."""

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        from covey.measure.rank import SPEARMAN

        stats = super().__call__(store, left, right, engine, pvalues)
        return with_sign(stats, store.columns, left, right, lambda i, j: SPEARMAN(store, i, j, engine, True))


register(
    Measure(
        "auto",
        "one comparable strength (0..1) for every pair of kinds, with a sign where one makes sense",
        auto,
        AutoKernel(_reduce, max_bins, "rank"),
        any_pair,
    )
)
