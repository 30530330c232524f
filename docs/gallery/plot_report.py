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
# The findings by their kind:

kinds = sorted({finding.kind for finding in report.findings})
counts = [sum(finding.kind == kind for finding in report.findings) for kind in kinds]
go.Figure(go.Bar(x=counts, y=kinds, orientation="h")).show()

# %%
# The page itself, as a notebook shows it and as ``report.save("credit.html")`` writes it:

report  # noqa: B018
