"""Which feature should be asked next, row by row: the policy of conditional mutual information, and counts for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from covey.measure._coding import Levels, code_column
from covey.measure._store import ColumnStore
from covey.select._base import Array, RankingSelector, unusable
from covey.table import FeatureTable, is_absent, read, target_values

Mask = NDArray[np.bool_]
Query = Callable[[int, int], Any]


class ConditionalInformation(Protocol):
    """What a policy asks of a model: how much each feature would tell about the class, given what is known."""

    def __call__(self, values: Array, known: Mask, /) -> tuple[Array, Array]:
        """Conditional mutual information and class probabilities.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_features)
            NaN where not known.
        known : ndarray of bool of shape (n_samples, n_features)

        Returns
        -------
        information : ndarray of shape (n_samples, n_groups)
            In nats; NaN for what cannot be asked.
        proba : ndarray of shape (n_samples, n_classes)
        """


@dataclass(frozen=True, eq=False)
class Acquisition:
    """What was asked of each row, and what is known of its class then.

    Parameters
    ----------
    mask : ndarray of bool of shape (n_samples, n_features)
        Features known at the end, those known before included.
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes at the end.
    order : ndarray of shape (n_samples, n_steps), int64
        Features (or groups, where there are some) in the order in which they were asked; -1 after the last.
    cost : ndarray of shape (n_samples,)
        Sum of the costs of what was asked.
    information : ndarray of shape (n_samples, n_steps)
        Conditional mutual information, in nats, that was expected of each when it was asked; NaN after the last.
    """

    mask: Mask
    proba: Array
    order: NDArray[np.int64]
    cost: Array
    information: Array


def acquire(
    estimate: ConditionalInformation,
    X: ArrayLike,
    *,
    query: Query | None = None,
    known: ArrayLike | None = None,
    feature_costs: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    budget: float | None = None,
    min_cmi: float | None = None,
    confidence: float | None = None,
) -> Acquisition:
    """Ask features one at a time, for each row the one with the most conditional mutual information per cost.

    A row is done when nothing is left that can be asked within its budget, or one of the other stops says so.

    Parameters
    ----------
    estimate : ConditionalInformation
        ``(values, known) -> (information, probabilities)``.
    X : array-like of shape (n_samples, n_features)
        NaN where a value is missing. Without `query` it holds what asking would reveal, and missing values cannot be
        asked; with `query` it holds what is known from the start, all NaN if nothing is.
    query : callable (i, j) -> float, optional
        Reveals feature `j` of row `i`; NaN says that it cannot be had, though its cost is paid.
    known : array-like of bool of shape (n_samples, n_features), optional
        Features known from the start, at no cost; by default none, with `query` all that `X` holds.
    feature_costs : array-like of shape (n_features,) or (n_groups,), optional
        Positive; 1 by default.
    groups : array-like of shape (n_features,), optional
        Columns with the same label are asked together; groups are numbered in the order of their sorted labels.
    budget : float, optional
        Most that may be spent on a row.
    min_cmi : float, optional
        A row is done when no feature promises as many nats per cost.
    confidence : float, optional
        A row is done when a class has this probability, 0..1.

    Returns
    -------
    Acquisition
        Ties go to the first feature.

    Raises
    ------
    ValueError
        If shapes do not match or a parameter is out of range.

    References
    ----------
    Gadgil, Covert and Lee (2024), Estimating Conditional Mutual Information for Dynamic Feature Selection. ICLR.
    arXiv:2306.03301.

    Examples
    --------
    The class is the first column where the second is 0, and the third where it is 1:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(2, size=(400, 4)).astype(float)
    >>> y = np.where(x[:, 1] == 0, x[:, 0], x[:, 2])
    >>> model = TabularCMI().fit(x, y)
    >>> found = acquire(model.estimate, x[:3], confidence=0.9)
    >>> found.mask.sum(axis=1).max() < 4, (found.proba.argmax(axis=1) == y[:3]).all()
    (np.True_, np.True_)
    """
    values = np.array(X, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"X must have two dimensions, got shape {values.shape}")
    member = group_members(groups, values.shape[1])
    costs = checked_costs(feature_costs, member.shape[1])
    _check_stops(budget, min_cmi, confidence)
    given = ~np.isnan(values)
    revealed = _known(known, given, query is not None)
    left = np.full(len(values), np.inf if budget is None else float(budget))
    available = np.ones_like(given) if query is not None else given
    source = query or (lambda i, j: values[i, j])
    running, spent = np.arange(len(values)), np.zeros(len(values))
    orders, gains = [], []
    proba: Array | None = None
    while len(running):
        told, now = estimate(np.where(revealed[running], values[running], np.nan), revealed[running])
        proba = np.full((len(values), now.shape[1]), np.nan) if proba is None else proba
        proba[running] = now
        is_open = (available & ~revealed)[running].astype(np.float64) @ member > 0
        is_open &= costs <= (left[running] * (1 + 1e-12))[:, None]
        rate = np.where(is_open & ~np.isnan(told), told / costs, -np.inf)
        best = rate.argmax(axis=1)
        merit = rate[np.arange(len(running)), best]
        goes_on = merit > -np.inf
        if min_cmi is not None:
            goes_on &= merit >= min_cmi
        if confidence is not None:
            goes_on &= now.max(axis=1) < confidence
        gain = told[np.arange(len(running)), best][goes_on]
        running, best = running[goes_on], best[goes_on]
        if not len(running):
            break
        for i, g in zip(running.tolist(), best.tolist()):
            columns = _columns_of(member, g)
            for j in columns[available[i, columns] & ~revealed[i, columns]].tolist():
                values[i, j] = source(i, j)
                revealed[i, j] = available[i, j] = not np.isnan(values[i, j])
        left[running] -= costs[best]
        spent[running] += costs[best]
        orders.append(_column(len(values), running, best, -1))
        gains.append(_column(len(values), running, gain, np.nan))
    steps = (len(values), len(orders))
    return Acquisition(
        revealed,
        np.empty((0, 0)) if proba is None else proba,
        np.column_stack(orders).astype(np.int64) if orders else np.empty(steps, dtype=np.int64),
        spent,
        np.column_stack(gains) if gains else np.empty(steps),
    )


def group_members(groups: ArrayLike | None, n_features: int) -> csc_array:
    """Which columns are asked together, shape (n_features, n_groups), 0 or 1.

    Raises
    ------
    ValueError
        If there is not one label for each column.

    Examples
    --------
    >>> group_members(["blood", "age", "blood"], 3).toarray().tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    codes, n_groups = np.arange(n_features), n_features
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != (n_features,):
            raise ValueError(f"groups must have one label for each of the {n_features} columns, got {labels.shape}")
        if any(map(is_absent, labels)):
            raise ValueError("groups has missing labels; give each column one, also those that are asked alone")
        names, codes = np.unique(labels, return_inverse=True)
        n_groups = len(names)
    return csc_array((np.ones(n_features), (np.arange(n_features), codes)), shape=(n_features, n_groups))


def _columns_of(member: csc_array, group: int) -> NDArray[np.intp]:
    """Columns of one group, ascending."""
    return member.indices[member.indptr[group] : member.indptr[group + 1]]


def checked_costs(feature_costs: ArrayLike | None, n_groups: int) -> Array:
    """Costs of what can be asked, shape (n_groups,).

    Raises
    ------
    ValueError
        If they are not positive, or not one for each.
    """
    if feature_costs is None:
        return np.ones(n_groups)
    costs = np.asarray(feature_costs, dtype=np.float64)
    if costs.shape != (n_groups,):
        raise ValueError(f"feature_costs must have one cost for each of {n_groups} features, got shape {costs.shape}")
    if not (np.isfinite(costs) & (costs > 0)).all():
        raise ValueError("feature_costs must be positive and finite")
    return costs


def _check_stops(budget: float | None, min_cmi: float | None, confidence: float | None) -> None:
    if budget is not None and not budget >= 0:
        raise ValueError(f"budget must not be negative, got {budget}")
    if min_cmi is not None and not min_cmi >= 0:
        raise ValueError(f"min_cmi must not be negative, got {min_cmi}")
    if confidence is not None and not 0 < confidence <= 1:
        raise ValueError(f"confidence must lie in 0..1, above 0; got {confidence}")


def _known(known: ArrayLike | None, given: Mask, is_asked: bool) -> Mask:
    """Features known from the start; a missing value is not known."""
    if known is None:
        return given.copy() if is_asked else np.zeros_like(given)
    mask = np.asarray(known, dtype=bool)
    if mask.shape != given.shape:
        raise ValueError(f"known must have the shape of X, {given.shape}, got {mask.shape}")
    return mask & given


def _column(n_rows: int, rows: NDArray[np.intp], values: NDArray, fill: float) -> NDArray:
    out = np.full(n_rows, fill, dtype=np.float64)
    out[rows] = values
    return out


@dataclass(frozen=True, eq=False)
class ColumnReader:
    """Tables of the same columns as one matrix: numbers as they are, categories as codes, missing as NaN.

    Parameters
    ----------
    names, kinds : tuple of str
    categories : tuple of dict of str to int, or None
        Code of each label; a label that is not there gets the code after the last.
    usable : tuple of bool
        Columns that vary and are no free text; the others are missing everywhere.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    categories: tuple[dict[str, int] | None, ...]
    usable: tuple[bool, ...]

    @classmethod
    def fit(cls, table: FeatureTable) -> Self:
        """Learn the columns of a table."""
        columns = table.columns()
        kinds = tuple("categorical" if kind == "boolean" else kind for kind in table.kinds)  # later rows may hold more
        codes = [None if c.categories is None else {label: k for k, label in enumerate(c.categories)} for c in columns]
        return cls(table.names, kinds, tuple(codes), tuple(not unusable(c) for c in columns))

    def __call__(self, source: Any) -> Array:
        """Matrix of shape (n_rows, n_features) of anything that `covey.table.read` takes."""
        known = {n: kind for n, kind, usable in zip(self.names, self.kinds, self.usable) if usable}
        table = read(source, kinds=known)
        return np.column_stack([self._numbers(table, j) for j in range(len(self.names))])

    def one(self, j: int, value: Any) -> float:
        """Column `j` of a row whose value there is `value`."""
        if not self.usable[j]:
            return float("nan")
        table = read({self.names[j]: [value]}, kinds={self.names[j]: self.kinds[j]})
        return float(self._numbers(table, j)[0])

    def _numbers(self, table: FeatureTable, j: int) -> Array:
        column, codes = table[self.names[j]], self.categories[j]
        if not self.usable[j]:
            return np.full(len(column.values), np.nan)
        if codes is None:
            return column.values
        lookup = np.array([*(codes.get(label, len(codes)) for label in column.categories or ()), np.nan])
        return lookup[column.values]


def _digits_as_numbers(table: FeatureTable) -> FeatureTable:
    """Columns of zeros and ones as numbers, for later rows may hold others."""
    binary = [c.name for c in table.columns() if c.kind == "boolean" and c.categories == ("0", "1")]
    return read(table, kinds=dict.fromkeys(binary, "numeric")) if binary else table


class DynamicClassifier(ClassifierMixin, BaseEstimator):
    """Base of classifiers that ask the features of each row one at a time.

    A subclass has the parameters of `acquire`, `feature_costs` to `confidence`, and defines ``_learn(values, labels)``
    and ``_estimate(values, known)``.
    """

    feature_costs: ArrayLike | None
    groups: ArrayLike | None
    budget: float | None
    min_cmi: float | None
    confidence: float | None

    _checked = RankingSelector._checked
    _check_names = RankingSelector._check_names
    _table = RankingSelector._table

    @abstractmethod
    def _learn(self, table: FeatureTable, values: Array, labels: NDArray[np.int64]) -> None:
        """Fit on a matrix of what is known and the codes of the classes."""

    @abstractmethod
    def _estimate(self, values: Array, known: Mask) -> tuple[Array, Array]:
        """Information and probabilities; what cannot be asked is left to the caller."""

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn from complete or incomplete rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
            Numbers and categories; missing values are never revealed.
        y : array-like of shape (n_samples,)
            Classes.

        Raises
        ------
        ValueError
            If `y` holds fewer than two classes or missing values, or a parameter is out of range.
        """
        checked = self._checked(X, reset=True)
        table = _digits_as_numbers(self._table(checked))
        labels = self._classes(y, table.n_rows)
        _check_stops(self.budget, self.min_cmi, self.confidence)
        self._member = group_members(self.groups, table.n_columns)
        self._costs = checked_costs(self.feature_costs, self._member.shape[1])
        self._reader = ColumnReader.fit(table)
        if not any(self._reader.usable):
            raise ValueError("no column of X varies; there is nothing to ask")
        self._learn(table, self._reader(table), labels)
        return self

    def _classes(self, y: ArrayLike, n_rows: int) -> NDArray[np.int64]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        target, _ = target_values(y)
        if target.dtype.kind in "fiu":
            assert_all_finite(target, input_name="y")
        check_classification_targets(target)
        if len(target) != n_rows:
            raise ValueError(f"X has {n_rows} rows and y has {len(target)}; they must be the same rows")
        self.classes_, labels = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y has a single class; there is nothing to find out")
        return labels.astype(np.int64)

    def estimate(self, values: Array, known: Mask) -> tuple[Array, Array]:
        """Conditional mutual information and class probabilities, as `covey.select.dynamic.ConditionalInformation`.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_features)
            Numbers as they are, categories as codes, NaN where not known.
        known : ndarray of bool of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        usable = np.array(self._reader.usable, dtype=np.float64)
        information, proba = self._estimate(values, known & ~np.isnan(values))
        return np.where((usable * ~known) @ self._member > 0, information, np.nan), proba

    def acquire(
        self,
        X: Any = None,
        *,
        query: Query | None = None,
        known: ArrayLike | None = None,
        budget: float | None = None,
        min_cmi: float | None = None,
        confidence: float | None = None,
    ) -> Acquisition:
        """Ask features one at a time; see `covey.select.dynamic.acquire`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable, optional
            What asking would reveal, or with `query` what is known from the start; None is one row of which nothing is.
        query : callable (i, j) -> value, optional
            Reveals column `j` of row `i` as the training rows had it, a label where they had labels; None and NaN say
            that it cannot be had.
        known : array-like of bool of shape (n_samples, n_features), optional
        budget, min_cmi, confidence : float, optional
            Those of the constructor where None.

        Raises
        ------
        ValueError
            If `X` lacks columns or a parameter is out of range, or there is neither `X` nor `query`.
        """
        check_is_fitted(self)
        if X is None:
            if query is None:
                raise ValueError("acquire needs rows X to reveal, or a callable query that is asked for values")
            values = np.full((1, len(self._reader.names)), np.nan)
        else:
            values = self._reader(self._checked(X, reset=False))
        reveal = None if query is None else (lambda i, j: self._reader.one(j, query(i, j)))
        if known is None:
            known = self._known_from_start(values, reveal)
        return acquire(
            self.estimate,
            values,
            query=reveal,
            known=known,
            feature_costs=self._costs,
            groups=self.groups,
            budget=self.budget if budget is None else budget,
            min_cmi=self.min_cmi if min_cmi is None else min_cmi,
            confidence=self.confidence if confidence is None else confidence,
        )

    def _known_from_start(self, values: Array, reveal: Callable[[int, int], float] | None) -> Mask | None:
        """What costs nothing; None is the default of `acquire`. With `reveal` it is written into `values`."""
        return None

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes after asking, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        self._checked(X, reset=False)
        return self.acquire(X).proba

    def predict(self, X: Any) -> NDArray:
        """The most probable class of each row after asking, shape (n_samples,)."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.allow_nan = True
        return tags


class TabularCMI(DynamicClassifier):
    """Ask features one at a time by counts: exact for few discrete features and many rows, and without training.

    The training rows that agree with what is known of a row vote: their classes give its probabilities, and a table of
    levels by classes for each other feature gives ``I(y; x_j | what is known)``. Rows with a gap in a known column do
    not agree. Both tables start from `smoothing` rows of independence with the overall shares, so few rows say little.

    Parameters
    ----------
    max_bins : int
        Numbers of more distinct values are cut into this many bins of about equal count.
    smoothing : float
        Weight of the overall shares, in rows; positive.
    feature_costs, groups, budget, min_cmi, confidence
        As for `covey.select.dynamic.acquire`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When the columns of `X` have names.

    Raises
    ------
    ValueError
        If `y` holds fewer than two classes or missing values, or a parameter is out of range.

    References
    ----------
    Gadgil, Covert and Lee (2024), Estimating Conditional Mutual Information for Dynamic Feature Selection. ICLR.
    arXiv:2306.03301. Geman and Jedynak (1996), An active testing model for tracking roads in satellite images. IEEE
    Trans. Pattern Anal. Mach. Intell. 18.

    Examples
    --------
    A row is asked through a callback until one class is 95 in 100:

    >>> rng = np.random.default_rng(0)
    >>> season, x = rng.choice(["wet", "dry"], 1000), rng.integers(2, size=(1000, 4))
    >>> y = np.where(season == "wet", 2 + x[:, 0], x[:, 1])
    >>> table = {"season": season, **{f"x{j}": x[:, j] for j in range(4)}}
    >>> model = TabularCMI().fit(read(table), y)
    >>> patient = ["dry", 0, 1, 0, 0]
    >>> found = model.acquire(query=lambda i, j: patient[j], confidence=0.95)
    >>> found.order.tolist(), int(model.classes_[found.proba[0].argmax()])
    ([[0, 2]], 1)
    """

    def __init__(
        self,
        max_bins: int = 8,
        smoothing: float = 1.0,
        feature_costs: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        budget: float | None = None,
        min_cmi: float | None = None,
        confidence: float | None = None,
    ) -> None:
        self.max_bins = max_bins
        self.smoothing = smoothing
        self.feature_costs = feature_costs
        self.groups = groups
        self.budget = budget
        self.min_cmi = min_cmi
        self.confidence = confidence

    def _learn(self, table: FeatureTable, values: Array, labels: NDArray[np.int64]) -> None:
        if self.max_bins < 2:
            raise ValueError(f"max_bins must be at least 2, got {self.max_bins}")
        if not self.smoothing > 0:
            raise ValueError(f"smoothing must be positive, got {self.smoothing}")
        store = ColumnStore(table.columns())
        self._levels: list[Levels | None] = [
            None if coded is not None or not usable else code_column(store, j, self.max_bins, "rank").levels
            for j, (coded, usable) in enumerate(zip(self._reader.categories, self._reader.usable))
        ]
        self._codes = self._encoded(values)
        self._labels = labels.astype(np.int32)
        self._class_shares = np.bincount(labels) / len(labels)
        self._asked, self._level_starts, self._level_shares = _joint_codes(self._codes, self._member)

    def _encoded(self, values: Array) -> NDArray[np.int32]:
        """Codes of shape (n_features, n_rows); -1 where not known, or a label that no training row has."""
        out = np.full(values.shape[::-1], -1, dtype=np.int32)
        for j, (levels, coded) in enumerate(zip(self._levels, self._reader.categories)):
            column = values[:, j]
            if levels is not None:
                out[j] = levels.encode(column) - 1
            elif coded is not None:
                there = column < len(coded)
                out[j, there] = column[there]
        return out

    def _estimate(self, values: Array, known: Mask) -> tuple[Array, Array]:
        from covey.select._state_kernels import state_information

        states, place = np.unique(self._encoded(np.where(known, values, np.nan)).T, axis=0, return_inverse=True)
        shape = (len(states), self._member.shape[1])
        information, proba = np.empty(shape), np.empty((len(states), len(self.classes_)))
        state_information(
            self._codes,
            self._labels,
            self._asked,
            self._level_starts,
            self._level_shares,
            self._class_shares,
            np.ascontiguousarray(states),
            (states < 0).astype(np.float64) @ self._member == 0,
            float(self.smoothing),
            information,
            proba,
        )
        place = place.ravel()
        return information[place], proba[place]


def _joint_codes(codes: NDArray[np.int32], member: csc_array) -> tuple[NDArray[np.int32], NDArray[np.int64], Array]:
    """Codes of the columns of each group together, where the levels of each group start, and the levels' shares."""
    joint = np.full((member.shape[1], codes.shape[1]), -1, dtype=np.int32)
    seen: Mask = np.any(codes >= 0, axis=1)
    sizes: list[int] = []
    shares: list[Array] = []
    for g in range(len(joint)):
        columns = _columns_of(member, g)
        part = codes[columns[seen[columns]]]
        there = (part >= 0).all(axis=0)
        _, joint[g, there], counts = np.unique(part[:, there], axis=1, return_inverse=True, return_counts=True)
        sizes.append(len(counts))
        shares.append(counts / max(counts.sum(), 1))
    return joint, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), np.concatenate(shares)
