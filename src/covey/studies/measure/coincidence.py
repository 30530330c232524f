"""s311: the coincidence index keeps its identities, is stricter than Pearson, and is fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import distance

from covey.measure.sets import coincidence, coincidence_matrix, interiority, jaccard
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {
    "coincidence": scrambled,
    "coincidence_matrix": scrambled,
    "interiority": scrambled,
    "jaccard": scrambled,
}


@study_of("s311")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Identities, agreement with SciPy, contrast of planted groups, and speed."""
    rng = np.random.default_rng(random_state)
    yield from _identities(rng)
    yield from _contrast(rng, repeats=5 if quick else 20)
    yield _speed(rng, quick)


def _identities(rng: np.random.Generator) -> Iterator[Claim]:
    X = rng.normal(size=(400, 40)) * rng.exponential(size=40)
    J, I, C = (coincidence_matrix(X, index) for index in ("jaccard", "interiority", "coincidence"))
    yield Claim("largest |C| - |J| over 40 x 40 real columns", (np.abs(C) - np.abs(J)).max(), 1e-12, "<=")
    yield Claim("largest |C - J I|", np.abs(C - J * I).max(), 1e-12, "<=")
    pairs = [(X[:, i], X[:, i + 1]) for i in range(39)]
    far = max(
        np.abs(np.diagonal(matrix, 1) - [definition(x, y) for x, y in pairs]).max()
        for matrix, definition in ((J, jaccard), (I, interiority), (C, coincidence))
    )
    yield Claim("largest difference between kernel and definition", far, 1e-12, "<=")
    opposite = max(abs(jaccard(x, -x) + 1.0) + abs(jaccard(x, x) - 1.0) for x in X.T)
    yield Claim("largest error of J(x, x) = 1 and J(x, -x) = -1", opposite, 1e-12, "<=")
    sets = rng.random((500, 40)) < rng.random(40)
    expected = 1.0 - distance.squareform(distance.pdist(sets.T, "jaccard"))
    error = np.abs(coincidence_matrix(sets, "jaccard") - expected).max()
    yield Claim("largest difference from SciPy's Jaccard on sets", error, 1e-12, "<=")


def _contrast(rng: np.random.Generator, repeats: int) -> Iterator[Claim | str]:
    """Mean |similarity| within planted groups over that between them, against Pearson's."""
    for within, between, bound in ((0.5, 0.0, 1.0), (0.95, 0.3, 2.0)):
        tables = [_planted_groups(rng, within, between) for _ in range(repeats)]
        ours = np.mean([_group_contrast(coincidence_matrix(X, standardise=True)) for X in tables])
        pearson = np.mean([_group_contrast(np.corrcoef(X.T)) for X in tables])
        text = f"contrast over Pearson's, r = {within} within and {between} between groups"
        note = f"{ours:.1f} against {pearson:.1f}, mean of {repeats} tables"
        yield Claim(text, float(ours / pearson), bound, baseline=1.0, baseline_name="Pearson", note=note)
    yield (
        "Tables are 2000 x 60, six groups of ten columns, each column a factor of all plus a factor of its "
        "group plus noise, all normal. The index falls with slope 0.31 near r = 0 and reaches 1 at r = 1, "
        "so its gain in contrast over Pearson grows with the correlation inside the groups: 1.1 at r = 0.5 "
        "(a gain of 2 was looked for there and is not reached) and over 2 at r = 0.95. It singles out "
        "near-duplicates; it does not find weak groups much better."
    )


def _planted_groups(rng: np.random.Generator, within: float, between: float) -> NDArray[np.float64]:
    common, group = rng.normal(size=(2000, 1)), rng.normal(size=(2000, 6))
    noise = rng.normal(size=(2000, 60))
    shared = np.sqrt(between) * common + np.sqrt(within - between) * np.repeat(group, 10, axis=1)
    return shared + np.sqrt(1.0 - within) * noise


def _group_contrast(similarity: ArrayLike) -> float:
    group = np.repeat(np.arange(6), 10)
    same = group[:, None] == group
    strength = np.abs(np.asarray(similarity))
    return float(strength[same & ~np.eye(60, dtype=bool)].mean() / strength[~same].mean())


def _speed(rng: np.random.Generator, quick: bool) -> Claim:
    X = rng.normal(size=(5000, 300))
    ours = min(_seconds(lambda: coincidence_matrix(X)) for _ in range(4))
    some = 40 if quick else 300
    theirs = _seconds(lambda: distance.pdist(X[:, :some].T, _python_coincidence)) * (300 * 299) / (some * (some - 1))
    return Claim(
        "times faster than SciPy's pdist with a NumPy metric, 5000 x 300",
        theirs / ours,
        8.0 if quick else 20.0,
        baseline=theirs,
        baseline_name="s for pdist" + (" (scaled from 40 columns)" if quick else ""),
        note=f"{ours:.3f} s",
    )


def _python_coincidence(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    a, b = np.abs(x), np.abs(y)
    smaller = np.minimum(a, b)
    overlap = (np.sign(x * y) * smaller).sum() / np.maximum(a, b).sum()
    return float(overlap * smaller.sum() / min(a.sum(), b.sum()))


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
