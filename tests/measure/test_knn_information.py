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


def test_bad_and_thin_input():
    assert np.isnan(knn_mutual_information(np.ones(50), np.arange(50.0)))
    assert np.isnan(knn_mutual_information(np.arange(3.0), np.arange(3.0)))
    with pytest.raises(ValueError, match="must hold numbers"):
        knn_mutual_information(np.arange(9), np.arange(9))
