"""Dependence of groups of columns: against the definition, missing rows, undefined pairs, bad input."""

import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.measure import group_hsic
from covey.studies.measure.random_features import exact_hsic
from covey.table import Column, FeatureTable

GROUPS = {"a": ["x0", "x1"], "b": ["x2"], "c": ["x3", "x4"]}


def dependent(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return np.column_stack([x, np.sin(2 * x[:, 0]) * x[:, 1], rng.normal(size=(n, 2))])


def test_many_features_give_the_criterion_of_the_definition():
    x = dependent(200)
    found = group_hsic(x, GROUPS, n_frequencies=2048)
    assert found["a", "b"] == pytest.approx(exact_hsic(x[:, :2], x[:, 2:3]), rel=0.05)
    assert found["a", "c"] == pytest.approx(exact_hsic(x[:, :2], x[:, 3:]), rel=0.2)
    assert np.diag(found.values) == pytest.approx(1.0)
    assert (found.values == found.values.T).all()


def test_pvalues_tell_dependence_from_none():
    found = group_hsic(dependent(400), GROUPS)
    assert found.pvalues[0, 1] < 1e-6 < 0.01 < found.pvalues[0, 2]
    assert np.isnan(np.diag(found.pvalues)).all()


def test_scale_and_location_do_not_matter():
    x = dependent(150)
    moved = x * [1e-3, 10, 5, 1, 1e6] + [1e6, 0, 3, 0, -7]
    assert group_hsic(moved, GROUPS).values == pytest.approx(group_hsic(x, GROUPS).values, abs=1e-6)


def test_a_pair_uses_the_rows_that_are_complete_in_it():
    x = dependent(100)
    x[:30, 0] = np.nan
    x[90:, 4] = np.nan
    found = group_hsic(x, GROUPS)
    assert found.n.tolist() == [[70, 70, 60], [70, 100, 90], [60, 90, 90]]
    assert np.isfinite(found.values).all()


def test_undefined_pairs_have_a_reason():
    x = dependent(50)
    x[:, 2] = 4.0
    x[:-5, 3] = np.nan
    found = group_hsic(x, GROUPS)
    assert found.reason("a", "b") == "a column is constant on the rows where both are present"
    assert found.reason("a", "c") == "too few rows have both columns present to determine the measure"
    assert np.isnan(found["a", "b"]) and np.isnan(found["a", "c"])


def test_workers_do_not_change_the_bits():
    x = dependent(100)
    one, two = (group_hsic(x, GROUPS, engine=LocalEngine(k)) for k in (1, 2))
    assert (one.values == two.values).all()
    assert not (group_hsic(x, GROUPS, random_state=1).values == one.values).all()


def test_bad_input_is_named():
    x = dependent(20)
    with pytest.raises(ValueError, match="at least two groups"):
        group_hsic(x, {"a": ["x0"]})
    with pytest.raises(ValueError, match="group 'b' must be a list"):
        group_hsic(x, {"a": ["x0"], "b": "x1"})
    with pytest.raises(ValueError, match="group 'b' must be a list of at least one"):
        group_hsic(x, {"a": ["x0"], "b": []})
    with pytest.raises(ValueError, match="x9"):
        group_hsic(x, {"a": ["x0"], "b": ["x9"]})
    with pytest.raises(ValueError, match="n_frequencies must be at least 1"):
        group_hsic(x, GROUPS, n_frequencies=0)
    table = FeatureTable.from_columns(
        [Column("v", "numeric", np.arange(4.0)), Column("k", "categorical", np.zeros(4, np.int32), ("a", "b"))]
    )
    with pytest.raises(ValueError, match="column 'k' of group 'b' is categorical"):
        group_hsic(table, {"a": ["v"], "b": ["k"]})
