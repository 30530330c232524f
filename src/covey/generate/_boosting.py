"""Small boosted trees: coded columns, the loss that they lower, and learners for out-of-fold scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from covey.generate import _boost_kernels as kernels

Array = NDArray[np.float64]
Task = Literal["regression", "classification"]

MAX_BINS, MAX_LEVELS = 63, 254  # of numbers, of categories: what is rarer shares the last level
_SAMPLE = 4000  # rows that the edges of bins are taken from
_SMOOTH = 10.0


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as small integers; 0 is missing.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), uint8
    n_codes : int
    categorical : bool
    values : ndarray of shape (n_rows,)
        The numbers, or positions of categories; NaN for missing.
    """

    codes: NDArray[np.uint8]
    n_codes: int
    categorical: bool
    values: Array


@dataclass(frozen=True, eq=False)
class Coder:
    """How one column is coded: edges of bins of numbers, or a code for each category."""

    edges: Array
    lookup: NDArray[np.uint8] | None = None

    @classmethod
    def learn(cls, values: Array, categorical: bool) -> Coder:
        """From training rows: bins of about equal counts; frequent categories apart."""
        present = values[~np.isnan(values)]
        if categorical:
            counts = np.bincount(present.astype(np.int64)) if len(present) else np.zeros(1, dtype=np.int64)
            lookup = np.arange(1, len(counts) + 1)
            if len(counts) > MAX_LEVELS:
                order = np.argsort(-counts, kind="stable")
                lookup[order] = np.minimum(np.arange(len(counts)), MAX_LEVELS) + 1
            return cls(np.empty(0), np.where(counts > 0, lookup, 0).astype(np.uint8))
        return cls.of_numbers(present[None])[0]

    @classmethod
    def of_numbers(cls, values: Array) -> list[Coder]:
        """The bins of each row of numbers, as `learn` makes them; shape (n_columns, n_rows)."""
        n = values.shape[1]
        if n > _SAMPLE:
            sampled = [row[~np.isnan(row)] for row in values]
            sampled = [row[:: max(1, len(row) // _SAMPLE)] for row in sampled]
            return [coder for row in sampled for coder in cls._of_sorted(np.sort(row)[None])]
        return cls._of_sorted(np.sort(values, axis=1))

    @classmethod
    def _of_sorted(cls, values: Array) -> list[Coder]:
        n, places = values.shape[1], np.arange(1, MAX_BINS) / MAX_BINS
        if not n:
            return [cls(np.empty(0)) for _ in values]
        n_present = n - np.count_nonzero(np.isnan(values), axis=1)
        edges = np.take_along_axis(values, (places * n_present[:, None]).astype(np.int64), axis=1)
        rising = edges > np.hstack([values[:, :1], edges[:, :-1]])  # of missing values alone, none
        return [cls(row[kept]) for row, kept in zip(edges, rising)]

    def __call__(self, values: Array) -> Coded:
        """Codes of rows; a category that training rows did not have counts as missing."""
        codes = np.empty(len(values), dtype=np.uint8)
        if self.lookup is None:
            kernels.encode(np.ascontiguousarray(values), self.edges, codes)
            return Coded(codes, len(self.edges) + 2, False, values)
        known = np.append(self.lookup, np.uint8(0))
        place = np.where(np.isnan(values) | (values >= len(self.lookup)), len(self.lookup), values)
        codes = known[place.astype(np.int64)]
        return Coded(codes, int(self.lookup.max(initial=0)) + 1, True, np.where(codes == 0, np.nan, values))


@dataclass(frozen=True, eq=False)
class Problem:
    """What trees are to predict: rows for training, then held-out rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Numbers, 0 and 1, or classes 0, 1, ...
    init : ndarray of shape (n_rows, n_outputs)
        Scores that boosting starts from: predictions, log-odds, or log-probabilities.
    n_train : int
    loss : int
        `SQUARED`, `LOGISTIC` or `SOFTMAX` of `_boost_kernels`.
    """

    y: Array
    init: Array
    n_train: int
    loss: int

    @property
    def min_rows(self) -> float:
        """Least rows of a leaf: 20, fewer of little data."""
        return float(max(3, min(20, self.n_train // 40)))


@dataclass(frozen=True, eq=False)
class Trees:
    """Grown trees, as `kernels.boost` describes them."""

    column: NDArray[np.int32]
    left: NDArray[np.int32]
    goes_left: NDArray[np.bool_]
    value: Array
    importance: Array
    start_loss: float
    best_loss: float

    def scores(self, codes: NDArray[np.uint8], init: Array, which: NDArray[np.int64] | None = None) -> Array:
        """Scores of rows by all trees or some, shape (n_rows, n_outputs); `codes` is (n_columns, n_rows)."""
        out = np.array(init, dtype=np.float64, order="C")
        which = np.arange(len(self.column)) if which is None else which
        kernels.add_trees(codes, self.column, self.left, self.goes_left, self.value, which, out)
        return out


def grow(
    columns: Sequence[Coded],
    problem: Problem,
    n_trees: int = 100,
    max_leaves: int = 16,
    learning_rate: float = 0.1,
    patience: int = 3,
    l2: float = 1.0,
) -> Trees:
    """Boosted trees on the columns until the held-out loss stops falling.

    Parameters
    ----------
    columns : sequence of Coded
    problem : Problem
    n_trees, max_leaves : int
    learning_rate, l2 : float
    patience : int
        Trees without a lower held-out loss before it stops.
    """
    blocks = _Blocks.of([columns])
    n_nodes, n_outputs = 2 * max_leaves - 1, problem.init.shape[1]
    column = np.full((n_trees, n_nodes), -1, dtype=np.int32)
    left = np.empty((n_trees, n_nodes), dtype=np.int32)
    goes_left = np.empty((n_trees, n_nodes, kernels.N_CODES), dtype=np.bool_)
    value = np.empty((n_trees, n_nodes, n_outputs))
    importance = np.zeros(blocks.columns.size)
    start, best, n_best = kernels.boost(
        *_given(blocks, problem, n_trees, max_leaves, learning_rate, patience, l2),
        column,
        left,
        goes_left,
        value,
        importance,
    )
    called = blocks.columns.ravel()
    by_column = np.empty(len(columns))
    by_column[called[called >= 0]] = importance[called >= 0]
    used = np.append(called, -1)[column[:n_best]].astype(np.int32)
    return Trees(used, left[:n_best], goes_left[:n_best], value[:n_best], by_column, start, best)


def gains(
    sets: Sequence[Sequence[Coded]],
    problem: Problem,
    n_trees: int = 100,
    max_leaves: int = 16,
    learning_rate: float = 0.1,
    patience: int = 3,
    l2: float = 1.0,
) -> Array:
    """How far the trees that `grow` makes of each set of columns lower the held-out loss, shape (n_sets,)."""
    if not len(sets):
        return np.empty(0)
    blocks = _Blocks.of(sets)
    return kernels.gains(blocks.starts, *_given(blocks, problem, n_trees, max_leaves, learning_rate, patience, l2))


def _given(
    blocks: _Blocks, problem: Problem, n_trees: int, max_leaves: int, learning_rate: float, patience: int, l2: float
) -> tuple[Any, ...]:
    """What both kernels take, in their order."""
    rows = (problem.y, np.array(problem.init, order="C"), problem.n_train, problem.loss)
    settings = (n_trees, max_leaves, learning_rate, patience, problem.min_rows, l2, _SMOOTH)
    return (blocks.codes, blocks.n_lanes, blocks.n_codes, blocks.categorical, *rows, *settings)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Codes of sets of columns as the kernels take them: those of a kind, and of about as many codes, side by side.

    Parameters
    ----------
    codes : ndarray of shape (n_blocks, n_rows, LANES), uint8
    columns : ndarray of shape (n_blocks, LANES), int64
        Which column of its set; -1 for none.
    n_codes : ndarray of shape (n_blocks,), int64
        Of the column that has most.
    categorical : ndarray of shape (n_blocks,), bool
    starts : ndarray of shape (n_sets + 1,), int64
        First block of each set.
    """

    codes: NDArray[np.uint8]
    columns: NDArray[np.int64]
    n_codes: NDArray[np.int64]
    categorical: NDArray[np.bool_]
    starts: NDArray[np.int64]

    @property
    def n_lanes(self) -> NDArray[np.int64]:
        """Number of columns of each block."""
        return (self.columns >= 0).sum(axis=1)

    @classmethod
    def of(cls, sets: Sequence[Sequence[Coded]]) -> _Blocks:
        """The blocks of each set of columns, of the same rows."""
        width = kernels.LANES
        blocks: list[tuple[Sequence[Coded], list[int]]] = []
        starts = [0]
        for columns in sets:
            for kind in (False, True):
                alike = [j for j, column in enumerate(columns) if column.categorical == kind]
                alike.sort(key=lambda j: columns[j].n_codes)
                blocks += [(columns, alike[first : first + width]) for first in range(0, len(alike), width)]
            starts.append(len(blocks))
        codes = np.zeros((len(blocks), len(sets[0][0].codes), width), dtype=np.uint8)
        places = np.full((len(blocks), width), -1, dtype=np.int64)
        for block, (columns, members) in enumerate(blocks):
            places[block, : len(members)] = members
            for lane, j in enumerate(members):
                codes[block, :, lane] = columns[j].codes
        n_codes = np.array([columns[members[-1]].n_codes for columns, members in blocks], dtype=np.int64)
        categorical = np.array([columns[members[0]].categorical for columns, members in blocks], dtype=bool)
        return cls(codes, places, n_codes, categorical, np.array(starts, dtype=np.int64))


def loss_of(task: Task, n_classes: int) -> int:
    """The loss of a task."""
    if task == "regression":
        return kernels.SQUARED
    return kernels.LOGISTIC if n_classes == 2 else kernels.SOFTMAX


def constant_scores(y: Array, loss: int, n_classes: int) -> Array:
    """The best scores that are the same for all rows, shape (n_outputs,)."""
    if loss == kernels.SQUARED:
        return np.array([y.mean()])
    share = np.maximum(np.bincount(y.astype(np.int64), minlength=n_classes) / len(y), 1e-9)
    return np.log(share[1:] / share[0]) if loss == kernels.LOGISTIC else np.log(share)


def split_rows(
    y: Array, classes: bool, valid_size: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Training and held-out rows in random order, so that every beginning of either is a sample; classes in shares."""
    n = len(y)
    order = rng.permutation(n)
    if classes:  # each class spread evenly over the order
        ranked = order[np.argsort(y[order], kind="stable")]
        counts = np.bincount(y.astype(np.int64))
        inside = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        place = (inside + rng.random(n)) / np.repeat(counts, counts)
        order = ranked[np.argsort(place, kind="stable")]
    held = np.zeros(n, dtype=bool)
    held[np.linspace(0, n - 1, max(1, round(valid_size * n))).astype(np.intp)] = True
    return order[~held], order[held]


class _Learner(BaseEstimator):
    """Boosted trees with early stopping on a sixth of the rows; missing values and categories as they are."""

    def __init__(self, categorical: tuple[bool, ...] = (), n_trees: int = 300, random_state: int | None = None) -> None:
        self.categorical = categorical
        self.n_trees = n_trees
        self.random_state = random_state

    def _fit(self, X: Array, y: Array, loss: int, n_classes: int) -> Self:
        rng = np.random.default_rng(self.random_state)
        train, valid = split_rows(y, loss != kernels.SQUARED, 1 / 6, rng)
        rows = np.concatenate([train, valid])
        categorical = self.categorical or (False,) * X.shape[1]
        self.coders_ = [Coder.learn(X[train, j], categorical[j]) for j in range(X.shape[1])]
        self.init_ = constant_scores(y[train], loss, n_classes)
        problem = Problem(y[rows], np.tile(self.init_, (len(y), 1)), len(train), loss)
        columns = [coder(X[rows, j]) for j, coder in enumerate(self.coders_)]
        self.trees_ = grow(columns, problem, self.n_trees, patience=20)
        return self

    def _scores(self, X: Array) -> Array:
        codes = np.array([coder(X[:, j]).codes for j, coder in enumerate(self.coders_)])
        return self.trees_.scores(codes, np.tile(self.init_, (len(X), 1)))


class TreeRegressor(RegressorMixin, _Learner):
    """Regression by boosted trees."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit."""
        return self._fit(np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64), kernels.SQUARED, 1)

    def predict(self, X: Any) -> Array:
        """Predicted numbers, shape (n_rows,)."""
        return self._scores(np.asarray(X, dtype=np.float64))[:, 0]


class TreeClassifier(ClassifierMixin, _Learner):
    """Classification by boosted trees."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        loss = loss_of("classification", len(self.classes_))
        return self._fit(np.asarray(X, dtype=np.float64), codes.astype(np.float64), loss, len(self.classes_))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, shape (n_rows, n_classes)."""
        return probabilities(self._scores(np.asarray(X, dtype=np.float64)))

    def predict(self, X: Any) -> NDArray:
        """The likeliest class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def probabilities(scores: Array) -> Array:
    """Probabilities of scores: log-odds (n, 1), or log-probabilities up to a constant (n, n_classes).

    Examples
    --------
    >>> probabilities(np.array([[0.0]])).tolist()
    [[0.5, 0.5]]
    """
    from scipy.special import expit, softmax

    return np.hstack([expit(-scores), expit(scores)]) if scores.shape[1] == 1 else softmax(scores, axis=1)


def scores_of(probability: Array) -> Array:
    """Scores of probabilities: the inverse of `probabilities`, away from 0 and 1."""
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.log(clipped[:, 1:] / clipped[:, :1]) if clipped.shape[1] == 2 else np.log(clipped)


def row_losses(y: Array, scores: Array, loss: int) -> Array:
    """Loss of each row: squared error, or minus log likelihood; `scores` is (n_rows, n_outputs).

    Examples
    --------
    >>> row_losses(np.array([0.0, 1.0]), np.zeros((2, 1)), kernels.LOGISTIC).round(3)
    array([0.693, 0.693])
    """
    if loss == kernels.SQUARED:
        return (y - scores[:, 0]) ** 2
    if loss == kernels.LOGISTIC:
        return np.logaddexp(0.0, np.where(y > 0.5, -scores[:, 0], scores[:, 0]))
    from scipy.special import logsumexp

    return logsumexp(scores, axis=1) - scores[np.arange(len(y)), y.astype(np.int64)]


def permutation_importance(trees: Trees, columns: Sequence[Coded], problem: Problem, rng: np.random.Generator) -> Array:
    """How much the held-out loss grows when a column's held-out rows are exchanged; 0 for columns of no split."""
    first, n = problem.n_train, len(problem.y) - problem.n_train
    order = rng.permutation(n)
    used = {int(j): np.flatnonzero((trees.column == j).any(axis=1)) for j in np.flatnonzero(trees.importance > 0)}
    total = np.zeros(len(columns))
    for start in range(0, n, _SAMPLE):  # what each tree says of each row is held
        rows = slice(start, min(start + _SAMPLE, n))
        there = slice(first + rows.start, first + rows.stop)
        y, nothing = problem.y[there], np.zeros_like(problem.init[there])
        codes = np.array([column.codes[there] for column in columns])
        own = np.array([trees.scores(codes, nothing, np.array([t])) for t in range(len(trees.column))])
        fitted = problem.init[there] + own.sum(axis=0)
        for j, concerned in used.items():
            kept = codes[j].copy()
            codes[j] = columns[j].codes[first:][order[rows]]
            exchanged = trees.scores(codes, fitted - own[concerned].sum(axis=0), concerned)
            codes[j] = kept
            total[j] += len(y) * kernels.mean_loss(problem.loss, y, exchanged, 0, len(y))
    out = np.zeros(len(columns))
    out[list(used)] = total[list(used)] / n - trees.best_loss
    return out
