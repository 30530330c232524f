"""Blocks that relate features to each other; they need torch."""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

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

__getattr__ = lazy_names(__name__, _HOME)  # torch is an extra, and takes seconds to import
