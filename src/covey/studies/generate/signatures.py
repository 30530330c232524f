"""s201: a target driven by paths that are seen rarely, from their signatures, beside last values and a GRU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from covey.generate.signature import SigLasso, path_signature, signature_words
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of

Array = NDArray[np.float64]

METHODS = {"SigLasso": scrambled_parts("predict"), "path_signature": scrambled}

N_INDIVIDUALS, N_CHANNELS = 100, 3
GRID = np.linspace(0.0, 1.0, 401)
SEEN = (5, 10, 20, 40)
USUAL = 20
COARSE = GRID[::10]


@dataclass(frozen=True, eq=False)
class System:
    """Paths and targets of training and test individuals.

    Parameters
    ----------
    x : ndarray of shape (n_individuals, n_grid, n_channels)
    y : ndarray of shape (n_individuals, n_grid)
    order : ndarray of shape (n_individuals, n_grid - 1), int64
        Points of the grid after the start, in the order in which an individual is seen there when seen more often.
    at : ndarray of shape (n_individuals, 5), int64
        Where the target is seen.
    """

    x: Array
    y: Array
    order: NDArray[np.int64]
    at: NDArray[np.int64]

    @classmethod
    def draw(cls, n_states: int, rng: np.random.Generator) -> System:
        """Gaussian process paths drive ``dy = tanh(W y + b) dx``, whose first state is the target."""
        n = 2 * N_INDIVIDUALS
        kernel = np.exp(-0.5 * ((GRID[:, None] - GRID) / 0.3) ** 2) + 1e-8 * np.eye(len(GRID))
        x = np.einsum("ij,njd->nid", np.linalg.cholesky(kernel), rng.normal(size=(n, len(GRID), N_CHANNELS)))
        weights = 0.6 * rng.normal(size=(n_states, N_CHANNELS, n_states))
        bias = 0.5 * rng.normal(size=(n_states, N_CHANNELS))
        state, y = np.zeros((n, n_states)), np.zeros((n, len(GRID)))
        for t, step in enumerate(np.diff(x, axis=1).swapaxes(0, 1), 1):
            first = _field(state, weights, bias, step)
            state = state + 0.5 * (first + _field(state + first, weights, bias, step))
            y[:, t] = state[:, 0]
        order = 1 + np.array([rng.permutation(len(GRID) - 1) for _ in range(n)])
        at = 1 + np.array([np.sort(rng.choice(len(GRID) - 1, 5, replace=False)) for _ in range(n)])
        return cls(x, y, order, at)

    def paths(self, rows: slice, n_seen: int) -> list[tuple[Array, Array]]:
        """Individuals as they are seen: at the start and at some other times."""
        seen = [np.sort(np.append(0, order[: n_seen - 1])) for order in self.order[rows]]
        return [(GRID[k], x[k]) for k, x in zip(seen, self.x[rows], strict=True)]

    @property
    def targets(self) -> tuple[list[Array], list[Array]]:
        """Times and targets of training individuals."""
        at = self.at[TRAIN]
        return list(GRID[at]), [y[k] for y, k in zip(self.y[TRAIN], at, strict=True)]


TRAIN, TEST = slice(0, N_INDIVIDUALS), slice(N_INDIVIDUALS, 2 * N_INDIVIDUALS)


def _field(state: Array, weights: Array, bias: Array, step: Array) -> Array:
    return np.einsum("npd,nd->np", np.tanh(np.einsum("pdq,nq->npd", weights, state) + bias), step)


@study_of("s201")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Whole trajectories from signatures, last values and a GRU; denser sampling; signatures by definition."""
    yield _definition(np.random.default_rng([random_state, 201]))
    n_systems, n_epochs = (2, 80) if quick else (4, 300)
    systems = _systems(2, n_systems, random_state)
    with threadpool_limits(1):
        errors = np.array([[_signature_error(system, n) for n in SEEN] for system in systems])
        forward = np.mean([_signature_error(system, USUAL, "forward") for system in systems])
        last = np.mean([_last_value_error(system) for system in systems])
        found = errors[:, SEEN.index(USUAL)].mean()
        yield Claim(
            "squared error over whole trajectories, over that of ridge on last values and time",
            found / last,
            0.6,
            "<=",
            baseline=float(last),
            baseline_name=f"ridge (reached: {found:.3f}; shares of the variance)",
        )
        yield from _beside_a_gru(systems, found, n_epochs, quick, random_state)
    by_density = errors.mean(axis=0)
    yield Claim(
        f"largest ratio of the error to that at half as many observations, {', '.join(map(str, SEEN))} a path",
        float((by_density[1:] / by_density[:-1]).max()),
        1.0,
        "<=",
        note=", ".join(f"{e:.3f}" for e in by_density),
    )
    yield (
        f"{len(systems)} systems of two states, one of them hidden, and 3 driving Gaussian process paths (length scale "
        f"0.3 of the time), 100 individuals to learn from and 100 others to judge by, seen {USUAL} times, the target 5 "
        "times. A straight line between observations looks ahead to the next one, also for the GRU; with the last "
        f"value held in its place the error is {forward:.3f}."
    )
    yield (
        "iisignature 0.24 was compared apart: 4 channels to order 5 and their log-signature, 30 points, differ by at "
        "most 3e-14 of an integral above 1."
    )


def _definition(rng: np.random.Generator) -> Claim:
    """The kernel beside integrals of polynomials on each segment."""
    worst = 0.0
    for n_channels, depth in ((2, 5), (3, 4), (4, 3)):
        path = rng.normal(size=(6, n_channels)).cumsum(axis=0)
        known: dict[tuple[int, ...], list[Polynomial]] = {(): [Polynomial([1.0])] * (len(path) - 1)}
        expected = []
        for word in signature_words(n_channels, depth):
            total, pieces = 0.0, []
            for piece, (a, b) in zip(known[word[:-1]], pairwise(path[:, word[-1]]), strict=True):
                pieces.append((piece * (b - a)).integ() + total)
                total = float(pieces[-1](1.0))
            known[word] = pieces
            expected.append(total)
        gap = np.abs(path_signature(path, depth) - expected) / np.maximum(1.0, np.abs(expected))
        worst = max(worst, float(gap.max()))
    return Claim("largest difference, relative above 1, of signatures from iterated integrals", worst, 1e-10, "<=")


def _signature_error(system: System, n_seen: int, interpolation: str = "linear") -> float:
    times, targets = system.targets
    model = SigLasso(depth=3, interpolation=interpolation)  # type: ignore[arg-type]
    model.fit(system.paths(TRAIN, n_seen), targets, times)
    return _error(system, model.predict(system.paths(TEST, n_seen), GRID))


def _error(system: System, found: Array) -> float:
    """Mean squared error over whole trajectories, as a share of the variance."""
    return float(np.mean((found - system.y[TEST]) ** 2) / system.y[TEST].var())


def _last_value_error(system: System) -> float:
    times, targets = system.targets
    paths = system.paths(TRAIN, USUAL)
    rows = np.concatenate([_last_values(path, at) for path, at in zip(paths, times, strict=True)])
    folds = list(GroupKFold(5).split(rows, groups=np.repeat(np.arange(N_INDIVIDUALS), 5)))
    model = RidgeCV(np.logspace(-6, 3, 30), cv=folds).fit(rows, np.concatenate(targets))
    return _error(system, np.array([model.predict(_last_values(path, GRID)) for path in system.paths(TEST, USUAL)]))


def _last_values(path: tuple[Array, Array], at: Array) -> Array:
    """The last and the first values, and time."""
    times, values = path
    last = values[np.searchsorted(times, at, side="right") - 1]
    return np.column_stack([last, np.tile(values[0], (len(at), 1)), at])


def _systems(n_states: int, n_systems: int, random_state: int) -> list[System]:
    return [System.draw(n_states, np.random.default_rng([random_state, i])) for i in range(n_systems)]


def _beside_a_gru(
    systems: list[System], found: float, n_epochs: int, quick: bool, random_state: int
) -> Iterator[Claim | str]:
    if find_spec("torch") is None:
        yield "Without torch there is no GRU to compare with."
        return
    gru = _gru_errors(systems, n_epochs)
    yield Claim(
        f"squared error over whole trajectories, over that of a GRU of at most {n_epochs} epochs",
        found / gru,
        1.0,
        "<=",
        baseline=gru,
        baseline_name="GRU, stopped in time",
    )
    if quick:
        return
    simple, hidden = _systems(1, 2, random_state), _systems(3, 2, random_state)
    yield (
        "Which of them is better depends on the system: of two with one state, so that nothing is hidden, the error is "
        f"{np.mean([_signature_error(s, USUAL) for s in simple]):.3f} and that of the GRU "
        f"{_gru_errors(simple, n_epochs):.3f}; of two with three states it is "
        f"{np.mean([_signature_error(s, USUAL) for s in hidden]):.3f} and {_gru_errors(hidden, n_epochs):.3f}."
    )


def _gru_errors(systems: list[System], n_epochs: int) -> float:
    return float(np.mean([_gru_error(system, n_epochs, seed) for seed, system in enumerate(systems)]))


def _gru_error(system: System, n_epochs: int, seed: int) -> float:
    """Of a GRU fitted to all for as many epochs as served a fifth of the individuals best when they were kept apart."""
    n_kept, best, n_best = N_INDIVIDUALS // 5, np.inf, n_epochs
    model = _Gru(system, seed)
    for epoch in range(1, n_epochs + 1):
        model.step(slice(n_kept, None))
        if epoch % 5 == 0 and (kept := model.kept_error(slice(0, n_kept))) < best:
            best, n_best = kept, epoch
    final = _Gru(system, seed)
    for _ in range(n_best):
        final.step(slice(None))
    return _error(system, final.trajectories())


class _Gru:
    """A GRU of 32 units on the straight lines between observations."""

    def __init__(self, system: System, seed: int) -> None:
        import torch
        from torch import nn

        self.torch = torch
        self.inputs, self.test = (
            torch.tensor(_coarse(system.paths(rows, USUAL)), dtype=torch.float32) for rows in (TRAIN, TEST)
        )
        seen = np.take_along_axis(system.y[TRAIN], system.at[TRAIN], axis=1)
        self.level, self.spread = seen.mean(), seen.std()
        self.target = torch.tensor((seen - self.level) / self.spread, dtype=torch.float32)
        self.place = torch.tensor(system.at[TRAIN] / 10.0, dtype=torch.float32)
        self.gru, self.head = nn.GRU(self.inputs.shape[2], 32, batch_first=True), nn.Linear(32, 1)
        self.weights = [*self.gru.parameters(), *self.head.parameters()]
        generator = torch.Generator().manual_seed(seed)
        for weight in self.weights:
            nn.init.uniform_(weight, -1 / 32**0.5, 1 / 32**0.5, generator=generator)
        self.optimiser = torch.optim.Adam(self.weights, lr=1e-2)

    def step(self, rows: slice) -> None:
        """One epoch on training individuals."""
        self.optimiser.zero_grad()
        self._loss(rows).backward()
        self.torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()

    def kept_error(self, rows: slice) -> float:
        """Of training individuals at the times at which they were seen."""
        with self.torch.no_grad():
            return float(self._loss(rows))

    def trajectories(self) -> Array:
        """Of the test individuals, on the grid."""
        with self.torch.no_grad():
            coarse = self.head(self.gru(self.test)[0])[..., 0].double().numpy() * self.spread + self.level
        return np.array([np.interp(GRID, COARSE, row) for row in coarse])

    def _loss(self, rows: slice) -> Any:
        states = self.head(self.gru(self.inputs[rows])[0])[..., 0]
        low = self.place[rows].long().clamp(max=states.shape[1] - 2)
        part = self.place[rows] - low
        found = (1 - part) * states.gather(1, low) + part * states.gather(1, low + 1)
        return ((found - self.target[rows]) ** 2).mean()


def _coarse(paths: list[tuple[Array, Array]]) -> Array:
    """Values on a common grid, less the first ones and beside them, and time; shape (n_paths, n_steps, 7)."""
    out = []
    for times, values in paths:
        line = np.column_stack([np.interp(COARSE, times, column) for column in values.T])
        first = np.tile(values[0], (len(COARSE), 1))
        out.append(np.column_stack([line - first, first, COARSE]))
    return np.array(out)
