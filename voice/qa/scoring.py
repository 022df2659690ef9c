"""From suspicions to one number per call: how much it deserves a reviewer's time."""

from collections.abc import Iterable, Mapping

from voice.qa.checklist import Severity
from voice.qa.checks import Suspicion

# A minor lapse moves a call up the list, it never outranks a likely breach.
_WEIGHT: Mapping[Severity, float] = {Severity.CRITICAL: 1.0, Severity.MINOR: 0.2}


def call_risk(suspicions: Iterable[Suspicion]) -> float:
    """Return the chance (0..1) that at least one suspicion holds, with minor ones weighing a fifth."""
    clean = 1.0
    for suspicion in suspicions:
        clean *= 1.0 - suspicion.probability * _WEIGHT[suspicion.severity]
    return round(1.0 - clean, 4)
