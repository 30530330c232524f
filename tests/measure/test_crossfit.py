"""Out-of-fold predictions: a plain loop, rows that are never seen, classes that a fold lacks, engines, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from covey.measure._crossfit import fold_of_rows, out_of_fold, row_folds, seeded


def data(n=60, d=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, x[:, 0] + rng.normal(size=n)


@pytest.mark.parametrize("learner", [Ridge(), KNeighborsRegressor(3), make_pipeline(StandardScaler(), Ridge())])
def test_values_are_those_of_a_plain_loop(learner):
    x, y = data()
    folds = KFold(4, shuffle=True, random_state=1)
    expected = np.empty(len(y))
    for train, test in folds.split(x):
        expected[test] = clone(learner).fit(x[train], y[train]).predict(x[test])
    np.testing.assert_allclose(out_of_fold(learner, x, y, folds), expected, rtol=1e-13)


def test_several_targets_and_dataframes():
    x, y = data()
    frame = pd.DataFrame(x, columns=list("abc"))
    both = np.column_stack([y, -y])
    found = out_of_fold(Ridge(), frame, both, KFold(3))
    np.testing.assert_allclose(found, cross_val_predict(Ridge(), x, both, cv=KFold(3)), atol=1e-12)


def test_probabilities_are_in_the_order_of_the_labels():
    x, y = data()
    labels = np.array(["c", "a", "b"])[np.digitize(y, [-0.5, 0.5])]
    found = out_of_fold(LogisticRegression(), x, labels, KFold(3))
    expected = cross_val_predict(LogisticRegression(), x, labels, cv=KFold(3), method="predict_proba")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_row_is_not_seen_by_its_own_prediction():
    """A neighbour that remembers would return the target of a row itself."""
    x, y = data()
    assert (out_of_fold(KNeighborsRegressor(1), x, y, random_state=0) != y).all()


def test_a_class_of_one_row_has_no_probability_where_it_is_tested():
    x, y = data(30)
    labels = (y > 0).astype(int)
    labels[7] = 5
    found = out_of_fold(LogisticRegression(), x, labels, 3, random_state=0)
    assert found.shape == (30, 3) and found[7, 2] == 0.0
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_training_rows_of_one_class_predict_it():
    labels = np.array([0, 0, 0, 1])
    found = out_of_fold(LogisticRegression(), np.arange(4.0)[:, None], labels, 4, random_state=0)
    assert found[3].tolist() == [1.0, 0.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.lists(st.integers(0, 3), min_size=6, max_size=50), st.integers(0, 99))
def test_folds_are_even_and_spread_the_classes(n_folds, classes, seed):
    fold = fold_of_rows(len(classes), n_folds, seed, classes)
    counts = np.bincount(fold, minlength=n_folds)
    assert counts.max() - counts.min() <= 1
    for c in set(classes):
        inside = np.bincount(fold[np.array(classes) == c], minlength=n_folds)
        assert inside.max() - inside.min() <= 1


def test_the_result_depends_on_the_seed_and_not_on_the_engine():
    x, y = data()
    forest = RandomForestRegressor(5)
    once, again = (out_of_fold(forest, x, y, random_state=3, engine=e) for e in ("local:1", "local:2"))
    np.testing.assert_array_equal(once, again)
    assert (once != out_of_fold(forest, x, y, random_state=4)).any()


def test_seeds_reach_the_parts_of_a_pipeline_and_keep_those_given():
    pipe = make_pipeline(StandardScaler(), RandomForestClassifier())
    assert seeded(pipe, 7).get_params()["randomforestclassifier__random_state"] == 7
    assert seeded(RandomForestClassifier(random_state=1), 7).random_state == 1
    assert pipe[-1].random_state is None


@pytest.mark.parametrize(
    ("cv", "words"),
    [
        (1, "at least 2 folds"),
        (61, "lower cv"),
        (TimeSeriesSplit(3), "each of the 60 rows once"),
        ("five", "number of folds"),
        ([], "each of the 60 rows once"),
        ([(np.array([], dtype=int), np.arange(60))], "no training row"),
    ],
)
def test_folds_that_cannot_be_are_refused(cv, words):
    y = data()[1]
    with pytest.raises(ValueError, match=words):
        row_folds(cv, len(y), y)


def test_a_classifier_without_probabilities_is_refused():
    x, y = data()
    with pytest.raises(ValueError, match="CalibratedClassifierCV"):
        out_of_fold(RidgeClassifier(), x, y > 0)
