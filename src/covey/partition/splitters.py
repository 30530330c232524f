"""Splits of features over parties with a wanted imbalance of importance, correlation between parties, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import TransformerTags
from sklearn.utils.validation import check_is_fitted

from covey import engine as engines
from covey.engine import Engine
from covey.engine._local import one_blas_thread
from covey.partition import _search
from covey.partition._correlation import CorrelationMeasure, as_table, feature_correlation
from covey.partition._partition import Partition
from covey.partition._pcor import icor_envelope
from covey.partition._search import HIGHER, LOWER, Problem, Split
from covey.partition._shares import (
    deal_at_random,
    deal_to_match,
    dirichlet,
    moment_alpha,
    share_variance,
    shares_of_alpha,
)

Assignment = Literal["random", "matched"]
Importance = ArrayLike | Callable[[Any, Any], ArrayLike] | None
RandomState = int | np.random.Generator | None

_MATCHINGS = 30  # draws of shares, of which the one that features match best is taken
_NEAR_ENOUGH = 0.005  # relative error of the variance of the shares that ends the drawing


class _Splitter(BaseEstimator):
    """What splitters have in common: views of the parties, once there is a partition."""

    partition_: Partition

    def transform(self, X: Any) -> list[Any]:
        """The columns of each party (see `Partition.split`)."""
        check_is_fitted(self)
        return self.partition_.split(X)

    def fit_transform(self, X: Any, y: Any = None) -> list[Any]:
        """`fit`, then `transform`."""
        return self.fit(X, y).transform(X)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Decide who holds what."""
        raise NotImplementedError

    def _hold(self, labels: NDArray[np.int64], names: Sequence[str], n_parties: int) -> None:
        self.n_features_in_ = len(names)
        self.partition_ = Partition.from_labels(labels, names, n_parties)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        return tags


class ImportanceSplitter(_Splitter):
    """Spreads features so that some parties hold more of what matters than others.

    Shares of the parties are drawn from a Dirichlet distribution: with a small `alpha` one party gets nearly
    everything, with a large one all get the same.

    Parameters
    ----------
    n_parties : int
    weights : float or array-like of shape (n_parties,), optional
        Concentration of each party, above 0; its expected share is in proportion.
    alpha : float, optional
        The same concentration for all parties, above 0; 1 when neither is given.
    importance : array-like of shape (n_features,), or callable, optional
        How much each feature counts, at least 0; a callable is given X and y. All count the same by default.
    assignment : {"random", "matched"}
        ``"random"``, the paper's: each feature goes to a party with its share as probability, so that shares are met on
        average only. ``"matched"``: shares are drawn so that their moment estimate of alpha is the wanted one, and
        features are dealt out so that the parties' importances come as near to them as features allow.
    allow_empty : bool
        Whether a party may get no feature.
    random_state : int, Generator or None

    Attributes
    ----------
    partition_ : Partition
    shares_ : ndarray of shape (n_parties,)
        As drawn.
    shares_reached_ : ndarray of shape (n_parties,)
        Importance that each party holds, with sum 1.
    alpha_ : float
        Moment estimate from `shares_reached_`: ``(K - 1 - K**2 V) / (K**3 V)`` with their variance V; infinite when all
        are the same, NaN for one party.
    importance_ : ndarray of shape (n_features,)
        With sum 1.
    n_features_in_ : int

    References
    ----------
    Wu, Hou and He (2024), VertiBench: Advancing Feature Distribution Diversity in Vertical Federated Learning
    Benchmarks. arXiv:2307.02040.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> splitter = ImportanceSplitter(3, alpha=0.5, assignment="matched", random_state=0).fit(X)
    >>> splitter.partition_
    <Partition of 30 features over 3 parties: 7, 22, 1>
    >>> round(splitter.alpha_, 2)
    0.52
    """

    def __init__(
        self,
        n_parties: int = 4,
        weights: float | ArrayLike | None = None,
        alpha: float | None = None,
        importance: Importance = None,
        assignment: Assignment = "random",
        allow_empty: bool = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_parties = n_parties
        self.weights = weights
        self.alpha = alpha
        self.importance = importance
        self.assignment = assignment
        self.allow_empty = allow_empty
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw shares and deal out the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, FeatureTable, or anything that `covey.read` takes
        y : optional
            Handed to a callable `importance`.

        Returns
        -------
        ImportanceSplitter

        Raises
        ------
        ValueError
            If there are more parties than features, `weights`, `alpha` or `importance` is out of range, or two columns
            have the same name.
        """
        if self.assignment not in ("random", "matched"):
            raise ValueError(f"no assignment {self.assignment!r}; choose 'random' or 'matched'")
        names = as_table(X).names
        _check_parties(self.n_parties, len(names), 1, self.allow_empty)
        generator = np.random.default_rng(self.random_state)
        self.importance_ = _importance(self.importance, X, y, names)
        if self.assignment == "matched" and self.weights is None:
            alpha = _checked_alpha(1.0 if self.alpha is None else self.alpha)
            labels, self.shares_ = _matched(self.importance_, self.n_parties, alpha, self.allow_empty, generator)
        else:
            self.shares_ = dirichlet(self._concentration(), generator)
            if self.assignment == "matched":
                labels = deal_to_match(self.importance_, self.shares_, self.allow_empty, generator)
            else:
                labels = deal_at_random(len(names), self.shares_, self.allow_empty, generator)
        self._hold(labels, names, self.n_parties)
        self.shares_reached_ = np.bincount(labels, self.importance_, minlength=self.n_parties)
        self.alpha_ = moment_alpha(self.shares_reached_)
        return self

    def _concentration(self) -> NDArray[np.float64]:
        if self.weights is None:
            return np.full(self.n_parties, _checked_alpha(1.0 if self.alpha is None else self.alpha))
        if self.alpha is not None:
            raise ValueError("give either weights or alpha, which is the same weight for all, not both")
        weights = np.asarray(self.weights, dtype=np.float64)
        if weights.ndim == 0:
            weights = np.full(self.n_parties, float(weights))
        if weights.shape != (self.n_parties,):
            raise ValueError(f"weights must be one number, or one for each of {self.n_parties} parties")
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(f"weights must be above 0 and finite, got {weights.tolist()}")
        return weights


@dataclass(frozen=True, eq=False)
class IcorBounds:
    """The least and the most Icor that a search found for features and party sizes; spares another search.

    Parameters
    ----------
    low, high : float
    low_partition, high_partition : Partition
        The splits that have them.
    n_evaluations : int
        Number of exact values of Icor that the search took.
    """

    low: float
    high: float
    low_partition: Partition
    high_partition: Partition
    n_evaluations: int

    def __repr__(self) -> str:
        return f"<IcorBounds {self.low:.4f} to {self.high:.4f} of {self.low_partition.n_features} features>"


class _CorrelationSearch(_Splitter):
    """What splitters by correlation have in common: the search, and beta as a place between its bounds."""

    n_parties: int
    beta: float
    correlation: CorrelationMeasure
    bounds: Any
    n_restarts: int | None
    tol: float
    engine: Engine | str | None
    importance_: NDArray[np.float64]

    def partition_at(self, beta: float) -> Partition:
        """A split of the same features at another beta; the bounds are not searched again.

        Parameters
        ----------
        beta : float
            0 to 1.

        Returns
        -------
        Partition
            What `fit` would have found with this `beta`.
        """
        check_is_fitted(self)
        split, _ = self._aim(self._problem(), _checked_beta(beta))
        return Partition.from_labels(split.labels, self.partition_.names, self.n_parties)

    def _problem(self) -> Problem:
        limits = self._limits
        importance = None if limits is None else self.importance_
        return Problem(self.correlation_, self._start, self.n_parties, importance, limits)

    def _solve(
        self,
        names: tuple[str, ...],
        correlation: NDArray[np.float64],
        start: NDArray[np.int64],
        limits: NDArray[np.float64] | None,
        seeds: Sequence[int],
    ) -> None:
        """Find the bounds and the split, and keep what they say."""
        self.correlation_, self._start, self._limits = correlation, start, limits
        bounds_seed, self._target_seed = seeds
        problem = self._problem()
        self.envelope_ = icor_envelope(correlation, np.bincount(start, minlength=self.n_parties).tolist())
        self.icor_min_, self.icor_max_, self.bounds_ = self._bounds(problem, names, bounds_seed)
        split, n_evaluations = self._aim(problem, self.beta)
        self.icor_ = split.icor
        self.error_ = abs(split.icor - self._target(self.beta))
        reach = self.icor_max_ - self.icor_min_
        self.beta_ = float(np.clip((split.icor - self.icor_min_) / reach, 0.0, 1.0)) if reach > 1e-12 else float("nan")
        searched = self.bounds_.n_evaluations if self.bounds is None and self.bounds_ is not None else 0
        self.n_evaluations_ = n_evaluations + searched
        self._hold(split.labels, names, self.n_parties)

    def _target(self, beta: float) -> float:
        return self.icor_min_ + beta * (self.icor_max_ - self.icor_min_)

    def _bounds(self, problem: Problem, names: tuple[str, ...], seed: int) -> tuple[float, float, IcorBounds | None]:
        given = self.bounds
        if given is None:
            (least, most), n_evaluations = self._extremes(problem, (LOWER, HIGHER), seed)
            low, high = (Partition.from_labels(split.labels, names, self.n_parties) for split in (least, most))
            given = IcorBounds(least.icor, most.icor, low, high, n_evaluations)
        if isinstance(given, IcorBounds):
            _check_bounds_fit(given, names, problem)
            return given.low, given.high, given
        if np.shape(given) != (2,) or not given[0] <= given[1]:
            raise ValueError(f"bounds must be the least and the most Icor, or the bounds_ of a splitter, got {given}")
        return float(given[0]), float(given[1]), None

    def _extremes(self, problem: Problem, signs: Sequence[float], seed: int) -> tuple[list[Split], int]:
        n_restarts = _search.restarts(problem) if self.n_restarts is None else self.n_restarts
        if n_restarts < 1:
            raise ValueError(f"n_restarts must be at least 1, got {n_restarts}")
        return _search.extremes(problem, signs, n_restarts, seed, engines.resolve(self.engine))

    def _aim(self, problem: Problem, beta: float) -> tuple[Split, int]:
        """The split nearest to the target, from the nearer bound, or else from the other."""
        target, total = self._target(beta), 0
        best: Split | None = None
        with one_blas_thread():
            for sign in (LOWER, HIGHER) if beta < 0.5 else (HIGHER, LOWER):
                start, n_start = self._from(problem, sign)
                split, n = _search.toward(problem, start, target, self.tol, self._target_seed)
                total += n_start + n
                if best is None or abs(split.icor - target) < abs(best.icor - target):
                    best = split
                if abs(best.icor - target) <= self.tol:
                    break
        assert best is not None
        return best, total

    def _from(self, problem: Problem, sign: float) -> tuple[Split, int]:
        """The split at a bound; found anew where the bounds were given as numbers."""
        if self.bounds_ is None:
            (split,), n = self._extremes(problem, (sign,), self._target_seed)
            return split, n
        partition = self.bounds_.low_partition if sign == LOWER else self.bounds_.high_partition
        return problem.split(partition.labels.astype(np.int64)), 1


class CorrelationSplitter(_CorrelationSearch):
    """Spreads features so that much or little of their correlation lies between parties.

    `beta` is a place between the least and the most Icor (see `inter_party_correlation`) that splits into parties of
    these sizes were found to have. At 0 correlated features lie together; the larger it is, the *more* parties
    correlate with each other.

    Parameters
    ----------
    n_parties : int
        At least 2.
    beta : float
        0 to 1.
    party_sizes : sequence of int, optional
        Number of features of each party; as equal as can be by default.
    correlation : str, Measure or callable
        One of `covey.measures()` (``"spearman"``, or ``"auto"`` for mixed columns), ``"precomputed"`` when X is the
        matrix, or a function of X that returns it. Undefined correlations count as 0, with a warning.
    bounds : IcorBounds or (float, float), optional
        Bounds that are known, such as the `bounds_` of another splitter, which spares the search for them. Two numbers
        settle what `beta` means, but a split to start from must still be found.
    n_restarts : int, optional
        Of the search, for each bound; as many as take a few seconds by default.
    tol : float
        Icor may be off its target by this much.
    random_state : int, Generator or None
    engine : Engine or str, optional
        Where the work runs; the result does not depend on it.

    Attributes
    ----------
    partition_ : Partition
    icor_, beta_ : float
        Icor of the split, and its place between the bounds; NaN when all splits have the same Icor.
    error_ : float
        Distance of `icor_` from its target; above `tol` where features do not allow better.
    icor_min_, icor_max_ : float
        Bounds that were found.
    bounds_ : IcorBounds or None
        The same with their splits, for other splitters; None when they were given as numbers.
    envelope_ : (float, float)
        Bounds that no split can pass, far wider than those found; `covey.partition._pcor.icor_envelope` has the proof.
    correlation_ : ndarray of shape (n_features, n_features)
    n_evaluations_ : int
        Number of exact values of Icor that were computed.
    n_features_in_ : int

    References
    ----------
    Wu, Hou and He (2024), VertiBench: Advancing Feature Distribution Diversity in Vertical Federated Learning
    Benchmarks. arXiv:2307.02040.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3)).repeat(4, axis=1) + rng.normal(size=(200, 12))
    >>> splitter = CorrelationSplitter(3, beta=0.0, random_state=0).fit(X)
    >>> sorted(part.tolist() for part in splitter.partition_.parties)
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    >>> splitter.partition_at(0.5)
    <Partition of 12 features over 3 parties: 4, 4, 4>
    """

    def __init__(
        self,
        n_parties: int = 4,
        beta: float = 0.5,
        party_sizes: Sequence[int] | None = None,
        correlation: CorrelationMeasure = "spearman",
        bounds: Any = None,
        n_restarts: int | None = None,
        tol: float = 1e-4,
        random_state: RandomState = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.n_parties = n_parties
        self.beta = beta
        self.party_sizes = party_sizes
        self.correlation = correlation
        self.bounds = bounds
        self.n_restarts = n_restarts
        self.tol = tol
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the bounds, unless they are given, and a split at `beta`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, FeatureTable, or anything that `covey.read` takes
            The matrix itself with ``correlation="precomputed"``.
        y : ignored

        Returns
        -------
        CorrelationSplitter

        Raises
        ------
        ValueError
            If there are more parties than features, `party_sizes` do not add up, `beta` is outside 0..1, there are
            fewer than 3 rows, no correlation is defined, or a column has a kind that the measure does not take.
        """
        _checked_beta(self.beta)
        _check_tol(self.tol)
        found = feature_correlation(X, self.correlation, self.engine)
        _check_parties(self.n_parties, len(found.names), 2)
        start = np.repeat(np.arange(self.n_parties), self._sizes(len(found.names)))
        seeds = np.random.default_rng(self.random_state).integers(2**63, size=2).tolist()
        self._solve(found.names, found.values, start, None, seeds)
        return self

    def _sizes(self, n_features: int) -> list[int]:
        if self.party_sizes is None:
            return [len(part) for part in np.array_split(np.arange(n_features), self.n_parties)]
        sizes = list(map(int, self.party_sizes))
        if len(sizes) != self.n_parties or min(sizes) < 1 or sum(sizes) != n_features:
            raise ValueError(
                f"party_sizes must be {self.n_parties} numbers above 0 that sum to {n_features} features, got {sizes}"
            )
        return sizes


class FeatureSplitter(_CorrelationSearch):
    """Spreads features with a wanted imbalance of importance and a wanted correlation between parties at once.

    Shares are drawn and matched as `ImportanceSplitter` does with ``assignment="matched"``, which settles how many
    features each party has and sets alpha. Then features are exchanged as `CorrelationSplitter` does, but only so that
    no party's importance leaves its share by more than `share_tol`; `beta` is a place between the least and the most
    Icor that such splits were found to have.

    Parameters
    ----------
    n_parties : int
        At least 2.
    alpha : float
        Above 0; small is uneven.
    beta : float
        0 to 1; large is much correlation between parties.
    importance : array-like of shape (n_features,), or callable, optional
        As for `ImportanceSplitter`.
    share_tol : float
        By how much the correlation search may change the importance that a party holds, of a total of 1.
    correlation, bounds, n_restarts, tol, random_state, engine
        As for `CorrelationSplitter`; `bounds` hold for the same shares, that is the same random state and alpha.

    Attributes
    ----------
    alpha_, alpha_error_ : float
        Moment estimate from `shares_reached_`, and its distance from `alpha`.
    shares_, shares_reached_ : ndarray of shape (n_parties,)
        As drawn, and as held.
    importance_ : ndarray of shape (n_features,)
        With sum 1.
    partition_, icor_, beta_, error_, icor_min_, icor_max_, bounds_, envelope_, correlation_, n_evaluations_
        As for `CorrelationSplitter`.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040, where the two are set one at a time.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(100, 3)).repeat(8, axis=1)
    >>> X = X + np.random.default_rng(1).normal(size=X.shape)
    >>> splitter = FeatureSplitter(3, alpha=1.0, beta=0.8, random_state=0).fit(X)
    >>> round(splitter.alpha_, 2), round(splitter.beta_, 2)
    (1.0, 0.8)
    """

    def __init__(
        self,
        n_parties: int = 4,
        alpha: float = 1.0,
        beta: float = 0.5,
        importance: Importance = None,
        share_tol: float = 0.005,
        correlation: CorrelationMeasure = "spearman",
        bounds: Any = None,
        n_restarts: int | None = None,
        tol: float = 1e-4,
        random_state: RandomState = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.n_parties = n_parties
        self.alpha = alpha
        self.beta = beta
        self.importance = importance
        self.share_tol = share_tol
        self.correlation = correlation
        self.bounds = bounds
        self.n_restarts = n_restarts
        self.tol = tol
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw shares, then find the bounds and a split at `beta`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, FeatureTable, or anything that `covey.read` takes
        y : optional
            Handed to a callable `importance`.

        Returns
        -------
        FeatureSplitter

        Raises
        ------
        ValueError
            As for the two other splitters, or if `share_tol` is below 0.
        """
        _checked_beta(self.beta)
        alpha = _checked_alpha(self.alpha)
        _check_tol(self.tol)
        _check_tol(self.share_tol, "share_tol")
        found = feature_correlation(X, self.correlation, self.engine)
        _check_parties(self.n_parties, len(found.names), 2)
        generator = np.random.default_rng(self.random_state)
        self.importance_ = _importance(self.importance, X, y, found.names)
        start, self.shares_ = _matched(self.importance_, self.n_parties, alpha, False, generator)
        seeds = generator.integers(2**63, size=2).tolist()
        self._solve(found.names, found.values, start, self._share_limits(start), seeds)
        labels = self.partition_.labels
        self.shares_reached_ = np.bincount(labels, self.importance_, minlength=self.n_parties)
        self.alpha_ = moment_alpha(self.shares_reached_)
        self.alpha_error_ = abs(self.alpha_ - alpha)
        return self

    def _share_limits(self, start: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Least and largest share of each party; None where no exchange changes a share."""
        if np.ptp(self.importance_) == 0.0:
            return None
        shares = np.bincount(start, self.importance_, minlength=self.n_parties)
        slack = self.share_tol + 1e-12
        return np.array([shares - slack, shares + slack])


def _matched(
    importance: NDArray[np.float64], n_parties: int, alpha: float, allow_empty: bool, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(party of each feature, shares drawn): of a few draws the one that features match best."""
    if n_parties == 1:
        return np.zeros(len(importance), dtype=np.int64), np.ones(1)
    wanted = share_variance(alpha, n_parties)
    best: tuple[float, NDArray[np.int64], NDArray[np.float64]] | None = None
    for _ in range(_MATCHINGS):
        shares = shares_of_alpha(alpha, n_parties, generator)
        labels = deal_to_match(importance, shares, allow_empty, generator)
        error = abs(float(np.var(np.bincount(labels, importance, minlength=n_parties))) - wanted) / wanted
        if best is None or error < best[0]:
            best = error, labels, shares
        if error <= _NEAR_ENOUGH:
            break
    assert best is not None
    return best[1], best[2]


def _importance(importance: Importance, X: Any, y: Any, names: Sequence[str]) -> NDArray[np.float64]:
    """Importance of each feature, with sum 1."""
    if importance is None:
        return np.full(len(names), 1.0 / len(names))
    values = np.asarray(importance(X, y) if callable(importance) else importance, dtype=np.float64)
    if values.shape != (len(names),):
        raise ValueError(f"importance must be one number for each of {len(names)} features, got shape {values.shape}")
    bad = ~np.isfinite(values) | (values < 0.0)
    if bad.any():
        j = int(bad.argmax())
        raise ValueError(f"the importance of {names[j]!r} is {values[j]:g}; it must be at least 0 and finite")
    if values.sum() <= 0.0:
        raise ValueError("no feature has any importance; at least one must be above 0")
    return values / values.sum()


def _checked_alpha(alpha: float) -> float:
    if not (np.isfinite(alpha) and alpha > 0.0):
        raise ValueError(f"alpha must be above 0 and finite, got {alpha}")
    return float(alpha)


def _checked_beta(beta: float) -> float:
    if not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta must be from 0 (least correlation between parties) to 1 (most), got {beta}")
    return float(beta)


def _check_tol(tol: float, name: str = "tol") -> None:
    if not tol >= 0.0:
        raise ValueError(f"{name} must be at least 0, got {tol}")


def _check_parties(n_parties: int, n_features: int, least: int, allow_empty: bool = False) -> None:
    if not isinstance(n_parties, Integral):
        raise TypeError(f"n_parties must be a whole number, got {n_parties!r}")
    if n_parties < least:
        raise ValueError(f"n_parties must be at least {least}, got {n_parties}")
    if n_parties > n_features and not allow_empty:
        raise ValueError(f"{n_parties} parties cannot share {n_features} feature(s); take fewer parties")


def _check_bounds_fit(bounds: IcorBounds, names: tuple[str, ...], problem: Problem) -> None:
    sizes = tuple(np.bincount(problem.labels, minlength=problem.n_parties).tolist())
    known = bounds.low_partition
    if known.names != names or known.sizes != sizes:
        raise ValueError(
            f"the bounds are of {known.n_features} features over parties of {known.sizes}, "
            f"but here are {len(names)} over {sizes} or other names; leave bounds out"
        )
