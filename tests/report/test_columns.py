from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.measure import associate
from covey.report._columns import histogram_edges, nearest, notes_by_column, summarise
from covey.table import FeatureTable, Note
from tests.report._planted import codes, numbers, table

finite = st.floats(-1e12, 1e12)


@given(st.lists(st.one_of(finite, st.just(float("nan"))), max_size=60))
def test_every_present_value_is_in_one_bin(values) -> None:
    card = summarise(numbers("x", values))
    n_present = int(np.count_nonzero(~np.isnan(values)))
    assert sum(card.histogram["counts"]) == n_present
    assert card.n_missing == len(values) - n_present
    assert len(card.histogram["edges"]) == (len(card.histogram["counts"]) + 1 if n_present else 0)


def test_statistics_are_numpys() -> None:
    x = np.random.default_rng(0).exponential(size=501)
    statistics = summarise(numbers("x", np.append(x, np.nan))).statistics
    assert statistics["mean"] == pytest.approx(x.mean())
    assert statistics["standard deviation"] == pytest.approx(x.std(ddof=1))
    assert statistics["upper quartile"] == pytest.approx(np.quantile(x, 0.75))
    assert (statistics["minimum"], statistics["maximum"]) == (x.min(), x.max())


def test_a_large_mean_keeps_its_deviation() -> None:
    x = 1e9 + np.random.default_rng(0).normal(size=1000)
    assert summarise(numbers("x", x)).statistics["standard deviation"] == pytest.approx(x.std(ddof=1), rel=1e-9)


def test_outliers_do_not_squeeze_the_histogram() -> None:
    x = np.append(np.random.default_rng(0).normal(size=5000), [1e9, -1e9])
    counts = summarise(numbers("x", x)).histogram["counts"]
    assert sum(counts) == 5002 and np.count_nonzero(counts) > 15


def test_integers_get_a_bin_each() -> None:
    np.testing.assert_array_equal(histogram_edges(np.array([0.0, 3.0])), [-0.5, 0.5, 1.5, 2.5, 3.5])


def test_categories_are_ranked_and_the_rest_pooled() -> None:
    values = np.repeat(np.arange(30), np.arange(1, 31))
    card = summarise(codes("c", values, [f"l{k}" for k in range(30)]))
    assert card.histogram["labels"][0] == "l29" and card.histogram["labels"][-1] == "other"
    assert sum(card.histogram["counts"]) == len(values) and len(card.histogram["labels"]) == 21
    assert card.statistics["most frequent"] == "l29" and card.n_unique == 30


def test_dates_read_as_dates() -> None:
    days = 86400.0 * np.array([0, 1, 2])
    assert summarise(numbers("t", days, "datetime")).statistics == {
        "first": "1970-01-01",
        "median": "1970-01-02",
        "last": "1970-01-03",
    }


@pytest.mark.parametrize("column", [numbers("x", [np.nan, np.nan]), codes("c", [-1, -1], ())])
def test_an_empty_column_has_an_empty_card(column) -> None:
    card = summarise(column)
    assert (card.n_missing, card.n_unique, dict(card.statistics)) == (2, 0, {})


def test_nearest_lists_others_by_falling_strength() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    source = table(numbers("x", x), numbers("far", x + 2 * rng.normal(size=500)), numbers("near", -x))
    found = nearest(associate(source))
    assert [other for other, _, _ in found["x"]] == ["near", "far"]
    assert found["x"][0][2] == -1 and found["x"][1][2] == 1


def test_notes_go_to_their_columns() -> None:
    source = FeatureTable.from_columns([numbers("x", [1.0])], [Note("x", "mixed", "one"), Note("", "all", "two")])
    assert notes_by_column(source) == {"x": ("one",), "": ("two",)}
