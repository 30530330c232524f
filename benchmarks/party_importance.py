"""Importance of parties beside shap's permutation explainer, and Icor beside vertibench."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import shap
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks._data import correlated
from benchmarks._frame import Comparison, Row, Target, compare, largest_difference
from covey.partition._partition import Partition
from covey.partition._pcor import icor
from covey.partition.evaluators import party_correlation
from covey.partition.importance import PartyImportance, party_importance

N_PARTIES = 4
N_BACKGROUND = 100  # what shap takes at most, unless told
N_PERMUTATIONS = 4


def rows(quick: bool) -> list[Row]:
    """A model of 50 features over 4 parties, explained with 4 permutations a row; breast cancer in three parties."""
    n, m, n_linear, n_boosted = (1_000, 12, 30, 5) if quick else (10_000, 50, 100, 30)
    x = correlated(n, m)
    y = (x[:, :10].sum(axis=1) + np.random.default_rng(1).normal(size=n) > 0).astype(int)
    logistic = LogisticRegression(max_iter=1000).fit(x, y)
    boosted = HistGradientBoostingClassifier(random_state=0).fit(x, y)
    return [
        *_Work("logistic regression", logistic, x, n_linear).rows(),
        *_Work("histogram gradient boosting", boosted, x, n_boosted).rows(),
        *_icor_rows(),
    ]


@dataclass(frozen=True)
class _Work:
    name: str
    model: Any
    x: NDArray[np.float64]
    n_rows: int

    @property
    def partition(self) -> Partition:
        m = self.x.shape[1]
        return Partition.from_labels(np.arange(m) * N_PARTIES // m)

    def rows(self) -> list[Row]:
        """The model itself, its outputs as a function of which nothing is known, and how far the values are apart."""
        both = compare(partial(self.ours, self.model), self.peer, repeats=3, peer_repeats=2)
        unknown = compare(partial(self.ours, self.probability), self.peer, repeats=2, peer_repeats=2)
        ours, theirs = both.result.row_importance, both.peer_result
        n, m = self.n_rows, self.x.shape[1]
        work = f"party importance, {self.name}, {n} rows of {m} features, {N_PARTIES} parties"
        note = (
            f"{both.result.n_evaluations:,} evaluations, shap {self.peer_evaluations:,}: the same coalitions, "
            "but for the first and the last of each permutation, which shap repeats"
        )
        difference = largest_difference(ours.mean(axis=0), theirs.mean(axis=0))
        return [
            Row(
                work,
                both.seconds,
                "shap Permutation",
                both.peer_seconds,
                Target(speedup=5),
                None,
                difference,
                note=note,
            ),
            Row(
                f"{work}: difference from shap, in standard errors",
                both.seconds,
                target=Target(most=2, unit="standard errors"),
                value=float(np.sqrt(np.mean(standardised_difference(ours, theirs) ** 2))),
                note="of the mean over the rows of the paired difference, root mean square over the parties",
            ),
            Row(
                f"{work}, as a function of rows",
                unknown.seconds,
                "shap Permutation",
                unknown.peer_seconds,
                note="a function is called at every step, which takes most of the time on both sides",
            ),
        ]

    def ours(self, model: Any) -> PartyImportance:
        return party_importance(
            model,
            self.explained,
            self.partition,
            background=self.background,
            n_permutations=N_PERMUTATIONS,
            n_rows=self.n_rows,
        )

    def peer(self) -> NDArray[np.float64]:
        masker = shap.maskers.Independent(self.background, max_samples=N_BACKGROUND)
        explainer = shap.explainers.Permutation(self.probability, masker, seed=0)
        max_evals = N_PERMUTATIONS * (2 * self.x.shape[1] + 1)
        values = np.abs(explainer(self.explained, max_evals=max_evals, silent=True).values)
        return np.stack([values[:, part].sum(axis=1) for part in self.partition.parties], axis=1)

    @property
    def peer_evaluations(self) -> int:
        return self.n_rows * N_PERMUTATIONS * (2 * self.x.shape[1] + 1) * N_BACKGROUND

    @property
    def background(self) -> NDArray[np.float64]:
        return self.x[:N_BACKGROUND]

    @property
    def explained(self) -> NDArray[np.float64]:
        return self.x[-self.n_rows :]

    def probability(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.model.predict_proba(x)[:, 1]


def standardised_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the differences of paired rows over its standard error, for each column."""
    difference = a - b
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    return difference.mean(axis=0) / error


def _icor_rows() -> list[Row]:
    x = load_breast_cancer().data
    parties = np.split(x, 3, axis=1)
    found = []
    for correlation in ("spearman", "pearson"):
        both = _beside_vertibench(parties, correlation)
        difference = largest_difference(both.result, both.peer_result)
        found.append(
            Row(
                f"Pcor and Icor of breast cancer in three parties, {correlation}",
                both.seconds,
                "vertibench",
                both.peer_seconds,
                Target(most=1e-10, unit="(largest difference)"),
                value=difference,
                difference=difference,
                note=f"Icor {both.result[-1]:.6f}",
            )
        )
    return found


def _beside_vertibench(parties: Sequence[NDArray[np.float64]], correlation: str) -> Comparison:
    from vertibench.Evaluator import CorrelationEvaluator

    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = CorrelationEvaluator(corr_func={"spearman": "spearmanr"}.get(correlation, correlation))
    sizes = [part.shape[1] for part in parties]

    def ours() -> NDArray[np.float64]:
        pcor = party_correlation(list(parties), correlation=correlation)
        return np.append(pcor.ravel(), icor(pcor))

    def theirs() -> NDArray[np.float64]:
        score = evaluator.fit_evaluate(list(parties))
        pcor = evaluator._get_inner_and_inter_corr(evaluator.corr, sizes)
        return np.append(pcor.ravel(), score)

    return compare(ours, theirs, repeats=5)
