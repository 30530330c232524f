"""Extremely randomised trees, averaged in the calling thread.

scikit-learn's forests change the process's warning filters while they grow, which threads may not do at once.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.tree import ExtraTreeClassifier, ExtraTreeRegressor

from covey.table import Column


class _TreeAverage(BaseEstimator):
    def __init__(
        self,
        n_estimators: int = 50,
        min_samples_leaf: int = 1,
        random_state: int | np.random.Generator | None = None,
        max_features: float | str | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state
        self.max_features = max_features

    def _grow(self, tree: Any, X: NDArray[Any], y: NDArray[Any], max_features: float | str) -> None:
        X = np.ascontiguousarray(X, dtype=np.float32)
        seeds = np.random.default_rng(self.random_state).integers(2**31, size=self.n_estimators).tolist()
        tried = max_features if self.max_features is None else self.max_features
        make = {"min_samples_leaf": self.min_samples_leaf, "max_features": tried}
        self.estimators_ = [tree(random_state=seed, **make).fit(X, y, check_input=False) for seed in seeds]

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Mean over the trees of each column's share of what splits have gained, shape (n_features,)."""
        return np.asarray(np.mean([tree.feature_importances_ for tree in self.estimators_], axis=0))


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
        """Grow the trees, on the target less its mean: sums of squares would lose what varies beside a large mean."""
        y = np.asarray(y, dtype=np.float64)
        self._unit = float(np.abs(y).max()) or 1.0
        self._centre = float((y / self._unit).mean())
        centred = y / self._unit - self._centre
        self._reach = float(np.abs(centred).max()) or 1.0
        self._grow(ExtraTreeRegressor, X, (centred / self._reach)[:, None], 1.0)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Mean prediction, shape (n_samples,)."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        found = np.mean([tree.predict(X, check_input=False) for tree in self.estimators_], axis=0)
        return np.asarray((self._reach * found + self._centre) * self._unit)


def ranks_for_trees(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Ranks of the values that are present: trees hold single precision, which a large mean would use up."""
    return np.asarray(rankdata(x, axis=0, nan_policy="omit"), dtype=np.float32)


def values_for_trees(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values less the middle of their range, in multiples of half of it, for the same reason; columns have a value."""
    low, high = np.nanmin(x, axis=0) / 2.0, np.nanmax(x, axis=0) / 2.0  # halved first: the range may be no number
    half = high - low
    return np.asarray((x - (low + high)) / np.where(half > 0.0, half, 1.0), dtype=np.float32)


def target_for_trees(target: Column) -> NDArray[Any]:
    """Classes as codes; numbers less their mean, in multiples of the largest deviation."""
    if target.is_coded:
        return target.values
    y = target.values / np.abs(target.values).max()  # the mean of large values would overflow
    centred = y - y.mean()
    return np.asarray(centred / np.abs(centred).max())


def seeded(estimator: Any, seed: int) -> Any:
    """A clone, with the seed where it has a `random_state`."""
    model = clone(estimator)
    return model.set_params(random_state=seed) if "random_state" in model.get_params(deep=False) else model


def importances(model: Any, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """What a model fitted to some columns finds each of them important.

    Raises
    ------
    ValueError
        If it does not say.
    """
    found = getattr(model.fit(x, y), "feature_importances_", None)
    if found is None:
        raise ValueError(f"estimator needs feature_importances_, which {type(model).__name__} lacks; give a forest")
    return np.asarray(found, dtype=np.float64)
