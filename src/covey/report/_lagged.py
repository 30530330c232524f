"""Columns that go before others along the rows of a table in order of time."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np

from covey.measure._null import false_discovery
from covey.measure.lagged import LaggedCorrelation, lagged_correlation
from covey.report._material import Material
from covey.report._model import Lagged

LEAST_ROWS, MOST_ROWS = 50, 100_000
MOST_COLUMNS = 80
LEAST_VALUE, LEAST_GAIN = 0.2, 0.1
ALPHA = 0.01
LEAST_RESEMBLING = 0.3


def are_in_order(material: Material, sorted_by: Collection[str], resembling: Collection[str]) -> bool:
    """Whether rows stand in an order that means something: sorted by a date, or a third of the columns drift slowly."""
    by_date = any(material.column(name).kind == "datetime" for name in sorted_by)
    return by_date or len(resembling) >= max(1.0, LEAST_RESEMBLING * len(material.features))


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
