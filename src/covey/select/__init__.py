"""Which features should I keep, and which rows?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.select.importance_resampling import (
        HashedNgramFeatures,
        ImportanceResampler,
        effective_sample_size,
        gumbel_top_k,
        kl_reduction,
        log_importance_weights,
    )

_HOME = {
    "HashedNgramFeatures": "importance_resampling",
    "ImportanceResampler": "importance_resampling",
    "effective_sample_size": "importance_resampling",
    "gumbel_top_k": "importance_resampling",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
}

__all__ = [
    "HashedNgramFeatures",
    "ImportanceResampler",
    "effective_sample_size",
    "gumbel_top_k",
    "kl_reduction",
    "log_importance_weights",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
