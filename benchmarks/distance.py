"""Distance correlation of all pairs: embedded, and exact."""

from __future__ import annotations

import dcor
import numpy as np

import covey
from benchmarks._data import many_shapes
from benchmarks._frame import Row, Target, best, compare, largest_difference, off_diagonal

PEER_COLUMNS = 15


def peer_values(x: np.ndarray) -> np.ndarray:
    """dcor's exact O(n log n) distance correlation of all pairs of columns, as a flat array."""
    m = x.shape[1]
    return np.array(
        [dcor.distance_correlation(x[:, i], x[:, j], method="avl") for i in range(m) for j in range(i + 1, m)]
    )


def rows(quick: bool) -> list[Row]:
    """10,000 x 50 of every shape, heavy tails included; dcor is timed on the pairs of 15 columns and scaled."""
    n, m = (2_000, 20) if quick else (10_000, 50)
    x = many_shapes(n, m)
    part = np.ascontiguousarray(x[:, :PEER_COLUMNS])
    columns = np.asfortranarray(part)
    few, every = PEER_COLUMNS * (PEER_COLUMNS - 1) // 2, m * (m - 1) // 2
    both = compare(
        lambda: covey.associate(x, measure="distance_correlation", pvalues=False),
        lambda: peer_values(columns),
        repeats=3,
        peer_repeats=2,
    )
    exact_seconds, exact = best(lambda: covey.associate(x, measure="distance_correlation_exact", pvalues=False), 2)
    peer = both.peer_seconds * every / few
    scaled = f"dcor timed on {few} pairs and scaled to {every:,}"
    error = largest_difference(off_diagonal(both.result.values), off_diagonal(exact.values))
    bound = float(np.nanmax(off_diagonal(both.result.error_bound)))
    work = f"distance correlation, {every:,} pairs of {n:,} x {m}, every shape"
    head = (slice(PEER_COLUMNS), slice(PEER_COLUMNS))
    return [
        Row(f"{work}, embedded", both.seconds, "dcor AVL", peer, Target(speedup=40), note=scaled),
        Row(
            f"{work}: error of the embedding against the exact value",
            both.seconds,
            target=Target(most=0.01, unit="(largest error)"),
            value=error,
            difference=error,
            note=f"largest over all pairs; the result's own bound is at most {bound:.3f}",
        ),
        Row(
            f"{work}, exact",
            exact_seconds,
            "dcor AVL",
            peer,
            Target(speedup=5),
            difference=largest_difference(off_diagonal(exact.values[head]), both.peer_result),
            note=f"{scaled}; dcor loses digits on columns with a mean of a million, hence the difference",
        ),
    ]
