"""The showdown: every selector on every bundled table with three learners, ranked, with critical differences.

``covey study showdown --folder cells`` runs what is missing in the folder and writes the section of the page of
studies.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from covey.engine import Engine, LocalEngine
from covey.learn import selectors
from covey.select import FunctionSelector, selection_stability
from covey.select._base import target_column, unusable
from covey.select._encode import Encoding
from covey.select.comparison import column_order, folds_of, held_out_score, learner_for
from covey.table import Column, FeatureTable, atomic_write, read

Array = NDArray[np.float64]

LEARNERS = ("forest", "linear", "neighbours")
SIZES = (5, 10, 20)
FOLDS = 3
ALL = "all columns"
RANDOM = "random"
MOST_ROWS, MOST_COLUMNS = 1500, 1000
TARGETS = {
    "adult": "income-per-year",
    "arcene": "class",
    "diabetes130": "readmitted",
    "german_credit": "credit",
    "isolet": "class",
    "madelon": "class",
}
FROM_SCIKIT_LEARN = ("breast_cancer", "diabetes", "digits", "wine")
DATA = (*TARGETS, *FROM_SCIKIT_LEARN)


@dataclass(frozen=True)
class Cell:
    """One selector on one table.

    Parameters
    ----------
    data, selector : str
    scores : mapping of str to list of list of float
        By learner: shape (n_sizes, n_folds); one size for all columns.
    stability : float
        Of the folds' subsets of the middle size; NaN for all columns.
    seconds : float
        CPU seconds of one selection, mean over the folds.
    error : str
        Why there are no scores.
    """

    data: str
    selector: str
    scores: Mapping[str, Sequence[Sequence[float]]]
    stability: float
    seconds: float
    error: str = ""

    def mean(self, learner: str) -> float:
        """Mean score over sizes and folds; NaN if the selector failed."""
        return float(np.mean(self.scores[learner])) if self.scores else float("nan")


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """Mean ranks of methods over many settings, and how far apart ranks must be to differ.

    Parameters
    ----------
    names : tuple of str
        By rising mean rank.
    ranks : ndarray of shape (n_methods,)
        1 is the best.
    difference : float
        Nemenyi's critical difference: mean ranks that are closer do not differ.
    pvalue : float
        Of Friedman's test that all are equal.
    groups : tuple of (int, int)
        First and last position of the largest groups within one critical difference.
    n_settings : int
    """

    names: tuple[str, ...]
    ranks: Array
    difference: float
    pvalue: float
    groups: tuple[tuple[int, int], ...]
    n_settings: int


def critical_difference(scores: Array, names: Sequence[str], alpha: float = 0.05) -> CriticalDifference:
    """Friedman's test and Nemenyi's critical difference.

    Parameters
    ----------
    scores : ndarray of shape (n_settings, n_methods)
        Higher is better.
    names : sequence of str
    alpha : float

    Raises
    ------
    ValueError
        If there are fewer than 2 settings or 3 methods, or a score is missing.

    References
    ----------
    Demsar (2006), Statistical comparisons of classifiers over multiple data sets. JMLR 7.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.8, 0.5], [0.8, 0.7, 0.4], [0.9, 0.7, 0.6], [0.7, 0.6, 0.3]])
    >>> found = critical_difference(scores, ["a", "b", "c"])
    >>> found.names, found.ranks.tolist(), round(found.difference, 2), found.groups
    (('a', 'b', 'c'), [1.0, 2.0, 3.0], 1.66, ((0, 1), (1, 2)))
    """
    scores = np.asarray(scores, dtype=np.float64)
    n, k = scores.shape
    if n < 2 or k < 3 or np.isnan(scores).any():
        raise ValueError(f"needs complete scores of at least 3 methods in 2 settings, got shape {scores.shape}")
    ranks = rankdata(-scores, axis=1).mean(axis=0)
    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order]
    difference = float(studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n)))
    groups: list[tuple[int, int]] = []
    for first in range(k):
        last = int(np.searchsorted(ranks, ranks[first] + difference, side="right")) - 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    pvalue = float(friedmanchisquare(*scores.T).pvalue)
    return CriticalDifference(tuple(names[j] for j in order), ranks, difference, pvalue, tuple(groups), n)


def random_order(X: FeatureTable, y: Column | None, association: Any = None) -> Array:
    """Random scores, the same for the same rows: the baseline of every selector."""
    seed = int(1e6 * abs(float(np.nansum(X.columns()[0].values)))) % 2**31
    return np.random.default_rng(seed).random(X.n_columns)


def contestants() -> dict[str, Any]:
    """All selectors by name, and a random one."""
    made: dict[str, Any] = {}
    for name, entry in selectors().items():
        with suppress(ImportError):  # torch is an extra
            made[name] = entry.make()
    return {**made, RANDOM: FunctionSelector(random_order)}


@cache
def load(name: str) -> tuple[FeatureTable, Column]:
    """A table of columns that vary, and its target; at most 1,500 rows and 1,000 columns, drawn at random."""
    if name in TARGETS:
        table = read(f"covey:{name}")
        y = target_column(table[TARGETS[name]])
        table = table.drop(TARGETS[name])
    else:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        table, y = read(bunch.data), target_column(bunch.target, "numeric" if name == "diabetes" else "categorical")
        table = read(table, kinds=dict.fromkeys(table.of_kind("id"), "numeric"))
    if table.n_rows > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(table.n_rows, MOST_ROWS, replace=False))
        table, y = table.take(rows), Column(y.name, y.kind, y.values[rows], y.categories)
    names = [column.name for column in table.columns() if not unusable(column)]
    if len(names) > MOST_COLUMNS:
        kept = np.sort(np.random.default_rng(0).choice(len(names), MOST_COLUMNS, replace=False))
        names = [names[j] for j in kept]
    return table.select(names), y


def run_cell(data: str, selector: str, sizes: Sequence[int] = SIZES, learners: Sequence[str] = LEARNERS) -> Cell:
    """Select in each fold and score the subsets with each learner, on rows that took no part."""
    table, y = load(data)
    sizes = [size for size in sizes if size < table.n_columns]
    scoring = "r2" if not y.is_coded else ("roc_auc" if len(y.categories or ()) == 2 else "accuracy")
    folds = folds_of(y.values, y.is_coded, None, FOLDS, 0)
    scores: dict[str, list[list[float]]] = {learner: [] for learner in learners}
    chosen, spent = [], 0.0
    try:
        for train, test in folds:
            start = process_time()
            if selector == ALL:
                subsets = [np.arange(table.n_columns)]
            else:
                order = column_order(contestants()[selector], table, y, train, 0, max(sizes))
                subsets = [order[:size] for size in sizes]
            spent += process_time() - start
            chosen.append(np.isin(np.arange(table.n_columns), subsets[len(subsets) // 2]))
            encoding = Encoding.fit(table, train)
            encoded = encoding.apply(table)
            for learner in learners:
                model = learner_for(learner, y)
                held = [encoded[:, np.isin(encoding.owner, subset)] for subset in subsets]
                scores[learner].append([held_out_score(model, x, y.values, train, test, scoring, 0) for x in held])
    except Exception as error:  # what one selector cannot do must not stop the others
        return Cell(data, selector, {}, float("nan"), float("nan"), f"{type(error).__name__}: {error}")
    stability = float("nan") if selector == ALL else selection_stability(np.array(chosen))
    by_size = {learner: np.array(found).T.tolist() for learner, found in scores.items()}
    return Cell(data, selector, by_size, stability, spent / len(folds))


def run(
    folder: str | Path | None = None,
    data: Iterable[str] = DATA,
    names: Iterable[str] | None = None,
    engine: Engine | None = None,
    progress: Callable[[Cell, int, int], None] | None = None,
) -> list[Cell]:
    """Run the showdown, or what is missing of it.

    Parameters
    ----------
    folder : path, optional
        Each cell is written to a file there when it is done, and read instead of run if it is there.
    data : iterable of str
    names : iterable of str, optional
        Of selectors, by default all.
    engine : Engine, optional
        Where cells run; by default one after another, as their time is taken.
    progress : callable (cell, done, total), optional

    Returns
    -------
    list of Cell
        In the order of data and selectors.
    """
    wanted = [(d, s) for d in data for s in (*(names if names is not None else contestants()), ALL)]
    done = 0

    def one(task: tuple[str, str]) -> Cell:
        nonlocal done
        path = None if folder is None else Path(folder) / f"{task[0]}-{task[1].replace(' ', '_')}.json"
        if path is not None and path.is_file():
            cell = Cell(**json.loads(path.read_text()))
        else:
            cell = run_cell(*task)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as temporary:
                    temporary.write_text(json.dumps(vars(cell)))
        done += 1
        if progress is not None:
            progress(cell, done, len(wanted))
        return cell

    with warnings.catch_warnings():  # here, as threads share the filters
        warnings.simplefilter("ignore")
        return (engine or LocalEngine(1)).map(one, wanted)


def ranked(cells: Sequence[Cell], learners: Sequence[str] = LEARNERS) -> CriticalDifference:
    """Critical differences over tables and learners, of the selectors that gave a score on each."""
    by = {(cell.data, cell.selector): cell for cell in cells}
    data = list(dict.fromkeys(cell.data for cell in cells))
    names = [s for s in dict.fromkeys(cell.selector for cell in cells) if all(by[d, s].scores for d in data)]
    scores = np.array([[by[d, s].mean(learner) for s in names] for d in data for learner in learners])
    return critical_difference(scores, names)


def to_markdown(cells: Sequence[Cell], picture: str | None = None) -> str:
    """The section of the page of studies: the diagram, mean ranks, and scores by table.

    Parameters
    ----------
    cells : sequence of Cell
    picture : str, optional
        Address of the diagram.
    """
    found = ranked(cells)
    data = list(dict.fromkeys(cell.data for cell in cells))
    by = {(cell.data, cell.selector): cell for cell in cells}
    lines = [
        "## showdown",
        "",
        f"Every selector on {len(data)} tables with {len(LEARNERS)} learners ({', '.join(LEARNERS)}): mean score (area "
        "under ROC for two classes, accuracy for more, R² for numbers) over "
        f"{', '.join(map(str, SIZES))} columns, selected in each of {FOLDS} folds from the training rows (at most "
        f"{MOST_ROWS:,} rows and {MOST_COLUMNS:,} columns a table, at random). Written by `covey study showdown`.",
        "",
        f"Mean ranks over {found.n_settings} settings, 1 is the best; Friedman p = {found.pvalue:.1g}. Ranks "
        f"closer than {found.difference:.2f} (Nemenyi, 5 %) do not differ.",
        "",
        *([f"![critical differences]({picture})", ""] if picture else []),
        "| selector | mean rank | gain over random | stability | seconds |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, rank in zip(found.names, found.ranks):
        own = [by[d, name] for d in data]
        gain = np.mean([by[d, name].mean(x) - by[d, RANDOM].mean(x) for d in data for x in LEARNERS])
        stability = "" if name == ALL else f"{np.nanmean([cell.stability for cell in own]):.2f}"
        lines.append(f"| {name} | {rank:.2f} | {gain:+.3f} | {stability} | {np.mean([c.seconds for c in own]):.2f} |")
    lines += ["", f"With the {LEARNERS[0]}:", "", f"| selector | {' | '.join(data)} |", f"|---|{'---:|' * len(data)}"]
    for name in found.names:
        lines.append(f"| {name} | {' | '.join(f'{by[d, name].mean(LEARNERS[0]):.3f}' for d in data)} |")
    failed = [cell for cell in cells if cell.error]
    lines += ["", *(f"- {cell.selector} on {cell.data}: {cell.error}" for cell in failed)]
    return "\n".join(lines).rstrip() + "\n"


def to_svg(found: CriticalDifference, width: int = 720) -> str:
    """The critical-difference diagram: methods on an axis of mean ranks, bars join those that do not differ.

    Examples
    --------
    >>> picture = to_svg(critical_difference(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]), ["<a>", "b", "c"]))
    >>> picture.startswith("<svg"), "&lt;a&gt;" in picture
    (True, True)
    """
    from html import escape

    k, left, right, top = len(found.names), 190, width - 190, 46
    low, high = 1, k
    bars_until = top + 14 + 9 * len(found.groups)

    def at(rank: float) -> float:
        return left + (rank - low) / (high - low) * (right - left)

    half = (k + 1) // 2
    height = bars_until + 22 * half + 14
    ink, muted = "#1c2024", "#5f6670"
    parts = [
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<path d="M{left} {top}H{right}" stroke="{ink}"/>',
        *(
            f'<path d="M{at(r):.1f} {top}v-5" stroke="{ink}"/>'
            f'<text x="{at(r):.1f}" y="{top - 9}" text-anchor="middle" fill="{muted}">{r}</text>'
            for r in range(1, k + 1)
        ),
        f'<path d="M{left} {top - 30}h{at(low + found.difference) - left:.1f}" stroke="{muted}" stroke-width="2"/>',
        f'<text x="{at(low + found.difference) + 6:.1f}" y="{top - 26}" fill="{muted}">critical difference '
        f"{found.difference:.2f}</text>",
    ]
    for place, (name, rank) in enumerate(zip(found.names, found.ranks)):
        is_left = place < half
        y = bars_until + 22 * (place if is_left else k - 1 - place) + 12
        end, anchor, shift = (left - 8, "end", -4) if is_left else (right + 8, "start", 4)
        parts.append(f'<path d="M{at(rank):.1f} {top}V{y}H{end}" fill="none" stroke="{muted}"/>')
        parts.append(
            f'<text x="{end + shift}" y="{y + 4}" text-anchor="{anchor}" fill="{ink}">{escape(name)} {rank:.2f}</text>'
        )
    for level, (first, last) in enumerate(found.groups):
        y, ends = top + 12 + 9 * level, (at(found.ranks[first]) - 4, at(found.ranks[last]) + 4)
        parts.append(f'<path d="M{ends[0]:.1f} {y}H{ends[1]:.1f}" stroke="#0072b2" stroke-width="4"/>')
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    label = f"Mean ranks of {k} selectors with their critical difference"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" aria-label="{label}" '
        f"{style}>{''.join(parts)}</svg>\n"
    )
