"""Counts of what occurs together: tokens of sequences within a window, and levels of the columns of a table."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array, issparse

from covey.learn._shard_kernels import window_pairs
from covey.table import read

TOKENS_A_PIECE = 1 << 18
PAIRS_A_PIECE = 1 << 22


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Symmetric co-occurrence counts.

    Parameters
    ----------
    counts : csr_array of shape (n_tokens, n_tokens), float64
    vocabulary : tuple
        The token of each row and column.
    frequencies : ndarray of shape (n_tokens,), int64
        How often each token occurs.
    """

    counts: csr_array
    vocabulary: tuple[Hashable, ...]
    frequencies: NDArray[np.int64]


class CooccurrenceCounter:
    """How often tokens occur near each other in sequences, counted from a stream.

    A state in the sense of `covey.engine.State`: ``LocalEngine().reduce(CooccurrenceCounter, blocks)`` counts blocks
    of sequences side by side. It holds the distinct pairs seen so far, never the sequences.

    Parameters
    ----------
    window : int
        Largest distance of two tokens that occur together.
    weighting : {"inverse", "uniform"}
        Whether a pair counts as one over its distance, or as 1.
    vocabulary : iterable of hashable, optional
        Tokens to count; others keep their places but are not counted. By default all.

    Raises
    ------
    ValueError
        If `window` is below 1, the weighting is unknown, or the vocabulary is empty or repeats a token.

    References
    ----------
    Shazeer, Doherty, Evans and Waterson (2016), Swivel: Improving Embeddings by Noticing What's Missing.
    arXiv:1602.02215.

    Examples
    --------
    >>> counter = CooccurrenceCounter(window=2).update([["a", "b", "a"]]).merge(CooccurrenceCounter(window=2))
    >>> found = counter.result()
    >>> found.vocabulary, found.counts.toarray()
    (('a', 'b'), array([[1., 2.],
           [2., 0.]]))
    """

    def __init__(
        self, window: int = 10, weighting: str = "inverse", vocabulary: Iterable[Hashable] | None = None
    ) -> None:
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        if weighting not in ("inverse", "uniform"):
            raise ValueError(f"weighting must be 'inverse' or 'uniform', got {weighting!r}")
        self.window = window
        self.weighting = weighting
        self._codes: dict[Hashable, int] = {}
        self._fixed = vocabulary is not None
        if vocabulary is not None:
            tokens = list(vocabulary)
            self._codes = {token: code for code, token in enumerate(tokens)}
            if not tokens or len(self._codes) < len(tokens):
                raise ValueError("vocabulary must hold at least one token, and none twice")
        self._counts = csr_array((0, 0), dtype=np.float64)  # pairs in the order of the sequence
        self._frequencies = np.zeros(0, dtype=np.int64)

    def update(self, block: Iterable[Sequence[Hashable]]) -> Self:
        """Count the sequences of `block`, each a sequence of hashable tokens.

        A missing token (None or NaN) keeps its place and is not counted.

        Raises
        ------
        TypeError
            If a sequence is a string, whose letters would be counted.
        """
        codes: list[int] = []
        bounds = [0]
        for sequence in block:
            if isinstance(sequence, str | bytes):
                raise TypeError(f"a sequence must be a list of tokens, got {sequence!r}; split it first")
            codes.extend(map(self._code, sequence))
            bounds.append(len(codes))
            if len(codes) >= TOKENS_A_PIECE:
                self._count(codes, bounds)
                codes, bounds = [], [0]
        self._count(codes, bounds)
        return self

    def _code(self, token: Hashable) -> int:
        if token is None or token != token:
            return -1
        return self._codes.get(token, -1) if self._fixed else self._codes.setdefault(token, len(self._codes))

    def _count(self, codes: list[int], bounds: list[int]) -> None:
        tokens, size = np.array(codes, dtype=np.int32), len(self._codes)
        self._counts = _grown(self._counts, size)
        for left, right, weight in self._pairs(tokens, np.array(bounds)):
            self._counts = self._counts + coo_array((weight, (left, right)), shape=(size, size)).tocsr()
        self._frequencies = _padded(self._frequencies, size) + np.bincount(tokens[tokens >= 0], minlength=size)

    def _pairs(self, tokens: NDArray[np.int32], bounds: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], ...]]:
        """Codes and weights of all pairs, some at a time."""
        lengths = np.diff(bounds)
        reach = min(self.window, int(lengths.max(initial=1)))  # no sequence has pairs that are farther apart
        distance = np.arange(1.0, reach + 1)
        weights = 1.0 / distance if self.weighting == "inverse" else np.ones(reach)
        ends, n_places = np.repeat(bounds[1:], lengths), max(1, PAIRS_A_PIECE // reach)
        for first in range(0, len(tokens), n_places):
            last = min(first + n_places, len(tokens))
            most = (last - first) * reach
            left, right = np.empty((2, most), dtype=np.int32)
            weight = np.empty(most)
            n = window_pairs(tokens, ends, (first, last), weights, left, right, weight)
            yield left[:n], right[:n], weight[:n]

    def merge(self, other: Self) -> Self:
        """Add the counts of another counter of the same window, weighting and vocabulary.

        Raises
        ------
        ValueError
            If one of these differs.
        """
        if (self.window, self.weighting) != (other.window, other.weighting):
            raise ValueError("counters with different windows or weightings cannot be merged")
        if self._fixed != other._fixed or (self._fixed and self._codes != other._codes):
            raise ValueError("counters with different vocabularies cannot be merged")
        target = np.array([self._code(token) for token in other._codes], dtype=np.int64)
        size = len(self._codes)
        pairs = other._counts.tocoo()
        moved = coo_array((pairs.data, (target[pairs.row], target[pairs.col])), shape=(size, size))
        self._counts = _grown(self._counts, size) + moved.tocsr()
        self._frequencies = _padded(self._frequencies, size)
        self._frequencies[target[: len(other._frequencies)]] += other._frequencies
        return self

    def result(self, min_count: int = 1) -> Cooccurrence:
        """The counts of tokens that occur at least `min_count` times, most frequent first.

        Raises
        ------
        ValueError
            If there is no such token.
        """
        size = len(self._codes)
        frequencies = _padded(self._frequencies, size)
        order = np.argsort(-frequencies, kind="stable")
        order = order[frequencies[order] >= min_count]
        if order.size == 0:
            raise ValueError(
                f"the vocabulary is empty: none of {size} tokens occurs {min_count} times; "
                "give sequences with tokens, or lower min_count"
            )
        pairs = _grown(self._counts, size)
        counts = csr_array((pairs + pairs.T).tocsr()[order][:, order])
        tokens = list(self._codes)
        return Cooccurrence(counts, tuple(tokens[k] for k in order), frequencies[order])


def _grown(counts: csr_array, size: int) -> csr_array:
    indptr = np.append(counts.indptr, np.full(size - counts.shape[0], counts.indptr[-1]))
    return csr_array((counts.data, counts.indices, indptr), shape=(size, size))


def _padded(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.append(values, np.zeros(size - len(values), dtype=np.int64))


def level_cooccurrence(table: Any) -> Cooccurrence:
    """How often the levels of two columns occur in the same row.

    Parameters
    ----------
    table : FeatureTable or anything that `covey.table.read` takes
        Columns with categories are used; a missing value occurs with nothing.

    Returns
    -------
    Cooccurrence
        Tokens are pairs (column, level), in the order of the columns. Levels of one column never occur together.

    Raises
    ------
    ValueError
        If fewer than two columns have categories.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"sky": ["grey", "blue", "grey"], "street": ["wet", "dry", "wet"]})
    >>> found = level_cooccurrence(table)
    >>> found.vocabulary[:2], found.counts.toarray()[0]
    ((('sky', 'blue'), ('sky', 'grey')), array([0., 0., 1., 0.]))
    """
    columns = [column for column in read(table).columns() if column.categories]
    if len(columns) < 2:
        raise ValueError(f"two columns with categories are needed, found {len(columns)}; bin the numbers first")
    starts = np.cumsum([0, *(len(column.categories or ()) for column in columns)])
    rows, cells = [], []
    for start, column in zip(starts, columns):
        present = np.flatnonzero(~column.missing)
        rows.append(present)
        cells.append(column.values[present] + start)
    row, cell = np.concatenate(rows), np.concatenate(cells)
    one_hot = coo_array((np.ones(len(row)), (row, cell)), shape=(len(columns[0].values), starts[-1])).tocsr()
    counts = (one_hot.T @ one_hot).tocoo()
    owner = np.repeat(np.arange(len(columns)), np.diff(starts))
    apart = owner[counts.row] != owner[counts.col]
    between = coo_array((counts.data[apart], (counts.row[apart], counts.col[apart])), shape=counts.shape)
    tokens = tuple((column.name, level) for column in columns for level in column.categories or ())
    return Cooccurrence(between.tocsr(), tokens, np.bincount(cell, minlength=starts[-1]))


def checked_counts(X: Any, allow_empty: bool = False) -> csr_array:
    """`X` as a CSR array of non-negative numbers without explicit zeros.

    Raises
    ------
    ValueError
        If it is no matrix, holds a negative number or, unless `allow_empty`, none above 0.
    """
    given = X if issparse(X) else np.atleast_1d(np.asarray(X, dtype=np.float64))
    counts = csr_array(given, dtype=np.float64, copy=True)  # what follows works in place
    if counts.ndim != 2:
        raise ValueError(f"counts must be a matrix, got {counts.ndim} dimensions")
    counts.sum_duplicates()
    counts.eliminate_zeros()
    if not np.isfinite(counts.data).all():
        raise ValueError("counts must be finite; drop or fill missing values")
    if (counts.data < 0).any():
        column = counts.indices[(counts.data < 0).argmax()]
        raise ValueError(f"counts must not be negative; Negative values in data: column {column}")
    if counts.nnz == 0 and not allow_empty:
        raise ValueError(f"there is no count above 0 in {counts.shape[0]} rows and {counts.shape[1]} columns")
    return counts


def pmi_matrix(counts: ArrayLike | csr_array, positive: bool = False) -> NDArray[np.float64] | csr_array:
    """Pointwise mutual information, ``log(x_ij * x_.. / (x_i. * x_.j))``, in nats.

    Parameters
    ----------
    counts : matrix of shape (n_rows, n_columns)
        Non-negative; an array or a SciPy sparse array.
    positive : bool
        Negative values, and so all unseen cells, become 0; the result is then sparse.

    Returns
    -------
    ndarray or csr_array of shape (n_rows, n_columns)
        Unseen cells are -infinity, and NaN where a row or a column has no counts at all, unless `positive`.

    Raises
    ------
    ValueError
        If `counts` is no matrix, or holds negative numbers or none above 0.

    References
    ----------
    Church and Hanks (1990), Word association norms, mutual information, and lexicography. Computational Linguistics 16.

    Examples
    --------
    >>> pmi_matrix([[2, 0], [1, 1]]).round(3)
    array([[ 0.288,   -inf],
           [-0.405,  0.693]])
    """
    x = checked_counts(counts)
    rows, columns = x.sum(axis=1), x.sum(axis=0)
    cell_row = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    values = np.log(x.data) + np.log(rows.sum()) - np.log(rows[cell_row]) - np.log(columns[x.indices])
    if positive:
        x.data = np.maximum(values, 0.0)
        x.eliminate_zeros()
        return x
    out = np.full(x.shape, -np.inf)
    out[rows == 0] = np.nan
    out[:, columns == 0] = np.nan
    out[cell_row, x.indices] = values
    return out
