"""What a model says about rows, as numbers, and rows that are put together from other rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covey.partition._inputs import numeric_block
from covey.partition._vertical import VerticalEstimator
from covey.table import FeatureTable

Score = Callable[[Any], NDArray[np.float64]]  # rows -> (n_rows, n_outputs)
Loss = Callable[[Any], NDArray[np.float64]]  # rows -> (n_rows,)


class Rows(Protocol):
    """Rows of features in the form that a model takes."""

    def __len__(self) -> int: ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def data(self) -> Any:
        """What the model is given."""
        ...

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Some of the rows."""
        ...

    def masked(self, rows: NDArray[np.intp], masks: NDArray[np.bool_], background: Any) -> Any:
        """For each row and its mask every background row, with the row's own values where the mask is true.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
        masks : ndarray of bool, shape (n, n_features)
        background : Rows

        Returns
        -------
        array or frame of shape (n * len(background), n_features)
        """
        ...

    def permuted(self, order: NDArray[np.intp], columns: NDArray[np.intp]) -> Any:
        """The rows, with the values of some columns taken from the rows `order`."""
        ...


@dataclass(frozen=True)
class ArrayRows:
    """`Rows` of an array of numbers."""

    data: NDArray[np.float64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: NDArray[np.intp]) -> ArrayRows:
        return ArrayRows(self.data[rows], self.names)

    def masked(self, rows: NDArray[np.intp], masks: NDArray[np.bool_], background: Any) -> NDArray[np.float64]:
        mixed = np.where(masks[:, None, :], self.data[rows][:, None, :], background.data)
        return mixed.reshape(-1, self.data.shape[1])

    def permuted(self, order: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        mixed = self.data.copy()
        mixed[:, columns] = self.data[np.ix_(order, columns)]
        return mixed


@dataclass(frozen=True)
class FrameRows:
    """`Rows` of a pandas frame; columns keep their types."""

    data: Any
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: NDArray[np.intp]) -> FrameRows:
        return FrameRows(self.data.iloc[rows], self.names)

    def masked(self, rows: NDArray[np.intp], masks: NDArray[np.bool_], background: Any) -> Any:
        size = len(background)
        own, other = np.repeat(rows, size), np.tile(np.arange(size), len(rows))
        masks = np.repeat(masks, size, axis=0)
        mixed = background.data.iloc[other].reset_index(drop=True)
        for j, name in enumerate(self.data.columns):
            mixed[name] = self.data[name].iloc[own].reset_index(drop=True).where(masks[:, j], mixed[name])
        return mixed

    def permuted(self, order: NDArray[np.intp], columns: NDArray[np.intp]) -> Any:
        mixed = self.data.copy()
        for name in self.data.columns[columns]:
            mixed[name] = self.data[name].to_numpy()[order]
        return mixed


def as_rows(X: Any) -> Rows:
    """`X` as rows that a model takes: a frame stays a frame, all else becomes an array of numbers.

    Raises
    ------
    TypeError
        If a `FeatureTable` holds categories, which no array does.
    ValueError
        If `X` is no table of numbers, or column names of a frame repeat.
    """
    if isinstance(X, FeatureTable):
        return ArrayRows(_numbers(X), X.names)
    if not hasattr(X, "iloc"):
        values = numeric_block(X)
        return ArrayRows(values, tuple(f"x{j}" for j in range(values.shape[1])))
    names = tuple(map(str, X.columns))
    if len(set(names)) < len(names):
        raise ValueError("two columns of X have the same name; rename one of them")
    return FrameRows(X, names)


def _numbers(table: FeatureTable) -> NDArray[np.float64]:
    for column in table.columns():
        if column.is_coded:
            raise TypeError(f"column {column.name!r} is {column.kind}; give X as the array or frame the model takes")
    return np.column_stack([column.values for column in table.columns()])


def score_function(model: Any, party_columns: Sequence[NDArray[np.intp]]) -> Score:
    """What a model says about rows: probabilities, scores or predictions, never class labels.

    Parameters
    ----------
    model : estimator, VerticalEstimator, or callable
        Of two classes only the second's probability counts, for the first's is the same but for its sign.
    party_columns : sequence of ndarray of int
        Columns of each party, for a `VerticalEstimator`.

    Returns
    -------
    callable
        From n_rows rows to finite numbers of shape (n_rows, n_outputs).

    Raises
    ------
    ValueError
        If the model gives only class labels.
    TypeError
        If it is neither an estimator nor callable.
    """
    predict = _prediction(model, party_columns)

    def score(X: Any) -> NDArray[np.float64]:
        return _checked(predict(X), len(X))

    return score


def _prediction(model: Any, party_columns: Sequence[NDArray[np.intp]]) -> Callable[[Any], ArrayLike]:
    if isinstance(model, VerticalEstimator):
        whole = model.predict if model.objective_.classes is None else model.predict_proba
        return lambda X: _last_of_two(whole([X[:, part] for part in party_columns]))
    if hasattr(model, "predict_proba"):
        return lambda X: _last_of_two(model.predict_proba(X))
    if hasattr(model, "classes_"):
        if hasattr(model, "decision_function"):
            return model.decision_function
        raise ValueError(
            f"{type(model).__name__} gives only class labels, which are no numbers; "
            "give a model with predict_proba or decision_function"
        )
    if hasattr(model, "predict"):
        return model.predict
    if not callable(model):
        raise TypeError(f"model must be a fitted estimator or a function of rows, got {type(model).__name__}")
    if getattr(model, "__name__", "") == "predict" and hasattr(getattr(model, "__self__", None), "classes_"):
        raise ValueError("a classifier's predict gives class labels, which are no numbers; give the classifier itself")
    return model


def _last_of_two(probabilities: ArrayLike) -> NDArray:
    probabilities = np.asarray(probabilities)
    return probabilities[:, 1:] if probabilities.ndim == 2 and probabilities.shape[1] == 2 else probabilities


def _checked(values: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"the model must return numbers, not {values.dtype}; use probabilities instead of labels")
    if values.ndim not in (1, 2) or len(values) != n_rows:
        raise ValueError(f"the model must return one row of outputs for each of {n_rows} rows, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("the model returned NaN or infinity")
    return values.reshape(n_rows, -1).astype(np.float64, copy=False)


def loss_function(model: Any, party_columns: Sequence[NDArray[np.intp]], y: NDArray) -> Loss:
    """Loss of each row: log loss of probabilities, squared error of anything else.

    Raises
    ------
    ValueError
        If a classifier has no probabilities, the model has several outputs, or labels are not of its classes or are no
        numbers.
    """
    classes = model.objective_.classes if isinstance(model, VerticalEstimator) else getattr(model, "classes_", None)
    score = score_function(model, party_columns)
    if classes is None:
        return _squared_error(score, y)
    if not hasattr(model, "predict_proba"):
        raise ValueError(f"permutation importance of {type(model).__name__} needs predict_proba")
    where = np.searchsorted(classes, y)
    if (where == len(classes)).any() or (np.asarray(classes)[where] != y).any():
        raise ValueError(f"y holds labels that the model does not know; its classes are {list(classes)}")

    def log_loss(X: Any) -> NDArray[np.float64]:
        probability = score(X)
        if probability.shape[1] == 1:
            probability = np.hstack([1.0 - probability, probability])
        chosen = probability[np.arange(len(where)), where]
        return -np.log(np.maximum(chosen, np.finfo(np.float64).tiny))

    return log_loss


def _squared_error(score: Score, y: NDArray) -> Loss:
    if y.dtype.kind not in "biuf":
        raise ValueError("y must hold numbers, for squared error is the loss of a model without classes")

    def squared_error(X: Any) -> NDArray[np.float64]:
        predicted = score(X)
        if predicted.shape[1] != 1:
            raise ValueError(f"squared error needs one output, but the model has {predicted.shape[1]}")
        return (predicted[:, 0] - y) ** 2

    return squared_error
