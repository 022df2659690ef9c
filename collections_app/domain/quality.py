"""The words of call review: how far a recording has come, why a person sees it, what the person says."""

from enum import StrEnum


class RecordingStatus(StrEnum):
    """received -> transcribed -> checked, or failed with a reason; a failed one counts as unchecked."""

    RECEIVED = "received"
    TRANSCRIBED = "transcribed"
    CHECKED = "checked"
    FAILED = "failed"


class Stream(StrEnum):
    """How a call comes before a reviewer."""

    FLAGGED = "flagged"
    RANDOM = "random"
    """Blind audit: nothing was found; the reviewer judges the whole call."""


class Verdict(StrEnum):
    """A person's word on a suspicion (confirmed = a breach) or on a whole call of the blind audit."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    UNCLEAR = "unclear"


class ReviewMode(StrEnum):
    """Under which regime a verdict was given: estimates from the two must be weighted differently."""

    TRIAGE = "triage"
    RANDOM = "random"
