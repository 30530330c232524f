"""The helpers of the documentation site, which need neither Sphinx nor a build."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))


@pytest.fixture
def quiet_figures():
    """`figure.show()` shows nothing."""
    import plotly.io

    shown = plotly.io.renderers.default
    plotly.io.renderers.default = ""
    yield
    plotly.io.renderers.default = shown
