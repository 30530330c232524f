"""How far a selection can be trusted: stability over subsamples, and false discoveries by permuted probes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import get_tags

from covey.engine import Engine, LocalEngine, resolve
from covey.measure import AssociationMatrix
from covey.measure._null import false_discovery
from covey.select._base import (
    Array,
    FunctionSelector,
    Ranker,
    RankingSelector,
    Scores,
    TargetKind,
    numeric_block,
    unusable,
)
from covey.table import Column, FeatureTable

RandomState = int | np.random.Generator | None


def false_selection_bound(mean_selected: float, n_features: int, cutoff: float) -> float:
    """Upper bound on the expected number of false selections of stability selection.

    ``mean_selected**2 / ((2 * cutoff - 1) * n_features)``. It holds for subsamples of half of the rows, when the
    irrelevant columns are exchangeable and the ranker is no worse than guessing.

    Parameters
    ----------
    mean_selected : float
        Mean number of columns selected in a subsample.
    n_features : int
    cutoff : float
        Smallest selection frequency of a selected column, in (0.5, 1].

    Raises
    ------
    ValueError
        If the cutoff is out of its range.

    References
    ----------
    Meinshausen and Buehlmann (2010), Stability selection. J. R. Stat. Soc. B 72, theorem 1.

    Examples
    --------
    >>> false_selection_bound(10, 1000, 0.75)
    0.2
    """
    if not 0.5 < cutoff <= 1:
        raise ValueError(f"cutoff must be in (0.5, 1], got {cutoff}")
    return mean_selected**2 / ((2 * cutoff - 1) * n_features)


def subsample(target: Column | None, n_rows: int, fraction: float, seed: int) -> NDArray[np.intp]:
    """Rows drawn without replacement, in their order; at least one of each class, and the same fraction of each.

    Examples
    --------
    >>> team = Column("team", "boolean", np.array([0, 0, 0, 0, 1, 1], dtype=np.int32), ("a", "b"))
    >>> rows = subsample(team, 6, 0.5, seed=0)
    >>> team.values[rows].tolist()
    [0, 0, 1]
    """
    rng = np.random.default_rng(seed)
    groups = np.zeros(n_rows, dtype=np.intp) if target is None or not target.is_coded else target.values
    rows = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    drawn = [rng.choice(members, max(1, int(fraction * len(members))), replace=False) for members in rows]
    return np.sort(np.concatenate(drawn))


def selection_stability(selected: NDArray[np.bool_]) -> float:
    """How much alike several selections are, corrected for what chance would give.

    1 minus the mean variance of a column's selection, over the variance if each selection drew its number of columns at
    random. Of two selections of equal size it is Kuncheva's index.

    Parameters
    ----------
    selected : ndarray of shape (n_selections, n_features), bool

    Returns
    -------
    float
        At most 1 (always the same), 0 on average by chance; NaN where all or no columns are selected every time, or
        there is one selection.

    Raises
    ------
    ValueError
        If `selected` is no matrix.

    References
    ----------
    Nogueira, Sechidis and Brown (2018), On the stability of feature selection algorithms. JMLR 18(174).

    Examples
    --------
    >>> selection_stability(np.array([[1, 1, 0, 0], [1, 1, 0, 0]], dtype=bool))
    1.0
    >>> selection_stability(np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool))
    0.0
    """
    selected = np.asarray(selected, dtype=np.float64)
    if selected.ndim != 2:
        raise ValueError(f"selected must have shape (n_selections, n_features), got {selected.shape}")
    share = selected.mean() if selected.size else 0.0
    if len(selected) < 2 or share in (0.0, 1.0):
        return float("nan")
    return float(1.0 - selected.var(axis=0, ddof=1).mean() / (share * (1.0 - share)))


class StabilitySelection(RankingSelector):
    """Select the columns that a selector selects in most subsamples of the rows.

    Parameters
    ----------
    ranker : RankingSelector, or a scikit-learn selector
        Its own cut decides what counts as selected in a subsample. A scikit-learn selector takes no categories.
    n_bootstrap : int
        Number of subsamples.
    sample_fraction : float
        Share of the rows (of each class) in a subsample, drawn without replacement.
    cutoff : float
        Smallest selection frequency of a selected column, in (0.5, 1].
    random_state : int, Generator or None
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the subsamples run; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Selection frequencies; NaN for columns that no ranker can score.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
    mean_selected_ : float
        Mean number of columns selected in a subsample.
    false_selection_bound_ : float
        Upper bound on the expected number of selected columns that are irrelevant (`false_selection_bound`).

    References
    ----------
    Meinshausen and Buehlmann (2010), Stability selection. J. R. Stat. Soc. B 72.

    Examples
    --------
    >>> from covey.select import AssociationRanker
    >>> x = np.random.default_rng(0).normal(size=(100, 20))
    >>> y = x[:, 4] + x[:, 9] + np.random.default_rng(1).normal(size=100)
    >>> stable = StabilitySelection(AssociationRanker(k=4), n_bootstrap=20, cutoff=0.9, random_state=0).fit(x, y)
    >>> stable.get_support(indices=True), stable.false_selection_bound_
    (array([4, 9]), 1.0)
    """

    def __init__(
        self,
        ranker: Any,
        n_bootstrap: int = 100,
        sample_fraction: float = 0.5,
        cutoff: float = 0.75,
        random_state: RandomState = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.ranker = ranker
        self.n_bootstrap = n_bootstrap
        self.sample_fraction = sample_fraction
        self.cutoff = cutoff
        self.random_state = random_state
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        n_drawn = len(subsample(target, table.n_rows, self.sample_fraction, 0))
        if n_drawn < 2:
            raise ValueError(f"a subsample of {table.n_rows} rows holds {n_drawn}; raise sample_fraction or add rows")
        seeds = np.random.default_rng(self.random_state).integers(2**31, size=self.n_bootstrap).tolist()
        draw = partial(_selected, self.ranker, table, target, self.sample_fraction)
        selected = np.array(resolve(self.engine).map(draw, seeds))
        self.mean_selected_ = float(selected.sum(axis=1).mean())
        self.false_selection_bound_ = false_selection_bound(self.mean_selected_, table.n_columns, self.cutoff)
        return selected.mean(axis=0)

    def _check_cut(self) -> None:
        if not 0.5 < self.cutoff <= 1:
            raise ValueError(f"cutoff must be in (0.5, 1], got {self.cutoff}")
        if not 0 < self.sample_fraction < 1:
            raise ValueError(f"sample_fraction must be between 0 and 1, got {self.sample_fraction}")
        if self.n_bootstrap < 1:
            raise ValueError(f"n_bootstrap must be at least 1, got {self.n_bootstrap}")

    def _cut(self, names: Any) -> int:
        return int(np.count_nonzero(self.scores_ >= self.cutoff))

    def _target_kind(self) -> TargetKind:
        return getattr(self.ranker, "target_kind", "auto")

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.ranker)
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.categorical = inner.input_tags.categorical and isinstance(self.ranker, RankingSelector)
        tags.target_tags.required = inner.target_tags.required
        return tags


def _selected(ranker: Any, table: FeatureTable, target: Column | None, fraction: float, seed: int) -> NDArray[np.bool_]:
    """What the ranker selects in one subsample."""
    rows = subsample(target, table.n_rows, fraction, seed)
    part = table.take(rows)
    y = None if target is None else Column(target.name, target.kind, target.values[rows], target.categories)
    selector = _seeded(ranker, seed)
    if isinstance(selector, RankingSelector):
        return selector.fit(part, y).get_support()
    return selector.fit(numeric_block(part), None if y is None else y.labels()).get_support()


def _seeded(ranker: Any, seed: int) -> Any:
    """A clone with this seed that makes no threads of its own."""
    selector = clone(ranker)
    known = selector.get_params(deep=False)
    given = {"random_state": seed, "engine": LocalEngine(1)}
    return selector.set_params(**{name: value for name, value in given.items() if name in known})


@dataclass(frozen=True, eq=False)
class ProbeDiscovery:
    """False-discovery estimates of a ranking, from permuted copies of the columns.

    Parameters
    ----------
    names : tuple of str
        The columns of `X`.
    ranking : ndarray of shape (n_features,), int64
        1 is the best; ranks among the columns of `X`.
    pvalues : ndarray of shape (n_features,)
        Share of the probes that rank at least as high, never 0; NaN for columns without a score.
    false_discovery : ndarray of shape (n_features,)
        Estimated share of irrelevant columns among this one and all that rank higher.
    n_probes : int
    """

    names: tuple[str, ...]
    ranking: NDArray[np.int64]
    pvalues: Array
    false_discovery: Array
    n_probes: int

    def selected(self, level: float = 0.1) -> list[str]:
        """Names of the columns with an estimate of at most `level`, best first."""
        kept = [j for j in np.argsort(self.ranking) if self.false_discovery[j] <= level]
        return [self.names[j] for j in kept]


def probe_false_discovery(
    ranker: RankingSelector | Ranker,
    X: Any,
    y: Any = None,
    n_probes: int | None = None,
    random_state: RandomState = None,
) -> ProbeDiscovery:
    """Estimate the share of irrelevant columns at each rank, with permuted copies of columns as known irrelevant ones.

    The ranker ranks the columns and the probes together. A column's p-value is the share of probes that rank at least
    as high, and the Benjamini-Hochberg adjustment makes false-discovery estimates of these. The probes of all columns
    are one pool, so the ranker should give irrelevant columns of all kinds scores of the same distribution.

    Parameters
    ----------
    ranker : RankingSelector or callable (X, y, association=None) -> scores
        Its cut is not used: all columns and probes are ranked, which forward selection does in quadratic time.
    X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
    y : array-like of shape (n_samples,), optional
    n_probes : int, optional
        By default ten for each column. The best rank's estimate cannot be below ``n_features / (n_probes + 1)``.
    random_state : int, Generator or None

    Returns
    -------
    ProbeDiscovery

    Raises
    ------
    ValueError
        If `n_probes` is below 1, or what the ranker raises.

    References
    ----------
    Wu, Boos and Stefanski (2007), Controlling variable selection by the addition of pseudovariables. J. Am. Stat.
    Assoc. 102. Phipson and Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9 (p-values that are never 0).

    Examples
    --------
    >>> from covey.select import AssociationRanker
    >>> x = np.random.default_rng(1).normal(size=(100, 8))
    >>> found = probe_false_discovery(AssociationRanker(), x, x[:, 2] - x[:, 5], n_probes=400, random_state=0)
    >>> found.selected(0.05)
    ['x2', 'x5']
    """
    base = ranker if isinstance(ranker, RankingSelector) else FunctionSelector(ranker)
    table = _table_for(base, X)
    n_probes = 10 * table.n_columns if n_probes is None else n_probes
    if n_probes < 1:
        raise ValueError(f"n_probes must be at least 1, got {n_probes}")
    rng = np.random.default_rng(random_state)
    both = _with_probes(table, n_probes, rng)
    selector = _ranks_all(base, int(rng.integers(2**31))).fit(both, y)
    undefined = np.isnan(selector.scores_)
    probes = np.sort(selector.ranking_[:n_probes][~undefined[:n_probes]])  # they come first, so that they win ties
    above = np.searchsorted(probes, selector.ranking_[n_probes:])
    pvalues = np.where(undefined[n_probes:], np.nan, (1.0 + above) / (1.0 + len(probes)))
    ranking = np.argsort(np.argsort(selector.ranking_[n_probes:], kind="stable")) + 1
    return ProbeDiscovery(table.names, ranking, pvalues, false_discovery(pvalues), n_probes)


def _table_for(selector: RankingSelector, X: Any) -> FeatureTable:
    """`X` as the selector reads it."""
    reader = clone(selector)
    return reader._table(reader._checked(X, reset=True))


def _ranks_all(selector: RankingSelector, seed: int) -> Any:
    """A clone that ranks every column."""
    known = selector.get_params(deep=False)
    given = {"k": "all", "threshold": None, "random_state": seed}
    return clone(selector).set_params(**{name: value for name, value in given.items() if name in known})


def _with_probes(table: FeatureTable, n_probes: int, rng: np.random.Generator) -> FeatureTable:
    """Permuted copies of the columns that vary, as many of each, before the columns themselves."""
    columns = table.columns()
    usable = [column for column in columns if not unusable(column)]
    if not usable:
        raise ValueError("no column of X varies; there is nothing to rank")
    rounds = -(-n_probes // len(usable))
    sources = [usable[j] for _ in range(rounds) for j in rng.permutation(len(usable))][:n_probes]
    prefix = "probe"
    while any(name.startswith(prefix) for name in table.names):
        prefix += "_"
    probes = [
        Column(f"{prefix}{i}", column.kind, rng.permutation(column.values), column.categories)
        for i, column in enumerate(sources)
    ]
    return FeatureTable.from_columns([*probes, *columns])
