"""s079: the share of silence tells a speaker's arousal, beyond means and deviations of acoustic frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from covey.measure.concordance import concordance_correlation
from covey.nets.audio.concordance import CCCLoss
from covey.nets.audio.silence import frame_features, high_level_statistics, silence_ratio
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {
    "silence_ratio": scrambled,
    "high_level_statistics": scrambled,
    "concordance_correlation": scrambled,
    "CCCLoss": lambda _: lambda: torch.nn.L1Loss(reduction="none"),
}
FACTORS = (0.02, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
LENGTH, HOP, RATE, DURATION = 100, 50, 4000, 6000
Array = NDArray[np.float64]


@study_of("s079")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Concordance of arousal and valence with and without the silence ratio, and the sweep of its factor."""
    tuning, *seeds = np.random.SeedSequence(random_state).spawn(3 if quick else 6)
    with threadpool_limits(1):
        chosen = int(np.argmax(_sweep(*_corpus(tuning), tuning)))
        runs = [_gains(seed, chosen) for seed in seeds]
    for model in ("ridge", "lstm"):
        base, gain = (np.mean([run[model][k] for run in runs], axis=0) for k in (0, 1))
        yield Claim(
            f"concordance of arousal that the silence ratio adds, {model}, {len(runs)} seeds",
            float(gain[0]),
            0.03,
            baseline=float(base[0]),
            baseline_name="without it",
        )
        yield Claim(
            f"change of valence as a share of that of arousal, {model}",
            float(abs(gain[1]) / gain[0]) if gain[0] > 0 else np.inf,
            0.5,
            "<=",
            baseline=float(base[1]),
            baseline_name="concordance of valence without it",
        )
    valence = float(np.mean([run["ridge"][0][1] for run in runs]))
    yield Claim("concordance of valence by the statistics alone, ridge", valence, 0.6)
    sweep = np.mean([run["sweep"] for run in runs], axis=0)
    best = int(np.argmax(sweep))
    yield Claim("position of the best factor among those swept", float(best), (1, len(FACTORS) - 2), "between")
    yield Claim(
        "concordance at the best factor above that at either end", float(sweep.max() - max(sweep[[0, -1]])), 0.02
    )
    yield Claim("difference of the loss from one minus the closed form", _closed_form(random_state), 1e-12, "<=")
    yield (
        "Utterances of 1.5 s: syllables of filtered noise, pauses 14 to 50 dB below with the same spectrum, a random "
        "gain. Arousal moves loudness, rate and pauses, each with noise; valence the spectral tilt. Half trains, half "
        f"tests. The factor, {FACTORS[chosen]}, is the best on utterances of its own; "
        f"concordance of arousal by ridge over factors {FACTORS}: "
        f"{', '.join(f'{value:.3f}' for value in sweep)}."
    )


def utterance(rng: np.random.Generator, arousal: float, valence: float) -> Array:
    """A wave of `DURATION` samples."""
    pause = 1.0 / (1.0 + np.exp(1.0 + 1.2 * arousal - 0.4 * rng.normal()))
    syllable = RATE / (5.0 * np.exp(0.1 * arousal + 0.3 * rng.normal()))
    n = int(DURATION / syllable) + 2
    loudness = np.where(rng.random(n) < pause, 0.0, np.exp(0.25 * rng.normal(size=n)))
    envelope = np.repeat(loudness, int(syllable) + 1)[:DURATION]
    tilt = 0.5 + 0.3 * np.tanh(0.6 * valence + 0.4 * rng.normal())
    voice = lfilter([1.0], [1.0, -tilt], rng.normal(size=DURATION)) * np.sqrt(1.0 - tilt**2)
    floor = 10.0 ** (-rng.uniform(14.0, 50.0) / 20.0)
    return np.exp(0.1 * arousal + 0.6 * rng.normal()) * np.maximum(envelope, floor) * voice


def _corpus(seed: np.random.SeedSequence, n: int = 800) -> tuple[Array, Array, Array]:
    """Targets (arousal, valence), statistics of the frames, and silence ratios at each factor."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, 2))
    waves = [utterance(rng, *target) for target in y]
    plain = np.stack([high_level_statistics(frame_features(wave, LENGTH, HOP)) for wave in waves])
    ratios = [[silence_ratio(wave, factor, "mean", LENGTH, HOP) for factor in FACTORS] for wave in waves]
    return y, plain, np.array(ratios)


def _sweep(y: Array, plain: Array, ratios: Array, seed: np.random.SeedSequence) -> Array:
    """Concordance of arousal by ridge with the ratio at each factor."""
    return np.array([_ridge(np.column_stack([plain, column]), y, seed)[0] for column in ratios.T])


def _gains(seed: np.random.SeedSequence, chosen: int) -> dict[str, Any]:
    """For each model concordance (arousal, valence) without the ratio, and what it adds; arousal over the sweep."""
    y, plain, ratios = _corpus(seed)
    out: dict[str, Any] = {"sweep": _sweep(y, plain, ratios, seed)}
    for name, model in (("ridge", _ridge), ("lstm", _lstm)):
        without, with_ratio = (model(x, y, seed) for x in (plain, np.column_stack([plain, ratios[:, chosen]])))
        out[name] = (without, with_ratio - without)
    return out


def _standardised(x: Array) -> Array:
    """By the first half of the rows, which trains."""
    train = x[: len(x) // 2]
    spread = train.std(axis=0)
    return (x - train.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _ridge(x: Array, y: Array, seed: np.random.SeedSequence) -> Array:
    x, half = _standardised(x), len(x) // 2
    return concordance_correlation(Ridge(1.0).fit(x[:half], y[:half]).predict(x[half:]), y[half:])


def _lstm(x: Array, y: Array, seed: np.random.SeedSequence) -> Array:
    """A stacked LSTM on the statistics of an utterance (one step), trained by the loss."""
    inputs, targets = (torch.from_numpy(values).float() for values in (_standardised(x), y))
    half = len(x) // 2
    network, head = torch.nn.LSTM(x.shape[1], 24, num_layers=2, batch_first=True), torch.nn.Linear(24, 2)
    parameters = [*network.parameters(), *head.parameters()]
    generator = torch.Generator().manual_seed(int(seed.generate_state(1)[0]))
    with torch.no_grad():
        for parameter in parameters:
            parameter.uniform_(-0.2, 0.2, generator=generator)
    optimiser, loss = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-3), CCCLoss()
    for _ in range(60):
        optimiser.zero_grad()
        loss(head(network(inputs[:half, None])[0][:, -1]), targets[:half]).mean().backward()
        optimiser.step()
    with torch.no_grad():
        predicted = head(network(inputs[half:, None])[0][:, -1]).double().numpy()
    return concordance_correlation(predicted, y[half:])


def _closed_form(random_state: int) -> float:
    rng = np.random.default_rng(random_state)
    x, y = rng.normal(size=(2, 50, 3))
    r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(x.T, y.T)])
    closed = 2 * r * x.std(0) * y.std(0) / (x.var(0) + y.var(0) + (x.mean(0) - y.mean(0)) ** 2)
    loss = CCCLoss()(torch.from_numpy(x), torch.from_numpy(y)).mean().item()
    return float(max(abs(1.0 - closed.mean() - loss), np.abs(concordance_correlation(x, y) - closed).max()))
