"""Importance of columns to a fitted model: by groups that are permuted as one, and by the model's own account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import is_classifier
from sklearn.metrics import get_scorer
from threadpoolctl import threadpool_limits

from covey.select._base import Array
from covey.structure import FeatureGroups, feature_groups

Rows = NDArray[np.intp]
Labels = NDArray[np.intp]
Aspects = float | FeatureGroups | Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]]
RandomState = int | np.random.Generator | None


def importance_scoring(model: Any) -> str:
    """The name of scikit-learn's scorer that permutation is measured by."""
    if not is_classifier(model):
        return "r2"
    return "neg_brier_score" if hasattr(model, "predict_proba") else "accuracy"


@dataclass(frozen=True, eq=False)
class AspectImportance:
    """How much worse a model gets when the columns of an aspect are permuted together.

    Parameters
    ----------
    names : tuple of str
        Of the aspects.
    columns : tuple of tuple of str
        Of each aspect.
    importances : ndarray of shape (n_aspects,)
        Mean fall of the score.
    errors : ndarray of shape (n_aspects,)
        Standard deviation of the fall over the permutations.
    score : float
        Without permutation.
    scoring : str
    """

    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    importances: Array
    errors: Array
    score: float
    scoring: str

    @property
    def ranking(self) -> Rows:
        """1 is the most important; ties by the order of aspects."""
        out = np.empty(len(self.names), dtype=np.intp)
        out[np.argsort(-self.importances, kind="stable")] = np.arange(1, len(out) + 1)
        return out

    def aspect_of(self, column: str) -> int:
        """Position of the aspect that holds a column.

        Raises
        ------
        ValueError
            If no aspect holds it.
        """
        for position, members in enumerate(self.columns):
            if column in members:
                return position
        raise ValueError(f"no aspect holds {column!r}")


def aspect_importance(
    model: Any,
    X: Any,
    y: Any,
    groups: Aspects = 0.6,
    scoring: str | None = None,
    n_repeats: int = 10,
    random_state: RandomState = 0,
) -> AspectImportance:
    """Importance of groups of columns: the fall of a fitted model's score when a group is permuted as one.

    A model can lean on any of several columns that say the same; permuted alone, each of them seems unimportant.

    Parameters
    ----------
    model : fitted scikit-learn classifier or regressor
    X : array-like of shape (n_samples, n_features) or dataframe
        As the model takes it; rows that it was not fitted on tell more.
    y : array-like of shape (n_samples,)
    groups : float, FeatureGroups, mapping of str to columns, or sequence of columns
        A number: columns are grouped by hierarchical clustering of 1 - abs(Spearman correlation) with complete linkage,
        so that all pairs of a group have at least this correlation. Columns are named, or are positions; those of no
        group are aspects of their own.
    scoring : str, optional
        A name that scikit-learn knows; by default the Brier score of class probabilities (which, unlike an area under
        the curve near 1, every row moves), the accuracy without them, the coefficient of determination for numbers.
    n_repeats : int
        Permutations; each is used for all aspects.
    random_state : int, Generator or None

    Returns
    -------
    AspectImportance

    Raises
    ------
    ValueError
        If a group holds an unknown column, or one that another holds too, or shapes differ.

    References
    ----------
    Bloch and Friedrich (2022), Machine Learning Workflow to Explain Black-box Models for Early Alzheimer's Disease
    Classification Evaluated for Multiple Datasets. arXiv:2205.05907. Breiman (2001), Random Forests. Machine Learning
    45.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> x, y = np.column_stack([x, x[:, 0]]), 2 * x[:, 0] + x[:, 1]
    >>> found = aspect_importance(KNeighborsRegressor().fit(x, y), x, y)
    >>> found.names, found.ranking.tolist()
    (('x0 + x3', 'x1', 'x2'), [1, 2, 3])
    """
    if n_repeats < 1:
        raise ValueError(f"n_repeats must be at least 1, got {n_repeats}")
    held = _Held.of(X)
    y = np.asarray(y)
    if len(y) != held.n_rows:
        raise ValueError(f"X has {held.n_rows} rows and y has {len(y)}; they must be the same rows")
    named = aspects_of(groups, X, held.names)
    rng = np.random.default_rng(random_state)
    name = scoring or importance_scoring(model)
    score = partial(get_scorer(name), model)
    with threadpool_limits(1):
        whole = float(score(X, y))
        falls = np.empty((n_repeats, len(named)))
        for r in range(n_repeats):
            rows = rng.permutation(held.n_rows)
            falls[r] = [whole - score(held.permuted(columns, rows), y) for columns in named.values()]
    errors = falls.std(axis=0, ddof=1) if n_repeats > 1 else np.full(len(named), np.nan)
    members = tuple(tuple(held.names[j] for j in columns) for columns in named.values())
    return AspectImportance(tuple(named), members, falls.mean(axis=0), errors, whole, name)


@dataclass(frozen=True, eq=False)
class _Held:
    """An array or a dataframe, some columns of which can be permuted."""

    data: Any
    names: tuple[str, ...]
    is_frame: bool

    @classmethod
    def of(cls, X: Any) -> _Held:
        import narwhals as nw

        if nw.dependencies.is_into_dataframe(X):
            frame = nw.from_native(X, eager_only=True)
            return cls(frame, tuple(map(str, frame.columns)), True)
        data = np.asarray(X)
        if data.ndim != 2 or not data.size:
            raise ValueError(f"X must have shape (n_samples, n_features) and not be empty, got {data.shape}")
        return cls(data, tuple(f"x{j}" for j in range(data.shape[1])), False)

    @property
    def n_rows(self) -> int:
        return len(self.data)

    def permuted(self, columns: Rows, rows: Rows) -> Any:
        """With the values of some columns taken from other rows, together."""
        if not self.is_frame:
            out = self.data.copy()
            out[:, columns] = self.data[np.ix_(rows, columns)]
            return out
        other = self.data[rows.tolist()]
        moved = [other[self.data.columns[j]] for j in columns.tolist()]
        return self.data.with_columns(*moved).to_native()


def aspects_of(groups: Aspects, X: Any, names: Sequence[str]) -> dict[str, Rows]:
    """Positions of the columns of each aspect, by the aspect's name; every column is in one.

    Examples
    --------
    >>> found = aspects_of({"size": ["a", "c"]}, None, ["a", "b", "c"])
    >>> {name: columns.tolist() for name, columns in found.items()}
    {'size': [0, 2], 'b': [1]}
    """
    if isinstance(groups, int | float):
        # copies of a column leave the partition of complete linkage as it is
        groups = feature_groups(X, float(groups), measure="spearman", linkage="complete")
    if isinstance(groups, FeatureGroups):
        groups = groups.groups
    listed = groups.values() if isinstance(groups, Mapping) else groups
    place = {name: j for j, name in enumerate(names)}
    found = [np.array([_position(c, place, len(names)) for c in members], dtype=np.intp) for members in listed]
    taken = np.concatenate([*found, np.empty(0, dtype=np.intp)])
    twice = [names[j] for j in np.flatnonzero(np.bincount(taken, minlength=len(names)) > 1).tolist()]
    if twice:
        raise ValueError(f"columns in more than one group: {', '.join(map(repr, twice[:5]))}")
    keys = list(groups) if isinstance(groups, Mapping) else [_label([names[j] for j in part]) for part in found]
    found += [np.array([j]) for j in np.setdiff1d(np.arange(len(names)), taken)]
    keys += [names[int(part[0])] for part in found[len(keys) :]]
    return {key: part for key, part in zip(keys, found) if len(part)}


def _position(column: Any, place: Mapping[str, int], n: int) -> int:
    if isinstance(column, int | np.integer) and not isinstance(column, bool) and 0 <= column < n:
        return int(column)
    if column not in place:
        raise ValueError(f"groups hold {column!r}, which is no column of X")
    return place[column]


def _label(members: Sequence[str]) -> str:
    return " + ".join(members[:3]) + (f" + {len(members) - 3} more" if len(members) > 3 else "")


def rank_correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Spearman correlation; NaN where a value is missing or all are equal.

    Examples
    --------
    >>> rank_correlation([1.0, 2.0, 4.0], [3.0, 5.0, 6.0]), rank_correlation([1.0, 1.0], [2.0, 3.0])
    (1.0, nan)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def natural_importance(model: Any, owner: Labels) -> Array:
    """A model's own importance of columns, summed over what stands for each; NaN where it has none.

    Impurity or gain of trees, absolute coefficients (of standardised columns) of linear models.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> natural_importance(Ridge(alpha=1e-9).fit(x, x @ [1, 2, -4]), np.array([0, 0, 1])).round(3).tolist()
    [3.0, 4.0]
    """
    if hasattr(model, "feature_importances_"):
        values = np.asarray(model.feature_importances_, dtype=np.float64)
    elif isinstance(getattr(model, "coef_", None), np.ndarray):
        values = np.abs(np.atleast_2d(model.coef_)).mean(axis=0)
    else:
        values = boosting_gain(model, len(owner))
    if values.shape != owner.shape:
        values = np.full(len(owner), np.nan)
    return np.bincount(owner, weights=values).astype(np.float64)


def boosting_gain(model: Any, n_columns: int) -> Array:
    """Gain of the splits at each column of scikit-learn's histogram boosting; NaN of other models."""
    trees = [tree for step in getattr(model, "_predictors", ()) for tree in step]
    if not trees:
        return np.full(n_columns, np.nan)
    nodes = np.concatenate([tree.nodes for tree in trees])
    inner = nodes[nodes["is_leaf"] == 0]
    gains = np.bincount(inner["feature_idx"], weights=inner["gain"].astype(np.float64), minlength=n_columns)
    return gains.astype(np.float64)
