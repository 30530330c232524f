"""s039: a workflow of selection, models, cohorts and explanations on the breast cancer data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from covey.select._shapley import shapley_values
from covey.select.aspects import AspectImportance, aspect_importance, aspects_of
from covey.select.workflow import BlackBoxWorkflow, WorkflowReport, forward_selection
from covey.studies._frame import Claim, scrambled, scrambled_parts, study_of

METHODS = {
    "BlackBoxWorkflow": scrambled_parts("run"),
    "aspect_importance": scrambled,
    "shapley_values": scrambled,
    "forward_selection": lambda method: _first_columns,
}

BLACK_BOXES = ("forest", "boosting")


def _first_columns(estimator: Any, X: Any, y: Any, k: int, **options: Any) -> Any:
    """The last columns of the table, whatever they say: the errors of the measurements, in place of a selection."""
    from covey.select import GreedyPath

    return GreedyPath(tuple(range(14, 14 + k)), tuple(0.0 for _ in range(k)))


@study_of("s039")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Importances agree; aspects stand where copies take a column's importance; few columns do for 30."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    seeds = [10 * random_state + seed for seed in ((0,) if quick else (0, 1, 2, 3))]
    with threadpool_limits(1):
        yield from _agreement(X, y, seeds, quick)
        yield from _copies(X, y, seeds)
        yield from _forward(X, y, seeds, quick)
        yield from _sampled(X.to_numpy(), y.to_numpy(), seeds[0])
    yield f"{len(X)} rows, {X.shape[1]} columns of the breast cancer data; about a third held out, {len(seeds)} times."


def _models(quick: bool) -> dict[str, Any]:
    return {
        "linear": LogisticRegression(max_iter=1000),
        "forest": RandomForestClassifier(n_estimators=25 if quick else 100, min_samples_leaf=3),
        "boosting": HistGradientBoostingClassifier(max_iter=60),
    }


def _late(X: pd.DataFrame, seed: int) -> np.ndarray:
    """Rows of a cohort with mostly large values of a texture column."""
    rank = X["mean texture"].rank(pct=True).to_numpy() + np.random.default_rng(seed).normal(scale=0.3, size=len(X))
    return rank > np.quantile(rank, 0.8)


def _agreement(X: pd.DataFrame, y: pd.Series, seeds: list[int], quick: bool) -> Iterator[Claim | str]:
    reports = [_report(X, y, seed, quick) for seed in seeds]
    for name in BLACK_BOXES:
        found = [report.rank_correlation(name) for report in reports]
        natural = float(np.mean([report.rank_correlation(name, "shapley", "natural") for report in reports]))
        yield Claim(
            f"{name}: rank correlation of mean absolute Shapley values with permutation importance, 30 columns, mean",
            float(np.mean(found)),
            0.5,
            baseline=natural,
            baseline_name="with the model's own importance, mean",
        )
    again, other = _report(X, y, seeds[0], quick), _report(X, y, seeds[0] + 1000, quick)
    yield Claim(
        "largest difference of an importance between two runs of the same seed",
        _difference(reports[0], again),
        0.0,
        "<=",
        baseline=_difference(reports[0], other),
        baseline_name="of another seed",
    )
    yield from _cohorts(reports)


def _report(X: pd.DataFrame, y: pd.Series, seed: int, quick: bool) -> WorkflowReport:
    late = _late(X, seed)
    workflow = BlackBoxWorkflow(
        _models(quick),
        None,
        test_size=0.33,
        cv=3,
        n_repeats=4 if quick else 10,
        n_permutations=6 if quick else 12,
        random_state=seed,
    )
    return workflow.run(X[~late], y[~late], external={"late": (X[late], y[late])})


def _difference(a: WorkflowReport, b: WorkflowReport) -> float:
    kinds = ("shapley", "permutation")
    return float(max(np.abs(np.subtract(a.importances[kind], b.importances[kind])).max() for kind in kinds))


def _cohorts(reports: list[WorkflowReport]) -> Iterator[str]:
    report = reports[0]
    yield (
        "Area under the curve within / in a cohort chosen for large texture: "
        + "; ".join(
            f"{name} {report.metric(name, 'auc'):.3f} / {report.metric(name, 'auc', 'late'):.3f}"
            for name in _models(True)
        )
        + f". Smallest adjusted p-value of a difference: {np.nanmin(report.comparisons['adjusted_pvalue']):.2g}."
    )
    yield (
        "Permutation is measured by the Brier score. By the area under the curve, which permuting one of 30 correlated "
        "columns hardly moves, the correlation is below 0.1 in some runs of the forest. Of boosting it is "
        + ", ".join(f"{r.rank_correlation('boosting'):.2f}" for r in reports)
        + "."
    )


def _copies(X: pd.DataFrame, y: pd.Series, seeds: list[int]) -> Iterator[Claim | str]:
    """Three copies of the column that a forest leans on most."""
    found = [_Copies.of(X, y, seed) for seed in seeds]
    yield Claim(
        "smallest fall of the permutation importance of a forest's most important column with three copies of it added",
        min(one.fall for one in found),
        0.5,
        note="as a share",
    )
    yield Claim(
        "most places that its aspect moves in the ranking of aspects",
        float(max(one.places for one in found)),
        1.0,
        "<=",
        baseline=float(max(one.alone for one in found)),
        baseline_name="the column alone",
    )
    yield (
        f"The aspect moves {', '.join(str(one.places) for one in found)} places, where 0 were expected: the first two "
        "aspects, sizes and concavities, are nearly as important as each other, and may change places in another "
        "forest. The forest chooses its splits among all columns; among a random few, copies would make their aspect a "
        "candidate more often."
    )


@dataclass(frozen=True)
class _Copies:
    """Effect of copies: fall of the importance of the copied column as a share, places that it and its aspect move."""

    fall: float
    alone: int
    places: int

    @classmethod
    def of(cls, X: pd.DataFrame, y: pd.Series, seed: int) -> _Copies:
        rng = np.random.default_rng([seed, 39])
        order = rng.permutation(len(X))
        train, test = order[:400], order[400:]
        forest = RandomForestClassifier(60, min_samples_leaf=3, max_features=None, random_state=seed)
        single, aspects = _importances(forest, X, y, train, test)
        top = single.names[int(np.argmax(single.importances))]
        copies = {f"copy {k}": X[top] + 1e-3 * X[top].std() * rng.normal(size=len(X)) for k in range(3)}
        shared, same = _importances(forest, X.assign(**copies), y, train, test)
        a, b = single.aspect_of(top), shared.aspect_of(top)
        return cls(
            float(1.0 - shared.importances[b] / single.importances[a]),
            abs(int(shared.ranking[b]) - int(single.ranking[a])),
            abs(int(same.ranking[same.aspect_of(top)]) - int(aspects.ranking[aspects.aspect_of(top)])),
        )


def _importances(
    forest: Any, X: pd.DataFrame, y: pd.Series, train: np.ndarray, test: np.ndarray
) -> tuple[AspectImportance, AspectImportance]:
    """Of the columns one by one, and of aspects found on the training rows."""
    forest.fit(X.iloc[train], y.iloc[train])
    held, known, names = X.iloc[test], y.iloc[test], list(X.columns)
    aspects = {name: [names[j] for j in part] for name, part in aspects_of(0.6, X.iloc[train], names).items()}
    single = aspect_importance(forest, held, known, [[name] for name in names], n_repeats=3)
    return single, aspect_importance(forest, held, known, aspects, n_repeats=5)


def _forward(X: pd.DataFrame, y: pd.Series, seeds: list[int], quick: bool) -> Iterator[Claim | str]:
    """Forward selection of eight columns, scored on rows held out."""
    gaps, known = [], y.to_numpy()
    for seed in seeds:
        order = np.random.default_rng([seed, 40]).permutation(len(X))
        train, test = order[:400], order[400:]
        scaler = StandardScaler().fit(X.to_numpy()[train])
        x = scaler.transform(X.to_numpy())
        path = forward_selection(
            LogisticRegression(max_iter=1000),
            x[train],
            known[train],
            k=6 if quick else 8,
            cv=3,
            random_state=seed,
        )
        areas = [_area(x[:, columns], known, train, test) for columns in (np.array(path.order), np.arange(x.shape[1]))]
        gaps.append((areas[0], areas[1], len(path.order)))
    yield Claim(
        f"area under the curve with at most {6 if quick else 8} columns less that with all 30, on rows held out, mean",
        float(np.mean([few - whole for few, whole, _ in gaps])),
        -0.01,
        baseline=float(np.mean([whole for _, whole, _ in gaps])),
        baseline_name="all 30",
    )
    yield f"Columns that forward selection takes: {', '.join(str(n) for *_, n in gaps)}."


def _area(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x[train], y[train])
    return float(roc_auc_score(y[test], model.predict_proba(x[test])[:, 1]))


def _sampled(x: np.ndarray, y: np.ndarray, seed: int) -> Iterator[Claim]:
    """Sampled Shapley values beside exact ones, of a linear model of eight columns."""
    columns = np.linspace(0, x.shape[1] - 1, 8).astype(int)
    scaled = StandardScaler().fit_transform(x[:, columns])
    model = LogisticRegression().fit(scaled, y)
    rows, background = scaled[:30], scaled[-16:]
    exact = shapley_values(model, rows, background, n_permutations=None)
    few = shapley_values(model, rows, background, n_permutations=64, random_state=seed)
    yield Claim(
        "mean absolute error of Shapley values by 64 antithetic permutations, as a share of the mean exact value",
        float(np.abs(few - exact).mean() / np.abs(exact).mean()),
        0.15,
        "<=",
    )
