"""The report as plain data, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from covey.measure import REASONS, AssociationMatrix
from covey.report._files import write_text
from covey.report._model import ReportData
from covey.table import plain

_DATACLASS_FIELDS = (
    *("columns", "groups", "relevance", "reversals", "order_effects", "findings"),
    *("compositions", "factors", "indirect", "lagged", "directions", "subset"),
)


def to_json(data: ReportData) -> dict[str, Any]:
    """Everything the report knows except the sample of rows, as lists, mappings, numbers and text.

    Undefined numbers (NaN, infinities) are None.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    dict
        Keys are the fields of `ReportData`; ``"matrices"`` holds, by measure, ``values``, ``n`` and, where there are
        any, ``pvalues``, ``sign``, ``error_bound`` (nested lists over ``"features"``) and ``reasons`` (the text of
        each undefined pair).
    """
    document: dict[str, Any] = {
        "title": data.title,
        "target": data.target,
        "n_rows": data.n_rows,
        "n_columns": data.n_columns,
        "features": list(data.features),
    }
    document |= {name: plain(getattr(data, name)) for name in _DATACLASS_FIELDS}
    document["tree"] = [{"left": a, "right": b, "strength": plain(s)} for a, b, s in data.tree]
    document["matrices"] = {name: _matrix(matrix) for name, matrix in data.matrices.items()}
    document["how"] = plain(data.how)
    return document


def write_json(data: ReportData, path: str | Path) -> None:
    """Write `to_json` to `path`, whole or not at all.

    Parameters
    ----------
    data : ReportData
    path : str or Path

    Raises
    ------
    OSError
        If the file cannot be written; a file that was at `path` is then as it was.
    """
    write_text(path, json.dumps(to_json(data), ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def _matrix(matrix: AssociationMatrix) -> dict[str, Any]:
    out: dict[str, Any] = {"symmetric": matrix.symmetric, "info": plain(matrix.info)}
    for name in ("values", "n", "pvalues", "sign", "error_bound"):
        array = getattr(matrix, name)
        if array is not None:
            out[name] = _nested(array)
    out["reasons"] = [
        {"left": matrix.rows[i], "right": matrix.columns[j], "reason": REASONS[matrix.reasons[i, j]]}
        for i, j in np.argwhere(matrix.reasons > 0)
    ]
    return out


def _nested(array: np.ndarray) -> list[list[float | int | None]]:
    """A matrix as lists of rows, undefined entries as None."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array.tolist()
    cells = array.astype(object)
    cells[~np.isfinite(array)] = None
    return cells.tolist()
