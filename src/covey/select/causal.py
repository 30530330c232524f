"""Direct causes of a target, by what a learner loses on unseen rows when it is not given a column."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils import get_tags

from covey.engine import Engine
from covey.measure import AssociationMatrix
from covey.measure._crossfit import RandomState, row_folds
from covey.measure._null import false_discovery
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind
from covey.select._encode import Encoding, centre_and_spread
from covey.select.crossfit import CrossFitter, paired_t_test
from covey.table import Column, FeatureTable

Correction = Literal["by", "bh"]
MOST_KERNEL_ROWS = 3000  # the kernel matrix of all pairs of rows is factorised once a column


def debiased_score(y: ArrayLike, prediction: ArrayLike) -> Array:
    """Debiased score of ``E[Y E[Y|X]]``: ``Y g + g (Y - g)``, which is ``Y^2 - (Y - g)^2``.

    The functional is linear in the regression g and its Riesz representer is g itself, so that errors of g count in
    second order only.

    Parameters
    ----------
    y, prediction : array-like of the same shape
        Observed and predicted values.

    Returns
    -------
    ndarray of that shape

    Examples
    --------
    >>> debiased_score([1.0, 2.0], [1.0, 1.5]).tolist()
    [1.0, 3.75]
    """
    y, g = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return y * g + g * (y - g)


def effect_differences(y: ArrayLike, full: ArrayLike, without: ArrayLike) -> Array:
    """Difference of the debiased scores with and without columns, for each row: by how much its squared error grows.

    Parameters
    ----------
    y, full : array-like of shape (n_rows,) or (n_rows, n_targets)
        Observed values, and out-of-fold predictions with all columns.
    without : array-like of shape (n_groups, n_rows) or (n_groups, n_rows, n_targets)
        Out-of-fold predictions without the columns of each group.

    Returns
    -------
    ndarray of shape (n_groups, n_rows)
        Summed over targets.

    Examples
    --------
    >>> effect_differences([1.0, 2.0], [1.0, 1.5], [[0.0, 1.5]]).tolist()
    [[1.0, 0.0]]
    """
    y, full, without = (np.asarray(values, dtype=np.float64) for values in (y, full, without))
    difference = (full - without) * ((y - full) + (y - without))
    return difference.reshape(*without.shape[:2], -1).sum(axis=2)


class DoublyRobustSelector(RankingSelector):
    """Select the direct causes of the target by doubly robust tests (DRCFS).

    When the target is a function of its causes plus independent noise, and causes no column itself, a column is a
    direct cause exactly when ``E[Y E[Y|X]]`` is not the same without it. The difference of the debiased scores of the
    two is, row by row, the growth of the squared error of cross-fitted predictions, and a paired t-test says whether
    its mean is above 0. Columns may cause each other, in cycles too, and share hidden causes. A column that the target
    causes is selected as well: that it is none must be known. Of two columns that repeat each other neither is
    selected, as nothing is lost without one of them; `groups` leaves them out together.

    Columns of any kind are taken: numbers standardised, a category as one column a level, gaps filled and marked; a
    column is left out with all that stands for it. Of a target of classes, the indicators are predicted.

    Parameters
    ----------
    learner : scikit-learn regressor, or classifier with `predict_proba`, optional
        By default kernel ridge regression with an RBF kernel, and beyond 3000 rows gradient-boosted trees. `Ridge` and
        `KernelRidge` have closed forms (`CrossFitter`). It must be able to learn the true function: to a linear
        learner, columns of other effects are no causes.
    alpha : float
        Keep the columns whose adjusted p-value is at most this, in (0, 1).
    correction : {"by", "bh"} or None
        How p-values are adjusted: Benjamini-Yekutieli (any dependence), Benjamini-Hochberg, or not.
    two_sided : bool
        By default only growth of the error counts. A learner predicts better without a column that is no cause, and
        the two-sided test then keeps it: on the data of the study it keeps nearly all columns.
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Folds; of a number, rows are drawn at random.
    groups : sequence of labels, one for each column of `X`, optional
        Columns of the same label are left out together, and get the same score and p-value.
    k : int, float, "elbow" or "all", optional
        Keep the best `k` by p-value instead of those of a p-value up to `alpha`.
    threshold : float, optional
        Keep the columns up to the first one of a smaller score instead.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None
        Of the folds, and of learners without one of their own.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the columns run; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Mean growth of the squared error, in squared units of `y` (summed over classes).
    pvalues_ : ndarray of shape (n_features_in_,)
    adjusted_pvalues_ : ndarray of shape (n_features_in_,)
        Over columns, or groups, with a score.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        By p-value.
    closed_form_ : bool
        Whether the learner was not fitted anew for each column.

    References
    ----------
    Quinzan, Soleymani, Jaillet, Rojas and Bauer (2023), DRCFS: Doubly Robust Causal Feature Selection. ICML.
    arXiv:2306.07024. Benjamini and Yekutieli (2001), The control of the false discovery rate in multiple testing under
    dependency. Ann. Stat. 29.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=(300, 2))
    >>> x = np.column_stack([cause, cause[:, 0] + rng.normal(size=300)])
    >>> y = np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * rng.normal(size=300)
    >>> DoublyRobustSelector(random_state=0).fit(x, y).get_support(indices=True)
    array([0, 1])
    """

    k: Any
    _mixed: ClassVar[bool] = True
    _missing: ClassVar[bool] = True

    def __init__(
        self,
        learner: Any = None,
        alpha: float = 0.05,
        correction: Correction | None = "by",
        two_sided: bool = False,
        cv: Any = 5,
        groups: Sequence[Hashable] | None = None,
        k: Cut | None = None,
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.learner = learner
        self.alpha = alpha
        self.correction = correction
        self.two_sided = two_sided
        self.cv = cv
        self.groups = groups
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind
        self.random_state = random_state
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        rng = np.random.default_rng(self.random_state)
        rows = np.arange(table.n_rows)
        encoding = Encoding.fit(table, rows)
        labels = self._labels
        groups = [np.flatnonzero(labels[encoding.owner] == g) for g in range(labels.max() + 1)]
        folds = row_folds(self.cv, len(rows), target.values, target.is_coded, rng)
        learner = default_learner(table.n_columns, len(rows), target) if self.learner is None else self.learner
        known, seen, scale = _targets(learner, target)
        found = CrossFitter(learner, folds, rng, self.engine).without(encoding.apply(table), known, groups)
        growth = effect_differences(seen, found.full, found.without)
        t, p = paired_t_test(growth, self.two_sided)
        self.closed_form_ = found.closed_form
        self._pvalues = p[labels]
        self._adjusted = (p if self.correction is None else false_discovery(p, self.correction))[labels]
        first = np.lexsort((-np.abs(t[labels]), self._pvalues))
        return Scores(growth.mean(axis=1)[labels] * scale, order=tuple(first.tolist()))

    def _check_columns(self, columns: Any, reasons: Sequence[str]) -> None:
        super()._check_columns(columns, reasons)
        labels: Sequence[Hashable] = range(len(reasons)) if self.groups is None else list(self.groups)
        if len(labels) != len(reasons):
            raise ValueError(f"groups has {len(labels)} labels, but X has {len(reasons)} columns; give one for each")
        place: dict[Hashable, int] = {}
        usable = [label for label, reason in zip(labels, reasons) if not reason]
        self._labels = np.array([place.setdefault(label, len(place)) for label in usable], dtype=np.intp)

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        self.pvalues_, self.adjusted_pvalues_ = (np.full(len(reasons), np.nan) for _ in range(2))
        if len(usable):
            self.pvalues_[usable], self.adjusted_pvalues_[usable] = self._pvalues, self._adjusted

    def _check_cut(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, got {self.alpha}")
        if self.correction not in (None, "by", "bh"):
            raise ValueError(f"correction must be 'by', 'bh' or None, not {self.correction!r}")
        if self.k is not None:
            super()._check_cut()

    def _cut(self, names: Sequence[str]) -> int:
        if self.k is None and self.threshold is None:
            return int(np.count_nonzero(self.adjusted_pvalues_ <= self.alpha))
        return super()._cut(names)


def default_learner(n_features: int, n_rows: int, target: Column) -> Any:
    """Kernel ridge regression on standardised columns, or gradient-boosted trees for many rows."""
    if n_rows <= MOST_KERNEL_ROWS:
        return KernelRidge(kernel="rbf", gamma=1 / n_features, alpha=0.3)
    return HistGradientBoostingClassifier() if target.is_coded else HistGradientBoostingRegressor()


def _targets(learner: Any, target: Column) -> tuple[NDArray, Array, float]:
    """What the learner is fitted to, what its predictions are compared with, and the unit of squared errors."""
    if not target.is_coded:
        if is_classifier(learner):
            raise ValueError(f"y holds numbers, but {type(learner).__name__} is a classifier; give a regressor")
        (centre,), (spread,) = centre_and_spread(target.values[:, None])
        values = (target.values - centre) / spread
        with np.errstate(over="ignore"):
            return values, values, float(np.square(spread))
    present, codes = np.unique(target.values, return_inverse=True)
    if is_classifier(learner):
        return codes, np.eye(len(present))[codes], 1.0
    if len(present) == 2:
        return codes.astype(np.float64), codes.astype(np.float64), 1.0
    if not get_tags(learner).target_tags.multi_output:
        raise ValueError(
            f"y has {len(present)} classes, and {type(learner).__name__} predicts one number; give a classifier"
        )
    indicators = np.eye(len(present))[codes]
    return indicators, indicators, 1.0
