"""`AssociationOperator`: a matrix of associations known by its products, and the centralities of its graph.

Degrees, the leading eigenvector, sums over all paths and random walks need products of the matrix with vectors only. A
sum of parts that multiply fast (low rank, maxima of pairs, sparse, correlations made block by block) has them for
100,000 features and more, where the matrix would not fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import ArpackError, LinearOperator, cg, eigs, eigsh, gmres

from covey.engine._local import one_blas_thread
from covey.measure import AssociationMatrix

Array = NDArray[np.float64]

_TOLERANCE = 1e-12  # residual of eigenvectors and of solutions, as a share
_ROUNDING = 1e-14  # what is left of a sum that cancels, as a share of its terms
_SMALL = 16  # so small a matrix is formed
_DENSE = 2048  # so small a matrix is formed where Arnoldi's method does not converge
_POWER_STEPS = 60
_BLOCK = 1024  # columns of a block of correlations
_LOST = 1e-6  # share of a sum of squares below which a difference from it is rounding


class _Part(Protocol):
    """A square matrix that multiplies."""

    @property
    def size(self) -> int: ...
    @property
    def symmetric(self) -> bool: ...
    def times(self, v: Array) -> Array: ...
    def transposed(self) -> _Part: ...


@dataclass(frozen=True, eq=False)
class _LowRank:
    left: Array
    right: Array

    @property
    def size(self) -> int:
        return len(self.left)

    @property
    def symmetric(self) -> bool:
        return self.left is self.right

    def times(self, v: Array) -> Array:
        return self.left @ (self.right.T @ v)

    def transposed(self) -> _LowRank:
        return _LowRank(self.right, self.left)


@dataclass(frozen=True, eq=False)
class _Maximum:
    """Entries ``max(a_i, a_j)``: a product is two running sums over the sorted values."""

    ordered: Array
    order: NDArray[np.intp]
    first: NDArray[np.intp]  # of the equal values, so that equal rows give equal bits
    symmetric: bool = True

    @property
    def size(self) -> int:
        return len(self.ordered)

    def times(self, v: Array) -> Array:
        v = v[self.order]
        weighted = self.ordered * v
        out = np.empty_like(v)
        products = self.ordered * np.cumsum(v) + np.append(np.cumsum(weighted[:0:-1])[::-1], 0.0)
        out[self.order] = products[self.first]
        return out

    def transposed(self) -> _Maximum:
        return self


@dataclass(frozen=True, eq=False)
class _Stored:
    """A dense or a sparse matrix."""

    matrix: Any
    symmetric: bool

    @property
    def size(self) -> int:
        return int(self.matrix.shape[0])

    def times(self, v: Array) -> Array:
        return np.asarray(self.matrix @ v)

    def transposed(self) -> _Stored:
        return self if self.symmetric else _Stored(self.matrix.T, False)


@dataclass(frozen=True, eq=False)
class _Correlations:
    """Absolute correlations of columns, made block by block; blocks are kept while there is room for them."""

    standard: Array  # (n_rows, n_columns), unit columns, 0 where missing
    mask: Array | None  # 1 where present; None when all are
    room: int
    symmetric: bool = True
    kept: dict[tuple[int, int], Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.standard.shape[1]

    def transposed(self) -> _Correlations:
        return self

    def times(self, v: Array) -> Array:
        starts = range(0, self.size, _BLOCK)
        if 2 * len(self.kept) < len(starts) * (len(starts) + 1):
            return self._times(v, starts)
        with one_blas_thread():  # what is left is small, and threads would wait for each other
            return self._times(v, starts)

    def _times(self, v: Array, starts: range) -> Array:
        out = np.zeros_like(v)
        for i in starts:
            rows = slice(i, i + _BLOCK)
            for j in starts[i // _BLOCK :]:
                block, columns = self._block(i, j), slice(j, j + _BLOCK)
                out[rows] += block @ v[columns]
                if i != j:
                    out[columns] += v[rows] @ block
        return out

    def _block(self, i: int, j: int) -> Array:
        if (i, j) not in self.kept:
            block = self._correlations(slice(i, i + _BLOCK), slice(j, j + _BLOCK))
            if sum(b.nbytes for b in self.kept.values()) + block.nbytes > self.room:
                return block
            self.kept[i, j] = block
        return self.kept[i, j]

    def _correlations(self, i: slice, j: slice) -> Array:
        x, y = self.standard[:, i], self.standard[:, j]
        product = x.T @ y
        if self.mask is not None:
            product = _pairwise(product, x, y, self.mask[:, i], self.mask[:, j])
        return np.minimum(np.abs(product, out=product), 1.0, out=product)


def _pairwise(product: Array, x: Array, y: Array, in_x: Array, in_y: Array) -> Array:
    """Correlations over the rows where both are present, 0 where there is none, from sums of products.

    Where these lose digits, as an outlier of one column is missing in the other, from deviations.
    """
    from covey.measure._kernels import correlate_pairs

    n = in_x.T @ in_y
    sum_x, sum_y = x.T @ in_y, in_x.T @ y
    square_x, square_y = (x * x).T @ in_y, in_x.T @ (y * y)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread_x, spread_y = square_x - sum_x * sum_x / n, square_y - sum_y * sum_y / n
        r = (product - sum_x * sum_y / n) / (np.sqrt(spread_x) * np.sqrt(spread_y))
    kept = (spread_x > _LOST * square_x) & (spread_y > _LOST * square_y)
    r = np.where((n > 1) & kept, r, 0.0)
    left, right = np.nonzero((n > 1) & ~kept)
    if len(left):
        values = np.vstack([np.where(in_x.T > 0, x.T, np.nan), np.where(in_y.T > 0, y.T, np.nan)])
        r[left, right] = np.nan_to_num(correlate_pairs(values, left, right + x.shape[1])[0])
    return r


@dataclass(frozen=True, eq=False)
class AssociationOperator:
    """A square matrix as a weighted sum of parts that multiply fast, and the centralities of its graph.

    Entry ``(i, j)`` is the weight of the edge from feature `i` to feature `j`. Made by the class methods, and added and
    scaled as matrices are.

    Parameters
    ----------
    parts : tuple
    weights : tuple of float

    Examples
    --------
    >>> spread = AssociationOperator.maximum([0.0, 1.0, 0.5])
    >>> graph = 0.5 * spread + 0.5 * AssociationOperator.low_rank([1.0, 0.0, 1.0])
    >>> graph.toarray()
    array([[0.5 , 0.5 , 0.75],
           [0.5 , 0.5 , 0.5 ],
           [0.75, 0.5 , 0.75]])
    >>> graph.degrees().tolist()
    [1.75, 1.5, 2.0]
    """

    parts: tuple[Any, ...]
    weights: tuple[float, ...]

    @classmethod
    def low_rank(cls, left: ArrayLike, right: ArrayLike | None = None) -> AssociationOperator:
        """``left @ right.T``.

        Parameters
        ----------
        left : array-like of shape (n_features,) or (n_features, rank)
        right : array-like of the same shape, optional
            `left` when not given.

        Raises
        ------
        ValueError
            If the shapes differ or an entry is not finite.
        """
        left = _columns(left, "left")
        right = left if right is None else _columns(right, "right")
        if left.shape != right.shape:
            raise ValueError(f"left and right must have one shape, not {left.shape} and {right.shape}")
        return cls((_LowRank(left, right),), (1.0,))

    @classmethod
    def maximum(cls, values: ArrayLike) -> AssociationOperator:
        """Entries ``max(values[i], values[j])``; a product takes time proportional to the number of features.

        Parameters
        ----------
        values : array-like of shape (n_features,)

        Raises
        ------
        ValueError
            If an entry is not finite.
        """
        values = _columns(values, "values")[:, 0]
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        return cls((_Maximum(ordered, order, np.searchsorted(ordered, ordered)),), (1.0,))

    @classmethod
    def of(cls, matrix: AssociationMatrix | ArrayLike) -> AssociationOperator:
        """A dense or sparse matrix; of an association matrix the strengths.

        Parameters
        ----------
        matrix : AssociationMatrix, array-like or SciPy sparse matrix of shape (n_features, n_features)

        Raises
        ------
        ValueError
            If it is not square or an entry is not finite.
        """
        if isinstance(matrix, AssociationMatrix):
            if not matrix.is_square:
                raise ValueError("matrix: every feature is needed against every feature; call associate on one table")
            matrix = matrix.strength
        stored = csr_array(matrix, dtype=np.float64) if issparse(matrix) else np.array(matrix, dtype=np.float64)
        if stored.ndim != 2 or stored.shape[0] != stored.shape[1] or not stored.shape[0]:
            raise ValueError(f"matrix must be square and not empty; its shape is {stored.shape}")
        if not np.isfinite(stored.data if issparse(stored) else stored).all():
            raise ValueError("matrix holds values that are not finite; set missing edges to 0")
        symmetric = not (stored != stored.T).nnz if issparse(stored) else np.array_equal(stored, stored.T)
        return cls((_Stored(stored, bool(symmetric)),), (1.0,))

    @classmethod
    def correlation(cls, columns: ArrayLike, cache_bytes: int = 1 << 29) -> AssociationOperator:
        """Absolute correlations of columns; of columns of ranks, those of Spearman.

        Blocks of 1024 x 1024 are made when a product needs them and kept while they fit into `cache_bytes`, so that the
        memory is that of the columns (twice that with missing values), the kept blocks and one block more. The default
        keeps all blocks of 11,000 columns.

        Parameters
        ----------
        columns : array-like of shape (n_samples, n_features)
            NaN is missing: a pair uses the rows where both are present. Undefined correlations count as 0.
        cache_bytes : int

        Raises
        ------
        ValueError
            If the shape is wrong or a value is infinite.

        Examples
        --------
        >>> operator = AssociationOperator.correlation([[1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])
        >>> operator.toarray().round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        """
        x = np.array(columns, dtype=np.float64)
        if x.ndim != 2 or not x.size:
            raise ValueError(f"columns must have shape (n_samples, n_features) and not be empty; got {x.shape}")
        if np.isinf(x).any():
            raise ValueError("columns hold infinite values; replace them")
        present = ~np.isnan(x)
        complete = bool(present.all())
        _standardise(x, present)
        return cls((_Correlations(x, None if complete else present.astype(np.float64), cache_bytes),), (1.0,))

    @property
    def shape(self) -> tuple[int, int]:
        """(n_features, n_features)."""
        return self.parts[0].size, self.parts[0].size

    @property
    def is_symmetric(self) -> bool:
        """Whether every part is symmetric."""
        return all(part.symmetric for part, weight in zip(self.parts, self.weights) if weight)

    @property
    def T(self) -> AssociationOperator:
        """The transpose: every edge turned round."""
        return replace(self, parts=tuple(part.transposed() for part in self.parts))

    def __matmul__(self, v: ArrayLike) -> Array:
        """Product with a vector of shape (n_features,)."""
        v = np.asarray(v, dtype=np.float64)
        if v.shape != self.shape[:1]:
            raise ValueError(f"the vector has shape {v.shape}, not {self.shape[:1]}")
        out = np.zeros(len(v))
        for part, weight in zip(self.parts, self.weights):
            if weight:
                out += weight * part.times(v)
        return out

    def __add__(self, other: AssociationOperator) -> AssociationOperator:
        if self.shape != other.shape:
            raise ValueError(f"operators of shapes {self.shape} and {other.shape} cannot be added")
        return AssociationOperator(self.parts + other.parts, self.weights + other.weights)

    def __sub__(self, other: AssociationOperator) -> AssociationOperator:
        return self + -1.0 * other

    def __rmul__(self, factor: float) -> AssociationOperator:
        return replace(self, weights=tuple(float(factor) * weight for weight in self.weights))

    def __truediv__(self, divisor: float) -> AssociationOperator:
        return (1.0 / divisor) * self

    def toarray(self) -> Array:
        """The matrix, shape (n_features, n_features)."""
        return np.stack([self @ unit for unit in np.eye(self.shape[0])], axis=1)

    def degrees(self) -> Array:
        """Row sums, shape (n_features,); 0 where parts cancel to rounding."""
        ones = np.ones(self.shape[0])
        sums = [weight * part.times(ones) for part, weight in zip(self.parts, self.weights) if weight]
        total, size = sum(sums, np.zeros(len(ones))), sum(map(np.abs, sums), np.zeros(len(ones)))
        return np.where(np.abs(total) <= _ROUNDING * size, 0.0, total)

    def leading_eigenvector(self) -> tuple[float, Array]:
        """The largest eigenvalue and its (right) eigenvector, for entries that are not negative.

        By the small matrix of the factors where all parts are of low rank; else by power iteration, and by Arnoldi's
        method where that does not settle (a small gap between eigenvalues).

        Returns
        -------
        eigenvalue : float
        vector : ndarray of shape (n_features,)
            Of length 1, its largest entry in absolute value positive. Of a matrix without a positive eigenvalue the
            row sums, or equal entries where these are 0.

        Raises
        ------
        ValueError
            If the method does not converge.

        Examples
        --------
        >>> value, vector = AssociationOperator.of([[1.0, 1.0], [1.0, 1.0]]).leading_eigenvector()
        >>> round(value, 6), vector.round(6).tolist()
        (2.0, [0.707107, 0.707107])
        """
        degrees, factors = self.degrees(), self._factors()
        if not degrees.any():
            return 0.0, np.full(len(degrees), len(degrees) ** -0.5)
        if factors is not None:
            value, vector = _of_factors(*factors)
        elif self.shape[0] <= _SMALL:
            value, vector = _of_dense(self.toarray())
        else:
            value, vector = self._by_power(degrees)
        if not value > 0 or not vector.any():
            value, vector = 0.0, degrees
        vector = vector / np.linalg.norm(vector)
        return value, vector * np.sign(vector[np.argmax(np.abs(vector))])

    def infinite_paths(self, r: float | None = None, factor: float = 0.9) -> Array:
        """Sum over all paths from each feature: row sums of ``(I - r A)^-1 - I``.

        A path of `l` edges weighs the product of its edges times ``r**l``. Solved, not inverted: exactly by the small
        matrix of the factors where all parts are of low rank, else by conjugate gradients (GMRES where the matrix is
        not symmetric) to a relative residual of 1e-12.

        Parameters
        ----------
        r : float, optional
            Greater than 0 and less than 1 / (largest eigenvalue); `factor` over that eigenvalue when not given.
        factor : float
            Greater than 0 and less than 1.

        Returns
        -------
        ndarray of shape (n_features,)

        Raises
        ------
        ValueError
            If `r` or `factor` is out of its range, or the solver does not converge.

        Examples
        --------
        >>> AssociationOperator.of([[1.0, 1.0], [1.0, 1.0]]).infinite_paths(r=0.25).round(6).tolist()
        [1.0, 1.0]
        """
        degrees = self.degrees()
        r = self._damping(r, factor, degrees)
        if r == 0.0 or not degrees.any():
            return np.zeros(len(degrees))
        factors = self._factors()
        if factors is not None:
            left, right = factors
            inner = np.eye(left.shape[1]) - r * (right.T @ left)
            return r * (left @ np.linalg.solve(inner, right.sum(axis=0)))
        solver = partial(cg, rtol=_TOLERANCE) if self.is_symmetric else partial(gmres, rtol=_TOLERANCE, restart=50)
        return _solve(solver, lambda v: v - r * (self @ v), r * degrees)

    def expected_visits(self, stay: float = 0.9) -> Array:
        """Visits to each feature of random walks that are absorbed, begun once at every feature.

        The rows are divided by the largest row sum: from feature `i` the walk goes to `j` with probability
        ``stay * A[i, j] / max(degrees)`` and is absorbed otherwise.

        Parameters
        ----------
        stay : float
            Greater than 0 and less than 1.

        Returns
        -------
        ndarray of shape (n_features,)
            At least 1, for entries that are not negative.

        Raises
        ------
        ValueError
            If `stay` is out of its range.

        Examples
        --------
        >>> AssociationOperator.of([[0.0, 1.0], [1.0, 0.0]]).expected_visits(0.5).round(6).tolist()
        [2.0, 2.0]
        """
        if not 0 < stay < 1:
            raise ValueError(f"stay must be greater than 0 and less than 1, got {stay}")
        widest = float(self.degrees().max())
        return np.ones(self.shape[0]) + (self.T.infinite_paths(r=stay / widest) if widest > 0 else 0.0)

    def _damping(self, r: float | None, factor: float, degrees: Array) -> float:
        if r is None:
            if not 0 < factor < 1:
                raise ValueError(f"factor must be greater than 0 and less than 1, got {factor}")
            value = self.leading_eigenvector()[0]
            return factor / value if value > 0 else 0.0
        if not r > 0:
            raise ValueError(f"r must be greater than 0, got {r}")
        if r * degrees.max() >= 1 and r * self.leading_eigenvector()[0] >= 1:
            raise ValueError(
                f"r={r:g} is not less than 1 / (largest eigenvalue) = {1 / self.leading_eigenvector()[0]:g}: the sum "
                "over paths is infinite; lower r"
            )
        return r

    def _factors(self) -> tuple[Array, Array] | None:
        """One pair of factors when every part that has a weight is of low rank."""
        active = [(part, weight) for part, weight in zip(self.parts, self.weights) if weight]
        if not all(isinstance(part, _LowRank) for part, _ in active):
            return None
        none = [np.zeros((self.shape[0], 1))]
        left = np.hstack([weight * part.left for part, weight in active] or none)
        return left, np.hstack([part.right for part, _ in active] or none)

    def _by_power(self, start: Array) -> tuple[float, Array]:
        v, last = start / np.linalg.norm(start), np.inf
        for step in range(_POWER_STEPS):
            product = self @ v
            value = float(v @ product)
            residual = float(np.linalg.norm(product - value * v))
            if residual <= _TOLERANCE * abs(value) or (residual <= 1e-10 * abs(value) and residual > 0.5 * last):
                return value, product
            slow = step >= 10 and residual > 0.7 * last
            if slow or not product.any():
                break
            v, last = product / np.linalg.norm(product), residual
        return self._by_arnoldi(v) if product.any() else (0.0, product)

    def _by_arnoldi(self, start: Array) -> tuple[float, Array]:
        product = LinearOperator(self.shape, matvec=self.__matmul__, dtype=np.float64)
        try:
            if self.is_symmetric:
                values, vectors = eigsh(product, k=1, which="LA", v0=start)
            else:
                values, vectors = eigs(product, k=1, which="LR", v0=start)
        except ArpackError as error:
            if self.shape[0] <= _DENSE:
                return _of_dense(self.toarray())
            raise ValueError(f"the leading eigenvector was not found: {error}") from None
        return float(values[0].real), np.ascontiguousarray(vectors[:, 0].real)


def infinite_paths_score(
    graph: AssociationOperator | AssociationMatrix | ArrayLike, r: float | None = None, factor: float = 0.9
) -> Array:
    """Inf-FS score of features: the sum over all paths of any length from each in their graph.

    Row sums of ``(I - r A)^-1 - I``, by a solver and without the inverse.

    Parameters
    ----------
    graph : AssociationOperator, AssociationMatrix or array-like of shape (n_features, n_features)
        Weights of edges, not negative. Of an association matrix the strengths.
    r : float, optional
        Greater than 0 and less than 1 / (largest eigenvalue); `factor` over that eigenvalue when not given.
    factor : float
        Greater than 0 and less than 1.

    Returns
    -------
    ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If the graph is not square and finite, or `r` or `factor` is out of its range.

    References
    ----------
    Roffo, Melzi, Castellani, Vinciarelli and Cristani (2020), Infinite Feature Selection: A Graph-based Feature
    Filtering Approach. arXiv:2006.08184.

    Examples
    --------
    >>> infinite_paths_score([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).round(3).tolist()
    [10.962, 7.613, 7.613]
    """
    operator = graph if isinstance(graph, AssociationOperator) else AssociationOperator.of(graph)
    return operator.infinite_paths(r, factor)


def _columns(values: ArrayLike, name: str) -> Array:
    out = np.array(values, dtype=np.float64)
    out = out[:, None] if out.ndim == 1 else out
    if out.ndim != 2 or not out.size:
        raise ValueError(f"{name} must hold one row a feature and not be empty; its shape is {np.shape(values)}")
    if not np.isfinite(out).all():
        raise ValueError(f"{name} holds values that are not finite")
    return out


def _standardise(x: Array, present: NDArray[np.bool_]) -> None:
    """Columns of length 1 over present rows, 0 elsewhere and where constant, in place, about the mean or the median.

    The median where values are missing: an outlier then takes no digits of the pairs in which it is missing.
    """
    n = np.maximum(present.sum(axis=0), 1)
    x[~present] = 0.0
    np.ldexp(x, -np.frexp(np.abs(x).max(axis=0))[1], out=x)  # by a power of 2, so that no sum overflows
    for start in range(0, x.shape[1], _BLOCK):
        part = slice(start, start + _BLOCK)
        if present[:, part].all():
            for _ in range(2):  # twice: the first mean of large values is off by rounding
                x[:, part] -= x[:, part].sum(axis=0) / n[part]
        else:
            x[:, part] -= _middle(x[:, part], present[:, part])
    x[~present] = 0.0
    widest = np.abs(x).max(axis=0)
    x /= np.where(widest > 0, widest, 1.0)
    length = np.sqrt(np.einsum("ij,ij->j", x, x))
    x /= np.where(length > 0, length, 1.0)


def _middle(x: Array, present: NDArray[np.bool_]) -> Array:
    """A middle value of the present rows of each column."""
    ordered = np.sort(np.where(present, x, np.inf), axis=0)
    middle = np.maximum(present.sum(axis=0) - 1, 0) // 2
    found = ordered[middle, np.arange(x.shape[1])]
    return np.where(np.isfinite(found), found, 0.0)


def _of_factors(left: Array, right: Array) -> tuple[float, Array]:
    if left.shape[1] == 1:
        return float(right[:, 0] @ left[:, 0]), left[:, 0]
    value, vector = _of_dense(right.T @ left)
    return value, left @ vector


def _of_dense(matrix: Array) -> tuple[float, Array]:
    if np.array_equal(matrix, matrix.T):
        values, vectors = np.linalg.eigh(matrix)
        return float(values[-1]), vectors[:, -1]
    values, vectors = np.linalg.eig(matrix)
    best = int(np.argmax(values.real))
    return float(values[best].real), vectors[:, best].real


def _solve(solver: Callable[..., tuple[Array, int]], product: Callable[[Array], Array], right: Array) -> Array:
    size = len(right)
    found, status = solver(LinearOperator((size, size), matvec=product, dtype=np.float64), right)
    residual = float(np.linalg.norm(product(found) - right) / np.linalg.norm(right))
    if status and not residual <= 1e-10:
        raise ValueError(f"the sum over paths did not converge (relative residual {residual:.1e}); lower r or factor")
    return found
