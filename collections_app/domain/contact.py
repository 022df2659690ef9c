"""Channels, modes, purposes, and the life of one attempt (domain brief §1.1, §8.8)."""

from enum import StrEnum


class Channel(StrEnum):
    """How a customer is reached."""

    VOICE = "voice"
    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"
    VISIT = "visit"


class Mode(StrEnum):
    """Who or what speaks on the channel."""

    LIVE_AGENT = "live_agent"
    PRERECORDED = "prerecorded"
    AI_VOICE = "ai_voice"
    MESSAGE = "message"


class Purpose(StrEnum):
    """Why we contact."""

    COLLECTION = "collection"
    SERVICING = "servicing"
    LOCATION_INFO = "location_info"
    STATUTORY_NOTICE = "statutory_notice"
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"


class CollectorRole(StrEnum):
    """In whose name we collect: different law applies (domain brief §0.12)."""

    FIRST_PARTY = "first_party"
    THIRD_PARTY = "third_party"


class PointKind(StrEnum):
    """The kind of a contact point; unknown is treated as a mobile by the law's rules."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    VOIP = "voip"
    UNKNOWN = "unknown"
    EMAIL = "email"
    POSTAL = "postal"
    WORK_PHONE = "work_phone"


class StopCode(StrEnum):
    """Hard stops (domain brief §1.2)."""

    DECEASED = "deceased"
    BANKRUPTCY = "bankruptcy"
    ATTORNEY = "attorney"
    CEASE = "cease"
    DISPUTE = "dispute"
    MORATORIUM = "moratorium"
    ID_THEFT = "id_theft"
    COMPLAINT = "complaint"
    VULNERABLE = "vulnerable"
    PAID = "paid"


class AttemptStatus(StrEnum):
    """One try on one point by one channel."""

    PLANNED = "planned"
    DENIED = "denied"
    DEFERRED = "deferred"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


class CampaignStatus(StrEnum):
    """The life of a campaign."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


_S = AttemptStatus
# Which states may follow which. A late or duplicate receipt asks for a move that is not here and is dropped.
TRANSITIONS: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    _S.PLANNED: frozenset({_S.SENDING, _S.DENIED, _S.DEFERRED, _S.CANCELLED}),
    _S.DEFERRED: frozenset({_S.SENDING, _S.DENIED, _S.DEFERRED, _S.CANCELLED}),
    # Back to DEFERRED only when it is known that nothing left the house; receipts never ask for it.
    _S.SENDING: frozenset({_S.SENT, _S.DELIVERED, _S.FAILED, _S.UNCERTAIN, _S.DEFERRED}),
    _S.SENT: frozenset({_S.DELIVERED, _S.FAILED}),
    _S.UNCERTAIN: frozenset({_S.SENT, _S.DELIVERED, _S.FAILED}),
    _S.DENIED: frozenset(),
    _S.DELIVERED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}


def may_follow(current: AttemptStatus, new: AttemptStatus) -> bool:
    """Tell whether an attempt in ``current`` may become ``new``."""
    return new in TRANSITIONS[current]
