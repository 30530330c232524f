"""What a workflow is given: columns that vary, the target, groups, and other cohorts coded in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.select._base import Array, TargetKind, unusable
from covey.select.comparison import table_and_target
from covey.table import Column, FeatureTable, read

Rows = NDArray[np.intp]

INTERNAL = "internal"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Encoded rows, the target, and the subject of each row."""

    X: Array
    y: NDArray[Any]
    clusters: Rows | None


@dataclass(frozen=True, eq=False)
class WorkflowData:
    """What the workflow was given: columns that vary, the target, and groups."""

    table: FeatureTable
    target: Column
    groups: NDArray[Any] | None

    @classmethod
    def of(cls, X: Any, y: Any, groups: Any, kind: TargetKind) -> WorkflowData:
        table, target = table_and_target(X, y, kind)
        names = [column.name for column in table.columns() if not unusable(column)]
        if not names:
            raise ValueError("no column of X varies; there is nothing to select")
        groups = None if groups is None else np.asarray(groups)
        if groups is not None and len(groups) != table.n_rows:
            raise ValueError(f"groups has {len(groups)} entries, but X has {table.n_rows} rows")
        return cls(table.select(names), target, groups)

    @property
    def is_class(self) -> bool:
        return self.target.is_coded

    @property
    def n_classes(self) -> int:
        return len(self.target.categories or ())

    @property
    def y(self) -> NDArray[Any]:
        return self.target.values

    def clusters(self, rows: Rows) -> Rows | None:
        """The group of some rows, counted from 0."""
        return None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]

    def cohort(self, name: str, X: Any, y: Any) -> tuple[FeatureTable, NDArray[Any]]:
        """Another cohort's columns and target, coded as in this one; what is unknown here has a code of its own."""
        kinds = dict(zip(self.table.names, self.table.kinds))
        other = read(X)
        lacking = [column for column in kinds if column not in other.names]
        if lacking:
            raise ValueError(f"cohort {name!r} lacks the columns {', '.join(map(repr, lacking[:5]))}")
        other = read(other, columns=list(kinds), kinds=kinds)
        columns = [_recoded(found, own) for found, own in zip(other.columns(), self.table.columns())]
        codes = _target_codes(name, y, self.target)
        if len(codes) != other.n_rows:
            raise ValueError(f"cohort {name!r}: X has {other.n_rows} rows and y has {len(codes)}")
        return FeatureTable.from_columns(columns), codes


def _recoded(column: Column, like: Column) -> Column:
    """A column of categories with the codes of another one; words that it lacks get the next code."""
    if like.categories is None or column.categories is None:
        return column
    place = {word: code for code, word in enumerate(like.categories)}
    new = np.array([*(place.get(word, len(place)) for word in column.categories), -1], dtype=np.int32)
    return Column(like.name, like.kind, new[column.values], (*like.categories, "other"))


def _target_codes(name: str, y: Any, like: Column) -> NDArray[Any]:
    if like.categories is None:
        return np.asarray(y, dtype=np.float64)
    words = [f"{v:g}" if isinstance(v, float | np.floating) else str(v) for v in np.asarray(y).tolist()]
    place = {word: code for code, word in enumerate(like.categories)}
    unknown = sorted({word for word in words if word not in place})
    if unknown:
        raise ValueError(f"cohort {name!r} has classes that the training rows lack: {', '.join(unknown[:5])}")
    return np.array([place[word] for word in words], dtype=np.intp)


def named_cohorts(external: Any) -> dict[str, tuple[Any, Any]]:
    if isinstance(external, Mapping):
        named = dict(external)
    else:
        named = {f"external {k}": pair for k, pair in enumerate(external, 1)}
    if INTERNAL in named:
        raise ValueError(f"{INTERNAL!r} is the name of the workflow's own test rows; name the cohort otherwise")
    return named
