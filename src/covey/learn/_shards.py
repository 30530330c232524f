"""A matrix of counts dealt into shards, in memory or on disk, each read by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from covey.learn.cooccurrence import checked_counts


@dataclass(frozen=True, eq=False)
class Shard:
    """Counts of some rows and columns, in CSR form with cells numbered from ``indptr[0]``."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    counts: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CountShards:
    """Counts dealt into shards.

    Parameters
    ----------
    shape : (int, int)
        Of the whole matrix.
    rows, columns : tuple of ndarray of int
        Members of each shard of the rows and of the columns, most frequent first; those without counts are in none.
    row_sums, column_sums : ndarray of shape (n_rows,), (n_columns,)
    symmetric : bool
    indptr, indices, counts : ndarray
        The shards one after another, those of one row shard together; memory-mapped when they are on disk.
    """

    shape: tuple[int, int]
    rows: tuple[NDArray[np.intp], ...]
    columns: tuple[NDArray[np.intp], ...]
    row_sums: NDArray[np.float64]
    column_sums: NDArray[np.float64]
    symmetric: bool
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    counts: NDArray[np.float32]

    def shard(self, i: int, j: int) -> Shard:
        """Row shard `i` by column shard `j`."""
        before = sum(len(rows) for rows in self.rows[:i])
        start = before * len(self.columns) + len(self.rows[i]) * j + i * len(self.columns) + j
        indptr = np.asarray(self.indptr[start : start + len(self.rows[i]) + 1])
        cells = slice(int(indptr[0]), int(indptr[-1]))
        return Shard(indptr - indptr[0], np.asarray(self.indices[cells]), np.asarray(self.counts[cells]))


def shard_counts(counts: Any, shard_size: int = 1024, folder: str | Path | None = None) -> CountShards:
    """Deal rows and columns, sorted by their sums, to shards in turn, so that each has a mix of frequent and rare ones.

    Parameters
    ----------
    counts : matrix of shape (n_rows, n_columns)
        Non-negative; an array or a SciPy sparse array.
    shard_size : int
        Most rows and columns of a shard.
    folder : path, optional
        Where the cells are kept, in three ``.npy`` files, to be read shard by shard; by default they stay in memory.

    Returns
    -------
    CountShards

    Raises
    ------
    ValueError
        If `counts` is no matrix, or holds negative numbers or none above 0; if `shard_size` is below 1.

    Examples
    --------
    >>> shards = shard_counts([[4, 2, 0], [1, 0, 0]], shard_size=2)
    >>> [columns.tolist() for columns in shards.columns], shards.shard(0, 0).counts
    ([[0, 1]], array([4., 2., 1.], dtype=float32))
    """
    if shard_size < 1:
        raise ValueError(f"shard_size must be at least 1, got {shard_size}")
    x = checked_counts(counts)
    rows, columns = _dealt(x.sum(axis=1), shard_size), _dealt(x.sum(axis=0), shard_size)
    indptr, indices, values = _storage(x.nnz, sum(map(len, rows)), len(rows), len(columns), folder)
    position = np.empty((2, x.shape[1]), dtype=np.int64)  # shard of a column, and place in it
    for j, members in enumerate(columns):
        position[:, members] = np.full(len(members), j), np.arange(len(members))
    cell = pointer = 0
    for members in rows:
        part = x[members]
        row = np.repeat(np.arange(len(members)), np.diff(part.indptr))
        shard, place = position[:, part.indices]
        order = np.argsort(shard, kind="stable")
        per_row = np.bincount(shard * len(members) + row, minlength=len(members) * len(columns))
        per_row = per_row.reshape(len(columns), len(members))
        ends = cell + per_row.cumsum().reshape(per_row.shape)
        bounds = np.column_stack([ends[:, 0] - per_row[:, 0], ends])
        indptr[pointer : pointer + bounds.size] = bounds.ravel()
        indices[cell : cell + part.nnz] = place[order]
        values[cell : cell + part.nnz] = part.data[order]
        cell, pointer = cell + part.nnz, pointer + bounds.size
    return CountShards(
        x.shape,
        tuple(rows),
        tuple(columns),
        np.asarray(x.sum(axis=1)),
        np.asarray(x.sum(axis=0)),
        _is_symmetric(x),
        indptr,
        indices,
        values,
    )


def _dealt(sums: NDArray[np.float64], shard_size: int) -> list[NDArray[np.intp]]:
    order = np.argsort(-sums, kind="stable")[: np.count_nonzero(sums)]
    n_shards = -(-len(order) // shard_size)
    return [order[k::n_shards] for k in range(n_shards)]


def _storage(
    n_cells: int, n_rows: int, n_row_shards: int, n_column_shards: int, folder: str | Path | None
) -> tuple[NDArray[Any], ...]:
    sizes = {
        "indptr": ((n_rows + n_row_shards) * n_column_shards, np.int64),
        "indices": (n_cells, np.int32),
        "counts": (n_cells, np.float32),
    }
    if folder is None:
        return tuple(np.empty(size, dtype) for size, dtype in sizes.values())
    Path(folder).mkdir(parents=True, exist_ok=True)
    return tuple(
        np.lib.format.open_memmap(Path(folder) / f"{name}.npy", mode="w+", dtype=dtype, shape=(size,))
        for name, (size, dtype) in sizes.items()
    )


def _is_symmetric(x: csr_array) -> bool:
    return x.shape[0] == x.shape[1] and abs(x - x.T).max() <= 1e-9 * x.max()
