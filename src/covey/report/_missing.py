"""Whether the rows where a column is missing differ from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covey.measure._null import false_discovery
from covey.report._material import Material

LEAST_STRENGTH, LEAST_WITH_TARGET = 0.1, 0.05
TOGETHER = 0.9
ALPHA = 0.01


@dataclass(frozen=True)
class MissingEffect:
    """Where the `columns` (missing together) are missing, `other` differs."""

    columns: tuple[str, ...]
    other: str
    strength: float
    qvalue: float
    n_missing: int


def missing_effects(material: Material) -> list[MissingEffect]:
    """For each group of columns that are missing together, the target or else the feature that tells most of it.

    Strength is ``auto`` of the mask of missing rows against each other feature, at least 0.1, or 0.05 for the target;
    q-values (Benjamini-Hochberg) are over all masks and features, at most 0.01.
    """
    groups = missing_together(material)
    tests = [(group, name) for group in groups for name in material.features if name not in group]
    stats = material.pairs(
        "auto", [material.mask(group[0]) for group, _ in tests], [material.place[name] for _, name in tests]
    )
    assert stats.pvalues is not None
    qvalues = false_discovery(stats.pvalues)
    found: dict[tuple[str, ...], MissingEffect] = {}
    for (group, name), strength, q in zip(tests, stats.values, qvalues):
        if not (q <= ALPHA and strength >= (LEAST_WITH_TARGET if name == material.target else LEAST_STRENGTH)):
            continue
        effect = MissingEffect(group, name, float(strength), float(q), material.column(group[0]).n_missing)
        if group not in found or _importance(effect, material) > _importance(found[group], material):
            found[group] = effect
    return sorted(found.values(), key=lambda effect: -_importance(effect, material))


def missing_together(material: Material) -> list[tuple[str, ...]]:
    """Columns with masks, grouped so that those of one group are missing in nearly the same rows."""
    groups: list[list[str]] = []
    masks = {name: material.column(name).missing for name in material.masked}
    for name, mask in masks.items():
        for group in groups:
            first = masks[group[0]]
            if np.count_nonzero(mask & first) >= TOGETHER * np.count_nonzero(mask | first):
                group.append(name)
                break
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


def _importance(effect: MissingEffect, material: Material) -> float:
    return effect.strength + (1.0 if effect.other == material.target else 0.0)
