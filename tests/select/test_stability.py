"""Stability selection and permuted probes: the definitions, planted truth, pure noise, workers, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select import (
    AssociationRanker,
    FunctionSelector,
    RedundancyAware,
    StabilitySelection,
    false_selection_bound,
    probe_false_discovery,
)
from covey.select._base import numeric_block, target_column
from covey.select.stability import subsample


def covariance(X, y, association=None):
    centred = y.values - y.values.mean()
    return np.abs(centred @ numeric_block(X))


def data(n=120, d=30, seed=0):
    """The third and the ninth column make the target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, max(d, 9)))
    return x[:, :d], x[:, 2] + x[:, 8] + 0.5 * rng.normal(size=n)


@parametrize_with_checks(
    [
        StabilitySelection(AssociationRanker(k=1), n_bootstrap=5),
        StabilitySelection(SelectKBest(f_classif, k=1), n_bootstrap=5),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), st.sampled_from([0.3, 0.5, 0.8]), st.integers(0, 99))
def test_a_subsample_has_the_same_share_of_each_class(labels, fraction, seed):
    target = target_column(np.array(labels), "categorical")
    rows = subsample(target, len(labels), fraction, seed)
    assert (np.diff(rows) > 0).all()
    for code in np.unique(target.values):
        size = np.count_nonzero(target.values == code)
        assert np.count_nonzero(target.values[rows] == code) == max(1, int(fraction * size))


def test_rows_of_a_number_are_drawn_from_all():
    draws = [subsample(target_column(np.linspace(0, 1, 20)), 20, 0.5, seed) for seed in range(200)]
    assert {len(rows) for rows in draws} == {10}
    assert np.bincount(np.concatenate(draws), minlength=20) == pytest.approx(np.full(20, 100), abs=35)


def test_frequencies_and_bound_are_those_of_the_definition():
    x, y = data()
    stable = StabilitySelection(AssociationRanker("pearson", k=3), n_bootstrap=12, random_state=5).fit(x, y)
    times = np.zeros(30)
    for seed in np.random.default_rng(5).integers(2**31, size=12):
        rows = np.random.default_rng(seed).choice(120, 60, replace=False)
        r = [abs(np.corrcoef(x[rows, j], y[rows])[0, 1]) for j in range(30)]
        times[np.argsort(r)[-3:]] += 1
    assert stable.scores_ == pytest.approx(times / 12)
    assert stable.mean_selected_ == 3 and stable.false_selection_bound_ == pytest.approx(9 / (0.5 * 30))
    assert stable.get_support(indices=True).tolist() == [2, 8]


def test_the_bound_holds_on_noise():
    wrong = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(60, 40)), rng.normal(size=60)
        stable = StabilitySelection(AssociationRanker("pearson", k=4), 30, cutoff=0.8, random_state=seed).fit(x, y)
        wrong.append(stable.get_support().sum())
    assert np.mean(wrong) <= false_selection_bound(4, 40, 0.8)
    assert false_selection_bound(4, 40, 0.8) == pytest.approx(2 / 3)


def test_only_columns_that_can_be_scored_count_in_the_bound():
    x, y = data()
    frame = pd.DataFrame(x).rename(columns=str).assign(flat=1.0)
    stable = StabilitySelection(AssociationRanker(k=3), n_bootstrap=4, random_state=0).fit(frame, y)
    assert stable.false_selection_bound_ == pytest.approx(9 / (0.5 * 30))
    assert np.isnan(stable.scores_[-1]) and not stable.get_support()[-1]


def test_workers_do_not_change_frequencies():
    x, y = data()
    ranker = RedundancyAware(k=3)
    one, three = (
        StabilitySelection(ranker, n_bootstrap=6, random_state=1, engine=e).fit(x, y).scores_
        for e in ("local:1", "local:3")
    )
    assert np.array_equal(one, three) and one.max() > 0


def test_selectors_of_scikit_learn_and_mixed_tables():
    x, y = data()
    labels = np.where(y > 0, "up", "down")
    stable = StabilitySelection(SelectKBest(f_classif, k=3), n_bootstrap=10, random_state=0).fit(x, labels)
    assert stable.get_support(indices=True).tolist() == [2, 8]
    frame = pd.DataFrame({"noise": x[:, 0], "team": labels, "half": np.where(x[:, 1] > 0, y, np.nan)})
    mixed = StabilitySelection(AssociationRanker(k=2), n_bootstrap=10, random_state=0).fit(frame, y)
    assert mixed.get_feature_names_out().tolist() == ["team", "half"]
    with pytest.raises(ValueError, match="needs numbers, but 'team' hold categories"):
        StabilitySelection(SelectKBest(f_classif, k=1)).fit(frame[["noise", "team"]], labels)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"cutoff": 0.5}, r"cutoff must be in \(0.5, 1\]"),
        ({"sample_fraction": 1.0}, "sample_fraction must be between"),
        ({"n_bootstrap": 0}, "n_bootstrap must be at least 1"),
        ({"ranker": AssociationRanker(k=31)}, "k=31 is larger than the number of columns, 30"),
    ],
)
def test_bad_stability(arguments, message):
    x, y = data()
    with pytest.raises(ValueError, match=message):
        StabilitySelection(**{"ranker": AssociationRanker(k=1), **arguments}).fit(x, y)
    with pytest.raises(ValueError, match="cutoff"):
        false_selection_bound(3, 10, 0.5)


def test_pvalues_are_shares_of_the_probes_that_rank_as_high():
    scores = {}

    def recorded(X, y, association=None):
        values = covariance(X, y)
        scores.update(zip(X.names, values))
        return values

    x, y = data(d=6)
    found = probe_false_discovery(recorded, x, y, n_probes=50, random_state=0)
    probes = np.array([value for name, value in scores.items() if name.startswith("probe")])
    own = np.array([scores[name] for name in found.names])
    assert len(probes) == 50
    expected = (1 + (probes[:, None] >= own).sum(axis=0)) / 51
    assert found.pvalues == pytest.approx(expected)
    assert found.ranking.tolist() == (1 + np.argsort(np.argsort(-own))).tolist()
    for r, j in enumerate(np.argsort(found.ranking)):
        later = np.argsort(found.ranking)[r:]
        by_rank = [min(1, 6 * expected[i] / found.ranking[i]) for i in later]
        assert found.false_discovery[j] == pytest.approx(min(by_rank))


def test_planted_columns_are_discovered_and_noise_is_not():
    x, y = data(d=20)
    for ranker in (AssociationRanker(), covariance):
        found = probe_false_discovery(ranker, x, y, n_probes=400, random_state=0)
        assert set(found.selected(0.1)) >= {"x2", "x8"} and set(found.selected(0.1)[:2]) == {"x2", "x8"}
    forward = RedundancyAware("pearson", "pearson", k=2)  # ranked by its path
    assert set(probe_false_discovery(forward, x[:, 2:10], y, 100, random_state=0).selected(0.1)[:2]) == {"x0", "x6"}
    wrong = 0
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=(60, 11))
        wrong += bool(probe_false_discovery(covariance, noise[:, 1:], noise[:, 0], 200, seed).selected(0.1))
    assert wrong <= 4  # one in ten is expected


def test_probes_lose_no_tie_and_columns_without_a_score_have_no_estimate():
    x, y = data(d=4)
    frame = pd.DataFrame(x).rename(columns=str).assign(flat=1.0, probe0=x[:, 0])
    even = probe_false_discovery(FunctionSelector(lambda X, y, association=None: np.ones(X.n_columns)), frame, y, 10)
    assert even.pvalues[[0, 1, 2, 3, 5]].tolist() == [1.0] * 5 and np.isnan(even.pvalues[4])
    assert even.ranking.tolist() == [1, 2, 3, 4, 6, 5]
    assert even.selected(0.99) == []


def test_the_same_seed_gives_the_same_probes():
    x, y = data(d=5)
    first, again, other = (probe_false_discovery(covariance, x, y, 30, seed).pvalues for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_bad_probes():
    x, y = data(d=3)
    with pytest.raises(ValueError, match="n_probes must be at least 1"):
        probe_false_discovery(covariance, x, y, n_probes=0)
    with pytest.raises(ValueError, match="no column of X varies"):
        probe_false_discovery(covariance, np.ones((9, 2)), np.arange(9.0))
    with pytest.raises(ValueError, match="requires y"):
        probe_false_discovery(covariance, x)


def test_a_subsample_of_one_row_is_told():
    with pytest.raises(ValueError, match="a subsample of 3 rows holds 1; raise sample_fraction"):
        StabilitySelection(AssociationRanker(k=1)).fit(np.eye(3), np.array([0.1, 0.2, 0.4]))
