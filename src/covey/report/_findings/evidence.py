"""The results that findings are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covey.measure import AssociationMatrix
from covey.report._determination import Determined
from covey.report._interaction import Interaction
from covey.report._material import Material
from covey.report._missing import MissingEffect
from covey.report._model import (
    ColumnSummary,
    Composition,
    Direction,
    Factor,
    Group,
    Indirect,
    Lagged,
    OrderEffect,
    Relevance,
    Reversal,
    Subset,
)

ALPHA = 0.01


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that was measured; matrices are over the features in the table's order.

    `determination` says how nearly each feature determines the target, `leaks` names those that stand out by it;
    `resemblance` says how much rows resemble their neighbours, by column; `sorted_by` names the columns that the rows
    are sorted by.
    """

    material: Material
    columns: tuple[ColumnSummary, ...]
    matrices: Mapping[str, AssociationMatrix]
    groups: tuple[Group, ...]
    determined: Sequence[Determined]
    determination: Mapping[str, float]
    leaks: Sequence[str]
    relevance: tuple[Relevance, ...]
    interactions: Sequence[Interaction]
    missing: Sequence[MissingEffect]
    reversals: tuple[Reversal, ...]
    order: tuple[OrderEffect, ...]
    resemblance: Mapping[str, float]
    sorted_by: Sequence[str]
    compositions: tuple[Composition, ...]
    factors: tuple[Factor, ...]
    indirect: tuple[Indirect, ...]
    lagged: tuple[Lagged, ...]
    directions: tuple[Direction, ...]
    subset: Subset | None

    @property
    def target(self) -> str | None:
        """The target's name."""
        return self.material.target
