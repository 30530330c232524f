"""covey beside named peers: seconds, ratios, memory and the difference of the results, in one run on one machine.

``python -m benchmarks`` runs all, ``python -m benchmarks pearson kendall --quick`` some, on smaller data; ``--write``
renews docs/performance.md. One file a piece of work, each with a function ``rows(quick)``.
"""

NAMES = (
    "start",
    "pearson",
    "spearman",
    "kendall",
    "distance",
    "distance_wide",
    "mixed",
    "auto",
    "report",
    "streaming",
    "split",
    "party_importance",
    "vertical_gbdt",
    "cca",
    "factors",
    "multicut",
    "swivel",
    "outrank",
    "infinite_selection",
    "openfe",
    "madelon",
)
