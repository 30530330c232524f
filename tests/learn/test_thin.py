"""Products with few columns against NumPy's, in both precisions; moments in one pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from covey.learn._thin import mean_and_scatter, times, transposed_times


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 4, 5, 8, 11, 40])
def test_products_equal_numpys(dtype, k) -> None:
    rng = np.random.default_rng(k)
    rows = rng.normal(size=(37, 61)).astype(dtype)
    weights, scores = rng.normal(size=(61, k)), rng.normal(size=(37, k))
    close = 1e-12 if dtype is np.float64 else 1e-5
    for found, expected in (
        (times(rows, weights), rows.astype(float) @ weights),
        (transposed_times(rows, scores), rows.T.astype(float) @ scores),
    ):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, atol=close * np.abs(expected).max())


def test_sparse_and_strided_rows_give_the_same() -> None:
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((30, 20)) < 0.2, rng.normal(size=(30, 20)), 0.0)
    weights, scores = rng.normal(size=(20, 3)), rng.normal(size=(30, 3))
    for other in (csr_array(rows), np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]):
        np.testing.assert_allclose(times(other, weights), times(rows, weights), atol=1e-12)
        np.testing.assert_allclose(transposed_times(other, scores), transposed_times(rows, scores), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200])
def test_moments_equal_numpys(n) -> None:
    rows = np.random.default_rng(n).normal(size=(n, 7))
    mean, scatter = mean_and_scatter(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(scatter, ((rows - rows.mean(axis=0)) ** 2).sum(axis=0), atol=1e-12)


def test_moments_of_columns_far_from_zero_keep_their_digits() -> None:
    rows = 1e9 + np.random.default_rng(0).normal(size=(1000, 3))
    _, scatter = mean_and_scatter(rows)
    np.testing.assert_allclose(scatter, rows.var(axis=0) * 1000, rtol=1e-6)


def test_moments_of_float32_are_summed_in_float64() -> None:
    rows = (1000 + np.random.default_rng(0).normal(size=(5000, 2))).astype(np.float32)
    mean, _ = mean_and_scatter(rows)
    np.testing.assert_allclose(mean, rows.astype(float).mean(axis=0), rtol=1e-12)


def test_missing_values_stay_missing() -> None:
    rows = np.ones((3, 4))
    rows[1, 2] = np.nan
    assert np.isnan(times(rows, np.ones((4, 4)))[1]).all() and np.isfinite(times(rows, np.ones((4, 4)))[0]).all()
