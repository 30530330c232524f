"""What cosine similarity of learned embeddings leaves open, and the similarity that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[np.float64]


def cosine_similarity(embedding: ArrayLike) -> Array:
    """Cosine similarity of all pairs of rows.

    Parameters
    ----------
    embedding : array-like of shape (n_items, n_components)

    Returns
    -------
    ndarray of shape (n_items, n_items)
        In -1..1; NaN for a row of zeros, which has no direction.

    Raises
    ------
    ValueError
        If the embedding is no finite matrix.

    References
    ----------
    Steck, Ekanadham and Kallus (2024), Is Cosine-Similarity of Embeddings Really About Similarity? WWW.
    arXiv:2403.05440.

    Examples
    --------
    >>> cosine_similarity([[1, 0], [1, 1], [0, 2]]).round(2)
    array([[1.  , 0.71, 0.  ],
           [0.71, 1.  , 0.71],
           [0.  , 0.71, 1.  ]])
    """
    unit = _unit(_matrix(embedding, "embedding"))
    return np.clip(unit @ unit.T, -1.0, 1.0)


def _matrix(values: ArrayLike, name: str) -> Array:
    matrix = np.asarray(values, dtype=float)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} must be a matrix with rows and columns, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite: drop the rows that are not")
    return matrix


def _unit(rows: Array) -> Array:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norm, out=np.full_like(rows, np.nan), where=norm > 0)


def data_space_cosine(X: ArrayLike, encoder: ArrayLike, decoder: ArrayLike) -> Array:
    """Cosine similarity of items as the model reconstructs them, columns of ``X @ encoder @ decoder.T``.

    It depends on the model's output alone, so no rescaling of hidden dimensions changes it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_items)
    encoder, decoder : array-like of shape (n_items, n_components)

    Returns
    -------
    ndarray of shape (n_items, n_items)
        In -1..1; NaN for an item that is reconstructed as zero.

    Raises
    ------
    ValueError
        If shapes do not agree, or values are not finite.

    References
    ----------
    Steck, Ekanadham and Kallus (2024). arXiv:2403.05440.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 6))
    >>> model = LinearAutoencoderMF(n_components=3).fit(x)
    >>> scale = np.array([1.0, 10.0, 0.1])
    >>> one = data_space_cosine(x, model.encoder_, model.decoder_)
    >>> other = data_space_cosine(x, model.encoder_ * scale, model.decoder_ / scale)
    >>> bool(np.allclose(one, other))
    True
    >>> bool(np.allclose(cosine_similarity(model.decoder_), cosine_similarity(model.decoder_ / scale)))
    False
    """
    x, a, b = _matrix(X, "X"), _matrix(encoder, "encoder"), _matrix(decoder, "decoder")
    if a.shape != b.shape or x.shape[1] != len(a):
        raise ValueError(f"encoder and decoder must have shape ({x.shape[1]}, n_components), got {a.shape}, {b.shape}")
    _, triangle = np.linalg.qr(x @ a)  # keeps lengths and angles: rows of B R' stand for columns of X A B'
    return cosine_similarity(b @ triangle.T)


def cosine_ambiguity(embedding: ArrayLike) -> tuple[Array, Array]:
    """Least and greatest cosine that rescaling of the hidden dimensions can give to each pair.

    A model that uses embeddings in a product with others has the same output after any positive diagonal rescaling
    that the other factor undoes. Over all of these, the cosine of `u` and `v` comes as near as one likes to 1 when some
    ``u_k v_k`` is positive, and to -1 when some is negative. With products of one sign alone the bound on the other
    side is ``2 sqrt(m M) / (m + M)``, with `m` and `M` the least and greatest ``|u_k / v_k|``.

    Parameters
    ----------
    embedding : array-like of shape (n_items, n_components)

    Returns
    -------
    least, greatest : ndarray of shape (n_items, n_items)
        Infimum and supremum, in -1..1; 1 on the diagonal; NaN for a row of zeros.

    Raises
    ------
    ValueError
        If the embedding is no finite matrix.

    References
    ----------
    Steck, Ekanadham and Kallus (2024). arXiv:2403.05440. Polya and Szego (1925), Aufgaben und Lehrsaetze aus der
    Analysis, for the bound.

    Examples
    --------
    >>> least, greatest = cosine_ambiguity([[1, 1], [1, 4], [1, -1]])
    >>> least.round(2)
    array([[ 1. ,  0.8, -1. ],
           [ 0.8,  1. , -1. ],
           [-1. , -1. ,  1. ]])
    >>> greatest.round(2)
    array([[1., 1., 1.],
           [1., 1., 1.],
           [1., 1., 1.]])
    """
    rows = _matrix(embedding, "embedding")
    least, greatest = (np.empty((len(rows), len(rows))) for _ in range(2))
    for i, row in enumerate(rows):
        least[i], greatest[i] = _cosine_bounds(row, rows)
    np.fill_diagonal(least, 1.0)
    np.fill_diagonal(greatest, 1.0)
    for bounds in (least, greatest):
        empty = ~rows.any(axis=1)
        bounds[empty], bounds[:, empty] = np.nan, np.nan
    return least, greatest


def _cosine_bounds(row: Array, others: Array) -> tuple[Array, Array]:
    """Bounds of the cosine of `row` with each of `others`."""
    sign = np.sign(row) * np.sign(others)
    positive, negative = (sign > 0).any(axis=1), (sign < 0).any(axis=1)
    angle = np.arctan2(np.abs(others), np.abs(row))  # of (|u_k|, |v_k|); 0 or a right angle where one is zero
    used = (row != 0) | (others != 0)
    flattest = np.min(angle, axis=1, where=used, initial=np.pi / 2)
    steepest = np.max(angle, axis=1, where=used, initial=0.0)
    # With m, M the tangents of these angles, 2 sqrt(m M) / (m + M) without a division by zero:
    nearest = np.sqrt(np.sin(2 * flattest).clip(0) * np.sin(2 * steepest).clip(0)) / np.maximum(
        np.sin(flattest + steepest), np.finfo(float).tiny
    )
    inner = np.where((flattest < 1e-15) | (steepest > np.pi / 2 - 1e-15), 0.0, np.minimum(nearest, 1.0))
    least = np.where(negative, -1.0, np.where(positive, inner, 0.0))
    greatest = np.where(positive, 1.0, np.where(negative, -inner, 0.0))
    return least, greatest


@dataclass(frozen=True, eq=False)
class RescalingSensitivity:
    """How far cosine similarity changes over rescalings that change no output of the model.

    Parameters
    ----------
    spread : ndarray of shape (n_items, n_items)
        Standard deviation of each pair's cosine over the draws.
    rank_correlation : ndarray of shape (n_draws,)
        Spearman correlation of all pairs' cosines in a draw with those of the embedding as given.
    neighbour_overlap : ndarray of shape (n_draws,)
        Mean share of an item's `n_neighbors` nearest that stay so, 0..1.
    """

    spread: Array
    rank_correlation: Array
    neighbour_overlap: Array


def rescaling_sensitivity(
    embedding: ArrayLike,
    n_draws: int = 20,
    *,
    sigma: float = 1.0,
    n_neighbors: int = 10,
    random_state: int | None = None,
) -> RescalingSensitivity:
    """Cosine similarity under random positive rescalings of the hidden dimensions.

    The rescalings leave the output of a model unchanged where the embedding enters a product with weights that can
    undo them, as in matrix factorisation or before a last linear layer.

    Parameters
    ----------
    embedding : array-like of shape (n_items, n_components)
        At least two items.
    n_draws : int
    sigma : float
        Standard deviation of the logarithm of a dimension's factor; factors are log-normal.
    n_neighbors : int
        For `neighbour_overlap`; at most ``n_items - 1`` are used.
    random_state : int or None

    Returns
    -------
    RescalingSensitivity
        Rank correlation is NaN where all pairs have the same cosine.

    Raises
    ------
    ValueError
        If an argument is out of range, a row is zero, or the embedding is no finite matrix of two rows or more.

    References
    ----------
    Steck, Ekanadham and Kallus (2024). arXiv:2403.05440.

    Examples
    --------
    >>> embedding = np.random.default_rng(0).normal(size=(40, 8))
    >>> result = rescaling_sensitivity(embedding, 10, random_state=0)
    >>> bool(result.rank_correlation.mean() < 0.9), bool(result.neighbour_overlap.mean() < 0.8)
    (True, True)
    """
    rows = _matrix(embedding, "embedding")
    if len(rows) < 2 or not rows.any(axis=1).all():
        raise ValueError("embedding needs at least two rows, and none of zeros: drop items without a direction")
    if n_draws < 1 or n_neighbors < 1 or sigma < 0:
        raise ValueError(f"need n_draws >= 1, n_neighbors >= 1, sigma >= 0, got {n_draws}, {n_neighbors}, {sigma}")
    rng = np.random.default_rng(random_state)
    start, pairs = cosine_similarity(rows), np.triu_indices(len(rows), 1)
    k = min(n_neighbors, len(rows) - 1)
    near = _nearest(start, k)
    mean, scatter = np.zeros_like(start), np.zeros_like(start)
    ranks, overlap = [], []
    for draw in range(n_draws):
        rescaled = cosine_similarity(rows * np.exp(sigma * rng.normal(size=rows.shape[1])))
        step = rescaled - mean
        mean += step / (draw + 1)
        scatter += step * (rescaled - mean)
        ranks.append(_spearman(start[pairs], rescaled[pairs]))
        overlap.append(float((near & _nearest(rescaled, k)).sum() / (k * len(rows))))
    return RescalingSensitivity(np.sqrt(scatter / n_draws), np.array(ranks), np.array(overlap))


def _spearman(x: Array, y: Array) -> float:
    first, second = _mean_ranks(x), _mean_ranks(y)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _mean_ranks(values: Array) -> Array:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def _nearest(similarity: Array, k: int) -> NDArray[np.bool_]:
    """Which `k` others are nearest to each item."""
    others = similarity.copy()
    np.fill_diagonal(others, -np.inf)
    mask = np.zeros(others.shape, dtype=bool)
    np.put_along_axis(mask, np.argpartition(-others, k - 1, axis=1)[:, :k], True, axis=1)
    return mask


class LinearAutoencoderMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Matrix factorisation ``X ~ X A B'`` in closed form, with the penalty that decides what its cosines mean.

    ``penalty="product"`` is ``|X - X A B'|^2 + alpha |A B'|^2``, which denoising and dropout amount to. Its output
    is unique, the embeddings are not: ``A D, B / D`` is as good for any positive diagonal `D`, so cosines of rows of
    `B` are arbitrary. ``penalty="factors"`` is ``|X - X A B'|^2 + alpha (|X A|^2 + |B|^2)``, weight decay: embeddings
    are unique up to a rotation, and cosines unique; that they are what one wants does not follow.

    Parameters
    ----------
    n_components : int
        At most the rank of `X` is used.
    alpha : float
        Not negative.
    penalty : {"product", "factors"}
    balance : float
        For ``penalty="product"`` alone, the share of the shrunk singular values that goes to the decoder:
        ``B = V f^balance``; 0 makes the cosines of a model of full rank 0 for all pairs of items.

    Attributes
    ----------
    encoder_, decoder_ : ndarray of shape (n_features, n_components_)
        `A` and `B`.
    singular_values_ : ndarray of shape (n_components_,)
        Of `X`.
    n_components_, n_features_in_ : int

    Raises
    ------
    ValueError
        If a parameter is out of range, or `X` is zero.

    References
    ----------
    Steck, Ekanadham and Kallus (2024), Is Cosine-Similarity of Embeddings Really About Similarity? WWW.
    arXiv:2403.05440.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = LinearAutoencoderMF(n_components=4, alpha=10, balance=0).fit(x)
    >>> bool(np.allclose(cosine_similarity(model.decoder_), np.eye(4)))
    True
    >>> model.inverse_transform(model.transform(x)).shape
    (50, 4)
    """

    def __init__(
        self,
        n_components: int = 50,
        alpha: float = 1.0,
        penalty: Literal["product", "factors"] = "product",
        balance: float = 0.5,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.penalty = penalty
        self.balance = balance

    def fit(self, X: ArrayLike, y: object = None) -> LinearAutoencoderMF:
        """Factorise `X`, shape (n_samples, n_features); `y` is ignored."""
        x: Array = validate_data(self, X, dtype=np.float64)
        self._check()
        _, s, vt = np.linalg.svd(x, full_matrices=False)
        rank = int((s > s[0] * max(x.shape) * np.finfo(float).eps).sum())
        if rank == 0:
            raise ValueError("X is zero in all entries: there is nothing to factorise")
        k = min(self.n_components, rank)
        s, v = s[:k], vt[:k].T
        if self.penalty == "product":
            shrunk = s**2 / (s**2 + self.alpha)
            self.encoder_, self.decoder_ = v * shrunk ** (1 - self.balance), v * shrunk**self.balance
        else:
            root = np.sqrt(np.maximum(s - self.alpha, 0.0))
            self.encoder_, self.decoder_ = v * (root / s), v * root
        self.singular_values_ = s
        self.n_components_ = self._n_features_out = k
        return self

    def _check(self) -> None:
        if self.n_components < 1 or not self.alpha >= 0:
            raise ValueError(f"need n_components >= 1 and alpha >= 0, got {self.n_components} and {self.alpha}")
        if self.penalty not in ("product", "factors"):
            raise ValueError(f"penalty must be 'product' or 'factors', got {self.penalty!r}")

    def transform(self, X: ArrayLike) -> Array:
        """Embeddings of the rows, ``X A``: shape (n_samples, n_features) to (n_samples, n_components_)."""
        check_is_fitted(self)
        x: Array = validate_data(self, X, dtype=np.float64, reset=False)
        return x @ self.encoder_

    def inverse_transform(self, X: ArrayLike) -> Array:
        """Output of the model from embeddings, ``X B'``: (n_samples, n_components_) to (n_samples, n_features)."""
        check_is_fitted(self)
        return np.asarray(X, dtype=float) @ self.decoder_.T
