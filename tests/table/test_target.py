"""A target read once for every room: numbers, truths, times or words, and what is missing."""

from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from covey.table import are_classes, read, target_values


class Answer(Enum):
    YES = 1
    NO = 0


@pytest.mark.parametrize(
    ("y", "values", "are_times"),
    [
        ([Fraction(1, 4), Decimal("0.5"), 2], [0.25, 0.5, 2.0], False),
        (np.array([True, False], dtype=object), [True, False], False),
        (np.array([1, "a"], dtype=object), ["1", "a"], False),
        ([date(1970, 1, 2), date(1970, 1, 1)], [86400.0, 0.0], True),
        (np.array([timedelta(hours=1), timedelta(0)], dtype="timedelta64[s]"), [3600.0, 0.0], True),
        ([Answer.YES, Answer.NO], ["Answer.YES", "Answer.NO"], False),
        (np.array([1j, 2.0], dtype=object), ["1j", "2.0"], False),
        (read({"y": ["b", "a"]})["y"], ["b", "a"], False),
    ],
)
def test_objects_are_numbers_truths_times_or_words(y, values, are_times):
    found = target_values(y)
    assert (found[0].tolist(), found[1]) == (values, are_times)


@pytest.mark.parametrize(
    "y", [[1.0, None], ["a", pd.NA], pd.Series([pd.NaT, pd.Timestamp("2020")]), read({"y": ["a", None]})["y"]]
)
def test_missing_values_are_counted(y):
    with pytest.raises(ValueError, match="y has 1 missing value; leave out those rows"):
        target_values(np.asarray(y, dtype=object) if isinstance(y, list) else y)


def test_classes_are_words_truths_and_few_whole_numbers():
    assert are_classes(np.arange(20.0))
    assert not are_classes(np.arange(21.0))
    assert not are_classes(np.array([0.5, 1.0]))
    assert are_classes(np.array([True, False]))
    assert are_classes(np.arange(30).astype(str))
