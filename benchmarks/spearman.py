"""Spearman correlation of all pairs: each column ranked once, and ranked again on the common rows of every pair."""

from __future__ import annotations

import pandas

import covey
from benchmarks._data import correlated
from benchmarks._frame import Row, Target, best, compare, largest_difference, off_diagonal

PEER_COLUMNS = 12


def rows(quick: bool) -> list[Row]:
    """100,000 x 200 with 5 % missing; pandas is timed on the pairs of 12 columns and scaled."""
    n, m = (10_000, 50) if quick else (100_000, 200)
    x = correlated(n, m, missing=0.05)
    part = x[:, :PEER_COLUMNS]
    frame = pandas.DataFrame(part)
    few, every = PEER_COLUMNS * (PEER_COLUMNS - 1) // 2, m * (m - 1) // 2
    once = compare(
        lambda: covey.associate(x, measure="spearman", pvalues=False),
        lambda: frame.corr(method="spearman"),
        repeats=3,
        peer_repeats=2,
    )
    again_seconds, again = best(lambda: covey.associate(x, measure="spearman_pairwise", pvalues=False), 1)
    peer = once.peer_seconds * every / few
    scaled = f"pandas timed on {few} pairs and scaled to {every:,}"
    work = f"{n:,} x {m}, 5 % missing"
    values = off_diagonal(once.peer_result)
    return [
        Row(
            f"Spearman, {work}, ranked once",
            once.seconds,
            "pandas `corr`",
            peer,
            Target(speedup=100),
            difference=largest_difference(off_diagonal(once.result.values[:PEER_COLUMNS, :PEER_COLUMNS]), values),
            gflops=4 * 2.0 * n * m**2 / once.seconds / 1e9,
            note=f"{scaled}; it ranks again for each pair, hence the difference; the rate counts sorting as nothing",
        ),
        Row(
            f"Spearman, {work}, ranked again for every pair",
            again_seconds,
            "pandas `corr`",
            peer,
            Target(speedup=20),
            difference=largest_difference(off_diagonal(again.values[:PEER_COLUMNS, :PEER_COLUMNS]), values),
            note=scaled,
        ),
    ]
