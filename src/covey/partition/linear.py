"""Logistic, softmax and ridge regression on columns that lie with several parties: the pooled columns' optimum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from covey.partition._channel import Channel
from covey.partition._inputs import Encoder
from covey.partition._line_search import line_search
from covey.partition._objective import Task
from covey.partition._vertical import PartyModel, VerticalEstimator

_MEMORY = 20  # pairs that L-BFGS remembers
_STEP, _CHANGE, _GRADIENT = _MEMORY - 1, 2 * _MEMORY - 1, 2 * _MEMORY  # the newest of each among the vectors


class VerticalLinear(VerticalEstimator):
    """Linear model whose coefficients stay with the parties that hold the columns.

    Minimises ``sum of losses + l2 / 2 * sum of squared coefficients`` on standardised columns (see `Encoder`), with a
    free intercept: the optimum that scikit-learn's ``LogisticRegression(C=1 / l2)`` and ``Ridge(alpha=l2)`` find on all
    columns together.

    The optimiser is L-BFGS whose vectors are spread over the parties: each keeps its own part of every step and
    gradient change and sends inner products only. A party first rotates and scales its own columns by their singular
    value decomposition, so that correlation within it slows nothing down. Step lengths are exact and cost no round,
    because scores are linear in the step.

    Each iteration takes two rounds and sends each passive party the residuals, and back what its columns add to the
    scores, both float64 of shape (n_samples, n_outputs). **Residuals tell labels**: their sign alone gives them away,
    from the first message on. The label holder sees a new linear combination of a party's columns with each iteration
    and output; as many of them as there are columns span these.

    Parameters
    ----------
    l2 : float
        At least 0. With 0 the coefficients are those of least norm within each party's rotation.
    max_iter : int
        Iterations at most.
    tol : float
        Training ends when the gradient's norm, in the rotated columns, is this fraction of the first one.
    task : {"auto", "classification", "regression"}
    random_state : int
        Unused: nothing is random.

    Attributes
    ----------
    coef_ : list of ndarray of shape (n_columns of the party, n_outputs)
        Of the standardised columns, by party; for regression on labels standardised too.
    intercept_ : ndarray of shape (n_outputs,)
    n_iter_ : int
        Iterations done.

    References
    ----------
    W. Chen, Z. Wang, J. Zhou, "Large-scale L-BFGS using MapReduce", NeurIPS 2014 (L-BFGS by inner products).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = VerticalLinear().fit([X[:, :10], X[:, 10:]], y)
    >>> round(model.score([X[:, :10], X[:, 10:]], y), 3)
    0.988
    >>> [coef.shape for coef in model.coef_]
    [(10, 1), (20, 1)]
    """

    name: ClassVar[str] = "linear"

    def __init__(
        self, l2: float = 1.0, max_iter: int = 200, tol: float = 1e-6, task: Task = "auto", random_state: int = 0
    ) -> None:
        self.l2 = l2
        self.max_iter = max_iter
        self.tol = tol
        self.task = task
        self.random_state = random_state

    @property
    def n_steps(self) -> int:
        """Iterations at most."""
        return self.max_iter

    @property
    def coef_(self) -> list[NDArray[np.float64]]:
        """Coefficients of each party."""
        return [party.coefficients[: party.encoder.n_outputs] for party in self._trained()]

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Of the scores, shape (n_outputs,)."""
        return self._trained()[self.label_party_].coefficients[-1]

    @property
    def n_iter_(self) -> int:
        """Iterations done."""
        return len(self.history_)

    def _trained(self) -> list[_LinearParty]:
        if not hasattr(self, "parties_"):
            raise AttributeError("the model is not fitted")
        return self.parties_  # type: ignore[return-value]

    def _party(self, active: bool) -> PartyModel:
        if self.l2 < 0 or self.tol < 0 or self.max_iter < 1:
            raise ValueError(
                "l2 and tol must be at least 0 and max_iter at least 1, "
                f"got l2={self.l2}, tol={self.tol}, max_iter={self.max_iter}"
            )
        return _LabelHolder(self) if active else _LinearParty(self)


def rotate(columns: NDArray[np.float64], l2: float, curvature: float) -> tuple[NDArray[np.float64], ...]:
    """Coordinates of a party's coefficients in which its own second derivative is near the identity.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_columns)
    l2 : float
        Penalty of the sum of squared coefficients.
    curvature : float
        Second derivative of a sample's loss, about.

    Returns
    -------
    rotation : ndarray of shape (n_columns, rank)
        Coefficients are ``rotation @ coordinates``.
    ridge : ndarray of shape (rank,)
        Penalty of each squared coordinate.

    Examples
    --------
    >>> rotation, ridge = rotate(np.diag([2.0, 1.0]), l2=5.0, curvature=1.0)
    >>> np.abs(rotation).round(3).tolist(), ridge.round(3).tolist()
    ([[0.333, 0.0], [0.0, 0.408]], [0.556, 0.833])
    """
    _, values, basis = np.linalg.svd(columns, full_matrices=False)
    kept = values > values.max(initial=0.0) * max(columns.shape) * np.finfo(np.float64).eps
    size = curvature * values[kept] ** 2 + l2
    return basis[kept].T / np.sqrt(size), l2 / size


def two_loop(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction of L-BFGS as a mixture of vectors of which only the inner products are known.

    Parameters
    ----------
    products : ndarray of shape (2 * m + 1, 2 * m + 1)
        Inner products of m steps and of the m changes of the gradient over them, both oldest first, and the gradient.

    Returns
    -------
    ndarray of shape (2 * m + 1,)
        Weights of the vectors. A pair without positive curvature is left out.

    Examples
    --------
    At 6, after a step of 2, the direction to the minimum of ``x ** 2 / 4``:

    >>> vectors = np.array([2.0, 1.0, 3.0])
    >>> float(two_loop(np.outer(vectors, vectors)) @ vectors)
    -6.0
    """
    m = len(products) // 2
    square = products.diagonal()[m : 2 * m]
    curvature = products.diagonal(m)[:m]
    pairs = np.flatnonzero(curvature > np.finfo(np.float64).eps * square).tolist()
    mixture = np.zeros(len(products))
    mixture[-1] = -1.0
    along = np.zeros(m)
    for i in reversed(pairs):
        along[i] = products[i] @ mixture / curvature[i]
        mixture[m + i] -= along[i]
    if pairs:
        mixture *= curvature[pairs[-1]] / square[pairs[-1]]
    for i in pairs:
        mixture[i] += along[i] - products[m + i] @ mixture / curvature[i]
    return mixture


class _LinearParty(PartyModel):
    """A party's coefficients, and its part of the optimiser's vectors.

    Attributes
    ----------
    rotation : ndarray of shape (n_columns, rank)
    weights : ndarray of shape (rank, n_outputs)
        Coordinates of the coefficients; see `rotate`.
    vectors : ndarray of shape (2 * m + 1, rank, n_outputs)
        Last steps, changes of the gradient over them, and the gradient.
    """

    algorithm: VerticalLinear

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """Of the encoded columns, shape (n_columns, n_outputs); the label holder's last one is the intercept."""
        return self.rotation @ self.weights

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        curvature, n_outputs = channel.receive(channel.active, "setup", (2,), np.float64)
        self.encoder = Encoder().fit(X)
        columns = self.encoder.transform(X)
        self.rotation, self.ridge = rotate(columns, self.algorithm.l2, float(curvature))
        self._begin(columns, int(n_outputs))

    def step(self, channel: Channel, step: int) -> float | None:
        shape = len(self.columns), self.weights.shape[1]
        residual = channel.receive(channel.active, "residual", shape, np.float64)
        channel.send(channel.active, "products", self._update(residual))
        mixture = channel.receive(channel.active, "mixture", (len(self.vectors),), np.float64)
        if mixture.any():
            direction, *proposal = self._propose(mixture)
            channel.send(channel.active, "scores", *proposal)
            self._move(direction * float(channel.receive(channel.active, "length", (), np.float64)))
        else:
            self.finished = True
        return None

    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64] | None:
        channel.send(channel.active, "scores", self.encoder.transform(X) @ self.coefficients)
        return None

    def state(self) -> dict[str, NDArray]:
        encoder = {f"encoder/{key}": value for key, value in self.encoder.state().items()}
        return encoder | {"rotation": self.rotation, "weights": self.weights, "vectors": self.vectors}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        own = {key.removeprefix("encoder/"): value for key, value in state.items() if key.startswith("encoder/")}
        self.encoder = Encoder.from_state(own)
        self.rotation, self.weights, self.vectors = state["rotation"], state["weights"], state["vectors"].copy()

    def _begin(self, columns: NDArray[np.float64], n_outputs: int) -> None:
        self.columns = columns @ self.rotation
        self.weights = np.zeros((len(self.ridge), n_outputs))
        self.vectors = np.zeros((2 * _MEMORY + 1, *self.weights.shape))

    def _update(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take up residuals; inner products of the newest step, change and gradient with all vectors."""
        gradient = self.columns.T @ residual + self.ridge[:, None] * self.weights
        self.vectors[_CHANGE] = gradient - self.vectors[_GRADIENT]
        self.vectors[_GRADIENT] = gradient
        flat = self.vectors.reshape(len(self.vectors), self.weights.size)
        return flat[[_STEP, _CHANGE, _GRADIENT]] @ flat.T

    def _propose(self, mixture: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """A direction, its scores, and the slope and curvature of the penalty along it."""
        direction = np.tensordot(mixture, self.vectors, axes=1)
        penalised = self.ridge[:, None] * direction
        penalty = [(penalised * self.weights).sum(), (penalised * direction).sum()]
        return direction, self.columns @ direction, np.array(penalty)

    def _move(self, change: NDArray[np.float64]) -> None:
        """Take a step; the oldest pair of vectors makes room."""
        for newest in (_STEP, _CHANGE):
            oldest = newest - _MEMORY + 1
            self.vectors[oldest:newest] = self.vectors[oldest + 1 : newest + 1]
        self.vectors[_STEP] = change
        self.weights = self.weights + change


class _LabelHolder(_LinearParty):
    """The party that adds up scores and inner products, and decides where to go.

    Attributes
    ----------
    total : ndarray of shape (n_samples, n_outputs)
        Scores of the training rows.
    products : ndarray of shape (2 * m + 1, 2 * m + 1)
        Inner products of the whole vectors.
    first_norm : float
        Of the gradient when training began.
    """

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        assert self.objective is not None and target is not None
        self.target = target
        n, n_outputs = target.shape
        intercept = self.objective.start(target)
        intercept = intercept - intercept.mean() if n_outputs > 1 else intercept
        self.total = np.tile(intercept, (n, 1))
        curvature = float(self.objective.hessian(self.total).mean())
        channel.broadcast("setup", np.array([curvature, n_outputs], dtype=np.float64))
        self.encoder = Encoder().fit(X)
        columns = self.encoder.transform(X)
        rotation, ridge = rotate(columns, self.algorithm.l2, curvature)
        unit = 1.0 / np.sqrt(curvature * n)
        self.rotation = np.block([[rotation, np.zeros((len(rotation), 1))], [np.zeros((1, len(ridge))), unit]])
        self.ridge = np.append(ridge, 0.0)
        self._begin(_with_ones(columns), n_outputs)
        self.weights[-1] = intercept / unit
        self.products = np.zeros((len(self.vectors), len(self.vectors)))
        self.penalty = 0.0
        self.first_norm = 0.0

    def step(self, channel: Channel, step: int) -> float | None:
        assert self.objective is not None
        residual = self.objective.gradient(self.total, self.target)
        channel.broadcast("residual", residual)
        new = self._update(residual) + sum(channel.gather("products", (3, len(self.vectors)), np.float64))
        mixture = self._mixture(new, step)
        channel.broadcast("mixture", mixture)
        self.finished = not mixture.any()
        return None if self.finished else self._go(channel, mixture)

    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64] | None:
        own = _with_ones(self.encoder.transform(X)) @ self.coefficients
        return own + sum(channel.gather("scores", own.shape, np.float64))

    def state(self) -> dict[str, NDArray]:
        numbers = np.array([self.penalty, self.first_norm])
        return super().state() | {"total": self.total, "products": self.products, "numbers": numbers}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        super().restore(state)
        self.total, self.products = state["total"], state["products"].copy()
        self.penalty, self.first_norm = state["numbers"].tolist()

    def _mixture(self, new: NDArray[np.float64], step: int) -> NDArray[np.float64]:
        """The direction as a mixture of the vectors; zeros when the gradient has shrunk enough."""
        for row, vector in zip(new, (_STEP, _CHANGE, _GRADIENT)):
            self.products[vector] = self.products[:, vector] = row
        norm = float(np.sqrt(self.products[_GRADIENT, _GRADIENT]))
        self.first_norm = self.first_norm if step else norm
        return two_loop(self.products) if norm > self.algorithm.tol * self.first_norm else np.zeros(len(new[0]))

    def _go(self, channel: Channel, mixture: NDArray[np.float64]) -> float:
        """Move along the direction to the minimum; the loss there."""
        assert self.objective is not None
        direction, added, penalty = self._propose(mixture)
        for rank in channel.others:
            theirs, slope_and_curvature = channel.receive_many(
                rank, "scores", (added.shape, (2,)), (np.float64, np.float64)
            )
            added, penalty = added + theirs, penalty + slope_and_curvature
        n = len(added)
        length = line_search(self.objective, self.total, self.target, added, *(penalty / n))
        channel.broadcast("length", np.float64(length))
        self._move(direction * length)
        self._shift_products()
        self.total = self.total + length * added
        self.penalty += length * penalty[0] + 0.5 * length**2 * penalty[1]
        return self.objective.loss(self.total, self.target) + self.penalty / n

    def _shift_products(self) -> None:
        """The products follow the vectors when the oldest pair makes room."""
        kept = np.arange(2 * _MEMORY + 1)
        kept[:_STEP] += 1
        kept[_MEMORY:_CHANGE] += 1
        self.products = self.products[np.ix_(kept, kept)]


def _with_ones(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns and a constant one, whose coefficient is the intercept."""
    return np.column_stack([columns, np.ones(len(columns))])
