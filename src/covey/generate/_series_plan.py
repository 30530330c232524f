"""Running formulas over series: whole columns, node after node, and one row at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.generate._causal import DIFFERENCE, MEAN, MINUS, OTHER, SHIFT, SQUARE, SUM
from covey.generate.expression import Call, Expression, Number, Variable

Array = NDArray[np.float64]

WINDOWED = ("diff", "shift", "win", "sum")
CODES = {"diff": DIFFERENCE, "shift": SHIFT, "win": MEAN, "sum": SUM, "-": MINUS, "square": SQUARE}


class Plan:
    """Formulas as nodes, each after those that it is made of; columns come first.

    A node is a constant offset and the values less the offset, so that what is common to all values of a column costs
    no digits of what varies.
    """

    def __init__(self, formulas: Sequence[Expression], columns: Sequence[str], origin: Array) -> None:
        self.n_columns = len(columns)
        self.nodes: dict[Expression, int] = {Variable(name): i for i, name in enumerate(columns)}
        for formula in formulas:
            for part in formula.walk():
                if not isinstance(part, Number) and part not in self.nodes:
                    self.nodes[part] = len(self.nodes)
        self.made = [part for part in self.nodes if isinstance(part, Call)]
        self.outputs = np.array([self.nodes[formula] for formula in formulas], dtype=np.intp)
        n = len(self.nodes)
        self.operator, self.size = np.full(n, OTHER), np.zeros(n, dtype=np.int64)
        self.left, self.right = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.offset = np.concatenate([origin, np.zeros(len(self.made))])
        for i, part in enumerate(self.made, self.n_columns):
            self._place(i, part)

    def _place(self, i: int, part: Call) -> None:
        if any(isinstance(e, Number) for e in part.arguments) or part.operator not in CODES:
            return
        self.operator[i] = CODES[part.operator]
        self.left[i], self.right[i] = self.nodes[part.arguments[0]], self.nodes[part.arguments[-1]]
        self.size[i] = part.parameters[0] if part.parameters else 0
        a, b = self.offset[self.left[i]], self.offset[self.right[i]]
        offsets = {MINUS: a - b, SQUARE: a * a, SUM: a * self.size[i], DIFFERENCE: 0.0}
        self.offset[i] = offsets.get(self.operator[i], a)

    def other(self, part: Call, values: Sequence[Array] | Array) -> Array:
        """An operator that has no kernel."""
        arguments = [
            np.float64(e.value) if isinstance(e, Number) else values[self.nodes[e]] + self.offset[self.nodes[e]]
            for e in part.arguments
        ]
        with np.errstate(all="ignore"):
            found = np.asarray(part.definition.apply(*arguments, *part.parameters), dtype=np.float64)
        return np.where(np.isfinite(found), found, np.nan)

    def run(self, series: Array, out: Array) -> None:
        """Values of the outputs less their offsets, (n_outputs, n_rows), of series of shape (n_columns, n_rows)."""
        from covey.generate import _series_kernels as kernels

        target = {int(node): row for row, node in enumerate(self.outputs)}
        last = self._last_use()
        values: list[Any] = [row - origin for row, origin in zip(series, self.offset, strict=False)]
        for i, part in enumerate(self.made, self.n_columns):
            found = out[target[i]] if i in target else np.empty(series.shape[1])
            operator, x, k = self.operator[i], values[self.left[i]], int(self.size[i])
            if operator == DIFFERENCE:
                kernels.difference(x, k, found)
            elif operator == SHIFT:
                kernels.shift(x, k, found)
            elif operator in (MEAN, SUM):
                kernels.window(x, k, bool(operator == MEAN), found)
            elif operator == MINUS:
                np.subtract(x, values[self.right[i]], out=found)
            elif operator == SQUARE:
                np.multiply(x, 2.0 * self.offset[self.left[i]] + x, out=found)
            else:
                found[:] = self.other(part, values)
            values.append(found)
            for done in last[i]:
                values[done] = None
        for column in range(self.n_columns):
            if column in target:
                out[target[column]] = series[column] - self.offset[column]

    def _last_use(self) -> list[list[int]]:
        """Nodes that no later node needs, by the node after which that is so."""
        last = {}
        for i, part in enumerate(self.made, self.n_columns):
            last.update({self.nodes[e]: i for e in part.arguments if not isinstance(e, Number)})
        out: list[list[int]] = [[] for _ in range(len(self.nodes))]
        for node, user in last.items():
            out[user].append(node)
        return out


class FeatureStream:
    """Features of one run of rows, one row at a time; made by `FeatureProgram.stream`.

    Examples
    --------
    >>> from covey.generate.timeseries import Difference, FeatureProgram, Level
    >>> program = FeatureProgram([Level([Difference(1)])], prune=None).fit(np.arange(4.0)[:, None])
    >>> stream = program.stream()
    >>> stream.update([5.0]).tolist(), stream.update([7.0]).tolist()
    ([5.0, nan], [7.0, 2.0])
    """

    def __init__(self, plan: Plan, hold: int = 0) -> None:
        self._plan, self._hold = plan, hold
        memory = np.zeros(len(plan.nodes), dtype=np.int64)
        back = np.isin(plan.operator, (DIFFERENCE, SHIFT))
        memory[back] = plan.size[back]
        windows = np.isin(plan.operator, (MEAN, SUM))
        memory[windows] = 2 * plan.size[windows] + 1
        self._start = np.concatenate([[0], np.cumsum(memory)[:-1]])
        self._memory = np.full(int(memory.sum()), np.nan)
        self._place = np.zeros(len(memory), dtype=np.int64)
        self._run = np.zeros(len(memory))
        self._values = np.zeros(len(memory))
        first = plan.n_columns
        others = first + np.flatnonzero(plan.operator[first:] == OTHER)
        self._stretches = list(zip([first, *(others + 1)], [*others, len(plan.nodes)], strict=True))
        self.n_rows = 0

    def update(self, row: ArrayLike) -> Array:
        """Features at the next row.

        Parameters
        ----------
        row : array-like of shape (n_series,)
            NaN for missing.

        Returns
        -------
        ndarray of shape (n_features,)

        Raises
        ------
        ValueError
            If the row has another number of series, or infinite values.
        """
        plan = self._plan
        values = np.asarray(row, dtype=np.float64)
        if values.shape != (plan.n_columns,):
            raise ValueError(f"a row must have {plan.n_columns} values, got shape {values.shape}")
        if np.isinf(values).any():
            raise ValueError("the row has infinite values; give NaN for missing")
        for _ in range(1 if self.n_rows else 1 + self._hold):
            self._values[: plan.n_columns] = values - plan.offset[: plan.n_columns]
            self._step()
        self.n_rows += 1
        return self._values[plan.outputs] + plan.offset[plan.outputs]

    def _step(self) -> None:
        from covey.generate._series_kernels import step

        plan = self._plan
        for first, stop in self._stretches:
            step(
                self._values,
                plan.operator,
                plan.size,
                plan.left,
                plan.right,
                plan.offset,
                self._start,
                self._place,
                self._run,
                self._memory,
                first,
                stop,
            )
            if stop < len(plan.nodes):
                self._values[stop] = plan.other(plan.made[stop - plan.n_columns], self._values)
