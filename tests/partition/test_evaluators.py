"""Pcor, Icor, alpha and beta of data: the paper's numbers, what is undefined, and the report of all of it."""

import contextlib
import io
import json
import pickle
import warnings

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

import covey
from covey.partition._partition import Partition
from covey.partition.evaluators import (
    correlation_bounds,
    estimate_alpha,
    estimate_beta,
    evaluate,
    inter_party_correlation,
    party_correlation,
)
from covey.partition.importance import party_importance

CANCER = load_breast_cancer().data
CONSTANT = np.where(np.arange(30) == 3, 5.0, CANCER)

# vertibench 0.1.2
REFERENCE = [
    ("spearman", CANCER, (10, 10, 10), -0.11040234606927578),
    ("pearson", CANCER, (10, 10, 10), -0.1254185950649116),
    ("spearman", CANCER, (1, 4, 25), -0.008892590357871802),
    ("pearson", CANCER, (1, 4, 25), -0.006825984990841361),
    ("spearman", CONSTANT, (10, 10, 10), -0.10640960347201112),
    ("pearson", CONSTANT, (10, 10, 10), -0.12181315570785896),
]
REFERENCE_PCOR = [
    [0.5423310171773884, 0.3995423532819319, 0.5200272970133626],
    [0.3995423532819319, 0.4957178281792833, 0.3571980241071079],
    [0.5200272970133626, 0.3571980241071079, 0.569925867253558],
]


@pytest.fixture(autouse=True)
def one_thread():
    """OpenMP's threads wait for each other where other work keeps the cores busy."""
    with threadpool_limits(1):
        yield


undefined_on_purpose = pytest.mark.filterwarnings("ignore:correlations of:UserWarning")


def parted(X: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(X, np.cumsum(sizes)[:-1], axis=1)


def by_sizes(sizes: tuple[int, ...]) -> Partition:
    return Partition.from_labels(np.repeat(np.arange(len(sizes)), sizes))


def correlated(n: int = 300, seed: int = 0) -> np.ndarray:
    """Six features, of which 0 to 2 and 3 to 5 correlate."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)).repeat(3, axis=1) + rng.normal(size=(n, 6))


@undefined_on_purpose
@pytest.mark.parametrize(("correlation", "X", "sizes", "expected"), REFERENCE)
def test_icor_equals_the_reference_implementation(correlation, X, sizes, expected):
    assert inter_party_correlation(parted(X, sizes), correlation=correlation) == pytest.approx(expected, abs=1e-10)
    assert inter_party_correlation(X, by_sizes(sizes), correlation=correlation) == pytest.approx(expected, abs=1e-10)


def test_pcor_equals_the_reference_implementation():
    assert party_correlation(parted(CANCER, (10, 10, 10))) == pytest.approx(np.array(REFERENCE_PCOR), abs=1e-10)


def test_every_source_gives_the_same(tmp_path):
    names = load_breast_cancer().feature_names
    partition = Partition(by_sizes((10, 10, 10)).parties, tuple(map(str, names)))
    frame = pandas.DataFrame(CANCER, columns=names)
    frame.sample(frac=1, axis=1, random_state=0).assign(other=1.5).to_parquet(tmp_path / "cancer.parquet")
    matrix = covey.associate(frame, measure="spearman", pvalues=False)
    expected = REFERENCE[0][3]
    for X in (CANCER, frame, covey.read(frame), tmp_path / "cancer.parquet", str(tmp_path / "cancer.parquet"), matrix):
        assert inter_party_correlation(X, partition) == pytest.approx(expected, abs=1e-10)
    given_matrix = inter_party_correlation(matrix.values, partition, correlation="precomputed")
    assert given_matrix == pytest.approx(expected, abs=1e-10)
    frames = [frame.iloc[:, part] for part in partition.parties]
    assert inter_party_correlation(frames) == pytest.approx(expected, abs=1e-10)


def test_a_new_split_of_the_same_data_is_evaluated_with_its_own_columns():
    X = correlated()
    together, apart = Partition.from_labels([0, 0, 0, 1, 1, 1]), Partition.from_labels([0, 1, 0, 1, 0, 1])
    low, high = (inter_party_correlation(X, partition) for partition in (together, apart))
    assert low < -0.2 < -0.1 < high
    again = inter_party_correlation(together.split(X))
    assert again == pytest.approx(low, abs=1e-12)
    assert inter_party_correlation(apart.split(X)) == pytest.approx(high, abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_icor_does_not_depend_on_the_order_of_parties_columns_or_rows(seed):
    rng = np.random.default_rng(seed)
    X, labels = correlated(40, seed), rng.permutation([0, 0, 1, 1, 2, 2])
    columns, rows, parties = rng.permutation(6), rng.permutation(40), rng.permutation(3)
    moved = Partition.from_labels(parties[labels][columns])
    expected = inter_party_correlation(X, Partition.from_labels(labels))
    assert inter_party_correlation(X[rows][:, columns], moved) == pytest.approx(expected, abs=1e-10)


def test_more_correlation_between_parties_is_a_larger_beta():
    X = correlated()
    bounds = correlation_bounds(X, Partition.from_labels([0, 0, 0, 1, 1, 1]))
    betas = []
    for labels in ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1]):
        found = evaluate(X, Partition.from_labels(labels), bounds=bounds)
        betas.append((found.beta, found.between))
    assert betas[0][0] == 0.0 and betas[-1][0] > 0.5
    assert betas[0][1] < betas[-1][1]


def test_constant_columns_are_named_and_not_passed_off_as_independent():
    X = np.hstack([correlated(), np.full((300, 1), 2.0)])
    partition = Partition.from_labels([0, 0, 0, 1, 1, 1, 1])
    with pytest.warns(UserWarning, match="of 'x6' with all others are undefined"):
        pcor = party_correlation(X, partition)
    assert np.isfinite(pcor).all()
    with pytest.warns(UserWarning, match="x6"):
        report = evaluate(X, partition)
    assert report.undefined == ("x6",)
    with_seven, with_six = report.within, evaluate(X[:, :6], Partition.from_labels([0, 0, 0, 1, 1, 1])).within
    assert with_seven == pytest.approx(with_six)


def test_evaluation_prints_nothing_and_leaves_global_randomness_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        evaluate(correlated(), by_sizes((3, 3)), (correlated()[:, 0] > 0).astype(int), bounds="search")
    assert out.getvalue() == ""
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_one_party_has_no_icor():
    assert np.isnan(inter_party_correlation([CANCER]))
    assert party_correlation([CANCER]).shape == (1, 1)


def test_a_partition_without_names_takes_those_of_the_table():
    frame = pandas.DataFrame(correlated(), columns=list("abcdef"))
    assert evaluate(frame, by_sizes((3, 3))).to_dict()["parties"]["party-1"] == ["d", "e", "f"]


def test_parties_may_share_a_feature_or_hold_none():
    X = correlated()
    partition = Partition(
        (np.array([0, 1, 2]), np.array([2, 3, 4, 5]), np.array([], dtype=int)), by_sizes((3, 3)).names
    )
    pcor = party_correlation(X, partition)
    assert pcor[0, 1] > 0.2 and (pcor[2] == 0).all()
    report = evaluate(X, partition)
    assert np.isnan(report.mean_correlation[2]).all() and report.mean_correlation[0, 1] > 0.1
    with pytest.raises(ValueError, match="share no feature"):
        correlation_bounds(X, partition)
    without = Partition((np.arange(6), np.array([], dtype=int)), partition.names)
    with pytest.raises(ValueError, match="'party-1' has none"):
        correlation_bounds(X, without)


def test_bad_data_is_refused():
    X = correlated()
    with pytest.raises(ValueError, match="X has 6 columns, but the partition spreads 5 features"):
        party_correlation(X, by_sizes((3, 2)))
    with pytest.raises(ValueError, match="not those of X: no column 'age'"):
        party_correlation(pandas.DataFrame(X), Partition.from_mapping({"a": ["age"]}, ["age"]))
    with pytest.raises(ValueError, match=r"rows; all must hold the same samples"):
        party_correlation([X, X[1:]])
    with pytest.raises(ValueError, match="at least 3 rows"):
        party_correlation(X[:1], by_sizes((3, 3)))
    with pytest.raises(ValueError, match="no correlation is defined"):
        party_correlation(np.ones((9, 4)), by_sizes((2, 2)))
    with pytest.raises(TypeError, match="give a partition"):
        party_correlation(X)
    with pytest.raises(TypeError, match="give a partition with the correlation matrix"):
        party_correlation(np.eye(4), correlation="precomputed")
    with pytest.raises(ValueError, match="spearman does not take the categorical column 'town'"):
        party_correlation(pandas.DataFrame({"x": X[:, 0], "town": list("abc") * 100}), by_sizes((1, 1)))


def test_a_column_without_any_value_is_undefined_and_named():
    X = correlated()
    X[:, 4] = np.nan
    with pytest.warns(UserWarning, match="'x4'"):
        report = evaluate(X, by_sizes((3, 3)))
    assert report.undefined == ("x4",)
    assert np.isfinite(report.pcor).all() and np.isfinite(report.cka.values).all()


def test_beta_is_clipped_and_needs_ascending_bounds():
    assert [estimate_beta(x, -0.2, 0.2) for x in (-0.3, -0.2, 0.0, 0.2, 0.4)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert np.isnan(estimate_beta(float("nan"), -0.2, 0.2))
    for low, high in ((0.2, 0.2), (0.3, 0.2), (float("nan"), 0.2), (0.0, float("inf"))):
        with pytest.raises(ValueError, match="icor_min must be less than icor_max"):
            estimate_beta(0.1, low, high)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 10.0), min_size=2, max_size=8).filter(lambda x: max(x) > 1.01 * min(x)))
def test_alpha_solves_the_variance_of_a_dirichlet_share(importance):
    alpha, n_parties = estimate_alpha(importance).alpha, len(importance)
    variance = np.var(np.array(importance) / sum(importance))
    assert (n_parties - 1) / (n_parties**2 * (n_parties * alpha + 1)) == pytest.approx(variance, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_alpha_of_random_splits_is_recovered(alpha):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        counts = 1 + rng.multinomial(196, rng.dirichlet(np.full(4, alpha)))
        found.append(estimate_alpha(counts).alpha)
    assert 0.5 < np.median(found) / alpha < 2.0


def test_alpha_at_its_limits():
    for shares in ([0.25] * 4, [1 / 3] * 3, [0.1] * 10):
        equal = estimate_alpha(shares)
        assert equal.alpha == np.inf and "same share" in equal.reason
    assert estimate_alpha([0.0, 7.0, 0.0]).alpha == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(estimate_alpha([3.0]).alpha) and "one party" in estimate_alpha([3.0]).reason
    assert np.isnan(estimate_alpha([0.0, 0.0]).alpha) and "importance" in estimate_alpha([0.0, 0.0]).reason
    assert estimate_alpha([1.0, 2.0]).reason == ""


def test_alpha_interval_covers_the_alpha_of_the_population():
    scale, n_parties = np.array([4.0, 2.0, 1.0, 1.0]), 4
    variance = np.var(scale / scale.sum())
    truth = (n_parties - 1 - n_parties**2 * variance) / (n_parties**3 * variance)
    covered = []
    for seed in range(100):
        rows = np.random.default_rng(seed).exponential(scale, size=(200, 4))
        found = estimate_alpha(rows, n_bootstrap=200, confidence=0.9, random_state=seed)
        assert found.low <= found.alpha <= found.high
        covered.append(found.low <= truth <= found.high)
    assert 0.8 <= np.mean(covered) <= 0.98


def test_alpha_interval_narrows_with_rows_and_is_reproducible():
    rows = np.random.default_rng(0).exponential([4.0, 2.0, 1.0], size=(2000, 3))
    few, many = estimate_alpha(rows[:50]), estimate_alpha(rows)
    assert many.high - many.low < (few.high - few.low) / 3
    assert estimate_alpha(rows[:50]) == few != estimate_alpha(rows[:50], random_state=1)
    assert np.isnan(estimate_alpha(rows, n_bootstrap=0).low)
    assert np.isnan(estimate_alpha(rows.mean(axis=0)).high)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1.0, 2.0], {}), "at least 0"),
        (([np.nan, 2.0], {}), "finite"),
        (([], {}), "shape"),
        (([1.0, 2.0], {"confidence": 1.0}), "confidence"),
        (([1.0, 2.0], {"n_bootstrap": -1}), "n_bootstrap"),
    ],
)
def test_bad_importances_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        estimate_alpha(arguments[0], **arguments[1])


def test_report_agrees_with_its_parts():
    X = correlated()
    y = (X[:, 0] + X[:, 3] > 0).astype(int)
    partition = Partition(by_sizes((3, 3)).parties, by_sizes((3, 3)).names, ("bank", "shop"))
    model = LogisticRegression().fit(X, y)
    report = evaluate(X, partition, model=model, bounds=(-0.5, 0.1))
    r = np.abs(np.corrcoef(X.T))
    report_pearson = evaluate(X, partition, correlation="pearson")
    assert report.pcor == pytest.approx(party_correlation(X, partition))
    assert report.icor == inter_party_correlation(X, partition)
    assert report.beta == pytest.approx((report.icor + 0.5) / 0.6)
    assert report_pearson.between == pytest.approx(r[:3, 3:].mean())
    assert report_pearson.within == pytest.approx(
        np.r_[r[:3, :3][np.triu_indices(3, 1)], r[3:, 3:][np.triu_indices(3, 1)]].mean()
    )
    assert report_pearson.mean_correlation[1, 1] == pytest.approx(r[3:, 3:][np.triu_indices(3, 1)].mean())
    assert report.importance.shares == pytest.approx(party_importance(model, X, partition).shares)
    assert report.alpha == estimate_alpha(report.importance)
    assert report_pearson.importance is None and np.isnan(report_pearson.beta)


def test_report_fits_a_model_to_labels_of_a_mixed_table():
    rng = np.random.default_rng(0)
    town = rng.integers(3, size=400)
    frame = pandas.DataFrame(
        {"age": rng.normal(size=400), "town": np.array(["a", "b", "c"])[town], "noise": rng.normal(size=400)}
    )
    partition = Partition.from_mapping({"bank": ["age"], "shop": ["town"], "none": ["noise"]}, frame.columns)
    labels = np.where(town == 1, "yes", "no")
    report = evaluate(frame, partition, labels, correlation="auto")
    assert report.importance.party_names == ("bank", "shop", "none")
    assert report.importance.shares[1] > 0.8
    numbers = evaluate(frame, partition, 3.0 * (town == 1) + rng.normal(size=400) / 10, correlation="auto")
    assert numbers.importance.shares[1] > 0.8


def test_report_is_readable_plain_and_picklable():
    X = correlated()
    report = evaluate(X, by_sizes((3, 3)), (X[:, 0] > 0).astype(int), bounds=(-0.5, 0.1))
    assert all(word in str(report) for word in ("Icor", "beta", "party-0 3", "cka", "alpha"))
    assert len(repr(report).splitlines()) == 1
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["parties"]["party-1"] == ["x3", "x4", "x5"]
    assert plain["icor"] == report.icor and plain["rv"]["values"][0][1] == report.rv.values[0, 1]
    assert plain["importance"]["shares"] == report.importance.shares.tolist()
    assert pickle.loads(pickle.dumps(report)).icor == report.icor


def test_report_of_a_matrix_leaves_out_what_needs_the_data():
    X = correlated()
    matrix = covey.associate(X, measure="pearson", pvalues=False)
    report = evaluate(matrix, by_sizes((3, 3)))
    assert report.correlation == "pearson" and report.n_rows is None and report.cka is None
    assert report.icor == pytest.approx(inter_party_correlation(X, by_sizes((3, 3)), correlation="pearson"))
    with pytest.raises(ValueError, match="needs the features themselves"):
        evaluate(matrix, by_sizes((3, 3)), y=X[:, 0] > 0)
    with pytest.raises(ValueError, match="one label for each of 300 rows"):
        evaluate(X, by_sizes((3, 3)), y=[0, 1])


def test_sound_data_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = evaluate(correlated(), by_sizes((3, 3)))
    assert report.undefined == ()


def test_beta_is_undefined_where_all_splits_are_alike():
    X = np.random.default_rng(0).normal(size=(50, 4))
    report = evaluate(X, Partition.from_labels([0, 0, 1, 1]), bounds=(0.1, 0.1))
    assert np.isnan(report.beta) and report.bounds == (0.1, 0.1)
