"""Relevance by any measure: the definitions, planted truth, missing values, invariances, workers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.measure import REASONS, get
from covey.select import AssociationRanker
from covey.select._base import target_column
from covey.select.filters import relevance
from covey.table import read


@parametrize_with_checks([AssociationRanker(), AssociationRanker("pearson", k=1, target_kind="numeric")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("measure", ["auto", "pearson", "spearman", "kendall", "distance_correlation_exact", "hsic"])
def test_scores_are_those_of_the_definition(measure):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    x[::7, 1] = np.nan
    y = -x[:, 0] + rng.normal(size=60)
    scores = AssociationRanker(measure, k="all").fit(x, y).scores_
    for j in range(3):
        both = ~np.isnan(x[:, j])
        assert scores[j] == pytest.approx(abs(get(measure).definition(x[both, j], y[both])), abs=0.02)


def test_the_columns_that_matter_are_found_whatever_their_kind():
    rng = np.random.default_rng(1)
    n = 400
    signal, team = rng.normal(size=n), rng.integers(4, size=n)
    frame = pd.DataFrame({f"noise {j}": rng.normal(size=n) for j in range(20)})
    frame["many levels"] = [f"level {v}" for v in rng.integers(80, size=n)]
    frame["signal"], frame["team"] = np.where(rng.random(n) < 0.2, np.nan, signal), np.array(list("abcd"))[team]
    y = np.where(signal**2 + (team == 2) + 0.2 * rng.normal(size=n) > 1, "yes", "no")
    assert AssociationRanker(k=2).fit(frame, y).get_feature_names_out().tolist() == ["signal", "team"]
    before_elbow = AssociationRanker().fit(frame, y).get_feature_names_out().tolist()
    assert {"signal", "team"} <= set(before_elbow) and len(before_elbow) <= 4


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 99))
def test_scores_follow_the_columns_and_ignore_monotone_scales(order, seed):
    x = np.random.default_rng(seed).normal(size=(30, 5))
    y = x @ np.arange(5)
    scores = AssociationRanker(k="all").fit(x, y).scores_
    moved = AssociationRanker(k="all").fit(np.exp(x[:, order]), 3 * y - 7).scores_
    assert moved == pytest.approx(scores[list(order)])


def test_an_asymmetric_measure_tells_how_well_the_column_determines_the_target():
    fine, coarse = np.arange(40) % 8, np.arange(40) % 8 // 4
    ranker = AssociationRanker("theils_u", k="all").fit(read({"fine": [f"f{v}" for v in fine]}), coarse)
    assert ranker.scores_[0] == pytest.approx(1.0)
    back = AssociationRanker("theils_u", k="all").fit(read({"coarse": [f"c{v}" for v in coarse]}), fine)
    assert back.scores_[0] == pytest.approx(1 / 3, abs=0.02)  # corrected for few rows


def test_workers_do_not_change_scores():
    x = np.random.default_rng(0).normal(size=(200, 40))
    one, three = (
        AssociationRanker(k="all", engine=e).fit(x, x[:, 0] * x[:, 1]).scores_ for e in ("local:1", "local:3")
    )
    assert np.array_equal(one, three)


def test_kinds_that_the_measure_does_not_take():
    rng = np.random.default_rng(0)
    table = read({"a": rng.normal(size=30), "team": rng.choice(["x", "y", "z"], 30)})
    found = relevance(table, target_column(rng.normal(size=30)), "pearson")
    assert np.isfinite(found.values[0]) and np.isnan(found.values[1]) and found.reasons == ("", REASONS[3])
    with pytest.raises(ValueError, match=r"'pearson' does not apply to a categorical y .*use one of .*auto.*encode y"):
        AssociationRanker("pearson").fit(rng.normal(size=(30, 2)), rng.choice(["x", "y", "z"], 30))
    with pytest.raises(ValueError, match="no measure 'person'"):
        AssociationRanker("person").fit(rng.normal(size=(30, 2)), rng.normal(size=30))
