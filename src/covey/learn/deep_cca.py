"""Deep canonical correlation and self-supervised learning by the Eckart-Young loss; needs torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from covey.learn._views import View, aligned_blocks
from covey.learn.multiview import MultiviewBase, latent_moments, shuffled_batches
from covey.measure.cca import generalised_eigenvectors, view_slices, warn_of_perfection, warn_of_ranks

Array = NDArray[np.float64]


class EYLoss(nn.Module):
    """Eckart-Young loss of representations of the same rows in two or more views.

    ``-2 trace(C) + trace(V V)`` with ``C = sum_{i != j} Cov(Z_i, Z_j)`` and
    ``V = sum_i (1 - shrinkage) Cov(Z_i) + shrinkage I``. No matrix is inverted, so batches may be small; the least
    value is minus the sum of the squared canonical correlations of the best representations.

    Parameters
    ----------
    shrinkage : float
        0..1.

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012.

    Examples
    --------
    Two equal views have one canonical correlation of 1; the loss is least where ``V`` is the identity:

    >>> z = torch.tensor([[-1.0], [0.0], [1.0]]) / 2**0.5
    >>> EYLoss()([z, z]).item()
    -1.0
    """

    def __init__(self, shrinkage: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= shrinkage <= 1.0:
            raise ValueError(f"shrinkage must lie in 0..1, got {shrinkage}")
        self.shrinkage = shrinkage

    def forward(self, views: Sequence[Tensor], independent: Sequence[Tensor] | None = None) -> Tensor:
        """Loss of one batch; unbiased if there are an `independent` one's representations.

        Parameters
        ----------
        views : sequence of Tensor of shape (n_rows, n_components)
            At least two.
        independent : sequence of Tensor of shape (n_other_rows, n_components), optional
            The same views of other rows: gives the second `V`, and half of `C`.

        Returns
        -------
        Tensor of shape ()
        """
        if len(views) < 2:
            raise ValueError(f"the loss needs at least two views, got {len(views)}")
        reward, metric = self._terms(views)
        if independent is None:
            return -2.0 * reward + (metric * metric).sum()
        other_reward, other_metric = self._terms(independent)
        return -(reward + other_reward) + (metric * other_metric).sum()

    def _terms(self, views: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """``trace(C)`` and `V` of one batch."""
        centred = [z - z.mean(dim=0) for z in views]
        degrees = len(views[0]) - 1
        within = sum((z.T @ z for z in centred[1:]), centred[0].T @ centred[0]) / degrees
        total = torch.stack(centred).sum(dim=0)
        reward = (total * total).sum() / degrees - within.trace()
        identity = torch.eye(len(within), dtype=within.dtype, device=within.device)
        return reward, (1.0 - self.shrinkage) * within + self.shrinkage * identity


def perceptron(sizes: Sequence[int], generator: torch.Generator, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with leaky rectifiers between them, drawn from `generator` alone.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    generator : torch.Generator
    dropout : float
        Share of the inputs of each layer but the first that is dropped in training.
    """
    layers: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        if k:
            layers += [nn.LeakyReLU(0.1), Dropout(dropout, generator)]
        layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        layers.append(layer)
    return nn.Sequential(*layers)


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        super().__init__()
        self.share, self.generator = share, generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0.0:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.share
        return x * kept / (1.0 - self.share)


def halved_loss(loss: EYLoss, views: Sequence[Tensor]) -> Tensor:
    """`loss` of two halves of a batch, unbiased; of the whole where a half would hold fewer than two rows."""
    half = len(views[0]) // 2
    return loss(views) if half < 2 else loss([z[:half] for z in views], [z[half:] for z in views])


def descend(
    networks: Sequence[nn.Module],
    batches: Iterable[Any],
    loss_of: Callable[[Any], Tensor],
    n_steps: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Train by AdamW, the step size falling linearly to 0 over `n_steps`.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    parameters = [p for network in networks for p in network.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(1.0 - step / n_steps, 0.0))
    for network in networks:
        network.train()
    for batch in batches:
        loss = loss_of(batch)
        if not torch.isfinite(loss):
            raise ValueError("the training diverged; lower learning_rate")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    for network in networks:
        network.eval()


def _check_training(estimator: Any) -> None:
    for name in ("n_components", "max_iter"):
        if getattr(estimator, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(estimator, name)}")
    if estimator.batch_size < 4:
        raise ValueError(f"batch_size must be at least 4, got {estimator.batch_size}")
    if not 0.0 <= estimator.dropout < 1.0:
        raise ValueError(f"dropout must lie in 0..1, below 1; got {estimator.dropout}")


def _generators(random_state: Any) -> tuple[np.random.Generator, torch.Generator]:
    seeds = check_random_state(random_state).randint(2**31, size=2)
    return np.random.default_rng(seeds[0]), torch.Generator().manual_seed(int(seeds[1]))


class DeepCCAEY(MultiviewBase):
    """Canonical correlation of views through networks, one a view, trained on the Eckart-Young loss.

    Columns are standardised first. After training a small eigenproblem on the representations of all rows makes the
    components uncorrelated and sorts them by their correlation.

    Parameters
    ----------
    n_components : int
    hidden : tuple of int
        Units of the hidden layers of each network.
    dropout : float
        Share of hidden units dropped in training, 0..1, below 1.
    encoders : list of nn.Module, optional
        Networks to use in place of perceptrons, one a view, from (n_rows, n_features_i) to (n_rows, n_components).
        They are copied.
    shrinkage : float
        Of the representations' covariance towards the identity, 0..1.
    batch_size : int
        Rows of a step; each half gives one estimate of the covariance.
    max_iter : int
        Passes over the rows.
    learning_rate, weight_decay : float
        Of AdamW; the first falls linearly to 0.
    random_state : int, RandomState or None

    Attributes
    ----------
    encoders_ : list of nn.Module
    rotations_ : list of ndarray of shape (n_components, n_components)
        From representations to canonical scores.
    correlations_ : ndarray of shape (n_components,)
        On the training rows, where networks overfit: measure on others by `canonical_correlations`.
    n_iter_ : int
    n_features_ : tuple of int
        Columns of each view.
    n_features_in_ : int
        Columns of the first view.

    Raises
    ------
    ValueError
        If views have different rows or missing values, a parameter is out of range, or training diverges.

    Warns
    -----
    RankWarning
        If representations are rank-deficient, or rows are so few that some correlations are 1 whatever the data.

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012. Andrew, Arora, Bilmes and Livescu (2013), Deep canonical correlation analysis. ICML.

    Examples
    --------
    A view that depends on the square of a column of the other has no linear correlation with it:

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 2))
    >>> Y = np.column_stack([X[:, 0] ** 2, rng.normal(size=1000)]) + 0.1 * rng.normal(size=(1000, 2))
    >>> model = DeepCCAEY(hidden=(32,), random_state=0).fit(X[:700], Y[:700])
    >>> bool(model.score(X[700:], Y[700:]) > 0.8)
    True
    """

    def __init__(
        self,
        n_components: int = 1,
        hidden: tuple[int, ...] = (128,),
        dropout: float = 0.2,
        encoders: list[nn.Module] | None = None,
        shrinkage: float = 0.0,
        batch_size: int = 256,
        max_iter: int = 60,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.dropout = dropout
        self.encoders = encoders
        self.shrinkage = shrinkage
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return self.n_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit two views ``fit(X, y)``, or a list of views; each as for `covey.learn.multiview.MultiviewCCA`."""
        views = self._views(X, y, reset=True)
        _check_training(self)
        rng, generator = _generators(self.random_state)
        self._scalers = [StandardScaler() for _ in views]
        for block in aligned_blocks(views):
            for scaler, rows in zip(self._scalers, block):
                scaler.partial_fit(rows)
        self.encoders_ = self._encoders(generator)
        self._train(views, rng)
        self._rotate(views)
        self.n_iter_ = self.max_iter
        return self

    def _encoders(self, generator: torch.Generator) -> list[nn.Module]:
        if self.encoders is None:
            return [perceptron([d, *self.hidden, self.n_components], generator, self.dropout) for d in self.n_features_]
        if len(self.encoders) != len(self.n_features_):
            raise ValueError(f"{len(self.encoders)} encoders do not go with {len(self.n_features_)} views")
        return [copy.deepcopy(encoder) for encoder in self.encoders]

    def _train(self, views: Sequence[View], rng: np.random.Generator) -> None:
        loss = EYLoss(self.shrinkage)

        def loss_of(batch: Sequence[View]) -> Tensor:
            return halved_loss(loss, [self.encoders_[k](self._inputs(k, rows)) for k, rows in enumerate(batch)])

        passes = (shuffled_batches(views, self.batch_size, rng) for _ in range(self.max_iter))
        n_steps = self.max_iter * max(int(self._scalers[0].n_samples_seen_) // self.batch_size, 1)
        batches = (batch for each in passes for batch in each)
        descend(self.encoders_, batches, loss_of, n_steps, self.learning_rate, self.weight_decay)

    def _inputs(self, position: int, rows: View) -> Tensor:
        return torch.as_tensor(self._scalers[position].transform(rows), dtype=torch.float32)

    def _representations(self, position: int, rows: View) -> Array:
        with torch.no_grad():
            return self.encoders_[position](self._inputs(position, rows)).double().numpy()

    def _rotate(self, views: Sequence[View]) -> None:
        """Rotations to canonical scores; a component that the networks let collapse has zeros and NaN."""
        k = self.n_components
        state = latent_moments(views, self._representations, k)
        slices = view_slices([k] * len(views))
        covariance = state.covariance()
        found = generalised_eigenvectors(covariance, [covariance[s, s] for s in slices])
        missing = k - len(found.correlations)
        self.rotations_ = [np.pad(w, ((0, 0), (0, missing))) for w in found.weights]
        self._offsets = [state.mean[s] @ w for s, w in zip(slices, self.rotations_)]
        self.correlations_ = np.append(found.correlations, np.full(missing, np.nan))
        if not warn_of_ranks(found.ranks, [k] * len(views), state.n):
            warn_of_perfection(self.correlations_)

    def _block_scores(self, position: int, rows: View) -> Array:
        return self._representations(position, rows) @ self.rotations_[position] - self._offsets[position]


Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def mask_and_jitter(x: Tensor, generator: torch.Generator, masked: float = 0.2, noise: float = 0.1) -> Tensor:
    """Set a share of the entries to 0 (the mean of standardised columns) and add normal noise to all.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features)
    generator : torch.Generator
    masked : float
        Share of entries set to 0.
    noise : float
        Standard deviation of the noise.
    """
    kept = torch.rand(x.shape, generator=generator) >= masked
    return x * kept + noise * torch.randn(x.shape, generator=generator)


class SSLEY(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Self-supervised representation of rows: two augmentations of a row, one network, the Eckart-Young loss.

    The family of VICReg and Barlow Twins: representations of two views of a row should agree, and their components be
    uncorrelated; here both follow from one loss without weights to balance.

    Parameters
    ----------
    n_components : int
    hidden : tuple of int
        Units of the hidden layers.
    dropout : float
        Share of hidden units dropped in training, 0..1, below 1.
    augment : callable, optional
        ``(standardised rows, torch.Generator) -> rows``; `mask_and_jitter` by default.
    shrinkage : float
        Of the representation's covariance towards the identity, 0..1.
    batch_size, max_iter, learning_rate, weight_decay, random_state
        As for `DeepCCAEY`.

    Attributes
    ----------
    encoder_ : nn.Module
    n_iter_, n_features_in_ : int

    Raises
    ------
    ValueError
        If values are missing, a parameter is out of range, or training diverges.

    References
    ----------
    Chapman, Wells and Lawry Aguila (2023), Unconstrained Stochastic CCA: Unifying Multiview and Self-Supervised
    Learning. arXiv:2310.01012.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> SSLEY(n_components=3, max_iter=5, random_state=0).fit_transform(X).shape
    (200, 3)
    """

    def __init__(
        self,
        n_components: int = 16,
        hidden: tuple[int, ...] = (128,),
        dropout: float = 0.0,
        augment: Augmentation | None = None,
        shrinkage: float = 0.0,
        batch_size: int = 256,
        max_iter: int = 60,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.dropout = dropout
        self.augment = augment
        self.shrinkage = shrinkage
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return self.n_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the rows of `X`, shape (n_samples, n_features); `y` is ignored."""
        x = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        _check_training(self)
        rng, generator = _generators(self.random_state)
        self._scaler = StandardScaler().fit(x)
        inputs = self._inputs(x)
        augment = self.augment or mask_and_jitter
        loss = EYLoss(self.shrinkage)
        self.encoder_ = perceptron([x.shape[1], *self.hidden, self.n_components], generator, self.dropout)

        def loss_of(batch: Sequence[Tensor]) -> Tensor:
            return halved_loss(loss, [self.encoder_(augment(batch[0], generator)) for _ in range(2)])

        passes = (shuffled_batches([inputs], self.batch_size, rng) for _ in range(self.max_iter))
        batches = (batch for each in passes for batch in each)
        n_steps = self.max_iter * max(len(x) // self.batch_size, 1)
        descend([self.encoder_], batches, loss_of, n_steps, self.learning_rate, self.weight_decay)
        self.n_iter_ = self.max_iter
        return self

    def _inputs(self, x: Array) -> Tensor:
        return torch.as_tensor(self._scaler.transform(x), dtype=torch.float32)

    def transform(self, X: Any) -> Array:
        """Representation of rows, shape (n_samples, n_components)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            return self.encoder_(self._inputs(x)).double().numpy()
