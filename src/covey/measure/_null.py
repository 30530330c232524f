"""P-values: asymptotic tails without `scipy.stats`, and control of the false discovery rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special


def student_t_pvalue(t: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """Two-sided p-value of a t statistic; NaN where the degrees of freedom are not positive."""
    t, degrees = np.broadcast_arrays(np.asarray(t, dtype=float), np.asarray(degrees, dtype=float))
    out = np.full(t.shape, np.nan)
    ok = (degrees > 0) & ~np.isnan(t)
    out[ok] = 2.0 * special.stdtr(degrees[ok], -np.abs(t[ok]))
    return out


def correlation_pvalue(r: ArrayLike, n: ArrayLike, given: int = 0) -> NDArray[np.float64]:
    """Two-sided p-value of a correlation of `n` rows, `given` columns partialled out (t with n - 2 - given)."""
    r, n = np.asarray(r, dtype=float), np.asarray(n, dtype=float)
    degrees = n - 2 - given
    with np.errstate(divide="ignore", invalid="ignore"):
        t = r * np.sqrt(np.maximum(degrees, 0) / np.maximum(1.0 - r * r, 0.0))
    return student_t_pvalue(t, degrees)


def chi2_pvalue(statistic: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """Upper tail of the chi-square distribution; NaN where the degrees of freedom are not positive."""
    statistic, degrees = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(degrees, float))
    out = np.full(statistic.shape, np.nan)
    ok = (degrees > 0) & ~np.isnan(statistic)
    out[ok] = special.chdtrc(degrees[ok], np.maximum(statistic[ok], 0.0))
    return out


def f_pvalue(statistic: ArrayLike, between: ArrayLike, within: ArrayLike) -> NDArray[np.float64]:
    """Upper tail of the F distribution; NaN where a number of degrees of freedom is not positive."""
    statistic, between, within = np.broadcast_arrays(
        np.asarray(statistic, float), np.asarray(between, float), np.asarray(within, float)
    )
    out = np.full(statistic.shape, np.nan)
    ok = (between > 0) & (within > 0) & ~np.isnan(statistic)
    out[ok] = special.fdtrc(between[ok], within[ok], np.maximum(statistic[ok], 0.0))
    return out


def normal_pvalue(z: ArrayLike, alternative: str = "two-sided") -> NDArray[np.float64]:
    """P-value of a standard normal statistic, ``"two-sided"`` or ``"greater"``."""
    z = np.asarray(z, dtype=float)
    return special.ndtr(-z) if alternative == "greater" else 2.0 * special.ndtr(-np.abs(z))


def permutation_pvalue(observed: ArrayLike, null: NDArray) -> NDArray[np.float64]:
    """Share of the null draws (first axis of `null`) at least as large as `observed`, never 0.

    References
    ----------
    Phipson and Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9.
    """
    observed = np.asarray(observed, dtype=float)
    return (1.0 + np.sum(null >= observed, axis=0)) / (1.0 + len(null))


def false_discovery(pvalues: NDArray[np.float64], method: str = "bh") -> NDArray[np.float64]:
    """Adjusted p-values (q-values) that control the false discovery rate; NaN stays NaN.

    Parameters
    ----------
    pvalues : ndarray of shape (n_tests,)
    method : {"bh", "by"}
        Benjamini-Hochberg, or Benjamini-Yekutieli (any dependence).

    Raises
    ------
    ValueError
        For another method.

    Examples
    --------
    >>> false_discovery(np.array([0.01, 0.02, 0.5, np.nan]))
    array([0.03, 0.03, 0.5 ,  nan])
    """
    if method not in ("bh", "by"):
        raise ValueError(f"method must be 'bh' or 'by', not {method!r}")
    out = np.full(pvalues.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(pvalues))
    m = len(tested)
    if m == 0:
        return out
    factor = m * (np.sum(1.0 / np.arange(1, m + 1)) if method == "by" else 1.0)
    order = tested[np.argsort(pvalues[tested], kind="stable")]
    scaled = pvalues[order] * factor / np.arange(1, m + 1)
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return out
