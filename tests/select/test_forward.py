"""Forward selection by what is left: definitions, planted truth, windows, kinds of targets, engines, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure._crossfit import row_folds
from covey.measure.distance_joint import multivariate_distance_correlation
from covey.select import DistanceCorrelationSelector, ResidualForward
from covey.select._base import Scores, numeric_block, target_column
from covey.select.forward import (
    FEWEST_ROWS,
    Unexplained,
    column_distance_correlations,
    confused_pairs,
    confusion_window,
    largest_residuals,
)
from covey.table import read

MODES = ["joint", "confusion", "joint+confusion"]


@parametrize_with_checks(
    [DistanceCorrelationSelector(k=1, mode=mode, random_state=0) for mode in MODES]
    + [DistanceCorrelationSelector(k="all", random_state=0), ResidualForward(k=1, random_state=0)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=600, seed=0):
    """Copies of a strong effect, a weaker even one, and noise."""
    rng = np.random.default_rng(seed)
    strong, weak = rng.normal(size=(2, n))
    copies = [strong + 0.2 * rng.normal(size=n) for _ in range(3)]
    x = np.column_stack([*copies, weak, rng.normal(size=(n, 3))])
    return x, 2 * strong + 1.5 * (np.abs(weak) - 0.8)


@pytest.mark.parametrize("mode", ["confusion", "joint+confusion"])
@pytest.mark.parametrize("numbers", [False, True])
def test_a_weaker_effect_comes_before_a_copy(mode, numbers):
    x, y = planted()
    found = DistanceCorrelationSelector(k=2, mode=mode, random_state=0).fit(x, y if numbers else y > 0)
    assert found.path_[0][0] in (0, 1, 2) and found.path_[1][0] == 3
    assert [j for j, _ in found.path_] == np.argsort(found.ranking_)[:2].tolist()
    assert found.path_[1][1] == found.scores_[3]


def test_three_classes():
    x, y = planted(900)
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-1.0, 1.0])]
    found = DistanceCorrelationSelector(k=2, random_state=0).fit(x, labels)
    assert found.path_[1][0] == 3


@pytest.mark.parametrize("corrected", [False, True])
def test_a_joint_path_is_that_of_the_definition(corrected):
    x, y = planted(120)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    found = DistanceCorrelationSelector(k=3, mode="joint", corrected=corrected, random_state=0).fit(x, y)
    chosen = []
    for column, score in found.path_:
        values = [multivariate_distance_correlation(z[:, [*chosen, j]], y, corrected) for j in range(7)]
        values = [-2.0 if j in chosen else value for j, value in enumerate(values)]
        assert column == np.argmax(values) and score == pytest.approx(max(values), abs=1e-10)
        chosen.append(column)


@pytest.mark.parametrize("mode", ["confusion", "joint+confusion"])
def test_a_step_is_that_of_the_definition(mode):
    x, y = planted(300)
    labels = (y > 0).astype(int)
    folds = row_folds(3, 300, labels, True, random_state=4)
    learner = LogisticRegression()
    found = DistanceCorrelationSelector(k=2, mode=mode, learner=learner, cv=folds, random_state=0).fit(x, labels)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    first = found.path_[0][0]
    probability = np.empty(300)
    for train, test in folds:
        fitted = learner.fit(z[train][:, [first]], labels[train])
        probability[test] = fitted.predict_proba(z[test][:, [first]])[:, 1]
    rows = np.flatnonzero((probability > 0.3) & (probability < 0.7))
    assert len(rows) >= FEWEST_ROWS
    joined = [first] if mode == "joint+confusion" else []
    values = [multivariate_distance_correlation(z[rows][:, [*joined, j]], labels[rows]) for j in range(7) if j != first]
    assert found.path_[1][1] == pytest.approx(max(values), abs=1e-9)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], None])
@pytest.mark.parametrize("corrected", [False, True])
def test_single_columns_equal_the_definition(labels, corrected):
    rng = np.random.default_rng(0)
    y = rng.normal(size=80) if labels is None else rng.choice(labels, 80)
    columns = rng.normal(size=(4, 80)) + y
    target = target_column(y, "numeric" if labels is None else "categorical")
    found = column_distance_correlations(columns, target, corrected)
    expected = [
        multivariate_distance_correlation(c, y if labels is None else y.astype(int), corrected) for c in columns
    ]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_values_equal_dcor():
    dcor = pytest.importorskip("dcor")
    x, y = planted(200)
    labels = (y > 0).astype(float)
    found = DistanceCorrelationSelector(k=3, mode="joint", random_state=0).fit(x, labels)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    for step, (_, score) in enumerate(found.path_):
        chosen = [j for j, _ in found.path_[: step + 1]]
        assert score == pytest.approx(dcor.distance_correlation(z[:, chosen], labels[:, None]), abs=1e-10)


def test_samples_are_averaged():
    x, y = planted(400)
    once = DistanceCorrelationSelector(k=1, max_samples=50, random_state=0).fit(x, y).path_[0][1]
    many = DistanceCorrelationSelector(k=1, max_samples=50, n_repeats=30, random_state=0).fit(x, y).path_[0][1]
    exact = DistanceCorrelationSelector(k=1, max_samples=None).fit(x, y).path_[0][1]
    assert once != many and many == pytest.approx(exact, abs=0.06)


def test_a_threshold_stops_the_path():
    x, y = planted()
    found = DistanceCorrelationSelector(threshold=0.15, random_state=0).fit(x, y)
    assert set(found.get_support(indices=True)) == {j for j, _ in found.path_}
    assert 3 in found.get_support(indices=True) and found.get_support().sum() < 6


def test_the_window_of_two_classes_and_of_more():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    codes = (rng.random(500) < p).astype(int)
    rows = confusion_window(np.column_stack([1 - p, p]), codes, (0.2, 0.6))
    assert set(rows) == set(np.flatnonzero((p > 0.2) & (p < 0.6)))
    q = rng.dirichlet(np.ones(3), size=500)
    rows = confusion_window(q, rng.integers(3, size=500), (0.3, 0.7))
    ordered = np.sort(q, axis=1)
    assert set(rows) == set(np.flatnonzero(ordered[:, 2] - ordered[:, 1] < 0.7 - 0.3))


def test_pairs_are_apart_and_hold_their_classes():
    rng = np.random.default_rng(0)
    p, codes = rng.dirichlet(np.ones(4), size=2000), rng.integers(4, size=2000)
    rows = confusion_window(p, codes)
    parts = confused_pairs(p, codes, rows)
    assert len(parts) == 6 and len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
    for part in parts:
        two = np.argsort(-p[part], axis=1)[:, :2]
        assert len(np.unique(codes[part])) == 2 and (two == codes[part][:, None]).any(axis=1).all()
    assert confused_pairs(p, codes, rows[:30])[0] is not rows and len(confused_pairs(p, codes, rows[:30])) == 1


def test_an_empty_window_takes_the_least_certain_rows_of_each_class():
    p = np.concatenate([np.linspace(0.0, 0.1, 100), np.linspace(0.9, 1.0, 100)])
    codes = np.repeat([0, 1], 100)
    rows = confusion_window(np.column_stack([1 - p, p]), codes)
    assert rows.tolist() == list(range(75, 100)) + list(range(100, 125))


def test_the_largest_residuals():
    residual = np.random.default_rng(0).normal(size=1000)
    rows = largest_residuals(residual, (0.1, 0.3))
    assert len(rows) == 200 and np.abs(residual[rows]).min() >= np.sort(np.abs(residual))[-200]
    assert len(largest_residuals(residual[:60], (0.4, 0.5))) == FEWEST_ROWS
    assert len(largest_residuals(residual[:20])) == 20


def test_without_columns_nothing_is_explained():
    x, y = planted(50)
    target = target_column(y)
    (rows,), same = Unexplained(read(x), target, None, (0.3, 0.7), row_folds(2, 50, y))(())
    assert len(rows) == 50 and same is target


def test_any_measure_or_ranker_scores_the_rest():
    x, y = planted()
    labels = np.where(y > 0, "yes", "no")

    def f(table, target, association=None):
        return Scores(f_classif(numeric_block(table) ** 2, target.values)[0])

    for scorer in ("auto", "mutual_information", f):
        found = ResidualForward(scorer, k=4, max_samples=300, n_repeats=2, random_state=0).fit(x, labels)
        assert 3 in [j for j, _ in found.path_]


def test_mixed_columns_with_gaps():
    rng = np.random.default_rng(0)
    x, y = planted()
    frame = pd.DataFrame(x, columns=[f"c{j}" for j in range(7)])
    frame["team"] = np.where(rng.random(600) < 0.5, "red", "blue")
    frame.loc[::9, "c5"] = np.nan
    found = ResidualForward(k=3, random_state=0).fit(frame, y + 2.0 * (frame["team"] == "red"))
    assert "team" in [frame.columns[j] for j, _ in found.path_]


@pytest.mark.parametrize("make", [DistanceCorrelationSelector, ResidualForward])
def test_the_result_depends_on_the_seed_and_not_on_the_engine(make):
    x, y = planted(200)
    options = {"k": 3, "max_samples": 60, "learner": RandomForestClassifier(5)}
    paths = [make(random_state=1, engine=e, **options).fit(x, y > 0).path_ for e in ("local:1", "local:2")]
    assert paths[0] == paths[1] != make(random_state=2, **options).fit(x, y > 0).path_


def test_units_and_large_means_change_nothing():
    x, y = planted(300)
    near, far = (
        DistanceCorrelationSelector(k=3, mode="joint", random_state=0).fit(part, y > 0)
        for part in (x, x * 10.0 ** np.arange(-3, 4) + 1e6)
    )
    assert [j for j, _ in near.path_] == [j for j, _ in far.path_]


def test_duplicates_and_constants_in_the_window():
    x, y = planted(300)
    rare = np.zeros(300)
    rare[np.argmax(y)] = 1.0
    found = DistanceCorrelationSelector(k="all", random_state=0).fit(np.column_stack([x, x[:, 0], rare]), y > 0)
    assert sorted(found.ranking_) == list(range(1, 10)) and not np.isnan(found.scores_).any()


def test_progress_is_told():
    x, y = planted(100)
    told = []
    DistanceCorrelationSelector(k=2, callback=lambda chosen, score: told.append((chosen[-1], score))).fit(x, y)
    assert len(told) == 2


@pytest.mark.parametrize("make", [DistanceCorrelationSelector, ResidualForward])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": (0.7, 0.3)}, "two rising probabilities"),
        ({"max_samples": 2}, "max_samples"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"k": 99}, "lower k"),
        ({"learner": LogisticRegression()}, "give a regressor"),
        ({"cv": 1}, "at least 2 folds"),
    ],
)
def test_bad_input_is_refused(make, options, words):
    x, y = planted(60)
    with pytest.raises(ValueError, match=words):
        make(**{"k": 2, **options}).fit(x, y)


def test_more_bad_input():
    x, y = planted(60)
    with pytest.raises(ValueError, match="mode must be"):
        DistanceCorrelationSelector(k=2, mode="both").fit(x, y)
    with pytest.raises(ValueError, match="give a classifier"):
        ResidualForward(learner=LinearRegression(), k=2).fit(x, y > 0)
    frame = pd.DataFrame(x).add_prefix("c")
    with pytest.raises(ValueError, match="'c1'"):
        DistanceCorrelationSelector(k=2).fit(frame.assign(c1="a").assign(c1=list("ab") * 30), y)
    frame.loc[3, "c2"] = np.nan
    with pytest.raises(ValueError, match="'c2'"):
        DistanceCorrelationSelector(k=2).fit(frame, y)


def test_distances_of_a_set_are_kept():
    """The running matrix of squared distances gives the same joint score as distances of the whole set."""
    x, y = planted(80)
    found = DistanceCorrelationSelector(k=4, mode="joint", max_samples=None).fit(x, y)
    z = ((x - x.mean(axis=0)) / x.std(axis=0))[:, [j for j, _ in found.path_]]
    a, b = (cdist(part, part) for part in (z, y[:, None]))
    a, b = (d - d.mean(axis=0) - d.mean(axis=1)[:, None] + d.mean() for d in (a, b))
    assert found.path_[3][1] == pytest.approx(np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean())))


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_do_not_matter(unit):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = x[:, 0] + 0.5 * x[:, 1] + 0.1 * rng.normal(size=120)
    expected = DistanceCorrelationSelector(k=2, random_state=0).fit(x, y)
    found = DistanceCorrelationSelector(k=2, random_state=0).fit(unit * x, y)
    np.testing.assert_allclose(found.scores_, expected.scores_, rtol=1e-6)


def test_what_no_measure_can_tell_was_not_passed_over():
    x = np.random.default_rng(0).normal(size=(3, 2))
    with pytest.raises(ValueError, match="the ranker is undefined here"):
        ResidualForward(k=2, random_state=0).fit(x, np.array([0.1, 0.2, 0.4]))
