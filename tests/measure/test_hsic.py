from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.engine import LocalEngine
from covey.measure import associate
from covey.measure.hsic import hsic
from tests.measure._mixed import common, mixed_columns, number, table, with_gaps

SMALL = st.integers(6, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-9, 9).map(float), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3).map(float), min_size=n, max_size=n),
    )
)


def pair(x, y, **options):
    return associate(table(number("x", x), number("y", y)), measure="hsic", **options)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize(("decimals", "tolerance"), [(0, 1e-9), (None, 0.03)])
def test_kernel_equals_definition(gaps, decimals, tolerance):
    columns = with_gaps(mixed_columns(300, decimals=decimals), gaps)
    matrix = associate(table(*columns), measure="hsic", pvalues=False)
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            x, y = common(left, right)
            assert matrix.values[i, j] == pytest.approx(hsic(x, y), abs=tolerance), (left.name, right.name)
            assert matrix.n[i, j] == len(x)


@settings(deadline=None, max_examples=80)
@given(SMALL)
def test_exact_on_few_values_and_blind_to_units(values):
    x, y = map(np.array, values)
    expected = hsic(x, y)
    assert pair(x, y, pvalues=False).values[0, 1] == pytest.approx(expected, abs=1e-8, nan_ok=True)
    assert np.isnan(expected) == (min(np.ptp(x), np.ptp(y)) == 0)
    assert hsic(y, x) == pytest.approx(expected, abs=1e-8, nan_ok=True)
    assert pair(8 - 4 * x, y / 2, pvalues=False).values[0, 1] == pytest.approx(expected, abs=1e-8, nan_ok=True)


def test_two_booleans_by_hand():
    """With delta kernels, HSIC of two binary columns is the squared phi coefficient."""
    x = np.repeat([0, 0, 1, 1], [30, 10, 5, 55])
    y = np.repeat([0, 1, 0, 1], [30, 10, 5, 55])
    assert hsic(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, abs=1e-12)


def test_size_and_power():
    rng = np.random.default_rng(0)
    n_tables, engine = 300, LocalEngine(1)
    rejected = found = 0
    for _ in range(n_tables):
        x, y = rng.normal(size=(2, 80))
        rejected += pair(x, y, engine=engine).pvalues[0, 1] < 0.05
        found += pair(x, x**2 + 0.3 * y, engine=engine).pvalues[0, 1] < 0.05
    assert abs(rejected / n_tables - 0.05) <= 4 * np.sqrt(0.05 * 0.95 / n_tables)
    assert found > 0.95 * n_tables


def test_few_rows_and_constants():
    assert np.isnan(pair([1.0], [2.0]).values).all()
    assert np.isnan(pair([1.0, 2.0, 3.0], [1.0, 5.0, 2.0]).pvalues).all()  # no null variance below six rows
    matrix = pair(np.ones(9), np.arange(9.0))
    assert "constant" in matrix.reason("x", "y")
