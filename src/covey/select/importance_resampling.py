"""Choose the rows of a large pool that look like a small target set, by importance resampling (DSIR)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from covey.table import Column, FeatureTable, read

Array = NDArray[np.float64]
RandomState = int | np.random.Generator | None

TOKEN = re.compile(r"\w+|[^\w\s]+")  # words, and runs of punctuation
FLOOR = 1e-8  # added to probabilities in logarithms


def tokens(text: str) -> list[str]:
    """Words and runs of punctuation of a text in lower case.

    Examples
    --------
    >>> tokens("It's 3.5!")
    ['it', "'", 's', '3', '.', '5', '!']
    """
    return TOKEN.findall(text.lower())


def hash_bucket(ngram: str, n_buckets: int = 10_000) -> int:
    """Bucket of an n-gram: its SHA-256 digest as a number, modulo `n_buckets`; the same on every machine.

    Examples
    --------
    >>> hash_bucket("feature"), hash_bucket("feature", 10)
    (4229, 9)
    """
    return int.from_bytes(sha256(ngram.encode()).digest(), "big") % n_buckets


class HashedNgramFeatures(TransformerMixin, BaseEstimator):
    """Counts of the hashed n-grams of texts; there is nothing to fit.

    Parameters
    ----------
    ngrams : int
        N-grams of 1 to `ngrams` tokens are counted.
    n_buckets : int

    References
    ----------
    Xie, Santurkar, Ma and Liang (2023), Data Selection for Language Models via Importance Resampling. NeurIPS.
    arXiv:2302.03169.

    Examples
    --------
    >>> counts = HashedNgramFeatures().transform(["a rose is a rose", ""])
    >>> counts.shape, counts.sum(axis=1).tolist(), counts.max()
    ((2, 10000), [9, 0], np.int64(2))
    """

    def __init__(self, ngrams: int = 2, n_buckets: int = 10_000) -> None:
        self.ngrams = ngrams
        self.n_buckets = n_buckets

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Check the arguments."""
        if self.ngrams < 1 or self.n_buckets < 1:
            raise ValueError(f"ngrams and n_buckets must be at least 1, got {self.ngrams} and {self.n_buckets}")
        return self

    def transform(self, X: Iterable[str]) -> csr_array:
        """Counts of shape (n_texts, n_buckets), int64, sparse.

        Raises
        ------
        TypeError
            If `X` is one string, or holds something that is no string.
        """
        self.fit()
        if isinstance(X, str):
            raise TypeError("texts must be a sequence of strings, got one string")
        known: dict[str, int] = {}
        rows = [self._buckets(text, position, known) for position, text in enumerate(X)]
        start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        buckets = np.concatenate([*rows, np.empty(0, dtype=np.int64)])
        counts = csr_array((np.ones(len(buckets), dtype=np.int64), buckets, start), shape=(len(rows), self.n_buckets))
        counts.sum_duplicates()
        return counts

    def _buckets(self, text: Any, position: int, known: dict[str, int]) -> NDArray[np.int64]:
        """Bucket of each n-gram of a text; those hashed before are looked up."""
        if not isinstance(text, str):
            raise TypeError(f"text {position} is {text!r}, not a string; fill missing texts with ''")
        words = tokens(text)
        found = []
        for n in range(1, self.ngrams + 1):
            for k in range(len(words) - n + 1):
                ngram = " ".join(words[k : k + n])
                if ngram not in known:
                    known[ngram] = hash_bucket(ngram, self.n_buckets)
                found.append(known[ngram])
        return np.array(found, dtype=np.int64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


def bucket_probabilities(counts: Any, smoothing: float = 0.0) -> Array:
    """Share of each bucket in all counts of a set of rows.

    Parameters
    ----------
    counts : sparse array or array-like of shape (n_rows, n_buckets)
    smoothing : float
        Added to the total of each bucket.

    Returns
    -------
    ndarray of shape (n_buckets,)

    Raises
    ------
    ValueError
        If there is nothing to count, or a count is negative.

    Examples
    --------
    >>> bucket_probabilities([[1, 0], [2, 1]]).tolist()
    [0.75, 0.25]
    """
    return _shares(np.asarray(csr_array(counts).sum(axis=0), dtype=np.float64), smoothing)


def _shares(totals: Array, smoothing: float = 0.0, of: str = "these rows") -> Array:
    smoothed = totals + smoothing
    if not (smoothed >= 0).all() or not 0 < smoothed.sum() < np.inf:
        raise ValueError(f"the counts of {of} must be finite, nowhere negative and not all 0")
    return smoothed / smoothed.sum()


def log_importance_weights(counts: Any, target: ArrayLike, raw: ArrayLike) -> Array:
    """Log probability of each row under the target's bag of buckets less that under the pool's.

    Parameters
    ----------
    counts : sparse array or array-like of shape (n_rows, n_buckets)
    target, raw : array-like of shape (n_buckets,)
        Probabilities, as of `bucket_probabilities`.

    Returns
    -------
    ndarray of shape (n_rows,)

    References
    ----------
    Xie, Santurkar, Ma and Liang (2023), arXiv:2302.03169.

    Examples
    --------
    >>> log_importance_weights([[1, 0], [0, 2]], [0.8, 0.2], [0.5, 0.5]).round(3).tolist()
    [0.47, -1.833]
    """
    ratio = np.log(np.asarray(target, dtype=np.float64) + FLOOR) - np.log(np.asarray(raw, dtype=np.float64) + FLOOR)
    return csr_array(counts) @ ratio


def gumbel_top_k(log_weights: ArrayLike, k: int, random_state: RandomState = None) -> NDArray[np.intp]:
    """Positions of `k` rows drawn without replacement with probabilities proportional to their weights.

    The `k` largest sums of log weight and standard Gumbel noise are such a draw.

    Parameters
    ----------
    log_weights : array-like of shape (n_rows,)
        Minus infinity for a row that may not be drawn.
    k : int
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (k,)
        Increasing.

    Raises
    ------
    ValueError
        If fewer than `k` rows may be drawn, or a weight is NaN.

    References
    ----------
    Kool, van Hoof and Welling (2019), Stochastic Beams and Where to Find Them. ICML. arXiv:1903.06059.

    Examples
    --------
    >>> gumbel_top_k([0.0, 50.0, -np.inf, 50.0], 2, random_state=0).tolist()
    [1, 3]
    """
    weights = np.asarray(log_weights, dtype=np.float64)
    return _top_k(weights + np.random.default_rng(random_state).gumbel(size=weights.shape), k)


def _top_k(score: Array, k: int) -> NDArray[np.intp]:
    if np.isnan(score).any():
        raise ValueError("log weights must not be NaN")
    allowed = int(np.count_nonzero(score > -np.inf))
    if not 0 <= k <= allowed:
        raise ValueError(f"k must lie in 0..{allowed}, the number of rows that may be drawn; got {k}")
    return np.sort(np.argsort(-score, kind="stable")[:k])


def effective_sample_size(log_weights: ArrayLike) -> float:
    """``(sum of weights)^2 / sum of squared weights``: how many rows carry the weight, 1..n_rows; NaN for none.

    References
    ----------
    Kish (1965), Survey Sampling.

    Examples
    --------
    >>> effective_sample_size([0.0, 0.0, -100.0])
    2.0
    """
    weights = np.asarray(log_weights, dtype=np.float64)
    if not len(weights):
        return float("nan")
    return float(np.exp(2.0 * logsumexp(weights) - logsumexp(2.0 * weights)))


def kl_reduction(target: ArrayLike, raw: ArrayLike, selected: ArrayLike) -> float:
    """How much nearer to the target the selected rows are than the pool, in nats.

    Parameters
    ----------
    target : array-like of shape (n_buckets,) or (n_targets, n_buckets)
        Probabilities, as of `bucket_probabilities`; of several targets the mean is taken.
    raw, selected : array-like of shape (n_buckets,)

    Returns
    -------
    float
        ``KL(target || raw) - KL(target || selected)``; negative if the selection moved away.

    References
    ----------
    Xie, Santurkar, Ma and Liang (2023), Data Selection for Language Models via Importance Resampling. NeurIPS.
    arXiv:2302.03169.

    Examples
    --------
    >>> round(kl_reduction([0.9, 0.1], [0.5, 0.5], [0.9, 0.1]), 3)
    0.368
    """
    targets = np.atleast_2d(np.asarray(target, dtype=np.float64))
    before, after = (np.log(np.asarray(p, dtype=np.float64) + FLOOR) for p in (raw, selected))
    return float(np.mean(targets @ (after - before)))


class ImportanceResampler(BaseEstimator):
    """Weights the rows of a pool by how much likelier they are in a target set, and draws by these weights.

    Both sets are described as bags of buckets: hashed n-grams of texts, given counts, or the binned values of the
    columns of a table. The log weight of a row is the sum over its buckets of ``log p - log p_pool`` where `p` is the
    target's probability mixed with a share `alpha` of the pool's.

    Parameters
    ----------
    features : {"text", "counts", "table"}
        What rows are: strings; rows of a matrix of counts, sparse or not; rows of a table.
    ngrams : int
        For texts, as of `HashedNgramFeatures`.
    n_buckets : int
        For texts.
    n_bins : int
        For tables: each column of numbers is cut at quantiles of the pool; a category, and a missing value, is a bin.
    alpha : float
        0..1, without 1. In the paper it is 0; then a bucket that the target happens to lack counts for as much against
        a row as many that it shares with the target, so that a small target chooses badly. A large target, or a table
        of few columns, is matched more closely the smaller it is.
    smoothing : float
        Added to the count of each bucket in the target.
    min_length : int
        Rows with fewer tokens (or a smaller sum of counts) are never drawn; the paper takes 100 for web texts.

    Attributes
    ----------
    log_weights_ : ndarray of shape (n_raw,) or (n_raw, n_groups)
        One column a group, if `fit` was given groups of target rows.
    allowed_ : ndarray of shape (n_raw,), bool
        Rows that are long enough.
    groups_ : ndarray or None
    group_shares_ : ndarray of shape (n_groups,)
        Share of each group in the target's counts.
    target_probabilities_ : ndarray of shape (n_groups, n_buckets)
    raw_probabilities_ : ndarray of shape (n_buckets,)
    effective_sample_size_ : float or ndarray of shape (n_groups,)
        Of the allowed rows; NaN if there are none.

    References
    ----------
    Xie, Santurkar, Ma and Liang (2023), Data Selection for Language Models via Importance Resampling. NeurIPS.
    arXiv:2302.03169. Yamada, Suzuki, Kanamori, Hachiya and Sugiyama (2011), Relative Density-Ratio Estimation for
    Robust Distribution Comparison. NIPS. arXiv:1106.4729.

    Examples
    --------
    >>> pool = ["the cat sat", "stocks fell again", "the dog sat", "rates and stocks rose"]
    >>> model = ImportanceResampler().fit(pool, ["the cat and the dog", "my dog sat"])
    >>> model.resample(2, greedy=True).tolist()
    [0, 2]
    """

    def __init__(
        self,
        features: Literal["text", "counts", "table"] = "text",
        ngrams: int = 2,
        n_buckets: int = 10_000,
        n_bins: int = 16,
        alpha: float = 0.5,
        smoothing: float = 0.0,
        min_length: int = 0,
    ) -> None:
        self.features = features
        self.ngrams = ngrams
        self.n_buckets = n_buckets
        self.n_bins = n_bins
        self.alpha = alpha
        self.smoothing = smoothing
        self.min_length = min_length

    def fit(self, raw: Any, target: Any, groups: ArrayLike | None = None) -> Self:
        """Weights of the rows of `raw` by the rows of `target`.

        Parameters
        ----------
        raw, target : sequence of str, matrix of counts, or table, as `features` says
        groups : array-like of shape (n_target,), optional
            Where the target is a mixture: its parts. Each gets weights of its own; one bag for all would favour rows
            of the largest part.

        Raises
        ------
        ValueError
            If a set is empty, buckets or columns differ, or an argument is out of range.
        """
        self._check_arguments()
        featurise = self._featuriser(raw)
        counts = featurise(raw)
        self._fit_target(featurise(target), groups)
        self._weigh(lambda: [counts])
        return self

    def fit_shards(self, shards: Iterable[Any], target: Any, groups: ArrayLike | None = None) -> Self:
        """As `fit`, for a pool that comes in parts and need not be in memory at once.

        Parameters
        ----------
        shards : iterable of parts, each as `raw` of `fit`
            Gone through twice: a list, or an object that can be iterated anew; not a generator.
        target, groups
            As of `fit`.

        Raises
        ------
        ValueError
            If `shards` can be gone through only once, or `features` is ``"table"``, whose bins need the whole pool.
        """
        self._check_arguments()
        if self.features == "table":
            raise ValueError("the bins of a table need the whole pool; use fit, or counts of buckets of your own")
        if iter(shards) is shards:
            raise ValueError("shards are gone through twice; give a list, or an object that can be iterated anew")
        featurise = self._featuriser(None)
        self._fit_target(featurise(target), groups)
        self._weigh(lambda: map(featurise, shards))
        return self

    def _check_arguments(self) -> None:
        if self.features not in ("text", "counts", "table"):
            raise ValueError(f"no features {self.features!r}; choose 'text', 'counts' or 'table'")
        if self.smoothing < 0 or self.min_length < 0:
            raise ValueError(f"smoothing and min_length must be at least 0, got {self.smoothing}, {self.min_length}")
        if not 0.0 <= self.alpha < 1.0:
            raise ValueError(f"alpha must lie in 0..1, without 1, got {self.alpha}")
        if self.n_bins < 2:
            raise ValueError(f"n_bins must be at least 2, got {self.n_bins}")

    def _featuriser(self, raw: Any) -> Callable[[Any], csr_array]:
        """Rows to counts of buckets."""
        if self.features == "text":
            return HashedNgramFeatures(self.ngrams, self.n_buckets).fit().transform
        if self.features == "counts":
            return _as_counts
        return TableBuckets(raw, self.n_bins)

    def _fit_target(self, counts: csr_array, groups: ArrayLike | None) -> None:
        if not counts.shape[0]:
            raise ValueError("target has no rows")
        label = np.zeros(counts.shape[0], dtype=np.intp) if groups is None else np.asarray(groups)
        if label.shape != (counts.shape[0],):
            raise ValueError(f"groups must have shape ({counts.shape[0]},), one for each target row; got {label.shape}")
        names = np.unique(label)
        parts = [counts[np.flatnonzero(label == name)] for name in names]
        self.groups_ = None if groups is None else names
        self.target_probabilities_ = np.array([bucket_probabilities(part, self.smoothing) for part in parts])
        self.group_shares_ = _shares(np.array([float(part.sum()) for part in parts]))

    def _weigh(self, parts: Callable[[], Iterable[csr_array]]) -> None:
        """Two passes over the pool: the probabilities of its buckets, then the weights of its rows."""
        n_buckets = self.target_probabilities_.shape[1]
        totals = np.zeros(n_buckets)
        for counts in parts():
            if counts.shape[1] != n_buckets:
                raise ValueError(f"the pool has {counts.shape[1]} buckets and the target {n_buckets}; use the same")
            totals += counts.sum(axis=0)
        self.raw_probabilities_ = _shares(totals, of="the pool")
        relative = (1.0 - self.alpha) * self.target_probabilities_ + self.alpha * self.raw_probabilities_
        weights, lengths = [], []
        for counts in parts():
            weights.append([log_importance_weights(counts, p, self.raw_probabilities_) for p in relative])
            lengths.append(self._lengths(counts))
        by_group = np.concatenate(weights, axis=1).T
        self.allowed_ = np.concatenate(lengths) >= self.min_length
        sizes = np.array([effective_sample_size(column) for column in by_group[self.allowed_].T])
        grouped = self.groups_ is not None
        self.log_weights_ = by_group if grouped else by_group[:, 0]
        self.effective_sample_size_ = sizes if grouped else float(sizes[0])

    def _lengths(self, counts: csr_array) -> NDArray:
        """Number of tokens, from that of n-grams; the sum of the counts if they are not of texts."""
        total = np.asarray(counts.sum(axis=1))
        if self.features != "text":
            return total
        return (total + self.ngrams * (self.ngrams - 1) // 2) // self.ngrams

    def resample(
        self,
        k: int,
        random_state: RandomState = None,
        proportions: ArrayLike | None = None,
        greedy: bool = False,
    ) -> NDArray[np.intp]:
        """Draw `k` rows of the pool without replacement, in proportion to their weights.

        Parameters
        ----------
        k : int
        random_state : int, Generator or None
        proportions : array-like of shape (n_groups,), optional
            How much of the draw each group of the target gets, in the order of `groups_`; by default as much as it has
            of the target's counts. A row is drawn for one group only.
        greedy : bool
            Take the rows of largest weight instead of drawing.

        Returns
        -------
        ndarray of shape (k,)
            Positions in the pool, increasing.

        Raises
        ------
        ValueError
            If fewer than `k` rows may be drawn, or `proportions` do not fit the groups.
        """
        check_is_fitted(self)
        rng = np.random.default_rng(random_state)
        weights = self.log_weights_.reshape(len(self.allowed_), -1)
        free = self.allowed_.copy()
        if not 0 <= k <= free.sum():
            raise ValueError(f"k must lie in 0..{free.sum()}, the number of rows that may be drawn; got {k}")
        for column, share in zip(weights.T, self._portions(k, proportions)):
            score = np.where(free, column, -np.inf)
            free[_top_k(score, share) if greedy else gumbel_top_k(score, share, rng)] = False
        return np.flatnonzero(self.allowed_ & ~free)

    def _portions(self, k: int, proportions: ArrayLike | None) -> NDArray[np.intp]:
        """Whole numbers that add up to `k`, as near to the proportions as cumulative rounding brings them."""
        shares = self.group_shares_ if proportions is None else np.asarray(proportions, dtype=np.float64)
        if shares.shape != self.group_shares_.shape or not (shares >= 0).all() or not shares.sum() > 0:
            raise ValueError(
                f"proportions must be {len(self.group_shares_)} numbers, nowhere negative and not all 0; "
                f"got {proportions!r}"
            )
        ends = np.rint(k * np.cumsum(shares) / shares.sum()).astype(np.intp)
        return np.diff(ends, prepend=0)


def _as_counts(counts: Any) -> csr_array:
    if not issparse(counts):
        counts = np.atleast_2d(np.asarray(counts, dtype=np.float64))
    matrix = csr_array(counts)
    if matrix.nnz and not (np.isfinite(matrix.data).all() and matrix.data.min() >= 0):
        raise ValueError("counts must be finite and nowhere negative")
    return matrix


class TableBuckets:
    """Buckets of the columns of a table: quantile bins of numbers, categories, and missing values.

    Parameters
    ----------
    table : FeatureTable, or anything that `covey.read` takes
        The pool: numbers are cut at its quantiles. Identifiers and free text are left out.
    n_bins : int

    Raises
    ------
    ValueError
        If no column can be used; in a call, if a column is absent, or of numbers in one table and categories in the
        other.

    Examples
    --------
    >>> TableBuckets(np.array([[1.0], [2.0], [3.0], [4.0]]), 2)(np.array([[0.0], [9.0], [np.nan]])).toarray().tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """

    def __init__(self, table: Any, n_bins: int) -> None:
        pool = _table(table)
        self.names = [column.name for column in pool.columns() if column.kind not in ("id", "text")]
        if not self.names:
            raise ValueError("no column to compare rows by: all are identifiers or text")
        self.edges, self.is_coded = {}, {}
        for name in self.names:
            column = pool.column(name)
            self.is_coded[name] = column.is_coded
            self.edges[name] = _categories(column) if column.is_coded else _inner_quantiles(column.values, n_bins)

    def __call__(self, table: Any) -> csr_array:
        """Counts of shape (n_rows, n_buckets): for each row 1 in one bucket of each column."""
        rows = _table(table)
        bins = [_bins(self._checked(rows.column(name)), self.edges[name]) for name in self.names]
        sizes = [len(self.edges[name]) + 2 for name in self.names]
        offset = np.cumsum([0, *sizes[:-1]])
        buckets = np.stack(bins, axis=1) + offset
        start = np.arange(0, buckets.size + 1, len(self.names))
        ones = np.ones(buckets.size, dtype=np.int64)
        return csr_array((ones, buckets.ravel(), start), shape=(rows.n_rows, sum(sizes)))

    def _checked(self, column: Column) -> Column:
        if column.is_coded != self.is_coded[column.name] and not column.missing.all():
            pool, rows = ("categories" if coded else "numbers" for coded in (not column.is_coded, column.is_coded))
            raise ValueError(f"column {column.name!r} holds {pool} in the pool and {rows} here; use the same")
        return column


def _table(source: Any) -> FeatureTable:
    return source if isinstance(source, FeatureTable) else read(source)


def _categories(column: Column) -> NDArray:
    return np.array(column.categories or (), dtype=object)


def _inner_quantiles(values: Array, n_bins: int) -> Array:
    present = values[~np.isnan(values)]
    return np.unique(np.quantile(present, np.arange(1, n_bins) / n_bins)) if len(present) else np.empty(0)


def _bins(column: Column, edges: NDArray) -> NDArray[np.intp]:
    """Bin of each row; the last one for a missing value, the one before for an unknown category."""
    if column.is_coded:
        place = {name: k for k, name in enumerate(edges)}
        known = np.array([place.get(name, len(edges)) for name in column.categories or ()], dtype=np.intp)
        bins = known[np.maximum(column.values, 0)] if len(known) else np.zeros(len(column.values), dtype=np.intp)
    else:
        bins = np.searchsorted(edges, column.values, side="right")
    return np.where(column.missing, len(edges) + 1, bins)
