"""What evaluators are given, a table with its partition or a table for each party, as one table and one partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.partition._correlation import as_table
from covey.partition._inputs import Encoder
from covey.partition._partition import Partition, feature_names
from covey.table import Column, FeatureTable


def gather(X: Any, partition: Partition | None) -> tuple[FeatureTable, Partition]:
    """One table whose columns are the partition's features, in that order.

    Parameters
    ----------
    X : array-like, frame, FeatureTable, or anything that `covey.read` takes; without a partition: a list of these
        Columns go by name, but by position where `X` is an array or the partition has no names of its own.
    partition : Partition, optional

    Returns
    -------
    (FeatureTable, Partition)

    Raises
    ------
    ValueError
        If `X` lacks columns of the partition, or the parties have different numbers of rows.
    TypeError
        If there is neither a partition nor a list of the parties' tables.

    Examples
    --------
    >>> table, partition = gather([np.zeros((3, 2)), np.ones((3, 1))], None)
    >>> table.shape, partition
    ((3, 3), <Partition of 3 features over 2 parties: 2, 1>)
    """
    if partition is not None:
        return _in_order(_columns(X), partition, by_name=not _is_array(X))
    if not isinstance(X, list | tuple) or not all(map(_is_table, X)):
        raise TypeError("give a partition with X, or a list with the table of each party")
    return _joined([_columns(part) for part in X])


def encoded_blocks(table: FeatureTable, partition: Partition) -> list[NDArray[np.float64]]:
    """Each party's columns as the room's algorithms see them (see `Encoder`); no columns for a party without features.

    Returns
    -------
    list of n_parties ndarrays of shape (n_samples, n_outputs)
    """
    columns = table.columns()
    return [_encoded([columns[j] for j in part], table.n_rows) for part in partition.parties]


def position_of(names: Sequence[str], partition: Partition, by_name: bool = True) -> list[int]:
    """Where each feature of the partition stands among `names`.

    Raises
    ------
    ValueError
        If one is missing, or columns that go by position are of another number.
    """
    if by_name and set(partition.names) <= set(names):
        where = {name: j for j, name in enumerate(names)}
        return [where[name] for name in partition.names]
    nameless = partition.names == feature_names(None, partition.n_features)
    if by_name and not nameless:
        from covey.table._table import unknown_column

        missing = next(name for name in partition.names if name not in names)
        raise ValueError(f"the partition's features are not those of X: {unknown_column(missing, names)}")
    if len(names) != partition.n_features:
        raise ValueError(f"X has {len(names)} columns, but the partition spreads {partition.n_features} features")
    return list(range(len(names)))


def _is_array(X: Any) -> bool:
    return isinstance(X, np.ndarray | list | tuple)


def _is_table(part: Any) -> bool:
    return hasattr(part, "columns") or np.ndim(part) == 2


def _columns(X: Any) -> list[Column]:
    """Columns of any source; none, too, of an array."""
    return [] if _is_array(X) and np.shape(X)[1:] == (0,) else as_table(X).columns()


def _in_order(columns: list[Column], partition: Partition, by_name: bool) -> tuple[FeatureTable, Partition]:
    """The partition's columns; one without names of its own takes those of the table."""
    positions = position_of([column.name for column in columns], partition, by_name)
    columns = [columns[j] for j in positions]
    if by_name:
        partition = replace(partition, names=tuple(column.name for column in columns))
    named = [replace(column, name=name) for column, name in zip(columns, partition.names)]
    return FeatureTable.from_columns(named), partition


def _joined(parts: list[list[Column]]) -> tuple[FeatureTable, Partition]:
    names = [column.name for columns in parts for column in columns]
    if len(set(names)) < len(names):
        names = [f"party-{k}.{column.name}" for k, columns in enumerate(parts) for column in columns]
    labels = np.repeat(np.arange(len(parts)), [len(columns) for columns in parts])
    rows = {len(columns[0].values) for columns in parts if columns}
    if len(rows) > 1:
        raise ValueError(f"the parties have {sorted(rows)} rows; all must hold the same samples, in the same order")
    columns = [column for columns in parts for column in columns]
    table = FeatureTable.from_columns(replace(column, name=name) for column, name in zip(columns, names))
    return table, Partition.from_labels(labels, table.names, len(parts))


def _encoded(columns: list[Column], n_rows: int) -> NDArray[np.float64]:
    if not columns:
        return np.empty((n_rows, 0))
    table = FeatureTable.from_columns(columns)
    return Encoder().fit(table).transform(table)
