"""
Rows of a pool that are like a few rows at hand
===============================================

You have a large pool and a small target, and want the rows of the pool that look like the target. Here the pool is one
part of the Adult census table, and the target 300 people of another part who earn above 50,000. The income itself is
left out of both; afterwards it tells whether the choice was good.
"""

import numpy as np
import plotly.graph_objects as go

import covey
from covey.select import ImportanceResampler

table = covey.read("covey:adult")
rich = table["income-per-year"].labels() == ">50K"
features = table.drop("income-per-year")
rows = np.random.default_rng(0).permutation(table.n_rows)
pool = rows[:20000]
target = rows[20000:][rich[rows[20000:]]][:300]

resampler = ImportanceResampler("table").fit(features.take(pool), features.take(target))
chosen = pool[resampler.resample(2000, random_state=0)]
print(f"above 50,000 in the pool:   {rich[pool].mean():.1%}")
print(f"above 50,000 in the choice: {rich[chosen].mean():.1%}")

# %%
# Education in the pool, the choice and the target. The choice goes the way of the target, and beyond it: columns are
# weighed one by one, so that several that say the same count several times.

education = np.asarray(table["education"].labels())
levels = sorted(set(education), key=lambda level: -np.mean(education[target] == level))[:8]
figure = go.Figure()
for name, part in {"pool": pool, "choice": chosen, "target": target}.items():
    figure.add_bar(x=levels, y=[np.mean(education[part] == level) for level in levels], name=name)
figure.update_layout(barmode="group", yaxis_title="share of rows")
figure.show()
