"""Hints which of two columns may be the cause: pairs that a location-scale noise model fits in one direction only."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix, associate
from covey.measure.causal import HeteroscedasticRidge
from covey.report._material import Material
from covey.report._model import Direction

MOST_PAIRS = 8
LEAST_STRENGTH, MOST_STRENGTH = 0.25, 0.97
LEAST_ROWS, MOST_ROWS = 300, 2000
LEAST_VALUES = 50
FITS, FAILS = 0.1, 1e-3


def direction_hints(material: Material, matrix: AssociationMatrix, skipped: Collection[str]) -> tuple[Direction, ...]:
    """Of the strongest pairs of continuous columns, those that are identifiable, the clearest first.

    Each half of the rows is used to fit ``effect = f(cause) + g(cause) * noise`` in both directions, the other half to
    test by HSIC whether the noise depends on the cause. A hint needs independence (p at least 0.1 in both halves) in
    one direction and clear dependence (p at most 0.001 over the number of pairs, in both halves) in the other. Where
    both directions fit, as for linear relations with normal noise, or neither does, nothing is said.

    Parameters
    ----------
    material : Material
    matrix : AssociationMatrix
        Strengths of association.
    skipped : collection of str
        Columns to leave out: parts of wholes, and columns whose rows are not independent.
    """
    usable = {name for name in matrix.rows if name not in skipped and _is_continuous(material, name)}
    pairs = [
        (left, right)
        for left, right, strength in matrix.top(len(matrix.rows) ** 2)
        if LEAST_STRENGTH <= strength <= MOST_STRENGTH and left in usable and right in usable
    ][:MOST_PAIRS]
    found = material.engine.map(lambda pair: _hint(material, *pair, len(pairs)), pairs)
    return tuple(sorted((hint for hint in found if hint is not None), key=lambda hint: hint.fails))


def _is_continuous(material: Material, name: str) -> bool:
    column = material.column(name)
    return column.kind == "numeric" and len(np.unique(column.values[~column.missing])) >= LEAST_VALUES


def _hint(material: Material, left: str, right: str, n_pairs: int) -> Direction | None:
    x, y = (material.column(name).values for name in (left, right))
    rows = np.random.default_rng(material.random_state).permutation(np.flatnonzero(~np.isnan(x + y)))[:MOST_ROWS]
    if len(rows) < LEAST_ROWS:
        return None
    x, y = x[rows], y[rows]
    fits = {(left, right): _independence(x, y), (right, left): _independence(y, x)}
    for direction, other in (list(fits), list(fits)[::-1]):
        if np.min(fits[direction]) >= FITS and np.max(fits[other]) <= FAILS / n_pairs:
            return Direction(*direction, min(fits[direction]), max(fits[other]))
    return None


def _independence(cause: NDArray[np.float64], effect: NDArray[np.float64]) -> list[float]:
    """P-values of independence of cause and noise, each in one half of the rows after a fit to the other half."""
    first, second = slice(0, len(cause) // 2), slice(len(cause) // 2, len(cause))
    out = []
    for fitted, tested in ((first, second), (second, first)):
        model = HeteroscedasticRidge(n_knots=10, degree=3).fit(cause[fitted, None], effect[fitted])
        mean, scale = model.predict(cause[tested, None], return_std=True)
        noise = (effect[tested] - mean) / scale
        matrix = associate(np.column_stack([cause[tested], noise]), measure="hsic", engine="local:1")
        assert matrix.pvalues is not None
        out.append(float(matrix.pvalues[0, 1]))
    return out
