"""A page of a comparison of selectors: scores against the number of columns, what to keep, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from covey.report._page import readable
from covey.report._partition_page import fixed, render_page
from covey.report._payload import Payload

if TYPE_CHECKING:
    from covey.select import SelectorComparison

ALL = "all columns"
MOST_SHOWN = 60


def selection_page(title: str, comparison: SelectorComparison, facts: Mapping[str, Any] | None = None) -> str:
    """A page that draws a comparison of selectors.

    Parameters
    ----------
    title : str
    comparison : SelectorComparison
    facts : mapping of str to number or text, optional
        What else is known, for the section on how it was made.

    Returns
    -------
    str
        HTML that needs nothing from elsewhere; every name is escaped.

    Examples
    --------
    >>> import covey
    >>> from covey.select import AssociationRanker, compare_selectors
    >>> x = np.random.default_rng(0).normal(size=(80, 4))
    >>> found = compare_selectors(x, x[:, 1], {"<b>": AssociationRanker("pearson")}, cv=3, inner_cv=0, learner="linear")
    >>> page = selection_page("Which to keep", found)
    >>> page[:15], "&lt;b&gt;" in page, "<b>" in page
    ('<!DOCTYPE html>', True, False)
    """
    best = comparison.recommended
    looks = [{"name": name, "family": k, "role": "vertical"} for k, name in enumerate(comparison.names)] + [
        {"name": ALL, "family": None, "role": "pooled"}
    ]
    offered = [
        ("keep", "What to keep", True),
        ("scores", "Scores", True),
        ("selectors", "Selectors", True),
        ("agreement", "Agreement", len(comparison.names) > 1),
        ("how", "How it was made", True),
    ]
    how = [(name.replace("_", " "), readable(value)) for name, value in {**_how(comparison), **(facts or {})}.items()]
    return render_page(
        "selection.html.j2",
        ("curves", "selection"),
        title,
        offered,
        Payload().text({"algorithms": looks, "curve": _curve(comparison)}),
        figures=[
            (readable(len(comparison.features)), "columns"),
            (readable(best.size), "recommended"),
            (fixed(best.score), f"{_words(comparison.scoring)} with these"),
            (fixed(best.all_score), "with all"),
        ],
        best=best,
        kept=list(zip(best.columns, best.frequencies))[:MOST_SHOWN],
        n_more=max(0, best.size - MOST_SHOWN),
        n_all=len(comparison.features),
        metric=_words(comparison.scoring),
        learner=comparison.learner,
        is_nested=not np.isnan(best.nested_score),
        rows=_rows(comparison),
        names=comparison.names,
        agreement=comparison.agreement.tolist(),
        failures=comparison.failures,
        how=how,
    )


def _words(scoring: str) -> str:
    return {"r2": "R²", "roc_auc": "area under ROC"}.get(scoring, scoring.replace("_", " "))


def _curve(comparison: SelectorComparison) -> dict[str, Any]:
    """What the script draws: a line of means and standard errors for each selector, and the level of all columns."""
    means, errors = comparison.mean_scores, comparison.errors
    series: list[dict[str, Any]] = [
        {
            "algorithm": name,
            "points": [
                [size, float(m), float(e)]
                for size, m, e in zip(comparison.sizes, means[s], errors[s])
                if not np.isnan(m)
            ],
        }
        for s, name in enumerate(comparison.names)
    ]
    best = comparison.recommended
    series.append({"algorithm": ALL, "points": [], "level": [best.all_score, best.all_error]})
    return {"data": "Score on rows that took no part", "metric": _words(comparison.scoring), "series": series}


def _rows(comparison: SelectorComparison) -> list[dict[str, Any]]:
    summary = comparison.summary()
    rows = [dict(zip(summary, values)) for values in zip(*summary.values())]
    return [{name: np.nan if value is None else value for name, value in row.items()} for row in rows]


def _how(comparison: SelectorComparison) -> dict[str, Any]:
    return {
        "learner": comparison.learner,
        "score": _words(comparison.scoring),
        "folds": comparison.scores.shape[-1],
        "numbers_of_columns": ", ".join(map(str, comparison.sizes)),
        "one_standard_error": fixed(comparison.standard_error),
    }
