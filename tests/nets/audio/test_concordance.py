"""The concordance loss: the closed form, gradients, weights, bad input."""

import pytest
import torch

from covey.measure.concordance import concordance_correlation
from covey.nets.audio.concordance import CCCLoss


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 12, 3, generator=generator, dtype=torch.float64)


def test_equals_one_minus_the_measure_with_and_without_weights():
    p, t = batch()
    ccc = torch.from_numpy(concordance_correlation(p.numpy(), t.numpy()))
    assert CCCLoss()(p, t).item() == pytest.approx(1 - ccc.mean().item(), abs=1e-12)
    weights = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    expected = ((1 - ccc) * weights).sum() / 8
    assert CCCLoss([1.0, 2.0, 5.0])(p, t).item() == pytest.approx(expected.item(), abs=1e-12)


def test_gradient():
    p, t = batch(1)
    assert torch.autograd.gradcheck(CCCLoss([1.0, 2.0, 3.0]), (p.requires_grad_(), t))


def test_constant_batches_stay_finite():
    p = torch.ones(4, 1, requires_grad=True)
    loss = CCCLoss()(p, torch.ones(4, 1))
    loss.backward()
    assert loss.item() == 1.0 and torch.isfinite(p.grad).all()


def test_bad_input():
    p, t = batch()
    for call in (
        lambda: CCCLoss()(p, t[:5]),
        lambda: CCCLoss()(p[:1], t[:1]),
        lambda: CCCLoss([1.0])(p, t),
        lambda: CCCLoss([0.0]),
    ):
        with pytest.raises(ValueError):
            call()
