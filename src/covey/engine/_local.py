"""The engine's two verbs, `map` and `reduce`, on threads of this process."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar

from threadpoolctl import ThreadpoolController

from covey.engine._reduce import State, fold, merge_in_order, partitions, runs

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Where work runs. Results never depend on `n_workers`."""

    @property
    def n_workers(self) -> int:
        """Number of tasks that run at the same time."""
        ...

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """``[function(task) for task in tasks]``, in the tasks' order.

        `function` must return what it finds: what it changes elsewhere may be in another process.
        """
        ...

    def reduce(self, state: Callable[[], State], blocks: Iterable[Any]) -> State:
        """Fold `blocks` into states made by `state()` and merge these, in the blocks' order.

        `blocks` may be a `covey.table.BlockSource`; if it can be split, its partitions are read where the work runs.
        """
        ...


class LocalEngine:
    """Threads of this process (numba kernels and BLAS release the GIL).

    There is one level of parallelism: while the threads work, BLAS is held to one thread each.

    Parameters
    ----------
    n_workers : int, optional
        Number of threads; by default one per available core.

    Raises
    ------
    ValueError
        If `n_workers` is below 1.

    Examples
    --------
    >>> LocalEngine(2).map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, n_workers: int | None = None) -> None:
        if n_workers is not None and n_workers < 1:
            raise ValueError(f"n_workers must be at least 1, got {n_workers}")
        self._n_workers = n_workers or len(os.sched_getaffinity(0))

    @property
    def n_workers(self) -> int:
        """Number of threads."""
        return self._n_workers

    def __repr__(self) -> str:
        return f"LocalEngine({self.n_workers})"

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """``[function(task) for task in tasks]``; the first exception of a task is raised."""
        n_threads = min(self.n_workers, len(tasks))
        with one_blas_thread():
            if n_threads <= 1:
                return [function(task) for task in tasks]
            with ThreadPoolExecutor(n_threads) as pool:
                return list(pool.map(function, tasks))

    def reduce(self, state: Callable[[], State], blocks: Iterable[Any]) -> State:
        """Fold pieces of `blocks` side by side and merge their states in order; at most a few pieces are held."""
        with one_blas_thread(), ThreadPoolExecutor(self.n_workers) as pool:
            pieces = partitions(blocks) or runs(blocks)
            partials = _map_lazily(pool, partial(fold, state), pieces, ahead=self.n_workers)
            total = merge_in_order(partials, lambda left, right: left.merge(right))
        return state() if total is None else total


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread, so that there is one level of parallelism."""
    return _controller(len(sys.modules)).limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller(n_modules: int) -> ThreadpoolController:
    """The thread pools of the libraries loaded so far; looked up again when modules have been imported since."""
    return ThreadpoolController()


def _map_lazily(pool: ThreadPoolExecutor, function: Callable[[T], R], tasks: Iterable[T], ahead: int) -> Iterator[R]:
    """Results in order, with no more than `ahead` tasks taken and not yet handed out."""
    running: deque[Future[R]] = deque()
    try:
        for task in tasks:
            running.append(pool.submit(function, task))
            if len(running) > ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


def resolve(engine: Engine | str | None) -> Engine:
    """The engine meant by `engine`: None, an engine, ``"local"``, ``"local:4"`` or ``"dask://host:port"``.

    Raises
    ------
    ValueError
        If the text names no engine.
    ConnectionError
        If no Dask scheduler answers at the address.
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
