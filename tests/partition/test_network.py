"""Layers, losses and Adam against what torch and the objective say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from covey.partition._network import Adam, Linear, layers, loaded, mean_loss
from covey.partition._objective import Objective


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_adam_is_the_adam_of_torch() -> None:
    ours, theirs = layers([3, 5, 2], generator()), layers([3, 5, 2], generator())
    adam = Adam(ours.parameters(), weight_decay=0.01)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.05, weight_decay=0.01)
    inputs, target = torch.randn(20, 3, generator=generator(1)), torch.randn(20, 2, generator=generator(2))
    for _ in range(20):
        adam.step(torch.autograd.grad(((ours(inputs) - target) ** 2).mean(), adam.parameters), 0.05)
        reference.zero_grad()
        ((theirs(inputs) - target) ** 2).mean().backward()
        reference.step()
    for mine, wanted in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-5)


def test_adam_goes_on_from_its_state() -> None:
    gradients = torch.randn(6, 4, generator=generator())
    first, second = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
    whole = Adam([first])
    for gradient in gradients:
        whole.step([gradient], 0.1)
    half = Adam([second])
    for gradient in gradients[:3]:
        half.step([gradient], 0.1)
    rest = Adam([second])
    rest.restore(half.state())
    for gradient in gradients[3:]:
        rest.step([gradient], 0.1)
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "y",
    [["a", "b", "c", "a", "c"], [0, 1, 1, 0, 1], [0.1, 2.5, -3.0, 0.7, 9.9]],
    ids=["softmax", "logistic", "squared"],
)
def test_loss_and_its_derivative_are_those_of_the_objective(y: list) -> None:
    objective = Objective.of(y)
    target = objective.encode(y)
    scores = np.random.default_rng(0).normal(size=target.shape)
    tensor = torch.tensor(scores, dtype=torch.float32, requires_grad=True)
    loss = mean_loss(objective, tensor, torch.tensor(target, dtype=torch.float32))
    assert float(loss.detach()) == pytest.approx(objective.loss(scores, target), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, tensor)
    np.testing.assert_allclose(gradient.numpy(), objective.gradient(scores, target) / len(y), atol=1e-6)


def test_linear_is_that_of_torch_with_weights_of_its_own_generator() -> None:
    before = torch.random.get_rng_state()
    ours, again = Linear(7, 3, generator()), Linear(7, 3, generator())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(ours.weight, again.weight)
    assert 0.8 / 7**0.5 < ours.weight.abs().max().item() <= 1 / 7**0.5
    theirs = nn.Linear(7, 3)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(5, 7, generator=generator(1))
    assert torch.equal(ours(inputs), theirs(inputs))


def test_a_network_is_made_again_from_its_weights() -> None:
    network = layers([4, 6, 5, 2], generator())
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    inputs = torch.randn(5, 4, generator=generator(1))
    assert torch.equal(loaded(None, weights)(inputs), network(inputs))
    with pytest.raises(ValueError, match="other data"):
        loaded(layers([3, 6, 5, 2]), weights)
