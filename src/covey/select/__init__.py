"""Which features should I keep, and which rows?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.select._base import FunctionSelector, GreedyPath, RankingSelector, Scores, elbow, greedy
    from covey.select.filters import AssociationRanker, relevance
    from covey.select.importance_resampling import (
        HashedNgramFeatures,
        ImportanceResampler,
        effective_sample_size,
        gumbel_top_k,
        kl_reduction,
        log_importance_weights,
    )
    from covey.select.redundancy import RedundancyAware, RedundancyColumns, minimum_redundancy

_HOME = {
    "AssociationRanker": "filters",
    "FunctionSelector": "_base",
    "GreedyPath": "_base",
    "HashedNgramFeatures": "importance_resampling",
    "ImportanceResampler": "importance_resampling",
    "RankingSelector": "_base",
    "RedundancyAware": "redundancy",
    "RedundancyColumns": "redundancy",
    "Scores": "_base",
    "effective_sample_size": "importance_resampling",
    "elbow": "_base",
    "greedy": "_base",
    "gumbel_top_k": "importance_resampling",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
    "minimum_redundancy": "redundancy",
    "relevance": "filters",
}

__all__ = [
    "AssociationRanker",
    "FunctionSelector",
    "GreedyPath",
    "HashedNgramFeatures",
    "ImportanceResampler",
    "RankingSelector",
    "RedundancyAware",
    "RedundancyColumns",
    "Scores",
    "effective_sample_size",
    "elbow",
    "greedy",
    "gumbel_top_k",
    "kl_reduction",
    "log_importance_weights",
    "minimum_redundancy",
    "relevance",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
