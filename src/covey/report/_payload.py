"""What the page's script reads: the report's numbers, quantised and compressed into one text."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from covey.measure import REASONS, AssociationMatrix
from covey.measure._measure import get
from covey.report._model import ReportData
from covey.table import Column, plain

# A value is stored as round(value / scale * LEVELS), a p-value as round(-log10(p) * DECADE).
LEVELS = 32_000
UNDEFINED = -32_768
DECADE = 180
NO_PVALUE = 65_535
MOST_CATEGORIES = 30
MISSING_CODE = 255

DType = Literal["u1", "i1", "u2", "i2", "i4", "f4"]


class Payload:
    """Arrays beside a JSON header, compressed, as base64 text.

    The bytes, once decompressed, are: the header's length (uint32, little endian), the header (padded with blanks to a
    multiple of eight), then the arrays, each at a multiple of eight from the header's end. The header refers to an
    array by ``[offset, length, dtype]``. Base64 has no character that HTML gives a meaning to, so nothing in a column's
    name can leave the element that holds it.

    Examples
    --------
    >>> payload = Payload()
    >>> payload.array(np.array([1, 2, 3]), "u1")
    [0, 3, 'u1']
    >>> payload.array(np.array([1.0, 2.0]), "f4")
    [8, 2, 'f4']
    >>> header, arrays = unpack(payload.text({"title": "a table"}))
    >>> header["title"], len(arrays)
    ('a table', 16)
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._known: dict[bytes, list[Any]] = {}

    def array(self, values: NDArray, dtype: DType) -> list[Any]:
        """Store a 1-D array (once, however often it is given) and return the header's reference to it."""
        raw = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()
        key = dtype.encode() + raw
        if key not in self._known:
            self._known[key] = [self._size, len(values), dtype]
            self._chunks += [raw, b"\0" * (-len(raw) % 8)]
            self._size += len(raw) + -len(raw) % 8
        return self._known[key]

    def text(self, header: dict[str, Any]) -> str:
        """Everything as one base64 text of gzip bytes."""
        head = json.dumps(plain(header), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
        head += b" " * ((-len(head) - 4) % 8)
        raw = b"".join([len(head).to_bytes(4, "little"), head, *self._chunks])
        # Large payloads are mostly noise-like numbers, on which higher levels cost seconds and win nothing.
        packer = zlib.compressobj(level=6 if len(raw) < 1 << 20 else 1, wbits=31)
        return base64.b64encode(packer.compress(raw) + packer.flush()).decode("ascii")


def unpack(text: str) -> tuple[dict[str, Any], bytes]:
    """Header and array bytes of a payload's text; what the page's script does, for tests and other readers."""
    raw = zlib.decompress(base64.b64decode(text), wbits=31)
    end = 4 + int.from_bytes(raw[:4], "little")
    return json.loads(raw[4:end]), raw[end:]


def pack(data: ReportData) -> str:
    """The payload of a report.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    str
        Base64 text.

    Raises
    ------
    ValueError
        If a matrix is not square over `data.features` in their order.
    """
    payload = Payload()
    position = {name: k for k, name in enumerate(data.features)}
    return payload.text(
        {
            "title": data.title,
            "target": data.target,
            "nRows": data.n_rows,
            "features": data.features,
            "reasons": REASONS,
            "constants": {"levels": LEVELS, "undefined": UNDEFINED, "decade": DECADE, "noPvalue": NO_PVALUE},
            "matrices": [_matrix(payload, m, name, data.features) for name, m in data.matrices.items()],
            "groups": data.groups,
            "tree": [[position[a], position[b], s] for a, b, s in data.tree],
            "relevance": [
                {"name": r.name, "estimates": {k: [e.value, e.low, e.high, e.pvalue] for k, e in r.estimates.items()}}
                for r in data.relevance
            ],
            "reversals": data.reversals,
            "orders": data.order_effects,
            "lagged": data.lagged,
            "columns": data.columns,
            "findings": [
                {"kind": f.kind, "title": f.title, "view": {"kind": f.view.kind, "columns": f.view.columns}}
                for f in data.findings
            ],
            "sample": {
                "rows": data.sample.n_rows,
                "columns": [_sample_column(payload, data.sample.column(name)) for name in data.features],
            },
        }
    )


def _matrix(payload: Payload, matrix: AssociationMatrix, name: str, features: tuple[str, ...]) -> dict[str, Any]:
    if matrix.rows != features or matrix.columns != features:
        raise ValueError(f"the matrix of {name!r} is not over the report's features in display order")
    size = len(features)
    kept = np.triu_indices(size) if matrix.symmetric else tuple(np.indices((size, size)).reshape(2, -1))
    values = matrix.values[kept]
    largest = float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))
    scale = 1.0 if largest <= 1.0 else largest
    summary, signed = _about(name, matrix)
    return {
        "name": name,
        "summary": summary,
        "signed": signed,
        "symmetric": matrix.symmetric,
        "scale": scale,
        "values": payload.array(quantise_values(values, scale), "i2"),
        "n": payload.array(matrix.n[kept], "i4"),
        "reasons": payload.array(matrix.reasons[kept], "u1"),
        "pvalues": None if matrix.pvalues is None else payload.array(quantise_pvalues(matrix.pvalues[kept]), "u2"),
        "sign": None if matrix.sign is None else payload.array(matrix.sign[kept], "i1"),
    }


def _about(name: str, matrix: AssociationMatrix) -> tuple[str, bool]:
    """One line about a measure, and whether its negative values mean the opposite direction."""
    try:
        measure = get(name)
    except ValueError:
        return "", bool(np.nanmin(matrix.values, initial=0.0) < 0)
    return measure.summary, measure.signed


def quantise_values(values: NDArray[np.float64], scale: float) -> NDArray[np.int16]:
    """Values in -scale..scale as int16; undefined as -32768.

    Examples
    --------
    >>> quantise_values(np.array([0.5, -1.0, np.nan]), 1.0).tolist()
    [16000, -32000, -32768]
    """
    finite = np.isfinite(values)
    return np.where(finite, np.rint(np.where(finite, values, 0.0) / scale * LEVELS), UNDEFINED).astype(np.int16)


def quantise_pvalues(pvalues: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Minus the logarithm of p-values as uint16, undefined as 65535; within 0.7 % of p.

    Examples
    --------
    >>> quantise_pvalues(np.array([1.0, 0.1, 0.0, np.nan])).tolist()
    [0, 180, 65534, 65535]
    """
    defined = np.isfinite(pvalues)
    smallest = 10.0 ** (-(NO_PVALUE - 1) / DECADE) or np.finfo(float).smallest_subnormal
    codes = np.rint(-DECADE * np.log10(np.clip(np.where(defined, pvalues, 1.0), smallest, 1.0)))
    codes[defined & (pvalues <= 0)] = NO_PVALUE - 1
    return np.where(defined, codes, NO_PVALUE).astype(np.uint16)


def _sample_column(payload: Payload, column: Column) -> dict[str, Any]:
    """Rows of one column: codes with labels, codes with their few numbers, or float32 above the smallest value."""
    if column.categories is not None:
        codes, labels = frequent_codes(column.values, column.categories)
        return {"kind": column.kind, "labels": labels, "values": payload.array(codes, "u1")}
    present = ~np.isnan(column.values)
    levels, positions = np.unique(column.values[present], return_inverse=True)
    if len(levels) < MISSING_CODE:
        filled = np.full(len(column.values), MISSING_CODE, dtype=np.uint8)
        filled[present] = positions
        return {"kind": column.kind, "levels": levels, "values": payload.array(filled, "u1")}
    return {
        "kind": column.kind,
        "offset": float(levels[0]),
        "values": payload.array(column.values - levels[0], "f4"),
    }


def frequent_codes(codes: NDArray[np.int32], categories: tuple[str, ...]) -> tuple[NDArray[np.uint8], list[str]]:
    """Codes renumbered by falling frequency; beyond thirty categories the rest become one.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int32
        -1 is missing.
    categories : tuple of str

    Returns
    -------
    codes : ndarray of shape (n_rows,), uint8
        255 is missing.
    labels : list of str

    Examples
    --------
    >>> frequent_codes(np.array([2, 2, 0, -1], dtype=np.int32), ("a", "b", "c"))
    (array([  0,   0,   1, 255], dtype=uint8), ['c', 'a'])
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    ranked = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    if len(ranked) > MOST_CATEGORIES + 1:
        labels = [categories[c] for c in ranked[:MOST_CATEGORIES]] + [f"{len(ranked) - MOST_CATEGORIES} others"]
    else:
        labels = [categories[c] for c in ranked]
    lookup = np.full(len(categories) + 1, MISSING_CODE, dtype=np.uint8)  # the last entry answers code -1
    lookup[ranked] = np.minimum(np.arange(len(ranked)), len(labels) - 1)
    return lookup[codes], labels
