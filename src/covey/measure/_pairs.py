"""The driver of pair kernels: measures that are no sum over rows, computed pair by pair on presorted columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._measure import PairStatistics
from covey.measure._store import ColumnStore


@dataclass(frozen=True, eq=False)
class SortedColumns:
    """Columns sorted once, as arrays that numba kernels walk; shapes (n_columns, n_rows).

    Parameters
    ----------
    values : ndarray, float64
        Centred and scaled; NaN for missing.
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
    def of(cls, store: ColumnStore, used: Sequence[int], engine: Engine) -> SortedColumns:
        """The columns of `store` at the positions `used`."""
        shape = len(used), store.n_rows
        out = cls(
            np.full(shape, np.nan),
            np.zeros(shape, dtype=np.int32),
            np.zeros(shape, dtype=np.int32),
            np.zeros(shape, dtype=np.uint8),
            np.zeros(len(used), dtype=np.int64),
        )

        def fill(k: int) -> None:
            j = used[k]
            order = store.order(j)
            n = len(order)
            out.n_present[k] = n
            out.order[k, :n] = order
            out.runs[k, :n] = store.dense_ranks(j)[order]
            out.present[k] = store.present(j)
            if n:
                numbers = store.numbers(j)
                centred = numbers - numbers[order[n // 2]]
                spread = np.nanmax(np.abs(centred))
                out.values[k] = centred / spread if spread > 0 else centred

        engine.map(fill, range(len(used)))
        return out


def map_pairs(
    engine: Engine,
    function: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    chunk: int = 64,
) -> NDArray[np.float64]:
    """``function(left, right)`` in chunks of pairs on the engine's workers.

    Parameters
    ----------
    function : callable (left, right) -> ndarray of shape (n_pairs, n_statistics)
        Releases the GIL; treats each pair alone, so that chunks do not matter.
    """
    starts = range(0, len(left), chunk)
    parts = engine.map(lambda s: function(left[s : s + chunk], right[s : s + chunk]), starts)
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
    """

    load: Callable[[], Callable[..., NDArray[np.float64]]]
    finish: Callable[[NDArray[np.float64], bool], PairStatistics]

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        used, position = np.unique(np.concatenate([left, right]), return_inverse=True)
        columns = SortedColumns.of(store, [int(j) for j in used], engine)
        kernel = self.load()

        def run(i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float64]:
            return kernel(columns.values, columns.order, columns.runs, columns.present, columns.n_present, i, j)

        sums = map_pairs(engine, run, position[: len(left)], position[len(left) :])
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.finish(sums, pvalues)


def from_module(module: str, name: str) -> Callable[[], Any]:
    """A function that imports ``module`` and gives its attribute `name`."""

    def load() -> Any:
        from importlib import import_module

        return getattr(import_module(module), name)

    return load
