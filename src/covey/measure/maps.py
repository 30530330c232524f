"""Correlation of dense maps with masks of objects, by category and size; and the saliency of Itti, Koch and Niebur."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter

Array = NDArray[np.float64]
# Centre scales 2, 3, 4 with surrounds 3 and 4 octaves coarser, as in the paper.
CENTRES, STEPS = (2, 3, 4), (3, 4)
ORIENTATIONS = (0.0, 45.0, 90.0, 135.0)


@dataclass(frozen=True, eq=False)
class MapMaskCorrelation:
    """How dense maps follow the masks of categories.

    Parameters
    ----------
    correlation : ndarray of shape (n_images, n_categories)
        Pearson correlation over pixels, -1..1; NaN where the category is absent, fills the image, or the map is
        constant.
    size : ndarray of shape (n_images, n_categories)
        Share of pixels in the mask, 0..1.
    """

    correlation: Array
    size: Array

    @property
    def by_category(self) -> Array:
        """Mean over the images of each category, shape (n_categories,); NaN for one that never occurs."""
        return _nanmean(self.correlation, axis=0)

    @property
    def mean_average_rho(self) -> float:
        """Mean over categories of the mean over images."""
        return float(_nanmean(self.by_category, axis=0))

    def by_size(self, edges: ArrayLike) -> Array:
        """Mean correlation of masks by size.

        Parameters
        ----------
        edges : array-like of shape (n_bins + 1,)
            Ascending shares of pixels; a bin holds its lower edge.

        Returns
        -------
        ndarray of shape (n_bins,)
            NaN for an empty bin.

        Raises
        ------
        ValueError
            If edges do not ascend.

        References
        ----------
        Bartolo and Seychell (2024). arXiv:2411.02844.
        """
        cuts = np.asarray(edges, dtype=float)
        if cuts.ndim != 1 or len(cuts) < 2 or (np.diff(cuts) <= 0).any():
            raise ValueError(f"edges must ascend, and be at least two, got {edges!r}")
        which = np.digitize(self.size, cuts) - 1
        return np.array([_nanmean(self.correlation[which == b], axis=0) for b in range(len(cuts) - 1)])

    def interval(
        self,
        level: float = 0.95,
        *,
        against: MapMaskCorrelation | None = None,
        n_draws: int = 1000,
        random_state: int = 0,
    ) -> tuple[float, float]:
        """Bootstrap interval, over images, of the mean average rho, or of its difference from another map's.

        Parameters
        ----------
        level : float
            Above 0 and below 1.
        against : MapMaskCorrelation, optional
            Of the same images; the interval is then of the difference of paired draws.
        n_draws : int
        random_state : int

        Returns
        -------
        low, high : float

        Raises
        ------
        ValueError
            If `level` is out of range or `against` is of other images.

        References
        ----------
        Efron and Tibshirani (1993), An Introduction to the Bootstrap.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        if against is not None and against.correlation.shape != self.correlation.shape:
            raise ValueError("against must be of the same images and categories")
        rng = np.random.default_rng(random_state)
        draws = rng.integers(len(self.correlation), size=(n_draws, len(self.correlation)))
        values = _resampled(self.correlation, draws)
        if against is not None:
            values -= _resampled(against.correlation, draws)
        low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def _nanmean(values: Array, axis: int) -> Array:
    count = np.isfinite(values).sum(axis=axis)
    total = np.nansum(values, axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _resampled(correlation: Array, draws: NDArray[np.int64]) -> Array:
    """Mean average rho of each draw of images, shape (n_draws,)."""
    return np.array([_nanmean(_nanmean(correlation[rows], axis=0), axis=0) for rows in draws])


def map_mask_correlation(maps: ArrayLike, masks: ArrayLike) -> MapMaskCorrelation:
    """Pearson correlation of a map of each image with the mask of each category.

    Parameters
    ----------
    maps : array-like of shape (n_images, height, width)
        For instance saliency, depth or attention.
    masks : array-like of shape (n_images, n_categories, height, width)
        0 and 1, or shares of a pixel; all 0 where the category is absent.

    Returns
    -------
    MapMaskCorrelation

    Raises
    ------
    ValueError
        If the shapes do not agree, or values are not finite.

    References
    ----------
    Bartolo and Seychell (2024), Correlation of Object Detection Performance with Visual Saliency and Depth
    Estimation. arXiv:2411.02844.

    Examples
    --------
    >>> masks = np.zeros((1, 2, 4, 4))
    >>> masks[0, 0, :2] = 1
    >>> result = map_mask_correlation([np.repeat([[3.0], [3], [1], [1]], 4, axis=1)], masks)
    >>> result.correlation, result.mean_average_rho
    (array([[ 1., nan]]), 1.0)
    """
    m, k = np.asarray(maps, dtype=float), np.asarray(masks, dtype=float)
    if m.ndim != 3 or k.ndim != 4 or m.shape != (k.shape[0], *k.shape[2:]) or 0 in k.shape:
        raise ValueError(
            "maps must have shape (n_images, height, width) and masks (n_images, n_categories, height, width), "
            f"got {m.shape} and {k.shape}"
        )
    if not (np.isfinite(m).all() and np.isfinite(k).all()):
        raise ValueError("maps and masks must be finite: leave out the images that are not")
    flat, mask = m.reshape(len(m), 1, -1), k.reshape(*k.shape[:2], -1)
    spread, share = flat - flat.mean(axis=2, keepdims=True), mask.mean(axis=2)
    shape = mask - share[:, :, None]
    scale = np.sqrt((spread**2).sum(axis=2) * (shape**2).sum(axis=2))
    enough = scale > 1e-12 * np.sqrt((flat**2).sum(axis=2) * (mask**2).sum(axis=2))
    rho = np.divide((spread * shape).sum(axis=2), scale, out=np.full(scale.shape, np.nan), where=enough)
    return MapMaskCorrelation(np.clip(rho, -1.0, 1.0), share)


def itti_saliency(image: ArrayLike) -> Array:
    """Saliency by centre-surround differences of intensity, colour opponency and orientation.

    Pyramids of each channel are compared across scales; a map with one outstanding peak is promoted over one with
    many like ones (``(M - mean of local maxima)^2``); the three conspicuity maps are averaged.

    Parameters
    ----------
    image : array-like of shape (height, width) or (height, width, 3)
        Grey, or red, green and blue, not negative; at least 16 pixels on each side.

    Returns
    -------
    ndarray of shape (height, width)
        Not negative; 0 everywhere for an image of one colour.

    Raises
    ------
    ValueError
        If the image has another shape, is too small, or has negative or infinite values.

    Notes
    -----
    Scales are Gaussian blurs of the image at ``2 ** scale`` pixels on one grid, in place of subsampled pyramids; for
    images whose shorter side is less than 512 pixels, scales are finer in proportion, so that the coarsest surround
    is half the side. Orientation is told by derivatives of Gaussians in place of Gabor filters.

    References
    ----------
    Itti, Koch and Niebur (1998), A Model of Saliency-Based Visual Attention for Rapid Scene Analysis. IEEE TPAMI 20.

    Examples
    --------
    >>> image = np.zeros((64, 64))
    >>> image[20:28, 40:48] = 1
    >>> saliency = itti_saliency(image)
    >>> bool(saliency[20:28, 40:48].mean() > 5 * saliency[:, :30].mean())
    True
    """
    picture = np.asarray(image, dtype=float)
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 16:
        raise ValueError(f"image must be (height, width[, 3]) with 16 pixels or more a side, got {np.shape(image)}")
    if not np.isfinite(picture).all() or picture.min() < 0:
        raise ValueError("image must be finite and not negative")
    unit = min(min(picture.shape[:2]) / 512, 1.0)
    intensity, red_green, blue_yellow = _channels(picture)
    conspicuity = [
        _centre_surround([_blurred(intensity, unit)]),
        _centre_surround([_blurred(red_green, unit), _blurred(blue_yellow, unit)]),
        _centre_surround(_oriented(intensity, unit)),
    ]
    return np.mean([_promote(part) for part in conspicuity], axis=0)


def _channels(picture: Array) -> tuple[Array, Array, Array]:
    """Intensity, red against green, and blue against yellow; no hue where it is dark."""
    intensity = picture.mean(axis=2)
    lit = intensity > 0.1 * intensity.max()
    hue = np.divide(picture, intensity[:, :, None], out=np.zeros_like(picture), where=lit[:, :, None])
    r, g, b = np.moveaxis(hue, 2, 0)
    red, green, blue = (np.maximum(one - (two + three) / 2, 0) for one, two, three in ((r, g, b), (g, r, b), (b, r, g)))
    yellow = np.maximum((r + g) / 2 - np.abs(r - g) / 2 - b, 0)
    return intensity, red - green, blue - yellow


@lru_cache(maxsize=128)
def _blur(n: int, sigma: float, order: int = 0) -> Array:
    """Gaussian blur of `n` pixels, or its derivative, as a matrix: one serves all images of a size."""
    return gaussian_filter1d(np.eye(n), sigma, axis=0, order=order, mode="nearest")


def _scales(unit: float) -> dict[int, float]:
    return {scale: unit * 2.0**scale for scale in sorted({c + d for c in CENTRES for d in (0, *STEPS)})}


def _blurred(channel: Array, unit: float) -> dict[int, Array]:
    height, width = channel.shape
    return {s: _blur(height, sigma) @ channel @ _blur(width, sigma).T for s, sigma in _scales(unit).items()}


def _oriented(intensity: Array, unit: float) -> list[dict[int, Array]]:
    """Size of the directional derivative at each scale, one pyramid an orientation."""
    height, width = intensity.shape
    gradient = {
        s: (
            sigma * _blur(height, sigma) @ intensity @ _blur(width, sigma, 1).T,
            sigma * _blur(height, sigma, 1) @ intensity @ _blur(width, sigma).T,
        )
        for s, sigma in _scales(unit).items()
    }
    angles = np.deg2rad(ORIENTATIONS)
    return [{s: np.abs(np.cos(a) * x + np.sin(a) * y) for s, (x, y) in gradient.items()} for a in angles]


def _centre_surround(pyramids: list[dict[int, Array]]) -> Array:
    """Sum of promoted differences between each centre and its surrounds."""
    return np.sum([_promote(np.abs(p[c] - p[c + d])) for p in pyramids for c in CENTRES for d in STEPS], axis=0)


def _promote(feature: Array) -> Array:
    """Scale to 0..1, times the squared distance of the peak from the mean of the other local maxima."""
    peak = feature.max()
    if peak <= 1e-12:
        return np.zeros_like(feature)
    scaled = feature / peak
    local = scaled[(scaled == maximum_filter(scaled, size=2 * (min(feature.shape) // 16) + 1)) & (scaled < 1)]
    return scaled * (1 - (local.mean() if len(local) else 0.0)) ** 2
