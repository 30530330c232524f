"""Markers of a binary outcome: odds ratio, chi-square and ROC of each, and markers of lesions in label volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special

from covey.measure._null import chi2_pvalue, false_discovery, normal_pvalue
from covey.table import FeatureTable, read

Array = NDArray[np.float64]
Cut = Literal["youden", "median"] | float | Sequence[float]

CONSTANT = "the marker is constant"
ONE_CLASS = "all rows with a value have the same outcome"
ONE_SIDE = "all values lie on one side of the cut"


def odds_ratio(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike, alpha: float = 0.05) -> tuple[Array, ...]:
    """Odds ratio ``ad / (bc)`` of 2 x 2 tables, with its Wald interval on the log scale.

    Where a cell is 0, one half is added to all four (Haldane and Anscombe).

    Parameters
    ----------
    a, b : array_like
        Rows with the marker, with and without the outcome.
    c, d : array_like
        Rows without the marker, with and without the outcome.
    alpha : float
        The interval covers ``1 - alpha``.

    Returns
    -------
    ratio, low, high : ndarray
        NaN where a row or a column of the table is empty.

    Raises
    ------
    ValueError
        If a count is negative or `alpha` is not in 0..1.

    References
    ----------
    Woolf (1955), On estimating the relation between blood group and disease, Ann. Hum. Genet. 19 (the interval).
    Haldane (1956), The estimation and significance of the logarithm of a ratio of frequencies, Ann. Hum. Genet. 20.

    Examples
    --------
    >>> [float(v.round(3)) for v in odds_ratio(10, 5, 4, 20)]
    [10.0, 2.191, 45.639]
    """
    cells = _cells(a, b, c, d)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in 0..1, got {alpha}")
    cells = np.where(_margins(cells).min(axis=0) > 0, cells, np.nan)
    cells = cells + 0.5 * (cells == 0).any(axis=0)
    log = np.log(cells)
    centre = log[0] + log[3] - log[1] - log[2]
    reach = special.ndtri(1.0 - alpha / 2.0) * np.sqrt((1.0 / cells).sum(axis=0))
    return np.exp(centre), np.exp(centre - reach), np.exp(centre + reach)


def two_by_two_chi_square(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike) -> tuple[Array, Array]:
    """Pearson's chi-square of 2 x 2 tables, without continuity correction, and its p-value.

    Parameters
    ----------
    a, b, c, d : array_like
        Counts, as for `odds_ratio`.

    Returns
    -------
    statistic, pvalue : ndarray
        NaN where a row or a column of the table is empty.

    Raises
    ------
    ValueError
        If a count is negative.

    References
    ----------
    Pearson (1900), On the criterion that a given system of deviations from the probable ... can be reasonably supposed
    to have arisen from random sampling, Philos. Mag. 50.

    Examples
    --------
    >>> statistic, pvalue = two_by_two_chi_square(10, 5, 4, 20)
    >>> float(statistic.round(4)), float(pvalue.round(4))
    (10.0286, 0.0015)
    """
    cells = _cells(a, b, c, d)
    product = _margins(cells).prod(axis=0)
    excess = cells[0] * cells[3] - cells[1] * cells[2]
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(product > 0, cells.sum(axis=0) * excess**2 / product, np.nan)
    return statistic, chi2_pvalue(statistic, 1.0)


def _cells(*counts: ArrayLike) -> Array:
    cells = np.stack(np.broadcast_arrays(*(np.asarray(count, dtype=np.float64) for count in counts)))
    if (cells < 0).any():
        raise ValueError("counts of a table cannot be negative")
    return cells


def _margins(cells: Array) -> Array:
    a, b, c, d = cells
    return np.stack([a + b, c + d, a + c, b + d])


def delong(cases: ArrayLike, controls: ArrayLike) -> tuple[float, float]:
    """Area under the ROC curve, and its standard error by DeLong's method.

    Parameters
    ----------
    cases, controls : array_like of shape (n_cases,) and (n_controls,)
        Values of the marker.

    Returns
    -------
    auc : float
        0..1: how often a case's value exceeds a control's, ties counted half.
    standard_error : float
        NaN where a class has fewer than two rows; 0 where the classes are separated, which says nothing.

    Raises
    ------
    ValueError
        If a class is empty or a value is missing.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44.

    Examples
    --------
    >>> auc, error = delong([2.0, 3.0, 5.0], [1.0, 2.0, 4.0, 0.0])
    >>> round(auc, 4), round(error, 4)
    (0.7917, 0.1925)
    """
    cases, controls = np.sort(np.asarray(cases, float)), np.sort(np.asarray(controls, float))
    if not len(cases) or not len(controls):
        raise ValueError("a ROC curve needs cases and controls")
    if np.isnan(cases[-1]) or np.isnan(controls[-1]):
        raise ValueError("values of the marker are missing; leave those rows out")
    wins, losses = _share_below(cases, controls), _share_below(controls, cases)
    if min(len(cases), len(controls)) < 2:
        return float(wins.mean()), float("nan")
    variance = wins.var(ddof=1) / len(cases) + losses.var(ddof=1) / len(controls)
    return float(wins.mean()), float(np.sqrt(variance))


def _share_below(values: Array, others: Array) -> Array:
    """Share of the sorted `others` below each value, equal ones counted half."""
    places = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
    return places / (2.0 * len(others))


def youden_cut(values: ArrayLike, outcome: ArrayLike) -> float:
    """The cut at which the shares of cases and of controls above it differ most, in either direction.

    Parameters
    ----------
    values : array_like of shape (n_samples,)
    outcome : array_like of shape (n_samples,), bool

    Returns
    -------
    float
        A value that occurs, the rows above it have the marker; the least of equally good ones. NaN for a constant.

    Raises
    ------
    ValueError
        If lengths differ, a value is missing, or all rows have the same outcome.

    References
    ----------
    Youden (1950), Index for rating diagnostic tests. Cancer 3.

    Examples
    --------
    >>> youden_cut([1.0, 2.0, 3.0, 4.0], [False, False, True, True])
    2.0
    """
    values, outcome = np.asarray(values, dtype=np.float64), np.asarray(outcome, dtype=bool)
    if values.shape != outcome.shape:
        raise ValueError(
            f"every row needs a value and an outcome, got {values.size} values and {outcome.size} outcomes"
        )
    if np.isnan(values).any():
        raise ValueError("values of the marker are missing; leave those rows out")
    if outcome.all() or not outcome.any():
        raise ValueError("a cut needs cases and controls")
    cuts = np.unique(values)[:-1]
    if not len(cuts):
        return float("nan")
    above_cases, above_controls = (
        1.0 - np.searchsorted(np.sort(values[part]), cuts, "right") / part.sum() for part in (outcome, ~outcome)
    )
    return float(cuts[np.argmax(np.abs(above_cases - above_controls))])


@dataclass(frozen=True, eq=False)
class MarkerTable:
    """What each marker says about a binary outcome; every array has shape (n_markers,).

    Parameters
    ----------
    names : tuple of str
    n : ndarray, int64
        Rows where the marker has a value.
    cut : ndarray
        Rows with a greater value have the marker.
    odds_ratio, low, high : ndarray
        Of having the marker, with the interval.
    chi2, pvalue, qvalue : ndarray
        Of the dichotomised marker. Where the cut was chosen by the outcome (``"youden"``) they are too small.
    auc, auc_low, auc_high : ndarray
        Area under the ROC curve of the marker itself with DeLong's interval; below 0.5 where cases have less. The
        interval is NaN for separated classes.
    auc_pvalue, auc_qvalue : ndarray
        Of the rank-sum test; they do not depend on the cut.
    reasons : tuple of str
        Why values are NaN; ``""`` where none is.
    """

    names: tuple[str, ...]
    n: NDArray[np.int64]
    cut: Array
    odds_ratio: Array
    low: Array
    high: Array
    chi2: Array
    pvalue: Array
    qvalue: Array
    auc: Array
    auc_low: Array
    auc_high: Array
    auc_pvalue: Array
    auc_qvalue: Array
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def discrimination(self) -> Array:
        """``max(auc, 1 - auc)``: how well the marker alone tells the classes apart, in either direction."""
        return np.maximum(self.auc, 1.0 - self.auc)

    def ranking(self) -> NDArray[np.intp]:
        """Positions of the markers, the most discriminating first, undefined ones last."""
        return np.argsort(-np.nan_to_num(self.discrimination, nan=-1.0), kind="stable")

    def records(self) -> list[dict[str, Any]]:
        """One dictionary a marker, most discriminating first, ready for a data frame or JSON."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        columns = {key: value if isinstance(value, tuple) else value.tolist() for key, value in columns.items()}
        return [{key: column[j] for key, column in columns.items()} for j in self.ranking()]

    def __repr__(self) -> str:
        best = f": {self.names[self.ranking()[0]]} first, AUC {self.discrimination[self.ranking()[0]]:.3f}"
        return f"<MarkerTable of {len(self)} markers{best}>"


def univariate_marker_table(
    X: Any, y: ArrayLike | str, cut: Cut = "youden", alpha: float = 0.05, positive: Any = None
) -> MarkerTable:
    """Odds ratio, chi-square and ROC of every numeric column for a binary outcome.

    Each marker is used as it is for the ROC curve, and above against below a cut for the other two. A column's
    missing and infinite values are left out.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_markers), FeatureTable, or anything that `covey.read` takes
        Of tables the numeric columns are markers.
    y : array_like of shape (n_samples,), or str
        Outcome with two values; or the name of a column of the table that holds it.
    cut : {"youden", "median"}, float or sequence of float
        ``"youden"`` chooses where cases and controls differ most, so that odds ratio and chi-square flatter the
        marker; the others do not look at the outcome. One number is for all markers, a sequence has one each.
    alpha : float
        Intervals cover ``1 - alpha``.
    positive : object, optional
        The value of `y` that makes a case; the greater by default. Of a named column of categories it may be the word.

    Returns
    -------
    MarkerTable

    Raises
    ------
    ValueError
        If `y` has not two values, lengths differ, there is no numeric column, or an argument is out of range.

    References
    ----------
    Relationship between pulmonary nodule malignancy and surrounding pleurae, airways and vessels (2021).
    arXiv:2106.12991. DeLong et al. (1988), Biometrics 44.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, size=400)
    >>> X = np.column_stack([rng.normal(size=400), rng.normal(size=400) + y])
    >>> table = univariate_marker_table(X, y, cut="median")
    >>> table
    <MarkerTable of 2 markers: x1 first, AUC 0.738>
    >>> table.odds_ratio.round(2)
    array([1.15, 4.72])
    """
    names, markers, labels = _markers(X, y)
    outcome = _cases(labels, positive)
    if len(outcome) != len(markers):
        raise ValueError(f"y has {len(outcome)} values for {len(markers)} rows")
    cuts = _cuts(cut, len(names))
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in 0..1, got {alpha}")
    rows = [_one_marker(markers[:, j], outcome, cuts[j], alpha) for j in range(len(names))]
    values = np.array([row[0] for row in rows], dtype=np.float64).T
    n, at, a, b, c, d, auc, auc_low, auc_high, auc_pvalue = values
    ratio, low, high = odds_ratio(a, b, c, d, alpha)
    chi2, pvalue = two_by_two_chi_square(a, b, c, d)
    return MarkerTable(
        names=names,
        n=n.astype(np.int64),
        cut=at,
        odds_ratio=ratio,
        low=low,
        high=high,
        chi2=chi2,
        pvalue=pvalue,
        qvalue=false_discovery(pvalue),
        auc=auc,
        auc_low=auc_low,
        auc_high=auc_high,
        auc_pvalue=auc_pvalue,
        auc_qvalue=false_discovery(auc_pvalue),
        reasons=tuple(row[1] for row in rows),
    )


def _markers(source: Any, y: Any) -> tuple[tuple[str, ...], Array, NDArray]:
    """Names and values of the markers, and the outcome's labels."""
    if isinstance(source, (np.ndarray, list, tuple)):
        values = np.asarray(source, dtype=np.float64)
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(f"X must have the shape (n_samples, n_markers), got {values.shape}")
        if isinstance(y, str):
            raise ValueError(f"an array has no column {y!r}; give y as an array")
        return tuple(f"x{j}" for j in range(values.shape[1])), values, np.asarray(y)
    table = source if isinstance(source, FeatureTable) else read(source)
    outcome = y if isinstance(y, str) else None
    used = [column for column in table.columns() if column.kind == "numeric" and column.name != outcome]
    if not used:
        raise ValueError("the table has no numeric column to be a marker")
    labels = _labels(table, y) if isinstance(y, str) else np.asarray(y)
    return tuple(column.name for column in used), np.column_stack([column.values for column in used]), labels


def _labels(table: FeatureTable, name: str) -> NDArray:
    for column in table.columns():
        if column.name == name:
            if not column.is_coded:
                return column.values
            words = [str(word) for word in column.categories or ()]
            return np.array([None if code < 0 else words[code] for code in column.values], dtype=object)
    raise ValueError(f"the table has no column {name!r}")


def _cases(labels: NDArray, positive: Any) -> NDArray[np.bool_]:
    if labels.ndim != 1:
        raise ValueError(f"y must have one dimension, got shape {labels.shape}")
    if any(label is None or label != label for label in labels.tolist()):
        raise ValueError("y has missing values; drop those rows")
    found = sorted(set(labels.tolist()))
    if len(found) != 2:
        raise ValueError(f"y must have two values, it has {len(found)}")
    if positive is not None and positive not in found and str(positive) in found:
        positive = str(positive)
    if positive is not None and positive not in found:
        raise ValueError(f"positive={positive!r} is not a value of y, which are {found[0]!r} and {found[1]!r}")
    return labels == (found[1] if positive is None else positive)


def _cuts(cut: Cut, n_markers: int) -> list[str | float]:
    if isinstance(cut, str):
        if cut not in ("youden", "median"):
            raise ValueError(f"cut must be 'youden', 'median' or numbers, not {cut!r}")
        return [cut] * n_markers
    values = np.asarray(cut, dtype=np.float64)
    if values.ndim and values.shape != (n_markers,):
        raise ValueError(f"cut has {values.size} values for {n_markers} markers")
    return np.broadcast_to(values, n_markers).tolist()


def _one_marker(
    column: Array, outcome: NDArray[np.bool_], cut: str | float, alpha: float
) -> tuple[tuple[float, ...], str]:
    """Rows, cut, the four cells, AUC, its interval and p-value of a marker; and why some are NaN."""
    present = np.isfinite(column)
    values, cases = column[present], outcome[present]
    n, n_cases = len(values), int(cases.sum())
    reason = ONE_CLASS if n_cases in (0, n) else CONSTANT if (values == values[0]).all() else ""
    if reason:
        return (float(n), *[np.nan] * 9), reason
    at = float(np.median(values)) if cut == "median" else youden_cut(values, cases) if cut == "youden" else float(cut)
    above = values > at
    cells = [float(np.sum(part)) for part in (above & cases, above & ~cases, ~above & cases, ~above & ~cases)]
    auc, error = delong(values[cases], values[~cases])
    reach = special.ndtri(1.0 - alpha / 2.0) * error if error > 0 else np.nan
    ends = np.clip([auc - reach, auc + reach], 0.0, 1.0)
    reason = ONE_SIDE if above.all() or not above.any() else ""
    return (float(n), at, *cells, auc, *ends, _rank_sum_pvalue(auc, values, n_cases)), reason


def _rank_sum_pvalue(auc: float, values: Array, n_cases: int) -> float:
    """Two-sided p-value of an AUC by the normal limit of the rank sum, corrected for ties."""
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    spread = (n + 1.0) - (ties**3 - ties).sum() / (n * (n - 1.0))
    return float(normal_pvalue((auc - 0.5) / np.sqrt(spread / (12.0 * n_cases * (n - n_cases)))))


def distance_features(
    lesions: ArrayLike,
    structures: Mapping[str, ArrayLike],
    spacing: float | Sequence[float] = 1.0,
    shell: float = 6.0,
    touch: float = 1.5,
) -> tuple[tuple[str, ...], Array]:
    """How near lesions are to structures, how many branches reach them, and how much of their surroundings is filled.

    For each lesion and each structure: the least distance between their voxels; the number of pieces of the
    structure within the shell that touch the lesion, or that are elongated and point at it; and the structure's share
    of the shell's volume.

    Parameters
    ----------
    lesions : array_like of shape (depth, height, width), int
        0 is background; each other label is a lesion.
    structures : mapping of str to array_like of the same shape, bool
    spacing : float or sequence of 3 float
        Edges of a voxel, in mm.
    shell : float
        The surroundings of a lesion are the voxels at most so many mm from it, outside it.
    touch : float
        Pieces at most so many mm from the lesion touch it.

    Returns
    -------
    names : tuple of str
        ``"<structure> distance"``, ``"<structure> count"``, ``"<structure> volume"`` for each structure.
    values : ndarray of shape (n_lesions, 3 * n_structures)
        In the order of the lesions' labels. Distance in mm, NaN where the structure is empty; volume in 0..1.

    Raises
    ------
    ValueError
        If shapes differ, there is no lesion or no structure, or a length is not positive.

    References
    ----------
    Relationship between pulmonary nodule malignancy and surrounding pleurae, airways and vessels (2021).
    arXiv:2106.12991.

    Examples
    --------
    >>> lesions = np.zeros((20, 20, 20), dtype=int)
    >>> lesions[9:12, 9:12, 9:12] = 1
    >>> airway = np.zeros(lesions.shape, dtype=bool)
    >>> airway[10, 10, 12:] = True
    >>> names, values = distance_features(lesions, {"airway": airway})
    >>> names[:2], values[0, :2].tolist()
    (('airway distance', 'airway count'), [1.0, 1.0])
    """
    labels, masks, edges = _volumes(lesions, structures, spacing, shell, touch)
    distances = [
        ndimage.distance_transform_edt(~mask, sampling=edges) if mask.any() else np.full(mask.shape, np.nan)
        for mask in masks
    ]
    rows = [
        [value for mask, distance in zip(masks, distances) for value in (distance[whole][lesion].min(), *around(mask))]
        for whole, lesion, around in _surroundings(labels, edges, shell, touch)
    ]
    names = tuple(f"{name} {what}" for name in structures for what in ("distance", "count", "volume"))
    return names, np.array(rows, dtype=np.float64)


def _volumes(
    lesions: ArrayLike, structures: Mapping[str, ArrayLike], spacing: Any, shell: float, touch: float
) -> tuple[NDArray[np.integer], list[NDArray[np.bool_]], Array]:
    labels = np.asarray(lesions)
    if labels.ndim != 3 or not np.issubdtype(labels.dtype, np.integer) or not (labels > 0).any():
        raise ValueError("lesions must be a volume of integers with at least one label above 0")
    if not structures:
        raise ValueError("structures is empty; name at least one")
    masks = [np.asarray(mask, dtype=bool) for mask in structures.values()]
    for name, mask in zip(structures, masks):
        if mask.shape != labels.shape:
            raise ValueError(f"structure {name!r} has shape {mask.shape}, the lesions have {labels.shape}")
    edges = np.broadcast_to(np.asarray(spacing, dtype=np.float64), 3)
    if min(shell, touch, *edges) <= 0:
        raise ValueError("spacing, shell and touch must be positive")
    return labels, masks, edges


class _Surroundings:
    """Count and volume of a structure around one lesion."""

    def __init__(
        self, box: tuple[slice, ...], lesion: NDArray[np.bool_], edges: Array, shell: float, touch: float
    ) -> None:
        self.box, self.edges, self.touch = box, edges, touch
        self.distance = ndimage.distance_transform_edt(~lesion, sampling=edges)
        self.shell = (self.distance <= shell) & ~lesion
        self.centre = np.argwhere(lesion).mean(axis=0) * edges
        self.radius = np.cbrt(3.0 * lesion.sum() * edges.prod() / (4.0 * np.pi))

    def __call__(self, mask: NDArray[np.bool_]) -> tuple[int, float]:
        near = mask[self.box] & self.shell
        pieces, n_pieces = ndimage.label(near, structure=np.ones((3, 3, 3)))
        reaching = sum(self._reaches(pieces == k) for k in range(1, n_pieces + 1))
        return reaching, float(near.sum() / max(int(self.shell.sum()), 1))

    def _reaches(self, piece: NDArray[np.bool_]) -> bool:
        return bool(self.distance[piece].min() <= self.touch) or self._points(np.argwhere(piece) * self.edges)

    def _points(self, places: Array) -> bool:
        """Whether a piece more than twice as long as wide has an axis that meets the lesion."""
        if len(places) < 3:
            return False
        middle = places.mean(axis=0)
        _, lengths, axes = np.linalg.svd(places - middle, full_matrices=False)
        towards = self.centre - middle
        aside = np.linalg.norm(towards - (towards @ axes[0]) * axes[0])
        return bool(lengths[0] > 2.0 * lengths[1] and aside <= self.radius)


def _surroundings(
    labels: NDArray[np.integer], edges: Array, shell: float, touch: float
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.bool_], _Surroundings]]:
    """For each lesion its box with the shell's margin, the lesion in it, and what measures structures around it."""
    margin = np.ceil(shell / edges).astype(int)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = tuple(slice(max(s.start - m, 0), s.stop + m) for s, m in zip(box, margin))
            lesion = labels[wide] == label
            yield wide, lesion, _Surroundings(wide, lesion, edges, shell, touch)
