"""Compositions: transforms, partial correlation against its alr definition, invariances, tests, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure.composition import (
    alr,
    closure,
    clr,
    compositional_associations,
    compositional_partial_correlation,
    compositional_partial_variance,
    find_compositions,
    least_shares,
    multiplicative_replacement,
    proportionality,
)
from covey.table import Column, FeatureTable


def amounts(seed=0, n=60, n_parts=6):
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(size=(n, n_parts)) @ rng.normal(size=(n_parts, n_parts)))


def partial_correlation_by_regression(X, i, j, reference):
    """Correlation of the residuals of two log-ratios, each regressed on all other log-ratios."""
    logs = np.log(X)
    ratios = {k: logs[:, k] - logs[:, reference] for k in range(X.shape[1]) if k != reference}
    given = np.column_stack([np.ones(len(X)), *(r for k, r in ratios.items() if k not in (i, j))])
    residuals = [ratios[k] - given @ np.linalg.lstsq(given, ratios[k])[0] for k in (i, j)]
    return np.corrcoef(*residuals)[0, 1]


def test_transforms():
    X = np.array([[1.0, 2.0, 1.0], [5.0, 5.0, 10.0]])
    np.testing.assert_allclose(closure(X), [[0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    np.testing.assert_allclose(clr(X).sum(axis=1), 0.0, atol=1e-15)
    np.testing.assert_allclose(alr(X, 1)[0], np.log([0.5, 0.5]))
    np.testing.assert_allclose(clr(X)[:, 0] - clr(X)[:, 2], alr(X)[:, 0])


def test_multiplicative_replacement_known_values():
    X = [[0.2, 0.4, 0.4, 0.0], [0.0, 0.5, 0.5, 0.0]]
    expected = [[0.1875, 0.375, 0.375, 0.0625], [0.0625, 0.4375, 0.4375, 0.0625]]
    np.testing.assert_allclose(multiplicative_replacement(X), expected)
    np.testing.assert_allclose(multiplicative_replacement(X, delta=0.01).sum(axis=1), 1.0)


def test_transforms_equal_scikit_bio():
    skbio = pytest.importorskip("skbio.stats.composition")
    X = amounts()
    np.testing.assert_allclose(clr(X), skbio.clr(X), atol=1e-12)
    np.testing.assert_allclose(alr(X, 2), skbio.alr(X, 2), atol=1e-12)


@pytest.mark.parametrize(("i", "j"), [(0, 1), (2, 5), (3, 4)])
def test_equals_the_correlation_of_residuals_for_every_reference(i, j):
    X = amounts()
    value = compositional_partial_correlation(X)[i, j]
    for reference in set(range(6)) - {i, j}:
        assert partial_correlation_by_regression(X, i, j, reference) == pytest.approx(value, abs=1e-10)


def test_equals_the_pseudo_inverse_of_the_clr_covariance():
    X = amounts(1)
    inverse = np.linalg.pinv(np.cov(clr(X), rowvar=False), rcond=1e-10)
    scale = np.sqrt(np.diagonal(inverse))
    expected = -inverse / np.outer(scale, scale)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(compositional_partial_correlation(X), expected, atol=1e-9)
    np.testing.assert_allclose(compositional_partial_variance(X), 1.0 / np.diagonal(inverse), rtol=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.permutations(range(5)), st.sampled_from([None, "ledoit_wolf"]))
def test_scale_and_order_do_not_matter(seed, order, shrinkage):
    X = amounts(seed % 97, n_parts=5)
    scale = np.random.default_rng(seed).uniform(0.1, 100.0, size=(len(X), 1))
    values = compositional_partial_correlation(X, shrinkage)
    permuted = compositional_partial_correlation((X * scale)[:, order], shrinkage)
    np.testing.assert_allclose(permuted, values[np.ix_(order, order)], atol=1e-9)
    assert np.abs(values).max() <= 1.0 and np.array_equal(values, values.T)


def test_independent_parts_are_tied_by_closure():
    X = np.exp(np.random.default_rng(3).normal(size=(50_000, 5)))
    values = compositional_partial_correlation(X)[np.triu_indices(5, 1)]
    np.testing.assert_allclose(values, 1 / 4, atol=0.03)
    np.testing.assert_allclose(compositional_partial_variance(X), 1 / (1 - 1 / 5), rtol=0.05)


def test_shrinkage_serves_fewer_rows_than_parts():
    X = amounts(2, n=12, n_parts=20)
    with pytest.raises(ValueError, match="20 parts need as many complete rows, got 12"):
        compositional_partial_correlation(X)
    values = compositional_partial_correlation(X, "ledoit_wolf")
    assert np.isfinite(values).all()
    many = amounts(2, n=20_000, n_parts=6)
    np.testing.assert_allclose(
        compositional_partial_correlation(many, "ledoit_wolf"),
        compositional_partial_correlation(many),
        atol=0.1,
    )


def test_zeros_are_replaced_with_a_warning():
    X = np.random.default_rng(4).poisson(3.0, size=(200, 4)).astype(float)
    X[X.sum(axis=1) == 0] = 1.0
    with pytest.warns(UserWarning, match=r"zeros replaced \(multiplicative\)"):
        values = compositional_partial_correlation(X)
    replaced = multiplicative_replacement(X, least_shares(X))
    np.testing.assert_allclose(values, compositional_partial_correlation(replaced))
    with pytest.warns(UserWarning, match="pseudocount"):
        values = compositional_partial_correlation(X, zeros="pseudocount")
    np.testing.assert_allclose(values, compositional_partial_correlation(X + 0.5))
    with pytest.raises(ValueError, match="holds zeros"):
        compositional_partial_correlation(X, zeros="error")


def test_rows_with_a_missing_part_are_left_out():
    X = amounts()
    expected = compositional_partial_correlation(X[1:])
    X[0, 2] = np.nan
    np.testing.assert_array_equal(compositional_partial_correlation(X), expected)


def test_associations_are_labelled_and_tested():
    X = amounts(5, n=50, n_parts=4)
    names = ["sand", "silt", "clay", "rock"]
    table = FeatureTable.from_columns([Column(name, "numeric", x) for name, x in zip(names, X.T)])
    matrix = compositional_associations(table)
    assert matrix.rows == tuple(names)
    assert matrix["sand", "rock"] == compositional_partial_correlation(X)[0, 3]
    assert matrix.info["partial_variance"]["clay"] == pytest.approx(compositional_partial_variance(X)[2])
    assert np.isnan(np.diagonal(matrix.pvalues)).all()
    r = matrix["sand", "silt"]
    t = abs(r) * np.sqrt(47 / (1 - r * r))
    from scipy.stats import t as student

    assert matrix.pvalues[0, 1] == pytest.approx(2 * student.sf(t, 47))
    assert compositional_associations(table, shrinkage="ledoit_wolf").pvalues is None
    assert 0.0 < compositional_associations(table, shrinkage="ledoit_wolf").info["shrinkage"] < 1.0


def twins():
    X = amounts()
    X[:, 1] = 3 * X[:, 0]
    return X


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: closure([1.0, 2.0]), "must be a matrix"),
        (lambda: closure([[1.0, -2.0]]), "part 1 of row 0 is -2.0"),
        (lambda: closure([[1.0, 1.0], [0.0, 0.0]]), "row 1 is all zero"),
        (lambda: clr([[1.0, 0.0]]), "part 1 holds zeros"),
        (lambda: clr([[1.0, np.inf]]), "part 1 of row 0 is inf"),
        (lambda: alr([[1.0, 2.0]], reference=2), "not one of 2 parts"),
        (lambda: multiplicative_replacement([[1.0, 0.0]], delta=0.5), "delta must lie between"),
        (lambda: multiplicative_replacement([[1.0, 0.0]], delta=[0.1, 0.1, 0.1]), "each of 2 parts"),
        (lambda: least_shares([[1.0, 0.0], [2.0, 0.0]]), "part 1 is zero in every row"),
        (lambda: compositional_partial_correlation(amounts()[:, :2]), "at least three parts"),
        (lambda: compositional_partial_correlation(amounts(), "lasso"), "shrinkage must be"),
        (lambda: compositional_partial_correlation(amounts(), zeros="drop"), "zeros must be one of"),
        (lambda: compositional_partial_correlation(twins()), "linearly dependent"),
        (lambda: compositional_partial_correlation(np.full((9, 3), np.nan)), "must be a matrix"),
        (
            lambda: compositional_partial_variance(amounts() * [1, 1, 0, 1, 1, 1]),
            "part 2 is zero in every row",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*zeros replaced")
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_column_of_categories_is_no_part():
    columns = [Column(f"x{j}", "numeric", x) for j, x in enumerate(amounts().T)]
    team = Column("team", "categorical", np.zeros(60, dtype=np.int32), ("red",))
    with pytest.raises(ValueError, match="column 'team' is categorical"):
        compositional_associations(FeatureTable.from_columns([*columns, team]))


def test_proportionality_is_one_minus_the_share_of_log_ratio_variance():
    X = amounts(3)
    logs, rho = clr(X), proportionality(X)
    for i, j in [(0, 1), (2, 5), (3, 4)]:
        ratio = np.log(X[:, i] / X[:, j])
        total = logs[:, i].var() + logs[:, j].var()
        assert rho[i, j] == pytest.approx(1.0 - ratio.var() / total)
    np.testing.assert_allclose(np.diagonal(rho), 1.0)


def test_proportionality_does_not_see_the_scale_of_rows_or_parts():
    X, rng = amounts(4), np.random.default_rng(0)
    moved = X * rng.uniform(0.1, 10, (len(X), 1)) * rng.uniform(0.1, 10, X.shape[1])
    np.testing.assert_allclose(proportionality(moved), proportionality(X), atol=1e-10)


def test_proportionality_of_parts_in_constant_ratio_and_of_bad_input():
    X = amounts(5)
    X[:, 1] = 7 * X[:, 0]
    assert proportionality(X)[0, 1] == pytest.approx(1.0)
    assert np.isnan(proportionality(np.full((5, 3), 2.0))).all()
    with pytest.raises(ValueError, match="two complete rows"):
        proportionality(X[:1])
    with pytest.raises(ValueError, match="three parts"):
        proportionality(X[:, :2])


def scattered(seed=0, n=400, decimals=None):
    """Two compositions, apart and among other columns; the sets of their names."""
    rng = np.random.default_rng(seed)
    first, second = rng.dirichlet([5, 3, 2, 0.5], n), 100 * rng.dirichlet(np.ones(9), n)
    if decimals is not None:
        first, second = first.round(decimals + 2), second.round(decimals)
    X = np.column_stack([first[:, :2], rng.lognormal(size=(n, 3)) * 1e5, first[:, 2:], second])
    return X, (("x0", "x1", "x5", "x6"), tuple(f"x{k}" for k in range(7, 16)))


@pytest.mark.parametrize("decimals", [None, 0, 1])
def test_compositions_are_found_apart_and_rounded(decimals):
    X, expected = scattered(decimals=decimals)
    assert find_compositions(X) == expected


def test_a_small_part_is_not_lost():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet([40, 30, 20, 0.01], 400)
    assert find_compositions(np.c_[shares, rng.random((400, 2))]) == (("x0", "x1", "x2", "x3"),)


def test_rows_with_missing_parts_are_left_out():
    X, expected = scattered()
    X[::7, 1] = np.nan
    assert find_compositions(X) == expected


@pytest.mark.parametrize(
    "X",
    [
        np.eye(4)[np.random.default_rng(0).integers(0, 4, 300)],
        np.c_[(x := np.random.default_rng(1).random((300, 1))), 1 - x],
        np.c_[(x := np.random.default_rng(2).random((300, 2))), x.sum(axis=1)],
        1000 + np.random.default_rng(3).random((300, 5)),
        np.random.default_rng(4).dirichlet(np.ones(3), 300) - 0.2,
        np.random.default_rng(5).dirichlet(np.ones(5), 9),
        np.random.default_rng(6).dirichlet(np.ones(4), 300) * np.random.default_rng(7).random((300, 1)),
        np.ones((300, 4)),
    ],
    ids=[
        "indicators",
        "complement",
        "with its total",
        "nearly constant",
        "negative",
        "few rows",
        "amounts",
        "constant",
    ],
)
def test_what_is_no_composition(X):
    assert find_compositions(X) == ()


def test_a_column_that_is_constant_where_all_parts_are_present_is_no_part():
    rng = np.random.default_rng(8)
    first, second = rng.integers(1, 40, size=(2, 300)).astype(float)
    X = np.column_stack([first, second, 100 - first - second, np.full(300, 3.0)])
    X[5, 0], X[5, 3] = np.nan, 7.0
    assert find_compositions(X) == (("x0", "x1", "x2"),)


def test_a_date_is_no_part():
    columns = [Column(f"x{j}", "numeric", x) for j, x in enumerate(amounts().T)]
    with pytest.raises(ValueError, match="column 'day' is datetime"):
        compositional_associations(FeatureTable.from_columns([*columns, Column("day", "datetime", np.arange(60.0))]))


def test_zeros_below_a_detection_limit_hardly_change_a_correlation():
    rng = np.random.default_rng(0)
    logs = 0.7 * rng.normal(size=(1000, 4))
    logs[:, 3] += 0.9 * logs[:, 0] - 4.0
    X = closure(np.exp(logs))
    limit = np.quantile(X[:, 3], 0.05)
    seen = np.where(limit <= X, X, 0.0)
    with pytest.warns(UserWarning, match="zeros replaced"):
        partial, share = compositional_partial_correlation(seen), proportionality(seen)
    np.testing.assert_allclose(partial, compositional_partial_correlation(X), atol=0.05)
    np.testing.assert_allclose(share, proportionality(X), atol=0.05)


def test_each_part_may_have_its_own_replacement():
    replaced = multiplicative_replacement([[6.0, 2.0, 2.0, 0.0], [0.0, 1.0, 1.0, 0.0]], [0.1, 0.2, 0.2, 0.05])
    np.testing.assert_allclose(replaced, [[0.57, 0.19, 0.19, 0.05], [0.1, 0.425, 0.425, 0.05]])
