"""Values of a model's coalitions of features along permutations: one feature after the other is let in.

A row's value for a coalition S is the mean output over the background rows, after the features in S have taken the
row's values. Three ways give the same numbers: any model is called on the rows so made; a linear score changes by one
term a step; and a tree's output changes only where a step moves one of its splits, so that each tree is walked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import expit, softmax

from covey.partition._scores import Rows, Score

_CHUNK = 1 << 20  # numbers in one call of the model
_PROBES = 64
IDENTITY, LOGISTIC, SOFTMAX = range(3)


class Paths(Protocol):
    """Mean outputs along permutations."""

    parallel: ClassVar[bool]  # whether rows may be explained in several threads

    def __call__(self, row: int, orders: NDArray[np.intp]) -> NDArray[np.float64]:
        """Outputs for a row's growing coalitions and for their complements.

        Parameters
        ----------
        row : int
        orders : ndarray of int, shape (n_permutations, n_features)

        Returns
        -------
        ndarray of shape (n_permutations, 2, n_features + 1, n_outputs)
            At ``[p, 0, t]`` the value of the first t features of permutation p, at ``[p, 1, t]`` that of all others.
        """
        ...


def shapley_values(paths: Paths, row: int, orders: NDArray[np.intp]) -> NDArray[np.float64]:
    """A row's Shapley values by antithetic permutations: each is walked forwards and backwards.

    Returns
    -------
    ndarray of shape (n_features, n_outputs)
        They sum to the row's output less the background's, up to rounding.
    """
    values = paths(row, orders)
    gains = (np.diff(values[:, 0], axis=1) - np.diff(values[:, 1], axis=1)) / 2
    total = np.zeros(gains.shape[1:])
    for order, gain in zip(orders, gains):
        total[order] += gain
    return total / len(orders)


def coalition_values(
    score: Score, rows: Rows, background: Any, which: NDArray[np.intp], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Value of each coalition for its row, by few large calls of the model in bounded memory.

    Parameters
    ----------
    score : callable
    rows, background : Rows
    which : ndarray of int, shape (n,)
        Row of each coalition.
    masks : ndarray of bool, shape (n, n_features)
        Its features.

    Returns
    -------
    ndarray of shape (n, n_outputs)
    """
    step = max(1, _CHUNK // (len(background) * max(1, masks.shape[1])))
    found = []
    for start in range(0, len(which), step):
        chunk = slice(start, start + step)
        outputs = score(rows.masked(which[chunk], masks[chunk], background))
        found.append(outputs.reshape(-1, len(background), outputs.shape[1]).mean(axis=1))
    return np.concatenate(found)


class AnyPaths:
    """Paths of any model, which is called on rows that are put together for the purpose."""

    parallel: ClassVar[bool] = False  # nobody knows what the model does

    def __init__(self, score: Score, rows: Rows, background: Rows) -> None:
        self.score, self.rows, self.background = score, rows, background
        self.nothing = score(background.data).mean(axis=0)
        self.everything = score(rows.data)

    def __call__(self, row: int, orders: NDArray[np.intp]) -> NDArray[np.float64]:
        n_permutations, n_features = orders.shape
        values = np.empty((n_permutations, 2, n_features + 1, len(self.nothing)))
        values[:, 0, 0] = values[:, 1, -1] = self.nothing
        values[:, 0, -1] = values[:, 1, 0] = self.everything[row]
        if n_features > 1:
            step = np.argsort(orders, axis=1)[:, None, :]
            grown = step < np.arange(1, n_features)[None, :, None]
            masks = np.stack([grown, ~grown], axis=1).reshape(-1, n_features)
            inner = coalition_values(self.score, self.rows, self.background, np.full(len(masks), row), masks)
            values[:, :, 1:-1] = inner.reshape(n_permutations, 2, n_features - 1, -1)
        return values


@dataclass(frozen=True)
class LinearPaths:
    """Paths of a link of a linear score.

    Parameters
    ----------
    coef : ndarray of shape (n_features, n_outputs)
    intercept : ndarray of shape (n_outputs,)
    link : int
    rows, background : ndarray of shape (n, n_features)
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    link: int
    rows: NDArray[np.float64]
    background: NDArray[np.float64]
    parallel: ClassVar[bool] = True

    def __call__(self, row: int, orders: NDArray[np.intp]) -> NDArray[np.float64]:
        terms = (self.rows[row] - self.background)[:, :, None] * self.coef
        start = self.background @ self.coef + self.intercept
        return np.stack([self._along(terms[:, order], start) for order in orders])

    def _along(self, terms: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.empty((2, terms.shape[1] + 1, *start.shape))
        scores[0, 0] = start
        np.cumsum(terms.swapaxes(0, 1), axis=0, out=scores[0, 1:])
        scores[0, 1:] += start
        np.subtract(start + scores[0, -1], scores[0], out=scores[1])
        return apply_link(scores, self.link).mean(axis=2)


@dataclass(frozen=True)
class Trees:
    """A sum of binary trees over numbers: arrays over the nodes of all of them, one after the other.

    Parameters
    ----------
    feature : ndarray of int32
        -1 at a leaf.
    threshold : ndarray of float64
        Values up to it go left.
    missing_left : ndarray of bool
        Whether NaN goes left.
    left, right : ndarray of int32
    value : ndarray of float64
        What a leaf adds to the tree's output.
    roots, outputs : ndarray of int32, shape (n_trees,)
    base : ndarray of shape (n_outputs,)
    depth : int
        Nodes on the longest way down, at most.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    outputs: NDArray[np.int32]
    base: NDArray[np.float64]
    depth: int

    def goes_left(self, X: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where each row would go at each node, shape (n_rows, n_nodes)."""
        feature = np.maximum(self.feature, 0)
        left = np.empty((len(X), len(feature)), dtype=np.bool_)
        for i, x in enumerate(X):
            values = x[feature]
            left[i] = np.where(np.isnan(values), self.missing_left, values <= self.threshold)
        return left


@dataclass(frozen=True)
class TreePaths:
    """Paths of a link of a sum of trees.

    Parameters
    ----------
    trees : Trees
    link : int
    rows, background : ndarray of shape (n, n_features)
    """

    trees: Trees
    link: int
    rows: NDArray[np.float64]
    background: NDArray[np.float64]
    parallel: ClassVar[bool] = True

    @cached_property
    def other(self) -> NDArray[np.bool_]:
        """Where the background rows would go at each node."""
        return self.trees.goes_left(self.background)

    def __call__(self, row: int, orders: NDArray[np.intp]) -> NDArray[np.float64]:
        trees, own = self.trees, self.trees.goes_left(self.rows[row : row + 1])[0]
        scores = np.empty((2, orders.shape[1] + 1, len(self.other), len(trees.base)))
        values = np.empty((len(orders), *scores.shape[:2], scores.shape[3]))
        for p, order in enumerate(orders):
            _walk(
                trees.feature, trees.left, trees.right, trees.value, trees.roots, trees.outputs, trees.base,
                trees.depth, own, self.other, np.argsort(order), scores,
            )  # fmt: skip
            values[p] = apply_link(scores, self.link).mean(axis=2)
        return values


def apply_link(scores: NDArray[np.float64], link: int) -> NDArray[np.float64]:
    """Outputs of scores, on the last axis."""
    if link == LOGISTIC:
        return expit(scores)
    return softmax(scores, axis=-1) if link == SOFTMAX else scores


@njit(nogil=True, cache=True)
def _walk(
    feature: NDArray,
    left: NDArray,
    right: NDArray,
    value: NDArray,
    roots: NDArray,
    outputs: NDArray,
    base: NDArray,
    depth: int,
    own: NDArray,
    background: NDArray,
    step: NDArray,
    scores: NDArray,
) -> None:
    """Scores of all steps of one permutation, for every background row.

    A node whose feature sends row and background row apart parts the steps at that feature's own; any other leads all
    of them one way. So each leaf is met with the stretch of steps that end in it.

    Parameters
    ----------
    feature, left, right, value, roots, outputs, base, depth
        See `Trees`.
    own : bool array of shape (n_nodes,)
        Whether the row goes left at each node.
    background : bool array of shape (n_background, n_nodes)
    step : int array of shape (n_features,)
        After how many others each feature takes the row's value.
    scores : float array of shape (2, n_features + 1, n_background, n_outputs)
        Filled: forwards, and with the two rows' parts exchanged.
    """
    n_steps = len(step) + 1
    node_stack = np.empty(depth + 2, dtype=np.int64)
    low_stack = np.empty(depth + 2, dtype=np.int64)
    high_stack = np.empty(depth + 2, dtype=np.int64)
    for direction in range(2):
        for b in range(len(background)):
            other = background[b]
            scores[direction, :, b, :] = 0.0
            scores[direction, 0, b, :] = base
            for tree in range(len(roots)):
                output = outputs[tree]
                node_stack[0], low_stack[0], high_stack[0] = roots[tree], 0, n_steps
                size = 1
                while size > 0:
                    size -= 1
                    node, low, high = node_stack[size], low_stack[size], high_stack[size]
                    while feature[node] >= 0:
                        if own[node] == other[node]:
                            node = left[node] if own[node] else right[node]
                            continue
                        before = other[node] if direction == 0 else own[node]
                        cut = step[feature[node]] + 1
                        early, late = (left[node], right[node]) if before else (right[node], left[node])
                        if cut >= high:
                            node = early
                        elif cut <= low:
                            node = late
                        else:
                            node_stack[size], low_stack[size], high_stack[size] = late, cut, high
                            size += 1
                            node, high = early, cut
                    scores[direction, low, b, output] += value[node]
                    if high < n_steps:
                        scores[direction, high, b, output] -= value[node]
            for t in range(1, n_steps):
                scores[direction, t, b, :] += scores[direction, t - 1, b, :]


def paths_of(model: Any, score: Score, rows: Rows, background: Rows) -> Paths:
    """The quickest paths that give the model's own outputs.

    What is read off a linear or a boosted model is used only if it reproduces the model on rows put together at random.
    """
    if isinstance(rows.data, np.ndarray):
        found = _linear_paths(model, rows.data, background.data) or _tree_paths(model, rows.data, background.data)
        if found is not None and _reproduces(found, score, rows, background):
            return found
    return AnyPaths(score, rows, background)


def linear_coefficients(model: Any, X: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Coefficients of a linear score, or of a pipeline that ends in one and is linear as a whole; None for others.

    Returns
    -------
    ndarray of shape (n_features, n_outputs), or None
    """
    n_features = X.shape[1]
    if not hasattr(model, "steps"):
        coef = getattr(model, "coef_", None)
        if not isinstance(coef, np.ndarray) or coef.shape[-1:] != (n_features,):
            return None
        return np.atleast_2d(coef).T.astype(np.float64)
    if not hasattr(model[-1], "coef_"):
        return None
    raw = _raw_score(model)
    centre, width = X.mean(axis=0), np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), 1.0)
    at_centre = raw(centre[None])
    coef = (raw(centre + np.diag(width)) - at_centre) / width[:, None]
    return coef if _close(raw(X[:_PROBES]), at_centre + (X[:_PROBES] - centre) @ coef) else None


def _raw_score(model: Any) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    raw = model.decision_function if hasattr(model, "decision_function") else model.predict
    return lambda X: np.asarray(raw(X), dtype=np.float64).reshape(len(X), -1)


def _linear_paths(model: Any, rows: NDArray[np.float64], background: NDArray[np.float64]) -> LinearPaths | None:
    if not hasattr(model, "predict"):
        return None
    coef = linear_coefficients(model, np.vstack([rows, background]))
    if coef is None:
        return None
    intercept = (_raw_score(model)(rows[:1]) - rows[:1] @ coef)[0]
    return LinearPaths(coef, intercept, _link(model, coef.shape[1]), rows, background)


def _link(model: Any, n_scores: int) -> int:
    if not hasattr(model, "predict_proba"):
        return IDENTITY
    return LOGISTIC if n_scores == 1 else SOFTMAX


def _tree_paths(model: Any, rows: NDArray[np.float64], background: NDArray[np.float64]) -> TreePaths | None:
    trees = histogram_trees(model)
    return None if trees is None else TreePaths(trees, _link(model, len(trees.base)), rows, background)


def histogram_trees(model: Any) -> Trees | None:
    """The trees of scikit-learn's histogram gradient boosting, if it splits no categories; None otherwise."""
    iterations, base = getattr(model, "_predictors", None), getattr(model, "_baseline_prediction", None)
    if iterations is None or base is None:
        return None
    nodes = [tree.nodes for trees in iterations for tree in trees]
    if any(tree["is_categorical"].any() for tree in nodes):
        return None
    roots = np.cumsum([0, *map(len, nodes)])[:-1]
    joined = np.concatenate(nodes)
    offset = np.repeat(roots, [len(tree) for tree in nodes])
    return Trees(
        feature=np.where(joined["is_leaf"], -1, joined["feature_idx"].astype(np.int64)).astype(np.int32),
        threshold=joined["num_threshold"].astype(np.float64),
        missing_left=joined["missing_go_to_left"].astype(np.bool_),
        left=(joined["left"] + offset).astype(np.int32),
        right=(joined["right"] + offset).astype(np.int32),
        value=joined["value"].astype(np.float64),
        roots=roots.astype(np.int32),
        outputs=np.tile(np.arange(len(iterations[0])), len(iterations)).astype(np.int32),
        base=np.ravel(base).astype(np.float64),
        depth=int(joined["depth"].max()) + 1,
    )


def _reproduces(found: LinearPaths | TreePaths, score: Score, rows: Rows, background: Rows) -> bool:
    """Whether a few steps of a few rows are what the model says of them."""
    few, others = rows.take(np.arange(min(2, len(rows)))), background.take(np.arange(min(4, len(background))))
    candidate, truth = replace(found, rows=few.data, background=others.data), AnyPaths(score, few, others)
    order = np.random.default_rng(0).permutation(found.rows.shape[1])[None]
    return all(_close(candidate(row, order), truth(row, order)) for row in range(len(few)))


def _close(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(b).max(initial=0.0))))
