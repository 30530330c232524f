"""Feature gradients: a soft mask of columns, learned by descent on an estimate of what the masked columns predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import comb
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from covey.engine._local import one_blas_thread
from covey.measure import AssociationMatrix
from covey.select._base import CONSTANT, Array, Cut, RankingSelector, Scores, TargetKind, numeric_block, target_column
from covey.table import Column, FeatureTable

COEFFICIENTS: dict[int, tuple[float, ...]] = {
    1: (0.60355337,),
    2: (1.52705001, -0.34841729),
    3: (2.90254224, -1.87216745, 0.0),
    4: (4.63445685, -5.19936195, 0.0, 1.50391676),
    5: (6.92948049, -14.12216211, 9.4475009, 0.0, -1.21093546),
}
ROWS_A_BLOCK = 32
FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.999, 1e-8  # Adam's
BATCHES_MEASURED = 10  # for the largest eigenvalue, which scales the rows
CORRECTION = 1e-2  # slope of the loss where an estimate is outside 0..1


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + ROWS_A_BLOCK, n)) for start in range(0, n, ROWS_A_BLOCK)]


def times_upper(x: Array, s: Array, r: Array) -> Array:
    """Product of the strict upper triangle of ``x diag(s) x^T`` with `r`, without forming it.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)
    s : ndarray of shape (n_features,)
    r : ndarray of shape (n_rows, n_targets)

    Returns
    -------
    ndarray of shape (n_rows, n_targets)

    Examples
    --------
    >>> x, s, r = np.array([[1.0], [2.0], [3.0]]), np.array([1.0]), np.ones((3, 1))
    >>> times_upper(x, s, r).ravel().tolist()
    [5.0, 6.0, 0.0]
    """
    out = np.empty_like(r)
    below = np.zeros((x.shape[1], r.shape[1]))  # x^T r of the rows below
    for rows in reversed(_blocks(len(x))):
        part, masked = x[rows], x[rows] * s
        out[rows] = masked @ below + np.triu(masked @ part.T, 1) @ r[rows]
        below += part.T @ r[rows]
    return out


def _powers(x: Array, s: Array, y: Array, n: int) -> list[Array]:
    """``y, T y, ..., T^n y``."""
    out = [y]
    for _ in range(n):
        out.append(times_upper(x, s, out[-1]))
    return out


class PredictabilityEstimate:
    """How well masked columns predict targets, from moments: no model is fitted.

    ``z(s) = sum_k c_k / binom(n, k + 2) * y^T T^(k + 1) y`` over ``k = 0 .. order - 1``, where `T` is the strict upper
    triangle of ``x diag(s) x^T``.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)
        Standardised columns.
    y : ndarray of shape (n_rows, n_targets)
        Standardised targets.
    s : ndarray of shape (n_features,)
        The mask, 0..1.
    order : int
        1..5; at least `order` + 1 rows are needed.

    Attributes
    ----------
    values : ndarray of shape (n_targets,)
        About the explained share of each target where columns are little correlated; may fall outside 0..1.
    """

    def __init__(self, x: Array, y: Array, s: Array, order: int) -> None:
        n = len(x)
        self.x = x
        self.weights = np.array([c / comb(n, k + 2) for k, c in enumerate(COEFFICIENTS[order])])
        self.right = _powers(x, s, y, max(order - 1, 1))
        self.left = [left[::-1] for left in _powers(x[::-1], s, y[::-1], order - 1)]  # powers of the transpose
        moments = [(self.left[(k + 1) // 2] * self.right[(k + 2) // 2]).sum(axis=0) for k in range(order)]
        self.values: Array = self.weights @ np.array(moments)

    def gradient(self, outer: Array) -> Array:
        """Derivative of ``outer @ values`` by the mask.

        Parameters
        ----------
        outer : ndarray of shape (n_targets,)

        Returns
        -------
        ndarray of shape (n_features,)
        """
        order = len(self.weights)
        left = np.hstack(self.left)
        right = np.hstack(
            [outer * np.einsum("q,qnc->nc", self.weights[p:], np.array(self.right[: order - p])) for p in range(order)]
        )
        out = np.zeros(self.x.shape[1])
        below = np.zeros((self.x.shape[1], left.shape[1]))
        for rows in reversed(_blocks(len(self.x))):
            part = self.x[rows]
            out += ((part.T @ left[rows]) * below).sum(axis=1)
            out += (part * (np.triu(left[rows] @ right[rows].T, 1) @ part)).sum(axis=0)
            below += part.T @ right[rows]
        return out


def largest_eigenvalue(x: Array, n_iter: int = 30) -> float:
    """Largest eigenvalue of ``x^T x / n_rows``, by power iteration from a random vector of a fixed seed.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)

    Returns
    -------
    float
        At least a thousandth, which a table of constants would fall below.

    Examples
    --------
    >>> round(largest_eigenvalue(np.array([[2.0, 0.0], [0.0, 1.0]])), 6)
    2.0
    """
    v: Array = np.random.default_rng(0).normal(size=(x.shape[1],))
    value = 0.0
    for _ in range(n_iter):
        length = np.sqrt(v @ v)
        if length == 0.0:
            break
        product = x @ (v / length)
        before, value = value, float(product @ product)
        if abs(value - before) <= 1e-6 * value:
            break
        v = x.T @ product
    return max(value / len(x), 1e-3)


def loss_and_slopes(values: Array, classes: bool) -> tuple[float, Array]:
    """Loss of estimates of predictability, mean over the targets, and its derivatives.

    Parameters
    ----------
    values : ndarray of shape (n_targets,)
    classes : bool
        Numbers lose ``1 - z``, indicators of classes ``(1 - sqrt(z)) / 2``; outside 0..1 a small slope leads back.

    Returns
    -------
    loss : float
    slopes : ndarray of shape (n_targets,)

    Examples
    --------
    >>> loss_and_slopes(np.array([0.25]), classes=True)
    (0.25, array([-0.5]))
    """
    if not classes:
        return float(np.mean(1.0 - values)), np.full(len(values), -1.0 / len(values))
    inside = np.clip(values, 0.0, 1.0)
    slopes = -0.25 / np.sqrt(np.maximum(inside, 1e-12))
    slopes = np.where(values < 0.0, -CORRECTION, np.where(values > 1.0, CORRECTION, slopes))
    return float(np.mean(0.5 * (1.0 - np.sqrt(inside)))), slopes / len(values)


class MaskDescent:
    """Adam's descent of a mask, one value a group of columns, on batches of rows.

    Parameters
    ----------
    groups : ndarray of shape (n_features,), int
        Codes 0, 1, ... of the groups.
    order, penalty, learning_rate
        As for `FeatureGradientSelector`.

    Attributes
    ----------
    logits : ndarray of shape (n_groups,)
        The mask is their sigmoid.
    """

    def __init__(self, groups: NDArray[np.intp], order: int, penalty: float, learning_rate: float) -> None:
        self.groups, self.order, self.learning_rate = groups, order, learning_rate
        self.share = penalty / (penalty + 1.0)
        self.logits = np.zeros(int(groups.max()) + 1)
        self.first, self.second = np.zeros_like(self.logits), np.zeros_like(self.logits)
        self.n_steps = 0

    @property
    def mask(self) -> Array:
        """One value a column, 0..1."""
        return expit(self.logits)[self.groups]

    def step(self, x: Array, y: Array, classes: bool) -> None:
        """Move by one batch: standardised columns divided by the root of their largest eigenvalue, and targets."""
        s = self.mask
        estimate = PredictabilityEstimate(x, y, s, self.order)
        slopes = estimate.gradient(loss_and_slopes(estimate.values, classes)[1])
        mixed = (1.0 - self.share) * slopes + self.share / len(s)
        total: Array = np.bincount(self.groups, mixed * s * (1.0 - s)).astype(np.float64)
        gradient = total / max(1.0, float(np.sqrt(total @ total)))
        self.n_steps += 1
        self.first += (1.0 - FIRST_DECAY) * (gradient - self.first)
        self.second += (1.0 - SECOND_DECAY) * (gradient**2 - self.second)
        mean = self.first / (1.0 - FIRST_DECAY**self.n_steps)
        scale = np.sqrt(self.second / (1.0 - SECOND_DECAY**self.n_steps))
        self.logits -= self.learning_rate * mean / (scale + TINY)


class FeatureGradientSelector(RankingSelector):
    """Select columns by a soft mask, learned by descent on an estimate of predictability; no model is fitted.

    What the masked columns explain of the target is estimated from products of rows of a batch
    (`PredictabilityEstimate`), and the mean of the mask is a penalty. A step takes ``order * batch_size * n_features``
    operations and memory for one batch, whatever the number of rows; sparse columns are made dense batch by batch.
    Only linear dependence counts: give products of columns (`sklearn.preprocessing.PolynomialFeatures`) to find
    interactions.

    Parameters
    ----------
    k : int, float, "mask", "elbow" or "all"
        Keep the columns whose mask is above 1/2; or the best `k`, a share of the columns, those before the elbow of
        the masks, or all.
    threshold : float, optional
        Keep the columns with at least this mask; `k` is then not used.
    order : int
        1..5, of the estimate. Order 1 sees each column on its own; higher ones see that columns share what they
        explain.
    penalty : float
        Weight of the mask's mean against the loss: of numbers, a column stays on when the estimate gains more than
        ``penalty / n_features`` by it.
    learning_rate : float
        Of Adam.
    batch_size : int
        Rows of a step; where they do not divide the rows, steps take up to twice as many.
    max_iter : int
        Passes over the rows.
    groups : array-like of shape (n_features,), optional
        Columns of the same label share one value of the mask.
    target_kind : {"auto", "numeric", "categorical"}
        How to read `y`; ``"auto"``: words and at most 20 distinct whole numbers are classes, each of which is set
        against the rest and counts the same.
    random_state : int, Generator or None
        Of the order of the rows.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features_in_,)
        The mask, 0..1; NaN for columns that do not vary.
    reasons_ : tuple of str
        Why a score is undefined, ``""`` where it is defined.
    ranking_ : ndarray of shape (n_features_in_,), int64
    n_iter_ : int
        Passes over the rows, or calls of `partial_fit`.
    n_steps_ : int
        Batches seen.

    References
    ----------
    Sheth and Fusi (2019), Feature Gradients: Scalable Feature Selection via Discrete Relaxation. arXiv:1908.10382.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 40))
    >>> y = x[:, 3] - x[:, 8] + np.random.default_rng(1).normal(size=500)
    >>> FeatureGradientSelector(random_state=0).fit(x, y).get_support(indices=True)
    array([3, 8])
    """

    _mixed, _missing = False, False

    def __init__(
        self,
        k: Cut | Literal["mask"] = "mask",
        threshold: float | None = None,
        order: int = 4,
        penalty: float = 10.0,
        learning_rate: float = 0.1,
        batch_size: int = 1000,
        max_iter: int = 20,
        groups: ArrayLike | None = None,
        target_kind: TargetKind = "auto",
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        self.k = k  # type: ignore[assignment]
        self.threshold = threshold
        self.order = order
        self.penalty = penalty
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.groups = groups
        self.target_kind = target_kind
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, association: AssociationMatrix | None = None) -> Self:
        """Learn the mask.

        Parameters
        ----------
        X : array-like or SciPy sparse array of shape (n_samples, n_features), dataframe or FeatureTable
        y : array-like of shape (n_samples,)
        association : ignored

        Raises
        ------
        ValueError
            If there are too few rows for `order`, or columns or `y` are not what the selector can take.
        """
        self.__dict__.pop("_stream", None)  # of other rows
        if not issparse(X):
            return super().fit(X, y, None)
        X = self._checked(X, reset=True)
        self._check_cut()
        target = self._as_target(y, X.shape[0])
        assert target is not None
        self._usable = np.arange(X.shape[1])
        self._publish(*self._learned(X, target))
        self.n_iter_ = self.max_iter
        return self

    def partial_fit(self, X: Any, y: Any, classes: Sequence[Any] | None = None) -> Self:
        """Learn from more rows, once, with statistics of all rows so far; they should be in random order.

        Parameters
        ----------
        X : array-like or SciPy sparse array of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : sequence, optional
            All classes of `y`, on the first call; by default those of its first rows.

        Raises
        ------
        ValueError
            If a class of `y` was not known on the first call, or as for `fit`.
        """
        first = not hasattr(self, "_stream")
        X = validate_data(
            self, X, dtype=np.float64, accept_sparse="csr", ensure_min_samples=2 if first else 1, reset=first
        )
        if first:
            self._check_cut()
            self._usable = np.arange(X.shape[1])
            self._coded = None if classes is None else True
            self._classes = None if classes is None else target_column(classes, "categorical").categories
            self._target_scaler = StandardScaler()
            self._rng = np.random.default_rng(self.random_state)
        target = self._known_target(y, X.shape[0])
        self._check_rows(X.shape[0])
        if first:
            self._stream, self.n_iter_ = self._new_stream(), 0
        scaler, descent = self._stream
        scaler.partial_fit(X)
        block = _targets(target, self._target_scaler)
        for rows in self._batches(X.shape[0], self._rng, 1):
            self._step(descent, X[rows], scaler, block[rows], target.is_coded)
        self._publish(scaler, descent)
        self.n_iter_ += 1
        return self

    def transform(self, X: Any) -> Any:
        """The selected columns, as the same kind of table or array as `X`; see `fit`."""
        if not issparse(X):
            return super().transform(X)
        check_is_fitted(self)
        return self._checked(X, reset=False)[:, self.get_support(indices=True)]

    def _checked(self, X: Any, reset: bool) -> Any:
        if issparse(X):
            return validate_data(
                self, X, dtype=np.float64, accept_sparse="csr", ensure_min_samples=2 if reset else 1, reset=reset
            )
        return super()._checked(X, reset)

    def _check_columns(self, columns: Sequence[Any], reasons: Sequence[str]) -> None:
        super()._check_columns(columns, reasons)
        self._usable = np.array([j for j, reason in enumerate(reasons) if not reason], dtype=np.intp)

    def _score(
        self, table: FeatureTable, target: Column | None, association: AssociationMatrix | None
    ) -> Array | Scores:
        assert target is not None
        if not target.is_coded:
            target = replace(target, values=_moderate(target.values.astype(np.float64)))
        descent = self._learned(_moderate(numeric_block(table)), target)[1]
        self.n_steps_, self.n_iter_ = descent.n_steps, self.max_iter
        return descent.mask

    def _keep(self, found: Scores, usable: Sequence[int], reasons: list[str]) -> None:
        super()._keep(found, usable, reasons)
        if not len(usable):
            self.n_steps_, self.n_iter_ = 0, 0

    def _new_stream(self) -> tuple[StandardScaler, MaskDescent]:
        groups = np.arange(self.n_features_in_) if self.groups is None else np.asarray(self.groups)
        if groups.shape != (self.n_features_in_,):
            raise ValueError(f"groups has shape {groups.shape}, not ({self.n_features_in_},), one label a column")
        codes = np.unique(groups[self._usable], return_inverse=True)[1]
        self._largest = 0.0
        return StandardScaler(with_mean=False), MaskDescent(codes, self.order, self.penalty, self.learning_rate)

    def _learned(self, x: Any, target: Column) -> tuple[StandardScaler, MaskDescent]:
        """Passes over all rows."""
        self._check_rows(x.shape[0])
        scaler, descent = self._new_stream()
        scaler.fit(x)
        y = _targets(target, StandardScaler())
        for rows in self._batches(x.shape[0], np.random.default_rng(self.random_state), self.max_iter):
            self._step(descent, x[rows], scaler, y[rows], target.is_coded)
        return scaler, descent

    def _step(self, descent: MaskDescent, x: Any, scaler: StandardScaler, y: Array, classes: bool) -> None:
        dense = x.toarray() if issparse(x) else x
        z = (dense - scaler.mean_) / scaler.scale_
        with one_blas_thread():  # blocks are too small for threads
            if descent.n_steps < BATCHES_MEASURED:
                self._largest = max(self._largest, largest_eigenvalue(z))
            descent.step(z / np.sqrt(self._largest), y, classes)

    def _batches(self, n: int, rng: np.random.Generator, n_passes: int) -> Iterator[NDArray[np.intp]]:
        for _ in range(n_passes):
            yield from np.array_split(rng.permutation(n), max(1, n // self.batch_size))

    def _known_target(self, y: Any, n_rows: int) -> Column:
        """The target of a part of the rows, with the classes of the first part."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        kinds: dict[bool | None, TargetKind] = {None: self.target_kind, True: "categorical", False: "numeric"}
        target = target_column(y, kinds[self._coded])
        if len(target.values) != n_rows:
            raise ValueError(f"X has {n_rows} rows and y has {len(target.values)}; they must be the same rows")
        self._coded = target.is_coded
        if not target.is_coded:
            return target
        self._classes = self._classes or target.categories
        places = {name: code for code, name in enumerate(self._classes or ())}
        unknown = [name for name in target.categories or () if name not in places]
        if unknown:
            raise ValueError(
                f"y has a class that was not known at first, {unknown[0]!r}; give classes to the first call"
            )
        codes = np.array([places[name] for name in target.categories or ()], dtype=np.int32)[target.values]
        return Column("y", "categorical", codes, self._classes)

    def _publish(self, scaler: StandardScaler, descent: MaskDescent) -> None:
        """Set the fitted attributes."""
        constant = scaler.var_ == 0
        self.n_steps_ = descent.n_steps
        reasons = tuple(CONSTANT if c else "" for c in constant)
        found = Scores(np.where(constant, np.nan, descent.mask), reasons)
        self._keep(found, range(len(constant)), list(reasons))
        self._n_selected = self._cut(self._column_names())

    def _column_names(self) -> list[str]:
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    def _check_rows(self, n: int) -> None:
        rows = min(n, self.batch_size)
        if rows <= self.order:
            raise ValueError(f"batches of {rows} rows are too few for order={self.order}; lower it or use more rows")

    def _check_cut(self) -> None:
        if self.k != "mask":
            super()._check_cut()
        if not isinstance(self.order, int | np.integer) or self.order not in COEFFICIENTS:
            raise ValueError(f"order must be 1..5, got {self.order!r}")
        for name in ("max_iter", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")
        if not 0.0 < self.learning_rate < np.inf:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 0.0 <= self.penalty < np.inf:
            raise ValueError(f"penalty must not be negative, got {self.penalty}")

    def _cut(self, names: Any) -> int:
        if self.k == "mask" and self.threshold is None:
            return int(np.count_nonzero(self.scores_ > 0.5))
        return super()._cut(names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _moderate(x: Array) -> Array:
    """Columns whose squares neither overflow nor vanish: by powers of two where they would, else as they are."""
    largest = np.abs(x).max(axis=0)
    extreme = (largest > 1e100) | (largest < 1e-100)
    return np.ldexp(x, np.where(extreme, -np.frexp(largest)[1], 0)) if extreme.any() else x


def _targets(target: Column, scaler: StandardScaler) -> Array:
    """Standardised targets, one column a class where there are more than two."""
    n_classes = len(target.categories or ()) if target.is_coded else 0
    if n_classes > 2:
        values = (target.values[:, None] == np.arange(n_classes)).astype(np.float64)
    else:
        values = target.values.astype(np.float64)[:, None]
    return scaler.partial_fit(values).transform(values)
