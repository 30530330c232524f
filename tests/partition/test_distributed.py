"""Parties over gloo: the model of one process, and an end with a reason whatever a party does.

Most parties here are threads with a gloo channel each, which is the same code as separate processes and starts at once;
what only a process can do (die, freeze, be killed by gloo) is done by processes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import distributed

from covey.partition import _vertical
from covey.partition._channel import ChannelError, LocalNetwork
from covey.partition._folder import read_manifest, write_split
from covey.partition._partition import Partition
from covey.partition._vertical import load_party, make_estimator
from covey.partition.distributed import GlooChannel, environment, run_party
from covey.table import read
from tests.partition.toy import Toy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(autouse=True)
def known_toy(monkeypatch):
    monkeypatch.setitem(_vertical.ALGORITHMS, "toy", "tests.partition.toy:Toy")


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 5.0
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three parties of two columns; the second holds the label."""
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(80, 6))
    columns = {f"c{j}": X[:, j] for j in range(6)}
    table = read({**columns, "y": np.where(X[:, 0] + X[:, 3] > 2, "yes", "no")})
    folder = tmp_path_factory.mktemp("split")
    write_split(folder, table, Partition.from_labels([0, 0, 1, 1, 2, 2], list(columns)), "y", label_party=1)
    return folder


def gloo(work, size=3, active=1, timeout=5.0, **settings):
    """Run parties as threads with gloo channels; what each returned or raised."""
    store = distributed.HashStore()
    outcomes = [None] * size

    def party(rank):
        try:
            with GlooChannel(store, rank, size, active, timeout=timeout, **settings) as channel:
                outcomes[rank] = work(channel)
        except Exception as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=party, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def local(work, size=3, active=1):
    return LocalNetwork(size, active).run([work] * size)


def state(model):
    objective = {} if model.objective is None else model.objective.state()
    return {**model.state(), **objective}


def check_same(found, wanted):
    """The same models, scores and counts, bit for bit."""
    for a, b in zip(found, wanted, strict=True):
        assert not isinstance(a, Exception), a
        assert state(a.model).keys() == state(b.model).keys()
        for key, value in state(a.model).items():
            np.testing.assert_array_equal(value, state(b.model)[key], err_msg=key)
        assert a.history == b.history
        assert (a.n_train, a.n_test) == (b.n_train, b.n_test)
        assert a.training == b.training
        assert a.prediction == b.prediction
        np.testing.assert_array_equal(a.scores, b.scores)


ALGORITHMS = {
    "toy": {},
    "linear": {},
    "splitnn": {"n_epochs": 3},
    "gal": {"n_rounds": 3},
    "gbdt": {"n_estimators": 3},
    "cvfl": {"n_epochs": 3, "local_steps": 1},
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_model_is_that_of_one_process(folder, name):
    def work(channel):
        torch.manual_seed(channel.rank)  # whatever the global state is
        return run_party(make_estimator(name, random_state=3, **ALGORITHMS[name]), folder, channel, seed=3)

    found, wanted = gloo(work, timeout=30), local(work)
    check_same(found, wanted)
    assert found[1].score > 0.5
    assert [result.scores is None for result in found] == [True, False, True]
    assert found[1].training.messages > 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_goes_on_from_a_state(folder, tmp_path, name):
    """One party's last state is lost, so that all repeat the last step."""

    def work(channel):
        algorithm = make_estimator(name, random_state=3, **ALGORITHMS[name])
        return run_party(algorithm, folder, channel, checkpoint=tmp_path)

    wanted = gloo(work, timeout=30)
    max(tmp_path.glob("party-2-*"), key=lambda path: int(path.stem.rsplit("-", 1)[1])).unlink()
    check_same(gloo(work, timeout=30), wanted)


def test_one_party_alone(tmp_path):
    table = read({"a": np.arange(20.0), "b": np.arange(20.0)[::-1].copy(), "y": ["u", "v"] * 10})
    write_split(tmp_path, table, Partition.from_labels([0, 0], ["a", "b"]), "y")
    (result,) = gloo(lambda channel: run_party(Toy(), tmp_path, channel), size=1, active=0)
    assert result.n_test == 5
    assert result.training.bytes == 0


def test_what_is_counted_is_what_training_in_one_process_counts(folder):
    manifest = read_manifest(folder)
    parties, y = manifest.read_all()
    result = gloo(lambda channel: run_party(Toy(), folder, channel))[1]
    rows, _ = _split(80)
    model = Toy().fit([X.take(rows) for X in parties], y[rows], label_party=1)
    assert result.training == model.traffic_
    assert result.history == model.history_


def _split(n):
    from covey.partition._inputs import split_rows

    return split_rows(n, 0.25, 0)


def test_many_messages_of_all_sizes_both_ways():
    sizes = [0, 1, 131_061, 131_072, 400_000]

    def work(channel):
        for size in sizes:
            channel.broadcast("x", np.full(size, channel.rank + 0.5))
        return [[float(array.sum()) for array in channel.gather("x", (size,), np.float64)] for size in sizes]

    wanted = [[[size * (other + 0.5) for other in range(3) if other != rank] for size in sizes] for rank in range(3)]
    assert gloo(work) == wanted


FAULTS = {
    "raise:2:1": "party 2 ended the run: ValueError: column 'age' is broken",
    "raise:1:2": "party 1 ended the run: ValueError: column 'age' is broken",
    "crash:0:1": "party 0 ended the run: KeyError",
    "tag:0:1": "party 0 sent 'nonsense' where 'scores' was due",
    "shape:2:1": "party 2 sent 'scores' of shape (3,) where (30, 1) was due",
    "nan:2:1": "party 2 sent 'scores' of shape (1, 1) where (30, 1) was due",
    "bytes:0:2": "party 0 sent garbage: what came is no message of covey",
    "short:2:2": "party 2 sent garbage: what came is no message of covey",
    "hang:0:1": "party 0 sent no 'scores' within 1 s",
    "hang:1:1": "party 1 sent no 'slope' within 1 s",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_party_learns_who_failed_and_how(folder, fault):
    culprit = int(fault.split(":")[1])
    start = time.monotonic()
    outcomes = gloo(lambda channel: run_party(Toy(faults=fault), folder, channel), timeout=1.0)
    assert time.monotonic() - start < 20
    for rank, outcome in enumerate(outcomes):
        if rank != culprit:
            assert isinstance(outcome, ChannelError)
            assert str(outcome) == FAULTS[fault]
    assert isinstance(outcomes[culprit], Exception)


def test_who_waits_for_a_third_party_is_not_blamed():
    """Party 2 waits for party 0, which waits for party 1: longer than the timeout, but nobody is silent so long."""

    def work(channel):
        if channel.rank == 1:
            for _ in range(3):
                time.sleep(0.7)
                channel.send(0, "slow", 1.0)
        elif channel.rank == 0:
            for _ in range(3):
                channel.receive(1, "slow")
            channel.send(2, "at last", 1.0)
        else:
            return float(channel.receive(0, "at last"))
        return None

    start = time.monotonic()
    assert gloo(work, timeout=1.0) == [None, None, 1.0]
    assert time.monotonic() - start > 2.0


def test_parties_that_wait_for_each_other_end():
    outcomes = gloo(lambda channel: channel.receive((channel.rank + 1) % 3, "x"), timeout=0.6)
    assert any("sent no 'x' within 0.6 s" in str(outcome) for outcome in outcomes)
    assert all(isinstance(outcome, ChannelError) for outcome in outcomes)


def test_a_party_that_does_not_come():
    store = distributed.HashStore()
    with pytest.raises(ChannelError, match=r"parties 1, 2 did not come within 0\.2 s"):
        GlooChannel(store, 0, 3, start_timeout=0.2)


def test_a_party_that_is_done_too_early_or_sends_too_much():
    def early(channel):
        if channel.rank == 1:
            return channel.receive(0, "x")
        return None

    assert str(gloo(early)[1]) == "party 0 was done when 'x' was due"

    def much(channel):
        if channel.rank == 0:
            channel.send(1, "x", 1.0)

    assert str(gloo(much)[1]) == "party 0 sent more than was due"


def test_a_message_above_the_limit_is_not_taken():
    def work(channel):
        if channel.rank == 0:
            channel.send(1, "x", np.zeros(5000))
        return channel.receive(0, "x") if channel.rank == 1 else None

    outcomes = gloo(work, max_bytes=10_000)
    assert "party 0 sent garbage: a message of 40,0" in str(outcomes[1])
    assert "party 0 sent garbage" in str(outcomes[2])


def test_what_cannot_be_sent_is_told_to_the_sender():
    def work(channel):
        if channel.rank == 0:
            channel.send(1, "x", np.zeros(2, np.longdouble))

    outcomes = gloo(work)
    assert isinstance(outcomes[0], TypeError)
    assert "party 0 ended the run: TypeError: message 'x': dtype" in str(outcomes[1])


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"seed": 1}, "toy", "party 2 was started with seed 1, the label holder with 0"),
        ({"test_fraction": 0.5}, "toy", "party 2 was started with test fraction 0.5, the label holder with 0.25"),
        ({"align": True}, "toy", "party 2 was started with align True, the label holder with False"),
        ({}, "linear", "party 2 was started with algorithm linear, the label holder with toy"),
    ],
)
def test_parties_started_in_different_ways(folder, settings, name, words):
    def work(channel):
        odd = channel.rank == 2
        return run_party(make_estimator(name if odd else "toy"), folder, channel, **(settings if odd else {}))

    outcomes = gloo(work)
    assert str(outcomes[1]) == words
    assert str(outcomes[0]) == str(outcomes[2]) == f"party 1 ended the run: ValueError: {words}"


def test_a_split_for_other_parties(folder):
    outcomes = gloo(lambda channel: run_party(Toy(), folder, channel), size=2, active=1)
    assert all("has 3 parties, but 2 processes were started" in str(outcome) for outcome in outcomes)
    outcomes = gloo(lambda channel: run_party(Toy(), folder, channel), active=0)
    assert any("party 1 holds the labels of this split, not party 0" in str(outcome) for outcome in outcomes)


@pytest.fixture
def shuffled(folder, tmp_path):
    """The same split, but one party has its rows in another order, and some are missing."""
    manifest = read_manifest(folder)
    ids, table = manifest.read_party(2)
    order = np.random.default_rng(5).permutation(80)[:70]
    names = manifest.columns[2]
    other = read({name: table[name].values[order] for name in names} | {"y": np.arange(70.0)})
    partition = Partition.from_labels([2] * len(names), names, n_parties=3)
    write_split(tmp_path / "other", other, partition, "y", label_party=1, ids=ids[order])
    for file in ("split.json", "party-0.parquet", "party-1.parquet", "labels.parquet"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    (tmp_path / "party-2.parquet").write_bytes((tmp_path / "other" / "party-2.parquet").read_bytes())
    return tmp_path, np.sort(order)


def test_other_rows_are_refused_or_aligned(folder, shuffled):
    there, common = shuffled
    outcomes = gloo(lambda channel: run_party(Toy(), there, channel))
    assert "party 2 has other row ids than the label holder, or another order; join them first (--align)" in str(
        outcomes[1]
    )
    assert all("party 2 has other row ids" in str(outcome) for outcome in outcomes)

    aligned = gloo(lambda channel: run_party(Toy(), there, channel, align=True))
    parties, y = read_manifest(folder).read_all()
    train, test = (common[rows] for rows in _split(70))
    model = Toy().fit([X.take(train) for X in parties], y[train], label_party=1)
    np.testing.assert_allclose(aligned[1].scores, model.scores([X.take(test) for X in parties]), rtol=1e-12)
    assert aligned[1].training == model.traffic_


def test_labels_of_other_rows_than_the_label_holder_s(folder, tmp_path):
    for file in folder.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = read({"c2": np.arange(80.0), "y": ["yes", "no"] * 40})
    write_split(tmp_path / "o", table, Partition.from_labels([0], ["c2"]), "y", ids=np.arange(80) + 1)
    (tmp_path / "labels.parquet").write_bytes((tmp_path / "o" / "labels.parquet").read_bytes())
    outcomes = gloo(lambda channel: run_party(Toy(), tmp_path, channel))
    assert all("must be files of the same rows in the same order" in str(outcome) for outcome in outcomes), outcomes


def test_a_run_goes_on_from_its_last_common_state(folder, tmp_path):
    def run(checkpoint, seed=0):
        def work(channel):
            own = tmp_path / checkpoint / str(channel.rank)  # each party on a host of its own
            return run_party(Toy(random_state=1), folder, channel, checkpoint=own, seed=seed)

        return gloo(work)

    wanted = run("whole")
    os.environ["TOY_FAULT"] = "raise:0:3"
    try:
        assert "'age' is broken" in str(run("broken")[1])
    finally:
        del os.environ["TOY_FAULT"]
    assert sorted(path.name for path in (tmp_path / "broken" / "2").iterdir())[-1] == "party-2-step-3.npz"
    check_same(run("broken"), wanted)
    assert any("of a run with facts" in str(outcome) for outcome in run("whole", seed=9))


def test_models_are_written_and_predict(folder, tmp_path):
    found = gloo(lambda channel: run_party(Toy(), folder, channel, out=tmp_path / "new"))
    models = [load_party(tmp_path / "new" / f"party-{rank}.npz")[0] for rank in range(3)]
    parties, y = read_manifest(folder).read_all()
    _, test = _split(80)
    scores = local(lambda channel: models[channel.rank].scores(channel, parties[channel.rank].take(test)))[1]
    np.testing.assert_allclose(scores, found[1].scores, rtol=1e-12)
    assert models[1].objective.metric(scores, y[test]) == found[1].score


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT not set: start the parties with torchrun"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "^MASTER_ADDR, MASTER_PORT not set"),
        ({"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"}, "whole numbers"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"}, "RANK=2 must be one of 0 to"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "0"}, "MASTER_PORT=0 a port"),
    ],
)
def test_the_environment_is_checked(monkeypatch, variables, words):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=words):
        environment()


def test_nobody_at_the_address_and_a_port_in_use(monkeypatch):
    port = _free_port()
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(ChannelError, match=f"nobody answers at 127.0.0.1:{port}; is party 0 running"):
        GlooChannel.from_environment(start_timeout=1.0)
    monkeypatch.setenv("RANK", "0")
    with socket.socket() as busy:
        busy.bind(("", port))
        busy.listen()
        with pytest.raises(ChannelError, match=f"cannot listen on port {port}"):
            GlooChannel.from_environment(start_timeout=1.0)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Processes:
    """The parties of a folder, each a process."""

    def __init__(self, folder, out, *arguments, fault="", timeout=60):
        port = str(_free_port())
        common = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ROOT, "TOY_FAULT": fault}
        common |= {"WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, "-m", "tests.partition.toy", "vfl", "party", str(folder), "--algorithm", "toy"]
        command += ["--timeout", str(timeout), "--out", str(out), *arguments]
        pipe = subprocess.PIPE
        self.all = [
            subprocess.Popen(command, env=common | {"RANK": str(rank)}, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
            for rank in range(3)
        ]

    def end(self, ranks=(0, 1, 2), seconds=60):
        """(exit code, stdout, stderr) of these parties; all are killed at last."""
        try:
            told = {}
            for rank in ranks:
                out, err = self.all[rank].communicate(timeout=seconds)
                told[rank] = self.all[rank].returncode, out, err
            return told
        finally:
            for process in self.all:
                with suppress(ProcessLookupError):
                    process.kill()
                process.communicate()


@pytest.mark.slow
def test_processes_train_the_model_of_one_process(folder, tmp_path):
    told = Processes(folder, tmp_path / "out", "--json", "--seed", "3").end()
    assert [told[rank][0] for rank in range(3)] == [0, 0, 0], told
    wanted = local(lambda channel: run_party(Toy(random_state=3), folder, channel, seed=3))
    for rank in range(3):
        model, who = load_party(tmp_path / "out" / f"party-{rank}.npz")
        assert who == {"rank": rank, "size": 3, "active": 1}
        np.testing.assert_array_equal(model.weights, wanted[rank].model.weights)
    result = json.loads(told[1][1])
    assert result == json.loads((tmp_path / "out" / "result.json").read_text())
    assert (told[0][1], told[2][1]) == ("", "")
    assert result["training"] == wanted[1].training.to_dict()
    assert result["prediction"] == wanted[1].prediction.to_dict()
    assert (result["score"], result["loss"]) == (wanted[1].score, wanted[1].history)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_party_ends_the_run_at_once_and_the_same_command_goes_on(folder, tmp_path, killed):
    checkpoint = ["--checkpoint", str(tmp_path / "states")]
    told = Processes(folder, tmp_path / "out", *checkpoint, fault=f"kill:{killed}:3").end(seconds=55)
    assert told[killed][0] == -signal.SIGKILL
    for rank in {0, 1, 2} - {killed}:
        assert told[rank] == (2, "", f"covey: party {killed} is gone: its connection closed\n")
    assert not (tmp_path / "out" / "party-0.npz").exists()
    told = Processes(folder, tmp_path / "out", *checkpoint).end()
    assert [told[rank][0] for rank in range(3)] == [0, 0, 0], told
    whole = local(lambda channel: run_party(Toy(), folder, channel, checkpoint=tmp_path / "whole"))
    for rank in range(3):
        model, _ = load_party(tmp_path / "out" / f"party-{rank}.npz")
        np.testing.assert_array_equal(model.weights, whole[rank].model.weights)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["training"] == whole[1].training.to_dict()
    assert result["loss"] == whole[1].history


@pytest.mark.slow
def test_a_frozen_party_ends_the_run(folder, tmp_path):
    told = Processes(folder, tmp_path, fault="freeze:2:1", timeout=2).end(ranks=(0, 1))
    assert [told[rank] for rank in (0, 1)] == [(2, "", "covey: party 2 sent no 'scores' within 2 s\n")] * 2


@pytest.mark.slow
def test_a_message_that_gloo_cannot_take_is_explained(folder, tmp_path):
    told = Processes(folder, tmp_path, fault="oversize:2:1").end()
    assert told[1][0] == 2
    assert told[1][2].endswith("covey: aborted, most likely by garbage from party 0 or party 2\n")
    assert told[0] == (2, "", "covey: party 1 is gone: its connection closed\n")


@pytest.mark.slow
def test_a_process_that_is_told_to_stop_tells_the_others(folder, tmp_path):
    processes = Processes(folder, tmp_path, fault="freeze:2:1", timeout=60)
    time.sleep(1.0)
    while "T" not in _status(processes.all[2].pid):
        assert processes.all[0].poll() is None
        time.sleep(0.05)
    processes.all[0].terminate()
    told = processes.end(ranks=(0, 1), seconds=55)
    assert told[0] == (2, "", "covey: stopped from outside (SIGTERM)\n")
    assert told[1] == (2, "", "covey: party 0 ended the run: stopped from outside (SIGTERM)\n")


def _status(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


@pytest.mark.slow
def test_torchrun_lets_every_party_say_who_failed(folder, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3", "--max-restarts", "0"]
    command += ["--master-port", str(_free_port()), "-m", "tests.partition.toy", "vfl", "party", str(folder)]
    command += ["--algorithm", "toy", "--out", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    told = subprocess.run(
        command, env=environment | {"TOY_FAULT": "kill:1:2"}, cwd=ROOT, timeout=90, capture_output=True, text=True
    )
    assert told.returncode != 0
    assert told.stderr.count("covey: party 1 is gone: its connection closed\n") == 2
    told = subprocess.run(command, env=environment, cwd=ROOT, timeout=90, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "accuracy on 20 test rows" in told.stdout
    assert [(tmp_path / f"party-{rank}.npz").exists() for rank in range(3)] == [True] * 3
