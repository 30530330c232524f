"""Which features should I keep, and which rows?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.select._base import FunctionSelector, GreedyPath, RankingSelector, Scores, elbow, greedy
    from covey.select.causal import DoublyRobustSelector
    from covey.select.comparison import Recommendation, SelectorComparison, compare_selectors
    from covey.select.crossfit import CrossFitter, LeftOut
    from covey.select.filters import AssociationRanker, relevance
    from covey.select.importance_resampling import (
        HashedNgramFeatures,
        ImportanceResampler,
        effective_sample_size,
        gumbel_top_k,
        kl_reduction,
        log_importance_weights,
    )
    from covey.select.omp import OMPSelector, orthogonal_matching_pursuit
    from covey.select.redundancy import RedundancyAware, RedundancyColumns, minimum_redundancy
    from covey.select.stability import (
        ProbeDiscovery,
        StabilitySelection,
        false_selection_bound,
        probe_false_discovery,
        selection_stability,
    )

_HOME = {
    "AssociationRanker": "filters",
    "CrossFitter": "crossfit",
    "DoublyRobustSelector": "causal",
    "FunctionSelector": "_base",
    "GreedyPath": "_base",
    "HashedNgramFeatures": "importance_resampling",
    "ImportanceResampler": "importance_resampling",
    "LeftOut": "crossfit",
    "OMPSelector": "omp",
    "ProbeDiscovery": "stability",
    "RankingSelector": "_base",
    "Recommendation": "comparison",
    "RedundancyAware": "redundancy",
    "RedundancyColumns": "redundancy",
    "Scores": "_base",
    "SelectorComparison": "comparison",
    "StabilitySelection": "stability",
    "compare_selectors": "comparison",
    "effective_sample_size": "importance_resampling",
    "elbow": "_base",
    "false_selection_bound": "stability",
    "greedy": "_base",
    "gumbel_top_k": "importance_resampling",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
    "minimum_redundancy": "redundancy",
    "orthogonal_matching_pursuit": "omp",
    "probe_false_discovery": "stability",
    "relevance": "filters",
    "selection_stability": "stability",
}

__all__ = [
    "AssociationRanker",
    "CrossFitter",
    "DoublyRobustSelector",
    "FunctionSelector",
    "GreedyPath",
    "HashedNgramFeatures",
    "ImportanceResampler",
    "LeftOut",
    "OMPSelector",
    "ProbeDiscovery",
    "RankingSelector",
    "Recommendation",
    "RedundancyAware",
    "RedundancyColumns",
    "Scores",
    "SelectorComparison",
    "StabilitySelection",
    "compare_selectors",
    "effective_sample_size",
    "elbow",
    "false_selection_bound",
    "greedy",
    "gumbel_top_k",
    "kl_reduction",
    "log_importance_weights",
    "minimum_redundancy",
    "orthogonal_matching_pursuit",
    "probe_false_discovery",
    "relevance",
    "selection_stability",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
