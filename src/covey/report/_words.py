"""Numbers and names as a sentence needs them."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 48


def percent(share: float) -> str:
    """A share as a percentage that is never rounded to a false 0 or 100.

    Examples
    --------
    >>> [percent(s) for s in (0.0, 0.0004, 0.0123, 0.5, 0.9996, 1.0)]
    ['0 %', '0.04 %', '1.2 %', '50 %', '99.96 %', '100 %']
    """
    value = 100.0 * share
    if 0.0 < value < 0.1 or 99.9 < value < 100.0:
        return f"{value:.2g} %" if value < 50 else f"{value:.2f} %"
    digits = 0 if 10 <= value <= 90 or value in (0.0, 100.0) else 1
    return f"{value:.{digits}f} %"


def number(value: float) -> str:
    """A number with about three digits.

    Examples
    --------
    >>> [number(v) for v in (1234567.0, 38.58, 0.0421, 2.0, -0.5)]
    ['1,234,567', '38.6', '0.0421', '2', '-0.5']
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def signed(value: float) -> str:
    """A correlation with its sign and two digits.

    Examples
    --------
    >>> signed(0.317), signed(-0.2)
    ('+0.32', '−0.20')
    """
    return f"{'−' if value < 0 else '+'}{abs(value):.2f}"


def name(text: str) -> str:
    """A name short enough for a sentence.

    Examples
    --------
    >>> name("age"), len(name("x" * 200))
    ('age', 48)
    """
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"]), listed(list("abcdef"), most=3)
    ('a', 'a and b', 'a, b and c', 'a, b, c and 3 others')
    """
    shown = [name(n) for n in names]
    if len(shown) > most + 1:
        return f"{', '.join(shown[:most])} and {len(shown) - most} others"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "column"), plural(1200, "row")
    ('1 column', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def verb(subjects: Sequence[object], one: str, many: str) -> str:
    """The form of a verb that fits the number of its subjects.

    Examples
    --------
    >>> verb(["a"], "is", "are"), verb(["a", "b"], "is", "are")
    ('is', 'are')
    """
    return one if len(subjects) == 1 else many
