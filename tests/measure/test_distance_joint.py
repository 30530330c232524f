"""Distance correlation of sets: the definition, the exact pair algorithm, the package dcor, workers, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from covey.measure.distance_exact import distance_correlation_exact, u_distance_correlation_sqr
from covey.measure.distance_joint import (
    BLOCK,
    joint_distance_correlations,
    multivariate_distance_correlation,
    squared_distances,
)


def by_definition(x, y, corrected):
    """Centred distance matrices of two blocks, straight from the formulas."""
    n = len(x)
    out = []
    for block in (x, y):
        d = cdist(block, block)
        if corrected:
            rows = d.sum(axis=0) / (n - 2)
            d = d - rows[:, None] - rows + d.sum() / ((n - 1) * (n - 2))
            np.fill_diagonal(d, 0.0)
        else:
            d = d - d.mean(axis=0) - d.mean(axis=1)[:, None] + d.mean()
        out.append(d)
    a, b = out
    ratio = np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
    return ratio if corrected else np.sqrt(ratio)


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 40), st.integers(1, 5), st.integers(1, 3), st.integers(0, 999), st.booleans())
def test_values_are_those_of_the_definition(n, p, q, seed, corrected):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, p)), rng.normal(size=(n, q))
    found = multivariate_distance_correlation(x, y, corrected)
    assert found == pytest.approx(by_definition(x, y, corrected), abs=1e-10)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("n_columns", [1, BLOCK, BLOCK + 3])
def test_candidates_joined_to_a_set(corrected, n_columns):
    rng = np.random.default_rng(0)
    chosen, columns, y = rng.normal(size=(60, 2)), rng.normal(size=(n_columns, 60)), rng.normal(size=(60, 1))
    target = cdist(y, y)
    found = joint_distance_correlations(columns, squared_distances(chosen), target, corrected)
    expected = [by_definition(np.column_stack([chosen, column]), y, corrected) for column in columns]
    np.testing.assert_allclose(found, expected, atol=1e-10)
    again = joint_distance_correlations(columns, squared_distances(chosen), target, corrected, "local:2")
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("ties", [False, True])
def test_one_column_equals_the_exact_pair_algorithm(ties):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 300))
    y = np.abs(x) + y
    if ties:
        x, y = x.round(), y.round()
    assert multivariate_distance_correlation(x, y) == pytest.approx(distance_correlation_exact(x, y), abs=1e-12)
    found = multivariate_distance_correlation(x, y, corrected=True)
    assert found == pytest.approx(u_distance_correlation_sqr(x, y), abs=1e-12)


@pytest.mark.parametrize(("p", "q"), [(1, 1), (4, 1), (3, 2)])
def test_values_equal_dcor(p, q):
    dcor = pytest.importorskip("dcor")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(150, p))
    y = x[:, :1] ** 2 + rng.normal(size=(150, q))
    assert multivariate_distance_correlation(x, y) == pytest.approx(dcor.distance_correlation(x, y), abs=1e-10)
    found = multivariate_distance_correlation(x, y, corrected=True)
    assert found == pytest.approx(dcor.u_distance_correlation_sqr(x, y), abs=1e-10)


def test_categories_are_at_distance_one():
    codes = np.array([0, 1, 2] * 20)
    indicators = np.eye(3)[codes] / np.sqrt(2)
    x = np.random.default_rng(0).normal(size=60) + codes
    assert multivariate_distance_correlation(x, codes) == pytest.approx(
        multivariate_distance_correlation(x, indicators), abs=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_rotations_shifts_and_scales_change_nothing(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    turned = 7.0 * x @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 1e6
    assert multivariate_distance_correlation(turned, y) == pytest.approx(
        multivariate_distance_correlation(x, y), abs=1e-8
    )


def test_undefined_is_nan():
    x = np.random.default_rng(0).normal(size=20)
    assert np.isnan(multivariate_distance_correlation(np.full(20, 3.0), x))
    assert np.isnan(multivariate_distance_correlation(x, np.zeros((20, 2)), corrected=True))
    assert np.isnan(multivariate_distance_correlation(x[:3], x[:3], corrected=True))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((4, 1)), "the same rows"),
        (np.array([1.0, np.nan, 2.0, 3.0, 1.0]), "x holds missing"),
        (np.array([1.0, np.inf, 2.0, 3.0, 1.0]), "x holds missing or infinite"),
        (np.zeros((5, 0)), "rows and columns"),
        (np.zeros((5, 2, 2)), "rows and columns"),
    ],
)
def test_bad_input_is_refused(x, words):
    with pytest.raises(ValueError, match=words):
        multivariate_distance_correlation(x, np.arange(5.0))


@pytest.mark.parametrize("unit", [1e200, 1e-200, 1e9])
def test_units_and_large_means_do_not_matter(unit):
    x = np.random.default_rng(3).normal(size=(80, 2))
    y = x[:, 0] * x[:, 1]
    expected = multivariate_distance_correlation(x, y)
    assert multivariate_distance_correlation(unit * x, y) == pytest.approx(expected, abs=1e-12)
    assert multivariate_distance_correlation(x + 1e9, y - 1e9) == pytest.approx(expected, abs=1e-6)


def test_words_are_told():
    with pytest.raises(ValueError, match="y holds words; give whole numbers"):
        multivariate_distance_correlation([1.0, 2.0, 3.0], ["a", "b", "a"])


def test_is_public():
    from covey import measure

    assert measure.multivariate_distance_correlation is multivariate_distance_correlation
