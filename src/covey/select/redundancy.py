"""Columns that are relevant and do not repeat each other (mRMR), by any measures of association."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np

from covey.engine import Engine, resolve
from covey.measure import AssociationMatrix, Measure, associate, get
from covey.measure._store import ColumnStore
from covey.select._base import Array, Cut, GreedyPath, RankingSelector, Scores, TargetKind, greedy
from covey.select._blocks import take_columns
from covey.select.filters import relevance as relevance_scores
from covey.table import BlockSource, Column, FeatureTable

Criterion = Literal["difference", "quotient"]
FLOOR = 1e-3  # smallest mean redundancy in a quotient, so that chance zeros do not decide


@dataclass(eq=False)
class RedundancyColumns:
    """Association of every column with one column at a time, computed when it is asked for.

    Parameters
    ----------
    table : FeatureTable of shape (n_rows, n_features)
    measure : str or Measure
    engine : Engine or str, optional

    Raises
    ------
    ValueError
        If the measure does not apply to a pair of kinds of the table.

    Examples
    --------
    >>> from covey.table import read
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> shared = RedundancyColumns(read(np.column_stack([x, x[:, :1]])), "pearson")
    >>> shared(0).round(2).tolist(), shared.computed
    ([1.0, 0.17, 1.0], [0])
    """

    table: FeatureTable
    measure: str | Measure = "auto"
    engine: Engine | str | None = None
    computed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._measure, self._engine = get(self.measure), resolve(self.engine)
        _check_kinds(self._measure, self.table.kinds)
        self._store = ColumnStore(self.table.columns())

    def __call__(self, j: int) -> Array:
        """Absolute association with column `j`, shape (n_features,); 0 where too few rows are shared to tell."""
        self.computed.append(j)
        n = len(self._store)
        left, right = np.arange(n, dtype=np.intp), np.full(n, j, dtype=np.intp)
        values = np.abs(self._measure.kernel(self._store, left, right, self._engine, False).values)
        if not self._measure.symmetric:
            values = np.fmax(values, np.abs(self._measure.kernel(self._store, right, left, self._engine, False).values))
        return np.nan_to_num(values)


def _check_kinds(measure: Measure, kinds: Sequence[str]) -> None:
    for left, right in product(sorted(set(kinds)), repeat=2):
        if not measure.accepts(left, right):
            raise ValueError(
                f"measure {measure.name!r} does not apply to a {left} and a {right} column; "
                "use redundancy='auto', which applies to all"
            )


def _streamed_columns(source: BlockSource, measure: Measure, engine: Engine) -> Callable[[int], Array]:
    """As `RedundancyColumns`, by passes over a source for each column asked for; of an asymmetric measure by one."""
    _check_kinds(measure, source.head().kinds)
    if not measure.symmetric:
        return associate(source, measure=measure, pvalues=False, engine=engine).strength.__getitem__

    def column(j: int) -> Array:
        found = associate(source, measure=measure, target=source.names[j], pvalues=False, engine=engine)
        return np.insert(found.strength[:, 0], j, 1.0)

    return column


def minimum_redundancy(
    relevance: Array,
    redundancy: Callable[[int], Array],
    k: int,
    criterion: Criterion = "difference",
    stop: Callable[[Sequence[int], float], bool] | None = None,
    callback: Callable[[Sequence[int], float], None] | None = None,
) -> GreedyPath:
    """Maximum relevance with minimum redundancy, by forward selection.

    Each step takes the column with the largest relevance minus (or divided by) its mean redundancy with the columns
    taken before.

    Parameters
    ----------
    relevance : ndarray of shape (n_features,)
        NaN for columns that cannot be taken.
    redundancy : callable (j) -> ndarray of shape (n_features,)
        Redundancy of every column with column `j`; called once for each column taken but the last.
    k : int
    criterion : {"difference", "quotient"}
        In a quotient the mean redundancy counts as at least 0.001.
    stop, callback : optional
        As in `covey.select.greedy`.

    Returns
    -------
    GreedyPath

    Raises
    ------
    ValueError
        If the criterion is unknown.

    References
    ----------
    Peng, Long and Ding (2005), Feature Selection Based on Mutual Information: Criteria of Max-Dependency,
    Max-Relevance, and Min-Redundancy. IEEE Trans. Pattern Anal. Mach. Intell. 27. Ding and Peng (2005), Minimum
    Redundancy Feature Selection from Microarray Gene Expression Data. J. Bioinform. Comput. Biol. 3.

    Examples
    --------
    >>> shared = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    >>> minimum_redundancy(np.array([0.8, 0.7, 0.3]), lambda j: shared[j], 2).order
    (0, 2)
    """
    if criterion not in ("difference", "quotient"):
        raise ValueError(f"criterion must be 'difference' or 'quotient', not {criterion!r}")
    total = np.zeros(len(relevance))

    def gain(chosen: tuple[int, ...]) -> Array:
        if not chosen:
            return relevance
        np.add(total, redundancy(chosen[-1]), out=total)
        mean = total / len(chosen)
        return relevance - mean if criterion == "difference" else relevance / np.maximum(mean, FLOOR)

    return greedy(gain, k, stop, callback)


class RedundancyAware(RankingSelector):
    """Select columns that are associated with the target and not with each other (mRMR).

    Takes mixed kinds with missing values where both measures do. Only the associations with the columns that were
    taken are computed: ``k - 1`` columns of the matrix of all pairs. Of row blocks (`covey.iter_blocks`) each such
    column takes two more passes.

    Parameters
    ----------
    relevance : str or Measure
        Measure of association with the target.
    redundancy : str or Measure
        Measure of association between columns; of an asymmetric one the larger direction counts.
    k : int, float, "elbow" or "all"
        How many columns to take; a share of them; those before the elbow of the gains; or rank all. All but a whole
        number and a threshold compute all pairs.
    criterion : {"difference", "quotient"}
        Relevance minus, or divided by, mean redundancy.
    threshold : float, optional
        Stop before the first column of a smaller gain; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.
    callback : callable (chosen, gain) -> None, optional
        Told of each step; `chosen` are positions among the columns that vary.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Gain of each column when it was taken; NaN for columns that were not reached.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        The order in which columns were taken, then those that were not reached by relevance.

    References
    ----------
    Peng, Long and Ding (2005), Feature Selection Based on Mutual Information: Criteria of Max-Dependency,
    Max-Relevance, and Min-Redundancy. IEEE Trans. Pattern Anal. Mach. Intell. 27.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 300))
    >>> x = np.column_stack([a, a + 0.1 * rng.normal(size=300), b])
    >>> RedundancyAware(k=2).fit(x, 2 * a + b).get_support(indices=True)
    array([0, 2])
    """

    def __init__(
        self,
        relevance: str | Measure = "auto",
        redundancy: str | Measure = "auto",
        k: Cut = 10,
        criterion: Criterion = "difference",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        engine: Engine | str | None = None,
        callback: Callable[[Sequence[int], float], None] | None = None,
    ) -> None:
        self.relevance = relevance
        self.redundancy = redundancy
        self.k = k
        self.criterion = criterion
        self.threshold = threshold
        self.target_kind = target_kind
        self.engine = engine
        self.callback = callback

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        known = relevance_scores(table, target, self.relevance, self.engine)
        if association is None:
            return self._path(known, RedundancyColumns(table, self.redundancy, self.engine))
        return self._path(known, association.strength.__getitem__)

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        known = relevance_scores(source, target, self.relevance, self.engine)
        if association is not None:
            return self._path(known, association.strength.__getitem__)
        columns = take_columns(source, [name for name in source.names if name != target])
        return self._path(known, _streamed_columns(columns, get(self.redundancy), resolve(self.engine)))

    def _path(self, known: Scores, redundancy: Callable[[int], Array]) -> Scores:
        threshold = self.threshold
        path = minimum_redundancy(
            known.values,
            redundancy,
            len(known.values) if isinstance(self.k, str | float) or threshold is not None else self.k,
            self.criterion,
            None if threshold is None else lambda chosen, gain: gain < threshold,
            self.callback,
        )
        return _path_scores(path, known)


def _path_scores(path: GreedyPath, known: Scores) -> Scores:
    """Gains in the order of the path; columns that were not reached follow by relevance."""
    values = np.full(len(known.values), np.nan)
    values[list(path.order)] = path.gains
    by_relevance = np.argsort(-known.values, kind="stable").tolist()
    taken = set(path.order)
    reasons = tuple(why or "not reached: enough columns were taken before it" for why in known.reasons)
    return Scores(values, reasons, (*path.order, *(j for j in by_relevance if j not in taken)))
