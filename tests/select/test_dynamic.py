"""Asking features one at a time: the policy against its definition, counts against mutual information, mixed tables."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.select.dynamic import TabularCMI, acquire, checked_costs, group_members


@parametrize_with_checks([TabularCMI(), TabularCMI(max_bins=4, confidence=0.9)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def random_model(seed, n_groups, n_classes=3):
    """Information and probabilities that depend on what is known, by hashing it."""

    def estimate(values, known):
        keys = [hash((seed, tuple(np.nan_to_num(v).tolist()), tuple(k.tolist()))) for v, k in zip(values, known)]
        rngs = [np.random.default_rng(abs(key)) for key in keys]
        told = np.array([rng.random(n_groups) for rng in rngs])
        return told, np.array([rng.dirichlet(np.ones(n_classes)) for rng in rngs])

    return estimate


def by_definition(estimate, row, known, costs, groups, budget, min_cmi, confidence):
    """One row, one step after another."""
    known, order, spent = known & ~np.isnan(row), [], 0.0
    while True:
        told, proba = estimate(np.where(known, row, np.nan)[None], known[None])
        told, proba = told[0], proba[0]
        best, merit = None, -np.inf
        for g in range(len(costs)):
            left = [j for j in range(len(row)) if groups[j] == g and not known[j] and not np.isnan(row[j])]
            if left and spent + costs[g] <= budget + 1e-9 and told[g] / costs[g] > merit:
                best, merit = g, told[g] / costs[g]
        if best is None or merit < min_cmi or proba.max() >= confidence:
            return known, proba, order, spent
        known = known | ((groups == best) & ~np.isnan(row))
        order.append(best)
        spent += costs[best]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.booleans(), st.integers(0, 999), st.data())
def test_the_policy_is_that_of_the_definition(d, n, is_grouped, seed, data):
    rng = np.random.default_rng(seed)
    X = rng.integers(2, size=(n, d)).astype(float)
    X[rng.random((n, d)) < 0.2] = np.nan
    groups = np.unique(rng.integers(max(1, d // 2), size=d), return_inverse=True)[1] if is_grouped else np.arange(d)
    costs = rng.choice([0.5, 1.0, 2.0], groups.max() + 1)
    known = rng.random((n, d)) < 0.2
    stops = {
        "budget": data.draw(st.sampled_from([None, 0.0, 1.0, 2.5])),
        "min_cmi": data.draw(st.sampled_from([None, 0.3, 0.8])),
        "confidence": data.draw(st.sampled_from([None, 0.7])),
    }
    estimate = random_model(seed, len(costs))
    found = acquire(estimate, X, known=known, feature_costs=costs, groups=groups, **stops)
    limits = [
        default if stops[name] is None else stops[name]
        for name, default in (("budget", np.inf), ("min_cmi", -np.inf), ("confidence", 2.0))
    ]
    for i in range(n):
        mask, proba, order, spent = by_definition(estimate, X[i], known[i], costs, groups, *limits)
        assert found.mask[i].tolist() == mask.tolist()
        assert found.proba[i] == pytest.approx(proba)
        assert found.order[i][found.order[i] >= 0].tolist() == order
        assert found.cost[i] == pytest.approx(spent)
        assert np.isnan(found.information[i]).tolist() == (found.order[i] < 0).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99))
def test_a_callback_is_asked_for_what_rows_would_reveal(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(3, size=(4, 5)).astype(float)
    asked = []

    def query(i, j):
        asked.append((i, j))
        return X[i, j]

    estimate = random_model(seed, 5)
    rows = acquire(estimate, X, budget=3)
    called = acquire(estimate, np.full_like(X, np.nan), query=query, budget=3)
    assert called.order.tolist() == rows.order.tolist()
    assert called.mask.tolist() == rows.mask.tolist()
    assert called.proba == pytest.approx(rows.proba)
    assert sorted(asked) == [(i, j) for i in range(4) for j in range(5) if rows.mask[i, j]]
    prior = np.where(rng.random(X.shape) < 0.4, X, np.nan)
    asked.clear()
    with_prior = acquire(estimate, prior, query=query, budget=3)
    assert with_prior.order.tolist() == acquire(estimate, X, known=~np.isnan(prior), budget=3).order.tolist()
    assert all(np.isnan(prior[i, j]) for i, j in asked)


def test_what_cannot_be_had_is_paid_for_once():
    asked = []

    def query(i, j):
        asked.append(j)
        return np.nan

    found = acquire(random_model(0, 3), [[np.nan] * 3], query=query)
    assert sorted(asked) == [0, 1, 2]
    assert found.cost.tolist() == [3.0]
    assert not found.mask.any()


def test_no_rows_and_nothing_to_ask():
    nothing = acquire(random_model(0, 2), np.empty((0, 2)))
    assert nothing.mask.shape == (0, 2)
    missing = acquire(random_model(0, 2), [[np.nan, np.nan]])
    assert missing.order.shape == (1, 0)
    assert missing.proba.shape == (1, 3)


def smoothed(x, y, smoothing, n_levels, n_classes, level_shares, class_shares):
    """The definition: information of a joint table that starts from `smoothing` rows of independence."""
    joint = smoothing * np.outer(level_shares, class_shares)
    for a, b in zip(x, y):
        joint[a, b] += 1.0
    joint /= joint.sum()
    outer = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return (joint[there] * np.log(joint[there] / outer[there])).sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from([0.5, 1.0, 5.0]))
def test_counts_are_those_of_the_rows_that_agree(seed, smoothing):
    rng = np.random.default_rng(seed)
    x = rng.integers(3, size=(60, 4))
    x[:3] = np.arange(3)[:, None]
    y = rng.integers(2, size=60)
    y[:2] = 0, 1
    model = TabularCMI(smoothing=smoothing).fit(x, y)
    known = rng.random(4) < 0.5
    state = np.where(known, rng.integers(3, size=4), np.nan)
    told, proba = model.estimate(state[None], known[None])
    agree = (x[:, known] == state[known]).all(axis=1)
    shares = np.bincount(y) / 60
    counts = np.bincount(y[agree], minlength=2) + smoothing * shares
    assert proba[0] == pytest.approx(counts / counts.sum())
    for j in range(4):
        if known[j]:
            assert np.isnan(told[0, j])
        else:
            levels = np.bincount(x[:, j], minlength=3) / 60
            assert told[0, j] == pytest.approx(
                smoothed(x[agree, j], y[agree], smoothing, 3, 2, levels, shares), abs=1e-12
            )
            assert told[0, j] <= -(proba[0] * np.log(proba[0])).sum() + 1e-12


def gated(n=1500, seed=0):
    """A season says which of two columns holds the class; gaps, numbers and noise beside them."""
    rng = np.random.default_rng(seed)
    season = rng.choice(["dry", "wet"], n)
    a, b = rng.integers(2, size=(2, n))
    y = np.where(season == "wet", 2 + a, b)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "season": season,
            "a": np.where(a == 1, "yes", "no"),
            "b": np.where(rng.random(n) < 0.1, np.nan, b),
            "fixed": 1.0,
        }
    )
    return frame, y


def test_mixed_tables_with_gaps():
    frame, y = gated()
    model = TabularCMI().fit(frame[:1000], y[:1000])
    found = model.acquire(frame[1000:], budget=2)
    assert (found.order[:, 0] == 1).all()
    wet = (frame["season"] == "wet").to_numpy()[1000:]
    there = frame["b"].notna().to_numpy()[1000:]
    assert (found.order[wet, 1] == 2).all()
    assert (found.order[~wet & there, 1] == 3).all()
    assert not (found.order[~wet & ~there] == 3).any()
    right = model.classes_[found.proba.argmax(axis=1)] == y[1000:]
    assert right[wet | there].all()
    assert not found.mask[:, 4].any()
    assert model.score(frame[1000:][wet | there], y[1000:][wet | there]) > 0.98


def test_a_row_is_asked_through_a_callback_with_labels():
    frame, y = gated()
    model = TabularCMI(confidence=0.95).fit(frame, y)
    row = {"season": "wet", "a": "yes"}
    asked = []

    def query(i, j):
        asked.append(frame.columns[j])
        return row[frame.columns[j]]

    found = model.acquire(query=query)
    assert asked == ["season", "a"]
    assert model.classes_[found.proba[0].argmax()] == 3
    asked.clear()
    prior = pd.DataFrame({"noise": [np.nan], "season": ["wet"], "a": [None], "b": [np.nan], "fixed": [1.0]})
    model.acquire(prior, query=query)
    assert asked == ["a"]


def test_labels_and_numbers_that_training_did_not_have():
    frame, y = gated()
    frame = frame.assign(binary=frame["b"].fillna(0.0))
    model = TabularCMI().fit(frame, y)
    odd = frame[:3].assign(season=["humid", "dry", "wet"], binary=[7.0, 0.0, 1.0], a=["no", "perhaps", "yes"])
    found = model.acquire(odd)
    assert np.isfinite(found.proba).all()
    assert found.proba.sum(axis=1) == pytest.approx(1.0)


def test_groups_are_asked_together_and_costs_count():
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(800, 4))
    y = x[:, 0] ^ x[:, 2]  # neither column tells anything alone
    model = TabularCMI(groups=["a", "b", "a", "c"], budget=1).fit(x, y)
    found = model.acquire(x[:5])
    assert found.mask.tolist() == [[True, False, True, False]] * 5
    assert model.score(x, y) == 1.0
    z = np.column_stack([y, y, x])
    dear = TabularCMI(feature_costs=[5.0, 1.0, 1.0, 1.0, 1.0, 1.0], budget=5.0, confidence=0.9).fit(z, y)
    assert dear.acquire(z[:3]).order.tolist() == [[1]] * 3
    assert dear.acquire(z[:3], known=np.eye(6)[[1, 1, 1]] > 0).cost.tolist() == [0.0] * 3


def test_columns_of_a_group_that_do_not_vary_or_are_missing():
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(200, 4)).astype(float)
    y = x[:, 0]
    x[:, 1], x[:, 3] = 3.0, np.nan
    model = TabularCMI(groups=[0, 0, 1, 2]).fit(x, y)
    found = model.acquire(x[:2], min_cmi=0.05)
    assert found.mask.tolist() == [[True, False, False, False]] * 2


def test_numbers_are_cut_and_huge_means_do_not_matter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    y = (x[:, 1] > 0.3).astype(int)
    for place in (0.0, 1e9):
        model = TabularCMI(max_bins=8, budget=1).fit(x[:1500] + place, y[:1500])
        found = model.acquire(x[1500:] + place)
        assert (found.order == 1).all()
        assert model.score(x[1500:] + place, y[1500:]) > 0.93


def test_thousands_of_columns_need_no_square_of_them():
    x = np.random.default_rng(0).integers(2, size=(30, 20_000)).astype(float)
    tracemalloc.start()
    found = acquire(lambda values, known: (np.zeros(x.shape), np.ones((len(values), 1))), x, budget=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.order.tolist() == [[0, 1]] * 30
    assert peak < 100e6  # a square takes 3.2 GB


def test_helpers():
    assert group_members(None, 2).toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert checked_costs(None, 3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_costs": [1.0]}, "one cost for each of 2"),
        ({"feature_costs": [1.0, 0.0]}, "positive and finite"),
        ({"groups": [0]}, "one label for each of the 2"),
        ({"groups": [0, np.nan]}, "groups has missing labels"),
        ({"groups": [None, "a"]}, "groups has missing labels"),
        ({"budget": -1}, "budget must not be negative"),
        ({"min_cmi": np.nan}, "min_cmi must not be negative"),
        ({"confidence": 1.5}, "confidence must lie"),
        ({"max_bins": 1}, "max_bins must be at least 2"),
        ({"smoothing": 0}, "smoothing must be positive"),
    ],
)
def test_wrong_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        TabularCMI(**change).fit([[0, 1], [1, 0], [0, 0]], [0, 1, 0])


def test_wrong_rows():
    model = TabularCMI().fit([[0, 1], [1, 0], [0, 0]], [0, 1, 0])
    with pytest.raises(ValueError, match="needs rows X to reveal, or a callable query"):
        model.acquire()
    with pytest.raises(ValueError, match="known must have the shape of X"):
        model.acquire([[0, 1]], known=[True])
    with pytest.raises(ValueError, match="two dimensions"):
        acquire(random_model(0, 1), [1.0])
    with pytest.raises(ValueError, match="single class"):
        TabularCMI().fit([[0], [1]], [1, 1])
    with pytest.raises(ValueError, match="3 rows and y has 2"):
        TabularCMI().fit(pd.DataFrame({"a": [0, 1, 0]}), [0, 1])
    with pytest.raises(ValueError, match="no column of X varies"):
        TabularCMI().fit([[1.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="y"):
        TabularCMI().fit([[0], [1]], [0.0, np.nan])
    with pytest.raises(ValueError, match="y has 1 missing value;"):
        TabularCMI().fit([[0], [1], [1]], np.array(["a", None, "b"], dtype=object))
