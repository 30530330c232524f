from __future__ import annotations

import numpy as np
import pytest

from covey.report._reversal import Within, correlations, grouping, reversals, scaled_ranks
from tests.report._planted import codes, material, numbers, table


def simpson(n_rows: int = 1200, seed: int = 0, slope: float = -1.0):
    """Within each of three groups `y` falls with `x`; over all rows it rises."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n_rows)
    x = 3.0 * group + rng.normal(size=n_rows)
    y = 3.0 * group + slope * (x - 3.0 * group) + 0.5 * rng.normal(size=n_rows)
    return x, y, group


def found_in(source, target=None):
    made = material(source, target)
    return reversals(made, made.square("auto"))


def test_the_planted_reversal_is_found() -> None:
    x, y, group = simpson()
    noise = np.random.default_rng(9).normal(size=len(x))
    found, searched = found_in(table(numbers("x", x), numbers("y", y), numbers("z", noise), codes("g", group, "abc")))
    [one] = [r for r in found if r.by == "g"]
    assert {one.left, one.right} == {"x", "y"}
    assert one.overall > 0.5 and one.pooled < -0.5 and all(value < 0 for _, value, _ in one.within)
    assert sum(rows for *_, rows in one.within) == len(x)
    assert searched["triples"] == searched["groupings"] * 3


def test_the_same_slope_within_is_no_reversal() -> None:
    x, y, group = simpson(slope=1.0)
    assert found_in(table(numbers("x", x), numbers("y", y), codes("g", group, "abc")))[0] == ()


def test_two_binary_columns_can_reverse_as_in_admissions() -> None:
    # applicants and admitted of two departments, by sex: women do better in each and worse over both
    rows = [(0, 0, 800, 500), (1, 0, 100, 80), (0, 1, 200, 20), (1, 1, 900, 180)]
    sex, department, admitted = [], [], []
    for s, d, n, k in rows:
        sex += [s] * n
        department += [d] * n
        admitted += [1] * k + [0] * (n - k)
    source = table(codes("sex", sex, "mf"), codes("department", department, "ab"), codes("admitted", admitted, "ny"))
    found, _ = found_in(source, "admitted")
    [one] = [r for r in found if r.by == "department"]
    assert {one.left, one.right} == {"sex", "admitted"} and one.overall < -0.2 < 0.1 < one.pooled


def test_a_number_groups_by_fifths() -> None:
    made = material(table(numbers("x", np.arange(1000.0))))
    found = grouping(made, "x")
    assert found is not None and len(found.labels) == 5
    np.testing.assert_array_equal(np.diff(found.bounds), [200] * 5)
    assert found.labels[0].startswith("0 to ")


def test_small_levels_are_left_out_and_scattered_columns_do_not_group() -> None:
    values = np.repeat([0, 1, 2], [500, 480, 20])
    found = grouping(material(table(codes("c", values, "abc"))), "c")
    assert found is not None and found.labels == ("a", "b") and len(found.rows) == 980
    many = np.arange(1000) % 200
    assert grouping(material(table(codes("c", many, [str(k) for k in range(200)]))), "c") is None


def test_correlations_within_are_those_of_the_rows_of_each_level() -> None:
    x, y, group = simpson(300)
    made = material(table(numbers("x", x), numbers("y", y), codes("g", group, "abc")))
    found = grouping(made, "g")
    assert found is not None
    ranks = np.stack([scaled_ranks(made, "x"), scaled_ranks(made, "y")], axis=1)
    for k in range(3):
        rows = found.rows[found.bounds[k] : found.bounds[k + 1]]
        assert set(rows) == set(np.flatnonzero(group == k))
        value, n = correlations(ranks[rows])
        assert value[0, 1] == pytest.approx(np.corrcoef(ranks[group == k].T)[0, 1])
        assert n[0, 1] == np.count_nonzero(group == k)


def test_pooled_is_the_weighted_mean_on_fishers_scale() -> None:
    values, n = np.array([[[0.5]], [[-0.1]]]), np.array([[[103]], [[53]]])
    pooled, _ = Within(values, n).pooled()
    expected = np.tanh((100 * np.arctanh(0.5) + 50 * np.arctanh(-0.1)) / 150)
    assert pooled[0, 0] == pytest.approx(expected)
    assert Within(values, n).opposed(np.array([[1.0]]))[0, 0] == pytest.approx(53 / 156)
