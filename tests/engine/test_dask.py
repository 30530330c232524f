"""`DaskEngine` on a real cluster of two worker processes, with one of them killed in the middle of the work."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from covey.engine import LocalEngine, _reduce, resolve
from tests.engine._states import Generated, Product, Square, reciprocal

distributed = pytest.importorskip("distributed")
from covey.engine import DaskEngine  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each, silent, closed at the end together with their processes."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as cluster:
        yield cluster


@pytest.fixture
def engine(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        yield DaskEngine(client)


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(_reduce, "ROWS_A_PARTITION", 3000)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.slow
def test_map_equals_local(engine):
    shift = np.arange(4.0)  # a closure: travels by cloudpickle
    tasks = list(range(37))
    here, there = (e.map(lambda k: shift**2 + k, tasks) for e in (LocalEngine(2), engine))
    assert engine.n_workers == 2
    assert len(there) == 37
    assert all(np.array_equal(a, b) for a, b in zip(here, there))
    assert engine.map(abs, []) == []


@pytest.mark.slow
def test_map_uses_both_workers_and_not_this_process(engine):
    def where(_):
        import time

        time.sleep(0.05)
        return os.getpid()

    assert len(set(engine.map(where, range(16))) - {os.getpid()}) == 2


@pytest.mark.slow
def test_map_raises_what_a_task_raised(engine):
    with pytest.raises(ZeroDivisionError):
        engine.map(reciprocal, [1.0, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("as_list", [False, True], ids=["partitioned", "iterable"])
def test_reduce_equals_local_to_the_bit(engine, small_partitions, as_list):
    blocks = list(Generated(0, 23)) if as_list else Generated(0, 23)
    here = LocalEngine(1).reduce(partial(Product, 5), blocks)
    there = engine.reduce(partial(Product, 5), blocks)
    assert there.firsts == here.firsts == list(range(23))
    assert np.array_equal(there.total, here.total)
    assert os.getpid() not in there.readers.values()


@pytest.mark.slow
def test_reduce_of_nothing_is_a_fresh_state(engine):
    assert engine.reduce(partial(Product, 3), []).firsts == []


@pytest.mark.slow
def test_map_survives_a_killed_worker(engine, tmp_path):
    marker = tmp_path / "died"
    found = engine.map(Square(str(marker), fatal=11), range(24))
    assert int(marker.read_text()) != os.getpid()  # a worker did die
    assert found == [k * k for k in range(24)]


@pytest.mark.slow
def test_reduce_survives_a_killed_worker(engine, small_partitions, tmp_path):
    marker = tmp_path / "died"
    source = Generated(0, 24, marker=str(marker), fatal=17, seconds=0.05)
    there = engine.reduce(partial(Product, 5), source)
    # what the dead worker had handed over before stands; the block that it died on was read by another
    assert there.readers[17] != int(marker.read_text())
    here = LocalEngine(2).reduce(partial(Product, 5), Generated(0, 24))
    assert there.firsts == list(range(24))
    assert np.array_equal(there.total, here.total)


@pytest.mark.slow
def test_an_address_is_resolved(cluster):
    address = cluster.scheduler_address
    engine = resolve(f"dask://{address.removeprefix('tcp://')}")
    try:
        assert engine.map(abs, [-3, 2]) == [3, 2]
        assert address in repr(engine)
    finally:
        engine.client.close()


def test_no_scheduler_is_a_connection_error(monkeypatch):
    monkeypatch.setattr("covey.engine._dask.CONNECT_SECONDS", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at 127.0.0.1:{port}"):
            resolve(f"dask://127.0.0.1:{port}")


def test_a_bad_address_is_a_connection_error(monkeypatch):
    monkeypatch.setattr("covey.engine._dask.CONNECT_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match="check host and port"):
        DaskEngine("nowhere")


def test_a_scheduler_without_workers_is_a_connection_error(monkeypatch):
    from distributed import Client, LocalCluster

    monkeypatch.setattr("covey.engine._dask.CONNECT_SECONDS", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        Client(empty, set_as_default=False) as client,
        pytest.raises(ConnectionError, match="has no worker"),
    ):
        DaskEngine(client)


def test_missing_dask_says_what_to_install():
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from covey.engine import resolve\n"
        "try: resolve('dask://127.0.0.1:1')\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a Dask engine needs Dask; install it with: pip install 'covey[dask]'\n"


def test_dask_is_not_imported_by_the_local_engine():
    code = "import sys, covey.engine as e; e.LocalEngine(1).map(abs, [1]); print('dask' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
