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
        its fitted estimator); without any, the columns that it selects, which then share a score.
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
    n_unordered_ : int
        How many of the first columns share their rank, as the selector does not say which are the best; else 0.
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
        n_encoded = encoded.shape[1]
        whole = self.threshold is None and isinstance(self.k, int | np.integer)
        wanted = min(int(self.k), table.n_columns) if whole else table.n_columns
        depth = min(n_encoded, PARTS * wanted) if whole and _is_cut(self.selector) else n_encoded
        while True:
            scores, order, n_unordered = self._ranked_parts(encoded, target, depth)
            found = _by_owner(scores, order, encoding.owner, table.n_columns)
            if len(found.order or ()) >= wanted or len(order) < depth or depth == n_encoded:
                break
            depth = min(n_encoded, 2 * depth)  # the parts of few columns took all places
        self.n_unordered_ = len(np.unique(encoding.owner[order[:n_unordered]]))
        return found

    def _ranked_parts(self, encoded: Array, target: Column | None, depth: int) -> tuple[Array, NDArray[np.intp], int]:
        """Scores of the encoded columns, those with a score best first, and how many of the first have no order."""
        self.selector_ = self._inner(depth if depth < encoded.shape[1] else "all")
        if not isinstance(self.selector_, RankingSelector):
            self.selector_.fit(encoded, None if target is None else target.values)
            return _scores_of(self.selector_, encoded.shape[1])
        self.selector_._rank(encoded, target)
        order = np.argsort(self.selector_.ranking_, kind="stable")
        return self.selector_.scores_, order[~np.isnan(self.selector_.scores_[order])], 0

    def _inner(self, depth: Cut) -> Any:
        """A clone of the selector that ranks so deep."""
        inner = clone(self.selector)
        if _is_cut(inner):
            inner.set_params(k=depth)
            inner.set_params(**({"threshold": None} if "threshold" in inner.get_params(deep=False) else {}))
        if self.engine is not None and "engine" in inner.get_params(deep=False):
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


def _is_cut(selector: Any) -> bool:
    """Whether a selector is told how many columns to rank."""
    return isinstance(selector, RankingSelector) and "k" in selector.get_params(deep=False)


def takes(selector: Any, table: FeatureTable) -> bool:
    """Whether a selector takes the columns of a table as they are."""
    if not isinstance(selector, RankingSelector):
        return False
    tags = get_tags(selector).input_tags
    return (tags.categorical or not table.of_kind("categorical")) and (
        tags.allow_nan or not any(column.n_missing for column in table.columns())
    )


def _scores_of(selector: Any, n: int) -> tuple[Array, NDArray[np.intp], int]:
    """Scores of a fitted selector, the columns that have one best first, and how many of the first have no order."""
    n_unordered = 0
    weights = _weights(selector, np.ones(n, dtype=bool))
    if getattr(selector, "scores_", None) is not None and np.shape(selector.scores_) == (n,):
        scores = np.asarray(selector.scores_, dtype=np.float64)
    elif hasattr(selector, "ranking_"):
        scores = 1.0 / np.asarray(selector.ranking_, dtype=np.float64)
        n_unordered = _split_first(scores, selector)
    elif weights is not None:
        scores = weights
    else:
        scores = np.full(n, np.nan)
        scores[selector.get_support()] = 1.0
        n_unordered = int(np.count_nonzero(scores == 1.0))
    order = np.argsort(-scores, kind="stable")
    return scores, order[~np.isnan(scores[order])], n_unordered if n_unordered > 1 else 0


def _split_first(scores: Array, selector: Any) -> int:
    """Order the columns of rank 1 by the estimator that was fitted to them; how many they are if none was."""
    first = scores == 1.0
    weights = _weights(selector, first)
    if weights is None:
        return int(np.count_nonzero(first))
    scores[first] += weights / max(weights.max(initial=0.0), np.finfo(np.float64).tiny)
    return 0


def _weights(selector: Any, of: NDArray[np.bool_]) -> Array | None:
    """Importances or coefficients of the estimator that a selector such as `SelectFromModel` fitted to some columns."""
    if hasattr(selector, "n_features_to_select_"):  # of a search, the last estimator is not about all columns
        return None
    for attribute in ("feature_importances_", "coef_"):
        values = getattr(getattr(selector, "estimator_", None), attribute, None)
        if values is not None and np.shape(values)[-1] == np.count_nonzero(of):
            return np.linalg.norm(np.atleast_2d(values), axis=0)
    return None


def _by_owner(scores: Array, order: NDArray[np.intp], owner: NDArray[np.int64], n_columns: int) -> Scores:
    """Scores of columns from those of their parts."""
    best = np.full(n_columns, -np.inf)
    np.fmax.at(best, owner, scores)
    best[~np.isin(np.arange(n_columns), owner[order])] = np.nan
    placed = tuple(dict.fromkeys(owner[order].tolist()))
    return Scores(best, tuple(NOT_SELECTED if np.isnan(value) else "" for value in best), placed)
