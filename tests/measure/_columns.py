"""Columns of many shapes, and what every pair kernel must keep to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from covey.measure import associate, get


def many_shapes(n: int = 300, seed: int = 0) -> NDArray[np.float64]:
    """Normal, curved, Cauchy, rounded (two), with a huge mean, and of two values; shape (n, 7)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return np.column_stack(
        [
            x,
            x**2 + 0.1 * rng.normal(size=n),
            rng.standard_cauchy(n),
            np.round(2 * rng.normal(size=n)),
            np.round(x * 3),
            1e9 + x + rng.normal(size=n),
            (x > 0) * 2.5,
        ]
    )


def with_gaps(x: NDArray[np.float64], share: float, seed: int = 1) -> NDArray[np.float64]:
    """A copy of `x` with NaN in a random `share` of its cells."""
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


def check_definition(name: str, x: NDArray[np.float64], tolerance: float) -> None:
    """Every value equals the definition on the rows that the pair shares, and n counts these."""
    matrix, definition = associate(x, measure=name, pvalues=False), get(name).definition
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            rows = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            expected = definition(x[rows, i], x[rows, j])
            assert matrix.values[i, j] == pytest.approx(expected, abs=tolerance), (name, i, j)
            assert matrix.n[i, j] == rows.sum()


def check_small_sample(name: str, rows: list[tuple[int, int]]) -> None:
    """A few tied rows: the definition, or NaN when a column is constant."""
    x, y = np.array(rows, dtype=float).T
    value = associate({"x": x, "y": y}, measure=name, pvalues=False)["x", "y"]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(get(name).definition(x, y), abs=1e-9)
