"""Operators of feature expressions: what each takes, learns from training rows, computes, and is in SQL.

Missing values, for all operators: a missing argument gives a missing result, and so does a result that is infinite or
undefined (`log` of a number that is not positive, division by 0). A group statistic leaves out the rows where the value
is missing; a row whose group is missing gets a missing value, and one whose group the training rows did not have gets
what `fit(..., unseen=...)` asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from covey.table import plain

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Kind = Literal["numeric", "categorical"]
Unseen = Literal["missing", "global"]

MAX_KNOTS = 255  # of the values of one group, in a rank within groups


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows in groups.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int64
        Group of each row; -1 for missing.
    keys : tuple of ndarray of shape (n_groups,)
        What the groups are called, one array (float64, or object of str) for each column that makes them.
    """

    codes: Codes
    keys: tuple[NDArray, ...]

    @property
    def n_groups(self) -> int:
        """Number of groups, also of those without a row."""
        return len(self.keys[0])

    def take(self, rows: NDArray | slice) -> Groups:
        """The same groups of some rows."""
        return Groups(self.codes[rows], self.keys)


def groups_of_numbers(values: Array) -> Groups:
    """Rows grouped by equal numbers.

    Examples
    --------
    >>> groups_of_numbers(np.array([3.0, np.nan, 3.0, 1.0])).codes
    array([ 1, -1,  1,  0])
    """
    distinct, codes = np.unique(values, return_inverse=True)
    n = int(np.count_nonzero(~np.isnan(distinct)))
    codes = codes.astype(np.int64)
    codes[codes >= n] = -1
    return Groups(codes, (distinct[:n] + 0.0,))  # -0.0 and 0.0 are one group


def find(known: tuple[NDArray, ...], asked: tuple[NDArray, ...]) -> Codes:
    """Position of each asked key among the known ones, -1 where it is none of them.

    Examples
    --------
    >>> find((np.array([5.0, 2.0]),), (np.array([2.0, 3.0, 5.0]),))
    array([ 1, -1,  0])
    """
    if all(a is b for a, b in zip(known, asked)):
        return np.arange(len(asked[0]))
    if not len(known[0]):
        return np.full(len(asked[0]), -1, dtype=np.int64)
    first, other = known[0], asked[0]
    if len(known) == 1 and first.dtype == other.dtype == np.float64 and bool((first[1:] > first[:-1]).all()):
        position = np.minimum(np.searchsorted(first, other), len(first) - 1)
        return np.where(first[position] == other, position, -1)
    place, wanted = np.zeros(len(known[0]), dtype=np.int64), np.zeros(len(asked[0]), dtype=np.int64)
    absent = np.zeros(len(asked[0]), dtype=bool)
    for one, other in zip(known, asked):
        if one.dtype != other.dtype:
            return np.full(len(asked[0]), -1, dtype=np.int64)
        atoms, inverse = np.unique(one, return_inverse=True)
        position = np.minimum(np.searchsorted(atoms, other), len(atoms) - 1)
        absent |= atoms[position] != other
        place, wanted = place * len(atoms) + inverse, wanted * len(atoms) + position
        if len(known) > 2:  # more than two columns could overflow: renumber
            _, both = np.unique(np.concatenate([place, wanted]), return_inverse=True)
            place, wanted = both[: len(place)].astype(np.int64), both[len(place) :].astype(np.int64)
    order = np.argsort(place, kind="stable")
    position = np.minimum(np.searchsorted(place, wanted, sorter=order), len(order) - 1)
    found = order[position]
    return np.where(absent | (place[found] != wanted), -1, found)


class Learned(Protocol):
    """What an operator has learned from training rows."""

    def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self: ...


@dataclass(frozen=True, eq=False)
class Lookup:
    """A number for each group.

    Parameters
    ----------
    keys : tuple of ndarray of shape (n_groups,)
    values : ndarray of shape (n_groups,)
    default : float
        For groups that are not there.
    """

    keys: tuple[NDArray, ...]
    values: Array
    default: float = np.nan

    def __call__(self, groups: Groups) -> Array:
        """The number of each row's group; NaN where the group is missing."""
        place = find(self.keys, groups.keys)
        of_group = np.append(self.values, self.default)[place]  # -1 is the default
        return np.append(of_group, np.nan)[groups.codes]

    def sql(self, keys: tuple[str, ...]) -> str:
        """The number as SQL, given the SQL of the columns that make the groups."""
        value = _values_sql(keys, [(*row, number(v)) for *row, v in zip(*map(_literals, self.keys), self.values)])
        if np.isnan(self.default):
            return value
        absent = " OR ".join(f"{key} IS NULL" for key in keys)
        return f"CASE WHEN {absent} THEN NULL ELSE coalesce({value}, {number(self.default)}) END"

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return plain({"keys": self.keys, "values": self.values, "default": self.default})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Lookup:
        """From `to_dict`."""
        default = np.nan if data["default"] is None else float(data["default"])
        return cls(_keys(data["keys"]), np.array(data["values"], dtype=np.float64), default)


@dataclass(frozen=True, eq=False)
class Ladder:
    """Sorted values of each group, all of them or `MAX_KNOTS` evenly spaced ones.

    Parameters
    ----------
    keys : tuple of ndarray of shape (n_groups,)
    starts : ndarray of shape (n_groups + 1,), int64
        Where the values of each group begin.
    knots : ndarray of shape (n_knots,)
    default : ndarray of shape (n_default,)
        Sorted values for groups that are not there; none for a missing result.
    """

    keys: tuple[NDArray, ...]
    starts: Codes
    knots: Array
    default: Array

    def __call__(self, values: Array, groups: Groups) -> Array:
        """Share of the group's values below each value, those equal to it counted half."""
        starts = np.append(self.starts, len(self.knots) + len(self.default))
        knots = np.concatenate([self.knots, self.default])
        place = find(self.keys, groups.keys)
        place = np.append(np.where(place < 0, len(starts) - 2, place), -1)[groups.codes]
        low, high = starts[place], starts[place + 1]
        counted = (_bisect(knots, low, high, values, False) + _bisect(knots, low, high, values, True)) / 2.0 - low
        size = np.where((place < 0) | np.isnan(values), 0, high - low)
        return np.where(size > 0, counted / np.maximum(size, 1), np.nan)

    def sql(self, value: str, keys: tuple[str, ...]) -> str:
        """The share as SQL."""
        sizes = np.diff(self.starts)
        columns = [np.repeat(np.array(_literals(key), dtype=object), sizes) for key in self.keys]
        rows = [(*row, number(knot)) for *row, knot in zip(*columns, self.knots)]

        def below(knot: str) -> str:
            return f"avg(CASE WHEN {knot} < {value} THEN 1e0 WHEN {knot} = {value} THEN 5e-1 ELSE 0e0 END)"

        found = _values_sql(keys, rows, below, value)
        if len(self.default):
            missing = " OR ".join(f"{key} IS NULL" for key in keys)
            fallback = _values_sql((), [(number(knot),) for knot in self.default], below, value)
            found = f"CASE WHEN {missing} THEN NULL ELSE coalesce({found}, {fallback}) END"
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {found} END"

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return plain({"keys": self.keys, "starts": self.starts, "knots": self.knots, "default": self.default})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ladder:
        """From `to_dict`."""
        numbers = (np.array(data[name], dtype=np.float64) for name in ("knots", "default"))
        return cls(_keys(data["keys"]), np.array(data["starts"], dtype=np.int64), *numbers)


def _bisect(knots: Array, low: Codes, high: Codes, values: Array, right: bool) -> Codes:
    """`numpy.searchsorted` of each value in its own part of the knots, all at once."""
    low, high = low.copy(), high.copy()
    for _ in range(int(np.max(high - low, initial=0)).bit_length()):
        middle = (low + high) // 2
        at = knots[np.minimum(middle, len(knots) - 1)]
        up = (middle < high) & ((at <= values) if right else (at < values))
        low, high = np.where(up, middle + 1, low), np.where(up, high, middle)
    return low


def _keys(stored: Any) -> tuple[NDArray, ...]:
    return tuple(np.array(key, dtype=object if key and isinstance(key[0], str) else np.float64) for key in stored)


def number(value: float) -> str:
    """A number as SQL; ``NULL`` for NaN.

    Examples
    --------
    >>> number(0.5), number(1e-9), number(float("nan"))
    ('0.5e0', '1e-09', 'NULL')
    """
    if np.isnan(value):
        return "NULL"
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"  # without an exponent it would be an exact decimal


def text_literal(value: str) -> str:
    """A word as SQL.

    Examples
    --------
    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def _literals(keys: NDArray) -> list[str]:
    return [text_literal(key) if isinstance(key, str) else number(key) for key in keys]


def _values_sql(
    keys: tuple[str, ...],
    rows: list[tuple[str, ...]],
    of: Callable[[str], str] = str,
    outer: str = "",
) -> str:
    """A look-up in rows of (key, ..., value) as a scalar subquery: `of` the value, in which `outer` may stand.

    Its names are none of the columns that the keys and `outer` read: those would be hidden by it.
    """
    if not rows:
        return "CAST(NULL AS DOUBLE)"
    asked, stem = " ".join((*keys, outer)).lower(), "_"
    while f'"{stem}key' in asked or f'"{stem}value' in asked:
        stem += "_"
    names = [f"{stem}key{k}" for k in range(len(keys))]
    listed = ", ".join(f"({', '.join(row)})" for row in rows)
    where = " AND ".join(f"_covey.{name} = {key}" for name, key in zip(names, keys))
    table = f"(VALUES {listed}) AS _covey({', '.join([*names, f'{stem}value'])})"
    return f"(SELECT {of(f'_covey.{stem}value')} FROM {table}{' WHERE ' + where if where else ''})"


def _no_lag(*parameters: int) -> int:
    return 0


@dataclass(frozen=True)
class Operator:
    """One operator.

    Parameters
    ----------
    name : str
        A symbol (``"/"``) is written between its two arguments; a name ending in ``" by"`` takes a value and a group,
        as in ``mean(age by city)``; others are called.
    arguments : tuple of {"numeric", "categorical"}
        A categorical argument takes numbers too: each distinct number is then a group.
    result : {"numeric", "categorical"}
    apply : callable
        ``apply(*arguments, *parameters)``, with what was learned before them when there is `fit`. Numeric arguments
        are float64 arrays with NaN for missing, categorical ones `Groups`; a numeric result is an array of the same
        length (infinite entries become missing), a categorical one `Groups`.
    fit : callable, optional
        ``fit(unseen, *arguments, *parameters)`` on training rows; what it returns has ``to_dict``.
    sql : callable, optional
        As `apply`, on SQL text; a categorical argument is a tuple of SQL texts.
    learned : class with ``from_dict``
        Of what `fit` returns.
    n_parameters : int
        Whole numbers after the name: 1 for ``diff_5(x)``.
    lag : callable (parameters ...) -> int
        How many rows before a row it looks at.
    row_wise : bool
        False when a row's result depends on other rows of the table.
    commutative : bool
        Whether the arguments can be exchanged.

    Examples
    --------
    >>> half = Operator("half", ("numeric",), "numeric", lambda x: x / 2, sql=lambda x: f"({x} / 2)")
    >>> half.apply(np.array([3.0, 8.0])), half.sql('"pay"'), half.is_grouped
    (array([1.5, 4. ]), '("pay" / 2)', False)
    """

    name: str
    arguments: tuple[Kind, ...]
    result: Kind
    apply: Callable[..., Any]
    fit: Callable[..., Any] | None = None
    sql: Callable[..., Any] | None = None
    learned: type[Learned] = Lookup
    n_parameters: int = 0
    lag: Callable[..., int] = _no_lag
    row_wise: bool = True
    commutative: bool = False

    @property
    def is_symbol(self) -> bool:
        """Whether it is written between its arguments."""
        return not (self.name[0].isalpha() or self.name[0] == "_")

    @property
    def is_grouped(self) -> bool:
        """Whether it is written ``name(value by group)``."""
        return self.name.endswith(" by")


OPERATORS: dict[str, Operator] = {}


def register(operator: Operator) -> Operator:
    """Make an operator known to `parse` and `call`.

    Raises
    ------
    ValueError
        If its name is taken, or it is not shaped as its name says.

    Examples
    --------
    >>> from covey.generate import call
    >>> cube = register(Operator("cube", ("numeric",), "numeric", lambda x: x**3, sql=lambda x: f"({x} * {x} * {x})"))
    >>> str(call("cube", "width"))
    'cube(width)'
    >>> del OPERATORS["cube"]
    """
    if operator.name in OPERATORS:
        raise ValueError(f"there is already an operator {operator.name!r}; choose another name")
    if (operator.is_symbol or operator.is_grouped) and (len(operator.arguments) != 2 or operator.n_parameters):
        raise ValueError(f"operator {operator.name!r} is written with two arguments and no parameters")
    OPERATORS[operator.name] = operator
    return operator


def get_operator(name: str) -> Operator:
    """The operator called `name`.

    Raises
    ------
    ValueError
        If there is none; the message lists near names.

    Examples
    --------
    >>> get_operator("mean by").arguments
    ('numeric', 'categorical')
    """
    if name not in OPERATORS:
        from difflib import get_close_matches

        near = get_close_matches(name, OPERATORS, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"operators are {', '.join(OPERATORS)}"
        raise ValueError(f"no operator {name!r}; {hint}")
    return OPERATORS[name]


# numbers ------------------------------------------------------------------------------------------------------------


def _round(x: Array) -> Array:
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -700.0, 700.0)))


def _numeric(name: str, apply: Callable[..., Array], sql: str, arity: int = 1, commutative: bool = False) -> None:
    kinds: tuple[Kind, ...] = tuple("numeric" for _ in range(arity))
    register(Operator(name, kinds, "numeric", apply, sql=sql.format, commutative=commutative))


_TANH = "(1e0 - exp(-2 * {0})) / (1e0 + exp(-2 * {0}))"

_numeric("abs", np.abs, "abs({0})")
_numeric("log", np.log, "CASE WHEN {0} > 0 THEN ln({0}) END")
_numeric("sqrt", np.sqrt, "CASE WHEN {0} >= 0 THEN sqrt({0}) END")
_numeric("square", np.square, "({0} * {0})")
_numeric("sigmoid", _sigmoid, "CASE WHEN {0} > 700 THEN 1e0 WHEN {0} < -700 THEN 0e0 ELSE 1e0 / (1e0 + exp(-{0})) END")
_numeric("round", _round, "(sign({0}) * floor(abs({0}) + 5e-1))")
_numeric("residual", lambda x: x - np.floor(x), "({0} - floor({0}))")
_numeric("+", np.add, "({0} + {1})", 2, commutative=True)
_numeric("-", np.subtract, "({0} - {1})", 2)
_numeric("*", np.multiply, "({0} * {1})", 2, commutative=True)
_numeric("/", np.divide, "CASE WHEN {1} <> 0 THEN {0} / {1} END", 2)
_numeric("min", np.minimum, "CASE WHEN {0} <= {1} THEN {0} WHEN {1} < {0} THEN {1} END", 2, commutative=True)
_numeric("max", np.maximum, "CASE WHEN {0} >= {1} THEN {0} WHEN {1} > {0} THEN {1} END", 2, commutative=True)
_numeric("tanh", np.tanh, f"(CASE WHEN {{0}} > 350 THEN 1e0 WHEN {{0}} < -350 THEN -1e0 ELSE {_TANH} END)")
_numeric("reciprocal", np.reciprocal, "CASE WHEN {0} <> 0 THEN 1e0 / {0} END")
_numeric("mod", lambda x, y: x - y * np.floor(x / y), "CASE WHEN {1} <> 0 THEN {0} - {1} * floor({0} / {1}) END", 2)


@dataclass(frozen=True)
class Affine:
    """``(value - shift) / scale``.

    Parameters
    ----------
    shift, scale : float
    """

    shift: float
    scale: float

    def __call__(self, values: Array) -> Array:
        """The values moved and scaled."""
        return (values - self.shift) / self.scale

    def sql(self, value: str) -> str:
        """The same as SQL."""
        return f"(({value} - {number(self.shift)}) / {number(self.scale)})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return plain({"shift": self.shift, "scale": self.scale})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Affine:
        """From `to_dict`."""
        return cls(*(np.nan if data[name] is None else float(data[name]) for name in ("shift", "scale")))


def _affine(shift: float, scale: float) -> Affine:
    """A column without spread, or without values, becomes missing."""
    return Affine(shift, scale if 0.0 < scale < np.inf else np.nan)


def _standard(unseen: Unseen, values: Array) -> Affine:
    x = values[~np.isnan(values)]
    return _affine(float(x.mean()), float(x.std())) if len(x) else _affine(np.nan, np.nan)


def _min_max(unseen: Unseen, values: Array) -> Affine:
    x = values[~np.isnan(values)]
    return _affine(float(x.min()), float(x.max() - x.min())) if len(x) else _affine(np.nan, np.nan)


register(Operator("standard", ("numeric",), "numeric", Affine.__call__, _standard, Affine.sql, Affine))
register(Operator("min_max", ("numeric",), "numeric", Affine.__call__, _min_max, Affine.sql, Affine))


# groups -------------------------------------------------------------------------------------------------------------


def frequency(unseen: Unseen, groups: Groups) -> Lookup:
    """Share of the rows in each group; 0 for a group that is not there."""
    shares = _counts(groups) / max(len(groups.codes), 1)
    return Lookup(*_present_only(groups, shares), 0.0)


def _counts(groups: Groups) -> Array:
    return np.bincount(groups.codes[groups.codes >= 0], minlength=groups.n_groups).astype(np.float64)


def _statistic(of_groups: Callable[[Array, Codes, int], Array]) -> Callable[[Unseen, Array, Groups], Lookup]:
    """`fit` of a statistic of the values in each group; groups without a value are left out."""

    def fit(unseen: Unseen, values: Array, groups: Groups) -> Lookup:
        present = (groups.codes >= 0) & ~np.isnan(values)
        x, codes = values[present], groups.codes[present]
        found = of_groups(x, codes, groups.n_groups)
        default = np.nan
        if unseen == "global":
            x = values[~np.isnan(values)]
            default = float(of_groups(x, np.zeros(len(x), dtype=np.int64), 1)[0])
            found = np.where(np.isnan(found), default, found)
        return Lookup(*_present_only(groups, found), default)

    return fit


def _present_only(groups: Groups, found: Array) -> tuple[tuple[NDArray, ...], Array]:
    """Keys and values of the groups that have a row; as they are when all have, which makes look-ups quick."""
    kept = _counts(groups) > 0
    return (groups.keys, found) if kept.all() else (tuple(key[kept] for key in groups.keys), found[kept])


def _mean(x: Array, codes: Codes, n: int) -> Array:
    centre = float(np.mean(x)) if len(x) else 0.0  # large means would lose digits
    counts = np.bincount(codes, minlength=n).astype(np.float64)
    sums = np.bincount(codes, weights=x - centre, minlength=n)
    return np.where(counts > 0, sums / np.maximum(counts, 1.0) + centre, np.nan)


def _std(x: Array, codes: Codes, n: int) -> Array:
    """With n - 1; NaN for a group of one value."""
    counts = np.bincount(codes, minlength=n).astype(np.float64)
    squares = np.bincount(codes, weights=(x - _mean(x, codes, n)[codes]) ** 2, minlength=n)
    return np.where(counts > 1, np.sqrt(squares / np.maximum(counts - 1.0, 1.0)), np.nan)


def _extreme(ufunc: np.ufunc, start: float) -> Callable[[Array, Codes, int], Array]:
    def of_groups(x: Array, codes: Codes, n: int) -> Array:
        out = np.full(n, start)
        ufunc.at(out, codes, x)
        return np.where(np.isinf(out), np.nan, out)

    return of_groups


def _median(x: Array, codes: Codes, n: int) -> Array:
    ordered = x[np.lexsort((x, codes))]
    counts = np.bincount(codes, minlength=n)
    starts = np.cumsum(counts) - counts
    if not len(ordered):
        return np.full(n, np.nan)
    low = np.minimum(starts + np.maximum(counts - 1, 0) // 2, len(ordered) - 1)
    high = np.minimum(starts + counts // 2, len(ordered) - 1)
    return np.where(counts > 0, ordered[low] + (ordered[high] - ordered[low]) / 2.0, np.nan)


def _ladder(unseen: Unseen, values: Array, groups: Groups) -> Ladder:
    present = (groups.codes >= 0) & ~np.isnan(values)
    x, codes = values[present], groups.codes[present]
    ordered = x[np.lexsort((x, codes))]
    counts = np.bincount(codes, minlength=groups.n_groups)
    sizes = np.minimum(counts, MAX_KNOTS)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    group = np.repeat(np.arange(groups.n_groups), sizes)
    step = (np.arange(len(group)) - starts[group] + 0.5) / np.maximum(sizes[group], 1)
    knots = ordered[(np.cumsum(counts) - counts)[group] + (step * counts[group]).astype(np.int64)]
    default = np.empty(0)
    if unseen == "global":
        default = np.sort(values[~np.isnan(values)])
        if len(default) > MAX_KNOTS:
            default = default[((np.arange(MAX_KNOTS) + 0.5) / MAX_KNOTS * len(default)).astype(np.int64)]
    kept = counts > 0
    keys = groups.keys if kept.all() else tuple(key[kept] for key in groups.keys)
    return Ladder(keys, np.append(starts[:-1][kept], starts[-1]).astype(np.int64), knots, default)


def _distinct(unseen: Unseen, values: Groups, groups: Groups) -> Lookup:
    """Number of distinct values in each group."""
    present = (values.codes >= 0) & (groups.codes >= 0)
    pairs = np.unique(groups.codes[present] * max(values.n_groups, 1) + values.codes[present])
    found = np.bincount(pairs // max(values.n_groups, 1), minlength=groups.n_groups).astype(np.float64)
    default = float(np.count_nonzero(_counts(values))) if unseen == "global" else np.nan
    return Lookup(*_present_only(groups, found), default)


def _combine(left: Groups, right: Groups) -> Groups:
    """The pairs of groups that occur, in the order of their keys."""
    present = (left.codes >= 0) & (right.codes >= 0)
    n = max(right.n_groups, 1)
    pairs, inverse = np.unique(left.codes[present] * n + right.codes[present], return_inverse=True)
    codes = np.full(len(present), -1, dtype=np.int64)
    codes[present] = inverse
    return Groups(codes, (*(key[pairs // n] for key in left.keys), *(key[pairs % n] for key in right.keys)))


def levels(groups: Groups) -> Lookup:
    """The groups that have a row, numbered in the order of their keys.

    Examples
    --------
    >>> levels(Groups(np.array([2, 0, -1]), (np.array(["a", "b", "c"], dtype=object),))).values
    array([0., 1.])
    """
    keys, _ = _present_only(groups, np.zeros(groups.n_groups))
    return Lookup(keys, np.arange(float(len(keys[0]))))


def _apply_lookup(found: Lookup, *arguments: Any) -> Array:
    return found(arguments[-1])


def _sql_lookup(found: Lookup, *arguments: Any) -> str:
    return found.sql(arguments[-1])


def _grouped(name: str, fit: Callable[..., Any], value: Kind = "numeric") -> None:
    register(Operator(name, (value, "categorical"), "numeric", _apply_lookup, fit, _sql_lookup))


register(Operator("freq", ("categorical",), "numeric", _apply_lookup, frequency, _sql_lookup))
_grouped("min by", _statistic(_extreme(np.minimum, np.inf)))
_grouped("max by", _statistic(_extreme(np.maximum, -np.inf)))
_grouped("mean by", _statistic(_mean))
_grouped("median by", _statistic(_median))
_grouped("std by", _statistic(_std))
register(Operator("rank by", ("numeric", "categorical"), "numeric", Ladder.__call__, _ladder, Ladder.sql, Ladder))
_grouped("nunique by", _distinct, value="categorical")
register(
    Operator(
        "combine",
        ("categorical", "categorical"),
        "categorical",
        _combine,
        sql=lambda left, right: (*left, *right),
        commutative=True,
    )
)
