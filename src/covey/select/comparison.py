"""Selectors side by side: how well a learner does with the columns that each selects, by nested cross-validation."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from covey.engine import Engine, LocalEngine, resolve
from covey.select._base import Array, RankingSelector, TargetKind, target_column, unusable
from covey.select._encode import Encoding
from covey.select.encoded import EncodedSelector, takes
from covey.select.stability import selection_stability
from covey.table import Column, FeatureTable, plain, read

Rows = NDArray[np.intp]
Progress = Callable[[int, int], None]

SIZES = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 100)
LEARNERS = ("forest", "linear", "boosting", "neighbours")
STEADY = 0.6  # Nogueira et al. call stability above 0.75 excellent and below 0.4 poor
ALL = "all columns"


class FoldError(ValueError):
    """Folds on which a learner cannot be fitted or scored.

    Examples
    --------
    >>> issubclass(FoldError, ValueError)
    True
    """


@dataclass(frozen=True)
class Recommendation:
    """The smallest steady subset whose score is within one standard error of the best.

    That standard error is the median of those of all columns and of every subset (`SelectorComparison.standard_error`):
    the few folds of one mean tell its own badly.

    Parameters
    ----------
    selector : str
        ``"all columns"`` when no smaller subset comes that close.
    size : int
    columns : tuple of str
        Selected from all rows, best first.
    frequencies : tuple of float
        Share of the folds in which each of them is selected too.
    score, error : float
        Mean over the folds of the score with subsets of this selector and size, and its standard error.
    all_score, all_error : float
        The same with all columns.
    stability : float
        Of the folds' subsets; 1 is always the same, 0 what chance gives.
    is_steady : bool
        Whether the stability is as large as was asked for; if not, no subset that scores as well is.
    nested_score, nested_error : float
        Score on rows that took part neither in selection nor in the choice of selector and size; NaN if not computed.
    """

    selector: str
    size: int
    columns: tuple[str, ...]
    frequencies: tuple[float, ...]
    score: float
    error: float
    all_score: float
    all_error: float
    stability: float
    is_steady: bool
    nested_score: float
    nested_error: float


@dataclass(frozen=True, eq=False)
class SelectorComparison:
    """What `compare_selectors` measured.

    Parameters
    ----------
    names : tuple of str
        Of the selectors.
    sizes : tuple of int
        Numbers of columns.
    features : tuple of str
        Columns of `X` that vary and are no identifiers or free text.
    scoring, learner : str
    scores : ndarray of shape (n_selectors, n_sizes, n_folds)
        Score on the fold's test rows of a learner that saw the training rows of the columns selected from these rows;
        NaN where a selector gives more columns than the size and no order among them.
    all_scores : ndarray of shape (n_folds,)
        With all columns.
    nested_scores : ndarray of shape (n_selectors, n_folds)
        With the size chosen within the training rows; NaN if not computed.
    stability : ndarray of shape (n_selectors, n_sizes)
        Of the folds' subsets (`selection_stability`); NaN where there is no score.
    agreement : ndarray of shape (n_selectors, n_selectors)
        Mean over the folds of the `selection_stability` of two selectors' subsets of the recommended size.
    seconds : ndarray of shape (n_selectors,)
        Mean time of one selection.
    failures : mapping of str to str
        Selectors that could not be used, and why.
    recommended : Recommendation
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    features: tuple[str, ...]
    scoring: str
    learner: str
    scores: Array
    all_scores: Array
    nested_scores: Array
    stability: Array
    agreement: Array
    seconds: Array
    failures: Mapping[str, str]
    recommended: Recommendation

    @property
    def mean_scores(self) -> Array:
        """Mean over the folds, shape (n_selectors, n_sizes)."""
        return _mean(self.scores)

    @property
    def errors(self) -> Array:
        """Standard errors of `mean_scores`, shape (n_selectors, n_sizes)."""
        return _error(self.scores)

    @property
    def standard_error(self) -> float:
        """Of a mean score: the median of `errors` and that of `all_scores`, by which near the best is judged."""
        return _typical_error(self.scores, self.all_scores)

    def table(self) -> dict[str, list[Any]]:
        """One row for each selector and size, as columns: what pandas and Polars make a frame of."""
        means, errors = self.mean_scores, self.errors
        rows = [
            (name, size, means[s, k], errors[s, k], self.stability[s, k], self.seconds[s])
            for s, name in enumerate(self.names)
            for k, size in enumerate(self.sizes)
        ]
        heads = ("selector", "size", "score", "error", "stability", "seconds")
        return {head: plain([row[i] for row in rows]) for i, head in enumerate(heads)}

    def summary(self) -> dict[str, list[Any]]:
        """One row for each selector, best first: its smallest size within one standard error of its best score.

        The standard error is the comparison's, `standard_error`; in the table are the subsets' own.
        """
        means, errors = self.mean_scores, self.errors
        rows = []
        for s, name in enumerate(self.names):
            k = _smallest_near(means[s], self.standard_error)
            nested = (_mean(self.nested_scores)[s], _error(self.nested_scores)[s])
            rows.append(
                (name, self.sizes[k], means[s, k], errors[s, k], *nested, self.stability[s, k], self.seconds[s])
            )
        rows.sort(key=lambda row: -row[2])
        heads = ("selector", "size", "score", "error", "nested_score", "nested_error", "stability", "seconds")
        return {head: plain([row[i] for row in rows]) for i, head in enumerate(heads)}

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; NaN is None."""
        return plain(
            {
                "scoring": self.scoring,
                "learner": self.learner,
                "features": self.features,
                "selectors": self.names,
                "sizes": self.sizes,
                "scores": self.scores,
                "all_scores": self.all_scores,
                "standard_error": self.standard_error,
                "nested_scores": self.nested_scores,
                "stability": self.stability,
                "agreement": self.agreement,
                "seconds": self.seconds,
                "failures": dict(self.failures),
                "recommended": self.recommended,
            }
        )


def compare_selectors(
    X: Any,
    y: Any,
    selectors: Mapping[str, Any] | Sequence[Any],
    sizes: Sequence[int] | None = None,
    learner: str | Any = "forest",
    scoring: str | None = None,
    cv: int = 5,
    inner_cv: int = 3,
    groups: Any = None,
    min_stability: float = STEADY,
    target_kind: TargetKind = "auto",
    random_state: int = 0,
    engine: Engine | str | None = None,
    progress: Progress | None = None,
) -> SelectorComparison:
    """Compare selectors by the score of a learner against the number of selected columns.

    In each fold, columns are selected from the training rows and scored on the test rows, so that no row takes part in
    both. Within the training rows the same is done again to choose a size (and for the recommendation, a selector):
    the score of that choice on the test rows is the nested score, which the choice has not made too good.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
    y : array-like of shape (n_samples,)
    selectors : mapping of str to selector, or sequence of selectors
        Selectors of covey or scikit-learn. Those with a ranking (``ranking_``, ``scores_``, or a fitted estimator with
        importances or coefficients) are cut at every size; one that gives fewer columns counts with those at larger
        sizes, and has no score at smaller ones if it does not say which are the best. One that needs complete numbers
        sees encoded columns (`EncodedSelector`).
    sizes : sequence of int, optional
        Numbers of columns; by default 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 100 as far as there are columns.
    learner : {"forest", "linear", "boosting", "neighbours"} or estimator
        Categories are encoded as indicators, numbers are standardised and their gaps filled and marked, all within
        the training rows.
    scoring : str, optional
        A name that scikit-learn knows, higher is better; by default ``"accuracy"`` for classes, ``"r2"`` for numbers.
        Of two classes the second in sorted order is the positive one.
    cv, inner_cv : int
        Folds, and folds within the training rows; ``inner_cv=0`` leaves the nested scores out, for a quarter of the
        time.
    groups : array-like of shape (n_samples,), optional
        Rows of a group are never spread over training and test.
    min_stability : float
        Smallest stability of a recommended subset.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int
        Of the folds, and of every selector and learner in place of its own; in a fold all get the same.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where selections run; the result does not depend on it, but for the seconds.
    progress : callable (done, total), optional
        Told of each selection that is done.

    Returns
    -------
    SelectorComparison

    Raises
    ------
    ValueError
        If an argument is out of its range, classes or groups are too few for the folds, the score is undefined on a
        fold's test rows, or no selector can be used.

    References
    ----------
    Ambroise and McLachlan (2002), Selection bias in gene extraction on the basis of microarray gene-expression data.
    PNAS 99. Breiman, Friedman, Olshen and Stone (1984), Classification and Regression Trees (one standard error).

    Examples
    --------
    >>> from covey.select import AssociationRanker
    >>> x = np.random.default_rng(0).normal(size=(120, 6))
    >>> y = x[:, 1] - x[:, 4]
    >>> found = compare_selectors(x, y, {"pearson": AssociationRanker("pearson")}, learner="linear", cv=3, inner_cv=2)
    >>> found.recommended.columns, round(found.recommended.nested_score, 2)
    (('x4', 'x1'), 1.0)
    """
    table, target = table_and_target(X, y, target_kind)
    named = _named(selectors)
    columns = [column.name for column in table.columns() if not unusable(column)]
    if not columns:
        raise ValueError("no column of X varies; there is nothing to select")
    usable = table.select(columns)
    counts = _checked_sizes(sizes, len(columns))
    score = scoring or ("accuracy" if target.is_coded else "r2")
    task = _Task(usable, target, counts, learner_for(learner, target), score)
    _check_folds(cv, inner_cv, min_stability, target)
    group = None if groups is None else _group_codes(groups, table.n_rows, cv)
    plan = _plan(task, named, cv, inner_cv, group, random_state)
    runs = _run(plan, resolve(engine), progress)
    label = learner if isinstance(learner, str) else type(learner).__name__
    return _collected(task, named, runs, cv, inner_cv, min_stability, label)


@dataclass(frozen=True, eq=False)
class _Task:
    table: FeatureTable
    target: Column
    sizes: tuple[int, ...]
    learner: Any
    scoring: str

    @property
    def y(self) -> NDArray[Any]:
        return self.target.values


@dataclass(frozen=True, eq=False)
class _Run:
    """One selection: the selector (None: all columns), the fold, the inner fold (-1: none), and the rows."""

    task: _Task
    name: str
    selector: Any
    fold: int
    inner: int
    train: Rows
    test: Rows
    seed: int


@dataclass(frozen=True, eq=False)
class _Found:
    """What one selection gave: columns best first (the first few without an order), scores by size, seconds."""

    order: NDArray[np.intp]
    scores: Array
    seconds: float
    failure: str = ""
    n_unordered: int = 0


def table_and_target(X: Any, y: Any, target_kind: TargetKind = "auto") -> tuple[FeatureTable, Column]:
    """Columns and a target that varies, of the same rows; counts in an array are no identifiers."""
    table = read(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "iuf":
        table = read(table, kinds=dict.fromkeys(table.of_kind("id"), "numeric"))
    target = target_column(y, target_kind)
    if len(target.values) != table.n_rows:
        raise ValueError(f"X has {table.n_rows} rows and y has {len(target.values)}; they must be the same rows")
    if len(np.unique(target.values)) == 1:
        raise ValueError(f"y has a single {'class' if target.is_coded else 'value'}; there is nothing to predict")
    return table, target


def _named(selectors: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    if not isinstance(selectors, Mapping):
        names = [type(selector).__name__ for selector in selectors]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"several selectors are {', '.join(sorted(repeated))}; name them in a mapping")
        selectors = dict(zip(names, selectors))
    if not selectors:
        raise ValueError("no selector to compare")
    for name, selector in selectors.items():
        if inspect.isclass(selector) or not hasattr(selector, "fit"):
            raise TypeError(f"selector {name!r} must be an object with a fit method, not {selector!r}")
    if ALL in selectors:
        raise ValueError(f"{ALL!r} is the name of the baseline; name the selector otherwise")
    return dict(selectors)


def _checked_sizes(sizes: Sequence[int] | None, n_columns: int) -> tuple[int, ...]:
    if sizes is None:
        return tuple(k for k in SIZES if k <= n_columns)
    given = np.atleast_1d(np.asarray(sizes))
    if not len(given) or given.dtype.kind not in "iu" or given.min() < 1:
        raise ValueError(f"sizes must be whole numbers from 1, got {sizes}")
    counts = tuple(np.unique(given).tolist())
    if counts[-1] > n_columns:
        raise ValueError(f"sizes go up to {counts[-1]}, but only {n_columns} columns vary; lower them")
    return counts


def learner_for(learner: str | Any, target: Column) -> Any:
    """An estimator by its name, for a target of classes or of numbers."""
    if not isinstance(learner, str):
        return learner
    if learner not in LEARNERS:
        raise ValueError(f"learner must be one of {', '.join(LEARNERS)}, or an estimator, not {learner!r}")
    is_class = target.is_coded
    if learner == "forest":
        from covey.select._forest import TreeAverageClassifier, TreeAverageRegressor

        return (TreeAverageClassifier if is_class else TreeAverageRegressor)()
    if learner == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        return (HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor)()
    if learner == "neighbours":
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        return (KNeighborsClassifier if is_class else KNeighborsRegressor)()
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if is_class else Ridge()


def _check_folds(cv: int, inner_cv: int, min_stability: float, target: Column) -> None:
    if not all(isinstance(n, int | np.integer) for n in (cv, inner_cv)) or cv < 2 or inner_cv < 0 or inner_cv == 1:
        raise ValueError(f"cv must be at least 2 folds, and inner_cv 0 or at least 2; got {cv} and {inner_cv}")
    if np.isnan(min_stability):
        raise ValueError("min_stability must be a number, not NaN")
    if target.is_coded:
        counts = np.bincount(target.values)
        few = [f"{_label(target, int(c))} ({counts[c]})" for c in np.flatnonzero((counts < cv) & (counts > 0))]
        if few:
            raise ValueError(f"classes with fewer rows than cv={cv}: {', '.join(few[:5])}; lower cv or drop them")
    if len(target.values) < 2 * cv:
        raise ValueError(f"{len(target.values)} rows are too few for cv={cv}")


def _label(target: Column, code: int) -> str:
    return repr((target.categories or ())[code])


def _group_codes(groups: Any, n_rows: int, cv: int) -> Rows:
    """Groups of rows as numbers, in the order in which they appear."""
    labels = np.asarray(groups.labels() if isinstance(groups, Column) else groups).tolist()
    if not isinstance(labels, list) or len(labels) != n_rows:
        raise ValueError(f"groups has {np.size(labels)} entries, but X has {n_rows} rows")
    n_missing = sum(label is None or label != label for label in labels)
    if n_missing:
        raise ValueError(f"groups has {n_missing} missing values; give each of these rows a group")
    place: dict[Any, int] = {}
    codes = np.array([place.setdefault(label, len(place)) for label in labels], dtype=np.intp)
    if len(place) < cv:
        raise ValueError(f"groups has {len(place)} groups, too few for cv={cv}; lower cv")
    return codes


def folds_of(
    y: NDArray[Any], is_class: bool, groups: NDArray[Any] | None, n: int, seed: int
) -> list[tuple[Rows, Rows]]:
    """Training and test rows of `n` folds, with the classes spread evenly and groups kept together."""
    splitter: Any
    if groups is not None:
        splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed) if is_class else GroupKFold(n)
    else:
        splitter = (StratifiedKFold if is_class else KFold)(n, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(splitter.split(np.empty((len(y), 1)), y, groups))


def _plan(
    task: _Task, named: Mapping[str, Any], cv: int, inner_cv: int, groups: Rows | None, random_state: int
) -> list[_Run]:
    """Every selection to be made: each selector in each fold, in each inner fold, and from all rows."""
    rng = np.random.default_rng(random_state)
    spread, last = rng.integers(2**31, size=2).tolist()
    outer_seeds = rng.integers(2**31, size=cv).tolist()
    inner_seeds = rng.integers(2**31, size=(cv, inner_cv)).tolist()
    everyone = [(ALL, None), *named.items()]
    runs = []
    for fold, (train, test) in enumerate(_checked_folds(task, np.arange(len(task.y)), groups, cv, spread, "cv")):
        splits = [(-1, train, test, outer_seeds[fold])]
        if inner_cv:
            parts = _checked_folds(task, train, groups, inner_cv, spread, "inner_cv")
            splits += [(i, *part, inner_seeds[fold][i]) for i, part in enumerate(parts)]
        runs += [
            _Run(task, name, selector, fold, inner, learned, held, seed)
            for inner, learned, held, seed in splits
            for name, selector in everyone
        ]
    rows, none = np.arange(task.table.n_rows), np.empty(0, dtype=np.intp)
    return runs + [_Run(task, name, selector, -1, -1, rows, none, last) for name, selector in named.items()]


def _checked_folds(
    task: _Task, rows: Rows, groups: Rows | None, n: int, seed: int, argument: str
) -> list[tuple[Rows, Rows]]:
    """Folds of some rows on which a learner can be fitted."""
    y, part = task.y[rows], None if groups is None else groups[rows]
    mend = "lower cv" if argument == "cv" else "lower inner_cv (0 leaves the nested scores out)"
    mend += "" if groups is None else ", or make other groups"
    n_units = len(rows) if part is None else len(np.unique(part))
    if n_units < n:
        units = "rows" if part is None else "groups"
        raise FoldError(f"{argument}={n} folds need as many {units}, but the rows to split hold {n_units}; {mend}")
    folds = folds_of(y, task.target.is_coded, part, n, seed)
    for train, test in folds:
        if not len(test):
            raise FoldError(f"a fold of {argument}={n} gets no test rows, as groups are few or large; {mend}")
        if task.target.is_coded and (y[train] == y[train[0]]).all():
            only = _label(task.target, y[train[0]])
            raise FoldError(f"the training rows of a fold of {argument}={n} all have the class {only}; {mend}")
    return [(rows[train], rows[test]) for train, test in folds]


def _run(plan: list[_Run], engine: Engine, progress: Progress | None) -> dict[tuple[str, int, int], _Found]:
    found: list[_Found] = []
    step = len(plan) if progress is None else max(1, engine.n_workers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same for every fold; what matters shows in scores and failures
        for start in range(0, len(plan), step):
            found += engine.map(_select_and_score, plan[start : start + step])
            if progress is not None:
                progress(len(found), len(plan))
    return {(run.name, run.fold, run.inner): one for run, one in zip(plan, found)}


def _select_and_score(run: _Run) -> _Found:
    task = run.task
    sizes = task.sizes if run.selector is not None else (task.table.n_columns,)
    start, n_unordered = perf_counter(), 0
    try:
        if run.selector is None:
            order = np.arange(task.table.n_columns)
        else:
            order, n_unordered = _fitted_order(run.selector, task.table, task.target, run.train, run.seed, max(sizes))
    except Exception as error:  # one selector's failure must not cost the others' results
        return _failed(f"{type(error).__name__}: {error}")
    seconds = perf_counter() - start
    if not len(order):
        return _failed("it selects no column")
    if n_unordered > max(sizes):
        return _failed(f"it selects {n_unordered} columns and does not say which are the best {max(sizes)}")
    kept = [max(n_unordered, min(size, len(order))) for size in sizes]
    if not len(run.test):
        return _Found(order, np.full(len(sizes), np.nan), seconds, n_unordered=n_unordered)
    encoding = Encoding.fit(task.table, run.train)
    encoded = encoding.apply(task.table)
    of_size: dict[int, float] = {}
    for size in set(kept):
        held = encoded[:, np.isin(encoding.owner, order[:size])]
        of_size[size] = held_out_score(task.learner, held, task.y, run.train, run.test, task.scoring, run.seed)
    if np.isnan(list(of_size.values())).any():
        inner = "cv" if run.inner < 0 else "inner_cv"
        raise FoldError(
            f"{task.scoring} is undefined on the {len(run.test)} test rows of a fold; lower {inner}, or choose another "
            "scoring"
        )
    return _Found(order, np.array([of_size[size] for size in kept]), seconds, n_unordered=n_unordered)


def _failed(why: str) -> _Found:
    return _Found(np.empty(0, dtype=np.intp), np.empty(0), np.nan, why)


def column_order(selector: Any, table: FeatureTable, target: Column, train: Rows, seed: int, most: int) -> Rows:
    """Columns from best to worst by a selector fitted on some rows; the selected ones where it has no ranking.

    Parameters
    ----------
    selector : RankingSelector or a selector of scikit-learn
    table : FeatureTable
        Of columns that vary.
    target : Column
    train : ndarray of int
    seed : int
    most : int
        How many of the first columns will be used.
    """
    return _fitted_order(selector, table, target, train, seed, most)[0]


def _fitted_order(
    selector: Any, table: FeatureTable, target: Column, train: Rows, seed: int, most: int
) -> tuple[Rows, int]:
    """`column_order`, and how many of the first columns have no order among them."""
    y = Column(target.name, target.kind, target.values[train], target.categories)
    seeded = _seeded(selector, seed, most)
    if not takes(seeded, table):
        seeded = EncodedSelector(seeded, k=most)
    seeded._rank(table.take(train), y)
    order = np.argsort(seeded.ranking_, kind="stable")
    return order[~np.isnan(seeded.scores_[order])], getattr(seeded, "n_unordered_", 0)


def _seeded(selector: Any, seed: int, most: int) -> Any:
    """A clone with this seed and one thread that ranks at least `most` columns."""
    out = clone(selector)
    known = out.get_params(deep=True)
    given = _seeds(known, seed)
    if isinstance(out, RankingSelector):
        given |= {"engine": LocalEngine(1)} if "engine" in known else {}
        given |= {name: value for name, value in (("k", most), ("threshold", None)) if name in known}
    return out.set_params(**given)


def _seeds(params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {name: seed for name in params if name.split("__")[-1] == "random_state"}


def held_out_score(
    learner: Any, encoded: Array, y: NDArray[Any], train: Rows, test: Rows, scoring: str, seed: int
) -> float:
    """Score on the test rows of a learner fitted on the training rows."""
    learner = clone(learner)
    learner.set_params(**_seeds(learner.get_params(deep=True), seed))
    scorer = get_scorer(scoring)
    learner.fit(encoded[train], y[train])
    try:
        return float(scorer(learner, encoded[test], y[test]))
    except ValueError as error:
        raise ValueError(f"scoring={scoring!r} does not suit this y ({error}); choose another") from None


@dataclass(frozen=True, eq=False)
class _View:
    """What the selections of some folds gave, side by side."""

    task: _Task
    runs: Mapping[tuple[str, int, int], _Found]
    names: tuple[str, ...]
    folds: tuple[tuple[int, int], ...]
    min_stability: float

    @cached_property
    def applied(self) -> Array:
        """Scores of what a selector gives when it is asked for a size, shape (n_selectors, n_sizes, n_folds)."""
        return np.array([[self.runs[name, *fold].scores for fold in self.folds] for name in self.names]).swapaxes(1, 2)

    @cached_property
    def scores(self) -> Array:
        """`applied`, NaN where that is more columns than the size."""
        sizes = np.array(self.task.sizes)[:, None]
        fewest = np.array([[self.runs[name, *fold].n_unordered for fold in self.folds] for name in self.names])
        return np.where(sizes >= fewest[:, None], self.applied, np.nan)

    @cached_property
    def all_scores(self) -> Array:
        """With all columns, shape (n_folds,)."""
        return np.array([self.runs[ALL, *fold].scores[0] for fold in self.folds])

    @cached_property
    def stability(self) -> Array:
        """Shape (n_selectors, n_sizes)."""
        known = np.array([[_alike(self.subsets(name, size)) for size in self.task.sizes] for name in self.names])
        return np.where(np.isnan(_mean(self.scores)), np.nan, known)

    @cached_property
    def counts(self) -> Array:
        """Mean number of selected columns, shape (n_selectors, n_sizes)."""
        return np.array(
            [[self.subsets(name, size).sum(axis=1).mean() for size in self.task.sizes] for name in self.names]
        )

    def subsets(self, name: str, size: int) -> NDArray[np.bool_]:
        """What a selector selects in each fold, shape (n_folds, n_features)."""
        chosen = np.zeros((len(self.folds), self.task.table.n_columns), dtype=bool)
        for row, fold in zip(chosen, self.folds):
            run = self.runs[name, *fold]
            row[run.order[: max(size, run.n_unordered)]] = True
        return chosen

    def agreement(self, size: int) -> Array:
        """Shape (n_selectors, n_selectors)."""
        chosen = [self.subsets(name, size) for name in self.names]
        return np.array([[np.mean([_alike(np.array(ab)) for ab in zip(a, b)]) for b in chosen] for a in chosen])

    @cached_property
    def error(self) -> float:
        """One standard error of a mean score."""
        return _typical_error(self.scores, self.all_scores)

    def size_within_one_error(self, s: int) -> int:
        """Position of the size that the one-standard-error rule chooses for one selector."""
        return _smallest_near(_mean(self.scores)[s], self.error)

    @cached_property
    def choice(self) -> tuple[int, int] | None:
        """Selector and size of the smallest steady subset within one standard error of the best; None: all columns."""
        means = _mean(self.scores)
        best = max(float(self.all_scores.mean()), float(np.nanmax(means)))
        near = (means >= best - self.error) & (self.counts < self.task.table.n_columns)
        steady = near & (self.stability >= self.min_stability)
        candidates = np.argwhere(steady if steady.any() else near)
        if not len(candidates):
            return None
        s, k = min(candidates, key=lambda c: (self.counts[tuple(c)], -means[tuple(c)]))
        return int(s), int(k)


def _collected(
    task: _Task,
    named: Mapping[str, Any],
    runs: Mapping[tuple[str, int, int], _Found],
    cv: int,
    inner_cv: int,
    min_stability: float,
    learner: str,
) -> SelectorComparison:
    failures = {name: found.failure for (name, *_), found in runs.items() if found.failure}
    names = tuple(name for name in named if name not in failures)
    if not names:
        raise ValueError("no selector can be used: " + "; ".join(f"{n}: {why}" for n, why in failures.items()))
    outer = _View(task, runs, names, tuple((f, -1) for f in range(cv)), min_stability)
    nested, honest = np.full((len(names), cv), np.nan), np.full(cv, np.nan)
    for fold in range(cv) if inner_cv else ():
        inner = _View(task, runs, names, tuple((fold, i) for i in range(inner_cv)), min_stability)
        for s in range(len(names)):
            nested[s, fold] = outer.applied[s, inner.size_within_one_error(s), fold]
        honest[fold] = outer.all_scores[fold] if inner.choice is None else outer.applied[(*inner.choice, fold)]
    recommended = _recommendation(outer, honest)
    return SelectorComparison(
        names=names,
        sizes=task.sizes,
        features=task.table.names,
        scoring=task.scoring,
        learner=learner,
        scores=outer.scores,
        all_scores=outer.all_scores,
        nested_scores=nested,
        stability=outer.stability,
        agreement=outer.agreement(min(task.sizes, key=lambda size: abs(size - recommended.size))),
        seconds=np.array([np.mean([r.seconds for (other, *_), r in runs.items() if other == name]) for name in names]),
        failures=failures,
        recommended=recommended,
    )


def _recommendation(outer: _View, honest: Array) -> Recommendation:
    known = outer.task.table.names
    whole = float(outer.all_scores.mean()), float(_error(outer.all_scores))
    nested = float(honest.mean()), float(_error(honest))
    if outer.choice is None:
        return Recommendation(ALL, len(known), known, (1.0,) * len(known), *whole, *whole, 1.0, True, *nested)
    s, k = outer.choice
    name, size = outer.names[s], outer.task.sizes[k]
    best = outer.runs[name, -1, -1].order[:size]
    frequencies = outer.subsets(name, size).mean(axis=0)[best]
    scores, stability = outer.scores[s, k], float(outer.stability[s, k])
    return Recommendation(
        selector=name,
        size=len(best),
        columns=tuple(known[j] for j in best),
        frequencies=tuple(frequencies.tolist()),
        score=float(scores.mean()),
        error=float(_error(scores)),
        all_score=whole[0],
        all_error=whole[1],
        stability=stability,
        is_steady=stability >= outer.min_stability,
        nested_score=nested[0],
        nested_error=nested[1],
    )


def _alike(selected: NDArray[np.bool_]) -> float:
    """Stability of selections, 1 where all are the same."""
    return 1.0 if (selected == selected[0]).all() else selection_stability(selected)


def _mean(scores: Array) -> Array:
    return scores.mean(axis=-1)


def _error(scores: Array) -> Array:
    """Standard error of the mean over the last axis."""
    return scores.std(axis=-1, ddof=1) / np.sqrt(scores.shape[-1])


def _typical_error(scores: Array, all_scores: Array) -> float:
    """Median of the standard errors of all means; that of five folds alone is often half or twice the true one."""
    return float(np.nanmedian(np.append(_error(scores), _error(all_scores))))


def _smallest_near(means: Array, error: float) -> int:
    """Position of the first of one selector's sizes whose score is within `error` of the best."""
    return int(np.flatnonzero(means >= np.nanmax(means) - error)[0])
