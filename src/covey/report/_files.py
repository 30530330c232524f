"""Text files that are complete or not there."""

from __future__ import annotations

from pathlib import Path

from covey.table import atomic_write


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`: to a temporary name beside it, flushed to the disk, then renamed.

    Parameters
    ----------
    path : str or Path
    text : str

    Raises
    ------
    OSError
        If it cannot be written (no such directory, not allowed, disk full, ...). No temporary file stays, and a file
        that was at `path` is as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "page.html", "whole")
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['page.html']
    """
    path = Path(path)
    # A lone surrogate (from a file name or a broken cell) has no UTF-8 form.
    raw = text.encode("utf-8", errors="replace")
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(raw)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}") from error
