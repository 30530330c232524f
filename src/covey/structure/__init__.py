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

_HOME = {
    "CorrelationThresholdFactor": "factors",
    "class_controlled_feature_homophily": "homophily",
    "class_homophily": "homophily",
    "csbm_x": "homophily",
    "feature_homophily": "homophily",
    "graph_convolution": "homophily",
    "independent_maximal_cliques": "factors",
    "shuffle_features": "homophily",
}

__all__ = [
    "CorrelationThresholdFactor",
    "FeatureGroups",
    "RedundantGroup",
    "class_controlled_feature_homophily",
    "class_homophily",
    "csbm_x",
    "feature_groups",
    "feature_homophily",
    "graph_convolution",
    "independent_maximal_cliques",
    "maximum_spanning_tree",
    "redundancy",
    "shuffle_features",
    "threshold_graph",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:  # scikit-learn and SciPy take a second to import
        return getattr(import_module(f"covey.structure.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
