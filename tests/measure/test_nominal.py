from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from covey.engine import LocalEngine
from covey.measure import associate, get
from covey.measure.nominal import chi_square, correlation_ratio, cramers_v, equal_count_bins
from tests.measure._mixed import category, common, mixed_columns, number, table, with_gaps

CODES = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n), st.lists(st.integers(0, 3), min_size=n, max_size=n)
    )
)


def of_codes(x, y, measure="cramers_v"):
    return associate(table(category("x", x, 6), category("y", y, 6)), measure=measure)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_cramers_v_equals_definition(gaps):
    columns = [c for c in with_gaps(mixed_columns(), gaps) if c.is_coded]
    matrix = associate(table(*columns), measure="cramers_v")
    for i, left in enumerate(columns):
        for j, right in enumerate(columns):
            x, y = common(left, right)
            assert matrix.values[i, j] == pytest.approx(cramers_v(x, y), abs=1e-12)
            assert matrix.n[i, j] == len(x)
            if i != j:
                expected = stats.chi2_contingency(
                    np.histogram2d(x, y, [2 if c.kind == "boolean" else 5 for c in (left, right)])[0], correction=False
                )
                assert matrix.pvalues[i, j] == pytest.approx(expected.pvalue, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(CODES)
def test_cramers_v_of_any_codes_whatever_their_names(values):
    x, y = map(np.array, values)
    expected = cramers_v(x, y)
    assert of_codes(x, y)["x", "y"] == pytest.approx(expected, abs=1e-7, nan_ok=True)
    assert of_codes(y, np.array([4, 0, 5, 2, 1, 3])[x])["x", "y"] == pytest.approx(expected, abs=1e-7, nan_ok=True)
    order = np.random.default_rng(0).permutation(len(x))
    assert of_codes(x[order], y[order])["x", "y"] == pytest.approx(expected, abs=1e-7, nan_ok=True)


def test_cramers_v_by_hand_and_beside_scipy():
    """A 2 x 3 table of 60: phi^2 from scipy, then Bergsma's correction by hand."""
    counts = np.array([[10, 5, 15], [5, 20, 5]])
    x, y = (np.repeat(side.ravel(), counts.ravel()) for side in np.indices(counts.shape))
    v = stats.contingency.association(counts, method="cramer")
    phi2 = v**2 * 1
    corrected = phi2 - 2 / 59
    assert cramers_v(x, y) == pytest.approx(np.sqrt(corrected / (2 - 1 / 59 - 1)))
    assert of_codes(x, y)["x", "y"] == pytest.approx(cramers_v(x, y), abs=1e-12)


def test_the_correction_removes_what_many_levels_fake():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 30, (2, 500))
    assert stats.contingency.association(np.histogram2d(x, y, 30)[0].astype(int), method="cramer") > 0.2
    assert associate(table(category("x", x), category("y", y)), measure="cramers_v")["x", "y"] < 0.05


def test_chi_square_of_a_batch_leaves_empty_levels_out():
    counts = np.zeros((2, 4, 4))
    counts[0, :2, :2] = [[10, 20], [30, 5]]
    counts[1, 1:4, [0, 3]] = np.array([[4, 1], [9, 9], [2, 8]]).T
    chi2, n, r, k = chi_square(counts)
    for p, small in enumerate((counts[0, :2, :2], counts[1][1:4][:, [0, 3]])):
        expected = stats.chi2_contingency(small, correction=False)
        assert chi2[p] == pytest.approx(expected.statistic)
        assert n[p] == small.sum() and (r[p], k[p]) == small.shape


def test_equal_count_bins():
    assert [equal_count_bins(n) for n in (1, 8, 1000, 10**7)] == [2, 2, 10, 16]


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_correlation_ratio_equals_definition_and_anova(gaps):
    columns = with_gaps(mixed_columns(), gaps)
    matrix = associate(table(*columns), measure="correlation_ratio")
    accepts = get("correlation_ratio").accepts
    n_checked = 0
    for i, left in enumerate(columns):
        for j, right in enumerate(columns):
            if not accepts(left.kind, right.kind):
                assert np.isnan(matrix.values[i, j]) and "does not apply" in matrix.reason(left.name, right.name)
                continue
            x, y = common(left, right)
            if left.is_coded and right.is_coded:  # a boolean is the number, of two the left one
                x, y = (x.astype(float), y) if left.kind == "boolean" else (x, y.astype(float))
            assert matrix.values[i, j] == pytest.approx(correlation_ratio(x, y), abs=1e-10), (left.name, right.name)
            numbers, codes = (x, y) if x.dtype == float else (y, x)
            groups = [numbers[codes == g] for g in np.unique(codes)]
            if i != j:
                assert matrix.pvalues[i, j] == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-5, abs=1e-300)
            n_checked += 1
    assert n_checked > 40


def test_correlation_ratio_of_a_textbook_table():
    """Marks in three subjects: eta^2 = 6780 / 9640."""
    marks = {"algebra": [45, 70, 29, 15, 21], "geometry": [40, 20, 30, 42], "statistics": [65, 95, 80, 70, 85, 73]}
    x = np.concatenate(list(marks.values())).astype(float)
    y = np.repeat(np.arange(3), [len(m) for m in marks.values()])
    assert correlation_ratio(x, y) ** 2 == pytest.approx(6780 / 9640)
    matrix = associate(table(number("marks", x), category("subject", y)), measure="correlation_ratio")
    assert matrix["marks", "subject"] ** 2 == pytest.approx(6780 / 9640)
    assert matrix["subject", "marks"] == matrix["marks", "subject"]


def test_size_of_the_f_and_chi_square_tests():
    rng = np.random.default_rng(0)
    n_tables, engine = 300, LocalEngine(1)
    ratio = v = 0
    for _ in range(n_tables):
        a, b = rng.integers(0, 4, (2, 200))
        data = table(number("x", rng.normal(size=200)), category("a", a), category("b", b))
        ratio += associate(data, measure="correlation_ratio", engine=engine).pvalues[0, 1] < 0.05
        v += associate(data, measure="cramers_v", engine=engine).pvalues[1, 2] < 0.05
    for rejected in (ratio, v):
        assert abs(rejected / n_tables - 0.05) <= 4 * np.sqrt(0.05 * 0.95 / n_tables)


def test_constants_and_categories_of_one_row_each():
    x = np.arange(8.0)
    one = category("one", np.zeros(8, dtype=int), 2)
    unique = category("unique", np.arange(8))
    data = table(number("x", x), one, unique)
    for measure in ("cramers_v", "correlation_ratio"):
        assert "constant" in associate(data, measure=measure).reason("x", "one")
    matrix = associate(data, measure="correlation_ratio")
    assert matrix["x", "unique"] == 1.0 and np.isnan(matrix.pvalues[0, 2])
    v = associate(table(unique, category("also", np.arange(8))), measure="cramers_v")
    assert np.isnan(v["unique", "also"]) and "too few rows" in v.reason("unique", "also")
