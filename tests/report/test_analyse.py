from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.measure import associate
from covey.report._analyse import WIDE, analyse
from covey.report._json import to_json
from covey.report._page import render
from covey.table import FeatureTable, read
from tests.report._planted import analysed, codes, numbers, of_kind, shared_file, table


def mixed(n_rows: int = 500) -> FeatureTable:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    return table(
        numbers("x", np.where(rng.random(n_rows) < 0.1, np.nan, x)),
        codes("c", np.digitize(x + rng.normal(size=n_rows), [-1, 1]), "abc"),
        numbers("constant", np.ones(n_rows), "constant"),
        numbers("day", 86_400.0 * rng.integers(0, 900, n_rows), "datetime"),
        codes("flag", rng.integers(0, 2, n_rows), ("no", "yes"), "boolean"),
        numbers("y", x + rng.normal(size=n_rows)),
    )


@pytest.mark.parametrize("target", [None, "y", "c", "flag", "day"])
def test_every_kind_of_target_yields_a_whole_report(target) -> None:
    data = analysed(mixed(), target)
    assert set(data.features) == {"x", "c", "day", "flag", "y"}
    for matrix in data.matrices.values():
        assert matrix.rows == matrix.columns == data.features == data.sample.names
    assert [card.name for card in data.columns] == list(mixed().names)
    assert {r.name for r in data.relevance} == (set(data.features) - {target} if target else set())
    assert len(data.tree) <= 4 and not any(target in group.members for group in data.groups)
    json.dumps(to_json(data), allow_nan=False)


def test_matrices_are_those_of_associate() -> None:
    data = analysed(mixed())
    expected = associate(mixed(), measure="theils_u")
    for left in data.features:
        for right in data.features:
            if left != right:
                assert data.matrices["theils_u"][left, right] == pytest.approx(expected[left, right], nan_ok=True)


def test_the_result_does_not_depend_on_the_number_of_workers() -> None:
    def plain(n_workers: int) -> dict[str, Any]:
        document = to_json(analyse(mixed(), "y", LocalEngine(n_workers)))
        document["how"].pop("seconds")
        document["how"].pop("engine")
        return document

    assert plain(1) == plain(2)


def test_a_sample_is_used_and_told() -> None:
    data = analysed(mixed(), "y", sample=200)
    assert data.n_rows == 500 and data.how["rows_used"] == 200 and "200 of 500" in data.how["sampling"]
    assert data.matrices["auto"].n.max() == 200
    assert sum(data.columns[0].histogram["counts"]) == 500 - data.columns[0].n_missing
    assert any("sample of 200 of 500 rows" in f.title for f in of_kind(data, "table"))


def test_wide_tables_are_measured_by_fewer_measures() -> None:
    x = np.random.default_rng(0).normal(size=(60, WIDE + 1))
    data = analysed(table(*(numbers(f"x{k}", x[:, k]) for k in range(WIDE + 1))))
    assert list(data.matrices) == data.how["measures"] == ["auto", "pearson", "spearman", "partial_correlation"]


def empty(n_rows: int) -> tuple[Any, Any]:
    return numbers("none", np.full(n_rows, np.nan), "constant"), codes("nothing", np.full(n_rows, -1), ())


@pytest.mark.parametrize(
    "source",
    [
        table(numbers("x", np.random.default_rng(0).normal(size=300))),
        table(numbers("x", [1.0]), codes("c", [0], ("a",))),
        table(numbers("x", [1.0, 2.0]), codes("c", [0, 1], "ab")),
        table(numbers("x", []), codes("c", [], ("a",))),
        table(*empty(50)),
        table(*empty(50), numbers("x", np.arange(50.0) % 7)),
    ],
    ids=["one column", "one row", "two rows", "no rows", "all missing", "one feature"],
)
def test_tables_with_hardly_anything_in_them_have_a_page(source) -> None:
    data = analysed(source)
    assert "</html>" in render(data)
    assert not of_kind(data, "leak", "reversal", "nonlinear", "missingness", "order")


def test_columns_that_are_never_present_together() -> None:
    x = np.random.default_rng(0).normal(size=200)
    first = np.arange(200) < 100
    data = analysed(table(numbers("a", np.where(first, x, np.nan)), numbers("b", np.where(first, np.nan, x))), "b")
    assert data.matrices["auto"].n["ab".index("a"), 1] in (0, 100)
    assert np.isnan(data.matrices["auto"]["a", "b"])


def test_ten_thousand_categories() -> None:
    rng = np.random.default_rng(0)
    labels = [f"label {k}" for k in range(10_000)]
    source = table(
        codes("label", rng.integers(0, 10_000, 30_000), labels),
        codes("y", rng.integers(0, 2, 30_000), "ab"),
        numbers("x", rng.normal(size=30_000)),
    )
    for target in ("y", "x", "label"):
        assert of_kind(analysed(source, target), "leak", "duplicate") == []


def test_compas() -> None:
    data = analysed(read(shared_file("compas", "compas.csv")), "two_year_recid")
    assert data.findings[0].title == "is_recid nearly determines two_year_recid"
    titles = {finding.title for finding in data.findings}
    assert {"score_text follows from decile_score", "age_cat follows from age"} <= titles
    assert "Where days_b_screening_arrest is missing, two_year_recid differs" in titles


def test_electricity_is_in_time_order() -> None:
    data = analysed(read(shared_file("electricity", "elec.csv.gz")), "class")
    assert data.findings[0].title == "The rows are in an order that matters"
    assert data.relevance[0].name == "nswprice"


@pytest.mark.slow
def test_isolet_has_more_columns_than_a_person_reads() -> None:
    with np.load(shared_file("isolet", "isolet.npz")) as file:
        columns = [numbers(f"x{k}", column) for k, column in enumerate(file["X"].T)]
        letter = codes("letter", file["y"] - 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    data = analysed(table(*columns, letter), "letter")
    assert len(data.relevance) == 617 and len(data.findings) < 60
    assert any("The rows are sorted by letter" in finding.title for finding in data.findings)
