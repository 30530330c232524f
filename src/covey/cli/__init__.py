"""covey from a shell: one file a command."""

from covey.cli._app import main

__all__ = ["main"]
