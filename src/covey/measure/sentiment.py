"""From labelled headlines to a daily sentiment and its cumulated, detrended form."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

WORD = re.compile(r"\w+(?:'\w+)?")


def headline_polarity(
    headlines: Iterable[str], positive: Collection[str], negative: Collection[str]
) -> NDArray[np.int8]:
    """1 for a headline with more positive than negative words, -1 for fewer, 0 for undecided; case does not matter.

    Parameters
    ----------
    headlines : iterable of str
    positive, negative : collection of str
        Lexicons without a word in common.

    Returns
    -------
    ndarray of shape (n_headlines,), int8

    Raises
    ------
    ValueError
        If a word is in both lexicons.
    TypeError
        If `headlines` is one string, or holds something else than strings.

    Examples
    --------
    >>> headline_polarity(["Stocks rally", "Banks slump; oil gains", "Fed meets"], {"rally", "gains"}, {"slump"})
    array([1, 0, 0], dtype=int8)
    """
    if isinstance(headlines, str):
        raise TypeError("headlines must be a list of strings, not one string")
    positive, negative = ({word.lower() for word in words} for words in (positive, negative))
    if positive & negative:
        raise ValueError(f"in both lexicons: {', '.join(sorted(positive & negative))}")
    signs = []
    for headline in headlines:
        if not isinstance(headline, str):
            raise TypeError(f"headlines must be strings, got {headline!r}")
        words = WORD.findall(headline.lower())
        signs.append(np.sign(sum(word in positive for word in words) - sum(word in negative for word in words)))
    return np.array(signs, dtype=np.int8)


def net_sentiment(polarity: ArrayLike, days: ArrayLike, n_days: int | None = None) -> NDArray[np.float64]:
    """Daily ``(positive - negative) / (positive + negative)`` of headlines; NaN on days without a decided one.

    Parameters
    ----------
    polarity : array-like of shape (n_headlines,)
        Positive, negative or 0.
    days : array-like of shape (n_headlines,), int
        Position of each headline's day, from 0.
    n_days : int, optional
        One more than the last day by default.

    Returns
    -------
    ndarray of shape (n_days,)
        In -1..1.

    Raises
    ------
    ValueError
        If lengths differ or a day is out of range.

    References
    ----------
    Lefort, Benhamou, Ohana, Saltiel, Guez and Challet (2024), Can ChatGPT Compute Trustworthy Sentiment Scores from
    Bloomberg Market Wraps? arXiv:2401.05447.

    Examples
    --------
    >>> net_sentiment([1, 1, -1, 0, 0], [0, 0, 0, 0, 1]).round(2)
    array([0.33,  nan])
    """
    sign, day = np.sign(np.asarray(polarity)), np.asarray(days, dtype=np.intp)
    if sign.shape != day.shape or sign.ndim != 1:
        raise ValueError(f"every headline needs a polarity and a day, got shapes {sign.shape} and {day.shape}")
    n_days = int(day.max(initial=-1)) + 1 if n_days is None else n_days
    if len(day) and (day.min() < 0 or day.max() >= n_days):
        raise ValueError(f"days must lie between 0 and {n_days - 1}, got {day.min()} to {day.max()}")
    up, down = (np.bincount(day[sign == s], minlength=n_days) for s in (1, -1))
    decided = up + down
    return np.where(decided > 0, (up - down) / np.maximum(decided, 1), np.nan)


def cumulative_sentiment(score: ArrayLike, window: int, trend_window: int | None = None) -> NDArray[np.float64]:
    """Sum of the scores of the last `window` days, less what the mean of a longer past would have given.

    Only the past is used, so the value of a day can be traded on the next.

    Parameters
    ----------
    score : array-like of shape (n_days,)
        NaN days are left out, and the others of their window count for them.
    window : int
    trend_window : int, optional
        Days over which the slow trend is averaged, more than `window`; none is taken away by default.

    Returns
    -------
    ndarray of shape (n_days,)
        NaN until the longer window is full, and where a window holds no score.

    Raises
    ------
    ValueError
        If a window is out of range or a score infinite.

    References
    ----------
    Lefort, Benhamou, Ohana, Saltiel, Guez and Challet (2024), Can ChatGPT Compute Trustworthy Sentiment Scores from
    Bloomberg Market Wraps? arXiv:2401.05447.

    Examples
    --------
    >>> cumulative_sentiment([0.5, 0.5, 0.5, 1.0, 1.0], window=2, trend_window=4)
    array([ nan,  nan,  nan, 0.25, 0.5 ])
    """
    values = np.asarray(score, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"score must have one value a day, got shape {values.shape}")
    if np.isinf(values).any():
        raise ValueError("score holds infinite values; set them to NaN to leave those days out")
    if not 1 <= window <= len(values):
        raise ValueError(f"window must lie between 1 and {len(values)} days, got {window}")
    recent = _trailing_mean(values, window)
    if trend_window is None:
        return window * recent
    if not window < trend_window <= len(values):
        raise ValueError(f"trend_window must be more than window and at most {len(values)} days, got {trend_window}")
    return window * (recent - _trailing_mean(values, trend_window))


def _trailing_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Mean of the present values among the last `window`; NaN before there are so many days."""
    present = ~np.isnan(values)
    total, count = (
        np.concatenate([[0.0], np.cumsum(x)]) for x in (np.where(present, values, 0.0), present.astype(float))
    )
    out = np.full(len(values), np.nan)
    n = count[window:] - count[:-window]
    out[window - 1 :] = np.where(n > 0, (total[window:] - total[:-window]) / np.maximum(n, 1.0), np.nan)
    return out
