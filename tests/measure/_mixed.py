"""Mixed columns for the tests of this room: every kind, heavy tails, ties, a huge mean, dependence of several forms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.table import Column, FeatureTable


def number(name: str, values: NDArray, kind: str = "numeric") -> Column:
    return Column(name, kind, np.asarray(values, dtype=float))


def category(name: str, codes: NDArray, n_categories: int = 0, kind: str = "categorical") -> Column:
    codes = np.asarray(codes, dtype=np.int32)
    n_categories = max(n_categories, int(codes.max(initial=0)) + 1)
    return Column(name, kind, codes, tuple(f"{name}{k}" for k in range(n_categories)))


def table(*columns: Column) -> FeatureTable:
    return FeatureTable.from_columns(columns)


def mixed_columns(n: int = 400, seed: int = 0, decimals: int | None = None) -> list[Column]:
    """Columns of all kinds; with `decimals` the numbers are rounded, so that they have few distinct values."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)

    def form(values: NDArray) -> NDArray:
        if decimals is None:
            return values
        most = 30 / 10**decimals
        return np.clip(np.round(values, decimals), -most, most)

    return [
        number("normal", form(x)),
        number("square", form(x**2 + 0.1 * rng.normal(size=n))),
        number("cauchy", form(x + rng.standard_cauchy(n))),
        number("t2", form(rng.standard_t(2, n))),
        number("lognormal", form(rng.lognormal(0, 2, n))),
        number("ties", np.round(2 * rng.normal(size=n))),
        number("far", 1e9 + form(x + rng.normal(size=n))),
        number("when", 1.6e9 + 86400 * form(10 * rng.random(n)), "datetime"),
        category("flag", x + rng.normal(size=n) > 0.5, 2, "boolean"),
        category("team", rng.integers(0, 5, n)),
        category("bin", np.clip(np.round(x + 2), 0, 4)),
    ]


def with_gaps(columns: list[Column], share: float, seed: int = 1) -> list[Column]:
    """The columns with this share of their rows missing at random."""
    rng = np.random.default_rng(seed)
    out = []
    for column in columns:
        values = column.values.copy()
        values[rng.random(len(values)) < share] = -1 if column.is_coded else np.nan
        out.append(Column(column.name, column.kind, values, column.categories))
    return out


def common(left: Column, right: Column) -> tuple[NDArray, NDArray]:
    """Both columns as a definition takes them, on the rows where both are present."""
    rows = ~(left.missing | right.missing)
    return left.values[rows], right.values[rows]
