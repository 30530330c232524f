"""What a measure is, and the registry of measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure._store import ColumnStore


@dataclass(frozen=True, eq=False)
class PairStatistics:
    """What a kernel returns: one entry a pair.

    Parameters
    ----------
    values : ndarray of shape (n_pairs,)
        NaN where undefined.
    n : ndarray of shape (n_pairs,), int64
        Rows on which both columns are present.
    pvalues : ndarray of shape (n_pairs,), optional
    sign : ndarray of shape (n_pairs,), int8, optional
    error_bound : ndarray of shape (n_pairs,), optional
    """

    values: NDArray[np.float64]
    n: NDArray[np.int64]
    pvalues: NDArray[np.float64] | None = None
    sign: NDArray[np.int8] | None = None
    error_bound: NDArray[np.float64] | None = None


class Kernel(Protocol):
    """Computes many pairs at once.

    `left` and `right` are equally long arrays of positions in `store`; entry k asks for the pair
    ``(left[k], right[k])``. Pairs whose kinds the measure does not accept never reach a kernel.
    """

    def __call__(
        self,
        store: ColumnStore,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        engine: Engine,
        pvalues: bool,
    ) -> PairStatistics: ...


@dataclass(frozen=True, eq=False)
class Measure:
    """A measure of association: a definition, a kernel that agrees with it, and what it applies to.

    Parameters
    ----------
    name : str
        The name by which `associate` knows it.
    summary : str
        One line for people.
    definition : callable (x, y) -> float
        A few readable lines on two complete columns (floats, or codes for categories), from the cited source.
    kernel : Kernel
        The fast form, held to the definition by tests.
    accepts : callable (left_kind, right_kind) -> bool
        Whether the measure applies to a pair of kinds.
    symmetric : bool
        False when ``value(x, y)`` and ``value(y, x)`` differ.
    signed : bool
        True when negative values mean the opposite direction.
    """

    name: str
    summary: str
    definition: Callable[..., float]
    kernel: Kernel
    accepts: Callable[[str, str], bool]
    symmetric: bool = True
    signed: bool = False


NUMBERS = frozenset({"numeric", "datetime", "boolean"})
CODES = frozenset({"categorical", "boolean"})


def numeric_pair(left: str, right: str) -> bool:
    """Both kinds can be read as numbers (booleans count as 0/1)."""
    return left in NUMBERS and right in NUMBERS


def mixed_pair(left: str, right: str) -> bool:
    """One kind can be read as a number and the other as categories."""
    return (left in NUMBERS and right in CODES) or (left in CODES and right in NUMBERS)


def any_pair(left: str, right: str) -> bool:
    """Every pair of kinds."""
    return True


_REGISTRY: dict[str, Measure] = {}

# The module that registers each measure, so that only what is asked for is imported.
_HOMES = {
    "auto": "auto",
    "chatterjee_xi": "xi",
    "coincidence": "sets",
    "correlation_ratio": "nominal",
    "cramers_v": "nominal",
    "distance_correlation": "distance",
    "distance_correlation_corrected": "distance",
    "distance_correlation_exact": "distance_exact",
    "hsic": "hsic",
    "kendall": "kendall",
    "knn_mutual_information": "knn_information",
    "mutual_information": "information",
    "partial_correlation": "partial",
    "pearson": "pearson",
    "spearman": "rank",
    "spearman_pairwise": "rank_pairwise",
    "theils_u": "information",
}


def register(measure: Measure) -> Measure:
    """Add a measure to those that `associate` knows by name."""
    _REGISTRY[measure.name] = measure
    return measure


def measures() -> tuple[str, ...]:
    """Names of all measures.

    Examples
    --------
    >>> "distance_correlation" in measures()
    True
    """
    return tuple(sorted({*_HOMES, *_REGISTRY}))


def get(measure: str | Measure) -> Measure:
    """The measure called `measure`.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(measure, Measure):
        return measure
    if measure not in _REGISTRY and measure in _HOMES:
        import_module(f"covey.measure.{_HOMES[measure]}")
    if measure not in _REGISTRY:
        raise ValueError(f"no measure {measure!r}; choose one of {', '.join(measures())}")
    return _REGISTRY[measure]
