"""Features of sound, and losses and networks on them."""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

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

__getattr__ = lazy_names(__name__, _HOME)  # torch is an extra, and takes seconds to import
