"""Correlations of anything: what is undefined counts as 0 and is named, and what cannot be measured is refused."""

import warnings

import numpy as np
import pandas
import pytest
from scipy import stats

from covey.measure import associate, get
from covey.partition._correlation import feature_correlation
from covey.table import read


def numbers(n: int = 40, m: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)) @ rng.normal(size=(m, m))


def mixed() -> pandas.DataFrame:
    x = numbers()
    return pandas.DataFrame({"height": x[:, 0], "weight": x[:, 1], "team": list("abcd") * 10})


def test_default_is_spearman_without_a_warning():
    x = numbers()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = feature_correlation(x)
    assert found.values == pytest.approx(stats.spearmanr(x).statistic)
    assert found.names == ("x0", "x1", "x2", "x3")


@pytest.mark.parametrize("measure", ["pearson", get("pearson"), lambda x: np.corrcoef(x, rowvar=False)])
def test_measures_by_name_object_and_function(measure):
    x = numbers()
    assert feature_correlation(x, measure).values == pytest.approx(np.corrcoef(x, rowvar=False))


def test_precomputed_matrices_keep_their_names():
    matrix = associate(mixed(), measure="auto")
    from_matrix = feature_correlation(matrix, "precomputed")
    from_frame = feature_correlation(matrix.to_frame(), "precomputed")
    assert from_matrix.names == from_frame.names == ("height", "weight", "team")
    assert (from_matrix.values == from_frame.values).all()


def test_of_two_directions_the_stronger_counts():
    x = numbers(n=200)
    x[:, 1] = x[:, 0] ** 2
    matrix = associate(x, measure="chatterjee_xi")
    assert not np.allclose(matrix.values, matrix.values.T, atol=0.1)
    found = feature_correlation(x, "chatterjee_xi").values
    assert found[0, 1] == found[1, 0] == max(abs(matrix.values[0, 1]), abs(matrix.values[1, 0]))


def test_constant_column_is_named_and_counts_as_zero():
    x = numbers()
    x[:, 2] = 5.0
    with pytest.warns(UserWarning, match="'x2' with all others"):
        found = feature_correlation(x)
    assert (found.values[2] == 0.0).all() and (found.values[:, 2] == 0.0).all()
    kept = [0, 1, 3]
    assert found.values[np.ix_(kept, kept)] == pytest.approx(stats.spearmanr(x[:, kept]).statistic)


def test_columns_without_common_rows_are_named():
    x = numbers()
    x[:20, 0] = x[20:, 1] = np.nan
    with pytest.warns(UserWarning, match="'x0 and x1' are undefined"):
        found = feature_correlation(x)
    assert found.values[0, 1] == 0.0
    assert found.values[0, 0] == pytest.approx(1.0)


def test_a_long_list_is_cut_short():
    x = np.column_stack([numbers(), np.ones((40, 7))])
    with pytest.warns(UserWarning, match="'x8' and 2 more with all others"):
        feature_correlation(x)


def test_arrays_of_codes_stay_numbers():
    x = np.random.default_rng(0).integers(0, 2, size=(30, 3)).astype(float)
    assert feature_correlation(x).values == pytest.approx(np.corrcoef(x, rowvar=False))


def test_mixed_table_needs_auto():
    with pytest.raises(ValueError, match=r"spearman does not take the categorical column 'team'.*='auto'"):
        feature_correlation(mixed())
    assert feature_correlation(mixed(), "auto").values.shape == (3, 3)
    assert feature_correlation(read(mixed()), "auto").names == ("height", "weight", "team")


@pytest.mark.parametrize(
    "X, measure, words",
    [
        (np.ones((5, 3)), "spearman", "all columns are constant"),
        (numbers(2), "spearman", "at least 3 rows"),
        (numbers(), "no such", "no measure 'no such'"),
        (numbers(), "precomputed", "square"),
        (np.arange(3.0), "precomputed", "square"),
        (np.array([[1.0, 0.1], [0.3, 1.0]]), "precomputed", "symmetric"),
        (np.array([["a", "b"], ["c", "d"], ["e", "f"]]), "spearman", "must hold numbers"),
        (np.array([[1.0, np.inf], [2.0, 1.0], [0.0, 1.0]]), "spearman", "infinity"),
        (pandas.DataFrame(numbers(), columns=list("abca")), "spearman", "two columns are named 'a'"),
        (associate(numbers(), numbers(seed=1), measure="pearson"), "precomputed", "every feature against every"),
        (numbers(), lambda x: np.zeros((4, 3)), "square"),
    ],
)
def test_bad_input_is_refused_in_words(X, measure, words):
    with pytest.raises(ValueError, match=words):
        feature_correlation(X, measure)
