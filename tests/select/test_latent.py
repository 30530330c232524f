"""Tokens and the mixture of two factors: the definition, likelihood, symmetry, planted truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.select._latent import latent_relevance, latent_tokens


def tokens_by_definition(x, codes, means, n_tokens):
    out = np.zeros((n_tokens, x.shape[1]))
    for i, j in zip(*np.nonzero(~np.isnan(x))):
        distances = (x[i, j] - means[:, j]) ** 2
        n_classes = np.count_nonzero(~np.isnan(distances))
        share = distances[codes[i]] / np.nansum(distances) if np.nansum(distances) else 1 / n_classes
        out[min(int(share * n_tokens), n_tokens - 1), j] += 1
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(2, 7), st.integers(0, 9999))
def test_tokens_are_those_of_the_definition(n_classes, n_tokens, seed):
    rng = np.random.default_rng(seed)
    x, codes = rng.normal(size=(30, 5)), rng.integers(n_classes, size=30)
    x[rng.random(x.shape) < 0.2] = np.nan
    means = rng.normal(size=(n_classes, 5))
    means[:, 0] = 0.0
    x[::4, 0] = 0.0  # at the mean of every class
    x[codes == 0, 1], means[0, 1] = np.nan, np.nan
    tokens = latent_tokens(x, codes, means, n_tokens)
    np.testing.assert_array_equal(tokens, tokens_by_definition(x, codes, means, n_tokens))
    np.testing.assert_array_equal(tokens.sum(axis=0), (~np.isnan(x)).sum(axis=0))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.integers(1, 30), st.integers(0, 9999))
def test_the_likelihood_never_falls_and_is_that_of_the_mixture(n_tokens, n_features, seed):
    tokens = np.random.default_rng(seed).poisson(4.0, size=(n_tokens, n_features)).astype(float)
    model = latent_relevance(tokens, max_iter=60)
    assert (np.diff(model.log_likelihood) >= -1e-9 * abs(model.log_likelihood[0]) - 1e-9).all()
    assert (model.p_relevant >= 0).all() and (model.p_relevant <= 1).all()
    if tokens.any():
        np.testing.assert_allclose(model.p_token.sum(axis=1), 1.0)
    assert len(latent_relevance(tokens, tolerance=-np.inf, max_iter=7).log_likelihood) == 8
    mixture = model.p_token[0][:, None] * model.p_relevant + model.p_token[1][:, None] * (1 - model.p_relevant)
    last = (tokens * np.log(np.maximum(mixture, 1e-300))).sum()
    assert model.log_likelihood[-1] == pytest.approx(last)


def test_planted_shares_of_two_factors_are_found():
    rng = np.random.default_rng(0)
    p, near, far = rng.random(200), np.array([0.6, 0.3, 0.1, 0.0]), np.array([0.0, 0.1, 0.3, 0.6])
    p[:2] = 0.0, 1.0
    tokens = np.stack([rng.multinomial(2000, a * near + (1 - a) * far) for a in p], axis=1).astype(float)
    model = latent_relevance(tokens)
    np.testing.assert_allclose(model.p_relevant, p, atol=0.05)
    np.testing.assert_allclose(model.swapped().p_relevant, 1 - model.p_relevant)
    np.testing.assert_allclose(latent_relevance(tokens[::-1]).p_relevant, 1 - model.p_relevant, atol=1e-9)


def test_without_the_update_of_tokens_all_would_be_relevant():
    """What the published code does: p(token | factor) stays at its start, and the last token never occurs."""
    rng = np.random.default_rng(0)
    tokens = rng.multinomial(1000, [0.1, 0.8, 0.1, 0.0], size=50).T.astype(float)
    start = np.stack([np.linspace(5000, 1, 4), np.linspace(1, 5000, 4)])
    p = np.full(50, 0.5)
    for _ in range(1000):
        first, second = start[0][:, None] * p, start[1][:, None] * (1 - p)
        p = (tokens * first / (first + second)).sum(axis=0) / tokens.sum(axis=0)
    assert np.ptp(latent_relevance(tokens).p_relevant) > 0.05 > 1e-6 > np.ptp(p)


def test_empty_features_and_one_token_are_no_trouble():
    tokens = np.array([[5.0, 0.0, 3.0], [0.0, 0.0, 3.0]])
    assert np.isfinite(latent_relevance(tokens).p_relevant).all()
    assert latent_relevance(np.full((2, 3), 4.0)).p_relevant == pytest.approx(0.5)
