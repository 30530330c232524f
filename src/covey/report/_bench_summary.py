"""Cells of a vertical benchmark, brought together: means over seeds, differences to pooled data, curves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Role = Literal["vertical", "solo", "pooled"]
Setting = tuple[float | None, float | None]

_NUMBERS = ("score", "bytes", "messages", "rounds", "seconds", "leakage")


@dataclass(frozen=True)
class Cell:
    """One run of an algorithm; numbers that are not known are NaN.

    Parameters
    ----------
    data, algorithm : str
    alpha, beta : float or None
        Imbalance and correlation of the split; None where it was not controlled.
    seed : int
    metric : str
        What `score` is.
    score, bytes, messages, rounds, seconds, leakage : float
    error : str
        Why it failed; empty if it did not.
    """

    data: str
    algorithm: str
    alpha: float | None
    beta: float | None
    seed: int
    metric: str
    score: float
    bytes: float
    messages: float
    rounds: float
    seconds: float
    leakage: float
    error: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Cell:
        """The cell of a row; only ``data`` and ``algorithm`` must be there.

        Raises
        ------
        ValueError
            If one of these is not, or the row has neither score nor error.

        Examples
        --------
        >>> cell = Cell.of({"data": "digits", "algorithm": "gbdt", "score": 0.9, "alpha": 1})
        >>> cell.setting, cell.error, cell.leakage
        ((1.0, None), '', nan)
        """
        for key in ("data", "algorithm"):
            if not row.get(key):
                raise ValueError(f"a cell has no {key!r}: {dict(row)!r:.200}")
        numbers = {key: _number(row.get(key)) for key in _NUMBERS}
        error = str(row.get("error") or "")
        if not error and math.isnan(numbers["score"]):
            error = "no score"
        return cls(
            data=str(row["data"]),
            algorithm=str(row["algorithm"]),
            alpha=_level(row.get("alpha")),
            beta=_level(row.get("beta")),
            seed=int(row.get("seed") or 0),
            metric=str(row.get("metric") or "score"),
            error=error,
            **numbers,
        )

    @property
    def setting(self) -> Setting:
        """(alpha, beta)."""
        return self.alpha, self.beta


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _level(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def setting_words(setting: Setting) -> str:
    """A setting in words.

    Examples
    --------
    >>> setting_words((0.1, None)), setting_words((1.0, 0.3)), setting_words((None, None))
    ('alpha 0.1', 'alpha 1, beta 0.3', 'split as given')
    """
    words = [f"{name} {value:g}" for name, value in zip(("alpha", "beta"), setting) if value is not None]
    return ", ".join(words) or "split as given"


def metrics_of(cells: Sequence[Cell]) -> dict[str, str]:
    """The metric of each data set, in the order in which the sets first appear; a failed cell may not know it."""
    known = {cell.data: cell.metric for cell in reversed(cells) if not cell.error}
    return {cell.data: known.get(cell.data, cell.metric) for cell in cells}


def settings_of(cells: Iterable[Cell]) -> list[Setting]:
    """All settings, uncontrolled ones first, then by alpha, then by beta."""
    return sorted({cell.setting for cell in cells}, key=lambda s: [(v is not None, v or 0.0) for v in (s[1], s[0])])


@dataclass(frozen=True)
class Kin:
    """What an algorithm's name says: ``"pooled-gbdt"`` is gbdt on all features in one place.

    Parameters
    ----------
    family : str
        Name of the algorithm itself; ``""`` for a bare ``"pooled"`` or ``"solo"``.
    role : {"vertical", "solo", "pooled"}
    """

    family: str
    role: Role

    @classmethod
    def of(cls, algorithm: str) -> Kin:
        """The kin of a name.

        Examples
        --------
        >>> Kin.of("solo-linear"), Kin.of("Pooled"), Kin.of("gbdt")
        (Kin(family='linear', role='solo'), Kin(family='', role='pooled'), Kin(family='gbdt', role='vertical'))
        """
        head, _, rest = algorithm.partition("-")
        role: Role
        for role in ("solo", "pooled"):
            if head.lower() == role:
                return cls(rest, role)
        return cls(algorithm, "vertical")


def reference_of(algorithm: str, algorithms: Sequence[str]) -> str | None:
    """The pooled run that an algorithm is compared with: that of its family, or the only one.

    Examples
    --------
    >>> reference_of("solo-gbdt", ["gbdt", "solo-gbdt", "pooled-gbdt", "pooled-linear"])
    'pooled-gbdt'
    >>> reference_of("splitnn", ["splitnn", "pooled"])
    'pooled'
    """
    kin = Kin.of(algorithm)
    if kin.role == "pooled":
        return None
    pooled = [name for name in algorithms if Kin.of(name).role == "pooled"]
    own = [name for name in pooled if Kin.of(name).family == kin.family]
    if own or len(pooled) == 1:
        return (own or pooled)[0]
    return None


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Parameters
    ----------
    mean, deviation : float
        The deviation (divisor n - 1) is NaN for one seed, both are for none.
    n : int
        Seeds that have a value.
    """

    mean: float
    deviation: float
    n: int


def over_seeds(cells: Iterable[Cell], value: Callable[[Cell], float]) -> Estimate:
    """Mean and deviation over seeds of each seed's mean; NaN values and failed cells are left out.

    Examples
    --------
    >>> scores = ((0, 1), (0, 3), (1, 4))
    >>> cells = [Cell.of({"data": "d", "algorithm": "a", "seed": seed, "score": value}) for seed, value in scores]
    >>> over_seeds(cells, score)
    Estimate(mean=3.0, deviation=1.4142135623730951, n=2)
    """
    return _estimate(list(_by_seed(cells, value).values()))


def _by_seed(cells: Iterable[Cell], value: Callable[[Cell], float]) -> dict[int, float]:
    groups: dict[int, list[float]] = defaultdict(list)
    for cell in cells:
        if not cell.error and not math.isnan(value(cell)):
            groups[cell.seed].append(value(cell))
    return {seed: float(np.mean(values)) for seed, values in groups.items()}


def _estimate(values: Sequence[float]) -> Estimate:
    if not values:
        return Estimate(float("nan"), float("nan"), 0)
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Estimate(float(np.mean(values)), deviation, len(values))


def score(cell: Cell) -> float:
    """Score of a cell, to sort or average by."""
    return cell.score


def difference(cells: Iterable[Cell], reference: Iterable[Cell]) -> Estimate:
    """Score less that of the reference with the same seed, or its mean where that seed is missing."""
    wanted = _by_seed(reference, score)
    if not wanted:
        return _estimate([])
    mean = float(np.mean(list(wanted.values())))
    return _estimate([own - wanted.get(seed, mean) for seed, own in _by_seed(cells, score).items()])


@dataclass(frozen=True)
class Entry:
    """An algorithm's score on a data set, as the table shows it.

    Parameters
    ----------
    score, difference : Estimate
        Difference to pooled data.
    n_cells, n_failed : int
    best : bool
        Whether no other vertical or solo algorithm has a higher mean.
    """

    score: Estimate
    difference: Estimate
    n_cells: int
    n_failed: int
    best: bool


def score_table(cells: Sequence[Cell], reference: Sequence[Cell]) -> dict[str, dict[str, Entry]]:
    """Entries by algorithm and data set, both in the order in which they first appear.

    Parameters
    ----------
    cells : sequence of Cell
        Those to average.
    reference : sequence of Cell
        Where pooled runs are taken from: they do not depend on the split.
    """
    names = list(dict.fromkeys(cell.algorithm for cell in reference))
    table: dict[str, dict[str, Entry]] = {}
    for algorithm in dict.fromkeys(cell.algorithm for cell in cells):
        table[algorithm] = {}
        for data in dict.fromkeys(cell.data for cell in cells):
            own = [cell for cell in cells if cell.algorithm == algorithm and cell.data == data]
            pooled = reference_of(algorithm, names)
            against = [cell for cell in reference if cell.algorithm == pooled and cell.data == data]
            if own:
                n_failed = sum(bool(cell.error) for cell in own)
                table[algorithm][data] = Entry(
                    over_seeds(own, score), difference(own, against), len(own), n_failed, _is_best(own, cells)
                )
    return table


def _is_best(own: Sequence[Cell], cells: Sequence[Cell]) -> bool:
    if Kin.of(own[0].algorithm).role == "pooled":
        return False
    rivals: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.data == own[0].data and Kin.of(cell.algorithm).role != "pooled":
            rivals[cell.algorithm].append(cell)
    means = [over_seeds(group, score).mean for group in rivals.values()]
    return len(means) > 1 and over_seeds(own, score).mean == np.nanmax([*means, -np.inf])


def curves(cells: Sequence[Cell], axis: Literal["alpha", "beta"]) -> list[dict[str, Any]]:
    """For each data set the scores of each algorithm along alpha or beta, averaged over the other.

    Returns
    -------
    list of dict
        ``data``, ``metric`` and ``series``: for each algorithm ``points`` [value, mean, deviation] by ascending value,
        and ``level`` [mean, deviation] of runs whose split was not controlled at all. Data sets without a controlled
        split are left out.
    """
    panels = []
    metrics = metrics_of(cells)
    for data, own in _grouped(cells, lambda cell: cell.data).items():
        series = []
        for algorithm, group in _grouped(own, lambda cell: cell.algorithm).items():
            along = _grouped([c for c in group if _is_drawable(c, axis)], lambda cell: getattr(cell, axis))
            points = [[x, *_mean_deviation(along[x])] for x in sorted(along) if over_seeds(along[x], score).n]
            free = [cell for cell in group if cell.setting == (None, None)]
            level = _mean_deviation(free) if over_seeds(free, score).n and not points else None
            if points or level:
                series.append({"algorithm": algorithm, "points": points, "level": level})
        if any(line["points"] for line in series):
            panels.append({"data": data, "metric": metrics[data], "series": series})
    return panels


def costs(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """For each data set bytes against score: one point a split setting, and the mean of each algorithm."""
    panels = []
    metrics = metrics_of(cells)
    for data, own in _grouped(cells, lambda cell: cell.data).items():
        series = []
        for algorithm, group in _grouped(own, lambda cell: cell.algorithm).items():
            points = [
                [_bytes(part).mean, over_seeds(part, score).mean, setting_words(setting)]
                for setting, part in _grouped(group, lambda cell: cell.setting).items()
                if _bytes(part).n
            ]
            if points:
                mean = [_bytes(group).mean, *_mean_deviation(group)]
                series.append({"algorithm": algorithm, "points": points, "mean": mean})
        if series:
            panels.append({"data": data, "metric": metrics[data], "series": series})
    return panels


def leakages(cells: Sequence[Cell]) -> dict[str, dict[str, Estimate]]:
    """Leakage by data set and algorithm, of those that have one."""
    found: dict[str, dict[str, Estimate]] = {}
    for data, own in _grouped(cells, lambda cell: cell.data).items():
        estimates = {
            algorithm: over_seeds(group, lambda cell: cell.leakage)
            for algorithm, group in _grouped(own, lambda cell: cell.algorithm).items()
        }
        known = {algorithm: estimate for algorithm, estimate in estimates.items() if estimate.n}
        if known:
            found[data] = known
    return found


def _is_drawable(cell: Cell, axis: str) -> bool:
    """Whether the cell has a place on the axis, which is logarithmic for alpha."""
    value = getattr(cell, axis)
    return value is not None and math.isfinite(value) and (axis == "beta" or value > 0)


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], Any]) -> dict[Any, list[Cell]]:
    groups: dict[Any, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return dict(groups)


def _mean_deviation(cells: Sequence[Cell]) -> list[float]:
    estimate = over_seeds(cells, score)
    return [estimate.mean, estimate.deviation]


def _bytes(cells: Sequence[Cell]) -> Estimate:
    return over_seeds(cells, lambda cell: cell.bytes)
