"""Can I trust these features?"""

from covey.audit.order import NonIIDDetector, OrderTest, knn_graph, knn_iid_test, neighbour_order_test

__all__ = ["NonIIDDetector", "OrderTest", "knn_graph", "knn_iid_test", "neighbour_order_test"]
