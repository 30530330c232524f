"""Associations of a Parquet file that is read in row blocks: time linear in rows, memory constant."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _child
from benchmarks._data import correlated
from benchmarks._frame import Row, Target, largest_difference, off_diagonal

ROW_GROUP = 1 << 17
CHECKED = 8
MEASURES = ("spearman", "distance_correlation")


def rows(quick: bool) -> list[Row]:
    """2.5, 5 and 10 million rows of 50 float32 columns; each measure in a process of its own."""
    sizes, m = ([50_000, 100_000, 200_000], 10) if quick else ([2_500_000, 5_000_000, 10_000_000], 50)
    found: dict[str, list[_child.Child]] = {measure: [] for measure in MEASURES}
    errors = {}
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as folder:
        path = Path(folder) / "rows.parquet"
        for n in sizes:
            write(path, n, m)
            for measure in MEASURES:
                found[measure].append(_child.run(_code(path, measure)))
                if n == sizes[0]:
                    errors[measure] = _error(path, measure, found[measure][-1])
    return [row for measure in MEASURES for row in _lines(measure, sizes, m, found[measure], errors[measure])]


def write(path: Path, n_rows: int, n_columns: int) -> None:
    """A Parquet file of correlated normal float32 columns, a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"x{j}" for j in range(n_columns)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for k, start in enumerate(range(0, n_rows, ROW_GROUP)):
            block = correlated(min(ROW_GROUP, n_rows - start), n_columns, seed=k)
            writer.write_table(pa.table([column.astype(np.float32) for column in block.T], schema=schema))


def _code(path: Path, measure: str) -> str:
    return f"""
import covey, time
start = time.perf_counter()
matrix = covey.associate(covey.iter_blocks({str(path)!r}), measure={measure!r})
seconds = time.perf_counter() - start
bound = float(matrix.error_bound.max()) if matrix.error_bound is not None else None
said = [seconds, matrix.values[:{CHECKED}, :{CHECKED}].tolist(), bound]
"""


def _error(path: Path, measure: str, child: _child.Child) -> float:
    """Largest difference from the same measure in memory, on a few columns."""
    import covey

    table = covey.read(path, columns=[f"x{j}" for j in range(CHECKED)])
    whole = covey.associate(table, measure=measure, pvalues=False)
    return largest_difference(off_diagonal(child.said[1]), off_diagonal(whole.values))


def _lines(measure: str, sizes: list[int], m: int, children: list[_child.Child], error: float) -> list[Row]:
    seconds = [child.said[0] for child in children]
    last, bound = children[-1], children[-1].said[2]
    growth = (seconds[-1] / sizes[-1]) / (seconds[0] / sizes[0])
    each = ", ".join(f"{n / 1e6:g} M in {s:.1f} s" for n, s in zip(sizes, seconds))
    work = f"streaming `{measure}` with p-values, {sizes[-1] / 1e6:g} M x {m} Parquet"
    return [
        Row(
            f"{work}: peak memory",
            seconds[-1],
            target=Target(most=1.5, unit="GB"),
            value=last.peak_bytes / 1e9,
            peak_bytes=last.peak_bytes,
            difference=error,
            note=f"difference from the same measure in memory on {CHECKED} columns of {sizes[0] / 1e6:g} M rows"
            + ("" if bound is None else f"; the result's own bound: {bound:.2g}"),
        ),
        Row(
            f"{work}: time a row at {sizes[-1] / 1e6:g} M over that at {sizes[0] / 1e6:g} M rows",
            seconds[-1],
            target=Target(most=1.25, unit="times"),
            value=growth,
            note=f"{each}; {growth:.2f} times",
        ),
    ]
