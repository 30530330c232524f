"""``covey doctor``: is this machine fit, and what would make it better."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from covey.cli._common import Json, print_json

_CORE = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "pyarrow",
    "narwhals",
    "networkx",
    "plotly",
    "jinja2",
    "typer",
    "rich",
)
_EXTRAS = {
    "pandas": "dataframes out as pandas",
    "polars": "dataframes out as Polars",
    "dask": "clusters: pip install 'covey[dask]'",
    "torch": "networks: pip install 'covey[deep]'",
}


def doctor(json: Json = False) -> None:
    """Check the installation and measure this machine's matrix product."""
    facts = examine()
    if json:
        print_json(facts)
    else:
        typer.echo(f"covey {facts['covey']} on Python {facts['python']}, {facts['cores']} cores")
        typer.echo(f"matrix product: {facts['gflops']:.0f} GFLOP/s in float64 ({facts['blas']})")
        typer.echo(f"joint tables: {facts['counts']:.2f} billion increments a second on one core")
        for name, found in facts["packages"].items():
            note = "" if found or name not in _EXTRAS else f"  ({_EXTRAS[name]})"
            typer.echo(f"  {name:13} {found or 'not installed'}{note}")
    if facts["missing"]:
        raise ImportError(f"missing: {', '.join(facts['missing'])}; run pip install covey again")


def examine() -> dict[str, Any]:
    """Versions, cores and speed of this machine."""
    import numpy as np
    from threadpoolctl import threadpool_info

    import covey
    from covey.measure._tables import joint_tables

    rng = np.random.default_rng(0)
    square = rng.normal(size=(1000, 1000))
    codes = rng.integers(1, 17, size=(2, 1_000_000)).astype(np.int16)
    pair = np.array([0]), np.array([1])
    joint_tables(codes[:, :10], *pair, (16, 16))
    product = _fastest(lambda: square @ square)
    counting = _fastest(lambda: joint_tables(codes, *pair, (16, 16)))
    packages = {name: _version(name) for name in (*_CORE, *_EXTRAS)}
    return {
        "covey": covey.__version__,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "blas": ", ".join(sorted({str(i.get("internal_api")) for i in threadpool_info() if i["user_api"] == "blas"})),
        "gflops": 2e-9 * 1000**3 / product,
        "counts": 1e-3 / counting,
        "packages": packages,
        "missing": [name for name in _CORE if packages[name] is None],
    }


def _fastest(function: Any, repeats: int = 5) -> float:
    """Least wall-clock seconds of a few calls."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
