"""Partial correlation of the parts of compositions: numbers known only up to a common scale of each row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.measure._matrix import OK, AssociationMatrix
from covey.measure._null import correlation_pvalue
from covey.table import read

SHRINKAGES = (None, "ledoit_wolf")
ZEROS = ("multiplicative", "pseudocount", "error")
STEADY = 0.01  # standard deviation of a sum that counts as constant, as a share of its mean
HARDLY_VARIES = 1e-3  # of the columns' own variance: what rounding leaves in a sum that is constant


def closure(X: ArrayLike) -> NDArray[np.float64]:
    """Each row divided by its sum.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        Non-negative; no row may be all zero.

    Returns
    -------
    ndarray of shape (n_samples, n_parts)
        Proportions; rows sum to 1.

    Raises
    ------
    ValueError
        If `X` is not a matrix, or an entry is negative, missing or infinite, or a row is all zero.

    References
    ----------
    Aitchison (1986), The Statistical Analysis of Compositional Data.

    Examples
    --------
    >>> closure([[1, 1, 2]])
    array([[0.25, 0.25, 0.5 ]])
    """
    X = _checked(X)
    total = X.sum(axis=1, keepdims=True)
    if (total == 0).any():
        raise ValueError(f"row {int((total == 0).argmax())} is all zero and has no proportions; drop it")
    return X / total


def clr(X: ArrayLike) -> NDArray[np.float64]:
    """Centred log-ratios: the logarithm of each part minus the row's mean logarithm.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        Positive; the scale of a row does not matter.

    Returns
    -------
    ndarray of shape (n_samples, n_parts)
        Rows sum to 0.

    Raises
    ------
    ValueError
        As `closure`, and for zeros.

    References
    ----------
    Aitchison (1986), The Statistical Analysis of Compositional Data.

    Examples
    --------
    >>> clr([[1.0, np.e, np.e**2]]).round(12)
    array([[-1.,  0.,  1.]])
    """
    logs = np.log(_positive(X))
    return logs - logs.mean(axis=1, keepdims=True)


def alr(X: ArrayLike, reference: int = -1) -> NDArray[np.float64]:
    """Additive log-ratios: the logarithm of each other part over the reference part.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        Positive; the scale of a row does not matter.
    reference : int
        Position of the reference part.

    Returns
    -------
    ndarray of shape (n_samples, n_parts - 1)

    Raises
    ------
    ValueError
        As `clr`, and if there is no such part.

    References
    ----------
    Aitchison (1986), The Statistical Analysis of Compositional Data.

    Examples
    --------
    >>> alr([[1.0, np.e, np.e**2]], reference=0)
    array([[1., 2.]])
    """
    logs = np.log(_positive(X))
    n_parts = logs.shape[1]
    if not -n_parts <= reference < n_parts:
        raise ValueError(f"reference {reference} is not one of {n_parts} parts")
    return np.delete(logs, reference, axis=1) - logs[:, [reference]]


def multiplicative_replacement(X: ArrayLike, delta: ArrayLike | None = None) -> NDArray[np.float64]:
    """Proportions with each zero set to `delta` and the other parts scaled so that rows still sum to 1.

    Ratios between the parts that were not zero are kept.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        Non-negative.
    delta : float or array_like of shape (n_parts,), optional
        In 0..1/n_parts, for all parts or for each; ``1 / n_parts**2`` by default, which is far too much where shares
        that are not zero are smaller: see `least_shares`.

    Returns
    -------
    ndarray of shape (n_samples, n_parts)

    Raises
    ------
    ValueError
        As `closure`, and if `delta` is out of range.

    References
    ----------
    Martin-Fernandez, Barcelo-Vidal and Pawlowsky-Glahn (2003), Dealing with zeros and missing values in
    compositional data sets using nonparametric imputation, Math. Geol. 35.

    Examples
    --------
    >>> multiplicative_replacement([[1, 2, 2, 0]])
    array([[0.1875, 0.375 , 0.375 , 0.0625]])
    """
    proportions = closure(X)
    n_parts = proportions.shape[1]
    deltas = np.asarray(1.0 / n_parts**2 if delta is None else delta, dtype=float)
    if deltas.shape not in ((), (n_parts,)):
        raise ValueError(f"delta must be one number, or one for each of {n_parts} parts; got shape {deltas.shape}")
    if not ((deltas > 0.0) & (deltas < 1.0 / n_parts)).all():
        raise ValueError(f"delta must lie between 0 and {1.0 / n_parts:.4g}, got {deltas.tolist()}")
    zero = proportions == 0
    return np.where(zero, deltas, proportions * (1.0 - (deltas * zero).sum(axis=1, keepdims=True)))


def least_shares(X: ArrayLike) -> NDArray[np.float64]:
    """What to replace zeros of each part with: 0.65 times its smallest share that is not 0, at most ``1 / n_parts**2``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        Non-negative; no row and no part may be all zero.

    Returns
    -------
    ndarray of shape (n_parts,)
        For `multiplicative_replacement`.

    Raises
    ------
    ValueError
        As `closure`, and if a part is zero in every row.

    References
    ----------
    Martin-Fernandez, Barcelo-Vidal and Pawlowsky-Glahn (2003), Dealing with zeros and missing values in
    compositional data sets using nonparametric imputation, Math. Geol. 35.

    Examples
    --------
    >>> least_shares([[50, 48, 2], [60, 40, 0], [50, 49, 1]]).round(4)
    array([0.1111, 0.1111, 0.0065])
    """
    proportions = closure(X)
    smallest = np.where(proportions > 0, proportions, np.inf).min(axis=0)
    if np.isinf(smallest).any():
        raise ValueError(f"part {int(np.isinf(smallest).argmax())} is zero in every row; drop it")
    return np.minimum(0.65 * smallest, 1.0 / proportions.shape[1] ** 2)


def compositional_partial_correlation(
    X: ArrayLike, shrinkage: str | None = None, zeros: str = "multiplicative"
) -> NDArray[np.float64]:
    """Correlation of every two parts, all others held fixed; needs no reference part and no common scale.

    It is ``-G_ij / sqrt(G_ii G_jj)`` where `G` is the pseudo-inverse of the covariance of the centred
    log-ratios; equal to the partial correlation of the additive log-ratios whatever their reference.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        At least three parts, non-negative; rows with a NaN are left out.
    shrinkage : {None, "ledoit_wolf"}
        None needs at least as many rows as parts. Ledoit-Wolf shrinks the covariance of isometric log-ratios
        towards a multiple of the identity.
    zeros : {"multiplicative", "pseudocount", "error"}
        What is done, with a warning, where an entry is zero: `multiplicative_replacement` by `least_shares`; 0.5 added
        to all counts; or an error.

    Returns
    -------
    ndarray of shape (n_parts, n_parts)
        In -1..1, 1 on the diagonal. Not subcompositionally coherent: leaving a part out changes the others.
        Parts that are independent, with one log-variance, before closure have ``1 / (n_parts - 1)``, not 0:
        closure itself ties them.

    Raises
    ------
    ValueError
        For fewer than three parts, negative or infinite entries, too few rows, or parts whose log-ratios are
        linearly dependent.

    References
    ----------
    Erb (2020), Partial correlations in compositional data analysis, Appl. Comput. Geosci. 6,
    arXiv:1904.09480. Ledoit and Wolf (2004), J. Multivar. Anal. 88.

    Examples
    --------
    >>> logs = np.random.default_rng(0).normal(size=(500, 4))
    >>> logs[:, 1] += 2 * logs[:, 0]
    >>> amounts = np.exp(logs)
    >>> float(compositional_partial_correlation(amounts)[0, 1].round(1))
    0.9
    """
    precision, _ = _log_ratio_precision(_complete_positive(X, zeros), shrinkage)
    return _correlation_of(precision)


def compositional_partial_variance(
    X: ArrayLike, shrinkage: str | None = None, zeros: str = "multiplicative"
) -> NDArray[np.float64]:
    """Variance of each part's log-ratio that the other parts do not explain.

    The residual variance of ``log(x_i / x_r)`` after linear regression on all other log-ratios; the same for
    every reference `r`.

    Parameters
    ----------
    X, shrinkage, zeros
        As for `compositional_partial_correlation`.

    Returns
    -------
    ndarray of shape (n_parts,)
        Positive. With few rows it is biased low, by the factor ``(n - n_parts + 1) / (n - 1)``.

    References
    ----------
    Erb (2020), Partial correlations in compositional data analysis, Appl. Comput. Geosci. 6,
    arXiv:1904.09480.

    Examples
    --------
    >>> logs = np.random.default_rng(0).normal(size=(5000, 3))
    >>> compositional_partial_variance(np.exp(logs)).round(1)
    array([1.5, 1.5, 1.4])
    """
    precision, _ = _log_ratio_precision(_complete_positive(X, zeros), shrinkage)
    return 1.0 / np.diagonal(precision)


def compositional_associations(
    source: Any, shrinkage: str | None = None, zeros: str = "multiplicative", pvalues: bool = True
) -> AssociationMatrix:
    """`compositional_partial_correlation` of the columns of a table, labelled and tested.

    Parameters
    ----------
    source : anything that `covey.read` takes
        Every column is a part and must hold numbers.
    shrinkage, zeros
        As for `compositional_partial_correlation`.
    pvalues : bool
        Test each pair by Student's t with ``n - n_parts + 1`` degrees of freedom, for jointly normal
        log-ratios. There are none with shrinkage.

    Returns
    -------
    AssociationMatrix
        Its `info` holds ``partial_variance`` (a value a part), ``shrinkage`` (the weight used) and ``rows``.

    Raises
    ------
    ValueError
        As `compositional_partial_correlation`, and if a column holds no numbers.

    References
    ----------
    Erb (2020), Partial correlations in compositional data analysis, Appl. Comput. Geosci. 6,
    arXiv:1904.09480.

    Examples
    --------
    >>> logs = np.random.default_rng(0).normal(size=(500, 4))
    >>> logs[:, 1] += 2 * logs[:, 0]
    >>> matrix = compositional_associations(np.exp(logs))
    >>> matrix.info["rows"], float(matrix.pvalues[0, 1]) < 1e-10
    (500, True)
    """
    table = read(source)
    for column in table.columns():
        if column.is_coded or column.kind == "datetime":
            raise ValueError(f"column {column.name!r} is {column.kind}; every part must be a number")
    X = _complete_positive(np.column_stack([column.values for column in table.columns()]), zeros)
    precision, weight = _log_ratio_precision(X, shrinkage)
    values, (n, n_parts) = _correlation_of(precision), X.shape
    p = None
    if pvalues and shrinkage is None:
        p = correlation_pvalue(values, n, given=n_parts - 3)
        np.fill_diagonal(p, np.nan)
    return AssociationMatrix(
        measure="compositional_partial_correlation",
        rows=table.names,
        columns=table.names,
        row_kinds=table.kinds,
        column_kinds=table.kinds,
        values=values,
        n=np.full(values.shape, n, dtype=np.int64),
        reasons=np.full(values.shape, OK, dtype=np.uint8),
        pvalues=p,
        info={
            "rows": n,
            "shrinkage": weight,
            "partial_variance": dict(zip(table.names, (1.0 / np.diagonal(precision)).tolist())),
        },
    )


def proportionality(X: ArrayLike, zeros: str = "multiplicative") -> NDArray[np.float64]:
    """How nearly every two parts keep a constant ratio: one minus the log-ratio's variance over its largest possible.

    ``rho_ij = 1 - var(log x_i / x_j) / (var(clr_i) + var(clr_j))``, the concordance of the centred log-ratios.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_parts)
        At least three parts, non-negative; rows with a NaN are left out.
    zeros : {"multiplicative", "pseudocount", "error"}
        As for `compositional_partial_correlation`.

    Returns
    -------
    ndarray of shape (n_parts, n_parts)
        In -1..1, 1 on the diagonal and for parts in a constant ratio, -1 for reciprocal ones; NaN where both centred
        log-ratios are constant. It depends on the other parts through the centre.

    Raises
    ------
    ValueError
        For fewer than three parts, fewer than two rows, or negative or infinite entries.

    References
    ----------
    Lovell et al. (2015), Proportionality: a valid alternative to correlation for relative data, PLoS Comput. Biol. 11.
    Erb and Notredame (2016), How should we measure proportionality on relative gene expression data?, Theory Biosci.
    135.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b, c, d = np.exp(rng.normal(size=(4, 500)))
    >>> rho = proportionality(np.c_[a, 3 * a, c, d])
    >>> float(rho[0, 1].round(6)), bool(rho[0, 2] < 0)
    (1.0, True)
    """
    logs = clr(_complete_positive(X, zeros))
    if len(logs) < 2:
        raise ValueError(f"proportionality needs at least two complete rows, got {len(logs)}")
    covariance = np.cov(logs, rowvar=False)
    variance = np.diagonal(covariance)
    total = variance[:, None] + variance
    scale = np.where(total > 1e-24, total, np.nan)
    return np.clip(2.0 * covariance / scale, -1.0, 1.0)


def find_compositions(source: Any, tolerance: float = STEADY) -> tuple[tuple[str, ...], ...]:
    """Columns of a table that add up to the same total in every row: shares, percentages, budgets of time.

    A constant sum is a direction in which the columns do not vary. Sums over sets without a common column are told
    apart by the projection onto all such directions, which has one block for each set.

    Parameters
    ----------
    source : anything that `covey.read` takes
        Only non-negative columns of numbers are looked at, on the rows where all of them are present.
    tolerance : float
        Largest standard deviation of the sum, as a share of its mean: rounded shares do not add up exactly.

    Returns
    -------
    tuple of tuple of str
        Sets of at least three columns, in the table's order. Half of the rows have at least two positive parts, so
        that indicators of categories are none; two columns that add up are one number told twice, and none either.

    References
    ----------
    Aitchison (1986), The Statistical Analysis of Compositional Data.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shares = rng.dirichlet([3, 2, 1], size=200)
    >>> find_compositions(np.c_[shares, rng.normal(size=200)])
    (('x0', 'x1', 'x2'),)
    """
    table = read(source)
    columns = [c for c in table.columns() if c.kind == "numeric" and np.nanmin(c.values, initial=np.inf) >= 0]
    if len(columns) < 3:
        return ()
    X = np.column_stack([column.values for column in columns])
    X = X[np.isfinite(X).all(axis=1)]
    varying = np.flatnonzero(X.min(axis=0, initial=np.inf) < X.max(axis=0, initial=-np.inf))
    columns, X = [columns[k] for k in varying], X[:, varying]
    whole = [_with_small_parts(X, block) for block in _tied_blocks(X)]
    return tuple(tuple(columns[k].name for k in parts) for parts in whole if _adds_up(X, parts, tolerance))


def _tied_blocks(X: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Sets of varying columns with a common direction along which the rows hardly vary."""
    n, n_columns = X.shape
    if n_columns < 3 or n <= 2 * n_columns:
        return []
    from scipy.sparse.csgraph import connected_components

    z = X - X.mean(axis=0)
    z /= np.sqrt((z**2).mean(axis=0))
    variances, directions = np.linalg.eigh(z.T @ z / n)
    still = directions[:, variances < HARDLY_VARIES]
    projection = still @ still.T
    share = np.sqrt(np.diagonal(projection))
    tied = (np.abs(projection) > 0.5 * np.outer(share, share)) & (np.outer(share, share) > 1e-3)
    n_blocks, block = connected_components(tied, directed=False)
    members = [np.flatnonzero(block == k) for k in range(n_blocks)]
    return [m for m in members if len(m) > 1]


def _with_small_parts(X: NDArray[np.float64], parts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Parts that vary too little to be seen in a projection join while each makes the sum much steadier."""
    total = X[:, parts].sum(axis=1)
    rest = np.setdiff1d(np.arange(X.shape[1]), parts)
    while len(rest):
        spread = (total[:, None] + X[:, rest]).var(axis=0)
        best = int(np.argmin(spread))
        if spread[best] > 0.5 * total.var():
            break
        total, parts = total + X[:, rest[best]], np.append(parts, rest[best])
        rest = np.delete(rest, best)
    return np.sort(parts)


def _adds_up(X: NDArray[np.float64], parts: NDArray[np.intp], tolerance: float) -> bool:
    total = X[:, parts].sum(axis=1)
    steady = total.std() <= tolerance * total.mean() and total.var() <= HARDLY_VARIES * X[:, parts].var(axis=0).sum()
    return bool(steady) and len(parts) >= 3 and float(np.median((X[:, parts] > 0).sum(axis=1))) >= 2


def _log_ratio_precision(X: NDArray[np.float64], shrinkage: str | None) -> tuple[NDArray[np.float64], float]:
    """Pseudo-inverse of the clr covariance, shape (n_parts, n_parts), and the weight of the shrinkage.

    With orthonormal contrasts `H` (rows, all orthogonal to the vector of ones) the clr covariance is
    ``H' S H`` for the covariance `S` of the isometric log-ratios, and its pseudo-inverse ``H' S^-1 H``.
    """
    if shrinkage not in SHRINKAGES:
        raise ValueError(f"shrinkage must be None or 'ledoit_wolf', got {shrinkage!r}")
    n, n_parts = X.shape
    contrasts = _contrasts(n_parts)
    coordinates = clr(X) @ contrasts.T
    if shrinkage is None:
        if n < n_parts:
            raise ValueError(f"{n_parts} parts need as many complete rows, got {n}; use shrinkage='ledoit_wolf'")
        covariance, weight = np.cov(coordinates, rowvar=False), 0.0
    else:
        from sklearn.covariance import ledoit_wolf

        covariance, weight = ledoit_wolf(coordinates)
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] <= eigenvalues[-1] * n_parts * np.finfo(float).eps:
        raise ValueError(
            "the log-ratios are linearly dependent (do two parts keep a constant ratio?); "
            "drop a part or use shrinkage='ledoit_wolf'"
        )
    precision = contrasts.T @ np.linalg.solve(covariance, contrasts)
    return (precision + precision.T) / 2.0, float(weight)


def _contrasts(n_parts: int) -> NDArray[np.float64]:
    """Orthonormal rows orthogonal to the vector of ones (Helmert), shape (n_parts - 1, n_parts)."""
    k = np.arange(1, n_parts)[:, None]
    j = np.arange(n_parts)[None, :]
    rows = np.where(j < k, 1.0, np.where(j == k, -1.0 * k, 0.0))
    return rows / np.sqrt(k * (k + 1.0))


def _correlation_of(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = np.sqrt(np.diagonal(precision))
    values = np.clip(-precision / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(values, 1.0)
    return values


def _checked(X: ArrayLike) -> NDArray[np.float64]:
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.size == 0:
        raise ValueError(f"X must be a matrix of at least one row and one part, got shape {X.shape}")
    wrong = ~(np.isfinite(X) & (X >= 0))
    if wrong.any():
        row, part = np.argwhere(wrong)[0]
        raise ValueError(f"part {part} of row {row} is {X[row, part]}; parts are finite and not negative")
    return X


def _positive(X: ArrayLike) -> NDArray[np.float64]:
    X = _checked(X)
    if (X == 0).any():
        part = int((X == 0).any(axis=0).argmax())
        raise ValueError(f"part {part} holds zeros, which have no logarithm; see multiplicative_replacement")
    return X


def _complete_positive(X: ArrayLike, zeros: str) -> NDArray[np.float64]:
    """Rows without NaN, zeros replaced as asked; at least three parts."""
    if zeros not in ZEROS:
        raise ValueError(f"zeros must be one of {', '.join(map(repr, ZEROS))}, got {zeros!r}")
    X = np.asarray(X, dtype=float)
    if X.ndim == 2:
        X = X[~np.isnan(X).any(axis=1)]
    X = _checked(X)
    if X.shape[1] < 3:
        raise ValueError(f"partial correlation needs at least three parts, got {X.shape[1]}")
    zero = X == 0
    if not zero.any() or zeros == "error":
        return _positive(X)
    least = least_shares(X)
    warnings.warn(f"{int(zero.sum())} zeros replaced ({zeros})", UserWarning, stacklevel=3)
    return multiplicative_replacement(X, least) if zeros == "multiplicative" else X + 0.5
