"""`associate`: one measure over every pair of columns of any source."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine, resolve
from covey.measure._coding import MAX_LEVELS
from covey.measure._matrix import CONSTANT, FEW_ROWS, IDENTIFIER, OK, WRONG_KINDS, AssociationMatrix
from covey.measure._measure import Measure, PairStatistics, get
from covey.measure._store import ColumnStore
from covey.measure._tables import TableKernel
from covey.table import BlockSource, Column, FeatureTable, read

_UNUSABLE = {"constant": CONSTANT, "text": IDENTIFIER, "id": IDENTIFIER}


def associate(
    source: Any,
    other: Any = None,
    *,
    measure: str | Measure = "auto",
    target: str | None = None,
    pvalues: bool = True,
    engine: Engine | str | None = None,
) -> AssociationMatrix:
    """Association of every pair of columns of a table, or of the columns of two tables.

    Parameters
    ----------
    source : path, dataframe, array, FeatureTable, BlockSource, ...
        Anything that `covey.read` takes. A `covey.iter_blocks(...)` source is streamed in constant memory, for measures
        that are sums over rows.
    other : optional
        A second table with the same rows: associations of its columns with those of `source`.
    measure : str or Measure, default="auto"
        One of `covey.measures()`. ``"auto"`` is one comparable strength in 0..1 for every pair of kinds; see
        `covey.measure.auto.auto` for why it was chosen.
    target : str, optional
        Name of a column: only its associations with all others, as a matrix of one column.
    pvalues : bool, default=True
        Whether to test each pair for independence.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.

    Returns
    -------
    AssociationMatrix
        Of shape (n_features, n_features), or (n_features, 1) with a target, or (n_features, n_others).

    Raises
    ------
    ValueError
        If the measure or the target is unknown, both `other` and `target` are given, or the two tables differ in rows.

    Examples
    --------
    >>> import covey
    >>> matrix = covey.associate("covey:adult", measure="auto")
    >>> [(left, right) for left, right, strength in matrix.top(2)]
    [('marital-status', 'relationship'), ('education', 'education-num')]
    """
    chosen, engine = get(measure), resolve(engine)
    start = time.perf_counter()
    if isinstance(source, BlockSource):
        from covey.measure._stream import associate_blocks

        if other is not None:
            raise ValueError("two tables cannot be streamed; read them with covey.read first")
        return associate_blocks(source, chosen, target, pvalues, engine)
    table = read(source)
    columns, rows, cols = _sides(table, other, target)
    plan = PairPlan.of(columns, rows, cols, chosen, square=other is None and target is None)
    store = ColumnStore(columns)
    stats = chosen.kernel(store, plan.left, plan.right, engine, pvalues) if len(plan.left) else None
    return plan.matrix(
        chosen,
        stats,
        _common_rows(columns, rows, cols) if plan.excluded.any() else None,
        {
            "rows": table.n_rows,
            "seconds": time.perf_counter() - start,
            "engine": repr(engine),
            "notes": [note.message for note in table.notes] + pooled_notes(columns, chosen),
        },
    )


def _sides(table: FeatureTable, other: Any, target: str | None) -> tuple[list[Column], list[int], list[int]]:
    """(all columns, positions of the row features, positions of the column features)."""
    columns = table.columns()
    if other is not None:
        if target is not None:
            raise ValueError("give either a second table or a target, not both")
        second = read(other)
        if second.n_rows != table.n_rows:
            raise ValueError(
                f"the tables have {table.n_rows} and {second.n_rows} rows; "
                "both must hold the same rows in the same order"
            )
        return (
            columns + second.columns(),
            list(range(len(columns))),
            list(range(len(columns), len(columns) + second.n_columns)),
        )
    return columns, *select_sides(table, target)


def select_sides(table: FeatureTable, target: str | None) -> tuple[list[int], list[int]]:
    """Positions of the row features and of the column features of one table."""
    everything = list(range(table.n_columns))
    if target is None:
        return everything, everything
    table.column(target)
    position = table.names.index(target)
    return [k for k in everything if k != position], [position]


class PairPlan:
    """Which pairs of columns a measure computes, and how their results become a matrix."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Sequence[int],
        cols: Sequence[int],
        reasons: NDArray[np.uint8],
        square: bool,
        symmetric: bool,
    ) -> None:
        self.columns, self.rows, self.cols = columns, rows, cols
        self.reasons, self.square, self.symmetric = reasons, square, symmetric
        wanted = reasons == OK
        if square and symmetric:
            wanted = np.triu(wanted)
        self.i, self.j = np.nonzero(wanted)
        self.left = np.asarray(rows, dtype=np.intp)[self.i]
        self.right = np.asarray(cols, dtype=np.intp)[self.j]

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        rows: Sequence[int],
        cols: Sequence[int],
        measure: Measure,
        square: bool,
    ) -> PairPlan:
        """Plan `measure` over the pairs of `rows` and `cols`."""
        kinds = sorted({c.kind for c in columns})
        table = {(a, b): _reason(a, b, measure) for a in kinds for b in kinds}
        reasons = np.array(
            [[table[columns[i].kind, columns[j].kind] for j in cols] for i in rows], dtype=np.uint8
        ).reshape(len(rows), len(cols))
        return cls(columns, rows, cols, reasons, square, measure.symmetric)

    @property
    def excluded(self) -> NDArray[np.bool_]:
        """Mask of the pairs that no kernel sees."""
        return self.reasons != OK

    def spread(self, values: NDArray | None, fill: float, dtype: type) -> NDArray | None:
        """Values of the computed pairs as a matrix."""
        if values is None:
            return None
        out: NDArray = np.full(self.reasons.shape, fill, dtype=dtype)
        out[self.i, self.j] = values
        if self.square and self.symmetric:
            out[self.j, self.i] = values
        return out

    def matrix(
        self,
        measure: Measure,
        stats: PairStatistics | None,
        common: NDArray[np.int64] | None,
        info: dict[str, Any],
    ) -> AssociationMatrix:
        """The result object."""
        if stats is None:
            empty = np.full(0, np.nan)
            stats = PairStatistics(empty, np.zeros(0, dtype=np.int64), empty)
        values = self.spread(stats.values, np.nan, np.float64)
        n = self.spread(stats.n, 0, np.int64)
        pvalues = self.spread(stats.pvalues, np.nan, np.float64)
        assert values is not None and n is not None
        if common is not None:
            n[self.excluded] = common[self.excluded]
        if self.square and pvalues is not None:
            np.fill_diagonal(pvalues, np.nan)
        reasons = self.reasons.copy()
        for i, j in zip(*np.nonzero(np.isnan(values) & (reasons == OK))):
            few = n[i, j] < 3 or _both_vary(self.columns[self.rows[i]], self.columns[self.cols[j]])
            reasons[i, j] = FEW_ROWS if few else CONSTANT
        return AssociationMatrix(
            measure=measure.name,
            rows=tuple(self.columns[k].name for k in self.rows),
            columns=tuple(self.columns[k].name for k in self.cols),
            row_kinds=tuple(self.columns[k].kind for k in self.rows),
            column_kinds=tuple(self.columns[k].kind for k in self.cols),
            values=values,
            n=n,
            reasons=reasons,
            pvalues=pvalues,
            sign=self.spread(stats.sign, 0, np.int8),
            error_bound=self.spread(stats.error_bound, np.nan, np.float64),
            symmetric=measure.symmetric,
            two_sets=not self.square,
            info=info,
        )


def _reason(left: str, right: str, measure: Measure) -> int:
    for kind in (left, right):
        if kind in _UNUSABLE:
            return _UNUSABLE[kind]
    return OK if measure.accepts(left, right) else WRONG_KINDS


def pooled_notes(columns: Sequence[Column], measure: Measure) -> list[str]:
    """One sentence for each column of more categories than a joint table has levels."""
    if not isinstance(measure.kernel, TableKernel):
        return []
    return [
        f"{c.name}: the rarest {len(c.categories) - MAX_LEVELS + 1} of {len(c.categories)} categories count as one"
        for c in columns
        if c.categories is not None and c.kind not in _UNUSABLE and len(c.categories) > MAX_LEVELS
    ]


def _both_vary(left: Column, right: Column) -> bool:
    """True when neither column is constant on the rows where both are present."""
    both = ~(left.missing | right.missing)
    return all(np.any(c.values[both] != c.values[both][:1]) for c in (left, right))


def _common_rows(columns: Sequence[Column], rows: Sequence[int], cols: Sequence[int]) -> NDArray[np.int64]:
    """Number of rows where both columns are present, for every pair."""
    present = np.stack([~c.missing for c in columns]).astype(np.float32)
    total = np.zeros((len(rows), len(cols)))
    for start in range(0, present.shape[1], 1 << 20):  # float32 counts exactly up to 2^24
        block = present[:, start : start + (1 << 20)]
        total += block[list(rows)] @ block[list(cols)].T
    return np.rint(total).astype(np.int64)
