"""The parts that networks of parties are made of: layers, the loss, and Adam on one vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from covey.partition._objective import Objective

_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8


class Linear(nn.Module):
    """`torch.nn.Linear` that draws its weights from a generator of one's own, never from the global one.

    Parameters
    ----------
    n_inputs, n_outputs : int
    generator : torch.Generator, optional
        Weights are uniform within ``1 / sqrt(n_inputs)`` of zero; without it they are zero.
    """

    def __init__(self, n_inputs: int, n_outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_outputs, n_inputs))
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        if generator is not None:
            bound = 1.0 / sqrt(max(n_inputs, 1))
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Shape (n_rows, n_inputs) to (n_rows, n_outputs)."""
        return functional.linear(inputs, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]} to {self.weight.shape[0]}"


def layers(sizes: Sequence[int], generator: torch.Generator | None = None) -> nn.Sequential:
    """Linear layers of these sizes with rectifiers between them.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden units, outputs.
    generator : torch.Generator, optional
        See `Linear`.

    Examples
    --------
    >>> layers([4, 8, 3])
    Sequential(
      (0): Linear(4 to 8)
      (1): ReLU()
      (2): Linear(8 to 3)
    )
    """
    found: list[nn.Module] = []
    for n_inputs, n_outputs in pairwise(sizes):
        found += [Linear(n_inputs, n_outputs, generator), nn.ReLU()]
    return nn.Sequential(*found[:-1])


def loaded(network: nn.Sequential | None, weights: Mapping[str, NDArray]) -> nn.Sequential:
    """The network of `layers`, or a new one, with the weights of its ``state_dict``.

    Raises
    ------
    ValueError
        If the network has layers of other sizes.
    """
    shapes = [value.shape for value in weights.values() if value.ndim == 2]
    if network is None:
        network = layers([shapes[0][1], *(shape[0] for shape in shapes)])
    elif [tuple(p.shape) for p in network.parameters() if p.ndim == 2] != shapes:
        raise ValueError("the state is of a network for other data: its layers have other sizes")
    network.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return network


def mean_loss(objective: Objective, scores: Tensor, target: Tensor) -> Tensor:
    """`Objective.loss` with a derivative.

    Parameters
    ----------
    objective : Objective
    scores, target : Tensor of shape (n_samples, n_outputs), float32

    Returns
    -------
    Tensor of shape ()
    """
    if objective.classes is None:
        return 0.5 * ((scores - target) ** 2).sum(dim=1).mean()
    if objective.n_outputs == 1:
        return functional.binary_cross_entropy_with_logits(scores, target)
    return functional.cross_entropy(scores, target)


class Adam:
    """The optimiser that `torch.optim.Adam` is, for few small layers.

    All weights become views of one vector, so that a step is a handful of operations; its state is plain arrays.

    Parameters
    ----------
    parameters : iterable of Parameter
    weight_decay : float
        Added to the gradient, times the weights.

    References
    ----------
    Kingma and Ba (2015), Adam: A Method for Stochastic Optimization. arXiv:1412.6980.

    Examples
    --------
    >>> weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> Adam([weight]).step([torch.tensor([3.0, 0.5])], learning_rate=0.1)
    >>> weight.tolist()
    [0.899..., -2.099...]
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float = 0.0) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self._weights = parameters_to_vector(self.parameters).detach()
        vector_to_parameters(self._weights, self.parameters)
        self._mean = torch.zeros_like(self._weights)
        self._square = torch.zeros_like(self._weights)
        self._n_steps = 0

    def step(self, gradients: Iterable[Tensor], learning_rate: float) -> None:
        """Move the weights.

        Parameters
        ----------
        gradients : iterable of Tensor
            Of the loss by each parameter, as `torch.autograd.grad` gives them.
        learning_rate : float
        """
        self._n_steps += 1
        with torch.no_grad():
            gradient = parameters_to_vector(gradients)
            gradient.add_(self._weights, alpha=self.weight_decay)
            self._mean.lerp_(gradient, 1.0 - _FIRST)
            self._square.mul_(_SECOND).addcmul_(gradient, gradient, value=1.0 - _SECOND)
            root = (self._square / (1.0 - _SECOND**self._n_steps)).sqrt_().add_(_EPSILON)
            self._weights.addcdiv_(self._mean, root, value=-learning_rate / (1.0 - _FIRST**self._n_steps))

    def state(self) -> dict[str, NDArray]:
        """Arrays that `restore` takes; the weights are not among them."""
        moments = {"mean": self._mean.numpy().copy(), "square": self._square.numpy().copy()}
        return {**moments, "steps": np.int64(self._n_steps)}  # type: ignore[dict-item]

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Take up a state."""
        self._mean, self._square = torch.tensor(state["mean"]), torch.tensor(state["square"])
        self._n_steps = int(state["steps"])
