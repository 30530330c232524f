"""Features of many series by programs of three causal operators: differences, windows and shifts."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted, validate_data

from covey.generate._series_plan import WINDOWED, FeatureStream, Plan
from covey.generate._series_sql import query
from covey.generate.expression import Call, Expression, Variable, call, parse
from covey.table import FeatureTable
from covey.table._read import frame_columns

Array = NDArray[np.float64]
Pairs = Literal["none", "sizes", "series", "all"]
Start = Literal["missing", "hold"]

FEWEST_ROWS = 8  # from which a correlation says that two features are the same
MOST_ROWS = 20_000  # of which it is computed


@dataclass(frozen=True)
class Difference:
    """``x[t] - x[t - k]``; written ``diff_k(x)``.

    Parameters
    ----------
    k : int
        At least 1.

    Examples
    --------
    >>> Difference(2)([1.0, 2.0, 4.0, 8.0])
    array([nan, nan,  3.,  6.])
    """

    k: int = 1

    name: ClassVar[str] = "diff"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"{type(self).__name__} looks back at least 1 row, got k={self.k}")

    def __call__(self, x: ArrayLike) -> Array:
        """On an array whose first axis is time."""
        return self.of("x").evaluate({"x": np.asarray(x, dtype=np.float64)})

    def of(self, feature: Expression | str) -> Call:
        """As a formula on a feature.

        Examples
        --------
        >>> print(Difference(5).of(Window(20).of("x3")))
        diff_5(win_20(x3))
        """
        return call(self._operator(), feature, parameters=(self.k,))

    def _operator(self) -> str:
        return self.name


@dataclass(frozen=True)
class Shift(Difference):
    """``x[t - k]``; written ``shift_k(x)``.

    Parameters
    ----------
    k : int
        At least 1.

    Examples
    --------
    >>> Shift(1)([[1.0, 5.0], [2.0, 6.0]])
    array([[nan, nan],
           [ 1.,  5.]])
    """

    name: ClassVar[str] = "shift"


@dataclass(frozen=True)
class Window(Difference):
    """Mean or sum of the last `k` values, the present one among them; written ``win_k(x)``, ``sum_k(x)``.

    Parameters
    ----------
    k : int
        At least 1.
    statistic : {"mean", "sum"}

    Examples
    --------
    >>> Window(2)([1.0, 2.0, 4.0, 8.0]), Window(2, "sum")([1.0, 2.0, 4.0, 8.0])
    (array([nan, 1.5, 3. , 6. ]), array([nan,  3.,  6., 12.]))
    """

    k: int = 5
    statistic: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.statistic not in ("mean", "sum"):
            raise ValueError(f"statistic must be 'mean' or 'sum', not {self.statistic!r}")

    def _operator(self) -> str:
        return "win" if self.statistic == "mean" else "sum"


@dataclass(frozen=True)
class Level:
    """One order of features, made of those of the order before.

    Parameters
    ----------
    operators : sequence of Difference, Window, Shift, or str
        Each is applied to each input; a word is an operator on one number of `covey.generate`, such as ``"square"``.
    pairs : {"none", "sizes", "series", "all"}
        Differences of two inputs too: ``"sizes"`` the same operator of two sizes on the same thing (momentum),
        ``"series"`` the same formula on two series, or all pairs.
    inputs : str
        ``"new"``: what the level before made; ``"all"``: also what it passed on; else a regular expression, and those
        of all whose whole name matches.
    bypass : bool
        Whether what there was before is passed on beside what this level makes.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> level = Level([Difference(1)], pairs="sizes", inputs="win_.*")
    >>> [str(f) for f in expand_programs(["x"], [Level([Window(2), Window(9), Shift(1)], bypass=False), level])]
    ['win_2(x)', 'win_9(x)', 'shift_1(x)', 'diff_1(win_2(x))', 'diff_1(win_9(x))', '(win_2(x) - win_9(x))']
    """

    operators: Sequence[Difference | str] = ()
    pairs: Pairs = "none"
    inputs: str = "new"
    bypass: bool = True

    def __post_init__(self) -> None:
        if self.pairs not in ("none", "sizes", "series", "all"):
            raise ValueError(f"pairs must be 'none', 'sizes', 'series' or 'all', not {self.pairs!r}")
        if isinstance(self.operators, str | Difference):
            raise ValueError(f"operators must be a list, got {self.operators!r} alone")
        try:
            re.compile(self.inputs)
        except re.error as error:
            raise ValueError(f"inputs {self.inputs!r} is no regular expression: {error}") from None

    def make(self, inputs: Sequence[Expression]) -> Iterator[Expression]:
        """New features of the inputs."""
        for operator in self.operators:
            for feature in inputs:
                yield call(operator, feature) if isinstance(operator, str) else operator.of(feature)
        places = [pair for alike in self._alike(inputs) for pair in combinations(alike, 2)]
        for i, j in sorted(places):
            if self.pairs != "series" or inputs[i].columns != inputs[j].columns:
                yield inputs[i] - inputs[j]

    def count(self, inputs: Sequence[Expression]) -> int:
        """At most so many new features."""
        n_pairs = sum(len(alike) * (len(alike) - 1) // 2 for alike in self._alike(inputs))
        return len(inputs) * len(self.operators) + n_pairs

    def _alike(self, inputs: Sequence[Expression]) -> list[list[int]]:
        """Places of the inputs that are paired with each other."""
        alike: dict[Any, list[int]] = {}
        for place, feature in enumerate(inputs):
            key = _KEYS[self.pairs](feature)
            if key is not None:
                alike.setdefault(key, []).append(place)
        return list(alike.values())


def _but_for_size(feature: Expression) -> tuple[str, Any] | None:
    if isinstance(feature, Call) and feature.operator in WINDOWED:
        return feature.operator, feature.arguments
    return None


def _template(expression: Expression) -> str:
    """The formula with its columns numbered in the order in which they are written."""
    names = {name: f"c{i}" for i, name in enumerate(expression.columns)}
    return str(_renamed(expression, names))


def _renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    if isinstance(expression, Variable):
        return Variable(names[expression.name])
    if not isinstance(expression, Call):
        return expression
    arguments = [_renamed(e, names) for e in expression.arguments]
    return call(expression.operator, *arguments, parameters=expression.parameters)


_KEYS: dict[str, Callable[[Expression], Any]] = {
    "none": lambda feature: None,
    "sizes": _but_for_size,
    "series": _template,
    "all": lambda feature: "",
}

DEFAULT_LEVELS = (
    Level((Difference(1), Difference(5), Window(5), Window(20), Shift(1))),
    Level((Difference(1),), pairs="sizes", inputs="(win|diff)_.*"),
)


def expand_programs(
    columns: Sequence[str],
    levels: Sequence[Level] = DEFAULT_LEVELS,
    user: Sequence[Expression | str] = (),
    max_features: int = 10_000,
) -> list[Expression]:
    """The features that a program makes of columns, each once, in the order in which they are made.

    Parameters
    ----------
    columns : sequence of str
    levels : sequence of Level
    user : sequence of Expression or str
        Formulas of single rows beside the columns, such as ``"square(x0)"`` or ``"x0 / x1"``.
    max_features : int
        More are an error.

    Returns
    -------
    list of Expression

    Raises
    ------
    ValueError
        If there would be too many, or a formula is none of numbers in columns.

    Examples
    --------
    >>> [str(feature) for feature in expand_programs(["x", "y"], [Level([Difference(1)], pairs="series")])]
    ['x', 'y', 'diff_1(x)', 'diff_1(y)', '(x - y)']
    """
    new: list[Expression] = [Variable(name) for name in columns]
    for formula in user:
        new.append(_checked_formula(parse(formula) if isinstance(formula, str) else formula, columns, row_wise=True))
    kept = dict.fromkeys(new)
    for number, level in enumerate(levels, 1):
        inputs = new if level.inputs == "new" else list(kept)
        if level.inputs not in ("new", "all"):
            inputs = [feature for feature in kept if re.fullmatch(level.inputs, str(feature))]
        if len(kept) + level.count(inputs) > 20 * max_features:
            raise _too_many(level.count(inputs), number, max_features)
        made = [feature for feature in dict.fromkeys(level.make(inputs)) if feature not in kept]
        kept = dict.fromkeys([*(kept if level.bypass else ()), *made])
        new = made
        if len(kept) > max_features:
            raise _too_many(len(kept), number, max_features)
    return list(kept)


def _too_many(n: int, level: int, most: int) -> ValueError:
    return ValueError(
        f"level {level} would make {n:,} features, more than max_features={most:,}; "
        "take fewer operators, limit its inputs, or raise max_features"
    )


def _checked_formula(formula: Expression, columns: Sequence[str], row_wise: bool = False) -> Expression:
    unknown = [name for name in formula.columns if name not in columns]
    if unknown:
        raise ValueError(f"{formula} has unknown columns {', '.join(map(repr, unknown))}; columns are {list(columns)}")
    for part in formula.walk():
        if not isinstance(part, Call):
            continue
        if part.definition.fit is not None or set(part.definition.arguments) != {"numeric"}:
            raise ValueError(f"{part} is no formula of numbers that learns nothing")
        if not part.definition.row_wise and (row_wise or part.operator not in WINDOWED):
            raise ValueError(f"{part} looks at other rows; give it as an operator of a Level")
        if part.operator in WINDOWED and part.parameters[0] < 1:
            raise ValueError(f"{part} looks back less than 1 row")
    return formula


class FeatureProgram(TransformerMixin, BaseEstimator):
    """Features of series by a program: differences, windows and shifts, level upon level.

    A series is the sum of its increments, and most hand-made summaries of it are a few of three operators deep. Level
    0 are the series and formulas of the user; each level applies its operators to the features of the level before, and
    takes differences of pairs. No feature looks ahead. Of features that say the same, the first is kept.

    Parameters
    ----------
    levels : sequence of Level, optional
        By default differences of 1 and 5, means of 5 and 20 and the last value; then differences of those, and of two
        sizes.
    user : sequence of Expression or str
        Formulas of single rows that join the series, such as ``"square(x0)"``.
    prune : float or None
        Features whose correlation with an earlier one is larger than this in size are left out, as are those that do
        not vary (`uncorrelated` says over which rows of fit). None keeps all.
    start : {"missing", "hold"}
        What came before the first row: nothing (the first rows of a feature are NaN), or that row, for ever.
    entity : str, optional
        Column of a dataframe that tells whose row it is; each entity's rows, in their order, are a series.
    max_features : int
        More are an error.

    Attributes
    ----------
    expressions_ : list of Expression
        The features.
    pruned_ : dict of str to str
        Features left out, with the reason.
    max_lag_ : int
        How many rows before a row the features look at.
    series_ : tuple of str
        Names of the series.
    origin_ : ndarray of shape (n_series,)
        First known value of each series in fit; subtracted inside, so that a large mean costs no digits.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When the columns of `X` have names.

    References
    ----------
    Reneau, Hu, Xu, Li, Gilani and Liu (2023), Feature Programming for Multivariate Time Series Prediction. ICML.
    arXiv:2306.06252.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [2.0], [6.0], [4.0]])
    >>> levels = [Level([Difference(1), Window(2)]), Level([Difference(1)], inputs="win_.*")]
    >>> program = FeatureProgram(levels, prune=None)
    >>> program.fit_transform(x)
    array([[ 1. ,  nan,  nan,  nan],
           [ 3. ,  2. ,  2. ,  nan],
           [ 2. , -1. ,  2.5,  0.5],
           [ 6. ,  4. ,  4. ,  1.5],
           [ 4. , -2. ,  5. ,  1. ]])
    >>> list(program.get_feature_names_out()), program.max_lag_
    (['x0', 'diff_1(x0)', 'win_2(x0)', 'diff_1(win_2(x0))'], 2)
    """

    _stream: FeatureStream | None

    def __init__(
        self,
        levels: Sequence[Level] | None = None,
        user: Sequence[Expression | str] = (),
        prune: float | None = 0.999,
        start: Start = "missing",
        entity: str | None = None,
        max_features: int = 10_000,
    ) -> None:
        self.levels = levels
        self.user = user
        self.prune = prune
        self.start = start
        self.entity = entity
        self.max_features = max_features

    def fit(self, X: Any, y: Any = None) -> Self:
        """Expand the program and leave out what is redundant.

        Parameters
        ----------
        X : array-like of shape (n_times, n_series) or (n_entities, n_times, n_series), or dataframe
            Rows in the order of time, NaN for missing.

        Raises
        ------
        ValueError
            If columns are no numbers or have infinite values, or an argument is out of range.
        """
        self._fit(X, keep=False)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Fit and return the features of `X`."""
        return self._fit(X, keep=True)

    def transform(self, X: Any) -> Array:
        """Features of rows that start anew.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_times, n_features) or (n_entities, n_times, n_features), float64
            NaN where a feature needs a value that is missing.

        Raises
        ------
        ValueError
            If columns are missing, unknown or in another order than in fit.
        """
        check_is_fitted(self)
        panel = self._panel(X, reset=False)
        plan = Plan(self.expressions_, self.series_, self.origin_)
        return panel.shaped(self._restored(self._values(plan, panel), plan))

    def stream(self) -> FeatureStream:
        """A new run of rows, whose features come one row at a time: the rows of `transform`, to the bit.

        Returns
        -------
        FeatureStream
        """
        check_is_fitted(self)
        hold = self.max_lag_ if self.start == "hold" else 0
        return FeatureStream(Plan(self.expressions_, self.series_, self.origin_), hold)

    def update(self, row: ArrayLike) -> Array:
        """Features at the next row of one run; the first row after `fit` starts it. `stream` makes further runs.

        Examples
        --------
        >>> program = FeatureProgram([Level([Window(2)])], prune=None).fit(np.arange(4.0)[:, None])
        >>> program.update([5.0]).tolist(), program.update([7.0]).tolist()
        ([5.0, nan], [7.0, 6.0])
        """
        check_is_fitted(self)
        if self._stream is None:
            self._stream = self.stream()
        return self._stream.update(row)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The formulas of the features, which `parse` reads."""
        check_is_fitted(self)
        given = _check_feature_names_in(self, input_features)
        given = [str(name) for name in given if name != self.entity]
        renamed = dict(zip(self.series_, given if len(given) == len(self.series_) else self.series_, strict=True))
        return np.array([str(_renamed(feature, renamed)) for feature in self.expressions_], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """The fitted features as JSON knows them."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return {
            "columns": None if names is None else [str(name) for name in names],
            "series": list(self.series_),
            "origin": self.origin_.tolist(),
            "features": [feature.to_dict() for feature in self.expressions_],
            "start": self.start,
            "entity": self.entity,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureProgram:
        """A fitted program of what `to_dict` gave; it makes the same features without its levels.

        Examples
        --------
        >>> x = np.arange(9.0)[:, None] ** 2
        >>> program = FeatureProgram().fit(x)
        >>> again = FeatureProgram.from_dict(program.to_dict())
        >>> bool(np.array_equal(again.transform(x), program.transform(x), equal_nan=True))
        True
        """
        program = cls(levels=(), prune=None, start=data["start"], entity=data["entity"])
        program.series_ = tuple(data["series"])
        program.n_features_in_ = len(program.series_) + (program.entity is not None)
        if data["columns"] is not None:
            program.feature_names_in_ = np.array(data["columns"], dtype=object)
        program.origin_ = np.array(data["origin"], dtype=np.float64)
        formulas = [Expression.from_dict(feature) for feature in data["features"]]
        program._set([_checked_formula(formula, program.series_) for formula in formulas], {})
        return program

    def to_sql(self, table: str, order_by: str, partition_by: str | None = None) -> str:
        """A query for the features, by window functions (DuckDB, SQLite, PostgreSQL).

        Parameters
        ----------
        table : str
            Name of a table that has the series as columns.
        order_by : str
            Its column of time.
        partition_by : str, optional
            Its column of entities.

        Returns
        -------
        str
            Rows in the order of entity and time; NULL for missing.

        Raises
        ------
        ValueError
            If ``start="hold"``, or an operator has no SQL.

        Examples
        --------
        >>> program = FeatureProgram([Level([Shift(1)], bypass=False)], prune=None).fit(np.eye(3)[:, :1])
        >>> print(program.to_sql("panel", "day"))
        WITH
        stage_0 AS (SELECT "day", CAST("x0" AS DOUBLE) AS f0 FROM "panel"),
        stage_1 AS (SELECT *, lag(f0, 1) OVER w AS f1 FROM stage_0 WINDOW w AS (ORDER BY "day"))
        SELECT "day", f1 AS "shift_1(x0)" FROM stage_1 ORDER BY "day"
        """
        check_is_fitted(self)
        if self.start == "hold":
            raise ValueError("start='hold' has no SQL; fit with start='missing'")
        return query(self.expressions_, self.series_, table, order_by, partition_by)

    def _fit(self, X: Any, keep: bool) -> Array:
        self._check_arguments()
        panel = self._panel(X, reset=True)
        self.series_ = panel.names
        self.origin_ = _first_known(panel.series)
        levels = DEFAULT_LEVELS if self.levels is None else self.levels
        formulas = expand_programs(panel.names, levels, self.user, self.max_features)
        if not formulas:
            raise ValueError("the program makes no feature; give a level operators, or bypass=True")
        self._set(formulas, {})
        if self.prune is None and not keep:
            return np.empty(0)
        plan = Plan(formulas, self.series_, self.origin_)
        values = self._values(plan, panel)
        if self.prune is not None:
            names = [str(formula) for formula in formulas]
            kept, reasons = uncorrelated(values, self.prune, names)
            self._set([formulas[i] for i in kept], reasons)
            if keep and len(kept) < len(formulas):
                values, plan = values[kept], Plan(self.expressions_, self.series_, self.origin_)
        return panel.shaped(self._restored(values, plan))

    def _check_arguments(self) -> None:
        if self.start not in ("missing", "hold"):
            raise ValueError(f"start must be 'missing' or 'hold', not {self.start!r}")
        if self.prune is not None and not 0.0 < self.prune <= 1.0:
            raise ValueError(f"prune must be above 0 and at most 1, or None, got {self.prune}")

    def _set(self, formulas: list[Expression], pruned: dict[str, str]) -> None:
        self.expressions_, self.pruned_ = formulas, pruned
        self.max_lag_ = max(formula.max_lag for formula in formulas)
        self._stream = None

    def _values(self, plan: Plan, panel: _Panel) -> Array:
        """Features less their offsets, shape (n_features, n_rows)."""
        out = np.empty((len(plan.outputs), panel.series.shape[1]))
        hold = max(e.max_lag for e in plan.nodes) if self.start == "hold" else 0
        for rows in panel.runs:
            series = np.ascontiguousarray(panel.series[:, rows])
            if not hold and isinstance(rows, slice):
                whole = len(panel.runs) == 1
                part = out if whole else np.empty((len(out), series.shape[1]))
                plan.run(series, part)
                if not whole:
                    out[:, rows] = part
                continue
            held = np.concatenate([np.repeat(series[:, :1], hold, axis=1), series], axis=1)
            part = np.empty((len(out), held.shape[1]))
            plan.run(held, part)
            out[:, rows] = part[:, hold:]
        return out

    def _restored(self, values: Array, plan: Plan) -> Array:
        """Rows of features, their offsets added in place."""
        for row, offset in zip(values, plan.offset[plan.outputs], strict=True):
            if offset:
                row += offset
        return values.T

    def _panel(self, X: Any, reset: bool) -> _Panel:
        if isinstance(X, FeatureTable) or hasattr(X, "columns"):
            return self._frame(X, reset)
        if self.entity is not None:
            raise ValueError(f"entity={self.entity!r} needs a dataframe; give arrays as (entity, time, series)")
        if isinstance(X, list | np.ndarray) and np.ndim(X) == 3:
            cube = check_array(X, dtype=np.float64, allow_nd=True, ensure_all_finite="allow-nan", input_name="X")
            n_entities, n_times, n_series = cube.shape
            if not cube.size:
                raise ValueError(f"X has {n_entities} entities, {n_times} times and {n_series} series; each is needed")
            if reset:
                self.n_features_in_ = n_series
                self.__dict__.pop("feature_names_in_", None)
            elif n_series != self.n_features_in_:
                raise ValueError(f"X has {n_series} series, but {self.n_features_in_} were fitted")
            rows = tuple(slice(i * n_times, (i + 1) * n_times) for i in range(n_entities))
            flat = np.ascontiguousarray(cube.reshape(-1, n_series).T)
            return _Panel(flat, self._array_names(n_series, reset), rows, (n_entities, n_times))
        block = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset)
        names = self._array_names(block.shape[1], reset)
        return _Panel(np.ascontiguousarray(block.T), names, (slice(0, len(block)),))

    def _array_names(self, n: int, reset: bool) -> tuple[str, ...]:
        return tuple(f"x{i}" for i in range(n)) if reset else self.series_

    def _frame(self, X: Any, reset: bool) -> _Panel:
        named = pa.table({name: pa.nulls(0) for name in X.names}) if isinstance(X, FeatureTable) else X
        validate_data(self, named, skip_check_array=True, reset=reset)
        names, columns = _frame_values(X)
        if len(set(names)) < len(names):
            raise ValueError("columns of X share names; rename them")
        if self.entity is not None and self.entity not in names:
            raise ValueError(f"X has no column {self.entity!r} for entity; columns are {names}")
        series = [name for name in names if name != self.entity]
        if not series:
            raise ValueError("X has 0 feature(s) (series) while a minimum of 1 is required.")
        values = np.stack([_numbers(name, columns[names.index(name)]) for name in series])
        if not values.shape[1]:
            raise ValueError("X has 0 sample(s) (rows) while a minimum of 1 is required.")
        runs: tuple[Any, ...] = (slice(0, values.shape[1]),)
        if self.entity is not None:
            runs = tuple(_runs(columns[names.index(self.entity)]))
        return _Panel(values, tuple(series), runs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan, tags.input_tags.three_d_array = True, True
        return tags


@dataclass(frozen=True, eq=False)
class _Panel:
    """Series of shape (n_series, n_rows), and the rows of each run in the order of time."""

    series: Array
    names: tuple[str, ...]
    runs: tuple[Any, ...]
    shape: tuple[int, int] | None = None

    def shaped(self, features: Array) -> Array:
        """Rows of features as the input had them."""
        return features if self.shape is None else features.reshape(*self.shape, -1)


def _frame_values(X: Any) -> tuple[list[str], list[Any]]:
    if isinstance(X, FeatureTable):
        return list(X.names), [column.values if not column.is_coded else column for column in X.columns()]
    names, columns = frame_columns(X)
    return [str(name) for name in names], list(columns)


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)


def _numbers(name: str, column: Any) -> Array:
    if isinstance(column, pa.Array | pa.ChunkedArray):
        if not any(is_one(column.type) for is_one in _NUMBERS):
            raise _no_numbers(name)
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        whole = whole.cast(pa.int8()) if pa.types.is_boolean(whole.type) else whole
        column = whole.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if not isinstance(column, np.ndarray):
        raise _no_numbers(name)
    values = column.astype(np.float64)
    if np.isinf(values).any():
        raise ValueError(f"column {name!r} has infinite values (infinity); replace them, or mark them missing")
    return values


def _no_numbers(name: str) -> ValueError:
    return ValueError(f"column {name!r} holds no numbers; leave it out, or name it as entity")


def _runs(keys: Any) -> Iterator[NDArray[np.intp]]:
    """Rows of each entity, in their order."""
    if isinstance(keys, np.ndarray):
        codes = np.unique(keys, return_inverse=True)[1]
    elif hasattr(keys, "dictionary_encode"):
        whole = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
        whole = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode(null_encoding="encode")
        codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    else:
        codes = keys.values
    order = np.argsort(codes, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _first_known(series: Array) -> Array:
    known = ~np.isnan(series)
    first = series[np.arange(len(series)), known.argmax(axis=1)]
    return np.where(known.any(axis=1), first, 0.0)


def uncorrelated(features: Array, limit: float, names: Sequence[str]) -> tuple[list[int], dict[str, str]]:
    """Features to keep: those that vary and whose correlation with each kept before is at most a limit in size.

    Parameters
    ----------
    features : ndarray of shape (n_features, n_rows)
        Correlations are over the rows where all are known; or over those where both are, where the first are fewer than
        half. Of more than 20,000 rows, as many are drawn for the correlations.
    limit : float
    names : sequence of str

    Returns
    -------
    kept : list of int
        Fewer than eight rows leave out nothing; the first one when none varies.
    reasons : dict of str to str
        Why the others are left out, by name.

    Examples
    --------
    >>> x = np.arange(9.0)
    >>> uncorrelated(np.stack([x, -x, np.ones(9), x**2]), 0.99, ["x", "minus x", "one", "square"])
    ([0, 3], {'minus x': 'correlation -1.0000 with x', 'one': 'does not vary'})
    """
    complete = np.ones(features.shape[1], dtype=bool)
    for row in features:
        complete &= ~np.isnan(row)
    varies = [_varies(row[~np.isnan(row)]) for row in features]
    if 2 * np.count_nonzero(complete) < len(complete):
        correlation = _correlation_in_pairs(features, _drawn(np.arange(len(complete))))
    else:
        correlation = _correlation(features, _drawn(np.flatnonzero(complete)))
    kept: list[int] = []
    reasons: dict[str, str] = {}
    for j, name in enumerate(names):
        if not varies[j]:
            reasons[name] = "does not vary"
            continue
        close = np.flatnonzero(np.abs(correlation[j, kept]) > limit)
        if len(close):
            other = kept[close[0]]
            reasons[name] = f"correlation {correlation[j, other]:.4f} with {names[other]}"
        else:
            kept.append(j)
    if not kept:
        reasons.pop(names[0])
    return kept or [0], reasons


def _varies(values: Array) -> bool:
    if len(values) < FEWEST_ROWS:  # nobody knows
        return True
    low, high = values.min(), values.max()
    return bool(high - low > 1e-12 * max(abs(low), abs(high)))


def _drawn(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Some rows, or many of them."""
    if len(rows) <= MOST_ROWS:
        return rows  # else not every n-th row, which could keep step with a season
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))


def _blocks(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return [rows[start : start + 4096] for start in range(0, len(rows), 4096)]


def _correlation(features: Array, rows: NDArray[np.intp]) -> Array:
    """Correlations over rows where all are known; NaN for a feature that does not vary there, or too few rows."""
    if len(rows) < FEWEST_ROWS:
        return np.full((len(features), len(features)), np.nan)
    mean = sum(features[:, block].sum(axis=1) for block in _blocks(rows)) / len(rows)
    product = np.zeros((len(features), len(features)))
    for block in _blocks(rows):
        part = features[:, block] - mean[:, None]
        product += part @ part.T
    scale = np.sqrt(np.diag(product))
    scale[scale == 0.0] = np.nan
    return product / np.outer(scale, scale)


def _correlation_in_pairs(features: Array, rows: NDArray[np.intp]) -> Array:
    """Correlations over the rows where both are known; NaN where those are too few, or one does not vary there."""
    total, count = np.zeros(len(features)), np.zeros(len(features))
    for block in _blocks(rows):
        total += np.nansum(features[:, block], axis=1)
        count += np.count_nonzero(~np.isnan(features[:, block]), axis=1)
    mean = total / np.maximum(count, 1.0)
    n, sums, squares, products = np.zeros((4, len(features), len(features)))
    for block in _blocks(rows):
        part = features[:, block] - mean[:, None]
        known = ~np.isnan(part)
        part[~known] = 0.0
        there = known.astype(np.float64)
        n += there @ there.T
        sums += part @ there.T
        squares += part**2 @ there.T
        products += part @ part.T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = squares - sums**2 / n
        spread[~(spread > 1e-10 * squares) | (n < FEWEST_ROWS)] = np.nan
        return (products - sums * sums.T / n) / np.sqrt(spread * spread.T)


# a generator --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SpinGas:
    """Series of `make_spin_gas`, and what made them.

    Parameters
    ----------
    x : ndarray of shape (n_steps + 1, n_series)
        The series; row 0 is the start.
    spins : ndarray of shape (n_steps, n_series)
        Direction of each step, -1 or 1.
    field : ndarray of shape (n_steps, n_series)
        `h` of each step, known before it: the spin's expectation is ``tanh(beta * h)``.
    interaction, velocity, acceleration : ndarray of shape (n_series, n_series)
        `J`, `K` and `M`.
    bias : ndarray of shape (n_series,)
        `b`.
    """

    x: Array
    spins: Array
    field: Array
    interaction: Array
    velocity: Array
    acceleration: Array
    bias: Array


def make_spin_gas(
    n_series: int = 10,
    n_steps: int = 5000,
    span: int = 40,
    beta: float = 1.0,
    scale: float = 1.0,
    noise: float = 0.1,
    interaction: ArrayLike | float = 0.5,
    velocity: ArrayLike | float = 0.5,
    acceleration: ArrayLike | float = 0.5,
    bias: ArrayLike | float = 0.0,
    density: float = 0.3,
    random_state: int | np.random.Generator | None = None,
) -> SpinGas:
    """Series whose steps up and down are spins that hear each other's last steps, velocities and accelerations.

    Step t of series i goes up with probability ``1 / (1 + exp(-2 beta h_i))``, where the field
    ``h = J s + K v + M a + b`` is made of what came before: the last spins `s`; the velocities `v`, sums of the last
    `span` spins over ``sqrt(span)``; and the accelerations `a`, the velocities less those `span` steps before, over
    ``sqrt(2)``. Then ``x[t + 1] = x[t] + scale * spin + noise``. The form of the terms in `v` and `a` is this
    function's own: the paper tells that its gas has such terms, not which.

    Parameters
    ----------
    n_series, n_steps : int
    span : int
        Steps of a velocity.
    beta : float
        Inverse temperature: 0 makes coin flips.
    scale : float
        Size of a step.
    noise : float
        Standard deviation of what is added to a step.
    interaction, velocity, acceleration : float, or array-like of shape (n_series, n_series)
        Matrices `J`, `K` and `M`; row i is what series i hears. A number is the standard deviation of the sum of a
        random row's entries, of which a share `density` is not 0.
    bias : float, or array-like of shape (n_series,)
    density : float
        Above 0, at most 1.
    random_state : int, Generator or None

    Returns
    -------
    SpinGas

    Raises
    ------
    ValueError
        If an argument is out of range, or a matrix has another shape.

    References
    ----------
    Reneau, Hu, Xu, Li, Gilani and Liu (2023), Feature Programming for Multivariate Time Series Prediction. ICML.
    arXiv:2306.06252.

    Examples
    --------
    >>> gas = make_spin_gas(n_series=3, n_steps=500, random_state=0)
    >>> gas.x.shape, np.unique(gas.spins).tolist(), bool(np.mean(gas.spins * gas.field) > 0.2)
    ((501, 3), [-1.0, 1.0], True)
    """
    if min(n_series, n_steps, span) < 1:
        raise ValueError(f"n_series, n_steps and span must be at least 1, got {n_series}, {n_steps} and {span}")
    if beta < 0 or scale <= 0 or noise < 0 or not 0 < density <= 1:
        raise ValueError("beta and noise must not be negative, scale must be positive, density in (0, 1]")
    rng = np.random.default_rng(random_state)
    j, k, m = (
        _couplings(name, given, n_series, density, rng)
        for name, given in (("interaction", interaction), ("velocity", velocity), ("acceleration", acceleration))
    )
    b = np.asarray(bias, dtype=np.float64)
    if b.shape not in ((), (n_series,)):
        raise ValueError(f"bias must be a number or have {n_series} entries, got shape {b.shape}")
    b = np.broadcast_to(b, n_series)
    chance = rng.random((n_steps, n_series))
    spins, field = np.zeros((n_steps, n_series)), np.zeros((n_steps, n_series))
    recent: deque[Array] = deque([np.zeros(n_series)] * (2 * span), maxlen=2 * span)
    v = before = np.zeros(n_series)
    for t in range(n_steps):
        h = j @ recent[-1] + k @ v + m @ (v - before) / np.sqrt(2.0) + b
        spin = np.where(chance[t] < 0.5 * (1.0 + np.tanh(beta * h)), 1.0, -1.0)
        v = v + (spin - recent[-span]) / np.sqrt(span)
        before = before + (recent[-span] - recent[0]) / np.sqrt(span)
        recent.append(spin)
        spins[t], field[t] = spin, h
    steps = scale * spins + noise * rng.normal(size=spins.shape)
    x = np.concatenate([np.zeros((1, n_series)), np.cumsum(steps, axis=0)])
    return SpinGas(x, spins, field, j, k, m, b.copy())


def _couplings(name: str, given: ArrayLike | float, n: int, density: float, rng: np.random.Generator) -> Array:
    drawn = rng.normal(size=(n, n)) * (rng.random((n, n)) < density) / np.sqrt(density * n)
    matrix = np.asarray(given, dtype=np.float64)
    if matrix.shape == ():
        return drawn * matrix
    if matrix.shape != (n, n):
        raise ValueError(f"{name} must be a number or of shape ({n}, {n}), got {matrix.shape}")
    return matrix
