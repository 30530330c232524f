"""Values as JSON knows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` as JSON knows it: dataclasses as mappings, arrays as lists, NumPy numbers as numbers, NaN as None.

    Examples
    --------
    >>> plain({"p": np.float64("nan"), "n": np.int64(3), "edges": np.array([0.5, np.inf])})
    {'p': None, 'n': 3, 'edges': [0.5, None]}
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)
