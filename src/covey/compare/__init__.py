"""Do two representations hold the same features, and which move together: similarities, alignments, dynamics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.compare.dynamics import CorrelationModeDecomposition, EmbeddedCMD, OnlineCMD, mode_references

_HOME = {
    "CorrelationModeDecomposition": "dynamics",
    "EmbeddedCMD": "dynamics",
    "OnlineCMD": "dynamics",
    "mode_references": "dynamics",
}

__all__ = [
    "CorrelationModeDecomposition",
    "EmbeddedCMD",
    "OnlineCMD",
    "mode_references",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn takes a second to import
        return getattr(import_module(f"covey.compare.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
