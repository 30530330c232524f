"""Blocks that relate features to each other; they need torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.nets.blocks.distribution_matching import (
        EFDM,
        AdaIN,
        EFDMix,
        MixStyle,
        adaptive_instance_norm,
        exact_match,
    )

_HOME = {
    "AdaIN": "distribution_matching",
    "EFDM": "distribution_matching",
    "EFDMix": "distribution_matching",
    "MixStyle": "distribution_matching",
    "adaptive_instance_norm": "distribution_matching",
    "exact_match": "distribution_matching",
}

__all__ = ["EFDM", "AdaIN", "EFDMix", "MixStyle", "adaptive_instance_norm", "exact_match"]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # torch is an extra, and takes seconds to import
        return getattr(import_module(f"covey.nets.blocks.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
