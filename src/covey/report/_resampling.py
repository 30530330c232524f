"""A bootstrap that costs a matrix product: rows are dealt into groups, and groups are drawn with replacement.

Every statistic of the report is a function of sums over rows (a joint table, or moments). With the sums of each group
at hand, a bootstrap draw is a weighted sum over groups, for all draws at once. With as many groups as rows it is the
ordinary bootstrap; with rows dealt at random into fewer groups it estimates the same spread from the variance between
groups, whose own relative error is about ``sqrt(2 / n_groups)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_GROUPS = 256
N_DRAWS = 200
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Resampling:
    """The group of each row, shape (n_rows,), and how often each draw takes each group, shape (n_draws, n_groups)."""

    group: NDArray[np.intp]
    weights: NDArray[np.float64]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self.weights.shape[1]

    def tables(self, x: NDArray[np.integer], y: NDArray[np.integer], shape: tuple[int, int]) -> NDArray[np.float64]:
        """Bootstrap draws of the joint table of two coded columns.

        Parameters
        ----------
        x, y : ndarray of shape (n_rows,), integer
            Level + 1 of each row, 0 for missing.
        shape : (int, int)
            Number of levels of each side.

        Returns
        -------
        ndarray of shape (n_draws, *shape)
        """
        cell = x.astype(np.intp) * (shape[1] + 1) + y
        n_cells = (shape[0] + 1) * (shape[1] + 1)
        counts = np.bincount(self.group * n_cells + cell, minlength=self.n_groups * n_cells)
        drawn = self.weights @ counts.reshape(self.n_groups, n_cells).astype(np.float64)
        return np.ascontiguousarray(drawn.reshape(-1, shape[0] + 1, shape[1] + 1)[:, 1:, 1:])

    def correlations(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bootstrap draws of the Pearson correlation of two columns (NaN is missing), shape (n_draws,)."""
        both = ~(np.isnan(x) | np.isnan(y))
        a, b = (np.where(both, _standardised(c, both), 0.0) for c in (x, y))
        sums = np.stack(
            [
                np.bincount(self.group, weights=column, minlength=self.n_groups)
                for column in (both.astype(float), a, b, a * a, b * b, a * b)
            ],
            axis=1,
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            n, sa, sb, saa, sbb, sab = (self.weights @ sums).T
            return (sab - sa * sb / n) / np.sqrt((saa - sa**2 / n) * (sbb - sb**2 / n))


def resampling(n_rows: int, random_state: int, n_groups: int = N_GROUPS, n_draws: int = N_DRAWS) -> Resampling:
    """Deal rows into groups of equal size and draw groups.

    Examples
    --------
    >>> drawn = resampling(1000, random_state=0)
    >>> drawn.weights.shape, int(drawn.weights[0].sum())
    ((200, 256), 256)
    """
    rng = np.random.default_rng(random_state)
    n_groups = min(n_groups, n_rows)
    group = rng.permutation(n_rows) % n_groups
    weights = rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=n_draws)
    return Resampling(group, weights.astype(np.float64))


def interval(value: float, draws: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Percentile interval of bootstrap draws, moved so that its median is the estimate, within the measure's range.

    Statistics of dependence are larger in resampled rows than in the rows themselves; the move takes that out.

    Examples
    --------
    >>> interval(0.5, np.linspace(0.6, 0.8, 201), 0.0, 1.0)
    (0.405, 0.595)
    """
    draws = draws[np.isfinite(draws)]  # resampled rows can all be equal
    if not len(draws) or np.isnan(value):
        return float("nan"), float("nan")
    tail = (1.0 - LEVEL) / 2.0
    ends = np.quantile(draws, [tail, 0.5, 1.0 - tail])
    lower, upper = np.clip(value + ends[[0, 2]] - ends[1], low, high)
    return round(float(min(lower, value)), 12), round(float(max(upper, value)), 12)


def _standardised(values: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    chosen = values[rows]
    if not len(chosen):
        return values
    spread = chosen.std()
    return (values - chosen.mean()) / (spread if spread > 0 else 1.0)
