"""Gradients that others can add up but not read: Paillier ciphertexts by the package phe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEP = 2.0**-20  # gradients are multiples of it, so that sums of integers are sums of floats, exactly
_SHIFT = 64  # bits that the sum of hessians may take
_OFFSET = 1 << 34  # makes every gradient positive
_LEAST_BITS = 256


def rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The nearest multiples of 2^-20, as float32.

    Examples
    --------
    >>> float(rounded(np.array([0.1]))[0] * 2**20)
    104858.0
    """
    return (np.round(values / _STEP) * _STEP).astype(np.float32)


class GradientKey:
    """The label holder's key pair.

    A ciphertext holds gradient and hessian of one row and output. Whoever has the public key can add ciphertexts up;
    only the holder of this key can read the sums.

    Parameters
    ----------
    bits : int
        At least 256; 2048 or more protects.

    Raises
    ------
    ImportError
        If phe is not there.
    ValueError
        If `bits` is too small.

    References
    ----------
    Paillier (1999), Public-Key Cryptosystems Based on Composite Degree Residuosity Classes. EUROCRYPT.

    Examples
    --------
    >>> key = GradientKey(256)
    >>> sent = key.encrypt(np.array([[0.5], [-0.25]], dtype=np.float32), np.array([[1.0], [2.0]], dtype=np.float32))
    >>> sums = EncryptedGradients(key.public, sent)
    >>> codes, slots = np.zeros((2, 1), dtype=np.uint8), np.zeros((1, 2), dtype=np.int32)
    >>> counts, ciphertexts = sums.histograms(codes, slots, np.zeros(1, dtype=np.int32), 1, 2)
    >>> key.decrypt(counts, ciphertexts)[0, 0, 0].tolist()
    [0.25, 3.0, 2.0]
    """

    def __init__(self, bits: int) -> None:
        if bits < _LEAST_BITS:
            raise ValueError(f"key_bits must be at least {_LEAST_BITS}, got {bits}")
        self._public, self._private = _phe().generate_paillier_keypair(n_length=bits)
        self._width = _width(self._public.n)

    @property
    def public(self) -> NDArray[np.uint8]:
        """The public key as bytes."""
        return _to_bytes([self._public.n], self._width).reshape(-1)

    def encrypt(self, gradient: NDArray[np.float32], hessian: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Ciphertexts of multiples of 2^-20, shape (n, n_outputs, width), uint8.

        Raises
        ------
        ValueError
            If a gradient is 16,384 or more.
        """
        if gradient.size and np.abs(gradient).max() >= _OFFSET * _STEP:
            raise ValueError("a gradient is too large to encrypt; scale the labels")
        g = np.round(gradient.astype(np.float64).ravel() / _STEP).astype(np.int64).tolist()
        h = np.round(hessian.astype(np.float64).ravel() / _STEP).astype(np.int64).tolist()
        packed = [self._public.raw_encrypt(((a + _OFFSET) << _SHIFT) + b) for a, b in zip(g, h)]
        return _to_bytes(packed, self._width).reshape(*gradient.shape, self._width)

    def decrypt(self, counts: NDArray[np.int32], ciphertexts: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Sums of gradient, hessian and rows of every cell, one more axis of 3 than `counts`."""
        out = np.zeros((*counts.shape, 3))
        out[..., 2] = counts
        used = np.flatnonzero(counts)
        flat = out.reshape(-1, 3)
        for cell, ciphertext in zip(used.tolist(), _from_bytes(ciphertexts)):
            total = self._private.raw_decrypt(ciphertext)
            flat[cell, 0] = ((total >> _SHIFT) - _OFFSET * int(counts.flat[cell])) * _STEP
            flat[cell, 1] = (total & ((1 << _SHIFT) - 1)) * _STEP
        return out


class EncryptedGradients:
    """What another party can do with encrypted gradients: add them up.

    Parameters
    ----------
    public : ndarray of uint8
        From `GradientKey.public`.
    ciphertexts : ndarray of shape (n, n_outputs, width), uint8
    """

    def __init__(self, public: NDArray[np.uint8], ciphertexts: NDArray[np.uint8]) -> None:
        n = int.from_bytes(public.tobytes(), "big")
        self._modulus = n * n
        self._width = _width(n)
        self._values = _from_bytes(ciphertexts.reshape(-1, ciphertexts.shape[-1]))
        self._n_outputs = ciphertexts.shape[1]

    def histograms(
        self,
        codes: NDArray[np.uint8],
        slots: NDArray[np.int32],
        target: NDArray[np.int32],
        n_targets: int,
        n_bins: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Rows, and encrypted sums where there are rows, by node, column and bin.

        Parameters
        ----------
        codes, slots, target, n_targets, n_bins
            As for `covey.partition._tree_kernels.add_histograms`.

        Returns
        -------
        counts : ndarray of shape (n_targets, n_columns, n_bins), int32
        ciphertexts : ndarray of shape (n_cells_in_use, width), uint8
        """
        n_columns = codes.shape[1]
        counts = np.zeros((n_targets, n_columns, n_bins), dtype=np.int32)
        sums: dict[tuple[int, int, int], int] = {}
        inside = (slots >= 0) & (target[slots] >= 0)
        for c, r in np.argwhere(inside).tolist():
            value = self._values[r * self._n_outputs + c]
            t = int(target[slots[c, r]])
            for j, code in enumerate(codes[r].tolist()):
                cell = t, j, code
                counts[cell] += 1
                before = sums.get(cell)
                sums[cell] = value if before is None else before * value % self._modulus
        return counts, _to_bytes([sums[cell] for cell in sorted(sums)], self._width)


def _phe() -> Any:
    try:
        from phe import paillier
    except ImportError:
        raise ImportError("encryption='paillier' needs the package phe: pip install 'covey[secure]'") from None
    return paillier


def _width(n: int) -> int:
    """Bytes of a ciphertext, a number below n squared."""
    return ((n * n).bit_length() + 7) // 8


def _to_bytes(values: list[int], width: int) -> NDArray[np.uint8]:
    raw = b"".join(value.to_bytes(width, "big") for value in values)
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(values), width)


def _from_bytes(rows: NDArray[np.uint8]) -> list[int]:
    return [int.from_bytes(row.tobytes(), "big") for row in rows]
