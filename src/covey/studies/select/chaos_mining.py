"""s417: ChaosMining: what attributions find among noise columns, and elimination of columns by them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import f_regression
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from covey.select._attribution import Method, attribute_columns
from covey.select.attribution_rfe import AttributionRFE
from covey.select.chaos import ChaosScores, ChaosTable, chaos_scores, make_chaos_tabular
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of

METHODS = {
    "AttributionRFE": scrambled_parts("ranking_"),
    "attribute_columns": scrambled,
    "chaos_scores": scrambled,
    "make_chaos_tabular": scrambled,
}

FORMULA, NOISE = 14, 100
GROWING = (10, 100, 400)
KINDS: tuple[Method, ...] = ("saliency", "integrated_gradients", "deeplift", "ablation")


@study_of("s417")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Functional precision against the number of noise columns; elimination among 100 of them."""
    n_rows, seeds = (2500, (0,)) if quick else (10_000, (0, 1, 2))
    with threadpool_limits(1, user_api="blas"):
        yield from _elimination(n_rows, [10 * random_state + seed for seed in seeds])
        yield from _precision(n_rows, [10 * random_state + seed for seed in seeds])
    yield (
        f"The function has ten variables (formula {FORMULA}): {make_chaos_tabular(FORMULA, 0, 1).formula}. "
        f"{n_rows:,} rows, of which a fifth is held out; runs: {len(seeds)}."
    )


def network(n_rows: int, seed: int) -> MLPRegressor:
    """Two hidden layers, forty passes over the rows."""
    epochs, size = 40, 100 if n_rows < 5000 else 200
    return MLPRegressor(
        hidden_layer_sizes=(64, 64),
        alpha=0.3,
        learning_rate_init=0.002,
        batch_size=size,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )


def _fitted(X: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> tuple[Any, float]:
    """A network of the scaled target, and the scale."""
    scale = float(y.std())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network(len(X), seed).fit(X / 0.33, y / scale), scale


def _fresh_error(table: ChaosTable, fresh: ChaosTable, columns: NDArray[np.intp], seed: int) -> float:
    """Mean absolute error, on rows that took no part in anything, of a network of some columns."""
    model, scale = _fitted(table.X[:, columns], table.y, seed)
    return float(np.abs(model.predict(fresh.X[:, columns] / 0.33) * scale - fresh.y).mean())


def _elimination(n_rows: int, seeds: list[int]) -> Iterator[Claim | str]:
    precision, recall, ratio, errors, paper = [], [], [], [], []
    ranked, first, single = [], [], []
    for seed in seeds:
        whole = make_chaos_tabular(FORMULA, NOISE, n_rows + 2000, random_state=seed)
        table, fresh = whole.take(slice(n_rows)), whole.take(slice(n_rows, None))
        found = AttributionRFE(network(n_rows, seed), "integrated_gradients", random_state=seed)
        kept = np.flatnonzero(found.fit(table.X, table.y).get_support())
        precision.append(float(table.relevant[kept].mean()) if len(kept) else 0.0)
        recall.append(float(table.relevant[kept].sum() / table.n_relevant))
        all_columns = np.arange(table.X.shape[1])
        before = _fresh_error(table, fresh, all_columns, seed)
        after = _fresh_error(table, fresh, kept, seed) if len(kept) else np.inf
        ratio.append(after / before)
        errors.append((before, after))
        ranked.append(int(table.relevant[found.ranking_ <= 10].sum()))
        first.append(_hits(table, found.history_[0].strength))
        single.append(_hits(table, f_regression(table.X, table.y)[0]))
        rounds = np.array([one.error for one in found.history_])
        worse = np.flatnonzero(np.diff(rounds) > 0)
        stopped = found.history_[int(worse[0]) if len(worse) else -1].columns
        paper.append((len(stopped), int(table.relevant[stopped].sum())))
    share = 10 / (10 + NOISE)
    text = f"share of relevant columns among those that AttributionRFE keeps, {NOISE} noise columns, mean"
    yield Claim(text, float(np.mean(precision)), 0.6, baseline=share, baseline_name="all columns")
    yield Claim(
        "relevant columns among the first ten of its ranking, less those of the ten largest attributions before any is "
        "dropped, mean",
        float(np.mean(ranked) - np.mean(first)),
        0.0 if len(seeds) == 1 else 0.5,
        baseline=float(np.mean(first)),
        baseline_name="first round",
    )
    yield Claim(
        "smallest share of the ten relevant columns that is kept",
        min(recall),
        0.8 if len(seeds) > 1 else 0.6,
        baseline=float(np.mean(recall)),
        baseline_name="mean",
    )
    yield Claim(
        "largest error on fresh rows of the network on the kept columns, as a share of that on all columns",
        max(ratio),
        0.6,
        "<=",
        baseline=1.0,
        baseline_name="all columns",
    )
    yield (
        f"Shares of relevant columns: {_listed(precision)}. Errors on fresh rows fall from "
        f"{_listed(a for a, _ in errors)} to {_listed(b for _, b in errors)} (noise: 0.008). The ten largest F "
        f"statistics of single columns hold {', '.join(map(str, single))} relevant ones."
    )
    yield (
        "The search goes on for three rounds above the smallest error. Stopped at the first rise, as in the paper, it "
        "would have kept "
        + ", ".join(f"{hits} relevant of {n}" for n, hits in paper)
        + "; training anew moves the error."
    )


def _hits(table: ChaosTable, strength: NDArray[np.float64]) -> int:
    """Relevant columns among the ten strongest."""
    return int(table.relevant[np.argsort(-np.nan_to_num(strength), kind="stable")[:10]].sum())


def _precision(n_rows: int, seeds: list[int]) -> Iterator[Claim | str]:
    found = [[_scores(n_rows, noise, seed) for noise in GROWING] for seed in seeds]
    means = np.mean([[one.functional_precision for one in row] for row in found], axis=0)  # (noise, method)
    falls = -np.diff(means, axis=0)
    chance = np.array([10 / (10 + noise) for noise in GROWING])
    for name in ("integrated_gradients", "ablation"):
        k = KINDS.index(name)
        yield Claim(
            f"smaller of the two falls of the functional precision of {name.replace('_', ' ')} as the noise columns "
            f"grow from {GROWING[0]} to {GROWING[1]} to {GROWING[2]}",
            float(falls[:, k].min()),
            0.02,
        )
        yield Claim(
            f"functional precision of {name.replace('_', ' ')} among {NOISE} noise columns",
            float(means[1, k]),
            0.25,
            baseline=float(chance[1]),
            baseline_name="at random",
        )
    few = [row[0] for row in found]
    ig, saliency = KINDS.index("integrated_gradients"), KINDS.index("saliency")
    near = np.mean(
        [[s.integrated[ig] - s.derivative[ig], s.derivative[saliency] - s.integrated[saliency]] for s in few], 0
    )
    yield Claim(
        "uniformity of integrated gradients with the integrated effect less that with the derivative",
        float(near[0]),
        0.1,
        baseline=float(np.mean([s.derivative[ig] for s in few])),
        baseline_name="with the derivative",
    )
    yield Claim(
        "uniformity of saliency with the derivative less that with the integrated effect",
        float(near[1]),
        0.1,
        baseline=float(np.mean([s.integrated[saliency] for s in few])),
        baseline_name="with the effect",
    )
    yield (
        "Functional precision: "
        + "; ".join(f"{kind.replace('_', ' ')} {_listed(means[:, k])}" for k, kind in enumerate(KINDS))
        + f" (at random {_listed(chance)})."
    )


def _scores(n_rows: int, n_noise: int, seed: int) -> ChaosScores:
    table = make_chaos_tabular(FORMULA, n_noise, n_rows, random_state=1000 * seed + n_noise)
    n_train = int(0.8 * n_rows)
    train, shown = table.take(slice(n_train)), table.take(slice(n_train, n_train + 400))
    model, _ = _fitted(train.X, train.y, seed)
    return chaos_scores({kind: attribute_columns(model, shown.X / 0.33, kind) for kind in KINDS}, shown)


def _listed(values: Any) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
