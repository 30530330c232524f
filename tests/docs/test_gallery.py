"""The examples run as they stand, each in its own namespace."""

import runpy

import plotly.graph_objects as go
import pytest
from rooms import EXAMPLES, PAGES, example, page, rooms
from snippets import blocks, execute

SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_and_shows_a_figure(script, quiet_figures, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(go.Figure, "show", lambda figure, *args, **kwargs: shown.append(figure))
    runpy.run_path(str(script))
    assert shown
    assert all(len(figure.data) for figure in shown)
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PAGES.glob("[!i]*.md")), ids=lambda path: path.stem)
def test_code_of_a_page_runs(path, quiet_figures):
    namespace = {"__name__": "__main__"}
    results = [execute(code, namespace) for code in blocks(path.read_text(encoding="utf-8"))]
    assert results
    assert all(printed or value is not None for printed, value in results)


@pytest.mark.parametrize("room", rooms())
def test_every_room_has_a_page_and_an_example(room):
    assert page(room).exists(), f"write docs/rooms/{room}.md; `python docs/_ext/rooms.py {room}` makes a start"
    assert example(room).exists(), f"write docs/gallery/plot_{room}.py: one example of covey.{room} on real data"
    text = page(room).read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.partition("\n")[0].endswith("?"), "the page starts from the user's question"
    assert f"/api/{room}>" in text
    assert f"/auto_gallery/plot_{room}>" in text
    assert "One paragraph: when the question comes up" not in text, "the page is still the skeleton"


def test_blocks_share_a_namespace_and_give_their_last_value():
    first, second = blocks("```{run}\nx = 3\nprint('hello')\n```\n\ntext\n\n```{run}\nx + 1\n```\n")
    namespace = {}
    assert execute(first, namespace) == ("hello\n", None)
    assert execute(second, namespace) == ("", 4)
