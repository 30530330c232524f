"""Can I trust these features?"""

from covey.audit.align import DistributionMatcher, sort_match
from covey.audit.counterfactual import (
    PerturbationVariation,
    distinctive_words,
    group_similarity,
    output_similarity,
    perturbation_variation,
    similarity_vs_attribute_correlation,
)
from covey.audit.order import NonIIDDetector, OrderTest, knn_graph, knn_iid_test, neighbour_order_test

__all__ = [
    "DistributionMatcher",
    "NonIIDDetector",
    "OrderTest",
    "PerturbationVariation",
    "distinctive_words",
    "group_similarity",
    "knn_graph",
    "knn_iid_test",
    "neighbour_order_test",
    "output_similarity",
    "perturbation_variation",
    "similarity_vs_attribute_correlation",
    "sort_match",
]
