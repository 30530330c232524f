"""Groups of features that move together, and what is lost when one of each group is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covey.measure import AssociationMatrix, _cluster, associate
from covey.table._table import unknown_column

if TYPE_CHECKING:
    import plotly.graph_objects


@dataclass(frozen=True, eq=False)
class FeatureGroups:
    """A partition of the features, the tree that it was cut from, and an order to show them in.

    Parameters
    ----------
    names : tuple of str
        All features, in the matrix's order.
    groups : tuple of tuple of str
        The partition, lonely features included, ordered by first member.
    labels : ndarray of shape (n_features,), intp
        For each feature the position of its group in `groups`.
    order : ndarray of shape (n_features,), intp
        Optimal leaf order: groups stay together and strong pairs stand side by side.
    tree : ndarray of shape (n_features - 1, 4)
        SciPy's linkage matrix over the distance ``1 - strength``.
    threshold : float
    measure : str
    """

    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    labels: NDArray[np.intp]
    order: NDArray[np.intp]
    tree: NDArray[np.float64]
    threshold: float
    measure: str

    @property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """The groups of two features or more."""
        return tuple(group for group in self.groups if len(group) > 1)

    @property
    def ordered_names(self) -> tuple[str, ...]:
        """Names in display order."""
        return tuple(self.names[k] for k in self.order)

    def dendrogram(self) -> plotly.graph_objects.Figure:
        """The tree as a figure: leaves in display order, merges at their strength, the threshold dashed."""
        import plotly.graph_objects as go

        x, height = dendrogram_lines(self.tree, self.order)
        figure = go.Figure(go.Scatter(x=x, y=1.0 - height, mode="lines", hoverinfo="y", showlegend=False))
        figure.add_hline(y=self.threshold, line_dash="dash", opacity=0.5)
        figure.update_xaxes(tickvals=list(range(len(self.names))), ticktext=list(self.ordered_names))
        figure.update_yaxes(title=f"strength ({self.measure})", range=[1.02, -0.02])
        figure.update_layout(title="Features that move together")
        return figure

    def __repr__(self) -> str:
        sizes = sorted(map(len, self.shared), reverse=True)
        largest = ", ".join(map(str, sizes[:3])) or "-"
        return (
            f"<FeatureGroups {self.measure} >= {self.threshold:g}: {len(self.names)} features, "
            f"{len(sizes)} groups (largest {largest}), {len(self.groups) - len(sizes)} alone>"
        )


@dataclass(frozen=True)
class RedundantGroup:
    """Features that say nearly the same, and what the representative alone keeps of them.

    With ``w[i, j]`` the squared strength of association of two features, the representative `r` of the group
    `G` keeps the share ::

        association_kept = sum(min(w[i, j], w[r, j])) / sum(w[i, j])     over i in G without r, j not in G

    of what the other members have in common with the rest of the table, and `relevance_kept` is the same share
    with the target as the only `j`. Both are 1 when the others have nothing that could be lost.

    Parameters
    ----------
    members : tuple of str
        In the matrix's order.
    representative : str
    association_kept : float
        0..1.
    relevance_kept : float or None
        0..1; None without a target.
    weakest : float
        The least strength of association between two members.
    """

    members: tuple[str, ...]
    representative: str
    association_kept: float
    relevance_kept: float | None
    weakest: float

    @property
    def others(self) -> tuple[str, ...]:
        """The members that the representative stands for."""
        return tuple(name for name in self.members if name != self.representative)


def feature_groups(
    source: Any,
    threshold: float = 0.6,
    measure: str = "auto",
    linkage: _cluster.LinkageMethod = "average",
) -> FeatureGroups:
    """Group features by hierarchical clustering of their strength of association.

    Parameters
    ----------
    source : AssociationMatrix or anything that `covey.read` takes
        A square matrix is used as it is; other sources are measured first.
    threshold : float
        Least strength of a merge, 0..1. With average linkage the pairs of a group have at least this mean
        strength, with complete linkage every pair has it, with single linkage each member has it with one
        other member.
    measure : str
        Measure for sources that are not matrices.
    linkage : {"average", "complete", "single"}

    Returns
    -------
    FeatureGroups

    Raises
    ------
    ValueError
        If the matrix is not square, `threshold` is outside 0..1, or `linkage` is unknown.

    References
    ----------
    Bar-Joseph, Gifford and Jaakkola (2001), Fast optimal leaf ordering for hierarchical clustering.
    Bioinformatics 17.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 2)) @ [[1, 0, 1, 0], [0, 1, 0, 1]] + 0.3 * rng.normal(size=(200, 4))
    >>> found = feature_groups(x, measure="pearson")
    >>> found.labels.tolist(), found.order.tolist()
    ([0, 1, 0, 1], [0, 2, 1, 3])
    """
    matrix = _as_matrix(source, measure)
    strength = matrix.strength
    tree = _cluster.linkage(strength, linkage)
    partition = _cluster.cut(strength, threshold, tree=tree)
    labels = np.empty(len(strength), dtype=np.intp)
    for label, group in enumerate(partition):
        labels[group] = label
    return FeatureGroups(
        names=matrix.rows,
        groups=tuple(tuple(matrix.rows[k] for k in group) for group in partition),
        labels=labels,
        order=_cluster.leaf_order(strength, tree),
        tree=tree,
        threshold=threshold,
        measure=matrix.measure,
    )


def redundancy(
    source: Any,
    groups: FeatureGroups | Iterable[Sequence[str]] | None = None,
    threshold: float = 0.6,
    *,
    target: str | None = None,
    relevance: Mapping[str, float] | None = None,
    measure: str = "auto",
) -> list[RedundantGroup]:
    """In each group of features, whom to keep and what that loses.

    The representative is the member that keeps most: the greatest `association_kept` (see `RedundantGroup`),
    or with a target the greatest mean of `association_kept` and `relevance_kept`; equals are told apart by
    their strength within the group, then by their place in the table.

    Parameters
    ----------
    source : AssociationMatrix or anything that `covey.read` takes
    groups : FeatureGroups or iterable of sequences of str, optional
        By default those of `feature_groups` at `threshold`, the target left out. Lonely features are skipped.
    threshold : float
        0..1; used when `groups` is not given.
    target : str, optional
        A feature of the matrix that is to be predicted; it belongs to no group and not to the rest of the table.
    relevance : mapping of str to float, optional
        Strength of each feature's relation to the target, 0..1, in place of the matrix's; features that are not
        named have none.
    measure : str
        Measure for sources that are not matrices.

    Returns
    -------
    list of RedundantGroup
        Largest group first, then the strongest weakest link.

    Raises
    ------
    ValueError
        If a group, `target` or `relevance` names an unknown feature, or a group holds the target or a feature
        twice.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 2)) @ [[1, 1, 1, 0], [0, 0, 1, 1]]
    >>> x[:, 1] += 2 * rng.normal(size=500)
    >>> [group] = redundancy(x, groups=[["x0", "x1"]], measure="pearson")
    >>> group.representative, round(group.association_kept, 2)
    ('x0', 0.99)
    """
    matrix = _as_matrix(source, measure)
    position = {name: k for k, name in enumerate(matrix.rows)}
    strength = matrix.strength
    features = [k for name, k in position.items() if name != target]
    if groups is None:
        members = _grouped(strength, features, threshold)
    else:
        members = [_positions(group, position) for group in _names(groups)]
    relevant = _relevance(matrix.rows, strength, target, relevance)
    if target is not None and any(position[target] in group for group in members):
        raise ValueError(f"a group holds the target {target!r}; leave it out of the groups")
    found = [_summarise(group, strength, features, relevant, matrix.rows) for group in members if len(group) > 1]
    return sorted(found, key=lambda group: (-len(group.members), -group.weakest))


def shares_kept(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row of a group, the share of the other rows' total that it keeps when it alone stays.

    Parameters
    ----------
    squared : ndarray of shape (n_members, n_others)
        Non-negative; what each member has in common with each feature outside.

    Returns
    -------
    ndarray of shape (n_members,)
        ``sum(min(squared[i, j], squared[r, j])) / sum(squared[i, j])`` over ``i != r`` and all `j`, for each
        `r`; 1 where the denominator is 0.

    Examples
    --------
    >>> shares_kept(np.array([[0.4, 0.0], [0.4, 0.2], [0.2, 0.0]])).round(3).tolist()
    [0.75, 1.0, 0.4]
    """
    n_members = len(squared)
    order = np.argsort(squared, axis=0)
    rising = np.take_along_axis(squared, order, axis=0)
    above = np.arange(n_members - 1, -1, -1)[:, None]
    smaller = np.empty_like(rising)
    np.put_along_axis(smaller, order, np.cumsum(rising, axis=0) + above * rising, axis=0)
    own = squared.sum(axis=1)
    kept, total = smaller.sum(axis=1) - own, own.sum() - own
    nothing_to_lose = total <= 1e-12 * max(own.sum(), np.finfo(float).tiny)
    return np.where(nothing_to_lose, 1.0, np.clip(kept / np.where(nothing_to_lose, 1.0, total), 0.0, 1.0))


def dendrogram_lines(
    tree: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The tree as one broken line: each merge is an upturned U, ended by NaN.

    Parameters
    ----------
    tree : ndarray of shape (n_features - 1, 4)
        Linkage matrix.
    order : ndarray of shape (n_features,)
        A leaf order that the tree allows.

    Returns
    -------
    x, height : ndarray of shape (5 * (n_features - 1),)
        Leaf ``order[k]`` stands at x = k and height 0.
    """
    n_features = len(order)
    at = np.empty(n_features + len(tree))
    height = np.zeros(n_features + len(tree))
    at[order] = np.arange(n_features)
    lines = np.full((len(tree), 2, 5), np.nan)
    for k, (left, right, distance, _) in enumerate(tree):
        a, b = int(left), int(right)
        at[n_features + k], height[n_features + k] = (at[a] + at[b]) / 2, distance
        lines[k, 0, :4] = at[a], at[a], at[b], at[b]
        lines[k, 1, :4] = height[a], distance, distance, height[b]
    return lines[:, 0].ravel(), lines[:, 1].ravel()


def _as_matrix(source: Any, measure: str) -> AssociationMatrix:
    matrix = source if isinstance(source, AssociationMatrix) else associate(source, measure=measure, pvalues=False)
    if not matrix.is_square:
        raise ValueError("groups need every feature against every feature; call associate on one table")
    return matrix


def _grouped(strength: NDArray[np.float64], features: list[int], threshold: float) -> list[list[int]]:
    inside = _cluster.cut(strength[np.ix_(features, features)], threshold)
    return [[features[k] for k in group] for group in inside]


def _names(groups: FeatureGroups | Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    return groups.groups if isinstance(groups, FeatureGroups) else groups


def _positions(group: Sequence[str], position: Mapping[str, int]) -> list[int]:
    for name in group:
        if name not in position:
            raise ValueError(unknown_column(name, list(position)))
    if len(set(group)) < len(group):
        raise ValueError(f"a group names a feature twice: {list(group)}")
    return sorted(position[name] for name in group)


def _relevance(
    names: Sequence[str],
    strength: NDArray[np.float64],
    target: str | None,
    given: Mapping[str, float] | None,
) -> NDArray[np.float64] | None:
    """Relevance of every feature, shape (n_features,); None when there is neither target nor relevance."""
    for name in [*([] if target is None else [target]), *(given or ())]:
        if name not in names:
            raise ValueError(unknown_column(name, names))
    if given is not None:
        return np.abs(np.nan_to_num([given.get(name, 0.0) for name in names]))
    return None if target is None else strength[:, names.index(target)]


def _summarise(
    group: list[int],
    strength: NDArray[np.float64],
    features: list[int],
    relevance: NDArray[np.float64] | None,
    names: Sequence[str],
) -> RedundantGroup:
    rest = np.setdiff1d(features, group)
    inside = strength[group][:, group]
    association = shares_kept(strength[group][:, rest] ** 2)
    relevant = None if relevance is None else shares_kept(relevance[group, None] ** 2)
    merit = association if relevant is None else (association + relevant) / 2
    central = inside.sum(axis=1) - np.diag(inside)
    best = int(np.lexsort((-central.round(12), -merit.round(12)))[0])
    return RedundantGroup(
        members=tuple(names[k] for k in group),
        representative=names[group[best]],
        association_kept=float(association[best]),
        relevance_kept=None if relevant is None else float(relevant[best]),
        weakest=float(inside[np.triu_indices(len(group), 1)].min()),
    )
