"""Match the distribution of each channel to that of another sample: exactly by sorting, or its mean and spread."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

RandomState = int | np.random.Generator | None


def exact_match(content: Tensor, style: Tensor, channel_dim: int = 1) -> Tensor:
    """Give each channel of `content` the values of that channel of `style`, in the order of its own values.

    Parameters
    ----------
    content : Tensor of shape (n_samples, n_channels, ...)
        The values of a channel over all further axes are its distribution.
    style : Tensor of shape (n_samples, n_channels, ...)
        With other numbers of positions its quantiles are taken, linear between its values.
    channel_dim : int
        Axis of the channels; -1 for tokens of shape (n_samples, n_tokens, n_channels).

    Returns
    -------
    Tensor of the shape of `content`
        With as many positions in both, exactly the values of `style`. The gradient goes to `content` as if the block
        were the identity, and none to `style`. Equal values are told apart by their position.

    Raises
    ------
    ValueError
        If samples or channels differ, or `style` has no positions.

    References
    ----------
    Zhang, Li, Li, Jia and Zhang (2022), Exact Feature Distribution Matching for Arbitrary Style Transfer and Domain
    Generalization. CVPR. arXiv:2203.07740.

    Examples
    --------
    >>> exact_match(torch.tensor([[[3.0, 1.0, 2.0]]]), torch.tensor([[[10.0, 30.0, 20.0]]]))
    tensor([[[30., 10., 20.]]])
    """
    rows, styles = _distributions(content, style, channel_dim)
    return _restore(_straight_through(rows, _sorted_into(rows, styles)), content, channel_dim)


def _distributions(content: Tensor, style: Tensor, channel_dim: int) -> tuple[Tensor, Tensor]:
    """Both as (n_samples, n_channels, n_positions)."""
    if content.ndim < 3 or style.ndim < 3:
        raise ValueError(
            "content and style need samples, channels and positions; their shapes are "
            f"{tuple(content.shape)}, {tuple(style.shape)}"
        )
    rows, styles = (x.movedim(channel_dim, 1).flatten(2) for x in (content, style))
    if rows.shape[:2] != styles.shape[:2]:
        raise ValueError(
            "content and style must have the same samples and channels, got "
            f"{tuple(rows.shape[:2])} and {tuple(styles.shape[:2])}"
        )
    if rows.shape[2] and not styles.shape[2]:
        raise ValueError("style has no positions, so that its channels have no distribution")
    return rows, styles


def _restore(rows: Tensor, like: Tensor, channel_dim: int) -> Tensor:
    return rows.reshape(like.movedim(channel_dim, 1).shape).movedim(1, channel_dim)


def _straight_through(rows: Tensor, value: Tensor) -> Tensor:
    """`value`, exactly, with the gradient of `rows`."""
    return value.detach() + (rows - rows.detach())


@torch.no_grad()
def _sorted_into(rows: Tensor, styles: Tensor) -> Tensor:
    """Sorted `styles` at the ranks of `rows`."""
    order = rows.argsort(dim=-1, stable=True)
    ordered = styles.sort(dim=-1).values
    if ordered.shape[-1] != rows.shape[-1]:
        ordered = _resampled(ordered, rows.shape[-1])
    return torch.empty_like(rows).scatter_(-1, order, ordered.to(rows.dtype))


def _resampled(ordered: Tensor, n: int) -> Tensor:
    """Quantiles of sorted values at the `n` levels ``(r + 0.5) / n``."""
    m = ordered.shape[-1]
    place = ((torch.arange(n, device=ordered.device, dtype=torch.float64) + 0.5) * m / n - 0.5).clamp(0.0, m - 1.0)
    low = place.floor().long()
    weight = (place - low).to(ordered.dtype)
    return torch.lerp(ordered[..., low], ordered[..., (low + 1).clamp(max=m - 1)], weight)


def adaptive_instance_norm(content: Tensor, style: Tensor, channel_dim: int = 1, eps: float = 1e-6) -> Tensor:
    """Give each channel of `content` the mean and standard deviation of that channel of `style`.

    Parameters
    ----------
    content, style : Tensor of shape (n_samples, n_channels, ...)
    channel_dim : int
        Axis of the channels.
    eps : float
        Added to the variances.

    Returns
    -------
    Tensor of the shape of `content`
        No gradient goes to `style`.

    Raises
    ------
    ValueError
        If samples or channels differ, or `style` has no positions.

    References
    ----------
    Huang and Belongie (2017), Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization. ICCV.
    arXiv:1703.06868.

    Examples
    --------
    >>> adaptive_instance_norm(torch.tensor([[[3.0, 1.0, 2.0]]]), torch.tensor([[[10.0, 30.0, 20.0]]])).round()
    tensor([[[30., 10., 20.]]])
    """
    rows, styles = _distributions(content, style, channel_dim)
    mean, spread = _moments(rows, eps)
    style_mean, style_spread = _moments(styles.detach(), eps)
    return _restore((rows - mean) / spread * style_spread + style_mean, content, channel_dim)


def _moments(rows: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return rows.mean(-1, keepdim=True), (rows.var(-1, keepdim=True, correction=0) + eps).sqrt()


class EFDM(nn.Module):
    """`exact_match` as a module: ``EFDM()(content, style)``.

    Parameters
    ----------
    channel_dim : int

    References
    ----------
    Zhang, Li, Li, Jia and Zhang (2022), arXiv:2203.07740.

    Examples
    --------
    >>> EFDM(channel_dim=-1)(torch.tensor([[[2.0], [1.0]]]), torch.tensor([[[7.0], [8.0]]])).flatten()
    tensor([8., 7.])
    """

    def __init__(self, channel_dim: int = 1) -> None:
        super().__init__()
        self.channel_dim = channel_dim

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Content with the values of style."""
        return exact_match(content, style, self.channel_dim)


class AdaIN(nn.Module):
    """`adaptive_instance_norm` as a module: ``AdaIN()(content, style)``.

    Parameters
    ----------
    channel_dim : int
    eps : float

    References
    ----------
    Huang and Belongie (2017), arXiv:1703.06868.

    Examples
    --------
    >>> AdaIN()(torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[5.0, 5.0]]])).round()
    tensor([[[5., 5.]]])
    """

    def __init__(self, channel_dim: int = 1, eps: float = 1e-6) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.eps = eps

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Content with the means and standard deviations of style."""
        return adaptive_instance_norm(content, style, self.channel_dim, self.eps)


class _Mix(nn.Module):
    """Mixes each sample's channel distributions with those of another sample of the batch, in training only.

    The random numbers are the module's own; a copy of the module goes on from the same state.
    """

    def __init__(
        self, p: float = 0.5, alpha: float = 0.1, channel_dim: int = 1, random_state: RandomState = None
    ) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p must lie in 0..1, got {p}")
        if not alpha > 0.0:
            raise ValueError(f"alpha must be positive, got {alpha}")
        self.p = p
        self.alpha = alpha
        self.channel_dim = channel_dim
        self.random = np.random.default_rng(random_state)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, shape (n_samples, n_channels, ...), with mixed distributions; in evaluation `x` itself."""
        if not self.training or self.random.random() >= self.p:
            return x
        own = self.random.beta(self.alpha, self.alpha, size=len(x))
        other = torch.as_tensor(self.random.permutation(len(x)), device=x.device)
        rows, _ = _distributions(x, x, self.channel_dim)
        share = torch.as_tensor(own, dtype=x.dtype, device=x.device)[:, None, None]
        return _restore(self._mixed(rows, rows[other].detach(), share), x, self.channel_dim)

    def _mixed(self, rows: Tensor, others: Tensor, share: Tensor) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"p={self.p}, alpha={self.alpha}, channel_dim={self.channel_dim}"


class EFDMix(_Mix):
    """Augments features for domain generalisation: mixes each channel's sorted values with another sample's.

    Put it after early blocks of a network. In training, with probability `p` a batch, each sample is paired with
    another one at random, and a value becomes ``share * value + (1 - share) * matched`` where `matched` is the other
    sample's value of the same rank and ``share ~ Beta(alpha, alpha)``. The gradient is that of the identity.

    Parameters
    ----------
    p : float
        0..1.
    alpha : float
        Of the Beta distribution; below 1 shares are mostly near 0 or 1.
    channel_dim : int
        Axis of the channels.
    random_state : int, Generator or None

    References
    ----------
    Zhang, Li, Li, Jia and Zhang (2022), Exact Feature Distribution Matching for Arbitrary Style Transfer and Domain
    Generalization. CVPR. arXiv:2203.07740.

    Examples
    --------
    >>> x = torch.tensor([[[0.0, 1.0]], [[10.0, 20.0]]])
    >>> mix = EFDMix(p=1.0, alpha=0.01, random_state=0)
    >>> mix(x).shape == x.shape, mix.eval()(x) is x
    (True, True)
    """

    def _mixed(self, rows: Tensor, others: Tensor, share: Tensor) -> Tensor:
        mixed = share * rows + (1.0 - share) * _sorted_into(rows, others)
        return _straight_through(rows, mixed)


class MixStyle(_Mix):
    """As `EFDMix`, but mixes only the channels' means and standard deviations.

    Parameters
    ----------
    p : float
        0..1.
    alpha : float
        Of the Beta distribution.
    channel_dim : int
        Axis of the channels.
    random_state : int, Generator or None

    References
    ----------
    Zhou, Yang, Qiao and Xiang (2021), Domain Generalization with MixStyle. ICLR. arXiv:2104.02008.

    Examples
    --------
    >>> x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    >>> MixStyle(p=1.0, random_state=0)(x).shape
    torch.Size([4, 3, 5, 5])
    """

    def _mixed(self, rows: Tensor, others: Tensor, share: Tensor) -> Tensor:
        mean, spread = (moment.detach() for moment in _moments(rows, 1e-6))
        other_mean, other_spread = _moments(others, 1e-6)
        standard = (rows - mean) / spread
        return standard * torch.lerp(other_spread, spread, share) + torch.lerp(other_mean, mean, share)
