"""Symmetric matrices of pairs of features or samples, from association matrices or from numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.measure import AssociationMatrix


def symmetric_matrix(pairs: AssociationMatrix | ArrayLike, name: str) -> NDArray[np.float64]:
    """A finite symmetric matrix; of an association matrix the strength.

    Parameters
    ----------
    pairs : AssociationMatrix or array-like of shape (n, n)
    name : str
        Of the argument, for errors.

    Returns
    -------
    ndarray of shape (n, n), float64
        A copy.

    Raises
    ------
    ValueError
        If it is not square, finite and symmetric.

    Examples
    --------
    >>> symmetric_matrix([[1, 2], [2, 1]], "costs")
    array([[1., 2.],
           [2., 1.]])
    """
    if isinstance(pairs, AssociationMatrix):
        if not pairs.is_square:
            raise ValueError(f"{name}: every feature is needed against every feature; call associate on one table")
        return pairs.strength
    matrix = np.array(pairs, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) == 0 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix; its shape is {matrix.shape}")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-12):
        raise ValueError(f"{name} must be finite and symmetric")
    return matrix
