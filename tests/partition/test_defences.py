"""Clipping and noise: what they do to rows, to derivatives, and how they are named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from covey.partition.defences import Clip, GaussianNoise, parse_defence

positive = st.floats(1e-3, 1e3, allow_nan=False)
some_rows = arrays(np.float32, (5, 3), elements=st.floats(-100, 100, width=32))


@given(some_rows, positive)
@settings(max_examples=50, deadline=None)
def test_clip_shortens_long_rows_only_and_keeps_their_direction(rows: np.ndarray, norm: float) -> None:
    clipped = Clip(norm)(torch.from_numpy(rows)).numpy()
    lengths = np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    factor = np.minimum(1.0, norm / np.maximum(lengths, 1e-30))
    np.testing.assert_allclose(clipped, rows * factor, rtol=1e-4, atol=1e-6)


def test_clip_has_the_derivative_of_what_it_computes() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.1, 0.2], [-1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Clip(1.5), (rows,))
    zero = torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(Clip(1.0)(zero).sum(), zero)
    assert gradient.tolist() == [[1.0, 1.0]]


def test_noise_has_its_scale_and_derivatives_pass_it() -> None:
    rows = torch.full((400, 50), 2.0, requires_grad=True)
    noisy = GaussianNoise(0.5)(rows, np.random.default_rng(0))
    noise = (noisy - rows).detach()
    assert abs(float(noise.std()) - 0.5) < 0.01
    assert abs(float(noise.mean())) < 0.02
    (gradient,) = torch.autograd.grad(noisy.sum(), rows)
    assert torch.equal(gradient, torch.ones_like(rows))


def test_noise_comes_after_the_clip_and_from_the_generator() -> None:
    rows = torch.tensor([[30.0, 40.0]])
    draw = np.random.default_rng(3).standard_normal((1, 2), dtype=np.float32)
    noisy = GaussianNoise(0.1, clip=1.0)(rows, np.random.default_rng(3))
    np.testing.assert_allclose(noisy.numpy(), [[0.6, 0.8]] + np.float32(0.1) * draw, rtol=1e-6)


@given(positive, positive)
@settings(max_examples=30, deadline=None)
def test_the_text_of_a_defence_names_it(scale: float, norm: float) -> None:
    for defence in (Clip(norm), GaussianNoise(scale), GaussianNoise(scale, norm)):
        assert parse_defence(str(defence)) == defence


def test_forms_of_the_text() -> None:
    assert parse_defence(None) is None
    assert parse_defence("clip:1") == Clip(1.0)
    assert parse_defence(" clip: 2 + noise: 0.1 ") == GaussianNoise(0.1, clip=2.0)


@pytest.mark.parametrize(
    "text", ["", "noise", "noise:", "noise:much", "clip:0", "noise:-1", "noise:nan", "clip:inf", "blur:1"]
)
def test_what_is_no_defence_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"clip|noise"):
        parse_defence(text)


@pytest.mark.parametrize("text", ["noise:0.1+clip:1", "clip:1+clip:2", "clip:1+noise:1+noise:1"])
def test_parts_come_once_and_in_order(text: str) -> None:
    with pytest.raises(ValueError, match="there is no defence"):
        parse_defence(text)


def test_only_text_is_taken() -> None:
    with pytest.raises(TypeError, match=r"0\.1"):
        parse_defence(0.1)  # type: ignore[arg-type]
