"""Jaccard, interiority, coincidence: definitions, kernel, known values, invariances, bad input."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance

from covey.engine import LocalEngine
from covey.measure import _measure
from covey.measure._store import ColumnStore
from covey.measure.sets import (
    addition_jaccard,
    coincidence,
    coincidence_matrix,
    density_jaccard,
    interiority,
    jaccard,
    joint_interdependence,
)
from covey.table import Column

DEFINITIONS = {
    "coincidence": coincidence,
    "jaccard": jaccard,
    "interiority": interiority,
    "addition": addition_jaccard,
}

reals = arrays(np.float64, 12, elements=st.floats(-100.0, 100.0).map(lambda v: round(v, 3)))
counts = arrays(np.int64, 12, elements=st.integers(0, 5))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("n", [1, 7, 200, 3000])
def test_binary_data_equal_scipy(rng, n):
    X = rng.random((n, 9)) < rng.random(9)
    expected = 1.0 - distance.squareform(distance.pdist(X.T, "jaccard"))
    np.testing.assert_allclose(coincidence_matrix(X, index="jaccard"), expected, atol=1e-12)
    assert jaccard(X[:, 0], X[:, 1]) == pytest.approx(expected[0, 1], abs=1e-12)
    dice = 1.0 - distance.dice(X[:, 0], np.append(X[1:, 1], True))
    assert addition_jaccard(X[:, 0], np.append(X[1:, 1], True)) == pytest.approx(dice, abs=1e-12)


def test_known_values():
    a, b = {1, 2, 3, 4}, {3, 4, 5}
    assert jaccard(a, b) == pytest.approx(2 / 5)
    assert interiority(a, b) == pytest.approx(2 / 3)
    assert coincidence(a, b) == pytest.approx(4 / 15)
    assert addition_jaccard(a, b) == pytest.approx(4 / 7)
    assert jaccard(a, b, {4, 5, 6}) == pytest.approx(1 / 6)
    assert jaccard(Counter("aab"), Counter("abb")) == pytest.approx(2 / 4)
    assert jaccard([2.0, -1.0, 3.0], [1.0, 4.0, 3.0]) == pytest.approx((1 - 1 + 3) / (2 + 4 + 3))


def test_weights_count_elements_several_times():
    x, y, weights = [1, 0, 1, 1], [1, 1, 0, 1], [3, 2, 0, 1]
    repeated = [np.repeat(v, weights) for v in (x, y)]
    for definition in DEFINITIONS.values():
        assert definition(x, y, weights=weights) == pytest.approx(definition(*repeated))
    assert jaccard({"a", "b"}, {"b"}, weights={"a": 3.0, "b": 1.0}) == pytest.approx(0.25)


def test_empty_sets():
    assert jaccard(set(), set()) == coincidence([0, 0], [0, 0]) == interiority([0, 0], [1, 0]) == 1.0
    assert jaccard([0, 0], [1, 0]) == coincidence([0, 0], [1, 0]) == addition_jaccard([0, 0], [1, 0]) == 0.0
    np.testing.assert_array_equal(coincidence_matrix([[0, 0, 1], [0, 0, 1]]), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


@given(counts, counts)
def test_multisets_stay_in_the_unit_interval_and_coincidence_is_the_strictest(x, y):
    j, i, c = jaccard(x, y), interiority(x, y), coincidence(x, y)
    assert 0.0 <= c <= min(i, j) and max(i, j) <= 1.0
    assert j <= addition_jaccard(x, y) <= 1.0
    assert (j == 1.0) == np.array_equal(x, y)


@given(reals, reals, st.permutations(range(12)), st.floats(0.5, 8.0))
def test_signed_invariances(x, y, order, scale):
    for definition in (jaccard, coincidence, addition_jaccard):
        value = definition(x, y)
        assert -1.0 <= value <= 1.0
        assert definition(y, x) == pytest.approx(value, abs=1e-12)
        assert definition(x[order], y[order]) == pytest.approx(value, abs=1e-12)
        assert definition(scale * x, scale * y) == pytest.approx(value, abs=1e-12)
        if x.any() and y.any():
            assert definition(x, -y) == pytest.approx(-value, abs=1e-12)
            assert definition(x, -x) == pytest.approx(-1.0, abs=1e-12)
    assert abs(coincidence(x, y)) <= abs(jaccard(x, y)) + 1e-12


@settings(deadline=None)
@given(arrays(np.float64, (9, 4), elements=st.sampled_from([np.nan, -2.5, -1.0, 0.0, 0.5, 1.0, 3.0])))
def test_matrix_equals_the_definitions(X):
    X[0] = 1.0, -1.0, 2.0, 0.0  # so that every pair has a common row
    weights = np.linspace(0.5, 2.0, 9)
    for index, definition in DEFINITIONS.items():
        for standardise in (False, True):
            matrix = coincidence_matrix(X, index, standardise, weights)
            for i in range(4):
                for j in range(4):
                    if standardise:
                        value = joint_interdependence(X[:, i], X[:, j], index=definition, weights=weights)
                    else:
                        value = definition(X[:, i], X[:, j], weights=weights)
                    assert matrix[i, j] == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_matrix_is_the_same_for_any_number_of_workers(rng):
    X = rng.normal(size=(300, 110))
    X[rng.random(X.shape) < 0.001] = np.nan
    one = coincidence_matrix(X, standardise=True, engine=LocalEngine(1))
    assert np.array_equal(one, coincidence_matrix(X, standardise=True, engine=LocalEngine(3)))


def test_joint_interdependence_ignores_shift_and_scale_even_far_from_zero(rng):
    x, y = rng.normal(size=(2, 500))
    value = joint_interdependence(x, x + y)
    assert joint_interdependence(1e9 + x, 7.0 - 3.0 * (x + y)) == pytest.approx(-value, abs=1e-6)
    assert np.isnan(joint_interdependence(np.full(500, 0.1), y))
    both = coincidence_matrix(np.column_stack([1e9 + x, x + y]), standardise=True)
    assert both[0, 1] == pytest.approx(value, abs=1e-6)


def test_joint_interdependence_is_stricter_than_pearson(rng):
    x, y = rng.normal(size=(2, 4000))
    moderate = 0.5 * x + np.sqrt(0.75) * y
    assert 0.0 < joint_interdependence(x, moderate) < 0.6 * np.corrcoef(x, moderate)[0, 1]


def test_density_of_boxes_and_fields():
    grid = np.linspace(0.0, 4.0, 4001)
    first, second = (grid <= 2.0).astype(float), ((grid >= 1.0) & (grid <= 4.0)).astype(float)
    assert density_jaccard(first, second, grid) == pytest.approx(1 / 4, abs=1e-3)
    assert density_jaccard(first, second, grid, index=interiority) == pytest.approx(1 / 2, abs=1e-3)
    uneven = np.sort(np.concatenate([grid, np.linspace(0.0, 0.5, 3000)[1:-1]]))
    assert density_jaccard(uneven <= 2.0, uneven >= 1.0, np.unique(uneven)) == pytest.approx(1 / 4, abs=2e-3)
    plane = np.outer(first, first)[::20, ::20], np.outer(second, first)[::20, ::20]
    assert density_jaccard(*plane, grid[::20], grid[::20]) == pytest.approx(1 / 4, abs=0.03)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jaccard([1, 2], [1, 2, 3]), ValueError, "vectors of one length"),
        (lambda: jaccard([[1, 2]], [[1, 2]]), ValueError, "vectors of one length"),
        (lambda: jaccard({1}, [1]), TypeError, "cannot be compared with arrays"),
        (lambda: jaccard([np.nan], [1.0]), ValueError, "no row has all operands present"),
        (lambda: jaccard([], []), ValueError, "no row"),
        (lambda: jaccard([np.inf], [1.0]), ValueError, "infinities"),
        (lambda: jaccard([-1, 1], [1, 1], [1, 1]), ValueError, "three or more"),
        (lambda: jaccard([1, 1], [1, 1], weights=[1, -1]), ValueError, "2 finite non-negative"),
        (lambda: jaccard({1}, {2}, weights=[1.0]), TypeError, "mapping"),
        (lambda: jaccard({1}, {2}, weights={1: 1.0}), ValueError, "no weight for the element 2"),
        (lambda: coincidence_matrix([1.0, 2.0]), ValueError, "must be a matrix"),
        (lambda: coincidence_matrix(np.empty((0, 3))), ValueError, "must be a matrix"),
        (lambda: coincidence_matrix([[1.0, np.inf]]), ValueError, "column 1 holds infinities"),
        (lambda: coincidence_matrix([[1.0]], index="dice"), ValueError, "no index 'dice'"),
        (lambda: density_jaccard([1, 2], [1, 2], [0.0, 0.0]), ValueError, "increasing"),
        (lambda: density_jaccard([1, 2], [1, 2], [0.0, 1.0, 2.0]), ValueError, "one grid"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def statistics(X, pvalues=True, workers=2):
    store = ColumnStore([Column(f"x{j}", "numeric", column) for j, column in enumerate(X.T)])
    left, right = np.triu_indices(X.shape[1], 1)
    measure = _measure.get("coincidence")
    return measure, left, right, measure.kernel(store, left, right, LocalEngine(workers), pvalues)


def test_the_registered_kernel_equals_its_definition(rng):
    X = rng.normal(size=(80, 5))
    X[:, 1] += X[:, 0]
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 4] = 2.0
    measure, left, right, found = statistics(X)
    for i, j, value, n in zip(left, right, found.values, found.n):
        assert n == np.count_nonzero(~np.isnan(X[:, i]) & ~np.isnan(X[:, j]))
        assert value == pytest.approx(measure.definition(X[:, i], X[:, j]), abs=1e-12, nan_ok=True)
    undefined = (left == 4) | (right == 4)
    assert np.array_equal(np.isnan(found.values), undefined)
    assert np.array_equal(np.isnan(found.pvalues), undefined)
    assert found.pvalues[0] == 1 / 200
    assert np.array_equal(found.pvalues, statistics(X, workers=1)[3].pvalues, equal_nan=True)
    assert statistics(X, pvalues=False)[3].pvalues is None


def test_pvalues_are_uniform_under_independence(rng):
    X = rng.exponential(size=(60, 24))
    pvalues = statistics(X)[3].pvalues
    assert 0.02 <= np.mean(pvalues <= 0.05) <= 0.09
    assert 0.4 <= pvalues.mean() <= 0.6
