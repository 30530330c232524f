"""Trees over parties: equal to pooled ones bit for bit, near scikit-learn's, and what they send is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier

import covey
from covey.partition._channel import LocalNetwork
from covey.partition._tree_kernels import add_histograms, best_splits, node_totals
from covey.partition._vertical import load_party, save_party
from covey.partition.vertical_gbdt import Bins, VerticalGBDT

SMALL = {"n_estimators": 6, "max_depth": 4, "max_bins": 16}


def parts(X, *cuts):
    return np.split(X, cuts, axis=1)


def awkward(n=300, seed=0):
    """Missing values, ties between copied columns, a constant, and an all-missing column."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8)).round(1)
    X[:, 5] = X[:, 1]
    X[:, 6] = 3.0
    X[:, 7] = np.nan
    X[rng.uniform(size=X.shape) < 0.1] = np.nan
    return X, rng


def labels(kind, X, rng):
    score = np.nan_to_num(X[:, 1]) - np.nan_to_num(X[:, 4]) * np.nan_to_num(X[:, 2]) + rng.normal(size=len(X)) * 0.3
    return {"binary": score > 0, "multiclass": np.digitize(score, [-1, 0, 1]), "regression": score}[kind]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("label_party", [0, 2])
def test_equal_to_one_party_bit_for_bit(kind, label_party):
    X, rng = awkward()
    y = labels(kind, X, rng)
    task = "regression" if kind == "regression" else "classification"
    split = VerticalGBDT(**SMALL, task=task).fit(parts(X, 3, 5), y, label_party=label_party)
    pooled = VerticalGBDT(**SMALL, task=task).fit([X], y)
    new = awkward(seed=1)[0]
    assert split.history_ == pooled.history_
    assert (split.scores(parts(new, 3, 5)) == pooled.scores([new])).all()


@given(cut=st.integers(1, 7), seed=st.integers(0, 50))
@settings(max_examples=8, deadline=None)
def test_equal_however_the_columns_are_cut(cut, seed):
    X, rng = awkward(120, seed)
    y = labels("binary", X, rng)
    split = VerticalGBDT(**SMALL).fit(parts(X, cut), y)
    assert split.history_ == VerticalGBDT(**SMALL).fit([X], y).history_


def test_the_trees_do_learn():
    """Equality alone would hold for trees that never split."""
    X, y = load_digits(return_X_y=True)
    train, test = np.arange(len(y)) % 4 > 0, np.arange(len(y)) % 4 == 0
    ours = VerticalGBDT(n_estimators=30).fit(parts(X[train], 20, 40), y[train])
    theirs = HistGradientBoostingClassifier(max_iter=30, max_depth=6, early_stopping=False, random_state=0)
    theirs.fit(X[train], y[train])
    assert ours.score(parts(X[test], 20, 40), y[test]) > theirs.score(X[test], y[test]) - 0.015
    assert all(np.diff(ours.history_) < 0)


def test_regression_explains_more_than_the_mean():
    X, y = load_diabetes(return_X_y=True)
    model = VerticalGBDT(n_estimators=40, max_depth=3, task="regression").fit(parts(X[:300], 4), y[:300])
    assert model.score(parts(X[300:], 4), y[300:]) > 0.3


def test_monotone_maps_of_a_column_change_nothing():
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, :6]
    plain = VerticalGBDT(**SMALL).fit(parts(X, 3), y)
    bent = VerticalGBDT(**SMALL).fit(parts(np.log1p(X), 3), y)
    assert plain.history_ == bent.history_


def test_tables_with_categories_and_unseen_ones():
    table = covey.read("covey:adult").sample(600)
    y = table["income-per-year"].labels()
    names = [name for name in table.names if name != "income-per-year"]
    sides = [table.select(names[:6]), table.select(names[6:])]
    more = SMALL | {"n_estimators": 40}
    model = VerticalGBDT(**more).fit(sides, y)
    assert model.history_ == VerticalGBDT(**more).fit([table.select(names)], y).history_
    other = covey.read("covey:adult").sample(900, random_state=5)
    score = model.score([other.select(names[:6]), other.select(names[6:])], other["income-per-year"].labels())
    assert score > 0.8  # three quarters have the larger class


def test_a_label_holder_without_features():
    X, y = load_breast_cancer(return_X_y=True)
    alone = VerticalGBDT(**SMALL).fit([X], y)
    asked = VerticalGBDT(**SMALL).fit([np.empty((len(y), 0)), X], y)
    assert asked.history_ == alone.history_


def test_what_is_sent():
    X, y = load_breast_cancer(return_X_y=True)
    model = VerticalGBDT(**SMALL).fit(parts(X, 10, 20), y)
    sent = model.traffic_.by_tag()
    n = len(y)
    assert sent["gradient"] == (SMALL["n_estimators"] * 2 * (4 + 4) * n, 2 * SMALL["n_estimators"])
    assert VerticalGBDT(**SMALL).fit([X], y).traffic_.bytes == 0
    network = LocalNetwork(3)
    model.scores(parts(X, 10, 20), network=network)
    splits = [len(party.splits) for party in model.parties_]
    assert network.traffic.by_tag()["directions"][0] == sum(splits[1:]) * ((n + 7) // 8)


def test_the_label_holder_has_no_threshold_of_others():
    X, y = load_breast_cancer(return_X_y=True)
    model = VerticalGBDT(**SMALL).fit(parts(X, 10), y)
    holder, other = model.parties_
    assert len(other.splits) > 0
    assert not {"column", "bin"} & set(holder.trees.state())
    assert (np.array(holder.trees.owner) == 1).sum() == len(other.splits)


def test_resumes_where_it_was(tmp_path, monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    whole = VerticalGBDT(**SMALL).fit(parts(X, 10), y)
    from covey.partition import vertical_gbdt

    step = vertical_gbdt.GBDTParty.step

    def dies(self, channel, number):
        if number == 3 and not channel.is_active:
            raise RuntimeError("power cut")
        return step(self, channel, number)

    with monkeypatch.context() as patch:
        patch.setattr(vertical_gbdt.GBDTParty, "step", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            VerticalGBDT(**SMALL).fit(parts(X, 10), y, checkpoint=tmp_path)
    resumed = VerticalGBDT(**SMALL).fit(parts(X, 10), y, checkpoint=tmp_path)
    assert resumed.history_ == whole.history_
    assert (resumed.scores(parts(X, 10)) == whole.scores(parts(X, 10))).all()


def test_parties_come_back_from_files(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    model = VerticalGBDT(**SMALL).fit(parts(X, 10), y)
    network = LocalNetwork(2)
    for party, channel in zip(model.parties_, network.channels):
        save_party(party, channel, tmp_path / f"{channel.rank}.npz")
    loaded = [load_party(tmp_path / f"{k}.npz")[0] for k in range(2)]
    sides = parts(X, 10)
    scores = LocalNetwork(2).run([lambda channel: loaded[channel.rank].scores(channel, sides[channel.rank])] * 2)[0]
    assert (scores == model.scores(sides)).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_bins": 255}, "max_bins"),
        ({"max_bins": 1}, "max_bins"),
        ({"max_depth": 0}, "max_depth"),
        ({"n_estimators": 0}, "n_estimators"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"encryption": "rot13"}, "encryption"),
    ],
)
def test_bad_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        VerticalGBDT(**setting).fit([np.zeros((4, 1))], [0, 1, 0, 1])


def test_other_columns_are_told():
    X, y = load_breast_cancer(return_X_y=True)
    model = VerticalGBDT(**SMALL).fit(parts(X, 10), y)
    with pytest.raises(ValueError, match="was trained with"):
        model.scores(parts(X, 11))


def test_a_constant_table_stays_at_the_base_rate():
    model = VerticalGBDT(**SMALL).fit([np.ones((20, 2)), np.ones((20, 1))], [0, 1] * 10)
    assert np.allclose(model.scores([np.ones((1, 2)), np.ones((1, 1))]), 0.0)


def test_bins_keep_order_and_have_a_place_for_missing():
    values = np.array([[3.0], [1.0], [np.nan], [2.0], [2.0]])
    codes = Bins(8).fit(values).transform(values).ravel()
    assert codes.tolist() == [2, 0, 8, 1, 1]
    many = np.random.default_rng(0).normal(size=(1000, 1))
    coded = Bins(10).fit(many).transform(many).ravel()
    assert np.bincount(coded).min() >= 90
    assert len(np.unique(coded)) == 10
    order = np.argsort(many.ravel())
    assert (np.diff(coded[order].astype(int)) >= 0).all()


def naive_best(codes, gradient, hessian, l2):
    """The definition: every split of every column, missing values (the last code) to the right."""
    best = (0.0, -1, 0)
    G, H = gradient.sum(), hessian.sum()
    for j in range(codes.shape[1]):
        for b in range(codes.max()):
            left = codes[:, j] <= b
            if left.any() and not left.all():
                gl, hl = gradient[left].sum(), hessian[left].sum()
                gain = gl**2 / (hl + l2) + (G - gl) ** 2 / (H - hl + l2) - G**2 / (H + l2)
                if gain > best[0] + 1e-12:
                    best = (gain, j, b)
    return best


def test_the_kernel_finds_the_best_split():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 6, size=(200, 5)).astype(np.uint8)
    gradient = rng.normal(size=(200, 1)).astype(np.float32)
    hessian = rng.uniform(0.1, 1.0, size=(200, 1)).astype(np.float32)
    slots, every = np.zeros((1, 200), dtype=np.int32), np.zeros(1, dtype=np.int32)
    histograms = add_histograms(codes, slots, every, gradient, hessian, 1, 8)
    totals = node_totals(slots, gradient, hessian, 1)
    assert np.allclose(histograms.sum(axis=2), totals[:, None, :])
    gain, column, threshold, _ = best_splits(histograms, totals, 1.0, 1.0, 0.0)
    wanted = naive_best(codes, gradient[:, 0].astype(float), hessian[:, 0].astype(float), 1.0)
    assert (column[0], threshold[0]) == wanted[1:]
    assert gain[0] == pytest.approx(wanted[0])


def test_missing_values_go_where_they_gain():
    codes = np.array([[0], [0], [1], [1], [7], [7]], dtype=np.uint8)
    gradient = np.array([[-1.0], [-1.0], [1.0], [1.0], [-1.0], [-1.0]], dtype=np.float32)
    slots, every = np.zeros((1, 6), dtype=np.int32), np.zeros(1, dtype=np.int32)
    ones = np.ones_like(gradient)
    histograms = add_histograms(codes, slots, every, gradient, ones, 1, 8)
    _, column, threshold, left = best_splits(histograms, node_totals(slots, gradient, ones, 1), 1.0, 1.0, 0.0)
    assert (column[0], threshold[0], bool(left[0])) == (0, 0, True)
