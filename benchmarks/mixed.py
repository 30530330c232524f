"""One matrix over columns of mixed kinds."""

from __future__ import annotations

import warnings
from functools import partial

import phik  # noqa: F401  (adds `phik_matrix` to dataframes)

import covey
from benchmarks._data import adult
from benchmarks._frame import Row, Target, compare

COLUMNS = 12


def rows(quick: bool) -> list[Row]:
    """The first 12 columns of Adult beside phik; the two are different statistics, so only times are compared."""
    frame = adult().iloc[:, :COLUMNS]
    numbers = frame.select_dtypes("number").columns.tolist()

    def peer() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return frame.phik_matrix(interval_cols=numbers)

    found = []
    for measure, pvalues in (("auto", True), ("auto", False), ("distance_correlation", False)):
        both = compare(
            partial(covey.associate, frame, measure=measure, pvalues=pvalues),
            peer,
            repeats=2 if quick else 5,
        )
        found.append(
            Row(
                f"mixed matrix, first {COLUMNS} columns of Adult: `{measure}` with{'' if pvalues else 'out'} p-values",
                both.seconds,
                "phik (without p-values)",
                both.peer_seconds,
                Target(speedup=5),
            )
        )
    return found
