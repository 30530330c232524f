"""Importance in a forest, with the least important columns left out again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from covey.measure import AssociationMatrix
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind, numeric_block
from covey.select._forest import (
    TreeAverageClassifier,
    TreeAverageRegressor,
    importances,
    ranks_for_trees,
    seeded,
    target_for_trees,
    values_for_trees,
)
from covey.table import Column, FeatureTable

RandomState = int | np.random.Generator | None


class ForestSelector(RankingSelector):
    """Select columns by their importance in a forest; after each forest the least important ones leave.

    In a forest of all columns, those that say the same share their importance, and none of them looks important. As
    some leave, it falls to those that stay (recursive feature elimination). This goes on until one is left, so that
    the best 3 of the best 50 are the best 3. Half of the trees cut the values at random, which tells apart what lies
    far away, and half their ranks, which a few far values cannot hide; categories are replaced by their codes, and
    missing values are a value of their own to the trees.

    Parameters
    ----------
    k : int, float, "elbow" or "all"
        How many columns to keep; a share of them; those before the elbow of the importances; or all. The elbow and a
        threshold are of importances in one forest, so that none leave.
    threshold : float, optional
        Keep columns of at least this importance; `k` is then not used.
    step : float
        Share of the columns that leave after each forest, in (0, 1].
    n_estimators : int
        Trees of each forest.
    min_samples_leaf : int
        Of the trees. Those that go on to single rows find columns of many values important that say nothing.
    estimator : estimator with ``feature_importances_``, optional
        Grown on ranks in each round, with a seed of its own where it has a `random_state`. By default extremely
        randomised trees that try the root of the number of columns at each split, of a numeric target a third of them.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    random_state : int, Generator or None

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Importance in the last forest that a column was in; those of one forest sum to 1.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        By the forest in which a column was last, then by its importance there.
    n_forests_ : int

    References
    ----------
    Guyon, Weston, Barnhill and Vapnik (2002), Gene selection for cancer classification using support vector machines.
    Machine Learning 46. Geurts, Ernst and Wehenkel (2006), Extremely randomized trees. Machine Learning 63.

    Examples
    --------
    A product is found, of which neither column says anything alone:

    >>> x = np.random.default_rng(0).normal(size=(400, 10))
    >>> ForestSelector(k=2, random_state=0).fit(x, x[:, 3] * x[:, 8] > 0).get_support(indices=True)
    array([3, 8])
    """

    def __init__(
        self,
        k: Cut = "elbow",
        threshold: float | None = None,
        step: float = 0.2,
        n_estimators: int = 100,
        min_samples_leaf: int = 5,
        estimator: Any = None,
        target_kind: TargetKind = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.k = k
        self.threshold = threshold
        self.step = step
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.estimator = estimator
        self.target_kind = target_kind
        self.random_state = random_state

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        x, y = numeric_block(table), target_for_trees(target)
        forms = (ranks_for_trees(x),) if self.estimator is not None else (ranks_for_trees(x), values_for_trees(x))
        rng = np.random.default_rng(self.random_state)
        end = table.n_columns if self.k == "elbow" or self.threshold is not None else 1
        left, gone = np.arange(table.n_columns), np.empty(0, dtype=np.intp)
        scores = np.zeros(table.n_columns)
        self.n_forests_ = 0
        while True:
            models = [self._model(target.is_coded, int(rng.integers(2**31))) for _ in forms]
            scores[left] = np.mean([importances(m, form[:, left], y) for m, form in zip(models, forms)], axis=0)
            self.n_forests_ += 1
            order = left[np.argsort(-scores[left], kind="stable")]
            if len(left) <= end:
                return Scores(scores, order=(*order.tolist(), *gone.tolist()))
            n_kept = max(end, min(len(left) - 1, int(len(left) * (1.0 - self.step))))
            left, gone = np.sort(order[:n_kept]), np.concatenate([order[n_kept:], gone])

    def _model(self, classes: bool, seed: int) -> Any:
        """A forest of half of the trees, or the estimator."""
        if self.estimator is not None:
            return seeded(self.estimator, seed)
        n = -(-self.n_estimators // 2)
        if classes:
            return TreeAverageClassifier(n, self.min_samples_leaf, seed)
        return TreeAverageRegressor(n, self.min_samples_leaf, seed, max_features=1 / 3)

    def _check_cut(self) -> None:
        super()._check_cut()
        if not 0.0 < self.step <= 1.0:
            raise ValueError(f"step must lie in (0, 1], got {self.step}")
        for name in ("n_estimators", "min_samples_leaf"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")
