"""What every selector of features shares: reading, scores with reasons, the cut, and the greedy engine."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import assert_all_finite, check_is_fitted, validate_data

from covey.engine import resolve
from covey.measure import AssociationMatrix
from covey.measure._store import ColumnStore
from covey.select._blocks import (
    ColumnProfile,
    block_source,
    is_dask,
    profile,
    read_target,
    streaming_rankers,
    take_columns,
)
from covey.table import BlockSource, Column, FeatureTable, are_classes, read, target_values

Array = NDArray[np.float64]
Cut = int | float | Literal["elbow", "all"]
TargetKind = Literal["auto", "numeric", "categorical"]

MISSING, CONSTANT, WORDS = "every value is missing", "the column is constant", "an identifier or free text"
NO_SCORE = "the ranker is undefined here"


@dataclass(frozen=True, eq=False)
class Scores:
    """What a ranker says of each column.

    Parameters
    ----------
    values : ndarray of shape (n_features,)
        Higher is better; NaN where undefined.
    reasons : tuple of str, optional
        Why a score is undefined, ``""`` where it is defined.
    order : tuple of int, optional
        Columns from best to worst, for rankers whose order is not that of the values (forward selection).
    """

    values: Array
    reasons: tuple[str, ...] = ()
    order: tuple[int, ...] | None = None


Ranker = Callable[[FeatureTable, Column | None, AssociationMatrix | None], Array | Scores]


@dataclass(frozen=True)
class GreedyPath:
    """What `greedy` chose.

    Parameters
    ----------
    order : tuple of int
        The chosen candidates, first one first.
    gains : tuple of float
        The gain of each when it was chosen.
    """

    order: tuple[int, ...]
    gains: tuple[float, ...]


def greedy(
    gain: Callable[[tuple[int, ...]], Array],
    k: int,
    stop: Callable[[tuple[int, ...], float], bool] | None = None,
    callback: Callable[[tuple[int, ...], float], None] | None = None,
) -> GreedyPath:
    """Choose up to `k` candidates one at a time, each with the largest gain given those chosen before.

    Parameters
    ----------
    gain : callable (chosen) -> ndarray of shape (n_candidates,)
        The gain of each candidate; NaN for one that cannot be chosen. Entries of chosen candidates are not looked at.
    k : int
    stop : callable (chosen, best gain) -> bool, optional
        Asked before a candidate of the best gain is taken; True ends the search without it.
    callback : callable (chosen, gain) -> None, optional
        Told of each choice, the newest candidate last.

    Returns
    -------
    GreedyPath
        Shorter than `k` when no candidate is left. Ties go to the first candidate.

    Raises
    ------
    ValueError
        If `k` is negative.

    Examples
    --------
    >>> covered = [{1, 2, 3}, {1, 2}, {4}]
    >>> def new(chosen):
    ...     known = set().union(*(covered[j] for j in chosen))
    ...     return np.array([len(c - known) for c in covered], dtype=float)
    >>> greedy(new, 3, stop=lambda chosen, best: best == 0)
    GreedyPath(order=(0, 2), gains=(3.0, 1.0))
    """
    if k < 0:
        raise ValueError(f"k must not be negative, got {k}")
    order: tuple[int, ...] = ()
    gains: tuple[float, ...] = ()
    while len(order) < k:
        merit = np.array(gain(order), dtype=np.float64)
        merit[list(order)] = np.nan
        if np.isnan(merit).all():
            break
        best = int(np.nanargmax(merit))
        if stop is not None and stop(order, float(merit[best])):
            break
        order, gains = (*order, best), (*gains, float(merit[best]))
        if callback is not None:
            callback(order, gains[-1])
    return GreedyPath(order, gains)


def elbow(scores: Array) -> int:
    """How many of the sorted scores come before their elbow.

    The elbow is the point with the largest distance from the chord that joins the first and the last score; it is kept
    when it lies above the chord and dropped when it lies below. A straight line has no elbow, and all are kept.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Falling, without NaN; infinite ones count as the next finite one.

    Returns
    -------
    int
        In 1..n; 0 when there is no score.

    References
    ----------
    Satopaa, Albrecht, Irwin and Raghavan (2011), Finding a "Kneedle" in a Haystack. ICDCS Workshops.

    Examples
    --------
    >>> elbow(np.array([0.9, 0.85, 0.8, 0.1, 0.05, 0.0])), elbow(np.array([3.0, 2.0, 1.0]))
    (3, 3)
    """
    finite = scores[np.isfinite(scores)]
    if len(finite) < 3 or finite[0] == finite[-1]:
        return len(scores)
    scores = np.clip(scores, finite.min(), finite.max())
    height = (scores - scores[-1]) / (scores[0] - scores[-1]) - np.linspace(1.0, 0.0, len(scores))
    farthest = int(np.argmax(np.round(np.abs(height), 12)))  # equal distances must tie whatever the scale
    if abs(height[farthest]) < 1e-9:
        return len(scores)
    return farthest + int(height[farthest] > 0)


def target_column(y: Any, kind: TargetKind = "auto") -> Column:
    """The target as a typed column.

    Parameters
    ----------
    y : array-like of shape (n_samples,), or Column
        A column of numbers is read as an array of them is.
    kind : {"auto", "numeric", "categorical"}
        ``"auto"``: words, booleans and at most 20 distinct whole numbers are classes, other numbers are numbers.

    Returns
    -------
    Column
        ``numeric``, ``categorical``, or ``boolean`` for two classes.

    Raises
    ------
    ValueError
        If values are missing or infinite, `kind` is unknown, or words are to be numbers.

    Examples
    --------
    >>> target_column(["no", "yes", "no"]).kind, target_column([0.1, 2.0]).kind, target_column([3, 5, 7]).kind
    ('boolean', 'numeric', 'categorical')
    """
    if kind not in ("auto", "numeric", "categorical"):
        raise ValueError(f"target_kind must be 'auto', 'numeric' or 'categorical', not {kind!r}")
    name = y.name if isinstance(y, Column) else "y"
    values, are_times = target_values(y)
    if isinstance(y, Column) and y.is_coded:
        if kind != "numeric" or y.kind == "categorical":
            _check_kind(kind, False)
            return y
        values = y.values
    if are_times:
        return Column(name, "numeric", values)
    numbers = values.dtype.kind in "iufb"
    if values.dtype.kind in "iuf":
        assert_all_finite(values, input_name="y")
    _check_kind(kind, numbers)
    if kind == "numeric" or (kind == "auto" and not are_classes(values)):
        return Column(name, "numeric", values.astype(np.float64))
    labels, codes = np.unique(values, return_inverse=True)
    words = tuple(f"{v:.15g}" if labels.dtype.kind == "f" else str(v) for v in labels)
    return Column(name, "boolean" if len(labels) == 2 else "categorical", codes.astype(np.int32), words)


def _check_kind(kind: TargetKind, is_number: bool) -> None:
    if kind == "numeric" and not is_number:
        raise ValueError("y holds words, which are not numbers; encode it, or use target_kind='categorical'")


def numeric_block(table: FeatureTable) -> Array:
    """Columns as numbers, shape (n_rows, n_columns): codes count as 0, 1, 2, ..., missing is NaN.

    Examples
    --------
    >>> numeric_block(read({"a": [1.5, 2.5, None], "b": [True, False, True]})).tolist()
    [[1.5, 1.0], [2.5, 0.0], [nan, 1.0]]
    """
    store = ColumnStore(table.columns())
    return np.column_stack([store.numbers(j) for j in range(len(store))])


def sub_association(association: AssociationMatrix, names: Sequence[str]) -> AssociationMatrix:
    """The square matrix of some of its columns.

    Raises
    ------
    ValueError
        If the matrix is not square or lacks a column.
    """
    if not association.is_square:
        raise ValueError("association must be the square matrix of the columns of X; make it with covey.associate(X)")
    unknown = [name for name in names if name not in association.rows]
    if unknown:
        raise ValueError(f"association lacks {_listed(unknown)}; make it of the columns of X")
    return association.select(names)


class RankingSelector(SelectorMixin, BaseEstimator):
    """Base of selectors that score every column, rank the columns and cut the ranking.

    A subclass has the parameters `k` and `threshold` and defines ``_score(table, target, association)``, which sees
    only columns that vary. Its class attributes say what its mathematics allows, and become scikit-learn's tags. One
    whose score is a sum over rows may also define ``_score_blocks(source, target, association)``, and can then be
    fitted from `covey.iter_blocks(...)` and Dask frames.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Higher is better; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns, columns without a score last.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When the columns of `X` have names.

    Examples
    --------
    >>> class VarianceSelector(RankingSelector):
    ...     _mixed, _missing, _supervised = False, False, False
    ...     def __init__(self, k="elbow", threshold=None):
    ...         self.k, self.threshold = k, threshold
    ...     def _score(self, table, target, association):
    ...         return numeric_block(table).var(axis=0)
    >>> VarianceSelector(k=1).fit([[1.0, 5.0], [2.0, 9.0], [3.0, 5.0]]).ranking_
    array([2, 1])
    """

    k: Cut
    threshold: float | None

    _mixed: ClassVar[bool] = True  # takes categories, not only numbers
    _missing: ClassVar[bool] = True  # takes missing values
    _supervised: ClassVar[bool] = True  # needs y
    _target_kinds: ClassVar[frozenset[str]] = frozenset({"numeric", "boolean", "categorical"})
    _cut_rules: ClassVar[tuple[str, ...]] = ("elbow", "all")

    @abstractmethod
    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        """Score the columns of a table of columns that vary."""

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        """Score all columns of `source` but the one called `target`, in their order; all of them vary."""
        raise ValueError(
            f"{type(self).__name__} needs all rows at once and cannot be fitted from blocks; read them (or a sample) "
            f"with covey.read, or use one of {', '.join(streaming_rankers())}"
        )

    @classmethod
    def streams(cls) -> bool:
        """Whether the selector can be fitted from blocks of rows."""
        return cls._score_blocks is not RankingSelector._score_blocks

    def fit(self, X: Any, y: Any = None, association: AssociationMatrix | None = None) -> Self:
        """Score and rank the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe, FeatureTable or BlockSource
            Of `covey.iter_blocks(...)` and Dask frames only some rankers can take the blocks one after another.
        y : array-like of shape (n_samples,), or str, optional
            The target, without missing values; the name of a column of `X` when that is read in blocks.
        association : AssociationMatrix, optional
            Of the columns of `X`, where it has been computed already.

        Raises
        ------
        ValueError
            If a column or `y` is not what the ranker can take, or `k` asks for more columns than have a score.
        """
        source = block_source(X, y)
        if source is not None:
            return self._fit_blocks(source, y, association)
        self._n_selected = self._cut(self._rank(X, y, association))
        return self

    def _rank(self, X: Any, y: Any, association: AssociationMatrix | None = None) -> tuple[str, ...]:
        """`fit` of what is in memory, all but the cut; the names of the columns."""
        checked = self._checked(X, reset=True)
        self._check_cut()
        table = self._table(checked)
        target = self._as_target(y, table.n_rows)
        reasons = [unusable(column) for column in table.columns()]
        self._check_columns(table.columns(), reasons)
        usable = [j for j, reason in enumerate(reasons) if not reason]
        found = Scores(np.empty(0))
        if usable:
            names = [table.names[j] for j in usable]
            part = None if association is None else sub_association(association, names)
            found = _as_scores(self._score(table.select(names), target, part), len(usable), type(self).__name__)
        self._keep(found, usable, reasons)
        return table.names

    def _fit_blocks(self, source: BlockSource, y: Any, association: AssociationMatrix | None) -> Self:
        """`fit` for rows that are read in blocks."""
        if not self.streams():
            self._score_blocks(source, None, None)  # says so
        if y is None and self._supervised:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        if y is not None and not isinstance(y, str):
            raise ValueError("X is read in blocks, so y must be the name of one of its columns")
        source = source.fix_categories()
        found = profile(source, y, resolve(getattr(self, "engine", None)))
        names = [column.name for column in found.columns]
        if found.n_rows < 2:
            raise ValueError(f"X has {found.n_rows} sample(s), but a minimum of 2 is required")
        self._check_names(pa.table({name: pa.nulls(0) for name in names}), reset=True)
        self._check_cut()
        if y is not None:
            source, kind = read_target(source, found, self._target_kind())
            self._check_target_kind(kind)
        reasons = [_unusable_in_blocks(column) for column in found.columns]
        self._check_columns(found.columns, reasons)
        usable = [j for j, reason in enumerate(reasons) if not reason]
        scores = Scores(np.empty(0))
        if usable:
            chosen = [names[j] for j in usable]
            part = None if association is None else sub_association(association, chosen)
            source = take_columns(source, [*chosen, *([] if y is None else [y])])
            scores = _as_scores(self._score_blocks(source, y, part), len(usable), type(self).__name__)
        self._keep(scores, usable, reasons)
        self._n_selected = self._cut(names)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit and return the selected columns of `X`."""
        return self.fit(X, y, **fit_params).transform(X)

    def transform(self, X: Any) -> Any:
        """The selected columns, as the same kind of table or array as `X`; blocks stay blocks and may hold the target.

        Raises
        ------
        ValueError
            If columns are missing, unknown or in another order than in fit.
        """
        check_is_fitted(self)
        if isinstance(X, BlockSource) or is_dask(X):
            return self._transform_blocks(X)
        X = self._checked(X, reset=False)
        chosen = self.get_support(indices=True)
        if not len(chosen):
            warnings.warn("no column was selected: the cut is too strict", UserWarning, stacklevel=2)
        return _take(X, chosen)

    def _transform_blocks(self, X: Any) -> Any:
        """The selected columns of a BlockSource or of a Dask frame, found by their names."""
        names = list(self.get_feature_names_out())
        lacking = [name for name in names if name not in X.columns]
        if lacking:
            raise ValueError(f"X lacks the columns {_listed(lacking)}, which were selected")
        return take_columns(X, names) if isinstance(X, BlockSource) else X[names]

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.ranking_ <= self._n_selected

    def _checked(self, X: Any, reset: bool) -> Any:
        """`X` with its shape and names checked; arrays as scikit-learn checks them."""
        if isinstance(X, FeatureTable) or _is_frame(X):
            named = pa.table({name: pa.nulls(0) for name in X.names}) if isinstance(X, FeatureTable) else X
            self._check_names(named, reset)
            if reset and len(X) < 2:
                raise ValueError(f"X has {len(X)} sample(s), but a minimum of 2 is required")
            return X
        X = X if issparse(X) or hasattr(X, "dtype") else np.asarray(X)
        if get_tags(self).input_tags.categorical and getattr(X, "ndim", 0) == 2 and _holds_words(X):
            validate_data(self, X, skip_check_array=True, reset=reset)
            return X
        finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
        return validate_data(
            self,
            X,
            dtype="numeric" if reset else None,
            ensure_all_finite=finite,
            ensure_min_samples=2 if reset else 1,
            reset=reset,
        )

    def _check_names(self, X: Any, reset: bool) -> None:
        repeated = [name for name, times in Counter(_names(X)).items() if times > 1]
        if repeated:
            raise ValueError(f"columns of X share the names {_listed(repeated)}; rename them")
        try:
            validate_data(self, X, skip_check_array=True, reset=reset)
        except ValueError as error:
            known = list(getattr(self, "feature_names_in_", ()))
            now = _names(X)
            if reset or now == known or set(now) != set(known) or len(now) != len(known):
                raise
            moved = [name for name, other in zip(known, now) if name != other]
            raise ValueError(f"{error}Moved: {_listed(moved)}. Select the columns in the order of fit.") from None

    def _table(self, X: Any) -> FeatureTable:
        table = read(X)
        if isinstance(X, np.ndarray) and X.dtype.kind in "iuf":  # counts without a name are no identifiers
            return read(table, kinds=dict.fromkeys(table.of_kind("id"), "numeric"))
        return table

    def _as_target(self, y: Any, n_rows: int) -> Column | None:
        if y is None:
            if self._supervised:
                raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
            return None
        target = target_column(y, self._target_kind())
        if len(target.values) != n_rows:
            raise ValueError(f"X has {n_rows} rows and y has {len(target.values)}; they must be the same rows")
        _check_classes(target)
        self._check_target_kind(target.kind)
        return target

    def _check_target_kind(self, kind: str) -> None:
        if kind not in self._target_kinds:
            wanted = " or ".join(sorted(self._target_kinds))
            raise ValueError(f"{type(self).__name__} needs a {wanted} y, but y is {kind}; encode it")

    def _target_kind(self) -> TargetKind:
        return getattr(self, "target_kind", "auto")

    def _check_columns(self, columns: Sequence[Column | ColumnProfile], reasons: Sequence[str]) -> None:
        tags, name = get_tags(self).input_tags, type(self).__name__
        usable = [column for column, reason in zip(columns, reasons) if not reason]
        words = [c.name for c in usable if c.kind == "categorical"]
        if words and not tags.categorical:
            raise ValueError(f"{name} needs numbers, but {_listed(words)} hold categories; encode or drop them")
        gaps = [c.name for c in columns if c.n_missing]
        if gaps and not tags.allow_nan:
            raise ValueError(
                f"{name} needs complete columns, but {_listed(gaps)} have missing or infinite values; impute them"
            )

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        """Set the fitted attributes from the scores of the usable columns."""
        self.scores_ = np.full(len(reasons), np.nan)
        self.scores_[usable] = found.values
        for j, reason in zip(usable, found.reasons):
            reasons[j] = reason
        self.reasons_ = tuple(reasons)
        if found.order is None:
            order = np.argsort(-self.scores_, kind="stable")  # NaN sorts last
        else:
            first = np.asarray(usable, dtype=np.intp)[list(found.order)]
            order = np.concatenate([first, np.setdiff1d(np.arange(len(reasons)), first)])
        self.ranking_ = np.empty(len(reasons), dtype=np.int64)
        self.ranking_[order] = np.arange(1, len(reasons) + 1)

    def _check_cut(self) -> None:
        k = self.k
        if isinstance(k, str):
            valid = k in self._cut_rules
        elif isinstance(k, float):
            valid = 0 < k <= 1
        else:
            valid = isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1
        if not valid:
            rules = " or ".join([", ".join(map(repr, self._cut_rules[:-1])), repr(self._cut_rules[-1])])
            raise ValueError(f"k must be a whole number from 1, a share in (0, 1], {rules}, not {k!r}")
        if not isinstance(k, str | float) and self.threshold is None and k > self.n_features_in_:
            raise ValueError(f"k={k} is larger than the number of columns, {self.n_features_in_}; lower k")
        if self.threshold is not None and np.isnan(self.threshold):
            raise ValueError("threshold must be a number, not NaN")

    def _cut(self, names: Sequence[str]) -> int:
        """How many columns to keep, from the best."""
        sorted_scores = self.scores_[np.argsort(self.ranking_)]
        falling = np.minimum.accumulate(sorted_scores[~np.isnan(sorted_scores)])
        if self.threshold is not None:
            return int(np.count_nonzero(falling >= self.threshold))
        if self.k == "all":
            return len(self.scores_)
        if self.k == "elbow":
            return elbow(falling)
        if isinstance(self.k, float):
            return max(1, int(self.k * len(falling) + 1e-9)) if len(falling) else 0  # 0.29 * 100 is a little below 29
        if self.k > len(falling):
            without = [f"{name!r} ({reason})" for name, reason in zip(names, self.reasons_) if reason]
            raise ValueError(
                f"k={self.k} needs {self.k} columns with a score, but only {len(falling)} have one; lower k, or "
                f"mend or drop {', '.join(without[:5])}" + (" and others" if len(without) > 5 else "")
            )
        return int(self.k)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical, tags.input_tags.allow_nan = self._mixed, self._missing
        tags.target_tags.required = self._supervised
        return tags


class FunctionSelector(RankingSelector):
    """Any function that scores columns, as a selector.

    Parameters
    ----------
    scorer : callable (X, y, association=None) -> ndarray of shape (n_features,) or Scores
        `X` is a FeatureTable of the columns that vary, `y` a Column; higher is better, NaN is undefined.
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.

    Examples
    --------
    >>> from sklearn.feature_selection import f_regression
    >>> def f(X, y, association=None):
    ...     return f_regression(numeric_block(X), y.values)[0]
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> FunctionSelector(f, k=1).fit(x, x[:, 2] + 0.1 * x[:, 0]).get_support(indices=True)
    array([2])
    """

    def __init__(
        self, scorer: Ranker, k: Cut = "elbow", threshold: float | None = None, target_kind: TargetKind = "auto"
    ) -> None:
        self.scorer = scorer
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        return self.scorer(table, target, association)


def _is_frame(X: Any) -> bool:
    import narwhals as nw

    return nw.dependencies.is_into_dataframe(X)


def _names(X: Any) -> list[Any]:
    return list(X.column_names if isinstance(X, pa.Table) else X.columns)


def _holds_words(X: Any) -> bool:
    """Whether an array holds text that is no number."""
    if issparse(X) or X.dtype.kind not in "OUS":
        return False
    try:
        np.asarray(X).astype(np.float64)
    except ValueError:
        return True
    return False


def unusable(column: Column) -> str:
    """Why no ranker can score a column, or ``""``."""
    present = column.values[~column.missing]
    if not len(present):
        return MISSING
    if column.kind == "constant" or bool((present == present[0]).all()):
        return CONSTANT
    return WORDS if column.kind in ("id", "text") else ""


def _unusable_in_blocks(column: ColumnProfile) -> str:
    """`unusable` of a column that a pass has seen; words in blocks share one code, so they seem constant."""
    if not column.n_present:
        return MISSING
    if column.kind in ("id", "text"):
        return WORDS
    return CONSTANT if column.lowest == column.highest else ""


def _check_classes(target: Column) -> None:
    if len(np.unique(target.values)) == 1:
        raise ValueError(f"y has a single {'class' if target.is_coded else 'value'}; there is nothing to relate to")
    if target.categories is None:
        return
    single = [target.categories[c] for c in np.flatnonzero(np.bincount(target.values) == 1)]
    if single:
        warnings.warn(f"classes of one row in y: {_listed(single)}", UserWarning, stacklevel=5)


def _as_scores(found: Array | Scores, n_columns: int, name: str) -> Scores:
    """Scores of the right shape, with a reason for each that is undefined."""
    found = found if isinstance(found, Scores) else Scores(np.asarray(found, dtype=np.float64))
    if found.values.shape != (n_columns,):
        raise ValueError(f"{name}: scores have shape {found.values.shape}, not ({n_columns},), one a column")
    given = found.reasons or ("",) * n_columns
    reasons = tuple((why or NO_SCORE) if np.isnan(v) else "" for v, why in zip(found.values, given))
    return replace(found, reasons=reasons)


def _take(X: Any, chosen: NDArray[np.intp]) -> Any:
    """Some columns of an array or a table of any kind."""
    if isinstance(X, FeatureTable):
        return X.select([X.names[j] for j in chosen]) if len(chosen) else np.empty((len(X), 0))
    if hasattr(X, "iloc"):
        return X.iloc[:, chosen]
    if isinstance(X, np.ndarray):
        return X[:, chosen]
    if isinstance(X, pa.Table):
        return X.select(chosen.tolist())
    import narwhals as nw

    return nw.from_native(X)[:, chosen.tolist()].to_native()


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(repr(n) for n in names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
