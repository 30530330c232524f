"""What a party may do to the rows that it sends, so that they tell less: bound their length, add noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from torch import Tensor

_FORMS = "write 'clip:NORM', 'noise:SCALE' or 'clip:NORM+noise:SCALE'"


@dataclass(frozen=True)
class Clip:
    """Rows longer than a norm are shortened to it.

    Parameters
    ----------
    norm : float
        Largest Euclidean length of a row, above 0.

    Examples
    --------
    >>> Clip(1.0)(torch.tensor([[3.0, 4.0], [0.3, 0.4]])).tolist()
    [[0.6..., 0.8...], [0.3..., 0.4...]]
    """

    norm: float

    def __post_init__(self) -> None:
        _check_positive("clip", self.norm)

    def __call__(self, rows: Tensor, generator: np.random.Generator | None = None) -> Tensor:
        """The shortened rows, shape (n_rows, n_values); differentiable. `generator` is not used."""
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        return rows / (length / self.norm).clamp(min=1.0)

    def __str__(self) -> str:
        return f"clip:{self.norm}"


@dataclass(frozen=True)
class GaussianNoise:
    """Independent normal noise on every value, after rows longer than a norm have been shortened to it.

    Parameters
    ----------
    scale : float
        Standard deviation of the noise, above 0, in units of the values.
    clip : float, optional
        Largest Euclidean length of a row before the noise, above 0. Without it a party that sends larger rows drowns
        the noise, and nothing can be said of what it hides.

    Notes
    -----
    Derivatives pass as if the noise were a constant. No privacy budget is accounted for. The algorithms draw the noise
    from their `random_state`, so that runs can be repeated; whoever knows that number can subtract the noise.

    Examples
    --------
    >>> rows = torch.zeros(1000, 4)
    >>> noisy = GaussianNoise(0.1)(rows, np.random.default_rng(0))
    >>> round(float(noisy.std()), 2)
    0.1
    """

    scale: float
    clip: float | None = None

    def __post_init__(self) -> None:
        _check_positive("noise", self.scale)
        if self.clip is not None:
            _check_positive("clip", self.clip)

    def __call__(self, rows: Tensor, generator: np.random.Generator) -> Tensor:
        """Noisy rows, shape (n_rows, n_values); differentiable."""
        kept = rows if self.clip is None else Clip(self.clip)(rows)
        noise = generator.standard_normal(tuple(rows.shape), dtype=np.float32)
        return kept + self.scale * torch.from_numpy(noise)

    def __str__(self) -> str:
        return f"noise:{self.scale}" if self.clip is None else f"clip:{self.clip}+noise:{self.scale}"


Defence = Clip | GaussianNoise


def parse_defence(text: str | None) -> Defence | None:
    """The defence that a setting names; None for none.

    Parameters
    ----------
    text : str, optional
        ``"clip:NORM"``, ``"noise:SCALE"`` or ``"clip:NORM+noise:SCALE"``; `str` of a defence gives it back.

    Returns
    -------
    Clip, GaussianNoise or None

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it has another form, or a number is not above 0.

    Examples
    --------
    >>> parse_defence("clip:1+noise:0.5")
    GaussianNoise(scale=0.5, clip=1.0)
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"a defence is a text or None, got {text!r}; {_FORMS}")
    parts = [part.partition(":") for part in text.split("+")]
    try:
        numbers = {kind.strip(): float(number) for kind, _, number in parts}
    except ValueError:
        raise ValueError(f"defence {text!r} has no number where one is due; {_FORMS}") from None
    match [kind.strip() for kind, _, _ in parts]:
        case ["clip"]:
            return Clip(numbers["clip"])
        case ["noise"]:
            return GaussianNoise(numbers["noise"])
        case ["clip", "noise"]:
            return GaussianNoise(numbers["noise"], numbers["clip"])
    raise ValueError(f"there is no defence {text!r}; {_FORMS}")


def _check_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a number above 0, got {value}")
