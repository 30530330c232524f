"""`FeatureTable`: the one form in which every room receives data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["numeric", "categorical", "boolean", "datetime", "text", "constant", "id"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Note:
    """One thing that a reader of results should know about a column.

    Parameters
    ----------
    column : str
        The column's name, or ``""`` when the note is about the whole table.
    code : str
        A short machine-readable word: ``"renamed"``, ``"infinite"``, ``"mixed"``, ``"pooled"``, ...
    message : str
        One plain sentence.
    """

    column: str
    code: str
    message: str


@dataclass(frozen=True, eq=False)
class Column:
    """One typed column of a `FeatureTable`.

    Parameters
    ----------
    name : str
    kind : Kind
    values : ndarray of shape (n_rows,)
        float64 with NaN for missing (datetimes: seconds since 1970), or, when `categories` is given,
        int32 codes into `categories` with -1 for missing.
    categories : tuple of str, optional
        Labels of the codes; None for columns of numbers.
    """

    name: str
    kind: Kind
    values: NDArray
    categories: tuple[str, ...] | None = None

    @property
    def is_coded(self) -> bool:
        """True when `values` are codes of categories."""
        return self.categories is not None

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Mask of missing rows, shape (n_rows,)."""
        return self.values < 0 if self.is_coded else np.isnan(self.values)

    @property
    def n_missing(self) -> int:
        """Number of missing rows."""
        return int(np.count_nonzero(self.missing))

    def labels(self) -> NDArray:
        """Values as a person would read them: floats, or an object array of labels with None for missing."""
        if self.categories is None:
            return self.values
        lookup = np.array([*self.categories, None], dtype=object)
        return lookup[self.values]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Typed columns: one float64 block for numbers, one int32 block for codes.

    Make one with `covey.table.read` or `FeatureTable.from_columns`.

    Parameters
    ----------
    names : tuple of str
        Unique column names, in the source's order.
    kinds : tuple of Kind
        The kind of each column.
    numeric : ndarray of shape (n_rows, n_numeric), float64, Fortran order
        Columns without categories (numbers, datetimes as seconds since 1970); NaN is missing.
    codes : ndarray of shape (n_rows, n_coded), int32, Fortran order
        Columns with categories; -1 is missing.
    categories : tuple of tuple of str
        Labels of each column of `codes`.
    notes : tuple of Note
        What was changed or should be known (renamed columns, infinities taken as missing, ...).

    Examples
    --------
    >>> import numpy as np
    >>> table = FeatureTable.from_columns([
    ...     Column("height", "numeric", np.array([1.7, 1.8, np.nan])),
    ...     Column("team", "categorical", np.array([0, 1, 0], dtype=np.int32), ("red", "blue")),
    ... ])
    >>> table.shape, table.kind("team"), table["height"].n_missing
    ((3, 2), 'categorical', 1)
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    numeric: NDArray[np.float64]
    codes: NDArray[np.int32]
    categories: tuple[tuple[str, ...], ...]
    notes: tuple[Note, ...] = ()
    _slots: dict[str, tuple[bool, int, Kind]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_columns(cls, columns: Iterable[Column], notes: Iterable[Note] = ()) -> FeatureTable:
        """Assemble a table from columns of equal length.

        Raises
        ------
        ValueError
            If there is no column, names repeat, or lengths differ.
        """
        columns = list(columns)
        if not columns:
            raise ValueError("a table needs at least one column")
        n_rows = len(columns[0].values)
        slots: dict[str, tuple[bool, int, Kind]] = {}
        counts = [0, 0]
        for column in columns:
            if column.name in slots:
                raise ValueError(f"two columns are named {column.name!r}; rename one of them")
            if len(column.values) != n_rows:
                raise ValueError(f"column {column.name!r} has {len(column.values)} rows, not {n_rows}")
            slots[column.name] = (column.is_coded, counts[column.is_coded], column.kind)
            counts[column.is_coded] += 1
        numeric = np.empty((n_rows, counts[0]), dtype=np.float64, order="F")
        codes = np.empty((n_rows, counts[1]), dtype=np.int32, order="F")
        categories: list[tuple[str, ...]] = []
        for column in columns:
            coded, slot, _ = slots[column.name]
            (codes if coded else numeric)[:, slot] = column.values
            if column.categories is not None:
                categories.append(tuple(column.categories))
        return cls(
            names=tuple(c.name for c in columns),
            kinds=tuple(c.kind for c in columns),
            numeric=numeric,
            codes=codes,
            categories=tuple(categories),
            notes=tuple(notes),
            _slots=slots,
        )

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.numeric.shape[0]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        return self.n_rows, self.n_columns

    def __len__(self) -> int:
        return self.n_rows

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def __getitem__(self, name: str) -> Column:
        return self.column(name)

    def column(self, name: str) -> Column:
        """The column called `name`; its values are a view.

        Raises
        ------
        ValueError
            If there is no such column; the message lists near names.
        """
        if name not in self._slots:
            raise ValueError(unknown_column(name, self.names))
        coded, slot, kind = self._slots[name]
        if coded:
            return Column(name, kind, self.codes[:, slot], self.categories[slot])
        return Column(name, kind, self.numeric[:, slot])

    def columns(self) -> list[Column]:
        """All columns in order."""
        return [self.column(name) for name in self.names]

    def kind(self, name: str) -> Kind:
        """Kind of the column called `name`."""
        return self.column(name).kind

    def of_kind(self, *kinds: str) -> list[str]:
        """Names of the columns whose kind is one of `kinds`, in order."""
        return [name for name, kind in zip(self.names, self.kinds) if kind in kinds]

    def select(self, names: Sequence[str]) -> FeatureTable:
        """The table of the columns called `names`, in that order."""
        kept = set(names)
        return FeatureTable.from_columns(
            [self.column(name) for name in names], [n for n in self.notes if not n.column or n.column in kept]
        )

    def drop(self, *names: str) -> FeatureTable:
        """The table without the columns called `names`."""
        for name in names:
            self.column(name)
        return self.select([name for name in self.names if name not in names])

    def take(self, rows: NDArray | slice) -> FeatureTable:
        """The table of the given rows (indices, a mask or a slice)."""
        return FeatureTable.from_columns(
            [Column(c.name, c.kind, c.values[rows], c.categories) for c in self.columns()], self.notes
        )

    def sample(self, size: int, random_state: int = 0) -> FeatureTable:
        """At most `size` rows drawn at random without replacement, in their order.

        Examples
        --------
        >>> table = FeatureTable.from_columns([Column("x", "numeric", np.arange(5.0))])
        >>> table.sample(3).n_rows, table.sample(9) is table
        (3, True)
        """
        if size >= self.n_rows:
            return self
        return self.take(np.sort(np.random.default_rng(random_state).choice(self.n_rows, size, replace=False)))


def unknown_column(name: str, names: Sequence[str]) -> str:
    """The error message for a column that is not there, with the nearest names.

    Examples
    --------
    >>> unknown_column("ages", ["age", "sex"])
    "no column 'ages'; did you mean 'age'?"
    """
    from difflib import get_close_matches

    near = get_close_matches(str(name), [str(n) for n in names], n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"columns are {_listed(names)}"
    return f"no column {name!r}; {hint}"


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(n) for n in names[:most])
    return shown + (f", ... ({len(names)} in all)" if len(names) > most else "")
