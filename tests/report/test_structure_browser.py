"""Factors, lags, partial correlations and parts of a whole on the page, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from covey.report._page import write_page
from tests.report._factory import HOSTILE
from tests.report._planted import analysed, numbers, table
from tests.report.test_composition import PARTS, soil
from tests.report.test_lagged import series

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 rows by date: a leader with a hostile name, its follower, a factor with the same leader, and shares."""
    rng = np.random.default_rng(0)
    source = series(900)
    leader = source.column("leader").values
    relatives = [numbers(f"relative {k}", leader + 0.8 * rng.normal(size=900)) for k in range(3)]
    named = [numbers(HOSTILE, c.values) if c.name == "leader" else c for c in source.columns()]
    path = tmp_path_factory.mktemp("structure") / "page.html"
    write_page(analysed(table(*named, *relatives, *soil(900).select(PARTS).columns())), path)
    return path


@pytest.fixture
def visit(open_page, file) -> Callable:
    return lambda **options: open_page(file, **options)


def painted(page, canvas: str) -> int:
    """Number of different colours on a canvas."""
    return page.evaluate(
        """(id) => {
          const canvas = document.getElementById(id);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        canvas,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_both_networks_are_drawn_and_follow_the_slider(visit, scheme: str, width: int) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.locator("#network").scroll_into_view_if_needed()
    count = page.locator("#partial-count")
    expect(count).to_contain_text("columns")
    assert painted(page, "network-canvas") > 20 and painted(page, "partial-canvas") > 20
    before = count.inner_text()
    page.locator("#network-threshold").fill("0.95")
    assert count.inner_text() != before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_loading_opens_its_column(visit) -> None:
    page = visit()
    card = page.locator(".factor").first
    card.locator("button.name", has_text="relative 1").click()
    assert page.locator("#panel-title").inner_text() == "relative 1"
    assert HOSTILE in card.locator("button.name").all_inner_texts()
    assert page.locator("img").count() == 0


def test_a_row_of_lags_opens_its_correlogram(visit) -> None:
    page = visit()
    page.locator("#lagged").scroll_into_view_if_needed()
    row = page.locator("#lagged-table tbody tr", has_text="follower").first
    expect(row).to_contain_text(HOSTILE)
    row.locator("button.spark").click()
    assert page.locator("#panel-title").inner_text() == f"{HOSTILE} before follower"
    expect(page.locator("#panel canvas")).to_be_visible()
    expect(page.locator("#panel")).to_contain_text("4 rows between them")


@pytest.mark.parametrize(
    ("kind", "section"), [("factor", "factors"), ("composition", "heatmap"), ("lagged", None), ("indirect", "network")]
)
def test_findings_lead_to_their_pictures(visit, kind: str, section: str | None) -> None:
    page = visit()
    if page.locator("#more-findings").is_visible():
        page.locator("#more-findings").click()
    finding = page.locator(f".finding[data-kind={kind}]").first
    finding.locator("button.show").click()
    if section is None:
        expect(page.locator("#panel")).to_be_visible()
    else:
        expect(page.locator(f"#{section}")).to_be_in_viewport()


def test_parts_show_log_ratio_measures_and_say_why_others_are_undefined(visit) -> None:
    page = visit()
    page.locator("#pairs").scroll_into_view_if_needed()
    page.locator("#pairs-filter").fill("sand silt")
    page.locator("#pairs-grid .grid-row").first.click()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("proportionality")
    expect(panel).to_contain_text("parts of a whole and tied by their sum")
