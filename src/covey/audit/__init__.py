"""Can I trust these features?"""

from covey.audit.align import DistributionMatcher, sort_match
from covey.audit.order import NonIIDDetector, OrderTest, knn_graph, knn_iid_test, neighbour_order_test

__all__ = [
    "DistributionMatcher",
    "NonIIDDetector",
    "OrderTest",
    "knn_graph",
    "knn_iid_test",
    "neighbour_order_test",
    "sort_match",
]
