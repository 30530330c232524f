"""Feature density: counting, rarefaction against its definition and against draws, growth of the corpus, bad input."""

from math import comb

import numpy as np
import pytest
from scipy import sparse, stats

from covey.measure.text import density_performance_correlation, feature_density


def test_counts_types_and_occurrences():
    counts = np.array([[3, 0, 1, 0], [0, 2, 0, 0]])
    assert feature_density(counts) == 0.5
    assert feature_density(sparse.csr_matrix(counts)) == 0.5
    assert feature_density(counts.sum(axis=0)) == 0.5
    assert np.isnan(feature_density(np.zeros((2, 3))))


@pytest.mark.parametrize("size", [1, 2, 5, 9, 10])
def test_rarefaction_by_definition(size):
    totals = np.array([5, 3, 1, 1])
    expected = sum(1 - comb(10 - t, size) / comb(10, size) for t in totals.tolist()) / size
    assert feature_density(totals, size) == pytest.approx(expected, abs=1e-12)


def test_rarefaction_is_the_mean_of_draws():
    rng = np.random.default_rng(0)
    totals = rng.integers(1, 9, size=30)
    pool = np.repeat(np.arange(30), totals)
    draws = [len(set(rng.choice(pool, 40, replace=False))) / 40 for _ in range(2000)]
    assert feature_density(totals, 40) == pytest.approx(np.mean(draws), abs=0.005)


def test_density_at_a_size_does_not_depend_on_the_corpus():
    rng = np.random.default_rng(1)
    shares = 1.0 / np.arange(1, 5001)
    whole = rng.multinomial(1, shares / shares.sum(), size=20000)
    half = whole[:10000]
    assert feature_density(half) > 1.15 * feature_density(whole)
    assert feature_density(half, 5000) == pytest.approx(feature_density(whole, 5000), rel=0.03)


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([[1, -1]], None, "negative"),
        ([[0.5]], None, "whole"),
        ([[1, 2]], 4, "3 occurrences"),
        ([[1, 2]], 0, "size"),
        (sparse.csr_matrix([[1.0, -2.0]]), None, "negative"),
    ],
)
def test_bad_input(counts, size, message):
    with pytest.raises(ValueError, match=message):
        feature_density(counts, size)


def test_density_against_performance_equals_scipy_and_knows_its_chance():
    rng = np.random.default_rng(2)
    density = rng.random(15)
    scores = np.column_stack([density + 0.1 * rng.random(15), rng.random(15), np.ones(15)])
    r, p = density_performance_correlation(density, scores)
    for j in range(2):
        assert r[j] == pytest.approx(stats.spearmanr(density, scores[:, j]).statistic)
        assert p[j] == pytest.approx(stats.spearmanr(density, scores[:, j]).pvalue, abs=0.06)
    assert p[0] == 0.001
    assert np.isnan([r[2], p[2]]).all()
    for bad in (np.ones(15), np.ones((14, 1)), np.full((15, 1), np.nan)):
        with pytest.raises(ValueError, match="performance"):
            density_performance_correlation(density, bad)
