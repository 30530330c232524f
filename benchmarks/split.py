"""Splits of features over parties with a wanted correlation, beside the package of the method's authors."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks._frame import Row, Target, timed
from covey.partition.splitters import CorrelationSplitter, IcorBounds

BETAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def rows(quick: bool) -> list[Row]:
    """The bounds of Icor and their quality, each target, and a wide table; four parties, Spearman."""
    n, m, generations = (2_000, 20, 3) if quick else (10_000, 50, 100)
    x = loaded(n, m)
    _fit(x, 0.5, None)
    seconds, fitted = timed(partial(_fit, x, 0.5, None))
    peer_seconds, low, high = _peer_bounds(x, generations)
    return [
        Row(
            f"bounds of Icor and a split between them, {n:,} x {m}",
            seconds,
            f"vertibench `fit`, {generations} generations",
            peer_seconds,
            Target() if quick else Target(speedup=20),
        ),
        *_quality(fitted, seconds, low, high),
        *(_target(x, beta, fitted.bounds_) for beta in BETAS),
        _wide(quick),
    ]


def loaded(n_rows: int, n_columns: int) -> NDArray[np.float64]:
    """Normal columns, each loading on about a third of the factors, of which there is one for ten columns."""
    rng = np.random.default_rng(0)
    n_factors = max(2, n_columns // 10)
    factors = rng.normal(size=(n_rows, n_factors))
    loadings = rng.normal(size=(n_factors, n_columns)) * (rng.random((n_factors, n_columns)) < 0.3)
    return factors @ loadings + rng.normal(size=(n_rows, n_columns))


def _fit(x: NDArray[np.float64], beta: float, bounds: IcorBounds | None) -> CorrelationSplitter:
    return CorrelationSplitter(4, beta=beta, bounds=bounds, random_state=0).fit(x)


def _peer_bounds(x: NDArray[np.float64], generations: int) -> tuple[float, float, float]:
    """Seconds, and the least and the most Icor that vertibench finds."""
    from vertibench.Splitter import CorrelationSplitter as Peer

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splitter = Peer(4, seed=0)
        seconds, _ = timed(partial(splitter.fit, x, n_gen=generations))
    return seconds, float(splitter.min_icor), float(splitter.max_icor)


def _quality(fitted: CorrelationSplitter, seconds: float, low: float, high: float) -> list[Row]:
    """By how much the bounds are beyond the peer's; above 0 is worse."""
    return [
        Row(
            "least Icor, less the peer's",
            seconds,
            target=Target(most=1e-9, unit=""),
            value=fitted.icor_min_ - low,
            note=f"{fitted.icor_min_:.5f} against {low:.5f}",
        ),
        Row(
            "peer's most Icor, less covey's",
            seconds,
            target=Target(most=1e-9, unit=""),
            value=high - fitted.icor_max_,
            note=f"{fitted.icor_max_:.5f} against {high:.5f}",
        ),
    ]


def _target(x: NDArray[np.float64], beta: float, bounds: IcorBounds | None) -> Row:
    seconds, splitter = timed(partial(_fit, x, beta, bounds))
    return Row(
        f"split at beta {beta:g}, bounds known",
        seconds,
        target=Target(most=2.0),
        note=f"error {splitter.error_:.0e}" + ("" if splitter.error_ <= 1e-4 else ", above 1e-4"),
    )


def _wide(quick: bool) -> Row:
    n, m = (1_000, 200) if quick else (10_000, 2_000)
    x = loaded(n, m)
    seconds, splitter = timed(partial(_fit, x, 0.5, None))
    return Row(
        f"bounds of Icor and a split between them, {n:,} x {m:,}",
        seconds,
        target=Target(most=120.0),
        note=f"Icor {splitter.icor_min_:.4f} to {splitter.icor_max_:.4f}, error {splitter.error_:.0e}",
    )
