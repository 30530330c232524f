"""A small vertical algorithm whose parties can be told to fail, and the command line that knows it.

``TOY_FAULT=kind:rank:step`` makes that party fail in that step.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from covey.partition import _vertical
from covey.partition._channel import Channel
from covey.partition._vertical import PartyModel, VerticalEstimator


class Toy(VerticalEstimator):
    """Logistic regression by batches of random rows, as many steps as it is told."""

    name: ClassVar[str] = "toy"

    def __init__(self, n_epochs=6, rate=0.05, stop_after=None, faults=None, task="auto", random_state=0):
        self.n_epochs = n_epochs
        self.rate = rate
        self.stop_after = stop_after
        self.faults = faults
        self.task = task
        self.random_state = random_state

    @property
    def n_steps(self) -> int:
        return self.n_epochs

    def _party(self, active: bool) -> PartyModel:
        return ToyParty(self)


class ToyParty(PartyModel):
    """Weights of a party's columns; the label holder adds up the scores of the batch."""

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        self.columns, self.target = _numbers(X), target
        if channel.is_active:
            channel.broadcast("outputs", np.int64(target.shape[1]))
            n_outputs = target.shape[1]
        else:
            n_outputs = int(channel.receive(channel.active, "outputs", (), np.int64))
        self.weights = np.zeros((self.columns.shape[1], n_outputs))

    def step(self, channel: Channel, step: int) -> float | None:
        fail(self.algorithm.faults, channel, step)
        generator = np.random.default_rng([self.algorithm.random_state, step])
        rows = generator.choice(len(self.columns), len(self.columns) // 2, replace=False)
        batch = self.columns[rows]
        own = batch @ self.weights
        loss = None
        if channel.is_active:
            total = own + sum(channel.gather("scores", own.shape, np.float64))
            loss = self.objective.loss(total, self.target[rows])
            slope = self.objective.gradient(total, self.target[rows])
            channel.broadcast("slope", slope)
        else:
            channel.send(channel.active, "scores", own)
            slope = channel.receive(channel.active, "slope", own.shape, np.float64)
        self.weights = self.weights - self.algorithm.rate * (batch.T @ slope) / len(rows)
        self.finished = step + 1 == self.algorithm.stop_after
        return loss

    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64] | None:
        own = _numbers(X) @ self.weights
        if channel.is_active:
            return own + sum(channel.gather("scores", own.shape, np.float64))
        channel.send(channel.active, "scores", own)
        return None

    def state(self) -> dict[str, NDArray]:
        return {"weights": self.weights}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        self.weights = state["weights"]


def _numbers(X: Any) -> NDArray[np.float64]:
    """Columns that are not negative, made small."""
    return np.log1p(np.asarray(getattr(X, "numeric", X), dtype=np.float64))


def fail(faults: str | None, channel: Channel, step: int) -> None:
    """Fail if this is the party and the step to fail in."""
    kind, rank, when = (faults or os.environ.get("TOY_FAULT") or "none:-1:-1").split(":")
    if (channel.rank, step) != (int(rank), int(when)):
        return
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif kind == "raise":
        raise ValueError("column 'age' is broken")
    elif kind == "crash":
        raise KeyError("a secret value")
    elif kind == "hang":
        time.sleep(2.0)
    elif kind == "tag":
        channel.send(channel.active, "nonsense", 1.0)
    elif kind == "shape":
        channel.send(channel.active, "scores", np.zeros(3))
    elif kind == "nan":
        channel.send(channel.active, "scores", np.full((1, 1), np.nan))
    else:
        send_raw(channel, kind)


def send_raw(channel: Channel, kind: str) -> None:
    """Put bytes on the wire that are no message."""
    import torch

    sizes = {"bytes": 200, "short": 5, "oversize": 3 << 20}
    content = torch.full((sizes[kind],), 7, dtype=torch.uint8)
    channel._group.send([content], channel.active, 0).wait()
    time.sleep(2.0)


if __name__ == "__main__":
    from covey.cli import main

    _vertical.ALGORITHMS["toy"] = "tests.partition.toy:Toy"
    sys.exit(main())
