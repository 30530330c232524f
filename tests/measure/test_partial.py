"""Partial correlation: residuals, shrinkage, singular tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from covey.measure import associate
from covey.measure.partial import definition, partial_correlation

RNG = np.random.default_rng(0)


def chain(n=800, m=6):
    x = RNG.normal(size=(n, m))
    for j in range(1, m):
        x[:, j] += x[:, j - 1]
    return x


def test_equals_the_correlation_of_residuals():
    x = chain()
    result = partial_correlation(x)
    assert result.shrinkage == 0.0
    for i in range(6):
        for j in range(i):
            rest = np.delete(x, [i, j], axis=1)
            assert result.values[i, j] == pytest.approx(definition(x[:, i], x[:, j], rest), abs=1e-10)


def test_a_chain_keeps_only_its_links():
    values = partial_correlation(chain()).values
    links = np.abs(np.diag(values, 1))
    others = np.abs(values[np.triu_indices(6, 2)])
    assert links.min() > 0.4 and others.max() < 0.15


def test_pvalues_use_the_degrees_left_over():
    x = chain(60, 4)
    matrix = associate(x, measure="partial_correlation")
    r = matrix.values[0, 2]
    t = r * np.sqrt((60 - 4) / (1 - r * r))
    assert matrix.pvalues[0, 2] == pytest.approx(2 * stats.t.sf(abs(t), 60 - 4), rel=1e-9)


def test_few_rows_are_shrunk():
    x = RNG.normal(size=(15, 40))
    result = partial_correlation(x)
    assert 0.1 < result.shrinkage <= 1.0 and np.abs(result.values[np.triu_indices(40, 1)]).max() < 0.9


def test_copies_and_constants_do_not_crash():
    x = chain(200, 3)
    doubled = np.column_stack([x, x[:, 0], np.ones(200)])
    values = partial_correlation(doubled).values
    assert np.isnan(values[4]).all() and not np.isnan(values[:4, :4]).any()
    assert (np.abs(values[:4, :4]) <= 1).all()


def test_huge_means_do_not_matter():
    x = chain()
    np.testing.assert_allclose(partial_correlation(x).values, partial_correlation(x + 1e9).values, atol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="two dimensions"):
        partial_correlation(np.zeros(5))
    with pytest.raises(ValueError, match="shrinkage"):
        partial_correlation(np.zeros((5, 2)), shrinkage=2.0)
