from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from covey.measure import associate
from covey.measure._measure import NUMBERS
from covey.measure.pearson import pearson
from tests.measure._mixed import category, common, mixed_columns, number, table, with_gaps

VALUES = arrays(np.float64, (30, 2), elements=st.floats(-100, 100, width=16))


def numbers(columns):
    return [c for c in columns if c.kind in NUMBERS]


@pytest.mark.parametrize("gaps", [0.0, 0.05, 0.4])
def test_kernel_equals_definition_on_the_common_rows(gaps):
    columns = numbers(with_gaps(mixed_columns(), gaps))
    matrix = associate(table(*columns), measure="pearson")
    for i, left in enumerate(columns):
        for j, right in enumerate(columns):
            x, y = (v.astype(float) for v in common(left, right))
            assert matrix.values[i, j] == pytest.approx(pearson(x, y), abs=1e-11), (left.name, right.name)
            assert matrix.n[i, j] == len(x)


def test_equals_pandas():
    columns = [c for c in with_gaps(mixed_columns(), 0.2) if c.kind == "numeric"]
    frame = pd.DataFrame({c.name: c.values for c in columns}).drop(columns="far")  # pandas loses digits on it
    np.testing.assert_allclose(associate(frame, measure="pearson").values, frame.corr(), atol=1e-9)


def test_anscombe():
    """The first of Anscombe's data sets (1973): r = 0.81642."""
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    assert associate(np.column_stack([x, y]), measure="pearson").values[0, 1] == pytest.approx(0.81642, abs=5e-6)


def test_digits_survive_a_huge_mean():
    """As in NIST's NumAcc4: a signal of 0.1 on a mean of 10^7, and of 1 on 10^9."""
    x = np.tile([0.0, 1.0, 0.0, -1.0], 250)
    y = np.tile([0.0, 1.0, 1.0, -1.0], 250)
    for scale, mean in ((0.1, 1e7), (1.0, 1e9), (1.0, -1e12)):
        value = associate(np.column_stack([mean + scale * x, y]), measure="pearson").values[0, 1]
        assert value == pytest.approx(pearson(x, y), abs=1e-7 if mean == 1e7 else 1e-12)


def test_digits_survive_where_the_common_rows_are_far_from_the_others():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2000))
    far = np.concatenate([np.zeros(2000), 1e9 + x])
    late = np.concatenate([np.full(2000, np.nan), x + y])
    value = associate(table(number("far", far), number("late", late)), measure="pearson").values[0, 1]
    assert value == pytest.approx(pearson(1e9 + x, x + y), abs=1e-12)


def test_digits_survive_when_the_sampled_rows_are_missing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20000))
    x += 1e9
    x[::2] = np.nan  # the rows by which the columns are centred
    present = ~np.isnan(x)
    value = associate(np.column_stack([x, y]), measure="pearson").values[0, 1]
    assert value == pytest.approx(pearson(x[present], y[present]), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e-60, 1e100, 1e290])
def test_extreme_scales(scale):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 100))
    value = associate(np.column_stack([scale * x, x + y]), measure="pearson").values[0, 1]
    assert value == pytest.approx(pearson(x, x + y), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(VALUES, st.floats(0.1, 50), st.floats(-100, 100), st.randoms(use_true_random=False))
def test_invariances(values, scale, shift, random):
    def value(v):
        return associate(table(number("a", v[:, 0]), number("b", v[:, 1])), measure="pearson").values[0, 1]

    before = value(values)
    if np.isnan(before):
        assert min(np.ptp(values, axis=0)) == 0
        return
    order = list(range(len(values)))
    random.shuffle(order)
    assert value(values[order]) == pytest.approx(before, abs=1e-9)
    assert value(values[:, ::-1]) == before
    moved = values * [scale, -1.0] + [shift, 0.0]
    if np.ptp(moved[:, 0]) > 1e-6:
        assert value(moved) == pytest.approx(-before, abs=1e-6)


@pytest.mark.parametrize("constant", [0.1, 1e9 + 0.1, 0.0])
def test_a_column_that_is_constant_on_the_common_rows(constant):
    x = np.concatenate([np.full(50, constant), np.arange(50.0)])
    y = np.concatenate([np.arange(50.0), np.full(50, np.nan)])
    matrix = associate(table(number("x", x), number("y", y)), measure="pearson")
    assert np.isnan(matrix["x", "y"]) and np.isnan(matrix.pvalues[0, 1])
    assert "constant" in matrix.reason("x", "y")


def test_definition_of_a_constant_is_undefined():
    assert np.isnan(pearson(np.full(3, 0.1), np.array([1.0, 2.0, 3.0])))
    assert np.isnan(pearson(np.array([]), np.array([])))


def test_booleans_count_as_numbers_and_categories_do_not():
    x = np.arange(6.0)
    matrix = associate(
        table(number("x", x), category("flag", x > 2, kind="boolean"), category("team", x % 3)), measure="pearson"
    )
    assert matrix["x", "flag"] == pytest.approx(np.corrcoef(x, x > 2)[0, 1])
    assert "does not apply" in matrix.reason("x", "team")
    assert matrix.n[0, 2] == 6
