"""The correlation matrix of the features of anything, with one rule for what is undefined."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.engine import Engine
from covey.measure import AssociationMatrix, Measure, associate
from covey.measure._matrix import WRONG_KINDS
from covey.partition._inputs import numeric_block
from covey.partition._partition import feature_names
from covey.partition._pcor import check_correlation
from covey.table import Column, FeatureTable, read

CorrelationMeasure = str | Measure | Callable[[Any], Any]

PRECOMPUTED = "precomputed"
_FEWEST_ROWS = 3


@dataclass(frozen=True, eq=False)
class FeatureCorrelation:
    """Correlations of the features of a table.

    Parameters
    ----------
    names : tuple of str
    values : ndarray of shape (n_features, n_features)
        Symmetric and finite; 0 where undefined, the diagonal of a constant feature included.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]


def feature_correlation(
    X: Any, measure: CorrelationMeasure = "spearman", engine: Engine | str | None = None
) -> FeatureCorrelation:
    """Correlation of every pair of features; undefined ones become 0, with a warning that names the columns.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), frame, FeatureTable, or anything that `covey.read` takes
        With ``measure="precomputed"`` the square matrix itself, or an `AssociationMatrix`.
    measure : str, Measure or callable
        One of `covey.measures()`, ``"precomputed"``, or a function of `X` that returns the square matrix. Of a measure
        that is not symmetric the stronger direction counts.
    engine : Engine or str, optional
        Where the measure is computed.

    Returns
    -------
    FeatureCorrelation

    Warns
    -----
    UserWarning
        If correlations are undefined: a column is constant, or no rows are common.

    Raises
    ------
    ValueError
        If there are fewer than 3 rows, two columns have the same name, the measure does not take a column's kind, the
        matrix is not square or not symmetric, or all correlations are undefined.

    Examples
    --------
    >>> feature_correlation([[1.0, 4.0], [2.0, 5.0], [3.0, 0.0]]).values.tolist()
    [[1.0, -0.5], [-0.5, 1.0]]
    """
    if isinstance(measure, str) and measure == PRECOMPUTED:
        names, values = _given(X)
    elif isinstance(measure, str | Measure):
        table = as_table(X)
        check_rows(table.n_rows)
        matrix = associate(table, measure=measure, pvalues=False, engine=engine)
        _check_kinds(matrix)
        names, values = matrix.rows, _symmetric(matrix)
    else:
        values = np.asarray(measure(X), dtype=np.float64)
        names = unique_names(X, len(values))
    return FeatureCorrelation(names, check_correlation(_defined(values, names)))


def as_table(X: Any) -> FeatureTable:
    """`X` as a table; the columns of an array stay numbers, whatever kind they look like.

    Raises
    ------
    ValueError
        If two columns of a frame have the same name, or an array holds text or an infinity.
    TypeError
        If `X` is sparse.
    """
    if isinstance(X, FeatureTable):
        return X
    if hasattr(X, "toarray"):
        raise TypeError("sparse input is not supported; pass X.toarray()")
    if isinstance(X, np.ndarray | list | tuple):
        values = numeric_block(X)
        return FeatureTable.from_columns(Column(f"x{j}", "numeric", column) for j, column in enumerate(values.T))
    unique_names(X, 0)
    return read(X)


def unique_names(X: Any, n_features: int) -> tuple[str, ...]:
    """Names of the columns of `X`, or ``x0``, ``x1``, ... where it has none.

    Raises
    ------
    ValueError
        If one comes twice.
    """
    names = feature_names(X, n_features)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two columns are named {twice!r}; rename one of them")
    return names


def check_rows(n_rows: int) -> None:
    """Refuse tables of fewer rows than a correlation takes.

    Raises
    ------
    ValueError
    """
    if n_rows < _FEWEST_ROWS:
        raise ValueError(f"correlations need at least {_FEWEST_ROWS} rows (n_samples = {n_rows})")


def _given(X: Any) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if isinstance(X, AssociationMatrix):
        if not X.is_square:
            raise ValueError("a precomputed matrix must be square: every feature against every feature")
        return X.rows, _symmetric(X)
    values = np.asarray(X, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"a precomputed correlation matrix must be square, got shape {values.shape}")
    return unique_names(X, len(values)), values


def _symmetric(matrix: AssociationMatrix) -> NDArray[np.float64]:
    """The values, or of both directions the stronger."""
    if matrix.symmetric:
        return matrix.values
    return np.fmax(np.abs(matrix.values), np.abs(matrix.values.T))


def _check_kinds(matrix: AssociationMatrix) -> None:
    refused = (matrix.reasons == WRONG_KINDS).sum(axis=1)
    if refused.any():
        j = int(refused.argmax())
        raise ValueError(
            f"{matrix.measure} does not take the {matrix.row_kinds[j]} column {matrix.rows[j]!r}; "
            "drop it, or use correlation='auto', which takes every kind"
        )


def _defined(values: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """Zeros for what is undefined, and a warning that says where."""
    missing = np.isnan(values)
    if values.ndim != 2 or not missing.any():
        return values
    lonely: NDArray[np.bool_] = np.all(missing, axis=1)
    if lonely.all():
        raise ValueError("no correlation is defined: all columns are constant, or no two share rows")
    pairs = np.argwhere(np.triu(missing & ~lonely & ~lonely[:, None])).tolist()
    alone = [name for name, is_lonely in zip(names, lonely) if is_lonely]
    said = [f"of {_listed(alone)} with all others"] if alone else []
    said += [f"of {_listed([f'{names[i]} and {names[j]}' for i, j in pairs])}"] if pairs else []
    warnings.warn(f"correlations {' and '.join(said)} are undefined (constant?) and count as 0", stacklevel=4)
    return np.where(missing, 0.0, values)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
