"""The Eckart-Young loss: the leading subspace of a generalised eigenproblem as an unconstrained minimum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.learn._thin import times, transposed_times

Array = NDArray[np.float64]


def eckart_young_loss(U: Array, A: Array, B: Array) -> float:
    """``trace(-2 U'AU + (U'BU)^2)``: its minimisers span the leading solutions of ``A u = value B u``.

    There are no spurious local minima, and the least value is minus the sum of the squares of the leading
    (positive) eigenvalues.

    Parameters
    ----------
    U : ndarray of shape (n_features, n_components)
    A, B : ndarray of shape (n_features, n_features)
        Symmetric; `B` positive definite.

    Returns
    -------
    float

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012.

    Examples
    --------
    >>> eckart_young_loss(np.array([[np.sqrt(3.0)], [0.0]]), np.diag([3.0, 1.0]), np.eye(2))
    -9.0...
    """
    inner = U.T @ B @ U
    return float(-2.0 * np.trace(U.T @ A @ U) + (inner * inner.T).sum())


def multiview_loss(
    views: Sequence[Any],
    weights: Sequence[Array],
    shrinkage: float = 0.0,
    halves: bool = True,
    scales: Sequence[Array] | None = None,
) -> tuple[float, list[Array]]:
    """The loss of linear views on one batch, and its gradient in each view's weights.

    With scores ``Z_i = X_i W_i``, ``C = sum_{i != j} Cov(Z_i, Z_j)`` and
    ``V = sum_i (1 - shrinkage) Cov(Z_i) + shrinkage W_i'W_i`` it is ``-2 trace(C) + trace(V V)``. A batch's
    ``V V`` overestimates; the product of the `V` of two independent halves does not, so that loss and gradient are
    unbiased.

    Parameters
    ----------
    views : sequence of matrices of shape (n_rows, n_features_i)
        Dense or SciPy sparse; they need not be centred.
    weights : sequence of ndarray of shape (n_features_i, n_components)
    shrinkage : float
        0..1.
    halves : bool
        Use two halves of the batch, which then needs four rows; else the whole batch twice, which is exact when it
        holds all rows.
    scales : sequence of ndarray of shape (n_features_i,), optional
        Columns are divided by these first, without a copy of the batch.

    Returns
    -------
    loss : float
    gradients : list of ndarray of shape (n_features_i, n_components)

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), arXiv:2310.01012.
    """
    n = views[0].shape[0]
    parts = (slice(0, n // 2), slice(n // 2, n)) if halves else (slice(0, n),)
    units: list[Any] = [1.0] * len(views) if scales is None else [scale[:, None] for scale in scales]
    scores = [times(view, w / unit) for view, w, unit in zip(views, weights, units)]
    sides = [[z[part] - z[part].mean(axis=0) for z in scores] for part in parts]
    degrees = [part.stop - part.start - 1 for part in parts]
    ridge = shrinkage * sum(w.T @ w for w in weights)
    metrics = [(1.0 - shrinkage) * sum(z.T @ z for z in side) / m + ridge for side, m in zip(sides, degrees)]
    totals = [np.sum(side, axis=0) for side in sides]
    reward = np.mean([((t * t).sum() - sum((z * z).sum() for z in s)) / m for t, s, m in zip(totals, sides, degrees)])
    loss = float(-2.0 * reward + (metrics[0] * metrics[-1]).sum())
    # d trace(V1 V2) / dZ is 2 Z V of the other half; where both are one batch, twice that
    share = 2.0 * (1.0 - shrinkage) * (3 - len(parts))
    slopes = []
    for i in range(len(views)):
        slope = np.empty_like(scores[i])
        for part, side, total, m, other in zip(parts, sides, totals, degrees, metrics[::-1]):
            slope[part] = (share * side[i] @ other - (4.0 / len(parts)) * (total - side[i])) / m
        slopes.append(slope)
    both = 2.0 * shrinkage * (metrics[0] + metrics[-1])
    return loss, [
        transposed_times(view, s) / unit + w @ both for view, s, w, unit in zip(views, slopes, weights, units)
    ]
