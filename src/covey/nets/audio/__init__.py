"""Features of sound, and losses and networks on them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.nets.audio.concordance import CCCLoss
    from covey.nets.audio.silence import frame_features, high_level_statistics, silence_ratio

_HOME = {
    "CCCLoss": "concordance",
    "frame_features": "silence",
    "high_level_statistics": "silence",
    "silence_ratio": "silence",
}

__all__ = ["CCCLoss", "frame_features", "high_level_statistics", "silence_ratio"]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # torch is an extra, and takes seconds to import
        return getattr(import_module(f"covey.nets.audio.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
