"""Rows of numbers in fewer bytes: the largest entries of each, or a few bits a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from covey.partition._channel import Shape

Rows = NDArray[np.float32]
Arrays = tuple[NDArray, ...]


class Compressor(Protocol):
    """What a message of rows, shape (n_rows, n_values), becomes, and what goes back for its gradient."""

    def pack(self, rows: Rows) -> Arrays:
        """The arrays to send."""

    def unpack(self, packed: Arrays, shape: tuple[int, int]) -> Rows:
        """The rows that those arrays stand for."""

    def layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        """Shapes and dtypes of the arrays that `pack` makes of rows of this shape."""

    def pack_gradient(self, gradient: Rows, packed: Arrays, generator: np.random.Generator) -> Arrays:
        """The arrays to send back to the party whose message was `packed`."""

    def unpack_gradient(self, back: Arrays, packed: Arrays, shape: tuple[int, int]) -> Rows:
        """The gradient that those arrays stand for, at the party that has sent `packed`."""

    def gradient_layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        """Shapes and dtypes of the arrays that `pack_gradient` makes."""


@dataclass(frozen=True)
class Uncompressed:
    """Four bytes a value, both ways."""

    def pack(self, rows: Rows) -> Arrays:
        return (rows,)

    def unpack(self, packed: Arrays, shape: tuple[int, int]) -> Rows:
        return packed[0]

    def layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        return [shape], [np.float32]

    def pack_gradient(self, gradient: Rows, packed: Arrays, generator: np.random.Generator) -> Arrays:
        return (gradient,)

    def unpack_gradient(self, back: Arrays, packed: Arrays, shape: tuple[int, int]) -> Rows:
        return back[0]

    def gradient_layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        return self.layout(shape)


@dataclass(frozen=True)
class TopK:
    """The entries of each row that are largest in absolute value; the others become 0.

    Values travel in four bytes, positions in one for rows of at most 256 values and else in two or four. The gradient
    goes back at the kept positions alone, which both ends know: it is the exact derivative, since the others were not
    used, and costs four bytes an entry.

    Parameters
    ----------
    keep : float
        Share of the entries that are kept, above 0 and at most 1; at least one entry is.

    Examples
    --------
    >>> rows = np.array([[3.0, -1.0, 0.5, -4.0]], dtype=np.float32)
    >>> compressor = TopK(0.5)
    >>> compressor.unpack(compressor.pack(rows), rows.shape).tolist()
    [[3.0, 0.0, 0.0, -4.0]]
    """

    keep: float

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise ValueError(f"keep must be a share above 0 and at most 1, got {self.keep}")

    def pack(self, rows: Rows) -> Arrays:
        n_kept, position = self._n_kept(rows.shape[1]), _position_type(rows.shape[1])
        kept = np.argpartition(np.abs(rows), -n_kept, axis=1)[:, -n_kept:]
        return kept.astype(position), np.take_along_axis(rows, kept, axis=1)

    def unpack(self, packed: Arrays, shape: tuple[int, int]) -> Rows:
        return _scattered(packed[0], packed[1], shape)

    def layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        kept = shape[0], self._n_kept(shape[1])
        return [kept, kept], [_position_type(shape[1]), np.float32]

    def pack_gradient(self, gradient: Rows, packed: Arrays, generator: np.random.Generator) -> Arrays:
        return (np.take_along_axis(gradient, packed[0].astype(np.intp), axis=1),)

    def unpack_gradient(self, back: Arrays, packed: Arrays, shape: tuple[int, int]) -> Rows:
        return _scattered(packed[0], back[0], shape)

    def gradient_layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        return [(shape[0], self._n_kept(shape[1]))], [np.float32]

    def _n_kept(self, n_values: int) -> int:
        return max(1, round(self.keep * n_values))


@dataclass(frozen=True)
class Quantiser:
    """Each value as one of ``2**bits`` levels, evenly spaced from the smallest to the largest value of the message.

    A value moves by at most half a level. Values are packed without gaps: the message has
    ``ceil(n_values * bits / 8)`` bytes, and eight for its range. Gradients go back in the same way, with their own
    range, as if rounding had the derivative 1; they are rounded up or down at random, so that they are right on average
    even where all are small beside the largest.

    Parameters
    ----------
    bits : int
        1..16.

    Examples
    --------
    >>> rows = np.array([[0.0, 0.4, 0.6, 3.0]], dtype=np.float32)
    >>> compressor = Quantiser(2)
    >>> packed = compressor.pack(rows)
    >>> packed[0].nbytes, compressor.unpack(packed, rows.shape).tolist()
    (1, [[0.0, 0.0, 1.0, 3.0]])
    """

    bits: int

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int | np.integer) or not 1 <= self.bits <= 16:
            raise ValueError(f"bits must be a whole number from 1 to 16, got {self.bits!r}")

    def pack(self, rows: Rows) -> Arrays:
        return self._pack(rows, 0.5)

    def unpack(self, packed: Arrays, shape: tuple[int, int]) -> Rows:
        codes = _unpacked_bits(packed[0], self.bits, shape[0] * shape[1])
        low, high = packed[1].astype(np.float64)
        return (low + codes * ((high - low) / self._n_steps)).astype(np.float32).reshape(shape)

    def layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        return [(-(-shape[0] * shape[1] * self.bits // 8),), (2,)], [np.uint8, np.float32]

    def pack_gradient(self, gradient: Rows, packed: Arrays, generator: np.random.Generator) -> Arrays:
        return self._pack(gradient, generator.random(gradient.shape, dtype=np.float32))

    def unpack_gradient(self, back: Arrays, packed: Arrays, shape: tuple[int, int]) -> Rows:
        return self.unpack(back, shape)

    def gradient_layout(self, shape: tuple[int, int]) -> tuple[list[Shape], list[type]]:
        return self.layout(shape)

    def _pack(self, rows: Rows, up: Rows | float) -> Arrays:
        """Codes rounded up where their fraction and `up` make one; in float64, which no range of float32 overflows."""
        low, high = float(rows.min()), float(rows.max())
        scale = self._n_steps / (high - low) if high > low else 0.0
        codes = np.minimum((rows.astype(np.float64) - low) * scale + up, self._n_steps)
        return _packed_bits(codes.astype(np.uint16).ravel(), self.bits), np.array([low, high], dtype=np.float32)

    @property
    def _n_steps(self) -> int:
        return 2**self.bits - 1


def _scattered(positions: NDArray, values: Rows, shape: tuple[int, int]) -> Rows:
    if positions.size and positions.max() >= shape[1]:
        raise ValueError(f"an entry has position {positions.max()}, but rows have {shape[1]} values")
    rows = np.zeros(shape, dtype=np.float32)
    np.put_along_axis(rows, positions.astype(np.intp), values, axis=1)
    return rows


def _position_type(n_values: int) -> type:
    return np.uint8 if n_values <= 2**8 else np.uint16 if n_values <= 2**16 else np.uint32


def _packed_bits(codes: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """The lowest bits of each code, one after another, the last byte filled up with zeros."""
    each = np.unpackbits(codes.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    return np.packbits(each[:, 16 - bits :])


def _unpacked_bits(packed: NDArray[np.uint8], bits: int, n_codes: int) -> NDArray[np.uint32]:
    """The codes again; each lies in three bytes in a row, for it has at most 16 bits and starts in the first."""
    start = np.arange(n_codes, dtype=np.uint32) * np.uint32(bits)
    padded = np.concatenate([packed, np.zeros(2, dtype=np.uint8)]).astype(np.uint32)
    byte = start >> 3
    window = padded[byte] << 16 | padded[byte + 1] << 8 | padded[byte + 2]
    return window >> (24 - bits - (start & 7)) & (2**bits - 1)
