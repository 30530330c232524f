"""Out-of-fold predictions with all columns, and again without each of them (leave one covariate out)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack, solve
from sklearn.base import is_classifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.validation import check_array, check_consistent_length

from covey.engine import Engine, LocalEngine, resolve
from covey.measure._crossfit import Fold, RandomState, out_of_fold, predict_folds, row_folds, seeded
from covey.measure._null import student_t_pvalue

Array = NDArray[np.float64]
Columns = NDArray[np.intp]
ClosedForm = Callable[[Array, Array, Sequence[Fold], Sequence[Columns], Engine], tuple[Array, Array]]

KERNELS = {"rbf": ("gamma",), "laplacian": ("gamma",), "cosine": ()}
KERNELS |= dict.fromkeys(("poly", "polynomial"), ("gamma", "degree", "coef0")) | {"sigmoid": ("gamma", "coef0")}


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Out-of-fold predictions with and without columns.

    Parameters
    ----------
    full : ndarray of shape (n_rows, ...)
        With all columns; a row holds a number, or one for each target or class.
    without : ndarray of shape (n_groups, n_rows, ...)
        Without the columns of each group.
    closed_form : bool
        Whether the learner was not fitted anew for each group.
    """

    full: Array
    without: Array
    closed_form: bool


def paired_t_test(differences: ArrayLike, two_sided: bool = False) -> tuple[Array, Array]:
    """t statistics and p-values of a mean of zero of each row of differences.

    Parameters
    ----------
    differences : array-like of shape (n_tests, n_samples)
    two_sided : bool
        By default the alternative is a mean above 0.

    Returns
    -------
    t, pvalues : ndarray of shape (n_tests,)
        Where all differences are 0, t is 0 and the p-value 1; NaN with one sample.

    Examples
    --------
    >>> t, p = paired_t_test([[1.0, 2.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    >>> t.round(3).tolist(), p.round(4).tolist()
    ([4.899, 0.0], [0.0081, 1.0])
    """
    d = np.asarray(differences, dtype=np.float64)
    n = d.shape[1]
    if n < 2:
        return np.full(len(d), np.nan), np.full(len(d), np.nan)
    mean, error = d.mean(axis=1), d.std(axis=1, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, mean / error)
    both = student_t_pvalue(t, n - 1.0)
    p = both if two_sided else np.where(t > 0, both / 2, 1 - both / 2)
    return t, np.where((d == 0).all(axis=1), 1.0, p)


@dataclass(frozen=True, eq=False)
class CrossFitter:
    """Predictions of rows by a learner that was fitted on the other folds, with all columns or without some.

    Parameters
    ----------
    learner : scikit-learn regressor, or classifier with `predict_proba`
        For `Ridge` and `KernelRidge` with a penalty, the predictions without columns have a closed form: of a ridge
        regression one decomposition a fold serves all groups, of a kernel ridge regression one factorisation a group
        serves all folds. Any other learner is fitted anew.
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Folds; of a number, rows are drawn at random, and classes are spread evenly for a classifier.
    random_state : int, Generator or None
        Of the folds, and of learners without one of their own, who get the same seed with and without a column.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the groups (or folds) run; the result does not depend on it.

    References
    ----------
    Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), Distribution-free predictive inference for regression. J. Am.
    Stat. Assoc. 113. arXiv:1604.04173 (leave one covariate out). Chernozhukov et al. (2018), Double/debiased machine
    learning for treatment and structural parameters. Econom. J. 21. arXiv:1608.00060 (cross-fitting).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = x[:, 0] + 0.1 * np.random.default_rng(1).normal(size=200)
    >>> found = CrossFitter(Ridge(), random_state=0).without(x, y)
    >>> ((y - found.without) ** 2).mean(axis=1).round(2).tolist(), found.closed_form
    ([1.06, 0.01, 0.01], True)
    """

    learner: Any
    cv: Any = 5
    random_state: RandomState = None
    engine: Engine | str | None = None

    def predict(self, X: Any, y: ArrayLike) -> Array:
        """Out-of-fold predictions with all columns.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or dataframe
        y : array-like of shape (n_rows,) or, for regressors, (n_rows, n_targets)

        Returns
        -------
        ndarray of float64
            In the shape of `y`; of a classifier the probabilities, shape (n_rows, n_classes).
        """
        return out_of_fold(self.learner, X, y, self.cv, self.random_state, self.engine)

    def without(self, X: ArrayLike, y: ArrayLike, groups: Sequence[ArrayLike] | None = None) -> LeftOut:
        """Out-of-fold predictions with all columns, and without those of each group, on the same folds.

        Without any column the mean of the training rows (or the shares of the classes) is predicted.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Numbers.
        y : array-like of shape (n_rows,) or, for regressors, (n_rows, n_targets)
        groups : sequence of array-like of int, optional
            Positions of the columns of each group; by default each column is one.

        Returns
        -------
        LeftOut

        Raises
        ------
        ValueError
            If `X` or `y` has missing or infinite values, or a group names no column or an unknown one.
        """
        x: Array = check_array(X, dtype=np.float64)
        known: NDArray = check_array(y, ensure_2d=False, dtype=None)
        check_consistent_length(x, known)
        left = [np.array([j]) for j in range(x.shape[1])] if groups is None else _checked(groups, x.shape[1])
        rng = np.random.default_rng(self.random_state)
        classes = np.unique(known) if is_classifier(self.learner) else None
        folds = row_folds(self.cv, len(known), known, classes is not None, rng)
        learner = seeded(self.learner, int(rng.integers(2**31)))
        engine = resolve(self.engine)
        closed = closed_form(learner, folds, len(known))
        if closed is None:
            return _refitted(learner, x, known, folds, left, classes, engine)
        targets = known.astype(np.float64).reshape(len(known), -1)
        full, without = closed(x, targets, folds, left, engine)
        return LeftOut(full.reshape(known.shape), without.reshape(len(left), *known.shape), True)


def closed_form(learner: Any, folds: Sequence[Fold], n_rows: int) -> ClosedForm | None:
    """What gives the predictions of a learner without columns at once, or None when it must be fitted anew."""
    if type(learner) not in (Ridge, KernelRidge) or not _one_penalty(learner.alpha):
        return None
    if type(learner) is Ridge:
        direct = learner.solver in ("auto", "cholesky", "svd") and not learner.positive
        return partial(ridge_without, alpha=learner.alpha, intercept=learner.fit_intercept) if direct else None
    if learner.kernel == "linear":
        return partial(ridge_without, alpha=learner.alpha, intercept=False)
    complements = all(len(train) + len(test) == n_rows and not np.isin(train, test).any() for train, test in folds)
    if not isinstance(learner.kernel, str) or learner.kernel not in KERNELS or not complements:
        return None
    options = {name: getattr(learner, name) for name in KERNELS[learner.kernel]}
    return partial(kernel_ridge_without, alpha=learner.alpha, kernel=learner.kernel, options=options)


def ridge_without(
    X: Array,
    Y: Array,
    folds: Sequence[Fold],
    groups: Sequence[Columns],
    engine: Engine,
    alpha: float,
    intercept: bool = True,
) -> tuple[Array, Array]:
    """Out-of-fold predictions of ridge regression with all columns and without each group.

    With ``P = (X'X + alpha I)^-1`` of the training rows and coefficients b, those without group g are
    ``b - P[:, g] P[g, g]^-1 b[g]``; P is kept as a multiple of the identity plus a decomposition of low rank.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_targets)
    folds : sequence of (ndarray, ndarray)
    groups : sequence of ndarray of int
    engine : Engine
    alpha : float
        Above 0.
    intercept : bool

    Returns
    -------
    full : ndarray of shape (n_rows, n_targets)
    without : ndarray of shape (n_groups, n_rows, n_targets)

    Examples
    --------
    >>> x, y = np.eye(4)[:, :2], np.arange(4.0)[:, None]
    >>> folds = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]
    >>> ridge_without(x, y, folds, [np.array([0])], LocalEngine(1), 1.0)[1].ravel().round(3).tolist()
    [2.5, 2.5, 0.333, 0.333]
    """
    full, without = np.empty(Y.shape), np.empty((len(groups), *Y.shape))
    parts = engine.map(partial(_ridge_fold, X, Y, groups, alpha, intercept), list(folds))
    for (_, test), (predicted, dropped) in zip(folds, parts):
        full[test], without[:, test] = predicted, dropped
    return full, without


def _ridge_fold(
    X: Array, Y: Array, groups: Sequence[Columns], alpha: float, intercept: bool, fold: Fold
) -> tuple[Array, Array]:
    train, test = fold
    shift = X[train].mean(axis=0) if intercept else np.zeros(X.shape[1])
    base = Y[train].mean(axis=0) if intercept else np.zeros(Y.shape[1])
    u, s, vt = np.linalg.svd(X[train] - shift, full_matrices=False)
    coefficients = vt.T @ ((s / (s**2 + alpha))[:, None] * (u.T @ (Y[train] - base)))
    wide = len(s) < X.shape[1]
    identity = 1 / alpha if wide else 0.0
    weights = -(s**2) / (alpha * (s**2 + alpha)) if wide else 1 / (s**2 + alpha)
    unseen = X[test] - shift
    loading = identity * unseen + ((unseen @ vt.T) * weights) @ vt
    full = unseen @ coefficients + base
    without = np.empty((len(groups), *full.shape))
    for g, columns in enumerate(groups):
        inner = identity * np.eye(len(columns)) + (vt[:, columns].T * weights) @ vt[:, columns]
        without[g] = full - loading[:, columns] @ solve(inner, coefficients[columns], assume_a="pos")
        if len(columns) == X.shape[1]:
            without[g] = Y[train].mean(axis=0)
    return full, without


def kernel_ridge_without(
    X: Array,
    Y: Array,
    folds: Sequence[Fold],
    groups: Sequence[Columns],
    engine: Engine,
    alpha: float,
    kernel: str = "rbf",
    options: dict[str, Any] | None = None,
) -> tuple[Array, Array]:
    """Out-of-fold predictions of kernel ridge regression with all columns and without each group.

    A column takes part in each entry of the kernel matrix, so that it is computed anew without it; but with
    ``Q = (K + alpha I)^-1`` of all rows, the residuals of test rows t are ``Q[t, t]^-1 (Q Y)[t]``: one factorisation
    serves all folds.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_targets)
    folds : sequence of (ndarray, ndarray)
        The training rows are all that are not test rows.
    groups : sequence of ndarray of int
    engine : Engine
    alpha : float
        Above 0.
    kernel : {"rbf", "laplacian", "poly", "polynomial", "sigmoid", "cosine"}
    options : dict, optional
        ``gamma``, ``degree`` and ``coef0``; a gamma of None is one over the number of columns that are left.

    Returns
    -------
    full : ndarray of shape (n_rows, n_targets)
    without : ndarray of shape (n_groups, n_rows, n_targets)

    Examples
    --------
    >>> x, y = np.eye(4)[:, :2], np.arange(4.0)[:, None]
    >>> folds = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]
    >>> kernel_ridge_without(x, y, folds, [np.array([0])], LocalEngine(1), 1.0)[1].ravel().round(3).tolist()
    [1.667, 0.613, 0.095, 0.095]
    """
    rest = [np.arange(X.shape[1])] + [np.setdiff1d(np.arange(X.shape[1]), columns) for columns in groups]
    one = partial(_kernel_predictions, X, Y, folds, alpha, kernel, options or {})
    predicted = np.array(engine.map(one, rest))
    return predicted[0], predicted[1:]


def _kernel_predictions(
    X: Array, Y: Array, folds: Sequence[Fold], alpha: float, kernel: str, options: dict[str, Any], columns: Columns
) -> Array:
    if not len(columns):
        return _means(Y, folds)
    part = X[:, columns]
    if kernel in ("rbf", "laplacian"):
        part = part - part.mean(axis=0)  # these see only differences, which a large mean would round
    matrix = np.asfortranarray(pairwise_kernels(part, metric=kernel, **options))
    matrix[np.diag_indices(len(matrix))] += alpha
    inverse = _inverse(matrix)
    dual = inverse @ Y
    out = np.empty(Y.shape)
    for _, test in folds:
        out[test] = Y[test] - solve(inverse[np.ix_(test, test)], dual[test], assume_a="sym")
    return out


def _inverse(matrix: NDArray) -> NDArray:
    """Inverse of a symmetric matrix, from its Cholesky factor where it is positive definite."""
    factor, failed = lapack.dpotrf(matrix, lower=1)
    if failed:
        return np.linalg.inv(matrix)
    lower, _ = lapack.dpotri(factor, lower=1)
    return np.tril(lower) + np.tril(lower, -1).T


def _means(Y: Array, folds: Sequence[Fold]) -> Array:
    out = np.empty(Y.shape)
    for train, test in folds:
        out[test] = Y[train].mean(axis=0)
    return out


def _refitted(
    learner: Any,
    X: Array,
    y: NDArray,
    folds: Sequence[Fold],
    groups: Sequence[Columns],
    classes: NDArray | None,
    engine: Engine,
) -> LeftOut:
    rest = [np.arange(X.shape[1])] + [np.setdiff1d(np.arange(X.shape[1]), columns) for columns in groups]
    predicted = engine.map(partial(_fit_on, learner, X, y, folds, classes), rest)
    return LeftOut(predicted[0], np.array(predicted[1:]), False)


def _fit_on(
    learner: Any, X: Array, y: NDArray, folds: Sequence[Fold], classes: NDArray | None, columns: Columns
) -> Array:
    if len(columns):
        return predict_folds(learner, X[:, columns], y, folds, classes, LocalEngine(1))
    return _means(y.astype(np.float64) if classes is None else (y[:, None] == classes).astype(np.float64), folds)


def _one_penalty(alpha: Any) -> bool:
    return np.ndim(alpha) == 0 and float(alpha) > 0


def _checked(groups: Sequence[ArrayLike], n_features: int) -> list[Columns]:
    checked = [np.unique(np.asarray(columns)) for columns in groups]
    for g, columns in enumerate(checked):
        if not len(columns) or columns.dtype.kind not in "iu" or columns[0] < 0 or columns[-1] >= n_features:
            raise ValueError(f"group {g} must hold positions of columns in 0..{n_features - 1}, not {columns.tolist()}")
    return [columns.astype(np.intp) for columns in checked]
