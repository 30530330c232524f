"""Latent factors behind the columns of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix
from covey.report._material import Material
from covey.report._model import Composition, Factor
from covey.structure.factors import FactorModel, clique_factors

LEAST_COLUMNS, MOST_COLUMNS = 4, 400
LEAST_MEMBERS = 3
LEAST_LOADING = 0.3
ROWS_A_COLUMN = 5
NEARLY_ONE = 0.98


def latent_factors(
    material: Material, spearman: AssociationMatrix, compositions: tuple[Composition, ...] = ()
) -> tuple[Factor, ...]:
    """Factors of at least three columns, those that explain most first; none where independence describes as well.

    Cliques of the thresholded correlation graph (see `covey.structure.CorrelationThresholdFactor`) of the predictors
    that are numbers, from rank correlations as normal scores have them, ``2 sin(pi r / 6)``. Left out are parts of
    wholes, whose correlations come from their sum, and columns that nearly repeat an earlier one.

    References
    ----------
    Kruskal (1958), Ordinal measures of association, J. Am. Stat. Assoc. 53 (correlations from ranks).
    """
    parts = {name for whole in compositions for name in whole.parts}
    names = [n for n in material.predictors if material.column(n).kind == "numeric" and n not in parts]
    place = np.array([spearman.rows.index(name) for name in names], dtype=np.intp)
    correlation = 2.0 * np.sin(np.pi / 6.0 * spearman.values[np.ix_(place, place)])
    np.fill_diagonal(correlation, 1.0)
    kept = _distinct(correlation)
    if not LEAST_COLUMNS <= len(kept) <= MOST_COLUMNS:
        return ()
    counts = spearman.n[np.ix_(place[kept], place[kept])]
    n = int(counts[~np.eye(len(kept), dtype=bool)].min())
    if n < ROWS_A_COLUMN * len(kept):
        return ()
    model = clique_factors(correlation[np.ix_(kept, kept)], n, tol=1e-5).model
    independence = len(kept) * (n + np.log(n))
    if model.bic(n) >= independence:
        return ()
    return _readable([names[k] for k in kept], model)


def _distinct(correlation: NDArray[np.float64]) -> NDArray[np.intp]:
    """Columns without an undefined correlation to, and that do not nearly repeat, a column kept before them."""
    kept: list[int] = []
    for k, row in enumerate(correlation):
        with np.errstate(invalid="ignore"):
            if (np.abs(row[kept]) < NEARLY_ONE).all():
                kept.append(k)
    return np.array(kept, dtype=np.intp)


def _readable(names: list[str], model: FactorModel) -> tuple[Factor, ...]:
    """Factors with enough strong loadings, turned so that most of each factor's columns rise with it."""
    sign = np.where(model.loadings.sum(axis=0) < 0, -1.0, 1.0)
    all_loadings, correlation = model.loadings * sign, model.factor_correlation * np.outer(sign, sign)
    shown = []
    for k, loadings in enumerate(all_loadings.T):
        members = [j for j in np.argsort(-np.abs(loadings), kind="stable") if abs(loadings[j]) >= LEAST_LOADING]
        if len(members) >= LEAST_MEMBERS:
            shown.append((k, members, float((loadings[members] ** 2).sum())))
    shown.sort(key=lambda item: -item[2])
    order = [k for k, _, _ in shown]
    return tuple(
        Factor(
            tuple(names[j] for j in members),
            tuple(float(all_loadings[j, k]) for j in members),
            weight / len(members),
            tuple(float(correlation[k, other]) for other in order),
        )
        for k, members, weight in shown
    )
