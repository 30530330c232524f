"""A workflow that selects, fits, compares and explains models: forward selection, cohorts, Shapley values, aspects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from threadpoolctl import threadpool_limits

from covey.measure._crossfit import Fold, row_folds, seeded
from covey.select._attribution import model_outputs
from covey.select._base import Array, GreedyPath, TargetKind, greedy
from covey.select._cohorts import Metric, cohort_metrics, holm, paired_test
from covey.select._encode import Encoding
from covey.select._shapley import shapley_values
from covey.select._workflow_data import INTERNAL, Cohort, WorkflowData, named_cohorts
from covey.select.aspects import (
    AspectImportance,
    Aspects,
    aspect_importance,
    aspects_of,
    natural_importance,
    rank_correlation,
)
from covey.select.comparison import column_order, compare_selectors, folds_of, held_out_score
from covey.table import Column, FeatureTable, plain

Rows = NDArray[np.intp]
Labels = NDArray[np.intp]
Table = dict[str, list[Any]]
RandomState = int | np.random.Generator | None

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
        data = WorkflowData.of(X, y, groups, self.target_kind)
        cohorts = {name: data.cohort(name, *pair) for name, pair in named_cohorts(external).items()}
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
            internal = Cohort(encoded[np.ix_(test, used)], data.y[test], data.clusters(test))
            all_cohorts = {INTERNAL: internal} | {
                name: Cohort(encoding.apply(table)[:, used], codes, None) for name, (table, codes) in cohorts.items()
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

    def _scoring(self, data: WorkflowData) -> str:
        if self.scoring is not None:
            return self.scoring
        if not data.is_class:
            return "r2"
        return "roc_auc" if data.n_classes == 2 else "accuracy"

    def _select(
        self, data: WorkflowData, encoded: Array, owner: NDArray[np.int64], train: Rows, folds: Sequence[Fold]
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
        self, data: WorkflowData, encoded: Array, train: Rows, folds: Sequence[Fold]
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


def _compared(models: Sequence[WorkflowModel], cohorts: Mapping[str, Cohort], is_class: bool) -> tuple[Table, Table]:
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


def _metrics(model: WorkflowModel, held: Cohort, is_class: bool) -> dict[str, Metric]:
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
    cohort: Cohort
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
