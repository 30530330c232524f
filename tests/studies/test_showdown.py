"""The showdown on two small tables: complete, resumable, and drawn."""

import json
import time
import warnings

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from covey.cli._study import without_section, write_section
from covey.engine import LocalEngine
from covey.studies.select import showdown

NAMES = ("association", "mrmr", showdown.RANDOM)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def cells(folder):
    return showdown.run(folder, ("breast_cancer", "wine"), NAMES)


def test_every_selector_is_scored_with_every_learner(cells):
    assert len(cells) == 2 * (len(NAMES) + 1)
    for cell in cells:
        assert not cell.error
        assert set(cell.scores) == set(showdown.LEARNERS)
    by = {(cell.data, cell.selector): cell for cell in cells}
    assert by["wine", "association"].mean("forest") > by["wine", "random"].mean("forest")
    for data in ("breast_cancer", "wine"):
        assert by[data, "association"].stability > by[data, "random"].stability


def test_goes_on_from_what_is_done(folder, cells):
    path = folder / "wine-mrmr.json"
    changed = json.loads(path.read_text())
    changed["seconds"] = 123.0
    path.write_text(json.dumps(changed))
    (folder / "wine-association.json").unlink()
    again = {(c.data, c.selector): c for c in showdown.run(folder, ("breast_cancer", "wine"), NAMES)}
    assert again["wine", "mrmr"].seconds == 123.0
    first = next(c for c in cells if (c.data, c.selector) == ("wine", "association"))
    assert again["wine", "association"].scores == first.scores


def test_threads_leave_the_warning_filters_alone(monkeypatch):
    def quick(data, selector):
        time.sleep(0.01 + 0.03 * (ord(selector[-1]) % 2))
        return showdown.Cell(data, selector, {}, float("nan"), 0.0, "nothing")

    monkeypatch.setattr(showdown, "run_cell", quick)
    before = list(warnings.filters)
    for _ in range(3):
        showdown.run(None, ("wine",), [f"s{k}" for k in range(12)], LocalEngine(4))
        assert warnings.filters == before


def test_what_a_selector_cannot_do_is_told():
    cell = showdown.run_cell("wine", "no such")
    assert "KeyError" in cell.error and np.isnan(cell.mean("forest"))


def test_critical_difference_known_values():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(14, 4)) + np.array([0.0, 0.0, 0.0, 3.0])
    found = showdown.critical_difference(scores, list("abcd"))
    assert found.names[0] == "d"
    assert found.pvalue == pytest.approx(friedmanchisquare(*scores.T).pvalue)
    assert found.difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)  # table 5 of Demsar (2006)
    with pytest.raises(ValueError, match="at least 3 methods"):
        showdown.critical_difference(scores[:, :2], ["a", "b"])


def test_the_section_replaces_itself_and_stays_last(cells, tmp_path):
    page = tmp_path / "studies.md"
    page.write_text("# Studies\n\n## s001\n\nheld\n")
    text = showdown.to_markdown(cells, "showdown.svg")
    for _ in range(2):
        write_section(page, "showdown", text)
    written = page.read_text()
    assert written.count("## showdown") == 1 and "## s001" in written
    assert "| association |" in written and "![critical differences](showdown.svg)" in written
    assert without_section(written, "showdown").rstrip().endswith("held")
    assert showdown.to_svg(showdown.ranked(cells)).count("<text") > len(NAMES)
