"""The driver of pair kernels: measures that are no sum over rows, computed pair by pair on presorted columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._measure import PairStatistics
from covey.measure._store import ColumnStore

_TASKS_A_WORKER = 8


@dataclass(frozen=True, eq=False)
class SortedColumns:
    """Columns sorted once, as arrays that numba kernels walk; shapes (n_columns, n_rows).

    Parameters
    ----------
    values : ndarray, float64
        Centred on the median and scaled to -1..1; NaN for missing. Of shape (n_columns, 0) if not asked for.
    order : ndarray, int32
        Rows in ascending order of the column; only the first `n_present` entries of a row count.
    runs : ndarray, int32
        Which distinct value (0, 1, ...) stands at each place of `order`.
    present : ndarray, uint8
        1 where a row is present.
    n_present : ndarray of shape (n_columns,), int64
    """

    values: NDArray[np.float64]
    order: NDArray[np.int32]
    runs: NDArray[np.int32]
    present: NDArray[np.uint8]
    n_present: NDArray[np.int64]

    @classmethod
    def of(cls, store: ColumnStore, used: Sequence[int], engine: Engine, with_values: bool) -> SortedColumns:
        """The columns of `store` at the positions `used`."""
        parts = engine.map(partial(_sorted_column, store, with_values), used)
        values, order, runs, present = (np.stack(part) for part in zip(*parts))
        return cls(values, order, runs, present, present.sum(axis=1, dtype=np.int64))


def _sorted_column(store: ColumnStore, with_values: bool, j: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Values, order, runs and presence of column `j`, as `SortedColumns` holds them."""
    order = store.order(j)
    padding = (0, store.n_rows - len(order))
    values = _scaled(store.numbers(j), order) if with_values else np.empty(0)
    runs = store.dense_ranks(j)[order]
    return values, np.pad(order, padding), np.pad(runs, padding), store.present(j).astype(np.uint8)


def _scaled(values: NDArray[np.float64], order: NDArray[np.int32]) -> NDArray[np.float64]:
    """Values less their median, over the largest of what is left: sums of products then lose no digits."""
    if not len(order):
        return values
    centred = values - values[order[len(order) // 2]]
    spread = np.abs(centred[order[[0, -1]]]).max()
    return centred / spread if spread > 0 else centred


def map_pairs(
    engine: Engine,
    function: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    chunk: int | None = None,
) -> NDArray[np.float64]:
    """``function(left, right)`` in chunks of pairs on the engine's workers.

    Parameters
    ----------
    function : callable (left, right) -> ndarray of shape (n_pairs, n_statistics)
        Releases the GIL; treats each pair alone, so that chunks do not matter.
    left, right : ndarray of shape (n_pairs,)
        At least one pair.
    chunk : int, optional
        Pairs a task; by default several tasks a worker, of at most 64 pairs.

    Returns
    -------
    ndarray of shape (n_pairs, n_statistics)

    Examples
    --------
    >>> from covey.engine import LocalEngine
    >>> map_pairs(LocalEngine(2), lambda i, j: (10.0 * i + j)[:, None], np.array([1, 2, 3]), np.array([4, 5, 6]), 2)
    array([[14.],
           [25.],
           [36.]])
    """
    size = chunk or min(64, -(-len(left) // (_TASKS_A_WORKER * engine.n_workers)))
    starts = range(0, len(left), size)
    parts = engine.map(lambda s: function(left[s : s + size], right[s : s + size]), starts)
    return np.concatenate(parts)


@dataclass(frozen=True)
class PairKernel:
    """A measure computed pair by pair by a numba kernel.

    Parameters
    ----------
    load : callable () -> kernel
        Gives ``kernel(values, order, runs, present, n_present, left, right) -> (n_pairs, n_statistics)``; called on
        first use, so that importing a measure does not import numba.
    finish : callable (statistics, pvalues) -> PairStatistics
        From the kernel's sums to the measure and its p-value.
    uses_values : bool
        Whether the kernel reads `values`; kernels of ranks do not.
    """

    load: Callable[[], Callable[..., NDArray[np.float64]]]
    finish: Callable[[NDArray[np.float64], bool], PairStatistics]
    uses_values: bool = False

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        sums = self.sums(store, left, right, engine)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.finish(sums, pvalues)

    def sums(
        self, store: ColumnStore, left: NDArray[np.intp], right: NDArray[np.intp], engine: Engine
    ) -> NDArray[np.float64]:
        """What the numba kernel finds for each pair, shape (n_pairs, n_statistics)."""
        used, position = np.unique(np.concatenate([left, right]), return_inverse=True)
        columns = SortedColumns.of(store, [int(j) for j in used], engine, self.uses_values)
        kernel = self.load()

        def run(i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float64]:
            return kernel(columns.values, columns.order, columns.runs, columns.present, columns.n_present, i, j)

        return map_pairs(engine, run, position[: len(left)], position[len(left) :])


def from_module(module: str, name: str) -> Callable[[], Any]:
    """A function that imports ``module`` and gives its attribute `name`."""

    def load() -> Any:
        return getattr(import_module(module), name)

    return load
