"""`read`: any source to a `FeatureTable`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from covey.table._infer import MISSING, clean_names, from_numbers, is_absent, make_column
from covey.table._sources import ARROW, NUMPY, PARQUET, check_columns, ending, is_text, locate, read_text
from covey.table._table import Column, FeatureTable, Note

Named = tuple[list[Any], list[Any]]
LONG_DURATIONS = [np.dtype(f"timedelta64[{unit}]") for unit in "WDhm"]  # Arrow counts in seconds and shorter


def read(
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    missing_values: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
) -> FeatureTable:
    """Read any source into a `FeatureTable`.

    Kinds are inferred: *numeric* (numbers, or text of which at least 95 % are numbers), *boolean* (bool, yes/no and the
    like, numbers that are only 0 and 1), *datetime* (date types and ISO text, as seconds since 1970), *categorical*,
    *text* (many distinct values of several words), *id* (distinct words; distinct whole numbers that step by one or are
    named so; from 30 rows on), *constant* (one distinct value, or none). Blanks around words are dropped, infinities
    become missing, and columns get unique text names; the table's `notes` tell what was changed.

    Parameters
    ----------
    source : path, ``"covey:<name>"``, dataframe, array, mapping, sequence of mappings, or FeatureTable
        CSV and other separated text (also .gz, .bz2, .xz, .zip), Parquet, Arrow/Feather, .npy, .npz; pandas, Polars,
        PyArrow, Dask; NumPy arrays of one or two dimensions or structured; SciPy sparse matrices.
    columns : sequence of str, optional
        Only these, in this order.
    kinds : mapping of str to Kind, optional
        Kinds that are known, by column.
    missing_values : sequence of str, optional
        Words that mean missing; by default the empty cell, ``?``, ``NA``, ``N/A``, ``NaN``, ``NULL``, ``None``, ...
    sep : str, optional
        Separator of a text file; by default found in its first lines.
    encoding : str, optional
        Of a text file; by default UTF-8, UTF-16 with a byte-order mark, or Latin-1.

    Returns
    -------
    FeatureTable

    Raises
    ------
    ValueError
        If the source is empty or damaged, has rows of different lengths, or lacks a named column.
    TypeError
        If there is no reader for the source, or a column holds lists or objects.
    FileNotFoundError, PermissionError, IsADirectoryError
        If the path cannot be read.

    Examples
    --------
    >>> table = read({"height": [1.7, 1.8, None], "team": ["red", "blue", "red"]})
    >>> table.kinds
    ('numeric', 'categorical')
    >>> read("covey:adult").shape
    (32561, 15)
    """
    if isinstance(source, FeatureTable):
        return _retyped(source if columns is None else source.select(list(columns)), kinds or {})
    names, values = _open(source, columns, sep, encoding, missing_values)
    if not values:
        raise ValueError("the source has no columns")
    clean, notes = clean_names(names)
    if len({len(v) for v in values}) > 1:
        lengths = ", ".join(f"{n} {len(v)}" for n, v in list(zip(clean, values))[:5])
        raise ValueError(f"columns differ in length: {lengths}")
    if len(values[0]) == 0:
        raise ValueError("the source has columns but no rows")
    check_columns(kinds or (), clean, "kinds")
    missing = tuple(missing_values) if missing_values is not None else MISSING
    wanted = chosen_columns(columns, clean)
    position = {name: k for k, name in enumerate(clean)}
    made: list[Column] = []
    kept = [note for note in notes if note.column in set(wanted)]
    for name in wanted:
        column, more = typed(name, values[position[name]], (kinds or {}).get(name), missing)
        made.append(column)
        kept += more
    return FeatureTable.from_columns(made, kept)


def chosen_columns(columns: Sequence[str] | None, names: Sequence[str]) -> list[str]:
    """The columns meant by the argument `columns`; all when it is None."""
    if columns is None:
        return list(names)
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names, not the text {columns!r}")
    check_columns(columns, names, "columns")
    repeated = [name for name in dict.fromkeys(columns) if list(columns).count(name) > 1]
    if repeated or not len(columns):
        raise ValueError(f"columns: {repeated[0]!r} is named twice" if repeated else "columns: name at least one")
    return list(columns)


def _retyped(table: FeatureTable, kinds: Mapping[str, str]) -> FeatureTable:
    """The table with some columns of other kinds."""
    check_columns(kinds, table.names, "kinds")
    if all(table.kind(name) == kind for name, kind in kinds.items()):
        return table
    made, notes = [], list(table.notes)
    for column in table.columns():
        kind = kinds.get(column.name, column.kind)
        if kind != column.kind:
            column, more = typed(column.name, _arrow(column.name, column.labels()), kind, MISSING)
            notes += more
        made.append(column)
    return FeatureTable.from_columns(made, notes)


def typed(
    name: str, values: Any, kind: str | None, missing: Sequence[str], whole: bool = True
) -> tuple[Column, list[Note]]:
    """One column of Arrow or NumPy values, typed."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "iuf":
            integer = values.dtype.kind in "iu"
            return from_numbers(name, values.astype(np.float64), kind, integer, whole)
        values = _arrow(name, values)
    return make_column(name, values, kind, missing, whole)


def _open(
    source: Any,
    columns: Sequence[str] | None,
    sep: str | None,
    encoding: str | None,
    missing: Sequence[str] | None,
) -> Named:
    """Names and columns (Arrow or NumPy) of any source; of a Parquet file, only the wanted ones where it can be."""
    if isinstance(source, str | Path):
        return _open_path(locate(source), columns, sep, encoding, missing)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, pa.Table | pa.RecordBatch):
        return list(source.schema.names), list(source.columns)
    if isinstance(source, Mapping):
        return list(source), [_arrow(str(name), values) for name, values in source.items()]
    module = type(source).__module__.partition(".")[0]
    if module == "dask" or hasattr(source, "dask"):
        return _open(source.compute(), columns, sep, encoding, missing)
    if module == "scipy" and hasattr(source, "toarray"):
        return _from_array(np.asarray(source.toarray()))
    if isinstance(source, list | tuple) and source and all(isinstance(row, Mapping) for row in source):
        names = list(dict.fromkeys(name for row in source for name in row))
        return names, [_arrow(str(name), [row.get(name) for row in source]) for name in names]
    if isinstance(source, list | tuple):
        return _from_array(_as_array(source))
    return frame_columns(source)


def _as_array(rows: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(rows)
    except ValueError:
        raise ValueError("rows differ in length; give every row the same number of values") from None


def _open_path(
    path: Path,
    columns: Sequence[str] | None,
    sep: str | None,
    encoding: str | None,
    missing: Sequence[str] | None,
) -> Named:
    if is_text(path):
        return read_text(path, sep, encoding, missing)
    found = ending(path)
    if found in NUMPY:
        return _from_numpy_file(path)
    try:
        if found in PARQUET:
            table = _read_parquet(path, columns)
        else:
            assert found in ARROW
            table = _read_ipc(path)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise ValueError(f"{path} is not a whole {found} file: {error}") from None
    return list(table.schema.names), list(table.columns)


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        known = columns is not None and all(names.count(name) == 1 for name in columns)
        return file.read(columns=list(columns) if columns is not None and known else None)


def _read_ipc(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as handle:
        try:
            return pa.ipc.open_file(handle).read_all()
        except pa.ArrowInvalid:
            handle.seek(0)
            try:
                return pa.ipc.open_stream(handle).read_all()
            except pa.ArrowInvalid:
                import pyarrow.feather as feather  # version 1 files

                return feather.read_table(path)


def _from_numpy_file(path: Path) -> Named:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is not a whole NumPy file, or holds objects: {error}") from None
    if isinstance(loaded, np.ndarray):
        return _from_array(loaded)
    names: list[Any] = []
    columns: list[Any] = []
    with loaded:
        arrays = {key: loaded[key] for key in loaded.files}
    for key, array in arrays.items():
        inner, values = _from_array(array)
        names += inner if len(arrays) == 1 and array.ndim > 1 else _names_in(key, array, inner)
        columns += values
    return names, columns


def _names_in(key: str, array: np.ndarray, inner: list[Any]) -> list[str]:
    """Names of the columns of one of several arrays: ``y``, or ``X0``, ``X1``, ..., or ``rows_field``."""
    if array.dtype.names is not None:
        return [f"{key}_{name}" for name in inner]
    return [key] if array.ndim == 1 else [f"{key}{k}" for k in range(len(inner))]


def _from_array(array: np.ndarray) -> Named:
    """Columns of an array, named x0, x1, ... unless it is structured."""
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64 if array.dtype.kind in "biuf" else object), np.nan)
    if array.dtype.names is not None:
        return list(array.dtype.names), [_plain(name, array[name]) for name in array.dtype.names]
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"an array of {array.ndim} dimensions is no table; reshape it to (n_rows, n_columns)")
    names = [f"x{k}" for k in range(array.shape[1])]
    return names, [_plain(name, array[:, k]) for k, name in enumerate(names)]


def _plain(name: str, values: np.ndarray) -> Any:
    if values.dtype.kind == "c":
        raise TypeError(f"column {name!r} holds complex numbers; give real and imaginary part as two columns")
    if values.ndim != 1:
        raise ValueError(f"column {name!r} has {values.ndim} dimensions; a column has one")
    return values if values.dtype.kind in "iuf" else _arrow(name, values)


def _arrow(name: str, values: Any) -> Any:
    """Values as an Arrow array; mixed Python values become text."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return values
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"column {name!r} is one {type(values).__name__}, not a sequence of values")
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    if isinstance(values, np.ndarray) and values.dtype in LONG_DURATIONS:
        values = values.astype("timedelta64[s]")
    if isinstance(values, np.ndarray) and values.dtype.kind in "SU":
        values = values.astype(str).astype(object)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):  # values of several types
        return pa.array([_text(name, v) for v in values], type=pa.string())


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable | complex) or type(value).__repr__ is object.__repr__:
        raise TypeError(f"column {name!r} holds values of type {type(value).__name__}; expand or drop the column")
    return None if is_absent(value) else str(value)


def frame_columns(source: Any) -> Named:
    """Columns of a dataframe, through narwhals."""
    if hasattr(source, "iloc") and hasattr(source, "columns"):  # pandas allows names that repeat or are no text
        return list(source.columns), [_pandas(str(n), source.iloc[:, k]) for k, n in enumerate(source.columns)]
    if hasattr(source, "iloc"):
        return ["x0" if source.name is None else source.name], [_pandas(str(source.name), source)]
    import narwhals as nw

    try:
        frame = nw.from_native(source, allow_series=True)
    except TypeError:
        if hasattr(source, "__array__"):
            return _from_array(np.asarray(source))
        raise TypeError(
            f"no reader for {type(source).__name__}; give a path, a dataframe, an array or a mapping of columns"
        ) from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.Series):
        return [frame.name or "x0"], [frame.to_arrow()]
    return list(frame.columns), [frame[name].to_arrow() for name in frame.columns]


def _pandas(name: str, series: Any) -> Any:
    if getattr(series.dtype, "kind", "O") in "iuf":
        values = series.to_numpy()
        if values.dtype.kind in "iuf":  # not so for nullable columns with gaps
            return values
    kind = str(series.dtype)
    if kind.startswith("period"):
        series = series.dt.to_timestamp()
    elif kind.startswith("interval"):
        series = series.astype("category")
    if hasattr(series, "cat") and str(series.cat.categories.dtype).startswith(("interval", "period", "object")):
        series = series.cat.rename_categories([str(c) for c in series.cat.categories])
    return _arrow(name, series)
