"""Orthogonal matching pursuit: scikit-learn's order, least squares by definition, classes, invariances, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import OrthogonalMatchingPursuit
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import OMPSelector, orthogonal_matching_pursuit
from covey.select._base import target_column
from covey.select.omp import target_block, unit_columns


@parametrize_with_checks([OMPSelector(k=1), OMPSelector(k="all")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def problem(seed, n=200, d=100, k=10):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, x[:, rng.choice(d, k, replace=False)] @ rng.normal(size=k) + 0.1 * rng.normal(size=n)


def by_definition(x, y, k):
    """A least-squares fit at each step."""
    z, order, gains = unit_columns(x), [], []
    residual, total = y.copy(), (y * y).sum()
    for _ in range(k):
        merit = ((z.T @ residual) ** 2).sum(axis=1)
        merit[order] = -1.0
        order.append(int(merit.argmax()))
        before = (residual * residual).sum()
        residual = y - z[:, order] @ np.linalg.lstsq(z[:, order], y, rcond=None)[0]
        gains.append((before - (residual * residual).sum()) / total)
    return order, gains


@pytest.mark.parametrize("seed", range(5))
def test_order_and_gains_are_those_of_least_squares_at_each_step(seed):
    x, y = problem(seed)
    order, gains = by_definition(x, y[:, None] - y.mean(), 10)
    selector = OMPSelector(k=10).fit(x, y)
    assert np.argsort(selector.ranking_)[:10].tolist() == order
    assert selector.scores_[order] == pytest.approx(gains)


def test_the_set_is_that_of_scikit_learn():
    x, y = problem(7)
    x = unit_columns(x)
    for k in (1, 4, 10):
        peer = OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(x, y)
        assert OMPSelector(k=k).fit(x, y).get_support().tolist() == (peer.coef_ != 0).tolist()


def test_classes_are_explained_all_together():
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=300)
    x = rng.normal(size=(300, 12)) + np.eye(4, 12)[y] * 1.5
    order, gains = by_definition(x, target_block(target_column(y)), 5)
    selector = OMPSelector(k=5).fit(x, y)
    assert np.argsort(selector.ranking_)[:5].tolist() == order
    assert selector.scores_[order] == pytest.approx(gains)


def test_the_first_score_is_the_correlation_ratio_or_the_squared_correlation():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 1)), rng.integers(3, size=80)
    x[:, 0] += y == 1
    means = np.array([x[y == c, 0].mean() for c in y])
    share = ((means - x.mean()) ** 2).sum() / ((x - x.mean()) ** 2).sum()
    n_classes = 3
    assert OMPSelector(k=1).fit(x, y).scores_[0] == pytest.approx(share / (n_classes - 1))
    z = x[:, 0] + rng.normal(size=80)
    assert OMPSelector(k=1).fit(x, z).scores_[0] == pytest.approx(np.corrcoef(x[:, 0], z)[0, 1] ** 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_scale_and_origin_of_columns_do_not_matter(seed, scale, shift):
    x, y = problem(seed, n=60, d=15, k=4)
    moved = x.copy()
    moved[:, ::2] = scale * (moved[:, ::2] + shift)
    assert OMPSelector(k=4).fit(x, y).ranking_.tolist() == OMPSelector(k=4).fit(moved, 3 - 2 * y).ranking_.tolist()


def test_means_of_a_billion_and_values_near_the_largest_float():
    x, y = problem(3, d=20, k=5)
    same = OMPSelector(k=5).fit(x, y).ranking_[:5].tolist()
    assert OMPSelector(k=5).fit(x + 1e9, y + 1e9).ranking_[:5].tolist() == same
    assert OMPSelector(k=5).fit(x * 1e300, y * 1e300).ranking_[:5].tolist() == same


def test_copies_and_sums_of_columns_are_never_taken():
    x, y = problem(5, d=6, k=3)
    x = np.column_stack([x, x[:, 0], x[:, 1] + x[:, 2], np.full(len(x), 2.0)])
    selector = OMPSelector(k="all").fit(x, y)
    taken = np.flatnonzero(~np.isnan(selector.scores_))
    assert len(taken) == np.linalg.matrix_rank(x - x.mean(axis=0)) == 6
    assert "constant" in selector.reasons_[8]
    assert sum("leave nothing" in why for why in selector.reasons_) == 2
    assert np.nansum(selector.scores_) <= 1.0 + 1e-12


def test_fewer_rows_than_columns():
    x, y = problem(2, n=12, d=40, k=3)
    selector = OMPSelector(k="all").fit(x, y)
    assert np.count_nonzero(~np.isnan(selector.scores_)) <= 11
    with pytest.raises(ValueError, match="k=20 needs 20 columns with a score, but only 11"):
        OMPSelector(k=20).fit(x, y)


def test_a_threshold_is_the_smallest_share_explained():
    x, y = problem(4)
    selector = OMPSelector(threshold=0.05).fit(x, y)
    path = orthogonal_matching_pursuit(unit_columns(x), unit_columns(y[:, None]), 20)
    assert selector.get_support().sum() == next(i for i, gain in enumerate(path.gains) if gain < 0.05)


def test_a_search_can_be_stopped():
    x, y = problem(4)
    path = orthogonal_matching_pursuit(unit_columns(x), y[:, None] - y.mean(), 20, stop=lambda c, _: len(c) == 3)
    assert len(path.order) == len(path.gains) == 3


def test_a_target_of_zeros_leaves_nothing_to_explain():
    assert orthogonal_matching_pursuit(unit_columns(problem(0)[0]), np.zeros((200, 1)), 3).order == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": [1.0, None, 3.0, 4.0]}, "complete columns, but 'a'"),
        ({"a": ["u", "v", "u", "w"]}, "needs numbers, but 'a' hold categories"),
    ],
)
def test_bad_columns(change, message):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [4.0, 1.0, 2.0, 2.0]}).assign(**change)
    with pytest.raises(ValueError, match=message):
        OMPSelector(k=1).fit(frame, [0.5, 1.5, 2.0, 8.0])


def test_bad_targets():
    x = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(ValueError, match="single class"):
        OMPSelector(k=1).fit(x, [1] * 6)
    with pytest.warns(UserWarning, match="classes of one row in y: 'c'"):
        OMPSelector(k=1).fit(x, list("aaabbc"))
    with pytest.raises(ValueError, match="k=9 is larger"):
        OMPSelector(k=9).fit(x, range(6))
