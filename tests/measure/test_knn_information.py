"""Nearest-neighbour mutual information against known values and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from covey.measure import associate
from covey.measure.knn_information import knn_mutual_information


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_gaussian_pairs_have_their_known_information(rho):
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=3000)
    assert knn_mutual_information(x, y) == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.06)


def test_two_numbers_as_scikit_learn():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 500))
    y = y + x**2
    expected = mutual_info_regression(x[:, None], y, random_state=0)[0]
    assert knn_mutual_information(x, y) == pytest.approx(expected, abs=0.02)


def test_a_number_and_categories_as_scikit_learn():
    rng = np.random.default_rng(2)
    g = rng.integers(0, 4, 600)
    x = g + rng.normal(size=600)
    expected = mutual_info_classif(x[:, None], g, random_state=0)[0]
    assert knn_mutual_information(x, g) == pytest.approx(expected, abs=0.02)
    assert knn_mutual_information(g, x) == knn_mutual_information(x, g)


def test_matrix_over_kinds_with_permutation_pvalues():
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    table = {"x": x, "y": np.sin(3 * x) + 0.2 * rng.normal(size=200), "g": np.where(x > 0, "a", "b").tolist()}
    table["noise"] = rng.normal(size=200)
    matrix = associate(table, measure="knn_mutual_information")
    assert matrix["x", "y"] > 0.4 and matrix["x", "g"] > 0.4
    assert matrix.pvalues[0, 1] == 0.05 and matrix.pvalues[0, 3] > 0.05
    assert matrix.reason("g", "g") != ""


def test_symmetric_even_under_ties():
    rng = np.random.default_rng(4)
    x, y = np.round(2 * rng.normal(size=(2, 400)))
    y += x
    assert knn_mutual_information(x, y) == knn_mutual_information(y, x) > 0.2


def test_shift_and_scale_do_not_matter():
    x, y = np.random.default_rng(5).normal(size=(2, 500))
    y += x
    value = knn_mutual_information(x, y)
    assert knn_mutual_information(1e9 + 4 * x, -y / 4) == pytest.approx(value, abs=1e-3)


def test_workers_do_not_matter_and_missing_rows_are_left_out():
    x = np.random.default_rng(6).normal(size=(150, 4))
    x[:, 1] += x[:, 0]
    x[::7, 0] = np.nan
    one, two = (associate(x, measure="knn_mutual_information", engine=f"local:{k}") for k in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.pvalues, two.pvalues)
    kept = ~np.isnan(x[:, 0])
    assert one.values[0, 1] == knn_mutual_information(x[kept, 0], x[kept, 1])
    assert one.n[0, 1] == kept.sum()


def test_rare_categories_and_degenerate_columns():
    x = np.random.default_rng(7).normal(size=60)
    codes = np.repeat([0, 1, 2], [30, 29, 1])  # a category of one row has no neighbour
    kept = codes < 2
    assert knn_mutual_information(x, codes) == pytest.approx(knn_mutual_information(x[kept], codes[kept]), abs=0.05)
    assert np.isnan(knn_mutual_information(x, np.arange(60)))
    matrix = associate({"x": x, "none": [None] * 60, "one": [1.0] * 60}, measure="knn_mutual_information")
    assert "constant" in matrix.reason("x", "one") and matrix.reason("x", "none") != ""


def test_bad_and_thin_input():
    assert np.isnan(knn_mutual_information(np.ones(50), np.arange(50.0)))
    assert np.isnan(knn_mutual_information(np.arange(3.0), np.arange(3.0)))
    with pytest.raises(ValueError, match="must hold numbers"):
        knn_mutual_information(np.arange(9), np.arange(9))
    with pytest.raises(ValueError, match="same rows"):
        knn_mutual_information(np.arange(9.0), np.arange(8.0))
    with pytest.raises(ValueError, match="NaN or infinity"):
        knn_mutual_information(np.array([0.0, np.nan, 1, 2, 3, 4]), np.arange(6.0))
    with pytest.raises(ValueError, match="n_neighbors"):
        knn_mutual_information(np.arange(9.0), np.arange(9.0), n_neighbors=0)
