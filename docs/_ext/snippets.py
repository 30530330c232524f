"""Code in the pages: find the ``{run}`` blocks, run them, keep what comes out."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

_BLOCK = re.compile(r"^```\{run\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> Iterator[str]:
    """The ``{run}`` blocks of a Markdown page."""
    return (match.group(1) for match in _BLOCK.finditer(text))


def execute(code: str, namespace: dict[str, Any]) -> tuple[str, Any]:
    """Run `code`; what it printed, and the value of its last expression (None if it ends with a statement)."""
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    value = None
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), "<run>", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<run>", "eval"), namespace)
    return printed.getvalue(), value
