"""OpenFE: candidates, scores, halving, planted formulas, no leak, storage, and errors that name columns."""

import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import covey
from covey.engine import LocalEngine
from covey.generate import Columns, FeatureBoostScorer, OpenFE, Variable, _boosting, first_order_candidates, parse
from covey.generate import _boost_kernels as kernels
from covey.generate._boosting import (
    Coded,
    Coder,
    Problem,
    TreeClassifier,
    TreeRegressor,
    gains,
    grow,
    permutation_importance,
    probabilities,
    row_losses,
    scores_of,
    split_rows,
)
from covey.generate._input import target
from covey.generate.search import OPERATORS, SURE, order_digest
from covey.table import Column


@parametrize_with_checks([OpenFE(n_features=2, operators=("/", "log"), random_state=0)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=900, seed=0, gaps=False):
    """A ratio and a mean within groups, beside a word, a whole number and noise."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.uniform(0.3, 3.0, n)
    group = rng.integers(90, size=n)
    d = rng.normal(size=90)[group] + rng.normal(size=n)
    means = (np.bincount(group, d, minlength=90) / np.maximum(np.bincount(group, minlength=90), 1))[group]
    X = pd.DataFrame({"a": a, "b": b, "shop id": [f"s{k}" for k in group], "d": d, "x": rng.normal(size=n)})
    X["kids"] = rng.integers(4, size=n)
    if gaps:
        X = X.mask(rng.random(X.shape) < 0.05)
    return X, a / b + 2 * means + 0.2 * rng.normal(size=n)


FEW = ("/", "*", "mean by", "freq", "combine")


def test_candidates_of_every_operator():
    table = covey.read(
        {"u": [0.5, -1.5, 2.0, 0.1], "v": [1.0, 2.0, 4.0, 1.0], "flag": [0, 1, 1, 0], "c": ["a", "b", "a", "b"]}
    )
    found = {str(e) for e in first_order_candidates(Columns.of(table, table.names, max_ordinal=3))}
    expected = {
        *("freq(c)", "abs(u)", "log(abs(u))", "sqrt(abs(u))", "square(u)", "sigmoid(u)", "round(u)", "residual(u)"),
        *("log(v)", "sqrt(v)", "square(v)", "sigmoid(v)"),
        *(f"{op}({x}, {y})" for op in ("min", "max") for x, y in (("u", "v"), ("u", "flag"), ("v", "flag"))),
        *(f"({x} {op} {y})" for op in "+-*/" for x, y in (("u", "v"), ("u", "flag"), ("v", "flag"))),
        *("(v / u)", "(flag / u)", "(flag / v)"),
        *(
            f"{op}({x} by {g})"
            for op in ("min", "max", "mean", "median", "std", "rank")
            for x, g in (
                *(("u", "v"), ("flag", "v"), ("u", "flag"), ("v", "flag"), ("u", "c"), ("v", "c"), ("flag", "c")),
            )
        ),
        *(f"combine({x}, {y})" for x, y in (("v", "flag"), ("v", "c"), ("flag", "c"))),
        *(f"freq(combine({x}, {y}))" for x, y in (("v", "flag"), ("v", "c"), ("flag", "c"))),
        *(f"nunique({x} by {y})" for x, y in (("v", "flag"), ("v", "c"), ("flag", "c"))),
        *(f"nunique({y} by {x})" for x, y in (("v", "flag"), ("v", "c"), ("flag", "c"))),
    }
    assert found == expected
    with pytest.raises(ValueError, match="no operators 'mena by'"):
        first_order_candidates(Columns.of(table, table.names), ("mena by",))


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas, covey.read])
def test_planted_formulas_come_first(kind):
    X, y = planted()
    openfe = OpenFE(n_features=4, operators=FEW, random_state=0).fit(kind(X), y)
    assert {"(a / b)", 'mean(d by "shop id")'} <= {str(e) for e in openfe.expressions_[:3]}
    assert (np.diff(openfe.scores_) <= 0).all()
    assert len(openfe.gains_) == len(openfe.survivors_)
    assert (openfe.gains_ >= 0).all()
    out = openfe.transform(kind(X))
    assert out.shape == (len(X), X.shape[1] + 4)
    assert list(openfe.get_feature_names_out()) == [*X.columns, *map(str, openfe.expressions_)]
    np.testing.assert_allclose(out[:, X.shape[1] :], np.column_stack([e.fit_apply(X) for e in openfe.expressions_]))
    assert openfe.categorical_features_[2]


@pytest.mark.slow
def test_full_operator_set_and_missing_values():
    X, y = planted(1000, gaps=True)
    openfe = OpenFE(random_state=0).fit(X, y)
    assert openfe.n_candidates_ > 150
    names = {str(e) for e in openfe.expressions_}
    assert names & {"(a / b)"}
    assert any("by" in name and "d" in name for name in names)


def test_result_does_not_depend_on_workers():
    X, y = planted(500)
    fits = [OpenFE(operators=FEW, random_state=3, engine=LocalEngine(k)).fit(X, y) for k in (1, 3)]
    assert fits[0].survivors_ == fits[1].survivors_
    np.testing.assert_array_equal(fits[0].gains_, fits[1].gains_)
    np.testing.assert_array_equal(fits[0].transform(X), fits[1].transform(X))


def test_a_row_depends_on_no_other_row():
    X, y = planted(500)
    new, _ = planted(40, seed=1)
    new.loc[3, "shop id"] = "nowhere"
    for unseen in ("missing", "global"):
        openfe = OpenFE(operators=FEW, unseen=unseen, random_state=0).fit(X, y)
        together = openfe.transform(new)
        alone = np.vstack([openfe.transform(new.iloc[[i]]) for i in range(len(new))])
        np.testing.assert_array_equal(together, alone)
    column = list(openfe.get_feature_names_out()).index('mean(d by "shop id")')
    assert together[3, column] == pytest.approx(X.d.mean())


@pytest.mark.slow
def test_shuffled_target_gains_nothing_in_a_pipeline():
    """Features are made inside each fold: a leak would lift the score of a target that depends on nothing."""
    X, y = planted(1200)
    y = np.random.default_rng(5).permutation(y)
    learner = HistGradientBoostingRegressor(max_iter=40, learning_rate=0.05, random_state=0)
    numbers = X.assign(**{"shop id": X["shop id"].str[1:].astype(int)})
    scoring = {"cv": 4, "scoring": "neg_root_mean_squared_error"}
    before = -cross_val_score(learner, numbers, y, **scoring).mean()
    made = make_pipeline(OpenFE(operators=FEW, shrink=False, random_state=0), learner)
    after = -cross_val_score(made, X, y, **scoring).mean()
    assert after / before - 1 > -0.01


@pytest.mark.slow
def test_gain_in_a_pipeline():
    X, y = planted(1200)
    plain = OpenFE(n_features=0, random_state=0)
    made = OpenFE(n_features=4, operators=FEW, random_state=0)
    before, after = (
        cross_val_score(make_pipeline(step, HistGradientBoostingRegressor(max_iter=60, random_state=0)), X, y, cv=3)
        for step in (plain, made)
    )
    assert after.mean() > before.mean() + 0.03


def test_features_that_do_not_help_are_not_given():
    X, y = planted(600)
    shuffled = np.random.default_rng(5).permutation(y)
    none = OpenFE(operators=FEW, random_state=0).fit(X, shuffled)
    assert none.expressions_ == ()
    assert len(none.survivors_) > 10
    assert list(none.falls_) == [1, 2, 3, 5, 7, 10]
    assert none.transform(X).shape == X.shape
    all_the_same = OpenFE(operators=FEW, shrink=False, random_state=0).fit(X, shuffled)
    assert len(all_the_same.expressions_) == 10
    assert all_the_same.falls_ == {}
    labels = np.random.default_rng(5).permutation(np.repeat(["u", "v", "w"], 200))
    assert OpenFE(operators=FEW, random_state=0).fit(X, labels).expressions_ == ()


def test_features_that_help_are_given_in_the_number_that_helps_most():
    X, y = planted()
    openfe = OpenFE(operators=FEW, random_state=0).fit(X, y)
    best = max(openfe.falls_, key=lambda size: openfe.falls_[size][0])
    assert len(openfe.expressions_) == best
    fall, error = openfe.falls_[best]
    assert fall > SURE * error > 0
    assert fall / np.var(y) > 0.05


def test_held_out_rows_have_no_say_in_what_they_judge():
    """Candidates that know the target on training rows only: a search without held-out rows would keep them."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({f"x{k}": rng.normal(size=120) for k in range(12)})
    openfe = OpenFE(operators=("*", "/", "+", "-"), random_state=0).fit(X, rng.normal(size=120))
    assert openfe.n_candidates_ > 300
    assert openfe.expressions_ == ()


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**30])
def test_units_of_the_target_do_not_matter(scale):
    X, y = planted(500)
    one, other = (OpenFE(operators=FEW, random_state=0).fit(X, y * s) for s in (1.0, scale))
    assert one.expressions_ == other.expressions_ != ()
    np.testing.assert_array_equal(one.gains_ * scale**2, other.gains_)


@pytest.mark.parametrize("scale", [2.0**800, 2.0**498, 2.0**-800, 1e150, 1e-165])
def test_units_whose_squares_are_no_numbers(scale, tmp_path):
    X, y = planted(500)
    one, other = (OpenFE(operators=FEW, random_state=0).fit(X, y * s) for s in (1.0, scale))
    if np.frexp(scale)[0] == 0.5:
        assert one.expressions_ == other.expressions_ != ()
    else:  # products are rounded
        assert {"(a / b)", 'mean(d by "shop id")'} <= set(map(str, other.expressions_))
    if scale == 2.0**498:
        assert other.falls_ == {m: (fall * scale**2, error * scale**2) for m, (fall, error) in one.falls_.items()}
        np.testing.assert_array_equal(other.scores_, one.scores_ * scale**2)
        np.testing.assert_array_equal(other.gains_, one.gains_ * scale**2)
    assert np.isfinite([*other.scores_, *other.gains_, *np.ravel(list(other.falls_.values()))]).all()
    other.save(tmp_path / "features.json")


def test_units_are_not_changed_for_a_given_base_learner():
    seen = []

    class Learner(LinearRegression):
        def fit(self, X, y):
            seen.append(np.abs(y).max())
            return super().fit(X, y)

    X, y = planted(300)
    X = X.drop(columns="shop id")
    made = OpenFE(1, ("/",), base_learner=Learner(), shrink=False, random_state=0).fit(X, 2.0**200 * y)
    assert str(made.expressions_[0]) == "(a / b)"
    assert min(seen) > 2.0**190


def test_loss_of_rows_is_that_of_the_kernel():
    rng = np.random.default_rng(0)
    for loss, n_outputs in ((kernels.SQUARED, 1), (kernels.LOGISTIC, 1), (kernels.SOFTMAX, 3)):
        y, scores = rng.integers(max(2, n_outputs), size=50).astype(float), 4 * rng.normal(size=(50, n_outputs))
        assert row_losses(y, scores, loss).mean() == pytest.approx(kernels.mean_loss(loss, y, scores, 0, 50))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(n_classes):
    X, y = planted(1200)
    labels = np.array(["no", "yes", "perhaps"])[np.digitize(y, np.quantile(y, [0.5] if n_classes == 2 else [0.3, 0.7]))]
    openfe = OpenFE(n_features=4, operators=FEW, random_state=0).fit(X, labels)
    assert {"(a / b)", 'mean(d by "shop id")'} <= {str(e) for e in openfe.expressions_}
    assert list(openfe.classes_) == sorted(set(labels))


def test_saved_and_loaded(tmp_path):
    X, y = planted(500)
    openfe = OpenFE(operators=FEW, random_state=0).fit(X, y)
    openfe.save(tmp_path / "features.json")
    again = OpenFE.load(tmp_path / "features.json")
    np.testing.assert_array_equal(again.transform(X), openfe.transform(X))
    assert again.expressions_ == openfe.expressions_
    assert list(again.get_feature_names_out()) == list(openfe.get_feature_names_out())
    assert again.to_sql() == openfe.to_sql()
    assert [p.name for p in tmp_path.iterdir()] == ["features.json"]
    json.loads((tmp_path / "features.json").read_text())
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="is not a whole file of OpenFE features"):
        OpenFE.load(tmp_path / "other.json")
    with pytest.raises(ValueError, match="columns 'a' are missing"):
        again.transform(X.drop(columns="a"))


def test_files_that_cannot_be_loaded(tmp_path):
    path = tmp_path / "features.json"
    OpenFE(n_features=0, random_state=0).fit(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) / 7).save(
        path
    )
    data = json.loads(path.read_text())
    broken = [{k: v for k, v in data.items() if k != key} for key in data if key != "feature_names_in"]
    for content in (*broken, {"format": data["format"]}, [], data | {"expressions": ["log("]}, data | {"state": 3}):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="is not a whole file of OpenFE features; write one with save"):
            OpenFE.load(path)
    for number in ("2", "10"):
        path.write_text(json.dumps(data | {"format": f"covey.generate.OpenFE {number}"}))
        with pytest.raises(ValueError, match=f"format 'covey.generate.OpenFE {number}', but this version reads"):
            OpenFE.load(path)


def test_names_with_blanks_stay_as_they_are(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    X, y = planted(300)
    X = X.rename(columns={"a": " a", "x": "x ", "kids": ""})
    openfe = OpenFE(n_features=2, operators=FEW, shrink=False, random_state=0).fit(X, y)
    assert "(a / b)" in map(str, openfe.expressions_)
    assert list(openfe.get_feature_names_out()[:6]) == list(openfe.feature_names_in_) == list(X.columns)
    expected = openfe.transform(X)
    openfe.save(tmp_path / "features.json")
    again = OpenFE.load(tmp_path / "features.json")
    assert list(again.feature_names_in_) == list(X.columns)
    assert list(again.get_feature_names_out()) == list(openfe.get_feature_names_out())
    for form in (X, covey.read(X), X.rename(columns=str.strip), pl.from_pandas(X)):
        np.testing.assert_array_equal(again.transform(form), expected)
    connection = duckdb.connect()
    named = '" a" DOUBLE, b DOUBLE, "shop id" VARCHAR, d DOUBLE, "x " DOUBLE, column_5 INTEGER'
    connection.execute(f"CREATE TABLE t ({named})")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", X.values.tolist())
    rows = connection.execute(again.to_sql("t")).fetchall()
    np.testing.assert_allclose(np.array(rows, dtype=np.float64), expected, rtol=1e-12)
    assert [c[0] for c in connection.description[:6]] == [" a", "b", "shop id", "d", "x ", "column_5"]
    of_table = OpenFE(n_features=2, operators=FEW, shrink=False, random_state=0).fit(covey.read(X), y)
    np.testing.assert_array_equal(of_table.transform(X), expected)


def test_names_on_one_side_only():
    X, y = planted(300)
    X = X.drop(columns="shop id")
    of_array, of_frame = (OpenFE(operators=("/",), n_features=2, random_state=0).fit(x, y) for x in (X.to_numpy(), X))
    expected = of_frame.transform(X)
    with pytest.warns(UserWarning, match="X has feature names, but OpenFE was fitted without"):
        np.testing.assert_array_equal(of_array.transform(X), expected)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(of_frame.transform(X.to_numpy()), expected)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(of_frame.transform(X.set_axis(range(5), axis=1)), expected)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="X has 4 features, but OpenFE is expecting 5"):
        of_array.transform(X.drop(columns="a"))
    words = X.assign(c=np.repeat(["u", "v", "w"], 100))
    of_words = OpenFE(operators=FEW, n_features=2, random_state=0).fit(words, y)
    with pytest.warns(UserWarning):
        np.testing.assert_array_equal(of_words.transform(words.to_numpy(dtype=object)), of_words.transform(words))


def test_no_query_of_no_features():
    X, y = planted(60)
    nothing = OpenFE(n_features=0, keep_original=False, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"no feature was made.*keep_original=True or shrink=False"):
        nothing.to_sql()


def test_sql_of_all_features():
    duckdb = pytest.importorskip("duckdb")
    X, y = planted(300)
    openfe = OpenFE(operators=FEW, random_state=0).fit(X, y)
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t (a DOUBLE, b DOUBLE, "shop id" VARCHAR, d DOUBLE, x DOUBLE, kids INTEGER)')
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", X.values.tolist())
    rows = connection.execute(openfe.to_sql("t")).fetchall()
    found = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float64)
    np.testing.assert_allclose(found, openfe.transform(X), rtol=1e-12)


def test_columns_that_make_no_features():
    X, y = planted(300)
    X["same"], X["none"], X["key"] = 1.0, None, [f"k{i}" for i in range(300)]
    openfe = OpenFE(operators=FEW, random_state=0).fit(X, y)
    assert set(openfe.ignored_) == {"same", "none", "key"}
    assert "key" not in openfe.get_feature_names_out()
    with pytest.raises(ValueError, match="input_features is not equal"):
        openfe.get_feature_names_out(["q"] * 9)
    nothing = OpenFE(keep_original=False, random_state=0).fit(X[["same"]], y)
    assert nothing.transform(X[["same"]]).shape == (300, 0)
    only_new = OpenFE(2, FEW, keep_original=False, shrink=False, random_state=0).fit(X, y)
    assert only_new.transform(X).shape == (300, 2)


def test_wrong_columns_are_named():
    X, y = planted(300)
    openfe = OpenFE(operators=("/",), n_features=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="columns 'd', 'x' are missing"):
        openfe.transform(X.drop(columns=["d", "x"]))
    with pytest.raises(ValueError, match="columns 'a', 'b' are in another place"):
        openfe.transform(X[["b", "a", *X.columns[2:]]])
    with pytest.raises(ValueError, match="columns 'new' were not there in fit"):
        openfe.transform(X.assign(new=1))
    with pytest.raises(ValueError, match="share the names 'a'"):
        OpenFE().fit(X.set_axis(["a", "a", *X.columns[2:]], axis=1), y)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_features": -1}, "n_features must be a whole number"),
        ({"n_blocks": 6}, "power of 2"),
        ({"valid_size": 1.0}, "valid_size"),
        ({"importance": "split"}, "importance must be"),
        ({"max_columns": 0}, "max_columns"),
        ({"task": "ranking"}, "task must be"),
        ({"unseen": "zero"}, "unseen must be"),
        ({"base_learner": "mean"}, "base_learner must be"),
        ({"base_learner": HistGradientBoostingClassifier()}, "must be a regressor"),
        ({"operators": ("plus",)}, "no operators 'plus'"),
        ({"scorer": FeatureBoostScorer("xgboost")}, "booster must be"),
    ],
)
def test_bad_parameters(settings, says):
    X, y = planted(60)
    with pytest.raises(ValueError, match=says):
        OpenFE(**settings).fit(X, y)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (None, "requires y"),
        ([1.0] * 60, "single value|single class"),
        (["a"] * 60, "single class"),
        ([0.5, np.nan] * 30, "y contains NaN"),
        ([0.5] * 7, "X has 60 rows and y has 7"),
        (["a", None] * 30, "y has 30 missing values; leave out those rows"),
        (pd.Series(["a", pd.NA, "b"] * 20, dtype="string"), "y has 20 missing values"),
        (pd.Series(["a", "b"] * 29 + ["a", pd.NA], dtype=object), "y has 1 missing value;"),
        (pd.Series([0.5, 1.5, pd.NA] * 20, dtype="Float64"), "y contains NaN"),
        (pd.Series([pd.Timestamp("2024-05-31"), pd.NaT] * 30), "y has 30 missing values"),
        (np.array([0.5, np.inf] * 30, dtype=object), "y contains infinity"),
        (Column("pay", "numeric", np.array([0.5, np.nan] * 30)), "y has 30 missing values"),
    ],
)
def test_bad_target(y, says):
    with pytest.raises(ValueError, match=says):
        OpenFE().fit(planted(60)[0], y)


def test_target_kinds():
    assert target(np.array([0.5, 1.5]), 2, "auto", "x")[1] is None
    assert list(target([3, 5, 3], 3, "auto", "x")[1]) == [3, 5]
    assert target([3, 5, 3], 3, "regression", "x")[1] is None
    with pytest.raises(ValueError, match="holds words"):
        target(["a", "b"], 2, "regression", "x")


@pytest.mark.parametrize(
    ("y", "seconds"),
    [
        (np.array(["2024-01-01", "2024-01-03"], dtype="datetime64[D]"), 172800),
        (np.array([1, 3], dtype="timedelta64[h]"), 7200),
        (pd.Series(pd.to_datetime(["2024-01-01", "2024-01-03"])), 172800),
        (pd.Series(pd.to_datetime(["2024-01-01", "2024-01-03"])).dt.tz_localize("Europe/Berlin"), 172800),
        (pd.Series(pd.to_timedelta([1, 3], unit="h")), 7200),
        ([date(2024, 1, 1), date(2024, 1, 3)], 172800),
        ([timedelta(hours=1), timedelta(hours=3)], 7200),
        (Column("day", "datetime", np.array([0.0, 172800.0])), 172800),
    ],
)
def test_times_are_numbers(y, seconds):
    found, classes = target(y, 2, "auto", "x")
    assert classes is None
    assert found[1] - found[0] == seconds


def test_objects_are_what_they_hold():
    for numbers in ([0.5, 1.5], [Decimal("0.5"), Decimal("1.5")], [Fraction(1, 2), 1.5]):
        found, classes = target(np.array(numbers, dtype=object), 2, "auto", "x")
        assert classes is None
        assert found.tolist() == [0.5, 1.5]
    for values, expected in (
        (np.array([3, 5], dtype=object), [3, 5]),
        (pd.Series([True, False], dtype="boolean"), [False, True]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Series(["b", 1], dtype=object), ["1", "b"]),
        (Column("y", "boolean", np.array([1, 0], dtype=np.int32), ("no", "yes")), ["no", "yes"]),
    ):
        assert list(target(values, 2, "auto", "x")[1]) == expected


def test_a_date_is_predicted_as_a_number():
    X, y = planted(500)
    start = np.datetime64("2024-05-31T00:00:00")
    openfe = OpenFE(n_features=2, operators=FEW, random_state=0).fit(X, start + (3600 * y).astype("timedelta64[s]"))
    assert openfe.classes_ is None
    assert "(a / b)" in map(str, openfe.expressions_)


def test_few_rows_rare_classes_and_constants():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=12), "c": list("abcabcabcabc")})
    y = ["p"] * 11 + ["q"]
    assert OpenFE(random_state=0).fit(X, y).transform(X).shape[0] == 12
    large = pd.DataFrame({"a": 1e9 + rng.normal(size=400), "b": 1e9 + rng.normal(size=400)})
    found = OpenFE(n_features=1, operators=("-", "+"), random_state=0).fit(large, large.a - large.b)
    assert str(found.expressions_[0]) == "(a - b)"
    wide = rng.normal(size=(40, 60))
    assert OpenFE(max_columns=5, operators=("/",), random_state=0).fit(wide, wide[:, 3]).n_candidates_ == 20


# scores -------------------------------------------------------------------------------------------------------------


def coded(values, categorical=False):
    return Coder.learn(values, categorical)(values)


def problem_of(loss, n=1200, seed=0):
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=n), rng.uniform(0.3, 3, n), rng.normal(size=n)
    y = a / b + 0.3 * rng.normal(size=n)
    if loss == kernels.LOGISTIC:
        y = (y > 0.3).astype(float)
    if loss == kernels.SOFTMAX:
        y = np.digitize(y, [-0.5, 0.5]).astype(float)
    init = np.zeros((n, 3 if loss == kernels.SOFTMAX else 1))
    return a, b, noise, Problem(y, init, 900, loss)


@pytest.mark.parametrize("loss", [kernels.SQUARED, kernels.LOGISTIC, kernels.SOFTMAX])
@pytest.mark.parametrize("booster", ["trees", pytest.param("sklearn", marks=pytest.mark.slow), "lightgbm"])
def test_every_booster_prefers_the_ratio(booster, loss):
    if booster == "lightgbm":
        pytest.importorskip("lightgbm")
    a, b, noise, problem = problem_of(loss)
    scorer = FeatureBoostScorer(booster, with_columns=False, n_trees=8, learning_rate=0.3)
    ratio, product, useless = (scorer(coded(x), [], problem) for x in (a / b, a * b, noise))
    assert ratio > product > useless >= 0.0
    assert ratio > 0.2 * kernels.mean_loss(loss, problem.y, problem.init, 900, 1200)


@pytest.mark.slow
def test_own_trees_gain_as_much_as_those_of_scikit_learn():
    a, b, noise, problem = problem_of(kernels.SQUARED)
    columns = [coded(x) for x in (a / b, a, b, noise)]
    own, other = (
        FeatureBoostScorer(booster, n_trees=15, learning_rate=0.3).gain(columns, problem)
        for booster in ("trees", "sklearn")
    )
    assert own == pytest.approx(other, rel=0.03)


def test_beyond_columns_takes_off_what_they_gain():
    a, b, _, problem = problem_of(kernels.SQUARED)
    columns = [coded(a), coded(b)]
    plain, beyond = FeatureBoostScorer(), FeatureBoostScorer(beyond_columns=True)
    alone = plain.gain(columns, problem)
    assert beyond(coded(a / b), columns, problem) == plain(coded(a / b), columns, problem) - alone
    assert beyond(coded(a / b), columns, problem, without=0.0) == plain(coded(a / b), columns, problem)
    X, y = planted(500)
    found = OpenFE(n_features=3, operators=FEW, scorer=beyond, random_state=0).fit(X, y)
    assert 'mean(d by "shop id")' in map(str, found.expressions_)


def test_halving_keeps_what_matters_and_equal_candidates_count_once():
    X, y = planted(4000)
    alone = FeatureBoostScorer(with_columns=False)
    few = ("/", "mean by", "log", "sqrt")
    openfe = OpenFE(4, few, scorer=alone, base_learner="constant", min_candidates=16, random_state=0).fit(X, y)
    assert len(openfe.survivors_) <= 16 < openfe.n_candidates_
    assert {"(a / b)", 'mean(d by "shop id")'} <= {str(e) for e in openfe.expressions_}
    survivors = OpenFE(operators=("log", "sqrt", "square"), random_state=0).fit(X[["b"]], y).survivors_
    assert survivors == ()  # of a positive column they order rows as it does


def test_digest_is_of_the_order():
    x = np.random.default_rng(0).uniform(1, 2, 300)
    digests = {order_digest(coded(v)) for v in (x, np.log(x), 1 / x, -x, 3 * x + 1)}
    assert len(digests) == 1
    assert order_digest(coded((x - 1.5) ** 2)) not in digests
    gaps = np.where(x > 1.9, np.nan, x)
    assert order_digest(coded(gaps)) == order_digest(coded(-gaps))
    assert order_digest(coded(gaps)) not in digests


def test_importance_by_permutation():
    X, y = planted()
    openfe = OpenFE(n_features=3, operators=FEW, importance="permutation", random_state=0).fit(X, y)
    assert {"(a / b)", 'mean(d by "shop id")'} <= {str(e) for e in openfe.expressions_}
    a, b, noise, problem = problem_of(kernels.SQUARED)
    columns = [coded(a / b), coded(noise)]
    worth = permutation_importance(grow(columns, problem), columns, problem, np.random.default_rng(0))
    assert worth[0] > 10 * abs(worth[1])


@pytest.mark.parametrize("few_rows_at_a_time", [False, True])
@pytest.mark.parametrize("loss", [kernels.SQUARED, kernels.LOGISTIC, kernels.SOFTMAX])
def test_permutation_importance_is_that_of_all_trees(loss, few_rows_at_a_time, monkeypatch):
    a, b, noise, problem = problem_of(loss)
    columns = [coded(a), coded(b), coded(noise)]
    trees = grow(columns, problem)
    n = problem.n_train
    codes = np.array([column.codes[n:] for column in columns])
    order = np.random.default_rng(3).permutation(codes.shape[1])
    expected = []
    for j in range(3):
        exchanged = codes.copy()
        exchanged[j] = codes[j][order]
        losses = row_losses(problem.y[n:], trees.scores(exchanged, problem.init[n:]), loss)
        expected.append(losses.mean() - trees.best_loss)
    if few_rows_at_a_time:
        monkeypatch.setattr(_boosting, "_SAMPLE", 70)
    found = permutation_importance(trees, columns, problem, np.random.default_rng(3))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert expected[0] > 0


def test_exchanging_rows_gives_categories_that_mean_nothing_less_credit_than_gain_does():
    X, y = planted()
    rng = np.random.default_rng(4)
    X = X.assign(first=rng.choice(list("abcdef"), len(X)), second=rng.choice(list("uvwxyz"), len(X)))
    shares = []
    for importance in ("permutation", "gain"):
        made = OpenFE(100, operators=("combine", "/"), importance=importance, shrink=False, random_state=0).fit(X, y)
        worth = dict(zip(map(str, made.expressions_), made.scores_))
        shares.append(worth.get("combine(first, second)", 0.0) / sum(worth.values()))
    assert shares[0] < 0.2 * shares[1]


def test_base_learner_can_be_any():
    X, y = planted(500)
    for learner in ("constant", TransformedTargetRegressor(HistGradientBoostingRegressor(max_iter=20))):
        found = OpenFE(n_features=3, operators=FEW, base_learner=learner, random_state=0).fit(X, y)
        assert "(a / b)" in map(str, found.expressions_)
    with pytest.raises(ValueError, match="NaN"):
        OpenFE(base_learner=LinearRegression()).fit(X.mask(X.a > 1), y)


# trees --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("categorical", [False, True])
def test_trees_predict_what_they_were_grown_to(categorical):
    rng = np.random.default_rng(0)
    x = rng.integers(30, size=2000).astype(float)
    effect = rng.normal(size=30)
    y = effect[x.astype(int)] + 0.1 * rng.normal(size=2000)
    X = np.column_stack([x, rng.normal(size=2000)])
    X[::17, 0] = np.nan
    model = TreeRegressor((categorical, False), random_state=0).fit(X[:1500], y[:1500])
    assert np.corrcoef(model.predict(X[1500:]), y[1500:])[0, 1] > 0.85
    column = Coder.learn(x, categorical)(x)
    problem = Problem(y, np.zeros((2000, 1)), 1500, kernels.SQUARED)
    trees = grow([column], problem)
    again = kernels.mean_loss(
        kernels.SQUARED, y, trees.scores(column.codes[None], problem.init), problem.n_train, len(y)
    )
    assert again == pytest.approx(trees.best_loss, rel=1e-12)
    assert trees.importance[0] > 0


def cuts_of_numbers(codes):
    """Rows on the left, for every cut of a column with missing values on either side."""
    for code in range(int(codes.max()) + 1):
        yield (codes >= 1) & (codes <= code)
        yield codes <= code


def cuts_of_categories(codes, g, h, min_rows):
    """Of the categories with rows enough, the lowest or the highest by mean; 5 leaves' rows between two cuts."""
    levels = [c for c in range(int(codes.max()) + 1) if np.count_nonzero(codes == c) >= min_rows / 2]
    strongest = np.argmax(
        [sum(g[codes == c, k].sum() ** 2 / (h[codes == c, k].sum() + 10) for c in levels) for k in range(g.shape[1])]
    )
    mean = [g[codes == c, strongest].sum() / (h[codes == c, strongest].sum() + 10) for c in levels]
    rising = [levels[i] for i in np.argsort(mean, kind="stable")]
    for order in (rising, rising[::-1]):
        since = 0
        for i, code in enumerate(order[:32]):
            left = np.isin(codes, order[: i + 1])
            since += np.count_nonzero(codes == code)
            if left.sum() >= min_rows and since >= 5 * min_rows and (~left).sum() >= 5 * min_rows:
                since = 0
                yield left


@pytest.mark.parametrize("loss", [kernels.SQUARED, kernels.LOGISTIC, kernels.SOFTMAX])
@pytest.mark.parametrize("signal", [None, 3, 13, 22])
def test_the_first_split_is_the_best_one(loss, signal):
    """Against every cut of two dozen columns of numbers and categories, with ties and missing values, by definition."""
    rng = np.random.default_rng(0)
    n = 600
    columns = []
    for j in range(24):
        x = rng.integers(rng.integers(2, 40), size=n).astype(float) if j % 3 or j >= 20 else rng.normal(size=n)
        if j % 4 == 1:
            x[rng.random(n) < 0.2] = np.nan
        columns.append(coded(x, categorical=j >= 20))
    y = rng.normal(size=n)
    if signal is not None:
        y += 2.0 * (columns[signal].codes % 2 if signal >= 20 else columns[signal].codes > 3)
    y = (
        y
        if loss == kernels.SQUARED
        else np.digitize(y, [0.5] if loss == kernels.LOGISTIC else [-0.3, 0.8]).astype(float)
    )
    K = 3 if loss == kernels.SOFTMAX else 1
    both = [Coded(np.append(c.codes, c.codes), c.n_codes, c.categorical, c.values) for c in columns]
    problem = Problem(np.append(y, y), np.zeros((2 * n, K)), n, loss)
    trees = grow(both, problem, n_trees=1, max_leaves=2, patience=1)
    chance = 0.5 if loss == kernels.LOGISTIC else 1 / 3
    g = np.column_stack([chance - (y == (k if K > 1 else 1)) if loss else -y for k in range(K)])
    h = np.full((n, K), chance * (1 - chance) if loss else 1.0)

    def worth(rows, penalty):
        return sum(g[rows, k].sum() ** 2 / (h[rows, k].sum() + penalty) for k in range(K))

    every, gains_of = np.ones(n, dtype=bool), np.zeros(24)
    for j, column in enumerate(columns):
        codes = column.codes.astype(int)
        cuts = cuts_of_categories(codes, g, h, problem.min_rows) if column.categorical else cuts_of_numbers(codes)
        for left in cuts:
            if min(left.sum(), n - left.sum()) >= problem.min_rows:
                penalty = 11.0 if column.categorical else 1.0
                gain = worth(left, penalty) + worth(~left, penalty) - worth(every, 1.0)
                gains_of[j] = max(gains_of[j], gain)
    assert trees.best_loss < trees.start_loss
    assert np.flatnonzero(trees.importance).tolist() == [np.argmax(gains_of)]
    assert trees.importance.max() == pytest.approx(gains_of.max(), rel=1e-9)
    if signal is not None:
        assert np.argmax(gains_of) == signal


@pytest.mark.parametrize("loss", [kernels.SQUARED, kernels.LOGISTIC, kernels.SOFTMAX])
def test_gains_of_many_sets_are_those_of_each(loss):
    a, b, noise, problem = problem_of(loss)
    words = coded(np.digitize(a, [-1.0, 0.0, 1.0]).astype(float), True)
    sets = [[coded(a / b)], [coded(a), coded(b), words], [words], [coded(x) for x in (a, b, noise) * 4]]
    alone = [trees.start_loss - trees.best_loss for trees in (grow(columns, problem) for columns in sets)]
    assert gains(sets, problem).tolist() == alone
    assert min(alone[:2]) > 0
    assert gains([], problem).tolist() == []


def test_bins_of_many_columns_are_those_of_each():
    rng = np.random.default_rng(0)
    for n in (50, 5000):
        values = rng.normal(size=(4, n))
        values[1] = np.round(values[1])
        values[2, rng.random(n) < 0.3] = np.nan
        values[3] = np.nan
        for coder, row in zip(Coder.of_numbers(values), values):
            alone = Coder.learn(row, False)
            assert coder.edges.tolist() == alone.edges.tolist()
            codes = coder(row).codes
            assert (codes == 0).tolist() == np.isnan(row).tolist()
            present = row[codes > 0]
            below = [np.searchsorted(alone.edges, x, side="right") for x in present]
            assert codes[codes > 0].tolist() == [1 + k for k in below]
    far = np.array([-1.7e308, 0.0, 1.7e308] * 30)  # their difference is no number
    assert Coder.learn(far, False).edges.tolist() == [0.0, 1.7e308]
    counts = np.bincount(Coder.learn(values[0], False)(values[0]).codes)[1:]
    assert len(counts) == 63
    assert counts.max() < 1.3 * counts.min()


def test_classifier_probabilities():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2))
    for y in ((X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])):
        model = TreeClassifier(random_state=0).fit(X, y)
        p = model.predict_proba(X)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        assert model.score(X, y) > 0.95
        scores = scores_of(np.clip(p, 0.01, 0.99))
        assert probabilities(scores).argmax(axis=1).tolist() == p.argmax(axis=1).tolist()


def test_every_beginning_of_the_rows_is_a_sample():
    y = np.repeat([0.0, 1.0], [900, 100])
    train, valid = split_rows(y, True, 0.25, np.random.default_rng(0))
    assert sorted([*train, *valid]) == list(range(1000))
    assert len(valid) == 250
    for part in (train[:200], valid[:50]):
        assert y[part].mean() == pytest.approx(0.1, abs=0.05)


def test_rare_categories_share_a_code():
    values = np.repeat(np.arange(400.0), np.arange(400) % 7 + 1)
    column = Coder.learn(values, True)(np.append(values, [np.nan, 999.0]))
    assert column.n_codes == 256
    assert column.codes[-2:].tolist() == [0, 0]


def test_every_operator_has_a_candidate_form():
    assert len(OPERATORS) == 1 + 7 + 6 + 6 + 3
    assert parse("a") == Variable("a")
