"""Shapley values: exact cases, sums, sampling against exact, groups, classes, and a peer where there is one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from covey.select import shapley_values


def test_a_linear_model_pays_each_column_its_own():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(60, 5)), np.array([1.0, -2.0, 0.0, 3.0, 0.5])
    model = LinearRegression().fit(x, x @ weight)
    expected = (x[:20] - x[20:].mean(axis=0)) * weight
    assert shapley_values(model, x[:20], x[20:], n_permutations=None) == pytest.approx(expected)
    assert shapley_values(model, x[:20], x[20:], n_permutations=80) == pytest.approx(expected)  # each donor twice


def test_a_product_is_shared():
    found = shapley_values(lambda z: z.prod(axis=1), [[1.0, 2.0, 3.0]], np.zeros((1, 3)), n_permutations=None)
    assert found == pytest.approx(np.full((1, 3), 2.0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 5))
def test_the_four_axioms_for_a_random_function(seed, d, n_background):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(d, d)), rng.normal(size=d)
    a[-1], a[:, -1], b[-1] = 0.0, 0.0, 0.0  # the last column is a dummy

    def one(z):
        return np.sin(z @ b) + np.einsum("ni,ij,nj->n", z, a, z)

    def other(z):
        return np.tanh(z).sum(axis=1)

    x, base = rng.normal(size=(4, d)), rng.normal(size=(n_background, d))
    found = shapley_values(one, x, base, n_permutations=None)
    assert found.sum(axis=1) == pytest.approx(one(x) - one(base).mean())
    assert found[:, -1] == pytest.approx(0.0, abs=1e-12)
    both = shapley_values(lambda z: one(z) + other(z), x, base, n_permutations=None)
    assert both == pytest.approx(found + shapley_values(other, x, base, n_permutations=None))
    sampled = shapley_values(one, x, base, n_permutations=2 * n_background)
    assert sampled.sum(axis=1) == pytest.approx(one(x) - one(base).mean())
    order = rng.permutation(d)
    moved = shapley_values(lambda z: one(z[:, np.argsort(order)]), x[:, order], base[:, order], n_permutations=None)
    assert moved == pytest.approx(found[:, order])


def test_sampled_values_approach_exact_ones():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 7))
    model = RandomForestClassifier(10, random_state=0).fit(x, x[:, 0] * x[:, 1] > 0)
    exact = shapley_values(model, x[:10], x[-8:], n_permutations=None)
    errors = [np.abs(shapley_values(model, x[:10], x[-8:], n_permutations=n) - exact).mean() for n in (8, 64, 512)]
    assert errors[0] > 1.7 * errors[1] > 1.7**2 * errors[2]
    assert errors[2] < 0.15 * np.abs(exact).mean()


def test_groups_are_one_player():
    rng = np.random.default_rng(1)
    x, base = rng.normal(size=(5, 4)), rng.normal(size=(3, 4))

    def product(z):
        return z[:, 0] * z[:, 1] + z[:, 2]

    found = shapley_values(product, x, base, groups=[0, 0, 1, 1], n_permutations=None)
    inside = product(x) - x[:, 2] - (base[:, 0] * base[:, 1]).mean()
    assert found == pytest.approx(np.column_stack([inside, x[:, 2] - base[:, 2].mean()]))
    assert shapley_values(product, x, base, [0, 0, 1, 1], 6) == pytest.approx(found)


def test_the_largest_class_or_one_that_is_named():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(90, 3))
    model = LogisticRegression().fit(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    each = [shapley_values(model, x[:9], x, output=k, n_permutations=None) for k in range(3)]
    assert sum(each) == pytest.approx(0.0, abs=1e-12)
    largest = model.predict_proba(x[:9]).argmax(axis=1)
    found = shapley_values(model, x[:9], x, n_permutations=None)
    assert found == pytest.approx(np.array(each)[largest, np.arange(9)])
    assert shapley_values(model, x[:9], x, n_permutations=2).shape == (9, 3)


@pytest.mark.parametrize("n_permutations", [None, 6])
def test_blocks_and_seeds(monkeypatch, n_permutations):
    x = np.random.default_rng(0).normal(size=(12, 4))
    whole = shapley_values(lambda z: z.prod(axis=1), x, x[:5], n_permutations=n_permutations, random_state=1)
    monkeypatch.setattr("covey.select._shapley.MOST_CELLS", 50)
    parts = shapley_values(lambda z: z.prod(axis=1), x, x[:5], n_permutations=n_permutations, random_state=1)
    assert (whole == parts).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.zeros(3)}, "matrices of the same columns"),
        ({"background": np.zeros((2, 4))}, "matrices of the same columns"),
        ({"background": np.zeros((0, 3))}, "must not be empty"),
        ({"groups": [0, 1]}, "label from 0"),
        ({"n_permutations": 3}, "even number from 2"),
        ({"n_permutations": 0}, "even number from 2"),
        ({"X": np.zeros((2, 17)), "background": np.zeros((2, 17)), "n_permutations": None}, "too many for exact"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        shapley_values(lambda z: z.sum(axis=1), **{"X": np.zeros((2, 3)), "background": np.zeros((2, 3))} | arguments)


def test_values_are_those_of_shap():
    shap = pytest.importorskip("shap")
    x = np.random.default_rng(0).normal(size=(60, 5))
    model = RandomForestClassifier(10, random_state=0).fit(x, x[:, 0] + x[:, 1] * x[:, 2] > 0)
    explainer = shap.explainers.Exact(lambda z: model.predict_proba(z)[:, 1], shap.maskers.Independent(x[:20], 20))
    assert shapley_values(model, x[20:30], x[:20], n_permutations=None) == pytest.approx(explainer(x[20:30]).values)
