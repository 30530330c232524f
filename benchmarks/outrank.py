"""Mutual information corrected for cardinality beside OutRank, whose float32 scores ours must meet.

OutRank is called in its own environment (``pip install outrank==0.97.5``), named by `COVEY_BENCH_OUTRANK_PYTHON`, or in
this one if it is installed; without it the rows say so and compare with nobody.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory

import numpy as np
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from benchmarks import _child
from benchmarks._frame import Row, Target, best, compare
from covey.select import cardinality_corrected_mi

OUTRANK = "COVEY_BENCH_OUTRANK_PYTHON"
TOLERANCE = 1e-4
_PEER = """
import numpy as np
from outrank.algorithms.feature_ranking.ranking_mi_numba import mutual_info_estimator_numba as score
table = np.load({path!r})
work = lambda: [float(score(table[0], column, np.float32(1.0), True)) for column in table[1:]]
said = [best(work, {repeats}), work()]
"""


def rows(quick: bool) -> list[Row]:
    """200,000 rows with a label of two: one column of 1000 values; twelve of 10 to 10,000; the expectation."""
    n = 20_000 if quick else 200_000
    several = [int(m) for m in np.geomspace(10, 10_000, 12)]
    return [
        _row(n, [1000], "one column of 1000 values", Target() if quick else Target(speedup=20), 3),
        _row(n, several, "12 columns of 10 to 10,000 values", Target() if quick else Target(speedup=20), 1),
        _expected(n, quick),
    ]


def _expected(n: int, quick: bool) -> Row:
    """The correction by the expectation over all orders of the rows, which OutRank does not have."""
    y, x = _table(n, [10_000])
    both = compare(
        lambda: cardinality_corrected_mi(x, y),
        lambda: mutual_info_score(x, y) - expected_mutual_information(contingency_matrix(x, y, sparse=True), n),
    )
    return Row(
        f"MI less its expectation, {n:,} rows, one column of 10,000 values",
        both.seconds,
        "scikit-learn `mutual_info_score` - `expected_mutual_information`",
        both.peer_seconds,
        Target() if quick else Target(speedup=5),
        difference=abs(both.result - both.peer_result),
    )


def _row(n: int, cardinalities: list[int], words: str, target: Target, peer_repeats: int) -> Row:
    table = _table(n, cardinalities)  # the label, then the columns
    seconds, ours = best(lambda: [cardinality_corrected_mi(x, table[0], "shift") for x in table[1:]], 5)
    work = f"MI corrected for cardinality, as published, {n:,} rows, {words}"
    name = "OutRank 0.97.5 `mutual_info_estimator_numba`"
    python = _child.python_with("outrank", OUTRANK)
    if python is None:
        return Row(work, seconds, name, None, target, note="peer is not installed")
    with TemporaryDirectory() as folder:
        path = f"{folder}/table.npy"
        np.save(path, table)
        peer_seconds, theirs = _child.run(_PEER.format(path=path, repeats=peer_repeats), python).said
    difference = float(np.abs(np.subtract(ours, theirs)).max())
    same = np.argsort(ours).tolist() == np.argsort(theirs).tolist()
    if difference > TOLERANCE or not same:
        raise ValueError(f"scores differ by {difference:g} from the peer's, ranks {'equal' if same else 'differ'}")
    return Row(work, seconds, name, peer_seconds, target, difference=difference, note="the same ranks, one thread each")


def _table(n: int, cardinalities: list[int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    x = [np.where(rng.random(n) < 0.02 * j, y, rng.integers(0, m, n)) for j, m in enumerate(cardinalities)]
    return np.array([y, *x], dtype=np.int32)
