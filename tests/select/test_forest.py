"""Importance in a forest, with the least important columns left out again and again."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import covey
from covey.select import ForestSelector, compare_selectors
from covey.select._forest import TreeAverageClassifier, TreeAverageRegressor


@parametrize_with_checks([ForestSelector(n_estimators=5)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def product(n=500, p=12, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, p))
    return x, x[:, 2] * x[:, 9]


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_finds_a_product_that_no_column_shows_alone(classes, seed):
    x, y = product(seed=seed)
    y = y > 0 if classes else y
    assert ForestSelector(k=2, random_state=seed).fit(x, y).get_support(indices=True).tolist() == [2, 9]
    noise = np.random.default_rng(20 + seed).permutation(y)
    assert ForestSelector(k=2, random_state=seed).fit(x, noise).get_support(indices=True).tolist() != [2, 9]


def test_columns_that_share_their_importance_come_back_when_others_leave():
    """Five copies of what matters most in one forest look like less than a weaker column that has none."""
    rng = np.random.default_rng(1)
    strong, weak = rng.normal(size=(2, 600))
    copies = strong[:, None] + 0.05 * rng.normal(size=(600, 40))
    x = np.column_stack([copies, weak, rng.normal(size=(600, 60))])
    y = 1.2 * strong + weak
    one = ForestSelector(random_state=0).fit(x, y)
    again = ForestSelector(k=2, random_state=0).fit(x, y)
    assert one.n_forests_ == 1 and again.n_forests_ > 10
    assert one.scores_[40] > 3 * one.scores_[:40].max()
    assert again.get_support()[40] and again.get_support()[:40].sum() == 1
    assert again.scores_[:40].max() > 5 * one.scores_[:40].max()


def test_best_of_the_best_are_the_best():
    x, y = product()
    few, many = (ForestSelector(k=k, n_estimators=20, random_state=0).fit(x, y) for k in (2, 7))
    np.testing.assert_array_equal(few.ranking_, many.ranking_)
    assert sorted(few.ranking_) == list(range(1, 13))
    share = ForestSelector(k=0.29, n_estimators=20, random_state=0).fit(x, y)
    np.testing.assert_array_equal(share.ranking_, few.ranking_)
    assert share.get_support().sum() == 3


def test_scores_of_one_forest_sum_to_one_and_order_it():
    x, y = product()
    selector = ForestSelector(k="elbow", n_estimators=20, random_state=0).fit(x, y)
    assert selector.scores_.sum() == pytest.approx(1.0)
    assert (np.diff(selector.scores_[np.argsort(selector.ranking_)]) <= 0).all()


def test_score_of_a_size_does_not_depend_on_the_other_sizes():
    """Of many columns that say the same, the best few are not the first of one forest of all."""
    rng = np.random.default_rng(0)
    z, alone = rng.normal(size=(300, 2)), rng.normal(size=300)
    copies = z[:, np.repeat([0, 1], 20)] + 0.3 * rng.normal(size=(300, 40))
    x = np.column_stack([copies, alone, rng.normal(size=(300, 5))])
    y = (z[:, 0] + z[:, 1] + 0.9 * alone > 0).astype(int)
    found = [
        compare_selectors(x, y, {"f": ForestSelector(n_estimators=30)}, sizes=sizes, cv=3, inner_cv=0).mean_scores[0, 0]
        for sizes in ([3], [3, 40])
    ]
    assert found[0] == found[1]


def test_number_of_forests():
    x, y = product(100)
    counts = [
        ForestSelector(k=k, step=step, n_estimators=3, random_state=0).fit(x, y).n_forests_
        for k, step in ((12, 1.0), (3, 0.5), (0.25, 0.5), ("all", 0.5), (1, 0.01), ("elbow", 0.2))
    ]
    assert counts == [2, 4, 4, 4, 12, 1]


def test_units_and_large_means_do_not_matter():
    x, y = product()
    one = ForestSelector(k=3, n_estimators=20, random_state=0).fit(x, y)
    again = ForestSelector(k=3, n_estimators=20, random_state=0).fit(2.0**-700 * x, y)
    np.testing.assert_array_equal(again.scores_, one.scores_)
    for other in (np.exp(3 * x), 1e9 + x, 1e308 * (x / np.abs(x).max())):
        found = ForestSelector(k=2, n_estimators=20, random_state=0).fit(other, y)
        assert set(found.ranking_.argsort()[:2]) == set(one.ranking_.argsort()[:2])
    np.testing.assert_allclose(
        ForestSelector(k=3, n_estimators=20, random_state=0).fit(x, 2.0**1000 * y).scores_, one.scores_
    )


def test_a_few_far_values_do_not_hide_a_column():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 30))
    y = x[:, 3] + 0.5 * rng.normal(size=400) > 0
    x[:4, 3] = 1e9  # a cut at random between the ends of its range falls between these and all others
    assert ForestSelector(k=1, random_state=0).fit(x, y).get_support(indices=True).tolist() == [3]


def test_same_seed_same_result():
    x, y = product(200)
    first, again, other = (
        ForestSelector(k=3, n_estimators=5, random_state=seed).fit(x, y).scores_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_mixed_columns_with_gaps():
    rng = np.random.default_rng(0)
    city = rng.choice(["a", "b", "c"], 400)
    size = rng.normal(size=400)
    frame = pd.DataFrame({"noise": rng.normal(size=400), "city": city, "size": size, "same": 1.0})
    frame.loc[::7, "size"] = np.nan
    selector = ForestSelector(k=2, random_state=0).fit(frame, size + 2 * (city == "b"))
    assert selector.get_feature_names_out().tolist() == ["city", "size"]
    assert selector.reasons_[3]


def test_any_estimator_with_importances():
    x, y = product()
    selector = ForestSelector(k=2, estimator=RandomForestRegressor(20), random_state=0).fit(x, y)
    assert selector.get_support(indices=True).tolist() == [2, 9]
    with pytest.raises(ValueError, match="feature_importances_, which LogisticRegression lacks"):
        ForestSelector(k=2, estimator=LogisticRegression()).fit(x, y > 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"step": 0.0}, r"step must lie in \(0, 1\], got 0.0"),
        ({"step": 1.5}, "step must lie"),
        ({"step": float("nan")}, "step must lie"),
        ({"n_estimators": 0}, "n_estimators must be a whole number from 1"),
        ({"min_samples_leaf": 0}, "min_samples_leaf must be a whole number from 1"),
        ({"k": 13}, "k=13 is larger than the number of columns, 12"),
    ],
)
def test_bad_parameters(parameters, message):
    x, y = product(40)
    with pytest.raises(ValueError, match=message):
        ForestSelector(**parameters).fit(x, y)


def test_numbers_that_say_nothing_do_not_come_before_a_flag_that_does():
    rng = np.random.default_rng(0)
    flag = rng.integers(2, size=400)
    x = np.column_stack([rng.normal(size=(400, 8)), flag])
    y = np.where(rng.random(400) < 0.6, rng.integers(2, size=400), flag)
    assert ForestSelector(k=1, random_state=0).fit(x, y).get_support(indices=True).tolist() == [8]
    to_single_rows = ForestSelector(k=9, min_samples_leaf=1, random_state=0).fit(x, y)
    assert to_single_rows.ranking_[8] > 1


@pytest.mark.slow
def test_madelon():
    table = covey.read("covey:madelon")
    true = {
        f"x{j}"
        for j in (28, 48, 64, 105, 128, 153, 241, 281, 318, 336, 338, 378, 433, 442, 451, 453, 455, 472, 475, 493)
    }
    selector = ForestSelector(k=20, random_state=0).fit(table.drop("class"), table["class"])
    assert set(selector.get_feature_names_out()) == true


def test_importances_are_those_of_scikit_learn_on_average():
    x, y = product(800, 10)
    mine = TreeAverageClassifier(200, random_state=0).fit(x, y > 0).feature_importances_
    theirs = ExtraTreesClassifier(200, random_state=0).fit(x, y > 0).feature_importances_
    np.testing.assert_allclose(mine, theirs, atol=0.02)
    assert TreeAverageRegressor(5, random_state=0, max_features=1).fit(
        x, y
    ).feature_importances_.sum() == pytest.approx(1)


@pytest.mark.parametrize(("mean", "unit"), [(1e9, 1.0), (0.0, 2.0**1000), (0.0, 2.0**-1000)])
def test_forest_learner_whatever_the_mean_and_unit_of_the_target(mean, unit):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6))
    y = np.round(x[:, 0] + x[:, 1] * x[:, 2], 3)
    plain = TreeAverageRegressor(20, random_state=0).fit(x[:200], y[:200])
    other = TreeAverageRegressor(20, random_state=0).fit(x[:200], mean + unit * y[:200])
    score = plain.score(x[200:], y[200:])
    assert score > 0.4
    shown = (other.predict(x[200:]) - mean) / unit
    assert 1 - np.var(y[200:] - shown) / np.var(y[200:]) == pytest.approx(score, abs=0.03)
    assert TreeAverageRegressor(2, random_state=0).fit(x, np.full(300, 7.5)).predict(x[:1]) == pytest.approx(7.5)
