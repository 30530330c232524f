"""The matrix engine's discrete half: one joint table of levels for every pair of columns.

The joint table of two coded columns is the product of their one-hot matrices, computed by counting: the cost is
one increment a row and pair, whatever the number of levels, where a dense product would pay for every pair of
levels. Every measure that is a function of the joint table (distance correlation, HSIC, Cramer's V, mutual
information, Theil's U, ...) is then a short vectorised `reduce` over a batch of tables. Tables are sums over
rows, so the same code serves memory, row blocks and workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._coding import Coding, Levels, Scale, code_column
from covey.measure._measure import PairStatistics
from covey.measure._store import ColumnStore

_BATCH_CELLS = 1 << 17  # cells of a batch of tables: 1 MB of float64, so that a reduction stays in cache


@cache
def counter() -> Callable[..., None]:
    """The numba kernel, compiled on first use so that importing covey does not import numba."""
    from covey.measure._kernels import count_tables

    return count_tables


@dataclass(frozen=True, eq=False)
class Side:
    """The levels of one side of a batch of pairs, padded to a common number of levels.

    Parameters
    ----------
    nominal : bool
        True when the levels have no positions (categories); the same for the whole batch.
    positions, within : ndarray of shape (n_pairs, n_levels)
        See `Levels`; padding repeats the last position.
    resolution : ndarray of shape (n_pairs,)
        See `Levels`.
    """

    nominal: bool
    positions: NDArray[np.float64]
    within: NDArray[np.float64]
    resolution: NDArray[np.float64]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Distance from each level to the next, shape (n_pairs, n_levels - 1)."""
        return np.diff(self.positions, axis=1)


Reduce = Callable[[NDArray[np.float64], Side, Side, bool], PairStatistics]


def padded_size(n_levels: int) -> int:
    """Number of levels that a table is padded to, so that few distinct shapes occur."""
    size = 2
    while size < n_levels:
        size = size * 3 // 2 if size & (size - 1) == 0 else (size // 3) * 4
    return size


def _side(levels: Sequence[Levels], nominal: bool, size: int) -> Side:
    positions = np.zeros((len(levels), size))
    within = np.zeros((len(levels), size))
    if not nominal:
        for row, level in enumerate(levels):
            assert level.positions is not None
            positions[row, : level.n_levels] = level.positions
            positions[row, level.n_levels :] = level.positions[-1]
            if level.within is not None:
                within[row, : level.n_levels] = level.within
    return Side(nominal, positions, within, np.array([level.resolution for level in levels]))


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs whose tables have one padded shape and whose sides are of the same kinds.

    `members` are positions in the list of pairs; `shape` the levels of a table; `nominal` tells which sides hold
    categories.
    """

    members: NDArray[np.intp]
    shape: tuple[int, int]
    nominal: tuple[bool, bool]


def batches(levels: Sequence[Levels], left: NDArray[np.intp], right: NDArray[np.intp]) -> list[Batch]:
    """Split the pairs ``(left[k], right[k])`` of coded columns into batches that fit the cache."""
    size = np.array([padded_size(level.n_levels) for level in levels])
    nominal = np.array([level.positions is None for level in levels])
    key = np.stack([size[left], size[right], nominal[left], nominal[right]], axis=1)
    kinds, which = np.unique(key, axis=0, return_inverse=True)
    out = []
    for k, (size_x, size_y, nominal_x, nominal_y) in enumerate(kinds):
        members = np.flatnonzero(which.ravel() == k)
        step = max(1, _BATCH_CELLS // int((size_x + 1) * (size_y + 1)))
        out += [
            Batch(members[s : s + step], (int(size_x), int(size_y)), (bool(nominal_x), bool(nominal_y)))
            for s in range(0, len(members), step)
        ]
    return out


def stack_codes(codings: Sequence[Coding]) -> NDArray[np.signedinteger]:
    """Codes of all columns as one array of shape (n_columns, n_rows), as small as the levels allow."""
    dtype: type = np.int16 if max(c.levels.n_levels for c in codings) < 2**15 - 1 else np.int32
    return np.stack([c.codes for c in codings]).astype(dtype)


def joint_tables(
    codes: NDArray, left: NDArray[np.intp], right: NDArray[np.intp], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Joint tables of pairs of coded columns.

    Parameters
    ----------
    codes : ndarray of shape (n_columns, n_rows), integer, C order
        Level + 1 of each row; 0 for missing.
    left, right : ndarray of shape (n_pairs,)
        Columns of each pair.
    shape : (int, int)
        Number of levels of the left and the right side (at least the largest that occurs).

    Returns
    -------
    ndarray of shape (n_pairs, *shape), float64
        Number of rows at each pair of levels, rows with a missing side left out.

    Examples
    --------
    >>> codes = np.array([[1, 2, 2, 0], [1, 1, 2, 2]], dtype=np.int16)
    >>> joint_tables(codes, np.array([0]), np.array([1]), (2, 2))[0]
    array([[1., 0.],
           [1., 1.]])
    """
    counts = np.zeros((len(left), shape[0] + 1, shape[1] + 1), dtype=np.uint32)
    counter()(codes, left, right, counts)
    return counts[:, 1:, 1:].astype(np.float64)


@dataclass(frozen=True, eq=False)
class TableKernel:
    """A measure that is a function of the joint table of two coded columns.

    Parameters
    ----------
    reduce : callable (tables, left, right, pvalues) -> PairStatistics
        Vectorised over a batch: `tables` has shape (n_pairs, n_levels_left, n_levels_right) and holds counts.
    max_bins : callable (n_rows) -> int
        Most bins of a column of numbers.
    scale : {"value", "rank"}
        Where distances between numbers are taken.
    """

    reduce: Reduce
    max_bins: Callable[[int], int]
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
        bins = self.max_bins(store.n_rows)
        codings = engine.map(lambda j: code_column(store, int(j), bins, self.scale), list(used))
        left, right = position[: len(left)], position[len(left) :]
        codes = stack_codes(codings)
        levels = [c.levels for c in codings]

        def run(batch: Batch) -> PairStatistics:
            i, j = left[batch.members], right[batch.members]
            tables = joint_tables(codes, i, j, batch.shape)
            return self.reduce_batch(tables, levels, i, j, batch.nominal, pvalues)

        plan = batches(levels, left, right)
        return collect([batch.members for batch in plan], engine.map(run, plan), len(left))

    def reduce_batch(
        self,
        tables: NDArray[np.float64],
        levels: Sequence[Levels],
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        nominal: tuple[bool, bool],
        pvalues: bool,
    ) -> PairStatistics:
        """Apply `reduce` to one batch of tables of equal shape."""
        _, size_x, size_y = tables.shape
        x = _side([levels[i] for i in left], nominal[0], size_x)
        y = _side([levels[j] for j in right], nominal[1], size_y)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.reduce(tables, x, y, pvalues)


def collect(members: Sequence[NDArray[np.intp]], parts: Sequence[PairStatistics], n_pairs: int) -> PairStatistics:
    """Put the statistics of batches back into the order of the pairs."""

    def gather(name: str, dtype: type, fill: float) -> Any:
        if not parts or getattr(parts[0], name) is None:
            return None
        out: NDArray = np.full(n_pairs, fill, dtype=dtype)
        for member, part in zip(members, parts):
            out[member] = getattr(part, name)
        return out

    values = gather("values", np.float64, np.nan)
    return PairStatistics(
        values=np.full(n_pairs, np.nan) if values is None else values,
        n=np.zeros(n_pairs, dtype=np.int64) if not parts else gather("n", np.int64, 0),
        pvalues=gather("pvalues", np.float64, np.nan),
        sign=gather("sign", np.int8, 0),
        error_bound=gather("error_bound", np.float64, np.nan),
    )
