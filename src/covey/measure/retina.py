"""How the correlation of a stimulus becomes the correlation of the cells that see it, and which adaptations hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft2, rfft2
from scipy.signal import lfilter, oaconvolve
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from covey.measure._associate import associate

Array = NDArray[np.float64]
Mechanism = Literal["kernel", "surround", "gain"]
MECHANISMS: tuple[Mechanism, ...] = ("kernel", "surround", "gain")
POSITIVE = (
    "spacing",
    "centre_sigma",
    "surround_sigma",
    "time_constant",
    "fastest_time_constant",
    "contrast_offset",
    "peak_rate",
)
FRAMES_A_BLOCK = 1024


def correlated_movie(
    n_frames: int,
    shape: tuple[int, int],
    spatial_exponent: float = 0.0,
    temporal_correlation: float = 0.0,
    random_state: int | np.random.Generator | None = None,
) -> Array:
    """Gaussian movie with a power-law spectrum in space and first-order autoregression in time.

    Parameters
    ----------
    n_frames : int
    shape : (int, int)
        Height and width, at least 2 each. The picture is periodic: its edges meet.
    spatial_exponent : float
        Power falls as ``1 / f ** spatial_exponent``: 0 is white noise, 2 is about that of natural scenes. The mean
        over the picture has the power of the lowest frequency.
    temporal_correlation : float
        Correlation of a pixel with itself one frame before, 0 to below 1.
    random_state : int, Generator or None

    Returns
    -------
    ndarray of shape (n_frames, height, width)
        Every pixel has mean 0 and variance 1 in expectation.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    Simmons, Prentice, Tkacik, Homann, Yee, Palmer, Nelson and Balasubramanian (2013), Transformation of Stimulus
    Correlations by the Retina. PLoS Comput. Biol. 9. arXiv:1307.0058.

    Examples
    --------
    >>> movie = correlated_movie(2000, (8, 8), spatial_exponent=2.0, temporal_correlation=0.9, random_state=0)
    >>> pixel, neighbour = movie[:, 3, 3], movie[:, 3, 4]
    >>> bool(np.corrcoef(pixel, neighbour)[0, 1] > 0.4), bool(np.corrcoef(pixel[1:], pixel[:-1])[0, 1] > 0.85)
    (True, True)
    """
    if n_frames < 1 or min(shape) < 2:
        raise ValueError(f"a movie needs a frame, and pictures of 2 by 2, got n_frames={n_frames} and shape={shape}")
    if not 0.0 <= temporal_correlation < 1.0:
        raise ValueError(f"temporal_correlation must lie in 0 to below 1, got {temporal_correlation}")
    rng = np.random.default_rng(random_state)
    movie = rng.standard_normal((n_frames, *shape))
    if spatial_exponent != 0.0:
        amplitude = _power_law(shape, spatial_exponent)
        for start in range(0, n_frames, FRAMES_A_BLOCK):
            block = movie[start : start + FRAMES_A_BLOCK]
            block[:] = irfft2(rfft2(block) * amplitude, s=shape)
    if temporal_correlation > 0.0:
        movie[1:] *= np.sqrt(1.0 - temporal_correlation**2)
        movie = lfilter([1.0], [1.0, -temporal_correlation], movie, axis=0)
    return movie


def _power_law(shape: tuple[int, int], exponent: float) -> Array:
    """Gains of the frequencies of `rfft2` that keep the variance of a pixel at 1."""
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequency[0, 0] = min(1.0 / height, 1.0 / width)
    power = frequency**-exponent
    return np.sqrt(power / power.mean())[:, : width // 2 + 1]


class RetinaLN(BaseEstimator):
    """Grid of linear-nonlinear ganglion cells that adapt to the stimulus they are fitted to.

    A cell counts ``Poisson(peak_rate * max(gain * drive - threshold, 0))`` a frame, where `drive` is the movie under
    a difference of Gaussians, convolved with a biphasic temporal kernel. Three things may adapt. The kernel's time
    constant falls from `time_constant` to `fastest_time_constant` as the correlation of pixels with themselves one
    frame before goes from 0 to 1. The weight of the surround rises from `surround_weight` to `strongest_surround` with
    the correlation of pixels with their neighbours one frame before: the surround acts late, so that correlation in
    space alone teaches it nothing. The gain is ``1 / (contrast_offset + standard deviation of the drive)``. What does
    not adapt keeps the value that white noise of contrast 1 would give.

    Parameters
    ----------
    grid : (int, int)
        Rows and columns of cells, centred on the picture.
    spacing : float
        Pixels between neighbouring cells.
    centre_sigma, surround_sigma : float
        Standard deviations of the two Gaussians in pixels.
    surround_weight, strongest_surround : float
        Volume of the surround relative to the centre, at rest and when fully adapted.
    time_constant, fastest_time_constant : float
        Frames, at rest and when fully adapted.
    contrast_offset : float
        In units of the drive's standard deviation under white noise.
    threshold : float
        In units of the scaled drive.
    peak_rate : float
        Expected counts a frame for each unit of scaled drive above the threshold.
    adapt : sequence of {"kernel", "surround", "gain"}

    Attributes
    ----------
    mean_ : float
        Of all pixels.
    positions_ : ndarray of shape (n_cells, 2)
        Row and column of the centres, in pixels.
    spatial_filters_ : ndarray of shape (n_cells, height, width)
        Differences of Gaussians; at rest of norm 1.
    temporal_kernel_ : ndarray of shape (n_lags,)
        Of norm 1; the first weight is that of the present frame.
    surround_weight_, time_constant_ : float
    gain_ : ndarray of shape (n_cells,)
    spatial_correlation_, temporal_correlation_ : float
        Of the movie: pixels with their neighbours one frame before, and with themselves one frame before.

    Notes
    -----
    Movies have three axes, so that scikit-learn's checks for tables do not apply.

    References
    ----------
    Simmons, Prentice, Tkacik, Homann, Yee, Palmer, Nelson and Balasubramanian (2013), Transformation of Stimulus
    Correlations by the Retina. PLoS Comput. Biol. 9. arXiv:1307.0058.

    Examples
    --------
    >>> white = correlated_movie(2000, (16, 16), random_state=0)
    >>> natural = correlated_movie(2000, (16, 16), 2.0, 0.9, random_state=0)
    >>> at_rest, adapted = RetinaLN(grid=(3, 3)).fit(white), RetinaLN(grid=(3, 3)).fit(natural)
    >>> adapted.time_constant_ < at_rest.time_constant_, adapted.surround_weight_ > at_rest.surround_weight_
    (True, True)
    >>> adapted.sample(natural, random_state=0).shape
    (2000, 9)
    """

    def __init__(
        self,
        grid: tuple[int, int] = (8, 8),
        spacing: float = 3.0,
        centre_sigma: float = 1.2,
        surround_sigma: float = 3.0,
        surround_weight: float = 0.5,
        strongest_surround: float = 1.0,
        time_constant: float = 2.0,
        fastest_time_constant: float = 0.8,
        contrast_offset: float = 0.2,
        threshold: float = 0.5,
        peak_rate: float = 1.0,
        adapt: Sequence[Mechanism] = MECHANISMS,
    ) -> None:
        self.grid = grid
        self.spacing = spacing
        self.centre_sigma = centre_sigma
        self.surround_sigma = surround_sigma
        self.surround_weight = surround_weight
        self.strongest_surround = strongest_surround
        self.time_constant = time_constant
        self.fastest_time_constant = fastest_time_constant
        self.contrast_offset = contrast_offset
        self.threshold = threshold
        self.peak_rate = peak_rate
        self.adapt = adapt

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Adapt to a movie of shape (n_frames, height, width); its mean is taken as gray.

        Raises
        ------
        ValueError
            If the movie is not finite or too short, does not hold the grid, or an argument is out of range.
        """
        movie = _movie(X)
        self._check_arguments(movie.shape[1:])
        self.mean_ = float(movie.mean())
        self.positions_ = _grid(self.grid, self.spacing, movie.shape[1:])
        self.spatial_correlation_, self.temporal_correlation_ = _lagged_correlations(movie - self.mean_)
        self.surround_weight_ = self._adapted(
            "surround", self.surround_weight, self.strongest_surround, self.spatial_correlation_
        )
        self.time_constant_ = self._adapted(
            "kernel", self.time_constant, self.fastest_time_constant, self.temporal_correlation_
        )
        centre = _gaussians(self.positions_, self.centre_sigma, movie.shape[1:])
        surround = _gaussians(self.positions_, self.surround_sigma, movie.shape[1:])
        rest = np.linalg.norm(centre - self.surround_weight * surround, axis=(1, 2), keepdims=True)
        self.spatial_filters_ = (centre - self.surround_weight_ * surround) / rest
        self.temporal_kernel_ = biphasic_kernel(self.time_constant_)
        contrast = self.drive(movie).std(axis=0) if "gain" in self.adapt else np.ones(len(self.positions_))
        self.gain_ = 1.0 / (self.contrast_offset + contrast)
        return self

    def _adapted(self, mechanism: Mechanism, rest: float, full: float, correlation: float) -> float:
        return rest + (full - rest) * max(correlation, 0.0) if mechanism in self.adapt else float(rest)

    def _check_arguments(self, shape: tuple[int, ...]) -> None:
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not set(self.adapt) <= set(MECHANISMS):
            raise ValueError(f"adapt must be of {MECHANISMS}, got {tuple(self.adapt)}")
        if min(self.grid) < 1 or any((n - 1) * self.spacing > side - 1 for n, side in zip(self.grid, shape)):
            raise ValueError(
                f"a grid of {self.grid} cells {self.spacing} pixels apart does not fit pictures of {shape}"
            )

    def input(self, X: ArrayLike) -> Array:
        """The movie, less gray, under the centre of each cell in each frame, shape (n_frames, n_cells)."""
        movie = self._seen(X)
        centre = _gaussians(self.positions_, self.centre_sigma, movie.shape[1:])
        return _under(movie, centre)

    def drive(self, X: ArrayLike) -> Array:
        """The movie under each cell's filter in space and time, shape (n_frames, n_cells); gray before it begins."""
        movie = self._seen(X)
        kernel = self.temporal_kernel_[:, None]
        return oaconvolve(_under(movie, self.spatial_filters_), kernel, axes=0)[: len(movie)]

    def predict(self, X: ArrayLike) -> Array:
        """Expected counts of each cell in each frame, shape (n_frames, n_cells)."""
        return self.peak_rate * np.maximum(self.gain_ * self.drive(X) - self.threshold, 0.0)

    def sample(self, X: ArrayLike, random_state: int | np.random.Generator | None = None) -> NDArray[np.int64]:
        """Poisson counts of each cell in each frame, shape (n_frames, n_cells)."""
        return np.random.default_rng(random_state).poisson(self.predict(X))

    def _seen(self, X: ArrayLike) -> Array:
        check_is_fitted(self, "temporal_kernel_")
        movie = _movie(X)
        if movie.shape[1:] != self.spatial_filters_.shape[1:]:
            raise ValueError(f"pictures must be of {self.spatial_filters_.shape[1:]}, got {movie.shape[1:]}")
        return movie - self.mean_


def _movie(X: ArrayLike) -> Array:
    movie = np.asarray(X, dtype=np.float64)
    if movie.ndim != 3 or len(movie) < 3 or min(movie.shape[1:]) < 2:
        raise ValueError(f"a movie has 3 frames or more of height and width 2 or more, got shape {movie.shape}")
    if not np.isfinite(movie).all():
        raise ValueError("the movie holds values that are not finite; fill them first")
    return movie


def _grid(grid: tuple[int, int], spacing: float, shape: tuple[int, ...]) -> Array:
    rows, columns = (
        (np.arange(n) - (n - 1) / 2.0) * spacing + (side - 1) / 2.0 for n, side in zip(grid, shape, strict=True)
    )
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def _gaussians(positions: Array, sigma: float, shape: tuple[int, ...]) -> Array:
    """Gaussians of volume 1, shape (n_cells, height, width)."""
    rows, columns = (
        np.exp(-((np.arange(side) - at[:, None]) ** 2) / (2.0 * sigma**2)) for side, at in zip(shape, positions.T)
    )
    bumps = rows[:, :, None] * columns[:, None, :]
    return bumps / bumps.sum(axis=(1, 2), keepdims=True)


def _under(movie: Array, filters: Array) -> Array:
    return movie.reshape(len(movie), -1) @ filters.reshape(len(filters), -1).T


def _lagged_correlations(movie: Array) -> tuple[float, float]:
    """Correlation of pixels with their four neighbours, and with themselves, one frame before."""
    now, before = movie[1:], movie[:-1]
    norm = np.sqrt(_dot(now, now) * _dot(before, before)) / now.size
    if norm == 0.0:
        return 0.0, 0.0
    aside = []
    for here, there in (
        ((slice(None), slice(1, None)), (slice(None), slice(-1))),
        ((..., slice(1, None)), (..., slice(-1))),
    ):
        pairs = now[here].size
        aside += [_dot(now[here], before[there]) / pairs, _dot(now[there], before[here]) / pairs]
    return float(np.mean(aside) / norm), float(_dot(now, before) / now.size / norm)


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("tij,tij->", a, b))


def biphasic_kernel(time_constant: float) -> Array:
    """Difference of two gamma densities of order 3, the second one half slower and of 0.9 the weight, of norm 1.

    Parameters
    ----------
    time_constant : float
        Frames; positive.

    Returns
    -------
    ndarray of shape (n_lags,)
        Weights of the present frame, the one before, and so on.

    Raises
    ------
    ValueError
        If `time_constant` is not positive.

    Examples
    --------
    >>> kernel = biphasic_kernel(2.0)
    >>> bool(kernel.max() > 0.0 > kernel.min()), round(float(kernel @ kernel), 6)
    (True, 1.0)
    """
    if not time_constant > 0.0:
        raise ValueError(f"time_constant must be positive, got {time_constant}")
    t = (np.arange(int(np.ceil(20.0 * time_constant)) + 1) + 0.5) / time_constant
    slow = t / 1.5
    kernel = t**2 * np.exp(-t) - 0.9 * slow**2 * np.exp(-slow) / 1.5
    return kernel / np.linalg.norm(kernel)


@dataclass(frozen=True, eq=False)
class StimulusCorrelationTransfer:
    """Correlation of each pair of cells under each stimulus: of what they see, and of what they answer.

    Parameters
    ----------
    stimuli : tuple of str
    reference : str
        The stimulus that others are compared with.
    distance : ndarray of shape (n_pairs,)
        Between the two cells.
    input, output : ndarray of shape (n_stimuli, n_pairs)
        Pearson correlations, -1..1; NaN where a cell's input or output is constant.
    """

    stimuli: tuple[str, ...]
    reference: str
    distance: Array
    input: Array
    output: Array

    @property
    def mean_input(self) -> dict[str, float]:
        """Mean input correlation under each stimulus, over the pairs that have one."""
        return dict(zip(self.stimuli, _row_means(self.input)))

    @property
    def mean_output(self) -> dict[str, float]:
        """Mean output correlation under each stimulus, over the pairs that have one."""
        return dict(zip(self.stimuli, _row_means(self.output)))

    @property
    def slope(self) -> float:
        """Change of a pair's output correlation by change of its input correlation, from stimulus to stimulus.

        Least squares with an intercept for each pair that is defined under all stimuli: 0 where outputs do not follow
        inputs, 1 where they follow fully, NaN where no input changes.
        """
        whole = np.isfinite(self.input).all(axis=0) & np.isfinite(self.output).all(axis=0)
        x, y = self.input[:, whole], self.output[:, whole]
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        return float(np.vdot(x, y) / np.vdot(x, x)) if x.any() else float("nan")

    @property
    def excess(self) -> dict[str, float]:
        """Excess correlation of each stimulus over the reference (see `excess_correlation`)."""
        base = self.output[self.stimuli.index(self.reference)]
        return {name: excess_correlation(row, base) for name, row in zip(self.stimuli, self.output)}

    def curve(self, stimulus: str) -> tuple[Array, Array, Array]:
        """Distances in rising order, and mean input and output correlation of the pairs at each.

        Raises
        ------
        ValueError
            If there is no such stimulus.
        """
        if stimulus not in self.stimuli:
            raise ValueError(f"no stimulus {stimulus!r}; choose one of {self.stimuli}")
        row = self.stimuli.index(stimulus)
        distances, which = np.unique(self.distance.round(9), return_inverse=True)
        at = [which == k for k in range(len(distances))]
        before, after = (np.array([_mean(side[row, here]) for here in at]) for side in (self.input, self.output))
        return distances, before, after


def stimulus_correlation_transfer(
    inputs: Mapping[str, ArrayLike],
    outputs: Mapping[str, ArrayLike],
    positions: ArrayLike,
    reference: str | None = None,
    radius: float | None = None,
    bin_width: int = 1,
) -> StimulusCorrelationTransfer:
    """Correlation of pairs of cells under several stimuli: of their inputs, and of their counts.

    Parameters
    ----------
    inputs : mapping of str to array-like of shape (n_frames, n_cells)
        For each stimulus, what each cell sees in each frame.
    outputs : mapping of str to array-like of shape (n_frames, n_cells)
        For the same stimuli, what each cell answers in each frame.
    positions : array-like of shape (n_cells, n_dimensions)
    reference : str, optional
        The first stimulus by default.
    radius : float, optional
        Leaves out pairs farther apart.
    bin_width : int
        Frames whose inputs and outputs are added up before they are correlated. Frames that fill no bin are left out.

    Returns
    -------
    StimulusCorrelationTransfer

    Raises
    ------
    ValueError
        If the stimuli or shapes of the two sides differ, no pair is within `radius`, or fewer than 3 bins are left.

    References
    ----------
    Simmons, Prentice, Tkacik, Homann, Yee, Palmer, Nelson and Balasubramanian (2013), Transformation of Stimulus
    Correlations by the Retina. PLoS Comput. Biol. 9. arXiv:1307.0058.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> white = rng.normal(size=(5000, 2))
    >>> tied = white + 2.0 * rng.normal(size=(5000, 1))
    >>> counts = {"white": rng.poisson(np.exp(white)), "tied": rng.poisson(np.exp(tied / 2.0))}
    >>> result = stimulus_correlation_transfer({"white": white, "tied": tied}, counts, [[0.0], [1.0]])
    >>> {name: round(value, 1) for name, value in result.mean_input.items()}
    {'white': -0.0, 'tied': 0.8}
    >>> 0.0 < result.slope < 1.0
    True
    """
    names = tuple(inputs)
    at = np.asarray(positions, dtype=np.float64)
    if not names or set(names) != set(outputs):
        raise ValueError(f"inputs and outputs must be of the same stimuli, got {names} and {tuple(outputs)}")
    reference = names[0] if reference is None else reference
    if reference not in names:
        raise ValueError(f"reference {reference!r} is none of the stimuli {names}")
    if at.ndim != 2 or len(at) < 2 or bin_width < 1:
        raise ValueError(f"two cells or more must have positions, and bins a frame, got {at.shape} and {bin_width}")
    distance = np.linalg.norm(at[:, None] - at[None, :], axis=2)
    first, second = np.triu_indices(len(at), 1)
    if radius is not None:
        near = distance[first, second] <= radius
        first, second = first[near], second[near]
    if not len(first):
        raise ValueError(f"no two cells are within {radius} of each other; the least distance is larger")
    before, after = (
        np.array([_correlations(side[name], len(at), bin_width, name)[first, second] for name in names])
        for side in (inputs, outputs)
    )
    return StimulusCorrelationTransfer(names, reference, distance[first, second], before, after)


def excess_correlation(correlation: ArrayLike, reference: ArrayLike) -> float:
    """By what share pairs are more correlated than the same pairs under a reference stimulus.

    The slope, less 1, of the line through the origin with least squared distance from the points of all pairs: the
    reference is as noisy as what is compared with it, and plain least squares would find too small a slope.

    Parameters
    ----------
    correlation, reference : array-like of shape (n_pairs,)
        Correlations of the same pairs; those where either is NaN are left out.

    Returns
    -------
    float
        0 where pairs are as correlated as under the reference, 0.5 where half as much again, -1 where not at all;
        NaN where the pairs of the reference are not correlated.

    Raises
    ------
    ValueError
        If shapes differ.

    References
    ----------
    Simmons, Prentice, Tkacik, Homann, Yee, Palmer, Nelson and Balasubramanian (2013), Transformation of Stimulus
    Correlations by the Retina. PLoS Comput. Biol. 9. arXiv:1307.0058.

    Examples
    --------
    >>> round(excess_correlation([0.15, 0.30, 0.0], [0.10, 0.20, 0.0]), 6)
    0.5
    """
    y, x = np.asarray(correlation, dtype=float), np.asarray(reference, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"every pair needs both correlations, got shapes {y.shape} and {x.shape}")
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    xx, xy, yy = x @ x, x @ y, y @ y
    if xx == 0.0:
        return float("nan")
    if xy == 0.0:
        return -1.0 if xx > yy else float("nan")
    return float((yy - xx + np.hypot(yy - xx, 2.0 * xy)) / (2.0 * xy) - 1.0)


def _correlations(values: ArrayLike, n_cells: int, bin_width: int, name: str) -> Array:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_cells or len(rows) < 3 * bin_width:
        raise ValueError(f"stimulus {name!r} needs 3 bins of {bin_width} frames by {n_cells} cells, got {rows.shape}")
    bins = rows[: len(rows) // bin_width * bin_width].reshape(-1, bin_width, n_cells).sum(axis=1)
    return associate(bins, measure="pearson").values


def _mean(values: Array) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def _row_means(values: Array) -> list[float]:
    return [_mean(row) for row in values]
