"""Lower bounds of mutual information, the critics that they need, and encoders trained by them; needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted
from torch import Tensor, nn

from covey.learn.deep_cca import descend, perceptron

BoundName = Literal["infonce", "nwj"]
CriticName = Literal["bilinear", "separable", "concat"]


def _square(scores: Tensor) -> int:
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise ValueError(f"scores must be a square matrix of at least two pairs, got shape {tuple(scores.shape)}")
    return len(scores)


class InfoNCE(nn.Module):
    """Noise-contrastive lower bound of the mutual information, in nats.

    ``mean_i log(exp f(x_i, y_i) / mean_j exp f(x_i, y_j))``: how well each row finds its partner among the batch. It
    has little variance, and cannot exceed the logarithm of the batch size. Up to that constant it is the multi-class
    N-pair loss of metric learning.

    References
    ----------
    van den Oord, Li and Vinyals (2018), arXiv:1807.03748. Tschannen, Djolonga, Rubenstein, Gelly and Lucic (2020), On
    Mutual Information Maximization for Representation Learning. arXiv:1907.13625.

    Examples
    --------
    Partners that are found with certainty among 8:

    >>> round(InfoNCE()(100.0 * torch.eye(8)).item(), 4), round(log(8), 4)
    (2.0794, 2.0794)
    """

    def forward(self, scores: Tensor) -> Tensor:
        """The bound, shape (), from ``scores[i, j] = f(x_i, y_j)``, shape (n_pairs, n_pairs).

        Raises
        ------
        ValueError
            If `scores` are no square matrix of at least two pairs.
        """
        return scores.diagonal().mean() - scores.logsumexp(dim=1).mean() + log(_square(scores))


class NWJBound(nn.Module):
    """Lower bound of Nguyen, Wainwright and Jordan, in nats: ``E_joint[f] - E_product[exp(f - 1)]``.

    It is unbiased and may grow without limit, but so does its variance: exponentially in the mutual information.

    References
    ----------
    Nguyen, Wainwright and Jordan (2010), IEEE Trans. Inf. Theory 56. Tschannen et al. (2020), arXiv:1907.13625.

    Examples
    --------
    Of independent variables the best critic is 1, and the bound 0:

    >>> NWJBound()(torch.ones(8, 8)).item()
    0.0
    """

    def forward(self, scores: Tensor) -> Tensor:
        """The bound, shape (), from ``scores[i, j] = f(x_i, y_j)``, shape (n_pairs, n_pairs).

        Raises
        ------
        ValueError
            If `scores` are no square matrix of at least two pairs.
        """
        n = _square(scores)
        apart = scores[~torch.eye(n, dtype=torch.bool, device=scores.device)]
        return scores.diagonal().mean() - torch.exp(apart.logsumexp(dim=0) - 1.0 - log(apart.numel()))


class BilinearCritic(nn.Module):
    """``f(x, y) = x' W y``: few parameters, and none that depends on one side alone, which `NWJBound` may need.

    Parameters
    ----------
    n_x, n_y : int
        Columns of both sides.
    generator : torch.Generator

    References
    ----------
    Tschannen et al. (2020), arXiv:1907.13625.

    Examples
    --------
    >>> BilinearCritic(3, 2, torch.Generator().manual_seed(0))(torch.ones(5, 3), torch.ones(5, 2)).shape
    torch.Size([5, 5])
    """

    def __init__(self, n_x: int, n_y: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_x, n_y, generator=generator) / (n_x * n_y) ** 0.5)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of all pairs, shape (n_x_rows, n_y_rows)."""
        return x @ self.weight @ y.T


class SeparableCritic(nn.Module):
    """``f(x, y) = phi(x)' psi(y)``, each side through a network of its own.

    Parameters
    ----------
    n_x, n_y : int
        Columns of both sides.
    generator : torch.Generator
    hidden : tuple of int
        Units of the hidden layers.
    n_components : int
        Outputs of both networks.

    References
    ----------
    Tschannen et al. (2020), arXiv:1907.13625.

    Examples
    --------
    >>> SeparableCritic(3, 2, torch.Generator().manual_seed(0))(torch.ones(5, 3), torch.ones(4, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self, n_x: int, n_y: int, generator: torch.Generator, hidden: tuple[int, ...] = (128,), n_components: int = 64
    ) -> None:
        super().__init__()
        self.phi = perceptron([n_x, *hidden, n_components], generator)
        self.psi = perceptron([n_y, *hidden, n_components], generator)
        self.scale = n_components**-0.5

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of all pairs, shape (n_x_rows, n_y_rows)."""
        return self.scale * self.phi(x) @ self.psi(y).T


class ConcatCritic(nn.Module):
    """``f(x, y)`` by one network on both sides together; the most general, and quadratic in the rows.

    The first layer is applied to each side once, and its outputs are added for all pairs.

    Parameters
    ----------
    n_x, n_y : int
        Columns of both sides.
    generator : torch.Generator
    hidden : tuple of int
        Units of the hidden layers, at least one.

    Raises
    ------
    ValueError
        If there is no hidden layer.

    References
    ----------
    Tschannen et al. (2020), arXiv:1907.13625.

    Examples
    --------
    >>> ConcatCritic(3, 2, torch.Generator().manual_seed(0))(torch.ones(5, 3), torch.ones(4, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(self, n_x: int, n_y: int, generator: torch.Generator, hidden: tuple[int, ...] = (128,)) -> None:
        super().__init__()
        if not hidden:
            raise ValueError("hidden must name at least one layer; without it the sides would only be added")
        self.n_x = n_x
        first: Any = perceptron([n_x + n_y, hidden[0]], generator)[0]
        self.weight, self.bias = first.weight, first.bias
        self.rest = perceptron([*hidden, 1], generator)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of all pairs, shape (n_x_rows, n_y_rows)."""
        of_x, of_y = self.weight.split([self.n_x, self.weight.shape[1] - self.n_x], dim=1)
        both = (x @ of_x.T + self.bias)[:, None] + (y @ of_y.T)[None]
        return self.rest(nn.functional.leaky_relu(both, 0.1)).squeeze(-1)


BOUNDS: dict[str, type[nn.Module]] = {"infonce": InfoNCE, "nwj": NWJBound}
CRITICS: dict[str, type[nn.Module]] = {
    "bilinear": BilinearCritic,
    "separable": SeparableCritic,
    "concat": ConcatCritic,
}


class RealNVP(nn.Module):
    """An invertible network of affine coupling layers: no information is lost, whatever its weights.

    Each layer scales and shifts one half of the columns by functions of the other half; halves alternate by a fixed
    random assignment. Logarithms of scales are kept within -1..1 so that the inverse stays exact.

    Parameters
    ----------
    n_features : int
        At least 2.
    generator : torch.Generator
    n_layers : int
    hidden : tuple of int
        Units of the hidden layers of each coupling.

    Raises
    ------
    ValueError
        If there are fewer than two columns or no layers.

    References
    ----------
    Dinh, Sohl-Dickstein and Bengio (2017), Density estimation using Real NVP. arXiv:1605.08803.

    Examples
    --------
    >>> network = RealNVP(6, torch.Generator().manual_seed(0))
    >>> x = torch.randn(10, 6, generator=torch.Generator().manual_seed(1))
    >>> bool((network.inverse(network(x)) - x).abs().max() < 1e-4)
    True
    """

    mask: Tensor

    def __init__(
        self, n_features: int, generator: torch.Generator, n_layers: int = 6, hidden: tuple[int, ...] = (64,)
    ) -> None:
        super().__init__()
        if n_features < 2:
            raise ValueError(f"coupling layers need at least two columns, got {n_features}")
        if n_layers < 1:
            raise ValueError(f"n_layers must be at least 1, got {n_layers}")
        halves = [torch.randperm(n_features, generator=generator) < n_features // 2 for _ in range((n_layers + 1) // 2)]
        self.register_buffer("mask", torch.stack([m for half in halves for m in (half, ~half)][:n_layers]))
        self.couplings = nn.ModuleList(
            perceptron([n_features, *hidden, 2 * n_features], generator) for _ in range(n_layers)
        )

    def _scale_and_shift(self, layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.couplings[layer](kept).chunk(2, dim=1)
        changed = ~self.mask[layer]
        return torch.tanh(log_scale) * changed, shift * changed

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n_rows, n_features) to the same shape."""
        for layer in range(len(self.mask)):
            log_scale, shift = self._scale_and_shift(layer, x * self.mask[layer])
            x = x * log_scale.exp() + shift
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """The rows that `forward` turns into `z`."""
        for layer in reversed(range(len(self.mask))):
            log_scale, shift = self._scale_and_shift(layer, z * self.mask[layer])
            z = (z - shift) * (-log_scale).exp()
        return z


class ConvolutionalEncoder(nn.Module):
    """A small convolutional network for small grey images that come as rows of pixels.

    Convolutions of 3 x 3 with leaky rectifiers, of which each but the first halves height and width, and a linear
    layer. It takes the place of a perceptron as an encoder in `maximise_bound`.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width, for instance (8, 8); a row has ``height * width`` pixels, line by line.
    n_components : int
        Outputs.
    generator : torch.Generator
    channels : tuple of int
        Of the convolutions, at least one.

    Raises
    ------
    ValueError
        If a size is less than 1, there is no convolution, or the rows have another number of pixels.

    References
    ----------
    Tschannen, Djolonga, Rubenstein, Gelly and Lucic (2020), On Mutual Information Maximization for Representation
    Learning. arXiv:1907.13625.

    Examples
    --------
    >>> encoder = ConvolutionalEncoder((8, 8), 16, torch.Generator().manual_seed(0))
    >>> encoder(torch.ones(5, 64)).shape
    torch.Size([5, 16])
    """

    def __init__(
        self,
        image_shape: tuple[int, int],
        n_components: int,
        generator: torch.Generator,
        channels: tuple[int, ...] = (16, 32),
    ) -> None:
        super().__init__()
        if not channels or min(*image_shape, n_components, *channels) < 1:
            raise ValueError(
                "image_shape, n_components and channels must be at least 1, with one convolution or more; "
                f"got {image_shape}, {n_components} and {channels}"
            )
        self.image_shape = image_shape
        layers: list[nn.Module] = []
        for k, (inputs, outputs) in enumerate(pairwise((1, *channels))):
            layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, stride=2 if k else 1, padding=1)
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.LeakyReLU(0.1)]
        height, width = (-(-side // 2 ** (len(channels) - 1)) for side in image_shape)
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), perceptron([channels[-1] * height * width, n_components], generator)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pixels, shape (n_rows, height * width), to shape (n_rows, n_components)."""
        height, width = self.image_shape
        if x.ndim != 2 or x.shape[1] != height * width:
            raise ValueError(f"rows must be {height} x {width} = {height * width} pixels, got shape {tuple(x.shape)}")
        return self.layers(x.reshape(-1, 1, height, width))


def paired_batches(
    views: Sequence[Tensor], batch_size: int, n_steps: int, generator: torch.Generator
) -> Iterator[list[Tensor]]:
    """The same random rows of each view, `n_steps` times, without replacement within a pass over the rows.

    Raises
    ------
    ValueError
        If the views differ in their rows.
    """
    n = len(views[0])
    if any(len(view) != n for view in views):
        raise ValueError(f"the views must have the same rows, got {[len(view) for view in views]} rows")
    size = min(batch_size, n)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(n_steps):
        if len(order) < size:
            order = torch.randperm(n, generator=generator)
        rows, order = order[:size], order[size:]
        yield [view[rows] for view in views]


def maximise_bound(
    bound: nn.Module,
    critic: nn.Module,
    encoders: Sequence[nn.Module],
    views: Sequence[Tensor],
    generator: torch.Generator,
    n_steps: int = 1000,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
) -> None:
    """Train critic and encoders, in place, to make a bound of the information between two encoded views large.

    Parameters
    ----------
    bound, critic : nn.Module
    encoders : sequence of two nn.Module
        ``nn.Identity()`` estimates the information of the views themselves.
    views : sequence of two Tensor of shape (n_rows, n_features_i)
    generator : torch.Generator
        Draws the batches.
    n_steps, batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the first falls linearly to 0.

    Raises
    ------
    ValueError
        If the bound is no longer finite, or the views differ in their rows.

    References
    ----------
    Tschannen et al. (2020), arXiv:1907.13625.

    Examples
    --------
    Two columns with a correlation of 0.95 share 1.16 nats; the bound starts near 0:

    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(2000, 1, generator=generator)
    >>> y = 0.95 * x + 0.31 * torch.randn(2000, 1, generator=generator)
    >>> critic, encoders = ConcatCritic(1, 1, generator), [nn.Identity(), nn.Identity()]
    >>> before = InfoNCE()(critic(x[:500], y[:500])).item()
    >>> maximise_bound(InfoNCE(), critic, encoders, [x, y], generator, n_steps=200, learning_rate=0.01)
    >>> before < 0.3, InfoNCE()(critic(x[:500], y[:500])).item() > 0.8
    (True, True)
    """

    def loss_of(batch: Sequence[Tensor]) -> Tensor:
        return -bound(critic(*(encoder(rows) for encoder, rows in zip(encoders, batch))))

    batches = paired_batches(views, batch_size, n_steps, generator)
    descend([critic, *encoders], batches, loss_of, n_steps, learning_rate, weight_decay)


class MutualInformationBound(BaseEstimator):
    """A lower bound of the mutual information of two groups of columns, by a critic trained on some of the rows.

    The bound on rows that were not trained on is honest; on the training rows critics overfit.

    Parameters
    ----------
    bound : {"infonce", "nwj"}
        `InfoNCE` cannot exceed ``log(batch_size)``; `NWJBound` varies wildly where there is much information.
    critic : {"bilinear", "separable", "concat"}
    batch_size : int
    max_iter : int
        Steps of training.
    learning_rate, weight_decay : float
        Of AdamW; the first falls linearly to 0.
    random_state : int, RandomState or None

    Attributes
    ----------
    critic_ : nn.Module
    n_iter_ : int
    n_features_ : tuple of int
        Columns of both groups.

    References
    ----------
    Tschannen et al. (2020), On Mutual Information Maximization for Representation Learning. arXiv:1907.13625.

    Examples
    --------
    Four pairs of columns with a correlation of 0.9 share 3.32 nats:

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3000, 4))
    >>> Y = 0.9 * X + np.sqrt(0.19) * rng.normal(size=(3000, 4))
    >>> model = MutualInformationBound(max_iter=300).fit(X[:2000], Y[:2000])
    >>> bool(2.3 < model.score(X[2000:], Y[2000:]) < 3.4)
    True
    """

    def __init__(
        self,
        bound: BoundName = "infonce",
        critic: CriticName = "separable",
        batch_size: int = 128,
        max_iter: int = 1000,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.bound = bound
        self.critic = critic
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the critic on `X`, shape (n_rows, n_features_x), and `y`, shape (n_rows, n_features_y)."""
        self._check_parameters()
        views = _two_views(X, y)
        self._scalers = [StandardScaler().fit(view) for view in views]
        self.n_features_ = (views[0].shape[1], views[1].shape[1])
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        self.critic_ = CRITICS[self.critic](*self.n_features_, generator)
        maximise_bound(
            BOUNDS[self.bound](),
            self.critic_,
            [nn.Identity(), nn.Identity()],
            self._inputs(views),
            generator,
            self.max_iter,
            self.batch_size,
            self.learning_rate,
            self.weight_decay,
        )
        self.n_iter_ = self.max_iter
        return self

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Mean bound in nats over the batches of these rows, in their order; rows left over are not used."""
        check_is_fitted(self)
        views = _two_views(X, y)
        if (views[0].shape[1], views[1].shape[1]) != self.n_features_:
            raise ValueError(f"the views must have {self.n_features_[0]} and {self.n_features_[1]} columns, as in fit")
        inputs, bound = self._inputs(views), BOUNDS[self.bound]()
        size = min(self.batch_size, len(views[0]))
        with torch.no_grad():
            starts = range(0, len(views[0]) - size + 1, size)
            batches = [bound(self.critic_(*(view[k : k + size] for view in inputs))) for k in starts]
        return float(torch.stack(batches).mean())

    def _inputs(self, views: Sequence[NDArray[np.float64]]) -> list[Tensor]:
        scaled = [scaler.transform(view) for scaler, view in zip(self._scalers, views)]
        return [torch.as_tensor(view, dtype=torch.float32) for view in scaled]

    def _check_parameters(self) -> None:
        for name, choices in (("bound", BOUNDS), ("critic", CRITICS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        for name, least in (("batch_size", 2), ("max_iter", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


def _two_views(X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first = check_array(X, dtype=np.float64, input_name="X", ensure_min_samples=2)
    second = np.asarray(y)
    second = second[:, None] if second.ndim == 1 else second
    second = check_array(second, dtype=np.float64, input_name="y", ensure_min_samples=2)
    check_consistent_length(first, second)
    return first, second
