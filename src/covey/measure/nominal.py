"""Association with categories: Cramer's V and the correlation ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._measure import NUMBERS, Measure, PairStatistics, any_pair, mixed_pair, register
from covey.measure._null import chi2_pvalue, f_pvalue
from covey.measure._store import ColumnStore
from covey.measure._tables import Side, TableKernel


def equal_count_bins(n_rows: int) -> int:
    """Bins of a column of numbers in tables that are read as categories: the cube root of n, 2 to 16."""
    return int(np.clip(round(n_rows ** (1 / 3)), 2, 16))


def cramers_v(x: NDArray, y: NDArray) -> float:
    """Bias-corrected Cramer's V of two complete columns of codes, by the definition.

    `associate` also takes numbers, cut into `equal_count_bins`.

    Parameters
    ----------
    x, y : ndarray of shape (n,), integer

    Returns
    -------
    float
        In 0..1; NaN when a column is constant.

    References
    ----------
    Bergsma (2013), A bias-correction for Cramer's V and Tschuprow's T, J. Korean Stat. Soc. 42.

    Examples
    --------
    >>> x = np.repeat([0, 1, 2], 20)
    >>> round(cramers_v(x, x), 6)
    1.0
    """
    _, rows = np.unique(x, return_inverse=True)
    _, columns = np.unique(y, return_inverse=True)
    r, k, n = rows.max() + 1, columns.max() + 1, len(x)
    if min(r, k) < 2:
        return float("nan")
    table = np.zeros((r, k))
    np.add.at(table, (rows, columns), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi2 = np.sum((table - expected) ** 2 / expected) / n
    corrected = max(0.0, phi2 - (r - 1) * (k - 1) / (n - 1))
    size = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(corrected / size))) if size > 0 else float("nan")


def chi_square(
    tables: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pearson's chi-square of a batch of joint tables, with n and the numbers of occupied rows and columns."""
    row, column = tables.sum(axis=2), tables.sum(axis=1)
    n = row.sum(axis=1)
    inverse_row, inverse_column = (1.0 / np.maximum(side, 1.0) for side in (row, column))  # empty levels add nothing
    share = np.einsum("pkl,pkl,pk,pl->p", tables, tables, inverse_row, inverse_column, optimize=True)
    chi2 = np.maximum(n * (share - 1.0), 0.0)
    return (
        chi2,
        n,
        np.count_nonzero(row, axis=1).astype(float),
        np.count_nonzero(column, axis=1).astype(float),
    )


def _reduce_cramers_v(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    chi2, n, r, k = chi_square(tables)
    corrected = np.maximum(0.0, chi2 / n - (r - 1) * (k - 1) / (n - 1))
    size = np.minimum(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    defined = (r > 1) & (k > 1) & (size > 0)
    value = np.where(defined, np.minimum(1.0, np.sqrt(corrected / np.where(defined, size, 1.0))), np.nan)
    p = np.where(defined, chi2_pvalue(chi2, (r - 1) * (k - 1)), np.nan) if pvalues else None
    return PairStatistics(value, n.astype(np.int64), p)


def correlation_ratio(x: NDArray, y: NDArray) -> float:
    """Correlation ratio of a column of numbers and one of codes, both complete, by the definition.

    The root of the share of the numbers' variance that lies between categories; which side holds the numbers is told by
    the dtype. Not corrected for the number of categories; its p-value (F test) is.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        One float, one integer.

    Returns
    -------
    float
        In 0..1; NaN when a column is constant.

    References
    ----------
    Fisher (1925), Statistical Methods for Research Workers, ch. VII-VIII.

    Examples
    --------
    >>> correlation_ratio(np.array([1.0, 1.0, 5.0, 5.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    numbers, codes = (x, y) if np.issubdtype(x.dtype, np.floating) else (y, x)
    centred = numbers - numbers.mean()
    total = np.sum(centred**2)
    groups = np.unique(codes)
    if total <= 0 or len(groups) < 2:
        return float("nan")
    between = sum(np.sum(codes == g) * centred[codes == g].mean() ** 2 for g in groups)
    return float(min(1.0, np.sqrt(between / total)))


class GroupedMomentsKernel:
    """Sums of numbers within categories for many pairs: one sparse product for each column of categories."""

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        numeric = np.array([column.kind in NUMBERS for column in store.columns])
        coded = np.array([column.is_coded for column in store.columns])
        # a boolean can be either side; of two booleans, the left one is the number
        forward = numeric[left] & coded[right]
        number, category = np.where(forward, left, right), np.where(forward, right, left)
        values, n = np.full(len(left), np.nan), np.zeros(len(left), dtype=np.int64)
        p = np.full(len(left), np.nan)

        def run(j: np.intp) -> None:
            members = np.flatnonzero(category == j)
            value, rows, probability = _between(store, int(j), number[members])
            values[members], n[members], p[members] = value, rows, probability

        engine.map(run, list(np.unique(category)))
        return PairStatistics(values, n, p if pvalues else None)


def _between(
    store: ColumnStore, j: int, numbers: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """(correlation ratio, n, p-value) of category column `j` with each of the columns `numbers`."""
    from scipy.sparse import csr_array

    codes = store.columns[j].values
    rows = np.flatnonzero(codes >= 0)
    categories = store.columns[j].categories or ()
    one_hot = csr_array(
        (np.ones(len(rows)), (codes[rows], np.arange(len(rows)))), shape=(max(len(categories), 1), len(rows))
    )
    x = np.stack([store.numbers(int(k))[rows] for k in numbers], axis=1)
    present = ~np.isnan(x)
    count = present.sum(axis=0)
    safe = np.maximum(count, 1)
    mean = np.where(present, x, 0.0).sum(axis=0) / safe
    centred = np.where(present, x - mean, 0.0)
    sums = one_hot @ centred
    size = one_hot @ present.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.where(size > 0, sums**2 / np.maximum(size, 1), 0.0).sum(axis=0) - (centred.sum(axis=0) ** 2 / safe)
        total = (centred**2).sum(axis=0)
        groups = np.count_nonzero(size, axis=0).astype(float)
        scale = (mean**2 + 1e-300) * safe
        defined = (total > 1e-26 * scale) & (groups > 1)
        ratio = np.where(defined, np.clip(between / np.where(defined, total, 1.0), 0.0, 1.0), np.nan)
        f = (ratio / (groups - 1)) / ((1 - ratio) / (count - groups))
    return np.sqrt(ratio), count.astype(np.int64), f_pvalue(f, groups - 1, count - groups)


register(
    Measure(
        "cramers_v",
        "dependence of two columns of categories (numbers are binned), corrected for bias",
        cramers_v,
        TableKernel(_reduce_cramers_v, equal_count_bins, "rank"),
        any_pair,
    )
)
register(
    Measure(
        "correlation_ratio",
        "share of a number's spread that lies between categories (its root)",
        correlation_ratio,
        GroupedMomentsKernel(),
        mixed_pair,
    )
)
