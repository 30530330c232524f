"""Pearson correlation, pairwise-complete."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, numeric_pair, register
from covey.measure._moments import ProductKernel


def pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Pearson correlation of two complete columns, by the definition.

    Returns
    -------
    float
        In -1..1; NaN when a column is constant.

    References
    ----------
    Pearson (1895), Notes on regression and inheritance in the case of two parents, Proc. R. Soc. Lond. 58.

    Examples
    --------
    >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])), 6)
    1.0
    """
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    a, b = x - x.mean(), y - y.mean()
    return float(np.clip(a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b)), -1.0, 1.0))


PEARSON = ProductKernel("value")
register(Measure("pearson", "linear dependence of two numbers", pearson, PEARSON, numeric_pair, signed=True))
