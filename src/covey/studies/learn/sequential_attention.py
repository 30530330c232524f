"""s169: columns chosen by attention during one training run: matching pursuit, spoken letters, products of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import f_classif
from sklearn.linear_model import OrthogonalMatchingPursuit
from sklearn.model_selection import train_test_split

from covey.learn.sequential_attention import SequentialAttentionMask, SequentialAttentionSelector
from covey.select._base import numeric_block
from covey.select.omp import OMPSelector, unit_columns
from covey.studies._frame import Claim, scrambled_parts, study_of
from covey.table import read

Array = NDArray[np.float64]
N_PROBLEMS, K, D, PRODUCTS = 20, 50, 30, 3


def _noise_mask(method: Any) -> type:
    class Noise(method):
        def forward(self, progress: float) -> torch.Tensor:
            return torch.rand(super().forward(progress).shape, generator=self.generator)

    return Noise


METHODS = {
    "OMPSelector": scrambled_parts("ranking_"),
    "SequentialAttentionSelector": scrambled_parts("ranking_"),
    "SequentialAttentionMask": _noise_mask,
}


@study_of("s169")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The order of matching pursuit, the accuracy of 50 chosen columns beside filters, products, and the mask."""
    rng = np.random.default_rng([random_state, 169])
    yield _pursuit(rng)
    yield from _letters(quick, random_state)
    yield _products(rng, 1 if quick else 5)
    yield _mask(rng)


def _pursuit(rng: np.random.Generator) -> Claim:
    """Linear problems of 200 rows and 100 columns, 10 of which count."""
    same, filtered = 0, 0
    for _ in range(N_PROBLEMS):
        x = unit_columns(rng.normal(size=(200, 100)))
        y = x[:, rng.choice(100, 10, replace=False)] @ rng.normal(size=10) + 0.01 * rng.normal(size=200)
        known = _path(x, y)
        found = np.argsort(OMPSelector(k=10, target_kind="numeric").fit(x, y).ranking_)[:10].tolist()
        same += found == known
        filtered += np.argsort(-np.abs(x.T @ y))[:10].tolist() == known
    return Claim(
        "problems of 20 on which the ordered set of ten columns is that of scikit-learn's OrthogonalMatchingPursuit",
        same,
        N_PROBLEMS,
        baseline=filtered,
        baseline_name="correlation with y",
    )


def _path(x: Array, y: Array) -> list[int]:
    """The order in which scikit-learn takes ten columns, from its sets of one, two, ... columns."""
    order: list[int] = []
    for k in range(1, 11):
        chosen = np.flatnonzero(OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(x, y).coef_)
        order += [int(j) for j in chosen if j not in order]
    return order


def _letters(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Isolet: 26 spoken letters, 617 columns; a forest on the chosen ones tells what they hold."""
    table = read("covey:isolet")
    letters = table["class"].labels()
    x = numeric_block(table.drop("class"))
    halves = train_test_split(x, letters, test_size=0.2, stratify=letters, random_state=random_state)
    rng = np.random.default_rng([random_state, 1])
    seeds, n_steps = (range(1), 1500) if quick else (range(3), 3000)
    chosen = [_attended(halves[0], halves[2], seed, n_steps) for seed in seeds]
    found = float(np.mean([_accuracy(halves, columns) for columns in chosen]))
    drawn = [rng.choice(x.shape[1], K, replace=False) for _ in range(2 if quick else 5)]
    others = {
        "random 50": float(np.mean([_accuracy(halves, columns) for columns in drawn])),
        "F test": _accuracy(halves, np.argsort(-f_classif(halves[0], halves[2])[0])[:K]),
        "importance of extremely randomised trees": _accuracy(halves, np.argsort(-_importance(halves))[:K]),
    }
    best = max(others, key=others.__getitem__)
    text = "accuracy of a forest on 50 of 617 columns, 26 spoken letters"
    yield Claim(text, found, 0.885, baseline=others[best], baseline_name=best)
    yield Claim(f"{text}, less that of the best of three rankings", found - others[best], 0.02)
    listed = ", ".join(f"{name} {value:.3f}" for name, value in others.items())
    everything = _accuracy(halves, np.arange(x.shape[1]))
    yield f"Spoken letters, {len(seeds)} run(s) of {n_steps} steps: {listed}; all 617 columns {everything:.3f}."


def _attended(x: Array, y: NDArray[Any], seed: int, n_steps: int) -> NDArray[np.intp]:
    selector = SequentialAttentionSelector(K, n_steps=n_steps, target_kind="categorical", random_state=seed)
    return selector.fit(x, y).get_support(indices=True)


def _accuracy(halves: list[Any], columns: NDArray[np.intp]) -> float:
    train, test, y, wanted = halves
    forests = [ExtraTreesClassifier(50, random_state=seed).fit(train[:, columns], y) for seed in range(3)]
    return float(np.mean([forest.score(test[:, columns], wanted) for forest in forests]))


def _importance(halves: list[Any]) -> Array:
    return ExtraTreesClassifier(200, random_state=0).fit(halves[0], halves[2]).feature_importances_


def _products(rng: np.random.Generator, n_problems: int) -> Claim:
    """The target is a sum of products of two columns, none of which correlates with it on its own."""
    shares, linear = [], []
    for seed in range(n_problems):
        x = rng.normal(size=(2000, D))
        y = sum(x[:, 2 * i] * x[:, 2 * i + 1] for i in range(PRODUCTS)) + 0.1 * rng.normal(size=2000)
        k = 2 * PRODUCTS
        network = SequentialAttentionSelector(k, n_steps=1000, learning_rate=0.01, random_state=seed).fit(x, y)
        shares.append(np.mean(network.get_support(indices=True) < k))
        linear.append(np.mean(np.argsort(OMPSelector(k).fit(x, y).ranking_)[:k] < k))
    return Claim(
        "share of the six columns found whose three products are the target, among 30",
        float(np.mean(shares)),
        0.9,
        baseline=float(np.mean(linear)),
        baseline_name="orthogonal matching pursuit",
    )


def _mask(rng: np.random.Generator) -> Claim:
    """Logits are drawn anew before each look at the mask."""
    mask = SequentialAttentionMask(40, k=10, k_step=3)
    worst = 0.0
    for progress in np.sort(rng.uniform(0.1, 1.0, 200)):
        with torch.no_grad():
            mask.logits.copy_(torch.as_tensor(rng.normal(size=40)))
            weights = mask(float(progress))
        chosen = mask.selected
        rest = weights[~chosen].sum()
        worst = max(worst, float((weights[chosen] - 1.0).abs().sum()), float((rest - 1.0).abs()))
    return Claim(
        "largest error of a chosen feature's weight from 1 and of the candidates' sum from 1", worst, 1e-5, "<="
    )
