"""Robust similarity: two rows are alike when they are alike to the same others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array, vstack
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted, validate_data

from covey.measure import AssociationMatrix
from covey.structure._square import symmetric_matrix

Array = NDArray[np.float64]

BLOCK = 512  # rows of a block of similarities


def multi_test_similarity(
    similarity: AssociationMatrix | ArrayLike, n_neighbors: int = 80, order: int = 2
) -> csr_array:
    """Similarity of neighbours, weighted by how far their profiles of similarity agree.

    One noisy similarity is a single test of whether two rows are alike. Their similarities to all others are many
    tests: with the strongest `n_neighbors` of each row (and the row itself) kept in ``S``, the result is ::

        S * cosine(rows of S)          elementwise, where S was kept

    for order 2; at each further order the profiles are rows of the result of the order before. Where both factors are
    negative so is their product: opposite rows do not become alike.

    Parameters
    ----------
    similarity : AssociationMatrix or array-like of shape (n, n)
        Symmetric, each row most similar to itself. Of an association matrix the strength is taken.
    n_neighbors : int
        Neighbours kept a row, besides itself.
    order : int
        1 for the similarity itself, 2 for the published score.

    Returns
    -------
    csr_array of shape (n, n)
        Row i holds the neighbours of i; it need not be symmetric.

    Raises
    ------
    ValueError
        If `similarity` is not a finite symmetric matrix, or a parameter is below 1.

    References
    ----------
    Zhu et al. (2022), Robust Graph Structure Learning via Multiple Statistical Tests. NeurIPS. arXiv:2210.03956.

    Examples
    --------
    Columns 0, 1, 2 hang together; 3 has one strong association, with 2, that no other column shares:

    >>> similarity = np.array([[1, 0.6, 0.6, 0], [0.6, 1, 0.6, 0], [0.6, 0.6, 1, 0.6], [0, 0, 0.6, 1]])
    >>> multi_test_similarity(similarity, n_neighbors=3).toarray()[2].round(2)
    array([0.49, 0.49, 1.  , 0.43])
    """
    matrix = symmetric_matrix(similarity, "similarity")
    _check(n_neighbors, order)
    graph = _strongest([matrix], n_neighbors + 1)
    return _orders(graph, [], order)[-1]


def bcubed(labels_true: ArrayLike, labels_pred: ArrayLike) -> tuple[float, float, float]:
    """BCubed precision, recall and F of a clustering: what the cluster of a sample tells of its class, on average.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)

    Returns
    -------
    precision, recall, f : float
        0..1. Precision is the mean share of a sample's cluster that has its class, recall the mean share of its
        class that is in its cluster, `f` their harmonic mean.

    Raises
    ------
    ValueError
        If there are no labels, or their numbers differ.

    References
    ----------
    Amigo et al. (2009), A comparison of extrinsic clustering evaluation metrics based on formal constraints.
    Information Retrieval 12.

    Examples
    --------
    >>> bcubed([0, 0, 1, 1], [0, 0, 0, 1])
    (0.666..., 0.75, 0.705...)
    """
    counts = _shared_counts(labels_true, labels_pred)
    n = counts.sum()
    precision = float((counts.multiply(counts).sum(axis=0) / counts.sum(axis=0)).sum() / n)
    recall = float((counts.multiply(counts).sum(axis=1) / counts.sum(axis=1)).sum() / n)
    return precision, recall, 2.0 * precision * recall / (precision + recall)


def pairwise_f(labels_true: ArrayLike, labels_pred: ArrayLike) -> tuple[float, float, float]:
    """Pairwise precision, recall and F of a clustering: whether two samples of a cluster have one class.

    Large clusters have most pairs and so most weight; `bcubed` gives every sample the same.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)

    Returns
    -------
    precision, recall, f : float
        0..1. Precision is the share of the pairs within a cluster that have one class, NaN when every cluster is a
        single sample; recall the share of the pairs of one class that are within a cluster, NaN when every class is a
        single sample. `f` is twice the pairs that agree over the pairs of both kinds: the harmonic mean of the two
        where they are defined, NaN where neither is.

    Raises
    ------
    ValueError
        If there are no labels, or their numbers differ.

    References
    ----------
    Amigo et al. (2009), A comparison of extrinsic clustering evaluation metrics based on formal constraints.
    Information Retrieval 12.

    Examples
    --------
    >>> pairwise_f([0, 0, 1, 1], [0, 0, 0, 1])
    (0.333..., 0.5, 0.4)
    """
    counts = _shared_counts(labels_true, labels_pred)
    both, clustered, classed = (_pairs(sizes) for sizes in (counts.data, counts.sum(axis=0), counts.sum(axis=1)))
    return _share(both, clustered), _share(both, classed), _share(2.0 * both, clustered + classed)


def _shared_counts(labels_true: ArrayLike, labels_pred: ArrayLike) -> csr_array:
    """Samples of each class in each cluster, shape (n_classes, n_clusters)."""
    truth, found = np.asarray(labels_true), np.asarray(labels_pred)
    if truth.shape != found.shape or truth.ndim != 1 or len(truth) == 0:
        raise ValueError(f"labels must be two vectors of one length, got shapes {truth.shape} and {found.shape}")
    rows, columns = (np.unique(labels, return_inverse=True)[1] for labels in (truth, found))
    counts = csr_array((np.ones(len(rows)), (rows, columns)))
    counts.sum_duplicates()
    return counts


def _pairs(sizes: Array) -> float:
    return float(np.sum(sizes * (sizes - 1.0)) / 2.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


class MultiTestSimilarity(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Graph of neighbours weighted by similarity times the agreement of their similarities to others.

    See `multi_test_similarity`. Like scikit-learn's `KNeighborsTransformer` it turns rows into a sparse graph towards
    the rows of the fit, for what takes precomputed affinities; ``(graph + graph.T) / 2`` is symmetric.

    Parameters
    ----------
    n_neighbors : int
        Neighbours kept a row, besides itself.
    order : int
        1 for the similarity itself, 2 for the published score.
    metric : {"cosine", "precomputed"}
        ``"precomputed"`` takes similarities: square to fit, (n_queries, n_samples_fit) to transform.

    Attributes
    ----------
    graphs_ : list of csr_array of shape (n_samples_fit, n_samples_fit)
        The graph at each order up to `order`.
    n_samples_fit_ : int
    n_features_in_ : int

    Raises
    ------
    ValueError
        If values are missing, or a parameter is out of range.

    References
    ----------
    Zhu et al. (2022), Robust Graph Structure Learning via Multiple Statistical Tests. NeurIPS. arXiv:2210.03956.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(rng.normal(size=(4, 20)), 25, axis=0) + 2 * rng.normal(size=(100, 20))
    >>> graph = MultiTestSimilarity(n_neighbors=20).fit_transform(X)
    >>> graph.shape, graph.nnz
    ((100, 100), 2100)
    """

    def __init__(
        self, n_neighbors: int = 80, order: int = 2, metric: Literal["cosine", "precomputed"] = "cosine"
    ) -> None:
        self.n_neighbors = n_neighbors
        self.order = order
        self.metric = metric

    @property
    def _n_features_out(self) -> int:
        return self.n_samples_fit_

    def fit(self, X: Any, y: Any = None) -> Self:
        """Graphs of the rows of `X`, shape (n_samples, n_features); `y` is ignored."""
        x = validate_data(self, X, dtype=np.float64)
        _check(self.n_neighbors, self.order)
        if self.metric not in ("cosine", "precomputed"):
            raise ValueError(f"metric must be 'cosine' or 'precomputed', got {self.metric!r}")
        self._rows = symmetric_matrix(x, "similarity") if self.metric == "precomputed" else normalize(x)
        self.n_samples_fit_ = len(x)
        self.graphs_ = _orders(self._first(x), [], self.order)
        return self

    def transform(self, X: Any) -> csr_array:
        """Graph from the rows of `X` to those of the fit, csr_array of shape (n_queries, n_samples_fit)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        return _orders(self._first(x), self.graphs_, self.order)[-1]

    def _first(self, x: Array) -> csr_array:
        blocks = [x] if self.metric == "precomputed" else _cosines(x, self._rows)
        return _strongest(blocks, self.n_neighbors + 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags


def _check(n_neighbors: int, order: int) -> None:
    for name, value in (("n_neighbors", n_neighbors), ("order", order)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _cosines(x: Array, unit_rows: Array) -> Iterator[Array]:
    for start in range(0, len(x), BLOCK):
        yield normalize(x[start : start + BLOCK]) @ unit_rows.T


def _strongest(blocks: Iterable[Array], k: int) -> csr_array:
    """The `k` greatest entries of each row, of a matrix that comes in blocks of rows."""
    kept = []
    for block in blocks:
        k = min(k, block.shape[1])
        columns = np.sort(np.argpartition(-block, k - 1, axis=1)[:, :k], axis=1)
        values = np.take_along_axis(block, columns, axis=1)
        ends = np.arange(0, values.size + 1, k)
        kept.append(csr_array((values.ravel(), columns.ravel(), ends), shape=block.shape))
    return vstack(kept, format="csr")


def _orders(graph: csr_array, reference: list[csr_array], order: int) -> list[csr_array]:
    """Graphs at orders 1 to `order`; profiles are compared with those in `reference`, or else with one another."""
    graphs = [graph]
    for level in range(order - 1):
        others = reference[level] if reference else graphs[level]
        graphs.append(_weighted(graph, graphs[level], others))
    return graphs


def _weighted(graph: csr_array, profiles: csr_array, others: csr_array) -> csr_array:
    """`graph` times the cosine of a row of `profiles` and a row of `others`, where `graph` has an entry.

    A product of two negative factors is made negative.
    """
    left, right = _unit(profiles), _unit(others).T.tocsr()
    out = graph.copy()
    for start in range(0, graph.shape[0], BLOCK):
        agreement = (left[start : start + BLOCK] @ right).toarray()
        first, last = graph.indptr[start], graph.indptr[min(start + BLOCK, graph.shape[0])]
        row = np.repeat(np.arange(len(agreement)), np.diff(graph.indptr[start : start + len(agreement) + 1]))
        similarity, agreed = out.data[first:last], agreement[row, graph.indices[first:last]]
        similarity *= np.where(similarity < 0.0, np.abs(agreed), agreed)
    return out


def _unit(rows: csr_array) -> csr_array:
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    return (diags_array(1.0 / np.where(length > 0, length, 1.0)) @ rows).tocsr()
