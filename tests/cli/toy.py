"""A small table as a file, and the program as tests call it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from covey.cli import main

NAMES = ("bank_a", "bank_b", "shop_c", "shop_d", "tel_e", "tel_f")
N_ROWS = 160


class Ran(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON without NaN or infinities."""
        return json.loads(self.out, parse_constant=_refuse)

    @property
    def told(self) -> str:
        """The one line that says what to mend."""
        lines = self.err.strip().splitlines()
        assert [line for line in lines if line.startswith("covey: ")] == lines[-1:], self.err
        assert "Traceback" not in self.err and "internal error" not in self.err
        assert not self.out
        return lines[-1]


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run a command in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err)


def features() -> np.ndarray:
    """Six columns, of which bank_a and bank_b, shop_c and shop_d go together."""
    X = np.random.default_rng(0).normal(size=(N_ROWS, 6))
    X[:, 1] += X[:, 0]
    X[:, 3] += X[:, 2]
    return X


def classes() -> list[str]:
    """What bank_a and shop_c tell together."""
    X = features()
    return ["yes" if value > 0 else "no" for value in X[:, 0] + X[:, 2]]


def write_csv(path: Path, **columns: Sequence[object]) -> Path:
    """A CSV file of the six columns and then others, by default the class alone."""
    columns = columns or {"class": classes()}
    cells = [[f"{value:.6f}" for value in row] for row in features()]
    for row, *values in zip(cells, *columns.values()):
        row.extend(map(str, values))
    path.write_text("\n".join(",".join(row) for row in [[*NAMES, *columns], *cells]) + "\n")
    return path
