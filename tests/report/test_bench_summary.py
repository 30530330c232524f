"""Means over seeds, differences to pooled data and curves, against a few lines that say what they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from covey.report._bench_summary import (
    Cell,
    Kin,
    costs,
    curves,
    difference,
    leakages,
    metrics_of,
    over_seeds,
    reference_of,
    score,
    score_table,
    setting_words,
    settings_of,
)


def cell(algorithm: str = "gbdt", score: float | None = 0.5, **more: Any) -> Cell:
    return Cell.of({"data": "digits", "algorithm": algorithm, "score": score, "metric": "accuracy"} | more)


def test_a_row_needs_data_and_algorithm() -> None:
    for key in ("data", "algorithm"):
        with pytest.raises(ValueError, match=f"a cell has no '{key}'"):
            Cell.of({"data": "digits", "algorithm": "gbdt", "score": 1.0} | {key: None})


def test_a_row_without_score_has_failed() -> None:
    assert cell(score=None).error == "no score"
    assert cell(score=float("nan")).error == "no score"
    assert cell(score=None, error="out of memory").error == "out of memory"
    assert cell(error=None).error == "" and cell(leakage=None).leakage != cell(leakage=None).leakage
    assert cell(alpha=float("nan")).setting == (None, None)


def test_mean_over_seeds_is_of_the_means_of_seeds() -> None:
    cells = [cell(score=value, seed=seed) for seed, value in ((0, 0.2), (0, 0.4), (1, 0.9), (2, 0.6))]
    cells.append(cell(score=100.0, seed=3, error="failed"))
    found = over_seeds(cells, score)
    assert found.mean == pytest.approx(np.mean([0.3, 0.9, 0.6]))
    assert found.deviation == pytest.approx(np.std([0.3, 0.9, 0.6], ddof=1))
    assert found.n == 3
    assert math.isnan(over_seeds(cells[:1], score).deviation)
    assert over_seeds([cell(score=None)], score).n == 0
    assert over_seeds([cell(leakage=0.2), cell(leakage=None, seed=1)], lambda c: c.leakage).mean == 0.2


def test_difference_pairs_seeds() -> None:
    pooled = [cell("pooled-gbdt", value, seed=seed) for seed, value in ((0, 0.9), (1, 0.7), (1, 0.8))]
    own = [cell(score=0.85, seed=0), cell(score=0.7, seed=1)]
    found = difference(own, pooled)
    assert found.mean == pytest.approx(-0.05)
    assert found.deviation == pytest.approx(0.0, abs=1e-12)
    later = difference([cell(score=0.7, seed=5)], pooled)
    assert later.mean == pytest.approx(0.7 - (0.9 + 0.75) / 2)
    assert difference(own, []).n == 0


@pytest.mark.parametrize(
    "name, names, wanted",
    [
        ("gbdt", ["gbdt", "pooled-gbdt", "pooled-linear"], "pooled-gbdt"),
        ("solo-linear", ["pooled-gbdt", "pooled-linear"], "pooled-linear"),
        ("splitnn", ["pooled-gbdt"], "pooled-gbdt"),
        ("splitnn", ["pooled-gbdt", "pooled-linear"], None),
        ("gal", ["gal", "pooled", "solo"], "pooled"),
        ("pooled-gbdt", ["pooled-gbdt"], None),
        ("gbdt", ["gbdt"], None),
    ],
)
def test_what_is_compared_with_what(name: str, names: list[str], wanted: str | None) -> None:
    assert reference_of(name, names) == wanted


def test_kin_keeps_names_that_only_begin_alike() -> None:
    assert Kin.of("solomon") == Kin("solomon", "vertical")
    assert Kin.of("solo-split-nn") == Kin("split-nn", "solo")


def test_settings_are_sorted_and_named() -> None:
    cells = [cell(beta=0.3), cell(alpha=10), cell(), cell(alpha=0.1), cell(beta=0.0)]
    assert settings_of(cells) == [(None, None), (0.1, None), (10.0, None), (None, 0.0), (None, 0.3)]
    words = [setting_words(setting) for setting in settings_of(cells)]
    assert words == ["split as given", "alpha 0.1", "alpha 10", "beta 0", "beta 0.3"]


def test_table_tells_scores_differences_failures_and_the_best() -> None:
    cells = [
        cell("gbdt", 0.8, alpha=1), cell("gbdt", 0.6, alpha=10), cell("gbdt", None, alpha=10, error="no"),
        cell("pooled-gbdt", 0.9), cell("linear", 0.65), cell("linear", 0.1, data="wine"),
        cell("gal", None, error="broke"),
    ]  # fmt: skip
    table = score_table(cells, cells)
    assert list(table) == ["gbdt", "pooled-gbdt", "linear", "gal"]
    entry = table["gbdt"]["digits"]
    assert entry.score.mean == pytest.approx(0.7) and entry.difference.mean == pytest.approx(-0.2)
    assert (entry.n_cells, entry.n_failed, entry.best) == (3, 1, True)
    assert not table["pooled-gbdt"]["digits"].best and not table["linear"]["digits"].best
    assert table["linear"]["digits"].difference.mean == pytest.approx(-0.25)
    assert table["gal"]["digits"].score.n == 0 and not table["gal"]["digits"].best
    assert set(table["linear"]) == {"digits", "wine"} and set(table["gbdt"]) == {"digits"}
    assert not table["linear"]["wine"].best, "the only one is no best"
    some = score_table([c for c in cells if c.alpha == 1], cells)
    assert some["gbdt"]["digits"].difference.mean == pytest.approx(-0.1)


def test_curves_average_seeds_and_the_other_axis() -> None:
    cells = [cell(score=s, alpha=a, beta=b, seed=k) for a, b, k, s in (
        (10, 0.0, 0, 0.8), (10, 1.0, 0, 0.6), (10, 0.0, 1, 0.9), (0.1, 0.0, 0, 0.5), (math.inf, 0.5, 0, 0.3),
    )]  # fmt: skip
    cells += [cell("pooled", 0.95), cell("pooled", 0.97, seed=1), cell(score=0.1, data="wine")]
    (panel,) = curves(cells, "alpha")
    assert (panel["data"], panel["metric"]) == ("digits", "accuracy")
    own, pooled = panel["series"]
    assert [x for x, _, _ in own["points"]] == [0.1, 10.0]
    assert own["points"][1][1:] == [pytest.approx(0.8), pytest.approx(np.std([0.7, 0.9], ddof=1))]
    assert own["level"] is None and pooled["points"] == []
    assert pooled["level"] == [pytest.approx(0.96), pytest.approx(np.std([0.95, 0.97], ddof=1))]
    assert [x for x, _, _ in curves(cells, "beta")[0]["series"][0]["points"]] == [0.0, 0.5, 1.0]
    assert curves([cell()], "alpha") == []


def test_a_failed_first_run_does_not_name_the_metric() -> None:
    cells = [cell(score=None, metric=None, error="no"), cell(alpha=1, bytes=5), cell(score=None, metric=None, data="w")]
    assert metrics_of(cells) == {"digits": "accuracy", "w": "score"}
    assert curves(cells, "alpha")[0]["metric"] == costs(cells)[0]["metric"] == "accuracy"


def test_costs_have_a_point_a_setting_and_the_mean() -> None:
    cells = [cell(score=s, alpha=a, bytes=b, seed=k) for a, b, k, s in (
        (1, 100, 0, 0.8), (1, 300, 1, 0.6), (10, 500, 0, 0.9), (10, 500, 1, 0.9),
    )]  # fmt: skip
    cells += [cell("gal", None, bytes=7, error="no"), cell("linear", 0.5)]
    (panel,) = costs(cells)
    (line,) = panel["series"]
    assert line["points"] == [[200.0, pytest.approx(0.7), "alpha 1"], [500.0, pytest.approx(0.9), "alpha 10"]]
    assert line["mean"][:2] == [350.0, pytest.approx(0.8)]


def test_leakage_only_where_it_was_measured() -> None:
    cells = [cell(leakage=0.2), cell(leakage=0.4, seed=1), cell("gal"), cell("gal", data="wine", leakage=float("nan"))]
    found = leakages(cells)
    assert set(found) == {"digits"} and set(found["digits"]) == {"gbdt"}
    assert found["digits"]["gbdt"].mean == pytest.approx(0.3)
