"""Mutual information of coded columns less what cardinality alone would give, from sums of c log c over counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from covey.measure._coding import code_column
from covey.measure._store import ColumnStore
from covey.measure.nominal import equal_count_bins
from covey.table import Column

Correction = Literal["analytic", "permutation", "shift", "none"]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Score:
    """How a pair of coded columns is scored; see `cardinality_corrected_mi` for the fields.

    `seed` is of the permutations.
    """

    correction: Correction = "analytic"
    fraction: float = 1.0
    n_permutations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.correction not in get_args(Correction):
            raise ValueError(f"correction must be one of {', '.join(get_args(Correction))}, not {self.correction!r}")
        if not 0.0 < self.fraction <= 1.0:
            raise ValueError(f"fraction must be in (0, 1], not {self.fraction}")
        if not isinstance(self.n_permutations, int | np.integer) or self.n_permutations < 1:
            raise ValueError(f"n_permutations must be a whole number from 1, not {self.n_permutations!r}")

    @property
    def symmetric(self) -> bool:
        """Whether both columns of a pair may change places."""
        return self.correction in ("analytic", "none") and self.fraction == 1.0

    @property
    def of_counts(self) -> bool:
        """Whether the score is a function of the joint counts, whatever the order of the rows."""
        return self.symmetric

    @property
    def of_itself(self) -> Score:
        """How a column is scored against itself: without correction."""
        return replace(self, correction="none")


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as codes below `n_levels`, -1 where missing; shape (n_rows,)."""

    codes: Codes
    n_levels: int

    @property
    def complete(self) -> bool:
        """True when no row is missing."""
        return bool(self.codes.size == 0 or self.codes.min() >= 0)


def score_pair(x: Coded, y: Coded, how: Score) -> float:
    """Corrected mutual information of two columns on the rows where both are present; NaN where one is constant."""
    x, y = _complete(x, y)
    if how.fraction < 1.0:
        x, y = _first_rows(x, y, how.fraction)
    a, b = _counts(x), _counts(y)
    if np.count_nonzero(a) < 2 or np.count_nonzero(b) < 2:
        return float("nan")
    from covey.select._cardinality_kernels import cell_sum

    observed = cell_sum(x.codes, y.codes, x.n_levels, y.n_levels)
    return float(how.fraction * (observed - _background(x, y, a, b, how)) / x.codes.size)


def _background(x: Coded, y: Coded, a: NDArray[np.int64], b: NDArray[np.int64], how: Score) -> float:
    """What the sum of c log c over cells would be without any relation."""
    from covey.select import _cardinality_kernels as kernels

    if how.correction == "shift":
        return kernels.cell_sum(x.codes, kernels.shifted(x.codes, y.codes, a), x.n_levels, y.n_levels)
    if how.correction == "permutation":
        rng = np.random.default_rng(how.seed)
        drawn = [rng.permutation(y.codes) for _ in range(how.n_permutations)]
        return float(np.mean([kernels.cell_sum(x.codes, z, x.n_levels, y.n_levels) for z in drawn]))
    return background_of_counts(a, b, how.correction)


def background_of_counts(a: NDArray[np.int64], b: NDArray[np.int64], correction: Correction) -> float:
    """The sum of c log c over cells that the margins `a` and `b` alone lead to expect.

    Under ``"none"`` it is that of independent columns (what mutual information compares with), under ``"analytic"`` its
    expectation over all tables of these margins.
    """
    from covey.select._cardinality_kernels import expected_cell_sum

    a, b = a[a > 0], b[b > 0]
    n = int(a.sum())
    if correction == "none":
        return sum_c_log_c(a) + sum_c_log_c(b) - n * np.log(n)
    return expected_cell_sum(*np.unique(a, return_counts=True), *np.unique(b, return_counts=True), n)


def sum_c_log_c(counts: NDArray[np.int64]) -> float:
    """Sum of c log c over positive counts."""
    return float(np.sum(counts * np.log(counts)))


def _complete(x: Coded, y: Coded) -> tuple[Coded, Coded]:
    if x.complete and y.complete:
        return x, y
    both = (x.codes >= 0) & (y.codes >= 0)
    return replace(x, codes=x.codes[both]), replace(y, codes=y.codes[both])


def _first_rows(x: Coded, y: Coded, fraction: float) -> tuple[Coded, Coded]:
    """The first rows of each value of `x`, equally many of each; all rows where that would be none."""
    from covey.select._cardinality_kernels import first_rows

    most = int(fraction * x.codes.size / max(int(np.count_nonzero(_counts(x))), 1))
    if not most:
        return x, y
    kept = first_rows(x.codes, x.n_levels, most)
    return replace(x, codes=x.codes[kept]), replace(y, codes=y.codes[kept])


def _counts(x: Coded) -> NDArray[np.int64]:
    return np.bincount(x.codes, minlength=x.n_levels)


def paired(x: Coded, y: Coded) -> Coded:
    """The two columns as one, each pair of values that occurs a value of its own; missing where one is."""
    from covey.select._cardinality_kernels import compact

    codes, n = compact(np.where((x.codes < 0) | (y.codes < 0), -1, x.codes.astype(np.int64) * y.n_levels + y.codes))
    missing = (x.codes < 0) | (y.codes < 0)
    if missing.any():
        codes = np.where(missing, -1, codes).astype(np.int32)
    return Coded(codes, n)


def coded_columns(columns: Sequence[Column], n_bins: int | None, discrete: bool) -> list[Coded]:
    """Categories as they are; numbers in bins of about equal count, or each value by itself if `discrete`."""
    store = ColumnStore(columns)
    bins = n_bins or equal_count_bins(store.n_rows)

    def code(j: int) -> Coded:
        column = columns[j]
        if column.categories is not None:
            return Coded(np.ascontiguousarray(column.values), max(len(column.categories), 1))
        if discrete:
            dense = store.dense_ranks(j)
            return Coded(dense, int(dense.max(initial=0)) + 1)
        coding = code_column(store, j, bins, "rank")
        return Coded(coding.codes - np.int32(1), coding.levels.n_levels)

    return [code(j) for j in range(len(columns))]


@dataclass(frozen=True)
class ColumnQuality:
    """What a ranking should be read with: how many values a column has and how often they are seen.

    Parameters
    ----------
    name : str
    cardinality : float
        Distinct values; a whole number unless it is a sketch's estimate. Of numbers in bins, the bins.
    coverage : float
        Share of the rows where the column is present.
    rare : float
        Share of the present rows whose value occurs once; NaN where counts were too many to keep.
    flags : tuple of str
        ``"sparse"`` (coverage below a half), ``"rare values"`` (more than a tenth of the rows), ``"identifier"`` (more
        than nine tenths).
    """

    name: str
    cardinality: float
    coverage: float
    rare: float
    flags: tuple[str, ...] = ()


def quality(name: str, counts: NDArray[np.int64], n_rows: int) -> ColumnQuality:
    """The quality of a column whose values occur `counts` times."""
    counts = counts[counts > 0]
    present = int(counts.sum())
    rare = float(np.count_nonzero(counts == 1) / present) if present else float("nan")
    return flagged(name, float(len(counts)), present / n_rows if n_rows else float("nan"), rare)


def flagged(name: str, cardinality: float, coverage: float, rare: float) -> ColumnQuality:
    """The quality with its flags."""
    raised = {"sparse": coverage < 0.5, "rare values": 0.1 < rare <= 0.9, "identifier": rare > 0.9}
    return ColumnQuality(name, cardinality, coverage, rare, tuple(flag for flag, holds in raised.items() if holds))
