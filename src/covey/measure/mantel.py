"""The Mantel test: do two matrices of distances or similarities of the same objects agree?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey import engine as engines
from covey.engine import Engine, LocalEngine
from covey.measure._measure import get
from covey.measure._null import permutation_pvalue
from covey.measure._store import ColumnStore
from covey.table import Column

Array = NDArray[np.float64]
METHODS = ("pearson", "spearman", "kendall")
ALTERNATIVES = ("two-sided", "greater", "less")
PERMUTATIONS_A_TASK = 50


@dataclass(frozen=True, eq=False)
class MantelTest:
    """Result of a Mantel test.

    Parameters
    ----------
    statistic : float
        Correlation of the entries above the diagonals, -1..1; NaN where a matrix is constant there.
    pvalue : float
        Of the permutation test; at least ``1 / (n_permutations + 1)``.
    naive_pvalue : float
        As if the pairs were independent, which they are not: every object is in many of them.
    null : ndarray of shape (n_permutations,)
        Statistics after the objects of one matrix have been put in random order.
    n_objects : int
    """

    statistic: float
    pvalue: float
    naive_pvalue: float
    null: Array
    n_objects: int


def mantel_test(
    first: ArrayLike,
    second: ArrayLike,
    method: str = "pearson",
    alternative: str = "two-sided",
    n_permutations: int = 999,
    random_state: int = 0,
    engine: Engine | str | None = None,
) -> MantelTest:
    """Correlate two symmetric matrices of the same objects, with a test that permutes objects, not entries.

    Parameters
    ----------
    first, second : array-like of shape (n_objects, n_objects)
        Symmetric; distances or similarities. The diagonals do not count.
    method : {"pearson", "spearman", "kendall"}
    alternative : {"two-sided", "greater", "less"}
    n_permutations : int
    random_state : int
    engine : Engine or str, optional
        Where the permutations run; the result does not depend on it.

    Returns
    -------
    MantelTest

    Raises
    ------
    ValueError
        If the matrices are not symmetric and finite, of one shape and of at least three objects, or an argument is
        out of range.

    References
    ----------
    Mantel (1967), The detection of disease clustering and a generalized regression approach, Cancer Res. 27.

    Examples
    --------
    >>> places = np.random.default_rng(0).normal(size=(12, 2))
    >>> distance = np.linalg.norm(places[:, None] - places, axis=2)
    >>> result = mantel_test(distance, distance**2, method="kendall")
    >>> result.statistic, result.pvalue
    (1.0, 0.001)
    """
    a, b = _checked(first, "first"), _checked(second, "second")
    if a.shape != b.shape:
        raise ValueError(f"first and second must have the same objects, got shapes {a.shape} and {b.shape}")
    for name, value, allowed in (("method", method, METHODS), ("alternative", alternative, ALTERNATIVES)):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}, not {value!r}")
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}")
    n = len(a)
    above = np.triu_indices(n, 1)
    store = ColumnStore([Column("a", "numeric", a[above]), Column("b", "numeric", b[above])])
    observed = get(method).kernel(store, np.array([0]), np.array([1]), LocalEngine(1), True)
    statistic = float(observed.values[0])
    rng = np.random.default_rng(random_state)
    orders = [rng.permutation(n) for _ in range(n_permutations)]
    tasks = [orders[k : k + PERMUTATIONS_A_TASK] for k in range(0, n_permutations, PERMUTATIONS_A_TASK)]
    null = np.concatenate(engines.resolve(engine).map(partial(_permuted, a, b[above], method), tasks))
    side: Callable[[ArrayLike], Array] = {"two-sided": np.abs, "greater": np.positive, "less": np.negative}[alternative]
    # equal statistics of different orders may differ in their last bits
    pvalue = float(permutation_pvalue(side(statistic) - 1e-12, side(null))) if np.isfinite(statistic) else float("nan")
    assert observed.pvalues is not None
    return MantelTest(statistic, pvalue, float(observed.pvalues[0]), null, n)


def _checked(matrix: ArrayLike, name: str) -> Array:
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 3:
        raise ValueError(f"{name} must be a square matrix of at least three objects, got shape {values.shape}")
    off = ~np.eye(len(values), dtype=bool)
    if not np.isfinite(values[off]).all():
        raise ValueError(f"{name} holds missing or infinite values; leave those objects out")
    if not np.allclose(values[off], values.T[off], rtol=1e-9, atol=1e-12):
        raise ValueError(f"{name} must be symmetric; take the mean of it and its transpose")
    return values


def _permuted(a: Array, b: Array, method: str, orders: list[NDArray[np.intp]]) -> Array:
    """Statistics of `a` in other orders with the entries `b` above the diagonal of the other matrix."""
    above = np.triu_indices(len(a), 1)
    columns = [Column("b", "numeric", b)]
    columns += [Column(str(k), "numeric", a[np.ix_(order, order)][above]) for k, order in enumerate(orders)]
    left, right = np.zeros(len(orders), dtype=np.intp), np.arange(1, len(columns))
    return get(method).kernel(ColumnStore(columns), left, right, LocalEngine(1), False).values
