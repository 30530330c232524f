"""`AssociationMatrix`: what every measure returns and every later room takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covey.table._table import unknown_column

if TYPE_CHECKING:
    import networkx
    import plotly.graph_objects

# Why a value is undefined; index 0 means that it is defined.
REASONS: tuple[str, ...] = (
    "",
    "a column is constant on the rows where both are present",
    "too few rows have both columns present to determine the measure",
    "the measure does not apply to this pair of kinds",
    "a column is an identifier or free text",
    "both are parts of a whole and tied by their sum; the log-ratio measures compare them",
    "the measure compares parts of one whole only",
)
OK, CONSTANT, FEW_ROWS, WRONG_KINDS, IDENTIFIER, TIED_PARTS, NOT_PARTS = range(7)


@dataclass(frozen=True, eq=False)
class AssociationMatrix:
    """Association of every row column with every column column, with its evidence.

    Parameters
    ----------
    measure : str
        Name of the measure.
    rows, columns : tuple of str
        Names of the features; equal for a square matrix.
    row_kinds, column_kinds : tuple of str
    values : ndarray of shape (n_rows, n_columns)
        The measure; NaN where undefined (`reasons` says why). For an asymmetric measure
        ``values[i, j]`` is how well row feature `i` determines column feature `j`.
    n : ndarray of int64, same shape
        Rows used for each pair.
    pvalues : ndarray, same shape, optional
        Probability of a value at least as extreme under independence; NaN on the diagonal and where undefined.
    sign : ndarray of int8, same shape, optional
        Direction where one makes sense (-1, 0, 1), for measures whose values are unsigned strengths.
    reasons : ndarray of uint8, same shape
        Index into `covey.measure.REASONS`; 0 where the value is defined.
    error_bound : ndarray, same shape, optional
        Estimated absolute error of the value when the measure was approximated.
    symmetric : bool
    two_sets : bool
        True when the row features and the column features are two sets, even if names agree.
    info : mapping
        How it was computed: rows, sampling, seconds, versions, method of the p-values, ...

    Examples
    --------
    >>> import numpy as np
    >>> from covey.measure import associate
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> matrix = associate(x, measure="pearson")
    >>> matrix.values.shape
    (3, 3)
    """

    measure: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_kinds: tuple[str, ...]
    column_kinds: tuple[str, ...]
    values: NDArray[np.float64]
    n: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    pvalues: NDArray[np.float64] | None = None
    sign: NDArray[np.int8] | None = None
    error_bound: NDArray[np.float64] | None = None
    symmetric: bool = True
    two_sets: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(number of row features, number of column features)."""
        return len(self.rows), len(self.columns)

    @property
    def is_square(self) -> bool:
        """True when rows and columns are the same features."""
        return not self.two_sets and self.rows == self.columns

    def __getitem__(self, pair: tuple[str, str]) -> float:
        """The value of one pair of names."""
        i, j = self._position(pair[0], self.rows), self._position(pair[1], self.columns)
        return float(self.values[i, j])

    @staticmethod
    def _position(name: str, names: Sequence[str]) -> int:
        if name not in names:
            raise ValueError(unknown_column(name, names))
        return names.index(name)

    def reason(self, row: str, column: str) -> str:
        """Why the value of a pair is undefined, or ``""``."""
        code = self.reasons[self._position(row, self.rows), self._position(column, self.columns)]
        return REASONS[int(code)]

    def select(self, names: Sequence[str]) -> AssociationMatrix:
        """The square matrix of some of the features, in the order given.

        Parameters
        ----------
        names : sequence of str

        Raises
        ------
        ValueError
            If the matrix is not square or has no such feature.

        Examples
        --------
        >>> import numpy as np
        >>> from covey.measure import associate
        >>> matrix = associate(np.random.default_rng(0).normal(size=(50, 3)), measure="pearson")
        >>> matrix.select(["x2", "x0"])["x0", "x2"] == matrix["x0", "x2"]
        True
        """
        self._need_square("select")
        unknown = next((name for name in names if name not in self.rows), None)
        if unknown is not None:
            raise ValueError(unknown_column(unknown, self.rows))
        place = {name: k for k, name in enumerate(self.rows)}
        at = [place[name] for name in names]
        kinds = tuple(self.row_kinds[k] for k in at)
        grid = np.ix_(at, at)
        arrays: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[grid]
            for name in ("values", "n", "reasons", "pvalues", "sign", "error_bound")
        }
        return replace(self, rows=tuple(names), columns=tuple(names), row_kinds=kinds, column_kinds=kinds, **arrays)

    @property
    def strength(self) -> NDArray[np.float64]:
        """Absolute values, NaN as 0; what groups and graphs use. Asymmetric measures: the larger direction."""
        strength = np.abs(np.nan_to_num(self.values))
        if self.is_square and not self.symmetric:
            strength = np.maximum(strength, strength.T)
        return strength

    def qvalues(self, method: str = "bh") -> NDArray[np.float64]:
        """P-values adjusted for the number of pairs (false discovery rate).

        Parameters
        ----------
        method : {"bh", "by"}
            Benjamini-Hochberg, or Benjamini-Yekutieli, which holds under any dependence between pairs.

        Raises
        ------
        ValueError
            If the matrix has no p-values.

        References
        ----------
        Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57; Benjamini and Yekutieli (2001), Ann. Stat. 29.
        """
        from covey.measure._null import false_discovery

        if self.pvalues is None:
            raise ValueError("this matrix has no p-values; compute it with pvalues=True")
        q = np.full(self.shape, np.nan)
        i, j = self._pair_indices()
        q[i, j] = false_discovery(self.pvalues[i, j], method)
        if self.is_square and self.symmetric:
            q[j, i] = q[i, j]
        return q

    def _pair_indices(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        if not self.is_square:
            i, j = np.indices(self.shape)
            return i.ravel(), j.ravel()
        if self.symmetric:
            return np.triu_indices(len(self.rows), 1)
        i, j = np.nonzero(~np.eye(len(self.rows), dtype=bool))
        return i, j

    def to_frame(self) -> Any:
        """Values as a labelled dataframe (pandas if it is installed, else Polars, else a PyArrow table)."""
        from covey.measure._export import square_frame

        return square_frame(self.values, self.rows, self.columns)

    def pairs_table(self) -> dict[str, list[Any] | NDArray]:
        """One entry a pair, strongest first, as a mapping of column name to values.

        Keys: ``left, right, value, strength``, then ``sign, pvalue, qvalue, error_bound`` where present,
        ``n`` and ``reason``. Undefined pairs come last; equal strengths keep the table's order.
        """
        i, j = self._pair_indices()
        value = self.values[i, j]
        order = np.argsort(-np.where(np.isnan(value), -1.0, np.abs(value)), kind="stable")
        i, j, value = i[order], j[order], value[order]
        out: dict[str, list[Any] | NDArray] = {
            "left": [self.rows[k] for k in i],
            "right": [self.columns[k] for k in j],
            "value": value,
            "strength": np.abs(value),
        }
        if self.sign is not None:
            out["sign"] = self.sign[i, j]
        if self.pvalues is not None:
            out["pvalue"] = self.pvalues[i, j]
            out["qvalue"] = self.qvalues()[i, j]
        if self.error_bound is not None:
            out["error_bound"] = self.error_bound[i, j]
        out["n"] = self.n[i, j]
        out["reason"] = [REASONS[code] for code in self.reasons[i, j]]
        return out

    def to_pairs(self) -> Any:
        """One row a pair, strongest first, as a dataframe (see `pairs_table` for the columns)."""
        from covey.measure._export import frame

        return frame(self.pairs_table())

    def top(self, k: int = 10) -> list[tuple[str, str, float]]:
        """The `k` strongest defined pairs as ``(left, right, value)``."""
        table = self.pairs_table()
        rows = zip(table["left"], table["right"], table["value"])
        return [(left, right, float(v)) for left, right, v in rows if v == v][:k]

    def groups(self, threshold: float = 0.5) -> list[list[str]]:
        """Groups of features that hang together at `threshold` (average linkage); singletons are left out.

        See Also
        --------
        covey.structure.feature_groups : with representatives, redundancy and leaf order.
        """
        from covey.measure._cluster import cut

        self._need_square("groups")
        return [[self.rows[k] for k in group] for group in cut(self.strength, threshold) if len(group) > 1]

    def graph(self, threshold: float = 0.3) -> networkx.Graph:
        """Graph of the features (all are nodes) with an edge for each pair of strength at least `threshold`.

        Edges carry ``weight`` (strength), ``value`` and, where present, ``sign`` and ``pvalue``; for an asymmetric
        measure, those of the stronger direction.
        """
        import networkx

        self._need_square("graph")
        graph = networkx.Graph(measure=self.measure, threshold=threshold)
        graph.add_nodes_from((name, {"kind": kind}) for name, kind in zip(self.rows, self.row_kinds))
        strength = self.strength
        defined = ~np.isnan(self.values)
        for i, j in zip(*np.nonzero(np.triu((strength >= threshold) & (defined | defined.T), 1))):
            if abs(self.values[i, j]) != strength[i, j]:
                i, j = j, i
            edge = {"weight": float(strength[i, j]), "value": float(self.values[i, j])}
            if self.sign is not None:
                edge["sign"] = int(self.sign[i, j])
            if self.pvalues is not None:
                edge["pvalue"] = float(self.pvalues[i, j])
            graph.add_edge(self.rows[i], self.rows[j], **edge)
        return graph

    def _need_square(self, verb: str) -> None:
        if not self.is_square:
            raise ValueError(f"{verb}() needs every feature against every feature; call associate on one table")

    def plot(self, order: bool = True) -> plotly.graph_objects.Figure:
        """Heatmap; square matrices are ordered so that features that move together stand together."""
        from covey.measure._export import heatmap

        return heatmap(self, order)

    def save(self, path: str | Path) -> None:
        """Write everything to one Parquet file (complete or not at all)."""
        from covey.measure._export import save

        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> AssociationMatrix:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is not an association matrix.
        """
        from covey.measure._export import load

        return load(Path(path))

    def __iter__(self) -> Iterator[tuple[str, str, float]]:
        table = self.pairs_table()
        return zip(table["left"], table["right"], map(float, table["value"]))

    def __repr__(self) -> str:
        top = "; ".join(f"{a} ~ {b} {v:.2f}" for a, b, v in self.top(3))
        return f"<AssociationMatrix {self.measure} {self.shape[0]} x {self.shape[1]}: {top}>"
