"""The engine's two verbs, `map` and `reduce`, on threads of this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class State(Protocol):
    """A statistic that is a sum over rows: fold blocks in, merge two, read the result.

    `update` and `merge` return the state itself, changed. A state must be picklable, and
    ``a.update(x).merge(b.update(y))`` must equal ``a.update(x + y)`` up to rounding.
    """

    def update(self, block: Any) -> Self: ...

    def merge(self, other: Self) -> Self: ...

    def result(self) -> Any: ...


class Engine(Protocol):
    """Where work runs. Results never depend on `n_workers`."""

    n_workers: int

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """``[function(task) for task in tasks]``, in the tasks' order."""
        ...

    def reduce(self, state: Callable[[], State], blocks: Iterable[Any]) -> State:
        """Fold `blocks` into states made by `state()` and merge these, in the blocks' order."""
        ...


class LocalEngine:
    """Threads of this process (numba kernels and BLAS release the GIL).

    Parameters
    ----------
    n_workers : int, optional
        Number of threads; by default one per available core.

    Examples
    --------
    >>> LocalEngine(2).map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, n_workers: int | None = None) -> None:
        if n_workers is not None and n_workers < 1:
            raise ValueError(f"n_workers must be at least 1, got {n_workers}")
        self.n_workers = n_workers or len(os.sched_getaffinity(0))

    def __repr__(self) -> str:
        return f"LocalEngine({self.n_workers})"

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """``[function(task) for task in tasks]``; one level of parallelism: BLAS is held to one thread."""
        if self.n_workers == 1 or len(tasks) <= 1:
            return [function(task) for task in tasks]
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(min(self.n_workers, len(tasks))) as pool,
        ):
            return list(pool.map(function, tasks))

    def reduce(self, state: Callable[[], State], blocks: Iterable[Any]) -> State:
        """Fold `blocks` one after another into one state; each update may use every core through BLAS."""
        total = state()
        for block in blocks:
            total.update(block)
        return total


def resolve(engine: Engine | str | None) -> Engine:
    """The engine meant by `engine`: None, an engine, ``"local"``, ``"local:4"`` or ``"dask://host:port"``.

    Raises
    ------
    ValueError
        If the text names no engine.
    """
    if engine is None or engine == "local":
        return LocalEngine()
    if not isinstance(engine, str):
        return engine
    if engine.startswith("local:") and engine[6:].isdigit():
        return LocalEngine(int(engine[6:]))
    if engine.startswith("dask://"):
        from covey.engine._dask import DaskEngine

        return DaskEngine(engine.removeprefix("dask://"))
    raise ValueError(f"no engine {engine!r}; use 'local', 'local:4' or 'dask://host:port'")
