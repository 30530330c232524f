"""GAL: its weights are the best convex ones, its loss never rises, and with one party it is boosting."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from covey.partition import gal
from covey.partition._channel import Channel, LocalNetwork
from covey.partition._objective import Objective
from covey.partition._vertical import load_party, save_party
from covey.partition.gal import GAL, BoostingLearner, MLPLearner, simplex_weights

LEARNERS = ("linear", "boosting", "mlp")


def thirds(X: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return list(np.array_split(X, 3, axis=1))


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_diabetes])
def test_loss_falls_each_round_and_weights_are_convex(learner: str, load: Any) -> None:
    X, y = load(return_X_y=True)
    model = GAL(learner, n_rounds=4).fit(thirds(X), y, label_party=1)
    objective = Objective.of(y)
    target = objective.encode(y)
    start = objective.loss(np.tile(objective.start(target), (len(y), 1)), target)
    assert (np.diff([start, *model.history_]) < 0).all()
    assert model.weights_.shape == (4, 3) and (model.weights_ >= 0).all()
    np.testing.assert_allclose(model.weights_.sum(axis=1), 1.0)
    assert (model.steps_ > 0).all()
    reached = objective.loss(model.scores(thirds(X)), target)
    assert reached == pytest.approx(model.history_[-1], abs=1e-4)


@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_weights_are_the_best_on_the_simplex(seed: int, k: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    residual = rng.normal(size=(20, 2))
    fitted = [residual * rng.normal() + shift * rng.normal(size=(20, 2)) for _ in range(k)]
    weights = simplex_weights(fitted, residual)

    def error(w: NDArray[np.float64]) -> float:
        return float(((residual - np.tensordot(w, fitted, axes=1)) ** 2).sum())

    assert (weights >= 0).all() and weights.sum() == pytest.approx(1.0)
    others = rng.dirichlet(np.full(k, 0.3), size=200)
    assert error(weights) <= min(map(error, others)) + 1e-9
    # Karush-Kuhn-Tucker: no party with a weight has a larger derivative than another.
    pull = np.array([((residual - np.tensordot(weights, fitted, axes=1)) * f).sum() for f in fitted])
    assert pull[weights > 1e-9].min() >= pull.max() - 1e-7 * (1 + np.abs(pull).max())


def test_weights_of_a_perfect_party_and_of_equal_ones() -> None:
    residual = np.random.default_rng(0).normal(size=(10, 2))
    assert simplex_weights([0 * residual, residual], residual).tolist() == [0.0, 1.0]
    assert simplex_weights([residual, residual], residual).sum() == pytest.approx(1.0)
    assert simplex_weights([0 * residual, 0 * residual], 0 * residual).sum() == pytest.approx(1.0)


def test_one_party_is_plain_boosting() -> None:
    X, y = load_diabetes(return_X_y=True)
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32).astype(np.float64)
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    model = GAL(tree, n_rounds=5, learning_rate=1.0).fit([X], y)
    scaled = (y - y.mean()) / y.std()
    # A tree's leaves are means, so the best step along its values is 1.
    wanted = GradientBoostingRegressor(n_estimators=5, learning_rate=1.0, max_depth=2)
    wanted.fit(X, scaled)
    np.testing.assert_allclose(model.steps_, 1.0, atol=1e-5)
    np.testing.assert_allclose(model.scores([X])[:, 0], wanted.predict(X), atol=1e-4)
    assert model.weights_.tolist() == [[1.0]] * 5 and model.traffic_.bytes == 0


def test_squared_loss_takes_the_step_that_a_projection_takes() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = GAL(LinearRegression(), n_rounds=1, learning_rate=1.0).fit(thirds(X), y)
    scaled = ((y - y.mean()) / y.std())[:, None]
    fitted = [LinearRegression().fit(part, scaled).predict(part) for part in thirds(X)]
    direction = np.tensordot(simplex_weights(fitted, scaled), fitted, axes=1)
    np.testing.assert_allclose(model.steps_, (scaled * direction).sum() / (direction**2).sum(), rtol=1e-5)


def test_bytes_are_as_stated_and_rounds_do_not_make_prediction_dearer() -> None:
    X, y = load_wine(return_X_y=True)
    model = GAL(n_rounds=4).fit(thirds(X), y)
    tags = model.traffic_.by_tag()
    assert tags["residual"] == tags["fitted"] == (4 * 2 * len(y) * 3 * 4, 4 * 2)
    assert tags["coefficient"] == (4 * 2 * 8, 4 * 2)
    network = LocalNetwork(3)
    model.predict([part[:50] for part in thirds(X)], network=network)
    assert network.traffic.by_tag() == {"fitted": (2 * 50 * 3 * 4, 2)}


def test_a_party_of_noise_gets_little_weight() -> None:
    X, y = load_digits(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(len(X), 5))
    model = GAL("linear", n_rounds=3).fit([X, noise], y)
    assert model.weights_[:, 1].max() < 0.2 < model.weights_[:, 0].min()


@pytest.mark.parametrize("learner", LEARNERS)
def test_label_holder_without_columns(learner: str) -> None:
    X, y = load_wine(return_X_y=True)
    parts = [np.empty((len(X), 0)), X]
    assert GAL(learner, n_rounds=3).fit(parts, y).score(parts, y) > 0.95


def test_trees_as_tables_predict_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    X, residual = rng.normal(size=(300, 4)), rng.normal(size=(300, 2))
    learned = BoostingLearner.fit(X, residual, 7)
    left = residual
    for k in range(BoostingLearner.n_trees):
        tree = DecisionTreeRegressor(max_depth=BoostingLearner.depth, min_samples_leaf=5, random_state=7 + k)
        left = left - BoostingLearner.rate * tree.fit(X, left).predict(X)
    np.testing.assert_allclose(learned.predict(X), residual - left, atol=1e-12)


def test_network_fits_a_curve_that_a_line_does_not() -> None:
    x = np.linspace(-2, 2, 400)[:, None]
    learned = MLPLearner.fit(x, x**2, 0)
    assert learned.predict(x).shape == (400, 1)
    assert np.mean((learned.predict(x) - x**2) ** 2) < 0.1 * np.var(x**2)


@pytest.mark.parametrize("regressor", [KNeighborsRegressor(), GradientBoostingRegressor(n_estimators=3), Ridge()])
def test_any_regressor_helps_with_one_output_or_several(regressor: Any) -> None:
    for load in (load_breast_cancer, load_wine):
        X, y = load(return_X_y=True)
        model = clone(GAL(regressor, n_rounds=2)).fit(thirds(X), y)
        assert model.score(thirds(X), y) > 0.9


@pytest.mark.parametrize("learner", LEARNERS)
def test_files_hold_the_same_model(learner: str, tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    model = GAL(learner, n_rounds=3).fit(thirds(X), y, label_party=2)
    before = model.scores(thirds(X))
    assert (pickle.loads(pickle.dumps(model)).scores(thirds(X)) == before).all()
    network = LocalNetwork(3, active=2)
    for k, party in enumerate(model.parties_):
        save_party(party, network.channels[k], tmp_path / f"{k}.npz")
    model.parties_ = [load_party(tmp_path / f"{k}.npz")[0] for k in range(3)]
    assert (model.scores(thirds(X)) == before).all()
    assert (GAL(learner, n_rounds=3).fit(thirds(X), y, label_party=2).scores(thirds(X)) == before).all()


def test_seed_matters_where_learning_is_random() -> None:
    X, y = load_wine(return_X_y=True)
    a, b = (GAL("mlp", n_rounds=1, random_state=seed).fit(thirds(X), y).scores(thirds(X)) for seed in (0, 1))
    assert np.abs(a - b).max() > 1e-3


def test_resumed_training_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_wine(return_X_y=True)
    whole = GAL(n_rounds=5).fit(thirds(X), y)
    go, done = gal._Helper.step, []

    def dies(self: gal._Helper, channel: Channel, step: int) -> float | None:
        if channel.rank == 1:
            done.append(step)
            if step == 3 and done.count(3) == 1:
                raise OSError("power cut")
        return go(self, channel, step)

    monkeypatch.setattr(gal._Helper, "step", dies)
    with pytest.raises(OSError, match="power cut"):
        GAL(n_rounds=5).fit(thirds(X), y, checkpoint=tmp_path)
    resumed = GAL(n_rounds=5).fit(thirds(X), y, checkpoint=tmp_path)
    assert done == [0, 1, 2, 3, 3, 4]
    assert resumed.history_ == whole.history_
    assert (resumed.scores(thirds(X)) == whole.scores(thirds(X))).all()


def test_a_regressor_of_ones_own_is_not_written(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.raises(TypeError, match=r"Ridge cannot be written.*linear, boosting, mlp"):
        GAL(Ridge(), n_rounds=2).fit(thirds(X), y, checkpoint=tmp_path)


@pytest.mark.parametrize(
    "bad, error, match",
    [
        ({"learner": "trees"}, ValueError, "linear, boosting, mlp"),
        ({"learner": 3}, TypeError, "regressor"),
        ({"n_rounds": 0}, ValueError, "n_rounds"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"learning_rate": 1.5}, ValueError, "learning_rate"),
    ],
)
def test_bad_settings(bad: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        GAL(**bad).fit([np.eye(4), np.eye(4)], [0, 1, 0, 1])


def test_not_fitted() -> None:
    with pytest.raises(AttributeError, match="not fitted"):
        _ = GAL().weights_
