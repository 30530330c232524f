"""Kinds of columns: what is inferred, what can be asked for, what is mended and noted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from covey.table import read
from covey.table._infer import clean_names

N = 40
RNG = np.random.default_rng(0)


def kind(values, name="x", **options):
    return read({name: values}, **options).kinds[0]


KINDS = {
    "floats": (RNG.normal(size=N), "numeric"),
    "unique floats are no identifier": (np.linspace(0, 1, N) ** 2, "numeric"),
    "few whole numbers": (RNG.integers(0, 4, N), "numeric"),
    "zero and one": (RNG.integers(0, 2, N), "boolean"),
    "zero and one with gaps": ([0, 1, None, 1] * 10, "boolean"),
    "booleans": ([True, False] * 20, "boolean"),
    "yes and no": (["yes", "No"] * 20, "boolean"),
    "words": (["red", "blue"] * 20, "categorical"),
    "numbers as text": ([str(k % 7) for k in range(N)], "numeric"),
    "dates as text": (["2024-05-31", "2023-01-02"] * 20, "datetime"),
    "dates": ([dt.date(2024, 5, 31), None, dt.date(2023, 1, 2), None] * 10, "datetime"),
    "time stamps": ([dt.datetime(2024, 5, 31, 12, k) for k in range(N)], "datetime"),
    "decimals": ([Decimal("1.5"), Decimal("2.5"), Decimal("7")] * 10, "numeric"),
    "steps of one": (np.arange(N) + 1000, "id"),
    "steps of one, shuffled": (RNG.permutation(N), "id"),
    "unique words": ([f"u{k}" for k in range(N)], "id"),
    "sentences": ([f"the story of number {k} goes on" for k in range(N)], "text"),
    "one value": ([3.0] * N, "constant"),
    "one word": (["a"] * N, "constant"),
    "nothing": ([None] * N, "constant"),
    "one value and gaps": ([3.0, None] * 20, "constant"),
    "short unique numbers": (np.array([23, 31, 44, 52]), "numeric"),
    "short unique words": (["a", "b", "c"], "categorical"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind_is_inferred(case):
    values, expected = KINDS[case]
    assert kind(values) == expected


def test_a_name_can_tell_an_identifier():
    sparse = RNG.permutation(10_000)[:N]
    assert kind(sparse, "customer_id") == "id" and kind(sparse, "income") == "numeric"


def test_kinds_can_be_given():
    zip_codes = read({"zip": [2139, 94110, None]}, kinds={"zip": "categorical"})["zip"]
    assert zip_codes.categories == ("2139", "94110") and zip_codes.values.tolist() == [0, 1, -1]
    assert kind(np.arange(N), kinds={"x": "numeric"}) == "numeric"
    assert kind(["1", "2", "2"], kinds={"x": "categorical"}) == "categorical"


@pytest.mark.parametrize(
    ("values", "wanted", "message"),
    [
        (["a", "b", "c"], "numeric", "cannot be numeric"),
        (["a", "b", "c"], "datetime", "cannot be datetime"),
        (["a", "b", "c"], "boolean", "3 distinct values"),
        ([1.0, 2.0, 3.0], "boolean", "3 distinct values"),
        ([1.0, 2.0], "number", "no kind 'number'"),
    ],
)
def test_impossible_kinds_are_refused(values, wanted, message):
    with pytest.raises(ValueError, match=message):
        read({"x": values}, kinds={"x": wanted})


def test_seconds_since_1970():
    table = read({"a": ["1970-01-02", "1970-01-01"], "b": [dt.datetime(1970, 1, 1, 0, 1), None]})
    assert table["a"].values.tolist() == [86400.0, 0.0]
    assert table["b"].values[0] == 60.0 and np.isnan(table["b"].values[1])


def test_infinities_are_missing_and_noted():
    table = read({"x": [1.0, np.inf, -np.inf, 2.0]})
    assert table["x"].n_missing == 2
    assert [(n.column, n.code) for n in table.notes] == [("x", "infinite")] and "2 infinite" in table.notes[0].message


def test_mostly_numbers_are_numbers_and_the_rest_is_noted():
    table = read({"x": ["1", "2"] * 30 + ["unknown"]})
    assert table.kinds == ("numeric",) and table["x"].n_missing == 1
    assert table.notes[0].code == "mixed" and "'unknown'" in table.notes[0].message


def test_half_numbers_are_categories_and_noted():
    table = read({"x": ["1", "two"] * 20})
    assert table.kinds == ("categorical",) and table.notes[0].code == "mixed"


def test_mixed_python_values_become_words():
    table = read({"x": [1, "a", 2.5, None] * 5})
    assert table.kinds == ("categorical",) and table["x"].n_missing == 5


def test_blanks_are_stripped_and_missing_words_found():
    column = read({"x": [" a", "a ", " ?", "NA", "b", ""]})["x"]
    assert column.categories == ("a", "b") and column.values.tolist() == [0, 0, -1, -1, 1, -1]


def test_missing_words_can_be_given():
    column = read({"x": ["a", "?", "none of it"]}, missing_values=["none of it"])["x"]
    assert column.categories == ("?", "a") and column.n_missing == 1


def test_huge_means_keep_their_digits():
    values = 1e9 + np.arange(5) / 8
    assert read({"x": values})["x"].values.tolist() == values.tolist()


def test_ten_thousand_categories_stay_categories():
    table = read({"x": [f"c{k % 10_000}" for k in range(30_000)]})
    assert table.kinds == ("categorical",) and len(table["x"].categories) == 10_000


def test_false_comes_before_true():
    assert read({"x": ["yes", "no", "yes"]})["x"].categories == ("no", "yes")
    assert read({"x": [True, False]})["x"].labels().tolist() == ["True", "False"]


def test_nested_values_are_refused_by_name():
    with pytest.raises(TypeError, match="'x' holds list"):
        read({"x": [[1], [2]]})


def test_names_become_unique_text():
    names, notes = clean_names(["a", "a", "a.1", 3, None, (1, 2), ""])
    assert len(set(names)) == 7 and all(isinstance(n, str) and n for n in names)
    assert names[0] == "a" and names[2] == "a.1" and names[6] == "column_6"
    assert {note.code for note in notes} == {"renamed"} and len(notes) == 5
