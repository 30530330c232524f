"""What every engine's `reduce` shares: how rows are split, and the order in which partial states are merged.

Neither depends on the number of workers, so that a reduction gives the same bits wherever it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

S = TypeVar("S")

ROWS_A_PARTITION = 1 << 18
BLOCKS_A_RUN = 4


@runtime_checkable
class State(Protocol):
    """A statistic that is a sum over rows: fold blocks in, merge two, read the result.

    `update` and `merge` return the state itself, changed; `merge` leaves the other state as it was. A state must be
    picklable, a fresh one neutral to `merge`, and ``a.update(x).merge(b.update(y))`` must equal ``a.update(x + y)`` up
    to rounding.
    """

    def update(self, block: Any) -> Self: ...

    def merge(self, other: Self) -> Self: ...

    def result(self) -> Any: ...


@runtime_checkable
class Partitioned(Protocol):
    """Blocks that can be split into pieces which read for themselves, such as `covey.table.BlockSource`."""

    @property
    def n_rows(self) -> int | None: ...

    def partitions(self, k: int) -> list[Any]: ...


def partitions(blocks: Iterable[Any]) -> list[Iterable[Any]] | None:
    """Pieces of about `ROWS_A_PARTITION` rows, in order, that read for themselves; None when `blocks` has no such.

    A source that does not know its number of rows (a CSV file) can only be read from its start.
    """
    if not isinstance(blocks, Partitioned) or blocks.n_rows is None:
        return None
    return blocks.partitions(max(1, -(-blocks.n_rows // ROWS_A_PARTITION)))


def runs(blocks: Iterable[Any]) -> Iterator[list[Any]]:
    """`blocks` in lists of `BLOCKS_A_RUN`, read as they are asked for."""
    rest = iter(blocks)
    while run := list(islice(rest, BLOCKS_A_RUN)):
        yield run


def fold(state: Callable[[], State], blocks: Iterable[Any]) -> State:
    """A state made by `state()` with all `blocks` folded in."""
    total = state()
    for block in blocks:
        total.update(block)
    return total


def merge_in_order(parts: Iterable[S], merge: Callable[[S, S], S]) -> S | None:
    """Merge neighbours in a binary tree; the tree depends on the number of parts alone, and at most log2 of it wait.

    Returns None when there is no part.

    Examples
    --------
    >>> merge_in_order("abcde", lambda left, right: f"({left}{right})")
    '(((ab)(cd))e)'
    """
    waiting: list[S | None] = []
    for part in parts:
        for level, other in enumerate(waiting):
            if other is None:
                waiting[level] = part
                break
            waiting[level] = None
            part = merge(other, part)
        else:
            waiting.append(part)
    total: S | None = None
    for other in waiting:
        if other is not None:
            total = other if total is None else merge(other, total)
    return total
