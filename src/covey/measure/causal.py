"""Which of two columns is the cause? Location-scale noise models fitted both ways, and heteroscedastic regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import log, pi, sqrt
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from covey import engine as engines
from covey.engine import Engine
from covey.engine._local import one_blas_thread
from covey.measure.hsic import hsic

Array = NDArray[np.float64]
Criterion = Literal["hsic", "loglik"]

LEAST_ROWS = 30
LEAST_SCALE = 1e-3  # of the standard deviation of y: without it an exact fit has no finite likelihood
GREATEST_SCALE = 1e3
CONSTANT = "a column is constant"
FEW_ROWS = f"fewer than {LEAST_ROWS} rows have both values"
NO_DEPENDENCE = "a column or its residuals are constant on the rows drawn to measure their dependence"


def gaussian_log_likelihood(y: Array, mean: Array, scale: Array) -> float:
    """Mean log density of `y`, shape (n_samples,), under normal distributions with these means and scales."""
    return float(np.mean(-0.5 * ((y - mean) / scale) ** 2 - np.log(scale)) - 0.5 * log(2.0 * pi))


def natural_gaussian_fit(
    phi: Array, psi: Array, y: Array, alpha: float = 1e-5, max_iter: int = 200, tol: float = 1e-9
) -> tuple[Array, Array, int]:
    """Maximum a-posteriori normal regression whose natural parameters are linear in features.

    ``eta1 = phi w1`` and ``eta2 = -psi w2``, so that the mean is ``-eta1 / (2 eta2)`` and the variance
    ``-1 / (2 eta2)``. The penalised likelihood is jointly concave. For each `w2` the best `w1` is a weighted ridge
    regression, which is solved exactly; the rest is a convex problem in `w2` with bounds, left to L-BFGS-B.

    Parameters
    ----------
    phi : ndarray of shape (n_samples, n_features)
    psi : ndarray of shape (n_samples, n_scale_features)
        Not negative, and no row all zeros.
    y : ndarray of shape (n_samples,)
        Of variance about 1.
    alpha : float
        Precision of the normal prior of the weights.
    max_iter : int
    tol : float
        Stop when the loss falls by less than this share of itself.

    Returns
    -------
    w1 : ndarray of shape (n_features,)
    w2 : ndarray of shape (n_scale_features,)
        Positive.
    n_iter : int

    Raises
    ------
    ValueError
        If `psi` is negative somewhere, or a row of it all zeros.

    References
    ----------
    Immer, Schultheiss, Vogt, Schoelkopf, Buehlmann and Marx (2023), On the Identifiability and Estimation of Causal
    Location-Scale Noise Models. arXiv:2210.09054.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(3.0, 0.5, size=2000)
    >>> ones = np.ones((2000, 1))
    >>> w1, w2, _ = natural_gaussian_fit(ones, ones, y)
    >>> (w1 / (2 * w2)).round(1), np.sqrt(1 / (2 * w2)).round(1)
    (array([3.]), array([0.5]))
    """
    if not (psi >= 0).all() or not psi.any(axis=1).all():
        raise ValueError("psi must be nowhere negative, and no row of it all zeros")
    squares, identity = y * y, alpha * np.eye(phi.shape[1])

    def best_weights(precision: Array) -> Array:
        weighted = phi / (2.0 * precision[:, None])
        return cho_solve(cho_factor(weighted.T @ phi + identity), phi.T @ y)

    def profile(w2: Array) -> tuple[float, Array]:
        half = psi @ w2
        w1 = best_weights(half)
        eta = phi @ w1
        terms = squares * half + eta * eta / (4.0 * half) - eta * y - 0.5 * np.log(2.0 * half)
        slopes = squares - (eta / (2.0 * half)) ** 2 - 0.5 / half
        return terms.sum() + 0.5 * alpha * (w1 @ w1 + w2 @ w2), psi.T @ slopes + alpha * w2

    largest = psi.sum(axis=1).max()
    bounds = [(0.5 / GREATEST_SCALE**2 / largest, 0.5 / LEAST_SCALE**2 / largest)] * psi.shape[1]
    start = np.full(psi.shape[1], 0.5 / largest)
    with one_blas_thread():  # many small products: threads would wait for each other
        found = minimize(
            profile, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": max_iter, "ftol": tol}
        )
    return best_weights(psi @ found.x), found.x, int(found.nit)


class _HeteroscedasticRegressor(RegressorMixin, BaseEstimator):
    """Predictions and likelihood of a regressor that models the mean and the scale of a standardised target."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to `X`, shape (n_samples, n_features), and `y`, shape (n_samples,)."""
        rows, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        targets = targets.astype(np.float64)
        self.location_, spread = float(targets.mean()), float(targets.std())
        self.spread_ = spread if spread > 1e-12 * max(abs(self.location_), 1e-300) else 1.0
        self._fit(rows, (targets - self.location_) / self.spread_)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean of the target, and its standard deviation if asked for, each of shape (n_samples,)."""
        check_is_fitted(self)
        mean, scale = self._mean_and_scale(validate_data(self, X, dtype=np.float64, reset=False))
        mean = self.location_ + self.spread_ * mean
        return (mean, self.spread_ * scale) if return_std else mean

    def log_likelihood(self, X: ArrayLike, y: ArrayLike) -> float:
        """Mean log density of the targets `y` given `X`."""
        return gaussian_log_likelihood(np.asarray(y, dtype=np.float64), *self.predict(X, return_std=True))

    def _fit(self, X: Array, y: Array) -> None:
        raise NotImplementedError

    def _mean_and_scale(self, X: Array) -> tuple[Array, Array]:
        raise NotImplementedError


class HeteroscedasticRidge(_HeteroscedasticRegressor):
    """Regression on splines whose noise varies with the inputs too.

    Both natural parameters of a normal distribution are sums of B-splines of the columns; see
    `natural_gaussian_fit`. Outside the range of the training rows the ends are continued.

    Parameters
    ----------
    n_knots : int
        Of each column's splines, at least 2.
    degree : int
    knots : {"quantile", "uniform"}
        Quantiles of the rows; of a column's different values where ties would put two knots in one place.
    alpha : float
        Precision of the prior of the weights, above 0.
    constant_scale : bool
        One scale for all rows: an additive-noise model.
    max_iter : int
    tol : float
        Stop when the loss falls by less than this share of itself.

    Attributes
    ----------
    location_, spread_ : float
        Mean and standard deviation by which the target was standardised.
    coef_ : ndarray of shape (n_splines,)
        Weights of the first natural parameter.
    scale_coef_ : ndarray of shape (n_splines,), or (1,) for a constant scale
        Weights of the second, with the sign changed: positive.
    n_iter_ : int
    n_features_in_ : int

    References
    ----------
    Immer et al. (2023), arXiv:2210.09054.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, size=2000)
    >>> y = np.sin(x) + (0.1 + 0.2 * (x > 0)) * rng.normal(size=2000)
    >>> model = HeteroscedasticRidge(n_knots=8).fit(x[:, None], y)
    >>> mean, deviation = model.predict([[-1.0], [1.0]], return_std=True)
    >>> mean.round(1), deviation.round(1)
    (array([-0.8,  0.8]), array([0.1, 0.3]))
    """

    def __init__(
        self,
        n_knots: int = 25,
        degree: int = 5,
        knots: Literal["quantile", "uniform"] = "quantile",
        alpha: float = 1e-5,
        constant_scale: bool = False,
        max_iter: int = 200,
        tol: float = 1e-9,
    ) -> None:
        self.n_knots = n_knots
        self.degree = degree
        self.knots = knots
        self.alpha = alpha
        self.constant_scale = constant_scale
        self.max_iter = max_iter
        self.tol = tol

    def _fit(self, X: Array, y: Array) -> None:
        if not self.alpha > 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")
        rows = _rows_apart(X)
        knots = _quantile_knots(rows, self.n_knots) if self.knots == "quantile" else self.knots
        self._splines = SplineTransformer(n_knots=self.n_knots, degree=self.degree, knots=knots).fit(rows)
        phi, psi = self._features(X)
        self.coef_, self.scale_coef_, self.n_iter_ = natural_gaussian_fit(
            phi, psi, y, self.alpha, self.max_iter, self.tol
        )

    def _features(self, X: Array) -> tuple[Array, Array]:
        phi = self._splines.transform(X)
        return phi, np.ones((len(X), 1)) if self.constant_scale else np.abs(phi)

    def _mean_and_scale(self, X: Array) -> tuple[Array, Array]:
        phi, psi = self._features(X)
        variance = 0.5 / (psi @ self.scale_coef_)
        return phi @ self.coef_ * variance, np.sqrt(variance)


def _rows_apart(X: Array) -> Array:
    """The rows, and for each constant column an interval about its value, so that knots have somewhere to lie."""
    constant = X.min(axis=0) == X.max(axis=0)
    if not constant.any():
        return X
    reach = constant * np.maximum(np.abs(X[0]), 1.0)
    return np.vstack([X - reach, X + reach])


def _quantile_knots(X: Array, n_knots: int) -> Array:
    """Quantiles of each column at equal steps, all different, shape (n_knots, n_features)."""
    levels = np.linspace(0.0, 1.0, n_knots)
    knots = np.quantile(X, levels, axis=0)
    for j in np.flatnonzero((np.diff(knots, axis=0) <= 0).any(axis=0)):
        knots[:, j] = np.quantile(np.unique(X[:, j]), levels)
    return knots


class HeteroscedasticNetwork(_HeteroscedasticRegressor):
    """Regression by a network with one hidden layer whose two outputs are the natural parameters of a normal.

    The second output passes through the exponential. All rows are used at once, by L-BFGS with exact gradients.

    Parameters
    ----------
    n_hidden : int
        Units, with the hyperbolic tangent.
    alpha : float
        Penalty on the squares of the weights.
    max_iter : int
    random_state : int, RandomState or None

    Attributes
    ----------
    location_, spread_ : float
        Mean and standard deviation by which the target was standardised.
    coefs_ : list of ndarray
        Weights of the hidden layer, shape (n_features + 1, n_hidden), biases last; and of the outputs, shape
        (n_hidden + 1, 2).
    n_iter_ : int
    n_features_in_ : int

    References
    ----------
    Immer et al. (2023), arXiv:2210.09054, who train with Adam.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, size=1000)
    >>> y = np.sin(x) + (0.1 + 0.2 * (x > 0)) * rng.normal(size=1000)
    >>> model = HeteroscedasticNetwork(n_hidden=20, random_state=0).fit(x[:, None], y)
    >>> model.predict([[-1.0], [1.0]], return_std=True)[1].round(1)
    array([0.1, 0.3])
    """

    def __init__(
        self,
        n_hidden: int = 100,
        alpha: float = 1e-5,
        max_iter: int = 500,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.n_hidden = n_hidden
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit(self, X: Array, y: Array) -> None:
        if self.n_hidden < 1:
            raise ValueError(f"n_hidden must be at least 1, got {self.n_hidden}")
        self._scaler = StandardScaler().fit(X)
        inputs = _with_ones(self._scaler.transform(X))
        split = inputs.shape[1] * self.n_hidden
        rng = check_random_state(self.random_state)
        start = rng.normal(size=split + 2 * (self.n_hidden + 1))
        start[:split] *= sqrt(2.0 / inputs.shape[1])
        start[split:] *= 0.1 / sqrt(self.n_hidden)
        loss = partial(_network_loss, inputs, y, self.n_hidden, self.alpha)
        with one_blas_thread():
            found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": self.max_iter})
        self.coefs_ = [found.x[:split].reshape(-1, self.n_hidden), found.x[split:].reshape(-1, 2)]
        self.n_iter_ = int(found.nit)

    def _mean_and_scale(self, X: Array) -> tuple[Array, Array]:
        hidden = np.tanh(_with_ones(self._scaler.transform(X)) @ self.coefs_[0])
        eta, log_precision = (_with_ones(hidden) @ self.coefs_[1]).T
        precision = np.exp(_bounded(log_precision))
        return eta / precision, 1.0 / np.sqrt(precision)


def _with_ones(X: Array) -> Array:
    return np.column_stack([X, np.ones(len(X))])


def _bounded(log_precision: Array) -> Array:
    return np.clip(log_precision, -2.0 * log(GREATEST_SCALE), -2.0 * log(LEAST_SCALE))


def _network_loss(inputs: Array, y: Array, n_hidden: int, alpha: float, weights: Array) -> tuple[float, Array]:
    """Mean negative log-likelihood without its constant, penalised, and the gradient."""
    split = inputs.shape[1] * n_hidden
    first, second = weights[:split].reshape(-1, n_hidden), weights[split:].reshape(-1, 2)
    hidden = np.tanh(inputs @ first)
    outer = _with_ones(hidden)
    eta, free = (outer @ second).T
    log_precision = _bounded(free)
    precision = np.exp(log_precision)
    terms = 0.5 * (precision * y * y + eta * eta / precision - log_precision) - eta * y
    slopes = np.column_stack(
        [eta / precision - y, 0.5 * (precision * y * y - eta * eta / precision - 1.0) * (free == log_precision)]
    ) / len(y)
    inner = (slopes @ second[:-1].T) * (1.0 - hidden * hidden)
    gradient = np.concatenate([(inputs.T @ inner).ravel(), (outer.T @ slopes).ravel()])
    return float(terms.mean() + 0.5 * alpha * weights @ weights), gradient + alpha * weights


@dataclass(frozen=True, eq=False)
class CausalDirection:
    """What fits in both directions say about cause and effect of two columns.

    Parameters
    ----------
    direction : int
        1: the first column causes the second; -1: the second the first; 0: undefined or a tie.
    score : float
        Evidence for 1 over -1: difference of the mean log-likelihoods in nats a row, or of the normalised HSIC of
        residual and input. NaN where undefined.
    log_likelihood : tuple of float
        Mean log-likelihood of the effect given the cause, first as cause and second as cause; standardised columns.
    dependence : tuple of float
        Normalised HSIC, 0..1, of residual and cause in both fits; NaN where the criterion does not need it.
    models : tuple of fitted regressors
        Standardised second column on the first, and the first on the second; empty where undefined.
    n : int
        Rows with both values.
    reason : str
        Why the direction is undefined; ``""`` otherwise.
    """

    direction: int
    score: float
    log_likelihood: tuple[float, float]
    dependence: tuple[float, float]
    models: tuple[Any, ...]
    n: int
    reason: str = ""

    def __repr__(self) -> str:
        words = {1: "first causes second", -1: "second causes first", 0: "undecided"}
        return f"<CausalDirection: {words[self.direction]}, score {self.score:.3g}>"


def cause_effect_direction(
    x: ArrayLike,
    y: ArrayLike,
    criterion: Criterion = "hsic",
    estimator: Any = "spline",
    max_rows: int = 2000,
    random_state: int = 0,
) -> CausalDirection:
    """Whether `x` causes `y` or `y` causes `x`, if one of them does and nothing else causes both.

    Assumes ``effect = f(cause) + g(cause) * noise`` with noise independent of the cause. Such a model holds in the
    wrong direction only in special cases, of which linear functions with normal variables are one: there the score is
    near 0 and its sign means nothing. A score says which direction the model fits better, not that it fits.

    Parameters
    ----------
    x, y : array_like of shape (n_samples,)
        Rows where either is NaN are left out.
    criterion : {"hsic", "loglik"}
        The direction whose residuals ``(y - mean) / scale`` depend less on the cause; or that with the greater
        likelihood, which needs noise that is normal.
    estimator : {"spline", "network"} or regressor
        `HeteroscedasticRidge`, `HeteroscedasticNetwork`, or any regressor with ``predict(X, return_std=True)``.
    max_rows : int
        Dependence is measured on at most so many rows, drawn at random; it takes time and memory in their square.
    random_state : int

    Returns
    -------
    CausalDirection

    Raises
    ------
    ValueError
        If lengths differ, values are infinite, or an argument is out of range.

    References
    ----------
    Immer et al. (2023), On the Identifiability and Estimation of Causal Location-Scale Noise Models. arXiv:2210.09054.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=500)
    >>> y = np.tanh(2 * x) + (0.2 + 0.4 * (x > 0)) * rng.normal(size=500)
    >>> cause_effect_direction(x, y).direction, cause_effect_direction(y, x).direction
    (1, -1)
    """
    a, b = (np.asarray(column, dtype=np.float64) for column in (x, y))
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"x and y must be columns of one length, got shapes {a.shape} and {b.shape}")
    if np.isinf(a).any() or np.isinf(b).any():
        raise ValueError("x or y holds infinite values; drop those rows")
    regressor = _regressor(criterion, estimator, max_rows, random_state)
    present = ~(np.isnan(a) | np.isnan(b))
    a, b = a[present], b[present]
    reason = FEW_ROWS if len(a) < LEAST_ROWS else CONSTANT if min(np.ptp(a), np.ptp(b)) == 0 else ""
    if reason:
        return CausalDirection(0, np.nan, (np.nan, np.nan), (np.nan, np.nan), (), len(a), reason)
    a, b = ((column - column.mean()) / column.std() for column in (a, b))
    models = clone(regressor).fit(a[:, None], b), clone(regressor).fit(b[:, None], a)
    likelihoods = models[0].log_likelihood(a[:, None], b), models[1].log_likelihood(b[:, None], a)
    dependence, score = (np.nan, np.nan), likelihoods[0] - likelihoods[1]
    if criterion == "hsic":
        rows = np.random.default_rng(random_state).permutation(len(a))[:max_rows]
        dependence = _dependence(models[0], a[rows], b[rows]), _dependence(models[1], b[rows], a[rows])
        score = dependence[1] - dependence[0]
    if np.isnan(score):
        return CausalDirection(0, np.nan, likelihoods, dependence, models, len(a), NO_DEPENDENCE)
    return CausalDirection(int(np.sign(score)), float(score), likelihoods, dependence, models, len(a))


def _regressor(criterion: str, estimator: Any, max_rows: int, random_state: int) -> Any:
    if criterion not in ("hsic", "loglik"):
        raise ValueError(f"criterion must be 'hsic' or 'loglik', not {criterion!r}")
    if max_rows < LEAST_ROWS:
        raise ValueError(f"max_rows must be at least {LEAST_ROWS}, got {max_rows}")
    if not isinstance(estimator, str):
        return estimator
    if estimator not in ("spline", "network"):
        raise ValueError(f"estimator must be 'spline', 'network' or a regressor, not {estimator!r}")
    return HeteroscedasticRidge() if estimator == "spline" else HeteroscedasticNetwork(random_state=random_state)


def _dependence(model: Any, cause: Array, effect: Array) -> float:
    mean, scale = model.predict(cause[:, None], return_std=True)
    return hsic(cause, (effect - mean) / scale)


class LocationScaleNoiseModel(BaseEstimator):
    """Direction of cause and effect for every pair of columns, each pair on its own.

    The assumptions of `cause_effect_direction` hold for a pair at best; with a common cause, or a chain, both
    directions may be wrong.

    Parameters
    ----------
    criterion : {"hsic", "loglik"}
    estimator : {"spline", "network"} or regressor
    max_rows : int
        Rows for the dependence of residuals.
    random_state : int
    engine : Engine or str, optional
        Where the pairs are fitted; the result does not depend on it.

    Attributes
    ----------
    direction_ : ndarray of shape (n_features_in_, n_features_in_), int
        1 where the row's column causes the column's, -1 where the reverse, 0 on the diagonal and where undefined.
    score_ : ndarray of shape (n_features_in_, n_features_in_)
        Antisymmetric; NaN where undefined.
    n_features_in_ : int

    References
    ----------
    Immer et al. (2023), arXiv:2210.09054.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=500)
    >>> y = np.tanh(2 * x) + (0.2 + 0.4 * (x > 0)) * rng.normal(size=500)
    >>> LocationScaleNoiseModel().fit(np.column_stack([y, x])).direction_
    array([[ 0, -1],
           [ 1,  0]])
    """

    def __init__(
        self,
        criterion: Criterion = "hsic",
        estimator: Any = "spline",
        max_rows: int = 2000,
        random_state: int = 0,
        engine: Engine | str | None = None,
    ) -> None:
        self.criterion = criterion
        self.estimator = estimator
        self.max_rows = max_rows
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit all pairs of columns of `X`, shape (n_samples, n_features), NaN allowed; `y` is ignored."""
        rows = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        _regressor(self.criterion, self.estimator, self.max_rows, self.random_state)
        d = rows.shape[1]
        pairs = list(combinations(range(d), 2))
        found = engines.resolve(self.engine).map(partial(self._pair, rows), pairs)
        self.direction_ = np.zeros((d, d), dtype=np.int64)
        self.score_ = np.full((d, d), np.nan)
        for (i, j), (direction, score) in zip(pairs, found):
            self.direction_[i, j], self.direction_[j, i] = direction, -direction
            self.score_[i, j], self.score_[j, i] = score, -score
        return self

    def _pair(self, X: Array, pair: tuple[int, int]) -> tuple[int, float]:
        x, y = X[:, pair[0]], X[:, pair[1]]
        found = cause_effect_direction(x, y, self.criterion, self.estimator, self.max_rows, self.random_state)
        return found.direction, found.score

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
