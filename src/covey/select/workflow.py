"""A workflow that selects, fits, compares and explains models: forward selection, cohorts, Shapley values, aspects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer
from threadpoolctl import threadpool_limits

from covey.measure._crossfit import Fold, row_folds, seeded
from covey.select._attribution import model_outputs
from covey.select._base import Array, GreedyPath, TargetKind, greedy, unusable
from covey.select._cohorts import Metric, cohort_metrics, holm, paired_test
from covey.select._encode import Encoding
from covey.select._shapley import shapley_values
from covey.select.comparison import column_order, compare_selectors, folds_of, held_out_score, table_and_target
from covey.structure import FeatureGroups, feature_groups
from covey.table import Column, FeatureTable, plain, read

Rows = NDArray[np.intp]
Labels = NDArray[np.intp]
Aspects = float | FeatureGroups | Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]]
Table = dict[str, list[Any]]
RandomState = int | np.random.Generator | None

INTERNAL = "internal"
MOST_EXPLAINED, MOST_BACKGROUND = 150, 64


def forward_selection(
    estimator: Any,
    X: Array,
    y: NDArray[Any],
    k: int = 8,
    cv: Any = 5,
    scoring: str | None = None,
    owner: Sequence[int] | None = None,
    min_gain: float = 0.0,
    random_state: RandomState = 0,
) -> GreedyPath:
    """Choose columns one at a time, each the one with which a model scores best in cross-validation.

    Parameters
    ----------
    estimator : scikit-learn classifier or regressor
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    k : int
        How many columns at most.
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
    scoring : str, optional
        A name that scikit-learn knows, higher is better; by default the area under the curve for two classes, the
        accuracy for more, the coefficient of determination for numbers.
    owner : sequence of int of shape (n_features,), optional
        Columns of the same label, counted from 0, are taken together, and the path is of labels.
    min_gain : float
        A step that adds no more than this to the score is not taken.
    random_state : int, Generator or None
        Of the folds, and of estimators without a seed of their own.

    Returns
    -------
    GreedyPath
        Its gains are the scores after each step.

    Raises
    ------
    ValueError
        If `k` is below 1, or shapes differ.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> x = np.random.default_rng(0).normal(size=(100, 6))
    >>> path = forward_selection(LinearRegression(), x, x[:, 4] - 3 * x[:, 1], k=4, min_gain=1e-6)
    >>> path.order, round(path.gains[-1], 6)
    ((1, 4), 1.0)
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    labels = np.arange(X.shape[1]) if owner is None else np.asarray(owner, dtype=np.intp)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if X.ndim != 2 or len(X) != len(y) or labels.shape != (X.shape[1],):
        raise ValueError(f"X has shape {X.shape}, y {y.shape} and owner {labels.shape}; they do not match")
    rng = np.random.default_rng(random_state)
    seed = int(rng.integers(2**31))
    folds = row_folds(cv, len(X), y, is_classifier(estimator), rng)
    name = scoring or default_scoring(estimator, y)
    scores: list[float] = []

    def gain(chosen: tuple[int, ...]) -> Array:
        candidates = np.setdiff1d(np.arange(labels.max() + 1), chosen)
        out = np.full(labels.max() + 1, np.nan)
        for candidate in candidates:
            part = X[:, np.isin(labels, [*chosen, candidate])]
            if part.shape[1]:
                out[candidate] = np.mean([held_out_score(estimator, part, y, *fold, name, seed) for fold in folds])
        return out

    def stop(chosen: tuple[int, ...], best: float) -> bool:
        return bool(scores) and best <= scores[-1] + min_gain

    with threadpool_limits(1):
        return greedy(gain, k, stop, lambda chosen, best: scores.append(best))


def default_scoring(estimator: Any, y: NDArray[Any]) -> str:
    """The name of scikit-learn's scorer: area under the curve, accuracy or determination, as the target asks."""
    if not is_classifier(estimator):
        return "r2"
    return "roc_auc" if len(np.unique(y)) == 2 else "accuracy"


def importance_scoring(model: Any) -> str:
    """The name of scikit-learn's scorer that permutation is measured by."""
    if not is_classifier(model):
        return "r2"
    return "neg_brier_score" if hasattr(model, "predict_proba") else "accuracy"


@dataclass(frozen=True, eq=False)
class AspectImportance:
    """How much worse a model gets when the columns of an aspect are permuted together.

    Parameters
    ----------
    names : tuple of str
        Of the aspects.
    columns : tuple of tuple of str
        Of each aspect.
    importances : ndarray of shape (n_aspects,)
        Mean fall of the score.
    errors : ndarray of shape (n_aspects,)
        Standard deviation of the fall over the permutations.
    score : float
        Without permutation.
    scoring : str
    """

    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    importances: Array
    errors: Array
    score: float
    scoring: str

    @property
    def ranking(self) -> Rows:
        """1 is the most important; ties by the order of aspects."""
        out = np.empty(len(self.names), dtype=np.intp)
        out[np.argsort(-self.importances, kind="stable")] = np.arange(1, len(out) + 1)
        return out

    def aspect_of(self, column: str) -> int:
        """Position of the aspect that holds a column.

        Raises
        ------
        ValueError
            If no aspect holds it.
        """
        for position, members in enumerate(self.columns):
            if column in members:
                return position
        raise ValueError(f"no aspect holds {column!r}")


def aspect_importance(
    model: Any,
    X: Any,
    y: Any,
    groups: Aspects = 0.6,
    scoring: str | None = None,
    n_repeats: int = 10,
    random_state: RandomState = 0,
) -> AspectImportance:
    """Importance of groups of columns: the fall of a fitted model's score when a group is permuted as one.

    A model can lean on any of several columns that say the same; permuted alone, each of them seems unimportant.

    Parameters
    ----------
    model : fitted scikit-learn classifier or regressor
    X : array-like of shape (n_samples, n_features) or dataframe
        As the model takes it; rows that it was not fitted on tell more.
    y : array-like of shape (n_samples,)
    groups : float, FeatureGroups, mapping of str to columns, or sequence of columns
        A number: columns are grouped by hierarchical clustering of 1 - abs(Spearman correlation) with complete linkage,
        so that all pairs of a group have at least this correlation. Columns are named, or are positions; those of no
        group are aspects of their own.
    scoring : str, optional
        A name that scikit-learn knows; by default the Brier score of class probabilities (which, unlike an area under
        the curve near 1, every row moves), the accuracy without them, the coefficient of determination for numbers.
    n_repeats : int
        Permutations; each is used for all aspects.
    random_state : int, Generator or None

    Returns
    -------
    AspectImportance

    Raises
    ------
    ValueError
        If a group holds an unknown column, or one that another holds too, or shapes differ.

    References
    ----------
    Bloch and Friedrich (2022), Machine Learning Workflow to Explain Black-box Models for Early Alzheimer's Disease
    Classification Evaluated for Multiple Datasets. arXiv:2205.05907. Breiman (2001), Random Forests. Machine Learning
    45.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> x, y = np.column_stack([x, x[:, 0]]), 2 * x[:, 0] + x[:, 1]
    >>> found = aspect_importance(KNeighborsRegressor().fit(x, y), x, y)
    >>> found.names, found.ranking.tolist()
    (('x0 + x3', 'x1', 'x2'), [1, 2, 3])
    """
    if n_repeats < 1:
        raise ValueError(f"n_repeats must be at least 1, got {n_repeats}")
    held = _Held.of(X)
    y = np.asarray(y)
    if len(y) != held.n_rows:
        raise ValueError(f"X has {held.n_rows} rows and y has {len(y)}; they must be the same rows")
    named = aspects_of(groups, X, held.names)
    rng = np.random.default_rng(random_state)
    name = scoring or importance_scoring(model)
    score = partial(get_scorer(name), model)
    with threadpool_limits(1):
        whole = float(score(X, y))
        falls = np.empty((n_repeats, len(named)))
        for r in range(n_repeats):
            rows = rng.permutation(held.n_rows)
            falls[r] = [whole - score(held.permuted(columns, rows), y) for columns in named.values()]
    errors = falls.std(axis=0, ddof=1) if n_repeats > 1 else np.full(len(named), np.nan)
    members = tuple(tuple(held.names[j] for j in columns) for columns in named.values())
    return AspectImportance(tuple(named), members, falls.mean(axis=0), errors, whole, name)


@dataclass(frozen=True, eq=False)
class _Held:
    """An array or a dataframe, some columns of which can be permuted."""

    data: Any
    names: tuple[str, ...]
    is_frame: bool

    @classmethod
    def of(cls, X: Any) -> _Held:
        import narwhals as nw

        if nw.dependencies.is_into_dataframe(X):
            frame = nw.from_native(X, eager_only=True)
            return cls(frame, tuple(map(str, frame.columns)), True)
        data = np.asarray(X)
        if data.ndim != 2 or not data.size:
            raise ValueError(f"X must have shape (n_samples, n_features) and not be empty, got {data.shape}")
        return cls(data, tuple(f"x{j}" for j in range(data.shape[1])), False)

    @property
    def n_rows(self) -> int:
        return len(self.data)

    def permuted(self, columns: Rows, rows: Rows) -> Any:
        """With the values of some columns taken from other rows, together."""
        if not self.is_frame:
            out = self.data.copy()
            out[:, columns] = self.data[np.ix_(rows, columns)]
            return out
        other = self.data[rows.tolist()]
        moved = [other[self.data.columns[j]] for j in columns.tolist()]
        return self.data.with_columns(*moved).to_native()


def aspects_of(groups: Aspects, X: Any, names: Sequence[str]) -> dict[str, Rows]:
    """Positions of the columns of each aspect, by the aspect's name; every column is in one.

    Examples
    --------
    >>> found = aspects_of({"size": ["a", "c"]}, None, ["a", "b", "c"])
    >>> {name: columns.tolist() for name, columns in found.items()}
    {'size': [0, 2], 'b': [1]}
    """
    if isinstance(groups, int | float):
        # copies of a column leave the partition of complete linkage as it is
        groups = feature_groups(X, float(groups), measure="spearman", linkage="complete")
    if isinstance(groups, FeatureGroups):
        groups = groups.groups
    listed = groups.values() if isinstance(groups, Mapping) else groups
    place = {name: j for j, name in enumerate(names)}
    found = [np.array([_position(c, place, len(names)) for c in members], dtype=np.intp) for members in listed]
    taken = np.concatenate([*found, np.empty(0, dtype=np.intp)])
    twice = [names[j] for j in np.flatnonzero(np.bincount(taken, minlength=len(names)) > 1).tolist()]
    if twice:
        raise ValueError(f"columns in more than one group: {', '.join(map(repr, twice[:5]))}")
    keys = list(groups) if isinstance(groups, Mapping) else [_label([names[j] for j in part]) for part in found]
    found += [np.array([j]) for j in np.setdiff1d(np.arange(len(names)), taken)]
    keys += [names[int(part[0])] for part in found[len(keys) :]]
    return {key: part for key, part in zip(keys, found) if len(part)}


def _position(column: Any, place: Mapping[str, int], n: int) -> int:
    if isinstance(column, int | np.integer) and not isinstance(column, bool) and 0 <= column < n:
        return int(column)
    if column not in place:
        raise ValueError(f"groups hold {column!r}, which is no column of X")
    return place[column]


def _label(members: Sequence[str]) -> str:
    return " + ".join(members[:3]) + (f" + {len(members) - 3} more" if len(members) > 3 else "")


@dataclass(frozen=True, eq=False)
class WorkflowModel:
    """A fitted model together with what turns a table into its input.

    Parameters
    ----------
    name : str
    model : fitted scikit-learn estimator
    encoding : Encoding
    used : ndarray of shape (n_encoded,), bool
        Encoded columns that the model takes.
    owner : ndarray of shape (n_used,), int64
        The position, among the selected columns, of each column that the model takes.
    parameters : mapping
        What tuning chose.
    """

    name: str
    model: Any
    encoding: Encoding
    used: NDArray[np.bool_]
    owner: NDArray[np.intp]
    parameters: Mapping[str, Any]

    def encode(self, table: FeatureTable) -> Array:
        """Rows of a table as the model takes them."""
        return self.encoding.apply(table)[:, self.used]


@dataclass(frozen=True, eq=False)
class WorkflowReport:
    """What `BlackBoxWorkflow` found; tables are mappings of columns, what pandas and Polars make a frame of.

    Parameters
    ----------
    features : tuple of str
        Columns of `X` that vary.
    selected : tuple of str
        In the order of selection.
    selection : dict of str to list
        The score after each step of a forward selection: step, column, score.
    metrics : dict of str to list
        model, cohort, metric, value, error, n_rows.
    comparisons : dict of str to list
        Paired tests on the same rows: cohort, metric, first, second, difference, error, pvalue, adjusted_pvalue.
    parameters : dict of str to list
        What tuning chose: model, parameters.
    importances : dict of str to list
        model, column, shapley (mean of absolute values), permutation, natural (impurity, gain or absolute coefficient;
        NaN where a model has none), direction (rank correlation of the column with its Shapley values).
    agreement : dict of str to list
        Rank correlations of the kinds of importance over the columns: model, first, second, spearman.
    aspects : dict of str to list
        model, aspect, columns, permutation, shapley, rank (by permutation).
    models : tuple of WorkflowModel
    """

    features: tuple[str, ...]
    selected: tuple[str, ...]
    selection: Table
    metrics: Table
    comparisons: Table
    parameters: Table
    importances: Table
    agreement: Table
    aspects: Table
    models: tuple[WorkflowModel, ...]

    def metric(self, model: str, metric: str, cohort: str = INTERNAL) -> float:
        """One value of the metrics; NaN if there is none such."""
        return _where(self.metrics, "value", model=model, metric=metric, cohort=cohort)

    def rank_correlation(self, model: str, first: str = "shapley", second: str = "permutation") -> float:
        """One value of the agreements; NaN if there is none such."""
        return _where(self.agreement, "spearman", model=model, first=first, second=second)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the models as plain data for JSON; NaN is None."""
        names = ("features", "selected", *_SECTIONS)
        return {name: plain(getattr(self, name)) for name in names}

    def to_markdown(self) -> str:
        """A page of tables."""
        lines = [
            "# Models and what they lean on",
            "",
            f"{len(self.selected)} of {len(self.features)} columns are selected: {', '.join(self.selected)}.",
        ]
        for name, title in _SECTIONS.items():
            table = getattr(self, name)
            if any(table.values()):
                lines += ["", f"## {title}", "", *_markdown(table)]
        return "\n".join(lines) + "\n"


_SECTIONS = {
    "selection": "Forward selection",
    "parameters": "Parameters that tuning chose",
    "metrics": "Metrics",
    "comparisons": "Paired tests",
    "importances": "Importance of columns",
    "agreement": "Rank correlation of the kinds of importance",
    "aspects": "Importance of aspects",
}


def _where(table: Table, value: str, **wanted: str) -> float:
    for i, found in enumerate(table[value]):
        if all(table[name][i] == one for name, one in wanted.items()):
            return float(found)
    return float("nan")


def _markdown(table: Table) -> list[str]:
    def cell(value: Any) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return text.replace("|", "\\|").replace("\n", " ")

    rows = [f"| {' | '.join(map(cell, row))} |" for row in zip(*table.values())]
    return [f"| {' | '.join(table)} |", "|" + "---|" * len(table), *rows]


def default_models(is_class: bool) -> dict[str, Any]:
    """Models with the parameters to tune: a linear one and a tree to read, forest, boosting and a kernel machine."""
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import SVC, SVR
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    boosting = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
    linear = LogisticRegression(max_iter=1000) if is_class else Ridge()
    return {
        "linear": (linear, {"C": [0.1, 1.0, 10.0]} if is_class else {"alpha": [0.1, 1.0, 10.0]}),
        "tree": ((DecisionTreeClassifier if is_class else DecisionTreeRegressor)(), {"max_depth": [2, 4, 8]}),
        "forest": ((RandomForestClassifier if is_class else RandomForestRegressor)(), {"min_samples_leaf": [1, 5]}),
        "boosting": (boosting(max_iter=60), {"max_leaf_nodes": [7, 31]}),
        "kernel": ((SVC if is_class else SVR)(), {"C": [1.0, 10.0]}),
    }


class BlackBoxWorkflow:
    """Select columns, tune and compare models on several cohorts, and explain what they lean on.

    The rows are split, with groups (subjects, sites) kept together; columns are selected and models are tuned on the
    training rows; their metrics on the test rows and on external cohorts are compared by paired tests; mean absolute
    Shapley values, permutation importance and the models' own importance are compared by rank correlation; and
    correlated columns are taken together as aspects, so that they do not hide or share importance.

    Parameters
    ----------
    models : mapping of str to estimator or (estimator, grid of parameters), optional
        By default a linear model, a tree, a forest, boosted trees and a kernel machine (`default_models`). Of a grid,
        the best parameters in cross-validation are taken.
    selector : "forward", selector, mapping of str to selector, or None
        Forward selection by the score of a linear model in cross-validation; a selector of covey or scikit-learn, of
        whose ranking the best `n_features` are taken; several, of which `compare_selectors` recommends one; or all
        columns.
    aspects : float, FeatureGroups, mapping of str to columns, or sequence of columns
        As in `aspect_importance`, of the selected columns.
    n_features : int
        How many columns are selected at most.
    test_size : float
        Share of the rows for the internal test, in (0, 0.5].
    cv : int
        Folds of selection and tuning.
    scoring : str, optional
        Of selection and tuning; by default the area under the curve for two classes, the accuracy for
        more, the coefficient of determination for numbers.
    n_repeats : int
        Permutations of each column.
    n_permutations : int
        Of the Shapley values (`shapley_values`).
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int

    References
    ----------
    Bloch and Friedrich (2022), Machine Learning Workflow to Explain Black-box Models for Early Alzheimer's Disease
    Classification Evaluated for Multiple Datasets. arXiv:2205.05907.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> x = np.random.default_rng(0).normal(size=(240, 6))
    >>> y = x[:, 2] - x[:, 4] > 0
    >>> workflow = BlackBoxWorkflow({"linear": LogisticRegression(), "bayes": GaussianNB()}, n_features=2, cv=3)
    >>> report = workflow.run(x[:200], y[:200], external=[(x[200:], y[200:])])
    >>> sorted(report.selected), report.metric("linear", "auc", "external 1") > 0.9
    (['x2', 'x4'], True)
    >>> print(report.to_markdown().splitlines()[2])
    2 of 6 columns are selected: x2, x4.
    """

    def __init__(
        self,
        models: Mapping[str, Any] | None = None,
        selector: Any = "forward",
        aspects: Aspects = 0.6,
        n_features: int = 8,
        test_size: float = 0.25,
        cv: int = 5,
        scoring: str | None = None,
        n_repeats: int = 10,
        n_permutations: int = 32,
        target_kind: TargetKind = "auto",
        random_state: int = 0,
    ) -> None:
        self.models = models
        self.selector = selector
        self.aspects = aspects
        self.n_features = n_features
        self.test_size = test_size
        self.cv = cv
        self.scoring = scoring
        self.n_repeats = n_repeats
        self.n_permutations = n_permutations
        self.target_kind = target_kind
        self.random_state = random_state

    def run(self, X: Any, y: Any, groups: Any = None, external: Any = ()) -> WorkflowReport:
        """Run the workflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dataframe or FeatureTable
        y : array-like of shape (n_samples,)
        groups : array-like of shape (n_samples,), optional
            Subject or site of each row.
        external : sequence of (X, y), or mapping of str to (X, y)
            Other cohorts with the same columns.

        Raises
        ------
        ValueError
            If a parameter is out of its range, a class has too few rows, or a cohort lacks a column.
        """
        self._check()
        data = _Data.of(X, y, groups, self.target_kind)
        cohorts = {name: data.cohort(name, *pair) for name, pair in _named_cohorts(external).items()}
        train, test = folds_of(
            data.y, data.is_class, data.groups, max(2, round(1 / self.test_size)), self.random_state
        )[0]
        part = None if data.groups is None else data.groups[train]
        folds = folds_of(data.y[train], data.is_class, part, self.cv, self.random_state)
        encoding = Encoding.fit(data.table, train)
        encoded = encoding.apply(data.table)
        selected, path = self._select(data, encoded, encoding.owner, train, folds)
        used = np.isin(encoding.owner, selected)
        place = np.full(data.table.n_columns, -1)
        place[selected] = np.arange(len(selected))
        owner = place[encoding.owner[used]]
        with threadpool_limits(1):  # small fits; and one order of summation on any machine
            fitted = [
                WorkflowModel(name, model, encoding, used, owner, best)
                for name, (model, best) in self._fit(data, encoded[:, used], train, folds).items()
            ]
            internal = _Cohort(encoded[np.ix_(test, used)], data.y[test], data.clusters(test))
            all_cohorts = {INTERNAL: internal} | {
                name: _Cohort(encoding.apply(table)[:, used], codes, None) for name, (table, codes) in cohorts.items()
            }
            metrics, comparisons = _compared(fitted, all_cohorts, data.is_class)
            names = tuple(data.table.names[j] for j in selected)
            explained = _Explained(
                names=names,
                aspects=aspects_of(self.aspects, data.table.take(train).select(names), names),
                background=_some_rows(encoded[np.ix_(train, used)], MOST_BACKGROUND, self.random_state),
                shown=_some_rows(internal.X, MOST_EXPLAINED, self.random_state),
                cohort=internal,
                n_repeats=self.n_repeats,
                n_permutations=self.n_permutations,
                seed=self.random_state,
            )
            importances, agreement, aspects = explained.tables(fitted)
        steps = range(1, len(path.order) + 1)
        return WorkflowReport(
            features=data.table.names,
            selected=names,
            selection={
                "step": list(steps),
                "column": [data.table.names[j] for j in path.order],
                "score": list(path.gains),
            },
            metrics=metrics,
            comparisons=comparisons,
            parameters={"model": [m.name for m in fitted], "parameters": [str(dict(m.parameters)) for m in fitted]},
            importances=importances,
            agreement=agreement,
            aspects=aspects,
            models=tuple(fitted),
        )

    def _check(self) -> None:
        if self.models is not None and not self.models:
            raise ValueError("models is empty; give at least one, or None for the usual ones")
        if not 0 < self.test_size <= 0.5:
            raise ValueError(f"test_size must be in (0, 0.5], got {self.test_size}")
        for name, least in (("n_features", 1), ("cv", 2), ("n_repeats", 1), ("n_permutations", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if isinstance(self.selector, str) and self.selector != "forward":
            raise ValueError(
                f"selector must be 'forward', a selector, a mapping of them or None, not {self.selector!r}"
            )

    def _scoring(self, data: _Data) -> str:
        if self.scoring is not None:
            return self.scoring
        if not data.is_class:
            return "r2"
        return "roc_auc" if data.n_classes == 2 else "accuracy"

    def _select(
        self, data: _Data, encoded: Array, owner: NDArray[np.int64], train: Rows, folds: Sequence[Fold]
    ) -> tuple[Rows, GreedyPath]:
        """Positions of the selected columns, the best first, and the path of a forward selection."""
        none = GreedyPath((), ())
        n = data.table.n_columns
        if self.selector is None:
            return np.arange(n), none
        if isinstance(self.selector, Mapping):
            found = compare_selectors(
                data.table.take(train),
                Column(data.target.name, data.target.kind, data.y[train], data.target.categories),
                self.selector,
                sizes=[k for k in range(1, n + 1) if k <= self.n_features],
                learner="linear",
                scoring=self._scoring(data),
                cv=self.cv,
                inner_cv=0,
                groups=None if data.groups is None else data.groups[train],
                random_state=self.random_state,
            )
            place = {name: j for j, name in enumerate(data.table.names)}
            return np.array([place[name] for name in found.recommended.columns]), none
        if self.selector != "forward":
            order = column_order(self.selector, data.table, data.target, train, self.random_state, self.n_features)
            if not len(order):
                raise ValueError(f"{type(self.selector).__name__} selects no column")
            return order[: self.n_features], none
        linear, _ = default_models(data.is_class)["linear"]
        path = forward_selection(
            linear,
            encoded[train],
            data.y[train],
            self.n_features,
            folds,
            self._scoring(data),
            owner.tolist(),
            random_state=self.random_state,
        )
        return np.array(path.order, dtype=np.intp), path

    def _fit(
        self, data: _Data, encoded: Array, train: Rows, folds: Sequence[Fold]
    ) -> dict[str, tuple[Any, Mapping[str, Any]]]:
        from sklearn.model_selection import GridSearchCV

        models = default_models(data.is_class) if self.models is None else self.models
        out: dict[str, tuple[Any, Mapping[str, Any]]] = {}
        for name, given in models.items():
            estimator, grid = given if isinstance(given, tuple) else (given, None)
            if is_classifier(estimator) != data.is_class:
                asked = "classifier" if data.is_class else "regressor"
                raise ValueError(f"y is {data.target.kind}, which asks for a {asked}, but model {name!r} is none")
            estimator = seeded(clone(estimator), self.random_state)
            if grid is None:
                out[name] = estimator.fit(encoded[train], data.y[train]), {}
                continue
            search = GridSearchCV(estimator, grid, scoring=self._scoring(data), cv=list(folds))
            search.fit(encoded[train], data.y[train])
            out[name] = search.best_estimator_, search.best_params_
        return out


@dataclass(frozen=True, eq=False)
class _Cohort:
    """Encoded rows, the target, and the subject of each row."""

    X: Array
    y: NDArray[Any]
    clusters: Rows | None


@dataclass(frozen=True, eq=False)
class _Data:
    """What the workflow was given: columns that vary, the target, and groups."""

    table: FeatureTable
    target: Column
    groups: NDArray[Any] | None

    @classmethod
    def of(cls, X: Any, y: Any, groups: Any, kind: TargetKind) -> _Data:
        table, target = table_and_target(X, y, kind)
        names = [column.name for column in table.columns() if not unusable(column)]
        if not names:
            raise ValueError("no column of X varies; there is nothing to select")
        groups = None if groups is None else np.asarray(groups)
        if groups is not None and len(groups) != table.n_rows:
            raise ValueError(f"groups has {len(groups)} entries, but X has {table.n_rows} rows")
        return cls(table.select(names), target, groups)

    @property
    def is_class(self) -> bool:
        return self.target.is_coded

    @property
    def n_classes(self) -> int:
        return len(self.target.categories or ())

    @property
    def y(self) -> NDArray[Any]:
        return self.target.values

    def clusters(self, rows: Rows) -> Rows | None:
        """The group of some rows, counted from 0."""
        return None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]

    def cohort(self, name: str, X: Any, y: Any) -> tuple[FeatureTable, NDArray[Any]]:
        """Another cohort's columns and target, coded as in this one; what is unknown here has a code of its own."""
        kinds = dict(zip(self.table.names, self.table.kinds))
        other = read(X)
        lacking = [column for column in kinds if column not in other.names]
        if lacking:
            raise ValueError(f"cohort {name!r} lacks the columns {', '.join(map(repr, lacking[:5]))}")
        other = read(other, columns=list(kinds), kinds=kinds)
        columns = [_recoded(found, own) for found, own in zip(other.columns(), self.table.columns())]
        codes = _target_codes(name, y, self.target)
        if len(codes) != other.n_rows:
            raise ValueError(f"cohort {name!r}: X has {other.n_rows} rows and y has {len(codes)}")
        return FeatureTable.from_columns(columns), codes


def _recoded(column: Column, like: Column) -> Column:
    """A column of categories with the codes of another one; words that it lacks get the next code."""
    if like.categories is None or column.categories is None:
        return column
    place = {word: code for code, word in enumerate(like.categories)}
    new = np.array([*(place.get(word, len(place)) for word in column.categories), -1], dtype=np.int32)
    return Column(like.name, like.kind, new[column.values], (*like.categories, "other"))


def _target_codes(name: str, y: Any, like: Column) -> NDArray[Any]:
    if like.categories is None:
        return np.asarray(y, dtype=np.float64)
    words = [f"{v:g}" if isinstance(v, float | np.floating) else str(v) for v in np.asarray(y).tolist()]
    place = {word: code for code, word in enumerate(like.categories)}
    unknown = sorted({word for word in words if word not in place})
    if unknown:
        raise ValueError(f"cohort {name!r} has classes that the training rows lack: {', '.join(unknown[:5])}")
    return np.array([place[word] for word in words], dtype=np.intp)


def _named_cohorts(external: Any) -> dict[str, tuple[Any, Any]]:
    if isinstance(external, Mapping):
        named = dict(external)
    else:
        named = {f"external {k}": pair for k, pair in enumerate(external, 1)}
    if INTERNAL in named:
        raise ValueError(f"{INTERNAL!r} is the name of the workflow's own test rows; name the cohort otherwise")
    return named


def _compared(models: Sequence[WorkflowModel], cohorts: Mapping[str, _Cohort], is_class: bool) -> tuple[Table, Table]:
    """Metrics of all models on all cohorts, and tests of each pair."""
    values: list[tuple[Any, ...]] = []
    tests: list[tuple[Any, ...]] = []
    for cohort, held in cohorts.items():
        found = {m.name: _metrics(m, held, is_class) for m in models}
        for name, metrics in found.items():
            rows = [(name, cohort, key, m.value, m.error(held.clusters), len(held.y)) for key, m in metrics.items()]
            values += rows
        for key in next(iter(found.values())):
            pairs = [(a, b) for i, a in enumerate(found) for b in list(found)[i + 1 :]]
            said = [paired_test(found[a][key], found[b][key], held.clusters) for a, b in pairs]
            adjusted = holm([p for *_, p in said]).tolist()
            tests += [(cohort, key, *pair, *one, q) for pair, one, q in zip(pairs, said, adjusted)]
    heads = ("cohort", "metric", "first", "second", "difference", "error", "pvalue", "adjusted_pvalue")
    return _table(("model", "cohort", "metric", "value", "error", "n_rows"), values), _table(heads, tests)


def _metrics(model: WorkflowModel, held: _Cohort, is_class: bool) -> dict[str, Metric]:
    return cohort_metrics(held.y, is_class, model_outputs(model.model, held.X), model.model.predict(held.X))


def _table(heads: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Table:
    listed = list(rows)
    return {head: [row[i] for row in listed] for i, head in enumerate(heads)}


def _some_rows(x: Array, most: int, seed: int) -> Array:
    """At most so many rows, drawn without replacement."""
    if len(x) <= most:
        return x
    return x[np.sort(np.random.default_rng(seed).choice(len(x), most, replace=False))]


@dataclass(frozen=True, eq=False)
class _Explained:
    """What models are explained with: the rows, and the aspects of the selected columns."""

    names: tuple[str, ...]
    aspects: Mapping[str, Rows]
    background: Array
    shown: Array
    cohort: _Cohort
    n_repeats: int
    n_permutations: int
    seed: int

    def tables(self, models: Sequence[WorkflowModel]) -> tuple[Table, Table, Table]:
        """Importances of columns, their agreement, and importances of aspects."""
        importances: list[tuple[Any, ...]] = []
        agreement: list[tuple[Any, ...]] = []
        aspects: list[tuple[Any, ...]] = []
        for model in models:
            kinds, direction = self._columns(model)
            importances += [
                (model.name, name, *(values[j] for values in kinds.values()), direction[j])
                for j, name in enumerate(self.names)
            ]
            agreement += [
                (model.name, a, b, rank_correlation(kinds[a], kinds[b]))
                for i, a in enumerate(kinds)
                for b in list(kinds)[i + 1 :]
            ]
            aspects += self._aspects(model)
        return (
            _table(("model", "column", "shapley", "permutation", "natural", "direction"), importances),
            _table(("model", "first", "second", "spearman"), agreement),
            _table(("model", "aspect", "columns", "permutation", "shapley", "rank"), aspects),
        )

    def _columns(self, model: WorkflowModel) -> tuple[dict[str, list[float]], list[float]]:
        shapley = self._shapley(model, model.owner)
        alone = [np.flatnonzero(model.owner == j) for j in range(len(self.names))]
        kinds = {
            "shapley": np.abs(shapley).mean(axis=0).tolist(),
            "permutation": self._permutation(model, alone).importances.tolist(),
            "natural": natural_importance(model.model, model.owner).tolist(),
        }
        leading = [self.shown[:, np.flatnonzero(model.owner == j)[0]] for j in range(len(self.names))]
        return kinds, [rank_correlation(values, shapley[:, j]) for j, values in enumerate(leading)]

    def _aspects(self, model: WorkflowModel) -> list[tuple[Any, ...]]:
        labels = np.empty(len(self.names), dtype=np.intp)
        for label, members in enumerate(self.aspects.values()):
            labels[members] = label
        players = labels[model.owner]
        found = self._permutation(model, [np.flatnonzero(players == g) for g in range(len(self.aspects))])
        shapley = np.abs(self._shapley(model, players)).mean(axis=0).tolist()
        columns = [", ".join(self.names[j] for j in members) for members in self.aspects.values()]
        rows = zip(self.aspects, columns, found.importances.tolist(), shapley, found.ranking.tolist())
        return [(model.name, *row) for row in rows]

    def _shapley(self, model: WorkflowModel, players: Labels) -> Array:
        return shapley_values(
            model.model,
            self.shown,
            self.background,
            players.tolist(),
            self.n_permutations,
            random_state=self.seed,
        )

    def _permutation(self, model: WorkflowModel, groups: Sequence[Rows]) -> AspectImportance:
        return aspect_importance(
            model.model,
            self.cohort.X,
            self.cohort.y,
            [group.tolist() for group in groups],
            n_repeats=self.n_repeats,
            random_state=self.seed,
        )


def rank_correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Spearman correlation; NaN where a value is missing or all are equal.

    Examples
    --------
    >>> rank_correlation([1.0, 2.0, 4.0], [3.0, 5.0, 6.0]), rank_correlation([1.0, 1.0], [2.0, 3.0])
    (1.0, nan)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def natural_importance(model: Any, owner: Labels) -> Array:
    """A model's own importance of columns, summed over what stands for each; NaN where it has none.

    Impurity or gain of trees, absolute coefficients (of standardised columns) of linear models.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> natural_importance(Ridge(alpha=1e-9).fit(x, x @ [1, 2, -4]), np.array([0, 0, 1])).round(3).tolist()
    [3.0, 4.0]
    """
    if hasattr(model, "feature_importances_"):
        values = np.asarray(model.feature_importances_, dtype=np.float64)
    elif isinstance(getattr(model, "coef_", None), np.ndarray):
        values = np.abs(np.atleast_2d(model.coef_)).mean(axis=0)
    else:
        values = boosting_gain(model, len(owner))
    if values.shape != owner.shape:
        values = np.full(len(owner), np.nan)
    return np.bincount(owner, weights=values).astype(np.float64)


def boosting_gain(model: Any, n_columns: int) -> Array:
    """Gain of the splits at each column of scikit-learn's histogram boosting; NaN of other models."""
    trees = [tree for step in getattr(model, "_predictors", ()) for tree in step]
    if not trees:
        return np.full(n_columns, np.nan)
    nodes = np.concatenate([tree.nodes for tree in trees])
    inner = nodes[nodes["is_leaf"] == 0]
    gains = np.bincount(inner["feature_idx"], weights=inner["gain"].astype(np.float64), minlength=n_columns)
    return gains.astype(np.float64)
