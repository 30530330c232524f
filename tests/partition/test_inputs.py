"""A party's columns as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from covey.partition._inputs import Encoder, n_rows, numeric_block, split_rows, take_rows
from covey.table import read


@given(st.integers(2, 30), st.integers(1, 4), st.sampled_from([0.0, 1e9]), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_numbers_are_standardised(n, m, mean, seed):
    X = np.random.default_rng(seed).normal(size=(n, m)) + mean
    np.testing.assert_allclose(Encoder().fit(X).transform(X), StandardScaler().fit_transform(X), rtol=1e-5, atol=1e-5)


def test_missing_is_the_mean_and_constants_are_0():
    X = np.array([[1.0, 7.0, np.nan], [np.nan, 7.0, np.nan], [3.0, 7.0, np.nan]])
    assert Encoder().fit(X).transform(X).tolist() == [[-1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_categories_become_indicators():
    train = read({"a": ["x", "y", "x", None], "b": [1.0, 2.0, 3.0, 4.0]})
    encoder = Encoder().fit(train)
    assert (encoder.n_inputs, encoder.n_outputs) == (2, 3)
    test = read({"a": ["y", "z", "x", None], "b": [2.5] * 4})
    assert encoder.transform(test).tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_codes_do_not_depend_on_the_rows_that_are_there():
    whole = read({"a": ["u", "v", "w", "w", "v", "w"], "b": [0.0] * 6})
    encoder = Encoder().fit(whole)
    np.testing.assert_array_equal(encoder.transform(whole.take(np.array([2, 5]))), encoder.transform(whole)[[2, 5]])


def test_at_most_32_categories():
    labels = [f"l{k:02d}" for k in range(40) for _ in range(1 + (k >= 8))]
    encoder = Encoder().fit(read({"a": pd.Series(labels, dtype="category")}))
    assert encoder.levels["a"].tolist() == [f"l{k:02d}" for k in range(8, 40)]


def test_a_frame_is_a_table():
    frame = pd.DataFrame({"a": ["x", "y", "y"], "b": [1, 2, 6]})
    np.testing.assert_array_equal(Encoder().fit(frame).transform(frame), Encoder().fit(read(frame)).transform(frame))


def test_no_column_at_all():
    assert Encoder().fit(np.empty((3, 0))).transform(np.empty((5, 0))).shape == (5, 0)


def test_an_encoder_comes_back_from_its_state():
    table = read({"a": ["x", "y", "y"], "b": [1.0, 2.0, np.nan]})
    encoder = Encoder().fit(table)
    back = Encoder.from_state(encoder.state())
    assert (back.n_inputs, back.n_outputs) == (encoder.n_inputs, encoder.n_outputs)
    np.testing.assert_array_equal(back.transform(table), encoder.transform(table))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros(3), r"at least one row; the shape is \(3,\)"),
        (np.zeros((0, 2)), r"at least one row; the shape is \(0, 2\)"),
        ([["a", "b"]], "must hold numbers; pass a table"),
        ([[1.0, np.inf]], "column 1 holds an infinity"),
    ],
)
def test_bad_arrays(X, words):
    with pytest.raises(ValueError, match=words):
        numeric_block(X)


def test_other_columns_than_those_learned():
    with pytest.raises(ValueError, match=r"X has 3 numeric columns .* trained with 2"):
        Encoder().fit(np.zeros((2, 2))).transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"the categories \['b'\]; .* \['a'\]"):
        Encoder().fit(read({"a": ["x", "y", "x"]})).transform(read({"b": ["x", "y", "x"]}))


@pytest.mark.parametrize("make", [np.array, pd.DataFrame, lambda values: read(np.array(values))])
def test_rows_of_anything(make):
    X = make([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    part = take_rows(X, np.array([2, 0]))
    assert (n_rows(X), n_rows(part)) == (3, 2)
    assert numeric_block(getattr(part, "numeric", part)).tolist() == [[5, 6], [1, 2]]


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_row_is_for_training_or_for_the_test(n, fraction, seed):
    n_test = round(n * fraction)
    if n_test in (0, n):
        with pytest.raises(ValueError, match="leaves no rows"):
            split_rows(n, fraction, seed)
        return
    train, test = split_rows(n, fraction, seed)
    assert len(test) == n_test
    assert sorted([*train, *test]) == list(range(n))
    assert train.tolist() == sorted(train)
    assert split_rows(n, fraction, seed)[1].tolist() == test.tolist()


def test_another_seed_tests_other_rows():
    assert not np.array_equal(split_rows(100, 0.25, 0)[1], split_rows(100, 0.25, 1)[1])


@pytest.mark.parametrize("fraction", [-0.5, 0.0, 1.0, 3.0])
def test_no_rows_left(fraction):
    with pytest.raises(ValueError, match="leaves no rows to train or to test"):
        split_rows(10, fraction, 0)
