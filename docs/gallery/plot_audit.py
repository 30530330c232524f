"""
Does the order of the rows matter?
==================================

Cross-validation with random folds assumes that it does not. In scikit-learn's copy of the handwritten digits, rows that
are alike stand close together: many rows in sequence come from one writer.
"""

import numpy as np
import plotly.graph_objects as go
from sklearn.datasets import load_digits

from covey.audit import knn_iid_test

digits = load_digits().data
test = knn_iid_test(digits)
shuffled = knn_iid_test(np.random.default_rng(0).permutation(digits))
print("as they come:", test)
print("shuffled:    ", shuffled)

# %%
# The share of neighbours (rows that look alike) at most so many rows apart, beside the share of all pairs. Shuffled
# rows follow all pairs; the rows as they come lie above.

gap = np.arange(1, len(digits))
figure = go.Figure()
for name, share in (
    ("neighbours, as they come", test.gap_ecdf),
    ("neighbours, shuffled", shuffled.gap_ecdf),
    ("all pairs", test.background),
):
    figure.add_scatter(x=gap, y=share, mode="lines", name=name)
figure.update_layout(xaxis_title="rows apart, at most", yaxis_title="share of pairs")
figure.update_layout(legend={"orientation": "h", "y": 1.1})
figure.show()
