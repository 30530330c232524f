"""Selectors by name, with those that are networks."""

from __future__ import annotations

from covey.select import selectors as selectors_without_networks
from covey.select.registry import SelectorEntry

_NETWORKS = (
    SelectorEntry(
        "sequential_attention",
        "a network's attention, grown one column at a time (needs torch)",
        "covey.learn.sequential_attention:SequentialAttentionSelector",
    ),
)


def selectors() -> dict[str, SelectorEntry]:
    """The selectors that have a name, by it: those of `covey.select`, and networks, which are made with torch.

    Examples
    --------
    >>> sorted(set(selectors()) - set(selectors_without_networks()))
    ['sequential_attention']
    """
    return {**selectors_without_networks(), **{entry.name: entry for entry in _NETWORKS}}
