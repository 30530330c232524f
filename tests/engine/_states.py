"""Functions, states and sources of the engine tests, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Product:
    """X'X and the list of the blocks' first entries, in order."""

    def __init__(self, n_columns: int) -> None:
        self.total = np.zeros((n_columns, n_columns))
        self.firsts: list[float] = []
        self.readers: dict[float, int] = {}  # the process that read each block

    def update(self, block: NDArray[np.float64]) -> Self:
        self.total += block.T @ block
        self.firsts.append(float(block[0, 0]))
        self.readers[float(block[0, 0])] = os.getpid()
        return self

    def merge(self, other: Self) -> Self:
        self.total += other.total
        self.firsts += other.firsts
        self.readers |= other.readers
        return self

    def result(self) -> tuple[NDArray[np.float64], list[float]]:
        return self.total, self.firsts


@dataclass(frozen=True)
class Generated:
    """Normal blocks that are made where they are read; it can be split, as a `BlockSource` can.

    With `marker`, the reader of block `fatal` kills its own process, once: the marker file says that it did.
    """

    first: int
    last: int
    rows: int = 1000
    n_columns: int = 5
    marker: str = ""
    fatal: int = -1
    seconds: float = 0.0

    @property
    def n_rows(self) -> int:
        return (self.last - self.first) * self.rows

    def partitions(self, k: int) -> list[Generated]:
        edges = np.linspace(self.first, self.last, k + 1).astype(int)
        return [
            Generated(int(a), int(b), self.rows, self.n_columns, self.marker, self.fatal, self.seconds)
            for a, b in pairwise(edges)
            if a < b
        ]

    def __iter__(self):
        for k in range(self.first, self.last):
            time.sleep(self.seconds)
            if k == self.fatal:
                die_once(self.marker)
            block = np.random.default_rng(k).normal(size=(self.rows, self.n_columns))
            block[0, 0] = k
            yield block


def die_once(marker: str) -> None:
    """Kill this process as the kernel would, if no process has died here before."""
    if not Path(marker).exists():
        Path(marker).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Square:
    """``x**2`` slowly; the process that works on `fatal` first is killed."""

    marker: str
    fatal: int

    def __call__(self, x: int) -> int:
        time.sleep(0.05)
        if x == self.fatal:
            die_once(self.marker)
        return x * x


def reciprocal(x: float) -> float:
    return 1.0 / x


def blas_threads(_: object) -> int:
    """Most threads that a BLAS of this process would use now."""
    from threadpoolctl import threadpool_info

    np.linalg.inv(np.eye(3))
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
