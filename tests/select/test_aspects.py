"""Aspects: groups against single columns, copies, frames, ways to name them; importance by the model's own account."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from covey.select import aspect_importance
from covey.select.aspects import aspects_of, boosting_gain, natural_importance, rank_correlation
from covey.structure import feature_groups


def planted(n=240, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    x[:, 5] = x[:, 1] + 0.1 * rng.normal(size=n)
    return x, 2 * x[:, 1] - x[:, 3] + 0.3 * rng.normal(size=n)


def test_single_aspects_are_scikit_learns_permutation_importance():
    x, y = planted(600)
    model = RandomForestRegressor(20, random_state=0).fit(x, y)
    found = aspect_importance(model, x, y, [[j] for j in range(6)], n_repeats=20)
    peer = permutation_importance(model, x, y, n_repeats=20, random_state=0)
    assert found.importances == pytest.approx(peer.importances_mean, abs=0.05)
    assert found.names == tuple(f"x{j}" for j in range(6))
    assert found.score == pytest.approx(model.score(x, y))


def test_columns_of_an_aspect_move_together():
    x, y = planted()
    x[:, 5] = x[:, 1]
    found = aspect_importance(lambda_model(lambda z: z[:, 1] - z[:, 5]), x, y, {"pair": [1, 5]}, scoring="r2")
    assert found.importances[0] == 0.0  # permuted as one, the difference stays
    alone = aspect_importance(lambda_model(lambda z: z[:, 1] - z[:, 5]), x, y, {"one": [1]}, scoring="r2")
    assert alone.importances[0] > 0.1


def lambda_model(function):
    from sklearn.preprocessing import FunctionTransformer

    class Model(FunctionTransformer):
        _estimator_type = "regressor"

        def predict(self, X):
            return function(np.asarray(X))

        def score(self, X, y):
            return 0.0

    return Model().fit(np.zeros((2, 2)))


def test_copies_do_not_take_importance_from_an_aspect():
    rng = np.random.default_rng(0)
    x, y = planted(500)
    x = x[:, :5]
    copies = x[:, [1, 1]] + 1e-3 * rng.normal(size=(500, 2))
    wide = np.hstack([x, copies])
    forests = [RandomForestRegressor(30, random_state=0).fit(z[:300], y[:300]) for z in (x, wide)]
    alone = [aspect_importance(f, z[300:], y[300:], [[1]]).importances[0] for f, z in zip(forests, (x, wide))]
    assert alone[1] < 0.5 * alone[0]
    found = aspect_importance(forests[1], wide[300:], y[300:], 0.8)
    assert found.columns[found.aspect_of("x1")] == ("x1", "x5", "x6")
    assert found.importances[found.aspect_of("x6")] == pytest.approx(alone[0], rel=0.25)


def test_frames_give_what_arrays_give():
    x, y = planted()
    frame = pd.DataFrame(x, columns=list("abcdef"), index=np.arange(240)[::-1])
    array = aspect_importance(LinearRegression().fit(x, y), x, y, 0.8)
    found = aspect_importance(LinearRegression().fit(frame, y), frame, y, 0.8)
    assert found.importances == pytest.approx(array.importances)
    assert found.columns[1] == ("b", "f") and found.names[1] == "b + f"
    polars = pytest.importorskip("polars")
    other = aspect_importance(LinearRegression().fit(frame, y), polars.from_pandas(frame), y, 0.8)
    assert other.importances == pytest.approx(array.importances)


def test_ways_to_name_aspects():
    x, _ = planted()
    names = [f"x{j}" for j in range(6)]
    expected = [[0], [1, 5], [2], [3], [4]]
    for groups in (0.8, feature_groups(x, 0.8, measure="spearman")):
        assert [c.tolist() for c in aspects_of(groups, x, names).values()] == expected
    found = aspects_of([["x1", "x5"], []], x, names)
    assert list(found) == ["x1 + x5", "x0", "x2", "x3", "x4"]
    assert next(iter(aspects_of([list(range(5))], x, names))) == "x0 + x1 + x2 + 2 more"
    with pytest.raises(ValueError, match="more than one group: 'x1'"):
        aspects_of([["x1"], [1]], x, names)
    with pytest.raises(ValueError, match="'z', which is no column"):
        aspects_of({"a": ["z"]}, x, names)
    with pytest.raises(ValueError, match="9, which is no column"):
        aspects_of([[9]], x, names)


def test_wrong_arguments_of_aspects():
    x, y = planted()
    model = LinearRegression().fit(x, y)
    with pytest.raises(ValueError, match="n_repeats"):
        aspect_importance(model, x, y, n_repeats=0)
    with pytest.raises(ValueError, match="same rows"):
        aspect_importance(model, x, y[:5])
    with pytest.raises(ValueError, match="X must have shape"):
        aspect_importance(model, x[:, 0], y)
    with pytest.raises(ValueError, match="no aspect holds"):
        aspect_importance(model, x, y).aspect_of("z")


def test_natural_importances():
    x, y = planted()
    owner = np.arange(6)
    tree = DecisionTreeClassifier(random_state=0).fit(x, y > 0)
    assert natural_importance(tree, owner) == pytest.approx(tree.feature_importances_)
    boosting = HistGradientBoostingClassifier(max_iter=10).fit(x, y > 0)
    assert np.argmax(natural_importance(boosting, owner)) in (1, 5)
    assert np.isnan(boosting_gain(SVC().fit(x, y > 0), 6)).all()
    assert np.isnan(natural_importance(SVC().fit(x, y > 0), owner)).all()
    assert rank_correlation([1.0, np.nan], [1.0, 2.0]) != rank_correlation([1.0, 3.0], [1.0, 2.0])
