"""Views of the same rows, in memory or read in blocks, checked once and handed out as blocks of equal rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

from covey.measure.cca import check_finite
from covey.table import BlockSource, FeatureTable

Array = NDArray[np.float64]
View = Any  # ndarray, SciPy sparse array, or BlockSource
BLOCK_ROWS = 8192


def view_list(X: Any, y: Any = None) -> list[Any]:
    """The views in ``(X, y)`` or in a list `X`.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    if y is not None:
        return [X, np.asarray(y).reshape(-1, 1) if n_dimensions(y) == 1 else y]
    if not is_view_list(X):
        raise ValueError(
            "a second view is needed: this estimator requires y to be passed, but the target y is None; "
            "call fit(X, y), or give a list of views"
        )
    if len(X) < 2:
        raise ValueError(f"at least two views are needed, got {len(X)}")
    return list(X)


def n_dimensions(item: Any) -> int:
    """Number of dimensions of an array, of what can become one, or 2 for a table."""
    if isinstance(item, BlockSource | FeatureTable):
        return 2
    return len(item.shape) if hasattr(item, "shape") else np.asarray(item).ndim


def is_view_list(X: Any) -> bool:
    """Whether `X` is a list of matrices rather than one matrix."""
    return isinstance(X, list | tuple) and len(X) > 0 and all(n_dimensions(item) == 2 for item in X)


def checked_views(
    views: Sequence[Any],
    accept_sparse: bool = False,
    min_rows: int = 2,
    dtypes: Sequence[type] = (np.float64,),
) -> list[View]:
    """Each view as a matrix of one of the `dtypes` (the first for all others), a CSR array, or a `BlockSource`.

    Raises
    ------
    ValueError
        If rows differ, a value is missing or infinite, or a column of a table is not a number; the column is named.
    TypeError
        For sparse views where they are not accepted.
    """
    found = [_checked(view, k, accept_sparse, min_rows, dtypes) for k, view in enumerate(views)]
    rows = [view.n_rows if isinstance(view, BlockSource) else view.shape[0] for view in found]
    known = {n for n in rows if n is not None}
    if len(known) > 1:
        raise ValueError(f"views must have the same rows; they have {', '.join(map(str, rows))}")
    return found


def _checked(view: Any, position: int, accept_sparse: bool, min_rows: int, dtypes: Sequence[type]) -> View:
    if isinstance(view, BlockSource):
        _check_numeric(view.names, view.kinds, position)
        return view
    names: Sequence[object] | None = getattr(view, "columns", None)
    if isinstance(view, FeatureTable):
        _check_numeric(view.names, view.kinds, position)
        view, names = view.numeric, view.names
    array = check_array(
        view,
        accept_sparse="csr" if accept_sparse else False,
        dtype=list(dtypes),
        ensure_all_finite=False,
        ensure_min_samples=min_rows,
        input_name=f"view {position}",
    )
    values = array.data[:, None] if issparse(array) else array
    check_finite(values, position, ["(sparse)"] if issparse(array) else list(_names(names, array.shape[1])))
    return array


def _names(names: Any, n_columns: int) -> Sequence[object]:
    return range(n_columns) if names is None or callable(names) else names


def _check_numeric(names: Sequence[str], kinds: Sequence[str], position: int) -> None:
    for name, kind in zip(names, kinds):
        if kind not in ("numeric", "constant", "datetime"):
            raise ValueError(f"view {position}: column {name!r} is {kind}, not numeric; encode it or leave it out")


def n_features(view: View) -> int:
    """Number of columns of a checked view."""
    return len(view.names) if isinstance(view, BlockSource) else view.shape[1]


def aligned_blocks(views: Sequence[View], rows: int = BLOCK_ROWS) -> Iterator[list[View]]:
    """Blocks of the views over the same rows, in order; matrices in memory are cut into blocks of `rows`.

    Raises
    ------
    ValueError
        If a streamed view ends before another, or a block has a missing value.
    """
    streamed = [view for view in views if isinstance(view, BlockSource)]
    if not streamed:
        for start in range(0, views[0].shape[0], rows):
            yield [view[start : start + rows] for view in views]
        return
    readers = [_Reader(view, k, rows) for k, view in enumerate(views)]
    while True:
        available = [reader.available() for reader in readers]
        if not any(available):
            return
        if not all(available):
            ended = available.index(0)
            raise ValueError(f"views must have the same rows; view {ended} ends before the others")
        yield [reader.take(min(available)) for reader in readers]


class _Reader:
    """Rows of one view as they are asked for."""

    def __init__(self, view: View, position: int, rows: int) -> None:
        in_memory = not isinstance(view, BlockSource)
        self._blocks = (block[0] for block in aligned_blocks([view], rows)) if in_memory else iter(view)
        self._position = position
        self._rest: View = None

    def available(self) -> int:
        """Rows that are at hand; 0 at the end."""
        while self._rest is None or self._rest.shape[0] == 0:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = self._values(block)
        return int(self._rest.shape[0])

    def take(self, n: int) -> View:
        """The next `n` rows."""
        taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    def _values(self, block: Any) -> View:
        if not isinstance(block, FeatureTable):
            return block
        _check_numeric(block.names, block.kinds, self._position)
        check_finite(block.numeric, self._position, block.names)
        return np.ascontiguousarray(block.numeric)
