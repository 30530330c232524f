"""Embeddings of features from how often they occur together: pointwise mutual information factorised shard by shard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from covey.engine import Engine, resolve
from covey.learn._shard_kernels import put_cells, take_cells
from covey.learn._shards import CountShards, Shard, shard_counts
from covey.learn.cooccurrence import checked_counts

Array = NDArray[np.float64]
Single = NDArray[Any]

STRIP = 512  # rows whose products with a shard's columns stay in the cache of a core
FIRST_SQUARE = 0.1  # what Adagrad's sums of squares start from
RIDGE = 1e-4  # penalty that makes the vector of a new row unique
ROWS_A_TASK = 64


@dataclass(frozen=True)
class SwivelLoss:
    """The loss of one cell, given the log of the count that the vectors imply, ``z = w.c + log(x_i. x_.j / x_..)``.

    A seen cell: ``(base + scale * x ** exponent) * (z - log x) ** 2 / 2``. An unseen cell: ``log(1 + exp(z))``, small
    while the implied count is below one, so that the model may fall below what is not seen, not rise above.

    Parameters
    ----------
    base, scale, exponent : float
        Of the weight of a seen cell.
    unseen : bool
        Whether unseen cells count at all.

    References
    ----------
    Shazeer, Doherty, Evans and Waterson (2016), arXiv:1602.02215.
    """

    base: float = 0.1
    scale: float = 0.25
    exponent: float = 0.5
    unseen: bool = True

    def weight(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Weight of seen cells."""
        return self.base + self.scale * (np.sqrt(counts) if self.exponent == 0.5 else counts**self.exponent)

    def value(self, row_vectors: Array, column_vectors: Array, counts: Any) -> float:
        """The loss of all cells of `counts`, by definition; vectors of shape (n_rows, d) and (n_columns, d).

        Rows and columns must have counts.
        """
        x = checked_counts(counts).toarray()
        z = row_vectors @ column_vectors.T + np.log(x.sum(axis=1, keepdims=True) * x.sum(axis=0) / x.sum())
        seen = x > 0
        squares = self.weight(x[seen]) * (z[seen] - np.log(x[seen])) ** 2 / 2.0
        return float(squares.sum() + self.unseen * np.logaddexp(0.0, z[~seen]).sum())

    def differentiate(self, z: Single, shard: Shard, first: int) -> None:
        """Replace `z` of the rows from `first` on by the derivative of the loss."""
        indptr = shard.indptr[first : first + len(z) + 1]
        cells = slice(indptr[0], indptr[-1])
        counts = shard.counts[cells]
        seen = np.empty(len(counts), dtype=np.float32)
        take_cells(z, indptr, shard.indices, seen)
        seen -= np.log(counts)
        seen *= self.weight(counts)
        if self.unseen:
            _sigmoid(z)
        else:
            z[:] = 0.0
        put_cells(z, indptr, shard.indices, seen)


def _sigmoid(z: Single) -> None:
    with np.errstate(over="ignore"):  # exp(-z) may be infinite: the sigmoid is then 0
        np.exp(np.negative(z, out=z), out=z)
    z += 1.0
    np.reciprocal(z, out=z)


@dataclass(frozen=True, eq=False)
class _Side:
    """Vectors of a shard's rows or columns, Adagrad's sums of squared gradients, and logs of the sums of counts."""

    vectors: Single
    squares: Single
    offset: Single

    def moved(self, gradient: Single, learning_rate: float) -> _Side:
        squares = self.squares + gradient * gradient
        return _Side(self.vectors - learning_rate * gradient / np.sqrt(squares), squares, self.offset)


def _step(task: tuple[_Side, _Side, Shard], loss: SwivelLoss, learning_rate: float) -> tuple[_Side, _Side]:
    """One step of Adagrad on one shard, by the mean gradient of a row (column) over the shard."""
    rows, columns, shard = task
    # the offsets ride along in the product
    left = np.column_stack([rows.vectors, rows.offset, np.ones_like(rows.offset)])
    right = np.column_stack([columns.vectors, np.ones_like(columns.offset), columns.offset])
    row_gradient, column_gradient = np.empty_like(rows.vectors), np.zeros_like(columns.vectors)
    for first in range(0, len(left), STRIP):
        strip = slice(first, first + STRIP)
        z = left[strip] @ right.T
        loss.differentiate(z, shard, first)
        row_gradient[strip] = z @ columns.vectors
        column_gradient += z.T @ rows.vectors[strip]
    row_gradient /= len(right)
    column_gradient /= len(left)
    return rows.moved(row_gradient, learning_rate), columns.moved(column_gradient, learning_rate)


def _rounds(n_rows: int, n_columns: int, rng: Any) -> Iterator[list[tuple[int, int]]]:
    """Every shard once, in rounds in which no two shards share rows or columns."""
    n = max(n_rows, n_columns)
    order = rng.permutation(n)
    for shift in range(n):
        pairs = [(i, int(order[(i + shift) % n])) for i in range(n_rows)]
        yield [(i, j) for i, j in pairs if j < n_columns]


def factorise_shards(
    shards: CountShards,
    n_components: int,
    loss: SwivelLoss,
    max_iter: int,
    learning_rate: float,
    rng: Any,
    engine: Engine,
) -> tuple[Array, Array]:
    """Row and column vectors that fit the counts; shards without common rows or columns are worked on side by side.

    Returns
    -------
    row_vectors, column_vectors : ndarray of shape (n_rows, n_components), (n_columns, n_components)
        NaN where there are no counts.
    """
    total = shards.row_sums.sum()
    rows = [_start(shards.row_sums[members], n_components, rng) for members in shards.rows]
    columns = [_start(shards.column_sums[members] / total, n_components, rng) for members in shards.columns]
    step = partial(_step, loss=loss, learning_rate=learning_rate)
    for _ in range(max_iter):
        _pass(shards, rows, columns, step, rng, engine)
    return _collected(rows, shards.rows, shards.shape[0]), _collected(columns, shards.columns, shards.shape[1])


def _pass(
    shards: CountShards, rows: list[_Side], columns: list[_Side], step: partial, rng: Any, engine: Engine
) -> None:
    """One step on every shard; replaces the members of `rows` and `columns`."""
    for pairs in _rounds(len(rows), len(columns), rng):
        moved = engine.map(step, [(rows[i], columns[j], shards.shard(i, j)) for i, j in pairs])
        for (i, j), (row_side, column_side) in zip(pairs, moved):
            rows[i], columns[j] = row_side, column_side


def _start(sums: Array, n_components: int, rng: Any) -> _Side:
    shape = len(sums), n_components
    vectors = rng.normal(size=shape).astype(np.float32) / np.float32(np.sqrt(n_components))
    return _Side(vectors, np.full(shape, FIRST_SQUARE, dtype=np.float32), np.log(sums).astype(np.float32))


def _collected(sides: list[_Side], members: tuple[NDArray[np.intp], ...], n: int) -> Array:
    out = np.full((n, sides[0].vectors.shape[1]), np.nan)
    for side, where in zip(sides, members):
        out[where] = side.vectors
    return out


class Swivel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Vectors of rows and columns whose products are the pointwise mutual information of their counts.

    Unlike a factorisation of the seen cells alone, it learns from what is missing: a pair that was not seen although
    both are frequent is pushed apart, one of rare features hardly (see `SwivelLoss`). Rows and columns are sorted by
    frequency and dealt into shards; a step takes one shard, so that only a few shards are in memory at a time.

    Parameters
    ----------
    n_components : int
        Length of the vectors.
    max_iter : int
        Passes over all shards.
    shard_size : int
        Most rows and columns of a shard.
    learning_rate : float
        Of Adagrad.
    base, scale, exponent : float
        Weight of a seen cell: ``base + scale * count ** exponent``.
    unseen : bool
        Whether unseen cells count; without them it is a factorisation as in GloVe.
    random_state : int, RandomState or None
        Of the first vectors and of the order of the shards.
    engine : Engine or str, optional
        Where shards are worked on side by side; the result does not depend on it.

    Attributes
    ----------
    row_embedding_ : ndarray of shape (n_rows, n_components)
        NaN where a row has no counts.
    column_embedding_ : ndarray of shape (n_features, n_components)
        NaN where a column has no counts.
    embedding_ : ndarray of shape (n_rows, n_components)
        The vectors to use: row plus column where the counts are symmetric, the row's otherwise.
    n_iter_ : int
        Passes over all shards.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If the counts are negative, missing or all 0, a parameter is out of range, or the vectors do not stay finite.

    Warns
    -----
    UserWarning
        If rows or columns have no counts: their vectors are NaN.

    Notes
    -----
    `transform` gives a new row of counts the vector that minimises its own loss with the columns held fixed, by
    iteratively reweighted least squares; every step costs ``n_features * n_components ** 2`` a row.

    References
    ----------
    Shazeer, Doherty, Evans and Waterson (2016), Swivel: Improving Embeddings by Noticing What's Missing.
    arXiv:1602.02215.

    Examples
    --------
    Words 0 to 2 occur together, and so do words 3 to 5:

    >>> counts = np.kron(np.eye(2), np.full((3, 3), 9.0)) + 0.1
    >>> vectors = Swivel(n_components=4, random_state=0).fit(counts).embedding_
    >>> bool((vectors @ vectors.T)[:3, :3].min() > (vectors @ vectors.T)[:3, 3:].max())
    True
    """

    def __init__(
        self,
        n_components: int = 100,
        max_iter: int = 50,
        shard_size: int = 1024,
        learning_rate: float = 1.0,
        base: float = 0.1,
        scale: float = 0.25,
        exponent: float = 0.5,
        unseen: bool = True,
        random_state: int | np.random.RandomState | None = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.shard_size = shard_size
        self.learning_rate = learning_rate
        self.base = base
        self.scale = scale
        self.exponent = exponent
        self.unseen = unseen
        self.random_state = random_state
        self.engine = engine

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.column_embedding_.shape[1]

    @property
    def _loss(self) -> SwivelLoss:
        return SwivelLoss(self.base, self.scale, self.exponent, self.unseen)

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit counts.

        Parameters
        ----------
        X : matrix of shape (n_rows, n_features), or CountShards
            Non-negative counts: an array, a SciPy sparse array, or what `shard_counts` made of them (`shard_size` is
            then not used).
        y : ignored
        """
        self._check()
        shards = X if isinstance(X, CountShards) else shard_counts(self._checked(X, reset=True), self.shard_size)
        self.n_features_in_ = shards.shape[1]
        self._warn_of_empty(shards)
        self.row_embedding_, self.column_embedding_ = factorise_shards(
            shards,
            self.n_components,
            self._loss,
            self.max_iter,
            self.learning_rate,
            check_random_state(self.random_state),
            resolve(self.engine),
        )
        self._check_finite(shards)
        self.n_iter_ = self.max_iter
        self.embedding_ = self.row_embedding_ + (self.column_embedding_ if shards.symmetric else 0.0)
        self._log_shares = _log(shards.column_sums / shards.column_sums.sum())
        return self

    def _check(self) -> None:
        for name in ("n_components", "max_iter", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("base", "scale"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")

    def _checked(self, X: Any, reset: bool) -> Any:
        return validate_data(self, X, dtype=np.float64, accept_sparse="csr", reset=reset)

    def _check_finite(self, shards: CountShards) -> None:
        for vectors, sums in (
            (self.row_embedding_, shards.row_sums),
            (self.column_embedding_, shards.column_sums),
        ):
            if not np.isfinite(vectors[sums > 0]).all():
                raise ValueError(
                    "the vectors did not stay finite; lower learning_rate, or scale counts that single precision "
                    "(1e-38..1e38) does not hold"
                )

    @staticmethod
    def _warn_of_empty(shards: CountShards) -> None:
        for what, sums in (("row", shards.row_sums), ("column", shards.column_sums)):
            if not sums.all():
                message = f"{what} {int((sums == 0).argmax())} has no counts ({np.sum(sums == 0)} in all)"
                warnings.warn(f"{message}; the vectors are NaN", UserWarning, stacklevel=3)

    def transform(self, X: Any) -> Array:
        """Vectors of rows of counts over the same columns, shape (n_rows, n_components); NaN for a row of zeros."""
        check_is_fitted(self)
        rows = checked_counts(self._checked(X, reset=False), allow_empty=True)
        known = np.isfinite(self._log_shares)
        kept = csr_array(rows[:, known])
        fold = partial(
            _folded, columns=self.column_embedding_[known], log_shares=self._log_shares[known], loss=self._loss
        )
        pieces = [kept[start : start + ROWS_A_TASK] for start in range(0, kept.shape[0], ROWS_A_TASK)]
        return np.concatenate(resolve(self.engine).map(fold, pieces))


def _log(sums: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(sums)


def _folded(rows: csr_array, columns: Array, log_shares: Array, loss: SwivelLoss) -> Array:
    return np.array([_row_vector(row, columns, log_shares, loss) for row in rows.toarray()])


def _row_vector(counts: Array, columns: Array, log_shares: Array, loss: SwivelLoss, max_iter: int = 100) -> Array:
    """Minimum of the loss of one row; the loss of an unseen cell is bounded by its tangent parabola at each step."""
    vector = np.zeros(columns.shape[1])
    if not counts.any():
        return np.full(len(vector), np.nan)
    offset = np.log(counts.sum()) + log_shares
    seen = counts > 0
    weight = np.where(seen, loss.weight(counts), 0.0)
    target = np.log(np.where(seen, counts, 1.0))
    for _ in range(max_iter):
        z = columns @ vector + offset
        slope = weight * (z - target)
        curvature = weight.copy()
        if loss.unseen:
            slope[~seen] = expit(z[~seen])
            curvature[~seen] = _bound_of_softplus(z[~seen])
        hessian = (columns.T * curvature) @ columns + RIDGE * np.eye(len(vector))
        move = np.linalg.solve(hessian, columns.T @ slope + RIDGE * vector)
        vector -= move
        if np.abs(move).max() <= 1e-6:
            break
    return vector


def _bound_of_softplus(z: Array) -> Array:
    """Curvature of the parabola that touches ``log(1 + exp(.))`` at `z` and nowhere falls below it."""
    half = np.maximum(np.abs(z), 1e-8) / 2.0
    return np.tanh(half) / (4.0 * half)
