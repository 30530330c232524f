"""Importance resampling: hashing, weights by definition, the draw, shards, groups, tables, bad input."""

import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import entropy
from sklearn.base import clone

from covey.select import (
    HashedNgramFeatures,
    ImportanceResampler,
    effective_sample_size,
    gumbel_top_k,
    kl_reduction,
    log_importance_weights,
)
from covey.select.importance_resampling import TableBuckets, bucket_probabilities, tokens
from covey.table import Column, FeatureTable

WORDS = ["the", "cat", "a", "dog", "its", "rates", "stocks", "fell", "again", "don't", "3.5%", "über", "naïve", "x_y"]


def texts(n: int, seed: int, first: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS[first:], size=rng.integers(1, 12))) for _ in range(n)]


def test_tokens_are_words_and_runs_of_punctuation():
    assert tokens("Don't... STOP, x_y 3.5%!") == [
        "don",
        "'",
        "t",
        "...",
        "stop",
        ",",
        "x_y",
        "3",
        ".",
        "5",
        "%!",
    ]
    assert tokens("Über\n naïve") == ["über", "naïve"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("ab ,", max_size=12), max_size=4), st.integers(1, 3), st.integers(1, 50))
def test_counts_are_those_of_the_hashed_ngrams(rows, ngrams, n_buckets):
    counts = HashedNgramFeatures(ngrams, n_buckets).transform(rows).toarray()
    expected = np.zeros((len(rows), n_buckets), dtype=int)
    for i, text in enumerate(rows):
        words = tokens(text)
        for n in range(1, ngrams + 1):
            for gram in zip(*(words[k:] for k in range(n))):
                digest = hashlib.sha256(" ".join(gram).encode("utf-8")).hexdigest()
                expected[i, int(digest, 16) % n_buckets] += 1
    assert (counts == expected).all()


def test_weights_are_those_of_the_definition():
    pool, target = texts(40, 0), texts(8, 1, first=4)
    counts = HashedNgramFeatures(2, 200).transform(pool).toarray()
    wanted = HashedNgramFeatures(2, 200).transform(target).toarray()
    p, q = wanted.sum(axis=0) / wanted.sum(), counts.sum(axis=0) / counts.sum()
    plain = ImportanceResampler(n_buckets=200, alpha=0.0).fit(pool, target)
    assert plain.log_weights_ == pytest.approx(counts @ np.log((p + 1e-8) / (q + 1e-8)))
    mixed = ImportanceResampler(n_buckets=200, alpha=0.25).fit(pool, target)
    assert mixed.log_weights_ == pytest.approx(counts @ np.log((0.75 * p + 0.25 * q + 1e-8) / (q + 1e-8)))
    smooth = ImportanceResampler(n_buckets=200, alpha=0.0, smoothing=0.5).fit(pool, target)
    s = (wanted.sum(axis=0) + 0.5) / (wanted.sum() + 100)
    assert smooth.log_weights_ == pytest.approx(log_importance_weights(counts, s, q))
    sizes = np.exp(plain.log_weights_)
    assert plain.effective_sample_size_ == pytest.approx(sizes.sum() ** 2 / np.square(sizes).sum())


def test_draws_are_in_proportion_to_the_weights():
    weights = np.log([1.0, 2.0, 3.0, 4.0])
    rng = np.random.default_rng(0)
    first = np.bincount([gumbel_top_k(weights, 1, rng)[0] for _ in range(4000)], minlength=4) / 4000
    assert first == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)
    both = np.mean([set(gumbel_top_k(weights, 2, rng)) == {2, 3} for _ in range(4000)])
    assert both == pytest.approx(0.3 * 0.4 / 0.7 + 0.4 * 0.3 / 0.6, abs=0.03)


def test_rows_are_drawn_once_and_forbidden_ones_never():
    weights = np.array([5.0, -np.inf, 0.0, 1e3, -1e3])
    assert gumbel_top_k(weights, 4, 0).tolist() == [0, 2, 3, 4]
    with pytest.raises(ValueError, match=r"k must lie in 0\.\.4"):
        gumbel_top_k(weights, 5, 0)


def test_resample_depends_on_the_seed_only_and_greedy_on_nothing():
    model = ImportanceResampler().fit(texts(60, 0), texts(8, 1, first=6))
    assert (model.resample(20, 3) == model.resample(20, 3)).all()
    assert not np.array_equal(model.resample(20, 3), model.resample(20, 4))
    best = set(np.argsort(-model.log_weights_, kind="stable")[:20])
    assert set(model.resample(20, greedy=True)) == best
    assert len(np.unique(model.resample(60, 0))) == 60


def test_shards_give_the_weights_of_the_whole():
    pool, target = texts(50, 0), texts(8, 1)
    whole = ImportanceResampler().fit(pool, target)
    parts = ImportanceResampler().fit_shards([pool[:7], pool[7:30], pool[30:]], target)
    assert parts.log_weights_ == pytest.approx(whole.log_weights_, rel=1e-12)
    assert parts.resample(10, 0).tolist() == whole.resample(10, 0).tolist()
    with pytest.raises(ValueError, match="gone through twice"):
        ImportanceResampler().fit_shards(iter([pool]), target)


def test_short_rows_are_never_drawn():
    pool = ["a dog", "a dog and a cat and a bird", "", "two cats sat here"]
    model = ImportanceResampler(min_length=4).fit(pool, ["dog"])
    assert model.allowed_.tolist() == [False, True, False, True]
    assert model.resample(2, 0).tolist() == [1, 3]
    with pytest.raises(ValueError, match=r"k must lie in 0\.\.2"):
        model.resample(3)


def test_groups_of_the_target_have_weights_and_a_share_each():
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(30, 0.1), size=5)
    topic = np.repeat(np.arange(5), 100)
    pool = np.array([rng.multinomial(40, topics[t]) for t in topic])
    groups = np.repeat(["first", "second"], [30, 10])
    target = np.array([rng.multinomial(40, topics[int(g == "second")]) for g in groups])
    model = ImportanceResampler("counts").fit(csr_array(pool), target, groups)
    assert model.groups_.tolist() == ["first", "second"]
    assert model.group_shares_ == pytest.approx([0.75, 0.25])
    for k, name in enumerate(model.groups_):
        alone = ImportanceResampler("counts").fit(pool, target[groups == name])
        assert model.log_weights_[:, k] == pytest.approx(alone.log_weights_)
    found = np.bincount(topic[model.resample(80, 0)], minlength=5)
    assert found[0] == pytest.approx(60, abs=3) and found[1] == pytest.approx(20, abs=3)
    equal = np.bincount(topic[model.resample(80, 0, proportions=[1, 1])], minlength=5)
    assert equal[0] == pytest.approx(40, abs=3) and equal[1] == pytest.approx(40, abs=3)


def test_tables_are_binned_by_column():
    number = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    table = FeatureTable.from_columns(
        [Column("v", "numeric", number), Column("k", "categorical", np.array([0, 1, -1, 1, 0], np.int32), ("a", "b"))]
    )
    other = FeatureTable.from_columns(
        [Column("v", "numeric", number), Column("k", "categorical", np.array([0, 1, 1, 1, 1], np.int32), ("b", "new"))]
    )
    buckets = TableBuckets(table, 2)
    assert buckets(table).toarray().argmax(axis=1).tolist() == [0, 0, 1, 1, 2]
    assert buckets(table).toarray()[:, 3:].argmax(axis=1).tolist() == [0, 1, 3, 1, 0]
    assert buckets(other).toarray()[:, 3:].argmax(axis=1).tolist() == [1, 2, 2, 2, 2]
    assert (buckets(table).sum(axis=1) == 2).all()


def test_a_table_is_drawn_towards_its_target():
    rng = np.random.default_rng(0)
    pool, target = rng.normal(size=(4000, 2)), rng.normal(size=(300, 2)) * 0.7 + [1.0, 0.0]
    rows = ImportanceResampler("table", alpha=0.0).fit(pool, target).resample(300, 0)
    assert pool[rows].mean(axis=0)[0] == pytest.approx(1.0, abs=0.2)
    assert abs(pool[rows].mean(axis=0)[1]) < 0.2


def test_divergence_is_reduced_by_the_difference_of_two():
    rng = np.random.default_rng(0)
    p, q, r = rng.dirichlet(np.ones(6), size=3)
    assert kl_reduction(p, q, r) == pytest.approx(entropy(p, q) - entropy(p, r), abs=1e-3)
    assert kl_reduction([p, q], r, q) == pytest.approx((kl_reduction(p, r, q) + kl_reduction(q, r, q)) / 2)
    assert kl_reduction(p, q, q) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-700, 700), min_size=1, max_size=9), st.floats(-300, 300))
def test_effective_sample_size_lies_in_range_and_ignores_scale(weights, shift):
    size = effective_sample_size(weights)
    assert 1 - 1e-9 <= size <= len(weights) + 1e-9
    assert effective_sample_size(np.add(weights, shift)) == pytest.approx(size, rel=1e-6)
    assert effective_sample_size(np.full(5, shift)) == pytest.approx(5.0)


def test_estimators_can_be_cloned_and_stored():
    model = ImportanceResampler(n_buckets=50).fit(texts(20, 0), texts(4, 1))
    assert clone(model).get_params() == model.get_params()
    assert pickle.loads(pickle.dumps(model)).resample(5, 0).tolist() == model.resample(5, 0).tolist()


@pytest.mark.parametrize(
    ("arguments", "raw", "target", "message"),
    [
        ({"features": "words"}, ["a"], ["a"], "no features 'words'"),
        ({"alpha": 1.0}, ["a"], ["a"], "alpha must lie in"),
        ({"smoothing": -1.0}, ["a"], ["a"], "smoothing and min_length"),
        ({"n_bins": 1}, ["a"], ["a"], "n_bins must be at least 2"),
        ({"ngrams": 0}, ["a"], ["a"], "ngrams and n_buckets"),
        ({}, ["a"], [], "target has no rows"),
        ({}, [], ["a"], "the counts of the pool"),
        ({}, ["a"], [""], "must be finite, nowhere negative and not all 0"),
        ({"features": "counts"}, [[1, 2]], [[1, 2, 3]], "the pool has 2 buckets and the target 3"),
        ({"features": "counts"}, [[1, -2]], [[1, 2]], "nowhere negative"),
    ],
)
def test_bad_input_is_named(arguments, raw, target, message):
    with pytest.raises(ValueError, match=message):
        ImportanceResampler(**arguments).fit(raw, target)


def test_texts_groups_proportions_and_weights_are_checked():
    with pytest.raises(TypeError, match="got one string"):
        HashedNgramFeatures().transform("a text")
    with pytest.raises(TypeError, match="text 1 is None"):
        HashedNgramFeatures().transform(["a", None])
    with pytest.raises(ValueError, match=r"groups must have shape \(2,\)"):
        ImportanceResampler().fit(["a"], ["a", "b"], groups=[0])
    with pytest.raises(ValueError, match="proportions must be 1 numbers"):
        ImportanceResampler().fit(["a"], ["a"]).resample(1, proportions=[0.5, 0.5])
    with pytest.raises(ValueError, match="bins of a table need the whole pool"):
        ImportanceResampler("table").fit_shards([np.ones((2, 2))], np.ones((2, 2)))
    with pytest.raises(ValueError, match="must not be NaN"):
        gumbel_top_k([0.0, np.nan], 1)
    assert bucket_probabilities([[0, 3], [1, 0]], smoothing=1.0).tolist() == pytest.approx([2 / 6, 4 / 6])


@pytest.mark.parametrize("swapped", [False, True])
def test_a_column_of_numbers_here_and_categories_there_is_named(swapped):
    numbers = FeatureTable.from_columns([Column("v", "numeric", np.arange(6.0))])
    words = FeatureTable.from_columns([Column("v", "categorical", np.arange(6, dtype=np.int32) % 2, ("a", "b"))])
    pool, target = (words, numbers) if swapped else (numbers, words)
    with pytest.raises(ValueError, match=r"column 'v' holds (numbers|categories) in the pool and"):
        ImportanceResampler("table").fit(pool, target)


def test_a_target_without_values_of_a_column_is_all_missing_there():
    pool = FeatureTable.from_columns([Column("v", "numeric", np.array([1.0, 2.0, np.nan, 4.0]))])
    target = FeatureTable.from_columns([Column("v", "categorical", np.full(2, -1, dtype=np.int32), ())])
    assert ImportanceResampler("table").fit(pool, target).log_weights_.argmax() == 2
