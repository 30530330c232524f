"""Selectors beside those of other packages: the true columns of madelon, accuracy with 50 of isolet and arcene."""

from __future__ import annotations

import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split

from benchmarks import _child
from benchmarks._frame import Row, Target
from covey.learn import selectors
from covey.select import AssociationRanker
from covey.select._base import numeric_block
from covey.table import read

SELECTORS = "COVEY_BENCH_SELECTORS_PYTHON"
# of madelon, as src/covey/data/README.md lists them
TRUE = (28, 48, 64, 105, 128, 153, 241, 281, 318, 336, 338, 378, 433, 442, 451, 453, 455, 472, 475, 493)
ALL_RELEVANT = "all_relevant"
# Of few rows the split decides more than the selector, and the best of many on a few splits is the luckiest: the best
# few of either side, of those that take little time, are compared on splits that had no say in who they are
SPLITS, FINALISTS, FINAL_SPLITS, FINAL_SECONDS = 3, 3, 12, 20.0
STORED = Path(__file__).resolve().parent / "results" / "selectors"  # what peers said; delete to run them again
# Each peer gives an order of the columns; one that takes longer than the budget gives none. What one says is kept at
# once, by its version, so that a run that is stopped goes on where it was
_OFFERED = """
import json, os, signal, time, warnings
from importlib.metadata import version
import numpy as np
warnings.simplefilter("ignore")
data = np.load({path!r})
x, y, k = data["x"].astype(np.float64), data["y"], {k}
codes = np.column_stack([np.searchsorted(np.quantile(c, [.2, .4, .6, .8]), c) for c in x.T])
part = np.random.default_rng(0).permutation(len(x))[:500]
def univariate(score):
    return np.argsort(-np.nan_to_num(score(x, y)))
def sklearn(name):
    import sklearn.feature_selection as s
    if name == "f_classif": return univariate(lambda a, b: s.f_classif(a, b)[0])
    if name == "mutual_info_classif": return univariate(lambda a, b: s.mutual_info_classif(a, b, random_state=0))
    from sklearn.ensemble import ExtraTreesClassifier as E
    from sklearn.linear_model import LogisticRegression as L
    from sklearn.preprocessing import StandardScaler
    if name == "ExtraTrees importance": return np.argsort(-E(300, random_state=0).fit(x, y).feature_importances_)
    if name == "RFE, forest":
        model = s.RFE(E(100, random_state=0), n_features_to_select=k, step=.1)
        return np.argsort(model.fit(x, y).ranking_, kind="stable")
    z = StandardScaler().fit_transform(x)
    model = s.RFE(L(max_iter=100), n_features_to_select=k, step=.2)
    return np.argsort(model.fit(z, y).ranking_, kind="stable")
def boruta():
    from boruta import BorutaPy
    from sklearn.ensemble import RandomForestClassifier as R
    model = BorutaPy(R(max_depth=5, random_state=0), n_estimators="auto", max_iter=30, random_state=0).fit(x, y)
    return np.argsort(model.ranking_, kind="stable"), int(model.support_.sum())
def chappers(name):
    if name == "MRMR":  # its own `mrmr` mistakes ranks for columns; what it calls gives the columns
        from skfeature.function.information_theoretical_based import LCSI
        return LCSI.lcsi(codes, y, gamma=0, function_name="MRMR", n_selected_features=k, mode="index")
    from skfeature.function.similarity_based import fisher_score, reliefF
    if name == "fisher": return fisher_score.fisher_score(x, y, mode="index")
    return reliefF.reliefF(x[part], y[part], mode="index")
def minimum_redundancy():
    import pandas as pd
    from mrmr import mrmr_classif
    frame = pd.DataFrame(x, columns=[str(j) for j in range(x.shape[1])])
    return [int(c) for c in mrmr_classif(frame, pd.Series(y), K=k, show_progress=False, n_jobs=1)]
def relief():
    from skrebate import ReliefF
    return np.argsort(-ReliefF(n_features_to_select=k, n_neighbors=50).fit(x[part], y[part]).feature_importances_)
def lassonet():
    from lassonet import LassoNetClassifier
    from sklearn.preprocessing import StandardScaler
    model = LassoNetClassifier(hidden_dims=(64,), random_state=0, n_iters=(200, 30), verbose=0)
    model.path(StandardScaler().fit_transform(x), y)
    return np.argsort(-model.feature_importances_.numpy())
names = ["f_classif", "mutual_info_classif", "ExtraTrees importance", "RFE, forest", "RFE, logistic"]
work = [("scikit-learn " + n, "scikit-learn", lambda n=n: sklearn(n)) for n in names]
work += [("skfeature " + n, "skfeature-chappers", lambda n=n: chappers(n)) for n in ("MRMR", "fisher", "reliefF")]
work += [("mrmr_selection", "mrmr_selection", minimum_redundancy), ("LassoNet", "lassonet", lassonet)]
work += [("skrebate ReliefF, 500 rows", "skrebate", relief)]
if {boruta}: work += [("BorutaPy", "boruta", boruta)]
"""
_ASKED = """kept = json.load(open({stored!r})) if os.path.exists({stored!r}) else {{}}
def keep(key, said):
    kept[key] = said
    with open({stored!r} + ".part", "w") as file: json.dump(kept, file)
    os.replace({stored!r} + ".part", {stored!r})
def version_of(package):
    try: return version(package)
    except Exception: return "none"
class Late(BaseException): pass
def late(*_): raise Late
signal.signal(signal.SIGPROF, late)
said = []
for name, package, run in work:
    key = name + " of " + package + " " + version_of(package) + ", numpy " + version_of("numpy")
    if key in kept:
        said.append(kept[key])
        continue
    signal.setitimer(signal.ITIMER_PROF, {budget})
    start, confirmed = time.process_time(), None
    try:
        order = run()
        order, confirmed = order if isinstance(order, tuple) else (order, None)
        said.append([name, time.process_time() - start, [int(j) for j in order][:k], confirmed, ""])
    except Late:
        said.append([name, time.process_time() - start, None, None, "over the budget"])
    except Exception as error:
        said.append([name, time.process_time() - start, None, None, type(error).__name__])
    signal.setitimer(signal.ITIMER_PROF, 0)
    if version_of(package) != "none": keep(key, said[-1])
"""


@dataclass(frozen=True, eq=False)
class Tried:
    """What one selector chose: the first k columns, and how many it confirmed, where it decides that."""

    name: str
    seconds: float
    columns: list[int] | None
    confirmed: int | None = None
    failed: str = ""


def rows(quick: bool) -> list[Row]:
    """The same rows and number of columns for all; seconds are of one core, at most 120 for a selector.

    Accuracies that differ by less than a standard error are equal.
    """
    budget = 5 if quick else 120
    found = _madelon(600 if quick else 2600, budget)
    for name in () if quick else ("isolet", "arcene"):
        found.append(_accuracy(name, budget))
    return found


def _table(name: str) -> tuple[NDArray[np.float64], NDArray[np.intp], list[str]]:
    table = read(f"covey:{name}")
    columns = table.drop("class")
    return numeric_block(columns), np.unique(table["class"].labels(), return_inverse=True)[1], list(columns.names)


def _madelon(n_rows: int, budget: int) -> list[Row]:
    x, y, names = _table("madelon")
    true = {names.index(f"x{j}") for j in TRUE}
    rows = np.random.default_rng(0).permutation(len(x))[:n_rows]
    mine, peers = _both(x[rows], y[rows], 20, budget, boruta=True)
    recall = {tried.name: float(len(true & set(tried.columns or ()))) for tried in mine + peers}
    work = f"madelon, {n_rows:,} x {x.shape[1]}: true columns among the first 20"
    note = f"of 20; {_tries_note(mine, peers, recall)}"
    out = [_row(work, mine, peers, recall, note, 0.0 if n_rows == len(x) else None)]
    all_relevant = next(tried for tried in mine if tried.name == ALL_RELEVANT)
    boruta = next((tried for tried in peers if tried.name == "BorutaPy" and not tried.failed), None)
    note = f"confirmed: {all_relevant.confirmed} columns, {recall[all_relevant.name]:g} of the first 20 true"
    if boruta:
        note += f"; BorutaPy {boruta.confirmed}, {recall['BorutaPy']:g}"
    seconds = boruta.seconds if boruta else None
    work = f"all relevant columns of madelon, {n_rows:,} x {x.shape[1]}"
    out.append(Row(work, all_relevant.seconds, "BorutaPy, 30 rounds", seconds, Target(most=20), note=note))
    return out


def _accuracy(name: str, budget: int) -> Row:
    """All over a few splits; then the best few of either side over further ones, and the best of these."""
    x, y, _ = _table(name)
    share = 0.2 if name == "isolet" else 0.5
    mine, peers, few = _over_splits(x, y, share, range(SPLITS), budget)
    mean = {tried: float(np.mean(found)) for tried, found in few.items()}
    work = f"{name}, {len(x):,} x {x.shape[1]:,}, a share of {share:g} held out: accuracy of a forest on 50 columns, "
    first = _tries_note(mine, peers, mean)
    sides = [_finalists(side, mean) for side in (mine, peers)]
    if not all(sides):
        return _row(f"{work}{SPLITS} splits", mine, peers, mean, first, None)
    finalists = {tried.name for side in sides for tried in side}
    mine, peers, found = _over_splits(x, y, share, range(100, 100 + FINAL_SPLITS), budget, finalists)
    mean = {tried: float(np.mean(reached)) for tried, reached in found.items()}
    best, theirs = _best(mine, mean), _best(peers, mean)
    assert best is not None
    assert theirs is not None
    apart = np.subtract(found[best.name], found[theirs.name])
    noise = float(apart.std(ddof=1) / np.sqrt(FINAL_SPLITS))
    note = f"best here less best of the others: {apart.mean():+.3f} ± {noise:.3f}; {_tries_note(mine, peers, mean)}; "
    note += f"before, on {SPLITS} other splits: {first}"
    return _row(f"{work}{FINAL_SPLITS} splits", mine, peers, mean, note, noise)


def _over_splits(
    x: NDArray[np.float64], y: NDArray[np.intp], share: float, seeds: range, budget: int, only: set[str] | None = None
) -> tuple[list[Tried], list[Tried], dict[str, list[float]]]:
    """Selectors here and others, with their mean seconds, and what each reaches on every split."""
    reached: dict[str, list[float]] = {}
    spent: tuple[dict[str, list[Tried]], dict[str, list[Tried]]] = ({}, {})
    for seed in seeds:
        train, test, wanted, truth = train_test_split(x, y, test_size=share, stratify=y, random_state=seed)
        for side, tries in zip(spent, _both(train, wanted, 50, budget, boruta=False, only=only)):
            for tried in tries:
                side.setdefault(tried.name, []).append(tried)
                reached.setdefault(tried.name, []).append(_reached(tried.columns, train, wanted, test, truth))
    mine, peers = ([_together(tries) for tries in side.values()] for side in spent)
    return mine, peers, reached


def _finalists(tries: list[Tried], reached: dict[str, float]) -> list[Tried]:
    quick = [tried for tried in tries if not tried.failed and tried.seconds <= FINAL_SECONDS]
    return sorted(quick, key=lambda tried: -reached[tried.name])[:FINALISTS]


def _best(tries: list[Tried], reached: dict[str, float]) -> Tried | None:
    return max((t for t in tries if not t.failed), key=lambda t: reached[t.name], default=None)


def _reached(
    columns: list[int] | None, train: NDArray[Any], wanted: NDArray[Any], test: NDArray[Any], truth: NDArray[Any]
) -> float:
    if columns is None:
        return float("nan")
    forests = [ExtraTreesClassifier(100, random_state=s).fit(train[:, columns], wanted) for s in range(3)]
    return float(np.mean([forest.score(test[:, columns], truth) for forest in forests]))


def _together(tries: list[Tried]) -> Tried:
    """One selector over the splits: its mean seconds, and that it failed if it did in any."""
    failed = next((tried.failed for tried in tries if tried.failed), "")
    return Tried(tries[0].name, float(np.mean([tried.seconds for tried in tries])), tries[0].columns, failed=failed)


def _tries_note(mine: list[Tried], peers: list[Tried], reached: dict[str, float]) -> str:
    here, others = (
        ", ".join(f"{t.name} {t.failed or f'{reached[t.name]:.3g}'} ({t.seconds:.1f} s)" for t in side)
        for side in (mine, peers)
    )
    return f"here: {here}; others: {others or 'not installed'}"


def _row(
    work: str, mine: list[Tried], peers: list[Tried], reached: dict[str, float], note: str, noise: float | None
) -> Row:
    """`noise` is by how much the best here may be below the best of the others; None sets no target."""
    best, theirs = _best(mine, reached), _best(peers, reached)
    assert best is not None
    target = Target() if theirs is None or noise is None else Target(most=round(noise, 4), unit="below the best peer")
    return Row(
        f"{work} ({best.name})",
        best.seconds,
        theirs.name if theirs else "other selectors",
        theirs.seconds if theirs else None,
        target,
        value=reached[theirs.name] - reached[best.name] if theirs else None,
        note=note,
    )


def _both(
    x: NDArray[np.float64], y: NDArray[np.intp], k: int, budget: int, boruta: bool, only: set[str] | None = None
) -> tuple[list[Tried], list[Tried]]:
    offered = [(name, selector) for name, selector in _selectors(k) if only is None or name in only]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine = [_tried(name, selector, x, y, k, budget) for name, selector in offered]
    python = _child.python_with("boruta", SELECTORS)
    if not python:
        return mine, []
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as folder:
        path = str(Path(folder) / "data.npz")
        np.savez(path, x=x, y=y)
        asked = repr((python, k, budget, _OFFERED + _ASKED)).encode()
        STORED.mkdir(parents=True, exist_ok=True)
        stored = str(STORED / f"{sha256(x.tobytes() + y.tobytes() + asked).hexdigest()[:16]}.json")
        named = "" if only is None else f"work = [each for each in work if each[0] in {sorted(only)!r}]\n"
        code = (_OFFERED + named + _ASKED).format(path=path, k=k, budget=budget, boruta=boruta, stored=stored)
        return mine, [Tried(*said) for said in _child.run(code, python, timeout=3600.0).said]


def _selectors(k: int) -> list[tuple[str, Callable[[], Any]]]:
    """All selectors with a name, told that the target is a class."""
    kind: dict[str, Any] = {"target_kind": "categorical"}
    made = [
        (f"association, {measure}", partial(AssociationRanker, measure, k=k, **kind))
        for measure in ("mutual_information", "distance_correlation")
    ]
    return made + [(name, partial(_make, name, k)) for name in selectors()]


def _make(name: str, k: int) -> Any:
    made = selectors()[name].make(k=k, random_state=0)
    return made.set_params(**({"target_kind": "categorical"} if "target_kind" in made.get_params() else {}))


class _Late(BaseException):
    """A selector has used up its seconds."""


def _late(*_: Any) -> None:
    raise _Late


def _tried(
    name: str, selector: Callable[[], Any], x: NDArray[np.float64], y: NDArray[np.intp], k: int, budget: int
) -> Tried:
    before = signal.signal(signal.SIGPROF, _late)
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, budget)
    try:
        fitted = selector().fit(x, y)
    except (ImportError, ValueError) as error:
        return Tried(name, time.process_time() - start, None, failed=str(error)[:60])
    except _Late:
        return Tried(name, time.process_time() - start, None, failed="over the budget")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    seconds = time.process_time() - start
    confirmed = int(fitted.get_support().sum()) if name == ALL_RELEVANT else None
    return Tried(name, seconds, np.argsort(fitted.ranking_)[:k].tolist(), confirmed)
