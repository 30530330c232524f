"""One table in, one page out: what moves together, what matters, what to do."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

from covey.report._model import Finding, ReportData
from covey.report._selection_page import selection_page
from covey.table import FeatureTable, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from covey.engine import Engine

__all__ = ["Finding", "Report", "ReportData", "report", "selection_page"]

MAIN = 10


class Report:
    """What `covey.report` found; shows itself in a notebook, prints its main findings, saves as a page.

    Parameters
    ----------
    data : ReportData
    """

    def __init__(self, data: ReportData) -> None:
        self.data = data

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, most important first."""
        return self.data.findings

    def __str__(self) -> str:
        return _as_text(self.data)

    def __repr__(self) -> str:
        return f"<Report {self.data.title!r}: {self.data.n_rows:,} rows, {len(self.findings)} findings>"

    @cached_property
    def _page(self) -> str:
        from covey.report._page import render

        return render(self.data)

    def _repr_html_(self) -> str:
        from html import escape

        return f'<iframe srcdoc="{escape(self._page)}" style="width:100%;height:80vh;border:0"></iframe>'

    def save(self, path: str | Path) -> Path:
        """Write the page, complete or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from covey.report._page import write_page

        write_page(self.data, path)
        return Path(path)

    def show(self) -> Path:
        """Write the page to a temporary file and open it in a browser."""
        import tempfile
        import webbrowser

        path = self.save(Path(tempfile.mkdtemp(prefix="covey-")) / "report.html")
        webbrowser.open(path.as_uri())
        return path

    def to_json(self) -> dict[str, Any]:
        """Everything but the sample of rows as plain data."""
        from covey.report._json import to_json

        return to_json(self.data)


def report(
    source: Any,
    target: str | None = None,
    out: str | Path | None = None,
    json: str | Path | None = None,
    engine: Engine | str | None = None,
    sample: int | None = None,
    random_state: int = 0,
    title: str | None = None,
    compositional: Sequence[str] = (),
    time: str | None = None,
) -> Report:
    """Find out how the columns of a table move together, what matters for a target, and what to do about it.

    Parameters
    ----------
    source : path, dataframe, array, FeatureTable, ...
        Anything that `covey.read` takes.
    target : str, optional
        The column to be explained.
    out : path, optional
        Where to write the page (one HTML file that opens offline).
    json : path, optional
        Where to write the same as JSON.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
    sample : int, optional
        Most rows to measure associations on; by default as many as are affordable: 2e9 over the number of pairs of
        columns, from 10,000 to 500,000.
    random_state : int
        Seed of samples and bootstrap.
    title : str, optional
        Title of the page; by default the source's name.
    compositional : sequence of str, optional
        Columns that are parts of one whole (shares, amounts of substances, counts of kinds) and so are compared by
        log-ratios; sets of columns that add up to a constant are found without being named.
    time : str, optional
        Column of numbers or dates to put the rows in order by before anything is measured. Rows that are in an order
        already (sorted by a date, or like their neighbours) need it not.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the source cannot be read as a table; if the target is unknown, constant, an identifier or free text; if
        `compositional` names fewer than three columns or others than non-negative numbers; if
        `time` holds no numbers or dates; or if `sample` is below 2.
    OSError
        If a file cannot be read or written.

    Examples
    --------
    >>> import covey
    >>> found = covey.report("covey:german_credit", target="credit")
    >>> found.data.n_rows, found.findings[0].kind
    (1000, 'relevant')
    """
    from covey.engine import resolve
    from covey.report._analyse import analyse

    if sample is not None and sample < 2:
        raise ValueError(f"sample must be at least 2 rows, got {sample}")
    start = perf_counter()
    table = read(source)
    reading = round(perf_counter() - start, 3)
    data = analyse(table, target, resolve(engine), sample, random_state, title or _title(source), compositional, time)
    seconds = {"reading": reading, **data.how["seconds"]}
    made = Report(replace(data, how={**data.how, "seconds": seconds}))
    if out is not None:
        made.save(out)
    if json is not None:
        from covey.report._json import write_json

        write_json(made.data, json)
    return made


def _title(source: Any) -> str:
    if isinstance(source, str | Path):
        return str(source).removeprefix("covey:") if str(source).startswith("covey:") else Path(source).name
    return "Table" if isinstance(source, FeatureTable) else f"{type(source).__name__}"


def _as_text(data: ReportData) -> str:
    """The main findings as a person reads them in a terminal."""
    from textwrap import fill

    head = f"{data.title}: {data.n_rows:,} rows, {data.n_columns:,} columns"
    lines = [head + (f", target {data.target}" if data.target else ""), ""]
    for k, finding in enumerate(data.findings[:MAIN], 1):
        lines.append(fill(f"{k:2}. {finding.title}", 100, subsequent_indent="    "))
        indent = "    "
        lines.append(fill(finding.detail, 100, initial_indent=indent, subsequent_indent=indent))
        lines.append(fill(f"-> {finding.action}", 100, initial_indent=indent, subsequent_indent=f"{indent}   "))
    if not data.findings:
        lines.append("Nothing stands out.")
    if len(data.findings) > MAIN:
        lines.append(f"\nand {len(data.findings) - MAIN} more findings")
    return "\n".join(lines)


class _CallableModule(ModuleType):
    """Importing this module hides the function ``covey.report`` behind the module of that name: let it be called."""

    __call__ = staticmethod(report)


sys.modules[__name__].__class__ = _CallableModule
