"""The latent model of ILFS: tokens of features, and their mixture of two factors by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TINY = 1e-300


def latent_tokens(x: Array, codes: NDArray[np.int64], means: Array, n_tokens: int) -> Array:
    """How well the values of each feature stand for their own class: counts of quantised shares of distance.

    The squared distance of a value to the mean of its own class, as a share of the sum of those to the means of all
    classes, is cut into `n_tokens` equal intervals of [0, 1]; the first token is nearest to its own class.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_features)
        NaN is missing, and counts for no token.
    codes : ndarray of shape (n_samples,), integer
        Classes 0, 1, ...
    means : ndarray of shape (n_classes, n_features)
        NaN for a class without values, which is left out.
    n_tokens : int

    Returns
    -------
    ndarray of shape (n_tokens, n_features)
        Rows of each token.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [9.0], [5.0]])
    >>> latent_tokens(x, np.array([0, 0, 1, 1]), np.array([[0.0], [9.0]]), 4)[:, 0].tolist()
    [3.0, 1.0, 0.0, 0.0]
    """
    whole = np.zeros_like(x)
    for mean in means:
        whole += np.where(np.isnan(mean), 0.0, (x - mean) ** 2)
    own = (x - means[codes]) ** 2
    n_classes = np.maximum(np.count_nonzero(~np.isnan(means), axis=0), 1)
    share = np.where(whole > 0, own / np.where(whole > 0, whole, 1.0), 1.0 / n_classes)
    token = np.minimum(np.floor(share * n_tokens), n_tokens - 1)
    missing = np.isnan(x)
    return np.stack([((token == t) & ~missing).sum(axis=0, dtype=np.float64) for t in range(n_tokens)])


@dataclass(frozen=True, eq=False)
class LatentRelevance:
    """A mixture of two factors fitted to counts of tokens.

    Parameters
    ----------
    p_relevant : ndarray of shape (n_features,)
        Probability of the first factor given the feature, in 0..1.
    p_token : ndarray of shape (2, n_tokens)
        Probability of each token given the factor.
    log_likelihood : ndarray of shape (n_steps + 1,)
        Before each step of expectation maximisation and after the last.
    """

    p_relevant: Array
    p_token: Array
    log_likelihood: Array

    def swapped(self) -> LatentRelevance:
        """The same mixture with its factors exchanged."""
        return LatentRelevance(1.0 - self.p_relevant, self.p_token[::-1], self.log_likelihood)


def latent_relevance(tokens: Array, tolerance: float = 1e-6, max_iter: int = 1000) -> LatentRelevance:
    """Fit a probabilistic latent semantic analysis of two factors to counts of tokens by feature.

    The first factor starts with tokens near their class more likely than those far from it, linearly; the second the
    other way round. Both probabilities of a factor given a feature, and of a token given a factor, are then updated.

    Parameters
    ----------
    tokens : ndarray of shape (n_tokens, n_features)
    tolerance : float
        Stop when the log-likelihood grows by less.
    max_iter : int
        Most steps.

    Returns
    -------
    LatentRelevance

    References
    ----------
    Hofmann (1999), Probabilistic Latent Semantic Analysis. UAI.

    Examples
    --------
    >>> counts = np.array([[90.0, 50.0, 10.0], [10.0, 50.0, 90.0]])
    >>> model = latent_relevance(counts, max_iter=50)
    >>> bool((np.diff(model.p_relevant) < 0).all()), bool((np.diff(model.log_likelihood) >= -1e-9).all())
    (True, True)
    """
    n_tokens, n_features = tokens.shape
    falling = np.linspace(5000.0, 1.0, n_tokens)
    p_token = np.stack([falling, falling[::-1]]) / falling.sum()
    p_factor = np.full((2, n_features), 0.5)
    rows = np.maximum(tokens.sum(axis=0), 1.0)
    trace: list[float] = []
    for step in range(max_iter + 1):
        joint = p_token[:, :, None] * p_factor[:, None, :]
        mixture = np.maximum(joint.sum(axis=0), _TINY)
        trace.append(float((tokens * np.log(mixture)).sum()))
        if step == max_iter or (step and trace[-1] - trace[-2] < tolerance):
            break
        weighted = joint * (tokens / mixture)
        p_factor = weighted.sum(axis=1) / rows
        p_factor /= np.maximum(p_factor.sum(axis=0), _TINY)
        p_token = weighted.sum(axis=2)
        p_token /= np.maximum(p_token.sum(axis=1, keepdims=True), _TINY)
    return LatentRelevance(p_factor[0], p_token, np.array(trace))
