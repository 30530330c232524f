"""Shares of importance that parties hold: drawn with a wanted imbalance, and reached by dealing out features."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DRAWS = 10_000  # of shares; about one in two can be used


def moment_alpha(shares: ArrayLike) -> float:
    """Concentration of the symmetric Dirichlet distribution that has the variance of these shares.

    ``(K - 1 - K**2 V) / (K**3 V)`` with the variance V (divisor K) of K shares that sum to 1.

    Parameters
    ----------
    shares : array-like of shape (K,)

    Returns
    -------
    float
        0 when one party holds everything, infinity when all hold the same, NaN for one party.

    References
    ----------
    Wu, Hou and He (2024), VertiBench. arXiv:2307.02040.

    Examples
    --------
    >>> moment_alpha([0.25, 0.75])
    1.5
    """
    return float(alpha_of_shares(np.asarray(shares, dtype=np.float64)))


def alpha_of_shares(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The estimate for shares of shape (..., K); NaN for NaN, or for one party; infinite where they are equal."""
    n_parties = shares.shape[-1]
    if n_parties == 1:
        return np.full(shares.shape[:-1], np.nan)
    variance = shares.var(axis=-1)
    equal = variance <= (4 * np.finfo(np.float64).eps) ** 2
    spread = np.where(equal, 1.0, variance)
    alpha = (n_parties - 1 - n_parties**2 * spread) / (n_parties**3 * spread)
    return np.where(equal, np.inf, np.where(alpha < 0, 0.0, alpha))


def share_variance(alpha: float, n_parties: int) -> float:
    """Variance (divisor K) of K shares whose `moment_alpha` is `alpha`.

    Examples
    --------
    >>> share_variance(1.5, 2)
    0.0625
    """
    return (n_parties - 1) / (n_parties**2 * (1.0 + n_parties * alpha))


def dirichlet(concentration: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """One draw of shares, by breaking a stick; concentrations may be as small as 1e-300.

    Parameters
    ----------
    concentration : ndarray of shape (K,)
        Above 0.
    generator : Generator

    Returns
    -------
    ndarray of shape (K,)
        At least 0, with sum 1.
    """
    shares = np.empty(len(concentration))
    left = 1.0
    for k, own in enumerate(concentration[:-1]):
        others = concentration[k + 1 :].sum()
        broken = generator.beta(own, others)
        if not 0.0 <= broken <= 1.0:  # both underflowed: one of the two has all
            broken = float(generator.random() < own / (own + others))
        shares[k] = left * broken
        left *= 1.0 - broken
    shares[-1] = left
    return shares


def shares_of_alpha(alpha: float, n_parties: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Shares drawn at random among those whose `moment_alpha` is exactly `alpha`.

    A draw of the symmetric Dirichlet distribution is drawn out from, or in to, equal shares until it has the variance;
    draws that would get a share below 0 are drawn again.

    Parameters
    ----------
    alpha : float
        Above 0.
    n_parties : int
    generator : Generator

    Returns
    -------
    ndarray of shape (K,)

    Examples
    --------
    >>> round(moment_alpha(shares_of_alpha(0.3, 5, np.random.default_rng(0))), 6)
    0.3
    """
    if n_parties == 1:
        return np.ones(1)
    wanted = np.sqrt(share_variance(alpha, n_parties))
    for _ in range(_DRAWS):
        draw = dirichlet(np.full(n_parties, alpha), generator) - 1.0 / n_parties
        spread = draw.std()
        if spread > 0.0 and (draw * (wanted / spread)).min() >= -1.0 / n_parties - 1e-12:
            return np.maximum(draw * (wanted / spread) + 1.0 / n_parties, 0.0)
    raise ValueError(f"no shares of {n_parties} parties have alpha {alpha:g}")


def deal_at_random(
    n_features: int, shares: NDArray[np.float64], allow_empty: bool, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Each feature goes to a party by chance, with the shares as probabilities; first each party gets one.

    Parameters
    ----------
    n_features : int
    shares : ndarray of shape (K,)
    allow_empty : bool
        Whether to leave the first step out.
    generator : Generator

    Returns
    -------
    ndarray of shape (n_features,), int64
        Party of each feature.
    """
    labels = _by_chance(n_features, shares, generator)
    if not allow_empty:
        labels[generator.choice(n_features, size=len(shares), replace=False)] = np.arange(len(shares))
    return labels


def _by_chance(n: int, shares: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Parties drawn with the shares as probabilities."""
    return generator.choice(len(shares), size=n, p=shares / shares.sum()).astype(np.int64)


def deal_to_match(
    importance: NDArray[np.float64], shares: NDArray[np.float64], allow_empty: bool, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Features go to parties so that the sums of their importance come near the shares.

    The most important features are dealt first, each to the party that lacks most; then features are moved or
    exchanged between two parties as long as that brings their sums nearer. Features of no importance go by chance.

    Parameters
    ----------
    importance : ndarray of shape (n_features,)
        At least 0, with sum 1.
    shares : ndarray of shape (K,)
    allow_empty : bool
        Whether a party may get no feature.
    generator : Generator
        Decides between equally important features.

    Returns
    -------
    ndarray of shape (n_features,), int64
        Party of each feature.

    Examples
    --------
    >>> deal_to_match(np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.5]), False, np.random.default_rng(0)).tolist()
    [0, 1, 1]
    """
    n_features, n_parties = len(importance), len(shares)
    shuffled = generator.permutation(n_features)
    order = shuffled[np.argsort(-importance[shuffled], kind="stable")]
    labels = _by_chance(n_features, shares, generator)
    missing = shares.copy()
    for j in order[importance[order] > 0.0]:
        labels[j] = int(np.argmax(missing))
        missing[labels[j]] -= importance[j]
    if not allow_empty:
        _fill_empty(labels, order, n_parties)
    _even_out(labels, importance, shares, allow_empty)
    return labels


def _fill_empty(labels: NDArray[np.int64], order: NDArray[np.intp], n_parties: int) -> None:
    """Give each party without a feature the least important one that another can spare."""
    for k in range(n_parties):
        counts = np.bincount(labels, minlength=n_parties)
        if counts[k] == 0:
            spare = next(j for j in reversed(order) if counts[labels[j]] > 1)
            labels[spare] = k


def _even_out(
    labels: NDArray[np.int64], importance: NDArray[np.float64], shares: NDArray[np.float64], allow_empty: bool
) -> None:
    """Moves and exchanges between two parties, the best first, until none brings the sums nearer to the shares."""
    pairs = list(permutations(range(len(shares)), 2))
    for _ in range(len(labels)):
        excess = np.bincount(labels, importance, minlength=len(shares)) - shares
        steps = [(*_step(labels, importance, p, q, excess[p] - excess[q], allow_empty), p, q) for p, q in pairs]
        gain, given, taken, giver, taker = max(steps, default=(0.0, -1, -1, 0, 0))
        if gain <= 1e-15:
            return
        labels[given] = taker
        if taken >= 0:
            labels[taken] = giver


def _step(
    labels: NDArray[np.int64], importance: NDArray[np.float64], p: int, q: int, more: float, allow_empty: bool
) -> tuple[float, int, int]:
    """The best feature of party p to give to q, which has `more` less in excess, and what to take for it.

    Returns
    -------
    (float, int, int)
        By how much the squared excesses fall, the feature given and the feature taken, -1 for none.
    """
    own, others = np.flatnonzero(labels == p), np.flatnonzero(labels == q)
    if len(own) > 1 or allow_empty:
        others = np.append(-1, others)
    if more <= 0.0 or not len(own) or not len(others):
        return 0.0, -1, -1
    value = np.where(others < 0, 0.0, importance[others])
    order = np.argsort(value, kind="stable")
    wanted = np.searchsorted(value[order], importance[own] - more / 2.0)
    near = order[np.clip(wanted[:, None] - [1, 0], 0, len(order) - 1)]
    moved = importance[own][:, None] - value[near]
    gain = 2.0 * moved * (more - moved)
    i, side = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return float(gain[i, side]), int(own[i]), int(others[near[i, side]])
