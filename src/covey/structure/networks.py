"""Networks of strong correlations, one a sample, as features: degrees, cycles and weights of each node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from covey import engine as engines
from covey.engine import Engine
from covey.structure._adjacency import adjacency_matrix

NodeFeature = Literal["degree", "cycle3", "cycle4", "weight", "distance_degree"]
NODE_FEATURES: tuple[NodeFeature, ...] = ("degree", "cycle3", "cycle4", "weight", "distance_degree")


def correlation_network(
    correlation: ArrayLike, *, threshold: float | None = None, density: float | None = None, absolute: bool = False
) -> csr_array:
    """Graph of the pairs whose correlation is above a threshold, or of a given share of the strongest pairs.

    Parameters
    ----------
    correlation : array-like of shape (n_nodes, n_nodes)
        Symmetric; NaN is no edge, the diagonal is ignored.
    threshold : float, optional
        A pair is joined when its correlation is greater.
    density : float, optional
        Share of all pairs that is joined, 0..1; of equal correlations those of the first nodes go first.
    absolute : bool
        Whether strong negative correlations count as strong.

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float64
        Entries 0 and 1.

    Raises
    ------
    ValueError
        If the matrix is not square and symmetric, or not exactly one of `threshold` and `density` is given.

    Examples
    --------
    >>> r = np.array([[1, 0.9, 0.2], [0.9, 1, -0.6], [0.2, -0.6, 1]])
    >>> correlation_network(r, threshold=0.5).toarray().astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 0, 0]])
    >>> correlation_network(r, density=2 / 3, absolute=True).nnz
    4
    """
    r = np.asarray(correlation, dtype=np.float64)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or not np.allclose(r, r.T, equal_nan=True):
        raise ValueError(f"correlation must be a symmetric square matrix; its shape is {r.shape}")
    _check_cut(threshold, density)
    left, right = np.triu_indices(len(r), 1)
    strength = np.nan_to_num(np.abs(r[left, right]) if absolute else r[left, right], nan=-np.inf)
    if density is None:
        joined = np.flatnonzero(strength > threshold)
    else:
        strongest = np.argsort(-strength, kind="stable")[: round(density * len(strength))]
        joined = strongest[strength[strongest] > -np.inf]
    edges = np.array([left[joined], right[joined]])
    return adjacency_matrix(csr_array((np.ones(2 * len(joined)), np.hstack([edges, edges[::-1]])), shape=r.shape))


def _check_cut(threshold: float | None, density: float | None) -> None:
    if (threshold is None) == (density is None):
        raise ValueError("give exactly one of threshold and density")
    if threshold is not None and np.isnan(threshold):
        raise ValueError("threshold must be a number, got NaN")
    if density is not None and not 0.0 <= density <= 1.0:
        raise ValueError(f"density must lie in 0..1, got {density}")


def cycle_map(graph: Any, length: Literal[3, 4] = 3) -> NDArray[np.int64]:
    """Number of cycles of 3 or 4 different nodes that run through each node.

    Parameters
    ----------
    graph : array-like or sparse matrix of shape (n_nodes, n_nodes), or networkx.Graph
        Undirected; weights and self-loops are ignored.
    length : {3, 4}

    Returns
    -------
    ndarray of shape (n_nodes,), int64
        0 for a node without neighbours.

    Raises
    ------
    ValueError
        If the graph is directed or empty, or for another length.

    Notes
    -----
    With S the number of walks of two steps, triangles are half the row sums of S where there is an edge; a cycle of
    four nodes through `i` is a choice of two walks to the node `j` that lies opposite.

    References
    ----------
    Dey, Rao and Shah (2012), Exploiting the brain's network structure in identifying ADHD subjects. Front. Syst.
    Neurosci. 6; arXiv:2306.09239.

    Examples
    --------
    A square with one diagonal:

    >>> graph = np.array([[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0]])
    >>> cycle_map(graph, 3), cycle_map(graph, 4)
    (array([2, 1, 2, 1]), array([1, 1, 1, 1]))
    """
    if length not in (3, 4):
        raise ValueError(f"length must be 3 or 4, got {length}")
    return _cycles(adjacency_matrix(graph, symmetric=True), length)


def _cycles(edges: csr_array, length: int) -> NDArray[np.int64]:
    walks = edges @ edges
    if length == 3:
        return np.rint(walks.multiply(edges).sum(axis=1) / 2.0).astype(np.int64)
    walks.setdiag(0)
    return np.rint(walks.multiply(walks).sum(axis=1) - walks.sum(axis=1)).astype(np.int64) // 2


def distance_degree(graph: Any, positions: ArrayLike | None, bins: ArrayLike) -> NDArray[np.int64]:
    """Degree of each node, split by how far away its neighbours lie.

    Parameters
    ----------
    graph
        As for `cycle_map`.
    positions : array-like of shape (n_nodes, n_dimensions)
    bins : array-like of shape (n_bins - 1,)
        Rising distances that separate the bins.

    Returns
    -------
    ndarray of shape (n_bins, n_nodes), int64

    Raises
    ------
    ValueError
        If `positions` are not those of the nodes or not finite, or `bins` do not rise.

    References
    ----------
    Dey, Rao and Shah (2023), arXiv:2306.09239.

    Examples
    --------
    >>> path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> distance_degree(path, [[0.0], [1.0], [9.0]], bins=[5.0])
    array([[1, 1, 0],
           [0, 1, 1]])
    """
    edges = adjacency_matrix(graph, symmetric=True)
    place, cuts = _places(positions, bins, edges.shape[0])
    rows, columns = edges.nonzero()
    which = np.searchsorted(cuts, np.linalg.norm(place[rows] - place[columns], axis=1), side="right")
    counts = np.bincount(which * len(place) + rows, minlength=(len(cuts) + 1) * len(place))
    return counts.reshape(len(cuts) + 1, len(place))


def _places(
    positions: ArrayLike | None, bins: ArrayLike, n_nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    place, cuts = np.asarray(positions, dtype=np.float64), np.asarray(bins, dtype=np.float64)
    if place.ndim != 2 or len(place) != n_nodes:
        raise ValueError(f"positions must have shape ({n_nodes}, n_dimensions), not {place.shape}")
    if not np.isfinite(place).all():
        raise ValueError("positions must be finite; a node without a place has no distance to its neighbours")
    if cuts.ndim != 1 or np.isnan(cuts).any() or (np.diff(cuts) <= 0).any():
        raise ValueError("bins must be rising distances")
    return place, cuts


class CorrelationNetworkFeatures(TransformerMixin, BaseEstimator):
    """Turns each sample, a set of simultaneous series, into maps over the nodes of its correlation network.

    Parameters
    ----------
    features : sequence of {"degree", "cycle3", "cycle4", "weight", "distance_degree"}
        Number of neighbours; of triangles; of cycles of four; sum of the neighbours' correlations; degree by distance.
    threshold : float, optional
        Pearson correlation above which two series are joined.
    density : float, optional
        Share of pairs that is joined, in place of a threshold.
    absolute : bool
        Whether strong negative correlations join.
    positions : array-like of shape (n_nodes, n_dimensions), optional
        Of the nodes, for ``"distance_degree"``.
    distance_bins : sequence of float
        Rising distances between the bins of ``"distance_degree"``.
    engine : Engine, optional
        Where samples are worked on; local threads by default.

    Attributes
    ----------
    n_nodes_ : int

    Raises
    ------
    ValueError
        If samples differ in their number of series or hold missing values, there are fewer than two times or two
        series, a feature is unknown, or positions are missing or not those of the nodes.

    Notes
    -----
    A series that does not vary has no correlation: its node is isolated, with 0 in every map.

    References
    ----------
    Dey, Rao and Shah (2023), Exploiting the Brain's Network Structure for Automatic Identification of ADHD Subjects.
    arXiv:2306.09239.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> series = rng.normal(size=(5, 200, 4))
    >>> series[:, :, 1:] += 2 * rng.normal(size=(5, 200, 1))
    >>> maps = CorrelationNetworkFeatures(("degree", "cycle3"), threshold=0.5)
    >>> maps.fit_transform(series)[0]
    array([0., 2., 2., 2., 0., 1., 1., 1.])
    >>> maps.get_feature_names_out()[-1]
    'cycle3_3'
    """

    def __init__(
        self,
        features: Sequence[NodeFeature] = ("degree", "cycle3"),
        threshold: float | None = 0.3,
        density: float | None = None,
        absolute: bool = False,
        positions: ArrayLike | None = None,
        distance_bins: Sequence[float] = (),
        engine: Engine | None = None,
    ) -> None:
        self.features = features
        self.threshold = threshold
        self.density = density
        self.absolute = absolute
        self.positions = positions
        self.distance_bins = distance_bins
        self.engine = engine

    def fit(self, X: Any, y: object = None) -> CorrelationNetworkFeatures:
        """Note the number of nodes of `X`, shape (n_samples, n_times, n_nodes) or a list of (n_times, n_nodes)."""
        samples = _samples(X)
        unknown = [name for name in self.features if name not in NODE_FEATURES]
        if unknown or len(self.features) == 0:
            raise ValueError(f"features must be some of {', '.join(NODE_FEATURES)}; got {list(self.features)}")
        if "distance_degree" in self.features and self.positions is None:
            raise ValueError("distance_degree needs positions of the nodes")
        _check_cut(self.threshold if self.density is None else None, self.density)
        if "distance_degree" in self.features:
            _places(self.positions, self.distance_bins, samples[0].shape[1])
        self.n_nodes_ = samples[0].shape[1]
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Maps of each sample side by side, shape (n_samples, n_maps * n_nodes)."""
        check_is_fitted(self)
        samples = _samples(X)
        if samples[0].shape[1] != self.n_nodes_:
            raise ValueError(f"X has {samples[0].shape[1]} series a sample, but fit saw {self.n_nodes_}")
        return np.stack(engines.resolve(self.engine).map(self._maps, samples))

    def _maps(self, series: NDArray[np.float64]) -> NDArray[np.float64]:
        correlation = _correlation(series)
        threshold = self.threshold if self.density is None else None
        network = correlation_network(correlation, threshold=threshold, density=self.density, absolute=self.absolute)
        return np.concatenate([self._map(name, network, correlation).ravel() for name in self.features])

    def _map(self, name: NodeFeature, network: csr_array, correlation: NDArray[np.float64]) -> NDArray[Any]:
        if name == "degree":
            return np.diff(network.indptr).astype(np.float64)
        if name == "weight":
            return np.asarray(network.multiply(np.nan_to_num(correlation)).sum(axis=1), dtype=np.float64)
        if name == "distance_degree":
            return distance_degree(network, self.positions, self.distance_bins).astype(np.float64)
        return _cycles(network, 3 if name == "cycle3" else 4).astype(np.float64)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name of the map and number of the node, ``"cycle3_17"``; bins of distance are numbered too."""
        check_is_fitted(self)
        maps: list[str] = []
        for name in self.features:
            n_bins = len(self.distance_bins) + 1
            maps += [f"{name}{k}" for k in range(n_bins)] if name == "distance_degree" else [name]
        return np.array([f"{name}_{j}" for name in maps for j in range(self.n_nodes_)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags


def _samples(X: Any) -> list[NDArray[np.float64]]:
    samples = [np.asarray(sample, dtype=np.float64) for sample in X]
    if not samples:
        raise ValueError("X has no sample")
    n_nodes = samples[0].shape[-1] if samples[0].ndim else 0
    for i, sample in enumerate(samples):
        if sample.ndim != 2 or min(sample.shape) < 2 or sample.shape[1] != n_nodes:
            raise ValueError(
                f"sample {i} of X has shape {sample.shape}; each must have shape (n_times, n_nodes) with at least two "
                "times and two nodes, the same nodes in every sample"
            )
        if not np.isfinite(sample).all():
            raise ValueError(f"sample {i} of X holds NaN or infinity; fill in or drop these times first")
    return samples


def _correlation(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of the columns; NaN where a column does not vary."""
    largest = np.abs(series).max(axis=0)
    series = series / np.where(largest > 0.0, largest, 1.0)  # squares must not overflow
    centred = series - series.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    constant = length <= 64 * np.finfo(float).eps * np.linalg.norm(series, axis=0)
    unit = centred / np.where(constant, 1.0, length)
    unit[:, constant] = np.nan
    return np.clip(unit.T @ unit, -1.0, 1.0)


class NodeMask(SelectorMixin, BaseEstimator):
    """Keeps the nodes whose own features tell the classes apart, by how well each alone classifies the training data.

    Parameters
    ----------
    n_nodes : int, optional
        Columns ``j, j + n_nodes, ...`` belong to node `j`; by default each column is a node.
    keep : float
        Share of the nodes that is kept, above 0 up to 1.

    Attributes
    ----------
    scores_ : ndarray of shape (n_nodes,)
        Accuracy of a linear discriminant on the node's features, on the data it was fitted to; 0..1.
    nodes_ : ndarray of shape (n_kept,), intp
        Rising.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If the columns are no multiple of `n_nodes`, `keep` lies outside 0..1, or there is one class only.

    References
    ----------
    Dey, Rao and Shah (2023), arXiv:2306.09239.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> x = rng.normal(size=(200, 6))
    >>> x[:, 4] += 2 * y
    >>> mask = NodeMask(n_nodes=3, keep=0.3).fit(x, y)
    >>> mask.nodes_, mask.get_support()
    (array([1]), array([False,  True, False, False,  True, False]))
    """

    def __init__(self, n_nodes: int | None = None, keep: float = 0.3) -> None:
        self.n_nodes = n_nodes
        self.keep = keep

    def fit(self, X: ArrayLike, y: ArrayLike) -> NodeMask:
        """Score the nodes of `X`, shape (n_samples, n_features), against the classes `y`."""
        x, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(labels)
        codes = np.unique(labels, return_inverse=True)[1]
        _check_classes(labels)
        n_nodes = x.shape[1] if self.n_nodes is None else self.n_nodes
        if n_nodes < 1 or x.shape[1] % n_nodes:
            raise ValueError(f"X has {x.shape[1]} columns, which are no multiple of n_nodes={n_nodes}")
        if not 0.0 < self.keep <= 1.0:
            raise ValueError(f"keep must lie above 0 and be at most 1, got {self.keep}")
        self.scores_ = np.array([_alone(x[:, j::n_nodes], codes) for j in range(n_nodes)])
        n_kept = max(1, round(self.keep * n_nodes))
        self.nodes_ = np.sort(np.argsort(-self.scores_, kind="stable")[:n_kept])
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return np.isin(np.arange(self.n_features_in_) % len(self.scores_), self.nodes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _alone(x: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    """Training accuracy of a linear discriminant; that of the largest class when nothing varies."""
    counts = np.bincount(codes)
    spread = x.std(axis=0)
    constant = spread <= 64 * np.finfo(float).eps * np.abs(x).max(axis=0)
    x = np.where(constant, 0.0, (x - x.mean(axis=0)) / np.where(constant, 1.0, spread))
    means = np.array([x[codes == k].mean(axis=0) for k in range(len(counts))])
    within = x - means[codes]
    weights = np.linalg.solve(within.T @ within / len(x) + 1e-6 * np.eye(x.shape[1]), means.T)
    score = x @ weights - 0.5 * (means * weights.T).sum(axis=1) + np.log(counts / len(x))
    return float(np.mean(score.argmax(axis=1) == codes))


def _check_classes(labels: NDArray[Any]) -> None:
    if len(np.unique(labels)) < 2:
        raise ValueError("y has one class only; at least two are needed")


class PCALDAClassifier(ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis of the leading principal components of the standardised features.

    Parameters
    ----------
    n_components : int or float
        Number of components, or the share of the variance that they must hold (below 1).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_components_ : int
    pipeline_ : Pipeline
    n_features_in_ : int

    Raises
    ------
    ValueError
        If there is one class only, or no feature varies.

    References
    ----------
    Dey, Rao and Shah (2023), arXiv:2306.09239.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> y = x[:, 0] + x[:, 1] > 0
    >>> PCALDAClassifier(0.99).fit(x, y).score(x, y) > 0.9
    True
    """

    def __init__(self, n_components: int | float = 0.95) -> None:
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: ArrayLike) -> PCALDAClassifier:
        """Fit to `X`, shape (n_samples, n_features), and the classes `y`."""
        x, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(labels)
        _check_classes(labels)
        if not np.ptp(x, axis=0).any():
            raise ValueError("no feature of X varies, so no component is left")
        pca = PCA(self.n_components, svd_solver="full")
        self.pipeline_: Pipeline = make_pipeline(StandardScaler(), pca, LinearDiscriminantAnalysis()).fit(x, labels)
        self.classes_ = self.pipeline_.classes_
        self.n_components_ = pca.n_components_
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of each sample, shape (n_samples,)."""
        return self._fitted().predict(self._checked(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-odds of the second of two classes, shape (n_samples,), or log-posteriors of all up to a constant."""
        return self._fitted().decision_function(self._checked(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probability of each class, shape (n_samples, n_classes)."""
        return self._fitted().predict_proba(self._checked(X))

    def _fitted(self) -> Pipeline:
        check_is_fitted(self)
        return self.pipeline_

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        return validate_data(self, X, dtype=np.float64, reset=False)
