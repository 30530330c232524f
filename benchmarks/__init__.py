"""covey beside named peers: seconds, ratios, memory and the difference of the results, in one run on one machine.

``python -m benchmarks`` runs all, ``python -m benchmarks pearson kendall --quick`` some, on smaller data; ``--write``
renews docs/performance.md. One file a piece of work, each with a function ``rows(quick)``. The page has a table for
each of the parts below; a part is renewed when every benchmark of it has been run.
"""

PARTS = {
    "measure": (
        "start",
        "pearson",
        "spearman",
        "kendall",
        "distance",
        "distance_wide",
        "mixed",
        "auto",
        "streaming",
        "split",
        "party_importance",
        "vertical_gbdt",
        "cca",
        "factors",
        "multicut",
        "swivel",
    ),
    "report": ("report",),
    "select": ("outrank", "infinite_selection", "openfe", "madelon"),
}
NAMES = tuple(name for part in PARTS.values() for name in part)
