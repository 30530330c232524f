"""Least squares with absolute penalties and bounds, a penalty and bounds for each coefficient."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def bounded_lasso(
    X: ArrayLike,
    y: ArrayLike,
    penalty: ArrayLike,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    start: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
) -> tuple[Array, float]:
    """Minimise ``||y - X b||^2 / 2 + sum_j penalty_j |b_j|`` with ``lower <= b <= upper``, by coordinate descent.

    Sweeps run over the coefficients that are not zero; each time these settle, one sweep over all looks for more.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    y : array_like of shape (n_samples,)
    penalty, lower, upper : float or array_like of shape (n_features,)
        `penalty` is at least 0; the bounds hold 0 between them.
    start : array_like of shape (n_features,), optional
    tol : float
        Largest `kkt_residual` at which the descent ends, relative to the largest ``|x_j' y|``.
    max_iter : int
        Most sweeps over all coefficients.

    Returns
    -------
    coefficients : ndarray of shape (n_features,)
    residual : float
        `kkt_residual` that was reached, relative to the largest ``|x_j' y|``.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear models via coordinate descent.
    J. Stat. Softw. 33.

    Examples
    --------
    >>> bounded_lasso(np.eye(3), [3.0, -3.0, 0.5], penalty=1.0, lower=0.0)[0]
    array([2., 0., 0.])
    """
    X = np.asfortranarray(X, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64)
    d = X.shape[1]
    penalty, lower, upper = (
        np.broadcast_to(np.asarray(v, dtype=np.float64), d).copy() for v in (penalty, lower, upper)
    )
    b = np.zeros(d) if start is None else np.clip(np.asarray(start, dtype=np.float64), lower, upper)
    norms = (X * X).sum(axis=0)
    size = max(float(np.abs(X.T @ y).max(initial=0.0)), np.finfo(np.float64).tiny)
    left = y - X @ b
    _descend(X, left, b, norms, penalty, lower, upper, tol * size, max_iter)
    return b, kkt_residual(X, y, b, penalty, lower, upper) / size


def kkt_residual(
    X: Array, y: Array, b: Array, penalty: ArrayLike, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf
) -> float:
    """How far `b` is from optimal: the largest change of one coefficient alone, times the squares of its column.

    Zero where the Karush-Kuhn-Tucker conditions of `bounded_lasso` hold, in units of the gradient.

    Examples
    --------
    >>> kkt_residual(np.eye(1), np.array([3.0]), np.array([2.0]), 1.0)
    0.0
    """
    norms = (X * X).sum(axis=0)
    pull = X.T @ (y - X @ b) + norms * b
    shrunk = np.sign(pull) * np.maximum(np.abs(pull) - penalty, 0.0)
    best = np.clip(np.divide(shrunk, norms, out=np.zeros_like(b), where=norms > 0), lower, upper)
    return float(np.abs(norms * (best - b)).max(initial=0.0))


@njit(nogil=True, cache=True)
def _descend(
    X: Array,
    left: Array,
    b: Array,
    norms: Array,
    penalty: Array,
    lower: Array,
    upper: Array,
    tol: float,
    max_iter: int,
) -> None:
    """Coordinate descent in place on `b` and the residuals `left`."""
    d = len(b)
    every = np.arange(d)
    for _ in range(max_iter):
        if _sweep(X, left, b, norms, penalty, lower, upper, every) <= 0.1 * tol:
            return
        active = np.flatnonzero(b)
        for _ in range(max_iter):
            if _sweep(X, left, b, norms, penalty, lower, upper, active) <= 0.1 * tol:
                break


@njit(nogil=True, cache=True)
def _sweep(
    X: Array,
    left: Array,
    b: Array,
    norms: Array,
    penalty: Array,
    lower: Array,
    upper: Array,
    positions: NDArray[np.int64],
) -> float:
    """One update of each of `positions`; returns the largest change times the squares of its column."""
    largest = 0.0
    for j in positions:
        if norms[j] == 0.0:
            continue
        column = X[:, j]
        pull = np.dot(column, left) + norms[j] * b[j]
        size = max(abs(pull) - penalty[j], 0.0)
        new = min(max((size if pull > 0 else -size) / norms[j], lower[j]), upper[j])
        change = new - b[j]
        if change != 0.0:
            left -= change * column
            b[j] = new
            largest = max(largest, abs(change) * norms[j])
    return largest
