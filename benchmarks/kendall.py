"""Kendall's tau-b of all pairs."""

from __future__ import annotations

from functools import partial

import pandas

import covey
from benchmarks._data import correlated, many_shapes
from benchmarks._frame import Row, Target, compare, largest_difference


def rows(quick: bool) -> list[Row]:
    """10,000 x 50 without ties, and with them, beside pandas."""
    n, m = (2_000, 20) if quick else (10_000, 50)
    found = []
    for words, x in (("normal", correlated(n, m)), ("many shapes, with ties", many_shapes(n, m))):
        both = compare(
            partial(covey.associate, x, measure="kendall", pvalues=False),
            partial(pandas.DataFrame(x).corr, method="kendall"),
            repeats=3,
        )
        found.append(
            Row(
                f"Kendall tau-b, {n:,} x {m}, {words}",
                both.seconds,
                "pandas `corr`",
                both.peer_seconds,
                Target(speedup=4),
                difference=largest_difference(both.result.values, both.peer_result),
            )
        )
    return found
