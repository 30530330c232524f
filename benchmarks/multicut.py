"""Dense multicut: correlation clustering of all pairs of many vectors."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks._frame import Row, Target, timed
from covey.structure.multicut import DenseMulticut
from covey.studies.structure.dense_multicut import WITHIN, planted


def rows(quick: bool) -> list[Row]:
    """10,000 unit vectors of 64 numbers in 100 clusters; no package on PyPI takes the complete graph of them."""
    n, n_clusters = (2_000, 20) if quick else (10_000, 100)
    x, y = planted(np.random.SeedSequence(0), n, n_clusters)
    DenseMulticut().fit(x[:50])  # compiles
    seconds, model = timed(lambda: DenseMulticut(0.7 * WITHIN).fit(x))
    agreement = adjusted_rand_score(y, model.labels_)
    return [
        Row(
            f"dense multicut, {n:,} vectors of 64 numbers",
            seconds,
            target=Target(most=60),
            note=f"adjusted Rand index {agreement:.2f} with {n_clusters} planted clusters, found {model.n_clusters_}",
        )
    ]
