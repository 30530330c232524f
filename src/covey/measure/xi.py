"""Chatterjee's xi: how much of one column is a function of another, in O(n log n) a pair."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._null import normal_pvalue
from covey.measure._pairs import PairKernel, from_module


def chatterjee_xi(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """How well `x` determines `y`: Chatterjee's xi of two complete columns, by the definition.

    The paper breaks ties of `x` at random; here the value is the expectation over all such orders, so that it needs no
    seed and does not depend on the order of the rows. P-values are those of the paper for one random order; as the
    expectation varies less, they are too large (safe) where `x` has many ties.

    Returns
    -------
    float
        At most 1 (`y` is a function of `x`), about 0 under independence (and possibly negative); NaN when `y` is
        constant.

    References
    ----------
    Chatterjee (2021), A new coefficient of correlation, J. Am. Stat. Assoc. 116.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 201)
    >>> round(chatterjee_xi(x, x**2), 2), round(chatterjee_xi(x**2, x), 2)
    (0.97, -0.23)
    """
    n = len(x)
    r = (y[:, None] >= y[None, :]).sum(axis=1)
    l = (y[:, None] <= y[None, :]).sum(axis=1)
    scale = np.sum(l * (n - l))
    if scale == 0:
        return float("nan")
    groups = [r[x == value] for value in np.unique(x)]
    steps = 0.0
    for group in groups:
        steps += np.abs(group[:, None] - group[None, :]).sum() / len(group)
    for a, b in itertools.pairwise(groups):
        steps += np.abs(a[:, None] - b[None, :]).mean()
    return float(1.0 - n * steps / (2.0 * scale))


def _finish(sums: NDArray[np.float64], pvalues: bool) -> PairStatistics:
    n, steps, scale, tied, variance = sums.T
    value = np.where(scale > 0, 1.0 - n * steps / (2.0 * scale), np.nan)
    if not pvalues:
        return PairStatistics(value, n.astype(np.int64))
    variance = np.where(tied > 0, variance, 0.4)  # 2/5 exactly when y has no ties
    z = np.sqrt(n) * value / np.sqrt(np.where(variance > 0, variance, np.nan))
    return PairStatistics(value, n.astype(np.int64), normal_pvalue(z, "greater"))


register(
    Measure(
        "chatterjee_xi",
        "how much of the right column is a function of the left one, of any shape",
        chatterjee_xi,
        PairKernel(from_module("covey.measure._pair_kernels", "xi_sums"), _finish),
        numeric_pair,
        symmetric=False,
    )
)
