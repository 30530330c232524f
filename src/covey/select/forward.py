"""Forward selection by what a model of the chosen columns does not explain, and by joint distance correlation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer

from covey.engine import Engine, resolve
from covey.measure import AssociationMatrix, Measure
from covey.measure._crossfit import Fold, RandomState, predict_folds, row_folds, seeded
from covey.measure._store import ColumnStore
from covey.measure.distance import distance_matrix
from covey.measure.distance_exact import KERNEL, _corrected, _finish
from covey.measure.distance_joint import joint_distance_correlations, squared_distances
from covey.select._base import (
    Array,
    Cut,
    GreedyPath,
    Ranker,
    RankingSelector,
    Scores,
    TargetKind,
    greedy,
    numeric_block,
)
from covey.select._encode import Encoding, centre_and_spread
from covey.select.filters import relevance
from covey.table import Column, FeatureTable

Rows = NDArray[np.intp]
Mode = Literal["joint", "confusion", "joint+confusion"]
Window = tuple[float, float]
Callback = Callable[[Sequence[int], float], None]

FEWEST_ROWS, FEWEST_PAIR_ROWS = 50, 20  # in a window, and of two classes in it, so that a score is more than chance
N_KNOTS = 6
NOT_REACHED = "not reached: enough columns were taken before it"


def confusion_window(probabilities: Array, codes: Rows, window: Window = (0.3, 0.7)) -> Rows:
    """Rows whose class a model cannot tell.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes)
    codes : ndarray of shape (n_rows,), int
        The true class of each row, a column of `probabilities`.
    window : (float, float)
        Of two classes, the rows with a probability of the second inside; of more, the rows whose two largest
        probabilities differ by less than the width.

    Returns
    -------
    ndarray of int64
        In rising order. If that were fewer than 50 rows, or of one class, the rows of each class whose two largest
        probabilities differ least, about 50 together.

    Examples
    --------
    >>> p = np.linspace(0, 1, 201)
    >>> rows = confusion_window(np.column_stack([1 - p, p]), np.arange(201) % 2)
    >>> p[rows].min().round(3), p[rows].max().round(3)
    (np.float64(0.305), np.float64(0.695))
    """
    largest = np.sort(probabilities, axis=1)[:, ::-1]
    margin = largest[:, 0] - largest[:, 1]
    low, high = window
    second = probabilities[:, -1]
    inside = (low < second) & (second < high) if probabilities.shape[1] == 2 else margin < high - low
    rows = np.flatnonzero(inside)
    if len(rows) >= FEWEST_ROWS and len(np.unique(codes[rows])) > 1:
        return rows
    order = np.argsort(margin, kind="stable")
    present = np.unique(codes)
    each = max(5, FEWEST_ROWS // len(present))
    return np.sort(np.concatenate([order[codes[order] == c][:each] for c in present]))


def confused_pairs(probabilities: Array, codes: Rows, rows: Rows) -> list[Rows]:
    """Rows of a window by the two classes that a model thinks likeliest, where the true class is one of them.

    Between rows of different pairs a column that is taken already still tells much.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes)
    codes : ndarray of shape (n_rows,), int
    rows : ndarray of int
        The window.

    Returns
    -------
    list of ndarray of int64
        Pairs of at least 20 rows with both classes present; the whole window if there is none, or two classes only.

    Examples
    --------
    >>> p = np.repeat([[0.5, 0.4, 0.1], [0.1, 0.5, 0.4]], 30, axis=0)
    >>> [len(part) for part in confused_pairs(p, np.tile([0, 1, 2], 20), np.arange(60))]
    [20, 20]
    """
    if probabilities.shape[1] == 2:
        return [rows]
    pair = np.sort(np.argsort(-probabilities[rows], axis=1, kind="stable")[:, :2], axis=1)
    within = (pair == codes[rows, None]).any(axis=1)
    label = pair[:, 0] * probabilities.shape[1] + pair[:, 1]
    parts = [rows[within & (label == one)] for one in np.unique(label)]
    kept = [part for part in parts if len(part) >= FEWEST_PAIR_ROWS and len(np.unique(codes[part])) == 2]
    return kept or [rows]


def largest_residuals(residual: Array, window: Window = (0.3, 0.7)) -> Rows:
    """Rows with the largest absolute residuals, in rising order: the share of the window's width, 50 or all.

    Examples
    --------
    >>> largest_residuals(np.arange(-100.0, 100.0), (0.3, 0.7))[[0, 39, 40, 79]].tolist()
    [0, 39, 40, 199]
    """
    n = len(residual)
    kept = min(n, max(FEWEST_ROWS, round(n * (window[1] - window[0]))))
    return np.sort(np.argsort(-np.abs(residual), kind="stable")[:kept])


class Unexplained:
    """What a model of some columns leaves unexplained of a target.

    Parameters
    ----------
    table : FeatureTable
        The columns to choose from.
    target : Column
    learner : scikit-learn classifier or regressor, as the target asks, or None
        None: an additive model of splines.
    window : (float, float)
    folds : sequence of (ndarray, ndarray)
        Training and test rows.

    Examples
    --------
    >>> from covey.table import read
    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> target = Column("y", "numeric", np.sin(2 * x[:, 0]) + x[:, 1])
    >>> rest = Unexplained(read(x), target, None, (0.3, 0.7), row_folds(3, 300, target.values, random_state=0))
    >>> (rows,), residual = rest((0,))
    >>> len(rows), float(np.corrcoef(residual.values, x[:, 1])[0, 1].round(2))
    (120, 0.99)
    """

    def __init__(
        self, table: FeatureTable, target: Column, learner: Any, window: Window, folds: Sequence[Fold]
    ) -> None:
        self._target, self._learner, self._window, self._folds = target, learner, window, folds
        encoding = Encoding.fit(table, np.arange(table.n_rows))
        self._encoded, self._owner = encoding.apply(table), encoding.owner

    def __call__(self, chosen: tuple[int, ...]) -> tuple[list[Rows], Column]:
        """Sets of rows to look at, and what is to be explained: the classes, or the residuals of numbers, of all rows.

        One set, but for more than two classes: then one for each pair of classes that are confused.
        """
        target = self._target
        if not chosen:
            return [np.arange(len(target.values))], target
        x = self._encoded[:, np.isin(self._owner, chosen)]
        learner = spline_model(x.shape[0], x.shape[1], target) if self._learner is None else self._learner
        if not target.is_coded:
            residual = target.values - predict_folds(learner, x, target.values, self._folds)
            return [largest_residuals(residual, self._window)], Column(target.name, "numeric", residual)
        present, codes = np.unique(target.values, return_inverse=True)
        probabilities = predict_folds(learner, x, codes, self._folds, np.arange(len(present)))
        return confused_pairs(probabilities, codes, confusion_window(probabilities, codes, self._window)), target


def spline_model(n_rows: int, n_columns: int, target: Column) -> Any:
    """An additive model: cubic splines of the normal scores of each column, and a (logistic) ridge regression.

    Examples
    --------
    >>> spline_model(100, 2, Column("y", "numeric", np.arange(3.0)))[-1]
    Ridge(alpha=0.1)
    """
    knots = np.tile(np.linspace(-2.5, 2.5, N_KNOTS)[:, None], n_columns)
    quantiles = max(2, min(100, n_rows // 4))
    scores = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", random_state=0)
    last = LogisticRegression(max_iter=1000) if target.is_coded else Ridge(0.1)
    return make_pipeline(scores, SplineTransformer(knots=knots, extrapolation="linear"), last)


class _Forward(RankingSelector):
    """Selectors that take one column at a time; a subclass makes the gain of each step."""

    k: Cut
    learner: Any
    window: Window
    cv: Any
    max_samples: int | None
    n_repeats: int
    random_state: RandomState
    callback: Callback | None

    def _path(self, gain: Callable[[tuple[int, ...]], Array], n_columns: int) -> Scores:
        """The path of `greedy`; columns that were not reached follow by their first gain."""
        first: list[Array] = []

        def remembered(chosen: tuple[int, ...]) -> Array:
            merit = gain(chosen)
            if not first:
                first.append(merit)
            return np.where(np.isnan(first[0]), np.nan, np.nan_to_num(merit))  # constant in a window: adds nothing

        k = n_columns if isinstance(self.k, str | float) or self.threshold is not None else self.k
        threshold = self.threshold
        stop = None if threshold is None else lambda chosen, best: best < threshold
        return _scores(greedy(remembered, min(k, n_columns), stop, self.callback), first[0])

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        order = np.argsort(self.ranking_)
        self.path_ = tuple((int(j), float(self.scores_[j])) for j in order if not np.isnan(self.scores_[j]))

    def _check_cut(self) -> None:
        super()._check_cut()
        if not 0 <= self.window[0] < self.window[1] <= 1:
            raise ValueError(f"window must be two rising probabilities, not {self.window!r}")
        if self.max_samples is not None and self.max_samples < FEWEST_PAIR_ROWS:
            raise ValueError(f"max_samples must be at least {FEWEST_PAIR_ROWS}, got {self.max_samples}")
        if self.n_repeats < 1:
            raise ValueError(f"n_repeats must be at least 1, got {self.n_repeats}")

    def _rest(self, table: FeatureTable, target: Column, rng: np.random.Generator) -> Unexplained:
        """What the learner leaves unexplained, on folds that stay the same in all steps."""
        if self.learner is not None and is_classifier(self.learner) != target.is_coded:
            kind = ("numbers", "regressor") if not target.is_coded else ("classes", "classifier")
            raise ValueError(f"y holds {kind[0]}, but {type(self.learner).__name__} is no {kind[1]}; give a {kind[1]}")
        cv = min(self.cv, table.n_rows) if isinstance(self.cv, int) else self.cv
        folds = row_folds(cv, table.n_rows, target.values, target.is_coded, rng)
        learner = None if self.learner is None else seeded(self.learner, int(rng.integers(2**31)))
        return Unexplained(table, target, learner, self.window, folds)

    def _samples(self, rows: Rows, rng: np.random.Generator, share: float = 1.0) -> list[Rows]:
        """`n_repeats` samples of a share of `max_samples` rows; once all rows where they are few."""
        most = len(rows) if self.max_samples is None else max(FEWEST_PAIR_ROWS, int(share * self.max_samples))
        if len(rows) <= most:
            return [rows]
        return [np.sort(rng.choice(rows, most, replace=False)) for _ in range(self.n_repeats)]

    def _mean(self, score: Callable[[Rows], Array], sets: list[Rows], rng: np.random.Generator) -> Array:
        """Mean score over samples of each set of rows, sets weighted by their size."""
        share = np.array([len(rows) for rows in sets]) / sum(map(len, sets))
        means = [np.mean([score(part) for part in self._samples(rows, rng, s)], axis=0) for rows, s in zip(sets, share)]
        return means[0] if len(means) == 1 else share @ np.nan_to_num(means)


class ResidualForward(_Forward):
    """Select columns one at a time, each by its association with what the columns before it leave unexplained.

    At each step a learner predicts the target of unseen rows from the columns taken so far. Of classes, the scorer then
    sees the rows inside the confusion window (`confusion_window`), of more than two classes each confused pair apart;
    of numbers, the residuals of the rows where they are largest. Columns that repeat what is taken have nothing to add
    there, and weak effects stand out.

    Parameters
    ----------
    scorer : str, Measure, or callable (X, y, association=None) -> ndarray of shape (n_features,) or Scores
        A measure of association, or any ranker; `X` is a FeatureTable, `y` a Column.
    learner : scikit-learn classifier with `predict_proba`, or regressor, optional
        By default an additive model of cubic splines, which is quick. It cannot see interactions of columns that have
        no effect alone; a small network or a forest can.
    window : (float, float)
        Probabilities between which rows count as confused. Of more than two classes its width bounds the difference of
        the two largest probabilities; of numbers it is the share of rows that are looked at.
    k : int, float, "elbow" or "all"
        How many columns to take; a share of them; those before the elbow of the scores; or rank all. All but a whole
        number and a threshold take all columns.
    threshold : float, optional
        Stop before the first column of a smaller score; `k` is then not used.
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Folds of the predictions, the same at all steps.
    max_samples : int, optional
        Look at no more than this many rows of a window, drawn at random.
    n_repeats : int
        Average the scores of this many draws.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the measure runs; the result does not depend on it.
    callback : callable (chosen, score) -> None, optional
        Told of each step; `chosen` are positions among the columns that vary.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Score of each column when it was taken; NaN for columns that were not reached. Scores of different steps are of
        different rows.
    path_ : tuple of (int, float)
        The columns taken, in their order, and their scores.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        The order in which columns were taken, then those that were not reached by their first score.

    References
    ----------
    Das, Kasieczka and Shih (2022), Feature Selection with Distance Correlation. arXiv:2212.00046 (the confusion
    window).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> strong, weak = rng.normal(size=(2, 500))
    >>> x = np.column_stack([strong, strong + 0.1 * rng.normal(size=500), weak])
    >>> ResidualForward(k=2, random_state=0).fit(x, 3 * strong + weak).path_[1][0]
    2
    """

    def __init__(
        self,
        scorer: str | Measure | Ranker = "auto",
        learner: Any = None,
        window: Window = (0.3, 0.7),
        k: Cut = 10,
        threshold: float | None = None,
        cv: Any = 3,
        max_samples: int | None = None,
        n_repeats: int = 1,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
        engine: Engine | str | None = None,
        callback: Callback | None = None,
    ) -> None:
        self.scorer = scorer
        self.learner = learner
        self.window = window
        self.k = k
        self.threshold = threshold
        self.cv = cv
        self.max_samples = max_samples
        self.n_repeats = n_repeats
        self.target_kind = target_kind
        self.random_state = random_state
        self.engine = engine
        self.callback = callback

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        rng = np.random.default_rng(self.random_state)
        rest = self._rest(table, target, rng)

        def gain(chosen: tuple[int, ...]) -> Array:
            sets, aim = rest(chosen)
            return self._mean(lambda rows: self._once(table.take(rows), _part(aim, rows)), sets, rng)

        return self._path(gain, table.n_columns)

    def _once(self, table: FeatureTable, target: Column) -> Array:
        if isinstance(self.scorer, str | Measure):
            return relevance(table, target, self.scorer, self.engine).values
        found = self.scorer(table, target, None)
        return found.values if isinstance(found, Scores) else np.asarray(found, dtype=np.float64)


class DistanceCorrelationSelector(_Forward):
    """Select columns one at a time by distance correlation with the target where the columns before are confused.

    Columns are standardised. Of a target of classes, distances are 0 and 1, and a window holds the rows whose class a
    model of the columns taken so far cannot tell. The paper treats two classes; of more, the score is the mean over
    confused pairs of classes, and of numbers, the residuals of that model are the target, where they are largest.
    Pairs of many classes hold few rows: on 26 spoken letters (the study), mRMR chooses better columns.

    Parameters
    ----------
    k : int, float, "elbow" or "all"
        How many columns to take; a share of them; those before the elbow of the scores; or rank all. All but a whole
        number and a threshold take all columns.
    mode : {"confusion", "joint", "joint+confusion"}
        Score each column alone in the confusion window; joined to the columns taken so far on all rows; or joined to
        them in the window. Joint distance correlation without a window prefers repeats of strong columns.
    learner : scikit-learn classifier with `predict_proba`, or regressor, optional
        Fitted to the columns taken so far; by default an additive model of cubic splines.
    window : (float, float)
        Probabilities between which rows count as confused. Of more than two classes its width bounds the difference of
        the two largest probabilities; of numbers it is the share of rows that are looked at.
    corrected : bool
        Use the bias-corrected squared distance correlation, which does not grow with the number of columns.
    max_samples : int, optional
        Look at no more than this many rows, drawn at random; a joint score takes time and memory by their square.
    n_repeats : int
        Average the scores of this many draws.
    threshold : float, optional
        Stop before the first column of a smaller score; `k` is then not used.
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Folds of the predictions, the same at all steps.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where blocks of columns run; the result does not depend on it.
    callback : callable (chosen, score) -> None, optional
        Told of each step; `chosen` are positions among the columns that vary.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Distance correlation of each column when it was taken; NaN for columns that were not reached. Scores of
        different steps are of different rows or sets.
    path_ : tuple of (int, float)
        The columns taken, in their order, and their scores.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        The order in which columns were taken, then those that were not reached by their first score.

    References
    ----------
    Das, Kasieczka and Shih (2022), Feature Selection with Distance Correlation. arXiv:2212.00046. Szekely, Rizzo and
    Bakirov (2007), Measuring and testing dependence by correlation of distances. Ann. Stat. 35.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> strong, weak = rng.normal(size=(2, 800))
    >>> x = np.column_stack([strong, strong + 0.2 * rng.normal(size=800), weak])
    >>> y = 2 * strong + np.abs(weak) > 0.8
    >>> [column for column, score in DistanceCorrelationSelector(k=2, random_state=0).fit(x, y).path_]
    [0, 2]
    """

    _mixed: ClassVar[bool] = False
    _missing: ClassVar[bool] = False

    def __init__(
        self,
        k: Cut = 10,
        mode: Mode = "confusion",
        learner: Any = None,
        window: Window = (0.3, 0.7),
        corrected: bool = False,
        max_samples: int | None = 2000,
        n_repeats: int = 1,
        threshold: float | None = None,
        cv: Any = 3,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
        engine: Engine | str | None = None,
        callback: Callback | None = None,
    ) -> None:
        self.k = k
        self.mode = mode
        self.learner = learner
        self.window = window
        self.corrected = corrected
        self.max_samples = max_samples
        self.n_repeats = n_repeats
        self.threshold = threshold
        self.cv = cv
        self.target_kind = target_kind
        self.random_state = random_state
        self.engine = engine
        self.callback = callback

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        rng = np.random.default_rng(self.random_state)
        columns = np.ascontiguousarray(_standardised(numeric_block(table)).T)
        if self.mode == "joint":
            return self._path(self._joint_gain(columns, target, rng), len(columns))
        rest = self._rest(table, target, rng)

        def gain(chosen: tuple[int, ...]) -> Array:
            sets, aim = rest(chosen)
            joined = list(chosen) if self.mode == "joint+confusion" else []
            return self._mean(lambda rows: self._once(columns[:, rows], joined, _part(aim, rows)), sets, rng)

        return self._path(gain, len(columns))

    def _joint_gain(
        self, columns: Array, target: Column, rng: np.random.Generator
    ) -> Callable[[tuple[int, ...]], Array]:
        """Joint distance correlations on rows that stay the same, the squared distances of the chosen set kept."""
        samples = self._samples(np.arange(columns.shape[1]), rng)
        bases = [np.zeros((len(rows), len(rows))) for rows in samples]

        def gain(chosen: tuple[int, ...]) -> Array:
            found = []
            for base, rows in zip(bases, samples):
                if chosen:
                    base += np.subtract.outer(columns[chosen[-1], rows], columns[chosen[-1], rows]) ** 2
                aim = distance_matrix(_part(target, rows).values)
                part = columns[:, rows]
                found.append(joint_distance_correlations(part, base, aim, self.corrected, self.engine))
            return np.mean(found, axis=0)

        return gain

    def _once(self, columns: Array, joined: list[int], target: Column) -> Array:
        if joined:
            base = squared_distances(columns[joined].T)
            return joint_distance_correlations(
                columns, base, distance_matrix(target.values), self.corrected, self.engine
            )
        return column_distance_correlations(columns, target, self.corrected, self.engine)

    def _check_cut(self) -> None:
        super()._check_cut()
        if self.mode not in ("joint", "confusion", "joint+confusion"):
            raise ValueError(f"mode must be 'joint', 'confusion' or 'joint+confusion', not {self.mode!r}")


def column_distance_correlations(
    columns: Array, target: Column, corrected: bool = False, engine: Engine | str | None = None
) -> Array:
    """Distance correlation of each column alone with a target; O(n log n) a column unless it has many classes.

    Parameters
    ----------
    columns : ndarray of shape (n_columns, n_rows)
    target : Column
        Complete.
    corrected : bool
        Bias-corrected and squared.
    engine : Engine or str, optional

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where undefined.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    >>> column_distance_correlations(x, Column("y", "numeric", x[1])).round(3).tolist()
    [0.0, 1.0]
    """
    n_columns, n_rows = columns.shape
    levels, codes = np.unique(target.values, return_inverse=True)
    if target.is_coded and len(levels) > 2:
        return joint_distance_correlations(
            columns, np.zeros((n_rows, n_rows)), distance_matrix(target.values), corrected, engine
        )
    numbers = codes.astype(np.float64) if target.is_coded else target.values
    names = [Column(f"x{j}", "numeric", values) for j, values in enumerate([*columns, numbers])]
    left, right = np.arange(n_columns), np.full(n_columns, n_columns)
    sums = KERNEL.sums(ColumnStore(names), left, right, resolve(engine))
    return _corrected(sums) if corrected else _finish(sums, False).values


def _part(column: Column, rows: Rows) -> Column:
    return Column(column.name, column.kind, column.values[rows], column.categories)


def _standardised(x: Array) -> Array:
    centre, spread = centre_and_spread(x)
    return (x - centre) / spread


def _scores(path: GreedyPath, first: Array) -> Scores:
    values = np.full(len(first), np.nan)
    values[list(path.order)] = path.gains
    rest = [j for j in np.argsort(-first, kind="stable").tolist() if j not in set(path.order)]
    reasons = tuple("" if undefined else NOT_REACHED for undefined in np.isnan(first))
    return Scores(values, reasons, (*path.order, *rest))
