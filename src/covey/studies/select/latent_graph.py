"""s423: relevance as a latent factor of how columns represent classes, beside mutual information by neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_classif
from threadpoolctl import threadpool_limits

import covey
from covey.select import InfiniteLatentSelector, fisher_score
from covey.select._base import numeric_block
from covey.studies._frame import Claim, scrambled, study_of
from covey.studies.select._madelon import hits, madelon, ranked_hits

Array = NDArray[np.float64]

METHODS = {"InfiniteLatentSelector": scrambled}


@study_of("s423")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """The fit and the closed form, the columns that matter in Madelon, and ties."""
    rng = np.random.default_rng([random_state, 423])
    x, y = madelon()
    with threadpool_limits(1, user_api="blas"):
        yield _likelihood(x, y, quick)
        yield _against_dense(rng)
        yield _ties(rng)
        yield from _madelon(x, y)


def _likelihood(x: Array, y: NDArray, quick: bool) -> Claim:
    isolet = covey.read("covey:isolet")
    tables = [(x, y), (numeric_block(isolet.drop("class")), isolet["class"].values)]
    levels = (4, 6) if quick else (3, 4, 5, 6, 8, 12)
    fits = [InfiniteLatentSelector(n, k="all").fit(*table) for table in tables for n in levels]
    worst = max(float(np.max(-np.diff(fit.log_likelihood_) / abs(fit.log_likelihood_[-1]))) for fit in fits)
    text = f"largest fall of the log-likelihood in a step, as a share, {len(fits)} fits of Madelon and Isolet"
    return Claim(text, worst, 1e-12, "<=")


def _against_dense(rng: np.random.Generator) -> Claim:
    y = rng.integers(2, size=200)
    x = rng.normal(size=(200, 300)) + np.outer(y, rng.normal(size=300))
    found = InfiniteLatentSelector(k="all").fit(x, y)
    graph = np.outer(found.p_relevant_, found.p_relevant_)
    r = 0.9 / np.linalg.eigvalsh(graph)[-1]
    dense = (np.linalg.inv(np.eye(300) - r * graph) - np.eye(300)).sum(axis=1)
    text = "largest difference of a score from the inverse of the matrix, 300 columns, as a share of the largest"
    return Claim(text, float(np.abs(found.scores_ - dense).max() / dense.max()), 1e-8, "<=")


def _ties(rng: np.random.Generator) -> Claim:
    """Copies of columns have the same tokens, whatever their scale, and must be told to be tied."""
    y = rng.integers(2, size=200)
    x = rng.normal(size=(200, 40)) + np.outer(y, rng.uniform(0.2, 1.0, 40))
    found = InfiniteLatentSelector(k="all").fit(np.hstack([x, 4.0 * x[:, :10]]), y)
    copied = np.isin(np.arange(50) % 40, np.arange(10))
    text = "columns of which it is told wrongly whether a copy is tied with them, 40 columns and 10 copies"
    return Claim(text, int(np.count_nonzero(found.tied_ != copied)), 0, "<=")


def _madelon(x: Array, y: NDArray) -> Iterator[Claim | str]:
    found = InfiniteLatentSelector(k="all").fit(x, y)
    published = _published_probabilities(x, y)
    yield Claim(
        "spread of the probabilities of relevance of Madelon's columns",
        float(np.ptp(found.p_relevant_)),
        0.1,
        baseline=float(np.ptp(published)),
        baseline_name="as the published code fits them",
    )
    neighbours = hits(mutual_info_classif(x, y, random_state=0))
    count = ranked_hits(InfiniteLatentSelector(), x, y)
    text = "columns among the best 20 that are of the 20 of Madelon that matter"
    yield Claim(text, count, 11, baseline=neighbours, baseline_name="mutual information by neighbours")
    yield Claim("that count above that of mutual information by neighbours", count - neighbours, 4)
    wrong = ranked_hits(InfiniteLatentSelector(prefer="peripheral"), x, y)
    text = "that count above that of the other factor: which of both is relevant is told by the Fisher score"
    yield Claim(text, count - wrong, 10, baseline=wrong, baseline_name="the other factor")
    yield (
        f"The Fisher score alone finds {hits(fisher_score(x, y))} in the same run: the latent model does not add to it "
        "on Madelon."
    )
    yield (
        "The published code counts tokens between as many edges as it has tokens, so that the last one does not occur, "
        "and stores its update of the probability of tokens where nothing reads it; as it fits them, the probabilities "
        f"of Madelon's columns lie between {published.min():.9f} and {published.max():.9f}."
    )


def _published_probabilities(x: Array, y: NDArray, n_tokens: int = 4) -> Array:
    """Probabilities of relevance when only they are updated, for two classes."""
    means = np.stack([x[y == c].mean(axis=0) for c in range(2)])
    distance = (x - means[:, None, :]) ** 2
    own = np.where((y == 0)[:, None], distance[0], distance[1])
    level = np.minimum(np.floor(own / distance.sum(axis=0) * (n_tokens - 1)), n_tokens - 1)
    tokens = np.stack([(level == t).sum(axis=0) for t in range(n_tokens)]).astype(np.float64)
    factors = np.stack([np.linspace(5000, 1, n_tokens), np.linspace(1, 5000, n_tokens)])
    p = np.full(x.shape[1], 0.5)
    for _ in range(1000):
        first, second = factors[0][:, None] * p, factors[1][:, None] * (1 - p)
        p = (tokens * first / (first + second)).sum(axis=0) / tokens.sum(axis=0)
    return p
