"""The smallest set of features that predicts the target about as well as all of them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from covey.report._material import Material
from covey.report._model import Subset
from covey.table import Column, Kind

MOST_ROWS, LEAST_ROWS = 2000, 100
LEAST_FEATURES, MOST_FEATURES = 3, 1000
MANY = 60  # selecting without redundancy asks for the associations of all that were taken before
SIZES = (1, 2, 3, 5, 8, 12, 16, 20, 30)
SIZES_OF_MANY = (1, 2, 3, 5, 10, 20, 40, 80)
FOLDS, TREES = 5, 16
BLOCKS = 40  # of neighbouring rows that stay together where rows resemble their neighbours


def recommended_subset(material: Material, without: Collection[str] = (), ordered: bool = False) -> Subset | None:
    """The smallest steady subset within one standard error of the best, by cross-validation with selection inside.

    Parameters
    ----------
    material : Material
    without : collection of str
        Features to leave aside, as they give the target away.
    ordered : bool
        Whether neighbouring rows resemble each other, and so must not be in training and test both.

    Returns
    -------
    Subset or None
        None without a target, with few rows or features, when no feature predicts the target, or when the classes of
        ordered rows lie in so few stretches that folds of whole stretches lack one.
    """
    names = [name for name in material.predictors if name not in set(without)]
    if material.target is None or not LEAST_FEATURES <= len(names) <= MOST_FEATURES:
        return None
    target = material.column(material.target)
    rows = _rows(target, material.random_state)
    if len(rows) < LEAST_ROWS or len(np.unique(target.values[rows])) < 2:
        return None
    from covey.select import AssociationRanker, RedundancyAware, compare_selectors
    from covey.select._forest import TreeAverageClassifier, TreeAverageRegressor
    from covey.select.comparison import FoldError

    y, scoring = _target(target, rows)
    selectors = {"association": AssociationRanker()}
    if len(names) <= MANY:
        selectors["association without redundancy"] = RedundancyAware()
    try:
        found = compare_selectors(
            material.table.select(names).take(rows),
            y,
            selectors,
            sizes=[size for size in (SIZES if len(names) <= MANY else SIZES_OF_MANY) if size < len(names)],
            learner=(TreeAverageClassifier if y.is_coded else TreeAverageRegressor)(TREES, min_samples_leaf=3),
            scoring=scoring,
            cv=FOLDS,
            inner_cv=0,
            groups=np.arange(len(rows)) * BLOCKS // len(rows) if ordered else None,
            random_state=material.random_state,
            engine=material.engine,
        )
    except FoldError:
        return None
    best = found.recommended
    if best.all_score - 2 * best.all_error <= _by_chance(y, scoring):
        return None
    return Subset(
        best.columns,
        best.frequencies,
        tuple(name for name in names if name not in set(best.columns)),
        best.score,
        best.error,
        best.all_score,
        best.all_error,
        scoring,
        best.stability,
        best.is_steady,
        len(rows),
    )


def _rows(target: Column, random_state: int) -> NDArray[np.intp]:
    """Rows that have a target, of classes with enough rows for the folds; at most `MOST_ROWS`, in their order."""
    rows = np.flatnonzero(~target.missing)
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(random_state).choice(rows, MOST_ROWS, replace=False))
    if target.is_coded:
        counts = np.bincount(target.values[rows])
        rows = rows[counts[target.values[rows]] >= 2 * FOLDS]
    return rows


def _target(target: Column, rows: NDArray[np.intp]) -> tuple[Column, str]:
    """The target on some rows, without the levels that these lack, and the score that suits it."""
    if not target.is_coded:
        return Column(target.name, "numeric", target.values[rows].astype(np.float64)), "r2"
    levels, codes = np.unique(target.values[rows], return_inverse=True)
    labels = tuple((target.categories or ())[level] for level in levels)
    kind: Kind = "boolean" if len(levels) == 2 else "categorical"
    return Column(target.name, kind, codes.astype(np.int32), labels), "roc_auc" if len(levels) == 2 else "accuracy"


def _by_chance(y: Column, scoring: str) -> float:
    """The score of a constant answer."""
    if scoring == "accuracy":
        return float(np.bincount(y.values).max() / len(y.values))
    return 0.5 if scoring == "roc_auc" else 0.0
