"""The page and the JSON as text: complete, safe, small, whole on the disk or not there."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from covey.report._json import to_json, write_json
from covey.report._model import Finding, View
from covey.report._page import KINDS, readable, render, write_page
from covey.report._payload import (
    DECADE,
    LEVELS,
    NO_PVALUE,
    UNDEFINED,
    frequent_codes,
    pack,
    quantise_pvalues,
    quantise_values,
    unpack,
)
from covey.table import _atomic, plain
from tests.report._factory import HOSTILE, make_report, make_small_report


class Elements(HTMLParser):
    """Tags with their attributes, and the text of the page outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def payload_of(page: str) -> tuple[dict, bytes]:
    return unpack(re.search(r'id="payload">([^<]*)<', page)[1])


def stored(reference: list, arrays: bytes) -> np.ndarray:
    offset, length, dtype = reference
    return np.frombuffer(arrays, dtype=f"<{dtype}", count=length, offset=offset)


def test_page_says_every_finding_with_its_action_and_evidence() -> None:
    data = make_report()
    text = Elements(render(data)).text
    for finding in data.findings:
        for words in (finding.title, finding.detail, finding.action):
            assert words in text
    assert "32,561" in text
    assert "2.5 × 10⁻¹²" in text


def test_every_kind_of_finding_has_a_chip_only_when_it_occurs() -> None:
    data = make_report()
    buttons = [attributes for tag, attributes in Elements(render(data)).tags if tag == "button"]
    chips = {button["data-kind"] for button in buttons if "aria-pressed" in button}
    assert chips == {"", *(f.kind for f in data.findings)}
    assert chips - {""} < set(KINDS)


def test_page_names_no_address_and_loads_nothing() -> None:
    elements = Elements(render(make_report()))
    for tag, attributes in elements.tags:
        assert "src" not in attributes, f"<{tag}> loads {attributes['src']}"
        href = attributes.get("href") or "#"
        assert href.startswith("#") or href == "data:,", f"<{tag}> points to {href}"
    policy = next(a["content"] for t, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_hostile_words_stay_words() -> None:
    data = make_report(hostile=True)
    data = replace(
        data,
        title=HOSTILE,
        target=HOSTILE,
        how={HOSTILE: {HOSTILE: HOSTILE}},
        findings=(Finding("table", HOSTILE, HOSTILE, HOSTILE, 1.0, View("column", (HOSTILE,)), {HOSTILE: HOSTILE}),),
    )
    page = render(data)
    elements = Elements(page)
    assert HOSTILE not in page
    assert not [tag for tag, attributes in elements.tags if tag == "img" or "onerror" in attributes]
    assert sum(tag == "script" for tag, _ in elements.tags) == 2
    assert elements.text.count(HOSTILE) >= 8
    assert payload_of(page)[0]["features"][1] == HOSTILE


def test_template_syntax_in_names_is_not_run() -> None:
    assert "{{ 7 * 7 }}" in Elements(render(replace(make_report(), title="{{ 7 * 7 }}"))).text


def test_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    data = replace(make_report(), title="caf\udce9")
    write_page(data, tmp_path / "page.html")
    assert "caf?" in (tmp_path / "page.html").read_text(encoding="utf-8")
    write_json(data, tmp_path / "page.json")
    assert json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["title"] == "caf?"


@pytest.mark.parametrize("names", [("only",), ("left", "right")])
def test_small_tables_have_a_page(names: tuple[str, ...]) -> None:
    anchors = [a["id"] for tag, a in Elements(render(make_small_report(names))).tags if tag == "section"]
    assert ("heatmap" in anchors) == (len(names) > 1)
    assert anchors[0] == "findings"
    assert "relevance" not in anchors


def test_page_of_five_hundred_columns_is_under_fifteen_megabytes() -> None:
    data = make_report(500, n_rows=2000, n_measures=8)
    assert len(render(data).encode()) < 15e6


def test_payload_restores_matrices() -> None:
    data = make_report()
    header, raw = payload_of(render(data))
    size = len(data.features)
    for spec in header["matrices"]:
        matrix = data.matrices[spec["name"]]
        kept = np.triu_indices(size) if matrix.symmetric else np.indices((size, size)).reshape(2, -1)
        codes = stored(spec["values"], raw).astype(float)
        values = np.where(codes == UNDEFINED, np.nan, codes / LEVELS * spec["scale"])
        np.testing.assert_allclose(values, matrix.values[tuple(kept)], atol=spec["scale"] / LEVELS)
        np.testing.assert_array_equal(stored(spec["n"], raw), matrix.n[tuple(kept)])
    assert [spec["symmetric"] for spec in header["matrices"]] == [True, True, False, True]


def test_payload_restores_the_sample() -> None:
    data = make_report()
    header, raw = payload_of(render(data))
    for name, spec in zip(data.features, header["sample"]["columns"]):
        column = data.sample[name]
        codes = stored(spec["values"], raw)
        if "labels" in spec:
            labels = [None if code == 255 else spec["labels"][code] for code in codes]
            assert labels == column.labels().tolist()
        elif "levels" in spec:
            values = np.array([np.nan if code == 255 else spec["levels"][code] for code in codes])
            np.testing.assert_array_equal(values, column.values)
        else:
            np.testing.assert_allclose(codes.astype(float) + spec["offset"], column.values, rtol=1e-6, atol=8)


def test_equal_arrays_are_stored_once() -> None:
    header, _ = payload_of(render(make_report()))
    symmetric = [spec["n"] for spec in header["matrices"] if spec["symmetric"]]
    assert symmetric[0] == symmetric[1] == symmetric[2]


def test_matrix_in_another_order_is_refused() -> None:
    data = make_report()
    with pytest.raises(ValueError, match="'auto' is not over the report's features"):
        pack(replace(data, features=data.features[::-1]))


@given(arrays(float, 20, elements=st.floats(-3, 3) | st.just(np.nan)))
def test_quantised_values_are_within_half_a_level(values: np.ndarray) -> None:
    codes = quantise_values(values, 3.0)
    np.testing.assert_array_equal(codes == UNDEFINED, np.isnan(values))
    defined = ~np.isnan(values)
    assert np.all(np.abs(codes[defined] / LEVELS * 3.0 - values[defined]) <= 0.51 * 3.0 / LEVELS)


@given(arrays(float, 20, elements=st.floats(1e-300, 1) | st.just(np.nan)))
def test_quantised_pvalues_are_within_seven_thousandths(pvalues: np.ndarray) -> None:
    codes = quantise_pvalues(pvalues)
    np.testing.assert_array_equal(codes == NO_PVALUE, np.isnan(pvalues))
    defined = ~np.isnan(pvalues)
    np.testing.assert_allclose(10.0 ** (codes[defined] / -float(DECADE)), pvalues[defined], rtol=7e-3)


@given(arrays(np.int32, st.integers(1, 200), elements=st.integers(-1, 59)))
def test_frequent_codes_keep_the_most_frequent_labels(codes: np.ndarray) -> None:
    categories = tuple(f"level {k}" for k in range(60))
    short, labels = frequent_codes(codes, categories)
    np.testing.assert_array_equal(short == 255, codes == -1)
    assert len(labels) <= 31
    for old, new in zip(codes, short):
        assert old == -1 or labels[new] in (categories[old], labels[-1])
    counts = np.bincount(short[short < 255], minlength=len(labels))
    named = counts[: 30 if labels and labels[-1].endswith("others") else len(labels)]
    assert np.all(np.diff(named) <= 0)


def test_readable_numbers() -> None:
    assert readable(-0.00012) == "−1.2 × 10⁻⁴"
    assert readable(12345.6) == "12,346"
    assert readable([0.5, None, False]) == "0.5, –, no"
    assert readable({"row_count": 3, "seed": 0}) == "row count 3, seed 0"
    assert readable(float("inf")) == "∞"
    assert readable(np.float64(0.25)) == "0.25"
    assert readable(np.int64(1234)) == "1,234"


def test_json_is_valid_and_says_null_for_undefined(tmp_path: Path) -> None:
    data = make_report()
    write_json(data, tmp_path / "report.json")

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert document == to_json(data)
    pearson = document["matrices"]["pearson"]
    assert pearson["values"][0][1] is None
    assert pearson["values"][0][2] == data.matrices["pearson"].values[0, 2]
    assert pearson["reasons"][0]["left"] == data.features[0]
    assert document["findings"][0]["view"] == {"kind": "pair", "columns": [data.features[0], data.features[-1]]}
    assert document["reversals"][0]["within"][2][1] is None
    assert document["how"]["seconds"]["read"] == 0.123


def test_plain_knows_numpy() -> None:
    assert plain([np.float32(0.5), np.bool_(True), np.array([[1, 2]]), (np.nan,)]) == [0.5, True, [[1, 2]], [None]]


@pytest.mark.parametrize("write", [write_page, write_json])
def test_full_disk_leaves_the_old_file_and_no_other(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_atomic.os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*report: No space left on device") as caught:
        write(make_report(), path)
    assert caught.value.errno == errno.ENOSPC
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("write", [write_page, write_json])
def test_missing_directory_is_named(write, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        write(make_report(), tmp_path / "nowhere" / "report.html")


def test_written_page_is_the_rendered_one(tmp_path: Path) -> None:
    data = make_report()
    write_page(data, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(data)
