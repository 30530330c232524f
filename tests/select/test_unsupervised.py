"""QuickSelection: links against a dense network, evolution of the links, planted columns, and bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select.unsupervised import (
    QuickSelection,
    _arrays,
    _Layer,
    free_positions,
    sparse_denoising_autoencoder,
    standardised,
)

SMALL = {"n_hidden": 100, "epsilon": 13}


@parametrize_with_checks([QuickSelection(k=1, n_hidden=8, max_iter=2, random_state=0)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=1000, seed=0):
    """Of 100 columns 20 are mixtures of five causes."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 20))
    return np.hstack([mixed, rng.normal(size=(n, 80))])


def hits(selector):
    return int((np.argsort(-selector.scores_)[:20] < 20).sum())


def dense_step(layers, x, clean, kept, is_tanh, rate, momentum, decay):
    """One step of gradient descent of a dense network, the weights and velocities (before, after) of both layers."""
    (w1, v1, b1, c1), (w2, v2, b2, c2) = layers
    n = len(x)
    hidden = 1.0 / (1.0 + np.exp(-(x @ w1 + b1)))
    out = (hidden * kept) @ w2 + b2
    out = np.tanh(out) if is_tanh else out
    delta = (out - clean) * (1.0 - out**2 if is_tanh else 1.0)
    back = (delta @ w2.T) * kept * hidden * (1.0 - hidden)
    v2, c2 = momentum * v2 - rate * ((hidden * kept).T @ delta / n + decay * w2), momentum * c2 - rate * delta.mean(0)
    v1, c1 = momentum * v1 - rate * (x.T @ back / n + decay * w1), momentum * c1 - rate * back.mean(0)
    return (w1 + v1, v1, b1 + c1, c1), (w2 + v2, v2, b2 + c2, c2), ((out - clean) ** 2).sum()


def dense(layer):
    """Weights, velocities as matrices of shape (n_sources, n_units), bias and its velocity, in float64."""
    units = np.repeat(np.arange(layer.n_units), np.diff(layer.starts))
    out = []
    for values in (layer.weights, layer.velocity):
        matrix = np.zeros((layer.n_sources, layer.n_units))
        matrix[layer.sources, units] = values
        out.append(matrix)
    return (*out, layer.bias.astype(np.float64), layer.bias_velocity.astype(np.float64))


@pytest.mark.parametrize("is_tanh", [False, True])
def test_a_step_on_links_is_that_of_a_dense_network_on_the_same_links(is_tanh):
    from covey.select._sparse_kernels import decode_and_descend, descend_encoder, encode_batch

    rng = np.random.default_rng(0)
    x, clean = rng.normal(size=(2, 30, 7)).astype(np.float32)
    encoder, decoder = _Layer.draw(7, 5, 20, rng), _Layer.draw(5, 7, 21, rng)
    rates = np.array([0.1, 0.9, 0.01], dtype=np.float32)
    for _ in range(3):  # momentum matters from the second step on
        kept = ((rng.random((30, 5)) > 0.3) / 0.7).astype(np.float32)
        rows = rng.permutation(30)[:16]
        links = [dense(layer)[0] != 0 for layer in (encoder, decoder)]
        *expected, loss = dense_step(
            (dense(encoder), dense(decoder)), x[rows], clean[rows], kept[rows], is_tanh, 0.1, 0.9, 0.01
        )
        hidden = np.empty((5, 16), dtype=np.float32)
        batch = np.ascontiguousarray(x[rows].T)
        encode_batch(encoder.starts, encoder.sources, encoder.weights, encoder.bias, batch, hidden)
        back, unit, mask = np.empty_like(hidden), np.empty(16, dtype=np.float32), np.ascontiguousarray(kept[rows].T)
        targets = np.ascontiguousarray(clean.T)
        found = decode_and_descend(*_arrays(decoder), hidden * mask, targets, rows, is_tanh, rates, back, unit)
        back *= mask * hidden * (1.0 - hidden)
        descend_encoder(*_arrays(encoder), batch, back, rates)
        assert found == pytest.approx(loss, rel=1e-5)
        for layer, link, (weights, velocity, bias, _) in zip((encoder, decoder), links, expected):
            now = dense(layer)
            assert now[0] == pytest.approx(np.where(link, weights, 0.0), abs=1e-5)
            assert now[1] == pytest.approx(np.where(link, velocity, 0.0), abs=1e-5)
            assert now[2] == pytest.approx(bias, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(0, 99))
def test_evolution_drops_the_links_nearest_to_zero_and_keeps_their_number(n_sources, n_units, density, share, seed):
    rng = np.random.default_rng(seed)
    layer = _Layer.draw(n_sources, n_units, max(1, int(density * n_sources * n_units)), rng)
    layer.velocity[:] = 1.0
    after = layer.rewired(share, rng)
    before, velocity = dense(layer)[0], dense(after)[1]
    assert len(after.weights) == len(layer.weights)
    keys = np.repeat(np.arange(n_units), np.diff(after.starts)) * n_sources + after.sources
    assert (np.diff(keys) > 0).all()
    for sign in (1.0, -1.0):
        size = np.sort(sign * before[sign * before > 0])
        kept = np.sort(sign * before[(velocity == 1.0) & (sign * before > 0)])
        assert kept.tolist() == size[int(share * len(size)) :].tolist()
    stayed = velocity == 1.0
    assert (dense(after)[0][stayed] == before[stayed]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.data())
def test_free_positions_are_free_and_different(n_positions, data):
    n_taken = data.draw(st.integers(0, n_positions))
    n_new = data.draw(st.integers(0, n_positions - n_taken))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    taken = np.sort(rng.choice(n_positions, n_taken, replace=False))
    new = free_positions(taken, n_positions, n_new, rng)
    assert len(new) == n_new
    assert len(np.union1d(taken, new)) == n_taken + n_new
    assert (np.diff(new) > 0).all()


def test_every_free_position_is_as_likely():
    rng, counts = np.random.default_rng(0), np.zeros(20)
    for _ in range(4000):
        counts[free_positions(np.array([3, 7]), 20, 5, rng)] += 1
    assert counts[[3, 7]].sum() == 0
    free = np.delete(counts, [3, 7])
    expected = 4000 * 5 / 18
    assert np.abs(free - expected).max() < 4.5 * np.sqrt(expected)


def test_links_are_random_and_weights_small_at_first():
    layer = _Layer.draw(300, 200, 6000, np.random.default_rng(0))
    matrix = layer.matrix()
    assert matrix.shape == (300, 200)
    assert matrix.nnz == 6000
    assert layer.weights.std() == pytest.approx(0.1, rel=0.05)
    assert np.abs(np.diff(layer.starts) - 30).max() < 30


@pytest.mark.parametrize("seed", range(3))
def test_columns_that_share_causes_are_found_and_the_number_of_links_stays(seed):
    selector = QuickSelection(k=20, random_state=seed, **SMALL).fit(planted(seed=seed))
    assert hits(selector) >= 13  # 4 by chance
    assert (selector.nnz_ == 13 * 200).all()
    assert selector.history_.shape == (10, 100)
    assert selector.history_[-1].tolist() == selector.strength_.tolist() == selector.scores_.tolist()
    encoder = selector.autoencoder_.encoder
    assert np.abs(encoder.toarray()).sum(axis=1) == pytest.approx(selector.strength_, rel=1e-5)
    assert selector.loss_curve_[-1] < 0.9 * selector.loss_curve_[0]


@pytest.mark.parametrize("output", ["linear", "tanh"])
def test_the_trained_network_reconstructs_other_rows(output):
    x = standardised(planted(1500)[:, :20])
    model = sparse_denoising_autoencoder(x[:1000], output=output, max_iter=40, random_state=0, **SMALL)
    found = model.reconstruct(x[1000:])
    assert found.shape == (500, 20)
    assert np.mean((found - x[1000:]) ** 2) < 0.25
    assert model.encode(x).min() >= 0.0
    assert model.encode(x).max() <= 1.0


def test_scale_and_place_of_a_column_do_not_matter():
    x = planted()
    scale = 2.0 ** np.random.default_rng(1).integers(-20, 20, size=100)
    strength = [QuickSelection(max_iter=3, random_state=0, **SMALL).fit(z).strength_ for z in (x, x * scale)]
    assert (strength[0] == strength[1]).all()
    assert hits(QuickSelection(random_state=0, **SMALL).fit(x + 1e9)) >= 13
    far = QuickSelection(max_iter=3, random_state=0, **SMALL).fit(x * np.where(scale > 1, 1e200, 1e-200))
    assert far.strength_ == pytest.approx(strength[0], rel=1e-3)


def test_without_standardising_a_wide_column_wins():
    x = np.random.default_rng(0).normal(size=(500, 60))
    x[:, 50] *= 6.0
    selector = QuickSelection(k=1, standardise=False, learning_rate=0.001, max_iter=20, random_state=0, **SMALL)
    assert selector.fit(x).get_support(indices=True).tolist() == [50]


def test_the_same_seed_gives_the_same_bits():
    a, b, c = (QuickSelection(max_iter=3, random_state=seed, **SMALL).fit(planted()).scores_ for seed in (3, 3, 4))
    assert (a == b).all()
    assert (a != c).any()


def test_more_links_than_places_is_a_dense_network():
    model = sparse_denoising_autoencoder(planted()[:, :6], n_hidden=4, epsilon=50, max_iter=3, random_state=0)
    assert (model.nnz == 24).all()


def test_few_rows_and_columns_without_variance():
    x = planted(12)
    x[:, 7] = 3.0
    selector = QuickSelection(k=0.1, max_iter=3, random_state=0, **SMALL).fit(x)
    assert np.isnan(selector.strength_[7])
    assert np.isnan(selector.history_[:, 7]).all()
    assert selector.reasons_[7] == "the column is constant"
    constant = QuickSelection(k=0.5, **SMALL).fit(np.ones((5, 3)))
    assert constant.autoencoder_ is None
    assert constant.history_.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "relu"}, "output must be 'linear' or 'tanh'"),
        ({"n_hidden": 0}, "n_hidden must be at least 1"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"epsilon": 0}, "epsilon must be positive"),
        ({"epsilon": np.inf}, "epsilon must be positive"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"noise": -0.1}, "noise must not be negative"),
        ({"weight_decay": np.nan}, "weight_decay must not be negative"),
        ({"zeta": 1.5}, "zeta must lie in 0..1"),
        ({"dropout": 1.0}, "dropout must lie in 0..1, below 1"),
        ({"momentum": 1.0}, "momentum must lie in 0..1, below 1"),
        ({"k": 101}, "larger than the number of columns"),
        ({"learning_rate": 1e4, "max_iter": 20}, "lower learning_rate"),
    ],
)
def test_wrong_parameters(change, message):
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        QuickSelection(**SMALL | change).fit(planted())


def test_words_and_gaps_are_named():
    frame = pd.DataFrame(planted()[:, :3], columns=["a", "b", "c"])
    with pytest.raises(ValueError, match="'word' hold categories"):
        QuickSelection().fit(frame.assign(word=["x", "y"] * 500))
    with pytest.raises(ValueError, match="'b' have missing or infinite values"):
        QuickSelection().fit(frame.assign(b=frame["b"].where(frame["b"] > 0)))
