"""What structure do the associations imply: groups, latent factors, graphs."""

from covey.structure.factors import CorrelationThresholdFactor, independent_maximal_cliques
from covey.structure.graph import maximum_spanning_tree, threshold_graph
from covey.structure.groups import FeatureGroups, RedundantGroup, feature_groups, redundancy

__all__ = [
    "CorrelationThresholdFactor",
    "FeatureGroups",
    "RedundantGroup",
    "feature_groups",
    "independent_maximal_cliques",
    "maximum_spanning_tree",
    "redundancy",
    "threshold_graph",
]
