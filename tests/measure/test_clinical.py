"""Marker tables against SciPy and scikit-learn, the size of their tests, and lesions in drawn volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score, roc_curve

from covey.measure.clinical import (
    CONSTANT,
    ONE_CLASS,
    ONE_SIDE,
    delong,
    distance_features,
    odds_ratio,
    two_by_two_chi_square,
    univariate_marker_table,
    youden_cut,
)
from covey.table import Column, FeatureTable

CELLS = st.tuples(*[st.integers(1, 60)] * 4)


@settings(max_examples=30, deadline=None)
@given(CELLS)
def test_tables_agree_with_scipy(cells):
    table = np.array(cells).reshape(2, 2)
    theirs = scipy_odds_ratio(table, kind="sample")
    interval = theirs.confidence_interval(0.9)
    assert np.ravel(odds_ratio(*cells, alpha=0.1)) == pytest.approx([theirs.statistic, interval.low, interval.high])
    expected = stats.chi2_contingency(table, correction=False)
    assert np.ravel(two_by_two_chi_square(*cells)) == pytest.approx(
        [expected.statistic, expected.pvalue], rel=1e-9, abs=1e-300
    )


@settings(max_examples=20, deadline=None)
@given(CELLS)
def test_exchanging_rows_inverts_the_odds_ratio(cells):
    a, b, c, d = cells
    ratio, low, high = odds_ratio(a, b, c, d)
    assert np.ravel(odds_ratio(c, d, a, b)) == pytest.approx([1 / ratio, 1 / high, 1 / low])


def test_an_empty_cell_gets_a_half_and_an_empty_margin_is_undefined():
    assert odds_ratio(5, 0, 3, 7)[0] == pytest.approx((5.5 * 7.5) / (0.5 * 3.5))
    assert np.isnan(odds_ratio(0, 0, 3, 7)).all() and np.isnan(two_by_two_chi_square(0, 0, 3, 7)).all()


def test_delong_variance_by_its_definition():
    rng = np.random.default_rng(0)
    cases, controls = rng.integers(0, 6, size=30) + 1.0, rng.integers(0, 6, size=45) + 0.0
    wins = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)
    variance = wins.mean(axis=1).var(ddof=1) / 30 + wins.mean(axis=0).var(ddof=1) / 45
    assert delong(cases, controls) == pytest.approx((wins.mean(), np.sqrt(variance)))


def test_delong_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(1 / np.sqrt(2))
    covered = 0
    for _ in range(300):
        auc, error = delong(rng.normal(size=60) + 1, rng.normal(size=60))
        covered += abs(auc - truth) <= 1.96 * error
    assert 0.90 <= covered / 300 <= 0.99


def test_youden_cut_is_the_best_point_of_the_roc_curve():
    data = load_breast_cancer()
    for sign in (1, -1):
        values = sign * data.data[:, 4]
        false, true, _ = roc_curve(data.target, values, drop_intermediate=False)
        above = values > youden_cut(values, data.target == 1)
        gap = above[data.target == 1].mean() - above[data.target == 0].mean()
        assert abs(gap) == pytest.approx(np.abs(true - false).max())


@pytest.mark.parametrize("cut", ["youden", "median"])
def test_table_agrees_with_scipy_and_sklearn_on_real_data(cut):
    data = load_breast_cancer()
    table = univariate_marker_table(data.data, data.target, cut=cut)
    for j in range(30):
        above = data.data[:, j] > table.cut[j]
        cells = np.array([[np.sum((above == row) & (data.target == col)) for col in (1, 0)] for row in (True, False)])
        assert cells.min() > 0
        assert table.odds_ratio[j] == pytest.approx(scipy_odds_ratio(cells, kind="sample").statistic, rel=1e-10)
        assert table.chi2[j] == pytest.approx(stats.chi2_contingency(cells, correction=False).statistic, rel=1e-10)
        assert table.auc[j] == pytest.approx(roc_auc_score(data.target, data.data[:, j]), abs=1e-12)
        test = stats.mannwhitneyu(
            *(data.data[data.target == k, j] for k in (1, 0)), use_continuity=False, method="asymptotic"
        )
        assert table.auc_pvalue[j] == pytest.approx(test.pvalue, rel=1e-8, abs=1e-300)
    assert table.qvalue == pytest.approx(stats.false_discovery_control(table.pvalue), rel=1e-9, abs=1e-300)
    assert (table.auc_low < table.auc).all() and (table.auc < table.auc_high).all()


def test_other_class_as_positive_mirrors_everything():
    data = load_breast_cancer()
    one, other = (univariate_marker_table(data.data, data.target, "median", positive=k) for k in (1, 0))
    assert other.auc == pytest.approx(1 - one.auc)
    assert other.odds_ratio == pytest.approx(1 / one.odds_ratio)
    assert other.discrimination == pytest.approx(one.discrimination)
    assert (other.ranking() == one.ranking()).all()


def test_a_cut_chosen_by_the_outcome_flatters_and_ranks_do_not():
    rng = np.random.default_rng(2)
    y = np.arange(100) % 2
    X = rng.normal(size=(100, 600))
    chosen, fixed = univariate_marker_table(X, y), univariate_marker_table(X, y, "median")
    assert (chosen.pvalue <= 0.05).mean() > 0.2
    assert (chosen.auc_pvalue <= 0.05).mean() < 0.09
    assert (fixed.pvalue <= 0.05).mean() < 0.10


def test_missing_values_are_left_out_and_undefined_markers_say_why():
    y = np.arange(20) % 2
    values = np.arange(20.0)
    holes = np.where(np.arange(20) < 4, np.nan, values)
    only_cases = np.where(y == 1, values, np.nan)
    X = np.column_stack([values, holes, np.ones(20), only_cases, np.full(20, np.nan)])
    table = univariate_marker_table(X, y, cut=[9.0, 9.0, 0.0, 3.0, 0.0])
    assert table.n.tolist() == [20, 16, 20, 10, 0]
    alone = univariate_marker_table(holes[4:, None], y[4:], cut=9.0)
    assert (table.auc[1], table.odds_ratio[1]) == (alone.auc[0], alone.odds_ratio[0])
    assert table.reasons == ("", "", CONSTANT, ONE_CLASS, ONE_CLASS)
    assert np.isnan(table.auc[2:]).all() and np.isnan(table.odds_ratio[2:]).all()
    beyond = univariate_marker_table(values[:, None], y, cut=99.0)
    assert beyond.reasons == (ONE_SIDE,) and np.isnan(beyond.chi2[0]) and beyond.auc[0] == 0.55


def test_separated_classes_have_a_pvalue_but_no_interval():
    y = np.repeat([0, 1], 20)
    table = univariate_marker_table(np.arange(40.0)[:, None], y)
    assert table.auc[0] == 1.0 and np.isnan(table.auc_low[0]) and table.auc_pvalue[0] < 1e-6
    assert table.odds_ratio[0] == pytest.approx(41.0**2)


def test_tables_and_named_outcomes():
    rng = np.random.default_rng(0)
    ill = np.arange(60, dtype=np.int32) % 2
    dose = rng.normal(size=60) + 2 * ill
    columns = [
        Column("dose", "numeric", dose),
        Column("age", "numeric", rng.normal(size=60)),
        Column("ill", "categorical", ill, ("no", "yes")),
    ]
    table = univariate_marker_table(FeatureTable.from_columns(columns), "ill", positive="yes")
    assert table.names == ("dose", "age")
    assert table.auc[0] == pytest.approx(roc_auc_score(ill, dose))
    assert table.records()[0]["names"] == "dose" and len(table.records()) == 2
    with pytest.raises(ValueError, match="no column 'sick'"):
        univariate_marker_table(FeatureTable.from_columns(columns), "sick")
    with pytest.raises(ValueError, match="no numeric column"):
        univariate_marker_table(FeatureTable.from_columns(columns[2:]), "ill")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [0, 1, 2, 0]}, "two values"),
        ({"y": [0, 1, 0]}, "3 values for 4 rows"),
        ({"y": [0, 1, 0, np.nan]}, "missing values"),
        ({"y": "ill"}, "no column 'ill'"),
        ({"positive": 7}, "not a value of y"),
        ({"cut": "best"}, "cut must be"),
        ({"cut": [1.0, 2.0]}, "2 values for 1 markers"),
        ({"alpha": 1.5}, "alpha"),
        ({"X": np.ones(4)}, "shape"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        univariate_marker_table(**{"X": np.arange(4.0)[:, None], "y": [0, 1, 0, 1], **arguments})


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="negative"):
        odds_ratio(1, -1, 2, 2)
    with pytest.raises(ValueError, match="alpha"):
        odds_ratio(1, 1, 2, 2, alpha=0.0)
    with pytest.raises(ValueError, match="cases and controls"):
        delong([], [1.0])


def drawn_volume():
    """Two lesions; a line that ends at the first, one that runs past it, one that points at it from afar."""
    lesions = np.zeros((30, 40, 40), dtype=np.int32)
    lesions[14:17, 9:12, 9:12] = 3
    lesions[14:17, 30:33, 30:33] = 5
    ends, passes, points = (np.zeros(lesions.shape, dtype=bool) for _ in range(3))
    ends[15, 10, 12:16] = True
    passes[15, 7, 4:16] = True
    points[15, 10, 14:18] = True
    return lesions, ends, passes, points


def test_distance_count_and_volume_of_drawn_lines():
    lesions, ends, passes, points = drawn_volume()
    structures = {"ends": ends, "passes": passes, "points": points, "none": np.zeros_like(ends)}
    names, values = distance_features(lesions, structures, shell=6.0)
    found = dict(zip(names, values.T))
    assert found["ends distance"] == pytest.approx([1.0, np.sqrt(18**2 + 15**2)], abs=3.5)
    assert found["ends distance"][0] == 1.0 and found["points distance"][0] == 3.0
    assert found["ends count"].tolist() == [1, 0]
    assert found["passes count"].tolist() == [0, 0]
    assert found["points count"].tolist() == [1, 0]
    assert np.isnan(found["none distance"]).all() and found["none volume"].tolist() == [0, 0]
    shell = np.sqrt(((np.argwhere(lesions == 0)[:, None] - np.argwhere(lesions == 3)) ** 2).sum(2).min(1)) <= 6
    assert found["ends volume"][0] == pytest.approx(4 / shell.sum())


def test_distances_scale_with_the_voxels():
    lesions, ends, _, points = drawn_volume()
    one = distance_features(lesions, {"a": ends, "b": points})[1]
    two = distance_features(lesions, {"a": ends, "b": points}, spacing=2.0, shell=12.0, touch=3.0)[1]
    assert two[:, [0, 3]] == pytest.approx(2 * one[:, [0, 3]])
    assert two[:, [1, 2, 4, 5]] == pytest.approx(one[:, [1, 2, 4, 5]])


def test_bad_volumes_are_named():
    lesions, ends, _, _ = drawn_volume()
    with pytest.raises(ValueError, match="at least one label"):
        distance_features(np.zeros_like(lesions), {"a": ends})
    with pytest.raises(ValueError, match="structures is empty"):
        distance_features(lesions, {})
    with pytest.raises(ValueError, match="structure 'a' has shape"):
        distance_features(lesions, {"a": ends[1:]})
    with pytest.raises(ValueError, match="must be positive"):
        distance_features(lesions, {"a": ends}, shell=0.0)


def test_an_outcome_beside_a_table_may_be_any_vector():
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    X = FeatureTable.from_columns([Column("a", "numeric", rng.normal(size=60)), Column("b", "numeric", y + 0.0)])
    expected = univariate_marker_table(X, y.tolist()).auc
    np.testing.assert_array_equal(univariate_marker_table(X, y).auc, expected)
    np.testing.assert_array_equal(univariate_marker_table(X, np.where(y, "ill", "healthy")).auc, expected)


def test_a_case_of_a_named_outcome_is_found_by_its_value_or_its_word():
    codes = np.arange(30, dtype=np.int32) % 2
    values = Column("a", "numeric", np.random.default_rng(2).normal(size=30))
    table = FeatureTable.from_columns([values, Column("y", "categorical", codes, ("0", "1"))])
    first, second = (univariate_marker_table(table, "y", positive=value).auc[0] for value in (0, "1"))
    assert first == pytest.approx(1.0 - second) and first != second


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_by_two_chi_square(-1, 5, 5, 2), "negative"),
        (lambda: delong([1.0, np.nan], [0.0, 2.0]), "missing"),
        (lambda: youden_cut([1.0, 2.0, np.nan], [True, False, True]), "missing"),
        (lambda: youden_cut([1.0, 2.0, 3.0], [True, False]), "3 values and 2 outcomes"),
        (lambda: youden_cut([1.0, 2.0, 3.0], [True, True, True]), "cases and controls"),
    ],
)
def test_bad_input_of_the_parts_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
