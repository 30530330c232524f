"""Small real tables that ship with the package; `README.md` beside this file gives sources and licences.

Anything that reads a table also accepts the name ``"covey:adult"``.
"""

from __future__ import annotations

from pathlib import Path

_FILES = {
    "adult": "adult.csv.gz",
    "arcene": "arcene.parquet",
    "diabetes130": "diabetes130.parquet",
    "german_credit": "german_credit.csv",
    "isolet": "isolet.parquet",
    "madelon": "madelon.parquet",
}


def names() -> tuple[str, ...]:
    """Names of the bundled data sets.

    Examples
    --------
    >>> "adult" in names()
    True
    """
    return tuple(_FILES)


def path(name: str) -> Path:
    """Path of the file that holds the bundled data set `name`.

    Parameters
    ----------
    name : str
        One of `names()`, with or without the prefix ``"covey:"``.

    Raises
    ------
    ValueError
        If no bundled data set has that name.

    Examples
    --------
    >>> path("adult").name
    'adult.csv.gz'
    """
    key = name.removeprefix("covey:")
    if key not in _FILES:
        raise ValueError(f"no bundled data set {key!r}; choose one of {', '.join(_FILES)}")
    return Path(__file__).parent / _FILES[key]
