"""GAL: boosting in which each party fits its own model to the residuals that the label holder sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import get_tags

from covey.partition._channel import Channel
from covey.partition._inputs import Encoder
from covey.partition._line_search import line_search
from covey.partition._objective import Task
from covey.partition._vertical import PartyModel, VerticalEstimator

Learner = Literal["linear", "boosting", "mlp"]
Matrix = NDArray[np.float64]

# Where residuals are fitted perfectly the loss falls for ever; such a step would leave nothing to later rounds.
_LONGEST_STEP = 100.0


class GAL(VerticalEstimator):
    """Gradient assisted learning: parties help with whatever model they have, and nobody shows theirs.

    Each round the label holder sends the pseudo-residuals, minus the derivative of each sample's loss by its scores, to
    all parties. Each fits its own model to them by least squares and returns the fitted values. The label holder finds
    the convex combination of all fitted values, its own among them, that is nearest to the residuals, and the step
    along it that lowers the loss most, so that the training loss never rises. A party learns the product of its weight
    and the step; models of weight 0 are dropped.

    Each round sends each passive party float32 arrays of shape (n_samples, n_outputs) twice, the residuals to it and
    fitted values back, and one number. For a prediction a party sends the weighted sum over its rounds, one such array
    however many rounds there were. **Residuals tell labels**: in the first round they take one value for each class.
    Fitted values are functions of one party's columns that the label holder sees row by row.

    Parameters
    ----------
    learner : {"linear", "boosting", "mlp"} or scikit-learn regressor
        What each party fits: a ridge regression, 5 boosted trees of depth 3, a network with one layer of 64 units, or
        clones of a regressor. A model of regressors of one's own cannot be written to a file, nor to a checkpoint.
    n_rounds : int
    learning_rate : float
        Share of the best step that is taken, above 0 and at most 1. The paper has 1, with which local models that fit
        closely leave nothing to learn after a few rounds.
    task : {"auto", "classification", "regression"}
    random_state : int

    Attributes
    ----------
    weights_ : ndarray of shape (n_rounds, n_parties)
        Of each party in each round, 0..1; they sum to 1.
    steps_ : ndarray of shape (n_rounds,)
        Taken, at least 0.

    References
    ----------
    E. Diao, J. Ding, V. Tarokh, "GAL: Gradient assisted learning for decentralized multi-organization collaborations",
    NeurIPS 2022, arXiv:2106.01425.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> parties = [X[:, :5], X[:, 5:9], X[:, 9:]]
    >>> model = GAL(n_rounds=5).fit(parties, y)
    >>> round(model.score(parties, y), 2)
    1.0
    >>> model.weights_.shape, model.traffic_.by_tag()["residual"]
    ((5, 3), (21360, 10))
    """

    name: ClassVar[str] = "gal"

    def __init__(
        self,
        learner: Learner | Any = "boosting",
        n_rounds: int = 10,
        learning_rate: float = 0.5,
        task: Task = "auto",
        random_state: int = 0,
    ) -> None:
        self.learner = learner
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.task = task
        self.random_state = random_state

    @property
    def n_steps(self) -> int:
        """Number of rounds."""
        return self.n_rounds

    @property
    def weights_(self) -> Matrix:
        """Weight of each party in each round, shape (n_rounds, n_parties)."""
        return np.array(self._holder().weights)

    @property
    def steps_(self) -> Matrix:
        """Step of each round, shape (n_rounds,)."""
        return np.array(self._holder().steps)

    def _holder(self) -> _LabelHolder:
        if not hasattr(self, "parties_"):
            raise AttributeError("the model is not fitted")
        return self.parties_[self.label_party_]  # type: ignore[return-value]

    def _party(self, active: bool) -> PartyModel:
        if self.n_rounds < 1:
            raise ValueError(f"n_rounds must be at least 1, got {self.n_rounds}")
        if not 0.0 < self.learning_rate <= 1.0:
            raise ValueError(f"learning_rate must be above 0 and at most 1, got {self.learning_rate}")
        if isinstance(self.learner, str) and self.learner not in _LEARNERS:
            raise ValueError(f"learner must be one of {', '.join(_LEARNERS)} or a regressor, got {self.learner!r}")
        if not isinstance(self.learner, str) and not (
            isinstance(self.learner, BaseEstimator) and is_regressor(self.learner)
        ):
            raise TypeError(f"learner must be a name or a scikit-learn regressor, got {self.learner!r}")
        return _LabelHolder(self) if active else _Helper(self)


def simplex_weights(fitted: Sequence[NDArray], residual: NDArray) -> Matrix:
    """The convex combination of fitted values that is nearest to the residuals.

    As the weights sum to 1, this is the point nearest to the origin in the convex hull of ``fitted - residual``, which
    non-negative least squares with one more row of ones finds exactly, up to scale.

    Parameters
    ----------
    fitted : sequence of K ndarray of shape (n_samples, n_outputs)
    residual : ndarray of shape (n_samples, n_outputs)

    Returns
    -------
    ndarray of shape (K,)
        Non-negative, with sum 1.

    Examples
    --------
    >>> residual = np.array([[1.0], [2.0]])
    >>> simplex_weights([0.0 * residual, 2.0 * residual, -residual], residual).round(6).tolist()
    [0.5, 0.5, 0.0]
    """
    scale = float(np.linalg.norm(residual)) or 1.0
    errors = np.column_stack([(f - residual).ravel() for f in fitted]).astype(np.float64) / scale
    square = np.linalg.qr(errors, mode="r")
    system = np.vstack([square, np.ones(len(fitted))])
    weights, _ = nnls(system, np.append(np.zeros(len(square)), 1.0))
    return weights / weights.sum()


class _Helper(PartyModel):
    """A party that fits its own models to residuals.

    Attributes
    ----------
    models : list of LocalModel
        Those of the rounds in which the party had a weight.
    coefficients : list of float
        Weight times step of each of them.
    """

    algorithm: GAL

    def start(self, channel: Channel, X: Any, target: Matrix | None) -> None:
        self.encoder = Encoder().fit(X)
        self.columns = self.encoder.transform(X)
        self.n_outputs = 0
        self.models: list[LocalModel] = []
        self.coefficients: list[float] = []

    def step(self, channel: Channel, step: int) -> float | None:
        residual = channel.receive(channel.active, "residual", (len(self.columns), None), np.float32)
        model = self._fit(channel, step, residual)
        channel.send(channel.active, "fitted", model.predict(self.columns).astype(np.float32))
        self._keep(model, float(channel.receive(channel.active, "coefficient", (), np.float64)))
        return None

    def scores(self, channel: Channel, X: Any) -> Matrix | None:
        channel.send(channel.active, "fitted", self._fitted(X).astype(np.float32))
        return None

    def state(self) -> dict[str, NDArray]:
        state = {f"encoder/{key}": value for key, value in self.encoder.state().items()}
        for i, model in enumerate(self.models):
            state |= {f"models/{i}/{key}": value for key, value in model.state().items()}
        return state | {"coefficients": np.array(self.coefficients), "n_outputs": np.array(self.n_outputs)}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        self.encoder = Encoder.from_state(_under("encoder/", state))
        self.n_outputs = int(state["n_outputs"])
        self.coefficients = state["coefficients"].tolist()
        kind = _learner(self.algorithm, self.encoder.n_outputs)
        self.models = [kind.from_state(_under(f"models/{i}/", state)) for i in range(len(self.coefficients))]

    def _fit(self, channel: Channel, step: int, residual: NDArray) -> LocalModel:
        self.n_outputs = residual.shape[1]
        seed = np.random.SeedSequence([self.algorithm.random_state, channel.rank, step])
        kind = _learner(self.algorithm, self.columns.shape[1])
        return kind.fit(self.columns, residual.astype(np.float64), int(seed.generate_state(1)[0] >> 1))

    def _keep(self, model: LocalModel, coefficient: float) -> None:
        if coefficient:
            self.models.append(model)
            self.coefficients.append(coefficient)

    def _fitted(self, X: Any) -> Matrix:
        """Weighted sum of the models' values, shape (n_samples, n_outputs)."""
        columns = self.encoder.transform(X)
        total = np.zeros((len(columns), self.n_outputs))
        for model, coefficient in zip(self.models, self.coefficients):
            total += coefficient * model.predict(columns)
        return total


class _LabelHolder(_Helper):
    """The party that sends residuals and weighs what comes back.

    Attributes
    ----------
    constant : ndarray of shape (n_outputs,)
        Scores before the first round.
    total : ndarray of shape (n_samples, n_outputs)
        Scores of the training rows.
    weights : list of ndarray of shape (n_parties,)
    steps : list of float
    """

    def start(self, channel: Channel, X: Any, target: Matrix | None) -> None:
        super().start(channel, X, target)
        assert self.objective is not None and target is not None
        self.target = target
        self.constant = self.objective.start(target)
        self.total = np.tile(self.constant, (len(target), 1))
        self.weights: list[Matrix] = []
        self.steps: list[float] = []

    def step(self, channel: Channel, step: int) -> float | None:
        assert self.objective is not None
        residual = (-self.objective.gradient(self.total, self.target)).astype(np.float32)
        channel.broadcast("residual", residual)
        model = self._fit(channel, step, residual)
        fitted = channel.gather("fitted", residual.shape, np.float32)
        fitted.insert(channel.rank, model.predict(self.columns))
        weights = simplex_weights(fitted, residual)
        direction = sum(weight * values for weight, values in zip(weights, fitted))
        best = line_search(self.objective, self.total, self.target, direction, longest=_LONGEST_STEP)
        length = self.algorithm.learning_rate * best
        for rank in channel.others:
            channel.send(rank, "coefficient", np.float64(length * weights[rank]))
        self._keep(model, float(length * weights[channel.rank]))
        self.total = self.total + length * direction
        self.weights.append(weights)
        self.steps.append(length)
        return self.objective.loss(self.total, self.target)

    def scores(self, channel: Channel, X: Any) -> Matrix | None:
        own = self.constant + self._fitted(X)
        return own + sum(channel.gather("fitted", own.shape, np.float32))

    def state(self) -> dict[str, NDArray]:
        rounds = {"weights": np.array(self.weights), "steps": np.array(self.steps)}
        return super().state() | rounds | {"constant": self.constant, "total": self.total}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        super().restore(state)
        self.constant, self.total = state["constant"], state["total"]
        self.weights, self.steps = list(state["weights"]), state["steps"].tolist()


class LocalModel(Protocol):
    """What a party fits to residuals of shape (n_samples, n_outputs)."""

    @classmethod
    def fit(cls, X: Matrix, residual: Matrix, seed: int) -> Self:
        """The model of least squares."""

    def predict(self, X: Matrix) -> Matrix:
        """Fitted values, shape (n_samples, n_outputs)."""

    def state(self) -> dict[str, NDArray]:
        """Arrays that `from_state` takes."""

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> Self:
        """The model that `state` describes."""


@dataclass(frozen=True, eq=False)
class LinearLearner:
    """Ridge regression with penalty 1, or a constant where there is no column."""

    coefficients: Matrix
    intercept: Matrix

    @classmethod
    def fit(cls, X: Matrix, residual: Matrix, seed: int) -> LinearLearner:
        if not X.shape[1]:
            return cls(np.zeros((0, residual.shape[1])), residual.mean(axis=0))
        ridge = Ridge().fit(X, residual)
        return cls(ridge.coef_.reshape(residual.shape[1], -1).T, np.atleast_1d(ridge.intercept_))

    def predict(self, X: Matrix) -> Matrix:
        return X @ self.coefficients + self.intercept

    def state(self) -> dict[str, NDArray]:
        return {"coefficients": self.coefficients, "intercept": self.intercept}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> LinearLearner:
        return cls(state["coefficients"], state["intercept"])


@dataclass(frozen=True, eq=False)
class BoostingLearner:
    """Boosted regression trees, kept as one table of nodes.

    Parameters
    ----------
    roots : ndarray of shape (n_trees,)
    children : ndarray of shape (n_nodes, 2)
        Where values at most the threshold go, and where others go; a leaf is its own child.
    feature, threshold : ndarray of shape (n_nodes,)
    value : ndarray of shape (n_nodes, n_outputs)
    """

    roots: NDArray[np.int32]
    children: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Matrix
    value: Matrix

    n_trees: ClassVar[int] = 5
    depth: ClassVar[int] = 3
    rate: ClassVar[float] = 0.3

    @classmethod
    def fit(cls, X: Matrix, residual: Matrix, seed: int) -> BoostingLearner:
        trees = []
        left = residual
        for k in range(cls.n_trees):
            tree = DecisionTreeRegressor(max_depth=cls.depth, min_samples_leaf=5, random_state=(seed + k) % 2**31)
            trees.append(tree.fit(X, left).tree_)
            left = left - cls.rate * tree.predict(X).reshape(residual.shape)
        roots = np.cumsum([0] + [tree.node_count for tree in trees])
        return cls(
            roots[:-1].astype(np.int32),
            np.vstack([_children(tree) + root for tree, root in zip(trees, roots)]).astype(np.int32),
            np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
            np.concatenate([tree.threshold for tree in trees]),
            cls.rate * np.concatenate([tree.value[:, :, 0] for tree in trees]),
        )

    def predict(self, X: Matrix) -> Matrix:
        values = X.astype(np.float32)  # in which scikit-learn's trees compare
        rows = np.arange(len(X))
        total = np.zeros((len(X), self.value.shape[1]))
        for root in self.roots:
            node = np.full(len(X), root)
            for _ in range(self.depth):
                right = values[rows, self.feature[node]] > self.threshold[node]
                node = self.children[node, right.astype(np.intp)]
            total += self.value[node]
        return total

    def state(self) -> dict[str, NDArray]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> BoostingLearner:
        return cls(**state)


@dataclass(frozen=True, eq=False)
class MLPLearner:
    """Network with one hidden layer of rectified units, trained by Adam."""

    hidden: Matrix
    hidden_bias: Matrix
    out: Matrix
    out_bias: Matrix

    n_units: ClassVar[int] = 64
    n_epochs: ClassVar[int] = 30

    @classmethod
    def fit(cls, X: Matrix, residual: Matrix, seed: int) -> MLPLearner:
        target = residual[:, 0] if residual.shape[1] == 1 else residual
        network = MLPRegressor(hidden_layer_sizes=(cls.n_units,), learning_rate_init=0.01, random_state=seed)
        for _ in range(cls.n_epochs):
            network.partial_fit(X, target)
        return cls(network.coefs_[0], network.intercepts_[0], network.coefs_[1], network.intercepts_[1])

    def predict(self, X: Matrix) -> Matrix:
        return np.maximum(X @ self.hidden + self.hidden_bias, 0.0) @ self.out + self.out_bias

    def state(self) -> dict[str, NDArray]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> MLPLearner:
        return cls(**state)


_LEARNERS: dict[str, type[LocalModel]] = {"linear": LinearLearner, "boosting": BoostingLearner, "mlp": MLPLearner}


@dataclass(frozen=True, eq=False)
class ForeignLearner:
    """Clones of a scikit-learn regressor, one an output where it has no more than one."""

    regressor: Any

    def fit(self, X: Matrix, residual: Matrix, seed: int) -> ForeignLearner:
        regressor = clone(self.regressor)
        if "random_state" in regressor.get_params():
            regressor.set_params(random_state=seed % 2**31)
        if residual.shape[1] > 1 and not get_tags(regressor).target_tags.multi_output:
            regressor = MultiOutputRegressor(regressor)
        return ForeignLearner(regressor.fit(X, residual[:, 0] if residual.shape[1] == 1 else residual))

    def predict(self, X: Matrix) -> Matrix:
        return np.asarray(self.regressor.predict(X)).reshape(len(X), -1)

    def state(self) -> dict[str, NDArray]:
        raise TypeError(
            f"{type(self.regressor).__name__} cannot be written to a file of arrays; "
            f"take one of the learners {', '.join(_LEARNERS)}, or train without files and checkpoints"
        )


def _learner(algorithm: GAL, n_columns: int) -> Any:
    """What fits a party's models: of the wanted kind, or constants where there is no column."""
    if not n_columns:
        return LinearLearner
    return _LEARNERS[algorithm.learner] if isinstance(algorithm.learner, str) else ForeignLearner(algorithm.learner)


def _children(tree: Any) -> NDArray[np.int64]:
    """Left and right child of each node of a scikit-learn tree; a leaf is its own."""
    both = np.column_stack([tree.children_left, tree.children_right])
    return np.where(both < 0, np.arange(len(both))[:, None], both)


def _under(prefix: str, state: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The arrays whose names start with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
