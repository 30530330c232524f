"""What single columns tell of classes: Fisher's score and binned mutual information, from sums over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine
from covey.measure._stream import sketch_columns
from covey.measure._tables import joint_tables
from covey.measure.information import _information as table_information
from covey.select._base import numeric_block, target_column
from covey.table import BlockSource, Column, FeatureTable

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_CELLS = 1 << 21  # values of a block of columns: 16 MB
_TABLE_CELLS = 1 << 17


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """What graph selectors need of single columns.

    Parameters
    ----------
    deviation : ndarray of shape (n_features,)
        Standard deviation (divided by n - 1) of the present rows.
    fisher : ndarray of shape (n_features,), optional
        Separation of the classes (`fisher_score`); infinite where each class has one value.
    information : ndarray of shape (n_features,), optional
        Mutual information with the classes in nats (`binned_information`).
    """

    deviation: Array
    fisher: Array | None = None
    information: Array | None = None


class ClassMoments:
    """Rows, means and sums of squared deviations of columns in each class; mergeable.

    Parameters
    ----------
    n_classes, n_columns : int

    Attributes
    ----------
    n, mean, square : ndarray of shape (n_classes, n_columns)
    """

    def __init__(self, n_classes: int, n_columns: int) -> None:
        self.n, self.mean, self.square = np.zeros((3, n_classes, n_columns))

    def update(self, x: Array, codes: Codes) -> Self:
        """Add rows, shape (n_rows, n_columns), NaN for missing, of the classes `codes`."""
        other = ClassMoments(*self.n.shape)
        for c in np.unique(codes):
            rows = x[codes == c]
            present = ~np.isnan(rows)
            other.n[c] = n = present.sum(axis=0)
            n = np.maximum(n, 1)
            rows[~present] = 0.0
            mean = rows.sum(axis=0) / n
            rows -= mean
            rows[~present] = 0.0
            shift = rows.sum(axis=0) / n  # what rounding of large values has left
            other.mean[c] = mean + shift
            other.square[c] = np.einsum("ij,ij->j", rows, rows) - n * shift**2
        return self.merge(other)

    def merge(self, other: Self | ClassMoments) -> Self:
        """Add the rows of another state."""
        n = self.n + other.n
        gap = other.mean - self.mean
        share = other.n / np.maximum(n, 1)
        self.square += other.square + gap**2 * self.n * share
        self.mean += gap * share
        self.n = n
        return self

    @property
    def total(self) -> tuple[Array, Array, Array]:
        """(rows, sum of squared deviations between classes, and within) of each column."""
        n = self.n.sum(axis=0)
        first = self.mean.max(axis=0)
        mean = first + (self.n * (self.mean - first)).sum(axis=0) / np.maximum(n, 1)
        return n, (self.n * (self.mean - mean) ** 2).sum(axis=0), np.maximum(self.square, 0.0).sum(axis=0)

    def deviation(self) -> Array:
        """Standard deviation (divided by n - 1) of each column over all classes."""
        n, between, within = self.total
        return np.sqrt((between + within) / np.maximum(n - 1, 1))

    def fisher(self) -> Array:
        """Sum of squares between classes over that within; see `fisher_score`."""
        n, between, within = self.total
        rounding = n * (8 * np.finfo(float).eps * np.abs(np.where(self.n > 0, self.mean, 0.0)).max(axis=0)) ** 2
        within = np.where(within <= rounding, 0.0, within)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(between <= rounding, 0.0, between / within)


def fisher_score(X: ArrayLike, y: ArrayLike) -> Array:
    """How far the means of classes lie apart in each column, against the spread within classes.

    ``sum_c n_c (mean_c - mean)**2 / sum_c n_c var_c``; a column uses its present rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN is missing.
    y : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    ndarray of shape (n_features,)
        At least 0; infinite where each class has one value of its own.

    Raises
    ------
    ValueError
        If the shapes do not fit or `y` has missing values.

    References
    ----------
    Duda, Hart and Stork (2001), Pattern Classification, section 3.8. Gu, Li and Han (2011), Generalized Fisher Score
    for Feature Selection. arXiv:1202.3725.

    Examples
    --------
    >>> fisher_score([[0.0, 1.0], [2.0, 2.0], [4.0, 2.0], [6.0, 1.0]], ["a", "a", "b", "b"]).tolist()
    [4.0, 0.0]
    """
    x, codes, n_classes = _checked(X, y)
    return class_moments(x, codes, n_classes).fisher()


def binned_information(X: ArrayLike, y: ArrayLike, n_bins: int = 8) -> Array:
    """Mutual information of each column, cut into bins of equal count, with classes, in nats.

    A value falls into the bin of its mid-rank, so that equal values stay together. The plug-in value less its leading
    bias, as the measure ``"mutual_information"``; a column uses its present rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN is missing.
    y : array-like of shape (n_samples,)
        Classes.
    n_bins : int

    Returns
    -------
    ndarray of shape (n_features,)
        At least 0; 0 for a column whose values share a bin.

    Raises
    ------
    ValueError
        If the shapes do not fit, `y` has missing values or there are fewer than two bins.

    Examples
    --------
    >>> x = np.arange(1000.0)[:, None] % 40
    >>> binned_information(x, x[:, 0] >= 20).round(3).tolist()
    [0.694]
    """
    x, codes, n_classes = _checked(X, y)
    return information_of_tables(bin_tables(rank_shares(x), codes, n_classes, checked_bins(n_bins)))


def class_moments(x: Array, codes: Codes, n_classes: int) -> ClassMoments:
    """`ClassMoments` of one table, in blocks of columns so that the copies stay small."""
    out = ClassMoments(n_classes, x.shape[1])
    step = max(1, _CELLS // max(1, len(x)))
    for start in range(0, x.shape[1], step):
        part = slice(start, start + step)
        found = ClassMoments(n_classes, x[:, part].shape[1]).update(x[:, part], codes)
        out.n[:, part], out.mean[:, part], out.square[:, part] = found.n, found.mean, found.square
    return out


def rank_shares(x: Array) -> Array:
    """Mid-ranks of each column's present rows as shares of them, in (0, 1), NaN for missing; shape as `x`."""
    from covey.select._graph_kernels import rank_shares as kernel

    columns = np.ascontiguousarray(x.T)
    out = np.full(columns.shape, np.nan)
    step = max(1, _CELLS // max(1, len(x)))
    for start in range(0, len(columns), step):
        some = columns[start : start + step]
        kernel(some, np.argsort(some, axis=1), out[start : start + step])
    return out.T


def bin_tables(shares: Array, codes: Codes, n_classes: int, n_bins: int) -> Array:
    """Rows of each bin and class, shape (n_columns, n_bins, n_classes), by ranks as shares; missing rows left out."""
    n_columns = shares.shape[1]
    bins = np.zeros((n_columns + 1, len(shares)), dtype=np.int32)
    step = max(1, _CELLS // max(1, len(shares)))
    for start in range(0, n_columns, step):
        part = shares[:, start : start + step].T
        level = np.minimum(np.floor(np.nan_to_num(part, nan=-1.0) * n_bins), n_bins - 1)
        bins[start : start + step][: len(part)] = np.where(np.isnan(part), 0, level + 1)
    bins[-1] = codes + 1
    return joint_tables(bins, np.arange(n_columns), np.full(n_columns, n_columns), (n_bins, n_classes))


def information_of_tables(tables: Array) -> Array:
    """Mutual information of each table of bins and classes, 0 where a side has one level."""
    step = max(1, _TABLE_CELLS // max(1, tables[0].size)) if len(tables) else 1
    parts = [table_information(tables[s : s + step])[0] for s in range(0, len(tables), step)]
    return np.nan_to_num(np.concatenate(parts)) if parts else np.zeros(0)


def column_statistics(x: Array, target: Column | None, n_bins: int) -> ColumnStatistics:
    """The statistics of the columns of a table in memory; of `target` None only the deviation."""
    if target is None:
        return ColumnStatistics(class_moments(x, np.zeros(len(x), dtype=np.int64), 1).deviation())
    codes, n_classes = class_codes(target, n_bins)
    moments = class_moments(x, codes, n_classes)
    tables = bin_tables(rank_shares(x), codes, n_classes, n_bins)
    return ColumnStatistics(moments.deviation(), moments.fisher(), information_of_tables(tables))


def class_codes(target: Column, n_bins: int) -> tuple[Codes, int]:
    """Classes as 0, 1, ..., and how many; numbers are cut into bins of equal count."""
    if target.is_coded:
        return target.values.astype(np.int64), len(target.categories or ())
    shares = rank_shares(target.values[:, None])[:, 0]
    return np.minimum(np.floor(shares * n_bins), n_bins - 1).astype(np.int64), n_bins


def checked_bins(n_bins: int) -> int:
    """`n_bins`, at least 2."""
    if not isinstance(n_bins, int | np.integer) or isinstance(n_bins, bool) or n_bins < 2:
        raise ValueError(f"n_bins must be a whole number from 2, got {n_bins!r}")
    return int(n_bins)


def stream_statistics(source: BlockSource, target: str | None, n_bins: int, engine: Engine) -> ColumnStatistics:
    """`column_statistics` of a table in blocks, by one pass, after one that sketches ranks if there is a target.

    Ranks come from a quantile sketch, so that few rows may fall into the bin beside their own.
    """
    names = tuple(name for name in source.names if name != target)
    if target is None:
        return engine.reduce(partial(_StatisticsPass, names, None, n_bins), source).result()
    summaries = sketch_columns(source, (*names, target), engine)
    grids = [summary.ranks() for summary in summaries]
    categories = source.head()[target].categories
    reader = _ClassReader(target, None if categories is None else len(categories), n_bins, grids[-1])
    return engine.reduce(partial(_StatisticsPass, names, reader, n_bins, grids[:-1]), source).result()


@dataclass(frozen=True, eq=False)
class _ClassReader:
    """Reads the classes of blocks."""

    name: str
    n_categories: int | None
    n_bins: int
    grid: tuple[Array, Array]

    @property
    def n_classes(self) -> int:
        return self.n_bins if self.n_categories is None else self.n_categories

    def __call__(self, block: FeatureTable) -> Codes:
        column = block[self.name]
        if column.is_coded:
            return column.values.astype(np.int64)
        shares = np.interp(column.values, *self.grid)
        return np.minimum(np.floor(shares * self.n_bins), self.n_bins - 1).astype(np.int64)


class _StatisticsPass:
    """Moments in classes, and joint tables of bins and classes."""

    def __init__(
        self,
        names: Sequence[str],
        reader: _ClassReader | None,
        n_bins: int,
        grids: Sequence[tuple[Array, Array]] = (),
    ) -> None:
        self.names, self.reader, self.n_bins, self.grids = names, reader, n_bins, grids
        self.n_classes = 1 if reader is None else reader.n_classes
        self.moments = ClassMoments(self.n_classes, len(names))
        self.tables = np.zeros((len(names), n_bins, self.n_classes)) if reader else None

    def update(self, block: FeatureTable) -> Self:
        x = numeric_block(block.select(self.names))
        check_finite(x, self.names)
        codes = np.zeros(len(x), dtype=np.int64) if self.reader is None else self.reader(block)
        self.moments.update(x, codes)
        if self.tables is not None:
            from covey.measure._rank_kernels import interpolate

            for j, (points, ranks) in enumerate(self.grids):
                x[:, j] = interpolate(np.ascontiguousarray(x[:, j]), points, ranks)
            self.tables = self.tables + bin_tables(x, codes, self.n_classes, self.n_bins)
        return self

    def merge(self, other: Self) -> Self:
        self.moments.merge(other.moments)
        if self.tables is not None and other.tables is not None:
            self.tables = self.tables + other.tables
        return self

    def result(self) -> ColumnStatistics:
        if self.tables is None:
            return ColumnStatistics(self.moments.deviation())
        return ColumnStatistics(self.moments.deviation(), self.moments.fisher(), information_of_tables(self.tables))


def check_finite(x: Array, names: Sequence[str]) -> None:
    """Raise a ValueError that names the columns with infinite values, or values too large to square."""
    largest = np.abs(x).max(axis=0, initial=0.0, where=~np.isnan(x))
    wrong = [names[j] for j in np.flatnonzero(~(largest < 1e150)).tolist()]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(
            f"columns {', '.join(map(repr, wrong[:5]))}{more} hold infinite values or values of 1e150 and more; "
            "replace or rescale them"
        )


def _checked(X: ArrayLike, y: Any) -> tuple[Array, Codes, int]:
    x = np.asarray(X, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"X must have shape (n_samples, n_features), not {x.shape}")
    target = target_column(y, "categorical")
    if len(target.values) != len(x):
        raise ValueError(f"X has {len(x)} rows and y has {len(target.values)}; they must be the same rows")
    check_finite(x, [f"x{j}" for j in range(x.shape[1])])
    return x, *class_codes(target, 2)
