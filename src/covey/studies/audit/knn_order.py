"""s289: the order of rows tested through their neighbours: size under ties, power, place, and speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.neighbors import NearestNeighbors

from covey.audit.order import NonIIDDetector, knn_iid_test, neighbour_order_test
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"knn_iid_test": scrambled, "NonIIDDetector": scrambled}

Rows = NDArray[np.float64]
Maker = Callable[[np.random.Generator], Rows]


@study_of("s289")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """How often random order is rejected, ties or not; how often drift and memory are found, where, and how fast."""
    yield from _size(random_state, runs=100 if quick else 200)
    yield from _power(random_state, runs=20 if quick else 40)
    yield from _iris()
    yield from _place(random_state, runs=10 if quick else 20)
    yield _speed(random_state)
    yield (
        "The baseline without shuffling is the same test on a graph whose equally near neighbours come in the order of "
        "the rows, as searches return them. cleanlab 2.9.0 was measured apart: it rejects random order in 0.04 of the "
        "runs for normal data, 1.00 for three binary columns, and gives p = 0 for constant data; it finds the drift of "
        "half a standard deviation in 0.70 of the runs; 20000 x 20 take 11.0 s of CPU with 25 permutations."
    )


def normal(rng: np.random.Generator) -> Rows:
    """400 independent rows of 5 normal columns."""
    return rng.normal(size=(400, 5))


def binary(rng: np.random.Generator) -> Rows:
    """400 independent rows of 3 fair coins."""
    return rng.integers(0, 2, size=(400, 3)).astype(float)


def drift(size: float) -> Maker:
    """Normal rows whose mean rises along the rows by `size` standard deviations in every column."""
    return lambda rng: normal(rng) + np.linspace(0.0, size, 400)[:, None]


def autoregressive(rng: np.random.Generator) -> Rows:
    """Rows that remember half of the row before, variance 1."""
    x = normal(rng)
    for i in range(1, len(x)):
        x[i] = 0.5 * x[i - 1] + np.sqrt(0.75) * x[i]
    return x


def _shuffling_left_out(x: Rows, random_state: int) -> float:
    """P-value from neighbours in the order in which the search returns them."""
    search = NearestNeighbors(n_neighbors=11).fit(x)
    return neighbour_order_test(search.kneighbors(x, return_distance=False)[:, 1:], random_state=random_state).pvalue


def _covey(x: Rows, random_state: int) -> float:
    return knn_iid_test(x, random_state=random_state).pvalue


def _rejected(make: Maker, first_seed: int, runs: int, test: Callable[[Rows, int], float] = _covey) -> float:
    """Share of runs with a p-value of at most 0.05."""
    seeds = range(first_seed, first_seed + runs)
    return float(np.mean([test(make(np.random.default_rng([seed, 289])), seed) <= 0.05 for seed in seeds]))


def _size(seed: int, runs: int) -> Iterator[Claim]:
    share = _rejected(normal, seed, runs)
    yield Claim(f"random order rejected at 0.05, normal 400 x 5, {runs} runs", share, (0.02, 0.08), "between")
    yield Claim(
        f"random order rejected at 0.05, binary 400 x 3, {runs} runs",
        _rejected(binary, seed, runs),
        0.08,
        "<=",
        baseline=_rejected(binary, seed, runs // 10, _shuffling_left_out),
        baseline_name="without shuffling",
    )
    constant = np.ones((400, 3))
    least = min(_covey(constant, seed + k) for k in range(3))
    without = _shuffling_left_out(constant, seed)
    text = "least p-value of 3 runs, constant 400 x 3"
    yield Claim(text, least, 0.05, baseline=without, baseline_name="without shuffling")


def _power(seed: int, runs: int) -> Iterator[Claim]:
    yield Claim(f"drift of 0.5 found, normal 400 x 5, {runs} runs", _rejected(drift(0.5), seed, runs), 0.65)
    yield Claim(f"drift of 1 found, normal 400 x 5, {runs} runs", _rejected(drift(1.0), seed, runs), 1.0)
    yield Claim(f"memory of 0.5 found, normal 400 x 5, {runs} runs", _rejected(autoregressive, seed, runs), 0.9)


def _iris() -> Iterator[Claim]:
    iris = load_iris().data
    yield Claim("p-value of iris in its order, sorted by species", _covey(iris, 0), (0.0, 0.01), "between")
    shuffled = [_covey(np.random.default_rng(k).permutation(iris), k) for k in range(5)]
    yield Claim("median p-value of 5 shuffled orders of iris", float(np.median(shuffled)), 0.05)


def _place(seed: int, runs: int) -> Iterator[Claim]:
    """A foreign block of 40 in 400 rows; and one column of five that trends."""
    inside, named = [], []
    for k in range(runs):
        rng = np.random.default_rng([seed, k])
        x = normal(rng)
        start = int(rng.integers(20, 340))
        x[start : start + 40] = 3.0 + 0.3 * x[start : start + 40]
        lowest = int(np.argmin(knn_iid_test(x, random_state=k).local_scores()))
        inside.append(start <= lowest < start + 40)
        y = normal(rng)
        y[:, k % 5] += np.linspace(0.0, 1.5, 400)
        detector = NonIIDDetector(random_state=k).fit(y)
        named.append(int(np.argmin(detector.trend_qvalue_)) == k % 5 and detector.trend_qvalue_[k % 5] <= 0.01)
    yield Claim(f"lowest running mean of row scores inside a foreign block, {runs} runs", float(np.mean(inside)), 0.9)
    yield Claim(f"the trending column named, {runs} runs", float(np.mean(named)), 0.95)


def _speed(seed: int) -> Claim:
    """The whole test beside the search for neighbours alone."""
    rng = np.random.default_rng(seed)
    knn_iid_test(normal(rng))
    x = rng.normal(size=(20_000, 20))
    start = process_time()
    result = knn_iid_test(x)
    whole = process_time() - start
    start = process_time()
    NearestNeighbors(n_neighbors=11, algorithm="brute").fit(x).kneighbors(x)
    search = process_time() - start
    valid = len(result.null) == 199 and 0.0 < result.statistic < 0.02
    return Claim(
        "seconds of CPU, 20000 x 20, 199 permutations",
        whole if valid else float("nan"),
        2.5,
        "<=",
        baseline=search,
        baseline_name="search for neighbours alone",
    )
