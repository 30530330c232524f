"""How each feature relates to the target: several measures side by side, with intervals and p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from covey.measure import Measure, get
from covey.measure._coding import code_column
from covey.measure._moments import ProductKernel
from covey.measure._null import false_discovery
from covey.measure._tables import TableKernel
from covey.report._interaction import Interaction
from covey.report._material import Material
from covey.report._model import Estimate, Relevance
from covey.report._resampling import Resampling, interval, resampling

FOR_CLASSES = ("auto", "theils_u", "mutual_information", "cramers_v", "pearson", "spearman")
FOR_NUMBERS = ("auto", "pearson", "spearman", "distance_correlation", "mutual_information")
UNBOUNDED = frozenset({"mutual_information"})
MOST_INTERVALS = 60
MOST_CELLS = 1 << 14
# How far draws spread hardly depends on the number of bins; what they cost does.
MOST_BINS = 32


def relevance(material: Material) -> tuple[Relevance, ...]:
    """Every feature against the target, strongest first by ``auto``.

    Estimates of the sixty strongest features carry 95 % bootstrap intervals (NaN where a joint table is too large to be
    resampled); asymmetric measures say how well the feature determines the target.
    """
    names = material.predictors
    if material.target is None or not names:
        return ()
    target = material.place[material.target]
    measures = FOR_CLASSES if material.column(material.target).is_coded else FOR_NUMBERS
    found: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    for measure in measures:
        _add_points(found, material, get(measure), target)
    ranked = sorted(names, key=lambda name: -_strength(found[name]))
    shown = ranked[:MOST_INTERVALS]
    bootstrap = resampling(material.n_rows, material.random_state)
    intervals = material.engine.map(lambda name: _with_intervals(found[name], material, name, bootstrap), shown)
    found |= dict(zip(shown, intervals))
    return tuple(Relevance(name, found[name]) for name in ranked)


def any_relevant(found: Sequence[Relevance], together: Sequence[Interaction]) -> bool:
    """Whether some feature, or some pair of features, is clearly associated with the target."""
    pvalues = np.array([r.estimates["auto"].pvalue for r in found if "auto" in r.estimates])
    return bool(together) or bool((np.nan_to_num(false_discovery(pvalues), nan=1.0) <= 0.01).any())


def _strength(estimates: dict[str, Estimate]) -> float:
    value = estimates["auto"].value if "auto" in estimates else float("nan")
    return -1.0 if np.isnan(value) else value


def _add_points(found: dict[str, dict[str, Estimate]], material: Material, measure: Measure, target: int) -> None:
    kind = material.store.columns[target].kind
    names = [name for name in found if measure.accepts(material.column(name).kind, kind)]
    left = [material.place[name] for name in names]
    stats = material.pairs(measure.name, left, [target] * len(left))
    pvalues = np.full(len(left), np.nan) if stats.pvalues is None else stats.pvalues
    for name, value, p in zip(names, stats.values, pvalues):
        found[name][measure.name] = Estimate(float(value), float("nan"), float("nan"), float(p))


def _with_intervals(
    estimates: dict[str, Estimate], material: Material, name: str, bootstrap: Resampling
) -> dict[str, Estimate]:
    """The estimates with intervals; measures that read the same tables share their draws."""
    families: dict[tuple[int, str], list[str]] = {}
    out = dict(estimates)
    for measure, estimate in estimates.items():
        kernel = get(measure).kernel
        if isinstance(kernel, ProductKernel):
            draws = _product_draws(material, name, kernel, bootstrap)
            out[measure] = _bounded(measure, estimate, draws)
        elif isinstance(kernel, TableKernel):
            families.setdefault((_bins(kernel, material), kernel.scale), []).append(measure)
    for members in families.values():
        for measure, draws in _table_draws(material, name, members, bootstrap).items():
            out[measure] = _bounded(measure, estimates[measure], draws)
    return out


def _bounded(measure: str, estimate: Estimate, draws: np.ndarray) -> Estimate:
    low = -1.0 if get(measure).signed else 0.0
    high = float("inf") if measure in UNBOUNDED else 1.0
    return Estimate(estimate.value, *interval(estimate.value, draws, low, high), estimate.pvalue)


def _product_draws(material: Material, name: str, kernel: ProductKernel, bootstrap: Resampling) -> np.ndarray:
    assert material.target is not None
    view = material.store.numbers if kernel.scale == "value" else material.store.ranks
    return bootstrap.correlations(view(material.place[name]), view(material.place[material.target]))


def _bins(kernel: TableKernel, material: Material) -> int:
    return min(kernel.max_bins(material.n_rows), MOST_BINS)


def _table_draws(
    material: Material, name: str, measures: Sequence[str], bootstrap: Resampling
) -> dict[str, np.ndarray]:
    assert material.target is not None
    kernels = {measure: get(measure).kernel for measure in measures}
    first = next(iter(kernels.values()))
    assert isinstance(first, TableKernel)
    bins = _bins(first, material)
    x, y = (
        code_column(material.store, material.place[column], bins, first.scale) for column in (name, material.target)
    )
    shape = (x.levels.n_levels, y.levels.n_levels)
    if shape[0] * shape[1] > MOST_CELLS:
        return {}
    tables = bootstrap.tables(x.codes, y.codes, shape)
    one, two = np.zeros(len(tables), dtype=np.intp), np.ones(len(tables), dtype=np.intp)
    nominal = (x.levels.positions is None, y.levels.positions is None)
    out = {}
    for measure, kernel in kernels.items():
        assert isinstance(kernel, TableKernel)
        out[measure] = kernel.reduce_batch(tables, [x.levels, y.levels], one, two, nominal, False).values
    return out
