"""``covey vfl party``: what one party runs, in a process of its own."""

from __future__ import annotations

import ctypes
import json as json_module
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covey.cli._common import Json, Seed, print_json, print_table
from covey.cli._vfl import Folder, Settings, TestFraction, parse_settings

if TYPE_CHECKING:
    from covey.partition.distributed import GlooChannel, PartyResult

_LAST_RESORT = 10  # seconds that a failed process has to end by itself


def party(
    folder: Folder,
    algorithm: Annotated[str, typer.Option("--algorithm", "-a", help="splitnn, cvfl, gal, gbdt or linear.")],
    settings: Settings = None,
    test_fraction: TestFraction = 0.25,
    align: Annotated[bool, typer.Option("--align", help="Join the parties' rows on their ids first.")] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Folder to keep states in; the same command goes on from the last of all."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1.0, help="Seconds that a party may be silent while another waits.")
    ] = 60.0,
    start_timeout: Annotated[
        float, typer.Option("--start-timeout", min=1.0, help="Seconds that all parties have to come.")
    ] = 300.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the party's part of the model (FOLDER/model).")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Run one party of FOLDER, with the others in processes of their own, on this host or on others.

    Start all parties of one host with torchrun --nproc-per-node K -m covey.cli vfl party FOLDER -a ALGORITHM; over
    several hosts, each with torchrun --nnodes K --node-rank R --nproc-per-node 1 --master-addr HOST --master-port 29500
    -m covey.cli vfl party ...; or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Each reads only its own file.
    """
    with _stopped_in_order() as watched:
        from covey.partition._folder import read_manifest
        from covey.partition._vertical import make_estimator
        from covey.partition.distributed import GlooChannel, run_party

        manifest = read_manifest(folder)
        chosen = {"random_state": seed, "task": manifest.task} | parse_settings(settings)
        model = make_estimator(algorithm, **chosen)
        out = folder / "model" if out is None else out
        with GlooChannel.from_environment(
            manifest.label_party, timeout=timeout, start_timeout=start_timeout
        ) as channel:
            watched.append(channel)
            result = run_party(
                model,
                folder,
                channel,
                test_fraction=test_fraction,
                seed=seed,
                align=align,
                checkpoint=checkpoint,
                out=out,
            )
    _report(result, algorithm, manifest.party_names, out, json)


def _report(result: PartyResult, algorithm: str, names: tuple[str, ...], out: Path, json: bool) -> None:
    """The label holder tells what came out; the others that they are done."""
    from covey.table import atomic_write, plain

    if result.scores is None:
        if not json:
            typer.echo(f"{names[result.rank]} is done; its part of the model is in {out.resolve()}")
        return
    told = {"algorithm": algorithm} | result.to_dict()
    with atomic_write(out / "result.json") as temporary:
        temporary.write_text(json_module.dumps(plain(told), indent=1), encoding="utf-8")
    if json:
        print_json(told)
        return
    rows: list[tuple[Any, ...]] = [
        (f"{result.metric} on {result.n_test:,} test rows", result.score),
        ("seconds of training", result.seconds),
        ("bytes of training", result.training.bytes),
        ("messages", result.training.messages),
        ("rounds", result.training.rounds),
        ("bytes of prediction", result.prediction.bytes),
    ]
    print_table(f"{algorithm}: {len(names)} processes", ("what", "value"), rows)
    typer.echo(f"{names[result.rank]} is done; its part of the model is in {out.resolve()}")


@contextmanager
def _stopped_in_order() -> Iterator[list[GlooChannel]]:
    """Let a process that is told to stop, or that gloo aborts, say why; a channel in the list knows who failed."""
    watched: list[GlooChannel] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not watched:
            from covey.partition._channel import ChannelError

            raise ChannelError("stopped from outside (SIGTERM) before all parties had come")
        if not watched[0].closing:
            raise watched[0].cause()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with _abort_explained(watched):
            yield watched
    except BaseException:
        if watched and hasattr(signal, "alarm"):  # gloo's threads must not keep a failed process alive
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_LAST_RESORT)
        raise
    finally:
        # torchrun stops all others once one has failed: the error line must still come out
        signal.signal(signal.SIGTERM, signal.SIG_IGN if watched else before)


@contextmanager
def _abort_explained(watched: Sequence[GlooChannel]) -> Iterator[None]:
    """Say why gloo aborts the process: a message larger than its buffer, which Python cannot catch."""
    if os.name != "posix":
        yield
        return

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def aborted(number: int) -> None:
        senders = " or ".join(f"party {rank}" for rank in watched[0].others) if watched else "another party"
        os.write(2, f"covey: aborted, most likely by garbage from {senders}\n".encode())
        os._exit(2)

    set_handler = ctypes.CDLL(None).signal  # Python's own runs handlers too late
    set_handler.restype, set_handler.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    before = set_handler(signal.SIGABRT, ctypes.cast(aborted, ctypes.c_void_p))
    try:
        yield
    finally:
        set_handler(signal.SIGABRT, before)
