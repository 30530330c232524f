"""Joint counts of columns and a target that come in chunks: added up exactly, or scored chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._coding import numeric_levels
from covey.measure._matrix import CONSTANT as CONSTANT_TOGETHER
from covey.measure._matrix import REASONS
from covey.measure._sketch import DistinctSketch
from covey.measure._stream import sketch_columns
from covey.measure.nominal import equal_count_bins
from covey.select._base import CONSTANT, MISSING
from covey.select._table_scores import (
    Coded,
    ColumnQuality,
    Score,
    background_of_counts,
    flagged,
    quality,
    score_pair,
    sum_c_log_c,
)
from covey.table import BlockSource, Column, FeatureTable

Batches = Literal["merge", "mean", "median"]
UNDEFINED = REASONS[CONSTANT_TOGETHER]
MAX_CELLS = 1 << 20  # distinct pairs of values that are counted for a column; beyond, its batches are scored
_LARGEST = 2**31 - 1
_LOW = 0xFFFFFFFF
_SWITCH = ("0", "1")


class PairCounts:
    """How often each pair (value of a column, value of the target) occurs; grows with the pairs, not with the rows."""

    def __init__(self) -> None:
        self._keys, self._counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def update(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> Self:
        """Add rows, as codes from -2^31 to 2^31 and from 0 to 2^31."""
        from covey.select._cardinality_kernels import compact

        keys = (x.astype(np.int64) << 32) | y.astype(np.int64)
        codes, n = compact(keys)
        distinct = np.empty(n, dtype=np.int64)
        distinct[codes] = keys
        return self._add(distinct, np.bincount(codes, minlength=n))

    def merge(self, other: Self) -> Self:
        """Add what another has counted."""
        return self._add(other._keys, other._counts)

    def move(self, code: int) -> None:
        """Give all rows so far this code of the column."""
        self._keys = (np.int64(code) << 32) | (self._keys & _LOW)

    def _add(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> Self:
        self._keys, where = np.unique(np.concatenate([self._keys, keys]), return_inverse=True)
        joined = np.concatenate([self._counts, counts])
        self._counts = np.bincount(where, weights=joined, minlength=len(self._keys)).astype(np.int64)
        return self

    def margins(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of each value of the column, and of the target."""
        parts = []
        for codes in (self._keys >> 32, self._keys & _LOW):
            where = np.unique(codes, return_inverse=True)[1]
            parts.append(np.bincount(where, weights=self._counts).astype(np.int64))
        return parts[0], parts[1]

    def score(self, how: Score) -> float:
        """The score, which must be a function of counts; NaN where a side is constant."""
        a, b = self.margins()
        if len(a) < 2 or len(b) < 2:
            return float("nan")
        return (sum_c_log_c(self._counts) - background_of_counts(a, b, how.correction)) / int(a.sum())

    def values(self) -> NDArray[np.int64]:
        """The distinct codes of the column."""
        return np.unique(self._keys >> 32)


@dataclass(eq=False)
class ChunkScores:
    """The state of a ranking that is fed with chunks of coded columns.

    Parameters
    ----------
    names : tuple of str
    how : Score
    batches : {"merge", "mean", "median"}
    """

    names: tuple[str, ...]
    how: Score
    batches: Batches = "merge"
    n_rows: int = 0
    counts: list[PairCounts | None] = field(default_factory=list)
    present: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    sketches: dict[int, DistinctSketch] = field(default_factory=dict)  # of the codes of columns whose counts are None

    def __post_init__(self) -> None:
        self.counts = [PairCounts() for _ in self.names]
        self.present = np.zeros(len(self.names), dtype=np.int64)

    def add(self, columns: Sequence[NDArray[np.integer]], missing: Sequence[NDArray[np.bool_]], y: Coded) -> Self:
        """Add one chunk: codes and missing rows of each column, and the complete target."""
        self.n_rows += len(y.codes)
        batch = np.full(len(self.names), np.nan)
        for j, (codes, absent) in enumerate(zip(columns, missing)):
            x, target = (codes[~absent], y.codes[~absent]) if absent.any() else (codes, y.codes)
            self.present[j] += len(x)
            counts = self.counts[j]
            if counts is None:
                self.sketches[j].update(x)
            elif len(counts.update(x, target)) > MAX_CELLS:
                self._give_up(j)
            batch[j] = _score_chunk(x, Coded(target, y.n_levels), self.how)
        self.scores.append(batch)
        return self

    def merge(self, other: Self) -> Self:
        """Add what another state has seen after this one."""
        self.n_rows += other.n_rows
        self.present = self.present + other.present
        self.scores = self.scores + other.scores
        for j, (mine, theirs) in enumerate(zip(self.counts, other.counts)):
            if mine is not None and theirs is not None and len(mine.merge(theirs)) <= MAX_CELLS:
                continue
            self._give_up(j)
            if theirs is None:
                self.sketches[j].merge(other.sketches[j])
            else:
                self.sketches[j].update(theirs.values())
        return self

    def _give_up(self, j: int) -> None:
        """Count the pairs of column `j` no more, but go on with a sketch of its codes."""
        counts, self.counts[j] = self.counts[j], None
        if counts is not None:
            self.sketches[j] = DistinctSketch().update(counts.values())

    def reasons(self) -> tuple[str, ...]:
        """Why each column would have no score."""
        return tuple(
            MISSING if not present else CONSTANT if counts is not None and len(counts.values()) == 1 else UNDEFINED
            for present, counts in zip(self.present, self.counts)
        )

    def result(self) -> NDArray[np.float64]:
        """One score a column: of the merged counts, or the mean or median of the scores of chunks."""
        values = np.array(self.scores).reshape(-1, len(self.names))
        defined = ~np.isnan(values).all(axis=0)
        out = np.full(len(self.names), np.nan)
        average = np.nanmedian if self.batches == "median" else np.nanmean
        out[defined] = average(values[:, defined], axis=0)
        if self.batches == "merge":
            for j, counts in enumerate(self.counts):
                if counts is not None:
                    out[j] = counts.score(self.how)
        return out

    def quality(self, labels: Mapping[int, DistinctSketch] | None = None) -> tuple[ColumnQuality, ...]:
        """The quality of each column; of those whose counts were given up, from sketches of codes or of `labels`."""
        out = []
        for j, (name, counts) in enumerate(zip(self.names, self.counts)):
            if counts is not None:
                out.append(quality(name, counts.margins()[0], self.n_rows))
            else:
                cardinality = (labels or {}).get(j, self.sketches[j]).result()
                out.append(flagged(name, cardinality, float(self.present[j]) / self.n_rows, float("nan")))
        return tuple(out)


def _score_chunk(x: NDArray[np.integer], y: Coded, how: Score) -> float:
    from covey.select._cardinality_kernels import compact

    codes, n = compact(x.astype(np.int64))
    return score_pair(Coded(codes, max(n, 1)), y, how)


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of about equal count: from a number to its bin; `edges` are the smallest values of all but the first."""

    edges: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], weights: NDArray[np.float64], most: int) -> Bins:
        """Bins of a column with these ascending distinct values and their weights."""
        edges = numeric_levels(values, weights, most, "rank")[0].edges if len(values) else None
        return cls(np.zeros(0) if edges is None else edges)

    @property
    def n_levels(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.integer]:
        return np.searchsorted(self.edges, values, "right")


def whole_codes(name: str, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers that are codes themselves; missing ones as 0.

    Raises
    ------
    ValueError
        If they are no whole numbers below 2^31.
    """
    present = values[~np.isnan(values)]
    if not np.array_equal(present, np.floor(present)) or np.abs(present).max(initial=0.0) > _LARGEST:
        raise ValueError(
            f"column {name!r} holds numbers that are no codes (whole, below 2^31); chunks of it need "
            "discrete_features=False"
        )
    return np.nan_to_num(values).astype(np.int64)


@dataclass(eq=False)
class _BlockScores:
    """`ChunkScores` of blocks, given the bins of numbers."""

    chunks: ChunkScores
    target: str
    n_classes: int
    bins: Mapping[str, Bins]

    def update(self, block: FeatureTable) -> Self:
        columns = [block[name] for name in self.chunks.names]
        y = Coded(self._codes(block[self.target]).astype(np.int32), self.n_classes)
        self.chunks.add([self._codes(c) for c in columns], [c.missing for c in columns], y)
        return self

    def _codes(self, column: Column) -> NDArray[np.integer]:
        if column.categories is not None:
            return column.values
        bins = self.bins.get(column.name)
        return whole_codes(column.name, column.values) if bins is None else bins(column.values)

    def merge(self, other: Self) -> Self:
        self.chunks.merge(other.chunks)
        return self

    def result(self) -> ChunkScores:
        return self.chunks


def score_blocks(
    source: BlockSource, target: str, how: Score, batches: Batches, n_bins: int | None, discrete: bool, engine: Engine
) -> ChunkScores:
    """The scores of the columns of a source against its column `target`, after a pass that bins numbers."""
    head = source.head()
    names = tuple(name for name in source.names if name != target)
    numbers = [] if discrete else [name for name in names if not head[name].is_coded]
    summaries = dict(zip([*numbers, target], sketch_columns(source, [*numbers, target], engine)))
    most = n_bins or equal_count_bins(int(summaries[target].weights.sum()))
    categories = head[target].categories
    if categories is not None:
        del summaries[target]
    bins = {name: Bins.of(s.values, s.weights, most) for name, s in summaries.items()}
    n_classes = bins[target].n_levels if categories is None else len(categories)
    return engine.reduce(partial(_fresh, names, how, batches, target, n_classes, bins), source).result()


def _fresh(
    names: tuple[str, ...], how: Score, batches: Batches, target: str, n_classes: int, bins: Mapping[str, Bins]
) -> _BlockScores:
    return _BlockScores(ChunkScores(names, how, batches), target, n_classes, bins)


class ChunkCoder:
    """Codes that agree between chunks of rows whose categories do not: by label, by bins of the first chunk.

    Parameters
    ----------
    first : FeatureTable
        The first chunk.
    target : Column
        Its target.
    n_bins : int, optional
    discrete : bool
    """

    def __init__(self, first: FeatureTable, target: Column, n_bins: int | None, discrete: bool) -> None:
        self.most = n_bins or equal_count_bins(first.n_rows)
        self.discrete = discrete
        self.labels: dict[int, dict[str, int]] = {}
        self.numbers: set[int] = set()
        self.bins: dict[int, Bins] = {}
        self.constants: dict[int, float] = {}  # of columns of numbers, the first that was seen
        self.sketches: dict[int, DistinctSketch] = {}  # of labels, once their counts are given up
        self.classes: dict[str, int] | None = {} if target.is_coded else None
        self.target_bins = None if target.is_coded else _bins_of(target.values, self.most)
        if self.target_bins is not None and self.target_bins.n_levels == 1:
            raise ValueError(
                "y has a single value in the first chunk, which cuts the numbers of y into bins for all chunks; begin "
                "with a chunk in which y varies, or use target_kind='categorical'"
            )

    @property
    def target_kind(self) -> Literal["numeric", "categorical"]:
        """How later targets are read."""
        return "numeric" if self.classes is None else "categorical"

    def target(self, column: Column) -> Coded:
        """The chunk's target in codes."""
        if self.classes is None or column.categories is None:
            assert self.target_bins is not None
            return Coded(self.target_bins(column.values).astype(np.int32), self.target_bins.n_levels)
        codes = _by_label(column, self.classes).astype(np.int32)
        return Coded(codes, len(self.classes))

    def columns(self, chunk: FeatureTable, state: ChunkScores) -> list[NDArray[np.integer]]:
        """The chunk's columns in codes; of columns whose counts were given up, in codes of this chunk alone."""
        return [self._code(j, column, state) for j, column in enumerate(chunk.columns())]

    def _code(self, j: int, column: Column, state: ChunkScores) -> NDArray[np.integer]:
        absent = column.missing
        if absent.all():
            return np.zeros(len(absent), dtype=np.int64)
        column = self._settled(j, column)
        if j in self.labels:
            return column.values if state.counts[j] is None else _by_label(column, self.labels[j])
        if self.discrete:
            return whole_codes(column.name, column.values)
        return self._binned(j, column.values, absent, state.counts[j])

    def _settled(self, j: int, column: Column) -> Column:
        """The column as words or as numbers, as before; what it is, is settled by the first chunk that has values.

        Zeros and ones are read as two labels, but may turn out to be numbers.
        """
        switch = column.categories is not None and set(column.categories) <= set(_SWITCH)
        if j not in self.labels and j not in self.numbers:
            if column.is_coded:
                self.labels[j] = {label: code for code, label in enumerate(_SWITCH)} if switch else {}
            else:
                self.numbers.add(j)
        if j in self.numbers and switch:
            values = np.array([*map(float, column.categories or ()), np.nan])[column.values]
            return Column(column.name, "numeric", values)
        if j in self.labels and not column.is_coded and set(self.labels[j]) == set(_SWITCH):
            del self.labels[j]
            self.numbers.add(j)
            self.bins[j] = Bins(np.array([1.0]))  # whose codes are those of the labels
        if column.is_coded != (j in self.labels):
            kinds = ("words", "numbers") if column.is_coded else ("numbers", "words")
            raise ValueError(f"column {column.name!r} holds {kinds[0]} now and held {kinds[1]} before; encode it alike")
        return column

    def _binned(
        self, j: int, values: NDArray[np.float64], absent: NDArray[np.bool_], counts: PairCounts | None
    ) -> NDArray[np.integer]:
        """Bins by the first chunk in which the column varies; rows before it are then given their bin."""
        known = self.bins.get(j)
        if known is None or known.n_levels == 1:
            first = self.constants.setdefault(j, float(values[~absent][0]))
            known = self.bins[j] = _bins_of(np.append(values[~absent], first) if j in self.bins else values, self.most)
            if counts is not None and known.n_levels > 1:
                counts.move(int(known(np.array([first]))[0]))
        return known(values)

    def count_labels(self, chunk: FeatureTable, state: ChunkScores) -> None:
        """Once the counts of a column of words are given up, a sketch counts its labels: first all those so far."""
        for j, column in enumerate(chunk.columns()):
            if j not in self.labels or state.counts[j] is not None:
                continue
            labels = _labels(column)
            if j not in self.sketches:
                self.sketches[j], labels = DistinctSketch(), list(self.labels[j])
                self.labels[j].clear()
            if labels:
                self.sketches[j].update(np.array(labels, dtype=object))


def _bins_of(values: NDArray[np.float64], most: int) -> Bins:
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return Bins.of(distinct, counts.astype(np.float64), most)


def _by_label(column: Column, known: dict[str, int]) -> NDArray[np.int64]:
    categories, seen = column.categories or (), _seen(column)
    lookup = [known.setdefault(label, len(known)) if there else -1 for label, there in zip(categories, seen)]
    return np.array([*lookup, -1], dtype=np.int64)[column.values]


def _labels(column: Column) -> list[str]:
    """The categories that occur in a column."""
    return [label for label, there in zip(column.categories or (), _seen(column)) if there]


def _seen(column: Column) -> list[bool]:
    return (np.bincount(column.values[~column.missing], minlength=len(column.categories or ())) > 0).tolist()
