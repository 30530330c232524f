"""Pairs of features that tell about the target only together (as in an exclusive or)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix, get
from covey.measure._tables import TableKernel, joint_tables
from covey.report._material import Material, equal_parts
from covey.report._reversal import connectedness

MOST_FEATURES = 60
MOST_CODES = 8
N_BINS = 4
ROWS_A_CELL = 5
LEAST_SHARE = 0.02
ALONE = 0.2
ALPHA = 0.01


@dataclass(frozen=True)
class Interaction:
    """What two features tell about the target: shares of its entropy, together and each alone."""

    left: str
    right: str
    together: float
    left_alone: float
    right_alone: float
    pvalue: float


def interactions(material: Material, matrix: AssociationMatrix) -> list[Interaction]:
    """Pairs of features that remove at least 2 % of the target's entropy together, and hardly any of that alone.

    Numbers are cut into quarters; features of more than eight levels are left out, as are pairs with fewer than five
    rows a cell. What both tell alone may sum to a fifth of what they tell together. P-values (chi-square) are
    Bonferroni-corrected over the pairs, 0.01. Searched are the pairs of the sixty most connected features.
    """
    if material.target is None:
        return []
    target = _codes(material, material.target)
    names = [name for name in connectedness(material, matrix) if name != material.target][:MOST_FEATURES]
    in_order = sorted(names, key=material.place.__getitem__)
    coded = {name: codes for name in in_order if (codes := _codes(material, name)) is not None}
    if target is None or len(coded) < 2:
        return []
    scale = _information(target, target)[0]
    alone = {name: _information(codes, target)[0] / scale for name, codes in coded.items()}
    pairs = [
        (left, right)
        for left, right in combinations(coded, 2)
        if coded[left].max() * coded[right].max() * target.max() * ROWS_A_CELL <= material.n_rows
    ]

    def one(pair: tuple[str, str]) -> Interaction:
        left, right = pair
        value, p = _information(crossed(coded[left], coded[right]), target)
        return Interaction(left, right, value / scale, alone[left], alone[right], min(1.0, p * len(pairs)))

    found = [i for i in material.engine.map(one, pairs) if _is_clear(i)]
    return sorted(found, key=lambda i: -i.together)


def crossed(left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.int16]:
    """Both columns of codes (level + 1, 0 for missing) as one.

    Examples
    --------
    >>> crossed(np.array([1, 2, 0]), np.array([2, 1, 1]))
    array([2, 3, 0], dtype=int16)
    """
    both = (left > 0) & (right > 0)
    return np.where(both, (left - 1) * right.max() + right, 0).astype(np.int16)


def _is_clear(found: Interaction) -> bool:
    alone = found.left_alone + found.right_alone
    return found.pvalue <= ALPHA and found.together >= LEAST_SHARE and alone <= ALONE * found.together


def _codes(material: Material, name: str) -> NDArray[np.int16] | None:
    """Level + 1 of each row, 0 for missing; None when there are more than eight levels."""
    column = material.column(name)
    ranks = material.store.ranks(material.place[name])
    codes = column.values if column.is_coded else equal_parts(ranks, N_BINS)
    return (codes + 1).astype(np.int16) if codes.max(initial=-1) < MOST_CODES else None


def _information(x: NDArray[np.int16], y: NDArray[np.int16]) -> tuple[float, float]:
    """(mutual information in nats, p-value) of two columns of codes."""
    kernel = get("mutual_information").kernel
    assert isinstance(kernel, TableKernel)
    shape = (int(x.max(initial=1)), int(y.max(initial=1)))
    table = joint_tables(np.stack([x, y]), np.array([0]), np.array([1]), shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        stats = kernel.reduce(table, None, None, True)  # type: ignore[arg-type]
    assert stats.pvalues is not None
    return float(np.nan_to_num(stats.values[0])), float(np.nan_to_num(stats.pvalues[0], nan=1.0))
