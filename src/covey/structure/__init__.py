"""What structure do the associations imply: groups, latent factors, graphs."""

from typing import TYPE_CHECKING, Any

from covey.structure.graph import maximum_spanning_tree, threshold_graph
from covey.structure.groups import FeatureGroups, RedundantGroup, feature_groups, redundancy

if TYPE_CHECKING:
    from covey.structure.factors import CorrelationThresholdFactor, independent_maximal_cliques

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


def __getattr__(name: str) -> Any:
    if name in ("CorrelationThresholdFactor", "independent_maximal_cliques"):  # scikit-learn takes a second to import
        from covey.structure import factors

        return getattr(factors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
