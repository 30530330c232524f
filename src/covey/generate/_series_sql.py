"""Formulas over series as a query with window functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covey.generate._series_plan import WINDOWED
from covey.generate.expression import Call, Expression, Number, Variable


def query(
    formulas: Sequence[Expression], series: Sequence[str], table: str, order_by: str, partition_by: str | None
) -> str:
    """One SELECT for each order of windows inside windows, which SQL does not allow in one."""
    parts = [Variable(name) for name in series] + [part for formula in formulas for part in formula.walk()]
    given = [name for name in (partition_by, order_by) if name is not None]
    mark = "f"
    while any(re.fullmatch(rf"{mark}\d+", name, re.IGNORECASE) for name in given):
        mark += "f"  # keys keep their names
    nodes = {part: f"{mark}{i}" for i, part in enumerate(dict.fromkeys(e for e in parts if not isinstance(e, Number)))}
    order = _Order({}, nodes)
    keys = [_quoted(name) for name in given]
    columns = [f"CAST({_quoted(name)} AS DOUBLE) AS {nodes[Variable(name)]}" for name in series]
    lines = [f"stage_0 AS (SELECT {', '.join(keys + columns)} FROM {_quoted(table)})"]
    grouped = f"PARTITION BY {keys[0]} " if partition_by is not None else ""
    inner = {e for part in nodes for e in part.arguments if order.of(e) < order.of(part)}
    wanted = inner | set(formulas)
    needed = [part for part in nodes if isinstance(part, Call) and part in wanted]
    for stage in range(max(map(order.of, nodes)) + 1):
        made = [f"{order.sql(part, stage)} AS {nodes[part]}" for part in needed if order.of(part) == stage]
        if made:
            window = f" WINDOW w AS ({grouped}ORDER BY {keys[-1]})" if stage else ""
            lines.append(f"stage_{len(lines)} AS (SELECT *, {', '.join(made)} FROM stage_{len(lines) - 1}{window})")
    out = [f"{nodes[formula]} AS {_quoted(str(formula))}" for formula in formulas]
    last = f"SELECT {', '.join(keys + out)} FROM stage_{len(lines) - 1} ORDER BY {', '.join(keys)}"
    return "WITH\n" + ",\n".join(lines) + "\n" + last


@dataclass
class _Order:
    """How many windows are one inside the other in each formula, and its SQL at its stage."""

    known: dict[Expression, int]
    nodes: Mapping[Expression, str]

    def of(self, part: Expression) -> int:
        if part not in self.known:
            inner = max((self.of(e) for e in part.arguments), default=0)
            self.known[part] = inner + int(isinstance(part, Call) and part.operator in WINDOWED)
        return self.known[part]

    def sql(self, part: Expression, stage: int) -> str:
        """Text in which formulas of earlier stages are columns."""
        if isinstance(part, Number):
            return part.to_sql()
        if not isinstance(part, Call) or self.of(part) < stage:
            return self.nodes[part]
        given = [self.sql(e, stage) for e in part.arguments]
        if part.operator in WINDOWED:
            return _window_sql(part.operator, given[0], part.parameters[0])
        if part.definition.sql is None:
            raise ValueError(f"operator {part.operator!r} has no SQL")
        return part.definition.sql(*given, *part.parameters)


def _window_sql(operator: str, x: str, k: int) -> str:
    if operator in ("diff", "shift"):
        before = f"lag({x}, {k}) OVER w"
        return before if operator == "shift" else f"({x} - {before})"
    rows = f"OVER (w ROWS BETWEEN {k - 1} PRECEDING AND CURRENT ROW)"
    return f"CASE WHEN count({x}) {rows} = {k} THEN {'avg' if operator == 'win' else 'sum'}({x}) {rows} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
