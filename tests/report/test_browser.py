"""The page in a real Chromium: it loads quietly, and everything that it offers works by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from covey.report._page import write_page
from tests.report._factory import HOSTILE, LONG, make_report, make_small_report

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "plain": make_report(),
        "hostile": make_report(hostile=True),
        "wide": make_report(500, n_rows=2000, n_measures=8),
        "one": make_small_report(),
        "two": make_small_report(("left", "right")),
    }
    for name, data in reports.items():
        write_page(data, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture
def visit(open_page, files) -> Callable:
    """Opens a page by name."""
    return lambda name, **options: open_page(files[name], **options)


def see_all(page) -> None:
    """Brings every section into view, so that each is built."""
    for section in page.locator("section").all():
        section.scroll_into_view_if_needed()
        page.wait_for_timeout(60)
    expect(page.locator(".card").first).to_be_attached()


def title(page) -> str:
    return page.locator("#panel-title").inner_text()


@pytest.mark.parametrize("name", ["plain", "hostile", "one", "two"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_loads_quietly(visit, name: str, scheme: str) -> None:
    page = visit(name, color_scheme=scheme)
    see_all(page)
    assert page.locator("#failure").is_hidden()
    expect(page.locator("h1")).to_be_visible()


def test_hostile_names_are_only_names(visit) -> None:
    page = visit("hostile")
    see_all(page)
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    expect(page.locator("#search-results li").first).to_contain_text(HOSTILE)
    page.keyboard.press("Enter")
    assert title(page) == HOSTILE
    assert HOSTILE in page.locator("#panel .bars span").all_inner_texts()
    assert page.locator("img").count() == 0
    assert page.evaluate("[...document.scripts].length") == 2


def test_search_lists_fitting_columns_and_findings(visit) -> None:
    page = visit("plain")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("feature 10")
    options = page.locator("#search-results [role=option]")
    expect(options.first).to_contain_text("feature 10")
    texts = options.all_inner_texts()
    assert 1 <= len(texts) < 14
    assert all("feature" in text and "10" in text for text in texts)
    page.keyboard.type(" nowhere")
    expect(options).to_have_count(0)
    expect(page.locator("#search-results")).to_contain_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator("#search-results")).to_be_hidden()


def test_search_moves_by_arrow_keys_and_opens(visit) -> None:
    page = visit("plain")
    page.keyboard.press("/")
    page.keyboard.type("drift")
    page.keyboard.press("Enter")
    expect(page.locator("#finding-3")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("feature")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#search-results [aria-selected=true] span").first.inner_text()
    assert chosen == "feature 2"
    page.keyboard.press("Enter")
    assert title(page) == chosen


def test_chips_filter_findings(visit) -> None:
    page = visit("plain")
    visible = page.locator(".finding:visible")
    expect(visible).to_have_count(15)
    page.locator("#more-findings").click()
    expect(visible).to_have_count(17)
    page.locator(".chip[data-kind=relevant]").click()
    expect(visible).to_have_count(8)
    assert {item.get_attribute("data-kind") for item in visible.all()} == {"relevant"}
    page.locator(".chip[data-kind='']").click()
    expect(visible).to_have_count(17)


@pytest.mark.parametrize(
    "finding, words",
    [
        (0, "feature 0 and feature 11"),
        (1, "Group of 2 columns"),
        (2, "feature 0 and feature 6 within the levels of feature 1"),
        (3, "feature 1 along the rows"),
        (4, "feature 1"),
        (6, "row id"),
    ],
)
def test_finding_shows_its_picture(visit, finding: int, words: str) -> None:
    page = visit("plain")
    page.locator(f"[data-finding='{finding}']").click()
    expect(page.locator("#panel")).to_be_visible()
    assert title(page) == words
    picture = page.locator("#panel-body canvas, #panel-body svg, #panel-body .bars, #panel-body .hint")
    expect(picture.first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(f"[data-finding='{finding}']")).to_be_focused()


def test_finding_leads_to_relevance_and_to_the_map(visit) -> None:
    page = visit("plain")
    page.locator("[data-finding='5']").click()
    expect(page.locator("tr.lit th")).to_have_text("feature 6")
    expect(page.locator("tr.lit")).to_be_in_viewport()
    page.locator("[data-finding='8']").click()
    expect(page.locator("#heatmap-canvas")).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text("feature 0 and feature 1")


def painted(page, selector: str) -> int:
    """Number of different colours on a canvas."""
    return page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(canvas, 0, 0);
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }""",
        selector,
    )


def test_click_on_a_cell_opens_its_pair(visit) -> None:
    page = visit("plain")
    canvas = page.locator("#heatmap-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    spot = {"x": box["width"] - 14, "y": box["height"] * 0.55}
    canvas.hover(position=spot)
    names = page.locator("#tooltip").inner_text().splitlines()[0]
    assert names.endswith(" and feature 11")
    canvas.click(position=spot)
    assert title(page) == names
    rows = page.locator("#panel table tbody tr")
    expect(rows).to_have_count(5)
    assert "Theil’s U" in rows.nth(2).inner_text()
    assert painted(page, "#panel canvas") > 20


def test_undefined_pair_says_why(visit) -> None:
    page = visit("plain")
    page.locator("#heatmap-measure").select_option("pearson")
    page.locator("#heatmap-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#announcer")).to_contain_text("the measure does not apply")
    page.keyboard.press("Enter")
    expect(page.locator("#panel-body")).to_contain_text("Undefined: Pearson (the measure does not apply")


def test_map_by_keyboard(visit) -> None:
    page = visit("plain")
    page.locator("#heatmap-canvas").focus()
    before = painted(page, "#heatmap-canvas")
    for key in ("ArrowDown", "ArrowDown", "End"):
        page.keyboard.press(key)
    expect(page.locator("#announcer")).to_contain_text("feature 1 and feature 11")
    page.keyboard.press("+")
    assert painted(page, "#heatmap-canvas") != before
    page.keyboard.press("0")
    page.keyboard.press(" ")
    assert title(page) == "feature 1 and feature 11"
    page.keyboard.press("Escape")
    expect(page.locator("#heatmap-canvas")).to_be_focused()


def test_every_control_is_reached_by_tab_with_a_visible_focus(visit) -> None:
    page = visit("plain")
    seen = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
    assert {"search", "theme", "show", "heatmap-measure", "heatmap-canvas", "zoom-in"} <= seen


def test_network_by_mouse_keyboard_and_slider(visit) -> None:
    page = visit("plain")
    canvas = page.locator("#network-canvas")
    canvas.scroll_into_view_if_needed()
    expect(page.locator("#network-count")).to_contain_text("beside the tree’s 11")
    page.locator("#network-threshold").fill("0.02")
    many = int(page.locator("#network-count").inner_text().split()[0])
    page.locator("#network-threshold").fill("1")
    expect(page.locator("#network-count")).to_contain_text("0 pairs beside the tree’s 11")
    assert many > 20
    canvas.focus()
    page.keyboard.press("ArrowRight")
    name = page.locator("#announcer").inner_text().splitlines()[0]
    page.keyboard.press("Enter")
    assert title(page) == name.split(" in the group")[0]
    page.keyboard.press("Escape")
    box = canvas.bounding_box()
    titles = set()
    for x in range(20, int(box["width"]) - 20, 40):
        for y in range(20, int(box["height"]) - 20, 40):
            canvas.hover(position={"x": x, "y": y})
            if page.locator("#tooltip").is_visible():
                titles.add(page.locator("#tooltip").inner_text().splitlines()[0])
                canvas.click(position={"x": x, "y": y})
                assert title(page) in titles
                return
    raise AssertionError("no node or line was under any of the points")


def test_pairs_sort_and_filter(visit) -> None:
    page = visit("plain")
    page.locator("#pairs").scroll_into_view_if_needed()
    strengths = page.locator(".grid-row > :nth-child(3)")

    def numbers() -> list[float]:
        return [float(text) for text in strengths.all_inner_texts()]

    expect(strengths.first).to_be_attached()
    assert numbers() == sorted(numbers(), reverse=True)
    head = page.locator("#pairs-grid [role=columnheader]").nth(2)
    expect(head).to_have_attribute("aria-sort", "descending")
    head.locator("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert numbers() == sorted(numbers())
    page.locator("#pairs-grid [role=columnheader] button").first.click()
    assert page.locator(".grid-row > :first-child").first.inner_text() == LONG
    page.locator("#pairs-filter").fill("rather 11")
    expect(page.locator("#pairs-count")).to_have_text("1 of 66 pairs")
    page.locator(".grid-row").click()
    assert title(page) == f"{LONG} and feature 11"


def test_pairs_by_keyboard(visit) -> None:
    page = visit("plain")
    grid = page.locator("#pairs-grid")
    grid.scroll_into_view_if_needed()
    expect(page.locator(".grid-row").first).to_be_attached()
    grid.focus()
    page.keyboard.press("End")
    expect(grid).to_have_attribute("aria-activedescendant", "pair-row-65")
    cells = page.locator("#pair-row-65 > div")
    names = f"{cells.nth(0).inner_text()} and {cells.nth(1).inner_text()}"
    page.keyboard.press("Enter")
    assert title(page) == names


def test_relevance_sorts(visit) -> None:
    page = visit("plain")
    page.locator("#relevance").scroll_into_view_if_needed()
    names = page.locator("#relevance-table tbody th")
    page.locator("[data-sort=name]").click()
    assert names.all_inner_texts()[:3] == [LONG, "feature 0", "feature 1"]
    page.locator("[data-sort=auto]").click()
    shown = [float(t) for t in page.locator("#relevance-table tbody td:nth-child(2)").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    page.locator("[data-sort=auto]").click()
    shown = [float(t) for t in page.locator("#relevance-table tbody td:nth-child(2)").all_inner_texts()]
    assert shown == sorted(shown)


def test_cards_filter_order_and_lead_on(visit) -> None:
    page = visit("plain")
    page.locator("#columns").scroll_into_view_if_needed()
    visible = page.locator(".card:visible h3")
    expect(visible).to_have_count(14)
    page.locator("#cards-filter").fill("constant")
    expect(visible).to_have_text(["always 1"])
    page.locator("#cards-filter").fill("")
    page.locator("#cards-order").select_option("name")
    expect(visible.first).to_have_text(LONG)
    page.locator("#cards-order").select_option("missing")
    missing = {c.name: c.n_missing for c in make_report().columns}
    expect(visible.first).to_have_text(max(missing, key=missing.__getitem__))
    page.locator(".card h3 button", has_text="feature 0").click()
    page.locator("#panel .nearest button").first.click()
    assert title(page).startswith("feature 0 and ")
    page.locator("#panel-back").click()
    assert title(page) == "feature 0"


def test_dark_follows_the_system_and_the_button(visit) -> None:
    page = visit("plain", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    light = page.evaluate(ground)
    assert sum(map(int, re.findall(r"\d+", dark))) < 200 < 600 < sum(map(int, re.findall(r"\d+", light)))
    page.reload()
    page.locator("html[data-ready]").wait_for(state="attached")
    assert page.evaluate(ground) == light


def test_ranks_change_the_scatter(visit) -> None:
    page = visit("plain")
    page.keyboard.press("/")
    page.keyboard.type("feature 0")
    page.keyboard.press("Enter")
    page.locator("#panel .nearest button", has_text="feature 6").click()
    picture = "document.querySelector('#panel canvas').toDataURL()"
    before = page.evaluate(picture)
    page.locator("#panel input[type=checkbox]").check()
    assert page.evaluate(picture) != before


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows_the_page(visit, width: int) -> None:
    page = visit("hostile", viewport={"width": width, "height": 800})
    see_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("[data-finding='0']").click()
    assert page.evaluate("document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth")


def test_paper_holds_every_section(visit) -> None:
    page = visit("plain", color_scheme="dark")
    page.locator("[data-finding='0']").click()
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
            window.printed = document.querySelectorAll(".card, .grid-row, .figure canvas").length;
        })"""
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.printed") >= 14 + 40 + 4
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    for section in page.locator("section").all():
        expect(section).to_be_visible()
    expect(page.locator(".finding:visible")).to_have_count(17)
    expect(page.locator("#panel")).to_be_visible()
    expect(page.locator("nav")).to_be_hidden()


def test_five_hundred_columns(visit, files) -> None:
    size = files["wide"].stat().st_size
    page = visit("wide")
    ready = int(page.evaluate("document.documentElement.dataset.ready"))
    print(f"500 columns: {size / 1e6:.1f} MB, ready after {ready} ms")
    assert size < 15e6
    assert ready < 6000
    see_all(page)
    expect(page.locator("#pairs-count")).to_have_text("124,750 pairs")
    assert page.locator(".grid-row").count() < 60
    page.locator("#pairs-filter").fill("499")
    expect(page.locator("#pairs-count")).to_have_text("499 of 124,750 pairs")
    page.locator("#heatmap-canvas").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(8):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#announcer")).to_contain_text("feature 0 and feature 1")
    assert page.locator(".card").count() == 502
