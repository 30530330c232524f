"""The matrix engine's linear half: pairwise-complete moments of all pairs as matrix products.

With Z the columns (missing = 0) and W the 0/1 masks of what is present, ``Z'Z``, ``Z'W``, ``(Z*Z)'W`` and ``W'W`` hold
every sum that the covariance of every pair needs over the rows where both are present. They are sums over rows, so the
same state is the in-memory kernel, the out-of-core one and the distributed one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._coding import Scale
from covey.measure._measure import PairStatistics
from covey.measure._null import correlation_pvalue
from covey.measure._store import ColumnStore

BLOCK_ROWS = 8192
FEW = 8  # pairs that are fewer than all by this factor are done one by one


class MomentState:
    """Pairwise-complete first and second moments of columns, mergeable.

    Parameters
    ----------
    shift, scale : ndarray of shape (n_columns,)
        Subtracted from and divided out of every row first; any value inside a column's range keeps precision, also for
        columns with a huge mean. States can be merged only when these are equal.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, np.nan], [4.0, 8.0]])
    >>> MomentState(np.zeros(2), np.ones(2)).update(x).correlation()[0, 1]
    np.float64(1.0)
    """

    def __init__(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        m = len(shift)
        self.shift, self.scale = shift, scale
        self.n = np.zeros((m, m))
        self.sums = np.zeros((m, m))
        self.squares = np.zeros((m, m))
        self.products = np.zeros((m, m))

    def update(self, block: NDArray[np.float64]) -> Self:
        """Add the rows of `block`, shape (n_rows, n_columns), NaN for missing."""
        for start in range(0, len(block), BLOCK_ROWS):
            self._add(block[start : start + BLOCK_ROWS])
        return self

    def _add(self, rows: NDArray[np.float64]) -> None:
        z = (rows - self.shift) / self.scale
        absent = np.isnan(z)
        z[absent] = 0.0
        self.products += z.T @ z
        # sums over the rows where the other column is present: all rows, less those where it is absent
        square = z * z
        lost, lost_square, n_lost = _sums_where(absent, z, square)
        self.sums += z.sum(axis=0)[:, None] - lost.T
        self.squares += square.sum(axis=0)[:, None] - lost_square.T
        gone = np.diag(n_lost)
        self.n += len(z) - gone[:, None] - gone[None, :] + n_lost

    def merge(self, other: Self) -> Self:
        """Add another state over the same columns."""
        if not (np.array_equal(self.shift, other.shift) and np.array_equal(self.scale, other.scale)):
            raise ValueError("states with different shift or scale cannot be merged")
        for name in ("n", "sums", "squares", "products"):
            getattr(self, name)[...] += getattr(other, name)
        return self

    def _variance(self) -> NDArray[np.float64]:
        """Sum of squared deviations of each row's column over the rows where the other column is present too."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.squares - self.sums**2 / self.n

    def correlation(self) -> NDArray[np.float64]:
        """Pairwise-complete correlation of every pair; NaN where a column is constant on the common rows."""
        variance = self._variance()
        # rounding leaves a constant column about 1e-16 of its mean square
        variance[variance <= 1e-13 * self.squares] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            covariance = self.products - self.sums * self.sums.T / self.n
            return np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0)

    def cancelled(self) -> NDArray[np.bool_]:
        """Mask of the pairs that lost digits, as the common rows of one column are far from its `shift`."""
        lost = self._variance() <= 1e-6 * self.squares
        return lost | lost.T

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(correlation, n), both of shape (n_columns, n_columns)."""
        return self.correlation(), np.rint(self.n).astype(np.int64)


def _sums_where(
    mask: NDArray[np.bool_], values: NDArray[np.float64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums of `values` and `squares` over the rows where each column of `mask` holds, and the counts ``mask' mask``.

    All of shape (n_columns, n_columns). Few cells are added one by one, many by dense products.
    """
    m = mask.shape[1]
    share = np.count_nonzero(mask) / max(mask.size, 1)
    if share > 0.25:
        weights = mask.astype(np.float64)
        return weights.T @ values, weights.T @ squares, weights.T @ weights
    sums, sums_square, counts = np.zeros((m, m)), np.zeros((m, m)), np.zeros((m, m))
    if share > 0.0:
        from covey.measure._kernels import add_where

        add_where(mask, values, sums, sums_square, counts)
    return sums, sums_square, counts


@dataclass(frozen=True)
class ProductKernel:
    """A measure that is the correlation of one number a column: its value, or its rank.

    Parameters
    ----------
    scale : {"value", "rank"}
    """

    scale: Scale

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        used, position = np.unique(np.concatenate([left, right]), return_inverse=True)
        view = store.numbers if self.scale == "value" else store.ranks
        columns = engine.map(lambda j: view(int(j)), list(used))
        if FEW * len(left) <= len(used) ** 2:
            pair = position[: len(left)], position[len(left) :]
            return _statistics(*_pair_by_pair(columns, *pair, engine), pvalues)
        state = partial(MomentState, *centre_and_scale(np.column_stack([spread_rows(c[:, None]) for c in columns])))

        def fold(start: int) -> MomentState:
            return state().update(np.stack([c[start : start + BLOCK_ROWS] for c in columns], axis=1))

        moments = reduce(MomentState.merge, engine.map(fold, range(0, store.n_rows, BLOCK_ROWS)), state())
        r, n = moments.result()
        left, right = position[: len(left)], position[len(left) :]
        again = np.flatnonzero(moments.cancelled()[left, right])
        r[left[again], right[again]] = engine.map(lambda k: _two_pass(columns[left[k]], columns[right[k]]), list(again))
        return correlation_statistics(r, n, left, right, pvalues)


def _pair_by_pair(
    columns: list[NDArray[np.float64]], left: NDArray[np.intp], right: NDArray[np.intp], engine: Engine
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Correlation and number of rows of some pairs of columns, without the product of all with all."""
    from covey.measure._kernels import correlate_pairs

    values = np.stack(columns)
    widest = np.fmax.reduce(np.abs(values), axis=1, initial=0.0)
    np.ldexp(values, -np.frexp(widest)[1][:, None], out=values)  # by a power of 2: exact, and no square overflows
    tasks = np.array_split(np.arange(len(left)), max(1, min(len(left) // 64, 4 * engine.n_workers)))
    parts = engine.map(lambda some: correlate_pairs(values, left[some], right[some]), tasks)
    return np.concatenate([r for r, _ in parts]), np.concatenate([n for _, n in parts])


def _two_pass(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from covey.measure.pearson import pearson

    both = ~(np.isnan(x) | np.isnan(y))
    return pearson(x[both], y[both])


def spread_rows(values: NDArray[np.float64], most: int = 8192) -> NDArray[np.float64]:
    """Rows spread evenly over columns, at most about twice `most`: enough to centre and scale by.

    A column that is all missing on these rows gives its present values instead.
    """
    sample = values[:: max(1, len(values) // most)].copy()
    for k in np.flatnonzero(np.isnan(sample).all(axis=0)):
        present = values[~np.isnan(values[:, k]), k]
        if len(present):
            sample[:, k] = np.resize(present, len(sample))
    return sample


def centre_and_scale(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column's present rows; 0 and 1 where there is nothing to scale by."""
    present = ~np.isnan(values)
    n = np.maximum(present.sum(axis=0), 1)
    mean = (np.where(present, values, 0.0) / n).sum(axis=0)
    deviation = np.where(present, values - mean, 0.0)
    widest = np.abs(deviation).max(axis=0, initial=0.0)
    widest[widest == 0.0] = 1.0  # squares of what is left neither overflow nor vanish
    spread = widest * np.sqrt(((deviation / widest) ** 2).sum(axis=0) / n)
    return mean, np.where(spread > 0, spread, 1.0)


def correlation_statistics(
    r: NDArray[np.float64],
    n: NDArray[np.int64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    pvalues: bool,
) -> PairStatistics:
    """Statistics of the asked pairs from the matrices of correlations and row counts."""
    return _statistics(r[left, right], n[left, right], pvalues)


def _statistics(value: NDArray[np.float64], rows: NDArray[np.int64], pvalues: bool) -> PairStatistics:
    return PairStatistics(value, rows, correlation_pvalue(value, rows) if pvalues else None)
