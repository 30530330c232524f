"""How equally importance is spread over parties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.partition._shares import alpha_of_shares
from covey.partition.importance import PartyImportance, RandomState, shares

_EQUAL = "all parties have the same share, which no finite alpha makes likely"
_ONE_PARTY = "one party has all features"
_UNIMPORTANT = "no party has any importance"


@dataclass(frozen=True)
class AlphaEstimate:
    """How equally importance is spread, as the parameter of a symmetric Dirichlet distribution.

    Parameters
    ----------
    alpha : float
        0 when one party has all, infinite when all have the same; NaN if it is undefined.
    low, high : float
        Interval for the alpha of these parties on all rows of the population; NaN unless importances of several rows
        were given.
    confidence : float
        Of the interval.
    reason : str
        Why `alpha` is not a finite number; ``""`` if it is.
    """

    alpha: float
    low: float
    high: float
    confidence: float
    reason: str = ""

    def __str__(self) -> str:
        interval = "" if np.isnan(self.low) else f", {self.confidence:.0%} in {self.low:.3g} to {self.high:.3g}"
        return f"{self.alpha:.3g}{interval}"

    def __repr__(self) -> str:
        return f"<AlphaEstimate {self}>"


def estimate_alpha(
    importance: PartyImportance | ArrayLike,
    *,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> AlphaEstimate:
    """Alpha of the symmetric Dirichlet distribution from the variance of the parties' shares.

    ``(K - 1 - K^2 V) / (K^3 V)`` with the variance V (divisor K) of the K shares, by the method of moments. One split
    says little about the alpha it was drawn with: average over several, or take the value as a description of this one.
    The interval is about the importances, which come from a sample of rows, and not about that draw.

    Parameters
    ----------
    importance : PartyImportance, or array-like of shape (K,) or (n_rows, K)
        Importances or shares of the parties, or those of each row, whose mean counts.
    n_bootstrap : int, default=1000
        Resamples of the rows; 0 for no interval.
    confidence : float, default=0.95
    random_state : int, Generator or None

    Returns
    -------
    AlphaEstimate

    Raises
    ------
    ValueError
        If importances are below 0 or not finite, there are none, or an argument is out of range.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040; Efron (1979), Bootstrap Methods: Another Look at the Jackknife, Ann.
    Stat. 7.

    Examples
    --------
    >>> round(estimate_alpha([4.0, 3.0, 2.0, 1.0]).alpha, 9)
    3.5
    >>> estimate_alpha([0.25, 0.25, 0.25, 0.25]).alpha
    inf
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    if n_bootstrap < 0:
        raise ValueError(f"n_bootstrap must be at least 0, got {n_bootstrap}")
    rows = _importances(importance)
    means = rows.mean(axis=0)
    alpha = float(alpha_of_shares(shares(means)))
    low = high = float("nan")
    if len(rows) > 1 and n_bootstrap and not np.isnan(alpha):
        resampled = _resampled_means(rows, n_bootstrap, np.random.default_rng(random_state))
        low, high = _interval(alpha_of_shares(shares(resampled)), confidence)
    reason = _UNIMPORTANT if not (means > 0).any() else _ONE_PARTY if len(means) == 1 else _EQUAL
    return AlphaEstimate(alpha, low, high, confidence, "" if np.isfinite(alpha) else reason)


def _importances(importance: PartyImportance | ArrayLike) -> NDArray[np.float64]:
    """Importances of shape (n_rows, K)."""
    if isinstance(importance, PartyImportance):
        return importance.row_importance
    values = np.asarray(importance, dtype=np.float64)
    if values.ndim not in (1, 2) or not values.size:
        raise ValueError(f"importance must have the shape (K,) or (n_rows, K), got {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("importances must be finite and at least 0")
    return np.atleast_2d(values)


def _resampled_means(
    rows: NDArray[np.float64], n_bootstrap: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    n_rows = len(rows)
    means = np.empty((n_bootstrap, rows.shape[1]))
    for b in range(n_bootstrap):
        means[b] = rows[generator.integers(n_rows, size=n_rows)].mean(axis=0)
    return means


def _interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Percentiles; those of an infinite alpha are infinite."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return float("nan"), float("nan")
    at = np.array([(1 - confidence) / 2, (1 + confidence) / 2]) * (len(known) - 1)
    return float(known[int(np.floor(at[0]))]), float(known[int(np.ceil(at[1]))])
