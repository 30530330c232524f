"""C-VFL: SplitNN with fewer bytes, by compressed messages and several steps on each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from covey.partition._channel import Channel
from covey.partition._compression import Arrays, Compressor, Quantiser, TopK, Uncompressed
from covey.partition._inputs import n_rows
from covey.partition._network import layers, mean_loss
from covey.partition._objective import Objective, Task
from covey.partition.splitnn import NOISE, FeatureParty, LabelParty, SplitNN, SplitParty, check_whole

CompressorName = Literal["quantize", "topk", "none"]
Labels = Literal["private", "shared"]


class CVFL(SplitNN):
    """Compressed vertical federated learning: SplitNN whose messages are compressed and serve several steps.

    Parties exchange one batch, compressed, and then take `local_steps` steps on it with what they know of each other
    growing stale. Rows pass ``n_epochs`` times through the networks, as in `SplitNN`, but only
    ``n_epochs / local_steps`` times, rounded up, over the channel.

    Parameters
    ----------
    hidden, cut, fusion :
        See `SplitNN`.
    compressor : {"quantize", "topk", "none"}
        Of embeddings, in training and prediction, and of what goes back: `bits` a value instead of 32, or the largest
        entries of each row. Of top-k embeddings the gradient goes back at the same entries, which takes no positions.
    bits : int
        Of ``"quantize"``, 1..16; 8 is a compression by 4.
    keep : float
        Of ``"topk"``, the share of entries kept, above 0 and at most 1.
    local_steps : int
        Steps on each exchanged batch. Bytes fall as it rises; so does accuracy where few exchanges are left.
    labels : {"private", "shared"}
        What goes back, and who knows the labels. ``"private"``: the label holder alone does. Each other party is sent
        the gradient at its cut layer and steps on it `local_steps` times, each time through its present network: it
        descends the loss linearised at the embedding it had sent, for that is all it knows of it. The label holder
        steps on the true loss with the others' embeddings as they were. ``"shared"``: the form of the paper. Every
        party is sent all labels once, and for each batch the network above and all other parties' embeddings, both
        compressed, and descends the true loss in its own part. That tells every party the labels and whatever can be
        read from the others' embeddings; and the network above, ``(n_parties * cut + n_outputs) * fusion`` weights, is
        sent with every batch, which pays only where batches are larger than that.
    n_epochs, batch_size, learning_rate, weight_decay, decay_every, decay :
        See `SplitNN`; epochs are counted in local steps.
    defence, gradient_defence : str, optional
        See `SplitNN`; applied before compression. Nothing is there for `gradient_defence` when labels are shared.
    task, random_state :
        See `SplitNN`.

    Attributes
    ----------
    parties_ : list of SplitParty
    objective_, history_, traffic_ :
        See `VerticalEstimator`; one loss for each exchange of all rows.

    Notes
    -----
    The paper steps by plain gradient descent; here it is Adam, as in `SplitNN`, so that both differ in nothing but what
    they send. Its quantiser adds a dither that sender and receiver know; here values are rounded to the nearest level,
    and gradients to either at random.

    References
    ----------
    Castiglia, Das, Wang and Patterson (2022), Compressed-VFL: Communication-Efficient Learning with Vertically
    Partitioned Data. arXiv:2206.08330.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> parties = [X[:, :5], X[:, 5:9], X[:, 9:]]
    >>> split = SplitNN(n_epochs=20).fit(parties, y)
    >>> compressed = CVFL(n_epochs=20).fit(parties, y)
    >>> compressed.score(parties, y) > 0.9
    True
    >>> round(split.traffic_.bytes / compressed.traffic_.bytes)
    8
    """

    name: ClassVar[str] = "cvfl"

    def __init__(
        self,
        hidden: Sequence[int] = (100, 100),
        cut: int = 100,
        fusion: Sequence[int] = (200,),
        compressor: CompressorName = "quantize",
        bits: int = 8,
        keep: float = 0.25,
        local_steps: int = 2,
        labels: Labels = "private",
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
        super().__init__(
            hidden=hidden,
            cut=cut,
            fusion=fusion,
            n_epochs=n_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            decay_every=decay_every,
            decay=decay,
            defence=defence,
            gradient_defence=gradient_defence,
            task=task,
            random_state=random_state,
        )
        self.compressor = compressor
        self.bits = bits
        self.keep = keep
        self.local_steps = local_steps
        self.labels = labels

    @property
    def n_steps(self) -> int:
        """Number of exchanges of all rows."""
        return -(-self.n_epochs // self.local_steps)

    @property
    def _steps_a_batch(self) -> int:
        return self.local_steps

    def _party(self, active: bool) -> SplitParty:
        if self.labels == "private":
            return super()._party(active)
        self._check()
        return SharingLabelParty(self) if active else InformedFeatureParty(self)

    def _compressor(self) -> Compressor:
        match self.compressor:
            case "quantize":
                return Quantiser(self.bits)
            case "topk":
                return TopK(self.keep)
            case "none":
                return Uncompressed()
        raise ValueError(f"compressor must be 'quantize', 'topk' or 'none', got {self.compressor!r}")

    def _check(self) -> None:
        super()._check()
        check_whole("local_steps", self.local_steps, 1)
        if self.labels not in ("private", "shared"):
            raise ValueError(f"labels must be 'private' or 'shared', got {self.labels!r}")
        if self.labels == "shared" and self.gradient_defence is not None:
            raise ValueError("gradient_defence has nothing to act on: with labels='shared' no gradient is sent")


class SharingLabelParty(LabelParty):
    """A label holder that sends all it has but its columns."""

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        super().start(channel, X, target)
        assert target is not None
        classes = self._objective.classes
        size = [0 if classes is None else len(classes), self._n_parts(channel)]
        channel.broadcast("labels", np.array(size, dtype=np.int64), _compact(self._objective, target))

    def _learn(self, channel: Channel, rows: Tensor, step: int, batch: int) -> float:
        received = self._receive(channel, len(rows))
        self._send_context(channel, rows, [packed for packed, _ in received], step, batch)
        losses = []
        for _ in range(self.algorithm._steps_a_batch):
            loss = self._loss(rows, [part for _, part in received])
            self._descend(loss)
            losses.append(loss.item())
        return losses[0]

    def _send_context(self, channel: Channel, rows: Tensor, packed: list[Arrays], step: int, batch: int) -> None:
        """To each party, the network above and the embeddings of all others."""
        assert self.top is not None
        with torch.no_grad():
            shared = [_matrix(parameter) for parameter in self.top.parameters()]
            if self.bottom is not None:
                own = self.bottom(self._running.inputs[rows])
                shared.append(self._guarded(own, self._defence, NOISE, step, batch, channel.rank))
        start = [array for matrix in shared for array in self._compressor.pack(matrix.numpy())]
        for rank in channel.others:
            others = [array for r, arrays in zip(channel.others, packed) if r != rank for array in arrays]
            channel.send(rank, "context", *start, *others)


class InformedFeatureParty(FeatureParty):
    """A party that is told labels, the network above, and all embeddings."""

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        n = n_rows(X)
        (n_classes, self._n_parts), labels = channel.receive_many(
            channel.active, "labels", ((2,), (n,)), (np.int64, None)
        )
        self._kind = Objective(np.arange(n_classes) if n_classes else None)
        settings = self.algorithm
        self._above = layers([self._n_parts * settings.cut, *settings.fusion, self._kind.n_outputs])
        self._above.requires_grad_(False)
        super().start(channel, X, self._kind.encode(labels))

    def _learn(self, channel: Channel, rows: Tensor, step: int, batch: int) -> None:
        training = self._running
        assert training.target is not None
        inputs, target = training.inputs[rows], training.target[rows]
        embedding = self._embedding(channel, inputs, NOISE, step, batch)
        self._send(channel, embedding.detach())
        before, after = self._receive_context(channel, len(rows))
        for again in range(self.algorithm._steps_a_batch):
            if again:
                embedding = self._embedding(channel, inputs, NOISE, step, batch)
            scores = self._above(torch.cat([*before, embedding, *after], dim=1))
            self._descend(mean_loss(self._kind, scores, target))

    def _receive_context(self, channel: Channel, n_rows: int) -> tuple[list[Tensor], list[Tensor]]:
        """Take up the network above; returns the embeddings that come before and after one's own in its input."""
        weights = list(self._above.parameters())
        shapes = [_shape(weight) for weight in weights] + [(n_rows, self.algorithm.cut)] * (self._n_parts - 1)
        layouts = [self._compressor.layout(shape) for shape in shapes]
        arrays = iter(
            channel.receive_many(
                channel.active,
                "context",
                [shape for these, _ in layouts for shape in these],
                [dtype for _, these in layouts for dtype in these],
            )
        )
        found = [
            torch.tensor(self._compressor.unpack(tuple(islice(arrays, len(these))), shape))
            for shape, (these, _) in zip(shapes, layouts)
        ]
        for weight, value in zip(weights, found):
            weight.copy_(value.view_as(weight))
        embeddings = found[len(weights) :]
        passive = [rank for rank in range(channel.size) if rank != channel.active]
        place = self._n_parts - len(passive) + passive.index(channel.rank)
        return embeddings[:place], embeddings[place:]


def _compact(objective: Objective, target: NDArray[np.float64]) -> NDArray:
    """Targets in few bytes: the number of the class, or a float32."""
    if objective.classes is None:
        return target[:, 0].astype(np.float32)
    codes = target[:, 0] if objective.n_outputs == 1 else target.argmax(axis=1)
    return codes.astype(np.min_scalar_type(len(objective.classes)))


def _shape(weight: Tensor) -> tuple[int, int]:
    """Of a weight as rows."""
    return (1, len(weight)) if weight.ndim == 1 else (weight.shape[0], weight.shape[1])


def _matrix(weight: Tensor) -> Tensor:
    return weight.detach().reshape(_shape(weight))
