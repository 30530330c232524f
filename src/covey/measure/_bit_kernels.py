"""The numba kernel behind `covey.measure.binary`; in its own module so that numba loads only when used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray


@intrinsic
def popcount(typing_context: Any, word: Any) -> tuple[Any, Any]:
    """Number of set bits of a 64-bit word, by the processor's own instruction."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


@njit(nogil=True, cache=True)
def count_common_bits(left: NDArray[np.uint64], right: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    """Write to ``out[i, j]`` the number of bits set in both row `i` of `left` and row `j` of `right`."""
    for i in range(left.shape[0]):
        for j in range(right.shape[0]):
            total = np.uint64(0)
            for w in range(left.shape[1]):
                total += popcount(left[i, w] & right[j, w])
            out[i, j] = total
