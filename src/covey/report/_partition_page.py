"""Pages about features that are spread over parties: a split drawn, and a benchmark of algorithms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.report._bench_summary import (
    Cell,
    Entry,
    Estimate,
    Kin,
    costs,
    curves,
    leakages,
    metrics_of,
    over_seeds,
    score_table,
    setting_words,
    settings_of,
)
from covey.report._page import asset, readable, script_of
from covey.report._payload import Payload

SHARED = ("base", "colour", "chart", "cells", "partition")
MOST_BINS = 480  # cells on a side of the map; more would be smaller than a point of the screen
LEVELS, UNDEFINED = 254, 255
_COSTS = ("bytes", "messages", "rounds", "seconds")
NOBODY = "nobody"


def split_page(
    title: str,
    names: Sequence[str],
    party_names: Sequence[str],
    labels: ArrayLike,
    correlation: ArrayLike | None = None,
    pcor: ArrayLike | None = None,
    shares: ArrayLike | None = None,
    facts: Mapping[str, Any] | None = None,
) -> str:
    """A page that draws a split: who holds what, and how the parts correlate.

    Parameters
    ----------
    title : str
    names : sequence of str
        Of the features.
    party_names : sequence of str
    labels : array-like of int, shape (n_features,)
        Party of each feature, by its position; -1 for a feature that nobody holds.
    correlation : array-like of shape (n_features, n_features), optional
        Only absolute values are drawn; NaN is undefined. Of more than 480 features, means of neighbours are drawn.
    pcor : array-like of shape (n_parties, n_parties), optional
        Correlation within (diagonal) and between parties, at least 0.
    shares : array-like of shape (n_parties,), optional
        Importance of each party, as shares that sum to 1.
    facts : mapping of str to number, pair of numbers, or text, optional
        What is known of the split, as ``{"alpha": 1.0, "Icor": -0.1, "bounds": (-0.2, 0.1)}``.

    Returns
    -------
    str
        HTML that needs nothing from elsewhere; every name is escaped.

    Raises
    ------
    ValueError
        If an array has another shape, or a label is no party.

    Examples
    --------
    >>> page = split_page("Two parties", ["age", "<b>", "debt"], ["bank", "shop"], [0, 1, 0], facts={"alpha": 0.5})
    >>> page[:15], "&lt;b&gt;" in page, "<b>" in page
    ('<!DOCTYPE html>', True, False)
    """
    names, party_names = list(map(str, names)), list(map(str, party_names))
    owner = _checked_labels(labels, len(names), len(party_names))
    share = _checked(shares, (len(party_names),), "shares")
    matrix = _checked(pcor, (len(party_names),) * 2, "pcor")
    values = _checked(correlation, (len(names),) * 2, "correlation")
    groups = [(name, np.flatnonzero(owner == k)) for k, name in enumerate(party_names)]
    if (owner < 0).any():
        groups.append((NOBODY, np.flatnonzero(owner < 0)))
    figures, how = _sorted_facts(facts or {})
    offered = [
        ("holders", "Who holds what", True),
        ("balance", "Importance and correlation", share is not None or matrix is not None),
        ("map", "Correlation map", values is not None),
        ("how", "How it was made", bool(how)),
    ]
    return render_page(
        "partition_split.html.j2",
        ("partition_split",),
        title,
        offered,
        _map_payload(names, groups, len(party_names), values),
        figures=[(readable(len(names)), "columns"), (readable(len(party_names)), "parties"), *figures],
        parties=[
            {"name": name, "columns": [names[j] for j in held], "colour": k if k < len(party_names) else None}
            for k, (name, held) in enumerate(groups)
        ],
        share=None if share is None else share.tolist(),
        party_names=party_names,
        pcor=None if matrix is None else matrix.tolist(),
        tint=_tint(matrix),
        n_columns=len(names),
        width=_bin_width(len(names)),
        how=how,
    )


def bench_page(title: str, cells: Iterable[Mapping[str, Any]], facts: Mapping[str, Any] | None = None) -> str:
    """A page of a benchmark: scores, what an uneven or correlated split does to them, what they cost and leak.

    Parameters
    ----------
    title : str
    cells : iterable of mappings
        One run each, with ``data``, ``algorithm``, ``alpha`` and ``beta`` (None: not controlled), ``seed``, ``metric``
        (name of the score), ``score``, ``bytes``, ``messages``, ``rounds``, ``seconds``, ``leakage`` (None or NaN: not
        measured) and ``error`` (the reason of a run that failed). An algorithm called ``"pooled-..."`` or ``"pooled"``
        has all features in one place and is what the others are compared with; ``"solo-..."`` has one party's.
    facts : mapping of str to number, pair of numbers, or text, optional
        What else is known of the benchmark.

    Returns
    -------
    str
        HTML that needs nothing from elsewhere; every name is escaped.

    Raises
    ------
    ValueError
        If there is no cell, or one lacks its data set or algorithm.

    Examples
    --------
    >>> cell = {"data": "digits", "algorithm": "gbdt", "seed": 0, "metric": "accuracy", "score": 0.9527}
    >>> page = bench_page("One run", [cell])
    >>> page[:15], "0.953" in page
    ('<!DOCTYPE html>', True)
    """
    runs = [Cell.of(row) for row in cells]
    if not runs:
        raise ValueError("there is nothing to show: no cell")
    algorithms = list(dict.fromkeys(run.algorithm for run in runs))
    panels = {axis: curves(runs, axis) for axis in ("alpha", "beta")}
    points, leaks = costs(runs), leakages(runs)
    figures, how = _sorted_facts(facts or {})
    offered = [
        ("scores", "Scores", True),
        ("splits", "As the split changes", any(panels.values())),
        ("costs", "What it costs", bool(points)),
        ("leakage", "What leaks", bool(leaks)),
        ("cells", "All runs", True),
        ("how", "How it was made", bool(how)),
    ]
    looks = _looks(algorithms)
    return render_page(
        "partition_bench.html.j2",
        ("curves", "partition_bench"),
        title,
        offered,
        Payload().text(
            {"algorithms": looks, "curves": panels, "costs": points, "rows": [_row(run) for run in runs]},
        ),
        figures=[*_bench_figures(runs), *figures],
        failed=[run for run in runs if run.error],
        data=metrics_of(runs),
        tables=_tables(runs),
        looks={look["name"]: look for look in looks},
        cost_rows=_cost_rows(runs),
        panels=panels,
        leaks=leaks,
        how=how,
    )


def render_page(
    template: str,
    scripts: Sequence[str],
    title: str,
    offered: Sequence[tuple[str, str, bool]],
    payload: str,
    **values: Any,
) -> str:
    """A page of a template: its sections that are wanted, what its scripts read, and what its text needs."""
    return (
        _templates()
        .get_template(template)
        .render(
            title=title,
            sections=[(anchor, heading) for anchor, heading, wanted in offered if wanted],
            payload=payload,
            style=asset("page.css") + asset("partition.css"),
            **script_of((*SHARED, *scripts)),
            **values,
        )
    )


@cache
def _templates() -> Any:
    from jinja2 import Environment, FunctionLoader

    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.filters |= {"readable": readable, "fixed": fixed, "signed": signed, "amount": amount}
    return environment


def fixed(value: float, digits: int = 3) -> str:
    """A score with so many digits after the point.

    Examples
    --------
    >>> fixed(0.95), fixed(-0.5, 2), fixed(float("nan"))
    ('0.950', '−0.50', '–')
    """
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign.

    Examples
    --------
    >>> signed(0.0123), signed(-0.2), signed(-0.0001)
    ('+0.012', '−0.200', '±0.000')
    """
    if math.isnan(value):
        return "–"
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"±{text[1:]}"


def amount(n_bytes: float) -> str:
    """Bytes in the unit that suits their number.

    Examples
    --------
    >>> amount(0), amount(950), amount(23_456_789), amount(float("nan"))
    ('0 B', '950 B', '23.5 MB', '–')
    """
    if math.isnan(n_bytes):
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.3g} TB"


def _sorted_facts(facts: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(figure, what it counts) of numbers, and (name, words) of the rest."""
    figures, words = [], []
    for name, value in facts.items():
        label = str(name).replace("_", " ")
        pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))
        if pair:
            figures.append((f"{readable(value[0])} to {readable(value[1])}", label))
        elif _is_number(value):
            figures.append((readable(value), label))
        elif value is not None:
            words.append((label, readable(value)))
    return figures, words


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _checked_labels(labels: ArrayLike, n_features: int, n_parties: int) -> NDArray[np.intp]:
    owner = np.asarray(labels)
    if owner.shape != (n_features,) or (n_features and owner.dtype.kind not in "iu"):
        raise ValueError(f"labels must be one integer for each of the {n_features} names, got shape {owner.shape}")
    outside = (owner < -1) | (owner >= n_parties)
    if outside.any():
        raise ValueError(f"labels names party {owner[outside][0]}, but parties are 0 to {n_parties - 1} (-1: nobody)")
    return owner.astype(np.intp)


def _checked(values: ArrayLike | None, shape: tuple[int, ...], name: str) -> NDArray[np.float64] | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def _tint(matrix: NDArray[np.float64] | None) -> Callable[[float], float]:
    """How deep the cell of a value is coloured, 0..1: the largest of the matrix is 1."""
    largest = 0.0 if matrix is None else float(np.nan_to_num(matrix).max(initial=0.0))
    return lambda value: 0.0 if math.isnan(value) or not largest else round(max(value, 0.0) / largest, 3)


def _bin_width(n_features: int) -> int:
    return max(1, math.ceil(n_features / MOST_BINS))


def _map_payload(
    names: Sequence[str],
    groups: Sequence[tuple[str, NDArray[np.intp]]],
    n_parties: int,
    correlation: NDArray[np.float64] | None,
) -> str:
    """What the map's script reads: features ordered by party, cut into bins that no two parties share."""
    payload = Payload()
    order = np.concatenate([held for _, held in groups])
    width = _bin_width(len(order))
    starts: list[int] = []
    parties = []
    first = 0
    for k, (name, held) in enumerate(groups):
        parties.append({"name": name, "first": len(starts), "nobody": k >= n_parties})
        starts += range(first, first + len(held), width)
        first += len(held)
    header: dict[str, Any] = {
        "names": [names[j] for j in order],
        "starts": starts,
        "parties": parties,
        "constants": {"levels": LEVELS, "undefined": UNDEFINED},
    }
    if correlation is not None and len(order):
        means = binned(np.abs(correlation[np.ix_(order, order)]), np.array(starts))
        upper = means[np.triu_indices(len(starts))]
        codes = np.where(np.isfinite(upper), np.rint(np.clip(np.nan_to_num(upper), 0.0, 1.0) * LEVELS), UNDEFINED)
        header["values"] = payload.array(codes, "u1")
    return payload.text(header)


def binned(values: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Means of a square matrix over bins of its rows and columns, without NaN and without a feature's pair with itself.

    Parameters
    ----------
    values : ndarray of shape (n, n)
    starts : ndarray of int, shape (n_bins,)
        First position of each bin, ascending from 0.

    Returns
    -------
    ndarray of shape (n_bins, n_bins)
        A bin of one feature keeps its pair with itself; a mean of nothing is NaN.

    Examples
    --------
    >>> binned(np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]]), np.array([0, 2])).round(3).tolist()
    [[0.5, 0.3], [0.3, 1.0]]
    """
    sizes = np.diff([*starts, len(values)])
    shared = np.repeat(sizes > 1, sizes)
    used = np.isfinite(values)
    np.fill_diagonal(used, ~shared & np.diag(used))
    count = _sum_bins(used.astype(np.float64), starts)
    total = _sum_bins(np.where(used, values, 0.0), starts)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _sum_bins(values: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)


def _looks(algorithms: Sequence[str]) -> list[dict[str, Any]]:
    """How each algorithm is drawn: one colour a family, one kind of line a role."""
    kin = [Kin.of(name) for name in algorithms]
    families = list(dict.fromkeys(k.family for k in kin if k.family))
    return [
        {"name": name, "family": families.index(k.family) if k.family else None, "role": k.role}
        for name, k in zip(algorithms, kin)
    ]


def _bench_figures(runs: Sequence[Cell]) -> list[tuple[str, str]]:
    failed = sum(bool(run.error) for run in runs)
    counted = [
        (len(runs), "run", "runs"),
        (len({run.data for run in runs}), "data set", "data sets"),
        (len({run.algorithm for run in runs}), "algorithm", "algorithms"),
        (len({run.setting for run in runs}), "kind of split", "kinds of split"),
        (len({run.seed for run in runs}), "seed", "seeds"),
    ]
    figures = [(readable(count), one if count == 1 else many) for count, one, many in counted]
    return [*figures, (readable(failed), "failed")] if failed else figures


def _tables(runs: Sequence[Cell]) -> list[tuple[str, dict[str, dict[str, Entry]]]]:
    """The table over all splits, and that of each setting where there are several."""
    settings = settings_of(runs)
    tables = [("all splits", score_table(runs, runs))]
    if len(settings) > 1:
        chosen = [(setting, [run for run in runs if run.setting == setting]) for setting in settings]
        tables += [(setting_words(setting), score_table(some, runs)) for setting, some in chosen]
    return tables


def _cost_rows(runs: Sequence[Cell]) -> list[tuple[str, list[tuple[str, dict[str, Estimate]]]]]:
    """(data set, (algorithm, means of what it took)) of runs that did not fail."""
    found = []
    for data in dict.fromkeys(run.data for run in runs):
        rows = []
        for algorithm in dict.fromkeys(run.algorithm for run in runs if run.data == data):
            own = [run for run in runs if run.data == data and run.algorithm == algorithm and not run.error]
            if own:
                rows.append(
                    (algorithm, {key: _mean_of(own, key) for key in ("bytes", "messages", "rounds", "seconds")})
                )
        if rows:
            found.append((data, rows))
    return found


def _mean_of(runs: Sequence[Cell], key: str) -> Estimate:
    return over_seeds(runs, lambda run: getattr(run, key))


def _row(run: Cell) -> list[Any]:
    """A run as the table of all runs takes it; columns are those of ``COLUMNS`` in its script."""
    numbers = [run.score, run.bytes, run.messages, run.rounds, run.seconds, run.leakage]
    return [run.data, run.algorithm, run.alpha, run.beta, run.seed, run.metric, *numbers, run.error]
