"""Fisher's score and binned information: the definitions, mergeable sums, missing values, large means, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import mutual_info_score

from covey.measure.information import mutual_information
from covey.select import binned_information, fisher_score
from covey.select.class_statistics import ClassMoments, class_moments, column_statistics, rank_shares
from covey.table import Column


def fisher_by_definition(x, y):
    labels = np.unique(y)
    between = sum((y == c).sum() * (x[y == c].mean() - x.mean()) ** 2 for c in labels)
    return between / sum((y == c).sum() * x[y == c].var() for c in labels)


def information_by_definition(x, y, n_bins):
    bins = np.minimum((rankdata(x) - 0.5) / len(x) * n_bins, n_bins - 1).astype(int)
    return mutual_information(bins, np.unique(y, return_inverse=True)[1])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(0, 9999))
def test_scores_are_those_of_the_definitions(n_classes, seed):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), np.arange(n_classes), rng.integers(n_classes, size=60)])
    x = rng.normal(size=(len(y), 4)) + np.outer(y, [0, 1, 2, -1])
    x[:, 2] = np.round(x[:, 2])  # ties
    np.testing.assert_allclose(fisher_score(x, y), [fisher_by_definition(c, y) for c in x.T], rtol=1e-10)
    expected = [information_by_definition(c, y, 5) for c in x.T]
    np.testing.assert_allclose(binned_information(x, y, 5), expected, atol=1e-12)


def test_two_classes_of_one_size_have_the_score_of_the_paper():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    x = rng.normal(size=(100, 5)) + np.outer(y, np.arange(5))
    a, b = x[:50], x[50:]
    paper = (a.mean(axis=0) - b.mean(axis=0)) ** 2 / (a.var(axis=0) + b.var(axis=0))
    np.testing.assert_allclose(fisher_score(x, y), paper / 2, rtol=1e-12)


def test_information_is_near_the_plug_in_value_of_many_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=20_000)
    x = rng.normal(size=(20_000, 1)) + y[:, None]
    bins = np.floor(rank_shares(x)[:, 0] * 8).astype(int)
    assert binned_information(x, y)[0] == pytest.approx(mutual_info_score(bins, y), abs=1e-3)


def test_missing_rows_are_left_out_column_by_column():
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 90)
    x = rng.normal(size=(90, 3))
    gaps = x.copy()
    gaps[rng.random((90, 3)) < 0.3] = np.nan
    for j in range(3):
        kept = ~np.isnan(gaps[:, j])
        part, labels = x[kept, j][:, None], y[kept]
        assert fisher_score(gaps, y)[j] == pytest.approx(fisher_score(part, labels)[0])
        assert binned_information(gaps, y)[j] == pytest.approx(binned_information(part, labels)[0])
    codes = np.unique(y, return_inverse=True)[1]
    np.testing.assert_allclose(class_moments(gaps, codes, 3).deviation(), np.nanstd(gaps, axis=0, ddof=1))


def test_moments_merge_and_survive_large_means():
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(1000, 3)) * [1.0, 1e-3, 5.0] + [1e9, 1e6, 0.0], rng.integers(3, size=1000)
    codes[:300] = 0
    whole = ClassMoments(3, 3).update(x, codes)
    parts = ClassMoments(3, 3)
    for start in range(0, 1000, 170):
        parts.merge(ClassMoments(3, 3).update(x[start : start + 170], codes[start : start + 170]))
    np.testing.assert_allclose(parts.deviation(), x.std(axis=0, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(whole.deviation(), x.std(axis=0, ddof=1), rtol=1e-6)
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose(whole.fisher(), fisher_score(centred, codes), rtol=1e-4)


def test_classes_of_one_value_each_are_infinitely_apart_and_equal_ones_not_at_all():
    y = np.repeat([0, 1], 5)
    x = np.column_stack([y + 0.1, np.full(10, 0.1) * (1 + 0 * y), np.tile([0.1, 0.2, 0.3, 0.4, 0.5], 2)])
    assert fisher_score(x, y).tolist() == [np.inf, 0.0, 0.0]
    assert binned_information(x, y).round(3).tolist() == [0.693 + 0.05, 0.0, 0.0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999))
def test_invariances(seed):
    rng = np.random.default_rng(seed)
    y = np.tile([0, 1, 2], 20)
    x = rng.normal(size=(60, 2)) + y[:, None]
    order = rng.permutation(60)
    np.testing.assert_allclose(fisher_score(3 - 7 * x[order], y[order]), fisher_score(x, y), rtol=1e-9)
    np.testing.assert_allclose(binned_information(np.exp(x), 2 - y), binned_information(x, y), atol=1e-12)


def test_wide_tables_are_done_in_blocks(monkeypatch):
    from covey.select import class_statistics

    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(50, 40)), Column("y", "boolean", (np.arange(50) % 2).astype(np.int32), ("a", "b"))
    whole = column_statistics(x, target, 8)
    monkeypatch.setattr(class_statistics, "_CELLS", 300)
    monkeypatch.setattr(class_statistics, "_TABLE_CELLS", 50)
    parts = column_statistics(x, target, 8)
    for name in ("deviation", "fisher", "information"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_bad_input_is_named():
    x = np.ones((4, 2))
    with pytest.raises(ValueError, match="n_bins must be a whole number from 2"):
        binned_information(x, [0, 1, 0, 1], n_bins=1)
    with pytest.raises(ValueError, match="X has 4 rows and y has 3"):
        fisher_score(x, [0, 1, 0])
    with pytest.raises(ValueError, match="'x1' hold infinite values"):
        fisher_score([[1.0, np.inf], [2.0, 1.0]], [0, 1])
    with pytest.raises(ValueError, match="must have shape"):
        fisher_score([1.0, 2.0], [0, 1])
