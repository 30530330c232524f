"""Write the API reference and the table of systems from the package itself, before Sphinx reads the sources."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from rooms import packages, page, public_objects, rooms
from sphinx.util.docutils import SphinxDirective

from covey.catalogue import Method, methods


def kind_of(item: Any) -> str:
    """Which autodoc directive documents `item`."""
    if inspect.isclass(item):
        return "class"
    alias = hasattr(item, "__origin__")
    return "function" if callable(item) and not alias else "data"


def api_page(package: str) -> str:
    """Source of the page that lists the public names of one sub-package."""
    items = public_objects(package)
    in_order = sorted(items, key=lambda name: name.rpartition(".")[2].lower())
    lines = [*_heading(f"covey.{package}"), inspect.getdoc(import_module(f"covey.{package}")) or "", ""]
    for kind, title in (("class", "Classes"), ("function", "Functions"), ("data", "Constants and types")):
        names = [name for name in in_order if kind_of(items[name]) == kind]
        if names:
            rows = [(f":py:obj:`~{name}`", summary(items[name])) for name in names]
            lines += [*_heading(title, "-"), *_table(("name", "what it is"), rows, "30 70")]
    lines += [".. toctree::", "   :hidden:", "", *(f"   generated/{name}" for name in in_order), ""]
    return "\n".join(lines)


def object_page(name: str, item: Any) -> str:
    """Source of the page of one public name."""
    module, _, short = name.rpartition(".")
    lines = [*_heading(short), f".. currentmodule:: {module}", "", f".. auto{kind_of(item)}:: {short}"]
    return "\n".join([*lines, "   :members:" if kind_of(item) == "class" else "", ""])


def summary(item: Any) -> str:
    """First paragraph of the docstring, in one line; a constant of a built-in type has none of its own."""
    if kind_of(item) == "data":
        return ""
    return escape_underscores(" ".join((inspect.getdoc(item) or "").split("\n\n")[0].split()))


_LITERAL = re.compile(r"(``.*?``|`[^`]+`)")


def escape_underscores(line: str) -> str:
    """Escape the underscore at the end of a fitted attribute's name, which else is a link to nowhere.

    Examples
    --------
    >>> escape_underscores("of shape (n_factors_,), see `labels_`")
    'of shape (n_factors\\\\_,), see `labels_`'
    """
    parts = _LITERAL.split(line)
    return "".join(part if k % 2 else re.sub(r"(?<=\w)_(?!\w)", r"\\_", part) for k, part in enumerate(parts))


def mend_docstring(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Escape names of fitted attributes in all lines of a docstring but its examples."""
    session = False
    for k, line in enumerate(lines):
        session = line.lstrip().startswith(">>>") or (session and bool(line.strip()))
        if not session:
            lines[k] = escape_underscores(line)


def api_index(packages: list[str]) -> str:
    """Source of the page that lists the sub-packages."""
    rows = [(f":doc:`covey.{name} <{name}>`", _first_line(import_module(f"covey.{name}"))) for name in packages]
    toctree = [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in packages), ""]
    return "\n".join([*_heading("API reference"), *toctree, *_table(("package", "what it answers or does"), rows)])


def catalogue_page(rows: list[Method]) -> str:
    """Source of the tables of published systems, one a room."""
    intro = (
        f"{len(rows)} systems. Each has a study: a small run that measures the paper's claims. ``covey methods s311`` "
        "shows one of them in a shell, and ``covey study run s311`` runs its study. Where a claim does not hold, the "
        "table says so. The last full run is on the page :doc:`studies`."
    )
    lines = [*_heading("Published systems"), intro, ""]
    for room in packages():
        documented = {id(item): name for name, item in public_objects(room).items()}
        table = [
            (
                f"`{_escape(row.title)} <{row.url}>`__, {row.year} ({row.id})",
                f":py:obj:`~{documented[id(row.load())]}`",
                _escape(row.summary) + (f" **Not every claim holds:** {_escape(row.not_held)}" if row.not_held else ""),
            )
            for row in sorted(rows, key=lambda row: row.id)
            if row.room == room
        ]
        if table:
            heads = ("published system", "start with", "what you get")
            lines += [*_heading(f"covey.{room}", "-"), *_table(heads, table, "40 15 45")]
    return "\n".join(lines)


def _first_line(module: Any) -> str:
    return (inspect.getdoc(module) or "").partition("\n")[0]


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_|<>])", r"\\\1", text)


def _heading(title: str, line: str = "=") -> list[str]:
    return [title, line * len(title), ""]


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]], widths: str = "auto") -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (heads, *rows):
        lines += [f"   {'* -' if k == 0 else '  -'} {cell}" for k, cell in enumerate(row)]
    return [*lines, ""]


def write_if_changed(path: Path, text: str) -> None:
    """Write `text`, unless the file has it already (an unchanged file is not built again)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write(app: Any, config: Any) -> None:
    """Write docs/api/**.rst and docs/catalogue.rst; pages of names that are no more go."""
    source = Path(app.srcdir)
    pages = {source / "catalogue.rst": catalogue_page(methods()), source / "api" / "index.rst": api_index(packages())}
    for package in packages():
        pages[source / "api" / f"{package}.rst"] = api_page(package)
        for name, item in public_objects(package).items():
            pages[source / "api" / "generated" / f"{name}.rst"] = object_page(name, item)
    for path, text in pages.items():
        write_if_changed(path, text)
    for path in set((source / "api").rglob("*.rst")).difference(pages):
        path.unlink()


class Rooms(SphinxDirective):
    """Table of the rooms: the question (the title of the room's page), the package, how much is in it.

    With the option ``:pages:`` the rooms' pages hang below the page in the site's tree, in the order of the house.
    """

    option_spec = {"pages": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Nodes of the table."""
        self.env.note_reread()
        lines = ["| the question | room | public names | published systems |", "|---|---|---:|---:|"]
        for room in rooms():
            systems = sum(method.room == room for method in methods())
            names = len(public_objects(room))
            lines.append(f"| {self._question(room)} | `covey.{room}` | {names} | {systems or ''} |")
        if "pages" in self.options:
            pages = [f"/rooms/{room}" for room in rooms() if page(room).exists()]
            lines += ["", "```{toctree}", ":hidden:", "", *pages, "```"]
        return self.parse_text_to_nodes("\n".join(lines))

    @staticmethod
    def _question(room: str) -> str:
        if not page(room).exists():  # tests/docs says so; the build goes on
            return _first_line(import_module(f"covey.{room}"))
        title = page(room).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        return f"[{title}](/rooms/{room}.md)"


def skip_member(app: Any, what: str, name: str, item: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the metadata-routing methods that scikit-learn adds to every estimator."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("rooms", Rooms)
    app.connect("config-inited", write)
    app.connect("autodoc-process-docstring", mend_docstring, priority=900)
    app.connect("autodoc-skip-member", skip_member)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
