"""Similarity of sets, multisets, signed vectors and densities: Jaccard, interiority, coincidence.

One formula serves all of them. A set is a 0/1 vector, a multiset a vector of multiplicities, a density its
values on a grid; in vectors with signs the overlap of two entries counts as negative where signs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine, LocalEngine
from covey.measure._measure import Measure, PairStatistics, numeric_pair, register
from covey.measure._store import ColumnStore

PAIRS_A_TASK = 4096
N_PERMUTATIONS = 199


def jaccard(x: Any, y: Any, *others: Any, weights: Any = None) -> float:
    """Jaccard index: what is common over what is in any.

    The sum of ``sgn(x y) min(|x|, |y|)`` over the sum of ``max(|x|, |y|)``; for 0/1 vectors the size of the
    intersection over the size of the union.

    Parameters
    ----------
    x, y : array_like of shape (n,), or set, or mapping from element to multiplicity
        Booleans, counts or real numbers; rows where one is NaN are left out.
    *others : the same
        More sets: intersection of all over union of all; no entry may then be negative.
    weights : array_like of shape (n,), or mapping from element to weight, optional
        Non-negative importance of each element; 1 by default.

    Returns
    -------
    float
        In 0..1, or -1..1 with signs. Two empty sets are equal: 1.

    Raises
    ------
    ValueError
        For unequal lengths, no common row, infinities, negative weights, or negative entries among three
        or more operands.
    TypeError
        If sets are mixed with arrays.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> jaccard({"a", "b", "c"}, {"b", "c", "d"})
    0.5
    >>> jaccard([3, 0, 1], [1, 0, 2])
    0.4
    >>> jaccard([1.0, -2.0], [-1.0, 2.0])
    -1.0
    """
    vectors, weight = _operands((x, y, *others), weights)
    if others and any((vector < 0).any() for vector in vectors):
        raise ValueError("the Jaccard index of three or more operands needs non-negative entries")
    sizes = [np.abs(vector) for vector in vectors]
    common = np.prod(np.sign(vectors), axis=0) * reduce(np.minimum, sizes)
    return _ratio(weight @ common, weight @ reduce(np.maximum, sizes))


def interiority(x: Any, y: Any, *, weights: Any = None) -> float:
    """Interiority (overlap coefficient): how far the smaller lies inside the larger.

    The sum of ``min(|x|, |y|)`` over the smaller of the sums of ``|x|`` and of ``|y|``.

    Parameters
    ----------
    x, y, weights
        As for `jaccard`.

    Returns
    -------
    float
        In 0..1; the empty set lies inside every set: 1.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> interiority({"a", "b"}, {"a", "b", "c", "d"})
    1.0
    """
    (x, y), weight = _operands((x, y), weights)
    x, y = np.abs(x), np.abs(y)
    return _ratio(weight @ np.minimum(x, y), min(weight @ x, weight @ y))


def coincidence(x: Any, y: Any, *, weights: Any = None) -> float:
    """Coincidence index: the Jaccard index times the interiority, so that both must be large.

    Parameters
    ----------
    x, y, weights
        As for `jaccard`.

    Returns
    -------
    float
        In 0..1, or -1..1 with signs; never further from 0 than the Jaccard index.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> coincidence([1, 1, 1, 0], [0, 1, 1, 1])
    0.333...
    """
    return jaccard(x, y, weights=weights) * interiority(x, y, weights=weights)


def addition_jaccard(x: Any, y: Any, *, weights: Any = None) -> float:
    """Jaccard index with the union replaced by the multiset sum: twice the overlap over both sizes.

    For 0/1 vectors the Sorensen-Dice index.

    Parameters
    ----------
    x, y, weights
        As for `jaccard`.

    Returns
    -------
    float
        In 0..1, or -1..1 with signs; 1 for two empty sets.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> addition_jaccard([1, 1, 1, 0], [0, 1, 1, 1])
    0.666...
    """
    (x, y), weight = _operands((x, y), weights)
    a, b = np.abs(x), np.abs(y)
    return _ratio(2.0 * (weight @ (np.sign(x) * np.sign(y) * np.minimum(a, b))), weight @ a + weight @ b)


def density_jaccard(p: ArrayLike, q: ArrayLike, *grids: ArrayLike, index: Callable[..., float] = jaccard) -> float:
    """Index of two densities or scalar fields sampled on a grid: the sums become integrals.

    Parameters
    ----------
    p, q : array_like of shape (n_1, ..., n_d)
        Values on the grid.
    *grids : array_like of shape (n_k,)
        Increasing coordinates of each axis, evenly spaced or not; integrals are by the trapezoidal rule.
    index : callable, optional
        `jaccard`, `interiority`, `coincidence` or `addition_jaccard`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes and grids do not fit, or a grid does not increase.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    Triangles of base 2, one shifted by 1, share a triangle of area 1/4 in a union of area 7/4:

    >>> t = np.linspace(-1.0, 2.0, 301)
    >>> round(density_jaccard(np.maximum(1 - abs(t), 0), np.maximum(1 - abs(t - 1), 0), t), 4)
    0.1429
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    axes = [np.asarray(grid, dtype=float) for grid in grids]
    if p.shape != q.shape or p.shape != tuple(axis.size for axis in axes):
        raise ValueError(f"densities of shapes {p.shape} and {q.shape} need one grid of that length an axis")
    if any(axis.size < 2 or (np.diff(axis) <= 0).any() for axis in axes):
        raise ValueError("a grid needs at least two coordinates in increasing order")
    cells = reduce(np.multiply.outer, [_trapezoid_weights(axis) for axis in axes])
    return index(p.ravel(), q.ravel(), weights=cells.ravel())


def joint_interdependence(
    x: ArrayLike, y: ArrayLike, *, index: Callable[..., float] = coincidence, weights: ArrayLike | None = None
) -> float:
    """Interdependence of two variables: the signed index of their standardised samples.

    Each column, on the rows where both are present, is brought to mean 0 and (population) standard deviation
    1; the two are then compared as signed multisets. Like a correlation it is 1 for equal and -1 for opposite
    columns up to shift and positive scale, but it falls much faster in between.

    Parameters
    ----------
    x, y : array_like of shape (n,)
        NaN is missing.
    index : callable, optional
        `coincidence` (default), `jaccard`, `interiority` or `addition_jaccard`.
    weights : array_like of shape (n,), optional
        Weights of the rows in the index (the standardisation is not weighted).

    Returns
    -------
    float
        In -1..1; NaN when a column is constant on the common rows.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> round(joint_interdependence(x, 10 - 2 * x), 12)
    -1.0
    >>> round(joint_interdependence(x, [1.0, 3.0, 2.0, 4.0]), 4)
    0.5
    """
    vectors, weight = _operands((x, y), weights)
    standardised = _standardised(vectors)
    return float("nan") if np.isnan(standardised).any() else index(*standardised, weights=weight)


def coincidence_matrix(
    X: ArrayLike,
    index: str = "coincidence",
    standardise: bool = False,
    weights: ArrayLike | None = None,
    engine: Engine | None = None,
) -> NDArray[np.float64]:
    """Index of every pair of columns.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        Booleans, counts or real numbers; NaN is missing and a pair uses the rows where both are present.
    index : {"coincidence", "jaccard", "interiority", "addition"}
    standardise : bool
        Bring the columns to mean 0 and standard deviation 1 first (see `joint_interdependence`).
    weights : array_like of shape (n_samples,), optional
        Non-negative weights of the rows.
    engine : Engine, optional

    Returns
    -------
    ndarray of shape (n_features, n_features)
        Symmetric; NaN for pairs without a common row and, if standardised, for constant columns.

    Raises
    ------
    ValueError
        If `X` is not a matrix or holds infinities, or for an unknown index or unfit weights.

    References
    ----------
    Costa (2021), Further Generalizations of the Jaccard Index, arXiv:2110.09619.

    Examples
    --------
    >>> coincidence_matrix([[1, 1], [1, 0], [0, 0]], index="jaccard")
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    if index not in _INDICES:
        raise ValueError(f"no index {index!r}; choose one of {', '.join(_INDICES)}")
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.size == 0:
        raise ValueError(f"X must be a matrix with at least one row and one column, got shape {X.shape}")
    if np.isinf(X).any():
        raise ValueError(f"column {np.isinf(X).any(axis=0).argmax()} holds infinities; clip or drop them")
    weight = _checked_weights(weights, len(X))
    left, right = np.triu_indices(X.shape[1])
    values, _ = _pair_values(X.T, weight, left, right, standardise, index, engine or LocalEngine())
    out = np.empty((X.shape[1], X.shape[1]))
    out[left, right] = out[right, left] = values
    return out


def _operands(items: tuple[Any, ...], weights: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Operands as rows of one matrix, and the weights of its columns; columns with a NaN are left out."""
    collections = [isinstance(item, AbstractSet | Mapping) for item in items]
    if all(collections):
        vectors, weight = _from_collections(items, weights)
    elif any(collections):
        raise TypeError("sets or mappings cannot be compared with arrays; give all operands in one form")
    else:
        vectors, weight = _from_arrays(items, weights)
    if np.isinf(vectors).any():
        raise ValueError("an operand holds infinities; clip or drop them")
    return vectors, weight


def _from_collections(items: tuple[Any, ...], weights: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    elements = list(dict.fromkeys(element for item in items for element in item))
    vectors = np.array([_multiplicities(item, elements) for item in items], dtype=float)
    if weights is None:
        return vectors, np.ones(len(elements))
    if not isinstance(weights, Mapping):
        raise TypeError("weights of sets must be a mapping from element to weight")
    lacking = [element for element in elements if element not in weights]
    if lacking:
        raise ValueError(f"no weight for the element {lacking[0]!r}")
    return vectors, _checked_weights([weights[element] for element in elements], len(elements))


def _multiplicities(item: Any, elements: list[Any]) -> list[float]:
    if isinstance(item, Mapping):
        return [float(item.get(element, 0)) for element in elements]
    return [float(element in item) for element in elements]


def _from_arrays(items: tuple[Any, ...], weights: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    arrays = [np.asarray(item, dtype=float) for item in items]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        raise ValueError(f"operands must be vectors of one length, got shapes {sorted(shapes)}")
    vectors = np.array(arrays)
    weight = _checked_weights(weights, vectors.shape[1])
    present = ~np.isnan(vectors).any(axis=0)
    if not present.any():
        raise ValueError("no row has all operands present")
    return vectors[:, present], weight[present]


def _checked_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n)
    weight = np.asarray(weights, dtype=float)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"weights must be {n} finite non-negative numbers")
    return weight


def _ratio(common: float, whole: float) -> float:
    """``common / whole``; 1 when there is nothing at all."""
    return float(common / whole) if whole > 0 else 1.0


def _trapezoid_weights(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(grid)
    return (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2.0


Sums = NDArray[np.float64]  # (n_pairs, 4): signed overlap, unsigned overlap, size of x, size of y


def _ratios(common: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = whole == 0
    return np.where(empty, 1.0, np.clip(common / np.where(empty, 1.0, whole), -1.0, 1.0))


def _jaccard_of(sums: Sums) -> NDArray[np.float64]:
    return _ratios(sums[:, 0], sums[:, 2] + sums[:, 3] - sums[:, 1])


def _interiority_of(sums: Sums) -> NDArray[np.float64]:
    return _ratios(sums[:, 1], np.minimum(sums[:, 2], sums[:, 3]))


def _coincidence_of(sums: Sums) -> NDArray[np.float64]:
    return _jaccard_of(sums) * _interiority_of(sums)


def _addition_of(sums: Sums) -> NDArray[np.float64]:
    return _ratios(2.0 * sums[:, 0], sums[:, 2] + sums[:, 3])


_INDICES: dict[str, Callable[[Sums], NDArray[np.float64]]] = {
    "coincidence": _coincidence_of,
    "jaccard": _jaccard_of,
    "interiority": _interiority_of,
    "addition": _addition_of,
}


def _pair_values(
    columns: NDArray[np.float64],
    weights: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    standardise: bool,
    index: str,
    engine: Engine,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Index and number of common rows of each pair of rows of `columns`, shape (n_columns, n_rows)."""
    incomplete = np.any(np.isnan(columns), axis=1)
    partial = incomplete[left] | incomplete[right]
    sums = np.empty((left.size, 4))
    counts = np.full(left.size, columns.shape[1], dtype=np.int64)
    whole = ~partial
    sums[whole] = _complete_sums(columns, weights, left[whole], right[whole], standardise, engine)
    sums[partial], counts[partial] = _common_sums(columns, weights, left[partial], right[partial], standardise, engine)
    return _INDICES[index](sums), counts


def _complete_sums(
    columns: NDArray[np.float64],
    weights: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    standardise: bool,
    engine: Engine,
) -> Sums:
    from covey.measure._set_kernels import add_overlaps

    ready = np.ascontiguousarray(_standardised(columns) if standardise else columns) * weights

    def overlaps(pairs: slice) -> NDArray[np.float64]:
        signed, unsigned = np.zeros((2, len(left[pairs])))
        add_overlaps(ready, left[pairs], right[pairs], signed, unsigned)
        return np.column_stack([signed, unsigned])

    sizes = np.abs(ready).sum(axis=1)
    found = np.concatenate([np.empty((0, 2)), *engine.map(overlaps, _slices(left.size))])
    return np.column_stack([found, sizes[left], sizes[right]])


def _standardised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    constant = columns.min(axis=1) == columns.max(axis=1)
    centred = columns - columns.mean(axis=1, keepdims=True)
    scale = np.where(constant, np.nan, centred.std(axis=1))
    return centred / scale[:, None]


def _common_sums(
    columns: NDArray[np.float64],
    weights: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    standardise: bool,
    engine: Engine,
) -> tuple[Sums, NDArray[np.int64]]:
    from covey.measure._set_kernels import common_overlaps

    ready = np.ascontiguousarray(columns)

    def overlaps(pairs: slice) -> tuple[Sums, NDArray[np.int64]]:
        sums = np.zeros((len(left[pairs]), 4))
        counts = np.zeros(len(sums), dtype=np.int64)
        common_overlaps(ready, weights, left[pairs], right[pairs], standardise, sums, counts)
        return sums, counts

    found = engine.map(overlaps, _slices(left.size))
    sums = np.concatenate([np.empty((0, 4)), *(part for part, _ in found)])
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(part for _, part in found)])
    return sums, counts


def _slices(n_pairs: int) -> list[slice]:
    return [slice(start, start + PAIRS_A_TASK) for start in range(0, n_pairs, PAIRS_A_TASK)]


def coincidence_kernel(
    store: ColumnStore,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    engine: Engine,
    pvalues: bool,
) -> PairStatistics:
    """`joint_interdependence` of many pairs; p-values by permuting the rows of the right columns (seed 0)."""
    used, positions = np.unique(np.concatenate([left, right]), return_inverse=True)
    columns = np.array([store.numbers(j) for j in used])
    weights = np.ones(store.n_rows)
    left, right = positions[: left.size], positions[left.size :]
    values, counts = _pair_values(columns, weights, left, right, True, "coincidence", engine)
    if not pvalues:
        return PairStatistics(values, counts)
    return PairStatistics(values, counts, _permutation_pvalues(columns, left, right, values, engine))


def _permutation_pvalues(
    columns: NDArray[np.float64],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    values: NDArray[np.float64],
    engine: Engine,
) -> NDArray[np.float64]:
    """Share of row permutations with an index at least as far from 0; the observed order counts as one."""
    weights = np.ones(columns.shape[1])
    left_columns, first = np.unique(left, return_inverse=True)
    right_columns, second = np.unique(right, return_inverse=True)

    def at_least_as_far(seed: np.random.SeedSequence) -> NDArray[np.int64]:
        order = np.random.default_rng(seed).permutation(columns.shape[1])
        both = np.concatenate([columns[left_columns], columns[right_columns][:, order]])
        shuffled = second + len(left_columns)
        null, _ = _pair_values(both, weights, first, shuffled, True, "coincidence", LocalEngine(1))
        return (np.abs(null) >= np.abs(values)).astype(np.int64)

    exceed = np.zeros(values.size, dtype=np.int64)
    for hits in engine.map(at_least_as_far, np.random.SeedSequence(0).spawn(N_PERMUTATIONS)):
        exceed += hits
    return np.where(np.isnan(values), np.nan, (1.0 + exceed) / (1.0 + N_PERMUTATIONS))


register(
    Measure(
        "coincidence",
        "strict agreement of two standardised numbers (Jaccard times interiority)",
        joint_interdependence,
        coincidence_kernel,
        numeric_pair,
        signed=True,
    )
)
