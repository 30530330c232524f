"""s361: marker tables equal their references, and the planted marker of synthetic lungs comes first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from covey.measure.clinical import distance_features, univariate_marker_table
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"univariate_marker_table": scrambled, "distance_features": scrambled}
SHAPE = (72, 96, 96)
N_NODULES, N_LUNGS = 300, 3


@study_of("s361")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Agreement on real data, honesty of the p-values, and ten cohorts of nodules in branching trees."""
    yield from _agreement()
    yield from _size(np.random.default_rng(random_state))
    yield from _cohorts(random_state, runs=3 if quick else 10)
    yield (
        "The phantom: a lung is an ellipsoid with a tree of airways that divides six times, another of vessels, and "
        "the surface as pleura. Malignant nodules lie at divisions of airways, benign ones along branches or anywhere "
        "at the depths of divisions; so a malignant nodule has more airways around it, while the nearest one is as "
        "near to many benign ones. It shows that markers are measured as meant, and nothing about lungs: LIDC-IDRI is "
        "not at hand, so the paper's figures were not reproduced."
    )
    yield (
        "The AUC of a marker unrelated to malignancy varies by about 0.03 between cohorts of 300, so that the bound of "
        "0.45 to 0.6 for the distance to the pleura is on its mean. A logistic regression's AUC is below 0.5 where "
        "means and ranks of the classes disagree, as for a few useless columns; the comparison is over the others."
    )


def _agreement() -> Iterator[Claim]:
    data = load_breast_cancer()
    table = univariate_marker_table(data.data, data.target, cut="median")
    worst = max(_table_error(data.data[:, j], data.target, table, j) for j in range(30))
    yield Claim("largest relative error of OR, interval and chi-square, 30 markers", worst, 1e-10, "<=")
    aucs = np.array([roc_auc_score(data.target, column) for column in data.data.T])
    yield Claim("largest difference from the AUC of scikit-learn", np.abs(table.auc - aucs).max(), 1e-12, "<=")
    telling = np.flatnonzero(table.auc_qvalue <= 0.05)
    error = max(abs(table.discrimination[j] - _logistic_auc(data.data[:, j], data.target)) for j in telling)
    text = f"largest difference of max(AUC, 1 - AUC) from a logistic regression's, {len(telling)} markers"
    yield Claim(text, error if len(telling) > 20 else float("nan"), 1e-12, "<=")


def _table_error(column: NDArray, y: NDArray, table: object, j: int) -> float:
    """Against sums of (observed - expected)^2 / expected, and a product of odds."""
    above = column > np.median(column)
    cells = np.array([[np.sum((above == row) & (y == outcome)) for outcome in (1, 0)] for row in (True, False)])
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    chi2 = ((cells - expected) ** 2 / expected).sum()
    ratio = (cells[0, 0] / cells[0, 1]) / (cells[1, 0] / cells[1, 1])
    factor = np.exp(special.ndtri(0.975) * np.sqrt((1 / cells).sum()))
    wanted = np.array([chi2, ratio, ratio / factor, ratio * factor])
    found = np.array([getattr(table, name)[j] for name in ("chi2", "odds_ratio", "low", "high")])
    return float(np.abs(found / wanted - 1).max())


def _logistic_auc(column: NDArray, y: NDArray) -> float:
    x = StandardScaler().fit_transform(column[:, None])
    return roc_auc_score(y, LogisticRegression().fit(x, y).decision_function(x))


def _size(rng: np.random.Generator) -> Iterator[Claim]:
    """Markers that say nothing: what a cut chosen by the outcome does to the chi-square."""
    y = np.arange(200) % 2
    table = univariate_marker_table(rng.normal(size=(200, 1000)), y)
    yield Claim(
        "useless markers with rank-sum p <= 0.05, of 1000",
        float(np.mean(table.auc_pvalue <= 0.05)),
        (0.03, 0.07),
        "between",
        baseline=float(np.mean(table.pvalue <= 0.05)),
        baseline_name="chi-square at Youden's cut",
    )
    covered = np.mean((table.auc_low <= 0.5) & (table.auc_high >= 0.5))
    yield Claim("their DeLong intervals that hold 0.5", float(covered), (0.93, 0.97), "between")


def _cohorts(seed: int, runs: int) -> Iterator[Claim]:
    tables = []
    for k in range(runs):
        names, X, y = cohort(np.random.default_rng([seed, k, 361]))
        tables.append(univariate_marker_table(X, y))
    count, pleura = names.index("airway count"), names.index("pleura distance")
    first = [table.ranking()[0] == count for table in tables]
    second = np.mean([np.sort(table.discrimination)[-2] for table in tables])
    yield Claim(
        f"cohorts of {N_NODULES} nodules in which the airway count ranks first by AUC, {runs} runs",
        float(np.mean(first)),
        0.9,
        note=f"mean AUC {np.mean([t.auc[count] for t in tables]):.3f}, the next marker {second:.3f}",
    )
    aucs = [table.auc[pleura] for table in tables]
    yield Claim(
        "mean AUC of the distance to the pleura",
        float(np.mean(aucs)),
        (0.45, 0.6),
        "between",
        note=f"from {min(aucs):.3f} to {max(aucs):.3f}",
    )


def cohort(rng: np.random.Generator) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    """Markers of 300 nodules in three lungs, and whether each is malignant."""
    parts, outcomes = [], []
    for _ in range(N_LUNGS):
        lesions, structures, malignant = lung(rng, N_NODULES // N_LUNGS)
        names, values = distance_features(lesions, structures)
        parts.append(values)
        outcomes.append(malignant)
    return names, np.concatenate(parts), np.concatenate(outcomes)


def lung(
    rng: np.random.Generator, n_nodules: int
) -> tuple[NDArray[np.int32], dict[str, NDArray[np.bool_]], NDArray[np.int64]]:
    """Labelled nodules, masks of pleura, airways and vessels, and which nodules are malignant."""
    places = (np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2) / (np.reshape(SHAPE, (3, 1, 1, 1)) / 2 - 2)
    inside = (places**2).sum(axis=0) <= 1
    airways, forks, along = _tree(rng, inside)
    vessels, _, _ = _tree(rng, inside)
    lesions = np.zeros(SHAPE, dtype=np.int32)
    malignant = np.zeros(n_nodules, dtype=np.int64)
    anywhere = rng.choice(np.argwhere(inside), 5000)
    depth = ndimage.distance_transform_edt(inside)
    label = 0
    while label < n_nodules:
        case = bool(rng.integers(2))
        choices = forks if case else along if rng.random() < 0.6 else anywhere
        wanted = depth[_voxel(forks[rng.integers(len(forks))])]
        if _place(rng, lesions, choices[np.abs(depth[_voxel(choices)] - wanted) < 1], label + 1):
            malignant[label] = case
            label += 1
    surface = inside & ~ndimage.binary_erosion(inside)
    return lesions, {"pleura": surface, "airway": airways, "vessel": vessels}, malignant


def _voxel(places: NDArray) -> tuple[NDArray[np.intp], ...]:
    """Index of the voxels that hold these places."""
    return tuple(np.clip(np.rint(places).astype(int), 0, np.array(SHAPE) - 1).T)


def _place(rng: np.random.Generator, lesions: NDArray[np.int32], choices: NDArray, label: int) -> bool:
    """Draw a ball with a radius of 2 or 3 voxels at one of the choices, unless it would meet another or the border."""
    radius = int(rng.integers(2, 4))
    if not len(choices):
        return False
    centre = np.array(_voxel(choices[rng.integers(len(choices))]))
    box = tuple(slice(c - radius, c + radius + 1) for c in centre)
    if (centre < radius).any() or (centre + radius >= SHAPE).any() or lesions[box].any():
        return False
    ball = (np.indices((2 * radius + 1,) * 3) - radius) ** 2
    lesions[box][ball.sum(axis=0) <= radius**2] = label
    return True


def _tree(rng: np.random.Generator, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray, NDArray]:
    """A tree that divides in two, six times: its voxels, its divisions, and points halfway along its branches."""
    mask = np.zeros(SHAPE, dtype=bool)
    forks, along = [], []
    start = np.array([SHAPE[0] * 0.5, SHAPE[1] * 0.5, 8.0]) + rng.normal(size=3)
    front = [(start, np.array([0.0, 0.0, 1.0]), 26.0)]
    for _ in range(7):
        following = []
        for origin, direction, length in front:
            tip = origin + direction * length
            points = np.linspace(origin, tip, int(3 * length) + 1)
            mask[_voxel(points)] = True
            if not inside[_voxel(tip)]:
                continue
            forks.append(tip)
            along.append((origin + tip) / 2)
            following += [(tip, turned, length * 0.8) for turned in _turned(rng, direction)]
        front = following
    return mask & inside, np.array(forks), np.array(along)


def _turned(rng: np.random.Generator, direction: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Two directions, about 45 degrees to either side of the given one in a random plane."""
    aside = np.cross(direction, rng.normal(size=3))
    aside /= np.linalg.norm(aside)
    return [(direction + sign * aside) / np.sqrt(2.0) for sign in (1.0, -1.0)]
