"""The command-line program: its commands, and how errors are told."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

import covey
from covey.cli import _associate, _doctor, _generate, _methods, _report, _select, _split, _study, _vfl, _vfl_party

_INTERRUPTED = 130

app = typer.Typer(
    name="covey",
    help="How features move together: measure, select, make, report, and spread over parties.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("report")(_report.report)
app.command("associate")(_associate.associate)
app.command("select")(_select.select)
app.command("generate")(_generate.generate)
app.command("split")(_split.split)
_vfl.app.command("party")(_vfl_party.party)
app.add_typer(_vfl.app, name="vfl")
app.command("methods")(_methods.methods)
app.add_typer(_study.app, name="study")
app.command("doctor")(_doctor.doctor)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if version:
        typer.echo(f"covey {covey.__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, or 2 after one line on stderr that says what to mend.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    if debug:  # accepted anywhere on the line
        arguments = [a for a in arguments if a != "--debug"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            code = app(args=arguments, standalone_mode=False)
        if code == _INTERRUPTED:  # Typer takes the interrupt and returns its code
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was half-written", _INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has gone, as in `covey methods | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
            typer.echo(error.format_message())  # type: ignore[attr-defined]
            return 2
        if debug:
            raise
        if hasattr(error, "format_message"):  # a wrong option or argument
            return _fail(f"{error.format_message()} (see covey --help)")
        if isinstance(error, MemoryError):
            return _fail("out of memory; try --sample 100000, or --stream with a measure that is a sum over rows")
        if isinstance(error, ValueError | TypeError | OSError | ImportError):
            return _fail(str(error))
        return _fail(f"internal error, {type(error).__name__}: {error}; run again with --debug for the traceback")


def _note(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line on stderr."""
    print(f"covey: note: {message}", file=sys.stderr)


def _fail(message: str, code: int = 2) -> int:
    """Print one line on stderr."""
    print("covey: " + " ".join(message.split()), file=sys.stderr)
    return code
