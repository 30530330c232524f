"""Read `methods.toml`: which published systems covey implements, and where."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Method:
    """One published system: its paper, the objects that implement it, and the study that proves it.

    Parameters
    ----------
    id : str
        Short unique name, e.g. ``"s311"``.
    title : str
        Title of the paper.
    year : int
    room : str
        Sub-package of covey in which the system lives.
    objects : tuple of str
        Public objects as ``"package.module:name"``, the main one first.
    study : str
        The study as ``"package.module:name"``.
    summary : str
        What a user gets, in one sentence.
    arxiv : str
        arXiv id, or ``""`` when `doi` is given.
    doi : str
        DOI, or ``""`` when `arxiv` is given.
    not_held : str
        Evidence why a claim of the study does not hold; ``""`` when all hold.
    """

    id: str
    title: str
    year: int
    room: str
    objects: tuple[str, ...]
    study: str
    summary: str
    arxiv: str = ""
    doi: str = ""
    not_held: str = ""

    @property
    def url(self) -> str:
        """Where to read the paper."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else f"https://doi.org/{self.doi}"

    def load(self) -> Any:
        """Import the main object.

        Raises
        ------
        ValueError
            If it is not there.
        """
        return self.load_all()[0]

    def load_all(self) -> list[Any]:
        """Import every object, the main one first.

        Raises
        ------
        ValueError
            If one of them is not there.
        """
        return [_import(self.id, path) for path in self.objects]

    def load_study(self) -> Callable[..., Any]:
        """Import the study, ``study(quick=False, random_state=0)``.

        Raises
        ------
        ValueError
            If it is not there.
        """
        return _import(self.id, self.study)


def methods() -> list[Method]:
    """Every system of the catalogue, in the order of the file.

    Examples
    --------
    >>> [m.title for m in methods() if m.id == "s311"]
    ['Further Generalizations of the Jaccard Index']
    """
    return list(_catalogue().values())


def get(id: str) -> Method:
    """The system called `id`.

    Raises
    ------
    ValueError
        If there is none; the message lists near ids.

    Examples
    --------
    >>> get("s311").load().__name__
    'coincidence'
    """
    catalogue = _catalogue()
    if id not in catalogue:
        near = get_close_matches(str(id), catalogue, n=3) or list(catalogue)[:8]
        raise ValueError(f"no system {id!r} in the catalogue; did you mean {', '.join(near)}?")
    return catalogue[id]


@cache
def _catalogue() -> dict[str, Method]:
    return parse((files("covey.catalogue") / "methods.toml").read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Method]:
    """Read a catalogue from TOML: one table per system, keyed by id.

    Raises
    ------
    ValueError
        If the text is not TOML (repeated ids included) or a row lacks a field, has an unknown one, or one
        of the wrong type; the message names the row.

    Examples
    --------
    >>> parse('[s000]\\ntitle = "A title"')
    Traceback (most recent call last):
    ...
    ValueError: catalogue row s000 lacks year, room, object, study, summary
    """
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the catalogue is not valid TOML: {error}") from error
    return {id: _method(id, row) for id, row in rows.items()}


def _method(id: str, row: Any) -> Method:
    if not isinstance(row, Mapping):
        raise ValueError(f"catalogue row {id} must be a table, got {row!r}")
    values = {("objects" if name == "object" else name): value for name, value in row.items()}
    if "id" in row or "objects" in row:
        raise ValueError(f"catalogue row {id}: write the id as the table's name and the objects as 'object'")
    if isinstance(values.get("objects"), str):
        values["objects"] = [values["objects"]]
    _check_fields(id, values)
    values["objects"] = tuple(values["objects"])
    method = Method(id=id, **values)
    if bool(method.arxiv) == bool(method.doi):
        raise ValueError(f"catalogue row {id} needs either arxiv or doi")
    for path in (*method.objects, method.study):
        if path.count(":") != 1 or not path.startswith("covey."):
            raise ValueError(f"catalogue row {id}: {path!r} is not of the form 'covey.module:name'")
    return method


def _check_fields(id: str, values: Mapping[str, Any]) -> None:
    known = {field.name: field for field in fields(Method) if field.name != "id"}
    lacking = [name for name, field in known.items() if field.default is MISSING and not values.get(name)]
    if lacking:
        raise ValueError(f"catalogue row {id} lacks {', '.join(lacking).replace('objects', 'object')}")
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"catalogue row {id} has an unknown field {name!r}")
        wanted: type = {"year": int, "objects": list}.get(name, str)
        if not isinstance(value, wanted):
            raise ValueError(f"catalogue row {id}: {name} must be of type {wanted.__name__}, got {value!r}")


def _import(id: str, path: str) -> Any:
    module, name = path.split(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"catalogue row {id} names {path!r}, which does not import: {error}") from error
