"""Rank columns by their association with the target, by any measure."""

from __future__ import annotations

import numpy as np

from covey.engine import Engine
from covey.measure import REASONS, AssociationMatrix, Measure, associate, get, measures
from covey.measure._matrix import WRONG_KINDS
from covey.select._base import Array, Cut, RankingSelector, Scores, TargetKind
from covey.table import BlockSource, Column, FeatureTable


def relevance(
    table: FeatureTable | BlockSource,
    target: Column | str,
    measure: str | Measure = "auto",
    engine: Engine | str | None = None,
) -> Scores:
    """Strength of association of each column with the target.

    Parameters
    ----------
    table : FeatureTable of shape (n_rows, n_features), or BlockSource
        Blocks are streamed, for measures that are sums over rows.
    target : Column, or str
        Or the name of a column of `table`.
    measure : str or Measure
        One of `covey.measures()`; the strength is the absolute value. Asymmetric measures tell how well the column
        determines the target.
    engine : Engine or str, optional

    Returns
    -------
    Scores
        NaN, with a reason, where the measure is undefined.

    Raises
    ------
    ValueError
        If the measure applies to no column with such a target, or cannot be streamed.

    Examples
    --------
    >>> import covey
    >>> table = covey.read("covey:adult").take(slice(0, 2000))
    >>> y = table["income-per-year"]
    >>> table.names[np.nanargmax(relevance(table.drop(y.name), y, "theils_u").values)]
    'relationship'
    """
    if isinstance(target, str):
        matrix = associate(table, measure=measure, target=target, pvalues=False, engine=engine)
    elif isinstance(table, BlockSource):
        raise ValueError("table is read in blocks, so target must be the name of one of its columns")
    else:
        other = FeatureTable.from_columns([target])
        matrix = associate(table, other, measure=measure, pvalues=False, engine=engine)
    codes = matrix.reasons[:, 0]
    if (codes == WRONG_KINDS).all():
        name, kind, kinds = matrix.measure, matrix.column_kinds[0], sorted(set(matrix.row_kinds))
        others = [m for m in measures() if all(get(m).accepts(k, kind) for k in kinds)]
        raise ValueError(
            f"measure {name!r} does not apply to a {kind} y with {' and '.join(kinds)} columns; "
            f"use one of {', '.join(others)}, or encode y"
        )
    return Scores(np.abs(matrix.values[:, 0]), tuple(REASONS[code] for code in codes))


class AssociationRanker(RankingSelector):
    """Select the columns that are most strongly associated with the target, each on its own.

    Takes numbers, categories, booleans and dates with missing values, which are left out pair by pair. Measures that
    are sums over rows also rank tables that do not fit in memory: ``fit(covey.iter_blocks("big.parquet"), "target")``.

    Parameters
    ----------
    measure : str or Measure
        One of `covey.measures()`. The default sees any dependence between any kinds and gives an irrelevant column
        of many categories no advantage.
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share of the columns with a score, those before the elbow of the scores, or all.
    threshold : float, optional
        Keep the columns with at least this score; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.
    engine : Engine, ``"local:N"`` or ``"dask://host:port"``, optional
        Where the work runs; the result does not depend on it.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Absolute association; NaN where undefined.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        1 is the best; ties by the order of columns.

    Examples
    --------
    >>> import covey
    >>> table = covey.read("covey:adult").take(slice(0, 2000))
    >>> y = table["income-per-year"]
    >>> ranker = AssociationRanker(k=3).fit(table.drop(y.name), y)
    >>> ranker.transform(table.drop(y.name)).names
    ('age', 'marital-status', 'relationship')
    """

    def __init__(
        self,
        measure: str | Measure = "auto",
        k: Cut = "elbow",
        threshold: float | None = None,
        target_kind: TargetKind = "auto",
        engine: Engine | str | None = None,
    ) -> None:
        self.measure = measure
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind
        self.engine = engine

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        return relevance(table, target, self.measure, self.engine)

    def _score_blocks(
        self, source: BlockSource, target: str | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        return relevance(source, target, self.measure, self.engine)
