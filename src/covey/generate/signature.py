"""Signatures of paths: iterated integrals as features of irregular series, and a sparse regression on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import factorial as factorial_of
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.linear_model import Lasso, LassoCV, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, column_or_1d, validate_data

from covey.engine._local import one_blas_thread

Array = NDArray[np.float64]
Interpolation = Literal["linear", "forward"]
Penalty = Literal["lasso", "ridge"]
Word = tuple[int, ...]

MAX_DIM = 1_000_000  # numbers in one signature


def signature_dim(n_channels: int, depth: int) -> int:
    """How many iterated integrals a signature has: ``d + d ** 2 + ... + d ** depth``.

    Raises
    ------
    ValueError
        If `n_channels` or `depth` is below 1.

    Examples
    --------
    >>> signature_dim(2, 3)
    14
    """
    if n_channels < 1 or depth < 1:
        raise ValueError(f"n_channels and depth must be at least 1, got {n_channels} and {depth}")
    return sum(n_channels**k for k in range(1, depth + 1))


def signature_words(n_channels: int, depth: int, log: bool = False) -> list[Word]:
    """The words of a signature, in the order of its numbers: by length, then by letters.

    Parameters
    ----------
    n_channels, depth : int
    log : bool
        Only the Lyndon words, those smaller than each of their rotations: the words of a log-signature.

    Returns
    -------
    list of tuple of int

    Examples
    --------
    >>> signature_words(2, 2)
    [(0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]
    >>> signature_words(2, 3, log=True)
    [(0,), (1,), (0, 1), (0, 0, 1), (0, 1, 1)]
    """
    signature_dim(n_channels, depth)
    if log:
        return sorted(_lyndon(n_channels, depth), key=lambda word: (len(word), word))
    words: list[Word] = []
    level: list[Word] = [()]
    for _ in range(depth):
        level = [(*word, letter) for word in level for letter in range(n_channels)]
        words += level
    return words


def _lyndon(n_letters: int, length: int) -> Iterable[Word]:
    """Lyndon words up to a length, by Duval's algorithm."""
    word = [-1]
    while word:
        word[-1] += 1
        yield tuple(word)
        period = len(word)
        while len(word) < length:
            word.append(word[-period])
        while word and word[-1] == n_letters - 1:
            word.pop()


def path_signature(
    path: ArrayLike,
    depth: int = 3,
    times: ArrayLike | None = None,
    lead_lag: bool = False,
    log: bool = False,
    factorial: bool = False,
    stream: bool = False,
) -> Array:
    """Truncated signature of the polygon through points: all its iterated integrals up to an order.

    The integral of word ``(i, j, ...)`` is that of ``dx_i(s) dx_j(t) ...`` over ``s < t < ...``. Segment after segment
    is multiplied on by Chen's identity, in time proportional to the number of integrals. It does not change when
    the path is shifted or run at another speed, unless `times` is a channel of its own.

    Parameters
    ----------
    path : array-like of shape (n_points, n_channels) or (n_paths, n_points, n_channels)
        Without missing values; `SignatureTransformer` takes irregular and incomplete paths.
    depth : int
        Largest order of the integrals.
    times : array-like of shape (n_points,), optional
        Put before the channels as one more.
    lead_lag : bool
        Every channel except time becomes two, the second one step behind: a step moves first one, then the other. The
        areas between them are the sums of squared steps.
    log : bool
        The log-signature instead: its coefficients at the Lyndon words, from which all others follow.
    factorial : bool
        Multiply order k by ``k!``, which keeps the orders of similar size.
    stream : bool
        One signature up to each point, not only the last.

    Returns
    -------
    ndarray of shape (dim,), (n_points, dim), (n_paths, dim) or (n_paths, n_points, dim)
        Float64, in the order of `signature_words`. Channels are time, values, lagged values.

    Raises
    ------
    ValueError
        If shapes do not fit, values are missing or infinite, or the signature would have more than a million numbers.

    References
    ----------
    Chen (1958), Integration of Paths: A Faithful Representation of Paths by Non-commutative Formal Power Series.
    Chevyrev and Kormilitzin (2016), A Primer on the Signature Method in Machine Learning. arXiv:1603.03788.

    Examples
    --------
    A step to the right, then one up; the words (0, 1) and (1, 0) differ by twice the area that is enclosed:

    >>> path_signature([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], depth=2).tolist()
    [1.0, 1.0, 0.5, 1.0, 0.0, 0.5]
    >>> path_signature([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], depth=2, log=True).tolist()
    [1.0, 1.0, 0.5]
    """
    points = check_array(path, dtype=np.float64, allow_nd=True, ensure_2d=False, input_name="path")
    if points.ndim not in (2, 3):
        raise ValueError(f"path must have 2 or 3 dimensions, got {points.ndim}")
    paths = points[None] if points.ndim == 2 else points
    if times is not None:
        when = check_array(times, dtype=np.float64, ensure_2d=False, input_name="times")
        if when.shape != paths.shape[1:2]:
            raise ValueError(f"times must have one entry a point, {paths.shape[1]}, got shape {when.shape}")
        paths = np.concatenate([np.broadcast_to(when[:, None], (*paths.shape[:2], 1)), paths], axis=2)
    form = _Form(paths.shape[2], int(times is not None), depth, lead_lag, log, factorial)
    rows = np.arange(paths.shape[1]) if stream else np.array([paths.shape[1] - 1])
    out = np.stack([form(one, rows, one[rows]) for one in np.ascontiguousarray(paths)])
    out = out if stream else out[:, 0]
    return out[0] if points.ndim == 2 else out


@dataclass(frozen=True)
class _Form:
    """What is computed of a path of `n_columns` columns, of which the first `n_once` stay single under lead-lag."""

    n_columns: int
    n_once: int
    depth: int
    lead_lag: bool
    log: bool
    factorial: bool

    @property
    def n_channels(self) -> int:
        return 2 * self.n_columns - self.n_once if self.lead_lag else self.n_columns

    def __post_init__(self) -> None:
        dim = signature_dim(self.n_channels, self.depth)
        if dim > MAX_DIM:
            raise ValueError(
                f"a signature of {self.n_channels} channels to depth {self.depth} has {dim:,} numbers, "
                f"more than {MAX_DIM:,}; lower depth or take fewer channels"
            )

    def __call__(self, vertices: Array, last: NDArray[np.int64], ends: Array) -> Array:
        """Shape (n_ends, dim): of the polygon up to each vertex of `last`, which must not fall, and on to its end."""
        from covey.generate._signature_kernels import logarithms, trace

        out = np.empty((len(last), signature_dim(self.n_channels, self.depth)))
        trace(vertices, last.astype(np.int64), ends, self.depth, self.n_once, self.lead_lag, out)
        if self.log:
            out = logarithms(out, self.n_channels, self.depth)[:, self._lyndon_positions]
        return out * self._factorials if self.factorial else out

    @cached_property
    def words(self) -> list[Word]:
        return signature_words(self.n_channels, self.depth, self.log)

    @cached_property
    def _lyndon_positions(self) -> NDArray[np.intp]:
        d = self.n_channels
        return np.array([_position(word, d) for word in self.words])

    @cached_property
    def _factorials(self) -> Array:
        return np.array([factorial_of(len(word)) for word in self.words], dtype=np.float64)


def _position(word: Word, d: int) -> int:
    """Place of a word among all words by length, then letters."""
    place = 0
    for letter in word:
        place = place * d + letter
    return place + sum(d**k for k in range(1, len(word)))


@dataclass(frozen=True, eq=False)
class Path:
    """One individual's observations.

    Parameters
    ----------
    times : ndarray of shape (n_points,)
        Rising.
    values : ndarray of shape (n_points, n_channels)
        NaN where a channel was not observed.
    """

    times: Array
    values: Array

    def knots(self, interpolation: Interpolation) -> Array:
        """The values with every gap filled from the same channel; before its first observation, by the first."""
        filled = self.values.copy()
        for c, column in enumerate(self.values.T):
            seen = np.flatnonzero(~np.isnan(column))
            if len(seen) == len(column):
                continue
            if interpolation == "linear":
                filled[:, c] = np.interp(self.times, self.times[seen], column[seen])
            else:
                filled[:, c] = column[seen[np.maximum(np.searchsorted(seen, np.arange(len(column)), "right") - 1, 0)]]
        return filled

    def signatures(self, at: Array, form: _Form, interpolation: Interpolation) -> Array:
        """Signatures of the path up to each of the times `at`, shape (n_times, dim); rising order is not needed."""
        knots = self.knots(interpolation)
        order = np.argsort(at, kind="stable")
        knot = np.searchsorted(self.times, at[order], side="right") - 1
        if interpolation == "linear":
            ends = np.column_stack([np.interp(at[order], self.times, column) for column in knots.T])
            vertices, when, last = knots, self.times, knot
        else:  # time passes at the last value, which then jumps
            ends, last = knots[knot], 2 * knot
            vertices, when = np.repeat(knots, 2, axis=0)[:-1], np.repeat(self.times, 2)[1:]
        if form.n_once:
            vertices, ends = np.column_stack([when, vertices]), np.column_stack([at[order], ends])
        out = np.empty((len(at), len(form.words) if form.log else signature_dim(form.n_channels, form.depth)))
        out[order] = form(np.ascontiguousarray(vertices), last, np.ascontiguousarray(ends))
        return out


def as_paths(X: Any) -> list[Path]:
    """Paths of individuals from any of their forms.

    Parameters
    ----------
    X : list of (times, values), or array-like of shape (n_paths, n_points) or (n_paths, n_points, n_channels)
        Values of shape (n_points,) or (n_points, n_channels), NaN or masked where not observed. The times of an array
        are 0, 1, 2, ...

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        Naming the path, if times are missing or do not rise, values are infinite, a channel was never observed, or
        paths differ in channels.

    Examples
    --------
    >>> [path.values.shape for path in as_paths([([0.0, 0.5], [1.0, 2.0]), ([0.1], [3.0])])]
    [(2, 1), (1, 1)]
    """
    if _are_pairs(X):
        paths = [_path(times, values, i) for i, (times, values) in enumerate(X)]
    else:
        masked = isinstance(X, np.ma.MaskedArray)
        block: Any = X.astype(np.float64).filled(np.nan) if masked else X
        block = check_array(block, dtype=np.float64, allow_nd=True, ensure_all_finite="allow-nan", input_name="X")
        if block.ndim > 3:
            raise ValueError(f"X must have 2 or 3 dimensions, got {block.ndim}")
        times = np.arange(block.shape[1], dtype=np.float64)
        paths = [_path(times, values, i) for i, values in enumerate(block)]
    widths = {path.values.shape[1] for path in paths}
    if len(widths) > 1:
        raise ValueError(f"all paths must have the same channels, got {sorted(widths)} of them")
    return paths


def _are_pairs(X: Any) -> bool:
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(isinstance(pair, list | tuple) and len(pair) == 2 and np.ndim(pair[0]) == 1 for pair in X)
    )


def _path(times: Any, values: Any, i: int) -> Path:
    when = np.asarray(times, dtype=np.float64)
    masked = isinstance(values, np.ma.MaskedArray)
    seen = values.astype(np.float64).filled(np.nan) if masked else np.asarray(values, dtype=np.float64)
    seen = seen[:, None] if seen.ndim == 1 else seen
    if when.ndim != 1 or seen.ndim != 2 or len(when) != len(seen) or not seen.size:
        raise ValueError(
            f"path {i} has times of shape {when.shape} and values of shape {seen.shape}; "
            "give n times and n rows of values, n at least 1"
        )
    if not (np.isfinite(when).all() and (np.diff(when) > 0).all()):
        raise ValueError(f"the times of path {i} must be finite and rise; sort them and merge equal ones")
    if np.isinf(seen).any():
        raise ValueError(f"path {i} has infinite values (infinity); replace them, or mark them missing by NaN")
    never = np.flatnonzero(np.isnan(seen).all(axis=0))
    if len(never):
        raise ValueError(f"channel {never[0]} of path {i} was never observed; drop the path or fill the channel")
    return Path(when, seen)


class SignatureTransformer(TransformerMixin, BaseEstimator):
    """Signature of each path, which may be observed at its own times and with gaps.

    Parameters
    ----------
    depth : int
        Largest order of the iterated integrals.
    time : bool
        Whether time is the first channel; without it the speed of a path is lost.
    lead_lag, log, factorial : bool
        As in `path_signature`.
    interpolation : {"linear", "forward"}
        How a path runs between observations: straight, which looks ahead to the next one, or at the last value, which
        does not.

    Attributes
    ----------
    n_channels_ : int
        Channels of a path, without time.
    words_ : list of tuple of int
        The words of the columns.
    n_features_in_ : int

    References
    ----------
    Bleistein, Fermanian, Jannot and Guilloux (2023), Learning the Dynamics of Sparsely Observed Interacting Systems.
    ICML. arXiv:2301.11647.

    Examples
    --------
    Two individuals seen at their own times:

    >>> paths = [([0.0, 1.0, 4.0], [2.0, 3.0, 3.0]), ([0.0, 2.0], [0.0, 1.0])]
    >>> sig = SignatureTransformer(depth=2).fit(paths)
    >>> list(sig.get_feature_names_out())
    ['S(t)', 'S(x0)', 'S(t,t)', 'S(t,x0)', 'S(x0,t)', 'S(x0,x0)']
    >>> sig.transform(paths)
    array([[4. , 1. , 8. , 0.5, 3.5, 0.5],
           [2. , 1. , 2. , 1. , 1. , 0.5]])
    """

    def __init__(
        self,
        depth: int = 3,
        time: bool = True,
        lead_lag: bool = False,
        log: bool = False,
        factorial: bool = False,
        interpolation: Interpolation = "linear",
    ) -> None:
        self.depth = depth
        self.time = time
        self.lead_lag = lead_lag
        self.log = log
        self.factorial = factorial
        self.interpolation = interpolation

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the number of channels.

        Parameters
        ----------
        X : list of (times, values), or array-like of shape (n_paths, n_points) or (n_paths, n_points, n_channels)
            See `as_paths`.

        Raises
        ------
        ValueError
            If paths are not as `as_paths` demands, or an argument is out of range.
        """
        self._fit_channels(_checked_paths(self, X, reset=True))
        return self

    def _fit_channels(self, paths: list[Path]) -> None:
        if self.interpolation not in ("linear", "forward"):
            raise ValueError(f"interpolation must be 'linear' or 'forward', not {self.interpolation!r}")
        self.n_channels_ = paths[0].values.shape[1]
        self.words_ = self._form().words

    def _form(self) -> _Form:
        once = int(self.time)
        return _Form(self.n_channels_ + once, once, self.depth, self.lead_lag, self.log, self.factorial)

    def transform(self, X: Any) -> Array:
        """Signature of each whole path, shape (n_paths, n_words)."""
        check_is_fitted(self)
        paths = _checked_paths(self, X, reset=False)
        return np.concatenate(self._at(paths, [path.times[-1:] for path in paths]))

    def transform_at(self, X: Any, times: Any) -> list[Array]:
        """Signatures of each path from its start to each of some times.

        Parameters
        ----------
        X : as in `fit`
        times : array-like of shape (n_times,), or a list with such an array for each path
            Not before the first observation; after the last one the last value stays.

        Returns
        -------
        list of ndarray of shape (n_times, n_words)

        Raises
        ------
        ValueError
            If a time is missing or before a path starts.

        Examples
        --------
        >>> path = [([0.0, 1.0], [0.0, 2.0])]
        >>> SignatureTransformer(depth=1).fit(path).transform_at(path, [0.5, 3.0])[0].tolist()
        [[0.5, 1.0], [3.0, 2.0]]
        """
        check_is_fitted(self)
        paths = _checked_paths(self, X, reset=False)
        return self._at(paths, _each_times(times, paths))

    def _at(self, paths: list[Path], times: list[Array]) -> list[Array]:
        form = self._form()
        return [path.signatures(at, form, self.interpolation) for path, at in zip(paths, times, strict=True)]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names such as ``S(t,x0)``; lagged copies end in ``'``.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the channels, by default x0, x1, ...
        """
        check_is_fitted(self)
        given = None if input_features is None or len(input_features) != self.n_channels_ else input_features
        channels = [f"x{c}" for c in range(self.n_channels_)] if given is None else [str(name) for name in given]
        letters = ["t"] * int(self.time) + channels + [f"{name}'" for name in channels if self.lead_lag]
        head = "logS" if self.log else "S"
        return np.array([f"{head}({','.join(letters[i] for i in word)})" for word in self.words_], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan, tags.input_tags.three_d_array = True, True
        return tags


def _checked_paths(estimator: Any, X: Any, reset: bool) -> list[Path]:
    """Paths, their form held to that of fit."""
    if _are_pairs(X) or (isinstance(X, list | np.ndarray) and np.ndim(X) == 3):
        paths = as_paths(X)
        if reset:
            estimator.n_features_in_ = paths[0].values.shape[1]
            vars(estimator).pop("feature_names_in_", None)
    else:
        paths = as_paths(validate_data(estimator, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset))
    if not reset and paths[0].values.shape[1] != estimator.n_channels_:
        raise ValueError(f"paths have {paths[0].values.shape[1]} channels, but {estimator.n_channels_} were fitted")
    return paths


def _each_times(times: Any, paths: list[Path], name: str = "times") -> list[Array]:
    """Times for each path, from one array for all or a list of arrays."""
    if getattr(times, "ndim", 1) == 0 or not hasattr(times, "__len__"):
        raise ValueError(f"{name} must be a list of times, or one for each path, got {times!r}")
    each = [times] * len(paths) if _are_common(times) else list(np.asarray(times) if hasattr(times, "iloc") else times)
    if len(each) != len(paths):
        raise ValueError(f"{name} has entries for {len(each)} paths, but there are {len(paths)}")
    out = [np.asarray(at, dtype=np.float64) for at in each]
    for i, (at, path) in enumerate(zip(out, paths, strict=True)):
        if at.ndim != 1 or not np.isfinite(at).all():
            raise ValueError(f"{name} of path {i} must be a list of finite numbers")
        if len(at) and at.min() < path.times[0]:
            raise ValueError(f"{name} of path {i} has {at.min():g}, before its first observation at {path.times[0]:g}")
    return out


def _are_common(times: Any) -> bool:
    """Whether these are the times of all paths, no list with an array for each."""
    return all(np.ndim(entry) == 0 for entry in times) and not hasattr(times, "columns")


class SigLasso(RegressorMixin, BaseEstimator):
    """Linear model of a target on the signature of the path so far, for paths observed rarely and at their own times.

    A target driven by a path, ``dy = F(y) dx``, is nearly linear in the truncated signature of the path up to now. All
    observed targets of all individuals are the rows of one penalised regression, whose strength is chosen by cross
    validation that keeps an individual's rows together.

    Parameters
    ----------
    depth, time, lead_lag, log, factorial, interpolation
        As in `SignatureTransformer`; `factorial` changes the scale of `coef_` only.
    initial : bool
        The first value of each channel as columns: a signature knows increments only.
    penalty : {"lasso", "ridge"}
    order_weight : float
        Above 1 a column is penalised the more the higher its order: that of order k as if it were divided by
        ``order_weight ** (k - 1)`` after standardisation. What a path drives depends ever less on its higher orders.
    alpha : float, optional
        Strength of the penalty on standardised columns; by default chosen by cross validation.
    n_alphas : int
        Strengths that are tried.
    cv : int
        Folds over individuals, at most as many as there are individuals.

    Attributes
    ----------
    coef_ : ndarray of shape (n_columns,)
        On the columns as they are: signature, first values, static columns.
    intercept_ : float
    alpha_ : float
    words_ : list of tuple of int
        Of the signature's columns.
    n_features_in_, n_channels_, n_static_ : int

    References
    ----------
    Bleistein, Fermanian, Jannot and Guilloux (2023), Learning the Dynamics of Sparsely Observed Interacting Systems.
    ICML. arXiv:2301.11647.

    Examples
    --------
    The target is the integral of the squared value; each of 30 individuals is seen at 12 times, the target at three:

    >>> rng = np.random.default_rng(0)
    >>> when = [np.sort(np.append(0.0, rng.uniform(0, 1, 11))) for _ in range(30)]
    >>> paths = [(t, rng.normal() * t) for t in when]
    >>> targets = [(x[-1] / t[-1]) ** 2 * np.array([0.2, 0.5, 0.9]) ** 3 / 3 for t, x in paths]
    >>> model = SigLasso(depth=3).fit(paths, targets, times=[0.2, 0.5, 0.9])
    >>> model.predict(paths, times=[0.0, 0.9]).shape, bool(model.score(paths, targets, times=[0.2, 0.5, 0.9]) > 0.95)
    ((30, 2), True)
    """

    def __init__(
        self,
        depth: int = 3,
        time: bool = True,
        lead_lag: bool = False,
        log: bool = False,
        factorial: bool = False,
        interpolation: Interpolation = "linear",
        initial: bool = True,
        penalty: Penalty = "lasso",
        order_weight: float = 2.0,
        alpha: float | None = None,
        n_alphas: int = 50,
        cv: int = 5,
    ) -> None:
        self.depth = depth
        self.time = time
        self.lead_lag = lead_lag
        self.log = log
        self.factorial = factorial
        self.interpolation = interpolation
        self.initial = initial
        self.penalty = penalty
        self.order_weight = order_weight
        self.alpha = alpha
        self.n_alphas = n_alphas
        self.cv = cv

    def fit(self, X: Any, y: Any, times: Any = None, static: ArrayLike | None = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : list of (times, values), or array-like of shape (n_paths, n_points) or (n_paths, n_points, n_channels)
            See `as_paths`.
        y : list of array-like, or array-like of shape (n_paths, n_times) or (n_paths,)
            Targets at `times`, NaN where not observed; without `times` one at the end of each path.
        times : array-like of shape (n_times,), or a list with such an array for each path, optional
        static : array-like of shape (n_paths, n_static), optional
            Further columns that do not change in time, such as the first target.

        Raises
        ------
        ValueError
            If inputs do not fit together, or an argument is out of range.
        """
        self._check_arguments()
        if y is None:
            raise ValueError("This SigLasso estimator requires y to be passed, but the target y is None.")
        paths = _checked_paths(self, X, reset=True)
        transformer = self._transformer()
        transformer._fit_channels(paths)
        self.n_channels_, self.words_ = transformer.n_channels_, transformer.words_
        self.n_static_ = 0 if static is None else _static(static, len(paths)).shape[1]
        at, targets = _targets(y, times, paths)
        rows = np.concatenate(self._columns(paths, at, static))
        individual = np.repeat(np.arange(len(paths)), [len(a) for a in at])
        observed = np.concatenate(targets)
        seen = ~np.isnan(observed)
        if not seen.any():
            raise ValueError("no target was observed")
        self._fit_rows(rows[seen], observed[seen], individual[seen])
        return self

    def _fit_rows(self, rows: Array, observed: Array, individual: NDArray[np.intp]) -> None:
        scaler = StandardScaler().fit(rows)
        orders = np.ones(rows.shape[1])
        orders[: len(self.words_)] = [len(word) for word in self.words_]
        weight = float(self.order_weight) ** (orders - 1.0)
        with one_blas_thread():
            scaled = scaler.transform(rows) / weight
            model = self._model(scaled, observed, individual).fit(scaled, observed)
        self.alpha_ = float(model.alpha if self.alpha is not None else model.alpha_)
        self.coef_ = model.coef_ / (weight * scaler.scale_)
        self.intercept_ = float(model.intercept_ - self.coef_ @ scaler.mean_)

    def _model(self, rows: Array, observed: Array, individual: NDArray[np.intp]) -> Any:
        if self.alpha is not None:
            return Lasso(self.alpha, max_iter=20_000) if self.penalty == "lasso" else Ridge(self.alpha)
        n = len(np.unique(individual))
        if n < 2:
            raise ValueError(f"cross validation needs targets of at least 2 paths, got {n} sample(s); give alpha")
        folds = list(GroupKFold(min(self.cv, n)).split(observed, groups=individual))
        if self.penalty == "lasso":
            return LassoCV(alphas=_strengths(rows, observed, self.n_alphas), cv=folds, max_iter=20_000)
        return _GroupedRidge(np.logspace(-6, 3, self.n_alphas) * len(observed), folds)

    def predict(self, X: Any, times: Any = None, static: ArrayLike | None = None) -> Any:
        """Targets along each path.

        Parameters
        ----------
        X : as in `fit`
        times : array-like of shape (n_times,), or a list with such an array for each path, optional
            By default the end of each path.
        static : array-like of shape (n_paths, n_static), optional

        Returns
        -------
        ndarray of shape (n_paths,) or (n_paths, n_times), or list of ndarray of shape (n_times,)
            As `times` is absent, one array, or a list of arrays.
        """
        check_is_fitted(self)
        paths = _checked_paths(self, X, reset=False)
        at = [path.times[-1:] for path in paths] if times is None else _each_times(times, paths)
        found = [rows @ self.coef_ + self.intercept_ for rows in self._columns(paths, at, static)]
        if times is None:
            return np.concatenate(found)
        is_table = not isinstance(times, list | tuple) and np.ndim(times) == 2
        return np.stack(found) if is_table or _are_common(times) else found

    def score(
        self, X: Any, y: Any, times: Any = None, static: ArrayLike | None = None, sample_weight: Any = None
    ) -> float:
        """Coefficient of determination over all observed targets.

        Parameters
        ----------
        X, y, times, static : as in `fit`
        sample_weight : array-like of shape (n_paths,), optional
            Weight of each target of a path.
        """
        from sklearn.metrics import r2_score

        paths = _checked_paths(self, X, reset=False)
        at, targets = _targets(y, times, paths)
        observed = np.concatenate(targets)
        seen = ~np.isnan(observed)
        found = np.concatenate([rows @ self.coef_ + self.intercept_ for rows in self._columns(paths, at, static)])
        weight = None
        if sample_weight is not None:
            weight = np.repeat(_check_sample_weight(sample_weight, np.empty(len(paths))), [len(a) for a in at])[seen]
        return float(r2_score(observed[seen], found[seen], sample_weight=weight))

    def _columns(self, paths: list[Path], at: list[Array], static: ArrayLike | None) -> list[Array]:
        """Rows of the regression of each path."""
        fixed = np.empty((len(paths), 0)) if static is None else _static(static, len(paths))
        if fixed.shape[1] != self.n_static_:
            raise ValueError(f"static has {fixed.shape[1]} columns, but {self.n_static_} were fitted")
        if self.initial:
            fixed = np.column_stack([[path.knots("forward")[0] for path in paths], fixed])
        transformer = self._transformer()
        transformer.n_channels_ = self.n_channels_
        rows = transformer._at(paths, at)
        return [np.column_stack([r, np.tile(f, (len(r), 1))]) for r, f in zip(rows, fixed, strict=True)]

    def _transformer(self) -> SignatureTransformer:
        return SignatureTransformer(self.depth, self.time, self.lead_lag, self.log, self.factorial, self.interpolation)

    def _check_arguments(self) -> None:
        if self.penalty not in ("lasso", "ridge"):
            raise ValueError(f"penalty must be 'lasso' or 'ridge', not {self.penalty!r}")
        if not self.order_weight > 0:
            raise ValueError(f"order_weight must be positive, got {self.order_weight}")
        if self.alpha is not None and not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")
        if self.cv < 2 or self.n_alphas < 1:
            raise ValueError(f"cv must be at least 2 and n_alphas at least 1, got {self.cv} and {self.n_alphas}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan, tags.input_tags.three_d_array = True, True
        tags.regressor_tags.poor_score = True  # columns of a table are no path
        return tags


class _GroupedRidge:
    """Ridge regression whose strength has the smallest squared error over given folds."""

    def __init__(self, alphas: Array, folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> None:
        self.alphas, self.folds = alphas, folds

    def fit(self, rows: Array, observed: Array) -> Ridge:
        """The chosen model, with `alpha_`."""
        errors = np.zeros(len(self.alphas))
        for train, test in self.folds:
            centre, level = rows[train].mean(axis=0), observed[train].mean()
            u, s, vt = np.linalg.svd(rows[train] - centre, full_matrices=False)
            shrunk = s[:, None] / (s[:, None] ** 2 + self.alphas) * (u.T @ (observed[train] - level))[:, None]
            found = level + (rows[test] - centre) @ vt.T @ shrunk
            errors += ((found - observed[test][:, None]) ** 2).sum(axis=0)
        model = Ridge(float(self.alphas[errors.argmin()])).fit(rows, observed)
        model.alpha_ = model.alpha
        return model


def _strengths(rows: Array, observed: Array, n: int) -> Array:
    """Strengths of a lasso on centred columns, from that which leaves nothing down to a thousandth."""
    largest = float(np.abs(rows.T @ (observed - observed.mean())).max()) / len(observed)
    return np.geomspace(1.0, 1e-3, n) * max(largest, 1e-15)


def _static(static: ArrayLike, n_paths: int) -> Array:
    fixed = check_array(static, dtype=np.float64, input_name="static")
    if len(fixed) != n_paths:
        raise ValueError(f"static has {len(fixed)} rows, but there are {n_paths} paths")
    return fixed


def _targets(y: Any, times: Any, paths: list[Path]) -> tuple[list[Array], list[Array]]:
    """Times and targets of each path."""
    if times is None:
        values = column_or_1d(y, warn=True).astype(np.float64)
        if len(values) != len(paths):
            raise ValueError(f"y has {len(values)} entries, but there are {len(paths)} paths; give times for more")
        if not np.isfinite(values).all():
            raise ValueError("y has NaN or infinity; leave out those paths")
        return [path.times[-1:] for path in paths], list(values[:, None])
    at = _each_times(times, paths)
    if len(y) != len(paths):
        raise ValueError(f"y has {len(y)} entries, but there are {len(paths)} paths")
    targets = [np.asarray(row, dtype=np.float64) for row in (np.asarray(y) if hasattr(y, "columns") else y)]
    for i, (row, when) in enumerate(zip(targets, at, strict=True)):
        if row.shape != when.shape:
            raise ValueError(f"path {i} has {len(when)} times but targets of shape {row.shape}")
        if np.isinf(row).any():
            raise ValueError(f"the targets of path {i} have infinite values; leave them out or mark them NaN")
    return at, targets
