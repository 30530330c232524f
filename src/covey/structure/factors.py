"""Latent factors found as cliques of the thresholded correlation graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from covey.engine._local import one_blas_thread

# Least unique variance of a standardised variable: keeps a Heywood case (a factor that copies one variable)
# from sending the likelihood to infinity.
LEAST_UNIQUENESS = 0.005


def independent_maximal_cliques(adjacency: ArrayLike) -> NDArray[np.bool_]:
    """Maximal cliques that hold a vertex of no other maximal clique.

    A vertex lies in one maximal clique only when its closed neighbourhood is a clique, so these cliques are the
    distinct complete closed neighbourhoods: no enumeration of cliques is needed, and the search takes at most
    ``n_vertices ** 3 / 64`` word operations.

    Parameters
    ----------
    adjacency : array-like of shape (n_vertices, n_vertices), bool
        Symmetric; the diagonal is ignored.

    Returns
    -------
    ndarray of shape (n_vertices, n_cliques), bool
        Membership, cliques ordered by their first vertex that is in no other clique. An isolated vertex is a
        clique of one.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.

    References
    ----------
    Kim and Zhou (2022), Structure Learning of Latent Factors via Clique Search on Correlation Thresholded
    Graphs. ICML. arXiv:2203.01471.

    Examples
    --------
    Two triangles that share vertex 2:

    >>> edges = np.zeros((5, 5), dtype=bool)
    >>> for i, j in [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)]:
    ...     edges[i, j] = edges[j, i] = True
    >>> independent_maximal_cliques(edges).T.astype(int)
    array([[1, 1, 1, 0, 0],
           [0, 0, 1, 1, 1]])
    """
    closed = np.array(adjacency, dtype=bool)
    if closed.ndim != 2 or closed.shape[0] != closed.shape[1] or (closed != closed.T).any():
        raise ValueError(f"adjacency must be a symmetric square matrix; its shape is {closed.shape}")
    np.fill_diagonal(closed, True)
    candidates = closed[_simplicial(closed, _bitset(closed))]
    if len(candidates) == 0:
        return np.zeros((len(closed), 0), dtype=bool)
    _, first = np.unique(np.packbits(candidates, axis=1), axis=0, return_index=True)
    return np.ascontiguousarray(candidates[np.sort(first)].T)


def _bitset(rows: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of bits packed into words, shape (n_rows, ceil(n_columns / 64))."""
    packed = np.packbits(rows, axis=1)
    padded = np.zeros((len(rows), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


@njit(nogil=True, cache=True)
def _simplicial(closed: NDArray[np.bool_], bits: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which vertices have a complete closed neighbourhood: N[v] lies inside N[u] for each neighbour u."""
    n_vertices, n_words = bits.shape
    out = np.ones(n_vertices, dtype=np.bool_)
    for v in range(n_vertices):
        for u in range(n_vertices):
            if closed[v, u] and out[v]:
                for word in range(n_words):
                    if bits[v, word] & ~bits[u, word]:
                        out[v] = False
                        break
    return out


@dataclass(frozen=True, eq=False)
class FactorModel:
    """A confirmatory factor model of standardised variables, ``correlation = L F L' + diag(u)``.

    Parameters
    ----------
    loadings : ndarray of shape (n_features, n_factors)
        `L`, zero where the pattern is.
    factor_correlation : ndarray of shape (n_factors, n_factors)
        `F`, unit diagonal.
    uniquenesses : ndarray of shape (n_features,)
        `u`, positive.
    log_likelihood : float
        Of all samples, under normality, without the constant that does not depend on the model.
    n_parameters : int
    n_iter : int
    """

    loadings: NDArray[np.float64]
    factor_correlation: NDArray[np.float64]
    uniquenesses: NDArray[np.float64]
    log_likelihood: float
    n_parameters: int
    n_iter: int

    def bic(self, n_samples: int) -> float:
        """Bayesian information criterion; smaller is better."""
        return -2.0 * self.log_likelihood + self.n_parameters * np.log(n_samples)

    @property
    def score_weights(self) -> NDArray[np.float64]:
        """Weights of the regression scores, shape (n_features, n_factors): ``scores = z @ score_weights``."""
        weighted, precision = _weighted_loadings(self.loadings, self.factor_correlation, self.uniquenesses)
        return weighted @ np.linalg.inv(precision)


def confirmatory_factor_analysis(
    correlation: NDArray[np.float64],
    pattern: NDArray[np.bool_],
    n_samples: int,
    *,
    max_iter: int = 500,
    tol: float = 1e-7,
) -> FactorModel:
    """Maximum likelihood by expectation-maximisation, with loadings zero outside `pattern` and oblique factors.

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
        Sample correlation matrix.
    pattern : ndarray of shape (n_features, n_factors), bool
        Where loadings may differ from zero.
    n_samples : int
        Number of samples behind `correlation`.
    max_iter : int
    tol : float
        Stop when the log-likelihood per sample rises by less than this in one step.

    Returns
    -------
    FactorModel

    References
    ----------
    Rubin and Thayer (1982), EM algorithms for ML factor analysis. Psychometrika 47.

    Examples
    --------
    >>> loadings = np.array([[0.8, 0], [0.7, 0], [0.6, 0], [0, 0.9], [0, 0.8], [0, 0.7]])
    >>> correlation = loadings @ [[1, 0.3], [0.3, 1]] @ loadings.T
    >>> np.fill_diagonal(correlation, 1)
    >>> model = confirmatory_factor_analysis(correlation, loadings > 0, 1000, max_iter=5000, tol=1e-12)
    >>> model.loadings.max(axis=1).round(2), model.factor_correlation[0, 1].round(2)
    (array([0.8, 0.7, 0.6, 0.9, 0.8, 0.7]), np.float64(0.3))
    """
    n_features, n_factors = pattern.shape
    n_parameters = int(pattern.sum()) + n_factors * (n_factors - 1) // 2 + n_features
    loadings, factors, unique = _start(correlation, pattern)
    rows_by_size = _rows_by_size(pattern)
    previous = -np.inf
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        weighted, precision = _weighted_loadings(loadings, factors, unique)
        covariance = np.linalg.inv(precision)
        projected = _sparse_product(correlation, weighted)
        cross = _masked_product(projected, covariance, pattern)  # mean of x f', where loadings are
        likelihood = _log_likelihood(np.diag(correlation), factors, unique, weighted, precision, cross)
        if likelihood - previous < tol:
            break
        previous = likelihood
        second = covariance + covariance @ (csr_array(weighted.T) @ projected) @ covariance  # mean of f f'
        loadings = _loadings(cross, second, rows_by_size)
        unique = np.maximum(np.diag(correlation) - (loadings * cross).sum(axis=1), LEAST_UNIQUENESS)
        scale = np.sqrt(np.diag(second))
        loadings, factors = loadings * scale, second / np.outer(scale, scale)
    return FactorModel(loadings, factors, unique, n_samples * likelihood, n_parameters, n_iter)


def _start(
    correlation: NDArray[np.float64], pattern: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Loadings from the leading eigenvector of each factor's own variables; uncorrelated factors."""
    loadings = np.zeros(pattern.shape)
    exclusive = pattern & (pattern.sum(axis=1, keepdims=True) == 1)
    for k, members in enumerate(pattern.T):
        own = np.flatnonzero(exclusive[:, k] if exclusive[:, k].any() else members)
        value, vector = np.linalg.eigh(correlation[np.ix_(own, own)])
        axis = vector[:, -1] * (1.0 if vector[:, -1].sum() >= 0 else -1.0)
        score = correlation[:, own] @ axis / np.sqrt(value[-1])
        loadings[members, k] = 0.9 * score[members]
    share = np.maximum((loadings**2).sum(axis=1), 1e-12)
    loadings *= np.sqrt(np.minimum(1.0, 0.9 / share))[:, None]
    return loadings, np.eye(pattern.shape[1]), np.diag(correlation) - (loadings**2).sum(axis=1)


def _rows_by_size(pattern: NDArray[np.bool_]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows that load on equally many factors, shape (n_rows,), with these factors, shape (n_rows, size)."""
    size = pattern.sum(axis=1)
    groups = [np.flatnonzero(size == k) for k in np.unique(size[size > 0])]
    return [(rows, np.nonzero(pattern[rows])[1].reshape(len(rows), -1)) for rows in groups]


def _weighted_loadings(
    loadings: NDArray[np.float64], factors: NDArray[np.float64], unique: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loadings over uniquenesses, and the precision of the factors given the variables."""
    weighted = loadings / unique[:, None]
    return weighted, np.linalg.inv(factors) + csr_array(loadings.T) @ weighted


def _sparse_product(correlation: NDArray[np.float64], weighted: NDArray[np.float64]) -> NDArray[np.float64]:
    """``correlation @ weighted`` where most of `weighted` is zero."""
    return np.ascontiguousarray((csr_array(weighted.T) @ correlation).T)


@njit(nogil=True, cache=True)
def _masked_product(
    left: NDArray[np.float64], symmetric: NDArray[np.float64], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """``left @ symmetric`` where the mask is true, 0 elsewhere."""
    out = np.zeros(mask.shape)
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j]:
                out[i, j] = np.dot(left[i], symmetric[j])
    return out


def _log_likelihood(
    variance: NDArray[np.float64],
    factors: NDArray[np.float64],
    unique: NDArray[np.float64],
    weighted: NDArray[np.float64],
    precision: NDArray[np.float64],
    cross: NDArray[np.float64],
) -> float:
    """Normal log-likelihood per sample; Woodbury's identity keeps every inverse at the size of the factors."""
    log_determinant = np.log(unique).sum() + np.linalg.slogdet(factors)[1] + np.linalg.slogdet(precision)[1]
    trace = (variance / unique).sum() - (weighted * cross).sum()
    return float(-0.5 * (log_determinant + trace))


def _loadings(
    cross: NDArray[np.float64],
    second: NDArray[np.float64],
    rows_by_size: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> NDArray[np.float64]:
    """Regression of each variable on its own factors."""
    loadings = np.zeros_like(cross)
    for rows, factors in rows_by_size:
        left = second[factors[:, :, None], factors[:, None, :]]
        right = cross[rows[:, None], factors]
        loadings[rows[:, None], factors] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return loadings


class CorrelationThresholdFactor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Sparse latent factors, found without being told how many, from a thresholded correlation graph.

    Variables of one factor are more correlated than variables without a common factor. So at the right threshold
    each factor is a maximal clique of the graph of strong correlations, and, when it has a variable of its own, an
    independent one (see `independent_maximal_cliques`): the cliques are the factors, their members the non-zero
    loadings. Each structure that appears along a grid of thresholds is fitted as a confirmatory factor model with
    correlated factors, and the one with the least Bayesian information criterion is kept.

    Parameters
    ----------
    threshold : float, optional
        Absolute correlation above which two variables are joined, 0 up to 1; by default chosen from a grid.
    n_thresholds : int
        Size of the grid, which is even between 0 and the greatest absolute correlation.
    min_features : int
        Cliques with fewer variables are no factors; two variables cannot tell their own loadings.
    max_iter : int
        Steps of expectation-maximisation for the structures that stay in the race.
    tol : float
        Least rise of the log-likelihood per sample in a step.

    Attributes
    ----------
    labels_ : ndarray of shape (n_features, n_factors_), bool
        Which variables load on which factor.
    n_factors_ : int
    loadings_ : ndarray of shape (n_features, n_factors_)
        Of the standardised variables.
    factor_correlation_ : ndarray of shape (n_factors_, n_factors_)
    noise_variance_ : ndarray of shape (n_features,)
        Unique variances of the standardised variables.
    threshold_ : float
    threshold_path_ : dict of str to ndarray
        ``threshold, n_factors, bic`` along the grid. The criterion comes from a short fit, but for the best
        structures from longer ones.
    mean_, scale_ : ndarray of shape (n_features,)
    n_iter_ : int
        Steps of the final fit.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If `threshold` lies outside 0 up to 1, or no clique at that threshold is large enough.

    Notes
    -----
    A variable in no independent clique has no loading. The grid holds 0, where the graph of all variables is one
    clique, so there is always at least one factor. For the greatest loading of each factor the sign is positive.

    References
    ----------
    Kim and Zhou (2022), Structure Learning of Latent Factors via Clique Search on Correlation Thresholded
    Graphs. ICML. arXiv:2203.01471.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> loadings = np.repeat(np.eye(2), 4, axis=0) * 0.8
    >>> x = rng.normal(size=(500, 2)) @ loadings.T + 0.6 * rng.normal(size=(500, 8))
    >>> model = CorrelationThresholdFactor().fit(x)
    >>> model.labels_.T.astype(int)
    array([[1, 1, 1, 1, 0, 0, 0, 0],
           [0, 0, 0, 0, 1, 1, 1, 1]])
    >>> model.transform(x).shape
    (500, 2)
    """

    def __init__(
        self,
        threshold: float | None = None,
        n_thresholds: int = 60,
        min_features: int = 3,
        max_iter: int = 500,
        tol: float = 1e-7,
    ) -> None:
        self.threshold = threshold
        self.n_thresholds = n_thresholds
        self.min_features = min_features
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: ArrayLike, y: object = None) -> CorrelationThresholdFactor:
        """Find the factors of `X`, shape (n_samples, n_features); `y` is ignored."""
        x: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self.mean_, self.scale_ = _mean_and_scale(x)
        found = clique_factors(
            _correlation((x - self.mean_) / self.scale_),
            len(x),
            self.threshold,
            n_thresholds=self.n_thresholds,
            min_features=self.min_features,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        self._store(found.model, found.pattern)
        self.threshold_, self.threshold_path_ = found.threshold, found.path
        return self

    def _store(self, model: FactorModel, pattern: NDArray[np.bool_]) -> None:
        self.labels_ = pattern
        self.n_factors_ = self._n_features_out = pattern.shape[1]
        self.loadings_ = model.loadings
        self.factor_correlation_ = model.factor_correlation
        self.noise_variance_ = model.uniquenesses
        self.n_iter_ = model.n_iter
        self._score_weights = model.score_weights

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Regression scores of the factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_factors_)
            The expected factors given the variables.

        References
        ----------
        Thomson (1951), The Factorial Analysis of Human Ability.
        """
        check_is_fitted(self)
        x: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        return (x - self.mean_) / self.scale_ @ self._score_weights


@dataclass(frozen=True, eq=False)
class CliqueFactors:
    """What `clique_factors` found; the fields are the attributes of `CorrelationThresholdFactor` of like names.

    Parameters
    ----------
    model : FactorModel
    pattern : ndarray of shape (n_features, n_factors), bool
    threshold : float
    path : dict of str to ndarray
    """

    model: FactorModel
    pattern: NDArray[np.bool_]
    threshold: float
    path: dict[str, NDArray]


def clique_factors(
    correlation: NDArray[np.float64],
    n_samples: int,
    threshold: float | None = None,
    *,
    n_thresholds: int = 60,
    min_features: int = 3,
    max_iter: int = 500,
    tol: float = 1e-7,
) -> CliqueFactors:
    """`CorrelationThresholdFactor` from a correlation matrix, such as one of ranks or of incomplete columns.

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
        Symmetric, without NaN, ones on the diagonal.
    n_samples : int
        Number of samples behind it.
    threshold, n_thresholds, min_features, max_iter, tol
        As for `CorrelationThresholdFactor`.

    Returns
    -------
    CliqueFactors
        The greatest loading of each factor is positive.

    Raises
    ------
    ValueError
        If `threshold` lies outside 0 up to 1, or no clique at that threshold is large enough.

    References
    ----------
    Kim and Zhou (2022), Structure Learning of Latent Factors via Clique Search on Correlation Thresholded
    Graphs. ICML. arXiv:2203.01471.

    Examples
    --------
    >>> loadings = np.repeat(np.eye(2), 4, axis=0) * 0.8
    >>> correlation = loadings @ loadings.T
    >>> np.fill_diagonal(correlation, 1.0)
    >>> clique_factors(correlation, 500).pattern.T.astype(int)
    array([[1, 1, 1, 1, 0, 0, 0, 0],
           [0, 0, 0, 0, 1, 1, 1, 1]])
    """
    strength = np.abs(correlation)
    np.fill_diagonal(strength, 0.0)
    if threshold is None:
        grid = np.linspace(0.0, strength.max(), n_thresholds, endpoint=False)
    elif 0.0 <= threshold < 1.0:
        grid = np.array([float(threshold)])
    else:
        raise ValueError(f"threshold must lie in 0..1, below 1; got {threshold}")
    structures, which = structure_path(strength, grid, min(min_features, len(strength)))
    if not structures:
        raise ValueError(f"no clique of {min_features} variables at threshold {threshold}; lower it")
    with one_blas_thread():  # many small products: threads would wait for each other
        model, best, bic = _select(correlation, structures, n_samples, max_iter, tol)
    path = {
        "threshold": grid,
        "n_factors": np.array([structures[k].shape[1] if k >= 0 else 0 for k in which]),
        "bic": np.append(bic, np.nan)[which],
    }
    return CliqueFactors(_upright(model), structures[best], float(grid[which == best][0]), path)


def _upright(model: FactorModel) -> FactorModel:
    """The same model with the greatest loading of each factor positive."""
    strongest = np.abs(model.loadings).argmax(axis=0)
    sign = np.where(np.take_along_axis(model.loadings, strongest[None], axis=0)[0] < 0, -1.0, 1.0)
    return replace(
        model, loadings=model.loadings * sign, factor_correlation=model.factor_correlation * np.outer(sign, sign)
    )


def structure_path(
    strength: NDArray[np.float64], thresholds: NDArray[np.float64], min_features: int
) -> tuple[list[NDArray[np.bool_]], NDArray[np.intp]]:
    """The distinct factor structures along a grid of thresholds.

    Parameters
    ----------
    strength : ndarray of shape (n_features, n_features)
        Absolute correlations, diagonal 0.
    thresholds : ndarray of shape (n_thresholds,)
    min_features : int
        Smaller cliques are left out.

    Returns
    -------
    structures : list of ndarray of shape (n_features, n_factors), bool
    which : ndarray of shape (n_thresholds,), intp
        Position in `structures`; -1 where no clique is large enough.
    """
    structures: list[NDArray[np.bool_]] = []
    seen: dict[bytes, int] = {}
    which = np.full(len(thresholds), -1, dtype=np.intp)
    for k, threshold in enumerate(thresholds):
        # At 0 variables without any correlation are joined too: one general factor is always a candidate.
        cliques = independent_maximal_cliques(strength > threshold if threshold > 0 else strength >= 0)
        pattern = cliques[:, cliques.sum(axis=0) >= min_features]
        if pattern.shape[1] == 0:
            continue
        key = np.packbits(pattern, axis=0).tobytes()
        which[k] = seen.setdefault(key, len(structures))
        if which[k] == len(structures):
            structures.append(pattern)
    return structures, which


def _select(
    correlation: NDArray[np.float64],
    structures: list[NDArray[np.bool_]],
    n_samples: int,
    max_iter: int,
    tol: float,
) -> tuple[FactorModel, int, NDArray[np.float64]]:
    """The model with the least criterion, its position, and the criterion of every structure.

    Wrong structures lose by hundreds but converge slowly: all get a very short fit, the best third a short one, the
    best three a longer one, and only the winner the full one.
    """

    def fit(k: int, steps: int, precision: float) -> FactorModel:
        return confirmatory_factor_analysis(
            correlation, structures[k], n_samples, max_iter=min(steps, max_iter), tol=max(precision, tol)
        )

    bic = np.array([fit(k, 4, 1e-4).bic(n_samples) for k in range(len(structures))])
    for steps, stay in ((20, max(3, len(structures) // 3)), (200, 3)):
        for k in np.argsort(bic, kind="stable")[:stay]:
            bic[k] = fit(int(k), steps, 1e-4).bic(n_samples)
    best = int(np.argmin(bic))
    model = fit(best, max_iter, tol)
    bic[best] = model.bic(n_samples)
    return model, best, bic


def _mean_and_scale(X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column; 1 in place of the deviation of a constant column."""
    mean = X.mean(axis=0)
    scale = np.sqrt(((X - mean) ** 2).mean(axis=0))
    constant = scale <= 1e-12 * np.maximum(np.abs(mean), np.finfo(float).tiny)
    return mean, np.where(constant, 1.0, scale)


def _correlation(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of standardised columns; a constant column correlates with nothing."""
    correlation = z.T @ z / len(z)
    np.fill_diagonal(correlation, 1.0)
    return correlation
