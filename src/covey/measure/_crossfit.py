"""Out-of-fold predictions: each row is predicted by a learner that was fitted without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine, resolve

Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]
RandomState = int | np.random.Generator | None


def fold_of_rows(n_rows: int, n_folds: int, random_state: RandomState = None, classes: ArrayLike | None = None) -> Rows:
    """The fold of each row, at random; sizes differ by one at most.

    Parameters
    ----------
    n_rows, n_folds : int
    random_state : int, Generator or None
    classes : array-like of shape (n_rows,), optional
        Each class is spread evenly over the folds; one of fewer rows than folds is in some of them only.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        In 0..n_folds-1.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or fewer rows than folds.

    Examples
    --------
    >>> np.bincount(fold_of_rows(7, 3, random_state=0)).tolist()
    [3, 2, 2]
    """
    if n_folds < 2:
        raise ValueError(f"cv must be at least 2 folds, got {n_folds}")
    if n_rows < n_folds:
        raise ValueError(f"cv={n_folds} folds need as many rows, got {n_rows}; lower cv")
    order = np.random.default_rng(random_state).permutation(n_rows)
    if classes is not None:
        order = order[np.argsort(np.asarray(classes)[order], kind="stable")]
    fold = np.empty(n_rows, dtype=np.intp)
    fold[order] = np.arange(n_rows) % n_folds
    return fold


def row_folds(
    cv: Any, n_rows: int, y: ArrayLike, classes: bool = False, random_state: RandomState = None
) -> list[Fold]:
    """Training and test rows of each fold.

    Parameters
    ----------
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Of a number of folds, the rows are drawn at random.
    n_rows : int
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
    classes : bool
        Spread the classes of `y` evenly over the folds, when `cv` is a number.
    random_state : int, Generator or None
        Used when `cv` is a number.

    Returns
    -------
    list of (ndarray of int64, ndarray of int64)

    Raises
    ------
    ValueError
        If the test rows do not hold each row once, or a fold has no training row.

    Examples
    --------
    >>> [(len(train), len(test)) for train, test in row_folds(2, 5, np.zeros(5), random_state=0)]
    [(2, 3), (3, 2)]
    """
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        fold = fold_of_rows(n_rows, int(cv), random_state, y if classes else None)
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(cv))]
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ValueError(f"cv must be a number of folds, a splitter or (training, test) rows, not {cv!r}")
    splits: Iterable[Any] = cv.split(np.zeros((n_rows, 1)), y) if hasattr(cv, "split") else cv
    folds = [(np.asarray(train, dtype=np.intp), np.asarray(test, dtype=np.intp)) for train, test in splits]
    tested = np.sort(np.concatenate([test for _, test in folds])) if folds else np.empty(0, dtype=np.intp)
    if not np.array_equal(tested, np.arange(n_rows)):
        raise ValueError(f"the test rows of cv must hold each of the {n_rows} rows once")
    if any(not len(train) for train, _ in folds):
        raise ValueError("a fold of cv has no training row")
    return folds


def seeded(learner: Any, seed: int) -> Any:
    """A clone of the learner in which every ``random_state`` that was None is `seed`."""
    from sklearn.base import clone

    copy = clone(learner)
    unset = {
        name: seed
        for name, value in copy.get_params(deep=True).items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return copy.set_params(**unset)


def out_of_fold(
    learner: Any,
    X: Any,
    y: ArrayLike,
    cv: Any = 5,
    random_state: RandomState = None,
    engine: Engine | str | None = None,
) -> NDArray[np.float64]:
    """Predictions of each row by a learner that was fitted on the other folds.

    Parameters
    ----------
    learner : scikit-learn regressor, or classifier with `predict_proba`
        A clone is fitted in each fold.
    X : array-like of shape (n_rows, n_features), or dataframe
    y : array-like of shape (n_rows,) or, for regressors, (n_rows, n_targets)
    cv : int, scikit-learn splitter, or iterable of (training rows, test rows)
        Folds; of a number, rows are drawn at random, and classes are spread evenly for a classifier.
    random_state : int, Generator or None
        Of the folds, and of learners without one of their own.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the folds run; the result does not depend on it.

    Returns
    -------
    ndarray of float64
        Predicted values, in the shape of `y`; of a classifier the probabilities, shape (n_rows, n_classes), in the
        order of ``np.unique(y)``, 0 for a class that the training rows lack.

    Raises
    ------
    ValueError
        If `cv` does not test each row once, or a classifier has no `predict_proba`.

    References
    ----------
    Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey and Robins (2018), Double/debiased machine learning for
    treatment and structural parameters. Econom. J. 21. arXiv:1608.00060 (cross-fitting).

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> x = np.arange(10.0)[:, None]
    >>> out_of_fold(LinearRegression(), x, 2 * x[:, 0] + 1, random_state=0).round(6).tolist()
    [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0]
    """
    from sklearn.base import is_classifier

    y = np.asarray(y)
    rng = np.random.default_rng(random_state)
    classes = np.unique(y) if is_classifier(learner) else None
    folds = row_folds(cv, len(y), y, classes is not None, rng)
    return predict_folds(seeded(learner, int(rng.integers(2**31))), X, y, folds, classes, engine)


def predict_folds(
    learner: Any,
    X: Any,
    y: NDArray,
    folds: Sequence[Fold],
    classes: NDArray | None = None,
    engine: Engine | str | None = None,
) -> NDArray[np.float64]:
    """`out_of_fold` with the folds given; `classes` are the distinct labels for a classifier, else None.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> folds = [(np.array([0, 1]), np.array([2])), (np.array([2]), np.array([0, 1]))]
    >>> predict_folds(DummyRegressor(), np.zeros((3, 1)), np.array([1.0, 3.0, 5.0]), folds).tolist()
    [5.0, 5.0, 2.0]
    """
    if classes is not None and not hasattr(learner, "predict_proba"):
        raise ValueError(
            f"{type(learner).__name__} has no predict_proba; wrap it in sklearn.calibration.CalibratedClassifierCV"
        )

    def one(fold: Fold) -> NDArray[np.float64]:
        return _fitted_prediction(learner, X, y, fold, classes)

    parts = resolve(engine).map(one, list(folds))
    out = np.empty((len(y), *parts[0].shape[1:]))
    for (_, test), part in zip(folds, parts):
        out[test] = part
    return out


def _fitted_prediction(learner: Any, X: Any, y: NDArray, fold: Fold, classes: NDArray | None) -> NDArray[np.float64]:
    from sklearn.base import clone
    from sklearn.utils import _safe_indexing

    train, test = fold
    known = y[train]
    if classes is not None and (known == known[0]).all():  # many classifiers refuse a single class
        return np.tile((classes == known[0]).astype(np.float64), (len(test), 1))
    fitted = clone(learner).fit(_safe_indexing(X, train), known)
    unseen = _safe_indexing(X, test)
    if classes is None:
        return np.asarray(fitted.predict(unseen), dtype=np.float64)
    out = np.zeros((len(test), len(classes)))
    out[:, np.searchsorted(classes, fitted.classes_)] = fitted.predict_proba(unseen)
    return out
