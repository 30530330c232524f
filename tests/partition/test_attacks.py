"""Attacks: what is sent in the clear is rebuilt, noise is not, and what algorithms send lies where it should."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import Ridge

from covey.partition._channel import LocalNetwork
from covey.partition.attacks import LabelReport, defence_cost, feature_reconstruction, label_inference, leakage
from covey.partition.baselines import Pooled, Solo
from covey.partition.cvfl import CVFL
from covey.partition.gal import GAL
from covey.partition.linear import VerticalLinear
from covey.partition.splitnn import SplitNN
from covey.partition.vertical_gbdt import VerticalGBDT

SMALL: dict[str, Any] = {"hidden": (16,), "cut": 8, "fusion": (16,), "n_epochs": 4, "learning_rate": 5e-3}


@pytest.fixture(scope="module")
def normal() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(500, 4))


@pytest.fixture(scope="module")
def digits() -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(64)
    return [X[:600, part] for part in np.array_split(order, 3)], y[:600]


def residuals(y: NDArray, n_classes: int) -> NDArray[np.float64]:
    """Probability minus indicator, as a softmax model sends it."""
    return np.random.default_rng(1).dirichlet(np.ones(n_classes), len(y)) - np.eye(n_classes)[y]


@pytest.mark.parametrize("decoder, least", [("ridge", 0.999), ("mlp", 0.9)])
def test_columns_in_the_clear_are_rebuilt(normal: NDArray, decoder: Any, least: float) -> None:
    report = feature_reconstruction(normal, normal, decoder=decoder)
    assert report.r2.shape == (4,) and report.r2.min() > least
    assert report.baseline.max() < 0.05
    assert (report.n_train, report.n_test) == (250, 250)


@pytest.mark.parametrize("decoder", ["ridge", "mlp"])
def test_noise_rebuilds_nothing(normal: NDArray, decoder: Any) -> None:
    report = feature_reconstruction(np.random.default_rng(9).normal(size=(500, 6)), normal, decoder=decoder)
    assert report.mean < 0.05 and report.baseline_mean < 0.05
    assert (report.excess < 0.05).all()


def test_ridge_rebuilds_what_a_linear_map_keeps(normal: NDArray) -> None:
    sent = normal @ np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    r2 = feature_reconstruction(sent, normal).r2
    np.testing.assert_allclose(r2, [0.5, 0.5, 1.0, 0.0], atol=0.1)


def test_network_rebuilds_what_ridge_cannot() -> None:
    x = np.random.default_rng(0).uniform(-1.5, 1.5, size=(400, 1))
    ridge, mlp = (feature_reconstruction(x, x**2, decoder=decoder).mean for decoder in ("ridge", "mlp"))
    assert ridge < 0.1 and mlp > 0.9


def test_scale_and_shift_of_what_is_sent_do_not_matter(normal: NDArray) -> None:
    sent = np.tanh(normal @ np.random.default_rng(2).normal(size=(4, 4)))
    moved = feature_reconstruction(sent * 1e-6 + 1e3, normal)
    np.testing.assert_allclose(moved.r2, feature_reconstruction(sent, normal).r2, atol=1e-4)


def test_knowing_more_rows_helps() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    sent = X @ rng.normal(size=(3, 40)) + 3.0 * rng.normal(size=(400, 40))
    few, many = (feature_reconstruction(sent, X, train_fraction=share).mean for share in (0.05, 0.8))
    assert few + 0.05 < many


def test_constants_categories_and_missing_values() -> None:
    rng = np.random.default_rng(0)
    team = rng.choice(["red", "blue"], 200)
    frame = pd.DataFrame({"team": team, "same": 1.0, "x": rng.normal(size=200)})
    sent = np.column_stack([team == "red", rng.normal(size=200)]).astype(float)
    sent[3, 1] = np.nan
    report = feature_reconstruction(sent, frame)
    assert report.names == ("same", "x", "team=blue", "team=red")
    assert np.isnan(report.r2[0]) and report.r2[1] < 0.1 and report.r2[2:].min() > 0.99
    assert report.mean == pytest.approx(report.r2[1:].mean())
    plain = report.to_dict()
    assert plain["columns"]["same"] is None and json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize("method", ["direction", "cluster", "supervised"])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_residuals_tell_labels(method: Any, n_classes: int) -> None:
    y = np.random.default_rng(0).integers(n_classes, size=400)
    report = label_inference(residuals(y, n_classes), y, method=method)
    assert report.auc > 0.95
    assert 0.35 < report.baseline < 0.65
    assert report.n_known == (0 if method == "cluster" else 5 * n_classes)


def test_many_classes_with_whole_numbers_or_text_are_classes() -> None:
    y = np.random.default_rng(0).integers(26, size=600)
    found = label_inference(residuals(y, 26), y)
    assert found.auc > 0.95
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"), dtype=object)[y]
    assert label_inference(residuals(y, 26), letters) == found


@pytest.mark.parametrize("method", ["direction", "cluster", "supervised", "norm"])
def test_noise_tells_no_label(method: Any) -> None:
    rng = np.random.default_rng(0)
    report = label_inference(rng.normal(size=(600, 3)), rng.integers(2, size=600), method=method)
    assert abs(report.auc - 0.5) < 0.12


def test_rare_class_has_the_longer_gradients() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(600) < 0.05, "fraud", "fine")
    length = np.where(y == "fraud", 0.95, 0.05) * rng.uniform(0.5, 1.5, 600)
    sent = length[:, None] * rng.normal(size=(600, 3))
    assert label_inference(sent, y, method="norm").auc > 0.9
    assert label_inference(sent, y, method="direction").auc < 0.7
    assert label_inference(sent, np.where(y == "fraud", "a", "z"), method="norm").auc > 0.9


def test_direction_ignores_length_and_zero_rows() -> None:
    y = np.arange(200) % 2
    sent = np.where(y, 1.0, -1.0)[:, None] * np.random.default_rng(0).lognormal(sigma=4, size=(200, 1)) * [1.0, 2.0]
    assert label_inference(sent, y).auc == 1.0
    sent[0] = 0.0
    assert label_inference(sent, y).auc > 0.98


@pytest.mark.parametrize("epoch", ["first", "last"])
@pytest.mark.parametrize(
    "model", [VerticalLinear(), GAL(n_rounds=2), VerticalGBDT(n_estimators=3), SplitNN(**SMALL), CVFL(**SMALL)]
)
def test_labels_leak_from_every_algorithm_without_defence(model: Any, epoch: Any) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    found = leakage(model, [X[:, :10], X[:, 10:20], X[:, 20:]], y, label_party=1, epoch=epoch)
    assert set(found.labels) == set(found.features) == {0, 2}
    assert found.label_leakage > 0.9
    assert all(isinstance(r, LabelReport) and abs(r.baseline - 0.5) < 0.15 for r in found.labels.values())
    assert 0.2 < found.feature_leakage <= 1.0


def test_embeddings_of_splitnn_rebuild_pixels(digits: Any) -> None:
    found = leakage(SplitNN(n_epochs=5), *digits)
    assert found.feature_leakage > 0.5
    for report in found.features.values():
        assert report.mean > report.baseline_mean + 0.5
        assert report.baseline_mean < 0.05


@pytest.mark.parametrize("kind", [SplitNN, CVFL])
def test_received_rows_are_those_of_the_samples(kind: Any, digits: Any) -> None:
    """In the first epoch a wrong order of rows would leave nothing but chance."""
    parties, y = digits
    model = kind(**SMALL, batch_size=50).fit(parties, y)
    assert leakage(model, parties, y, epoch="first").label_leakage > 0.9


@pytest.mark.parametrize("settings", [{"compressor": "topk", "keep": 0.5}, {"bits": 4}, {"compressor": "none"}])
def test_compressed_messages_are_opened(settings: dict[str, Any], digits: Any) -> None:
    found = leakage(CVFL(**SMALL, **settings), *digits)
    assert found.feature_leakage > 0.1 and found.label_leakage > 0.75


def test_defences_trade_accuracy_for_leakage(digits: Any) -> None:
    parties, y = digits
    train = [part[:400] for part in parties], y[:400]
    test = [part[400:] for part in parties], y[400:]
    rows = defence_cost(SplitNN(**SMALL), [None, "clip:1.0+noise:1.0"], train, test)
    assert [row["defence"] for row in rows] == [None, "clip:1.0+noise:1.0"]
    assert rows[1]["feature_leakage"] < rows[0]["feature_leakage"] - 0.2
    assert rows[1]["score"] < rows[0]["score"]
    back = defence_cost(SplitNN(**SMALL), [None, "clip:0.1+noise:1.0"], train, test, setting="gradient_defence")
    assert back[1]["label_leakage"] < back[0]["label_leakage"] - 0.1


def test_bits_of_trees_rebuild_the_columns_that_they_split() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = (X[:, 1] + 0.5 * np.sin(4 * X[:, 1]) + 0.3 * rng.normal(size=500) > 0).astype(int)
    model = VerticalGBDT(n_estimators=10, max_depth=2).fit([X[:, :1], X[:, 1:]], y)
    r2 = leakage(model, [X[:, :1], X[:, 1:]], y).features[1].r2
    assert r2[0] > 0.7 > r2[1]


def test_rows_may_be_fewer_than_those_of_training(digits: Any) -> None:
    found = leakage(VerticalLinear(max_iter=3), *digits, max_rows=200)
    assert {(report.n_train, report.n_test) for report in found.features.values()} == {(100, 100)}


def test_regression_leaks_the_label_as_a_quantity() -> None:
    X, y = load_diabetes(return_X_y=True)
    found = leakage(VerticalLinear(), [X[:, :5], X[:, 5:]], y, epoch="first")
    assert found.label_leakage > 0.999 and repr(found).count("R2") == 2


def test_training_of_a_linear_model_gives_all_columns_away() -> None:
    X, y = load_wine(return_X_y=True)
    network = LocalNetwork(2, record=("scores",))
    VerticalLinear(tol=0.0, max_iter=20).fit([X[:, :6], X[:, 6:]], y, network=network)
    sent = np.hstack([message.arrays[0] for message in network.channels[0].transcript])
    one = leakage(VerticalLinear(), [X[:, :6], X[:, 6:]], y).features[1]
    assert feature_reconstruction(sent, X[:, 6:]).r2.min() > 0.99 > one.mean


def test_baselines_send_nothing_or_everything(digits: Any) -> None:
    parties, y = digits
    solo, pooled = (leakage(kind(VerticalLinear(max_iter=2)), parties, y) for kind in (Solo, Pooled))
    assert (solo.feature_leakage, solo.label_leakage, solo.features) == (0.0, 0.5, {})
    assert pooled.feature_leakage > 0.95 and pooled.label_leakage == 0.5
    frame = pd.DataFrame({"team": np.random.default_rng(0).choice(list("abcde"), len(y))})
    assert leakage(Pooled(VerticalLinear(max_iter=2)), [parties[0], frame], y).feature_leakage > 0.95


def test_trained_estimator_is_used_and_left_alone(digits: Any) -> None:
    parties, y = digits
    model = SplitNN(**SMALL).fit(parties, y)
    before = model.scores(parties)
    first, again = leakage(model, parties, y), leakage(model, parties, y)
    assert (model.scores(parties) == before).all() and len(model.history_) == SMALL["n_epochs"]
    assert first.to_dict() == again.to_dict()
    assert json.loads(json.dumps(first.to_dict())) == first.to_dict()
    fresh = SplitNN(**SMALL)
    assert leakage(fresh, parties, y).to_dict() == first.to_dict() and not hasattr(fresh, "parties_")


def test_models_from_files_are_attacked_like_others(digits: Any) -> None:
    for model in (SplitNN(**SMALL), GAL(n_rounds=2), VerticalGBDT(n_estimators=1)):
        found = leakage(pickle.loads(pickle.dumps(model.fit(*digits))), *digits)
        assert found.feature_leakage == leakage(model, *digits).feature_leakage
        assert found.label_leakage > 0.75


def test_regressors_of_ones_own_are_attacked_in_the_first_epoch(digits: Any) -> None:
    model = GAL(Ridge(), n_rounds=1).fit(*digits)
    assert leakage(model, *digits, epoch="first").label_leakage > 0.95
    with pytest.raises(TypeError, match="Ridge cannot be written"):
        leakage(model, *digits)


def test_parties_without_columns_have_nothing_to_leak() -> None:
    X, y = load_wine(return_X_y=True)
    found = leakage(VerticalLinear(), [X, np.empty((len(X), 0))], y)
    assert found.features == {} and set(found.labels) == {1}


@pytest.mark.parametrize(
    "bad, match",
    [
        ({"decoder": "tree"}, "decoder must be"),
        ({"train_fraction": 0.0}, "train_fraction"),
        ({"train_fraction": 0.999}, "fewer than 2"),
        ({"sent": np.zeros((3, 2))}, "sent has 3 rows, X has 100"),
        ({"sent": np.zeros((100, 0))}, r"shape is \(100, 0\)"),
        ({"sent": np.zeros((10, 5, 2))}, "one row of values"),
        ({"X": np.empty((100, 0))}, "no column"),
    ],
)
def test_bad_input_of_reconstruction(bad: dict[str, Any], match: str) -> None:
    good = {"sent": np.random.default_rng(0).normal(size=(100, 2)), "X": np.ones((100, 1))}
    with pytest.raises(ValueError, match=match):
        feature_reconstruction(**(good | bad))


@pytest.mark.parametrize(
    "bad, match",
    [
        ({"method": "guess"}, "method must be"),
        ({"n_known": 0}, "n_known"),
        ({"received": np.zeros((3, 2))}, "received has 3 rows, y has 100"),
        ({"y": np.zeros(100, dtype=int)}, "at least two classes"),
        ({"y": np.r_[np.zeros(99, dtype=int), 1]}, "single sample"),
        ({"y": np.linspace(0.1, 0.9, 100)}, "quantities"),
        ({"y": np.arange(100) % 3, "method": "norm"}, "two classes"),
    ],
)
def test_bad_input_of_inference(bad: dict[str, Any], match: str) -> None:
    good = {"received": np.random.default_rng(0).normal(size=(100, 2)), "y": np.arange(100) % 2}
    with pytest.raises(ValueError, match=match):
        label_inference(**(good | bad))


def test_bad_epoch() -> None:
    with pytest.raises(ValueError, match="epoch"):
        leakage(VerticalLinear(), [np.eye(4), np.eye(4)], [0, 1, 0, 1], epoch="middle")  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_labels_that_are_sent_to_all_are_known_to_all(task: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 6))
    score = X[:, 0] + X[:, 5]
    y = np.digitize(score, [-0.6, 0.6]) if task == "classification" else score
    model = CVFL(labels="shared", n_epochs=2, hidden=(8,), cut=4, fusion=(8,), task=task)
    found = leakage(model, [X[:, :2], X[:, 2:4], X[:, 4:]], y)
    assert sorted(found.labels) == [1, 2]
    assert found.label_leakage > 0.999
