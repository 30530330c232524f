"""A column of words as distinct labels and codes, and what the labels are: numbers, dates, or words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity))$"
_DATE = r"^\d{4}[-/]\d{2}[-/]\d{2}([T ].*)?$"
_ZONE = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"
_TRUTH = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))


@dataclass(frozen=True, eq=False)
class Words:
    """Distinct labels that occur, without blanks around them, and the label of each row.

    Parameters
    ----------
    labels : pyarrow Array of text, length n_labels
    codes : ndarray of shape (n_rows,), int64
        Positions in `labels`; -1 is missing.
    counts : ndarray of shape (n_labels,), int64
        Rows of each label, at least 1.
    """

    labels: pa.Array
    codes: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def n_present(self) -> int:
        """Rows that are not missing."""
        return int(self.counts.sum())


def encode(values: pa.Array, missing: Sequence[str]) -> Words:
    """Distinct labels of a text or dictionary array, in order of appearance (that of the dictionary, if it is one).

    Examples
    --------
    >>> words = encode(pa.array(["b ", "a", "?", None, "b"]), ["?"])
    >>> words.labels.to_pylist(), words.codes.tolist(), words.counts.tolist()
    (['b', 'a'], [0, 1, -1, -1, 0], [2, 1])
    """
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    trimmed = pc.utf8_trim_whitespace(values.dictionary.cast(pa.string()))
    absent = pc.is_in(trimmed, value_set=pa.array(missing, pa.string()))
    distinct = pc.if_else(absent, None, trimmed).dictionary_encode()
    position = np.append(_indices(distinct), -1)
    codes = position[_indices(values)]
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct.dictionary))
    if counts.all():
        return Words(distinct.dictionary, codes, counts)
    used = counts > 0
    renumbered = np.append(np.where(used, np.cumsum(used) - 1, -1), -1)
    return Words(distinct.dictionary.filter(pa.array(used)), renumbered[codes], counts[used])


def _indices(values: pa.DictionaryArray) -> NDArray[np.int64]:
    return values.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)


def numbers_of(labels: pa.Array) -> NDArray[np.float64]:
    """Labels as numbers; NaN where a label is none.

    Examples
    --------
    >>> numbers_of(pa.array(["1", "+2.5", "1_000", "x", "inf"])).tolist()
    [1.0, 2.5, nan, nan, inf]
    """
    is_number = pc.match_substring_regex(labels, _NUMBER)
    text = pc.utf8_ltrim(labels.filter(is_number), "+")
    numbers = np.full(len(labels), np.nan)
    numbers[is_number.to_numpy(zero_copy_only=False)] = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def dates_of(labels: pa.Array) -> NDArray[np.float64] | None:
    """ISO dates as seconds since 1970 (UTC where no zone is told), or None when a label is no date.

    Examples
    --------
    >>> dates_of(pa.array(["1970-01-02", "1970-01-01 01:00:00+01:00"]))
    array([86400.,     0.])
    """
    if not pc.all(pc.match_substring_regex(labels, _DATE)).as_py():
        return None
    zoned = pc.match_substring_regex(labels, _ZONE)
    text = pc.replace_substring(labels, "/", "-")
    seconds = np.empty(len(labels))
    for mask, zone in ((zoned, "UTC"), (pc.invert(zoned), None)):
        try:
            ticks = text.filter(mask).cast(pa.timestamp("us", zone)).cast(pa.int64())
        except pa.ArrowInvalid:
            return None
        seconds[mask.to_numpy(zero_copy_only=False)] = ticks.to_numpy(zero_copy_only=False) / 1e6
    return seconds


def is_truth(labels: Sequence[str]) -> bool:
    """Whether two labels, false first, are false and true, no and yes, or their initials."""
    return tuple(label.lower() for label in labels) in _TRUTH


def in_order(labels: pa.Array) -> NDArray[np.int64]:
    """The order of categories: by character, but no before Yes."""
    few = labels.to_pylist() if len(labels) == 2 else []
    by_truth = sorted(few, key=str.lower)
    if is_truth(by_truth):
        return np.array([few.index(label) for label in by_truth])
    return pc.sort_indices(labels).to_numpy(zero_copy_only=False).astype(np.int64)
