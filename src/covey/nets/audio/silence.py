"""Features of an utterance: frames, their statistics, and the share of silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
REFERENCES: dict[str, Callable[[Array], Any]] = {"median": np.median, "mean": np.mean, "max": np.max}


def frames(wave: ArrayLike, length: int = 400, hop: int = 160) -> Array:
    """Overlapping stretches of a wave.

    Parameters
    ----------
    wave : array-like of shape (n_times,)
    length, hop : int
        Samples a frame, and from one frame's start to the next.

    Returns
    -------
    ndarray of shape (n_frames, length)
        A view of the wave; the rest that fills no frame is left out.

    Raises
    ------
    ValueError
        If the wave is shorter than a frame or holds values that are not finite, or an argument is not positive.

    Examples
    --------
    >>> frames([1.0, 2.0, 3.0, 4.0], length=2, hop=1)[:, 0]
    array([1., 2., 3.])
    """
    x = np.asarray(wave, dtype=np.float64)
    if length < 1 or hop < 1:
        raise ValueError(f"length and hop must be positive, got {length} and {hop}")
    if x.ndim != 1 or len(x) < length:
        raise ValueError(f"wave must have at least {length} values in one row, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("wave holds missing or infinite values")
    return np.lib.stride_tricks.sliding_window_view(x, length)[::hop]


def silence_ratio(
    wave: ArrayLike, factor: float = 0.3, reference: str = "median", length: int = 400, hop: int = 160
) -> float:
    """Share of the frames whose root mean square lies below `factor` times that of a reference frame.

    Parameters
    ----------
    wave : array-like of shape (n_times,)
    factor : float
        Positive; 0.3 was best in the paper.
    reference : {"median", "mean", "max"}
        Over the frames' root mean squares.
    length, hop : int
        As for `frames`.

    Returns
    -------
    float
        In 0..1; NaN where the whole wave is zero. It does not depend on the wave's loudness.

    Raises
    ------
    ValueError
        As `frames`, and if `factor` or `reference` is out of range.

    References
    ----------
    Atmaja and Akagi (2020), The Effect of Silence Feature in Dimensional Speech Emotion Recognition. arXiv:2003.01277.

    Examples
    --------
    >>> wave = np.concatenate([np.ones(3000), np.zeros(1000)])
    >>> silence_ratio(wave, length=100, hop=100)
    0.25
    """
    if factor <= 0:
        raise ValueError(f"factor must be positive, got {factor}")
    if reference not in REFERENCES:
        raise ValueError(f"reference must be one of {tuple(REFERENCES)}, not {reference!r}")
    energy = np.sqrt((frames(wave, length, hop) ** 2).mean(axis=1))
    level = REFERENCES[reference](energy)
    return float(np.mean(energy < factor * level)) if energy.any() else float("nan")


def frame_features(wave: ArrayLike, length: int = 400, hop: int = 160) -> Array:
    """Loudness, zero crossings and four numbers on the spectrum of each frame.

    Parameters
    ----------
    wave : array-like of shape (n_times,)
    length, hop : int
        As for `frames`.

    Returns
    -------
    ndarray of shape (n_frames, 6)
        Root mean square in decibels (at least -100); zero crossings a sample; centroid and width of the power spectrum,
        in 0..0.5 cycles a sample; its slope, decibels a cycle a sample; and the frequency below which 85 % of the
        power lie.

    Raises
    ------
    ValueError
        As `frames`.

    References
    ----------
    Atmaja and Akagi (2020), arXiv:2003.01277.

    Examples
    --------
    >>> frame_features(np.sin(0.2 * np.pi * np.arange(800)))[:, 2].round(2)
    array([0.1, 0.1, 0.1])
    """
    x = frames(wave, length, hop)
    loudness = 10.0 * np.log10(np.maximum((x**2).mean(axis=1), 1e-10))
    crossings = np.mean(np.signbit(x[:, 1:]) != np.signbit(x[:, :-1]), axis=1)
    power = np.abs(np.fft.rfft(x * np.hanning(length), axis=1)) ** 2 + 1e-12
    frequency = np.fft.rfftfreq(length)
    share = power / power.sum(axis=1, keepdims=True)
    centroid = share @ frequency
    width = np.sqrt(np.maximum(share @ frequency**2 - centroid**2, 0.0))
    centred = frequency - frequency.mean()
    slope = 10.0 * np.log10(power) @ centred / (centred @ centred)
    rolloff = frequency[np.argmax(np.cumsum(share, axis=1) >= 0.85, axis=1)]
    return np.column_stack([loudness, crossings, centroid, width, slope, rolloff])


def high_level_statistics(features: ArrayLike) -> Array:
    """Means and standard deviations of frame features over an utterance.

    Parameters
    ----------
    features : array-like of shape (n_frames, n_features)

    Returns
    -------
    ndarray of shape (2 * n_features,)
        All means, then all standard deviations.

    Raises
    ------
    ValueError
        If there is no frame.

    References
    ----------
    Atmaja and Akagi (2020), arXiv:2003.01277.

    Examples
    --------
    >>> high_level_statistics([[1.0, 0.0], [3.0, 0.0]])
    array([2., 0., 1., 0.])
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"features must have a row a frame, got shape {x.shape}")
    return np.concatenate([x.mean(axis=0), x.std(axis=0)])
