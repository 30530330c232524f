"""Rows of one source, read again and again: where they lie, and how they are split."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from covey.table._infer import clean_names
from covey.table._read import frame_columns, read
from covey.table._sources import (
    ARROW,
    PARQUET,
    csv_options,
    decimal_point,
    end_of_header,
    ending,
    head_of_text,
    header,
    is_text,
    locate,
    parse_rows,
    separator_of,
)
from covey.table._table import FeatureTable

Raw = list[Any]
_BUFFER = 1 << 18  # bytes a column; without it, whole row groups are held in memory


class Rows(Protocol):
    """Rows of one source.

    `blocks` yields lists of columns (Arrow, NumPy or typed) for the given positions; `split` cuts the rows into at most
    `k` pieces in order.
    """

    @property
    def n_rows(self) -> int | None: ...

    @property
    def names(self) -> list[Any]: ...

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]: ...

    def split(self, k: int) -> Sequence[Rows]: ...


def rows_of(
    source: Any, kinds: Mapping[str, str], missing: Sequence[str], sep: str | None, encoding: str | None
) -> Rows:
    """The rows of any source; what cannot be streamed is read into memory."""
    found: Rows | None = None
    if isinstance(source, str | Path):
        path = locate(source)
        if is_text(path):
            if path.suffix.lower() not in (".xz", ".zip"):
                return TextRows.open(path, kinds, missing, sep, encoding)
        elif ending(path) in PARQUET:
            found = ParquetRows.open(path)
        elif ending(path) in ARROW:
            found = ArrowRows.open(path)
        elif ending(path) == ".npy":
            found = ArrayRows.open(path)
    elif isinstance(source, np.ndarray) and source.dtype.kind in "iuf" and source.ndim == 2:
        found = ArrayRows(source, 0, len(source))
    elif hasattr(source, "dask") and hasattr(source, "partitions") and hasattr(source, "columns"):
        found = DaskRows(source)
    return found or TableRows(read(source, kinds=kinds, missing_values=missing, sep=sep, encoding=encoding))


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """Row groups of a Parquet file."""

    path: Path
    groups: tuple[int, ...]
    group_rows: tuple[int, ...]
    names: list[Any]

    @classmethod
    def open(cls, path: Path) -> ParquetRows | None:
        """The rows of the file; None when its columns cannot be told apart by name."""
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                meta = file.metadata
                sizes = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
                names = list(file.schema_arrow.names)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is not a whole Parquet file: {error}") from None
        return cls(path, tuple(range(len(sizes))), sizes, names) if len(set(names)) == len(names) else None

    @property
    def n_rows(self) -> int:
        return sum(self.group_rows)

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        import pyarrow.parquet as pq

        wanted = [self.names[p] for p in positions]
        try:
            with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER) as file:
                for batch in file.iter_batches(rows, row_groups=list(self.groups), columns=wanted):
                    yield [batch.column(name) for name in wanted]
        except OSError as error:
            raise ValueError(f"{self.path} is damaged: {error}") from None

    def split(self, k: int) -> Sequence[Rows]:
        return [
            replace(self, groups=self.groups[a:b], group_rows=self.group_rows[a:b])
            for a, b in _runs(0, len(self.groups), k)
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
    def open(cls, path: Path) -> ArrowRows | None:
        """The rows of the file; None when it cannot be read from any place (the stream format), or is damaged."""
        try:
            with pa.memory_map(str(path)) as handle:
                names = list(pa.ipc.open_file(handle).schema.names)
                reader = _batches(handle, [0])
                sizes = tuple(reader.get_batch(k).num_rows for k in range(reader.num_record_batches))
                return cls(path, 0, len(sizes), sizes, names)
        except pa.ArrowInvalid:
            return None

    @property
    def n_rows(self) -> int:
        return sum(self.batch_rows[self.first : self.last])

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        included = sorted(set(positions))
        with pa.memory_map(str(self.path)) as handle:
            reader = _batches(handle, included)
            for k in range(self.first, self.last):
                batch = reader.get_batch(k)
                for start in range(0, batch.num_rows, rows):
                    yield [batch.column(included.index(p)).slice(start, rows) for p in positions]

    def split(self, k: int) -> Sequence[Rows]:
        return [replace(self, first=a, last=b) for a, b in _runs(self.first, self.last, k)]


def _batches(handle: Any, fields: list[int]) -> Any:
    """Reader of record batches that decompresses only the given columns."""
    return pa.ipc.open_file(handle, options=pa.ipc.IpcReadOptions(included_fields=fields))


@dataclass(frozen=True, eq=False)
class TextRows:
    """Lines of a text file; they cannot be split without reading them."""

    path: Path
    separator: str
    decimal: str
    encoding: str
    missing: tuple[str, ...]
    header_lines: int
    types: tuple[pa.DataType, ...]
    names: list[Any]

    @classmethod
    def open(
        cls, path: Path, kinds: Mapping[str, str], missing: Sequence[str], sep: str | None, encoding: str | None
    ) -> TextRows:
        """The rows of the file; the types of its columns are told by its first lines."""
        head, encoding = head_of_text(path, encoding)
        if not head.strip():
            raise ValueError(f"{path} is empty")
        separator = separator_of(path, head, sep)
        names = header(head, separator)
        end = end_of_header(head)
        if not head[end:].strip():
            raise ValueError(f"{path} has a header but no rows")
        body = head[end:]
        schema = parse_rows(path, body, separator, len(names), missing).schema
        types = _text_types(schema.types, [kinds.get(name) for name in clean_names(names)[0]])
        decimal = decimal_point(body, separator)
        lines = len(head[:end].splitlines())
        return cls(path, separator, decimal, encoding, tuple(missing), lines, types, list(names))

    @property
    def n_rows(self) -> None:
        return None

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        numbered = [str(k) for k in range(len(self.names))]
        parse, convert = csv_options(self.separator, self.missing, dict(zip(numbered, self.types)), self.decimal)
        convert.include_columns = [numbered[p] for p in positions]
        options = pacsv.ReadOptions(
            column_names=numbered,
            skip_rows=self.header_lines,
            block_size=1 << 22,
            encoding="utf8" if self.encoding == "utf-8-sig" else self.encoding,
        )
        try:
            with pa.input_stream(str(self.path)) as handle, pacsv.open_csv(handle, options, parse, convert) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, rows):
                        yield [column.slice(start, rows) for column in batch.columns]
        except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
            raise ValueError(self._broken(str(error))) from None

    def _broken(self, error: str) -> str:
        mend = "mend the line"
        if "UTF8" in error or "codec" in error:
            mend = "give another encoding="
        elif "compress" in error:
            mend = "get the file again"
        elif found := re.search(r"column #(\d+):.* to double", error):
            name = clean_names(self.names)[0][int(found[1])]
            mend = f"if {name!r} holds words as well as numbers, give kinds={{{name!r}: 'categorical'}}"
        return f"{self.path} cannot be streamed: {error}; {mend}"

    def split(self, k: int) -> Sequence[Rows]:
        return [self]


def _text_types(sniffed: Sequence[pa.DataType], kinds: Sequence[str | None]) -> tuple[pa.DataType, ...]:
    """Numbers as doubles (a later block may have decimals or gaps), all else and what is known to be words as text."""

    def settled(found: pa.DataType, kind: str | None) -> pa.DataType:
        if kind in (None, "numeric") and (pa.types.is_integer(found) or pa.types.is_floating(found)):
            return pa.float64()
        return found if pa.types.is_time(found) else pa.string()

    return tuple(settled(found, kind) for found, kind in zip(sniffed, kinds))


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows of an array of numbers, in memory or mapped from a .npy file."""

    array: np.ndarray | Path
    first: int
    last: int

    @classmethod
    def open(cls, path: Path) -> ArrayRows | None:
        """The rows of the file; None when they are not rows of numbers."""
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path} is not a whole NumPy file, or holds objects: {error}") from None
        if array.ndim != 2 or array.dtype.kind not in "iuf":
            return None
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

    def split(self, k: int) -> Sequence[Rows]:
        return [replace(self, first=a, last=b) for a, b in _runs(self.first, self.last, k)]


@dataclass(frozen=True, eq=False)
class DaskRows:
    """Partitions of a Dask dataframe, computed one at a time."""

    frame: Any

    @property
    def names(self) -> list[Any]:
        return list(self.frame.columns)

    @property
    def n_rows(self) -> None:
        return None

    def blocks(self, positions: Sequence[int], rows: int) -> Iterator[Raw]:
        chosen = self.frame.iloc[:, list(positions)]
        for k in range(chosen.npartitions):
            part = chosen.partitions[k].compute()
            _, columns = frame_columns(part)
            for start in range(0, len(part), rows):
                yield [column[start : start + rows] for column in columns]

    def split(self, k: int) -> Sequence[Rows]:
        return [self]


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
        columns = [self.table.column(self.table.names[p]) for p in positions]
        for start in range(0, self.n_rows, rows):
            yield [replace(column, values=column.values[start : start + rows]) for column in columns]

    def split(self, k: int) -> Sequence[Rows]:
        return [TableRows(self.table.take(slice(a, b))) for a, b in _runs(0, self.n_rows, k)]


def _runs(first: int, last: int, k: int) -> list[tuple[int, int]]:
    """Bounds of at most `k` nearly equal runs of the numbers from `first` to `last`."""
    n = last - first
    k = max(1, min(k, n))
    bounds = [first + n * i // k for i in range(k + 1)]
    return list(itertools.pairwise(bounds))
