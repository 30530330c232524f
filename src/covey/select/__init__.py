"""Which features should I keep, and which rows?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.select._base import FunctionSelector, GreedyPath, RankingSelector, Scores, elbow, greedy
    from covey.select._table_scores import ColumnQuality
    from covey.select.all_relevant import AllRelevantSelector
    from covey.select.cardinality import CardinalityAwareRanker, cardinality_corrected_mi, rank_3mr
    from covey.select.causal import DoublyRobustSelector
    from covey.select.class_statistics import binned_information, fisher_score
    from covey.select.comparison import Recommendation, SelectorComparison, compare_selectors
    from covey.select.crossfit import CrossFitter, LeftOut
    from covey.select.dynamic import Acquisition, ConditionalInformation, TabularCMI, acquire
    from covey.select.encoded import EncodedSelector
    from covey.select.filters import AssociationRanker, relevance
    from covey.select.forward import DistanceCorrelationSelector, ResidualForward
    from covey.select.gradient import FeatureGradientSelector, PredictabilityEstimate
    from covey.select.graph import (
        ECFS,
        ILFS,
        EigenvectorCentralitySelector,
        GraphSelector,
        InfFS,
        InfiniteLatentSelector,
        InfiniteSelector,
        infinite_paths_score,
    )
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
    from covey.select.registry import SelectorEntry, make_selector, selectors
    from covey.select.stability import (
        ProbeDiscovery,
        StabilitySelection,
        false_selection_bound,
        probe_false_discovery,
        selection_stability,
    )
    from covey.select.unsupervised import QuickSelection, SparseDenoisingAutoencoder, sparse_denoising_autoencoder

_HOME = {
    "Acquisition": "dynamic",
    "AllRelevantSelector": "all_relevant",
    "AssociationRanker": "filters",
    "CardinalityAwareRanker": "cardinality",
    "ColumnQuality": "_table_scores",
    "ConditionalInformation": "dynamic",
    "CrossFitter": "crossfit",
    "DistanceCorrelationSelector": "forward",
    "DoublyRobustSelector": "causal",
    "ECFS": "graph",
    "EigenvectorCentralitySelector": "graph",
    "EncodedSelector": "encoded",
    "FeatureGradientSelector": "gradient",
    "FunctionSelector": "_base",
    "GraphSelector": "graph",
    "GreedyPath": "_base",
    "HashedNgramFeatures": "importance_resampling",
    "ILFS": "graph",
    "ImportanceResampler": "importance_resampling",
    "InfFS": "graph",
    "InfiniteLatentSelector": "graph",
    "InfiniteSelector": "graph",
    "LeftOut": "crossfit",
    "OMPSelector": "omp",
    "PredictabilityEstimate": "gradient",
    "ProbeDiscovery": "stability",
    "QuickSelection": "unsupervised",
    "RankingSelector": "_base",
    "Recommendation": "comparison",
    "RedundancyAware": "redundancy",
    "RedundancyColumns": "redundancy",
    "ResidualForward": "forward",
    "Scores": "_base",
    "SelectorComparison": "comparison",
    "SelectorEntry": "registry",
    "SparseDenoisingAutoencoder": "unsupervised",
    "StabilitySelection": "stability",
    "TabularCMI": "dynamic",
    "acquire": "dynamic",
    "binned_information": "class_statistics",
    "cardinality_corrected_mi": "cardinality",
    "compare_selectors": "comparison",
    "effective_sample_size": "importance_resampling",
    "elbow": "_base",
    "false_selection_bound": "stability",
    "fisher_score": "class_statistics",
    "greedy": "_base",
    "gumbel_top_k": "importance_resampling",
    "infinite_paths_score": "graph",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
    "make_selector": "registry",
    "minimum_redundancy": "redundancy",
    "orthogonal_matching_pursuit": "omp",
    "probe_false_discovery": "stability",
    "rank_3mr": "cardinality",
    "relevance": "filters",
    "selection_stability": "stability",
    "selectors": "registry",
    "sparse_denoising_autoencoder": "unsupervised",
}

__all__ = [
    "Acquisition",
    "AllRelevantSelector",
    "AssociationRanker",
    "CardinalityAwareRanker",
    "ColumnQuality",
    "ConditionalInformation",
    "CrossFitter",
    "DistanceCorrelationSelector",
    "DoublyRobustSelector",
    "ECFS",
    "EigenvectorCentralitySelector",
    "EncodedSelector",
    "FeatureGradientSelector",
    "FunctionSelector",
    "GraphSelector",
    "GreedyPath",
    "HashedNgramFeatures",
    "ILFS",
    "ImportanceResampler",
    "InfFS",
    "InfiniteLatentSelector",
    "InfiniteSelector",
    "LeftOut",
    "OMPSelector",
    "PredictabilityEstimate",
    "ProbeDiscovery",
    "QuickSelection",
    "RankingSelector",
    "Recommendation",
    "RedundancyAware",
    "RedundancyColumns",
    "ResidualForward",
    "Scores",
    "SelectorComparison",
    "SelectorEntry",
    "SparseDenoisingAutoencoder",
    "StabilitySelection",
    "TabularCMI",
    "acquire",
    "binned_information",
    "cardinality_corrected_mi",
    "compare_selectors",
    "effective_sample_size",
    "elbow",
    "false_selection_bound",
    "fisher_score",
    "greedy",
    "gumbel_top_k",
    "infinite_paths_score",
    "kl_reduction",
    "log_importance_weights",
    "make_selector",
    "minimum_redundancy",
    "orthogonal_matching_pursuit",
    "probe_false_discovery",
    "rank_3mr",
    "relevance",
    "selection_stability",
    "selectors",
    "sparse_denoising_autoencoder",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
