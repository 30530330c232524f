"""`LocalEngine`: order, exceptions, one level of parallelism, the same bits whatever the number of threads."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest

from covey.engine import Engine, LocalEngine, _reduce, resolve
from tests.engine._states import Generated, Product, blas_threads, reciprocal


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_map_keeps_the_order(n_workers):
    def slow_first(k):
        time.sleep(0.02 if k == 0 else 0.0)
        return k * k

    assert LocalEngine(n_workers).map(slow_first, range(20)) == [k * k for k in range(20)]


def test_map_of_nothing():
    assert LocalEngine(2).map(abs, []) == []


def test_map_runs_side_by_side():
    meeting = threading.Barrier(2, timeout=30)
    assert sorted(LocalEngine(2).map(lambda _: meeting.wait(), range(2))) == [0, 1]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_map_raises_what_a_task_raised(n_workers):
    with pytest.raises(ZeroDivisionError):
        LocalEngine(n_workers).map(reciprocal, [1.0, 0.0, 2.0])


@pytest.mark.parametrize("n_workers", [1, 2])
@pytest.mark.parametrize("n_tasks", [1, 4])
def test_blas_has_one_thread_inside_map(n_workers, n_tasks):
    outside = blas_threads(None)
    assert LocalEngine(n_workers).map(blas_threads, range(n_tasks)) == [1] * n_tasks
    assert blas_threads(None) == outside


def test_map_gives_the_same_bits_for_any_number_of_workers():
    matrices = [np.random.default_rng(k).normal(size=(300, 300)) for k in range(6)]
    one, two = (LocalEngine(n).map(lambda a: a @ a.T, matrices) for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two))


@pytest.mark.parametrize("blocks", [Generated(0, 23), list(Generated(0, 23))], ids=["partitioned", "iterable"])
def test_reduce_gives_the_same_bits_for_any_number_of_workers(blocks, monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 3000)
    states = [LocalEngine(n).reduce(partial(Product, 5), blocks).result() for n in (1, 2, 3)]
    everything = np.concatenate(list(Generated(0, 23)))
    np.testing.assert_allclose(states[0][0], everything.T @ everything, rtol=1e-12)
    for total, firsts in states:
        assert firsts == list(range(23))
        assert np.array_equal(total, states[0][0])


def test_reduce_of_nothing_is_a_fresh_state():
    total, firsts = LocalEngine(2).reduce(partial(Product, 3), []).result()
    assert firsts == []
    assert not total.any()


def test_reduce_holds_few_blocks():
    folded = threading.Semaphore(0)
    read = 0

    class Counting(Product):
        def update(self, block):
            folded.release()
            return super().update(block)

    def blocks():
        nonlocal read
        for block in Generated(0, 100, rows=2):
            read += 1
            done = folded._value
            assert read - done <= 5 * _reduce.BLOCKS_A_RUN
            yield block

    assert LocalEngine(2).reduce(lambda: Counting(5), blocks()).result()[1] == list(range(100))
    assert read == 100


def test_reduce_raises_what_a_block_raised():
    def blocks():
        yield from Generated(0, 9)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        LocalEngine(2).reduce(lambda: Product(5), blocks())
    with pytest.raises(ValueError):
        LocalEngine(2).reduce(lambda: Product(4), Generated(0, 9))


@pytest.mark.parametrize("n_workers", [0, -1])
def test_refuses_no_workers(n_workers):
    with pytest.raises(ValueError, match="n_workers"):
        LocalEngine(n_workers)


def test_resolve():
    engine = LocalEngine(3)
    assert resolve(engine) is engine
    assert resolve(None).n_workers == resolve("local").n_workers >= 1
    assert resolve("local:4").n_workers == 4
    with pytest.raises(ValueError, match="no engine 'spark'"):
        resolve("spark")
    with pytest.raises(ValueError, match="local:x"):
        resolve("local:x")


def test_the_protocol_is_what_the_engine_has():
    def use(engine: Engine) -> list[int]:
        return engine.map(abs, [-1])

    assert use(LocalEngine(1)) == [1]
