"""Attention over a set of neighbours that weighs by many tests of similarity; needs torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from covey.learn.deep_cca import perceptron


class BAttention(nn.Module):
    """Self-attention whose scores also hear how alike the similarities of two members to the whole set are.

    Members of a set are compared twice: by their queries and keys, as in any attention, and by learned maps of their
    rows of the set's inner products, normalised. A linear layer fuses the two scores, a softmax makes weights of them,
    and each member leaves with a linear map of itself beside the weighted mean of all.

    Parameters
    ----------
    dim : int
        Features of a member.
    n_heads : int
        Must divide `dim`.
    max_ctx_k : int
        Most members of a set; smaller sets are padded with zeros.
    context : bool
        Whether the second comparison takes part; without it this is plain attention.
    temperature : float
        Of the softmax, positive.
    generator : torch.Generator, optional
        Draws the weights; by default one with seed 0.

    References
    ----------
    Zhu et al. (2022), Robust Graph Structure Learning via Multiple Statistical Tests. NeurIPS. arXiv:2210.03956.

    Examples
    --------
    Eight sets of ten members with six features:

    >>> members = torch.randn(8, 10, 6, generator=torch.Generator().manual_seed(0))
    >>> out, weights = BAttention(6, n_heads=2, max_ctx_k=12)(members)
    >>> tuple(out.shape), tuple(weights.shape), bool((weights.sum(dim=-1) - 1).abs().max() < 1e-5)
    ((8, 10, 6), (8, 2, 10, 10), True)
    """

    def __init__(
        self,
        dim: int,
        n_heads: int = 1,
        max_ctx_k: int = 120,
        context: bool = True,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if n_heads < 1 or dim % n_heads:
            raise ValueError(f"n_heads must divide dim, got {n_heads} heads and {dim} features")
        if max_ctx_k < 1:
            raise ValueError(f"max_ctx_k must be at least 1, got {max_ctx_k}")
        if temperature <= 0.0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        generator = generator or torch.Generator().manual_seed(0)
        self.n_heads, self.max_ctx_k, self.context, self.temperature = n_heads, max_ctx_k, context, temperature
        self.projection = perceptron([dim, 3 * dim], generator)
        self.output = perceptron([2 * dim, dim], generator)
        if context:
            self.profiles = perceptron([max_ctx_k, 2 * max_ctx_k], generator)
            self.fusion = nn.Linear(2, 1)
            nn.init.ones_(self.fusion.weight)
            nn.init.zeros_(self.fusion.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Members after attention, and the weights.

        Parameters
        ----------
        x : Tensor of shape (n_sets, n_members, dim)

        Returns
        -------
        out : Tensor of shape (n_sets, n_members, dim)
        weights : Tensor of shape (n_sets, n_heads, n_members, n_members)
            Rows sum to 1.

        Raises
        ------
        ValueError
            If sets have more than `max_ctx_k` members.
        """
        n_sets, n_members, dim = x.shape
        if n_members > self.max_ctx_k:
            raise ValueError(f"sets of {n_members} members are larger than max_ctx_k = {self.max_ctx_k}")
        heads = self.projection(x).reshape(n_sets, n_members, self.n_heads, 3 * dim // self.n_heads)
        query, key, value = heads.transpose(1, 2).chunk(3, dim=-1)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if self.context:
            agreement = self._agreement(x).unsqueeze(1).expand_as(scores)
            scores = self.fusion(torch.stack([scores, agreement], dim=-1)).squeeze(-1)
        weights = torch.softmax(scores / self.temperature, dim=-1)
        gathered = (weights @ value).transpose(1, 2).reshape(n_sets, n_members, dim)
        return self.output(torch.cat([x, gathered], dim=-1)), weights

    def _agreement(self, x: Tensor) -> Tensor:
        """Inner products of the members' mapped profiles, each of length 1; shape (n_sets, n_members, n_members)."""
        profiles = functional.pad(x @ x.transpose(-2, -1), (0, self.max_ctx_k - x.shape[1]))
        left, right = self.profiles(profiles).chunk(2, dim=-1)
        return functional.normalize(left, dim=-1) @ functional.normalize(right, dim=-1).transpose(-2, -1)
