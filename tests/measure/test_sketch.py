from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure._sketch import SIZE, DistinctSketch, QuantileSketch, Summary

N = 60_000


def distributions():
    rng = np.random.default_rng(0)
    return {
        "normal": rng.normal(size=N),
        "cauchy": rng.standard_cauchy(N),
        "lognormal, ascending": np.sort(rng.lognormal(0, 3, N)),
        "descending": -np.arange(float(N)),
        "half of it one value": np.where(rng.random(N) < 0.5, 0.0, rng.lognormal(0, 3, N)),
        "bulk of width 1e-9": np.concatenate([1e-9 * rng.normal(size=N // 2), rng.standard_cauchy(N // 2)]),
        "huge mean": 1e9 + rng.normal(size=N),
        "whole numbers": rng.integers(0, 9000, N).astype(float),
        "few values": rng.integers(0, 50, N).astype(float),
        "zigzag": np.abs(np.arange(N) % 2000 - 1000) + 1e-6 * np.arange(N),
    }


def sketch(values, rows):
    out = QuantileSketch(1)
    for start in range(0, len(values), rows):
        out.update(values[start : start + rows, None])
    return out


def mid_ranks(values, of):
    ordered = np.sort(values)
    return (np.searchsorted(ordered, of, "left") + np.searchsorted(ordered, of, "right")) / 2


@pytest.mark.parametrize("rows", [N, 25_000, 9_000, 1_300])
@pytest.mark.parametrize("name", distributions())
def test_ranks_within_the_stated_error(name, rows):
    values = distributions()[name]
    summary = sketch(values, rows).result()[0]
    assert summary.weights.sum() == N
    assert summary.values[0] == values.min() and summary.values[-1] == values.max()
    assert (np.diff(summary.values) > 0).all()
    upper = np.concatenate([[0.0], np.cumsum(summary.weights)])
    below = upper[np.searchsorted(summary.values, values)]
    assert np.max(np.abs(below - np.searchsorted(np.sort(values), values))) <= summary.error
    nodes, heights = summary.ranks()
    true = mid_ranks(values, values) / N
    error = np.max(np.abs(np.interp(values, nodes, heights) - true))
    assert error <= summary.rank_error * np.std(true) * (1 + 1e-6) + 1e-9


def test_the_stated_error_is_small():
    values = distributions()["normal"]
    assert 0 < sketch(values, 1_300).result()[0].error < 0.003 * N
    assert sketch(values, 1_300).result()[0].rank_error < 0.015


def test_few_values_are_exact():
    values = distributions()["few values"]
    summary = sketch(values, 1_300).result()[0]
    np.testing.assert_array_equal(summary.values, np.unique(values))
    np.testing.assert_array_equal(summary.weights, np.unique(values, return_counts=True)[1])
    assert summary.error == 0.0 and summary.rank_error == 0.0


def test_memory_grows_with_the_logarithm_of_the_blocks():
    out = QuantileSketch(1)
    rng = np.random.default_rng(0)
    points = []
    for k in range(1, 129):
        out.update(rng.normal(size=(5000, 1)))
        if k in (1, 16, 127, 128):
            points.append(sum(len(s.values) for level in out._levels.values() for s in level))
    assert points[0] == points[1] == points[3] == SIZE  # one summary when the number of blocks is a power of two
    assert points[2] == 7 * SIZE


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=4), st.booleans(), st.integers(0, 99))
def test_merging_any_split_in_any_order_stays_within_the_error(sizes, backwards, seed):
    values = np.random.default_rng(seed).standard_cauchy(sum(sizes))
    parts = [sketch(part, 3000) for part in np.split(values, np.cumsum(sizes)[:-1])]
    parts = parts[::-1] if backwards else parts
    total = QuantileSketch(1)
    for part in parts:
        total.merge(part)
    summary = total.result()[0]
    assert summary.weights.sum() == len(values)
    upper = np.concatenate([[0.0], np.cumsum(summary.weights)])
    below = upper[np.searchsorted(summary.values, values)]
    assert np.max(np.abs(below - np.searchsorted(np.sort(values), values))) <= summary.error


def test_merging_leaves_the_other_as_it_was():
    values = distributions()["normal"]
    left, right = sketch(values[:10_000], 5000), sketch(values[10_000:17_000], 5000)
    before = right.result()[0]
    left.merge(right).update(values[17_000:20_000, None])
    after = right.result()[0]
    np.testing.assert_array_equal(before.values, after.values)
    np.testing.assert_array_equal(before.weights, after.weights)
    assert left.result()[0].weights.sum() == 20_000


def test_missing_values_and_empty_columns():
    block = np.array([[1.0, np.nan], [np.nan, np.nan], [1.0, np.nan]])
    first, second = QuantileSketch(2).update(block).update(block).result()
    np.testing.assert_array_equal(first.values, [1.0])
    np.testing.assert_array_equal(first.weights, [4.0])
    assert len(second.values) == 0 and second.rank_error == 0.0
    assert len(QuantileSketch(1).result()[0].values) == 0


def test_pickles():
    values = distributions()["normal"]
    again = pickle.loads(pickle.dumps(sketch(values, 9_000)))
    np.testing.assert_array_equal(again.result()[0].values, sketch(values, 9_000).result()[0].values)


def test_join_adds_weights_of_equal_values():
    joined = Summary.join(
        Summary(np.array([1.0, 2.0]), np.array([1.0, 5.0]), 1.0), Summary(np.array([0.0, 2.0]), np.array([3.0, 2.0]))
    )
    np.testing.assert_array_equal(joined.values, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(joined.weights, [3.0, 1.0, 7.0])
    assert joined.error == 1.0


def test_distinct_values_are_counted_exactly_or_nearly_and_whatever_the_parts():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 40_000, 100_000).astype(float)
    true = len(np.unique(values))
    whole = DistinctSketch().update(values)
    parts = DistinctSketch().update(values[:30_000]).merge(DistinctSketch().update(values[20_000:]))
    assert whole.result() == parts.result() == pytest.approx(true, rel=0.1)
    assert DistinctSketch().update(values[:500]).result() == len(np.unique(values[:500]))
    words = np.array([f"user {v:.0f}" for v in values[:20_000]], dtype=object)
    assert DistinctSketch().update(np.arange(1024.0)).update(np.arange(512.0)).result() == 1024
    assert DistinctSketch().update(words).result() == pytest.approx(len(set(words)), rel=0.1)
    assert DistinctSketch().update(np.array([0.0, -0.0])).result() == 1
    estimates = [DistinctSketch(64).update(rng.normal(size=2000)).result() for _ in range(60)]
    assert np.mean(estimates) == pytest.approx(2000, rel=0.06)
    assert np.std(estimates) / 2000 == pytest.approx(1 / np.sqrt(62), rel=0.35)
