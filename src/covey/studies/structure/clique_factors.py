"""s209: the number and the members of latent factors from cliques, beside rotated factor analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import FactorAnalysis
from threadpoolctl import threadpool_limits

from covey.structure.factors import CorrelationThresholdFactor, independent_maximal_cliques
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"CorrelationThresholdFactor": scrambled, "independent_maximal_cliques": scrambled}


@study_of("s209")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Recovery of planted factors, correlated or not and in many columns, and the speed of one search."""
    seeds = np.random.SeedSequence(random_state).spawn(5 if quick else 20)
    yield from _recovery(seeds, n_factors=6, n_samples=1000, correlation=0.0)
    yield from _recovery(seeds, n_factors=6, n_samples=1000, correlation=0.3)
    yield from _wide(seeds[: 2 if quick else 10])
    yield _speed(np.random.default_rng(random_state))
    yield (
        "Each factor has 8 variables of its own and shares 2 with each of two others (factors in a ring); loadings are "
        "uniform in 0.6 to 0.9; a variable of one factor has variance 1, one of two factors unique variance 0.3."
    )
    yield (
        "A margin of 0.1 over varimax in F1 was aimed at. Varimax that is told the number of factors recovers this "
        "design without an error, as the baseline shows, with factor correlations up to 0.5 too; no method can be "
        "above it. The bound is therefore parity with varimax although the number of factors is not told, and what the "
        "clique search adds is that number: the wide design compares it with Kaiser's rule."
    )


def planted(
    seed: np.random.SeedSequence, n_factors: int, n_samples: int, correlation: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Samples (n_samples, 10 * n_factors) and which variable loads on which factor."""
    rng = np.random.default_rng(seed)
    own, shared = np.repeat(np.arange(n_factors), 8), np.repeat(np.arange(n_factors), 2)
    pattern = np.zeros((10 * n_factors, n_factors), dtype=bool)
    pattern[np.arange(len(own)), own] = True
    rows = len(own) + np.arange(len(shared))
    pattern[rows, shared] = pattern[rows, (shared + 1) % n_factors] = True
    loadings = np.where(pattern, rng.uniform(0.6, 0.9, pattern.shape), 0.0)
    unique = np.where(pattern.sum(axis=1) == 1, 1.0 - (loadings**2).sum(axis=1), 0.3)
    common = np.sqrt(correlation) * rng.normal(size=(n_samples, 1))
    factors = common + np.sqrt(1.0 - correlation) * rng.normal(size=(n_samples, n_factors))
    noise = rng.normal(size=(n_samples, len(pattern))) * np.sqrt(unique)
    return factors @ loadings.T + noise, pattern


def pattern_f1(found: NDArray[np.bool_], pattern: NDArray[np.bool_]) -> float:
    """F1 score of the non-zero loadings, 0..1, factors matched so that it is greatest."""
    overlap = found.T.astype(int) @ pattern.astype(int)
    matched = overlap[linear_sum_assignment(-overlap)].sum()
    return float(2.0 * matched / (found.sum() + pattern.sum()))


def _varimax(x: NDArray[np.float64], n_factors: int) -> NDArray[np.bool_]:
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    with threadpool_limits(1, user_api="blas"):
        model = FactorAnalysis(n_factors, rotation="varimax", random_state=0).fit(z)
    return np.abs(model.components_.T) > 0.3


def _kaiser(x: NDArray[np.float64]) -> int:
    return int(np.count_nonzero(np.linalg.eigvalsh(np.corrcoef(x, rowvar=False)) > 1.0))


def _recovery(
    seeds: Sequence[np.random.SeedSequence], n_factors: int, n_samples: int, correlation: float
) -> Iterator[Claim]:
    right, f1, varimax = [], [], []
    for seed in seeds:
        x, pattern = planted(seed, n_factors, n_samples, correlation)
        model = CorrelationThresholdFactor().fit(x)
        right.append(model.n_factors_ == n_factors)
        f1.append(pattern_f1(model.labels_, pattern))
        varimax.append(pattern_f1(_varimax(x, n_factors), pattern))
    design = f"60 variables, 6 factors correlated {correlation:g}, {len(seeds)} runs of {n_samples} samples"
    yield Claim(f"share of runs with the right number of factors: {design}", float(np.mean(right)), 0.9)
    ours, told = float(np.mean(f1)), float(np.mean(varimax))
    yield Claim(
        f"mean F1 of the loading pattern: {design}", ours, 0.9, baseline=told, baseline_name="varimax, told the number"
    )
    yield Claim(f"mean F1 above that of varimax that is told the number: {design}", ours - told, -0.01)


def _wide(seeds: Sequence[np.random.SeedSequence]) -> Iterator[Claim]:
    right, kaiser, f1 = [], [], []
    for seed in seeds:
        x, pattern = planted(seed, n_factors=25, n_samples=250, correlation=0.0)
        model = CorrelationThresholdFactor().fit(x)
        right.append(model.n_factors_ == 25)
        f1.append(pattern_f1(model.labels_, pattern))
        kaiser.append(_kaiser(x) == 25)
    design = f"250 variables, 25 factors, {len(seeds)} runs of 250 samples"
    share, rule = float(np.mean(right)), float(np.mean(kaiser))
    yield Claim(
        f"share of runs with the right number: {design}", share, 0.9, baseline=rule, baseline_name="Kaiser's rule"
    )
    yield Claim(f"that share above Kaiser's rule: {design}", share - rule, 0.5)
    yield Claim(f"mean F1 of the loading pattern: {design}", float(np.mean(f1)), 0.9)


def _speed(rng: np.random.Generator) -> Claim:
    """One search among 2000 variables of 100 factors; the time counts only when the factors are right."""
    owner = np.repeat(np.arange(100), 20)
    x = rng.normal(size=(500, 100))[:, owner] * 0.8 + 0.6 * rng.normal(size=(500, 2000))
    start = perf_counter()
    labels = independent_maximal_cliques(np.abs(np.corrcoef(x, rowvar=False)) > 0.35)
    seconds = perf_counter() - start
    exact = labels.shape == (2000, 100) and (labels == (owner[:, None] == np.arange(100))).all()
    text = "seconds for correlations and clique search at one threshold, 500 samples x 2000 variables"
    return Claim(text, seconds if exact else float("nan"), 5.0, "<=", note="100 factors found without an error")
