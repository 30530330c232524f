"""A linear directed acyclic graph over columns and classes, by continuous optimisation (NOTEARS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import minimize

from covey.engine._local import one_blas_thread

Array = NDArray[np.float64]


def acyclicity(W: Array) -> tuple[float, Array]:
    """``trace(exp(W * W)) - d``, which is 0 exactly for acyclic graphs, and its gradient.

    Parameters
    ----------
    W : ndarray of shape (d, d)
        Weight of each edge from row to column.

    References
    ----------
    Zheng, Aragam, Ravikumar and Xing (2018), DAGs with NO TEARS: Continuous Optimization for Structure Learning.
    arXiv:1803.01422.

    Examples
    --------
    >>> value, _ = acyclicity(np.array([[0.0, 2.0], [0.0, 0.0]]))
    >>> value
    0.0
    """
    exponential = expm(W * W)
    return float(np.trace(exponential) - len(W)), exponential.T * W * 2.0


def linear_dag(X: Array, alpha: float, max_rounds: int = 10, tolerance: float = 1e-6) -> Array:
    """Weights of a sparse acyclic graph that explain each column by its parents.

    Parameters
    ----------
    X : ndarray of shape (n_samples, d)
        Standardised.
    alpha : float
        Of the sum of the absolute weights.
    max_rounds : int
        Rounds of the augmented Lagrangian.
    tolerance : float
        Of the acyclicity.

    Returns
    -------
    ndarray of shape (d, d)
        From row to column.
    """
    n, d = X.shape
    covariance = X.T @ X / n
    bounds = [(0.0, 0.0 if i == j else None) for _ in range(2) for i in range(d) for j in range(d)]

    def objective(w: Array, rho: float, multiplier: float) -> tuple[float, Array]:
        W = (w[: d * d] - w[d * d :]).reshape(d, d)
        gap = np.eye(d) - W
        h, slope = acyclicity(W)
        value = 0.5 * np.sum(gap * (covariance @ gap)) + 0.5 * rho * h * h + multiplier * h + alpha * w.sum()
        smooth = (-covariance @ gap + (rho * h + multiplier) * slope).ravel()
        return value, np.concatenate([smooth, -smooth]) + alpha

    w, rho, multiplier, h = np.zeros(2 * d * d), 1.0, 0.0, np.inf
    with one_blas_thread():
        for _ in range(max_rounds):
            w = minimize(
                objective,
                w,
                (rho, multiplier),
                method="L-BFGS-B",
                jac=True,
                bounds=bounds,
                options={"maxiter": 200},
            ).x
            before, h = h, acyclicity((w[: d * d] - w[d * d :]).reshape(d, d))[0]
            multiplier += rho * h
            if h <= tolerance:
                break
            if h > 0.25 * before:
                rho *= 10.0
    return (w[: d * d] - w[d * d :]).reshape(d, d)


def class_importance(X: Array, codes: NDArray[np.intp], alpha: float = 0.01) -> Array:
    """Length of the edges between each column and the classes in a graph over both.

    Direction is not looked at: it is not identified for standardised linear columns.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    codes : ndarray of shape (n_samples,)
        Classes as 0, 1, ...
    alpha : float

    Returns
    -------
    ndarray of shape (n_features,)
        At least 0; 0 for a constant column.
    """
    classes = np.eye(int(codes.max()) + 1)[codes]
    classes = classes[:, 1:] if classes.shape[1] == 2 else classes
    both = np.column_stack([X, classes])
    centred = both - both.mean(axis=0)
    spread = centred.std(axis=0)
    W = linear_dag(centred / np.where(spread > 1e-12 * (1.0 + np.abs(both).max(axis=0)), spread, np.inf), alpha)
    d = X.shape[1]
    return np.sqrt((W[:d, d:] ** 2).sum(axis=1) + (W[d:, :d] ** 2).sum(axis=0))
