"""Tables whose target is one engineered feature of the columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

Array = NDArray[np.float64]

MOST_DRAWS = 1000  # rounds of drawing before a range is said to hold no allowed row


@dataclass(frozen=True)
class EngineeredFormula:
    """An engineered feature of columns ``x0``, ``x1``, ...

    Parameters
    ----------
    name : str
    n_features : int
        How many columns it takes.
    text : str
        The formula as one reads it.
    feature : callable
        From columns of shape (n_samples, n_features) to values of shape (n_samples,).
    denominator : callable, optional
        What it divides by, shape (n_samples,).
    positive : bool
        Whether its inputs must be above 0.
    core : bool
        Whether it is one of the ten kinds of the paper; the others are variants of them.

    Examples
    --------
    >>> FORMULAS["ratio"].feature(np.array([[1.0, 4.0], [3.0, 2.0]]))
    array([0.25, 1.5 ])
    """

    name: str
    n_features: int
    text: str
    feature: Callable[[Array], Array]
    denominator: Callable[[Array], Array] | None = None
    positive: bool = False
    core: bool = True


def _root_distance(x: Array) -> Array:
    a, b, c = x.T
    return np.sqrt(np.abs(b**2 - 4.0 * a * c)) / np.abs(a)


def _formulas() -> tuple[EngineeredFormula, ...]:
    """The ten kinds of the paper, then the variants."""
    make = EngineeredFormula
    return (
        make("count", 8, "how many of x0, ..., x7 exceed a threshold", _count_positive),
        make("difference", 2, "x0 - x1", lambda x: x[:, 0] - x[:, 1]),
        make("logarithm", 1, "log(x0)", lambda x: np.log(x[:, 0]), positive=True),
        make("polynomial", 1, "1 + 5 * x0 + 8 * x0 ** 2", lambda x: 1.0 + 5.0 * x[:, 0] + 8.0 * x[:, 0] ** 2),
        make("power", 1, "x0 ** 2", lambda x: x[:, 0] ** 2),
        make("ratio", 2, "x0 / x1", lambda x: x[:, 0] / x[:, 1], lambda x: x[:, 1]),
        make(
            "rational_difference",
            4,
            "(x0 - x1) / (x2 - x3)",
            lambda x: (x[:, 0] - x[:, 1]) / (x[:, 2] - x[:, 3]),
            lambda x: x[:, 2] - x[:, 3],
        ),
        make(
            "rational_polynomial",
            1,
            "1 / (5 * x0 + 8 * x0 ** 2)",
            lambda x: 1.0 / (5.0 * x[:, 0] + 8.0 * x[:, 0] ** 2),
            lambda x: 5.0 * x[:, 0] + 8.0 * x[:, 0] ** 2,
        ),
        make("root_distance", 3, "sqrt(abs(x1 ** 2 - 4 * x0 * x2)) / abs(x0)", _root_distance, lambda x: x[:, 0]),
        make("square_root", 1, "sqrt(x0)", lambda x: np.sqrt(x[:, 0]), positive=True),
        make(
            "distance",
            4,
            "sqrt((x0 - x1) ** 2 + (x2 - x3) ** 2)",
            lambda x: np.hypot(x[:, 0] - x[:, 1], x[:, 2] - x[:, 3]),
            core=False,
        ),
        make("maximum", 3, "max(x0, x1, x2)", lambda x: x.max(axis=1), core=False),
        make("power_ratio", 2, "x0 / x1 ** 2", lambda x: x[:, 0] / x[:, 1] ** 2, lambda x: x[:, 1] ** 2, core=False),
        make(
            "product_ratio",
            4,
            "(x0 * x1) / (x2 * x3)",
            lambda x: x[:, 0] * x[:, 1] / (x[:, 2] * x[:, 3]),
            lambda x: x[:, 2] * x[:, 3],
            core=False,
        ),
        make(
            "root_of_ratio",
            2,
            "sqrt(x0 / x1)",
            lambda x: np.sqrt(x[:, 0] / x[:, 1]),
            lambda x: x[:, 1],
            positive=True,
            core=False,
        ),
    )


def _count_positive(x: Array) -> Array:
    """How many are above 0; `engineered_feature` subtracts another threshold first."""
    return np.count_nonzero(x > 0.0, axis=1).astype(np.float64)


FORMULAS = MappingProxyType({formula.name: formula for formula in _formulas()})


def _formula(name: str) -> EngineeredFormula:
    if name not in FORMULAS:
        raise ValueError(f"formula must be one of {', '.join(FORMULAS)}; got {name!r}")
    return FORMULAS[name]


def engineered_feature(X: ArrayLike, formula: str, threshold: float = 0.0) -> Array:
    """Values of an engineered feature of columns.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        As many columns as the formula takes, finite.
    formula : str
        A name in ``FORMULAS``.
    threshold : float
        What ``"count"`` compares with; not used by other formulas.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        NaN or infinite where the formula is undefined.

    Raises
    ------
    ValueError
        If there is no such formula, or `X` has another number of columns.

    Examples
    --------
    >>> engineered_feature([[3.0, 1.0, 2.0, 1.5]], "rational_difference")
    array([4.])
    """
    chosen = _formula(formula)
    x = np.asarray(X, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != chosen.n_features:
        raise ValueError(f"{formula} takes {chosen.n_features} columns; X has shape {x.shape}")
    with np.errstate(divide="ignore", invalid="ignore"):
        return chosen.feature(x - threshold if formula == "count" else x)


def make_engineered(
    formula: str,
    n_samples: int = 1000,
    low: float = -1.0,
    high: float = 1.0,
    min_denominator: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Array, Array]:
    """Independent uniform columns, and a target that is exactly one engineered feature of them.

    Parameters
    ----------
    formula : str
        ``"count"`` (of eight columns, how many exceed the middle of the range), ``"difference"``, ``"logarithm"``,
        ``"polynomial"``, ``"power"``, ``"ratio"``, ``"rational_difference"``, ``"rational_polynomial"``,
        ``"root_distance"`` (between the roots of a quadratic, real or complex) or ``"square_root"``; or a variant:
        ``"distance"``, ``"maximum"``, ``"power_ratio"``, ``"product_ratio"`` or ``"root_of_ratio"``. ``FORMULAS``
        holds their formulas.
    n_samples : int
    low, high : float
        Range of every column. Of formulas that need inputs above 0 (roots and the logarithm) the part above 0.
    min_denominator : float
        Rows are drawn again until what they divide by has at least this absolute value. Without it ratios of numbers of
        either sign have no variance.
    random_state : int, RandomState or None

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
    y : ndarray of shape (n_samples,), float64
        Finite, without noise.

    Raises
    ------
    ValueError
        If there is no such formula, the range is empty, or no denominator in it is as large as `min_denominator`.

    References
    ----------
    Heaton (2016), An Empirical Analysis of Feature Engineering for Predictive Modeling. arXiv:1701.07852.

    Examples
    --------
    >>> X, y = make_engineered("ratio", n_samples=500, random_state=0)
    >>> X.shape, bool((y == X[:, 0] / X[:, 1]).all()), bool(abs(X[:, 1]).min() >= 0.1)
    ((500, 2), True, True)
    """
    chosen = _formula(formula)
    if not isinstance(n_samples, int | np.integer) or n_samples < 1:
        raise ValueError(f"n_samples must be a whole number from 1, got {n_samples!r}")
    if not min_denominator >= 0.0:
        raise ValueError(f"min_denominator must be at least 0, got {min_denominator}")
    start = max(low, 0.0) if chosen.positive else low
    if not -np.inf < start < high < np.inf:
        above = " above 0" if chosen.positive else ""
        raise ValueError(f"low must be below high, both finite, for {formula}{above}; got low={low}, high={high}")
    X = _draw(chosen, n_samples, start, high, min_denominator, check_random_state(random_state))
    return X, engineered_feature(X, formula, (low + high) / 2.0)


def _draw(formula: EngineeredFormula, n: int, low: float, high: float, least: float, rng: Any) -> Array:
    """Uniform rows whose denominators are at least `least`; no input of 0 where inputs must be above 0."""
    x = rng.uniform(low, high, size=(n, formula.n_features))
    for _ in range(MOST_DRAWS):
        again = (x <= 0.0).any(axis=1) if formula.positive else np.zeros(n, dtype=bool)
        if formula.denominator is not None:
            size = np.abs(formula.denominator(x))
            again |= (size < least) | (size == 0.0)
        if not again.any():
            return x
        x[again] = rng.uniform(low, high, size=(np.count_nonzero(again), formula.n_features))
    raise ValueError(
        f"columns in {low:g}..{high:g} hardly ever give {formula.name} a denominator of at least {least:g}; "
        "widen low and high, or lower min_denominator"
    )
