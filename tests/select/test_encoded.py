import numpy as np
import pytest
from sklearn.feature_selection import RFE, SelectKBest, SequentialFeatureSelector, VarianceThreshold, f_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import (
    AssociationRanker,
    EncodedSelector,
    InfiniteSelector,
    OMPSelector,
    RedundancyAware,
    compare_selectors,
)
from covey.table import read


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    city = np.where(rng.random(300) < 0.8, np.array(["Oslo", "Rome"])[y], rng.choice(["Bern", "Kyiv"], 300))
    size = np.where(rng.random(300) < 0.2, np.nan, rng.normal(size=300) + 1.5 * y)
    gone = np.where((rng.random(300) < 0.1 + 0.7 * y), np.nan, rng.normal(size=300))
    return read(
        {
            "noise": rng.normal(size=300),
            "city": city,
            "size": size,
            "gone": gone,
            "word": rng.choice(list("abcdef"), 300),
        }
    ), y


@pytest.mark.parametrize(
    "selector",
    [
        SelectKBest(f_classif),
        RFE(LogisticRegression(), n_features_to_select=1),
        SequentialFeatureSelector(LogisticRegression(), n_features_to_select=4, cv=3),
        OMPSelector(),
        InfiniteSelector(),
        AssociationRanker("pearson"),
    ],
    ids=lambda selector: type(selector).__name__,
)
def test_columns_of_any_kind_with_gaps(mixed, selector):
    table, y = mixed
    found = EncodedSelector(selector, k=3).fit(table, y)
    if not isinstance(selector, InfiniteSelector):
        assert set(found.get_feature_names_out()) == {"city", "size", "gone"}
    assert found.transform(table).n_columns == 3


def test_score_of_a_column_is_the_best_of_its_parts(mixed):
    table, y = mixed
    found = EncodedSelector(SelectKBest(f_classif), k="all").fit(table, y)
    by_hand = f_classif(np.array(table["city"].labels()[:, None] == ["Oslo"], dtype=float), y)[0][0]
    others = [
        f_classif((table["city"].labels() == name)[:, None].astype(float), y)[0][0] for name in ("Rome", "Bern", "Kyiv")
    ]
    assert found.scores_[1] == pytest.approx(max(by_hand, *others))


def test_complete_numbers_are_left_as_they_are():
    x = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    found = EncodedSelector(VarianceThreshold(0.5), k="all").fit(x)
    assert np.isnan(found.scores_).tolist() == [False, False, True]
    assert found.reasons_[2].startswith("not selected")


@pytest.mark.parametrize("selector", [OMPSelector(), RedundancyAware("pearson", "pearson")])
def test_one_column_of_many_levels_leaves_places_for_others(selector):
    rng = np.random.default_rng(0)
    level = rng.integers(25, size=1500)
    a, b, c = rng.normal(size=(3, 1500))
    table = read({"zip": np.array([f"z{i:02d}" for i in range(25)])[level], "a": a, "b": b, "c": c})
    y = 5 * rng.normal(size=25)[level] + 0.1 * a + 0.05 * b + 0.1 * rng.normal(size=1500)
    found = EncodedSelector(selector, k=3).fit(table, y)
    assert len(found.get_feature_names_out()) == 3 and found.scores_[0] == np.nanmax(found.scores_)


def test_columns_of_one_rank_are_ordered_by_the_estimator_where_it_can_be():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    y = 3 * x[:, 5] + x[:, 2] + 0.3 * x[:, 0] + 0.1 * rng.normal(size=200)
    ordered = EncodedSelector(RFE(LinearRegression(), n_features_to_select=3), k="all").fit(x, y)
    assert np.argsort(ordered.ranking_)[:3].tolist() == [5, 2, 0] and ordered.n_unordered_ == 0
    search = SequentialFeatureSelector(LinearRegression(), n_features_to_select=3, cv=3)
    assert EncodedSelector(search, k="all").fit(x, y).n_unordered_ == 3


@parametrize_with_checks([EncodedSelector(SelectKBest(k="all"), k="all")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_a_ranker_without_a_threshold(mixed):
    class ByVariance(OMPSelector):
        def __init__(self, k=2):
            super().__init__(k=k)

        def _score(self, table, target, association):
            return np.array([column.values.var() for column in table.columns()])

        threshold = None

    table, y = mixed
    found = compare_selectors(table, y, {"variance": ByVariance()}, sizes=[2], cv=2, inner_cv=0)
    assert not found.failures
