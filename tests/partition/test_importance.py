"""Importance of parties: Shapley values against their definition, the quick paths against the model, and bad models."""

from itertools import permutations

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, RidgeClassifier, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from covey.engine import LocalEngine
from covey.partition._partition import Partition
from covey.partition._paths import AnyPaths, LinearPaths, TreePaths, coalition_values, paths_of, shapley_values
from covey.partition._scores import as_rows, score_function
from covey.partition._vertical import make_estimator
from covey.partition.importance import party_importance, shapley_weights
from covey.table import Column, FeatureTable

METHODS = ("permutation_shapley", "party_shapley", "linear", "permutation")
PARTITION = Partition.from_labels([0, 0, 1, 1, 2])


@pytest.fixture(autouse=True)
def one_thread():
    """OpenMP's threads wait for each other where other work keeps the cores busy."""
    with threadpool_limits(1):
        yield


def data(n: int = 200, m: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) + 0.5 * rng.normal(size=(n, 1))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n) / 4 > 0).astype(int)


def interacting(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3] * X[:, 4] - 2 * X[:, 4]


def value(model, x: np.ndarray, background: np.ndarray, coalition) -> np.ndarray:
    mixed = background.copy()
    mixed[:, list(coalition)] = x[list(coalition)]
    return model(mixed).mean(axis=0)


def exact_shapley(model, x: np.ndarray, background: np.ndarray, players: list[list[int]]) -> np.ndarray:
    """Mean gain over all orders in which the players may come."""
    gains = np.zeros(len(players))
    orders = list(permutations(range(len(players))))
    for order in orders:
        held: list[int] = []
        for k in order:
            before = value(model, x, background, held)
            held = held + players[k]
            gains[k] += value(model, x, background, held) - before
    return gains / len(orders)


def fitted_models() -> dict[str, object]:
    X, y = data()
    three = y + (X[:, 3] > 0)
    gaps = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    return {
        "logistic": LogisticRegression().fit(X, y),
        "softmax": LogisticRegression().fit(X, three),
        "linear": LinearRegression().fit(X, X @ [1.0, 2.0, 0.0, -1.0, 3.0] + 5),
        "two outputs": LinearRegression().fit(X, X[:, :2] ** 2),
        "scaled": make_pipeline(StandardScaler(), LogisticRegression()).fit(X * [1, 100, 0.01, 1, 1] + 50, y),
        "svm": LinearSVC().fit(X, y),
        "boosted": HistGradientBoostingClassifier(max_iter=20).fit(X, y),
        "boosted, three classes": HistGradientBoostingClassifier(max_iter=10).fit(X, three),
        "boosted regression": HistGradientBoostingRegressor(max_iter=20).fit(gaps, X[:, 0] ** 2),
    }


MODELS = fitted_models()


def paths_for(model, X: np.ndarray, n_background: int = 7):
    rows, background = as_rows(X[:4]), as_rows(X[4 : 4 + n_background])
    score = score_function(model, [])
    return paths_of(model, score, rows, background), AnyPaths(score, rows, background)


@pytest.mark.parametrize("name", MODELS)
def test_quick_paths_agree_with_calling_the_model(name):
    X, _ = data(seed=1)
    X[2, 1] = np.nan if "boosted" in name else X[2, 1]
    quick, slow = paths_for(MODELS[name], X)
    assert isinstance(quick, TreePaths if "boosted" in name else LinearPaths)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(5), (6, 1)), axis=1)
    for row in range(4):
        assert quick(row, orders) == pytest.approx(slow(row, orders), rel=1e-9, abs=1e-9)


def test_models_that_are_not_what_they_look_like_are_called():
    X, y = data()
    counts = np.exp(X[:, 0])
    models = [
        PoissonRegressor().fit(X, counts),
        HistGradientBoostingRegressor(loss="poisson", max_iter=5).fit(X, counts),
        make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, counts),
        SGDClassifier(loss="modified_huber").fit(X, y),
        HistGradientBoostingRegressor(categorical_features=[0], max_iter=5).fit(np.c_[y, X[:, 1:]], X[:, 1] + y),
    ]
    for model in models:
        quick, _ = paths_for(model, X)
        assert isinstance(quick, AnyPaths), model


def test_any_paths_agree_with_the_values_of_the_coalitions():
    X, _ = data()
    paths = AnyPaths(score_function(interacting, []), as_rows(X[:2]), as_rows(X[2:9]))
    order = np.array([3, 0, 4, 1, 2])
    found = paths(1, order[None])[0, :, :, 0]
    for t in range(6):
        assert found[0, t] == pytest.approx(value(interacting, X[1], X[2:9], order[:t]))
        assert found[1, t] == pytest.approx(value(interacting, X[1], X[2:9], order[t:]))


def test_all_permutations_give_the_exact_shapley_values():
    X, _ = data()
    orders = np.array(list(permutations(range(5))))
    paths = AnyPaths(score_function(interacting, []), as_rows(X[:1]), as_rows(X[1:6]))
    expected = exact_shapley(interacting, X[0], X[1:6], [[j] for j in range(5)])
    assert shapley_values(paths, 0, orders)[:, 0] == pytest.approx(expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_one_permutation_is_exact_for_interactions_of_two_and_complete_for_any(seed):
    X, _ = data(seed=seed)
    order = np.random.default_rng(seed).permutation(5)[None]

    def in_pairs(X):
        return X[:, 0] * X[:, 1] + X[:, 3] * X[:, 4] - 2 * X[:, 4]

    for model, exact in ((in_pairs, True), (interacting, False)):
        paths = AnyPaths(score_function(model, []), as_rows(X[:1]), as_rows(X[1:6]))
        found = shapley_values(paths, 0, order)[:, 0]
        assert found.sum() == pytest.approx(model(X[:1])[0] - model(X[1:6]).mean())
        if exact:
            assert found == pytest.approx(exact_shapley(model, X[0], X[1:6], [[j] for j in range(5)]), abs=1e-9)


def test_coalitions_are_valued_alike_in_one_call_or_many(monkeypatch):
    X, _ = data()
    masks = np.random.default_rng(0).random((30, 5)) < 0.5
    which = np.random.default_rng(1).integers(4, size=30)
    arguments = score_function(interacting, []), as_rows(X[:4]), as_rows(X[4:11]), which, masks
    at_once = coalition_values(*arguments)
    calls = []
    monkeypatch.setattr("covey.partition._paths._CHUNK", 5 * 7 * 4)
    in_parts = coalition_values(lambda X: calls.append(len(X)) or arguments[0](X), *arguments[1:])
    assert in_parts == pytest.approx(at_once)
    assert max(calls) == 28 and sum(calls) == 30 * 7


def test_importance_is_the_mean_over_rows_of_summed_absolute_attributions():
    X, _ = data(40)
    background = X[:6]
    found = party_importance(
        interacting, X, PARTITION, background=background, n_permutations=60, n_rows=40, random_state=0
    )
    exact = np.abs([exact_shapley(interacting, x, background, [[j] for j in range(5)]) for x in X])
    expected = exact.mean(axis=0)
    assert found.feature_importance == pytest.approx(expected, rel=0.1)
    assert found.feature_importance[3:] == pytest.approx(expected[3:], rel=1e-9)  # pairs are exact
    by_party = np.array([expected[:2].sum(), expected[2:4].sum(), expected[4]])
    assert found.importance == pytest.approx(by_party, rel=0.1)
    assert found.row_importance.mean(axis=0) == pytest.approx(found.importance)
    assert found.shares == pytest.approx(found.importance / found.importance.sum())
    assert found.standard_error == pytest.approx(found.row_importance.std(axis=0, ddof=1) / np.sqrt(40))
    assert found.n_evaluations == 40 * 60 * 2 * 4 * 6 + 40 + 6


def test_party_game_is_the_exact_shapley_value_of_whole_parties():
    X, _ = data(20)
    found = party_importance(interacting, X, PARTITION, method="party_shapley", background=X[:6], n_rows=20)
    players = [list(part) for part in PARTITION.parties]
    expected = np.abs([exact_shapley(interacting, x, X[:6], players) for x in X])
    assert found.row_importance == pytest.approx(expected)
    assert found.feature_importance is None and found.n_evaluations == 20 * 8 * 6


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(0, 100))
def test_shapley_weights_are_efficient_and_leave_dummies_nothing(n_players, seed):
    members = np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1 == 1
    values = np.random.default_rng(seed).normal(size=2**n_players)
    weights = shapley_weights(members)
    assert (weights @ values).sum() == pytest.approx(values[-1] - values[0])
    without_first = values[np.arange(2**n_players) // 2 * 2]
    assert (weights @ without_first)[0] == pytest.approx(0.0, abs=1e-12)


def test_linear_method_is_the_closed_form_and_what_permutations_find():
    X, _ = data()
    model = MODELS["linear"]
    found = party_importance(model, X, PARTITION, method="linear")
    expected = np.abs((X - X.mean(axis=0)) * model.coef_).mean(axis=0)
    assert found.feature_importance == pytest.approx(expected)
    assert found.row_importance.shape == (200, 3) and found.n_evaluations == 0
    sampled = party_importance(model, X, PARTITION, background=X, n_permutations=1, n_rows=200)
    assert sampled.importance == pytest.approx(found.importance)
    several = party_importance(MODELS["softmax"], X, PARTITION, method="linear").feature_importance
    coef = np.abs(MODELS["softmax"].coef_).mean(axis=0)
    assert several == pytest.approx(coef * np.abs(X - X.mean(axis=0)).mean(axis=0))


def test_linear_method_sees_through_a_pipeline_that_scales():
    X, _ = data()
    X = X * [1, 100, 0.01, 1, 1] + 50
    model = MODELS["scaled"]
    coef = model[-1].coef_[0] / model[0].scale_
    found = party_importance(model, X, PARTITION, method="linear")
    assert found.feature_importance == pytest.approx(np.abs((X - X.mean(axis=0)) * coef).mean(axis=0), rel=1e-6)


def test_permutation_importance_is_the_rise_of_the_loss():
    X, _ = data(300)
    y = 3 * X[:, 4] + X[:, 0]
    found = party_importance(
        lambda X: 3 * X[:, 4] + X[:, 0], X, PARTITION, method="permutation", y=y, n_permutations=50
    )
    # the squared difference of two independent draws has twice the variance
    assert found.importance == pytest.approx([2 * X[:, 0].var(), 0.0, 18 * X[:, 4].var()], rel=0.1, abs=1e-12)
    assert found.n_evaluations == 300 * (1 + 50 * 3)


def test_permutation_importance_of_a_classifier_is_about_its_probabilities():
    X, y = data(300)
    labels = np.array(["no", "yes"])[y]
    for target in (labels, y + (X[:, 3] > 0)):
        model = LogisticRegression().fit(X, target)
        found = party_importance(model, X, PARTITION, method="permutation", y=target, n_permutations=30)
        chosen = model.predict_proba(X)[np.arange(300), np.searchsorted(model.classes_, target)]
        rng, rises = np.random.default_rng(5), []
        for _ in range(30):
            mixed = X.copy()
            mixed[:, :2] = X[rng.permutation(300), :2]
            other = model.predict_proba(mixed)[np.arange(300), np.searchsorted(model.classes_, target)]
            rises.append(np.mean(np.log(chosen) - np.log(other)))
        assert found.importance[0] == pytest.approx(np.mean(rises), abs=4 * np.std(rises) / np.sqrt(30) + 1e-3)


def test_classes_are_never_treated_as_numbers():
    X, y = data()
    renamed = np.array(["a", "b", "c"])[y + (X[:, 3] > 0)]
    reordered = (y + (X[:, 3] > 0)) * 100 - 50
    for kind in (HistGradientBoostingClassifier(max_iter=5), LogisticRegression()):
        found = [party_importance(kind.fit(X, labels), X, PARTITION).importance for labels in (renamed, reordered)]
        assert found[0] == pytest.approx(found[1])
    model = RidgeClassifier().fit(X, y)
    margins = party_importance(model, X, PARTITION)
    assert margins.importance == pytest.approx(party_importance(model.decision_function, X, PARTITION).importance)
    with pytest.raises(ValueError, match="predict gives class labels"):
        party_importance(model.predict, X, PARTITION)
    with pytest.raises(TypeError, match="use probabilities instead of labels"):
        party_importance(lambda X: np.array(["a", "b"])[(X[:, 0] > 0).astype(int)], X, PARTITION)

    class OnlyLabels:
        classes_ = np.array([0, 1])

        def predict(self, X):
            return (X[:, 0] > 0).astype(int)

    with pytest.raises(ValueError, match="OnlyLabels gives only class labels"):
        party_importance(OnlyLabels(), X, PARTITION)


def test_both_probabilities_of_two_classes_count_once():
    X, y = data()
    model = KNeighborsClassifier().fit(X, y)
    one = party_importance(lambda X: model.predict_proba(X)[:, 0], X, PARTITION, n_rows=5)
    both = party_importance(model.predict_proba, X, PARTITION, n_rows=5)
    estimator = party_importance(model, X, PARTITION, n_rows=5)
    assert one.importance == pytest.approx(estimator.importance)
    assert both.importance == pytest.approx(estimator.importance)


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_of_one_row_works(method):
    X, _ = data()
    model = LinearRegression().fit(X, X[:, 4] * 2)
    found = party_importance(model, X, PARTITION, method=method, y=X[:, 0], n_rows=1)
    assert found.row_importance.shape == (1, 3)
    assert np.isfinite(found.importance).all() and np.isnan(found.standard_error).all()
    if method != "permutation":
        assert found.shares == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)
        only = party_importance(model, X[:1], PARTITION, method=method, background=X, n_rows=1)
        assert only.shares == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)


@pytest.mark.parametrize("name", ["boosted", "logistic"])
def test_results_depend_on_the_seed_and_not_on_the_workers(name):
    X, _ = data()
    one, two = (party_importance(MODELS[name], X, PARTITION, n_rows=20, engine=LocalEngine(k)) for k in (1, 2))
    assert one.row_importance.tobytes() == two.row_importance.tobytes()
    other = party_importance(MODELS[name], X, PARTITION, n_rows=20, random_state=1)
    assert (other.importance != one.importance).any()


def test_frames_keep_the_types_of_their_columns():
    X, _ = data(120)
    town = np.array(["a", "b", "c"])[np.digitize(X[:, 1], [-0.5, 0.5])]
    frame = pandas.DataFrame({"age": X[:, 0], "town": town, "visits": (10 * X[:, 2]).astype(int)}, index=range(7, 127))
    target = (X[:, 0] > 0) ^ (town == "b")
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"),
        RandomForestClassifier(10, random_state=0),
    ).fit(frame, target)
    partition = Partition.from_mapping({"shop": ["visits"], "bank": ["town", "age"]}, ["visits", "town", "age"])
    for method in ("permutation_shapley", "party_shapley", "permutation"):
        found = party_importance(model, frame, partition, method=method, y=target, n_rows=10, n_permutations=2)
        assert found.party_names == ("shop", "bank") and found.shares[1] > 0.7
    with pytest.raises(ValueError, match="background must be of the same kind"):
        party_importance(model, frame, partition, background=X[:5])


def test_frames_and_tables_of_numbers_give_what_arrays_give():
    X, _ = data()
    names = list("abcde")
    frame = pandas.DataFrame(X, columns=names)
    table = FeatureTable.from_columns(Column(name, "numeric", X[:, j]) for j, name in enumerate(names))
    backwards = Partition.from_mapping({"p": ["b", "a"], "q": ["d", "c"], "r": ["e"]}, names[::-1])
    expected = party_importance(interacting, X, PARTITION, n_rows=10).importance
    assert party_importance(
        lambda X: interacting(X.to_numpy()), frame, backwards, n_rows=10
    ).importance == pytest.approx(expected)
    assert party_importance(interacting, table, backwards, n_rows=10).importance == pytest.approx(expected)


def test_features_of_two_parties_count_for_both_and_those_of_none_for_nobody():
    X, _ = data()
    partition = Partition((np.array([0, 1]), np.array([1]), np.array([], dtype=int)), PARTITION.names)
    model = LinearRegression().fit(X, X @ [1.0, 1.0, 1.0, 1.0, 50.0])
    for method in METHODS[:3]:
        found = party_importance(model, X, partition, method=method, background=X, n_rows=200)
        expected = np.abs(X - X.mean(axis=0)).mean(axis=0)
        assert found.importance[2] == pytest.approx(0.0, abs=1e-12)
        if method != "party_shapley":
            assert found.importance == pytest.approx([expected[0] + expected[1], expected[1], 0.0])


def test_a_model_that_uses_nothing_has_no_shares():
    X, _ = data()
    found = party_importance(lambda X: np.zeros(len(X)), X, PARTITION, n_rows=3)
    assert (found.importance == 0).all() and np.isnan(found.shares).all()


def test_a_vertical_model_is_explained_by_its_parties():
    X, _ = data()
    y = (X[:, 0] + 2 * X[:, 4] > 0).astype(int)
    model = make_estimator("linear").fit(PARTITION.split(X), y)
    found = party_importance(model, X, PARTITION, n_rows=5, n_permutations=1, background=X[:10])

    def probability(X):
        return model.predict_proba(PARTITION.split(X))[:, 1]

    expected = party_importance(probability, X, PARTITION, n_rows=5, n_permutations=1, background=X[:10])
    assert found.importance == pytest.approx(expected.importance)
    assert found.shares[2] > found.shares[0] > found.shares[1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "gini"}, ValueError, "no method 'gini'"),
        ({"method": "permutation"}, ValueError, "needs y"),
        ({"method": "permutation", "y": [0, 1]}, ValueError, "one label for each of 200 rows"),
        ({"method": "permutation", "y": ["a"] * 200}, ValueError, "numbers"),
        ({"method": "linear"}, ValueError, "needs coef_"),
        ({"n_permutations": 0}, ValueError, "n_permutations"),
        ({"n_rows": 0}, ValueError, "n_rows"),
        ({"partition": Partition.from_labels([0, 1])}, ValueError, "X has 5 columns, but the partition spreads 2"),
        ({"background": np.zeros((3, 2))}, ValueError, "background"),
        ({"model": "logistic"}, TypeError, "fitted estimator or a function"),
        ({"model": lambda X: X[:2, 0]}, ValueError, "one row of outputs for each of"),
        ({"model": lambda X: X[:, 0] * np.nan}, ValueError, "NaN or infinity"),
        ({"X": [["a", "b", "c", "d", "e"]]}, ValueError, "must hold numbers"),
        (
            {"method": "party_shapley", "X": np.zeros((9, 13)), "partition": Partition.from_labels(np.arange(13))},
            ValueError,
            "at most 12 parties",
        ),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    arguments = {"model": interacting, "X": data()[0], "partition": PARTITION} | change
    with pytest.raises(error, match=message):
        party_importance(arguments.pop("model"), arguments.pop("X"), arguments.pop("partition"), **arguments)


def test_bad_data_for_a_method_are_refused():
    X, y = data()
    gaps = X.copy()
    gaps[3, 2] = np.nan
    with pytest.raises(ValueError, match="column 'x2' has missing values"):
        party_importance(MODELS["linear"], gaps, PARTITION, method="linear")
    with pytest.raises(ValueError, match="labels that the model does not know"):
        party_importance(MODELS["logistic"], X, PARTITION, method="permutation", y=y + 1)
    with pytest.raises(ValueError, match="needs predict_proba"):
        party_importance(MODELS["svm"], X, PARTITION, method="permutation", y=y)
    with pytest.raises(ValueError, match="needs one output"):
        party_importance(MODELS["two outputs"], X, PARTITION, method="permutation", y=y)
    town = Column("town", "categorical", np.zeros(3, dtype=np.int32), ("a",))
    with pytest.raises(TypeError, match="'town' is categorical"):
        party_importance(interacting, FeatureTable.from_columns([town]), Partition.from_labels([0]))
    frame = pandas.DataFrame(X, columns=list("aabcd"))
    with pytest.raises(ValueError, match="same name"):
        party_importance(interacting, frame, PARTITION)


def test_repr_says_who_matters():
    X, _ = data()
    found = party_importance(lambda X: X[:, 4], X, PARTITION, n_rows=5)
    assert repr(found) == "<PartyImportance by permutation_shapley: party-0 0.0 %, party-1 0.0 %, party-2 100.0 %>"
