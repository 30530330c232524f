"""Mergeable sketches: quantiles (what streams need to know of a column to rank or bin it), and distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray

SIZE = 4096
_EXTREMES = 64


@dataclass(frozen=True, eq=False)
class Summary:
    """Weighted points that stand for a sorted column: `values` ascending, `weights` rows each, `error` in rows.

    The number of rows below any value differs from the column's by at most `error`.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    error: float = 0.0

    def compress(self) -> Summary:
        """At most `SIZE` points; the extremes, and columns of fewer distinct values, stay exact."""
        if len(self.values) <= SIZE:
            return self
        inner = slice(_EXTREMES, len(self.values) - _EXTREMES)
        weights = self.weights[inner]
        step = weights.sum() / (SIZE - 2 * _EXTREMES)
        middle = np.cumsum(weights) - weights / 2
        starts = np.flatnonzero(np.diff(np.floor(middle / step), prepend=-1.0))
        grouped = np.add.reduceat(weights, starts)
        means = np.add.reduceat(weights * self.values[inner], starts) / grouped
        lone = np.diff(np.append(starts, len(weights))) == 1
        means[lone] = self.values[inner][starts[lone]]
        hidden = float(np.max(np.where(lone, 0.0, grouped), initial=0.0))
        head, tail = slice(None, _EXTREMES), slice(len(self.values) - _EXTREMES, None)
        return Summary(
            np.concatenate([self.values[head], means, self.values[tail]]),
            np.concatenate([self.weights[head], grouped, self.weights[tail]]),
            self.error + hidden,
        )

    def ranks(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nodes (points, heights) of the piecewise linear function from a value to its mid-rank as a share of the rows.

        A point that many rows share is a jump, so that values beside it keep their ranks.
        """
        upper = np.cumsum(self.weights)
        jump = self._jumps()
        points = [self.values, np.nextafter(self.values[jump], -np.inf), np.nextafter(self.values[jump], np.inf)]
        heights = [upper - self.weights / 2, (upper - self.weights)[jump], upper[jump]]
        nodes, first = np.unique(np.concatenate(points), return_index=True)
        return nodes, np.concatenate(heights)[first] / max(self.weights.sum(), 1.0)

    def _jumps(self) -> NDArray[np.bool_]:
        return (self.weights > self.error) & (self.error > 0)

    @property
    def rank_error(self) -> float:
        """Largest error of `ranks`, in standard deviations of the ranks; 0 when the summary is exact."""
        if self.error == 0.0:
            return 0.0
        share = self.weights / self.weights.sum()
        between = np.max(np.where(self._jumps(), 0.0, share), initial=0.0) / 2
        deviation = np.sqrt(max(1.0 - np.sum(share**3), 0.0) / 12.0)
        return float((self.error / self.weights.sum() + between) / deviation)

    @staticmethod
    def join(a: Summary, b: Summary) -> Summary:
        """The summary of both columns' rows; equal values share one point."""
        values = np.concatenate([a.values, b.values])
        if not len(values):
            return a
        order = np.argsort(values, kind="stable")
        values, weights = values[order], np.concatenate([a.weights, b.weights])[order]
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        return Summary(values[starts], np.add.reduceat(weights, starts), a.error + b.error)


class QuantileSketch:
    """Quantile summaries of columns, in constant memory, for any number of rows.

    Summaries are merged in pairs of equal size (as in a binary counter), so that the error in rank grows with the
    logarithm of the number of blocks: each level adds at most about 1/4000 of the rows below it.

    Parameters
    ----------
    n_columns : int

    References
    ----------
    Manku, Rajagopalan and Lindsay (1998), Approximate medians and other quantiles in one pass and with limited memory,
    SIGMOD.

    Examples
    --------
    >>> sketch = QuantileSketch(1).update(np.arange(10.0)[:, None]).update(np.arange(10.0)[:, None])
    >>> sketch.result()[0].weights
    array([2., 2., 2., 2., 2., 2., 2., 2., 2., 2.])
    """

    def __init__(self, n_columns: int) -> None:
        self.n_columns = n_columns
        self._levels: dict[int, list[Summary]] = {}

    def update(self, block: NDArray[np.float64]) -> Self:
        """Add rows, shape (n_rows, n_columns); NaN is left out."""
        summaries = []
        for column in np.asfortranarray(block).T:
            values = np.sort(column)  # NaN sorts last
            values = values[: len(values) - int(np.count_nonzero(np.isnan(values)))]
            if not len(values):
                summaries.append(Summary(values, values))
                continue
            starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
            weights = np.diff(np.append(starts, len(values))).astype(np.float64)
            summaries.append(Summary(values[starts], weights).compress())
        self._carry(0, summaries)
        return self

    def merge(self, other: Self) -> Self:
        """Add another sketch over the same columns."""
        for level, summaries in sorted(other._levels.items()):
            self._carry(level, summaries)
        return self

    def _carry(self, level: int, summaries: list[Summary]) -> None:
        while level in self._levels:
            waiting = self._levels.pop(level)
            summaries = [Summary.join(a, b).compress() for a, b in zip(waiting, summaries)]
            level += 1
        self._levels[level] = summaries

    def result(self) -> list[Summary]:
        """One summary for each column (all levels joined, not compressed again)."""
        empty = np.zeros(0)
        out = [Summary(empty, empty) for _ in range(self.n_columns)]
        for _, summaries in sorted(self._levels.items()):
            out = [Summary.join(a, b) for a, b in zip(out, summaries)]
        return out


class DistinctSketch:
    """How many distinct values a column has, from the smallest of their hashes; exact up to `size`.

    Beyond, the relative standard error is about ``1 / sqrt(size)``.

    Parameters
    ----------
    size : int, default=1024
        Hashes that are kept.

    References
    ----------
    Bar-Yossef, Jayram, Kumar, Sivakumar and Trevisan (2002), Counting Distinct Elements in a Data Stream, RANDOM.

    Examples
    --------
    >>> sketch = DistinctSketch().update(np.arange(1000.0)).update(np.arange(500.0))
    >>> sketch.result()
    1000.0
    """

    def __init__(self, size: int = 1024) -> None:
        self.size = size
        self._smallest = np.zeros(0, dtype=np.uint64)

    def update(self, values: NDArray) -> Self:
        """Add values: numbers, or text (an array of strings)."""
        return self._keep(_hashes(np.asarray(values)))

    def merge(self, other: Self) -> Self:
        """Add what another sketch has seen."""
        return self._keep(other._smallest)

    def _keep(self, hashes: NDArray[np.uint64]) -> Self:
        self._smallest = np.unique(np.concatenate([self._smallest, hashes]))[: self.size + 1]
        return self

    def result(self) -> float:
        """The (estimated) number of distinct values."""
        n = len(self._smallest)
        return float(n) if n <= self.size else (n - 1) / (float(self._smallest[-1]) / 2.0**64)


def _hashes(values: NDArray) -> NDArray[np.uint64]:
    """A 64-bit hash of each value, the same in every process."""
    if values.dtype.kind in "OUS":
        digests = [blake2b(str(v).encode(), digest_size=8).digest() for v in values]
        return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # + 0.0: one zero
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
