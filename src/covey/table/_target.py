"""A target as selectors, generators and learners take it: numbers, truths or words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.table._infer import is_absent
from covey.table._read import read
from covey.table._table import Column

MAX_CLASSES = 20  # whole numbers of more distinct values than this are numbers, not classes


def target_values(y: Any) -> tuple[NDArray, bool]:
    """A target as an array of numbers, truths or words, and whether these numbers are times.

    Parameters
    ----------
    y : array-like of shape (n_samples,), or Column
        Objects are numbers where all of them are (fractions and decimals, too), truths where all are, times where a
        table reads them as such, and else words.

    Returns
    -------
    values : ndarray of shape (n_samples,)
        Times are seconds since 1970, durations seconds.
    are_times : bool

    Raises
    ------
    ValueError
        If values are missing, or `y` has more than one column. Not-finite numbers are let through.

    Examples
    --------
    >>> from datetime import date
    >>> target_values([date(1970, 1, 2), date(1970, 1, 3)])
    (array([ 86400., 172800.]), True)
    >>> target_values(["no", "yes"])
    (array(['no', 'yes'], dtype='<U3'), False)
    """
    if isinstance(y, Column):
        if y.n_missing:
            raise _has_missing(y.n_missing)
        return (y.values, y.kind == "datetime") if y.categories is None else (np.array(y.categories)[y.values], False)
    from sklearn.utils.validation import column_or_1d  # covey.table is imported without scikit-learn

    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "mM":
        absent = int(np.count_nonzero(np.isnat(y)))
    elif y.dtype.kind == "O":
        absent = sum(map(is_absent, y))
    else:
        return y, False
    if absent:
        raise _has_missing(absent)
    return _times(y.astype(f"{y.dtype.kind}8[us]")) if y.dtype.kind in "mM" else _of_objects(y)


def are_classes(values: NDArray) -> bool:
    """Whether a target is one of classes: words, truths, or at most 20 distinct whole numbers.

    Examples
    --------
    >>> are_classes(np.array([1, 2, 2])), are_classes(np.array([0.5, 1.0])), are_classes(np.array(["a", "b"]))
    (True, False, True)
    """
    if values.dtype.kind not in "iuf":
        return True
    distinct = np.unique(values)
    return len(distinct) <= MAX_CLASSES and bool((distinct == np.floor(distinct)).all())


def _of_objects(y: NDArray) -> tuple[NDArray, bool]:
    if any(isinstance(v, str) for v in y):
        return y.astype(str), False
    if all(isinstance(v, bool | np.bool_) for v in y):
        return y.astype(bool), False
    try:
        return y.astype(np.float64), False
    except (TypeError, ValueError):
        return _times(y)


def _times(y: NDArray) -> tuple[NDArray, bool]:
    """Seconds, as a table reads times; objects that it does not know are text."""
    try:
        column = read({"y": y}).column("y")
    except TypeError:
        return y.astype(str), False
    return (y.astype(str), False) if column.is_coded else (column.values, True)


def _has_missing(n: int) -> ValueError:
    return ValueError(f"y has {n} missing value{'s' if n > 1 else ''}; leave out those rows")
