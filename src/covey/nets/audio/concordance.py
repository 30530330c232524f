"""A loss that asks predictions to agree with what they predict in value: one minus the concordance correlation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class CCCLoss(nn.Module):
    """Weighted mean over the outputs of ``1 - ccc``, with Lin's concordance correlation over the batch.

    Parameters
    ----------
    weights : sequence of float, optional
        One an output, positive; equal by default.
    eps : float
        Added to the denominator, for batches in which both are constant.

    Raises
    ------
    ValueError
        If a weight is not positive.

    References
    ----------
    Lin (1989), Biometrics 45. Atmaja and Akagi (2020), The Effect of Silence Feature in Dimensional Speech Emotion
    Recognition. arXiv:2003.01277.

    Examples
    --------
    >>> y = torch.tensor([[1.0], [2.0], [3.0]])
    >>> round(CCCLoss()(y + 1.0, y).item(), 3)
    0.429
    """

    def __init__(self, weights: Sequence[float] | None = None, eps: float = 1e-12) -> None:
        super().__init__()
        if weights is not None and not all(weight > 0 for weight in weights):
            raise ValueError(f"weights must be positive, got {list(weights)}")
        self.weights, self.eps = weights, eps

    def forward(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        predicted, target : Tensor of shape (n_samples, n_outputs)

        Returns
        -------
        Tensor of shape ()
            In 0..2.

        Raises
        ------
        ValueError
            If shapes differ, there are fewer than two samples, or the weights do not fit.
        """
        if predicted.shape != target.shape or predicted.ndim != 2 or len(predicted) < 2:
            raise ValueError(
                "predicted and target must both be (n_samples, n_outputs) with at least two samples, got "
                f"{tuple(predicted.shape)} and {tuple(target.shape)}"
            )
        mean_p, mean_t = predicted.mean(0), target.mean(0)
        p, t = predicted - mean_p, target - mean_t
        spread = (p * p).mean(0) + (t * t).mean(0) + (mean_p - mean_t) ** 2
        loss = 1.0 - 2.0 * (p * t).mean(0) / (spread + self.eps)
        if self.weights is None:
            return loss.mean()
        if len(self.weights) != loss.shape[0]:
            raise ValueError(f"{len(self.weights)} weights do not fit {loss.shape[0]} outputs")
        weights = loss.new_tensor(list(self.weights))
        return (weights * loss).sum() / weights.sum()
