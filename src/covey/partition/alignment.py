"""Rows that several parties have in common, found without showing the ids."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.partition._channel import Channel, LocalNetwork, Traffic
from covey.partition._inputs import take_rows
from covey.table import Column, is_absent

_DIGEST = 32  # bytes of SHA-256, and of the salt
_LARGEST_EXACT = 2**53  # beyond it a float no longer tells neighbouring whole numbers apart

Ids = Iterable[Any] | Column


@dataclass(frozen=True, eq=False)
class Alignment:
    """Which row of each party belongs to which row of the others.

    Make one with `align`.

    Parameters
    ----------
    rows : tuple of ndarray of int, shape (n_common,)
        For each party the positions of the common ids in its own file, in one common order: that of the label holder.
    overlap : ndarray of int, shape (n_parties, n_parties)
        Ids that two parties have in common; on the diagonal how many each has.
    traffic : Traffic
        What finding them sent over the links.

    Examples
    --------
    >>> alignment = align([["ann", "bob", "eve"], ["eve", "zoe", "ann"]])
    >>> alignment
    <Alignment of 2 parties: 2 common rows (67 %, 67 %)>
    >>> [part.tolist() for part in alignment.take([np.array([1, 2, 3]), np.array([30, 20, 10])])]
    [[1, 3], [10, 30]]
    """

    rows: tuple[NDArray[np.intp], ...]
    overlap: NDArray[np.int64]
    traffic: Traffic

    @property
    def n_common(self) -> int:
        """Number of ids that all parties have."""
        return len(self.rows[0])

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of each party's rows that are common, 0..1, shape (n_parties,)."""
        return self.n_common / np.diag(self.overlap)

    def take(self, parties: Sequence[Any]) -> list[Any]:
        """The common rows of each party, in the common order.

        Parameters
        ----------
        parties : sequence of n_parties arrays, frames or tables
            In the order in which the ids were given. For labels: ``y[alignment.rows[label_party]]``.

        Raises
        ------
        ValueError
            If there are more or fewer parties than ids were given for.
        """
        return [take_rows(X, rows) for X, rows in zip(parties, self.rows, strict=True)]

    def __repr__(self) -> str:
        shares = ", ".join(f"{100 * share:.0f} %" for share in self.share)
        return f"<Alignment of {len(self.rows)} parties: {self.n_common:,} common rows ({shares})>"


def align(ids_per_party: Sequence[Ids], label_party: int = 0) -> Alignment:
    """Join parties that have only some samples in common.

    The parties run `private_set_intersection` with one another inside this process; in separate processes each calls
    `align_party`.

    Parameters
    ----------
    ids_per_party : sequence of columns of str or int
        The id column of each party: a list, an array, a series, or a `Column` of a table. A number
        and its text are the same id: 7, 7.0 and ``"7"``.
    label_party : int
        Position of the party that holds the labels.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        If a party has an id twice, a missing one or none at all, or no id is common to all.
    TypeError
        If an id is neither text nor a whole number.

    Examples
    --------
    >>> alignment = align([[3, 1, 2], ["2", "3", "9"]])
    >>> [rows.tolist() for rows in alignment.rows]
    [[0, 2], [1, 0]]
    >>> alignment.overlap.tolist()
    [[3, 2], [2, 3]]
    """
    columns = _columns(ids_per_party)
    network = LocalNetwork(len(columns), label_party)
    found = network.run([partial(private_set_intersection, ids=ids) for ids in columns])
    overlap = found[label_party][1]
    assert overlap is not None
    return Alignment(tuple(rows for rows, _ in found), overlap, network.traffic)


def align_party(channel: Channel, ids: Ids) -> NDArray[np.intp]:
    """One party's half of `align`.

    Parameters
    ----------
    channel : Channel
    ids : sequence of str or int
        This party's id column.

    Returns
    -------
    ndarray of int, shape (n_common,)
        Positions of the common ids in `ids`, in an order that is the same at all parties.

    Raises
    ------
    ValueError, TypeError
        As `align` does.
    ChannelError
        If another party is gone or silent.

    Examples
    --------
    >>> network = LocalNetwork(2)
    >>> bank, shop = (partial(align_party, ids=ids) for ids in (["ann", "bob"], ["bob", "eve"]))
    >>> [rows.tolist() for rows in network.run([bank, shop])]
    [[1], [0]]
    """
    return private_set_intersection(channel, ids)[0]


def private_set_intersection(channel: Channel, ids: Ids) -> tuple[NDArray[np.intp], NDArray[np.int64] | None]:
    """One party's half of finding the ids that all parties have, by salted hashes.

    The label holder draws a salt of 32 bytes and sends it to every party. Each replaces its ids by their HMAC-SHA256
    under that salt and sends those to the label holder, which intersects them and tells each party the positions of
    the common ones in its own file. The result does not depend on the salt, so the salt has no `random_state`.

    Parameters
    ----------
    channel : Channel
    ids : sequence of str or int

    Returns
    -------
    rows : ndarray of int, shape (n_common,)
        Positions in `ids`, in the order in which the label holder has them.
    overlap : ndarray of int, shape (n_parties, n_parties), or None
        Ids that two parties have in common; at the label holder alone.

    Raises
    ------
    ValueError, TypeError
        As `align` does.

    Notes
    -----
    What it does not hide, and whom it does not stop:

    - The label holder learns how many rows each party has and how many any two share; each other party learns how
      many are common to all, which of its own those are, and in which order the label holder has them.
    - The label holder has salt and hashes, so it can try ids one by one: names, telephone numbers or other ids that
      can be listed are safe only from somebody without the salt. So can a passive party that comes by another's hashes.
    - The parties are taken to be honest but curious. One that lies about its ids is not found out, and may learn by
      that whether the others have an id it does not have.

    Where this is too little, use an intersection by oblivious pseudorandom functions or Diffie-Hellman.

    References
    ----------
    Krawczyk, Bellare and Canetti (1997), HMAC: Keyed-Hashing for Message Authentication. RFC 2104.
    Pinkas, Schneider and Zohner (2018), Scalable Private Set Intersection Based on OT Extension. ACM Transactions on
    Privacy and Security 21(2), on what hashing alone leaves open.
    """
    texts = _texts(ids, channel.rank)
    if channel.is_active:
        return _intersect_all(channel, texts)
    salt = channel.receive(channel.active, "salt", (_DIGEST,), np.uint8)
    channel.send(channel.active, "hashed ids", _hashed(texts, salt.tobytes()))
    return channel.receive(channel.active, "common rows", (None,), np.int64).astype(np.intp), None


def _intersect_all(channel: Channel, texts: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The label holder's part: collect the hashes, intersect, tell every party its rows."""
    salt = secrets.token_bytes(_DIGEST)
    channel.broadcast("salt", np.frombuffer(salt, dtype=np.uint8))
    hashed = dict(zip(channel.others, channel.gather("hashed ids", (None, _DIGEST), np.uint8)))
    hashed[channel.rank] = _hashed(texts, salt)
    places = [{digest: row for row, digest in enumerate(_digests(hashed[rank]))} for rank in range(channel.size)]
    overlap = np.array([[len(a.keys() & b.keys()) for b in places] for a in places], dtype=np.int64)
    common = [digest for digest in places[channel.rank] if all(digest in known for known in places)]
    if not common:
        raise ValueError(_nothing_common(overlap))
    rows = [np.array([known[digest] for digest in common], dtype=np.int64) for known in places]
    for rank in channel.others:
        channel.send(rank, "common rows", rows[rank])
    return rows[channel.rank].astype(np.intp), overlap


def _hashed(texts: Sequence[str], salt: bytes) -> NDArray[np.uint8]:
    """HMAC-SHA256 of each id, shape (n_ids, 32)."""
    digests = b"".join(hmac.digest(salt, text.encode("utf-8", "surrogatepass"), "sha256") for text in texts)
    return np.frombuffer(digests, dtype=np.uint8).reshape(len(texts), _DIGEST)


def _digests(hashed: NDArray[np.uint8]) -> list[bytes]:
    return np.ascontiguousarray(hashed).view(f"V{_DIGEST}").ravel().tolist()


def _nothing_common(overlap: NDArray[np.int64]) -> str:
    pairs = [(int(overlap[i, j]), i, j) for i in range(len(overlap)) for j in range(i)]
    fewest, second, first = min(pairs)
    return (
        f"no id is common to all parties; parties {first} and {second} share {fewest}, the fewest of any two: "
        "check that the same column is the id everywhere and is written the same way"
    )


def check_row_ids(ids_per_party: Sequence[Ids]) -> None:
    """Raise unless all parties have the same ids in the same order.

    Parameters
    ----------
    ids_per_party : sequence of columns of str or int
        The id column of each party, as for `align`.

    Raises
    ------
    ValueError
        If ids differ or stand in another order, saying in how many rows; or as `align` does.
    TypeError
        If an id is neither text nor a whole number.

    Examples
    --------
    >>> check_row_ids([[1, 2, 3], ["1", "2", "3"]])
    >>> check_row_ids([[1, 2, 3], [1, 3, 2]])
    Traceback (most recent call last):
    ValueError: party 1 has the ids of party 0 in another order (2 of 3 rows differ); join the parties with align
    """
    first, *others = (_texts(ids, rank) for rank, ids in enumerate(_columns(ids_per_party)))
    wanted = set(first)
    for rank, texts in enumerate(others, start=1):
        lacking, extra = len(wanted.difference(texts)), len(set(texts) - wanted)
        if lacking or extra:
            raise ValueError(
                f"party {rank} lacks {lacking} of the {len(first)} ids of party 0 and has {extra} others; "
                "join the parties with align"
            )
        moved = sum(a != b for a, b in zip(first, texts))
        if moved:
            raise ValueError(
                f"party {rank} has the ids of party 0 in another order ({moved} of {len(first)} rows differ); "
                "join the parties with align"
            )


def _columns(ids_per_party: Sequence[Ids]) -> list[Ids]:
    columns = list(ids_per_party)
    if not columns:
        raise ValueError("give the ids of at least one party")
    return columns


def _texts(ids: Ids, rank: int) -> list[str]:
    """Ids of a party as text, each of them once.

    What is raised here travels to the other parties, so it names rows and never an id.
    """
    column = ids.labels() if isinstance(ids, Column) else ids
    if isinstance(column, str | bytes) or not isinstance(column, Iterable):
        raise TypeError(f"party {rank}: give the column of ids, not one {type(column).__name__}")
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    if not values:
        raise ValueError(f"party {rank} has no rows, so no id")
    texts = [_text(value, rank, row) for row, value in enumerate(values)]
    seen: dict[str, int] = {}
    for row, text in enumerate(texts):
        if seen.setdefault(text, row) != row:
            raise ValueError(
                f"party {rank} has one id twice, in rows {seen[text]} and {row}; "
                "keep one row of each id before the parties are joined"
            )
    return texts


def _text(value: Any, rank: int, row: int) -> str:
    """One id as text; a whole number is written without point."""
    if isinstance(value, str):
        return value
    if is_absent(value):
        raise ValueError(f"party {rank} has no id in row {row}; drop the rows without one")
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < _LARGEST_EXACT:
        return str(int(value))
    raise TypeError(f"party {rank}: the id in row {row} is a {type(value).__name__}, neither text nor a whole number")
