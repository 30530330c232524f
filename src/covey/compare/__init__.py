"""Do two representations hold the same features, and which move together: similarities, alignments, dynamics."""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.compare.cosine import (
        LinearAutoencoderMF,
        RescalingSensitivity,
        cosine_ambiguity,
        cosine_similarity,
        data_space_cosine,
        rescaling_sensitivity,
    )
    from covey.compare.dynamics import (
        CorrelationModeDecomposition,
        EmbeddedCMD,
        OnlineCMD,
        WeightRecorder,
        mode_references,
    )

_HOME = {
    "CorrelationModeDecomposition": "dynamics",
    "EmbeddedCMD": "dynamics",
    "LinearAutoencoderMF": "cosine",
    "OnlineCMD": "dynamics",
    "RescalingSensitivity": "cosine",
    "WeightRecorder": "dynamics",
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
    "WeightRecorder",
    "cosine_similarity",
    "cosine_ambiguity",
    "data_space_cosine",
    "mode_references",
    "rescaling_sensitivity",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
