"""How long a fresh process takes to be ready."""

from __future__ import annotations

from benchmarks import _child
from benchmarks._frame import Row, Target


def rows(quick: bool) -> list[Row]:
    """`import covey`, and the first association of a fresh process (numba's cache is warm, as after any first use)."""
    repeats = 3 if quick else 7
    bare = min(_child.run("").wall for _ in range(repeats))
    imported = min(_child.run("import covey").wall for _ in range(repeats)) - bare
    code = "import covey; covey.associate('covey:adult')"
    _child.run(code)
    first = min((_child.run(code) for _ in range(repeats)), key=lambda child: child.wall)
    return [
        Row("`import covey`, fresh process", imported, target=Target(most=0.3), note="less the bare interpreter"),
        Row(
            "`auto` of Adult, fresh process, reading included",
            first.wall - bare,
            peak_bytes=first.peak_bytes,
            note="less the bare interpreter",
        ),
    ]
