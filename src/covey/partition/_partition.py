"""`Partition`: which party holds which feature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.table import FeatureTable


@dataclass(frozen=True, eq=False)
class Partition:
    """Features spread over parties.

    Make one with a splitter, or with `from_labels`, `from_prefix` or `from_mapping`.

    Parameters
    ----------
    parties : tuple of ndarray of int
        For each party the positions of its features, ascending. A feature may lie with several parties or with none.
    names : tuple of str
        Names of all features.
    party_names : tuple of str, optional
        ``"party-0"``, ``"party-1"``, ... by default.

    Examples
    --------
    >>> partition = Partition.from_labels([0, 1, 0, 1, 1])
    >>> partition
    <Partition of 5 features over 2 parties: 2, 3>
    >>> [part.shape for part in partition.split(np.zeros((4, 5)))]
    [(4, 2), (4, 3)]
    """

    parties: tuple[NDArray[np.intp], ...]
    names: tuple[str, ...]
    party_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.parties:
            raise ValueError("a partition needs at least one party")
        parties = tuple(np.sort(np.asarray(part, dtype=np.intp)) for part in self.parties)
        labels = tuple(map(str, self.party_names)) or tuple(f"party-{k}" for k in range(len(parties)))
        if len(labels) != len(parties) or len(set(labels)) != len(labels):
            raise ValueError(f"party_names must be {len(parties)} different names, got {list(labels)}")
        for label, part in zip(labels, parties):
            if len(part) and (part[0] < 0 or part[-1] >= len(self.names)):
                wrong = part[0] if part[0] < 0 else part[-1]
                raise ValueError(f"{label} holds feature {wrong}, but features are 0 to {len(self.names) - 1}")
            if (part[1:] == part[:-1]).any():
                raise ValueError(f"{label} holds a feature twice")
        object.__setattr__(self, "parties", parties)
        object.__setattr__(self, "party_names", labels)

    @classmethod
    def from_labels(
        cls, labels: ArrayLike, names: Sequence[str] | None = None, n_parties: int | None = None
    ) -> Partition:
        """The partition that gives feature j to party ``labels[j]``; -1 gives it to none.

        Parameters
        ----------
        labels : array-like of int, shape (n_features,)
        names : sequence of str, optional
            ``"x0"``, ``"x1"``, ... by default.
        n_parties : int, optional
            The largest label plus one by default.
        """
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError("labels must be one integer for each feature")
        n_parties = int(labels.max(initial=-1)) + 1 if n_parties is None else n_parties
        if labels.max(initial=-1) >= n_parties:
            raise ValueError(f"labels names party {labels.max()}, but there are {n_parties} parties, counted from 0")
        parties = tuple(np.flatnonzero(labels == k) for k in range(n_parties))
        return cls(parties, feature_names(None, len(labels)) if names is None else tuple(map(str, names)))

    @classmethod
    def from_prefix(cls, names: Sequence[str], separator: str = "_") -> Partition:
        """One party for each prefix of the column names: what stands before the first `separator`.

        Parameters
        ----------
        names : sequence of str
        separator : str

        Raises
        ------
        ValueError
            If a name has no separator.

        Examples
        --------
        >>> Partition.from_prefix(["bank_age", "bank_debt", "shop_visits"]).party_names
        ('bank', 'shop')
        """
        names = tuple(map(str, names))
        for name in names:
            if separator not in name:
                raise ValueError(f"column {name!r} has no prefix before {separator!r}; rename it or give a mapping")
        owners: dict[str, list[str]] = {}
        for name in names:
            owners.setdefault(name.split(separator, 1)[0], []).append(name)
        return cls.from_mapping(owners, names)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Iterable[str]], names: Sequence[str]) -> Partition:
        """The partition that gives each party the columns listed for it.

        Parameters
        ----------
        mapping : mapping of party name to column names
        names : sequence of str
            All column names; those that no party lists belong to nobody.

        Raises
        ------
        ValueError
            If a party lists a column that is not in `names`.

        Examples
        --------
        >>> Partition.from_mapping({"bank": ["age"], "shop": ["visits", "age"]}, ["age", "visits", "zip"])
        <Partition of 3 features over 2 parties: 1, 2>
        """
        from covey.table._table import unknown_column

        names = tuple(map(str, names))
        position = {name: j for j, name in enumerate(names)}
        parties = []
        for party, columns in mapping.items():
            if isinstance(columns, str):
                raise ValueError(f"party {party!r}: give a list of column names, not the text {columns!r}")
            columns = list(map(str, columns))
            for column in columns:
                if column not in position:
                    raise ValueError(f"party {party!r}: {unknown_column(column, names)}")
            parties.append(np.array([position[column] for column in columns], dtype=np.intp))
        return cls(tuple(parties), names, tuple(map(str, mapping)))

    @property
    def n_parties(self) -> int:
        """Number of parties."""
        return len(self.parties)

    @property
    def n_features(self) -> int:
        """Number of features, held or not."""
        return len(self.names)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of features of each party."""
        return tuple(map(len, self.parties))

    @property
    def labels(self) -> NDArray[np.intp]:
        """Party of each feature, shape (n_features,): the first that holds it, -1 for none."""
        labels = np.full(self.n_features, -1, dtype=np.intp)
        for k in reversed(range(self.n_parties)):
            labels[self.parties[k]] = k
        return labels

    def columns(self, party: int) -> tuple[str, ...]:
        """Names of the columns of a party, given by its position."""
        return tuple(self.names[j] for j in self.parties[party])

    def split(self, X: Any) -> list[Any]:
        """The columns of each party.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), FeatureTable, or pandas DataFrame
            With the columns of `names`, in that order; a `FeatureTable` may have more, in any order.

        Returns
        -------
        list of n_parties objects of the type of `X`
            Arrays for anything that is neither a table nor a frame, and for a party without a column of a table.

        Raises
        ------
        ValueError
            If `X` has another number of columns, or lacks one.
        """
        if isinstance(X, FeatureTable):
            held = [self.columns(k) for k in range(self.n_parties)]
            return [X.select(columns) if columns else np.empty((X.n_rows, 0)) for columns in held]
        values = X if hasattr(X, "iloc") else np.asarray(X)
        if values.ndim != 2 or values.shape[1] != self.n_features:
            raise ValueError(f"X must have the partition's {self.n_features} columns; its shape is {values.shape}")
        if hasattr(values, "iloc"):
            return [values.iloc[:, part] for part in self.parties]
        return [values[:, part] for part in self.parties]

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        return f"<Partition of {self.n_features} features over {self.n_parties} parties: {sizes}>"


def feature_names(X: Any, n_features: int) -> tuple[str, ...]:
    """Names of the columns of `X` as text, or ``x0``, ``x1``, ... where it has none."""
    if isinstance(X, FeatureTable):
        return X.names
    columns = getattr(X, "columns", None)
    if columns is None or callable(columns):
        return tuple(f"x{j}" for j in range(n_features))
    return tuple(map(str, columns))
