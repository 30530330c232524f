"""Dependence of whole groups of columns: the Hilbert-Schmidt independence criterion of their random features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey import engine as engines
from covey.engine import Engine
from covey.measure._matrix import CONSTANT, FEW_ROWS, OK, AssociationMatrix
from covey.measure._moments import centre_and_scale
from covey.measure._store import ColumnStore
from covey.measure.hsic import gamma_pvalue
from covey.measure.random_features import median_distance, random_frequencies, trigonometric_features
from covey.table import FeatureTable, read

Array = NDArray[np.float64]
Pair = tuple[float, int, float, int]


def group_hsic(
    X: Any,
    groups: Mapping[str, Sequence[str]],
    n_frequencies: int = 128,
    random_state: int = 0,
    engine: Engine | str | None = None,
) -> AssociationMatrix:
    """How strongly groups of columns depend on each other, in any way, for all pairs of groups.

    Each group is embedded by random features of the Gaussian kernel on its standardised columns, with the median
    distance of two rows as bandwidth. The criterion of two groups is then the squared Frobenius norm of the
    covariance of their embeddings, normalised to 0..1: time is linear in the rows, where the kernel matrices of the
    definition need their square.

    Parameters
    ----------
    X : FeatureTable, or anything that `covey.read` takes
    groups : mapping of str to sequence of str
        Columns of each group: numbers, dates or booleans. A row counts for a pair of groups if it has all their values.
    n_frequencies : int
        A group's embedding has twice as many features. The error falls as one over its square root.
    random_state : int
    engine : Engine or str, optional
        Where the pairs are computed; the result does not depend on it.

    Returns
    -------
    AssociationMatrix
        One row and column a group; NaN where a group is constant, or fewer than 6 rows are complete. P-values are those
        of the gamma approximation to the distribution under independence.

    Raises
    ------
    ValueError
        If there are fewer than two groups, one is empty, a column is unknown or not a number, or `n_frequencies`
        is less than 1.

    References
    ----------
    Gretton, Bousquet, Smola and Schoelkopf (2005), Measuring statistical dependence with Hilbert-Schmidt norms, ALT.
    Zhang, Filippi, Gretton and Sejdinovic (2018), Large-scale kernel methods for independence testing, Stat. Comput.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 2))
    >>> table = np.hstack([x, x**2, rng.normal(size=(400, 2))])
    >>> matrix = group_hsic(table, {"x": ["x0", "x1"], "squares": ["x2", "x3"], "noise": ["x4", "x5"]})
    >>> bool(matrix["x", "squares"] > 0.1 > matrix["x", "noise"])
    True
    """
    table = X if isinstance(X, FeatureTable) else read(X)
    _check(table, groups, n_frequencies)
    names = tuple(groups)
    rng = np.random.default_rng(random_state)
    embedded = [_embedding(table, groups[name], n_frequencies, rng) for name in names]
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    found = engines.resolve(engine).map(lambda pair: _pair(embedded[pair[0]], embedded[pair[1]]), pairs)
    matrices = [np.zeros((len(names), len(names)), dtype=dtype) for dtype in (float, np.int64, float, np.uint8)]
    for (i, j), statistics in zip(pairs, found):
        for matrix, value in zip(matrices, statistics):
            matrix[i, j] = matrix[j, i] = value
    values, n, pvalues, reasons = matrices
    np.fill_diagonal(pvalues, np.nan)
    kinds = ("numeric",) * len(names)
    info = {"n_rows": table.n_rows, "n_frequencies": n_frequencies, "pvalues": "gamma approximation"}
    return AssociationMatrix("group_hsic", names, names, kinds, kinds, values, n, reasons, pvalues, info=info)


def _check(table: FeatureTable, groups: Mapping[str, Sequence[str]], n_frequencies: int) -> None:
    if len(groups) < 2:
        raise ValueError(f"groups must name at least two groups of columns, got {len(groups)}")
    if n_frequencies < 1:
        raise ValueError(f"n_frequencies must be at least 1, got {n_frequencies}")
    for group, columns in groups.items():
        if isinstance(columns, str) or not len(columns):
            raise ValueError(f"group {group!r} must be a list of at least one column, got {columns!r}")
        for name in columns:
            kind = table.column(name).kind
            if kind in ("categorical", "text", "id"):
                raise ValueError(f"column {name!r} of group {group!r} is {kind}; leave it out or encode it as numbers")


def _embedding(table: FeatureTable, columns: Sequence[str], n_frequencies: int, rng: np.random.Generator) -> Array:
    """Embedded rows of a group, shape (n_rows, 2 * n_frequencies); NaN where a value is missing."""
    store = ColumnStore([table.column(name) for name in columns])
    values = np.column_stack([store.numbers(j) for j in range(len(store))])
    centre, scale = centre_and_scale(values)
    values = (values - centre) / scale
    bandwidth = median_distance(values[~np.isnan(values).any(axis=1)])
    return trigonometric_features(
        values / bandwidth, random_frequencies(n_frequencies, len(columns), "orthogonal", rng)
    )


def _pair(left: Array, right: Array) -> Pair:
    """(normalised criterion, rows, p-value, reason) of two embedded groups."""
    both = ~(np.isnan(left[:, 0]) | np.isnan(right[:, 0]))
    n = int(both.sum())
    if n < 6:
        return np.nan, n, np.nan, FEW_ROWS
    (a, mean_a), (b, mean_b) = (_centred(embedded[both]) for embedded in (left, right))
    criterion, norm_a, norm_b = (_squared_norm(p, q) for p, q in ((a, b), (a, a), (b, b)))
    if min(norm_a, norm_b) <= 1e-12:
        return np.nan, n, np.nan, CONSTANT
    arrays = [np.array([value]) for value in (criterion, norm_a * norm_b, mean_a, mean_b, float(n), True)]
    pvalue = float(gamma_pvalue(*arrays)[0])
    return min(criterion / np.sqrt(norm_a * norm_b), 1.0), n, pvalue, OK


def _centred(embedded: Array) -> tuple[Array, float]:
    """Centred features, and the mean of the kernel over all pairs of rows."""
    mean = embedded.mean(axis=0)
    return embedded - mean, float(mean @ mean)


def _squared_norm(a: Array, b: Array) -> float:
    """Squared Frobenius norm of the covariance of two sets of centred columns."""
    return float(np.sum((a.T @ b / len(a)) ** 2))
