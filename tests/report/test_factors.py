"""Latent factors and correlations through other columns in a report."""

from __future__ import annotations

import numpy as np
import pytest

from covey.report._page import render
from covey.table import FeatureTable
from tests.report._planted import analysed, noise, numbers, of_kind, table


def factors(n_rows: int = 800, seed: int = 0, warp: bool = False) -> FeatureTable:
    """Two factors of four columns (the last falls as its factor rises) and two columns of noise."""
    rng = np.random.default_rng(seed)
    f, g = rng.normal(size=(2, n_rows, 1))
    X = np.hstack([0.8 * f + 0.6 * rng.normal(size=(n_rows, 4)), 0.7 * g + 0.7 * rng.normal(size=(n_rows, 4))])
    X[:, 7] *= -1
    if warp:
        X = np.exp(X)
    extra = rng.normal(size=(n_rows, 2))
    return table(*(numbers(f"x{k}", x) for k, x in enumerate(np.hstack([X, extra]).T)))


@pytest.mark.parametrize("warp", [False, True])
def test_planted_factors_are_found_with_their_columns_whatever_the_scale(warp) -> None:
    data = analysed(factors(warp=warp))
    first, second = data.factors
    assert set(first.members) == {"x0", "x1", "x2", "x3"}
    assert set(second.members) == {"x4", "x5", "x6", "x7"}
    assert dict(zip(second.members, second.loadings))["x7"] == pytest.approx(-0.7, abs=0.12)
    assert first.explained == pytest.approx(0.64, abs=0.07)
    (finding,) = of_kind(data, "factor")
    assert finding.title == "2 latent factors may stand behind 8 columns"


def test_independent_columns_have_no_factors() -> None:
    for seed in range(4):
        assert analysed(noise(seed)).factors == ()


def test_too_few_rows_or_columns_have_no_factors() -> None:
    assert analysed(factors(n_rows=30)).factors == ()
    source = factors()
    assert analysed(source.select(("x0", "x1", "x2"))).factors == ()


def test_gaps_and_copies_do_not_hide_factors() -> None:
    source = factors()
    gappy = source.column("x1").values.copy()
    gappy[::5] = np.nan
    columns = [numbers("x1", gappy) if c.name == "x1" else c for c in source.columns()]
    data = analysed(table(*columns, numbers("copy", 3 * source.column("x0").values)))
    members = set(data.factors[0].members)
    assert {"x1", "x2", "x3"} <= members and len(members & {"x0", "copy"}) == 1


def test_the_target_is_in_no_factor() -> None:
    data = analysed(factors(), "x0")
    assert not any("x0" in factor.members for factor in data.factors)


def test_the_page_shows_each_factor_with_its_loadings() -> None:
    page = render(analysed(factors()))
    assert page.count('class="factor"') == 2 and "−0.7" in page
    assert 'id="factors"' not in render(analysed(noise(0)))


def chain(n_rows: int = 1500, seed: int = 0) -> FeatureTable:
    """a -> z -> b, and w apart."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n_rows)
    z = a + 0.8 * rng.normal(size=n_rows)
    b = z + 0.8 * rng.normal(size=n_rows)
    return table(*(numbers(n, v) for n, v in {"a": a, "z": z, "b": b, "w": rng.normal(size=n_rows)}.items()))


def test_a_correlation_through_one_column_is_told_with_that_column() -> None:
    data = analysed(chain())
    (pair,) = data.indirect
    assert (pair.left, pair.right, pair.through) == ("a", "b", ("z",))
    assert pair.marginal > 0.5 and abs(pair.partial) < 0.1
    (finding,) = of_kind(data, "indirect")
    assert finding.title == "a and b are correlated through z"


def test_a_correlation_through_several_columns_names_none() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.normal(size=(2, 4000))
    x, y = p + q + rng.normal(size=4000), p + q + rng.normal(size=4000)
    (pair,) = analysed(table(*(numbers(n, v) for n, v in {"p": p, "q": q, "x": x, "y": y}.items()))).indirect
    assert {pair.left, pair.right} == {"x", "y"} and pair.through == ()


def test_direct_links_near_copies_and_few_rows_are_not_called_indirect() -> None:
    source = chain()
    direct = table(source.column("a"), source.column("z"), source.column("w"))
    assert analysed(direct).indirect == ()
    z = source.column("z").values
    copied = table(*source.columns(), numbers("z2", z + 1e-3 * np.random.default_rng(2).normal(size=len(z))))
    assert all("z" not in (p.left, p.right) and "z2" not in (p.left, p.right) for p in analysed(copied).indirect)
    assert analysed(chain(n_rows=30)).indirect == ()


def test_the_partial_network_stands_beside_the_marginal_one_where_columns_can_be_held_fixed() -> None:
    assert 'id="partial-canvas"' in render(analysed(chain()))
    assert 'id="partial-canvas"' not in render(analysed(chain().select(("a", "b"))))


def persistent(seed: int, share: float, common: float = 0.0, n_rows: int = 600) -> FeatureTable:
    """Six series a day, each close to its value of the day before; with a factor if `common` is above 0."""
    shocks = np.random.default_rng(seed).normal(size=(n_rows, 7))
    shocks = shocks[:, :6] + common * shocks[:, 6:]
    for t in range(1, n_rows):
        shocks[t] += share * shocks[t - 1]
    day = numbers("day", 86_400.0 * np.arange(n_rows), "datetime")
    return table(day, *(numbers(f"x{k}", x) for k, x in enumerate(shocks.T)))


@pytest.mark.parametrize("share", [0.95, 1.0])
def test_series_that_move_slowly_by_themselves_have_no_factors_and_no_go_betweens(share) -> None:
    for seed in range(4):
        data = analysed(persistent(seed, share))
        assert data.factors == () and data.indirect == ()


def test_a_factor_of_series_is_found() -> None:
    (factor,) = analysed(persistent(0, 0.5, common=1.5)).factors
    assert set(factor.members) == {f"x{k}" for k in range(6)}
