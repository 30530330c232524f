"""Tables that are read in blocks of rows: one pass that tells what a selector must know of the columns and the target.

A ranker whose score is a sum over rows defines ``_score_blocks`` and is then fitted in constant memory, on any engine.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.table import BlockSource, Column, FeatureTable, are_classes, iter_blocks
from covey.table._table import unknown_column

MAX_LEVELS = 2048  # most classes that numbers are counted as when they are asked to be classes


def block_source(X: Any, y: Any) -> BlockSource | None:
    """The blocks of `X` when it is read in blocks: a BlockSource, or a Dask frame and the name of its target."""
    if isinstance(X, BlockSource):
        return X
    if is_dask(X) and (y is None or isinstance(y, str)):
        return iter_blocks(X)
    return None


def is_dask(X: Any) -> bool:
    """Whether `X` is a Dask dataframe, which is never asked for as a whole."""
    return hasattr(X, "dask") and hasattr(X, "partitions") and hasattr(X, "columns")


@dataclass(frozen=True)
class ColumnProfile:
    """What a pass over a column found; `lowest` and `highest` are of codes where it has categories."""

    name: str
    kind: str
    n_missing: int
    n_present: int
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class TargetSource(BlockSource):
    """A BlockSource whose column `target` is read as a target: the classes `values`, or numbers.

    Parameters
    ----------
    target : str
    values : tuple of float, optional
        Numbers that are classes, ascending.
    """

    target: str = ""
    values: tuple[float, ...] | None = None

    def __iter__(self) -> Iterator[FeatureTable]:
        for block in super().__iter__():
            yield self._read_target(block) if self.target in block else block

    def _read_target(self, block: FeatureTable) -> FeatureTable:
        column = block[self.target]
        if column.is_coded or (self.values is None and column.kind == "numeric"):
            return block
        changed = replace(column, kind="numeric") if self.values is None else _as_classes(column, self.values)
        return FeatureTable.from_columns([changed if c.name == self.target else c for c in block.columns()])


def _as_classes(column: Column, values: Sequence[float]) -> Column:
    codes = np.searchsorted(np.asarray(values), column.values).astype(np.int32)
    codes[column.missing] = -1
    kind = "boolean" if len(values) == 2 else "categorical"
    return Column(column.name, kind, codes, tuple(f"{v:.15g}" for v in values))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class BlockProfile:
    """The columns of a BlockSource and its target.

    Parameters
    ----------
    columns : tuple of ColumnProfile
        All but the target.
    n_rows : int
    target : ColumnProfile or None
    classes : mapping of float to int
        Rows of each value of the target, by its number or code; of at most `MAX_LEVELS` of them, else empty.
    """

    columns: tuple[ColumnProfile, ...]
    n_rows: int
    target: ColumnProfile | None
    classes: dict[float, int]


def profile(source: BlockSource, target: str | None, engine: Engine) -> BlockProfile:
    """What the columns of `source` and its target hold, by one pass.

    Raises
    ------
    ValueError
        If there is no column called `target`.
    """
    if target is not None and target not in source.names:
        raise ValueError(f"y: {unknown_column(target, source.names)}")
    head = source.head()
    state = engine.reduce(partial(_ProfilePass, source.names, target), source).result()
    columns = {
        name: ColumnProfile(name, kind, state.n_rows - int(n), int(n), float(low), float(high))
        for name, kind, n, low, high in zip(head.names, head.kinds, state.present, state.lowest, state.highest)
    }
    found = None if target is None else columns.pop(target)
    return BlockProfile(tuple(columns.values()), state.n_rows, found, state.classes or {})


class _ProfilePass:
    """Present rows and extremes of each column, and the counts of the target's values."""

    def __init__(self, names: Sequence[str], target: str | None) -> None:
        self.names, self.target, self.n_rows = tuple(names), target, 0
        self.present = np.zeros(len(names), dtype=np.int64)
        self.lowest, self.highest = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        self.classes: dict[float, int] | None = {}  # None: too many

    def update(self, block: FeatureTable) -> Self:
        self.n_rows += block.n_rows
        for k, name in enumerate(self.names):
            column = block[name]
            values = column.values[~column.missing]
            self.present[k] += len(values)
            if len(values):
                self.lowest[k] = min(self.lowest[k], values.min())
                self.highest[k] = max(self.highest[k], values.max())
            if name == self.target:
                self._count(*np.unique(values, return_counts=True))
        return self

    def _count(self, values: NDArray, counts: NDArray) -> None:
        if self.classes is None:
            return
        for value, count in zip(values.tolist(), counts.tolist()):
            self.classes[value] = self.classes.get(value, 0) + count
            if len(self.classes) > MAX_LEVELS:
                self.classes = None
                return

    def merge(self, other: Self) -> Self:
        self.n_rows += other.n_rows
        self.present += other.present
        self.lowest, self.highest = np.minimum(self.lowest, other.lowest), np.maximum(self.highest, other.highest)
        if other.classes is None:
            self.classes = None
        else:
            self._count(np.array(list(other.classes)), np.array(list(other.classes.values()), dtype=np.int64))
        return self

    def result(self) -> Self:
        return self


def read_target(source: BlockSource, found: BlockProfile, kind: str) -> tuple[TargetSource, str]:
    """`source` with its target read as in memory (`covey.select._base.target_column`), and the target's kind.

    Raises
    ------
    ValueError
        If values of the target are missing, it has one value, or it cannot be of that kind.
    """
    target = found.target
    assert target is not None
    if kind not in ("auto", "numeric", "categorical"):
        raise ValueError(f"target_kind must be 'auto', 'numeric' or 'categorical', not {kind!r}")
    name, coded = target.name, target.kind in ("categorical", "boolean")
    if target.kind == "text" or (target.kind == "id" and target.lowest == target.highest):
        raise ValueError(f"y: {name!r} is {target.kind}; if it holds classes, give iter_blocks(..., kinds=...)")
    if target.n_missing:
        raise ValueError(f"y: {name!r} has {target.n_missing} missing values; leave out those rows")
    if target.lowest == target.highest:
        raise ValueError(f"y: {name!r} has a single {'class' if coded else 'value'}; there is nothing to relate to")
    if kind == "numeric" and target.kind == "categorical":
        raise ValueError(f"y: {name!r} holds words, which are no numbers; encode it, or use target_kind='categorical'")
    values = None
    if not coded and (kind == "categorical" or (kind == "auto" and _are_classes(found.classes))):
        if not found.classes:
            raise ValueError(f"y: {name!r} has more than {MAX_LEVELS} distinct values, too many classes; bin it")
        values = tuple(sorted(found.classes))
    out = TargetSource(**{f.name: getattr(source, f.name) for f in fields(BlockSource)}, target=name, values=values)
    if coded or values is not None:
        _warn_of_lone_classes(name, found.classes)
    return out, target.kind if coded else ("numeric" if values is None else out.head()[name].kind)


def _are_classes(counts: dict[float, int]) -> bool:
    """As in memory; no counts are of too many values."""
    return bool(counts) and are_classes(np.array(list(counts)))


def _warn_of_lone_classes(name: str, classes: dict[float, int]) -> None:
    lone = sum(count == 1 for count in classes.values())
    if lone:
        warnings.warn(f"y: {name!r} has {lone} class(es) of one row", UserWarning, stacklevel=5)


def take_columns(source: BlockSource, names: Sequence[str]) -> BlockSource:
    """`source` with some of its columns, in the order given."""
    kinds = dict(zip(source.columns, source.kinds))
    fixed = None if source.categories is None else {n: c for n, c in source.categories.items() if n in names}
    return replace(source, columns=tuple(names), kinds=tuple(kinds[n] for n in names), categories=fixed)


def streaming_rankers() -> list[str]:
    """Names of the selectors of this room that can be fitted from blocks."""
    import covey.select as room
    from covey.select._base import RankingSelector

    objects = [(name, getattr(room, name)) for name in room.__all__]
    return [n for n, o in objects if isinstance(o, type) and issubclass(o, RankingSelector) and o.streams()]
