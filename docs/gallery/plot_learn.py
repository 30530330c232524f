"""
What do two views of the same rows share?
=========================================

The left and the right half of a handwritten digit are two views of it. Canonical correlation analysis finds the
combinations of the pixels of each half that move together most, over all digits.
"""

import numpy as np
import plotly.graph_objects as go
from sklearn.datasets import load_digits

from covey.learn import MultiviewCCA

images = load_digits().images
left, right = (half.reshape(len(images), -1) for half in (images[:, :, :4], images[:, :, 4:]))
left, right = (view[:, view.std(axis=0) > 0] for view in (left, right))
train = np.random.default_rng(0).permutation(len(images)) < 600

model = MultiviewCCA(n_components=8, shrinkage=0.1).fit(left[train], right[train])
scores = model.transform(left[~train], right[~train])
held_out = [np.corrcoef(a, b)[0, 1] for a, b in zip(scores[0].T, scores[1].T)]
print("fitted:  ", model.correlations_.round(2))
print("held out:", np.round(held_out, 2))

# %%
# The correlation of rows that the model has not seen tells which of the pairs are real. The first one is not: it stands
# on two pixels at the edge that are white in all fitted rows but one.

component = np.arange(1, 9)
figure = go.Figure()
figure.add_bar(x=component, y=model.correlations_, name="fitted rows")
figure.add_bar(x=component, y=held_out, name="held-out rows")
figure.update_layout(barmode="group", xaxis_title="canonical pair", yaxis_title="correlation")
figure.show()
