"""Engineered targets: each formula on known values, the promises of the ranges, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.generate.engineered import FORMULAS, engineered_feature, make_engineered

KNOWN = {
    "count": ([-1.0, 2.0, 0.0, 3.0, 0.5, -2.0, -0.1, 1.0], 4.0),
    "difference": ([3.0, 5.0], -2.0),
    "logarithm": ([np.e], 1.0),
    "polynomial": ([2.0], 43.0),
    "power": ([-3.0], 9.0),
    "ratio": ([3.0, 4.0], 0.75),
    "rational_difference": ([5.0, 1.0, 4.0, 2.0], 2.0),
    "rational_polynomial": ([1.0], 1.0 / 13.0),
    "root_distance": ([2.0, -14.0, 20.0], 3.0),  # roots 2 and 5
    "square_root": ([9.0], 3.0),
    "distance": ([4.0, 1.0, 6.0, 2.0], 5.0),
    "maximum": ([1.0, 7.0, 3.0], 7.0),
    "power_ratio": ([8.0, 2.0], 2.0),
    "product_ratio": ([3.0, 4.0, 2.0, 6.0], 1.0),
    "root_of_ratio": ([8.0, 2.0], 2.0),
}


def test_every_formula_has_a_known_value():
    assert set(KNOWN) == set(FORMULAS)
    assert sum(formula.core for formula in FORMULAS.values()) == 10


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name):
    inputs, value = KNOWN[name]
    assert engineered_feature([inputs], name) == pytest.approx([value])


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "count"])
def test_the_text_says_what_is_computed(name):
    X, y = make_engineered(name, 50, random_state=1)
    functions = {"sqrt": np.sqrt, "log": np.log, "abs": np.abs, "max": lambda *parts: np.max(parts, axis=0)}
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    assert eval(FORMULAS[name].text, functions | columns) == pytest.approx(y)


def test_complex_roots_are_as_far_apart_as_numpy_says():
    roots = np.roots([1.0, 2.0, 5.0])
    assert engineered_feature([[1.0, 2.0, 5.0]], "root_distance") == pytest.approx([abs(roots[0] - roots[1])])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(FORMULAS)), st.floats(-3.0, 0.5), st.floats(0.5, 3.0), st.integers(0, 99))
def test_rows_keep_the_range_and_the_denominator(name, low, width, seed):
    formula = FORMULAS[name]
    X, y = make_engineered(name, 60, low, low + 4.0 + width, 0.1, random_state=seed)
    assert X.shape == (60, formula.n_features) and np.isfinite(y).all()
    assert X.min() >= low and X.max() <= low + 4.0 + width
    assert not formula.positive or X.min() > 0.0
    assert formula.denominator is None or np.abs(formula.denominator(X)).min() >= 0.1
    again, target = make_engineered(name, 60, low, low + 4.0 + width, 0.1, random_state=seed)
    assert (again == X).all() and (target == y).all()


def test_columns_are_uniform_and_independent():
    X, _ = make_engineered("maximum", 20_000, 2.0, 6.0, random_state=0)
    assert X.mean(axis=0) == pytest.approx(4.0, abs=0.05)
    assert X.std(axis=0) == pytest.approx(4.0 / 12**0.5, abs=0.02)
    assert np.corrcoef(X, rowvar=False) == pytest.approx(np.eye(3), abs=0.03)


def test_a_count_compares_with_the_middle_of_the_range():
    X, y = make_engineered("count", 200, 10.0, 12.0, random_state=0)
    assert (y == (X > 11.0).sum(axis=1)).all()
    assert engineered_feature(X, "count", threshold=12.0) == pytest.approx(0.0)


def test_undefined_values_are_not_hidden():
    assert np.isinf(engineered_feature([[1.0, 0.0]], "ratio")).all()
    assert np.isnan(engineered_feature([[-1.0]], "logarithm")).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formula": "magic"}, "formula must be one of count, difference"),
        ({"formula": "ratio", "n_samples": 0}, "n_samples must be a whole number from 1, got 0"),
        ({"formula": "ratio", "min_denominator": -1.0}, "min_denominator must be at least 0"),
        ({"formula": "ratio", "min_denominator": np.nan}, "min_denominator must be at least 0"),
        ({"formula": "ratio", "low": 2.0}, "low must be below high"),
        ({"formula": "ratio", "low": -np.inf}, "both finite"),
        ({"formula": "logarithm", "low": -2.0, "high": -1.0}, "for logarithm above 0"),
        ({"formula": "ratio", "min_denominator": 5.0}, "hardly ever give ratio a denominator of at least 5"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_engineered(**arguments)


def test_a_wrong_number_of_columns_is_named():
    with pytest.raises(ValueError, match=r"ratio takes 2 columns; X has shape \(3, 1\)"):
        engineered_feature(np.ones((3, 1)), "ratio")
    with pytest.raises(ValueError, match="ratio takes 2 columns"):
        engineered_feature(np.ones(3), "ratio")
