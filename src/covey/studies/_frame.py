"""The frame of a study: claims with bounds, their collection, and the table that reports them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from time import perf_counter
from traceback import format_exc
from typing import Any, Literal

import numpy as np

from covey.catalogue import get, methods
from covey.engine import Engine, LocalEngine

Comparison = Literal[">=", "<=", "between"]


@dataclass(frozen=True)
class Claim:
    """Something measured, and the bound that it must keep.

    Parameters
    ----------
    text : str
        What was measured, in one plain sentence.
    measured : float
    bound : float or (float, float)
        A pair ``(low, high)`` when `comparison` is ``"between"``.
    comparison : {">=", "<=", "between"}
    baseline : float, optional
        What the compared method reached in the same run.
    baseline_name : str
    note : str

    Examples
    --------
    >>> Claim("area under the curve", 0.93, 0.9).holds
    True
    >>> Claim("rejection rate", float("nan"), (0.02, 0.08), "between").holds
    False
    """

    text: str
    measured: float
    bound: float | tuple[float, float]
    comparison: Comparison = ">="
    baseline: float | None = None
    baseline_name: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.comparison not in (">=", "<=", "between"):
            raise ValueError(f"comparison must be '>=', '<=' or 'between', got {self.comparison!r}")
        if isinstance(self.bound, tuple) != (self.comparison == "between"):
            raise ValueError(f"a bound of {self.bound!r} does not go with comparison {self.comparison!r}")

    @property
    def holds(self) -> bool:
        """Whether the measured value keeps the bound; NaN never does."""
        if isinstance(self.bound, tuple):
            return bool(self.bound[0] <= self.measured <= self.bound[1])
        return bool(self.measured >= self.bound if self.comparison == ">=" else self.measured <= self.bound)

    @property
    def bound_text(self) -> str:
        """The bound as a person would write it."""
        if isinstance(self.bound, tuple):
            return f"{self.bound[0]:.4g} to {self.bound[1]:.4g}"
        return f"{self.comparison} {self.bound:.4g}"


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    id : str
        The system in the catalogue.
    title : str
    claims : tuple of Claim
    seconds : float
        Wall-clock time of the study.
    notes : tuple of str
        What a reader should know: the data, and where a bound differs from the paper's and why.
    quick : bool
        True for the short form.
    error : str
        Traceback when the study raised; ``""`` otherwise.
    """

    id: str
    title: str
    claims: tuple[Claim, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    quick: bool = False
    error: str = ""

    @property
    def holds(self) -> bool:
        """True when the study ended, made at least one claim, and every claim holds."""
        return not self.error and bool(self.claims) and all(claim.holds for claim in self.claims)

    @property
    def verdict(self) -> str:
        """``"held"``, ``"failed: ..."`` with the error, or how many claims were not held."""
        if self.error:
            return f"failed: {self.error.strip().splitlines()[-1]}"
        missed = sum(not claim.holds for claim in self.claims)
        return "held" if self.holds else f"{missed} of {len(self.claims)} claims not held"


def study_of(id: str) -> Callable[[Callable[[bool, int], Iterator[Claim | str]]], Callable[..., StudyResult]]:
    """Make a study of a generator ``(quick, random_state)`` that yields claims, and notes as plain strings.

    Examples
    --------
    >>> @study_of("s311")
    ... def two_claims(quick, random_state):
    ...     yield "A note."
    ...     yield Claim("one", 1.0, 0.5)
    >>> result = two_claims(quick=True)
    >>> result.holds, result.notes
    (True, ('A note.',))
    """

    def decorate(body: Callable[[bool, int], Iterator[Claim | str]]) -> Callable[..., StudyResult]:
        @wraps(body)
        def run_body(quick: bool = False, random_state: int = 0) -> StudyResult:
            start = perf_counter()
            yielded = list(body(quick, random_state))
            return StudyResult(
                id=id,
                title=get(id).title,
                claims=tuple(item for item in yielded if isinstance(item, Claim)),
                seconds=perf_counter() - start,
                notes=tuple(item for item in yielded if isinstance(item, str)),
                quick=quick,
            )

        return run_body

    return decorate


def run(id: str, quick: bool = False, random_state: int = 0) -> StudyResult:
    """Run the study of one system; a study that raises is a result that does not hold, with its traceback.

    Raises
    ------
    ValueError
        If the catalogue has no system `id`.
    """
    method = get(id)
    start = perf_counter()
    try:
        return method.load_study()(quick=quick, random_state=random_state)
    except Exception:
        return StudyResult(id, method.title, (), perf_counter() - start, quick=quick, error=format_exc())


def run_all(
    quick: bool = False,
    ids: Iterable[str] | None = None,
    engine: Engine | None = None,
    progress: Callable[[StudyResult], None] | None = None,
) -> list[StudyResult]:
    """Run the studies of all systems, or of those in `ids`, in the catalogue's order.

    Parameters
    ----------
    quick : bool
        Run the short forms (about ten seconds each).
    ids : iterable of str, optional
    engine : Engine, optional
        Where the studies run; by default one after another, because some compare times.
    progress : callable, optional
        Called with each result as it arrives.

    Returns
    -------
    list of StudyResult
    """

    def one(id: str) -> StudyResult:
        result = run(id, quick)
        if progress is not None:
            progress(result)
        return result

    wanted = [get(id).id for id in ids] if ids is not None else [method.id for method in methods()]
    return (engine or LocalEngine(1)).map(one, wanted)


def to_markdown(results: Sequence[StudyResult]) -> str:
    """A page: one summary table, then the claims of each study.

    Examples
    --------
    >>> page = to_markdown([StudyResult("s311", "A title", (Claim("accuracy", 0.9, 0.8),), 1.2)])
    >>> print(page.splitlines()[6])
    | [s311](#s311) | A title | held | 1.2 |
    """
    return _page({r.id: _row(r) for r in results}, {r.id: "\n".join(_section(r)) for r in results})


def renew(page: str, results: Sequence[StudyResult]) -> str:
    """A page of `to_markdown` with new results in place of old ones of the same systems, in the catalogue's order.

    Parameters
    ----------
    page : str
        Sections that are no system's stay at its end.
    results : sequence of StudyResult

    Examples
    --------
    >>> old = to_markdown([StudyResult("s311", "A title", (Claim("accuracy", 0.9, 0.8),), 1.2)])
    >>> new = renew(old, [StudyResult("s215", "Another", (Claim("error", 0.9, 0.8, "<="),), 2.0)])
    >>> new.splitlines()[2]
    '1 of 2 studies hold. Written by `covey study run --all`.'
    """
    rows = {found[1]: found[0] for found in re.finditer(r"^\| \[(s\d+)\]\(.*$", page, re.MULTILINE)}
    parts = [part.strip() for part in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]]
    sections = {part.split()[1]: part for part in parts}
    rows |= {r.id: _row(r) for r in results}
    sections |= {r.id: "\n".join(_section(r)) for r in results}
    known = [method.id for method in methods() if method.id in rows]
    others = [id for id in sections if id not in rows]
    return _page({id: rows[id] for id in known}, {id: sections[id] for id in (*known, *others)})


def _page(rows: Mapping[str, str], sections: Mapping[str, str]) -> str:
    held = sum(" | held | " in row for row in rows.values())
    lines = [
        "# Studies",
        "",
        f"{held} of {len(rows)} studies hold. Written by `covey study run --all`.",
        "",
        "| system | title | verdict | seconds |",
        "|---|---|---|---:|",
        *rows.values(),
    ]
    return "\n".join(lines) + "".join(f"\n\n{section}" for section in sections.values()) + "\n"


def _row(result: StudyResult) -> str:
    return f"| [{result.id}](#{result.id}) | {_cell(result.title)} | {_cell(result.verdict)} | {result.seconds:.1f} |"


def _section(result: StudyResult) -> list[str]:
    lines = [
        f"## {result.id}",
        "",
        f"{result.title}{' (quick form)' if result.quick else ''}: {result.verdict}.",
    ]
    if result.claims:
        lines += ["", "| claim | measured | bound | baseline | holds |", "|---|---:|---|---|---|"]
        lines += [_claim_row(claim) for claim in result.claims]
    if result.notes:
        lines += ["", *(f"- {note}" for note in result.notes)]
    if result.error:
        lines += ["", "```text", *result.error.rstrip().splitlines(), "```"]
    return lines


def _claim_row(claim: Claim) -> str:
    text = f"{claim.text} ({claim.note})" if claim.note else claim.text
    baseline = "" if claim.baseline is None else f"{claim.baseline:.4g} {claim.baseline_name}".rstrip()
    cells = (text, f"{claim.measured:.4g}", claim.bound_text, baseline, "yes" if claim.holds else "**no**")
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def scrambled(method: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in that answers in the same shapes as `method`, with random numbers.

    A study module lists what it studies in ``METHODS = {"attribute": scrambled}`` (or another maker of
    stand-ins); the tests replace each attribute in turn and demand that the study then fails.

    Parameters
    ----------
    method : callable or estimator class
        Of a function the return value is scrambled (arrays, numbers, tuples, dataclasses); of a class with
        `fit`, the fitted attributes (those that end in an underscore).

    Examples
    --------
    >>> bool(scrambled(np.sort)(np.arange(4.0))[0] == 0.0)
    False
    """
    rng = np.random.default_rng(20)
    if inspect.isclass(method):
        return _scrambled_estimator(method, rng)

    @wraps(method)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return _noise_like(method(*args, **kwargs), rng)

    return stand_in


def scrambled_parts(*names: str) -> Callable[[Any], type]:
    """A maker of stand-ins of a class in which only some fitted attributes or answers of methods are random.

    For classes whose other attributes must stay right for anything to run.

    Parameters
    ----------
    *names : str
        Fitted attributes (ending in an underscore, set by ``fit``) and methods.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> x = np.arange(4.0)[:, None]
    >>> noise = scrambled_parts("transform")(StandardScaler)().fit(x)
    >>> float(noise.mean_[0]), bool(np.allclose(noise.transform(x).mean(), 0.0))
    (1.5, False)
    """
    attributes = [name for name in names if name.endswith("_")]

    def stand_in(method: Any) -> type:
        rng = np.random.default_rng(20)

        def answering(name: str) -> Callable[..., Any]:
            def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
                return _noise_like(getattr(method, name)(self, *args, **kwargs), rng)

            return answer

        def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
            method.fit(self, *args, **kwargs)
            for name in attributes:
                setattr(self, name, _noise_like(getattr(self, name), rng))
            return self

        body = {name: answering(name) for name in names if name not in attributes}
        return type(method.__name__, (method,), body | ({"fit": fit} if attributes else {}))

    return stand_in


def _scrambled_estimator(estimator: Any, rng: np.random.Generator) -> type:
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        estimator.fit(self, *args, **kwargs)
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        vars(self).update({name: _noise_like(value, rng) for name, value in fitted.items()})
        return self

    return type(estimator.__name__, (estimator,), {"fit": fit})


def _noise_like(value: Any, rng: np.random.Generator) -> Any:
    """`value` with every number in it replaced by a random one: floats in [-1, 1], integers up to twice."""
    if isinstance(value, bool | np.bool_):
        return bool(rng.integers(2))
    if isinstance(value, int | np.integer):
        return int(rng.integers(2 * abs(int(value)) + 2))
    if isinstance(value, float | np.floating):
        return float(rng.uniform(-1.0, 1.0))
    if isinstance(value, np.ndarray):
        return _noise_array(value, rng)
    if isinstance(value, list | tuple):
        return type(value)([_noise_like(item, rng) for item in value])
    if isinstance(value, dict):
        return {key: _noise_like(item, rng) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.init]
        return replace(value, **{name: _noise_like(getattr(value, name), rng) for name in names})
    return value


def _noise_array(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if values.dtype.kind == "b":
        return rng.integers(2, size=values.shape).astype(bool)
    if values.dtype.kind in "iu":
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        return rng.integers(low, high + 2, size=values.shape).astype(values.dtype)
    return rng.uniform(-1.0, 1.0, size=values.shape) if values.dtype.kind == "f" else values
