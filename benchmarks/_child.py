"""Work in a fresh process: cold starts, peak memory, and peers that live in another environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# VmHWM belongs to the process image; ru_maxrss would carry over what the parent held when it forked
_PEAK = """
def peak_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
"""
_BEST = """
import time
def best(work, repeats):
    work()
    found = []
    for _ in range(repeats):
        start = time.perf_counter(); work(); found.append(time.perf_counter() - start)
    return min(found)
"""
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Child:
    """What a process said (its last line, as JSON), the seconds from its start to its end, and its peak memory."""

    said: Any
    wall: float
    peak_bytes: int


def run(code: str, python: str = sys.executable, timeout: float = 1800.0) -> Child:
    """Run `code`, which sets ``said``, in a fresh process; it may use ``best(work, repeats)``.

    Raises
    ------
    RuntimeError
        If the process fails, with the end of what it wrote.
    """
    script = f"{_BEST}{_PEAK}\nsaid = None\n{code}\nimport json\nprint(json.dumps([said, peak_bytes()]))"
    start = time.perf_counter()
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=timeout, cwd=_ROOT)
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"a benchmark process failed:\n{done.stderr[-2000:]}")
    said, peak = json.loads(done.stdout.strip().splitlines()[-1])
    return Child(said, wall, peak)


def python_with(module: str, variable: str) -> str | None:
    """The interpreter that has `module`: the one that `variable` names, else this one; None if neither has it."""
    for python in (os.environ.get(variable), sys.executable):
        if python and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    return None
