"""Do two representations hold the same features, and which move together: similarities, alignments, dynamics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.compare.cosine import (
        LinearAutoencoderMF,
        RescalingSensitivity,
        cosine_ambiguity,
        cosine_similarity,
        data_space_cosine,
        rescaling_sensitivity,
    )
    from covey.compare.dynamics import CorrelationModeDecomposition, EmbeddedCMD, OnlineCMD, mode_references

_HOME = {
    "CorrelationModeDecomposition": "dynamics",
    "EmbeddedCMD": "dynamics",
    "LinearAutoencoderMF": "cosine",
    "OnlineCMD": "dynamics",
    "RescalingSensitivity": "cosine",
    "cosine_similarity": "cosine",
    "cosine_ambiguity": "cosine",
    "data_space_cosine": "cosine",
    "mode_references": "dynamics",
    "rescaling_sensitivity": "cosine",
}

__all__ = [
    "CorrelationModeDecomposition",
    "EmbeddedCMD",
    "LinearAutoencoderMF",
    "OnlineCMD",
    "RescalingSensitivity",
    "cosine_similarity",
    "cosine_ambiguity",
    "data_space_cosine",
    "mode_references",
    "rescaling_sensitivity",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn takes a second to import
        return getattr(import_module(f"covey.compare.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
