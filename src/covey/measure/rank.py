"""Spearman correlation: the Pearson correlation of ranks, each column ranked once over its present rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, numeric_pair, register
from covey.measure._moments import ProductKernel
from covey.measure.pearson import pearson


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman rank correlation of two complete columns, by the definition; ties share their mean rank.

    With missing values `associate` ranks each column once over its own present rows; the measure
    ``"spearman_pairwise"`` ranks again on the common rows of every pair, as pandas does.

    Returns
    -------
    float
        In -1..1; NaN when a column is constant.

    References
    ----------
    Spearman (1904), The proof and measurement of association between two things, Am. J. Psychol. 15.

    Examples
    --------
    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0])), 6)
    1.0
    """
    return pearson(_ranks(x), _ranks(y))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    less = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1)
    return less + (equal + 1) / 2.0


SPEARMAN = ProductKernel("rank")
register(Measure("spearman", "monotone dependence of two numbers", spearman, SPEARMAN, numeric_pair, signed=True))
