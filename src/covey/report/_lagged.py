"""Columns that go before others along the rows of a table in order of time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.measure._null import correlation_pvalue, false_discovery
from covey.measure.lagged import LaggedCorrelation, lagged_correlation
from covey.report._material import Material
from covey.report._model import Lagged
from covey.table import Column, FeatureTable

LEAST_ROWS, MOST_ROWS = 50, 100_000
MOST_COLUMNS = 80
MOST_VALUES = 8_000_000  # whose persistence is measured at once
LEAST_VALUE, LEAST_GAIN = 0.2, 0.1
ALPHA = 0.01
LEAST_RESEMBLING = 0.3


def are_in_order(material: Material, sorted_by: Collection[str], resembling: Collection[str]) -> bool:
    """Whether rows stand in an order that means something: sorted by a date, or a third of the columns drift slowly."""
    by_date = any(material.column(name).kind == "datetime" for name in sorted_by)
    return by_date or len(resembling) >= max(1.0, LEAST_RESEMBLING * len(material.features))


def effective_rows(material: Material) -> NDArray[np.float64]:
    """How many independent rows a correlation of two features rests on, where rows are in order of time.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        By Bartlett's formula (see `lagged_correlation`) from the first rows, at most 100,000; infinite where a feature
        holds neither numbers nor dates.
    """
    names = [name for name in material.features if material.column(name).kind in ("numeric", "datetime")]
    out = np.full((len(material.features),) * 2, np.inf)
    if len(names) >= 2 and material.source.n_rows >= LEAST_ROWS:
        most = min(MOST_ROWS, max(MOST_VALUES // len(names), LEAST_ROWS))
        columns = [material.source.column(name).values[:most] for name in names]
        series = FeatureTable.from_columns([Column(name, "numeric", x) for name, x in zip(names, columns)])
        place = [material.place[name] for name in names]
        found = lagged_correlation(series, max_lag=0, engine=material.engine)
        out[np.ix_(place, place)] = found.n_effective / np.maximum(found.n, 1) * material.source.n_rows
    return out


def with_effective_rows(matrix: AssociationMatrix, effective: NDArray[np.float64]) -> AssociationMatrix:
    """A matrix of correlations with no more rows than are independent, and the p-values that go with them."""
    n = np.minimum(matrix.n, effective).astype(np.int64)
    pvalues = np.where(np.isnan(matrix.values), np.nan, correlation_pvalue(matrix.values, n))
    np.fill_diagonal(pvalues, np.nan)
    return replace(matrix, n=n, pvalues=pvalues)


def lagged_links(material: Material, skipped: Collection[str] = ()) -> tuple[Lagged, ...]:
    """Pairs of numbers that correlate more with rows between them than in the same row, the strongest first.

    The correlation, lines along the rows taken away, is at least 0.2 and at least 0.1 above that in the same row; its
    q-value (Benjamini-Hochberg over the pairs, each corrected for its lags and for autocorrelation) is at most 0.01.
    The steps from row to row must agree: same sign, nearly the same lag, p at most 0.05. Two random walks correlate at
    some lag by chance.

    Looked at are the first 100,000 rows of the source and the first 80 columns of numbers.

    Parameters
    ----------
    material : Material
        Its source's rows are in order, evenly spaced.
    skipped : collection of str
        Columns to leave out, such as those that rows are sorted by.
    """
    names = [n for n in material.features if material.column(n).kind == "numeric" and n not in skipped][:MOST_COLUMNS]
    table = material.source
    if len(names) < 2 or table.n_rows < LEAST_ROWS:
        return ()
    series = table.select(names).take(slice(0, MOST_ROWS))
    levels = lagged_correlation(series, trend="linear", engine=material.engine)
    steps = lagged_correlation(series, len(levels.values) - 1, trend="difference", engine=material.engine)
    q = false_discovery(levels.pvalues[np.triu_indices(len(names), 1)])
    pairs = zip(combinations(range(len(names)), 2), q)
    found = [_pair(levels, a, b) for (a, b), risk in pairs if risk <= ALPHA and _leads(levels, steps, a, b)]
    return tuple(sorted(found, key=lambda pair: -abs(pair.value)))


def _leads(levels: LaggedCorrelation, steps: LaggedCorrelation, a: int, b: int) -> bool:
    value, lag = levels.correlation[a, b], levels.best_lag[a, b]
    if lag == 0 or abs(value) < max(LEAST_VALUE, abs(levels.values[0, a, b]) + LEAST_GAIN):
        return False
    near = abs(steps.best_lag[a, b] - lag) <= 1
    return bool(near and steps.correlation[a, b] * value > 0 and steps.pvalues[a, b] <= 0.05)


def _pair(levels: LaggedCorrelation, a: int, b: int) -> Lagged:
    leader, follower = (a, b) if levels.best_lag[a, b] > 0 else (b, a)
    names = levels.names[leader], levels.names[follower]
    return Lagged(
        *names,
        lag=int(abs(levels.best_lag[a, b])),
        value=float(levels.correlation[a, b]),
        at_zero=float(levels.values[0, a, b]),
        pvalue=float(levels.pvalues[a, b]),
        values=tuple(levels.profile(*names)[1].tolist()),
    )
