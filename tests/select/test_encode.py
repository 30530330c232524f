import numpy as np
import pytest

from covey.select._encode import MOST_LEVELS, Encoding
from covey.table import read


def table(n=50):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    gappy = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))
    return read({"x": x + 1e9, "gappy": gappy, "word": rng.choice(list("abc"), n), "flag": rng.random(n) < 0.5})


def test_knows_only_the_training_rows():
    whole = table()
    rows = np.arange(30)
    encoding = Encoding.fit(whole, rows)
    alone = Encoding.fit(whole.take(rows), rows)
    np.testing.assert_array_equal(encoding.apply(whole), alone.apply(whole))
    encoded = encoding.apply(whole)
    np.testing.assert_allclose(encoded[:30, 0].mean(), 0.0, atol=1e-6)
    np.testing.assert_allclose(encoded[:30, 0].std(), 1.0, atol=1e-6)
    assert abs(encoded[30:, 0].mean()) > 1e-3


def test_columns_belong_to_their_owners():
    encoding = Encoding.fit(table(), np.arange(50))
    assert sorted(encoding.owner.tolist()) == [0, 1, 1, 2, 2, 2, 3]
    encoded = encoding.apply(table())
    marks = encoded[:, np.flatnonzero(encoding.owner == 1)[1]]
    np.testing.assert_array_equal(marks == 1.0, np.isnan(table()["gappy"].values))
    assert np.isfinite(encoded).all()


def test_unseen_levels_and_gaps_are_zeros():
    words = read({"word": ["a", "b", "a", "c", None], "x": [1.0, 2.0, 3.0, np.inf, np.nan]})
    encoded = Encoding.fit(words, np.arange(3)).apply(words)
    np.testing.assert_array_equal(encoded[3:, 1:], 0.0)
    assert np.isfinite(encoded).all()


def test_a_gap_in_a_row_that_was_not_seen_is_filled_with_the_median():
    numbers = read({"x": [1001.0, 1002.0, 1003.0, np.nan]})
    encoded = Encoding.fit(numbers, np.arange(3)).apply(numbers)
    np.testing.assert_allclose(encoded[:, 0], [-(1.5**0.5), 0.0, 1.5**0.5, 0.0], atol=1e-12)


def test_constants_of_training_rows_do_not_explode_elsewhere():
    """The mean of equal numbers is not quite that number, and their standard deviation not quite 0."""
    x = np.full(60, 0.1)
    assert x[:50].std() > 0
    x[50:] = 0.2
    numbers = read({"x": x, "row": np.arange(60.0)})
    encoded = Encoding.fit(numbers, np.arange(50)).apply(numbers)[:, 0]
    np.testing.assert_array_equal(encoded[:50], 0.0)
    np.testing.assert_allclose(encoded[50:], 0.1)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_any_unit(unit):
    x = np.random.default_rng(0).normal(size=(30, 2))
    expected = Encoding.fit(read(x), np.arange(30)).apply(read(x))
    np.testing.assert_allclose(Encoding.fit(read(unit * x), np.arange(30)).apply(read(unit * x)), expected, rtol=1e-9)


def test_rare_levels_are_pooled():
    words = read({"word": [f"w{i % 60}" for i in range(6000)]}, kinds={"word": "categorical"})
    assert len(Encoding.fit(words, np.arange(6000)).owner) == MOST_LEVELS


def test_constants_and_all_missing_columns():
    odd = read({"one": [1.0, 1.0, 2.0], "none": [np.nan, np.nan, 4.0]})
    encoded = Encoding.fit(odd, np.arange(2)).apply(odd)
    np.testing.assert_allclose(encoded[:2], 0.0)
    assert np.isfinite(encoded).all()
