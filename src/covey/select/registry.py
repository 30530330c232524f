"""Selectors by name, for those who choose one in a shell or compare many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from covey.engine import Engine
from covey.select._base import Cut, RankingSelector


@dataclass(frozen=True)
class SelectorEntry:
    """A selector that has a name.

    Parameters
    ----------
    name : str
    summary : str
        One line.
    home : str
        ``module:class``.
    params : mapping, optional
        Parameters that differ from the class's own.
    """

    name: str
    summary: str
    home: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> type[RankingSelector]:
        """The class."""
        module, name = self.home.split(":")
        found: type[RankingSelector] = getattr(import_module(module), name)
        return found

    def make(
        self,
        k: Cut | None = None,
        random_state: int | None = None,
        engine: Engine | str | None = None,
        **params: Any,
    ) -> RankingSelector:
        """A selector with these parameters; those that are not None are used where the class has them."""
        made = self.load()(**dict(self.params))
        accepted = made.get_params(deep=False)
        shared = {"k": k, "random_state": random_state, "engine": engine}
        given = {name: value for name, value in shared.items() if name in accepted and value is not None}
        return made.set_params(**given, **params)


_ENTRIES = (
    SelectorEntry(
        "association",
        "association with the target, each column alone",
        "covey.select.filters:AssociationRanker",
    ),
    SelectorEntry(
        "mrmr",
        "association with the target, less what repeats (mRMR)",
        "covey.select.redundancy:RedundancyAware",
    ),
    SelectorEntry(
        "outrank",
        "mutual information less what as many levels give by chance (OutRank)",
        "covey.select.cardinality:CardinalityAwareRanker",
    ),
    SelectorEntry(
        "3mr",
        "relevance less redundancy plus what pairs tell together (OutRank's 3MR)",
        "covey.select.cardinality:CardinalityAwareRanker",
        {"ranking": "3mr"},
    ),
    SelectorEntry(
        "inf_fs",
        "all paths through a graph of columns (Inf-FS)",
        "covey.select.graph:InfiniteSelector",
    ),
    SelectorEntry(
        "ecfs",
        "eigenvector centrality in a graph of columns (ECFS)",
        "covey.select.graph:EigenvectorCentralitySelector",
    ),
    SelectorEntry(
        "ilfs",
        "how well columns represent their classes (ILFS)",
        "covey.select.graph:InfiniteLatentSelector",
    ),
    SelectorEntry(
        "omp",
        "what a linear model lacks most (orthogonal matching pursuit)",
        "covey.select.omp:OMPSelector",
    ),
    SelectorEntry(
        "feature_gradients",
        "gradient of how well a polynomial predicts",
        "covey.select.gradient:FeatureGradientSelector",
    ),
    SelectorEntry(
        "distance_correlation",
        "distance correlation where a learner is still confused (DisCo)",
        "covey.select.forward:DistanceCorrelationSelector",
    ),
    SelectorEntry(
        "residual",
        "association with what a learner has not explained",
        "covey.select.forward:ResidualForward",
    ),
    SelectorEntry(
        "forest",
        "importance in a forest, the least left out again and again",
        "covey.select.forest:ForestSelector",
    ),
    SelectorEntry(
        "all_relevant",
        "beats its shuffled copies in a forest (Boruta)",
        "covey.select.all_relevant:AllRelevantSelector",
    ),
    SelectorEntry(
        "drcfs",
        "loss of a learner without the column, tested (DRCFS)",
        "covey.select.causal:DoublyRobustSelector",
    ),
    SelectorEntry(
        "attribution_rfe",
        "what a network attributes its predictions to, the least left out again and again (RFEwNA)",
        "covey.select.attribution_rfe:AttributionRFE",
    ),
    SelectorEntry(
        "quick_selection",
        "weights of a sparse autoencoder, without a target (QuickSelection)",
        "covey.select.unsupervised:QuickSelection",
    ),
)


def selectors() -> dict[str, SelectorEntry]:
    """The selectors that have a name, by it.

    Examples
    --------
    >>> selectors()["mrmr"].load().__name__
    'RedundancyAware'
    """
    return {entry.name: entry for entry in _ENTRIES}


def make_selector(
    name: str,
    k: Cut | None = None,
    random_state: int | None = None,
    engine: Engine | str | None = None,
    **params: Any,
) -> RankingSelector:
    """A selector by its name.

    Parameters
    ----------
    name : str
        One of `selectors()`.
    k : int, float, "elbow" or "all"
        Keep the best `k`, this share, those before the elbow of the scores, or all; by default what the class does.
    random_state, engine : optional
        Used where the selector has such a parameter.
    **params
        Further parameters of the selector.

    Raises
    ------
    ValueError
        If there is no such selector or parameter.

    Examples
    --------
    >>> make_selector("association", k=3, measure="spearman")
    AssociationRanker(k=3, measure='spearman')
    """
    known = selectors()
    if name not in known:
        raise ValueError(f"no selector {name!r}; choose one of {', '.join(known)}")
    return known[name].make(k, random_state, engine, **params)
