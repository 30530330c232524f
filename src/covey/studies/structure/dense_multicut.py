"""s383: dense multicut is the greedy rule on the full matrix, and finds clusters whose number is not told."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from covey.structure.multicut import DenseMulticut, dense_gaec, dense_laec, multicut_objective
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"dense_gaec": scrambled, "dense_laec": scrambled, "DenseMulticut": scrambled}

NOISE = 1.7  # length of the noise over that of a centre; k-means then has an adjusted Rand index of about 0.8
WITHIN = 1.0 / (1.0 + NOISE**2)  # mean cosine similarity of two samples of a cluster


@study_of("s383")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The greedy rule against the full matrix; planted clusters beside k-means; the objective beside thresholds."""
    seeds = np.random.SeedSequence(random_state).spawn(21)
    yield from _greedy(seeds[1 : 6 if quick else 21])
    yield from _lazy(seeds[0])
    yield from _planted(seeds[0], *((4_000, 40) if quick else (20_000, 200)))
    yield (
        "Centres are uniform on the sphere in 64 dimensions; a sample is its centre plus normal noise of expected "
        f"length {NOISE:g}, scaled to unit length. The threshold is 0.7 of the mean similarity within a cluster, "
        f"1 / (1 + {NOISE:g}^2), a figure of the design; the number of clusters is not used."
    )
    yield (
        "The greedy contraction alone is below k-means in this noise: its first joins are made on single noisy pairs. "
        "The claim on the index is about DenseMulticut, whose local search follows the contraction."
    )


def planted(seed: np.random.SeedSequence, n_samples: int, n_clusters: int) -> tuple[NDArray[np.float64], NDArray]:
    """Unit vectors (n_samples, 64) around random unit centres, and their clusters."""
    rng = np.random.default_rng(seed)
    centres = _unit(rng.normal(size=(n_clusters, 64)))
    y = rng.integers(n_clusters, size=n_samples)
    return _unit(centres[y] + NOISE / 8.0 * rng.normal(size=(n_samples, 64))), y


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def greedy_on_matrix(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Greedy additive edge contraction by its definition: search the whole matrix for every join."""
    costs = costs.copy()
    np.fill_diagonal(costs, -np.inf)
    owner = np.arange(len(costs))
    while True:
        a, b = sorted(np.unravel_index(np.argmax(costs), costs.shape))
        if costs[a, b] <= 0:
            return owner
        costs[a] += costs[b]
        costs[:, a] += costs[:, b]
        costs[a, a] = -np.inf
        costs[b] = costs[:, b] = -np.inf
        owner[owner == b] = a


def _greedy(seeds: list[np.random.SeedSequence]) -> Iterator[Claim]:
    gaps, losses = [], []
    for seed in seeds:
        x, _ = planted(seed, 300, 10)
        exact = multicut_objective(x, greedy_on_matrix(x @ x.T - WITHIN), WITHIN)
        gaps.append(abs(multicut_objective(x, dense_gaec(x, WITHIN), WITHIN) - exact))
        losses.append(_loss(x, dense_laec(x, WITHIN), exact, WITHIN))
    words = f"greedy on the full matrix, {len(seeds)} runs of 300 samples"
    yield Claim(f"largest difference of the objective from {words}", float(max(gaps)), 1e-8, "<=")
    yield Claim(f"mean loss of lazy contraction, as a share of the gain of {words}", float(np.mean(losses)), 0.05, "<=")


def _loss(x: NDArray[np.float64], labels: NDArray[np.intp], greedy: float, threshold: float) -> float:
    """How far the objective of `labels` is above that of greedy, as a share of what greedy gains by its joins."""
    alone = multicut_objective(x, np.arange(len(x)), threshold)
    return (multicut_objective(x, labels, threshold) - greedy) / (alone - greedy)


def _lazy(seed: np.random.SeedSequence) -> Iterator[Claim | str]:
    x, _ = planted(seed, 4_000, 40)
    start = perf_counter()
    greedy = multicut_objective(x, dense_gaec(x, WITHIN), WITHIN)
    middle = perf_counter()
    labels = dense_laec(x, WITHIN)
    seconds = (middle - start, perf_counter() - middle)
    yield Claim(
        "loss of lazy contraction, as a share of the gain of greedy: 4,000 x 64, 40 clusters",
        _loss(x, labels, greedy, WITHIN),
        0.05,
        "<=",
    )
    yield f"Lazy contraction of 4,000 samples took {seconds[1]:.2f} s in this run, greedy {seconds[0]:.2f} s."


def _planted(seed: np.random.SeedSequence, n_samples: int, n_clusters: int) -> Iterator[Claim]:
    x, y = planted(seed, n_samples, n_clusters)
    threshold = 0.7 * WITHIN
    DenseMulticut(threshold).fit(x[:50])  # compiles
    tracemalloc.start()
    start = perf_counter()
    model = DenseMulticut(threshold).fit(x)
    seconds = perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1] / 2**30
    tracemalloc.stop()
    told = adjusted_rand_score(y, KMeans(n_clusters, n_init=1, random_state=0).fit(x).labels_)
    found = adjusted_rand_score(y, model.labels_)
    design = f"{n_samples:,} x 64, {n_clusters} clusters"
    yield Claim(
        f"adjusted Rand index, number of clusters not told: {design}",
        found,
        told - 0.02,
        baseline=told,
        baseline_name="k-means, told the number",
    )
    yield Claim(f"seconds: {design}", seconds if found >= told - 0.02 else float("nan"), 60.0, "<=")
    full = 8 * n_samples**2 / 2**30
    yield Claim(f"peak GiB: {design}", peak, 1.0, "<=", baseline=full, baseline_name="the full matrix alone")
    yield _beside_components(x, model.labels_, threshold, design)


def _beside_components(x: NDArray[np.float64], labels: NDArray[np.intp], threshold: float, design: str) -> Claim:
    """The objective as a share of the best among connected components of thresholded similarities."""
    cuts = np.linspace(0.5, 4.0, 8) * WITHIN
    best = min(multicut_objective(x, components, threshold) for components in _components(x, cuts))
    reached = multicut_objective(x, labels, threshold)
    return Claim(
        f"objective below the best of connected components at {len(cuts)} thresholds, as a share of its size: {design}",
        (best - reached) / abs(best),
        0.0,
        baseline=best,
        baseline_name=f"objective of components (reached: {reached:.5g})",
    )


def _components(x: NDArray[np.float64], cuts: NDArray[np.float64]) -> Iterator[NDArray[np.int32]]:
    for cut in cuts:
        blocks = [csr_array(x[start : start + 500] @ x.T > cut) for start in range(0, len(x), 500)]
        yield connected_components(vstack(blocks), directed=False)[1]
