"""
Weights that move together in training
======================================

A small network learns the handwritten digits. Each of its weights is a series over the epochs. Three modes, each the
course of one weight, stand for all of them.
"""

import numpy as np
import plotly.graph_objects as go
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from covey.compare import CorrelationModeDecomposition

X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), test_size=0.3, random_state=0)
network = MLPClassifier(32, solver="sgd", learning_rate_init=0.1, momentum=0, random_state=0)
history = []
for _ in range(30):
    network.partial_fit(X / 16, y, classes=np.arange(10))
    history.append(np.concatenate([part.ravel() for part in (*network.coefs_, *network.intercepts_)]))
history = np.array(history)

modes = CorrelationModeDecomposition(n_modes=3, random_state=0).fit(history)
print(f"held-out accuracy: {network.score(X_test / 16, y_test):.3f}")
print(f"courses: {history.shape[1]:,}, variance explained by three: {modes.explained_variance_ratio_:.1%}")

# %%
# The courses of the modes, each from 0 at its start to its furthest point, and how many weights follow it.

figure = go.Figure()
for mode, reference in enumerate(modes.references_):
    course = history[:, reference] - history[0, reference]
    followers = int((modes.labels_ == mode).sum())
    figure.add_scatter(y=course / np.abs(course).max(), mode="lines", name=f"{followers:,} weights")
figure.update_layout(xaxis_title="epoch", yaxis_title="moved, share of the furthest")
figure.show()
