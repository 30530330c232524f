"""`PartitionReport`: what is known of a split."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covey.partition._alpha import AlphaEstimate
from covey.partition._partition import Partition
from covey.partition.importance import PartyImportance
from covey.partition.similarity import PartySimilarity
from covey.table import plain


@dataclass(frozen=True, eq=False)
class PartitionReport:
    """How the features of a table are spread over parties. Made by `evaluate`.

    Parameters
    ----------
    partition : Partition
    n_rows : int or None
        None where correlations were given.
    correlation : str
        Name of the measure.
    undefined : tuple of str
        Features without a correlation (constant, an id, ...), which count as uncorrelated with all others.
    pcor : ndarray of shape (K, K)
    icor : float
    bounds : (float, float) or None
        Least and most Icor.
    beta : float
        Place of `icor` between them; NaN without bounds, and where they are equal.
    mean_correlation : ndarray of shape (K, K)
        Mean absolute correlation of features of two parties, or of different features of one; NaN where there are none.
    within, between : float
        Mean absolute correlation over all pairs of features of one party, and of two.
    rv, cka, canonical_correlation : PartySimilarity or None
        RV coefficients, debiased linear CKA and adjusted mean squared canonical correlations, which see copied parties
        and those of one feature; None where correlations were given.
    importance : PartyImportance or None
        None unless labels, a model or importances were given.
    alpha : AlphaEstimate or None
    """

    partition: Partition
    n_rows: int | None
    correlation: str
    undefined: tuple[str, ...]
    pcor: NDArray[np.float64]
    icor: float
    bounds: tuple[float, float] | None
    beta: float
    mean_correlation: NDArray[np.float64]
    within: float
    between: float
    rv: PartySimilarity | None
    cka: PartySimilarity | None
    canonical_correlation: PartySimilarity | None
    importance: PartyImportance | None
    alpha: AlphaEstimate | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as text, numbers, lists and mappings; None for what is undefined or infinite, with its reason.

        Only the importances of single rows are left out.
        """
        found = plain({f.name: getattr(self, f.name) for f in fields(self) if f.name != "partition"})
        if self.importance is not None:
            del found["importance"]["row_importance"]
        names, parties = self.partition.party_names, range(self.partition.n_parties)
        return {"parties": {names[k]: list(self.partition.columns(k)) for k in parties}, **found}

    def __repr__(self) -> str:
        known = [f"Icor {self.icor:.4f}"]
        known += [] if np.isnan(self.beta) else [f"beta {self.beta:.3f}"]
        known += [] if self.alpha is None else [f"alpha {self.alpha.alpha:.3g}"]
        return f"<PartitionReport of {self.partition!r}: {', '.join(known)}>"

    def __str__(self) -> str:
        """A few lines for people."""
        lines = self._lines()
        width = max(len(label) for label, _ in lines) + 2
        return "\n".join(f"{label:<{width}}{text}" for label, text in lines)

    def _lines(self) -> list[tuple[str, str]]:
        partition = self.partition
        sizes = ", ".join(f"{name} {size}" for name, size in zip(partition.party_names, partition.sizes))
        place = "" if self.bounds is None else " of {:.4f}..{:.4f}".format(*self.bounds)
        lines = [
            ("features", sizes),
            (f"Icor ({self.correlation})", f"{self.icor:.4f}"),
            ("beta", _said(self.beta) + place),
            ("mean |r| within, between", f"{_said(self.within)}, {_said(self.between)}"),
        ]
        for similarity in (self.rv, self.cka, self.canonical_correlation):
            if similarity is not None:
                lines.append((f"{similarity.measure} between", _said(similarity.between)))
        if self.importance is not None:
            lines.append(("importance", ", ".join(f"{share:.1%}" for share in self.importance.shares)))
        if self.alpha is not None:
            lines.append(("alpha", str(self.alpha)))
        if self.undefined:
            lines.append(("without correlation", ", ".join(self.undefined)))
        return lines


def _said(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.3f}"
