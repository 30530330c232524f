"""The report as one HTML page that opens offline."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from covey.report._files import write_text
from covey.report._model import ReportData
from covey.report._payload import pack
from covey.report._words import signed

# Chip of each kind of finding: its words and its tone (the colour it wears).
KINDS: dict[str, tuple[str, str]] = {
    "leak": ("likely leak", "alert"),
    "reversal": ("reversal", "alert"),
    "missingness": ("missingness", "alert"),
    "order": ("order drift", "alert"),
    "composition": ("parts of a whole", "alert"),
    "identifier": ("identifier", "drop"),
    "constant": ("constant", "drop"),
    "duplicate": ("duplicate", "drop"),
    "redundant": ("redundant", "drop"),
    "irrelevant": ("irrelevant", "drop"),
    "subset": ("to keep", "good"),
    "relevant": ("relevant", "good"),
    "nonlinear": ("non-linear", "good"),
    "factor": ("latent factors", "good"),
    "lagged": ("lagged", "good"),
    "indirect": ("indirect", "plain"),
    "direction": ("direction hint", "plain"),
    "table": ("table", "plain"),
}

PICTURES = {
    "pair": "Show the pair",
    "column": "Show the column",
    "group": "Show the group",
    "heatmap": "Show in the map",
    "network": "Show in the network",
    "relevance": "Show its relevance",
    "reversal": "Show the reversal",
    "order": "Show the drift",
    "factors": "Show the factors",
    "lagged": "Show the lags",
}

# In the order in which they define one another; together they are one script.
SCRIPTS = (
    *("base", "colour", "chart", "pair", "view", "cells", "heatmap"),
    *("network", "lagged", "relevance", "pairs", "cards", "main"),
)


def render(data: ReportData) -> str:
    """The page as one text: no file, font, script or picture comes from elsewhere.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    str
        HTML. Every word that comes from the data is escaped, and a content security policy lets only the page's own
        script run, so that a hostile column name stays a name.
    """
    return _template().render(
        data=data,
        facts=_facts(data),
        kinds=KINDS,
        counts=Counter(f.kind for f in data.findings),
        pictures=PICTURES,
        sections=_sections(data),
        has_partial=_has_partial(data),
        related=_related_factors(data),
        how=[(_words(name), readable(value)) for name, value in data.how.items() if value not in ([], ())],
        payload=pack(data),
        style=asset("page.css"),
        **script_of(SCRIPTS),
    )


def write_page(data: ReportData, path: str | Path) -> None:
    """Write `render` to `path`, whole or not at all.

    Parameters
    ----------
    data : ReportData
    path : str or Path

    Raises
    ------
    OSError
        If the file cannot be written; a file that was at `path` is then as it was.
    """
    write_text(path, render(data))


def readable(value: Any) -> str:
    """A number or text as a person writes it.

    Examples
    --------
    >>> [readable(v) for v in (32561, 0.123456, 1.0, 2.5e-12, float("nan"), True, "ranks")]
    ['32,561', '0.123', '1', '2.5 × 10⁻¹²', '–', 'yes', 'ranks']
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value != value:
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        return _readable_float(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)} {readable(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(readable(item) for item in value)
    return str(value)


def _readable_float(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and (abs(value) < 1e-3 or abs(value) >= 1e9):
        mantissa, exponent = f"{value:.1e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{power}".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """The figures under the title: (figure, what it counts)."""
    cells = data.n_rows * data.n_columns
    missing = sum(c.n_missing for c in data.columns)
    n_pairs = len(data.features) * (len(data.features) - 1) // 2
    return [
        (f"{data.n_rows:,}", "rows"),
        (f"{data.n_columns:,}", "columns"),
        (f"{100 * missing / cells:.1f}\u00a0%" if cells else "–", "cells missing"),
        (f"{n_pairs:,}", "pairs compared"),
        (f"{len(data.groups):,}", "redundant groups"),
        (f"{len(data.findings):,}", "findings"),
    ]


def _sections(data: ReportData) -> list[tuple[str, str]]:
    """(anchor, heading) of the sections that this report has."""
    has_pairs = len(data.features) > 1
    offered = [
        ("findings", "What to do", True),
        ("heatmap", "Association map", has_pairs),
        ("network", "Network", has_pairs),
        ("factors", "Latent factors", bool(data.factors)),
        ("lagged", "Along the rows", bool(data.lagged)),
        ("relevance", "Relevance", bool(data.relevance)),
        ("pairs", "All pairs", has_pairs),
        ("columns", "Columns", True),
        ("how", "How it was computed", True),
    ]
    return [(anchor, heading) for anchor, heading, wanted in offered if wanted]


def _related_factors(data: ReportData) -> list[str]:
    """For each factor, the others that it correlates with at 0.1 or more, as the end of a sentence."""
    out = []
    for k, factor in enumerate(data.factors):
        others = [(j, r) for j, r in enumerate(factor.correlations) if j != k and abs(r) >= 0.1]
        strongest = sorted(others, key=lambda item: -abs(item[1]))[:3]
        listed = ", ".join(f"factor {j + 1} ({signed(r)})" for j, r in strongest)
        out.append(f"; correlates with {listed}" if listed else "")
    return out


def _has_partial(data: ReportData) -> bool:
    """Whether at least three columns have partial correlations: with two there is nothing to hold fixed."""
    partial = data.matrices.get("partial_correlation")
    return partial is not None and int(np.isfinite(np.diagonal(partial.values)).sum()) >= 3


def _words(name: Any) -> str:
    return str(name).replace("_", " ")


def asset(name: str) -> str:
    """Text of a file of the folder ``assets``."""
    return (files("covey.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def script_of(parts: tuple[str, ...]) -> dict[str, str]:
    """A page's script, its parts in one scope of their own without comment lines and indentation, and its hash."""
    text = "\n".join(asset(f"{part}.js") for part in parts)
    lean = re.sub(r"^\s*(//.*)?\n|^[ \t]+", "", text, flags=re.MULTILINE)
    script = f'(() => {{\n"use strict";\n{lean}}})();\n'
    return {"script": script, "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}


@cache
def _template() -> Any:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(readable=readable, signed=signed, zip=zip)
    return environment.from_string(asset("page.html.j2"))
