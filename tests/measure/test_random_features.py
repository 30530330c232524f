"""Random features: the simplex, marginals and unbiasedness of every coupling, the transformer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure import (
    RandomFeatures,
    positive_features,
    random_frequencies,
    simplex_directions,
    trigonometric_features,
)
from covey.measure.random_features import COUPLINGS, median_distance


@parametrize_with_checks(
    [
        RandomFeatures(20, random_state=0),
        RandomFeatures(20, features="trigonometric", coupling="orthogonal", random_state=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("d", [2, 3, 6, 50])
def test_simplex_directions_are_those_of_a_regular_simplex(d):
    s = simplex_directions(d)
    assert s @ s.T == pytest.approx(np.eye(d) + (np.eye(d) - 1) / (d - 1), abs=1e-12)
    assert s.sum(axis=0) == pytest.approx(np.zeros(d), abs=1e-12)


def test_one_feature_has_one_direction():
    assert simplex_directions(1).tolist() == [[1.0]]
    assert random_frequencies(2000, 1, "simplex+", random_state=0).std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_each_frequency_alone_is_standard_normal(coupling):
    w = random_frequencies(5 * 8000, 5, coupling, random_state=1).reshape(8000, 5, 5)
    for k in range(5):
        assert np.cov(w[:, k].T) == pytest.approx(np.eye(5), abs=0.08)
        assert w[:, k].mean(axis=0) == pytest.approx(np.zeros(5), abs=0.06)
        assert np.mean(np.sum(w[:, k] ** 2, axis=1) ** 2) == pytest.approx(35.0, rel=0.05)  # chi-square of 5 degrees


@pytest.mark.parametrize(("coupling", "cosine"), [("orthogonal", 0.0), ("simplex", -0.25)])
def test_directions_of_a_block_are_at_their_angle(coupling, cosine):
    w = random_frequencies(12, 5, coupling, random_state=0)
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    assert len(w) == 12
    for block in (unit[:5], unit[5:10], unit[10:]):
        inner = block @ block.T
        assert inner[~np.eye(len(block), dtype=bool)] == pytest.approx(cosine)


def test_weight_dependent_coupling_keeps_lengths_and_shortens_the_sum():
    plain, opposed = (random_frequencies(40, 4, c, random_state=3).reshape(10, 4, 4) for c in ("simplex", "simplex+"))
    assert np.linalg.norm(plain, axis=2) == pytest.approx(np.linalg.norm(opposed, axis=2))
    lengths = np.linalg.norm(opposed, axis=2)
    least = np.maximum(2 * lengths.max(axis=1) - lengths.sum(axis=1), 0)  # triangle inequality
    assert np.linalg.norm(opposed.sum(axis=1), axis=1) == pytest.approx(least, abs=1e-4)
    assert np.linalg.norm(plain.sum(axis=1), axis=1).min() > 0.1


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("kernel", ["gaussian", "softmax"])
def test_positive_features_are_unbiased(coupling, kernel):
    x, y = np.array([[0.5, -0.2, 0.3], [0.1, 0.6, -0.4]])
    w = random_frequencies(3 * 20_000, 3, coupling, random_state=5)
    a, b = positive_features([x, y], w, kernel) * np.sqrt(len(w))
    estimates = (a * b).reshape(-1, 3).mean(axis=1)
    exact = np.exp(x @ y) if kernel == "softmax" else np.exp(-0.5 * np.sum((x - y) ** 2))
    assert min(a.min(), b.min()) > 0
    assert estimates.mean() == pytest.approx(exact, abs=4 * estimates.std() / np.sqrt(20_000))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 99))
def test_features_are_those_of_the_formula(d, m, seed):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(4, d)), rng.normal(size=(m, d))
    positive, trigonometric = positive_features(X, w, "softmax"), trigonometric_features(X, w)
    for i in range(4):
        for k in range(m):
            assert positive[i, k] == pytest.approx(np.exp(w[k] @ X[i] - X[i] @ X[i] / 2) / np.sqrt(m))
            assert trigonometric[i, [k, m + k]] == pytest.approx(
                np.array([np.cos(w[k] @ X[i]), np.sin(w[k] @ X[i])]) / np.sqrt(m)
            )


def test_softmax_features_do_not_overflow():
    X = np.array([[1e3, 0.0], [0.0, -1e4]])
    assert np.isfinite(positive_features(X, random_frequencies(8, 2, random_state=0), "softmax")).all()


@pytest.mark.parametrize("features", ["positive", "trigonometric"])
def test_transformer_approximates_its_kernel(features):
    X = np.random.default_rng(0).normal(size=(30, 3)) + 1e6
    model = RandomFeatures(20_000, bandwidth=2.5, features=features, coupling="orthogonal", random_state=0).fit(X)
    phi = model.transform(X)
    exact = np.exp(-np.square(X[:, None] - X[None]).sum(axis=2) / (2 * 2.5**2))
    assert np.abs(phi @ phi.T - exact).mean() < 0.02
    assert phi.shape == (30, len(model.get_feature_names_out()))


def test_median_bandwidth_is_the_median_distance():
    X = np.array([[0.0], [1.0], [3.0]])
    assert median_distance(X) == pytest.approx(2.0)
    assert RandomFeatures(4).fit(X).bandwidth_ == pytest.approx(2.0)
    assert median_distance(np.ones((3, 2))) == 1.0


def test_same_seed_same_frequencies():
    X = np.random.default_rng(0).normal(size=(20, 3))
    first, again, other = (RandomFeatures(9, random_state=seed).fit_transform(X) for seed in (1, 1, 2))
    assert (first == again).all() and not (first == other).all()


def test_bad_input_is_named():
    X = np.ones((5, 2))
    with pytest.raises(ValueError, match="no coupling 'antithetic'"):
        random_frequencies(3, 3, "antithetic")
    with pytest.raises(ValueError, match="must be positive"):
        random_frequencies(0, 3)
    with pytest.raises(ValueError, match="n_features must be at least 1"):
        simplex_directions(0)
    with pytest.raises(ValueError, match=r"same columns; their shapes are \(5, 2\), \(3, 3\)"):
        positive_features(X, np.ones((3, 3)))
    with pytest.raises(ValueError, match="no kernel 'rbf'"):
        positive_features(X, X, "rbf")
    for arguments, message in [
        ({"kernel": "rbf"}, "no kernel 'rbf'"),
        ({"features": "fourier"}, "no features 'fourier'"),
        ({"features": "trigonometric", "kernel": "softmax"}, "kernel='gaussian'"),
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
    ]:
        with pytest.raises(ValueError, match=message):
            RandomFeatures(**arguments).fit(X)
