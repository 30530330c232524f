"""s215: partial correlation of compositions needs no scale and no reference, and finds the latent graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from covey.measure.composition import (
    alr,
    closure,
    clr,
    compositional_associations,
    compositional_partial_correlation,
    compositional_partial_variance,
)
from covey.studies._frame import Claim, scrambled, study_of

METHODS = {
    "compositional_associations": scrambled,
    "compositional_partial_correlation": scrambled,
    "compositional_partial_variance": scrambled,
}
N_PARTS, N_EDGES = 20, 30


@study_of("s215")
def study(quick: bool, random_state: int) -> Iterator[Claim | str]:
    """Invariances, recovery of a sparse graph, and the size of the test."""
    rng = np.random.default_rng(random_state)
    yield from _invariances(rng)
    yield from _graph_recovery(rng, repeats=10 if quick else 50)
    yield from _closure_effect(rng)
    yield _test_size(rng, repeats=60 if quick else 400)


def _invariances(rng: np.random.Generator) -> Iterator[Claim]:
    X, _ = _composition(rng)
    values = compositional_partial_correlation(X)
    scaled = X * rng.uniform(0.1, 100.0, size=(len(X), 1))
    error = np.abs(compositional_partial_correlation(scaled) - values).max()
    yield Claim("largest change when rows are scaled by 0.1 to 100", error, 1e-10, "<=")
    references = range(N_PARTS)
    error = max(
        np.abs(_partial_correlation_by_alr(X, r) - np.delete(np.delete(values, r, 0), r, 1)).max() for r in references
    )
    yield Claim("largest difference from inverting the alr covariance, any reference", error, 1e-10, "<=")
    variances = compositional_partial_variance(X)
    error = max(abs(_residual_variance(X, r) - variances[r - 1]) for r in references)
    yield Claim("largest difference from the residual variance of a regression", error, 1e-10, "<=")


def _partial_correlation_by_alr(X: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    precision = np.linalg.inv(np.cov(alr(X, reference), rowvar=False))
    scale = np.sqrt(np.diagonal(precision))
    values = -precision / np.outer(scale, scale)
    np.fill_diagonal(values, 1.0)
    return values


def _residual_variance(X: NDArray[np.float64], reference: int) -> float:
    """Of the log-ratio of the part before the reference, regressed on all other log-ratios."""
    ratios = alr(X, reference)
    ratios = ratios - ratios.mean(axis=0)
    position = (reference - 1) % ratios.shape[1]
    others = np.delete(ratios, position, axis=1)
    left = ratios[:, position] - others @ np.linalg.lstsq(others, ratios[:, position])[0]
    return float(left @ left / (len(X) - 1))


def _graph_recovery(rng: np.random.Generator, repeats: int) -> Iterator[Claim | str]:
    upper = np.triu_indices(N_PARTS, 1)
    scores = []
    for _ in range(repeats):
        X, edges = _composition(rng)
        rivals = (compositional_partial_correlation(X), np.corrcoef(X.T), np.corrcoef(clr(X).T))
        scores.append([roc_auc_score(edges[upper], np.abs(np.asarray(matrix)[upper])) for matrix in rivals])
    ours, raw, log_ratio = map(float, np.mean(np.array(scores), axis=0))
    yield Claim(f"AUC of the edges, mean of {repeats} graphs", ours, 0.90)
    yield Claim("AUC gained", ours - raw, 0.15, baseline=raw, baseline_name="Pearson on proportions")
    yield Claim("AUC gained", ours - log_ratio, 0.08, baseline=log_ratio, baseline_name="Pearson on clr")
    yield (
        "Graphs of 20 nodes with 30 random edges of random sign; the precision matrix is the signed "
        "adjacency plus the multiple of the identity that makes its smallest eigenvalue 0.1. 500 normal "
        "samples of unit variance, part means N(0, 1.5^2), exponentials, closure."
    )


def _composition(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Proportions (500, 20) whose logarithms, before closure, have a sparse precision; and its edges."""
    rows, columns = np.triu_indices(N_PARTS, 1)
    chosen = rng.choice(rows.size, N_EDGES, replace=False)
    adjacency = np.zeros((N_PARTS, N_PARTS))
    adjacency[rows[chosen], columns[chosen]] = rng.choice([-1.0, 1.0], N_EDGES)
    adjacency += adjacency.T
    precision = adjacency + (0.1 - np.linalg.eigvalsh(adjacency)[0]) * np.eye(N_PARTS)
    covariance = np.linalg.inv(precision)
    scale = np.sqrt(np.diagonal(covariance))
    root = np.linalg.cholesky(covariance / np.outer(scale, scale))
    logs = rng.normal(size=(500, N_PARTS)) @ root.T + rng.normal(scale=1.5, size=N_PARTS)
    return closure(np.exp(logs)), adjacency != 0


def _closure_effect(rng: np.random.Generator) -> Iterator[Claim | str]:
    values = compositional_partial_correlation(np.exp(rng.normal(size=(20000, N_PARTS))))
    error = np.abs(values[np.triu_indices(N_PARTS, 1)] - 1.0 / (N_PARTS - 1)).max()
    yield Claim("largest difference from 1/19 for 20 parts independent before closure", error, 0.035, "<=")
    yield (
        "Parts that are independent, with one log-variance, before closure have a partial correlation of "
        "1 / (n_parts - 1), not 0: closure itself ties them. A small p-value among few parts is therefore no "
        "proof of a link between the amounts. (20000 rows; the sampling error of one entry is 0.007.)"
    )


def _test_size(rng: np.random.Generator, repeats: int) -> Claim:
    """Share of p-values below 0.05 among pairs whose partial correlation is 0 (a path of eight parts)."""
    path = np.diag(np.ones(7), 1)
    path += path.T
    laplacian = np.diag(path.sum(axis=0)) - path
    eigenvalues, vectors = np.linalg.eigh(laplacian)
    root = vectors[:, 1:] / np.sqrt(eigenvalues[1:])
    apart = np.triu(path == 0, 1)
    tables = (np.exp(rng.normal(size=(40, 7)) @ root.T) for _ in range(repeats))
    pvalues = np.array([compositional_associations(table).pvalues for table in tables])
    return Claim(
        f"rejection rate at 0.05 where the partial correlation is 0, {repeats} tables of 40 x 8",
        float(np.mean(pvalues[:, apart] <= 0.05)),
        (0.03, 0.07),
        "between",
    )
