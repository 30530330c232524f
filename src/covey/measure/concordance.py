"""Lin's concordance correlation: agreement in value, not only in direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def concordance_correlation(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """``2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y)) ** 2)`` of each column.

    Parameters
    ----------
    x, y : array-like of shape (n_samples,) or (n_samples, n_columns)
        Rows with a NaN in either are left out, column by column.

    Returns
    -------
    ndarray of shape () or (n_columns,)
        In -1..1; 1 only where both are equal. NaN for fewer than two rows, or where both are constant and equal.

    Raises
    ------
    ValueError
        If shapes differ.

    References
    ----------
    Lin (1989), A concordance correlation coefficient to evaluate reproducibility, Biometrics 45.

    Examples
    --------
    >>> float(concordance_correlation([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).round(3))
    0.571
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim not in (1, 2):
        raise ValueError(f"x and y must have one shape, with one or two axes, got {x.shape} and {y.shape}")
    present = ~(np.isnan(x) | np.isnan(y))
    n = present.sum(axis=0)
    x, y = (np.where(present, values, 0.0) for values in (x, y))
    mean_x, mean_y = (values.sum(axis=0) / np.maximum(n, 1) for values in (x, y))
    x, y = np.where(present, x - mean_x, 0.0), np.where(present, y - mean_y, 0.0)
    rows = np.maximum(n, 1)
    spread = ((x * x).sum(axis=0) + (y * y).sum(axis=0)) / rows + (mean_x - mean_y) ** 2
    defined = (n >= 2) & (spread > 0)
    value = 2.0 * (x * y).sum(axis=0) / rows / np.where(defined, spread, 1.0)
    return np.where(defined, np.clip(value, -1.0, 1.0), np.nan)
