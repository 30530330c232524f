"""s057: a mask learned without a predictor: planted columns, products, the estimate, its gradient, a stream."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from covey.select.filters import AssociationRanker
from covey.select.gradient import FeatureGradientSelector, PredictabilityEstimate, largest_eigenvalue
from covey.studies._frame import Claim, scrambled_parts, study_of

Array = NDArray[np.float64]
N_ROWS, N_COLUMNS, N_ACTIVE = 600, 2000, 10


def _noise_estimate(method: Any) -> type:
    class Noise(method):
        def __init__(self, x: Array, y: Array, s: Array, order: int) -> None:
            super().__init__(x, y, s, order)
            rng = np.random.default_rng(int(1e9 * s.sum()) % 2**31)
            self.__dict__["values"] = rng.normal(size=(y.shape[1],))

    return Noise


METHODS = {"FeatureGradientSelector": scrambled_parts("ranking_"), "PredictabilityEstimate": _noise_estimate}


@study_of("s057")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Recall beside correlation, products in a map of degree two, random masks, differences, and memory."""
    seeds = range(random_state, random_state + (2 if quick else 5))
    yield from _planted([planted(seed) for seed in seeds])
    yield _masks(planted(random_state), 200)
    yield _differences(np.random.default_rng([random_state, 57]))
    yield _products(np.random.default_rng([random_state, 58]), 30 if quick else 100)
    yield _stream(planted(random_state))
    yield (
        "Rows are divided by the root of the largest eigenvalue of the columns' covariance, as in the original: "
        "the published coefficients suit eigenvalues of 0..1."
    )


def planted(seed: int) -> tuple[Array, Array, NDArray[np.intp]]:
    """Columns, a target of ten of them with coefficients of 1 or -1 and noise of variance 1, and which they are."""
    rng = np.random.default_rng([seed, 0])
    x = rng.normal(size=(N_ROWS, N_COLUMNS))
    active = rng.choice(N_COLUMNS, N_ACTIVE, replace=False)
    return x, x[:, active] @ rng.choice([-1.0, 1.0], N_ACTIVE) + rng.normal(size=N_ROWS), active


def _planted(problems: list[tuple[Array, Array, NDArray[np.intp]]]) -> Iterator[Claim | str]:
    recall: dict[str, list[float]] = {"mask": [], "correlation": []}
    kept: tuple[list[int], list[int]] = [], []
    for x, y, active in problems:
        selector = FeatureGradientSelector(random_state=0).fit(x, y)
        filtered = AssociationRanker("pearson", k=N_ACTIVE).fit(x, y)
        recall["mask"].append(float(np.mean(selector.ranking_[active] <= N_ACTIVE)))
        recall["correlation"].append(float(np.mean(filtered.ranking_[active] <= N_ACTIVE)))
        mild = FeatureGradientSelector(penalty=1.0, random_state=0).fit(x, y)
        for fitted, sizes in zip((selector, mild), kept):
            sizes.append(int(fitted.get_support().sum()))
    found, base = float(np.mean(recall["mask"])), float(np.mean(recall["correlation"]))
    text = f"share of the 10 columns that count among the first 10 of {N_COLUMNS:,}, {N_ROWS} rows"
    yield Claim(text, found, 0.95, baseline=base, baseline_name="correlation")
    yield Claim(f"{text}, less that of correlation", found - base, -0.02)
    yield (
        f"Columns whose mask ends above 1/2: {np.mean(kept[0]):.0f} with a penalty of 10, {np.mean(kept[1]):.0f} "
        "with the original's penalty of 1."
    )


def _scaled(x: Array, y: Array) -> tuple[Array, Array]:
    z = StandardScaler().fit_transform(x)
    return z / np.sqrt(largest_eigenvalue(z)), StandardScaler().fit_transform(y[:, None])


def _masks(problem: tuple[Array, Array, NDArray[np.intp]], n_draws: int) -> Claim:
    """The estimate of the columns that count against that of as many others."""
    x, y, active = problem
    z, target = _scaled(x, y)
    rng = np.random.default_rng(0)
    values = []
    for columns in (active, *(rng.choice(N_COLUMNS, N_ACTIVE, replace=False) for _ in range(n_draws))):
        part = np.ascontiguousarray(z[:, columns])  # columns whose mask is 0 add nothing
        values.append(float(PredictabilityEstimate(part, target, np.ones(N_ACTIVE), 4).values[0]))
    text = "share of 200 random masks of ten columns whose estimate is below that of the ten that count"
    return Claim(text, float(np.mean(np.array(values[1:]) < values[0])), 0.99)


def _differences(rng: np.random.Generator) -> Claim:
    x, y, s = rng.normal(size=(200, 20)), rng.normal(size=(200, 1)), rng.uniform(size=20)
    worst = 0.0
    for order in range(1, 6):
        gradient = PredictabilityEstimate(x, y, s, order).gradient(np.ones(1))
        for j, step in enumerate(1e-5 * np.eye(20)):
            above, below = (PredictabilityEstimate(x, y, s + sign * step, order).values[0] for sign in (1, -1))
            worst = max(worst, abs(gradient[j] - (above - below) / 2e-5))
    return Claim("largest difference of the gradient from central differences, orders 1 to 5", worst, 1e-5, "<=")


def _products(rng: np.random.Generator, n_columns: int) -> Claim:
    """All squares and products of columns are columns; two products make the target."""
    x = rng.normal(size=(5000, n_columns))
    y = x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3]
    wide = PolynomialFeatures(2, include_bias=False).fit(x)
    columns = wide.transform(x).astype(np.float64)
    places = [list(wide.get_feature_names_out()).index(name) for name in ("x0 x1", "x2 x3")]
    selector = FeatureGradientSelector(order=2, max_iter=2, random_state=0).fit(columns, y)
    alone = AssociationRanker("pearson", k=2).fit(x, y).get_support(indices=True)
    return Claim(
        f"worse rank of the two products that make the target, among {columns.shape[1]:,} columns of degree 1 and 2",
        float(selector.ranking_[places].max()),
        2,
        "<=",
        baseline=float(np.isin(alone, range(4)).sum()),
        baseline_name="of the four columns, found by correlation without the map",
    )


def _stream(problem: tuple[Array, Array, NDArray[np.intp]]) -> Claim:
    """Five parts of 120 rows."""
    x, y, _ = problem
    parts = np.array_split(np.arange(N_ROWS), 5)
    selector = FeatureGradientSelector()
    tracemalloc.start()
    for rows in parts:
        selector.partial_fit(x[rows], y[rows])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = "peak memory of a stream of five parts, in multiples of one part"
    return Claim(text, peak / x[parts[0]].nbytes, 8.0, "<=")
