"""The pages about parties: every figure is there, every name is only a name, and a browser draws them quietly."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.report._partition_page import LEVELS, UNDEFINED, amount, bench_page, binned, split_page
from tests.report._factory import HOSTILE, LONG
from tests.report.test_page import Elements, payload_of, stored

FAILURE = "LinAlgError: singular matrix"


def a_split(hostile: bool = False) -> str:
    rng = np.random.default_rng(0)
    names = [f"lab_{k}" for k in range(5)] + [HOSTILE if hostile else "age", LONG, *(f"v{k}" for k in range(33))]
    correlation = np.corrcoef(rng.normal(size=(50, 40)) + rng.normal(size=(50, 1)), rowvar=False)
    correlation[3] = correlation[:, 3] = np.nan
    labels = np.repeat([0, 2, -1], [30, 8, 2])
    return split_page(
        HOSTILE if hostile else "Ward data",
        names,
        [HOSTILE if hostile else "hospital", "nothing yet", "shop"],
        labels,
        correlation,
        [[0.61, 0.0, 0.27], [0.0, float("nan"), 0.0], [0.27, 0.0, 0.43]],
        [0.85, 0.0, 0.15],
        {
            "alpha": 0.5,
            "Icor": -0.2,
            "bounds": (-0.31, 0.07),
            "how": HOSTILE if hostile else "by hand",
            "left out": None,
        },
    )


def some_cells(hostile: bool = False) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    cells: list[dict[str, Any]] = []
    splits = [(0.1, None), (1.0, None), (10.0, None), (None, 0.0), (None, 1.0)]
    for data in ("digits", HOSTILE if hostile else "wine"):
        for alpha, beta in splits:
            for seed in (0, 1):
                for rank, name in enumerate(("splitnn", "gbdt", "solo-gbdt", "pooled-gbdt")):
                    sent = 0 if "-" in name else 4_000_000 // (rank + 1)
                    cells.append(
                        {
                            "data": data, "algorithm": name, "alpha": alpha, "beta": beta, "seed": seed,
                            "metric": "accuracy", "score": 0.9 - 0.1 * rank + 0.01 * seed + rng.normal() * 0.001,
                            "bytes": sent, "messages": sent // 1000, "rounds": 12, "seconds": 3.5,
                            "leakage": 0.4 if name == "splitnn" else None, "error": "",
                        }
                    )  # fmt: skip
    cells[0] |= {"score": None, "error": HOSTILE if hostile else FAILURE, "metric": None}
    return cells


PAGES = {
    "split": lambda: a_split(),
    "hostile split": lambda: a_split(hostile=True),
    "bench": lambda: bench_page("Four algorithms", some_cells(), {"parties": 4}),
    "hostile bench": lambda: bench_page(HOSTILE, some_cells(hostile=True), {HOSTILE: HOSTILE}),
    "bare split": lambda: split_page("Bare", ["a", "b"], ["one"], [0, 0]),
    "one run": lambda: bench_page("One", [{"data": "d", "algorithm": "gbdt", "score": 0.5}]),
    "failures": lambda: bench_page("None", [{"data": "d", "algorithm": "gbdt", "error": FAILURE}]),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_and_runs_its_own_script_only(name: str) -> None:
    page = PAGES[name]()
    tags = Elements(page).tags
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)[-1]
    assert b64decode(re.search("sha256-([^']+)'", policy)[1]) == hashlib.sha256(script.encode()).digest()
    assert "eval" not in policy and "default-src 'none'" in policy
    assert not [
        attrs for tag, attrs in tags if tag in ("img", "iframe") or (tag == "link" and attrs["href"] != "data:,")
    ]
    assert not [key for _, attrs in tags for key in attrs if key.startswith("on")]
    targets = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert targets <= {attrs.get("id") for _, attrs in tags}


def test_hostile_names_are_only_names() -> None:
    for name in ("hostile split", "hostile bench"):
        page = PAGES[name]()
        assert HOSTILE not in page
        assert HOSTILE in Elements(page).text
        assert page.count("</script>") == 2


def test_split_page_says_who_holds_what() -> None:
    words = Elements(a_split()).text
    assert "hospital 30 columns lab_0 lab_1" in words and "nothing yet 0 columns No column." in words
    assert "shop 8 columns v23" in words and "nobody 2 columns v31 v32" in words
    for figure in (
        "40 columns",
        "3 parties",
        "0.5 alpha",
        "−0.2 Icor",
        "−0.31 to 0.07 bounds",
        "85.0 %",
        "0.61",
        "0.27",
    ):
        assert figure in words
    assert "how by hand" in words and "unknown" not in words
    assert "Importance and correlation" not in Elements(PAGES["bare split"]()).text


def test_party_shares_are_drawn_to_scale() -> None:
    page = a_split()
    assert re.findall(r'<i style="width: ([\d.]+)%', page) == ["85.0", "0.0", "15.0"]
    assert re.findall(r'<b style="left: ([\d.]+)%', page) == ["75.0", "0.0", "20.0"]
    strengths = [float(v) for v in re.findall(r"--strength: ([\d.]+)\"", page)]
    assert strengths == [1.0, 0.0, 0.443, 0.0, 0.0, 0.0, 0.443, 0.0, 0.705]


def test_map_holds_absolute_correlations_by_party() -> None:
    correlation = np.array([[1.0, -0.5, 0.25], [-0.5, 1.0, np.nan], [0.25, np.nan, 1.0]])
    header, arrays = payload_of(split_page("t", ["a", "b", "c"], ["p", "q"], [1, 0, 1], correlation))
    assert header["names"] == ["b", "a", "c"] and header["starts"] == [0, 1, 2]
    assert [(p["name"], p["first"], p["nobody"]) for p in header["parties"]] == [("p", 0, False), ("q", 1, False)]
    codes = stored(header["values"], arrays)
    assert codes.tolist() == [LEVELS, round(0.5 * LEVELS), UNDEFINED, LEVELS, round(0.25 * LEVELS), LEVELS]


def test_a_wide_map_is_cut_into_bins_that_no_parties_share() -> None:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, -1], [700, 295, 6]))
    correlation = np.corrcoef(rng.normal(size=(30, 1001)), rowvar=False)
    page = split_page("wide", [f"x{j}" for j in range(1001)], ["nobody", "q"], labels, correlation)
    assert "mean of 3 neighbouring columns" in Elements(page).text
    header, arrays = payload_of(page)
    assert header["starts"] == [*range(0, 700, 3), *range(700, 995, 3), *range(995, 1001, 3)]
    assert [(p["name"], p["nobody"]) for p in header["parties"]] == [("nobody", False), ("q", False), ("nobody", True)]
    order = np.concatenate([np.flatnonzero(labels == k) for k in (0, 1, -1)])
    codes = stored(header["values"], arrays)
    wanted = np.abs(correlation[np.ix_(order[:3], order[3:6])]).mean()
    assert abs(codes[1] / LEVELS - wanted) < 1 / LEVELS
    assert len(codes) == len(header["starts"]) * (len(header["starts"]) + 1) // 2
    assert len(page) < 400_000


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_bins_are_means_without_undefined_pairs_and_selves(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    values = rng.random((n, n))
    values[rng.random((n, n)) < 0.2] = np.nan
    starts = np.cumsum([0, *sizes[:-1]])
    found = binned(values, starts)
    for i, (a, rows) in enumerate(zip(starts, sizes)):
        for j, (b, columns) in enumerate(zip(starts, sizes)):
            block = values[a : a + rows, b : b + columns].copy()
            if i == j and rows > 1:
                np.fill_diagonal(block, np.nan)
            wanted = block[~np.isnan(block)]
            assert found[i, j] == pytest.approx(wanted.mean()) if len(wanted) else np.isnan(found[i, j])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"labels": [0, 1]}, "labels must be one integer for each of the 3 names"),
        ({"labels": [0.0, 1.0, 1.0]}, "labels must be one integer"),
        ({"labels": [0, 1, 2]}, "labels names party 2, but parties are 0 to 1"),
        ({"labels": [0, 1, -2]}, "labels names party -2"),
        ({"correlation": np.eye(2)}, r"correlation must have shape \(3, 3\), got \(2, 2\)"),
        ({"pcor": np.eye(3)}, r"pcor must have shape \(2, 2\)"),
        ({"shares": [1.0]}, r"shares must have shape \(2,\)"),
    ],
)
def test_bad_input_of_split_page(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split_page(**{"title": "t", "names": ["a", "b", "c"], "party_names": ["p", "q"], "labels": [0, 1, 1]} | change)


def test_bench_page_says_scores_and_differences() -> None:
    cells = some_cells()
    words = Elements(bench_page("Four", cells, {"parties": 4})).text
    own = [np.mean([c["score"] for c in cells if c["data"] == "wine" and c["algorithm"] == a and c["seed"] == s])
           for a in ("gbdt", "pooled-gbdt") for s in (0, 1)]  # fmt: skip
    mean, deviation = np.mean(own[:2]), np.std(own[:2], ddof=1)
    assert f" {mean:.3f} ± {deviation:.3f} {mean - np.mean(own[2:]):+.3f} " in words
    assert "80 runs 2 data sets 4 algorithms 5 kinds of split 2 seeds 1 failed 4 parties" in words
    assert "1 run failed and is left out of all means" in words
    assert "1 of 10 failed" in words
    assert "digits accuracy wine accuracy" in words


def test_each_kind_of_split_has_its_table() -> None:
    page = bench_page("Four", some_cells())
    bodies = re.findall(r'<tbody data-setting="(\d)"( hidden)?>', page)
    assert bodies == [("0", ""), *((str(k), " hidden") for k in range(1, 6))]
    assert re.findall(r"<option[^>]*>([^<]*)<", page)[:3] == ["all splits", "alpha 0.1", "alpha 1"]
    assert "<select" not in PAGES["one run"]()


def test_sections_come_only_with_their_matter() -> None:
    def anchors(page: str) -> list[str]:
        return [attrs["id"] for tag, attrs in Elements(page).tags if tag == "section"]

    assert anchors(PAGES["bench"]()) == ["scores", "splits", "costs", "leakage", "cells"]
    assert anchors(PAGES["one run"]()) == ["scores", "cells"]
    assert anchors(PAGES["failures"]()) == ["scores", "cells"]
    assert anchors(PAGES["hostile bench"]())[-1] == "how"
    assert anchors(PAGES["bare split"]()) == ["holders"]


def test_payload_of_a_bench_has_every_run_and_one_colour_a_family() -> None:
    header, _ = payload_of(bench_page("Four", some_cells()))
    looks = {look["name"]: (look["family"], look["role"]) for look in header["algorithms"]}
    assert looks == {
        "splitnn": (0, "vertical"), "gbdt": (1, "vertical"), "solo-gbdt": (1, "solo"), "pooled-gbdt": (1, "pooled"),
    }  # fmt: skip
    assert len(header["rows"]) == 80 and header["rows"][0][-1] == FAILURE and header["rows"][0][6] is None
    assert header["rows"][5][:4] == ["digits", "gbdt", 0.1, None]


def test_no_cells_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to show"):
        bench_page("empty", [])


def test_bytes_are_read_in_their_unit() -> None:
    assert [amount(n) for n in (0, 999, 1000, 999_499, 999_500, 5e12)] == [
        "0 B", "999 B", "1 kB", "999 kB", "1 MB", "5 TB",
    ]  # fmt: skip


# In a browser


@pytest.fixture
def visit(open_page, tmp_path: Path) -> Callable:
    """Opens a page by name."""

    def visit(name: str, **options: Any):
        file = tmp_path / "page.html"
        file.write_text(PAGES[name](), encoding="utf-8")
        return open_page(file, **options)

    return visit


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 360)])
def test_loads_quietly_and_fits_the_screen(visit, name: str, scheme: str, width: int) -> None:
    page = visit(name, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.locator("#failure").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible() and page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.dataset.theme") == scheme


@pytest.mark.browser
def test_map_by_mouse_and_keyboard(visit) -> None:
    page = visit("split")
    canvas = page.locator("#map-canvas")
    canvas.scroll_into_view_if_needed()
    colours = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    assert canvas.evaluate(colours) > 20
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#announcer").inner_text() == "lab_1 (hospital)"
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.locator("#announcer").inner_text() == "lab_1 (hospital), lab_3 (hospital), correlation undefined"
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] - 8, "y": box["height"] - 60})
    assert page.locator("#tooltip").inner_text().splitlines()[1] == "v32 (nobody)"


@pytest.mark.browser
def test_columns_are_found_and_unfolded(visit) -> None:
    page = visit("split")
    shown = page.locator(".holder:first-of-type .columns li:visible")
    assert shown.count() == 24
    page.locator(".holder .more:visible").click()
    assert shown.count() == 30
    page.locator("#column-filter").fill("lab")
    assert page.locator(".columns li:visible").all_inner_texts() == [f"lab_{k}" for k in range(5)]
    assert page.locator("#column-count").inner_text() == "5 of 40 columns"


@pytest.mark.browser
def test_lines_go_and_come_back_and_the_scale_follows(visit) -> None:
    page = visit("bench")
    paths = page.locator("#alpha-panels .panel").first.locator("path")
    labels = page.locator("#alpha-panels .panel").first.locator("text")
    before, texts = paths.count(), labels.all_text_contents()
    page.locator("#splits .series-legend button", has_text="pooled-gbdt").click()
    assert paths.count() == before - 2
    assert labels.all_text_contents() != texts
    pressed = page.locator(".series-legend [data-algorithm='pooled-gbdt']")
    assert [button.get_attribute("aria-pressed") for button in pressed.all()] == ["false", "false"]
    page.locator("#costs .series-legend button", has_text="pooled-gbdt").click()
    assert paths.count() == before and labels.all_text_contents() == texts


@pytest.mark.browser
def test_pictures_tell_their_figures(visit) -> None:
    page = visit("bench")
    picture = page.locator("#alpha-panels svg").nth(1)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    picture.hover(position={"x": box["width"] * 0.95, "y": 30})
    lines = page.locator("#tooltip").inner_text().splitlines()
    assert lines[0] == "alpha 10" and [line.split()[-1] for line in lines[1:]] == [
        "splitnn",
        "gbdt",
        "solo-gbdt",
        "pooled-gbdt",
    ]
    marks = page.locator("#cost-panels svg").first.locator("circle[r='5.5']")
    marks.first.scroll_into_view_if_needed()
    told = set()
    for mark in marks.all():
        mark.hover(force=True)
        told.add(page.locator("#tooltip").inner_text().splitlines()[0])
    assert told == {"splitnn", "gbdt", "solo-gbdt"}


@pytest.mark.browser
def test_table_of_scores_follows_the_choice(visit) -> None:
    page = visit("bench")
    page.locator("#setting").select_option(label="beta 1")
    assert page.locator(".scores tbody:visible").get_attribute("data-setting") == "5"


@pytest.mark.browser
def test_runs_sort_and_filter_and_failures_give_their_reason(visit) -> None:
    page = visit("bench")
    rows = page.locator("#cells-table tbody tr")
    assert rows.count() == 80
    assert FAILURE in rows.first.inner_text() and "failed" in rows.first.inner_text()
    page.locator("#cells-table [data-sort='6']").click()
    page.locator("#cells-filter").fill("wine gbdt")
    scores = [float(text) for text in page.locator("#cells-table tbody td:nth-child(7)").all_inner_texts()]
    assert len(scores) == 30 and scores == sorted(scores, reverse=True)
    assert page.locator("#cells-count").inner_text() == "30 of 80 runs"
    page.locator("#cells-table [data-sort='6']").click()
    scores = [float(text) for text in page.locator("#cells-table tbody td:nth-child(7)").all_inner_texts()]
    assert scores == sorted(scores)
    page.locator("#cells-filter").fill("")
    page.locator("#cells-failed").check()
    assert rows.count() == 1


@pytest.mark.browser
def test_paper_is_light_and_shows_every_column(visit) -> None:
    page = visit("split", color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator(".columns li:visible").count() == 40
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
