"""Baselines: the same as the algorithm given the columns directly, and honest about what they send."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine

from covey.partition._channel import LocalNetwork
from covey.partition.baselines import Pooled, Solo, pool_columns
from covey.partition.gal import GAL
from covey.partition.linear import VerticalLinear
from covey.table import read


@pytest.mark.parametrize("estimator", [VerticalLinear(), GAL(n_rounds=3, random_state=5)])
@pytest.mark.parametrize("load", [load_wine, load_diabetes])
def test_baselines_are_the_algorithm_with_one_party(estimator: Any, load: Any) -> None:
    X, y = load(return_X_y=True)
    parts = [X[:, :3], X[:, 3:5], X[:, 5:]]
    for baseline, columns in ((Solo(estimator), parts[1]), (Pooled(estimator), X)):
        direct = clone(estimator).fit([columns], y)
        baseline = clone(baseline).fit(parts, y, label_party=1)
        assert (baseline.scores(parts) == direct.scores([columns])).all()
        assert (baseline.predict(parts) == direct.predict([columns])).all()
        assert baseline.score(parts, y) == direct.score([columns], y)
        assert baseline.history_ == direct.history_
        assert (pickle.loads(pickle.dumps(baseline)).scores(parts) == baseline.scores(parts)).all()
    assert estimator.__dict__ == clone(estimator).__dict__, "the wrapped estimator stays as it was"


def test_probabilities_and_names() -> None:
    X, y = load_wine(return_X_y=True)
    pooled = Pooled(VerticalLinear()).fit([X[:, :3], X[:, 3:]], y)
    assert pooled.predict_proba([X[:, :3], X[:, 3:]]).sum(axis=1) == pytest.approx(1.0)
    assert (pooled.name, Solo(GAL()).name) == ("pooled-linear", "solo-gal")


def test_traffic_is_that_of_the_columns_of_others() -> None:
    X, y = load_wine(return_X_y=True)
    parts = [X[:, :3], X[:, 3:5], X[:, 5:]]
    assert Solo(VerticalLinear()).fit(parts, y).traffic_.messages == 0
    pooled = Pooled(VerticalLinear()).fit(parts, y, label_party=2)
    assert pooled.traffic_.by_link() == {(0, 2): (len(y) * 3 * 8, 1), (1, 2): (len(y) * 2 * 8, 1)}
    network = LocalNetwork(3, active=2, record=("features",))
    pooled.predict([part[:10] for part in parts], network=network)
    assert network.traffic.bytes == 10 * 5 * 8
    assert (network.channels[0].transcript[0].arrays[0] == parts[0][:10]).all()


def test_columns_of_tables_frames_and_arrays_are_joined() -> None:
    frame = pd.DataFrame({"age": [1.5, 2.5, np.nan], "team": ["a", "b", "a"]})
    pooled = pool_columns([frame, np.array([[1.0], [2.0], [3.0]]), read({"age": [7.5, 8.0, 9.0]}), np.empty((3, 0))])
    assert pooled.names == ("party-0/age", "team", "x0", "party-2/age")
    assert pooled["team"].categories == ("a", "b")
    assert pooled["party-2/age"].values.tolist() == [7.5, 8.0, 9.0]
    assert pool_columns([np.eye(2), np.zeros((2, 1))]).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_category_codes_cost_four_bytes() -> None:
    frame = pd.DataFrame({"team": ["a", "b"] * 30, "x": np.linspace(0.5, 9.0, 60)})
    y = np.arange(60) % 2
    pooled = Pooled(VerticalLinear()).fit([np.random.default_rng(0).normal(size=(60, 1)), frame], y)
    assert pooled.traffic_.bytes == 60 * (4 + 8)
    assert pooled.score([np.zeros((60, 1)), frame], y) == 1.0


def test_label_holder_without_feature() -> None:
    X, y = load_wine(return_X_y=True)
    parts = [np.empty((len(X), 0)), X]
    with pytest.raises(ValueError, match=r"label holder \(party 0\) has no feature"):
        Solo(VerticalLinear()).fit(parts, y)
    assert Pooled(VerticalLinear()).fit(parts, y).score(parts, y) == 1.0


def test_checkpoint_is_passed_on(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    Pooled(VerticalLinear(max_iter=3)).fit([X[:, :3], X[:, 3:]], y, checkpoint=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_bad_input() -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match="no party holds the label"):
        Pooled(VerticalLinear()).fit([X, X], None)
    with pytest.raises(ValueError, match="party 1 has 5 rows"):
        Solo(VerticalLinear()).fit([X, X[:5]], y)
    with pytest.raises(ValueError, match="2 parties, got 1"):
        Solo(VerticalLinear()).fit([X, X], y).predict([X])
