"""Random features of the softmax and Gaussian kernels, with frequencies that are coupled to lower their error."""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[np.float64]
Coupling = Literal["iid", "orthogonal", "simplex", "simplex+"]
RandomState = int | np.random.Generator | None

COUPLINGS: tuple[Coupling, ...] = ("iid", "orthogonal", "simplex", "simplex+")
SWEEPS = 5  # of the weight-dependent coupling; the sum of a block falls about a hundredfold in each


def simplex_directions(n_features: int) -> Array:
    """Unit vectors from the centre of a regular simplex to its `n_features` corners.

    Parameters
    ----------
    n_features : int

    Returns
    -------
    ndarray of shape (n_features, n_features)
        One direction a row; two of them have the inner product ``-1 / (n_features - 1)``, all of them sum to 0. The
        one direction of a single feature is ``[1]``.

    Raises
    ------
    ValueError
        If `n_features` is less than 1.

    References
    ----------
    Reid, Choromanski, Likhosherstov and Weller (2023), Simplex Random Features. ICML. arXiv:2301.13856.

    Examples
    --------
    >>> s = simplex_directions(3)
    >>> (s @ s.T).round(3).tolist()
    [[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]]
    """
    if n_features < 1:
        raise ValueError(f"n_features must be at least 1, got {n_features}")
    return _simplex_times(np.eye(n_features))


def _simplex_times(rotation: Array) -> Array:
    """`simplex_directions` times each matrix of a stack of shape (..., d, d), without the product."""
    d = rotation.shape[-1]
    if d == 1:
        return rotation
    head = rotation[..., :-1, :].sum(axis=-2, keepdims=True)
    out = sqrt(d / (d - 1)) * rotation - (sqrt(d) + 1) / (d - 1) ** 1.5 * head
    out[..., -1:, :] = head / sqrt(d - 1)
    return out


def random_frequencies(
    n_frequencies: int, n_features: int, coupling: Coupling = "simplex", random_state: RandomState = None
) -> Array:
    """Frequencies ``w ~ N(0, I)``, independent or coupled in blocks of `n_features`.

    Each row alone is standard normal whatever the coupling, so features made of them are unbiased. Their mean squared
    error falls with the lengths of the sums of two rows:

    - ``"iid"``: independent rows;
    - ``"orthogonal"``: orthogonal directions, independent lengths;
    - ``"simplex"``: directions to the corners of a regular simplex, turned at random, independent lengths. No other
      coupling that does not look at the lengths has a smaller error of positive features;
    - ``"simplex+"``: each row in turn is set against the sum of the others in its block, its length kept, until the
      block sums to 0 (or one row is longer than all others together).

    Parameters
    ----------
    n_frequencies, n_features : int
    coupling : {"iid", "orthogonal", "simplex", "simplex+"}
        With one feature there is nothing to couple, and all are as ``"iid"``.
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (n_frequencies, n_features)
        Rows ``k * n_features`` to ``(k + 1) * n_features`` are coupled with each other; the last block may be a part.

    Raises
    ------
    ValueError
        If a number is less than 1 or there is no such coupling.

    References
    ----------
    Reid, Choromanski, Likhosherstov and Weller (2023), Simplex Random Features. ICML. arXiv:2301.13856.
    Yu et al. (2016), Orthogonal Random Features. NeurIPS. arXiv:1610.09072.

    Examples
    --------
    >>> w = random_frequencies(3, 3, "simplex", random_state=0)
    >>> unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    >>> (unit @ unit.T).round(3)[0].tolist()
    [1.0, -0.5, -0.5]
    >>> bool(np.abs(random_frequencies(5, 5, "simplex+", random_state=0).sum(axis=0)).max() < 1e-6)
    True
    """
    if min(n_frequencies, n_features) < 1:
        raise ValueError(f"numbers of frequencies and features must be positive, got {n_frequencies}, {n_features}")
    if coupling not in COUPLINGS:
        raise ValueError(f"no coupling {coupling!r}; choose one of {', '.join(COUPLINGS)}")
    rng = np.random.default_rng(random_state)
    blocks = rng.normal(size=(-(-n_frequencies // n_features), n_features, n_features))
    if coupling != "iid" and n_features > 1:
        blocks = _coupled(blocks, coupling, rng)
    return blocks.reshape(-1, n_features)[:n_frequencies]


def _coupled(normal: Array, coupling: Coupling, rng: np.random.Generator) -> Array:
    """Coupled frequencies from normal numbers, both of shape (n_blocks, d, d)."""
    q, r = np.linalg.qr(normal)
    rotation = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]  # uniform over rotations and reflections
    directions = rotation if coupling == "orthogonal" else _simplex_times(rotation)
    lengths = np.sqrt(rng.chisquare(normal.shape[1], size=normal.shape[:2]))
    frequencies = lengths[:, :, None] * directions
    if coupling == "simplex+":
        _oppose(frequencies, lengths)
    return frequencies


def _oppose(frequencies: Array, lengths: Array) -> None:
    """Set each row of each block against the sum of the block's others, in place, `SWEEPS` times."""
    total = frequencies.sum(axis=1)
    for _ in range(SWEEPS):
        for i in range(frequencies.shape[1]):
            others = total - frequencies[:, i]
            frequencies[:, i] = -others * (lengths[:, i] / np.linalg.norm(others, axis=1))[:, None]
            total = others + frequencies[:, i]


def positive_features(
    X: ArrayLike, frequencies: ArrayLike, kernel: Literal["gaussian", "softmax"] = "gaussian"
) -> Array:
    """Positive features, whose inner products are unbiased for ``exp(-|x - y|^2 / 2)`` or ``exp(x' y)``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    frequencies : array-like of shape (n_frequencies, n_features)
        As of `random_frequencies`.
    kernel : {"gaussian", "softmax"}

    Returns
    -------
    ndarray of shape (n_samples, n_frequencies)
        ``exp(w' x - |x|^2) / sqrt(n_frequencies)``, or with ``|x|^2 / 2`` for the softmax kernel; nowhere negative.

    References
    ----------
    Choromanski et al. (2021), Rethinking Attention with Performers. ICLR. arXiv:2009.14794.

    Examples
    --------
    >>> x, y = np.array([[0.6, 0.0]]), np.array([[0.0, 0.8]])
    >>> w = random_frequencies(20_000, 2, random_state=0)
    >>> round(float((positive_features(x, w) @ positive_features(y, w).T)[0, 0]), 2)  # exp(-0.5) is 0.61
    0.61
    """
    if kernel not in ("gaussian", "softmax"):
        raise ValueError(f"no kernel {kernel!r}; choose 'gaussian' or 'softmax'")
    X, frequencies = _matching(X, frequencies)
    half = 0.5 * np.einsum("ij,ij->i", X, X)[:, None]
    exponent = X @ frequencies.T - (half if kernel == "softmax" else 2.0 * half)
    return np.exp(exponent) / sqrt(len(frequencies))


def trigonometric_features(X: ArrayLike, frequencies: ArrayLike) -> Array:
    """Cosines and sines, whose inner products are unbiased for ``exp(-|x - y|^2 / 2)``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    frequencies : array-like of shape (n_frequencies, n_features)

    Returns
    -------
    ndarray of shape (n_samples, 2 * n_frequencies)
        Each row has length 1.

    References
    ----------
    Rahimi and Recht (2007), Random Features for Large-Scale Kernel Machines. NeurIPS.

    Examples
    --------
    >>> trigonometric_features([[np.pi / 2]], [[0.0], [1.0]]).round(3).tolist()
    [[0.707, 0.0, 0.0, 0.707]]
    """
    X, frequencies = _matching(X, frequencies)
    angle = X @ frequencies.T
    return np.hstack([np.cos(angle), np.sin(angle)]) / sqrt(len(frequencies))


def _matching(X: ArrayLike, frequencies: ArrayLike) -> tuple[Array, Array]:
    X, frequencies = np.asarray(X, dtype=np.float64), np.asarray(frequencies, dtype=np.float64)
    if X.ndim != 2 or frequencies.ndim != 2 or X.shape[1] != frequencies.shape[1]:
        raise ValueError(
            f"X and frequencies must be matrices with the same columns; their shapes are {X.shape}, {frequencies.shape}"
        )
    return X, frequencies


def median_distance(X: Array, most: int = 500) -> float:
    """Median Euclidean distance of two different rows, of at most about `most` rows; 1 where all are equal."""
    sample = X[:: max(1, len(X) // most)]
    square = np.einsum("ij,ij->i", sample, sample)
    distances = square[:, None] + square[None, :] - 2.0 * sample @ sample.T
    apart = distances[distances > 1e-12 * max(square.max(initial=0.0), 1e-300)]
    return float(np.sqrt(np.median(apart))) if len(apart) else 1.0


class RandomFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Maps rows to features whose inner products approximate a kernel.

    Parameters
    ----------
    n_frequencies : int
        Each gives one positive feature, or two trigonometric ones.
    kernel : {"gaussian", "softmax"}
        ``exp(-|x - y|^2 / (2 bandwidth^2))`` or ``exp(x' y / bandwidth^2)``.
    bandwidth : float or "median"
        ``"median"``: the median distance of two rows at `fit`.
    features : {"positive", "trigonometric"}
        Positive ones give positive kernel values, as attention needs; trigonometric ones, for the Gaussian kernel
        only, have a smaller error unless kernel values are near 0.
    coupling : {"simplex", "simplex+", "orthogonal", "iid"}
        How frequencies depend on each other (see `random_frequencies`). The simplex is for positive features; for
        trigonometric ones, which a frequency and its opposite serve alike, ``"orthogonal"`` is better.
    random_state : int, Generator or None

    Attributes
    ----------
    frequencies_ : ndarray of shape (n_frequencies, n_features)
    bandwidth_ : float
    mean_ : ndarray of shape (n_features,)
        Subtracted first: the column means for the Gaussian kernel, which does not see them, 0 for softmax.

    References
    ----------
    Reid, Choromanski, Likhosherstov and Weller (2023), Simplex Random Features. ICML. arXiv:2301.13856.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = RandomFeatures(2000, bandwidth=3.0, random_state=0).fit(X)
    >>> phi = model.transform(X)
    >>> exact = np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / (2 * 3.0**2))
    >>> bool(np.abs(phi @ phi.T - exact).mean() < 0.05)
    True
    """

    def __init__(
        self,
        n_frequencies: int = 128,
        kernel: Literal["gaussian", "softmax"] = "gaussian",
        bandwidth: float | Literal["median"] = "median",
        features: Literal["positive", "trigonometric"] = "positive",
        coupling: Coupling = "simplex",
        random_state: RandomState = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.features = features
        self.coupling = coupling
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the frequencies; of the rows only their number of columns, mean and bandwidth are used."""
        X = validate_data(self, X, dtype=np.float64)
        self._check_arguments()
        self.mean_ = X.mean(axis=0) if self.kernel == "gaussian" else np.zeros(X.shape[1])
        self.bandwidth_ = median_distance(X - self.mean_) if self.bandwidth == "median" else float(self.bandwidth)
        self.frequencies_ = random_frequencies(self.n_frequencies, X.shape[1], self.coupling, self.random_state)
        return self

    def _check_arguments(self) -> None:
        if self.features not in ("positive", "trigonometric"):
            raise ValueError(f"no features {self.features!r}; choose 'positive' or 'trigonometric'")
        if self.kernel not in ("gaussian", "softmax"):
            raise ValueError(f"no kernel {self.kernel!r}; choose 'gaussian' or 'softmax'")
        if self.features == "trigonometric" and self.kernel != "gaussian":
            raise ValueError(f"trigonometric features are for kernel='gaussian', not {self.kernel!r}")
        if self.bandwidth != "median" and not float(self.bandwidth) > 0.0:
            raise ValueError(f"bandwidth must be positive or 'median', got {self.bandwidth!r}")

    def transform(self, X: Any) -> Array:
        """Features of the rows of `X`, shape (n_samples, n_features_out)."""
        check_is_fitted(self)
        scaled = (validate_data(self, X, dtype=np.float64, reset=False) - self.mean_) / self.bandwidth_
        if self.features == "trigonometric":
            return trigonometric_features(scaled, self.frequencies_)
        return positive_features(scaled, self.frequencies_, self.kernel)

    @property
    def _n_features_out(self) -> int:
        return len(self.frequencies_) * (2 if self.features == "trigonometric" else 1)
