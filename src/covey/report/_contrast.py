"""One sentence about how a column differs between some rows and the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.report._words import name, number, percent
from covey.table import Column

FEW_DISTINCT = 12


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
    here_share, there_share = (percent(share[level]) for share in shares)
    return f"{name(column.name)} is {label} in {here_share} against {there_share} of the other rows"


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


def describe(by: Column, outcome: Column) -> str:
    """How `outcome` goes with `by`, in its extremes.

    Parameters
    ----------
    by, outcome : Column
        Numbers are cut into fifths; categories count when they hold at least 30 rows or 1 % of them.

    Returns
    -------
    str
        A clause without a full stop.

    Examples
    --------
    >>> team = Column("team", "categorical", np.repeat([0, 1], 50).astype(np.int32), ("red", "blue"))
    >>> won = Column("won", "boolean", np.r_[np.zeros(40), np.ones(60)].astype(np.int32), ("no", "yes"))
    >>> describe(team, won)
    'won is yes in 20 % of rows where team is red, and in 100 % where it is blue'
    >>> describe(Column("x", "numeric", np.arange(100.0)), Column("y", "numeric", np.arange(100.0) / 10))
    'the median of y is 0.95 in the lowest fifth of x, and 8.95 in the highest'
    """
    if outcome.categories is not None and len(outcome.categories) > 2:
        if by.categories is None or len(by.categories) == 2:
            by, outcome = outcome, by
        else:
            return _largest_share(by, outcome)
    places = _places(by, ~(by.missing | outcome.missing))
    if len(places) < 2:
        return f"{name(by.name)} has too few rows of each kind to compare"
    word, values = _levels([outcome.values[rows] for _, rows in places], outcome)
    low, high = _ends(values, by)
    first, last = places[low][0], places[high][0].replace(f"where {name(by.name)} is", "where it is")
    if outcome.categories is None:
        return f"the {word} of {name(outcome.name)} is {number(values[low])} {first}, and {number(values[high])} {last}"
    label = name(outcome.categories[1])
    prefix = f"{name(outcome.name)} is {label} in {percent(values[low])} of rows {first}"
    return f"{prefix}, and in {percent(values[high])} {last}"


def _places(by: Column, usable: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.intp]]]:
    """Parts of the rows as (where, rows): the large enough categories, or the lowest and highest fifth."""
    rows = np.flatnonzero(usable)
    values = by.values[rows]
    if by.categories is not None:
        counts = np.bincount(values, minlength=len(by.categories))
        kept = np.flatnonzero(counts >= min(30, max(1, len(rows) // 100)))
        subject = name(by.name)
        return [(f"where {subject} is {name(by.categories[k])}", rows[values == k]) for k in kept]
    if not len(rows):
        return []
    low, high = np.quantile(values, [0.2, 0.8])
    parts = [("in the lowest fifth of " + name(by.name), rows[values <= low]), ("in the highest", rows[values >= high])]
    return (
        parts
        if low < high
        else [(f"where {name(by.name)} is {number(low)}", rows[values == low]), ("elsewhere", rows[values != low])]
    )


def _levels(parts: list[NDArray], outcome: Column) -> tuple[str, NDArray[np.float64]]:
    """What is compared, and its value in each part: the share of the second of two levels, medians, or means."""
    if outcome.categories is not None:
        return "share", np.array([np.mean(part == 1) if len(part) else np.nan for part in parts])
    medians = np.array([np.median(part) if len(part) else np.nan for part in parts])
    if len(np.unique(np.concatenate(parts))) > FEW_DISTINCT and np.nanmax(medians) > np.nanmin(medians):
        return "median", medians
    return "mean", np.array([np.mean(part) if len(part) else np.nan for part in parts])


def _ends(values: NDArray[np.float64], by: Column) -> tuple[int, int]:
    return (int(np.nanargmin(values)), int(np.nanargmax(values))) if by.is_coded else (0, len(values) - 1)


def _largest_share(by: Column, outcome: Column) -> str:
    """The pair of categories that stands out most from independence."""
    both = ~(by.missing | outcome.missing)
    assert by.categories is not None and outcome.categories is not None
    table = np.zeros((len(by.categories), len(outcome.categories)))
    np.add.at(table, (by.values[both], outcome.values[both]), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(table.sum(), 1)
    i, j = np.unravel_index(int(np.argmax(table - expected)), table.shape)
    share, overall = table[i, j] / table[i].sum(), table[:, j].sum() / table.sum()
    return (
        f"{name(outcome.name)} is {name(outcome.categories[j])} in {percent(share)} of rows where {name(by.name)} is "
        f"{name(by.categories[i])}, against {percent(overall)} overall"
    )
