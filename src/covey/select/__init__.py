"""Which features should I keep, and which rows?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.select._attribution import attribute_columns
    from covey.select._base import FunctionSelector, GreedyPath, RankingSelector, Scores, elbow, greedy
    from covey.select._shapley import shapley_values
    from covey.select._table_scores import ColumnQuality
    from covey.select.all_relevant import AllRelevantSelector
    from covey.select.aspects import AspectImportance, aspect_importance
    from covey.select.attribution_rfe import AttributionRFE, EliminationRound, eliminate_columns
    from covey.select.cardinality import CardinalityAwareRanker, cardinality_corrected_mi, rank_3mr
    from covey.select.causal import DoublyRobustSelector
    from covey.select.chaos import (
        ChaosFormula,
        ChaosScores,
        ChaosTable,
        chaos_benchmark,
        chaos_scores,
        functional_precision,
        make_chaos_tabular,
        uniformity,
    )
    from covey.select.class_statistics import binned_information, fisher_score
    from covey.select.comparison import Recommendation, SelectorComparison, compare_selectors
    from covey.select.crossfit import CrossFitter, LeftOut
    from covey.select.dynamic import Acquisition, ConditionalInformation, TabularCMI, acquire
    from covey.select.encoded import EncodedSelector
    from covey.select.filters import AssociationRanker, relevance
    from covey.select.forest import ForestSelector
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
    from covey.select.workflow import BlackBoxWorkflow, WorkflowModel, WorkflowReport, forward_selection

_HOME = {
    "Acquisition": "dynamic",
    "AllRelevantSelector": "all_relevant",
    "AspectImportance": "aspects",
    "AssociationRanker": "filters",
    "AttributionRFE": "attribution_rfe",
    "BlackBoxWorkflow": "workflow",
    "CardinalityAwareRanker": "cardinality",
    "ChaosFormula": "chaos",
    "ChaosScores": "chaos",
    "ChaosTable": "chaos",
    "ColumnQuality": "_table_scores",
    "ConditionalInformation": "dynamic",
    "CrossFitter": "crossfit",
    "DistanceCorrelationSelector": "forward",
    "DoublyRobustSelector": "causal",
    "ECFS": "graph",
    "EigenvectorCentralitySelector": "graph",
    "EliminationRound": "attribution_rfe",
    "EncodedSelector": "encoded",
    "FeatureGradientSelector": "gradient",
    "ForestSelector": "forest",
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
    "WorkflowModel": "workflow",
    "WorkflowReport": "workflow",
    "acquire": "dynamic",
    "aspect_importance": "aspects",
    "attribute_columns": "_attribution",
    "binned_information": "class_statistics",
    "cardinality_corrected_mi": "cardinality",
    "chaos_benchmark": "chaos",
    "chaos_scores": "chaos",
    "compare_selectors": "comparison",
    "effective_sample_size": "importance_resampling",
    "elbow": "_base",
    "eliminate_columns": "attribution_rfe",
    "false_selection_bound": "stability",
    "fisher_score": "class_statistics",
    "forward_selection": "workflow",
    "functional_precision": "chaos",
    "greedy": "_base",
    "gumbel_top_k": "importance_resampling",
    "infinite_paths_score": "graph",
    "kl_reduction": "importance_resampling",
    "log_importance_weights": "importance_resampling",
    "make_chaos_tabular": "chaos",
    "make_selector": "registry",
    "minimum_redundancy": "redundancy",
    "orthogonal_matching_pursuit": "omp",
    "probe_false_discovery": "stability",
    "rank_3mr": "cardinality",
    "relevance": "filters",
    "selection_stability": "stability",
    "selectors": "registry",
    "shapley_values": "_shapley",
    "sparse_denoising_autoencoder": "unsupervised",
    "uniformity": "chaos",
}

__all__ = [
    "Acquisition",
    "AllRelevantSelector",
    "AspectImportance",
    "AssociationRanker",
    "AttributionRFE",
    "BlackBoxWorkflow",
    "CardinalityAwareRanker",
    "ChaosFormula",
    "ChaosScores",
    "ChaosTable",
    "ColumnQuality",
    "ConditionalInformation",
    "CrossFitter",
    "DistanceCorrelationSelector",
    "DoublyRobustSelector",
    "ECFS",
    "EigenvectorCentralitySelector",
    "EliminationRound",
    "EncodedSelector",
    "FeatureGradientSelector",
    "ForestSelector",
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
    "WorkflowModel",
    "WorkflowReport",
    "acquire",
    "aspect_importance",
    "attribute_columns",
    "binned_information",
    "cardinality_corrected_mi",
    "chaos_benchmark",
    "chaos_scores",
    "compare_selectors",
    "effective_sample_size",
    "elbow",
    "eliminate_columns",
    "false_selection_bound",
    "fisher_score",
    "forward_selection",
    "functional_precision",
    "greedy",
    "gumbel_top_k",
    "infinite_paths_score",
    "kl_reduction",
    "log_importance_weights",
    "make_chaos_tabular",
    "make_selector",
    "minimum_redundancy",
    "orthogonal_matching_pursuit",
    "probe_false_discovery",
    "rank_3mr",
    "relevance",
    "selection_stability",
    "selectors",
    "shapley_values",
    "sparse_denoising_autoencoder",
    "uniformity",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn takes a second to import
