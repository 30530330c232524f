"""Mutual information and Theil's U from joint tables; numbers are cut into bins of equal count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from covey.measure._measure import Measure, PairStatistics, any_pair, register
from covey.measure._null import chi2_pvalue
from covey.measure._tables import Side, TableKernel
from covey.measure.nominal import chi_square, equal_count_bins


def entropy(codes: NDArray) -> float:
    """Entropy of a complete column of codes in nats (plug-in)."""
    _, counts = np.unique(codes, return_counts=True, axis=0)
    p = counts / counts.sum()
    return float(-np.sum(p * np.log(p)))


def mutual_information(x: NDArray, y: NDArray) -> float:
    """Mutual information of two complete columns of codes in nats, corrected for cardinality, by the definition.

    The plug-in value less its leading bias, (cells - rows - columns + 1) / 2n over what is occupied (Miller and
    Madow), and at least 0.

    Parameters
    ----------
    x, y : ndarray of shape (n,), integer

    Returns
    -------
    float
        At least 0, at most about the smaller entropy; NaN when a column is constant.

    References
    ----------
    Miller (1955), Note on the bias of information estimates, Information Theory in Psychology.

    Examples
    --------
    >>> x = np.repeat([0, 1], 500)
    >>> round(mutual_information(x, x), 3)
    0.694
    """
    cells = np.stack([x, y], axis=1)
    k, r, c = (len(np.unique(a, axis=0)) for a in (cells, x, y))
    if min(r, c) < 2:
        return float("nan")
    plug_in = entropy(x) + entropy(y) - entropy(cells)
    return max(0.0, plug_in - (k - r - c + 1) / (2 * len(x)))


def theils_u(x: NDArray, y: NDArray) -> float:
    """Share of the entropy of `y` that knowing `x` removes, for complete columns of codes, by the definition.

    Both entropies carry the Miller-Madow correction, so that a column of many rare codes does not seem to know all.

    Parameters
    ----------
    x, y : ndarray of shape (n,), integer

    Returns
    -------
    float
        In 0..1: 0 when independent, 1 when `x` determines `y`; NaN when a column is constant.

    References
    ----------
    Theil (1970), On the estimation of relationships involving qualitative variables, Am. J. Sociol. 76.

    Examples
    --------
    >>> x = np.repeat([0, 1, 2, 3], 250)
    >>> round(theils_u(x, x // 2), 3), round(theils_u(x // 2, x), 3)
    (1.0, 0.5)
    """
    information = mutual_information(x, y)
    if np.isnan(information):
        return information
    size = entropy(y) + (len(np.unique(y)) - 1) / (2 * len(y))
    return min(1.0, information / size)


def _information(
    tables: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(corrected mutual information, corrected entropy of the right side, n) of a batch of tables."""
    row, column = tables.sum(axis=2), tables.sum(axis=1)
    n = row.sum(axis=1)
    log_n = np.log(n)

    def plug_in(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return log_n - xlogy(counts, counts).reshape(len(counts), -1).sum(axis=1) / n

    def occupied(counts: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.count_nonzero(counts.reshape(len(counts), -1), axis=1)

    r, c, k = occupied(row), occupied(column), occupied(tables)
    value = plug_in(row) + plug_in(column) - plug_in(tables) - (k - r - c + 1) / (2 * n)
    defined = (r > 1) & (c > 1)
    return (
        np.where(defined, np.maximum(value, 0.0), np.nan),
        plug_in(column) + (c - 1) / (2 * n),
        n,
    )


def _pvalues(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    chi2, _, r, k = chi_square(tables)
    return chi2_pvalue(chi2, (r - 1) * (k - 1))


def _reduce_mutual_information(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    value, _, n = _information(tables)
    return PairStatistics(value, n.astype(np.int64), _pvalues(tables) if pvalues else None)


def _reduce_theils_u(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    value, size, n = _information(tables)
    return PairStatistics(np.minimum(value / size, 1.0), n.astype(np.int64), _pvalues(tables) if pvalues else None)


register(
    Measure(
        "mutual_information",
        "information that two columns share, in nats, corrected for cardinality (numbers are binned)",
        mutual_information,
        TableKernel(_reduce_mutual_information, equal_count_bins, "rank"),
        any_pair,
    )
)
register(
    Measure(
        "theils_u",
        "share of the right column's entropy that the left one removes (numbers are binned)",
        theils_u,
        TableKernel(_reduce_theils_u, equal_count_bins, "rank"),
        any_pair,
        symmetric=False,
    )
)
