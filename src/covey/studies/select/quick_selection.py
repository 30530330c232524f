"""s435: columns chosen by the strength of their links into a sparse autoencoder, and what sparse training costs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import covey
from covey.select._base import numeric_block
from covey.select.unsupervised import (
    QuickSelection,
    SparseDenoisingAutoencoder,
    sparse_denoising_autoencoder,
    standardised,
)
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of
from covey.studies.select._madelon import TRUE, hits, madelon

Array = NDArray[np.float64]

METHODS = {"QuickSelection": scrambled_parts("strength_"), "sparse_denoising_autoencoder": scrambled}

K = len(TRUE)
N_HIDDEN, BATCH, RATE, MOMENTUM, DECAY = 1000, 100, 0.01, 0.9, 1e-5


@study_of("s435")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Relevant columns of Madelon found without labels; time and memory beside a dense autoencoder on Arcene."""
    yield from _madelon(quick, random_state)
    yield from _arcene(quick, random_state)


def _madelon(quick: bool, seed: int) -> Iterator[Claim | str]:
    raw, y = madelon()
    is_relevant = np.isin(np.arange(raw.shape[1]), TRUE)
    x = standardised(raw)
    passes, seeds = (10, range(1)) if quick else (40, range(3))
    models = [QuickSelection(k=K, output="tanh", max_iter=passes, random_state=seed + run).fit(raw) for run in seeds]
    chosen = [_best(model.strength_) for model in models]
    rng = np.random.default_rng([seed, 435])
    at_random = [rng.choice(len(is_relevant), K, replace=False) for _ in range(3 if quick else 5)]
    found = float(np.mean([hits(model.strength_) for model in models]))
    yield Claim(
        f"of the {K} relevant columns of Madelon, standardised, in the best {K} without labels, {passes} passes",
        found,
        11.0,
        baseline=float(np.mean([is_relevant[columns].sum() for columns in at_random])),
        baseline_name="at random",
    )
    yield Claim(
        f"accuracy of 5 nearest neighbours on these {K} columns, 5 folds",
        float(np.mean([_accuracy(x[:, columns], y, seed) for columns in chosen])),
        0.74,
        baseline=float(np.mean([_accuracy(x[:, columns], y, seed) for columns in at_random])),
        baseline_name=f"{K} random columns (all 500: {_accuracy(x, y, seed):.3f})",
    )
    nnz = np.vstack([model.nnz_ for model in models])
    yield Claim("links gained or lost in either layer while they evolve", float(np.ptp(nnz, axis=0).max()), 0.0, "<=")
    history = [[hits(strength) for strength in model.history_[4::5]] for model in models]
    together = (np.corrcoef(x, rowvar=False) ** 2).sum(axis=0)
    yield (
        f"Hits after every fifth pass, a list a seed: {history}. A ranking by the sum of squared correlations with all "
        f"columns finds {hits(together)} of {K}, and by the deviation of the raw columns "
        f"{hits(raw.std(axis=0))}; standardising makes the second impossible."
    )
    if not quick:
        long = QuickSelection(k=K, output="tanh", max_iter=150, random_state=seed).fit(raw)
        late = {n: hits(long.history_[n - 1]) for n in (20, 50, 100, 150)}
        yield f"Hits after so many passes of a longer run: {late}."


def _best(strength: Array) -> NDArray[np.intp]:
    return np.argsort(-strength, kind="stable")[:K]


def _accuracy(x: Array, y: NDArray, seed: int) -> float:
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return float(cross_val_score(KNeighborsClassifier(5), x, y, cv=folds).mean())


def _arcene(quick: bool, seed: int) -> Iterator[Claim | str]:
    table = covey.read("covey:arcene").drop("class")
    x = numeric_block(table)
    x = standardised(x[:, x.std(axis=0) > 0])
    x = x[np.random.default_rng([seed, 1435]).permutation(len(x))]
    train, rest = x[:150], x[150:]
    n_epochs = 3 if quick else 6

    def sparse() -> SparseDenoisingAutoencoder:
        return sparse_denoising_autoencoder(train, N_HIDDEN, max_iter=n_epochs, batch_size=BATCH, random_state=seed)

    sparse_denoising_autoencoder(train[:, :50], 10, max_iter=1)  # compiles
    dense = _Dense(train, seed)
    times: list[tuple[float, float]] = []
    for _ in range(2):  # alternate, so that other work on the machine meets both
        times.append((_seconds(sparse) / n_epochs, _seconds(lambda: dense.run(n_epochs)) / n_epochs))
    sparse_time, dense_time = np.min(times, axis=0)
    model, peak = _peak(sparse)
    yield Claim(
        f"seconds of one core for a pass over Arcene ({train.shape[1]:,} columns), evolution and start included, over "
        "those of a dense autoencoder of the same sizes",
        float(sparse_time / dense_time),
        0.35,
        "<=",
        baseline=float(dense_time),
        baseline_name=f"seconds, dense in torch (sparse: {sparse_time:.3f})",
    )
    yield Claim(
        "peak memory of sparse training over what dense training holds at least",
        peak / dense.held(),
        0.2,
        "<=",
        baseline=dense.held() / 2**20,
        baseline_name=f"MiB, dense in torch (sparse: {peak / 2**20:.0f})",
        note="weights, gradients and momentum of the dense one; all that is allocated, copies of the rows included, of "
        "the sparse one",
    )
    yield Claim(
        "links of both layers over those asked for, 13 for each unit",
        float(model.nnz.min() / (13 * (train.shape[1] + N_HIDDEN))),
        (1.0, 1.0),
        "between",
        baseline=float(train.shape[1] * N_HIDDEN / (13 * (train.shape[1] + N_HIDDEN))),
        baseline_name="dense",
    )
    yield Claim("links gained or lost in either layer on Arcene", float(np.ptp(model.nnz, axis=0).max()), 0.0, "<=")
    error = float(np.mean((model.reconstruct(rest) - rest) ** 2))
    yield (
        f"After {n_epochs} passes over 150 rows the mean squared error on 50 others is {error:.3f} with "
        f"{2 * int(model.nnz[-1, 0]):,} links, and {dense.error(rest):.3f} with {2 * train.shape[1] * N_HIDDEN:,} "
        f"dense weights after {2 * n_epochs}; the columns' variance is {float(np.mean(rest**2)):.3f}."
    )


def _seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def _peak(work: Callable[[], SparseDenoisingAutoencoder]) -> tuple[SparseDenoisingAutoencoder, float]:
    """What `work` returns and the most bytes that it held at once."""
    tracemalloc.start()
    try:
        found = work()
        return found, float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


class _Dense:
    """A dense denoising autoencoder in torch, with the same units, loss and steps, on one thread."""

    def __init__(self, x: Array, seed: int) -> None:
        import torch

        self.torch, d = torch, x.shape[1]
        generator = torch.Generator().manual_seed(seed)
        self.clean = torch.as_tensor(x, dtype=torch.float32)
        self.noisy = self.clean + 0.2 * torch.randn(self.clean.shape, generator=generator)
        self.layers = [torch.nn.Linear(d, N_HIDDEN), torch.nn.Linear(N_HIDDEN, d)]
        for layer in self.layers:
            torch.nn.init.xavier_normal_(layer.weight, generator=generator)
            torch.nn.init.zeros_(layer.bias)
        self.parameters = [p for layer in self.layers for p in layer.parameters()]
        self.optimiser = torch.optim.SGD(self.parameters, RATE, MOMENTUM, weight_decay=DECAY)

    def run(self, n_epochs: int) -> None:
        threads = self.torch.get_num_threads()
        self.torch.set_num_threads(1)
        try:
            for _ in range(n_epochs):
                order = self.torch.randperm(len(self.clean), generator=self.torch.Generator().manual_seed(0))
                for rows in order.split(BATCH):
                    self._step(rows)
        finally:
            self.torch.set_num_threads(threads)

    def _step(self, rows: NDArray) -> None:
        nn = self.torch.nn.functional
        hidden = nn.dropout(self.layers[0](self.noisy[rows]).sigmoid(), 0.2)
        loss = 0.5 * (self.layers[1](hidden) - self.clean[rows]).square().sum(dim=1).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def held(self) -> float:
        """Bytes of weights, gradients and momentum."""
        kept = [self.optimiser.state[p]["momentum_buffer"] for p in self.parameters]
        tensors = [*self.parameters, *(p.grad for p in self.parameters), *kept]
        return float(sum(t.numel() * t.element_size() for t in tensors))

    def error(self, x: Array) -> float:
        """Mean squared error of rows."""
        with self.torch.no_grad():
            rows = self.torch.as_tensor(x, dtype=self.torch.float32)
            return float((self.layers[1](self.layers[0](rows).sigmoid()) - rows).square().mean())
