"""Messages as frames of bytes for a transport, and back: nothing that comes in is believed before it is checked."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

FRAME = 1 << 20  # bytes of the largest frame; no version may send a larger one, for gloo aborts a receiver that gets it
MAGIC, VERSION = b"covf", 1

_HEADER = struct.Struct("<4sBBQQQII")  # magic, version, kind, number, total, offset, length, checksum
_BODY = FRAME - _HEADER.size
_LENGTH = struct.Struct("<I")
_MOST_DESCRIPTION, _MOST_DIMENSIONS = 1 << 16, 32
_DTYPES = frozenset(np.dtype(code).newbyteorder("<").str for code in "?bBhHiIqQefdFD")


class FrameError(ValueError):
    """Bytes that are no message."""


class Kind(IntEnum):
    """What a message is for."""

    DATA = 1
    ABORT = 2  # the run is over; the text says why
    WAIT = 3  # the sender is waiting for a third party
    END = 4  # the sender is done, and goes


_KINDS = frozenset(map(int, Kind))


@dataclass(frozen=True)
class Packet:
    """A message of any kind.

    Parameters
    ----------
    kind : Kind
    text : str
        The tag of data, or the reason.
    arrays : tuple of ndarray
    """

    kind: Kind
    text: str = ""
    arrays: tuple[NDArray, ...] = ()


class FrameWriter:
    """Cuts the messages of one direction of one link into numbered frames.

    Examples
    --------
    >>> frames = FrameWriter().frames(Kind.DATA, encode(Packet(Kind.DATA, "x", (np.arange(3.0),))))
    >>> FrameReader().read(frames.__next__).arrays[0].tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(self) -> None:
        self._number = 0

    def frames(self, kind: Kind, body: bytes) -> Iterator[bytearray]:
        """The frames of an encoded message, each of at most `FRAME` bytes."""
        for offset in range(0, len(body), _BODY):
            yield self._frame(kind, len(body), offset, body[offset : offset + _BODY])

    def _frame(self, kind: Kind, total: int, offset: int, part: bytes) -> bytearray:
        fields = MAGIC, VERSION, kind, self._number, total, offset, len(part)
        checksum = crc32(part, crc32(_HEADER.pack(*fields, 0)))
        self._number += 1
        return bytearray(_HEADER.pack(*fields, checksum)) + part


class FrameReader:
    """Puts the frames of one direction of one link together again.

    Parameters
    ----------
    max_bytes : int
        Of a message.
    """

    def __init__(self, max_bytes: int = 1 << 32) -> None:
        self.max_bytes = max_bytes
        self._number = 0

    def read(self, receive: Callable[[], Any]) -> Packet:
        """The next message.

        Parameters
        ----------
        receive : callable
            Returns the next frame, as bytes that may be followed by others.

        Raises
        ------
        FrameError
            If a frame is none, is not the next, is damaged, or the message is too large or describes what it is not.
        """
        body = bytearray()
        first: tuple[int, int] | None = None
        while first is None or len(body) < first[1]:
            kind, total, part = self._check(memoryview(receive()), len(body))
            if first not in (None, (kind, total)):
                raise FrameError("another message begins within a message")
            first = kind, total
            body += part
        return _decode(Kind(first[0]), bytes(body))

    def _check(self, frame: memoryview, received: int) -> tuple[int, int, memoryview]:
        """Kind, total length and content of a frame."""
        if len(frame) < _HEADER.size:
            raise FrameError(f"a frame of {len(frame)} bytes has no header")
        magic, version, kind, number, total, offset, length, checksum = _HEADER.unpack_from(frame)
        if magic != MAGIC:
            raise FrameError("what came is no message of covey")
        if version != VERSION:
            raise FrameError(f"the message has version {version}, this covey speaks {VERSION}")
        if number != self._number:
            raise FrameError(f"frame {number} came where {self._number} was due")
        if total > self.max_bytes:
            raise FrameError(f"a message of {total:,} bytes exceeds the limit of {self.max_bytes:,}")
        if kind not in _KINDS or offset != received or length != min(total - offset, _BODY) or not length > 0:
            raise FrameError("the header of a frame contradicts itself")
        part = frame[_HEADER.size : _HEADER.size + length]
        header = _HEADER.pack(magic, version, kind, number, total, offset, length, 0)
        if len(part) != length or crc32(part, crc32(header)) != checksum:
            raise FrameError("a frame is truncated or damaged")
        self._number += 1
        return kind, total, part


def encode(packet: Packet) -> bytes:
    """Length of the description, the description, and the arrays one after another.

    Raises
    ------
    TypeError
        If an array has a dtype that other machines may not know.
    ValueError
        If there are too many arrays.
    """
    arrays = [array.astype(array.dtype.newbyteorder("<"), order="C", copy=False) for array in packet.arrays]
    for array in arrays:
        if array.dtype.str not in _DTYPES:
            raise TypeError(f"message {packet.text!r}: dtype {array.dtype} cannot be sent to another machine")
    layout = [[array.dtype.str, list(array.shape)] for array in arrays]
    description = json.dumps([packet.text, layout]).encode()
    if len(description) > _MOST_DESCRIPTION:
        raise ValueError(f"message {packet.text[:40]!r}: {len(arrays)} arrays are too many for one message")
    return b"".join([_LENGTH.pack(len(description)), description, *(array.tobytes() for array in arrays)])


def _decode(kind: Kind, body: bytes) -> Packet:
    if len(body) < _LENGTH.size:
        raise FrameError("a message has no description")
    (length,) = _LENGTH.unpack_from(body)
    start = _LENGTH.size + length
    if length > _MOST_DESCRIPTION or start > len(body):
        raise FrameError("a message has no description")
    text, layout = _description(body[_LENGTH.size : start])
    sizes = [np.dtype(dtype).itemsize * prod(shape) for dtype, shape in layout]
    if start + sum(sizes) != len(body):
        raise FrameError(f"a message describes {sum(sizes):,} bytes and brings {len(body) - start:,}")
    arrays = []
    for (dtype, shape), size in zip(layout, sizes):
        array = np.frombuffer(body, dtype, prod(shape), start).reshape(shape).copy()  # the copy is aligned
        array.flags.writeable = False
        arrays.append(array)
        start += size
    return Packet(kind, text, tuple(arrays))


def _description(encoded: bytes) -> tuple[str, Sequence[tuple[str, Sequence[int]]]]:
    """Text and the dtype and shape of each array, checked."""
    try:
        text, layout = json.loads(encoded)
        layout = [(str(dtype), tuple(shape)) for dtype, shape in layout]
    except (ValueError, TypeError, RecursionError):
        raise FrameError("the description of a message is not readable") from None
    for dtype, shape in layout:
        if dtype not in _DTYPES:
            raise FrameError(f"a message holds the dtype {dtype[:20]!r}")
        if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
            raise FrameError("a message holds an array of no possible shape")
    if not isinstance(text, str):
        raise FrameError("the description of a message is not readable")
    return text, layout
