"""`auto` associations of a whole table."""

from __future__ import annotations

import skrub

import covey
from benchmarks._data import adult
from benchmarks._frame import Row, Target, compare


def rows(quick: bool) -> list[Row]:
    """All columns of Adult, with p-values, beside skrub, which gives Cramer's V and Pearson without."""
    frame = adult()
    both = compare(
        lambda: covey.associate(frame, measure="auto", pvalues=True),
        lambda: skrub.column_associations(frame),
        repeats=2 if quick else 7,
    )
    return [
        Row(
            "`auto` associations of Adult with p-values, from a dataframe",
            both.seconds,
            "skrub `column_associations` (no p-values)",
            both.peer_seconds,
            Target(speedup=1),
        )
    ]
