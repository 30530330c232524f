"""Hints of direction: given where the model is identifiable, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from covey.report import _direction
from covey.table import FeatureTable
from tests.report._planted import analysed, numbers, of_kind, table


def pair(x: np.ndarray, y: np.ndarray) -> FeatureTable:
    return table(numbers("x", x), numbers("y", y))


def draws(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)


CAUSED = {
    "bend and varying noise": lambda x, e: np.tanh(2 * x) + (0.2 + 0.4 * (x > 0)) * e,
    "square": lambda x, e: x**2 + 0.5 * x + 0.5 * e,
}


@pytest.mark.parametrize("shape", CAUSED)
@pytest.mark.parametrize("swapped", [False, True])
def test_an_identifiable_direction_is_told_with_care(shape, swapped) -> None:
    x, e, _ = draws(3)
    y = CAUSED[shape](x, e)
    source = table(numbers("y", y), numbers("x", x)) if swapped else pair(x, y)
    data = analysed(source)
    (hint,) = data.directions
    assert (hint.cause, hint.effect) == ("x", "y") and hint.fits >= 0.1 and hint.fails <= 1e-3
    (finding,) = of_kind(data, "direction")
    assert "If one of the two causes the other" in finding.detail and "not as proof" in finding.action


def test_nothing_is_said_where_both_directions_fit_or_something_else_causes_both() -> None:
    for seed in range(4):
        x, e, z = draws(seed)
        assert analysed(pair(x, 0.7 * x + e)).directions == ()
        assert analysed(pair(z + 0.5 * x, np.tanh(z) + 0.5 * e)).directions == ()
        assert analysed(pair(x, np.exp(x + 0.5 * e))).directions == ()


def test_few_rows_few_values_and_rows_that_resemble_their_neighbours_give_no_hint() -> None:
    x, e, _ = draws(3)
    y = CAUSED["square"](x, e)
    assert analysed(pair(x[:250], y[:250])).directions == ()
    assert analysed(pair(np.round(2 * x), y)).directions == ()
    order = np.argsort(x)
    assert analysed(pair(x[order], y[order])).directions == ()


def test_missing_values_are_left_out() -> None:
    x, e, _ = draws(3)
    y = CAUSED["square"](x, e)
    x[::9] = np.nan
    assert [(h.cause, h.effect) for h in analysed(pair(x, y)).directions] == [("x", "y")]


def test_a_column_that_mostly_has_its_largest_value_is_no_error() -> None:
    x, e, _ = draws(3, n=900)
    x = np.minimum(x, -0.8)
    assert isinstance(analysed(pair(x, x + 0.2 * e)).directions, tuple)


def test_a_half_that_cannot_be_tested_gives_no_hint(monkeypatch) -> None:
    x, e, _ = draws(3, n=900)
    source = pair(x, x + e)
    monkeypatch.setattr(_direction, "_independence", lambda cause, effect: [0.5, np.nan])
    assert analysed(source).directions == ()
    fits = iter([[0.5, 0.5], [1e-9, np.nan]])
    monkeypatch.setattr(_direction, "_independence", lambda cause, effect: next(fits))
    assert analysed(source).directions == ()
