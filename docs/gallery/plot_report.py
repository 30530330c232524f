"""
One page about a table
======================

``covey.report`` measures all pairs, finds what stands out, and says what to do about it. The same from a shell:
``covey report covey:german_credit --target credit --out credit.html``.
"""

import plotly.graph_objects as go

import covey

report = covey.report("covey:german_credit", target="credit")
print(report)

# %%
# The first finding as a picture: strength of association with the target.

matrix = covey.associate("covey:german_credit", target="credit")
names, _, strengths = zip(*matrix.top(10))
go.Figure(go.Bar(x=strengths[::-1], y=names[::-1], orientation="h")).show()

# %%
# The page itself, as a notebook shows it and as ``report.save("credit.html")`` writes it:

report
