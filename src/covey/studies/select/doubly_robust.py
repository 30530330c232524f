"""s217: the direct causes of a target by doubly robust tests, beside the lasso, trees and the two-sided test."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LassoCV, Ridge
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from covey.select.causal import DoublyRobustSelector
from covey.studies._frame import Claim, scrambled_parts, study_of

METHODS = {"DoublyRobustSelector": scrambled_parts("scores_", "ranking_")}

Array = NDArray[np.float64]
N_COLUMNS, N_CAUSES = 12, 4
KERNEL = KernelRidge(kernel="rbf", gamma=0.08, alpha=0.3)


def draw(rng: np.random.Generator, n_rows: int) -> tuple[Array, Array, set[int]]:
    """Columns of a random graph, a target of four of them, and which.

    Each earlier column is a parent with probability 0.3 and adds ``0.6 tanh(1.5 x)``; columns are standardised. The
    target is ``sin(2 a) + b^2 / 1.5 + c d + 0.5 e`` of causes a, b, c, d and standard normal e.
    """
    x = rng.normal(size=(n_rows, N_COLUMNS))
    order = rng.permutation(N_COLUMNS)
    for place, j in enumerate(order):
        for parent in order[:place][rng.random(place) < 0.3]:
            x[:, j] += 0.6 * np.tanh(1.5 * x[:, parent])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    causes = rng.choice(N_COLUMNS, N_CAUSES, replace=False)
    a, b, c, d = x[:, causes].T
    y = np.sin(2 * a) + b**2 / 1.5 + c * d + 0.5 * rng.normal(size=n_rows)
    return x, y, set(causes.tolist())


def draw_with_proxies(rng: np.random.Generator, n_rows: int) -> tuple[Array, Array, set[int]]:
    """Independent columns, two noisy copies each of the two strongest of four causes, and a target of the causes.

    The target is ``1.5 sin(1.5 a) + 1.5 b + c^2 / 2 + d / 2 + e / 2`` with standard normal e; a copy has added noise of
    standard deviation 0.5.
    """
    x = rng.normal(size=(n_rows, N_COLUMNS))
    a, b, c, d = x[:, :N_CAUSES].T
    y = 1.5 * np.sin(1.5 * a) + 1.5 * b + c**2 / 2 + d / 2 + 0.5 * rng.normal(size=n_rows)
    x[:, 4:8] = x[:, [0, 1, 0, 1]] + 0.5 * rng.normal(size=(n_rows, 4))
    place = rng.permutation(N_COLUMNS)
    x = ((x - x.mean(axis=0)) / x.std(axis=0))[:, place]
    return x, y, set(np.flatnonzero(place < N_CAUSES).tolist())


@study_of("s217")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Causes found in random graphs; selections when there is nothing to find; scores held to a loop of refits."""
    with threadpool_limits(1, user_api="blas"):
        yield from _causes(500 if quick else 1000, 3 if quick else 10, random_state)
        yield from _proxies(500 if quick else 1000, 3 if quick else 10, random_state)
        yield from _nothing_to_find(300 if quick else 400, 40 if quick else 100, random_state)
        yield from _plain_loop(200 if quick else 500, random_state)


def _causes(n_rows: int, n_seeds: int, random_state: int) -> Iterator[Claim | str]:
    scores: dict[str, list[float]] = {"one-sided": [], "two-sided": [], "lasso": [], "trees": []}
    effects = 0
    for seed in range(n_seeds):
        rng = np.random.default_rng([random_state, 217, seed])
        x, y, causes = draw(rng, n_rows)
        scores["one-sided"].append(_f1(_selected(x, y, seed), causes))
        scores["two-sided"].append(_f1(_selected(x, y, seed, two_sided=True), causes))
        lasso = np.abs(LassoCV(cv=5, random_state=0).fit(x, y).coef_)
        scores["lasso"].append(_f1(set(np.argsort(-lasso)[:N_CAUSES].tolist()), causes))
        scores["trees"].append(_f1(_most_important(x, y), causes))
        effect = y / y.std() + rng.normal(size=n_rows)
        effects += N_COLUMNS in _selected(np.column_stack([x, effect]), y, seed)
    mean = {name: float(np.mean(values)) for name, values in scores.items()}
    yield Claim(
        f"mean F1 of the four causes among {N_COLUMNS} columns, {n_seeds} random graphs of {n_rows} rows",
        mean["one-sided"],
        0.9,
        baseline=mean["lasso"],
        baseline_name="the four largest coefficients of LassoCV, told that there are four",
    )
    yield Claim("the same, less that of LassoCV", mean["one-sided"] - mean["lasso"], 0.3)
    yield Claim(
        "the same, less that of the paper's two-sided test",
        mean["one-sided"] - mean["two-sided"],
        0.3,
        baseline=mean["two-sided"],
        baseline_name="two-sided",
        note="a learner predicts better without a column that is no cause, and the two-sided test keeps that column",
    )
    yield (
        "The four largest importances of extremely randomised trees, told that there are four, reach "
        f"{mean['trees']:.2f} on these graphs, whose columns hardly stand in for each other."
    )
    yield (
        f"With one more column that the target itself causes (target plus noise of the same variance), the column is "
        f"selected in {effects} of {n_seeds} graphs: the assumption that the target causes no column is needed."
    )


def _proxies(n_rows: int, n_seeds: int, random_state: int) -> Iterator[Claim]:
    scores = []
    for seed in range(n_seeds):
        x, y, causes = draw_with_proxies(np.random.default_rng([random_state, 221, seed]), n_rows)
        scores.append((_f1(_selected(x, y, seed), causes), _f1(_most_important(x, y), causes)))
    found, trees = np.mean(scores, axis=0).tolist()
    yield Claim(
        f"mean F1 where noisy copies of strong causes tell more than weak causes, {n_rows} rows, less that of trees",
        found - trees,
        0.2,
        baseline=trees,
        baseline_name="the four largest importances of extremely randomised trees, told that there are four",
    )


def _nothing_to_find(n_rows: int, n_runs: int, random_state: int) -> Iterator[Claim | str]:
    shares = {}
    for rows in (n_rows, 200):
        found = 0
        for run in range(n_runs):
            rng = np.random.default_rng([random_state, 218, run])
            x, y, _ = draw(rng, rows)
            found += bool(_selected(x, rng.permutation(y), run))
        shares[rows] = found / n_runs
    text = f"share of {n_runs} runs that select any column when the target of {n_rows} rows is permuted"
    yield Claim(text, shares[n_rows], 0.08, "<=")
    yield (
        "With few rows the tests are not exact, as all rows share errors of the same fits: of 200 rows, "
        f"{shares[200]:.1%} of {n_runs} runs select a column, where exact p-values would allow less than 5 %."
    )


def _most_important(x: Array, y: Array) -> set[int]:
    forest = ExtraTreesRegressor(100, random_state=0).fit(x, y)
    return set(np.argsort(-forest.feature_importances_, kind="stable")[:N_CAUSES].tolist())


def _plain_loop(n_rows: int, random_state: int) -> Iterator[Claim]:
    """Scores against scikit-learn's refits of each fold and column, and the time of both."""
    rng = np.random.default_rng([random_state, 219])
    x, y, _ = draw(rng, n_rows)
    folds = KFold(5, shuffle=True, random_state=0)
    unit = y.std()
    wide = np.column_stack([x, rng.normal(size=(n_rows, 60 - N_COLUMNS))])
    wide = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    gaps = []
    for learner, columns in ((KERNEL, x), (Ridge(), wide)):
        start = perf_counter()
        growth = _growth(learner, columns, (y - y.mean()) / unit, folds) * unit**2
        middle = perf_counter()
        found = DoublyRobustSelector(learner, cv=folds, engine="local:1").fit(columns, y)
        gaps.append(float(np.abs(found.scores_ - growth).max()))
        ratio = (middle - start) / (perf_counter() - middle)
    text = "largest difference of a score from the growth of the squared error over refits, kernel ridge and ridge"
    yield Claim(text, max(gaps), 1e-10, "<=")
    yield Claim("seconds of refits over seconds in closed form, ridge with 60 columns", ratio, 4.0)


def _growth(learner: Any, x: Array, y: Array, folds: Any) -> Array:
    """Mean growth of the squared error of unseen rows without each column, by fitting anew."""

    def error(columns: list[int]) -> float:
        squared = [
            (y[test] - clone(learner).fit(x[train][:, columns], y[train]).predict(x[test][:, columns])) ** 2
            for train, test in folds.split(x)
        ]
        return float(np.concatenate(squared).mean())

    everything = list(range(x.shape[1]))
    full = error(everything)
    return np.array([error([i for i in everything if i != j]) - full for j in everything])


def _selected(x: Array, y: Array, seed: int, two_sided: bool = False) -> set[int]:
    selector = DoublyRobustSelector(KERNEL, two_sided=two_sided, random_state=seed, engine="local:1")
    return set(selector.fit(x, y).get_support(indices=True).tolist())


def _f1(found: set[int], true: set[int]) -> float:
    return 2 * len(found & true) / (len(found) + len(true))
