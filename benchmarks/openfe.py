"""Generating features (OpenFE): seconds and cross-validated gain beside the published package.

The package takes statistics of groups over training and test rows together. The planted table counts its categories and
groups over all rows too, so there the package's gain has that advantage, which no deployed feature has.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold

import covey
from benchmarks import _child
from benchmarks._frame import Row, Target
from covey.studies.generate.openfe import planted

PEER = "COVEY_BENCH_OPENFE_PYTHON"
N_FEATURES, N_WORKERS = 10, 2

_COVEY = """
import time, numpy as np, pandas as pd
from covey.engine import LocalEngine
from covey.generate import OpenFE
rng = np.random.default_rng(0)
small = pd.DataFrame({{"a": rng.normal(size=200), "b": rng.normal(size=200), "c": rng.choice(list("xyz"), 200)}})
for y in (small.a * small.b, small.a > 0):  # compiled code is loaded before the clock
    OpenFE(random_state=0).fit(small, y)
said = []
for k in range({folds}):
    train, test = (pd.read_parquet(f"{folder}/{{part}}{{k}}.parquet") for part in ("train", "test"))
    y = train.pop("_target").to_numpy()
    start = time.perf_counter()
    openfe = OpenFE(n_features={n_features}, task="{task}", random_state=0, engine=LocalEngine({workers})).fit(train, y)
    new = [openfe.transform(part)[:, train.shape[1]:] for part in (train, test)]
    said.append(time.perf_counter() - start)
    np.savez(f"{folder}/covey{{k}}.npz", train=new[0], test=new[1])
"""
# the released package calls mean_squared_error(squared=False), which scikit-learn has removed
_PEER = """
import os, time, warnings; warnings.simplefilter("ignore")
import numpy as np, pandas as pd, sklearn.metrics as metrics
original = metrics.mean_squared_error
metrics.mean_squared_error = lambda y, p, squared=True, **more: original(y, p, **more) ** (1.0 if squared else 0.5)
from openfe import OpenFE, transform
os.chdir("{folder}")
said = []
for k in range({folds}):
    train, test = (pd.read_parquet(f"{folder}/{{part}}{{k}}.parquet") for part in ("train", "test"))
    y = train.pop("_target")
    words = [name for name in train.columns if train[name].dtype.kind not in "iufb"]
    start = time.perf_counter()
    found = OpenFE().fit(
        data=train.copy(), label=y.to_frame(), task="{task}", categorical_features=words, feature_boosting={boosting},
        n_jobs={workers}, verbose=False, seed=1, tmp_save_path="{folder}/tmp.feather",
    )
    new = transform(train, test, found[:{n_features}], n_jobs={workers})
    said.append(time.perf_counter() - start)
    new = [part.iloc[:, train.shape[1]:] for part in new]
    codes = pd.concat(new)
    for name in codes.columns:
        if codes[name].dtype.kind not in "iufb":
            codes[name] = codes[name].astype("category").cat.codes
    codes = codes.to_numpy(dtype=np.float64)
    np.savez(f"{folder}/peer{{k}}.npz", train=codes[: len(train)], test=codes[len(train) :])
"""


@dataclass(frozen=True, eq=False)
class Data:
    """One table, its target, and what is asked of it."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    task: str


def rows(quick: bool) -> list[Row]:
    """Four tables; both sides get the same training rows, and one learner judges the features of both."""
    python = _child.python_with("openfe", PEER)
    return [_row(data, 2 if quick else 3, python) for data in tables(quick)]


def tables(quick: bool) -> list[Data]:
    """scikit-learn's diabetes, German credit, a sample of adults, and the generator of the study."""
    diabetes = load_diabetes(as_frame=True)
    found = [Data("diabetes", diabetes.data, diabetes.target.to_numpy(), "regression")]
    if quick:
        return found
    for name, target, n in (("german_credit", "credit", 1000), ("adult", "income-per-year", 3000)):
        table = covey.read(f"covey:{name}").sample(n)
        columns = {c.name: c.labels() for c in table.columns() if c.name != target}
        found.append(Data(name, pd.DataFrame(columns), table[target].values.astype(np.int64), "classification"))
    return [*found, Data("planted formulas", *planted(3000, 0), "regression")]


def _row(data: Data, folds: int, python: str | None) -> Row:
    split = (KFold if data.task == "regression" else StratifiedKFold)(folds, shuffle=True, random_state=0)
    parts = list(split.split(data.X, data.y))
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as folder:
        for k, (train, test) in enumerate(parts):
            data.X.iloc[train].assign(_target=data.y[train]).to_parquet(f"{folder}/train{k}.parquet", index=False)
            data.X.iloc[test].to_parquet(f"{folder}/test{k}.parquet", index=False)
        names = {"folder": folder, "folds": folds, "n_features": N_FEATURES, "workers": N_WORKERS, "task": data.task}
        mine = _child.run(_COVEY.format(**names))
        gain, spread = _gain(data, parts, Path(folder), "covey")
        note, seconds = f"error falls by {gain:+.2%} (folds {spread})", None
        if python:
            peer = _child.run(_PEER.format(boosting=False, **names), python, timeout=3600.0)
            theirs, their_spread = _gain(data, parts, Path(folder), "peer")
            seconds = float(np.sum(peer.said))
            note += (
                f", the peer's by {theirs:+.2%} ({their_spread}); peer's main process {peer.peak_bytes / 1e9:.2f} GB"
            )
            note += f"; gain is {'equal or better' if gain >= theirs else 'lower'}"
    return Row(
        f"OpenFE, {N_FEATURES} features for {data.name}, {len(data.X):,} x {data.X.shape[1]}, {folds} folds",
        float(np.sum(mine.said)),
        "openfe 0.0.12",
        seconds,
        Target(speedup=3),
        peak_bytes=mine.peak_bytes,
        note=note,
    )


def _gain(data: Data, parts: list[Any], folder: Path, side: str) -> tuple[float, str]:
    """Relative fall of the test error by the new features: of its mean over the folds, and in each fold."""
    before, after = [], []
    base = data.X.copy()
    for name in base.columns:
        if base[name].dtype.kind not in "iufb":
            base[name] = base[name].astype("category").cat.codes
    base = base.to_numpy(dtype=np.float64)
    for k, (train, test) in enumerate(parts):
        new = np.load(folder / f"{side}{k}.npz")
        before.append(_error(data, base, train, test))
        both = np.empty((len(base), base.shape[1] + new["train"].shape[1]))
        both[train], both[test] = np.hstack([base[train], new["train"]]), np.hstack([base[test], new["test"]])
        after.append(_error(data, np.where(np.isfinite(both), both, np.nan), train, test))
    folds = " ".join(f"{1 - a / b:+.1%}" for a, b in zip(after, before))
    return 1 - float(np.mean(after)) / float(np.mean(before)), folds


def _error(data: Data, X: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Root mean square error or log loss of a learner on the test rows."""
    settings = {"max_iter": 60, "learning_rate": 0.1, "max_leaf_nodes": 15, "random_state": 0}
    if data.task == "regression":
        fitted = HistGradientBoostingRegressor(**settings).fit(X[train], data.y[train])
        return float(np.sqrt(np.mean((fitted.predict(X[test]) - data.y[test]) ** 2)))
    fitted = HistGradientBoostingClassifier(**settings).fit(X[train], data.y[train])
    return float(log_loss(data.y[test], fitted.predict_proba(X[test])))
