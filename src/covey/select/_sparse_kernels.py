"""The numba kernels behind `covey.select.unsupervised`: one batch through sparse layers, links only."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Single = NDArray[np.float32]
Index = NDArray[np.int32]

FAST = {"contract", "reassoc", "nsz"}  # sums over a batch may be taken in lanes


@njit(nogil=True, cache=True, fastmath=FAST)
def encode_batch(
    starts: NDArray[np.int64], sources: Index, weights: Single, bias: Single, x: Single, hidden: Single
) -> None:
    """Sigmoid units: ``hidden[j] = 1 / (1 + exp(-bias[j] - sum_i w_ij x[i]))``; x (n_inputs, n_rows)."""
    n_rows = x.shape[1]
    for j in range(hidden.shape[0]):
        unit = hidden[j]
        unit[:] = bias[j]
        for link in range(starts[j], starts[j + 1]):
            weight = weights[link]
            source = x[sources[link]]
            for r in range(n_rows):
                unit[r] += weight * source[r]
        for r in range(n_rows):
            unit[r] = np.float32(1.0) / (np.float32(1.0) + np.exp(-unit[r]))


@njit(nogil=True, cache=True, fastmath=FAST)
def decode_and_descend(
    starts: NDArray[np.int64],
    sources: Index,
    weights: Single,
    velocity: Single,
    bias: Single,
    bias_velocity: Single,
    hidden: Single,
    targets: Single,
    rows: NDArray[np.int64],
    is_tanh: bool,
    rates: Single,
    back: Single,
    unit: Single,
) -> float:
    """Reconstruct one batch, move the output layer, and write to `back` what the error asks of each hidden unit.

    Parameters
    ----------
    hidden, back : ndarray of shape (n_hidden, n_rows)
    targets : ndarray of shape (n_outputs, n_all_rows)
    rows : ndarray of shape (n_rows,)
        The batch.
    rates : ndarray of shape (3,)
        Learning rate, momentum, weight decay.
    unit : ndarray of shape (n_rows,)
        Room for one output.

    Returns
    -------
    float
        Sum of the squared errors.
    """
    rate, momentum, decay = rates[0], rates[1], rates[2]
    n_rows = len(rows)
    share = np.float32(1.0) / np.float32(n_rows)
    back[:] = np.float32(0.0)
    loss = np.float64(0.0)
    for i in range(targets.shape[0]):
        unit[:] = bias[i]
        for link in range(starts[i], starts[i + 1]):
            weight = weights[link]
            source = hidden[sources[link]]
            for r in range(n_rows):
                unit[r] += weight * source[r]
        total = np.float32(0.0)
        squares = np.float32(0.0)
        for r in range(n_rows):
            value = np.tanh(unit[r]) if is_tanh else unit[r]
            error = value - targets[i, rows[r]]
            squares += error * error
            unit[r] = error * (np.float32(1.0) - value * value) if is_tanh else error
            total += unit[r]
        loss += squares
        bias_velocity[i] = momentum * bias_velocity[i] - rate * total * share
        bias[i] += bias_velocity[i]
        for link in range(starts[i], starts[i + 1]):
            weight = weights[link]
            source = hidden[sources[link]]
            behind = back[sources[link]]
            slope = np.float32(0.0)
            for r in range(n_rows):
                slope += unit[r] * source[r]
                behind[r] += weight * unit[r]
            velocity[link] = momentum * velocity[link] - rate * (slope * share + decay * weight)
            weights[link] = weight + velocity[link]
    return loss


@njit(nogil=True, cache=True, fastmath=FAST)
def descend_encoder(
    starts: NDArray[np.int64],
    sources: Index,
    weights: Single,
    velocity: Single,
    bias: Single,
    bias_velocity: Single,
    x: Single,
    slopes: Single,
    rates: Single,
) -> None:
    """Move the input layer; `slopes` (n_hidden, n_rows) are those of the error by each unit's sum of inputs."""
    rate, momentum, decay = rates[0], rates[1], rates[2]
    n_rows = x.shape[1]
    share = np.float32(1.0) / np.float32(n_rows)
    for j in range(slopes.shape[0]):
        unit = slopes[j]
        total = np.float32(0.0)
        for r in range(n_rows):
            total += unit[r]
        bias_velocity[j] = momentum * bias_velocity[j] - rate * total * share
        bias[j] += bias_velocity[j]
        for link in range(starts[j], starts[j + 1]):
            source = x[sources[link]]
            slope = np.float32(0.0)
            for r in range(n_rows):
                slope += unit[r] * source[r]
            velocity[link] = momentum * velocity[link] - rate * (slope * share + decay * weights[link])
            weights[link] += velocity[link]
