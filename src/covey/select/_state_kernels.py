"""The numba kernel behind `covey.select.dynamic`: what training rows that match a state say."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int32]


@njit(nogil=True, cache=True)
def _entropy(shares: Array) -> float:
    total = 0.0
    for share in shares:
        if share > 0.0:
            total -= share * np.log(share)
    return total


@njit(nogil=True, cache=True)
def state_information(
    codes: Codes,
    labels: Codes,
    asked: Codes,
    level_starts: NDArray[np.int64],
    level_shares: Array,
    class_shares: Array,
    states: Codes,
    closed: NDArray[np.bool_],
    smoothing: float,
    information: Array,
    proba: Array,
) -> None:
    """Information of each group and class probabilities among the training rows that match each state.

    Parameters
    ----------
    codes : ndarray of shape (n_features, n_rows)
        Of the training rows; -1 is missing.
    labels : ndarray of shape (n_rows,)
    asked : ndarray of shape (n_groups, n_rows)
        Joint codes of the columns that are revealed together; -1 is missing.
    level_starts : ndarray of shape (n_groups + 1,)
        Where the levels of each group start in `level_shares`.
    states : ndarray of shape (n_states, n_features)
        What is known; -1 where nothing is.
    closed : ndarray of shape (n_states, n_groups)
        Not computed, NaN.
    information : ndarray of shape (n_states, n_groups)
    proba : ndarray of shape (n_states, n_classes)
    """
    n_classes = len(class_shares)
    n_groups, n_rows = asked.shape
    rows = np.empty(n_rows, dtype=np.int64)
    most = 0
    for g in range(n_groups):
        most = max(most, level_starts[g + 1] - level_starts[g])
    joint = np.empty((most, n_classes))
    by_class = np.empty(n_classes)
    by_level = np.empty(most)
    for s in range(states.shape[0]):
        n_matching = n_rows
        for r in range(n_rows):
            rows[r] = r
        for j in range(states.shape[1]):
            if states[s, j] >= 0:
                kept = 0
                for k in range(n_matching):
                    if codes[j, rows[k]] == states[s, j]:
                        rows[kept] = rows[k]
                        kept += 1
                n_matching = kept
        for c in range(n_classes):
            proba[s, c] = smoothing * class_shares[c]
        for k in range(n_matching):
            proba[s, labels[rows[k]]] += 1.0
        for c in range(n_classes):
            proba[s, c] /= n_matching + smoothing
        for g in range(n_groups):
            if closed[s, g]:
                information[s, g] = np.nan
                continue
            n_levels = level_starts[g + 1] - level_starts[g]
            for v in range(n_levels):
                for c in range(n_classes):
                    joint[v, c] = smoothing * level_shares[level_starts[g] + v] * class_shares[c]
            total = smoothing
            for k in range(n_matching):
                if asked[g, rows[k]] >= 0:
                    joint[asked[g, rows[k]], labels[rows[k]]] += 1.0
                    total += 1.0
            by_class[:] = 0.0
            by_level[:n_levels] = 0.0
            entropy = 0.0
            for v in range(n_levels):
                for c in range(n_classes):
                    share = joint[v, c] / total
                    by_class[c] += share
                    by_level[v] += share
                    if share > 0.0:
                        entropy -= share * np.log(share)
            information[s, g] = max(_entropy(by_class) + _entropy(by_level[:n_levels]) - entropy, 0.0)
