"""Does the order of the rows carry information? Neighbours in the data that are neighbours in the file say so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import pi, sqrt
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from covey import engine as engines
from covey.engine import Engine
from covey.measure._null import correlation_pvalue, false_discovery, permutation_pvalue
from covey.measure._store import ColumnStore
from covey.table import Column, FeatureTable, read

Metric = Literal["auto", "cosine", "euclidean"]
RandomState = int | np.random.Generator | None


@dataclass(frozen=True, eq=False)
class OrderTest:
    """Result of a test whether the rows come in random order.

    Parameters
    ----------
    statistic : float
        Kolmogorov-Smirnov distance, 0..1, between the gaps of neighbours and those of all pairs of rows.
    pvalue : float
        Of the permutation test; at least ``1 / (n_permutations + 1)``.
    gap_ecdf : ndarray of shape (n_rows - 1,)
        Share of neighbour pairs whose rows are at most 1, 2, ... apart.
    background : ndarray of shape (n_rows - 1,)
        The same for all pairs of rows.
    row_scores : ndarray of shape (n_rows,)
        0..1, the nearer to 0 the less a row's neighbours lie where chance would put them (see `row_scores`).
    null : ndarray of shape (n_permutations,)
        Statistics of the permuted orders.
    """

    statistic: float
    pvalue: float
    gap_ecdf: NDArray[np.float64]
    background: NDArray[np.float64]
    row_scores: NDArray[np.float64]
    null: NDArray[np.float64]

    def local_scores(self, window: int | None = None) -> NDArray[np.float64]:
        """Running mean of the row scores; low stretches are where the order matters.

        Parameters
        ----------
        window : int, optional
            Number of rows, cut short at the ends; a twentieth of the rows by default.

        Returns
        -------
        ndarray of shape (n_rows,)

        Raises
        ------
        ValueError
            If `window` is less than 1.
        """
        n_rows = len(self.row_scores)
        window = max(1, n_rows // 20) if window is None else window
        if window < 1:
            raise ValueError(f"window must be at least 1 row, got {window}")
        total = np.concatenate([[0.0], np.cumsum(self.row_scores)])
        start = np.maximum(np.arange(n_rows) - (window - 1) // 2, 0)
        stop = np.minimum(np.arange(n_rows) + window // 2 + 1, n_rows)
        return (total[stop] - total[start]) / (stop - start)

    def __repr__(self) -> str:
        return f"<OrderTest of {len(self.row_scores)} rows: distance {self.statistic:.3f}, p = {self.pvalue:.3g}>"


def knn_iid_test(
    X: Any,
    k: int = 10,
    n_permutations: int = 199,
    metric: Metric = "auto",
    random_state: RandomState = 0,
    engine: Engine | str | None = None,
) -> OrderTest:
    """Test whether rows that are alike stand closer together in the data's order than chance would put them.

    Drift, sorting, autocorrelation and blocks of near-copies are all found. The distance between the cumulative
    distributions of ``|i - j|`` over neighbour pairs and over all pairs is compared with its values after the
    rows have been put in random order. That test is exact, ties included, because neighbours at the same distance
    are chosen without regard to the rows' order.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features), FeatureTable, or anything that `covey.read` takes
        Features, embeddings or predicted probabilities. Arrays of numbers are used as they are; of tables, numeric
        columns are standardised (missing: mean) and categorical ones become indicators.
    k : int
        Neighbours of each row; at most ``n_rows - 1`` are used.
    n_permutations : int
    metric : {"auto", "cosine", "euclidean"}
        ``"auto"`` is cosine above 3 features and Euclidean otherwise.
    random_state : int, Generator or None
    engine : Engine or str, optional
        Where the permutations run; the result does not depend on it.

    Returns
    -------
    OrderTest

    Raises
    ------
    ValueError
        If there are fewer than 3 rows, values are missing or infinite in an array, or an argument is out of range.

    References
    ----------
    Cummings, Snorrason and Mueller (2023), Detecting Dataset Drift and Non-IID Sampling via k-Nearest Neighbors.
    arXiv:2305.15696.

    Examples
    --------
    >>> walk = np.random.default_rng(0).normal(size=(200, 2)).cumsum(axis=0)
    >>> knn_iid_test(walk).pvalue
    0.005
    >>> shuffled = np.random.default_rng(1).permutation(walk)
    >>> knn_iid_test(shuffled).pvalue > 0.05
    True
    """
    generator = np.random.default_rng(random_state)
    neighbours = knn_graph(_features(X), k, metric, generator)
    return neighbour_order_test(neighbours, n_permutations, generator, engine)


def neighbour_order_test(
    neighbours: NDArray[np.integer],
    n_permutations: int = 199,
    random_state: RandomState = 0,
    engine: Engine | str | None = None,
) -> OrderTest:
    """The test of `knn_iid_test` on a graph of neighbours that is already there.

    Parameters
    ----------
    neighbours : ndarray of shape (n_rows, k), int
        For each row the positions of its neighbours. Where distances tie, the choice must not depend on the rows'
        order (see `knn_graph`), or the test finds an order that is not there.
    n_permutations : int
    random_state : int, Generator or None
    engine : Engine or str, optional

    Returns
    -------
    OrderTest

    Raises
    ------
    ValueError
        If `neighbours` holds a position that is no row, or `n_permutations` is less than 1.

    Examples
    --------
    >>> ring = np.array([[(i - 1) % 50, (i + 1) % 50] for i in range(50)])
    >>> neighbour_order_test(ring).pvalue
    0.005
    """
    graph = np.ascontiguousarray(neighbours, dtype=np.int32)
    n_rows = len(graph)
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}")
    if graph.ndim != 2 or n_rows < 3 or graph.min() < 0 or graph.max() >= n_rows:
        raise ValueError("neighbours must hold, for each of at least 3 rows, positions of rows")
    generator = np.random.default_rng(random_state)
    seeds = generator.integers(2**63, size=n_permutations).tolist()
    background = background_cdf(n_rows)
    counts = _gap_counts(graph, np.arange(n_rows, dtype=np.int32))
    statistic = _ks_distance(counts, background)
    null = np.array(engines.resolve(engine).map(partial(_permuted, graph, background), seeds))
    return OrderTest(
        statistic=statistic,
        pvalue=float(permutation_pvalue(statistic, null)),
        gap_ecdf=np.cumsum(counts[1:]) / graph.size,
        background=background[1:],
        row_scores=row_scores(graph),
        null=null,
    )


def knn_graph(X: ArrayLike, k: int = 10, metric: Metric = "auto", random_state: RandomState = 0) -> NDArray[np.int32]:
    """The `k` nearest other rows of each row; which of several equally near ones is decided by chance.

    Searches return equals in the order of the rows, which would tie neighbours to that order; so the rows are
    shuffled before the search.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
    k : int
        At most ``n_rows - 1`` are used.
    metric : {"auto", "cosine", "euclidean"}
        Cosine: Euclidean between rows scaled to length 1 (rows of zeros stay).
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (n_rows, k), int32
        Positions, nearest first.

    Raises
    ------
    ValueError
        If there are fewer than 3 rows, a value is missing or infinite, or `k` or `metric` is out of range.

    Examples
    --------
    >>> knn_graph(np.array([[0.0], [1.0], [3.0], [7.0]]), k=2).tolist()
    [[1, 2], [0, 2], [1, 0], [2, 1]]
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or len(X) < 3:
        raise ValueError(f"the order of rows needs a table of at least 3 rows, got shape {X.shape}")
    if not np.isfinite(X).all():
        raise ValueError("X holds missing or infinite values; fill them or drop the rows")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if metric not in ("auto", "cosine", "euclidean"):
        raise ValueError(f"no metric {metric!r}; choose 'auto', 'cosine' or 'euclidean'")
    k = min(k, len(X) - 1)
    if metric == "cosine" or (metric == "auto" and X.shape[1] > 3):
        length = np.linalg.norm(X, axis=1, keepdims=True)
        X = X / np.where(length > 0, length, 1.0)
    shuffle = np.random.default_rng(random_state).permutation(len(X))
    found = NearestNeighbors(n_neighbors=k + 1).fit(X[shuffle]).kneighbors(X[shuffle], return_distance=False)
    out = np.empty((len(X), k), dtype=np.int32)
    out[shuffle] = shuffle[_without_self(found)]
    return out


def _without_self(found: NDArray[np.intp]) -> NDArray[np.intp]:
    """Drop each row's own index, or the last one where copies of the row have pushed it out."""
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    return found[~own].reshape(len(found), -1)


def background_cdf(n_rows: int) -> NDArray[np.float64]:
    """Share of the pairs of `n_rows` rows that are at most g apart, g = 0 .. n_rows - 1.

    Examples
    --------
    >>> background_cdf(4).round(3).tolist()
    [0.0, 0.5, 0.833, 1.0]
    """
    gap = np.arange(n_rows, dtype=np.float64)
    return gap * (2 * n_rows - gap - 1) / (n_rows * (n_rows - 1.0))


def _permuted(neighbours: NDArray[np.int32], background: NDArray[np.float64], seed: int) -> float:
    """The statistic after the rows have been put in the random order of `seed`; the graph stays."""
    position = np.random.default_rng(seed).permutation(len(neighbours)).astype(np.int32)
    return _ks_distance(_gap_counts(neighbours, position), background)


@njit(nogil=True, cache=True)
def _gap_counts(neighbours: NDArray[np.int32], position: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many neighbour pairs are g apart, g = 0 .. n_rows - 1, when row i stands at ``position[i]``."""
    n_rows, k = neighbours.shape
    counts = np.zeros(n_rows, dtype=np.int64)
    for i in range(n_rows):
        for j in range(k):
            counts[abs(position[i] - position[neighbours[i, j]])] += 1
    return counts


@njit(nogil=True, cache=True)
def _ks_distance(counts: NDArray[np.int64], background: NDArray[np.float64]) -> float:
    total = counts.sum()
    seen = 0
    largest = 0.0
    for gap in range(len(counts)):
        seen += counts[gap]
        largest = max(largest, abs(seen / total - background[gap]))
    return largest


def row_scores(neighbours: NDArray[np.integer]) -> NDArray[np.float64]:
    """How ordinary the places of each row's neighbours are.

    The area between the cumulative distributions of the row's `k` gaps and of its gaps to all other rows (which
    depends on how far the row is from the ends), as a share of the largest gap, is divided by what `k` rows drawn at
    random give on average, ``sqrt(2 / (pi k)) pi / 8``; the score is 1 - tanh of that ratio.

    Parameters
    ----------
    neighbours : ndarray of shape (n_rows, k), int

    Returns
    -------
    ndarray of shape (n_rows,)
        0..1; about 0.3 in random order, near 0 where all neighbours are close by or far off.

    Examples
    --------
    >>> near = np.array([[(i - 1) % 100, (i + 1) % 100] * 5 for i in range(100)])
    >>> bool(row_scores(near)[50] < 0.001)
    True
    """
    neighbours = np.asarray(neighbours, dtype=np.int32)
    gaps = np.sort(np.abs(neighbours - np.arange(len(neighbours), dtype=np.int32)[:, None]), axis=1)
    expected = sqrt(2.0 / (pi * neighbours.shape[1])) * pi / 8.0
    return 1.0 - np.tanh(_areas(gaps) / expected)


@njit(nogil=True, cache=True)
def _areas(gaps: NDArray[np.int32]) -> NDArray[np.float64]:
    """Area between the step function of each row's sorted gaps and its background, over the largest gap.

    The background rises by two rows a step up to the nearer end and by one beyond, taken as linear in between.
    """
    n_rows, k = gaps.shape
    out = np.empty(n_rows)
    for i in range(n_rows):
        near = min(i, n_rows - 1 - i)
        far = n_rows - 1 - near
        area = 0.0
        start = 0
        for step in range(k + 1):
            stop = gaps[i, step] if step < k else far
            level = step / k
            if start < near < stop:
                area += _area_to_line(level, start, near, near, n_rows)
                area += _area_to_line(level, near, stop, near, n_rows)
            else:
                area += _area_to_line(level, start, stop, near, n_rows)
            start = stop
        out[i] = area / far
    return out


@njit(nogil=True, cache=True)
def _area_to_line(level: float, start: int, stop: int, near: int, n_rows: int) -> float:
    """Area between a constant and the background where that is one straight line."""
    first = (min(start, near) + start) / (n_rows - 1) - level
    last = (min(stop, near) + stop) / (n_rows - 1) - level
    if first * last >= 0.0:
        return (stop - start) * (abs(first) + abs(last)) / 2.0
    return (stop - start) * (first * first + last * last) / (2.0 * (abs(first) + abs(last)))


def _features(source: Any) -> NDArray[np.float64]:
    """An array of numbers as it is; a table as standardised numbers and indicators of categories."""
    if isinstance(source, (np.ndarray, list, tuple)):
        return np.asarray(source, dtype=np.float64)
    table = source if isinstance(source, FeatureTable) else read(source)
    used = [column for column in table.columns() if column.kind not in ("constant", "id", "text")]
    if not used:
        raise ValueError("no column to compare rows by: all are constants, identifiers or text")
    return np.column_stack([_indicators(column) if column.is_coded else _standardised(column) for column in used])


def _standardised(column: Column) -> NDArray[np.float64]:
    values = column.values - np.nanmean(column.values)
    return np.nan_to_num(values / max(float(np.nanstd(values)), np.finfo(float).tiny))


def _indicators(column: Column) -> NDArray[np.float64]:
    """One column a category, at distance 1 between two categories; rows without a value are all 0."""
    return (column.values[:, None] == np.arange(len(column.categories or ()))) / sqrt(2.0)


class NonIIDDetector(BaseEstimator):
    """Tells whether, where and by which features the order of the rows carries information.

    Parameters
    ----------
    k : int
        Neighbours of each row.
    n_permutations : int
    metric : {"auto", "cosine", "euclidean"}
    alpha : float
        Level of the test, 0..1, and of the false discovery rate among features.
    random_state : int, Generator or None

    Attributes
    ----------
    result_ : OrderTest
    pvalue_, statistic_ : float
    row_scores_ : ndarray of shape (n_rows,)
    is_iid_ : bool
        False when the p-value is at most `alpha`.
    trend_ : ndarray of shape (n_features_in_,)
        Spearman correlation of each feature with the row's position; NaN for a constant feature.
    trend_qvalue_ : ndarray of shape (n_features_in_,)
        Its p-value, adjusted for the number of features.
    n_features_in_ : int

    References
    ----------
    Cummings, Snorrason and Mueller (2023), Detecting Dataset Drift and Non-IID Sampling via k-Nearest Neighbors.
    arXiv:2305.15696.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(300, 3))
    >>> x[:, 1] += np.linspace(0, 2, 300)
    >>> print(NonIIDDetector().fit(x).report())
    The rows are not in random order (p = 0.005, distance 0.083).
    The order matters most around rows 57 to 71.
    Rising or falling along the rows: x1 (Spearman 0.52).
    """

    def __init__(
        self,
        k: int = 10,
        n_permutations: int = 199,
        metric: Metric = "auto",
        alpha: float = 0.05,
        random_state: RandomState = 0,
    ) -> None:
        self.k = k
        self.n_permutations = n_permutations
        self.metric = metric
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> NonIIDDetector:
        """Test the order of the rows of `X`, shape (n_rows, n_features); `y` is ignored."""
        x: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=3)
        self.result_ = knn_iid_test(x, self.k, self.n_permutations, self.metric, self.random_state)
        self.pvalue_, self.statistic_ = self.result_.pvalue, self.result_.statistic
        self.row_scores_ = self.result_.row_scores
        self.is_iid_ = bool(self.pvalue_ > self.alpha)
        self.trend_ = _rank_trend(x)
        self.trend_qvalue_ = false_discovery(correlation_pvalue(self.trend_, np.full(x.shape[1], len(x))))
        return self

    def report(self) -> str:
        """What was found, in one to three plain sentences: the verdict, the place, the features."""
        check_is_fitted(self)
        evidence = f"(p = {self.pvalue_:.3g}, distance {self.statistic_:.3f})"
        if self.is_iid_:
            return f"Nothing speaks against a random order of the rows {evidence}."
        window = max(1, len(self.row_scores_) // 20)
        centre = int(np.argmin(self.result_.local_scores(window)))
        first, last = max(0, centre - (window - 1) // 2), min(len(self.row_scores_) - 1, centre + window // 2)
        lines = [
            f"The rows are not in random order {evidence}.",
            f"The order matters most around rows {first} to {last}.",
        ]
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        trending = [j for j in np.argsort(-np.abs(self.trend_)) if self.trend_qvalue_[j] <= self.alpha]
        if trending:
            listed = ", ".join(f"{names[j]} (Spearman {self.trend_[j]:.2f})" for j in trending[:5])
            lines.append(f"Rising or falling along the rows: {listed}.")
        return "\n".join(lines)


def _rank_trend(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman correlation of each column with the row's position."""
    store = ColumnStore([Column(str(j), "numeric", X[:, j]) for j in range(X.shape[1])])
    position = np.arange(len(X)) - (len(X) - 1) / 2.0
    ranks = np.column_stack([store.ranks(j) for j in range(len(store))]) - (len(X) + 1) / 2.0
    length = np.linalg.norm(ranks, axis=0) * np.linalg.norm(position)
    return np.where(length > 0, position @ ranks / np.where(length > 0, length, 1.0), np.nan)
