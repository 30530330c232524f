from __future__ import annotations

import json

import numpy as np
import pytest

import covey
from covey.report import Report, report
from tests.report._planted import codes, numbers, table


@pytest.fixture(scope="module")
def adult() -> Report:
    return report("covey:adult", target="income-per-year", engine="local:1")


def small():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    return table(numbers("x", x), codes("y", x + rng.normal(size=200) > 0, ("no", "yes")))


def test_adult(adult) -> None:
    titles = [finding.title for finding in adult.findings]
    assert titles[0] == "education and education-num say the same"
    assert "marital-status, relationship and education-num are most associated with income-per-year" in titles
    assert "Where workclass and occupation are missing, income-per-year differs" in titles
    assert any("fnlwgt" in title and "no association" in title for title in titles)
    assert not any(finding.kind in ("leak", "order", "identifier") for finding in adult.findings)
    assert adult.data.how["rows_used"] == 32_561


def test_it_prints_its_ten_main_findings(adult) -> None:
    text = str(adult)
    assert text.startswith("adult: 32,561 rows, 15 columns, target income-per-year")
    assert text.count("-> ") == 10 and " 1. education and education-num say the same" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "findings" in repr(adult)


def test_it_shows_in_a_notebook_as_an_escaped_frame() -> None:
    shown = report(small())._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and shown.count("<") == 2


def test_page_and_json_are_written(tmp_path) -> None:
    made = report(small(), target="y", out=tmp_path / "page.html", json=tmp_path / "page.json", title="Small & new")
    assert "Small &amp; new" in (tmp_path / "page.html").read_text("utf-8")
    assert json.loads((tmp_path / "page.json").read_text("utf-8")) == json.loads(json.dumps(made.to_json()))
    assert made.save(tmp_path / "again.html").read_text("utf-8") == (tmp_path / "page.html").read_text("utf-8")


def test_show_opens_the_page(monkeypatch) -> None:
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = report(small()).show()
    assert opened == [path.as_uri()] and path.exists()


def test_the_function_can_be_called_whatever_was_imported() -> None:
    assert covey.report(small()).data.n_rows == 200
    assert covey.report(small()).data.n_rows == 200


def test_arrays_and_paths_have_titles(tmp_path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("a,b\n" + "\n".join(f"{k},{k % 7}" for k in range(50)))
    assert report(path).data.title == "two.csv"
    assert report(np.random.default_rng(0).normal(size=(30, 2))).data.n_columns == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "z"}, "no column 'z'"),
        ({"sample": 1}, "sample must be at least 2"),
        ({"engine": "cloud"}, "engine"),
    ],
)
def test_bad_input_is_named(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        report(small(), **options)


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path) -> None:
    with pytest.raises(OSError):
        report(small(), out=tmp_path / "nowhere" / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_nothing_stands_out() -> None:
    rng = np.random.default_rng(5)
    assert "Nothing stands out." in str(
        report(table(numbers("a", rng.normal(size=300)), numbers("b", rng.normal(size=300))))
    )


@pytest.mark.slow
def test_a_cluster_gives_the_same_findings() -> None:
    distributed = pytest.importorskip("distributed")
    local = covey.report("covey:german_credit", target="credit")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        spread = covey.report("covey:german_credit", target="credit", engine=f"dask://{cluster.scheduler_address}")
    assert spread.findings == local.findings and len(local.findings) >= 5
    for name, matrix in local.data.matrices.items():
        np.testing.assert_array_equal(spread.data.matrices[name].values, matrix.values, err_msg=name)
