"""Association with categories: Cramer's V and the correlation ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._measure import NUMBERS, Measure, PairStatistics, any_pair, mixed_pair, register
from covey.measure._moments import centre_and_scale, spread_rows
from covey.measure._null import chi2_pvalue, f_pvalue
from covey.measure._store import ColumnStore
from covey.measure._tables import Side, TableKernel
from covey.table import Column


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


class GroupedState:
    """Sums of numbers within the categories of one column, mergeable.

    Parameters
    ----------
    n_categories : int
    shift, scale : ndarray of shape (n_numbers,)
        Subtracted from and divided out of every number first.
    """

    def __init__(self, n_categories: int, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        shape = max(n_categories, 1), len(shift)
        self.shift, self.scale = shift, scale
        self.size, self.sums, self.squares = np.zeros(shape), np.zeros(shape), np.zeros(shape[1])

    def update(self, codes: NDArray[np.int32], numbers: NDArray[np.float64]) -> Self:
        """Add rows: `codes` of shape (n_rows,), -1 missing; `numbers` of shape (n_rows, n_numbers), NaN missing."""
        from scipy.sparse import csr_array

        rows = np.flatnonzero(codes >= 0)
        z = (numbers[rows] - self.shift) / self.scale
        present = ~np.isnan(z)
        z[~present] = 0.0
        one_hot = csr_array(
            (np.ones(len(rows)), (codes[rows], np.arange(len(rows)))), shape=(len(self.size), len(rows))
        )
        self.size += one_hot @ present.astype(np.float64)
        self.sums += one_hot @ z
        self.squares += (z * z).sum(axis=0)
        return self

    def merge(self, other: Self) -> Self:
        """Add another state over the same columns."""
        self.size += other.size
        self.sums += other.sums
        self.squares += other.squares
        return self

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """(correlation ratio, n, p-value of the F test), each of shape (n_numbers,)."""
        count = self.size.sum(axis=0)
        groups = np.count_nonzero(self.size, axis=0).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            common = self.sums.sum(axis=0) ** 2 / count
            between = (self.sums**2 / np.where(self.size > 0, self.size, np.inf)).sum(axis=0) - common
            total = self.squares - common
            defined = (total > 1e-13 * self.squares) & (groups > 1)  # above the rounding of a constant column
            ratio = np.where(defined, np.clip(between / np.where(defined, total, 1.0), 0.0, 1.0), np.nan)
            f = (ratio / (groups - 1)) / ((1 - ratio) / (count - groups))
        return np.sqrt(ratio), count.astype(np.int64), f_pvalue(f, groups - 1, count - groups)


def number_and_category(
    columns: Sequence[Column], left: NDArray[np.intp], right: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which side of each pair is the number and which the category; of two booleans the left one is the number."""
    numeric = np.array([column.kind in NUMBERS for column in columns])
    coded = np.array([column.is_coded for column in columns])
    forward = numeric[left] & coded[right]
    return np.where(forward, left, right), np.where(forward, right, left)


class GroupedKernel:
    """Correlation ratios of many pairs: for each column of categories, the sums of all numbers asked with it."""

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        number, category = number_and_category(store.columns, left, right)

        def run(j: np.intp) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
            column = store.columns[j]
            numbers = np.stack([store.numbers(int(k)) for k in number[category == j]], axis=1)
            state = GroupedState(len(column.categories or ()), *centre_and_scale(spread_rows(numbers)))
            return state.update(column.values, numbers).result()

        used = np.unique(category)
        return collect_grouped(category, used, engine.map(run, list(used)), pvalues)


def collect_grouped(
    category: NDArray[np.intp],
    used: Sequence[np.intp] | NDArray[np.intp],
    results: Sequence[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]],
    pvalues: bool,
) -> PairStatistics:
    """Results of the columns of categories `used`, put into the order of the pairs."""
    values, n, p = (
        np.full(len(category), np.nan),
        np.zeros(len(category), dtype=np.int64),
        np.full(len(category), np.nan),
    )
    for j, (value, rows, probability) in zip(used, results):
        members = category == j
        values[members], n[members], p[members] = value, rows, probability
    return PairStatistics(values, n, p if pvalues else None)


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
        GroupedKernel(),
        mixed_pair,
    )
)
