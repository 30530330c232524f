"""How much of a model's output each party's features bring about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import factorial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey import engine as engines
from covey.engine import Engine
from covey.partition._gather import position_of
from covey.partition._partition import Partition
from covey.partition._paths import coalition_values, linear_coefficients, paths_of, shapley_values
from covey.partition._scores import Rows, as_rows, loss_function, score_function

Method = Literal["permutation_shapley", "party_shapley", "linear", "permutation"]
RandomState = int | np.random.Generator | None

_MOST_PLAYERS = 12
_FEW_ROWS = 100


@dataclass(frozen=True, eq=False)
class PartyImportance:
    """Importance of each party's features to a model.

    Parameters
    ----------
    method : str
    party_names : tuple of str
    importance : ndarray of shape (K,)
        Mean of `row_importance` over its rows.
    shares : ndarray of shape (K,)
        Importance over the sum of all, 0..1, importances below 0 counted as 0; NaN where nothing is important.
    standard_error : ndarray of shape (K,)
        Of `importance`, from its spread over the rows: sampling of rows and of permutations both; NaN with one row.
    row_importance : ndarray of shape (n_rows, K)
    feature_importance : ndarray of shape (n_features,), optional
        Mean over the rows of the features' absolute attributions; None for methods that attribute to parties alone.
    n_evaluations : int
        Rows on which the model's output was found, background rows counted singly.
    """

    method: str
    party_names: tuple[str, ...]
    importance: NDArray[np.float64]
    shares: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    row_importance: NDArray[np.float64]
    feature_importance: NDArray[np.float64] | None
    n_evaluations: int

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in zip(self.party_names, self.shares))
        return f"<PartyImportance by {self.method}: {shares}>"


def party_importance(
    model: Any,
    X: Any,
    partition: Partition,
    *,
    method: Method = "permutation_shapley",
    y: ArrayLike | None = None,
    background: Any = None,
    n_permutations: int = 10,
    n_rows: int | None = None,
    random_state: RandomState = 0,
    engine: Engine | str | None = None,
) -> PartyImportance:
    """Importance of each party's features to a model.

    ``"permutation_shapley"`` and ``"linear"`` give a party the mean over rows of the sum of its features' absolute
    Shapley values. Features that are left out of a coalition take the values of background rows (the interventional
    expectation). The first samples permutations, each walked forwards and backwards; it is exact for models without
    interactions of more than two features. The second is the closed form ``coef_j (x_j - mean_j)`` of a linear score.

    ``"party_shapley"`` plays the game among the parties: the absolute Shapley value of a whole party, exact over all
    2^K coalitions, so that effects of its features that cancel do not count. It calls the model far less often.

    ``"permutation"`` is the mean rise of the loss when a party's columns come from other rows.

    Parameters
    ----------
    model : fitted estimator, VerticalEstimator, or callable
        Of a classifier the probabilities are explained (scores of `decision_function` if it has none; for ``"linear"``
        these or log-odds), never class labels. With several outputs, absolute values are averaged over them. A function
        from rows to numbers of shape (n,) or (n, n_outputs) is taken as it is. A linear or histogram-gradient-boosted
        model of scikit-learn is explained without calling it at every step, with the same result.
    X : array-like or pandas DataFrame of shape (n_samples, n_features), or FeatureTable of numbers
        What the model takes.
    partition : Partition
        A feature that lies with several parties counts for each; one with none for nobody.
    method : {"permutation_shapley", "party_shapley", "linear", "permutation"}
    y : array-like of shape (n_samples,), optional
        Needed by ``"permutation"``: log loss for classifiers, else squared error.
    background : like `X`, optional
        At most 100 rows of `X`, drawn at random, by default; all of `X` for ``"linear"``.
    n_permutations : int, default=10
    n_rows : int, optional
        Rows to explain, drawn at random. By default at most 100 for Shapley values, all of them otherwise.
    random_state : int, Generator or None
    engine : Engine or str, optional
        Where boosted trees are walked; the result does not depend on it.

    Returns
    -------
    PartyImportance

    Raises
    ------
    ValueError
        If `X` does not fit the partition, the model gives class labels or NaN, `y` is missing, or an argument is out of
        range.
    TypeError
        If `model` is neither an estimator nor callable.

    References
    ----------
    Lundberg and Lee (2017), A Unified Approach to Interpreting Model Predictions, arXiv:1705.07874; Mitchell, Cooper,
    Frank and Holmes (2022), Sampling Permutations for Shapley Value Estimation, J. Mach. Learn. Res. 23; Wu, Hou and He
    (2024), VertiBench, arXiv:2307.02040.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> partition = Partition.from_labels([0, 0, 1])
    >>> party_importance(lambda X: X[:, 0] + 3 * X[:, 2], X, partition).shares.round(1).tolist()
    [0.2, 0.8]
    """
    if method not in _METHODS:
        raise ValueError(f"no method {method!r}; choose one of {', '.join(_METHODS)}")
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}")
    if n_rows is not None and n_rows < 1:
        raise ValueError(f"n_rows must be at least 1, got {n_rows}")
    task = _Task.of(model, X, partition, y, background, random_state)
    return _METHODS[method](task, n_permutations, n_rows, engines.resolve(engine))


@dataclass(frozen=True)
class _Task:
    model: Any
    rows: Rows
    partition: Partition
    columns: list[NDArray[np.intp]]
    y: NDArray | None
    background: Rows | None
    generator: np.random.Generator

    @classmethod
    def of(cls, model: Any, X: Any, partition: Partition, y: Any, background: Any, random_state: RandomState) -> _Task:
        rows = as_rows(X)
        positions = np.array(position_of(rows.names, partition, by_name=hasattr(X, "columns")), dtype=np.intp)
        if background is not None:
            background = as_rows(background)
            if type(background) is not type(rows) or len(background.names) != len(rows.names):
                raise ValueError("background must be of the same kind as X, with the same columns")
        if y is not None:
            y = np.asarray(y)
            if y.shape != (len(rows),):
                raise ValueError(f"y must have one label for each of {len(rows)} rows, got shape {y.shape}")
        columns = [positions[part] for part in partition.parties]
        return cls(model, rows, partition, columns, y, background, np.random.default_rng(random_state))

    def explained(self, n_rows: int | None) -> NDArray[np.intp]:
        """Rows drawn to be explained, ascending."""
        n = len(self.rows)
        return np.arange(n) if n_rows is None or n_rows >= n else self._draw(n_rows)

    def others(self) -> Rows:
        """Background rows."""
        if self.background is not None:
            return self.background
        return self.rows.take(self._draw(min(_FEW_ROWS, len(self.rows))))

    def _draw(self, size: int) -> NDArray[np.intp]:
        return np.sort(self.generator.choice(len(self.rows), size, replace=False))

    def result(
        self, method: str, by_party: NDArray[np.float64], by_feature: NDArray[np.float64] | None, n_evaluations: int
    ) -> PartyImportance:
        """The result of importances of shape (n_rows, K) and (n_rows, n_features)."""
        n_rows, importance = len(by_party), by_party.mean(axis=0)
        error = by_party.std(axis=0, ddof=1) / np.sqrt(n_rows) if n_rows > 1 else np.full(len(importance), np.nan)
        return PartyImportance(
            method=method,
            party_names=self.partition.party_names,
            importance=importance,
            shares=shares(importance),
            standard_error=error,
            row_importance=by_party,
            feature_importance=None if by_feature is None else by_feature.mean(axis=0),
            n_evaluations=n_evaluations,
        )

    def by_features(self, method: str, attributions: NDArray[np.float64], n_evaluations: int) -> PartyImportance:
        """The result of attributions of shape (n_rows, columns of X, n_outputs)."""
        size = np.abs(attributions).mean(axis=2)
        by_party = np.stack([size[:, part].sum(axis=1) for part in self.columns], axis=1)
        return self.result(method, by_party, size, n_evaluations)


def shares(importance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Importances over their sum on the last axis, those below 0 counted as 0; NaN where none is above 0."""
    positive = np.maximum(importance, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.where(total > 0, positive / np.where(total > 0, total, 1.0), np.nan)


def _permutation_shapley(task: _Task, n_permutations: int, n_rows: int | None, engine: Engine) -> PartyImportance:
    explained = task.explained(n_rows or _FEW_ROWS)
    background, rows = task.others(), task.rows.take(explained)
    n_features = len(rows.names)
    orders = np.tile(np.arange(n_features), (len(rows), n_permutations, 1))
    orders = task.generator.permuted(orders, axis=2)
    paths = paths_of(task.model, score_function(task.model, task.columns), rows, background)
    explain = partial(_explain, paths, orders)
    tasks = range(len(rows))
    found = engine.map(explain, tasks) if paths.parallel else [explain(row) for row in tasks]
    inner = len(rows) * n_permutations * 2 * (n_features - 1) * len(background)
    return task.by_features("permutation_shapley", np.stack(found), inner + len(rows) + len(background))


def _explain(paths: Any, orders: NDArray[np.intp], row: int) -> NDArray[np.float64]:
    return shapley_values(paths, row, orders[row])


def _party_shapley(task: _Task, n_permutations: int, n_rows: int | None, engine: Engine) -> PartyImportance:
    n_parties = task.partition.n_parties
    if n_parties > _MOST_PLAYERS:
        raise ValueError(
            f"party_shapley goes through 2^{n_parties} coalitions, and takes at most {_MOST_PLAYERS} parties; "
            "use method='permutation_shapley'"
        )
    rows, background = task.rows.take(task.explained(n_rows or _FEW_ROWS)), task.others()
    members = np.arange(2**n_parties)[:, None] >> np.arange(n_parties) & 1 == 1
    held = np.zeros((n_parties, len(rows.names)), dtype=np.bool_)
    for k, part in enumerate(task.columns):
        held[k, part] = True
    masks = members @ held
    which = np.repeat(np.arange(len(rows)), len(masks))
    score = score_function(task.model, task.columns)
    values = coalition_values(score, rows, background, which, np.tile(masks, (len(rows), 1)))
    values = values.reshape(len(rows), len(masks), -1)
    effects = np.einsum("ks,rso->rko", shapley_weights(members), values)
    return task.result("party_shapley", np.abs(effects).mean(axis=2), None, len(which) * len(background))


def shapley_weights(members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights with which the values of all coalitions make up the players' Shapley values.

    Parameters
    ----------
    members : ndarray of bool, shape (2^K, K)

    Returns
    -------
    ndarray of shape (K, 2^K)

    References
    ----------
    Shapley (1953), A value for n-person games.

    Examples
    --------
    >>> members = np.array([[False, False], [True, False], [False, True], [True, True]])
    >>> shapley_weights(members).tolist()
    [[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]]
    """
    n_players = members.shape[1]
    weight = [factorial(s) * factorial(n_players - s - 1) / factorial(n_players) for s in range(n_players)]
    size = members.sum(axis=1)
    joining = np.array([0.0, *weight])[size]  # a coalition that has the player had one member less without
    leaving = np.array([*weight, 0.0])[size]
    return np.where(members, joining[:, None], -leaving[:, None]).T


def _linear(task: _Task, n_permutations: int, n_rows: int | None, engine: Engine) -> PartyImportance:
    values, others = _as_numbers(task.rows), _as_numbers(task.rows if task.background is None else task.background)
    coef = linear_coefficients(task.model, values)
    if coef is None:
        raise ValueError(
            f"method='linear' needs coef_ for the {values.shape[1]} columns of X, which {type(task.model).__name__} "
            "lacks; use method='permutation_shapley'"
        )
    explained = values[task.explained(n_rows)]
    attributions = (explained - others.mean(axis=0))[:, :, None] * coef
    return task.by_features("linear", attributions, 0)


def _as_numbers(rows: Rows) -> NDArray[np.float64]:
    values = np.asarray(rows.data, dtype=np.float64)
    gaps = np.isnan(values).any(axis=0)
    if gaps.any():
        raise ValueError(f"column {rows.names[int(gaps.argmax())]!r} has missing values, which a linear model has not")
    return values


def _permutation(task: _Task, n_permutations: int, n_rows: int | None, engine: Engine) -> PartyImportance:
    if task.y is None:
        raise ValueError("method='permutation' measures the loss, which needs y")
    explained = task.explained(n_rows)
    rows = task.rows.take(explained)
    loss = loss_function(task.model, task.columns, task.y[explained])
    before = loss(rows.data)
    rise = np.zeros((len(rows), len(task.columns)))
    for _ in range(n_permutations):
        order = task.generator.permutation(len(rows))
        for k, part in enumerate(task.columns):
            rise[:, k] += loss(rows.permuted(order, part)) - before
    n_evaluations = len(rows) * (1 + n_permutations * len(task.columns))
    return task.result("permutation", rise / n_permutations, None, n_evaluations)


_METHODS = {
    "permutation_shapley": _permutation_shapley,
    "party_shapley": _party_shapley,
    "linear": _linear,
    "permutation": _permutation,
}
