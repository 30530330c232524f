"""Feature programs: definitions, no look ahead, streams against columns, names, pruning, panels, SQL, spins."""

import json
import math
import pickle
import sqlite3
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.generate import parse
from covey.generate.timeseries import (
    DEFAULT_LEVELS,
    Difference,
    FeatureProgram,
    Level,
    Shift,
    Window,
    _correlation_in_pairs,
    expand_programs,
    make_spin_gas,
    uncorrelated,
)
from covey.table import read

ROWS_DEPEND = "a row's features are made of the rows before it"
EXPECTED = {
    "check_methods_subset_invariance": ROWS_DEPEND,
    "check_methods_sample_order_invariance": ROWS_DEPEND,
}

RICH = (
    Level((Difference(1), Difference(3), Window(2), Window(7), Window(4, "sum"), Shift(2)), pairs="series"),
    Level((Difference(2), Window(3), "square", "abs"), pairs="sizes", inputs="(win|diff|shift)_.*"),
)


@parametrize_with_checks(
    [FeatureProgram(), FeatureProgram([Level((Window(2), Shift(1)))], start="hold")],
    expected_failed_checks=lambda _: EXPECTED,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def walks(n=120, n_series=3, seed=0, gaps=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_series)).cumsum(axis=0)
    if gaps:
        x[rng.random(x.shape) < 0.05] = np.nan
    return x


def by_definition(formula, frame):
    """A formula over columns, with pandas."""
    name = getattr(formula, "operator", None)
    if name is None:
        return frame[formula.name]
    given = [by_definition(part, frame) for part in formula.arguments]
    (k,) = formula.parameters or (0,)
    return {
        "diff": lambda: given[0] - given[0].shift(k),
        "shift": lambda: given[0].shift(k),
        "win": lambda: given[0].rolling(k, min_periods=k).apply(math.fsum) / k,
        "sum": lambda: given[0].rolling(k, min_periods=k).apply(math.fsum),
        "-": lambda: given[0] - given[1],
        "square": lambda: given[0] ** 2,
        "abs": lambda: given[0].abs(),
        "*": lambda: given[0] * given[1],
    }[name]()


@pytest.mark.parametrize("gaps", [False, True])
def test_features_are_those_of_their_definition(gaps):
    x = walks(gaps=gaps)
    program = FeatureProgram(RICH, user=["square(x0)", "x0 * x1"], prune=None)
    found = program.fit_transform(x)
    frame = pd.DataFrame(x, columns=["x0", "x1", "x2"])
    expected = np.column_stack([by_definition(f, frame) for f in program.expressions_])
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    assert program.max_lag_ == max(f.max_lag for f in program.expressions_)
    if not gaps:
        assert_array_equal(np.isnan(found).sum(axis=0), [f.max_lag for f in program.expressions_])


@pytest.mark.parametrize("start", ["missing", "hold"])
def test_a_stream_gives_the_rows_of_transform(start):
    x = walks(gaps=True)
    program = FeatureProgram(RICH, user=["abs(x0)", "x0 * x1"], start=start).fit(walks(seed=1))
    expected = program.transform(x)
    stream, other = program.stream(), program.stream()
    rows = []
    for t, row in enumerate(x):
        rows.append(stream.update(row))
        other.update(-row)
        if t == 50:
            stream = pickle.loads(pickle.dumps(stream))
    assert_allclose(rows, expected, rtol=1e-12, atol=1e-12)
    assert_allclose([program.update(row) for row in x], expected, rtol=1e-12, atol=1e-12)
    assert_allclose(program.fit(walks(seed=1)).update(x[0]), expected[0], rtol=1e-12)  # fit starts anew


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 100))
def test_no_feature_looks_ahead(seed, cut):
    x = walks(seed=seed)
    later = x.copy()
    later[cut:] = 1e6 * np.random.default_rng(seed).normal(size=later[cut:].shape)
    program = FeatureProgram(RICH).fit(walks(seed=seed + 1))
    assert_array_equal(program.transform(x)[:cut], program.transform(later)[:cut])
    whole = FeatureProgram(RICH, prune=None)
    assert_array_equal(whole.fit_transform(x)[:cut], whole.fit_transform(later)[:cut])
    assert_array_equal(whole.transform(x[:cut]), whole.transform(x)[:cut])


def test_a_mean_of_a_billion_costs_no_digits():
    rng = np.random.default_rng(0)
    small = np.round(rng.normal(size=100_000) * 2**20) / 2**20  # exact also beside 1e9
    levels = [
        Level([Window(1000), Window(20), "square"]),
        Level([Difference(1), Window(20)], pairs="sizes", inputs="win.*|square.*"),
        Level(["square"], inputs=r"win_20\(x0\)"),
        Level(pairs="all", inputs=r"square\(win_20\(x0\)\)|win_20\(square\(x0\)\)"),
    ]
    program = FeatureProgram(levels, prune=None)
    found = dict(zip(program.fit(small[:, None]).get_feature_names_out(), program.transform(small[:, None]).T))
    large = dict(zip(program.get_feature_names_out(), program.fit_transform(small[:, None] + 1e9).T, strict=True))
    exact = np.array([math.fsum(small[t - 999 : t + 1]) / 1000 for t in (999, 50_000, 99_999)])
    assert_allclose(found["win_1000(x0)"][[999, 50_000, 99_999]], exact, atol=1e-15)
    assert_allclose(large["win_1000(x0)"][[999, 50_000, 99_999]] - 1e9, exact, atol=2e-7)  # half of the last digit
    for name in ("(win_1000(x0) - win_20(x0))", "diff_1(win_1000(x0))"):
        assert_allclose(large[name][1000:], found[name][1000:], atol=1e-14)
    (variance,) = [name for name in large if name.count("square") == 2 and " - " in name]
    assert_allclose(large[variance][100:], found[variance][100:], atol=1e-6)


def test_windows_longer_than_the_rows():
    assert_array_equal(Window(10**9)([1.0, 2.0]), [np.nan, np.nan])
    assert Window(3)([]).shape == Shift(1)(np.empty((0, 2)))[:, 0].shape == (0,)


def test_a_huge_value_leaves_with_its_window():
    x = np.zeros(200)
    x[50] = 1e300
    found = Window(10)(x)
    assert_array_equal(found[60:], 0.0)
    assert_allclose(found[50:60], 1e299)


@pytest.mark.slow
def test_a_thousand_features_of_a_hundred_thousand_rows_take_less_than_three_seconds():
    steps = [*map(Difference, (1, 5)), *map(Window, (5, 20, 60, 300)), *map(Shift, (1, 7, 30))]
    levels = [Level(steps), Level([*steps[:-1], Window(1000), Window(10, "sum")], inputs="new")]
    program = FeatureProgram(levels, prune=None).fit(walks(1200, 10))
    x = walks(100_000, 10)
    spent = []
    for _ in range(3):
        began = time.process_time()
        found = program.transform(x)
        spent.append(time.process_time() - began)
    assert found.shape[1] >= 1000
    assert min(spent) < 3.0


def test_names_are_formulas_that_are_parsed_back():
    frame = pd.DataFrame(walks(40, 2), columns=["unit price", "y"])
    program = FeatureProgram([Level([Window(20)]), Level([Difference(5)])], prune=None).fit(frame)
    names = program.get_feature_names_out()
    assert names[-1] == "diff_5(win_20(y))"
    assert names[2] == 'win_20("unit price")'
    assert [parse(name) for name in names] == program.expressions_
    assert parse("diff_5(win_20(x3))").max_lag == 24
    assert_allclose(parse(names[-1]).apply(frame), program.transform(frame)[:, -1], atol=1e-12)
    array = FeatureProgram([Level([Shift(1)])], prune=None).fit(walks(40, 2))
    assert list(array.get_feature_names_out(["a", "b"])) == ["a", "b", "shift_1(a)", "shift_1(b)"]


def test_levels_say_what_is_made():
    def names(*levels, columns=("x", "y"), **options):
        return [str(f) for f in expand_programs(columns, levels, **options)]

    two = Level([Window(2), Window(3)])
    assert names(two, columns=["x"]) == ["x", "win_2(x)", "win_3(x)"]
    assert names(Level([Shift(1)], bypass=False), columns=["x"]) == ["shift_1(x)"]
    assert names(two, Level(pairs="sizes", bypass=False)) == ["(win_2(x) - win_3(x))", "(win_2(y) - win_3(y))"]
    series = names(two, Level(pairs="series", bypass=False))
    assert series == ["(win_2(x) - win_2(y))", "(win_3(x) - win_3(y))"]
    assert len(names(two, Level(pairs="all", bypass=False))) == 6
    assert names(Level([Shift(1)]), Level([Shift(1)], inputs="all"), columns=["x"])[1:] == [
        "shift_1(x)",
        "shift_1(shift_1(x))",
    ]
    assert names(Level([Shift(1)], inputs="y")) == ["x", "y", "shift_1(y)"]
    assert names(Level(["square"]), user=["x / y"])[-1] == "square((x / y))"
    assert names() == ["x", "y"]


def test_pairs_are_counted_as_they_are_made():
    columns = [f"x{i}" for i in range(200)]
    assert len(expand_programs(columns)) == 200 * (1 + 5 + 4 + 2)
    levels = [Level([Window(2), Window(3), Shift(1)]), Level(pairs="series", bypass=False)]
    assert len(expand_programs(columns[:20], levels)) == 3 * 20 * 19 // 2
    mixed = [
        str(f) for f in expand_programs(["x", "y"], [Level([Window(2), Shift(1), Window(5)]), Level(pairs="sizes")])
    ]
    assert mixed[-2:] == ["(win_2(x) - win_5(x))", "(win_2(y) - win_5(y))"]
    with pytest.raises(ValueError, match="level 1 would make 19,900 features"):
        expand_programs(columns, [Level(pairs="all")], max_features=100)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Difference(0), "Difference looks back at least 1 row"),
        (lambda: Window(3, "median"), "statistic"),
        (lambda: Level(pairs="both"), "pairs"),
        (lambda: Level(inputs="("), "no regular expression"),
        (lambda: Level(Difference(1)), "operators must be a list"),
        (lambda: Level("square"), "operators must be a list"),
        (lambda: expand_programs(["x"], [Level(["cube"])]), "no operator 'cube'"),
        (lambda: expand_programs(["x"], user=["z + 1"]), "unknown columns 'z'"),
        (lambda: expand_programs(["x"], user=["diff_1(x)"]), "looks at other rows"),
        (lambda: expand_programs(["x"], user=["freq(x)"]), "no formula of numbers"),
        (
            lambda: expand_programs(["x", "y"], [Level([Shift(1), Shift(2)])] * 2, max_features=9),
            "level 2 would make",
        ),
        (lambda: parse("win_0(x)").evaluate({"x": np.zeros(3)}), "at least 1 row"),
    ],
)
def test_bad_programs_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_bad_tables_and_arguments_are_named():
    frame = pd.DataFrame({"a": [1.0, np.inf], "b": ["x", "y"]})
    with pytest.raises(ValueError, match="column 'b' holds no numbers"):
        FeatureProgram().fit(frame[["b"]])
    with pytest.raises(ValueError, match="column 'a' has infinite values"):
        FeatureProgram().fit(frame[["a"]])
    with pytest.raises(ValueError, match="no column 'id'"):
        FeatureProgram(entity="id").fit(frame)
    with pytest.raises(ValueError, match="needs a dataframe"):
        FeatureProgram(entity="id").fit(walks())
    with pytest.raises(ValueError, match="0 feature"):
        FeatureProgram(entity="a").fit(frame[["a"]])
    with pytest.raises(ValueError, match="start"):
        FeatureProgram(start="zero").fit(walks())
    with pytest.raises(ValueError, match="prune"):
        FeatureProgram(prune=1.5).fit(walks())
    with pytest.raises(ValueError, match="makes no feature"):
        FeatureProgram([Level(bypass=False)]).fit(walks())
    program = FeatureProgram().fit(walks())
    for row, message in ((np.zeros(2), "must have 3 values"), (np.array([0.0, np.inf, 0.0]), "infinite")):
        with pytest.raises(ValueError, match=message):
            program.update(row)
    with pytest.raises(ValueError, match="2 series, but 3 were fitted"):
        program.transform(np.zeros((2, 4, 2)))
    with pytest.raises(ValueError, match="0 times"):
        program.fit(np.zeros((2, 0, 3)))


def test_features_that_say_the_same_are_left_out():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 1))
    near = x[:, 0] + rng.normal(size=500)
    frame = pd.DataFrame({"x": x[:, 0], "again": 3.0 - 2.0 * x[:, 0], "flat": 7.0, "near": near})
    program = FeatureProgram([Level([Difference(1)])]).fit(frame)
    assert list(program.get_feature_names_out()) == ["x", "near", "diff_1(x)", "diff_1(near)"]
    assert program.pruned_ == {
        "again": "correlation -1.0000 with x",
        "flat": "does not vary",
        "diff_1(again)": "correlation -1.0000 with diff_1(x)",
        "diff_1(flat)": "does not vary",
    }
    assert program.transform(frame).shape == (500, 4)
    kept = program.fit_transform(frame)
    assert_array_equal(kept, program.transform(frame))
    strict = FeatureProgram(prune=0.9)
    correlation = np.corrcoef(strict.fit_transform(walks(600, 4))[strict.max_lag_ + 20 :].T)
    assert np.sort(np.abs(correlation[np.triu_indices(len(correlation), 1)]))[-1] < 0.93
    assert len(strict.pruned_) > 5


@pytest.mark.parametrize("limit", [0.5, 0.9, 0.999])
def test_kept_features_are_not_closer_than_the_limit(limit):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(4, 300))
    features = np.concatenate([features, features + 0.3 * rng.normal(size=(4, 300)), features + 1e-3])
    kept, reasons = uncorrelated(features, limit, [f"f{i}" for i in range(12)])
    correlation = np.abs(np.corrcoef(features))
    assert (correlation[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)] <= limit).all()
    left_out = [i for i in range(12) if i not in kept]
    assert [f"f{i}" for i in left_out] == list(reasons)
    assert all(correlation[i, [k for k in kept if k < i]].max() > limit for i in left_out)


def test_gaps_do_not_hide_features_that_say_the_same():
    rng = np.random.default_rng(0)
    x = np.column_stack([walks(400, 3), np.full(400, np.nan)])
    again = np.column_stack([x, 2.0 - x[:, 0]])
    names = FeatureProgram([Level([Difference(1)])]).fit(again).pruned_
    assert names == {"x4": "correlation -1.0000 with x0", "diff_1(x4)": "correlation -1.0000 with diff_1(x0)"}
    again[rng.random(again.shape) < 0.2] = np.nan
    program = FeatureProgram([Level([Window(4)])]).fit(again)
    assert set(program.pruned_) == {"x4", "win_4(x4)"}
    rare = np.zeros((3, 60))
    rare[0, 7], rare[1, 9], rare[2, ::2] = 1.0, 1.0, np.nan  # the second does not vary where the third is known
    assert uncorrelated(rare, 0.9, list("abc"))[1] == {"c": "does not vary"}


@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_correlations_over_rows_where_both_are_known(gap):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 6000)) + 3.0 * rng.normal(size=6000)
    x[rng.random(x.shape) < gap] = np.nan
    found = _correlation_in_pairs(x, np.arange(6000))
    assert_allclose(found, pd.DataFrame(x.T).corr(), atol=1e-12)
    few = x.copy()
    few[0, 7:], few[1, :3] = np.nan, np.nan
    assert np.isnan(_correlation_in_pairs(few, np.arange(6000))[0]).all()


def test_pruning_of_long_tables_draws_rows_and_looks_at_all_for_what_varies():
    x = np.random.default_rng(0).normal(size=(3, 60_000))
    rare = np.zeros(60_000)
    rare[31_234] = 1.0
    kept, _ = uncorrelated(np.stack([*x, rare, x[0] * 2 + 1]), 0.999, list("abcde"))
    assert kept == [0, 1, 2, 3]


def test_entities_are_series_of_their_own():
    rng = np.random.default_rng(0)
    cube = rng.normal(size=(3, 30, 2))
    program = FeatureProgram(RICH, prune=None)
    found = program.fit_transform(cube)
    assert found.shape[:2] == (3, 30)
    for one, features in zip(cube, found, strict=True):
        assert_allclose(features, program.transform(one), atol=1e-12)
    who = np.repeat(["u", "v", "w"], 30)
    mixed = np.argsort(np.tile(np.arange(30), 3), kind="stable")  # by time, entities in turn
    frame = pd.DataFrame({"id": who, "x0": cube[..., 0].ravel(), "x1": cube[..., 1].ravel()}).iloc[mixed]
    for table in (frame, pl.from_pandas(frame), read(frame)):
        by_id = FeatureProgram(RICH, prune=None, entity="id").fit(table)
        assert_allclose(by_id.transform(table), found.reshape(90, -1)[mixed], atol=1e-12)
        assert list(by_id.get_feature_names_out()) == list(program.get_feature_names_out())
    numbered = frame.assign(id=frame["id"].map({"u": 5, "v": 1, "w": 3}))
    assert_allclose(
        FeatureProgram(RICH, prune=None, entity="id").fit_transform(numbered), found.reshape(90, -1)[mixed], atol=1e-12
    )


def test_holding_the_first_row_leaves_no_gap():
    x = walks(30, 2)
    program = FeatureProgram(RICH, prune=None, start="hold")
    found = program.fit_transform(x)
    assert not np.isnan(found).any()
    before = np.concatenate([np.repeat(x[:1], program.max_lag_, axis=0), x])
    assert_allclose(found, FeatureProgram(RICH, prune=None).fit_transform(before)[program.max_lag_ :], atol=1e-12)


def test_polars_booleans_and_gaps():
    frame = pl.DataFrame({"a": [1, None, 3, 4], "b": [True, False, None, True]})
    found = FeatureProgram([Level([Difference(1)])], prune=None).fit_transform(frame)
    assert_array_equal(found[:, 2], [np.nan, np.nan, np.nan, 1.0])
    assert_array_equal(found[:, 3], [np.nan, -1.0, np.nan, np.nan])


def test_a_program_is_saved_as_json_and_cloned():
    x = walks(gaps=True)
    program = FeatureProgram(RICH, user=["x0 / 2"], start="hold").fit(x)
    again = FeatureProgram.from_dict(json.loads(json.dumps(program.to_dict())))
    assert_array_equal(again.transform(x), program.transform(x))
    assert list(again.get_feature_names_out()) == list(program.get_feature_names_out())
    assert clone(program).levels == RICH
    frame = pd.DataFrame(x, columns=list("abc"))
    framed = FeatureProgram(RICH[:1]).fit(frame)
    loaded = FeatureProgram.from_dict(json.loads(json.dumps(framed.to_dict())))
    assert_array_equal(loaded.transform(frame), framed.transform(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[["b", "a", "c"]])


def connections():
    yield "sqlite", sqlite3.connect(":memory:")
    try:
        import duckdb
    except ImportError:
        return
    yield "duckdb", duckdb.connect()


@pytest.mark.parametrize("partition", [None, "id"])
def test_a_query_gives_the_features(partition):
    x = walks(40, 2)
    x[7, 0] = np.nan
    levels = (
        Level((Difference(3), Window(4), Window(2), Shift(2), Window(3, "sum")), pairs="series"),
        Level((Difference(2), Window(3), "square"), pairs="sizes", inputs="(win|diff)_.*", bypass=False),
        Level((Window(2),), pairs="series"),
    )
    frame = pd.DataFrame({"id": np.repeat([1, 2], 20), "t": np.tile(np.arange(20), 2), "x": x[:, 0], "y y": x[:, 1]})
    program = FeatureProgram(levels, user=["x * 2"], prune=None, entity=partition)
    columns = ["x", "y y"] if partition is None else ["id", "x", "y y"]
    shown = frame if partition else frame.assign(t=np.arange(40))
    expected = program.fit_transform(shown[columns])
    for _, connection in connections():
        connection.execute('CREATE TABLE panel (id INTEGER, t INTEGER, x DOUBLE, "y y" DOUBLE)')
        rows = [[int(i), int(t), None if a != a else float(a), float(b)] for i, t, a, b in shown.to_numpy()]
        connection.executemany("INSERT INTO panel VALUES (?, ?, ?, ?)", rows)
        got = connection.execute(program.to_sql("panel", "t", partition)).fetchall()
        found = np.array(got, dtype=np.float64)[:, 1 if partition is None else 2 :]
        assert_allclose(found, expected, atol=1e-9)


def test_a_key_may_have_any_name():
    frame = pd.DataFrame({"f1": np.arange(5), "F0": 1, "x": np.arange(5.0) ** 2})
    program = FeatureProgram([Level([Difference(1)])], prune=None, entity="F0").fit(frame[["F0", "x"]])
    connection = sqlite3.connect(":memory:")
    frame.to_sql("panel", connection, index=False)
    got = connection.execute(program.to_sql("panel", "f1", "F0")).fetchall()
    assert got == [(1, 0, 0.0, None), (1, 1, 1.0, 1.0), (1, 2, 4.0, 3.0), (1, 3, 9.0, 5.0), (1, 4, 16.0, 7.0)]


def test_what_has_no_query_says_so():
    with pytest.raises(ValueError, match="start='hold'"):
        FeatureProgram(start="hold").fit(walks()).to_sql("panel", "t")


def test_default_program():
    program = FeatureProgram().fit(walks(300, 2))
    assert program.max_lag_ == 20
    assert len(program.expressions_) + len(program.pruned_) == len(expand_programs(["x0", "x1"], DEFAULT_LEVELS))


def test_few_rows_and_all_missing_columns():
    assert FeatureProgram().fit_transform([[1.0, 2.0]]).shape[0] == 1
    x = walks(30, 2)
    x[:, 1] = np.nan
    found = FeatureProgram([Level([Window(2)])]).fit_transform(x)
    assert np.isnan(found[:, 1]).all()
    flat = FeatureProgram([Level([Window(2)])]).fit(np.ones((30, 1)))
    assert list(flat.get_feature_names_out()) == ["x0"]


def test_spins_follow_their_field():
    gas = make_spin_gas(n_series=6, n_steps=20_000, random_state=0)
    chance = 1.0 / (1.0 + np.exp(-2.0 * gas.field))
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        part = (chance > low) & (chance < high)
        assert abs((gas.spins[part] > 0).mean() - chance[part].mean()) < 0.02
    assert_allclose(np.diff(gas.x, axis=0) - gas.spins, 0.0, atol=0.6)
    again = make_spin_gas(n_series=6, n_steps=20_000, random_state=0)
    assert_array_equal(again.x, gas.x)


def test_the_field_is_made_of_spins_velocities_and_accelerations():
    rng = np.random.default_rng(0)
    j, k, m = rng.normal(size=(3, 2, 2)) * 0.3
    gas = make_spin_gas(2, 300, span=5, interaction=j, velocity=k, acceleration=m, bias=[0.1, -0.2], random_state=1)
    spins = gas.spins
    for t in (20, 299):
        v = spins[t - 5 : t].sum(axis=0) / np.sqrt(5)
        before = spins[t - 10 : t - 5].sum(axis=0) / np.sqrt(5)
        h = j @ spins[t - 1] + k @ v + m @ (v - before) / np.sqrt(2) + gas.bias
        assert_allclose(gas.field[t], h, atol=1e-12)
    still = make_spin_gas(2, 2000, beta=0.0, random_state=0)
    assert abs(still.spins.mean()) < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": 0}, "at least 1"),
        ({"density": 0.0}, "density"),
        ({"interaction": np.zeros((2, 2))}, "interaction must be a number or of shape"),
        ({"bias": [1.0]}, "bias"),
    ],
)
def test_bad_gases_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_spin_gas(n_series=3, **({"n_steps": 5} | arguments))
