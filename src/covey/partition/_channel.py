"""The one way from party to party: every message is a named tuple of arrays, checked, copied and counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Result = TypeVar("Result")
Shape = tuple[int | None, ...]


class ChannelError(ConnectionError):
    """A party is gone, is silent, or sent what does not belong; the message names the party."""


@dataclass(frozen=True)
class Message:
    """What one party sent to another.

    Parameters
    ----------
    sender, receiver : int
        Ranks of the parties.
    tag : str
        What it is, as in ``"embedding"``.
    arrays : tuple of ndarray
        Read-only.
    """

    sender: int
    receiver: int
    tag: str
    arrays: tuple[NDArray, ...]

    @property
    def n_bytes(self) -> int:
        """Size of the arrays; the few bytes of framing that a transport adds are not counted."""
        return sum(array.nbytes for array in self.arrays)


@dataclass
class Traffic:
    """What went over the links.

    Parameters
    ----------
    sent : dict of (sender, receiver, tag) to (bytes, messages)
    turns : dict of (party, party) to int
        How often the direction of a link changed, plus one, as the first of the two saw it.

    Examples
    --------
    >>> traffic = Traffic()
    >>> traffic.count(Message(1, 0, "embedding", (np.zeros((4, 2)),)), seen_by=0)
    >>> traffic.count(Message(0, 1, "gradient", (np.zeros((4, 2)),)), seen_by=0)
    >>> traffic
    <Traffic: 128 bytes, 2 messages, 1 rounds>
    """

    sent: dict[tuple[int, int, str], tuple[int, int]] = field(default_factory=dict)
    turns: dict[tuple[int, int], int] = field(default_factory=dict)
    _last: dict[tuple[int, int], int] = field(default_factory=dict, repr=False, compare=False)

    def count(self, message: Message, seen_by: int) -> None:
        """Add a message, as the party `seen_by` (one of its ends) saw it."""
        key = message.sender, message.receiver, message.tag
        n_bytes, n_messages = self.sent.get(key, (0, 0))
        self.sent[key] = n_bytes + message.n_bytes, n_messages + 1
        link = seen_by, message.receiver if seen_by == message.sender else message.sender
        if self._last.get(link) != message.sender:
            self._last[link] = message.sender
            self.turns[link] = self.turns.get(link, 0) + 1

    def merge(self, other: Traffic) -> Traffic:
        """What two ends of one run saw together; a message that both saw counts once."""
        return Traffic({**other.sent, **self.sent}, {**other.turns, **self.turns})

    def __add__(self, other: Traffic) -> Traffic:
        sent = dict(self.sent)
        for key, (n_bytes, n_messages) in other.sent.items():
            before = sent.get(key, (0, 0))
            sent[key] = before[0] + n_bytes, before[1] + n_messages
        turns = {link: self.turns.get(link, 0) + other.turns.get(link, 0) for link in {*self.turns, *other.turns}}
        return Traffic(sent, turns)

    @property
    def bytes(self) -> int:
        """Bytes over all links."""
        return sum(n_bytes for n_bytes, _ in self.sent.values())

    @property
    def messages(self) -> int:
        """Messages over all links."""
        return sum(n_messages for _, n_messages in self.sent.values())

    @property
    def rounds(self) -> int:
        """There-and-back exchanges on the link that has most of them."""
        return max(((turns + 1) // 2 for turns in self.turns.values()), default=0)

    def by_link(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(bytes, messages) of each (sender, receiver)."""
        return self._grouped(lambda key: key[:2])

    def by_tag(self) -> dict[str, tuple[int, int]]:
        """(bytes, messages) of each tag."""
        return self._grouped(lambda key: key[2])

    def _grouped(self, group: Callable[[tuple[int, int, str]], Any]) -> dict[Any, tuple[int, int]]:
        total: dict[Any, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for key, (n_bytes, n_messages) in sorted(self.sent.items()):
            before = total[group(key)]
            total[group(key)] = before[0] + n_bytes, before[1] + n_messages
        return dict(total)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        links = [{"from": a, "to": b, "bytes": c[0], "messages": c[1]} for (a, b), c in self.by_link().items()]
        return {"bytes": self.bytes, "messages": self.messages, "rounds": self.rounds, "links": links}

    def state(self) -> dict[str, Any]:
        """Plain values that `from_state` takes."""
        return {
            "sent": [[*key, *counts] for key, counts in self.sent.items()],
            "turns": [[*link, turns, self._last.get(link, link[0])] for link, turns in self.turns.items()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Traffic:
        """The traffic that `state` describes."""
        return cls(
            {(int(a), int(b), str(tag)): (int(size), int(n)) for a, b, tag, size, n in state["sent"]},
            {(int(a), int(b)): int(turns) for a, b, turns, _ in state["turns"]},
            {(int(a), int(b)): int(last) for a, b, _, last in state["turns"]},
        )

    def __repr__(self) -> str:
        return f"<Traffic: {self.bytes:,} bytes, {self.messages:,} messages, {self.rounds:,} rounds>"


class Channel(ABC):
    """One party's end of the wires to all others.

    Everything that a party learns of another passes here. Parties are numbered by rank; the one that holds the labels
    is `active`, the others are passive.

    Parameters
    ----------
    rank : int
        Who this party is.
    size : int
        Number of parties.
    active : int
        Rank of the party that holds the labels.
    record : collection of str
        Tags whose messages are kept in `transcript`, sent or received here; ``("*",)`` keeps all.

    Attributes
    ----------
    traffic : Traffic
        Messages that this party sent or received.
    transcript : list of Message
    """

    def __init__(self, rank: int, size: int, active: int = 0, record: Sequence[str] = ()) -> None:
        if not 0 <= active < size:
            raise ValueError(f"the label holder must be one of the parties 0 to {size - 1}, got {active}")
        self.rank, self.size, self.active = rank, size, active
        self.record = frozenset(record)
        self.traffic = Traffic()
        self.transcript: list[Message] = []

    @property
    def is_active(self) -> bool:
        """Whether this party holds the labels."""
        return self.rank == self.active

    @property
    def others(self) -> list[int]:
        """Ranks of the other parties, ascending."""
        return [rank for rank in range(self.size) if rank != self.rank]

    def send(self, to: int, tag: str, *arrays: ArrayLike) -> None:
        """Send arrays to a party; they are copied, so that changing them afterwards changes nothing there.

        Parameters
        ----------
        to : int
            Rank of the receiver.
        tag : str
            What it is; the receiver must ask for the same.
        *arrays : array-like
            Numbers or booleans, any shapes.

        Raises
        ------
        ChannelError
            If the receiver is gone.
        """
        if to == self.rank or not 0 <= to < self.size:
            raise ValueError(f"party {self.rank} can send to the other parties of 0 to {self.size - 1}, not to {to}")
        copies = tuple(np.array(array, order="C") for array in arrays)
        for copy in copies:
            if copy.dtype.hasobject or copy.dtype.kind not in "biufc":
                raise TypeError(f"message {tag!r}: only arrays of numbers can be sent, got dtype {copy.dtype}")
            copy.flags.writeable = False
        message = Message(self.rank, to, tag, copies)
        self._put(message)
        self._note(message)

    def receive(self, sender: int, tag: str, shape: Shape | None = None, dtype: DTypeLike | None = None) -> NDArray:
        """Wait for the next message of a party, which must be one array.

        Parameters
        ----------
        sender : int
        tag : str
        shape : tuple of int or None, optional
            What the array must have; None stands for any length.
        dtype : optional
            What the array must have.

        Returns
        -------
        ndarray
            Read-only.

        Raises
        ------
        ChannelError
            If the party is gone or silent, or the message is another than was asked for.
        """
        (array,) = self.receive_many(sender, tag, (shape,), (dtype,))
        return array

    def receive_many(
        self, sender: int, tag: str, shapes: Sequence[Shape | None], dtypes: Sequence[DTypeLike | None] | None = None
    ) -> tuple[NDArray, ...]:
        """Wait for the next message of a party, which must be arrays of these shapes and dtypes."""
        message = self._get(sender, tag)
        name = f"party {sender}"
        if message.tag != tag:
            raise ChannelError(f"{name} sent {message.tag!r} where {tag!r} was due")
        if len(message.arrays) != len(shapes):
            raise ChannelError(f"{name} sent {len(message.arrays)} arrays as {tag!r}, not {len(shapes)}")
        for array, shape, dtype in zip(message.arrays, shapes, dtypes or [None] * len(shapes)):
            if shape is not None and not _fits(array.shape, shape):
                wanted = "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"
                raise ChannelError(f"{name} sent {tag!r} of shape {array.shape} where {wanted} was due")
            if dtype is not None and array.dtype != np.dtype(dtype):
                raise ChannelError(f"{name} sent {tag!r} of dtype {array.dtype} where {np.dtype(dtype)} was due")
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ChannelError(f"{name} sent {tag!r} with values that are not finite")
        self._note(message)
        return message.arrays

    def broadcast(self, tag: str, *arrays: ArrayLike) -> None:
        """Send the same arrays to every other party."""
        for rank in self.others:
            self.send(rank, tag, *arrays)

    def gather(self, tag: str, shape: Shape | None = None, dtype: DTypeLike | None = None) -> list[NDArray]:
        """Receive one array from every other party, by rank."""
        return [self.receive(rank, tag, shape, dtype) for rank in self.others]

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Tell every other party that the run is over and why; never raises."""

    @abstractmethod
    def _put(self, message: Message) -> None:
        """Deliver a message."""

    @abstractmethod
    def _get(self, sender: int, tag: str) -> Message:
        """The next message of `sender`; `tag` only serves the error message."""

    def _note(self, message: Message) -> None:
        self.traffic.count(message, self.rank)
        if message.tag in self.record or "*" in self.record:
            self.transcript.append(message)


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(w is None or w == s for s, w in zip(shape, wanted))


class LocalNetwork:
    """Parties in one process: each runs in a thread of its own and waits for the others' messages.

    Which message is read next is decided by the receiver alone, so results do not depend on how threads are scheduled.

    Parameters
    ----------
    size : int
        Number of parties.
    active : int
        Rank of the label holder.
    timeout : float
        Seconds that a party waits for a message.
    record : collection of str
        See `Channel`.

    Examples
    --------
    >>> network = LocalNetwork(2)
    >>> def party(channel):
    ...     if channel.is_active:
    ...         return float(channel.receive(1, "sum", shape=()))
    ...     channel.send(0, "sum", 3.0)
    >>> network.run([party, party])
    [3.0, None]
    >>> network.traffic
    <Traffic: 8 bytes, 1 messages, 1 rounds>
    """

    def __init__(self, size: int, active: int = 0, timeout: float = 600.0, record: Sequence[str] = ()) -> None:
        if size < 1:
            raise ValueError(f"a network needs at least one party, got {size}")
        self.timeout = timeout
        self._queues: Mapping[tuple[int, int], SimpleQueue[Message | str]] = {
            (a, b): SimpleQueue() for a in range(size) for b in range(size) if a != b
        }
        self.channels = [LocalChannel(self, rank, size, active, record) for rank in range(size)]

    @property
    def traffic(self) -> Traffic:
        """What went over all links."""
        total = Traffic()
        for channel in self.channels:
            total = total.merge(channel.traffic)
        return total

    def run(self, parties: Sequence[Callable[[LocalChannel], Result]]) -> list[Result]:
        """Run one function a party side by side and return what they returned, by rank.

        Raises
        ------
        Exception
            What the first party that failed raised; all others are stopped.
        """
        results: list[Any] = [None] * len(self.channels)
        failures: list[BaseException] = []

        def work(channel: LocalChannel, party: Callable[[LocalChannel], Result]) -> None:
            try:
                results[channel.rank] = party(channel)
            except BaseException as error:
                failures.append(error)
                channel.abort(f"{type(error).__name__}: {error}")

        threads = [Thread(target=work, args=pair, daemon=True) for pair in zip(self.channels, parties, strict=True)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            for channel in self.channels:
                channel.abort("interrupted")
            raise
        if failures:
            raise failures[0]
        return results


class LocalChannel(Channel):
    """A party's end inside one process; see `LocalNetwork`."""

    def __init__(self, network: LocalNetwork, rank: int, size: int, active: int, record: Sequence[str]) -> None:
        super().__init__(rank, size, active, record)
        self._network = network

    def abort(self, reason: str) -> None:
        for rank in self.others:
            self._network._queues[self.rank, rank].put(reason)

    def _put(self, message: Message) -> None:
        self._network._queues[self.rank, message.receiver].put(message)

    def _get(self, sender: int, tag: str) -> Message:
        start = monotonic()
        try:
            message = self._network._queues[sender, self.rank].get(timeout=self._network.timeout)
        except Empty:
            raise ChannelError(f"party {sender} sent no {tag!r} within {monotonic() - start:.0f} s") from None
        if isinstance(message, str):
            raise ChannelError(f"party {sender} ended the run: {message}")
        return message
