"""Infinite feature selection beside PyIFS, and graphs of columns too many for a matrix."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import _child
from benchmarks._data import correlated
from benchmarks._frame import Row, Target, best, largest_difference
from covey.select import InfiniteSelector
from covey.structure import AssociationOperator

PYIFS = "COVEY_BENCH_PYIFS_PYTHON"
ALPHA = 0.5

# PyIFS 0.0.3 uses `math` and `scipy.stats` without importing them
_PEER = """
import importlib, math, warnings
import numpy as np
from scipy import stats
peer = importlib.import_module("PyIFS.InfFS")
warnings.simplefilter("ignore")
peer.math, peer.stats = math, stats
x, y = np.load({x!r}), np.load({y!r})
found = []
for supervision in (1, 0):
    scores = []
    seconds = best(lambda: scores.append(peer.InfFS().infFS(x, y, {alpha}, supervision, 0)[1]), {repeats})
    found.append([seconds, scores[-1].real.tolist()])
said = found
"""
_WIDE = """
import numpy as np, time
from benchmarks._data import correlated
from covey.select import InfiniteSelector
InfiniteSelector().fit(correlated(50, 20))
x = correlated({n}, {d})
base = peak_bytes()
start = time.perf_counter()
model = InfiniteSelector(k=100).fit(x)
said = [time.perf_counter() - start, base, model.degree_agreement_]
"""
_CENTRAL = """
import numpy as np, time
from covey.select import EigenvectorCentralitySelector
rng = np.random.default_rng(0)
y = np.arange({n}) % 2
x = rng.normal(size=({n}, {d})) + np.outer(y, rng.normal(size={d}) / 2)
EigenvectorCentralitySelector(k=5).fit(x[:, :20], y)
base = peak_bytes()
start = time.perf_counter()
EigenvectorCentralitySelector(k=100).fit(x, y)
whole = time.perf_counter() - start
from covey.select import binned_information, fisher_score
from covey.select.graph import eigenvector_centrality_graph
start = time.perf_counter()
parts = fisher_score(x, y), binned_information(x, y), x.std(axis=0, ddof=1)
eigenvector_centrality_graph(*parts).leading_eigenvector()
said = [time.perf_counter() - start, whole, base]
"""


def rows(quick: bool) -> list[Row]:
    """500 columns beside PyIFS; 10,000 without classes and 100,000 with them, in processes of their own."""
    return [*_beside_pyifs(*((300, 100) if quick else (1000, 500))), *_wide(quick), *_central(quick)]


def _beside_pyifs(n: int, d: int) -> list[Row]:
    x = correlated(n, d) * np.random.default_rng(1).uniform(0.5, 2.0, d)
    y = np.where(x[:, 0] + np.random.default_rng(2).normal(size=n) > 0, 1, -1)
    with threadpool_limits(1, user_api="blas"):
        seconds, scores = best(lambda: _graph_of_pyifs(x, y).infinite_paths(), 5)
        unsupervised, _ = best(lambda: InfiniteSelector(ALPHA, k="all").fit(x), 5)
    found: list[tuple[float, NDArray]] = []
    python = _child.python_with("PyIFS", PYIFS)
    if python:
        with tempfile.TemporaryDirectory(prefix="covey-bench-") as folder:
            names = [str(Path(folder) / f"{name}.npy") for name in "xy"]
            for name, values in zip(names, (x, y)):
                np.save(name, values)
            code = _PEER.format(x=names[0], y=names[1], alpha=ALPHA, repeats=1 if d > 100 else 3)
            found = [(s, np.array(v)) for s, v in _child.run(code, python).said]
    note = "" if found else "peer is not installed"
    return [
        Row(
            f"Inf-FS with classes, the peer's graph, {n:,} x {d}",
            seconds,
            "PyIFS 0.0.3",
            found[0][0] if found else None,
            Target(speedup=10),
            difference=largest_difference(scores, found[0][1]) / float(np.max(scores)) if found else None,
            note=note or "the difference is a share of the largest score",
        ),
        Row(
            f"Inf-FS without classes, {n:,} x {d}",
            unsupervised,
            "PyIFS 0.0.3",
            found[1][0] if found else None,
            Target(speedup=10),
            note=note or "graphs differ: the peer keeps the sign of correlations and prefers high ones",
        ),
    ]


def _graph_of_pyifs(x: NDArray[np.float64], y: NDArray) -> AssociationOperator:
    """Half products of Fisher scores moved to [0, 1], half larger standard deviations moved to [0, 1]."""
    a, b = x[y == 1], x[y != 1]
    spread = a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)
    fisher = (a.mean(axis=0) - b.mean(axis=0)) ** 2 / spread
    low, high = fisher.min() ** 2, fisher.max() ** 2
    products = AssociationOperator.low_rank(fisher) - low * AssociationOperator.low_rank(np.ones(len(fisher)))
    deviation = x.std(axis=0, ddof=1)
    larger = AssociationOperator.maximum((deviation - deviation.min()) / np.ptp(deviation))
    return ALPHA / (high - low) * products + (1.0 - ALPHA) * larger


def _wide(quick: bool) -> list[Row]:
    n, d = (100, 2_000) if quick else (1_000, 10_000)
    mine = _child.run(_WIDE.format(n=n, d=d))
    seconds, base, agreement = mine.said
    work = f"Inf-FS without classes, {n:,} x {d:,}"
    note = (
        f"correlations block by block, {(mine.peak_bytes - base) / 1e6:.0f} MB above what reading took; rank "
        f"correlation {agreement:.5f} with row sums"
    )
    return [
        Row(work, seconds, target=Target(most=30.0), peak_bytes=mine.peak_bytes, note=note),
        Row(f"{work}: peak memory", seconds, target=Target(most=1.5, unit="GB"), value=mine.peak_bytes / 1e9),
    ]


def _central(quick: bool) -> list[Row]:
    n, d = (50, 5_000) if quick else (100, 100_000)
    mine = _child.run(_CENTRAL.format(n=n, d=d))
    seconds, whole, base = mine.said
    work = f"eigenvector centrality (ECFS), {n} x {d:,}"
    note = f"`fit` takes {whole:.1f} s, of which most types the columns one by one"
    return [
        Row(f"{work}: statistics, graph, eigenvector", seconds, target=Target(most=5.0), note=note),
        Row(
            f"{work}: peak memory",
            seconds,
            target=Target(most=1.0, unit="GB"),
            value=mine.peak_bytes / 1e9,
            peak_bytes=mine.peak_bytes,
            note=f"{base / 1e9:.2f} GB before `fit`",
        ),
    ]
