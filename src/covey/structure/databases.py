"""Are two databases the same records in another order? Tests, their power, and the phase diagram of detection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.optimize import brentq, linear_sum_assignment

from covey.measure._null import permutation_pvalue

Array = NDArray[np.float64]
Method = Literal["sum", "count", "assignment"]

N_NODES = 2000  # of the integral over a chi-square variable


@dataclass(frozen=True, eq=False)
class DatabaseCorrelation:
    """What a test of two databases found.

    Parameters
    ----------
    statistic : float
        ``"sum"``: sum of all inner products over ``n * sqrt(d)``, of variance 1 without correlation. ``"count"``:
        number of pairs whose cosine is above the threshold. ``"assignment"``: mean inner product of matched rows
        over `d`.
    pvalue : float
        Of no correlation against a positive one.
    method : str
    matching : ndarray of shape (n,), intp, or None
        Row of the second database that each row of the first is matched with, for ``"assignment"``.
    """

    statistic: float
    pvalue: float
    method: str
    matching: NDArray[np.intp] | None = None


def correlated_databases(
    n_rows: int, n_features: int, correlation: float, random_state: int | np.random.Generator | None = None
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Two standard normal databases whose rows are correlated pairs, those of the second shuffled.

    Parameters
    ----------
    n_rows, n_features : int
    correlation : float
        Of each entry with its partner, -1..1.
    random_state : int, Generator or None

    Returns
    -------
    X, Y : ndarray of shape (n_rows, n_features)
    permutation : ndarray of shape (n_rows,), intp
        ``Y[permutation[i]]`` is the partner of ``X[i]``.

    Raises
    ------
    ValueError
        If `correlation` lies outside -1..1, or there is no row or feature.

    References
    ----------
    Elimelech and Huleihel (2023), arXiv:2302.03380.

    Examples
    --------
    >>> X, Y, permutation = correlated_databases(5, 1000, 0.8, random_state=0)
    >>> bool(np.argmax(X @ Y.T, axis=1).tolist() == permutation.tolist())
    True
    """
    _check_correlation(correlation)
    if min(n_rows, n_features) < 1:
        raise ValueError(f"n_rows and n_features must be at least 1, got {n_rows} and {n_features}")
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=(n_rows, n_features))
    partner = correlation * x + np.sqrt(1.0 - correlation**2) * rng.normal(size=x.shape)
    permutation = rng.permutation(n_rows)
    y = np.empty_like(partner)
    y[permutation] = partner
    return x, y, permutation


def database_correlation_test(
    X: ArrayLike,
    Y: ArrayLike,
    method: Method = "sum",
    *,
    threshold: float | None = None,
    n_permutations: int = 0,
    random_state: int | np.random.Generator | None = None,
) -> DatabaseCorrelation:
    """Test whether the rows of `Y` are those of `X`, correlated, in an unknown order.

    The sum of all inner products, ``(sum of rows of X) . (sum of rows of Y)``, does not depend on the order. Without
    correlation it has mean 0 and variance ``n^2 d``, with correlation `rho` mean ``n d rho``: its power depends on
    ``rho^2 d`` and not on `n`, and where ``rho^2 d`` tends to 0 no test can detect. The count of pairs with a cosine
    near 1 is stronger where `rho` is near 1 and there are many rows; the best assignment also gives a matching.

    Parameters
    ----------
    X, Y : array-like of shape (n, d)
        Entries of known mean 0 and variance 1: columns must be standardised by what is known of the population. By
        their sample means the sum would be 0 for any data.
    method : {"sum", "count", "assignment"}
    threshold : float, optional
        Of the cosine, for ``"count"``; by default one pair is expected to pass without correlation.
    n_permutations : int
        Draws of the null in which all entries of `Y` are shuffled; 0 for the p-value of normal entries, which is
        exact for ``"sum"``, by a Poisson approximation for ``"count"``, and not at hand for ``"assignment"``.
    random_state : int, Generator or None
        Of the shuffles.

    Returns
    -------
    DatabaseCorrelation

    Raises
    ------
    ValueError
        If the databases differ in shape or hold missing values, `method` is unknown, ``"count"`` has fewer than two
        features or a threshold outside -1..1, `n_permutations` is negative, or ``"assignment"`` has no permutations.

    References
    ----------
    Elimelech and Huleihel (2023), Phase Transitions in the Detection of Correlated Databases. ICML. arXiv:2302.03380.

    Examples
    --------
    >>> X, Y, _ = correlated_databases(200, 400, 0.25, random_state=1)
    >>> bool(database_correlation_test(X, Y).pvalue < 0.001)
    True
    """
    x, y = _databases(X, Y)
    if method not in ("sum", "count", "assignment"):
        raise ValueError(f"method must be 'sum', 'count' or 'assignment', got {method!r}")
    if method == "count" and x.shape[1] < 2:
        raise ValueError("the cosine of rows with one feature is 1 or -1; use method='sum'")
    if n_permutations < 0:
        raise ValueError(f"n_permutations must be at least 0, got {n_permutations}")
    if threshold is not None and not -1.0 <= threshold <= 1.0:
        raise ValueError(f"threshold is of a cosine and must lie in -1..1, got {threshold}")
    if method == "assignment" and n_permutations < 1:
        raise ValueError("method='assignment' has no p-value in closed form; set n_permutations, for instance 199")
    cut = _default_threshold(*x.shape) if threshold is None else threshold
    statistic, matching = _statistic(x, y, method, cut)
    if n_permutations:
        rng = np.random.default_rng(random_state)
        shuffled = (rng.permutation(y.ravel()).reshape(y.shape) for _ in range(n_permutations))
        null = np.array([_statistic(x, other, method, cut)[0] for other in shuffled])
        pvalue = float(permutation_pvalue(statistic, null))
    elif method == "sum":
        pvalue = _sum_tail(statistic * np.sqrt(x.shape[1]), x.shape[1], 0.0)
    else:
        expected = len(x) ** 2 * _cosine_tail(cut, x.shape[1])
        pvalue = float(special.pdtrc(statistic - 1.0, expected)) if statistic else 1.0
    return DatabaseCorrelation(statistic, pvalue, method, matching)


def sum_test_power(correlation: float, n_features: int, level: float = 0.05) -> float:
    """Power of the sum test on normal databases; it is exact, and the same for any number of rows.

    The sums of rows are `n_features` independent normal pairs with correlation `rho`, whatever the order of rows, so
    that the statistic is ``(1 + rho) / 2`` times one chi-square variable less ``(1 - rho) / 2`` times another.

    Parameters
    ----------
    correlation : float
        -1..1.
    n_features : int
    level : float
        Of the test, in 0..1.

    Returns
    -------
    float
        0..1.

    Raises
    ------
    ValueError
        If `correlation` lies outside -1..1, `level` outside 0..1, or there is no feature.

    References
    ----------
    Elimelech and Huleihel (2023), arXiv:2302.03380.

    Examples
    --------
    >>> round(sum_test_power(0.0, 10), 3), round(sum_test_power(0.3, 100), 3)
    (0.05, 0.907)
    """
    _check_correlation(correlation)
    critical = _critical(n_features, level)
    return _sum_tail(critical, n_features, correlation)


def detection_threshold(n_features: int, power: float = 0.9, level: float = 0.05) -> float:
    """The least correlation that the sum test detects with the given power; NaN where none is enough.

    It falls as ``1 / sqrt(n_features)``, and below that order no test detects, however many rows there are.

    Parameters
    ----------
    n_features : int
    power, level : float
        In 0..1, ``power > level``.

    Returns
    -------
    float
        0..1.

    Raises
    ------
    ValueError
        If `power` and `level` are not in order.

    References
    ----------
    Elimelech and Huleihel (2023), Phase Transitions in the Detection of Correlated Databases. ICML. arXiv:2302.03380.

    Examples
    --------
    >>> [round(detection_threshold(d), 3) for d in (1, 10, 100, 1000)]
    [nan, nan, 0.296, 0.093]
    """
    if not 0.0 < level < power < 1.0:
        raise ValueError(f"level and power must lie in 0..1 with level < power, got {level} and {power}")
    critical = _critical(n_features, level)
    if _sum_tail(critical, n_features, 1.0) < power:
        return float("nan")
    return float(brentq(lambda rho: _sum_tail(critical, n_features, rho) - power, 0.0, 1.0))


def databases_phase_diagram(
    correlations: ArrayLike,
    n_features: ArrayLike,
    n_rows: int = 100,
    *,
    method: Method = "sum",
    level: float = 0.05,
    n_trials: int = 100,
    random_state: int | np.random.Generator | None = None,
    **options: Any,
) -> Array:
    """Share of drawn pairs of databases in which the test rejects, over correlations and numbers of features.

    Parameters
    ----------
    correlations : array-like of shape (n_correlations,)
    n_features : array-like of shape (n_dimensions,), int
    n_rows : int
    method : {"sum", "count", "assignment"}
    level : float
    n_trials : int
        Pairs of databases drawn for each cell.
    random_state : int, Generator or None
    **options
        For `database_correlation_test`.

    Returns
    -------
    ndarray of shape (n_correlations, n_dimensions)
        0..1.

    Raises
    ------
    ValueError
        If `n_trials` is below 1, or as for `correlated_databases` and `database_correlation_test`.

    References
    ----------
    Elimelech and Huleihel (2023), arXiv:2302.03380.

    Examples
    --------
    >>> power = databases_phase_diagram([0.0, 0.9], [50, 100], n_rows=20, random_state=0)
    >>> bool((power[0] < 0.15).all()), power[1].tolist()
    (True, [1.0, 1.0])
    """
    if n_trials < 1:
        raise ValueError(f"n_trials must be at least 1, got {n_trials}")
    rng = np.random.default_rng(random_state)

    def rejects(correlation: float, d: int) -> bool:
        x, y, _ = correlated_databases(n_rows, d, correlation, rng)
        return database_correlation_test(x, y, method, random_state=rng, **options).pvalue <= level

    cells = [
        [np.mean([rejects(rho, d) for _ in range(n_trials)]) for d in np.asarray(n_features, dtype=int).tolist()]
        for rho in np.asarray(correlations, dtype=float).tolist()
    ]
    return np.array(cells)


def _databases(X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    if x.ndim != 2 or x.shape != y.shape or x.size == 0:
        raise ValueError(f"X and Y must be matrices of one shape, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("X and Y must be finite; drop rows with missing values first")
    return x, y


def _check_correlation(correlation: float) -> None:
    if not -1.0 <= correlation <= 1.0:
        raise ValueError(f"correlation must lie in -1..1, got {correlation}")


def _statistic(x: Array, y: Array, method: str, cut: float) -> tuple[float, NDArray[np.intp] | None]:
    if method == "sum":
        return float(x.sum(axis=0) @ y.sum(axis=0) / (len(x) * np.sqrt(x.shape[1]))), None
    products = x @ y.T
    if method == "count":
        lengths = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
        return float(np.count_nonzero(products > cut * lengths)), None
    rows, matching = linear_sum_assignment(products, maximize=True)
    return float(products[rows, matching].mean() / x.shape[1]), matching.astype(np.intp)


def _sum_tail(t: float, d: int, rho: float) -> float:
    """P(sum of `d` products of standard normal pairs > t): an integral over the second chi-square variable."""
    if t < 0.0:  # minus the sum is such a sum of correlation -rho
        return 1.0 - _sum_tail(-t, d, -rho)
    if rho <= -1.0:
        return 0.0
    other, weight = _chi_square_nodes(d)
    return float(weight @ special.chdtrc(d, (2.0 * t + (1.0 - rho) * other) / (1.0 + rho)))


@lru_cache(maxsize=16)
def _chi_square_nodes(d: int) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoidal rule in the logarithm of a chi-square variable.

    They reach far below the mean, from where the smallest tails of the sum come.
    """
    low, high = -80.0 / d - 20.0 * np.sqrt(2.0 / d), np.log1p(2.0 * np.sqrt(40.0 / d) + 80.0 / d)
    logs, step = np.linspace(low, high, N_NODES, retstep=True)
    nodes = d * np.exp(logs)
    weights = step * np.exp(special.xlogy(d / 2.0, nodes / 2.0) - nodes / 2.0 - special.gammaln(d / 2.0))
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def _critical(d: int, level: float) -> float:
    if d < 1:
        raise ValueError(f"n_features must be at least 1, got {d}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in 0..1, got {level}")
    reach = 40.0 * np.sqrt(d) + 40.0
    return float(brentq(lambda t: _sum_tail(t, d, 0.0) - level, -reach, reach))


def _cosine_tail(cut: float, d: int) -> float:
    """P(cosine of two independent directions > cut)."""
    half = 0.5 * float(special.betainc((d - 1) / 2.0, 0.5, 1.0 - min(cut * cut, 1.0)))
    return half if cut >= 0 else 1.0 - half


def _default_threshold(n: int, d: int) -> float:
    """Cosine that one of all pairs is expected to pass."""
    if n < 2 or d < 2:
        return 0.0
    return float(np.sqrt(1.0 - special.betaincinv((d - 1) / 2.0, 0.5, 2.0 / n**2)))
