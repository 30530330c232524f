"""The ranking kernel against `np.interp`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.measure._rank_kernels import interpolate

FLOATS = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@settings(deadline=None)  # the first call compiles
@given(st.lists(FLOATS, min_size=1, max_size=70, unique=True), st.lists(FLOATS, max_size=40), st.integers(0, 99))
def test_equals_numpy(points, values, seed):
    points = np.sort(np.array(points))
    heights = np.cumsum(np.random.default_rng(seed).random(len(points)))
    values = np.concatenate([values, points, points + 0.5, [-1e9, 1e9, -np.inf, np.inf]])
    expected = np.interp(values, points, heights)
    np.testing.assert_allclose(interpolate(values, points, heights), expected, rtol=1e-12)


@pytest.mark.parametrize("n_points", [1, 2, 3, 63, 64, 65, 4095, 4096, 4097])
@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 3000])
def test_every_size(n_points, n):
    rng = np.random.default_rng(n_points)
    points, values = np.unique(rng.standard_cauchy(n_points)), rng.standard_cauchy(n)
    heights = np.arange(len(points), dtype=float)
    np.testing.assert_allclose(
        interpolate(values, points, heights), np.interp(values, points, heights), rtol=1e-12, atol=1e-12
    )


def test_missing_stays_missing():
    for points in (np.array([1.0]), np.array([0.0, 1.0])):
        out = interpolate(np.array([np.nan, 1.0, np.nan]), points, points)
        np.testing.assert_array_equal(out, [np.nan, 1.0, np.nan])
