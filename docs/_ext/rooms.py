"""Which sub-packages covey has, and which of them are rooms, each with its page and its example.

``python docs/_ext/rooms.py compare`` writes the start of a page for a new room.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import covey
from covey.catalogue import methods

ORDER = ("measure", "structure", "select", "generate", "explain", "compare", "audit", "partition", "learn", "nets")
LAST = ("report", "table", "engine", "catalogue", "studies")
NOT_ROOMS = frozenset({"table", "engine", "catalogue", "studies"})
NOT_DOCUMENTED = frozenset({"cli", "data"})  # the shell and the bundled files: no public Python names of their own

PAGES = Path(__file__).parents[1] / "rooms"
EXAMPLES = Path(__file__).parents[1] / "gallery"

SKELETON = """\
# What does a user ask of {room}?

One paragraph: when the question comes up, and what comes out.

```{{run}}
import covey.{room}

sorted(covey.{room}.__all__)
```

Reference: {{doc}}`covey.{room} <../api/{room}>`.
"""


def public_objects(package: str) -> dict[str, Any]:
    """Everything public in a sub-package, by full name: its ``__all__``, then what the catalogue names beside it.

    An object that has two names appears under the first.
    """
    module = import_module(f"covey.{package}")
    named = {f"covey.{package}.{name}": getattr(module, name) for name in getattr(module, "__all__", ())}
    for method in methods():
        if method.room == package:
            for path, item in zip(method.objects, method.load_all()):
                if not any(item is known for known in named.values()):
                    named[path.replace(":", ".")] = item
    return named


def packages() -> list[str]:
    """The sub-packages with public names, in the order of the house; unknown ones stand between."""
    found = {module.name for module in iter_modules(covey.__path__) if module.ispkg}
    new = sorted(found.difference(ORDER, LAST))
    names = [name for name in (*ORDER, *new, *LAST) if name in found - NOT_DOCUMENTED]
    return [name for name in names if public_objects(name)]


def rooms() -> list[str]:
    """The sub-packages that answer a question of a user."""
    return [name for name in packages() if name not in NOT_ROOMS]


def page(room: str) -> Path:
    """Where the page of a room is."""
    return PAGES / f"{room}.md"


def example(room: str) -> Path:
    """Where the example of a room is."""
    return EXAMPLES / f"plot_{room}.py"


class HouseOrder:
    """Sphinx-gallery's sort key: examples in the order of the house."""

    def __init__(self, src_dir: str) -> None:
        self.order = rooms()

    def __call__(self, filename: str) -> tuple[int, str]:
        """Position of the room of ``plot_<room>.py``; other examples come last."""
        room = Path(filename).stem.removeprefix("plot_")
        return (self.order.index(room) if room in self.order else len(self.order), filename)

    def __repr__(self) -> str:
        return "<HouseOrder>"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if page(name).exists():
            sys.exit(f"{page(name)} exists")
        page(name).write_text(SKELETON.format(room=name), encoding="utf-8")
