"""Concordance correlation: the definition, missing values, bounds, bad input."""

import numpy as np
import pytest

from covey.measure.concordance import concordance_correlation


def by_definition(x, y):
    r = np.corrcoef(x, y)[0, 1]
    return 2 * r * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_equals_the_closed_form_with_missing_values_and_a_large_mean():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40, 3)) + 1e9
    y += x - 1e9
    x[rng.random(x.shape) < 0.1] = np.nan
    found = concordance_correlation(x, y)
    for j in range(3):
        there = ~np.isnan(x[:, j])
        assert found[j] == pytest.approx(by_definition(x[there, j] - 1e9, y[there, j] - 1e9), abs=1e-6)


def test_only_equal_columns_have_one():
    x = np.random.default_rng(1).normal(size=30)
    assert concordance_correlation(x, x) == pytest.approx(1.0)
    assert concordance_correlation(x, -x) < -0.9
    assert concordance_correlation(x, 2 * x) < 0.9
    assert concordance_correlation(x, x + 3) < 0.5


def test_undefined_is_nan_and_shapes_must_agree():
    assert np.isnan(concordance_correlation([1.0, 1.0], [1.0, 1.0]))
    assert concordance_correlation([1.0, 1.0], [2.0, 2.0]) == 0.0
    assert np.isnan(concordance_correlation([1.0, np.nan], [1.0, 2.0]))
    with pytest.raises(ValueError, match="shape"):
        concordance_correlation([1.0, 2.0], [1.0])
