"""Normalised Hilbert-Schmidt independence criterion with Gaussian kernels (delta kernels for categories)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from covey.measure._measure import Measure, PairStatistics, any_pair, register
from covey.measure._tables import Side, TableKernel
from covey.measure.distance import max_bins


def hsic(x: NDArray, y: NDArray) -> float:
    """Normalised HSIC of two complete columns, by the definition.

    ``HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y))`` with Gaussian kernels whose bandwidth is the (lower) median distance
    between two rows with different values; categories have the kernel 1[x = x'].

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Floats are numbers; integers are codes of categories.

    Returns
    -------
    float
        In 0..1; NaN when a column is constant.

    References
    ----------
    Gretton, Bousquet, Smola and Schoelkopf (2005), Measuring statistical dependence with Hilbert-Schmidt norms, ALT.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 101)
    >>> round(hsic(x, x), 6), hsic(x, x**2) > 0.1
    (1.0, True)
    """
    a, b = (_centred_kernel(c) for c in (x, y))
    norm = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.sum(a * b) / norm) if norm > 1e-12 else float("nan")


def _centred_kernel(column: NDArray) -> NDArray[np.float64]:
    if np.issubdtype(column.dtype, np.floating):
        distance = np.abs(column[:, None] - column[None, :])
        apart = distance[distance > 0]
        bandwidth = np.quantile(apart, 0.5, method="inverted_cdf") if len(apart) else 1.0
        kernel = np.exp(-0.5 * (distance / bandwidth) ** 2)
    else:
        kernel = (column[:, None] == column[None, :]).astype(np.float64)
    mean = kernel.mean(axis=0)
    return kernel - mean[:, None] - mean[None, :] + mean.mean()


def _kernels(counts: NDArray[np.float64], side: Side) -> NDArray[np.float64]:
    """Kernel between levels with these counts, shape (n_pairs, n_levels, n_levels)."""
    n_pairs, k = counts.shape
    if side.nominal:
        return np.broadcast_to(np.eye(k), (n_pairs, k, k))
    distance = np.abs(side.positions[:, :, None] - side.positions[:, None, :])
    weight = np.where(distance > 0, counts[:, :, None] * counts[:, None, :], 0.0).reshape(n_pairs, -1)
    flat = distance.reshape(n_pairs, -1)
    order = np.argsort(flat, axis=1)
    running = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    middle = np.argmax(running >= 0.5 * running[:, -1:], axis=1)
    bandwidth = np.take_along_axis(flat, np.take_along_axis(order, middle[:, None], axis=1), axis=1)[:, 0]
    bandwidth = np.where(bandwidth > 0, bandwidth, 1.0)
    return np.exp(-0.5 * (distance / bandwidth[:, None, None]) ** 2)


def _self_norm(p: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared norm of the centred kernel under the marginal `p`."""
    mean = np.einsum("pkl,pl->pk", kernel, p)
    grand = np.einsum("pk,pk->p", mean, p)
    square = np.einsum("pkl,pkl,pk,pl->p", kernel, kernel, p, p, optimize=True)
    return square - 2.0 * np.einsum("pk,pk->p", mean**2, p) + grand**2


def _reduce(tables: NDArray[np.float64], x: Side, y: Side, pvalues: bool) -> PairStatistics:
    n = tables.sum(axis=(1, 2))
    joint = tables / n[:, None, None]
    p, q = joint.sum(axis=2), joint.sum(axis=1)
    kernel_x, kernel_y = _kernels(tables.sum(axis=2), x), _kernels(tables.sum(axis=1), y)
    centred = joint - p[:, :, None] * q[:, None, :]
    criterion = np.einsum("pkl,pkl->p", kernel_x @ centred @ kernel_y, centred)
    norm_x, norm_y = _self_norm(p, kernel_x), _self_norm(q, kernel_y)
    defined = (norm_x > 1e-12) & (norm_y > 1e-12)
    scale = np.sqrt(np.where(defined, norm_x * norm_y, 1.0))
    value = np.where(defined, np.clip(criterion / scale, 0.0, 1.0), np.nan)
    if not pvalues:
        return PairStatistics(value, n.astype(np.int64))
    mean_x = np.einsum("pk,pkl,pl->p", p, kernel_x, p, optimize=True)
    mean_y = np.einsum("pk,pkl,pl->p", q, kernel_y, q, optimize=True)
    return PairStatistics(
        value,
        n.astype(np.int64),
        gamma_pvalue(criterion, norm_x * norm_y, mean_x, mean_y, n, defined),
    )


def gamma_pvalue(
    criterion: NDArray[np.float64],
    norm: NDArray[np.float64],
    mean_x: NDArray[np.float64],
    mean_y: NDArray[np.float64],
    n: NDArray[np.float64],
    defined: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Tail of the gamma distribution with the null mean and variance of the criterion (Gretton et al. 2007)."""
    off_x, off_y = (n * mean_x - 1) / (n - 1), (n * mean_y - 1) / (n - 1)
    mean = (1.0 + off_x * off_y - off_x - off_y) / n
    variance = 2.0 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * norm
    ok = defined & (n > 5) & (mean > 0) & (variance > 0)
    out = np.full(len(n), np.nan)
    out[ok] = gammaincc(mean[ok] ** 2 / variance[ok], np.maximum(criterion[ok], 0.0) * mean[ok] / variance[ok])
    return out


register(
    Measure(
        "hsic",
        "any dependence, by Gaussian kernels (normalised to 0..1)",
        hsic,
        TableKernel(_reduce, max_bins, "value"),
        any_pair,
    )
)
