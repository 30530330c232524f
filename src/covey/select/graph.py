"""Columns ranked by their place in a graph of features: an association operator and a centrality."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from covey.engine import Engine, resolve
from covey.measure import AssociationMatrix, Measure, associate
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind, numeric_block
from covey.select._blocks import take_columns
from covey.select._latent import latent_relevance, latent_tokens
from covey.select.class_statistics import (
    ColumnStatistics,
    check_finite,
    checked_bins,
    class_codes,
    class_moments,
    column_statistics,
    rank_shares,
    stream_statistics,
)
from covey.structure.operator import AssociationOperator, infinite_paths_score
from covey.table import BlockSource, Column, FeatureTable

Prefer = Literal["central", "peripheral"]
Centrality = Literal["degree", "eigenvector", "paths", "visits"]
GraphCut = Cut | Literal["histogram"]

PUBLISHED_SHRINKING = 5e-6  # a feature, in the published code of Inf-FS
NO_SPREAD = 1e-6


def histogram_cut(scores: Array) -> int:
    """How many features to keep by the rule of Inf-FS: as many as a histogram of scores has bins fuller than average.

    Parameters
    ----------
    scores : ndarray of shape (n_features,)
        Without NaN; counted in ``n_features // 2`` bins of equal width.

    Returns
    -------
    int
        In 1..n_features; 0 when there is no score.

    References
    ----------
    Roffo, Melzi, Castellani, Vinciarelli and Cristani (2020), Infinite Feature Selection: A Graph-based Feature
    Filtering Approach. arXiv:2006.08184.

    Examples
    --------
    >>> histogram_cut(np.array([9.0, 8.9, 4.0, 1.2, 1.1, 1.0, 0.9, 0.2]))
    1
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return 0
    bins = max(1, len(finite) // 2)
    if np.ptp(finite) <= 4 * bins * np.finfo(float).eps * np.abs(finite).max():  # bins narrower than rounding
        return 1
    counts, _ = np.histogram(finite, bins=bins)
    return max(1, int(np.count_nonzero(counts > counts.mean())))


def eigenvector_centrality_graph(
    fisher: Array, information: Array, deviation: Array, alpha: float = 0.5, symmetrise: bool = False
) -> AssociationOperator:
    """The graph of ECFS: ``alpha * f m' + (1 - alpha) * max(s_i, s_j)``, each scaled to [0, 1].

    Parameters
    ----------
    fisher, information, deviation : ndarray of shape (n_features,)
        Fisher score, mutual information with the classes and standard deviation of each feature.
    alpha : float
        In 0..1.
    symmetrise : bool
        Average the matrix and its transpose.

    Returns
    -------
    AssociationOperator of shape (n_features, n_features)

    Raises
    ------
    ValueError
        If `alpha` is out of its range.

    References
    ----------
    Roffo and Melzi (2017), Ranking to Learn: Feature Ranking and Selection via Eigenvector Centrality.
    arXiv:1704.05409.

    Examples
    --------
    >>> graph = eigenvector_centrality_graph(np.arange(3.0), np.arange(3.0), np.array([1.0, 2.0, 1.0]))
    >>> graph.toarray().tolist()
    [[0.0, 0.5, 0.0], [0.5, 0.625, 0.75], [0.0, 0.75, 0.5]]
    """
    return _kernel_graph(fisher, information, AssociationOperator.maximum(scaled(deviation)), alpha, symmetrise)


def scaled(values: Array) -> Array:
    """Values moved to [0, 1]; 0 where all are equal but for rounding.

    Where some are infinite, as the Fisher score of a column that separates the classes, those are 1 and the finite ones
    at most 0.5.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros_like(values)
    largest, spread = float(np.abs(finite).max()), float(np.ptp(finite))
    spread = spread if spread > 1e-12 * largest else 0.0  # rounding, of columns that were standardised
    if len(finite) < len(values):
        beyond = spread or largest or 1.0
        values, spread = np.minimum(values, finite.max() + beyond), spread + beyond
    return (values - values.min()) / spread if spread else np.zeros_like(values)


def _kernel_graph(
    fisher: Array, information: Array, rest: AssociationOperator, alpha: float, symmetrise: bool
) -> AssociationOperator:
    _check_share(alpha, "alpha")
    graph = alpha * AssociationOperator.low_rank(scaled(fisher), scaled(information)) + (1.0 - alpha) * rest
    return 0.5 * graph + 0.5 * graph.T if symmetrise else graph


class _GraphRanker(RankingSelector):
    """Base of selectors that score columns by a centrality of a graph.

    A subclass has the parameter `prefer`, and sets `degree_agreement_` and `tied_` by `_placed`.
    """

    _cut_rules = ("elbow", "histogram", "all")

    prefer: Prefer

    def _placed(self, graph: AssociationOperator, centrality: Array) -> Array:
        """Scores by a centrality, higher is better; how far they say what row sums say is kept."""
        if self.prefer not in ("central", "peripheral"):
            raise ValueError(f"prefer must be 'central' or 'peripheral', not {self.prefer!r}")
        self.degree_agreement_ = rank_agreement(centrality, graph.degrees())
        centrality = without_rounding(centrality)
        return centrality if self.prefer == "central" else -centrality

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        if not len(found.values):
            self.degree_agreement_ = float("nan")
        _, place, times = np.unique(self.scores_, return_inverse=True, return_counts=True, equal_nan=False)
        self.tied_ = times[place] > 1

    def _cut(self, names: Sequence[str]) -> int:
        falling = np.sort(self.scores_[~np.isnan(self.scores_)])[::-1]
        kept = histogram_cut(falling) if self.k == "histogram" and self.threshold is None else super()._cut(names)
        if 0 < kept < len(falling) and falling[kept - 1] == falling[kept]:
            count = int(np.count_nonzero(falling == falling[kept]))
            warnings.warn(
                f"{count} columns share the score at which the ranking of {type(self).__name__} is cut (see tied_); "
                "which of them are kept is the order of columns",
                UserWarning,
                stacklevel=4,
            )
        return kept


class GraphSelector(_GraphRanker):
    """Select columns by their centrality in the graph of their associations.

    The nodes are the columns and the edges weigh their absolute association by any measure. ``"central"`` keeps what
    many other columns move with, ``"peripheral"`` what stands alone. Looks at no target. Takes the kinds, and the
    missing values pair by pair, that the measure takes; from row blocks too where the measure can. Graphs of published
    methods: `EigenvectorCentralitySelector`, `InfiniteSelector` and `InfiniteLatentSelector`.

    Parameters
    ----------
    measure : str or Measure
        One of `covey.measures()`; not used when `fit` is given an association matrix.
    centrality : {"eigenvector", "degree", "paths", "visits"}
        The leading eigenvector; row sums; the sum over all paths (Inf-FS); visits of random walks that are absorbed.
    factor : float
        Of ``"paths"``: how near the weight of an edge is to where the sum becomes infinite. Of ``"visits"``: the
        probability to go on, at the feature with the largest row sum. Greater than 0 and less than 1.
    prefer : {"central", "peripheral"}
        Which end of the ranking is the best.
    k : int, float, "elbow", "histogram" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, as many as the
        histogram of the scores has bins fuller than average, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Centralities, negative for ``"peripheral"``; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns.
    degree_agreement_ : float
        Spearman correlation of the centralities with plain row sums; NaN where all are equal.
    tied_ : ndarray of shape (n_features_in_,), bool
        Whether another column has the same score, to 12 digits.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(200, 1))
    >>> x = np.hstack([shared + 0.5 * rng.normal(size=(200, 3)), rng.normal(size=(200, 3))])
    >>> GraphSelector("pearson", k=3).fit(x).get_support(indices=True)
    array([0, 1, 2])
    >>> GraphSelector("pearson", prefer="peripheral", k=3).fit(x).get_support(indices=True)
    array([3, 4, 5])
    """

    _supervised = False

    def __init__(
        self,
        measure: str | Measure = "auto",
        centrality: Centrality = "eigenvector",
        factor: float = 0.9,
        prefer: Prefer = "central",
        k: GraphCut = "elbow",
        threshold: float | None = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.measure = measure
        self.centrality = centrality
        self.factor = factor
        self.prefer = prefer
        self.k = k  # type: ignore[assignment]
        self.threshold = threshold
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        return self._of_matrix(association, table)

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        return self._of_matrix(association, _without(source, target))

    def _of_matrix(self, association: AssociationMatrix | None, table: FeatureTable | BlockSource) -> Array:
        if association is None:
            association = associate(table, measure=self.measure, pvalues=False, engine=self.engine)
        graph = AssociationOperator.of(association)
        return self._placed(graph, centrality(graph, self.centrality, self.factor))


def centrality(graph: AssociationOperator, name: Centrality, factor: float = 0.9) -> Array:
    """A centrality of each node of a graph, shape (n_features,).

    Parameters
    ----------
    graph : AssociationOperator
    name : {"degree", "eigenvector", "paths", "visits"}
    factor : float
        Of ``"paths"`` and ``"visits"``; greater than 0 and less than 1.

    Raises
    ------
    ValueError
        If the name is unknown or `factor` is out of its range.

    Examples
    --------
    >>> star = AssociationOperator.of([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> centrality(star, "degree").tolist(), centrality(star, "eigenvector").round(3).tolist()
    ([2.0, 1.0, 1.0], [0.707, 0.5, 0.5])
    """
    if not 0 < factor < 1:
        raise ValueError(f"factor must be greater than 0 and less than 1, got {factor}")
    if name == "degree":
        return graph.degrees()
    if name == "eigenvector":
        return np.abs(graph.leading_eigenvector()[1])
    if name == "paths":
        return graph.infinite_paths(factor=factor)
    if name == "visits":
        return graph.expected_visits(factor)
    raise ValueError(f"centrality must be 'degree', 'eigenvector', 'paths' or 'visits', not {name!r}")


class EigenvectorCentralitySelector(_GraphRanker):
    """Select columns by the leading eigenvector of a graph of class separation and spread (ECFS).

    The edge from column `i` to column `j` weighs ``alpha * f_i * m_j + (1 - alpha) * max(s_i, s_j)``: Fisher score,
    mutual information with the classes (of values in bins of equal count) and standard deviation, each scaled to [0, 1]
    over the columns. The matrix is not symmetric, and its right eigenvector is used. It is never formed: time and
    memory grow as the number of columns. With ``alpha=1`` the ranking is that of the Fisher score. The spread counts in
    the units of the columns: of columns in different units it says nothing, so standardise them or use ``alpha=1``.

    Takes numbers, booleans and dates (as seconds); a column with missing values is scored by its present rows. A
    numeric target is cut into `n_bins` classes of equal count, which the paper does not do. `alpha` is a parameter like
    others: the paper's choice by cross-validation is `sklearn.model_selection.GridSearchCV` over a pipeline with a
    classifier. Tables that do not fit in memory are ranked by two passes over row blocks:
    ``fit(covey.iter_blocks("big.parquet"), "target")``.

    Parameters
    ----------
    alpha : float
        In 0..1; weight of class separation against spread.
    symmetrise : bool
        Average the matrix and its transpose.
    n_bins : int
        Bins of a column for its mutual information.
    prefer : {"central", "peripheral"}
        Which end of the ranking is the best.
    k : int, float, "elbow", "histogram" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, as many as the
        histogram of the scores has bins fuller than average, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where passes over blocks run; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Entries of the eigenvector of length 1, negative for ``"peripheral"``; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns.
    degree_agreement_ : float
        Spearman correlation of the centralities with plain row sums; NaN where all are equal.
    tied_ : ndarray of shape (n_features_in_,), bool
        Whether another column has the same score, to 12 digits.

    Notes
    -----
    ``fit(X, y, association=matrix)`` puts the strengths of an association matrix in the place of the spread. The Fisher
    score is the general one, also for two classes (where the paper's is the same for classes of equal size).

    References
    ----------
    Roffo and Melzi (2017), Ranking to Learn: Feature Ranking and Selection via Eigenvector Centrality.
    arXiv:1704.05409.

    Examples
    --------
    >>> import covey
    >>> madelon = covey.read("covey:madelon")
    >>> selector = EigenvectorCentralitySelector(alpha=0.9, k=3).fit(madelon.drop("class"), madelon["class"])
    >>> selector.transform(madelon.drop("class")).names
    ('x105', 'x475', 'x493')
    """

    _mixed = False

    def __init__(
        self,
        alpha: float = 0.5,
        symmetrise: bool = False,
        n_bins: int = 8,
        prefer: Prefer = "central",
        k: GraphCut = "elbow",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        engine: Engine | str | None = None,
    ) -> None:
        self.alpha = alpha
        self.symmetrise = symmetrise
        self.n_bins = n_bins
        self.prefer = prefer
        self.k = k  # type: ignore[assignment]
        self.threshold = threshold
        self.target_kind = target_kind
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        x = _numbers(table)
        return self._of_statistics(column_statistics(x, target, checked_bins(self.n_bins)), association)

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        found = stream_statistics(source, target, checked_bins(self.n_bins), resolve(self.engine))
        return self._of_statistics(found, association)

    def _of_statistics(self, found: ColumnStatistics, association: AssociationMatrix | None) -> Array:
        assert found.fisher is not None and found.information is not None
        if association is None:
            rest = AssociationOperator.maximum(scaled(found.deviation))
        else:
            rest = AssociationOperator.of(association)
        graph = _kernel_graph(found.fisher, found.information, rest, self.alpha, self.symmetrise)
        return self._placed(graph, centrality(graph, "eigenvector"))


class InfiniteSelector(_GraphRanker):
    """Select columns by the sum over all paths in a graph of features (Inf-FS).

    Without a target the edge of columns `i` and `j` weighs ``alpha * max(s_i, s_j) + (1 - alpha) * (1 - |r_ij|)``, by
    standard deviations scaled to [0, 1] and Spearman correlations. With classes it weighs ``a1 (m_j + f_i) / 2 + a2
    (m_j + max(s_i, s_j)) / 2 + a3 (max(s_i, s_j) + f_i) / 2``, by mutual information (of values in bins of equal
    count), Fisher score and standard deviation, each scaled to [0, 1] over the columns. The scores are the row sums of
    ``(I - r A)^-1 - I``, by a solver. They rank the columns nearly as plain row sums do: see `degree_agreement_`. The
    spread counts in the units of the columns: of columns in different units it says nothing, so standardise them.

    With classes no matrix is formed: time and memory grow as the number of columns. Without, correlations are made
    block by block, and blocks up to 512 MB in all are kept (all those of 11,000 columns).

    Takes numbers, booleans and dates (as seconds). A column with missing values is scored by its present rows, a
    correlation by the rows where both are present. A numeric target is cut into `n_bins` classes of equal count, which
    the paper does not do. Tables that do not fit in memory are ranked by passes over row blocks:
    ``fit(covey.iter_blocks("big.parquet"), "target")``.

    Parameters
    ----------
    alpha : float
        In 0..1; without a target the weight of spread against decorrelation.
    mixing : tuple of 3 floats
        The weights `a1`, `a2`, `a3` with classes; not negative, with sum 1.
    scaling : {"paper", "published"}
        How `r` is chosen. ``"paper"``: `factor` over the largest eigenvalue. ``"published"``: as in the authors' code
        of 2020, which divides the matrix by its largest row sum and then chooses `r` by that sum again, so that the
        ranking is almost that of row sums; for fewer than 200,000 columns, and undefined for a few weak ones.
    factor : float
        Greater than 0 and less than 1; for ``scaling="paper"``.
    supervised : {"auto", True, False}
        Whether the target is used; ``"auto"``: where it is given.
    n_bins : int
        Bins of a column for its mutual information.
    prefer : {"central", "peripheral"}
        Which end of the ranking is the best.
    k : int, float, "elbow", "histogram" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, as many as the
        histogram of the scores has bins fuller than average (the paper's rule), or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where passes over blocks run; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Sums over paths, negative for ``"peripheral"``; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns.
    n_features_ : int
        How many columns are selected.
    degree_agreement_ : float
        Spearman correlation of the sums over paths with plain row sums; NaN where all are equal.
    scaling_agreement_ : float
        Spearman correlation of the scores of both scalings; NaN where one is undefined or all are equal.
    tied_ : ndarray of shape (n_features_in_,), bool
        Whether another column has the same score, to 12 digits.

    Notes
    -----
    ``fit(X, association=matrix)`` puts the strengths of an association matrix, by any measure, in the place of
    Spearman's. From row blocks without a target the matrix of correlations is held in memory, and its ranks come from a
    sketch.

    References
    ----------
    Roffo, Melzi, Castellani, Vinciarelli and Cristani (2020), Infinite Feature Selection: A Graph-based Feature
    Filtering Approach. arXiv:2006.08184. Roffo, Melzi and Cristani (2015), Infinite Feature Selection. ICCV.

    Examples
    --------
    >>> import covey
    >>> madelon = covey.read("covey:madelon")
    >>> selector = InfiniteSelector(k=3).fit(madelon.drop("class"), madelon["class"])
    >>> selector.transform(madelon.drop("class")).names, round(selector.degree_agreement_, 3)
    (('x105', 'x241', 'x475'), 0.999)
    """

    _mixed = False
    _supervised = False

    def __init__(
        self,
        alpha: float = 0.5,
        mixing: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3),
        scaling: Literal["paper", "published"] = "paper",
        factor: float = 0.9,
        supervised: bool | Literal["auto"] = "auto",
        n_bins: int = 8,
        prefer: Prefer = "central",
        k: GraphCut = "histogram",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        engine: Engine | str | None = None,
    ) -> None:
        self.alpha = alpha
        self.mixing = mixing
        self.scaling = scaling
        self.factor = factor
        self.supervised = supervised
        self.n_bins = n_bins
        self.prefer = prefer
        self.k = k  # type: ignore[assignment]
        self.threshold = threshold
        self.target_kind = target_kind
        self.engine = engine

    @property
    def n_features_(self) -> int:
        """How many columns are selected."""
        return int(self.get_support().sum())

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        x, supervised = _numbers(table), self._uses_target(target is not None)
        found = column_statistics(x, target if supervised else None, checked_bins(self.n_bins))
        if supervised:
            return self._of_classes(found, association)
        if association is None:
            return self._of_correlations(found, AssociationOperator.correlation(rank_shares(x)))
        return self._of_correlations(found, _correlations(association))

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        supervised, bins = self._uses_target(target is not None), checked_bins(self.n_bins)
        columns = _without(source, target)
        found = stream_statistics(
            source if supervised else columns, target if supervised else None, bins, resolve(self.engine)
        )
        if supervised:
            return self._of_classes(found, association)
        if association is None:
            association = associate(columns, measure="spearman", pvalues=False, engine=self.engine)
        return self._of_correlations(found, _correlations(association))

    def _uses_target(self, given: bool) -> bool:
        if self.supervised not in ("auto", True, False):
            raise ValueError(f"supervised must be 'auto', True or False, not {self.supervised!r}")
        wanted = given if self.supervised == "auto" else bool(self.supervised)
        if wanted and not given:
            raise ValueError("InfiniteSelector(supervised=True) requires y to be passed, but the target y is None")
        return wanted

    def _of_correlations(self, found: ColumnStatistics, correlations: AssociationOperator) -> Array:
        _check_share(self.alpha, "alpha")
        ones = AssociationOperator.low_rank(np.ones(len(found.deviation)))
        spread = AssociationOperator.maximum(scaled(found.deviation))
        rest = 1.0 - self.alpha
        return self._paths(self.alpha * spread + rest * ones - rest * correlations)

    def _of_classes(self, found: ColumnStatistics, association: AssociationMatrix | None) -> Array:
        assert found.fisher is not None and found.information is not None
        if association is not None:
            raise ValueError(
                "the graph of InfiniteSelector with classes has no place for association; use supervised=False, or "
                "EigenvectorCentralitySelector, whose graph has one"
            )
        try:
            mixing = np.asarray(self.mixing, dtype=np.float64)
        except (TypeError, ValueError):
            mixing = np.empty(0)
        if mixing.shape != (3,) or not (mixing >= 0).all() or abs(mixing.sum() - 1.0) > 1e-9:
            raise ValueError(f"mixing must be three weights, not negative, with sum 1; got {self.mixing!r}")
        a1, a2, a3 = mixing / 2.0
        ones = np.ones(len(found.deviation))
        columns = AssociationOperator.low_rank(ones, scaled(found.information))
        rows = AssociationOperator.low_rank(scaled(found.fisher), ones)
        spread = AssociationOperator.maximum(scaled(found.deviation))
        return self._paths((a1 + a2) * columns + (a1 + a3) * rows + (a2 + a3) * spread)

    def _paths(self, graph: AssociationOperator) -> Array:
        if self.scaling not in ("paper", "published"):
            raise ValueError(f"scaling must be 'paper' or 'published', not {self.scaling!r}")
        r, published = None, published_damping(graph)
        if self.scaling == "published":
            if np.isnan(published):
                raise ValueError("scaling='published' is undefined for this graph: use scaling='paper'")
            r = published
        centre = infinite_paths_score(graph, r, self.factor)
        self.scaling_agreement_ = float("nan")
        if not np.isnan(published):
            other = infinite_paths_score(graph, published if r is None else None, self.factor)
            self.scaling_agreement_ = rank_agreement(centre, other)
        return self._placed(graph, centre)

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        if not len(found.values):
            self.scaling_agreement_ = float("nan")


def published_damping(graph: AssociationOperator) -> float:
    """The weight `r` of an edge that the published code of Inf-FS (2020) amounts to; NaN where its sum is infinite.

    It divides the matrix by its largest row sum plus ``e = 5e-6 n_features``, and weighs the edges of the result by
    ``(1 - e)`` over the same row sum.

    Parameters
    ----------
    graph : AssociationOperator
        Not negative.

    Examples
    --------
    >>> round(published_damping(AssociationOperator.low_rank(np.ones(100))), 8)
    9.995e-05
    """
    shrinking = PUBLISHED_SHRINKING * graph.shape[0]
    widest = float(graph.degrees().max())
    r = (1.0 - shrinking) / (widest * (widest + shrinking)) if widest > 0 else 0.0
    return r if 0 < r * widest < 1 else float("nan")


class InfiniteLatentSelector(_GraphRanker):
    """Select columns by how probably they are relevant in a latent model of how they represent classes (ILFS).

    Every value becomes a token: its squared distance to the mean of its own class, as a share of those to all classes.
    The counts of tokens are a mixture of a relevant and an irrelevant factor, fitted by expectation maximisation; the
    edge of columns `i` and `j` weighs ``p_i p_j``, and the score is the sum over all paths. As that matrix has rank
    one, the scores are a multiple of ``p``, in closed form.

    The published code leaves out one half of the maximisation and one of the tokens, and with it the probabilities can
    reach 1 for all columns. Here both are there, and the factor of the higher Fisher scores is called relevant.

    Takes numbers, booleans and dates (as seconds); a column with missing values is scored by its present rows. A
    numeric target is cut into `n_tokens` classes of equal count, which the paper does not do. Made for few classes:
    with many, all shares of distance are small, so that most values are the first token and many columns share one
    score.

    Parameters
    ----------
    n_tokens : int
        Levels of the shares of distance.
    factor : float
        Greater than 0 and less than 1: how near the weight of an edge is to where the sum over paths is infinite.
    tolerance : float
        Stop when the log-likelihood grows by less.
    max_iter : int
    prefer : {"central", "peripheral"}
        Which end of the ranking is the best.
    k : int, float, "elbow", "histogram" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, as many as the
        histogram of the scores has bins fuller than average, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Sums over paths, negative for ``"peripheral"``; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns.
    p_relevant_ : ndarray of shape (n_features_in_,)
        Probability of the relevant factor; NaN where undefined.
    tokens_ : ndarray of shape (n_tokens, n_features_in_)
        Rows of each token, those nearest to their own class first; 0 for columns without a score.
    log_likelihood_ : ndarray of shape (n_iter_ + 1,)
        Before each step of expectation maximisation and after the last; it does not fall.
    n_iter_ : int
        Steps of expectation maximisation.
    degree_agreement_ : float
        Spearman correlation with plain row sums: 1, as a matrix of rank one has no other ranking.
    tied_ : ndarray of shape (n_features_in_,), bool
        Whether another column has the same score, to 12 digits.

    References
    ----------
    Roffo, Melzi, Castellani and Vinciarelli (2017), Infinite Latent Feature Selection: A Probabilistic Latent
    Graph-Based Ranking Approach. arXiv:1707.07538.

    Examples
    --------
    >>> import covey
    >>> madelon = covey.read("covey:madelon")
    >>> selector = InfiniteLatentSelector(k=3).fit(madelon.drop("class"), madelon["class"])
    >>> selector.transform(madelon.drop("class")).names
    ('x241', 'x423', 'x475')
    """

    _mixed = False

    def __init__(
        self,
        n_tokens: int = 6,
        factor: float = 0.9,
        tolerance: float = 1e-6,
        max_iter: int = 1000,
        prefer: Prefer = "central",
        k: GraphCut = "elbow",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
    ) -> None:
        self.n_tokens = n_tokens
        self.factor = factor
        self.tolerance = tolerance
        self.max_iter = max_iter
        self.prefer = prefer
        self.k = k  # type: ignore[assignment]
        self.threshold = threshold
        self.target_kind = target_kind

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        if association is not None:
            raise ValueError("the graph of InfiniteLatentSelector is that of its latent model; leave out association")
        for name in ("n_tokens", "max_iter"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 2:
                raise ValueError(f"{name} must be a whole number from 2, got {value!r}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0, got {self.tolerance!r}")
        x = _numbers(table)
        codes, n_classes = class_codes(target, self.n_tokens)
        moments = class_moments(x, codes, n_classes)
        means = np.where(moments.n > 0, moments.mean, np.nan)
        self.tokens_ = latent_tokens(x, codes, means, self.n_tokens)
        model = latent_relevance(self.tokens_, self.tolerance, self.max_iter)
        if not relevant_first(model.p_relevant, moments.fisher()):
            model = model.swapped()
        self.p_relevant_, self.log_likelihood_ = model.p_relevant, model.log_likelihood
        self.n_iter_ = len(model.log_likelihood) - 1
        if len(model.p_relevant) > 1 and np.ptp(model.p_relevant) < NO_SPREAD:
            warnings.warn(
                f"the probabilities of relevance differ by less than {NO_SPREAD:g}: they rank nothing; try more "
                "n_tokens, or another selector",
                UserWarning,
                stacklevel=3,
            )
        graph = AssociationOperator.low_rank(model.p_relevant)
        return self._placed(graph, graph.infinite_paths(factor=self.factor))

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        p, tokens = np.full(len(reasons), np.nan), np.zeros((self.n_tokens, len(reasons)))
        if len(found.values):
            p[usable], tokens[:, usable] = self.p_relevant_, self.tokens_
        else:
            self.log_likelihood_, self.n_iter_ = np.empty(0), 0
        self.p_relevant_, self.tokens_ = p, tokens


def relevant_first(p_first: Array, fisher: Array) -> bool:
    """Whether the first of two factors has the higher mean Fisher score, features weighed by their probabilities.

    Examples
    --------
    >>> relevant_first(np.array([0.9, 0.1]), np.array([2.0, 0.0]))
    True
    """
    fisher = np.minimum(fisher, fisher[np.isfinite(fisher)].max(initial=1.0))
    first, second = p_first.sum(), (1.0 - p_first).sum()
    if first == 0 or second == 0:
        return bool(first > 0)
    return bool((p_first @ fisher) / first >= ((1.0 - p_first) @ fisher) / second)


def without_rounding(scores: Array) -> Array:
    """Scores of which those that differ by no more than a 1e-12 share of the largest are made equal.

    Examples
    --------
    >>> without_rounding(np.array([1.0, 0.5, 1.0 + 1e-15])).tolist()
    [1.0, 0.5, 1.0]
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    new = np.diff(ordered, prepend=-np.inf) > 1e-12 * np.abs(scores).max(initial=0.0)
    out = np.empty_like(scores)
    out[order] = ordered[np.maximum.accumulate(np.where(new, np.arange(len(scores)), 0))]
    return out


def rank_agreement(a: Array, b: Array) -> float:
    """Spearman correlation of two rankings; NaN where one has a single value."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def _numbers(table: FeatureTable) -> NDArray[np.float64]:
    x = numeric_block(table)
    check_finite(x, table.names)
    return x


def _correlations(association: AssociationMatrix) -> AssociationOperator:
    strongest = association.strength.max()
    if strongest > 1.0 + 1e-9:
        raise ValueError(
            f"association: the strengths of {association.measure!r} reach {strongest:.3g}, but InfiniteSelector needs "
            "them in 0..1, as correlations are"
        )
    return AssociationOperator.of(association)


def _without(source: BlockSource, target: str | None) -> BlockSource:
    return take_columns(source, [name for name in source.names if name != target])


def _check_share(value: Any, name: str) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in 0..1, got {value!r}")


# the papers' short names
ECFS = EigenvectorCentralitySelector
InfFS = InfiniteSelector
ILFS = InfiniteLatentSelector
