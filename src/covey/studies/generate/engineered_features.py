"""s271: which engineered features four kinds of model make for themselves, and which they need to be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from covey.generate.engineered import FORMULAS, make_engineered
from covey.studies._frame import Claim, scrambled, study_of
from covey.table import Column, FeatureTable

if TYPE_CHECKING:
    import plotly.graph_objects

Array = NDArray[np.float64]
Range = tuple[float, float]

METHODS = {"make_engineered": scrambled}

CORE = tuple(name for name, formula in FORMULAS.items() if formula.core)
HARD, EASY, TREES = ("ratio", "rational_difference"), ("logarithm", "square_root", "power"), ("boosting", "forest")
BOTH_SIGNS, POSITIVE = (-1.0, 1.0), (0.0, 1.0)


def regressors(random_state: int = 0) -> dict[str, RegressorMixin]:
    """The four kinds of model, with scaled inputs and targets where they need them.

    Examples
    --------
    >>> list(regressors())
    ['network', 'boosting', 'forest', 'support vectors']
    """
    network = MLPRegressor(hidden_layer_sizes=(32, 32), solver="lbfgs", max_iter=400, random_state=random_state)
    boosting = GradientBoostingRegressor(n_estimators=150, max_depth=4, subsample=0.5, random_state=random_state)
    return {
        "network": _scaled(network),
        "boosting": boosting,
        "forest": RandomForestRegressor(50, random_state=random_state),
        "support vectors": _scaled(SVR(C=10.0, epsilon=0.01)),
    }


def _scaled(model: Any) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), model), transformer=StandardScaler())


def study_engineered_features(
    features: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    n_samples: int = 10_000,
    ranges: Sequence[Range] = (BOTH_SIGNS, POSITIVE),
    seeds: Sequence[int] = (0, 1),
    min_denominator: float = 0.1,
) -> FeatureTable:
    """Errors of models on each engineered feature from its inputs alone, and with the feature given.

    Half of the rows train, the other half measure. An error is the root mean square error over the standard deviation
    of the target: 1 is what the mean reaches.

    Parameters
    ----------
    features : sequence of str, optional
        Names of formulas of `covey.generate.make_engineered`; all by default.
    models : sequence of str, optional
        Of ``"network"``, ``"boosting"``, ``"forest"`` and ``"support vectors"``; all by default.
    n_samples : int
    ranges : sequence of (float, float)
        Ranges of the inputs.
    seeds : sequence of int
        Of the rows and of the models.
    min_denominator : float
        Least absolute value of what ratios divide by.

    Returns
    -------
    FeatureTable
        A row for each formula, model, range and seed: ``formula``, ``model``, ``low``, ``high``, ``seed``, ``without``,
        ``with``, and ``factor``, the error without the feature over the error with it.

    Raises
    ------
    ValueError
        If a formula or a model is unknown.

    References
    ----------
    Heaton (2016), An Empirical Analysis of Feature Engineering for Predictive Modeling. arXiv:1701.07852.

    Examples
    --------
    >>> table = study_engineered_features(["power"], ["forest"], n_samples=400, ranges=[(-1.0, 1.0)], seeds=[0])
    >>> table.names
    ('formula', 'model', 'low', 'high', 'seed', 'without', 'with', 'factor')
    >>> bool(table["without"].values[0] < 0.1)
    True
    """
    chosen = list(regressors()) if models is None else list(models)
    unknown = set(chosen) - set(regressors())
    if unknown:
        raise ValueError(f"no model {sorted(unknown)}; models are {', '.join(regressors())}")
    rows = []
    with threadpool_limits(1, user_api="blas"), catch_warnings():
        simplefilter("ignore", ConvergenceWarning)  # the network stops at its limit of steps
        for formula in FORMULAS if features is None else features:
            for low, high in ranges:
                for seed in seeds:
                    X, y = make_engineered(formula, n_samples, low, high, min_denominator, seed)
                    for name in chosen:
                        errors = [_error(regressors(seed)[name], part, y) for part in (X, np.column_stack([X, y]))]
                        rows.append((formula, name, low, high, seed, *errors, errors[0] / errors[1]))
    return _table(rows)


def _table(rows: Sequence[tuple[Any, ...]]) -> FeatureTable:
    columns = []
    for name, values in zip(("formula", "model", "low", "high", "seed", "without", "with", "factor"), zip(*rows)):
        if isinstance(values[0], str):
            labels, codes = np.unique(values, return_inverse=True)
            columns.append(Column(name, "categorical", codes.astype(np.int32), tuple(map(str, labels))))
        else:
            columns.append(Column(name, "numeric", np.array(values, dtype=np.float64)))
    return FeatureTable.from_columns(columns)


def _error(model: Any, X: Array, y: Array) -> float:
    half = len(y) // 2
    gap = model.fit(X[:half], y[:half]).predict(X[half:]) - y[half:]
    return float(np.sqrt(np.mean(gap**2)) / y[half:].std())


def engineered_heatmap(table: FeatureTable, value: str = "without") -> plotly.graph_objects.Figure:
    """Heat map of a table of `study_engineered_features`: formulas by models, means over ranges and seeds.

    Parameters
    ----------
    table : FeatureTable
    value : {"without", "with", "factor"}

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> table = study_engineered_features(["power", "ratio"], ["forest"], n_samples=100, seeds=[0])
    >>> engineered_heatmap(table).data[0].z.shape
    (2, 1)
    """
    import plotly.graph_objects as go

    formulas, models = (list(dict.fromkeys(table[name].labels())) for name in ("formula", "model"))
    z = np.array([[np.mean(_of(table, value, [f], [m])) for m in models] for f in formulas])
    cells = go.Heatmap(z=z, x=models, y=formulas, zmin=0.0, colorscale="Viridis", texttemplate="%{z:.3f}")
    figure = go.Figure(cells)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(title=f"Normalised error, {value}" if value != "factor" else "Error without over error with")
    return figure


def _of(
    table: FeatureTable,
    value: str,
    formulas: Sequence[str] = (),
    models: Sequence[str] = (),
    low: float | None = None,
    seed: int | None = None,
) -> Array:
    keep = np.ones(table.n_rows, dtype=bool)
    for name, wanted in (("formula", formulas), ("model", models)):
        if wanted:
            keep &= np.isin(table[name].labels(), wanted)
    for name, number in (("low", low), ("seed", seed)):
        if number is not None:
            keep &= table[name].values == number
    return table[value].values[keep]


def _factors(table: FeatureTable, formulas: Sequence[str], models: Sequence[str], low: float) -> Array:
    """Mean error without the feature over mean error with it, shape (len(formulas), len(models))."""
    parts = [
        [_of(table, value, [f], [m], low).mean() for value in ("without", "with")] for f in formulas for m in models
    ]
    without, with_feature = np.array(parts).T
    return (without / with_feature).reshape(len(formulas), len(models))


@study_of("s271")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Ratios that no model makes well for itself, roots and logarithms that trees need not be given."""
    features = CORE if quick else tuple(FORMULAS)
    ranges = (BOTH_SIGNS,) if quick else (BOTH_SIGNS, POSITIVE)
    n, seeds = 800 if quick else 2000, (random_state, random_state + 1)
    table = study_engineered_features(features, None, n, ranges, seeds)
    kinds = list(regressors())
    for formula in HARD:
        factor = _factors(table, [formula], kinds, BOTH_SIGNS[0])[0]
        said = f"{formula.replace('_', ' ')}: error from the inputs alone over the error with the feature given"
        yield Claim(f"{said}, median of the models", float(np.median(factor)), 5.0)
        yield Claim(f"{said}, least of the models", float(factor.min()), 2.0, note=f"of {kinds[int(factor.argmin())]}")
    trees = np.stack([_factors(table, EASY, TREES, low) for low, _ in ranges])
    yield Claim("logarithm, square root and square: the same, greatest of boosting and forest", trees.max(), 2.0, "<=")
    errors = [_of(table, "without", low=BOTH_SIGNS[0], seed=seed) for seed in seeds]
    agreement = float(spearmanr(*errors).statistic)
    yield Claim("rank correlation of the errors of formulas and models, two seeds", agreement, 0.8)
    yield from _found(table, features, kinds, ranges, n)


def _found(
    table: FeatureTable, features: Sequence[str], kinds: Sequence[str], ranges: Sequence[Range], n: int
) -> Iterator[str]:
    yield (
        f"{len(features)} formulas, {len(kinds)} models, {n:,} rows of which half train, inputs uniform in "
        f"{' and in '.join(f'{low:g}..{high:g}' for low, high in ranges)}, denominators of at least 0.1."
    )
    for low, high in ranges:
        mean = {f: {m: float(_of(table, "without", [f], [m], low).mean()) for m in kinds} for f in features}
        said = "; ".join(f"{f} {' '.join(f'{mean[f][m]:.3f}' for m in kinds)}" for f in features)
        yield f"Errors from the inputs alone in {low:g}..{high:g} ({', '.join(kinds)}): {said}."
    count = _factors(table, ["count"], kinds, BOTH_SIGNS[0])[0]
    yield (
        "Counts of eight columns are not easy for networks and support vectors: the error falls by factors of "
        f"{', '.join(f'{c:.0f} ({m})' for c, m in zip(count, kinds))} where the count is given."
    )
    yield (
        "A factor of 5 for every model and ratio holds or not by how near denominators come to 0: nearer, models miss "
        "the largest values even when the feature is given; farther, a network learns the ratio itself."
    )
