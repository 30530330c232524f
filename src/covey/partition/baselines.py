"""What parties are measured against: the label holder alone, and all columns in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from covey.partition._channel import LocalNetwork, Message, Traffic
from covey.partition._inputs import numeric_block
from covey.partition._objective import Objective
from covey.partition._vertical import VerticalEstimator, check_parties, check_rows
from covey.table import Column, FeatureTable, read


class _OneParty(BaseEstimator):
    """An algorithm that runs with one party; a subclass says with which columns, and what reaching them costs."""

    prefix: str

    def __init__(self, estimator: VerticalEstimator) -> None:
        self.estimator = estimator

    @property
    def name(self) -> str:
        """Name of the algorithm after that of the baseline, as in ``"solo-linear"``."""
        return f"{self.prefix}-{self.estimator.name}"

    def fit(
        self,
        parties: Sequence[Any],
        y: ArrayLike | None,
        *,
        label_party: int = 0,
        network: LocalNetwork | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        parties : sequence of array-like of shape (n_samples, n_features of the party), frames or tables
        y : array-like of shape (n_samples,)
        label_party : int
            Position of the party that holds `y`.
        network : LocalNetwork, optional
            Where what is sent is counted.
        checkpoint : path, optional
            A folder; training goes on from what lies there.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If nobody holds the label, parties differ in rows, or there is no feature to learn from.
        """
        parties = list(parties)
        y = check_parties(parties, y, label_party)
        network = LocalNetwork(len(parties), label_party) if network is None else network
        columns = self._columns(parties, label_party, network)
        self.estimator_ = clone(self.estimator).fit([columns], y, checkpoint=checkpoint)
        self.n_parties_ = len(parties)
        self.label_party_ = label_party
        self.traffic_: Traffic = network.traffic
        self.objective_: Objective = self.estimator_.objective_
        self.history_: list[float] = self.estimator_.history_
        return self

    def scores(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray[np.float64]:
        """Raw scores, shape (n_samples, n_outputs); give a `network` to see what prediction sends."""
        check_is_fitted(self, "estimator_")
        parties = list(parties)
        if len(parties) != self.n_parties_:
            raise ValueError(f"the model was trained with {self.n_parties_} parties, got {len(parties)}")
        check_rows(parties)
        network = LocalNetwork(len(parties), self.label_party_) if network is None else network
        return self.estimator_.scores([self._columns(parties, self.label_party_, network)])

    def predict(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray:
        """Labels, shape (n_samples,)."""
        return self.objective_.predict(self.scores(parties, network=network))

    def predict_proba(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray[np.float64]:
        """Probability of each class, shape (n_samples, n_classes)."""
        return self.objective_.probability(self.scores(parties, network=network))

    def score(self, parties: Sequence[Any], y: ArrayLike) -> float:
        """Accuracy, or R2 for regression."""
        return self.objective_.metric(self.scores(parties), y)

    def _columns(self, parties: list[Any], label_party: int, network: LocalNetwork) -> Any:
        raise NotImplementedError


class Solo(_OneParty):
    """The label holder with its own columns and no help: what any help must beat.

    Parameters
    ----------
    estimator : VerticalEstimator
        Run with one party.

    Attributes
    ----------
    estimator_ : VerticalEstimator
        Trained.
    traffic_ : Traffic
        Nothing.

    Examples
    --------
    >>> from covey.partition.linear import VerticalLinear
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> parties, y = [X[:, :2], X[:, 2:]], X.sum(axis=1) > 0
    >>> solo, pooled = (kind(VerticalLinear()).fit(parties, y) for kind in (Solo, Pooled))
    >>> solo.score(parties, y) < pooled.score(parties, y)
    True
    >>> solo.name, solo.traffic_.bytes, pooled.traffic_.bytes
    ('solo-linear', 0, 3200)
    """

    prefix = "solo"

    def _columns(self, parties: list[Any], label_party: int, network: LocalNetwork) -> Any:
        X = parties[label_party]
        if not n_columns(X):
            raise ValueError(
                f"the label holder (party {label_party}) has no feature, so nothing can be learned alone; "
                "give it one, or choose another label_party"
            )
        return X


class Pooled(_OneParty):
    """All columns at the label holder, as if there were no parties: what no privacy would reach.

    Parameters
    ----------
    estimator : VerticalEstimator
        Run with one party, which holds all columns in party order.

    Attributes
    ----------
    estimator_ : VerticalEstimator
        Trained.
    traffic_ : Traffic
        What it costs to bring the columns together once: 8 bytes a number and 4 a category code.

    Examples
    --------
    See `Solo`.
    """

    prefix = "pooled"

    def _columns(self, parties: list[Any], label_party: int, network: LocalNetwork) -> Any:
        for rank, X in enumerate(parties):
            if rank != label_party and n_columns(X):
                message = Message(rank, label_party, "features", raw_blocks(X))
                for end in (rank, label_party):
                    network.channels[end]._note(message)
        return pool_columns(parties)


def n_columns(X: Any) -> int:
    """Number of columns of an array, frame or table."""
    return X.n_columns if isinstance(X, FeatureTable) else np.shape(X)[1]


def pool_columns(parties: Sequence[Any]) -> Any:
    """The columns of all parties side by side, in party order.

    Parameters
    ----------
    parties : sequence of array-like of shape (n_samples, n_features of the party), frames or tables

    Returns
    -------
    ndarray, or FeatureTable if any party has a frame or table
        Names that several parties use get the party's number before them.

    Examples
    --------
    >>> pool_columns([read({"age": [1.5, 2.5]}), read({"age": [5.5, 6.5], "debt": [0.5, 1.5]})]).names
    ('party-0/age', 'party-1/age', 'debt')
    """
    if not any(isinstance(X, FeatureTable) or hasattr(X, "columns") for X in parties):
        return np.hstack([numeric_block(X) for X in parties])
    held = [_columns_of(X) for X in parties]
    uses = Counter(column.name for columns in held for column in columns)
    return FeatureTable.from_columns(
        Column(f"party-{k}/{c.name}" if uses[c.name] > 1 else c.name, c.kind, c.values, c.categories)
        for k, columns in enumerate(held)
        for c in columns
    )


def raw_blocks(X: Any) -> tuple[NDArray, ...]:
    """The numbers of a party's columns, and the codes of its categories where it has some."""
    if not (isinstance(X, FeatureTable) or hasattr(X, "columns")):
        return (numeric_block(X),)
    table = read(X)
    return tuple(block for block in (table.numeric, table.codes) if block.shape[1])


def _columns_of(X: Any) -> list[Column]:
    if isinstance(X, FeatureTable) or hasattr(X, "columns"):
        return read(X).columns() if n_columns(X) else []
    return [Column(f"x{j}", "numeric", values) for j, values in enumerate(numeric_block(X).T)]
