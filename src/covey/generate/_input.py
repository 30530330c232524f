"""What transformers of this room share: checking tables of any kind, and reading the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, validate_data

from covey.table import FeatureTable, are_classes, clean_names, read, target_values

Array = NDArray[np.float64]


def checked(estimator: Any, X: Any, reset: bool) -> Any:
    """`X` with its shape and its names checked against fit; arrays as scikit-learn checks them, NaN allowed."""
    if isinstance(X, FeatureTable) or _is_frame(X):
        _check_names(estimator, X, reset)
        if reset and len(X) < 2:
            raise ValueError(f"X has {len(X)} sample(s), but a minimum of 2 is required")
        return X
    X = X if issparse(X) or hasattr(X, "dtype") else np.asarray(X)
    if not issparse(X) and getattr(X, "ndim", 0) == 2 and X.dtype.kind in "OUS" and _holds_words(X):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        return X
    return validate_data(
        estimator,
        X,
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
        reset=reset,
    )


def read_as(X: Any) -> FeatureTable:
    """`X` as a table; columns of an array have no names and are no identifiers."""
    table = read(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "iuf":
        return read(table, kinds=dict.fromkeys(table.of_kind("id"), "numeric"))
    return table


def read_like(X: Any, names: Sequence[str], kinds: dict[str, str]) -> FeatureTable:
    """`X` as a table with the names of fit; columns that are called otherwise are taken by their place."""
    given = table_names(X)
    if set(given) == set(names):
        return read(X, kinds=kinds)
    table = read(X, kinds={new: kinds[name] for new, name in zip(given, names) if name in kinds})
    return FeatureTable.from_columns([replace(c, name=name) for c, name in zip(table.columns(), names)])


def table_names(X: Any) -> list[str]:
    """What a table calls the columns of a frame, of an array, or of a list of names."""
    if isinstance(X, list):
        return clean_names(X)[0]
    if isinstance(X, FeatureTable) or _is_frame(X):
        return clean_names(_names(X))[0]
    return [f"x{k}" for k in range(X.shape[1])]


def numbers_only(estimator: Any, *given: Any, **settings: Any) -> Any:
    """`validate_data` to float64, where columns that are no numbers are named.

    Raises
    ------
    ValueError
        If columns hold words or dates, or scikit-learn refuses the data.
    """
    try:
        return validate_data(estimator, *given, dtype=np.float64, **settings)
    except (ValueError, TypeError):
        words = _not_numbers(given[0])
        if not words:
            raise
    raise ValueError(
        f"{type(estimator).__name__} takes numbers, but columns {listed(words)} hold words or dates; encode them or "
        "leave them out (OpenFE takes columns of any kind)"
    )


def _not_numbers(X: Any) -> list[str]:
    try:
        columns = read(X).columns()
    except (ValueError, TypeError):
        return []
    return [c.name for c in columns if c.kind == "datetime" or set(c.categories or ()) - {"False", "True", "0", "1"}]


def target(y: Any, n_rows: int, task: str, name: str) -> tuple[Array, NDArray | None]:
    """The target as numbers, with its classes when it is one of classes; times are seconds.

    Raises
    ------
    ValueError
        If it is or has missing values, is of another length, not finite, of one value only, or words that are to be
        numbers.

    Examples
    --------
    >>> target(["no", "yes", "no"], 3, "auto", "OpenFE")
    (array([0., 1., 0.]), array(['no', 'yes'], dtype='<U3'))
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None")
    if task not in ("auto", "regression", "classification"):
        raise ValueError(f"task must be 'auto', 'regression' or 'classification', not {task!r}")
    y, are_times = target_values(y)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y has {len(y)}; they must be the same rows")
    if y.dtype.kind in "iuf":
        assert_all_finite(y, input_name="y")
    if task == "classification" or (task == "auto" and not are_times and are_classes(y)):
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        _check_varies(len(classes), "class")
        return codes.astype(np.float64), classes
    if y.dtype.kind not in "iufb":
        raise ValueError("y holds words, which are not numbers; encode it, or use task='classification'")
    _check_varies(len(np.unique(y)), "value")
    return y.astype(np.float64), None


def _check_varies(n_distinct: int, what: str) -> None:
    if n_distinct < 2:
        raise ValueError(f"y has a single {what}; there is nothing to relate to")


def _check_names(estimator: Any, X: Any, reset: bool) -> None:
    names = _names(X)
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"columns of X share the names {listed(repeated)}; rename them")
    raw = list(getattr(estimator, "feature_names_in_", ()))
    if reset or not raw or not all(isinstance(name, str) for name in names):
        _validate(estimator, names if isinstance(X, FeatureTable) else X, reset)
        return
    known, names = table_names(raw), table_names(names)  # blanks around a name, which a table drops, do not matter
    if names != known:
        absent = [name for name in known if name not in names]
        unknown = [name for name in names if name not in known]
        moved = [name for name, other in zip(known, names) if name != other]
        problems = [(absent, "are missing"), (unknown, "were not there in fit"), (moved, "are in another place")]
        what = next(f"columns {listed(which)} {text}" for which, text in problems if which)
        raise ValueError(f"{what}; give X the columns of fit, in that order")
    _validate(estimator, raw, reset)


def _validate(estimator: Any, X: Any, reset: bool) -> None:
    """Let scikit-learn check, or with `reset` note, names and number of the columns: of a frame or a list of names."""
    X = pa.table({name: pa.nulls(0) for name in X}) if isinstance(X, list) else X
    validate_data(estimator, X, skip_check_array=True, reset=reset)


def _is_frame(X: Any) -> bool:
    import narwhals as nw

    return nw.dependencies.is_into_dataframe(X)


def _names(X: Any) -> list[Any]:
    if isinstance(X, FeatureTable):
        return list(X.names)
    return list(X.column_names if isinstance(X, pa.Table) else X.columns)


def _holds_words(X: NDArray) -> bool:
    try:
        X.astype(np.float64)
    except ValueError:
        return True
    return False


def listed(names: Sequence[Any], most: int = 5) -> str:
    """Names in quotes, the first few of many."""
    return ", ".join(repr(n) for n in names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
