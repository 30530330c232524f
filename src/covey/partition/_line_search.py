"""How far to go: the exact minimum of a convex loss along a direction of the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from covey.partition._objective import Objective


def line_search(
    objective: Objective,
    scores: NDArray[np.float64],
    target: NDArray[np.float64],
    direction: NDArray[np.float64],
    slope: float = 0.0,
    curvature: float = 0.0,
    longest: float = 1e3,
) -> float:
    """The step t in 0..`longest` that minimises ``loss(scores + t * direction) + slope * t + curvature * t**2 / 2``.

    Parameters
    ----------
    objective : Objective
    scores, target, direction : ndarray of shape (n_samples, n_outputs)
    slope, curvature : float
        Of a quadratic penalty along the direction, on the scale of the mean loss.
    longest : float
        Where no minimum lies before it, as with classes that the direction separates, this is the step.

    Returns
    -------
    float
        0 where the direction leads uphill.

    Examples
    --------
    >>> target = np.array([[-1.0], [1.0]])
    >>> line_search(Objective(), np.zeros((2, 1)), target, 0.25 * target)
    4.0
    """

    def derivative(t: float) -> float:
        gradient = objective.gradient(scores + t * direction, target)
        return float((gradient * direction).sum()) / len(scores) + slope + curvature * t

    if derivative(0.0) >= 0.0:
        return 0.0
    below, above = 0.0, 1.0
    while derivative(above) < 0.0:
        if above >= longest:
            return longest
        below, above = above, min(2.0 * above, longest)
    return float(brentq(derivative, below, above, xtol=1e-12, rtol=1e-12))
