"""Vectors of codes and patients: groups of codes are found, pooling by definition, visits, and bad input."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from covey.learn.concepts import ConceptEmbedding, _in_order, patient_vectors


def records(n=300, n_groups=3, each=6, seed=0):
    """Patients with codes of one group only, two codes a visit."""
    rng = np.random.default_rng(seed)
    group = rng.integers(n_groups, size=n)
    codes = [[f"{'abc'[g]}{k}" for k in rng.integers(each, size=8)] for g in group]
    return codes, [[0, 0, 1, 1, 2, 2, 3, 3]] * n, group


def test_codes_of_a_group_are_near_each_other():
    codes, times, _ = records()
    model = ConceptEmbedding(4, window=3, random_state=0).fit(codes, times=times)
    assert len(model.vocabulary_) == 18
    for code in model.vocabulary_:
        nearest = model.most_similar(code, 5)
        assert {name[0] for name, _ in nearest} == {code[0]}
        assert [s for _, s in nearest] == sorted((s for _, s in nearest), reverse=True)


def test_a_patient_is_the_mean_or_the_sum_of_the_codes():
    vectors = {"a": np.array([1.0, 2.0]), "b": np.array([-3.0, 0.0])}
    patients = [["a", "b", "b", "?"], ["?"]]
    assert patient_vectors(patients, vectors, "sum").tolist() == [[-5.0, 2.0], [0.0, 0.0]]
    assert patient_vectors(patients, vectors) == pytest.approx(np.array([[-5.0, 2.0], [0.0, 0.0]]) / 3.0)
    weighted = patient_vectors(patients, vectors, "mean", {"a": 2.0, "b": 0.5})
    assert weighted[0] == pytest.approx([(2.0 - 3.0) / 3.0, 4.0 / 3.0])


def test_a_patient_whose_codes_weigh_nothing_is_at_zero():
    assert patient_vectors([["a"]], {"a": np.ones(2)}, "mean", {"a": 0.0}).tolist() == [[0.0, 0.0]]


def test_missing_codes_get_no_vector():
    model = ConceptEmbedding(2, random_state=0).fit([["a", None, "b", float("nan")]] * 5)
    assert set(model.vocabulary_) == {"a", "b"}
    assert (model.transform([["a", None]]) == model.transform([["a"]])).all()


def test_transform_pools_the_fitted_vectors_with_rare_codes_weighing_more():
    codes, _, _ = records()
    codes[0] = ["once", *codes[0]]
    model = ConceptEmbedding(4, weighting="rarity", pooling="sum", random_state=0).fit(codes)
    assert model.weights_["once"] == pytest.approx(np.log(1 + 300))
    assert model.weights_["once"] == max(model.weights_.values())
    wanted = model.weights_["once"] * model.vectors_["once"] + 2 * model.weights_["a0"] * model.vectors_["a0"]
    assert model.transform([["once", "a0", "a0", "new"]])[0] == pytest.approx(wanted)


def test_order_follows_the_times():
    codes = [["a", "b", "c", "d"], ["d", "c"]] * 20
    times = [[1.0, 2.0, 3.0, 4.0], [0.0, 9.0]] * 20
    fitted = ConceptEmbedding(3, window=1, random_state=0).fit(codes, times=times)
    backwards = [one[::-1] for one in codes]
    again = ConceptEmbedding(3, window=1, random_state=0).fit(backwards, times=[one[::-1] for one in times])
    assert (again.embedding_ == fitted.embedding_).all()
    mixed = ConceptEmbedding(3, window=1, random_state=0).fit([["a", "c", "b", "d"], ["d", "c"]] * 20)
    assert (mixed.embedding_ != fitted.embedding_).any()


def test_order_is_random_within_a_visit():
    patients, times = [["a", "b", "c"]] * 200, [[1.0, 1.0, 0.0]] * 200
    orders = [tuple(codes) for codes in _in_order(patients, times, np.random.RandomState(0))]
    assert set(orders) == {("c", "a", "b"), ("c", "b", "a")}
    assert 60 < orders.count(("c", "a", "b")) < 140


def test_only_codes_of_the_observation_window_count():
    codes, times, _ = records()
    model = ConceptEmbedding(3, observation_window=1, random_state=0).fit(codes, times=times)
    seen = model.transform([["a0", "b0", "c0"]], times=[[0.0, 4.0, 5.0]])
    assert seen[0] == pytest.approx((model.vectors_["b0"] + model.vectors_["c0"]) / 2)
    with pytest.raises(ValueError, match="needs the times"):
        model.transform(codes)
    whole = clone(model).fit_transform(codes, times=times)
    assert whole == pytest.approx(model.transform(codes, times=times))


def test_it_can_be_cloned_and_pickled():
    codes, _, _ = records()
    model = clone(ConceptEmbedding(3, random_state=1)).fit(codes)
    assert (pickle.loads(pickle.dumps(model)).transform(codes) == model.transform(codes)).all()
    assert model.get_feature_names_out().tolist() == [f"conceptembedding{k}" for k in range(3)]


def test_bad_records_and_parameters_are_refused():
    codes, times, _ = records(5)
    with pytest.raises(ValueError, match="the vocabulary is empty: none of 0 tokens"):
        ConceptEmbedding().fit([[], []])
    with pytest.raises(ValueError, match="none of 2 tokens occurs 9 times"):
        ConceptEmbedding(min_count=9).fit([["a", "b"]])
    with pytest.raises(ValueError, match="no code has another one near it"):
        ConceptEmbedding().fit([["a"], ["b"]])
    with pytest.raises(TypeError, match="patient 1 must be a list of codes, got 'I50'"):
        ConceptEmbedding().fit([["I50"], "I50"])
    with pytest.raises(ValueError, match="times of 4 patients, but codes of 5"):
        ConceptEmbedding().fit(codes, times=times[:4])
    with pytest.raises(ValueError, match="patient 2 has 8 codes"):
        ConceptEmbedding().fit(codes, times=[*times[:2], [1.0], *times[3:]])
    with pytest.raises(ValueError, match="got 'tfidf'"):
        ConceptEmbedding(weighting="tfidf").fit(codes)
    with pytest.raises(ValueError, match="got 'max'"):
        patient_vectors(codes, {"a": np.ones(2)}, "max")
    with pytest.raises(ValueError, match="the vocabulary is empty"):
        patient_vectors(codes, {})
    with pytest.raises(ValueError, match="got 'max'"):
        ConceptEmbedding(pooling="max").fit(codes)
    with pytest.raises(ValueError, match="observation_window must be at least 0, got -1"):
        ConceptEmbedding(observation_window=-1).fit(codes)
    for weights in ({}, {"a": np.nan}):
        with pytest.raises(ValueError, match="code 'a' needs a finite weight"):
            patient_vectors([["a"]], {"a": np.ones(2)}, weights=weights)
    model = ConceptEmbedding(2, max_iter=1).fit(codes)
    with pytest.raises(ValueError, match="code 'zz' has no vector"):
        model.most_similar("zz")
