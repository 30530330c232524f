"""All-relevant selection: its tests by definition, planted columns and their copies, noise, mixed kinds, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import AllRelevantSelector
from covey.select.all_relevant import shadow_test


@parametrize_with_checks([AllRelevantSelector(max_iter=2, tentative=True)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def redundant(n=300, d=12, seed=0):
    """Columns 2 and 7 decide the class, column 9 is nearly a copy of 2."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[:, 9] = x[:, 2] + 0.1 * rng.normal(size=n)
    return x, np.where(x[:, 2] + x[:, 7] > 0, "yes", "no")


def test_binomial_tests_with_the_false_discovery_rate():
    hits, n_rounds, alpha = np.array([18, 20, 9, 1, 0, 11]), 20, 0.05
    more, less = shadow_test(hits, n_rounds, alpha)
    for found, pvalues in ((more, binom.sf(hits - 1, 20, 0.5)), (less, binom.cdf(hits, 20, 0.5))):
        order = np.argsort(pvalues)
        passed = [i for i, p in enumerate(pvalues[order], 1) if p <= alpha / n_rounds * i / len(hits)]
        assert set(np.flatnonzero(found)) == set(order[: max(passed, default=0)])
    assert more.tolist() == [True, True, False, False, False, False]
    assert less.tolist() == [False, False, False, True, True, False]


def test_copies_are_relevant_too():
    x, y = redundant()
    selector = AllRelevantSelector(max_iter=20, random_state=0).fit(x, y)
    assert selector.get_support(indices=True).tolist() == [2, 7, 9]
    assert set(np.argsort(selector.ranking_)[:3]) == {2, 7, 9}
    assert (selector.decisions_[[2, 7, 9]] == "confirmed").all()
    assert (selector.scores_[[2, 7, 9]] > 1.0).all() and selector.n_iter_ <= 20


def test_noise_is_rejected():
    chosen = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(150, 15)), rng.integers(2, size=150)
        forest = ExtraTreesClassifier(10, max_depth=4)
        chosen.append(AllRelevantSelector(forest, max_iter=30, random_state=seed).fit(x, y).get_support().sum())
    assert sum(chosen) <= 1


def test_a_product_of_columns_is_seen():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(800, 8))
    selector = AllRelevantSelector(max_iter=20, random_state=0).fit(x, x[:, 1] * x[:, 6] + 0.02 * rng.normal(size=800))
    assert set(selector.get_support(indices=True)) == {1, 6}


def test_mixed_kinds_with_missing_values():
    rng = np.random.default_rng(0)
    n = 400
    team, size = rng.choice(["red", "blue", "green"], n), rng.normal(size=n)
    frame = pd.DataFrame({"noise": rng.normal(size=n), "team": team, "size": size, "constant": 1.0, "empty": np.nan})
    frame["size"] = frame["size"].where(rng.random(n) > 0.2)
    y = (team == "red") * 1.5 + size
    selector = AllRelevantSelector(max_iter=20, random_state=0).fit(frame, y)
    assert list(selector.get_feature_names_out()) == ["team", "size"]
    assert selector.decisions_.tolist()[1:] == ["confirmed", "confirmed", "", ""]
    assert [bool(why) for why in selector.reasons_] == [False, False, False, True, True]


def test_units_and_means_of_a_billion_do_not_matter():
    x, y = redundant()
    one = AllRelevantSelector(max_iter=10, random_state=0).fit(x, y)
    two = AllRelevantSelector(max_iter=10, random_state=0).fit(1e9 + np.exp(x), y)
    assert np.array_equal(one.hits_, two.hits_) and np.array_equal(one.scores_, two.scores_)


def test_the_same_seed_gives_the_same_bits():
    x, y = redundant(n=120)
    runs = [AllRelevantSelector(max_iter=6, random_state=seed).fit(x, y).scores_ for seed in (1, 1, 2)]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


def test_any_forest():
    x, y = redundant(n=200)
    forest = RandomForestClassifier(30, max_depth=4)
    selector = AllRelevantSelector(forest, max_iter=20, random_state=0).fit(x, y)
    assert {2, 7, 9} >= set(selector.get_support(indices=True)) >= {2, 9}
    assert forest.random_state is None


def test_undecided_columns_are_tentative():
    x, y = redundant()
    few = AllRelevantSelector(max_iter=3, random_state=0).fit(x, y)
    assert (few.decisions_ == "tentative").all() and few.get_support().sum() == 0
    assert AllRelevantSelector(max_iter=3, tentative=True, random_state=0).fit(x, y).get_support().all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 1.5}, r"alpha must lie in 0\.\.1, got 1\.5"),
        ({"max_iter": 0}, "max_iter must be a whole number from 1, got 0"),
        ({"max_iter": 2.5}, "max_iter must be a whole number"),
        ({"estimator": LinearRegression()}, "needs feature_importances_, which LinearRegression lacks"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        AllRelevantSelector(**parameters, target_kind="categorical").fit(redundant(n=30)[0], np.arange(30) % 2)


def test_constants_alone_and_targets_near_the_largest_float():
    none = AllRelevantSelector().fit(np.ones((20, 2)), np.linspace(0, 1, 20))
    assert none.n_iter_ == 0 and none.decisions_.tolist() == ["", ""]
    x = np.random.default_rng(0).normal(size=(60, 3))
    one, two = (AllRelevantSelector(max_iter=3, random_state=0).fit(x, y) for y in (x[:, 1], 2.0**1020 * x[:, 1]))
    assert np.array_equal(one.hits_, two.hits_)


def test_bad_targets():
    x, y = redundant(n=30)
    with pytest.raises(ValueError, match="single class"):
        AllRelevantSelector().fit(x, ["a"] * 30)
    with pytest.raises(ValueError, match="X has 30 rows and y has 10"):
        AllRelevantSelector().fit(x, y[:10])
