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
    from covey.select.stability import (
        ProbeDiscovery,
        StabilitySelection,
        false_selection_bound,
        probe_false_discovery,
    )

_HOME = {
    "AssociationRanker": "filters",
    "FunctionSelector": "_base",
    "GreedyPath": "_base",
    "HashedNgramFeatures": "importance_resampling",
    "ImportanceResampler": "importance_resampling",
    "ProbeDiscovery": "stability",
    "RankingSelector": "_base",
    "RedundancyAware": "redundancy",
    "RedundancyColumns": "redundancy",
    "Scores": "_base",
    "StabilitySelection": "stability",
    "effective_sample_size": "importance_resampling",
    "elbow": "_base",
    "false_selection_bound": "stability",
    "greedy": "_base",
    "gumbel_top_k": "importance_resampling",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
    "minimum_redundancy": "redundancy",
    "probe_false_discovery": "stability",
    "relevance": "filters",
}

__all__ = [
    "AssociationRanker",
    "FunctionSelector",
    "GreedyPath",
    "HashedNgramFeatures",
    "ImportanceResampler",
    "ProbeDiscovery",
    "RankingSelector",
    "RedundancyAware",
    "RedundancyColumns",
    "Scores",
    "StabilitySelection",
    "effective_sample_size",
    "elbow",
    "false_selection_bound",
    "greedy",
    "gumbel_top_k",
    "kl_reduction",
    "log_importance_weights",
    "minimum_redundancy",
    "probe_false_discovery",
    "relevance",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
