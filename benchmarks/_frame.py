"""The frame of a benchmark: two sides timed in turn, and the row that says what came out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True)
class Target:
    """What is to be reached: a speed-up of at least `speedup`, or at most `most` of what the row measures."""

    speedup: float | None = None
    most: float | None = None
    unit: str = "s"

    def __str__(self) -> str:
        if self.speedup is not None:
            return f"{self.speedup:g}x faster" if self.speedup >= 1 else f"within {1 / self.speedup:.3g}x"
        return "" if self.most is None else f"at most {self.most:g} {self.unit}"

    def reached(self, speedup: float | None, value: float) -> bool | None:
        """Whether the target holds; None where there is none, or no peer to compare with."""
        if self.speedup is not None:
            return None if speedup is None else speedup >= self.speedup
        return None if self.most is None else value <= self.most


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    work : str
        What is computed, on what data.
    seconds : float
        covey's best time.
    peer : str
        Who else computes it; empty when nobody does.
    peer_seconds : float, optional
        The peer's best time; None when it is not installed.
    target : Target
    value : float, optional
        The figure that a `Target.most` is about, when it is not `seconds`.
    difference : float, optional
        Largest absolute difference between the two results.
    gflops : float, optional
        Rate of the matrix products that the work amounts to.
    peak_bytes : int, optional
        Peak resident memory of a process that does only this.
    note : str
        How a figure came about when it is not plain: scaled from a subset, no peer, ...
    load, others : float
        Load average, and cores that other processes used, while the benchmark ran; put in by `watched`.
    """

    work: str
    seconds: float
    peer: str = ""
    peer_seconds: float | None = None
    target: Target = Target()
    value: float | None = None
    difference: float | None = None
    gflops: float | None = None
    peak_bytes: int | None = None
    note: str = ""
    load: float = 0.0
    others: float = 0.0

    @property
    def speedup(self) -> float | None:
        """Peer's seconds over covey's."""
        return None if self.peer_seconds is None else self.peer_seconds / self.seconds

    @property
    def reached(self) -> bool | None:
        """Whether the target holds."""
        return self.target.reached(self.speedup, self.seconds if self.value is None else self.value)

    def to_json(self) -> dict[str, Any]:
        """Plain data, with `speedup` and `reached`."""
        return {**asdict(self), "target": str(self.target), "speedup": self.speedup, "reached": self.reached}


@dataclass(frozen=True)
class Comparison(Generic[T, P]):
    """Best times of two sides and the result of the last run of each."""

    seconds: float
    peer_seconds: float
    result: T
    peer_result: P


def watched(work: Callable[[], list[Row]]) -> list[Row]:
    """The rows that `work` gives, with what else the machine did meanwhile."""
    start, busy, own = time.perf_counter(), _busy_seconds(), _own_seconds()
    rows = work()
    wall = time.perf_counter() - start
    others = max(0.0, (_busy_seconds() - busy) - (_own_seconds() - own)) / wall
    return [replace(row, load=os.getloadavg()[0], others=others) for row in rows]


def _busy_seconds() -> float:
    """Seconds that all cores have worked since the machine started."""
    with open("/proc/stat", encoding="ascii") as lines:
        user, nice, system, _, _, irq, softirq, *_ = map(int, lines.readline().split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Seconds that this process and its ended children have worked."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds and result of one run."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def best(work: Callable[[], T], repeats: int = 3) -> tuple[float, T]:
    """Best seconds of `repeats` runs after one that warms up, and the last result."""
    work()
    seconds = np.inf
    for _ in range(repeats):
        took, result = timed(work)
        seconds = min(seconds, took)
    return float(seconds), result


def compare(
    ours: Callable[[], T], theirs: Callable[[], P], repeats: int = 3, peer_repeats: int | None = None
) -> Comparison[T, P]:
    """Best seconds of both sides, run in turn so that a noisy moment hits both; each side warms up once first.

    `peer_repeats` bounds the runs of a slow peer; it then warms up only if it is run more than once.
    """
    peer_repeats = repeats if peer_repeats is None else peer_repeats
    ours()
    if peer_repeats > 1:
        theirs()
    mine, yours = np.inf, np.inf
    for k in range(max(repeats, peer_repeats)):
        if k < repeats:
            took, result = timed(ours)
            mine = min(mine, took)
        if k < peer_repeats:
            took, peer_result = timed(theirs)
            yours = min(yours, took)
    return Comparison(float(mine), float(yours), result, peer_result)


def largest_difference(a: Any, b: Any) -> float:
    """Largest absolute difference of two arrays; NaN must meet NaN.

    Raises
    ------
    ValueError
        If one side is undefined where the other is not.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        raise ValueError("the two sides disagree about which pairs are undefined")
    return float(np.nanmax(np.abs(a - b)))


def off_diagonal(matrix: Any) -> np.ndarray:
    """The entries above the diagonal of a square matrix, row by row."""
    matrix = np.asarray(matrix, dtype=np.float64)
    return matrix[np.triu_indices(len(matrix), 1)]
