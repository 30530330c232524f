"""Pcor and Icor: how strongly the features of two parties correlate, and how much of that lies between parties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    return _spread(np.linalg.svd(block, compute_uv=False))


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
        return _spread(np.abs(np.linalg.eigvalsh(block)))
    centred = block.copy()
    centred.flat[:: d + 1] -= block.trace() / d
    return float(np.linalg.norm(centred) / np.sqrt(d * (d - 1)))


def _spread(singular_values: NDArray[np.float64]) -> float:
    """Standard deviation (divisor d - 1) over the square root of d."""
    d = len(singular_values)
    centred = singular_values - singular_values.sum() / d
    return float(np.sqrt(centred @ centred / (d * (d - 1))))


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
    unknown = np.full((len(parties), len(parties)), np.nan)
    return pcor_after(correlation, parties, unknown, range(len(parties)))


def pcor_after(
    correlation: NDArray[np.float64], parties: Parties, before: NDArray[np.float64], changed: Iterable[int]
) -> NDArray[np.float64]:
    """Pcor of every pair after some parties have exchanged features; only pairs with one of these are computed.

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
    parties : sequence of K ndarrays of int
        As they are now.
    before : ndarray of shape (K, K)
        As it was.
    changed : iterable of int
        Parties that are no longer as they were.

    Returns
    -------
    ndarray of shape (K, K)
    """
    out = before.copy()
    done: set[int] = set()
    for i in changed:
        done.add(i)
        rows = correlation[parties[i]]
        out[i, i] = inner_pcor(rows[:, parties[i]])
        for j in range(len(parties)):
            if j not in done:
                out[i, j] = out[j, i] = pcor(rows[:, parties[j]])
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


def icor_envelope(correlation: NDArray[np.float64], sizes: Sequence[int]) -> tuple[float, float]:
    """Bounds that the Icor of no split into parties of these sizes can pass.

    With singular values s of a block of smaller side d, ``sum(s)**2 >= sum(s**2)``, so that Pcor is at most the root of
    the sum of the block's squares over d, and at least 0. Within a party it is the root of q / (d (d - 1)), where q is
    the sum of the squares off the diagonal and of the centred diagonal (less for an indefinite block, hence 0 from
    below). The squares off the diagonal sum to a T that no split changes, and a feature's d - 1 partners hold at most
    the d - 1 largest squares of its row and at least the d - 1 smallest. Hence

    - below: no correlation between parties, and within them the most that the rows allow party by party, or that T
      allows in all, spread over parties as is best for it (Cauchy-Schwarz);
    - above: within each party the least that the rows allow, and between parties the rest of T, spread over the pairs
      as is best for it (Cauchy-Schwarz).

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
    sizes : sequence of K int
        At least two, that sum to n_features.

    Returns
    -------
    (float, float)
        The first at most every Icor, the second at least.

    Examples
    --------
    >>> lowest, highest = icor_envelope(np.array([[1.0, 0.6], [0.6, 1.0]]).repeat(2, 0).repeat(2, 1), [2, 2])
    >>> round(lowest, 3), round(highest, 3)
    (-1.0, 0.225)
    """
    d = np.asarray(sizes, dtype=np.intp)
    n_parties = len(d)
    squares = correlation**2
    np.fill_diagonal(squares, 0.0)
    total = float(squares.sum())
    ordered = np.cumsum(np.sort(squares, axis=1), axis=1)
    most = np.array([_largest(ordered[:, -1] - _before(ordered, len(ordered) - size + 1), size) for size in d])
    least = np.array([-_largest(-_before(ordered, size), size) for size in d])
    pairs = np.maximum(d * (d - 1.0), 1.0)
    diagonal = np.where(d > 1, d * np.ptp(np.diag(correlation)) ** 2 / 4.0, 0.0)  # the most that d numbers can spread
    within = np.minimum(np.sqrt(most / pairs).sum(), np.sqrt(total * (1.0 / pairs)[d > 1].sum()))
    lowest = -(within + np.sqrt(diagonal / pairs).sum()) / n_parties
    if not is_semidefinite(correlation):
        least = np.zeros(n_parties)
    side = np.minimum.outer(d, d)[np.triu_indices(n_parties, 1)]
    weight = 2.0 / (n_parties * (n_parties - 1)) * np.where(side > 1, 1.0 / side, 0.0)
    between = np.sqrt(max(0.0, total - least.sum()) / 2.0) * np.linalg.norm(weight)
    return float(lowest), float(between - np.sqrt(least / pairs).sum() / n_parties)


def _before(cumulated: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Sum of the `size` first entries of each row, of which the first is the diagonal's 0."""
    return cumulated[:, size - 1] if size else np.zeros(len(cumulated))


def _largest(values: NDArray[np.float64], size: int) -> float:
    """Sum of the `size` largest values."""
    return float(np.sort(values)[len(values) - size :].sum())


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
