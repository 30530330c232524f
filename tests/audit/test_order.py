"""The test of the rows' order: exactness under ties, power, and its parts against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.audit import NonIIDDetector, knn_graph, knn_iid_test, neighbour_order_test
from covey.audit.order import _gap_counts, background_cdf, row_scores
from covey.engine import LocalEngine
from covey.table import Column, FeatureTable


@parametrize_with_checks([NonIIDDetector()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def drifting(size: float, n_rows: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 5)) + np.linspace(0, size, n_rows)[:, None]


def random_neighbours(n_rows: int, k: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(np.delete(np.arange(n_rows), i), k, replace=False) for i in range(n_rows)])


def rejection_rate(make, repetitions: int, level: float = 0.05) -> float:
    seeds = range(repetitions)
    return float(np.mean([knn_iid_test(make(np.random.default_rng(s)), random_state=s).pvalue <= level for s in seeds]))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60))
def test_background_is_the_distribution_over_all_pairs(n_rows):
    gaps = [j - i for i in range(n_rows) for j in range(i + 1, n_rows)]
    assert background_cdf(n_rows) == pytest.approx([np.mean(np.array(gaps) <= g) for g in range(n_rows)])


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 40), st.integers(1, 4), st.integers(0, 1000))
def test_statistic_agrees_with_its_definition(n_rows, k, seed):
    neighbours = random_neighbours(n_rows, k, seed)
    gaps = np.abs(neighbours - np.arange(n_rows)[:, None]).ravel()
    ecdf = np.array([np.mean(gaps <= g) for g in range(n_rows)])
    result = neighbour_order_test(neighbours, n_permutations=3)
    assert result.statistic == pytest.approx(np.abs(ecdf - background_cdf(n_rows)).max())
    assert result.gap_ecdf == pytest.approx(ecdf[1:])
    assert result.background == pytest.approx(background_cdf(n_rows)[1:])


def test_permuting_positions_is_permuting_rows():
    neighbours = random_neighbours(30, 3, 0).astype(np.int32)
    position = np.random.default_rng(1).permutation(30).astype(np.int32)
    moved = np.empty_like(neighbours)
    moved[position] = position[neighbours]
    identity = np.arange(30, dtype=np.int32)
    assert (_gap_counts(neighbours, position) == _gap_counts(moved, identity)).all()


def test_graph_is_the_k_nearest_rows():
    x = np.random.default_rng(0).normal(size=(80, 3))
    expected = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x, return_distance=False)[:, 1:]
    assert (knn_graph(x, 5) == expected).all()
    embedded = np.random.default_rng(1).normal(size=(80, 8))
    by_cosine = NearestNeighbors(n_neighbors=6, metric="cosine").fit(embedded)
    expected = by_cosine.kneighbors(embedded, return_distance=False)[:, 1:]
    assert (knn_graph(embedded, 5) == expected).all()
    assert not (knn_graph(embedded, 5, metric="euclidean") == expected).all()


def test_graph_never_holds_a_row_itself_even_among_copies():
    x = np.repeat(np.arange(3.0), 20)[:, None]
    graph = knn_graph(x, 7)
    assert graph.shape == (60, 7)
    assert not (graph == np.arange(60)[:, None]).any()
    assert (x[graph, 0] == x).all()
    assert all(len(set(row)) == 7 for row in graph.tolist())


def test_tied_neighbours_do_not_come_in_the_order_of_rows():
    gaps = np.abs(knn_graph(np.zeros((500, 2)), 10, random_state=3) - np.arange(500)[:, None])
    assert stats.kstest(gaps[:, 0] / 500, lambda t: t * (2 - t)).statistic < 0.6
    assert np.mean(gaps <= 10) < 0.2


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.normal(size=(150, 5)),
        lambda rng: rng.integers(0, 2, size=(150, 3)).astype(float),
        lambda rng: np.ones((150, 2)),
    ],
    ids=["normal", "binary", "constant"],
)
def test_random_order_is_rejected_at_the_level_only(make):
    # 100 runs at level 0.05: more than 12 rejections have probability 0.0015
    assert rejection_rate(make, 100) <= 0.12


def test_drift_autocorrelation_and_sorting_are_found():
    assert rejection_rate(lambda rng: drifting(1.0, seed=int(rng.integers(1e6))), 10) == 1.0
    walk = np.random.default_rng(0).normal(size=(300, 2)).cumsum(axis=0)
    assert knn_iid_test(walk).pvalue == 0.005
    iris = load_iris().data
    assert knn_iid_test(iris).pvalue <= 0.01
    assert knn_iid_test(np.random.default_rng(0).permutation(iris)).pvalue > 0.05


def test_same_seed_same_bits_whatever_the_workers():
    x = drifting(0.3)
    one, two = (knn_iid_test(x, engine=LocalEngine(w)) for w in (1, 2))
    assert (one.null == two.null).all() and one.pvalue == two.pvalue
    assert not (knn_iid_test(x, random_state=1).null == one.null).all()


def test_pvalue_counts_the_permutations_that_reach_the_statistic():
    result = knn_iid_test(drifting(0.2), n_permutations=49)
    assert result.pvalue == pytest.approx((1 + np.sum(result.null >= result.statistic)) / 50)


def area_by_sum(gaps: np.ndarray, place: int, n_rows: int) -> float:
    all_gaps = np.abs(np.delete(np.arange(n_rows), place) - place)
    grid = np.arange(0, all_gaps.max() + 1e-9, 0.001)
    steps = np.array([np.mean(gaps <= g) for g in grid])
    background = np.interp(grid, np.arange(n_rows), [np.mean(all_gaps <= g) for g in range(n_rows)])
    return float(np.abs(steps - background).mean())


@pytest.mark.parametrize("place", [0, 3, 10, 19])
def test_row_scores_agree_with_the_area_by_brute_force(place):
    neighbours = random_neighbours(20, 4, 5)
    gaps = np.abs(neighbours[place] - place)
    expected = 1 - np.tanh(area_by_sum(gaps, place, 20) / (np.sqrt(2 / (np.pi * 4)) * np.pi / 8))
    assert row_scores(neighbours)[place] == pytest.approx(expected, abs=2e-3)


def test_scores_fall_where_the_order_matters():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    x[300:400] = [8, 8] + 0.1 * rng.normal(size=(100, 2))
    local = knn_iid_test(x).local_scores()
    assert 300 <= np.argmin(local) < 400
    assert local[320:380].max() < 0.5 * np.median(local)


def test_running_mean_is_a_mean_of_scores():
    result = knn_iid_test(drifting(0.0, n_rows=40))
    assert result.local_scores(1) == pytest.approx(result.row_scores)
    assert result.local_scores(5)[10] == pytest.approx(result.row_scores[8:13].mean())
    assert result.local_scores(79) == pytest.approx(np.full(40, result.row_scores.mean()))


def test_tables_are_standardised_and_categories_count():
    rng = np.random.default_rng(0)
    team = np.repeat(np.array([0, 1, 2], dtype=np.int32), 50)
    income = rng.normal(size=150) * 1e6
    income[3] = np.nan
    table = FeatureTable.from_columns(
        [
            Column("income", "numeric", income),
            Column("team", "categorical", team, ("a", "b", "c")),
            Column("row", "id", np.arange(150.0)),
        ]
    )
    assert knn_iid_test(table).pvalue == 0.005
    assert knn_iid_test(table.select(["income"])).pvalue > 0.05
    with pytest.raises(ValueError, match="no column to compare rows by"):
        knn_iid_test(table.select(["row"]))


def test_detector_names_the_feature_that_trends():
    x = np.random.default_rng(0).normal(size=(400, 4))
    x[:, 2] -= np.linspace(0, 3, 400)
    detector = NonIIDDetector().fit(x)
    assert not detector.is_iid_
    assert detector.trend_ == pytest.approx([stats.spearmanr(np.arange(400), c).statistic for c in x.T])
    assert "x2 (Spearman -0." in detector.report()
    assert "x0 (" not in detector.report()
    calm = NonIIDDetector().fit(np.random.default_rng(1).normal(size=(300, 3)))
    assert calm.is_iid_ and calm.report().startswith("Nothing speaks against")


def test_bad_input_is_named():
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="at least 3 rows"):
        knn_iid_test(x[:2])
    with pytest.raises(ValueError, match="missing or infinite"):
        knn_iid_test(np.where(x > 1, np.nan, x))
    with pytest.raises(ValueError, match="k must be at least 1"):
        knn_iid_test(x, k=0)
    with pytest.raises(ValueError, match="no metric 'manhattan'"):
        knn_iid_test(x, metric="manhattan")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_permutations"):
        knn_iid_test(x, n_permutations=0)
    with pytest.raises(ValueError, match="positions of rows"):
        neighbour_order_test(np.array([[5], [0], [1]]))
    with pytest.raises(ValueError, match="window"):
        knn_iid_test(x).local_scores(0)
