from __future__ import annotations

import numpy as np
import pytest

from covey.measure import associate
from covey.report._relevance import MOST_INTERVALS, relevance
from tests.report._planted import codes, material, numbers, table


def mixed(n_rows: int = 1500, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    x_missing = np.where(rng.random(n_rows) < 0.1, np.nan, x)
    return table(
        numbers("noise", rng.normal(size=n_rows)),
        numbers("x", x_missing),
        codes("third", np.digitize(x + rng.normal(size=n_rows), [-0.5, 0.5]), "abc"),
        numbers("y", x + rng.normal(size=n_rows)),
        codes("flag", x + rng.normal(size=n_rows) > 0, ("no", "yes"), "boolean"),
    )


@pytest.mark.parametrize("target", ["y", "flag", "third"])
def test_values_and_pvalues_are_those_of_associate(target) -> None:
    source = mixed()
    found = relevance(material(source, target))
    assert found[-1].name == "noise" and len(found) == 4
    for one in found:
        for measure, estimate in one.estimates.items():
            expected = associate(source, measure=measure, target=target)
            np.testing.assert_allclose(estimate.value, expected[one.name, target], atol=1e-12)
            np.testing.assert_allclose(estimate.pvalue, expected.pvalues[expected.rows.index(one.name), 0], atol=1e-12)


@pytest.mark.parametrize("target", ["y", "flag", "third"])
def test_intervals_hold_their_value_and_are_narrow(target) -> None:
    for one in relevance(material(mixed(), target)):
        for measure, estimate in one.estimates.items():
            assert estimate.low <= estimate.value <= estimate.high, (one.name, measure)
            assert estimate.high - estimate.low < 0.25, (one.name, measure)


def test_intervals_cover_the_value_of_the_population() -> None:
    population = relevance(material(mixed(60_000, seed=1), "y"))
    truth = {one.name: {m: e.value for m, e in one.estimates.items()} for one in population}
    hits, total = 0, 0
    for seed in range(2, 32):
        for one in relevance(material(mixed(800, seed=seed), "y")):
            if one.name != "noise":
                estimate = one.estimates["auto"]
                hits += estimate.low <= truth[one.name]["auto"] <= estimate.high
                total += 1
    assert 0.85 <= hits / total <= 1.0


def test_only_measures_that_apply_are_listed() -> None:
    by_name = {one.name: one.estimates for one in relevance(material(mixed(), "third"))}
    assert "pearson" not in by_name["x"] and "theils_u" in by_name["x"]
    by_name = {one.name: one.estimates for one in relevance(material(mixed(), "y"))}
    assert "pearson" in by_name["flag"] and "pearson" not in by_name["third"]


def test_the_weakest_of_many_features_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    columns = [numbers(f"x{k}", rng.normal(size=120)) for k in range(MOST_INTERVALS + 5)]
    found = relevance(material(table(*columns, numbers("y", rng.normal(size=120))), "y"))
    assert np.isfinite(found[0].estimates["auto"].low) and np.isnan(found[-1].estimates["auto"].low)


def test_without_target_there_is_none() -> None:
    assert relevance(material(mixed())) == ()
