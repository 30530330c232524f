"""Mantel test: values of scipy on the entries above the diagonal, level, invariances, bad input."""

import numpy as np
import pytest
from scipy import stats

from covey.engine import LocalEngine
from covey.measure.mantel import mantel_test


def distances(rng, n=15, d=2):
    x = rng.normal(size=(n, d))
    return np.linalg.norm(x[:, None] - x, axis=2)


REFERENCE = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


@pytest.mark.parametrize("method", REFERENCE)
def test_statistic_and_its_null_by_definition(method):
    rng = np.random.default_rng(0)
    a, b = distances(rng), distances(rng).round(1)
    result = mantel_test(a, b, method, n_permutations=60)
    above = np.triu_indices(15, 1)
    assert result.statistic == pytest.approx(REFERENCE[method](a[above], b[above]).statistic, abs=1e-12)
    order_rng = np.random.default_rng(0)
    for k in range(60):
        order = order_rng.permutation(15)
        moved = a[np.ix_(order, order)][above]
        assert result.null[k] == pytest.approx(REFERENCE[method](moved, b[above]).statistic, abs=1e-12)
    assert result.pvalue == (1 + np.sum(np.abs(result.null) >= abs(result.statistic))) / 61


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_equals_scikit_bio(method):
    mantel = pytest.importorskip("skbio.stats.distance").mantel
    rng = np.random.default_rng(1)
    a, b = distances(rng), distances(rng)
    name = "kendalltau" if method == "kendall" else method
    assert mantel_test(a, b, method).statistic == pytest.approx(mantel(a, b, name, permutations=0)[0], abs=1e-10)


def test_alternatives_and_dependence():
    a = distances(np.random.default_rng(2))
    b = a + 0.1 * distances(np.random.default_rng(3))
    assert mantel_test(a, b, alternative="greater").pvalue == 0.001
    assert mantel_test(a, b, alternative="less").pvalue == 1.0
    assert mantel_test(a, -b, alternative="less").pvalue == 0.001


def test_level_where_the_entries_are_dependent():
    rng = np.random.default_rng(4)
    results = [
        mantel_test(distances(rng, 20, 6), distances(rng, 20, 6), n_permutations=99, random_state=k) for k in range(100)
    ]
    assert np.mean([result.pvalue <= 0.05 for result in results]) <= 0.12
    assert np.mean([result.naive_pvalue <= 0.05 for result in results]) > 0.15


def test_neither_diagonal_nor_scale_nor_engine_matters():
    rng = np.random.default_rng(5)
    a, b = distances(rng), distances(rng)
    one = mantel_test(a, b, engine=LocalEngine(1))
    other = mantel_test(3 * a + 2 + np.diag(np.full(15, np.nan)), b, engine=LocalEngine(2))
    assert one.statistic == pytest.approx(other.statistic, abs=1e-12)
    assert one.pvalue == other.pvalue


def test_a_constant_matrix_has_no_correlation():
    result = mantel_test(np.ones((5, 5)), distances(np.random.default_rng(6), 5), n_permutations=9)
    assert np.isnan([result.statistic, result.pvalue]).all()


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (np.ones((4, 3)), np.ones((4, 4)), {}, "first must be a square"),
        (np.ones((4, 4)), np.ones((5, 5)), {}, "same objects"),
        (np.ones((4, 4)), np.arange(16.0).reshape(4, 4), {}, "second must be symmetric"),
        (np.full((4, 4), np.nan), np.ones((4, 4)), {}, "first holds missing"),
        (np.ones((4, 4)), np.ones((4, 4)), {"method": "phi"}, "method"),
        (np.ones((4, 4)), np.ones((4, 4)), {"alternative": "more"}, "alternative"),
        (np.ones((4, 4)), np.ones((4, 4)), {"n_permutations": 0}, "n_permutations"),
    ],
)
def test_bad_input(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        mantel_test(a, b, **options)
