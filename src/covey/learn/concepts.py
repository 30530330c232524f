"""Vectors of medical codes, or of other events in sequences, and of the patients that they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from covey.engine import Engine
from covey.learn.cooccurrence import CooccurrenceCounter
from covey.learn.embedding import Swivel

Array = NDArray[np.float64]
Codes = Sequence[Hashable]
Times = Sequence[Sequence[float]]


def patient_vectors(
    patients: Sequence[Codes],
    vectors: Mapping[Any, Array],
    pooling: str = "mean",
    weights: Mapping[Any, float] | None = None,
) -> Array:
    """Sum or mean of the vectors of each patient's codes.

    Parameters
    ----------
    patients : sequence of sequences of hashable
        The codes of each patient; repeated ones count as often as they occur, missing ones not at all.
    vectors : mapping of code to ndarray of shape (n_components,)
        Codes without a vector are left out.
    pooling : {"mean", "sum"}
    weights : mapping of code to float, optional
        Weight of each code in the sum or the mean; by default 1.

    Returns
    -------
    ndarray of shape (n_patients, n_components)
        0 for a patient without any known code, or of codes whose weights sum to 0 in a mean.

    Raises
    ------
    ValueError
        If there are no vectors, the pooling is unknown, or a code that has a vector has no finite weight.
    TypeError
        If a patient's codes are a string.

    References
    ----------
    Choi, Schuetz, Stewart and Sun (2016), Medical Concept Representation Learning from Electronic Health Records and
    its Application on Heart Failure Prediction. arXiv:1602.03686.

    Examples
    --------
    >>> vectors = {"I50": np.array([1.0, 0.0]), "E11": np.array([0.0, 2.0])}
    >>> patient_vectors([["I50", "E11", "E11"], ["unknown"]], vectors, pooling="sum")
    array([[1., 4.],
           [0., 0.]])
    """
    _check_pooling(pooling)
    if not vectors:
        raise ValueError("the vocabulary is empty: there is no code with a vector")
    if weights is not None:
        _check_weights(vectors, weights)
    out = np.zeros((len(patients), len(next(iter(vectors.values())))))
    for row, codes in enumerate(_checked(patients)):
        known = [code for code in codes if code in vectors]
        if not known:
            continue
        weight = np.ones(len(known)) if weights is None else np.array([weights[code] for code in known])
        share = weight.sum() if pooling == "mean" else 1.0
        if share != 0.0:
            out[row] = weight @ np.array([vectors[code] for code in known]) / share
    return out


def _check_pooling(pooling: str) -> None:
    if pooling not in ("mean", "sum"):
        raise ValueError(f"pooling must be 'mean' or 'sum', got {pooling!r}")


def _check_weights(vectors: Mapping[Any, Array], weights: Mapping[Any, float]) -> None:
    for code in vectors:
        if not np.isfinite(weights.get(code, np.nan)):
            raise ValueError(f"code {code!r} needs a finite weight, got {weights.get(code)}")


def _checked(patients: Sequence[Codes]) -> Sequence[Codes]:
    for row, codes in enumerate(patients):
        if isinstance(codes, str | bytes) or not hasattr(codes, "__iter__"):
            raise TypeError(f"patient {row} must be a list of codes, got {codes!r}")
    return patients


class ConceptEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Vectors of codes from which codes are near them in patients' records, and of patients from their codes.

    The codes of a record are brought into the order of their times, those of one visit (the same time) into random
    order, and counted within a window; `Swivel` makes vectors of the counts. It takes the place of the paper's
    skip-gram with negative sampling, which factorises the same pointwise mutual information (Levy and Goldberg 2014).
    No outcome is needed, so that all patients teach the vectors and few labelled ones suffice for a classifier.

    Parameters
    ----------
    n_components : int
        Length of the vectors.
    window : int
        Largest distance of two codes that count as neighbours.
    min_count : int
        Codes that occur less often get no vector.
    pooling : {"mean", "sum"}
        How a patient's codes make the patient's vector.
    weighting : {"uniform", "rarity"}
        Whether all codes weigh the same, or each the log of one plus patients over patients that have the code.
    observation_window : float, optional
        How long before a patient's last code codes count for the patient's vector, in the units of the times.
    max_iter : int
        Passes of `Swivel` over the counts.
    random_state : int, RandomState or None
        Of the order within visits and of `Swivel`.
    engine : Engine or str, optional
        Where `Swivel` works; the result does not depend on it.

    Attributes
    ----------
    vocabulary_ : tuple
        Codes that have a vector, most frequent first.
    embedding_ : ndarray of shape (n_codes, n_components)
    vectors_ : dict of code to ndarray of shape (n_components,)
    weights_ : dict of code to float
    n_iter_ : int

    Raises
    ------
    ValueError
        If there is no code that occurs `min_count` times, none next to another, times do not fit the codes, or a
        parameter is out of range.
    TypeError
        If a patient's codes are a string.

    References
    ----------
    Choi, Schuetz, Stewart and Sun (2016), Medical Concept Representation Learning from Electronic Health Records and
    its Application on Heart Failure Prediction. arXiv:1602.03686. Levy and Goldberg (2014), Neural Word Embedding as
    Implicit Matrix Factorization. NeurIPS.

    Examples
    --------
    >>> patients = [["I50", "I10", "I50"], ["J45", "J30", "J45"]] * 20
    >>> model = ConceptEmbedding(n_components=3, random_state=0).fit(patients)
    >>> model.transform([["I10"], ["J30", "J45"]]).shape
    (2, 3)
    >>> similar = model.most_similar("I10", 1)
    >>> similar[0][0]
    'I50'
    """

    def __init__(
        self,
        n_components: int = 64,
        window: int = 10,
        min_count: int = 1,
        pooling: str = "mean",
        weighting: str = "uniform",
        observation_window: float | None = None,
        max_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
        engine: Engine | str | None = None,
    ) -> None:
        self.n_components = n_components
        self.window = window
        self.min_count = min_count
        self.pooling = pooling
        self.weighting = weighting
        self.observation_window = observation_window
        self.max_iter = max_iter
        self.random_state = random_state
        self.engine = engine

    @property
    def _n_features_out(self) -> int:
        return self.embedding_.shape[1]

    def fit(self, X: Sequence[Codes], y: object = None, times: Times | None = None) -> Self:
        """Fit records.

        Parameters
        ----------
        X : sequence of sequences of hashable
            The codes of each patient.
        y : ignored
        times : sequence of sequences of float, optional
            When each code was given; by default codes are in order, each a visit of its own.
        """
        if self.weighting not in ("uniform", "rarity"):
            raise ValueError(f"weighting must be 'uniform' or 'rarity', got {self.weighting!r}")
        _check_pooling(self.pooling)
        if self.observation_window is not None and not self.observation_window >= 0.0:
            raise ValueError(f"observation_window must be at least 0, got {self.observation_window}")
        rng = check_random_state(self.random_state)
        records = list(_in_order(X, times, rng))
        counted = CooccurrenceCounter(self.window).update(records).result(self.min_count)
        alone = counted.counts.sum(axis=1) == 0
        if alone.all():
            raise ValueError("no code has another one near it; give records of two codes or more, or lower min_count")
        model = Swivel(self.n_components, self.max_iter, random_state=rng, engine=self.engine)
        kept = np.flatnonzero(~alone)
        self.embedding_ = model.fit(counted.counts[kept][:, kept]).embedding_
        self.vocabulary_ = tuple(counted.vocabulary[k] for k in kept)
        self.vectors_ = dict(zip(self.vocabulary_, self.embedding_))
        self.weights_ = self._weights(records)
        self.n_iter_ = model.n_iter_
        return self

    def _weights(self, records: Sequence[Codes]) -> dict[Hashable, float]:
        if self.weighting == "uniform":
            return dict.fromkeys(self.vocabulary_, 1.0)
        patients = dict.fromkeys(self.vocabulary_, 0)
        for codes in records:
            for code in set(codes) & patients.keys():
                patients[code] += 1
        return {code: float(np.log1p(len(records) / n)) for code, n in patients.items()}

    def fit_transform(self, X: Sequence[Codes], y: object = None, times: Times | None = None) -> Array:
        """Fit records and give the vectors of their patients; parameters as in `fit`."""
        return self.fit(X, times=times).transform(X, times=times)

    def transform(self, X: Sequence[Codes], times: Times | None = None) -> Array:
        """Vectors of patients, shape (n_patients, n_components); 0 for a patient without any known code."""
        check_is_fitted(self)
        if self.observation_window is not None:
            if times is None:
                raise ValueError("an observation_window needs the times of the codes")
            X = [_recent(codes, when, self.observation_window) for codes, when in _timed(X, times)]
        return patient_vectors(X, self.vectors_, self.pooling, self.weights_)

    def most_similar(self, code: Hashable, n: int = 10) -> list[tuple[Hashable, float]]:
        """The `n` codes nearest to `code`, with their cosine similarities.

        Raises
        ------
        ValueError
            If `code` has no vector.
        """
        check_is_fitted(self)
        if code not in self.vectors_:
            raise ValueError(f"code {code!r} has no vector; it was rarer than min_count, alone, or never seen")
        unit = self.embedding_ / np.linalg.norm(self.embedding_, axis=1, keepdims=True)
        position = self.vocabulary_.index(code)
        similarity = unit @ unit[position]
        nearest = [k for k in np.argsort(-similarity, kind="stable") if k != position][:n]
        return [(self.vocabulary_[k], float(similarity[k])) for k in nearest]


def _timed(patients: Sequence[Codes], times: Times) -> Iterator[tuple[Codes, Array]]:
    if len(times) != len(patients):
        raise ValueError(f"there are times of {len(times)} patients, but codes of {len(patients)}")
    for row, (codes, when) in enumerate(zip(_checked(patients), times)):
        moments = np.asarray(when, dtype=np.float64)
        if moments.shape != (len(codes),) or np.isnan(moments).any():
            raise ValueError(f"patient {row} has {len(codes)} codes, but not as many times that are numbers")
        yield codes, moments


def _in_order(patients: Sequence[Codes], times: Times | None, rng: Any) -> Iterator[Codes]:
    """Codes by time, those of the same time in random order."""
    if times is None:
        yield from _checked(patients)
        return
    for codes, when in _timed(patients, times):
        order = np.lexsort([rng.uniform(size=len(when)), when])
        yield [codes[k] for k in order]


def _recent(codes: Codes, when: Array, length: float) -> Codes:
    first = when.max(initial=-np.inf) - length
    return [code for code, moment in zip(codes, when.tolist()) if moment >= first]
