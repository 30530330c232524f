"""Extremely randomised trees, averaged in the calling thread.

scikit-learn's forests change the process's warning filters while they grow, which threads may not do at once.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.tree import ExtraTreeClassifier, ExtraTreeRegressor


class _TreeAverage(BaseEstimator):
    def __init__(
        self, n_estimators: int = 50, min_samples_leaf: int = 1, random_state: int | np.random.Generator | None = None
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def _grow(self, tree: Any, X: NDArray[Any], y: NDArray[Any], max_features: float | str) -> None:
        X = np.ascontiguousarray(X, dtype=np.float32)
        seeds = np.random.default_rng(self.random_state).integers(2**31, size=self.n_estimators).tolist()
        make = {"min_samples_leaf": self.min_samples_leaf, "max_features": max_features}
        self.estimators_ = [tree(random_state=seed, **make).fit(X, y, check_input=False) for seed in seeds]


class TreeAverageClassifier(ClassifierMixin, _TreeAverage):
    """Mean of the class shares of extremely randomised trees.

    References
    ----------
    Geurts, Ernst and Wehenkel (2006), Extremely randomized trees. Machine Learning 63.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> forest = TreeAverageClassifier(random_state=0).fit(x[:100], x[:100, 0] > 0)
    >>> bool(forest.score(x[100:], x[100:, 0] > 0) > 0.9)
    True
    """

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Grow the trees."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._grow(ExtraTreeClassifier, X, codes.astype(np.float64)[:, None], "sqrt")
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Shares of the classes, shape (n_samples, n_classes)."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        shares = [tree.predict_proba(X, check_input=False) for tree in self.estimators_]
        return np.asarray(np.mean(shares, axis=0))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The class of the largest share."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])


class TreeAverageRegressor(RegressorMixin, _TreeAverage):
    """Mean of the predictions of extremely randomised trees.

    References
    ----------
    Geurts, Ernst and Wehenkel (2006), Extremely randomized trees. Machine Learning 63.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> forest = TreeAverageRegressor(random_state=0).fit(x[:100], x[:100, 0])
    >>> bool(forest.score(x[100:], x[100:, 0]) > 0.8)
    True
    """

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Grow the trees."""
        self._grow(ExtraTreeRegressor, X, np.asarray(y, dtype=np.float64)[:, None], 1.0)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Mean prediction, shape (n_samples,)."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        return np.asarray(np.mean([tree.predict(X, check_input=False) for tree in self.estimators_], axis=0))
