"""s391: topics of words from co-occurrence counts, beside a truncated decomposition and a loss of seen cells alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from covey.learn.cooccurrence import Cooccurrence, CooccurrenceCounter, pmi_matrix
from covey.learn.embedding import Swivel
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"Swivel": scrambled}
N_TOPICS, N_WORDS, N_TOKENS, ZIPF = 20, 50, 300_000, 1.6
FEW = 5


@study_of("s391")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Purity of the nearest neighbours by topic, of all words and of the rarest fifth."""
    seeds = np.random.SeedSequence(random_state).spawn(1 if quick else 5)
    counted = [_counted(seed, stay=0.97) for seed in seeds]
    yield from _claims([_purities(one, FEW) for one in counted])
    yield (
        f"Corpus: {N_TOKENS:,} tokens of a hidden Markov chain of {N_TOPICS} topics with {N_WORDS} words each, of "
        f"probabilities that fall as the rank to the power -{ZIPF}; at each token a new topic is drawn with "
        "probability 0.03. Purity is the share of a word's ten nearest words by cosine similarity that are of its "
        "topic; of several corpora the worst is claimed. The decomposition is of the positive pointwise mutual "
        "information, the better of left vectors with and without the singular values. All vectors have 5 components."
    )
    yield "With as many components as topics all sides are near the ceiling, rarest fifth: " + _sentence(
        _purities(counted[0], N_TOPICS)
    )
    yield (
        "Where topics change fast (a new one with probability 0.6) and 20 components are kept, the loss of unseen "
        "cells costs purity. Rarest fifth: " + _sentence(_purities(_counted(seeds[0], stay=0.4), N_TOPICS))
    )


def _sentence(found: dict[str, float]) -> str:
    rare = {name: value for name, value in found.items() if name.endswith("rare")}
    return ", ".join(f"{name.removesuffix(', rare')} {value:.3f}" for name, value in rare.items()) + "."


def _claims(found: list[dict[str, float]]) -> Iterator[Claim]:
    for words, suffix, lead in (("all words", "", 0.0), ("the rarest fifth of the words", ", rare", 0.05)):
        swivel, decomposed, seen = (f"{side}{suffix}" for side in ("Swivel", "SVD", "seen cells alone"))
        worst = min(found, key=lambda one: one[swivel] - one[decomposed])
        yield Claim(
            f"topic purity of {words} less that of a truncated SVD",
            worst[swivel] - worst[decomposed],
            0.0,
            baseline=worst[decomposed],
            baseline_name=f"SVD of PPMI (Swivel: {worst[swivel]:.3f})",
        )
        worst = min(found, key=lambda one: one[swivel] - one[seen])
        yield Claim(
            f"topic purity of {words} less that without the loss of unseen cells",
            worst[swivel] - worst[seen],
            lead,
            baseline=worst[seen],
            baseline_name=f"seen cells alone (Swivel: {worst[swivel]:.3f})",
        )


def corpus(rng: np.random.Generator, stay: float) -> NDArray[np.intp]:
    """Words of a chain of topics, shape (N_TOKENS,); word ``w`` is of topic ``w // N_WORDS``."""
    switch = rng.random(N_TOKENS) > stay
    switch[0] = True
    last = np.maximum.accumulate(np.where(switch, np.arange(N_TOKENS), 0))
    topic = rng.integers(N_TOPICS, size=N_TOKENS)[last]
    share = np.arange(1.0, N_WORDS + 1) ** -ZIPF
    return topic * N_WORDS + rng.choice(N_WORDS, N_TOKENS, p=share / share.sum())


def _counted(seed: np.random.SeedSequence, stay: float) -> Cooccurrence:
    return CooccurrenceCounter().update([corpus(np.random.default_rng(seed), stay).tolist()]).result()


def _purities(counted: Cooccurrence, n_components: int) -> dict[str, float]:
    """Purity of all words, and of the rarest fifth, by the vectors of each side."""
    with threadpool_limits(1):
        left, values, _ = svds(pmi_matrix(counted.counts, positive=True), k=n_components, rng=np.random.default_rng(0))
    sides = {
        "Swivel": [_vectors(counted, n_components, unseen=True)],
        "SVD": [left, left * values],
        "seen cells alone": [_vectors(counted, n_components, unseen=False)],
    }
    rare = counted.frequencies <= np.quantile(counted.frequencies, 0.2)
    everyone = np.ones(len(rare), dtype=bool)
    return {
        f"{name}{suffix}": max(purity(vectors, counted, words) for vectors in candidates)
        for suffix, words in (("", everyone), (", rare", rare))
        for name, candidates in sides.items()
    }


def _vectors(counted: Cooccurrence, n_components: int, unseen: bool) -> NDArray[np.float64]:
    return Swivel(n_components, shard_size=256, unseen=unseen, random_state=0).fit(counted.counts).embedding_


def purity(vectors: NDArray[np.float64], counted: Cooccurrence, words: NDArray[np.bool_], k: int = 10) -> float:
    """Share of the `k` nearest words, by cosine similarity, that are of the same topic, mean over `words`; 0..1."""
    topic = np.array(counted.vocabulary, dtype=int) // N_WORDS
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit[words] @ unit.T
    similarity[np.arange(len(similarity)), np.flatnonzero(words)] = -np.inf
    nearest = np.argpartition(-similarity, k, axis=1)[:, :k]
    return float(np.mean(topic[nearest] == topic[words][:, None]))
