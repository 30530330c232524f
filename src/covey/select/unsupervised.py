"""Columns that a sparse autoencoder leans on: selection without a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from covey.measure import AssociationMatrix
from covey.select._base import Array, Cut, RankingSelector, Scores, numeric_block
from covey.table import Column, FeatureTable

Single = NDArray[np.float32]
Output = Literal["linear", "tanh"]
RandomState = int | np.random.Generator | None


@dataclass(frozen=True, eq=False)
class SparseDenoisingAutoencoder:
    """One hidden layer of sigmoid units between columns and their reconstruction, with few links.

    `sparse_denoising_autoencoder` trains one.

    Parameters
    ----------
    encoder : csr_array of shape (n_features, n_hidden), float32
        Weights of the links from columns to hidden units.
    decoder : csr_array of shape (n_hidden, n_features), float32
    hidden_bias : ndarray of shape (n_hidden,), float32
    output_bias : ndarray of shape (n_features,), float32
    output : {"linear", "tanh"}
    history : ndarray of shape (n_epochs, n_features)
        Strength of each column after each pass over the rows.
    nnz : ndarray of shape (n_epochs, 2), int64
        Links of the encoder and of the decoder after each pass.
    loss_curve : ndarray of shape (n_epochs,)
        Mean squared error of an entry during each pass, with dropout.

    References
    ----------
    Atashgahi, Sokar, van der Lee, Mocanu, Mocanu, Veldhuis and Pechenizkiy (2022), Quick and Robust Feature Selection:
    the Strength of Energy-efficient Sparse Training for Autoencoders. Machine Learning 111. arXiv:2012.00560.
    """

    encoder: csr_array
    decoder: csr_array
    hidden_bias: Single
    output_bias: Single
    output: Output
    history: Array
    nnz: NDArray[np.int64]
    loss_curve: Array

    @property
    def strength(self) -> Array:
        """Sum of the absolute weights of each column's links, shape (n_features,)."""
        return self.history[-1]

    def encode(self, X: Array) -> Array:
        """Activity of the hidden units, shape (n_samples, n_hidden), in 0..1."""
        return expit(X @ self.encoder + self.hidden_bias)

    def reconstruct(self, X: Array) -> Array:
        """Rows as the autoencoder gives them back, shape (n_samples, n_features)."""
        found = self.encode(X) @ self.decoder + self.output_bias
        return np.tanh(found) if self.output == "tanh" else found


@dataclass(eq=False)
class _Layer:
    """Links sorted by the unit that they end at, then by the unit that they start from."""

    n_sources: int
    starts: NDArray[np.int64]  # of each unit's links, shape (n_units + 1,)
    sources: NDArray[np.int32]
    weights: Single
    velocity: Single
    bias: Single
    bias_velocity: Single

    @classmethod
    def draw(cls, n_sources: int, n_units: int, n_links: int, rng: np.random.Generator) -> _Layer:
        """A random graph with so many links, of normal weights with a deviation of 0.1."""
        layer = cls(n_sources, *_links(np.empty(0, np.int64), n_sources, n_units), *_zeros(0, 0, n_units, n_units))
        return layer._with(np.empty(0, dtype=np.int64), n_links, rng)

    @property
    def n_units(self) -> int:
        return len(self.bias)

    def matrix(self) -> csr_array:
        """Weights, shape (n_sources, n_units)."""
        shape = (self.n_units, self.n_sources)
        return csr_array((self.weights, self.sources, self.starts), shape=shape).T.tocsr()

    def rewired(self, share: float, rng: np.random.Generator) -> _Layer:
        """The same number of links: `share` of the positive and of the negative ones nearest to 0 made anew."""
        dropped = np.zeros(len(self.weights), dtype=bool)
        for sign in (self.weights >= 0, self.weights < 0):
            links = np.flatnonzero(sign)
            n_dropped = int(share * len(links))
            if n_dropped:
                nearest = np.argpartition(np.abs(self.weights[links]), n_dropped - 1)[:n_dropped]
                dropped[links[nearest]] = True
        return self._with(np.flatnonzero(~dropped), int(np.count_nonzero(dropped)), rng)

    def _with(self, kept: NDArray[np.int64], n_new: int, rng: np.random.Generator) -> _Layer:
        """The links `kept` and so many new ones, without velocity."""
        units = np.repeat(np.arange(self.n_units), np.diff(self.starts))
        old = (units * self.n_sources + self.sources)[kept]
        new = free_positions(old, self.n_sources * self.n_units, n_new, rng)
        places = np.searchsorted(old, new)
        drawn = np.float32(0.1) * rng.standard_normal(n_new, dtype=np.float32)
        weights, velocity = np.insert(self.weights[kept], places, drawn), np.insert(self.velocity[kept], places, 0.0)
        graph = _links(np.insert(old, places, new), self.n_sources, self.n_units)
        return _Layer(self.n_sources, *graph, weights, velocity, self.bias, self.bias_velocity)


def _links(keys: NDArray[np.int64], n_sources: int, n_units: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys // n_sources, minlength=n_units))])
    return starts, (keys % n_sources).astype(np.int32)


def _zeros(*sizes: int) -> tuple[Single, ...]:
    return tuple(np.zeros(size, dtype=np.float32) for size in sizes)


def free_positions(
    taken: NDArray[np.int64], n_positions: int, n_new: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Positions in 0..n_positions - 1, ascending, that are not among `taken` (ascending); any set is as likely."""
    if 2 * (len(taken) + n_new) > n_positions:
        return np.sort(rng.choice(np.setdiff1d(np.arange(n_positions), taken), n_new, replace=False))
    found = np.empty(0, dtype=np.int64)
    while len(found) < n_new:
        drawn = np.sort(rng.integers(n_positions, size=n_new - len(found)))
        drawn = drawn[np.diff(drawn, prepend=-1) > 0]
        drawn = _without(_without(drawn, taken), found)
        found = np.insert(found, np.searchsorted(found, drawn), drawn)
    return found


def _without(values: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of `values` that are not among `others`; both ascend."""
    if not len(others):
        return values
    return values[others[np.minimum(np.searchsorted(others, values), len(others) - 1)] != values]


def sparse_denoising_autoencoder(
    X: Array,
    n_hidden: int = 1000,
    epsilon: float = 13.0,
    output: Output = "linear",
    noise: float = 0.2,
    dropout: float = 0.2,
    zeta: float = 0.2,
    max_iter: int = 10,
    batch_size: int = 100,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    weight_decay: float = 1e-5,
    random_state: RandomState = None,
) -> SparseDenoisingAutoencoder:
    """Train a sparse denoising autoencoder by sparse evolutionary training.

    The links of either layer are a random graph of ``epsilon * (n_features + n_hidden)`` links. After each pass over
    the rows but the last, a share of the links with weights nearest to 0 is replaced by new ones at random places, so
    that links gather where they help. Only the links are stored and computed: time is proportional to links times rows,
    and memory to links, the rows and one batch.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardised.
    n_hidden : int
    epsilon : float
        Links of a layer for each of its units, at most all.
    output : {"linear", "tanh"}
        ``"tanh"`` for columns without heavy tails.
    noise : float
        Deviation of the normal noise that is added to the input, drawn once.
    dropout : float
        Share of hidden units left out in each row, 0..1, below 1.
    zeta : float
        Share of the links replaced after a pass, 0..1.
    max_iter : int
        Passes over the rows.
    batch_size : int
    learning_rate, momentum, weight_decay : float
        Of gradient descent on half the squared error, summed over columns.
    random_state : int, Generator or None

    Returns
    -------
    SparseDenoisingAutoencoder

    Raises
    ------
    ValueError
        If a parameter is out of range or training diverges.

    References
    ----------
    Atashgahi et al. (2022), arXiv:2012.00560. Mocanu, Mocanu, Stone, Nguyen, Gibescu and Liotta (2018), Scalable
    training of artificial neural networks with adaptive sparse connectivity inspired by network science. Nature
    Communications 9. arXiv:1707.04780.

    Examples
    --------
    Of 100 columns the first 20 are mixtures of five causes, and the rest noise:

    >>> rng = np.random.default_rng(0)
    >>> mixed = rng.normal(size=(1000, 5)) @ rng.normal(size=(5, 20))
    >>> x = np.hstack([mixed / mixed.std(axis=0), rng.normal(size=(1000, 80))])
    >>> model = sparse_denoising_autoencoder(x, n_hidden=100, random_state=0)
    >>> best = np.argsort(-model.strength)[:20]
    >>> bool((best < 20).sum() >= 14), model.nnz[0].tolist(), model.nnz[-1].tolist()
    (True, [2600, 2600], [2600, 2600])
    """
    settings = _Settings(output, noise, dropout, zeta, max_iter, batch_size, learning_rate, momentum, weight_decay)
    settings.check(n_hidden, epsilon)
    rng = np.random.default_rng(random_state)
    clean = np.ascontiguousarray(np.transpose(X), dtype=np.float32)
    noisy = rng.standard_normal(clean.shape, dtype=np.float32)
    noisy *= np.float32(noise)
    noisy += clean
    d = len(clean)
    n_links = max(1, min(round(epsilon * (d + n_hidden)), d * n_hidden))
    layers = _Layer.draw(d, n_hidden, n_links, rng), _Layer.draw(n_hidden, d, n_links, rng)
    history, nnz, losses = np.empty((max_iter, d)), np.empty((max_iter, 2), dtype=np.int64), np.empty(max_iter)
    for epoch in range(max_iter):
        with np.errstate(over="ignore", invalid="ignore"):  # what diverges is reported below
            losses[epoch] = _pass(clean, noisy, layers, settings, rng)
        if not np.isfinite(losses[epoch]):
            raise ValueError("the training diverged; standardise the columns of X, or lower learning_rate")
        history[epoch] = np.bincount(layers[0].sources, np.abs(layers[0].weights), minlength=d)
        if epoch < max_iter - 1:
            layers = layers[0].rewired(zeta, rng), layers[1].rewired(zeta, rng)
        nnz[epoch] = [len(layer.weights) for layer in layers]
    encoder, decoder = layers
    return SparseDenoisingAutoencoder(
        encoder.matrix(), decoder.matrix(), encoder.bias, decoder.bias, output, history, nnz, losses
    )


@dataclass(frozen=True)
class _Settings:
    output: Output
    noise: float
    dropout: float
    zeta: float
    max_iter: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float

    def check(self, n_hidden: int, epsilon: float) -> None:
        if self.output not in ("linear", "tanh"):
            raise ValueError(f"output must be 'linear' or 'tanh', not {self.output!r}")
        for name, count in (("n_hidden", n_hidden), ("max_iter", self.max_iter), ("batch_size", self.batch_size)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        for name, value in (("epsilon", epsilon), ("learning_rate", self.learning_rate)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be positive, got {value}")
        for name in ("noise", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0.0 <= self.zeta <= 1.0:
            raise ValueError(f"zeta must lie in 0..1, got {self.zeta}")
        for name in ("dropout", "momentum"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in 0..1, below 1; got {getattr(self, name)}")


def _pass(
    clean: Single, noisy: Single, layers: tuple[_Layer, _Layer], settings: _Settings, rng: np.random.Generator
) -> float:
    """One pass over the rows in random order; returns the mean squared error of an entry."""
    from covey.select._sparse_kernels import decode_and_descend, descend_encoder, encode_batch

    encoder, decoder = layers
    d, n = clean.shape
    rates = np.array([settings.learning_rate, settings.momentum, settings.weight_decay], dtype=np.float32)
    order, loss = rng.permutation(n), 0.0
    for start in range(0, n, settings.batch_size):
        rows = order[start : start + settings.batch_size]
        x, hidden = noisy.take(rows, axis=1), np.empty((encoder.n_units, len(rows)), dtype=np.float32)
        encode_batch(encoder.starts, encoder.sources, encoder.weights, encoder.bias, x, hidden)
        kept = _dropout_mask(hidden.shape, settings.dropout, rng)
        back = np.empty_like(hidden)
        loss += decode_and_descend(
            *_arrays(decoder), hidden * kept, clean, rows, settings.output == "tanh", rates, back, *_zeros(len(rows))
        )
        back *= kept * hidden * (1.0 - hidden)
        descend_encoder(*_arrays(encoder), x, back, rates)
    return loss / (d * n)


def _dropout_mask(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Single:
    """0 with probability `share`, else what keeps the mean at 1."""
    return (rng.random(shape, dtype=np.float32) >= share) * np.float32(1.0 / (1.0 - share))


def _arrays(layer: _Layer) -> tuple[NDArray, ...]:
    return layer.starts, layer.sources, layer.weights, layer.velocity, layer.bias, layer.bias_velocity


class QuickSelection(RankingSelector):
    """Select the columns with the strongest links into a sparse denoising autoencoder, without a target.

    Columns that help to reconstruct others gather links and weight. Time and memory grow with the number of links, not
    with columns times hidden units. Few passes can be better than many: in the end each column of noise has the links
    that it needs for its own reconstruction, while columns that stand in for each other need little weight each.

    Parameters
    ----------
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, or all.
    threshold : float, optional
        Keep the columns with at least this strength; `k` is then not used.
    standardise : bool
        Subtract means and divide by deviations first. Without it columns of large deviation win for that alone.
    n_hidden, epsilon, output, noise, dropout, zeta, max_iter, batch_size, learning_rate, momentum, weight_decay
        As for `sparse_denoising_autoencoder`.
    random_state : int, Generator or None

    Attributes
    ----------
    strength_ : ndarray of shape (n_features_in_,)
        Sum of the absolute weights of the links of each column; the same as `scores_`.
    history_ : ndarray of shape (max_iter, n_features_in_)
        Strength after each pass; NaN for columns without a score.
    nnz_ : ndarray of shape (max_iter, 2), int64
        Links of the encoder and of the decoder after each pass.
    loss_curve_ : ndarray of shape (max_iter,)
        Mean squared error of an entry during each pass.
    n_iter_ : int
        Passes over the rows.
    autoencoder_ : SparseDenoisingAutoencoder or None
        Of the columns that vary; None where none does.
    scores_, reasons_, ranking_, n_features_in_, feature_names_in_
        As for `covey.select.RankingSelector`.

    References
    ----------
    Atashgahi, Sokar, van der Lee, Mocanu, Mocanu, Veldhuis and Pechenizkiy (2022), Quick and Robust Feature Selection:
    the Strength of Energy-efficient Sparse Training for Autoencoders. Machine Learning 111. arXiv:2012.00560.

    Examples
    --------
    Of 100 columns the first 20 are mixtures of five causes, and the rest noise:

    >>> rng = np.random.default_rng(0)
    >>> mixed = rng.normal(size=(1000, 5)) @ rng.normal(size=(5, 20))
    >>> x = np.hstack([mixed, rng.normal(size=(1000, 80))])
    >>> selector = QuickSelection(k=20, n_hidden=100, random_state=0).fit(x)
    >>> bool((selector.get_support(indices=True) < 20).sum() >= 14)
    True
    """

    autoencoder_: SparseDenoisingAutoencoder | None

    _mixed, _missing, _supervised = False, False, False

    def __init__(
        self,
        k: Cut = "elbow",
        threshold: float | None = None,
        standardise: bool = True,
        n_hidden: int = 1000,
        epsilon: float = 13.0,
        output: Output = "linear",
        noise: float = 0.2,
        dropout: float = 0.2,
        zeta: float = 0.2,
        max_iter: int = 10,
        batch_size: int = 100,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-5,
        random_state: RandomState = None,
    ) -> None:
        self.k = k
        self.threshold = threshold
        self.standardise = standardise
        self.n_hidden = n_hidden
        self.epsilon = epsilon
        self.output = output
        self.noise = noise
        self.dropout = dropout
        self.zeta = zeta
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _score(self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None) -> Array:
        x = numeric_block(table)
        if self.standardise:
            x = standardised(x)
        names = ("n_hidden", "epsilon", "output", "noise", "dropout", "zeta", "max_iter", "batch_size")
        more = ("learning_rate", "momentum", "weight_decay", "random_state")
        model = sparse_denoising_autoencoder(x, **{name: getattr(self, name) for name in names + more})
        self.autoencoder_, self.nnz_, self.loss_curve_ = model, model.nnz, model.loss_curve
        return model.strength

    def fit(self, X: Any, y: Any = None, association: AssociationMatrix | None = None) -> Self:
        """Train the autoencoder and rank the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
            Numbers, none missing.
        y, association : ignored

        Raises
        ------
        ValueError
            If a column holds words or gaps, a parameter is out of range, or training diverges.
        """
        self.autoencoder_, self.nnz_, self.loss_curve_ = None, np.empty((0, 2), dtype=np.int64), np.empty(0)
        return super().fit(X)

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        self.n_iter_ = len(self.loss_curve_)
        self.strength_ = self.scores_.copy()
        self.history_ = np.full((len(self.loss_curve_), len(reasons)), np.nan)
        if self.autoencoder_ is not None:
            self.history_[:, usable] = self.autoencoder_.history


def standardised(x: Array) -> Array:
    """Columns less their means, divided by their deviations.

    Examples
    --------
    >>> standardised(np.array([[1.0], [3.0]])).ravel().tolist()
    [-1.0, 1.0]
    """
    x = x - x.mean(axis=0)
    x /= np.abs(x).max(axis=0)  # squares of the largest and the smallest numbers are infinite and 0
    x /= x.std(axis=0)
    return x
