"""Co-occurrence counts against their definition, as a mergeable state, and pointwise mutual information."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from covey.engine import LocalEngine, State
from covey.learn.cooccurrence import CooccurrenceCounter, level_cooccurrence, pmi_matrix

sequences = st.lists(st.lists(st.sampled_from("abcde"), max_size=12), min_size=1, max_size=6)


def counted(text, vocabulary, window, weighting):
    """The definition: both orders of every two places at most `window` apart."""
    place = {token: k for k, token in enumerate(vocabulary)}
    out = np.zeros((len(place), len(place)))
    for tokens in text:
        for t, left in enumerate(tokens):
            for u, right in enumerate(tokens):
                if 0 < abs(t - u) <= window and left in place and right in place:
                    out[place[left], place[right]] += 1.0 / abs(t - u) if weighting == "inverse" else 1.0
    return out


@settings(max_examples=30, deadline=None)
@given(sequences, st.integers(1, 5), st.sampled_from(["inverse", "uniform"]))
def test_counts_are_those_of_the_definition(text, window, weighting):
    counter = CooccurrenceCounter(window, weighting).update(text)
    if not any(text):
        with pytest.raises(ValueError, match="the vocabulary is empty"):
            counter.result()
        return
    found = counter.result()
    assert found.counts.toarray() == pytest.approx(counted(text, found.vocabulary, window, weighting))
    frequencies = [sum(tokens.count(token) for tokens in text) for token in found.vocabulary]
    assert found.frequencies.tolist() == frequencies == sorted(frequencies, reverse=True)


@settings(max_examples=20, deadline=None)
@given(sequences, st.integers(0, 6))
def test_merged_parts_are_the_whole(text, cut):
    whole = CooccurrenceCounter().update([*text, ["a"]])
    parts = CooccurrenceCounter().update(text[:cut]).merge(CooccurrenceCounter().update([*text[cut:], ["a"]]))
    assert parts.result().vocabulary == whole.result().vocabulary
    assert parts.result().counts.toarray() == pytest.approx(whole.result().counts.toarray())


def test_an_engine_counts_a_stream_with_any_number_of_workers():
    rng = np.random.default_rng(0)
    blocks = [[rng.integers(50, size=30).tolist() for _ in range(5)] for _ in range(20)]
    assert isinstance(CooccurrenceCounter(), State)
    one, two = (LocalEngine(n).reduce(CooccurrenceCounter, iter(blocks)).result() for n in (1, 2))
    assert one.vocabulary == two.vocabulary
    assert (one.counts != two.counts).nnz == 0
    assert one.counts.sum() == pytest.approx(100 * 2 * sum((30 - d) / d for d in range(1, 11)))


def test_long_streams_are_counted_in_pieces(monkeypatch):
    text = [["a", "b", "c"], ["b", "c"], ["c", "a", "b", "b"]] * 5
    whole = CooccurrenceCounter().update(text).result()
    for name, size in (("TOKENS_A_PIECE", 4), ("PAIRS_A_PIECE", 1)):
        monkeypatch.setattr(f"covey.learn.cooccurrence.{name}", size)
        assert CooccurrenceCounter().update(text).result().counts.toarray() == pytest.approx(whole.counts.toarray())


def test_a_window_may_be_larger_than_all_sequences():
    text = [["a", "b", "c"], ["c", "a"]]
    found = CooccurrenceCounter(10**12).update(text).result()
    assert found.counts.toarray() == pytest.approx(counted(text, found.vocabulary, 3, "inverse"))


def test_one_long_sequence_takes_little_memory(monkeypatch):
    monkeypatch.setattr("covey.learn.cooccurrence.PAIRS_A_PIECE", 1 << 12)
    text = [np.random.default_rng(0).integers(5, size=50_000).tolist()]
    CooccurrenceCounter(20).update([[0, 1]])  # compiles
    tracemalloc.start()
    CooccurrenceCounter(20).update(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000 * 20 * 4  # all its pairs would take four times as much


def test_missing_tokens_keep_their_places_and_are_not_counted():
    found = CooccurrenceCounter(2).update([["a", None, "b", float("nan"), float("nan"), "c"]]).result()
    assert found.vocabulary == ("a", "b", "c")
    assert found.counts.toarray().tolist() == [[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_other_tokens_keep_their_places_and_rare_ones_are_left_out():
    text = [["a", "x", "b", "a"]]
    fixed = CooccurrenceCounter(2, vocabulary=["b", "a", "never"]).update(text)
    assert fixed.result().vocabulary == ("a", "b")
    assert fixed.result(min_count=0).vocabulary == ("a", "b", "never")
    assert fixed.result().counts.toarray().tolist() == [[0.0, 1.5], [1.5, 0.0]]
    assert CooccurrenceCounter().update(text).result(min_count=2).vocabulary == ("a",)


def test_bad_sequences_and_counters_are_refused():
    with pytest.raises(TypeError, match="'a text'; split it first"):
        CooccurrenceCounter().update(["a text"])
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        CooccurrenceCounter(0)
    with pytest.raises(ValueError, match="got 'linear'"):
        CooccurrenceCounter(weighting="linear")
    for vocabulary in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="at least one token, and none twice"):
            CooccurrenceCounter(vocabulary=vocabulary)
    with pytest.raises(ValueError, match="different windows"):
        CooccurrenceCounter(3).merge(CooccurrenceCounter(4))
    with pytest.raises(ValueError, match="different vocabularies"):
        CooccurrenceCounter(vocabulary="ab").merge(CooccurrenceCounter())
    with pytest.raises(ValueError, match="none of 2 tokens occurs 3 times"):
        CooccurrenceCounter().update([["a", "b"]]).result(min_count=3)


def test_levels_of_two_columns_occur_together_as_often_as_their_table_says():
    rng = np.random.default_rng(0)
    sky, street = rng.choice(["blue", "grey"], 200), rng.choice(["dry", "wet", "icy"], 200).astype(object)
    street[:20] = None
    found = level_cooccurrence(pa.table({"sky": sky, "n": np.arange(200.0), "street": street}))
    place = {token: k for k, token in enumerate(found.vocabulary)}
    assert len(place) == 5
    wanted = np.sum((sky == "blue") & (street == "icy"))
    assert found.counts[place["sky", "blue"], place["street", "icy"]] == wanted
    assert found.counts[place["street", "icy"], place["sky", "blue"]] == wanted
    assert found.counts[place["sky", "blue"], place["sky", "grey"]] == 0
    assert found.counts.sum() == 2 * 180
    assert found.frequencies.sum() == 200 + 180
    with pytest.raises(ValueError, match="two columns with categories are needed, found 1"):
        level_cooccurrence(pa.table({"sky": sky, "n": np.arange(200.0)}))


def test_pointwise_mutual_information_is_that_of_the_shares():
    counts = np.random.default_rng(0).poisson(2.0, size=(6, 5)).astype(float)
    counts[0, 0] = 0.0
    share = counts / counts.sum()
    with np.errstate(divide="ignore"):
        wanted = np.log(share / np.outer(share.sum(axis=1), share.sum(axis=0)))
    assert pmi_matrix(counts) == pytest.approx(wanted)
    assert pmi_matrix(csr_array(counts), positive=True).toarray() == pytest.approx(np.maximum(wanted, 0.0))
    # undefined without counts, and independent counts tell nothing
    assert np.isnan(pmi_matrix([[1.0, 0.0], [0.0, 0.0]])).sum() == 3
    assert pmi_matrix(np.outer([1.0, 2.0], [3.0, 4.0])) == pytest.approx(np.zeros((2, 2)), abs=1e-12)


def test_counts_are_left_as_they_are():
    counts = csr_array(np.array([[4.0, 1.0, 0.0], [1.0, 4.0, 3.0]]))
    before = counts.toarray()
    assert pmi_matrix(counts, positive=True).nnz < counts.nnz
    assert counts.toarray().tolist() == before.tolist()


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="no count above 0 in 2 rows and 3 columns"):
        pmi_matrix(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="column 1"):
        pmi_matrix([[1.0, -1.0]])
    with pytest.raises(ValueError, match="finite"):
        pmi_matrix([[1.0, np.nan]])
    with pytest.raises(ValueError, match="1 dimensions"):
        pmi_matrix([1.0, 2.0])
