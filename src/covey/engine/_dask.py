"""The engine's two verbs on the workers of a Dask cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from covey.engine._local import LocalEngine
from covey.engine._reduce import State, fold, merge_in_order, partitions, runs

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

CHUNKS_A_WORKER = 4
CONNECT_SECONDS = 5.0


class DaskEngine:
    """Workers of an existing Dask cluster.

    Functions and states travel by cloudpickle, once for each call and not once for each task. Nothing that a
    computation needs lives on a worker alone, so a worker that dies costs the time of its tasks and no result. Dask
    starts its workers with BLAS at one thread each, as `LocalEngine` does.

    Parameters
    ----------
    address_or_client : str or distributed.Client
        ``"host:port"`` of a scheduler, or a client, which stays the caller's to close.
    retries : int, default=3
        How often a task is tried again after an error of its own; a lost worker's tasks run again in any case.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ConnectionError
        If no scheduler answers within a few seconds, or it has no worker.

    Examples
    --------
    >>> from covey.engine import DaskEngine
    >>> from distributed import Client, LocalCluster
    >>> with LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
    ...     with Client(cluster) as client:
    ...         DaskEngine(client).map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, address_or_client: str | Client, *, retries: int = 3) -> None:
        self.retries = retries
        self.client = _connect(address_or_client) if isinstance(address_or_client, str) else address_or_client
        if not self.n_workers:
            _await_worker(self.client)

    @property
    def n_workers(self) -> int:
        """Number of threads of all workers that the cluster has now."""
        return sum(self.client.nthreads().values())

    def __repr__(self) -> str:
        return f"DaskEngine({self.client.scheduler.address!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """What travels to a worker inside of a function is one local thread: there is one level of parallelism."""
        return LocalEngine, (1,)

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """``[function(task) for task in tasks]``; the first exception of a task is raised."""
        if not len(tasks):
            return []
        shared = self._ship(function)
        chunks = _chunks(tasks, CHUNKS_A_WORKER * max(self.n_workers, 1))
        parts = self._gather([self._send(_apply, shared, chunk) for chunk in chunks])
        return [result for part in parts for result in part]

    def reduce(self, state: Callable[[], State], blocks: Iterable[Any]) -> State:
        """Fold pieces of `blocks` on the workers and merge their states in order.

        The partitions of a `BlockSource` are read and merged on the workers; blocks that cannot be split (a CSV file, a
        generator) are read here and sent a few at a time.
        """
        shared = self._ship(state)
        pieces = partitions(blocks)
        if pieces:
            # a generator: a leaf that is merged is no longer asked for, and its worker may forget it
            leaves = (self._send(fold, shared, piece) for piece in pieces)
            root = merge_in_order(leaves, lambda left, right: self._submit(_merge, shared, left, right))
            total = None if root is None else self._gather([root])[0]
        else:
            total = merge_in_order(self._fold_sent(shared, blocks), partial(_merge, state))
        return state() if total is None else total

    def _fold_sent(self, shared: Future, blocks: Iterable[Any]) -> Iterator[State]:
        """States of runs of blocks, in order, with no more than two runs a worker under way."""
        running: list[Future] = []
        for run in runs(blocks):
            running.append(self._send(fold, shared, run))
            if len(running) > 2 * self.n_workers:
                yield self._gather([running.pop(0)])[0]
        while running:
            yield self._gather([running.pop(0)])[0]

    def _ship(self, function: Callable[..., Any]) -> Future:
        """`function` as the result of a task, which Dask runs again wherever it is needed or was lost."""
        import cloudpickle

        return self._submit(pickle.loads, cloudpickle.dumps(function))

    def _send(self, function: Callable[..., Any], shared: Future, argument: Any) -> Future:
        """``function(shared, argument)``; pickled here: arrays that Dask sends may come unaligned and read-only."""
        import cloudpickle

        return self._submit(_call, function, shared, cloudpickle.dumps(argument))

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        return self.client.submit(function, *arguments, pure=False, retries=self.retries)

    def _gather(self, futures: list[Future]) -> list[Any]:
        try:
            return self.client.gather(futures)
        except BaseException:
            self.client.cancel(futures)
            raise


def _call(function: Callable[..., R], shared: Any, pickled: bytes) -> R:
    return function(shared, pickle.loads(pickled))


def _apply(function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
    return [function(task) for task in tasks]


def _chunks(tasks: Sequence[T], n_chunks: int) -> list[Sequence[T]]:
    """`tasks` in order, in at most `n_chunks` slices of nearly equal length."""
    size = -(-len(tasks) // n_chunks)
    return [tasks[start : start + size] for start in range(0, len(tasks), size)]


def _merge(state: Callable[[], State], left: State, right: State) -> State:
    """A new state: Dask may hand the same two states out again after a worker was lost."""
    return state().merge(left).merge(right)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("a Dask engine needs Dask; install it with: pip install 'covey[dask]'") from None
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {address}; start one with `dask scheduler`, or check host and port"
        ) from error


def _await_worker(client: Client) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise ConnectionError(
            f"the Dask scheduler at {client.scheduler.address} has no worker; start one with `dask worker`"
        ) from None
