"""Data of the benchmarks: generators with fixed seeds, and the bundled table of adults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas


def correlated(n_rows: int, n_columns: int, missing: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    """Normal columns with shared factors, one factor for ten columns, and a share of entries missing at random."""
    rng = np.random.default_rng(seed)
    n_factors = max(2, n_columns // 10)
    loadings = rng.normal(size=(n_factors, n_columns)) * (rng.random((n_factors, n_columns)) < 0.3)
    x = rng.normal(size=(n_rows, n_factors)) @ loadings + rng.normal(size=(n_rows, n_columns))
    x[rng.random(x.shape) < missing] = np.nan
    return x


def many_shapes(n_rows: int, n_columns: int, seed: int = 0) -> NDArray[np.float64]:
    """Columns of every shape that distance correlation meets, in turn, bound by a shared factor of each shape.

    Normal; Cauchy; Student's t with 2 degrees of freedom; lognormal; uniform; the square and the sine of a neighbour;
    counts with many ties; a two-point mixture far apart; a normal column with a mean of a million.
    """
    rng = np.random.default_rng(seed)
    base = correlated(n_rows, n_columns, seed=seed + 1)
    base /= base.std(axis=0)
    out = np.empty_like(base, order="F")
    for j in range(n_columns):
        out[:, j] = _shape(j % 10, base[:, j], base[:, (j - 1) % n_columns], rng)
    return out


def _shape(kind: int, z: NDArray[np.float64], neighbour: NDArray[np.float64], rng: np.random.Generator) -> NDArray:
    n = len(z)
    match kind:
        case 1:
            return z / np.abs(rng.normal(size=n))
        case 2:
            return z / np.sqrt(rng.chisquare(2, size=n) / 2)
        case 3:
            return np.exp(z)
        case 4:
            return np.argsort(np.argsort(z)) / n
        case 5:
            return neighbour**2 + 0.3 * z
        case 6:
            return np.sin(3 * neighbour) + 0.3 * z
        case 7:
            return np.floor(np.exp(z / 2))
        case 8:
            return np.where(rng.random(n) < 0.02, 1e4, 0.0) + z
        case 9:
            return z + 1e6
        case _:
            return z


def adult() -> pandas.DataFrame:
    """The bundled table of adults as a person would load it: 32,561 rows, 15 columns."""
    import pandas

    from covey import data

    return pandas.read_csv(data.path("adult"), na_values="?", skipinitialspace=True)
