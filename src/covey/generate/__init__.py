"""Which features should I make?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    pass

_HOME: dict[str, str] = {}

__all__: list[str] = []

__getattr__ = lazy_names(__name__, _HOME)
