"""What one explicit cue does to a model's answers: variation, words, and agreement with known attributes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from covey.engine import Engine
from covey.measure._null import permutation_pvalue
from covey.measure.mantel import MantelTest, mantel_test

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PerturbationVariation:
    """How much answers to one topic vary within and between groups.

    Parameters
    ----------
    within, between : float
        Mean distance, 0..1, of two answers to one topic that share their group, or do not. `within` is NaN where no
        group answered a topic twice.
    pvalue : float
        One-sided, of `between` exceeding `within`; NaN where `within` is.
    topics : tuple
    topic_within, topic_between : ndarray of shape (n_topics,)
        The same a topic.
    """

    within: float
    between: float
    pvalue: float
    topics: tuple[Hashable, ...]
    topic_within: Array
    topic_between: Array


def output_similarity(outputs: Any) -> Array:
    """Similarity of every two outputs: of texts the share of their words in common, of vectors the cosine.

    Parameters
    ----------
    outputs : sequence of str of length n, or array-like of shape (n, n_features)
        Of texts each word counts once: words in both over words in either (Jaccard).

    Returns
    -------
    ndarray of shape (n, n)
        In 0..1 for texts, -1..1 for vectors.

    Raises
    ------
    ValueError
        If no text has a word, or a vector is zero or not finite.

    Examples
    --------
    >>> output_similarity(["rice and tea", "rice and beans"]).round(2).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    if _is_text(outputs):
        words = _word_counts(outputs)[0].sign().astype(np.float64)
        common = (words @ words.T).toarray()
        size = np.diagonal(common)
        either = size[:, None] + size - common
        return np.where(either > 0, common / np.maximum(either, 1.0), 1.0)
    vectors = np.asarray(outputs, dtype=np.float64)
    if vectors.ndim != 2:
        raise ValueError(f"outputs must be texts or a matrix with a row an output, got shape {vectors.shape}")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise ValueError("outputs hold a vector that is zero or not finite; leave it out")
    vectors = vectors / length
    return np.clip(vectors @ vectors.T, -1.0, 1.0)


def perturbation_variation(
    outputs: Any,
    groups: Sequence[Hashable],
    topics: Sequence[Hashable],
    n_permutations: int = 199,
    random_state: int = 0,
) -> PerturbationVariation:
    """Compare how far answers to one topic lie apart within a group and between groups.

    The test deals the answers to each topic out to the groups anew.

    Parameters
    ----------
    outputs : sequence of str of length n, or array-like of shape (n, n_features)
        Answers; see `output_similarity`.
    groups, topics : sequence of length n
        The cue (say, a nationality) and the question of each answer.
    n_permutations : int
    random_state : int

    Returns
    -------
    PerturbationVariation

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than two groups, or no topic was answered by two of them.

    References
    ----------
    Bhatt and Diaz (2024), Extrinsic Evaluation of Cultural Competence in Large Language Models. arXiv:2406.11565.

    Examples
    --------
    >>> answers = ["rice and tea", "rice, beans, tea", "bread and wine", "bread, olives, wine"]
    >>> result = perturbation_variation(answers, ["A", "A", "B", "B"], ["lunch"] * 4)
    >>> round(result.within, 2), round(result.between, 2)
    (0.5, 0.95)
    """
    distance = 1.0 - output_similarity(outputs)
    group, topic = _codes(groups, len(distance), "groups"), _codes(topics, len(distance), "topics")
    if group.max() < 1:
        raise ValueError("groups must hold at least two different groups")
    i, j = np.triu_indices(len(distance), 1)
    same_topic = topic[i] == topic[j]
    i, j = i[same_topic], j[same_topic]
    apart, of_topic = distance[i, j], topic[i]
    same = group[i] == group[j]
    if same.all():
        raise ValueError("no topic has answers of two groups, so that groups cannot be compared")
    within, between = (float(apart[pairs].mean()) if pairs.any() else np.nan for pairs in (same, ~same))
    by_topic = [_means(apart, of_topic, pairs, int(topic.max()) + 1) for pairs in (same, ~same)]
    pvalue = np.nan
    if same.any():
        rng = np.random.default_rng(random_state)
        null = np.empty(n_permutations)
        for k in range(n_permutations):
            dealt = _dealt_within(group, topic, rng)
            agree = dealt[i] == dealt[j]
            null[k] = apart[~agree].mean() - apart[agree].mean()
        pvalue = float(permutation_pvalue(between - within - 1e-12, null))
    return PerturbationVariation(within, between, pvalue, tuple(_levels(topics)), by_topic[0], by_topic[1])


def group_similarity(
    outputs: Any, groups: Sequence[Hashable], topics: Sequence[Hashable]
) -> tuple[tuple[Hashable, ...], Array]:
    """Mean similarity of the answers of every two groups to the same topics.

    Parameters
    ----------
    outputs, groups, topics
        As for `perturbation_variation`.

    Returns
    -------
    names : tuple of length n_groups
        The groups, sorted.
    similarity : ndarray of shape (n_groups, n_groups)
        Mean over all pairs of different answers to one topic; NaN where two groups share no topic.

    Raises
    ------
    ValueError
        If lengths differ.

    Examples
    --------
    >>> group_similarity(["rice tea", "rice wine"], ["A", "B"], ["lunch", "lunch"])[1].round(2).tolist()
    [[nan, 0.33], [0.33, nan]]
    """
    similarity = output_similarity(outputs)
    group, topic = _codes(groups, len(similarity), "groups"), _codes(topics, len(similarity), "topics")
    counted = (topic[:, None] == topic) & ~np.eye(len(topic), dtype=bool)
    member = np.eye(int(group.max()) + 1)[group]
    total, n = member.T @ (similarity * counted) @ member, member.T @ counted @ member
    total = (total + total.T) / 2.0  # the order of sums differs from one side to the other
    return tuple(_levels(groups)), np.where(n > 0, total / np.maximum(n, 1.0), np.nan)


def distinctive_words(texts: Sequence[str], groups: Sequence[Hashable], k: int = 10) -> dict[Hashable, list[str]]:
    """The words by which each group's texts stand out, most telling first.

    A word scores ``f log(f / m)``, with `f` its share of the group's words and `m` the mean of its share over groups:
    frequent here, and more so than elsewhere.

    Parameters
    ----------
    texts : sequence of str of length n
    groups : sequence of length n
    k : int
        Words a group; fewer where fewer score above 0.

    Returns
    -------
    dict of group to list of str

    Raises
    ------
    ValueError
        If lengths differ or no text has a word.

    References
    ----------
    Bhatt and Diaz (2024), arXiv:2406.11565.

    Examples
    --------
    >>> distinctive_words(["rice and tea", "bread and wine"], ["A", "B"], k=2)
    {'A': ['rice', 'tea'], 'B': ['bread', 'wine']}
    """
    counts, words = _word_counts(texts)
    group = _codes(groups, counts.shape[0], "groups")
    member = sparse.csr_matrix(np.eye(int(group.max()) + 1)[group])
    totals = (member.T @ counts).toarray().astype(np.float64)
    share = totals / np.maximum(totals.sum(axis=1, keepdims=True), 1.0)
    mean = share.mean(axis=0)
    score = share * np.log(np.where(share > 0, share, 1.0) / np.where(share > 0, mean, 1.0))
    best = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return {
        name: [str(words[w]) for w in row if score[g, w] > 0]
        for g, (name, row) in enumerate(zip(_levels(groups), best))
    }


def similarity_vs_attribute_correlation(
    similarity: ArrayLike,
    attributes: ArrayLike,
    method: str = "kendall",
    precomputed: bool = False,
    n_permutations: int = 999,
    random_state: int = 0,
    engine: Engine | str | None = None,
) -> MantelTest:
    """Are groups whose answers are alike also alike in what is known of them?

    Parameters
    ----------
    similarity : array-like of shape (n_groups, n_groups)
        Of the answers; see `group_similarity`.
    attributes : array-like of shape (n_groups, n_attributes), or (n_groups, n_groups) if `precomputed`
        What is known of each group (cultural dimensions, say), compared by Euclidean distance of the standardised
        columns; or the distances themselves.
    method : {"kendall", "spearman", "pearson"}
    precomputed : bool
    n_permutations, random_state, engine
        As for `covey.measure.mantel_test`.

    Returns
    -------
    MantelTest
        Of the similarity with minus the distance: positive where known likeness goes with like answers. Its p-value
        is two-sided.

    Raises
    ------
    ValueError
        As `covey.measure.mantel_test`, and if attributes are missing or constant.

    References
    ----------
    Bhatt and Diaz (2024), Extrinsic Evaluation of Cultural Competence in Large Language Models. arXiv:2406.11565.

    Examples
    --------
    >>> known = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> similarity_vs_attribute_correlation(np.exp(-abs(known - known.T)), known).statistic
    1.0
    """
    distance = np.asarray(attributes, dtype=np.float64)
    if not precomputed:
        if distance.ndim != 2 or not np.isfinite(distance).all():
            raise ValueError("attributes must be a matrix of numbers without gaps, a row a group")
        spread = distance.std(axis=0)
        if (spread == 0).any():
            raise ValueError(f"attribute {int((spread == 0).argmax())} is the same for all groups; leave it out")
        scaled = distance / spread
        distance = np.sqrt(((scaled[:, None] - scaled) ** 2).sum(axis=2))
    return mantel_test(
        similarity,
        -distance,
        method,
        n_permutations=n_permutations,
        random_state=random_state,
        engine=engine,
    )


def _is_text(outputs: Any) -> bool:
    return not isinstance(outputs, np.ndarray) and len(outputs) > 0 and all(isinstance(text, str) for text in outputs)


def _word_counts(texts: Sequence[str]) -> tuple[sparse.csr_matrix, NDArray[np.str_]]:
    vectorizer = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    try:
        return vectorizer.fit_transform(texts), vectorizer.get_feature_names_out()
    except ValueError as error:
        raise ValueError("no text holds a word") from error


def _levels(labels: Sequence[Hashable]) -> list[Any]:
    return np.unique(np.asarray(labels)).tolist()


def _codes(labels: Sequence[Hashable], n: int, name: str) -> NDArray[np.intp]:
    values = np.asarray(labels)
    if values.shape != (n,):
        raise ValueError(f"{name} must have one label an output: {n}, got shape {values.shape}")
    return np.unique(values, return_inverse=True)[1]


def _means(values: Array, place: NDArray[np.intp], chosen: NDArray[np.bool_], n: int) -> Array:
    """Mean of the chosen values at each place; NaN where there is none."""
    count = np.bincount(place[chosen], minlength=n)
    total = np.bincount(place[chosen], weights=values[chosen], minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _dealt_within(group: NDArray[np.intp], topic: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Groups in random order within each topic."""
    dealt = np.empty_like(group)
    dealt[np.argsort(topic, kind="stable")] = group[np.lexsort((rng.random(len(group)), topic))]
    return dealt
