"""Row blocks of sources that do not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from covey.table._infer import MISSING, clean_names
from covey.table._read import chosen_columns, typed
from covey.table._rows import Rows, TableRows, rows_of
from covey.table._sources import check_columns
from covey.table._table import Column, FeatureTable, Note

_PLACEHOLDER = ("(not kept)",)


@dataclass(frozen=True, eq=False)
class BlockSource:
    """A source that is read in blocks of rows, again and again, in constant memory.

    Make one with `iter_blocks`. Kinds are those of the first block (a number that is only 0 and 1 there stays numeric,
    and what is constant or unique there need not stay so); a source in memory keeps the kinds of the whole. Until
    `fix_categories` is called, a category that first appears in a later block gets the next code, so codes agree
    between the blocks of one pass but not between passes that start elsewhere. Text and identifiers made of words are
    not kept: all present rows share one label.

    Parameters
    ----------
    data : Rows
    columns : tuple of str
        Columns that are read, in order.
    kinds : tuple of Kind
    rows : int
        Most rows of a block.
    missing : tuple of str
        Words that mean missing.
    categories : mapping of str to tuple of str
        Of coded columns, once fixed.
    """

    data: Rows
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: int
    missing: tuple[str, ...] = MISSING
    categories: Mapping[str, tuple[str, ...]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return self.columns

    @property
    def n_rows(self) -> int | None:
        """Number of rows, or None when only reading tells."""
        return self.data.n_rows

    def __iter__(self) -> Iterator[FeatureTable]:
        known = {name: {c: k for k, c in enumerate(cats)} for name, cats in (self.categories or {}).items()}
        for raw in self.data.blocks(self._positions(), self.rows):
            notes: list[Note] = []
            columns = []
            for name, kind, values in zip(self.columns, self.kinds, raw):
                column, more = self._column(name, kind, values, known)
                columns.append(column)
                notes += more
            yield FeatureTable.from_columns(columns, notes)

    def head(self) -> FeatureTable:
        """The first block."""
        return next(iter(self))

    def partitions(self, k: int) -> list[BlockSource]:
        """At most `k` sources that cover the rows in order and read where they run; categories are fixed first.

        Raises
        ------
        ValueError
            If `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        fixed = self.fix_categories()
        return [replace(fixed, data=piece) for piece in fixed.data.split(k)]

    def fix_categories(self) -> BlockSource:
        """This source with the categories of all rows (sorted), found by a pass over the coded columns alone."""
        if self.categories is not None:
            return self
        coded = [(name, kind) for name, kind in zip(self.columns, self.kinds) if kind in ("categorical", "boolean")]
        if not coded:
            return replace(self, categories={})
        names, kinds = zip(*coded)
        last: Mapping[str, tuple[str, ...]] = {}
        for block in replace(self, columns=names, kinds=kinds):
            last = dict(zip(block.names, block.categories))
        return replace(self, categories={name: tuple(sorted(labels)) for name, labels in last.items()})

    def _positions(self) -> list[int]:
        names, _ = clean_names(self.data.names)
        return [names.index(name) for name in self.columns]

    def _column(self, name: str, kind: str, values: Any, known: dict[str, dict[str, int]]) -> tuple[Column, list[Note]]:
        notes: list[Note] = []
        if isinstance(values, Column):
            column = values
        else:
            asked = "categorical" if kind == "boolean" else kind  # one block alone cannot break a rule of the whole
            column, notes = typed(name, values, asked, self.missing, whole=False)
        if column.categories is None:
            return column, notes
        if kind in ("text", "id"):
            return replace(column, values=np.minimum(column.values, 0), categories=_PLACEHOLDER), notes
        index = known.setdefault(name, {})
        lookup = np.array([index.setdefault(c, len(index)) for c in column.categories] + [-1], dtype=np.int32)
        if kind == "boolean" and len(index) > 2:
            shown = ", ".join(list(index)[:3])
            raise ValueError(f"column {name!r} is not boolean: {shown}; give kinds={{{name!r}: 'categorical'}}")
        return Column(name, kind, lookup[column.values], tuple(index)), notes  # type: ignore[arg-type]


def iter_blocks(
    source: Any,
    rows: int = 65536,
    columns: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    *,
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
) -> BlockSource:
    """Read a source in blocks of rows, in constant memory, only the chosen columns.

    Parameters
    ----------
    source : path, array, dataframe or FeatureTable
        Parquet, Arrow/Feather, text (also .gz, .bz2) and .npy files are streamed, a Dask dataframe is computed
        partition by partition; what is in memory is sliced.
    rows : int, default=65536
        Most rows of a block.
    columns : sequence of str, optional
        Only these, in this order.
    kinds : mapping of str to Kind, optional
        Kinds that are known; the others are those of the first block.
    missing_values, sep, encoding
        As for `read`.

    Returns
    -------
    BlockSource

    Raises
    ------
    ValueError, TypeError, OSError
        As `read`.

    Examples
    --------
    >>> import numpy as np
    >>> source = iter_blocks(np.arange(10.0).reshape(5, 2), rows=2)
    >>> [block.n_rows for block in source]
    [2, 2, 1]
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    kinds = kinds or {}
    missing = tuple(missing_values) if missing_values is not None else MISSING
    data = rows_of(source, kinds, missing, sep, encoding)
    names, _ = clean_names(data.names)
    chosen = chosen_columns(columns, names)
    check_columns(kinds, names, "kinds")
    first = next(data.blocks([names.index(name) for name in chosen], rows), None)
    if first is None or not len(_values(first[0])):
        raise ValueError("the source has columns but no rows")
    found = tuple(_block_kind(name, values, kinds.get(name), missing) for name, values in zip(chosen, first))
    categories = None
    if isinstance(data, TableRows):
        categories = {c.name: c.categories for c in data.table.columns() if c.categories is not None}
    return BlockSource(data, tuple(chosen), found, rows, missing, categories)


def _values(column: Any) -> Any:
    return column.values if isinstance(column, Column) else column


def _block_kind(name: str, values: Any, kind: str | None, missing: Sequence[str]) -> str:
    if isinstance(values, Column):
        return values.kind
    return typed(name, values, kind, missing, whole=False)[0].kind
