"""What the channel gives away: columns rebuilt from what a party sent, labels from what it received."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor

from covey.partition._channel import Channel, LocalNetwork, Message
from covey.partition._inputs import Encoder, n_rows, take_rows
from covey.partition._objective import Objective
from covey.partition._vertical import PartyModel, VerticalEstimator
from covey.partition.baselines import Pooled, Solo, n_columns
from covey.table import FeatureTable, plain, read

Decoder = Literal["ridge", "mlp"]
Method = Literal["direction", "norm", "cluster", "supervised"]
Epoch = Literal["first", "last"]
Matrix = NDArray[np.float64]

# Tags of what is derived from a party's columns, and of what is derived from the labels.
FORWARD = ("embedding", "scores", "fitted", "directions")
BACKWARD = ("gradient", "residual")
TOLD = "labels"

_PENALTIES = np.logspace(-3, 4, 15)
_EPOCHS = 200


@dataclass(frozen=True, eq=False)
class LeakageReport:
    """How well columns could be rebuilt from what was sent.

    Parameters
    ----------
    names : tuple of str
        The columns: numbers, and one for each category.
    r2 : ndarray of shape (n_columns,)
        Share of each column's variance that the attacker predicts on rows that it did not know, at most 1; NaN for a
        column that is constant there.
    baseline : ndarray of shape (n_columns,)
        The same where the rows sent were shuffled, so that nothing can be learned.
    decoder : {"ridge", "mlp"}
    n_train, n_test : int
        Rows that the attacker knew, and that it was tested on.
    """

    names: tuple[str, ...]
    r2: Matrix
    baseline: Matrix
    decoder: str
    n_train: int
    n_test: int

    @property
    def excess(self) -> Matrix:
        """R2 above the baseline, shape (n_columns,); a baseline below 0 counts as 0."""
        return self.r2 - np.maximum(self.baseline, 0.0)

    @property
    def mean(self) -> float:
        """Mean of `r2` over the columns that vary; NaN if there is none."""
        return _mean(self.r2)

    @property
    def baseline_mean(self) -> float:
        """Mean of `baseline` over the columns that vary."""
        return _mean(self.baseline)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for NaN."""
        return plain(
            {
                "r2": self.mean,
                "baseline": self.baseline_mean,
                "columns": dict(zip(self.names, self.r2)),
                "decoder": self.decoder,
                "n_train": self.n_train,
            }
        )

    def __repr__(self) -> str:
        return (
            f"<LeakageReport of {len(self.names)} columns: mean R2 {self.mean:.3f}, "
            f"shuffled {self.baseline_mean:.3f}, {self.decoder} decoder, {self.n_train} known rows>"
        )


@dataclass(frozen=True)
class LabelReport:
    """How well labels could be told from what was received.

    Parameters
    ----------
    auc : float
        Area under the ROC curve, 0..1; for several classes the mean over them, each against the rest.
    baseline : float
        The same where the rows received were shuffled.
    method : {"direction", "norm", "cluster", "supervised"}
    n_known : int
        Labels that the attacker knew.
    """

    auc: float
    baseline: float
    method: str
    n_known: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"auc": self.auc, "baseline": self.baseline, "method": self.method, "n_known": self.n_known}

    def __repr__(self) -> str:
        return f"<LabelReport: AUC {self.auc:.3f}, shuffled {self.baseline:.3f}, by {self.method}>"


def feature_reconstruction(
    sent: ArrayLike,
    X: Any,
    *,
    decoder: Decoder = "ridge",
    train_fraction: float = 0.5,
    random_state: int = 0,
) -> LeakageReport:
    """Rebuild a party's columns from what it sent, by an attacker who knows them for some of the rows.

    Parameters
    ----------
    sent : array-like of shape (n_samples, n_values)
        A row for each sample, as the label holder saw it.
    X : array-like, frame or table of shape (n_samples, n_features)
        The true columns. They are standardised, and categories become indicators (see `Encoder`).
    decoder : {"ridge", "mlp"}
        Ridge regression with its penalty chosen by leave-one-out, or a network with one layer of 100 units.
    train_fraction : float
        Share of the rows that the attacker knows, above 0 and below 1. The rest is for the test.
    random_state : int
        Which rows these are, the shuffle, and the network.

    Returns
    -------
    LeakageReport

    Raises
    ------
    ValueError
        If rows differ in number, an argument is out of range, or `X` has no column.

    References
    ----------
    J. Wu, B. Hou, B. He, "VertiBench", ICLR 2024, arXiv:2307.02040 (what vertical learning is to be measured by).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> feature_reconstruction(np.tanh(X @ rng.normal(size=(3, 5))), X[:, :2]).mean > 0.8
    True
    >>> feature_reconstruction(rng.normal(size=(400, 5)), X).mean < 0.05
    True
    """
    if decoder not in ("ridge", "mlp"):
        raise ValueError(f"decoder must be 'ridge' or 'mlp', got {decoder!r}")
    if not 0.0 < train_fraction < 1.0:
        raise ValueError(f"train_fraction must be above 0 and below 1, got {train_fraction}")
    encoder, seen = Encoder().fit(X), _standardised(sent)
    columns = encoder.transform(X)
    if len(seen) != len(columns):
        raise ValueError(f"sent has {len(seen)} rows, X has {len(columns)}")
    if not columns.shape[1]:
        raise ValueError("X has no column to rebuild")
    rng = np.random.default_rng(random_state)
    order = rng.permutation(len(columns))
    known, hidden = np.split(order, [round(train_fraction * len(order))])
    if min(len(known), len(hidden)) < 2:
        raise ValueError(f"train_fraction {train_fraction:g} of {len(order)} rows leaves fewer than 2 to learn or test")
    shuffled = seen[rng.permutation(len(seen))]
    r2, baseline = (_decoded(rows, columns, known, hidden, decoder, random_state) for rows in (seen, shuffled))
    return LeakageReport(_names(encoder, X), r2, baseline, decoder, len(known), len(hidden))


def label_inference(
    received: ArrayLike, y: ArrayLike, *, method: Method = "direction", n_known: int = 5, random_state: int = 0
) -> LabelReport:
    """Tell labels from the gradients or residuals that a passive party received.

    Parameters
    ----------
    received : array-like of shape (n_samples, n_values)
        A row for each sample.
    y : array-like of shape (n_samples,)
        The true classes.
    method : {"direction", "norm", "cluster", "supervised"}
        ``"direction"``: cosine to the mean direction of a few samples of known class; ``"norm"``: the rarer of two
        classes has the longer gradients; ``"cluster"``: k-means of the directions, with clusters matched to classes as
        well as can be, which bounds what an attacker without any label achieves; ``"supervised"``: logistic
        regression on the samples of known class.
    n_known : int
        Samples of each class whose label the attacker knows, for ``"direction"`` and ``"supervised"``; they are no part
        of the test. At least one of each class is left for it.
    random_state : int
        Which samples these are, and the shuffle.

    Returns
    -------
    LabelReport

    Raises
    ------
    ValueError
        If rows differ in number, there is one class or a class with a single sample, `y` holds quantities, or the
        method does not suit.

    References
    ----------
    O. Li, J. Sun, X. Yang, W. Gao, H. Zhang, J. Xie, V. Smith, C. Wang, "Label leakage and protection in two-party
    split learning", ICLR 2022, arXiv:2102.08504 (norm and direction).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> gradients = np.outer(rng.random(300) - y, [1.0, -2.0]) + 0.1 * rng.normal(size=(300, 2))
    >>> label_inference(gradients, y).auc > 0.95
    True
    """
    if method not in ("direction", "norm", "cluster", "supervised"):
        raise ValueError(f"method must be 'direction', 'norm', 'cluster' or 'supervised', got {method!r}")
    if n_known < 1:
        raise ValueError(f"n_known must be at least 1, got {n_known}")
    rows, (classes, code) = _matrix(received), _coded(y)
    if len(rows) != len(code):
        raise ValueError(f"received has {len(rows)} rows, y has {len(code)} labels")
    if np.bincount(code).min() < 2:
        raise ValueError(f"class {classes[np.bincount(code).argmin()]!r} has a single sample; drop it")
    if method == "norm" and len(classes) > 2:
        raise ValueError(f"method 'norm' is for two classes, y has {len(classes)}")
    rng = np.random.default_rng(random_state)
    known = _known_rows(code, n_known if method in ("direction", "supervised") else 0, rng)
    shuffled = rows[rng.permutation(len(rows))]
    auc, baseline = (_auc(_label_scores(seen, code, known, method)[~known], code[~known]) for seen in (rows, shuffled))
    return LabelReport(auc, baseline, method, int(known.sum()))


@dataclass(frozen=True, eq=False)
class Leakage:
    """What a trained model gave away.

    Parameters
    ----------
    features : dict of int to LeakageReport
        For each passive party that sent something derived from its columns.
    labels : dict of int to LabelReport
        For each passive party that received something derived from the labels; for regression a `LeakageReport` whose
        one column is the label.
    """

    features: Mapping[int, LeakageReport]
    labels: Mapping[int, LabelReport | LeakageReport]
    is_regression: bool = False

    @property
    def feature_leakage(self) -> float:
        """Mean R2 above the shuffled baseline over all columns of passive parties; 0 if nothing was sent."""
        return _mean(np.concatenate([r.excess for r in self.features.values()])) if self.features else 0.0

    @property
    def label_leakage(self) -> float:
        """AUC (R2 for regression) of the party that tells labels best; chance if nothing was received."""
        found = [report.auc if isinstance(report, LabelReport) else report.mean for report in self.labels.values()]
        return max(found, default=0.0 if self.is_regression else 0.5)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "feature_leakage": plain(self.feature_leakage),
            "label_leakage": plain(self.label_leakage),
            "features": {str(k): report.to_dict() for k, report in self.features.items()},
            "labels": {str(k): report.to_dict() for k, report in self.labels.items()},
        }

    def __repr__(self) -> str:
        kind = "R2" if self.is_regression else "AUC"
        return (
            f"<Leakage: features R2 {self.feature_leakage:.3f} above shuffled, labels {kind} {self.label_leakage:.3f}>"
        )


def leakage(
    estimator: VerticalEstimator | Solo | Pooled,
    parties: Sequence[Any],
    y: ArrayLike,
    *,
    label_party: int = 0,
    decoder: Decoder = "ridge",
    method: Method = "direction",
    epoch: Epoch = "last",
    train_fraction: float = 0.5,
    n_known: int = 5,
    max_rows: int = 5000,
    random_state: int = 0,
) -> Leakage:
    """Attack what an algorithm's channel carries.

    The label holder rebuilds each other party's columns from what that party sends for a prediction of these rows; each
    other party tells the labels from what it receives in one epoch of training. An attacker who keeps the messages of
    all epochs knows more: those of `VerticalLinear` determine a party's columns once iterations times outputs reach
    their number. What is encrypted counts as nothing, and so do the bits that tell in training which rows go left
    in a tree.

    Parameters
    ----------
    estimator : VerticalEstimator, Solo or Pooled
        If it is not trained yet, a copy is.
    parties : sequence of array-like of shape (n_samples, n_features of the party), frames or tables
        The rows of training.
    y : array-like of shape (n_samples,)
    label_party : int
        For an estimator that is not trained yet.
    decoder, train_fraction
        See `feature_reconstruction`.
    method, n_known
        See `label_inference`.
    epoch : {"first", "last"}
        Of training, run once more: with the weights at the start, or at the end.
    max_rows : int
        Rows, drawn at random, that the rebuilding of columns uses at most.
    random_state : int

    Returns
    -------
    Leakage

    Raises
    ------
    ValueError
        See `feature_reconstruction` and `label_inference`.
    TypeError
        If the estimator is `GAL` with a regressor of one's own; take ``epoch="first"``.

    Examples
    --------
    Residuals tell labels:

    >>> from sklearn.datasets import load_breast_cancer
    >>> from covey.partition.linear import VerticalLinear
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> leakage(VerticalLinear(), [X[:, :15], X[:, 15:]], y).label_leakage
    1.0
    """
    if epoch not in ("first", "last"):
        raise ValueError(f"epoch must be 'first' or 'last', got {epoch!r}")
    parties, y = list(parties), np.asarray(y)
    if not hasattr(estimator, "objective_"):
        estimator = clone(estimator).fit(parties, y, label_party=label_party)
    rng, n = np.random.default_rng(random_state), len(y)
    rows = np.arange(n) if n <= max_rows else np.sort(rng.choice(n, max_rows, replace=False))
    rebuilding: Any = {"decoder": decoder, "train_fraction": train_fraction, "random_state": random_state}
    features = {
        k: feature_reconstruction(values[rows], take_rows(parties[k], rows), **rebuilding)
        for k, values in _sent(estimator, parties).items()
        if n_columns(parties[k])
    }
    received = _received(estimator, parties, y, epoch) if isinstance(estimator, VerticalEstimator) else {}
    is_regression = estimator.objective_.classes is None
    labels: dict[int, LabelReport | LeakageReport] = {}
    for k, values in received.items():
        if is_regression:
            labels[k] = feature_reconstruction(values[rows], y[rows, None], **rebuilding)
        else:
            labels[k] = label_inference(values, y, method=method, n_known=n_known, random_state=random_state)
    return Leakage(features, labels, is_regression)


def defence_cost(
    estimator: VerticalEstimator,
    defences: Iterable[str | None],
    train: tuple[Sequence[Any], ArrayLike],
    test: tuple[Sequence[Any], ArrayLike],
    *,
    setting: str = "defence",
    **attack: Any,
) -> list[dict[str, Any]]:
    """What a defence saves in leakage and costs in accuracy.

    Parameters
    ----------
    estimator : VerticalEstimator
        With a setting that takes a defence, as `SplitNN` has.
    defences : iterable of str or None
        As in ``[None, "clip:1.0+noise:0.1"]``.
    train, test : (parties, y)
    setting : str
        ``"defence"`` or ``"gradient_defence"``.
    **attack
        Of `leakage`.

    Returns
    -------
    list of dict
        For each defence its text, ``score`` on the test rows, ``feature_leakage`` and ``label_leakage``.

    Raises
    ------
    ValueError
        If the estimator has no such setting.
    """
    rows = []
    for defence in defences:
        model = clone(estimator).set_params(**{setting: defence}).fit(*train)
        found = leakage(model, *train, **attack)
        score = model.score(*test)
        rows.append(
            {
                "defence": defence,
                "score": score,
                "feature_leakage": found.feature_leakage,
                "label_leakage": found.label_leakage,
            }
        )
    return rows


def _sent(estimator: VerticalEstimator | Solo | Pooled, parties: list[Any]) -> dict[int, Matrix]:
    """What the label holder saw of each other party's rows in a prediction, by rank."""
    active = estimator.label_party_
    others = [k for k in range(len(parties)) if k != active]
    if isinstance(estimator, Solo):
        return {}
    if isinstance(estimator, Pooled):
        return {k: Encoder().fit(parties[k]).transform(parties[k]) for k in others}
    network = LocalNetwork(len(parties), active, record=FORWARD)
    estimator.scores(parties, network=network)
    seen = network.channels[active].transcript
    found = {k: _opened([m for m in seen if m.sender == k], estimator.parties_[k], n_rows(parties[k])) for k in others}
    return {k: rows for k, rows in found.items() if rows.size}


def _received(estimator: VerticalEstimator, parties: list[Any], y: NDArray, epoch: Epoch) -> dict[int, Matrix]:
    """What each passive party saw of each row in one epoch of training, by rank."""
    active = estimator.label_party_
    network = LocalNetwork(len(parties), active, record=(*FORWARD, *BACKWARD, TOLD))
    told: dict[int, Matrix] = {}
    step = 0 if epoch == "first" else len(estimator.history_) - 1

    def work(channel: Channel) -> PartyModel:
        party = estimator._party(channel.is_active)
        target = None
        if channel.is_active:
            party.objective = estimator.objective_
            target = party.objective.encode(y)
        party.start(channel, parties[channel.rank], target)
        if epoch == "last":
            # A model from a file has lost what only its optimiser needed; that begins anew.
            state = party.state() | estimator.parties_[channel.rank].state()
            party.restore({name: array.copy() for name, array in state.items()})
        told.update((channel.rank, _told(m)) for m in channel.transcript if m.tag == TOLD and not channel.is_active)
        channel.transcript.clear()
        party.step(channel, step)
        return party

    models = network.run([work] * len(parties))
    for k in network.channels[active].others:
        if k not in told:
            told[k] = _opened(network.channels[k].transcript, models[k], len(y), step)
    return {k: rows for k, rows in sorted(told.items()) if rows.size}


def _told(message: Message) -> Matrix:
    """Labels that were sent as they are (see `CVFL` with shared labels): indicators of the classes, or one column."""
    (n_classes, _), labels = message.arrays
    return np.eye(n_classes)[labels] if n_classes else labels[:, None].astype(np.float64)


def _opened(messages: Sequence[Message], model: PartyModel, n: int, step: int | None = None) -> Matrix:
    """The rows that messages hold, one a sample in the order of the table.

    Parameters
    ----------
    messages : sequence of Message
        All that went from the party and to it in one prediction (`step` None) or one epoch.
    model : PartyModel
        The party's.
    n : int
        Number of samples.
    step : int, optional
    """
    if hasattr(model, "_compressor"):
        return _opened_batches(messages, model, n, step)
    wanted = FORWARD if step is None else BACKWARD
    blocks = [block for message in messages if message.tag in wanted for block in _by_sample(message, n)]
    return np.hstack(blocks).astype(np.float64) if blocks else np.empty((0, 0))


def _by_sample(message: Message, n: int) -> list[NDArray]:
    """The arrays of a message that have a row for each of n samples; bits of trees' splits become such."""
    if message.tag == "directions":
        different = np.unique(message.arrays[0], axis=0)
        return [np.unpackbits(different, axis=1, count=n).T] if len(different) else []
    return [array.reshape(n, -1) for array in message.arrays if array.ndim and len(array) == n]


def _opened_batches(messages: Sequence[Message], model: Any, n: int, step: int | None) -> Matrix:
    """The same for SplitNN and its kin, whose messages are batches, maybe compressed."""
    from covey.partition.splitnn import _PREDICTION_ROWS

    compressor, cut = model._compressor, model.algorithm.cut
    embeddings = [m.arrays for m in messages if m.tag == "embedding"]
    if step is None:
        sizes = [min(_PREDICTION_ROWS, n - start) for start in range(0, n, _PREDICTION_ROWS)]
        return np.vstack([compressor.unpack(packed, (size, cut)) for packed, size in zip(embeddings, sizes)])
    gradients = [m.arrays for m in messages if m.tag == "gradient"]
    batches = [rows.numpy() for _, rows in model._batches(step)]
    opened = [
        compressor.unpack_gradient(back, packed, (len(rows), cut)) * len(rows)
        for back, packed, rows in zip(gradients, embeddings, batches, strict=True)
    ]
    return np.vstack(opened)[np.argsort(np.concatenate(batches))].astype(np.float64)


def _coded(y: ArrayLike) -> tuple[NDArray, NDArray[np.intp]]:
    """The classes, and the position of each label among them."""
    objective = Objective.of(y, "classification")
    assert objective.classes is not None
    if objective.classes.dtype.kind == "f" and (objective.classes % 1).any():
        raise ValueError("y holds quantities, not classes; use feature_reconstruction(received, y[:, None])")
    target = objective.encode(y)
    code = target.argmax(axis=1) if target.shape[1] > 1 else target[:, 0]
    return objective.classes, code.astype(np.intp)


def _label_scores(rows: Matrix, code: NDArray[np.intp], known: NDArray[np.bool_], method: Method) -> Matrix:
    """How much each row speaks for each class, shape (n_samples, n_classes)."""
    n_classes = int(code.max()) + 1
    if method == "norm":
        rare = int(np.bincount(code).argmin())
        length = np.linalg.norm(rows, axis=1)
        return np.column_stack([length if c == rare else -length for c in range(2)])
    if method == "supervised":
        scale = rows.std(axis=0)
        scaled = (rows - rows.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
        return LogisticRegression(max_iter=1000).fit(scaled[known], code[known]).predict_proba(scaled)
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if method == "direction":
        centres = np.stack([units[known & (code == c)].mean(axis=0) for c in range(n_classes)])
        length = np.linalg.norm(centres, axis=1)
        return units @ (centres / np.where(length > 0, length, 1.0)[:, None]).T
    clusters = KMeans(n_classes, n_init=5, random_state=0).fit(units)
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (code, clusters.labels_), 1)
    return -clusters.transform(units)[:, linear_sum_assignment(-counts)[1]]


def _auc(scores: Matrix, code: NDArray[np.intp]) -> float:
    """Mean over classes of the AUC of one score above the mean of the others."""
    above = scores - (scores.sum(axis=1, keepdims=True) - scores) / (scores.shape[1] - 1)
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return float(np.mean([roc_auc_score(code == c, above[:, c]) for c in classes]))


def _known_rows(code: NDArray[np.intp], n_known: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Some rows of each class, never all."""
    known = np.zeros(len(code), dtype=bool)
    for c in range(int(code.max()) + 1):
        rows = np.flatnonzero(code == c)
        known[rng.choice(rows, min(n_known, len(rows) - 1), replace=False)] = True
    return known


def _decoded(seen: Matrix, columns: Matrix, known: NDArray, hidden: NDArray, decoder: Decoder, seed: int) -> Matrix:
    """R2 of each column on the hidden rows, by a decoder that has learned on the known ones."""
    if decoder == "ridge":
        model = RidgeCV(alphas=_PENALTIES).fit(seen[known], columns[known])
    else:
        model = _trained_network(seen[known], columns[known], seed)
    predicted = model.predict(seen[hidden]).reshape(len(hidden), -1)
    wanted = columns[hidden]
    total = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    error = ((wanted - predicted) ** 2).sum(axis=0)
    constant = total <= 1e-12 * len(hidden)
    return np.where(constant, np.nan, 1.0 - error / np.where(constant, 1.0, total))


def _trained_network(seen: Matrix, target: Matrix, seed: int) -> MLPRegressor:
    network = MLPRegressor(alpha=1.0, learning_rate_init=3e-3, random_state=seed)
    for _ in range(_EPOCHS):
        network.partial_fit(seen, target[:, 0] if target.shape[1] == 1 else target)
    return network


def _standardised(sent: ArrayLike) -> Matrix:
    """What was sent, as a decoder likes it; missing values become the mean."""
    values = _matrix(sent)
    return Encoder().fit(values).transform(values)


def _matrix(values: ArrayLike) -> Matrix:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or not found.size:
        raise ValueError(f"what was sent must be one row of values for each sample; its shape is {found.shape}")
    return found


def _names(encoder: Encoder, X: Any) -> tuple[str, ...]:
    """Names of the columns of an encoded matrix."""
    names = read(X).names if isinstance(X, FeatureTable) or hasattr(X, "columns") else ()
    numbers = [name for name in names if name not in encoder.levels] or [f"x{j}" for j in range(len(encoder.mean))]
    return (*numbers, *(f"{name}={level}" for name, levels in encoder.levels.items() for level in levels))


def _mean(values: Matrix) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
