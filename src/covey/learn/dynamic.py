"""Networks that learn which feature to ask next, by estimating conditional mutual information; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from covey.learn.deep_cca import descend, perceptron
from covey.learn.mi_bounds import paired_batches
from covey.select.dynamic import Array, DynamicClassifier, Mask
from covey.table import FeatureTable


class CMIEstimator(nn.Module):
    """Two networks on what is known of a row: one for its class, one for what each feature would tell about it.

    Both see the known values, zeros in place of the others, and which are known. The information of a feature is
    ``sigmoid(v) * H(class | known)``, so that it lies between 0 and the entropy that is left.

    Parameters
    ----------
    widths : sequence of int
        Inputs of each feature: 1 for a number, one for each label of a category.
    n_groups : int
        What can be asked.
    n_classes : int
    generator : torch.Generator
    hidden : tuple of int
        Units of the hidden layers of each network.
    dropout : float
        Share of hidden units dropped in training.

    References
    ----------
    Gadgil, Covert and Lee (2024), Estimating Conditional Mutual Information for Dynamic Feature Selection. ICLR.
    arXiv:2306.03301.

    Examples
    --------
    >>> model = CMIEstimator([1, 1, 3], 3, 2, torch.Generator().manual_seed(0))
    >>> information, logits = model(torch.ones(4, 5), torch.zeros(4, 3, dtype=torch.bool))
    >>> information.shape, logits.shape, bool((information < np.log(2)).all())
    (torch.Size([4, 3]), torch.Size([4, 2]), True)
    """

    owner: Tensor

    def __init__(
        self,
        widths: Sequence[int],
        n_groups: int,
        n_classes: int,
        generator: torch.Generator,
        hidden: tuple[int, ...] = (128, 128),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        inputs = sum(widths) + len(widths)
        self.register_buffer("owner", torch.repeat_interleave(torch.arange(len(widths)), torch.as_tensor(widths)))
        self.predictor = perceptron([inputs, *hidden, n_classes], generator, dropout)
        self.value = perceptron([inputs, *hidden, n_groups], generator, dropout)

    def inputs(self, values: Tensor, known: Tensor) -> Tensor:
        """What both networks see, shape (n_rows, n_inputs + n_features)."""
        return torch.cat([values * known[:, self.owner], known.to(values.dtype)], dim=1)

    def forward(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Information of each group in nats, shape (n_rows, n_groups), and scores of classes, (n_rows, n_classes).

        Parameters
        ----------
        values : Tensor of shape (n_rows, n_inputs)
        known : Tensor of bool of shape (n_rows, n_features)
        """
        seen = self.inputs(values, known)
        logits = self.predictor(seen)
        shares = logits.detach().log_softmax(dim=1)
        entropy = -(shares.exp() * shares).sum(dim=1, keepdim=True)
        return self.value(seen).sigmoid() * entropy, logits


Rows = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Asking:
    """What can be asked in an episode.

    Parameters
    ----------
    member : Tensor of bool of shape (n_features, n_groups)
        Which columns are revealed together.
    costs : Tensor of shape (n_groups,)
    start : Tensor of bool of shape (n_features,)
        Known from the start.
    n_steps : int
    """

    member: Tensor
    costs: Tensor
    start: Tensor
    n_steps: int


def masked_cross_entropy(model: CMIEstimator, rows: Rows, asking: Asking, generator: torch.Generator) -> Tensor:
    """Loss of the class network on random sets of up to `n_steps` groups, every size as likely; shape ().

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_inputs), Tensor of bool of shape (n_rows, n_features), Tensor of shape (n_rows,)
        Inputs, which features are there, and classes.
    """
    values, available, labels = rows
    shape = len(values), asking.member.shape[1]
    size = torch.randint(asking.n_steps + 1, (shape[0], 1), generator=generator)
    ranks = torch.rand(shape, generator=generator).argsort(dim=1).argsort(dim=1)
    shown = ((ranks < size).float() @ asking.member.T.float() > 0) | asking.start
    return cross_entropy(model.predictor(model.inputs(values, shown & available)), labels)


def episode_loss(
    model: CMIEstimator, rows: Rows, asking: Asking, exploration: float, generator: torch.Generator
) -> Tensor:
    """Loss of both networks along one episode of asking for each row, shape ().

    From what is known at the start, `n_steps` times the group with the most estimated information per cost is revealed,
    or with probability `exploration` a random one. The class network pays its cross entropy at every step; the other
    one the squared difference of its estimate from the fall of the cross entropy, whose mean given what is known is the
    conditional mutual information where the class network is right. Choices and falls are those of the networks without
    dropout, and no gradient passes through them.

    Parameters
    ----------
    rows
        As for `masked_cross_entropy`.
    """
    values, _, labels = rows
    states, actions, falls = rolled_out(model, rows, asking, exploration, generator)
    told, logits = model(values.repeat(len(states), 1), torch.cat(states))
    loss = cross_entropy(logits, labels.repeat(len(states)))
    if not actions:
        return loss
    chosen, fall = torch.cat(actions), torch.cat(falls)
    told = told[: len(chosen)].gather(1, chosen.clamp(min=0)[:, None])[:, 0]
    return loss + ((chosen >= 0) * (told - fall) ** 2).sum() / len(labels) / len(states)


@torch.no_grad()
def rolled_out(
    model: CMIEstimator, rows: Rows, asking: Asking, exploration: float, generator: torch.Generator
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """What is known after 0 to `n_steps` steps, the group asked in each (-1 for none), and the fall of the loss."""
    values, available, labels = rows
    was_training = model.training
    model.eval()
    known = available & asking.start
    states, actions, falls = [known], [], []
    told, logits = model(values, known)
    loss = cross_entropy(logits, labels, reduction="none")
    for _ in range(asking.n_steps):
        is_open = (available & ~known).float() @ asking.member.float() > 0
        best = (told / asking.costs).masked_fill(~is_open, -torch.inf).argmax(dim=1)
        any_one = torch.rand(told.shape, generator=generator).masked_fill(~is_open, -1.0).argmax(dim=1)
        explores = torch.rand(len(values), generator=generator) < exploration
        action = torch.where(explores, any_one, best)
        known = known | (asking.member.T[action] & available)
        told, logits = model(values, known)
        after = cross_entropy(logits, labels, reduction="none")
        states.append(known)
        actions.append(action.masked_fill(~is_open.any(dim=1), -1))
        falls.append(loss - after)
        loss = after
    model.train(was_training)
    return states, actions, falls


class DynamicFeatureSelector(DynamicClassifier):
    """Ask the features of each row one at a time by learned conditional mutual information (DIME).

    A class network is trained on random sets of known features; then both networks of a `CMIEstimator` are trained
    along episodes of asking, in which the choice is random with a probability that falls linearly to 0, as does the
    step size.

    Parameters
    ----------
    max_features : int, optional
        Steps of an episode; by default as many as the budget allows, or all.
    hidden : tuple of int
        Units of the hidden layers of either network.
    dropout : float
        Share of hidden units dropped in training, 0..1, below 1.
    exploration : float
        Probability of a random choice at first, 0..1.
    pretrain_iter, max_iter : int
        Passes over the rows with random sets, and along episodes.
    batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the first falls linearly to 0.
    prior_features : array-like of int or str, optional
        Columns that are known from the start at no cost, in training as later, by their places or names. Asking with
        `query` begins with those that the given rows lack, and what cannot be had then is never asked.
    feature_costs, groups, budget, min_cmi, confidence
        As for `covey.select.dynamic.acquire`.
    random_state : int, RandomState or None

    Attributes
    ----------
    estimator_ : CMIEstimator
    classes_ : ndarray of shape (n_classes,)
    n_iter_, n_features_in_ : int
    feature_names_in_ : ndarray of str
        When the columns of `X` have names.

    Raises
    ------
    ValueError
        If `y` holds fewer than two classes or missing values, a parameter is out of range, or training diverges.

    References
    ----------
    Gadgil, Covert and Lee (2024), Estimating Conditional Mutual Information for Dynamic Feature Selection. ICLR.
    arXiv:2306.03301.

    Examples
    --------
    The second column says which of two others holds the class:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(2, size=(1000, 6)).astype(float)
    >>> y = 2 * x[:, 1] + np.where(x[:, 1] == 0, x[:, 0], x[:, 2])
    >>> model = DynamicFeatureSelector(hidden=(32,), dropout=0.0, budget=2, learning_rate=0.01, random_state=0)
    >>> found = model.fit(x[:800], y[:800]).acquire(x[800:])
    >>> found.order[:3].tolist(), x[800:803, 1].tolist()
    ([[1, 0], [1, 2], [1, 2]], [0.0, 1.0, 1.0])
    >>> float(model.score(x[800:], y[800:]))
    1.0
    """

    def __init__(
        self,
        max_features: int | None = None,
        hidden: tuple[int, ...] = (128, 128),
        dropout: float = 0.1,
        exploration: float = 0.5,
        pretrain_iter: int = 20,
        max_iter: int = 40,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        prior_features: ArrayLike | None = None,
        feature_costs: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        budget: float | None = None,
        min_cmi: float | None = None,
        confidence: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.max_features = max_features
        self.hidden = hidden
        self.dropout = dropout
        self.exploration = exploration
        self.pretrain_iter = pretrain_iter
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.prior_features = prior_features
        self.feature_costs = feature_costs
        self.groups = groups
        self.budget = budget
        self.min_cmi = min_cmi
        self.confidence = confidence
        self.random_state = random_state

    def _learn(self, table: FeatureTable, values: Array, labels: NDArray[np.int64]) -> None:
        self._check_training()
        self._start = self._prior(table.names)
        centre, scale = _moments(values)
        self._centre, self._scale = centre, scale
        self._widths = [
            int(usable) if codes is None else len(codes) * usable
            for codes, usable in zip(self._reader.categories, self._reader.usable)
        ]
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        n_groups = self._member.shape[1]
        self.estimator_ = CMIEstimator(
            self._widths, n_groups, len(self.classes_), generator, tuple(self.hidden), self.dropout
        )
        self._train(values, labels, generator)
        self.estimator_.double().eval()  # rounding must not decide which of two features is asked
        self.n_iter_ = self.max_iter

    def _train(self, values: Array, labels: NDArray[np.int64], generator: torch.Generator) -> None:
        views = [
            torch.as_tensor(self._inputs(values), dtype=torch.float32),
            torch.as_tensor(~np.isnan(values)),
            torch.as_tensor(labels),
        ]
        asking = Asking(
            torch.as_tensor(self._member.toarray() > 0),
            torch.as_tensor(self._costs, dtype=torch.float32),
            torch.as_tensor(self._start),
            self._n_asked(),
        )
        steps_of_pass = max(len(labels) // self.batch_size, 1)

        def pretraining_loss(batch: Sequence[Any]) -> Tensor:
            return masked_cross_entropy(self.estimator_, (batch[0], batch[1], batch[2]), asking, generator)

        def loss(batch: Sequence[Any]) -> Tensor:
            *rows, left = batch
            return episode_loss(
                self.estimator_, (rows[0], rows[1], rows[2]), asking, self.exploration * left, generator
            )

        for n_passes, loss_of in ((self.pretrain_iter, pretraining_loss), (self.max_iter, loss)):
            n_steps = n_passes * steps_of_pass
            if not n_steps:
                continue
            batches: Iterator[list[Any]] = paired_batches(views, self.batch_size, n_steps, generator)
            if loss_of is loss:
                batches = ([*batch, 1.0 - k / n_steps] for k, batch in enumerate(batches))
            descend([self.estimator_], batches, loss_of, n_steps, self.learning_rate, self.weight_decay)

    def _n_asked(self) -> int:
        """Steps of an episode."""
        asked = self._is_asked()
        n_groups = int(np.count_nonzero(asked))
        if self.max_features is not None:
            return min(self.max_features, n_groups)
        if self.budget is None:
            return n_groups
        return int(np.count_nonzero(np.cumsum(np.sort(self._costs[asked])) <= self.budget * (1 + 1e-12)))

    def _is_asked(self) -> NDArray[np.bool_]:
        """Groups that are not known from the start."""
        return self._member.T @ ~self._start > 0

    def _inputs(self, values: Array) -> Array:
        """Numbers standardised, categories one column a label, zeros where missing; shape (n_rows, n_inputs)."""
        columns: list[Array] = []
        for j, (codes, width) in enumerate(zip(self._reader.categories, self._widths)):
            column = values[:, j]
            if codes is not None:
                columns.append((column[:, None] == np.arange(width)).astype(np.float64))
            elif width:
                columns.append(np.nan_to_num((column[:, None] - self._centre[j]) / self._scale[j]))
        return np.hstack(columns)

    def _estimate(self, values: Array, known: Mask) -> tuple[Array, Array]:
        with torch.no_grad():
            told, logits = self.estimator_(torch.as_tensor(self._inputs(values)), torch.as_tensor(known))
        return np.where(self._is_asked(), told.numpy(), np.nan), logits.softmax(dim=1).numpy()

    def _known_from_start(self, values: Array, reveal: Callable[[int, int], float] | None) -> Mask | None:
        if reveal is None:
            return np.broadcast_to(self._start, values.shape)
        for i, j in zip(*np.nonzero(np.isnan(values) & self._start)):
            values[i, j] = reveal(int(i), int(j))
        return None

    def _prior(self, names: Sequence[str]) -> NDArray[np.bool_]:
        start = np.zeros(len(names), dtype=bool)
        for feature in () if self.prior_features is None else np.asarray(self.prior_features).ravel().tolist():
            if isinstance(feature, str):
                if feature not in names:
                    raise ValueError(f"prior_features names {feature!r}, which is not a column of X")
                feature = list(names).index(feature)
            if isinstance(feature, bool) or not isinstance(feature, int):
                raise ValueError(f"prior_features must be names or places of columns, got {feature!r}")
            if not -len(names) <= feature < len(names):
                raise ValueError(f"prior_features has {feature}, but X has {len(names)} columns")
            start[feature] = True
        if start.all():
            raise ValueError("prior_features names all columns; there is nothing to ask")
        return start

    def _check_training(self) -> None:
        for name, least in (("pretrain_iter", 0), ("max_iter", 1), ("batch_size", 1), ("max_features", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must lie in 0..1, below 1; got {self.dropout}")
        if not 0.0 <= self.exploration <= 1.0:
            raise ValueError(f"exploration must lie in 0..1, got {self.exploration}")
        for name in ("learning_rate", "weight_decay"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


def _moments(values: Array) -> tuple[Array, Array]:
    """Means and deviations of the columns without their gaps; 0 and 1 where there is nothing or no spread."""
    there = ~np.isnan(values)
    count = np.maximum(there.sum(axis=0), 1)
    centre = np.where(there, values, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(there, (values - centre) ** 2, 0.0).sum(axis=0) / count)
    return centre, np.where(spread > 0, spread, 1.0)
