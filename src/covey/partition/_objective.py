"""What is to be predicted: the loss of raw scores, its derivatives, and how scores become predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_softmax, softmax

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True, eq=False)
class Objective:
    """Softmax (one logistic score for two classes) or squared loss.

    Targets and scores have shape (n_samples, n_outputs). Regression targets are standardised.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,), optional
        None for regression.
    mean, scale : float
        Of the labels, for regression.

    Examples
    --------
    >>> objective = Objective.of(["no", "yes", "yes", "no"])
    >>> target = objective.encode(["no", "yes", "yes", "no"])
    >>> target.ravel().tolist(), objective.n_outputs
    ([0.0, 1.0, 1.0, 0.0], 1)
    >>> objective.gradient(np.zeros((4, 1)), target).ravel().tolist()
    [0.5, -0.5, -0.5, 0.5]
    """

    classes: NDArray | None = None
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: ArrayLike, task: Task = "auto") -> Objective:
        """The objective that suits labels; ``"auto"`` takes fractions, or more than 20 numbers, as regression.

        Raises
        ------
        ValueError
            If labels are missing or infinite, or there is only one class.
        """
        y = _labels(y)
        if task not in ("auto", "classification", "regression"):
            raise ValueError(f"task must be 'auto', 'classification' or 'regression', got {task!r}")
        classes = np.unique(y)
        numeric = y.dtype.kind in "iuf"
        if task == "auto":
            whole = not numeric or bool((classes == np.round(classes)).all())
            task = "classification" if whole and (not numeric or len(classes) <= 20) else "regression"
        if task == "regression":
            if not numeric:
                raise ValueError(f"regression needs labels that are numbers, got {y.tolist()[0]!r}")
            return cls(None, float(y.mean()), float(y.std()) or 1.0)
        if len(classes) < 2:
            raise ValueError(f"classification needs at least two classes; every label is {classes.tolist()[0]!r}")
        return cls(classes)

    @property
    def n_outputs(self) -> int:
        """Scores of a sample: one for regression and two classes, else one a class."""
        return 1 if self.classes is None or len(self.classes) == 2 else len(self.classes)

    def encode(self, y: ArrayLike) -> NDArray[np.float64]:
        """Targets of labels, shape (n_samples, n_outputs).

        Raises
        ------
        ValueError
            If a label is none of the classes.
        """
        y = _labels(y)
        if self.classes is None:
            return ((y.astype(np.float64) - self.mean) / self.scale)[:, None]
        code = np.searchsorted(self.classes, y)
        unknown = self.classes[np.minimum(code, len(self.classes) - 1)] != y
        if unknown.any():
            raise ValueError(f"label {y[unknown].tolist()[0]!r} is none of the classes seen in training")
        if self.n_outputs == 1:
            return code.astype(np.float64)[:, None]
        return np.eye(self.n_outputs)[code]

    def start(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The best constant score, shape (n_outputs,)."""
        share = target.mean(axis=0)
        if self.classes is None:
            return share
        share = np.clip(share, 1e-6, 1.0 - 1e-6)
        return np.log(share / (1.0 - share)) if self.n_outputs == 1 else np.log(share)

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of each class, shape (n_samples, n_classes)."""
        if self.classes is None:
            raise ValueError("regression has no probabilities")
        if self.n_outputs == 1:
            p = expit(scores[:, 0])
            return np.column_stack([1.0 - p, p])
        return softmax(scores, axis=1)

    def predict(self, scores: NDArray[np.float64]) -> NDArray:
        """Labels, shape (n_samples,)."""
        if self.classes is None:
            return scores[:, 0] * self.scale + self.mean
        best = (scores[:, 0] > 0).astype(np.intp) if self.n_outputs == 1 else scores.argmax(axis=1)
        return self.classes[best]

    def loss(self, scores: NDArray[np.float64], target: NDArray[np.float64]) -> float:
        """Mean loss: cross-entropy in nats, or half the squared error of standardised labels."""
        if self.classes is None:
            return float(0.5 * ((scores - target) ** 2).sum(axis=1).mean())
        if self.n_outputs == 1:
            return float((np.logaddexp(0.0, scores) - target * scores).mean())
        return float(-(target * log_softmax(scores, axis=1)).sum(axis=1).mean())

    def gradient(self, scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivative of each sample's loss by its scores, shape (n_samples, n_outputs)."""
        return self._mean(scores) - target

    def hessian(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Diagonal of the second derivative, shape (n_samples, n_outputs)."""
        if self.classes is None:
            return np.ones_like(scores)
        p = self._mean(scores)
        return p * (1.0 - p)

    def metric(self, scores: NDArray[np.float64], y: ArrayLike) -> float:
        """Accuracy, or R2 for regression."""
        y = _labels(y)
        predicted = self.predict(scores)
        if self.classes is not None:
            return float((predicted == y).mean())
        total = float(((y - y.mean()) ** 2).sum())
        return 1.0 - float(((y - predicted) ** 2).sum()) / total if total else float("nan")

    def _mean(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.classes is None:
            return scores
        return expit(scores) if self.n_outputs == 1 else softmax(scores, axis=1)

    def state(self) -> dict[str, NDArray]:
        """Arrays that `from_state` takes."""
        classes = np.empty(0) if self.classes is None else self.classes
        return {"classes": classes, "scaling": np.array([self.mean, self.scale])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> Objective:
        """The objective that `state` describes."""
        mean, scale = state["scaling"].tolist()
        return cls(state["classes"] if len(state["classes"]) else None, mean, scale)


def _labels(y: Any) -> NDArray:
    """Labels as one array of numbers or text."""
    y = np.asarray(y.labels() if hasattr(y, "labels") else y)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y must be one label for each of at least one sample; its shape is {y.shape}")
    if y.dtype.kind == "O":
        if any(v is None or v != v for v in y):
            raise ValueError("y has missing labels; drop those rows")
        y = y.astype(str)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("y has missing or infinite labels; drop those rows")
    return y.astype(np.int64) if y.dtype.kind == "b" else y
