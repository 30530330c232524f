"""Doubly robust selection: the identity, a plain loop, groups, kinds of columns and targets, cuts, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure._null import false_discovery
from covey.select import DoublyRobustSelector
from covey.select._base import target_column
from covey.select.causal import MOST_KERNEL_ROWS, debiased_score, default_learner, effect_differences


@parametrize_with_checks([DoublyRobustSelector(random_state=0), DoublyRobustSelector(Ridge(), k=1, random_state=0)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def data(n=150, d=4, seed=0):
    """The first two columns are the causes; the third copies the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[:, 2] = x[:, 0] + 0.5 * x[:, 2]
    return x, np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * rng.normal(size=n)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 30), st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_mean_difference_of_the_scores_is_that_of_the_squared_errors(seed, n, scale):
    rng = np.random.default_rng(seed)
    y, full, without = scale * rng.normal(size=(3, n))
    found = effect_differences(y, full, without[None])[0]
    unit = 1e-12 * scale**2
    assert np.mean(found) == pytest.approx(np.mean((y - without) ** 2) - np.mean((y - full) ** 2), abs=10 * unit)
    np.testing.assert_allclose(found, debiased_score(y, full) - debiased_score(y, without), atol=100 * unit)


@pytest.mark.parametrize("learner", [Ridge(), KernelRidge(kernel="rbf", gamma=0.2), KNeighborsRegressor(4)], ids=repr)
@pytest.mark.parametrize("two_sided", [False, True])
def test_scores_and_pvalues_are_those_of_a_plain_loop(learner, two_sided):
    x, y = data()
    folds = KFold(5, shuffle=True, random_state=1)
    found = DoublyRobustSelector(learner, cv=folds, two_sided=two_sided, correction=None).fit(x, y)
    z, mean, unit = (x - x.mean(axis=0)) / x.std(axis=0), y.mean(), y.std()

    def errors(rest):
        out = np.empty(len(y))
        for train, test in folds.split(z):
            out[test] = learner.fit(z[train][:, rest], (y[train] - mean) / unit).predict(z[test][:, rest])
        return (y - mean - unit * out) ** 2

    full = errors([0, 1, 2, 3])
    growth = np.array([errors([i for i in range(4) if i != j]) - full for j in range(4)])
    test = stats.ttest_1samp(growth, 0.0, axis=1, alternative="two-sided" if two_sided else "greater")
    np.testing.assert_allclose(found.scores_, growth.mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.pvalues_, test.pvalue, rtol=1e-6)
    assert (found.get_support() == (test.pvalue <= 0.05)).all()
    assert found.ranking_[np.argsort(test.pvalue)].tolist() == [1, 2, 3, 4]


def test_causes_are_found_and_a_copy_is_not():
    x, y = data(300)
    found = DoublyRobustSelector(random_state=0).fit(x, y)
    assert found.get_support(indices=True).tolist() == [0, 1] and found.closed_form_
    assert np.isnan(found.pvalues_).sum() == 0 and (found.adjusted_pvalues_ >= found.pvalues_).all()


def test_the_adjustment_is_over_groups():
    x, y = data()
    found = DoublyRobustSelector(groups=["a", "b", "a", "c"], random_state=0).fit(x, y)
    assert found.scores_[0] == found.scores_[2] and found.pvalues_[0] == found.pvalues_[2]
    np.testing.assert_allclose(found.adjusted_pvalues_[[0, 1, 3]], false_discovery(found.pvalues_[[0, 1, 3]], "by"))
    apart = DoublyRobustSelector(random_state=0).fit(x, y)
    assert found.scores_[0] > apart.scores_[0]  # the copy no longer stands in


def test_groups_keep_their_columns_when_another_is_constant():
    x, y = data()
    x[:, 3] = 1.0
    found = DoublyRobustSelector(groups=[0, 1, 0, 2], random_state=0).fit(x, y)
    assert found.scores_[0] == found.scores_[2] and np.isnan(found.pvalues_[3]) and found.reasons_[3]


def test_cuts_other_than_the_level():
    x, y = data()
    assert DoublyRobustSelector(k=3, random_state=0).fit(x, y).get_support().sum() == 3
    best = DoublyRobustSelector(threshold=0.05, random_state=0).fit(x, y)
    assert best.get_support(indices=True).tolist() == [0, 1]
    both = [DoublyRobustSelector(correction=c, alpha=0.5, random_state=0).fit(x, y) for c in ("bh", "by")]
    assert (both[0].adjusted_pvalues_ <= both[1].adjusted_pvalues_).all()


def test_categories_gaps_and_large_means():
    rng = np.random.default_rng(0)
    team, size = rng.integers(3, size=240), rng.normal(size=240)
    frame = pd.DataFrame({"team": np.array(["x", "y", "z"])[team], "size": size + 1e9, "noise": rng.normal(size=240)})
    frame.loc[::11, "noise"] = np.nan
    y = (team == 1) + np.sin(2 * size) + 0.2 * rng.normal(size=240) + 1e6
    found = DoublyRobustSelector(random_state=0).fit(frame, y)
    assert found.get_support().tolist() == [True, True, False]
    assert 0.05 < found.scores_[0] < 1.0


@pytest.mark.parametrize("learner", [None, RandomForestClassifier(20), LogisticRegression()], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(learner, n_classes):
    x = np.random.default_rng(3).normal(size=(200, 3))
    labels = np.array(["a", "b", "c"])[np.digitize(x[:, 1], [-0.4, 0.4] if n_classes == 3 else [0.0])]
    found = DoublyRobustSelector(learner, random_state=0).fit(x, labels)
    assert found.get_support(indices=True).tolist() == [1]


def test_the_result_depends_on_the_seed_and_not_on_the_engine():
    x, y = data(80)
    once, again = (DoublyRobustSelector(random_state=1, engine=e).fit(x, y).scores_ for e in ("local:1", "local:2"))
    np.testing.assert_array_equal(once, again)
    assert (once != DoublyRobustSelector(random_state=2).fit(x, y).scores_).any()


def test_a_column_that_the_learner_does_not_use_has_a_pvalue_of_one():
    x, y = data(60)
    found = DoublyRobustSelector(KernelRidge(kernel="sigmoid", gamma=1e-300, coef0=0.5), random_state=0).fit(x, y)
    assert (found.scores_ == 0).all() and (found.pvalues_ == 1).all() and not found.get_support().any()


def test_many_rows_get_trees():
    numbers, classes = target_column(np.linspace(0, 1, 30)), target_column(["a", "b"])
    assert isinstance(default_learner(3, MOST_KERNEL_ROWS, numbers), KernelRidge)
    assert "Regressor" in repr(default_learner(3, MOST_KERNEL_ROWS + 1, numbers))
    assert "Classifier" in repr(default_learner(3, MOST_KERNEL_ROWS + 1, classes))


@pytest.mark.parametrize(
    ("options", "y", "words"),
    [
        ({"alpha": 0.0}, None, "alpha"),
        ({"correction": "holm"}, None, "correction"),
        ({"groups": [0, 1]}, None, "groups has 2 labels, but X has 4 columns"),
        ({"k": 9}, None, "lower k"),
        ({"cv": 300}, None, "lower cv"),
        ({"learner": LogisticRegression()}, None, "give a regressor"),
        ({"learner": SVR()}, np.arange(150) % 3, "give a classifier"),
        ({}, np.zeros(150), "single"),
    ],
)
def test_bad_input_is_refused(options, y, words):
    x, usual = data()
    with pytest.raises(ValueError, match=words):
        DoublyRobustSelector(**options).fit(x, usual if y is None else y)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_do_not_matter(unit):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    y = x[:, 0] + x[:, 1] + 0.1 * rng.normal(size=120)
    expected = DoublyRobustSelector(random_state=0).fit(x, y)
    for found in (
        DoublyRobustSelector(random_state=0).fit(unit * x, y),
        DoublyRobustSelector(random_state=0).fit(x, unit * y),
    ):
        np.testing.assert_allclose(found.pvalues_, expected.pvalues_, rtol=1e-6, atol=1e-12)
        assert found.get_support().tolist() == [True, True, False, False]
