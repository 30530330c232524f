"""Bounds by their definitions, what limits them, critics and invertible networks, and bad input."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

from covey.learn.deep_cca import perceptron
from covey.learn.mi_bounds import (
    CRITICS,
    BilinearCritic,
    ConcatCritic,
    ConvolutionalEncoder,
    InfoNCE,
    MutualInformationBound,
    NWJBound,
    RealNVP,
    SeparableCritic,
    maximise_bound,
    paired_batches,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scores_of(n, seed=0):
    return 2.0 * torch.randn(n, n, generator=seeded(seed), dtype=torch.float64)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 100))
def test_bounds_agree_with_their_definitions(n, seed):
    f = scores_of(n, seed).numpy()
    infonce = np.mean([np.log(np.exp(f[i, i]) / np.mean(np.exp(f[i]))) for i in range(n)])
    apart = [np.exp(f[i, j] - 1) for i in range(n) for j in range(n) if i != j]
    assert InfoNCE()(torch.as_tensor(f)).item() == pytest.approx(infonce)
    assert NWJBound()(torch.as_tensor(f)).item() == pytest.approx(np.mean(np.diag(f)) - np.mean(apart))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 100))
def test_infonce_never_exceeds_the_logarithm_of_the_batch_and_forgets_constants_of_a_row(n, seed):
    f = 20.0 * scores_of(n, seed)
    assert InfoNCE()(f).item() <= np.log(n) + 1e-12
    assert InfoNCE()(f + torch.arange(n)[:, None]).item() == pytest.approx(InfoNCE()(f).item())


def test_bounds_stay_below_the_truth_and_nwj_reaches_it():
    rng = np.random.default_rng(0)
    rho, values = 0.8, []
    for _ in range(400):
        x = rng.normal(size=32)
        y = rho * x + 0.6 * rng.normal(size=32)
        ratio = (2 * rho * np.outer(x, y) - rho**2 * (x[:, None] ** 2 + y**2)) / (2 * (1 - rho**2)) - np.log(0.6)
        values.append((InfoNCE()(torch.as_tensor(ratio)).item(), NWJBound()(torch.as_tensor(ratio) + 1).item()))
    infonce, nwj = np.mean(values, axis=0)
    truth = -np.log(0.6)
    assert truth - 0.05 < infonce < truth
    assert nwj == pytest.approx(truth, abs=0.04)


def test_critics_score_every_pair():
    x, y = torch.randn(5, 3, generator=seeded(1)), torch.randn(4, 2, generator=seeded(2))
    bilinear = BilinearCritic(3, 2, seeded())
    assert torch.allclose(bilinear(x, y)[1, 2], x[1] @ bilinear.weight @ y[2])
    separable = SeparableCritic(3, 2, seeded(), hidden=(8,), n_components=4)
    assert torch.allclose(separable(x, y)[1, 2], separable.phi(x)[1] @ separable.psi(y)[2] / 2, atol=1e-6)
    concat = ConcatCritic(3, 2, seeded(), hidden=(8, 6))
    hidden = nn.functional.leaky_relu(concat.weight @ torch.cat([x[1], y[2]]) + concat.bias, 0.1)
    assert torch.allclose(concat(x, y)[1, 2], concat.rest(hidden[None])[0, 0], atol=1e-6)
    assert concat(x, y).shape == (5, 4)


def test_coupling_layers_invert_and_change_every_column():
    network = RealNVP(7, seeded(), n_layers=5)
    x = torch.randn(50, 7, generator=seeded(1))
    z = network(x)
    assert (network.inverse(z) - x).abs().max() < 1e-4
    assert (z - x).abs().max(dim=0).values.min() > 1e-3
    with pytest.raises(ValueError, match="at least two columns"):
        RealNVP(1, seeded())


def test_jacobian_of_coupling_layers_is_never_singular():
    network = RealNVP(4, seeded(3))
    jacobian = torch.autograd.functional.jacobian(lambda row: network(row[None])[0], torch.randn(4, generator=seeded()))
    assert torch.linalg.svdvals(jacobian).min() > 1e-3


def test_batches_pair_rows_and_pass_over_all_of_them():
    view = torch.arange(10.0)[:, None]
    batches = list(paired_batches([view, 2 * view], 5, 4, seeded()))
    assert all(torch.equal(2 * a, b) for a, b in batches)
    seen = [sorted(torch.cat([a for a, _ in batches[k : k + 2]]).ravel().tolist()) for k in (0, 2)]
    assert seen == [list(range(10))] * 2


def test_encoders_learn_what_the_views_share():
    generator = seeded()
    rows = torch.randn(600, 1, generator=generator)
    views = [torch.cat([rows, torch.randn(600, 3, generator=generator)], dim=1) for _ in range(2)]
    encoders = [perceptron([4, 1], generator) for _ in views]
    critic = BilinearCritic(1, 1, generator)
    maximise_bound(InfoNCE(), critic, encoders, views, generator, n_steps=100, batch_size=64, learning_rate=0.03)
    with torch.no_grad():
        code = encoders[0](views[0])[:, 0].numpy()
    assert abs(np.corrcoef(code, rows[:, 0].numpy())[0, 1]) > 0.95


@pytest.mark.parametrize(
    ("image_shape", "channels", "flat"), [((8, 8), (4, 6), 96), ((4, 8), (4, 6), 48), ((3, 5), (2, 3, 4), 8)]
)
def test_convolutions_halve_the_image_and_see_it_line_by_line(image_shape, channels, flat):
    encoder = ConvolutionalEncoder(image_shape, 7, seeded(), channels)
    x = torch.randn(9, image_shape[0] * image_shape[1], generator=seeded(1))
    assert encoder(x).shape == (9, 7)
    assert encoder.layers[-1][0].in_features == flat
    first = nn.functional.conv2d(x.unflatten(1, image_shape)[:, None], encoder.layers[0].weight, padding=1)
    assert torch.allclose(encoder.layers[0](x.reshape(9, 1, *image_shape)), first, atol=1e-6)
    one, moved = torch.zeros(2, 1, 64)
    one[0, 18], moved[0, 27] = 1.0, 1.0  # a dot, one line down and one column right
    layer = ConvolutionalEncoder((8, 8), 7, seeded(), channels).layers[0]
    images = [layer(dot.reshape(1, 1, 8, 8)) for dot in (one, moved)]
    assert torch.allclose(images[0][..., :-1, :-1], images[1][..., 1:, 1:])


def test_convolutional_encoders_learn_where_both_views_have_their_spot():
    generator = seeded()
    place = torch.randint(0, 64, (600,), generator=generator)
    views = [torch.eye(64)[place] + 0.1 * torch.randn(600, 64, generator=generator) for _ in range(2)]
    encoders = [ConvolutionalEncoder((8, 8), 8, generator, (4, 8)) for _ in views]
    critic = BilinearCritic(8, 8, generator)

    def bound():
        with torch.no_grad():
            return InfoNCE()(critic(*(encoder(view[:200]) for encoder, view in zip(encoders, views)))).item()

    before, weights = bound(), encoders[0].layers[0].weight.clone()
    maximise_bound(InfoNCE(), critic, encoders, views, generator, n_steps=150, batch_size=64, learning_rate=0.01)
    assert before < 0.2 and bound() > 1.5
    assert not torch.equal(weights, encoders[0].layers[0].weight)


def test_convolutional_encoder_draws_from_its_generator_alone():
    before = torch.get_rng_state()
    one, two, other = (ConvolutionalEncoder((4, 8), 3, seeded(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["layers.0.weight"], other["layers.0.weight"])


def shared(n=1500, d=3, rho=0.9, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(n, d))


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("bound", ["infonce", "nwj"])
def test_estimates_on_other_rows_lie_below_the_truth(bound, critic):
    X, Y = shared(d=1)
    model = MutualInformationBound(bound, critic, batch_size=32, max_iter=60, learning_rate=1e-2)
    value = model.fit(X[:1000], Y[:1000]).score(X[1000:], Y[1000:])
    truth = -0.5 * np.log(1 - 0.81)
    assert value < truth + 0.1
    if critic != "bilinear":  # x'Wy has no squares, which the density ratio needs
        assert value > (0.4 if bound == "infonce" else 0.1)


def test_independent_views_share_nothing_on_other_rows():
    X, Y = shared(rho=0.0)
    assert MutualInformationBound(max_iter=50).fit(X[:1000], Y[:1000]).score(X[1000:], Y[1000:]) < 0.05


def test_same_seed_same_bits_and_nothing_global():
    X, Y = shared(200)
    model = MutualInformationBound(max_iter=5, batch_size=32)
    before = torch.get_rng_state()
    one, two = clone(model).fit(X, Y), clone(model).fit(X, Y)
    assert torch.equal(before, torch.get_rng_state())
    assert one.score(X, Y) == two.score(X, Y) == pickle.loads(pickle.dumps(one)).score(X, Y)
    assert one.score(X, Y) != clone(model).set_params(random_state=1).fit(X, Y).score(X, Y)
    scaled = clone(model).fit(1e3 * X + 1e6, Y).score(1e3 * X + 1e6, Y)
    assert scaled == pytest.approx(one.score(X, Y), abs=1e-3)


def test_bad_input_is_named():
    X, Y = shared(40)
    with pytest.raises(ValueError, match="square matrix"):
        InfoNCE()(torch.ones(3, 4))
    with pytest.raises(ValueError, match="square matrix"):
        NWJBound()(torch.ones(1, 1))
    with pytest.raises(ValueError, match="bound must be one of infonce, nwj"):
        MutualInformationBound(bound="mine").fit(X, Y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="critic must be one of"):
        MutualInformationBound(critic="linear").fit(X, Y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch_size"):
        MutualInformationBound(batch_size=1).fit(X, Y)
    with pytest.raises(ValueError, match="max_iter"):
        MutualInformationBound(max_iter=0).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MutualInformationBound().fit(X, Y[1:])
    with pytest.raises(ValueError, match="NaN"):
        MutualInformationBound().fit(np.where(X > 1, np.nan, X), Y)
    with pytest.raises(ValueError, match="3 and 3 columns"):
        MutualInformationBound(max_iter=1).fit(X, Y).score(X[:, :2], Y)
    with pytest.raises(ValueError, match="hidden must name"):
        ConcatCritic(2, 2, seeded(), hidden=())
    with pytest.raises(ValueError, match="at least 1, with one convolution or more"):
        ConvolutionalEncoder((8, 8), 2, seeded(), channels=())
    with pytest.raises(ValueError, match=r"got \(0, 8\), 2"):
        ConvolutionalEncoder((0, 8), 2, seeded())
    with pytest.raises(ValueError, match="4 x 8 = 32 pixels"):
        ConvolutionalEncoder((4, 8), 2, seeded())(torch.ones(3, 64))
    with pytest.raises(ValueError, match="n_layers must be at least 1, got 0"):
        RealNVP(4, seeded(), n_layers=0)
    with pytest.raises(ValueError, match=r"same rows, got \[10, 5\] rows"):
        next(paired_batches([torch.ones(10, 1), torch.ones(5, 1)], 4, 1, seeded()))
