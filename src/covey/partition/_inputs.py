"""One party's columns as numbers: standardised, categories as indicators, learned on that party's rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.table import Column, FeatureTable, read

_MOST_LEVELS = 32
MISSING = ""  # label of a row without a category


def n_rows(X: Any) -> int:
    """Number of rows of an array, frame or table."""
    return X.n_rows if isinstance(X, FeatureTable) else len(X)


def take_rows(X: Any, rows: NDArray) -> Any:
    """Rows of an array, frame or table."""
    if isinstance(X, FeatureTable):
        return X.take(rows)
    return X.iloc[rows] if hasattr(X, "iloc") else np.asarray(X)[rows]


def split_rows(n: int, test_fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Training and test rows, ascending; every party derives the same from the seed.

    Raises
    ------
    ValueError
        If either would be empty.

    Examples
    --------
    >>> [len(rows) for rows in split_rows(10, 0.25, seed=0)]
    [8, 2]
    """
    n_test = round(n * test_fraction) if 0 < test_fraction < 1 else 0
    if not 0 < n_test < n:
        raise ValueError(f"a test fraction of {test_fraction:g} of {n} rows leaves no rows to train or to test")
    order = np.random.default_rng([seed, n]).permutation(n)
    return np.sort(order[n_test:]), np.sort(order[:n_test])


class Encoder:
    """Columns of one party as a matrix for a network or a linear model.

    Numbers are centred and scaled to deviation 1, missing ones become the mean; a constant becomes 0. Each of the 32
    most frequent categories of a column becomes an indicator; others and missing ones are 0 throughout.

    Attributes
    ----------
    n_outputs : int
        Columns of the matrix.

    Examples
    --------
    >>> encoder = Encoder().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> encoder.transform(np.array([[2.0, 5.0], [5.0, np.nan]])).tolist()
    [[0.0, 0.0], [3.0, 0.0]]
    """

    def fit(self, X: Any) -> Encoder:
        """Learn means, deviations and categories.

        Raises
        ------
        ValueError
            If `X` is no table of at least one row, or an array holds an infinity.
        """
        numbers, coded = _columns(X)
        self.n_inputs = numbers.shape[1] + len(coded)
        self.mean, self.scale = _moments(numbers)
        self.levels = {name: _frequent(labels) for name, labels in coded.items()}
        self.n_outputs = numbers.shape[1] + sum(map(len, self.levels.values()))
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The matrix, shape (n_samples, n_outputs).

        Raises
        ------
        ValueError
            If `X` has other columns than those learned.
        """
        numbers, coded = _columns(X)
        if numbers.shape[1] != len(self.mean) or list(coded) != list(self.levels):
            raise ValueError(
                f"X has {numbers.shape[1]} numeric columns and the categories {list(coded)}; "
                f"the model was trained with {len(self.mean)} and {list(self.levels)}"
            )
        blocks = [np.nan_to_num((numbers - self.mean) / self.scale, nan=0.0)]
        blocks += [(coded[name][:, None] == levels[None, :]).astype(np.float64) for name, levels in self.levels.items()]
        return np.hstack(blocks)

    def state(self) -> dict[str, NDArray]:
        """Arrays that `from_state` takes."""
        levels = {f"levels/{name}": values for name, values in self.levels.items()}
        return {"mean": self.mean, "scale": self.scale, **levels}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> Encoder:
        """The encoder that `state` describes."""
        encoder = cls()
        encoder.mean, encoder.scale = state["mean"], state["scale"]
        encoder.levels = {k.removeprefix("levels/"): v for k, v in state.items() if k.startswith("levels/")}
        encoder.n_inputs = len(encoder.mean) + len(encoder.levels)
        encoder.n_outputs = len(encoder.mean) + sum(map(len, encoder.levels.values()))
        return encoder


def _columns(X: Any) -> tuple[NDArray[np.float64], dict[str, NDArray]]:
    """The numeric block, and the labels of each coded column."""
    X = table_or_block(X)
    if not isinstance(X, FeatureTable):
        return X, {}
    return X.numeric, {column.name: category_labels(column) for column in X.columns() if column.is_coded}


def table_or_block(X: Any) -> FeatureTable | NDArray[np.float64]:
    """A table as it is, a frame as a table, and an array as a block of numbers (see `numeric_block`)."""
    if isinstance(X, FeatureTable):
        return X
    return read(X) if hasattr(X, "columns") else numeric_block(X)


def fingerprint(X: Any, y: ArrayLike | None = None) -> str:
    """A short text that differs where columns, rows or labels do.

    Examples
    --------
    >>> X = np.eye(3)
    >>> fingerprint(X) == fingerprint(X.copy()), fingerprint(X) == fingerprint(X[:2])
    (True, False)
    """
    X = table_or_block(X)
    digest = blake2b(digest_size=8)
    for values in (X.numeric, X.codes) if isinstance(X, FeatureTable) else (X,):
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    if isinstance(X, FeatureTable):
        digest.update(repr((X.names, X.kinds, X.categories)).encode())
    if y is not None:
        digest.update(repr(np.asarray(y).tolist()).encode())
    return digest.hexdigest()


def category_labels(column: Column) -> NDArray[np.str_]:
    """The category of each row of a coded column, shape (n_rows,); ``""`` for missing."""
    return np.array([*(column.categories or ()), MISSING], dtype=np.str_)[column.values]


def numeric_block(X: Any) -> NDArray[np.float64]:
    """An array of numbers, shape (n_samples, n_features); NaN is missing.

    Raises
    ------
    ValueError
        If it is no table of at least one row, or holds text or an infinity.
    """
    try:
        values = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("an array of features must hold numbers; pass a table for columns of text") from None
    if values.ndim != 2 or not len(values):
        raise ValueError(f"features must be a table of at least one row; the shape is {values.shape}")
    infinite = np.isinf(values).any(axis=0)
    if infinite.any():
        raise ValueError(f"column {int(infinite.argmax())} holds an infinity; replace it or mark it missing (NaN)")
    return values


def _moments(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of the values that are there; 0 and 1 where nothing is, or nothing varies."""
    there = ~np.isnan(numbers)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, numbers, 0.0).sum(axis=0) / count
    centred = np.where(there, numbers - mean, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / count)
    return mean, np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, 1.0)


def _frequent(labels: NDArray) -> NDArray:
    return np.sort(by_frequency(labels)[:_MOST_LEVELS])


def by_frequency(labels: NDArray[np.str_]) -> NDArray[np.str_]:
    """The categories that labels hold, the most frequent first, equals by name; missing is none."""
    values, counts = np.unique(labels[labels != MISSING], return_counts=True)
    return values[np.argsort(-counts, kind="stable")]
