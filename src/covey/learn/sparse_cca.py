"""Sparse canonical correlation analysis: few columns in both views, or few columns in one and few samples in the other.

Both forms stand on the lasso of `covey.measure._lasso`, so that optimality can be told by its residual.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from covey.learn._views import View, aligned_blocks
from covey.learn.multiview import MultiviewBase
from covey.measure._lasso import bounded_lasso, kkt_residual
from covey.measure.cca import deviations, warn_of_perfection

Array = NDArray[np.float64]
ALPHAS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, eq=False)
class SparsePair:
    """One pair of directions.

    Parameters
    ----------
    left : ndarray of shape (n_left,)
    right : ndarray of shape (n_right,)
    residual : float
        How far from optimal, relative to the largest gradient at 0; see `covey.measure._lasso.kkt_residual`.
    n_iter : int
    """

    left: Array
    right: Array
    residual: float
    n_iter: int


def sparse_canonical_pair(
    A: ArrayLike,
    B: ArrayLike,
    alpha: float = 0.5,
    tol: float = 1e-5,
    max_iter: int = 100,
    start: int | None = None,
) -> SparsePair:
    """Sparse weights of two views: each the lasso regression of the other's score, in turn, until both stay.

    The residual is that of both regressions at the end.

    Parameters
    ----------
    A, B : array_like of shape (n_samples, n_left), (n_samples, n_right)
        Centred.
    alpha : float
        0..1: the penalty as a share of the one at which no column is left.
    tol : float
        Largest residual at which it ends.
    max_iter : int
    start : int, optional
        Column of `B` whose values are the first score; by default that of the pair with the largest covariance.

    Returns
    -------
    SparsePair
        Scores ``A @ left`` and ``B @ right`` have unit variance.

    References
    ----------
    Hardoon and Shawe-Taylor (2009), Sparse Canonical Correlation Analysis. arXiv:0908.2724. Mai and Zhang (2019), An
    iterative penalized least squares approach to sparse canonical correlation analysis. Biometrics 75.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(200, 1))
    >>> A, B = (rng.normal(size=(200, 6)) for _ in range(2))
    >>> A[:, :2] += common
    >>> B[:, 4:] -= common
    >>> pair = sparse_canonical_pair(A - A.mean(axis=0), B - B.mean(axis=0))
    >>> np.flatnonzero(pair.left), np.flatnonzero(pair.right)
    (array([0, 1]), array([4, 5]))
    """
    A, B = (np.asfortranarray(view, dtype=np.float64) for view in (A, B))
    first = _strongest_column(A, B) if start is None else start
    target, right = _unit(B[:, first]), np.zeros(B.shape[1])
    left = np.zeros(A.shape[1])
    residual, n_iter = np.inf, 0
    while n_iter < max_iter and residual > tol:
        n_iter += 1
        left = _lasso_of(A, target, alpha, left, tol)
        own = _unit(A @ left)
        right = _lasso_of(B, own, alpha, right, tol)
        target = _unit(B @ right)
        residual = _open(A, target, alpha, left)  # the right regression is solved for this left score already
    return SparsePair(left / _deviation(A @ left), right / _deviation(B @ right), residual, n_iter)


def _strongest_column(A: Array, B: Array) -> int:
    """Column of `B` in the pair of columns with the largest covariance."""
    return int(np.abs(A.T @ B).max(axis=0).argmax())


def _penalty(X: Array, target: Array, alpha: float) -> float:
    return alpha * float(np.abs(X.T @ target).max())


def _lasso_of(X: Array, target: Array, alpha: float, start: Array, tol: float) -> Array:
    return bounded_lasso(X, target, _penalty(X, target, alpha), start=start, tol=0.1 * tol)[0]


def _open(X: Array, target: Array, alpha: float, b: Array) -> float:
    return kkt_residual(X, target, b, _penalty(X, target, alpha)) / float(np.abs(X.T @ target).max())


def _deviation(scores: Array) -> float:
    return float(np.linalg.norm(scores) / np.sqrt(len(scores) - 1))


def _unit(scores: Array) -> Array:
    return scores / max(_deviation(scores), np.finfo(np.float64).tiny)


def primal_dual_pair(
    A: ArrayLike,
    K: ArrayLike,
    seed: int,
    mu: float | None = None,
    gamma: float | None = None,
    tol: float = 1e-5,
    max_iter: int = 1000,
) -> SparsePair:
    """Few columns of one view, and few samples of the other through its kernel, whose scores agree.

    Minimises ``||A w - K e||^2 + mu ||w||_1 + gamma sum_{i != seed} e_i`` with ``e_seed = 1`` and ``0 <= e <= 1``:
    convex for a given seed, one lasso with bounds in `w` and `e` together.

    Parameters
    ----------
    A : array_like of shape (n_samples, n_features)
        Centred.
    K : array_like of shape (n_samples, n_samples)
        Centred kernel of the other view.
    seed : int
        The sample that the dual direction stands on.
    mu, gamma : float, optional
        By default the mean size of the objective's gradient in `w`, in `e`, at ``w = 0`` and the seed alone (half of
        the largest where that is less); the paper's own scales are of this kind.
    tol : float
        Largest residual at which it ends, relative to the largest gradient.
    max_iter : int

    Returns
    -------
    SparsePair
        `left` is `w`, `right` is `e`.

    References
    ----------
    Hardoon and Shawe-Taylor (2009), Sparse Canonical Correlation Analysis. arXiv:0908.2724.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(30, 4))
    >>> pair = primal_dual_pair(A, A @ A.T, seed=3)
    >>> bool(pair.right[3] == 1.0), bool((pair.right >= 0).all())
    (True, True)
    """
    A, K = np.asarray(A, dtype=np.float64), np.asarray(K, dtype=np.float64)
    others = np.delete(np.arange(len(K)), seed)
    target = K[:, seed]
    mu = _mean_size(2.0 * A.T @ target) if mu is None else mu
    gamma = _mean_size(2.0 * K[others] @ target) if gamma is None else gamma
    d = A.shape[1]
    # columns of A and K differ in size by orders of magnitude: in units of their norms one tolerance fits all
    design = np.hstack([A, -K[:, others]])
    unit = np.linalg.norm(design, axis=0)
    unit[unit == 0.0] = 1.0
    penalty = np.concatenate([np.full(d, mu / 2.0), np.full(len(others), gamma / 2.0)]) / unit
    lower = np.concatenate([np.full(d, -np.inf), np.zeros(len(others))])
    upper = np.concatenate([np.full(d, np.inf), unit[d:]])
    found, residual = bounded_lasso(design / unit, target, penalty, lower, upper, tol=tol, max_iter=max_iter)
    found = found / unit
    return SparsePair(found[:d], np.insert(found[d:], seed, 1.0), residual, 1)


def _mean_size(gradient: Array) -> float:
    """Mean absolute entry, but at most half of the largest, which would leave nothing."""
    size = np.abs(gradient)
    return float(min(size.mean(), 0.5 * size.max()))


def mate_retrieval(left: ArrayLike, right: ArrayLike, window: int = 10) -> tuple[float, float]:
    """How well a row's score in one view finds the same row in the other, by cosine similarity.

    Parameters
    ----------
    left, right : array_like of shape (n_samples, n_components)
        Scores of the same rows.
    window : int
        Places that count.

    Returns
    -------
    average_precision : float
        Mean of one over the mate's place, 0 outside the window; 0..1.
    hit_rate : float
        Share of the rows whose mate is in the window; 0..1.

    References
    ----------
    Hardoon and Shawe-Taylor (2009), arXiv:0908.2724.

    Examples
    --------
    >>> mate_retrieval([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.1], [1.0, 0.0]])
    (0.5, 1.0)
    """
    left, right = (np.asarray(scores, dtype=np.float64) for scores in (left, right))
    if left.shape != right.shape or left.ndim != 2:
        raise ValueError(f"scores must be matrices of one shape, got {left.shape} and {right.shape}")
    units = [s / np.maximum(np.linalg.norm(s, axis=1, keepdims=True), np.finfo(np.float64).tiny) for s in (left, right)]
    similarity = units[0] @ units[1].T
    # a tie counts against the mate: scores that are all equal find nothing
    place = (similarity >= np.diag(similarity)[:, None]).sum(axis=1)
    found = place <= window
    return float(np.mean(found / place)), float(found.mean())


class _Deflated(MultiviewBase):
    """Two views whose components are found one after another, each in what the former leave of the view."""

    weights_: list[Array]
    loadings_: list[Array]

    @property
    def _n_features_out(self) -> int:
        return self.weights_[0].shape[1]

    def _two_views(self, X: Any, y: Any) -> list[Array]:
        """All rows of the two views."""
        views = self._views(X, y, reset=True)
        if len(views) != 2:
            raise ValueError(f"{type(self).__name__} takes two views, got {len(views)}")
        return [np.concatenate(rows) for rows in zip(*aligned_blocks(views))]

    def _standardise(self, views: Sequence[Array], scaled: Sequence[bool]) -> list[Array]:
        """Centred views, with unit variance where `scaled`; a constant column becomes 0."""
        self._means, self._scales = [], []
        for k, (view, scale) in enumerate(zip(views, scaled)):
            mean = view.mean(axis=0)
            deviation = deviations(((view - mean) ** 2).sum(axis=0), mean, len(view))
            if not deviation.any():
                raise ValueError(f"view {k} is constant and correlates with nothing; leave it out")
            self._means.append(mean)
            self._scales.append(np.where(deviation == 0.0, np.inf, deviation if scale else 1.0))
        return [(view - mean) / s for view, mean, s in zip(views, self._means, self._scales)]

    def _prepared(self, position: int, rows: View) -> Array:
        return (rows - self._means[position]) / self._scales[position]

    def _block_scores(self, position: int, rows: View) -> Array:
        left = self._prepared(position, rows)
        weights, loadings = self.weights_[position], self.loadings_[position]
        scores = np.empty((len(left), weights.shape[1]))
        for k in range(weights.shape[1]):
            scores[:, k] = left @ weights[:, k]
            left = left - np.outer(scores[:, k], loadings[:, k])
        return scores

    def _store(self, pairs: Sequence[tuple[Array, Array]], loadings: Sequence[tuple[Array, Array]]) -> None:
        self.weights_ = [np.column_stack(side) for side in zip(*pairs)]
        self.loadings_ = [np.column_stack(side) for side in zip(*loadings)]


def _deflate(view: Array, score: Array) -> tuple[Array, Array]:
    """What is left of a view without a score, and the loading by which the score was taken out."""
    size = float(score @ score)
    loading = view.T @ score / size if size > 0.0 else np.zeros(view.shape[1])
    return view - np.outer(score, loading), loading


class SparseCCA(_Deflated):
    """Canonical correlation of two views with few columns in each: see `sparse_canonical_pair`.

    Further components are found the same way in what the former leave of both views.

    Parameters
    ----------
    n_components : int
    alpha : float, optional
        0..1: the penalty as a share of the one at which no column is left. By default the largest of 0.2, 0.3, ..., 0.8
        whose held-out correlation of the first component is within a standard error of the best, in `cv` folds.
    cv : int
        Folds by which `alpha` is chosen.
    scale : bool
        Divide columns by their standard deviations first; without it columns of large variance are preferred.
    tol : float
        Largest residual at which a component is done.
    max_iter : int
    random_state : int, RandomState or None
        Of the folds.

    Attributes
    ----------
    weights_ : list of two ndarray of shape (n_features_i, n_components)
        Of the standardised columns, mostly 0.
    loadings_ : list of two ndarray of shape (n_features_i, n_components)
        By which a component's score is taken out of the view before the next.
    alpha_ : float
    correlations_ : ndarray of shape (n_components,)
        On the training rows.
    kkt_residual_ : ndarray of shape (n_components,)
        How far each component is from optimal, relative to the largest gradient at 0.
    n_iter_ : int
        Most steps of a component.
    n_features_ : tuple of int
    n_features_in_ : int

    Raises
    ------
    ValueError
        If views have different rows or missing values, one is constant, there are not two, or a parameter is out of
        range.

    Warns
    -----
    ConvergenceWarning
        If a component's residual is still above `tol` after `max_iter` steps.

    References
    ----------
    Hardoon and Shawe-Taylor (2009), Sparse Canonical Correlation Analysis. arXiv:0908.2724. Mai and Zhang (2019), An
    iterative penalized least squares approach to sparse canonical correlation analysis. Biometrics 75.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(200, 1))
    >>> X, Y = (rng.normal(size=(200, 50)) for _ in range(2))
    >>> X[:, :3] += common
    >>> Y[:, 7:10] += common
    >>> model = SparseCCA(alpha=0.4).fit(X, Y)
    >>> np.flatnonzero(model.weights_[0]), np.flatnonzero(model.weights_[1])
    (array([0, 1, 2]), array([7, 8, 9]))
    """

    def __init__(
        self,
        n_components: int = 1,
        alpha: float | None = None,
        cv: int = 5,
        scale: bool = True,
        tol: float = 1e-5,
        max_iter: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.cv = cv
        self.scale = scale
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit two views ``fit(X, y)`` or ``fit([X, Y])``, each as for `covey.learn.multiview.MultiviewCCA`."""
        raw = self._two_views(X, y)
        left, right = self._standardise(raw, [self.scale, self.scale])
        self._check(min(left.shape[1], right.shape[1]))
        self.alpha_ = self._chosen(left, right) if self.alpha is None else self.alpha
        pairs, loadings, found = [], [], []
        for _ in range(self.n_components):
            pair = sparse_canonical_pair(left, right, self.alpha_, self.tol, self.max_iter)
            scores = left @ pair.left, right @ pair.right
            (left, first), (right, second) = _deflate(left, scores[0]), _deflate(right, scores[1])
            found.append((np.corrcoef(*scores)[0, 1], pair.residual, pair.n_iter))
            pairs.append((pair.left, pair.right))
            loadings.append((first, second))
        self._store(pairs, loadings)
        self.correlations_, self.kkt_residual_ = (np.array([f[k] for f in found]) for k in range(2))
        self.n_iter_ = max(f[2] for f in found)
        warn_of_perfection(self.correlations_)
        if self.kkt_residual_.max() > self.tol:
            warnings.warn(
                f"a component is {self.kkt_residual_.max():.1e} from optimal after max_iter={self.max_iter} steps",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _check(self, most: int) -> None:
        if not 1 <= self.n_components <= most:
            raise ValueError(f"n_components={self.n_components} must lie in 1..{most}, the fewest columns of a view")
        if self.alpha is not None and not 0.0 <= self.alpha < 1.0:
            raise ValueError(f"alpha must lie in 0..1, below 1; got {self.alpha}")

    def _chosen(self, left: Array, right: Array) -> float:
        """The sparsest `alpha` within a standard error of the best held-out correlation."""
        n_folds = min(self.cv, len(left) // 2)
        if n_folds < 2:
            return 0.5
        folds = KFold(n_folds, shuffle=True, random_state=check_random_state(self.random_state).randint(2**31))
        found = []
        for train, test in folds.split(left):
            start = _strongest_column(left[train], right[train])
            pairs = [sparse_canonical_pair(left[train], right[train], a, 1e-3, 30, start) for a in ALPHAS]
            found.append([_correlation(left[test] @ p.left, right[test] @ p.right) for p in pairs])
        mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(n_folds)
        best = int(mean.argmax())
        return ALPHAS[int(np.flatnonzero(mean >= mean[best] - error[best])[-1])]


def _correlation(x: Array, y: Array) -> float:
    """Pearson's correlation; 0 where a score is constant."""
    x, y = x - x.mean(), y - y.mean()
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / size if size > 0 else 0.0


class PrimalDualSparseCCA(_Deflated):
    """Canonical correlation with few columns of the first view and few samples of the second: `primal_dual_pair`.

    A component's seed is the sample, of some drawn at random, whose pair correlates most.

    Parameters
    ----------
    n_components : int
    mu, gamma : float, optional
        Penalties of the columns' weights and of the samples' weights; see `primal_dual_pair` for the defaults.
    kernel : {"linear", "precomputed"}
        Of the second view; with ``"precomputed"`` it is given as kernel values to the training samples.
    n_seeds : int
        Samples that are tried as the seed of a component.
    scale : bool
        Divide the first view's columns by their standard deviations first.
    tol : float
    max_iter : int
    random_state : int, RandomState or None
        Of the seeds that are tried.

    Attributes
    ----------
    weights_ : list of two ndarray, (n_features, n_components) and (n_columns_of_second, n_components)
        Mostly 0 in the first. For a linear kernel the second holds the weights of its columns that `dual_` implies, for
        a precomputed one those of the training samples.
    dual_ : ndarray of shape (n_samples, n_components)
        Weights of the training samples in the deflated kernel, mostly 0, 1 at the seed.
    seeds_ : ndarray of shape (n_components,), int
    loadings_, correlations_, kkt_residual_, n_features_, n_features_in_
        As for `SparseCCA`.

    Raises
    ------
    ValueError
        As `SparseCCA`, and if a precomputed kernel is not square.

    References
    ----------
    Hardoon and Shawe-Taylor (2009), Sparse Canonical Correlation Analysis. arXiv:0908.2724.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> topics = rng.gamma(0.3, size=(60, 3))
    >>> X, Y = (rng.poisson(3 * topics @ rng.gamma(0.2, size=(3, words))) for words in (40, 30))
    >>> model = PrimalDualSparseCCA(random_state=0).fit(X, Y)
    >>> bool(model.correlations_[0] > 0.9), bool((model.dual_ >= 0).all())
    (True, True)
    """

    def __init__(
        self,
        n_components: int = 1,
        mu: float | None = None,
        gamma: float | None = None,
        kernel: str = "linear",
        n_seeds: int = 5,
        scale: bool = True,
        tol: float = 1e-5,
        max_iter: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.mu = mu
        self.gamma = gamma
        self.kernel = kernel
        self.n_seeds = n_seeds
        self.scale = scale
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit ``fit(X, Y)`` or ``fit([X, Y])``, with `Y` of shape (n_samples, n_targets), or the kernel's square."""
        if self.kernel not in ("linear", "precomputed"):
            raise ValueError(f"kernel must be 'linear' or 'precomputed', got {self.kernel!r}")
        raw = self._two_views(X, y)
        if self.kernel == "precomputed" and raw[1].shape[0] != raw[1].shape[1]:
            raise ValueError(f"a precomputed kernel of {len(raw[0])} samples must be square, got {raw[1].shape}")
        if not 1 <= self.n_components <= raw[0].shape[1]:
            raise ValueError(f"n_components={self.n_components} must lie in 1..{raw[0].shape[1]}, the columns of X")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        left, right = self._standardise(raw, [self.scale, False])
        if self.kernel == "precomputed":
            right -= right.mean(axis=1, keepdims=True)
        gram = right @ right.T if self.kernel == "linear" else right
        pairs, loadings, dual = [], [], []
        found: list[tuple[int, float, float, Array]] = []
        for _ in range(self.n_components):
            seed, pair = self._best_seed(left, gram, rng)
            weights = right.T @ pair.right if self.kernel == "linear" else self._undeflated(pair.right, found)
            scores = left @ pair.left, gram @ pair.right
            (left, first), (right, second) = _deflate(left, scores[0]), _deflate(right, scores[1])
            gram = _project_out(gram, scores[1])
            pairs.append((pair.left, weights))
            loadings.append((first, second))
            dual.append(pair.right)
            found.append((seed, _correlation(*scores), pair.residual, scores[1]))
        self._store(pairs, loadings)
        self.dual_ = np.column_stack(dual)
        self.seeds_ = np.array([f[0] for f in found])
        empty = ~self.weights_[0].any(axis=0)
        self.correlations_ = np.where(empty, np.nan, [f[1] for f in found])
        self.kkt_residual_ = np.array([f[2] for f in found])
        self.n_iter_ = self.n_components
        if empty.any():
            warnings.warn(f"component {empty.argmax()} has no column left; lower mu", UserWarning, stacklevel=2)
        return self

    def _best_seed(self, left: Array, gram: Array, rng: np.random.Generator) -> tuple[int, SparsePair]:
        tried = rng.permutation(len(gram))[: self.n_seeds]
        pairs = [primal_dual_pair(left, gram, int(k), self.mu, self.gamma, self.tol, self.max_iter) for k in tried]
        strength = [_correlation(left @ pair.left, gram @ pair.right) for pair in pairs]
        best = int(np.argmax(strength))
        return int(tried[best]), pairs[best]

    def _undeflated(self, dual: Array, found: Sequence[Any]) -> Array:
        """Weights on the kernel before deflation: the deflated one is projected from the right as well."""
        for *_, score in found:
            dual = dual - score * (score @ dual) / max(float(score @ score), np.finfo(np.float64).tiny)
        return dual

    def _prepared(self, position: int, rows: View) -> Array:
        ready = super()._prepared(position, rows)
        centred_kernel = position == 1 and self.kernel == "precomputed"
        return ready - ready.mean(axis=1, keepdims=True) if centred_kernel else ready


def _project_out(gram: Array, score: Array) -> Array:
    """A kernel without the direction of `score` on both sides."""
    unit = score / max(float(np.linalg.norm(score)), np.finfo(np.float64).tiny)
    half = gram - np.outer(unit, unit @ gram)
    return half - np.outer(half @ unit, unit)
