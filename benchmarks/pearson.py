"""Pearson correlation of all pairs, pairwise-complete."""

from __future__ import annotations

import pandas

import covey
from benchmarks._data import correlated
from benchmarks._frame import Row, Target, compare, largest_difference


def rows(quick: bool) -> list[Row]:
    """100,000 x 200 with 5 % missing, beside pandas."""
    n, m = (10_000, 50) if quick else (100_000, 200)
    x = correlated(n, m, missing=0.05)
    frame = pandas.DataFrame(x)
    found = compare(lambda: covey.associate(x, measure="pearson", pvalues=False), frame.corr, repeats=3)
    return [
        Row(
            f"Pearson, {n:,} x {m}, 5 % missing, pairwise-complete",
            found.seconds,
            "pandas `corr`",
            found.peer_seconds,
            Target(speedup=6),
            difference=largest_difference(found.result.values, found.peer_result),
            gflops=4 * 2.0 * n * m**2 / found.seconds / 1e9,
            note="rate: the four products of values, squares and masks that pairwise-complete moments need",
        )
    ]
