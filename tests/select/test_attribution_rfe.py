"""Elimination by attributions: its rounds, planted truth, kinds of columns and targets, and bad input."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import AttributionRFE, eliminate_columns

LINEAR = {"estimator": Ridge(), "attribution": "ablation", "random_state": 0}


@parametrize_with_checks(
    [
        AttributionRFE(MLPRegressor(hidden_layer_sizes=(4,), max_iter=5), k=1, random_state=0, target_kind="numeric"),
        AttributionRFE(LogisticRegression(), "ablation", k=1, random_state=0, target_kind="categorical"),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=400, d=20, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, 2 * x[:, 3] - x[:, 8] + 0.7 * x[:, 15] + 0.3 * rng.normal(size=n)


def assess_by(strength, error):
    strength = np.asarray(strength, dtype=float)
    return lambda columns: (error(len(columns)), strength[columns])


def test_rounds_drop_the_weakest_share():
    rounds, best = eliminate_columns(assess_by([5, 1, 4, 2, 3, 0, 9, 8, 7, 6], float), 10, step=0.2)
    assert [r.columns.tolist() for r in rounds[:3]] == [
        list(range(10)),
        [0, 2, 3, 4, 6, 7, 8, 9],
        [0, 2, 4, 6, 7, 8, 9],
    ]
    assert rounds[0].dropped.tolist() == [1, 5]
    assert len(rounds[-1].columns) == 4 and not len(rounds[-1].dropped)  # a fifth of four is less than one
    assert best == len(rounds) - 1
    for before, after in pairwise(rounds):
        assert after.columns.tolist() == np.setdiff1d(before.columns, before.dropped).tolist()


@pytest.mark.parametrize(("patience", "n_rounds"), [(1, 3), (2, 4), (9, 7)])
def test_rounds_above_the_smallest_error_end_it(patience, n_rounds):
    rounds, best = eliminate_columns(assess_by(np.arange(12), lambda n: abs(n - 10)), 12, 0.2, patience)
    assert len(rounds) == n_rounds and best == 1 and len(rounds[best].columns) == 10


def test_of_equal_errors_the_fewest_columns_are_best():
    rounds, best = eliminate_columns(assess_by(np.arange(10), lambda n: 1.0), 10, 0.5)
    assert len(rounds[best].columns) == 1


def test_a_later_smaller_error_is_found_by_patience():
    errors = {20: 1.0, 16: 1.1, 13: 0.9, 11: 1.2, 9: 1.3}

    def assess(columns):
        return errors.get(len(columns), 2.0), np.arange(20.0)[columns]

    assert len(eliminate_columns(assess, 20, patience=1)[0]) == 2
    rounds, best = eliminate_columns(assess, 20, patience=2)
    assert len(rounds[best].columns) == 13 and len(rounds) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0.0}, "step must be in"),
        ({"step": 1.0}, "step must be in"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_wrong_elimination(arguments, message):
    with pytest.raises(ValueError, match=message):
        eliminate_columns(assess_by(np.arange(5), float), 5, **arguments)
    with pytest.raises(ValueError, match=message):
        AttributionRFE(**LINEAR | arguments).fit(*planted())


def test_an_error_that_is_not_finite():
    with pytest.raises(ValueError, match="error of the model on all columns is nan"):
        eliminate_columns(assess_by(np.arange(5), lambda n: np.nan), 5)


@pytest.mark.parametrize("attribution", ["integrated_gradients", "saliency", "deeplift", "ablation", "permutation"])
def test_planted_columns_are_found_by_a_network(attribution):
    x, y = planted()
    net = MLPRegressor(hidden_layer_sizes=(16,), alpha=1.0, max_iter=60, random_state=0)
    found = AttributionRFE(net, attribution, step=0.4, random_state=0).fit(x, y)
    assert set(np.flatnonzero(found.ranking_ <= 3)) == {3, 8, 15}
    assert {3, 8, 15} <= set(found.get_support(indices=True))
    assert found.get_support().sum() < 12


def test_history_ranking_and_scores():
    x, y = planted()
    x[:, 0] = 1.0
    found = AttributionRFE(**LINEAR).fit(x, y)
    best = found.history_[found.best_round_]
    assert best.error == min(r.error for r in found.history_)
    assert set(found.get_support(indices=True)) == set(best.columns)
    assert np.isnan(found.scores_[0]) and found.reasons_[0] == "the column is constant" and found.ranking_[0] == 20
    assert 0 not in found.history_[0].columns
    assert found.scores_[best.columns] == pytest.approx(best.strength)
    for earlier, later in zip(found.history_[: found.best_round_], found.history_[1:]):
        assert found.ranking_[earlier.dropped].min() > found.ranking_[later.columns].max()


def test_scores_are_in_units_of_the_target():
    x, y = planted()
    one, ten = (AttributionRFE(**LINEAR).fit(x, s * y + 5) for s in (1.0, 10.0))
    assert ten.scores_ == pytest.approx(10 * one.scores_, rel=1e-6)
    assert ten.history_[0].error == pytest.approx(10 * one.history_[0].error)
    assert one.scores_[3] == pytest.approx(2 * np.abs(x[:, 3]).mean(), rel=0.2)


def test_scale_and_place_of_columns_do_not_matter():
    x, y = planted()
    one, other = AttributionRFE(**LINEAR).fit(x, y), AttributionRFE(**LINEAR).fit(1e9 + 100 * x, y)
    assert (one.get_support() == other.get_support()).all()


def test_classes_by_probability_and_by_decision():
    x, y = planted(600)
    labels = np.array(["low", "mid", "high"])[np.digitize(y, [-1, 1])]
    for estimator in (LogisticRegression(), SVC(), RandomForestClassifier(30)):
        found = AttributionRFE(estimator, "ablation", step=0.4, random_state=0).fit(x, labels)
        assert {3, 8} <= set(np.flatnonzero(found.ranking_ <= 3))


def test_default_network_of_classes():
    x, y = planted(300, 16)
    found = AttributionRFE(step=0.3, random_state=0).fit(x, y > 0)
    assert {3} <= set(found.get_support(indices=True))


def test_mixed_columns_with_gaps():
    x, y = planted()
    frame = pd.DataFrame(x[:, :5], columns=list("abcde"))
    frame["word"] = np.where(x[:, 8] > 0, "up", "down")
    frame.loc[::7, "d"] = np.nan
    found = AttributionRFE(**LINEAR).fit(frame, y)
    assert set(frame.columns[found.ranking_ <= 2]) == {"d", "word"}


def test_own_attribution_and_cut():
    x, y = planted()
    calls = []

    def weights(model, rows):
        calls.append(rows.shape)
        return rows * model.coef_

    found = AttributionRFE(Ridge(), weights, k=2, random_state=0).fit(x, y)
    assert found.get_support(indices=True).tolist() == [3, 8]
    assert calls[0] == (80, 20)
    with pytest.raises(ValueError, match="attribution returned shape"):
        AttributionRFE(Ridge(), lambda model, rows: rows[:1]).fit(x, y)
    with pytest.raises(ValueError, match="attributions are not finite"):
        AttributionRFE(Ridge(), lambda model, rows: rows * np.nan).fit(x, y)


def test_the_same_seed_gives_the_same_bits():
    x, y = planted(200, 16)
    net = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20)
    a, b, c = (AttributionRFE(net, random_state=seed).fit(x, y).scores_ for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_nothing_varies():
    found = AttributionRFE(**LINEAR).fit(np.ones((10, 3)), np.arange(10) / 3)
    assert found.history_ == () and not found.get_support().any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attribution": "lime"}, "attribution must be one of"),
        ({"test_size": 1.0}, "test_size must be in"),
        ({"k": 21}, "larger than the number of columns"),
        ({"estimator": LogisticRegression()}, "asks for a regressor, not LogisticRegression"),
        ({"attribution": "saliency"}, "use 'ablation' or 'permutation'"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttributionRFE(**LINEAR | arguments).fit(*planted())


@pytest.mark.filterwarnings("ignore:classes of one row")
def test_no_row_is_left_to_hold_out():
    x, _ = planted(5)
    with pytest.raises(ValueError, match="5 rows are too few to hold out"):
        AttributionRFE(LogisticRegression(), "ablation").fit(x, list("abcde"))
