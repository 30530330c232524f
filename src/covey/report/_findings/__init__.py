"""What was found, in plain words: each finding with its evidence, an action, a picture and a score.

Associations are reported as associations: nothing here says that one column causes another. A finding needs a false
discovery rate (Benjamini-Hochberg over its family of tests, or Bonferroni for searches) of at most 0.01 and an effect
that is large enough to act on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from covey.report._findings.columns import column_findings
from covey.report._findings.evidence import Evidence
from covey.report._findings.pairs import pair_findings
from covey.report._findings.rows import row_findings
from covey.report._findings.structure import structure_findings
from covey.report._findings.target import target_findings
from covey.report._model import Finding

__all__ = ["Evidence", "findings", "ranked"]

DECAY = 0.93
MOST_OF_A_KIND = 12


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, most important first."""
    parts = (target_findings, column_findings, pair_findings, row_findings, structure_findings)
    return ranked(finding for part in parts for finding in part(evidence))


def ranked(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by falling score, at most twelve of a kind; each further one of a kind counts 7 % less than the last.

    Examples
    --------
    >>> from covey.report._model import View
    >>> one, two = (Finding("order", t, "", "", 0.5, View("heatmap")) for t in "ab")
    >>> [(f.title, round(f.score, 3)) for f in ranked([one, two])]
    [('a', 0.5), ('b', 0.465)]
    """
    seen: dict[str, int] = {}
    out = []
    for finding in sorted(found, key=lambda f: -f.score):
        count = seen.get(finding.kind, 0)
        seen[finding.kind] = count + 1
        if count < MOST_OF_A_KIND:
            out.append(replace(finding, score=finding.score * DECAY**count))
    return tuple(sorted(out, key=lambda f: -f.score))
