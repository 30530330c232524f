"""Deep CCA and self-supervision by the Eckart-Young loss: the loss, what networks add, and bad input."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from covey.learn._eckart_young import multiview_loss
from covey.learn.deep_cca import SSLEY, DeepCCAEY, EYLoss, mask_and_jitter, perceptron
from covey.learn.multiview import MultiviewCCA
from covey.measure.cca import RankWarning
from covey.table import iter_blocks


@parametrize_with_checks([DeepCCAEY(hidden=(8,), max_iter=2), SSLEY(n_components=2, hidden=(8,), max_iter=2)])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankWarning)
        check(estimator)


def squares(n_rows=1500, seed=0):
    """Two views whose only relation is that one holds the squares of two columns of the other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    Y = np.column_stack([X[:, :2] ** 2, rng.normal(size=(n_rows, 2))]) + 0.2 * rng.normal(size=(n_rows, 4))
    return X, Y


def test_the_loss_of_tensors_is_the_loss_of_linear_views():
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(40, d)) for d in (3, 4, 2)]
    weights = [rng.normal(size=(view.shape[1], 2)) for view in views]
    z = [torch.tensor(view @ w) for view, w in zip(views, weights)]
    assert EYLoss()(z).item() == pytest.approx(multiview_loss(views, weights, halves=False)[0])
    halves = EYLoss()([s[:20] for s in z], [s[20:] for s in z]).item()
    assert halves == pytest.approx(multiview_loss(views, weights)[0])
    V = 0.7 * sum(np.cov(s.numpy(), rowvar=False) for s in z) + 0.3 * np.eye(2)
    reward = (EYLoss(1.0)(z).item() - 2.0) / -2.0
    assert EYLoss(0.3)(z).item() == pytest.approx(-2.0 * reward + np.trace(V @ V))


def test_gradient_descent_on_the_loss_reaches_the_canonical_correlations():
    X = torch.tensor(np.random.default_rng(0).normal(size=(300, 5)))
    Y = X[:, :3] + torch.tensor(np.random.default_rng(1).normal(size=(300, 3)))
    exact = MultiviewCCA(2).fit(X.numpy(), Y.numpy()).correlations_
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(d, 2, generator=generator, dtype=torch.float64).requires_grad_() for d in (5, 3)]
    optimiser = torch.optim.LBFGS(maps, max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = EYLoss()([X @ maps[0], Y @ maps[1]])
        loss.backward()
        return loss

    optimiser.step(closure)
    assert closure().item() == pytest.approx(-np.sum(exact**2), rel=1e-5)


def test_networks_find_what_no_linear_map_can():
    X, Y = squares()
    linear = MultiviewCCA(2).fit(X[:1000], Y[:1000]).canonical_correlations(X[1000:], Y[1000:])
    model = DeepCCAEY(2, hidden=(64,), random_state=0).fit(X[:1000], Y[:1000])
    held_out = model.canonical_correlations(X[1000:], Y[1000:])
    assert linear.max() < 0.2
    assert held_out.min() > 0.8
    scores = model.transform(X[:1000], Y[:1000])
    assert np.cov(scores[0], rowvar=False) == pytest.approx(np.eye(2), abs=1e-6)
    assert scores[1].mean(axis=0) == pytest.approx(0.0, abs=1e-6)
    assert model.correlations_ == pytest.approx(model.canonical_correlations(X[:1000], Y[:1000]))


def test_own_encoders_streams_and_pickles():
    X, Y = squares(600)
    generator = torch.Generator().manual_seed(1)
    encoders = [perceptron([4, 16, 2], generator) for _ in range(2)]
    before = copy.deepcopy(encoders[0].state_dict())
    model = DeepCCAEY(2, encoders=encoders, max_iter=20, random_state=0)
    model.fit([iter_blocks(X, rows=300), iter_blocks(Y, rows=200)])
    assert all(torch.equal(before[name], value) for name, value in encoders[0].state_dict().items())
    again = pickle.loads(pickle.dumps(model))
    assert again.transform([X, Y])[1] == pytest.approx(model.transform([iter_blocks(X), iter_blocks(Y)])[1])
    assert model.correlations_[0] > 0.5


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_stream_alone():
    X, Y = squares(300)
    state = torch.random.get_rng_state()
    a, b, c = (DeepCCAEY(max_iter=3, random_state=seed).fit(X, Y).transform(X) for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert torch.equal(state, torch.random.get_rng_state())


def test_self_supervision_by_masks_keeps_the_factors_and_drops_the_noise():
    """What a masked row shares with another mask of itself are its factors: a linear map finds their plane."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2000, 3))
    X = factors @ rng.normal(size=(3, 40)) + 2 * rng.normal(size=(2000, 40))
    model = SSLEY(n_components=3, hidden=(), max_iter=150, learning_rate=1e-2, random_state=0).fit(X)
    found = MultiviewCCA(3).fit(model.transform(X), factors).correlations_
    exact = MultiviewCCA(3).fit(PCA(3).fit_transform(X), factors).correlations_
    assert found.sum() > 0.99 * exact.sum()
    covariance = np.cov(model.transform(X), rowvar=False)
    assert covariance - np.diag(np.diag(covariance)) == pytest.approx(0.0, abs=0.05)


def test_masks_and_jitter_have_the_stated_size():
    x = torch.ones(200, 200)
    out = mask_and_jitter(x, torch.Generator().manual_seed(0), masked=0.3, noise=0.1)
    kept = out > 0.5
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.01)
    assert out[kept].std().item() == pytest.approx(0.1, abs=0.01)


def test_few_rows_are_told():
    X, Y = squares(12)
    with pytest.warns(RankWarning, match="12 rows are too few"):
        DeepCCAEY(8, max_iter=2, random_state=0).fit(X, Y)


def test_bad_input_is_named():
    X, Y = squares(50)
    with pytest.raises(ValueError, match="same rows; they have 50, 49"):
        DeepCCAEY().fit(X, Y[1:])
    with pytest.raises(ValueError, match="1 encoders do not go with 2 views"):
        DeepCCAEY(encoders=[nn.Linear(4, 1)]).fit(X, Y)
    for parameters, message in [
        ({"n_components": 0}, "n_components must be at least 1"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"batch_size": 2}, "batch_size must be at least 4"),
        ({"dropout": 1.0}, "dropout must lie in 0"),
        ({"shrinkage": 2.0}, "shrinkage must lie in 0"),
        ({"learning_rate": 1e30}, "diverged; lower learning_rate"),
    ]:
        with pytest.raises(ValueError, match=message):
            DeepCCAEY(**parameters).fit(X, Y)
    with pytest.raises(ValueError, match="at least two views"):
        EYLoss()([torch.zeros(3, 1)])
