"""Latent factors from correlation cliques: a whole fit of many columns, and the clique search beside networkx's."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks._frame import Row, Target, timed
from covey.structure.factors import CorrelationThresholdFactor, independent_maximal_cliques


def rows(quick: bool) -> list[Row]:
    """2,000 variables of 100 factors, 1,000 samples: the fit with its 60 thresholds; one search at one threshold."""
    n_factors = 20 if quick else 100
    x, member = planted(n_factors)
    CorrelationThresholdFactor().fit(x[:, :60])  # compiles
    seconds, model = timed(partial(CorrelationThresholdFactor().fit, x))
    found = {frozenset(np.flatnonzero(column)) for column in model.labels_.T}
    true = {frozenset(np.flatnonzero(member == k)) for k in range(n_factors)}
    work = f"latent factors of {x.shape[1]:,} variables, {len(x):,} samples, 60 thresholds"
    exact = f"{len(found & true)} of {n_factors} planted factors found with exactly their variables"
    fit = Row(work, seconds, target=Target() if quick else Target(most=30), note=exact)
    return [fit, _search(x, model.threshold_)]


def planted(n_factors: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Samples (1,000, 20 variables a factor), and the factor of each variable."""
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(n_factors), 20)
    loadings = rng.uniform(0.6, 0.9, len(member))
    scores = rng.normal(size=(1000, n_factors))
    return scores[:, member] * loadings + rng.normal(size=(1000, len(member))) * np.sqrt(1 - loadings**2), member


def _search(x: NDArray[np.float64], threshold: float) -> Row:
    import networkx

    adjacency = np.abs(np.corrcoef(x, rowvar=False)) > threshold
    np.fill_diagonal(adjacency, False)
    seconds, mine = timed(partial(independent_maximal_cliques, adjacency))
    graph = networkx.from_numpy_array(adjacency)
    peer_seconds, cliques = timed(lambda: [frozenset(c) for c in networkx.find_cliques(graph)])
    shared = np.bincount([v for clique in cliques for v in clique], minlength=len(adjacency))
    theirs = {clique for clique in cliques if any(shared[v] == 1 for v in clique)}
    apart = len({frozenset(np.flatnonzero(column)) for column in mine.T} ^ theirs)
    return Row(
        f"its clique search at the chosen threshold, {len(adjacency):,} variables",
        seconds,
        "networkx `find_cliques`, all maximal cliques",
        peer_seconds,
        difference=float(apart),
        note="the difference counts cliques with a vertex of their own that only one side has",
    )
