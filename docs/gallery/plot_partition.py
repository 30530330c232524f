"""
Features spread over four parties
=================================

Four parties hold different columns of the same rows. ``CorrelationSplitter`` spreads the columns so that the
correlation between parties is as low (``beta=0``) or as high (``beta=1``) as the table allows. What does the party with
the labels lose alone, and what does vertical learning bring back?
"""

import numpy as np
import plotly.graph_objects as go

from covey.partition import CorrelationSplitter, Pooled, Solo, VerticalLinear, load

data = load("digits", max_rows=900)
white = [column.name for column in data.X.columns() if np.ptp(column.values) == 0]
pixels = data.X.drop(*white)
learner = VerticalLinear(l2=10, max_iter=30)
train = np.random.default_rng(0).permutation(len(data.y)) < 600


def accuracies(beta):
    """Held-out accuracy alone, together and with all columns in one place."""
    parties = CorrelationSplitter(4, beta=beta, random_state=0).fit_transform(pixels)
    left, right = ([party.take(np.flatnonzero(rows)) for party in parties] for rows in (train, ~train))
    models = (Solo(learner), learner, Pooled(learner))
    return [model.fit(left, data.y[train]).score(right, data.y[~train]) for model in models]


betas = (0.0, 0.5, 1.0)
table = np.array([accuracies(beta) for beta in betas])
for beta, row in zip(betas, table):
    print(f"beta {beta:.1f}: alone {row[0]:.3f}, vertical {row[1]:.3f}, pooled {row[2]:.3f}")

# %%
# Vertical learning reaches what pooled columns reach, whatever the split. Alone, the party does the better the more its
# columns know about those of the others.

figure = go.Figure()
for name, column in zip(("alone", "vertical", "pooled"), table.T):
    figure.add_bar(x=[f"beta {beta}" for beta in betas], y=column, name=name)
figure.update_layout(barmode="group", yaxis_title="held-out accuracy", yaxis_range=[0, 1])
figure.show()
