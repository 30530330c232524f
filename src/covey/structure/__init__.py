"""What structure do the associations imply: groups, latent factors, graphs."""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names
from covey.structure.graph import maximum_spanning_tree, threshold_graph
from covey.structure.groups import FeatureGroups, RedundantGroup, feature_groups, redundancy

if TYPE_CHECKING:
    from covey.structure.databases import (
        correlated_databases,
        database_correlation_test,
        databases_phase_diagram,
        detection_threshold,
        sum_test_power,
    )
    from covey.structure.factors import (
        CorrelationThresholdFactor,
        clique_factors,
        confirmatory_factor_analysis,
        independent_maximal_cliques,
    )
    from covey.structure.homophily import (
        class_controlled_feature_homophily,
        class_homophily,
        csbm_x,
        feature_homophily,
        graph_convolution,
        shuffle_features,
    )
    from covey.structure.matching import (
        PartitionTreeMatcher,
        correlated_sbm,
        degree_profile_matching,
        partition_tree_signatures,
        refine_matching,
        seeded_graph_matching,
        spectral_matching,
    )
    from covey.structure.multicut import (
        DenseMulticut,
        correlation_clustering,
        dense_gaec,
        dense_laec,
        move_nodes,
        multicut_objective,
    )
    from covey.structure.networks import (
        CorrelationNetworkFeatures,
        NodeMask,
        PCALDAClassifier,
        correlation_network,
        cycle_map,
        distance_degree,
    )
    from covey.structure.operator import AssociationOperator, infinite_paths_score
    from covey.structure.similarity import MultiTestSimilarity, bcubed, multi_test_similarity, pairwise_f

_HOME = {
    "AssociationOperator": "operator",
    "CorrelationNetworkFeatures": "networks",
    "CorrelationThresholdFactor": "factors",
    "DenseMulticut": "multicut",
    "MultiTestSimilarity": "similarity",
    "NodeMask": "networks",
    "PCALDAClassifier": "networks",
    "PartitionTreeMatcher": "matching",
    "bcubed": "similarity",
    "class_controlled_feature_homophily": "homophily",
    "class_homophily": "homophily",
    "clique_factors": "factors",
    "confirmatory_factor_analysis": "factors",
    "correlated_databases": "databases",
    "correlated_sbm": "matching",
    "correlation_clustering": "multicut",
    "correlation_network": "networks",
    "csbm_x": "homophily",
    "cycle_map": "networks",
    "database_correlation_test": "databases",
    "databases_phase_diagram": "databases",
    "degree_profile_matching": "matching",
    "dense_gaec": "multicut",
    "dense_laec": "multicut",
    "detection_threshold": "databases",
    "distance_degree": "networks",
    "feature_homophily": "homophily",
    "graph_convolution": "homophily",
    "independent_maximal_cliques": "factors",
    "infinite_paths_score": "operator",
    "move_nodes": "multicut",
    "multi_test_similarity": "similarity",
    "multicut_objective": "multicut",
    "pairwise_f": "similarity",
    "partition_tree_signatures": "matching",
    "refine_matching": "matching",
    "seeded_graph_matching": "matching",
    "shuffle_features": "homophily",
    "spectral_matching": "matching",
    "sum_test_power": "databases",
}

__all__ = [
    "AssociationOperator",
    "CorrelationNetworkFeatures",
    "CorrelationThresholdFactor",
    "DenseMulticut",
    "FeatureGroups",
    "MultiTestSimilarity",
    "NodeMask",
    "PCALDAClassifier",
    "PartitionTreeMatcher",
    "RedundantGroup",
    "bcubed",
    "class_controlled_feature_homophily",
    "class_homophily",
    "clique_factors",
    "confirmatory_factor_analysis",
    "correlated_databases",
    "correlated_sbm",
    "correlation_clustering",
    "correlation_network",
    "csbm_x",
    "cycle_map",
    "database_correlation_test",
    "databases_phase_diagram",
    "degree_profile_matching",
    "dense_gaec",
    "dense_laec",
    "detection_threshold",
    "distance_degree",
    "feature_groups",
    "feature_homophily",
    "graph_convolution",
    "independent_maximal_cliques",
    "infinite_paths_score",
    "maximum_spanning_tree",
    "move_nodes",
    "multi_test_similarity",
    "multicut_objective",
    "pairwise_f",
    "partition_tree_signatures",
    "redundancy",
    "refine_matching",
    "seeded_graph_matching",
    "shuffle_features",
    "spectral_matching",
    "sum_test_power",
    "threshold_graph",
]

__getattr__ = lazy_names(__name__, _HOME)  # scikit-learn and SciPy take a second to import
