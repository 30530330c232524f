"""Columns that go before others along the rows, in a report."""

from __future__ import annotations

import numpy as np
import pytest

from covey.report._page import render
from covey.table import Column, FeatureTable
from tests.report._planted import analysed, codes, noise, numbers, of_kind, table

LAG = 4


def autoregressive(shocks: np.ndarray, share: float = 0.7) -> np.ndarray:
    out = np.zeros_like(shocks)
    for t in range(1, len(shocks)):
        out[t] = share * out[t - 1] + shocks[t]
    return out


def series(n_rows: int = 900, seed: int = 0, dated: bool = True) -> FeatureTable:
    """`follower` repeats `leader` four rows later, with noise; `other` is apart; all resemble the row before."""
    shocks = np.random.default_rng(seed).normal(size=(n_rows + LAG, 3))
    x, other, more = (autoregressive(s) for s in shocks.T)
    columns = [
        numbers("follower", x[:-LAG] + 0.5 * more[LAG:]),
        numbers("leader", x[LAG:]),
        numbers("other", other[LAG:]),
    ]
    return table(*([numbers("day", 86_400.0 * np.arange(n_rows), "datetime")] if dated else []), *columns)


@pytest.mark.parametrize("dated", [True, False])
def test_a_planted_lag_is_found_with_its_direction(dated) -> None:
    data = analysed(series(dated=dated))
    (pair,) = data.lagged
    assert (pair.leader, pair.follower, pair.lag) == ("leader", "follower", LAG)
    middle = len(pair.values) // 2
    assert pair.value == pytest.approx(pair.values[middle + LAG]) and pair.value > 0.7
    assert pair.at_zero == pytest.approx(pair.values[middle]) and pair.pvalue < 1e-10
    (finding,) = of_kind(data, "lagged")
    assert finding.title == "leader goes 4 rows before follower"


def test_a_column_of_time_puts_shuffled_rows_in_order() -> None:
    source = series()
    shuffled = source.take(np.random.default_rng(1).permutation(source.n_rows))
    assert analysed(shuffled).lagged == ()
    (pair,) = analysed(shuffled, time="day").lagged
    assert (pair.leader, pair.follower, pair.lag) == ("leader", "follower", LAG)


def test_rows_in_no_order_and_random_walks_have_no_lags() -> None:
    for seed in range(3):
        assert analysed(noise(seed)).lagged == ()
    for seed in range(5):
        walks = np.cumsum(np.random.default_rng(seed).normal(size=(800, 4)), axis=0)
        assert analysed(table(*(numbers(f"w{k}", w) for k, w in enumerate(walks.T)))).lagged == ()


def test_gaps_and_few_rows() -> None:
    source = series()
    values = source.column("leader").values.copy()
    values[::6] = np.nan
    gappy = table(*(numbers("leader", values) if c.name == "leader" else c for c in source.columns()))
    assert [(p.leader, p.lag) for p in analysed(gappy).lagged] == [("leader", LAG)]
    assert analysed(series(n_rows=40)).lagged == ()


def test_lags_are_counted_in_rows_of_the_source_even_when_rows_are_sampled() -> None:
    (pair,) = analysed(series(n_rows=2000), sample=400).lagged
    assert pair.lag == LAG


@pytest.mark.parametrize(("time", "match"), [("when", "when"), ("kind", "'kind' is categorical")])
def test_what_gives_no_order(time, match) -> None:
    source = series()
    kinds = codes("kind", np.arange(source.n_rows) % 3, "abc")
    with pytest.raises(ValueError, match=match):
        analysed(table(*source.columns(), kinds), time=time)


def test_rows_without_a_time_come_last() -> None:
    day = np.array([3.0, np.nan, 1.0, 2.0])
    source = FeatureTable.from_columns([Column("day", "numeric", day), Column("x", "numeric", np.arange(4.0))])
    assert analysed(source, time="day").sample.column("x").values.tolist() == [2.0, 3.0, 0.0, 1.0]


def test_the_page_has_a_section_only_where_there_are_lags() -> None:
    assert 'id="lagged-table"' in render(analysed(series()))
    assert 'id="lagged-table"' not in render(analysed(noise(0)))
