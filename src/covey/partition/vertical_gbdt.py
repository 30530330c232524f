"""Gradient-boosted trees over parties: equal, bit for bit, to the trees of one party that holds all columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from covey.partition._channel import Channel
from covey.partition._inputs import by_frequency, category_labels, n_rows, table_or_block
from covey.partition._objective import Task
from covey.partition._tree_kernels import add_histograms, add_leaves, best_splits, node_totals
from covey.partition._vertical import PartyModel, VerticalEstimator
from covey.partition.encryption import EncryptedGradients, GradientKey, rounded
from covey.table import FeatureTable


class VerticalGBDT(VerticalEstimator):
    """Histogram gradient boosting on columns spread over parties.

    The label holder sends gradients; each party answers with the gain of its best split at every open node; the owner
    of the best of all tells which rows go left. Sums are taken in the same order wherever a column lies, and equal
    gains are decided by the order of parties and columns, so that the trees are those of one party that holds all
    columns in that order.

    Without encryption the other parties see gradients, whose signs are the labels, while the label holder sees of their
    columns only which rows go which way. With Paillier encryption they see no gradient; the label holder then receives
    the sums of gradients and the numbers of rows in every bin of their columns. Nobody but its owner learns what value
    a bin ends at. In prediction every party sends one bit for each of its splits and rows.

    Parameters
    ----------
    n_estimators : int
        Rounds; each grows one tree for every output.
    learning_rate : float
        Above 0.
    max_depth : int
        At least 1.
    max_bins : int
        Bins of a column, 2..254; missing values have one more. The categories of a column are ordered by how many rows
        they have, the rarest beyond `max_bins` count as missing.
    l2 : float
        Added to the hessian of a node; 0 or more.
    min_samples_leaf : int
    min_child_weight : float
        Least sum of hessians of a leaf.
    min_gain : float
        Least gain of a split.
    encryption : {None, "paillier"}
        Needs the package phe (``pip install 'covey[secure]'``). Gradients are rounded to multiples of 2^-20.
    key_bits : int
        Of the Paillier key.
    task : {"auto", "classification", "regression"}
    random_state : int
        Nothing is drawn; taken so that all algorithms have it.

    References
    ----------
    Cheng, Fan, Jin, Liu, Chen, Papadopoulos and Yang (2021), SecureBoost: A Lossless Federated Learning Framework.
    arXiv:1901.08755.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = VerticalGBDT(n_estimators=20).fit([X[:, :10], X[:, 10:]], y)
    >>> pooled = VerticalGBDT(n_estimators=20).fit([X], y)
    >>> bool((model.scores([X[:, :10], X[:, 10:]]) == pooled.scores([X])).all())
    True
    """

    name: ClassVar[str] = "gbdt"

    def __init__(
        self,
        n_estimators: int = 50,
        learning_rate: float = 0.1,
        max_depth: int = 6,
        max_bins: int = 64,
        l2: float = 1.0,
        min_samples_leaf: int = 5,
        min_child_weight: float = 1e-3,
        min_gain: float = 0.0,
        encryption: str | None = None,
        key_bits: int = 2048,
        task: Task = "auto",
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.max_bins = max_bins
        self.l2 = l2
        self.min_samples_leaf = min_samples_leaf
        self.min_child_weight = min_child_weight
        self.min_gain = min_gain
        self.encryption = encryption
        self.key_bits = key_bits
        self.task = task
        self.random_state = random_state

    @property
    def n_steps(self) -> int:
        """Number of rounds."""
        return self.n_estimators

    def _party(self, active: bool) -> PartyModel:
        self._check()
        return GBDTParty(self)

    def _check(self) -> None:
        for name, low in (("n_estimators", 1), ("max_depth", 1), ("min_samples_leaf", 1)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if not 2 <= self.max_bins <= 254:
            raise ValueError(f"max_bins must be 2 to 254, got {self.max_bins}")
        if not self.learning_rate > 0 or self.l2 < 0:
            raise ValueError("learning_rate must be above 0 and l2 at least 0")
        if self.encryption not in (None, "paillier"):
            raise ValueError(f"encryption must be None or 'paillier', got {self.encryption!r}")


class Bins:
    """Codes of a party's columns; the last code, `max_bins`, is missing.

    Numbers are cut between distinct values, or at quantiles where there are too many.

    Examples
    --------
    >>> bins = Bins(2).fit(np.array([[1.0], [2.0], [3.0], [np.nan]]))
    >>> bins.transform(np.array([[0.0], [2.0], [9.0], [np.nan]])).ravel().tolist()
    [0, 0, 1, 2]
    """

    def __init__(self, max_bins: int) -> None:
        self.max_bins = max_bins
        self.cuts: list[NDArray] = []
        self.names: tuple[str, ...] | None = None

    def fit(self, X: Any) -> Bins:
        """Learn cuts and categories."""
        columns = _columns(X)
        self.names = tuple(columns)
        self.cuts = [self._learn(values) for values in columns.values()]
        return self

    def transform(self, X: Any) -> NDArray[np.uint8]:
        """Codes, shape (n_rows, n_columns), uint8.

        Raises
        ------
        ValueError
            If `X` has other columns than those learned.
        """
        columns = _columns(X)
        if tuple(columns) != self.names:
            raise ValueError(f"X has the columns {list(columns)}; the model was trained with {list(self.names or ())}")
        codes = np.empty((n_rows(X), len(columns)), dtype=np.uint8)
        for j, (values, cuts) in enumerate(zip(columns.values(), self.cuts)):
            codes[:, j] = self._code(values, cuts)
        return codes

    def _learn(self, values: NDArray) -> NDArray:
        if values.dtype.kind == "U":
            return by_frequency(values)[: self.max_bins]
        values = values[~np.isnan(values)]
        distinct = np.unique(values)
        if len(distinct) > self.max_bins:
            inner = np.linspace(0.0, 1.0, self.max_bins + 1)[1:-1]
            return np.unique(np.quantile(values, inner, method="lower"))
        return distinct[:-1]

    def _code(self, values: NDArray, cuts: NDArray) -> NDArray:
        if values.dtype.kind == "U":
            order = np.argsort(cuts)
            place = np.minimum(np.searchsorted(cuts[order], values), max(len(cuts) - 1, 0))
            known = cuts[order][place] == values if len(cuts) else np.zeros(len(values), dtype=bool)
            return np.where(known, order[place] if len(cuts) else 0, self.max_bins)
        return np.where(np.isnan(values), self.max_bins, np.searchsorted(cuts, values, side="left"))

    def state(self) -> dict[str, NDArray]:
        """Arrays that `from_state` takes."""
        cuts = {f"bins/{j}": values for j, values in enumerate(self.cuts)}
        return {"names": np.array(self.names or (), dtype=np.str_), **cuts}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray], max_bins: int) -> Bins:
        """The bins that `state` describes."""
        bins = cls(max_bins)
        bins.names = tuple(map(str, state["names"]))
        bins.cuts = [state[f"bins/{j}"] for j in range(len(bins.names))]
        return bins


def _columns(X: Any) -> dict[str, NDArray]:
    """Columns by name: float64 with NaN, or text with `MISSING`."""
    X = table_or_block(X)
    if not isinstance(X, FeatureTable):
        return {f"x{j}": values for j, values in enumerate(X.T)}
    return {column.name: category_labels(column) if column.is_coded else column.values for column in X.columns()}


Offer = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]


class Trees:
    """The label holder's half of all trees: their shape, who splits which node, and the values of the leaves."""

    def __init__(self) -> None:
        self.owner: list[int] = []
        self.split_of_owner: list[int] = []
        self.left: list[int] = []
        self.value: list[float] = []
        self.roots: list[int] = []
        self._n_splits: dict[int, int] = {}
        self._start = 0
        self.winner = np.empty(0, dtype=np.intp)

    @property
    def n_nodes(self) -> int:
        """Nodes of the round that grows."""
        return len(self.owner) - self._start

    def grow(self, n_outputs: int) -> NDArray[np.int64]:
        """Begin a round, and return the numbers of its roots."""
        self._start = len(self.owner)
        self.roots += range(self._start, self._start + n_outputs)
        return self._new(n_outputs)

    def split(self, nodes: NDArray[np.int64], split: NDArray[np.bool_], winner: NDArray[np.intp]) -> None:
        """Note who splits which of the open nodes."""
        self.winner = winner
        for slot in np.flatnonzero(split):
            rank, node = int(winner[slot]), self._start + int(nodes[slot])
            self.owner[node] = rank
            self.split_of_owner[node] = self._n_splits.get(rank, 0)
            self._n_splits[rank] = self.split_of_owner[node] + 1

    def children(self, nodes: NDArray[np.int64], split: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Open the two children of every split node."""
        opened = self._new(2 * int(split.sum()))
        for node, left in zip(nodes[split], opened[::2]):
            self.left[self._start + int(node)] = self._start + int(left)
        return opened

    def give(self, value: NDArray[np.float64]) -> None:
        """Set the values of the round's nodes."""
        self.value[self._start :] = value.tolist()

    def scores(
        self, directions: NDArray[np.uint8], offset: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add all trees to `scores`; directions are those of all parties, one after another from `offset`."""
        owner = np.array(self.owner, dtype=np.int32)
        row = np.array(self.split_of_owner, dtype=np.int64) + offset[np.maximum(owner, 0)]
        left, value = np.array(self.left, dtype=np.int32), np.array(self.value)
        add_leaves(scores, directions, owner, row, left, value, np.array(self.roots, dtype=np.int64))
        return scores

    def _new(self, n: int) -> NDArray[np.int64]:
        numbers = np.arange(self.n_nodes, self.n_nodes + n)
        self.owner += [-1] * n
        self.split_of_owner += [0] * n
        self.left += [-1] * n
        self.value += [0.0] * n
        return numbers

    def state(self) -> dict[str, NDArray]:
        """Arrays that `from_state` takes."""
        return {
            "owner": np.array(self.owner, dtype=np.int32),
            "split_of_owner": np.array(self.split_of_owner, dtype=np.int32),
            "left": np.array(self.left, dtype=np.int32),
            "value": np.array(self.value),
            "roots": np.array(self.roots, dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> Trees:
        """The trees that `state` describes."""
        trees = cls()
        for name in ("owner", "split_of_owner", "left", "value", "roots"):
            setattr(trees, name, state[name].tolist())
        ranks, counts = np.unique(state["owner"], return_counts=True)
        trees._n_splits = {int(rank): int(count) for rank, count in zip(ranks, counts) if rank >= 0}
        return trees


def _with_siblings(
    summed: NDArray[np.float64], parents: NDArray[np.float64], slots: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sums of all children from those of one child (in `slots`) of each parent."""
    out = np.empty((2 * len(summed), *summed.shape[1:]))
    out[slots] = summed
    out[slots ^ 1] = parents - summed
    return out


def _descend(
    slots: NDArray[np.int32], split: NDArray[np.bool_], left: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Nodes of the next level for every row, -1 where its node is not split; and the nodes that are."""
    rank = (np.cumsum(split) - 1).astype(np.int32)
    inside = (slots >= 0) & split[slots]
    return np.where(inside, 2 * rank[slots] + ~left, -1).astype(np.int32), np.flatnonzero(split)


@dataclass
class Splits:
    """A party's own splits, in the order in which they were made; nobody else knows them."""

    column: list[int]
    bin: list[int]
    missing_left: list[bool]

    def __len__(self) -> int:
        return len(self.column)

    def goes_left(self, codes: NDArray[np.uint8], k: int, missing: int) -> NDArray[np.bool_]:
        """Which rows of `codes` go left at split `k`."""
        values = codes[:, self.column[k]]
        return np.where(values == missing, self.missing_left[k], values <= self.bin[k])


class GBDTParty(PartyModel):
    """What a party does in boosting: bin its columns, offer splits, and answer for those that are taken."""

    algorithm: VerticalGBDT

    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        settings = self.algorithm
        self.bins = Bins(settings.max_bins).fit(X)
        self.codes = self.bins.transform(X)
        self.splits = Splits([], [], [])
        self.target = target
        self.trees = Trees()
        self.key: GradientKey | None = None
        self.public = np.empty(0, dtype=np.uint8)
        self.encrypted: EncryptedGradients | None = None
        if self.algorithm.encryption is not None:
            self._exchange_key(channel)
        if target is not None:
            assert self.objective is not None
            self.base = self.objective.start(target)
            self.current = np.tile(self.base, (len(target), 1))

    def step(self, channel: Channel, step: int) -> float | None:
        gradient, hessian = self._gradients(channel)
        n, n_outputs = gradient.shape
        slots = np.tile(np.arange(n_outputs, dtype=np.int32)[:, None], (1, n))
        n_slots = n_outputs
        self.parents: dict[int, NDArray[np.float64]] = {}
        nodes = self.trees.grow(n_outputs) if channel.is_active else None
        leaves = np.empty((n_outputs, n), dtype=np.int64)
        pairs = None
        for _ in range(self.algorithm.max_depth):
            totals = node_totals(slots, gradient, hessian, n_slots)
            offers = self._offers(channel, slots, gradient, hessian, totals, pairs)
            mine, split, offer = self._choose(channel, offers, nodes, n_slots)
            left = self._directions(channel, slots, mine, split, offer)
            if nodes is not None:
                closed = (slots >= 0) & ~split[slots]
                leaves[closed] = nodes[slots[closed]]
                nodes = self.trees.children(nodes, split)
            slots, pairs, n_slots = *_descend(slots, split, left), 2 * int(split.sum())
            if not n_slots:
                break
        if nodes is None:
            return None
        leaves[slots >= 0] = nodes[slots[slots >= 0]]
        return self._finish(leaves, gradient, hessian)

    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64] | None:
        codes = self.bins.transform(X)
        missing = self.algorithm.max_bins
        mine = np.empty((len(self.splits), len(codes)), dtype=np.uint8)
        for k in range(len(self.splits)):
            mine[k] = self.splits.goes_left(codes, k, missing)
        if not channel.is_active:
            channel.send(channel.active, "directions", np.packbits(mine, axis=1))
            return None
        parts, offset = [], np.zeros(channel.size, dtype=np.int64)
        total = 0
        for rank in range(channel.size):
            offset[rank] = total
            part = mine
            if rank != channel.rank:
                packed = channel.receive(rank, "directions", (None, (len(codes) + 7) // 8), np.uint8)
                part = np.unpackbits(packed, axis=1, count=len(codes))
            total += len(part)
            parts.append(part)
        return self.trees.scores(np.concatenate(parts), offset, np.tile(self.base, (len(codes), 1)))

    def state(self) -> dict[str, NDArray]:
        splits = {
            "column": np.array(self.splits.column, dtype=np.int32),
            "bin": np.array(self.splits.bin, dtype=np.int32),
            "missing_left": np.array(self.splits.missing_left, dtype=np.bool_),
        }
        state = {**self.bins.state(), **splits}
        if self.target is not None:
            state |= {"base": self.base, "current": self.current, **self.trees.state()}
        return state

    def restore(self, state: Mapping[str, NDArray]) -> None:
        self.bins = Bins.from_state(state, self.algorithm.max_bins)
        self.splits = Splits(state["column"].tolist(), state["bin"].tolist(), state["missing_left"].tolist())
        if "base" in state:
            self.base, self.current = state["base"], state["current"]
            self.trees = Trees.from_state(state)

    def _gradients(self, channel: Channel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gradient and hessian (n, n_outputs) of every row, from the label holder."""
        n = len(self.codes)
        if not channel.is_active and self.algorithm.encryption is not None:
            sent = channel.receive(channel.active, "ciphertext", (n, None, len(self.public)), np.uint8)
            self.encrypted = EncryptedGradients(self.public, sent)
            hidden = np.zeros(sent.shape[:2], dtype=np.float32)
            return hidden, hidden
        if not channel.is_active:
            gradient, hessian = channel.receive_many(
                channel.active, "gradient", ((n, None), (n, None)), (np.float32, np.float32)
            )
            return gradient, hessian
        assert self.objective is not None and self.target is not None
        gradient = self.objective.gradient(self.current, self.target)
        hessian = self.objective.hessian(self.current)
        if self.algorithm.encryption is None:
            single = gradient.astype(np.float32), hessian.astype(np.float32)
            channel.broadcast("gradient", *single)
            return single
        single = rounded(gradient), rounded(hessian)
        if self.key is not None:
            channel.broadcast("ciphertext", self.key.encrypt(*single))
        return single

    def _exchange_key(self, channel: Channel) -> None:
        if not channel.is_active:
            self.public = channel.receive(channel.active, "key", (None,), np.uint8)
        elif channel.others:
            self.key = GradientKey(self.algorithm.key_bits)
            channel.broadcast("key", self.key.public)

    def _offers(
        self,
        channel: Channel,
        slots: NDArray[np.int32],
        gradient: NDArray[np.float32],
        hessian: NDArray[np.float32],
        totals: NDArray[np.float64],
        pairs: NDArray[np.intp] | None,
    ) -> dict[int, Offer]:
        """The best split of every open node, by party: this party's own, and those of encrypted sums.

        Of two children the one with fewer rows is summed; the other is what is left of the parent.
        """
        n_slots, n_bins = len(totals), self.algorithm.max_bins + 1
        summed = np.arange(n_slots)
        if pairs is not None:
            summed = np.where(totals[0::2, 2] <= totals[1::2, 2], 0, 1) + np.arange(0, n_slots, 2)
        target = np.full(n_slots, -1, dtype=np.int32)
        target[summed] = np.arange(len(summed))
        if self.encrypted is not None:
            sums = self.encrypted.histograms(self.codes, slots, target, len(summed), n_bins)
            channel.send(channel.active, "histograms", *sums)
            return {}
        own = add_histograms(self.codes, slots, target, gradient, hessian, len(summed), n_bins)
        found = {channel.rank: own}
        if self.key is not None:
            shape = len(summed), None, n_bins
            for rank in channel.others:
                counts, ciphertexts = channel.receive_many(
                    rank, "histograms", (shape, (None, len(self.key.public))), (np.int32, np.uint8)
                )
                found[rank] = self.key.decrypt(counts, ciphertexts)
        settings = self.algorithm
        offers = {}
        for rank, histograms in found.items():
            if pairs is not None:
                histograms = _with_siblings(histograms, self.parents[rank][pairs], summed)
            self.parents[rank] = histograms
            offers[rank] = best_splits(
                histograms, totals, settings.l2, float(settings.min_samples_leaf), settings.min_child_weight
            )
        return offers

    def _choose(
        self, channel: Channel, offers: dict[int, Offer], nodes: NDArray[np.int64] | None, n_slots: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Offer]:
        """Which nodes this party splits, which are split at all, and how this party splits its own."""
        if nodes is None:
            own = offers.get(channel.rank)
            if own is not None:
                channel.send(channel.active, "gain", own[0])
            code, column, threshold, way = channel.receive(channel.active, "chosen", (4, n_slots), np.int32)
            mine, split = code == 2, code > 0
            offer = own or (np.zeros(n_slots), column, threshold, way.astype(np.bool_))
        else:
            gains = np.stack([self._gain(channel, offers, rank, n_slots) for rank in range(channel.size)])
            winner = gains.argmax(axis=0)
            split = gains.max(axis=0) > max(self.algorithm.min_gain, 1e-12)
            for rank in channel.others:
                theirs = split & (winner == rank)
                how = [np.where(theirs, part, 0) for part in offers[rank][1:]] if rank in offers else [theirs * 0] * 3
                channel.send(rank, "chosen", np.stack([np.where(theirs, 2, split), *how]).astype(np.int32))
            mine, offer = split & (winner == channel.rank), offers[channel.rank]
            self.trees.split(nodes, split, winner)
        _, column, threshold, missing_left = offer
        self.splits.column += column[mine].tolist()
        self.splits.bin += threshold[mine].tolist()
        self.splits.missing_left += missing_left[mine].tolist()
        return mine, split, offer

    def _gain(self, channel: Channel, offers: dict[int, Offer], rank: int, n_slots: int) -> NDArray[np.float64]:
        return offers[rank][0] if rank in offers else channel.receive(rank, "gain", (n_slots,), np.float64)

    def _directions(
        self,
        channel: Channel,
        slots: NDArray[np.int32],
        mine: NDArray[np.bool_],
        split: NDArray[np.bool_],
        offer: Offer,
    ) -> NDArray[np.bool_]:
        """Which rows go left, shape (n_outputs, n); meaningful where the node of a row is split."""
        _, column, threshold, missing_left = offer
        rows = np.broadcast_to(np.arange(slots.shape[1]), slots.shape)
        left = np.zeros(slots.shape, dtype=np.bool_)
        own = (slots >= 0) & mine[slots]
        s, r = slots[own], rows[own]
        if len(s):
            codes = self.codes[r, column[s]]
            left[own] = np.where(codes == self.algorithm.max_bins, missing_left[s], codes <= threshold[s])
        moved = (slots >= 0) & split[slots]
        if not channel.is_active:
            channel.send(channel.active, "left", np.packbits(left[own]))
            packed = channel.receive(channel.active, "moved", ((int(moved.sum()) + 7) // 8,), np.uint8)
            left[moved] = np.unpackbits(packed, count=int(moved.sum()))
            return left
        winner = self.trees.winner
        for rank in channel.others:
            theirs = (slots >= 0) & (split & (winner == rank))[slots]
            n_theirs = int(theirs.sum())
            packed = channel.receive(rank, "left", ((n_theirs + 7) // 8,), np.uint8)
            left[theirs] = np.unpackbits(packed, count=n_theirs)
        channel.broadcast("moved", np.packbits(left[moved]))
        return left

    def _finish(self, leaves: NDArray[np.int64], gradient: NDArray[np.float32], hessian: NDArray[np.float32]) -> float:
        """Give every leaf its value, add it to the scores, and return the loss."""
        assert self.objective is not None and self.target is not None
        sums = node_totals(leaves.astype(np.int32), gradient, hessian, self.trees.n_nodes)
        value = -self.algorithm.learning_rate * sums[:, 0] / (sums[:, 1] + self.algorithm.l2)
        self.trees.give(value)
        for c in range(leaves.shape[0]):
            self.current[:, c] += value[leaves[c]]
        return self.objective.loss(self.current, self.target)
