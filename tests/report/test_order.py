from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from covey.report._order import is_sorted, kappa, order_effects, resemblances, sorted_by, window_means
from tests.report._planted import codes, material, numbers, table


def test_drift_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    drift = np.linspace(0, 1, 1000) + rng.normal(size=1000)
    source = table(numbers("noise", rng.normal(size=1000)), numbers("drift", drift))
    [effect] = order_effects(material(source))
    assert effect.name == "drift" and effect.pvalue < 1e-6
    assert effect.means["mean"][-1] - effect.means["mean"][0] > 0.3


def test_a_drifting_share_and_a_bump_without_trend_are_found() -> None:
    rng = np.random.default_rng(0)
    position = np.linspace(-1, 1, 2000)
    source = table(
        codes("kind", rng.random(2000) < (position + 1) / 2, "ab"),
        numbers("bump", 3 * position**2 + rng.normal(size=2000)),
    )
    assert {effect.name for effect in order_effects(material(source))} == {"kind", "bump"}


def test_window_means_are_means_of_slices() -> None:
    x = np.random.default_rng(0).normal(size=103)
    x[5] = np.nan
    positions, means = window_means(numbers("x", x), 4)
    edges = np.linspace(0, 103, 5).astype(int)
    expected = [np.nanmean(x[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_allclose(means["mean"], expected)
    np.testing.assert_allclose(positions, [(a + b - 1) / 2 for a, b in pairwise(edges)])


def test_windows_of_categories_are_shares_of_present_rows() -> None:
    _, means = window_means(codes("c", [0, 0, 1, -1, -1, -1], ("a", "b")), 2)
    np.testing.assert_allclose(means["a"], [2 / 3, np.nan])
    np.testing.assert_allclose(means["b"], [1 / 3, np.nan])


def test_resemblance_is_the_rank_autocorrelation() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=800))
    found = resemblances(material(table(numbers("walk", walk), numbers("noise", rng.normal(size=800)))))
    ranks = walk.argsort().argsort()
    assert list(found) == ["walk"]
    assert found["walk"] == pytest.approx(np.corrcoef(ranks[1:], ranks[:-1])[0, 1])


def test_blocks_of_categories_resemble_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    blocks = np.repeat(rng.integers(0, 3, 100), 8)
    found = resemblances(material(table(codes("block", blocks, "abc"), codes("noise", rng.integers(0, 3, 800), "abc"))))
    assert list(found) == ["block"]


def test_kappa_is_zero_by_chance() -> None:
    rng = np.random.default_rng(0)
    assert abs(kappa(rng.integers(0, 3, 20_000), rng.integers(0, 3, 20_000))) < 0.03
    assert np.isnan(kappa(np.zeros(5, dtype=int), np.zeros(5, dtype=int)))


def test_sorted_columns_are_named() -> None:
    rng = np.random.default_rng(0)
    source = table(
        numbers("up", np.sort(rng.normal(size=90))),
        numbers("down", -np.arange(90.0)),
        codes("blocks", np.repeat([2, 0, 1], 30), "abc"),
        numbers("noise", rng.normal(size=90)),
        codes("split", np.repeat([0, 1, 0], 30), "ab"),
    )
    assert sorted_by(material(source)) == ["up", "down", "blocks"]


def test_short_or_hardly_varying_columns_are_not_called_sorted() -> None:
    assert not is_sorted(np.arange(10))
    assert not is_sorted(np.repeat([0, 1], [99, 1]))
    assert is_sorted(np.append(np.arange(50), -1))
