from __future__ import annotations

import numpy as np
import pytest

from covey.report._findings import ranked
from covey.report._findings.rows import count_repeated_rows
from covey.report._model import Finding, View
from tests.report._planted import analysed, codes, material, noise, numbers, of_kind, table
from tests.report.test_reversal import simpson

ALARMS = ("leak", "nonlinear", "reversal", "order", "missingness")


def base(n_rows: int = 1500, seed: int = 0):
    """(random generator, a feature, a target that goes with it)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    return rng, x, x + rng.normal(size=n_rows)


def test_a_leak_comes_first_and_names_the_target() -> None:
    rng, x, y = base()
    flag = (y > 0) ^ (rng.random(1500) < 0.01)
    source = table(numbers("x", x), codes("refund", flag, ("no", "yes")), codes("bought", y > 0, ("no", "yes")))
    data = analysed(source, "bought")
    assert data.findings[0].kind == "leak"
    assert data.findings[0].title == "refund nearly determines bought"
    assert data.findings[0].view == View("pair", ("refund", "bought"))
    assert len(of_kind(data, "leak")) == 1
    assert "refund" not in of_kind(data, "relevant")[0].view.columns


def test_a_date_is_no_leak_of_what_changes_slowly() -> None:
    rng = np.random.default_rng(0)
    day = np.arange(2000.0) * 86400
    source = table(
        numbers("day", day + rng.uniform(0, 3600, 2000), "datetime"),
        numbers("x", rng.normal(size=2000)),
        numbers("level", np.cumsum(rng.normal(size=2000)) + rng.normal(size=2000)),
    )
    assert not of_kind(analysed(source, "level"), "leak")


def test_one_row_is_not_called_constant() -> None:
    source = table(numbers("x", [1.5]), numbers("y", [2.5]))
    assert not of_kind(analysed(source), "constant")


@pytest.mark.filterwarnings("error")
def test_three_rows_raise_no_warning() -> None:
    source = table(numbers("x", [1.5, 2.5, 9.5]), numbers("y", [2.5, 2.5, 7.5]), numbers("z", [0.5, 3.5, 1.5]))
    assert analysed(source, "y").n_rows == 3


def test_a_category_of_many_levels_is_no_leak() -> None:
    rng = np.random.default_rng(0)
    postcode = codes("postcode", rng.integers(0, 1500, 3000), [f"p{k}" for k in range(1500)])
    data = analysed(table(postcode, codes("y", rng.integers(0, 2, 3000), "ab")), "y")
    assert of_kind(data, "leak") == []


@pytest.mark.parametrize("target", ["y", "sign"])
def test_a_quadratic_relation_is_called_nonlinear(target) -> None:
    rng, x, _ = base()
    y = x**2 + 0.5 * rng.normal(size=1500)
    source = table(
        numbers("x", x), numbers("y", y), codes("sign", y > 1.0, ("low", "high")), numbers("z", rng.normal(size=1500))
    )
    [finding] = of_kind(analysed(source.select(["x", "z", target]), target), "nonlinear")
    assert finding.title == f"x relates to {target}, but not along a line"
    assert finding.evidence["strength"] > 3 * finding.evidence["largest correlation"]


def test_without_a_target_nonlinear_pairs_of_features_are_told() -> None:
    rng, x, _ = base()
    [finding] = of_kind(analysed(table(numbers("x", x), numbers("y", x**2 + 0.5 * rng.normal(size=1500)))), "nonlinear")
    assert finding.view.columns == ("x", "y")


def test_an_exclusive_or_is_told_and_its_features_are_not_called_irrelevant() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.integers(0, 2, (3, 1500))
    data = analysed(table(*(codes(n, v, "ny") for n, v in (("a", a), ("b", b), ("c", c), ("y", a ^ b)))), "y")
    assert of_kind(data, "nonlinear")[0].title == "a and b tell about y only together"
    assert of_kind(data, "irrelevant")[0].view.columns == ("c",)


def test_simpsons_paradox_is_told_with_both_directions() -> None:
    x, y, group = simpson()
    data = analysed(table(numbers("dose", x), numbers("effect", y), codes("clinic", group, "abc")))
    finding = of_kind(data, "reversal")[0]
    assert "rises with dose overall, but falls with it within levels of clinic" in finding.title
    assert finding.evidence["overall"] > 0 > finding.evidence["within"]
    assert finding.view.columns == (data.reversals[0].left, data.reversals[0].right, data.reversals[0].by)


def test_informative_missingness_is_told_with_the_difference() -> None:
    rng, x, y = base()
    income = np.where((y > 1) & (rng.random(1500) < 0.7), np.nan, rng.normal(size=1500))
    data = analysed(table(numbers("income", income), numbers("x", x), numbers("y", y)), "y")
    [finding] = of_kind(data, "missingness")
    assert finding.title == "Where income is missing, y differs" and "y has median" in finding.detail


def test_drift_and_sorted_rows_are_told() -> None:
    rng, x, _ = base()
    drift = np.linspace(0, 1.5, 1500) + rng.normal(size=1500)
    [finding] = of_kind(analysed(table(numbers("x", x), numbers("drift", drift))), "order")
    assert finding.title == "drift drifts along the rows"
    data = analysed(table(numbers("x", x), numbers("drift", drift), codes("y", np.arange(1500) > 700, "ab")), "y")
    [finding] = of_kind(data, "order")
    assert finding.title == "The rows are sorted by y" and "drift" in finding.detail


def test_rows_that_resemble_their_neighbours_are_told() -> None:
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(1000, 3)), axis=0)
    data = analysed(table(*(numbers(f"walk {k}", walks[:, k]) for k in range(3))))
    assert data.findings[0].title == "The rows are in an order that matters"


def test_copies_are_duplicates_and_the_number_is_kept() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 8, 1500)
    source = table(
        codes("school", level, [f"s{k}" for k in range(8)]),
        numbers("years", level),
        numbers("x", rng.normal(size=1500)),
    )
    data = analysed(source)
    [finding] = of_kind(data, "duplicate")
    assert finding.action == "Keep years; drop school." and of_kind(data, "redundant") == []


def test_three_copies_are_one_finding() -> None:
    _, x, _ = base()
    data = analysed(table(*(numbers(n, s * x) for n, s in (("a", 1), ("b", 2), ("c", -3)))))
    [finding] = of_kind(data, "duplicate")
    assert finding.view.columns == ("a", "b", "c") and finding.action == "Keep a; drop b and c."


def test_a_redundant_group_names_whom_to_keep() -> None:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=1500)
    columns = [numbers(f"f{k}", factor + 0.3 * rng.normal(size=1500)) for k in range(4)]
    data = analysed(
        table(*columns, numbers("z", rng.normal(size=1500)), numbers("y", factor + rng.normal(size=1500))), "y"
    )
    [finding] = of_kind(data, "redundant")
    assert finding.view == View("group", ("f0", "f1", "f2", "f3"))
    assert finding.action.startswith(f"Try a model with {data.groups[0].representative} in place of")


def test_many_groups_are_summed_up() -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(600, 8))
    columns = [numbers(f"f{k}", factors[:, k % 8] + 0.3 * rng.normal(size=600)) for k in range(24)]
    found = of_kind(analysed(table(*columns)), "redundant")
    assert found[0].title == "24 of 24 columns fall into 8 groups that move together" and len(found) == 4


def test_single_columns_are_told() -> None:
    n = 400
    rng = np.random.default_rng(0)
    source = table(
        numbers("id", np.arange(n), "id"),
        codes("key", np.arange(n), [f"k{k}" for k in range(n)]),
        codes("note", np.arange(n), [f"n{k}" for k in range(n)], "text"),
        numbers("same", np.ones(n), "constant"),
        numbers("none", np.full(n, np.nan), "constant"),
        numbers("x", rng.normal(size=n)),
    )
    titles = {finding.title for finding in analysed(source).findings}
    assert {
        "id is an identifier",
        "key is an identifier",
        "note holds free text",
        "same has one value only",
        "none is missing in every row",
    } <= titles


def test_almost_constant_piled_up_and_rare_values_are_told() -> None:
    n = 5000
    rng = np.random.default_rng(0)
    gain = np.append(rng.exponential(100, n - 40).round(), np.full(40, 99_999))
    country = np.where(rng.random(n) < 0.95, 0, rng.integers(0, 30, n))
    source = table(
        numbers("gain", rng.permutation(gain)),
        codes("country", country, [f"c{k}" for k in range(30)]),
        codes("almost", np.arange(n) == 7, "ny"),
    )
    titles = {finding.title for finding in analysed(source).findings}
    assert titles >= {
        "gain piles up at the largest value",
        "country has many rare levels",
        "almost is almost constant",
    }


def test_an_unbalanced_target_and_repeated_rows_are_told() -> None:
    values = np.tile(np.arange(20), 50)
    data = analysed(table(numbers("x", values), codes("y", values == 3, ("no", "yes"))), "y")
    titles = [finding.title for finding in of_kind(data, "table")]
    assert "y is unbalanced: 95.0 % of rows are no" in titles
    assert "98.0 % of rows repeat an earlier row" in titles


def test_repeated_rows_are_counted_as_numpy_counts_them() -> None:
    rng = np.random.default_rng(0)
    x, c = rng.integers(0, 4, 200).astype(float), rng.integers(-1, 3, 200)
    x[rng.random(200) < 0.2] = np.nan
    distinct = {(str(a), b) for a, b in zip(x, c)}
    assert count_repeated_rows(material(table(numbers("x", x), codes("c", c, "abc")))) == 200 - len(distinct)


def test_strongest_features_are_ranked_and_idle_ones_listed() -> None:
    rng, x, y = base()
    source = table(
        numbers("idle", rng.normal(size=1500)),
        numbers("weak", y + 4 * rng.normal(size=1500)),
        numbers("x", x),
        numbers("y", y),
    )
    data = analysed(source, "y")
    [finding] = of_kind(data, "relevant")
    assert finding.title == "x and weak are most associated with y" and "the median of y is" in finding.detail
    assert of_kind(data, "irrelevant")[0].view.columns == ("idle",)


def test_findings_are_careful_complete_and_in_order() -> None:
    rng, x, y = base()
    source = table(numbers("x", x), numbers("x2", x + 0.1 * rng.normal(size=1500)), codes("y", y > 0, "ny"))
    data = analysed(source, "y")
    scores = [finding.score for finding in data.findings]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    for finding in data.findings:
        words = " ".join((finding.title, finding.detail, finding.action))
        assert "cause" not in words and "nan" not in words.split()
        assert finding.detail.endswith(".") and finding.action.endswith(".")
        assert set(finding.view.columns) <= set(source.names)


def test_a_kind_cannot_crowd_out_the_others() -> None:
    many = [Finding("order", str(k), "", "", 0.9, View("heatmap")) for k in range(30)]
    found = ranked([*many, Finding("leak", "x", "", "", 0.8, View("heatmap"))])
    assert [f.kind for f in found].index("leak") == 2 and len(found) == 13


@pytest.mark.slow
def test_noise_raises_no_more_alarms_than_stated() -> None:
    # five families of alarms, each wrong in at most 1 % of tables
    alarms = sum(bool(of_kind(analysed(noise(seed), "y"), *ALARMS)) for seed in range(50))
    assert alarms <= 6


def test_a_table_of_noise_has_no_alarm() -> None:
    data = analysed(noise(3), "y")
    assert of_kind(data, *ALARMS, "duplicate", "redundant", "relevant", "identifier", "constant") == []
