"""Shapley values of a model's output: exact for few players, by antithetic permutations for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.select._attribution import model_outputs, pick

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
RandomState = int | np.random.Generator | None

MOST_PLAYERS = 16  # exact values need two to this power of coalitions
MOST_CELLS = 4_000_000  # of one block of rows that the model is asked for


def shapley_values(
    model: Any,
    X: ArrayLike,
    background: ArrayLike,
    groups: Sequence[int] | None = None,
    n_permutations: int | None = 32,
    output: int | None = None,
    random_state: RandomState = 0,
) -> Array:
    """Shapley values of columns, or of groups of them, in the output of a model.

    A coalition is worth the mean output over the background's rows with the coalition's columns replaced by those of
    the row to explain. By permutations: the columns of a background row are replaced one after another, in a random
    order and in the reverse of it, and each is paid the change.

    Parameters
    ----------
    model : fitted scikit-learn model, or callable (X) -> ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Of classifiers the probabilities are explained, or the decision function where there are none.
    X : array-like of shape (n_samples, n_features)
    background : array-like of shape (n_background, n_features)
    groups : sequence of int of shape (n_features,), optional
        Columns of the same label, counted from 0, are one player.
    n_permutations : int or None
        An even number; with twice the rows of the background, or a multiple, each of these is used as often. None: all
        coalitions, for up to 16 players.
    output : int, optional
        Of several outputs (more than two classes), the one to explain; by default the largest one of each row.
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (n_samples, n_features) or (n_samples, n_groups)
        A row sums to its output less the mean output of the background rows that were used.

    Raises
    ------
    ValueError
        If shapes differ, `n_permutations` is odd, or there are too many players for exact values.

    References
    ----------
    Shapley (1953), A value for n-person games. Strumbelj and Kononenko (2014), Explaining prediction models and
    individual predictions with feature contributions. Knowl. Inf. Syst. 41. Mitchell, Cooper, Frank and Holmes (2022),
    Sampling Permutations for Shapley Value Estimation. JMLR 23.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, -1.0]])
    >>> shapley_values(lambda z: z[:, 0] * z[:, 1], x, np.zeros((1, 2)), n_permutations=None).tolist()
    [[1.0, 1.0], [-1.5, -1.5]]
    """
    x, base, labels = _checked(X, background, groups)
    chosen: int | Rows = output or 0
    if output is None:
        values = model_outputs(model, x)
        chosen = np.argmax(values, axis=1) if values.shape[1] > 1 else 0

    def worth(points: Array, rows: Rows) -> Array:
        own = chosen if isinstance(chosen, int) else chosen[rows]
        return pick(model_outputs(model, points), own)

    if n_permutations is None:
        return _exact(worth, x, base, labels)
    if n_permutations < 2 or n_permutations % 2:
        raise ValueError(f"n_permutations must be an even number from 2, or None, got {n_permutations}")
    return _sampled(worth, x, base, labels, n_permutations, np.random.default_rng(random_state))


def _checked(X: ArrayLike, background: ArrayLike, groups: Sequence[int] | None) -> tuple[Array, Array, Rows]:
    x, base = np.asarray(X, dtype=np.float64), np.asarray(background, dtype=np.float64)
    if x.ndim != 2 or base.ndim != 2 or x.shape[1] != base.shape[1]:
        raise ValueError(f"X and background must be matrices of the same columns, got {x.shape} and {base.shape}")
    if not x.size or not base.size:
        raise ValueError("X and background must not be empty")
    labels = np.arange(x.shape[1]) if groups is None else np.asarray(groups, dtype=np.intp)
    if labels.shape != (x.shape[1],) or labels.min() < 0:
        raise ValueError(f"groups must be a label from 0 for each of the {x.shape[1]} columns")
    return x, base, labels


def _sampled(
    worth: Callable[[Array, Rows], Array],
    x: Array,
    base: Array,
    labels: Rows,
    n_permutations: int,
    rng: np.random.Generator,
) -> Array:
    n, m = len(x), int(labels.max()) + 1
    first = rng.permutation(len(base))
    orders = [rng.permutation(m) for _ in range(n_permutations // 2)]
    out = np.zeros((n, m))
    size = max(1, MOST_CELLS // ((m + 1) * x.shape[1]))
    for start in range(0, n, size):
        rows = np.arange(start, min(n, start + size))
        for r, order in enumerate(orders):
            donors = base[first[(r + rows) % len(base)]]  # rows differ in their donors, so that errors do not add up
            for walk in (order, order[::-1]):
                out[rows[:, None], walk] += np.diff(_walked(worth, x[rows], donors, labels, walk, rows), axis=1)
    return out / n_permutations


def _walked(
    worth: Callable[[Array, Rows], Array], x: Array, donors: Array, labels: Rows, walk: Rows, rows: Rows
) -> Array:
    """Worth while the players of a walk come in one by one, shape (n_rows, n_players + 1)."""
    m = len(walk)
    place = np.empty(m, dtype=np.intp)
    place[walk] = np.arange(m)
    inside = place[labels] < np.arange(m + 1)[:, None]  # (step, column)
    points = np.where(inside[None], x[:, None], donors[:, None])
    return worth(points.reshape(-1, x.shape[1]), np.repeat(rows, m + 1)).reshape(len(x), m + 1)


def _exact(worth: Callable[[Array, Rows], Array], x: Array, base: Array, labels: Rows) -> Array:
    m = int(labels.max()) + 1
    if m > MOST_PLAYERS:
        raise ValueError(f"{m} players are too many for exact values (at most {MOST_PLAYERS}); give n_permutations")
    members = (np.arange(2**m)[:, None] >> np.arange(m)) % 2 == 1
    value = np.empty((len(x), 2**m))
    size = max(1, MOST_CELLS // (len(base) * x.shape[1]))
    for coalition, inside in enumerate(members):
        for start in range(0, len(x), size):
            rows = np.arange(start, min(len(x), start + size))
            points = np.where(inside[labels], x[rows][:, None], base[None])
            found = worth(points.reshape(-1, x.shape[1]), np.repeat(rows, len(base)))
            value[rows, coalition] = found.reshape(len(rows), -1).mean(axis=1)
    weight = np.array([factorial(s) * factorial(m - 1 - s) / factorial(m) for s in range(m)])
    out = np.empty((len(x), m))
    for player in range(m):
        without = np.flatnonzero(~members[:, player])
        share = weight[members[without].sum(axis=1)]
        out[:, player] = (value[:, without + (1 << player)] - value[:, without]) @ share
    return out
