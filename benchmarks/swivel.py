"""One pass of Swivel over all shards, beside the matrix products that it cannot do without."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.sparse import coo_array, csr_array

from benchmarks._frame import Row, Target, compare
from covey.engine import LocalEngine
from covey.learn import SwivelLoss, shard_counts
from covey.learn._shards import CountShards
from covey.learn.embedding import _pass, _start, _step

ENGINE = LocalEngine()


def rows(quick: bool) -> list[Row]:
    """A vocabulary of 16,384 tokens in shards of 4,096; the paper's 300 components."""
    n, size, pairs = (2_048, 512, 400_000) if quick else (16_384, 4_096, 20_000_000)
    shards = shard_counts(_counts(n, pairs), size)
    return [_row(shards, n_components) for n_components in (300, 100)]


def _row(shards: CountShards, n_components: int) -> Row:
    rng = np.random.RandomState(0)
    rows = [_start(shards.row_sums[members], n_components, rng) for members in shards.rows]
    columns = [
        _start(shards.column_sums[members] / len(shards.counts), n_components, rng) for members in shards.columns
    ]
    step = partial(_step, loss=SwivelLoss(), learning_rate=1.0)

    def epoch() -> None:
        _pass(shards, list(rows), list(columns), step, rng, ENGINE)

    def products() -> None:
        for shift in range(len(rows)):
            ENGINE.map(multiply, [(rows[i].vectors, columns[i - shift].vectors) for i in range(len(rows))])

    found = compare(epoch, products, 2)
    n = sum(map(len, shards.rows))
    return Row(
        f"Swivel, one pass over {n:,} x {n:,} counts ({len(shards.counts) / n**2:.1%} seen), {n_components} components",
        found.seconds,
        "its own three matrix products a shard (NumPy)",
        found.peer_seconds,
        Target(speedup=1 / 1.5),
        gflops=6.0 * n**2 * n_components / found.seconds / 1e9,
        note="products of whole shards in float32, on as many threads",
    )


def multiply(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """The product of a shard and those of its two gradients."""
    rows, columns = pair
    z = rows @ columns.T
    z @ columns
    z.T @ rows


def _counts(n: int, pairs: int) -> csr_array:
    """Symmetric counts of pairs of tokens whose frequencies fall as one over their rank."""
    rng = np.random.default_rng(0)
    ends = np.cumsum(1.0 / np.arange(1, n + 1))
    left, right = np.searchsorted(ends, rng.random((2, pairs)) * ends[-1])
    found = coo_array((np.ones(pairs, dtype=np.float32), (left, right)), shape=(n, n)).tocsr()
    return csr_array(found + found.T)
