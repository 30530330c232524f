"""`associate` over row blocks: constant memory, any number of rows, any engine.

A measure that is a function of moments or of joint tables streams: a first pass sketches the columns where the measure
needs ranks or bins, a second adds up moments or tables. Both passes are reductions of mergeable states, so the engine
decides where they run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._associate import PairPlan, pooled_notes, select_sides
from covey.measure._coding import Levels, Scale, category_levels, numeric_levels
from covey.measure._matrix import AssociationMatrix
from covey.measure._measure import Measure, PairStatistics
from covey.measure._moments import MomentState, ProductKernel, centre_and_scale, correlation_statistics
from covey.measure._sketch import QuantileSketch, Summary
from covey.measure._tables import Batch, TableKernel, batches, collect, counter
from covey.measure.auto import AutoKernel, with_sign
from covey.measure.nominal import GroupedKernel, GroupedState, collect_grouped, number_and_category
from covey.table import BlockSource, Column, FeatureTable

_TABLE_BYTES = 1 << 27


def associate_blocks(
    source: BlockSource, measure: Measure, target: str | None, pvalues: bool, engine: Engine
) -> AssociationMatrix:
    """`associate` for a `BlockSource`; see there.

    Raises
    ------
    ValueError
        If the measure cannot be streamed (Kendall, Chatterjee's xi, exact distance correlation, ...).
    """
    kernel = measure.kernel
    if not isinstance(kernel, ProductKernel | TableKernel | GroupedKernel):
        raise ValueError(
            f"{measure.name} is no sum over rows and cannot be streamed; read a sample into memory, or choose "
            "pearson, spearman, distance_correlation, auto, correlation_ratio, mutual_information, theils_u, cramers_v "
            "or hsic"
        )
    start = time.perf_counter()
    source = source.fix_categories()
    head = source.head()
    columns = head.columns()
    rows, cols = select_sides(head, target)
    plan = PairPlan.of(columns, rows, cols, measure, square=target is None)
    used, position = np.unique(np.concatenate([plan.left, plan.right]), return_inverse=True)
    left, right = position[: len(plan.left)], position[len(plan.left) :]
    stream = _Stream(source, [columns[int(k)] for k in used], engine)
    notes = pooled_notes(stream.columns, measure)
    if not len(used):
        stats = None
    elif isinstance(kernel, ProductKernel):
        stats = stream.moments(kernel.scale, left, right, pvalues)
        if kernel.scale == "rank":
            assert stats.error_bound is not None
            most = np.max(stats.error_bound, initial=0.0)
            notes.append(f"ranks come from a quantile sketch; a correlation is off by at most {most:.2g}")
    elif isinstance(kernel, GroupedKernel):
        stats = stream.groups(left, right, pvalues)
    else:
        stats = stream.tables(kernel, left, right, pvalues)
        if isinstance(kernel, AutoKernel):
            ranks = partial(stream.moments, "rank", pvalues=True)
            stats = with_sign(stats, stream.columns, left, right, ranks)
    info = {"rows": stream.n_rows, "seconds": time.perf_counter() - start, "engine": repr(engine), "notes": notes}
    return plan.matrix(measure, stats, None, info)


class _Stream:
    """The passes over one source for the columns in use."""

    def __init__(self, source: BlockSource, columns: Sequence[Column], engine: Engine) -> None:
        self.source, self.columns, self.engine = source, columns, engine
        self.names = tuple(c.name for c in columns)
        self.n_rows = source.n_rows or 0
        self._summaries: list[Summary] | None = None

    @property
    def summaries(self) -> list[Summary]:
        """Sketch of every column (codes as numbers), by a first pass."""
        if self._summaries is None:
            self._summaries = sketch_columns(self.source, self.names, self.engine)
            self.n_rows = max(self.n_rows, int(max((s.weights.sum() for s in self._summaries), default=0)))
        return self._summaries

    def moments(self, scale: Scale, left: NDArray[np.intp], right: NDArray[np.intp], pvalues: bool) -> PairStatistics:
        ranks = self.summaries if scale == "rank" else None
        shift, spread = (
            (np.full(len(self.names), 0.5), np.full(len(self.names), 0.29))
            if ranks
            else centre_and_scale(self._sample())
        )
        state = self.engine.reduce(partial(_MomentPass, self.names, shift, spread, ranks), self.source)
        r, n = state.result()
        self.n_rows = max(self.n_rows, int(n.max(initial=0)))
        stats = correlation_statistics(r, n, left, right, pvalues)
        if ranks is None:
            return stats
        # a rank that is off by d moves a correlation by at most d / (standard deviation of the ranks), on either side
        error = np.array([s.rank_error for s in ranks])
        return replace(stats, error_bound=np.minimum(error[left] + error[right], 2.0))

    def _sample(self) -> NDArray[np.float64]:
        """Rows to centre and scale by: the first block, or the sketch of a column that is all missing there."""
        head = _numbers(self.source.head(), self.names)
        for k in np.flatnonzero(np.isnan(head).all(axis=0)):
            points = self.summaries[k].values
            if len(points):
                head[:, k] = np.resize(points, len(head))
        return head

    def groups(self, left: NDArray[np.intp], right: NDArray[np.intp], pvalues: bool) -> PairStatistics:
        number, category = number_and_category(self.columns, left, right)
        shift, scale = centre_and_scale(self._sample())
        used = np.unique(category)
        states = {
            self.names[j]: partial(GroupedState, len(self.columns[j].categories or ()), shift, scale) for j in used
        }
        result = self.engine.reduce(partial(_GroupPass, self.names, states), self.source).result()
        asked = [tuple(part[number[category == j]] for part in result[self.names[j]]) for j in used]
        return collect_grouped(category, used, asked, pvalues)

    def tables(
        self, kernel: TableKernel, left: NDArray[np.intp], right: NDArray[np.intp], pvalues: bool
    ) -> PairStatistics:
        total = int(max(s.weights.sum() for s in self.summaries))
        bins = min(kernel.max_bins(total), int(np.sqrt(_TABLE_BYTES / 4 / max(len(left), 1))))
        levels = [self._levels(j, max(bins, 4), kernel.scale) for j in range(len(self.names))]
        plan = batches(levels, left, right)
        state = self.engine.reduce(partial(_TablePass, self.names, levels, left, right, plan), self.source)
        parts = []
        for batch, counts in zip(plan, state.result()):
            tables = counts[:, 1:, 1:].astype(np.float64)
            parts.append(
                kernel.reduce_batch(tables, levels, left[batch.members], right[batch.members], batch.nominal, pvalues)
            )
        return collect([batch.members for batch in plan], parts, len(left))

    def _levels(self, j: int, bins: int, scale: Scale) -> Levels:
        column, summary = self.columns[j], self.summaries[j]
        if column.categories is not None:
            counts = np.zeros(len(column.categories))
            counts[summary.values.astype(np.int64)] = summary.weights
            return category_levels(counts)
        if not len(summary.values):
            return Levels(n_levels=1, positions=np.zeros(1))
        return numeric_levels(summary.values, summary.weights, bins, scale)[0]


def _numbers(block: FeatureTable, names: Sequence[str]) -> NDArray[np.float64]:
    """The named columns as numbers (codes 0, 1, ...; missing NaN), shape (n_rows, n_columns)."""
    out = np.empty((block.n_rows, len(names)), order="F")
    for k, name in enumerate(names):
        column = block[name]
        out[:, k] = column.values
        if column.is_coded:
            out[column.values < 0, k] = np.nan
    return out


def sketch_columns(source: BlockSource, names: Sequence[str], engine: Engine) -> list[Summary]:
    """Quantile summaries of the named columns (codes as numbers), by one pass."""
    return engine.reduce(partial(_SketchState, names), source).result()


class _SketchState:
    """A `QuantileSketch` that takes blocks."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.sketch = names, QuantileSketch(len(names))

    def update(self, block: FeatureTable) -> Self:
        self.sketch.update(_numbers(block, self.names))
        return self

    def merge(self, other: Self) -> Self:
        self.sketch.merge(other.sketch)
        return self

    def result(self) -> list[Summary]:
        return self.sketch.result()


class _MomentPass:
    """A `MomentState` that takes blocks, of values or, given summaries, of ranks as shares of the rows."""

    def __init__(
        self,
        names: Sequence[str],
        shift: NDArray[np.float64],
        scale: NDArray[np.float64],
        summaries: Sequence[Summary] | None,
    ) -> None:
        self.names, self.state = names, MomentState(shift, scale)
        self.grids = None
        if summaries is not None:
            self.grids = [s.ranks() for s in summaries]

    def update(self, block: FeatureTable) -> Self:
        values = _numbers(block, self.names)
        if self.grids is not None:
            from covey.measure._rank_kernels import interpolate

            for k, (points, ranks) in enumerate(self.grids):
                values[:, k] = interpolate(values[:, k], points, ranks) if len(points) else np.nan
        self.state.update(values)
        return self

    def merge(self, other: Self) -> Self:
        self.state.merge(other.state)
        return self

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return self.state.result()


class _GroupPass:
    """A `GroupedState` for each column of categories, over all columns as numbers."""

    def __init__(self, names: Sequence[str], states: Mapping[str, Callable[[], GroupedState]]) -> None:
        self.names, self.states = names, {name: state() for name, state in states.items()}

    def update(self, block: FeatureTable) -> Self:
        numbers = _numbers(block, self.names)
        for name, state in self.states.items():
            state.update(block[name].values, numbers)
        return self

    def merge(self, other: Self) -> Self:
        for name, state in self.states.items():
            state.merge(other.states[name])
        return self

    def result(self) -> dict[str, tuple[NDArray, NDArray, NDArray]]:
        return {name: state.result() for name, state in self.states.items()}


class _TablePass:
    """Joint tables of all asked pairs, added up over blocks."""

    def __init__(
        self,
        names: Sequence[str],
        levels: Sequence[Levels],
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        plan: Sequence[Batch],
    ) -> None:
        self.names, self.levels, self.left, self.right, self.plan = names, levels, left, right, plan
        self.counts = [np.zeros((len(b.members), b.shape[0] + 1, b.shape[1] + 1), dtype=np.uint32) for b in plan]

    def update(self, block: FeatureTable) -> Self:
        codes = np.stack([level.encode(block[name].values) for name, level in zip(self.names, self.levels)])
        codes = codes.astype(np.int16)
        for batch, counts in zip(self.plan, self.counts):
            counter()(codes, self.left[batch.members], self.right[batch.members], counts)
        return self

    def merge(self, other: Self) -> Self:
        for mine, theirs in zip(self.counts, other.counts):
            mine += theirs
        return self

    def result(self) -> list[NDArray[np.uint32]]:
        return self.counts
