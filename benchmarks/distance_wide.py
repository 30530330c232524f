"""Distance correlation of tens of thousands of pairs."""

from __future__ import annotations

import numpy as np

import covey
from benchmarks._data import many_shapes
from benchmarks._frame import Row, Target, best, largest_difference, off_diagonal, timed
from benchmarks.distance import PEER_COLUMNS, peer_values


def rows(quick: bool) -> list[Row]:
    """20,000 x 300; dcor is timed on the pairs of 15 columns and scaled, and gives the exact values of these."""
    n, m = (4_000, 60) if quick else (20_000, 300)
    x = many_shapes(n, m)
    few, every = PEER_COLUMNS * (PEER_COLUMNS - 1) // 2, m * (m - 1) // 2
    seconds, matrix = best(lambda: covey.associate(x, measure="distance_correlation", pvalues=False), 2)
    columns = np.asfortranarray(x[:, :PEER_COLUMNS])
    peer_values(columns[:, :2])  # compiles
    peer_seconds, values = timed(lambda: peer_values(columns))
    return [
        Row(
            f"distance correlation, {every:,} pairs of {n:,} x {m}, every shape, embedded",
            seconds,
            "dcor AVL",
            peer_seconds * every / few,
            Target(most=15),
            difference=largest_difference(off_diagonal(matrix.values[:PEER_COLUMNS, :PEER_COLUMNS]), values),
            note=f"dcor timed on {few} pairs and scaled to {every:,}; difference on these pairs",
        )
    ]
