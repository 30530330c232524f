import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, SequentialFeatureSelector, f_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import covey
from covey.engine import LocalEngine
from covey.select import (
    AssociationRanker,
    FunctionSelector,
    RedundancyAware,
    compare_selectors,
    selection_stability,
)
from covey.select._base import numeric_block
from covey.select.comparison import _smallest_near, _typical_error


def shuffled_scores(X, y, association=None):
    return np.random.default_rng(int(1e6 * abs(numeric_block(X).sum()))).random(X.n_columns)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 12))
    y = (x[:, 2] + x[:, 7] + x[:, 9] + 0.3 * rng.normal(size=240) > 0).astype(int)
    return x, y


@pytest.fixture(scope="module")
def compared(planted):
    selectors = {"pearson": AssociationRanker("pearson"), "random": FunctionSelector(shuffled_scores)}
    return compare_selectors(*planted, selectors, learner="linear", random_state=1)


def test_recommends_the_planted_columns(compared):
    recommended = compared.recommended
    assert recommended.selector == "pearson"
    assert set(recommended.columns) == {"x2", "x7", "x9"}
    assert recommended.is_steady and recommended.stability > 0.9
    assert min(recommended.frequencies) >= 0.8
    assert recommended.score >= recommended.all_score - recommended.all_error
    assert recommended.nested_score > 0.9


def test_beats_random_selection_where_size_is_small(compared):
    mean = compared.mean_scores
    at_three = compared.sizes.index(3)
    assert mean[0, at_three] > mean[1, at_three] + 0.1
    assert compared.stability[0, at_three] > compared.stability[1, at_three] + 0.5
    assert abs(compared.stability[1, at_three]) < 0.4


def test_score_of_a_size_is_that_of_a_pipeline_with_selection_inside(planted, compared):
    x, y = planted
    seed = int(np.random.default_rng(1).integers(2**31, size=2)[0])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    pipeline = covey_pipeline(3)
    expected = cross_val_score(pipeline, x, y, cv=folds)
    np.testing.assert_allclose(compared.scores[0, compared.sizes.index(3)], expected, atol=1e-12)
    everything = cross_val_score(covey_pipeline(12), x, y, cv=folds)
    np.testing.assert_allclose(compared.all_scores, everything, atol=1e-12)


def covey_pipeline(k):
    ranker = AssociationRanker("pearson", k=k)
    return make_pipeline(StandardScaler(), ranker, LogisticRegression(max_iter=1000))


def test_selecting_outside_the_folds_would_have_leaked():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2000)), np.repeat([0, 1], 30)
    best = AssociationRanker("pearson", k=20).fit(x, y).get_support(indices=True)
    outside = cross_val_score(LogisticRegression(), x[:, best], y, cv=5).mean()
    found = compare_selectors(x, y, [AssociationRanker("pearson")], sizes=[20], learner="linear", inner_cv=2)
    inside = found.mean_scores[0, 0]
    assert outside > 0.85
    assert inside < 0.7
    assert found.recommended.nested_score < 0.7


def test_nested_score_is_not_that_of_the_best_of_many():
    """With forty selectors of noise the best looks good, its nested score does not."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 40)), np.repeat([0, 1], 30)
    selectors = {
        f"column {j}": FunctionSelector(lambda X, y, association=None, j=j: np.arange(X.n_columns) == j)
        for j in range(40)
    }
    found = compare_selectors(x, y, selectors, sizes=[1], learner="neighbours")
    assert found.mean_scores.max() > 0.64
    assert found.recommended.nested_score < 0.6


def test_mixed_columns_with_gaps(tmp_path):
    table = covey.read("covey:adult").sample(600, 0)
    y = table["income-per-year"]
    found = compare_selectors(
        table.drop(y.name), y, {"auto": AssociationRanker(), "mRMR": RedundancyAware()}, cv=3, inner_cv=0, sizes=[2, 6]
    )
    assert found.recommended.size in (2, 6, 14)
    assert set(found.recommended.columns) <= set(table.names)
    assert np.isnan(found.nested_scores).all() and np.isnan(found.recommended.nested_score)
    assert found.recommended.all_score > 0.75
    json.dumps(found.to_dict())


def test_regression_uses_r2_and_the_other_learners_work():
    x = np.random.default_rng(0).normal(size=(90, 5))
    y = x[:, 0] * 3 + x[:, 3]
    for learner in ("linear", "neighbours", "boosting", LogisticRegression):
        if learner is LogisticRegression:
            continue
        found = compare_selectors(x, y, [AssociationRanker("pearson")], cv=3, inner_cv=0, learner=learner)
        assert found.scoring == "r2"
        assert found.mean_scores[0, 1] > 0.4


def test_selectors_of_scikit_learn(planted):
    x, y = planted
    selectors = {
        "best": SelectKBest(f_classif, k=2),
        "rfe": RFE(LogisticRegression(), n_features_to_select=1),
        "model": SelectFromModel(ExtraTreesClassifier(50)),
        "forward": SequentialFeatureSelector(LogisticRegression(), n_features_to_select=3, cv=3),
    }
    found = compare_selectors(x, y, selectors, learner="linear", cv=3, inner_cv=0, sizes=[1, 3, 6])
    assert (found.mean_scores[:, 1] > 0.85).all()
    forward = found.names.index("forward")
    np.testing.assert_array_equal(found.scores[forward, 1], found.scores[forward, 2])
    assert found.agreement[0, 1] > 0.8
    np.testing.assert_allclose(found.agreement, found.agreement.T)


def test_a_selector_without_an_order_has_no_score_at_fewer_columns():
    """The effect is nearly all of the last column, so that the first one selected by position is a bad one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12))
    y = 3 * x[:, 11] + 0.3 * x[:, 4] + 0.3 * x[:, 0] + 0.1 * rng.normal(size=200)
    selectors = {
        "forward": SequentialFeatureSelector(LinearRegression(), n_features_to_select=3, cv=3),
        "rfe": RFE(LinearRegression(), n_features_to_select=3),
    }
    found = compare_selectors(x, y, selectors, sizes=[1, 2, 3, 6], learner="linear", cv=3, inner_cv=2)
    assert (
        np.isnan(found.mean_scores[0]).tolist() == np.isnan(found.stability[0]).tolist() == [True, True, False, False]
    )
    assert found.mean_scores[1, 0] > 0.95  # the three of rank 1 are ordered by their coefficients
    assert not np.isnan(found.nested_scores).any()
    assert found.table()["score"][0] is None and found.recommended.size == 3
    few = compare_selectors(x, y, selectors, sizes=[1], learner="linear", cv=3, inner_cv=0)
    assert "selects 3 columns and does not say which are the best 1" in few.failures["forward"]


def test_all_columns_are_no_subset():
    """Whether a size is the number of columns or not, keeping all is the advice where each is needed."""
    rng = np.random.default_rng(0)
    for d in (3, 4):
        x = rng.normal(size=(120, d))
        found = compare_selectors(x, x.sum(axis=1), [AssociationRanker("pearson")], learner="linear", cv=3, inner_cv=2)
        assert (found.recommended.selector, found.recommended.size) == ("all columns", d)
        np.testing.assert_array_equal(found.recommended.columns, [f"x{j}" for j in range(d)])


def test_of_equal_sizes_the_smaller_subset_is_recommended():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 8))
    y = x[:, 2] + x[:, 5] + 0.1 * rng.normal(size=150)

    def two(X, y, association=None):
        return np.where(np.isin(np.arange(X.n_columns), [2, 5]), 1.0, np.nan)

    selectors = {"five": AssociationRanker("pearson"), "two": FunctionSelector(two)}
    found = compare_selectors(x, y, selectors, sizes=[5], learner="linear", cv=3, inner_cv=2)
    assert (found.recommended.selector, found.recommended.columns) == ("two", ("x2", "x5"))


def test_every_random_learner_gets_the_seed(planted):
    learner = make_pipeline(StandardScaler(), RandomForestClassifier(4))
    first, again = (
        compare_selectors(*planted, [AssociationRanker()], sizes=[3], learner=learner, cv=3, inner_cv=0).scores
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_scores_do_not_depend_on_whether_nested_ones_are_computed(planted, compared):
    selectors = {"pearson": AssociationRanker("pearson"), "random": FunctionSelector(shuffled_scores)}
    plain = compare_selectors(*planted, selectors, learner="linear", random_state=1, inner_cv=0)
    np.testing.assert_array_equal(plain.scores, compared.scores)
    assert plain.recommended.columns == compared.recommended.columns


def test_groups_of_any_labels(planted):
    groups = np.arange(240) // 8
    words = [f"g{g}" for g in groups]
    column = covey.read({"group": words})["group"]
    scores = [
        compare_selectors(
            *planted, [AssociationRanker()], sizes=[3], cv=3, inner_cv=0, learner="linear", groups=g
        ).scores
        for g in (groups, words, column)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


def test_a_selector_that_fails_is_told_and_the_others_stay():
    table = covey.read("covey:adult").sample(200, 0)
    y = table["income-per-year"]

    def broken(X, y, association=None):
        raise ValueError("needs numbers")

    numbers = FunctionSelector(broken)
    found = compare_selectors(
        table.drop(y.name), y, {"numbers": numbers, "auto": AssociationRanker()}, cv=2, inner_cv=0, sizes=[3]
    )
    assert found.names == ("auto",)
    assert "needs numbers" in found.failures["numbers"]
    with pytest.raises(ValueError, match="no selector can be used: numbers"):
        compare_selectors(table.drop(y.name), y, {"numbers": numbers}, cv=2, inner_cv=0)


@pytest.mark.parametrize("engine", [LocalEngine(1), LocalEngine(3)], ids=["one", "three"])
def test_same_result_on_any_engine(planted, compared, engine):
    selectors = {"pearson": AssociationRanker("pearson"), "random": FunctionSelector(shuffled_scores)}
    told = []
    again = compare_selectors(
        *planted, selectors, learner="linear", random_state=1, engine=engine, progress=lambda *p: told.append(p)
    )
    np.testing.assert_array_equal(again.scores, compared.scores)
    assert again.recommended == compared.recommended
    assert told[-1][0] == told[-1][1]


def test_tables(compared):
    table, summary = compared.table(), compared.summary()
    assert len(table["selector"]) == 2 * len(compared.sizes)
    assert summary["selector"][0] == "pearson"
    assert summary["size"][0] == 3
    assert all(seconds > 0 for seconds in summary["seconds"])


def test_groups_stay_together():
    """Rows of a group are copies, so that only groups that are kept together give an honest score."""
    rng = np.random.default_rng(0)
    x, y = np.repeat(rng.normal(size=(30, 8)), 4, axis=0), np.repeat(rng.integers(2, size=30), 4)
    selector = {"pearson": AssociationRanker("pearson")}
    apart = compare_selectors(x, y, selector, inner_cv=0, sizes=[8])
    together = compare_selectors(x, y, selector, inner_cv=0, sizes=[8], groups=np.repeat(np.arange(30), 4))
    assert apart.mean_scores.max() > 0.95
    assert together.mean_scores.max() < 0.75


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [0]}, "sizes must be whole numbers from 1"),
        ({"sizes": [2.5]}, "sizes must be whole numbers from 1"),
        ({"sizes": []}, "sizes must be whole numbers from 1"),
        ({"sizes": [13]}, "sizes go up to 13, but only 12 columns vary"),
        ({"cv": 1}, "cv must be at least 2"),
        ({"inner_cv": 1}, "inner_cv 0 or at least 2"),
        ({"learner": "magic"}, "learner must be one of forest"),
        ({"selectors": {}}, "no selector to compare"),
        ({"selectors": [AssociationRanker(), AssociationRanker()]}, "several selectors are AssociationRanker"),
        ({"selectors": {"all columns": AssociationRanker()}}, "name of the baseline"),
        ({"groups": [1, 2]}, "groups has 2 entries"),
        ({"groups": [1] * 240}, "groups has 1 groups, too few"),
        ({"groups": [None] * 9 + [1] * 231}, "groups has 9 missing values"),
        ({"groups": np.repeat([1, 2], 120), "cv": 2}, "inner_cv=3 folds need as many groups, but the rows to split"),
        ({"groups": np.repeat([1, 2, 3], [236, 2, 2]), "cv": 3, "y": [0, 1] * 118 + [0] * 4}, "gets no test rows|all"),
        ({"y": (np.arange(240) > 229).astype(int), "groups": np.arange(240) // 10, "cv": 4}, "all have the class '0'"),
        ({"y": [0, 0] + [1] * 238, "cv": 2}, "of inner_cv=3 all have the class '1'; lower inner_cv"),
        ({"cv": StratifiedKFold(3)}, "cv must be at least 2 folds"),
        ({"min_stability": np.nan}, "min_stability must be a number"),
        (
            {"X": np.random.default_rng(0).normal(size=(8, 2)), "y": np.arange(8) / 3, "cv": 2},
            "r2 is undefined on the 1",
        ),
        ({"y": [0] * 240}, "y has a single class"),
        ({"y": [0, 1]}, "X has 240 rows and y has 2"),
        ({"y": [0, 0] + [1] * 238}, "classes with fewer rows than cv=5: '0' \\(2\\)"),
        ({"X": np.ones((240, 2))}, "no column of X varies"),
    ],
)
def test_bad_input(planted, change, message):
    arguments = {"X": planted[0], "y": planted[1], "selectors": [AssociationRanker()]} | change
    with pytest.raises(ValueError, match=message):
        compare_selectors(**arguments)


def test_a_class_is_no_selector(planted):
    with pytest.raises(TypeError, match="'x' must be an object with a fit method"):
        compare_selectors(*planted, {"x": AssociationRanker})


def test_stability_known_values():
    rng = np.random.default_rng(0)
    chance = np.array([rng.permutation(50) < 10 for _ in range(300)])
    assert abs(selection_stability(chance)) < 0.02
    a, b = np.arange(20) < 5, (np.arange(20) >= 2) & (np.arange(20) < 7)
    kuncheva = (3 - 25 / 20) / (5 - 25 / 20)
    assert selection_stability(np.array([a, b])) == pytest.approx(kuncheva)
    assert np.isnan(selection_stability(np.ones((3, 4), dtype=bool)))
    assert np.isnan(selection_stability(np.ones((1, 4), dtype=bool)))
    with pytest.raises(ValueError, match="must have shape"):
        selection_stability(np.ones(4, dtype=bool))


@given(arrays(bool, (4, 9)), st.permutations(range(9)), st.permutations(range(4)))
def test_stability_does_not_depend_on_order(selected, columns, rows):
    np.testing.assert_allclose(
        selection_stability(selected), selection_stability(selected[rows][:, columns]), atol=1e-12
    )


def test_one_standard_error_is_that_of_all_subsets(compared):
    own = np.append(compared.errors, compared.all_scores.std(ddof=1) / np.sqrt(5))
    assert compared.standard_error == np.median(own)
    means = compared.mean_scores
    best = max(np.max(means), compared.all_scores.mean())
    near = means >= best - compared.standard_error
    steady = near & (compared.stability >= 0.6)
    assert compared.recommended.size == min(compared.sizes[k] for _, k in np.argwhere(steady))
    for name, size in zip(*(compared.summary()[head] for head in ("selector", "size"))):
        of_one = means[compared.names.index(name)]
        assert size == compared.sizes[np.flatnonzero(of_one >= of_one.max() - compared.standard_error)[0]]


def test_one_lucky_set_of_folds_does_not_set_the_standard_error():
    alike = np.array([[0.80, 0.70, 0.90, 0.75, 0.85], [0.83, 0.73, 0.93, 0.78, 0.88]])
    lucky = np.array([[0.84, 0.84, 0.84, 0.84, 0.84]])
    scores = np.concatenate([alike, lucky])[None]
    assert _typical_error(scores, alike[0]) == pytest.approx(np.std(alike[0], ddof=1) / np.sqrt(5))
    assert _smallest_near(scores.mean(axis=-1)[0], _typical_error(scores, alike[0])) == 1


@pytest.mark.parametrize(
    ("scoring", "y"), [("accuracy", np.linspace(0.5, 9.7, 60)), ("roc_auc", np.repeat(["a", "b", "c"], 20))]
)
def test_a_score_that_does_not_suit_the_target(scoring, y):
    x = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match=f"scoring='{scoring}' does not suit this y .*; choose another"):
        compare_selectors(x, y, [AssociationRanker()], scoring=scoring, cv=3, inner_cv=0)


def test_numbers_beside_a_large_mean_are_predicted_as_well():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    y = np.round(x[:, 0] + x[:, 2], 3)
    found = [compare_selectors(x, y + mean, [AssociationRanker()], sizes=[2], cv=3, inner_cv=0) for mean in (0.0, 1e9)]
    assert found[0].recommended.score > 0.6
    assert found[1].recommended.score == pytest.approx(found[0].recommended.score, abs=0.05)
    assert found[0].to_dict()["standard_error"] == found[0].standard_error
