"""Losses, their derivatives, and predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, r2_score

from covey.partition._objective import Objective
from covey.table import read

LABELS = {
    "two": np.array(["no", "yes", "yes", "no", "yes"]),
    "three": np.array([3, 1, 2, 2, 1]),
    "numbers": np.array([0.5, 2.5, -1.0, 4.0, 9.25]),
}


@pytest.fixture(params=LABELS)
def case(request):
    y = LABELS[request.param]
    objective = Objective.of(y)
    scores = np.random.default_rng(1).normal(size=(len(y), objective.n_outputs)) * 2
    return objective, y, scores


def test_derivatives_are_those_of_the_loss(case):
    objective, y, scores = case
    target, step = objective.encode(y), 1e-4
    for i in range(len(y)):
        for k in range(objective.n_outputs):
            moved = [scores.copy() for _ in range(3)]
            moved[0][i, k] -= step
            moved[2][i, k] += step
            low, here, high = (len(y) * objective.loss(s, target) for s in moved)
            assert objective.gradient(scores, target)[i, k] == pytest.approx((high - low) / (2 * step), abs=1e-6)
            assert objective.hessian(scores)[i, k] == pytest.approx((high - 2 * here + low) / step**2, abs=1e-5)


def test_the_loss_is_the_textbook_s(case):
    objective, y, scores = case
    loss = objective.loss(scores, objective.encode(y))
    if objective.classes is None:
        assert loss == pytest.approx(((objective.predict(scores) - y) ** 2).mean() / y.var() / 2)
    else:
        assert loss == pytest.approx(log_loss(y, objective.probability(scores)))


def test_no_constant_score_is_better_than_the_first(case):
    objective, y, _ = case
    target, start = objective.encode(y), objective.start(objective.encode(y))
    best = objective.loss(np.tile(start, (len(y), 1)), target)
    rng = np.random.default_rng(0)
    assert all(
        best < objective.loss(np.tile(start + rng.normal(size=start.shape) * 0.1, (len(y), 1)), target)
        for _ in range(20)
    )
    np.testing.assert_allclose(objective.gradient(np.tile(start, (len(y), 1)), target).sum(axis=0), 0, atol=1e-12)


def test_perfect_scores_predict_the_labels(case):
    objective, y, _ = case
    target = objective.encode(y)
    scores = target if objective.classes is None else 50 * (target - 0.5)
    np.testing.assert_allclose(objective.metric(scores, y), 1.0)
    if objective.classes is not None:
        assert objective.predict(scores).tolist() == y.tolist()
        assert objective.probability(scores).max(axis=1).min() > 1 - 1e-6


def test_an_objective_comes_back_from_its_state(case):
    objective, y, scores = case
    back = Objective.from_state(objective.state())
    assert back.metric(scores, y) == objective.metric(scores, y)
    np.testing.assert_array_equal(back.predict(scores), objective.predict(scores))


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=8), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_r2(y, seed):
    y = np.array(y) + np.arange(len(y)) * 0.5
    objective = Objective.of(y, "regression")
    scores = np.random.default_rng(seed).normal(size=(len(y), 1))
    assert objective.metric(scores, y) == pytest.approx(r2_score(y, objective.predict(scores)), rel=1e-6)


def test_extreme_scores_stay_finite():
    for y in (LABELS["two"], LABELS["three"]):
        objective = Objective.of(y)
        scores = np.full((5, objective.n_outputs), 1e4)
        scores[:, 0] = -1e4
        target = objective.encode(y)
        assert np.isfinite(objective.loss(scores, target))
        assert np.isfinite(objective.gradient(scores, target)).all()
        np.testing.assert_allclose(objective.probability(scores).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        ([0, 1, 1], "auto", [0, 1]),
        ([0.0, 1.0, 5.0], "auto", [0, 1, 5]),
        ([0.5, 1.0, 5.0], "auto", None),
        (list(range(21)), "auto", None),
        (list(range(21)), "classification", list(range(21))),
        ([0, 1, 1], "regression", None),
        ([True, False], "auto", [0, 1]),
        (["b", "a"], "auto", ["a", "b"]),
    ],
)
def test_the_task_follows_from_the_labels(y, task, classes):
    found = Objective.of(y, task).classes
    assert (found is None) == (classes is None)
    assert classes is None or found.tolist() == classes


def test_labels_of_a_table_column():
    assert Objective.of(read({"y": ["b", "a", "b"]})["y"]).classes.tolist() == ["a", "b"]


def test_r2_of_a_constant_is_undefined():
    objective = Objective.of([1.5, 2.5, 3.0])
    assert np.isnan(objective.metric(np.zeros((2, 1)), [2.0, 2.0]))
    assert Objective.of([1.5, 1.5], "regression").encode([1.5]).tolist() == [[0]]


@pytest.mark.parametrize(
    ("y", "task", "words"),
    [
        ([], "auto", "at least one sample"),
        ([[1], [2]], "auto", r"its shape is \(2, 1\)"),
        ([1, 1], "auto", "at least two classes; every label is"),
        ([1.0, np.nan], "auto", "missing or infinite labels; drop"),
        (["a", None], "auto", "missing labels; drop"),
        (["a", "b"], "regression", "regression needs labels that are numbers, got"),
        ([0, 1], "ranking", "task must be 'auto'"),
    ],
)
def test_bad_labels(y, task, words):
    with pytest.raises(ValueError, match=words):
        Objective.of(y, task)


def test_labels_that_training_has_not_seen():
    for unknown in (0, 5, 9):
        with pytest.raises(ValueError, match="none of the classes"):
            Objective.of([1, 3, 7]).encode([1, unknown])
    with pytest.raises(ValueError, match="regression has no probabilities"):
        Objective.of(LABELS["numbers"]).probability(np.zeros((2, 1)))
