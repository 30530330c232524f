"""s407: the leading eigenvector of a graph of class separation and spread, beside its parts alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from covey.select import EigenvectorCentralitySelector, binned_information, fisher_score
from covey.select.graph import eigenvector_centrality_graph
from covey.structure import AssociationOperator
from covey.studies._frame import Claim, scrambled, study_of
from covey.studies.select._madelon import hits, madelon, ranked_hits, standardised

Array = NDArray[np.float64]
N_WIDE = 100_000


def _noise_graph(graph: Callable[..., AssociationOperator]) -> Callable[..., AssociationOperator]:
    def of_noise(*parts: Array, **parameters: Any) -> AssociationOperator:
        rng = np.random.default_rng(20)
        return graph(*(rng.permutation(part) for part in parts), **parameters)

    return of_noise


METHODS = {"EigenvectorCentralitySelector": scrambled, "eigenvector_centrality_graph": _noise_graph}


@study_of("s407")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The scores against dense algebra, 100,000 columns, and the columns that matter in Madelon."""
    rng = np.random.default_rng([random_state, 407])
    with threadpool_limits(1, user_api="blas"):
        yield _against_dense(rng, 500)
        yield from _wide(rng, 100 if quick else 200)
        yield from _madelon()


def _scaled(v: Array) -> Array:
    return (v - v.min()) / np.ptp(v)


def _dense(x: Array, y: NDArray, alpha: float) -> Array:
    """Entries of the leading eigenvector of the matrix itself."""
    spread = _scaled(x.std(axis=0, ddof=1))
    kernel = np.outer(_scaled(fisher_score(x, y)), _scaled(binned_information(x, y)))
    values, vectors = np.linalg.eig(alpha * kernel + (1 - alpha) * np.maximum.outer(spread, spread))
    return np.abs(vectors[:, np.argmax(values.real)].real)


def _against_dense(rng: np.random.Generator, d: int) -> Claim:
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, d)) * rng.uniform(0.5, 2.0, d) + np.outer(y, rng.normal(size=d) ** 3 / 4)
    found = [EigenvectorCentralitySelector(a, k="all").fit(x, y).scores_ - _dense(x, y, a) for a in (0.3, 0.5, 0.9)]
    text = f"largest difference of a score from a dense eigenvector, {d} columns, alpha 0.3, 0.5 and 0.9"
    return Claim(text, float(np.abs(found).max()), 1e-8, "<=")


def _wide(rng: np.random.Generator, n_rows: int) -> Iterator[Claim | str]:
    y = np.arange(n_rows) % 2
    x = rng.normal(size=(n_rows, N_WIDE)) + np.outer(y, rng.normal(size=N_WIDE) / 2)
    binned_information(x[:, :2], y)  # compiles
    start = process_time()
    parts = fisher_score(x, y), binned_information(x, y), x.std(axis=0, ddof=1)
    value, vector = eigenvector_centrality_graph(*parts, alpha=0.5).leading_eigenvector()
    seconds = process_time() - start
    f, m, s = map(_scaled, parts)
    rows = rng.choice(N_WIDE, 100, replace=False)
    products = 0.5 * f[rows] * (m @ vector) + 0.5 * np.maximum(s[rows, None], s) @ vector
    error = float(np.abs(products / (value * vector[rows]) - 1).max())
    design = f"{N_WIDE:,} columns of {n_rows} rows"
    yield Claim(
        f"largest relative error of the equation of the eigenvector in 100 of its rows, {design}", error, 1e-8, "<="
    )
    yield Claim(
        f"CPU seconds for the statistics of the columns, the graph and its eigenvector, {design}", seconds, 5.0, "<="
    )
    tracemalloc.start()
    eigenvector_centrality_graph(*parts, alpha=0.5).leading_eigenvector()
    peak = tracemalloc.get_traced_memory()[1] / 2**30
    tracemalloc.stop()
    dense = N_WIDE**2 * 8 / 2**30
    text = f"peak memory in GB for the graph and its eigenvector, {N_WIDE:,} columns"
    yield Claim(text, peak, 1.0, "<=", baseline=dense, baseline_name="the matrix")


def _madelon() -> Iterator[Claim | str]:
    x, y = madelon()
    alone = {
        "Fisher score": hits(fisher_score(x, y)),
        "binned mutual information": hits(binned_information(x, y)),
        "standard deviation": hits(x.std(axis=0, ddof=1)),
    }
    best = max(alone, key=alone.__getitem__)
    found = ranked_hits(EigenvectorCentralitySelector(alpha=0.9), x, y)
    text = "columns among the best 20 that are of the 20 of Madelon that matter, alpha 0.9"
    yield Claim(text, found, 17, baseline=alone[best], baseline_name=f"{best} alone")
    yield Claim("that count above the best of its three parts alone", found - alone[best], 1)
    by_fisher = np.argsort(-fisher_score(x, y), kind="stable")
    ranking = np.argsort(EigenvectorCentralitySelector(alpha=1.0).fit(x, y).ranking_)
    moved = int(np.count_nonzero(ranking != by_fisher))
    yield Claim("places of the ranking with alpha 1 that differ from that of the Fisher score, of 500", moved, 0, "<=")
    z = standardised(x)
    without = {alpha: ranked_hits(EigenvectorCentralitySelector(alpha), z, y) for alpha in (0.5, 0.9)}
    yield (
        "In the same run "
        + ", ".join(f"{name} alone finds {count}" for name, count in alone.items())
        + f". Madelon's columns that matter have larger standard deviations, and that is what the graph adds: of "
        f"standardised columns it finds {without[0.9]} with alpha 0.9 and {without[0.5]} with 0.5."
    )
    selector = EigenvectorCentralitySelector(alpha=0.9).fit(x, y)
    yield (
        f"Plain row sums of the same matrix rank the columns almost alike: a Spearman correlation of "
        f"{selector.degree_agreement_:.4f} with the eigenvector."
    )
