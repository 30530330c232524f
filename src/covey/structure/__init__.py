"""What structure do the associations imply: groups, latent factors, graphs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from covey.structure.graph import maximum_spanning_tree, threshold_graph
from covey.structure.groups import FeatureGroups, RedundantGroup, feature_groups, redundancy

if TYPE_CHECKING:
    from covey.structure.factors import CorrelationThresholdFactor, independent_maximal_cliques
    from covey.structure.homophily import (
        class_controlled_feature_homophily,
        class_homophily,
        csbm_x,
        feature_homophily,
        graph_convolution,
        shuffle_features,
    )
    from covey.structure.multicut import (
        DenseMulticut,
        correlation_clustering,
        dense_gaec,
        move_nodes,
        multicut_objective,
    )

_HOME = {
    "CorrelationThresholdFactor": "factors",
    "DenseMulticut": "multicut",
    "class_controlled_feature_homophily": "homophily",
    "class_homophily": "homophily",
    "correlation_clustering": "multicut",
    "csbm_x": "homophily",
    "dense_gaec": "multicut",
    "feature_homophily": "homophily",
    "graph_convolution": "homophily",
    "independent_maximal_cliques": "factors",
    "move_nodes": "multicut",
    "multicut_objective": "multicut",
    "shuffle_features": "homophily",
}

__all__ = [
    "CorrelationThresholdFactor",
    "DenseMulticut",
    "FeatureGroups",
    "RedundantGroup",
    "class_controlled_feature_homophily",
    "class_homophily",
    "correlation_clustering",
    "csbm_x",
    "dense_gaec",
    "feature_groups",
    "feature_homophily",
    "graph_convolution",
    "independent_maximal_cliques",
    "maximum_spanning_tree",
    "move_nodes",
    "multicut_objective",
    "redundancy",
    "shuffle_features",
    "threshold_graph",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn and SciPy take a second to import
        return getattr(import_module(f"covey.structure.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
