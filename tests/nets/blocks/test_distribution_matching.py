"""Matching distributions of channels: exactness, ranks, gradients, mixing in training only, bad input."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.audit.align import sort_match
from covey.nets.blocks import EFDM, AdaIN, EFDMix, MixStyle, adaptive_instance_norm, exact_match


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_each_channel_is_matched_by_sorting(n_samples, n_channels, n, m, seed):
    content, style = (
        normal(n_samples, n_channels, n, seed=seed).double(),
        normal(n_samples, n_channels, m, seed=seed + 1),
    )
    out = exact_match(content, style)
    for i in range(n_samples):
        for c in range(n_channels):
            expected = sort_match(content[i, c].numpy(), style[i, c].numpy())
            assert out[i, c].numpy() == pytest.approx(expected, abs=1e-5)


def test_values_are_exactly_those_of_the_style():
    content, style = 1e4 * normal(2, 3, 8, 8), normal(2, 3, 8, 8, seed=1)
    out = exact_match(content, style)
    assert (out.flatten(2).sort().values == style.flatten(2).sort().values).all()
    assert (out.flatten(2).argsort() == content.flatten(2).argsort()).all()


def test_tokens_are_channels_last():
    content, style = normal(2, 20, 5), normal(2, 20, 5, seed=1)
    for by in (exact_match, adaptive_instance_norm):
        expected = by(content.transpose(1, 2), style.transpose(1, 2)).transpose(1, 2)
        assert torch.equal(by(content, style, -1), expected)


def test_moments_are_those_of_the_style_and_only_they():
    content, style = normal(2, 3, 30, 30), normal(2, 3, 30, 30, seed=1).exp()
    out = adaptive_instance_norm(content, style)
    assert out.mean((2, 3)).numpy() == pytest.approx(style.mean((2, 3)).numpy(), rel=1e-4)
    assert out.std((2, 3)).numpy() == pytest.approx(style.std((2, 3)).numpy(), rel=1e-4)
    assert not torch.allclose(out.flatten(2).amax(-1), style.flatten(2).amax(-1), rtol=0.1)


def test_gradient_is_that_of_the_identity_and_none_goes_to_the_style():
    content, style = normal(1, 2, 6).requires_grad_(), normal(1, 2, 6, seed=1).requires_grad_()
    weight = normal(1, 2, 6, seed=2)
    (exact_match(content, style) * weight).sum().backward()
    assert torch.equal(content.grad, weight)
    assert style.grad is None


@pytest.mark.parametrize("module", [EFDM(), AdaIN()])
def test_a_constant_channel_has_finite_values_and_gradients(module):
    content = torch.ones(1, 1, 4, 4, requires_grad=True)
    out = module(content, normal(1, 1, 4, 4))
    out.square().sum().backward()
    assert torch.isfinite(out).all() and torch.isfinite(content.grad).all()


@pytest.mark.parametrize("kind", [EFDMix, MixStyle])
def test_mixing_is_random_and_in_training_only(kind):
    x = normal(6, 3, 5, 5)
    mix = kind(p=1.0, random_state=0)
    first, second = mix(x), mix(x)
    assert not torch.equal(first, x) and not torch.equal(first, second)
    assert torch.equal(kind(p=1.0, random_state=0)(x), first)
    assert mix.eval()(x) is x
    assert kind(p=0.0)(x) is x
    touched = np.mean([kind(p=0.3, random_state=seed)(x) is not x for seed in range(300)])
    assert touched == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize("kind", [EFDMix, MixStyle])
def test_modules_can_be_copied_and_stored(kind):
    x, mix = normal(4, 2, 3), kind(p=1.0, random_state=1)
    other, stored = copy.deepcopy(mix), pickle.loads(pickle.dumps(mix))
    out = mix(x)
    assert torch.equal(other(x), out) and torch.equal(stored(x), out)


def test_mixtures_lie_between_own_and_matched_values():
    x = normal(5, 2, 40, seed=3).requires_grad_()
    out = EFDMix(p=1.0, alpha=1.0, random_state=0)(x)
    shares = np.random.default_rng(0)
    shares.random()
    own = torch.as_tensor(shares.beta(1.0, 1.0, size=5), dtype=x.dtype)[:, None, None]
    partner = x[torch.as_tensor(shares.permutation(5))]
    expected = own * x + (1 - own) * exact_match(x, partner)
    assert torch.allclose(out, expected, atol=1e-6)
    out.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_style_mixing_keeps_the_standardised_values():
    x = normal(5, 2, 40, seed=3)
    out = MixStyle(p=1.0, alpha=1.0, random_state=0)(x)
    standard = [(v - v.mean(-1, keepdim=True)) / v.std(-1, keepdim=True) for v in (x, out)]
    assert torch.allclose(*standard, atol=1e-4)
    assert not torch.allclose(x.mean(-1), out.mean(-1), atol=1e-3)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"same samples and channels, got \(2, 3\) and \(2, 4\)"):
        exact_match(normal(2, 3, 5), normal(2, 4, 5))
    with pytest.raises(ValueError, match="need samples, channels and positions"):
        adaptive_instance_norm(normal(3, 5), normal(3, 5))
    with pytest.raises(ValueError, match=r"p must lie in 0\.\.1"):
        EFDMix(p=1.5)
    with pytest.raises(ValueError, match="alpha must be positive"):
        MixStyle(alpha=0.0)
    with pytest.raises(ValueError, match="style has no positions"):
        exact_match(normal(2, 3, 5), normal(2, 3, 0))
