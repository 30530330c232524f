from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from covey.measure import associate
from covey.measure._coding import code_column
from covey.measure._store import ColumnStore
from covey.measure.information import entropy, mutual_information, theils_u
from covey.measure.nominal import equal_count_bins
from tests.measure._mixed import category, mixed_columns, number, table, with_gaps

CODES = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n), st.lists(st.integers(0, 3), min_size=n, max_size=n)
    )
)


def of_codes(x, y, measure):
    return associate(table(category("x", x, 6), category("y", y, 6)), measure=measure)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize(
    ("measure", "definition"), [("mutual_information", mutual_information), ("theils_u", theils_u)]
)
def test_kernel_equals_definition_on_the_bins(measure, definition, gaps):
    columns = with_gaps(mixed_columns(), gaps)
    store = ColumnStore(columns)
    codes = [code_column(store, j, equal_count_bins(store.n_rows), "rank").codes for j in range(len(columns))]
    matrix = associate(table(*columns), measure=measure)
    for i, x in enumerate(codes):
        for j, y in enumerate(codes):
            rows = (x > 0) & (y > 0)
            assert matrix.values[i, j] == pytest.approx(definition(x[rows], y[rows]), abs=1e-10)
            assert matrix.n[i, j] == rows.sum()


@settings(deadline=None, max_examples=80)
@given(CODES)
def test_any_codes(values):
    x, y = map(np.array, values)
    for measure, definition in (("mutual_information", mutual_information), ("theils_u", theils_u)):
        matrix = of_codes(x, y, measure)
        assert matrix["x", "y"] == pytest.approx(definition(x, y), abs=1e-10, nan_ok=True)
        assert matrix["y", "x"] == pytest.approx(definition(y, x), abs=1e-10, nan_ok=True)
        renamed = of_codes(np.array([4, 0, 5, 2, 1, 3])[x], y, measure)
        np.testing.assert_allclose(renamed.values[0, 1], matrix.values[0, 1], atol=1e-10)


def test_known_table_in_nats():
    """Counts 25, 25 / 0, 50 of 100: I = H(x) + H(y) - H(x, y) = log 2 + H(1/4) - 1.5 log 2."""
    x, y = np.repeat([0, 0, 1], [25, 25, 50]), np.repeat([0, 1, 1], [25, 25, 50])
    quarter = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    plug_in = np.log(2) + quarter - 1.5 * np.log(2)
    assert mutual_info_score(x, y) == pytest.approx(plug_in)
    assert entropy(y) == pytest.approx(quarter)
    assert mutual_information(x, y) == pytest.approx(plug_in - (3 - 2 - 2 + 1) / 200)
    assert of_codes(x, y, "mutual_information")["x", "y"] == pytest.approx(plug_in)
    assert theils_u(x, y) == pytest.approx(plug_in / (quarter + 1 / 200))


def test_row_determines_column():
    """A quarter of a circle tells its half, not the other way round: values[i, j] is how well row i determines j."""
    quarter = np.tile(np.arange(4), 500)
    matrix = of_codes(quarter, quarter // 2, "theils_u")
    assert not matrix.symmetric
    assert matrix["x", "y"] == pytest.approx(1.0, abs=2e-3)
    assert matrix["y", "x"] == pytest.approx(0.5, abs=2e-3)
    target = associate(table(category("x", quarter), category("y", quarter // 2)), measure="theils_u", target="y")
    assert target.shape == (1, 1) and target["x", "y"] == matrix["x", "y"]
    np.testing.assert_allclose(np.diag(matrix.values), 1.0, atol=2e-3)


def test_the_correction_removes_what_many_levels_fake():
    x, y = np.random.default_rng(0).integers(0, 20, (2, 1000))
    assert mutual_info_score(x, y) > 0.15
    assert of_many(x, y) < 0.03


def of_many(x, y):
    return associate(table(category("x", x), category("y", y)), measure="mutual_information")["x", "y"]


def test_two_normals():
    """I = -log(1 - rho^2) / 2; bins lose a part of it."""
    x, e = np.random.default_rng(0).normal(size=(2, 20000))
    value = associate(np.column_stack([x, 0.8 * x + 0.6 * e]), measure="mutual_information").values[0, 1]
    assert 0.9 * -np.log(0.6) < value < -np.log(0.6)


def test_monotone_transformations_change_nothing():
    x, e = np.random.default_rng(0).normal(size=(2, 500))
    for measure in ("mutual_information", "theils_u"):
        before, after = (
            associate(table(number("a", a), number("b", b)), measure=measure).values
            for a, b in ((x, x + e), (np.exp(x), (x + e) ** 3))
        )
        np.testing.assert_allclose(before, after, atol=1e-12)


def test_constants():
    data = table(category("one", np.zeros(9, dtype=int), 2), category("y", np.arange(9) % 3))
    for measure in ("mutual_information", "theils_u"):
        matrix = associate(data, measure=measure)
        assert np.isnan(matrix["one", "y"]) and "constant" in matrix.reason("one", "y")
        assert np.isnan(matrix.pvalues[0, 1])
