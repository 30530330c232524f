"""Splits with the least, the most or a wanted Icor, by exchanges of features between parties.

An exact Icor takes the singular values of every block, a swap of two features most of them. But the squared Pcor of a
block is ``(F**2 - N**2 / d) / (d (d - 1))`` with its Frobenius norm F and nuclear norm N, and the share of F**2 that
N**2 / d takes hardly differs between splits. With these shares frozen Icor is a weighted sum of Frobenius norms, the
*surrogate*, and a swap changes it by a few additions a party. So splits are annealed on the surrogate, millions of
swaps a second, and only what comes out is judged, corrected and improved by exact values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from covey.engine import Engine
from covey.partition._pcor import icor, pcor_after

LOWER, HIGHER = 1.0, -1.0  # what the annealed value is multiplied by

_SLOPES = (0.9, 0.7, 0.5, 0.3)  # of Pcor against its largest possible value F / d; restarts take them in turn
_MOVES = 600  # swaps tried by a restart, for each feature
_COOLING = 300.0  # ratio of the first and the last temperature
_POLISHED = 4  # splits of each extreme that exact swaps try to improve
_MOST_RANDOM = 6  # swaps in any direction that a walk may begin with
_RANKED = 40  # swaps that are tried exactly before a split counts as the best of its neighbours


@dataclass(frozen=True, eq=False)
class Split:
    """Features spread over parties, with the exact Pcor of every pair of parties.

    Parameters
    ----------
    labels : ndarray of shape (n_features,), int64
        Party of each feature.
    pcor : ndarray of shape (K, K)
    """

    labels: NDArray[np.int64]
    pcor: NDArray[np.float64]

    @cached_property
    def icor(self) -> float:
        """Icor of the split."""
        return icor(self.pcor)

    @cached_property
    def key(self) -> tuple[bytes, ...]:
        """Equal for splits that put the same features together, whatever the parties are called."""
        return tuple(sorted(np.flatnonzero(self.labels == k).tobytes() for k in range(len(self.pcor))))


@dataclass(frozen=True, eq=False)
class Problem:
    """What is searched: all splits into parties of given sizes, with their importance kept within limits.

    Parameters
    ----------
    correlation : ndarray of shape (n_features, n_features)
        Symmetric and finite.
    labels : ndarray of shape (n_features,), int64
        A split with the wanted sizes, within the limits.
    n_parties : int
    importance : ndarray of shape (n_features,), optional
        What each feature adds to its party's share.
    limits : ndarray of shape (2, K), optional
        Least and largest share of each party.
    """

    correlation: NDArray[np.float64]
    labels: NDArray[np.int64]
    n_parties: int
    importance: NDArray[np.float64] | None = None
    limits: NDArray[np.float64] | None = None

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.labels)

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """Squared correlations, 0 on the diagonal."""
        squares = self.correlation**2
        np.fill_diagonal(squares, 0.0)
        return squares

    @cached_property
    def n_swaps(self) -> int:
        """Number of pairs of features that lie with two parties."""
        sizes = np.bincount(self.labels)
        return int(self.n_features**2 - sizes @ sizes) // 2

    @cached_property
    def affordable(self) -> int:
        """Number of exact values that one stage of the search may take; few when blocks are large."""
        side = self.n_features / self.n_parties
        return int(np.clip(4e8 / (self.n_parties * side**3), 8, 400))

    def split(self, labels: NDArray[np.int64], near: Split | None = None) -> Split:
        """The split with its exact Pcor; what it shares with the split `near` is not computed again."""
        parties = [np.flatnonzero(labels == k) for k in range(self.n_parties)]
        if near is None:
            unknown = np.full((self.n_parties, self.n_parties), np.nan)
            return Split(labels, pcor_after(self.correlation, parties, unknown, range(self.n_parties)))
        moved = labels != near.labels
        changed = np.union1d(labels[moved], near.labels[moved]).tolist()
        return Split(labels, pcor_after(self.correlation, parties, near.pcor, changed))

    def surrogate(self, labels: NDArray[np.int64], slope: float = 0.7, exact: Split | None = None) -> Surrogate:
        """The surrogate at a split: with one slope for all blocks, or equal to the exact Icor of that split."""
        K, m = self.n_parties, self.n_features
        members = labels == np.arange(K)[:, None]
        reach = members.astype(np.float64) @ self.squares
        diagonal = np.ascontiguousarray(np.diag(self.correlation))
        importance = np.zeros(m) if self.importance is None else self.importance
        limits = np.array([[-np.inf], [np.inf]]).repeat(K, axis=1) if self.limits is None else self.limits
        sizes = members.sum(axis=1).astype(np.float64)
        model = Surrogate(
            squares=self.squares,
            diagonal=diagonal,
            importance=importance,
            labels=labels.copy(),
            sizes=sizes,
            reach=reach,
            between=reach @ members.T,
            trace=members @ diagonal,
            diagonal_squares=members @ diagonal**2,
            shares=members @ importance,
            limits=limits,
            weight=np.zeros((K, K)),
            after=np.zeros((2, K)),
        )
        model.weight[:] = _weight(model, slope, exact)
        return model


class Surrogate(NamedTuple):
    """State of the surrogate, changed in place by swaps; K parties, m features.

    Its value is the sum of ``weight[i, j] * sqrt(between[i, j])`` over pairs i < j of parties, and over i = j, where
    the spread of the diagonal is added under the root.
    """

    squares: NDArray[np.float64]  # (m, m)
    diagonal: NDArray[np.float64]  # (m,)
    importance: NDArray[np.float64]  # (m,)
    labels: NDArray[np.int64]  # (m,)
    sizes: NDArray[np.float64]  # (K,)
    reach: NDArray[np.float64]  # (K, m): sum of the squares between a party and a feature
    between: NDArray[np.float64]  # (K, K): sum of the squares of a block
    trace: NDArray[np.float64]  # (K,): sum of the diagonal of a party
    diagonal_squares: NDArray[np.float64]  # (K,)
    shares: NDArray[np.float64]  # (K,): importance of a party
    limits: NDArray[np.float64]  # (2, K)
    weight: NDArray[np.float64]  # (K, K)
    after: NDArray[np.float64]  # (2, K): rows of `between` after the swap that was looked at last


def _weight(model: Surrogate, slope: float, exact: Split | None) -> NDArray[np.float64]:
    """What a block's norm counts in Icor."""
    K = len(model.sizes)
    d = np.minimum.outer(model.sizes, model.sizes)
    within = np.eye(K, dtype=bool)
    per_norm = np.where(within, 1.0, slope) / np.sqrt(np.maximum(d * (d - 1.0), 1.0)) * (d > 1)
    if exact is not None:
        norm = np.sqrt(np.where(within, model.between + np.diag(_diagonal_spread(model)), model.between))
        np.divide(exact.pcor, norm, out=per_norm, where=norm > 1e-12)
    return np.where(within, -1.0 / K, 2.0 / (K * max(1, K - 1))) * per_norm


def _diagonal_spread(model: Surrogate) -> NDArray[np.float64]:
    """Sum of the squares of each party's centred diagonal."""
    return np.maximum(model.diagonal_squares - model.trace**2 / np.maximum(model.sizes, 1.0), 0.0)


@njit(nogil=True, cache=True)
def _inner_norm(model: Surrogate, k: int, between: float, trace: float, diagonal_squares: float) -> float:
    return np.sqrt(max(between + diagonal_squares - trace * trace / model.sizes[k], 0.0))


@njit(nogil=True, cache=True)
def _change(model: Surrogate, s: int, t: int) -> float:
    """Change of the surrogate when features s and t, of two parties, are exchanged; fills `after`."""
    p, q = model.labels[s], model.labels[t]
    between, reach, weight, after = model.between, model.reach, model.weight, model.after
    twice = 2.0 * model.squares[s, t]
    change = 0.0
    for j in range(len(model.sizes)):
        moved = reach[j, t] - reach[j, s]
        after[0, j], after[1, j] = between[p, j] + moved, between[q, j] - moved
        if j not in (p, q):
            change += weight[p, j] * (np.sqrt(max(after[0, j], 0.0)) - np.sqrt(between[p, j]))
            change += weight[q, j] * (np.sqrt(max(after[1, j], 0.0)) - np.sqrt(between[q, j]))
    within_p, within_q = reach[p, t] - reach[p, s], reach[q, s] - reach[q, t]
    after[0, q] = after[1, p] = between[p, q] - within_p - within_q + twice
    after[0, p] = between[p, p] + 2.0 * within_p - twice
    after[1, q] = between[q, q] + 2.0 * within_q - twice
    change += weight[p, q] * (np.sqrt(max(after[0, q], 0.0)) - np.sqrt(between[p, q]))
    heavier = model.diagonal[t] - model.diagonal[s]
    squares = model.diagonal[t] ** 2 - model.diagonal[s] ** 2
    trace, diagonal_squares = model.trace, model.diagonal_squares
    change += weight[p, p] * (
        _inner_norm(model, p, after[0, p], trace[p] + heavier, diagonal_squares[p] + squares)
        - _inner_norm(model, p, between[p, p], trace[p], diagonal_squares[p])
    )
    change += weight[q, q] * (
        _inner_norm(model, q, after[1, q], trace[q] - heavier, diagonal_squares[q] - squares)
        - _inner_norm(model, q, between[q, q], trace[q], diagonal_squares[q])
    )
    return change


@njit(nogil=True, cache=True)
def _allowed(model: Surrogate, s: int, t: int) -> bool:
    """Whether the shares stay within their limits when s and t are exchanged."""
    p, q = model.labels[s], model.labels[t]
    more = model.importance[t] - model.importance[s]
    share_p, share_q = model.shares[p] + more, model.shares[q] - more
    low, high = model.limits[0], model.limits[1]
    return low[p] <= share_p <= high[p] and low[q] <= share_q <= high[q]


@njit(nogil=True, cache=True)
def _swap(model: Surrogate, s: int, t: int) -> None:
    """Exchange the features that `_change` looked at last."""
    p, q = model.labels[s], model.labels[t]
    for j in range(len(model.sizes)):
        model.between[p, j] = model.between[j, p] = max(model.after[0, j], 0.0)
    for j in range(len(model.sizes)):
        if j != p:
            model.between[q, j] = model.between[j, q] = max(model.after[1, j], 0.0)
    into, out_of = model.squares[t], model.squares[s]
    reach_p, reach_q = model.reach[p], model.reach[q]
    for u in range(len(into)):
        moved = into[u] - out_of[u]
        reach_p[u] += moved
        reach_q[u] -= moved
    heavier = model.diagonal[t] - model.diagonal[s]
    squares = model.diagonal[t] ** 2 - model.diagonal[s] ** 2
    more = model.importance[t] - model.importance[s]
    model.trace[p] += heavier
    model.trace[q] -= heavier
    model.diagonal_squares[p] += squares
    model.diagonal_squares[q] -= squares
    model.shares[p] += more
    model.shares[q] -= more
    model.labels[s], model.labels[t] = q, p


@njit(nogil=True, cache=True)
def _draw(model: Surrogate, generator: np.random.Generator) -> tuple[int, int]:
    """Two features at random."""
    m = len(model.labels)
    return int(generator.random() * m), int(generator.random() * m)


@njit(nogil=True, cache=True)
def _typical_change(model: Surrogate, generator: np.random.Generator, n_draws: int) -> float:
    """Mean absolute change of random swaps."""
    total, n = 0.0, 0
    for _ in range(n_draws):
        s, t = _draw(model, generator)
        if model.labels[s] != model.labels[t]:
            total += abs(_change(model, s, t))
            n += 1
    return total / max(n, 1)


@njit(nogil=True, cache=True)
def _anneal(
    model: Surrogate, generator: np.random.Generator, sign: float, hot: float, cold: float, n_moves: int
) -> None:
    """Simulated annealing of sign times the surrogate, with temperatures that fall geometrically."""
    temperature = hot
    factor = (cold / hot) ** (1.0 / n_moves)
    for _ in range(n_moves):
        temperature *= factor
        s, t = _draw(model, generator)
        if model.labels[s] == model.labels[t] or not _allowed(model, s, t):
            continue
        worse = sign * _change(model, s, t)
        if worse <= 0.0 or generator.random() < np.exp(-worse / temperature):
            _swap(model, s, t)


@njit(nogil=True, cache=True)
def _walk(
    model: Surrogate, generator: np.random.Generator, gap: float, near: float, n_random: int, n_moves: int
) -> None:
    """Random swaps, then those that bring the surrogate nearer to `gap` above where it began, until it is `near`."""
    for _ in range(n_moves):
        if n_random <= 0 and abs(gap) <= near:
            break
        s, t = _draw(model, generator)
        if model.labels[s] == model.labels[t] or not _allowed(model, s, t):
            continue
        change = _change(model, s, t)
        if n_random > 0 or abs(gap - change) < abs(gap):
            _swap(model, s, t)
            gap -= change
            n_random -= 1


@njit(nogil=True, cache=True)
def _all_changes(model: Surrogate, sign: float) -> NDArray[np.float64]:
    """Sign times the change by every swap of features s < t; infinite where it is none, or not allowed."""
    m = len(model.labels)
    out = np.full((m, m), np.inf)
    for s in range(m):
        for t in range(s + 1, m):
            if model.labels[s] != model.labels[t] and _allowed(model, s, t):
                out[s, t] = sign * _change(model, s, t)
    return out


def restarts(problem: Problem) -> int:
    """Number of restarts that takes a few seconds."""
    return int(np.clip(6000 // problem.n_features, 2, 64))


def extremes(
    problem: Problem, signs: Sequence[float], n_restarts: int, seed: int, engine: Engine
) -> tuple[list[Split], int]:
    """The splits with the least and the most Icor that were found.

    Parameters
    ----------
    problem : Problem
    signs : sequence
        Which: `LOWER`, `HIGHER`, or both.
    n_restarts : int
        For each sign.
    seed : int
    engine : Engine
        Where the restarts run; the result does not depend on it.

    Returns
    -------
    splits : list of Split
        One for each sign.
    n_evaluations : int
        Number of exact values of Icor.
    """
    seeds = np.random.default_rng(seed).integers(2**63, size=n_restarts).tolist()
    tasks = [(sign, k, s) for sign in signs for k, s in enumerate(seeds)]
    ends = engine.map(partial(_annealed, problem), tasks)
    chosen = [task for i, sign in enumerate(signs) for task in _best(ends[i * n_restarts :][:n_restarts], sign)]
    polished = engine.map(partial(_polished, problem), chosen)
    best = [min((s for end, s, _ in polished if end == sign), key=lambda split: sign * split.icor) for sign in signs]
    return best, len(tasks) + sum(n for _, _, n in polished)


def _annealed(problem: Problem, task: tuple[float, int, int]) -> Split:
    """The split that one restart ends in."""
    sign, k, seed = task
    generator = np.random.default_rng(seed)
    labels = problem.labels if problem.limits is not None else generator.permutation(problem.labels)
    model = problem.surrogate(labels, _SLOPES[k % len(_SLOPES)])
    hot = _typical_change(model, generator, 1000)
    if hot > 0.0:
        _anneal(model, generator, sign, hot, hot / _COOLING, _MOVES * problem.n_features)
    return problem.split(model.labels)


def _best(splits: Sequence[Split], sign: float) -> list[tuple[float, Split]]:
    """The best few that differ, as tasks of `_polished`."""
    distinct = {split.key: split for split in reversed(splits)}
    return [(sign, split) for split in sorted(distinct.values(), key=lambda split: sign * split.icor)[:_POLISHED]]


def _polished(problem: Problem, task: tuple[float, Split]) -> tuple[float, Split, int]:
    """(sign, split, exact values taken): swaps that help exactly, tried in the order of what the surrogate says."""
    sign, split = task
    n_left = problem.affordable
    improved = True
    while improved and n_left > 0:
        improved = False
        for trial in _neighbours(problem, split, sign, min(_RANKED, n_left)):
            n_left -= 1
            if sign * (trial.icor - split.icor) < -1e-12:
                split, improved = trial, True
                break
    return sign, split, problem.affordable - n_left


def _neighbours(problem: Problem, split: Split, sign: float, n: int) -> Iterator[Split]:
    """The `n` splits one swap away that look best, best first."""
    changes = _all_changes(problem.surrogate(split.labels, exact=split), sign)
    n = min(n, changes.size - 1)
    ranked = np.argpartition(changes, n, axis=None)[:n]
    for position in ranked[np.argsort(changes.flat[ranked], kind="stable")]:
        s, t = divmod(int(position), problem.n_features)
        if np.isfinite(changes[s, t]):
            labels = split.labels.copy()
            labels[s], labels[t] = labels[t], labels[s]
            yield problem.split(labels, near=split)


def toward(problem: Problem, start: Split, target: float, tol: float, seed: int) -> tuple[Split, int]:
    """Walk from a split to one whose Icor is the target to within `tol`.

    Random swaps that bring the surrogate nearer to the target are taken until it is there; then the exact value is
    taken, the surrogate is set to it, and the walk goes on. When it gets no nearer, it starts again from the nearest
    split with a few swaps in any direction.

    Parameters
    ----------
    problem : Problem
    start : Split
    target : float
    tol : float
    seed : int

    Returns
    -------
    Split
        The nearest that was found.
    n_evaluations : int
    """
    generator = np.random.default_rng(seed)
    best, n_failures = start, 0
    most = min(2 * problem.affordable, 10 * problem.n_swaps)
    for n_evaluations in range(most):
        gap = target - best.icor
        if abs(gap) <= tol:
            return best, n_evaluations
        model = problem.surrogate(best.labels, exact=best)
        _walk(model, generator, gap, tol / 4.0, min(n_failures // 2, _MOST_RANDOM), 100 * problem.n_features)
        trial = problem.split(model.labels, near=best)
        n_failures += 1
        if abs(trial.icor - target) < abs(gap):
            best, n_failures = trial, 0
    return best, most
