"""Parts of a whole in a report: found or declared, compared by log-ratios, told of."""

from __future__ import annotations

import numpy as np
import pytest

from covey.measure.composition import compositional_partial_correlation, proportionality
from covey.report._page import render
from covey.table import FeatureTable
from tests.report._planted import analysed, numbers, of_kind, table

PARTS = ("sand", "silt", "clay", "lime")


def soil(n_rows: int = 600, total: float | None = 100.0, seed: int = 0) -> FeatureTable:
    """Silt goes with sand; `other` is apart. Without a total the rows are amounts of different size."""
    rng = np.random.default_rng(seed)
    X = rng.gamma([5.0, 3.0, 2.0, 1.0], size=(n_rows, 4))
    X[:, 1] = X[:, 0] * np.exp(0.3 * rng.normal(size=n_rows))
    size = rng.lognormal(size=(n_rows, 1)) if total is None else total / X.sum(axis=1, keepdims=True)
    columns = [numbers(name, values) for name, values in zip(PARTS, (X * size).T)]
    return table(*columns[:2], numbers("other", rng.gamma(2.0, size=n_rows)), *columns[2:])


def parts_of(source: FeatureTable) -> np.ndarray:
    return np.column_stack([source.column(name).values for name in PARTS])


def test_shares_are_found_and_compared_by_log_ratios() -> None:
    source = soil()
    data = analysed(source)
    (whole,) = data.compositions
    assert whole.parts == PARTS and whole.total == pytest.approx(100.0) and not whole.is_declared
    X = parts_of(source)
    partial, share = compositional_partial_correlation(X), proportionality(X)
    auto = data.matrices["auto"]
    for i, left in enumerate(PARTS):
        for j, right in enumerate(PARTS):
            if i != j:
                assert data.matrices["compositional_partial_correlation"][left, right] == pytest.approx(partial[i, j])
                assert data.matrices["proportionality"][left, right] == pytest.approx(share[i, j])
                assert auto[left, right] == pytest.approx(abs(partial[i, j]))
                assert np.isnan(data.matrices["pearson"][left, right])
                assert "log-ratio" in data.matrices["pearson"].reason(left, right)
        assert np.isfinite(data.matrices["pearson"][left, "other"])
        assert np.isnan(data.matrices["proportionality"][left, "other"])
    assert auto.sign is not None and auto.sign[auto.rows.index("sand"), auto.rows.index("silt")] == 1


def test_the_finding_names_the_parts_and_no_other_finding_speaks_of_their_raw_values() -> None:
    data = analysed(soil())
    (finding,) = of_kind(data, "composition")
    assert finding.title == "sand, silt, clay and lime are parts of a whole (they add up to 100)"
    assert "sand and silt are most strongly related" in finding.detail
    for other in data.findings:
        assert other is finding or not (set(other.view.columns) <= set(PARTS) and "median" in other.detail)
    page = render(data)
    assert "parts of a whole" in page


def test_amounts_are_parts_only_when_they_are_declared() -> None:
    source = soil(total=None)
    assert analysed(source).compositions == ()
    (whole,) = analysed(source, compositional=PARTS).compositions
    assert whole.is_declared and whole.total is None and whole.parts == PARTS


def test_the_log_ratios_of_amounts_are_those_of_shares() -> None:
    shares = soil()
    amounts = table(
        *(numbers(n, shares.column(n).values * np.linspace(1, 9, shares.n_rows)) for n in PARTS),
    )
    a = analysed(shares, compositional=PARTS).matrices["proportionality"]
    b = analysed(amounts, compositional=PARTS).matrices["proportionality"]
    assert a["sand", "clay"] == pytest.approx(b["sand", "clay"])


def test_zeros_are_replaced_and_told_of() -> None:
    source = soil()
    lime = source.column("lime").values.copy()
    lime[:30] = 0.0
    sparse = table(*(numbers(n, lime if n == "lime" else source.column(n).values) for n in source.names))
    data = analysed(sparse, compositional=PARTS)
    assert data.compositions[0].n_zeros == 30
    assert "30 zeros were replaced" in of_kind(data, "composition")[0].detail
    assert np.isfinite(data.matrices["proportionality"]["sand", "lime"])


def test_no_reversal_of_two_parts_is_reported() -> None:
    data = analysed(soil())
    assert not any({r.left, r.right} <= set(PARTS) for r in data.reversals)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("sand", "silt"), "at least three parts"),
        (("sand", "silt", "silt"), "at least three parts"),
        (("sand", "silt", "mud"), "mud"),
        (("sand", "silt", "cold"), "'cold' of the composition has negative"),
        (("sand", "silt", "same"), "'same' of the composition must be a column of numbers that vary"),
    ],
)
def test_what_cannot_be_parts(names, match) -> None:
    source = soil()
    n = source.n_rows
    more = table(
        *source.columns(),
        numbers("cold", np.linspace(-1, 1, n)),
        numbers("same", np.ones(n), "constant"),
    )
    with pytest.raises(ValueError, match=match):
        analysed(more, compositional=names)


def test_a_target_is_no_part() -> None:
    data = analysed(soil(), "lime")
    assert not any("lime" in whole.parts for whole in data.compositions)
    with pytest.raises(ValueError, match="target"):
        analysed(soil(), "lime", compositional=PARTS)
