"""Forward selection by orthogonal matching pursuit, for numbers and for classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from covey.engine._local import one_blas_thread
from covey.measure import AssociationMatrix
from covey.select._base import (
    Array,
    Cut,
    GreedyPath,
    RankingSelector,
    Scores,
    TargetKind,
    greedy,
    numeric_block,
)
from covey.table import Column, FeatureTable

DEPENDENT = 1e-10  # squared length of what is left of a unit column: below this the columns taken before explain it
SPENT = 1e-20  # squared correlation with the residual, as a share of the target: nothing is left to explain


def unit_columns(x: Array) -> Array:
    """Columns less their mean, of length 1; zeros where a column is constant.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_columns)

    Examples
    --------
    >>> unit_columns(np.array([[1.0, 5.0], [3.0, 5.0]])).round(2).tolist()
    [[-0.71, 0.0], [0.71, 0.0]]
    """
    largest = np.abs(x).max(axis=0)
    z = x / np.where(largest > 0, largest, 1.0)  # squares of large values would overflow
    z = z - z.mean(axis=0)
    z -= z.mean(axis=0)  # what rounding left of a large mean
    length = np.sqrt((z * z).sum(axis=0))
    varies = length > 1e-13 * np.sqrt(len(x))
    return np.where(varies, z, 0.0) / np.where(varies, length, 1.0)


def target_block(target: Column) -> Array:
    """The target as columns to explain: a number, or the indicators of its classes.

    Indicators are divided by the root of their class's share, so that the sum of the squared correlations of a column
    with them is its correlation ratio.

    Returns
    -------
    ndarray of shape (n_rows, 1) or (n_rows, n_classes)
        Columns have mean 0; the sum of all squares is 1.
    """
    if target.is_coded:
        indicators = (target.values[:, None] == np.unique(target.values)).astype(np.float64)
        block = (indicators - indicators.mean(axis=0)) / np.sqrt(indicators.mean(axis=0))
    else:
        block = unit_columns(target.values.astype(np.float64)[:, None])
    return block / np.sqrt((block * block).sum())


def orthogonal_matching_pursuit(
    x: Array, y: Array, k: int, stop: Callable[[tuple[int, ...], float], bool] | None = None
) -> GreedyPath:
    """Choose columns one at a time, each the one most correlated with what those before leave of the target.

    A step costs one product of the columns with one vector: the least-squares residual is updated, never fitted anew.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_features)
        Columns of mean 0 and length 1 (`unit_columns`); zero columns are never chosen.
    y : ndarray of shape (n_samples, n_targets)
        Columns of mean 0; several are explained together (simultaneous pursuit).
    k : int
        How many columns to choose at most.
    stop : callable (chosen, correlation) -> bool, optional
        Asked before a column is taken, with its squared correlation; True ends the search without it.

    Returns
    -------
    GreedyPath
        The gains are the shares of the target's sum of squares that a column explains beyond those before it, 0..1.
        Shorter than `k` when no column that is linearly independent of the others has anything left to explain.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad (1993), Orthogonal matching pursuit. Asilomar Conference. Tropp, Gilbert and
    Strauss (2006), Algorithms for simultaneous sparse approximation, Part I. Signal Processing 86.

    Examples
    --------
    >>> x = unit_columns(np.random.default_rng(0).normal(size=(100, 20)))
    >>> path = orthogonal_matching_pursuit(x, x[:, [7]] + 2 * x[:, [3]], k=5)
    >>> path.order, round(sum(path.gains), 6)
    ((3, 7), 1.0)
    """
    state = _Pursuit(x, y)
    with one_blas_thread():  # products with one vector gain nothing from threads
        path = greedy(state.gain, min(k, len(x) - 1), stop)
        state.gain(path.order)
    return GreedyPath(path.order, tuple(state.explained))


class _Pursuit:
    """What the chosen columns leave: of the target's products with all columns, and of each column's length."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x = x
        self.total = float((y * y).sum())
        self.products = x.T @ y
        self.residual = y.copy()
        self.left = (x * x).sum(axis=0)
        self.basis = np.empty((0, len(x)))
        self.explained: list[float] = []

    def gain(self, chosen: tuple[int, ...]) -> Array:
        """Squared correlation with the residual; NaN for columns that those chosen explain."""
        if len(chosen) > len(self.explained):
            self._take(chosen[-1])
        merit = (self.products * self.products).sum(axis=1) / (self.total or 1.0)
        return np.where((self.left > DEPENDENT) & (merit > SPENT), merit, np.nan)

    def _take(self, j: int) -> None:
        q = self.x[:, j].copy()
        for _ in range(2):  # once more, for what rounding leaves
            q -= self.basis.T @ (self.basis @ q)
        q /= np.sqrt(q @ q)
        along = q @ self.residual
        self.residual -= np.outer(q, along)
        projections = q @ self.x
        self.products -= np.outer(projections, along)
        self.left -= projections * projections
        self.basis = np.vstack([self.basis, q])
        self.explained.append(float(along @ along) / self.total)


def pursue(table: FeatureTable, target: Column, k: int) -> Scores:
    """The path of `orthogonal_matching_pursuit` as scores of the columns of a table.

    Returns
    -------
    Scores
        Shares of the target that the columns taken explain; NaN for the others, which follow in the order of their
        correlation with the target.
    """
    x, y = unit_columns(numeric_block(table)), target_block(target)
    path = orthogonal_matching_pursuit(x, y, k)
    values = np.full(table.n_columns, np.nan)
    values[list(path.order)] = path.gains
    by_correlation = np.argsort(-((x.T @ y) ** 2).sum(axis=1), kind="stable").tolist()
    taken = set(path.order)
    why = "not reached: enough columns were taken before it"
    if len(path.order) < k:
        why = "the columns taken before it leave nothing to it"
    reasons = tuple("" if j in taken else why for j in range(table.n_columns))
    return Scores(values, reasons, (*path.order, *(j for j in by_correlation if j not in taken)))


class OMPSelector(RankingSelector):
    """Select columns by orthogonal matching pursuit: each explains most of what those before leave of the target.

    The linear case of sequential attention. Columns are centred and scaled to the same length first. Classes are
    explained by their indicators, all together, and the first column is the one of the largest correlation ratio.

    Parameters
    ----------
    k : int, float, "elbow" or "all"
        How many columns to take; a share of them; those before the elbow of the gains; or rank all. No more are taken
        than there are rows less one.
    threshold : float, optional
        Keep columns before the first one that explains a smaller share of the target; `k` is then not used.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        Share of the target that a column explained when it was taken, 0..1; NaN for columns that were not reached.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
        The order in which columns were taken, then the others by their correlation with the target.

    References
    ----------
    Yasuda, Bateni, Chen, Fahrbach, Fu and Mirrokni (2022), Sequential Attention for Feature Selection.
    arXiv:2209.14881. Pati, Rezaiifar and Krishnaprasad (1993), Orthogonal matching pursuit. Asilomar Conference.

    Examples
    --------
    Two columns that say the same are not both taken:

    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 300))
    >>> x = np.column_stack([a, a + 0.1 * rng.normal(size=300), b])
    >>> OMPSelector(k=2).fit(x, 2 * a + b).get_support(indices=True)
    array([0, 2])
    """

    _mixed, _missing = False, False

    def __init__(self, k: Cut = 10, threshold: float | None = None, target_kind: TargetKind = "auto") -> None:
        self.k = k
        self.threshold = threshold
        self.target_kind = target_kind

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        whole = isinstance(self.k, str | float) or self.threshold is not None
        return pursue(table, target, table.n_columns if whole else int(self.k))
