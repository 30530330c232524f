"""A `FeatureTable` out: to Arrow, and to CSV and Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from covey.table._atomic import atomic_write
from covey.table._table import Column, FeatureTable

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".csv", ".parquet")
_TRUTH = ("False", "True")


def to_arrow(table: FeatureTable | Column) -> Any:
    """A table or a column in Arrow's types.

    Numbers with null for missing, dates as timestamps, categories as a dictionary.

    Parameters
    ----------
    table : FeatureTable or Column

    Returns
    -------
    pyarrow.Table, or pyarrow.Array of a column

    Examples
    --------
    >>> from covey.table import read
    >>> to_arrow(read({"size": [1.5, None], "flag": [True, False]})).to_pydict()
    {'size': [1.5, None], 'flag': [True, False]}
    """
    import pyarrow as pa

    if isinstance(table, FeatureTable):
        return pa.table({column.name: to_arrow(column) for column in table.columns()})
    column = table

    if column.kind == "datetime":
        microseconds = np.where(column.missing, 0, np.round(np.nan_to_num(column.values) * 1e6)).astype(np.int64)
        return pa.array(microseconds, mask=column.missing).cast(pa.timestamp("us"))
    if column.categories is None:
        return pa.array(column.values, from_pandas=True)
    if column.categories == _TRUTH:
        return pa.array(column.values == 1, mask=column.missing)
    codes = pa.array(column.values, mask=column.missing)
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.categories), type=pa.string()))


def write(table: FeatureTable | pa.Table, path: str | Path) -> Path:
    """Write a table to a file, complete or not at all.

    Parameters
    ----------
    table : FeatureTable or pyarrow.Table
    path : str or Path
        Ending in ``.csv`` or ``.parquet``.

    Raises
    ------
    ValueError
        If the ending is another.

    Examples
    --------
    >>> import tempfile
    >>> from covey.table import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(read({"size": [1.5, 2.5], "word": ["a", None]}), Path(folder) / "small.csv")
    ...     path.read_text()
    '"size","word"\\n1.5,"a"\\n2.5,\\n'
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path}: the ending must be {' or '.join(ENDINGS)}")
    arrow = to_arrow(table) if isinstance(table, FeatureTable) else table
    with atomic_write(path) as temporary:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(arrow, temporary)
        else:
            _write_csv(arrow, temporary)
    return path


def _write_csv(arrow: pa.Table, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv

    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in arrow.columns]
    csv.write_csv(pa.table(dict(zip(arrow.column_names, plain))), path)
