"""SplitNN: a network below at every party, and one above them at the label holder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from covey.partition._channel import Channel
from covey.partition._compression import Arrays, Compressor, Uncompressed
from covey.partition._inputs import Encoder, n_rows
from covey.partition._network import Adam, layers, loaded, mean_loss
from covey.partition._objective import Objective, Task
from covey.partition._vertical import PartyModel, VerticalEstimator, check_same_rows
from covey.partition.defences import Defence, parse_defence

# Rows of one message when scores are asked for.
_PREDICTION_ROWS = 4096

# What a stream of random numbers serves; part of its seed.
_ORDER, _WEIGHTS, NOISE, _PREDICTION_NOISE, _ROUNDING = range(5)


class SplitNN(VerticalEstimator):
    """Split neural network: parties send embeddings of their columns, the label holder sends gradients back.

    Each party has a network from its columns to a cut layer. The label holder puts all embeddings side by side, its own
    first, has a network from them to the scores, and returns to each party the derivative of the mean loss by what it
    had sent. Each party keeps its own Adam. With one party it is an ordinary network.

    For each batch every party but the label holder sends one message ``"embedding"`` and receives one ``"gradient"``,
    both float32 of shape (n_batch, cut): ``8 * cut`` bytes a row, epoch and party. In which order rows come follows
    from `random_state` and the epoch, so nothing is sent for it. Prediction sends ``"embedding"`` messages of at most
    4096 rows.

    Parameters
    ----------
    hidden : sequence of int
        Units of the layers of each party's network, before the cut layer.
    cut : int
        Units of the cut layer, which has no activation.
    fusion : sequence of int
        Units of the hidden layers at the label holder.
    n_epochs : int
    batch_size : int
    learning_rate : float
    weight_decay : float
        Of Adam, added to the gradient.
    decay_every : int
        Epochs after which the learning rate is multiplied by `decay`.
    decay : float
        Above 0, at most 1.
    defence, gradient_defence : str, optional
        What parties do to the embeddings, and the label holder to the gradients, before they send them, as in
        ``"clip:1.0+noise:0.1"`` (see `parse_defence`). Units of `gradient_defence` are those of the derivative of one
        row's loss, whatever the batch size.
    task : {"auto", "classification", "regression"}
    random_state : int
        At least 0.

    Attributes
    ----------
    parties_ : list of SplitParty
    objective_, history_, traffic_ :
        See `VerticalEstimator`.

    References
    ----------
    Vepakomma, Gupta, Swedish and Raskar (2018), Split Learning for Health: Distributed Deep Learning without Sharing
    Raw Patient Data. arXiv:1812.00564.

    Wu, Hou and He (2024), VertiBench: Advancing Feature Distribution Diversity in Vertical Federated Learning
    Benchmarks. arXiv:2307.02040 (the default settings).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> parties = [X[:, :5], X[:, 5:9], X[:, 9:]]
    >>> model = SplitNN(n_epochs=5).fit(parties, y)
    >>> model.score(parties, y) > 0.9
    True
    >>> model.traffic_.by_tag()["embedding"]
    (712000, 20)
    """

    name: ClassVar[str] = "splitnn"

    def __init__(
        self,
        hidden: Sequence[int] = (100, 100),
        cut: int = 100,
        fusion: Sequence[int] = (200,),
        n_epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-5,
        decay_every: int = 10,
        decay: float = 0.5,
        defence: str | None = None,
        gradient_defence: str | None = None,
        task: Task = "auto",
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.cut = cut
        self.fusion = fusion
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.decay_every = decay_every
        self.decay = decay
        self.defence = defence
        self.gradient_defence = gradient_defence
        self.task = task
        self.random_state = random_state

    @property
    def n_steps(self) -> int:
        """Number of epochs."""
        return self.n_epochs

    @property
    def _steps_a_batch(self) -> int:
        """Steps on each batch that is exchanged."""
        return 1

    def _party(self, active: bool) -> SplitParty:
        self._check()
        return LabelParty(self) if active else FeatureParty(self)

    def _compressor(self) -> Compressor:
        return Uncompressed()

    def _rate(self, step: int) -> float:
        """Learning rate of a step."""
        return self.learning_rate * self.decay ** (step * self._steps_a_batch // self.decay_every)

    def _check(self) -> None:
        """Raise if a setting is out of its range."""
        for name in ("cut", "n_epochs", "batch_size", "decay_every"):
            check_whole(name, getattr(self, name), 1)
        for name in ("hidden", "fusion"):
            for units in getattr(self, name):
                check_whole(f"each of {name}", units, 1)
        check_whole("random_state", self.random_state, 0)
        for name, fits, range_ in (
            ("learning_rate", lambda value: value > 0, "above 0"),
            ("weight_decay", lambda value: value >= 0, "at least 0"),
            ("decay", lambda value: 0 < value <= 1, "above 0 and at most 1"),
        ):
            value = getattr(self, name)
            if not isinstance(value, Real) or not isfinite(value) or not fits(value):
                raise ValueError(f"{name} must be a number {range_}, got {value!r}")


@dataclass
class _Training:
    """What a party needs only while it trains."""

    inputs: Tensor
    target: Tensor | None
    optimizer: Adam
    learning_rate: float = 0.0


class SplitParty(PartyModel):
    """One party's networks.

    Attributes
    ----------
    encoder : Encoder
        From the party's columns to the inputs of `bottom`.
    bottom : torch.nn.Sequential or None
        From inputs to the embedding; None at a label holder without features.
    top : torch.nn.Sequential or None
        From all embeddings to the scores, at the label holder.
    """

    algorithm: SplitNN

    def __init__(self, algorithm: SplitNN) -> None:
        super().__init__(algorithm)
        self.encoder = Encoder()
        self.bottom: nn.Sequential | None = None
        self.top: nn.Sequential | None = None
        self._compressor = algorithm._compressor()
        self._defence = parse_defence(algorithm.defence)
        self._training: _Training | None = None

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        self.encoder.fit(X)
        self._build(channel, _weight_generator(self.algorithm.random_state, channel.rank))
        parameters = [p for _, network in self._networks() for p in network.parameters()]
        wanted = None if target is None else torch.from_numpy(target.astype(np.float32))
        self._training = _Training(self._inputs(X), wanted, Adam(parameters, self.algorithm.weight_decay))

    def _build(self, channel: Channel, generator: torch.Generator) -> None:
        """Make the networks that this party trains."""
        settings = self.algorithm
        if self.encoder.n_outputs or not channel.is_active:
            self.bottom = layers([self.encoder.n_outputs, *settings.hidden, settings.cut], generator)

    def state(self) -> dict[str, NDArray]:
        found = {f"encoder/{key}": value for key, value in self.encoder.state().items()}
        for name, network in self._networks():
            found |= {f"{name}/{key}": value.numpy().copy() for key, value in network.state_dict().items()}
        if self._training is not None:
            found |= {f"adam/{key}": value for key, value in self._training.optimizer.state().items()}
        return found

    def restore(self, state: Mapping[str, NDArray]) -> None:
        self.encoder = Encoder.from_state(_below("encoder", state))
        for name in ("bottom", "top"):
            weights = _below(name, state)
            if weights:
                setattr(self, name, loaded(getattr(self, name), weights))
        if self._training is not None:
            self._training.optimizer.restore(_below("adam", state))

    def _networks(self) -> Iterator[tuple[str, nn.Sequential]]:
        for name in ("bottom", "top"):
            network = getattr(self, name)
            if network is not None:
                yield name, network

    def _inputs(self, X: Any) -> Tensor:
        return torch.from_numpy(self.encoder.transform(X).astype(np.float32))

    def _batches(self, step: int) -> Iterator[tuple[int, Tensor]]:
        """Number and rows of each batch of an epoch, alike at all parties; sets the learning rate."""
        settings, training = self.algorithm, self._running
        training.learning_rate = settings._rate(step)
        order = _stream(settings.random_state, _ORDER, step).permutation(len(training.inputs))
        yield from enumerate(torch.from_numpy(order).split(settings.batch_size))

    @property
    def _running(self) -> _Training:
        assert self._training is not None, "training has not started"
        return self._training

    def _guarded(self, rows: Tensor, defence: Defence | None, *key: int) -> Tensor:
        return rows if defence is None else defence(rows, _stream(self.algorithm.random_state, *key))

    def _descend(self, loss: Tensor, parts: Sequence[Tensor] = ()) -> list[Tensor]:
        """One step of Adam; returns the derivative by each of `parts`."""
        training = self._running
        parameters = training.optimizer.parameters
        found = torch.autograd.grad(loss, [*parameters, *parts])
        training.optimizer.step(found[: len(parameters)], training.learning_rate)
        return list(found[len(parameters) :])

    def __getstate__(self) -> dict[str, Any]:
        """Without the rows of training."""
        return {**self.__dict__, "_training": None}


class FeatureParty(SplitParty):
    """A party without labels."""

    def step(self, channel: Channel, step: int) -> None:
        for batch, rows in self._batches(step):
            self._learn(channel, rows, step, batch)

    def scores(self, channel: Channel, X: Any) -> None:
        check_same_rows(channel, n_rows(X))
        with torch.no_grad():
            for batch, inputs in enumerate(self._inputs(X).split(_PREDICTION_ROWS)):
                self._send(channel, self._embedding(channel, inputs, _PREDICTION_NOISE, batch))

    def _learn(self, channel: Channel, rows: Tensor, step: int, batch: int) -> None:
        """Exchange one batch and learn from it."""
        inputs = self._running.inputs[rows]
        embedding = self._embedding(channel, inputs, NOISE, step, batch)
        gradient = self._receive_gradient(channel, self._send(channel, embedding.detach()), embedding)
        # A sum that has this gradient: what the label holder's loss looks like from here.
        self._descend((embedding * gradient).sum())
        for _ in range(self.algorithm._steps_a_batch - 1):
            self._descend((self._embedding(channel, inputs, NOISE, step, batch) * gradient).sum())

    def _embedding(self, channel: Channel, inputs: Tensor, *key: int) -> Tensor:
        assert self.bottom is not None
        return self._guarded(self.bottom(inputs), self._defence, *key, channel.rank)

    def _send(self, channel: Channel, embedding: Tensor) -> Arrays:
        packed = self._compressor.pack(embedding.numpy())
        channel.send(channel.active, "embedding", *packed)
        return packed

    def _receive_gradient(self, channel: Channel, packed: Arrays, embedding: Tensor) -> Tensor:
        shape = len(embedding), embedding.shape[1]
        back = channel.receive_many(channel.active, "gradient", *self._compressor.gradient_layout(shape))
        return torch.tensor(self._compressor.unpack_gradient(back, packed, shape))


class LabelParty(SplitParty):
    """The party that holds the labels and the network above."""

    def __init__(self, algorithm: SplitNN) -> None:
        super().__init__(algorithm)
        self._gradient_defence = parse_defence(algorithm.gradient_defence)

    def _build(self, channel: Channel, generator: torch.Generator) -> None:
        super()._build(channel, generator)
        n_parts = self._n_parts(channel)
        if not n_parts:
            raise ValueError("there is nothing to learn from: the only party has no feature")
        settings = self.algorithm
        self.top = layers([n_parts * settings.cut, *settings.fusion, self._objective.n_outputs], generator)

    def step(self, channel: Channel, step: int) -> float:
        total = sum(self._learn(channel, rows, step, batch) * len(rows) for batch, rows in self._batches(step))
        return total / len(self._running.inputs)

    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64]:
        check_same_rows(channel, n_rows(X))
        found = []
        with torch.no_grad():
            for inputs in self._inputs(X).split(_PREDICTION_ROWS):
                received = [part for _, part in self._receive(channel, len(inputs))]
                found.append(self._scores(inputs, received))
        return torch.cat(found).double().numpy()

    def _learn(self, channel: Channel, rows: Tensor, step: int, batch: int) -> float:
        """Exchange one batch, learn from it, and return its mean loss."""
        received = self._receive(channel, len(rows))
        parts = [part.requires_grad_() for _, part in received]
        loss = self._loss(rows, parts)
        gradients = self._descend(loss, parts)
        for rank, (packed, _), gradient in zip(channel.others, received, gradients):
            self._send_gradient(channel, rank, packed, gradient, step, batch)
        for _ in range(self.algorithm._steps_a_batch - 1):
            self._descend(self._loss(rows, [part.detach() for part in parts]))
        return loss.item()

    def _receive(self, channel: Channel, n_rows: int) -> list[tuple[Arrays, Tensor]]:
        """What each other party sent for a batch, and the embedding that it stands for."""
        shape = n_rows, self.algorithm.cut
        layout = self._compressor.layout(shape)
        messages = [channel.receive_many(rank, "embedding", *layout) for rank in channel.others]
        return [(packed, torch.tensor(self._compressor.unpack(packed, shape))) for packed in messages]

    def _send_gradient(
        self, channel: Channel, rank: int, packed: Arrays, gradient: Tensor, step: int, batch: int
    ) -> None:
        if self._gradient_defence is not None:
            n_rows = len(gradient)
            gradient = self._guarded(gradient * n_rows, self._gradient_defence, NOISE, step, batch, rank) / n_rows
        rounding = _stream(self.algorithm.random_state, _ROUNDING, step, batch, rank)
        channel.send(rank, "gradient", *self._compressor.pack_gradient(gradient.numpy(), packed, rounding))

    def _scores(self, inputs: Tensor, parts: list[Tensor]) -> Tensor:
        assert self.top is not None
        own = [] if self.bottom is None else [self.bottom(inputs)]
        return self.top(torch.cat([*own, *parts], dim=1))

    def _n_parts(self, channel: Channel) -> int:
        """Number of embeddings that the network above takes."""
        return channel.size - (self.bottom is None)

    def _loss(self, rows: Tensor, parts: list[Tensor]) -> Tensor:
        """Mean loss of a batch, given what others sent for it."""
        training = self._running
        assert training.target is not None
        loss = mean_loss(self._objective, self._scores(training.inputs[rows], parts), training.target[rows])
        if not isfinite(loss.item()):
            raise ValueError(f"the training loss is {loss.item()}; lower learning_rate")
        return loss

    @property
    def _objective(self) -> Objective:
        assert self.objective is not None
        return self.objective


def check_whole(name: str, value: object, least: int) -> None:
    """Raise unless `value` is a whole number of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _stream(*key: int) -> np.random.Generator:
    """Random numbers that depend on nothing but `key`."""
    return np.random.default_rng([int(part) for part in key])


def _weight_generator(random_state: int, rank: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(_stream(random_state, _WEIGHTS, rank).integers(2**63)))


def _below(prefix: str, state: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The part of a state under a prefix."""
    return {key.removeprefix(f"{prefix}/"): value for key, value in state.items() if key.startswith(f"{prefix}/")}
