"""s127: answers that follow a cue and its known attributes, and a test that is right where they follow only the cue."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from covey.audit.counterfactual import (
    distinctive_words,
    group_similarity,
    perturbation_variation,
    similarity_vs_attribute_correlation,
)
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {
    "similarity_vs_attribute_correlation": scrambled,
    "perturbation_variation": scrambled,
    "distinctive_words": lambda _: lambda texts, groups, k: {g: ["word"] * k for g in groups},
}
N_GROUPS, N_WORDS, LENGTH, N_ATTRIBUTES = 20, 10, 80, 6
SPREAD = 14.0  # of squared distance over which groups share words
Array = NDArray[np.float64]


@study_of("s127")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Level of the test without dependence, tau and words with it, variation within and between groups."""
    n_runs, n_topics, n_permutations = (100, 8, 99) if quick else (300, 30, 199)
    rejections = [
        _rejects(seed, n_topics, n_permutations) for seed in np.random.SeedSequence(random_state).spawn(n_runs)
    ]
    naive, mantel = np.mean(rejections, axis=0)
    yield Claim(
        f"Mantel rejections at level 0.05 without dependence on the attributes, {n_runs} runs",
        float(mantel),
        (0.01, 0.11) if quick else (0.03, 0.08),
        "between",
        baseline=float(naive),
        baseline_name="Kendall's own p-value",
    )
    yield Claim("rejections by Kendall's own p-value there", float(naive), 0.10 if quick else 0.15)
    rng = np.random.default_rng(random_state)
    attributes, own_words, texts, groups, topics = answers(rng, 1.0, 30, n_replicates=2)
    agreement = similarity_vs_attribute_correlation(group_similarity(texts, groups, topics)[1], attributes)
    yield Claim("tau of likeness of answers and of attributes, full dependence", agreement.statistic, 0.5)
    yield Claim("its p-value", agreement.pvalue, 0.01, "<=")
    found = distinctive_words(texts, groups, N_WORDS)
    recovered = np.mean([len(set(found[g]) & set(own_words[g])) / N_WORDS for g in range(N_GROUPS)])
    yield Claim("share of the groups' planted words among their ten most telling ones", float(recovered), 0.70)
    variation = perturbation_variation(texts, groups, topics, 99)
    yield Claim("p-value of more variation between groups than within", variation.pvalue, 0.01, "<=")
    yield Claim(
        "distance of answers between groups less that within",
        variation.between - variation.within,
        0.01,
        baseline=variation.within,
        baseline_name="within",
    )
    shuffled = [groups[k] for k in rng.permutation(len(groups))]
    idle = perturbation_variation(texts, shuffled, topics, 99)
    yield Claim("p-value with the cues dealt out at random", idle.pvalue, 0.05)
    yield (
        f"Answers of {LENGTH} words: half of the topic, half of words of the group and of groups near "
        "it. Nearness is in the attributes (full dependence), or in a geometry of its own, which is what makes pairs "
        "of groups dependent without any tie to the attributes. Six attributes with heavy tails (Student's t with 3 "
        "degrees): with normal ones Kendall's own p-value is nearly right at this noise."
    )


def answers(
    rng: np.random.Generator, strength: float, n_topics: int, n_replicates: int
) -> tuple[Array, list[list[str]], list[str], list[int], list[int]]:
    """Attributes, own words of each group, and answers with their groups and topics."""
    attributes = rng.standard_t(3, size=(N_GROUPS, N_ATTRIBUTES))
    place = strength * attributes + np.sqrt(1.0 - strength**2) * rng.standard_t(3, size=attributes.shape)
    squared = ((place[:, None] - place) ** 2).sum(axis=2)
    weight = np.exp(-squared / SPREAD)
    weight /= weight.sum(axis=1, keepdims=True)
    own_words = [[f"own{g}x{w}" for w in range(N_WORDS)] for g in range(N_GROUPS)]
    texts, groups, topics = [], [], []
    for topic, g, _ in np.ndindex(n_topics, N_GROUPS, n_replicates):
        sources = rng.choice(N_GROUPS, LENGTH // 2, p=weight[g])
        own = [own_words[s][w] for s, w in zip(sources, rng.integers(N_WORDS, size=LENGTH // 2))]
        shared = [f"topic{topic}x{w}" for w in rng.integers(40, size=LENGTH // 2)]
        texts.append(" ".join(own + shared))
        groups.append(g)
        topics.append(topic)
    return attributes, own_words, texts, groups, topics


def _rejects(seed: np.random.SeedSequence, n_topics: int, n_permutations: int) -> tuple[bool, bool]:
    """Whether Kendall's own p-value and the Mantel test reject where answers have nothing to do with attributes."""
    attributes, _, texts, groups, topics = answers(np.random.default_rng(seed), 0.0, n_topics, 1)
    similarity = group_similarity(texts, groups, topics)[1]
    test = similarity_vs_attribute_correlation(
        similarity, attributes, n_permutations=n_permutations, random_state=int(seed.generate_state(1)[0])
    )
    return test.naive_pvalue <= 0.05, test.pvalue <= 0.05
