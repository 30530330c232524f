"""s269: mutual information corrected for cardinality finds weak columns among noise of many values; 3MR; chunks."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from covey.data import path
from covey.select.cardinality import CardinalityAwareRanker, cardinality_corrected_mi, rank_3mr
from covey.select.redundancy import minimum_redundancy
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of
from covey.table import Column, FeatureTable, read

METHODS = {
    "CardinalityAwareRanker": scrambled_parts("scores_"),
    "cardinality_corrected_mi": scrambled,
    "rank_3mr": scrambled,
}

Codes = NDArray[np.int64]
N_USEFUL, N_NOISE = 5, 45
CORRECTIONS = ("analytic", "permutation", "shift", "none")


def weak_columns(rng: np.random.Generator, n: int, least: float = 0.01, most: float = 0.05) -> tuple[Codes, Codes]:
    """Five columns of 10 values that tell about `least` to `most` nats of a label each, 45 of noise of 2 to 10,000.

    Returns
    -------
    x : ndarray of shape (n, 50), int64
    y : ndarray of shape (n,), int64
        0 or 1, from a logistic model of the first five columns.
    """
    useful = rng.integers(0, 10, (n, N_USEFUL))
    effects = np.array([rng.permutation(np.linspace(-1, 1, 10)) for _ in range(N_USEFUL)]) * np.sqrt(3)
    weights = np.sqrt(12.0 * np.linspace(least, most, N_USEFUL))
    logit = sum(weights[j] * effects[j][useful[:, j]] for j in range(N_USEFUL))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-logit))).astype(np.int64)
    noise = [rng.integers(0, m, n) for m in cardinalities()]
    return np.column_stack([useful, *noise]), y


def cardinalities() -> Codes:
    """Values of the noise columns, from 2 to 10,000."""
    return np.round(np.geomspace(2, 10_000, N_NOISE)).astype(np.int64)


@study_of("s269")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Weak columns among noise under four corrections; time beside a scan of values; 3MR; chunks; a real table."""
    rng = np.random.default_rng([random_state, 269])
    tables = [weak_columns(rng, 20_000) for _ in range(3 if quick else 10)]
    weaker = [weak_columns(rng, 20_000, 0.002, 0.006) for _ in tables]
    yield from _precision(tables, weaker)
    yield from _speed(rng)
    yield from _three_terms(rng, 6 if quick else 20)
    yield _merged(*tables[0])
    yield _adult(rng)


def _precision(tables: list[tuple[Codes, Codes]], weaker: list[tuple[Codes, Codes]]) -> Iterator[Claim | str]:
    found = {c: np.array([_scores(x, y, c) for x, y in tables]) for c in CORRECTIONS}
    precision = {c: float(np.mean([_in_front(row) for row in scores])) for c, scores in found.items()}
    for correction, bound in (("analytic", 0.9), ("permutation", 0.9), ("shift", 0.8)):
        yield Claim(
            f"share of the five weak columns among the five best of 50, correction {correction!r}",
            precision[correction],
            bound,
            baseline=precision["none"],
            baseline_name="uncorrected",
        )
    wide = N_USEFUL + np.flatnonzero(cardinalities() >= 1000)
    bias = {c: float(np.abs(found[c][:, wide].mean())) for c in CORRECTIONS}
    yield Claim(
        "mean score of noise columns of 1000 to 10,000 values, in nats, correction 'analytic'",
        bias["analytic"],
        0.002,
        "<=",
        baseline=bias["none"],
        baseline_name="uncorrected",
    )
    told = found["none"][:, :N_USEFUL].mean(axis=0)
    harder = {c: np.mean([_in_front(_scores(x, y, c)) for x, y in weaker]) for c in ("analytic", "shift")}
    yield (
        f"{len(tables)} tables of 20,000 rows; the five columns tell {told.min():.3f} to {told.max():.3f} nats of the "
        f"label each. Where they tell 0.002 to 0.006, {harder['analytic']:.2f} of them are in front by 'analytic' and "
        f"{harder['shift']:.2f} by the published 'shift', which draws one order of the rows."
    )


def _scores(x: Codes, y: Codes, correction: str) -> NDArray[np.float64]:
    ranker = CardinalityAwareRanker(correction, k="all", discrete_features=True, n_permutations=5)  # type: ignore[arg-type]
    return ranker.fit(x.astype(np.float64), y).scores_


def _in_front(scores: NDArray[np.float64]) -> float:
    return float(np.mean(np.argsort(-scores, kind="stable")[:N_USEFUL] < N_USEFUL))


def shift_by_scan(x: NDArray[np.integer], y: NDArray[np.integer]) -> float:
    """The published score by its definition: a scan of all rows for each value."""
    n, total = len(x), 0.0
    for value in np.unique(x):
        rows = np.flatnonzero(x == value)
        moved = y[(rows + len(rows)) % n]
        for sign, labels in ((1.0, moved), (-1.0, y[rows])):
            p = np.bincount(labels) / len(rows)
            total -= sign * len(rows) / n * np.sum(p[p > 0] * np.log(p[p > 0]))
    return total


def _speed(rng: np.random.Generator) -> Iterator[Claim | str]:
    x, y = (rng.integers(0, m, 200_000, dtype=np.int32) for m in (1000, 2))
    ours, theirs = np.inf, np.inf
    for _ in range(7):  # the best times, as others may use the machine
        start = perf_counter()
        score = cardinality_corrected_mi(x, y, "shift")
        middle = perf_counter()
        scan = shift_by_scan(x, y)
        ours, theirs = min(ours, middle - start), min(theirs, perf_counter() - middle)
    yield Claim("difference of the score from its definition by a scan a value, in nats", abs(score - scan), 1e-9, "<=")
    yield Claim(
        "times as fast as a scan a value, 200,000 rows and 1000 values",
        theirs / ours,
        20.0,
        note=f"{1e3 * ours:.1f} ms beside {1e3 * theirs:.0f} ms",
    )


def _three_terms(rng: np.random.Generator, n_tables: int) -> Iterator[Claim | str]:
    """A relevant column and its partner, which tells of the label only with it; another, its two copies; and noise."""
    kept: dict[str, list[float]] = {"3mr": [], "relevance": [], "redundancy": []}
    for _ in range(n_tables):
        columns, y = _partners(rng)
        relevance = np.array([cardinality_corrected_mi(x, y) for x in columns])
        redundancy = np.array([[cardinality_corrected_mi(a, b) for b in columns] for a in columns])
        relation = np.array([[cardinality_corrected_mi(20 * a + b, y) for b in columns] for a in columns])
        orders = {
            "3mr": rank_3mr(relevance, redundancy, relation, k=3).order,
            "relevance": tuple(np.argsort(-relevance)[:3].tolist()),
            "redundancy": minimum_redundancy(relevance, redundancy.__getitem__, 3).order,
        }
        for name, order in orders.items():
            kept[name].append({0, 1, 2} == set(order))
    share = {name: float(np.mean(values)) for name, values in kept.items()}
    yield Claim(
        "share of tables in which 3MR takes three of twelve columns that tell all: one, its partner that tells only "
        "together with it, and another without its copies",
        share["3mr"],
        0.9,
        baseline=max(share["relevance"], share["redundancy"]),
        baseline_name="the better of relevance and mRMR",
    )


def _partners(rng: np.random.Generator, n: int = 3000) -> tuple[list[Codes], Codes]:
    a, b, c = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, 4, n)
    y = np.array([a, a ^ b, c >= 2])[rng.choice(3, n, p=[0.3, 0.35, 0.35]), np.arange(n)].astype(np.int64)
    copies = [np.where(rng.random(n) < 0.1, rng.integers(0, 4, n), c) for _ in range(2)]
    return [a, b, c, *copies, *(rng.integers(0, m, n) for m in (2, 3, 5, 8, 12, 16, 20))], y


def _merged(x: Codes, y: Codes) -> Claim:
    """Chunks of 1000 rows, counts merged, beside the mean of the scores of chunks."""
    whole = _scores(x, y, "analytic")
    parts = CardinalityAwareRanker(k="all", discrete_features=True)
    means = CardinalityAwareRanker(k="all", discrete_features=True, batches="mean")
    for start in range(0, len(x), 1000):
        rows = slice(start, start + 1000)
        for ranker in (parts, means):
            ranker.partial_fit(x[rows].astype(np.float64), y[rows])
    return Claim(
        "largest difference of scores of 20 merged chunks from those of all rows, in nats",
        float(np.abs(parts.scores_ - whole).max()),
        1e-9,
        "<=",
        baseline=float(np.abs(means.scores_ - whole).max()),
        baseline_name="mean of the scores of chunks, as published",
    )


def _adult(rng: np.random.Generator) -> Claim:
    """Census rows with eight columns of noise, 10 to 20,000 categories, beside the 14 true ones."""
    table = read(path("covey:adult"))
    y = table["income-per-year"]
    noise = [_categories(f"noise {m}", rng.integers(0, m, table.n_rows), m) for m in np.geomspace(10, 20_000, 8)]
    wide = FeatureTable.from_columns([*table.drop(y.name).columns(), *noise])
    n_true = wide.n_columns - len(noise)

    def ahead(correction: str) -> float:
        scores = CardinalityAwareRanker(correction, k="all").fit(wide, y).scores_  # type: ignore[arg-type]
        return float(np.mean(np.argsort(-scores, kind="stable")[:n_true] < n_true))

    return Claim(
        "share of the 14 columns of the census table among the best 14, with eight columns of noise added",
        ahead("analytic"),
        0.9,
        baseline=ahead("none"),
        baseline_name="uncorrected",
    )


def _categories(name: str, codes: Codes, most: float) -> Column:
    return Column(name, "categorical", codes.astype(np.int32), tuple(str(v) for v in range(int(most) + 1)))
