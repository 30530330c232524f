"""ChaosMining: truths against their definitions, scores at known values, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from covey.select import (
    ChaosFormula,
    attribute_columns,
    chaos_benchmark,
    chaos_scores,
    functional_precision,
    make_chaos_tabular,
    uniformity,
)
from covey.select.chaos import CHAOS_FORMULAS, integrated_effect, intercept_effect

POSITIONS = range(len(CHAOS_FORMULAS))


def test_fifteen_formulas_of_one_to_ten_variables():
    assert [f.n_variables for f in CHAOS_FORMULAS] == [1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("position", POSITIONS)
def test_derivatives_are_those_of_central_differences(position):
    formula = CHAOS_FORMULAS[position]
    x = np.vstack(
        [np.random.default_rng(0).uniform(-1, 1, size=(40, formula.n_variables)), np.zeros(formula.n_variables)]
    )
    found = formula.gradient(x)
    for j in range(formula.n_variables):
        step = np.zeros(formula.n_variables)
        step[j] = 1e-6
        expected = (formula.value(x + step) - formula.value(x - step)) / 2e-6
        assert found[:, j] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("position", POSITIONS)
def test_every_variable_matters(position):
    table = make_chaos_tabular(position, 0, 50, random_state=0)
    assert (np.abs(table.intercept).max(axis=0) > 0).all()
    assert (np.abs(table.derivative).max(axis=0) > 0).all()


@pytest.mark.parametrize("position", POSITIONS)
def test_truths_are_those_of_the_definition(position):
    table = make_chaos_tabular(position, 3, 20, noise_scale=0.0, n_steps=7, random_state=1)
    formula, x = CHAOS_FORMULAS[position], table.X[:, : table.n_relevant]
    assert (table.y == table.signal).all()
    for i in range(20):
        row = x[[i]]
        for j in range(table.n_relevant):
            without = row.copy()
            without[0, j] = 0.0
            assert table.intercept[i, j] == pytest.approx(
                float((formula.value(row) - formula.value(without))[0]), abs=1e-12
            )
            total = 0.0
            for k in range(7):
                start = row * k / 7
                end = start.copy()
                end[0, j] = row[0, j] * (k + 1) / 7
                total += float((formula.value(end) - formula.value(start))[0])
            assert table.integrated[i, j] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("position", [7, 12, 14])
def test_integrated_effects_add_up_to_the_difference_from_zero_with_many_steps(position):
    formula = CHAOS_FORMULAS[position]
    x = np.random.default_rng(0).uniform(-1, 1, size=(30, formula.n_variables))
    found = integrated_effect(formula, x, n_steps=400).sum(axis=1)
    assert found == pytest.approx(formula.value(x) - formula.value(np.zeros((1, formula.n_variables))), abs=0.02)


def test_effects_of_a_sum_are_all_the_same():
    table = make_chaos_tabular(12, 0, 30, random_state=0)
    assert table.intercept == pytest.approx(table.integrated)


def test_columns_are_clipped_and_independent_of_the_formula():
    table = make_chaos_tabular(14, 90, 5000, random_state=0)
    assert table.X.shape == (5000, 100)
    assert table.relevant.sum() == table.n_relevant == 10
    assert np.abs(table.X).max() == 1.0
    assert table.X.std() == pytest.approx(0.33, rel=0.02)
    assert (table.y - table.signal).std() == pytest.approx(0.01, rel=0.1)
    part = table.take(slice(10))
    assert (table.X[:10] == part.X).all() and part.derivative.shape == (10, 10)


def test_own_formulas_and_seeds():
    own = ChaosFormula("a b", 2, lambda a, b: a * b)
    a, b, c = (make_chaos_tabular(own, 1, 10, random_state=seed) for seed in (0, 0, 1))
    assert (a.X == b.X).all() and (a.y == b.y).all() and (a.X != c.X).any()
    assert a.derivative == pytest.approx(a.X[:, [1, 0]])
    assert intercept_effect(own, a.X[:, :2]) == pytest.approx(np.tile(a.signal[:, None], 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formula": 15}, "formula must be in 0..14"),
        ({"formula": -1}, "formula must be in 0..14"),
        ({"n_noise": -1}, "n_noise must be at least 0"),
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"noise_scale": np.nan}, "noise_scale must not be negative"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_chaos_tabular(**arguments)


def test_functional_precision_at_known_values():
    relevant = [True, True, False, False]
    assert functional_precision([-5, 4, 3, 2], relevant) == 1.0
    assert functional_precision([[5, 4, 3, 2], [1, 2, 3, -4]], relevant) == 0.5
    assert functional_precision([5, 1, 3, 2], relevant, k=1) == 1.0
    assert functional_precision([5, 1, 3, 2], relevant, k=4) == 0.5
    assert functional_precision(np.zeros((3, 4)), relevant) == 1.0  # ties go to the first


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.floats(0.01, 100.0))
def test_scores_do_not_depend_on_the_unit(seed, scale):
    a, b = np.random.default_rng(seed).normal(size=(2, 6, 5))
    relevant = np.arange(5) < 2
    assert functional_precision(scale * a, relevant) == functional_precision(a, relevant)
    assert uniformity(scale * a, b) == pytest.approx(uniformity(a, b))
    assert uniformity(a, b) == pytest.approx(uniformity(b, a))
    assert 0.0 <= uniformity(a, b) <= 1.0
    assert uniformity(a, scale * a) == pytest.approx(1.0)
    assert uniformity(np.abs(a), -np.abs(b)) == pytest.approx(0.0)


def test_uniformity_of_zeros_is_one():
    assert uniformity(np.zeros((2, 3)), np.zeros((2, 3))) == 1.0


def test_scores_of_the_truth_and_of_noise():
    table = make_chaos_tabular(14, 40, 300, random_state=0)
    nothing = np.zeros((300, 40))
    found = chaos_scores(
        {
            "integrated": np.hstack([table.integrated, nothing]),
            "derivative": np.hstack([table.derivative, nothing]),
            "noise": np.random.default_rng(0).normal(size=(300, 50)),
        },
        table,
    )
    assert found.functional_precision[:2].tolist() == [1.0, 1.0]
    assert found.functional_precision[2] == pytest.approx(0.2, abs=0.05)
    assert found.integrated[0] == found.derivative[1] == 1.0
    assert found.integrated[1] < 0.5 > found.derivative[0]
    assert np.diag(found.agreement) == pytest.approx(1.0)
    assert found.agreement == pytest.approx(found.agreement.T)
    assert found.table()["method"] == ["integrated", "derivative", "noise"]


def test_wrong_attributions():
    table = make_chaos_tabular(0, 2, 5, random_state=0)
    with pytest.raises(ValueError, match="no attributions"):
        chaos_scores({}, table)
    with pytest.raises(ValueError, match=r"'a' have shape \(5, 2\)"):
        chaos_scores({"a": np.zeros((5, 2))}, table)
    with pytest.raises(ValueError, match="hold NaN"):
        functional_precision([np.nan, 1.0], [True, False])
    with pytest.raises(ValueError, match="k must be in 1"):
        functional_precision([0.0, 1.0], [True, False], k=3)
    with pytest.raises(ValueError, match="k must be in 1"):
        functional_precision([0.0, 1.0], [False, False])
    with pytest.raises(ValueError, match="relevant has shape"):
        functional_precision([0.0, 1.0], [True])
    with pytest.raises(ValueError, match="differ in shape"):
        uniformity(np.zeros((2, 2)), np.zeros((2, 3)))


def test_a_benchmark_is_a_tidy_table():
    found = chaos_benchmark(
        {"ridge": Ridge()}, ["ablation", "permutation"], [0, 3], [2, 8], n_samples=200, most_rows=20
    )
    assert {len(values) for values in found.values()} == {8}
    assert found["n_noise"] == [2, 2, 8, 8] * 2
    assert found["method"] == ["ablation", "permutation"] * 4
    assert max(found["mean_absolute_error"]) < 0.05
    assert min(found["functional_precision"][::2]) > 0.7
    with pytest.raises(ValueError, match="no model"):
        chaos_benchmark({})
    with pytest.raises(ValueError, match="test_size"):
        chaos_benchmark({"ridge": Ridge()}, test_size=1.0)


def test_a_linear_model_is_attributed_exactly():
    table = make_chaos_tabular(0, 3, 200, noise_scale=0.0, random_state=0)
    model = Ridge(alpha=1e-9).fit(table.X, table.y)
    found = chaos_scores({"ablation": attribute_columns(model, table.X, "ablation")}, table)
    assert found.intercept[0] == found.integrated[0] == pytest.approx(1.0)
