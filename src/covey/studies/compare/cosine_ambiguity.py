"""s453: cosines of learned embeddings depend on a choice that no output of the model shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from covey.compare.cosine import (
    LinearAutoencoderMF,
    cosine_ambiguity,
    cosine_similarity,
    data_space_cosine,
    rescaling_sensitivity,
)
from covey.studies._frame import Claim, study_of

Array = NDArray[np.float64]
N_CLUSTERS = 5


def _random_decoder(estimator: type) -> type:
    """A stand-in whose decoder's rows are shuffled."""
    rng = np.random.default_rng(20)

    class StandIn(estimator):
        decoder_: Array

        def fit(self, X: Any, y: object = None) -> Any:
            super().fit(X)
            self.decoder_ = rng.permutation(self.decoder_)
            return self

    return StandIn


def _random_similarity(function: Callable[..., Array]) -> Callable[..., Array]:
    """A stand-in that shuffles the similarities of all pairs."""
    rng = np.random.default_rng(20)

    @wraps(function)
    def stand_in(*args: Any) -> Array:
        return rng.permutation(function(*args).ravel()).reshape(-1, len(args[-1]))

    return stand_in


def _random_bounds(function: Callable[..., tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
    """A stand-in that gives the bounds of other pairs."""
    rng = np.random.default_rng(20)

    @wraps(function)
    def stand_in(embedding: Array) -> tuple[Array, Array]:
        return function(embedding[rng.permutation(len(embedding))])

    return stand_in


METHODS = {
    "LinearAutoencoderMF": _random_decoder,
    "data_space_cosine": _random_similarity,
    "cosine_ambiguity": _random_bounds,
}


@study_of("s453")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Clustered purchases: equal outputs with cosines near 0 and near 1; the closed forms against an optimiser."""
    n_users, n_items = (4_000, 300) if quick else (20_000, 1_000)
    x, clusters = _purchases(n_users, n_items, random_state)
    pairs = np.triu_indices(n_items, 1)
    same = (clusters[:, None] == clusters)[pairs]
    yield from _rescalings(x, pairs, same)
    yield from _weight_decay(x, pairs, same)
    with threadpool_limits(1):  # matrices are small
        claims = [*_optimum(random_state), *_bounds(random_state)]
    yield from claims
    yield (
        f"{n_users:,} users, {n_items} items in {N_CLUSTERS} clusters. An item's popularity falls as the square root "
        "of its rank, a user's activity is Pareto (shape 1.5, at most 20 times the least), a user's tastes "
        "are Dirichlet (0.2 each); purchases are independent with these chances."
    )


def _purchases(n_users: int, n_items: int, seed: int) -> tuple[Array, NDArray]:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(N_CLUSTERS, size=n_items)
    popularity = rng.permutation(np.arange(1.0, n_items + 1)) ** -0.5
    taste = rng.dirichlet(np.full(N_CLUSTERS, 0.2), size=n_users)
    activity = 10 * np.minimum(rng.pareto(1.5, n_users) + 1, 20)
    chance = taste[:, clusters] * popularity
    chance *= (activity / chance.sum(axis=1))[:, None]
    return (rng.random(chance.shape) < chance).astype(float), clusters


def _rescalings(x: Array, pairs: tuple[NDArray, NDArray], same: NDArray) -> Iterator[Claim]:
    """Three embeddings of one model of full rank, penalised on its product."""
    model = LinearAutoencoderMF(x.shape[1], alpha=100.0).fit(x)
    s = model.singular_values_
    shrunk = s**2 / (s**2 + model.alpha)
    output = model.inverse_transform(model.transform(x[:500]))
    within, separation, difference = [], [], []
    for scale in (np.ones_like(s), shrunk**-0.5, s**2):
        encoder, decoder = model.encoder_ / scale, model.decoder_ * scale
        difference.append(np.abs(x[:500] @ encoder @ decoder.T - output).max())
        within.append(float(cosine_similarity(decoder)[pairs][same].mean()))
        separation.append(roc_auc_score(same, data_space_cosine(x, encoder, decoder)[pairs]))
    words = "product penalty, three rescalings"
    yield Claim(f"{words}: greatest difference of outputs", float(max(difference)), 1e-8, "<=")
    yield Claim(f"{words}: least mean cosine of items in a cluster", min(within), 0.1, "<=")
    yield Claim(f"{words}: greatest mean cosine of items in a cluster", max(within), 0.8)
    yield Claim(
        f"{words}: least area under the curve of same-cluster pairs, cosine in data space",
        min(separation),
        0.95,
        baseline=float(roc_auc_score(same, cosine_similarity(model.decoder_ * shrunk**-0.5)[pairs])),
        baseline_name="cosine of the embeddings with balance 0",
    )
    sensitivity = rescaling_sensitivity(model.decoder_[:300, :50], random_state=0)  # as if fitted with 50
    yield Claim(
        "50 dimensions, random rescalings: mean rank correlation of cosines before and after",
        float(sensitivity.rank_correlation.mean()),
        0.8,
        "<=",
        note=f"of an item's 10 nearest, {sensitivity.neighbour_overlap.mean():.0%} stay",
    )


def _weight_decay(x: Array, pairs: tuple[NDArray, NDArray], same: NDArray) -> Iterator[Claim]:
    model = LinearAutoencoderMF(50, alpha=20.0, penalty="factors").fit(x)
    similarity = data_space_cosine(x, model.encoder_, model.decoder_)
    yield Claim(
        "penalty on factors: area under the curve of same-cluster pairs, cosine in data space",
        float(roc_auc_score(same, similarity[pairs])),
        0.95,
        baseline=float(roc_auc_score(same, cosine_similarity(model.decoder_)[pairs])),
        baseline_name="cosine of the embeddings",
    )


def _optimum(seed: int) -> Iterator[Claim]:
    """A small table, optimised by L-BFGS from three starts."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 8)) @ np.diag(np.linspace(1, 2, 8))
    k = 4
    starts = rng.normal(size=(3, 2 * x.shape[1] * k)) / 3
    for penalty in ("product", "factors"):
        model = LinearAutoencoderMF(k, alpha=2.0, penalty=penalty).fit(x)
        closed = model.encoder_ @ model.decoder_.T
        found = [_minimise(x, k, 2.0, penalty, start) for start in starts]
        apart = max(float(np.abs(a @ b.T - closed).max()) for a, b in found)
        yield Claim(f"penalty on {penalty}: closed form from numerical optimum", apart, 1e-4, "<=")
        cosines = np.array([cosine_similarity(b) for _, b in found])
        spread = float(np.ptp(cosines, axis=0).max())
        if penalty == "factors":
            yield Claim("penalty on factors: spread of cosines over starts", spread, 1e-3, "<=")
        else:
            yield Claim("penalty on product: spread of cosines over starts", spread, 0.3)


def _minimise(x: Array, k: int, alpha: float, penalty: str, start: Array) -> tuple[Array, Array]:
    """Encoder and decoder that minimise the objective as the paper writes it."""
    p = x.shape[1]

    def loss(vector: Array) -> tuple[float, Array]:
        a, b = vector.reshape(2, p, k)
        z = x @ a
        residual = z @ b.T - x
        value, to_a, to_b = (residual**2).sum(), x.T @ residual @ b, residual.T @ z
        if penalty == "product":
            value += alpha * ((a @ b.T) ** 2).sum()
            to_a, to_b = to_a + alpha * a @ (b.T @ b), to_b + alpha * b @ (a.T @ a)
        else:
            value += alpha * ((z**2).sum() + (b**2).sum())
            to_a, to_b = to_a + alpha * x.T @ z, to_b + alpha * b
        return float(value), 2 * np.concatenate([to_a.ravel(), to_b.ravel()])

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-9}
    a, b = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x.reshape(2, p, k)
    return a, b


def _bounds(seed: int) -> Iterator[Claim]:
    """Random rescalings never leave the bounds, and an optimiser comes near them."""
    rng = np.random.default_rng(seed)
    embedding = np.abs(rng.normal(size=(12, 3))) + 0.05
    least, greatest = cosine_ambiguity(embedding)
    drawn = np.array([cosine_similarity(embedding * np.exp(3 * rng.normal(size=3))) for _ in range(2_000)])
    outside = max(float((least - drawn.min(axis=0)).max()), float((drawn.max(axis=0) - greatest).max()))
    yield Claim("positive embeddings: farthest that 2,000 rescalings go beyond the bounds", outside, 1e-9, "<=")
    gap = float(np.median(drawn.min(axis=0) - least))
    yield Claim("positive embeddings: median distance of their least cosine from the bound", gap, 0.02, "<=")
