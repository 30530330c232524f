"""
A ratio that a model cannot make for itself
===========================================

The risk of a loan depends on debt per income, and on how an income lies to those of the same trade. Boosted trees see
the columns, not the formulas. OpenFE looks for formulas that add to what the trees know.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.ensemble import HistGradientBoostingRegressor

from covey.generate import OpenFE

rng = np.random.default_rng(0)
n = 3000
trade = rng.choice(["farmer", "nurse", "pilot", "smith", "teacher"], n)
level = dict(zip(["farmer", "nurse", "pilot", "smith", "teacher"], [2.0, 3.0, 7.0, 2.5, 3.5]))
income = np.array([level[t] for t in trade]) * rng.lognormal(0, 0.4, n)
loans = pd.DataFrame({"debt": rng.uniform(0, 20, n), "income": income, "trade": trade, "age": rng.normal(40, 10, n)})
mean_of_trade = loans.groupby("trade")["income"].transform("mean")
risk = loans["debt"] / loans["income"] - loans["income"] / mean_of_trade + 0.3 * rng.normal(size=n)
train, test = loans[:2000], loans[2000:]

openfe = OpenFE(n_features=6, random_state=0).fit(train, risk[:2000])
for formula in openfe.expressions_:
    print(formula)

# %%
# The formulas are fitted on the training rows: a mean within a trade is that of the training rows, also for new rows.

n_old = len(openfe.get_feature_names_out()) - len(openfe.expressions_)
with_new = openfe.transform(train), openfe.transform(test)
errors = []
for k in range(len(openfe.expressions_) + 1):
    used = slice(0, n_old + k)
    model = HistGradientBoostingRegressor(random_state=0).fit(with_new[0][:, used], risk[:2000])
    errors.append(np.sqrt(np.mean((model.predict(with_new[1][:, used]) - risk[2000:]) ** 2)))

names = ["columns only", *(f"+ {formula}" for formula in openfe.expressions_)]
figure = go.Figure(go.Bar(x=errors, y=names, orientation="h"))
figure.add_vline(x=0.3, line_dash="dash", annotation_text="noise")
figure.update_layout(xaxis_title="error on new rows", yaxis_autorange="reversed")
figure.show()

# %%
# The same as a query, with what was learned written into it.

print(openfe.to_sql("loans")[-400:])
