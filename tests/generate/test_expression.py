"""Expressions: text and tree, kinds, fit apart from apply, missing and unseen values, SQL."""

import json
import os
from datetime import date, time, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covey
from covey.generate import (
    OPERATORS,
    Expression,
    Number,
    Operator,
    State,
    Variable,
    apply_expressions,
    call,
    fit_expressions,
    get_operator,
    parse,
    register,
)
from covey.generate.operators import MAX_KNOTS, Groups, Ladder, find


def frame(n=200, seed=0, gaps=True):
    """Numbers, words, a 0/1 column, whole numbers of few values, gaps, a name with blanks and quotes."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": np.round(rng.normal(size=n), 1),
            'hours "per" week': rng.integers(1, 9, size=n).astype(float),
            "city": rng.choice(["Rome", "O'Hare", "Bern", "Oslo"], n),
            "sex": rng.choice(["f", "m"], n),
            "flag": rng.integers(2, size=n),
        }
    )
    if gaps:
        for j, name in enumerate(table.columns[:5]):
            table.loc[rng.random(n) < 0.03 * (j + 1), name] = None
    return table


numbers = st.floats(-1e6, 1e6).map(Number)
names = st.text(st.characters(categories=["L", "N", "P", "Zs", "S"]), min_size=1, max_size=8)
variables = names.map(Variable)


def grown(inner):
    def calls(name):
        operator = OPERATORS[name]
        numeric = inner.filter(lambda e: e.kind != "categorical")
        parts = [numeric if kind == "numeric" else inner for kind in operator.arguments]
        sizes = [3] * operator.n_parameters
        return st.tuples(*parts).map(lambda given: call(name, *given, parameters=sizes))

    return st.sampled_from(sorted(OPERATORS)).flatmap(calls)


expressions = st.recursive(variables | numbers, grown, max_leaves=6)


@settings(max_examples=200, deadline=None)
@given(expressions)
def test_what_is_written_is_parsed_back(expression):
    assert parse(str(expression)) == expression
    again = Expression.from_dict(json.loads(json.dumps(expression.to_dict())))
    assert again == expression
    assert again.to_dict() == expression.to_dict()
    assert hash(again) == hash(expression)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a+b*c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("(a+b)/-1.5", "((a + b) / -1.5)"),
        ("mean( x by combine(g,h) )", "mean(x by combine(g, h))"),
        ('log("two words")', 'log("two words")'),
        ('"say ""hi""" * 2', '("say ""hi""" * 2)'),
        ('"by"', '"by"'),
        ("min(a, b) - min(a by g)", "(min(a, b) - min(a by g))"),
        ("log", "log"),
        ("größe / 1e-3", "(größe / 0.001)"),
    ],
)
def test_forms(text, written):
    assert str(parse(text)) == written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a column, a number or an operator at position 1 (the end)"),
        ("log(a", "expected ')' at position 6"),
        ("a +", "position 4 (the end)"),
        ("a b", "an operator or the end at position 3 ('b')"),
        ("lag(a)", "no operator 'lag'"),
        ("mena(a by b)", "did you mean 'mean by'"),
        ("1 + log(a, b)", "'log' takes 1 arguments, not 2 at position 5"),
        ("log(combine(a, b))", "'log' needs a number, but combine(a, b) is a category at position 1"),
        ('"open', "position 1"),
        ("mean(a by)", "position 10"),
        ("a ! b", "position 3"),
        ("a + 1e999", "a number that is too large at position 5"),
        ("log(" * 5000, "nested too deeply"),
    ],
)
def test_errors_say_where(text, says):
    with pytest.raises(ValueError) as error:
        parse(text)
    assert says in str(error.value)
    assert "cannot parse" in str(error.value)


def test_facts_of_a_tree():
    e = parse("(log(a) / mean(a by combine(city, sex)))")
    assert e.columns == ("a", "city", "sex")
    assert e.depth == 3
    assert (e.kind, e.max_lag, e.row_wise) == ("numeric", 0, True)
    assert [str(part) for part in e.walk()][-1] == str(e)
    with pytest.raises(AttributeError):
        e.operator = "+"
    with pytest.raises(ValueError, match="finite"):
        Number(np.inf)
    assert str(2 / (Variable("a") + 1) - Variable("b") * 3) == "((2 / (a + 1)) - (b * 3))"


DIRECT = {
    "abs(a)": lambda t: t.a.abs(),
    "log(abs(a))": lambda t: np.log(t.a.abs()),
    "log(a)": lambda t: np.log(t.a.where(t.a > 0)),
    "sqrt(a)": lambda t: np.sqrt(t.a.where(t.a >= 0)),
    "square(a)": lambda t: t.a**2,
    "sigmoid(a)": lambda t: 1 / (1 + np.exp(-t.a)),
    "residual(a)": lambda t: t.a - np.floor(t.a),
    "round(a)": lambda t: np.round(t.a),
    "(a / flag)": lambda t: (t.a / t.flag).where(t.flag != 0),
    "min(a, b)": lambda t: t[["a", "b"]].min(axis=1, skipna=False),
    "max(a, b)": lambda t: t[["a", "b"]].max(axis=1, skipna=False),
    "freq(city)": lambda t: t.city.map(t.city.value_counts() / len(t)),
    "freq(b)": lambda t: t.b.map(t.b.value_counts() / len(t)),
    "mean(a by city)": lambda t: t.groupby("city").a.transform("mean"),
    "median(a by city)": lambda t: t.groupby("city").a.transform("median"),
    "std(a by sex)": lambda t: t.groupby("sex").a.transform("std"),
    "min(a by city)": lambda t: t.groupby("city").a.transform("min"),
    "max(a by city)": lambda t: t.groupby("city").a.transform("max"),
    "nunique(b by city)": lambda t: t.groupby("city").b.transform("nunique"),
    "mean(a by combine(city, sex))": lambda t: t.groupby(["city", "sex"]).a.transform("mean"),
    'mean(a by "hours ""per"" week")': lambda t: t.groupby('hours "per" week').a.transform("mean"),
    "combine(city, sex)": lambda t: t.groupby(["city", "sex"]).ngroup().where(t.city.notna() & t.sex.notna()),
    "city": lambda t: t.city.astype("category").cat.codes.replace(-1, np.nan),
    "freq(combine(city, sex))": lambda t: t.groupby(["city", "sex"]).a.transform("size") / len(t),
    "rank(b by city)": lambda t: (t.groupby("city").b.rank() - 0.5) / t.groupby("city").b.transform("count"),
}


@pytest.mark.parametrize("text", DIRECT)
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas, covey.read])
def test_values_are_those_of_pandas(text, kind):
    table = frame()
    found = parse(text).fit_apply(kind(table))
    expected = np.asarray(DIRECT[text](table), dtype=np.float64)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", DIRECT)
@pytest.mark.parametrize("unseen", ["missing", "global"])
def test_a_row_depends_on_no_other_row(text, unseen):
    table, new = frame(), frame(60, seed=1)
    new.loc[5, "city"], new.loc[6, "sex"], new.loc[7, 'hours "per" week'] = "Paris", "x", 99.0
    expression = parse(text)
    state = expression.fit(table, unseen)
    together = expression.apply(new, state)
    alone = np.concatenate([expression.apply(new.iloc[[i]], state) for i in range(len(new))])
    np.testing.assert_array_equal(together, alone)
    stored = State.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(together, expression.apply(new, stored))
    np.testing.assert_array_equal(together[::-1], expression.apply(covey.read(new).take(slice(None, None, -1)), state))


def test_unseen_groups():
    train = {"x": [1.0, 2.0, 6.0, None], "g": ["a", "a", "b", "c"], "h": ["u", "u", "v", "v"]}
    new = {"x": [5.0] * 5, "g": ["a", "b", "c", "z", None], "h": ["u"] * 5}
    for text, missing, overall in [
        ("mean(x by g)", [1.5, 6, np.nan, np.nan, np.nan], [1.5, 6, 3, 3, np.nan]),
        ("std(x by g)", [0.5**0.5, np.nan, np.nan, np.nan, np.nan], [0.5**0.5, 7**0.5, 7**0.5, 7**0.5, np.nan]),
        ("rank(x by g)", [1, 0, np.nan, np.nan, np.nan], [1, 0, 2 / 3, 2 / 3, np.nan]),
        ("freq(g)", [0.5, 0.25, 0.25, 0, np.nan], [0.5, 0.25, 0.25, 0, np.nan]),
        ("freq(combine(g, h))", [0.5, 0, 0, 0, np.nan], [0.5, 0, 0, 0, np.nan]),
        ("combine(g, h)", [0, np.nan, np.nan, np.nan, np.nan], [0, np.nan, np.nan, np.nan, np.nan]),
    ]:
        expression = parse(text)
        for unseen, expected in (("missing", missing), ("global", overall)):
            found = expression.apply(new, expression.fit(train, unseen))
            np.testing.assert_allclose(found, expected, err_msg=f"{text} {unseen}")


def test_a_long_ladder_is_a_sketch_within_one_knot():
    rng = np.random.default_rng(0)
    table = {"x": rng.normal(size=5000), "g": rng.choice(["a", "b"], 5000)}
    found = parse("rank(x by g)").fit_apply(table)
    exact = pd.DataFrame(table).groupby("g").x.rank(pct=True)
    assert np.abs(found - exact).max() <= 1.5 / MAX_KNOTS


def test_a_large_mean_loses_no_digits():
    x = np.array([1.0, 2.0, 4.0, 8.0]) + 1e9
    table = {"x": x, "g": ["a", "a", "b", "b"]}
    np.testing.assert_allclose(parse("mean(x by g)").fit_apply(table) - 1e9, [1.5, 1.5, 6, 6], atol=1e-6)
    np.testing.assert_allclose(parse("std(x by g)").fit_apply(table), [0.5**0.5] * 2 + [8**0.5] * 2, rtol=1e-7)


def test_kinds_of_training_hold_for_few_new_rows():
    """One row is constant, and digits in words look like numbers: what training read is what counts."""
    train = pd.DataFrame({"zip": ["1", "2", "1", "x3"], "flag": [0, 1, 1, 0], "day": pd.date_range("2024", periods=4)})
    wanted = [parse("freq(zip)"), parse("mean(flag by zip)"), parse("flag * 2"), parse("day - 0"), parse("zip")]
    state = fit_expressions(wanted, train)
    found = apply_expressions(wanted, train.iloc[[1]], state)
    np.testing.assert_array_equal(found, apply_expressions(wanted, train, state)[[1]])
    np.testing.assert_array_equal(found, apply_expressions(wanted, covey.read(train.iloc[[1]]), state))
    assert state.kinds == {"zip": "categorical", "flag": "numeric", "day": "datetime"}


def test_bad_input_names_the_column():
    table = frame()
    with pytest.raises(ValueError, match=r"columns 'c', 'd' are missing"):
        parse("(a + c) * d").fit_apply(table)
    with pytest.raises(ValueError, match="column 'city' holds categories"):
        parse("log(city)").fit_apply(table)
    with pytest.raises(ValueError, match=r"mean\(a by city\) learns from training rows"):
        parse("mean(a by city)").apply(table)
    with pytest.raises(ValueError, match="unseen must be"):
        parse("a").fit(table, unseen="zero")
    state = parse("mean(a by city)").fit(table)
    with pytest.raises(ValueError, match="columns 'city' are missing"):
        parse("mean(a by city)").apply(table.drop(columns="city"), state)
    with pytest.raises(ValueError, match="an expression has"):
        Expression.from_dict({})
    with pytest.raises(TypeError, match="parsed from text"):
        parse(3)


def test_columns_without_a_value_and_infinities():
    table = {"x": [np.inf, 1.0, 2.0], "e": [None, None, None], "g": ["a", "a", "b"]}
    assert np.isnan(parse("x + e").fit_apply(table)).all()
    np.testing.assert_array_equal(parse("mean(x by g)").fit_apply(table), [1, 1, 2])
    assert np.isnan(parse("mean(x by e)").fit_apply(table)).all()
    assert np.isnan(parse("mean(e by g)").fit_apply(table)).all()
    assert np.isnan(parse("rank(e by g)").fit_apply(table)).all()
    assert np.isnan(parse("combine(e, g)").fit_apply(table)).all()
    assert np.isnan(parse("square(square(y))").fit_apply({"y": [1e200, -1e200]})).all()


def test_find():
    words = np.array(["b", "a"], dtype=object)
    assert find((words,), (np.array(["a", "c"], dtype=object),)).tolist() == [1, -1]
    assert find((words,), (np.array([1.0]),)).tolist() == [-1]
    assert find((words[:0],), (words,)).tolist() == [-1, -1]
    three = tuple(np.array(k) for k in ([1.0, 2.0], [5.0, 6.0], [7.0, 7.0]))
    asked = tuple(np.array(k) for k in ([2.0, 1.0, 2.0], [6.0, 6.0, 5.0], [7.0, 7.0, 7.0]))
    assert find(three, asked).tolist() == [1, -1, -1]


def test_a_new_operator_is_a_few_lines():
    """A series operator with a parameter in its name and a lag."""

    def lagged_difference(x, k):
        return np.concatenate([np.full_like(x[:k], np.nan), x[k:] - x[: len(x) - k]])

    delta = Operator(
        "delta", ("numeric",), "numeric", lagged_difference, n_parameters=1, lag=lambda k: k, row_wise=False
    )
    register(delta)
    try:
        e = parse("abs(delta_2(delta_3(x)))")
        assert (e.max_lag, e.row_wise, str(e)) == (5, False, "abs(delta_2(delta_3(x)))")
        x = np.arange(8.0) ** 2
        np.testing.assert_allclose(parse("delta_2(x)").evaluate({"x": x})[2:], x[2:] - x[:-2])
        assert Expression.from_dict(e.to_dict()) == e
        with pytest.raises(ValueError, match="has no SQL"):
            e.to_sql()
        with pytest.raises(ValueError, match="takes 1 parameters, not 0"):
            parse("delta(x)")
        with pytest.raises(ValueError, match="already an operator"):
            register(delta)
    finally:
        del OPERATORS["delta"]
    with pytest.raises(ValueError, match="two arguments"):
        register(Operator("%", ("numeric",), "numeric", np.abs))
    with pytest.raises(ValueError, match="operators are"):
        get_operator("qqqqq")


def test_evaluate_takes_arrays_of_any_shape():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(parse("(x * x) - y").evaluate({"x": x, "y": x}), x * x - x)
    with pytest.raises(ValueError, match="no column 'z'"):
        parse("z + 1").evaluate({"x": x})


def test_an_empty_ladder():
    none = np.empty(0)
    ladder = Ladder((none,), np.zeros(1, dtype=np.int64), none, none)
    assert np.isnan(ladder(np.array([1.0]), Groups(np.array([0]), (np.array([2.0]),)))).all()


# SQL ----------------------------------------------------------------------------------------------------------------


def database():
    """DuckDB of this environment."""
    duckdb = pytest.importorskip("duckdb")
    return duckdb.connect()


@pytest.mark.parametrize("unseen", ["missing", "global"])
def test_sql_says_the_same(unseen):
    connection = database()
    table, new = frame(), frame(80, seed=1)
    new.loc[5, "city"], new.loc[6, "sex"], new.loc[7, 'hours "per" week'] = "Paris", "x", 99.0
    nested = ["log(abs((a / mean(a by combine(city, sex)))))", "mean(a by round(b))", "freq(round((a * 3)))"]
    for text in [*DIRECT, *nested, "nunique(city by combine(sex, combine(flag, b)))"]:
        expression = parse(text)
        state = expression.fit(table, unseen)
        in_sql = query(connection, expression.to_sql(state), new)
        np.testing.assert_allclose(in_sql, expression.apply(new, state), rtol=1e-12, atol=1e-12, err_msg=text)


def query(connection, sql, table):
    """One expression on a table, without pandas between."""
    types = ["DOUBLE" if table[name].dtype.kind in "if" else "VARCHAR" for name in table.columns]
    names = ['"' + name.replace('"', '""') + '"' for name in table.columns]
    connection.execute(f"CREATE OR REPLACE TABLE t ({', '.join(map(' '.join, zip(names, types)))})")
    rows = [[None if pd.isna(v) else v for v in row] for row in table.itertuples(index=False)]
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", rows)
    found = connection.execute(f"SELECT {sql} FROM t ORDER BY rowid").fetchall()
    return np.array([np.nan if v is None else v for (v,) in found], dtype=np.float64)


def test_sql_of_columns_named_as_its_own():
    connection = database()
    table = pd.DataFrame({"_key0": ["a", "b", "a", "c"], "_value": [1.0, 2.0, 3.0, 4.0], "__key1": list("uvuu")})
    for text in ("mean(_value by _key0)", "rank(_value by _key0)", "mean(_value by combine(_key0, __key1))"):
        expression = parse(text)
        for unseen in ("missing", "global"):
            state = expression.fit(table, unseen)
            found = query(connection, expression.to_sql(state), table)
            np.testing.assert_allclose(found, expression.apply(table, state), err_msg=text)


def test_sql_of_dates():
    connection = database()
    days = pd.to_datetime(["2024-01-01", "1969-05-06 07:08:09.25", None, "2024-01-01"], format="ISO8601")
    table = pd.DataFrame({"day": days, "v": [1.0, 2.0, 3.0, 4.0]})
    connection.execute("CREATE TABLE dates (day TIMESTAMP, v DOUBLE)")
    for day, v in zip(days, table.v):
        connection.execute("INSERT INTO dates VALUES (?, ?)", [None if pd.isna(day) else str(day), v])
    for text in ("day - 0", "mean(v by day)", "freq(day)"):
        expression = parse(text)
        state = expression.fit(table)
        rows = connection.execute(f"SELECT {expression.to_sql(state)} FROM dates").fetchall()
        found = np.array([np.nan if value is None else value for (value,) in rows])
        np.testing.assert_allclose(found, expression.apply(table, state), err_msg=text)


@pytest.mark.parametrize("unseen", ["missing", "global"])
def test_sql_takes_as_missing_what_a_table_does(unseen):
    connection = database()
    train = {"w": list("aabbcc") * 6, "x": np.arange(36.0) / 7, "text": [str(k / 7) for k in range(36)]}
    words = ["a", "?", "NA", "null", "nan", "", " b ", " NA ", "z", None]
    texts = ["1.5", "?", "NA", "null", "nan", "", " 2 ", "inf", "5e2", None]
    numbers = [1.5, np.inf, -np.inf, np.nan, 0.0, 1.0, 2.0, 3.0, 4.0, None]
    new = pd.DataFrame({"w": words, "x": numbers, "text": texts})
    formulas = ("w", "x", "text", "freq(w)", "x + text", "mean(x by w)", "rank(x by w)", "freq(x)", "log(text)")
    for text in formulas:
        expression = parse(text)
        state = expression.fit(train, unseen)
        found = query(connection, expression.to_sql(state), new)
        np.testing.assert_allclose(found, expression.apply(new, state), rtol=1e-12, err_msg=text)


def test_sql_of_truths_days_and_times():
    connection = database()
    hours = [time(1, 0, 0, 500000), time(23), time(5)]
    days, texts = [date(2024, 5, 31), date(1969, 1, 1), None], ["2024-05-31", "1969-01-01", "?"]
    table = {"on": [True, False, None], "day": days, "at": hours, "text": texts, "wait": [1.5, 2.5, 3.5]}
    connection.execute('CREATE TABLE t ("on" BOOLEAN, day DATE, "at" TIME, text VARCHAR, wait INTERVAL)')
    for row in zip(*list(table.values())[:4], (timedelta(seconds=s) for s in table["wait"])):
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", row)
    for text in ("on + 1", "day + 0", "at + 0", "text - at"):
        expression = parse(text)
        state = expression.fit(table)
        rows = connection.execute(f"SELECT {expression.to_sql(state)} FROM t").fetchall()
        found = np.array([np.nan if value is None else value for (value,) in rows])
        np.testing.assert_allclose(found, expression.apply(table, state), err_msg=text)
    seconds = f"SELECT {parse('wait + 0').to_sql()} FROM (SELECT epoch(wait) AS wait FROM t)"
    assert [value for (value,) in connection.execute(seconds).fetchall()] == table["wait"]


def test_sql_is_plain_text():
    a = 'CASE WHEN isfinite(TRY_CAST("a" AS DOUBLE)) THEN TRY_CAST("a" AS DOUBLE) END'
    assert parse("a + 0.5").to_sql() == f"({a} + 0.5e0)"
    sql = parse("freq(city)").to_sql(parse("freq(city)").fit({"city": ["O'Hare", "Bern"]}))
    assert "'O''Hare'" in sql
    assert os.linesep not in sql
