"""One sentence about how a column differs between some rows and the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.report._words import name, number, percent
from covey.table import Column


def contrast(column: Column, inside: NDArray[np.bool_]) -> str:
    """How `column` differs where `inside` is true.

    Parameters
    ----------
    column : Column
    inside : ndarray of shape (n_rows,), bool
        Present rows of the column on both sides.

    Returns
    -------
    str
        A clause without a full stop: medians (or means, where these are equal) of numbers, else the level whose share
        differs most.

    Examples
    --------
    >>> contrast(Column("age", "numeric", np.array([60.0, 62.0, 30.0, 31.0])), np.array([True, True, False, False]))
    'age has median 61 against 30.5 in the other rows'
    >>> sex = Column("sex", "categorical", np.array([0, 0, 0, 1], dtype=np.int32), ("f", "m"))
    >>> contrast(sex, np.array([True, True, False, False]))
    'sex is m in 0 % against 50 % of the other rows'
    """
    present = ~column.missing
    here, there = column.values[inside & present], column.values[~inside & present]
    if not len(here) or not len(there):
        return f"{name(column.name)} is missing on one side"
    if column.categories is None:
        word, a, b = _centres(here, there)
        return f"{name(column.name)} has {word} {number(a)} against {number(b)} in the other rows"
    size = len(column.categories)
    shares = [np.bincount(codes, minlength=size) / len(codes) for codes in (here, there)]
    gap = np.abs(shares[0] - shares[1])
    level = size - 1 if size == 2 else int(np.argmax(gap))
    label = name(column.categories[level])
    return f"{name(column.name)} is {label} in {percent(shares[0][level])} against {percent(shares[1][level])} of the other rows"


def levels_by_fifths(feature: Column, target: Column) -> str:
    """The target's mean (or share of its second level) in the lowest, middle and highest fifth of a feature.

    Examples
    --------
    >>> x = np.arange(10.0)
    >>> levels_by_fifths(Column("x", "numeric", x), Column("y", "numeric", (x - 4.5) ** 2))
    'the mean of y is 16.2 in the lowest fifth of x, 0.25 in the middle one and 16.2 in the highest'
    """
    both = ~(feature.missing | target.missing)
    x, y = feature.values[both], target.values[both].astype(float)
    edges = np.quantile(x, [0.2, 0.4, 0.6, 0.8])
    parts = [x <= edges[0], (x > edges[1]) & (x <= edges[2]), x > edges[3]]
    if not all(part.any() for part in parts):
        return f"the relation of {name(feature.name)} and {name(target.name)} has no single direction"
    means = [float(y[part].mean()) for part in parts]
    if target.categories is None:
        what, shown = f"the mean of {name(target.name)}", [number(m) for m in means]
    else:
        what = f"the share of {name(target.categories[1])} in {name(target.name)}"
        shown = [percent(m) for m in means]
    return (
        f"{what} is {shown[0]} in the lowest fifth of {name(feature.name)}, "
        f"{shown[1]} in the middle one and {shown[2]} in the highest"
    )


def _centres(here: NDArray[np.float64], there: NDArray[np.float64]) -> tuple[str, float, float]:
    a, b = float(np.median(here)), float(np.median(there))
    return ("median", a, b) if a != b else ("mean", float(here.mean()), float(there.mean()))
