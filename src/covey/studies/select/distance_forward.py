"""s045: forward selection by distance correlation in the confusion window of a model of the columns chosen so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import f_classif, mutual_info_classif
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from covey.measure.distance_exact import distance_correlation_exact
from covey.select._base import numeric_block
from covey.select.forward import DistanceCorrelationSelector, ResidualForward
from covey.select.redundancy import RedundancyAware
from covey.studies._frame import Claim, scrambled_parts, study_of
from covey.table import read

METHODS = {
    "DistanceCorrelationSelector": scrambled_parts("ranking_", "path_"),
    "ResidualForward": scrambled_parts("ranking_"),
}

Array = NDArray[np.float64]
N_LATENTS, N_COPIES, N_NOISE = 5, 6, 30
BASELINES = ("f_classif", "mutual_info_classif", "ExtraTrees")


def draw(rng: np.random.Generator, n_rows: int = 4000) -> tuple[Array, Array, Array]:
    """Columns, two classes, and a number to predict.

    Six copies of each of five standard normal latents, each copy with noise of standard deviation 0.3, then 30 columns
    of noise, all standardised. The score is ``1.5 z0 + 1.8 (|z1| - 0.8) + z2^2 - 1 + 1.2 z3 + 1.35 (|z4| - 0.8)``; the
    classes are its sign, and the number is the score plus standard normal noise.
    """
    z = rng.normal(size=(n_rows, N_LATENTS))
    copies = np.tile(z, N_COPIES) + 0.3 * rng.normal(size=(n_rows, N_LATENTS * N_COPIES))
    x = np.column_stack([copies, rng.normal(size=(n_rows, N_NOISE))])
    even = np.abs(z) - 0.8
    score = 1.5 * z[:, 0] + 1.8 * even[:, 1] + z[:, 2] ** 2 - 1 + 1.2 * z[:, 3] + 1.35 * even[:, 4]
    return (x - x.mean(axis=0)) / x.std(axis=0), (score > 0).astype(int), score + rng.normal(size=n_rows)


def draw_correlated(rng: np.random.Generator, n_rows: int = 2000) -> tuple[Array, Array]:
    """Three copies each of five latents that correlate at 0.7, 45 columns of noise, and two classes.

    The classes are the sign of ``1.5 z0 - 1.2 z1 + 1.2 z2 - z3 + z4`` plus noise of standard deviation 0.3: a latent of
    negative weight hardly tells the class alone, and repeats the others.
    """
    z = np.sqrt(0.3) * rng.normal(size=(n_rows, N_LATENTS)) + np.sqrt(0.7) * rng.normal(size=(n_rows, 1))
    copies = np.tile(z, 3) + 0.3 * rng.normal(size=(n_rows, 3 * N_LATENTS))
    noise = rng.normal(size=(n_rows, N_NOISE + (N_COPIES - 3) * N_LATENTS))
    score = z @ np.array([1.5, -1.2, 1.2, -1.0, 1.0]) + 0.3 * rng.normal(size=n_rows)
    return np.column_stack([copies, noise]), (score > 0).astype(int)


@study_of("s045")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """How many of five latent causes the first five picks cover, beside rankings and joint distance correlation."""
    covered: dict[str, list[int]] = {}
    n_seeds = 1 if quick else 5
    with threadpool_limits(1, user_api="blas"):
        for seed in range(n_seeds):
            x, classes, number = draw(np.random.default_rng([random_state, 45, seed]))
            for name, picks in _picks(x, classes, number, seed, quick):
                covered.setdefault(name, []).append(_latents(picks))
            x, classes = draw_correlated(np.random.default_rng([random_state, 47, seed]))
            for name, picks in _picks_of_correlated(x, classes, seed):
                covered.setdefault(name, []).append(_latents(picks, 3))
        yield from _claims(covered, n_seeds)
        yield from _values(random_state)
        if not quick:
            yield _letters(random_state)


def _picks(x: Array, classes: Array, number: Array, seed: int, quick: bool) -> Iterator[tuple[str, Sequence[int]]]:
    """The first five columns by each method."""
    options: dict[str, Any] = {"k": N_LATENTS, "random_state": seed, "engine": "local:1"}
    yield "confusion", _first(DistanceCorrelationSelector(**options).fit(x, classes))
    yield "joint", _first(DistanceCorrelationSelector(mode="joint", max_samples=700, **options).fit(x, classes))
    yield "numbers", _first(DistanceCorrelationSelector(**options).fit(x, number))
    yield "any measure", _first(ResidualForward("mutual_information", **options).fit(x, classes))
    yield "mRMR", _first(RedundancyAware("mutual_information", "mutual_information", k=N_LATENTS).fit(x, classes))
    yield "f_classif", _largest(f_classif(x, classes)[0])
    yield "mutual_info_classif", _largest(mutual_info_classif(x, classes, random_state=seed))
    forest = ExtraTreesClassifier(100, random_state=seed).fit(x, classes)
    yield "ExtraTrees", _largest(forest.feature_importances_)
    if not quick:
        network = MLPClassifier((16,), max_iter=60, learning_rate_init=0.01, early_stopping=True)
        yield "network", _first(DistanceCorrelationSelector(learner=network, **options).fit(x, classes))
        joined = DistanceCorrelationSelector(mode="joint+confusion", max_samples=700, **options).fit(x, classes)
        yield "joint+confusion", _first(joined)


def _picks_of_correlated(x: Array, classes: Array, seed: int) -> Iterator[tuple[str, Sequence[int]]]:
    options: dict[str, Any] = {"k": N_LATENTS, "random_state": seed, "engine": "local:1"}
    yield "confusion, correlated", _first(DistanceCorrelationSelector(**options).fit(x, classes))
    mrmr = RedundancyAware("mutual_information", "mutual_information", k=N_LATENTS).fit(x, classes)
    yield "mRMR, correlated", _first(mrmr)


def _claims(covered: dict[str, list[int]], n_seeds: int) -> Iterator[Claim | str]:
    mean = {name: float(np.mean(counts)) for name, counts in covered.items()}
    best = max(BASELINES, key=mean.__getitem__)
    text = f"share of {n_seeds} draws in which the first five picks cover all five latents, confusion window"
    yield Claim(text, float(np.mean(np.array(covered["confusion"]) == N_LATENTS)), 0.8)
    yield Claim(
        "mean number of latents covered, less that of the best ranking by F, mutual information or ExtraTrees",
        mean["confusion"] - mean[best],
        2.5,
        baseline=mean[best],
        baseline_name=best,
    )
    yield Claim(
        "the same, less that of joint distance correlation without a window",
        mean["confusion"] - mean["joint"],
        2.0,
        baseline=mean["joint"],
        baseline_name="joint",
    )
    yield Claim(
        "mean number of latents covered, less that of mRMR, where the latents correlate and their weights alternate",
        mean["confusion, correlated"] - mean["mRMR, correlated"],
        1.0,
        baseline=mean["mRMR, correlated"],
        baseline_name="mRMR with mutual information",
    )
    yield Claim("mean number of latents covered for a number, by residuals", mean["numbers"], 4.5)
    yield Claim(
        "mean number of latents covered with mutual information in place of distance correlation",
        mean["any measure"],
        4.5,
        baseline=mean["mutual_info_classif"],
        baseline_name="mutual information without a window",
    )
    if "network" in mean:
        text = "mean number of latents covered, a network of 16 units in place of the additive model"
        yield Claim(text, mean["network"], 4.0)
        yield f"Joint distance correlation in the window (joint+confusion) covers {mean['joint+confusion']:.2f}."
    yield (
        "With independent latents, mRMR with mutual information, which avoids repeats, covers "
        f"{mean['mRMR']:.2f}; mutual information in the window {mean['any measure']:.2f} and distance correlation "
        f"there {mean['confusion']:.2f}. Each method picks five columns; a pick covers the latent that it copies."
    )


def _values(random_state: int) -> Iterator[Claim]:
    """Scores of a path against the formula, and those of single columns against the exact pair algorithm."""
    x, classes, number = draw(np.random.default_rng([random_state, 46]), 400)
    gaps = []
    for target in (classes.astype(float), number):
        path = DistanceCorrelationSelector(k=3, mode="joint", target_kind="numeric").fit(x, target).path_
        for step, (_, score) in enumerate(path):
            chosen = [j % x.shape[1] for j, _ in path[: step + 1]]
            gaps.append(abs(score - _by_formula(x[:, chosen], target)))
        gaps.append(abs(path[0][1] - distance_correlation_exact(x[:, path[0][0] % x.shape[1]], target)))
    yield Claim(
        "largest difference of a score from its definition, sets of one to three columns", max(gaps), 1e-10, "<="
    )


def _letters(random_state: int) -> str:
    """26 classes: six columns of 617 chosen on half of the rows, nearest neighbours on the other half."""
    table = read("covey:isolet")
    x = numeric_block(table.drop("class"))
    classes = np.array(table.column("class").labels())
    train, test = train_test_split(np.arange(len(x)), test_size=0.5, stratify=classes, random_state=random_state)

    def accuracy(columns: NDArray[np.intp]) -> float:
        model = make_pipeline(StandardScaler(), KNeighborsClassifier(7))
        return float(model.fit(x[train][:, columns], classes[train]).score(x[test][:, columns], classes[test]))

    selector = DistanceCorrelationSelector(k=6, max_samples=800, random_state=random_state, engine="local:1")
    found = np.argsort(selector.fit(x[train], classes[train]).ranking_)[:6]
    ranked = np.argsort(-f_classif(x[train], classes[train])[0], kind="stable")[:6]
    mrmr = RedundancyAware("mutual_information", "mutual_information", k=6).fit(x[train], classes[train])
    reached = [accuracy(columns) for columns in (found, ranked, np.argsort(mrmr.ranking_)[:6])]
    return (
        "Spoken letters (isolet, 26 classes), six of 617 columns chosen on 780 rows, accuracy of nearest neighbours on "
        f"the others: {reached[0]:.3f} by the window, over confused pairs of classes; {reached[1]:.3f} by F; "
        f"{reached[2]:.3f} by mRMR with mutual information."
    )


def _by_formula(x: Array, y: Array) -> float:
    centred = []
    for block in (x, y[:, None]):
        d = cdist(block, block)
        centred.append(d - d.mean(axis=0) - d.mean(axis=1)[:, None] + d.mean())
    a, b = centred
    return float(np.sqrt(np.mean(a * b) / np.sqrt(np.mean(a * a) * np.mean(b * b))))


def _first(selector: Any) -> list[int]:
    return np.argsort(selector.ranking_, kind="stable")[:N_LATENTS].tolist()


def _largest(scores: Array) -> list[int]:
    return np.argsort(-scores, kind="stable")[:N_LATENTS].tolist()


def _latents(picks: Sequence[int], n_copies: int = N_COPIES) -> int:
    return len({j % N_LATENTS for j in picks if j < N_LATENTS * n_copies})
