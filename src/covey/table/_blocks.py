"""Row blocks of sources that do not fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from covey.table._infer import MISSING, clean_names
from covey.table._read import read, typed
from covey.table._sources import (
    ARROW,
    NUMPY,
    PARQUET,
    as_utf8,
    check_columns,
    csv_options,
    ending,
    header,
    is_text,
    locate,
    sniff_separator,
)
from covey.table._table import Column, FeatureTable

Raw = list[Any]
_PLACEHOLDER = ("(not kept)",)


class Rows(Protocol):
    """Rows of one source: where they lie, and how they are read again and again.

    `blocks` yields lists of Arrow or NumPy columns for the given positions; `split` cuts the rows into at most `k`
    pieces in order.
    """

    @property
    def n_rows(self) -> int | None: ...

    @property
    def names(self) -> list[Any]: ...

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]: ...

    def split(self, k: int) -> list[Rows]: ...


@dataclass(frozen=True, eq=False)
class BlockSource:
    """A source that is read in blocks of rows, again and again, in constant memory.

    Make one with `iter_blocks`. Kinds are those of the first block (a number that is only 0 and 1 there stays numeric,
    and what is constant or unique there need not stay so). Until `fix_categories` is called, a category that first
    appears in a later block gets the next code, so codes agree between the blocks of one pass but not between passes
    that start elsewhere. Text and identifiers made of words are not kept: all present rows share one label.

    Parameters
    ----------
    data : Rows
    columns : tuple of str
        Columns that are read, in order.
    kinds : tuple of Kind
    rows : int
        Most rows of a block.
    categories : mapping of str to tuple of str
        Of coded columns, once fixed.
    """

    data: Rows
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: int
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
            yield FeatureTable.from_columns(
                [self._column(name, kind, values, known) for name, kind, values in zip(self.columns, self.kinds, raw)]
            )

    def head(self) -> FeatureTable:
        """The first block."""
        return next(iter(self))

    def partitions(self, k: int) -> list[BlockSource]:
        """At most `k` sources that cover the rows in order and read where they run; categories are fixed first."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        fixed = self.fix_categories()
        return [replace(fixed, data=piece) for piece in fixed.data.split(k)]

    def fix_categories(self) -> BlockSource:
        """This source with the categories of all rows (sorted), found by a pass over the coded columns alone."""
        if self.categories is not None:
            return self
        coded = [n for n, kind in zip(self.columns, self.kinds) if kind in ("categorical", "boolean")]
        found: dict[str, set[str]] = {name: set() for name in coded}
        if coded:
            for block in replace(self, columns=tuple(coded), kinds=tuple(self._kind(n) for n in coded)):
                for name in coded:
                    column = block[name]
                    seen = np.unique(column.values[column.values >= 0])
                    assert column.categories is not None
                    found[name].update(column.categories[c] for c in seen)
        return replace(self, categories={name: tuple(sorted(labels)) for name, labels in found.items()})

    def _kind(self, name: str) -> str:
        return self.kinds[self.columns.index(name)]

    def _positions(self) -> list[int]:
        names, _ = clean_names(self.data.names)
        return [names.index(name) for name in self.columns]

    def _column(self, name: str, kind: str, values: Any, known: dict[str, dict[str, int]]) -> Column:
        column, _ = typed(name, values, kind, MISSING, whole=False)
        if column.categories is None:
            return column
        if kind in ("text", "id"):
            return Column(name, column.kind, np.minimum(column.values, 0), _PLACEHOLDER)
        index = known.setdefault(name, {})
        lookup = np.array([index.setdefault(c, len(index)) for c in column.categories] + [-1], dtype=np.int32)
        return Column(name, column.kind, lookup[column.values], tuple(index))


def iter_blocks(
    source: Any,
    rows: int = 65536,
    columns: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> BlockSource:
    """Read a source in blocks of rows, in constant memory, only the chosen columns.

    Parameters
    ----------
    source : path, array, dataframe or FeatureTable
        Parquet, Arrow/Feather, CSV and .npy files are streamed; what is in memory is sliced.
    rows : int, default=65536
        Most rows of a block.
    columns : sequence of str, optional
        Only these, in this order.
    kinds : mapping of str to Kind, optional
        Kinds that are known; the others are those of the first block.

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
    data = _rows_of(source)
    names, _ = clean_names(data.names)
    check_columns(columns or (), names, "columns")
    check_columns(kinds or (), names, "kinds")
    chosen = tuple(columns) if columns is not None else tuple(names)
    positions = [names.index(name) for name in chosen]
    first = next(data.blocks(positions, rows), None)
    if first is None or not len(first) or not len(first[0]):
        raise ValueError("the source has columns but no rows")
    known: dict[str, str] = dict(zip(names, data.table.kinds)) if isinstance(data, TableRows) else {}
    known.update(kinds or {})
    found = tuple(
        known.get(name) or typed(name, v, None, MISSING, whole=False)[0].kind for name, v in zip(chosen, first)
    )
    return BlockSource(data, chosen, found, rows)


def _rows_of(source: Any) -> Rows:
    if isinstance(source, str | Path):
        path = locate(source)
        found = "" if is_text(path) else ending(path)
        if found in PARQUET:
            return ParquetRows.open(path)
        if found in ARROW:
            return ArrowRows.open(path)
        if found == ".npy" and found in NUMPY:
            return ArrayRows.open(path)
        if not found and path.suffix.lower() not in (".bz2", ".xz", ".zip"):
            return TextRows.open(path)
        return TableRows(read(path))
    if isinstance(source, np.ndarray) and source.dtype.kind in "iuf" and source.ndim == 2:
        return ArrayRows(source, 0, len(source))
    return TableRows(read(source))


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """Row groups of a Parquet file."""

    path: Path
    groups: tuple[int, ...]
    group_rows: tuple[int, ...]
    names: list[Any]

    @classmethod
    def open(cls, path: Path) -> ParquetRows:
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                meta = file.metadata
                sizes = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
                return cls(path, tuple(range(len(sizes))), sizes, list(file.schema_arrow.names))
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is not a whole Parquet file: {error}") from None

    @property
    def n_rows(self) -> int:
        return sum(self.group_rows)

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        import pyarrow.parquet as pq

        wanted = [self.names[p] for p in positions]
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            for batch in file.iter_batches(rows, row_groups=list(self.groups), columns=wanted):
                yield [batch.column(batch.schema.get_field_index(name)) for name in wanted]

    def split(self, k: int) -> list[Rows]:
        bounds = _cuts(len(self.groups), k)
        return [
            replace(self, groups=self.groups[a:b], group_rows=self.group_rows[a:b])
            for a, b in itertools.pairwise(bounds)
            if b > a
        ]


@dataclass(frozen=True, eq=False)
class ArrowRows:
    """Record batches of an Arrow (Feather) file."""

    path: Path
    first: int
    last: int
    batch_rows: tuple[int, ...]
    names: list[Any]

    @classmethod
    def open(cls, path: Path) -> Rows:
        try:
            with pa.memory_map(str(path)) as handle:
                reader = pa.ipc.open_file(handle)
                sizes = tuple(reader.get_batch(k).num_rows for k in range(reader.num_record_batches))
                return cls(path, 0, len(sizes), sizes, list(reader.schema.names))
        except pa.ArrowInvalid:  # the stream format, or damaged
            return TableRows(read(path))

    @property
    def n_rows(self) -> int:
        return sum(self.batch_rows[self.first : self.last])

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        with pa.memory_map(str(self.path)) as handle:
            reader = pa.ipc.open_file(handle)
            for k in range(self.first, self.last):
                batch = reader.get_batch(k)
                for start in range(0, batch.num_rows, rows):
                    yield [batch.column(p).slice(start, rows) for p in positions]

    def split(self, k: int) -> list[Rows]:
        bounds = [self.first + b for b in _cuts(self.last - self.first, k)]
        return [replace(self, first=a, last=b) for a, b in itertools.pairwise(bounds) if b > a]


@dataclass(frozen=True, eq=False)
class TextRows:
    """Lines of a CSV file; they cannot be split without reading them."""

    path: Path
    separator: str
    types: tuple[pa.DataType, ...]
    names: list[Any]

    @classmethod
    def open(cls, path: Path) -> TextRows:
        with pa.input_stream(str(path)) as handle:  # decompresses .gz by its ending
            head = as_utf8(handle.read(1 << 20).rsplit(b"\n", 1)[0] + b"\n", str(path), None)
        if not head.strip():
            raise ValueError(f"{path} is empty")
        found = ending(path)
        separator = "\t" if found in (".tsv", ".tab") else sniff_separator(head[: 1 << 16].decode("utf-8", "ignore"))
        names = header(head, separator)
        if not head.split(b"\n", 1)[1].strip():
            raise ValueError(f"{path} has a header but no rows")
        types = cls._types(head, separator, len(names), path)
        return cls(path, separator, types, list(names))

    @staticmethod
    def _types(head: bytes, separator: str, n: int, path: Path) -> tuple[pa.DataType, ...]:
        """Numbers as doubles (a later block may have decimals or gaps), everything else as text."""
        parse, convert = csv_options(separator, MISSING)
        options = pacsv.ReadOptions(column_names=[str(k) for k in range(n)], skip_rows=1)
        try:
            schema = pacsv.read_csv(pa.BufferReader(head), options, parse, convert).schema
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
        return tuple(
            pa.float64() if pa.types.is_integer(t) or pa.types.is_floating(t) else pa.string() for t in schema.types
        )

    @property
    def n_rows(self) -> None:
        return None

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        numbered = [str(k) for k in range(len(self.names))]
        parse, convert = csv_options(self.separator, MISSING, dict(zip(numbered, self.types)))
        wanted = [numbered[p] for p in positions]
        convert.include_columns = list(dict.fromkeys(wanted))
        options = pacsv.ReadOptions(column_names=numbered, skip_rows=1, block_size=1 << 22)
        try:
            with pa.input_stream(str(self.path)) as handle, pacsv.open_csv(handle, options, parse, convert) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, rows):
                        part = batch.slice(start, rows)
                        yield [part.column(part.schema.get_field_index(name)) for name in wanted]
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"{self.path} cannot be streamed: {error}; a column that is a number at first holds words later "
                "(declare missing_values with covey.read, or clean it)"
            ) from None

    def split(self, k: int) -> list[Rows]:
        return [self]


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows of an array of numbers, in memory or mapped from a .npy file."""

    array: np.ndarray | Path
    first: int
    last: int

    @classmethod
    def open(cls, path: Path) -> Rows:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path} is not a whole NumPy file, or holds objects: {error}") from None
        if array.ndim != 2 or array.dtype.kind not in "iuf":
            return TableRows(read(path))
        return cls(path, 0, len(array))

    def _load(self) -> np.ndarray:
        return self.array if isinstance(self.array, np.ndarray) else np.load(self.array, mmap_mode="r")

    @property
    def names(self) -> list[Any]:
        return [f"x{k}" for k in range(self._load().shape[1])]

    @property
    def n_rows(self) -> int:
        return self.last - self.first

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        array = self._load()
        for start in range(self.first, self.last, rows):
            block = np.asarray(array[start : min(start + rows, self.last)])
            yield [block[:, p] for p in positions]

    def split(self, k: int) -> list[Rows]:
        bounds = [self.first + b for b in _cuts(self.n_rows, k)]
        return [replace(self, first=a, last=b) for a, b in itertools.pairwise(bounds) if b > a]


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of a table in memory."""

    table: FeatureTable

    @property
    def names(self) -> list[Any]:
        return list(self.table.names)

    @property
    def n_rows(self) -> int:
        return self.table.n_rows

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        columns = [self.table.columns()[p] for p in positions]
        for start in range(0, self.n_rows, rows):
            part = slice(start, start + rows)
            yield [_as_arrow(c, part) for c in columns]

    def split(self, k: int) -> list[Rows]:
        bounds = _cuts(self.n_rows, k)
        return [TableRows(self.table.take(slice(a, b))) for a, b in itertools.pairwise(bounds) if b > a]


def _as_arrow(column: Column, part: slice) -> Any:
    """Values of a typed column, in a form whose inferred kind is the column's."""
    values = column.values[part]
    if column.categories is not None:
        indices = pa.array(np.maximum(values, 0), mask=values < 0)
        words = pa.DictionaryArray.from_arrays(indices, pa.array(column.categories), ordered=True)
        if column.kind == "boolean" and set(column.categories) <= {"False", "True"}:
            return (
                pa.array(values == column.categories.index("True"), mask=values < 0)
                if "True" in column.categories
                else words
            )
        return words
    if column.kind == "datetime":
        whole = np.isnan(values)
        return pa.array(np.where(whole, 0, values * 1e6).astype("datetime64[us]"), mask=whole)
    return values


def _cuts(n: int, k: int) -> list[int]:
    """Bounds of at most `k` nearly equal runs of `n` things."""
    k = max(1, min(k, n))
    return [n * i // k for i in range(k + 1)]
