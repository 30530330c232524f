"""`Expression`: a feature as a formula that can be read, parsed, fitted on training rows, applied, and put into SQL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import covey.generate._causal  # noqa: F401 (diff, shift, win and sum are operators too)
from covey.generate.operators import OPERATORS as _OPERATORS
from covey.generate.operators import (
    Array,
    Groups,
    Kind,
    Lookup,
    Operator,
    Unseen,
    get_operator,
    groups_of_numbers,
    levels,
    number,
    text_literal,
)
from covey.table import MISSING, Column, FeatureTable, read
from covey.table._table import unknown_column

_TRUTH = {"False": 0.0, "True": 1.0, "0": 0.0, "1": 1.0}
_PLAIN = re.compile(r"[^\W\d]\w*")  # a name that needs no quotes
_LEVELS = "levels of "  # of a column of words that is a feature as it is


@dataclass(frozen=True, eq=False, repr=False)
class Expression:
    """A formula over columns: a `Variable`, a `Number`, or a `Call` of an operator on other expressions.

    Immutable, hashable, equal when written equally. ``+ - * /`` of expressions and numbers are expressions.

    Examples
    --------
    >>> ratio = Variable("hours per week") / call("mean by", "age", "education")
    >>> print(ratio)
    ("hours per week" / mean(age by education))
    >>> parse(str(ratio)) == ratio, ratio.columns
    (True, ('hours per week', 'age', 'education'))
    """

    @property
    def arguments(self) -> tuple[Expression, ...]:
        """The expressions that it is made of."""
        return ()

    @property
    def kind(self) -> Kind | None:
        """Kind of the result; None for a column, whose kind the table tells."""
        return None

    @cached_property
    def text(self) -> str:
        """As it is written."""
        return self._write()

    def _write(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def walk(self) -> Iterator[Expression]:
        """It and all expressions in it, arguments first."""
        for argument in self.arguments:
            yield from argument.walk()
        yield self

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it reads, in the order in which they are written."""
        return tuple(dict.fromkeys(e.name for e in self.walk() if isinstance(e, Variable)))

    @cached_property
    def depth(self) -> int:
        """Number of operators one inside the other."""
        return 1 + max((e.depth for e in self.arguments), default=-1)

    @cached_property
    def max_lag(self) -> int:
        """How many rows before a row it looks at; 0 for formulas of single rows."""
        return max((e.max_lag for e in self.arguments), default=0)

    @cached_property
    def learns(self) -> bool:
        """Whether anything in it must be learned from training rows."""
        return any(isinstance(e, Call) and e.definition.fit is not None for e in self.walk())

    @cached_property
    def row_wise(self) -> bool:
        """Whether a row's value depends on that row (and on what was learned) only."""
        return all(e.row_wise for e in self.arguments)

    def __add__(self, other: Expression | float) -> Expression:
        return call("+", self, other)

    def __sub__(self, other: Expression | float) -> Expression:
        return call("-", self, other)

    def __mul__(self, other: Expression | float) -> Expression:
        return call("*", self, other)

    def __truediv__(self, other: Expression | float) -> Expression:
        return call("/", self, other)

    def __radd__(self, other: float) -> Expression:
        return call("+", other, self)

    def __rsub__(self, other: float) -> Expression:
        return call("-", other, self)

    def __rmul__(self, other: float) -> Expression:
        return call("*", other, self)

    def __rtruediv__(self, other: float) -> Expression:
        return call("/", other, self)

    def fit(self, table: Any, unseen: Unseen = "missing") -> State:
        """Learn what the formula needs of training rows; see `fit_expressions`."""
        return fit_expressions([self], table, unseen)

    def apply(self, table: Any, state: State | None = None) -> Array:
        """The feature of new rows; see `apply_expressions`.

        Examples
        --------
        >>> train = {"pay": [1.0, 3.0, 8.0], "city": ["a", "a", "b"]}
        >>> mean = parse("mean(pay by city)")
        >>> mean.apply({"pay": [0.0, 0.0, 0.0], "city": ["b", "c", "a"]}, mean.fit(train))
        array([ 8., nan,  2.])
        """
        return apply_expressions([self], table, State() if state is None else state)[:, 0]

    def fit_apply(self, table: Any, unseen: Unseen = "missing") -> Array:
        """`apply` on the rows that `fit` learns from."""
        table = as_table(table, self.columns)
        return self.apply(table, self.fit(table, unseen))

    def evaluate(self, columns: Mapping[str, NDArray]) -> Array:
        """The value on arrays of any one shape, for formulas of numbers that learn nothing.

        Examples
        --------
        >>> parse("(a / 2)").evaluate({"a": np.array([[1.0, 2.0]])})
        array([[0.5, 1. ]])
        """

        def column(name: str) -> Column:
            if name not in columns:
                raise ValueError(unknown_column(name, list(columns)))
            return Column(name, "numeric", np.asarray(columns[name], dtype=np.float64))

        return Evaluator(column, State()).numbers(self)

    def to_sql(self, state: State | None = None) -> str:
        """The feature as one SQL expression (DuckDB's dialect), with what was learned written into it.

        Missing is NULL; so are infinite numbers, the words that `covey.read` takes as missing (such as ``?``), and a
        word where the formula needs a number. It is for columns of numbers, BOOLEAN, text, DATE, TIMESTAMP and TIME,
        and for numbers and dates that are stored as text. All values of an INTERVAL column would be NULL: select its
        seconds first, ``epoch(column)``.

        Raises
        ------
        ValueError
            If the formula learns from training rows and `state` does not have it, or an operator has no SQL.

        Examples
        --------
        >>> parse("log((a / b))").to_sql()[:36]
        'CASE WHEN CASE WHEN CASE WHEN isfini'
        """
        return _Sql(State() if state is None else state).value(self)

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON knows it; `Expression.from_dict` reads it."""
        raise NotImplementedError

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Expression:
        """The expression of a tree that `to_dict` made.

        Raises
        ------
        ValueError
            If the tree is none, or has an unknown operator.

        Examples
        --------
        >>> str(Expression.from_dict({"operator": "log", "arguments": [{"column": "x"}]}))
        'log(x)'
        """
        if "column" in data:
            return Variable(str(data["column"]))
        if "number" in data:
            return Number(float(data["number"]))
        if "operator" not in data:
            raise ValueError(f"an expression has a column, a number or an operator, not {sorted(data)}")
        arguments = [Expression.from_dict(item) for item in data.get("arguments", ())]
        return call(data["operator"], *arguments, parameters=tuple(data.get("parameters", ())))


@dataclass(frozen=True, eq=False, repr=False)
class Variable(Expression):
    """A column.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> print(Variable("age") / Variable("hours per week"))
    (age / "hours per week")
    """

    name: str

    def _write(self) -> str:
        if _PLAIN.fullmatch(self.name) and self.name != "by":
            return self.name
        return '"' + self.name.replace('"', '""') + '"'

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"column": self.name}


@dataclass(frozen=True, eq=False, repr=False)
class Number(Expression):
    """A constant.

    Parameters
    ----------
    value : float
        Finite.

    Examples
    --------
    >>> print(Variable("age") - Number(18.0), Number(0.5).kind)
    (age - 18) numeric
    """

    value: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ValueError(f"a number in an expression must be finite, not {self.value}")

    @property
    def kind(self) -> Kind:
        """Always numeric."""
        return "numeric"

    def _write(self) -> str:
        value = float(self.value)
        return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"number": float(self.value)}


@dataclass(frozen=True, eq=False, repr=False)
class Call(Expression):
    """An operator on expressions; make it with `call`, which checks it.

    Parameters
    ----------
    operator : str
    given : tuple of Expression
        Its arguments.
    parameters : tuple of int

    Examples
    --------
    >>> mean = call("mean by", "pay", "city")
    >>> type(mean).__name__, str(mean), mean.learns
    ('Call', 'mean(pay by city)', True)
    """

    operator: str
    given: tuple[Expression, ...]
    parameters: tuple[int, ...] = ()

    @property
    def arguments(self) -> tuple[Expression, ...]:
        """The expressions that the operator is applied to."""
        return self.given

    @property
    def definition(self) -> Operator:
        """The operator."""
        return get_operator(self.operator)

    @property
    def kind(self) -> Kind:
        """Kind of the result."""
        return self.definition.result

    @cached_property
    def max_lag(self) -> int:
        """Its own lag and the largest of its arguments."""
        return self.definition.lag(*self.parameters) + max((e.max_lag for e in self.given), default=0)

    @cached_property
    def row_wise(self) -> bool:
        """Whether the operator and all arguments are."""
        return self.definition.row_wise and all(e.row_wise for e in self.given)

    def _write(self) -> str:
        operator, parts = self.definition, [str(e) for e in self.given]
        if operator.is_symbol:
            return f"({parts[0]} {operator.name} {parts[1]})"
        if operator.is_grouped:
            return f"{operator.name.removesuffix(' by')}({parts[0]} by {parts[1]})"
        return f"{'_'.join([operator.name, *map(str, self.parameters)])}({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        found: dict[str, Any] = {"operator": self.operator, "arguments": [e.to_dict() for e in self.given]}
        return found | ({"parameters": list(self.parameters)} if self.parameters else {})


def call(operator: str, *arguments: Expression | str | float, parameters: Sequence[int] = ()) -> Call:
    """An operator applied to expressions, column names or numbers.

    Raises
    ------
    ValueError
        If there is no such operator, or it does not take these arguments or parameters.

    Examples
    --------
    >>> str(call("combine", "city", "sex")), call("combine", "city", "sex").kind
    ('combine(city, sex)', 'categorical')
    """
    definition = get_operator(operator)
    given = tuple(_as_expression(argument) for argument in arguments)
    if len(given) != len(definition.arguments):
        raise ValueError(f"{operator!r} takes {len(definition.arguments)} arguments, not {len(given)}")
    if len(parameters) != definition.n_parameters:
        raise ValueError(f"{operator!r} takes {definition.n_parameters} parameters, not {len(parameters)}")
    if any(p != int(p) or p < 0 for p in parameters):
        raise ValueError(f"parameters of {operator!r} must be whole numbers from 0, got {tuple(parameters)}")
    for argument, wanted in zip(given, definition.arguments):
        if wanted == "numeric" and argument.kind == "categorical":
            raise ValueError(f"{operator!r} needs a number, but {argument} is a category")
    return Call(operator, given, tuple(int(p) for p in parameters))


def _as_expression(value: Expression | str | float) -> Expression:
    if isinstance(value, Expression):
        return value
    return Variable(value) if isinstance(value, str) else Number(float(value))


# parsing ------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<quoted>\"(?:[^\"]|\"\")*\")"
    r"|(?P<word>[^\W\d]\w*)|(?P<symbol>[^\s\w\"]))"
)
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2}


def parse(text: str) -> Expression:
    """The expression that `text` says: the inverse of ``str``.

    Columns are written as they are, or in double quotes when they are no plain names; ``+ - * /`` bind as in
    arithmetic; ``name(value by group)`` is a statistic within groups; ``name_5(x)`` has the parameter 5.

    Raises
    ------
    ValueError
        If the text is none; the message says where.

    Examples
    --------
    >>> parse('a + 2 * mean("weekly hours" by city)')
    Call('(a + (2 * mean("weekly hours" by city)))')
    >>> parse("log(a")
    Traceback (most recent call last):
    ValueError: cannot parse 'log(a': expected ')' at position 6 (the end)
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"an expression is parsed from text, not {type(text).__name__}")
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error("a quote that does not end", len(text[:position]) + 1 if position else 1)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind) + 1))
            position = match.end()
        self.tokens.append(("end", "the end", len(text.rstrip()) + 1))
        self.next = 0

    def error(self, problem: str, position: int) -> ValueError:
        return ValueError(f"cannot parse {self.text!r}: {problem} at position {position}")

    def expected(self, what: str) -> ValueError:
        kind, word, position = self.tokens[self.next]
        return ValueError(
            f"cannot parse {self.text!r}: expected {what} at position {position} "
            f"({word if kind == 'end' else repr(word)})"
        )

    def whole(self) -> Expression:
        try:
            found = self.sum()
        except RecursionError:
            raise ValueError(f"cannot parse {self.text[:60]!r}...: it is nested too deeply") from None
        if self.tokens[self.next][0] != "end":
            raise self.expected("an operator or the end")
        return found

    def sum(self, least: int = 1) -> Expression:
        left = self.atom()
        while _BINDS.get(self.peek(), 0) >= least:
            symbol, position = self.peek(), self.tokens[self.next][2]
            self.next += 1
            left = self.checked(symbol, (left, self.sum(_BINDS[symbol] + 1)), (), position)
        return left

    def atom(self) -> Expression:
        kind, word, position = self.tokens[self.next]
        if kind == "number":
            self.next += 1
            return self.constant(float(word), position)
        if word == "-" and self.tokens[self.next + 1][0] == "number":
            self.next += 2
            return self.constant(-float(self.tokens[self.next - 1][1]), position)
        if word == "(":
            self.next += 1
            found = self.sum()
            self.take(")")
            return found
        if kind == "quoted":
            self.next += 1
            return Variable(word[1:-1].replace('""', '"'))
        if kind != "word" or word == "by":
            raise self.expected("a column, a number or an operator")
        self.next += 1
        return self.called(word, position) if self.peek() == "(" else Variable(word)

    def constant(self, value: float, position: int) -> Number:
        if not np.isfinite(value):
            raise self.error("a number that is too large", position)
        return Number(value)

    def called(self, name: str, position: int) -> Expression:
        self.take("(")
        arguments = [self.sum()]
        grouped = self.tokens[self.next][:2] == ("word", "by")
        if grouped:
            self.next += 1
            arguments.append(self.sum())
        while not grouped and self.peek() == ",":
            self.next += 1
            arguments.append(self.sum())
        self.take(")")
        if grouped:
            return self.checked(f"{name} by", arguments, (), position)
        parameters: list[int] = []
        while name not in _OPERATORS and (match := re.fullmatch(r"(.+)_(\d+)", name)):
            name, parameters = match[1], [int(match[2]), *parameters]
        return self.checked(name, arguments, parameters, position)

    def checked(
        self, operator: str, arguments: Iterable[Expression], parameters: Sequence[int], position: int
    ) -> Expression:
        try:
            return call(operator, *arguments, parameters=parameters)
        except ValueError as error:
            raise self.error(str(error), position) from None

    def peek(self) -> str:
        kind, word, _ = self.tokens[self.next]
        return word if kind == "symbol" else ""

    def take(self, symbol: str) -> None:
        if self.peek() != symbol:
            raise self.expected(repr(symbol))
        self.next += 1


# evaluation ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class State:
    """What expressions have learned from training rows.

    Parameters
    ----------
    kinds : dict of str to {"numeric", "datetime", "categorical"}
        How each column was read.
    learned : dict of str to object
        By the text of the expression that learned it.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    learned: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"kinds": dict(self.kinds), "learned": {text: item.to_dict() for text, item in self.learned.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> State:
        """From `to_dict`.

        Examples
        --------
        >>> state = parse("freq(city)").fit({"city": ["a", "b", "a", "a"]})
        >>> State.from_dict(state.to_dict()).learned["freq(city)"].values
        array([0.75, 0.25])
        """
        return cls(dict(data["kinds"]), {text: _learned(text, item) for text, item in data["learned"].items()})


def _learned(text: str, item: Mapping[str, Any]) -> Any:
    if text.startswith(_LEVELS):
        return Lookup.from_dict(item)
    expression = parse(text)
    assert isinstance(expression, Call)
    return expression.definition.learned.from_dict(item)


def as_table(source: Any, columns: Sequence[str], kinds: Mapping[str, str] | None = None) -> FeatureTable:
    """A table that has the columns, typed as they were when an expression was fitted.

    Parameters
    ----------
    source : FeatureTable, or anything that `covey.read` takes
    columns : sequence of str
    kinds : mapping of str to {"numeric", "datetime", "categorical"}, optional
        How each column was read in training; a few new rows cannot tell.

    Raises
    ------
    ValueError
        If columns are missing; all are named.

    Examples
    --------
    >>> as_table({"a": [1.0], "b": ["1"]}, ["b"], {"b": "categorical"}).kinds
    ('numeric', 'categorical')
    """
    wanted = dict(kinds or {})
    if not isinstance(source, FeatureTable):
        names = _source_names(source)
        source = read(source, kinds=wanted if names is None else {n: k for n, k in wanted.items() if n in names})
    absent = [name for name in columns if name not in source]
    if absent:
        raise ValueError(f"columns {', '.join(map(repr, absent))} are missing; columns are {', '.join(source.names)}")
    return read(source, kinds={n: k for n, k in wanted.items() if n in source and _is_other(source[n], k)})


def _is_other(column: Column, kind: str) -> bool:
    """Whether a column would be read as words where it was numbers, or the other way round."""
    words = column.categories is not None and _truth(column) is None
    return words == (kind != "categorical") and bool((~column.missing).any())


def _source_names(source: Any) -> set[str] | None:
    """Names of the columns of a source, where they can be told without reading it."""
    if isinstance(source, Mapping):
        return {str(name) for name in source}
    if isinstance(source, np.ndarray) and source.ndim == 2 and source.dtype.names is None:
        return {f"x{k}" for k in range(source.shape[1])}
    names = getattr(source, "column_names", None) or getattr(source, "columns", None)
    return None if names is None or callable(names) else {str(name).strip() for name in names}


def _truth(column: Column) -> Array | None:
    """Numbers of the labels of a boolean of 0 and 1; None for words."""
    labels = column.categories
    if labels is None or column.kind not in ("boolean", "constant") or not set(labels) <= set(_TRUTH):
        return None
    return np.array([_TRUTH[label] for label in labels], dtype=np.float64)


class Evaluator:
    """Values of many expressions on one table; groups, columns and shared parts are made once.

    Parameters
    ----------
    column : callable (name) -> Column
        Such as the method `column` of a FeatureTable.
    state : State
        What was learned; `learn` adds to it.
    shared : collection of Expression
        Parts whose values are kept because several expressions need them.
    """

    def __init__(self, column: Callable[[str], Column], state: State, shared: Iterable[Expression] = ()) -> None:
        self.column = column
        self.state = state
        self.shared = frozenset(shared)
        self._numbers: dict[Expression, Array] = {}
        self._groups: dict[Expression, Groups] = {}

    def rows(self, rows: NDArray | slice, state: State) -> Evaluator:
        """An evaluator of some of the rows, which names its groups as this one does."""
        return SomeRows(self, rows, state)

    def learn(self, expression: Expression, unseen: Unseen = "missing") -> None:
        """Fit every operator in the expression that learns and has not learned yet."""
        for part in expression.walk():
            if isinstance(part, Variable) and part.name not in self.state.kinds:
                self.state.kinds[part.name] = _read_as(self.column(part.name))
            if not isinstance(part, Call) or part.definition.fit is None or part.text in self.state.learned:
                continue
            found = part.definition.fit(unseen, *self._arguments(part), *part.parameters)
            self.state.learned[part.text] = found
        if self._is_category(expression):
            self.state.learned[_LEVELS + expression.text] = levels(self.groups(expression))

    def value(self, expression: Expression) -> Array:
        """The feature as numbers; a category as its position among those of the training rows."""
        if self._is_category(expression):
            return _learned_by(self.state, _LEVELS + expression.text)(self.groups(expression))
        return self.numbers(expression)

    def _is_category(self, expression: Expression) -> bool:
        if not isinstance(expression, Variable):
            return expression.kind == "categorical"
        kind = self.state.kinds.get(expression.name) or _read_as(self.column(expression.name))
        return kind == "categorical"

    def numbers(self, expression: Expression) -> Array:
        """A numeric expression, shape (n_rows,)."""
        found = self._numbers.get(expression)
        if found is None:
            found = self._make_numbers(expression)
            if isinstance(expression, Variable) or expression in self.shared:
                self._numbers[expression] = found
        return found

    def _make_numbers(self, expression: Expression) -> Array:
        if isinstance(expression, Number):
            return np.float64(expression.value)  # type: ignore[return-value]
        if isinstance(expression, Variable):
            return self._column(expression)
        assert isinstance(expression, Call)
        with np.errstate(all="ignore"):
            found = np.asarray(self._applied(expression), dtype=np.float64)
        bad = ~np.isfinite(found)
        return np.where(bad, np.nan, found) if bad.any() else found

    def _column(self, variable: Variable) -> Array:
        column = self.column(variable.name)
        if not column.is_coded:
            return column.values
        truth = _truth(column)
        if truth is None:
            if not column.categories:
                return np.full(len(column.values), np.nan)
            raise ValueError(f"column {variable.name!r} holds categories, not numbers")
        return np.append(truth, np.nan)[column.values]

    def groups(self, expression: Expression) -> Groups:
        """Any expression as groups."""
        found = self._groups.get(expression)
        if found is None:
            found = self._groups[expression] = self._make_groups(expression)
        return found

    def _make_groups(self, expression: Expression) -> Groups:
        if expression.kind == "categorical":
            assert isinstance(expression, Call)
            return self._applied(expression)
        if isinstance(expression, Variable):
            column = self.column(expression.name)
            if _read_as(column) == "categorical":
                labels = np.array(column.categories, dtype=object)
                return _sorted(Groups(column.values.astype(np.int64), (labels,)))
        return groups_of_numbers(self.numbers(expression))

    def _arguments(self, expression: Call) -> list[Any]:
        kinds = expression.definition.arguments
        return [self.numbers(e) if k == "numeric" else self.groups(e) for e, k in zip(expression.given, kinds)]

    def _applied(self, expression: Call) -> Any:
        definition = expression.definition
        learned = [] if definition.fit is None else [_learned_by(self.state, expression.text)]
        return definition.apply(*learned, *self._arguments(expression), *expression.parameters)


class SomeRows(Evaluator):
    """Rows of another evaluator."""

    def __init__(self, whole: Evaluator, rows: NDArray | slice, state: State) -> None:
        super().__init__(whole.column, state, whole.shared)
        self._whole, self._rows = whole, rows

    def _column(self, variable: Variable) -> Array:
        return self._whole.numbers(variable)[self._rows]

    def _make_groups(self, expression: Expression) -> Groups:
        if not expression.learns:
            return self._whole.groups(expression).take(self._rows)
        return super()._make_groups(expression)


def _read_as(column: Column) -> str:
    if column.kind == "datetime":
        return "datetime"
    return "categorical" if column.is_coded and _truth(column) is None else "numeric"


def _sorted(groups: Groups) -> Groups:
    """Groups of one key, in its order."""
    (key,) = groups.keys
    order = np.argsort(key, kind="stable")
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(order)), -1
    return Groups(place[groups.codes], (key[order],))


def _learned_by(state: State, text: str) -> Any:
    if text not in state.learned:
        raise ValueError(f"{text.removeprefix(_LEVELS)} learns from training rows; fit it and give its state")
    return state.learned[text]


def fit_expressions(expressions: Sequence[Expression], table: Any, unseen: Unseen = "missing") -> State:
    """Learn what the expressions need of training rows: statistics of groups, frequencies, categories.

    Parameters
    ----------
    expressions : sequence of Expression
    table : FeatureTable, or anything that `covey.read` takes
        Training rows.
    unseen : {"missing", "global"}
        What a statistic within groups is where the training rows do not have the group, or only in rows without a
        value: missing, or the statistic of all training rows. A frequency is then 0.

    Returns
    -------
    State

    Raises
    ------
    ValueError
        If columns are missing, or a column of words is used as a number.

    Examples
    --------
    >>> state = fit_expressions([parse("freq(city)")], {"city": ["a", "b", "a", "a"]})
    >>> apply_expressions([parse("freq(city)")], {"city": ["b", "z", None]}, state).tolist()
    [[0.25], [0.0], [nan]]
    """
    if unseen not in ("missing", "global"):
        raise ValueError(f"unseen must be 'missing' or 'global', not {unseen!r}")
    evaluator = Evaluator(as_table(table, _columns(expressions)).column, State(), _shared(expressions))
    for expression in expressions:
        evaluator.learn(expression, unseen)
    return evaluator.state


def apply_expressions(expressions: Sequence[Expression], table: Any, state: State) -> Array:
    """Features of new rows; what was learned from training rows is not learned again.

    Parameters
    ----------
    expressions : sequence of Expression
    table : FeatureTable, or anything that `covey.read` takes
    state : State
        Of `fit_expressions`.

    Returns
    -------
    ndarray of shape (n_rows, n_expressions), float64
        NaN for missing; a category is its position among those of the training rows, NaN if it is none of them.

    Raises
    ------
    ValueError
        If columns are missing, or something has not been learned.

    Examples
    --------
    >>> apply_expressions([parse("a / b"), parse("log(b)")], {"a": [1.0, 2.0], "b": [2.0, 0.0]}, State()).tolist()
    [[0.5, 0.6931471805599453], [nan, nan]]
    """
    table = as_table(table, _columns(expressions), state.kinds)
    evaluator = Evaluator(table.column, state, _shared(expressions))
    out = np.empty((table.n_rows, len(expressions)), order="F")
    for j, expression in enumerate(expressions):
        out[:, j] = evaluator.value(expression)
    return out


def _columns(expressions: Sequence[Expression]) -> list[str]:
    return list(dict.fromkeys(name for expression in expressions for name in expression.columns))


def _shared(expressions: Sequence[Expression]) -> list[Expression]:
    """Calls that are part of more than one expression, or more than once of one."""
    times = Counter(part for expression in expressions for part in expression.walk() if isinstance(part, Call))
    return [part for part, n in times.items() if n > 1]


def sql_of(expression: Expression, state: State, called: Mapping[str, str]) -> str:
    """`Expression.to_sql` where the query's table calls columns otherwise than the expression does."""
    return _Sql(state, called).value(expression)


class _Sql:
    """SQL of expressions."""

    def __init__(self, state: State, called: Mapping[str, str] | None = None) -> None:
        self.state = state
        self.called = {} if called is None else called

    def value(self, expression: Expression) -> str:
        is_word = isinstance(expression, Variable) and self.state.kinds.get(expression.name) == "categorical"
        if is_word or expression.kind == "categorical":
            return _learned_by(self.state, _LEVELS + expression.text).sql(self.keys(expression))
        return self.number(expression)

    def number(self, expression: Expression) -> str:
        if isinstance(expression, Number):
            return number(expression.value)
        if isinstance(expression, Variable):
            return self.source(expression)
        return self.applied(expression)

    def keys(self, expression: Expression) -> tuple[str, ...]:
        if expression.kind == "categorical":
            return self.applied(expression)
        if isinstance(expression, Variable) and self.state.kinds.get(expression.name) == "categorical":
            return (self.word(expression),)
        return (self.number(expression),)

    def column(self, variable: Variable) -> str:
        return identifier(self.called.get(variable.name, variable.name))

    def source(self, variable: Variable) -> str:
        """A column as the table reads numbers, and dates and times in seconds."""
        name = self.column(variable)
        if self.state.kinds.get(variable.name) == "datetime":
            times = (f"epoch(TRY_CAST({name} AS {kind}))" for kind in ("TIMESTAMP", "TIME"))
            return f"CAST(coalesce({', '.join(times)}) AS DOUBLE)"
        value = f"TRY_CAST({name} AS DOUBLE)"
        return f"CASE WHEN isfinite({value}) THEN {value} END"

    def word(self, variable: Variable) -> str:
        """A column as the table reads words."""
        value = f"trim(CAST({self.column(variable)} AS VARCHAR))"
        return f"CASE WHEN {value} NOT IN ({', '.join(map(text_literal, MISSING))}) THEN {value} END"

    def applied(self, expression: Expression) -> Any:
        assert isinstance(expression, Call)
        definition = expression.definition
        if definition.sql is None:
            raise ValueError(f"operator {definition.name!r} has no SQL")
        learned = [] if definition.fit is None else [_learned_by(self.state, expression.text)]
        kinds = zip(expression.given, definition.arguments)
        arguments = [self.number(e) if kind == "numeric" else self.keys(e) for e, kind in kinds]
        return definition.sql(*learned, *arguments, *expression.parameters)


def identifier(name: str) -> str:
    """A name in the quotes of SQL."""
    return '"' + name.replace('"', '""') + '"'
