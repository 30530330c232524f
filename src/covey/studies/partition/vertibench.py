"""s003: splits with a chosen imbalance and correlation, and how vertical algorithms fare on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer

from covey.partition._inputs import split_rows, take_rows
from covey.partition._partition import Partition
from covey.partition._pcor import icor, pcor_matrix
from covey.partition.attacks import defence_cost
from covey.partition.bench import Cell, at_hand, run_cell
from covey.partition.datasets import VerticalData, load
from covey.partition.evaluators import inter_party_correlation
from covey.partition.splitnn import SplitNN
from covey.partition.splitters import CorrelationSplitter, ImportanceSplitter
from covey.studies._frame import Claim, scrambled, study_of

N_PARTIES = 4
DATA = ("digits", "penbased", "satimage", "texture")
BETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
ALGORITHMS = ("splitnn", "cvfl", "gal", "gbdt", "linear")
BASELINES = ("pooled-splitnn", "pooled-gbdt", "pooled-linear", "solo-gbdt")
POOLED = {"splitnn": "splitnn", "cvfl": "splitnn", "gal": "gbdt", "gbdt": "gbdt", "linear": "linear"}
Spread = tuple[str, float]  # ("alpha", 0.1) or ("beta", 0.3)


def _dealt(splitter: Any, seed: int = 0) -> Any:
    """A stand-in that deals features out in equal numbers, whatever is asked for."""

    def fit(self: Any, X: Any, y: Any = None) -> Any:
        splitter.fit(self, X, y)
        labels = np.random.default_rng(seed).permutation(np.arange(len(self.partition_.names)) % self.n_parties)
        self.partition_ = Partition.from_labels(labels, self.partition_.names, self.n_parties)
        self.alpha_ = float("inf")
        if hasattr(self, "correlation_"):
            self.icor_ = self.icor_min_ = self.icor_max_ = icor(pcor_matrix(self.correlation_, self.partition_.parties))
        return self

    return type(splitter.__name__, (splitter,), {"fit": fit, "partition_at": lambda self, beta: self.partition_})


METHODS = {
    "CorrelationSplitter": _dealt,
    "ImportanceSplitter": _dealt,
    "inter_party_correlation": scrambled,
    "run_cell": scrambled,
    "defence_cost": scrambled,
}


@study_of("s003")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The splitters, the evaluators, and algorithms over a grid of alpha, beta and data sets."""
    yield from _bounds(quick, random_state)
    yield _known_icor()
    yield _recovered_alpha(random_state)
    yield from _grid(quick, random_state)
    yield from _defence(quick, random_state)


def generator(n: int, m: int, seed: int) -> NDArray[np.float64]:
    """Rows (n, m) of max(2, m / 10) sparse factors and noise."""
    rng = np.random.default_rng(seed)
    k = max(2, m // 10)
    z = rng.normal(size=(n, k))
    loadings = rng.normal(size=(k, m)) * (rng.uniform(size=(k, m)) < 0.3)
    return z @ loadings + rng.normal(size=(n, m))


def _bounds(quick: bool, seed: int) -> Iterator[Claim | str]:
    """The least and the most Icor beside those of random splits, and targets between them."""
    n, m = (2000, 24) if quick else (10000, 50)
    splitter = CorrelationSplitter(N_PARTIES, random_state=seed).fit(generator(n, m, 0))
    low, high = _random_bounds(splitter.correlation_, 500 if quick else 2000, seed)
    design = f"{n} rows x {m} columns, {N_PARTIES} parties, Spearman"
    found = (splitter.icor_min_, splitter.icor_max_)
    below = low - 0.01 if quick else -0.226
    above = high + 0.01 if quick else 0.0289
    yield Claim(f"least Icor found: {design}", found[0], below, "<=", baseline=low, baseline_name="random splits")
    yield Claim(f"most Icor found: {design}", found[1], above, baseline=high, baseline_name="random splits")
    off = []
    for beta in BETAS:
        parties = splitter.partition_at(beta).parties
        target = found[0] + beta * (found[1] - found[0])
        off.append(abs(icor(pcor_matrix(splitter.correlation_, parties)) - target))
    random = abs(low - (found[0] + found[1]) / 2)
    yield Claim(
        f"largest error to the target Icor, beta {BETAS}",
        max(off) if found[0] < found[1] else float("nan"),
        1.01e-4,
        "<=",
        baseline=random,
        baseline_name="random split",
    )
    if not quick:
        yield (
            "The bounds of the long form are what vertibench 0.1.2 finds with its defaults on the same data: -0.2260 "
            "and 0.0289 in one run, -0.2238 and 0.0255 in another. benchmarks/split.py runs both sides."
        )


def _random_bounds(correlation: NDArray[np.float64], n: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    labels = np.arange(len(correlation)) % N_PARTIES
    found = []
    for _ in range(n):
        dealt = rng.permutation(labels)
        found.append(icor(pcor_matrix(correlation, [np.flatnonzero(dealt == k) for k in range(N_PARTIES)])))
    return min(found), max(found)


def _known_icor() -> Claim:
    """Icor of three blocks of ten columns, beside its definition by singular values."""
    X = load_breast_cancer().data
    blocks = [np.arange(10 * k, 10 * k + 10) for k in range(3)]
    partition = Partition(tuple(blocks), tuple(f"x{j}" for j in range(30)))
    ranks = X.argsort(axis=0, kind="stable").argsort(axis=0).astype(float)
    for j in range(30):  # equal values share their mean rank
        _, group = np.unique(X[:, j], return_inverse=True)
        ranks[:, j] = (np.bincount(group, ranks[:, j]) / np.bincount(group))[group]
    correlation = np.corrcoef(ranks, rowvar=False)

    def pcor(a: NDArray, b: NDArray) -> float:
        values = np.linalg.svd(correlation[np.ix_(a, b)], compute_uv=False)
        return float(values.std(ddof=1) / np.sqrt(10))

    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    defined = np.mean([pcor(blocks[j], blocks[i]) - pcor(blocks[i], blocks[i]) for i, j in pairs])
    error = float(abs(inter_party_correlation(X, partition) - defined))
    return Claim("Icor of breast_cancer in three blocks: distance from its definition", error, 1e-10, "<=")


def _recovered_alpha(seed: int) -> Claim:
    """The moment estimate of alpha from the sizes of random splits of 200 columns."""
    X = np.random.default_rng(seed).normal(size=(3, 200))
    factors = []
    for alpha in (0.1, 1.0, 10.0):
        draws = [ImportanceSplitter(N_PARTIES, alpha=alpha, random_state=seed + k).fit(X).alpha_ for k in range(30)]
        factors.append(abs(np.log2(np.median(draws) / alpha)))
    text = "alpha 0.1, 1, 10 from 30 random splits of 200 columns: largest |log2(median estimate / alpha)|"
    return Claim(text, float(max(factors)), 1.0, "<=")


def _grid(quick: bool, seed: int) -> Iterator[Claim | str]:
    names = DATA[:1] if quick else [name for name in DATA if name in at_hand()]
    alphas, betas = ((0.1, 100.0), (0.0, 1.0)) if quick else ((0.1, 1.0, 100.0), (0.0, 0.5, 1.0))
    rows: list[dict[str, Any]] = []
    for name in names:
        data = _varying(load(name, max_rows=500 if quick else 1000))
        search = CorrelationSplitter(N_PARTIES, n_restarts=4, random_state=seed)
        for spread, partition in _partitions(data, search, alphas, betas, seed):
            rows += [_row(data, spread, partition, algorithm, seed, quick) for algorithm in (*ALGORITHMS, *BASELINES)]
    spreads = list(dict.fromkeys(row["spread"] for row in rows))
    of = partial(_mean, rows)
    what = f"{', '.join(names)}; {N_PARTIES} parties; alpha {alphas}, beta {betas}"
    for algorithm in ("splitnn", "gbdt"):
        losses = [of(f"pooled-{algorithm}", s, "score") - of(algorithm, s, "score") for s in spreads]
        yield Claim(
            f"{algorithm}: largest loss of accuracy to pooled columns at any split ({what})", max(losses), 0.03, "<="
        )
    pooled = {(row["data"], row["spread"]): row["score"] for row in rows if row["algorithm"] == "pooled-gbdt"}
    apart = max(abs(r["score"] - pooled[r["data"], r["spread"]]) for r in rows if r["algorithm"] == "gbdt")
    yield Claim("gbdt: largest difference of accuracy to the pooled trees, of any sign", apart, 0.0, "<=")
    solo = [of("pooled-gbdt", s, "score") - of("solo-gbdt", s, "score") for s in (("alpha", 0.1), ("beta", 0.0))]
    yield Claim(
        "solo: mean loss of accuracy of the label holder alone, at alpha 0.1 and beta 0", float(np.mean(solo)), 0.1
    )
    bytes_share = np.mean([of("cvfl", s, "bytes") for s in spreads]) / np.mean(
        [of("splitnn", s, "bytes") for s in spreads]
    )
    yield Claim("cvfl at 8 bits: its bytes of training over those of splitnn", float(bytes_share), 0.3, "<=")
    cost = np.mean([of("splitnn", s, "score") - of("cvfl", s, "score") for s in spreads])
    yield Claim("cvfl at 8 bits: mean loss of accuracy to splitnn", float(cost), 0.03, "<=")
    yield from _table(rows, spreads)


def _varying(data: VerticalData) -> VerticalData:
    """The data without constant columns, which have no correlation."""
    names = [column.name for column in data.X.columns() if np.ptp(column.values) > 0]
    return replace(data, X=data.X.select(names))


def _partitions(
    data: VerticalData, search: CorrelationSplitter, alphas: Sequence[float], betas: Sequence[float], seed: int
) -> Iterator[tuple[Spread, Partition]]:
    for alpha in alphas:
        made = ImportanceSplitter(N_PARTIES, alpha=alpha, assignment="matched", random_state=seed).fit(data.X)
        yield ("alpha", alpha), _median_first(made.partition_)
    search.fit(data.X)
    for beta in betas:
        yield ("beta", beta), search.partition_at(beta)


def _median_first(partition: Partition) -> Partition:
    """The same parties with the median one as the label holder, lest chance give it the most or the least."""
    order = np.argsort(partition.sizes, kind="stable").tolist()
    order.insert(0, order.pop(len(order) // 2 - 1))
    return Partition(tuple(partition.parties[k] for k in order), partition.names)


def _row(
    data: VerticalData, spread: Spread, partition: Partition, algorithm: str, seed: int, quick: bool
) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    kind = algorithm.rpartition("-")[2]
    if kind in ("splitnn", "cvfl"):
        settings = {"n_epochs": 15 if quick else 25, "batch_size": 64}
    if kind == "cvfl":
        settings["local_steps"] = 1
    if kind == "gbdt":
        settings = {"n_estimators": 20 if quick else 30, "max_depth": 4}
    cell = Cell(data.name, algorithm, seed=seed, settings=tuple(settings.items()))
    row = run_cell(cell, data, partition)
    return {**row, "data": data.name, "spread": spread, "algorithm": algorithm}


def _mean(rows: Sequence[dict[str, Any]], algorithm: str, spread: Spread, key: str) -> float:
    """Mean over data sets."""
    return float(np.mean([row[key] for row in rows if row["algorithm"] == algorithm and row["spread"] == spread]))


def _table(rows: Sequence[dict[str, Any]], spreads: Sequence[Spread]) -> Iterator[str]:
    """What degrades where, and what it costs, in words."""
    for algorithm in (*ALGORITHMS, "solo-gbdt"):
        kind = f"pooled-{POOLED.get(algorithm, 'gbdt')}"
        loss = [
            f"{100 * (_mean(rows, kind, s, 'score') - _mean(rows, algorithm, s, 'score')):.1f} at {s[0]} {s[1]:g}"
            for s in spreads
        ]
        own = [row for row in rows if row["algorithm"] == algorithm]
        megabytes, rounds, seconds = (np.mean([row[key] for row in own]) for key in ("bytes", "rounds", "seconds"))
        yield (
            f"{algorithm} loses to {kind}, in points of accuracy: {', '.join(loss)}; "
            f"{megabytes / 1e6:.2f} MB, {rounds:.0f} rounds and {seconds:.1f} s of training."
        )


def _defence(quick: bool, seed: int) -> Iterator[Claim | str]:
    """What the label holder rebuilds of others' columns from embeddings, with and without noise on them."""
    data = load("digits", max_rows=700 if quick else None)
    partition = Partition.from_labels(np.random.default_rng(seed).permutation(np.arange(64) % N_PARTIES), data.names)
    parties = partition.split(data.X)
    train, test = split_rows(len(data.y), 0.25, seed)
    noisy = "clip:1.0+noise:0.3"
    model = SplitNN(n_epochs=15 if quick else 30, batch_size=64, random_state=seed)
    plain, defended = defence_cost(
        model,
        [None, noisy],
        ([take_rows(X, train) for X in parties], data.y[train]),
        ([take_rows(X, test) for X in parties], data.y[test]),
    )
    leak = plain["feature_leakage"]
    yield Claim("splitnn: R2 of columns rebuilt from embeddings by a ridge decoder, above shuffled rows", leak, 0.5)
    share = defended["feature_leakage"] / leak
    yield Claim(
        f"the same with {noisy}, as a share", share, (0.0, 0.5), "between", baseline=1.0, baseline_name="no defence"
    )
    yield Claim(f"accuracy that {noisy} costs", plain["score"] - defended["score"], (-0.05, 0.06), "between")
    yield (
        "The paper's data sets are not at hand; these are smaller. The label holder of a split by alpha is the party "
        "of median size. The published grid varies one of alpha and beta at a time, and so does this one."
    )
