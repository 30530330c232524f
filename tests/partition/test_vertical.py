"""The frame of vertical algorithms: who may know what, checkpoints, model files, bad input."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from covey.partition import _vertical
from covey.partition._channel import LocalNetwork
from covey.partition._vertical import (
    Checkpoint,
    algorithm_class,
    load_party,
    make_estimator,
    read_party_file,
    save_party,
    settings_of,
    train,
)
from tests.partition.toy import Toy


@pytest.fixture(autouse=True)
def known_toy(monkeypatch):
    monkeypatch.setitem(_vertical.ALGORITHMS, "toy", "tests.partition.toy:Toy")


@pytest.fixture
def parties():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(60, 5))
    return [X[:, :2], X[:, 2:4], X[:, 4:]], (X[:, 0] + X[:, 4] > 2).astype(int)


def weights(model):
    return [party.weights for party in model.parties_]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_training_predicts_and_counts(parties):
    X, y = parties
    model = Toy(n_epochs=60, rate=1.0).fit(X, y, label_party=1)
    assert model.score(X, y) > 0.8
    assert model.score(X, y) == (model.predict(X) == y).mean()
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert len(model.history_) == 60
    assert model.history_[-1] < model.history_[0]
    # rows: 8 bytes there and back; outputs: 8; each step 30 scores there and 30 slopes back
    assert model.traffic_.by_link()[0, 1] == (8 + 60 * 240, 61)
    assert model.traffic_.by_link()[1, 0] == (16 + 60 * 240, 62)


def test_only_the_label_holder_learns_of_labels(parties):
    X, y = parties
    model = Toy().fit(X, y, label_party=2)
    assert [party.objective is None for party in model.parties_] == [True, True, False]
    assert [party.target is None for party in model.parties_] == [True, True, False]


def test_cloned_and_pickled(parties):
    X, y = parties
    model = Toy(n_epochs=3).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.scores(X), model.scores(X))
    assert same(weights(clone(model).fit(X, y)), weights(model))


def test_a_label_holder_without_columns(parties):
    X, y = parties
    model = Toy().fit([np.empty((60, 0)), *X[1:]], y)
    assert model.scores([np.empty((60, 0)), *X[1:]]).shape == (60, 1)


def test_frames_and_prediction_traffic(parties):
    X, y = parties
    network = LocalNetwork(3)
    model = Toy().fit(X, y)
    found = model.scores([pd.DataFrame(part) for part in X], network=network)
    np.testing.assert_allclose(found, model.scores(X), rtol=1e-12)
    assert network.traffic.by_tag() == {"scores": (2 * 480, 2)}


def test_a_step_may_be_the_last(parties):
    X, y = parties
    early = Toy(n_epochs=50, stop_after=4).fit(X, y)
    assert len(early.history_) == 4
    assert same(weights(early), weights(Toy(n_epochs=4).fit(X, y)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: ([], y, 0), "at least one party"),
        (lambda X, y: (X, None, 0), "no party holds the label"),
        (lambda X, y: (X, y, 3), "label_party must be one of the parties 0 to 2, got 3"),
        (lambda X, y: (X, y[:-1], 0), "y has 59 labels, the parties 60 rows"),
        (lambda X, y: ([X[0], X[1][:50], X[2]], y, 0), r"party 1 has 50 rows, party 0 has 60; join .*align"),
        (lambda X, y: (X, np.zeros(60), 0), "at least two classes"),
    ],
)
def test_bad_input(parties, change, words):
    X, y, label_party = change(*parties)
    with pytest.raises(ValueError, match=words):
        Toy().fit(X, y, label_party=label_party)


def test_parties_of_a_fitted_model(parties):
    X, y = parties
    with pytest.raises(NotFittedError):
        Toy().predict(X)
    model = Toy().fit(X, y)
    with pytest.raises(ValueError, match="trained with 3 parties, got 2"):
        model.predict(X[:2])


@pytest.mark.parametrize(
    ("counts", "labels", "words"),
    [
        ((60, 50, 60), (True, False, False), r"party 1 has 50 rows, the label holder \(party 0\) 60"),
        ((60, 60, 60), (False, False, False), "party 0 is to hold the labels, but has none"),
        ((60, 60, 60), (True, False, True), "party 2 has labels, but the label holder is party 0"),
    ],
)
def test_parties_that_come_with_other_rows_or_labels(counts, labels, words):
    def work(channel):
        k = channel.rank
        y = np.arange(counts[k]) % 2 if labels[k] else None
        return train(Toy()._party(channel.is_active), channel, np.ones((counts[k], 1)), y)

    with pytest.raises(ValueError, match=words):
        LocalNetwork(3).run([work] * 3)


@pytest.mark.parametrize("fault", ["raise:1:3", "raise:0:3", "raise:2:0"])
def test_training_goes_on_from_where_all_were(parties, tmp_path, monkeypatch, fault):
    X, y = parties
    whole = Toy().fit(X, y, checkpoint=tmp_path / "whole")
    monkeypatch.setenv("TOY_FAULT", fault)
    with pytest.raises(ValueError, match="'age' is broken"):
        Toy().fit(X, y, checkpoint=tmp_path / "broken")
    monkeypatch.delenv("TOY_FAULT")
    resumed = Toy().fit(X, y, checkpoint=tmp_path / "broken")
    assert same(weights(resumed), weights(whole))
    assert resumed.history_ == whole.history_
    assert resumed.traffic_ == whole.traffic_


def test_a_finished_training_is_not_repeated(parties, tmp_path):
    X, y = parties
    first = Toy(stop_after=3).fit(X, y, checkpoint=tmp_path)
    (tmp_path / "party-0-step-2.npz").unlink()
    again = Toy(stop_after=3).fit(X, y, checkpoint=tmp_path)
    assert same(weights(again), weights(first))
    assert again.history_ == first.history_
    assert Checkpoint(tmp_path, 0).steps() == [3]


def test_a_party_that_lost_its_states_sends_all_back_to_the_start(parties, tmp_path, monkeypatch):
    X, y = parties
    whole = Toy().fit(X, y, checkpoint=tmp_path)
    for file in tmp_path.glob("party-1-*"):
        file.unlink()
    monkeypatch.setenv("TOY_FAULT", "raise:2:2")
    with pytest.raises(ValueError, match="broken"):
        Toy().fit(X, y, checkpoint=tmp_path)
    assert [max(Checkpoint(tmp_path, k).steps()) for k in range(3)] == [2, 2, 2]
    monkeypatch.delenv("TOY_FAULT")
    assert same(weights(Toy().fit(X, y, checkpoint=tmp_path)), weights(whole))


def test_the_last_two_states_are_kept(parties, tmp_path):
    Toy().fit(*parties, checkpoint=tmp_path)
    (tmp_path / "party-0-step-old.npz").touch()
    assert [Checkpoint(tmp_path, k).steps() for k in range(4)] == [[5, 6]] * 3 + [[]]


def test_states_of_another_run_are_refused(parties, tmp_path):
    X, y = parties
    Toy().fit(X, y, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"party-\d-step-6\.npz is of a run with settings .* use another folder"):
        Toy(rate=0.5).fit(X, y, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="is of a run with size 3, this one has 2"):
        Toy().fit(X[:2], y, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="is of a run with active 0, this one has 1"):
        Toy().fit(X, y, checkpoint=tmp_path, label_party=1)
    with pytest.raises(ValueError, match="facts"):
        Checkpoint(tmp_path, 0, facts={"seed": 1}).read(6, Toy(), LocalNetwork(3).channels[0])


def test_a_damaged_state_is_named(parties, tmp_path):
    Toy().fit(*parties, checkpoint=tmp_path)
    path = tmp_path / "party-2-step-6.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"party-2-step-6\.npz is no file of a covey party"):
        Toy().fit(*parties, checkpoint=tmp_path)


def test_each_party_keeps_its_own_file(parties, tmp_path):
    X, y = parties
    model = Toy().fit(X, np.array(["no", "yes"])[y], label_party=1)
    channels = LocalNetwork(3, active=1).channels
    for channel, party in zip(channels, model.parties_):
        save_party(party, channel, tmp_path / f"{channel.rank}.npz")
    loaded = [load_party(tmp_path / f"{k}.npz") for k in range(3)]
    assert [who for _, who in loaded] == [{"rank": k, "size": 3, "active": 1} for k in range(3)]
    found = LocalNetwork(3, active=1).run([lambda c: loaded[c.rank][0].scores(c, X[c.rank])] * 3)[1]
    np.testing.assert_array_equal(found, model.scores(X))
    assert loaded[1][0].objective.predict(found).tolist() == model.predict(X).tolist()
    assert loaded[0][0].objective is None
    assert loaded[0][0].algorithm.get_params() == model.get_params()


def rewritten(path, **changes):
    """The same file with another header."""
    header, state = read_party_file(path)
    np.savez(path, header=np.array(json.dumps(header | changes)), **state)


def test_other_files_are_refused(parties, tmp_path):
    path = tmp_path / "party.npz"
    channel = LocalNetwork(3).channels[0]
    save_party(Toy().fit(*parties).parties_[0], channel, path)
    rewritten(path, algorithm="unheard")
    with pytest.raises(ValueError, match="no algorithm 'unheard'; there are"):
        load_party(path)
    rewritten(path, version=99)
    with pytest.raises(ValueError, match="has version 99; this covey reads version 1: train again"):
        load_party(path)
    np.savez(path, header=np.array('{"format": "other"}'))
    with pytest.raises(ValueError, match="is no file of a covey party"):
        load_party(path)
    np.savez(path, header=np.array([{"format": "covey-party"}], dtype=object))
    with pytest.raises(ValueError, match="is no file of a covey party"):
        load_party(path)
    with pytest.raises(FileNotFoundError):
        load_party(tmp_path / "nothing.npz")


def test_algorithms_by_name():
    assert algorithm_class("toy") is Toy
    assert make_estimator("toy", rate=0.25).rate == 0.25
    with pytest.raises(ValueError, match="no algorithm 'net'; there are splitnn"):
        make_estimator("net")
    with pytest.raises(ValueError, match="toy has no setting 'layers'; there are faults, n_epochs, random_state, rate"):
        make_estimator("toy", layers=3)
    assert settings_of(Toy(n_epochs=(1, 2)))["n_epochs"] == [1, 2]


def test_other_training_rows_do_not_go_on_from_a_state(parties, tmp_path):
    """A state that saw other rows may know those that are to be tested on."""
    X, y = parties
    Toy().fit(X, y, checkpoint=tmp_path)
    Toy().fit([x.copy() for x in X], y, checkpoint=tmp_path)
    moved = [np.roll(x, 1, axis=0) for x in X]
    relabelled = np.roll(np.asarray(y), 1)
    for other_X, other_y in ((moved, y), (X, relabelled)):
        with pytest.raises(ValueError, match="is of a run on other data than this one; use another folder"):
            Toy().fit(other_X, other_y, checkpoint=tmp_path)
