"""How an `AssociationMatrix` leaves: dataframes, pictures, files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covey.table import atomic_write

if TYPE_CHECKING:
    import plotly.graph_objects

    from covey.measure._matrix import AssociationMatrix

_FORMAT = b"covey.association"
_BLOCKS = ("values", "n", "reasons", "pvalues", "sign", "error_bound")


def frame(columns: Mapping[str, Sequence[Any] | NDArray]) -> Any:
    """A dataframe of the columns: pandas if it is installed, else Polars, else a PyArrow table."""
    if find_spec("pandas"):
        import pandas

        return pandas.DataFrame(dict(columns))
    if find_spec("polars"):
        import polars

        return polars.DataFrame(dict(columns))
    import pyarrow

    return pyarrow.table(dict(columns))


def square_frame(values: NDArray, rows: Sequence[str], columns: Sequence[str]) -> Any:
    """A labelled dataframe of a matrix; where there is no index, the first column holds the row names."""
    if find_spec("pandas"):
        import pandas

        return pandas.DataFrame(values, index=list(rows), columns=list(columns))
    named: dict[str, Any] = {"feature": list(rows)}
    named.update({name: values[:, j] for j, name in enumerate(columns)})
    return frame(named)


def heatmap(matrix: AssociationMatrix, order: bool) -> plotly.graph_objects.Figure:
    """Interactive heatmap; signed values on a diverging scale, strengths on a sequential one."""
    import plotly.graph_objects as go

    from covey.measure._cluster import leaf_order

    rows, columns, values = list(matrix.rows), list(matrix.columns), matrix.values
    if order and matrix.is_square and len(rows) > 2:
        leaves = leaf_order(matrix.strength)
        rows = columns = [rows[k] for k in leaves]
        values = values[np.ix_(leaves, leaves)]
    signed = bool(np.nanmin(values, initial=0.0) < 0)
    top = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    top = 1.0 if top <= 1.0 else top
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=columns,
            y=rows,
            zmin=-top if signed else 0.0,
            zmax=top,
            colorscale="RdBu" if signed else "Viridis",
            colorbar={"title": matrix.measure},
            hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    side = max(420, min(1400, 26 * len(rows) + 180))
    figure.update_layout(title=f"{matrix.measure} association", height=side, width=side + 120)
    return figure


def save(matrix: AssociationMatrix, path: Path) -> None:
    """Write a matrix as one Parquet file: a row a pair, the rest in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    i, j = np.indices(matrix.shape)
    data: dict[str, Any] = {"row": i.ravel().astype(np.int32), "column": j.ravel().astype(np.int32)}
    for name in _BLOCKS:
        block = getattr(matrix, name)
        if block is not None:
            data[name] = block.ravel()
    meta = {
        key: getattr(matrix, key)
        for key in (
            "measure",
            "rows",
            "columns",
            "row_kinds",
            "column_kinds",
            "symmetric",
            "two_sets",
        )
    }
    meta["info"] = dict(matrix.info)
    table = pa.table(data).replace_schema_metadata({_FORMAT: json.dumps(meta, default=str).encode()})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def load(path: Path) -> AssociationMatrix:
    """Read what `save` wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from covey.measure._matrix import AssociationMatrix

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from None
    metadata = table.schema.metadata or {}
    if _FORMAT not in metadata:
        raise ValueError(f"{path} is no association matrix; write one with AssociationMatrix.save")
    meta = json.loads(metadata[_FORMAT])
    shape = len(meta["rows"]), len(meta["columns"])
    blocks = {name: table[name].to_numpy().reshape(shape) for name in _BLOCKS if name in table.column_names}
    for key in ("rows", "columns", "row_kinds", "column_kinds"):
        meta[key] = tuple(meta[key])
    return AssociationMatrix(**meta, **blocks)
