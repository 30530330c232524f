"""Selectors that need complete numbers, on columns of any kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import get_tags

from covey.engine import Engine
from covey.measure import AssociationMatrix
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind
from covey.select._encode import Encoding
from covey.table import Column, FeatureTable

NOT_SELECTED = "not selected, by a selector without scores"
PARTS = 3  # how many encoded columns are ranked for each column that is wanted


class EncodedSelector(RankingSelector):
    """A selector of numbers on columns of any kind: each level of a category gets an indicator, gaps are filled.

    A column has the best of the scores of its parts: a number and the mark of its gaps, or the indicators of the 30
    most frequent levels.

    Parameters
    ----------
    selector : RankingSelector, or a scikit-learn selector
        Of one of scikit-learn, scores or ranks are used (``scores_``, ``ranking_``, or importances or coefficients of
        its fitted estimator); without any, the columns that it selects.
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Given to the selector, if it has such a parameter.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        The best score of a column's parts; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best.
    selector_ : selector
        Fitted on the encoded columns.

    Examples
    --------
    >>> import covey
    >>> from sklearn.feature_selection import SelectKBest
    >>> table = covey.read("covey:german_credit")
    >>> chosen = EncodedSelector(SelectKBest(), k=3).fit(table.drop("credit"), table["credit"])
    >>> chosen.get_feature_names_out().tolist()
    ['status', 'month', 'credit_history']
    """

    def __init__(
        self,
        selector: Any,
        k: Cut = "elbow",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        engine: Engine | str | None = None,
    ) -> None:
        self.selector = selector
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        encoding = Encoding.fit(table, np.arange(table.n_rows), scaled=False)
        encoded = encoding.apply(table)
        self.selector_ = self._inner(encoded.shape[1])
        if isinstance(self.selector_, RankingSelector):
            self.selector_._rank(encoded, target)
            scores = self.selector_.scores_
            order = np.argsort(self.selector_.ranking_, kind="stable")
            order = order[~np.isnan(scores[order])]
        else:
            self.selector_.fit(encoded, None if target is None else target.values)
            scores, order = _scores_of(self.selector_, encoded.shape[1])
        return _by_owner(scores, order, encoding.owner, table.n_columns)

    def _inner(self, n_encoded: int) -> Any:
        """A clone of the selector that ranks deep enough."""
        inner = clone(self.selector)
        known = inner.get_params(deep=False)
        if isinstance(inner, RankingSelector) and "k" in known:
            whole = self.threshold is None and isinstance(self.k, int | np.integer)
            inner.set_params(k=min(n_encoded, PARTS * int(self.k)) if whole else "all", threshold=None)
        if self.engine is not None and "engine" in known:
            inner.set_params(engine=self.engine)
        return inner

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = get_tags(self.selector).target_tags.required
        return tags

    def _as_target(self, y: Any, n_rows: int) -> Column | None:
        if y is None and not get_tags(self.selector).target_tags.required:
            return None
        return super()._as_target(y, n_rows)


def takes(selector: Any, table: FeatureTable) -> bool:
    """Whether a selector takes the columns of a table as they are."""
    if not isinstance(selector, RankingSelector):
        return False
    tags = get_tags(selector).input_tags
    return (tags.categorical or not table.of_kind("categorical")) and (
        tags.allow_nan or not any(column.n_missing for column in table.columns())
    )


def _scores_of(selector: Any, n: int) -> tuple[Array, NDArray[np.intp]]:
    """Scores of a fitted selector of scikit-learn, and the columns that have one, best first."""
    if getattr(selector, "scores_", None) is not None and np.shape(selector.scores_) == (n,):
        scores = np.asarray(selector.scores_, dtype=np.float64)
    elif hasattr(selector, "ranking_") and np.count_nonzero(selector.ranking_ == 1) == 1:
        scores = 1.0 / np.asarray(selector.ranking_, dtype=np.float64)
    else:
        scores = np.full(n, np.nan)
        weights = _weights(selector, n)
        if weights is None:
            scores[selector.get_support()] = 1.0
        else:
            scores = weights
    order = np.argsort(-scores, kind="stable")
    return scores, order[~np.isnan(scores[order])]


def _weights(selector: Any, n: int) -> Array | None:
    """Importances or coefficients of the one estimator that a selector such as `SelectFromModel` fitted."""
    if hasattr(selector, "n_features_to_select_"):  # of a search, the last estimator is not about all columns
        return None
    for attribute in ("feature_importances_", "coef_"):
        values = getattr(getattr(selector, "estimator_", None), attribute, None)
        if values is not None and np.shape(values)[-1] == n:
            return np.linalg.norm(np.atleast_2d(values), axis=0)
    return None


def _by_owner(scores: Array, order: NDArray[np.intp], owner: NDArray[np.int64], n_columns: int) -> Scores:
    """Scores of columns from those of their parts."""
    best = np.full(n_columns, -np.inf)
    np.fmax.at(best, owner, scores)
    best[~np.isin(np.arange(n_columns), owner[order])] = np.nan
    placed = tuple(dict.fromkeys(owner[order].tolist()))
    return Scores(best, tuple(NOT_SELECTED if np.isnan(value) else "" for value in best), placed)
