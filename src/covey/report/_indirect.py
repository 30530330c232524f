"""Correlations that go through other columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.report._model import Indirect

LEAST_MARGINAL, MOST_PARTIAL = 0.3, 0.1
ROWS_A_COLUMN = 10
NEAR_COPY = 0.95
ALPHA = 0.01


def indirect_links(
    pearson: AssociationMatrix, partial: AssociationMatrix, skipped: Collection[str] = ()
) -> tuple[Indirect, ...]:
    """Pairs of numbers that correlate (0.3 or more, q at most 0.01) but not with all other numbers held fixed.

    Fixed, less than 0.1 and a quarter of the correlation is left. Without at least ten rows a column there are none:
    partial correlations are too rough then.

    Parameters
    ----------
    pearson, partial : AssociationMatrix
        Over the same features.
    skipped : collection of str
        Columns to leave out. Left out as well are those that correlate with another beyond 0.95: of near copies, each
        goes "through" the other.

    Returns
    -------
    tuple of Indirect
        Strongest correlations first.

    References
    ----------
    Baba, Shibata and Sibuya (2004), Partial correlation and conditional correlation as measures of conditional
    independence, Aust. N. Z. J. Stat. 46.
    """
    used = np.array([k for k, name in enumerate(pearson.rows) if np.isfinite(pearson.values[k, k])], dtype=np.intp)
    if len(used) < 3:
        return ()
    grid = np.ix_(used, used)
    r, rest, q = pearson.values[grid], partial.values[grid], pearson.qvalues()[grid]
    with np.errstate(invalid="ignore"):
        through = (
            (np.abs(r) >= LEAST_MARGINAL) & (np.abs(rest) < np.minimum(MOST_PARTIAL, np.abs(r) / 4)) & (q <= ALPHA)
        )
    through &= pearson.n[grid] >= ROWS_A_COLUMN * len(used)
    names = [pearson.rows[k] for k in used]
    copied = (np.abs(np.nan_to_num(r)) - np.eye(len(r)) > NEAR_COPY).any(axis=1)
    left_out = copied | np.array([name in skipped for name in names])
    through[left_out] = through[:, left_out] = False
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(through, 1))]
    pairs.sort(key=lambda pair: -abs(r[pair]))
    return tuple(
        Indirect(names[i], names[j], float(r[i, j]), float(rest[i, j]), tuple(names[k] for k in _mediator(r, i, j)))
        for i, j in pairs
    )


def _mediator(r: NDArray[np.float64], i: int, j: int) -> list[int]:
    """The one column that, held fixed alone, leaves the least of a correlation; empty where that is 0.1 or more."""
    others = np.array([k for k in range(len(r)) if k not in (i, j)])
    a, b = r[i, others], r[j, others]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.abs(r[i, j] - a * b) / np.sqrt((1.0 - a**2) * (1.0 - b**2))
    left = np.where(np.isfinite(left), left, np.inf)
    best = int(np.argmin(left))
    return [int(others[best])] if left[best] < MOST_PARTIAL else []
