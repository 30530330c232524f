"""Maximum relevance, minimum redundancy: the definition, laziness, planted duplicates, stops, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure import associate
from covey.select import AssociationRanker, RedundancyAware, minimum_redundancy
from covey.select.redundancy import FLOOR, RedundancyColumns
from covey.table import read


@parametrize_with_checks([RedundancyAware(k=1), RedundancyAware(k="elbow", criterion="quotient")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def by_definition(relevance, shared, k, criterion):
    """Each step over all candidates and all chosen ones."""
    chosen = []
    while len(chosen) < k:
        merits = {}
        for j in range(len(relevance)):
            if j in chosen:
                continue
            mean = np.mean([shared[j, c] for c in chosen]) if chosen else None
            if mean is None:
                merits[j] = relevance[j]
            else:
                merits[j] = relevance[j] - mean if criterion == "difference" else relevance[j] / max(mean, FLOOR)
        chosen.append(max(merits, key=lambda j: (merits[j], -j)))
    return tuple(chosen)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(0, 999), st.sampled_from(["difference", "quotient"]))
def test_the_path_is_that_of_the_definition(n, seed, criterion):
    rng = np.random.default_rng(seed)
    relevance, shared = rng.random(n), np.abs(np.corrcoef(rng.normal(size=(n, 9))))
    asked = []

    def column(j):
        asked.append(j)
        return shared[j]

    path = minimum_redundancy(relevance, column, n - 1, criterion)
    assert path.order == by_definition(relevance, shared, n - 1, criterion)
    assert asked == list(path.order[:-1])


@pytest.mark.parametrize("measure", ["auto", "spearman", "theils_u", "chatterjee_xi"])
def test_columns_are_those_of_the_matrix(measure):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    x[:, 1] += x[:, 0]
    if measure == "theils_u":
        table = read(pd.DataFrame(x > 0).assign(c=rng.choice(list("abc"), 80)))
    else:
        x[::9, 2] = np.nan
        table = read(x)
    columns = RedundancyColumns(table, measure)
    strength = associate(table, measure=measure, pvalues=False).strength
    off = ~np.eye(table.n_columns, dtype=bool)
    for j in range(table.n_columns):
        assert columns(j)[off[j]] == pytest.approx(strength[j][off[j]], abs=1e-12)


def planted(n=300, seed=0):
    """Two signals, three copies of the stronger one, a category, noise and gaps."""
    rng = np.random.default_rng(seed)
    a, b, team = rng.normal(size=n), rng.normal(size=n), rng.integers(3, size=n)
    frame = pd.DataFrame({f"copy {j}": a + 0.1 * rng.normal(size=n) for j in range(3)})
    frame["b"], frame["team"] = np.where(rng.random(n) < 0.1, np.nan, b), np.array(["x", "y", "z"])[team]
    frame["noise"] = rng.normal(size=n)
    return frame, 2 * a + 1.2 * b + 1.2 * (team == 1)


def test_copies_are_not_taken_twice():
    frame, y = planted()
    kept = RedundancyAware(k=3, criterion="quotient").fit(frame, y).get_feature_names_out().tolist()
    assert len([name for name in kept if name.startswith("copy")]) == 1 and {"b", "team"} <= set(kept)
    assert "b" in RedundancyAware(k=2).fit(frame, y).get_feature_names_out()
    assert AssociationRanker(k=3).fit(frame, y).get_feature_names_out().tolist() == ["copy 0", "copy 1", "copy 2"]


def test_a_given_matrix_takes_the_place_of_the_measure():
    frame, y = planted()
    matrix = associate(frame, measure="auto", pvalues=False)
    told = []
    lazy = RedundancyAware(k=4, callback=lambda chosen, gain: told.append(gain)).fit(frame, y)
    given_matrix = RedundancyAware(k=4, redundancy="pearson").fit(frame, y, association=matrix)
    assert lazy.ranking_.tolist() == given_matrix.ranking_.tolist()
    assert told == pytest.approx(lazy.scores_[np.argsort(lazy.ranking_)][:4])


def test_the_ranking_is_the_path_and_then_relevance():
    frame, y = planted()
    two, whole = RedundancyAware(k=2).fit(frame, y), RedundancyAware(k="all").fit(frame, y)
    assert whole.get_support().all() and not np.isnan(whole.scores_).any()
    assert (two.ranking_ <= 2).tolist() == (whole.ranking_ <= 2).tolist()
    assert np.isnan(two.scores_).sum() == 4
    assert {why for why in two.reasons_ if why} == {"not reached: enough columns were taken before it"}


def test_a_threshold_stops_the_search():
    frame, y = planted()
    whole = RedundancyAware(k="all").fit(frame, y)
    gains = whole.scores_[np.argsort(whole.ranking_)]
    selector = RedundancyAware(threshold=(gains[1] + gains[2]) / 2).fit(frame, y)
    assert selector.get_support().tolist() == (whole.ranking_ <= 2).tolist()
    assert np.isfinite(selector.scores_).sum() == 2


def test_workers_do_not_change_the_path():
    x = np.random.default_rng(0).normal(size=(100, 30))
    y = x[:, :5].sum(axis=1)
    one, three = (RedundancyAware(k=8, engine=e).fit(x, y) for e in ("local:1", "local:3"))
    assert np.array_equal(one.scores_, three.scores_, equal_nan=True)


def test_constant_columns_are_never_taken_and_bad_input_is_named():
    frame, y = planted()
    frame["flat"] = 1
    assert RedundancyAware(k=6).fit(frame, y).get_support().tolist() == [True] * 6 + [False]
    with pytest.raises(ValueError, match=r"k=7 needs 7 columns with a score, but only 6 have one.*'flat'"):
        RedundancyAware(k=7).fit(frame, y)
    with pytest.raises(ValueError, match="criterion must be"):
        RedundancyAware(k=2, criterion="ratio").fit(frame, y)
    with pytest.raises(ValueError, match="'pearson' does not apply to a categorical"):
        RedundancyAware(k=2, redundancy="pearson").fit(frame, y)
    with pytest.raises(ValueError, match="k=10 is larger than the number of columns, 7"):
        RedundancyAware().fit(frame, y)
