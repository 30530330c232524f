"""Madelon and its columns that matter, and how many of them a ranking has among its best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import covey
from covey.select._base import numeric_block

Array = NDArray[np.float64]

TRUE = (28, 48, 64, 105, 128, 153, 241, 281, 318, 336, 338, 378, 433, 442, 451, 453, 455, 472, 475, 493)


def madelon() -> tuple[Array, NDArray[np.int32]]:
    """Values (2600, 500) and classes."""
    table = covey.read("covey:madelon")
    return numeric_block(table.drop("class")), table["class"].values


def hits(scores: Array) -> int:
    """How many of the 20 columns that matter have one of the 20 best scores; ties by the order of columns."""
    return len(set(TRUE) & set(np.argsort(-scores, kind="stable")[: len(TRUE)].tolist()))


def standardised(x: Array) -> Array:
    """Columns with mean 0 and standard deviation 1."""
    return (x - x.mean(axis=0)) / x.std(axis=0)


def ranked_hits(selector: Any, x: Array, y: Any = None) -> int:
    """`hits` of a selector's ranking."""
    return hits(-selector.set_params(k="all").fit(x, y).ranking_.astype(np.float64))
