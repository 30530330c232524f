"""s343: CCA by stochastic descent without constraints, beside exact CCA, a whitening loss and linear maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from covey.learn._eckart_young import multiview_loss
from covey.learn.deep_cca import DeepCCAEY
from covey.learn.multiview import MultiviewCCA, MultiviewPLS, StochasticCCA, StochasticPLS
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of

METHODS = {
    "StochasticCCA": scrambled_parts("weights_"),
    "StochasticPLS": scrambled_parts("weights_"),
    "DeepCCAEY": scrambled_parts("rotations_"),
    "multiview_loss": scrambled,
}

Array = NDArray[np.float64]
N_ROWS, N_COLUMNS, K, BATCH, EPOCHS = 10_000, 100, 4, 100, 10
RIDGES = (0.0, 0.01, 0.03, 0.1, 0.3)


@study_of("s343")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Captured correlation of a short descent, bias of its gradient, and what networks add on images."""
    rng = np.random.default_rng(random_state)
    rates = (0.01, 0.03) if quick else (0.003, 0.01, 0.03, 0.1)
    yield from _captured(joint(rng), "shared factors", rng, rates)
    yield from _captured(ill_conditioned(rng), "ill-conditioned views", rng, rates)
    yield _least_squares(joint(rng))
    yield _unbiased(rng, n_batches=2000)
    yield from _digits(range(1 if quick else 5))
    yield (
        "Shared factors: 4 standard normal factors with standard normal loadings on 100 columns a view, noise variance "
        "1. Ill-conditioned: columns are a random rotation of 100 normal variables with variances 1, 1/2, ..., 1/100, "
        "shuffled, four of which correlate between the views at 0.9, 0.77, 0.63 and 0.5. 10,000 rows, batches of 100, "
        "10 passes. The whitening loss (minus the canonical correlations of each batch's scores) takes as many batches "
        "by Adam; its best of four learning rates counts (two in the quick form). On shared factors both reach 99.9 % "
        "of the exact sum, which leaves nothing to be ahead by: hence a margin of 0.002."
    )
    yield (
        "Digits: left and right halves of 8 x 8 images, 70 % of the rows to train; linear CCA gets the shrinkage that "
        "is best on the held-out rows, which favours it."
    )


def joint(rng: np.random.Generator) -> list[Array]:
    """Two views of shared factors."""
    common = rng.normal(size=(N_ROWS, K))
    return [common @ rng.normal(size=(K, N_COLUMNS)) + rng.normal(size=(N_ROWS, N_COLUMNS)) for _ in range(2)]


def ill_conditioned(rng: np.random.Generator) -> list[Array]:
    """Two views whose canonical directions have any variance between 1 and 1/100."""
    common = rng.normal(size=(N_ROWS, K))
    strength = np.linspace(0.9, 0.5, K)
    views = []
    for _ in range(2):
        own = rng.normal(size=(N_ROWS, N_COLUMNS))
        own[:, :K] = np.sqrt(strength) * common + np.sqrt(1.0 - strength) * own[:, :K]
        deviations = rng.permutation(np.arange(1, N_COLUMNS + 1) ** -0.5)
        views.append((own * deviations) @ np.linalg.qr(rng.normal(size=(N_COLUMNS, N_COLUMNS)))[0])
    return views


def _captured(views: list[Array], name: str, rng: np.random.Generator, rates: Sequence[float]) -> Iterator[Claim]:
    seed = int(rng.integers(2**31))
    exact = MultiviewCCA(K).fit(views).correlations_.sum()
    model = StochasticCCA(K, batch_size=BATCH, max_iter=EPOCHS, random_state=seed).fit(views)
    ours = np.abs(model.canonical_correlations(views)).sum() / exact
    with threadpool_limits(1):  # small products: threads would wait for each other
        naive = max(_whitening_loss(views, rate, seed) for rate in rates) / exact
    yield Claim(f"share of the exact sum of four canonical correlations, {name}", ours, 0.98)
    yield Claim(
        f"that share less the one of the same budget, {name}",
        ours - naive,
        -0.002,
        baseline=naive,
        baseline_name="whitening loss",
    )


def _whitening_loss(views: Sequence[Array], learning_rate: float, seed: int) -> float:
    """Sum of canonical correlations reached by linear maps trained on the correlations of each batch's own scores."""
    data = [torch.tensor((view - view.mean(axis=0)) / view.std(axis=0)) for view in views]
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.randn(N_COLUMNS, K, generator=generator, dtype=torch.float64) / 10 for _ in data]
    optimiser = torch.optim.Adam([m.requires_grad_() for m in maps], lr=learning_rate)
    for _ in range(EPOCHS):
        for rows in torch.randperm(N_ROWS, generator=generator).split(BATCH):
            optimiser.zero_grad()
            left, right = (_whitened(x[rows] @ m) for x, m in zip(data, maps))
            (-torch.linalg.svdvals(left.T @ right).sum()).backward()
            optimiser.step()
    scores = [(x @ m.detach()).numpy() for x, m in zip(data, maps)]
    return float(MultiviewCCA(K).fit(scores).correlations_.sum())


def _whitened(scores: torch.Tensor) -> torch.Tensor:
    centred = scores - scores.mean(dim=0)
    factor = torch.linalg.cholesky(centred.T @ centred + 1e-6 * torch.eye(K, dtype=scores.dtype))
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T


def _least_squares(views: list[Array]) -> Claim:
    exact, ours = (
        _covariance(model, views) for model in (MultiviewPLS(K), StochasticPLS(K, batch_size=BATCH, random_state=0))
    )
    return Claim("share of the exact sum of four covariances of partial least squares", ours / exact, 0.98)


def _covariance(model: MultiviewPLS | StochasticPLS, views: list[Array]) -> float:
    """Sum of covariances of directions that have unit length in standardised columns."""
    model.fit(views)
    left, right = (
        scores / np.linalg.norm(w * view.std(axis=0)[:, None], axis=0)
        for scores, w, view in zip(model.transform(views), model.weights_, views)
    )
    return float(np.abs((left * right).mean(axis=0)).sum())


def _unbiased(rng: np.random.Generator, n_batches: int) -> Claim:
    """Mean gradient of fresh batches against that of the population, whose covariance is known."""
    d = 20
    loadings = [rng.normal(size=(K, d)) for _ in range(2)]
    weights = [rng.normal(size=(d, K)) / d for _ in range(2)]
    within = [w.T @ w + np.eye(d) for w in loadings]
    metric = sum(w.T @ c @ w for w, c in zip(weights, within))
    cross = loadings[0].T @ loadings[1]
    expected = np.vstack(
        [
            4.0 * (within[0] @ weights[0] @ metric - cross @ weights[1]),
            4.0 * (within[1] @ weights[1] @ metric - cross.T @ weights[0]),
        ]
    )
    found: dict[bool, list[Array]] = {True: [], False: []}
    for _ in range(n_batches):
        common = rng.normal(size=(BATCH, K))
        views = [common @ w + rng.normal(size=(BATCH, d)) for w in loadings]
        for halves, slopes in found.items():
            slopes.append(np.vstack(multiview_loss(views, weights, halves=halves)[1]))
    two, one = (_share_within(slopes, expected) for slopes in (found[True], found[False]))
    return Claim(
        f"share of the {expected.size} entries of the gradient whose mean over {n_batches} batches of {BATCH} lies "
        "within 3 standard errors of the population's",
        two,
        0.97,
        baseline=one,
        baseline_name="the same with one covariance squared",
    )


def _share_within(slopes: Sequence[Array], expected: Array) -> float:
    error = np.std(slopes, axis=0, ddof=1) / np.sqrt(len(slopes))
    return float(np.mean(np.abs(np.mean(slopes, axis=0) - expected) <= 3.0 * error))


def _digits(seeds: Sequence[int]) -> Iterator[Claim]:
    images = load_digits().images
    halves = [images[:, :, :4].reshape(len(images), -1), images[:, :, 4:].reshape(len(images), -1)]
    totals = np.array([_held_out(halves, seed) for seed in seeds])
    deep, linear = totals.mean(axis=0)
    yield Claim(
        f"held-out sum of ten correlations over that of linear CCA, digits, mean of {len(seeds)} splits",
        deep / linear,
        1.05,
        baseline=linear,
        baseline_name=f"linear CCA's sum (networks: {deep:.2f})",
    )


def _held_out(views: list[Array], seed: int) -> tuple[float, float]:
    left, left_test, right, right_test = train_test_split(*views, test_size=0.3, random_state=seed)
    kept = [side.std(axis=0) > 0 for side in (left, right)]
    train, test = [left[:, kept[0]], right[:, kept[1]]], [left_test[:, kept[0]], right_test[:, kept[1]]]
    with threadpool_limits(1):
        deep = DeepCCAEY(10, random_state=seed).fit(train).canonical_correlations(test).sum()
    linear = max(MultiviewCCA(10, ridge).fit(train).canonical_correlations(test).sum() for ridge in RIDGES)
    return float(deep), float(linear)
