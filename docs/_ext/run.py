"""The directive ``{run}``: code that runs while the page is built, with what it printed and its last value below it.

The blocks of a page share one namespace and run in order, as in a session.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from docutils import nodes
from figures import html_of
from snippets import execute
from sphinx.util.docutils import SphinxDirective


class Run(SphinxDirective):
    """Show code, run it, show what came out."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Nodes of the code and of its output."""
        self.env.note_reread()  # what comes out may change when the package does
        code = "\n".join(self.content)
        namespace = self.env.temp_data.setdefault("run_namespace", {"__name__": "__main__"})
        printed, value = execute(code, namespace)
        shown: list[nodes.Node] = [self._literal(code, "python", "run-code")]
        figure = isinstance(value, go.Figure)
        text = printed if value is None or figure else f"{printed}{value!r}"
        if text:
            shown.append(self._literal(text.rstrip(), "none", "run-output"))
        if figure:
            shown.append(nodes.raw("", html_of(value), format="html"))
        return shown

    @staticmethod
    def _literal(text: str, language: str, name: str) -> nodes.literal_block:
        return nodes.literal_block(text, text, language=language, classes=[name])


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("run", Run)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
