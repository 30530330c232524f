"""The base of selectors: cuts, tables of every kind, names, targets, the greedy engine, bad input."""

import pickle
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_selection import f_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import covey.select
from covey.measure import associate
from covey.select import AssociationRanker, FunctionSelector, RankingSelector, Scores, elbow, greedy
from covey.select._base import numeric_block, sub_association, target_column
from covey.table import Column, FeatureTable, read


def f_scores(X, y, association=None):
    return f_regression(numeric_block(X), y.values)[0]


class Spread:
    """Variance of each column; its text holds no address, so that all test processes name their tests alike."""

    def __call__(self, X, y, association=None):
        return np.nanvar(numeric_block(X), axis=0)

    def __repr__(self):
        return "Spread()"


class NumbersOnly(RankingSelector):
    """A ranker of complete numeric columns that looks at no target."""

    _mixed, _missing, _supervised = False, False, False

    def __init__(self, k="all", threshold=None):
        self.k, self.threshold = k, threshold

    def _score(self, table, target, association):
        return numeric_block(table).var(axis=0)


def fixed(scores, **cut):
    """A fitted selector of columns with these scores."""
    x = np.random.default_rng(0).normal(size=(10, len(scores)))
    selector = FunctionSelector(lambda X, y, association=None: np.array(scores, dtype=float), **cut)
    return selector.fit(x, x[:, 0])


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    a = rng.normal(size=60)
    return pd.DataFrame(
        {"noise": rng.normal(size=60), "a": a, "team": np.where(a > 0, "red", "blue"), "flat": 1.0, "empty": np.nan}
    )


@parametrize_with_checks([FunctionSelector(Spread()), NumbersOnly()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_ranking_puts_ties_in_column_order_and_undefined_last():
    selector = fixed([1, np.nan, 2, 1, 2], k=2)
    assert selector.ranking_.tolist() == [3, 5, 1, 4, 2]
    assert selector.get_support(indices=True).tolist() == [2, 4]
    assert selector.reasons_[1] and not any(selector.reasons_[j] for j in (0, 2, 3, 4))


@pytest.mark.parametrize(
    "cut, kept",
    [
        ({"k": 1}, [1]),
        ({"k": 0.5}, [1, 2]),
        ({"k": 1.0}, [0, 1, 2, 4]),
        ({"k": "all"}, [0, 1, 2, 3, 4]),
        ({"k": "elbow"}, [1, 2]),
        ({"threshold": 0.1}, [0, 1, 2]),
        ({"threshold": 0.8, "k": 5}, [1, 2]),
    ],
)
def test_cuts(cut, kept):
    assert fixed([0.1, 0.9, 0.8, np.nan, 0.05], **cut).get_support(indices=True).tolist() == kept


def test_a_threshold_above_all_scores_selects_nothing_and_says_so():
    with pytest.warns(UserWarning, match="no column was selected"):
        out = fixed([1, 2], threshold=9.0).transform(np.zeros((3, 2)))
    assert out.shape == (3, 0)


def elbow_by_definition(scores):
    n = len(scores)
    height = [(s - scores[-1]) / (scores[0] - scores[-1]) - (1 - i / (n - 1)) for i, s in enumerate(scores)]
    farthest = max(range(n), key=lambda i: abs(height[i]))
    return farthest + 1 if height[farthest] > 0 else farthest


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=3, max_size=12, unique=True), st.integers(1, 9), st.integers(-99, 99))
def test_elbow_is_the_farthest_point_from_the_chord_on_any_scale(values, scale, shift):
    scores = np.sort(np.array(values, dtype=float))[::-1]
    n = len(scores)
    far = np.sort(np.abs((scores - scores[-1]) / (scores[0] - scores[-1]) - np.linspace(1, 0, n)))
    if far[-1] - far[-2] > 1e-6:  # no tie
        assert elbow(scores) == elbow_by_definition(scores)
    assert elbow(scale * scores + shift) == elbow(scores)


def test_elbow_of_few_equal_straight_and_infinite_scores():
    assert [elbow(np.array(s)) for s in ([], [1.0], [2.0, 0.0], [1.0] * 5, [4.0, 3.0, 2.0, 1.0])] == [0, 1, 2, 5, 4]
    assert elbow(np.array([np.inf, 5.0, 4.9, 0.2, 0.1, 0.0])) == 3


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas, read])
def test_the_same_kind_of_table_comes_out_with_names(frame, convert):
    X = convert(frame)
    selector = AssociationRanker(k=2).fit(X, frame["a"] > 0)
    out = selector.transform(X)
    assert type(out) is type(X)
    assert list(read(out).names) == ["a", "team"]
    assert selector.get_feature_names_out().tolist() == ["a", "team"]
    assert selector.ranking_.tolist() == [3, 2, 1, 4, 5]
    assert selector.reasons_[3:] == ("the column is constant", "every value is missing")
    assert np.isnan(selector.scores_[3:]).all()


def test_arrays_of_words_and_numbers(frame):
    X = frame[["noise", "a", "team"]].to_numpy(dtype=object)
    out = AssociationRanker(k=1).fit(X, frame["a"] > 0).transform(X)
    assert out.tolist() == frame[["team"]].to_numpy().tolist()


def test_whole_numbers_of_an_array_are_no_identifiers():
    x = np.column_stack([np.arange(40), np.random.default_rng(0).normal(size=40)])
    assert AssociationRanker(k=1).fit(x, x[:, 0] ** 2).get_support().tolist() == [True, False]
    named = pd.DataFrame(x, columns=["row_id", "b"]).astype({"row_id": int})
    assert AssociationRanker(k=1).fit(named, x[:, 0] ** 2).get_support().tolist() == [False, True]


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas, read])
def test_moved_and_missing_columns_are_named_at_transform(frame, convert):
    selector = AssociationRanker(k=1).fit(convert(frame), frame["a"])
    with pytest.raises(ValueError, match=r"(?s)same order.*Moved: 'noise', 'a'\."):
        selector.transform(convert(frame[["a", "noise", "team", "flat", "empty"]]))
    with pytest.raises(ValueError, match=r"(?s)yet now missing:\n- team"):
        selector.transform(convert(frame.drop(columns="team")))


def test_names_that_repeat_are_named(frame):
    with pytest.raises(ValueError, match="share the names 'a'; rename them"):
        AssociationRanker(k=1).fit(frame[["a", "noise", "a"]], frame["a"])


def test_set_output_and_inverse_transform(frame):
    numbers = frame[["noise", "a"]]
    selector = AssociationRanker(k=1).set_output(transform="pandas")
    assert selector.fit_transform(numbers.to_numpy(), frame["a"]).columns.tolist() == ["x1"]
    back = AssociationRanker(k=1).fit(numbers.to_numpy(), frame["a"]).inverse_transform(np.ones((2, 1)))
    assert back.tolist() == [[0, 1], [0, 1]]


def test_pipeline_and_cross_validation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 30))
    labels = np.where(x[:, 3] - x[:, 7] > 0, "up", "down")
    chosen = make_pipeline(AssociationRanker(k=2), LogisticRegression())
    assert cross_val_score(chosen, x, labels, cv=3).mean() > 0.9
    regression = make_pipeline(FunctionSelector(f_scores, k=2), LinearRegression())
    assert cross_val_score(regression, x, x[:, 3] - x[:, 7], cv=3).min() > 0.99


def test_clone_pickle_and_duplicate_columns():
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 2] = x[:, 0]
    selector = clone(AssociationRanker(k=1)).fit(x, x[:, 0])
    again = pickle.loads(pickle.dumps(selector))
    assert again.scores_[0] == again.scores_[2] and again.ranking_.tolist() == [1, 3, 2]


def test_a_share_of_the_columns_is_not_lost_to_rounding():
    x = np.random.default_rng(0).normal(size=(9, 100))
    for k in (0.07, 0.29, 0.57, 0.58):
        assert AssociationRanker("pearson", k=k).fit(x, np.arange(9) / 2).get_support().sum() == round(100 * k)


@pytest.mark.parametrize(
    "y, kind",
    [
        ([1, 2, 3, 1], "categorical"),
        ([1.0, 5.0, 1.0], "boolean"),
        ([0.5, 1.5, 2.5], "numeric"),
        (np.arange(30), "numeric"),
        (["a", "b", "c"], "categorical"),
        (np.array([True, False]), "boolean"),
        (np.array([1, 2.5], dtype=object), "numeric"),
        (pd.Series(["x", "y"], dtype="category"), "boolean"),
        (pl.Series(["x", "y", "z"]), "categorical"),
        (np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"), "numeric"),
        (Column("day", "datetime", np.array([1e9, 2e9])), "numeric"),
    ],
)
def test_kind_of_a_target(y, kind):
    assert target_column(y).kind == kind


def test_sections_of_docstrings_are_on_lines_of_their_own():
    for name in covey.select.__all__:
        assert not re.search(r"^ *[A-Z]\w+ -{4,}", getattr(covey.select, name).__doc__ or "", re.MULTILINE), name


def test_kind_of_a_target_can_be_told():
    assert target_column([1, 2, 3], "numeric").values.tolist() == [1.0, 2.0, 3.0]
    column = target_column([2.5, 1.5, 2.5], "categorical")
    assert column.categories == ("1.5", "2.5") and column.values.tolist() == [1, 0, 1]
    assert target_column([1234567.0, 1234568.0]).categories == ("1234567", "1234568")
    with pytest.raises(ValueError, match="target_kind must be"):
        target_column([1, 2], "ordinal")
    with pytest.raises(ValueError, match="y holds words"):
        target_column(["a", "b"], "numeric")


@pytest.mark.parametrize("y", [np.array(["a", None, "b"], dtype=object), pd.Series(["a", pd.NA, "b"], dtype="string")])
def test_missing_targets_are_counted(y):
    with pytest.raises(ValueError, match="y has 1 missing value;"):
        target_column(y)
    with pytest.raises(ValueError, match="y has 1 missing value;"):
        target_column(read({"y": ["a", None, "b"]})["y"])


def test_dates_and_truths_as_objects_are_read_as_a_table_reads_them():
    days = [date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 2)]
    column = target_column(days)
    assert column.kind == "numeric"
    assert np.diff(column.values).tolist() == [172800.0, -86400.0]
    assert target_column(np.array([True, False], dtype=object)).categories == ("False", "True")
    assert target_column([Decimal("0.5"), Fraction(1, 4)]).values.tolist() == [0.5, 0.25]


BAD = np.random.default_rng(0).normal(size=(20, 3))
BAD[:, 1] = 4.0


@pytest.mark.parametrize(
    "k, message",
    [
        (4, "k=4 is larger than the number of columns, 3"),
        (3, r"k=3 needs 3 columns with a score, but only 2 have one; .*'x1' \(the column is constant\)"),
        (0, "k must be"),
        (1.5, "k must be"),
        (True, "k must be"),
        ("best", "k must be"),
    ],
)
def test_bad_cuts(k, message):
    with pytest.raises(ValueError, match=message):
        AssociationRanker(k=k).fit(BAD, BAD[:, 0])


def test_bad_targets():
    with pytest.raises(ValueError, match="requires y"):
        AssociationRanker().fit(BAD)
    with pytest.raises(ValueError, match="single class"):
        AssociationRanker().fit(BAD, ["a"] * 20)
    with pytest.raises(ValueError, match="single value"):
        AssociationRanker(target_kind="numeric").fit(BAD, np.ones(20))
    with pytest.raises(ValueError, match="X has 20 rows and y has 3"):
        AssociationRanker().fit(BAD, [1, 2, 3])
    with pytest.warns(UserWarning, match="classes of one row in y: 'rare'"):
        selector = AssociationRanker(k=2).fit(BAD, ["rare"] + ["a", "b"] * 9 + ["a"])
    assert selector.get_support().tolist() == [True, False, True]


def test_a_ranker_of_numbers_refuses_words_gaps_and_classes(frame):
    with pytest.raises(ValueError, match="NumbersOnly needs numbers, but 'team' hold categories; encode"):
        NumbersOnly().fit(frame[["a", "team"]])
    with pytest.raises(ValueError, match="needs complete columns, but 'a' have missing or infinite values; impute"):
        NumbersOnly().fit(frame[["a", "noise"]].assign(a=frame["a"].where(frame["a"] < 1)))
    selector = NumbersOnly()
    selector._target_kinds = frozenset({"numeric"})
    with pytest.raises(ValueError, match="needs a numeric y, but y is boolean"):
        selector.fit(frame[["a", "noise"]], frame["team"])


def test_one_row_only_constants_and_wrong_scores(frame):
    with pytest.raises(ValueError, match="minimum of 2"):
        AssociationRanker().fit(frame[:1], [1])
    flat = AssociationRanker().fit(frame[["flat", "empty"]], frame["a"])
    assert np.isnan(flat.scores_).all() and not flat.get_support().any()
    with pytest.raises(ValueError, match=r"scores have shape \(2,\), not \(1,\)"):
        FunctionSelector(lambda X, y, association=None: np.ones(2)).fit(frame[["a", "flat"]], frame["a"])


def test_an_association_is_cut_to_the_columns_that_vary(frame):
    seen = []

    def look(X, y, association=None):
        seen.append(association)
        return Scores(np.array([1.0, 2.0, np.nan]), ("", "", "odd"))

    matrix = associate(frame[["flat", "team", "a", "noise"]])
    selector = FunctionSelector(look).fit(frame[["noise", "a", "team", "flat"]], frame["a"], association=matrix)
    assert seen[0].rows == ("noise", "a", "team")
    assert seen[0]["a", "team"] == matrix["a", "team"] and seen[0].values.shape == (3, 3)
    assert selector.reasons_ == ("", "", "odd", "the column is constant")
    with pytest.raises(ValueError, match="association lacks 'b'"):
        sub_association(matrix, ["a", "b"])
    with pytest.raises(ValueError, match="square"):
        sub_association(associate(frame, target="a"), ["team"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=6), st.integers(0, 6))
def test_greedy_is_forward_selection(sets, k):
    def gain(chosen):
        known = set().union(*(sets[j] for j in chosen))
        return np.array([len(s - known) for s in sets], dtype=float)

    told = []
    path = greedy(gain, k, callback=lambda chosen, value: told.append((chosen, value)))
    known, left = set(), list(range(len(sets)))
    for step, (j, value) in enumerate(zip(path.order, path.gains)):
        best = max(left, key=lambda c: (len(sets[c] - known), -c))
        assert j == best and value == len(sets[best] - known)
        assert told[step] == (path.order[: step + 1], value)
        known |= sets[best]
        left.remove(best)
    assert len(path.order) == min(k, len(sets))


def test_greedy_stops_and_skips_what_is_undefined():
    gains = np.array([3.0, np.nan, 1.0, 2.0])
    assert greedy(lambda chosen: gains, 9).order == (0, 3, 2)
    assert greedy(lambda chosen: gains, 9, stop=lambda chosen, best: best < 2).order == (0, 3)
    assert gains[0] == 3.0
    with pytest.raises(ValueError, match="negative"):
        greedy(lambda chosen: gains, -1)


def test_tables_need_no_frame_to_keep_their_names():
    table = read({"a": [1.0, 2.5, 3.0, 0.5], "b": ["x", "y", "y", "x"]})
    selector = AssociationRanker(k=1).fit(table, [0.0, 1.5, 2.0, -1.5])
    assert isinstance(selector.transform(table), FeatureTable)
    assert selector.feature_names_in_.tolist() == ["a", "b"]


def test_a_column_as_target_is_read_as_its_values_are():
    values = np.array([1.0, 2.0, 2.0, 1.0])
    column = Column("credit", "numeric", values)
    for kind, expected in (("auto", "boolean"), ("numeric", "numeric"), ("categorical", "boolean")):
        read_column = target_column(column, kind)
        assert read_column.kind == target_column(values, kind).kind == expected
        assert read_column.name == "credit"
    assert target_column(column).categories == ("1", "2")
    flag = Column("flag", "boolean", np.array([0, 1, 1], dtype=np.int32), ("False", "True"))
    assert target_column(flag, "numeric").values.tolist() == [0.0, 1.0, 1.0]
    words = Column("word", "categorical", np.array([0, 1, 1], dtype=np.int32), ("a", "b"))
    with pytest.raises(ValueError, match="y holds words"):
        target_column(words, "numeric")


def test_a_single_value_is_told_before_its_kind():
    x = np.random.default_rng(0).normal(size=(20, 2))
    constant = covey.read({"y": ["only"] * 20})["y"]
    for y in (constant, ["only"] * 20, np.full(20, 0.5)):
        with pytest.raises(ValueError, match=r"y has a single (class|value); there is nothing to relate to"):
            AssociationRanker().fit(x, y)


def test_numbers_of_other_types_are_numbers():
    values = [Decimal("0.1") * k for k in range(40)]
    assert target_column(np.array(values, dtype=object)).kind == "numeric"
    assert target_column(np.array([Fraction(k, 3) for k in range(40)], dtype=object)).kind == "numeric"
    np.testing.assert_allclose(target_column(np.array(values, dtype=object)).values, np.arange(40) / 10)
