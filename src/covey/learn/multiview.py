"""Linear canonical correlation analysis and partial least squares of two or more views, exact or stochastic.

All take arrays, tables and row blocks (`covey.iter_blocks`); deep encoders are in `covey.learn.deep_cca`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from covey.engine import LocalEngine
from covey.engine._local import one_blas_thread
from covey.learn._eckart_young import multiview_loss
from covey.learn._thin import mean_and_scatter, times, transposed_times
from covey.learn._views import Array, View, aligned_blocks, checked_views, is_view_list, n_features, view_list
from covey.measure.cca import (
    CanonicalAnalysis,
    CovarianceState,
    analysis_of_moments,
    deviations,
    generalised_eigenvectors,
    score_correlations,
    view_slices,
    warn_of_perfection,
    warn_of_ranks,
)
from covey.table import BlockSource, FeatureTable


class MultiviewBase(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What every estimator of several views shares: it checks them, gives their scores and how these correlate.

    A subclass has `_block_scores`, and `_n_features_out`.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _block_scores(self, position: int, rows: View) -> Array:
        """Scores of some rows of the view at `position`, shape (n_rows, n_components)."""
        raise NotImplementedError

    _dtypes: ClassVar[tuple[type, ...]] = (np.float64,)

    def _checked(self, views: Sequence[Any], min_rows: int) -> list[View]:
        is_sparse = self.__sklearn_tags__().input_tags.sparse
        return checked_views(views, accept_sparse=is_sparse, min_rows=min_rows, dtypes=self._dtypes)

    def _views(self, X: Any, y: Any, reset: bool) -> list[View]:
        """Checked views of the training data, or of more rows of as many views."""
        raw = view_list(X, y)
        views = self._checked(raw, min_rows=2 if reset else 1)
        self._register(raw[0], views[0], reset)
        found = tuple(n_features(view) for view in views)
        if reset:
            self.n_features_ = found
        if found != self.n_features_:
            raise ValueError(
                f"the views have {', '.join(map(str, found))} columns, but {type(self).__name__} was fitted on "
                f"{', '.join(map(str, self.n_features_))}"
            )
        return views

    def _register(self, raw: Any, view: View, reset: bool) -> None:
        if not isinstance(raw, BlockSource | FeatureTable):
            validate_data(self, raw, skip_check_array=True, reset=reset)
        elif reset:
            self.n_features_in_ = n_features(view)

    def transform(self, X: Any, y: Any = None) -> Any:
        """Scores of the views.

        Parameters
        ----------
        X : matrix of shape (n_samples, n_features), or list of these
            The first view, or a list of all.
        y : matrix of shape (n_samples, n_targets), optional
            The second view.

        Returns
        -------
        ndarray of shape (n_samples, n_components), or a tuple or list of these
            An array for one view, a tuple for ``(X, y)``, a list for a list.
        """
        check_is_fitted(self)
        if y is None and not is_view_list(X):
            views = self._checked([X], min_rows=1)
            self._register(X, views[0], reset=False)
            return self._scores(views)[0]
        scores = self._scores(self._views(X, y, reset=False))
        return tuple(scores) if y is not None else scores

    def _scores(self, views: Sequence[View]) -> list[Array]:
        blocks = [[self._block_scores(k, rows) for k, rows in enumerate(block)] for block in aligned_blocks(views)]
        return [np.concatenate(parts) for parts in zip(*blocks)]

    def canonical_correlations(self, X: Any, y: Any = None) -> Array:
        """Correlation of the scores on these rows, the mean over pairs of views; shape (n_components,)."""
        check_is_fitted(self)
        views = self._views(X, y, reset=False)
        scores = latent_moments(views, self._block_scores, self._n_features_out)
        return score_correlations(scores.covariance(), [np.eye(self._n_features_out)] * len(views))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of `canonical_correlations`, -1..1."""
        return float(np.mean(self.canonical_correlations(X, y)))


def latent_moments(views: Sequence[View], scores: Callable[[int, View], Array], n_components: int) -> CovarianceState:
    """Moments of the scores of all views side by side.

    Parameters
    ----------
    views : sequence of View
    scores : callable
        ``(position, rows) -> ndarray of shape (n_rows, n_components)``.
    n_components : int
    """
    state = CovarianceState(len(views) * n_components)
    for block in aligned_blocks(views):
        state.update(np.hstack([scores(k, rows) for k, rows in enumerate(block)]))
    return state


class _LinearViews(MultiviewBase):
    """Scores that are linear in the columns, by `weights_` and `means_`."""

    weights_: list[Array]
    means_: list[Array]

    @property
    def _n_features_out(self) -> int:
        return self.weights_[0].shape[1]

    def _block_scores(self, position: int, rows: View) -> Array:
        weights = self.weights_[position]
        return rows @ weights - self.means_[position] @ weights


class MultiviewCCA(_LinearViews):
    """Canonical correlation analysis of two or more views by the eigenproblem of their covariance.

    One pass over the rows, in memory or in blocks; memory grows with the square of the columns. See
    `covey.measure.cca.canonical_analysis` for what is solved.

    Parameters
    ----------
    n_components : int
    shrinkage : float
        Of each view's covariance towards the identity, 0..1: 0 is CCA, 1 partial least squares.
    scale : bool
        Divide columns by their standard deviations first.

    Attributes
    ----------
    weights_ : list of ndarray of shape (n_features_i, n_components)
    means_ : list of ndarray of shape (n_features_i,)
    correlations_ : ndarray of shape (n_components,)
        Of the training rows; the mean over pairs when there are more than two views.
    ranks_ : tuple of int
        Independent directions kept in each view.
    n_features_ : tuple of int
        Columns of each view.
    n_features_in_ : int
        Columns of the first view.

    Raises
    ------
    ValueError
        If views have different rows or missing values, or `n_components` exceeds a view's rank.

    Warns
    -----
    RankWarning
        If a view is rank-deficient (the kept rank is given), or rows are so few that correlations are 1 in any case.

    References
    ----------
    Hotelling (1936), Relations between two sets of variates. Biometrika 28. Kettenring (1971), Canonical analysis of
    several sets of variables. Biometrika 58.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(500, 1))
    >>> views = [common + rng.normal(size=(500, d)) for d in (3, 2, 4)]
    >>> MultiviewCCA().fit(views).correlations_.round(2)
    array([0.76])
    >>> x_scores, y_scores = MultiviewCCA().fit(views[0], views[1]).transform(views[0], views[1])
    >>> x_scores.shape
    (500, 1)
    """

    def __init__(self, n_components: int = 1, shrinkage: float = 0.0, scale: bool = True) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit two views ``fit(X, y)``, or a list of views ``fit([X1, X2, ...])``.

        Each view is a matrix of shape (n_samples, n_features_i), a `FeatureTable` or a `BlockSource`.
        """
        views = self._views(X, y, reset=True)
        stacked = (np.hstack(block) for block in aligned_blocks(views))
        state = LocalEngine().reduce(partial(CovarianceState, sum(self.n_features_)), stacked)
        assert isinstance(state, CovarianceState)
        found = self._solve(state)
        self.ranks_ = found.ranks
        self.weights_ = list(found.weights)
        self.means_ = [state.mean[s] for s in view_slices(self.n_features_)]
        self.correlations_ = found.correlations
        return self

    def _solve(self, state: CovarianceState) -> CanonicalAnalysis:
        return analysis_of_moments(state, self.n_features_, self.n_components, self.shrinkage, self.scale)


class MultiviewPLS(MultiviewCCA):
    """Partial least squares of two or more views: directions of unit length whose scores have most covariance.

    `MultiviewCCA` with a shrinkage of 1 (the SVD of the cross-covariance for two views).

    Parameters
    ----------
    n_components : int
    scale : bool
        Divide columns by their standard deviations first.

    Attributes
    ----------
    weights_, means_, correlations_, ranks_, n_features_, n_features_in_
        As for `MultiviewCCA`.

    References
    ----------
    Wegelin (2000), A survey of partial least squares (PLS) methods, with emphasis on the two-block case.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(500, 1))
    >>> X, Y = common + rng.normal(size=(500, 3)), common + rng.normal(size=(500, 2))
    >>> weights = MultiviewPLS().fit(X, Y).weights_[1]
    >>> (weights * Y.std(axis=0, ddof=1)[:, None]).round(1).T
    array([[0.7, 0.7]])
    """

    def __init__(self, n_components: int = 1, scale: bool = True) -> None:
        self.n_components = n_components
        self.scale = scale

    def _solve(self, state: CovarianceState) -> CanonicalAnalysis:
        return analysis_of_moments(state, self.n_features_, self.n_components, 1.0, self.scale)


class ColumnMoments:
    """Mean and deviation of each column over the rows seen so far, dense or sparse.

    Parameters
    ----------
    n_columns : int

    Examples
    --------
    >>> ColumnMoments(1).update(np.array([[1.0], [3.0]])).update(np.array([[5.0]])).deviation()
    array([2.])
    """

    def __init__(self, n_columns: int) -> None:
        self.n = 0
        self.mean = np.zeros(n_columns)
        self.scatter = np.zeros(n_columns)

    def update(self, rows: View) -> Self:
        """Add rows, shape (n_rows, n_columns)."""
        n = rows.shape[0]
        if issparse(rows):
            mean = np.asarray(rows.mean(axis=0)).ravel()
            scatter = np.asarray(rows.multiply(rows).sum(axis=0)).ravel() - n * mean**2
        else:
            mean, scatter = mean_and_scatter(rows)
        shift = mean - self.mean
        total = self.n + n
        self.scatter = self.scatter + scatter + shift**2 * (self.n * n / total)
        self.mean = self.mean + shift * (n / total)
        self.n = total
        return self

    def is_central(self, dtype: np.dtype) -> bool:
        """Whether every column that varies lies near enough to 0 for sums of products in a precision."""
        deviation = self.deviation()
        far = np.abs(self.mean)[deviation > 0] / deviation[deviation > 0]
        return bool(far.max(initial=0.0) < np.finfo(dtype).eps ** -0.3)

    def deviation(self) -> Array:
        """Standard deviation of each column, exactly 0 for a constant one."""
        return deviations(np.maximum(self.scatter, 0.0), self.mean, self.n)


class _Descent:
    """Gradient descent with momentum on the Eckart-Young loss, in units in which columns have unit variance.

    Parameters
    ----------
    batch : list of matrices of shape (n_rows, n_features_i)
        First rows, for the steps and the start.
    scales : list of ndarray of shape (n_features_i,)
    n_components : int
    shrinkage, learning_rate, momentum : float
    rng : Generator
    """

    def __init__(
        self,
        batch: Sequence[View],
        scales: Sequence[Array],
        n_components: int,
        shrinkage: float,
        learning_rate: float,
        momentum: float,
        rng: np.random.Generator,
    ) -> None:
        self.shrinkage, self.momentum = shrinkage, momentum
        self.scales = list(scales)
        # A half of a batch with fewer rows than columns sees more variance than there is: what it sees sets the step.
        half = max(batch[0].shape[0] // 2, 2)
        variances = [_largest_variance(view[:half], scale, rng) for view, scale in zip(batch, scales)]
        metrics = [(1.0 - shrinkage) * variance + shrinkage for variance in variances]
        # The curvature of the loss is the metric's times the largest eigenvalue of the problem, which this bounds.
        largest = max(variance / metric for variance, metric in zip(variances, metrics))
        self.steps = [learning_rate / (metric * largest) for metric in metrics]
        size = largest / len(batch)
        self.weights = [self._start(view, scale, n_components, size, rng) for view, scale in zip(batch, scales)]
        self.velocity = [np.zeros_like(w) for w in self.weights]
        self.n_steps = 0

    def _start(self, view: View, scale: Array, k: int, size: float, rng: np.random.Generator) -> Array:
        """Random directions with scores of equal size, uncorrelated on the first rows."""
        weights = np.linalg.qr(rng.normal(size=(len(scale), k)))[0]
        weights[np.isinf(scale)] = 0.0
        scores = times(view, weights / scale[:, None])
        covariance = np.cov(scores, rowvar=False).reshape(k, k)
        metric = (1.0 - self.shrinkage) * covariance + self.shrinkage * np.eye(k)
        lengths, axes = np.linalg.eigh(metric)
        return weights @ (axes * np.sqrt(size / np.maximum(lengths, 1e-3 * lengths[-1])))

    def step(self, batch: Sequence[View], rate: float) -> None:
        """One step on a batch, `rate` times the first step size.

        Raises
        ------
        ValueError
            If the weights diverge.
        """
        loss, slopes = multiview_loss(
            batch, self.weights, self.shrinkage, halves=batch[0].shape[0] >= 8, scales=self.scales
        )
        if not np.isfinite(loss):
            raise ValueError("the descent diverged; lower learning_rate or enlarge batch_size")
        for velocity, weights, slope, step in zip(self.velocity, self.weights, slopes, self.steps):
            velocity *= self.momentum
            velocity += slope
            weights -= rate * step * velocity
        self.n_steps += 1

    def canonical(self, views: Sequence[View]) -> tuple[CanonicalAnalysis, list[Array]]:
        """Canonical directions within the learned subspaces on `views`, and the weights in the columns' units."""
        raw = [w / scale[:, None] for w, scale in zip(self.weights, self.scales)]
        k = self.weights[0].shape[1]
        covariance = latent_moments(views, lambda position, rows: times(rows, raw[position]), k).covariance()
        metrics = [
            (1.0 - self.shrinkage) * covariance[s, s] + self.shrinkage * w.T @ w
            for s, w in zip(view_slices([k] * len(views)), self.weights)
        ]
        found = generalised_eigenvectors(covariance, metrics)
        return found, [w @ rotation for w, rotation in zip(raw, found.weights)]


def _largest_variance(view: View, scale: Array, rng: np.random.Generator) -> float:
    """Largest eigenvalue of the covariance of the scaled rows, by 20 steps of power iteration."""
    direction = rng.normal(size=len(scale))
    value = 0.0
    for _ in range(20):
        scores = times(view, (direction / np.linalg.norm(direction) / scale)[:, None])
        direction = transposed_times(view, scores - scores.mean())[:, 0] / scale / max(view.shape[0] - 1, 1)
        value = float(np.linalg.norm(direction))
        if value == 0.0:
            return 1.0
    return value


class StochasticCCA(_LinearViews):
    """Canonical correlation analysis of two or more views by stochastic descent on the Eckart-Young loss.

    No covariance matrix is formed, nothing is inverted: memory grows with the columns, not with their square, and rows
    may be streamed or sparse. A small eigenproblem at the end turns the learned subspace into canonical directions.

    Parameters
    ----------
    n_components : int
    shrinkage : float
        Of each view's covariance towards the identity, 0..1: 0 is CCA, 1 partial least squares.
    scale : bool
        Divide columns by their standard deviations first.
    batch_size : int
        Rows of a step. Each half of a batch estimates the covariance once, so that the gradient is unbiased; many more
        rows than `n_components` keep it quiet.
    max_iter : int
        Passes over the rows of `fit`; the step size falls linearly to 0.
    learning_rate : float
        First step size, as a share of the inverse of the loss's curvature: fits columns of any units.
    momentum : float
        0..1, below 1.
    random_state : int, RandomState or None

    Attributes
    ----------
    weights_ : list of ndarray of shape (n_features_i, n_components)
    means_ : list of ndarray of shape (n_features_i,)
    correlations_ : ndarray of shape (n_components,)
        On the training rows; after `partial_fit` on its last rows.
    n_iter_, n_steps_ : int
        Passes over the rows of the last call, and steps in all.
    n_features_ : tuple of int
        Columns of each view.
    n_features_in_ : int
        Columns of the first view.

    Raises
    ------
    ValueError
        If views have different rows or missing values, a parameter is out of range, or the descent diverges.

    Warns
    -----
    RankWarning
        If a view has constant columns, or the rows are so few that some correlations are 1 whatever the data.

    Notes
    -----
    Views of float32 stay so: a pass over them takes half the time, at seven digits. `fit` shuffles rows within memory,
    blocks of a stream only within themselves: rows sorted by a factor should be shuffled on disk. `partial_fit`
    decreases its step with the square root of the number of steps.

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(2000, 1))
    >>> views = [common + rng.normal(size=(2000, d)) for d in (20, 10)]
    >>> StochasticCCA(random_state=0).fit(views).correlations_.round(2)
    array([0.93])
    >>> MultiviewCCA().fit(views).correlations_.round(2)
    array([0.93])
    """

    _dtypes = (np.float64, np.float32)

    def __init__(
        self,
        n_components: int = 1,
        shrinkage: float = 0.0,
        scale: bool = True,
        batch_size: int = 128,
        max_iter: int = 10,
        learning_rate: float = 0.05,
        momentum: float = 0.9,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage
        self.scale = scale
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit two views ``fit(X, y)``, or a list of views ``fit([X1, X2, ...])``, in `max_iter` passes.

        Each view is a matrix of shape (n_samples, n_features_i), dense or SciPy sparse, a `FeatureTable`, or a
        `BlockSource`, which is read block by block in each pass.
        """
        views = self._begin(X, y)
        with one_blas_thread():  # products are thin: threads would wait for each other
            for block in aligned_blocks(views):
                self._add_moments(block)
            self._warn_of_data()
            total = self.max_iter * max(self._moments[0].n // self.batch_size, 1)
            for _ in range(self.max_iter):
                for batch in self._batches(views):
                    descent = self._descend_from(batch)
                    descent.step(batch, max(1.0 - descent.n_steps / total, 0.01))
            self._finish(views)
        self.n_iter_ = self.max_iter
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on from the current weights with the batches of these rows, once."""
        views = self._begin(X, y) if getattr(self, "_descent", None) is None else self._views(X, y, reset=False)
        with one_blas_thread():
            for block in aligned_blocks(views):
                self._add_moments(block)
            for batch in self._batches(views):
                descent = self._descend_from(batch)
                descent.step(batch, 1.0 / np.sqrt(1.0 + descent.n_steps / 100.0))
            self._finish(views)
        self.n_iter_ = 1
        return self

    def _begin(self, X: Any, y: Any) -> list[View]:
        views = self._views(X, y, reset=True)
        self._check_parameters()
        self._moments = [ColumnMoments(d) for d in self.n_features_]
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        self._descent: _Descent | None = None
        return views

    def _check_parameters(self) -> None:
        most = min(self.n_features_)
        if not 1 <= self.n_components <= most:
            raise ValueError(f"n_components={self.n_components} must lie in 1..{most}, the fewest columns of a view")
        if not 0.0 <= self.shrinkage <= 1.0:
            raise ValueError(f"shrinkage must lie in 0..1, got {self.shrinkage}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, got {self.batch_size}")
        if self.max_iter < 1:
            raise ValueError(f"max_iter must be at least 1, got {self.max_iter}")

    def _add_moments(self, block: Sequence[View]) -> None:
        for moments, view in zip(self._moments, block):
            moments.update(view)

    def _scales(self) -> list[Array]:
        """What columns are divided by; infinity takes a constant column out."""
        spread = [moments.deviation() for moments in self._moments]
        return [np.where(s == 0.0, np.inf, s if self.scale else 1.0) for s in spread]

    def _batches(self, views: Sequence[View]) -> Iterator[list[View]]:
        """Shuffled batches, dense rows less the means where columns lie so far from 0 that scores would lose digits."""
        dtypes = [np.dtype(getattr(view, "dtype", np.float64)) for view in views]
        keep = [issparse(v) or m.is_central(dtype) for v, m, dtype in zip(views, self._moments, dtypes)]
        for batch in shuffled_batches(views, self.batch_size, self._rng, reuse=True):
            yield [rows if kept else rows - m.mean for rows, kept, m in zip(batch, keep, self._moments)]

    def _descend_from(self, batch: Sequence[View]) -> _Descent:
        if self._descent is None:
            self._descent = _Descent(
                batch, self._scales(), self.n_components, self.shrinkage, self.learning_rate, self.momentum, self._rng
            )
        return self._descent

    def _warn_of_data(self) -> None:
        n = self._moments[0].n
        ranks = [min(int(np.count_nonzero(moments.deviation())), n - 1) for moments in self._moments]
        for k, rank in enumerate(ranks):
            if rank == 0:
                raise ValueError(f"view {k} is constant and correlates with nothing; leave it out")
        if self.shrinkage == 0.0:
            warn_of_ranks(ranks, self.n_features_, n)

    def _finish(self, views: Sequence[View]) -> None:
        assert self._descent is not None
        self._descent.scales = self._scales()
        found, weights = self._descent.canonical(views)
        missing = self.n_components - len(found.correlations)
        self.weights_ = [np.pad(w, ((0, 0), (0, missing))) for w in weights]
        self.means_ = [moments.mean.copy() for moments in self._moments]
        self.correlations_ = np.append(found.correlations, np.full(missing, np.nan))
        self.n_steps_ = self._descent.n_steps
        warn_of_perfection(self.correlations_)


class StochasticPLS(StochasticCCA):
    """Partial least squares of two or more views by stochastic descent on the Eckart-Young loss.

    `StochasticCCA` with a shrinkage of 1: directions of unit length whose scores have most covariance.

    Parameters
    ----------
    n_components, scale, batch_size, max_iter, learning_rate, momentum, random_state
        As for `StochasticCCA`.

    Attributes
    ----------
    weights_, means_, correlations_, n_iter_, n_steps_, n_features_, n_features_in_
        As for `StochasticCCA`.

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(2000, 1))
    >>> views = [common + rng.normal(size=(2000, d)) for d in (20, 10)]
    >>> model = StochasticPLS(random_state=0).fit(views)
    >>> model.score(views) > 0.9
    True
    """

    shrinkage = 1.0

    def __init__(
        self,
        n_components: int = 1,
        scale: bool = True,
        batch_size: int = 128,
        max_iter: int = 10,
        learning_rate: float = 0.05,
        momentum: float = 0.9,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.scale = scale
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.random_state = random_state


def shuffled_batches(
    views: Sequence[View], batch_size: int, rng: np.random.Generator, reuse: bool = False
) -> Iterator[list[View]]:
    """Shuffled batches of equal rows; the last takes what remains. Streams are shuffled within blocks.

    With `reuse` the memory of a dense batch is that of the batch before.
    """
    streamed = any(isinstance(view, BlockSource) for view in views)
    for block in aligned_blocks(views) if streamed else [views]:
        n = block[0].shape[0]
        order = rng.permutation(n)
        n_batches = max(n // batch_size, 1)
        longest = n - (n_batches - 1) * batch_size
        memories = [
            np.empty((longest, view.shape[1]), view.dtype) if reuse and not issparse(view) else None for view in block
        ]
        for k in range(n_batches):
            rows = order[k * batch_size : (k + 1) * batch_size if k < n_batches - 1 else n]
            if len(rows) > 1:
                yield [_rows(view, rows, memory) for view, memory in zip(block, memories)]


def _rows(view: View, rows: NDArray[np.intp], memory: Array | None) -> View:
    """Some rows of a view, in the memory that is given."""
    if memory is None:
        return view[rows]
    return np.take(view, rows, axis=0, out=memory[: len(rows)], mode="clip")  # other modes copy once more
