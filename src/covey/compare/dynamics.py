"""Correlation modes of trajectories: many weights that move together, each an affine function of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

Array = NDArray[np.float64]
# A spread below this many units in the last place of the mean is rounding, not movement.
ROUNDING = 8 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class ModeModel:
    """Every variable as an affine function of the reference it moves with.

    Parameters
    ----------
    references : ndarray of shape (n_modes,), int
        Columns that stand for the modes.
    labels : ndarray of shape (n_features,), int
        Each column's mode; -1 for a column that does not move.
    correlation : ndarray of shape (n_features,)
        With the mode's reference, -1..1; NaN for a column that does not move.
    slope, intercept : ndarray of shape (n_features,)
        Least squares; slope 0 and the mean for a column that does not move.
    explained_variance_ratio : float
        Share of the variance over time, summed over columns, 0..1; NaN when nothing moves.
    """

    references: NDArray[np.intp]
    labels: NDArray[np.intp]
    correlation: Array
    slope: Array
    intercept: Array
    explained_variance_ratio: float

    def reconstruct(self, reference_values: Array) -> Array:
        """All columns from the references' values, shape (..., n_modes) to (..., n_features)."""
        return reference_values[..., np.maximum(self.labels, 0)] * self.slope + self.intercept


@dataclass(frozen=True, eq=False)
class TrajectoryMoments:
    """Sums that the model needs, of as many rows as were seen: ``n_features * (n_modes + 2)`` numbers.

    Parameters
    ----------
    references : ndarray of shape (n_modes,), int
    n_rows : int
    mean : ndarray of shape (n_features,)
    scatter : ndarray of shape (n_features,)
        Sums of squared deviations from the mean.
    cross : ndarray of shape (n_features, n_modes)
        Sums of products of deviations with those of the references.
    """

    references: NDArray[np.intp]
    n_rows: int
    mean: Array
    scatter: Array
    cross: Array

    @classmethod
    def of(cls, rows: Array, references: NDArray[np.intp]) -> TrajectoryMoments:
        """Moments of `rows`, shape (n_rows, n_features)."""
        mean = rows.mean(axis=0)
        centred = rows - mean
        scatter = np.einsum("ij,ij->j", centred, centred)
        return cls(references, len(rows), mean, scatter, centred.T @ centred[:, references])

    def merge(self, other: TrajectoryMoments) -> TrajectoryMoments:
        """Moments of both sets of rows (Chan, Golub and LeVeque, 1983)."""
        total = self.n_rows + other.n_rows
        step = other.mean - self.mean
        weight = self.n_rows * other.n_rows / total
        return TrajectoryMoments(
            self.references,
            total,
            self.mean + step * (other.n_rows / total),
            self.scatter + other.scatter + weight * step**2,
            self.cross + other.cross + weight * np.outer(step, step[self.references]),
        )

    def model(self) -> ModeModel:
        """The reference of greatest absolute correlation for each column, and the least-squares line on it."""
        own = self.scatter[self.references]
        moves = self.scatter > self.n_rows * (ROUNDING * self.mean) ** 2
        scale = np.sqrt(np.outer(self.scatter, own))
        correlation = np.divide(self.cross, scale, out=np.zeros_like(scale), where=moves[:, None] & (scale > 0))
        best = np.abs(correlation).argmax(axis=1)
        every = np.arange(len(best))
        best[self.references] = np.arange(len(self.references))
        slope = np.divide(self.cross[every, best], own[best], out=np.zeros(len(best)), where=moves & (own[best] > 0))
        strength = np.clip(np.where(moves, correlation[every, best], np.nan), -1.0, 1.0)
        total = self.scatter[moves].sum()
        explained = (strength[moves] ** 2 * self.scatter[moves]).sum() / total if total > 0 else np.nan
        intercept = self.mean - slope * self.mean[self.references[best]]
        return ModeModel(self.references, np.where(moves, best, -1), strength, slope, intercept, float(explained))


def mode_references(
    trajectories: ArrayLike,
    n_modes: int = 10,
    *,
    threshold: float | None = None,
    n_sampled: int = 1000,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Columns that stand for groups of columns that move together.

    A sample of the columns that move is grouped by average linkage of ``1 - |correlation|``; each group is
    represented by the member with the highest mean absolute correlation to the others.

    Parameters
    ----------
    trajectories : array-like of shape (n_steps, n_features)
        One row a time step.
    n_modes : int
        Most groups. Not used when `threshold` is given.
    threshold : float, optional
        Groups are cut where the mean absolute correlation between groups falls below this, 0 to 1.
    n_sampled : int
        Columns that are grouped; the matrix of their correlations is held.
    random_state : int, RandomState instance or None

    Returns
    -------
    ndarray of shape (at most n_modes,), int
        Ascending column numbers.

    Raises
    ------
    ValueError
        If an argument is out of range, the trajectories are no matrix of two steps or more with finite values, or
        nothing moves.

    References
    ----------
    Brokman et al. (2024), Enhancing Neural Training via a Correlated Dynamics Model. ICLR. arXiv:2312.13247.

    Examples
    --------
    >>> t = np.linspace(0, 1, 50)
    >>> slow, fast = t, np.sin(20 * t)
    >>> mode_references(np.column_stack([slow, 2 * slow, fast, 1 - fast, -fast]), 2)
    array([0, 2])
    """
    rows = np.asarray(trajectories, dtype=float)
    _check(rows, n_modes, threshold, n_sampled)
    mean = rows.mean(axis=0)
    spread = np.sqrt(np.mean((rows - mean) ** 2, axis=0))
    moving = np.flatnonzero(spread > ROUNDING * np.abs(mean))
    if len(moving) == 0:
        raise ValueError("no column moves: each is constant over time; give trajectories that change")
    if len(moving) > n_sampled:
        moving = np.sort(check_random_state(random_state).choice(moving, n_sampled, replace=False))
    unit = (rows[:, moving] - mean[moving]) / (spread[moving] * np.sqrt(len(rows)))
    strength = np.clip(np.abs(unit.T @ unit), 0.0, 1.0)
    groups = _groups(strength, n_modes, threshold)
    return np.array(sorted(moving[_representative(strength, groups == g)] for g in np.unique(groups)), dtype=np.intp)


def _check(rows: Array, n_modes: int, threshold: float | None, n_sampled: int) -> None:
    if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] == 0:
        raise ValueError(f"trajectories must have shape (n_steps >= 2, n_features), got {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("trajectories must be finite: drop the columns or the steps that are not")
    for name, value in (("n_modes", n_modes), ("n_sampled", n_sampled)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in 0..1, got {threshold}")


def _groups(strength: Array, n_modes: int, threshold: float | None) -> NDArray[np.intp]:
    if len(strength) == 1:
        return np.ones(1, dtype=np.intp)
    tree = linkage(squareform(1.0 - strength, checks=False), "average")
    if threshold is not None:
        return fcluster(tree, 1.0 - threshold, "distance")
    return fcluster(tree, n_modes, "maxclust")


def _representative(strength: Array, group: NDArray[np.bool_]) -> np.intp:
    members = np.flatnonzero(group)
    return members[strength[np.ix_(members, members)].mean(axis=1).argmax()]


class _ModeTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the offline and the online estimator do with a model."""

    def _store(self, model: ModeModel) -> None:
        self.model_ = model
        self.references_, self.labels_, self.correlation_ = model.references, model.labels, model.correlation
        self.slope_, self.intercept_ = model.slope, model.intercept
        self.explained_variance_ratio_ = model.explained_variance_ratio
        self._n_features_out = len(model.references)

    def transform(self, X: ArrayLike) -> Array:
        """The references' values: shape (n_steps, n_features) to (n_steps, n_modes)."""
        check_is_fitted(self, "model_")
        x: Array = validate_data(self, X, dtype=np.float64, reset=False)
        return x[:, self.references_]

    def inverse_transform(self, X: ArrayLike) -> Array:
        """All columns from the references' values: shape (n_steps, n_modes) to (n_steps, n_features)."""
        check_is_fitted(self, "model_")
        values = np.asarray(X, dtype=float)
        if values.ndim != 2 or values.shape[1] != self._n_features_out:
            raise ValueError(f"X must have {self._n_features_out} columns, one a reference; got shape {values.shape}")
        return self.model_.reconstruct(values)

    def project(self, X: ArrayLike) -> Array:
        """`X` as the model sees it: every column replaced by the affine function of its reference."""
        return self.inverse_transform(self.transform(X))


class CorrelationModeDecomposition(_ModeTransformer):
    """Trajectories as a few modes: each variable is an affine function of the reference that it moves with.

    Weights of a network in training move together, and so do many tables over time. Columns are grouped by how
    strongly they correlate over the rows (see `mode_references`); ``x_i(t) = slope_i x_m(t) + intercept_i`` with `m`
    the reference of greatest absolute correlation. Projecting the last row of a training run smooths the weights, as
    an average of late weights does.

    Parameters
    ----------
    n_modes : int
        Most modes. Not used when `threshold` is given.
    threshold : float, optional
        Modes are cut at this absolute correlation, 0 to 1, in place of by their number.
    n_sampled : int
        Columns that are grouped to find the references.
    random_state : int, RandomState instance or None
        Of the sample of columns; not used when all are grouped.

    Attributes
    ----------
    references_ : ndarray of shape (n_modes_found,), int
    labels_ : ndarray of shape (n_features,), int
        The mode of each column; -1 for one that does not move.
    correlation_ : ndarray of shape (n_features,)
        With the reference; NaN for a column that does not move.
    slope_, intercept_ : ndarray of shape (n_features,)
    explained_variance_ratio_ : float
        Share of the variance over time that the modes explain, 0..1.
    model_ : ModeModel
    n_features_in_ : int

    Raises
    ------
    ValueError
        If nothing moves, or a parameter is out of range.

    References
    ----------
    Brokman et al. (2024), Enhancing Neural Training via a Correlated Dynamics Model. ICLR. arXiv:2312.13247.

    Examples
    --------
    >>> t = np.linspace(0, 1, 50)
    >>> x = np.column_stack([t, 2 * t + 1, np.sin(20 * t), 1 - np.sin(20 * t)])
    >>> modes = CorrelationModeDecomposition(n_modes=2).fit(x)
    >>> modes.labels_, modes.slope_.round(3)
    (array([0, 0, 1, 1]), array([ 1.,  2.,  1., -1.]))
    >>> bool(np.allclose(modes.project(x), x))
    True
    """

    def __init__(
        self,
        n_modes: int = 10,
        threshold: float | None = None,
        n_sampled: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_modes = n_modes
        self.threshold = threshold
        self.n_sampled = n_sampled
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> CorrelationModeDecomposition:
        """Find the modes of `X`, shape (n_steps, n_features), rows in time; `y` is ignored."""
        x: Array = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        references = mode_references(
            x, self.n_modes, threshold=self.threshold, n_sampled=self.n_sampled, random_state=self.random_state
        )
        self._store(TrajectoryMoments.of(x, references).model())
        return self


class OnlineCMD(_ModeTransformer):
    """Correlation modes of a run that goes on: references from a warm-up, then sums alone.

    Memory does not grow with the number of steps: the warm-up's rows are let go when the references are chosen, and
    ``n_features * (n_modes + 2)`` sums stay. The model equals that of all rows with the same references.

    Parameters
    ----------
    n_modes : int
    n_warmup : int
        Rows, at least 2, from which the references are chosen. Until then each update chooses anew.
    references : array-like of int, optional
        Columns to use as references; no warm-up then.
    threshold : float, optional
    n_sampled : int
    random_state : int, RandomState instance or None
        See `CorrelationModeDecomposition`.

    Attributes
    ----------
    n_seen_ : int
        Rows so far.
    is_warm_ : bool
        Whether the references are final.
    references_, labels_, correlation_, slope_, intercept_, explained_variance_ratio_, model_, n_features_in_
        As in `CorrelationModeDecomposition`, from the second row on.

    Raises
    ------
    ValueError
        If nothing moves, or a parameter is out of range.

    References
    ----------
    Brokman et al. (2024), Enhancing Neural Training via a Correlated Dynamics Model. ICLR. arXiv:2312.13247.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> walk = rng.normal(size=(100, 2)).cumsum(axis=0)
    >>> x = walk[:, [0, 0, 0, 1, 1]] * [1, 2, -1, 1, 3]
    >>> modes = OnlineCMD(n_modes=2)
    >>> for row in x:
    ...     modes = modes.partial_fit(row[None])
    >>> modes.n_seen_, round(modes.explained_variance_ratio_, 6)
    (100, 1.0)
    """

    def __init__(
        self,
        n_modes: int = 10,
        n_warmup: int = 20,
        references: ArrayLike | None = None,
        threshold: float | None = None,
        n_sampled: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_modes = n_modes
        self.n_warmup = n_warmup
        self.references = references
        self.threshold = threshold
        self.n_sampled = n_sampled
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> OnlineCMD:
        """Forget what was seen, and see the rows of `X`, shape (n_steps, n_features); `y` is ignored."""
        x: Array = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self._start()
        return self._see(x)

    def partial_fit(self, X: ArrayLike, y: object = None) -> OnlineCMD:
        """See further rows of `X`, shape (n_steps, n_features), in time; `y` is ignored."""
        first = not hasattr(self, "n_seen_")
        x: Array = validate_data(self, X, dtype=np.float64, reset=first)
        if first:
            self._start()
        return self._see(x)

    def _start(self) -> None:
        if self.n_warmup < 2:
            raise ValueError(f"n_warmup must be at least 2, got {self.n_warmup}")
        self.n_seen_ = 0
        self.is_warm_ = False
        self._history: list[Array] = []
        self._moments: TrajectoryMoments | None = None

    def _see(self, x: Array) -> OnlineCMD:
        self.n_seen_ += len(x)
        if self._moments is not None:
            self._moments = self._moments.merge(TrajectoryMoments.of(x, self._moments.references))
        elif self.references is not None:
            self._moments = TrajectoryMoments.of(x, _columns(self.references, x.shape[1]))
        else:
            self._warm_up(x)
        if self._moments is not None and self.n_seen_ > 1:
            self.is_warm_ = True
            self._store(self._moments.model())
        return self

    def _warm_up(self, x: Array) -> None:
        """Keep the rows; choose references among them, for good when there are enough."""
        self._history.append(x.copy())
        rows = np.concatenate(self._history)
        if len(rows) < 2:
            return
        moments = TrajectoryMoments.of(rows, self._choose(rows))
        if len(rows) >= self.n_warmup:
            self._moments, self._history = moments, []
        else:
            self._store(moments.model())

    def _choose(self, rows: Array) -> NDArray[np.intp]:
        return mode_references(
            rows, self.n_modes, threshold=self.threshold, n_sampled=self.n_sampled, random_state=self.random_state
        )


def _columns(references: ArrayLike, n_features: int) -> NDArray[np.intp]:
    columns = np.unique(np.asarray(references, dtype=np.intp))
    if len(columns) == 0 or columns[0] < 0 or columns[-1] >= n_features:
        raise ValueError(f"references must be column numbers from 0 to {n_features - 1}, got {references!r}")
    return columns


class EmbeddedCMD:
    """Training with fewer and fewer free weights: those whose affine model has settled follow their reference.

    Call `step` with all weights after each epoch and put what it returns back into the network. After the warm-up,
    every `every` epochs another `share` of the weights is tied: those whose slope and intercept changed least since
    the last time. What still has to be trained, or sent in federated training, is the weights that are not `tied`.

    Parameters
    ----------
    n_modes : int
    n_warmup : int
        Epochs before the first weights are tied.
    every : int
        Epochs between one tying and the next.
    share : float
        Of all weights, tied each time, above 0 up to 1.
    most : float
        Share of all weights that may be tied in the end, 0 to 1; references are never tied.
    n_sampled : int
    random_state : int, RandomState instance or None

    Attributes
    ----------
    online : OnlineCMD
    tied : ndarray of shape (n_weights,), bool
        Empty before the first step.
    n_sent : int
        Free weights summed over the steps: numbers that federated training would have sent.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Brokman et al. (2024), Enhancing Neural Training via a Correlated Dynamics Model. ICLR. arXiv:2312.13247.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> walk = rng.normal(size=40).cumsum()
    >>> cmd = EmbeddedCMD(n_modes=1, n_warmup=10, every=5, share=0.5)
    >>> for t in range(40):
    ...     weights = cmd.step(np.array([1.0, -2.0, 0.5, 3.0]) * walk[t] + [0, 1, 2, 3])
    >>> int(cmd.tied.sum()), cmd.n_sent
    (3, 90)
    """

    def __init__(
        self,
        n_modes: int = 10,
        n_warmup: int = 20,
        every: int = 2,
        share: float = 0.1,
        most: float = 1.0,
        n_sampled: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        if not 0 < share <= 1 or not 0 <= most <= 1:
            raise ValueError(f"share must lie above 0 up to 1 and most in 0..1, got {share} and {most}")
        self.every, self.share, self.most = every, share, most
        self.online = OnlineCMD(n_modes, n_warmup, n_sampled=n_sampled, random_state=random_state)
        self.tied = np.zeros(0, dtype=bool)
        self.n_sent = 0
        self._line: tuple[Array, Array] | None = None

    def step(self, weights: ArrayLike) -> Array:
        """All weights after an epoch, shape (n_weights,), to the same with the tied ones on their line.

        Raises
        ------
        ValueError
            If the weights are no vector, or another number of them than before.
        """
        current = np.array(weights, dtype=float)
        if current.ndim != 1:
            raise ValueError(f"weights must be one vector, got shape {current.shape}; ravel and concatenate layers")
        if len(self.tied) == 0:
            self.tied = np.zeros(len(current), dtype=bool)
            self._slope, self._intercept, self._reference = (np.zeros(len(current)) for _ in range(3))
        if len(current) != len(self.tied):
            raise ValueError(
                f"the first step had {len(self.tied)} weights, this one has {len(current)}; give all of them"
            )
        self.n_sent += int((~self.tied).sum())
        current = self.follow(current)
        self.online.partial_fit(current[None])
        if self.online.is_warm_ and (self.online.n_seen_ - self.online.n_warmup) % self.every == 0:
            self._tie_more()
        return self.follow(current)

    def follow(self, weights: Array) -> Array:
        """Weights with the tied ones put on their line, without counting an epoch."""
        out = weights.copy()
        reference = self._reference[self.tied].astype(np.intp)
        out[self.tied] = self._slope[self.tied] * weights[reference] + self._intercept[self.tied]
        return out

    def _tie_more(self) -> None:
        model = self.online.model_
        line = (model.slope, model.intercept)
        if self._line is not None:
            change = np.hypot(line[0] - self._line[0], line[1] - self._line[1])
            change[self.tied] = np.inf
            change[model.references] = np.inf
            room = min(round(self.share * len(change)), round(self.most * len(change)) - int(self.tied.sum()))
            settled = np.argsort(change, kind="stable")[: max(room, 0)]
            self._tie(settled[np.isfinite(change[settled])], model)
        self._line = line

    def _tie(self, columns: NDArray[np.intp], model: ModeModel) -> None:
        self.tied[columns] = True
        self._slope[columns], self._intercept[columns] = model.slope[columns], model.intercept[columns]
        self._reference[columns] = model.references[np.maximum(model.labels[columns], 0)]


class Projection(Protocol):
    """What replaces rows of weights by those of a model, as the fitted estimators of modes do."""

    def project(self, X: ArrayLike) -> Array:
        """Shape (n_rows, n_weights) to the same."""
        ...


class WeightRecorder:
    """Weights of a torch module in training: recorded after a step, given to correlation modes, and written back.

    The trainable parameters, raveled in the order of ``module.named_parameters()``, are one vector. Call `record` after
    each step or epoch, or let the optimiser do it: ``optimizer.register_step_post_hook(recorder.record)``. Torch itself
    is not imported.

    Parameters
    ----------
    module : torch.nn.Module
        Or anything whose ``named_parameters()`` gives pairs of a name and a torch parameter.
    modes : OnlineCMD, EmbeddedCMD or None
        What the weights go to. None keeps them, as a trajectory. `EmbeddedCMD` changes the module: weights that it has
        tied are put on their line at every call of `record`.
    every : int
        Calls of `record` for one row, for instance the steps of an epoch.

    Attributes
    ----------
    slices : dict of str to slice
        Where in the vector each parameter is.
    n_weights : int
    n_calls, n_rows : int
        Calls of `record`, and rows that were kept or given to the modes.

    Raises
    ------
    TypeError
        If `module` has no ``named_parameters()``, or `modes` is of another kind.
    ValueError
        If no parameter is trainable, or `every` is less than 1.

    References
    ----------
    Brokman et al. (2024), Enhancing Neural Training via a Correlated Dynamics Model. ICLR. arXiv:2312.13247.

    Examples
    --------
    >>> import torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 3, generator=generator)
    >>> network = torch.nn.Linear(3, 1)
    >>> start = [torch.nn.init.zeros_(parameter) for parameter in network.parameters()]
    >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    >>> recorder = WeightRecorder(network)
    >>> hook = optimizer.register_step_post_hook(recorder.record)
    >>> for _ in range(30):
    ...     optimizer.zero_grad()
    ...     ((network(x) - x.sum(dim=1, keepdim=True)) ** 2).mean().backward()
    ...     optimizer.step()
    >>> recorder.trajectory.shape, recorder.slices
    ((30, 4), {'weight': slice(0, 3, None), 'bias': slice(3, 4, None)})

    Weights of the last step, smoothed by two modes:

    >>> recorder.write_modelled(CorrelationModeDecomposition(n_modes=2).fit(recorder.trajectory))
    >>> bool(np.abs(recorder.weights() - recorder.trajectory[-1]).max() < 0.05)
    True
    """

    def __init__(self, module: Any, modes: OnlineCMD | EmbeddedCMD | None = None, every: int = 1) -> None:
        if not callable(getattr(module, "named_parameters", None)):
            raise TypeError(
                f"module must have named_parameters(), as a torch.nn.Module has; got {type(module).__name__}"
            )
        if not isinstance(modes, OnlineCMD | EmbeddedCMD | None):
            raise TypeError(f"modes must be OnlineCMD, EmbeddedCMD or None, got {type(modes).__name__}")
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not named:
            raise ValueError("module has no trainable parameter: set requires_grad on those to follow")
        ends = np.cumsum([p.numel() for p in named.values()]).tolist()
        self.slices = {name: slice(end - p.numel(), end) for (name, p), end in zip(named.items(), ends)}
        self.n_weights = ends[-1]
        self.modes, self.every = modes, every
        self.n_calls = self.n_rows = 0
        self._parameters = list(named.values())
        self._rows: list[Array] = []

    @property
    def trajectory(self) -> Array:
        """Rows that were kept, shape (n_rows, n_weights); empty when they went to modes."""
        return np.array(self._rows, dtype=float).reshape(len(self._rows), self.n_weights)

    def weights(self) -> Array:
        """The module's weights now, shape (n_weights,), float64."""
        return np.concatenate([p.detach().cpu().double().numpy().ravel() for p in self._parameters])

    def write(self, weights: ArrayLike) -> None:
        """Put weights, shape (n_weights,), into the module; optimisers keep their hold of the parameters.

        Raises
        ------
        ValueError
            If there is not one finite value for each weight.
        """
        values = np.asarray(weights, dtype=float)
        if values.shape != (self.n_weights,) or not np.isfinite(values).all():
            raise ValueError(f"weights must be {self.n_weights} finite numbers, one a weight; got shape {values.shape}")
        for parameter, place in zip(self._parameters, self.slices.values()):
            inside = parameter.detach()  # shares the memory, without a gradient
            inside.copy_(inside.new_tensor(values[place]).reshape(inside.shape))

    def record(self, *_: object) -> None:
        """Take the weights as they are after a step; what an optimiser gives its hooks is not used."""
        self.n_calls += 1
        due = self.n_calls % self.every == 0
        self.n_rows += due
        if isinstance(self.modes, EmbeddedCMD):
            if due:
                self.write(self.modes.step(self.weights()))
            elif self.modes.tied.any():
                self.write(self.modes.follow(self.weights()))
        elif due and self.modes is not None:
            self.modes.partial_fit(self.weights()[None])
        elif due:
            self._rows.append(self.weights())

    def write_modelled(self, model: Projection | None = None) -> None:
        """Replace the module's weights by those of the modes: every one the affine function of its reference.

        Parameters
        ----------
        model : estimator with `project`, optional
            Fitted on the trajectory. By default the modes that were fed.

        Raises
        ------
        ValueError
            If there is no model.
        """
        own = self.modes.online if isinstance(self.modes, EmbeddedCMD) else self.modes
        chosen = model if model is not None else own
        if chosen is None:
            raise ValueError("no modes were fed: give a model fitted on the trajectory")
        self.write(chosen.project(self.weights()[None])[0])
