"""Plotly figures in the pages: drawn by one script of the site itself, with a small picture for the gallery's index."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from numpy.typing import NDArray
from plotly.io.base_renderers import ExternalRenderer
from plotly.offline import get_plotlyjs

SCRIPT = "plotly.min.js"
_shown: list[go.Figure] = []


class _Keep(ExternalRenderer):
    """`figure.show()` in an example hands the figure to the scraper."""

    def render(self, fig_dict: dict[str, Any]) -> None:
        _shown.append(go.Figure(fig_dict))


def html_of(figure: go.Figure) -> str:
    """A figure as HTML: as wide as its place, on the page's own background."""
    figure = go.Figure(figure)
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", width=None, autosize=True, margin={"t": 48}
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    config = {"displaylogo": False, "responsive": True}
    html = pio.to_html(figure, include_plotlyjs=False, full_html=False, config=config)
    return f'<div class="figure-plotly">{html}</div>'


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Sphinx-gallery scraper: the figures that the block has shown, as HTML."""
    parts = []
    while _shown:
        figure = _shown.pop(0)
        thumbnail(figure, next(block_vars["image_path_iterator"]))
        parts.append(".. raw:: html\n\n    " + html_of(figure).replace("\n", " ") + "\n")
    return "\n".join(parts)


def thumbnail(figure: go.Figure, path: str | Path) -> None:
    """Draw the traces of a figure as a small picture without words."""
    import matplotlib.figure

    canvas = matplotlib.figure.Figure(figsize=(4, 2.8), dpi=100, layout="constrained")
    axes = canvas.subplots()
    for trace in figure.data:
        _draw(axes, trace)
    axes.set_xticks([])
    axes.set_yticks([])
    canvas.savefig(path)


def _draw(axes: Any, trace: Any) -> None:
    y = _values(trace.y)
    x = np.arange(len(y)) if trace.x is None else _values(trace.x)
    if trace.type == "heatmap":
        axes.imshow(_values(trace.z), aspect="auto", cmap="RdBu" if (trace.zmin or 0) < 0 else "viridis")
    elif trace.type == "bar" and trace.orientation == "h":
        axes.barh(np.arange(len(y)), x)
    elif trace.type == "bar":
        axes.plot(np.arange(len(x)), y, "o-")
    elif "lines" in (trace.mode or "lines"):
        axes.plot(x, y)
    else:
        axes.scatter(x, y, s=8)


def _values(data: Any) -> NDArray[Any]:
    """Plotly packs numeric arrays as text: unpack them; None is NaN."""
    if isinstance(data, dict):
        flat = np.frombuffer(b64decode(data["bdata"]), dtype=data["dtype"])
        return flat.reshape([int(n) for n in data["shape"].split(",")]) if "shape" in data else flat
    numbers = all(value is None or isinstance(value, int | float) for value in data or ())
    return np.array(data, dtype=float) if numbers else np.array(data)


def load_script(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Load the script on pages with a figure, and only there."""
    if "plotly-graph-div" in (context.get("body") or ""):
        app.add_js_file(SCRIPT)


def write_script(app: Any, error: Exception | None) -> None:
    """Put Plotly's own script among the site's files."""
    if error is None and app.builder.format == "html":
        (Path(app.outdir) / "_static" / SCRIPT).write_text(get_plotlyjs(), encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    pio.renderers["covey_keep"] = _Keep()
    pio.renderers.default = "covey_keep"
    app.connect("html-page-context", load_script)
    app.connect("build-finished", write_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
