"""Operators of formulas that look back in time: ``diff_5(x)``, ``shift_5(x)``, ``win_5(x)`` and ``sum_5(x)``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from covey.generate.operators import Operator, register

Array = NDArray[np.float64]

DIFFERENCE, SHIFT, MEAN, SUM, MINUS, SQUARE, OTHER = range(7)  # how the kernels know them


def along_rows(kernel: str, x: Array, k: int, *options: bool) -> Array:
    """A kernel on each column of an array whose first axis is time.

    Examples
    --------
    >>> along_rows("difference", np.array([1.0, 4.0, 9.0]), 1)
    array([nan,  3.,  5.])
    """
    from covey.generate import _series_kernels

    if k < 1:
        raise ValueError(f"a difference, shift or window needs at least 1 row, not {k}")
    shape = np.shape(x)
    columns = np.ascontiguousarray(np.reshape(x, (shape[0], math.prod(shape[1:]))).T, dtype=np.float64)
    out = np.empty_like(columns)
    for column, found in zip(columns, out, strict=True):
        getattr(_series_kernels, kernel)(column, k, *options, found)
    return out.T.reshape(shape)


def _register(name: str, apply: Callable[[Array, int], Array], lag: Callable[[int], int]) -> None:
    register(Operator(name, ("numeric",), "numeric", apply, n_parameters=1, lag=lag, row_wise=False))


_register("diff", lambda x, k: along_rows("difference", x, k), lambda k: k)
_register("shift", lambda x, k: along_rows("shift", x, k), lambda k: k)
_register("win", lambda x, k: along_rows("window", x, k, True), lambda k: k - 1)
_register("sum", lambda x, k: along_rows("window", x, k, False), lambda k: k - 1)
