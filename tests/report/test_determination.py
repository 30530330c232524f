from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.report._determination import (
    determinations,
    determined,
    epsilon_squared,
    followed,
    goodman_kruskal_tau,
    leaks,
)
from tests.report._planted import codes, material, numbers, table

pairs = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 3)), min_size=1, max_size=40)


@given(pairs)
def test_followed_counts_the_most_frequent_partner(rows) -> None:
    x, y = np.array(rows).T
    both = [(a, b) for a, b in rows if a >= 0 and b >= 0]
    best = sum(max(both.count((a, b)) for b in range(4)) for a in range(5)) if both else 0
    assert followed(x, y) == pytest.approx(best / len(both) if both else 0.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=40))
def test_tau_predicts_each_row_by_the_others(rows) -> None:
    table_ = np.zeros((6, 3))
    for a, b in rows:
        table_[a, b] += 1
    n, marginal = len(rows), table_.sum(axis=0)
    chance = sum((marginal[b] - 1) / (n - 1) for _, b in rows) / n
    hit = sum((table_[a, b] - 1) / (table_[a].sum() - 1) if table_[a].sum() > 1 else chance for a, b in rows) / n
    expected = max(0.0, (hit - chance) / (1 - chance)) if chance < 1 else 0.0
    assert goodman_kruskal_tau(table_) == pytest.approx(expected, abs=1e-12)


def test_many_levels_alone_determine_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 500, 1000), rng.integers(0, 3, 1000)
    counts = np.zeros((500, 3))
    np.add.at(counts, (x, y), 1)
    assert goodman_kruskal_tau(counts) < 0.05
    assert epsilon_squared(counts, np.arange(3.0)) < 0.05


def test_epsilon_squared_is_one_minus_the_ratio_of_unbiased_variances() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, 400)
    y = x + rng.integers(0, 5, 400)
    counts = np.zeros((4, 8))
    np.add.at(counts, (x, y), 1)
    within = sum(((y[x == k] - y[x == k].mean()) ** 2).sum() for k in range(4)) / (400 - 4)
    assert epsilon_squared(counts, np.arange(8.0)) == pytest.approx(1 - within / y.var(ddof=1))


def test_leaks_stand_above_a_gap() -> None:
    assert leaks({"a": 0.8, "b": 0.3, "c": 0.1}, 1000) == ["a"]
    assert leaks({"a": 0.8, "b": 0.5, "c": 0.1}, 1000) == []
    assert leaks({"a": 1.0, "b": 0.9, "c": 0.5}, 1000) == ["a"]
    assert leaks({"a": 0.9, "b": 0.85, "c": 0.2}, 1000) == ["a", "b"]
    assert leaks({f"x{k}": 1.0 for k in range(10)}, 1000) == []
    assert leaks({"a": 1.0}, 20) == []
    assert leaks({}, 1000) == []


@pytest.mark.parametrize("kind", ["number", "category"])
def test_a_copy_of_the_target_determines_it(kind) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400) if kind == "number" else rng.integers(0, 4, 400)
    target = numbers("y", y) if kind == "number" else codes("y", y, "abcd")
    found = determinations(
        material(table(numbers("copy", 3.0 * y), numbers("noise", rng.normal(size=400)), target), "y")
    )
    assert found["copy"] > 0.99 and found["noise"] < 0.1


def pair_of(x, y):
    source = material(table(x, y))
    return determined(source, source.square("auto"))


def test_a_coarser_column_follows_from_a_finer_one() -> None:
    age = np.random.default_rng(0).integers(18, 70, 2000)
    [found] = pair_of(codes("class", np.digitize(age, [30, 50]), ("young", "middle", "old")), numbers("age", age))
    assert (found.by, found.column, found.both_ways, found.agreement) == ("age", "class", False, 1.0)


def test_a_monotone_copy_and_a_relabelled_one_are_found_both_ways() -> None:
    x = np.random.default_rng(0).normal(size=300)
    [found] = pair_of(numbers("x", x), numbers("exp", -np.exp(x)))
    assert found.both_ways
    c = np.random.default_rng(0).integers(0, 5, 300)
    [found] = pair_of(codes("c", c, "abcde"), codes("d", (c + 2) % 5, "vwxyz"))
    assert found.both_ways and found.agreement == 1.0


def test_noisy_or_unique_columns_do_not_follow() -> None:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 70, 2000)
    band = np.where(rng.random(2000) < 0.02, 0, np.digitize(age, [30, 50]))
    assert pair_of(numbers("age", age), codes("class", band, "abc")) == []
    x = rng.normal(size=300)
    assert pair_of(numbers("x", x), codes("sign", x > 0, ("no", "yes"))) == []
