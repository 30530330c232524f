"""Measures of how features are spread over parties: correlation within and between them, and how equal they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine
from covey.measure import AssociationMatrix, Measure
from covey.partition._alpha import AlphaEstimate, estimate_alpha
from covey.partition._correlation import PRECOMPUTED, feature_correlation
from covey.partition._gather import encoded_blocks, gather, position_of
from covey.partition._objective import Objective
from covey.partition._partition import Partition
from covey.partition._party_report import PartitionReport
from covey.partition._pcor import icor, pcor_matrix
from covey.partition.importance import PartyImportance, party_importance
from covey.partition.similarity import SIMILARITIES, PartySimilarity, block_similarity, mean_magnitude
from covey.table import FeatureTable

if TYPE_CHECKING:
    from covey.partition.splitters import IcorBounds

__all__ = [
    "AlphaEstimate",
    "PartitionReport",
    "correlation_bounds",
    "estimate_alpha",
    "estimate_beta",
    "evaluate",
    "inter_party_correlation",
    "party_correlation",
]


def party_correlation(
    X: Any,
    partition: Partition | None = None,
    *,
    correlation: str | Measure = "spearman",
    engine: Engine | str | None = None,
) -> NDArray[np.float64]:
    """Pcor of every two parties: the spread of the singular values of the correlations between their features.

    It is 0 where no direction of one party's features correlates more with the other's than any other does: for
    independent parties, but also for a party and its copy if its features are independent, and always where a party
    has fewer than two features (d = 1). `party_similarity` sees both.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), frame, FeatureTable, or anything that `covey.read` takes
        Or, without a partition, a list with one of these for each party; or an `AssociationMatrix` of the features, or,
        with ``correlation="precomputed"``, the matrix as an array. Columns go by name, those of arrays by position.
    partition : Partition, optional
    correlation : str or Measure, default="spearman"
        One of `covey.measures()` (``"auto"`` for mixed columns), or ``"precomputed"``.
    engine : Engine or str, optional

    Returns
    -------
    ndarray of shape (K, K)
        Symmetric, at least 0. The diagonal is the root mean square of the correlations inside a party.

    Warns
    -----
    UserWarning
        If correlations are undefined and count as 0, with the names of the columns.

    Raises
    ------
    ValueError
        If `X` does not fit the partition, the parties differ in rows, there are fewer than 3 rows, the measure does not
        take a column's kind, or no correlation is defined.
    TypeError
        If there is neither a partition nor a list of the parties' tables.

    References
    ----------
    Wu, Hou and He (2024), VertiBench: Advancing Feature Distribution Diversity in Vertical Federated Learning
    Benchmarks. arXiv:2307.02040.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 1))
    >>> noise = np.random.default_rng(1).normal(size=(500, 4))
    >>> party_correlation([x + noise[:, :2], noise[:, 2:]]).round(1).tolist()
    [[0.5, 0.0], [0.0, 0.1]]
    """
    source = _Source.of(X, partition, correlation, engine)
    return pcor_matrix(source.values, source.partition.parties)


def inter_party_correlation(
    X: Any,
    partition: Partition | None = None,
    *,
    correlation: str | Measure = "spearman",
    engine: Engine | str | None = None,
) -> float:
    """Icor: mean over the parties of the Pcor with the others less the Pcor with themselves.

    Every call looks at the columns it is given, in the parties in which they are now.

    Parameters
    ----------
    X, partition, correlation, engine
        See `party_correlation`.

    Returns
    -------
    float
        Far below 0 when correlation lies within parties, above 0 when it lies between them; NaN for one party, which
        has no other.

    Raises
    ------
    ValueError, TypeError
        See `party_correlation`.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 2)).repeat(2, axis=1)
    >>> x += np.random.default_rng(1).normal(size=(500, 4))
    >>> apart, together = Partition.from_labels([0, 1, 0, 1]), Partition.from_labels([0, 0, 1, 1])
    >>> inter_party_correlation(x, apart) > 0 > inter_party_correlation(x, together)
    True
    """
    return icor(party_correlation(X, partition, correlation=correlation, engine=engine))


def estimate_beta(icor: float, icor_min: float, icor_max: float) -> float:
    """Place of Icor between the least and the most that splits of the same features can have.

    Parameters
    ----------
    icor : float
    icor_min, icor_max : float
        From `correlation_bounds`, or a `CorrelationSplitter`. What a search found decides what beta means: compare
        betas only if they have the same bounds.

    Returns
    -------
    float
        0..1, the larger the more the parties correlate with each other; values beyond a bound are set to it. NaN if
        `icor` is NaN.

    Raises
    ------
    ValueError
        If the bounds are not finite or not ascending.

    References
    ----------
    Wu, Hou and He (2024), arXiv:2307.02040.

    Examples
    --------
    >>> estimate_beta(-0.1, -0.2, 0.2)
    0.25
    """
    if not (np.isfinite([icor_min, icor_max]).all() and icor_min < icor_max):
        raise ValueError(f"icor_min must be less than icor_max, and both finite, got {icor_min:g} and {icor_max:g}")
    return float(np.clip((icor - icor_min) / (icor_max - icor_min), 0.0, 1.0))


def correlation_bounds(
    X: Any,
    partition: Partition | None = None,
    *,
    correlation: str | Measure = "spearman",
    n_restarts: int | None = None,
    random_state: int | None = 0,
    engine: Engine | str | None = None,
) -> IcorBounds:
    """The least and the most Icor that a search finds for parties of the same sizes.

    Parameters
    ----------
    X, partition, correlation, engine
        See `party_correlation`.
    n_restarts : int, optional
        As many as take a few seconds by default.
    random_state : int or None

    Returns
    -------
    IcorBounds

    Raises
    ------
    ValueError
        If a party has no feature, several hold the same, there are fewer than two, or as for `party_correlation`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 2)).repeat(2, axis=1)
    >>> x += np.random.default_rng(1).normal(size=(500, 4))
    >>> partition = Partition.from_labels([0, 0, 1, 1])
    >>> bounds = correlation_bounds(x, partition)
    >>> estimate_beta(inter_party_correlation(x, partition), bounds.low, bounds.high)
    0.0
    """
    source = _Source.of(X, partition, correlation, engine)
    return _bounds(source.values, source.partition, n_restarts, random_state, engine)


def _bounds(
    correlation: NDArray[np.float64],
    partition: Partition,
    n_restarts: int | None,
    random_state: int | None,
    engine: Engine | str | None,
) -> IcorBounds:
    from covey.partition.splitters import CorrelationSplitter

    held = np.concatenate(partition.parties)
    if len(np.unique(held)) < len(held):
        raise ValueError("bounds need parties that share no feature")
    if min(partition.sizes) < 1:
        empty = partition.party_names[int(np.argmin(partition.sizes))]
        raise ValueError(f"bounds need parties with features, but {empty!r} has none")
    splitter = CorrelationSplitter(
        n_parties=partition.n_parties,
        beta=0.0,
        party_sizes=partition.sizes,
        correlation=PRECOMPUTED,
        n_restarts=n_restarts,
        random_state=random_state,
        engine=engine,
    )
    bounds = splitter.fit(correlation[np.ix_(held, held)]).bounds_
    assert bounds is not None  # they were searched
    return bounds


def evaluate(
    X: Any,
    partition: Partition | None = None,
    y: ArrayLike | None = None,
    *,
    model: Any = None,
    importance: PartyImportance | None = None,
    correlation: str | Measure = "spearman",
    bounds: IcorBounds | tuple[float, float] | Literal["search"] | None = None,
    random_state: int | None = 0,
    engine: Engine | str | None = None,
) -> PartitionReport:
    """Measure a split: correlation within and between parties, what they share, and their importance.

    Parameters
    ----------
    X, partition, correlation, engine
        See `party_correlation`.
    y : array-like of shape (n_samples,), optional
        Labels, for the importance of the parties: to a histogram-gradient-boosted model of their columns, by
        permutation Shapley values, where neither `model` nor `importance` is given.
    model : fitted estimator or callable, optional
        Whose importances count; `X` must then be what it takes (see `party_importance`).
    importance : PartyImportance, optional
        Known already.
    bounds : IcorBounds, (float, float) or "search", optional
        Least and most Icor, for beta; ``"search"`` finds them.
    random_state : int or None
    engine : Engine or str, optional

    Returns
    -------
    PartitionReport

    Raises
    ------
    ValueError
        If an argument does not fit `X`; see `party_correlation`, `party_importance` and `correlation_bounds`.
    TypeError
        If there is neither a partition nor a list of the parties' tables.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(300, 2)).repeat(2, axis=1)
    >>> x += np.random.default_rng(1).normal(size=(300, 4))
    >>> report = evaluate(x, Partition.from_labels([0, 0, 1, 1]), bounds="search")
    >>> report.beta, report.within > report.between
    (0.0, True)
    """
    source = _Source.of(X, partition, correlation, engine)
    values, partition = source.values, source.partition
    pcor = pcor_matrix(values, partition.parties)
    if isinstance(bounds, str):
        bounds = _bounds(values, partition, None, random_state, engine)
    limits = None if bounds is None else _limits(bounds)
    similarities = _similarities(source)
    if importance is None and not (y is None and model is None):
        importance = _importance(source, X, y, model, random_state, engine)
    lonely = np.diag(values) == 0
    known = np.where(lonely | lonely[:, None], np.nan, values)
    return PartitionReport(
        partition=partition,
        n_rows=None if source.table is None else source.table.n_rows,
        correlation=source.measure,
        undefined=tuple(name for name, is_lonely in zip(partition.names, lonely) if is_lonely),
        pcor=pcor,
        icor=icor(pcor),
        bounds=limits,
        beta=float("nan") if limits is None or limits[0] == limits[1] else estimate_beta(icor(pcor), *limits),
        mean_correlation=_mean_correlation(known, partition),
        within=mean_magnitude(known[_pairs(partition, within=True)]),
        between=mean_magnitude(known[_pairs(partition, within=False)]),
        rv=similarities.get("rv"),
        cka=similarities.get("cka"),
        canonical_correlation=similarities.get("canonical_correlation"),
        importance=importance,
        alpha=None if importance is None else estimate_alpha(importance, random_state=random_state),
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """Correlations in the order of the partition's features, and the table, if there is one."""

    values: NDArray[np.float64]
    partition: Partition
    table: FeatureTable | None
    measure: str

    @classmethod
    def of(
        cls, X: Any, partition: Partition | None, correlation: str | Measure, engine: Engine | str | None
    ) -> _Source:
        name = correlation if isinstance(correlation, str) else correlation.name
        if not isinstance(X, AssociationMatrix) and name != PRECOMPUTED:
            table, partition = gather(X, partition)
            return cls(feature_correlation(table, correlation, engine).values, partition, table, name)
        if partition is None:
            raise TypeError("give a partition with the correlation matrix")
        found = feature_correlation(X, PRECOMPUTED)
        positions = position_of(found.names, partition, by_name=hasattr(X, "columns"))
        name = X.measure if isinstance(X, AssociationMatrix) else name
        return cls(found.values[np.ix_(positions, positions)], partition, None, name)


def _limits(bounds: IcorBounds | tuple[float, float]) -> tuple[float, float]:
    low, high = bounds if isinstance(bounds, tuple | list) else (bounds.low, bounds.high)
    return float(low), float(high)


def _similarities(source: _Source) -> dict[str, PartySimilarity]:
    if source.table is None:
        return {}
    blocks, names = encoded_blocks(source.table, source.partition), source.partition.party_names
    return {measure: block_similarity(blocks, names, measure) for measure in SIMILARITIES}


def _importance(
    source: _Source, X: Any, y: ArrayLike | None, model: Any, random_state: int | None, engine: Engine | str | None
) -> PartyImportance:
    if source.table is None:
        raise ValueError("importance needs the features themselves, not their correlations")
    if model is not None:
        data = X if hasattr(X, "iloc") or isinstance(X, np.ndarray) else source.table
        return party_importance(model, data, source.partition, random_state=random_state, engine=engine)
    blocks = encoded_blocks(source.table, source.partition)
    labels = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks])
    columns, names = np.hstack(blocks), [f"x{j}" for j in range(len(labels))]
    parties = Partition.from_labels(labels, names, len(blocks))
    parties = Partition(parties.parties, parties.names, source.partition.party_names)
    boosted = _boosted(columns, np.asarray(y), random_state)
    return party_importance(boosted, columns, parties, random_state=random_state, engine=engine)


def _boosted(X: NDArray[np.float64], y: NDArray, random_state: int | None) -> Any:
    """A fitted histogram-gradient-boosted model of whatever `y` asks for."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if y.shape != (len(X),):
        raise ValueError(f"y must have one label for each of {len(X)} rows, got shape {y.shape}")
    kind = HistGradientBoostingRegressor if Objective.of(y).classes is None else HistGradientBoostingClassifier
    return kind(random_state=random_state).fit(X, y)


def _mean_correlation(values: NDArray[np.float64], partition: Partition) -> NDArray[np.float64]:
    parties = partition.parties
    found = np.array([[mean_magnitude(values[np.ix_(left, right)]) for right in parties] for left in parties])
    for k, part in enumerate(parties):
        block = values[np.ix_(part, part)]
        found[k, k] = mean_magnitude(block[np.triu_indices(len(part), 1)])
    return found


def _pairs(partition: Partition, within: bool) -> NDArray[np.bool_]:
    """Which pairs of different features some party has both of, or two parties have one each of."""
    held = np.zeros((partition.n_parties, partition.n_features))
    for k, part in enumerate(partition.parties):
        held[k, part] = 1.0
    together = held.T @ held
    pairs = together > 0 if within else held.sum(axis=0)[:, None] * held.sum(axis=0) > together
    return np.triu(pairs, 1)
