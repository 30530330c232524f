"""s137: random features with simplex coupling: errors of kernel estimates in order, a classifier, groups of columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import hyp0f1
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split

from covey.measure.hsic_groups import group_hsic
from covey.measure.random_features import (
    COUPLINGS,
    Coupling,
    RandomFeatures,
    median_distance,
    positive_features,
    random_frequencies,
    simplex_directions,
)
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of

Array = NDArray[np.float64]

D = 6
SUM_SQUARE = 2.0  # |x + y|^2 of two unit vectors at a right angle


METHODS = {
    "random_frequencies": scrambled,
    "simplex_directions": scrambled,
    "RandomFeatures": scrambled_parts("transform"),
    "group_hsic": scrambled,
}


@study_of("s137")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The coupling itself, the error of its kernel estimates, ridge on digits, and dependence of groups of columns."""
    s = simplex_directions(D)
    wanted = np.eye(D) + (np.eye(D) - 1.0) / (D - 1)
    text = "largest error of the inner products 1 and -1 / (d - 1) of the directions, d = 6"
    yield Claim(text, float(np.abs(s @ s.T - wanted).max()), 1e-12, "<=")
    yield _unbiased(random_state)
    yield from _errors(random_state)
    yield from _digits(random_state, runs=10 if quick else 40)
    yield from _groups(random_state, runs=200 if quick else 400)
    yield (
        "The mean squared errors are of the softmax kernel with m = d = 6 positive features for two unit vectors at a "
        "right angle, over 20,000 blocks of frequencies. The mean over rotations of a block is taken exactly: "
        "E exp(v' w) over directions is 0F1(d / 2; |v|^2 |w|^2 / 4), and E exp(2 v' w) = exp(2 |v|^2)."
    )
    yield (
        "On the digits the couplings differ by about as much as the standard error of 10 splits, with this kernel and "
        "this ridge; the bound says only that the simplex does not lose. What it gains is in the kernel estimates."
    )
    yield (
        "The authors' code (isaac-reid/simplex_random_features) was run apart: Gaussian kernel, vectors of length 0.5 "
        "at a right angle, 20,000 draws: errors 0.0590, 0.0172, 0.0129 for orthogonal, simplex, simplex+; here 0.0585, "
        "0.0177, 0.0137, standard errors 0.0004 to 0.001."
    )


def _pair() -> Array:
    return np.eye(D)[:2]


def _unbiased(seed: int, draws: int = 20_000) -> Claim:
    """Largest distance of a coupling's mean estimate from the kernel, in standard errors."""
    furthest = 0.0
    for coupling in COUPLINGS:
        w = random_frequencies(D * draws, D, coupling, random_state=seed)
        x, y = positive_features(_pair(), w, "softmax") * np.sqrt(len(w))
        estimate = (x * y).reshape(draws, D).mean(axis=1)
        furthest = max(furthest, abs(estimate.mean() - 1.0) / (estimate.std() / np.sqrt(draws)))
    return Claim("furthest mean of a coupling's estimates from the kernel, in standard errors", furthest, 4.0, "<=")


def _squared_errors(coupling: Coupling, seed: int, draws: int = 20_000) -> Array:
    """Mean squared error of each block of frequencies over its rotations, shape (draws,)."""
    blocks = random_frequencies(D * draws, D, coupling, random_state=seed).reshape(draws, D, D)
    pairs = [np.square(blocks[:, i] + blocks[:, j]).sum(axis=1) for i, j in combinations(range(D), 2)]
    cross = np.mean([hyp0f1(D / 2, SUM_SQUARE * square / 4) for square in pairs], axis=0)
    second = np.exp(-2.0) * (np.exp(2 * SUM_SQUARE) / D + (1 - 1 / D) * cross)
    return second - np.exp(SUM_SQUARE - 2.0)


def _errors(seed: int) -> Iterator[Claim]:
    errors = {coupling: _squared_errors(coupling, seed) for coupling in COUPLINGS}
    mean = {coupling: float(values.mean()) for coupling, values in errors.items()}
    relative = {c: float(values.std() / np.sqrt(len(values))) / mean[c] for c, values in errors.items()}
    bounds: dict[tuple[Coupling, Coupling], float] = {
        ("iid", "orthogonal"): 1.02,
        ("orthogonal", "simplex"): 1.05,
        ("simplex", "simplex+"): 1.0,
    }
    for (worse, better), bound in bounds.items():
        ratio = mean[worse] / mean[better]
        yield Claim(
            f"mean squared error of {worse} over that of {better}",
            ratio,
            bound,
            baseline=mean[worse],
            baseline_name=f"error of {worse}",
            note=f"standard error {ratio * np.hypot(relative[worse], relative[better]):.2g}",
        )


def _digits(seed: int, runs: int) -> Iterator[Claim]:
    """Kernel ridge with 128 features on 64 pixels, half of the digits to learn from."""
    X, y = load_digits(return_X_y=True)
    bandwidth = median_distance(X)
    scores: dict[Coupling, list[float]] = {"iid": [], "simplex": []}
    for run in range(runs):
        split = train_test_split(X, y, test_size=0.5, random_state=seed + run, stratify=y)
        for coupling, found in scores.items():
            model = RandomFeatures(128, bandwidth=bandwidth, coupling=coupling, random_state=seed + run)
            train, test = model.fit(split[0]).transform(split[0]), model.transform(split[1])
            found.append(RidgeClassifier(alpha=1e-4).fit(train, split[2]).score(test, split[3]))
    mean = {coupling: float(np.mean(found)) for coupling, found in scores.items()}
    spread = float(np.std(np.subtract(scores["simplex"], scores["iid"])) / np.sqrt(runs))
    note = f"standard error of the difference {spread:.2g}"
    text = f"accuracy on digits, 128 features, {runs} splits"
    yield Claim(text, mean["simplex"], 0.93)
    yield Claim(f"{text}, simplex less iid", mean["simplex"] - mean["iid"], 0.0, note=note)


def _groups(seed: int, runs: int) -> Iterator[Claim]:
    """Dependence of groups of columns: against the definition, and the level of its test."""
    rng = np.random.default_rng([seed, 137])
    groups = {"a": ["x0", "x1", "x2"], "b": ["x3", "x4"]}
    x = rng.normal(size=(300, 3))
    table = np.hstack([x, x[:, :2] ** 2 + 0.3 * rng.normal(size=(300, 2))])
    exact = exact_hsic(table[:, :3], table[:, 3:])
    found = group_hsic(table, groups, n_frequencies=512, random_state=seed)["a", "b"]
    text = "error of the criterion of two groups from 512 frequencies, as a share of it"
    yield Claim(text, abs(found - exact) / exact, 0.1, "<=", baseline=exact, baseline_name="by the definition")
    rejected = [
        group_hsic(rng.normal(size=(300, 5)), groups, 128, random_state=run).pvalues[0, 1] <= 0.05  # type: ignore[index]
        for run in range(runs)
    ]
    yield Claim(f"independent groups found at 0.05, {runs} runs", float(np.mean(rejected)), (0.02, 0.09), "between")


def exact_hsic(a: Array, b: Array) -> float:
    """Normalised criterion of two groups by its definition, on matrices of all pairs of rows."""
    kernels = []
    for values in (a, b):
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        square = np.square(values[:, None] - values[None]).sum(axis=2)
        kernel = np.exp(-0.5 * square / median_distance(values) ** 2)
        kernels.append(kernel - kernel.mean(axis=0) - kernel.mean(axis=1, keepdims=True) + kernel.mean())
    left, right = kernels
    return float(np.sum(left * right) / np.sqrt(np.sum(left**2) * np.sum(right**2)))
