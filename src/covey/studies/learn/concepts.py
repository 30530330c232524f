"""s433: vectors of codes and of patients from records, beside counts of codes and random vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from covey.learn.concepts import ConceptEmbedding, patient_vectors
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {"ConceptEmbedding": scrambled}
Array = NDArray[np.float64]
N_PATIENTS, N_LABELLED, N_CODES_EACH, N_COMPONENTS = 4000, 500, 25, 64
N_CONDITIONS, GROUP = 30, 20


@study_of("s433")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Prediction of an outcome from few labels, and purity of the nearest codes by condition."""
    seeds = np.random.SeedSequence(random_state).spawn(1 if quick else 4)
    with threadpool_limits(1):
        found = [_measured(np.random.default_rng(seed)) for seed in seeds]
    yield _lead(found, "counts", 0.03, "counts of codes")
    yield _lead(found, "random", 0.05, "random vectors of codes")
    yield _lead(found, "tuned counts", -0.02, "counts of codes with a chosen penalty")
    yield Claim("share of a code's ten nearest codes of its condition", min(one["purity"] for one in found), 0.8)
    yield (
        f"Records: {N_PATIENTS:,} patients with one to four of {N_CONDITIONS} conditions and {N_CODES_EACH} codes on "
        f"average, of {N_CONDITIONS * GROUP}. Codes come from one of the patient's conditions, which stays with "
        "probability 0.5 from code to code, uniformly of its 20 codes; three in ten are any code. The log-odds of the "
        "outcome are linear in which conditions a patient has. Vectors are learnt from all patients without outcomes, "
        f"the classifier from {N_LABELLED}; the area under the curve is that of the others, on the worst seed."
    )
    tuned = np.mean([one["tuned counts"] - one["counts"] for one in found])
    yield (
        "All classifiers are scikit-learn's logistic regressions with their default penalty, as one-hot counts are "
        "usually compared. It is too weak for 600 columns and 500 rows: chosen by five folds it gains counts "
        f"{tuned:.3f} on average, and the vectors' lead over them is then {_mean_lead(found, 'tuned counts'):.3f}, "
        "so a margin of 0.03 is not asked for there."
    )


def _lead(found: list[dict[str, float]], side: str, bound: float, name: str) -> Claim:
    worst = min(found, key=lambda one: one["vectors"] - one[side])
    return Claim(
        f"area under the curve by vectors of patients less that by {name}",
        worst["vectors"] - worst[side],
        bound,
        baseline=worst[side],
        baseline_name=f"{name} (vectors: {worst['vectors']:.3f})",
    )


def _mean_lead(found: list[dict[str, float]], side: str) -> float:
    return float(np.mean([one["vectors"] - one[side] for one in found]))


@dataclass(frozen=True, eq=False)
class Records:
    """Codes of patients with the times of their visits, and outcomes; code ``c`` is of condition ``c // GROUP``."""

    codes: list[list[int]]
    times: list[list[int]]
    outcome: NDArray[np.bool_]


def records(rng: np.random.Generator) -> Records:
    """Patients as the study's note tells."""
    has = np.zeros((N_PATIENTS, N_CONDITIONS))
    codes, times = [], []
    for patient in range(N_PATIENTS):
        conditions = rng.choice(N_CONDITIONS, rng.integers(1, 5), replace=False)
        has[patient, conditions] = 1.0
        n = max(2, rng.poisson(N_CODES_EACH))
        last = np.maximum.accumulate(np.where(rng.random(n) > 0.5, np.arange(n), 0))
        own = conditions[rng.integers(len(conditions), size=n)[last]] * GROUP + rng.integers(GROUP, size=n)
        codes.append(np.where(rng.random(n) < 0.3, rng.integers(N_CONDITIONS * GROUP, size=n), own).tolist())
        times.append(np.sort(rng.integers(n // 3 + 1, size=n)).tolist())
    log_odds = 3.0 * has @ rng.normal(size=N_CONDITIONS)
    return Records(codes, times, rng.random(N_PATIENTS) < 1.0 / (1.0 + np.exp(np.median(log_odds) - log_odds)))


def _measured(rng: np.random.Generator) -> dict[str, float]:
    """Areas under the curve of all sides, and the purity of the codes' neighbours."""
    data = records(rng)
    model = ConceptEmbedding(N_COMPONENTS, random_state=0).fit(data.codes, times=data.times)
    one_hot = dict(enumerate(np.eye(N_CONDITIONS * GROUP)))
    counts = patient_vectors(data.codes, one_hot, "sum")
    random = dict(enumerate(rng.normal(size=(N_CONDITIONS * GROUP, N_COMPONENTS))))
    plain = LogisticRegression(max_iter=1000)
    tuned = GridSearchCV(plain, {"C": [1e-3, 1e-2, 1e-1, 1.0]}, scoring="roc_auc")
    return {
        "vectors": _area(plain, model.transform(data.codes), data.outcome),
        "counts": _area(plain, counts, data.outcome),
        "tuned counts": _area(tuned, counts, data.outcome),
        "random": max(_area(plain, patient_vectors(data.codes, random, how), data.outcome) for how in ("mean", "sum")),
        "purity": _purity(model),
    }


def _area(classifier: LogisticRegression | GridSearchCV, features: Array, outcome: NDArray[np.bool_]) -> float:
    """Area under the curve on the patients after the labelled ones."""
    classifier.fit(features[:N_LABELLED], outcome[:N_LABELLED])
    return float(roc_auc_score(outcome[N_LABELLED:], classifier.decision_function(features[N_LABELLED:])))


def _purity(model: ConceptEmbedding) -> float:
    """Share of the ten nearest codes that are of the same condition."""
    condition = np.array(model.vocabulary_) // GROUP
    unit = model.embedding_ / np.linalg.norm(model.embedding_, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, 10, axis=1)[:, :10]
    return float(np.mean(condition[nearest] == condition[:, None]))
