"""Shards of counts: together they are the matrix, in memory and on disk."""

import numpy as np
import pytest
from scipy.sparse import random_array

from covey.learn._shards import shard_counts


def put_together(shards):
    out = np.zeros(shards.shape)
    for i, rows in enumerate(shards.rows):
        for j, columns in enumerate(shards.columns):
            shard = shards.shard(i, j)
            row = np.repeat(rows, np.diff(shard.indptr))
            out[row, columns[shard.indices]] += shard.counts
    return out


@pytest.mark.parametrize("size", [1, 7, 16, 100])
def test_shards_are_the_matrix(size):
    counts = random_array((40, 33), density=0.1, rng=np.random.default_rng(0)).tocsr()
    counts.data = np.float32(counts.data).astype(float)
    shards = shard_counts(counts, size)
    assert max(map(len, [*shards.rows, *shards.columns])) <= size
    assert put_together(shards).tolist() == counts.toarray().tolist()
    assert shards.row_sums == pytest.approx(counts.sum(axis=1))


def test_each_shard_has_its_share_of_frequent_rows():
    counts = np.diag(np.arange(1.0, 13.0))
    shards = shard_counts(counts, 4)
    assert [rows.tolist() for rows in shards.rows] == [[11, 8, 5, 2], [10, 7, 4, 1], [9, 6, 3, 0]]
    assert shards.symmetric
    assert not shard_counts(np.triu(np.ones((3, 3)))).symmetric
    assert not shard_counts(np.ones((2, 3))).symmetric


def test_shards_on_disk_are_read_from_there(tmp_path):
    counts = np.random.default_rng(0).poisson(0.5, size=(30, 20)).astype(float)
    shards = shard_counts(counts, 8, tmp_path / "counts")
    assert isinstance(shards.counts, np.memmap) and not isinstance(shards.shard(0, 1).counts, np.memmap)
    assert put_together(shards).tolist() == counts.tolist()
    assert np.load(tmp_path / "counts" / "counts.npy").sum() == counts.sum()


def test_rows_without_counts_are_in_no_shard():
    shards = shard_counts([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]], 2)
    assert np.concatenate(shards.rows).tolist() == [0]
    assert np.concatenate(shards.columns).tolist() == [2, 0]


def test_a_shard_has_at_least_one_row():
    with pytest.raises(ValueError, match="shard_size must be at least 1, got 0"):
        shard_counts(np.ones((2, 2)), 0)
