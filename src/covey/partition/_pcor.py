"""Pcor and Icor: how strongly the features of two parties correlate, and how much of that lies between parties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Parties = Sequence[NDArray[np.intp]]


def pcor(block: ArrayLike) -> float:
    """Spread of the singular values of a block of correlations.

    The standard deviation (divisor d - 1) of the d singular values over the square root of d. It is 0 when all of them
    are equal, as those of an identity are, and largest when one direction carries all.

    Parameters
    ----------
    block : array-like of shape (n_left, n_right)
        Correlations of the features of one party with those of another; d is the smaller of the two numbers.

    Returns
    -------
    float
        At least 0; 0 when d is 0 or 1.

    References
    ----------
    Wu, Hou and He (2024), VertiBench: Advancing Feature Distribution Diversity in Vertical Federated Learning
    Benchmarks. arXiv:2307.02040.

    Examples
    --------
    >>> pcor([[0.5, 0.5], [0.5, 0.5]])
    0.5
    >>> pcor([[1.0, 0.0], [0.0, 1.0]])
    0.0
    """
    block = np.asarray(block, dtype=np.float64)
    d = min(block.shape)
    if d < 2:
        return 0.0
    singular_values = np.linalg.svd(block, compute_uv=False)
    return float(np.std(singular_values, ddof=1) / np.sqrt(d))


def inner_pcor(block: ArrayLike) -> float:
    """Pcor of a party with itself.

    The singular values of a positive semi-definite block sum to its trace, so that its squared Pcor is the sum of the
    squares of its entries, the diagonal centred, over d (d - 1): for a unit diagonal the mean square of the
    correlations. A block that pairwise deletion of missing values has made indefinite takes the eigenvalues.

    Parameters
    ----------
    block : array-like of shape (d, d)
        Symmetric.

    Returns
    -------
    float

    Examples
    --------
    >>> inner_pcor([[1.0, 0.5], [0.5, 1.0]])
    0.5
    """
    block = np.asarray(block, dtype=np.float64)
    d = len(block)
    if d < 2:
        return 0.0
    if not is_semidefinite(block):
        return float(np.std(np.abs(np.linalg.eigvalsh(block)), ddof=1) / np.sqrt(d))
    centred = block.copy()
    np.fill_diagonal(centred, np.diag(block) - np.trace(block) / d)
    return float(np.linalg.norm(centred) / np.sqrt(d * (d - 1)))


def is_semidefinite(block: NDArray[np.float64]) -> bool:
    """Whether no eigenvalue of a symmetric matrix is below 0 by more than rounding."""
    slack = 1e-13 * len(block) * max(1.0, float(np.abs(block).max(initial=0.0)))
    try:
        np.linalg.cholesky(block + slack * np.eye(len(block)))
    except np.linalg.LinAlgError:
        return False
    return True


def pcor_matrix(correlation: NDArray[np.float64], parties: Parties) -> NDArray[np.float64]:
    """Pcor of every pair of parties.

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
        Symmetric and finite; correlations that are undefined must have been set to a number.
    parties : sequence of K ndarrays of int
        Features of each party; a feature may lie with several parties.

    Returns
    -------
    ndarray of shape (K, K)
        Symmetric.

    Raises
    ------
    ValueError
        If `correlation` is not square, not symmetric or not finite.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040.

    Examples
    --------
    >>> correlation = np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]])
    >>> pcor_matrix(correlation, [np.array([0, 1]), np.array([2])]).round(3).tolist()
    [[0.8, 0.0], [0.0, 0.0]]
    """
    correlation = check_correlation(correlation)
    out = np.zeros((len(parties), len(parties)))
    for i, left in enumerate(parties):
        out[i, i] = inner_pcor(correlation[np.ix_(left, left)])
        for j in range(i):
            out[i, j] = out[j, i] = pcor(correlation[np.ix_(left, parties[j])])
    return out


def icor(pcor: NDArray[np.float64]) -> float:
    """Mean over the parties of the Pcor with the others less the Pcor with themselves.

    Parameters
    ----------
    pcor : ndarray of shape (K, K)
        From `pcor_matrix`.

    Returns
    -------
    float
        Far below 0 when correlation lies within parties, above 0 when it lies between them; NaN for one party, which
        has no other.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040.

    Examples
    --------
    >>> round(icor(np.array([[0.6, 0.1], [0.1, 0.4]])), 9)
    -0.4
    """
    n_parties = len(pcor)
    if n_parties < 2:
        return float("nan")
    inner = float(np.trace(pcor))
    return (float(np.sum(pcor)) - inner) / (n_parties * (n_parties - 1)) - inner / n_parties


def check_correlation(correlation: ArrayLike) -> NDArray[np.float64]:
    """The matrix as float64, if it is square, finite and symmetric.

    Raises
    ------
    ValueError
        If it is not.
    """
    correlation = np.asarray(correlation, dtype=np.float64)
    if correlation.ndim != 2 or correlation.shape[0] != correlation.shape[1]:
        raise ValueError(f"a correlation matrix must be square, got shape {correlation.shape}")
    if not np.isfinite(correlation).all():
        raise ValueError("the correlation matrix holds NaN or infinity; set undefined correlations to 0")
    if not np.allclose(correlation, correlation.T, rtol=0.0, atol=1e-10):
        raise ValueError("the correlation matrix must be symmetric")
    return correlation
