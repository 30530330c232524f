"""Cues and answers: similarities, variation and their tests against loops; planted words; bad input."""

from itertools import combinations

import numpy as np
import pytest

from covey.audit.counterfactual import (
    distinctive_words,
    group_similarity,
    output_similarity,
    perturbation_variation,
    similarity_vs_attribute_correlation,
)


def answers(seed=0, n_groups=4, n_topics=5, n_replicates=2, share=0.5):
    """Texts, groups and topics; a share of the words is the group's own."""
    rng = np.random.default_rng(seed)
    texts, groups, topics = [], [], []
    for g, t, _ in np.ndindex(n_groups, n_topics, n_replicates):
        own = rng.random(20) < share
        texts.append(" ".join(f"g{g}w{w}" if o else f"t{t}w{w}" for o, w in zip(own, rng.integers(8, size=20))))
        groups.append(f"group {g}")
        topics.append(t)
    return texts, groups, topics


def jaccard(a, b):
    a, b = set(a.split()), set(b.split())
    return len(a & b) / len(a | b)


def test_similarity_of_texts_and_vectors():
    texts, _, _ = answers()
    similarity = output_similarity(texts)
    for i, j in combinations(range(0, 40, 5), 2):
        assert similarity[i, j] == pytest.approx(jaccard(texts[i], texts[j]))
    vectors = np.array([[1.0, 0.0], [3.0, 3.0], [-2.0, 0.0]])
    np.testing.assert_allclose(output_similarity(vectors)[0], [1.0, np.sqrt(0.5), -1.0])


def test_variation_and_group_similarity_by_definition():
    texts, groups, topics = answers()
    pairs = [(i, j) for i, j in combinations(range(len(texts)), 2) if topics[i] == topics[j]]
    within = [1 - jaccard(texts[i], texts[j]) for i, j in pairs if groups[i] == groups[j]]
    between = [1 - jaccard(texts[i], texts[j]) for i, j in pairs if groups[i] != groups[j]]
    result = perturbation_variation(texts, groups, topics, 39)
    assert (result.within, result.between) == pytest.approx((np.mean(within), np.mean(between)))
    assert result.topic_within.mean() == pytest.approx(result.within)
    assert result.topics == tuple(range(5))
    names, similarity = group_similarity(texts, groups, topics)
    first_two = [jaccard(texts[i], texts[j]) for i, j in pairs if {groups[i], groups[j]} == {"group 0", "group 1"}]
    assert names[0] == "group 0"
    assert similarity[0, 1] == pytest.approx(np.mean(first_two))
    assert similarity[0, 1] == similarity[1, 0]


def test_the_test_sees_own_words_and_nothing_where_there_are_none():
    assert perturbation_variation(*answers(share=0.3)).pvalue == 0.005
    idle = [perturbation_variation(*answers(seed, share=0.0), n_permutations=39).pvalue for seed in range(20)]
    assert np.mean(np.array(idle) <= 0.05) <= 0.2
    assert np.mean(idle) > 0.3


def test_one_answer_a_group_has_no_variation_within():
    texts, groups, topics = answers(n_replicates=1)
    result = perturbation_variation(texts, groups, topics)
    assert np.isnan([result.within, result.pvalue]).all()
    assert 0 < result.between < 1


def test_planted_words_are_found_before_shared_ones():
    texts, groups, _ = answers(n_topics=20)
    for group, words in distinctive_words(texts, groups, k=8).items():
        assert set(words) == {f"g{group[-1]}w{w}" for w in range(8)}


def test_agreement_with_attributes_has_the_sign_of_likeness():
    known = np.random.default_rng(1).normal(size=(12, 2)) * [1.0, 100.0]
    scaled = known / known.std(axis=0)
    distance = np.linalg.norm(scaled[:, None] - scaled, axis=2)
    result = similarity_vs_attribute_correlation(-distance, known)
    assert (result.statistic, result.pvalue) == (pytest.approx(1.0), 0.001)
    opposite = similarity_vs_attribute_correlation(distance, distance, "pearson", precomputed=True)
    assert opposite.statistic == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: output_similarity(["", ""]), "no text"),
        (lambda: output_similarity(np.zeros((2, 2))), "zero or not finite"),
        (lambda: output_similarity(np.zeros(3)), "matrix"),
        (lambda: perturbation_variation(["a", "b"], ["A"], ["t", "t"]), "groups"),
        (lambda: perturbation_variation(["a", "b"], ["A", "A"], ["t", "t"]), "two different groups"),
        (lambda: perturbation_variation(["a", "b"], ["A", "B"], ["t", "u"]), "no topic"),
        (lambda: similarity_vs_attribute_correlation(np.eye(3), np.ones((3, 2))), "attribute 0"),
        (lambda: similarity_vs_attribute_correlation(np.eye(3), np.full((3, 2), np.nan)), "attributes"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
