"""Recursive elimination of columns by the attributions of a model that is fitted anew after each round (RFEwNA)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_absolute_error, zero_one_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor

from covey.engine._local import one_blas_thread
from covey.measure import AssociationMatrix
from covey.measure._crossfit import seeded
from covey.select._attribution import METHODS, attribute_columns
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind
from covey.select._encode import Encoding
from covey.select.stability import subsample
from covey.table import Column, FeatureTable

Rows = NDArray[np.intp]
RandomState = int | np.random.Generator | None
Attribution = str | Callable[[Any, Array], Array]


@dataclass(frozen=True, eq=False)
class EliminationRound:
    """One round of elimination.

    Parameters
    ----------
    columns : ndarray of int
        Those that the model was fitted on, rising.
    error : float
        Of the model on the rows that it was not fitted on.
    strength : ndarray of shape (n_columns,)
        Mean absolute attribution of each of them.
    dropped : ndarray of int
        The columns that are left out from the next round on.
    """

    columns: Rows
    error: float
    strength: Array
    dropped: Rows


def eliminate_columns(
    assess: Callable[[Rows], tuple[float, Array]], n_columns: int, step: float = 0.2, patience: int = 3
) -> tuple[tuple[EliminationRound, ...], int]:
    """Drop the weakest columns round by round, as long as the error does not grow.

    Parameters
    ----------
    assess : callable (columns) -> (error, strength of each of these columns)
    n_columns : int
    step : float
        Share of the columns that is dropped in a round, in (0, 1), rounded down. A share below 1 column ends it.
    patience : int
        So many rounds in a row above the smallest error end it.

    Returns
    -------
    rounds : tuple of EliminationRound
    best : int
        Position of the round of the smallest error, the last one of equals.

    Raises
    ------
    ValueError
        If a number is out of its range, or the first error is not finite.

    Examples
    --------
    >>> def assess(columns):
    ...     return abs(len(columns) - 4), 1.0 / (1 + columns)
    >>> rounds, best = eliminate_columns(assess, 6, step=0.3, patience=1)
    >>> [r.columns.tolist() for r in rounds], best
    ([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2]], 2)
    """
    if not 0 < step < 1:
        raise ValueError(f"step must be in (0, 1), got {step}")
    if patience < 1:
        raise ValueError(f"patience must be at least 1, got {patience}")
    columns = np.arange(n_columns)
    rounds: list[EliminationRound] = []
    best = 0
    while True:
        error, strength = assess(columns)
        n_dropped = int(step * len(columns) + 1e-9)
        weakest = columns[np.argsort(strength, kind="stable")[:n_dropped]]
        rounds.append(EliminationRound(columns, float(error), np.asarray(strength), np.sort(weakest)))
        if not np.isfinite(rounds[best].error):
            raise ValueError(f"the error of the model on all columns is {rounds[best].error}; check it and the target")
        if error <= rounds[best].error:
            best = len(rounds) - 1
        if n_dropped < 1 or len(rounds) - 1 - best >= patience:
            return tuple(rounds), best
        columns = np.setdiff1d(columns, weakest)


class AttributionRFE(RankingSelector):
    """Recursive feature elimination with network attributions (RFEwNA).

    A model is fitted from scratch on the columns that are left, the mean absolute attribution of each of them is taken
    over rows held out, and the weakest are dropped, until the error on these rows grows. The columns of the smallest
    error are selected.

    Columns of any kind are taken: numbers standardised, a category as one column a level, gaps filled and marked; the
    attributions of all that stands for a column are added up. The held-out rows choose the round, so that the error of
    it is too good; measure on others.

    Parameters
    ----------
    estimator : scikit-learn regressor or classifier, as the target asks, optional
        By default a network of two hidden layers of 64 units. A regressor is fitted to the standardised target.
    attribution : {"integrated_gradients", "saliency", "deeplift", "ablation", "permutation"} or callable
        How the columns of a model are attributed (`attribute_columns`); a callable (model, X) returns an array of the
        shape of `X`. Models other than scikit-learn's networks need one of the last two, or a callable.
    step : float
        Share of the columns that is dropped in a round, in (0, 1).
    patience : int
        So many rounds in a row above the smallest error end the search. 1 in the paper; but training anew moves the
        error a little too.
    test_size : float
        Share of the rows (of each class) held out, in (0, 1).
    k : int, float, "elbow" or "all", optional
        Keep the best `k` of the ranking instead of the columns of the smallest error.
    threshold : float, optional
        Keep the columns up to the first one of a smaller score instead.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None
        Of the rows held out, and of models without a seed of their own.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Mean absolute attribution in the last round of a column, at most that of the smallest error; in units of `y`, or
        of the logits or probabilities of a class.
    reasons_ : tuple of str
    ranking_ : ndarray of shape (n_features_in_,), int64
        Columns that were dropped later are better.
    history_ : tuple of EliminationRound
        Its columns are positions in `X`. The error is the mean absolute error, or the log loss (share of errors where
        a classifier has no probabilities).
    best_round_ : int
        Position in `history_` of the smallest error.

    References
    ----------
    Shi, Kan, Smucny and Davidson (2024), ChaosMining: A Benchmark to Evaluate Post-Hoc Local Attribution Methods in
    Low SNR Environments. arXiv:2406.12150. Guyon, Weston, Barnhill and Vapnik (2002), Gene Selection for Cancer
    Classification using Support Vector Machines. Machine Learning 46.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> x = np.random.default_rng(0).normal(size=(300, 12))
    >>> y = x[:, 2] - 2 * x[:, 7] + x[:, 9] + 0.5 * np.random.default_rng(1).normal(size=300)
    >>> found = AttributionRFE(Ridge(), "ablation", step=0.4, random_state=0).fit(x, y)
    >>> [len(r.columns) for r in found.history_], found.get_support(indices=True)
    ([12, 8, 5, 3, 2], array([2, 7, 9]))
    """

    k: Any
    _mixed: ClassVar[bool] = True
    _missing: ClassVar[bool] = True

    def __init__(
        self,
        estimator: Any = None,
        attribution: Attribution = "integrated_gradients",
        step: float = 0.2,
        patience: int = 3,
        test_size: float = 0.2,
        k: Cut | None = None,
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.attribution = attribution
        self.step = step
        self.patience = patience
        self.test_size = test_size
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind
        self.random_state = random_state

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        trial = self._trial(table, target)
        with one_blas_thread():  # products of a batch are small
            self._rounds, self.best_round_ = eliminate_columns(trial.assess, table.n_columns, self.step, self.patience)
        values = np.empty(table.n_columns)
        for one in self._rounds[: self.best_round_ + 1]:
            values[one.columns] = one.strength
        return Scores(values, order=_order(self._rounds, self.best_round_))

    def _trial(self, table: FeatureTable, target: Column) -> _Trial:
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        train = subsample(target, table.n_rows, 1.0 - self.test_size, seed)
        test = np.setdiff1d(np.arange(table.n_rows), train)
        if not len(test):
            raise ValueError(
                f"{table.n_rows} rows are too few to hold out a share of {self.test_size}; raise test_size"
            )
        estimator = default_network(target, len(train)) if self.estimator is None else self.estimator
        if is_classifier(estimator) != target.is_coded:
            asked = "classifier" if target.is_coded else "regressor"
            raise ValueError(f"y is {target.kind}, which asks for a {asked}, not {type(estimator).__name__}")
        encoding = Encoding.fit(table, train)
        return _Trial(
            seeded(estimator, seed), self.attribution, encoding.apply(table), encoding.owner, target, train, test
        )

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        place = np.asarray(usable, dtype=np.intp)
        if not len(place):
            self._rounds, self.best_round_ = (), 0
        self.history_ = tuple(
            EliminationRound(place[r.columns], r.error, r.strength, place[r.dropped]) for r in self._rounds
        )
        del self._rounds

    def _check_cut(self) -> None:
        if not 0 < self.test_size < 1:
            raise ValueError(f"test_size must be in (0, 1), got {self.test_size}")
        if isinstance(self.attribution, str) and self.attribution not in METHODS:
            raise ValueError(f"attribution must be one of {', '.join(METHODS)}, or callable, not {self.attribution!r}")
        if self.k is not None:
            super()._check_cut()

    def _cut(self, names: Sequence[str]) -> int:
        if self.k is None and self.threshold is None:
            return len(self.history_[self.best_round_].columns) if self.history_ else 0
        return super()._cut(names)


def default_network(target: Column, n_rows: int) -> MLPRegressor | MLPClassifier:
    """A network of two hidden layers, with weights decaying as much as a few thousand noisy rows need.

    Examples
    --------
    >>> default_network(Column("y", "numeric", np.arange(3.0)), 3).hidden_layer_sizes
    (64, 64)
    """
    make = MLPClassifier if target.is_coded else MLPRegressor
    epochs = int(np.clip(MOST_ROWS_SEEN // n_rows, 20, 100))
    return make(
        hidden_layer_sizes=(64, 64),
        alpha=0.3,
        learning_rate_init=0.002,
        batch_size=min(200, n_rows),
        max_iter=epochs,
        n_iter_no_change=epochs,
    )


MOST_ROWS_SEEN = 200_000  # in all epochs together


@dataclass(frozen=True, eq=False)
class _Trial:
    """Fits of a model on some columns of encoded rows."""

    estimator: Any
    attribution: Attribution
    encoded: Array
    owner: NDArray[np.int64]
    target: Column
    train: Rows
    test: Rows

    def assess(self, columns: Rows) -> tuple[float, Array]:
        """Error on the held-out rows, and mean absolute attributions there, with these columns only."""
        used = np.isin(self.owner, columns)
        labels = np.searchsorted(columns, self.owner[used])
        train, test = self.encoded[np.ix_(self.train, used)], self.encoded[np.ix_(self.test, used)]
        y, scale = self._standard()
        model = seeded(self.estimator, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the error on held-out rows says whether it learned
            model.fit(train, y[self.train])
        if self.target.is_coded:
            error = _class_error(model, test, self.target.values[self.test])
        else:
            error = float(mean_absolute_error(y[self.test], model.predict(test))) * scale
        return error, self._strength(model, test, labels) * scale

    def _standard(self) -> tuple[NDArray[Any], float]:
        """The target as the model sees it, numbers standardised, and the scale of these."""
        y = self.target.values
        if self.target.is_coded:
            return y, 1.0
        centre, scale = float(np.mean(y[self.train])), float(np.std(y[self.train]))
        scale = scale if scale > 0 else 1.0
        return (y - centre) / scale, scale

    def _strength(self, model: Any, X: Array, labels: Rows) -> Array:
        if callable(self.attribution):
            values = np.asarray(self.attribution(model, X), dtype=np.float64)
            if values.shape != X.shape:
                raise ValueError(f"attribution returned shape {values.shape}, but X has {X.shape}")
            values = values @ (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
        else:
            values = attribute_columns(model, X, self.attribution, groups=labels)  # type: ignore[arg-type]
        strength: Array = np.abs(values).mean(axis=0)
        if not np.isfinite(strength).all():
            raise ValueError("attributions are not finite; the model has not converged, lower its learning rate")
        return strength


def _class_error(model: Any, X: Array, codes: NDArray[Any]) -> float:
    if not hasattr(model, "predict_proba"):
        return float(zero_one_loss(codes, model.predict(X)))
    return float(log_loss(codes, model.predict_proba(X), labels=model.classes_))


def _order(rounds: Sequence[EliminationRound], best: int) -> tuple[int, ...]:
    """Columns of the best round by strength, then those dropped before it, the last dropped first."""

    def by_strength(one: EliminationRound, columns: Rows) -> list[int]:
        strength = one.strength[np.searchsorted(one.columns, columns)]
        return columns[np.argsort(-strength, kind="stable")].tolist()

    order = by_strength(rounds[best], rounds[best].columns)
    for one in reversed(rounds[:best]):
        order += by_strength(one, one.dropped)
    return tuple(order)
