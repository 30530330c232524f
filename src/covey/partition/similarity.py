"""How much of what one party holds another holds too: what the singular values of a correlation block do not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.engine import Engine
from covey.measure import associate
from covey.partition._gather import encoded_blocks, gather
from covey.partition._inputs import numeric_block
from covey.partition._partition import Partition

SimilarityMeasure = Literal["cka", "rv", "canonical_correlation"]
Prepared = NDArray[np.float64] | None  # None where the similarity is undefined
Compare = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

_NO_FEATURE = "a party holds no feature"
_CONSTANT = "every feature of a party is constant"
_FEW_ROWS = "too few rows: debiased CKA needs 4 and similarities above 0"
_SPANNED = "too few rows for so many features: every canonical correlation would be 1"


@dataclass(frozen=True, eq=False)
class PartySimilarity:
    """A similarity of every two parties.

    Parameters
    ----------
    measure : str
    party_names : tuple of str
    values : ndarray of shape (K, K)
        Symmetric; NaN where undefined.
    reasons : ndarray of str, shape (K, K)
        Why a value is undefined; ``""`` where it is defined.
    """

    measure: str
    party_names: tuple[str, ...]
    values: NDArray[np.float64]
    reasons: NDArray[np.str_]

    @property
    def between(self) -> float:
        """Mean over the pairs of parties whose similarity is defined; NaN if there is none."""
        between = self.values[np.triu_indices(len(self.values), 1)]
        known = between[~np.isnan(between)]
        return float(known.mean()) if len(known) else float("nan")

    def __repr__(self) -> str:
        shown = "undefined" if np.isnan(self.between) else f"{self.between:.3f}"
        return f"<PartySimilarity {self.measure} of {len(self.values)} parties: mean between parties {shown}>"


def rv_coefficient(X: ArrayLike, Y: ArrayLike, *, standardize: bool = False) -> float:
    """RV coefficient: the squared correlation, made multivariate, of two blocks of columns.

    ``||X'Y||^2 / (||X'X|| ||Y'Y||)`` of the centred blocks, in Frobenius norms. One column on each side gives r^2. It
    does not change when a block is rotated, shifted or multiplied by a number; it is above 0 for independent blocks,
    about (n_left n_right)^(1/2) / n_samples for white ones (see `linear_cka` with ``debiased=True``).

    Parameters
    ----------
    X : array-like of shape (n_samples, n_left)
    Y : array-like of shape (n_samples, n_right)
    standardize : bool, default=False
        Scale every column to deviation 1 first, so that units do not matter.

    Returns
    -------
    float
        0..1; NaN if a block is empty or constant.

    Raises
    ------
    ValueError
        If rows differ in number, or a value is missing or infinite.

    References
    ----------
    Robert and Escoufier (1976), A unifying tool for linear multivariate statistical methods: the RV-coefficient,
    J. R. Stat. Soc. C 25.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(rv_coefficient(X, X @ [[0.0, 3.0], [-3.0, 0.0]]), 12)
    1.0
    """
    left, right = (_for_rv(_scaled(block) if standardize else block) for block in _pair(X, Y))
    return _compared(left, right, _squared_norm)


def linear_cka(X: ArrayLike, Y: ArrayLike, *, debiased: bool = False, standardize: bool = False) -> float:
    """Linear centred kernel alignment of two blocks of columns.

    Plain, it is the RV coefficient. Debiased, it takes the unbiased estimate of the Hilbert-Schmidt independence
    criterion instead, which for independent blocks is 0 on average however many columns there are; it needs no
    n_samples x n_samples matrix.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_left)
    Y : array-like of shape (n_samples, n_right)
    debiased : bool, default=False
    standardize : bool, default=False
        Scale every column to deviation 1 first.

    Returns
    -------
    float
        0..1, debiased at most 1 and possibly below 0; NaN if a block is empty or constant, or, debiased, with fewer
        than 4 rows or so few that the estimate of a block with itself is not positive.

    Raises
    ------
    ValueError
        If rows differ in number, or a value is missing or infinite.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton (2019), Similarity of Neural Network Representations Revisited,
    arXiv:1905.00414; Song, Smola, Gretton, Bedo and Borgwardt (2012), Feature selection via dependence maximization,
    J. Mach. Learn. Res. 13; Nguyen, Raghu and Kornblith (2021), arXiv:2010.15327.

    Examples
    --------
    >>> X, Y = np.random.default_rng(0).normal(size=(2, 50, 40))
    >>> round(linear_cka(X, Y), 1), round(linear_cka(X, Y, debiased=True), 1)
    (0.4, -0.0)
    """
    if not debiased:
        return rv_coefficient(X, Y, standardize=standardize)
    left, right = (_for_cka(_scaled(block) if standardize else block) for block in _pair(X, Y))
    return _compared(left, right, _unbiased_hsic)


def canonical_correlations(X: ArrayLike, Y: ArrayLike) -> NDArray[np.float64]:
    """Canonical correlations of two blocks of columns.

    Constant columns, copies and other linear dependences inside a block do not matter: there are as many as the smaller
    of the two ranks. Where the two ranks together exceed n_samples - 1, some are 1 whatever the data.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_left)
    Y : array-like of shape (n_samples, n_right)

    Returns
    -------
    ndarray of shape (min(rank of X, rank of Y),)
        0..1, largest first.

    Raises
    ------
    ValueError
        If rows differ in number, or a value is missing or infinite.

    References
    ----------
    Hotelling (1936), Relations between two sets of variates, Biometrika 28; Bjorck and Golub (1973), Numerical methods
    for computing angles between linear subspaces, Math. Comp. 27.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> canonical_correlations(X, X[:, :1] + 5).round(12).tolist()
    [1.0]
    """
    left, right = map(_basis, _pair(X, Y))
    return np.minimum(np.linalg.svd(left.T @ right, compute_uv=False), 1.0)


def mean_squared_canonical_correlation(X: ArrayLike, Y: ArrayLike, *, adjusted: bool = False) -> float:
    """Mean of the squared canonical correlations: the share of the smaller block that is linear in the other.

    It does not change under any invertible linear map of a block. For independent normal blocks of full rank its mean
    is max(n_left, n_right) / (n_samples - 1); adjusted, ``1 - (1 - value) (n_samples - 1) / (n_samples - 1 - larger
    rank)``, its mean is 0. One column on each side: r^2 and adjusted r^2.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_left)
    Y : array-like of shape (n_samples, n_right)
    adjusted : bool, default=False

    Returns
    -------
    float
        0..1, adjusted at most 1 and possibly below 0; NaN if a block is empty or constant, or if the rank of a block is
        n_samples - 1, when every canonical correlation is 1 whatever the data.

    Raises
    ------
    ValueError
        If rows differ in number, or a value is missing or infinite.

    References
    ----------
    Cramer and Nicewander (1979), Some symmetric, invariant measures of multivariate association, Psychometrika 44.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> round(mean_squared_canonical_correlation(X, X @ [[2.0, 1.0], [0.0, 3.0], [0.0, 0.0]]), 12)
    1.0
    """
    left, right = map(_for_canonical, _pair(X, Y))
    return _compared(left, right, _adjusted_mean_square if adjusted else _mean_square)


def mean_absolute_correlation(
    X: Any, Y: Any, correlation: str = "pearson", engine: Engine | str | None = None
) -> float:
    """Mean absolute correlation of the columns of one block with those of another.

    Independent columns do not give 0 but about 0.8 / sqrt(n_samples).

    Parameters
    ----------
    X, Y : array-like, frame, FeatureTable, or anything that `covey.read` takes
        With the same rows; missing values are left out pair by pair.
    correlation : str, default="pearson"
        One of `covey.measures()`.
    engine : Engine or str, optional

    Returns
    -------
    float
        Over the pairs whose correlation is defined; NaN if there is none.

    Raises
    ------
    ValueError
        If rows differ in number or the measure is unknown.

    Examples
    --------
    >>> x = np.arange(5.0)[:, None]
    >>> round(mean_absolute_correlation(x, np.hstack([-x, np.ones((5, 1))])), 12)
    1.0
    """
    table, partition = gather([X, Y], None)
    left, right = partition.split(table)
    return mean_magnitude(associate(left, right, measure=correlation, pvalues=False, engine=engine).values)


def mean_magnitude(correlation: NDArray[np.float64]) -> float:
    """Mean of the absolute values that are no NaN; NaN if there is none."""
    known = np.abs(correlation[~np.isnan(correlation)])
    return float(known.mean()) if len(known) else float("nan")


def party_similarity(X: Any, partition: Partition | None = None, measure: SimilarityMeasure = "cka") -> PartySimilarity:
    """How alike the features of every two parties are, as a whole.

    Unlike Pcor, all three measures are 1 for a party and its copy, whether or not its features correlate among
    themselves, and see a party of one feature.

    Parameters
    ----------
    X : array-like, frame, FeatureTable, or anything that `covey.read` takes
        Or, without a partition, a list with one of these for each party. Columns are standardised, missing numbers
        become the mean, categories become indicators: what the algorithms of this room see.
    partition : Partition, optional
    measure : {"cka", "rv", "canonical_correlation"}
        Debiased linear CKA, RV coefficient, or adjusted mean squared canonical correlation.

    Returns
    -------
    PartySimilarity
        The diagonal is 1 where it is defined.

    Raises
    ------
    ValueError
        If the measure is unknown, `X` does not fit the partition, or an array holds an infinity.
    TypeError
        If there is neither a partition nor a list of the parties' tables.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> party_similarity([X, X[:, ::-1], X[:, :1]], measure="rv").values.round(1).tolist()
    [[1.0, 1.0, 0.6], [1.0, 1.0, 0.6], [0.6, 0.6, 1.0]]
    """
    if measure not in _MEASURES:
        raise ValueError(f"no similarity {measure!r}; choose one of {', '.join(_MEASURES)}")
    table, partition = gather(X, partition)
    return block_similarity(encoded_blocks(table, partition), partition.party_names, measure)


def block_similarity(
    blocks: list[NDArray[np.float64]], party_names: tuple[str, ...], measure: SimilarityMeasure
) -> PartySimilarity:
    """`party_similarity` of blocks of numbers, one for each party, as they are."""
    prepare, compare, why = _MEASURES[measure]
    blocks = [_centred(block) for block in blocks]
    prepared = [prepare(block) for block in blocks]
    values = np.array([[_compared(left, right, compare) for right in prepared] for left in prepared])
    reasons = [[_reason(left, right, why) for right in blocks] for left in blocks]
    return PartySimilarity(measure, party_names, values, np.where(np.isnan(values), reasons, ""))


def _reason(left: NDArray[np.float64], right: NDArray[np.float64], why: str) -> str:
    if not left.shape[1] or not right.shape[1]:
        return _NO_FEATURE
    return _CONSTANT if not left.any() or not right.any() else why


def _pair(X: ArrayLike, Y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = _complete(X, "X"), _complete(Y, "Y")
    if len(left) != len(right):
        raise ValueError(f"X has {len(left)} rows and Y has {len(right)}; both must hold the same samples, in order")
    return left, right


def _complete(block: ArrayLike, name: str) -> NDArray[np.float64]:
    values = numeric_block(block)
    gaps = np.isnan(values).any(axis=0)
    if gaps.any():
        raise ValueError(f"column {int(gaps.argmax())} of {name} has missing values; fill them or drop their rows")
    return _centred(values)


def _centred(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns less their means; exactly 0 where nothing varies."""
    centred = block - block.mean(axis=0)
    centred -= centred.mean(axis=0)
    centred[:, np.ptp(block, axis=0) == 0] = 0.0
    return centred


def _scaled(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of length 1, or of length 0."""
    largest = np.abs(centred).max(axis=0, initial=0.0)
    centred = centred / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(centred, axis=0)
    return centred / np.where(length > 0, length, 1.0)


def _compared(left: Prepared, right: Prepared, compare: Compare) -> float:
    return float("nan") if left is None or right is None else min(compare(left, right), 1.0)


def _squared_norm(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(left.T @ right) ** 2)


def _unbiased_hsic(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Unbiased HSIC of centred blocks, but for the factor 1 / (n (n - 3)), from the lengths of the rows."""
    n = len(left)
    k, l = np.sum(left**2, axis=1), np.sum(right**2, axis=1)
    return _squared_norm(left, right) - n / (n - 2) * float(k @ l) + float(k.sum() * l.sum()) / ((n - 1) * (n - 2))


def _of_unit_size(centred: NDArray[np.float64], size: Compare) -> Prepared:
    """The block, scaled so that its `size` with itself, a form of degree 4 in it, is 1."""
    largest = np.abs(centred).max(initial=0.0)
    if largest == 0:
        return None
    centred = centred / largest
    own = size(centred, centred)
    # what is left of a difference of large terms is no size
    return centred / own**0.25 if own > 1e-12 * _squared_norm(centred, centred) else None


def _for_rv(centred: NDArray[np.float64]) -> Prepared:
    return _of_unit_size(centred, _squared_norm)


def _for_cka(centred: NDArray[np.float64]) -> Prepared:
    return _of_unit_size(centred, _unbiased_hsic) if len(centred) > 3 else None


def _basis(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of the columns, shape (n_samples, rank)."""
    q, r = np.linalg.qr(_scaled(centred))
    u, s, _ = np.linalg.svd(r, full_matrices=False)
    rank = int(np.sum(s > s.max(initial=0.0) * max(centred.shape) * np.finfo(np.float64).eps * 10))
    return q @ u[:, :rank]


def _for_canonical(centred: NDArray[np.float64]) -> Prepared:
    basis = _basis(centred)
    return basis if 0 < basis.shape[1] < len(basis) - 1 else None


def _mean_square(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    return _squared_norm(left, right) / min(left.shape[1], right.shape[1])


def _adjusted_mean_square(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    free = len(left) - 1
    return 1.0 - (1.0 - _mean_square(left, right)) * free / (free - max(left.shape[1], right.shape[1]))


_MEASURES: dict[str, tuple[Callable[[NDArray[np.float64]], Prepared], Compare, str]] = {
    "cka": (_for_cka, _unbiased_hsic, _FEW_ROWS),
    "rv": (_for_rv, _squared_norm, _CONSTANT),
    "canonical_correlation": (_for_canonical, _adjusted_mean_square, _SPANNED),
}
SIMILARITIES: tuple[SimilarityMeasure, ...] = get_args(SimilarityMeasure)
