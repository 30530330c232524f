"""All columns that matter, not the fewest that suffice: each must beat permuted copies of the columns in a forest."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from covey.measure import AssociationMatrix
from covey.measure._null import false_discovery
from covey.select._base import Array, RankingSelector, Scores, TargetKind, numeric_block
from covey.select._forest import importances, ranks_for_trees, seeded, target_for_trees
from covey.table import Column, FeatureTable

RandomState = int | np.random.Generator | None

MIN_SHADOWS = 10
CONFIRMED, TENTATIVE, REJECTED = "confirmed", "tentative", "rejected"


def shadow_test(hits: NDArray[np.int64], n_rounds: int, alpha: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which columns beat the best shadow more often, and which less often, than half of the time.

    Binomial tests of both sides with the false discovery rate at `alpha` over the columns (Benjamini and Hochberg),
    divided by the number of rounds because the test is made after each.

    Parameters
    ----------
    hits : ndarray of shape (n_columns,), int
        Rounds in which a column beat all shadows.
    n_rounds : int
    alpha : float
        0..1.

    Returns
    -------
    more, less : ndarray of shape (n_columns,), bool

    Examples
    --------
    >>> more, less = shadow_test(np.array([14, 7, 0]), 14, 0.05)
    >>> more.tolist(), less.tolist()
    ([True, False, False], [False, False, True])
    """
    more = false_discovery(binom.sf(hits - 1, n_rounds, 0.5)) <= alpha / n_rounds
    less = false_discovery(binom.cdf(hits, n_rounds, 0.5)) <= alpha / n_rounds
    return more, less


class AllRelevantSelector(RankingSelector):
    """Select every column that says more about the target than permuted columns do (Boruta).

    In each round a forest is grown on the columns and on a permuted copy of each, a shadow. A column scores a hit
    when its importance is above that of all shadows. Columns whose hits are too many or too few for chance are
    confirmed or rejected (`shadow_test`); rejected ones leave the following rounds. Columns are replaced by their
    ranks, and categories by their codes; missing values are a value of their own to the trees.

    Parameters
    ----------
    estimator : estimator with ``feature_importances_``, optional
        Grown in each round, with a seed of its own where it has a `random_state`. By default 50 extremely randomised
        trees of depth 6 that try a tenth of the columns, or their root where that is more, at each split.
    max_iter : int
        Rounds; columns that are still undecided then are tentative.
    alpha : float
        Level of the tests, in (0, 1).
    tentative : bool
        Whether to select tentative columns too.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None

    Attributes
    ----------
    decisions_ : ndarray of shape (n_features_in_,), str
        ``"confirmed"``, ``"tentative"`` or ``"rejected"``; ``""`` for columns that no forest can use.
    hits_ : ndarray of shape (n_features_in_,), int64
        Rounds in which the column beat all shadows.
    scores_ : ndarray of shape (n_features_in_,)
        Mean importance in multiples of the best shadow's, over the rounds that the column was in.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        Confirmed columns first, then tentative ones, then by the scores.
    n_iter_ : int
        Rounds until all was decided.

    References
    ----------
    Kursa and Rudnicki (2010), Feature Selection with the Boruta Package. J. Stat. Softw. 36(11).

    Examples
    --------
    Of two copies both are relevant:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 8))
    >>> x[:, 5] = x[:, 1] + 0.1 * rng.normal(size=300)
    >>> selector = AllRelevantSelector(max_iter=20, random_state=0).fit(x, x[:, 1] > 0)
    >>> selector.get_support(indices=True), selector.decisions_[0]
    (array([1, 5]), np.str_('rejected'))
    """

    k: ClassVar[str] = "all"  # type: ignore[assignment,misc]
    threshold = None

    def __init__(
        self,
        estimator: Any = None,
        max_iter: int = 60,
        alpha: float = 0.05,
        tentative: bool = False,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.max_iter = max_iter
        self.alpha = alpha
        self.tentative = tentative
        self.target_kind = target_kind
        self.random_state = random_state

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        x, y = ranks_for_trees(numeric_block(table)), target_for_trees(target)
        trial = _Trial(x.shape[1], self.alpha)
        rng = np.random.default_rng(self.random_state)
        while trial.n_rounds < self.max_iter and trial.undecided.any():
            columns = np.flatnonzero(trial.decision >= 0)
            trial.update(columns, *self._importances(x[:, columns], y, target.is_coded, rng))
        self.n_iter_ = trial.n_rounds
        self._trial = trial
        order = np.lexsort((-trial.scores, -trial.decision))
        return Scores(trial.scores, order=tuple(order.tolist()))

    def _importances(
        self, x: NDArray[np.float32], y: Any, classes: bool, rng: np.random.Generator
    ) -> tuple[Array, float]:
        """Importances of the columns, and the largest of a shadow."""
        shadows = np.hstack([rng.permuted(x, axis=0) for _ in range(-(-MIN_SHADOWS // x.shape[1]))])
        both = np.hstack([x, shadows])
        model = self._model(classes, both.shape[1], int(rng.integers(2**31)))
        found = importances(model, both, y)
        return found[: x.shape[1]], float(found[x.shape[1] :].max())

    def _model(self, classes: bool, n_columns: int, seed: int) -> Any:
        if self.estimator is not None:
            return seeded(self.estimator, seed)
        tried = max(1, int(max(np.sqrt(n_columns), 0.1 * n_columns)))
        forest = ExtraTreesClassifier if classes else ExtraTreesRegressor
        return forest(50, max_depth=6, max_features=tried, random_state=seed)

    def _keep(self, found: Scores, usable: Any, reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        self.hits_ = np.zeros(len(reasons), dtype=np.int64)
        self.decisions_ = np.full(len(reasons), "", dtype="<U9")
        if not len(usable):
            self.n_iter_ = 0
        else:
            self.hits_[usable] = self._trial.hits
            self.decisions_[usable] = np.array([REJECTED, TENTATIVE, CONFIRMED])[self._trial.decision + 1]
            del self._trial

    def _check_cut(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie in 0..1, got {self.alpha}")
        if not isinstance(self.max_iter, int | np.integer) or self.max_iter < 1:
            raise ValueError(f"max_iter must be a whole number from 1, got {self.max_iter!r}")

    def _cut(self, names: Any) -> int:
        kept = (CONFIRMED, TENTATIVE) if self.tentative else (CONFIRMED,)
        return int(np.isin(self.decisions_, kept).sum())


class _Trial:
    """Hits and decisions so far: 1 confirmed, 0 undecided, -1 rejected."""

    def __init__(self, n_columns: int, alpha: float) -> None:
        self.alpha = alpha
        self.n_rounds = 0
        self.hits = np.zeros(n_columns, dtype=np.int64)
        self.decision = np.zeros(n_columns, dtype=np.int64)
        self.total, self.times = np.zeros(n_columns), np.zeros(n_columns)

    @property
    def undecided(self) -> NDArray[np.bool_]:
        return self.decision == 0

    @property
    def scores(self) -> Array:
        return self.total / self.times

    def update(self, columns: NDArray[np.intp], importances: Array, bar: float) -> None:
        self.n_rounds += 1
        self.hits[columns] += importances > bar
        self.total[columns] += importances / bar if bar > 0.0 else (importances > 0.0)
        self.times[columns] += 1
        more, less = shadow_test(self.hits, self.n_rounds, self.alpha)
        self.decision = np.where(self.undecided, more.astype(np.int64) - less, self.decision)
