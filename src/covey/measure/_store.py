"""`ColumnStore`: what measures need of each column (numbers, ranks, sort orders), made once and shared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from covey.table import Column

T = TypeVar("T")


class ColumnStore:
    """Columns of equal length with lazily made, cached views of each.

    Parameters
    ----------
    columns : sequence of Column
        At least one.

    Examples
    --------
    >>> import numpy as np
    >>> store = ColumnStore([Column("x", "numeric", np.array([3.0, np.nan, 1.0, 3.0]))])
    >>> store.ranks(0)
    array([2.5, nan, 1. , 2.5])
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)
        self.n_rows = len(self.columns[0].values)
        self._cache: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return len(self.columns)

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value stored under `key`, made by `make` on first use."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]  # type: ignore[return-value]

    def numbers(self, j: int) -> NDArray[np.float64]:
        """Column `j` as float64 with NaN for missing, shape (n_rows,); codes count as 0, 1, 2, ..."""
        column = self.columns[j]
        if not column.is_coded:
            return column.values
        return self.cached(
            ("numbers", j), lambda: np.where(column.values < 0, np.nan, column.values.astype(np.float64))
        )

    def present(self, j: int) -> NDArray[np.bool_]:
        """Mask of the rows where column `j` is present, shape (n_rows,)."""
        return self.cached(("present", j), lambda: ~self.columns[j].missing)

    def complete(self, j: int) -> bool:
        """True when column `j` has no missing row."""
        return self.cached(("complete", j), lambda: bool(self.present(j).all()))

    def order(self, j: int) -> NDArray[np.int32]:
        """Rows that sort column `j`, missing ones left out, ties in no certain order; shape (n_present,), int32."""

        def make() -> NDArray[np.int32]:
            values = self.numbers(j)
            order = np.argsort(values)  # NaN sorts last
            return order[: int(np.count_nonzero(self.present(j)))].astype(np.int32)

        return self.cached(("order", j), make)

    def dense_ranks(self, j: int) -> NDArray[np.int32]:
        """Position of each value among the distinct present values, 0-based; -1 for missing; shape (n_rows,)."""

        def make() -> NDArray[np.int32]:
            order = self.order(j)
            ordered = self.numbers(j)[order]
            out = np.full(self.n_rows, -1, dtype=np.int32)
            if len(order):
                out[order] = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])
            return out

        return self.cached(("dense_ranks", j), make)

    def ranks(self, j: int) -> NDArray[np.float64]:
        """Mid-ranks (1-based, ties share their mean) among present rows; NaN for missing; shape (n_rows,)."""

        def make() -> NDArray[np.float64]:
            dense = self.dense_ranks(j)
            counts = np.bincount(dense[dense >= 0])
            middle = np.cumsum(counts) - (counts - 1) / 2.0
            return np.append(middle, np.nan)[dense]

        return self.cached(("ranks", j), make)
