"""Words: distinct labels, and what they are."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.table._words import dates_of, encode, in_order, is_truth, numbers_of

cells = st.none() | st.sampled_from(["a", " a", "b ", "?", "", " ", "NA", "é"]) | st.text(max_size=3)


@given(st.lists(cells, max_size=30), st.booleans())
def test_codes_and_counts_say_what_the_rows_say(values, as_dictionary):
    array = pa.array(values, pa.string())
    words = encode(array.dictionary_encode() if as_dictionary else array, ["?", "", "NA"])
    labels = [*words.labels.to_pylist(), None]
    found = [labels[c] for c in words.codes]
    stripped = [None if v is None else v.strip() for v in values]
    assert found == [None if v in ("?", "", "NA") else v for v in stripped]
    assert words.counts.tolist() == [found.count(label) for label in labels[:-1]]
    assert len(set(labels)) == len(labels) and words.n_present == sum(v is not None for v in found)


def test_a_dictionary_keeps_its_order_and_loses_unused_labels():
    array = pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 2]), ["low", "mid", "high"])
    words = encode(array, [])
    assert words.labels.to_pylist() == ["low", "high"] and words.codes.tolist() == [1, 0, -1, 1]


@given(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53))
def test_what_python_writes_as_a_number_is_read_as_that_number(value):
    assert numbers_of(pa.array([str(value)])).tolist() == [float(value)]


@pytest.mark.parametrize("label", ["", "x", "1_000", "1,5", "0x10", "1e", "--1", "1 2", "nan", "."])
def test_what_is_no_number(label):
    assert np.isnan(numbers_of(pa.array([label]))).all()


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)), st.integers(-12, 12))
def test_dates_with_and_without_a_zone(moment, hours):
    zoned = moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    expected = [moment.replace(tzinfo=dt.UTC).timestamp(), zoned.timestamp()]
    found = dates_of(pa.array([moment.isoformat(timespec="microseconds"), zoned.isoformat(timespec="microseconds")]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("label", ["31.05.2024", "2024", "2024-13-01", "2024-05-31x", "12:00"])
def test_what_is_no_date(label):
    assert dates_of(pa.array(["2024-05-31", label])) is None


def test_slashes_make_dates_too():
    assert dates_of(pa.array(["1970/01/02"])).tolist() == [86400.0]


def test_truth_and_order():
    assert is_truth(["No", "yes"]) and not is_truth(["yes", "no"]) and not is_truth(["no"])
    assert in_order(pa.array(["Yes", "no"])).tolist() == [1, 0]
    assert in_order(pa.array(["b", "a", "B", "é"])).tolist() == [2, 1, 0, 3]
