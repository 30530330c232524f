"""Columns that are parts of a whole: compared by their log-ratios, because their sum ties their raw values."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import overload

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.measure._matrix import NOT_PARTS, OK, TIED_PARTS
from covey.measure.composition import STEADY, compositional_associations, find_compositions, proportionality
from covey.report._material import Material
from covey.report._model import Composition
from covey.table import FeatureTable

PARTIAL, PROPORTION = "compositional_partial_correlation", "proportionality"


def compositions(material: Material, declared: Sequence[str] = ()) -> tuple[Composition, ...]:
    """The set of columns that the user declared, and those that add up to a constant.

    Raises
    ------
    ValueError
        If a declared column does not exist, holds no numbers or negative ones, or fewer than three are declared.
    """
    told = [_declared(material, declared)] if declared else []
    others = [name for name in material.predictors if name not in declared]
    found = find_compositions(material.table.select(others)) if others else ()
    usable = [parts for parts in found if _comparable(material, parts)]
    return (*told, *(_composition(material.table, parts, is_declared=False) for parts in usable))


def _declared(material: Material, names: Sequence[str]) -> Composition:
    if len(set(names)) < 3:
        raise ValueError(f"a composition has at least three parts, got {', '.join(names)}")
    if material.target in names:
        raise ValueError(f"the target {material.target!r} cannot be a part of the composition; leave it out of one")
    for name in names:
        column = material.column(name)
        if name not in material.features or column.kind != "numeric":
            raise ValueError(f"part {name!r} of the composition must be a column of numbers that vary")
        if np.nanmin(column.values) < 0:
            raise ValueError(f"part {name!r} of the composition has negative values; parts are amounts or shares")
    parts = tuple(name for name in material.features if name in names)
    if not _comparable(material, parts):
        raise ValueError(f"too few rows have all parts of the composition ({', '.join(parts)}) to compare them")
    return _composition(material.table, parts, is_declared=True)


def _composition(table: FeatureTable, parts: tuple[str, ...], is_declared: bool) -> Composition:
    X = _complete(table, parts)
    total = X.sum(axis=1)
    steady = bool(total.std() <= STEADY * total.mean())
    return Composition(parts, float(total.mean()) if steady else None, int((X == 0).sum()), is_declared)


def _comparable(material: Material, parts: tuple[str, ...]) -> bool:
    X = _complete(material.table, parts)
    return len(X) > len(parts) and bool((X > 0).any(axis=0).all())


def _complete(table: FeatureTable, parts: Iterable[str]) -> NDArray[np.float64]:
    """Rows in which all parts are present and not all are zero."""
    X = np.column_stack([table.column(name).values for name in parts])
    return X[~np.isnan(X).any(axis=1) & (X != 0).any(axis=1)]


def with_log_ratios(
    matrices: Mapping[str, AssociationMatrix], material: Material, found: Sequence[Composition]
) -> dict[str, AssociationMatrix]:
    """Raw measures undefined between parts of a whole, ``auto`` by log-ratios there, and the log-ratio measures added.

    Parameters
    ----------
    matrices : mapping of str to AssociationMatrix
        Square over the material's features.
    material : Material
    found : sequence of Composition

    Returns
    -------
    dict of str to AssociationMatrix
    """
    if not found:
        return dict(matrices)
    out = dict(matrices)
    partial, share = (_empty(matrices["auto"], name) for name in (PARTIAL, PROPORTION))
    for composition in found:
        grid = np.ix_(*[[material.place[name] for name in composition.parts]] * 2)
        X = _complete(material.table, composition.parts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the finding tells of the zeros
            given = _partial_correlation(X)
            ratio = proportionality(X)
        partial = _filled(partial, grid, given.values, len(X), given.pvalues)
        share = _filled(share, grid, ratio, len(X), None)
        out = {name: _tied(m, grid) for name, m in out.items()}
        out["auto"] = replace(
            _filled(out["auto"], grid, np.abs(given.values), len(X), given.pvalues),
            sign=_set(out["auto"].sign, grid, np.sign(given.values).astype(np.int8)),
        )
    return out | {PARTIAL: partial, PROPORTION: share}


def _partial_correlation(X: NDArray[np.float64]) -> AssociationMatrix:
    """Partial correlations with p-values; shrunk, and without, where parts depend on one another."""
    try:
        return compositional_associations(X)
    except ValueError:
        return compositional_associations(X, shrinkage="ledoit_wolf")


def _empty(like: AssociationMatrix, name: str) -> AssociationMatrix:
    shape = like.values.shape
    return replace(
        like,
        measure=name,
        values=np.full(shape, np.nan),
        n=np.zeros(shape, dtype=np.int64),
        reasons=np.full(shape, NOT_PARTS, dtype=np.uint8),
        pvalues=np.full(shape, np.nan),
        sign=None,
        error_bound=None,
    )


Grid = tuple[NDArray[np.intp], ...]


def _tied(matrix: AssociationMatrix, grid: Grid) -> AssociationMatrix:
    """The matrix without values between different parts."""
    rows, columns = grid
    apart = rows != columns
    return replace(
        matrix,
        values=_set(matrix.values, grid, np.where(apart, np.nan, matrix.values[grid])),
        reasons=_set(matrix.reasons, grid, np.where(apart, TIED_PARTS, matrix.reasons[grid])),
        pvalues=_set(matrix.pvalues, grid, np.nan),
        sign=_set(matrix.sign, grid, 0),
        error_bound=_set(matrix.error_bound, grid, np.nan),
    )


def _filled(
    matrix: AssociationMatrix, grid: Grid, values: NDArray[np.float64], n: int, pvalues: NDArray[np.float64] | None
) -> AssociationMatrix:
    return replace(
        matrix,
        values=_set(matrix.values, grid, values),
        n=_set(matrix.n, grid, n),
        reasons=_set(matrix.reasons, grid, OK),
        pvalues=_set(matrix.pvalues, grid, np.nan if pvalues is None else pvalues),
    )


@overload
def _set(array: None, grid: Grid, values: NDArray | float) -> None: ...
@overload
def _set(array: NDArray, grid: Grid, values: NDArray | float) -> NDArray: ...
def _set(array: NDArray | None, grid: Grid, values: NDArray | float) -> NDArray | None:
    """A copy with other values on the grid."""
    if array is None:
        return None
    out = array.copy()
    out[grid] = values
    return out


def ties(found: Iterable[Composition]) -> frozenset[frozenset[str]]:
    """All pairs of parts of one whole.

    Examples
    --------
    >>> sorted(map(sorted, ties([Composition(("a", "b", "c"), 1.0, 0, False)])))
    [['a', 'b'], ['a', 'c'], ['b', 'c']]
    """
    return frozenset(frozenset(pair) for whole in found for pair in combinations(whole.parts, 2))
