"""Days past due, buckets, and when an episode opens or cures (domain brief §2.1, §2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Band:
    """One row of a bucket table: the DPD from which the bucket holds."""

    code: str
    from_dpd: int


def days_past_due(oldest_unpaid_due_on: date | None, as_of: date) -> int:
    """Return whole days since the oldest unpaid due date; the due day itself is 0 (§2.1)."""
    if oldest_unpaid_due_on is None:
        return 0
    return max(0, (as_of - oldest_unpaid_due_on).days)


def bucket_of(dpd: int, bands: Sequence[Band]) -> str:
    """Return the bucket whose range holds ``dpd``; bands are sorted by ``from_dpd``, the first starts at 0."""
    code = bands[0].code
    for band in bands:
        if dpd < band.from_dpd:
            break
        code = band.code
    return code
