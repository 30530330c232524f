"""The machine of a run: cores, processor, the rate of its own matrix product, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._frame import best

PACKAGES = ("covey", "numpy", "scipy", "numba", "scikit-learn", "pyarrow", "pandas", "dcor", "phik", "skrub")


def gemm_gflops(dtype: type, n: int = 2048, repeats: int = 7) -> float:
    """Best rate of an n x n matrix product on all cores, in GFLOP/s."""
    a, b = np.random.default_rng(0).normal(size=(2, n, n)).astype(dtype)
    out: NDArray = np.empty((n, n), dtype=dtype)
    seconds, _ = best(lambda: np.matmul(a, b, out=out), repeats)
    return 2.0 * n**3 / seconds / 1e9


def describe() -> dict[str, Any]:
    """The machine as plain data."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gflops_float64": gemm_gflops(np.float64),
        "gflops_float32": gemm_gflops(np.float32),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
