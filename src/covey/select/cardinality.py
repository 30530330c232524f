"""Rank columns by mutual information less what their cardinality alone would give (OutRank), and by 3MR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from covey.engine import Engine, resolve
from covey.measure import AssociationMatrix
from covey.measure._matrix import CONSTANT, REASONS
from covey.select._base import Array, Cut, GreedyPath, RankingSelector, Scores, TargetKind, greedy, target_column
from covey.select._blocks import is_dask
from covey.select._table_scores import Coded, Correction, Score, coded_columns, paired, quality, score_pair
from covey.select._table_stream import Batches, ChunkCoder, ChunkScores, score_blocks
from covey.select.class_statistics import checked_bins
from covey.select.redundancy import _path_scores
from covey.table import BlockSource, Column, FeatureTable

Aggregate = Literal["median", "mean", "sum"]
RandomState = int | np.random.Generator | None


def cardinality_corrected_mi(
    x: ArrayLike,
    y: ArrayLike,
    correction: Correction = "analytic",
    fraction: float = 1.0,
    n_permutations: int = 10,
    random_state: RandomState = 0,
) -> float:
    """Mutual information of two columns of codes less what columns of the same counts share by chance, in nats.

    That is ``H(Y'|X) - H(Y|X)``, where Y' is the label without its relation to X; entropies are plug-in. A value that
    occurs once adds nothing to either. A column against itself (equal codes) is not corrected.

    Parameters
    ----------
    x, y : array-like of shape (n,), integer
        The column and the label; negative codes are missing, and rows with one are left out.
    correction : {"analytic", "permutation", "shift", "none"}
        ``"analytic"``: the expectation over all orders of the rows, as in adjusted mutual information;
        ``"permutation"``: the mean over `n_permutations` of them; ``"shift"``, as published: the label read at rows
        that are as many places later (cyclically) as the row's value of `x` occurs; ``"none"``: Y' is independent of
        X, so the result is the mutual information.
    fraction : float
        Of the rows, in (0, 1]: only the first ``fraction * n / values`` rows of each value of `x` are used, and the
        score is multiplied by `fraction`, as published.
    n_permutations : int
    random_state : int, Generator or None
        Of the permutations.

    Returns
    -------
    float
        Around 0 for an irrelevant column, also below; NaN where a column is constant.

    Raises
    ------
    ValueError
        If the columns differ in length or are not codes, or an argument is out of its range.

    References
    ----------
    Skrlj and Mramor (2023), OutRank: Speeding up AutoML-based Model Search for Large Sparse Data sets with
    Cardinality-aware Feature Ranking, arXiv:2309.01552. Vinh, Epps and Bailey (2010), Information Theoretic Measures
    for Clusterings Comparison, J. Mach. Learn. Res. 11.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 2000)
    >>> useful, many = np.where(rng.random(2000) < 0.3, rng.integers(0, 2, 2000), y), rng.integers(0, 900, 2000)
    >>> [round(cardinality_corrected_mi(x, y, "none"), 2) for x in (useful, many)]
    [0.25, 0.25]
    >>> [round(cardinality_corrected_mi(x, y), 2) for x in (useful, many)]
    [0.25, -0.02]
    """
    how = _score_of(correction, fraction, n_permutations, random_state)
    left, right = _codes(x, "x"), _codes(y, "y")
    if len(left.codes) != len(right.codes):
        raise ValueError(f"x has {len(left.codes)} rows and y has {len(right.codes)}; they must be the same rows")
    return score_pair(left, right, how.of_itself if np.array_equal(x, y) else how)


def rank_3mr(
    relevance: Array,
    redundancy: Array | Callable[[int], Array],
    relation: Array | Callable[[int], Array] | None = None,
    k: int | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    aggregate: Aggregate = "median",
    stop: Callable[[Sequence[int], float], bool] | None = None,
    callback: Callable[[Sequence[int], float], None] | None = None,
) -> GreedyPath:
    """Order columns by relevance, less redundancy with those taken before, plus what both tell of the label (3MR).

    The most relevant column comes first; then, again and again, that of the largest relevance - `alpha` * aggregate of
    redundancy + `beta` * aggregate of relation, over the columns taken before.

    Parameters
    ----------
    relevance : ndarray of shape (n_features,)
        NaN for columns that cannot be taken.
    redundancy : ndarray of shape (n_features, n_features), or callable (j) -> ndarray of shape (n_features,)
        Column j: redundancy of every column with column j. NaN counts as 0.
    relation : ndarray of shape (n_features, n_features), or callable, optional
        Column j: score of every column joined with column j against the label; without it `beta` is not used.
    k : int, optional
        How many columns to order; all by default.
    alpha, beta : float
    aggregate : {"median", "mean", "sum"}
    stop, callback : optional
        As in `covey.select.greedy`.

    Returns
    -------
    GreedyPath

    Raises
    ------
    ValueError
        If the aggregate is unknown, or an array has another shape.

    References
    ----------
    Skrlj and Mramor (2023), OutRank: Speeding up AutoML-based Model Search for Large Sparse Data sets with
    Cardinality-aware Feature Ranking, arXiv:2309.01552.

    Examples
    --------
    >>> shared = np.array([[0.7, 0.6, 0.0], [0.6, 0.7, 0.0], [0.0, 0.0, 0.7]])
    >>> rank_3mr(np.array([0.5, 0.4, 0.1]), shared).order
    (0, 2, 1)
    >>> joint = np.array([[0.5, 0.9, 0.5], [0.9, 0.4, 0.4], [0.5, 0.4, 0.1]])
    >>> rank_3mr(np.array([0.5, 0.4, 0.1]), shared, joint, beta=2.0).order
    (0, 1, 2)
    """
    if aggregate not in get_args(Aggregate):
        raise ValueError(f"aggregate must be one of {', '.join(get_args(Aggregate))}, not {aggregate!r}")
    n = len(relevance)
    k = n if k is None else k
    parts = [(-alpha, _column_of("redundancy", redundancy, n))]
    if relation is not None:
        parts.append((beta, _column_of("relation", relation, n)))
    seen = [_Seen(aggregate, n, min(max(k, 0), n)) for _ in parts]

    def gain(chosen: tuple[int, ...]) -> Array:
        total = np.array(relevance, dtype=np.float64)
        if not chosen:
            return total
        for (weight, column), before in zip(parts, seen):
            total += weight * before.add(np.nan_to_num(column(chosen[-1])))
        return total

    return greedy(gain, k, stop, callback)


class _Seen:
    """The median, mean or sum over values that come one after another, of each of `n` features."""

    def __init__(self, aggregate: Aggregate, n: int, most: int) -> None:
        self.aggregate, self.count = aggregate, 0
        self.kept = np.zeros((n, most if aggregate == "median" else 1))

    def add(self, values: Array) -> Array:
        """The aggregate with `values` too, shape (n,)."""
        self.count += 1
        if self.aggregate != "median":
            self.kept[:, 0] += values
            return self.kept[:, 0] / (self.count if self.aggregate == "mean" else 1)
        from covey.select._cardinality_kernels import insert_sorted

        insert_sorted(self.kept, self.count - 1, np.asarray(values, dtype=np.float64))
        return (self.kept[:, (self.count - 1) // 2] + self.kept[:, self.count // 2]) / 2


class CardinalityAwareRanker(RankingSelector):
    """Select columns by mutual information with the target, less what their cardinality alone would give (OutRank).

    Takes mixed tables with missing values, which are left out pair by pair. Categories are taken as they are, numbers
    in bins of about equal count. Tables that do not fit in memory are ranked from ``covey.iter_blocks(...)`` or chunk
    by chunk with `partial_fit`.

    Parameters
    ----------
    correction : {"analytic", "permutation", "shift", "none"}
        What is taken off; see `cardinality_corrected_mi`. ``"shift"`` is as published.
    ranking : {"relevance", "3mr"}
        Each column on its own, or by `rank_3mr`: less its score with the columns taken before, plus the score of the
        pair with the target.
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    alpha, beta : float
        Weights of redundancy and relation in 3MR.
    aggregate : {"median", "mean", "sum"}
        Over the columns taken before, in 3MR.
    pairwise : bool
        Whether to compute the scores of all pairs of columns, `redundancy_`.
    fraction : float
        Of the rows, the same number of each value; see `cardinality_corrected_mi`.
    n_permutations : int
        Of ``correction="permutation"``.
    n_bins : int, optional
        Bins of a column of numbers; by default the cube root of the rows, 2 to 16.
    discrete_features : bool
        Take every distinct number as a category: for tables of codes.
    batches : {"merge", "mean", "median"}
        How chunks and blocks become one score. ``"merge"`` adds up counts, so that the score is that of all rows; a
        column with more than 2^20 distinct pairs of values has the mean of the scores of its chunks instead. ``"mean"``
        and ``"median"`` of the scores of chunks, as published, are the only ones for ``"shift"``, ``"permutation"``
        and a `fraction` below 1.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None
        Of the permutations.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        In nats; under 3MR the gain of each column when it was taken. NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best.
    quality_ : tuple of ColumnQuality
        Cardinality, coverage, share of rare values and flags of the columns that vary.
    redundancy_ : ndarray of shape (n_features_in_, n_features_in_)
        With `pairwise`: entry (i, j) is the score of column i with column j as the label, on the diagonal without
        correction.

    References
    ----------
    Skrlj and Mramor (2023), OutRank: Speeding up AutoML-based Model Search for Large Sparse Data sets with
    Cardinality-aware Feature Ranking, arXiv:2309.01552.

    Examples
    --------
    >>> import covey
    >>> table = covey.read("covey:adult").take(slice(0, 4000))
    >>> y = table["income-per-year"]
    >>> ranker = CardinalityAwareRanker(k=3).fit(table.drop(y.name), y)
    >>> ranker.transform(table.drop(y.name)).names
    ('age', 'marital-status', 'relationship')
    """

    def __init__(
        self,
        correction: Correction = "analytic",
        ranking: Literal["relevance", "3mr"] = "relevance",
        k: Cut = "elbow",
        threshold: float | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        aggregate: Aggregate = "median",
        pairwise: bool = False,
        fraction: float = 1.0,
        n_permutations: int = 10,
        n_bins: int | None = None,
        discrete_features: bool = False,
        batches: Batches = "merge",
        target_kind: TargetKind = "auto",
        random_state: RandomState = 0,
        engine: Engine | str | None = None,
    ) -> None:
        self.correction = correction
        self.ranking = ranking
        self.k = k
        self.threshold = threshold
        self.alpha = alpha
        self.beta = beta
        self.aggregate = aggregate
        self.pairwise = pairwise
        self.fraction = fraction
        self.n_permutations = n_permutations
        self.n_bins = n_bins
        self.discrete_features = discrete_features
        self.batches = batches
        self.target_kind = target_kind
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: Any, y: Any = None, association: AssociationMatrix | None = None) -> Self:
        """Score and rank the columns; see `RankingSelector.fit`.

        An `association` of the columns is the redundancy of 3MR.
        """
        self._chunks: tuple[ChunkCoder, ChunkScores] | None = None
        return super().fit(X, y, association)

    def _takes_chunks(self) -> bool:
        try:
            self._check_streamed()
        except ValueError as error:
            raise AttributeError(f"no partial_fit with these parameters: {error}") from None
        return True

    @available_if(_takes_chunks)
    def partial_fit(self, X: Any, y: Any) -> Self:
        """Add a chunk of rows and rank the columns by all chunks so far.

        Categories may appear in any chunk. A column of numbers is cut into bins by the first chunk in which it varies,
        and `y` by the first of all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
        y : array-like of shape (n_samples,)

        Raises
        ------
        AttributeError
            If the parameters need all rows at once.
        ValueError
            As `fit`, or if a column of words has become one of numbers, or a `y` of numbers does not vary in the first
            chunk.
        """
        if isinstance(X, BlockSource) or is_dask(X):
            raise ValueError("blocks are all that there is; give them to fit, and one chunk at a time to partial_fit")
        known = getattr(self, "_chunks", None)
        table = self._table(self._checked(X, reset=known is None))
        self._check_cut()
        target = target_column(y, self.target_kind if known is None else known[0].target_kind)
        if len(target.values) != table.n_rows:
            raise ValueError(f"X has {table.n_rows} rows and y has {len(target.values)}; they must be the same rows")
        if known is None:
            how, batches = self._streamed_score()
            known = (
                ChunkCoder(table, target, self.n_bins, self.discrete_features),
                ChunkScores(table.names, how, batches),
            )
        coder, state = known
        codes = coder.columns(table, state)
        state.add(codes, [column.missing for column in table.columns()], coder.target(target))
        coder.count_labels(table, state)
        self._chunks = known
        self._keep_chunks(state, coder)
        return self

    def _keep_chunks(self, state: ChunkScores, coder: ChunkCoder) -> None:
        values = state.result()
        reasons = ["" if v == v else reason for v, reason in zip(values, state.reasons())]
        self._keep(Scores(values, tuple(reasons)), range(len(values)), list(reasons))
        self.quality_ = state.quality(coder.sketches)
        scored = int(np.count_nonzero(~np.isnan(values)))
        few = self.threshold is None and not isinstance(self.k, str | float) and self.k > scored
        self._n_selected = scored if few else self._cut(state.names)  # a later chunk may give more columns a score

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        self._check()
        how, engine = self._how(), resolve(self.engine)
        columns = coded_columns(table.columns(), self.n_bins, self.discrete_features)
        (y,) = coded_columns([target], self.n_bins, False)
        counted = [np.bincount(c.codes[c.codes >= 0], minlength=c.n_levels) for c in columns]
        self.quality_ = tuple(quality(name, counts, table.n_rows) for name, counts in zip(table.names, counted))
        pairs = _Pairs(columns, how, engine)
        relevance = Scores(pairs.with_label(columns, y))
        known = Scores(relevance.values, tuple("" if v == v else REASONS[CONSTANT] for v in relevance.values))
        if self.pairwise:
            self._redundancy = pairs.matrix()
        if self.ranking == "relevance":
            return known
        threshold = self.threshold
        path = rank_3mr(
            known.values,
            self._redundancy_of(pairs, association),
            lambda j: pairs.with_label([paired(c, columns[j]) for c in columns], y),
            table.n_columns if isinstance(self.k, str | float) or threshold is not None else self.k,
            self.alpha,
            self.beta,
            self.aggregate,
            None if threshold is None else lambda chosen, gain: gain < threshold,
        )
        return _path_scores(path, known)

    def _redundancy_of(self, pairs: _Pairs, association: AssociationMatrix | None) -> Array | Callable[[int], Array]:
        if association is not None:
            return association.strength
        return self._redundancy if self.pairwise else pairs.with_column

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        how, batches = self._streamed_score()
        engine = resolve(self.engine)
        found = score_blocks(source, target, how, batches, self.n_bins, self.discrete_features, engine)
        self.quality_ = found.quality()
        values = found.result()
        return Scores(values, tuple("" if v == v else REASONS[CONSTANT] for v in values))

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        if self.pairwise:
            n = len(reasons)
            self.redundancy_ = np.full((n, n), np.nan)
            if len(usable):
                self.redundancy_[np.ix_(usable, usable)] = self.__dict__.pop("_redundancy")

    def _how(self) -> Score:
        return _score_of(self.correction, self.fraction, self.n_permutations, self.random_state)

    def _check(self) -> None:
        if self.ranking not in ("relevance", "3mr"):
            raise ValueError(f"ranking must be 'relevance' or '3mr', not {self.ranking!r}")
        if self.batches not in ("merge", "mean", "median"):
            raise ValueError(f"batches must be 'merge', 'mean' or 'median', not {self.batches!r}")
        if self.n_bins is not None:
            checked_bins(self.n_bins)
        for name in ("alpha", "beta"):
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, not {getattr(self, name)!r}")

    def _streamed_score(self) -> tuple[Score, Batches]:
        self._check_streamed()
        return self._how(), self.batches

    def _check_streamed(self) -> None:
        self._check()
        how = Score(self.correction, self.fraction, self.n_permutations)  # draws no seed
        if self.ranking == "3mr" or self.pairwise:
            raise ValueError(
                "ranking='3mr' and pairwise=True compare columns with each other and need all rows at once"
            )
        if self.batches == "merge" and not how.of_counts:
            raise ValueError(
                f"correction={how.correction!r} with fraction={how.fraction:g} depends on the order of rows, so counts "
                "cannot be merged; use batches='mean' or 'median', or correction='analytic' and fraction=1"
            )


class _Pairs:
    """Scores of pairs of coded columns."""

    def __init__(self, columns: Sequence[Coded], how: Score, engine: Engine) -> None:
        self.columns, self.how, self.engine = columns, how, engine

    def with_label(self, columns: Sequence[Coded], y: Coded) -> Array:
        """Score of each of `columns` with the label."""
        return np.array(self.engine.map(partial(score_pair, y=y, how=self.how), columns))

    def with_column(self, j: int) -> Array:
        """Score of every column with column `j` as the label."""
        return self.with_label(self.columns, self.columns[j])

    def matrix(self) -> Array:
        """Scores of all pairs, shape (n_columns, n_columns); the column is the label."""
        n, columns, how = len(self.columns), self.columns, self.how
        pairs = [(i, j) for i in range(n) for j in range(i if how.symmetric else 0, n)]

        def score(pair: tuple[int, int]) -> float:
            i, j = pair
            return score_pair(columns[i], columns[j], how.of_itself if i == j else how)

        values = self.engine.map(score, pairs)
        out = np.empty((n, n))
        for (i, j), value in zip(pairs, values):
            out[i, j] = value
            if self.how.symmetric:
                out[j, i] = value
        return out


def _score_of(correction: Correction, fraction: float, n_permutations: int, random_state: RandomState) -> Score:
    seed = int(np.random.default_rng(random_state).integers(2**31)) if correction == "permutation" else 0
    return Score(correction, fraction, n_permutations, seed)


def _codes(values: ArrayLike, name: str) -> Coded:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise ValueError(
            f"{name} must be a column of integer codes, not {array.dtype} of shape {array.shape}; encode it"
        )
    if array.size and (array.dtype.kind == "u" or array.max() >= 4 * array.size):  # far-apart codes become near ones
        present = array >= 0
        distinct, where = np.unique(array[present], return_inverse=True)
        codes = np.full(array.size, -1, dtype=np.int32)
        codes[present] = where
        return Coded(codes, max(len(distinct), 1))
    return Coded(np.maximum(array, -1).astype(np.int32), int(array.max(initial=0)) + 1)


def _column_of(name: str, given: Array | Callable[[int], Array], n: int) -> Callable[[int], Array]:
    if callable(given):
        return given
    matrix: NDArray[np.float64] = np.asarray(given, dtype=np.float64)
    if matrix.shape != (n, n):
        raise ValueError(f"{name} has shape {matrix.shape}, not ({n}, {n}), one row and column a feature")
    return lambda j: matrix[:, j]
