"""Mutual information by nearest neighbours, without bins: slower, for exact work on few pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from covey.engine import Engine
from covey.measure._measure import NUMBERS, Measure, PairStatistics, register
from covey.measure._null import permutation_pvalue
from covey.measure._store import ColumnStore

N_NEIGHBORS = 3
_PERMUTATIONS = 19


def knn_mutual_information(x: NDArray, y: NDArray, n_neighbors: int = N_NEIGHBORS) -> float:
    """Mutual information in nats of two complete columns, at least one of them of numbers.

    Two columns of numbers: the first estimator of Kraskov, Stoegbauer and Grassberger; a number and categories: that of
    Ross. Ties among numbers are parted by noise of 1e-10 standard deviations from a fixed seed, the same whichever
    column comes first.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Floats are numbers; integers are codes of categories.
    n_neighbors : int, default=3
        Few neighbours: small bias, large variance.

    Returns
    -------
    float
        At least 0; NaN when a column is constant or there are too few rows.

    Raises
    ------
    ValueError
        If both columns hold codes, they differ in length, hold NaN or infinity, or `n_neighbors` is below 1.

    References
    ----------
    Kraskov, Stoegbauer and Grassberger (2004), Estimating mutual information, Phys. Rev. E 69; Ross (2014), Mutual
    information between discrete and continuous data sets, PLoS ONE 9.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> y = 0.8 * x + 0.6 * rng.normal(size=2000)
    >>> bool(abs(knn_mutual_information(x, y) + 0.5 * np.log(1 - 0.8**2)) < 0.06)
    True
    """
    _check(x, y, n_neighbors)
    if len(x) <= n_neighbors + 1 or any(len(np.unique(c)) < 2 for c in (x, y)):
        return float("nan")
    if _is_numeric(x) and _is_numeric(y):
        first, second = sorted((x, y), key=lambda column: column.tobytes())
        return _two_numbers(_parted(first, 1), _parted(second, 2), n_neighbors)
    numbers, codes = (x, y) if _is_numeric(x) else (y, x)
    return _number_and_codes(_parted(numbers, 1), codes, n_neighbors)


def _is_numeric(column: NDArray) -> bool:
    return bool(np.issubdtype(column.dtype, np.floating))


def _check(x: NDArray, y: NDArray, n_neighbors: int) -> None:
    if len(x) != len(y):
        raise ValueError(f"the columns have {len(x)} and {len(y)} rows; both must hold the same rows")
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1, got {n_neighbors}")
    if not (_is_numeric(x) or _is_numeric(y)):
        raise ValueError("one of the two columns must hold numbers; use mutual_information for two of categories")
    if not all(np.isfinite(c).all() for c in (x, y)):
        raise ValueError("the columns hold NaN or infinity; drop these rows first")


def _parted(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    scaled = (values - values.mean()) / values.std()
    return scaled + 1e-10 * np.random.default_rng(seed).standard_normal(len(values))


def _two_numbers(x: NDArray[np.float64], y: NDArray[np.float64], k: int) -> float:
    from scipy.spatial import cKDTree

    points = np.column_stack([x, y])
    radius = cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1]
    inside = [_within(c, radius) for c in (x, y)]
    n = len(x)
    return max(0.0, float(digamma(n) + digamma(k) - np.mean(digamma(inside[0]) + digamma(inside[1]))))


def _within(values: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of points (itself counted) closer than the radius of each."""
    ordered = np.sort(values)
    radius = radius * (1.0 - 1e-9)  # the neighbour that sets the radius is not closer, whatever the rounding
    low = np.searchsorted(ordered, values - radius, "right")
    return np.maximum(np.searchsorted(ordered, values + radius, "left") - low, 1)


def _number_and_codes(x: NDArray[np.float64], codes: NDArray, k: int) -> float:
    radius, size, reach = (np.zeros(len(x)) for _ in range(3))
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        if len(members) < 2:
            continue
        neighbours = min(k, len(members) - 1)
        radius[members] = _kth_distance(x[members], neighbours)
        size[members], reach[members] = len(members), neighbours
    used = size > 0
    if not used.any():
        return float("nan")
    near = _within(x[used], radius[used])
    n = int(used.sum())
    value = digamma(n) + np.mean(digamma(reach[used]) - digamma(size[used]) - digamma(near))
    return max(0.0, float(value))


def _kth_distance(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Distance of each value to its k-th nearest other value, by a sorted window."""
    order = np.argsort(values)
    ordered = values[order]
    padded = np.concatenate([np.full(k, -np.inf), ordered, np.full(k, np.inf)])
    n = len(values)
    windows = [padded[s : s + n] for s in range(2 * k + 1) if s != k]
    distances = np.sort(np.abs(np.stack(windows) - ordered), axis=0)[k - 1]
    out = np.empty(n)
    out[order] = distances
    return out


class NeighbourKernel:
    """Pair by pair on the engine's workers.

    P-values come from 19 permutations with a fixed seed, each as dear as the value, and so are at least 0.05: enough to
    see one pair stand out, too coarse to adjust for many pairs.
    """

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics:
        def run(k: int) -> tuple[float, int, float]:
            i, j = int(left[k]), int(right[k])
            rows = np.flatnonzero(store.present(i) & store.present(j))
            x, y = (_view(store, c)[rows] for c in (i, j))
            if not (_is_numeric(x) or _is_numeric(y)):
                x = x.astype(np.float64)  # two booleans
            value = knn_mutual_information(x, y) if len(rows) else float("nan")
            if not pvalues or np.isnan(value):
                return value, len(rows), float("nan")
            rng = np.random.default_rng(0)
            null = np.array([knn_mutual_information(rng.permutation(x), y) for _ in range(_PERMUTATIONS)])
            return value, len(rows), float(permutation_pvalue(value, null))

        found = engine.map(run, range(len(left)))
        values, n, p = (np.array(part) for part in zip(*found))
        return PairStatistics(values.astype(np.float64), n.astype(np.int64), p if pvalues else None)


def _view(store: ColumnStore, j: int) -> NDArray:
    column = store.columns[j]
    return column.values if column.is_coded else store.numbers(j)


def _accepts(left: str, right: str) -> bool:
    """At least one side is a column of numbers (two booleans count)."""
    return left in NUMBERS or right in NUMBERS


register(
    Measure(
        "knn_mutual_information",
        "information that two columns share, in nats, by nearest neighbours (no bins; slow)",
        knn_mutual_information,
        NeighbourKernel(),
        _accepts,
    )
)
