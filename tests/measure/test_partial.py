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


def test_a_dependent_column_is_nan_when_shrinkage_is_refused():
    x = chain(200, 4)
    values = partial_correlation(np.column_stack([x, x[:, 0]]), shrinkage=0.0).values
    assert np.isnan(values[[0, 4]]).all() and np.isnan(values[:, [0, 4]]).all()
    inner = partial_correlation(x, shrinkage=0.0).values[1:, 1:]
    np.testing.assert_allclose(values[1:4, 1:4], inner, atol=1e-8)


@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
@pytest.mark.parametrize("seed", range(20))
def test_gaps_may_leave_the_matrix_indefinite(seed, shrinkage):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 4))
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    x[:, 2] = -x[:, 1]
    result = partial_correlation(np.where(rng.random(x.shape) < 0.6, np.nan, x), shrinkage)
    assert not (np.abs(result.values) > 1.0).any()
    assert shrinkage == 0.0 or not np.isnan(result.values).any()


def test_columns_without_common_rows_have_no_value_and_spoil_no_other():
    x = chain(400, 4)
    x[:200, 0] = np.nan
    x[200:, 1] = np.nan
    values = partial_correlation(x).values
    assert np.isnan(values[0, 1]) and np.isnan(values[1, 0])
    assert np.isfinite(np.delete(values.ravel(), [1, 4])).all()


def test_shrinkage_pulls_towards_zero_and_is_recorded():
    x = chain()
    results = [partial_correlation(x, w) for w in (0.0, 0.3, 1.0)]
    assert [r.shrinkage for r in results] == [0.0, 0.3, 1.0]
    sizes = [np.abs(r.values[0, 1]) for r in results]
    assert sizes[0] > sizes[1] > sizes[2] == 0.0


def test_sign_and_scale_of_a_column():
    x = chain()
    factors = np.array([1.0, -2.0, 1e6, 1.0, -1e-6, 1.0])
    expected = partial_correlation(x).values * np.sign(np.outer(factors, factors))
    np.testing.assert_allclose(partial_correlation(x * factors + 3).values, expected, atol=1e-9)


def test_no_pvalue_without_degrees_of_freedom():
    matrix = associate(np.random.default_rng(0).normal(size=(10, 12)), measure="partial_correlation")
    assert np.isfinite(matrix.values).all() and np.isnan(matrix.pvalues).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_rows_do_not_crash(n):
    values = associate(np.random.default_rng(0).normal(size=(n, 3)), measure="partial_correlation").values
    assert np.isnan(values).all() if n == 1 else (np.abs(values) <= 1.0).all()


def test_kinds_and_degenerate_columns():
    x = chain(100, 2)
    table = {"a": x[:, 0], "b": x[:, 1], "flag": x[:, 1] > 0, "one": [1.0] * 100, "word": ["u", "v"] * 50}
    matrix = associate(table, measure="partial_correlation")
    assert "constant" in matrix.reason("a", "one") and "kinds" in matrix.reason("a", "word")
    given = (x[:, 1] > 0).astype(float)[:, None]
    assert matrix["a", "b"] == pytest.approx(definition(x[:, 0], x[:, 1], given), abs=1e-10)


def test_huge_means_do_not_matter():
    x = chain()
    np.testing.assert_allclose(partial_correlation(x).values, partial_correlation(x + 1e9).values, atol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="two dimensions"):
        partial_correlation(np.zeros(5))
    with pytest.raises(ValueError, match="shrinkage"):
        partial_correlation(np.zeros((5, 2)), shrinkage=2.0)
    with pytest.raises(ValueError, match="at least one row"):
        partial_correlation(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="column 1 of X holds infinity"):
        partial_correlation([[0.0, np.inf], [1.0, 2.0]])
