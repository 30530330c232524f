"""From one Arrow array to one typed `Column`: what its values are, and what had to be mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from covey.table._table import KINDS, Column, Kind, Note
from covey.table._words import Words, dates_of, encode, in_order, is_truth, numbers_of

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null", "None", "#N/A", "<NA>")
_FEW_ROWS = 30  # below this, being unique says little
_MOSTLY_NUMBERS = 0.95


def make_column(
    name: str,
    values: pa.Array,
    kind: str | None = None,
    missing: Sequence[str] = MISSING,
    whole: bool = True,
) -> tuple[Column, list[Note]]:
    """Type one column.

    Parameters
    ----------
    name : str
    values : pyarrow Array of length n_rows
    kind : Kind, optional
        Use this kind rather than the inferred one.
    missing : sequence of str
        Words (after stripping blanks) that mean missing.
    whole : bool
        False for a block of a longer column, of which one cannot tell that it is constant, unique or only 0 and 1.

    Returns
    -------
    column : Column
    notes : list of Note

    Raises
    ------
    ValueError
        If the kind is unknown or cannot be made of these values.
    TypeError
        If the column holds lists, structures or bytes.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"column {name!r}: no kind {kind!r}; choose one of {', '.join(KINDS)}")
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    values = _plain(values)
    kind_of = values.type
    if pa.types.is_nested(kind_of) or _is_bytes(kind_of):
        raise TypeError(f"column {name!r} holds {kind_of}; expand it into columns of numbers or text, or leave it out")
    if pa.types.is_boolean(kind_of) and values.null_count < len(values):
        codes = values.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        if kind in ("numeric", "datetime"):
            return _numeric(name, np.where(codes < 0, np.nan, codes), kind, whole)
        return _coded(name, codes, ("False", "True"), kind or "boolean", whole and kind is None), []
    if pa.types.is_temporal(kind_of):
        numbers = _seconds(values)
        return _numeric(name, numbers, kind, whole, default="numeric" if pa.types.is_duration(kind_of) else "datetime")
    if pa.types.is_null(kind_of) or pa.types.is_boolean(kind_of):
        return _numeric(name, np.full(len(values), np.nan), kind, whole)
    if _is_words(kind_of):
        return _from_words(name, values, kind, missing, whole)
    if pa.types.is_dictionary(kind_of) and kind is None:
        column, notes = _numeric(name, _floats(values), "categorical", whole)
        assert column.categories is not None
        return _coded(name, column.values, column.categories, "categorical", whole), notes
    return _numeric(name, _floats(values), kind, whole, integer=pa.types.is_integer(kind_of))


def _plain(values: pa.Array) -> pa.Array:
    """Values without their extension type; UUIDs as text; only text and numbers stay dictionaries."""
    if isinstance(values, pa.ExtensionArray):
        if pa.types.is_fixed_size_binary(values.storage.type):
            return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
        values = values.storage
    if pa.types.is_dictionary(values.type):
        labels = values.type.value_type
        if pa.types.is_boolean(labels) or pa.types.is_temporal(labels) or pa.types.is_null(labels):
            return values.dictionary_decode()
    return values


def _is_bytes(kind_of: pa.DataType) -> bool:
    return pa.types.is_binary(kind_of) or pa.types.is_large_binary(kind_of) or pa.types.is_fixed_size_binary(kind_of)


def from_numbers(
    name: str, values: NDArray[np.float64], kind: str | None, integer: bool, whole: bool = True
) -> tuple[Column, list[Note]]:
    """`make_column` for a float64 array with NaN for missing."""
    return _numeric(name, values, kind, whole, integer=integer)


def _is_words(kind_of: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind_of):
        kind_of = kind_of.value_type
    return pa.types.is_string(kind_of) or pa.types.is_large_string(kind_of) or pa.types.is_string_view(kind_of)


def _floats(values: pa.Array) -> NDArray[np.float64]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    numbers = values.cast(pa.float64(), safe=False)
    if not numbers.null_count:
        return numbers.to_numpy(zero_copy_only=False)
    return pc.fill_null(numbers, float("nan")).to_numpy(zero_copy_only=False)


def _seconds(values: pa.Array) -> NDArray[np.float64]:
    kind_of = values.type
    if pa.types.is_date(kind_of):
        values, unit = values.cast(pa.timestamp("s"), safe=False), "s"
    else:
        unit = kind_of.unit
    ticks = pc.cast(values, pa.int64() if unit in ("us", "ns") or not pa.types.is_time32(kind_of) else pa.int32())
    per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    return _floats(ticks) / per_second


def _numeric(
    name: str,
    numbers: NDArray[np.float64],
    kind: str | None,
    whole: bool,
    integer: bool = False,
    default: Kind = "numeric",
) -> tuple[Column, list[Note]]:
    notes = []
    infinite = np.isinf(numbers)
    if infinite.any():
        numbers = np.where(infinite, np.nan, numbers)
        notes.append(Note(name, "infinite", f"{name}: {int(infinite.sum())} infinite values are taken as missing"))
    if kind in ("categorical", "boolean", "text"):
        return _labelled(name, numbers, kind), notes
    found: Kind = default
    if kind is not None:
        found = kind  # type: ignore[assignment]
    elif whole:
        found = _numeric_kind(name, numbers, integer, default)
    if found == "boolean":
        return _labelled(name, numbers, "boolean"), notes
    if found == "constant" and np.isnan(numbers).all():
        notes.append(Note(name, "missing", f"{name}: every value is missing"))
    return Column(name, found, np.ascontiguousarray(numbers, dtype=np.float64)), notes


def _numeric_kind(name: str, numbers: NDArray[np.float64], integer: bool, default: Kind) -> Kind:
    present = numbers[~np.isnan(numbers)]
    if not len(present):
        return "constant"
    low, high = present.min(), present.max()
    if low == high:
        return "constant" if len(numbers) > 1 else default
    if default != "numeric":
        return default
    if low == 0.0 and high == 1.0 and bool(((present == 0.0) | (present == 1.0)).all()):
        return "boolean"
    whole_numbers = integer or bool((present == np.floor(present)).all())
    if whole_numbers and len(present) == len(numbers) >= _FEW_ROWS:
        steps = high - low == len(present) - 1
        if (steps or _names_an_id(name)) and len(np.unique(present)) == len(present):
            return "id"
    return default


def _names_an_id(name: str) -> bool:
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    return (
        words[-1] in ("id", "uuid", "guid", "key", "index", "idx") or words[0] in ("id", "uuid") or name.endswith("ID")
    )


def _labelled(name: str, numbers: NDArray[np.float64], kind: str) -> Column:
    """Numbers as categories, in numeric order."""
    present = ~np.isnan(numbers)
    distinct, which = np.unique(numbers[present], return_inverse=True)
    if kind == "boolean" and len(distinct) > 2:
        raise ValueError(f"column {name!r} has {len(distinct)} distinct values and cannot be boolean")
    codes = np.full(len(numbers), -1, dtype=np.int32)
    codes[present] = which
    return Column(name, kind, codes, tuple(_number_label(v) for v in distinct))  # type: ignore[arg-type]


def _number_label(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _from_words(
    name: str, values: pa.Array, kind: str | None, missing: Sequence[str], whole: bool
) -> tuple[Column, list[Note]]:
    declared = pa.types.is_dictionary(values.type)
    words = encode(values, missing)
    if not len(words.labels):
        return _no_words(name, len(values), kind, whole)
    share = 0.0
    if kind in ("numeric", "datetime") or (kind is None and not declared):
        numbers = numbers_of(words.labels)
        share = words.counts[~np.isnan(numbers)].sum() / words.n_present
        if kind == "numeric" or (kind is None and share >= _MOSTLY_NUMBERS):
            return _mostly_numbers(name, words, numbers, kind, whole)
        seconds = dates_of(words.labels)
        if seconds is not None:
            return _numeric(name, np.append(seconds, np.nan)[words.codes], kind, whole, default="datetime")
        if kind == "datetime":
            raise ValueError(f"column {name!r} cannot be datetime: its values are not dates such as 2024-05-31")
    notes = []
    if share > 1.0 - _MOSTLY_NUMBERS:
        notes.append(Note(name, "mixed", f"{name}: {share:.0%} of the values are numbers, the others words"))
    if kind == "boolean" and len(words.labels) > 2:
        raise ValueError(f"column {name!r} has {len(words.labels)} distinct values and cannot be boolean")
    codes, categories = _sorted_codes(words, keep=declared and values.type.ordered)
    found = kind or _word_kind(categories, words.n_present, declared)
    return _coded(name, codes, categories, found, whole and kind is None), notes


def _no_words(name: str, n_rows: int, kind: str | None, whole: bool) -> tuple[Column, list[Note]]:
    """A column of text without a present value; of a block, one cannot tell what the later words will be."""
    if kind in ("categorical", "boolean", "text", "id") or (kind is None and not whole):
        return Column(name, kind or "categorical", np.full(n_rows, -1, dtype=np.int32), ()), []  # type: ignore[arg-type]
    return _numeric(name, np.full(n_rows, np.nan), kind, whole)


def _mostly_numbers(
    name: str, words: Words, numbers: NDArray[np.float64], kind: str | None, whole: bool
) -> tuple[Column, list[Note]]:
    lost = np.flatnonzero(np.isnan(numbers))
    if len(lost) == len(numbers) and whole:
        raise ValueError(f"column {name!r} cannot be numeric: none of its values is a number")
    column, notes = _numeric(name, np.append(numbers, np.nan)[words.codes], kind, whole)
    if len(lost):
        n, example = words.counts[lost].sum(), words.labels[lost[0]].as_py()
        notes.append(Note(name, "mixed", f"{name}: {n} values that are no numbers, such as {example!r}, are missing"))
    return column, notes


def _sorted_codes(words: Words, keep: bool) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Codes into the sorted labels (or, to `keep` a declared order, into the labels as they are)."""
    order = np.arange(len(words.labels)) if keep else in_order(words.labels)
    place = np.full(len(order) + 1, -1, dtype=np.int32)
    place[order] = np.arange(len(order))
    return place[words.codes], tuple(words.labels.take(pa.array(order)).to_pylist())


def _word_kind(categories: Sequence[str], n_present: int, declared: bool) -> str:
    if is_truth(categories):
        return "boolean"
    if declared or n_present < _FEW_ROWS or len(categories) < 0.5 * n_present:
        return "categorical"
    sample = categories[:: max(1, len(categories) // 500)]
    if np.mean([label.count(" ") for label in sample]) >= 2:
        return "text"
    return "id" if len(categories) == n_present else "categorical"


def _coded(name: str, codes: NDArray[np.int32], categories: tuple[str, ...], kind: str, whole: bool) -> Column:
    present = codes[codes >= 0]
    if whole and len(codes) > 1 and (not len(present) or present.min() == present.max()):
        kind = "constant"
    return Column(name, kind, codes, categories)  # type: ignore[arg-type]


def is_absent(value: Any) -> bool:
    """Whether a Python value stands for a missing one: None, NaN, NaT, or pandas' NA.

    Examples
    --------
    >>> [is_absent(value) for value in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    unequal = value is None or value != value
    return not isinstance(unequal, bool | np.bool_) or bool(unequal)  # pd.NA != pd.NA is pd.NA


def clean_names(names: Sequence[Any]) -> tuple[list[str], list[Note]]:
    """Unique, non-empty text names, with a note for each that was changed.

    Examples
    --------
    >>> clean_names(["a", "a", 3, ""])[0]
    ['a', 'a.1', '3', 'column_3']
    """
    out: list[str] = []
    notes = []
    taken = {n for n in names if isinstance(n, str)}
    used: set[str] = set()
    for k, original in enumerate(names):
        text = original if isinstance(original, str) else str(original)
        base = name = text.strip() or f"column_{k}"
        suffix = 0
        while name in used or (suffix and name in taken):
            suffix += 1
            name = f"{base}.{suffix}"
        used.add(name)
        out.append(name)
        if not isinstance(original, str) or name != original.strip():
            notes.append(Note(name, "renamed", f"column {original!r} is called {name!r} here"))
    return out, notes
