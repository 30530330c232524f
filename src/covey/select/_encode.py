"""Columns of any kind as numbers for a learner, fitted on training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from covey.measure._store import ColumnStore
from covey.table import FeatureTable

Array = NDArray[np.float64]
MOST_LEVELS = 30  # rows of rarer levels are zero in all indicators


@dataclass(frozen=True, eq=False)
class Encoding:
    """How columns become numbers.

    Numbers are standardised, their gaps (and infinite values) filled by the median and marked by a column of their
    own; each frequent level of a category has an indicator.

    Parameters
    ----------
    owner : ndarray of shape (n_encoded,), int64
        The column of the table that each encoded column comes from.

    Examples
    --------
    >>> from covey.table import read
    >>> table = read({"size": [1.0, None, 3.0, 5.0], "city": ["Rome", "Oslo", "Rome", "Rome"]})
    >>> encoding = Encoding.fit(table, np.array([0, 1, 2]))
    >>> encoding.owner.tolist(), encoding.apply(table).round(1).tolist()[3]
    ([0, 0, 1, 1], [3.7, 0.0, 0.0, 1.0])
    """

    owner: NDArray[np.int64]
    _numbers: NDArray[np.intp]
    _fill: Array
    _centre: Array
    _scale: Array
    _marked: NDArray[np.intp]
    _levels: tuple[tuple[int, NDArray[np.intp]], ...]

    @classmethod
    def fit(cls, table: FeatureTable, rows: NDArray[np.intp], scaled: bool = True) -> Self:
        """Learn medians, scales and levels from some rows; ``scaled=False`` leaves numbers in their units."""
        words = np.array([kind == "categorical" for kind in table.kinds], dtype=bool)
        numbers = np.flatnonzero(~words)
        block = _block(table, numbers)[rows]
        gaps = np.isnan(block)
        fill = np.zeros(len(numbers))
        some, known = gaps.any(axis=0) & ~gaps.all(axis=0), ~gaps.all(axis=0)
        if len(rows):
            fill[known] = np.median(block[:, known], axis=0)  # other rows may have gaps where these have none
            fill[some] = np.nanmedian(block[:, some], axis=0)
        block = np.where(gaps, fill, block)
        centre, scale = centre_and_spread(block)
        levels = tuple((int(j), _frequent(table.columns()[j].values[rows])) for j in np.flatnonzero(words))
        owner = [numbers, numbers[some], *(np.full(len(found), j) for j, found in levels)]
        return cls(
            np.concatenate(owner).astype(np.int64),
            numbers,
            fill,
            centre if scaled else np.zeros(len(numbers)),
            scale if scaled else np.ones(len(numbers)),
            np.flatnonzero(some),
            levels,
        )

    def apply(self, table: FeatureTable) -> Array:
        """All rows of the table, shape (n_rows, n_encoded)."""
        block = _block(table, self._numbers)
        gaps = np.isnan(block)
        scaled = (np.where(gaps, self._fill, block) - self._centre) / self._scale
        indicators = [table.columns()[j].values[:, None] == found for j, found in self._levels]
        return np.concatenate([scaled, gaps[:, self._marked], *indicators], axis=1, dtype=np.float64)


def centre_and_spread(block: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, whatever its unit; of a constant one its value and 1.

    Examples
    --------
    >>> centre, spread = centre_and_spread(np.array([[0.1, 1e200], [0.1, 3e200], [0.1, 5e200]]))
    >>> (centre / [1.0, 1e200]).round(2).tolist(), (spread / [1.0, 1e200]).round(2).tolist()
    ([0.1, 3.0], [1.0, 1.63])
    """
    if not len(block):
        return np.zeros(block.shape[1]), np.ones(block.shape[1])
    varies = block.max(axis=0) > block.min(axis=0)  # the rounding of a mean would give constants a spread
    centre = np.where(varies, block.mean(axis=0), block[0])
    reach = np.where(varies, np.abs(block - centre).max(axis=0), 1.0)
    spread = np.where(varies, reach * ((block - centre) / reach).std(axis=0), 1.0)
    return centre, spread


def _block(table: FeatureTable, columns: NDArray[np.intp]) -> Array:
    """Some columns as numbers, shape (n_rows, n_columns), NaN for missing and infinite values."""
    store = ColumnStore(table.columns())
    out = np.empty((table.n_rows, len(columns)), order="F")
    for k, j in enumerate(columns):
        out[:, k] = store.numbers(int(j))
    out[np.isinf(out)] = np.nan
    return out


def _frequent(codes: NDArray[np.integer]) -> NDArray[np.intp]:
    """The most frequent codes, rising; -1 (missing) is a level like others."""
    counts = np.bincount(codes + 1)
    often = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return np.sort(often[counts[often] > 0]) - 1
