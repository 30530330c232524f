"""The driver of pair kernels: sorted columns, chunks, engines, and degenerate columns under every pair measure."""

from __future__ import annotations

import pickle

import cloudpickle
import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure._pairs import SortedColumns, map_pairs
from covey.measure._store import ColumnStore
from covey.table import Column
from tests.measure._columns import many_shapes, with_gaps

NAMES = ["kendall", "chatterjee_xi", "distance_correlation_exact", "spearman_pairwise"]


class DistantEngine(LocalEngine):
    """Every task works on copies, as in another process: what it changes is lost."""

    def map(self, function, tasks):
        shipped = cloudpickle.dumps(function)
        return [pickle.loads(shipped)(task) for task in tasks]


def sorted_columns(*columns, with_values=True):
    store = ColumnStore([Column(str(k), "numeric", np.array(c, dtype=float)) for k, c in enumerate(columns)])
    return SortedColumns.of(store, list(range(len(columns))), LocalEngine(1), with_values)


def test_sorted_columns():
    columns = sorted_columns([5.0, np.nan, 1.0, 5.0], [1e9 + 2, 1e9, 1e9 + 1, 1e9 + 6])
    np.testing.assert_array_equal(columns.n_present, [3, 4])
    np.testing.assert_array_equal(columns.present, [[1, 0, 1, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(columns.order[1], [1, 2, 0, 3])
    np.testing.assert_array_equal(columns.runs, [[0, 1, 1, 0], [0, 1, 2, 3]])
    assert columns.order[0, 0] == 2 and set(columns.order[0, 1:3]) == {0, 3}
    np.testing.assert_array_equal(columns.values, [[0, np.nan, -1, 0], [0, -0.5, -0.25, 1]])


def test_values_are_left_out_when_no_kernel_reads_them():
    assert sorted_columns([1.0, 2.0], [3.0, 4.0], with_values=False).values.shape == (2, 0)


def test_columns_without_a_spread_stay_finite():
    columns = sorted_columns([np.nan, np.nan], [7.0, 7.0])
    assert np.isnan(columns.values[0]).all() and (columns.values[1] == 0).all()


@pytest.mark.parametrize("chunk", [None, 1, 7, 100])
def test_pairs_come_back_in_order_whatever_the_chunk(chunk):
    left, right = np.triu_indices(9)
    found = map_pairs(LocalEngine(2), lambda i, j: np.column_stack([i, j, i * j]), left, right, chunk)
    np.testing.assert_array_equal(found, np.column_stack([left, right, left * right]))


def test_few_pairs_still_occupy_all_workers():
    sizes = []
    map_pairs(LocalEngine(2), lambda i, j: sizes.append(len(i)) or np.zeros((len(i), 1)), np.arange(40), np.arange(40))
    assert len(sizes) >= 4 and sum(sizes) == 40


@pytest.mark.parametrize("name", NAMES)
def test_neither_workers_nor_processes_matter(name):
    x = with_gaps(many_shapes(), 0.1)
    one, two, distant = (
        associate(x, measure=name, engine=e) for e in (LocalEngine(1), LocalEngine(2), DistantEngine(2))
    )
    for other in (two, distant):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.pvalues, other.pvalues)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_rows_does_not_matter(name):
    x = with_gaps(many_shapes(), 0.1)
    mixed = x[np.random.default_rng(5).permutation(len(x))]
    a, b = (associate(t, measure=name, pvalues=False).values for t in (x, mixed))
    np.testing.assert_allclose(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_gives_the_column_of_the_square_matrix(name):
    x = with_gaps(many_shapes(), 0.1)
    square = associate(x, measure=name)
    target = associate(x, measure=name, target=square.columns[2])
    np.testing.assert_allclose(target.values[:, 0], np.delete(square.values[:, 2], 2), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_degenerate_columns_are_nan_with_a_reason(name):
    rng = np.random.default_rng(0)
    early = np.arange(20) < 10
    table = {
        "x": rng.normal(size=20),
        "none": [None] * 20,
        "one": [3.0] * 20,
        "early": np.where(early, rng.normal(size=20), np.nan),
        "late": np.where(early, np.nan, rng.normal(size=20)),
        "flat when late is present": np.where(early, rng.normal(size=20), 0.0),
    }
    matrix = associate(table, measure=name)
    assert "constant" in matrix.reason("x", "one")
    assert matrix.reason("x", "none") != ""
    assert "rows" in matrix.reason("early", "late")
    assert "constant" in matrix.reason("late", "flat when late is present")
    assert np.isfinite(matrix["x", "early"])
    np.testing.assert_array_equal(np.isnan(matrix.values), matrix.reasons > 0)
    assert np.isnan(matrix.pvalues[matrix.reasons > 0]).all()


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_very_few_rows_do_not_crash(name, n):
    values = associate(np.random.default_rng(0).normal(size=(n, 2)), measure=name).values
    assert np.isnan(values).all() if n == 1 else (np.abs(values) <= 1.0 + 1e-12).all()


@pytest.mark.parametrize("name", NAMES)
def test_booleans_and_dates_count_as_numbers(name):
    x = np.random.default_rng(0).normal(size=60)
    days = np.datetime64("2020-01-01") + (1000 * x).astype(int).astype("timedelta64[D]")
    table = {"x": x, "flag": x > 0.3, "day": days}
    numbers = {"x": x, "flag": (x > 0.3) * 1.5, "day": days.astype("datetime64[D]").astype(float)}
    a, b = (associate(t, measure=name, pvalues=False).values for t in (table, numbers))
    np.testing.assert_allclose(a, b, atol=1e-10)
