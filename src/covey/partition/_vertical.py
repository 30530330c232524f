"""The frame of every vertical algorithm: what a party does, the loop that all share, checkpoints and model files."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from covey.partition._channel import Channel, LocalNetwork, Traffic
from covey.partition._inputs import fingerprint, n_rows
from covey.partition._objective import Objective, Task
from covey.table import atomic_write

FORMAT, VERSION = "covey-party", 1
_MOST_STATES = 3  # of a party: two, and one more if it was killed before it removed the oldest

# Name on the command line and in model files -> where the algorithm lives.
ALGORITHMS = {
    "splitnn": "covey.partition.splitnn:SplitNN",
    "cvfl": "covey.partition.cvfl:CVFL",
    "gal": "covey.partition.gal:GAL",
    "gbdt": "covey.partition.vertical_gbdt:VerticalGBDT",
    "linear": "covey.partition.linear:VerticalLinear",
}


class PartyModel(ABC):
    """One party's part of a model: what it does in training and prediction, and what it then holds.

    A subclass sees only its own `X`; whatever else it learns comes through the channel.

    Parameters
    ----------
    algorithm : VerticalEstimator
        The settings.

    Attributes
    ----------
    objective : Objective or None
        At the label holder.
    finished : bool
        Set by a `step` that was the last, at all parties in the same step.
    """

    finished = False

    def __init__(self, algorithm: VerticalEstimator) -> None:
        self.algorithm = algorithm
        self.objective: Objective | None = None

    @abstractmethod
    def start(self, channel: Channel, X: Any, target: NDArray[np.float64] | None) -> None:
        """Prepare training; `target` (n_samples, n_outputs) is given to the label holder alone."""

    @abstractmethod
    def step(self, channel: Channel, step: int) -> float | None:
        """One epoch or round; the label holder returns the training loss."""

    @abstractmethod
    def scores(self, channel: Channel, X: Any) -> NDArray[np.float64] | None:
        """Raw scores (n_samples, n_outputs) at the label holder, None elsewhere."""

    @abstractmethod
    def state(self) -> dict[str, NDArray]:
        """All that `scores`, and `step` after `start`, need to go on; arrays without object dtype."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Take up a state, after `start` or instead of it."""


class VerticalEstimator(BaseEstimator, ABC):
    """Base of the algorithms that learn from columns spread over parties.

    A subclass stores its settings in ``__init__``, has `task`, `random_state`, `n_steps` and names its `PartyModel`.

    Attributes
    ----------
    parties_ : list of PartyModel
        Each party's part.
    objective_ : Objective
    history_ : list of float
        Training loss of each step.
    traffic_ : Traffic
        What training sent over the links.
    """

    name: ClassVar[str]
    task: Task
    random_state: int

    @property
    @abstractmethod
    def n_steps(self) -> int:
        """Number of epochs or rounds."""

    @abstractmethod
    def _party(self, active: bool) -> PartyModel:
        """A new part, of the label holder or of another party."""

    def fit(
        self,
        parties: Sequence[Any],
        y: ArrayLike | None,
        *,
        label_party: int = 0,
        network: LocalNetwork | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train with all parties in this process.

        Parameters
        ----------
        parties : sequence of array-like of shape (n_samples, n_features of the party), frames or tables
            The rows must be those of the same samples in the same order (see `align`). The label holder may have
            no feature.
        y : array-like of shape (n_samples,)
        label_party : int
            Position of the party that holds `y`.
        network : LocalNetwork, optional
            To record messages, or to set a timeout.
        checkpoint : path, optional
            A folder; training goes on from what lies there.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If nobody holds the label, or parties differ in rows.
        """
        parties = list(parties)
        y = check_parties(parties, y, label_party)
        network = LocalNetwork(len(parties), label_party) if network is None else network
        saves = [None if checkpoint is None else Checkpoint(checkpoint, k) for k in range(len(parties))]

        def work(channel: Channel) -> tuple[PartyModel, list[float]]:
            k = channel.rank
            return train(
                self._party(channel.is_active), channel, parties[k], y if channel.is_active else None, saves[k]
            )

        trained = network.run([work] * len(parties))
        self.parties_ = [party for party, _ in trained]
        self.history_ = trained[label_party][1]
        self.label_party_ = label_party
        objective = self.parties_[label_party].objective
        assert objective is not None
        self.objective_ = objective
        self.traffic_ = network.traffic
        return self

    def scores(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray[np.float64]:
        """Raw scores, shape (n_samples, n_outputs); give a `network` to see what prediction sends."""
        check_is_fitted(self, "parties_")
        parties = list(parties)
        if len(parties) != len(self.parties_):
            raise ValueError(f"the model was trained with {len(self.parties_)} parties, got {len(parties)}")
        check_rows(parties)
        network = LocalNetwork(len(parties), self.label_party_) if network is None else network
        found = network.run([_Scorer(model, X) for model, X in zip(self.parties_, parties)])[self.label_party_]
        assert found is not None
        return found

    def predict(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray:
        """Labels, shape (n_samples,)."""
        scores = self.scores(parties, network=network)
        return self.objective_.predict(scores)

    def predict_proba(self, parties: Sequence[Any], *, network: LocalNetwork | None = None) -> NDArray[np.float64]:
        """Probability of each class, shape (n_samples, n_classes)."""
        scores = self.scores(parties, network=network)
        return self.objective_.probability(scores)

    def score(self, parties: Sequence[Any], y: ArrayLike) -> float:
        """Accuracy, or R2 for regression."""
        scores = self.scores(parties)
        return self.objective_.metric(scores, y)


@dataclass
class _Scorer:
    model: PartyModel
    X: Any

    def __call__(self, channel: Channel) -> NDArray[np.float64] | None:
        return self.model.scores(channel, self.X)


def train(
    party: PartyModel, channel: Channel, X: Any, y: ArrayLike | None = None, checkpoint: Checkpoint | None = None
) -> tuple[PartyModel, list[float]]:
    """One party's side of training: the same function serves threads and separate processes.

    Parameters
    ----------
    party : PartyModel
    channel : Channel
    X : array-like, frame or table of shape (n_samples, n_features of this party)
    y : array-like of shape (n_samples,), optional
        At the label holder only.
    checkpoint : Checkpoint, optional
        At all parties or at none.

    Returns
    -------
    party : PartyModel
        Trained.
    history : list of float
        Training loss of each step, at the label holder.
    """
    target = None
    if channel.is_active:
        if y is None:
            raise ValueError(f"party {channel.rank} is to hold the labels, but has none; no party can train without")
        party.objective = Objective.of(y, party.algorithm.task)
        target = party.objective.encode(y)
    elif y is not None:
        raise ValueError(f"party {channel.rank} has labels, but the label holder is party {channel.active}")
    check_same_rows(channel, n_rows(X))
    party.start(channel, X, target)
    history: list[float] = []
    first = 0
    if checkpoint is not None:
        checkpoint = replace(checkpoint, data=fingerprint(X, y))
        first = _agree(channel, checkpoint.steps())
        if first:
            state = checkpoint.read(first, party.algorithm, channel)
            history = state.pop("history").tolist()
            channel.traffic = Traffic.from_state(json.loads(str(state.pop("traffic"))))
            party.finished = bool(state.pop("finished"))
            party.restore(_restored_objective(party, state))
    for step in range(first, party.algorithm.n_steps):
        if party.finished:
            break
        loss = party.step(channel, step)
        if loss is not None:
            history.append(float(loss))
        if checkpoint is not None:
            checkpoint.write(step + 1, party, channel, history)
    return party, history


def check_same_rows(channel: Channel, n: int) -> None:
    """Every party learns whether all have the same number of rows.

    Raises
    ------
    ValueError
        At every party, if one differs.
    """
    if channel.is_active:
        counts = [int(count) for count in channel.gather("rows", (), np.int64)]
        channel.broadcast("rows", np.int64(n))
        for rank, count in zip(channel.others, counts):
            _same_rows(rank, count, channel.active, n)
    else:
        channel.send(channel.active, "rows", np.int64(n))
        _same_rows(channel.rank, n, channel.active, int(channel.receive(channel.active, "rows", (), np.int64)))


def _same_rows(rank: int, count: int, active: int, wanted: int) -> None:
    if count != wanted:
        raise ValueError(
            f"party {rank} has {count} rows, the label holder (party {active}) {wanted}; join them on an id (align)"
        )


def _agree(channel: Channel, steps: Sequence[int]) -> int:
    """The last step that every party has kept; 0 if there is none."""
    if not channel.is_active:
        last = np.zeros(_MOST_STATES, dtype=np.int64)  # as many bytes whatever was kept, so that counts are alike
        last[: len(steps)] = steps[-_MOST_STATES:]
        channel.send(channel.active, "checkpoints", last)
        return int(channel.receive(channel.active, "resume", (), np.int64))
    common = {0, *steps}
    for kept in channel.gather("checkpoints", (_MOST_STATES,), np.int64):
        common &= set(kept.tolist())
    channel.broadcast("resume", np.int64(max(common)))
    return max(common)


@dataclass(frozen=True)
class Checkpoint:
    """Where a party keeps its last two states while it trains.

    Parameters
    ----------
    folder : path
    rank : int
        Of the party; its files are ``party-{rank}-step-{step}.npz``.
    every : int
        Steps between two states.
    facts : mapping
        Plain values that a later run must have alike, beside the settings of the algorithm.
    data : str
        Fingerprint of the party's training rows; `train` sets it. A state goes on with no others: it would know rows
        that are to be tested on.
    """

    folder: str | Path
    rank: int
    every: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""

    def steps(self) -> list[int]:
        """Steps after which a state was kept, ascending."""
        files = Path(self.folder).glob(f"party-{self.rank}-step-*.npz")
        return sorted(int(step) for file in files if (step := file.stem.rsplit("-", 1)[1]).isdigit())

    def read(self, step: int, algorithm: VerticalEstimator, channel: Channel) -> dict[str, NDArray]:
        """The state after `step`.

        Raises
        ------
        ValueError
            If it was written in a run with other settings, parties or training rows, or is no file of this version.
        """
        path = self._path(step)
        header, state = read_party_file(path)
        for name, value in {**_header(algorithm, channel), "facts": dict(self.facts)}.items():
            if header.get(name) != value:
                raise ValueError(
                    f"{path} is of a run with {name} {header.get(name)}, this one has {value}; "
                    "use another folder or remove it"
                )
        if header.get("data") != self.data:
            raise ValueError(f"{path} is of a run on other data than this one; use another folder or remove it")
        return state

    def write(self, step: int, party: PartyModel, channel: Channel, history: Sequence[float]) -> None:
        """Keep the state after `step` and the one before; older ones go, and later ones of an earlier run."""
        if step % self.every and step != party.algorithm.n_steps and not party.finished:
            return
        extra = {
            "history": np.array(history, dtype=np.float64),
            "traffic": np.array(json.dumps(channel.traffic.state())),
            "finished": np.array(party.finished),
        }
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        save_party(party, channel, self._path(step), extra, {"facts": dict(self.facts), "data": self.data})
        last_two = [kept for kept in self.steps() if kept <= step][-2:]
        for other in set(self.steps()).difference(last_two):
            self._path(other).unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return Path(self.folder) / f"party-{self.rank}-step-{step}.npz"


def save_party(
    party: PartyModel,
    channel: Channel,
    path: str | Path,
    extra: Mapping[str, NDArray] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Write one party's part of a model to a file, whole or not at all.

    Parameters
    ----------
    party : PartyModel
    channel : Channel
        Tells who the party is.
    path : path
    extra : mapping of str to ndarray, optional
        More arrays for the file.
    told : mapping, optional
        Plain values for the header, beside who the party is.

    Examples
    --------
    >>> import tempfile
    >>> from covey.partition import LocalNetwork, VerticalLinear
    >>> X = np.random.default_rng(0).normal(size=(40, 2))
    >>> model = VerticalLinear().fit([X[:, :1], X[:, 1:]], X[:, 0] > X[:, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_party(model.parties_[1], LocalNetwork(2).channels[1], f"{folder}/mine.npz")
    ...     party, who = load_party(f"{folder}/mine.npz")
    >>> who
    {'rank': 1, 'size': 2, 'active': 0}
    """
    state = {**party.state(), **(extra or {})}
    if party.objective is not None:
        state |= {f"objective/{key}": value for key, value in party.objective.state().items()}
    header = {**_header(party.algorithm, channel), **(told or {})}
    with atomic_write(Path(path)) as temporary, open(temporary, "wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **state)  # type: ignore[arg-type]


def _header(algorithm: VerticalEstimator, channel: Channel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "algorithm": algorithm.name,
        "settings": settings_of(algorithm),
        "rank": channel.rank,
        "size": channel.size,
        "active": channel.active,
    }


def load_party(path: str | Path) -> tuple[PartyModel, dict[str, Any]]:
    """Read one party's part of a model, and who it was (`rank`, `size`, `active`).

    Raises
    ------
    ValueError
        If it is no such file, or one of another version.
    """
    header, state = read_party_file(path)
    algorithm = algorithm_class(header["algorithm"])(**header["settings"])
    party = algorithm._party(header["rank"] == header["active"])
    party.restore(_restored_objective(party, state))
    return party, {key: header[key] for key in ("rank", "size", "active")}


def read_party_file(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Header and arrays of a party's file; nothing in it is executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {key: file[key] for key in file.files}
        header = json.loads(str(state.pop("header")))
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no file of a covey party, or a damaged one") from error
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} is no file of a covey party")
    if header["version"] != VERSION:
        raise ValueError(f"{path} has version {header['version']}; this covey reads version {VERSION}: train again")
    return header, state


def algorithm_class(name: str) -> type[VerticalEstimator]:
    """The algorithm of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in ALGORITHMS:
        raise ValueError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}")
    module, _, attribute = ALGORITHMS[name].partition(":")
    return getattr(import_module(module), attribute)


def make_estimator(name: str, **settings: Any) -> VerticalEstimator:
    """The algorithm of that name with these settings.

    Raises
    ------
    ValueError
        If there is none, or it has no such setting.
    """
    kind = algorithm_class(name)
    known = kind._get_param_names()
    for setting in settings:
        if setting not in known:
            raise ValueError(f"{name} has no setting {setting!r}; there are {', '.join(known)}")
    return kind(**settings)


def check_parties(parties: Sequence[Any], y: ArrayLike | None, label_party: int) -> NDArray:
    """Labels as an array, after checks that name what is wrong."""
    if not parties:
        raise ValueError("there must be at least one party")
    if not 0 <= label_party < len(parties):
        raise ValueError(f"label_party must be one of the parties 0 to {len(parties) - 1}, got {label_party}")
    if y is None:
        raise ValueError("no party holds the label: y is None")
    check_rows(parties)
    y = np.asarray(y)
    if len(y) != n_rows(parties[0]):
        raise ValueError(f"y has {len(y)} labels, the parties {n_rows(parties[0])} rows")
    return y


def check_rows(parties: Sequence[Any]) -> None:
    """Raise if parties differ in their number of rows."""
    for rank, X in enumerate(parties):
        if n_rows(X) != n_rows(parties[0]):
            raise ValueError(
                f"party {rank} has {n_rows(X)} rows, party 0 has {n_rows(parties[0])}; join them on an id (align)"
            )


def _restored_objective(party: PartyModel, state: dict[str, NDArray]) -> dict[str, NDArray]:
    """Give the party the objective that the state holds, and return the rest."""
    own = {key: value for key, value in state.items() if key.startswith("objective/")}
    if own:
        party.objective = Objective.from_state({key.removeprefix("objective/"): value for key, value in own.items()})
    return {key: value for key, value in state.items() if key not in own}


def settings_of(algorithm: VerticalEstimator) -> dict[str, Any]:
    """The settings as they come back from a JSON file."""
    return json.loads(json.dumps(algorithm.get_params(deep=False), default=repr))
