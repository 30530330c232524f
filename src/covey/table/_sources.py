"""Open any source as named Arrow columns (or, for blocks, as a stream of them)."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from covey.data import path as bundled_path
from covey.table._infer import MISSING

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".data")
_PACKED = (".gz", ".bz2", ".xz", ".zip")
PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather", ".ipc")
NUMPY = (".npy", ".npz")


def locate(source: str | Path) -> Path:
    """The file meant by a path or by ``covey:<name>``.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, ValueError
        With a text that says what is wrong with it.
    """
    if str(source).startswith("covey:"):
        return bundled_path(str(source))
    path = Path(source).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name a file in it")
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    try:
        with path.open("rb") as handle:
            head = handle.read(1)
    except PermissionError:
        raise PermissionError(f"{path} may not be read; check its permissions") from None
    if not head:
        raise ValueError(f"{path} is empty")
    return path


def ending(path: Path) -> str:
    """The ending that tells the format, without that of a compression."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_text(path: Path) -> bool:
    """Whether the file holds rows of text; unknown endings raise.

    Raises
    ------
    ValueError
        For an ending that no reader knows.
    """
    found = ending(path)
    if found in (*PARQUET, *ARROW, *NUMPY):
        return False
    if found in _TEXT or not found:
        return True
    known = ", ".join((*_TEXT, *PARQUET, *ARROW, *NUMPY))
    raise ValueError(f"{path}: no reader for {found!r}; the ending must be one of {known} (text may be compressed)")


def read_bytes(path: Path) -> bytes:
    """The file's content, decompressed by its ending."""
    packed = path.suffix.lower()
    unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".zip": _only_member}.get(packed)
    raw = path.read_bytes()
    if unpack is None:
        return raw
    try:
        return unpack(raw)
    except (zipfile.BadZipFile, lzma.LZMAError, EOFError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not a whole {packed} file: {error}") from None


def _only_member(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} files; unpack it and name one")
        return archive.read(names[0])


def encoding_of(data: bytes, name: str, whole: bool = True) -> str:
    """The encoding of text: by its byte-order mark, else UTF-8 if it decodes so, else Windows-1252 or Latin-1.

    `whole` is False for the first part of a longer text, which may break inside a character.

    Raises
    ------
    ValueError
        If the bytes are no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    control = sum(b < 32 and b not in b"\t\n\r\f" for b in data[:4096])
    if b"\0" in data[: 1 << 16] or control > 0.01 * min(len(data), 4096):
        raise ValueError(f"{name} holds binary data, not text; is its ending right?")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(data, whole)
            return encoding
        except UnicodeDecodeError:
            continue
    return "latin-1"


def as_utf8(data: bytes, name: str, encoding: str | None) -> bytes:
    """Text as UTF-8 without a byte-order mark.

    Raises
    ------
    ValueError
        If the bytes are no text, or not in `encoding`.
    """
    encoding = encoding or encoding_of(data, name)
    if encoding == "utf-8-sig":
        return data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode(encoding).encode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in {encoding}; give another encoding=") from None
    except LookupError:
        raise ValueError(f"no encoding {encoding!r}; try 'utf-8' or 'latin-1'") from None


def head_of_text(path: Path, encoding: str | None, size: int = 1 << 20) -> tuple[bytes, str]:
    """The first whole lines of a text file, as UTF-8, and its encoding."""
    try:
        with pa.input_stream(str(path)) as handle:  # decompresses .gz and .bz2 by the ending
            data = handle.read(size)
    except OSError as error:
        raise ValueError(f"{path} is not a whole {path.suffix} file: {error}") from None
    whole = len(data) < size
    encoding = encoding or encoding_of(data, str(path), whole)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, whole)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in {encoding}; give another encoding=") from None
    except LookupError:
        raise ValueError(f"no encoding {encoding!r}; try 'utf-8' or 'latin-1'") from None
    head = text.encode("utf-8")
    return (head if whole else head[: _last_line_end(head)]), encoding


def _last_line_end(text: bytes) -> int:
    """Where the last line ends that is whole and does not break inside quotes; the text's length if there is none."""
    mark = b"\n" if b"\n" in text else b"\r"
    end = text.rfind(mark) + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.rfind(mark, 0, end - 1) + 1
    return end or len(text)


def separator_of(path: Path, data: bytes, given: str | None) -> str:
    """The separator of a text file: the given one, or by its ending or its first lines."""
    if given is not None:
        if len(given) != 1:
            raise ValueError(f"sep must be one character, got {given!r}")
        return given
    return "\t" if ending(path) in (".tsv", ".tab") else sniff_separator(data[: 1 << 16].decode("utf-8", "ignore"))


def sniff_separator(head: str) -> str:
    """The separator that splits the first lines into the same number (above one) of cells; a comma if none does.

    Examples
    --------
    >>> sniff_separator("a;b\\n1,5;2\\n2,5;3\\n")
    ';'
    """
    lines = _logical_lines(head)[:50]
    best, score = ",", (0.0, 0)
    for candidate in (",", ";", "\t", "|"):
        counts = [_outside_quotes(line, candidate) for line in lines]
        if counts and counts[0]:
            same = sum(c == counts[0] for c in counts) / len(counts)
            if (same, counts[0]) > score:
                best, score = candidate, (same, counts[0])
    return best


def _logical_lines(text: str) -> list[str]:
    """Lines, with those broken inside quotes put together; an unfinished last line is dropped."""
    whole = text.endswith("\n")
    lines = text.splitlines()
    if len(lines) > 1 and not whole:
        lines.pop()
    out: list[str] = []
    open_quote = False
    for line in lines:
        if open_quote:
            out[-1] += "\n" + line
        elif line.strip():
            out.append(line)
        else:
            continue
        open_quote = out[-1].count('"') % 2 == 1
    return out


def _outside_quotes(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])


def csv_options(
    separator: str, missing: Sequence[str], types: dict[str, pa.DataType] | None = None, decimal: str = "."
) -> tuple[pacsv.ParseOptions, pacsv.ConvertOptions]:
    """How PyArrow reads our text files."""
    words = list(dict.fromkeys([*missing, *(f" {m}" for m in missing)]))
    return (
        pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
        pacsv.ConvertOptions(
            null_values=words,
            true_values=[],  # yes and true alike stay words, as in a dataframe
            false_values=[],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            column_types=types,
            decimal_point=decimal,
        ),
    )


def read_text(
    path: Path, separator: str | None, encoding: str | None, missing: Sequence[str] | None
) -> tuple[list[str], list[Any]]:
    """Names and Arrow columns of a text file.

    Raises
    ------
    ValueError
        If it has no rows, ragged rows (the line is told), or is no text.
    """
    data = as_utf8(read_bytes(path), str(path), encoding)
    if not data or data.isspace():
        raise ValueError(f"{path} is empty")
    separator = separator_of(path, data, separator)
    names = header(data, separator)
    body = data[end_of_header(data) :]
    if not body or body.isspace():
        raise ValueError(f"{path} has a header but no rows")
    return names, parse_rows(path, body, separator, len(names), missing if missing is not None else MISSING).columns


def parse_rows(path: Path, body: bytes, separator: str, n_columns: int, missing: Sequence[str]) -> pa.Table:
    """The rows after the header as Arrow columns named 0, 1, 2, ...

    Raises
    ------
    ValueError
        If a row has another number of cells; the line is told.
    """
    numbered = [str(k) for k in range(n_columns)]
    options = pacsv.ReadOptions(column_names=numbered)
    decimal = decimal_point(body, separator)
    parse, convert = csv_options(separator, missing, decimal=decimal)
    try:
        return pacsv.read_csv(pa.BufferReader(body), options, parse, convert)
    except pa.ArrowInvalid as error:
        if "columns, got" in str(error):
            raise ValueError(_ragged(path, body, options, separator)) from None
        parse, convert = csv_options(separator, missing, {name: pa.string() for name in numbered}, decimal)
        try:
            return pacsv.read_csv(pa.BufferReader(body), options, parse, convert)
        except pa.ArrowInvalid as again:
            raise ValueError(f"{path} cannot be read: {again}") from None


def decimal_point(body: bytes, separator: str) -> str:
    """A comma when numbers of the first lines are written so (and none with a point); else a point.

    Examples
    --------
    >>> decimal_point(b"1,5;x\\n2,25;y\\n", ";")
    ','
    """
    if separator == ",":
        return "."
    cells = re.split(rf"[{re.escape(separator)}\r\n]", body[: 1 << 16].decode("utf-8", "ignore"))
    commas = any(re.fullmatch(r'"?\s*[+-]?\d+,(\d{1,2}|\d{4,})\s*"?', cell) for cell in cells)  # 1,234 may be thousands
    points = any(re.fullmatch(r'"?\s*[+-]?\d+\.\d+\s*"?', cell) for cell in cells)
    return "," if commas and not points else "."


def header(data: bytes, separator: str) -> list[str]:
    """Column names of a text file."""
    import csv

    first = data[: end_of_header(data)].decode("utf-8")
    return next(row for row in csv.reader(io.StringIO(first, newline=""), delimiter=separator) if row)


def end_of_header(data: bytes) -> int:
    """Where the first line that is not blank ends; quotes may hold line ends."""
    start = 0
    while True:
        newline = data.find(b"\n", start)
        carriage = data.find(b"\r", start, newline if newline >= 0 else len(data))
        if newline < 0 and carriage < 0:
            return len(data)
        end = newline + 1 if newline >= 0 else carriage + 1
        if newline >= 0 and 0 <= carriage < newline - 1:  # lines end in a lone \r
            end = carriage + 1
        if data[:end].count(b'"') % 2 == 0 and data[:end].strip():
            return end
        start = end


def _ragged(path: Path, body: bytes, options: pacsv.ReadOptions, separator: str) -> str:
    bad: list[Any] = []

    def keep(row: Any) -> str:
        bad.append(row)
        return "skip"

    single = pacsv.ReadOptions(column_names=options.column_names, use_threads=False)
    parse = pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=keep)
    pacsv.read_csv(pa.BufferReader(body), single, parse)
    row = bad[0]
    line = f"line {row.number + 1}" if row.number else "a line"
    return (
        f"{path}: {line} has {row.actual_columns} cells where the header has {row.expected_columns}: "
        f"{row.text[:60]!r}; mend the line or give sep="
    )


def check_columns(wanted: Iterable[str], names: Sequence[str], argument: str) -> None:
    """Raise a ValueError that names the first column of `argument` that is not there."""
    from covey.table._table import unknown_column

    for name in wanted:
        if name not in names:
            raise ValueError(f"{argument}: {unknown_column(name, names)}")
