"""The linear model over parties: scikit-learn's optimum on all columns, whoever holds them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge

from covey.partition import linear
from covey.partition._channel import Channel, ChannelError, LocalNetwork
from covey.partition._line_search import line_search
from covey.partition._objective import Objective
from covey.partition._vertical import load_party, save_party
from covey.partition.linear import VerticalLinear, rotate, two_loop

Parts = list[NDArray[np.float64]]


def spread(X: NDArray[np.float64], n_parties: int, seed: int = 0) -> tuple[Parts, NDArray[np.float64]]:
    """Columns dealt out at random, and all of them standardised, in party order."""
    order = np.random.default_rng(seed).permutation(X.shape[1])
    pooled = X[:, order]
    return list(np.array_split(pooled, n_parties, axis=1)), (pooled - pooled.mean(0)) / pooled.std(0)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("n_parties", [1, 2, 4])
def test_classification_is_the_pooled_optimum(load, n_parties: int) -> None:
    X, y = load(return_X_y=True)
    parts, pooled = spread(X, n_parties)
    model = VerticalLinear(l2=2.0).fit(parts, y, label_party=n_parties - 1)
    wanted = LogisticRegression(C=0.5, tol=1e-10, max_iter=10000).fit(pooled, y)
    np.testing.assert_allclose(np.vstack(model.coef_).T, wanted.coef_, atol=1e-4)
    np.testing.assert_allclose(model.intercept_, wanted.intercept_, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(parts), wanted.predict_proba(pooled), atol=1e-4)
    assert (model.predict(parts) == wanted.predict(pooled)).all()


@pytest.mark.parametrize("n_parties", [1, 3])
def test_regression_is_the_pooled_optimum(n_parties: int) -> None:
    X, y = load_diabetes(return_X_y=True)
    parts, pooled = spread(X, n_parties)
    model = VerticalLinear(l2=3.0, tol=1e-9).fit(parts, y)
    wanted = Ridge(alpha=3.0).fit(pooled, y)
    np.testing.assert_allclose(np.vstack(model.coef_).T.ravel() * y.std(), wanted.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.predict(parts), wanted.predict(pooled), rtol=1e-8)
    assert model.score(parts, y) == pytest.approx(wanted.score(pooled, y))


def test_one_party_solves_least_squares_in_one_step() -> None:
    X, y = load_diabetes(return_X_y=True)
    assert VerticalLinear().fit([X], y).n_iter_ == 1
    assert VerticalLinear().fit(spread(X, 3)[0], y).n_iter_ < 20


@given(st.integers(0, 10_000), st.integers(2, 4), st.sampled_from([0.0, 0.1, 10.0]))
@settings(max_examples=12, deadline=None)
def test_scores_do_not_depend_on_who_holds_what(seed: int, n_parties: int, l2: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    y = X @ rng.normal(size=5) + rng.normal(size=60)
    owners = rng.integers(n_parties, size=5)
    parts = [X[:, owners == k] for k in range(n_parties)]
    model = VerticalLinear(l2=l2, tol=1e-10, task="regression").fit(parts, y, label_party=int(rng.integers(n_parties)))
    pooled = VerticalLinear(l2=l2, tol=1e-10, task="regression").fit([X], y)
    np.testing.assert_allclose(model.scores(parts), pooled.scores([X]), atol=1e-6)


def test_loss_never_rises_and_messages_are_two_arrays_a_round() -> None:
    X, y = load_wine(return_X_y=True)
    parts, _ = spread(X, 3)
    model = VerticalLinear(max_iter=7, tol=0.0).fit(parts, y)
    assert len(model.history_) == 7 and (np.diff(model.history_) < 0).all()
    tags = model.traffic_.by_tag()
    assert tags["residual"] == (7 * 2 * len(y) * 3 * 8, 7 * 2)
    assert tags["scores"] == (7 * 2 * (len(y) * 3 + 2) * 8, 7 * 2)
    assert model.traffic_.rounds == 2 * 7 + 1


def test_training_ends_early_at_all_parties() -> None:
    X, y = load_wine(return_X_y=True)
    parts, _ = spread(X, 2)
    rough, fine = (VerticalLinear(tol=tol).fit(parts, y) for tol in (1e-2, 1e-6))
    assert rough.n_iter_ < fine.n_iter_ < 200
    assert rough.traffic_.bytes < fine.traffic_.bytes
    assert rough.traffic_.by_tag()["length"][1] == rough.n_iter_


def test_label_holder_without_columns_duplicates_constants_and_missing_values() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    twice = np.hstack([X[:, :3], X[:, :3], np.ones((len(X), 1))])
    twice[::7, 0] = np.nan
    alone = VerticalLinear(l2=0.0, max_iter=30).fit([np.empty((len(X), 0)), twice], y)
    assert alone.coef_[0].shape == (0, 1) and np.isfinite(alone.coef_[1]).all()
    assert alone.coef_[1][6, 0] == 0.0
    assert alone.score([np.empty((len(X), 0)), twice], y) > 0.85


def test_categories_become_indicators() -> None:
    rng = np.random.default_rng(0)
    team = rng.choice(["red", "blue", "green"], 300)
    frame = pd.DataFrame({"team": team, "x": rng.normal(size=300)})
    y = np.where((team == "red") ^ (rng.random(300) < 0.05), "yes", "no")
    parts = [rng.normal(size=(300, 2)), frame]
    assert VerticalLinear().fit(parts, y).score(parts, y) > 0.9


def test_two_loop_is_the_textbook_recursion() -> None:
    rng = np.random.default_rng(3)
    m, d = 4, 9
    hessian = np.diag(rng.uniform(0.5, 3.0, d))
    steps, gradient = rng.normal(size=(m, d)), rng.normal(size=d)
    changes = steps @ hessian
    q, a = gradient.copy(), np.zeros(m)
    for i in reversed(range(m)):
        a[i] = steps[i] @ q / (steps[i] @ changes[i])
        q -= a[i] * changes[i]
    q *= steps[-1] @ changes[-1] / (changes[-1] @ changes[-1])
    for i in range(m):
        q += (a[i] - changes[i] @ q / (steps[i] @ changes[i])) * steps[i]
    vectors = np.vstack([steps, changes, gradient])
    np.testing.assert_allclose(two_loop(vectors @ vectors.T) @ vectors, -q, rtol=1e-10)


def test_two_loop_leaves_out_pairs_without_curvature() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 2.0], [-1.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(two_loop(vectors @ vectors.T) @ vectors, [-3.0, -4.0])


def test_rotation_whitens_the_second_derivative() -> None:
    columns = np.random.default_rng(0).normal(size=(40, 5))
    columns[:, 4] = columns[:, 0]
    rotation, ridge = rotate(columns, l2=2.0, curvature=0.25)
    assert rotation.shape == (5, 4)
    within = columns @ rotation
    np.testing.assert_allclose(0.25 * within.T @ within + np.diag(ridge), np.eye(4), atol=1e-12)
    np.testing.assert_allclose(2.0 * rotation.T @ rotation, np.diag(ridge), atol=1e-12)


def test_line_search_finds_the_minimum_or_the_end() -> None:
    objective = Objective.of([0, 1, 2, 0, 1, 2])
    target = objective.encode([0, 1, 2, 0, 1, 2])
    direction = np.random.default_rng(1).normal(size=(6, 3)) + target
    step = line_search(objective, np.zeros((6, 3)), target, direction, 0.01, 0.02)

    def total(t: float) -> float:
        return objective.loss(t * direction, target) + 0.01 * t + 0.01 * t * t

    assert 0 < step < 1e3
    assert total(step) < min(total(step - 1e-3), total(step + 1e-3))
    assert line_search(objective, np.zeros((6, 3)), target, target, longest=50.0) == 50.0
    assert line_search(objective, np.zeros((6, 3)), target, -target) == 0.0


def test_resumed_training_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_wine(return_X_y=True)
    parts, _ = spread(X, 2)
    whole = VerticalLinear(max_iter=12, tol=0.0).fit(parts, y)
    go, done = linear._LinearParty.step, []

    def dies(self: linear._LinearParty, channel: Channel, step: int) -> float | None:
        done.append(step)
        if step == 5 and done.count(5) == 1:
            raise OSError("power cut")
        return go(self, channel, step)

    monkeypatch.setattr(linear._LinearParty, "step", dies)
    with pytest.raises(OSError, match="power cut"):
        VerticalLinear(max_iter=12, tol=0.0).fit(parts, y, checkpoint=tmp_path)
    resumed = VerticalLinear(max_iter=12, tol=0.0).fit(parts, y, checkpoint=tmp_path)
    assert done == [*range(6), *range(5, 12)]
    assert resumed.history_ == whole.history_
    assert all((a == b).all() for a, b in zip(resumed.coef_, whole.coef_))


def test_files_clones_and_pickles(tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    parts, _ = spread(X, 2)
    model = clone(VerticalLinear(l2=5.0)).fit(parts, y)
    assert (pickle.loads(pickle.dumps(model)).scores(parts) == model.scores(parts)).all()
    network = LocalNetwork(2)
    for k, party in enumerate(model.parties_):
        save_party(party, network.channels[k], tmp_path / f"{k}.npz")
    model.parties_ = [load_party(tmp_path / f"{k}.npz")[0] for k in range(2)]
    assert (model.scores(parts) == VerticalLinear(l2=5.0).fit(parts, y).scores(parts)).all()


@pytest.mark.parametrize("bad", [{"l2": -1.0}, {"tol": -1.0}, {"max_iter": 0}])
def test_bad_settings(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        VerticalLinear(**bad).fit([np.eye(4), np.eye(4)], [0, 1, 0, 1])


def test_bad_input() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = np.arange(20) % 2
    with pytest.raises(ValueError, match="party 1 has 19 rows"):
        VerticalLinear().fit([X, X[:19]], y)
    with pytest.raises(ValueError, match="at least two classes"):
        VerticalLinear().fit([X, X], np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match="infinity"):
        VerticalLinear().fit([X, np.where(X > 0, np.inf, X)], y)
    with pytest.raises(AttributeError, match="not fitted"):
        _ = VerticalLinear().coef_
    model = VerticalLinear().fit([X, X], y)
    with pytest.raises(ValueError, match="2 parties, got 1"):
        model.predict([X])
    with pytest.raises((ValueError, ChannelError), match="3 numeric columns"):
        model.predict([X, np.hstack([X, X[:, :1]])])
