"""Parties in processes of their own, on one host or several: torch.distributed with gloo carries the messages."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic, perf_counter, sleep
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed

from covey.partition._channel import Channel, ChannelError, Message, Traffic
from covey.partition._folder import Manifest, read_manifest
from covey.partition._frames import FRAME, FrameError, FrameReader, FrameWriter, Kind, Packet, encode
from covey.partition._inputs import n_rows, split_rows, take_rows
from covey.partition._vertical import Checkpoint, PartyModel, VerticalEstimator, save_party, settings_of, train
from covey.partition.alignment import _hashed, _texts, align_party

Result = TypeVar("Result")

_FOREVER = timedelta(days=30)  # a gloo wait that times out closes every link, so time is kept here instead
_FAREWELL = 3.0  # seconds to tell the others that a run is over
_MOST_REASON = 400  # characters
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class GlooChannel(Channel):
    """A party's end when every party is a process, on this host or another.

    Frames travel over gloo's links between each two parties. A thread for each other party reads what it sends, so that
    a party that dies, fails, or sends what is no message is noticed at once by all others, whomever they wait for;
    another thread writes, so that sending never waits. As a context manager the channel ends the run in order: after
    an error it tells the others, else it waits until all are done.

    Parameters
    ----------
    store : torch.distributed.Store
        Where the parties meet; see `from_environment`.
    rank, size, active, record
        See `Channel`.
    timeout : float
        Seconds that a party may be silent while another waits for it. A party that waits for a third one says so and
        is not blamed for it. In between a party may compute for three quarters of it.
    start_timeout : float
        Seconds that all parties have to come.
    max_bytes : int
        Of one message.

    Raises
    ------
    ChannelError
        If not all parties come in time.

    Notes
    -----
    Links are neither encrypted nor authenticated: the parties' hosts need a network of their own, such as a VPN.
    Frames hold at most 1 MiB, for gloo fills a buffer silently with less than it holds, and ends the process, past
    all error handling, on more. Less is found by length and checksum. More can come only from a program that is not
    covey; the others then learn at once that the party that got it is gone.

    Examples
    --------
    >>> from threading import Thread
    >>> store = distributed.HashStore()
    >>> def passive():
    ...     with GlooChannel(store, rank=1, size=2) as channel:
    ...         channel.send(0, "sum", 3.0)
    >>> thread = Thread(target=passive)
    >>> thread.start()
    >>> with GlooChannel(store, rank=0, size=2) as channel:
    ...     float(channel.receive(1, "sum", shape=()))
    3.0
    >>> thread.join()
    >>> channel.traffic
    <Traffic: 8 bytes, 1 messages, 1 rounds>
    """

    def __init__(
        self,
        store: distributed.Store,
        rank: int,
        size: int,
        active: int = 0,
        *,
        timeout: float = 60.0,
        start_timeout: float = 300.0,
        max_bytes: int = 1 << 32,
        record: tuple[str, ...] = (),
    ) -> None:
        super().__init__(rank, size, active, record)
        self.timeout, self.max_bytes = timeout, max_bytes
        self.failure: ChannelError | None = None
        self._failed = Event()
        self.closing = False
        self._lock = Lock()
        self._excused: dict[int, float] = {}
        self._inbox: dict[int, SimpleQueue[Packet | ChannelError]] = {p: SimpleQueue() for p in self.others}
        self._outbox: dict[int, SimpleQueue[tuple[Kind, bytes]]] = {p: SimpleQueue() for p in self.others}
        self._group: Any = _meet(store, rank, size, start_timeout) if size > 1 else None
        self._writers = [Thread(target=self._write, args=(p,), daemon=True) for p in self.others]
        self._readers = [Thread(target=self._read, args=(p,), daemon=True) for p in self.others]
        for thread in (*self._writers, *self._readers):
            thread.start()

    @classmethod
    def from_environment(
        cls, active: int = 0, *, timeout: float = 60.0, start_timeout: float = 300.0, max_bytes: int = 1 << 32
    ) -> Self:
        """The channel of this process, as ``torchrun`` set it: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.

        Raises
        ------
        ValueError
            If a variable is not set, or makes no sense.
        ChannelError
            If not all parties come in time.
        """
        rank, size = environment()
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        limit = timedelta(seconds=start_timeout)
        # torchrun keeps the store itself; else the first party does
        first = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"

        def connect() -> distributed.Store:
            store = distributed.TCPStore(address, port, None, first, limit, wait_for_workers=False)
            return distributed.PrefixStore(f"covey/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)

        try:
            store = _interruptibly(connect)
        except RuntimeError as error:
            what = f"cannot listen on port {port}" if first else f"nobody answers at {address}:{port}"
            hint = "is it in use?" if first else f"is party 0 running? (waited {start_timeout:g} s)"
            raise ChannelError(f"{what}; {hint}") from error
        return cls(store, rank, size, active, timeout=timeout, start_timeout=start_timeout, max_bytes=max_bytes)

    def abort(self, reason: str) -> None:
        self.closing = True
        self._post(Packet(Kind.ABORT, " ".join(reason.split())[:_MOST_REASON]), self.others)
        _join(self._writers, _FAREWELL)
        self._hang_up()

    def close(self) -> None:
        """Wait until every party is done.

        Raises
        ------
        ChannelError
            If one fails before.
        """
        self._post(Packet(Kind.END), self.others)
        for party in self.others:
            if self._next(party, "the end").kind is not Kind.END:
                raise ChannelError(f"party {party} sent more than was due")
        self.closing = True
        _join([*self._writers, *self._readers], _FAREWELL)

    def cause(self, patience: float = 2.0) -> ChannelError:
        """Why this process is told to stop: another party's failure, or else the telling itself.

        Parameters
        ----------
        patience : float
            Seconds to wait for news of a failure, which may come later than the signal.
        """
        if self._failed.wait(patience):
            assert self.failure is not None
            return self.failure
        return ChannelError("stopped from outside (SIGTERM)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.close()
        except BaseException as late:
            error = late
            raise
        finally:
            if error is not None:
                self.abort(_reason(error))

    def _put(self, message: Message) -> None:
        if self.failure is not None:
            raise self.failure
        self._post(Packet(Kind.DATA, message.tag, message.arrays), [message.receiver])

    def _post(self, packet: Packet, receivers: Iterable[int]) -> None:
        body = encode(packet)
        for party in receivers:
            self._outbox[party].put((packet.kind, body))

    def _get(self, sender: int, tag: str) -> Message:
        packet = self._next(sender, repr(tag))
        if packet.kind is Kind.END:
            raise ChannelError(f"party {sender} was done when {tag!r} was due")
        return Message(sender, self.rank, packet.text, packet.arrays)

    def _next(self, sender: int, what: str) -> Packet:
        """The next packet of a party; if that takes long the others are told, so that they blame the right one."""
        start = monotonic()
        item = self._wait(sender, start + self.timeout / 4)
        if item is None:
            self._post(Packet(Kind.WAIT), (party for party in self.others if party != sender))
        while item is None:
            deadline = max(start, self._excused.get(sender, start)) + self.timeout
            if monotonic() > deadline:
                raise ChannelError(f"party {sender} sent no {what} within {self.timeout:g} s")
            item = self._wait(sender, deadline)
        if isinstance(item, ChannelError):
            self._inbox[sender].put(item)
            raise item
        return item

    def _wait(self, sender: int, deadline: float) -> Packet | ChannelError | None:
        try:
            return self._inbox[sender].get(timeout=max(deadline - monotonic(), 0.0))
        except Empty:
            return None

    def _read(self, sender: int) -> None:
        """Take in what a party sends until its end."""
        buffer = torch.empty(FRAME, dtype=torch.uint8)
        content = buffer.numpy().data
        reader = FrameReader(self.max_bytes)

        def receive() -> memoryview:
            self._group.recv([buffer], sender, 0).wait(_FOREVER)
            return content

        try:
            kind = Kind.DATA
            while kind is not Kind.END:
                packet = reader.read(receive)
                kind = packet.kind
                if kind is Kind.ABORT:
                    relayed = packet.text.startswith("party ")
                    raise ChannelError(packet.text if relayed else f"party {sender} ended the run: {packet.text}")
                if kind is Kind.WAIT:
                    self._excused[sender] = monotonic()
                else:
                    self._inbox[sender].put(packet)
        except ChannelError as error:
            self._fail(error)
        except FrameError as error:
            self._fail(ChannelError(f"party {sender} sent garbage: {error}"))
        except RuntimeError:
            self._fail(ChannelError(f"party {sender} is gone: its connection closed"))

    def _write(self, receiver: int) -> None:
        """Send what lies ready for a party, until the end."""
        writer = FrameWriter()
        kind = Kind.DATA
        try:
            while kind not in (Kind.END, Kind.ABORT):
                kind, body = self._outbox[receiver].get()
                for frame in writer.frames(kind, body):
                    self._group.send([torch.frombuffer(frame, dtype=torch.uint8)], receiver, 0).wait(_FOREVER)
        except RuntimeError:
            self._fail(ChannelError(f"party {receiver} is gone: its connection closed"))

    def _hang_up(self) -> None:
        """Close every link, whatever hangs on it: a thread left in gloo would abort the process when it exits."""
        for party in self.others:  # a gloo wait that times out does it; nothing is ever sent under this tag
            with suppress(RuntimeError):
                self._group.recv([torch.empty(1, dtype=torch.uint8)], party, 1).wait(timedelta(milliseconds=1))
        _join([*self._writers, *self._readers], _FAREWELL)

    def _fail(self, error: ChannelError) -> None:
        """Let the first failure, of whichever party, end every wait."""
        with self._lock:
            if self.failure is not None:
                return
            self.failure = error
        self._failed.set()
        for inbox in self._inbox.values():
            inbox.put(error)


@dataclass
class PartyResult:
    """What one party has after a run.

    Parameters
    ----------
    model : PartyModel
        This party's part.
    rank : int
    metric : str
        ``"accuracy"`` or ``"R2"``; this and all that follows at the label holder only.
    score : float
        Of the test rows.
    history : list of float
        Training loss of each step.
    n_train, n_test : int
        Rows.
    training, prediction : Traffic
        Over all links.
    seconds : float
        Of training, since the start or the resumption.
    scores : ndarray of shape (n_test, n_outputs), optional
        Raw scores of the test rows.
    """

    model: PartyModel
    rank: int
    n_train: int
    n_test: int
    training: Traffic
    prediction: Traffic
    seconds: float
    metric: str = ""
    score: float = float("nan")
    history: list[float] = field(default_factory=list)
    scores: NDArray[np.float64] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "rows": {"train": self.n_train, "test": self.n_test},
            "metric": self.metric,
            "score": self.score,
            "seconds": self.seconds,
            "training": self.training.to_dict(),
            "prediction": self.prediction.to_dict(),
            "loss": self.history,
        }


def run_party(
    algorithm: VerticalEstimator,
    folder: str | Path,
    channel: Channel,
    *,
    test_fraction: float = 0.25,
    seed: int = 0,
    align: bool = False,
    checkpoint: str | Path | None = None,
    out: str | Path | None = None,
) -> PartyResult:
    """One party's side of a run on a split: read its own file, train, score the test rows, keep its part of the model.

    Parameters
    ----------
    algorithm : VerticalEstimator
        The same settings at every party.
    folder : path
        Where ``split.json`` and this party's file lie; at the label holder also the labels.
    channel : Channel
        A `GlooChannel`, or a `LocalChannel` for the same in one process.
    test_fraction : float
        Share of the rows to test on, 0..1.
    seed : int
        Of the choice of the test rows, which every party makes alike.
    align : bool
        Join the parties' rows on their ids first; otherwise they must be the same in the same order.
    checkpoint : path, optional
        A folder, of each party its own or one for all; training goes on from the last state that all parties have,
        and traffic counts what an undisturbed run sends.
    out : path, optional
        A folder for ``party-{rank}.npz``; see `load_party`.

    Returns
    -------
    PartyResult

    Raises
    ------
    ValueError
        If the folder is not this split, the parties' rows are not the same, or a party was started otherwise.
    ChannelError
        If another party is gone, silent, or failed.
    """
    manifest = read_manifest(folder)
    if channel.size != manifest.n_parties:
        raise ValueError(f"{folder} has {manifest.n_parties} parties, but {channel.size} processes were started")
    facts = _facts(algorithm, manifest, test_fraction, seed, align, checkpoint is not None)
    _check_same_run(channel, facts)
    X, y = _own_rows(channel, manifest, align)
    train_rows, test_rows = split_rows(n_rows(X), test_fraction, seed)
    saves = None if checkpoint is None else Checkpoint(checkpoint, channel.rank, facts=facts)
    channel.traffic = Traffic()
    start = perf_counter()
    model = algorithm._party(channel.is_active)
    model, history = train(model, channel, take_rows(X, train_rows), None if y is None else y[train_rows], saves)
    seconds = perf_counter() - start
    training, channel.traffic = channel.traffic, Traffic()
    scores = model.scores(channel, take_rows(X, test_rows))
    prediction, channel.traffic = channel.traffic, Traffic()
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        save_party(model, channel, Path(out) / f"party-{channel.rank}.npz")
    training, prediction = _over_all_links(channel, training), _over_all_links(channel, prediction)
    result = PartyResult(model, channel.rank, len(train_rows), len(test_rows), training, prediction, seconds)
    if y is not None:
        assert scores is not None and model.objective is not None
        result.scores, result.history = scores, history
        result.metric = "R2" if model.objective.classes is None else "accuracy"
        result.score = model.objective.metric(scores, y[test_rows])
    return result


def environment() -> tuple[int, int]:
    """Rank of this process and number of processes.

    Raises
    ------
    ValueError
        If a variable that ``torchrun`` sets is missing or makes no sense.
    """
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} not set: start the parties with torchrun, or each with {', '.join(_VARIABLES)}"
        )
    try:
        rank, size, port = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
    except ValueError:
        raise ValueError("RANK, WORLD_SIZE and MASTER_PORT must be whole numbers") from None
    if not 0 <= rank < size or not 0 < port < 1 << 16:
        raise ValueError(f"RANK={rank} must be one of 0 to WORLD_SIZE-1={size - 1}, and MASTER_PORT={port} a port")
    return rank, size


def _meet(store: distributed.Store, rank: int, size: int, timeout: float) -> distributed.ProcessGroupGloo:
    """Wait for all parties, and link each two of them."""
    deadline = monotonic() + timeout
    missing = [party for party in range(size) if party != rank]
    try:
        store.set(f"party {rank}", "here")
        while missing := [party for party in missing if not store.check([f"party {party}"])]:
            if monotonic() > deadline:
                raise ChannelError(f"{_listed(missing)} did not come within {timeout:g} s")
            sleep(0.02)
        return _interruptibly(lambda: distributed.ProcessGroupGloo(store, rank, size, timedelta(seconds=timeout)))
    except RuntimeError as error:
        raise ChannelError(f"the parties could not be linked: {_first_line(error)}") from error


def _listed(parties: list[int]) -> str:
    return ("party " if len(parties) == 1 else "parties ") + ", ".join(map(str, parties))


def _interruptibly(function: Callable[[], Result]) -> Result:
    """Call a function that holds up signals, in a thread, so that this one can still be told to stop."""
    done: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            done.put((function(), None))
        except BaseException as error:
            done.put((None, error))

    Thread(target=work, daemon=True).start()
    result, error = done.get()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _join(threads: Iterable[Thread], seconds: float) -> None:
    """Wait for threads, together at most so long."""
    deadline = monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - monotonic(), 0.0))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _reason(error: BaseException) -> str:
    """What the other parties are told; of an unexpected error only the kind, for its text may hold data."""
    if isinstance(error, ChannelError):
        return str(error)
    if isinstance(error, ValueError | TypeError | ImportError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _facts(
    algorithm: VerticalEstimator, manifest: Manifest, test_fraction: float, seed: int, align: bool, checkpoint: bool
) -> dict[str, Any]:
    """What every party must have alike, as plain values."""
    return {
        "algorithm": algorithm.name,
        "settings": settings_of(algorithm),
        "test fraction": test_fraction,
        "seed": seed,
        "align": align,
        "checkpoints": checkpoint,
        "label holder": manifest.label_party,
        "columns": [len(columns) for columns in manifest.columns],
    }


def _check_same_run(channel: Channel, facts: Mapping[str, Any]) -> None:
    """Raise at every party if one was started in another way than the label holder."""
    if channel.active != facts["label holder"]:
        raise ValueError(f"party {facts['label holder']} holds the labels of this split, not party {channel.active}")
    if not channel.is_active:
        _send_json(channel, channel.active, "run", facts)
        channel.receive(channel.active, "run", (0,), np.uint8)
        return
    for rank in channel.others:
        theirs = _receive_json(channel, rank, "run")
        for name, value in facts.items():
            if theirs.get(name) != value:
                raise ValueError(
                    f"party {rank} was started with {name} {theirs.get(name)}, the label holder with {value}"
                )
    channel.broadcast("run", np.empty(0, np.uint8))


def _own_rows(channel: Channel, manifest: Manifest, align: bool) -> tuple[Any, NDArray | None]:
    """Columns of this party, and at the label holder the labels, in the rows that all parties have."""
    ids, X = manifest.read_party(channel.rank)
    y = None
    if channel.is_active:
        label_ids, y = manifest.read_labels()
        if not np.array_equal(ids, label_ids):
            raise ValueError(
                "the label holder's columns and its labels must be files of the same rows in the same order"
            )
    if not align:
        _check_same_ids(channel, ids)
        return X, y
    rows = align_party(channel, ids)
    return take_rows(X, rows), None if y is None else y[rows]


def _check_same_ids(channel: Channel, ids: NDArray) -> None:
    """Raise at every party unless all have the same ids in the same order; one salted hash is sent."""
    texts = _texts(ids, channel.rank)
    if not channel.is_active:
        salt = channel.receive(channel.active, "salt", (32,), np.uint8).tobytes()
        channel.send(channel.active, "digest of ids", _digest(texts, salt))
        channel.receive(channel.active, "ids agree", (0,), np.uint8)
        return
    salt = secrets.token_bytes(32)
    channel.broadcast("salt", np.frombuffer(salt, np.uint8))
    own = _digest(texts, salt)
    for rank, digest in zip(channel.others, channel.gather("digest of ids", (32,), np.uint8)):
        if not np.array_equal(digest, own):
            raise ValueError(
                f"party {rank} has other row ids than the label holder, or another order; join them first (--align)"
            )
    channel.broadcast("ids agree", np.empty(0, np.uint8))


def _digest(texts: list[str], salt: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(sha256(_hashed(texts, salt).tobytes()).digest(), np.uint8)


def _over_all_links(channel: Channel, own: Traffic) -> Traffic:
    """What all parties saw together; at the others what they saw themselves."""
    if not channel.is_active:
        _send_json(channel, channel.active, "traffic", own.state())
        return own
    total = own
    for rank in channel.others:
        try:
            total = total.merge(Traffic.from_state(_receive_json(channel, rank, "traffic")))
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelError(f"party {rank} sent garbage: its traffic is not readable") from error
    return total


def _send_json(channel: Channel, to: int, tag: str, value: Any) -> None:
    channel.send(to, tag, np.frombuffer(json.dumps(value).encode(), np.uint8))


def _receive_json(channel: Channel, sender: int, tag: str) -> dict[str, Any]:
    try:
        value = json.loads(channel.receive(sender, tag, (None,), np.uint8).tobytes())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ChannelError(f"party {sender} sent garbage: {tag!r} is not readable")
    return value
