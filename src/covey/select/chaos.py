"""ChaosMining: tables of few relevant columns among noise, whose true attributions are known, and scores for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error

from covey.measure._crossfit import seeded
from covey.select._attribution import Method, attribute_columns
from covey.table import plain

Array = NDArray[np.float64]
RandomState = int | np.random.Generator | None

SPREAD = 0.33  # standard deviation of a column before it is clipped
TINY = 1e-30  # a complex step this small leaves nothing of the second derivative


@dataclass(frozen=True, eq=False)
class ChaosFormula:
    """A function of some columns, with its derivatives.

    Parameters
    ----------
    text : str
    n_variables : int
    function : callable
        Of so many arrays; it must be made of operations that take complex numbers.
    """

    text: str
    n_variables: int
    function: Callable[..., Any]

    def value(self, columns: Array) -> Array:
        """Value at each row of an array of shape (n_rows, n_variables)."""
        return np.asarray(self.function(*columns.T)) + np.zeros(len(columns))

    def gradient(self, columns: Array) -> Array:
        """Partial derivatives, shape (n_rows, n_variables), to rounding (by complex steps)."""
        out = np.empty(columns.shape)
        for j in range(self.n_variables):
            moved = columns.astype(np.complex128)
            moved[:, j] += TINY * 1j
            out[:, j] = np.imag(self.function(*moved.T)) / TINY
        return out


CHAOS_FORMULAS: tuple[ChaosFormula, ...] = (
    ChaosFormula("a", 1, lambda a: a),
    ChaosFormula("a**2", 1, lambda a: a**2),
    ChaosFormula("2 / (a**2 + 1) - 1", 1, lambda a: 2 / (a**2 + 1) - 1),
    ChaosFormula("sin(a)", 1, np.sin),
    ChaosFormula("exp(a) - 1.5", 1, lambda a: np.exp(a) - 1.5),
    ChaosFormula("2 log(a**2 + 1) - 1", 1, lambda a: 2 * np.log(a**2 + 1) - 1),
    ChaosFormula("a**3 / 4 + 3 b**2 / 4", 2, lambda a, b: a**3 / 4 + 3 * b**2 / 4),
    ChaosFormula("a**3 / 2 + 3 b**2 / 4 + a c", 3, lambda a, b, c: a**3 / 2 + 3 * b**2 / 4 + a * c),
    ChaosFormula(
        "exp(a) sin(b) / 2 - cos(d)**5 / (4 (c**2 + 1))",
        4,
        lambda a, b, c, d: np.exp(a) * np.sin(b) / 2 - np.cos(d) ** 5 / (4 * (c**2 + 1)),
    ),
    ChaosFormula(
        "(a - b)**2 / 2 + (c + d e)**3 / 5 - 1 / 2",
        5,
        lambda a, b, c, d, e: (a - b) ** 2 / 2 + (c + d * e) ** 3 / 5 - 0.5,
    ),
    ChaosFormula(
        "cos(a) tan(b) / 2 - log((c - d)**2 + 1) / ((e + f + 1)**2 + 1)",
        6,
        lambda a, b, c, d, e, f: np.cos(a) * np.tan(b) / 2 - np.log((c - d) ** 2 + 1) / ((e + f + 1) ** 2 + 1),
    ),
    ChaosFormula(
        "(b - c)**2 / (2 (a**2 + 1)) + tan(d) log(e**2 + 1) + cos(f) sin(g) / 2",
        7,
        lambda a, b, c, d, e, f, g: (
            (b - c) ** 2 / (2 * (a**2 + 1)) + np.tan(d) * np.log(e**2 + 1) + np.cos(f) * np.sin(g) / 2
        ),
    ),
    ChaosFormula(
        "a + b**2 / 2 + c**3 / 3 + d**4 / 4 + e**5 / 5 + f**6 / 6 + g**7 / 7 + h**8 / 8",
        8,
        lambda *z: sum(column**k / k for k, column in enumerate(z, 1)),
    ),
    ChaosFormula(
        "((a - 1) / (b**2 + 1) - c**3 / (d**2 + 1) + e**5 / (f**2 + 1) - g**7 / (h**2 + 1) + tan(i) + 1) / 2",
        9,
        lambda a, b, c, d, e, f, g, h, i: (
            ((a - 1) / (b**2 + 1) - c**3 / (d**2 + 1) + e**5 / (f**2 + 1) - g**7 / (h**2 + 1) + np.tan(i) + 1) / 2
        ),
    ),
    ChaosFormula(
        "(sin(a) - b**3 + sqrt((d + e)**2 + 1) - g cos(f) - 1) / 2 - log(c**2 + 1) + h i**2 / ((1 - j)**2 + 1)",
        10,
        lambda a, b, c, d, e, f, g, h, i, j: (
            (np.sin(a) - b**3 + np.sqrt((d + e) ** 2 + 1) - g * np.cos(f) - 1) / 2
            - np.log(c**2 + 1)
            + h * i**2 / ((1 - j) ** 2 + 1)
        ),
    ),
)


@dataclass(frozen=True, eq=False)
class ChaosTable:
    """A table whose true attributions are known.

    The relevant columns come first. The three truths have a row for each sample and a column for each relevant one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_relevant + n_noise)
        In -1..1.
    y : ndarray of shape (n_samples,)
    signal : ndarray of shape (n_samples,)
        `y` without its noise.
    intercept : ndarray of shape (n_samples, n_relevant)
        Fall of the function when the column is set to 0.
    derivative : ndarray of shape (n_samples, n_relevant)
        Partial derivatives.
    integrated : ndarray of shape (n_samples, n_relevant)
        Changes of the function by this column along the straight line from 0 to the sample.
    formula : str
    """

    X: Array
    y: Array
    signal: Array
    intercept: Array
    derivative: Array
    integrated: Array
    formula: str

    @property
    def n_relevant(self) -> int:
        """Columns that the function takes; they are the first."""
        return self.intercept.shape[1]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """Whether a column takes part in the function, shape (n_columns,)."""
        return np.arange(self.X.shape[1]) < self.n_relevant

    def take(self, rows: Any) -> ChaosTable:
        """Some of the rows."""
        return ChaosTable(
            self.X[rows],
            self.y[rows],
            self.signal[rows],
            self.intercept[rows],
            self.derivative[rows],
            self.integrated[rows],
            self.formula,
        )


def make_chaos_tabular(
    formula: int | ChaosFormula = 14,
    n_noise: int = 100,
    n_samples: int = 10_000,
    noise_scale: float = 0.01,
    n_steps: int = 10,
    random_state: RandomState = None,
) -> ChaosTable:
    """Draw a table of ChaosMining's symbolic functions.

    Columns are independent, normal with a deviation of 0.33, clipped to -1..1; `y` is the function of the first ones,
    plus normal noise.

    Parameters
    ----------
    formula : int or ChaosFormula
        Position in ``CHAOS_FORMULAS``, whose last one, 14, has ten variables.
    n_noise : int
        Columns that the function does not take.
    n_samples : int
    noise_scale : float
        Standard deviation of the noise of `y`.
    n_steps : int
        Along the line of the integrated effects: at each step a column moves alone, and these changes add up.
    random_state : int, Generator or None

    Returns
    -------
    ChaosTable

    Raises
    ------
    ValueError
        If there is no such formula, or a number is out of its range.

    References
    ----------
    Shi, Kan, Smucny and Davidson (2024), ChaosMining: A Benchmark to Evaluate Post-Hoc Local Attribution Methods in
    Low SNR Environments. arXiv:2406.12150.

    Notes
    -----
    The published list writes ``f`` and ``g`` for the last three of the eight variables of formula 12; here there are
    eight.

    Examples
    --------
    >>> table = make_chaos_tabular(7, n_noise=20, n_samples=500, random_state=0)
    >>> table.formula, table.X.shape, table.n_relevant
    ('a**3 / 2 + 3 b**2 / 4 + a c', (500, 23), 3)
    >>> bool(np.allclose(table.derivative[:, 2], table.X[:, 0]))
    True
    """
    chosen = _formula(formula)
    for name, value, least in (("n_noise", n_noise, 0), ("n_samples", n_samples, 1), ("n_steps", n_steps, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if not noise_scale >= 0:
        raise ValueError(f"noise_scale must not be negative, got {noise_scale}")
    rng = np.random.default_rng(random_state)
    x = np.clip(rng.normal(scale=SPREAD, size=(n_samples, chosen.n_variables + n_noise)), -1.0, 1.0)
    relevant = x[:, : chosen.n_variables]
    signal = chosen.value(relevant)
    return ChaosTable(
        X=x,
        y=signal + noise_scale * rng.normal(size=n_samples),
        signal=signal,
        intercept=intercept_effect(chosen, relevant),
        derivative=chosen.gradient(relevant),
        integrated=integrated_effect(chosen, relevant, n_steps),
        formula=chosen.text,
    )


def _formula(formula: int | ChaosFormula) -> ChaosFormula:
    if isinstance(formula, ChaosFormula):
        return formula
    if not 0 <= formula < len(CHAOS_FORMULAS):
        raise ValueError(f"formula must be in 0..{len(CHAOS_FORMULAS) - 1}, got {formula}")
    return CHAOS_FORMULAS[formula]


def intercept_effect(formula: ChaosFormula, columns: Array) -> Array:
    """Fall of the function when a variable is set to 0, shape (n_rows, n_variables).

    Examples
    --------
    >>> intercept_effect(CHAOS_FORMULAS[1], np.array([[0.5], [-2.0]])).tolist()
    [[0.25], [4.0]]
    """
    return formula.value(columns)[:, None] - _each_moved(formula, columns, np.zeros_like(columns))


def integrated_effect(formula: ChaosFormula, columns: Array, n_steps: int = 10) -> Array:
    """Changes of the function by a variable along the line from 0 to each row, shape (n_rows, n_variables).

    Examples
    --------
    >>> integrated_effect(CHAOS_FORMULAS[1], np.array([[0.5], [-2.0]]), n_steps=4).tolist()
    [[0.25], [4.0]]
    """
    step = columns / n_steps
    out = np.zeros(columns.shape)
    for k in range(n_steps):
        start = k * step
        out += _each_moved(formula, start, start + step) - formula.value(start)[:, None]
    return out


def _each_moved(formula: ChaosFormula, start: Array, end: Array) -> Array:
    """Values with one variable at the end and the others at the start."""
    out = np.empty(start.shape)
    for j in range(formula.n_variables):
        moved = start.copy()
        moved[:, j] = end[:, j]
        out[:, j] = formula.value(moved)
    return out


def functional_precision(attributions: ArrayLike, relevant: ArrayLike, k: int | None = None) -> float:
    """Share of the relevant among the k columns of the largest absolute attributions, mean over rows.

    Parameters
    ----------
    attributions : array-like of shape (n_samples, n_features) or (n_features,)
    relevant : array-like of shape (n_features,), bool
    k : int, optional
        By default the number of relevant columns.

    Returns
    -------
    float
        In 0..1; by chance it is the share of the relevant columns. Ties go to the first column.

    Raises
    ------
    ValueError
        If shapes differ, a value is missing, or `k` is out of its range.

    Examples
    --------
    >>> functional_precision([[3.0, -2.0, 0.1], [0.2, 1.0, -4.0]], [True, True, False])
    0.75
    """
    values = np.atleast_2d(np.asarray(attributions, dtype=np.float64))
    mask = np.asarray(relevant, dtype=bool)
    if mask.shape != (values.shape[1],):
        raise ValueError(f"relevant has shape {mask.shape}, but there are {values.shape[1]} columns of attributions")
    if np.isnan(values).any():
        raise ValueError("attributions hold NaN")
    k = int(mask.sum()) if k is None else k
    if not 1 <= k <= len(mask):
        raise ValueError(f"k must be in 1..{len(mask)}, got {k}")
    first = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]
    return float(mask[first].mean())


def uniformity(a: ArrayLike, b: ArrayLike, normalise: bool = True) -> float:
    """How much alike two attributions are: the mean of ``1 - |a - b| / (|a| + |b|)``.

    Parameters
    ----------
    a, b : array-like of shape (n_samples, n_features)
    normalise : bool
        Divide each row by its sum of absolute values first, so that units do not matter.

    Returns
    -------
    float
        In 0..1: 1 for equal ones, 0 where all signs differ. A pair of zeros counts as equal.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> uniformity([[1.0, 3.0]], [[2.0, 6.0]]), uniformity([[1.0, 3.0]], [[-1.0, 1.0]], normalise=False)
    (1.0, 0.25)
    """
    a, b = (np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in (a, b))
    if a.shape != b.shape:
        raise ValueError(f"a and b differ in shape: {a.shape} and {b.shape}")
    if normalise:
        a, b = _unit_rows(a), _unit_rows(b)
    total = np.abs(a) + np.abs(b)
    share = np.abs(a - b) / np.where(total > 0, total, 1.0)
    return float(1.0 - share.mean())


def _unit_rows(values: Array) -> Array:
    length = np.abs(values).sum(axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1.0)


@dataclass(frozen=True, eq=False)
class ChaosScores:
    """How good attributions are on a table whose truth is known.

    Parameters
    ----------
    methods : tuple of str
    functional_precision : ndarray of shape (n_methods,)
        Share of the relevant among the columns of the largest attributions (`functional_precision`).
    intercept, derivative, integrated : ndarray of shape (n_methods,)
        `uniformity` with each truth, over the relevant columns.
    agreement : ndarray of shape (n_methods, n_methods)
        `uniformity` of two methods, over the relevant columns.
    """

    methods: tuple[str, ...]
    functional_precision: Array
    intercept: Array
    derivative: Array
    integrated: Array
    agreement: Array

    def table(self) -> dict[str, list[Any]]:
        """One row for each method, as columns: what pandas and Polars make a frame of."""
        return {
            "method": list(self.methods),
            "functional_precision": plain(self.functional_precision),
            "intercept": plain(self.intercept),
            "derivative": plain(self.derivative),
            "integrated": plain(self.integrated),
        }


def chaos_scores(attributions: Mapping[str, ArrayLike], table: ChaosTable) -> ChaosScores:
    """Score attributions against the truths of a table.

    Parameters
    ----------
    attributions : mapping of str to array-like of shape (n_samples, n_features)
        By the name of the method, for the rows and columns of the table.
    table : ChaosTable

    Returns
    -------
    ChaosScores

    Raises
    ------
    ValueError
        If there are none, or a shape is not that of ``table.X``.

    References
    ----------
    Shi, Kan, Smucny and Davidson (2024), ChaosMining: A Benchmark to Evaluate Post-Hoc Local Attribution Methods in
    Low SNR Environments. arXiv:2406.12150.

    Examples
    --------
    >>> table = make_chaos_tabular(3, n_noise=2, n_samples=50, random_state=0)
    >>> truth = np.hstack([table.integrated, np.zeros((50, 2))])
    >>> found = chaos_scores({"truth": truth, "values": table.X}, table)
    >>> found.functional_precision.round(2).tolist(), found.integrated.tolist()
    ([1.0, 0.5], [1.0, 1.0])
    """
    if not attributions:
        raise ValueError("no attributions to score")
    values = {name: np.asarray(one, dtype=np.float64) for name, one in attributions.items()}
    for name, one in values.items():
        if one.shape != table.X.shape:
            raise ValueError(f"attributions of {name!r} have shape {one.shape}, but the table has {table.X.shape}")
    own = [one[:, : table.n_relevant] for one in values.values()]
    return ChaosScores(
        methods=tuple(values),
        functional_precision=np.array([functional_precision(one, table.relevant) for one in values.values()]),
        intercept=np.array([uniformity(one, table.intercept) for one in own]),
        derivative=np.array([uniformity(one, table.derivative) for one in own]),
        integrated=np.array([uniformity(one, table.integrated) for one in own]),
        agreement=np.array([[uniformity(one, other) for other in own] for one in own]),
    )


def chaos_benchmark(
    models: Mapping[str, Any],
    attributions: Sequence[Method] = ("saliency", "integrated_gradients", "deeplift", "ablation"),
    formulas: Sequence[int | ChaosFormula] = (14,),
    n_noise: Sequence[int] = (100,),
    n_samples: int = 10_000,
    test_size: float = 0.2,
    most_rows: int = 500,
    random_state: int = 0,
) -> dict[str, list[Any]]:
    """Fit models to tables of ChaosMining and score how well each method of attribution explains them.

    Parameters
    ----------
    models : mapping of str to scikit-learn regressor
    attributions : sequence of str
        Methods of `attribute_columns`.
    formulas : sequence of int or ChaosFormula
    n_noise : sequence of int
    n_samples : int
    test_size : float
        Share of the rows that models are not fitted on; the first of them are explained.
    most_rows : int
        How many rows are explained at most.
    random_state : int
        Of the tables and of models without a seed of their own. Tables of the same seed share no rows.

    Returns
    -------
    dict of str to list
        One row for each formula, number of noise columns, model and method, as columns: what pandas makes a frame of.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> found = chaos_benchmark({"ridge": Ridge()}, ["ablation"], formulas=[0, 3], n_noise=[5], n_samples=300)
    >>> found["formula"], [round(value, 1) for value in found["functional_precision"]]
    (['a', 'sin(a)'], [1.0, 1.0])
    """
    if not models:
        raise ValueError("no model to fit")
    if not 0 < test_size < 1:
        raise ValueError(f"test_size must be in (0, 1), got {test_size}")
    rows: list[dict[str, Any]] = []
    for formula in formulas:
        for noise in n_noise:
            seed = np.random.default_rng([random_state, len(rows)])
            table = make_chaos_tabular(formula, noise, n_samples, random_state=seed)
            n_train = n_samples - max(1, round(test_size * n_samples))
            train, test = table.take(slice(n_train)), table.take(slice(n_train, None))
            shown = test.take(slice(most_rows))
            for name, model in models.items():
                fitted = seeded(model, random_state).fit(train.X, train.y)
                error = float(mean_absolute_error(test.y, fitted.predict(test.X)))
                found = chaos_scores({m: attribute_columns(fitted, shown.X, m) for m in attributions}, shown).table()
                head = {"formula": table.formula, "n_noise": noise, "model": name, "mean_absolute_error": error}
                rows += [head | {key: found[key][i] for key in found} for i in range(len(found["method"]))]
    return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
