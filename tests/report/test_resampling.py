from __future__ import annotations

import numpy as np
import pytest

from covey.report._resampling import interval, resampling


def rows_of(bootstrap, draw: int) -> np.ndarray:
    """The rows of one draw, repeated as often as their group was drawn."""
    return np.repeat(np.arange(len(bootstrap.group)), bootstrap.weights[draw, bootstrap.group].astype(int))


@pytest.mark.parametrize("n_rows", [20, 600])
def test_tables_are_those_of_the_drawn_rows(n_rows) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, n_rows), rng.integers(0, 3, n_rows)
    bootstrap = resampling(n_rows, 0, n_groups=50, n_draws=5)
    drawn = bootstrap.tables(x, y, (3, 2))
    for k in range(5):
        rows = rows_of(bootstrap, k)
        expected = np.zeros((4, 3))
        np.add.at(expected, (x[rows], y[rows]), 1)
        np.testing.assert_array_equal(drawn[k], expected[1:, 1:])


def test_correlations_are_those_of_the_drawn_rows() -> None:
    rng = np.random.default_rng(0)
    x = 1e6 + rng.normal(size=300)
    y = x + rng.normal(size=300)
    y[:40] = np.nan
    bootstrap = resampling(300, 1, n_groups=64, n_draws=4)
    drawn = bootstrap.correlations(x, y)
    for k in range(4):
        rows = rows_of(bootstrap, k)
        rows = rows[~np.isnan(y[rows])]
        assert drawn[k] == pytest.approx(np.corrcoef(x[rows], y[rows])[0, 1], abs=1e-9)


def test_with_few_rows_it_is_the_ordinary_bootstrap() -> None:
    bootstrap = resampling(40, 0)
    assert sorted(bootstrap.group) == list(range(40))
    assert (bootstrap.weights.sum(axis=1) == 40).all()


@pytest.mark.parametrize("n_rows", [200, 5000])
def test_the_spread_of_a_correlation_is_the_theoretical_one(n_rows) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=n_rows)
    spread = resampling(n_rows, 0, n_draws=2000).correlations(x, y).std()
    assert spread == pytest.approx(0.75 / np.sqrt(n_rows), rel=0.25)


def test_an_interval_holds_its_value_and_stays_in_range() -> None:
    rng = np.random.default_rng(0)
    low, high = interval(0.02, np.abs(rng.normal(0.1, 0.05, 500)), 0.0, 1.0)
    assert 0.0 <= low <= 0.02 <= high <= 1.0
    assert np.isnan(interval(0.5, np.full(10, np.nan), 0.0, 1.0)).all()
