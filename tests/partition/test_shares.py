"""Shares of importance: the Dirichlet draws, the moment estimate of alpha, and features dealt out to match."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.partition._shares import (
    deal_at_random,
    deal_to_match,
    dirichlet,
    moment_alpha,
    share_variance,
    shares_of_alpha,
)


@pytest.mark.parametrize("concentration", [[0.5, 0.5, 0.5], [1.0, 4.0, 2.0]])
def test_broken_stick_is_the_dirichlet_distribution(concentration):
    generator = np.random.default_rng(0)
    draws = np.array([dirichlet(np.array(concentration), generator) for _ in range(2000)])
    for k, own in enumerate(concentration):
        marginal = stats.beta(own, sum(concentration) - own)
        assert stats.kstest(draws[:, k], marginal.cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [1e-300, 1e-100, 1e-6, 1.0, 1e12])
def test_shares_are_defined_at_any_concentration(alpha):
    generator = np.random.default_rng(0)
    winners = []
    for _ in range(200):
        shares = dirichlet(np.full(4, alpha), generator)
        assert shares.sum() == pytest.approx(1.0)
        assert (shares >= 0.0).all()
        winners.append(int(shares.argmax()))
    assert np.bincount(winners, minlength=4).min() > 20


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e4), st.integers(2, 10), st.integers(0, 1000))
def test_drawn_shares_have_the_wanted_alpha(alpha, n_parties, seed):
    shares = shares_of_alpha(alpha, n_parties, np.random.default_rng(seed))
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0.0).all()
    assert np.var(shares) == pytest.approx(share_variance(alpha, n_parties))
    assert moment_alpha(shares) == pytest.approx(alpha, rel=1e-3)


def test_moment_alpha_at_its_ends():
    assert moment_alpha([0.25] * 4) == np.inf
    assert moment_alpha([1.0, 0.0, 0.0]) == 0.0
    assert np.isnan(moment_alpha([1.0]))


def test_moment_alpha_is_the_moment_of_the_distribution():
    draws = np.random.default_rng(0).dirichlet([2.0] * 5, size=20_000)
    assert (4 - 25 * draws.var(axis=1).mean()) / (125 * draws.var(axis=1).mean()) == pytest.approx(2.0, rel=0.03)


def test_dealing_at_random_follows_the_shares():
    labels = deal_at_random(20_000, np.array([0.1, 0.6, 0.3]), True, np.random.default_rng(0))
    assert np.bincount(labels) / 20_000 == pytest.approx([0.1, 0.6, 0.3], abs=0.02)


@pytest.mark.parametrize("deal", [deal_at_random, lambda m, *rest: deal_to_match(np.full(m, 1 / m), *rest)])
def test_no_party_is_empty_unless_allowed(deal):
    shares = np.array([1.0, 0.0, 0.0, 0.0])
    for seed in range(10):
        held = np.bincount(deal(9, shares, False, np.random.default_rng(seed)), minlength=4)
        assert sorted(held) == [1, 1, 1, 6]
    assert np.bincount(deal(9, shares, True, np.random.default_rng(0)), minlength=4).tolist() == [9, 0, 0, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_no_move_or_exchange_brings_matched_features_nearer(n_parties, seed):
    rng = np.random.default_rng(seed)
    importance = rng.dirichlet(np.full(12, 0.7))
    shares = rng.dirichlet(np.ones(n_parties))
    labels = deal_to_match(importance, shares, False, rng)

    def distance(labels: np.ndarray) -> float:
        return float(((np.bincount(labels, importance, minlength=n_parties) - shares) ** 2).sum())

    for s in range(12):
        for k in range(n_parties):
            moved = labels.copy()
            moved[s] = k
            if np.bincount(moved, minlength=n_parties).min() > 0:
                assert distance(moved) >= distance(labels) - 1e-12
        for t in range(s):
            swapped = labels.copy()
            swapped[[s, t]] = swapped[[t, s]]
            assert distance(swapped) >= distance(labels) - 1e-12


def test_many_features_match_closely():
    rng = np.random.default_rng(0)
    importance, shares = rng.dirichlet(np.ones(300)), np.array([0.55, 0.3, 0.1, 0.05])
    held = np.bincount(deal_to_match(importance, shares, False, rng), importance)
    assert held == pytest.approx(shares, abs=1e-4)


def test_features_of_no_importance_go_by_chance():
    importance = np.append(np.full(4, 0.25), np.zeros(400))
    labels = deal_to_match(importance, np.array([0.75, 0.25]), False, np.random.default_rng(0))
    assert np.bincount(labels[:4]).tolist() == [3, 1]
    assert 0.65 < np.mean(labels[4:] == 0) < 0.85
