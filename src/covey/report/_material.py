"""What every part of the analysis works on: the rows used, the features, and their codings, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure import AssociationMatrix, get
from covey.measure._associate import PairPlan
from covey.measure._coding import Coding, code_column
from covey.measure._measure import NUMBERS, PairStatistics
from covey.measure._store import ColumnStore
from covey.measure._tables import joint_tables, stack_codes
from covey.table import Column, FeatureTable

UNUSABLE = frozenset({"id", "text", "constant"})
ALMOST_UNIQUE = 0.95
LEAST_MISSING = 10
MOST_PAIR_ROWS = 2_000_000_000
LEAST_ROWS, MOST_ROWS = 10_000, 500_000


@dataclass(frozen=True, eq=False)
class Material:
    """The rows and features that a report is made of.

    One store holds, one after another: the features; for every column with enough missing and present rows its mask of
    missing rows; and the row's position. So every measure of any two of these shares sorted columns and codings.

    Parameters
    ----------
    source : FeatureTable
        All columns, all rows.
    table : FeatureTable
        The rows used, all columns; a target with two values is boolean.
    features : tuple of str
        Columns that take part in associations, in the table's order; the target is among them.
    masked : tuple of str
        Columns whose mask of missing rows is in the store.
    store : ColumnStore
    target : str or None
    engine : Engine
    random_state : int
    """

    source: FeatureTable
    table: FeatureTable
    features: tuple[str, ...]
    masked: tuple[str, ...]
    store: ColumnStore
    target: str | None
    engine: Engine
    random_state: int

    @property
    def n_rows(self) -> int:
        """Rows used."""
        return self.table.n_rows

    @property
    def order(self) -> int:
        """Position of the row order in the store."""
        return len(self.store) - 1

    @cached_property
    def place(self) -> dict[str, int]:
        """Position of each feature in the store."""
        return {name: k for k, name in enumerate(self.features)}

    def mask(self, name: str) -> int:
        """Position in the store of the mask of missing rows of column `name`."""
        return len(self.features) + self.masked.index(name)

    def column(self, name: str) -> Column:
        """A column over the rows used."""
        return self.table.column(name)

    @property
    def predictors(self) -> list[str]:
        """The features without the target."""
        return [name for name in self.features if name != self.target]

    def is_ordered(self, name: str) -> bool:
        """Whether a feature can be read as numbers: numbers, dates, and whatever has two levels."""
        column = self.column(name)
        return column.kind in NUMBERS or (column.categories is not None and len(column.categories) == 2)

    def square(self, measure: str) -> AssociationMatrix:
        """One measure over every pair of features, in the table's order."""
        chosen = get(measure)
        columns = self.store.columns[: len(self.features)]
        every = list(range(len(columns)))
        plan = PairPlan.of(columns, every, every, chosen, square=True)
        stats = chosen.kernel(self.store, plan.left, plan.right, self.engine, True) if len(plan.left) else None
        return plan.matrix(chosen, stats, None, {"rows": self.n_rows})

    def pairs(self, measure: str, left: Sequence[int], right: Sequence[int]) -> PairStatistics:
        """One measure over pairs of positions in the store."""
        i, j = (np.asarray(side, dtype=np.intp) for side in (left, right))
        if not len(i):
            return PairStatistics(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int8))
        return get(measure).kernel(self.store, i, j, self.engine, True)

    def coding(self, position: int, bins: int) -> Coding:
        """A column of the store as at most `bins` levels of equal count, or as its categories."""
        return code_column(self.store, position, bins, "rank")

    def joint(self, left: int, right: int, bins: int) -> NDArray[np.float64]:
        """Joint table of two columns of the store, shape (levels of left, levels of right)."""
        codings = [self.coding(left, bins), self.coding(right, bins)]
        shape = (codings[0].levels.n_levels, codings[1].levels.n_levels)
        return joint_tables(stack_codes(codings), np.array([0]), np.array([1]), shape)[0]


def prepare(
    source: FeatureTable, target: str | None, sample: int | None, engine: Engine, random_state: int
) -> Material:
    """Choose rows and features.

    Parameters
    ----------
    source : FeatureTable
    target : str or None
    sample : int or None
        Most rows to use; by default as many as are affordable for this number of columns (see `affordable_rows`).
    engine : Engine
    random_state : int

    Raises
    ------
    ValueError
        If the target is unknown, has fewer than two values, or is free text or an identifier.
    """
    if target is not None:
        source = with_target(source, target)
    rows = affordable_rows(source.n_columns) if sample is None else sample
    table = source.sample(rows, random_state)
    features = tuple(c.name for c in table.columns() if is_feature(c))
    masked = tuple(c.name for c in table.columns() if LEAST_MISSING <= c.n_missing <= table.n_rows - LEAST_MISSING)
    columns = [
        *(table.column(name) for name in features),
        *(_mask(table.column(name)) for name in masked),
        Column("row", "numeric", np.arange(table.n_rows, dtype=np.float64)),
    ]
    return Material(source, table, features, masked, ColumnStore(columns), target, engine, random_state)


def with_target(table: FeatureTable, target: str) -> FeatureTable:
    """The table with a target that can be explained; one of two values becomes boolean, so that it has a direction.

    Raises
    ------
    ValueError
        If there is no such column, it has fewer than two values, or it is free text or an identifier.
    """
    column = table.column(target)
    present = column.values[~column.missing]
    levels = np.unique(present)
    if len(levels) < 2:
        state = "is missing in every row" if not len(levels) else f"has one value only ({_shown(column, levels[0])})"
        raise ValueError(f"target {target!r} {state}; nothing can relate to it, choose another target")
    if column.is_coded and (column.kind in ("text", "id") or not is_feature(column)):
        raise ValueError(f"target {target!r} is an identifier or free text; choose another target or give its kind")
    if len(levels) == 2:
        column = _as_boolean(column, levels)
    elif not column.is_coded:
        column = replace(column, kind="datetime" if column.kind == "datetime" else "numeric")
    columns = [column if c.name == target else c for c in table.columns()]
    return FeatureTable.from_columns(columns, table.notes)


def is_feature(column: Column) -> bool:
    """Whether a column takes part in associations: no identifier, no free text, and at least two values.

    Examples
    --------
    >>> is_feature(Column("x", "numeric", np.array([1.0, 2.0]))), is_feature(Column("x", "numeric", np.ones(2)))
    (True, False)
    """
    if column.kind in UNUSABLE:
        return False
    present = column.values[~column.missing]
    varies = len(present) > 0 and bool(np.any(present != present[0]))
    return varies and not is_almost_unique(column)


def is_almost_unique(column: Column) -> bool:
    """Whether a column of categories has a category of its own for almost every row.

    Examples
    --------
    >>> names = tuple(f"id {k}" for k in range(100))
    >>> is_almost_unique(Column("key", "categorical", np.arange(100, dtype=np.int32), names))
    True
    """
    if not column.is_coded:
        return False
    present = column.values[column.values >= 0]
    return len(present) > 20 and bool(np.count_nonzero(np.bincount(present)) > ALMOST_UNIQUE * len(present))


def affordable_rows(n_columns: int) -> int:
    """Rows to use by default: 2e9 over the number of pairs, at least 10,000 and at most 500,000.

    Examples
    --------
    >>> affordable_rows(15), affordable_rows(500)
    (500000, 16032)
    """
    n_pairs = max(1, n_columns * (n_columns - 1) // 2)
    return int(np.clip(MOST_PAIR_ROWS // n_pairs, LEAST_ROWS, MOST_ROWS))


def equal_parts(ranks: NDArray[np.float64], n_parts: int) -> NDArray[np.int32]:
    """Cut a column into parts of equal count, ties together.

    Parameters
    ----------
    ranks : ndarray of shape (n_rows,)
        Mid-ranks (1-based), NaN for missing.
    n_parts : int

    Returns
    -------
    ndarray of shape (n_rows,), int32
        The part of each row, from 0 without gaps; -1 for missing.

    Examples
    --------
    >>> equal_parts(np.array([1.0, 2.0, np.nan, 3.5, 3.5]), 2)
    array([ 0,  0, -1,  1,  1], dtype=int32)
    """
    present = ~np.isnan(ranks)
    n_present = max(1, int(np.count_nonzero(present)))
    part = np.floor((ranks[present] - 0.5) / n_present * n_parts)
    out = np.full(len(ranks), -1, dtype=np.int32)
    out[present] = np.unique(part, return_inverse=True)[1]
    return out


def reordered(matrix: AssociationMatrix, order: NDArray[np.intp]) -> AssociationMatrix:
    """A square matrix with its features in another order."""
    return matrix.select([matrix.rows[k] for k in order])


def _mask(column: Column) -> Column:
    return Column(column.name, "boolean", column.missing.astype(np.int32), ("present", "missing"))


def _as_boolean(column: Column, levels: NDArray) -> Column:
    codes = np.searchsorted(levels, column.values).astype(np.int32)
    codes[column.missing] = -1
    return Column(column.name, "boolean", codes, tuple(_shown(column, level) for level in levels))


def _shown(column: Column, level: float) -> str:
    return column.categories[int(level)] if column.categories is not None else f"{level:g}"
