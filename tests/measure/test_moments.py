from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure._moments import BLOCK_ROWS, MomentState, centre_and_scale


def data(n=500, m=6, gaps=0.1, seed=0):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(n, m)), axis=1)
    x[:, 1] += 1e6
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def expected(x):
    m = x.shape[1]
    out = np.full((m, m), np.nan)
    for i in range(m):
        for j in range(m):
            rows = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            if rows.sum() > 1 and np.ptp(x[rows, i]) > 0 and np.ptp(x[rows, j]) > 0:
                out[i, j] = np.corrcoef(x[rows, i], x[rows, j])[0, 1]
    return out


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.3, 0.95])  # none, a sparse product, a dense one, almost nothing
def test_pairwise_complete_moments(gaps):
    x = data(gaps=gaps)
    r, n = MomentState(*centre_and_scale(x)).update(x).result()
    np.testing.assert_allclose(r, expected(x), atol=1e-9)
    present = (~np.isnan(x)).astype(int)
    np.testing.assert_array_equal(n, present.T @ present)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 120), max_size=5), st.booleans(), st.integers(0, 99))
def test_any_split_and_order_of_states_gives_the_same(cuts, backwards, seed):
    x = data(120, 4, 0.2, seed)
    shift, scale = centre_and_scale(x)
    parts = [MomentState(shift, scale).update(rows) for rows in np.split(x, sorted(cuts))]
    if backwards:
        parts = parts[::-1]
    total = MomentState(shift, scale)
    for part in parts:
        total.merge(part)
    whole = MomentState(shift, scale).update(x)
    np.testing.assert_allclose(total.correlation(), whole.correlation(), atol=1e-12)
    np.testing.assert_array_equal(total.result()[1], whole.result()[1])


def test_merging_leaves_the_other_state_as_it_was():
    x = data()
    shift, scale = centre_and_scale(x)
    left, right = (MomentState(shift, scale).update(part) for part in (x[:200], x[200:]))
    before = right.correlation()
    left.merge(right)
    np.testing.assert_array_equal(right.correlation(), before)


def test_states_of_different_scale_cannot_be_merged():
    with pytest.raises(ValueError, match="shift or scale"):
        MomentState(np.zeros(2), np.ones(2)).merge(MomentState(np.ones(2), np.ones(2)))


def test_an_empty_state_is_undefined():
    r, n = MomentState(np.zeros(2), np.ones(2)).result()
    assert np.isnan(r).all() and not n.any()


def test_cancelled_marks_pairs_whose_common_rows_are_far_from_the_shift():
    x = data(gaps=0.0)[:, :3]
    x[:, 2] += 1e9
    state = MomentState(np.array([0.0, 1e6, 0.0]), np.ones(3)).update(x)
    np.testing.assert_array_equal(state.cancelled(), np.array([[0, 0, 1], [0, 0, 1], [1, 1, 1]], dtype=bool))


def test_centre_and_scale():
    x = np.array([[1.0, np.nan, 1e300], [3.0, np.nan, -1e300], [np.nan, np.nan, 1e300]])
    mean, spread = centre_and_scale(x)
    np.testing.assert_allclose(mean, [2.0, 0.0, 1e300 / 3])
    np.testing.assert_allclose(spread, [1.0, 1.0, 1e300 * np.sqrt(8) / 3])


@pytest.mark.parametrize("measure", ["pearson", "spearman"])
def test_workers_do_not_change_a_bit(measure):
    x = data(3 * BLOCK_ROWS + 17, 3, 0.05)
    one, two = (associate(x, measure=measure, engine=LocalEngine(k)) for k in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.pvalues, two.pvalues)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("measure", ["pearson", "spearman"])
def test_few_pairs_of_many_columns_are_those_of_the_whole_product(measure, gaps):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 40)) + 1e9 * (np.arange(40) % 3 == 0)
    x[rng.random(x.shape) < gaps] = np.nan
    x[:, 7] = 5.0
    x[:, 9] = np.where(np.isnan(x[:, 0]), x[:, 9], 2.0)  # constant where column 0 is present
    names = {f"x{j}": x[:, j] for j in range(40)}
    whole = associate(names, measure=measure)
    few = associate(names, measure=measure, target="x0", engine=LocalEngine(2))
    rows = [whole.rows.index(name) for name in few.rows]
    np.testing.assert_allclose(few.values[:, 0], whole.values[rows, 0], atol=1e-9)
    np.testing.assert_array_equal(few.n[:, 0], whole.n[rows, 0])
    np.testing.assert_allclose(few.pvalues[:, 0], whole.pvalues[rows, 0], atol=1e-6)


@pytest.mark.parametrize("far", [[1e9], [1e17], [1e17, -1e17], [1e200, -1e200]])
def test_few_pairs_keep_digits_where_an_outlier_is_missing_in_the_other_column(far):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 20)) + rng.normal(size=(200, 1))
    exact = np.corrcoef(x[5:].T)[1:, 0]
    x[:5] = np.nan
    x[: len(far), 0] = far
    names = {f"x{j}": x[:, j] for j in range(20)}
    np.testing.assert_allclose(associate(names, measure="pearson", target="x0").values[:, 0], exact, atol=1e-12)


def test_a_target_of_many_columns_takes_no_memory_of_all_pairs():
    import tracemalloc

    x = np.random.default_rng(0).normal(size=(40, 3000))
    tracemalloc.start()
    associate(x, {"y": x[:, 5]}, measure="pearson", pvalues=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # one matrix of all pairs would take 72 MB
