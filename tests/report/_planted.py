"""Tables with known structure, for the tests of the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covey.engine import LocalEngine
from covey.report._analyse import analyse
from covey.report._material import Material, prepare
from covey.report._model import Finding, ReportData
from covey.table import Column, FeatureTable

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def numbers(name: str, values: Any, kind: str = "numeric") -> Column:
    return Column(name, kind, np.asarray(values, dtype=np.float64))  # type: ignore[arg-type]


def codes(name: str, values: Any, labels: Sequence[str], kind: str = "categorical") -> Column:
    return Column(name, kind, np.asarray(values, dtype=np.int32), tuple(labels))  # type: ignore[arg-type]


def table(*columns: Column) -> FeatureTable:
    return FeatureTable.from_columns(columns)


def material(source: FeatureTable, target: str | None = None, sample: int | None = None) -> Material:
    return prepare(source, target, sample, LocalEngine(1), 0)


def analysed(source: FeatureTable, target: str | None = None, **options: Any) -> ReportData:
    return analyse(source, target, LocalEngine(1), **options)


def of_kind(data: ReportData, *kinds: str) -> list[Finding]:
    return [finding for finding in data.findings if finding.kind in kinds]


def noise(seed: int, n_rows: int = 300) -> FeatureTable:
    """Fifteen independent columns of all kinds, some with missing cells, and the target ``y`` among them."""
    rng = np.random.default_rng(seed)
    columns = []
    for k, draw in enumerate((rng.normal, rng.exponential, rng.standard_cauchy) * 2):
        values = draw(size=n_rows)
        values[rng.random(n_rows) < 0.1 * (k % 2)] = np.nan
        columns.append(numbers(f"number {k}", values))
    for k, n_levels in enumerate((2, 3, 5, 8, 20)):
        values = rng.integers(0, n_levels, n_rows)
        values[rng.random(n_rows) < 0.05 * (k % 2)] = -1
        columns.append(codes(f"category {k}", values, [f"level {level}" for level in range(n_levels)]))
    columns += [codes(f"flag {k}", rng.integers(0, 2, n_rows), ("no", "yes"), "boolean") for k in range(2)]
    columns.append(numbers("count", rng.poisson(2, n_rows)))
    if seed % 2:
        return table(*columns, numbers("y", rng.normal(size=n_rows)))
    return table(*columns, codes("y", rng.integers(0, 3, n_rows), "abc"))


def shared_file(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the checkout")
    return path
