"""Metrics of models on a cohort with their errors, and paired tests of two models, with rows of a subject together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from covey.measure._null import normal_pvalue

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric of a model on a cohort.

    Parameters
    ----------
    value : float
    influence : ndarray of shape (n_rows,)
        What each row adds to the difference of the value from its expectation; its sum of squares is the variance.
    """

    value: float
    influence: Array

    def error(self, clusters: Rows | None = None) -> float:
        """Standard error; rows of the same cluster count as one draw."""
        return standard_error(self.influence, clusters)


def standard_error(influence: Array, clusters: Rows | None = None) -> float:
    """Root of the sum of squares of the influences, summed within clusters.

    Examples
    --------
    >>> standard_error(np.array([3.0, 4.0])), standard_error(np.array([3.0, 4.0]), np.array([0, 0]))
    (5.0, 7.0)
    """
    totals = influence if clusters is None else np.bincount(clusters, weights=influence)
    return float(np.sqrt(totals @ totals))


def area_under_curve(is_positive: ArrayLike, scores: ArrayLike) -> Metric:
    """Area under the ROC curve, with DeLong's variance.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves: A Nonparametric Approach. Biometrics 44.

    Examples
    --------
    >>> found = area_under_curve([True, False, True, False], [0.9, 0.4, 0.3, 0.1])
    >>> found.value, round(found.error(), 3)
    (0.75, 0.354)
    """
    positive = np.asarray(is_positive, dtype=bool)
    score = np.asarray(scores, dtype=np.float64)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return Metric(float("nan"), np.full(len(score), np.nan))
    rank = rankdata(score)
    placement = np.empty(len(score))
    placement[positive] = (rank[positive] - rankdata(score[positive])) / n_negative
    placement[~positive] = 1.0 - (rank[~positive] - rankdata(score[~positive])) / n_positive
    value = float(placement[positive].mean())
    influence = placement - value
    for mask, n in ((positive, n_positive), (~positive, n_negative)):
        influence[mask] /= np.sqrt(n * (n - 1.0)) if n > 1 else np.nan
    return Metric(value, influence)


def mean_metric(values: ArrayLike) -> Metric:
    """The mean of one number for each row.

    Examples
    --------
    >>> found = mean_metric([1.0, 0.0, 1.0, 1.0])
    >>> found.value, found.error()
    (0.75, 0.25)
    """
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    value = float(numbers.mean())
    return Metric(value, (numbers - value) / np.sqrt(n * (n - 1.0)) if n > 1 else np.full(n, np.nan))


def determination(y: ArrayLike, predicted: ArrayLike) -> Metric:
    """Coefficient of determination, with the variance of the delta method.

    Examples
    --------
    >>> round(determination([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 2.0]).value, 12)
    0.2
    """
    y, predicted = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    squared, spread = (y - predicted) ** 2, (y - y.mean()) ** 2
    total = float(spread.mean())
    if total == 0:
        return Metric(float("nan"), np.full(len(y), np.nan))
    share = float(squared.mean()) / total
    return Metric(1.0 - share, -((squared - squared.mean()) - share * (spread - total)) / (total * len(y)))


def cohort_metrics(y: NDArray, is_class: bool, outputs: Array, predicted: NDArray) -> dict[str, Metric]:
    """Metrics of one model: area under the curve and accuracy, or determination and mean absolute error.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Class codes from 0, or numbers.
    is_class : bool
    outputs : ndarray of shape (n_rows, n_outputs)
        One for two classes, else one for each class; of more than two classes the area is the mean over each class
        against the others.
    predicted : ndarray of shape (n_rows,)

    Examples
    --------
    >>> found = cohort_metrics(np.array([0, 1, 1]), True, np.array([[0.2], [0.6], [0.9]]), np.array([0, 1, 1]))
    >>> {name: metric.value for name, metric in found.items()}
    {'auc': 1.0, 'accuracy': 1.0}
    """
    if not is_class:
        return {"r2": determination(y, predicted), "mean_absolute_error": mean_metric(np.abs(y - predicted))}
    if outputs.shape[1] == 1:
        area = area_under_curve(y == 1, outputs[:, 0])
    else:
        each = [area_under_curve(y == c, outputs[:, c]) for c in range(outputs.shape[1]) if (y == c).any()]
        area = Metric(float(np.mean([a.value for a in each])), np.mean([a.influence for a in each], axis=0))
    return {"auc": area, "accuracy": mean_metric(y == predicted)}


def paired_test(a: Metric, b: Metric, clusters: Rows | None = None) -> tuple[float, float, float]:
    """Difference of a metric of two models on the same rows, its standard error, and the two-sided p-value of none.

    Examples
    --------
    >>> a, b = mean_metric([1.0, 1.0, 1.0, 1.0, 0.0]), mean_metric([0.0, 0.0, 1.0, 0.0, 0.0])
    >>> [round(number, 4) for number in paired_test(a, b)]
    [0.6, 0.2449, 0.0143]
    >>> paired_test(a, a)
    (0.0, 0.0, 1.0)
    """
    difference = a.value - b.value
    error = standard_error(a.influence - b.influence, clusters)
    if error == 0:
        return difference, 0.0, 1.0 if difference == 0 else 0.0
    return difference, error, float(normal_pvalue(difference / error))


def holm(pvalues: ArrayLike) -> Array:
    """P-values adjusted so that the chance of any false rejection keeps its level.

    References
    ----------
    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure. Scand. J. Stat. 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(pvalues, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out
