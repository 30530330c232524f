"""The search: the surrogate against recomputation, the bounds against enumeration, targets, and repeatability."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.engine import LocalEngine
from covey.partition._search import (
    HIGHER,
    LOWER,
    Problem,
    Split,
    _all_changes,
    _anneal,
    _best,
    _change,
    _polished,
    _swap,
    extremes,
    restarts,
    toward,
)


def correlations(m: int, seed: int = 0, n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, max(2, m // 4))) @ rng.normal(size=(max(2, m // 4), m))
    return np.corrcoef(factors + rng.normal(size=(n, m)), rowvar=False)


def problem(sizes: list[int], seed: int = 0, **options: object) -> Problem:
    return Problem(correlations(sum(sizes), seed), np.repeat(np.arange(len(sizes)), sizes), len(sizes), **options)


def value(model) -> float:
    """The surrogate by its definition."""
    total = 0.0
    for i in range(len(model.sizes)):
        own = model.labels == i
        diagonal = model.diagonal[own] - model.diagonal[own].mean()
        total += model.weight[i, i] * np.sqrt(model.squares[np.ix_(own, own)].sum() + (diagonal**2).sum())
        for j in range(i):
            block = model.squares[np.ix_(own, model.labels == j)]
            total += model.weight[i, j] * np.sqrt(block.sum())
    return total


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(0, 1000), st.booleans())
def test_swaps_change_the_surrogate_as_computed_anew(sizes, seed, with_constants):
    rng = np.random.default_rng(seed)
    case = problem(sizes, seed)
    if with_constants:
        case.correlation[0] = case.correlation[:, 0] = 0.0
    model = case.surrogate(rng.permutation(case.labels))
    for _ in range(10):
        s, t = rng.integers(case.n_features, size=2)
        if model.labels[s] != model.labels[t]:
            before = value(model)
            change = _change(model, s, t)
            _swap(model, s, t)
            assert value(model) - before == pytest.approx(change, abs=1e-10)
    fresh = case.surrogate(model.labels)
    for name in ("reach", "between", "trace", "diagonal_squares"):
        assert getattr(model, name) == pytest.approx(getattr(fresh, name), abs=1e-10)


@pytest.mark.parametrize("sizes", [[5, 5, 5], [2, 3, 8], [1, 4, 4]])
def test_surrogate_set_to_a_split_has_its_exact_icor(sizes):
    case = problem(sizes)
    split = case.split(np.random.default_rng(1).permutation(case.labels))
    assert value(case.surrogate(split.labels, exact=split)) == pytest.approx(split.icor, abs=1e-12)


def test_all_changes_are_those_of_single_swaps():
    case = problem([3, 4])
    model = case.surrogate(case.labels)
    changes = _all_changes(model, HIGHER)
    assert np.isfinite(changes).sum() == 12
    assert changes[1, 5] == pytest.approx(-_change(model, 1, 5))


def test_exact_values_near_a_known_split_are_exact():
    case = problem([4, 4, 4])
    split = case.split(case.labels)
    labels = case.labels.copy()
    labels[[0, 5]] = labels[[5, 0]]
    near, anew = case.split(labels, near=split), case.split(labels)
    assert near.pcor == pytest.approx(anew.pcor, abs=1e-12)
    assert near.icor != split.icor


def all_splits_in_two(m: int, size: int) -> list[np.ndarray]:
    return [np.isin(np.arange(m), chosen).astype(np.int64) for chosen in combinations(range(m), size)]


@pytest.mark.parametrize("size", [4, 6])
@pytest.mark.parametrize("seed", range(3))
def test_bounds_are_those_of_all_splits(size, seed):
    case = problem([10 - size, size], seed)
    values = [case.split(labels).icor for labels in all_splits_in_two(10, size)]
    (low, high), _ = extremes(case, (LOWER, HIGHER), 8, 0, LocalEngine(1))
    assert low.icor == pytest.approx(min(values), abs=1e-12)
    assert high.icor == pytest.approx(max(values), abs=1e-12)


def test_search_does_not_depend_on_the_number_of_workers():
    case = problem([5, 5, 6])
    runs = [extremes(case, (LOWER, HIGHER), 4, 3, LocalEngine(n)) for n in (1, 3)]
    for one, three in zip(runs[0][0], runs[1][0]):
        assert (one.labels == three.labels).all()
    assert runs[0][1] == runs[1][1]


def test_the_same_split_under_other_names_is_one_split():
    """Duplicates are sets of features: neither the order within a party nor the parties' numbers make another split."""
    case = problem([2, 2, 2])
    first, renamed = case.split(np.array([0, 0, 1, 1, 2, 2])), case.split(np.array([2, 2, 0, 0, 1, 1]))
    other = case.split(np.array([0, 1, 0, 1, 2, 2]))
    assert first.key == renamed.key != other.key
    assert len(_best([first, renamed, first, other], LOWER)) == 2


def test_exact_swaps_end_where_none_helps():
    case = problem([4, 4], seed=5)
    _, split, n_evaluations = _polished(case, (LOWER, case.split(case.labels)))
    assert split.icor < case.split(case.labels).icor
    assert 0 < n_evaluations <= case.affordable
    for s, t in zip(*np.nonzero(split.labels[:, None] < split.labels)):
        labels = split.labels.copy()
        labels[[s, t]] = labels[[t, s]]
        assert case.split(labels).icor >= split.icor - 1e-12


def test_shares_stay_within_their_limits():
    importance = np.random.default_rng(0).exponential(size=20)
    importance /= importance.sum()
    free = problem([5, 5, 10])
    shares = np.bincount(free.labels, importance)
    limits = np.array([shares - 0.02, shares + 0.02])
    bound = problem([5, 5, 10], importance=importance, limits=limits)
    found, _ = extremes(bound, (LOWER, HIGHER), 6, 0, LocalEngine(1))
    half_way, _ = toward(bound, found[0], (found[0].icor + found[1].icor) / 2, 1e-3, 0)
    for split in [*found, half_way]:
        held = np.bincount(split.labels, importance)
        assert (held >= limits[0] - 1e-9).all() and (held <= limits[1] + 1e-9).all()
    unbound, _ = extremes(free, (LOWER, HIGHER), 6, 0, LocalEngine(1))
    assert np.abs(np.bincount(unbound[0].labels, importance) - shares).max() > 0.02
    assert unbound[0].icor <= found[0].icor + 1e-12


def test_annealing_lowers_and_raises_the_surrogate():
    case = problem([6, 6, 6])
    ends = []
    for sign in (LOWER, HIGHER):
        model = case.surrogate(case.labels)
        _anneal(model, np.random.default_rng(0), sign, 0.01, 1e-4, 5000)
        assert sorted(np.bincount(model.labels)) == [6, 6, 6]
        ends.append(value(model))
    assert ends[0] < value(case.surrogate(case.labels)) < ends[1]


@pytest.mark.parametrize("place", [0.25, 0.5, 0.75])
def test_targets_are_met(place):
    case = problem([10, 10, 10, 10])
    (low, high), _ = extremes(case, (LOWER, HIGHER), 4, 0, LocalEngine(1))
    target = low.icor + place * (high.icor - low.icor)
    for start in (low, high):
        split, n_evaluations = toward(case, start, target, 1e-4, 0)
        assert abs(split.icor - target) <= 1e-4
        assert split.icor == pytest.approx(case.split(split.labels).icor, abs=1e-12)
        assert n_evaluations > 0


def test_a_target_that_no_split_has_gets_the_nearest_one():
    case = problem([3, 3])
    values = np.array([case.split(labels).icor for labels in all_splits_in_two(6, 3)])
    target = np.sort(values)[:3].mean() + 0.003
    split, n_evaluations = toward(case, case.split(case.labels), target, 1e-9, 0)
    assert abs(split.icor - target) == pytest.approx(np.abs(values - target).min(), abs=1e-12)
    assert n_evaluations == 10 * case.n_swaps == 90


def test_a_start_at_the_target_stays():
    case = problem([3, 3])
    start = case.split(case.labels)
    assert toward(case, start, start.icor, 0.0, 0) == (start, 0)


def test_features_without_correlation_need_no_search():
    case = Problem(np.eye(8), np.repeat([0, 1], 4), 2)
    (low, high), _ = extremes(case, (LOWER, HIGHER), 2, 0, LocalEngine(1))
    assert low.icor == high.icor == 0.0


def test_wide_tables_get_fewer_restarts_and_exact_values():
    wide = Problem(np.eye(2000), np.repeat(np.arange(4), 500), 4)
    narrow = problem([13, 13, 12, 12])
    assert 2 <= restarts(wide) < restarts(narrow) == 64
    assert 8 <= wide.affordable < narrow.affordable


def test_icor_of_a_split_comes_from_its_pcor():
    assert Split(np.array([0, 1]), np.array([[0.6, 0.1], [0.1, 0.4]])).icor == pytest.approx(-0.4)
